//! Rules of listeners: conditions, actions and their order.
//!
//! Every listener has a default rule, which shows the listener's own action. AWS keeps conditions
//! and their values as sets, and returns them in an order of its own.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{
    KEY_VALUE, Tags, add_tags, digest, list, need, number, tag_list, text, texts,
};
use super::super::{Answer, Refusal, World};
use super::listeners::{check_targets, completed, targets};
use super::{INVALID, State, TAGS, invalid, listed, missing};

/// A rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Rule {
    /// The ARN of its listener.
    pub listener: String,
    pub priority: i64,
    pub conditions: Vec<Value>,
    pub action: Value,
    pub tags: Tags,
}

/// The most rules that a load balancer has, default rules aside.
const MOST_RULES: usize = 100;
/// The most values that the conditions of a rule have, and the most wildcards in them.
const MOST_VALUES: usize = 5;

/// The fields of conditions with the members that hold their values.
const FIELDS: [(&str, &str); 6] = [
    ("host-header", "HostHeaderConfig"),
    ("http-header", "HttpHeaderConfig"),
    ("http-request-method", "HttpRequestMethodConfig"),
    ("path-pattern", "PathPatternConfig"),
    ("query-string", "QueryStringConfig"),
    ("source-ip", "SourceIpConfig"),
];

/// The word in the place of the priority of a default rule.
const DEFAULT: &str = "default";

impl Rule {
    pub(super) fn forwards_to(&self, target: &str) -> bool {
        targets(&self.action).iter().any(|one| one == target)
    }

    fn render(&self, arn: &str) -> Value {
        json!({
            "RuleArn": arn,
            "Priority": self.priority.to_string(),
            "Conditions": self.conditions,
            "Actions": [self.action],
            "IsDefault": false,
            "Transforms": [],
        })
    }
}

/// The ARN of the default rule of a listener.
pub(super) fn default_arn(listener: &str) -> String {
    format!("{}/{}", prefix(listener), &digest(listener)[..16])
}

fn prefix(listener: &str) -> String {
    listener.replacen(":listener/", ":listener-rule/", 1)
}

/// Values in AWS's own order.
fn scattered(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by_key(|value| digest(&value.to_string()));
    values
}

fn too_long(value: &str, name: &str, most: usize) -> Result<(), Refusal> {
    if value.len() > most {
        Err(invalid(format!("The '{name}' value is too long; the limit is '{most}'")))
    } else {
        Ok(())
    }
}

