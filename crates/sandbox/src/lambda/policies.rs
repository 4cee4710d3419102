//! The policies of functions, statement by statement.

use serde_json::{Value, json};

use super::super::toolbox::{is_name, text};
use super::super::{Answer, World};
use super::{arn, conflict, functions, gone, invalid};

pub(super) fn add(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let (name, function) = functions::find(world, region, input)?;
    function.at_rest(region, &name, now)?;
    let id = text(input, "StatementId").unwrap_or_default();
    if !is_name(id, 1..=100, "-_") {
        return Err(invalid("StatementId: 1 to 100 letters, digits, - and _"));
    }
    if function.policy.contains_key(id) {
        return Err(conflict(format!(
            "The statement id ({id}) provided already exists. Please provide a new statement id, \
             or remove the existing statement."
        )));
    }
    let principal = text(input, "Principal").unwrap_or_default();
    let who = match principal {
        service if service.ends_with(".amazonaws.com") => json!({ "Service": service }),
        "*" => json!("*"),
        account if account.len() == 12 => json!({ "AWS": format!("arn:aws:iam::{account}:root") }),
        arn if arn.starts_with("arn:") => json!({ "AWS": arn }),
        _ => return Err(invalid("The provided principal was invalid.")),
    };
    let mut statement = json!({
        "Sid": id,
        "Effect": "Allow",
        "Principal": who,
        "Action": text(input, "Action"),
        "Resource": arn(region, &name),
    });
    if let Some(account) = text(input, "SourceAccount") {
        statement["Condition"]["StringEquals"]["AWS:SourceAccount"] = json!(account);
    }
    if let Some(source) = text(input, "SourceArn") {
        statement["Condition"]["ArnLike"]["AWS:SourceArn"] = json!(source);
    }
    function.policy.insert(id.to_owned(), statement.clone());
    Ok(json!({ "Statement": statement.to_string() }))
}

pub(super) fn get(world: &mut World, region: &str, input: &Value) -> Answer {
    let (name, function) = functions::find(world, region, input)?;
    if !function.has_policy() {
        return Err(gone(&format!("the policy of {}", arn(region, &name))));
    }
    let statements: Vec<&Value> = function.policy.values().collect();
    let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
    Ok(json!({ "Policy": policy.to_string(), "RevisionId": "sandbox" }))
}

pub(super) fn remove(world: &mut World, region: &str, input: &Value) -> Answer {
    let id = text(input, "StatementId").unwrap_or_default();
    let (_, function) = functions::find(world, region, input)?;
    function.policy.remove(id).ok_or_else(|| gone(&format!("statement {id}")))?;
    Ok(Value::Null)
}
