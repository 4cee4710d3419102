//! Auto Scaling groups, with their policies folded in.
//!
//! AWS quirks: scaling policies change the desired number, so payctl manages that number only
//! without policies. If an instance cannot be launched, no call fails: the group retries, and its
//! activities have the reason. Target groups, policies and metrics have their own calls. A deletion
//! is forced, and the group stays until its instances are terminated. A new template version does
//! not change running instances; a refresh replaces them, one at a time. A refresh uses the group's
//! settings at its start, so it comes after the update. A running refresh must be cancelled before
//! the next one starts.

mod convert;
mod moves;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_autoscaling::types::{
    AutoScalingGroup, InstanceRefreshStatus, LaunchTemplateSpecification, LifecycleState,
    ScalingPolicy, Tag,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op};
use crate::aws::kinds::ec2::launch_template::LaunchTemplate;
use crate::aws::kinds::ec2::sizes::vcpus;
use crate::aws::kinds::ec2::subnet::Subnet;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Flow, Lane};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::Decimal;
use payctl_money::bill::Charge;

pub(super) use convert::tags_of;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    /// The name.
    pub name: String,
    /// The fewest instances.
    pub min: u32,
    /// The most instances.
    pub max: u32,
    /// The desired number; unmanaged if policies decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<u32>,
    /// The desired number at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<u32>,
    /// The ids of the subnets.
    pub subnets: BTreeSet<Text>,
    /// The id of the launch template.
    pub template: Text,
    /// The version of the launch template.
    pub template_version: Text,
    /// The ARNs of the target groups that its instances join.
    pub target_groups: BTreeSet<Text>,
    /// The source of health checks: only `EC2`, or also `ELB`.
    pub health_check: String,
    /// The grace period of a new instance in seconds.
    pub grace: u32,
    /// The warm-up of a new instance in seconds, before metrics count it.
    pub warmup: Option<u32>,
    /// The scaling policies by name.
    pub policies: BTreeMap<String, Policy>,
    /// Whether its own metrics are collected.
    pub metrics: bool,
    /// How many instances have another version of the template while no refresh replaces them. It
    /// must be 0 if a new version is for running instances too, and is unmanaged otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outdated: Option<u32>,
}

/// A policy that holds a metric at a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    /// The metric.
    pub metric: Metric,
    /// The value.
    pub target: f64,
    /// Whether it also takes instances away.
    pub scale_in: bool,
}

/// The metric of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    /// One that AWS keeps for every group, `ASGAverageCPUUtilization`.
    Predefined(String),
    /// A custom metric.
    Custom(Custom),
    /// Something that payctl never makes, by AWS's name.
    Other(String),
}

/// A custom metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Custom {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// `Average` and the like.
    pub statistic: String,
}

/// How often metrics of a group are published; AWS does not know another word.
const GRANULARITY: &str = "1Minute";
/// The resource type in tags.
const TAGGED: &str = "auto-scaling-group";

impl Group {
    /// How many instances run at least and on average. With policies, these decide and not the desired number.
    fn instances(&self, cx: &Costs<'_>) -> (Decimal, Decimal) {
        let least = Decimal::from(self.min);
        let fixed = self.desired.filter(|_| self.policies.is_empty()).map(Decimal::from);
        let average = fixed.unwrap_or_else(|| cx.assume.average(least, Decimal::from(self.max)));
        (least, average.max(least))
    }

    /// How many vCPUs they have, at least and on average.
    pub(crate) fn vcpus(&self, cx: &Costs<'_>) -> Option<(Decimal, Decimal)> {
        let (_, template) = cx.target::<LaunchTemplate>(&self.template)?;
        let each = vcpus(&template.instance_type)?;
        let (least, average) = self.instances(cx);
        Some((least * each, average * each))
    }

    /// Which part of the instances is in subnets that give a public address. A group spreads them evenly.
    fn public_share(&self, cx: &Costs<'_>) -> Decimal {
        let subnets = self.subnets.iter().filter_map(|subnet| cx.target::<Subnet>(subnet));
        let is_public: Vec<bool> = subnets.map(|(_, subnet)| subnet.public_addresses).collect();
        let public = is_public.iter().filter(|is_public| **is_public).count();
        let share = Decimal::from(public).checked_div(Decimal::from(is_public.len()));
        share.unwrap_or_default()
    }
}

