//! The rules of `[services]`.

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::metrics::balancer_of;
use crate::config::problem::suggest;
use crate::config::schema::network::SubnetTier;
use crate::config::schema::services::{ContainerService, Deployment, Scaling};
use crate::config::schema::text::{ItemName, TargetGroupRef};
use crate::config::tree::{Node, Value};
use crate::words::services::Strategy;

/// CPU units of a Fargate task, and the memory that they allow: least, most, step, in MiB.
const SIZES: [(u32, u32, u32, u32); 7] = [
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16_384, 1024),
    (4096, 8192, 30_720, 1024),
    (8192, 16_384, 61_440, 4096),
    (16_384, 32_768, 122_880, 8192),
];

/// Every pair that Fargate supports.
fn pairs() -> impl Iterator<Item = (u32, u32)> {
    let largest = [61_440, 122_880, 249_856].map(|memory| (32_768, memory));
    let steps = SIZES.into_iter().flat_map(|(cpu, least, most, step)| {
        (least..=most).step_by(step as usize).map(move |memory| (cpu, memory))
    });
    // The smallest size has no 1.5 GB.
    steps.filter(|pair| *pair != (256, 1536)).chain(largest)
}

/// The smallest pair with at least that much of both; else the largest of all.
fn nearest(cpu: u32, memory: u32) -> (u32, u32) {
    let enough = pairs().filter(|pair| pair.0 >= cpu && pair.1 >= memory).min();
    enough.or_else(|| pairs().max()).unwrap_or((256, 512))
}

/// How many minutes an apply waits for a service.
const LONGEST_WAIT: f64 = 20.0;

/// The fields that a database adds to its secret.
const ATTACHED: [&str; 5] = ["dbClusterIdentifier", "dbname", "engine", "host", "port"];

