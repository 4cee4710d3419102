//! Task definitions for Fargate: a family of revisions as one object.
//!
//! AWS quirks: a revision never changes, every registration creates a new one, and numbers never
//! restart. So the object is the family, and its spec is the newest revision that payctl owns.
//! payctl leaves revisions that others registered, such as a pipeline, alone and does not use them.
//! AWS does not check the references of a revision before a task starts.

mod convert;
mod revisions;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ecs::types::TaskDefinitionFamilyStatus;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::revisions::{newest, retire, revisions};
use super::common::{add_tags, named, remove_tags};
use crate::aws::costs::{Costs, to};
use crate::aws::error::op;
use crate::aws::resource::{Cx, Resource, Survey};
use crate::words::services::ContainerArchitecture;
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Flow};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Text};
use payctl_money::load::{Driver, Passed, gb};

/// A task definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskDefinition {
    /// The family.
    pub name: String,
    /// CPU units of the task; 1024 are one vCPU.
    pub cpu: u32,
    /// Memory of the task, in MiB.
    pub memory: u32,
    /// The processor that it runs on.
    pub architecture: ContainerArchitecture,
    /// Disk space of the task, in GiB; 20 is AWS's own.
    pub storage: u32,
    /// The role that the containers work with, by ARN.
    pub task_role: Option<Text>,
    /// The role that starts them: image, logs, secrets.
    pub execution_role: Option<Text>,
    /// The containers by name.
    pub containers: BTreeMap<String, Container>,
}

/// A container of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Container {
    /// The image.
    pub image: Text,
    /// Whether the task ends with it.
    pub essential: bool,
    /// Its reserved CPU units; 0 reserves none.
    pub cpu: u32,
    /// The memory that it must not exceed, in MiB.
    pub memory: Option<u32>,
    /// The ports that it listens on.
    pub ports: BTreeSet<Port>,
    /// Environment variables.
    pub environment: BTreeMap<String, Text>,
    /// Environment variables with secret values.
    pub secrets: BTreeMap<String, Secret>,
    /// The log of its output.
    pub logs: Option<Logs>,
    /// Replaces the image's entry point, unless empty.
    pub entry_point: Vec<String>,
    /// Replaces the image's command, unless empty.
    pub command: Vec<String>,
    /// How ECS checks its health.
    pub health: Option<Health>,
    /// Whether its file system cannot be written.
    pub read_only_root: bool,
    /// Folders that can be written all the same: each has an empty volume of the task.
    pub writable: BTreeSet<String>,
    /// The user that it runs as; that of the image if none.
    pub user: Option<String>,
    /// How long it has to end, in seconds.
    pub stop_timeout: Option<u32>,
}

/// A port of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Port {
    /// The number.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

/// A value that the task reads when it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secret {
    /// The ARN of a secret or of an SSM parameter.
    pub from: Text,
    /// The field of a secret that is a JSON object.
    pub field: Option<String>,
}

/// A log group of CloudWatch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logs {
    /// Its name.
    pub group: Text,
    /// Its region.
    pub region: String,
    /// The prefix of stream names.
    pub prefix: String,
}

/// How ECS checks a container's health.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Health {
    /// `CMD` or `CMD-SHELL`, and the command.
    pub command: Vec<String>,
    /// Seconds between two checks.
    pub interval: u32,
    /// Seconds until a check has failed.
    pub timeout: u32,
    /// How many must fail.
    pub retries: u32,
    /// Seconds at the start in which failures do not count.
    pub start_period: u32,
}

/// How many revisions stay when a new one is registered. If deployments failed, ECS has rolled the
/// service back to an older revision, and may do so again.
const KEPT: usize = 10;

