//! Listeners and rules of load balancers that forward to two target groups.
//!
//! AWS quirks: a call replaces the whole action, so the rest of it is sent as it was read. There is no
//! condition: the claim excludes other runs. Targets of a group with the weight 0 are checked as long as
//! an action names the group.

use aws_sdk_elasticloadbalancingv2::types::{
    Action as AwsAction, Tag, TargetHealthDescription, TargetHealthReasonEnum,
    TargetHealthStateEnum,
};
use serde::Deserialize as _;
use serde_json::json;

use super::figures::Metrics;
use super::{Road, elsewhere};
use crate::aws::clients::Aws;
use crate::aws::error::op;
use crate::aws::kinds::elb::listener::{Action, Forward, Share};
use payctl_engine::model::error::OpError;
use payctl_engine::traffic::{Reading, Standing, TAG_SHIFT, Targets, Weights};

/// The action of a listener or of a rule, by its ARN, and the ARNs of both target groups.
pub(super) struct Actions {
    pub arn: String,
    pub from: String,
    pub to: String,
}

/// Answers of targets with a status of 5xx, connections that did not come about, and calls of functions
/// without an answer. CloudWatch does not tell for each target group which requests timed out.
const ERRORS: &[&str] = &[
    "HTTPCode_Target_5XX_Count",
    "LambdaInternalError",
    "LambdaUserError",
    "TargetConnectionErrorCount",
];

impl Road for Actions {
    async fn read(&self, aws: &Aws) -> Result<Standing, OpError> {
        let (forward, claim) = futures::try_join!(self.forward(aws), self.claim(aws))?;
        let weight = |group: &str| {
            let share = forward.targets.iter().find(|share| share.group.literal() == Some(group));
            share.map(|share| u32::from(share.weight))
        };
        let weights = weight(&self.from).zip(weight(&self.to));
        let Some((from, to)) = weights.filter(|_| forward.targets.len() == 2) else {
            let message = "it does not forward to exactly the two target groups of the shift: run \
                           payctl apply first";
            return Err(elsewhere(self.op("Describe"), message));
        };
        let rest = json!(forward);
        Ok(Standing { weights: Weights { from, to }, claim, rest })
    }

    async fn set(&self, aws: &Aws, seen: &Standing, weights: Weights) -> Result<(), OpError> {
        let forward = Forward::deserialize(&seen.rest)
            .map_err(|error| elsewhere(self.op("Modify"), error.to_string()))?;
        let share = |share: &Share| {
            let is_to = share.group.literal() == Some(&*self.to);
            let weight = if is_to { weights.to } else { weights.from };
            Share { group: share.group.clone(), weight: weight.try_into().unwrap_or(u16::MAX) }
        };
        let targets = forward.targets.iter().map(share).collect();
        let action = Action::Forward(Forward { targets, ..forward }).to_aws();
        let aws = &aws.elasticloadbalancingv2;
        if self.is_rule() {
            let call = aws.modify_rule().rule_arn(&self.arn).actions(action);
            call.send().await.map_err(op("ModifyRule")).map(drop)
        } else {
            let call = aws.modify_listener().listener_arn(&self.arn).default_actions(action);
            call.send().await.map_err(op("ModifyListener")).map(drop)
        }
    }

    async fn tag(&self, aws: &Aws, claim: Option<&str>) -> Result<(), OpError> {
        let aws = &aws.elasticloadbalancingv2;
        match claim {
            Some(claim) => {
                let tag = Tag::builder().key(TAG_SHIFT).value(claim).build();
                let call = aws.add_tags().resource_arns(&self.arn).tags(tag);
                call.send().await.map_err(op("AddTags")).map(drop)
            }
            None => {
                let call = aws.remove_tags().resource_arns(&self.arn).tag_keys(TAG_SHIFT);
                call.send().await.map_err(op("RemoveTags")).map(drop)
            }
        }
    }

    async fn targets(&self, aws: &Aws) -> Reading<Targets> {
        let call = aws.elasticloadbalancingv2.describe_target_health().target_group_arn(&self.to);
        let answer = call.send().await.map_err(op("DescribeTargetHealth"));
        Some(answer.map(|answer| counted(answer.target_health_descriptions.unwrap_or_default())))
    }

    fn metrics(&self) -> Option<(Metrics, Metrics)> {
        let of = |group: &str| Metrics {
            namespace: "AWS/ApplicationELB",
            dimensions: vec![
                ("LoadBalancer", balancer(&self.arn)),
                ("TargetGroup", group.rsplit(':').next().unwrap_or_default().to_owned()),
            ],
            requests: "RequestCount",
            errors: ERRORS,
            time: "TargetResponseTime",
            unit: 1.0,
        };
        Some((of(&self.from), of(&self.to)))
    }
}

