//! EventBridge.

pub(crate) mod rule;
mod schedule;
