//! What the fake cloud holds: objects that take a while to be seen, changed and gone.

use std::collections::BTreeMap;

use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Live, Phase, Tags};
use payctl_engine::model::text::{Output, Outputs};
use serde_json::Value;
use tokio::time::Instant;

use super::faults::Faults;

/// One object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) id: String,
    pub(super) address: Address,
    pub(super) spec: Value,
    pub(super) tags: Tags,
    /// Reads until it is ready.
    pub(super) pending: u32,
    /// Reads until it can be seen.
    pub(super) hidden: u32,
    /// From where it was made, and how many reads from elsewhere still miss it.
    pub(super) made_in: usize,
    pub(super) unseen: u32,
    /// Whether what lags behind shows the old and the new in turn.
    pub(super) flaps: bool,
    /// Reads that still show the old spec.
    pub(super) stale: Option<(u32, Value)>,
    /// Reads until it is gone.
    pub(super) deleting: Option<u32>,
    /// Why it is a corpse.
    pub(super) failed: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) objects: Vec<Object>,
    pub(super) log: Vec<String>,
    /// From where each write came that took effect, and when its operation began.
    pub(super) writes: Vec<(usize, Instant)>,
    /// When the process fell asleep, and until when it sleeps.
    pub(super) fell_asleep: Option<Instant>,
    pub(super) asleep_until: Option<Instant>,
    pub(super) violations: Vec<String>,
    pub(super) refusals: usize,
    pub(super) operations: u64,
    pub(super) made: u64,
    pub(super) random: u64,
    pub(super) faults: Faults,
    /// When the faults were set.
    pub(super) since: Option<Instant>,
    pub(super) running: BTreeMap<&'static str, usize>,
    pub(super) most: BTreeMap<&'static str, usize>,
    /// The tags of what the objects without tags are a part of.
    pub(super) holders: Option<Tags>,
}

impl Object {
    pub(super) fn new(id: String, address: Address, spec: Value, tags: Tags) -> Self {
        Self {
            id,
            address,
            spec,
            tags,
            pending: 0,
            hidden: 0,
            made_in: 0,
            unseen: 0,
            flaps: false,
            stale: None,
            deleting: None,
            failed: None,
        }
    }

    /// Whether a look with so many left that may lag behind does so.
    pub(super) fn is_late(&self, left: u32) -> bool {
        if self.flaps { left % 2 == 1 } else { left > 0 }
    }

    /// Looks at it once; `None` while it cannot be seen.
    pub(super) fn look(&mut self, view: usize) -> Option<Live> {
        if view != self.made_in && self.unseen > 0 {
            self.unseen -= 1;
            return None;
        }
        if self.is_late(self.hidden) {
            self.hidden -= 1;
            return None;
        }
        self.hidden = self.hidden.saturating_sub(1);
        let left = self.stale.as_ref().map_or(0, |(left, _)| *left);
        let is_late = self.is_late(left);
        let spec = match &mut self.stale {
            Some((left, old)) => {
                *left = left.saturating_sub(1);
                if is_late { old.clone() } else { self.spec.clone() }
            }
            None => self.spec.clone(),
        };
        let phase = match (&self.deleting, &self.failed, self.pending) {
            (Some(_), _, _) => Phase::Deleting("deleting".to_owned()),
            (None, Some(why), _) => Phase::Failed(why.clone()),
            (None, None, 0) => Phase::Ready,
            (None, None, _) => {
                self.pending -= 1;
                Phase::Pending("creating".to_owned())
            }
        };
        Some(Live {
            id: self.id.clone(),
            spec,
            outputs: Outputs::from([(Output::Id, self.id.clone())]),
            tags: self.tags.clone(),
            phase,
        })
    }
}

impl State {
    /// Whether the network is away at this moment.
    pub(super) fn is_away(&self) -> bool {
        let since = self.since.map(|since| since.elapsed()).unwrap_or_default();
        self.faults.away.is_some_and(|(from, to)| (from..to).contains(&since))
    }

    pub(super) fn id(&mut self) -> String {
        self.made += 1;
        format!("object-{:05}", self.made)
    }

    pub(super) fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below.max(1)
    }

    pub(super) fn happens(&mut self, thousandths: u64) -> bool {
        thousandths > 0 && self.draw(1000) < thousandths
    }

    pub(super) fn lag(&mut self) -> u32 {
        let most = self.faults.lag;
        u32::try_from(self.draw(most + 1)).unwrap_or_default()
    }

    /// Time passes for what is being deleted.
    pub(super) fn tick(&mut self) {
        for object in &mut self.objects {
            if let Some(left) = &mut object.deleting {
                *left = left.saturating_sub(1);
            }
        }
        self.objects.retain(|object| object.deleting != Some(0));
    }

    pub(super) fn at(&mut self, id: &str) -> Result<&mut Object, OpError> {
        let gone = || OpError::new("Find", ErrorClass::NotFound, "NotFound", id.to_owned());
        self.objects.iter_mut().find(|object| object.id == id).ok_or_else(gone)
    }

    pub(super) fn links(spec: &Value) -> Vec<String> {
        let links = spec.get("links").and_then(Value::as_array).into_iter().flatten();
        let links = links.chain(spec.get("home"));
        links.filter_map(|link| link.as_str().map(str::to_owned)).collect()
    }

    pub(super) fn check_links(&mut self, address: &Address, spec: &Value) -> Result<(), OpError> {
        for link in Self::links(spec) {
            if !self.objects.iter().any(|object| object.id == link && object.deleting.is_none()) {
                self.violations.push(format!("{address} refers to {link}, which is not there"));
                let message = format!("{link} does not exist");
                return Err(OpError::new("Create", ErrorClass::NotFound, "NotFound", message));
            }
        }
        Ok(())
    }
}
