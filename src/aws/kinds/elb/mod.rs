//! Elastic Load Balancing.

pub(crate) mod common;
pub(crate) mod listener;
pub(crate) mod listener_rule;
pub(crate) mod load_balancer;
pub(crate) mod target;
pub(crate) mod target_group;