impl Resource for TaskDefinition {
    const META: Meta = Meta {
        drawn: Drawn::badge("template", "task definition", &[]).with(flows),
        notes: &[
            "Every change registers a new revision; its numbers never restart.",
            "When payctl registers a revision, it keeps the ten before it and deregisters and \
             deletes older ones. Tasks that still run one continue.",
            "payctl does not use or delete revisions that others registered in the family.",
            "ECS looks up the image, roles, log group and secrets only when a task starts.",
            "AWS denies iam:PassRole for a new role at first: payctl retries for 90 seconds, and \
             then reports the denial.",
            "Root owns a volume, unless the image declares its folder as a volume with another \
             owner.",
        ],
        immutable: &["name"],
        replace: Replace::CreateFirst,
        can_duplicate: true,
        changed_outputs: &[
            ("cpu", Output::Arn),
            ("memory", Output::Arn),
            ("architecture", Output::Arn),
            ("storage", Output::Arn),
            ("task_role", Output::Arn),
            ("execution_role", Output::Arn),
            ("containers", Output::Arn),
        ],
        deadline: Duration::from_secs(300),
        // A new role cannot be passed for some seconds. A caller who may not pass it at all gets
        // the same message, and should not wait for long.
        propagation: Duration::from_secs(90),
        transient: &[
            ("AccessDeniedException", "to perform: iam:PassRole on"),
            ("ClientException", "Role is not valid"),
            ("ClientException", "Too many concurrent attempts"),
        ],
        permits: &[
            Permit::look(
                &[
                    "ecs:DescribeTaskDefinition",
                    "ecs:ListTaskDefinitionFamilies",
                    "ecs:ListTaskDefinitions",
                ],
                &["*"],
            ),
            // AWS checks this permission against all resources, whatever its reference says.
            Permit::set(&["ecs:RegisterTaskDefinition"], &["*"]),
            Permit::set(&["ecs:TagResource"], &["ecs:{here}:task-definition/{name}:*"]),
            Permit::set(&["iam:PassRole"], &["iam::{account}:role{path}*"])
                .where_equal("iam:PassedToService", "ecs-tasks.amazonaws.com"),
            Permit::change(&["ecs:DeregisterTaskDefinition"], &["*"]),
            Permit::change(
                &["ecs:DeleteTaskDefinitions", "ecs:UntagResource"],
                &["ecs:{here}:task-definition/{name}:*"],
            ),
            Permit::delete(&["ecs:DeregisterTaskDefinition"], &["*"]),
            Permit::delete(
                &["ecs:DeleteTaskDefinitions"],
                &["ecs:{here}:task-definition/{name}:*"],
            ),
        ],
        names: Some(named("task")),
        section: "services",
        predicted: &[(Output::Name, "{name}")],
        asked: &["cpu", "memory"],
        typical: Typical::seconds(1, 1, 1).calls(4, 4, 5),
        pricing: Pricing::Free("AWS charges for tasks; the service counts them."),
        types: &["ecs:task-definition"],
        ..Meta::new("ecs.task_definition", "ecs", "A Fargate task definition with its containers.")
    };

    fn sample() -> Self {
        let role = || Some(Text::reference(Address::new("iam.role", "sample"), Output::Arn));
        let log_group = Address::new("logs.log_group", "sample");
        let secret = Address::new("secretsmanager.secret", "sample");
        let container = Container {
            image: "public.ecr.aws/nginx/nginx:1.27".into(),
            essential: true,
            cpu: 0,
            memory: None,
            ports: BTreeSet::from([Port { port: 80, protocol: "tcp".into() }]),
            environment: BTreeMap::from([("STAGE".to_owned(), "sample".into())]),
            secrets: BTreeMap::from([(
                "PASSWORD".to_owned(),
                Secret {
                    from: Text::reference(secret, Output::Arn),
                    field: Some("password".into()),
                },
            )]),
            logs: Some(Logs {
                group: Text::reference(log_group, Output::Name),
                region: "us-east-1".into(),
                prefix: "sample".into(),
            }),
            entry_point: Vec::new(),
            command: Vec::new(),
            health: None,
            read_only_root: false,
            writable: BTreeSet::new(),
            user: None,
            stop_timeout: None,
        };
        Self {
            name: "sample-task".into(),
            cpu: 256,
            memory: 512,
            architecture: ContainerArchitecture::X86,
            storage: 20,
            task_role: role(),
            execution_role: role(),
            containers: BTreeMap::from([("web".to_owned(), container)]),
        }
    }

