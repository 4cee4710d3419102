//! `[services]`: a service is a log group, a role that starts tasks, a task definition, the service
//! itself, and its scaling.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::aws::kinds::ecs::service::{
    Alarms, Deployment, Hook, OtherSide, Service, Shift, Step, Target,
};
use crate::aws::kinds::ecs::task_definition::{
    Container, Health, Logs, Port, Secret, TaskDefinition,
};
use crate::aws::kinds::iam::role::Role;
use crate::aws::kinds::scaling::target::{Policy, Target as ScalingTarget};
use crate::config::KeyPath;
use crate::config::schema::services::{ContainerHealth, ContainerService, Scaling};
use crate::config::schema::text::{AlarmRef, ItemName, PhysicalName};
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::text::{Output, Text};

use super::functions::callee_arn;
use super::log_groups::Kept;
use super::network::id;
use super::{Builder, Item};

/// Seconds for a new task to become healthy behind a load balancer.
const GRACE: u32 = 60;

fn arn(kind: &str, name: &str) -> Text {
    Text::reference(Address::new(kind, name), Output::Arn)
}

impl Builder<'_> {
    pub(super) fn services(&mut self) {
        for (key, config) in &self.config.services {
            let path = &KeyPath::of("services").key(key);
            let name = self.item_name("ecs.service", key, config.name.as_ref(), path);
            self.service_log(key, &name, config, path);
            if config.execution_role.is_none() {
                self.execution_role(key, config, path);
            }
            if config.deployment.moves_traffic() && config.deployment.role.is_none() {
                self.deployment_role(key, config, path);
            }
            let spec = self.task_definition(key, &name, config);
            let address = Address::new("ecs.task_definition", key.0.as_str());
            self.add(Item::new(address, name.clone(), path), &spec);
            let spec = self.service(key, &name, config);
            let address = Address::new("ecs.service", key.0.as_str());
            self.add(Item::new(address, name.clone(), path), &spec);
            if let Some(scaling) = &config.scaling {
                let cluster = Address::new("ecs.cluster", config.cluster.0.as_str());
                let resource = format!("service/{}/{name}", self.physical_name(&cluster));
                let address = Address::new("scaling.target", key.0.as_str());
                self.add(Item::new(address, resource, path), &scaling_target(key, scaling));
            }
        }
    }

    /// Services wait for the needs of their tasks without a reference: a route to the internet,
    /// the rules of the security groups, the fields that a database adds to its secret; and, if
    /// they are behind a load balancer, for the listeners and their rules, because ECS does not accept a target
    /// group that none of them uses. Called after everything else is added.
    pub(super) fn services_wait(&mut self) {
        for (key, config) in &self.config.services {
            let groups: BTreeSet<&str> =
                config.security_groups.iter().map(|group| &*group.0).collect();
            let secrets: BTreeSet<&str> =
                config.secrets.values().map(|secret| secret.parts().0).collect();
            let awaited =
                self.resources.keys().filter(|Address { kind, name }| match kind.as_str() {
                    "ec2.route_table" => true,
                    "ec2.security_group_rules" => groups.contains(name.as_str()),
                    "elb.listener" | "elb.listener_rule" => config.target_group.is_some(),
                    "secretsmanager.attachment" => secrets.contains(name.as_str()),
                    _ => false,
                });
            let awaited: Vec<Address> = awaited.cloned().collect();
            let address = Address::new("ecs.service", key.0.as_str());
            if let Some(service) = self.resources.get_mut(&address) {
                service.after.extend(awaited);
            }
        }
    }

    /// The log group, which must exist before a task starts.
    fn service_log(&mut self, key: &str, service: &str, config: &ContainerService, path: &KeyPath) {
        let logical = format!("service-{key}");
        let explicit = PhysicalName(format!("/ecs/{service}"));
        let name = self.item_name("logs.log_group", &logical, Some(&explicit), path);
        let kept = Kept {
            retention: config.log_retention_days,
            class: config.log_class,
            key: config.log_key.as_ref(),
        };
        self.log_group(&logical, name, kept, path);
    }

    /// The role that starts tasks, with exactly the permissions for that.
    fn execution_role(&mut self, key: &str, config: &ContainerService, path: &KeyPath) {
        let logical = format!("{key}-execution");
        let name = self.item_name("iam.role", &logical, None, path);
        let spec = Role {
            name: name.clone(),
            path: self.scope.iam_path(),
            description: format!("Starts the tasks of {key}"),
            trust: Document::of([json!({
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "Service": "ecs-tasks.amazonaws.com" },
            })]),
            inline: BTreeMap::from([(
                "permissions".to_owned(),
                Document::of(self.execution_statements(key, config)),
            )]),
            managed: BTreeSet::new(),
            max_session: Some(3600),
            boundary: self.boundary(None),
        };
        self.add(Item::new(Address::new("iam.role", logical), name, path), &spec);
    }

    /// The role with which ECS moves traffic and calls the hooks of deployments.
    fn deployment_role(&mut self, key: &str, config: &ContainerService, path: &KeyPath) {
        let logical = format!("{key}-deployment");
        let name = self.item_name("iam.role", &logical, None, path);
        let hooks: BTreeSet<Text> =
            config.deployment.hooks.iter().map(|hook| callee_arn(&hook.function)).collect();
        let inline = (!hooks.is_empty()).then(|| {
            let call = json!({
                "Sid": "Hooks", "Effect": "Allow", "Action": ["lambda:InvokeFunction"],
                "Resource": hooks,
            });
            ("permissions".to_owned(), Document::of([call]))
        });
        let partition = &self.facts.partition;
        let policy = format!("arn:{partition}:iam::aws:policy/{MOVES_TRAFFIC}");
        let spec = Role {
            name: name.clone(),
            path: self.scope.iam_path(),
            description: format!("Moves traffic in deployments of {key}"),
            trust: Document::of([json!({
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "Service": "ecs.amazonaws.com" },
            })]),
            inline: inline.into_iter().collect(),
            managed: BTreeSet::from([policy.into()]),
            max_session: Some(3600),
            boundary: self.boundary(None),
        };
        self.add(Item::new(Address::new("iam.role", logical), name, path), &spec);
    }

    fn execution_statements(&self, key: &str, config: &ContainerService) -> Vec<Value> {
        let allow = |sid: &str, actions: &[&str], resources: Value| json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources });
        let log = arn("logs.log_group", &format!("service-{key}")).then(":*");
        let write = ["logs:CreateLogStream", "logs:PutLogEvents"];
        let mut statements = vec![allow("Log", &write, json!(log))];
        let names: BTreeSet<&str> =
            config.secrets.values().map(|secret| secret.parts().0).collect();
        let keys: BTreeSet<Text> = names
            .iter()
            .filter_map(|name| self.config.secrets.get(&ItemName((*name).to_owned()))?.key.as_ref())
            .map(|key| self.key(key))
            .collect();
        if !names.is_empty() {
            let secrets: Vec<Text> =
                names.iter().map(|name| arn("secretsmanager.secret", name)).collect();
            let read = ["secretsmanager:GetSecretValue"];
            statements.push(allow("Secrets", &read, json!(secrets)));
        }
        if !keys.is_empty() {
            statements.push(allow("Keys", &["kms:Decrypt"], json!(keys)));
        }
        if let Some(repository) = self.repository(&config.image) {
            let token = ["ecr:GetAuthorizationToken"];
            statements.push(allow("Registry", &token, json!("*")));
            let fetch = [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ];
            statements.push(allow("Image", &fetch, json!(repository)));
        }
        statements
    }

    /// The ARN of the repository of an image in ECR,
    /// `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG`.
    fn repository(&self, image: &str) -> Option<String> {
        let image = image.replace("${account}", &self.facts.account);
        let (host, rest) = image.split_once('/')?;
        let (account, host) = host.split_once(".dkr.ecr.")?;
        let region = host.split('.').next()?;
        let name = rest.split(['@', ':']).next()?;
        Some(format!("arn:{}:ecr:{region}:{account}:repository/{name}", self.facts.partition))
    }

    fn task_definition(&self, key: &str, name: &str, config: &ContainerService) -> TaskDefinition {
        let role = |role: &str| arn("iam.role", role);
        let execution = match &config.execution_role {
            Some(named) => role(named),
            None => role(&format!("{key}-execution")),
        };
        let container = config.container.clone().unwrap_or_else(|| key.to_owned());
        TaskDefinition {
            name: name.to_owned(),
            cpu: config.cpu,
            memory: config.memory,
            architecture: config.architecture,
            storage: config.storage,
            task_role: config.role.as_deref().map(role),
            execution_role: Some(execution),
            containers: BTreeMap::from([(container, self.task_container(key, config))]),
        }
    }

    fn task_container(&self, key: &str, config: &ContainerService) -> Container {
        let log_group = Address::new("logs.log_group", format!("service-{key}"));
        let port = |port| Port { port, protocol: "tcp".into() };
        let environment = config.environment.iter();
        let secrets = config.secrets.iter().map(|(variable, secret)| {
            let (name, field) = secret.parts();
            let from = arn("secretsmanager.secret", name);
            (variable.0.clone(), Secret { from, field: field.map(str::to_owned) })
        });
        Container {
            image: self.text(&config.image),
            essential: true,
            cpu: 0,
            memory: None,
            ports: config.port.map(port).into_iter().collect(),
            environment: environment
                .map(|(name, value)| (name.0.clone(), self.text(value)))
                .collect(),
            secrets: secrets.collect(),
            logs: Some(Logs {
                group: Text::reference(log_group, Output::Name),
                region: self.facts.region.clone(),
                prefix: config.log_prefix.clone().unwrap_or_else(|| key.to_owned()),
            }),
            entry_point: config.entry_point.clone(),
            command: config.command.clone(),
            health: config.health.as_ref().map(health),
            read_only_root: config.read_only_root,
            writable: config.writable.iter().map(|folder| folder.0.clone()).collect(),
            user: config.user.clone(),
            stop_timeout: Some(config.stop_timeout),
        }
    }

    /// What trades places with the target group of a service in its deployments.
    fn other_side(&self, key: &str, config: &ContainerService) -> Option<OtherSide> {
        let (balancer, port, rule) = self.config.deployed_rule(config)?;
        let rule = format!("{balancer}-{port}-{rule}");
        Some(OtherSide {
            target_group: arn("elb.target_group", config.deployment.alternate.as_deref()?),
            rule: arn("elb.listener_rule", &rule),
            role: moving_role(key, config),
        })
    }

    fn service(&self, key: &str, name: &str, config: &ContainerService) -> Service {
        let groups = config.security_groups.iter();
        let target = config.target_group.as_ref().zip(config.port).map(|(group, port)| Target {
            target_group: arn("elb.target_group", group),
            container: config.container.clone().unwrap_or_else(|| key.to_owned()),
            port,
            other: self.other_side(key, config),
        });
        let grace = target.as_ref().map(|_| config.health_grace.unwrap_or(GRACE));
        let scales = config.scaling.is_some();
        Service {
            name: name.to_owned(),
            cluster: arn("ecs.cluster", &config.cluster),
            task_definition: arn("ecs.task_definition", key),
            desired: (!scales).then(|| config.tasks()),
            initial: scales.then(|| config.tasks()),
            subnets: self.subnet_ids(config.subnets).into_iter().collect(),
            security_groups: groups.map(|group| id("ec2.security_group", group)).collect(),
            public_ip: config.public_ip,
            load_balancers: target.into_iter().collect(),
            health_grace: grace.unwrap_or_default(),
            deployment: deployment(key, config),
            execute_command: config.execute_command,
            propagate_tags: config.propagate_tags,
            zone_rebalancing: config.zone_rebalancing,
            platform_version: config.platform_version.clone(),
            failed_deployment: None,
            stable: config.wait_until_stable.then_some(true),
        }
    }
}

