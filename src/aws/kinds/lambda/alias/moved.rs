//! What a shift moves of an alias: the weight of its other version. An apply leaves that alone.

use std::collections::BTreeMap;

use aws_sdk_lambda::types::AliasConfiguration;
use serde_json::Value;

use super::LATEST;
use crate::aws::clients::Aws;
use crate::aws::kinds::lambda::common;
use crate::aws::moved::{self, without};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::meta::Remark;
use payctl_engine::traffic::TAG_SHIFT;

/// Why an alias does not move.
const DIVIDED: &str = "the alias divides its calls between two versions; end that, and apply again";

/// The tag on the function that says which run moves the calls of an alias.
pub(crate) fn claim_of(alias: Option<&str>) -> String {
    format!("{TAG_SHIFT}:{}", alias.unwrap_or_default())
}

/// Refuses another version while the calls are divided, or a run of a shift moves them.
pub(super) async fn unclaimed(
    aws: &Aws,
    function: &str,
    alias: &AliasConfiguration,
    is_shifted: bool,
) -> Result<(), OpError> {
    let (_, other) = standing(alias);
    if other.is_some_and(|(_, weight)| weight > 0.0) {
        return Err(OpError::new("UpdateAlias", ErrorClass::Invalid, "Divided", DIVIDED));
    }
    if !is_shifted {
        return Ok(());
    }
    let tags = common::tags_of(aws, &common::arn_of(aws, function)).await?.unwrap_or_default();
    moved::unclaimed("UpdateAlias", tags.get(&claim_of(alias.name())))
}

/// The version that an alias names in fact, and the other one with its part of the calls: a version
/// that gets all calls is the one that the alias names.
pub(super) fn standing(alias: &AliasConfiguration) -> (String, Option<(String, f64)>) {
    let named = alias.function_version().unwrap_or(LATEST).to_owned();
    match weights(alias).into_iter().next() {
        Some((other, weight)) if weight >= 1.0 => (other, None),
        other => (named, other),
    }
}

/// The spec that counts as wanted, if the alias stays at its version, or a shift moves the calls: a
/// release that waits for it is there.
pub(super) fn moved(want: &Value, live: &Value) -> Option<Value> {
    let holds = want.get("hold").is_some();
    if !holds && want.get("shift").is_none() {
        return None;
    }
    let mut moved = without("hold", &without("shift", want, live)?, live)?;
    let candidate = live.get("candidate").filter(|candidate| !candidate.is_null());
    let waits = candidate.is_some() && want.get("release") == candidate;
    if holds && is_published(live) || waits {
        moved["release"] = live.get("release")?.clone();
    }
    Some(moved)
}

/// Whether an alias names a version. There is nothing to hold, and nothing to share calls with, in an alias of the
/// unpublished code.
pub(crate) fn is_published(live: &Value) -> bool {
    live.pointer("/release/code").and_then(Value::as_str).is_some_and(|code| !code.is_empty())
}

/// What a plan says of an alias that divides its calls.
pub(super) fn under_way(want: &Value, live: &Value) -> Option<Remark> {
    let weights = live.get("weights")?.as_object()?;
    let (version, weight) = weights.iter().next()?;
    let percent = weight.as_f64()? * 100.0;
    if let Some(shift) = want.get("shift").and_then(Value::as_str) {
        return Some((
            format!("version {version} gets {percent}% of its calls, by the shift `{shift}`"),
            format!("an apply leaves that alone; payctl shift {shift} moves the calls"),
        ));
    }
    if percent <= 0.0 || percent >= 100.0 {
        return None;
    }
    Some((
        format!("version {version} gets {percent}% of its calls; payctl does not change that"),
        "payctl points the alias to another version only after all calls go to one".to_owned(),
    ))
}

pub(super) fn weights(alias: &AliasConfiguration) -> BTreeMap<String, f64> {
    let weights = alias.routing_config().and_then(|found| found.additional_version_weights());
    weights.into_iter().flatten().map(|(version, weight)| (version.clone(), *weight)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_says_who_else_gets_calls() {
        let live = json!({ "weights": { "4": 0.25 } });
        let (said, _) = under_way(&json!({}), &live).unwrap();
        assert_eq!(said, "version 4 gets 25% of its calls; payctl does not change that");
        let (said, _) = under_way(&json!({ "shift": "pay" }), &live).unwrap();
        assert_eq!(said, "version 4 gets 25% of its calls, by the shift `pay`");
        assert_eq!(under_way(&json!({}), &json!({})), None);
        assert_eq!(under_way(&json!({}), &json!({ "weights": { "4": 1.0 } })), None);
    }
}
