//! SNS.

pub(crate) mod subscription;
pub(crate) mod topic;
