//! An in-memory cloud for the engine's tests: objects, an operation log, and faults.
//!
//! It refuses what AWS refuses (taken names, deletes below a dependent, changes of what cannot
//! change) and records as a violation what the engine must never even try.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Replace};
use payctl_engine::model::scope::Scope;
use payctl_engine::model::text::{Output, Outputs};
use payctl_engine::provider::{Provider, Sweep, Target};

/// Found by tags only, like a VPC.
pub const NODE: Meta = Meta {
    immutable: &["zone", "home"],
    replace: Replace::CreateFirst,
    can_duplicate: true,
    use_blocks_delete: true,
    ..Meta::new("fake.node", "one", "An object without a unique name.")
};
/// With a unique name, like a queue.
pub const NAMED: Meta = Meta {
    immutable: &["name", "zone", "home"],
    replace: Replace::DeleteFirst,
    use_blocks_delete: true,
    ..Meta::new("fake.named", "two", "An object with a unique name.")
};
/// Holds data, like a table.
pub const STORE: Meta = Meta {
    immutable: &["name", "zone", "home"],
    replace: Replace::Forbidden,
    use_blocks_delete: true,
    data: Some("the data"),
    ..Meta::new("fake.store", "two", "An object that holds data.")
};
/// Without tags, like a subscription.
pub const LINK: Meta = Meta {
    immutable: &["name"],
    tagged: false,
    use_blocks_delete: true,
    ..Meta::new("fake.link", "one", "An object without tags.")
};

/// Its name is its id, like that of a function.
pub const SLOT: Meta = Meta {
    immutable: &["name", "zone", "home"],
    use_blocks_delete: true,
    propagation: Duration::from_secs(600),
    ..Meta::new("fake.slot", "two", "An object that goes by its name.")
};
/// It holds data and has no unique name, like a key.
pub const KEY: Meta = Meta {
    replace: Replace::Forbidden,
    can_duplicate: true,
    use_blocks_delete: true,
    data: Some("what it encrypts"),
    ..Meta::new("fake.key", "one", "An object without a unique name that holds data.")
};
/// One for everybody in the account.
pub const ACCOUNT: Meta =
    Meta { immutable: &["name"], ..Meta::new("fake.account", "one", "An object for everybody.") };

const KINDS: [&Meta; 7] = [&NODE, &NAMED, &STORE, &LINK, &SLOT, &KEY, &ACCOUNT];

/// One object.
#[derive(Clone, Debug)]
struct Object {
    id: String,
    address: Address,
    spec: Value,
    tags: Tags,
    /// Reads until it is ready.
    pending: u32,
    /// Reads until it can be seen.
    hidden: u32,
    /// From where it was made, and how many reads from elsewhere still miss it.
    made_in: usize,
    unseen: u32,
    /// Whether what lags behind shows the old and the new in turn.
    flaps: bool,
    /// Reads that still show the old spec.
    stale: Option<(u32, Value)>,
    /// Reads until it is gone.
    deleting: Option<u32>,
    /// Why it is a corpse.
    failed: Option<String>,
}

/// What goes wrong.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// In thousandths: a throttled call.
    pub throttle: u64,
    /// In thousandths: a server error without effect.
    pub refuse: u64,
    /// In thousandths: an effect whose reply is lost.
    pub lose: u64,
    /// Reads up to which new and changed objects may lag behind.
    pub lag: u64,
    /// Whether those reads show the old and the new in turn.
    pub flaps: bool,
    /// Whether surveys lag too.
    pub survey_lags: bool,
    /// Reads up to which new objects may stay pending.
    pub pending: u64,
    /// In thousandths: a new object that becomes a corpse.
    pub corpse: u64,
    /// Looks that a deletion takes at least.
    pub dying: u32,
    /// How many creations are refused because something is not visible yet.
    pub not_yet: u32,
    /// In milliseconds: how much longer a call may take.
    pub slow: u64,
    /// Looks up to which those elsewhere may miss new objects that can be seen where they were made.
    pub split: u64,
    /// Every update, retagging and deletion takes effect twice.
    pub twice: bool,
    /// At this operation (counted from 1) the process dies.
    pub die_at: Option<Death>,
    /// Kinds that cannot be surveyed, and what is said instead; nothing is said of those without.
    pub blind: Vec<(&'static str, Option<ErrorClass>)>,
    /// From this operation on (counted from 1) the credentials have expired.
    pub expires_at: Option<u64>,
    /// Between these two moments, from when the faults were set, the network is away.
    pub away: Option<(Duration, Duration)>,
}

