//! The sandbox's Elastic Load Balancing.
//!
//! Quirks kept: AWS refuses a taken name unless all settings are the same. A load balancer has one
//! listener per port. The target group of a listener or a rule cannot be deleted, and belongs to one load
//! balancer. Network interfaces block subnets and groups. In a strict sandbox a load balancer takes
//! two minutes to become active, and its interfaces outlive it by one.

mod balancers;
mod certificates;
mod listeners;
mod policies;
mod registrations;
mod rules;
mod serving;
mod targets;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept};
use super::toolbox::{
    KEY_VALUE, Tags, add_tags, list, page, put, remove_tags, tag_list, tag_pairs, text, texts,
};
use super::{ACCOUNT, Answer, Call, Refusal, World};

pub(crate) use serving::{Asked, Does, serving};

/// The state of Elastic Load Balancing, by ARN.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    balancers: Shelf<balancers::Balancer>,
    targets: Shelf<targets::TargetGroup>,
    listeners: Shelf<listeners::Listener>,
    rules: Shelf<rules::Rule>,
}

kept!(State { balancers, targets, listeners, rules });

const INVALID: &str = "ValidationError";
/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = (INVALID, "TooManyTags");
/// The most objects of a DescribeTags call.
const MOST_TAGGED: usize = 20;

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![
        ("load_balancers", state.balancers.len()),
        ("listeners", state.listeners.len()),
        ("rules", state.rules.len()),
        ("target_groups", state.targets.len()),
    ]
}

/// The tags of all objects in a region, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    let balancers = state.balancers.iter().map(|(arn, one)| (arn, &one.tags));
    let targets = state.targets.iter().map(|(arn, one)| (arn, &one.tags));
    let listeners = state.listeners.iter().map(|(arn, one)| (arn, &one.tags));
    let rules = state.rules.iter().map(|(arn, one)| (arn, &one.tags));
    let all = balancers.chain(targets).chain(listeners).chain(rules);
    all.filter(move |(arn, _)| is_in(region, arn))
        .map(|(arn, tags)| (arn.clone(), Cow::Borrowed(tags)))
}

/// Whether a load balancer with this ARN exists.
pub(crate) fn has_balancer(state: &State, arn: &str) -> bool {
    state.balancers.contains_key(arn)
}

/// Whether a load balancer uses the target group with this ARN, if the group exists.
pub(crate) fn target_group(world: &World, arn: &str) -> Option<bool> {
    let state = &world.elb;
    state.targets.get(arn).map(|_| state.user_of(arn).is_some())
}

/// The load balancers that show a certificate to their clients.
pub(crate) fn users_of_certificate<'a>(
    state: &'a State,
    certificate: &'a str,
) -> impl Iterator<Item = &'a String> {
    let shows = move |one: &&listeners::Listener| one.certificates().any(|arn| arn == certificate);
    state.listeners.values().filter(shows).map(|one| &one.balancer)
}

/// Whether there is a rule with this ARN, be it the default rule of a listener.
pub(crate) fn has_rule(state: &State, arn: &str) -> bool {
    state.rules.contains_key(arn)
        || state.listeners.keys().any(|listener| rules::default_arn(listener) == arn)
}

/// Shares the traffic of a rule among target groups, as ECS does for its services.
pub(crate) fn weigh(state: &mut State, rule: &str, weights: &[(String, f64)]) {
    rules::weigh(state, rule, weights);
}

