//! `[target_groups]`.
//!
//! A target group's name ends in a digest of the settings that AWS cannot change, so a replacement can exist
//! beside it until listeners and services have moved over.

use sha2::{Digest, Sha256};

use crate::aws::kinds::elb::target_group as target;
use crate::config::KeyPath;
use crate::config::schema::target_groups::TargetGroup;
use crate::words::target_groups::TargetProtocol;
use payctl_engine::model::address::Address;

use super::network::vpc;
use super::{Builder, Item, naming};

/// The number of characters of the digest at the end of a target group's name, after a dash.
const DIGEST: usize = 6;

impl Builder<'_> {
    pub(super) fn target_groups(&mut self) {
        for (key, config) in &self.config.target_groups {
            let path = &KeyPath::of("target_groups").key(key);
            let stem = self.item_name("elb.target_group", key, config.name.as_ref(), path);
            let limit = naming::rule("elb.target_group").limit;
            let stem = naming::shorten(&stem, &self.scope, limit - DIGEST - 1);
            let name = format!("{stem}-{}", fixed(config));
            let address = Address::new("elb.target_group", key.0.as_str());
            self.add(Item::new(address, name.clone(), path), &target_group(config, name));
        }
    }
}

fn target_group(config: &TargetGroup, name: String) -> target::TargetGroup {
    let health = &config.health;
    let check = health.protocol.unwrap_or(config.protocol);
    let asks = check != TargetProtocol::Tcp;
    let is_http = config.protocol != TargetProtocol::Tcp;
    let or = |given: Option<&str>, otherwise: &str| given.unwrap_or(otherwise).to_owned();
    target::TargetGroup {
        name,
        vpc: vpc(),
        protocol: config.protocol.aws().into(),
        protocol_version: is_http.then(|| "HTTP1".into()),
        port: config.port,
        target_type: config.targets.aws().into(),
        health: target::Health {
            protocol: check.aws().into(),
            port: health.port.map_or_else(|| "traffic-port".into(), |port| port.to_string()),
            path: asks.then(|| or(health.path.as_deref(), "/")),
            matcher: asks.then(|| or(health.codes.as_deref(), "200")),
            interval: health.interval,
            timeout: health.timeout,
            healthy: health.healthy,
            unhealthy: health.unhealthy,
        },
        deregistration_delay: Some(config.deregistration_delay),
        stickiness: config.sticky_seconds.map(target::Stickiness::Cookie),
        slow_start: is_http.then_some(config.slow_start),
    }
}

/// A digest of the settings that cannot be changed.
fn fixed(config: &TargetGroup) -> String {
    let TargetGroup { protocol, port, targets, .. } = config;
    let fixed = format!("{}/{port}/{}", protocol.aws(), targets.aws());
    let digest = Sha256::digest(fixed.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex[..DIGEST].to_owned()
}