/// When the process dies.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// At which operation.
    pub operation: u64,
    /// After it took effect, not before.
    pub after: bool,
}

#[derive(Debug, Default)]
struct State {
    objects: Vec<Object>,
    log: Vec<String>,
    violations: Vec<String>,
    refusals: usize,
    operations: u64,
    made: u64,
    random: u64,
    faults: Faults,
    /// When the faults were set.
    since: Option<Instant>,
    running: BTreeMap<&'static str, usize>,
    most: BTreeMap<&'static str, usize>,
}

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

    /// How many operations ran at the same time, at the most, by service.
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

    /// Runs one operation under the faults.
    async fn operate<T>(
        &self,
        name: &str,
        kind: &str,
        sort: Sort,
        effect: impl Fn(&mut State, &Scope) -> Result<T, OpError>,
    ) -> Result<T, OpError> {
        let service = meta_of(kind).service;
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
        let (result, dead) = self.decide(name, sort, effect);
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
        effect: impl Fn(&mut State, &Scope) -> Result<T, OpError>,
    ) -> (Result<T, OpError>, bool) {
        let mut state = self.state();
        state.operations += 1;
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
        }
        if death.is_some() {
            return (result, true);
        }
        match state.happens(lose) {
            true => (Err(lost("the reply was lost")), false),
            false => (result, false),
        }
    }
}

/// What sort of operation it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Read,
    Create,
    Repeatable,
}

fn meta_of(kind: &str) -> &'static Meta {
    KINDS.iter().copied().find(|meta| meta.kind == kind).unwrap_or(&NODE)
}

