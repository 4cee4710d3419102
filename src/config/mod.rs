//! From TOML files to a checked [`schema::Config`].
//!
//! `loading` takes the steps in their order: `layers` finds the files of an environment, merges them
//! and fills in its inputs; `check` walks the merged tree along the JSON Schema of the typed structs
//! (`json_schema`) and finds every value that does not fit; `rules` checks the meaning of the values.
//! Every problem has its place, and payctl reports all at once. `blueprint::build` checks everything
//! that needs the account (names with its id).

mod check;
mod files;
mod json_schema;
mod key_path;
pub(crate) mod layers;
mod loaded;
mod loading;
pub(crate) mod metrics;
pub(crate) mod packages;
pub(crate) mod problem;
pub(crate) mod ranges;
pub(crate) mod references;
pub(crate) mod rules;
pub mod schema;
pub(crate) mod template;
#[cfg(test)]
mod tests;
mod tree;
mod variables;

pub use json_schema::schema;
pub use key_path::KeyPath;
pub(crate) use layers::digest;
pub use layers::{Environment, LONGEST_ENV, env_name};
pub use loaded::Loaded;
pub use loading::{find_environments, has, is_valid, load, load_in, region};
pub(crate) use loading::{inspect, sorted};
pub use problem::{Place, Problem};
