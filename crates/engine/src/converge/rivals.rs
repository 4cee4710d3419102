//! Two runs at once: how they come to the same object where AWS would make two.
//!
//! Nothing in the call keeps AWS from making a second VPC or key (`META.can_duplicate`). So a step looks
//! right before it creates, and takes what is there. After it has created it looks until its own
//! object is listed: of two runs the one whose object is listed last sees the other's then. Both
//! know the same order, that of the ids. The run with the greater id takes its object back at once.
//! The other one waits for that; if nothing happens, since the other run had gone on before this
//! object could be seen, or died, it takes its own back. Nothing is ever deleted here but what this
//! very step has made and nothing uses.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::calls::Pace;
use super::{Outcome, Step, Want};
use crate::diff::FieldChange;
use crate::event::StepError;
use crate::model::address::Address;
use crate::model::error::ErrorClass;
use crate::model::live::{Found, Live, Owner, Phase};
use crate::model::meta::Meta;
use crate::model::text::{Output, Outputs};
use crate::provider::Target;

/// How long the run whose object should stay waits for the other to take its own back.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long several objects of others are given to become one: longer than their runs wait.
const UNDECIDED: Duration = Duration::from_secs(45);
/// How long a list may lack an object that can be read.
const LIST_LAG: Duration = Duration::from_secs(45);

/// What became of an object that was just made.
pub(super) enum Verdict {
    /// It stays.
    Stays,
    /// It was taken back: another one stands for the address.
    Yields(Box<Found>),
    /// It was taken back, and so was the other.
    Again,
}

