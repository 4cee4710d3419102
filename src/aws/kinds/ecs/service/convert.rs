//! Conversions between the spec of a service and ECS's types.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{
    AdvancedConfiguration, AssignPublicIp, AvailabilityZoneRebalancing, AwsVpcConfiguration,
    CanaryConfiguration, DeploymentAlarms, DeploymentCircuitBreaker, DeploymentConfiguration,
    DeploymentLifecycleHook, DeploymentRolloutState as Rollout, LinearConfiguration, LoadBalancer,
    NetworkConfiguration, Service as Described,
};

use super::{
    Alarms, Aws, Deployment, Hook, Live, OpError, OtherSide, PropagateTags, Service, Shift, Stage,
    Step, Strategy, Target, Text, cluster_of, given_up, op,
};

impl Service {
    pub(super) fn count(&self) -> i32 {
        int(self.desired.or(self.initial).unwrap_or(1))
    }

    pub(super) fn network(&self) -> NetworkConfiguration {
        let ids = |texts: &BTreeSet<Text>| texts.iter().map(|id| id.known().to_owned()).collect();
        let public =
            if self.public_ip { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
        let vpc = AwsVpcConfiguration::builder()
            .set_subnets(Some(ids(&self.subnets)))
            .set_security_groups(Some(ids(&self.security_groups)))
            .assign_public_ip(public)
            .build()
            .expect("a configuration with subnets is complete");
        NetworkConfiguration::builder().awsvpc_configuration(vpc).build()
    }

    pub(super) fn targets(&self) -> Vec<LoadBalancer> {
        let targets = self.load_balancers.iter().map(|target| {
            LoadBalancer::builder()
                .target_group_arn(target.target_group.known())
                .container_name(&target.container)
                .container_port(i32::from(target.port))
                .set_advanced_configuration(target.other.as_ref().map(advanced))
                .build()
        });
        targets.collect()
    }

    /// ECS takes a grace period only for a service behind a load balancer.
    pub(super) fn grace(&self) -> Option<i32> {
        Some(int(self.health_grace)).filter(|_| !self.load_balancers.is_empty())
    }

    pub(super) fn rebalancing(&self) -> AvailabilityZoneRebalancing {
        if self.zone_rebalancing {
            AvailabilityZoneRebalancing::Enabled
        } else {
            AvailabilityZoneRebalancing::Disabled
        }
    }

    /// One call with only the differences: an unchanged member could start a deployment.
    pub(super) async fn change(&self, aws: &Aws, live: &Live<Self>) -> Result<(), OpError> {
        let had = &live.spec;
        let mut call = aws.ecs.update_service().cluster(cluster_of(&live.id)).service(&live.id);
        if self.task_definition != had.task_definition {
            call = call.task_definition(self.task_definition.known());
        }
        // ECS does not restart a deployment that it gave up.
        if had.failed_deployment.is_some() {
            call = call.force_new_deployment(true);
        }
        if let Some(count) = self.desired.filter(|count| Some(*count) != had.desired) {
            call = call.desired_count(int(count));
        }
        let network = (&self.subnets, &self.security_groups, self.public_ip);
        if network != (&had.subnets, &had.security_groups, had.public_ip) {
            call = call.network_configuration(self.network());
        }
        if self.load_balancers != had.load_balancers {
            call = call.set_load_balancers(Some(self.targets()));
        }
        if self.health_grace != had.health_grace {
            call = call.health_check_grace_period_seconds(int(self.health_grace));
        }
        if self.deployment != had.deployment {
            call =
                call.deployment_configuration(self.deployment.configuration(Some(&had.deployment)));
        }
        if self.execute_command != had.execute_command {
            call = call.enable_execute_command(self.execute_command);
        }
        if self.propagate_tags != had.propagate_tags {
            call = call.propagate_tags(self.propagate_tags.aws().into());
        }
        if self.zone_rebalancing != had.zone_rebalancing {
            call = call.availability_zone_rebalancing(self.rebalancing());
        }
        if self.platform_version != had.platform_version {
            call = call.platform_version(&self.platform_version);
        }
        call.send().await.map_err(op("UpdateService")).map(drop)
    }

    /// Reads a service; `None` without the members that every service has.
    pub(super) fn from_described(found: Described) -> Option<Self> {
        let (stable, failed_deployment) = (is_stable(&found), given_up(&found));
        let vpc = found.network_configuration.and_then(|network| network.awsvpc_configuration);
        let texts = |ids: Vec<String>| ids.into_iter().map(Text::from).collect();
        let public = vpc.as_ref().and_then(|vpc| vpc.assign_public_ip.clone());
        let (subnets, groups) =
            vpc.map(|vpc| (vpc.subnets, vpc.security_groups)).unwrap_or_default();
        let rebalancing = found.availability_zone_rebalancing;
        let targets = found.load_balancers.unwrap_or_default().into_iter();
        Some(Self {
            name: found.service_name?,
            cluster: found.cluster_arn?.into(),
            task_definition: found.task_definition?.into(),
            desired: Some(whole(found.desired_count)),
            initial: None,
            subnets: texts(subnets),
            security_groups: texts(groups.unwrap_or_default()),
            public_ip: public == Some(AssignPublicIp::Enabled),
            load_balancers: targets.filter_map(target).collect(),
            health_grace: found.health_check_grace_period_seconds.map_or(0, whole),
            deployment: Deployment::from_configuration(found.deployment_configuration),
            execute_command: found.enable_execute_command,
            propagate_tags: found
                .propagate_tags
                .and_then(|from| PropagateTags::from_aws(from.as_str()))
                .unwrap_or(PropagateTags::None),
            zone_rebalancing: rebalancing == Some(AvailabilityZoneRebalancing::Enabled),
            platform_version: found.platform_version.unwrap_or_else(|| "LATEST".into()),
            failed_deployment,
            stable: Some(stable),
        })
    }
}

/// Whether there is one deployment, it is complete, and all tasks run.
fn is_stable(found: &Described) -> bool {
    let deployments = found.deployments.as_deref().unwrap_or_default();
    let complete = |rollout: &Option<Rollout>| {
        rollout.as_ref().is_none_or(|state| *state == Rollout::Completed)
    };
    deployments.len() <= 1
        && deployments.iter().all(|deployment| complete(&deployment.rollout_state))
        && found.running_count == found.desired_count
}

fn target(found: LoadBalancer) -> Option<Target> {
    Some(Target {
        target_group: found.target_group_arn?.into(),
        container: found.container_name?,
        port: found.container_port?.try_into().ok()?,
        other: found.advanced_configuration.and_then(other_side),
    })
}

fn advanced(other: &OtherSide) -> AdvancedConfiguration {
    AdvancedConfiguration::builder()
        .alternate_target_group_arn(other.target_group.known())
        .production_listener_rule(other.rule.known())
        .role_arn(other.role.known())
        .build()
}

fn other_side(found: AdvancedConfiguration) -> Option<OtherSide> {
    Some(OtherSide {
        target_group: found.alternate_target_group_arn?.into(),
        rule: found.production_listener_rule?.into(),
        role: found.role_arn?.into(),
    })
}

impl Deployment {
    /// The deployment for a call. Members that payctl no longer wants are turned off if they were on.
    pub(super) fn configuration(&self, had: Option<&Self>) -> DeploymentConfiguration {
        let breaker = DeploymentCircuitBreaker::builder()
            .enable(self.circuit_breaker)
            .rollback(self.rollback)
            .build();
        let (shift, had_shift) = (self.shift.as_ref(), had.and_then(|had| had.shift.as_ref()));
        let shift = shift.cloned().or_else(|| had_shift.map(|_| Shift::none()));
        let alarms = self.alarms.as_ref().map(Alarms::to_aws);
        let had_alarms = had.is_some_and(|had| had.alarms.is_some());
        let alarms = alarms.or_else(|| had_alarms.then(|| alarms_of(Vec::new(), false, false)));
        let mut call = DeploymentConfiguration::builder()
            .minimum_healthy_percent(int(self.minimum_percent))
            .maximum_percent(int(self.maximum_percent))
            .deployment_circuit_breaker(breaker)
            .set_alarms(alarms);
        if let Some(shift) = shift {
            let had_hooks = had_shift.is_some_and(|had| !had.hooks.is_empty());
            let hooks = Some(shift.hooks.iter().map(Hook::to_aws).collect::<Vec<_>>());
            call = call
                .strategy(shift.strategy.aws().into())
                .bake_time_in_minutes(int(shift.bake_minutes))
                .set_lifecycle_hooks(hooks.filter(|hooks| had_hooks || !hooks.is_empty()));
            call = match (shift.strategy, shift.step) {
                (Strategy::Linear, Some(Step { percent, minutes })) => call.linear_configuration(
                    LinearConfiguration::builder()
                        .step_percent(percent)
                        .step_bake_time_in_minutes(int(minutes))
                        .build(),
                ),
                (Strategy::Canary, Some(Step { percent, minutes })) => call.canary_configuration(
                    CanaryConfiguration::builder()
                        .canary_percent(percent)
                        .canary_bake_time_in_minutes(int(minutes))
                        .build(),
                ),
                _ => call,
            };
        }
        call.build()
    }

