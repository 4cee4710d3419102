//! The rules of `[fleets]`.

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::fleets::Fleet;
use crate::config::schema::text::ItemName;
use crate::words::fleets::HealthCheck;
use crate::words::target_groups::TargetType;

/// The largest user data in base64, without the part of the agent, in bytes.
const USER_DATA: usize = 10_000;

impl Rules<'_> {
    pub(super) fn fleets(&mut self) {
        for (name, config) in &self.config.fleets {
            let path = KeyPath::of("fleets").key(name);
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
                self.say(&path.key("role"), message, fix);
            }
            if config.scaling.memory.is_some() && !config.agent {
                let path = path.key("scaling").key("memory");
                let message = "no agent publishes the memory use";
                self.say(&path, message, "set `agent = true`");
            }
            if config.scaling.scale_in.is_some() && !config.scales() {
                let path = path.key("scaling");
                self.say(&path, "the group has no scaling target", "set `cpu` or `memory`");
            }
        }
    }

    fn numbers(&mut self, path: &KeyPath, config: &Fleet) {
        if config.min > config.max {
            let message = format!("`min` ({}) is more than `max` ({})", config.min, config.max);
            self.say(&path.key("max"), message, "set `max` to at least `min`");
        } else if !(config.min..=config.max).contains(&config.first()) {
            let (first, min, max) = (config.first(), config.min, config.max);
            let message = format!("{first} instances are not between {min} and {max}");
            self.say(
                &path.key("desired"),
                message,
                "set `desired` to a number from `min` to `max`",
            );
        }
    }

    fn machine(&mut self, path: &KeyPath, config: &Fleet) {
        if config.image.is_some() && config.image_parameter.is_some() {
            let path = path.key("image_parameter");
            self.say(&path, "`image` and `image_parameter` cannot be used together", "remove one");
        }
        let parameter = config.image_parameter.as_deref().unwrap_or_default();
        let other = if config.is_arm() { "x86_64" } else { "arm64" };
        let other = parameter.ends_with(other) || other == "x86_64" && parameter.ends_with("amd64");
        if other {
            let has = if config.is_arm() { "arm64" } else { "x86_64" };
            let message = format!("{} instances run only {has} images", config.instance_type.0);
            let fix = "use an image of that architecture, or another instance type";
            self.say(&path.key("image_parameter"), message, fix);
        }
        if !config.volume.device.starts_with("/dev/") {
            let path = path.key("volume").key("device");
            self.say(&path, "a device must begin with /dev/", "write for example /dev/xvda");
        }
        let script = config.user_data.as_deref().unwrap_or_default();
        let at = path.key("user_data");
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

    fn place(&mut self, path: &KeyPath, config: &Fleet) {
        let Some(network) = &self.config.network else {
            return self.say(path, "a fleet needs a network", "add a [network] section");
        };
        self.tier(&path.key("subnets"), network, config.subnets);
        let groups = path.key("security_groups");
        match config.security_groups.len() {
            0 => self.say(&groups, "a fleet needs a security group", "name at least one"),
            1..=5 => {}
            _ => self.say(&groups, "too many security groups", "use at most 5"),
        }
    }

    fn membership(&mut self, path: &KeyPath, config: &Fleet) {
        for (at, group) in config.target_groups.iter().enumerate() {
            let Some(found) = self.config.target_groups.get(&ItemName(group.0.clone())) else {
                continue;
            };
            if found.function.is_some() || found.targets != TargetType::Instance {
                let path = path.key("target_groups").item(at);
                let message = format!("the targets of `{}` are not instances", group.0);
                let fix = format!("set `targets = \"instance\"` in [target_groups.{}]", group.0);
                self.say(&path, message, fix);
            }
        }
        if config.target_groups.is_empty() && config.health_check == Some(HealthCheck::Elb) {
            let path = path.key("health_check");
            self.say(
                &path,
                "no target group checks these instances",
                "use `ec2`, or name `target_groups`",
            );
        }
    }
}
