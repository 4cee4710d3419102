//! Carries a plan out: every step starts the moment that what it waits for is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use super::converge::rivals::Refs;
use super::converge::{self, Want};
use super::event::{Event, Listener, StepError, Verb};
use super::graph::{self, Steps};
use super::lease::Lease;
use super::plan::{Action, Change, Plan};
use super::provider::{Provider, Target};
use super::stop::Stop;
use crate::model::address::Address;
use crate::model::error::{ErrorClass, OpError};
use crate::model::live::Phase;
use crate::model::meta::Meta;
use crate::model::scope::Scope;
use crate::model::text::{Outputs, Ref, each_ref, resolve};

/// How long calls in flight may take after a stop was asked for. A CI system that cancels gives
/// about seven seconds in all.
const GRACE: Duration = Duration::from_secs(5);

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Report {
    /// The steps that reached their goal, in that order.
    pub done: Vec<(Address, Verb)>,
    /// How long each of them took.
    pub took: Vec<(Address, Verb, Duration)>,
    /// The steps that did not, and why.
    pub failed: Vec<(Address, Verb, StepError)>,
    /// The steps that were not tried, and the failed step that they would have needed.
    pub skipped: Vec<(Address, Verb, Address)>,
    /// The steps that a stop left undone.
    pub remaining: Vec<(Address, Verb)>,
    /// Whether a stop was asked for.
    pub interrupted: bool,
    /// The outputs of everything that is live now.
    pub outputs: BTreeMap<Address, Outputs>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Report {
    /// Takes in what happened to a step.
    fn record(&mut self, event: &Event) {
        match event {
            Event::Finished { address, verb, elapsed } => {
                self.done.push((address.clone(), *verb));
                self.took.push((address.clone(), *verb, *elapsed));
            }
            Event::Failed { address, verb, error } => {
                self.failed.push((address.clone(), *verb, error.clone()));
            }
            Event::Skipped { address, verb, because } => {
                self.skipped.push((address.clone(), *verb, because.clone()));
            }
            Event::Started { .. }
            | Event::Waiting { .. }
            | Event::Retrying { .. }
            | Event::Stopping { .. } => {}
        }
    }

    /// The steps that ended, well or not. Two objects of one address make two equal steps.
    fn ended(&self) -> Vec<(&Address, Verb)> {
        let done = self.done.iter().map(|(address, verb)| (address, *verb));
        let failed = self.failed.iter().map(|(address, verb, _)| (address, *verb));
        let skipped = self.skipped.iter().map(|(address, verb, _)| (address, *verb));
        done.chain(failed).chain(skipped).collect()
    }

    /// Whether everything was done.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty() && self.remaining.is_empty()
    }
}

/// Carries out a plan and reports. Dropping the future at any moment is as safe as killing the process;
/// who wants a report then as well holds a [`Run`].
pub async fn apply(
    provider: &dyn Provider,
    plan: &Plan,
    parallelism: usize,
    stop: &Stop,
    listener: Listener<'_>,
) -> Report {
    let run = Run::new(provider, plan, parallelism, stop, listener);
    run.carry_out().await;
    run.report()
}

fn services(provider: &dyn Provider) -> BTreeMap<&'static str, Semaphore> {
    let limit =
        |meta: &&'static Meta| (meta.service, Semaphore::new(provider.limit(meta.service).max(1)));
    provider.kinds().iter().map(limit).collect()
}

/// A plan that is being carried out.
pub struct Run<'a> {
    provider: &'a dyn Provider,
    scope: &'a Scope,
    changes: &'a [Change],
    graph: Steps,
    kinds: BTreeMap<&'static str, &'static Meta>,
    all: Semaphore,
    services: BTreeMap<&'static str, Semaphore>,
    outputs: Mutex<BTreeMap<Address, Outputs>>,
    stop: &'a Stop,
    /// No step begins, and none changes anything more, while this lease cannot be trusted.
    lease: Option<&'a Lease<'a>>,
    listener: Listener<'a>,
    began: Instant,
    /// What the events have told so far.
    so_far: Mutex<Report>,
}

impl<'a> Run<'a> {
    /// A run in which nothing has begun yet.
    pub fn new(
        provider: &'a dyn Provider,
        plan: &'a Plan,
        parallelism: usize,
        stop: &'a Stop,
        listener: Listener<'a>,
    ) -> Self {
        Self {
            provider,
            scope: &plan.scope,
            changes: &plan.changes,
            graph: graph::steps(&plan.changes),
            kinds: provider.kinds().into_iter().map(|meta| (meta.kind, meta)).collect(),
            all: Semaphore::new(parallelism.max(1)),
            services: services(provider),
            outputs: Mutex::new(plan.outputs.clone()),
            stop,
            lease: None,
            listener,
            began: Instant::now(),
            so_far: Mutex::default(),
        }
    }

