//! Reads that alternate between the states before and after a change, as replicas that lag do.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::World;
use super::wire::{Request, Route};

/// The past states of the world, and the reads that were last answered from them.
#[derive(Debug)]
pub(crate) struct Flaps {
    lasts: f64,
    /// The state before each change and the time of the change, oldest first.
    past: VecDeque<(f64, World)>,
    late: BTreeSet<String>,
}

impl Flaps {
    /// Reads show a past state, every other time, for this long.
    pub(crate) fn lasting(time: Duration) -> Self {
        Self { lasts: time.as_secs_f64(), past: VecDeque::new(), late: BTreeSet::new() }
    }

    /// Remembers the state before a change.
    pub(crate) fn keep(&mut self, world: &World) {
        self.past.push_back((world.base.now(), world.clone()));
    }

    /// The past state for a read, if it is not answered from the present one.
    pub(crate) fn world(&mut self, request: &Request, now: f64) -> Option<&mut World> {
        while self.past.front().is_some_and(|(changed, _)| now - changed >= self.lasts) {
            self.past.pop_front();
        }
        let (_, past) = self.past.front_mut()?;
        let Route { service, operation, .. } = Route::of(request);
        let body = String::from_utf8_lossy(&request.body);
        let asked = format!("{service} {operation} {} {body}", request.target);
        // The first read meets the replica that lags.
        let is_late = !self.late.remove(&asked);
        if is_late {
            self.late.insert(asked);
        }
        is_late.then_some(past)
    }
}
