//! One step: bring one object to its goal, whatever happened before and whatever fails meanwhile.
//!
//! Here is the only loop that waits for the cloud to become as wanted, and the only place where a
//! change that failed is tried again. A call whose reply was lost is never repeated: the step looks
//! first. One file for each part of a step's life: `create`, `settle` (which asks the pure `decision`
//! what to do next), `delete`, and what these share: `owned` (whose an object is), `calls` (calls,
//! looks and pauses) and `rivals` (two runs at once).

use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use rivals::Refs;

use super::event::{Listener, StepError};
use super::lease::Lease;
use super::provider::Provider;
use super::stop::Stop;
use crate::model::address::Address;
use crate::model::live::Tags;
use crate::model::meta::Meta;
use crate::model::scope::Scope;

mod calls;
mod create;
mod decision;
mod delete;
mod owned;
pub(crate) mod rivals;
mod settle;

/// The status while a read is repeated.
const AGAIN: &str = "reading it again";
/// How many reads in a row must agree on something unexpected: for a while, reads may give answers from
/// before and from after a change in turn.
const SURE: u32 = 2;
/// How long a new object may lack the tags that it was created with.
const TAG_LAG: Duration = Duration::from_secs(15);

/// What one step works with.
pub(crate) struct Step<'a> {
    /// The cloud.
    pub provider: &'a dyn Provider,
    /// The resource.
    pub address: &'a Address,
    /// The address that its tags named when the plan was made: another one, if the config has renamed it.
    pub was: Option<Address>,
    /// The id of the object that it replaces, if that still stands beside it.
    pub replaces: Option<&'a str>,
    /// The environment.
    pub scope: &'a Scope,
    /// The facts of the kind.
    pub meta: &'static Meta,
    /// Limits operations over all services.
    pub all: &'a Semaphore,
    /// Limits operations on this service.
    pub service: &'a Semaphore,
    /// Says whether a stop was asked for.
    pub stop: &'a Stop,
    /// Nothing is changed while this lease cannot be trusted.
    pub lease: Option<&'a Lease<'a>>,
    /// Receives the events.
    pub listener: Listener<'a>,
    /// When the step began.
    pub began: Instant,
}

/// What an object should become.
pub(crate) struct Want {
    /// The resolved spec in canonical form.
    pub spec: Value,
    /// The tags that are kept up to date.
    pub tags: Tags,
    /// The references to objects that another run may have created as well.
    pub refs: Refs,
}

type Outcome<T> = Result<T, StepError>;