impl Object {
    fn new(id: String, address: Address, spec: Value, tags: Tags) -> Self {
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
    fn is_late(&self, left: u32) -> bool {
        if self.flaps { left % 2 == 1 } else { left > 0 }
    }

    /// Looks at it once; `None` while it cannot be seen.
    fn look(&mut self, view: usize) -> Option<Live> {
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
    fn is_away(&self) -> bool {
        let since = self.since.map(|since| since.elapsed()).unwrap_or_default();
        self.faults.away.is_some_and(|(from, to)| (from..to).contains(&since))
    }

    fn id(&mut self) -> String {
        self.made += 1;
        format!("object-{:05}", self.made)
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below.max(1)
    }

    fn happens(&mut self, thousandths: u64) -> bool {
        thousandths > 0 && self.draw(1000) < thousandths
    }

    fn lag(&mut self) -> u32 {
        let most = self.faults.lag;
        u32::try_from(self.draw(most + 1)).unwrap_or_default()
    }

    /// Time passes for what is being deleted.
    fn tick(&mut self) {
        for object in &mut self.objects {
            if let Some(left) = &mut object.deleting {
                *left = left.saturating_sub(1);
            }
        }
        self.objects.retain(|object| object.deleting != Some(0));
    }

    fn at(&mut self, id: &str) -> Result<&mut Object, OpError> {
        let gone = || OpError::new("Find", ErrorClass::NotFound, "NotFound", id.to_owned());
        self.objects.iter_mut().find(|object| object.id == id).ok_or_else(gone)
    }

    fn links(spec: &Value) -> Vec<String> {
        let links = spec.get("links").and_then(Value::as_array).into_iter().flatten();
        let links = links.chain(spec.get("home"));
        links.filter_map(|link| link.as_str().map(str::to_owned)).collect()
    }

    fn check_links(&mut self, address: &Address, spec: &Value) -> Result<(), OpError> {
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

fn name_of(spec: &Value) -> Option<&str> {
    spec.get("name").and_then(Value::as_str)
}

impl Provider for FakeCloud {
    fn kinds(&self) -> Vec<&'static Meta> {
        KINDS.to_vec()
    }

    fn limit(&self, service: &str) -> usize {
        match service {
            "one" => 3,
            _ => 8,
        }
    }

    fn canonical(&self, _: &str, spec: &Value) -> Result<Value, OpError> {
        let mut spec = spec.clone();
        if let Some(links) = spec.get_mut("links").and_then(Value::as_array_mut) {
            links.sort_by_key(Value::to_string);
            links.dedup();
        }
        Ok(spec)
    }

    fn survey<'a>(
        &'a self,
        kind: &'a str,
        wanted: &'a BTreeMap<String, Address>,
        _: Option<&'a Sweep>,
    ) -> BoxFuture<'a, Result<Vec<Found>, OpError>> {
        let blind = self.state().faults.blind.iter().find(|(blind, _)| *blind == kind).cloned();
        if let Some((_, None)) = blind {
            return Box::pin(std::future::pending());
        }
        let view = self.view;
        Box::pin(self.operate("Survey", kind, Sort::Read, move |state, scope| {
            if let Some((_, Some(class))) = blind {
                return Err(OpError::new("Survey", class, "Blind", "it cannot be seen"));
            }
            state.tick();
            let lags = state.faults.survey_lags;
            let mut found = Vec::new();
            for object in state.objects.iter_mut().filter(|object| object.address.kind == kind) {
                if !lags {
                    object.hidden = 0;
                }
                let Some(live) = object.look(view) else { continue };
                let wanted_as = name_of(&object.spec).and_then(|name| wanted.get(name));
                let claim = match (scope.owned(&object.tags), wanted_as) {
                    (Some(address), _) => Some((address, Owner::Ours)),
                    (None, _) if !meta_of(kind).tagged => {
                        Some((object.address.clone(), Owner::Ours))
                    }
                    (None, _) if kind == ACCOUNT.kind => {
                        Some((object.address.clone(), Owner::Shared))
                    }
                    (None, Some(address)) => {
                        let owner = Scope::describe_owner(&object.tags);
                        Some((address.clone(), Owner::Foreign(owner)))
                    }
                    (None, None) => None,
                };
                found.extend(claim.map(|(address, owner)| Found { address, owner, live }));
            }
            Ok(found)
        }))
    }

    fn read<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Option<Live>, OpError>> {
        let view = self.view;
        Box::pin(self.operate("Read", &target.address.kind, Sort::Read, move |state, _| {
            state.tick();
            let id = target.id.as_deref().unwrap_or_default();
            Ok(state.at(id).ok().and_then(|object| object.look(view)))
        }))
    }

    fn create<'a>(
        &'a self,
        target: &'a Target,
        spec: &'a Value,
    ) -> BoxFuture<'a, Result<String, OpError>> {
        let name = format!("Create {}", target.address);
        Box::pin(async move {
            let effect = |state: &mut State, _: &Scope| {
                let kind = &target.address.kind;
                let taken = name_of(spec).is_some_and(|name| {
                    state.objects.iter().any(|other| {
                        other.address.kind == *kind && name_of(&other.spec) == Some(name)
                    })
                });
                if taken {
                    let message = "the name is taken";
                    return Err(OpError::new("Create", ErrorClass::Exists, "Exists", message));
                }
                state.check_links(&target.address, spec)?;
                if state.faults.not_yet > 0 {
                    state.faults.not_yet -= 1;
                    let message = "it is not visible yet";
                    return Err(OpError::new("Create", ErrorClass::NotYet, "NotYet", message));
                }
                let id = match name_of(spec).filter(|_| *kind == SLOT.kind) {
                    Some(name) => format!("slot/{name}"),
                    None => state.id(),
                };
                let mut object =
                    Object::new(id.clone(), target.address.clone(), spec.clone(), Tags::new());
                // Creation sets only what it must; the rest is for `update`.
                object.spec["size"] = json!(0);
                if meta_of(kind).tagged {
                    object.tags = target.tags.clone();
                }
                object.hidden = state.lag();
                object.flaps = state.faults.flaps;
                let split = state.faults.split;
                object.made_in = self.view;
                object.unseen = u32::try_from(state.draw(split + 1)).unwrap_or_default();
                let pending = state.faults.pending;
                object.pending = u32::try_from(state.draw(pending + 1)).unwrap_or_default();
                let corpse = state.faults.corpse;
                // A corpse that may hold data is a person's business.
                let breaks = meta_of(kind).data.is_none() && state.happens(corpse);
                object.failed = breaks.then(|| "it broke".to_owned());
                state.objects.push(object);
                Ok(id)
            };
            self.operate(&name, &target.address.kind, Sort::Create, effect).await
        })
    }

    fn update<'a>(
        &'a self,
        target: &'a Target,
        spec: &'a Value,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<(), OpError>> {
        let name = format!("Update {}", target.address);
        Box::pin(async move {
            let effect = |state: &mut State, _: &Scope| {
                state.check_links(&target.address, spec)?;
                let (lag, flaps) = (state.lag(), state.faults.flaps);
                let object = state.at(&live.id)?;
                object.flaps = flaps;
                let fixed = meta_of(&target.address.kind).immutable;
                if let Some(path) = fixed.iter().find(|path| object.spec[**path] != spec[**path]) {
                    let message = format!("{} cannot change {path}", target.address);
                    state.violations.push(message.clone());
                    return Err(OpError::new("Update", ErrorClass::Invalid, "Immutable", message));
                }
                object.stale = Some((lag, object.spec.clone()));
                object.spec = spec.clone();
                Ok(())
            };
            self.operate(&name, &target.address.kind, Sort::Repeatable, effect).await
        })
    }

    fn retag<'a>(
        &'a self,
        target: &'a Target,
        live: &'a Live,
        set: &'a Tags,
        unset: &'a [String],
    ) -> BoxFuture<'a, Result<(), OpError>> {
        let name = format!("Retag {}", target.address);
        Box::pin(async move {
            let effect = |state: &mut State, _: &Scope| {
                let object = state.at(&live.id)?;
                object.tags.extend(set.clone());
                object.tags.retain(|key, _| !unset.contains(key));
                Ok(())
            };
            self.operate(&name, &target.address.kind, Sort::Repeatable, effect).await
        })
    }

    fn delete<'a>(
        &'a self,
        target: &'a Target,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<(), OpError>> {
        let name = format!("Delete {}", target.address);
        Box::pin(async move {
            let effect = |state: &mut State, scope: &Scope| {
                let dependent = state.objects.iter().find(|other| {
                    other.id != live.id && State::links(&other.spec).contains(&live.id)
                });
                if let Some(dependent) = dependent {
                    let message = format!("{} uses {}", dependent.address, target.address);
                    state.refusals += 1;
                    return Err(OpError::new("Delete", ErrorClass::Busy, "InUse", message));
                }
                let looks = state.lag().max(state.faults.dying) + 1;
                let object = state.at(&live.id)?;
                let foreign =
                    meta_of(&target.address.kind).tagged && scope.owned(&object.tags).is_none();
                object.deleting = Some(object.deleting.unwrap_or(looks));
                if foreign {
                    state.violations.push(format!("{} is not ours", target.address));
                }
                Ok(())
            };
            self.operate(&name, &target.address.kind, Sort::Repeatable, effect).await
        })
    }
}