impl Step<'_> {
    /// What another run made of something that AWS would make twice, since the plan was made.
    pub(super) async fn made_meanwhile(&self, target: &Target) -> Outcome<Option<Found>> {
        let since = Instant::now();
        let mut pace = Pace::new();
        loop {
            let mut standing = self.standing(target).await?;
            if standing.len() < 2 || since.elapsed() > UNDECIDED {
                return Ok((!standing.is_empty()).then(|| standing.swap_remove(0)));
            }
            self.wait("waiting for other runs to agree on one object".to_owned(), pace.next())
                .await?;
        }
    }

    /// Waits until what this step has just made can be seen, and decides whether it stays.
    pub(super) async fn appear_among_rivals(&self, target: &Target) -> Outcome<(Live, Verdict)> {
        let standing = self.standing(target).await?;
        let own = standing.iter().find(|found| Some(&found.live.id) == target.id.as_ref());
        // The list may show it later than a read does.
        let made = match own {
            Some(found) => found.live.clone(),
            None => self.appear(target).await?,
        };
        let verdict = match &made.phase {
            Phase::Ready | Phase::Pending(_) => self.verdict(target, &made, standing).await?,
            Phase::Deleting(_) | Phase::Failed(_) => Verdict::Stays,
        };
        Ok((made, verdict))
    }

    async fn verdict(
        &self,
        target: &Target,
        made: &Live,
        mut standing: Vec<Found>,
    ) -> Outcome<Verdict> {
        let since = Instant::now();
        let mut crowded: Option<Instant> = None;
        let mut pace = Pace::new();
        loop {
            let (own, mut rivals): (Vec<Found>, Vec<Found>) =
                standing.into_iter().partition(|found| found.live.id == made.id);
            let status = match rivals.first() {
                None if !own.is_empty() || since.elapsed() > LIST_LAG => return Ok(Verdict::Stays),
                None => "waiting for lists to show it",
                Some(rival) => {
                    let crowded = *crowded.get_or_insert_with(Instant::now);
                    let yields = rival.live.id < made.id || crowded.elapsed() > PATIENCE;
                    if yields && self.take_back(target, made).await? {
                        let status = format!(
                            "deleted {}, since another run's {} stays",
                            made.id, rival.live.id
                        );
                        self.say(status);
                        return self.still_there(target, rivals.swap_remove(0)).await;
                    }
                    "waiting for another run to delete its copy"
                }
            };
            self.wait(status.to_owned(), pace.next()).await?;
            standing = self.standing(target).await?;
        }
    }

    /// Everything of ours under the address that can be used, the one that should stay coming first.
    async fn standing(&self, target: &Target) -> Outcome<Vec<Found>> {
        let mut found = self.listed(target).await?;
        found.retain(|found| {
            found.owner == Owner::Ours
                && !matches!(found.live.phase, Phase::Deleting(_) | Phase::Failed(_))
        });
        found.sort_by(|one, other| one.live.id.cmp(&other.live.id));
        Ok(found)
    }

    /// Deletes what this step made a moment ago. False if it is in use: then the other run has taken
    /// it, and takes its own back.
    async fn take_back(&self, target: &Target, made: &Live) -> Outcome<bool> {
        match self.change(self.provider.delete(target, made)).await? {
            Ok(()) => Ok(true),
            Err(error) if error.class == ErrorClass::NotFound => Ok(true),
            Err(error) if error.passes() => Ok(false),
            Err(error) => Err(StepError::Refused(error)),
        }
    }

    async fn still_there(&self, target: &Target, rival: Found) -> Outcome<Verdict> {
        let target = Target { id: Some(rival.live.id.clone()), ..target.clone() };
        Ok(match self.read(&target).await? {
            Some(live) if !matches!(live.phase, Phase::Deleting(_)) => {
                Verdict::Yields(Box::new(Found { live, ..rival }))
            }
            Some(_) | None => Verdict::Again,
        })
    }

    /// What an object that another run made refers to and this one does not, although it stands for
    /// the same address: two runs that see different networks must not move it to and fro.
    pub(super) async fn quarrel(
        &self,
        want: &Want,
        live: &Live,
        changes: &[FieldChange],
    ) -> Outcome<Vec<String>> {
        let mut quarrels = Vec::new();
        let mut rivals: BTreeMap<&Address, Vec<Live>> = BTreeMap::new();
        for change in changes.iter().filter(|change| change.before.is_some()) {
            let field = change.path.split('.').next().unwrap_or_default();
            let now = live.spec.get(field).unwrap_or(&Value::Null);
            for (to, outputs) in want.refs.get(field).into_iter().flatten() {
                if !rivals.contains_key(to) {
                    rivals.insert(to, self.others(to, outputs).await?);
                }
                let named = |rival: &&Live| {
                    let ids = rival.outputs.values().chain([&rival.id]);
                    let mut ids = ids.filter(|id| !outputs.values().any(|own| own == *id));
                    ids.any(|id| names(now, id))
                };
                if let Some(rival) = rivals[to].iter().find(named) {
                    quarrels.push(format!("{field}: {} for {to}", rival.id));
                }
            }
        }
        quarrels.dedup();
        Ok(quarrels)
    }

    /// Looks whether anything that holds data has come to use a second object since the plan was made:
    /// AWS deletes a key although it is used.
    pub(crate) async fn still_unused(&self, live: &Live, kinds: &[&'static Meta]) -> Outcome<()> {
        let ids = || live.outputs.get(&Output::Arn).into_iter().chain([&live.id]);
        for meta in kinds.iter().filter(|meta| meta.data.is_some()) {
            let found = match self.surveyed(meta.kind, &BTreeMap::new()).await {
                // The endpoint does not know the kind: there is nothing of it.
                Err(StepError::Refused(error)) if error.class == ErrorClass::Unsupported => {
                    continue;
                }
                found => found?,
            };
            let uses = |found: &&Found| {
                found.owner == Owner::Ours
                    && found.address != *self.address
                    && ids().any(|id| names(&found.live.spec, id))
            };
            if let Some(user) = found.iter().find(uses) {
                return Err(StepError::Moved(vec![format!("{} uses it now", user.address)]));
            }
        }
        Ok(())
    }

    /// What else stands for an address than the object with these outputs.
    async fn others(&self, address: &Address, outputs: &Outputs) -> Outcome<Vec<Live>> {
        let found = self.surveyed(&address.kind, &BTreeMap::new()).await?;
        let other = |found: &Found| {
            found.address == *address
                && found.owner == Owner::Ours
                && found.live.outputs != *outputs
        };
        Ok(found.into_iter().filter(other).map(|found| found.live).collect())
    }
}

/// What the fields of a spec refer to, of the sort that two runs may have made twice, with the
/// outputs that this run knows it by.
pub(crate) type Refs = BTreeMap<String, Vec<(Address, Outputs)>>;

/// Whether a value holds an id. Short ones mean other things elsewhere.
fn names(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => id.len() >= 8 && text.contains(id),
        Value::Array(items) => items.iter().any(|item| names(item, id)),
        Value::Object(map) => map.values().any(|value| names(value, id)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
