//! Load balancers, with their attributes folded in.
//!
//! AWS quirks: creation does not take attributes, and succeeds for an existing name with the same
//! settings. Attributes are strings, and each type has its own. AWS tests access logs at once: it
//! writes an object to the bucket and refuses if it cannot. A deleted load balancer vanishes at
//! once, but its network interfaces block subnets, groups and the internet gateway for minutes
//! more: payctl counts it as deleted when they are gone.

mod convert;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::types::NetworkInterface;
use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer as AwsLoadBalancer, LoadBalancerAttribute,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::convert::{PROTECTION, changes, going, metric, to_live};
use super::common;
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::kinds::ec2;
use crate::aws::measured::Gauge;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, End, Flow, Lane};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Text};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed, gb};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoadBalancer {
    /// The name.
    pub name: String,
    /// `application` or `network`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    /// The ids of its subnets, one in each zone.
    pub subnets: BTreeSet<Text>,
    /// The ids of its security groups.
    pub groups: BTreeSet<Text>,
    /// Whether AWS refuses to delete it.
    pub deletion_protection: bool,
    /// After how many seconds without data a connection is closed (application).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<u32>,
    /// Whether clients may speak HTTP/2 (application).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http2: Option<bool>,
    /// Whether headers with invalid names are removed (application).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop_invalid_headers: Option<bool>,
    /// Whether each node sends to the targets of all zones (network; application always does).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_zone: Option<bool>,
    /// The access log; off if `None`.
    pub access_log: Option<AccessLog>,
}

/// The access log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessLog {
    /// The name of the bucket.
    pub bucket: Text,
    /// The prefix of object keys.
    pub prefix: String,
}

