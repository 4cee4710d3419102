//! API Gateway.

use crate::aws::preflight::Check;

pub(crate) mod account;
pub(crate) mod api_key;
pub(crate) mod common;
pub(crate) mod definition;
pub(crate) mod domain_name;
mod quotas;
pub(crate) mod rates;
pub(crate) mod rest_api;
pub(crate) mod stage;
pub(crate) mod usage_plan;
pub(crate) mod vpc_link;

/// The checks of this service before an apply.
pub(super) const CHECKS: &[Check] = &quotas::CHECKS;
