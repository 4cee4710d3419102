//! What has to happen, as data: shown before it happens, saved if asked for, and all that apply
//! may do.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::diff::FieldChange;
use super::survey::{Snapshot, SurveyError};
use crate::model::address::Address;
use crate::model::desired::Desired;
use crate::model::live::{Live, Owner};
use crate::model::scope::Scope;
use crate::model::text::Outputs;

/// The version of the plan's serialised form.
pub const FORMAT: u32 = 3;

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Make the environment what the config says.
    Apply,
    /// Remove the environment.
    Destroy,
}

/// What happens to one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// A new object takes its place.
    Replace,
    /// It is deleted.
    Delete,
}

/// One resource that does not stay as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its identity.
    pub address: Address,
    /// What happens to it.
    pub action: Action,
    /// Its physical name.
    pub name: String,
    /// The part of the platform that it belongs to.
    pub component: String,
    /// Where the config asks for it; empty if it does not.
    pub origin: String,
    /// What differs.
    pub fields: Vec<FieldChange>,
    /// Why it is replaced, deleted or waited for.
    pub because: Option<String>,
    /// The other change that it is nothing but a consequence of.
    #[serde(default)]
    pub follows: Option<Address>,
    /// What is lost for good.
    pub irreversible: Option<String>,
    /// How some of that can still be got back.
    #[serde(default)]
    pub regain: Option<String>,
    /// Whether a replacement is made before the old object goes.
    pub create_first: bool,
    /// What is wanted.
    pub want: Option<Desired>,
    /// What is there.
    pub live: Option<Live>,
    /// What must be ready before it is made or changed.
    pub needs: BTreeSet<Address>,
    /// What its live object uses: that may only go after it.
    pub uses: BTreeSet<Address>,
    /// What is deleted before its live object, if no dependency is against it.
    #[serde(rename = "outlives")]
    pub delete_after: BTreeSet<Address>,
}

impl Change {
    /// A change of which nothing else is known.
    pub fn new(address: Address, action: Action) -> Self {
        Self {
            address,
            action,
            name: String::new(),
            component: String::new(),
            origin: String::new(),
            fields: Vec::new(),
            because: None,
            follows: None,
            irreversible: None,
            regain: None,
            create_first: false,
            want: None,
            live: None,
            needs: BTreeSet::new(),
            uses: BTreeSet::new(),
            delete_after: BTreeSet::new(),
        }
    }
}

/// Something that payctl will not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which resource.
    pub address: Address,
    /// Where the config asks for it.
    pub origin: String,
    /// Why not.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

/// Something that a reader of the plan should know, and that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Which resource.
    pub address: Address,
    /// Where the config asks for it.
    pub origin: String,
    /// What there is to know.
    pub text: String,
    /// What to do about it.
    pub hint: String,
}

/// An object that only its tags call the environment's: nothing is done to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LeftAlone {
    /// The address that its tags claim.
    pub address: Address,
    /// What AWS knows it by.
    pub id: String,
    /// Why its tags are not believed.
    pub reason: String,
}

/// What a survey found that only its tags call the environment's.
pub fn left_alone(snapshot: &Snapshot) -> Vec<LeftAlone> {
    let left = snapshot.values().flatten().filter_map(|found| match &found.owner {
        Owner::Disputed(reason) => Some(LeftAlone {
            address: found.address.clone(),
            id: found.live.id.clone(),
            reason: reason.clone(),
        }),
        Owner::Ours | Owner::Foreign(_) | Owner::Shared | Owner::Nobody => None,
    });
    let mut left: Vec<LeftAlone> = left.collect();
    left.sort();
    left
}

/// Everything that has to happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this form.
    pub format: u32,
    /// Which environment.
    pub scope: Scope,
    /// What it is for.
    pub purpose: Purpose,
    /// What it was limited to; nothing if it covers everything.
    pub targets: Vec<String>,
    /// What changes, what is needed first coming first.
    pub changes: Vec<Change>,
    /// What stays.
    pub unchanged: Vec<Address>,
    /// What will not be done; a plan with any of these is not carried out.
    pub refused: Vec<Refused>,
    /// What a reader should know beside.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// The kinds that payctl could not read: the plan says nothing about them.
    #[serde(default)]
    pub unseen: Vec<SurveyError>,
    /// What is not the environment's, although its tags say so.
    #[serde(default)]
    pub left_alone: Vec<LeftAlone>,
    /// What would change without the limits of the targets: it stays as it is.
    #[serde(skip)]
    pub beyond: Vec<Change>,
    /// The specs of the live objects that stay.
    #[serde(skip)]
    pub staying: BTreeMap<Address, Value>,
    /// The outputs of what is live.
    pub outputs: BTreeMap<Address, Outputs>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.refused.is_empty()
    }

    /// How many changes of one sort there are.
    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A plan without changes.
    pub(crate) fn empty() -> Plan {
        Plan {
            format: FORMAT,
            scope: Scope {
                project: "payment".into(),
                env: "dev".into(),
                account: "1".into(),
                region: "us-east-1".into(),
                partition: "aws".into(),
            },
            purpose: Purpose::Apply,
            targets: Vec::new(),
            changes: Vec::new(),
            unchanged: Vec::new(),
            refused: Vec::new(),
            notes: Vec::new(),
            unseen: Vec::new(),
            left_alone: Vec::new(),
            beyond: Vec::new(),
            staying: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }
}