/// AWS's policy for roles that move traffic.
const MOVES_TRAFFIC: &str = "AmazonECSInfrastructureRolePolicyForLoadBalancers";

/// The role with which ECS moves traffic in the deployments of a service.
fn moving_role(key: &str, config: &ContainerService) -> Text {
    match &config.deployment.role {
        Some(role) => arn("iam.role", role),
        None => arn("iam.role", &format!("{key}-deployment")),
    }
}

fn health(config: &ContainerHealth) -> Health {
    Health {
        command: vec!["CMD-SHELL".into(), config.command.clone()],
        interval: config.interval,
        timeout: config.timeout,
        retries: config.retries,
        start_period: config.start_period,
    }
}

fn deployment(key: &str, service: &ContainerService) -> Deployment {
    let config = &service.deployment;
    let rolls_back = config.rolls_back();
    let hooks = config.hooks.iter().map(|hook| Hook {
        function: callee_arn(&hook.function),
        role: moving_role(key, service),
        stages: hook.stages.clone(),
    });
    let name = |alarm: &AlarmRef| {
        Text::reference(Address::new("cloudwatch.alarm", alarm.0.as_str()), Output::Name)
    };
    let names: BTreeSet<Text> = config.alarms.iter().map(name).collect();
    Deployment {
        minimum_percent: config.minimum_percent,
        maximum_percent: config.maximum_percent,
        circuit_breaker: config.circuit_breaker,
        rollback: config.circuit_breaker && rolls_back,
        alarms: (!names.is_empty()).then_some(Alarms { names, rollback: rolls_back }),
        shift: config.moves_traffic().then(|| Shift {
            strategy: config.strategy,
            bake_minutes: config.bake(),
            step: config.step().map(|(percent, minutes)| Step { percent, minutes }),
            hooks: hooks.collect(),
        }),
    }
}

fn scaling_target(key: &str, config: &Scaling) -> ScalingTarget {
    let metrics = [("cpu", "CPU", config.cpu), ("memory", "Memory", config.memory)];
    let policies = metrics.into_iter().filter_map(|(name, what, value)| {
        let policy = Policy {
            metric: format!("ECSServiceAverage{what}Utilization"),
            value: f64::from(value?),
            out_cooldown: config.out_cooldown,
            in_cooldown: config.in_cooldown,
            shrinks: true,
        };
        Some((name.to_owned(), policy))
    });
    ScalingTarget {
        resource: id("ecs.service", key),
        dimension: "ecs:service:DesiredCount".into(),
        min: config.min,
        max: config.max,
        policies: policies.collect(),
    }
}
