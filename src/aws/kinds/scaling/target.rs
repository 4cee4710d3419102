//! What Application Auto Scaling keeps within bounds, with its target-tracking policies folded in.
//!
//! The dimension names the service and what of it is scaled, so that every namespace could use
//! this; the survey looks where payctl has targets ([`NAMESPACES`]).
//!
//! AWS quirks: registering is an upsert, and takes tags only the first time; policies carry no
//! tags and go with their target, as do their alarms; targets of deleted services linger.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalableTarget,
    ScalingPolicy, ServiceNamespace, TargetTrackingScalingPolicyConfiguration as Tracking,
};
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};

use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::Decimal;
use payctl_money::bill::Charge;

/// A scalable target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// The scaled resource, `service/CLUSTER/NAME` or `function:NAME:ALIAS`.
    pub resource: Text,
    /// In which respect, `ecs:service:DesiredCount`.
    pub dimension: String,
    /// The least.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// The target-tracking policies by name.
    pub policies: BTreeMap<String, Policy>,
}

/// A policy that keeps a metric near a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    /// The metric, one of AWS's own.
    pub metric: String,
    /// The value.
    pub value: f64,
    /// Seconds after growing before it may grow again.
    pub out_cooldown: u32,
    /// Seconds after shrinking before it may shrink again.
    pub in_cooldown: u32,
    /// Whether it also shrinks.
    pub shrinks: bool,
}

/// The namespaces of payctl's targets.
const NAMESPACES: [ServiceNamespace; 2] = [ServiceNamespace::Ecs, ServiceNamespace::Lambda];

impl Target {
    /// How many of a resource run at least and on average, if something scales it.
    pub(in crate::aws) fn span_of(cx: &Costs<'_>) -> Option<(Decimal, Decimal)> {
        let scaling = cx.users(Self::META.kind);
        let Self { min, max, .. } = scaling.iter().find_map(|address| cx.spec(address))?;
        let least = Decimal::from(min);
        Some((least, cx.assume.average(least, Decimal::from(max))))
    }
}

impl Resource for Target {
    const META: Meta = Meta {
        drawn: Drawn::badge("scale", "scaling rule", &["resource"]),
        notes: &[
            "A registration moves the number of tasks, or of provisioned calls, into the bounds at \
             once.",
            "Each policy creates alarms named TargetTracking-..., which are deleted with it.",
            "payctl leaves policies of other types alone.",
        ],
        immutable: &["resource", "dimension"],
        replace: Replace::CreateFirst,
        deadline: Duration::from_secs(300),
        transient: &[
            ("ConcurrentUpdateException", ""),
            ("FailedResourceAccessException", ""),
            ("ValidationException", "ECS service doesn't exist"),
            ("ValidationException", "No Lambda function found"),
            ("ValidationException", "Unable to assume IAM role"),
        ],
        gone_at_once: true,
        permits: &[
            Permit::look(&["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"], &["*"]),
            Permit::look(&["application-autoscaling:ListTagsForResource"], &["application-autoscaling:{here}:scalable-target/*"]),
            Permit::set(&["application-autoscaling:PutScalingPolicy", "application-autoscaling:RegisterScalableTarget"], &["application-autoscaling:{here}:scalable-target/*"]).where_equal("application-autoscaling:service-namespace", "ecs"),
            Permit::create(&["iam:CreateServiceLinkedRole"], &["iam::{account}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/*"]).where_equal("iam:AWSServiceName", "ecs.application-autoscaling.amazonaws.com"),
            Permit::set(&["application-autoscaling:PutScalingPolicy", "application-autoscaling:RegisterScalableTarget"], &["application-autoscaling:{here}:scalable-target/*"]).where_equal("application-autoscaling:service-namespace", "lambda"),
            Permit::create(&["iam:CreateServiceLinkedRole"], &["iam::{account}:role/aws-service-role/lambda.application-autoscaling.amazonaws.com/*"]).where_equal("iam:AWSServiceName", "lambda.application-autoscaling.amazonaws.com"),
            Permit::set(&["lambda:GetProvisionedConcurrencyConfig", "lambda:PutProvisionedConcurrencyConfig"], &["lambda:{here}:function:{lambda.alias}"]),
            Permit::set(&["application-autoscaling:TagResource"], &["application-autoscaling:{here}:scalable-target/*"]),
            Permit::set(&["cloudwatch:DescribeAlarms"], &["*"]),
            Permit::set(&["cloudwatch:PutMetricAlarm"], &["cloudwatch:{here}:alarm:TargetTracking-*"]),
            Permit::set(&["ecs:DescribeServices", "ecs:UpdateService"], &["ecs:{here}:service/{ecs.cluster}/*"]),
            Permit::change(&["application-autoscaling:UntagResource"], &["application-autoscaling:{here}:scalable-target/*"]),
            Permit::change(&["application-autoscaling:DeleteScalingPolicy"], &["application-autoscaling:{here}:scalable-target/*"]).where_equal("application-autoscaling:service-namespace", "ecs"),
            Permit::change(&["application-autoscaling:DeleteScalingPolicy"], &["application-autoscaling:{here}:scalable-target/*"]).where_equal("application-autoscaling:service-namespace", "lambda"),
            Permit::change(&["cloudwatch:DeleteAlarms"], &["cloudwatch:{here}:alarm:TargetTracking-*"]),
            Permit::delete(&["application-autoscaling:DeregisterScalableTarget"], &["application-autoscaling:{here}:scalable-target/*"]).where_equal("application-autoscaling:service-namespace", "ecs"),
            Permit::delete(&["application-autoscaling:DeregisterScalableTarget"], &["application-autoscaling:{here}:scalable-target/*"]).where_equal("application-autoscaling:service-namespace", "lambda"),
            Permit::delete(&["cloudwatch:DeleteAlarms"], &["cloudwatch:{here}:alarm:TargetTracking-*"]),
        ],
        section: "services",
        part_of: &["resource"],
        asked: &["min", "max"],
        typical: Typical::seconds(2, 2, 2).calls(6, 5, 4),
        pricing: Pricing::Charged("AWS charges for two alarms of each policy."),
        ..Meta::new(
            "scaling.target",
            "application-autoscaling",
            "Automatic scaling of a service or of provisioned concurrency, within bounds and by metrics.",
        )
    };

