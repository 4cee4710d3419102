//! GuardDuty.

pub(crate) mod detector;
mod plans;
