//! `[target_groups]`.
//!
//! A target group's name ends in a digest of the settings that AWS cannot change, so a replacement can exist
//! beside it until listeners and services have moved over. The function of a group counts as such a setting:
//! a group has only one, so a new one is registered in a new group.

use sha2::{Digest, Sha256};

use crate::aws::kinds::elb::target::Target;
use crate::aws::kinds::elb::target_group as target;
use crate::config::KeyPath;
use crate::config::schema::target_groups::{Health, TargetGroup};
use crate::words::target_groups::TargetProtocol;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::functions::named_callee;
use super::network::vpc;
use super::permissions::Caller;
use super::{Builder, Item, naming};

/// The number of characters of the digest at the end of a target group's name, after a dash.
const DIGEST: usize = 6;

const GROUP: &str = "elb.target_group";

impl Builder<'_> {
    pub(super) fn target_groups(&mut self) {
        for (key, config) in &self.config.target_groups {
            let path = &KeyPath::of("target_groups").key(key);
            let stem = self.item_name(GROUP, key, config.name.as_ref(), path);
            let limit = naming::rule(GROUP).limit;
            let stem = naming::shorten(&stem, &self.scope, limit - DIGEST - 1);
            let function = config.function.as_ref().map(named_callee);
            let called = function.as_ref().map(|function| self.physical_name(function));
            let name = format!("{stem}-{}", fixed(config, called.as_deref()));
            let address = Address::new(GROUP, key.0.as_str());
            self.add(Item::new(address, name.clone(), path), &target_group(config, name.clone()));
            if let Some(function) = function {
                self.function_target(key, &name, function, path);
            }
        }
    }

    /// The function as the target of a group. The load balancer must be allowed to call it before.
    fn function_target(&mut self, key: &str, name: &str, function: Address, path: &KeyPath) {
        let group = Text::reference(Address::new(GROUP, key), Output::Arn);
        let (sid, service) = (format!("target-group-{key}"), "elasticloadbalancing.amazonaws.com");
        let permissions = Address::new("lambda.permissions", function.name.as_str());
        let spec = Target {
            group: group.clone(),
            function: Text::reference(function.clone(), Output::Arn),
        };
        self.may_call(function, Caller { sid, service, source: group });
        let mut item = Item::new(Address::new("elb.target", key), name, path);
        item.after.insert(permissions);
        self.add(item, &spec);
    }
}

fn target_group(config: &TargetGroup, name: String) -> target::TargetGroup {
    let has_ports = config.function.is_none();
    let is_http = config.protocol != TargetProtocol::Tcp;
    let calls = config.function.as_ref().map(|_| config.multi_value_headers.unwrap_or_default());
    target::TargetGroup {
        name,
        vpc: has_ports.then(vpc),
        protocol: has_ports.then(|| config.protocol.aws().into()),
        protocol_version: (has_ports && is_http).then(|| "HTTP1".into()),
        port: has_ports.then_some(config.port),
        target_type: config.target_type().into(),
        health: config.checks().map(|health| checks(config, &health)),
        deregistration_delay: has_ports.then_some(config.deregistration_delay),
        stickiness: config.sticky_seconds.map(target::Stickiness::Cookie),
        slow_start: (has_ports && is_http).then_some(config.slow_start),
        multi_value_headers: calls,
    }
}

fn checks(config: &TargetGroup, health: &Health) -> target::Health {
    let has_ports = config.function.is_none();
    let check = health.protocol.unwrap_or(config.protocol);
    let asks = !has_ports || check != TargetProtocol::Tcp;
    let or = |given: Option<&str>, otherwise: &str| given.unwrap_or(otherwise).to_owned();
    let (interval, timeout) = config.pace(health);
    let port = health.port.map_or_else(|| "traffic-port".into(), |port| port.to_string());
    target::Health {
        protocol: has_ports.then(|| check.aws().into()),
        port: has_ports.then_some(port),
        path: asks.then(|| or(health.path.as_deref(), "/")),
        matcher: asks.then(|| or(health.codes.as_deref(), "200")),
        interval,
        timeout,
        healthy: health.healthy,
        unhealthy: health.unhealthy,
    }
}

/// A digest of the settings that cannot be changed. `function` is the name of the function.
fn fixed(config: &TargetGroup, function: Option<&str>) -> String {
    let TargetGroup { protocol, port, targets, .. } = config;
    let fixed = match function {
        Some(function) => format!("{}/{function}", config.target_type()),
        None => format!("{}/{port}/{}", protocol.aws(), targets.aws()),
    };
    let digest = Sha256::digest(fixed.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex[..DIGEST].to_owned()
}
