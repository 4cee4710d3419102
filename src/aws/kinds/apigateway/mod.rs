//! API Gateway.

pub(crate) mod account;
pub(crate) mod api_key;
pub(crate) mod common;
pub(crate) mod definition;
pub(crate) mod domain_name;
pub(crate) mod rates;
pub(crate) mod rest_api;
pub(crate) mod stage;
pub(crate) mod usage_plan;
pub(crate) mod vpc_link;
