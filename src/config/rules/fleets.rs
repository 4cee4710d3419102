//! The rules of `[fleets]`.

use super::Rules;
use crate::config::schema::fleets::{Fleet, HealthCheck};
use crate::config::schema::target_groups::TargetType;
use crate::config::schema::text::ItemName;

/// The largest user data in base64, without the part of the agent, in bytes.
const USER_DATA: usize = 10_000;

impl Rules<'_> {
    pub(super) fn fleets(&mut self) {
        for (name, config) in &self.config.fleets {
            let path = ["fleets", &**name];
            self.numbers(&path, config);
            self.machine(&path, config);
            self.place(&path, config);
            self.membership(&path, config);
            if let Some(role) = &config.role
                && let Some(found) = self.config.roles.get(&ItemName(role.0.clone()))
                && !found.instance_profile
            {
                let message = format!("the role `{}` has no instance profile", role.0);
                let fix = format!("set `instance_profile = true` in [roles.{}]", role.0);
                self.say(&[&path[..], &["role"]].concat(), message, fix);
            }
            if config.scaling.memory.is_some() && !config.agent {
                let path = [&path[..], &["scaling", "memory"]].concat();
                let message = "no agent publishes the memory use";
                self.say(&path, message, "set `agent = true`");
            }
            if config.scaling.scale_in.is_some() && !config.scales() {
                let path = [&path[..], &["scaling"]].concat();
                self.say(&path, "the group has no scaling target", "set `cpu` or `memory`");
            }
        }
    }

    fn numbers(&mut self, path: &[&str], config: &Fleet) {
        if config.min > config.max {
            let message = format!("`min` ({}) is more than `max` ({})", config.min, config.max);
            self.say(&[path, &["max"]].concat(), message, "set `max` to at least `min`");
        } else if !(config.min..=config.max).contains(&config.first()) {
            let (first, min, max) = (config.first(), config.min, config.max);
            let message = format!("{first} instances are not between {min} and {max}");
            self.say(
                &[path, &["desired"]].concat(),
                message,
                "set `desired` to a number from `min` to `max`",
            );
        }
    }

    fn machine(&mut self, path: &[&str], config: &Fleet) {
        if config.image.is_some() && config.image_parameter.is_some() {
            let path = [path, &["image_parameter"]].concat();
            self.say(&path, "`image` and `image_parameter` cannot be used together", "remove one");
        }
        let parameter = config.image_parameter.as_deref().unwrap_or_default();
        let other = if config.is_arm() { "x86_64" } else { "arm64" };
        let other = parameter.ends_with(other) || other == "x86_64" && parameter.ends_with("amd64");
        if other {
            let has = if config.is_arm() { "arm64" } else { "x86_64" };
            let message = format!("{} instances run only {has} images", config.instance_type.0);
            let fix = "use an image of that architecture, or another instance type";
            self.say(&[path, &["image_parameter"]].concat(), message, fix);
        }
        if !config.volume.device.starts_with("/dev/") {
            let path = [path, &["volume", "device"]].concat();
            self.say(&path, "a device must begin with /dev/", "write for example /dev/xvda");
        }
        let script = config.user_data.as_deref().unwrap_or_default();
        let at = [path, &["user_data"]].concat();
        if script.starts_with("#!") {
            self.say(
                &at,
                "the script must not begin with `#!`",
                "remove that line: bash runs the script",
            );
        }
        if script.len() > USER_DATA {
            let message = format!("the script is too long: {} bytes", script.len());
            self.say(
                &at,
                message,
                format!("use at most {USER_DATA} bytes; fetch the rest from a bucket"),
            );
        }
    }

    fn place(&mut self, path: &[&str], config: &Fleet) {
        let Some(network) = &self.config.network else {
            return self.say(path, "a fleet needs a network", "add a [network] section");
        };
        self.tier(&[path, &["subnets"]].concat(), network, config.subnets);
        let groups = [path, &["security_groups"]].concat();
        match config.security_groups.len() {
            0 => self.say(&groups, "a fleet needs a security group", "name at least one"),
            1..=5 => {}
            _ => self.say(&groups, "too many security groups", "use at most 5"),
        }
    }

    fn membership(&mut self, path: &[&str], config: &Fleet) {
        for (at, group) in config.target_groups.iter().enumerate() {
            let Some(found) = self.config.target_groups.get(&ItemName(group.0.clone())) else {
                continue;
            };
            if found.targets != TargetType::Instance {
                let at = at.to_string();
                let path = [path, &["target_groups", at.as_str()]].concat();
                let message = format!("the targets of `{}` are not instances", group.0);
                let fix = format!("set `targets = \"instance\"` in [target_groups.{}]", group.0);
                self.say(&path, message, fix);
            }
        }
        if config.target_groups.is_empty() && config.health_check == Some(HealthCheck::Elb) {
            let path = [path, &["health_check"]].concat();
            self.say(
                &path,
                "no target group checks these instances",
                "use `ec2`, or name `target_groups`",
            );
        }
    }
}
