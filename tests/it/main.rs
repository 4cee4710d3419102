//! The integration tests: one binary, because each one links every SDK crate.
