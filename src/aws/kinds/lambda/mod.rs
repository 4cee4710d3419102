//! Lambda.

use crate::aws::preflight::Check;

pub(crate) mod alias;
pub(crate) mod common;
mod concurrency;
pub(crate) mod event_source;
pub(crate) mod function;
mod interfaces;
pub(crate) mod permissions;
pub(crate) mod release;
mod routing;

/// The checks of this service before an apply.
pub(super) const CHECKS: &[Check] = &[concurrency::CHECK, interfaces::CHECK, routing::CHECK];
