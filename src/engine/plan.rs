//! Provisional: the engine's version wins.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::diff::FieldChange;
use crate::model::address::Address;
use crate::model::desired::Desired;
use crate::model::live::Live;
use crate::model::scope::Scope;
use crate::model::text::Text;

/// What happens to one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// A new one takes its place.
    Replace,
    /// It is deleted.
    Delete,
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To make reality match the config.
    Apply,
    /// To remove everything.
    Destroy,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Of which resource.
    pub address: Address,
    /// What happens.
    pub action: Action,
    /// The physical name.
    pub name: String,
    /// The component.
    pub component: String,
    /// Where the config asks for it.
    pub origin: String,
    /// What differs.
    pub fields: Vec<FieldChange>,
    /// Why a replacement or deletion.
    pub because: Option<String>,
    /// What is lost for good.
    pub irreversible: Option<String>,
    /// Whether the replacement stands before the old one goes.
    pub create_first: bool,
    /// The desired state.
    pub want: Option<Desired>,
    /// The live state.
    pub live: Option<Live>,
}

/// A resource that cannot be planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// Which.
    pub address: Address,
    /// Where the config asks for it.
    pub origin: String,
    /// Why.
    pub reason: String,
    /// What to do.
    pub hint: String,
}

/// What apply will do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of the file format.
    pub format: u32,
    /// Where.
    pub scope: Scope,
    /// What for.
    pub purpose: Purpose,
    /// The changes.
    pub changes: Vec<Change>,
    /// What stays as it is.
    pub unchanged: Vec<Address>,
    /// What cannot be done.
    pub refused: Vec<Refused>,
    /// Digests of the live values.
    pub digests: BTreeMap<Address, String>,
    /// The outputs.
    pub outputs: BTreeMap<String, Text>,
}
