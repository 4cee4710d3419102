//! Fargate services: the number of tasks, their definition, network and load balancers.
//!
//! AWS quirks: a deleted service drains, keeps its name meanwhile, and is described as `INACTIVE`
//! afterwards. A listener must use a target group before a service can use it. ECS gives up a
//! deployment only if the circuit breaker is on; with rollback the service then uses the older task
//! definition again. If there is none, as in the first deployment, the service stays as it is and
//! does not start more tasks until a new deployment is forced.

mod convert;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ecs::types::{
    Deployment as Rolled, DeploymentRolloutState as Rollout, LaunchType, SchedulingStrategy,
    Service as Described, ServiceField,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::common::{add_tags, clusters, from_tags, named, no_arn, remove_tags, to_tags};
use super::task_definition::TaskDefinition;
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::kinds::ec2::egress::egress;
use crate::aws::kinds::scaling::target::Target as Scaling;
use crate::aws::resource::{Cx, Resource, Survey};
use crate::words::services::{ContainerArchitecture, PropagateTags, Stage, Strategy};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Flow, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed};

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    /// The name, unique in the cluster.
    pub name: String,
    /// The cluster, by ARN.
    pub cluster: Text,
    /// The revision of the task definition, by ARN.
    pub task_definition: Text,
    /// The number of tasks; unmanaged if scaling decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<u32>,
    /// The number of tasks at creation, if scaling decides later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<u32>,
    /// The subnets of the tasks.
    pub subnets: BTreeSet<Text>,
    /// The security groups of the tasks.
    pub security_groups: BTreeSet<Text>,
    /// Whether tasks get public addresses.
    pub public_ip: bool,
    /// The target groups that tasks are registered with.
    pub load_balancers: BTreeSet<Target>,
    /// How many seconds a new task may be unhealthy.
    pub health_grace: u32,
    /// How new tasks replace old ones.
    pub deployment: Deployment,
    /// Whether commands can be run in the containers.
    pub execute_command: bool,
    /// The source of the tasks' tags.
    pub propagate_tags: PropagateTags,
    /// Whether ECS keeps the tasks spread over the zones.
    pub zone_rebalancing: bool,
    /// The version of Fargate, `LATEST` or a number.
    pub platform_version: String,
    /// Why ECS gave up the current deployment. It is never wanted, so payctl starts another
    /// deployment.
    pub failed_deployment: Option<String>,
    /// Whether all tasks run and no deployment is under way. If it is wanted, payctl waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<bool>,
}

/// A target group, and the container and port that register with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// The target group, by ARN.
    pub target_group: Text,
    /// The container.
    pub container: String,
    /// The container's port.
    pub port: u16,
    /// What trades places with the target group in a deployment that moves traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<OtherSide>,
}

/// The other side of a deployment that moves traffic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OtherSide {
    /// The other target group, by ARN.
    pub target_group: Text,
    /// The rule whose weights ECS moves, by ARN.
    pub rule: Text,
    /// The role with which ECS does that, by ARN.
    pub role: Text,
}

/// How new tasks replace old ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deployment {
    /// How much of the desired number must run meanwhile, in percent.
    pub minimum_percent: u32,
    /// How much of it may run meanwhile, in percent.
    pub maximum_percent: u32,
    /// Whether ECS gives up a deployment whose tasks do not start.
    pub circuit_breaker: bool,
    /// Whether the service then rolls back.
    pub rollback: bool,
    /// The alarms that stop a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<Alarms>,
    /// How traffic moves to the new tasks, if they are in a target group of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Shift>,
}

/// Alarms that stop a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alarms {
    /// Their names.
    pub names: BTreeSet<Text>,
    /// Whether the service then rolls back.
    pub rollback: bool,
}

/// How traffic moves to new tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shift {
    /// At once or in steps; never `rolling`.
    pub strategy: Strategy,
    /// How many minutes the old tasks stay afterwards.
    pub bake_minutes: u32,
    /// The steps of a linear deployment, or the first of a canary.
    pub step: Option<Step>,
    /// The functions that ECS calls.
    pub hooks: BTreeSet<Hook>,
}