impl Resource for Group {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Compute, "fleet", "fleet").with(flows),
        notes: &[
            "payctl manages the number of instances only if no policy scales the group.",
            "payctl waits until the instances of a new group are in service, and reports why one \
             could not be launched.",
            "If the instances of a group cannot be launched, correct the cause in the config: \
             payctl sends the change and waits for the instances again.",
            "A new version of the launch template applies to new instances. With `refresh`, \
             payctl also replaces running ones, some at a time, even after a failed refresh. If \
             the template changes again, it cancels a running refresh and starts the next one.",
            "Its instances get its tags, except the ownership tags of the group.",
            "A deletion terminates its instances at once.",
        ],
        immutable: &["name"],
        create_only: &["initial"],
        status_fields: &["outdated"],
        replace: Replace::DeleteFirst,
        updatable_while_pending: true,
        deadline: Duration::from_secs(900),
        read_lag: Duration::from_secs(60),
        transient: &[
            ("ValidationError", "Invalid IAM Instance Profile"),
            ("ValidationError", "has no associated IAM Roles"),
            ("ValidationError", "does not exist"),
        ],
        check: Some(Asked::at_aws("all its instances are in service", "instances")),
        permits: &[
            Permit::look(
                &[
                    "autoscaling:DescribeAutoScalingGroups",
                    "autoscaling:DescribeInstanceRefreshes",
                    "autoscaling:DescribePolicies",
                    "ec2:DescribeInstanceTypeOfferings",
                ],
                &["*"],
            ),
            Permit::watch(&["autoscaling:DescribeScalingActivities"], &["*"]),
            Permit::create(
                &["autoscaling:CreateAutoScalingGroup"],
                &["autoscaling:{here}:autoScalingGroup:*:autoScalingGroupName/{name}"],
            ),
            Permit::create(
                &["iam:CreateServiceLinkedRole"],
                &["iam::{account}:role/aws-service-role/autoscaling.amazonaws.com/*"],
            )
            .where_equal("iam:AWSServiceName", "autoscaling.amazonaws.com"),
            Permit::set(
                &["autoscaling:CreateOrUpdateTags"],
                &["autoscaling:{here}:autoScalingGroup:*:autoScalingGroupName/{name}"],
            ),
            Permit::set(&["ec2:RunInstances"], &["*"]),
            Permit::set(
                &["ec2:CreateTags"],
                &["ec2:{here}:instance/*", "ec2:{here}:network-interface/*", "ec2:{here}:volume/*"],
            )
            .where_equal("ec2:CreateAction", "RunInstances"),
            Permit::set(&["iam:PassRole"], &["iam::{account}:role{path}*"])
                .where_equal("iam:PassedToService", "ec2.amazonaws.com"),
            Permit::change(
                &[
                    "autoscaling:AttachLoadBalancerTargetGroups",
                    "autoscaling:CancelInstanceRefresh",
                    "autoscaling:DeletePolicy",
                    "autoscaling:DeleteTags",
                    "autoscaling:DetachLoadBalancerTargetGroups",
                    "autoscaling:DisableMetricsCollection",
                    "autoscaling:EnableMetricsCollection",
                    "autoscaling:PutScalingPolicy",
                    "autoscaling:StartInstanceRefresh",
                    "autoscaling:UpdateAutoScalingGroup",
                ],
                &["autoscaling:{here}:autoScalingGroup:*:autoScalingGroupName/{name}"],
            ),
            Permit::delete(
                &["autoscaling:DeleteAutoScalingGroup"],
                &["autoscaling:{here}:autoScalingGroup:*:autoScalingGroupName/{name}"],
            ),
        ],
        names: Some(NameRule::new(
            "fleet",
            255,
            r"^[\x20-\x39\x3b-\x7e]{1,255}$",
            "a group's name is 1 to 255 characters without a colon",
        )),
        section: "fleets",
        predicted: &[(Output::Id, "{name}"), (Output::Name, "{name}")],
        asked: &["min", "max", "desired"],
        typical: Typical::seconds(90, 5, 90).calls(10, 10, 8),
        serves: true,
        felt: &[("template_version", Traffic::NewConnections), ("max", Traffic::NewConnections)],
        pricing: Pricing::Charged(
            "AWS charges for the instances and their disks by the hour, and for two alarms of \
             each policy.",
        ),
        ..Meta::new(
            "autoscaling.group",
            "autoscaling",
            "A group of EC2 instances with the policies that scale it.",
        )
    };

    fn sample() -> Self {
        let output = |kind, output| Text::reference(Address::new(kind, "sample"), output);
        let cpu = Policy {
            metric: Metric::Predefined("ASGAverageCPUUtilization".into()),
            target: 70.0,
            scale_in: true,
        };
        Self {
            name: "sample-group".into(),
            min: 1,
            max: 2,
            desired: None,
            initial: Some(1),
            subnets: BTreeSet::from([output("ec2.subnet", Output::Id)]),
            template: output("ec2.launch_template", Output::Id),
            template_version: output("ec2.launch_template", Output::Version),
            target_groups: BTreeSet::new(),
            health_check: "EC2".into(),
            grace: 300,
            warmup: None,
            policies: BTreeMap::from([("cpu".to_owned(), cpu)]),
            metrics: true,
            outdated: None,
        }
    }

    fn variants() -> Vec<Self> {
        let memory = Policy {
            metric: Metric::Custom(Custom {
                namespace: "CWAgent".into(),
                name: "mem_used_percent".into(),
                dimensions: BTreeMap::from([(
                    "AutoScalingGroupName".to_owned(),
                    "sample-group".to_owned(),
                )]),
                statistic: "Average".into(),
            }),
            target: 80.0,
            scale_in: false,
        };
        let both = Self {
            policies: BTreeMap::from([
                (
                    "cpu".to_owned(),
                    Policy { target: 60.5, ..Self::sample().policies["cpu"].clone() },
                ),
                ("memory".to_owned(), memory),
            ]),
            ..Self::sample()
        };
        let second = Text::reference(Address::new("ec2.subnet", "sample-b"), Output::Id);
        let subnets = Self::sample().subnets.into_iter().chain([second]).collect();
        vec![
            Self { max: 3, warmup: Some(120), ..both.clone() },
            Self { health_check: "ELB".into(), grace: 60, subnets, ..both },
            Self {
                min: 2,
                max: 4,
                desired: Some(2),
                policies: BTreeMap::new(),
                metrics: false,
                ..Self::sample()
            },
        ]
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let (least, average) = self.instances(cx);
        let more = average - least;
        let public = self.public_share(cx) * cx.hours();
        let mut charges = vec![
            Charge::fixed("public addresses", "ipv4.hours", least * public),
            Charge::usage("public addresses by load", "ipv4.hours", more * public),
        ];
        if let Some((_, template)) = cx.target::<LaunchTemplate>(&self.template) {
            let meter = format!("ec2.{}", template.instance_type);
            let disk = Decimal::from(template.volume.size) * cx.share();
            let volume = format!("ebs.{}", template.volume.kind);
            charges.extend([
                Charge::fixed("instances", &*meter, least * cx.hours()),
                Charge::usage("instances by load", &*meter, more * cx.hours()),
                Charge::fixed("disks", &*volume, least * disk),
                Charge::usage("disks by load", &*volume, more * disk),
            ]);
        }
        let alarms = Decimal::from(2 * self.policies.len()) * cx.share();
        charges.push(Charge::fixed("alarms of its policies", "cloudwatch.alarm", alarms));
        charges
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let pages =
            cx.aws.autoscaling.describe_auto_scaling_groups().max_records(100).into_paginator();
        let listed = pages.items().send().try_collect().await;
        let listed: Vec<AutoScalingGroup> = listed.map_err(op("DescribeAutoScalingGroups"))?;
        let found = listed.into_iter().filter_map(|one| {
            let (address, owner) = cx.claim(one.auto_scaling_group_name()?, &tags_of(&one))?;
            Some(async move {
                Ok::<_, OpError>(Found { address, owner, live: with_policies(cx.aws, one).await? })
            })
        });
        try_join_all(found).await
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let call = cx.aws.autoscaling.describe_auto_scaling_groups();
        let send = call.auto_scaling_group_names(cx.id()).send();
        let answer = send.await.map_err(op("DescribeAutoScalingGroups"))?;
        let Some(one) = answer.auto_scaling_groups.unwrap_or_default().into_iter().next() else {
            return Ok(None);
        };
        let short = missing(&one);
        let mut live = with_policies(cx.aws, one).await?;
        if let (Some(short), Phase::Ready) = (short, &live.phase) {
            live.phase = Phase::Pending(match last_failure(cx.aws, cx.id()).await? {
                Some(reason) => format!("{short}: {reason}"),
                None => short,
            });
        }
        Ok(Some(live))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let groups = known(&self.target_groups);
        let call = cx.aws.autoscaling.create_auto_scaling_group();
        let call = call
            .auto_scaling_group_name(&self.name)
            .set_min_size(self.min.try_into().ok())
            .set_max_size(self.max.try_into().ok())
            .set_desired_capacity(self.desired.or(self.initial).and_then(|it| it.try_into().ok()))
            .vpc_zone_identifier(known(&self.subnets).join(","))
            .launch_template(self.launch())
            .set_target_group_arns((!groups.is_empty()).then_some(groups))
            .health_check_type(&self.health_check)
            .set_health_check_grace_period(self.grace.try_into().ok())
            .set_default_instance_warmup(self.warmup.and_then(|it| it.try_into().ok()))
            .set_tags(Some(cx.tags.iter().map(|tag| to_tag(&self.name, tag)).collect()));
        call.send().await.map_err(op("CreateAutoScalingGroup"))?;
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let was = &live.spec;
        // A running refresh replaces instances by a version that is no longer wanted. Unless it is
        // cancelled, the next refresh cannot start.
        if self.outdated.is_some() && self.template_version != was.template_version {
            let call =
                cx.aws.autoscaling.cancel_instance_refresh().auto_scaling_group_name(&live.id);
            // Instances that are being launched may never serve.
            let send = call.wait_for_transitioning_instances(false).send();
            send.await.map_err(op("CancelInstanceRefresh")).or_gone()?;
        }
        if self.has_other_settings(was) {
            self.change(cx.aws).await?;
        }
        self.join_and_leave(cx.aws, was).await?;
        self.set_policies(cx.aws, was).await?;
        if self.metrics && !was.metrics {
            cx.aws
                .autoscaling
                .enable_metrics_collection()
                .auto_scaling_group_name(&live.id)
                .granularity(GRANULARITY)
                .send()
                .await
                .map_err(op("EnableMetricsCollection"))?;
        }
        if !self.metrics && was.metrics {
            let call = cx.aws.autoscaling.disable_metrics_collection();
            let send = call.auto_scaling_group_name(&live.id).send();
            send.await.map_err(op("DisableMetricsCollection"))?;
        }
        // This comes last, since a refresh uses the group's current settings.
        if self.outdated.is_some() && self.outdated != was.outdated {
            let call =
                cx.aws.autoscaling.start_instance_refresh().auto_scaling_group_name(&live.id);
            call.send().await.map_err(op("StartInstanceRefresh"))?;
        }
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call = cx
            .aws
            .autoscaling
            .create_or_update_tags()
            .set_tags(Some(set.iter().map(|tag| to_tag(&live.id, tag)).collect()));
        call.send().await.map_err(op("CreateOrUpdateTags")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let tag = |key: &String| {
            Tag::builder().resource_id(&live.id).resource_type(TAGGED).key(key).build()
        };
        let call = cx.aws.autoscaling.delete_tags().set_tags(Some(unset.iter().map(tag).collect()));
        call.send().await.map_err(op("DeleteTags")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let call = cx.aws.autoscaling.delete_auto_scaling_group().auto_scaling_group_name(&live.id);
        let send = call.force_delete(true).send();
        send.await.map_err(op("DeleteAutoScalingGroup")).or_gone().map(drop)
    }

    async fn check(cx: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        let call = cx.aws.autoscaling.describe_auto_scaling_groups();
        let send = call.auto_scaling_group_names(&live.id).send();
        let answer = send.await.map_err(op("DescribeAutoScalingGroups"))?;
        let found = answer.auto_scaling_groups.unwrap_or_default().into_iter().next();
        Ok(match found.as_ref().map(missing) {
            None => Verdict::Failed("it does not exist any more".into()),
            Some(Some(few)) => Verdict::Failed(few),
            Some(None) => Verdict::passed(),
        })
    }
}

/// A group with its policies, and with the state of its refresh.
async fn with_policies(aws: &Aws, one: AutoScalingGroup) -> Result<Live<Group>, OpError> {
    let policies = policies_of(aws, one.auto_scaling_group_name().unwrap_or_default()).await?;
    let mut live = convert::to_live(one, policies);
    if live.spec.outdated != Some(0) && is_refreshing(aws, &live.id).await? {
        live.spec.outdated = Some(0);
    }
    Ok(live)
}

/// Whether instances are being replaced. A refresh that is being cancelled or rolled back does not
/// count.
async fn is_refreshing(aws: &Aws, group: &str) -> Result<bool, OpError> {
    use InstanceRefreshStatus::{Baking, InProgress, Pending};
    let call = aws.autoscaling.describe_instance_refreshes().auto_scaling_group_name(group);
    let answer = match call.send().await.map_err(op("DescribeInstanceRefreshes")).or_gone() {
        // An emulator without this operation does not have refreshes either.
        Err(_) if aws.is_elsewhere => return Ok(true),
        answer => answer?,
    };
    let known = answer.and_then(|answer| answer.instance_refreshes).unwrap_or_default();
    let mut statuses = known.into_iter().filter_map(|refresh| refresh.status);
    Ok(statuses.any(|status| matches!(status, Pending | InProgress | Baking)))
}

fn known(texts: &BTreeSet<Text>) -> Vec<String> {
    texts.iter().map(|text| text.known().to_owned()).collect()
}

/// Instances get the tags of the group, except its ownership tags: an instance that claimed to be
/// the group would be taken for it.
fn to_tag(group: &str, (key, value): (&String, &String)) -> Tag {
    Tag::builder()
        .resource_id(group)
        .resource_type(TAGGED)
        .key(key)
        .value(value)
        .propagate_at_launch(!key.starts_with("payctl:"))
        .build()
}

async fn policies_of(aws: &Aws, group: &str) -> Result<Vec<ScalingPolicy>, OpError> {
    let of_one = Some(group.to_owned()).filter(|_| !aws.is_shared);
    let pages = aws.autoscaling.describe_policies().set_auto_scaling_group_name(of_one);
    let policies = pages.into_paginator().items().send().try_collect().await;
    let policies: Option<Vec<ScalingPolicy>> =
        policies.map_err(op("DescribePolicies")).or_gone()?;
    let mut policies = policies.unwrap_or_default();
    policies.retain(|policy| policy.auto_scaling_group_name() == Some(group));
    Ok(policies)
}

/// How many of its instances serve, if not all that it should have.
fn missing(one: &AutoScalingGroup) -> Option<String> {
    let serves = |state: Option<&LifecycleState>| state == Some(&LifecycleState::InService);
    let serving = one.instances().iter().filter(|it| serves(it.lifecycle_state.as_ref())).count();
    let desired = usize::try_from(one.desired_capacity.unwrap_or_default()).unwrap_or_default();
    (serving < desired).then(|| format!("{serving} of {desired} instances in service"))
}

/// Why the last launch failed, if it did.
async fn last_failure(aws: &Aws, group: &str) -> Result<Option<String>, OpError> {
    let call = aws.autoscaling.describe_scaling_activities().auto_scaling_group_name(group);
    let answer = call.max_records(1).send().await.map_err(op("DescribeScalingActivities"))?;
    let last = answer.activities.unwrap_or_default().into_iter().next();
    let failed =
        last.filter(|last| last.status_code.as_ref().is_some_and(|code| code.as_str() == "Failed"));
    Ok(failed.and_then(|failed| failed.status_message))
}

impl Group {
    fn launch(&self) -> LaunchTemplateSpecification {
        LaunchTemplateSpecification::builder()
            .launch_template_id(self.template.known())
            .version(self.template_version.known())
            .build()
    }

    /// Whether something differs that is set with the group itself.
    fn has_other_settings(&self, was: &Self) -> bool {
        (self.min, self.max, self.grace, self.warmup) != (was.min, was.max, was.grace, was.warmup)
            || self.desired.is_some() && self.desired != was.desired
            || self.subnets != was.subnets
            || self.template != was.template
            || self.template_version != was.template_version
            || self.health_check != was.health_check
    }
}

/// What its target groups pass on.
fn flows(spec: &Value) -> Vec<Flow> {
    Flow::into(spec, "/target_groups", "")
}
