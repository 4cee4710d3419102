//! S3.

pub(crate) mod bucket;