    /// The same run under a lease: no step begins, and none changes anything more, while the lease cannot be
    /// trusted.
    #[must_use]
    pub fn under(mut self, lease: &'a Lease<'a>) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Completes when the run's lease can be trusted.
    async fn lease_is_live(&self) {
        if let Some(lease) = self.lease {
            lease.live().await;
        }
    }

    /// Carries the plan out. Dropping the future at any moment is as safe as killing the process.
    pub async fn carry_out(&self) {
        let listener = |event| self.tell(event);
        let count = self.graph.steps.len();
        let followers = graph::followers(&self.graph.after);
        // By step: for how many others it waits.
        let mut waits: Vec<usize> = self.graph.after.iter().map(BTreeSet::len).collect();
        let mut ready: BTreeSet<usize> = (0..count).filter(|step| waits[*step] == 0).collect();
        let mut skipped = BTreeSet::new();
        let mut running = FuturesUnordered::new();
        let mut grace = None;
        // Nothing can succeed any more, so that nothing is begun.
        let mut is_over = false;
        loop {
            let mut is_held_up = false;
            if !self.stop.is_requested() && !is_over {
                is_held_up = !ready.is_empty() && self.lease.is_some_and(|lease| !lease.is_live());
                let steps = if is_held_up { BTreeSet::new() } else { std::mem::take(&mut ready) };
                for step in steps {
                    let listener = &listener;
                    running.push(async move { (step, self.step(step, listener).await) });
                }
            }
            if running.is_empty() && !is_held_up {
                break;
            }
            let finished = tokio::select! {
                finished = running.next(), if !running.is_empty() => finished,
                () = self.lease_is_live(), if is_held_up => continue,
                () = self.stop.requested(), if grace.is_none() => {
                    grace = Some(Instant::now() + GRACE);
                    self.tell(Event::Stopping { in_flight: running.len() });
                    continue;
                }
                () = sleep_until(grace.unwrap_or(self.began)), if grace.is_some() => break,
            };
            let Some((step, outcome)) = finished else { break };
            match outcome {
                Ok(()) => {
                    for follower in &followers[step] {
                        waits[*follower] -= 1;
                        if waits[*follower] == 0 {
                            ready.insert(*follower);
                        }
                    }
                }
                Err(StepError::Interrupted) => {}
                Err(error) => {
                    is_over |= ends_everything(&error);
                    self.skip(step, &followers, &mut skipped);
                }
            }
        }
    }

    /// What became of the plan, at any moment: whatever has not ended remains.
    pub fn report(&self) -> Report {
        let so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ended: BTreeMap<(Address, Verb), usize> = BTreeMap::new();
        for (address, verb) in so_far.ended() {
            *ended.entry((address.clone(), verb)).or_default() += 1;
        }
        let mut remaining: Vec<_> =
            (0..self.graph.steps.len()).map(|step| self.name(step)).collect();
        remaining.retain(|step| {
            let left = ended.get_mut(step).filter(|left| **left > 0);
            left.map(|left| *left -= 1).is_none()
        });
        Report {
            done: so_far.done.clone(),
            took: so_far.took.clone(),
            failed: so_far.failed.clone(),
            skipped: so_far.skipped.clone(),
            remaining,
            interrupted: self.stop.is_requested(),
            outputs: self.outputs.lock().map(|outputs| outputs.clone()).unwrap_or_default(),
            elapsed: self.began.elapsed(),
        }
    }