/// A step of the traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// The percentage that moves.
    pub percent: f64,
    /// The minutes until the next one.
    pub minutes: u32,
}

/// A function that ECS calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hook {
    /// The function or an alias of it, by ARN.
    pub function: Text,
    /// The role with which ECS calls it, by ARN.
    pub role: Text,
    /// When ECS calls it.
    pub stages: BTreeSet<Stage>,
}

/// How many services one call describes.
const BATCH: usize = 10;

/// The disk of a task that costs nothing, in GB.
const FREE_DISK: u32 = 20;

impl Service {
    /// How many tasks run at least and on average.
    pub(crate) fn tasks(&self, cx: &Costs<'_>) -> (Decimal, Decimal) {
        let tasks = Decimal::from(self.desired.or(self.initial).unwrap_or(1));
        Scaling::span_of(cx).unwrap_or((tasks, tasks))
    }

    /// How many vCPUs they have, at least and on average.
    pub(crate) fn vcpus(&self, cx: &Costs<'_>) -> Option<(Decimal, Decimal)> {
        let (_, task) = cx.target::<TaskDefinition>(&self.task_definition)?;
        let each = Decimal::from(task.cpu) / Decimal::from(1024);
        let (least, average) = self.tasks(cx);
        Some((least * each, average * each))
    }
}

