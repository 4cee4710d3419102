//! What calls functions by itself while the sandbox is served: schedules, queues, and events that wait.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Called, MOST_AT_ONCE, call, plan};
use crate::connector::Sandbox;
use crate::lambda::{Batch, Plan, Waiting};
use crate::store::SandboxError;
use crate::{Refusal, World, events, lambda};

/// How often it looks.
const PAUSE: Duration = Duration::from_millis(200);

/// A call that is to be made.
enum Job {
    /// An event that waits for its function.
    Waiting(Waiting),
    /// Messages of a queue.
    Batch(Batch),
}

/// What the worker remembers from look to look.
#[derive(Default)]
struct Seen {
    /// Up to when schedules have fired.
    until: Option<f64>,
    /// Since when the first message of an event source waits.
    waits: BTreeMap<String, f64>,
    /// The event sources whose batch is with a function: one batch at a time.
    busy: BTreeSet<String>,
}

impl Seen {
    /// What is to be done now, at most so much.
    fn look(&mut self, world: &mut World, mut room: usize) -> Vec<(Job, Plan)> {
        let now = world.base.now();
        let from = self.until.replace(now).unwrap_or(now);
        if events::fire(world, from, now) {
            world.base.moved = true;
        }
        let mut jobs = Vec::new();
        for key in lambda::queues(world) {
            if room == 0 {
                return jobs;
            }
            if self.busy.contains(&key) {
                continue;
            }
            let Some(batch) = lambda::batch(world, &key, &mut self.waits) else { continue };
            match plan(world, &batch.region, &batch.function) {
                Ok(plan) => {
                    self.busy.insert(key);
                    jobs.push((Job::Batch(batch), plan));
                    room -= 1;
                }
                Err(refusal) => {
                    tracing::warn!(function = batch.function, why = refusal.message, "not called");
                }
            }
        }
        if room > 0 && lambda::is_due(world) {
            world.base.moved = true;
            let waiting = lambda::take(world, room).into_iter();
            jobs.extend(waiting.map(|(waiting, plan)| (Job::Waiting(waiting), plan)));
        }
        jobs
    }
}

/// Works until it is dropped.
pub(crate) async fn work(sandbox: Sandbox) {
    let mut seen = Seen::default();
    let mut running = JoinSet::new();
    loop {
        let room = MOST_AT_ONCE.saturating_sub(running.len());
        let found = sandbox.with(true, |world, _| seen.look(world, room));
        for (job, plan) in found.unwrap_or_else(unusable) {
            running.spawn(finish(sandbox.clone(), job, plan));
        }
        sleep(PAUSE).await;
        while let Some(done) = running.try_join_next() {
            match done {
                Ok(Some(source)) => drop(seen.busy.remove(&source)),
                Ok(None) => {}
                // Its source stays busy: a second try would break in the same way.
                Err(error) => tracing::warn!(%error, "a call of a function broke"),
            }
        }
    }
}

/// The state cannot be used now. Requests say so too; the worker tries again.
fn unusable(error: SandboxError) -> Vec<(Job, Plan)> {
    tracing::warn!(%error, "the sandbox's functions wait");
    Vec::new()
}

/// Makes a call and settles what came of it. Returns the event source that is free again.
async fn finish(sandbox: Sandbox, job: Job, plan: Plan) -> Option<String> {
    let event = match &job {
        Job::Waiting(waiting) => waiting.event.clone(),
        Job::Batch(batch) => batch.event().to_string(),
    };
    let called = call(&sandbox, &plan, event.as_bytes()).await;
    if let Err(refusal) = &called {
        tracing::warn!(function = plan.name, why = refusal.message, "a function is not called");
    }
    let settled = sandbox.with(false, |world, _| settle(world, job, &plan, called));
    settled.unwrap_or_else(|error| {
        tracing::warn!(%error, "what a function did is not kept");
        None
    })
}

fn settle(
    world: &mut World,
    job: Job,
    plan: &Plan,
    called: Result<Called, Refusal>,
) -> Option<String> {
    match (job, called) {
        (Job::Batch(batch), called) => {
            let answer = called.ok().filter(|called| !called.failed);
            let answer: Option<Value> = answer.map(|called| called.value());
            lambda::settle_batch(world, &batch, answer.as_ref());
            Some(batch.source)
        }
        (Job::Waiting(waiting), Ok(called)) if called.failed => {
            lambda::fail(world, waiting, plan, &called.value());
            None
        }
        (Job::Waiting(_), Ok(_)) => None,
        (Job::Waiting(waiting), Err(refusal)) if refusal.status == 429 => {
            lambda::put_back(world, waiting);
            None
        }
        (Job::Waiting(waiting), Err(refusal)) => {
            lambda::fail(world, waiting, plan, &json!({ "errorMessage": refusal.message }));
            None
        }
    }
}