/// A condition as AWS keeps it.
fn condition(given: &Value) -> Result<Value, Refusal> {
    let field = text(given, "Field").unwrap_or_default();
    let known = FIELDS.iter().find(|(name, _)| *name == field);
    let Some((_, member)) = known else {
        let fields: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
        let fields = fields.join(",");
        return Err(invalid(format!("Condition field '{field}' must be one of '[{fields}]'")));
    };
    let config = given.get(*member).filter(|config| config.is_object());
    let plain = list(given, "Values");
    let is_plain = ["host-header", "path-pattern"].contains(&field);
    let values = match (plain, config) {
        ([_, ..], _) if !is_plain => {
            return Err(invalid(format!("The 'Values' field is not compatible with '{field}'")));
        }
        ([_, ..], Some(_)) => {
            return Err(invalid(format!(
                "You cannot provide both Values and '{member}' for a condition of type '{field}'"
            )));
        }
        ([_, _, ..], None) => {
            return Err(invalid(format!(
                "The '{field}' field contains too many values; the limit is '1'"
            )));
        }
        ([one], None) => vec![one.clone()],
        ([], Some(config)) => list(config, "Values").to_vec(),
        ([], None) if is_plain => Vec::new(),
        ([], None) => {
            return Err(invalid(format!("A '{member}' must be specified with '{field}'")));
        }
    };
    if values.is_empty() {
        return Err(invalid(if is_plain {
            "A condition value must be specified".to_owned()
        } else {
            format!("A '{field}' value must be specified")
        }));
    }
    for value in &values {
        let (key, value) = match value {
            Value::String(value) => (None, Some(value.as_str())),
            pair => (text(pair, "Key"), text(pair, "Value")),
        };
        let Some(value) = value else {
            let message = "A 'Value' must be specified in 'QueryStringKeyValuePair'";
            return Err(invalid(message));
        };
        let (name, most) = match field {
            "http-request-method" => (field, 40),
            "query-string" => ("Value", 128),
            _ => (field, 128),
        };
        too_long(value, name, most)?;
        too_long(key.unwrap_or_default(), "Key", 128)?;
        let allowed = |c: char| c.is_ascii_uppercase() || "-_".contains(c);
        if field == "http-request-method" && !value.chars().all(allowed) {
            return Err(invalid(
                "The 'http-request-method' value is invalid; the allowed characters are A-Z, \
                 hyphen and underscore",
            ));
        }
        if field == "source-ip" && !is_range(value) {
            return Err(invalid(format!("The 'source-ip' value '{value}' is not a valid CIDR")));
        }
    }
    let values = scattered(values);
    let mut kept = json!({ "Field": field, "Values": [], *member: { "Values": values } });
    if is_plain {
        kept["Values"] = json!(values);
    }
    if field == "http-header" {
        let name = config.and_then(|config| text(config, "HttpHeaderName")).unwrap_or_default();
        too_long(name, "HttpHeaderName", 40)?;
        if name.is_empty() {
            return Err(invalid("A 'HttpHeaderName' must be specified in 'HttpHeaderConfig'"));
        }
        kept[*member]["HttpHeaderName"] = json!(name);
    }
    Ok(kept)
}

fn is_range(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(bits)) = (address.parse::<std::net::IpAddr>(), bits.parse::<u8>()) else {
        return false;
    };
    bits <= if address.is_ipv4() { 32 } else { 128 }
}

/// The conditions of a request as AWS keeps them.
fn conditions(input: &Value) -> Result<Vec<Value>, Refusal> {
    let mut all: Vec<Value> = Vec::new();
    for given in list(input, "Conditions") {
        let one = condition(given)?;
        let field = text(&one, "Field").unwrap_or_default();
        let once = !["http-header", "query-string"].contains(&field);
        if once && all.iter().any(|other| other["Field"] == one["Field"]) {
            let message = format!("A rule can only have one '{field}' condition");
            return Err(invalid(message));
        }
        all.push(one);
    }
    let values = |one: &Value| {
        let (_, member) = FIELDS.iter().find(|(name, _)| one["Field"] == *name)?;
        Some(list(&one[*member], "Values").to_vec())
    };
    let values: Vec<Value> = all.iter().filter_map(values).flatten().collect();
    if values.is_empty() {
        return Err(invalid("A condition must be specified"));
    }
    if values.len() > MOST_VALUES {
        let message = format!("A rule can only have '{MOST_VALUES}' condition values");
        return Err(invalid(message));
    }
    let wildcards = values.iter().map(|value| value.to_string().matches(['*', '?']).count());
    if wildcards.sum::<usize>() > MOST_VALUES {
        let message = format!("A rule can only have '{MOST_VALUES}' condition wildcards");
        return Err(invalid(message));
    }
    Ok(scattered(all))
}

/// The action of a request, if the load balancer of a listener can do it.
fn action(world: &World, listener: &str, input: &Value) -> Result<Value, Refusal> {
    let listener = world.elb.listeners.get(listener).ok_or_else(|| missing(listener))?;
    let action = match list(input, "Actions") {
        [one] => completed(one, true)?,
        [] => return Err(invalid("An action must be specified")),
        _ => return Err(Refusal::not_covered("elasticloadbalancing", "rules of several actions")),
    };
    check_targets(&world.elb, &action, &listener.balancer)?;
    Ok(action)
}

