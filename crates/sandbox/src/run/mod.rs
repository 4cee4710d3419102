//! What the sandbox runs: functions in Python, each call in a process of its own, and what calls them.
//!
//! A call of `Invoke` runs a function in any sandbox. Everything else (API routes, queues, events,
//! schedules) calls functions only while `serve` runs. Processes are bounded in number, time and
//! output, and end with the sandbox. They reach the sandbox, as AWS, at a loopback address.

pub(crate) mod gateway;
mod invoke;
mod process;
mod python;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::connector::Sandbox;
use super::lambda::{self, Plan};
use super::logs;
use super::serve::listen;
use super::toolbox::{at, refuse, uuid};
use super::{Refusal, World};

pub(crate) use invoke::{invoke, is_invoke};
pub(crate) use work::work;

/// The most bytes of a request that is waited for, and of an event.
pub(crate) const MOST_PAYLOAD: usize = 6_291_456;
pub(crate) const MOST_EVENT: usize = 1_048_576;
/// How many processes run at the same time. Further calls wait for their turn.
const MOST_AT_ONCE: usize = 10;

/// What runs functions; clones of a sandbox share one.
#[derive(Debug)]
pub(crate) struct Runner {
    pythons: python::Pythons,
    slots: Semaphore,
    /// How many calls of a function run, by region and name.
    running: Mutex<BTreeMap<String, i64>>,
    /// Where the sandbox is served.
    served: Mutex<Option<SocketAddr>>,
}

impl Default for Runner {
    fn default() -> Self {
        Self::of("python3", &[])
    }
}

impl Runner {
    /// Runs functions with a Python of this name, started with these flags.
    pub(crate) fn of(program: &'static str, flags: &'static [&'static str]) -> Self {
        Self {
            pythons: python::Pythons::of(program, flags),
            slots: Semaphore::new(MOST_AT_ONCE),
            running: Mutex::default(),
            served: Mutex::default(),
        }
    }

    /// From now on functions reach the sandbox there.
    pub(crate) fn served_at(&self, place: Option<SocketAddr>) {
        *lock(&self.served) = place;
    }

    /// Counts a call of a function, unless as many run as are reserved for it.
    fn enter(&self, plan: &Plan) -> Result<Entered<'_>, Refusal> {
        let key = at(&plan.region, &plan.name);
        let mut running = lock(&self.running);
        let count = running.entry(key.clone()).or_default();
        if plan.reserved.is_some_and(|most| *count >= most) {
            return Err(refuse(429, "TooManyRequestsException", "Rate Exceeded."));
        }
        *count += 1;
        Ok(Entered { runner: self, key })
    }
}

/// A call that is counted until this value goes.
struct Entered<'a> {
    runner: &'a Runner,
    key: String,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut running = lock(&self.runner.running);
        if let Some(count) = running.get_mut(&self.key) {
            *count -= 1;
        }
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a function answered.
#[derive(Debug)]
pub(crate) struct Called {
    /// JSON: its answer, or the error.
    pub(crate) payload: String,
    pub(crate) failed: bool,
    /// The lines of its log.
    log: String,
    version: String,
}

impl Called {
    /// The payload, read.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.payload).unwrap_or_default()
    }
}

/// Plans a call in the world, and refuses what Lambda would refuse.
pub(crate) fn plan(world: &mut World, region: &str, function: &str) -> Result<Plan, Refusal> {
    let id = uuid(&mut world.base);
    lambda::plan(world, region, &json!({ "FunctionName": function }), id)
}

/// Runs a function as planned, and writes its log. Boxed, because the function may call the next.
pub(crate) fn call<'a>(
    sandbox: &'a Sandbox,
    plan: &'a Plan,
    event: &'a [u8],
) -> Pin<Box<dyn Future<Output = Result<Called, Refusal>> + Send + 'a>> {
    Box::pin(run(sandbox, plan, event))
}

async fn run(sandbox: &Sandbox, plan: &Plan, event: &[u8]) -> Result<Called, Refusal> {
    let runner = sandbox.runner();
    let _entered = runner.enter(plan)?;
    let _slot = runner.slots.acquire().await;
    let served = *lock(&runner.served);
    let mut listening = JoinSet::new();
    let place = match served {
        Some(place) => place,
        // Nobody serves the sandbox: it is reachable for as long as the function runs.
        None => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
            let listener = listener.map_err(|error| not_run(error.to_string()))?;
            let place = listener.local_addr().map_err(|error| not_run(error.to_string()))?;
            listening.spawn(listen(sandbox.clone(), listener));
            place
        }
    };
    let outcome = process::run(&runner.pythons, plan, event, place).await.map_err(not_run)?;
    drop(listening);
    let lines = log_of(plan, &outcome);
    let log = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
    let place = (plan.group.as_str(), plan.stream.as_str());
    let written = sandbox
        .with(false, |world, _| logs::append(world, &plan.region, place, lines))
        .map_err(|error| refuse(500, "ServiceException", error.to_string()));
    written?;
    Ok(Called {
        payload: outcome.payload,
        failed: outcome.failed,
        log,
        version: plan.version.clone(),
    })
}

/// Why the sandbox cannot run a function. Status 400, so that clients do not retry.
fn not_run(why: String) -> Refusal {
    refuse(400, "NotImplementedInSandbox", why)
}

/// The lines of a call's log with their age in milliseconds, between those of Lambda.
fn log_of(plan: &Plan, outcome: &process::Outcome) -> Vec<(i64, String)> {
    let Plan { request_id: id, version, memory, .. } = plan;
    let milliseconds = outcome.duration.as_secs_f64() * 1e3;
    let billed = milliseconds.ceil();
    let loading = outcome.loading.map(|time| time.as_secs_f64() * 1e3);
    let age = milliseconds as i64;
    let mut lines = Vec::new();
    let report = if plan.logs_json {
        let start = json!({ "requestId": id, "version": version });
        let start = json!({ "time": plan.moment, "type": "platform.start", "record": start });
        lines.push((age, start.to_string()));
        let mut metrics = json!({
            "durationMs": milliseconds, "billedDurationMs": billed, "memorySizeMB": memory,
        });
        if let Some(most) = outcome.memory {
            metrics["maxMemoryUsedMB"] = most.into();
        }
        if let Some(loading) = loading {
            metrics["initDurationMs"] = loading.into();
        }
        let status = if outcome.failed { "error" } else { "success" };
        let record = json!({ "requestId": id, "metrics": metrics, "status": status });
        vec![
            json!({ "time": plan.moment, "type": "platform.report", "record": record }).to_string(),
        ]
    } else {
        lines.push((age, format!("START RequestId: {id} Version: {version}")));
        let mut report = format!(
            "REPORT RequestId: {id}\tDuration: {milliseconds:.2} ms\tBilled Duration: {billed} \
             ms\tMemory Size: {memory} MB\t"
        );
        if let Some(most) = outcome.memory {
            report.push_str(&format!("Max Memory Used: {most} MB\t"));
        }
        if let Some(loading) = loading {
            report.push_str(&format!("Init Duration: {loading:.2} ms\t"));
        }
        vec![format!("END RequestId: {id}"), report]
    };
    lines.extend(outcome.lines.iter().cloned().chain(report).map(|line| (0, line)));
    lines
}
