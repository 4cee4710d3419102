//! The sandbox's WAFv2, for regional resources.
//!
//! Quirks kept: Every write needs the lock token of the last read. A resource has one web ACL, and
//! a new one replaces it. An associated ACL cannot be deleted. An association is deleted with its
//! resource. The name of a log destination must begin with `aws-waf-logs-`. A strict sandbox
//! refuses to associate a new ACL for a moment, and treats a released one as associated for a
//! while.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, Touch, kept};
use super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, here, need, number, page, put, remove_tags, tag_list, tag_pairs,
    text, texts, uuid, within,
};
use super::{ACCOUNT, Answer, Base, Call, Refusal, World, apigateway, elb};

mod logging;
mod rules;
#[cfg(test)]
mod tests;

/// The state of WAF.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Web ACLs by region and name.
    acls: Shelf<Acl>,
    /// The ARN of the ACL of each resource, by the resource's ARN.
    associations: Shelf<String>,
    /// The logging configurations, by the ARN of the ACL.
    logging: Shelf<Value>,
}

kept!(State { acls, associations, logging });

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Acl {
    id: String,
    arn: String,
    lock: String,
    made: f64,
    /// When it was last disassociated.
    let_go: f64,
    /// The members that callers set and read.
    members: Value,
    tags: Tags,
}

const INVALID: &str = "WAFInvalidParameterException";
const MISSING: &str = "WAFNonexistentItemException";
/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = (INVALID, "WAFLimitsExceededException");
/// The members of an ACL that an update replaces.
const MEMBERS: &[&str] = &[
    "Description",
    "DefaultAction",
    "VisibilityConfig",
    "Rules",
    "DataProtectionConfig",
    "CustomResponseBodies",
    "CaptchaConfig",
    "ChallengeConfig",
    "TokenDomains",
    "AssociationConfig",
];
/// How long a strict sandbox does not see a new ACL, or still counts a released one as associated,
/// in seconds.
const LAG: f64 = 8.0;

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![("acls", state.acls.len()), ("associations", state.associations.len())]
}

