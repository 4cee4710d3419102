//! The results of checks: as a table, as JSON, and as JUnit XML for CI.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::style::{Paint, Style, count, table};
use super::text::one_line;
use payctl_engine::checks::{Checking, Outcome};
use payctl_engine::model::scope::Scope;
use payctl_engine::model::verdict::Verdict;

/// `checking: 48 of 74 done, 1 failed, waiting for checks.validate`.
pub fn progress(checking: &Checking) -> String {
    let Checking { done, failed, all, running } = checking;
    let failed = if *failed == 0 { String::new() } else { format!(", {failed} failed") };
    let waiting = match running.as_slice() {
        [] => String::new(),
        [one] => format!(", waiting for {one}"),
        [first, rest @ ..] => format!(", waiting for {first} and {} more", rest.len()),
    };
    format!("checking: {done} of {all} done{failed}{waiting}")
}

/// The word of a verdict, its look and its detail.
fn word(verdict: &Verdict) -> (&'static str, Paint, &str) {
    match verdict {
        Verdict::Passed(seen) => ("ok", Paint::Good, seen),
        Verdict::Failed(why) => ("failed", Paint::Bad, why),
        Verdict::NotRun(why) => ("not run", Paint::Warn, why),
    }
}

/// How many passed, failed and were not run.
fn tally(outcomes: &[Outcome]) -> [usize; 3] {
    outcomes.iter().fold([0; 3], |[passed, failed, not_run], outcome| match outcome.verdict {
        Verdict::Passed(_) => [passed + 1, failed, not_run],
        Verdict::Failed(_) => [passed, failed + 1, not_run],
        Verdict::NotRun(_) => [passed, failed, not_run + 1],
    })
}

/// The results for people, by component.
pub fn text(outcomes: &[Outcome], style: Style) -> String {
    const WIDTH: usize = "not run".len();
    let mut text = String::new();
    // Each component has columns of its own: the address of a check may be long.
    for group in outcomes.chunk_by(|one, other| one.component == other.component) {
        let _ = writeln!(text, "{}", style.paint(Paint::Bold, &one_line(&group[0].component)));
        let cells = group.iter().map(|outcome| {
            let (_, _, detail) = word(&outcome.verdict);
            [outcome.subject.as_str(), &outcome.what, detail].map(str::to_owned).to_vec()
        });
        for (outcome, line) in group.iter().zip(table(&cells.collect::<Vec<_>>())) {
            let (word, paint, _) = word(&outcome.verdict);
            let gap = " ".repeat(WIDTH + 2 - word.len());
            let _ = writeln!(text, "  {}{gap}{line}", style.paint(paint, word));
        }
        text.push('\n');
    }
    let [passed, failed, not_run] = tally(outcomes);
    let all = count(outcomes.len(), "check");
    let _ = writeln!(text, "{all}: {passed} passed, {failed} failed, {not_run} not run.");
    text
}

/// The results as the body of a `checks` line.
pub fn json(outcomes: &[Outcome]) -> Value {
    let checks = outcomes.iter().map(|outcome| {
        let (word, _, detail) = word(&outcome.verdict);
        json!({
            "component": outcome.component,
            "subject": outcome.subject,
            "what": outcome.what,
            "result": word.replace(' ', "_"),
            "detail": Some(detail).filter(|detail| !detail.is_empty()),
            "elapsed_ms": u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
        })
    });
    let checks: Vec<Value> = checks.collect();
    let [passed, failed, not_run] = tally(outcomes);
    let summary = json!({ "passed": passed, "failed": failed, "not_run": not_run });
    json!({ "checks": checks, "summary": summary })
}