    /// Keeps an event for the report and passes it on.
    fn tell(&self, event: Event) {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner).record(&event);
        (self.listener)(event);
    }

    /// Gives up every step that waits, directly or not, for a failed one.
    fn skip(&self, failed: usize, followers: &[Vec<usize>], skipped: &mut BTreeSet<usize>) {
        let because = self.name(failed).0;
        let mut lost: BTreeSet<usize> = followers[failed].iter().copied().collect();
        while let Some(step) = lost.pop_first() {
            if skipped.insert(step) {
                lost.extend(&followers[step]);
                let (address, verb) = self.name(step);
                self.tell(Event::Skipped { address, verb, because: because.clone() });
            }
        }
    }

    fn name(&self, step: usize) -> (Address, Verb) {
        let step = self.graph.steps[step];
        (self.changes[step.change].address.clone(), step.verb)
    }

    async fn step(&self, step: usize, listener: Listener<'_>) -> Result<(), StepError> {
        let graph::Step { change, verb } = self.graph.steps[step];
        let change = &self.changes[change];
        let address = change.address.clone();
        let began = Instant::now();
        listener(Event::Started { address: address.clone(), verb });
        let result = self.carry_out_step(change, verb, began, listener).await;
        match &result {
            Ok(()) => listener(Event::Finished { address, verb, elapsed: began.elapsed() }),
            Err(StepError::Interrupted) => {}
            Err(error) => listener(Event::Failed { address, verb, error: error.clone() }),
        }
        result
    }

    async fn carry_out_step(
        &self,
        change: &Change,
        verb: Verb,
        began: Instant,
        listener: Listener<'_>,
    ) -> Result<(), StepError> {
        let bug = |code: &str, message: String| {
            let op = change.address.to_string();
            StepError::Refused(OpError::new(op, ErrorClass::Bug, code, message))
        };
        let unknown = || bug("UnknownKind", "this version of payctl lacks the kind".to_owned());
        let meta = *self.kinds.get(change.address.kind.as_str()).ok_or_else(unknown)?;
        let step = converge::Step {
            provider: self.provider,
            address: &change.address,
            was: change.live.as_ref().and_then(|live| self.scope.owned(&live.tags)),
            // Where the old object goes first, the new one may well get its id.
            replaces: change.live.as_ref().filter(|_| change.create_first).map(|live| &*live.id),
            scope: self.scope,
            meta,
            all: &self.all,
            service: self.services.get(meta.service).ok_or_else(unknown)?,
            stop: self.stop,
            lease: self.lease,
            listener,
            began,
        };
        let mut target = Target {
            address: change.address.clone(),
            name: change.name.clone(),
            id: change.live.as_ref().map(|live| live.id.clone()),
            tags: change.live.as_ref().map(|live| live.tags.clone()).unwrap_or_default(),
        };
        if verb == Verb::Delete {
            let live = change.live.as_ref().ok_or_else(unknown)?;
            // The plan takes it for a second object that has never held data.
            let is_dying = matches!(live.phase, Phase::Deleting(_));
            if meta.data.is_some() && change.irreversible.is_none() && !is_dying {
                let kinds: Vec<_> = self.kinds.values().copied().collect();
                step.still_unused(live, &kinds).await?;
            }
            let for_good = change.action == Action::Delete;
            return step.delete(&target, live, for_good).await;
        }
        let desired = change.want.as_ref().ok_or_else(unknown)?;
        target.tags = desired.tags_once.clone();
        target.tags.extend(desired.tags.clone());
        let resolved = resolve(&desired.spec, &|reference: &Ref| {
            let outputs = self.outputs.lock().ok()?;
            outputs.get(&reference.to)?.get(&reference.output).cloned()
        });
        let mut missing = None;
        each_ref(&resolved, &mut |reference| missing = Some(reference.clone()));
        if let Some(Ref { to, output }) = missing {
            return Err(bug("MissingOutput", format!("{to} has no output `{output}`")));
        }
        let spec = self.provider.canonical(&change.address.kind, &resolved);
        let want = Want {
            spec: spec.map_err(StepError::Refused)?,
            tags: desired.tags.clone(),
            refs: self.refs(&desired.spec),
        };
        let live = match verb {
            Verb::Update => {
                let planned = change.live.as_ref().ok_or_else(unknown)?;
                let paths = change.fields.iter().map(|field| field.path.clone()).collect();
                step.update(target, &want, planned, &paths).await?
            }
            Verb::Create | Verb::Delete => step.create(target, &want).await?,
        };
        if let Ok(mut outputs) = self.outputs.lock() {
            outputs.insert(change.address.clone(), live.outputs);
        }
        Ok(())
    }

    /// What a spec refers to that another run may have made as well.
    fn refs(&self, spec: &Value) -> Refs {
        let doubles =
            |to: &Address| self.kinds.get(to.kind.as_str()).is_some_and(|meta| meta.can_duplicate);
        let Ok(outputs) = self.outputs.lock() else { return Refs::new() };
        let mut refs = Refs::new();
        for (field, value) in spec.as_object().into_iter().flatten() {
            each_ref(value, &mut |reference| {
                if doubles(&reference.to) {
                    let known = outputs.get(&reference.to).cloned().unwrap_or_default();
                    refs.entry(field.clone()).or_default().push((reference.to.clone(), known));
                }
            });
        }
        refs
    }
}

/// Whether no other step can succeed either: the credentials have expired, or the clock is wrong.
fn ends_everything(error: &StepError) -> bool {
    match error {
        StepError::Refused(error) | StepError::TimedOut { error, .. } => error.ends_everything(),
        _ => false,
    }
}
