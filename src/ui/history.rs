//! The records of runs, as text.

use std::fmt::Write as _;

use super::style::count;
use super::text::one_line;
use payctl_engine::lease::RunRecord;

/// One line for each run, the last one first, and the steps of each if they are asked for.
pub fn text(runs: &[RunRecord], with_steps: bool) -> String {
    if runs.is_empty() {
        return "No runs are recorded.\n".to_owned();
    }
    let mut text = String::new();
    for run in runs {
        let commit = run.commit.as_deref().map(|commit| commit.chars().take(10).collect());
        let commit: String = commit.unwrap_or_else(|| "no commit".to_owned());
        let steps = count(run.changed.len(), "step");
        let failed = match run.failed.len() {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let line = format!(
            "{}  {:<7}  {:<11}  {steps}{failed}  {commit}  {}",
            run.began, run.task, run.result, run.who
        );
        let _ = writeln!(text, "{}", one_line(&line));
        if let Some(other) = &run.stole_from {
            let _ = writeln!(text, "    stole the lease of run {}", one_line(other));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_line_and_its_steps_are_shown_on_demand() {
        let run = RunRecord {
            began: "2026-03-01T10:00:00Z".into(),
            run: "9f3a".into(),
            who: "arn:aws:iam::123456789012:user/ci".into(),
            task: "apply".into(),
            commit: Some("0123456789abcdef".into()),
            token: Some(3),
            result: "failed".into(),
            changed: vec!["create sqs.queue/jobs".into()],
            failed: vec!["create kms.key/main".into()],
            stole_from: Some("77aa".into()),
            over_budget: Some("the launch".into()),
            unnamed: 2,
            seconds: 4,
        };
        assert_eq!(text(&[], true), "No runs are recorded.\n");
        let runs = [run];
        insta::assert_snapshot!(text(&runs, false), @"
        2026-03-01T10:00:00Z  apply    failed       1 step, 1 failed  0123456789  arn:aws:iam::123456789012:user/ci
            stole the lease of run 77aa
            over the budget: the launch
        ");
        assert!(text(&runs, true).ends_with(
            "    create sqs.queue/jobs\n    create kms.key/main failed\n    and 2 more\n"
        ));
    }
}