    fn sample() -> Self {
        Self {
            resource: Text::reference(Address::new("ecs.service", "sample"), Output::Id),
            dimension: "ecs:service:DesiredCount".into(),
            min: 1,
            max: 4,
            policies: BTreeMap::from([("cpu".to_owned(), Policy::sample("CPU"))]),
        }
    }

    fn variants() -> Vec<Self> {
        let (cpu, memory) = (Policy::sample("CPU"), Policy::sample("Memory"));
        let slow = Policy { value: 50.5, out_cooldown: 60, shrinks: false, ..cpu.clone() };
        vec![
            Self {
                max: 10,
                policies: BTreeMap::from([("cpu".to_owned(), cpu), ("memory".to_owned(), memory)]),
                ..Self::sample()
            },
            Self { min: 0, policies: BTreeMap::from([("cpu".to_owned(), slow)]), ..Self::sample() },
            Self { policies: BTreeMap::new(), ..Self::sample() },
            Self::sample(),
        ]
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let alarms = Decimal::from(2 * self.policies.len()) * cx.share();
        vec![Charge::fixed("alarms of its policies", "cloudwatch.alarm", alarms)]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let spaces = NAMESPACES.iter().map(|space| async move {
            let targets = targets_of(cx.aws, space, None).await?;
            let policies = match targets.iter().any(|target| cx.is_candidate(&target.resource_id)) {
                true => policies_of(cx.aws, space, None).await?,
                false => Vec::new(),
            };
            Ok::<_, OpError>((targets, policies))
        });
        let all = try_join_all(spaces).await?;
        let candidates = all.iter().flat_map(|(targets, policies)| {
            let targets = targets.iter().filter(|target| cx.is_candidate(&target.resource_id));
            targets.map(move |target| (target, policies))
        });
        let found = candidates.map(|(target, policies)| async move {
            let read = cx.if_permitted(&target.resource_id, tags_of(cx.aws, target).await)?;
            let Some(tags) = read else { return Ok(None) };
            let claim = cx.claim(&target.resource_id, &tags);
            let found =
                |(address, owner)| Found { address, owner, live: to_live(target, policies, tags) };
            Ok(claim.map(found))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (dimension, resource) = parts(cx.id());
        let space = namespace(dimension);
        let (targets, policies) = try_join(
            targets_of(cx.aws, &space, Some(resource)),
            policies_of(cx.aws, &space, Some(resource)),
        )
        .await?;
        let is_it = |target: &&ScalableTarget| {
            target.resource_id == resource && target.scalable_dimension.as_str() == dimension
        };
        let Some(target) = targets.iter().find(is_it) else { return Ok(None) };
        let tags = tags_of(cx.aws, target).await?;
        Ok(tags.map(|tags| to_live(target, &policies, tags)))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let tags = cx.tags.clone().into_iter().collect();
        self.register(cx.aws, Some(tags)).await?;
        Ok(format!("{}/{}", self.dimension, self.resource.known()))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        if (self.min, self.max) != (live.spec.min, live.spec.max) {
            self.register(cx.aws, None).await?;
        }
        for (name, policy) in &self.policies {
            if live.spec.policies.get(name) != Some(policy) {
                self.put(cx.aws, name, policy).await?;
            }
        }
        for name in live.spec.policies.keys().filter(|name| !self.policies.contains_key(*name)) {
            self.remove(cx.aws, name).await?;
        }
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).map(String::as_str).unwrap_or_default();
        let call = cx
            .aws
            .applicationautoscaling
            .tag_resource()
            .resource_arn(arn)
            .set_tags(Some(set.clone().into_iter().collect()));
        call.send().await.map_err(op("TagResource")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).map(String::as_str).unwrap_or_default();
        let call = cx
            .aws
            .applicationautoscaling
            .untag_resource()
            .resource_arn(arn)
            .set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagResource")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (dimension, resource) = parts(&live.id);
        cx.aws
            .applicationautoscaling
            .deregister_scalable_target()
            .service_namespace(namespace(dimension))
            .resource_id(resource)
            .scalable_dimension(ScalableDimension::from(dimension))
            .send()
            .await
            .map_err(op("DeregisterScalableTarget"))
            .or_gone()
            .map(drop)
    }
}

/// Dimension and resource of an id, `ecs:service:DesiredCount/service/CLUSTER/NAME`.
fn parts(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or((id, ""))
}

/// The service that a dimension belongs to.
fn namespace(dimension: &str) -> ServiceNamespace {
    ServiceNamespace::from(dimension.split(':').next().unwrap_or_default())
}

async fn targets_of(
    aws: &Aws,
    space: &ServiceNamespace,
    resource: Option<&str>,
) -> Result<Vec<ScalableTarget>, OpError> {
    let pages = aws
        .applicationautoscaling
        .describe_scalable_targets()
        .service_namespace(space.clone())
        .set_resource_ids(resource.map(|resource| vec![resource.to_owned()]))
        .into_paginator()
        .items()
        .send();
    pages.collect::<Result<_, _>>().await.map_err(op("DescribeScalableTargets"))
}

async fn policies_of(
    aws: &Aws,
    space: &ServiceNamespace,
    resource: Option<&str>,
) -> Result<Vec<ScalingPolicy>, OpError> {
    let pages = aws
        .applicationautoscaling
        .describe_scaling_policies()
        .service_namespace(space.clone())
        .set_resource_id(resource.map(str::to_owned))
        .into_paginator()
        .items()
        .send();
    pages.collect::<Result<_, _>>().await.map_err(op("DescribeScalingPolicies"))
}

async fn tags_of(aws: &Aws, target: &ScalableTarget) -> Result<Option<Tags>, OpError> {
    // Targets from before 2023 do not have an ARN, and so no tags, until they are registered again.
    let Some(arn) = &target.scalable_target_arn else { return Ok(Some(Tags::new())) };
    let send = aws.applicationautoscaling.list_tags_for_resource().resource_arn(arn).send();
    let answer = send.await.map_err(op("ListTagsForResource")).or_gone()?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
}

fn to_live(target: &ScalableTarget, policies: &[ScalingPolicy], tags: Tags) -> Live<Target> {
    let (resource, dimension) = (&target.resource_id, target.scalable_dimension.as_str());
    let own = policies.iter().filter(|policy| {
        policy.resource_id == *resource && policy.scalable_dimension.as_str() == dimension
    });
    let own = own.filter_map(|policy| {
        let tracking = policy.target_tracking_scaling_policy_configuration.as_ref()?;
        Some((policy.policy_name.clone(), Policy::from_tracking(tracking)))
    });
    let arn = target.scalable_target_arn.clone().unwrap_or_default();
    Live {
        id: format!("{dimension}/{resource}"),
        spec: Target {
            resource: resource.as_str().into(),
            dimension: dimension.to_owned(),
            min: u32::try_from(target.min_capacity).unwrap_or_default(),
            max: u32::try_from(target.max_capacity).unwrap_or_default(),
            policies: own.collect(),
        },
        outputs: Outputs::from([(Output::Arn, arn)]),
        tags,
        phase: Phase::Ready,
    }
}

impl Target {
    async fn register(
        &self,
        aws: &Aws,
        tags: Option<std::collections::HashMap<String, String>>,
    ) -> Result<(), OpError> {
        aws.applicationautoscaling
            .register_scalable_target()
            .service_namespace(namespace(&self.dimension))
            .resource_id(self.resource.known())
            .scalable_dimension(ScalableDimension::from(self.dimension.as_str()))
            .min_capacity(int(self.min))
            .max_capacity(int(self.max))
            .set_tags(tags)
            .send()
            .await
            .map_err(op("RegisterScalableTarget"))?;
        Ok(())
    }

