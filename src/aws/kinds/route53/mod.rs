//! Route 53.

use crate::aws::preflight::Check;

pub(crate) mod common;
pub(crate) mod rates;
pub(crate) mod record;
mod zones;

/// The checks of this service before an apply.
pub(super) const CHECKS: &[Check] = &[zones::CHECK];
