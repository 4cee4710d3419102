//! KMS.

pub(crate) mod key;
