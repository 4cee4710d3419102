//! The acceptance run itself: the same life on the cloud and on its twin, and what differed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use payctl::aws::provider::AwsProvider;
use payctl_engine::apply::{Report as Applied, apply};
use payctl_engine::event::{Event, StepError, Verb};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::live::Owner;
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_engine::planner::plan;
use payctl_engine::stop::{Stopper, stop_pair};
use payctl_engine::survey::{Snapshot, survey};
use serde_json::Value;

/// One side of the comparison.
pub(crate) struct Side {
    /// The cloud.
    pub provider: AwsProvider,
    /// What it is asked for.
    pub blueprint: Blueprint,
    /// Whether it is the sandbox that stands beside the cloud.
    pub is_twin: bool,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What has to be right and was not: phase and reason.
    pub failures: Vec<(String, String)>,
    /// What the cloud tells otherwise than its twin: address, field, twin's value, cloud's value.
    pub differences: Vec<(Address, String, Value, Value)>,
    /// How long steps took on the cloud, the longest first.
    pub steps: Vec<(Duration, Address, Verb)>,
    /// Refusals that passed by themselves, with how often: code and first words.
    pub passing: BTreeMap<String, usize>,
    /// The phases with their times.
    pub phases: Vec<(&'static str, Duration)>,
}

/// Settings that can be changed in place on objects that the platform is likely to have.
const CHANGES: &[(&str, &str, i64)] = &[
    ("sqs.queue", "/visibility_timeout", 400),
    ("logs.log_group", "/retention_days", 30),
    ("lambda.function", "/memory", 640),
    ("cloudwatch.alarm", "/periods", 3),
];

/// Lets an environment live and die on both sides. Whatever goes wrong, it ends with a destroy.
pub(crate) async fn accept(
    cloud: &mut Side,
    twin: &mut Side,
    say: &(dyn Fn(&str) + Sync),
) -> Findings {
    let mut run = Run { findings: Findings::default(), say };
    if !run.is_empty_account(cloud).await {
        return run.findings;
    }
    if run.live(cloud, twin).await.is_none() {
        (run.say)("a phase failed: what was made is removed now");
    }
    run.end(cloud).await;
    run.findings.steps.sort_by_key(|step| std::cmp::Reverse(step.0));
    run.findings
}

struct Run<'a> {
    findings: Findings,
    say: &'a (dyn Fn(&str) + Sync),
}

