//! KMS.

pub(super) mod existing;
pub(super) mod held;
pub(crate) mod key;
