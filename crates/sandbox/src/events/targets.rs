//! The targets of a rule.

use serde_json::{Value, json};

use super::super::toolbox::{list as items, page, put as set, text, texts};
use super::super::{Answer, Refusal};
use super::constraints::Constraints;
use super::{INVALID, MISSING, Rule, page_limit};

/// The most targets of a rule.
const MOST: usize = 5;

fn failure(id: &str, code: &str, message: &str) -> Value {
    json!({ "TargetId": id, "ErrorCode": code, "ErrorMessage": message })
}

fn failures(failed: Vec<Value>) -> Value {
    json!({ "FailedEntryCount": failed.len(), "FailedEntries": failed })
}

/// Adds targets, and replaces those with the same ids. AWS refuses the whole call if there are too
/// many. It reports other faults target by target.
pub(super) fn put(rule: &mut Rule, input: &Value) -> Answer {
    let targets = items(input, "Targets");
    let mut constraints = Constraints::default();
    for (number, target) in targets.iter().enumerate() {
        let place = |member: &str| format!("targets.{}.member.{member}", number + 1);
        let retry = target.get("RetryPolicy").unwrap_or(&Value::Null);
        let attempts = place("retryPolicy.maximumRetryAttempts");
        let age = place("retryPolicy.maximumEventAgeInSeconds");
        constraints = constraints
            .name(target, "Id", &place("id"))
            .some(target, "Arn", &place("arn"))
            .length(target, "Input", &place("input"), 8192)
            .range(retry, "MaximumRetryAttempts", &attempts, (0, 185))
            .range(retry, "MaximumEventAgeInSeconds", &age, (60, 86_400));
    }
    constraints.hold()?;
    let id = |target| text(target, "Id").unwrap_or_default();
    let new = targets.iter().filter(|target| !rule.targets.contains_key(id(target))).count();
    if rule.targets.len() + new > MOST {
        let message = "The requested resource exceeds the maximum number allowed.";
        return Err(Refusal::new("LimitExceededException", message));
    }
    let inputs = ["Input", "InputPath", "InputTransformer"];
    for target in targets {
        if inputs.iter().filter(|member| target.get(**member).is_some()).count() > 1 {
            let id = id(target);
            let message = format!("Only one of Input, InputPath, or InputTransformer: {id}.");
            return Err(Refusal::new(INVALID, message));
        }
    }
    let mut failed = Vec::new();
    for target in targets {
        let (id, arn) = (id(target), text(target, "Arn").unwrap_or_default());
        let is_json =
            text(target, "Input").is_none_or(|text| serde_json::from_str::<Value>(text).is_ok());
        if !is_json {
            failed.push(failure(id, INVALID, "Input is not valid JSON."));
        } else if !arn.starts_with("arn:aws") || arn.split(':').count() < 6 {
            failed.push(failure(id, INVALID, "Provided Arn is not in correct format."));
        } else if rule.targets.insert(id.to_owned(), target.clone()).is_none() {
            rule.order.push(id.to_owned());
        }
    }
    Ok(failures(failed))
}

/// Removes targets by their ids.
pub(super) fn remove(rule: &mut Rule, input: &Value) -> Value {
    let ids = texts(input, "Ids");
    let missing = ids.iter().filter(|id| rule.targets.remove(*id).is_none());
    let failed = missing.map(|id| failure(id, MISSING, "Target does not exist."));
    let failed = failures(failed.collect());
    rule.order.retain(|id| rule.targets.contains_key(id));
    failed
}

/// The targets in the order in which they were added. A rule of an earlier version has no order:
/// its targets come first.
pub(super) fn list(rule: &Rule, input: &Value) -> Answer {
    let targets = rule.targets.iter().map(|(id, target)| {
        let place = rule.order.iter().position(|known| known == id).map_or(0, |place| place + 1);
        (format!("{place} {id}"), target)
    });
    let mut targets: Vec<(String, &Value)> = targets.collect();
    targets.sort_by(|(one, _), (other, _)| one.cmp(other));
    let (targets, next) = page(targets, text(input, "NextToken"), page_limit(input)?);
    let mut answer = json!({ "Targets": targets });
    set(&mut answer, "NextToken", next);
    Ok(answer)
}
