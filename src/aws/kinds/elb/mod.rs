//! Elastic Load Balancing.

use crate::aws::preflight::Check;

pub(crate) mod common;
pub(super) mod lent;
pub(crate) mod listener;
pub(crate) mod listener_rule;
pub(crate) mod load_balancer;
mod shifts;
pub(crate) mod target;
pub(crate) mod target_group;

/// The checks of this service before an apply.
pub(super) const CHECKS: &[Check] = &[shifts::CHECK];
