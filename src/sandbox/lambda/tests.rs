//! Claims about the sandbox's Lambda.
