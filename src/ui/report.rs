//! The report of an apply, and the block that shows every error.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::style::{Paint, Style, span, step_words};
use super::text::one_line;
use payctl_engine::apply::Report;
use payctl_engine::event::{StepError, Verb};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::meta::Meta;
use payctl_engine::outlook::Estimate;
use payctl_engine::plan::{Change, Plan, Purpose};

/// One error: what happened, where, and what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The title, such as `cannot create sqs.queue/payments`.
    pub title: String,
    /// What happened.
    pub what: Option<String>,
    /// The place in the config or in the cloud.
    pub place: Option<String>,
    /// The hint.
    pub hints: Vec<String>,
    /// Longer texts that need no label, such as the problems of a config.
    pub details: Vec<String>,
}

impl Block {
    /// The block as text, ending in a line break.
    pub fn text(&self, style: Style) -> String {
        let mut text = style.paint(Paint::Bad, "error:");
        let _ = writeln!(text, " {}", one_line(&self.title));
        for detail in &self.details {
            let _ = writeln!(text, "\n{detail}");
        }
        let mut row = |label: &str, value: &str| {
            let label = style.paint(Paint::Bold, label);
            let mut lines = value.lines();
            let _ = writeln!(text, "  {label} {}", lines.next().unwrap_or_default());
            for line in lines {
                let _ = writeln!(text, "{}", format!("         {line}").trim_end());
            }
        };
        if let Some(what) = &self.what {
            row("what: ", what);
        }
        if let Some(place) = &self.place {
            row("where:", place);
        }
        self.hints.iter().for_each(|hint| row("hint: ", hint));
        text
    }
}

/// The permission that a refused call lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The action, `sqs:CreateQueue`.
    pub action: String,
    /// The resource, if AWS names it.
    pub resource: Option<String>,
    /// Whether a policy denies it explicitly, or no policy allows it.
    pub explicit: bool,
}

/// Reads the missing permission from AWS's message.
pub fn missing(message: &str) -> Option<Missing> {
    let word = |mark: &str| {
        let rest = message.split_once(mark)?.1.trim_start();
        let word = rest.split_whitespace().next()?.trim_end_matches([',', '.', '"']);
        Some(word.trim_start_matches('"').to_owned())
    };
    Some(Missing {
        action: word("not authorized to perform:").filter(|action| action.contains(':'))?,
        resource: word("on resource:"),
        explicit: message.contains("explicit deny"),
    })
}

/// What to do about a refused call.
pub fn hints(error: &OpError, kind: &str) -> Vec<String> {
    // payctl retries some denials, since AWS also denies calls about new objects. Such an error may
    // still be a real denial.
    let lacks = match error.class {
        ErrorClass::Denied | ErrorClass::NotYet => missing(&error.message),
        _ => None,
    };
    let is_denied = error.class == ErrorClass::Denied || lacks.is_some();
    let hint = match error.class {
        _ if is_denied => match lacks {
            Some(Missing { action, resource, explicit }) => {
                let resource = resource.map(|on| format!(" on {on}")).unwrap_or_default();
                if explicit {
                    format!("a policy denies {action}{resource} explicitly; remove that statement")
                } else {
                    format!("allow {action}{resource} for the role that payctl uses")
                }
            }
            None => "allow the call for the role that payctl uses".to_owned(),
        },
        ErrorClass::Credentials => {
            return vec![
                "log in again, or choose other credentials with --profile or --assume-role; then \
                 run the same command: it continues where this run stopped"
                    .into(),
            ];
        }
        ErrorClass::Clock => {
            return vec!["correct the clock of this machine, and run the same command again".into()];
        }
        ErrorClass::Quota => "ask AWS for a higher quota, or use fewer of these resources".to_owned(),
        ErrorClass::Exists => {
            "another object has this name: choose another name, or remove that object".to_owned()
        }
        ErrorClass::Bug => {
            return vec!["this is a bug in payctl: please report it with this message".into()];
        }
        ErrorClass::Throttled | ErrorClass::Service => {
            "run the same command again: it continues where this run stopped".to_owned()
        }
        ErrorClass::NotYet | ErrorClass::Busy => {
            "AWS still refused the call at the deadline; run the same command again".to_owned()
        }
        ErrorClass::Unsupported => {
            "this endpoint does not know the service or the operation: use another endpoint or region"
                .to_owned()
        }
        ErrorClass::NotFound | ErrorClass::Invalid | ErrorClass::Denied => return explain(kind),
    };
    let more = if is_denied { explain(kind) } else { Vec::new() };
    std::iter::once(hint).chain(more).collect()
}

