//! The output for people and programs: pure functions from plain data to text, and the screen.
//!
//! Data goes to stdout, everything else to stderr. This module does not call the cloud and does not
//! decide anything. Its text is the same with and without colour.

pub mod checks;
pub mod compared;
pub mod cost;
pub mod diagram;
pub mod environments;
pub mod fleet;
pub mod graph;
pub mod history;
pub mod impact;
pub mod json;
pub mod kind;
pub mod live;
pub mod looking;
pub mod markdown;
pub mod money;
pub mod outputs;
pub mod plan;
pub mod prices;
pub mod progress;
pub mod report;
pub mod savings;
pub mod screen;
pub mod shift;
pub mod spending;
pub mod status;
pub mod style;
#[cfg(test)]
mod tests;
pub mod text;
mod value;