impl Actions {
    fn is_rule(&self) -> bool {
        self.arn.contains(":listener-rule/")
    }

    fn op(&self, verb: &str) -> &'static str {
        match (verb, self.is_rule()) {
            ("Modify", true) => "ModifyRule",
            ("Modify", false) => "ModifyListener",
            (_, true) => "DescribeRules",
            (_, false) => "DescribeListeners",
        }
    }

    /// What it forwards to.
    async fn forward(&self, aws: &Aws) -> Result<Forward, OpError> {
        let aws = &aws.elasticloadbalancingv2;
        let actions: Option<Vec<AwsAction>> = if self.is_rule() {
            let send = aws.describe_rules().rule_arns(&self.arn).send();
            let answer = send.await.map_err(op("DescribeRules"))?;
            answer.rules.and_then(|all| all.into_iter().next()?.actions)
        } else {
            let send = aws.describe_listeners().listener_arns(&self.arn).send();
            let answer = send.await.map_err(op("DescribeListeners"))?;
            answer.listeners.and_then(|all| all.into_iter().next()?.default_actions)
        };
        let mut actions = actions.unwrap_or_default().into_iter();
        match (actions.next().map(Action::from_aws), actions.next()) {
            (Some(Action::Forward(forward)), None) => Ok(forward),
            _ => Err(elsewhere(self.op("Describe"), "it does more than to forward requests")),
        }
    }

    /// The tag.
    async fn claim(&self, aws: &Aws) -> Result<Option<String>, OpError> {
        let send = aws.elasticloadbalancingv2.describe_tags().resource_arns(&self.arn).send();
        let answer = send.await.map_err(op("DescribeTags"))?;
        let tags = answer.tag_descriptions.unwrap_or_default();
        let mut tags = tags.into_iter().flat_map(|one| one.tags.unwrap_or_default());
        let tag = tags.find(|tag| tag.key() == Some(TAG_SHIFT));
        Ok(tag.map(|tag| tag.value.unwrap_or_default()))
    }
}

/// The load balancer as its metrics name it, from the ARN of a listener or a rule: `app/NAME/ID`.
fn balancer(arn: &str) -> String {
    let path = arn.rsplit(':').next().unwrap_or_default();
    path.split('/').skip(1).take(3).collect::<Vec<_>>().join("/")
}

/// Targets that come or go are neither healthy nor unhealthy. Without health checks, as functions may
/// be, a target counts as healthy.
fn counted(all: Vec<TargetHealthDescription>) -> Targets {
    let mut targets = Targets::default();
    for one in all {
        let Some(health) = &one.target_health else { continue };
        let is_unchecked = health.reason() == Some(&TargetHealthReasonEnum::HealthCheckDisabled);
        match health.state() {
            Some(TargetHealthStateEnum::Healthy) => targets.healthy += 1,
            Some(TargetHealthStateEnum::Unavailable) if is_unchecked => targets.healthy += 1,
            Some(TargetHealthStateEnum::Unhealthy) => {
                let id = one.target().and_then(|target| target.id()).unwrap_or_default();
                let port = one.target().and_then(|target| target.port());
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                let why = health.description().unwrap_or_default();
                targets.unhealthy.push(format!("{id}{port} ({why})"));
            }
            _ => {}
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetHealth};

    use super::*;

    #[test]
    fn a_load_balancer_is_named_as_in_its_metrics() {
        let arn = "arn:aws:elasticloadbalancing:us-east-1:1:listener-rule/app/pay/50dc/f2f7/9683";
        assert_eq!(balancer(arn), "app/pay/50dc");
        let arn = "arn:aws:elasticloadbalancing:us-east-1:1:listener/app/pay/50dc/f2f7";
        assert_eq!(balancer(arn), "app/pay/50dc");
    }

    #[test]
    fn targets_that_come_or_go_do_not_count() {
        use TargetHealthStateEnum::{Draining, Healthy, Initial, Unavailable, Unhealthy, Unused};
        let one = |state, reason: Option<TargetHealthReasonEnum>| {
            let health = TargetHealth::builder().state(state).set_reason(reason);
            let health = health.description("Request timed out").build();
            let target = TargetDescription::builder().id("10.0.0.7").port(8080).build();
            TargetHealthDescription::builder().target(target).target_health(health).build()
        };
        let unchecked = Some(TargetHealthReasonEnum::HealthCheckDisabled);
        let all = [Healthy, Initial, Draining, Unused, Unavailable].map(|state| one(state, None));
        assert_eq!(counted(all.into()), Targets { healthy: 1, unhealthy: Vec::new() });
        let all = vec![one(Unavailable, unchecked), one(Unhealthy, None)];
        let unhealthy = vec!["10.0.0.7:8080 (Request timed out)".to_owned()];
        assert_eq!(counted(all), Targets { healthy: 1, unhealthy });
    }
}