/// What a test wants the targets of a group to be like: one of them, or all if it names none.
/// Without a state they are again as AWS finds them. Whether the group is there.
pub(crate) fn force_health(
    state: &mut State,
    group: &str,
    target: Option<&str>,
    health: Option<&str>,
) -> bool {
    let Some(group) = state.targets.get_mut(group) else { return false };
    let target = target.unwrap_or("*").to_owned();
    match health {
        Some(health) => drop(group.forced.insert(target, health.to_owned())),
        None => drop(group.forced.remove(&target)),
    }
    true
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    match call.operation.as_str() {
        "CreateLoadBalancer" => balancers::create(world, region, input),
        "DescribeLoadBalancers" => balancers::describe(world, region, input),
        "DescribeLoadBalancerAttributes" => balancers::attributes(&world.elb, input),
        "ModifyLoadBalancerAttributes" => balancers::modify(world, input),
        "SetSecurityGroups" => balancers::set_groups(world, region, input),
        "SetSubnets" => balancers::set_subnets(world, region, input),
        "DeleteLoadBalancer" => balancers::delete(world, region, input),
        "CreateTargetGroup" => targets::create(world, region, input),
        "DescribeTargetGroups" => targets::describe(&world.elb, region, input),
        "ModifyTargetGroup" => targets::modify(&mut world.elb, input),
        "DescribeTargetGroupAttributes" => targets::attributes(&world.elb, input),
        "ModifyTargetGroupAttributes" => targets::modify_attributes(&mut world.elb, input),
        "DeleteTargetGroup" => targets::delete(&mut world.elb, input),
        "CreateListener" => listeners::create(world, region, input),
        "DescribeListeners" => listeners::describe(&world.elb, input),
        "ModifyListener" => listeners::modify(world, region, input),
        "DeleteListener" => listeners::delete(&mut world.elb, input),
        "DescribeSSLPolicies" => policies::describe(input),
        "AddListenerCertificates" => certificates::add(world, region, input),
        "RemoveListenerCertificates" => certificates::remove(&mut world.elb, input),
        "DescribeListenerCertificates" => certificates::describe(&world.elb, input),
        "RegisterTargets" => registrations::register(world, region, input),
        "DeregisterTargets" => registrations::deregister(world, input),
        "DescribeTargetHealth" => registrations::describe(world, region, input),
        "CreateRule" => rules::create(world, input),
        "DescribeRules" => rules::describe(&world.elb, input),
        "ModifyRule" => rules::modify(world, input),
        "DeleteRule" => rules::delete(&mut world.elb, input),
        "SetRulePriorities" => rules::order(&mut world.elb, input),
        "DescribeTags" => tags(&mut world.elb, input),
        "AddTags" => {
            let more = tag_list(input, "Tags", KEY_VALUE);
            for arn in texts(input, "ResourceArns") {
                add_tags(tags_of(&mut world.elb, &arn)?, more.clone(), TAGS)?;
            }
            Ok(json!({}))
        }
        "RemoveTags" => {
            for arn in texts(input, "ResourceArns") {
                remove_tags(tags_of(&mut world.elb, &arn)?, &texts(input, "TagKeys"));
            }
            Ok(json!({}))
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(INVALID, message)
}

/// The refusal of an ARN whose object is missing.
fn missing(arn: &str) -> Refusal {
    let (code, words) = match arn {
        _ if arn.contains(":targetgroup/") => ("TargetGroupNotFound", "target groups"),
        _ if arn.contains(":listener-rule/") => ("RuleNotFound", "rules"),
        _ if arn.contains(":listener/") => ("ListenerNotFound", "listeners"),
        _ => ("LoadBalancerNotFound", "load balancers"),
    };
    Refusal::new(code, format!("One or more {words} not found: '{arn}'"))
}

fn arn_of(region: &str, rest: &str) -> String {
    format!("arn:aws:elasticloadbalancing:{region}:{ACCOUNT}:{rest}")
}

/// Whether an ARN belongs to a region.
fn is_in(region: &str, arn: &str) -> bool {
    arn.split(':').nth(3) == Some(region)
}

/// Refuses a name that Elastic Load Balancing does not accept.
fn check_name(name: &str, words: &str) -> Result<(), Refusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || name.len() > 32 {
        return Err(invalid(format!(
            "{words} name '{name}' cannot be longer than '32' characters"
        )));
    }
    if !name.chars().all(fits) || name.starts_with('-') || name.ends_with('-') {
        return Err(invalid(format!(
            "{words} name '{name}' can only contain characters that are alphanumeric characters \
             or hyphens(-), and must not begin or end with a hyphen"
        )));
    }
    Ok(())
}

/// Sets the attributes of a request, if they are known.
fn set_attributes(
    known: &BTreeMap<String, String>,
    input: &Value,
) -> Result<BTreeMap<String, String>, Refusal> {
    let mut all = known.clone();
    for one in list(input, "Attributes") {
        let key = text(one, "Key").unwrap_or_default();
        let value = text(one, "Value").unwrap_or_default();
        if !known.contains_key(key) {
            let message = format!("Load balancer attribute key '{key}' is not recognized");
            return Err(invalid(message));
        }
        all.insert(key.to_owned(), value.to_owned());
    }
    Ok(all)
}

/// Attributes in an answer.
fn shown(attributes: &BTreeMap<String, String>) -> Value {
    let pairs = attributes.iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
    json!({ "Attributes": pairs.collect::<Vec<_>>() })
}

/// A page of a Describe call.
fn listed(input: &Value, member: &str, items: Vec<(String, Value)>) -> Value {
    let size = text(input, "PageSize").and_then(|size| size.parse().ok()).unwrap_or(400);
    let (items, next) = page(items, text(input, "Marker").filter(|it| !it.is_empty()), size);
    let mut answer = json!({ member: items });
    put(&mut answer, "NextMarker", next);
    answer
}

fn tags_of<'s>(state: &'s mut State, arn: &str) -> Result<&'s mut Tags, Refusal> {
    let balancer = state.balancers.get_mut(arn).map(|one| &mut one.tags);
    let target = state.targets.get_mut(arn).map(|one| &mut one.tags);
    let mut listeners = state.listeners.iter_mut();
    let listener = listeners.find_map(|(own, one)| {
        if own == arn {
            Some(&mut one.into_mut().tags)
        } else {
            (rules::default_arn(own) == arn).then(|| &mut one.into_mut().rule_tags)
        }
    });
    let rule = state.rules.get_mut(arn).map(|one| &mut one.tags);
    balancer.or(target).or(listener).or(rule).ok_or_else(|| missing(arn))
}

fn tags(state: &mut State, input: &Value) -> Answer {
    let arns = texts(input, "ResourceArns");
    if arns.is_empty() || arns.len() > MOST_TAGGED {
        let message = format!("The number of resources must be between 1 and {MOST_TAGGED}");
        return Err(invalid(message));
    }
    let mut all = Vec::new();
    for arn in arns {
        let tags = tag_pairs(tags_of(state, &arn)?, KEY_VALUE);
        all.push(json!({ "ResourceArn": arn, "Tags": tags }));
    }
    Ok(json!({ "TagDescriptions": all }))
}

impl State {
    /// The load balancer whose listeners or rules forward to a target group.
    fn user_of(&self, target: &str) -> Option<&str> {
        let mut rules = self.rules.values();
        let rule = rules.find(|rule| rule.forwards_to(target));
        let of_rule = rule.and_then(|rule| self.listeners.get(&rule.listener));
        let mut listeners = self.listeners.values();
        let listener = listeners.find(|one| one.forwards_to(target)).or(of_rule);
        listener.map(|one| one.balancer.as_str())
    }
}