fn explain(kind: &str) -> Vec<String> {
    if kind.is_empty() {
        Vec::new()
    } else {
        vec![format!("for AWS's rules and the permissions, run: payctl explain {kind}")]
    }
}

/// The call whose error ended a step, if one did.
pub fn cause(error: &StepError) -> Option<&OpError> {
    match error {
        StepError::Refused(error) | StepError::TimedOut { error, .. } => Some(error),
        StepError::NotReady { .. }
        | StepError::FailedLater(_)
        | StepError::NotOurs(_)
        | StepError::Moved(_)
        | StepError::Rival(_)
        | StepError::Unsettled(_)
        | StepError::Interrupted => None,
    }
}

/// What the kind of an object says of fields that AWS did not change although it was asked to.
fn hint_of(address: &Address, fields: &[String], kinds: &[&'static Meta]) -> Option<&'static str> {
    let meta = kinds.iter().find(|meta| meta.kind == address.kind)?;
    let known = meta.unsettled.iter().find(|(field, _)| fields.iter().any(|one| one == field));
    known.map(|(_, hint)| *hint)
}

fn advice(address: &Address, error: &StepError, kinds: &[&'static Meta]) -> Vec<String> {
    let hint = match error {
        StepError::Refused(error) | StepError::TimedOut { error, .. } => {
            return hints(error, &address.kind);
        }
        StepError::NotReady { .. } => "run the same command again: it continues to wait".to_owned(),
        StepError::FailedLater(_) => {
            "correct the cause that AWS names, and run the same command again: it retries"
                .to_owned()
        }
        StepError::NotOurs(_) => {
            "give this resource another `name`, or remove the other object".to_owned()
        }
        StepError::Moved(_) => "it changed since the plan: make a new plan".to_owned(),
        StepError::Rival(_) => {
            "wait until the other run has ended, and run the same command again: it merges what \
             both created"
                .to_owned()
        }
        StepError::Unsettled(fields) => match hint_of(address, fields, kinds) {
            Some(hint) => hint.to_owned(),
            None => format!("this is a bug in payctl's kind {}: please report it", address.kind),
        },
        StepError::Interrupted => return Vec::new(),
    };
    vec![hint]
}

/// The block for a step that failed.
pub fn failure(
    address: &Address,
    verb: Verb,
    change: Option<&Change>,
    error: &StepError,
    kinds: &[&'static Meta],
) -> Block {
    Block {
        title: format!("cannot {} {address}", step_words(verb).verb),
        what: Some(error.to_string()),
        place: change.map(place).filter(|place| !place.is_empty()),
        hints: advice(address, error, kinds),
        details: Vec::new(),
    }
}

/// `config/prod.toml:41 [queues], name prod-payment-queue-jobs`.
fn place(change: &Change) -> String {
    let Change { origin, component, name, .. } = change;
    let within = match (origin.as_str(), component.as_str()) {
        ("", component) => component.to_owned(),
        (origin, "") => origin.to_owned(),
        (origin, component) => format!("{origin} [{component}]"),
    };
    let name = if name.is_empty() { String::new() } else { format!("name {name}") };
    let parts = [within, name].into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(", ")
}

/// The end of an apply or destroy: errors, skipped and remaining steps, and the totals.
pub fn text(
    plan: &Plan,
    report: &Report,
    kinds: &[&'static Meta],
    estimate: Option<&Estimate>,
    style: Style,
) -> String {
    let changes: BTreeMap<&Address, &Change> =
        plan.changes.iter().map(|change| (&change.address, change)).collect();
    let mut text = String::new();
    for (address, verb, error) in &report.failed {
        let change = changes.get(address).copied();
        text.push_str(&failure(address, *verb, change, error, kinds).text(style));
        text.push('\n');
    }
    let mut section = |title: &str, rows: Vec<String>| {
        if !rows.is_empty() {
            let _ = writeln!(text, "{}", style.paint(Paint::Bold, title));
            for row in rows {
                let _ = writeln!(text, "  {}", one_line(&row));
            }
            text.push('\n');
        }
    };
    let marked = |address: &Address, verb: Verb| format!("{} {address}", step_words(verb).mark);
    let skipped = report.skipped.iter();
    let skipped = skipped
        .map(|(address, verb, because)| format!("{}  waits for {because}", marked(address, *verb)));
    section("Skipped:", skipped.collect());
    let list = |steps: &[(Address, Verb)]| {
        steps.iter().map(|(address, verb)| marked(address, *verb)).collect::<Vec<_>>()
    };
    if report.interrupted {
        section("Done before the stop:", list(&report.done));
    }
    section("Remaining:", list(&report.remaining));
    if let Some(slowest) = slowest(report) {
        let _ = writeln!(text, "{slowest}");
    }
    text.push_str(&totals(plan, report, estimate, style));
    text
}

/// `Slowest: rds.cluster/main created in 4 m 58 s, ...`; `None` for a short run.
fn slowest(report: &Report) -> Option<String> {
    /// A run that takes less is not worth it, and so is a shorter step.
    const WORTH: Duration = Duration::from_secs(10);
    const NAMED: usize = 3;
    let mut steps: Vec<_> = report.took.iter().filter(|(_, _, took)| *took >= WORTH).collect();
    steps.sort_by_key(|(address, _, took)| (std::cmp::Reverse(*took), address.clone()));
    let named = steps.into_iter().take(NAMED).map(|(address, verb, took)| {
        format!("{address} {} in {}", step_words(*verb).done, span(*took))
    });
    let named: Vec<String> = named.collect();
    (!named.is_empty()).then(|| format!("Slowest: {}.", named.join(", ")))
}

fn totals(plan: &Plan, report: &Report, estimate: Option<&Estimate>, style: Style) -> String {
    let mut time = span(report.elapsed);
    if let Some(estimate) = estimate.filter(|_| report.is_complete()) {
        let _ = write!(time, " (estimated: {})", span(estimate.total()));
    }
    let name = match plan.purpose {
        Purpose::Apply => "Apply",
        Purpose::Destroy => "Destroy",
    };
    let counts = done(report);
    if report.is_complete() {
        let head = style.paint(Paint::Good, &format!("{name} complete:"));
        return format!("{head} {counts} in {time}.\n");
    }
    let word = if report.interrupted { "interrupted" } else { "incomplete" };
    let head = style.paint(Paint::Bad, &format!("{name} {word}:"));
    format!(
        "{head} {counts}; {} failed, {} skipped, {} not done, in {time}.\n\
         Run the same command again: it continues where this run stopped.\n",
        report.failed.len(),
        report.skipped.len(),
        report.remaining.len(),
    )
}

/// `3 created, 1 deleted`.
fn done(report: &Report) -> String {
    let part = |verb: Verb| {
        let number = report.done.iter().filter(|(_, done)| *done == verb).count();
        (number > 0).then(|| format!("{number} {}", step_words(verb).done))
    };
    let parts: Vec<String> =
        [Verb::Create, Verb::Update, Verb::Delete].into_iter().filter_map(part).collect();
    if parts.is_empty() { "nothing was changed".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use payctl_engine::model::scope::Scope;
    use payctl_engine::plan::Action;

    fn change(address: &Address) -> Change {
        Change {
            name: "dev-payment-payments".into(),
            component: "queues".into(),
            origin: "config/dev.toml:41".into(),
            ..Change::new(address.clone(), Action::Create)
        }
    }

    fn denied() -> StepError {
        let message = "User: arn:aws:iam::1:user/ci is not authorized to perform: \
                       sqs:CreateQueue on resource: arn:aws:sqs:us-east-1:1:q because no \
                       identity-based policy allows the sqs:CreateQueue action";
        let mut error = OpError::new("CreateQueue", ErrorClass::Denied, "AccessDenied", message);
        error.request_id = Some("4f1c".into());
        StepError::Refused(error)
    }

    fn example() -> (Plan, Report) {
        let [queue, topic, key] =
            ["sqs.queue/payments", "sns.topic/ops", "kms.key/data"].map(|a| a.parse().unwrap());
        let plan = Plan {
            format: 1,
            scope: Scope {
                project: "payment".into(),
                env: "dev".into(),
                account: "1".into(),
                region: "us-east-1".into(),
                partition: "aws".into(),
            },
            purpose: Purpose::Apply,
            targets: Vec::new(),
            changes: [&queue, &topic, &key].map(change).to_vec(),
            unchanged: Vec::new(),
            refused: Vec::new(),
            notes: Vec::new(),
            unseen: Vec::new(),
            left_alone: Vec::new(),
            beyond: Vec::new(),
            staying: BTreeMap::new(),
            outputs: BTreeMap::new(),
        };
        let report = Report {
            took: vec![(key.clone(), Verb::Create, Duration::from_secs(30))],
            done: vec![(key, Verb::Create)],
            failed: vec![(queue.clone(), Verb::Create, denied())],
            skipped: vec![(topic, Verb::Create, queue)],
            remaining: Vec::new(),
            interrupted: false,
            outputs: BTreeMap::new(),
            elapsed: Duration::from_secs(34),
        };
        (plan, report)
    }

    #[test]
    fn a_failed_step_reports_cause_place_and_fix() {
        let (plan, report) = example();
        insta::assert_snapshot!(text(&plan, &report, &[], None, Style::PLAIN), @r#"
        error: cannot create sqs.queue/payments
          what:  CreateQueue: AccessDenied: User: arn:aws:iam::1:user/ci is not authorized to perform: sqs:CreateQueue on resource: arn:aws:sqs:us-east-1:1:q because no identity-based policy allows the sqs:CreateQueue action (request 4f1c)
          where: config/dev.toml:41 [queues], name dev-payment-payments
          hint:  allow sqs:CreateQueue on arn:aws:sqs:us-east-1:1:q for the role that payctl uses
          hint:  for AWS's rules and the permissions, run: payctl explain sqs.queue

        Skipped:
          + sns.topic/ops  waits for sqs.queue/payments

        Slowest: kms.key/data created in 30 s.
        Apply incomplete: 1 created; 1 failed, 1 skipped, 0 not done, in 34 s.
        Run the same command again: it continues where this run stopped.
        "#);
    }

    #[test]
    fn an_interrupted_run_says_what_was_done_and_what_remains() {
        let (plan, report) = example();
        let remaining = report.skipped.into_iter().map(|(step, verb, _)| (step, verb)).collect();
        let report = Report {
            failed: Vec::new(),
            skipped: Vec::new(),
            remaining,
            interrupted: true,
            ..report
        };
        insta::assert_snapshot!(text(&plan, &report, &[], None, Style::PLAIN), @r#"
        Done before the stop:
          + kms.key/data

        Remaining:
          + sns.topic/ops

        Slowest: kms.key/data created in 30 s.
        Apply interrupted: 1 created; 0 failed, 0 skipped, 1 not done, in 34 s.
        Run the same command again: it continues where this run stopped.
        "#);
    }

    #[test]
    fn a_complete_run_is_one_line() {
        let (plan, report) = example();
        let report = Report { failed: Vec::new(), skipped: Vec::new(), ..report };
        insta::assert_snapshot!(text(&plan, &report, &[], None, Style::PLAIN), @"
        Slowest: kms.key/data created in 30 s.
        Apply complete: 1 created in 34 s.
        ");
    }

    #[test]
    fn a_failed_upgrade_is_not_reported_as_a_bug() {
        const UPGRADE: Meta = Meta {
            unsettled: &[("version", "the events of the thing say why")],
            ..Meta::new("service.thing", "service", "A thing.")
        };
        let address = "service.thing/customer".parse().unwrap();
        let unsettled = |field: &str| StepError::Unsettled(vec![field.into()]);
        let advice = |field: &str| advice(&address, &unsettled(field), &[&UPGRADE]);
        assert_eq!(advice("version"), ["the events of the thing say why"]);
        assert!(advice("days")[0].contains("a bug in payctl"));
    }

    #[test]
    fn the_missing_permission_is_read_from_the_message() {
        let message = "User: x is not authorized to perform: ec2:CreateVpc on resource: \
                       arn:aws:ec2:us-east-1:1:vpc/* with an explicit deny in a policy";
        let expected = Missing {
            action: "ec2:CreateVpc".into(),
            resource: Some("arn:aws:ec2:us-east-1:1:vpc/*".into()),
            explicit: true,
        };
        assert_eq!(missing(message), Some(expected));
        assert_eq!(missing("You are not authorized to perform this operation."), None);
    }
}
