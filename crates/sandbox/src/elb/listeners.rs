//! Listeners and their default actions.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{KEY_VALUE, Tags, add_tags, list, need, number, tag_list, text, texts};
use super::super::{Answer, Refusal, World};
use super::{
    INVALID, State, TAGS, arn_of, certificates, invalid, is_in, listed, missing, policies,
};

/// A listener.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Listener {
    /// The ARN of its load balancer.
    pub balancer: String,
    pub port: i64,
    protocol: String,
    /// The certificate that answers by default.
    pub certificate: Option<String>,
    /// The others, which answer by the name that a client asks for.
    pub more: Vec<String>,
    policy: Option<String>,
    /// The action in the form of answers.
    pub action: Value,
    pub tags: Tags,
    /// The tags of its default rule.
    pub rule_tags: Tags,
}

/// The policy of a secure listener that names none.
const POLICY: &str = "ELBSecurityPolicy-2016-08";

impl Listener {
    pub(super) fn forwards_to(&self, target: &str) -> bool {
        targets(&self.action).iter().any(|one| one == target)
    }

    /// Whether it has rules.
    pub(super) fn speaks_http(&self) -> bool {
        self.protocol.starts_with("HTTP")
    }

    /// The certificates that it shows to clients.
    pub(super) fn certificates(&self) -> impl Iterator<Item = &String> {
        self.certificate.iter().chain(&self.more)
    }

    fn render(&self, arn: &str) -> Value {
        let certificate = self.certificate.iter().map(|arn| json!({ "CertificateArn": arn }));
        json!({
            "ListenerArn": arn,
            "LoadBalancerArn": self.balancer,
            "Port": self.port,
            "Protocol": self.protocol,
            "Certificates": self.policy.as_ref().map(|_| certificate.collect::<Vec<_>>()),
            "SslPolicy": self.policy,
            "MutualAuthentication": (self.protocol == "HTTPS").then(|| json!({ "Mode": "off" })),
            "DefaultActions": [self.action],
        })
    }
}

/// The target groups of an action.
pub(super) fn targets(action: &Value) -> Vec<String> {
    let forward = action.get("ForwardConfig").unwrap_or(&Value::Null);
    let groups = list(forward, "TargetGroups").iter();
    groups.filter_map(|one| text(one, "TargetGroupArn")).map(str::to_owned).collect()
}

/// An action with the members that AWS adds. Network load balancers have no weights.
pub(super) fn completed(action: &Value, has_weights: bool) -> Result<Value, Refusal> {
    let kind = need(action, "Type", INVALID)?;
    let within = |key: &str| action.get(key).filter(|it| it.is_object());
    match kind {
        "forward" => {
            let single = text(action, "TargetGroupArn");
            let forward = within("ForwardConfig");
            let mut groups: Vec<Value> = forward
                .map(|it| list(it, "TargetGroups"))
                .unwrap_or_default()
                .iter()
                .map(|one| {
                    let weight = number(one, "Weight").unwrap_or(1);
                    json!({ "TargetGroupArn": one["TargetGroupArn"], "Weight": weight })
                })
                .collect();
            if groups.is_empty() {
                groups.extend(single.map(|arn| json!({ "TargetGroupArn": arn, "Weight": 1 })));
            }
            if groups.is_empty() || groups.len() > 5 {
                return Err(invalid("A forward action has one to five target groups"));
            }
            if groups.iter().any(|one| !(0..=999).contains(&one["Weight"].as_i64().unwrap_or(0))) {
                return Err(invalid("A weight must be between 0 and 999"));
            }
            let sticky = forward.and_then(|it| it.get("TargetGroupStickinessConfig"));
            let enabled = sticky.and_then(|it| text(it, "Enabled")) == Some("true");
            let seconds = sticky.and_then(|it| number(it, "DurationSeconds"));
            let mut sticky = json!({ "Enabled": enabled });
            if enabled {
                sticky["DurationSeconds"] = json!(seconds.unwrap_or(3600));
            }
            if !has_weights {
                groups.iter_mut().for_each(|one| one["Weight"] = Value::Null);
            }
            let only = (groups.len() == 1).then(|| groups[0]["TargetGroupArn"].clone());
            Ok(json!({
                "Type": kind,
                "TargetGroupArn": only,
                "ForwardConfig": { "TargetGroups": groups, "TargetGroupStickinessConfig": sticky },
            }))
        }
        "redirect" => {
            let to =
                within("RedirectConfig").ok_or_else(|| invalid("A redirect leads somewhere"))?;
            let or = |key: &str, other: &str| text(to, key).unwrap_or(other).to_owned();
            Ok(json!({ "Type": kind, "RedirectConfig": {
                "Protocol": or("Protocol", "#{protocol}"),
                "Port": or("Port", "#{port}"),
                "Host": or("Host", "#{host}"),
                "Path": or("Path", "/#{path}"),
                "Query": or("Query", "#{query}"),
                "StatusCode": need(to, "StatusCode", INVALID)?,
            }}))
        }
        "fixed-response" => {
            let answer = within("FixedResponseConfig");
            let answer = answer.ok_or_else(|| invalid("A fixed response has a status"))?;
            need(answer, "StatusCode", INVALID)?;
            Ok(json!({ "Type": kind, "FixedResponseConfig": answer }))
        }
        other => Err(invalid(format!("The sandbox does not know the action '{other}'"))),
    }
}

