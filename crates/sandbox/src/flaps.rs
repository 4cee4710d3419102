//! Reads that alternate between the states before and after a change, as with replicas that lag
//! behind.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::World;
use super::wire::{Request, Route};

/// The worlds of the last moments, and which reads were answered from them last.
#[derive(Debug)]
pub(crate) struct Flaps {
    lasts: f64,
    /// What was before each change, and when the change was made; the oldest first.
    past: VecDeque<(f64, World)>,
    late: BTreeSet<String>,
}

impl Flaps {
    /// Reads that go on showing, every other time, what was so long ago.
    pub(crate) fn lasting(time: Duration) -> Self {
        Self { lasts: time.as_secs_f64(), past: VecDeque::new(), late: BTreeSet::new() }
    }

    /// Remembers what is about to change.
    pub(crate) fn keep(&mut self, world: &World) {
        self.past.push_back((world.base.now(), world.clone()));
    }

    /// The world that a read is answered from, if not from the present one.
    pub(crate) fn world(&mut self, request: &Request, now: f64) -> Option<&mut World> {
        while self.past.front().is_some_and(|(changed, _)| now - changed >= self.lasts) {
            self.past.pop_front();
        }
        let (_, past) = self.past.front_mut()?;
        let Route { service, operation, .. } = Route::of(request);
        let body = String::from_utf8_lossy(&request.body);
        let asked = format!("{service} {operation} {} {body}", request.target);
        // A first look meets the lagging reader.
        let is_late = !self.late.remove(&asked);
        if is_late {
            self.late.insert(asked);
        }
        is_late.then_some(past)
    }
}
