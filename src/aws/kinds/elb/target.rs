//! The function that is the target of a target group.
//!
//! AWS quirks: a registration does not have tags or an id. A group has at most one function, so the
//! group identifies the registration; its owner owns it, and it goes with the group. AWS refuses a
//! function that the load balancer may not call, and hears of a new permission with a delay. A target
//! that leaves shows for a while as draining.

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{
    TargetDescription, TargetHealthDescription, TargetHealthStateEnum, TargetTypeEnum,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::common;
use super::target_group::{self, TargetGroup};
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Flow};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::load::{Driver, Passed};

/// A registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// The ARN of the target group.
    pub group: Text,
    /// The ARN of the function.
    pub function: Text,
}

/// The suffix after the ARN of the group in the id, which must differ from the id of the group
/// itself.
const SLOT: &str = "/target";

impl Resource for Target {
    const META: Meta = Meta {
        drawn: Drawn::badge("target", "target", &["function"]).with(flows),
        notes: &[
            "AWS refuses a function that the load balancer may not call, and hears of a new \
             permission with a delay; payctl waits.",
            "A target group has one function: if somebody registered another, payctl deregisters it \
             first.",
        ],
        immutable: &["group"],
        replace: Replace::CreateFirst,
        tagged: false,
        deadline: Duration::from_secs(300),
        read_lag: Duration::from_secs(60),
        transient: &[("AccessDenied", "principal does not have permission to invoke")],
        permits: &[
            Permit::look(
                &[
                    "elasticloadbalancing:DescribeTags",
                    "elasticloadbalancing:DescribeTargetGroups",
                    "elasticloadbalancing:DescribeTargetHealth",
                ],
                &["*"],
            ),
            Permit::set(
                &["elasticloadbalancing:RegisterTargets"],
                &["elasticloadbalancing:{here}:targetgroup/{elb.target_group}/*"],
            ),
            Permit::change(
                &["elasticloadbalancing:DeregisterTargets"],
                &["elasticloadbalancing:{here}:targetgroup/{elb.target_group}/*"],
            ),
            Permit::delete(
                &["elasticloadbalancing:DeregisterTargets"],
                &["elasticloadbalancing:{here}:targetgroup/{elb.target_group}/*"],
            ),
        ],
        section: "target_groups",
        part_of: &["group", "function"],
        typical: Typical::seconds(20, 1, 5),
        serves: true,
        pricing: Pricing::Free("AWS charges for the load balancer."),
        ..Meta::new(
            "elb.target",
            "elasticloadbalancing",
            "A Lambda function as the target of a target group.",
        )
    };

    fn sample() -> Self {
        let arn = |kind| Text::reference(Address::new(kind, "sample-b"), Output::Arn);
        Self { group: arn("elb.target_group"), function: arn("lambda.function") }
    }

    /// The name of its group, since it stands under the same one.
    fn sample_name() -> &'static str {
        "sample-b"
    }

    fn variants() -> Vec<Self> {
        Vec::new()
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        to(&self.function, Driver::Requests, cx.load(Driver::Requests))
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let mut groups = target_group::list(cx).await?.to_vec();
        groups.retain(|one| {
            one.target_type() == Some(&TargetTypeEnum::Lambda)
                && common::may_be_ours(cx, one.target_group_name().unwrap_or_default())
        });
        let arns = groups.iter().filter_map(|one| one.target_group_arn.clone());
        let mut tags = common::tags_of_all(cx, arns).await?;
        let found = groups.into_iter().filter_map(|one| {
            let arn = one.target_group_arn?;
            let (tags, name) = (tags.remove(&arn)?, one.target_group_name?);
            let (address, owner) = common::shortened(cx, &name, cx.claim(&name, &tags))?;
            // The survey of groups reports a disputed group.
            let is_of_group = [Self::META.kind, TargetGroup::META.kind].contains(&&*address.kind);
            let is_clear = is_of_group && !matches!(owner, Owner::Disputed(_));
            let address = Address::new(Self::META.kind, address.name);
            is_clear.then_some(async move {
                let live = find(cx.aws, &arn).await?;
                Ok::<_, OpError>(live.map(|live| Found { address, owner, live }))
            })
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        find(cx.aws, group_of(cx.id())).await
    }

    async fn holder(cx: &Cx<'_>, _: &Live<Self>) -> Result<Option<Tags>, OpError> {
        common::tags_of(cx.aws, group_of(cx.id())).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        self.register(cx.aws).await?;
        Ok(format!("{}{SLOT}", self.group.known()))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        deregister(cx.aws, live).await?;
        self.register(cx.aws).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        deregister(cx.aws, live).await
    }
}

impl Target {
    async fn register(&self, aws: &Aws) -> Result<(), OpError> {
        let call = aws.elasticloadbalancingv2.register_targets();
        let send = call.target_group_arn(self.group.known()).targets(target(&self.function)).send();
        send.await.map_err(op("RegisterTargets")).map(drop)
    }
}

async fn deregister(aws: &Aws, live: &Live<Target>) -> Result<(), OpError> {
    let call = aws.elasticloadbalancingv2.deregister_targets();
    let call = call.target_group_arn(live.spec.group.known()).targets(target(&live.spec.function));
    call.send().await.map_err(op("DeregisterTargets")).or_gone().map(drop)
}

fn target(function: &Text) -> TargetDescription {
    TargetDescription::builder().id(function.known()).build()
}

/// The ARN of the group of an id.
fn group_of(id: &str) -> &str {
    id.strip_suffix(SLOT).unwrap_or(id)
}

async fn find(aws: &Aws, group: &str) -> Result<Option<Live<Target>>, OpError> {
    let send = aws.elasticloadbalancingv2.describe_target_health().target_group_arn(group).send();
    let answer = send.await.map_err(op("DescribeTargetHealth")).or_gone()?;
    let all = answer.and_then(|answer| answer.target_health_descriptions).unwrap_or_default();
    let function = all.into_iter().filter(stays).find_map(|one| one.target?.id);
    Ok(function.map(|function| Live {
        id: format!("{group}{SLOT}"),
        spec: Target { group: group.into(), function: function.into() },
        outputs: Outputs::new(),
        tags: Tags::new(),
        phase: Phase::Ready,
    }))
}

/// Whether a target is registered, and not about to leave.
fn stays(one: &TargetHealthDescription) -> bool {
    let state = one.target_health().and_then(|health| health.state());
    state != Some(&TargetHealthStateEnum::Draining)
}

/// What the target group passes on.
fn flows(spec: &Value) -> Vec<Flow> {
    Flow::into(spec, "/group", "")
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::TargetHealth;

    use super::*;

    #[test]
    fn a_target_that_drains_is_not_registered_any_more() {
        let in_state = |state: &str| {
            let health = TargetHealth::builder().state(state.into()).build();
            stays(&TargetHealthDescription::builder().target_health(health).build())
        };
        assert!(in_state("healthy") && in_state("unavailable") && in_state("unused"));
        assert!(!in_state("draining"));
    }

    #[test]
    fn the_id_names_the_group_and_is_not_that_of_the_group() {
        let group = "arn:aws:elasticloadbalancing:r:1:targetgroup/dev-payment/50dc";
        let id = format!("{group}{SLOT}");
        assert_eq!(group_of(&id), group);
        assert_ne!(id, group);
    }
}