impl Run<'_> {
    /// The run starts from nothing: what is there already belongs to another run.
    async fn is_empty_account(&mut self, cloud: &Side) -> bool {
        let Some(snapshot) = self.look("begin", cloud).await else { return false };
        let ours = snapshot.values().flatten().filter(|found| found.owner == Owner::Ours).count();
        if ours > 0 {
            let reason = format!("the environment exists already, with {ours} objects");
            self.fail("begin", reason);
        }
        ours == 0
    }

    async fn live(&mut self, cloud: &mut Side, twin: &mut Side) -> Option<()> {
        self.carry_out("create", cloud, Purpose::Apply).await?;
        self.carry_out("create the twin", twin, Purpose::Apply).await?;
        self.settled("plan after creation", cloud).await?;
        self.compare(cloud, twin).await?;
        for side in [&mut *cloud, &mut *twin] {
            change(&mut side.blueprint);
        }
        let plan = self.carry_out("change in place", cloud, Purpose::Apply).await?;
        let replaced = plan.changes.iter().filter(|change| change.action != Action::Update);
        for change in replaced {
            let reason =
                format!("{} is {:?}, where an update belongs", change.address, change.action);
            self.fail("change in place", reason);
        }
        self.carry_out("change the twin", twin, Purpose::Apply).await?;
        self.settled("plan after the change", cloud).await?;
        self.compare(cloud, twin).await?;
        // Killed in the middle of a destroy, and applied again: it converges.
        self.cut("destroy, cut short", cloud).await?;
        self.carry_out("apply what was cut", cloud, Purpose::Apply).await?;
        self.settled("plan after the cut", cloud).await
    }

    async fn end(&mut self, cloud: &Side) {
        for phase in ["destroy", "destroy again"] {
            let destroyed = self.carry_out(phase, cloud, Purpose::Destroy).await;
            if destroyed.is_some_and(|plan| plan.changes.is_empty()) {
                break;
            }
        }
        // Late writers bring log groups back.
        tokio::time::sleep(Duration::from_secs(120)).await;
        let Some(left) = self.look("look for leftovers", cloud).await else { return };
        for found in left.values().flatten().filter(|found| found.owner == Owner::Ours) {
            self.fail(
                "look for leftovers",
                format!("{} is left: {}", found.address, found.live.id),
            );
        }
    }

    async fn look(&mut self, phase: &'static str, side: &Side) -> Option<Snapshot> {
        match survey(&side.provider, &side.blueprint.resources).await {
            Ok(snapshot) => Some(snapshot),
            Err(errors) => {
                for error in errors {
                    self.fail(phase, error.to_string());
                }
                None
            }
        }
    }

    async fn plan(&mut self, phase: &'static str, side: &Side, purpose: Purpose) -> Option<Plan> {
        let snapshot = self.look(phase, side).await?;
        match plan(&side.provider, &side.blueprint, &snapshot, purpose, &[]) {
            Ok(plan) if plan.refused.is_empty() => Some(plan),
            Ok(plan) => {
                for refused in plan.refused {
                    self.fail(phase, format!("{}: {}", refused.address, refused.reason));
                }
                None
            }
            Err(error) => {
                self.fail(phase, error.to_string());
                None
            }
        }
    }

    /// Plans and applies; the plan, if every step reached its goal.
    async fn carry_out(
        &mut self,
        phase: &'static str,
        side: &Side,
        purpose: Purpose,
    ) -> Option<Plan> {
        let plan = self.plan(phase, side, purpose).await?;
        let report = self.apply(phase, side, &plan, None).await;
        for (address, verb, error) in &report.failed {
            self.fail(phase, format!("{verb:?} {address}: {}", told(error)));
        }
        report.is_complete().then_some(plan)
    }

    /// Applies half of a destroy.
    async fn cut(&mut self, phase: &'static str, side: &Side) -> Option<()> {
        let plan = self.plan(phase, side, Purpose::Destroy).await?;
        self.apply(phase, side, &plan, Some(plan.changes.len() / 2)).await;
        Some(())
    }

    async fn apply(
        &mut self,
        phase: &'static str,
        side: &Side,
        plan: &Plan,
        most: Option<usize>,
    ) -> Applied {
        (self.say)(&format!("{phase}: {} steps", plan.changes.len()));
        let (stopper, stop) = stop_pair();
        let seen = Mutex::new((Vec::new(), BTreeMap::new(), 0));
        let listen = |event: Event| note(&seen, &event, &stopper, most);
        let report = apply(&side.provider, plan, 16, &stop, &listen).await;
        if side.is_twin {
            return report;
        }
        let (steps, passing, _) = seen.into_inner().unwrap_or_default();
        self.findings.steps.extend(steps);
        for (what, times) in passing {
            *self.findings.passing.entry(what).or_default() += times;
        }
        self.findings.phases.push((phase, report.elapsed));
        report
    }

    /// Nothing may be left to do.
    async fn settled(&mut self, phase: &'static str, side: &Side) -> Option<()> {
        let plan = self.plan(phase, side, Purpose::Apply).await?;
        for change in &plan.changes {
            for field in &change.fields {
                let (before, after) = (shown(field.before.as_ref()), shown(field.after.as_ref()));
                let reason = format!("{} {}: {before}, not {after}", change.address, field.path);
                self.fail(phase, reason);
            }
        }
        Some(())
    }

    /// What the cloud reads back otherwise than its twin.
    async fn compare(&mut self, cloud: &Side, twin: &Side) -> Option<()> {
        let (here, there) = (self.look("compare", cloud).await?, self.look("compare", twin).await?);
        let (names_here, names_there) = (names(&here, cloud), names(&there, twin));
        for (address, found) in &here {
            let (Some(one), Some(other)) =
                (found.first(), there.get(address).and_then(|f| f.first()))
            else {
                continue;
            };
            let one = neutral(&one.live.spec, &names_here);
            let other = neutral(&other.live.spec, &names_there);
            differences(address, "", &other, &one, &mut self.findings.differences);
        }
        self.findings.differences.dedup();
        Some(())
    }

    fn fail(&mut self, phase: &str, reason: String) {
        (self.say)(&format!("FAILED {phase}: {reason}"));
        self.findings.failures.push((phase.to_owned(), reason));
    }
}

type Seen = Mutex<(Vec<(Duration, Address, Verb)>, BTreeMap<String, usize>, usize)>;