impl Resource for Service {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Compute, "container", "service").with(flows),
        notes: &[
            "payctl waits for a deployment only if `wait_until_stable` is set.",
            "A deleted service first drains for the deregistration delay of its target group; its \
             name is taken until then.",
            "After a rollback the service uses its older task definition, and the next plan shows \
             that. If it did not have an older one, the next apply starts the deployment again.",
            "Tasks read secrets when they start. After a rotation they need a new deployment, \
             which the rotation function starts.",
            "A listener must use a target group before a service can use it.",
            "With another strategy than `rolling`, ECS moves the weights of a rule in each \
             deployment. payctl leaves these weights alone.",
        ],
        immutable: &["name", "cluster"],
        create_only: &["initial"],
        failure_field: Some("failed_deployment"),
        status_fields: &["failed_deployment", "stable"],
        replace: Replace::CreateFirst,
        deadline: Duration::from_secs(1200),
        propagation: Duration::from_secs(300),
        transient: &[
            ("InvalidParameterException", "does not have an associated load balancer"),
            ("InvalidParameterException", "Unable to assume the service linked role"),
            ("InvalidParameterException", "verify that the ECS service role being passed"),
            ("InvalidParameterException", "cannot be stopped while deployments are active"),
            ("ServiceNotActiveException", ""),
        ],
        check: Some(Asked::at_aws("it is steady: all its tasks run", "tasks")),
        permits: &[
            Permit::look(&["ecs:ListClusters", "ecs:ListServices"], &["*"]),
            Permit::look(&["ecs:DescribeServices"], &["ecs:{here}:service/{seen}"]),
            Permit::create(&["ecs:CreateService"], &["ecs:{here}:service/{ecs.cluster}/*"]),
            Permit::create(
                &["iam:CreateServiceLinkedRole"],
                &["iam::{account}:role/aws-service-role/ecs.amazonaws.com/*"],
            )
            .where_equal("iam:AWSServiceName", "ecs.amazonaws.com"),
            Permit::set(&["ecs:TagResource"], &["ecs:{here}:service/{ecs.cluster}/*"]),
            Permit::change(
                &["ecs:UntagResource", "ecs:UpdateService"],
                &["ecs:{here}:service/{ecs.cluster}/*"],
            ),
            Permit::set(&["iam:PassRole"], &["iam::{account}:role{path}*"])
                .where_equal("iam:PassedToService", "ecs.amazonaws.com"),
            Permit::delete(&["ecs:DeleteService"], &["ecs:{here}:service/{ecs.cluster}/*"]),
        ],
        names: Some(named("service")),
        section: "services",
        predicted: &[
            (Output::Arn, "arn:{partition}:ecs:{here}:service/{.cluster/}/{name}"),
            (Output::Id, "service/{.cluster/}/{name}"),
            (Output::Name, "{name}"),
        ],
        part_of: &["cluster"],
        asked: &["desired", "public_ip"],
        typical: Typical::seconds(5, 5, 60).calls(4, 5, 6).slow(&[("stable", 120)]),
        serves: true,
        felt: &[("subnets", Traffic::NewConnections), ("security_groups", Traffic::NewConnections)],
        pricing: Pricing::Charged(
            "AWS charges for the CPU, the memory and the disk of its tasks by the hour, and \
             for public addresses.",
        ),
        types: &["ecs:service"],
        ..Meta::new("ecs.service", "ecs", "A Fargate service of an ECS cluster.")
    };

    fn sample() -> Self {
        let arn = |kind| Text::reference(Address::new(kind, "sample"), Output::Arn);
        let id = |kind| Text::reference(Address::new(kind, "sample"), Output::Id);
        Self {
            name: "sample-service".into(),
            cluster: arn("ecs.cluster"),
            task_definition: arn("ecs.task_definition"),
            desired: Some(1),
            initial: Some(1),
            subnets: BTreeSet::from([id("ec2.subnet")]),
            security_groups: BTreeSet::from([id("ec2.security_group")]),
            public_ip: false,
            load_balancers: BTreeSet::new(),
            health_grace: 0,
            deployment: Deployment {
                minimum_percent: 100,
                maximum_percent: 200,
                circuit_breaker: true,
                rollback: true,
                alarms: None,
                shift: None,
            },
            execute_command: false,
            propagate_tags: PropagateTags::Service,
            zone_rebalancing: true,
            platform_version: "LATEST".into(),
            failed_deployment: None,
            stable: None,
        }
    }

    fn variants() -> Vec<Self> {
        let deployment = |minimum_percent, maximum_percent, circuit_breaker, rollback| Deployment {
            minimum_percent,
            maximum_percent,
            circuit_breaker,
            rollback,
            alarms: None,
            shift: None,
        };
        let alarm = Text::reference(Address::new("cloudwatch.alarm", "sample"), Output::Name);
        let shifted = |strategy, bake_minutes, step: Option<(f64, u32)>| Deployment {
            alarms: Some(Alarms { names: BTreeSet::from([alarm.clone()]), rollback: true }),
            shift: Some(Shift {
                strategy,
                bake_minutes,
                step: step.map(|(percent, minutes)| Step { percent, minutes }),
                hooks: BTreeSet::new(),
            }),
            ..deployment(100, 200, true, true)
        };
        vec![
            Self {
                desired: Some(2),
                public_ip: true,
                execute_command: true,
                propagate_tags: PropagateTags::TaskDefinition,
                stable: Some(true),
                ..Self::sample()
            },
            Self {
                zone_rebalancing: false,
                deployment: deployment(50, 150, true, false),
                platform_version: "1.4.0".into(),
                ..Self::sample()
            },
            Self {
                propagate_tags: PropagateTags::None,
                deployment: deployment(50, 200, false, false),
                ..Self::sample()
            },
            Self { deployment: shifted(Strategy::Linear, 5, Some((12.5, 3))), ..Self::sample() },
            Self { deployment: shifted(Strategy::Canary, 5, Some((0.5, 10))), ..Self::sample() },
            Self { deployment: shifted(Strategy::BlueGreen, 30, None), ..Self::sample() },
            Self::sample(),
        ]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let requests = cx.load(Driver::Requests);
        let mut flows = to(&self.task_definition, Driver::Requests, requests);
        let task = cx.target::<TaskDefinition>(&self.task_definition);
        let role = task.and_then(|(_, task)| task.task_role);
        flows.extend(egress(self.subnets.iter(), role.as_ref(), requests, cx));
        flows
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let Some((_, task)) = cx.target::<TaskDefinition>(&self.task_definition) else {
            return Vec::new();
        };
        let (least, average) = self.tasks(cx);
        let arch = match task.architecture {
            ContainerArchitecture::X86 => "x86_64",
            ContainerArchitecture::Arm64 => "arm64",
        };
        let cpu = Decimal::from(task.cpu) / Decimal::from(1024) * cx.hours();
        let memory = Decimal::from(task.memory) / Decimal::from(1024) * cx.hours();
        let disk = Decimal::from(task.storage.saturating_sub(FREE_DISK)) * cx.hours();
        let more = average - least;
        let mut charges = vec![
            Charge::fixed("CPU of tasks", format!("fargate.vcpu.{arch}"), least * cpu),
            Charge::usage("CPU of tasks by load", format!("fargate.vcpu.{arch}"), more * cpu),
            Charge::fixed("memory of tasks", format!("fargate.gb.{arch}"), least * memory),
            Charge::usage("memory of tasks by load", format!("fargate.gb.{arch}"), more * memory),
            Charge::fixed("disks of tasks", "fargate.disk", least * disk),
            Charge::usage("disks of tasks by load", "fargate.disk", more * disk),
        ];
        if self.public_ip {
            charges.extend([
                Charge::fixed("public addresses", "ipv4.hours", least * cx.hours()),
                Charge::usage("public addresses by load", "ipv4.hours", more * cx.hours()),
            ]);
        }
        charges
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let arns = clusters(cx).await?;
        let lives = try_join_all(arns.iter().map(|cluster| within(cx, cluster))).await?;
        let found = lives.into_iter().flatten().filter_map(|live| {
            let (address, owner) = cx.claim(&live.spec.name, &live.tags)?;
            Some(Found { address, owner, live })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let found = describe(cx.aws, cluster_of(cx.id()), &[cx.id().to_owned()]).await?;
        Ok(found.into_iter().find_map(to_live))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let made = cx
            .aws
            .ecs
            .create_service()
            .service_name(&self.name)
            .cluster(self.cluster.known())
            .task_definition(self.task_definition.known())
            .launch_type(LaunchType::Fargate)
            .scheduling_strategy(SchedulingStrategy::Replica)
            .desired_count(self.count())
            .network_configuration(self.network())
            .set_load_balancers(Some(self.targets()).filter(|targets| !targets.is_empty()))
            .set_health_check_grace_period_seconds(self.grace())
            .deployment_configuration(self.deployment.configuration(None))
            .enable_execute_command(self.execute_command)
            .propagate_tags(self.propagate_tags.aws().into())
            .availability_zone_rebalancing(self.rebalancing())
            .platform_version(&self.platform_version)
            .set_tags(Some(to_tags(cx.tags)))
            .send()
            .await
            .map_err(op("CreateService"))?;
        let arn = made.service.and_then(|service| service.service_arn);
        arn.ok_or_else(|| no_arn("CreateService"))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let waits = self.stable == Some(true) && live.spec.stable != Some(true);
        if waits {
            self.rolled_back(cx.aws, &live.id).await?;
        }
        let same = Self { desired: live.spec.desired, ..self.clone() };
        let same = Self { initial: None, stable: live.spec.stable, ..same };
        if same == live.spec && self.desired.is_none_or(|count| Some(count) == live.spec.desired) {
            let message = "a deployment is in progress, or some tasks are not running";
            return if waits {
                Err(OpError::new("DescribeServices", ErrorClass::Busy, "NotStable", message))
            } else {
                Ok(())
            };
        }
        self.change(cx.aws, live).await
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        // With force, ECS itself sets the number of tasks to zero.
        let call = cx.aws.ecs.delete_service().cluster(cluster_of(&live.id)).service(&live.id);
        call.force(true).send().await.map_err(op("DeleteService")).or_gone().map(drop)
    }

    async fn check(cx: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        let found =
            describe(cx.aws, cluster_of(&live.id), std::slice::from_ref(&live.id)).await?.pop();
        let Some(found) = found else {
            return Ok(Verdict::Failed("it does not exist any more".into()));
        };
        let (running, desired) = (found.running_count, found.desired_count);
        let primary = found.deployments().iter().find(|deployment| is_primary(deployment));
        let state = primary.and_then(|deployment| deployment.rollout_state.as_ref());
        Ok(match state.map(|state| state.as_str()) {
            Some("FAILED") => {
                let why = primary.and_then(|one| one.rollout_state_reason()).unwrap_or_default();
                Verdict::Failed(format!("its deployment failed: {why}"))
            }
            Some("IN_PROGRESS") => Verdict::Failed("a deployment is in progress".into()),
            _ if running != desired => Verdict::Failed(format!("{running} of {desired} tasks run")),
            _ => Verdict::Passed(format!("{running} of {desired} tasks run")),
        })
    }
}

/// The services of a cluster, without deleted ones.
async fn within(cx: &Survey<'_>, cluster: &str) -> Result<Vec<Live<Service>>, OpError> {
    let call = cx.aws.ecs.list_services().cluster(cluster).max_results(100);
    let mut pages = call.into_paginator().items().send();
    let mut arns = Vec::new();
    while let Some(arn) = pages.next().await {
        match arn.map_err(op("ListServices")).or_gone()? {
            Some(arn) => arns.push(arn),
            // The cluster was deleted since it was listed.
            None => return Ok(Vec::new()),
        }
    }
    let batches = arns.chunks(BATCH).map(|arns| describe(cx.aws, cluster, arns));
    Ok(try_join_all(batches).await?.into_iter().flatten().filter_map(to_live).collect())
}

/// `arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME`.
fn cluster_of(arn: &str) -> &str {
    arn.rsplit('/').nth(1).unwrap_or(arn)
}

async fn describe(aws: &Aws, cluster: &str, arns: &[String]) -> Result<Vec<Described>, OpError> {
    let answer = aws
        .ecs
        .describe_services()
        .cluster(cluster)
        .set_services(Some(arns.to_vec()))
        .include(ServiceField::Tags)
        .send()
        .await
        .map_err(op("DescribeServices"))
        .or_gone()?;
    Ok(answer.and_then(|answer| answer.services).unwrap_or_default())
}

/// `None` for a service that was deleted.
fn to_live(found: Described) -> Option<Live<Service>> {
    let status = found.status.clone().unwrap_or_default();
    let phase = match status.as_str() {
        "INACTIVE" => return None,
        "DRAINING" => Phase::Deleting(status),
        _ => Phase::Ready,
    };
    let (arn, tags) = (found.service_arn.clone()?, from_tags(found.tags.clone()));
    let spec = Service::from_described(found)?;
    let outputs = Outputs::from([
        (Output::Arn, arn.clone()),
        (Output::Id, format!("service/{}/{}", cluster_of(&arn), spec.name)),
        (Output::Name, spec.name.clone()),
    ]);
    Some(Live { id: arn, spec, outputs, tags, phase })
}

impl Service {
    /// Fails if ECS gave up the deployment of the wanted task definition, and is going back.
    async fn rolled_back(&self, aws: &Aws, arn: &str) -> Result<(), OpError> {
        let found = describe(aws, cluster_of(arn), &[arn.to_owned()]).await?.pop();
        match found.and_then(|found| rolled_back(&found, self.task_definition.known())) {
            Some(reason) => {
                let class = ErrorClass::Invalid;
                Err(OpError::new("DescribeServices", class, "DeploymentFailed", reason))
            }
            None => Ok(()),
        }
    }
}

/// Why ECS gave up the deployment of a task definition and went back to another one, if it did.
fn rolled_back(found: &Described, task_definition: &str) -> Option<String> {
    let is_of = |deployment: &Rolled| deployment.task_definition() == Some(task_definition);
    if found.deployments().iter().any(|one| is_primary(one) && is_of(one)) {
        return None;
    }
    let failed = found.deployments().iter().find(|one| has_failed(one) && is_of(one))?;
    Some(reason(found, failed))
}

/// Why ECS gave up the deployment that the service is on, if it did.
fn given_up(found: &Described) -> Option<String> {
    let failed = found.deployments().iter().find(|one| is_primary(one) && has_failed(one))?;
    Some(reason(found, failed))
}

fn is_primary(deployment: &Rolled) -> bool {
    deployment.status() == Some("PRIMARY")
}

fn has_failed(deployment: &Rolled) -> bool {
    deployment.rollout_state() == Some(&Rollout::Failed)
}

/// ECS's reason for a failed deployment, and the last event.
fn reason(found: &Described, failed: &Rolled) -> String {
    let reason = failed.rollout_state_reason().unwrap_or("AWS gave no reason.");
    match found.events().iter().find_map(|event| event.message()) {
        Some(event) => format!("{reason} Last event: {event}"),
        None => reason.to_owned(),
    }
}

/// What its target groups pass on.
fn flows(spec: &Value) -> Vec<Flow> {
    let ports = spec.get("load_balancers").and_then(Value::as_array);
    let into = |balancer: &Value| {
        let port = balancer.get("port").map(|port| format!("port {port}")).unwrap_or_default();
        Flow::into(balancer, "/target_group", &port)
    };
    ports.into_iter().flatten().flat_map(into).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::ServiceEvent;

    use super::*;

    #[test]
    fn the_cluster_is_read_from_the_arn() {
        assert_eq!(cluster_of("arn:aws:ecs:us-east-1:1:service/main/web"), "main");
    }

    #[test]
    fn a_failed_deployment_gives_its_reason() {
        let found = |primary: &str, state: Rollout, other: &str, its: Rollout| {
            let rolled = |status: &str, revision: &str, state: Rollout| {
                let rolled = Rolled::builder().status(status).task_definition(revision);
                let rolled = rolled.rollout_state(state);
                rolled.rollout_state_reason("circuit breaker: tasks failed to start.").build()
            };
            Described::builder()
                .deployments(rolled("PRIMARY", primary, state))
                .deployments(rolled("ACTIVE", other, its))
                .events(ServiceEvent::builder().message("the last event").build())
                .build()
        };
        let says_why = |reason: Option<String>| {
            let reason = reason.expect("it was given up");
            assert!(reason.contains("circuit breaker") && reason.ends_with("the last event"));
        };
        let back = found("arn:t:1", Rollout::InProgress, "arn:t:2", Rollout::Failed);
        says_why(rolled_back(&back, "arn:t:2"));
        assert_eq!((rolled_back(&back, "arn:t:1"), given_up(&back)), (None, None));
        let stuck = found("arn:t:2", Rollout::Failed, "arn:t:1", Rollout::InProgress);
        says_why(given_up(&stuck));
        assert_eq!(rolled_back(&stuck, "arn:t:2"), None);
        let again = found("arn:t:2", Rollout::InProgress, "arn:t:2", Rollout::Failed);
        assert_eq!((rolled_back(&again, "arn:t:2"), given_up(&again)), (None, None));
    }

    #[test]
    fn a_draining_service_is_being_deleted() {
        let described = |status: &str| {
            let service = Described::builder().service_arn("arn:x:service/c/s").status(status);
            service.service_name("s").cluster_arn("arn:c").task_definition("arn:t").build()
        };
        assert_eq!(to_live(described("INACTIVE")), None);
        let draining = to_live(described("DRAINING")).unwrap();
        assert_eq!(draining.phase, Phase::Deleting("DRAINING".into()));
        assert_eq!(draining.outputs[&Output::Id], "service/c/s");
    }
}