    async fn put(&self, aws: &Aws, name: &str, policy: &Policy) -> Result<(), OpError> {
        aws.applicationautoscaling
            .put_scaling_policy()
            .policy_name(name)
            .service_namespace(namespace(&self.dimension))
            .resource_id(self.resource.known())
            .scalable_dimension(ScalableDimension::from(self.dimension.as_str()))
            .policy_type(PolicyType::TargetTrackingScaling)
            .target_tracking_scaling_policy_configuration(policy.tracking()?)
            .send()
            .await
            .map_err(op("PutScalingPolicy"))?;
        Ok(())
    }

    async fn remove(&self, aws: &Aws, name: &str) -> Result<(), OpError> {
        aws.applicationautoscaling
            .delete_scaling_policy()
            .policy_name(name)
            .service_namespace(namespace(&self.dimension))
            .resource_id(self.resource.known())
            .scalable_dimension(ScalableDimension::from(self.dimension.as_str()))
            .send()
            .await
            .map_err(op("DeleteScalingPolicy"))
            .or_gone()
            .map(drop)
    }
}

impl Policy {
    fn sample(what: &str) -> Self {
        Self {
            metric: format!("ECSServiceAverage{what}Utilization"),
            value: 70.0,
            out_cooldown: 300,
            in_cooldown: 300,
            shrinks: true,
        }
    }

