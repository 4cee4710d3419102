//! Secrets Manager.

pub(crate) mod attachment;
pub(super) mod held;
pub(crate) mod rotation;
pub(crate) mod secret;
pub(crate) mod values;
