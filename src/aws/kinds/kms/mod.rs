//! KMS.

pub(super) mod held;
pub(crate) mod key;