    fn tracking(&self) -> Result<Tracking, OpError> {
        let metric = MetricType::from(self.metric.as_str());
        let incomplete = |error: aws_sdk_applicationautoscaling::error::BuildError| {
            OpError::new("PutScalingPolicy", ErrorClass::Bug, "Policy", error.to_string())
        };
        let metric = PredefinedMetricSpecification::builder().predefined_metric_type(metric);
        Tracking::builder()
            .target_value(self.value)
            .predefined_metric_specification(metric.build().map_err(incomplete)?)
            .scale_out_cooldown(int(self.out_cooldown))
            .scale_in_cooldown(int(self.in_cooldown))
            .disable_scale_in(!self.shrinks)
            .build()
            .map_err(incomplete)
    }

    /// A policy for a custom metric does not have the name of one of AWS's, so it differs from
    /// every wanted policy.
    fn from_tracking(found: &Tracking) -> Self {
        let metric = found.predefined_metric_specification.as_ref();
        let metric = metric.map(|metric| metric.predefined_metric_type.as_str().to_owned());
        let seconds =
            |cooldown: Option<i32>| u32::try_from(cooldown.unwrap_or(300)).unwrap_or_default();
        Self {
            metric: metric.unwrap_or_default(),
            value: found.target_value,
            out_cooldown: seconds(found.scale_out_cooldown),
            in_cooldown: seconds(found.scale_in_cooldown),
            shrinks: !found.disable_scale_in.unwrap_or_default(),
        }
    }
}

fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_contains_dimension_namespace_and_resource() {
        let (dimension, resource) = parts("ecs:service:DesiredCount/service/main/web");
        assert_eq!((dimension, resource), ("ecs:service:DesiredCount", "service/main/web"));
        assert_eq!(namespace(dimension), ServiceNamespace::Ecs);
        let (dimension, resource) = parts("lambda:function:ProvisionedConcurrency/function:f:live");
        assert_eq!((namespace(dimension), resource), (ServiceNamespace::Lambda, "function:f:live"));
    }

    #[test]
    fn policies_survive_the_round_trip() {
        for want in Target::variants().into_iter().flat_map(|target| target.policies) {
            assert_eq!(Policy::from_tracking(&want.1.tracking().unwrap()), want.1);
        }
    }
}
