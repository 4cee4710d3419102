//! The integration tests: one binary, because each one links every SDK crate.

#![expect(unreachable_pub, reason = "the modules of a test binary have no other public")]

// The life of whole environments, run by run, through the real binary.
mod cli_cycle;
// The sandbox on a port, seen by boto3 and by payctl.
mod cli_serve;
// Ctrl-C, SIGTERM and SIGKILL.
mod cli_signals;
// What people see.
mod cli_snapshots;
// The real binary in a folder of its own.
mod cli_support;
// What AWS does to what holds data.
mod data;
// Properties of the engine, on a cloud in memory.
mod engine;
// Every kind through its whole life, on the embedded sandbox.
mod kinds;
// The same on moto, the second judge.
mod moto;
// Calls and round trips of a plan.
mod speed;
// A fault at every API call of an apply and of a destroy.
mod sweep;
// The network: repairs, replacements and refusals, on the embedded sandbox.
mod network;
// What several tests need: a sandbox, a blueprint, runs of the engine.
mod support;
