//! Target groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::ec2::lent;
use super::super::toolbox::{
    KEY_VALUE, Tags, add_tags, flag, need, number, tag_list, text, texts, within,
};
use super::super::{Answer, Refusal, World};
use super::registrations::Target;
use super::{
    INVALID, State, TAGS, arn_of, check_name, invalid, is_in, listed, missing, set_attributes,
    shown,
};

/// A target group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct TargetGroup {
    name: String,
    pub vpc: String,
    protocol: String,
    version: Option<String>,
    /// Functions have none.
    pub port: Option<i64>,
    pub kind: String,
    health: Health,
    attributes: BTreeMap<String, String>,
    pub tags: Tags,
    /// What was registered.
    pub members: Vec<Target>,
    /// The health that a test has set, by target; `*` is for all of them.
    pub forced: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Health {
    protocol: String,
    port: String,
    path: Option<String>,
    matcher: Option<String>,
    interval: i64,
    timeout: i64,
    healthy: i64,
    unhealthy: i64,
    /// Whether nobody checks. Only functions can do without.
    off: bool,
}

impl TargetGroup {
    pub(super) fn is_checked(&self) -> bool {
        !self.health.off
    }

    /// How long a new target takes to prove its health, in seconds.
    pub(super) fn proves_in(&self) -> f64 {
        (self.health.interval * self.health.healthy) as f64
    }

    /// Whether its function gets headers and parameters as lists.
    pub(super) fn has_lists(&self) -> bool {
        self.attributes.get("lambda.multi_value_headers.enabled").is_some_and(|it| it == "true")
    }

    pub(super) fn health_port(&self) -> Option<&str> {
        (self.kind != LAMBDA).then_some(self.health.port.as_str())
    }
}

/// The type of a group whose target is a function.
const LAMBDA: &str = "lambda";

fn is_http(protocol: &str) -> bool {
    protocol.starts_with("HTTP")
}

fn defaults(protocol: &str, target_type: &str) -> BTreeMap<String, String> {
    if target_type == LAMBDA {
        return [("lambda.multi_value_headers.enabled".to_owned(), "false".to_owned())].into();
    }
    let common = [
        ("deregistration_delay.timeout_seconds", "300"),
        ("stickiness.enabled", "false"),
        ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
        ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
        ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"),
    ];
    let http: &[(&str, &str)] = &[
        ("stickiness.type", "lb_cookie"),
        ("stickiness.lb_cookie.duration_seconds", "86400"),
        ("stickiness.app_cookie.cookie_name", ""),
        ("stickiness.app_cookie.duration_seconds", "86400"),
        ("slow_start.duration_seconds", "0"),
        ("load_balancing.algorithm.type", "round_robin"),
        ("load_balancing.algorithm.anomaly_mitigation", "off"),
    ];
    // Targets by address hide the client with TCP and TLS, unless the call says otherwise.
    let hides = target_type == "ip" && ["TCP", "TLS"].contains(&protocol);
    let other: &[(&str, &str)] = &[
        ("stickiness.type", "source_ip"),
        ("proxy_protocol_v2.enabled", "false"),
        ("preserve_client_ip.enabled", if hides { "false" } else { "true" }),
        ("deregistration_delay.connection_termination.enabled", "false"),
        ("target_health_state.unhealthy.connection_termination.enabled", "true"),
        ("target_health_state.unhealthy.draining_interval_seconds", "0"),
    ];
    let own = if is_http(protocol) { http } else { other };
    let all = common.iter().chain(own);
    all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl Health {
    /// The default checks of a protocol and its version.
    fn of(protocol: &str, version: &str) -> Self {
        let asks = is_http(protocol);
        let (path, matcher) =
            if version == "GRPC" { ("/AWS.ALB/healthcheck", "12") } else { ("/", "200") };
        Self {
            protocol: if asks { protocol } else { "TCP" }.to_owned(),
            port: "traffic-port".into(),
            path: asks.then(|| path.to_owned()),
            matcher: asks.then(|| matcher.to_owned()),
            interval: 30,
            timeout: if asks { 5 } else { 10 },
            healthy: 5,
            unhealthy: 2,
            off: false,
        }
    }

    /// What AWS assumes for a function.
    fn of_function() -> Self {
        Self {
            path: Some("/".to_owned()),
            matcher: Some("200".to_owned()),
            interval: 35,
            timeout: 30,
            healthy: 5,
            unhealthy: 2,
            off: true,
            ..Self::default()
        }
    }

    /// The same with the members of a request.
    fn with(mut self, input: &Value, kind: &str) -> Result<Self, Refusal> {
        self.off = flag(input, "HealthCheckEnabled").map_or(self.off, |on| !on);
        if self.off && kind != LAMBDA {
            return Err(invalid(format!(
                "Health check enabled must be true for target groups with target type '{kind}'"
            )));
        }
        let given = |key: &str| text(input, key).map(str::to_owned);
        self.protocol = given("HealthCheckProtocol").unwrap_or(self.protocol);
        self.port = given("HealthCheckPort").unwrap_or(self.port);
        let matcher = input.get("Matcher");
        let matcher = matcher.and_then(|it| text(it, "HttpCode").or(text(it, "GrpcCode")));
        let asks = is_http(&self.protocol) || kind == LAMBDA;
        if !asks && (given("HealthCheckPath").is_some() || matcher.is_some()) {
            return Err(invalid("A TCP health check has neither path nor matcher"));
        }
        let path = given("HealthCheckPath").or(self.path);
        self.path = asks.then(|| path.unwrap_or_else(|| "/".to_owned()));
        let matcher = matcher.map(str::to_owned).or(self.matcher);
        self.matcher = asks.then(|| matcher.unwrap_or_else(|| "200".to_owned()));
        let count = |key: &str, range, old| Ok(within(input, key, range, INVALID)?.unwrap_or(old));
        self.interval = count("HealthCheckIntervalSeconds", 5..=300, self.interval)?;
        self.timeout = count("HealthCheckTimeoutSeconds", 2..=120, self.timeout)?;
        self.healthy = count("HealthyThresholdCount", 2..=10, self.healthy)?;
        self.unhealthy = count("UnhealthyThresholdCount", 2..=10, self.unhealthy)?;
        if self.timeout >= self.interval {
            return Err(invalid(format!(
                "Health check timeout '{}' must be smaller than the interval '{}'",
                self.timeout, self.interval
            )));
        }
        if self.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Err(invalid("Health check path must begin with a '/' character"));
        }
        Ok(self)
    }
}

