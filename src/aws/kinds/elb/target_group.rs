//! Target groups, with health check and attributes folded in.
//!
//! AWS quirks: a change of an immutable setting needs a new group while a listener still uses the
//! old one, whose name is taken. So a name ends in a digest of the immutable settings. Attributes
//! are strings, and each protocol and target type has its own. A group cannot be deleted while a
//! listener or a rule forwards to it. A group for a function has no VPC, protocol and port, and checks
//! it only on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, TargetGroup as AwsTargetGroup, TargetGroupAttribute, TargetHealth,
    TargetHealthReasonEnum, TargetHealthStateEnum,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::common;
use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::load::{Driver, Passed};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetGroup {
    /// The name.
    pub name: String,
    /// The id of the VPC; not for a function.
    pub vpc: Option<Text>,
    /// The protocol of the targets: `HTTP`, `HTTPS`, `TCP`, `TLS`, `UDP`; not for a function.
    pub protocol: Option<String>,
    /// `HTTP1`, `HTTP2` or `GRPC`; only with HTTP and HTTPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
    /// The port of targets that do not name one; not for a function.
    pub port: Option<u16>,
    /// The type of the targets: `ip`, `instance`, `alb` or `lambda`.
    pub target_type: String,
    /// How targets are checked. Only a function can do without checks.
    pub health: Option<Health>,
    /// How many seconds a target that leaves may finish its work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistration_delay: Option<u32>,
    /// Whether a client stays with its target.
    pub stickiness: Option<Stickiness>,
    /// Over how many seconds a new target gets its full share; HTTP and HTTPS only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<u32>,
    /// Whether a function gets and returns headers as lists of values; functions only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_value_headers: Option<bool>,
}

/// How targets are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Health {
    /// `HTTP`, `HTTPS` or `TCP`; not for a function.
    pub protocol: Option<String>,
    /// The port, or `traffic-port`; not for a function.
    pub port: Option<String>,
    /// The path of the request; not with TCP.
    pub path: Option<String>,
    /// The codes of a healthy answer; not with TCP.
    pub matcher: Option<String>,
    /// Seconds from check to check.
    pub interval: u32,
    /// Seconds until an answer counts as missing.
    pub timeout: u32,
    /// How many good answers make a target healthy.
    pub healthy: u32,
    /// How many missing answers make it unhealthy.
    pub unhealthy: u32,
}

/// How stickiness recognises a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stickiness {
    /// A cookie of the load balancer, for so many seconds.
    Cookie(u32),
    /// Its address.
    SourceIp,
}

const DELAY: &str = "deregistration_delay.timeout_seconds";
const STICKY: &str = "stickiness.enabled";
const STICKY_TYPE: &str = "stickiness.type";
const STICKY_SECONDS: &str = "stickiness.lb_cookie.duration_seconds";
const SLOW_START: &str = "slow_start.duration_seconds";
const MULTI_VALUE: &str = "lambda.multi_value_headers.enabled";
/// The type of a group whose target is a function.
const LAMBDA: &str = "lambda";

