//! Lambda.

use crate::aws::preflight::Check;

pub(crate) mod common;
mod concurrency;
pub(crate) mod event_source;
pub(crate) mod function;
mod interfaces;
pub(crate) mod permissions;

/// What is looked at before an apply.
pub(super) const CHECKS: &[Check] = &[concurrency::CHECK, interfaces::CHECK];
