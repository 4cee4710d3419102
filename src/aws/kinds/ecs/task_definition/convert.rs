//! Conversions between the spec of a task definition and ECS's types.
//!
//! ECS returns definitions with additions: numbers as texts, empty lists, the host port of every
//! port, defaults of health checks. This module removes them and sorts unordered lists, so that an
//! unchanged definition equals its spec.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, EphemeralStorage, HealthCheck, HostVolumeProperties,
    KeyValuePair, LogConfiguration, LogDriver, MountPoint, NetworkMode, OsFamily, PortMapping,
    RuntimePlatform, Secret as SentSecret, TaskDefinition as Described, TransportProtocol, Volume,
};

use super::super::common::to_tags;
use super::{
    Container, ContainerArchitecture, Cx, Health, Logs, OpError, Port, Secret, TaskDefinition,
    Text, op,
};

/// The disk space that a task has without asking, in GiB.
const STORAGE: u32 = 20;

impl TaskDefinition {
    /// Makes a new revision.
    pub(super) async fn register(&self, cx: &Cx<'_>) -> Result<(), OpError> {
        let known = |text: &Option<Text>| text.as_ref().map(|text| text.known().to_owned());
        let platform = RuntimePlatform::builder()
            .cpu_architecture(self.architecture.aws().into())
            .operating_system_family(OsFamily::Linux);
        let storage = Some(self.storage).filter(|size| *size != STORAGE);
        let storage = storage.map(|size| EphemeralStorage::builder().size_in_gib(int(size)));
        let containers = self.containers.iter();
        let containers = containers.map(|(name, container)| container.definition(name));
        let volumes = self.containers.iter().flat_map(|(name, container)| container.volumes(name));
        let volumes = volumes.map(|(volume, _)| {
            Volume::builder().name(volume).host(HostVolumeProperties::builder().build()).build()
        });
        cx.aws
            .ecs
            .register_task_definition()
            .family(&self.name)
            .requires_compatibilities(Compatibility::Fargate)
            .network_mode(NetworkMode::Awsvpc)
            .cpu(self.cpu.to_string())
            .memory(self.memory.to_string())
            .runtime_platform(platform.build())
            .set_ephemeral_storage(storage.map(|storage| storage.build()))
            .set_task_role_arn(known(&self.task_role))
            .set_execution_role_arn(known(&self.execution_role))
            .set_container_definitions(Some(containers.collect()))
            .set_volumes(Some(volumes.collect()))
            .set_tags(Some(to_tags(cx.tags)))
            .send()
            .await
            .map_err(op("RegisterTaskDefinition"))?;
        Ok(())
    }

    /// Reads a revision; `None` if it is not one of a family.
    pub(super) fn from_described(revision: Described) -> Option<Self> {
        let architecture = revision.runtime_platform.and_then(|found| found.cpu_architecture);
        let containers = revision.container_definitions.unwrap_or_default().into_iter();
        Some(Self {
            name: revision.family?,
            cpu: amount(revision.cpu.as_deref(), "vCPU"),
            memory: amount(revision.memory.as_deref(), "GB"),
            architecture: architecture
                .and_then(|found| ContainerArchitecture::from_aws(found.as_str()))
                .unwrap_or(ContainerArchitecture::X86),
            storage: revision.ephemeral_storage.map_or(STORAGE, |disk| whole(disk.size_in_gib)),
            task_role: text(revision.task_role_arn),
            execution_role: text(revision.execution_role_arn),
            containers: containers
                .filter_map(|found| Some((found.name.clone()?, Container::from(found))))
                .collect(),
        })
    }
}

impl Container {
    /// The volumes behind the folders that can be written: name and folder.
    fn volumes(&self, name: &str) -> impl Iterator<Item = (String, &String)> {
        let numbered = self.writable.iter().enumerate();
        numbered.map(move |(at, folder)| (format!("{name}-{at}"), folder))
    }