/// The results as JUnit XML: a suite for each component. A check that was not run is skipped.
pub fn junit(outcomes: &[Outcome], scope: &Scope) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let name = escaped(&format!("payctl check {} {}", scope.project, scope.env));
    let _ = writeln!(xml, "<testsuites name=\"{name}\" {}>", sums(outcomes));
    for suite in outcomes.chunk_by(|one, other| one.component == other.component) {
        let component = escaped(&suite[0].component);
        let _ = writeln!(xml, "  <testsuite name=\"{component}\" {}>", sums(suite));
        for outcome in suite {
            let name = escaped(&format!("{}: {}", outcome.subject, outcome.what));
            let time = seconds(outcome.took);
            let _ = write!(
                xml,
                "    <testcase classname=\"{component}\" name=\"{name}\" time=\"{time}\""
            );
            let _ = match &outcome.verdict {
                Verdict::Passed(_) => writeln!(xml, "/>"),
                Verdict::Failed(why) => {
                    writeln!(xml, "><failure message=\"{}\"/></testcase>", escaped(why))
                }
                Verdict::NotRun(why) => {
                    writeln!(xml, "><skipped message=\"{}\"/></testcase>", escaped(why))
                }
            };
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn sums(outcomes: &[Outcome]) -> String {
    let [_, failed, not_run] = tally(outcomes);
    let time = seconds(outcomes.iter().map(|outcome| outcome.took).sum());
    let all = outcomes.len();
    format!(
        "tests=\"{all}\" failures=\"{failed}\" errors=\"0\" skipped=\"{not_run}\" time=\"{time}\""
    )
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// A text in an attribute of XML, which cannot hold most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            control if control.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::text::shown;
    use super::*;

    fn outcome(component: &str, subject: &str, verdict: Verdict) -> Outcome {
        Outcome {
            component: component.into(),
            subject: subject.into(),
            what: "it answers".into(),
            verdict,
            took: Duration::from_millis(1250),
        }
    }

    fn outcomes() -> Vec<Outcome> {
        vec![
            outcome(
                "queues",
                "sqs.queue/payments",
                Verdict::Failed("1 < 2 & \u{1b}[31m\n\"x\"".into()),
            ),
            outcome("queues", "sqs.queue/payments-dlq", Verdict::passed()),
            outcome("tables", "dynamodb.table/t", Verdict::Passed("seen".into())),
            outcome("checks", "checks.health", Verdict::NotRun("nothing answers".into())),
        ]
    }

    #[test]
    fn results_are_shown_by_component() {
        insta::assert_snapshot!(shown(Style::PLAIN, &text(&outcomes(), Style::PLAIN)), @r#"
        queues
          failed   sqs.queue/payments      it answers  1 < 2 & \u{1b}[31m\n"x"
          ok       sqs.queue/payments-dlq  it answers

        tables
          ok       dynamodb.table/t  it answers  seen

        checks
          not run  checks.health  it answers  nothing answers

        4 checks: 2 passed, 1 failed, 1 not run.
        "#);
        let json = json(&outcomes());
        insta::assert_snapshot!(json["checks"][3], @r#"{"component":"checks","detail":"nothing answers","elapsed_ms":1250,"result":"not_run","subject":"checks.health","what":"it answers"}"#);
        insta::assert_snapshot!(json["summary"], @r#"{"failed":1,"not_run":1,"passed":2}"#);
    }

    #[test]
    fn junit_has_a_suite_for_each_component_and_escapes_every_text() {
        let scope = Scope {
            project: "payment".into(),
            env: "dev".into(),
            account: "000000000000".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        };
        insta::assert_snapshot!(junit(&outcomes(), &scope), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="payctl check payment dev" tests="4" failures="1" errors="0" skipped="1" time="5.000">
          <testsuite name="queues" tests="2" failures="1" errors="0" skipped="0" time="2.500">
            <testcase classname="queues" name="sqs.queue/payments: it answers" time="1.250"><failure message="1 &lt; 2 &amp; �[31m&#10;&quot;x&quot;"/></testcase>
            <testcase classname="queues" name="sqs.queue/payments-dlq: it answers" time="1.250"/>
          </testsuite>
          <testsuite name="tables" tests="1" failures="0" errors="0" skipped="0" time="1.250">
            <testcase classname="tables" name="dynamodb.table/t: it answers" time="1.250"/>
          </testsuite>
          <testsuite name="checks" tests="1" failures="0" errors="0" skipped="1" time="1.250">
            <testcase classname="checks" name="checks.health: it answers" time="1.250"><skipped message="nothing answers"/></testcase>
          </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn progress_names_what_is_waited_for() {
        let checking = |failed, running: &[&str]| Checking {
            done: 48,
            failed,
            all: 74,
            running: running.iter().map(|one| (*one).to_owned()).collect(),
        };
        assert_eq!(progress(&checking(0, &[])), "checking: 48 of 74 done");
        assert_eq!(
            progress(&checking(2, &["checks.a", "checks.b", "checks.c"])),
            "checking: 48 of 74 done, 2 failed, waiting for checks.a and 2 more"
        );
    }
}
