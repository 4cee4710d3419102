//! The records of runs, as text.

use std::fmt::Write as _;

use super::style::count;
use super::text::one_line;
use payctl_engine::lease::{RunRecord, TookFrom, short};

/// One line for each run, the last one first, and the steps of each if they are asked for.
pub fn text(runs: &[RunRecord], with_steps: bool) -> String {
    if runs.is_empty() {
        return "No runs are recorded.\n".to_owned();
    }
    let mut text = String::new();
    for run in runs {
        let commit = run.commit.as_deref().map_or_else(|| "no commit".to_owned(), short);
        let person = run.person.as_ref().map_or_else(String::new, |name| format!(" for {name}"));
        let line = format!(
            "{}  {:<7}  {:<11}  {}  {commit}  {}{person}",
            run.began,
            run.task,
            run.result.replace('_', " "),
            steps(run),
            run.who
        );
        let _ = writeln!(text, "{}", one_line(&line));
        if let Some(state) = without_end(run) {
            let _ = writeln!(text, "    {}", one_line(&state));
        }
        if let Some(other) = &run.took_from {
            let _ = writeln!(text, "    {}", one_line(&taken(other)));
        }
        if let Some(reason) = &run.over_budget {
            let _ = writeln!(text, "    over the budget: {}", one_line(reason));
        }
        if with_steps {
            let failed = run.failed.iter().map(|step| format!("{step} failed"));
            for step in run.changed.iter().cloned().chain(failed) {
                let _ = writeln!(text, "    {}", one_line(&step));
            }
            if run.unnamed > 0 {
                let _ = writeln!(text, "    and {} more", run.unnamed);
            }
        }
    }
    text
}

/// How many steps it took; nobody knows while no end is recorded.
fn steps(run: &RunRecord) -> String {
    if run.has_no_end() || run.result == RunRecord::NO_END {
        return "steps unknown".to_owned();
    }
    let steps = count(run.changed.len(), "step");
    match run.failed.len() {
        0 => steps,
        failed => format!("{steps}, {failed} failed"),
    }
}

/// What is known of a run without an end.
fn without_end(run: &RunRecord) -> Option<String> {
    let heard = run.heard.as_ref().map(|at| format!("last heartbeat at {at}"));
    match &*run.result {
        RunRecord::RUNNING if run.token.is_none() => {
            Some("running, killed or lost: it has no lease by which to tell".to_owned())
        }
        RunRecord::RUNNING => heard,
        RunRecord::NO_END => {
            let heard = heard.unwrap_or_else(|| "nobody saw its last heartbeat".to_owned());
            Some(format!("did not end (killed or lost), {heard}"))
        }
        _ => None,
    }
}

/// From which run it took the lease.
fn taken(from: &TookFrom) -> String {
    let TookFrom { run, who, task, since, heard, stolen } = from;
    let how = if *stolen { "stole the lease" } else { "took over a lease that had expired," };
    let heard = heard.as_ref().map_or_else(String::new, |at| format!(", last heartbeat at {at}"));
    format!("{how} of {task} of {who} since {since} (run {run}){heard}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> RunRecord {
        RunRecord {
            began: "2026-03-01T10:00:00Z".into(),
            run: "9f3a".into(),
            who: "arn:aws:iam::123456789012:user/ci".into(),
            person: None,
            task: "apply".into(),
            commit: Some("0123456789abcdef".into()),
            token: Some(3),
            result: "failed".into(),
            changed: vec!["create sqs.queue/jobs".into()],
            failed: vec!["create kms.key/main".into()],
            took_from: None,
            heard: None,
            over_budget: Some("the launch".into()),
            unnamed: 2,
            seconds: 4,
        }
    }

    #[test]
    fn a_run_is_a_line_and_its_steps_are_shown_on_demand() {
        assert_eq!(text(&[], true), "No runs are recorded.\n");
        let runs = [example()];
        insta::assert_snapshot!(text(&runs, false), @"
        2026-03-01T10:00:00Z  apply    failed       1 step, 1 failed  0123456789  arn:aws:iam::123456789012:user/ci
            over the budget: the launch
        ");
        assert!(text(&runs, true).ends_with(
            "    create sqs.queue/jobs\n    create kms.key/main failed\n    and 2 more\n"
        ));
    }

    /// A run of which nothing but its beginning is recorded.
    fn begun(result: &str, heard: Option<&str>) -> RunRecord {
        let heard = heard.map(str::to_owned);
        let result = result.to_owned();
        let (changed, failed) = (Vec::new(), Vec::new());
        RunRecord { result, heard, changed, failed, over_budget: None, unnamed: 0, ..example() }
    }

    #[test]
    fn a_run_without_an_end_is_said_to_run_or_to_be_lost() {
        let heard = Some("2026-03-01T10:05:00Z");
        let runs = [
            begun("running", heard),
            begun("no_end", heard),
            begun("no_end", None),
            RunRecord { token: None, ..begun("running", None) },
            begun("no_change", None),
        ];
        insta::assert_snapshot!(text(&runs, false), @"
        2026-03-01T10:00:00Z  apply    running      steps unknown  0123456789  arn:aws:iam::123456789012:user/ci
            last heartbeat at 2026-03-01T10:05:00Z
        2026-03-01T10:00:00Z  apply    no end       steps unknown  0123456789  arn:aws:iam::123456789012:user/ci
            did not end (killed or lost), last heartbeat at 2026-03-01T10:05:00Z
        2026-03-01T10:00:00Z  apply    no end       steps unknown  0123456789  arn:aws:iam::123456789012:user/ci
            did not end (killed or lost), nobody saw its last heartbeat
        2026-03-01T10:00:00Z  apply    running      steps unknown  0123456789  arn:aws:iam::123456789012:user/ci
            running, killed or lost: it has no lease by which to tell
        2026-03-01T10:00:00Z  apply    no change    0 steps  0123456789  arn:aws:iam::123456789012:user/ci
        ");
    }

    #[test]
    fn a_takeover_names_from_whom_since_when_and_how() {
        let taken = |stolen| {
            let from = TookFrom {
                run: "77aa".into(),
                who: "arn:aws:iam::123456789012:user/dev".into(),
                task: "destroy".into(),
                since: "2026-03-01T09:50:00Z".into(),
                heard: Some("2026-03-01T09:58:00Z".into()),
                stolen,
            };
            let person = Some("octocat".into());
            let commit = Some("0123456789abcdef with changes".into());
            RunRecord { took_from: Some(from), person, commit, ..begun("complete", None) }
        };
        insta::assert_snapshot!(text(&[taken(false), taken(true)], false), @"
        2026-03-01T10:00:00Z  apply    complete     0 steps  0123456789 with changes  arn:aws:iam::123456789012:user/ci for octocat
            took over a lease that had expired, of destroy of arn:aws:iam::123456789012:user/dev since 2026-03-01T09:50:00Z (run 77aa), last heartbeat at 2026-03-01T09:58:00Z
        2026-03-01T10:00:00Z  apply    complete     0 steps  0123456789 with changes  arn:aws:iam::123456789012:user/ci for octocat
            stole the lease of destroy of arn:aws:iam::123456789012:user/dev since 2026-03-01T09:50:00Z (run 77aa), last heartbeat at 2026-03-01T09:58:00Z
        ");
    }
}
