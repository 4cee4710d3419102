//! SQS.

pub(super) mod probe;
pub(crate) mod queue;