    fn definition(&self, name: &str) -> ContainerDefinition {
        let ports = self.ports.iter().map(|Port { port, protocol }| {
            let port = i32::from(*port);
            let protocol = TransportProtocol::from(protocol.as_str());
            let mapping = PortMapping::builder().container_port(port).host_port(port);
            mapping.protocol(protocol).build()
        });
        let environment = self
            .environment
            .iter()
            .map(|(name, value)| KeyValuePair::builder().name(name).value(value.known()).build());
        let secrets = self.secrets.iter().map(|(name, secret)| {
            let built = SentSecret::builder().name(name).value_from(secret.reference()).build();
            built.expect("a secret with name and source is complete")
        });
        let mounts = self.volumes(name).map(|(volume, folder)| {
            MountPoint::builder().source_volume(volume).container_path(folder).build()
        });
        let list = |words: &Vec<String>| Some(words.clone()).filter(|words| !words.is_empty());
        ContainerDefinition::builder()
            .name(name)
            .image(self.image.known())
            .essential(self.essential)
            .cpu(int(self.cpu))
            .set_memory(self.memory.map(int))
            .set_port_mappings(Some(ports.collect()))
            .set_environment(Some(environment.collect()))
            .set_secrets(Some(secrets.collect()))
            .set_log_configuration(self.logs.as_ref().map(Logs::configuration))
            .set_entry_point(list(&self.entry_point))
            .set_command(list(&self.command))
            .set_health_check(self.health.as_ref().map(Health::check))
            .readonly_root_filesystem(self.read_only_root)
            .set_mount_points(Some(mounts.collect()))
            .set_user(self.user.clone())
            .set_stop_timeout(self.stop_timeout.map(int))
            .build()
    }

    fn from(found: ContainerDefinition) -> Self {
        let ports = found.port_mappings.unwrap_or_default().into_iter();
        let environment = found.environment.unwrap_or_default().into_iter();
        let secrets = found.secrets.unwrap_or_default().into_iter();
        let mounts = found.mount_points.unwrap_or_default().into_iter();
        Self {
            image: text(found.image).unwrap_or_default(),
            essential: found.essential.unwrap_or(true),
            cpu: whole(found.cpu),
            memory: found.memory.map(whole).filter(|memory| *memory > 0),
            ports: ports.filter_map(port).collect(),
            environment: environment
                .filter_map(|pair| Some((pair.name?, pair.value.unwrap_or_default().into())))
                .collect(),
            secrets: secrets
                .map(|secret| (secret.name, Secret::from_reference(&secret.value_from)))
                .collect(),
            logs: found.log_configuration.and_then(Logs::from_configuration),
            entry_point: found.entry_point.unwrap_or_default(),
            command: found.command.unwrap_or_default(),
            health: found.health_check.map(Health::from_check),
            read_only_root: found.readonly_root_filesystem.unwrap_or_default(),
            writable: mounts
                .filter(|mount| mount.read_only != Some(true))
                .filter_map(|mount| mount.container_path)
                .collect(),
            user: found.user.filter(|user| !user.is_empty()),
            stop_timeout: found.stop_timeout.map(whole),
        }
    }
}

fn port(found: PortMapping) -> Option<Port> {
    let protocol = found.protocol.unwrap_or(TransportProtocol::Tcp);
    let port = found.container_port.or(found.host_port)?;
    Some(Port { port: port.try_into().ok()?, protocol: protocol.as_str().to_owned() })
}

impl Secret {
    /// `ARN`, or `ARN:FIELD::` with the two empty parts for stage and version.
    fn reference(&self) -> String {
        match &self.field {
            Some(field) => format!("{}:{field}::", self.from.known()),
            None => self.from.known().to_owned(),
        }
    }

    fn from_reference(reference: &str) -> Self {
        // The ARN of a secret has seven parts; what follows is the field, the stage, the version.
        let end = reference.match_indices(':').nth(6).map(|(at, _)| at);
        let (arn, rest) = reference.split_at(end.unwrap_or(reference.len()));
        let field = rest.split(':').nth(1).filter(|field| !field.is_empty());
        Self { from: arn.into(), field: field.map(str::to_owned) }
    }
}

impl Logs {
    fn configuration(&self) -> LogConfiguration {
        let built = LogConfiguration::builder()
            .log_driver(LogDriver::Awslogs)
            .options("awslogs-group", self.group.known())
            .options("awslogs-region", &self.region)
            .options("awslogs-stream-prefix", &self.prefix)
            .build();
        built.expect("a configuration with a driver is complete")
    }

