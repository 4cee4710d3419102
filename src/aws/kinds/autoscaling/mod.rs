//! EC2 Auto Scaling.

use crate::aws::preflight::Check;

pub(crate) mod group;
pub(super) mod index;
mod offers;

/// The checks of this service before an apply.
pub(super) const CHECKS: &[Check] = &[offers::CHECK];