impl Rules<'_> {
    pub(super) fn services(&mut self) {
        for (name, service) in &self.config.services {
            let path = KeyPath::of("services").key(name);

            self.task_size(&path.key("cpu"), &path.key("memory"), service);
            self.service_network(&path, service);
            self.container(&path, service);
            for (key, role) in
                [("role", &service.role), ("execution_role", &service.execution_role)]
            {
                if let Some(role) = role {
                    self.trusted(&path.key(key), role, "ecs-tasks.amazonaws.com", "tasks");
                }
            }
            self.service_secrets(&path.key("secrets"), service);
            self.service_target(&path, service);
            self.replacing(&path.key("deployment"), &service.deployment);
            self.shifting(&path, service);
            let full = service.deployment.maximum_percent <= 100;
            if service.zone_rebalancing && full {
                let fix = "set `maximum_percent` higher, or set `zone_rebalancing = false`";
                let message = "ECS cannot rebalance tasks without an additional task";
                self.say(&path.key("deployment").key("maximum_percent"), message, fix);
            }
            if let Some(scaling) = &service.scaling {
                self.scaling(&path.key("scaling"), &path.key("desired"), scaling, service.desired);
            }
            if service.execute_command && service.role.is_none() {
                let fix = "name a `role` that allows ssmmessages:CreateControlChannel, \
                           CreateDataChannel, OpenControlChannel and OpenDataChannel";
                self.say(&path.key("execute_command"), "`execute_command` needs a role", fix);
            }
            self.retention(&path.key("log_retention_days"), service.log_retention_days);
        }
    }

    fn task_size(&mut self, cpu: &KeyPath, memory: &KeyPath, service: &ContainerService) {
        let size = (service.cpu, service.memory);
        if pairs().any(|pair| pair == size) {
            return;
        }
        let (least, most) = nearest(size.0, size.1);
        let path = if pairs().any(|pair| pair.0 == size.0) { memory } else { cpu };
        let message = format!("Fargate does not support cpu {} with memory {}", size.0, size.1);
        self.say(path, message, format!("use for example cpu = {least}, memory = {most}"));
    }

    fn service_network(&mut self, path: &KeyPath, service: &ContainerService) {
        let Some(network) = &self.config.network else {
            if !self.loaded.has("network") {
                self.say(path, "tasks need a network", "add a [network] section");
            }
            return;
        };
        self.tier(&path.key("subnets"), network, service.subnets);
        let public = service.subnets == SubnetTier::Public;
        if public != service.public_ip {
            let (message, fix) = if public {
                (
                    "tasks in public subnets need public addresses to reach the internet",
                    "set `public_ip = true`, or use private subnets",
                )
            } else {
                (
                    "`public_ip` is only for public subnets",
                    "set `subnets = \"public\"`, or remove it",
                )
            };
            self.say(&path.key("public_ip"), message, fix);
        }
        let groups = service.security_groups.iter().count();
        if groups > 5 || groups == 0 {
            let message = format!("a service has 1 to 5 security groups, not {groups}");
            self.say(&path.key("security_groups"), message, "name 1 to 5 of [security_groups]");
        }
    }

    fn container(&mut self, path: &KeyPath, service: &ContainerService) {
        if let Some(name) = &service.container {
            let fine = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            if name.is_empty() || name.len() > 255 || !name.chars().all(fine) {
                let message = format!("`{name}` is not a valid container name");
                self.say(&path.key("container"), message, "use 1 to 255 letters, digits, _ and -");
            }
        }
        let image = &service.image.0;
        if image.is_empty() || image.contains(char::is_whitespace) || image.contains("://") {
            let fix = "write for example public.ecr.aws/nginx/nginx:1.27, without https://";
            self.say(&path.key("image"), format!("`{image}` is not an image"), fix);
        }
        let version = &service.platform_version;
        let number = version.split('.').count() == 3
            && version.split('.').all(|part| part.parse::<u8>().is_ok());
        if version != "LATEST" && !number {
            let message = format!("`{version}` is not a Fargate version");
            self.say(
                &path.key("platform_version"),
                message,
                "use LATEST, or a number such as 1.4.0",
            );
        }
        if let Some(health) = &service.health
            && health.timeout > health.interval
        {
            let path = path.key("health").key("timeout");
            let message = "the timeout is longer than the interval";
            self.say(&path, message, "set `interval` higher, or `timeout` lower");
        }
        for variable in service.environment.keys() {
            if service.secrets.contains_key(variable) {
                let path = path.key("environment").key(variable);
                let message = format!("`{}` is also under `secrets`", variable.0);
                self.say(&path, message, "remove it here or under `secrets`");
            }
        }
    }

    fn service_secrets(&mut self, path: &KeyPath, service: &ContainerService) {
        for (variable, wanted) in &service.secrets {
            let path = path.key(variable);
            let (name, field) = wanted.parts();
            let Some(secret) = self.config.secrets.get(&ItemName(name.to_owned())) else {
                let names = self.loaded.names("secrets");
                if !names.contains(&name) {
                    let fix = suggest(name, names.iter().copied(), "names in [secrets]");
                    self.say(&path, format!("[secrets] has no `{name}`"), fix);
                }
                continue;
            };
            let Some(field) = field.filter(|_| secret.generate) else { continue };
            let known: Vec<&str> = secret.fields().into_iter().chain(ATTACHED).collect();
            if !known.contains(&field) {
                let fix = suggest(field, known.iter().copied(), "fields");
                self.say(&path, format!("the secret `{name}` has no field `{field}`"), fix);
            }
        }
    }

    /// The settings of the target group come from the tree.
    fn service_target(&mut self, path: &KeyPath, service: &ContainerService) {
        let Some(target) = &service.target_group else {
            if service.health_grace.is_some_and(|grace| grace > 0) {
                let fix = "set `target_group`, or remove it";
                let message = "`health_grace` needs a target group";
                self.say(&path.key("health_grace"), message, fix);
            }
            return;
        };
        if balancer_of(self.loaded, target).is_none() {
            let message = format!("no listener forwards to `{}`", target.0);
            let fix = format!("add `forward = \"{}\"` to a listener of a load balancer", target.0);
            self.say(&path.key("target_group"), message, fix);
        }
        self.registers(path, "target_group", target, service);
        if let Some(alternate) = &service.deployment.alternate {
            self.registers(path, "deployment", alternate, service);
        }
    }

    /// Whether tasks can be registered with a target group, which a key of the service names.
    fn registers(
        &mut self,
        path: &KeyPath,
        key: &str,
        target: &TargetGroupRef,
        service: &ContainerService,
    ) {
        let Some(port) = service.port else {
            let fix = "set `port` to the port that the container listens on";
            return self.say(&path.key(key), "`port` is missing", fix);
        };
        let group = self.loaded.full.get("target_groups").and_then(|all| all.get(target));
        let value = |key| group.and_then(|group: &Node| group.get(key)).map(|node| &node.value);
        let other_port = match value("port") {
            Some(Value::Integer(other)) if *other != i64::from(port) => Some(*other),
            _ => None,
        };
        let other_type = match (value("targets"), value("function")) {
            (_, Some(_)) => Some("lambda".to_owned()),
            (Some(Value::String(other)), None) if other != "ip" => Some(other.clone()),
            _ => None,
        };
        if let Some(other) = other_port {
            let message = format!("the target group `{}` has port {other}", target.0);
            self.say(
                &path.key("port"),
                message,
                format!("use the same port for both: {other} or {port}"),
            );
        }
        if let Some(other) = other_type {
            let message =
                format!("the targets of the target group `{}` are of type {other}", target.0);
            self.say(&path.key(key), message, "set `targets = \"ip\"`, which Fargate tasks need");
        }
    }

    fn replacing(&mut self, path: &KeyPath, deployment: &Deployment) {
        if (deployment.minimum_percent, deployment.maximum_percent) == (100, 100) {
            let message = "ECS cannot replace a task with 100 and 100 percent";
            let fix = "lower `minimum_percent`, or increase `maximum_percent`";
            self.say(&path.key("maximum_percent"), message, fix);
        }
        let is_watched = deployment.circuit_breaker || !deployment.alarms.is_empty();
        if deployment.rollback == Some(true) && !is_watched {
            let message = "`rollback` needs the circuit breaker or an alarm";
            let fix = "remove it, or set `circuit_breaker = true`";
            self.say(&path.key("rollback"), message, fix);
        }
    }

    /// The keys of strategies that move traffic.
    fn shifting(&mut self, path: &KeyPath, service: &ContainerService) {
        let (at, deployment) = (path.key("deployment"), &service.deployment);
        let word = words_of(deployment.strategy);
        let keys: &[&str] = match (deployment.moves_traffic(), deployment.step()) {
            (false, _) => {
                &["alternate", "bake_minutes", "step_percent", "step_minutes", "hooks", "role"]
            }
            (true, None) => &["step_percent", "step_minutes"],
            (true, Some(_)) => &[],
        };
        for key in keys.iter().filter(|key| self.loaded.says(&at, key)) {
            let message = format!("`{key}` is not for the strategy {word}");
            self.say(&at.key(key), message, "remove it, or set another `strategy`");
        }
        if !deployment.moves_traffic() {
            return;
        }
        let strategy = at.key("strategy");
        match (&service.target_group, &deployment.alternate) {
            (Some(first), Some(other)) if first == other => {
                let message = format!("`{}` is also the target group of the service", other.0);
                self.say(&at.key("alternate"), message, "name another one of [target_groups]");
            }
            (Some(first), Some(other)) => {
                if self.config.deployed_rule(service).is_none() {
                    let (first, other) = (&first.0, &other.0);
                    let message =
                        format!("no rule of a listener forwards to `{first}` and `{other}`");
                    let fix = format!(
                        "add a rule with `when = {{ path = \"/*\" }}` and \
                         `forward = {{ {first} = 100, {other} = 0 }}`"
                    );
                    self.say(&at.key("alternate"), message, fix);
                }
            }
            _ => {
                let message = format!("the strategy {word} needs two target groups");
                self.say(
                    &strategy,
                    message,
                    "set `target_group` of the service, and `alternate` here",
                );
            }
        }
        if let Some(role) = &deployment.role {
            self.trusted(&at.key("role"), role, "ecs.amazonaws.com", "ECS");
        }
        let (percent, minutes) = deployment.step().unwrap_or((100.0, 0));
        let tenths = percent * 10.0;
        if (tenths - tenths.round()).abs() > 1e-6 {
            let message = format!("{percent} has more than one decimal place");
            self.say(&at.key("step_percent"), message, "use a multiple of 0.1");
        }
        if deployment.strategy == Strategy::Linear && percent < 3.0 {
            let message = format!("a step of {percent} percent is too small");
            self.say(&at.key("step_percent"), message, "use at least 3");
        }
        let steps = match deployment.strategy {
            Strategy::Linear => (100.0 / percent).ceil() - 1.0,
            _ => 1.0,
        };
        let lasts = steps * f64::from(minutes) + f64::from(deployment.bake());
        if service.wait_until_stable && lasts >= LONGEST_WAIT {
            let message = format!("a deployment takes {lasts} minutes and more");
            let fix = format!("remove it: an apply waits for at most {LONGEST_WAIT} minutes");
            self.say(&path.key("wait_until_stable"), message, fix);
        }
    }

    fn scaling(
        &mut self,
        path: &KeyPath,
        desired_path: &KeyPath,
        scaling: &Scaling,
        desired: Option<u32>,
    ) {
        let Scaling { min, max, .. } = *scaling;
        if min > max {
            let message = format!("`min` ({min}) is more than `max` ({max})");
            self.say(&path.key("min"), message, "lower `min`");
        } else if let Some(count) = desired.filter(|count| !(min..=max).contains(count)) {
            let message = format!("{count} tasks is outside the limits {min} to {max}");
            self.say(
                desired_path,
                message,
                "use a number within the limits: scaling would change it at once",
            );
        }
        if scaling.cpu.is_none() && scaling.memory.is_none() {
            let fix = "set `cpu = 70`, or `memory = 80`, or both";
            self.say(path, "the scaling has no target", fix);
        }
    }
}

/// A strategy as the config spells it.
fn words_of(strategy: Strategy) -> String {
    strategy.aws().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_fargate_size_has_enough_cpu_and_memory() {
        assert_eq!(nearest(256, 4096), (512, 4096));
        assert_eq!(nearest(300, 512), (512, 1024));
        assert_eq!(nearest(256, 1536), (256, 2048));
        assert_eq!(nearest(99_999, 1), (32_768, 249_856));
        assert!(pairs().any(|pair| pair == (8192, 20_480)));
        assert!(!pairs().any(|pair| pair == (8192, 17_408)));
    }
}
