//! The policies of functions, statement by statement. A function, each version of it and each alias
//! have one of their own.

use serde_json::{Value, json};

use super::super::constraints::Broken;
use super::super::toolbox::text;
use super::super::{Answer, Refusal, World};
use super::aliases::Alias;
use super::functions::Function;
use super::names::{LATEST, NAMESPACED, Named, at_most, is_alias, is_word, read_name};
use super::{conflict, functions, gone, invalid};

const POLICY: &str = "GetPolicy";

/// The statements for a qualifier of a function, if there is what it names.
pub(super) fn of<'a>(function: &'a Function, qualifier: Option<&str>) -> Option<&'a Vec<Value>> {
    match qualifier {
        Some(alias) if is_alias(alias) => function.aliases.get(alias).map(|alias| &alias.policy),
        qualifier => function.seen(qualifier).map(|seen| &seen.policy),
    }
}

/// What has a policy.
enum Holder<'a> {
    /// A function or a version of it.
    Function(&'a mut Function),
    Alias(&'a mut Alias),
}

impl<'a> Holder<'a> {
    /// What a qualifier of a function names, if it is there.
    fn of(function: &'a mut Function, region: &str, named: &Named<'_>) -> Result<Self, Refusal> {
        let arn = named.arn(region);
        match named.qualifier {
            None | Some(LATEST) => Ok(Self::Function(function)),
            Some(alias) if is_alias(alias) => match function.aliases.get_mut(alias) {
                Some(alias) => Ok(Self::Alias(alias)),
                None => Err(gone(format!("Cannot find alias arn: {arn}"))),
            },
            Some(version) => {
                let number = version.parse().unwrap_or_default();
                let found = function.versions.get_mut(&number);
                let found = found.ok_or_else(|| functions::missing(&arn))?;
                Ok(Self::Function(&mut found.was))
            }
        }
    }

    fn policy(&mut self) -> &mut Vec<Value> {
        match self {
            Self::Function(function) => &mut function.policy,
            Self::Alias(alias) => &mut alias.policy,
        }
    }

    fn revision(&self, now: f64) -> String {
        match self {
            Self::Function(function) => function.revision(now),
            Self::Alias(alias) => alias.revision.clone(),
        }
    }

    fn revise(&mut self, now: f64) {
        match self {
            Self::Function(function) => function.revise(now),
            Self::Alias(alias) => alias.revise(now),
        }
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
    let statement = new_statement(input, id, &named.arn(region))?;
    function.at_rest(region, named.name, now)?;
    let mut holder = Holder::of(function, region, &named)?;
    functions::is_at(input, &holder.revision(now), POLICY)?;
    if holder.policy().iter().any(|other| other["Sid"] == id) {
        return Err(conflict(format!(
            "The statement id ({id}) provided already exists. Please provide a new statement id, \
             or remove the existing statement."
        )));
    }
    holder.policy().push(statement.clone());
    holder.revise(now);
    Ok(json!({ "Statement": statement.to_string() }))
}

pub(super) fn get(world: &mut World, region: &str, input: &Value) -> Answer {
    let none = || gone("The resource you requested does not exist.");
    let named = read_name(region, input, &NAMESPACED)?;
    let now = world.base.now();
    let whole = Named { qualifier: None, ..named };
    let function = functions::find(world, region, &whole).map_err(|_| none())?;
    let mut holder = Holder::of(function, region, &named).map_err(|_| none())?;
    let revision = holder.revision(now);
    let statements = holder.policy();
    if statements.is_empty() {
        return Err(none());
    }
    let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
    Ok(json!({ "Policy": policy.to_string(), "RevisionId": revision }))
}

pub(super) fn remove(world: &mut World, region: &str, input: &Value) -> Answer {
    let id = text(input, "StatementId").unwrap_or_default();
    let named = read_name(region, input, &NAMESPACED)?;
    let now = world.base.now();
    let whole = Named { qualifier: None, ..named };
    let function = functions::find(world, region, &whole)
        .map_err(|_| gone(format!("No policy found for: {}", whole.arn(region))))?;
    let mut holder = Holder::of(function, region, &named)?;
    if holder.policy().is_empty() {
        return Err(gone("No policy is associated with the given resource."));
    }
    let place = holder.policy().iter().position(|statement| statement["Sid"] == id);
    let Some(place) = place else {
        return Err(gone(format!("Statement {id} is not found in resource policy.")));
    };
    functions::is_at(input, &holder.revision(now), POLICY)?;
    holder.policy().remove(place);
    holder.revise(now);
    Ok(Value::Null)
}
