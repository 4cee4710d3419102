//! S3.

pub(crate) mod bucket;
pub(super) mod existing;