    /// Missing members have ECS's defaults.
    fn from_configuration(found: Option<DeploymentConfiguration>) -> Self {
        let found = found.unwrap_or_else(|| DeploymentConfiguration::builder().build());
        let shift = Shift::from_configuration(&found);
        let breaker = found.deployment_circuit_breaker;
        Self {
            minimum_percent: found.minimum_healthy_percent.map_or(100, whole),
            maximum_percent: found.maximum_percent.map_or(200, whole),
            circuit_breaker: breaker.as_ref().is_some_and(|breaker| breaker.enable),
            rollback: breaker.is_some_and(|breaker| breaker.rollback),
            alarms: found.alarms.filter(|alarms| alarms.enable).map(|alarms| Alarms {
                names: alarms.alarm_names.into_iter().map(Text::from).collect(),
                rollback: alarms.rollback,
            }),
            shift,
        }
    }
}

impl Shift {
    /// What a service without a shift had before.
    fn none() -> Self {
        Self { strategy: Strategy::Rolling, bake_minutes: 0, step: None, hooks: BTreeSet::new() }
    }

    /// Missing members have ECS's defaults.
    fn from_configuration(found: &DeploymentConfiguration) -> Option<Self> {
        let strategy = found.strategy.as_ref().and_then(|word| Strategy::from_aws(word.as_str()));
        let strategy = strategy.filter(|strategy| *strategy != Strategy::Rolling)?;
        let step = |percent: Option<f64>, minutes: Option<i32>, usual: (f64, u32)| Step {
            percent: percent.unwrap_or(usual.0),
            minutes: minutes.map_or(usual.1, whole),
        };
        let (linear, canary) = (&found.linear_configuration, &found.canary_configuration);
        let step = match strategy {
            Strategy::Linear => linear
                .as_ref()
                .map(|found| step(found.step_percent, found.step_bake_time_in_minutes, (10.0, 6))),
            Strategy::Canary => canary.as_ref().map(|found| {
                step(found.canary_percent, found.canary_bake_time_in_minutes, (5.0, 10))
            }),
            _ => None,
        };
        let hooks = found.lifecycle_hooks().iter();
        Some(Self {
            strategy,
            bake_minutes: found.bake_time_in_minutes.map_or(0, whole),
            step,
            hooks: hooks.filter_map(Hook::from_aws).collect(),
        })
    }
}

impl Hook {
    fn to_aws(&self) -> DeploymentLifecycleHook {
        let stages = self.stages.iter().map(|stage| stage.aws().into());
        DeploymentLifecycleHook::builder()
            .hook_target_arn(self.function.known())
            .role_arn(self.role.known())
            .set_lifecycle_stages(Some(stages.collect()))
            .build()
    }

