//! Checks before an apply. They find what AWS would refuse only in the middle of an apply, or what
//! would go wrong after it. The kinds make them before anything is written, and see the whole plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use super::clients::Aws;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Desired;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Live;
use payctl_engine::model::text::{Output, Outputs, each_ref};

/// One check of a kind.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its subject.
    pub subject: Subject,
    /// What payctl does in it, for the message if that fails: `list the database versions that AWS
    /// offers`.
    pub doing: &'static str,
    /// Runs the check. It asks AWS only if the plan makes or changes an object of its subject.
    pub run: for<'a> fn(&'a Preflight<'a>) -> Checked<'a>,
}

/// What a check finds.
pub type Checked<'a> = BoxFuture<'a, Result<Vec<Finding>, OpError>>;

/// The subjects of checks, in order: the findings of one are reported before the next runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// What would be left behind.
    Leftovers,
    /// The versions that AWS offers.
    Versions,
    /// What AWS has in which zone.
    Zones,
    /// What something is made from.
    Sources,
    /// What the account may have.
    Limits,
    /// Whom the traffic goes to.
    Traffic,
}

/// A plan, as the kinds see it.
pub struct Preflight<'a> {
    /// The clients.
    pub aws: &'a Aws,
    /// What the plan does.
    pub planned: Vec<Planned<'a>>,
    /// Everything that the config wants.
    pub resources: &'a BTreeMap<Address, Desired>,
    outputs: &'a BTreeMap<Address, Outputs>,
    zones: Mutex<BTreeMap<String, Option<BTreeSet<String>>>>,
}

/// What a plan does with one resource.
#[derive(Clone, Debug)]
pub struct Planned<'a> {
    /// Its identity.
    pub address: &'a Address,
    /// Where the config asks for it.
    pub origin: &'a str,
    /// What happens to it.
    pub fate: Fate,
    /// The dotted paths of what differs.
    pub changed: Vec<&'a str>,
    /// What is wanted.
    pub want: Option<&'a Desired>,
    /// What is there.
    pub live: Option<&'a Live>,
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is made.
    Created,
    /// It is changed in place.
    Updated,
    /// Another one takes its place.
    Replaced,
    /// It is deleted.
    Deleted,
}

/// What a check has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// AWS does not have it in the zones where the plan makes it.
    Unavailable {
        /// What is made there.
        address: Address,
        /// Where the config asks for it.
        origin: String,
        /// What AWS does not have there, `t4g.nano`.
        what: String,
        /// The zones where the plan makes it.
        zones: BTreeSet<String>,
        /// The zones that have it.
        offered: BTreeSet<String>,
    },
    /// What it is made from is there, and fits.
    Restored {
        /// What is made.
        address: Address,
        /// What it is made from.
        origin: Origin,
    },
    /// It cannot be made from what is named.
    Unrestorable {
        /// What cannot be made.
        address: Address,
        /// Why not, and what to do.
        obstacle: Obstacle,
    },
    /// Something that a reader of the plan should know.
    Note {
        /// Which resource.
        address: Address,
        /// What there is to know.
        text: String,
        /// The hint.
        hint: String,
    },
    /// The account has no room for it: AWS would refuse it in the middle of an apply. The room may be
    /// there by then, so it does not speak against a plan that is only shown.
    Full {
        /// The first resource that needs the room.
        address: Address,
        /// The reason.
        title: String,
        /// Why.
        because: String,
        /// The hint.
        hint: String,
    },
    /// Anything else that speaks against the plan.
    Problem {
        /// The reason.
        title: String,
        /// Why.
        because: String,
        /// The hint.
        hint: String,
    },
}

/// The source of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its description, `the backup nightly of the table orders`.
    pub what: String,
    /// The name of the live table or cluster, if it is restored to a point in time.
    pub stands: Option<String>,
    /// The time of its data.
    pub at: SystemTime,
    /// The same as a config states it.
    pub time: String,
}

/// Why a source cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The reason.
    pub why: String,
    /// The hint.
    pub hint: String,
}

impl Obstacle {
    /// An obstacle, and what to do about it.
    pub fn new(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { why: why.into(), hint: hint.into() }
    }
}

