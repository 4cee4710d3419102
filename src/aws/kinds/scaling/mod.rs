//! Application Auto Scaling.

pub(crate) mod target;