    fn variants() -> Vec<Self> {
        let sample = Self::sample();
        let web = &sample.containers["web"];
        let changed = Container {
            image: "public.ecr.aws/nginx/nginx:1.28".into(),
            environment: BTreeMap::from([
                ("DB_HOST".to_owned(), "localhost".into()),
                ("STAGE".to_owned(), "".into()),
            ]),
            entry_point: vec!["/docker-entrypoint.sh".into()],
            command: vec!["nginx".into(), "-g".into(), "daemon off;".into()],
            health: Some(Health {
                command: vec!["CMD-SHELL".into(), "curl -f http://localhost/ || exit 1".into()],
                interval: 30,
                timeout: 5,
                retries: 3,
                start_period: 10,
            }),
            read_only_root: true,
            writable: ["/run", "/var/cache/nginx"].map(str::to_owned).into(),
            user: Some("nginx".into()),
            stop_timeout: Some(60),
            ..web.clone()
        };
        let secret = web.secrets["PASSWORD"].clone();
        let beside = Container {
            image: "public.ecr.aws/docker/library/busybox:1".into(),
            essential: false,
            cpu: 64,
            memory: Some(128),
            ports: BTreeSet::from([Port { port: 8125, protocol: "udp".into() }]),
            environment: BTreeMap::new(),
            secrets: BTreeMap::from([("ALL".to_owned(), Secret { field: None, ..secret })]),
            logs: None,
            ..web.clone()
        };
        // Without an execution role there are neither logs nor secrets.
        let bare = Container { logs: None, secrets: BTreeMap::new(), ..web.clone() };
        let both = BTreeMap::from([("beside".to_owned(), beside), ("web".to_owned(), web.clone())]);
        vec![
            Self { containers: BTreeMap::from([("web".to_owned(), changed)]), ..sample.clone() },
            Self { cpu: 512, memory: 1024, containers: both, ..sample.clone() },
            Self {
                architecture: ContainerArchitecture::Arm64,
                storage: 30,
                task_role: None,
                execution_role: None,
                containers: BTreeMap::from([("web".to_owned(), bare)]),
                ..sample.clone()
            },
            sample,
        ]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let requests = cx.load(Driver::Requests);
        let role = self.task_role.iter();
        let mut flows: Vec<_> = role.flat_map(|role| to(role, Driver::Calls, requests)).collect();
        for container in self.containers.values() {
            if let Some(log) = &container.logs {
                flows.extend(to(&log.group, Driver::Gb, gb(requests * cx.assume.log_kb)));
            }
            // A container talks to the database whose address it gets.
            let texts = container.environment.values();
            let databases = texts.flat_map(|text| to(text, Driver::Reads, requests));
            flows.extend(databases.filter(|flow| flow.to.kind == "rds.cluster"));
        }
        flows
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let mut pages = cx
            .aws
            .ecs
            .list_task_definition_families()
            .status(TaskDefinitionFamilyStatus::Active)
            .into_paginator()
            .items()
            .send();
        let mut families = Vec::new();
        while let Some(family) = pages.next().await {
            let family = family.map_err(op("ListTaskDefinitionFamilies"))?;
            if cx.is_candidate(&family) {
                families.push(family);
            }
        }
        let lives = try_join_all(families.iter().map(|family| newest(cx.aws, family))).await?;
        let found = lives.into_iter().flatten().filter_map(|live| {
            let (address, owner) = cx.claim(&live.id, &live.tags)?;
            Some(Found { address, owner, live })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        // Other owners have the revisions that remain in the family.
        let found = newest(cx.aws, cx.id()).await?;
        Ok(found.filter(|live| cx.aws.scope.owned(&live.tags).is_some()))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        self.register(cx).await?;
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let old = revisions(cx.aws, &live.id).await?;
        retire(cx.aws, old.get(KEPT..).unwrap_or_default()).await?;
        self.register(cx).await
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).map(String::as_str).unwrap_or_default();
        add_tags(cx.aws, arn, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).map(String::as_str).unwrap_or_default();
        remove_tags(cx.aws, arn, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        retire(cx.aws, &revisions(cx.aws, &live.id).await?).await
    }
}

/// What its containers get the address of, they call.
fn flows(spec: &Value) -> Vec<Flow> {
    let containers = spec.get("containers").and_then(Value::as_object);
    let of = |container: &Value| {
        let calls = Flow::out(container, "/environment", "");
        calls.into_iter().chain(Flow::out(container, "/secrets", "reads at start"))
    };
    containers.into_iter().flat_map(|all| all.values()).flat_map(of).map(Flow::implied).collect()
}