/// The listener that a request describes; members that it leaves out come from `old`.
fn described(
    world: &World,
    region: &str,
    old: Listener,
    input: &Value,
) -> Result<Listener, Refusal> {
    let state = &world.elb;
    let mut one = old;
    one.port = number(input, "Port").unwrap_or(one.port);
    one.protocol = text(input, "Protocol").map_or(one.protocol, str::to_owned);
    let balancer = state.balancers.get(&one.balancer).ok_or_else(|| missing(&one.balancer))?;
    let allowed: &[&str] = match balancer.kind.as_str() {
        "network" => &["TCP", "TLS", "UDP", "TCP_UDP"],
        _ => &["HTTP", "HTTPS"],
    };
    if !allowed.contains(&one.protocol.as_str()) {
        let message =
            format!("Protocol '{}' must be one of the following {allowed:?}", one.protocol);
        return Err(invalid(message));
    }
    let given = list(input, "Certificates").first().and_then(|it| text(it, "CertificateArn"));
    if ["HTTPS", "TLS"].contains(&one.protocol.as_str()) {
        one.certificate = given.map(str::to_owned).or(one.certificate);
        one.policy = text(input, "SslPolicy").map(str::to_owned).or(one.policy);
        one.policy.get_or_insert_with(|| POLICY.to_owned());
        let Some(certificate) = &one.certificate else {
            let message = format!("A certificate must be specified for {} listeners", one.protocol);
            return Err(Refusal::new("ValidationError", message));
        };
        certificates::check(world, region, certificate)?;
        one.policy.as_deref().map_or(Ok(()), policies::check)?;
    } else {
        if given.is_some() {
            return Err(invalid("Certificates cannot be specified for HTTP and TCP listeners"));
        }
        (one.certificate, one.policy, one.more) = (None, None, Vec::new());
    }
    if let Some(action) = list(input, "DefaultActions").first() {
        one.action = completed(action, balancer.kind == "application")?;
    }
    check_targets(state, &one.action, &one.balancer)?;
    Ok(one)
}

