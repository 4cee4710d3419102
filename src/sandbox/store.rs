//! Provisional: the sandbox's version wins.

/// Why the sandbox's state cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("provisional")]
pub struct SandboxError;