fn render(state: &State, arn: &str, one: &TargetGroup) -> Value {
    let matcher = one.health.matcher.as_ref().map(|codes| match one.version.as_deref() {
        Some("GRPC") => json!({ "GrpcCode": codes }),
        _ => json!({ "HttpCode": codes }),
    });
    let or_none = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "TargetGroupArn": arn,
        "TargetGroupName": one.name,
        "Protocol": or_none(&one.protocol),
        "ProtocolVersion": one.version,
        "Port": one.port,
        "VpcId": or_none(&one.vpc),
        "TargetType": one.kind,
        "IpAddressType": "ipv4",
        "HealthCheckEnabled": one.is_checked(),
        "HealthCheckProtocol": or_none(&one.health.protocol),
        "HealthCheckPort": or_none(&one.health.port),
        "HealthCheckPath": one.health.path,
        "HealthCheckIntervalSeconds": one.health.interval,
        "HealthCheckTimeoutSeconds": one.health.timeout,
        "HealthyThresholdCount": one.health.healthy,
        "UnhealthyThresholdCount": one.health.unhealthy,
        "Matcher": matcher,
        "LoadBalancerArns": state.user_of(arn).into_iter().collect::<Vec<_>>(),
    })
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "Name", INVALID)?;
    check_name(name, "Target group")?;
    let kind = text(input, "TargetType").unwrap_or("instance");
    if kind == LAMBDA {
        let members = [("Protocol", "Protocol"), ("Port", "Port"), ("VpcId", "VPC ID")];
        if let Some((_, words)) = members.iter().find(|(member, _)| input.get(*member).is_some()) {
            return Err(invalid(format!(
                "{words} cannot be specified for target groups with target type 'lambda'"
            )));
        }
    }
    let needed = |member: &str| match kind {
        LAMBDA => Ok(""),
        _ => need(input, member, INVALID),
    };
    let (protocol, vpc) = (needed("Protocol")?, needed("VpcId")?);
    let port = number(input, "Port").filter(|port| (1..=65535).contains(port));
    if port.is_none() && kind != LAMBDA {
        return Err(invalid("A port must be specified"));
    }
    if kind == "alb" && protocol != "TCP" {
        return Err(invalid("Target groups with target type 'alb' must have protocol 'TCP'"));
    }
    if kind != LAMBDA && !lent::has_vpc(world, region, vpc) {
        return Err(invalid(format!("The VPC ID '{vpc}' is not found")));
    }
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
    let version = text(input, "ProtocolVersion").unwrap_or("HTTP1");
    let one = TargetGroup {
        name: name.to_owned(),
        vpc: vpc.to_owned(),
        protocol: protocol.to_owned(),
        version: is_http(protocol).then(|| version.to_owned()),
        port,
        kind: kind.to_owned(),
        health: match kind {
            LAMBDA => Health::of_function().with(input, kind)?,
            _ => Health::of(protocol, version).with(input, kind)?,
        },
        attributes: defaults(protocol, kind),
        tags,
        ..TargetGroup::default()
    };
    let mut known = world.elb.targets.iter();
    if let Some((arn, old)) = known.find(|(arn, old)| is_in(region, arn) && old.name == name) {
        let like = |one: &TargetGroup| {
            let TargetGroup { vpc, protocol, port, kind, health, tags, .. } = one.clone();
            (vpc, protocol, port, kind, health, tags)
        };
        return if like(old) == like(&one) {
            Ok(json!({ "TargetGroups": [render(&world.elb, arn, old)] }))
        } else {
            let message = format!(
                "A target group with the same name '{name}' exists, but with different settings"
            );
            Err(Refusal::new("DuplicateTargetGroupName", message))
        };
    }
    let arn = arn_of(region, &format!("targetgroup/{name}/{:016x}", world.base.number()));
    world.elb.targets.insert(arn.clone(), one);
    let state = &world.elb;
    Ok(json!({ "TargetGroups": [render(state, &arn, &state.targets[&arn])] }))
}