fn note(seen: &Seen, event: &Event, stopper: &Stopper, most: Option<usize>) {
    let Ok(mut seen) = seen.lock() else { return };
    match event {
        Event::Finished { address, verb, elapsed } => {
            seen.0.push((*elapsed, address.clone(), *verb));
            seen.2 += 1;
            if most.is_some_and(|most| seen.2 >= most) {
                stopper.stop();
            }
        }
        Event::Retrying { error, .. } => {
            let words: Vec<&str> = error.message.split_whitespace().take(12).collect();
            let what = format!("{} {}: {}", error.op, error.code, words.join(" "));
            *seen.1.entry(what).or_default() += 1;
        }
        _ => {}
    }
}

fn told(error: &StepError) -> String {
    error.to_string()
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

/// Changes what can be changed in place.
fn change(blueprint: &mut Blueprint) {
    for (address, desired) in &mut blueprint.resources {
        for (kind, field, value) in CHANGES {
            let found = (address.kind == *kind).then(|| desired.spec.pointer_mut(field)).flatten();
            if let Some(found) = found.filter(|found| found.is_number()) {
                *found = (*value).into();
            }
        }
        if let Some(team) = desired.tags.get_mut("Team") {
            "acceptance".clone_into(team);
        }
    }
}

/// What ids, ARNs and the like of one side stand for, the longest first.
fn names(snapshot: &Snapshot, side: &Side) -> Vec<(String, String)> {
    let scope = &side.blueprint.scope;
    let mut names = vec![(scope.account.clone(), "ACCOUNT".to_owned())];
    for (address, found) in snapshot {
        for (output, value) in found.iter().flat_map(|found| &found.live.outputs) {
            if value.len() > 3 {
                names.push((value.clone(), format!("<{address}.{output}>")));
            }
        }
    }
    names.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    names
}

fn neutral(value: &Value, names: &[(String, String)]) -> Value {
    match value {
        Value::String(text) => {
            let replace =
                |text: String, (value, name): &(String, String)| text.replace(value, name);
            Value::String(names.iter().fold(text.clone(), replace))
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| neutral(item, names)).collect();
            // Sets are in the order of ids, which differ.
            if items.iter().all(Value::is_string) {
                items.sort_by_key(ToString::to_string);
            }
            Value::Array(items)
        }
        Value::Object(members) => Value::Object(
            members.iter().map(|(key, value)| (key.clone(), neutral(value, names))).collect(),
        ),
        other => other.clone(),
    }
}

fn differences(
    address: &Address,
    path: &str,
    twin: &Value,
    cloud: &Value,
    found: &mut Vec<(Address, String, Value, Value)>,
) {
    match (twin, cloud) {
        (Value::Object(one), Value::Object(other)) => {
            for key in one.keys().chain(other.keys().filter(|key| !one.contains_key(*key))) {
                let get = |side: &serde_json::Map<String, Value>| side.get(key).cloned();
                let (one, other) = (get(one).unwrap_or_default(), get(other).unwrap_or_default());
                differences(address, &format!("{path}.{key}"), &one, &other, found);
            }
        }
        (one, other) if one == other => {}
        (one, other) => {
            let path = path.trim_start_matches('.').to_owned();
            found.push((address.clone(), path, one.clone(), other.clone()));
        }
    }
}

impl Findings {
    /// The report, as Markdown.
    pub(crate) fn report(&self, scope: &str) -> String {
        let mut text = format!("# Acceptance run: {scope}\n");
        let verdict = match self.failures.len() {
            0 => "Everything held.".to_owned(),
            count => format!("{count} things did not hold."),
        };
        let _ = writeln!(text, "\n{verdict}\n");
        let mut list = |title: &str, lines: Vec<String>| {
            let _ = writeln!(text, "## {title}\n");
            if lines.is_empty() {
                let _ = writeln!(text, "None.");
            }
            for line in lines {
                let _ = writeln!(text, "- {line}");
            }
            let _ = writeln!(text);
        };
        let failures = self.failures.iter().map(|(phase, reason)| format!("{phase}: {reason}"));
        list("What did not hold", failures.collect());
        let differences = self.differences.iter().map(|(address, path, twin, cloud)| {
            format!("`{address}` {path}: the sandbox says {twin}, the cloud {cloud}")
        });
        list("What the cloud tells otherwise than the sandbox", differences.collect());
        let passing = self.passing.iter().map(|(what, times)| format!("{times} times {what}"));
        list("Refusals that passed by themselves", passing.collect());
        let phases = self.phases.iter().map(|(phase, time)| format!("{phase}: {time:.1?}"));
        list("Phases", phases.collect());
        let steps = self.steps.iter().take(40);
        let steps = steps.map(|(time, address, verb)| format!("{time:.1?} {verb:?} {address}"));
        list("The longest steps", steps.collect());
        text
    }
}
