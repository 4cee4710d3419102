//! SSM Parameter Store.

pub(crate) mod parameter;
pub(crate) mod rates;
