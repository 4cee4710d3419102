//! SQS.

pub(crate) mod queue;
