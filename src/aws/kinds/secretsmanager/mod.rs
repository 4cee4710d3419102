//! Secrets Manager.

pub(crate) mod attachment;
pub(crate) mod rotation;
pub(crate) mod secret;
pub(crate) mod values;
