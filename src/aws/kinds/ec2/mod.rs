//! EC2 and its networks.

use crate::aws::preflight::Check;

pub(super) mod claims;
pub(crate) mod common;
pub(crate) mod egress;
pub(crate) mod elastic_ip;
pub(super) mod existing;
pub(crate) mod flow_log;
pub(crate) mod gateway_endpoint;
pub(crate) mod instance;
pub(crate) mod internet_gateway;
pub(crate) mod launch_template;
pub(crate) mod nat_gateway;
pub(crate) mod offers;
pub(crate) mod permissions;
pub(super) mod probe;
mod quotas;
pub(crate) mod route_table;
pub(crate) mod security_group;
pub(crate) mod security_group_rules;
pub(crate) mod sizes;
pub(crate) mod subnet;
pub(crate) mod vpc;
mod ways_out;

/// The checks of this service before an apply.
pub(super) const CHECKS: &[Check] =
    &[offers::CHECK, quotas::ADDRESSES, quotas::NETWORKS, ways_out::CHECK];
