//! The calls of an update: the group's settings, target groups and policies.

use super::{Group, known};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use payctl_engine::model::error::OpError;

impl Group {
    pub(super) async fn change(&self, aws: &Aws) -> Result<(), OpError> {
        // -1 takes the warm-up away.
        let warmup = self.warmup.map_or(Some(-1), |seconds| seconds.try_into().ok());
        let call = aws.autoscaling.update_auto_scaling_group();
        let call = call
            .auto_scaling_group_name(&self.name)
            .set_min_size(self.min.try_into().ok())
            .set_max_size(self.max.try_into().ok())
            .set_desired_capacity(self.desired.and_then(|it| it.try_into().ok()))
            .vpc_zone_identifier(known(&self.subnets).join(","))
            .launch_template(self.launch())
            .health_check_type(&self.health_check)
            .set_health_check_grace_period(self.grace.try_into().ok())
            .set_default_instance_warmup(warmup);
        call.send().await.map_err(op("UpdateAutoScalingGroup")).map(drop)
    }

    pub(super) async fn join_and_leave(&self, aws: &Aws, was: &Self) -> Result<(), OpError> {
        let only = |one: &Self, other: &Self| -> Vec<String> {
            known(&one.target_groups.difference(&other.target_groups).cloned().collect())
        };
        let (new, old) = (only(self, was), only(was, self));
        if !new.is_empty() {
            aws.autoscaling
                .attach_load_balancer_target_groups()
                .auto_scaling_group_name(&self.name)
                .set_target_group_arns(Some(new))
                .send()
                .await
                .map_err(op("AttachLoadBalancerTargetGroups"))?;
        }
        if !old.is_empty() {
            aws.autoscaling
                .detach_load_balancer_target_groups()
                .auto_scaling_group_name(&self.name)
                .set_target_group_arns(Some(old))
                .send()
                .await
                .map_err(op("DetachLoadBalancerTargetGroups"))?;
        }
        Ok(())
    }

    pub(super) async fn set_policies(&self, aws: &Aws, was: &Self) -> Result<(), OpError> {
        for (name, policy) in &self.policies {
            if was.policies.get(name) != Some(policy) {
                let call = aws.autoscaling.put_scaling_policy();
                let call = call
                    .auto_scaling_group_name(&self.name)
                    .policy_name(name)
                    .policy_type("TargetTrackingScaling")
                    .target_tracking_configuration(policy.to_aws());
                call.send().await.map_err(op("PutScalingPolicy"))?;
            }
        }
        for name in was.policies.keys().filter(|name| !self.policies.contains_key(*name)) {
            let call = aws.autoscaling.delete_policy().auto_scaling_group_name(&self.name);
            let send = call.policy_name(name).send();
            send.await.map_err(op("DeletePolicy")).or_gone()?;
        }
        Ok(())
    }
}
