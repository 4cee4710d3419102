//! What a survey or a read finds in the cloud.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::address::Address;
use super::text::Outputs;

/// Tag keys and values.
pub type Tags = BTreeMap<String, String>;

/// One object as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live<S = Value> {
    /// What AWS knows it by: the id, ARN, URL or name that the kind's own calls take.
    pub id: String,
    /// The same struct as the desired state, read back.
    pub spec: S,
    /// What others may refer to.
    pub outputs: Outputs,
    /// All tags, ours and others'. Empty for kinds without tags.
    pub tags: Tags,
    /// Whether it can be used yet.
    pub phase: Phase,
}

/// Where an object stands in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Usable.
    Ready,
    /// AWS is still at work; the text is AWS's own status.
    Pending(String),
    /// Being deleted; it will vanish by itself. The text is AWS's own status.
    Deleting(String),
    /// It ended in a state that only deletion leaves; the text is AWS's reason.
    Failed(String),
}

/// One result of a survey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<S = Value> {
    /// Which address it stands for.
    pub address: Address,
    /// Whose it is.
    pub owner: Owner,
    /// The object.
    pub live: Live<S>,
}

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It carries this environment's ownership tags, and its name, if it has one, fits them.
    Ours,
    /// It carries this environment's ownership tags, but its name, its path or its kind says that it
    /// is not: it is named and left alone. The text says why.
    Disputed(String),
    /// It has a name that this environment wants, and belongs to someone else. The text names them.
    Foreign(String),
    /// It belongs to the account and serves every environment: taken as it is, and never changed
    /// or deleted.
    Shared,
    /// It has a name that this environment wants and no tags at all, as AWS's services make such
    /// objects by themselves: an apply takes it over, a destroy leaves it.
    Nobody,
}
