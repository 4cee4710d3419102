//! An in-memory cloud for the engine's tests: objects, an operation log, and faults.
//!
//! It refuses what AWS refuses (taken names, deletes below a dependent, changes of what cannot
//! change) and records as a violation what the engine must never even try.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Tags;
use payctl_engine::model::scope::Scope;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use kinds::meta_of;
use state::{Object, State};

pub use faults::{Death, Faults};

mod faults;
mod kinds;
mod provider;
mod state;

/// The cloud; clones share it.
#[derive(Clone, Debug)]
pub struct FakeCloud {
    scope: Scope,
    /// From where it is looked at.
    view: usize,
    state: Arc<Mutex<State>>,
    died: Arc<Notify>,
}

impl FakeCloud {
    /// An empty cloud whose faults follow from the seed.
    pub fn new(scope: Scope, seed: u64) -> Self {
        let state = State { random: seed.wrapping_add(0x9e37_79b9_7f4a_7c15), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        Self { scope, view: 0, state, died: Arc::new(Notify::new()) }
    }

    /// The same cloud, as somebody else sees it.
    pub fn elsewhere(&self) -> Self {
        Self { view: self.view + 1, ..self.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the cloud")
    }

    /// From now on these faults.
    pub fn set_faults(&self, faults: Faults) {
        let mut state = self.state();
        if faults.split == 0 {
            state.objects.iter_mut().for_each(|object| object.unseen = 0);
        }
        // Those that flapped have caught up.
        if !faults.flaps {
            for object in state.objects.iter_mut().filter(|object| object.flaps) {
                (object.flaps, object.hidden, object.stale) = (false, 0, None);
            }
        }
        state.faults = faults;
        state.operations = 0;
        state.since = Some(Instant::now());
    }

    /// Completes when the process has died.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    /// Runs a process that may fall asleep: it then does nothing at all, and its clocks go on.
    pub async fn awake<T>(&self, process: impl Future<Output = T>) -> T {
        let mut process = pin!(process);
        loop {
            let until = self.state().asleep_until;
            if let Some(until) = until {
                sleep_until(until).await;
                self.state().asleep_until = None;
            }
            let ended = poll_fn(|task| match process.as_mut().poll(task) {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending if self.state().asleep_until.is_some() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            if let Some(ended) = ended.await {
                return ended;
            }
        }
    }

    /// The writes that took effect: from where, and when the operation began.
    pub fn writes(&self) -> Vec<(usize, Instant)> {
        self.state().writes.clone()
    }

    /// When the process fell asleep.
    pub fn fell_asleep(&self) -> Option<Instant> {
        self.state().fell_asleep
    }

    /// Operations since the faults were set.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// What was done, one line for each operation that took effect.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// Forgets what was wrong so far.
    pub fn forgive(&self) {
        self.state().violations.clear();
    }

    /// What the engine must never try.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// How many deletes were refused because of a dependent.
    pub fn refusals(&self) -> usize {
        self.state().refusals
    }

    /// The largest number of operations that ran at the same time, by service.
    pub fn most_at_once(&self) -> BTreeMap<&'static str, usize> {
        self.state().most.clone()
    }

    /// The addresses of everything that is there and not being deleted.
    pub fn addresses(&self) -> Vec<Address> {
        let state = self.state();
        let there = state.objects.iter().filter(|object| object.deleting.is_none());
        let mut addresses: Vec<Address> = there.map(|object| object.address.clone()).collect();
        addresses.sort();
        addresses
    }

    /// Puts an object there; its id.
    pub fn plant(&self, address: &Address, spec: Value, tags: Tags) -> String {
        let mut state = self.state();
        let id = state.id();
        state.objects.push(Object::new(id.clone(), address.clone(), spec, tags));
        id
    }

    /// The ids of what is there.
    pub fn ids(&self) -> Vec<String> {
        self.state().objects.iter().map(|object| object.id.clone()).collect()
    }

    /// Somebody puts other tags on an object.
    pub fn hand_over(&self, address: &Address, tags: Tags) {
        let mut state = self.state();
        let object = state.objects.iter_mut().find(|object| object.address == *address);
        object.expect("it is there").tags = tags;
    }

    /// Somebody puts other tags on what the objects without tags are a part of.
    pub fn hand_over_holders(&self, tags: Tags) {
        self.state().holders = Some(tags);
    }

    /// Runs one operation under the faults.
    async fn operate<T>(
        &self,
        name: &str,
        kind: &str,
        sort: Sort,
        effect: impl Fn(&mut State, &Scope) -> Result<T, OpError>,
    ) -> Result<T, OpError> {
        let service = meta_of(kind).service;
        let began = Instant::now();
        let slow = {
            let mut state = self.state();
            let running = state.running.entry(service).or_default();
            *running += 1;
            let running = *running;
            let most = state.most.entry(service).or_default();
            *most = running.max(*most);
            let slow = state.faults.slow;
            if slow > 0 { state.draw(slow) } else { 0 }
        };
        // The future may be dropped here, as a process may die while a call is under way.
        tokio::time::sleep(Duration::from_millis(5 + slow)).await;
        let (result, dead) = self.decide(name, sort, began, effect);
        if let Some(running) = self.state().running.get_mut(service) {
            *running = running.saturating_sub(1);
        }
        if dead {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
        result
    }

    fn decide<T>(
        &self,
        name: &str,
        sort: Sort,
        began: Instant,
        effect: impl Fn(&mut State, &Scope) -> Result<T, OpError>,
    ) -> (Result<T, OpError>, bool) {
        let mut state = self.state();
        state.operations += 1;
        if let Some((_, long)) = state.faults.sleeps.filter(|(at, _)| *at == state.operations) {
            state.fell_asleep = Some(Instant::now());
            state.asleep_until = Some(Instant::now() + long);
        }
        let death = state.faults.die_at.filter(|death| death.operation == state.operations);
        let lost = |why: &str| OpError::new(name, ErrorClass::Service, "InternalError", why);
        if let Some(Death { after: false, .. }) = death {
            return (Err(lost("dead")), true);
        }
        if state.faults.expires_at.is_some_and(|at| state.operations >= at) {
            let error = OpError::new(name, ErrorClass::Credentials, "ExpiredToken", "expired");
            return (Err(error), false);
        }
        if state.is_away() {
            return (Err(lost("the network is away")), false);
        }
        let (throttle, refuse, lose) =
            (state.faults.throttle, state.faults.refuse, state.faults.lose);
        if state.happens(throttle) {
            let error = OpError::new(name, ErrorClass::Throttled, "Throttling", "Rate exceeded");
            return (Err(error), false);
        }
        if state.happens(refuse) {
            return (Err(lost("an internal error")), false);
        }
        let mut result = effect(&mut state, &self.scope);
        if sort == Sort::Repeatable && state.faults.twice && result.is_ok() {
            result = effect(&mut state, &self.scope);
        }
        if sort != Sort::Read && result.is_ok() {
            state.log.push(name.to_owned());
            state.writes.push((self.view, began));
        }
        if death.is_some() {
            return (result, true);
        }
        if state.happens(lose) { (Err(lost("the reply was lost")), false) } else { (result, false) }
    }
}

/// What sort of operation it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Read,
    Create,
    Repeatable,
}
