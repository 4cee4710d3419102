//! IAM.

pub(crate) mod instance_profile;
pub(crate) mod rates;
pub(crate) mod role;