impl Resource for TargetGroup {
    const META: Meta = Meta {
        drawn: Drawn::badge("target", "target group", &[]),
        notes: &[
            "Protocol, port, VPC and target type cannot be changed: payctl creates a group with a \
             new name, moves listeners and services to it, and deletes the old one.",
            "Such a replacement interrupts traffic: the listener uses the new group before its \
             targets are registered and healthy. For a change without a gap, add a second group \
             with its own service, shift the listener's weights (`forward = { blue = 90, green = \
             10 }`), and remove the first group when its weight is 0.",
            "A deregistered target serves its open requests until the deregistration delay ends.",
            "The target of a group of type `lambda` is one function. A change of the function replaces \
             the group. For a change without a gap, shift weights to a second group.",
        ],
        immutable: &["name", "vpc", "protocol", "protocol_version", "port", "target_type"],
        replace: Replace::CreateFirst,
        use_blocks_delete: true,
        deadline: Duration::from_secs(300),
        read_lag: Duration::from_secs(60),
        check: Some(Asked::at_aws("its targets are healthy", "targets")),
        gone_at_once: true,
        permits: &[
            Permit::look(
                &[
                    "elasticloadbalancing:DescribeTags",
                    "elasticloadbalancing:DescribeTargetGroupAttributes",
                    "elasticloadbalancing:DescribeTargetGroups",
                ],
                &["*"],
            ),
            Permit::create(
                &["elasticloadbalancing:CreateTargetGroup"],
                &["elasticloadbalancing:{here}:targetgroup/{name}/*"],
            ),
            Permit::create(&["ec2:DescribeInternetGateways", "ec2:DescribeVpcs"], &["*"]),
            Permit::set(
                &[
                    "elasticloadbalancing:AddTags",
                    "elasticloadbalancing:ModifyTargetGroupAttributes",
                ],
                &["elasticloadbalancing:{here}:targetgroup/{name}/*"],
            ),
            Permit::change(
                &["elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:RemoveTags"],
                &["elasticloadbalancing:{here}:targetgroup/{name}/*"],
            ),
            Permit::delete(
                &["elasticloadbalancing:DeleteTargetGroup"],
                &["elasticloadbalancing:{here}:targetgroup/{name}/*"],
            ),
            Permit::check(&["elasticloadbalancing:DescribeTargetHealth"], &["*"]),
        ],
        names: Some(common::named("tg")),
        section: "target_groups",
        predicted: &[(Output::Name, "{name}")],
        asked: &["port", "protocol", "target_type"],
        typical: Typical::seconds(2, 2, 5).calls(5, 5, 2),
        serves: true,
        felt: &[("stickiness", Traffic::NewConnections)],
        pricing: Pricing::Free("AWS charges for the load balancer."),
        types: &["elasticloadbalancing:targetgroup"],
        ..Meta::new(
            "elb.target_group",
            "elasticloadbalancing",
            "A group of targets for the requests of a load balancer, with its health check.",
        )
    };

    fn sample() -> Self {
        Self {
            name: "sample-targets".into(),
            vpc: Some(Text::reference(Address::new("ec2.vpc", "sample"), Output::Id)),
            protocol: Some("HTTP".into()),
            protocol_version: Some("HTTP1".into()),
            port: Some(80),
            target_type: "ip".into(),
            health: Some(Health {
                protocol: Some("HTTP".into()),
                port: Some("traffic-port".into()),
                path: Some("/health".into()),
                matcher: Some("200".into()),
                interval: 30,
                timeout: 5,
                healthy: 2,
                unhealthy: 3,
            }),
            deregistration_delay: Some(300),
            stickiness: None,
            slow_start: Some(0),
            multi_value_headers: None,
        }
    }

