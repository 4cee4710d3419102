//! What one environment should consist of.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::address::Address;
use super::live::Tags;
use super::scope::Scope;
use super::text::Text;

/// One resource as the config asks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// Its identity.
    pub address: Address,
    /// Its physical name; for kinds without names, the value of their `Name` tag.
    pub name: String,
    /// The section of its kind (`network`, `tables`), for display.
    pub component: String,
    /// Where the config asks for it, `config/base.toml:41`.
    pub origin: String,
    /// The spec, with references.
    pub spec: Value,
    /// Tags that are kept up to date, ownership tags among them.
    pub tags: Tags,
    /// Tags given at creation and never compared again.
    pub tags_once: Tags,
    /// What must exist before it although nothing in the spec says so.
    pub after: BTreeSet<Address>,
}

/// Everything one environment should consist of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blueprint {
    /// Which environment.
    pub scope: Scope,
    /// Whether destroy and data loss are refused.
    pub protect: bool,
    /// Whether its data may be lost without a word.
    pub disposable: bool,
    /// The resources.
    pub resources: BTreeMap<Address, Desired>,
    /// The outputs by name.
    pub outputs: BTreeMap<String, Text>,
}
