//! The integration tests: one binary, because each one links every SDK crate.

// Properties of the engine, on a cloud in memory.
mod engine;
