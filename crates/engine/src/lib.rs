//! How a difference becomes a plan, and a plan becomes reality.
//!
//! The engine knows no kind by name and never prints: it sees the cloud through `provider`, and
//! tells what it does through `event`. In reading order: the plain data that everything shares
//! (`model`), what is live (`survey`), what differs (`diff`), what to do about it (`planner` makes a
//! `plan`), in which order (`graph`), and doing it (`apply`, one step at a time in `converge`).

pub mod apply;
pub mod checks;
pub mod converge;
pub mod diff;
pub mod event;
pub mod graph;
pub mod lease;
pub mod model;
pub mod outlook;
mod owners;
pub mod plan;
pub mod planner;
pub mod provider;
pub mod shift;
pub mod stop;
pub mod survey;
pub mod traffic;