impl Resource for LoadBalancer {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Pass, "balancer", "load balancer").with(flows),
        notes: &[
            "A new one serves after two to four minutes.",
            "It counts as deleted when its network interfaces are gone too, some minutes later: \
             they block the deletion of its subnets and security groups.",
            "Access logs need a bucket in the same region, without a customer key, whose policy \
             allows them; AWS tests this at once.",
            "A network load balancer that was created without a security group can never get one.",
        ],
        immutable: &["name", "type", "scheme"],
        replace: Replace::DeleteFirst,
        protection_field: Some("deletion_protection"),
        deadline: Duration::from_secs(1200),
        read_lag: Duration::from_secs(60),
        transient: &[("InvalidConfigurationRequest", "Access Denied for bucket")],
        permits: &[
            Permit::look(
                &[
                    "elasticloadbalancing:DescribeLoadBalancerAttributes",
                    "elasticloadbalancing:DescribeLoadBalancers",
                    "elasticloadbalancing:DescribeTags",
                ],
                &["*"],
            ),
            Permit::create(
                &["elasticloadbalancing:CreateLoadBalancer"],
                &["elasticloadbalancing:{here}:loadbalancer/*/{name}/*"],
            ),
            Permit::create(
                &[
                    "ec2:DescribeAccountAttributes",
                    "ec2:DescribeAddresses",
                    "ec2:DescribeInternetGateways",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                ],
                &["*"],
            ),
            Permit::create(
                &["iam:CreateServiceLinkedRole"],
                &["iam::{account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*"],
            )
            .where_equal("iam:AWSServiceName", "elasticloadbalancing.amazonaws.com"),
            Permit::set(
                &[
                    "elasticloadbalancing:AddTags",
                    "elasticloadbalancing:ModifyLoadBalancerAttributes",
                ],
                &["elasticloadbalancing:{here}:loadbalancer/*/{name}/*"],
            ),
            Permit::change(
                &[
                    "elasticloadbalancing:RemoveTags",
                    "elasticloadbalancing:SetSecurityGroups",
                    "elasticloadbalancing:SetSubnets",
                ],
                &["elasticloadbalancing:{here}:loadbalancer/*/{name}/*"],
            ),
            Permit::delete(
                &[
                    "elasticloadbalancing:DeleteLoadBalancer",
                    "elasticloadbalancing:ModifyLoadBalancerAttributes",
                ],
                &["elasticloadbalancing:{here}:loadbalancer/*/{name}/*"],
            ),
            Permit::delete(&["ec2:DescribeNetworkInterfaces"], &["*"]),
        ],
        names: Some(common::named("lb")),
        section: "load_balancers",
        predicted: &[(Output::Name, "{name}")],
        asked: &["type", "scheme", "deletion_protection"],
        typical: Typical::seconds(130, 5, 20).calls(8, 8, 8).lingering(60),
        serves: true,
        felt: &[("groups", Traffic::NewConnections), ("subnets", Traffic::NewConnections)],
        pricing: Pricing::Charged(
            "AWS charges by the hour, for the units of load, and for public addresses and \
             answers to the internet.",
        ),
        types: &["elasticloadbalancing:loadbalancer"],
        ..Meta::new(
            "elb.load_balancer",
            "elasticloadbalancing",
            "An application or network load balancer with its attributes.",
        )
    };

    fn sample() -> Self {
        let id = |kind, name| Text::reference(Address::new(kind, name), Output::Id);
        let subnets = [id("ec2.subnet", "sample"), id("ec2.subnet", "sample-b")];
        Self {
            name: "sample-balancer".into(),
            kind: "application".into(),
            scheme: "internal".into(),
            subnets: BTreeSet::from(subnets),
            groups: BTreeSet::from([id("ec2.security_group", "sample")]),
            deletion_protection: false,
            idle_timeout: Some(60),
            http2: Some(true),
            drop_invalid_headers: Some(true),
            cross_zone: None,
            access_log: None,
        }
    }

    fn variants() -> Vec<Self> {
        let bucket = Text::reference(Address::new("s3.bucket", "sample"), Output::Name);
        let log = AccessLog { bucket, prefix: "balancer".into() };
        vec![
            Self { idle_timeout: Some(120), http2: Some(false), ..Self::sample() },
            Self { access_log: Some(log), drop_invalid_headers: Some(false), ..Self::sample() },
            Self { deletion_protection: true, ..Self::sample() },
        ]
    }

    fn begins(&self, cx: &Costs<'_>) -> Vec<(Driver, Decimal)> {
        let is_open = self.scheme == "internet-facing";
        let payments = cx.assume.payments_per_month;
        vec![(Driver::Requests, if is_open { payments } else { Decimal::ZERO })]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let requests = cx.load(Driver::Requests);
        let mut flows = Costs::split(cx.users("elb.listener"), Driver::Requests, requests);
        flows.extend(Costs::each(cx.users("waf.association"), Driver::Requests, requests));
        if let Some(log) = &self.access_log {
            let written = gb(requests * cx.assume.log_kb);
            flows.extend(to(&log.bucket, Driver::DeliveredGb, written));
        }
        flows
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let requests = cx.load(Driver::Requests);
        let data = gb(requests * (cx.assume.request_kb + cx.assume.response_kb));
        // A unit is a GB in an hour, or 25 new connections in a second.
        let units = data.max(requests / Decimal::from(25 * 3600));
        let lb = if self.kind == "network" { "nlb" } else { "alb" };
        let mut charges = vec![
            Charge::fixed("load balancer", format!("{lb}.hours"), cx.hours()),
            Charge::usage("units of load", format!("{lb}.lcu"), units),
        ];
        if self.scheme == "internet-facing" {
            let addresses = Decimal::from(self.subnets.len()) * cx.hours();
            let out = gb(requests * cx.assume.response_kb);
            charges.extend([
                Charge::fixed("public addresses", "ipv4.hours", addresses),
                Charge::usage("answers to the internet", "transfer.out", out),
            ]);
        }
        charges
    }

    fn gauges(&self, id: &str, _: &Costs<'_>) -> Vec<Gauge> {
        // A network load balancer counts no requests.
        let name = id.split_once(":loadbalancer/").filter(|_| self.kind == "application");
        let gauge = name.map(|(_, name)| {
            let dimensions = vec![("LoadBalancer", name.to_owned())];
            Gauge::sum(Driver::Requests, "AWS/ApplicationELB", &["RequestCount"], dimensions)
        });
        gauge.into_iter().collect()
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let mut listed = list(cx).await?.to_vec();
        listed.retain(|one| common::may_be_ours(cx, one.load_balancer_name().unwrap_or_default()));
        let arns = listed.iter().filter_map(|one| one.load_balancer_arn.clone());
        let mut tags = common::tags_of_all(cx, arns).await?;
        let found = listed.into_iter().filter_map(|one| {
            let tags = tags.remove(one.load_balancer_arn()?)?;
            let name = one.load_balancer_name()?;
            let (address, owner) = common::shortened(cx, name, cx.claim(name, &tags))?;
            Some(async move {
                let attributes = attributes_of(cx.aws, one.load_balancer_arn().unwrap_or_default());
                let live = attributes.await?.map(|attributes| to_live(one, &attributes, tags));
                Ok::<_, OpError>(live.map(|live| Found { address, owner, live }))
            })
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (arn, aws) = (cx.id(), cx.aws);
        let send =
            aws.elasticloadbalancingv2.describe_load_balancers().load_balancer_arns(arn).send();
        let described = async { send.await.map_err(op("DescribeLoadBalancers")).or_gone() };
        let (described, attributes, tags) =
            futures::try_join!(described, attributes_of(aws, arn), common::tags_of(aws, arn))?;
        let one = described.and_then(|answer| answer.load_balancers?.into_iter().next());
        match (one, attributes, tags) {
            (Some(one), Some(attributes), Some(tags)) => Ok(Some(to_live(one, &attributes, tags))),
            _ => Ok(going(arn, interfaces(aws, arn).await?)),
        }
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let call = cx.aws.elasticloadbalancingv2.create_load_balancer();
        let call = call
            .name(&self.name)
            .r#type(self.kind.as_str().into())
            .scheme(self.scheme.as_str().into())
            .set_subnets(Some(known(&self.subnets)))
            .set_security_groups((!self.groups.is_empty()).then(|| known(&self.groups)))
            .set_tags(common::to_tags(cx.tags));
        let answer = call.send().await.map_err(op("CreateLoadBalancer"))?;
        let one = answer.load_balancers.unwrap_or_default().into_iter().next();
        common::made("CreateLoadBalancer", one.and_then(|one| one.load_balancer_arn))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (balancers, arn) = (&cx.aws.elasticloadbalancingv2, &live.id);
        if self.subnets != live.spec.subnets {
            let call = balancers.set_subnets().load_balancer_arn(arn);
            let send = call.set_subnets(Some(known(&self.subnets))).send();
            send.await.map_err(op("SetSubnets"))?;
        }
        if self.groups != live.spec.groups {
            let call = balancers.set_security_groups().load_balancer_arn(arn);
            let send = call.set_security_groups(Some(known(&self.groups))).send();
            send.await.map_err(op("SetSecurityGroups"))?;
        }
        set(cx.aws, arn, changes(&self.attributes(), &live.spec.attributes())).await
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        if live.spec.deletion_protection {
            set(cx.aws, &live.id, vec![(PROTECTION, "false".to_owned())]).await.or_gone()?;
        }
        let send =
            cx.aws.elasticloadbalancingv2.delete_load_balancer().load_balancer_arn(&live.id).send();
        send.await.map_err(op("DeleteLoadBalancer")).or_gone().map(drop)
    }
}

fn known(texts: &BTreeSet<Text>) -> Vec<String> {
    texts.iter().map(|text| text.known().to_owned()).collect()
}

/// All load balancers of the region.
pub(super) async fn list(cx: &Survey<'_>) -> Result<Arc<Vec<AwsLoadBalancer>>, OpError> {
    let list = async {
        let pages =
            cx.aws.elasticloadbalancingv2.describe_load_balancers().page_size(400).into_paginator();
        pages.items().send().try_collect().await.map_err(op("DescribeLoadBalancers"))
    };
    cx.once("elb:DescribeLoadBalancers", list).await
}

async fn attributes_of(aws: &Aws, arn: &str) -> Result<Option<BTreeMap<String, String>>, OpError> {
    let send = aws
        .elasticloadbalancingv2
        .describe_load_balancer_attributes()
        .load_balancer_arn(arn)
        .send();
    let answer = send.await.map_err(op("DescribeLoadBalancerAttributes")).or_gone()?;
    let pair = |one: LoadBalancerAttribute| Some((one.key?, one.value.unwrap_or_default()));
    let all = |list: Vec<LoadBalancerAttribute>| list.into_iter().filter_map(pair).collect();
    Ok(answer.map(|answer| all(answer.attributes.unwrap_or_default())))
}

async fn set(aws: &Aws, arn: &str, changes: Vec<(&str, String)>) -> Result<(), OpError> {
    if changes.is_empty() {
        return Ok(());
    }
    let attributes = changes
        .into_iter()
        .map(|(key, value)| LoadBalancerAttribute::builder().key(key).value(value).build());
    let call = aws.elasticloadbalancingv2.modify_load_balancer_attributes().load_balancer_arn(arn);
    let send = call.set_attributes(Some(attributes.collect())).send();
    send.await.map_err(op("ModifyLoadBalancerAttributes")).map(drop)
}

/// The network interfaces that are still there.
async fn interfaces(aws: &Aws, arn: &str) -> Result<Vec<NetworkInterface>, OpError> {
    let call = aws.ec2.describe_network_interfaces();
    let description = format!("ELB {}", metric(arn));
    let send = call.filters(ec2::common::filter("description", [&description])).send();
    let answer = send.await.map_err(op("DescribeNetworkInterfaces"))?;
    let mut found = answer.network_interfaces.unwrap_or_default();
    found.retain(|one| one.description() == Some(&description));
    Ok(found)
}

/// Its callers, if it faces the internet, and its access log.
fn flows(spec: &Value) -> Vec<Flow> {
    let log = Flow::out(spec, "/access_log/bucket", "access log").into_iter();
    let mut flows: Vec<Flow> = log.map(Flow::implied).collect();
    if spec.get("scheme").and_then(Value::as_str) == Some("internet-facing") {
        let callers = End::Outside("internet", "Internet".to_owned());
        flows.push(Flow::new(callers, End::Here, "HTTPS"));
    }
    flows
}
