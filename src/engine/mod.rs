//! How a difference becomes a plan, and a plan becomes reality.
//!
//! The engine knows no kind by name and never prints: it sees the cloud through `provider`, and
//! tells what it does through `event`.

pub mod apply;
pub mod diff;
pub mod event;
pub mod plan;
pub mod provider;
