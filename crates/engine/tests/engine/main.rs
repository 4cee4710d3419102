//! Properties of the engine over random blueprints, faults and seeds, on `FakeCloud`.
//!
//! `PAYCTL_SEEDS=from..to` runs other seeds than the usual ones; a failure prints its own.

#![allow(
    unreachable_pub,
    clippy::print_stderr,
    reason = "the modules are the only users of each other, and a failing test names its seed"
)]

mod answers;
mod crashes;
mod fake;
mod growth;
mod lease;
mod lease_model;
mod looking;
mod owners;
mod plans;
mod second_keys;
mod seeds;
mod shift;
mod shift_cloud;
mod shift_together;
mod support;
mod together;
