//! The policies of functions, statement by statement. The sandbox does not have versions and
//! aliases.

use serde_json::{Value, json};

use super::super::constraints::Broken;
use super::super::toolbox::text;
use super::super::{Answer, Refusal, World};
use super::names::{LATEST, NAMESPACED, Named, at_most, is_alias, is_word, read_name};
use super::{conflict, functions, gone, invalid};

const POLICY: &str = "GetPolicy";

/// Refuses a version or an alias, because the sandbox has none.
fn exists(region: &str, named: &Named<'_>) -> Result<(), Refusal> {
    match named.qualifier {
        None => Ok(()),
        Some(alias) if is_alias(alias) => {
            Err(gone(format!("Cannot find alias arn: {}", named.arn(region))))
        }
        Some(_) => Err(functions::missing(&named.arn(region))),
    }
}

/// The statement that a request adds.
fn new_statement(input: &Value, id: &str, resource: &str) -> Result<Value, Refusal> {
    let principal = text(input, "Principal").unwrap_or_default();
    let who = match principal {
        service if service.ends_with(".amazonaws.com") => json!({ "Service": service }),
        "*" => json!("*"),
        account if account.len() == 12 => json!({ "AWS": format!("arn:aws:iam::{account}:root") }),
        arn if arn.starts_with("arn:") => json!({ "AWS": arn }),
        _ => {
            return Err(invalid(
                "The provided principal was invalid. Please check the principal and try again.",
            ));
        }
    };
    let mut statement = json!({
        "Sid": id,
        "Effect": "Allow",
        "Principal": who,
        "Action": text(input, "Action"),
        "Resource": resource,
    });
    for (member, operator, key) in [
        ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
        ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
    ] {
        if let Some(value) = text(input, member) {
            statement["Condition"][operator][key] = json!(value);
        }
    }
    Ok(statement)
}

pub(super) fn add(world: &mut World, region: &str, input: &Value) -> Answer {
    let id = text(input, "StatementId").unwrap_or_default();
    let mut broken = Broken::default();
    if !is_word(id, "") {
        let rule = "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)";
        broken.note("statementId", id, rule);
    }
    if id.len() > 100 {
        broken.note("statementId", id, &at_most(100));
    }
    broken.refuse()?;
    let named = read_name(region, input, &NAMESPACED)?;
    if named.qualifier == Some(LATEST) {
        return Err(invalid("We currently do not support adding policies for $LATEST."));
    }
    let now = world.base.now();
    let whole = Named { qualifier: None, ..named };
    let function = functions::find(world, region, &whole)?;
    let statement = new_statement(input, id, &whole.arn(region))?;
    exists(region, &named)?;
    function.at_rest(region, named.name, now)?;
    function.is_at(input, now, POLICY)?;
    if function.policy.iter().any(|other| other["Sid"] == id) {
        return Err(conflict(format!(
            "The statement id ({id}) provided already exists. Please provide a new statement id, \
             or remove the existing statement."
        )));
    }
    function.policy.push(statement.clone());
    function.revise(now);
    Ok(json!({ "Statement": statement.to_string() }))
}

pub(super) fn get(world: &mut World, region: &str, input: &Value) -> Answer {
    let none = || gone("The resource you requested does not exist.");
    let named = read_name(region, input, &NAMESPACED)?;
    let now = world.base.now();
    let function = functions::find(world, region, &named).map_err(|_| none())?;
    if !function.has_policy() {
        return Err(none());
    }
    let statements = &function.policy;
    let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
    Ok(json!({ "Policy": policy.to_string(), "RevisionId": function.revision(now) }))
}

pub(super) fn remove(world: &mut World, region: &str, input: &Value) -> Answer {
    let id = text(input, "StatementId").unwrap_or_default();
    let named = read_name(region, input, &NAMESPACED)?;
    let now = world.base.now();
    let whole = Named { qualifier: None, ..named };
    let function = functions::find(world, region, &whole)
        .map_err(|_| gone(format!("No policy found for: {}", whole.arn(region))))?;
    exists(region, &named)?;
    if !function.has_policy() {
        return Err(gone("No policy is associated with the given resource."));
    }
    let place = function.policy.iter().position(|statement| statement["Sid"] == id);
    let Some(place) = place else {
        return Err(gone(format!("Statement {id} is not found in resource policy.")));
    };
    function.is_at(input, now, POLICY)?;
    function.policy.remove(place);
    function.revise(now);
    Ok(Value::Null)
}
