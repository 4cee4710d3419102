//! The engine's only view of a cloud.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::model::address::Address;
use crate::model::error::OpError;
use crate::model::live::{Found, Live, Tags};
use crate::model::meta::Meta;

/// A cloud that holds objects of certain kinds.
///
/// Every operation may be run again at any time. None retries an error that leaves open whether
/// the call took effect: it returns `ErrorClass::Service`, and the engine looks before it acts.
pub trait Provider: Send + Sync {
    /// The facts of every kind, in a stable order.
    fn kinds(&self) -> Vec<&'static Meta>;

    /// How many operations on one service may run at the same time.
    fn limit(&self, service: &str) -> usize;

    /// A spec in the kind's canonical form (sets sorted, documents normalised). An error is a bug.
    fn canonical(&self, kind: &str, spec: &Value) -> Result<Value, OpError>;

    /// Everything of one kind that belongs to the environment, and whatever else has a name in
    /// `wanted`. Dead objects that AWS still lists are left out. As part of a sweep over all kinds
    /// it may use what that has learnt; on its own it asks for everything.
    fn survey<'a>(
        &'a self,
        kind: &'a str,
        wanted: &'a BTreeMap<String, Address>,
        sweep: Option<&'a Sweep>,
    ) -> BoxFuture<'a, Result<Vec<Found>, OpError>>;

    /// One object again, by its id. What the engine has no id of, it looks for by survey.
    fn read<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Option<Live>, OpError>>;

    /// The same as far as a deletion needs it: its owner, its phase, and whether it is still the object that
    /// was `planned`. All else may be as it was planned.
    fn glance<'a>(
        &'a self,
        target: &'a Target,
        planned: &'a Live,
    ) -> BoxFuture<'a, Result<Option<Live>, OpError>> {
        let _ = planned;
        self.read(target)
    }

    /// The tags of the object that one without tags of its own is a part of. `None`: it is a part of none, or
    /// that is gone.
    fn holder<'a>(
        &'a self,
        target: &'a Target,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<Option<Tags>, OpError>> {
        let _ = (target, live);
        Box::pin(ready(Ok(None)))
    }

    /// Makes the smallest thing that can exist, tagged in the same call, and returns its id.
    fn create<'a>(
        &'a self,
        target: &'a Target,
        spec: &'a Value,
    ) -> BoxFuture<'a, Result<String, OpError>>;

    /// Makes one safe move from `live` towards `spec`. Called again until nothing differs.
    fn update<'a>(
        &'a self,
        target: &'a Target,
        spec: &'a Value,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<(), OpError>>;

    /// Sets and removes tags.
    fn retag<'a>(
        &'a self,
        target: &'a Target,
        live: &'a Live,
        set: &'a Tags,
        unset: &'a [String],
    ) -> BoxFuture<'a, Result<(), OpError>>;

    /// Starts deletion. Already gone is success.
    fn delete<'a>(
        &'a self,
        target: &'a Target,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<(), OpError>>;
}

/// What the surveys of all kinds share while they look at the same time.
#[derive(Debug, Default)]
pub struct Sweep {
    /// The tags that each wanted resource is kept to.
    pub wanted: BTreeMap<Address, Tags>,
    /// The tags of many objects, from one question. They may lag behind.
    pub tags: OnceCell<Tagged>,
    /// What several kinds ask, by question.
    pub answers: Mutex<BTreeMap<String, Arc<OnceCell<Answer>>>>,
}

/// The tags of many objects.
#[derive(Debug, Default)]
pub struct Tagged {
    /// The tags by ARN.
    pub of: BTreeMap<String, Tags>,
    /// Whether the answer came in full.
    pub is_whole: bool,
}

/// An answer that only those who asked can read.
pub type Answer = Arc<dyn Any + Send + Sync>;

/// Which object an operation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its identity.
    pub address: Address,
    /// Its physical name.
    pub name: String,
    /// What AWS knows it by, once it exists.
    pub id: Option<String>,
    /// All tags that it gets when it is made.
    pub tags: Tags,
}