/// Refuses target groups that a load balancer cannot use.
pub(super) fn check_targets(state: &State, action: &Value, arn: &str) -> Result<(), Refusal> {
    let balancer = state.balancers.get(arn).ok_or_else(|| missing(arn))?;
    for target in targets(action) {
        let group = state.targets.get(&target).ok_or_else(|| missing(&target))?;
        if group.kind == "lambda" && balancer.kind != "application" {
            let message = "Functions are targets of application load balancers only";
            return Err(Refusal::new("InvalidConfigurationRequest", message));
        }
        if group.kind != "lambda" && group.vpc != balancer.vpc {
            return Err(invalid("Target group and load balancer are in different VPCs"));
        }
        if state.user_of(&target).is_some_and(|user| user != arn) {
            let message = format!(
                "The following target groups cannot be associated with more than one load \
                 balancer: {target}"
            );
            return Err(Refusal::new("TargetGroupAssociationLimit", message));
        }
    }
    Ok(())
}

/// The listener that has the same port of the same load balancer.
fn taken(state: &State, one: &Listener, but: &str) -> Option<String> {
    let mut others = state.listeners.iter();
    let same = |it: &Listener| (&it.balancer, it.port) == (&one.balancer, one.port);
    others.find(|(arn, it)| *arn != but && same(it)).map(|(arn, _)| arn.clone())
}

fn duplicate() -> Refusal {
    let message = "A listener already exists on this port for this load balancer";
    Refusal::new("DuplicateListener", message)
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let balancer = need(input, "LoadBalancerArn", INVALID)?;
    if list(input, "DefaultActions").is_empty() {
        return Err(invalid("A listener needs a default action"));
    }
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
    let bare = Listener { balancer: balancer.to_owned(), tags, ..Listener::default() };
    let one = described(world, region, bare, input)?;
    if let Some(old) = taken(&world.elb, &one, "") {
        let it = &world.elb.listeners[&old];
        let same = it.render("") == one.render("") && it.tags == one.tags;
        return if same { Ok(json!({ "Listeners": [it.render(&old)] })) } else { Err(duplicate()) };
    }
    let place = balancer.split_once(":loadbalancer/").map_or("", |(_, place)| place);
    let arn = arn_of(region, &format!("listener/{place}/{:016x}", world.base.number()));
    let answer = json!({ "Listeners": [one.render(&arn)] });
    world.elb.listeners.insert(arn, one);
    Ok(answer)
}

pub(super) fn describe(state: &State, input: &Value) -> Answer {
    let arns = texts(input, "ListenerArns");
    let balancer = text(input, "LoadBalancerArn");
    if let Some(unknown) = arns.iter().find(|arn| !state.listeners.contains_key(*arn)) {
        return Err(missing(unknown));
    }
    if let Some(unknown) = balancer.filter(|arn| !state.balancers.contains_key(*arn)) {
        return Err(missing(unknown));
    }
    if arns.is_empty() && balancer.is_none() {
        return Err(invalid("You must specify either listener ARNs or a load balancer ARN"));
    }
    let here = state.listeners.iter().filter(|(arn, one)| {
        (arns.is_empty() || arns.contains(arn)) && balancer.is_none_or(|it| it == one.balancer)
    });
    let shown = here.map(|(arn, one)| (arn.clone(), one.render(arn))).collect();
    Ok(listed(input, "Listeners", shown))
}

pub(super) fn modify(world: &mut World, region: &str, input: &Value) -> Answer {
    let arn = need(input, "ListenerArn", INVALID)?;
    let old = world.elb.listeners.get(arn).filter(|_| is_in(region, arn)).cloned();
    let one = described(world, region, old.ok_or_else(|| missing(arn))?, input)?;
    if taken(&world.elb, &one, arn).is_some() {
        return Err(duplicate());
    }
    let answer = json!({ "Listeners": [one.render(arn)] });
    world.elb.listeners.insert(arn.to_owned(), one);
    Ok(answer)
}

pub(super) fn delete(state: &mut State, input: &Value) -> Answer {
    let arn = need(input, "ListenerArn", INVALID)?;
    state.listeners.remove(arn).ok_or_else(|| missing(arn))?;
    state.rules.retain(|_, rule| rule.listener != arn);
    Ok(json!({}))
}
