//! payctl stands up, changes and tears down payment infrastructure on AWS, directly through the SDK.
//!
//! Read the modules in this order: the words of the config and of AWS (`words`), what is typed
//! (`config`), what it asks for (`blueprint`), how AWS does it (`aws`), what people see (`ui`) and how
//! they say it (`cli`). How a difference becomes a plan and a plan becomes reality is a crate of its own,
//! `crates/engine`, with the plain data that everything shares; so is the embedded AWS,
//! `crates/sandbox`.

pub mod aws;
pub mod blueprint;
pub mod cli;
pub mod config;
pub mod ui;
pub mod words;