    /// `None` for one that calls no function.
    fn from_aws(found: &DeploymentLifecycleHook) -> Option<Self> {
        let stages = found.lifecycle_stages().iter();
        Some(Self {
            function: found.hook_target_arn.clone()?.into(),
            role: found.role_arn.clone()?.into(),
            stages: stages.filter_map(|stage| Stage::from_aws(stage.as_str())).collect(),
        })
    }
}

impl Alarms {
    fn to_aws(&self) -> DeploymentAlarms {
        let names = self.names.iter().map(|name| name.known().to_owned());
        alarms_of(names.collect(), true, self.rollback)
    }
}

fn alarms_of(names: Vec<String>, enable: bool, rollback: bool) -> DeploymentAlarms {
    DeploymentAlarms::builder()
        .set_alarm_names(Some(names))
        .enable(enable)
        .rollback(rollback)
        .build()
        .expect("alarms with names are complete")
}

fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn whole(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::Deployment as Rolled;

    use super::super::Resource as _;
    use super::*;

    fn described() -> Described {
        let want = Service {
            load_balancers: BTreeSet::from([Target {
                target_group: "arn:tg".into(),
                container: "web".into(),
                port: 80,
                other: Some(OtherSide {
                    target_group: "arn:green".into(),
                    rule: "arn:rule".into(),
                    role: "arn:role".into(),
                }),
            }]),
            subnets: BTreeSet::from(["subnet-2".into(), "subnet-1".into()]),
            security_groups: BTreeSet::from(["sg-1".into()]),
            ..Service::sample()
        };
        Described::builder()
            .service_name(&want.name)
            .cluster_arn("arn:c")
            .task_definition("arn:t")
            .desired_count(1)
            .running_count(1)
            .network_configuration(want.network())
            .set_load_balancers(Some(want.targets()))
            .deployment_configuration(want.deployment.configuration(None))
            .propagate_tags(want.propagate_tags.aws().into())
            .availability_zone_rebalancing(want.rebalancing())
            .build()
    }

    #[test]
    fn a_service_survives_the_round_trip() {
        let found = Service::from_described(described()).unwrap();
        let want = Service::sample();
        let sides = found.load_balancers.iter().map(|target| target.other.is_some());
        assert_eq!(sides.collect::<Vec<_>>(), [true]);
        assert_eq!(found.subnets, BTreeSet::from(["subnet-1".into(), "subnet-2".into()]));
        assert_eq!((found.deployment, found.platform_version), (want.deployment, "LATEST".into()));
        assert!(found.zone_rebalancing && found.propagate_tags == PropagateTags::Service);
        assert_eq!((found.desired, found.stable), (Some(1), Some(true)));
    }

    #[test]
    fn a_shift_survives_the_round_trip_and_is_turned_off() {
        let hook = Hook {
            function: "arn:f".into(),
            role: "arn:r".into(),
            stages: BTreeSet::from([Stage::PreScaleUp, Stage::PostProductionTrafficShift]),
        };
        let plain = Service::sample().deployment;
        for mut deployment in Service::variants().into_iter().map(|one| one.deployment) {
            if let Some(shift) = &mut deployment.shift {
                shift.hooks = BTreeSet::from([hook.clone()]);
            }
            let alarms = Alarms { names: BTreeSet::from(["high".into()]), rollback: false };
            deployment.alarms = Some(alarms);
            let sent = deployment.configuration(None);
            assert_eq!(Deployment::from_configuration(Some(sent)), deployment);
            let sent = plain.configuration(Some(&deployment));
            assert_eq!(sent.strategy().is_some(), deployment.shift.is_some());
            assert_eq!(sent.alarms().map(|alarms| alarms.enable), Some(false));
            assert_eq!(Deployment::from_configuration(Some(sent)), plain);
        }
        let sent = plain.configuration(Some(&plain));
        assert_eq!((sent.strategy(), sent.alarms()), (None, None));
    }

    #[test]
    fn a_service_is_stable_with_one_complete_deployment_and_all_tasks() {
        let rolled = |state: Rollout| Rolled::builder().rollout_state(state).build();
        let with = |deployments, running| {
            let mut found = described();
            (found.deployments, found.running_count) = (Some(deployments), running);
            is_stable(&found)
        };
        assert!(with(vec![rolled(Rollout::Completed)], 1));
        assert!(!with(vec![rolled(Rollout::Completed)], 0));
        assert!(!with(vec![rolled(Rollout::InProgress)], 1));
        assert!(!with(vec![rolled(Rollout::Completed), rolled(Rollout::Completed)], 1));
    }
}