    fn from_configuration(found: LogConfiguration) -> Option<Self> {
        let options: BTreeMap<_, _> = found.options.unwrap_or_default().into_iter().collect();
        let option = |name: &str| options.get(name).cloned();
        Some(Self {
            group: option("awslogs-group")?.into(),
            region: option("awslogs-region").unwrap_or_default(),
            prefix: option("awslogs-stream-prefix").unwrap_or_default(),
        })
    }
}

impl Health {
    fn check(&self) -> HealthCheck {
        let built = HealthCheck::builder()
            .set_command(Some(self.command.clone()))
            .interval(int(self.interval))
            .timeout(int(self.timeout))
            .retries(int(self.retries))
            .set_start_period(Some(self.start_period).filter(|period| *period > 0).map(int))
            .build();
        built.expect("a health check with a command is complete")
    }

    /// Missing members have ECS's defaults.
    fn from_check(found: HealthCheck) -> Self {
        Self {
            command: found.command,
            interval: found.interval.map_or(30, whole),
            timeout: found.timeout.map_or(5, whole),
            retries: found.retries.map_or(3, whole),
            start_period: found.start_period.map_or(0, whole),
        }
    }
}

/// `1024`, or `1 vCPU` and `1 GB` for the same.
fn amount(text: Option<&str>, unit: &str) -> u32 {
    let text = text.unwrap_or_default().trim();
    let lower = text.to_lowercase();
    match lower.strip_suffix(&unit.to_lowercase()) {
        Some(units) => {
            let units: f64 = units.trim().parse().unwrap_or_default();
            (units * 1024.0).round() as u32
        }
        None => text.parse().unwrap_or_default(),
    }
}

fn text(found: Option<String>) -> Option<Text> {
    found.filter(|text| !text.is_empty()).map(Text::from)
}

fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn whole(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::Resource as _;
    use super::*;

    /// Texts that are known, as the engine makes them before it calls a kind.
    fn known(want: TaskDefinition) -> TaskDefinition {
        let tree = serde_json::to_value(want).unwrap();
        let lookup =
            |_: &payctl_engine::model::text::Ref| Some("arn:aws:x:us-east-1:1:secret:y".into());
        serde_json::from_value(payctl_engine::model::text::resolve(&tree, &lookup)).unwrap()
    }

    #[test]
    fn containers_survive_the_round_trip() {
        for want in TaskDefinition::variants() {
            for (name, container) in known(want).containers {
                let there = container.definition(&name);
                assert_eq!(Container::from(there), container);
            }
        }
    }

    #[test]
    fn defaults_added_by_ecs_are_not_a_difference() {
        let sample = known(TaskDefinition::sample()).containers["web"].clone();
        let mut found = sample.definition("web");
        found.essential = None;
        found.readonly_root_filesystem = None;
        found.command = Some(Vec::new());
        found.mount_points = Some(Vec::new());
        for port in found.port_mappings.iter_mut().flatten() {
            (port.host_port, port.protocol) = (Some(0), None);
        }
        assert_eq!(Container::from(found), sample);
    }

    #[test]
    fn a_secret_is_identified_by_arn_and_field() {
        let arn = "arn:aws:secretsmanager:us-east-1:1:secret:db-a1b2c3";
        let secret = Secret { from: arn.into(), field: Some("password".into()) };
        assert_eq!(secret.reference(), format!("{arn}:password::"));
        assert_eq!(Secret::from_reference(&secret.reference()), secret);
        let whole = Secret { field: None, ..secret };
        assert_eq!(Secret::from_reference(arn), whole);
        let parameter = "arn:aws:ssm:us-east-1:1:parameter/a";
        assert_eq!(Secret::from_reference(parameter).from, parameter.into());
    }

    #[test]
    fn amounts_are_read_with_and_without_units() {
        assert_eq!(amount(Some("256"), "vCPU"), 256);
        assert_eq!(amount(Some(".5 vCPU"), "vCPU"), 512);
        assert_eq!(amount(Some("2 GB"), "GB"), 2048);
        assert_eq!(amount(Some("1GB"), "GB"), 1024);
        assert_eq!(amount(None, "GB"), 0);
    }
}
