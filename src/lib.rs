//! payctl stands up, changes and tears down payment infrastructure on AWS, directly through the SDK.
//!
//! Read the modules in this order: the plain data that everything shares (`model`), what is typed
//! (`config`), what it asks for (`blueprint`), how a difference becomes a plan and a plan becomes
//! reality (`engine`), how AWS does it (`aws`), what people see (`ui`) and how they say it (`cli`).
//! The embedded AWS is a crate of its own, `crates/sandbox`.

pub mod aws;
pub mod blueprint;
pub mod cli;
pub mod config;
pub mod engine;
pub mod model;
pub mod ui;
