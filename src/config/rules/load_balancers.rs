//! The rules of `[load_balancers]`.

use std::collections::{BTreeMap, BTreeSet};

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::problem::suggest;
use crate::config::schema::load_balancers::{Forward, Listener, LoadBalancer, Redirect, Respond};
use crate::config::schema::network::SubnetTier;
use crate::config::schema::text::ItemName;
use crate::words::load_balancers::{BalancerType, ListenerProtocol, Scheme};
use crate::words::target_groups::TargetProtocol;

/// The longest name.
pub(super) const NAME: usize = 32;

/// The smallest subnet for an application load balancer.
pub(super) const SMALLEST: u8 = 27;

impl Rules<'_> {
    pub(super) fn load_balancers(&mut self) {
        // The load balancer of each target group: AWS allows one.
        let mut behind: BTreeMap<String, String> = BTreeMap::new();
        for (name, config) in &self.config.load_balancers {
            let path = KeyPath::of("load_balancers").key(name);
            self.balancer_name(&path, config.name.as_deref());
            self.standing(&path, config);
            self.settings(&path, config);
            self.access_log(&path, config);
            let mut ports = BTreeSet::new();
            for (at, listener) in config.listeners.iter().enumerate() {
                let path = path.key("listeners").item(at);
                if !ports.insert(listener.port) {
                    let path = path.key("port");
                    let message = format!("another listener uses port {}", listener.port);
                    self.say(&path, message, "use another port");
                }
                self.listener(&path, config.kind, listener);
                for (group, _) in listener.forward.iter().flat_map(Forward::shares) {
                    let other = behind.entry(group.to_owned()).or_insert_with(|| name.0.clone());
                    if *other != name.0 {
                        let message = format!("the load balancer `{other}` already uses `{group}`");
                        let fix =
                            "use another target group: AWS allows only one load balancer for each";
                        self.say(&path.key("forward"), message, fix);
                    }
                }
            }
        }
    }

    fn balancer_name(&mut self, path: &KeyPath, name: Option<&str>) {
        let Some(name) = name else { return };
        let path = path.key("name");
        if name.len() > NAME {
            let message = format!("the name is too long: {} characters", name.len());
            self.say(&path, message, "use at most 32");
        }
        if name.starts_with("internal-") {
            self.say(
                &path,
                "AWS reserves names that begin with `internal-`",
                "choose another name",
            );
        }
    }

    /// Its subnets and security groups.
    fn standing(&mut self, path: &KeyPath, config: &LoadBalancer) {
        let is_application = config.kind == BalancerType::Application;
        let Some(network) = &self.config.network else {
            return self.say(path, "a load balancer needs a network", "add a [network] section");
        };
        let tier = config.tier();
        let subnets = path.key("subnets");
        self.tier(&subnets, network, tier);
        if is_application && network.prefix(tier).is_some_and(|prefix| prefix > SMALLEST) {
            let message = format!("an application load balancer needs subnets of /{SMALLEST}");
            let fix =
                format!("set `{}_subnets = \"/{SMALLEST}\"` or larger in [network]", tier.word());
            self.say(&subnets, message, fix);
        }
        if network.zones < 2 && is_application {
            let fix = "set `zones = 2` in [network]";
            self.say(&subnets, "an application load balancer needs two zones", fix);
        }
        if config.scheme == Scheme::InternetFacing && tier != SubnetTier::Public {
            let message = "a load balancer that faces the internet needs public subnets";
            self.say(&subnets, message, "remove `subnets`, or set `scheme = \"internal\"`");
        }
        let groups = path.key("security_groups");
        if config.security_groups.is_empty() && is_application {
            let message = "an application load balancer needs a security group";
            self.say(&groups, message, "name one that allows traffic to its ports");
        }
        if config.security_groups.len() > 5 {
            self.say(&groups, "too many security groups", "use at most 5");
        }
    }

    /// Settings that only one type has.
    fn settings(&mut self, path: &KeyPath, config: &LoadBalancer) {
        let (is_application, only) = match config.kind {
            BalancerType::Application => (true, "network"),
            BalancerType::Network => (false, "application"),
        };
        let keys = [
            ("idle_timeout", config.idle_timeout.is_some(), true),
            ("http2", config.http2.is_some(), true),
            ("drop_invalid_headers", config.drop_invalid_headers.is_some(), true),
            ("cross_zone", config.cross_zone.is_some(), false),
        ];
        for (key, given, application) in keys {
            if given && application != is_application {
                let message = format!("`{key}` is only for {only} load balancers");
                self.say(&path.key(key), message, "remove it");
            }
        }
    }

    fn access_log(&mut self, path: &KeyPath, config: &LoadBalancer) {
        let Some(log) = &config.access_log else { return };
        let Some(bucket) = self.config.buckets.get(&ItemName(log.bucket.0.clone())) else { return };
        let name = &log.bucket.0;
        let at = path.key("access_log").key("bucket");
        if !bucket.log_delivery {
            let message = format!("load balancers may not write to the bucket `{name}`");
            self.say(&at, message, format!("set `log_delivery = true` in [buckets.{name}]"));
        }
        if bucket.key.is_some() {
            let message = format!("the bucket `{name}` has a customer key");
            self.say(
                &at,
                message,
                "remove the key: load balancers cannot write to a bucket that has one",
            );
        }
        let prefix = log.prefix.as_deref().unwrap_or("x");
        if prefix.starts_with('/') || prefix.ends_with('/') || prefix.contains("AWSLogs") {
            let path = path.key("access_log").key("prefix");
            let fix = "remove slashes at the ends, and `AWSLogs`, which AWS adds";
            self.say(&path, "this is not a valid prefix", fix);
        }
    }

    fn listener(&mut self, path: &KeyPath, kind: BalancerType, listener: &Listener) {
        let protocol = listener.spoken(kind);
        let fits = match kind {
            BalancerType::Application => {
                matches!(protocol, ListenerProtocol::Http | ListenerProtocol::Https)
            }
            BalancerType::Network => {
                !matches!(protocol, ListenerProtocol::Http | ListenerProtocol::Https)
            }
        };
        let at = path.key("protocol");
        if !fits {
            let message = format!("this type of load balancer does not support {}", protocol.aws());
            self.say(&at, message, "use http or https (application), tcp or tls (network)");
        }
        self.certificate(path, protocol, listener.certificate.as_deref());
        let actions = [
            ("forward", listener.forward.is_some()),
            ("redirect", listener.redirect.is_some()),
            ("respond", listener.respond.is_some()),
        ];
        let given: Vec<&str> =
            actions.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect();
        match given.as_slice() {
            [_] => {}
            [] => {
                let message = "the listener has no action";
                self.say(path, message, "set one of `forward`, `redirect` and `respond`");
            }
            [first, ..] => {
                let message = format!("{} cannot be used together", given.join(" and "));
                self.say(&path.key(first), message, "keep only one");
            }
        }
        if kind == BalancerType::Network && listener.forward.is_none() && !given.is_empty() {
            let message = "a network load balancer can only forward";
            self.say(&path.key(given[0]), message, "use `forward`");
        }
        if let Some(forward) = &listener.forward {
            self.forward(path, kind, listener, forward);
        }
        if let Some(to) = &listener.redirect {
            self.redirect(path, protocol, listener.port, to);
        }
        if let Some(answer) = &listener.respond {
            self.respond(path, answer);
        }
    }

    fn certificate(&mut self, path: &KeyPath, protocol: ListenerProtocol, arn: Option<&str>) {
        let at = path.key("certificate");
        match (protocol.is_secure(), arn) {
            (true, None) => {
                let path = path.key("protocol");
                let message = format!("the protocol {} needs a certificate", protocol.aws());
                self.say(&path, message, "set `certificate` to the ARN of an ACM certificate");
            }
            (false, Some(_)) => {
                let message = format!("the protocol {} does not use a certificate", protocol.aws());
                self.say(&at, message, "remove `certificate`, or change the protocol");
            }
            (true, Some(arn)) if !arn.starts_with("${") => {
                let parts: Vec<&str> = arn.split(':').collect();
                match parts.as_slice() {
                    ["arn", _, "acm", region, _, name] if name.starts_with("certificate/") => {
                        if *region != self.config.region.0 {
                            let message = format!("this certificate is in {region}");
                            let fix = format!("use a certificate in {}", self.config.region.0);
                            self.say(&at, message, fix);
                        }
                    }
                    _ => {
                        let fix = "arn:aws:acm:REGION:ACCOUNT:certificate/ID";
                        self.say(&at, "this is not the ARN of an ACM certificate", fix);
                    }
                }
            }
            _ => {}
        }
    }

    fn forward(&mut self, path: &KeyPath, kind: BalancerType, listener: &Listener, to: &Forward) {
        let at = path.key("forward");
        let shares = to.shares();
        if shares.is_empty() || shares.len() > 5 {
            self.say(
                &at,
                format!("the number of target groups is {}", shares.len()),
                "name 1 to 5",
            );
        }
        if matches!(to, Forward::Weighted(_)) {
            for (group, weight) in &shares {
                if *weight > 999 {
                    let path = at.key(group);
                    self.say(&path, format!("the weight {weight} is out of range"), "use 0 to 999");
                }
            }
            if shares.iter().all(|(_, weight)| *weight == 0) && !shares.is_empty() {
                self.say(&at, "all weights are 0", "set at least one to more than 0");
            }
        }
        if listener.sticky_seconds.is_some() && shares.len() < 2 {
            let path = path.key("sticky_seconds");
            let fix = "remove it; to keep clients with a target, set `sticky_seconds` of the target group";
            self.say(&path, "there is only one target group", fix);
        }
        for (group, _) in shares {
            let Some(config) = self.config.target_groups.get(&ItemName(group.to_owned())) else {
                let names = self.loaded.names("target_groups");
                let fix = suggest(group, names.iter().copied(), "names in [target_groups]");
                let path = match to {
                    Forward::One(_) => continue,
                    Forward::Weighted(_) => at.key(group),
                };
                self.say(&path, format!("[target_groups] has no `{group}`"), fix);
                continue;
            };
            let is_http = config.protocol != TargetProtocol::Tcp;
            if is_http != (kind == BalancerType::Application) {
                let message = format!(
                    "the protocol of the target group `{group}` is {}",
                    config.protocol.aws()
                );
                let fix =
                    "use http or https (application load balancer), tcp (network load balancer)";
                self.say(&at, message, fix);
            }
        }
    }

    fn redirect(&mut self, path: &KeyPath, protocol: ListenerProtocol, port: u16, to: &Redirect) {
        let at = path.key("redirect");
        if !matches!(to.protocol, ListenerProtocol::Http | ListenerProtocol::Https) {
            let path = at.key("protocol");
            self.say(
                &path,
                "a redirect must lead to http or https",
                "set for example `protocol = \"https\"`",
            );
        }
        if to.protocol == protocol && to.port == port && to.host.is_none() && to.path.is_none() {
            self.say(&at, "the redirect leads back to itself", "use another protocol or port");
        }
        if to.path.as_ref().is_some_and(|it| !it.starts_with('/')) {
            self.say(&at.key("path"), "a path must begin with a slash", "write /...");
        }
    }

    fn respond(&mut self, path: &KeyPath, answer: &Respond) {
        if (300..400).contains(&answer.status) {
            let path = path.key("respond").key("status");
            let message = format!("a fixed response cannot have the status {}", answer.status);
            self.say(
                &path,
                message,
                "use 200 to 299 or 400 to 599; to redirect clients, use `redirect`",
            );
        }
    }
}