    fn variants() -> Vec<Self> {
        let health = Health {
            protocol: Some("HTTPS".into()),
            port: Some("8443".into()),
            path: Some("/ready".into()),
            matcher: Some("200-299".into()),
            interval: 10,
            timeout: 4,
            healthy: 3,
            unhealthy: 5,
        };
        vec![
            Self { health: Some(health), ..Self::sample() },
            Self {
                deregistration_delay: Some(30),
                stickiness: Some(Stickiness::Cookie(3600)),
                slow_start: Some(60),
                ..Self::sample()
            },
        ]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let users = ["autoscaling.group", "ecs.service", "elb.target"];
        let users = users.into_iter().flat_map(|kind| cx.users(kind)).collect();
        Costs::split(users, Driver::Requests, cx.load(Driver::Requests))
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let mut listed = list(cx).await?.to_vec();
        listed.retain(|one| common::may_be_ours(cx, one.target_group_name().unwrap_or_default()));
        let arns = listed.iter().filter_map(|one| one.target_group_arn.clone());
        let mut tags = common::tags_of_all(cx, arns).await?;
        let found = listed.into_iter().filter_map(|one| {
            let tags = tags.remove(one.target_group_arn()?)?;
            let name = one.target_group_name()?;
            let (address, owner) = common::shortened(cx, name, cx.claim(name, &tags))?;
            Some(async move {
                let attributes = attributes_of(cx.aws, one.target_group_arn().unwrap_or_default());
                let live = attributes.await?.map(|attributes| to_live(one, &attributes, tags));
                Ok::<_, OpError>(live.map(|live| Found { address, owner, live }))
            })
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (arn, aws) = (cx.id(), cx.aws);
        let send =
            aws.elasticloadbalancingv2.describe_target_groups().target_group_arns(arn).send();
        let described = async { send.await.map_err(op("DescribeTargetGroups")).or_gone() };
        let (described, attributes, tags) =
            futures::try_join!(described, attributes_of(aws, arn), common::tags_of(aws, arn))?;
        let one = described.and_then(|answer| answer.target_groups?.into_iter().next());
        Ok(one
            .zip(attributes)
            .zip(tags)
            .map(|((one, attributes), tags)| to_live(one, &attributes, tags)))
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(common::tags_of(cx.aws, cx.id()).await?.map(|tags| Live { tags, ..planned }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let call = cx.aws.elasticloadbalancingv2.create_target_group();
        let mut call = call
            .name(&self.name)
            .set_vpc_id(self.vpc.as_ref().map(|vpc| vpc.known().to_owned()))
            .set_protocol(self.protocol.as_deref().map(Into::into))
            .set_protocol_version(self.protocol_version.clone())
            .set_port(self.port.map(Into::into))
            .target_type(self.target_type.as_str().into())
            .health_check_enabled(self.health.is_some())
            .set_tags(common::to_tags(cx.tags));
        if let Some(health) = &self.health {
            call = call
                .set_health_check_protocol(health.protocol.as_deref().map(Into::into))
                .set_health_check_port(health.port.clone())
                .set_health_check_path(health.path.clone())
                .set_matcher(self.matcher(health))
                .set_health_check_interval_seconds(health.interval.try_into().ok())
                .set_health_check_timeout_seconds(health.timeout.try_into().ok())
                .set_healthy_threshold_count(health.healthy.try_into().ok())
                .set_unhealthy_threshold_count(health.unhealthy.try_into().ok());
        }
        let answer = call.send().await.map_err(op("CreateTargetGroup"))?;
        let one = answer.target_groups.unwrap_or_default().into_iter().next();
        common::made("CreateTargetGroup", one.and_then(|one| one.target_group_arn))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        if self.health != live.spec.health {
            let call =
                cx.aws.elasticloadbalancingv2.modify_target_group().target_group_arn(&live.id);
            let mut call = call.health_check_enabled(self.health.is_some());
            if let Some(health) = &self.health {
                call = call
                    .set_health_check_protocol(health.protocol.as_deref().map(Into::into))
                    .set_health_check_port(health.port.clone())
                    .set_health_check_path(health.path.clone())
                    .set_matcher(self.matcher(health))
                    .set_health_check_interval_seconds(health.interval.try_into().ok())
                    .set_health_check_timeout_seconds(health.timeout.try_into().ok())
                    .set_healthy_threshold_count(health.healthy.try_into().ok())
                    .set_unhealthy_threshold_count(health.unhealthy.try_into().ok());
            }
            call.send().await.map_err(op("ModifyTargetGroup"))?;
        }
        let old = live.spec.attributes();
        let changes =
            self.attributes().into_iter().filter(|(key, value)| old.get(key) != Some(value));
        let changes: Vec<_> = changes
            .map(|(key, value)| TargetGroupAttribute::builder().key(key).value(value).build())
            .collect();
        if !changes.is_empty() {
            let call = cx.aws.elasticloadbalancingv2.modify_target_group_attributes();
            let send = call.target_group_arn(&live.id).set_attributes(Some(changes)).send();
            send.await.map_err(op("ModifyTargetGroupAttributes"))?;
        }
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send =
            cx.aws.elasticloadbalancingv2.delete_target_group().target_group_arn(&live.id).send();
        send.await.map_err(op("DeleteTargetGroup")).or_gone().map(drop)
    }

    async fn check(cx: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        let send = cx
            .aws
            .elasticloadbalancingv2
            .describe_target_health()
            .target_group_arn(&live.id)
            .send();
        let answer = send.await.map_err(op("DescribeTargetHealth"))?;
        let all = answer.target_health_descriptions.unwrap_or_default();
        let states: Vec<_> = all.iter().filter_map(|one| one.target_health()).collect();
        let is = |health: &TargetHealth, states: &[TargetHealthStateEnum]| {
            health.state().is_some_and(|state| states.contains(state))
        };
        let healthy = states.iter().filter(|it| is(it, &[TargetHealthStateEnum::Healthy])).count();
        // One that leaves is not asked, nor is one that nobody uses, nor one without a health check.
        let unasked = [TargetHealthStateEnum::Draining, TargetHealthStateEnum::Unused];
        let bad = states.iter().find(|it| {
            let is_unchecked = it.reason() == Some(&TargetHealthReasonEnum::HealthCheckDisabled);
            !is(it, &[TargetHealthStateEnum::Healthy]) && !is(it, &unasked) && !is_unchecked
        });
        Ok(match bad {
            Some(bad) => {
                let state = bad.state().map(|state| state.as_str()).unwrap_or_default();
                let why = bad.description().unwrap_or_default();
                let all = states.len();
                Verdict::Failed(format!("{healthy} of {all} targets are healthy; {state}: {why}"))
            }
            None if healthy == 0 => Verdict::NotRun("it has no target that is checked".into()),
            None => Verdict::Passed(format!("{healthy} healthy")),
        })
    }
}

/// All target groups of the region.
pub(super) async fn list(cx: &Survey<'_>) -> Result<Arc<Vec<AwsTargetGroup>>, OpError> {
    let list = async {
        let pages =
            cx.aws.elasticloadbalancingv2.describe_target_groups().page_size(400).into_paginator();
        pages.items().send().try_collect().await.map_err(op("DescribeTargetGroups"))
    };
    cx.once("elb:DescribeTargetGroups", list).await
}

/// The ARNs of the load balancers that lead to target groups with our names: one of another environment
/// may be among them.
pub(super) async fn balancers(cx: &Survey<'_>) -> Result<BTreeSet<String>, OpError> {
    let groups = list(cx).await?;
    let ours = groups
        .iter()
        .filter(|one| common::may_be_ours(cx, one.target_group_name().unwrap_or_default()));
    Ok(ours.flat_map(|one| one.load_balancer_arns().iter().cloned()).collect())
}

async fn attributes_of(aws: &Aws, arn: &str) -> Result<Option<BTreeMap<String, String>>, OpError> {
    let send =
        aws.elasticloadbalancingv2.describe_target_group_attributes().target_group_arn(arn).send();
    let answer = send.await.map_err(op("DescribeTargetGroupAttributes")).or_gone()?;
    let pair = |one: TargetGroupAttribute| Some((one.key?, one.value.unwrap_or_default()));
    let all = |list: Vec<TargetGroupAttribute>| list.into_iter().filter_map(pair).collect();
    Ok(answer.map(|answer| all(answer.attributes.unwrap_or_default())))
}

fn to_live(
    one: AwsTargetGroup,
    attributes: &BTreeMap<String, String>,
    tags: Tags,
) -> Live<TargetGroup> {
    let id = one.target_group_arn.unwrap_or_default();
    let name = one.target_group_name.unwrap_or_default();
    let text = |key: &str| attributes.get(key).map(String::as_str);
    let number = |key: &str| text(key).and_then(|text| text.parse().ok());
    let count = |number: Option<i32>| number.and_then(|it| it.try_into().ok()).unwrap_or_default();
    let sticky = (text(STICKY) == Some("true")).then(|| match text(STICKY_TYPE) {
        Some("source_ip") => Stickiness::SourceIp,
        _ => Stickiness::Cookie(number(STICKY_SECONDS).unwrap_or_default()),
    });
    let is_function = one.target_type.as_ref().is_some_and(|it| it.as_str() == LAMBDA);
    let has_ports = !is_function;
    let protocol = one.protocol.filter(|_| has_ports).map(|it| it.as_str().to_owned());
    let is_http = protocol.as_ref().is_some_and(|it| it.starts_with("HTTP"));
    let check = one.health_check_protocol.filter(|_| has_ports).map(|it| it.as_str().to_owned());
    let asks = is_function || check.as_ref().is_some_and(|it| it.starts_with("HTTP"));
    let matcher = one.matcher.and_then(|matcher| matcher.http_code.or(matcher.grpc_code));
    let health = Health {
        protocol: check,
        port: one.health_check_port.filter(|_| has_ports),
        path: one.health_check_path.filter(|_| asks),
        matcher: matcher.filter(|_| asks),
        interval: count(one.health_check_interval_seconds),
        timeout: count(one.health_check_timeout_seconds),
        healthy: count(one.healthy_threshold_count),
        unhealthy: count(one.unhealthy_threshold_count),
    };
    let spec = TargetGroup {
        name: name.clone(),
        vpc: one.vpc_id.filter(|_| has_ports).map(Text::from),
        protocol_version: one.protocol_version.filter(|_| is_http),
        port: one.port.filter(|_| has_ports).and_then(|port| port.try_into().ok()),
        target_type: one.target_type.map(|it| it.as_str().to_owned()).unwrap_or_default(),
        health: Some(health).filter(|_| has_ports || one.health_check_enabled == Some(true)),
        deregistration_delay: number(DELAY).filter(|_| has_ports),
        stickiness: sticky.filter(|_| has_ports),
        slow_start: number(SLOW_START).filter(|_| is_http),
        multi_value_headers: is_function.then(|| text(MULTI_VALUE) == Some("true")),
        protocol,
    };
    // `targetgroup/NAME/ID`.
    let metric = id.rsplit(':').next().unwrap_or_default().to_owned();
    let outputs = [
        (Output::Arn, id.clone()),
        (Output::Id, id.clone()),
        (Output::Name, name),
        (Output::Metric, metric),
    ];
    Live { spec, outputs: Outputs::from(outputs), tags, phase: Phase::Ready, id }
}

impl TargetGroup {
    fn matcher(&self, health: &Health) -> Option<Matcher> {
        let codes = health.matcher.as_ref()?;
        let matcher = Matcher::builder();
        Some(match self.protocol_version.as_deref() {
            Some("GRPC") => matcher.grpc_code(codes).build(),
            _ => matcher.http_code(codes).build(),
        })
    }

    /// The attributes that it must have.
    fn attributes(&self) -> BTreeMap<&'static str, String> {
        let multi_value = self.multi_value_headers;
        let mut all: BTreeMap<_, _> =
            multi_value.map(|on| (MULTI_VALUE, on.to_string())).into_iter().collect();
        if self.target_type != LAMBDA {
            all.insert(STICKY, self.stickiness.is_some().to_string());
        }
        all.extend(self.deregistration_delay.map(|seconds| (DELAY, seconds.to_string())));
        all.extend(self.slow_start.map(|seconds| (SLOW_START, seconds.to_string())));
        match self.stickiness {
            None => {}
            Some(Stickiness::SourceIp) => drop(all.insert(STICKY_TYPE, "source_ip".into())),
            Some(Stickiness::Cookie(seconds)) => {
                all.insert(STICKY_TYPE, "lb_cookie".into());
                all.insert(STICKY_SECONDS, seconds.to_string());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_survive_the_round_trip() {
        for want in [Some(Stickiness::Cookie(60)), Some(Stickiness::SourceIp), None] {
            let want = TargetGroup { stickiness: want, ..TargetGroup::sample() };
            let attributes = want.attributes().into_iter();
            let attributes = attributes.map(|(key, value)| (key.to_owned(), value)).collect();
            let one = AwsTargetGroup::builder().protocol("HTTP".into()).build();
            let read = to_live(one, &attributes, Tags::new()).spec;
            assert_eq!(read.stickiness, want.stickiness);
            assert_eq!(read.deregistration_delay, want.deregistration_delay);
        }
    }

    #[test]
    fn a_tcp_health_check_has_neither_path_nor_codes() {
        let one = AwsTargetGroup::builder().protocol("TCP".into()).protocol_version("HTTP1");
        let one = one.health_check_protocol("TCP".into()).health_check_path("/").build();
        let read = to_live(one, &BTreeMap::new(), Tags::new()).spec;
        let health = read.health.expect("addresses are checked");
        assert_eq!((health.path, health.matcher, read.slow_start), (None, None, None));
        assert_eq!(read.protocol_version, None);
    }

    #[test]
    fn a_group_for_a_function_has_no_ports_and_checks_on_demand() {
        let one = |checked| {
            let one = AwsTargetGroup::builder().target_type(LAMBDA.into());
            let one = one.health_check_enabled(checked).health_check_path("/");
            to_live(one.build(), &BTreeMap::new(), Tags::new()).spec
        };
        let read = one(false);
        assert_eq!((read.vpc, read.protocol, read.port, read.health), (None, None, None, None));
        let health = one(true).health.expect("it is checked");
        assert_eq!((health.path.as_deref(), health.port), (Some("/"), None));
        assert_eq!(one(true).attributes(), BTreeMap::from([(MULTI_VALUE, "false".to_owned())]));
    }
}