/// The priority of a request.
fn priority(input: &Value) -> Result<i64, Refusal> {
    let wanted = number(input, "Priority").unwrap_or_default();
    let rule = match wanted {
        1..=50_000 => return Ok(wanted),
        low if low < 1 => "greater than or equal to 1",
        _ => "less than or equal to 50000",
    };
    Err(invalid(format!(
        "1 validation error detected: Value '{wanted}' at 'priority' failed to satisfy constraint: \
         Member must have value {rule}"
    )))
}

/// Refuses a priority that another rule of the listener has.
fn is_free(state: &State, listener: &str, priority: i64, but: &[String]) -> Result<(), Refusal> {
    let taken = state.rules.iter().any(|(arn, other)| {
        other.listener == listener && other.priority == priority && !but.contains(arn)
    });
    if taken {
        let message = format!("Priority '{priority}' is currently in use");
        Err(Refusal::new("PriorityInUse", message))
    } else {
        Ok(())
    }
}

pub(super) fn create(world: &mut World, input: &Value) -> Answer {
    let listener = need(input, "ListenerArn", INVALID)?;
    let state = &world.elb;
    let parent = state.listeners.get(listener).ok_or_else(|| missing(listener))?;
    if !parent.speaks_http() {
        let message = "Rules are supported for application load balancers only";
        return Err(Refusal::new("UnsupportedProtocol", message));
    }
    let of_balancer = |rule: &&Rule| {
        let other = state.listeners.get(&rule.listener);
        other.is_some_and(|other| other.balancer == parent.balancer)
    };
    if state.rules.values().filter(of_balancer).count() >= MOST_RULES {
        let balancer = &parent.balancer;
        let message =
            format!("The maximum number of rules on load balancer '{balancer}' has been reached");
        return Err(Refusal::new("TooManyRules", message));
    }
    let priority = priority(input)?;
    let conditions = conditions(input)?;
    let action = action(world, listener, input)?;
    is_free(&world.elb, listener, priority, &[])?;
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
    let rule = Rule { listener: listener.to_owned(), priority, conditions, action, tags };
    let arn = format!("{}/{:016x}", prefix(listener), world.base.number());
    let answer = json!({ "Rules": [rule.render(&arn)] });
    world.elb.rules.insert(arn, rule);
    Ok(answer)
}

pub(super) fn describe(state: &State, input: &Value) -> Answer {
    let (arns, listener) = (texts(input, "RuleArns"), text(input, "ListenerArn"));
    match (arns.as_slice(), listener) {
        ([], None) => {
            return Err(invalid("You must specify either listener rule ARNs or a listener ARN"));
        }
        ([_, ..], Some(_)) => {
            return Err(invalid(
                "Listener rule ARNs and a listener ARN cannot be specified at the same time",
            ));
        }
        ([], Some(listener)) if !state.listeners.contains_key(listener) => {
            return Err(missing(listener));
        }
        _ => {}
    }
    let own = state
        .rules
        .iter()
        .map(|(arn, rule)| (&rule.listener, format!("{:05}", rule.priority), rule.render(arn)));
    let defaults = state.listeners.iter().map(|(arn, one)| {
        let rule = json!({
            "RuleArn": default_arn(arn),
            "Priority": DEFAULT,
            "Conditions": [],
            "Actions": [one.action],
            "IsDefault": true,
            "Transforms": [],
        });
        (arn, DEFAULT.to_owned(), rule)
    });
    let asked = |of: &String, rule: &Value| match listener {
        Some(listener) => of == listener,
        None => arns.iter().any(|arn| rule["RuleArn"] == **arn),
    };
    let mut shown: Vec<(String, Value)> = own
        .chain(defaults)
        .filter(|(of, _, rule)| asked(of, rule))
        .map(|(of, place, rule)| (format!("{of}{place}"), rule))
        .collect();
    shown.sort_by(|(one, _), (other, _)| one.cmp(other));
    let is_shown = |arn: &&String| shown.iter().any(|(_, rule)| rule["RuleArn"] == ***arn);
    if let Some(unknown) = arns.iter().find(|arn| !is_shown(arn)) {
        return Err(missing(unknown));
    }
    Ok(listed(input, "Rules", shown))
}