pub(super) fn describe(state: &State, region: &str, input: &Value) -> Answer {
    let (arns, names) = (texts(input, "TargetGroupArns"), texts(input, "Names"));
    if let Some(unknown) = arns.iter().find(|arn| !state.targets.contains_key(*arn)) {
        return Err(missing(unknown));
    }
    let user = text(input, "LoadBalancerArn");
    let here = state.targets.iter().filter(|(arn, one)| {
        is_in(region, arn)
            && (arns.is_empty() || arns.contains(arn))
            && (names.is_empty() || names.contains(&one.name))
            && user.is_none_or(|user| state.user_of(arn) == Some(user))
    });
    let shown = here.map(|(arn, one)| (arn.clone(), render(state, arn, one))).collect();
    Ok(listed(input, "TargetGroups", shown))
}

fn find<'s>(state: &'s mut State, input: &Value) -> Result<(String, &'s mut TargetGroup), Refusal> {
    let arn = need(input, "TargetGroupArn", INVALID)?;
    let one = state.targets.get_mut(arn).ok_or_else(|| missing(arn))?;
    Ok((arn.to_owned(), one))
}

pub(super) fn modify(state: &mut State, input: &Value) -> Answer {
    let (arn, one) = find(state, input)?;
    one.health = one.health.clone().with(input, &one.kind)?;
    Ok(json!({ "TargetGroups": [render(state, &arn, &state.targets[&arn])] }))
}

pub(super) fn attributes(state: &State, input: &Value) -> Answer {
    let arn = need(input, "TargetGroupArn", INVALID)?;
    let one = state.targets.get(arn).ok_or_else(|| missing(arn))?;
    Ok(shown(&one.attributes))
}

pub(super) fn modify_attributes(state: &mut State, input: &Value) -> Answer {
    let (_, one) = find(state, input)?;
    one.attributes = set_attributes(&one.attributes, input)?;
    Ok(shown(&one.attributes))
}

pub(super) fn delete(state: &mut State, input: &Value) -> Answer {
    let arn = need(input, "TargetGroupArn", INVALID)?;
    if state.user_of(arn).is_some() {
        let message = format!("Target group '{arn}' is currently in use by a listener or a rule");
        return Err(Refusal::new("ResourceInUse", message));
    }
    state.targets.remove(arn);
    Ok(json!({}))
}
