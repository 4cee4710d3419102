//! GuardDuty.

pub(crate) mod detector;