/// The tags of all web ACLs of a region, by ARN.
pub(super) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    here(&state.acls, region).map(|(_, acl)| (acl.arn.clone(), Cow::Borrowed(&acl.tags)))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    forget_what_is_gone(world);
    if call.operation == "AssociateWebACL" && !is_there(world, resource_arn(input)?) {
        return Err(missing());
    }
    if call.operation == "PutLoggingConfiguration" {
        return logging::put(world, region, input);
    }
    let World { base, waf: state, .. } = world;
    match call.operation.as_str() {
        "GetLoggingConfiguration" => logging::get(state, input),
        "DeleteLoggingConfiguration" => logging::delete(state, input),
        "CreateWebACL" => create(state, base, region, input),
        "GetWebACL" => {
            let acl = find(state, region, input)?;
            Ok(json!({ "WebACL": view(acl), "LockToken": acl.lock }))
        }
        "ListWebACLs" => list(state, region, input),
        "UpdateWebACL" => update(state, base, region, input),
        "DeleteWebACL" => delete(state, base, region, input),
        "ListTagsForResource" => {
            let acl = by_arn(state, need(input, "ResourceARN", INVALID)?)?;
            let tags = tag_pairs(&acl.tags, KEY_VALUE);
            Ok(json!({ "TagInfoForResource": { "ResourceARN": acl.arn, "TagList": tags } }))
        }
        "TagResource" => {
            let acl = by_arn(state, need(input, "ResourceARN", INVALID)?)?;
            add_tags(&mut acl.tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
            Ok(json!({}))
        }
        "UntagResource" => {
            let acl = by_arn(state, need(input, "ResourceARN", INVALID)?)?;
            remove_tags(&mut acl.tags, &texts(input, "TagKeys"));
            Ok(json!({}))
        }
        "AssociateWebACL" => associate(state, base, input),
        "DisassociateWebACL" => {
            let resource = resource_arn(input)?;
            if let Some(arn) = state.associations.remove(resource) {
                let_go(state, base, &arn);
            }
            Ok(json!({}))
        }
        "GetWebACLForResource" => {
            let arn = state.associations.get(resource_arn(input)?).cloned();
            match arn {
                Some(arn) => Ok(json!({ "WebACL": view(by_arn(state, &arn)?) })),
                None => Ok(json!({})),
            }
        }
        "ListResourcesForWebACL" => {
            let arn = by_arn(state, need(input, "WebACLArn", INVALID)?)?.arn.clone();
            let kind = match text(input, "ResourceType").unwrap_or("APPLICATION_LOAD_BALANCER") {
                "APPLICATION_LOAD_BALANCER" => ":loadbalancer/app/",
                "API_GATEWAY" => ":apigateway:",
                _ => return Ok(json!({ "ResourceArns": [] })),
            };
            let found = state.associations.iter().filter(|(_, acl)| **acl == arn);
            let found = found.map(|(resource, _)| resource).filter(|arn| arn.contains(kind));
            Ok(json!({ "ResourceArns": found.collect::<Vec<_>>() }))
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

fn missing() -> Refusal {
    let message = "AWS WAF couldn't perform the operation because your resource doesn't exist.";
    Refusal::new(MISSING, message)
}

fn regional(input: &Value) -> Result<(), Refusal> {
    match text(input, "Scope") {
        Some("REGIONAL") => Ok(()),
        Some("CLOUDFRONT") => Err(Refusal::not_covered("wafv2", "the scope CLOUDFRONT")),
        _ => {
            Err(Refusal::new(INVALID, "Error reason: The scope is not valid., field: SCOPE_VALUE"))
        }
    }
}

fn find<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Acl, Refusal> {
    regional(input)?;
    let (name, id) = (need(input, "Name", INVALID)?, need(input, "Id", INVALID)?);
    let acl = state.acls.get_mut(&at(region, name)).filter(|acl| acl.id == id);
    acl.ok_or_else(missing)
}

fn by_arn<'a>(state: &'a mut State, arn: &str) -> Result<&'a mut Acl, Refusal> {
    let acl = state.acls.values_mut().find(|acl| acl.arn == arn);
    acl.map(Touch::into_mut).ok_or_else(missing)
}

/// The ACL for a write with this lock token.
fn unlocked<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Acl, Refusal> {
    let acl = find(state, region, input)?;
    if need(input, "LockToken", INVALID)? == acl.lock {
        Ok(acl)
    } else {
        let message = "AWS WAF couldn't save your changes because someone changed the \
                           resource after you started to edit it. Reapply your changes.";
        Err(Refusal::new("WAFOptimisticLockException", message))
    }
}

fn view(acl: &Acl) -> Value {
    let mut view = acl.members.clone();
    view["Id"] = acl.id.as_str().into();
    view["ARN"] = acl.arn.as_str().into();
    view["Capacity"] = rules::capacity(&acl.members).into();
    view["ManagedByFirewallManager"] = false.into();
    view["RetrofittedByFirewallManager"] = false.into();
    let name = text(&acl.members, "Name").unwrap_or_default();
    view["LabelNamespace"] = format!("awswaf:{ACCOUNT}:webacl:{name}:").into();
    view
}

fn read_members(input: &Value) -> Result<Value, Refusal> {
    let mut members = json!({ "Name": need(input, "Name", INVALID)? });
    for member in MEMBERS {
        put(&mut members, member, input.get(*member).cloned());
    }
    rules::check(&mut members)?;
    if let Some(rules) = members.get_mut("Rules").and_then(Value::as_array_mut) {
        rules.sort_by_key(|rule| number(rule, "Priority"));
    }
    Ok(members)
}

fn create(state: &mut State, base: &mut Base, region: &str, input: &Value) -> Answer {
    regional(input)?;
    let members = read_members(input)?;
    let name = need(input, "Name", INVALID)?;
    if state.acls.contains_key(&at(region, name)) {
        let message = "AWS WAF couldn't perform the operation because some resource in your \
                       request is a duplicate of an existing one.";
        return Err(Refusal::new("WAFDuplicateItemException", message));
    }
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
    let id = uuid(base);
    let arn = format!("arn:aws:wafv2:{region}:{ACCOUNT}:regional/webacl/{name}/{id}");
    let lock = uuid(base);
    let acl = Acl { id, arn, lock, made: base.now(), let_go: 0.0, members, tags };
    let summary = summary_of(name, &acl);
    state.acls.insert(at(region, name), acl);
    Ok(json!({ "Summary": summary }))
}

fn summary_of(name: &str, acl: &Acl) -> Value {
    let mut summary = json!({ "Name": name, "Id": acl.id, "ARN": acl.arn, "LockToken": acl.lock });
    put(&mut summary, "Description", acl.members.get("Description").cloned());
    summary
}

fn list(state: &State, region: &str, input: &Value) -> Answer {
    regional(input)?;
    let limit = within(input, "Limit", 1..=100, INVALID)?.unwrap_or(100);
    let acls =
        here(&state.acls, region).map(|(name, acl)| (name.to_owned(), summary_of(name, acl)));
    let (acls, next) = page(acls.collect(), text(input, "NextMarker"), limit as usize);
    let mut answer = json!({ "WebACLs": acls });
    put(&mut answer, "NextMarker", next);
    Ok(answer)
}

fn update(state: &mut State, base: &mut Base, region: &str, input: &Value) -> Answer {
    let lock = uuid(base);
    let acl = unlocked(state, region, input)?;
    acl.members = read_members(input)?;
    acl.lock = lock;
    Ok(json!({ "NextLockToken": acl.lock }))
}

fn delete(state: &mut State, base: &Base, region: &str, input: &Value) -> Answer {
    let acl = unlocked(state, region, input)?;
    let lingers = base.strict && base.now() < acl.let_go + LAG;
    let arn = acl.arn.clone();
    if lingers || state.associations.values().any(|used| *used == arn) {
        let message = "AWS WAF couldn't perform the operation because your resource is being \
                       used by another resource or it's associated with another resource.";
        return Err(Refusal::new("WAFAssociatedItemException", message));
    }
    state.logging.remove(&arn);
    state.acls.remove(&at(region, need(input, "Name", INVALID)?));
    Ok(json!({}))
}

/// The ARN of a load balancer or an API stage.
fn resource_arn(input: &Value) -> Result<&str, Refusal> {
    let arn = need(input, "ResourceArn", INVALID)?;
    let stage = arn.contains(":apigateway:") && arn.contains("::/restapis/");
    let stage = stage && arn.contains("/stages/");
    if stage || arn.contains(":loadbalancer/app/") {
        Ok(arn)
    } else {
        let message = "Error reason: The ARN isn't valid., field: RESOURCE_ARN";
        Err(Refusal::new(INVALID, message))
    }
}

/// Whether the load balancer or stage exists.
fn is_there(world: &World, resource: &str) -> bool {
    elb::has_balancer(&world.elb, resource) || apigateway::has_stage(&world.apigateway, resource)
}

/// Deletes the associations of deleted resources.
fn forget_what_is_gone(world: &mut World) {
    let resources = world.waf.associations.keys();
    let gone: Vec<String> = resources.filter(|arn| !is_there(world, arn)).cloned().collect();
    for resource in gone {
        if let Some(acl) = world.waf.associations.remove(&resource) {
            let_go(&mut world.waf, &world.base, &acl);
        }
    }
}

fn associate(state: &mut State, base: &Base, input: &Value) -> Answer {
    let resource = resource_arn(input)?.to_owned();
    let acl = by_arn(state, need(input, "WebACLArn", INVALID)?)?;
    if base.strict && base.now() < acl.made + LAG {
        let message = "AWS WAF couldn't retrieve the resource that you requested. Retry your \
                       request.";
        return Err(Refusal::new("WAFUnavailableEntityException", message));
    }
    let arn = acl.arn.clone();
    if let Some(old) = state.associations.insert(resource, arn.clone()).filter(|old| *old != arn) {
        let_go(state, base, &old);
    }
    Ok(json!({}))
}

fn let_go(state: &mut State, base: &Base, arn: &str) {
    if let Ok(acl) = by_arn(state, arn) {
        acl.let_go = base.now();
    }
}
