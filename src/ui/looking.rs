//! Texts about a survey: its progress, and the kinds that payctl could not read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::style::{Paint, Style};
use super::text::one_line;
use payctl_engine::model::error::OpError;
use payctl_engine::survey::{Looking, SurveyError};

/// `reading: 48 of 54 kinds, waiting for rds`.
pub fn progress(looking: &Looking) -> String {
    let waiting: Vec<&str> = looking.waiting.iter().copied().collect();
    let waiting = match waiting.as_slice() {
        [] => String::new(),
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!(", waiting for {first}, {second}, {third} and {} more", rest.len())
        }
        few => format!(", waiting for {}", few.join(", ")),
    };
    format!("reading: {} of {} kinds{waiting}", looking.done, looking.all)
}

/// A line for each reason why payctl could not read some kinds.
pub fn reasons(unseen: &[SurveyError]) -> Vec<String> {
    let (unsupported, failed): (Vec<_>, Vec<_>) =
        unseen.iter().partition(|unseen| unseen.is_unsupported());
    let failed = alike(&failed, OpError::to_string);
    let failed = failed.iter().map(|(why, kinds)| format!("cannot read {kinds}: {why}"));
    let unsupported = alike(&unsupported, |error| error.message.clone());
    let unsupported = unsupported
        .iter()
        .map(|(why, kinds)| format!("this endpoint does not know {kinds}: {why}"));
    failed.chain(unsupported).map(|reason| one_line(&reason)).collect()
}

/// The kinds by the reason that they share.
fn alike(unseen: &[&SurveyError], why: fn(&OpError) -> String) -> BTreeMap<String, String> {
    let mut alike: BTreeMap<String, String> = BTreeMap::new();
    for SurveyError { kind, error } in unseen {
        let kinds = alike.entry(why(error)).or_default();
        if !kinds.is_empty() {
            kinds.push_str(", ");
        }
        kinds.push_str(kind);
    }
    alike
}

/// The same as warnings.
pub fn warnings(unseen: &[SurveyError], style: Style) -> String {
    let warning = style.paint(Paint::Warn, "warning:");
    reasons(unseen).iter().map(|reason| format!("{warning} {reason}\n")).collect()
}

/// The kinds that payctl could not read, as a member of JSON lines.
pub fn json(unseen: &[SurveyError]) -> Value {
    unseen.iter().map(|unseen| json!({ "kind": unseen.kind, "error": unseen.error })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use payctl_engine::model::error::ErrorClass;

    fn unseen(kind: &str, op: &str, class: ErrorClass, code: &str) -> SurveyError {
        let error = OpError::new(op, class, code, "it says why");
        SurveyError { kind: kind.into(), error }
    }

    #[test]
    fn progress_names_few_services() {
        let looking = |waiting: &[&'static str]| Looking {
            done: 54 - waiting.len(),
            all: 54,
            waiting: waiting.iter().copied().collect(),
        };
        assert_eq!(progress(&looking(&["rds"])), "reading: 53 of 54 kinds, waiting for rds");
        assert_eq!(
            progress(&looking(&["ec2", "iam", "kms", "rds", "sqs"])),
            "reading: 49 of 54 kinds, waiting for ec2, iam, kms and 2 more"
        );
    }

    #[test]
    fn kinds_with_equal_errors_share_a_line() {
        let all = [
            unseen("ec2.vpc", "DescribeVpcs", ErrorClass::Denied, "UnauthorizedOperation"),
            unseen("costs.monitor", "GetMonitors", ErrorClass::Unsupported, "NoCode"),
            unseen("rds.cluster", "DescribeDBClusters", ErrorClass::Service, "Timeout"),
            unseen("rds.instance", "DescribeDBClusters", ErrorClass::Service, "Timeout"),
            unseen("guards.detector", "ListDetectors", ErrorClass::Unsupported, "NoCode"),
        ];
        insta::assert_snapshot!(warnings(&all, Style::PLAIN), @"
        warning: cannot read rds.cluster, rds.instance: DescribeDBClusters: Timeout: it says why
        warning: cannot read ec2.vpc: DescribeVpcs: UnauthorizedOperation: it says why
        warning: this endpoint does not know costs.monitor, guards.detector: it says why
        ");
    }
}