impl<'a> Preflight<'a> {
    /// A plan before it is carried out.
    pub fn new(
        aws: &'a Aws,
        planned: Vec<Planned<'a>>,
        resources: &'a BTreeMap<Address, Desired>,
        outputs: &'a BTreeMap<Address, Outputs>,
    ) -> Self {
        Self { aws, planned, resources, outputs, zones: Mutex::default() }
    }

    /// An output of what is live at an address.
    pub fn output(&self, address: &Address, output: Output) -> Option<&'a str> {
        self.outputs.get(address)?.get(&output).map(String::as_str)
    }

    /// What the plan does with the resources of a kind.
    pub fn of(&self, kind: &str) -> impl Iterator<Item = &Planned<'a>> {
        self.planned.iter().filter(move |planned| planned.address.kind == kind)
    }

    /// The objects of a kind that a resource refers to, directly or else through objects of its own
    /// service.
    pub fn used(&self, address: &Address, kind: &str) -> BTreeSet<Address> {
        let Some(desired) = self.resources.get(address) else { return BTreeSet::new() };
        let mut all = BTreeSet::new();
        each_ref(&desired.spec, &mut |reference| {
            all.insert(reference.to.clone());
        });
        let is_found = |to: &&Address| to.kind == kind && self.resources.contains_key(*to);
        let found: BTreeSet<Address> = all.iter().filter(is_found).cloned().collect();
        if !found.is_empty() {
            return found;
        }
        let service = |address: &Address| address.kind.split('.').next().map(str::to_owned);
        let own = all.iter().filter(|to| service(to) == service(address) && *to != address);
        own.flat_map(|to| self.used(to, kind)).collect()
    }

    /// Whether AWS has something in one of the zones where a resource is made; one such zone is
    /// enough. payctl asks once for the zones of each thing. An emulator that does not know the
    /// operation, or answers without zones, does not refuse anything either.
    pub async fn available(
        &self,
        planned: &Planned<'_>,
        what: &str,
        zones: BTreeSet<String>,
        ask: impl Future<Output = Result<BTreeSet<String>, OpError>>,
        question: String,
    ) -> Result<Option<Finding>, OpError> {
        let mut known = self.zones.lock().await;
        if !known.contains_key(&question) {
            let offered = match ask.await {
                Err(_) if self.aws.is_elsewhere => None,
                Ok(zones) if self.aws.is_elsewhere && zones.is_empty() => None,
                zones => Some(zones?),
            };
            known.insert(question.clone(), offered);
        }
        let Some(offered) = &known[&question] else { return Ok(None) };
        let is_missing = zones.is_disjoint(offered) && !zones.is_empty();
        Ok(is_missing.then(|| Finding::Unavailable {
            address: planned.address.clone(),
            origin: planned.origin.to_owned(),
            what: what.to_owned(),
            zones,
            offered: offered.clone(),
        }))
    }

    /// The finding about a source. The same plan may still delete a source that exists.
    pub fn source(&self, planned: &Planned<'_>, looked: Result<Origin, Obstacle>) -> Finding {
        let address = planned.address.clone();
        let is_deleted = |origin: &Origin| {
            self.of(&address.kind).any(|other| {
                matches!(other.fate, Fate::Deleted | Fate::Replaced)
                    && other.live.is_some_and(|live| Some(&live.id) == origin.stands.as_ref())
            })
        };
        match looked {
            Ok(origin) if is_deleted(&origin) => {
                let why = format!("this plan deletes {}", origin.what);
                let hint = "restore first, and remove it in a separate change";
                Finding::Unrestorable { address, obstacle: Obstacle::new(why, hint) }
            }
            Ok(origin) => Finding::Restored { address, origin },
            Err(obstacle) => Finding::Unrestorable { address, obstacle },
        }
    }
}

impl Planned<'_> {
    /// Whether it makes an object, or changes a field of one.
    pub fn makes(&self, field: &str) -> bool {
        matches!(self.fate, Fate::Created | Fate::Replaced) || self.changed.contains(&field)
    }
}

/// A spec of a plan as its kind has it.
pub fn decode<T: DeserializeOwned>(spec: &Value) -> Result<T, OpError> {
    serde_json::from_value(spec.clone()).map_err(|error| {
        OpError::new("look", ErrorClass::Bug, "PayctlBug", format!("no such spec: {error}"))
    })
}
