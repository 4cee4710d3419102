//! The rules of `[vpc_links]`.

use super::Rules;
use crate::config::key_path::KeyPath;

impl Rules<'_> {
    pub(super) fn vpc_links(&mut self) {
        for (name, link) in &self.config.vpc_links {
            let path = KeyPath::of("vpc_links").key(name);
            let Some(network) = &self.config.network else {
                if !self.loaded.has("network") {
                    self.say(&path, "a VPC link needs a network", "add a [network] section");
                }
                continue;
            };
            self.tier(&path.key("subnets"), network, link.subnets);
            if link.security_groups.is_empty() && !self.loaded.says(&path, "security_groups") {
                self.say(
                    &path,
                    "a VPC link needs a security group",
                    "name one of [security_groups]",
                );
            }
        }
    }
}
