//! `[vpc_links]`: connections from APIs into the network.

use crate::aws::kinds::apigateway::vpc_link::VpcLink;
use crate::config::KeyPath;
use payctl_engine::model::address::Address;

use super::network::id;
use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn vpc_links(&mut self) {
        for (key, config) in &self.config.vpc_links {
            let path = &KeyPath::of("vpc_links").key(key);
            let name = self.item_name("apigateway.vpc_link", key, config.name.as_ref(), path);
            let zones = config.zones.map_or(usize::MAX, usize::from);
            let groups = config.security_groups.iter();
            let spec = VpcLink {
                name: name.clone(),
                subnets: self.subnet_ids(config.subnets).into_iter().take(zones).collect(),
                groups: groups.map(|group| id("ec2.security_group", &group.0)).collect(),
            };
            let address = Address::new("apigateway.vpc_link", key.0.as_str());
            self.add(Item::new(address, name, path), &spec);
        }
    }
}
