//! IAM.

pub(super) mod existing;
pub(super) mod index;
pub(crate) mod instance_profile;
pub(crate) mod rates;
pub(crate) mod role;
