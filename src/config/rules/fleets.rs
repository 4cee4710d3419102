//! The rules of `[fleets]`.

use super::Rules;
use crate::config::schema::fleets::{Fleet, HealthCheck};
use crate::config::schema::target_groups::TargetType;
use crate::config::schema::text::ItemName;

/// User data in base64 has this many bytes at the most; the rest is the agent's.
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
                let message = format!("instances cannot carry the role `{}`", role.0);
                let fix = format!("say `instance_profile = true` in [roles.{}]", role.0);
                self.say(&[&path[..], &["role"]].concat(), message, fix);
            }
            if config.scaling.memory.is_some() && !config.agent {
                let path = [&path[..], &["scaling", "memory"]].concat();
                let message = "nothing publishes the memory use";
                self.say(&path, message, "leave `agent` on");
            }
            if config.scaling.scale_in.is_some() && !config.scales() {
                let path = [&path[..], &["scaling"]].concat();
                self.say(&path, "nothing scales this group", "give `cpu` or `memory`");
            }
        }
    }

    fn numbers(&mut self, path: &[&str], config: &Fleet) {
        if config.min > config.max {
            let message = format!("a minimum of {} and a maximum of {}", config.min, config.max);
            self.say(&[path, &["max"]].concat(), message, "the maximum is at least the minimum");
        } else if !(config.min..=config.max).contains(&config.first()) {
            let (first, min, max) = (config.first(), config.min, config.max);
            let message = format!("{first} instances are not between {min} and {max}");
            self.say(&[path, &["desired"]].concat(), message, "min <= desired <= max");
        }
    }

    fn machine(&mut self, path: &[&str], config: &Fleet) {
        if config.image.is_some() && config.image_parameter.is_some() {
            let path = [path, &["image_parameter"]].concat();
            self.say(&path, "`image` and `image_parameter` exclude each other", "remove one");
        }
        let parameter = config.image_parameter.as_deref().unwrap_or_default();
        let other = if config.is_arm() { "x86_64" } else { "arm64" };
        let other = parameter.ends_with(other) || other == "x86_64" && parameter.ends_with("amd64");
        if other {
            let has = if config.is_arm() { "arm64" } else { "x86_64" };
            let message = format!("a {} runs {has} images", config.instance_type.0);
            let fix = "an image of that architecture, or another instance type";
            self.say(&[path, &["image_parameter"]].concat(), message, fix);
        }
        if !config.volume.device.starts_with("/dev/") {
            let path = [path, &["volume", "device"]].concat();
            self.say(&path, "a device begins with /dev/", "for example /dev/xvda");
        }
        let script = config.user_data.as_deref().unwrap_or_default();
        let at = [path, &["user_data"]].concat();
        if script.starts_with("#!") {
            self.say(&at, "the script has a first line of its own", "leave `#!` out: it is bash");
        }
        if script.len() > USER_DATA {
            let message = format!("the script has {} bytes", script.len());
            self.say(&at, message, format!("{USER_DATA} fit; fetch the rest from a bucket"));
        }
    }

    fn place(&mut self, path: &[&str], config: &Fleet) {
        let Some(network) = &self.config.network else {
            return self.say(path, "a fleet needs a network", "add a [network] section");
        };
        self.tier(&[path, &["subnets"]].concat(), network, config.subnets);
        let groups = [path, &["security_groups"]].concat();
        match config.security_groups.len() {
            0 => self.say(&groups, "a fleet needs a security group", "name one"),
            1..=5 => {}
            _ => self.say(&groups, "too many security groups", "AWS takes 5"),
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
                let message = format!("the targets of `{}` are no instances", group.0);
                let fix = format!("say `targets = \"instance\"` in [target_groups.{}]", group.0);
                self.say(&path, message, fix);
            }
        }
        if config.target_groups.is_empty() && config.health_check == Some(HealthCheck::Elb) {
            let path = [path, &["health_check"]].concat();
            self.say(&path, "no target group checks these instances", "`ec2`, or target groups");
        }
    }
}