/// The rule of an ARN, which must not be a default rule.
fn find(state: &State, arn: &str, done: &str) -> Result<Rule, Refusal> {
    if state.listeners.keys().any(|listener| default_arn(listener) == arn) {
        let message = format!("Default rule '{arn}' cannot be {done}");
        return Err(Refusal::new("OperationNotPermitted", message));
    }
    state.rules.get(arn).cloned().ok_or_else(|| missing(arn))
}

pub(super) fn modify(world: &mut World, input: &Value) -> Answer {
    let arn = need(input, "RuleArn", INVALID)?;
    let mut rule = find(&world.elb, arn, "modified")?;
    let has = |member: &str| !list(input, member).is_empty();
    if !has("Conditions") && !has("Actions") {
        return Err(invalid("Either conditions or actions must be specified"));
    }
    if has("Conditions") {
        rule.conditions = conditions(input)?;
    }
    if has("Actions") {
        rule.action = action(world, &rule.listener, input)?;
    }
    let answer = json!({ "Rules": [rule.render(arn)] });
    world.elb.rules.insert(arn.to_owned(), rule);
    Ok(answer)
}

pub(super) fn delete(state: &mut State, input: &Value) -> Answer {
    let arn = need(input, "RuleArn", INVALID)?;
    find(state, arn, "deleted")?;
    state.rules.remove(arn);
    Ok(json!({}))
}

/// Gives rules new places, all at once or none.
pub(super) fn order(state: &mut State, input: &Value) -> Answer {
    let wanted = list(input, "RulePriorities");
    let mut changed: Vec<(String, Rule)> = Vec::new();
    for one in wanted {
        let arn = need(one, "RuleArn", INVALID)?;
        let mut rule = find(state, arn, "modified")?;
        rule.priority = priority(one)?;
        let twice = changed
            .iter()
            .any(|(_, other)| (&other.listener, other.priority) == (&rule.listener, rule.priority));
        if twice {
            let message = format!("Priority '{}' was provided multiple times", rule.priority);
            return Err(invalid(message));
        }
        changed.push((arn.to_owned(), rule));
    }
    let moved: Vec<String> = changed.iter().map(|(arn, _)| arn.clone()).collect();
    for (_, rule) in &changed {
        is_free(state, &rule.listener, rule.priority, &moved)?;
    }
    let rules: Vec<Value> = changed.iter().map(|(arn, rule)| rule.render(arn)).collect();
    for (arn, rule) in changed {
        state.rules.insert(arn, rule);
    }
    Ok(json!({ "Rules": rules }))
}

/// Shares the traffic of a rule among target groups.
pub(super) fn weigh(state: &mut State, arn: &str, weights: &[(String, f64)]) {
    let action = match state.rules.get_mut(arn) {
        Some(rule) => Some(&mut rule.action),
        None => {
            let mut listeners = state.listeners.iter_mut();
            let own = listeners.find(|(listener, _)| default_arn(listener) == arn);
            own.map(|(_, listener)| &mut listener.into_mut().action)
        }
    };
    let groups = weights
        .iter()
        .map(|(group, weight)| json!({ "TargetGroupArn": group, "Weight": weight.round() as i64 }));
    if let Some(action) = action {
        let sticky = action["ForwardConfig"]["TargetGroupStickinessConfig"].clone();
        let sticky = if sticky.is_object() { sticky } else { json!({ "Enabled": false }) };
        *action = json!({
            "Type": "forward",
            "TargetGroupArn": null,
            "ForwardConfig": {
                "TargetGroups": groups.collect::<Vec<_>>(),
                "TargetGroupStickinessConfig": sticky,
            },
        });
    }
}
