//! EventBridge.

pub(crate) mod rule;
