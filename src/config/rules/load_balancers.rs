//! The rules of `[load_balancers]`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::problem::{did_you_mean, suggest};
use crate::config::schema::load_balancers::{
    Action, Conditions, Forward, Listener, LoadBalancer, Redirect, Respond, Rule,
};
use crate::config::schema::network::SubnetTier;
use crate::config::schema::text::ItemName;
use crate::words::load_balancers::{BalancerType, ListenerProtocol, Scheme, TLS_POLICIES};
use crate::words::target_groups::TargetProtocol;

/// The longest name.
pub(super) const NAME: usize = 32;

/// The smallest subnet for an application load balancer.
pub(super) const SMALLEST: u8 = 27;

/// How many values the conditions of a rule may have, and how many wildcards these values.
const MOST_VALUES: usize = 5;

/// Where an action stands: the load balancer's type, and what its listener takes.
#[derive(Clone, Copy)]
struct Place {
    kind: BalancerType,
    protocol: ListenerProtocol,
    port: u16,
}

impl Rules<'_> {
    pub(super) fn load_balancers(&mut self) {
        // The load balancer of each target group: AWS allows one.
        let mut behind: BTreeMap<String, String> = BTreeMap::new();
        for (name, config) in &self.config.load_balancers {
            let path = KeyPath::of("load_balancers").key(name);
            if config.from.is_none() {
                self.balancer_name(&path, config.name.as_deref());
                self.standing(&path, config);
                self.settings(&path, config);
                self.access_log(&path, config);
            }
            self.balancer_domain(&path, config);
            let mut ports = BTreeSet::new();
            for (at, listener) in config.listeners.iter().enumerate() {
                let path = path.key("listeners").item(at);
                if !ports.insert(listener.port) {
                    let path = path.key("port");
                    let message = format!("another listener uses port {}", listener.port);
                    self.say(&path, message, "use another port");
                }
                match &config.from {
                    None => self.listener(&path, config.kind, listener),
                    Some(lender) => self.lent_listener(&path, lender, listener),
                }
                let rules = listener.rules.iter();
                let rules = rules.map(|(rule, it)| (path.key("rules").key(rule), &it.forward));
                for (path, forward) in rules.chain([(path.clone(), &listener.forward)]) {
                    for (group, _) in forward.iter().flat_map(Forward::shares) {
                        let other =
                            behind.entry(group.to_owned()).or_insert_with(|| name.0.clone());
                        if *other != name.0 {
                            let message =
                                format!("the load balancer `{other}` already uses `{group}`");
                            let fix = "use another target group: AWS allows only one load balancer \
                                       for each";
                            self.say(&path.key("forward"), message, fix);
                        }
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

    /// The domain name of a load balancer: one of its certificates must stand for it, as far as the
    /// config knows them.
    fn balancer_domain(&mut self, path: &KeyPath, config: &LoadBalancer) {
        let Some(domain) = &config.domain else { return };
        let path = path.key("domain").key("name");
        let zone = self.config.zone_for(domain.zone.as_ref());
        self.in_zone(&path, &domain.name, zone);
        let all = config.listeners.iter().flat_map(|listener| {
            listener.certificate.iter().chain(listener.other_certificates.iter().flatten())
        });
        let all: Vec<&str> = all.map(|certificate| &**certificate).collect();
        let fits = |given: &&str| {
            self.certificate_of(given).is_none_or(|found| found.covers(&domain.name))
        };
        if let Some(first) = all.first()
            && !all.iter().any(fits)
        {
            self.covers(&path, first, &domain.name);
        }
    }

    fn access_log(&mut self, path: &KeyPath, config: &LoadBalancer) {
        let Some(log) = &config.access_log else { return };
        let Some(bucket) = self.config.buckets.get(&ItemName(log.bucket.0.clone())) else { return };
        let name = &log.bucket.0;
        let at = path.key("access_log").key("bucket");
        if !bucket.log_delivery && bucket.existing.is_none() {
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
        self.listener_certificates(path, protocol, listener);
        for name in listener.rules.keys() {
            self.needed(&path.key("rules").key(name), &["priority"]);
        }
        if !TLS_POLICIES.contains(&&*listener.tls_policy) {
            let message = format!("AWS has no TLS security policy `{}`", listener.tls_policy);
            let near = did_you_mean(&listener.tls_policy, TLS_POLICIES.iter().copied());
            let fix = near.unwrap_or_else(|| format!("use for example {}", TLS_POLICIES[5]));
            self.say(&path.key("tls_policy"), message, fix);
        }
        let place = Place { kind, protocol, port: listener.port };
        self.action(path, place, listener.action(), "listener");
        self.listener_rules(path, place, &listener.rules);
    }

    /// A listener of another environment: this one adds rules, and nothing else. They lead to its own
    /// target groups, by which payctl finds them again.
    fn lent_listener(&mut self, path: &KeyPath, lender: &str, listener: &Listener) {
        let others = self.loaded.keys(path).into_iter();
        for key in others.filter(|key| !["port", "rules"].contains(key)) {
            let message = format!("`{key}` cannot be used with `from`");
            self.say(&path.key(key), message, format!("remove it: {lender} decides"));
        }
        let kind = BalancerType::Application;
        let place = Place { kind, protocol: ListenerProtocol::Https, port: listener.port };
        self.listener_rules(path, place, &listener.rules);
        for (name, _) in listener.rules.iter().filter(|(_, rule)| rule.forward.is_none()) {
            let path = path.key("rules").key(name);
            let message = "a rule of a listener of another environment must forward";
            self.say(&path, message, "set `forward` to a target group of this environment");
        }
    }

    fn listener_rules(&mut self, path: &KeyPath, place: Place, rules: &BTreeMap<ItemName, Rule>) {
        let path = path.key("rules");
        if place.kind == BalancerType::Network && !rules.is_empty() {
            let message = "a network load balancer has no rules";
            self.say(&path, message, "remove them, or use an application load balancer");
        }
        let mut priorities: BTreeMap<u16, &str> = BTreeMap::new();
        for (name, rule) in rules {
            let path = path.key(name);
            if let Some(priority) = rule.priority
                && let Some(other) = priorities.insert(priority, name)
            {
                let message = format!("the rule `{other}` has priority {priority}");
                self.say(&path.key("priority"), message, "use another priority");
            }
            self.conditions(&path.key("when"), &rule.when);
            self.action(&path, place, rule.action(), "rule");
        }
    }

    fn conditions(&mut self, path: &KeyPath, when: &Conditions) {
        let Conditions { path: paths, host, method, header, query, source_ip } = when;
        let mut values: Vec<&str> = paths.iter().map(|it| &*it.0).collect();
        values.extend(host.iter().map(|it| &*it.0));
        values.extend(header.values().flat_map(|all| all.iter()).map(|it| &*it.0));
        // The name of a parameter may have wildcards, but does not count as a value.
        let mut patterns = values.clone();
        for (key, all) in query {
            if key.is_empty() || key.len() > 128 {
                let message = format!("the name of a parameter has {} characters", key.len());
                self.say(&path.key("query").key(key), message, "use 1 to 128");
            }
            patterns.push(key);
            patterns.extend(all.iter().map(|it| &*it.0));
            values.extend(all.iter().map(|it| &*it.0));
        }
        values.extend(method.iter().map(|it| &*it.0));
        values.extend(source_ip.iter().map(|it| &*it.0));
        let wildcards: usize = patterns.iter().map(|it| it.matches(['*', '?']).count()).sum();
        for (what, count) in [("values", values.len()), ("wildcards", wildcards)] {
            if count > MOST_VALUES {
                let message = format!("the conditions have {count} {what}");
                let fix = format!("use at most {MOST_VALUES}, or several rules");
                self.say(path, message, fix);
            }
        }
        if values.is_empty() {
            self.say(path, "the rule has no condition", "set for example `path = \"/api/*\"`");
        }
        if header.keys().any(|name| name.eq_ignore_ascii_case("host")) {
            let message = "a condition cannot look at the header `Host`";
            self.say(&path.key("header"), message, "use `host`");
        }
        for range in source_ip.iter().filter(|range| !is_range(range)) {
            let message = format!("`{}` is not an address range", range.0);
            self.say(&path.key("source_ip"), message, "write for example 203.0.113.0/24");
        }
    }

    fn action(&mut self, path: &KeyPath, place: Place, action: Action<'_>, whose: &str) {
        let actions = [
            ("forward", action.forward.is_some()),
            ("redirect", action.redirect.is_some()),
            ("respond", action.respond.is_some()),
        ];
        let given: Vec<&str> =
            actions.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect();
        match given.as_slice() {
            [_] => {}
            [] => {
                let message = format!("the {whose} has no action");
                self.say(path, message, "set one of `forward`, `redirect` and `respond`");
            }
            [first, ..] => {
                let message = format!("{} cannot be used together", given.join(" and "));
                self.say(&path.key(first), message, "keep only one");
            }
        }
        if place.kind == BalancerType::Network && action.forward.is_none() && !given.is_empty() {
            let message = "a network load balancer can only forward";
            self.say(&path.key(given[0]), message, "use `forward`");
        }
        if let Some(forward) = action.forward {
            self.forward(path, place.kind, action.sticky_seconds, forward);
        }
        if let Some(to) = action.redirect {
            self.redirect(path, place, to);
        }
        if let Some(answer) = action.respond {
            self.respond(path, answer);
        }
    }

    /// A listener that encrypts needs a certificate, and may have others beside it.
    fn listener_certificates(
        &mut self,
        path: &KeyPath,
        protocol: ListenerProtocol,
        listener: &Listener,
    ) {
        let others = listener.other_certificates.iter().flatten();
        let others = others.enumerate().map(|(at, arn)| (("other_certificates", Some(at)), arn));
        let first = listener.certificate.iter().map(|arn| (("certificate", None), arn));
        let all: Vec<_> = first.chain(others).collect();
        if !protocol.is_secure() {
            if let Some(((key, _), _)) = all.first() {
                let message = format!("the protocol {} does not use a certificate", protocol.aws());
                let fix = format!("remove `{key}`, or change the protocol");
                self.say(&path.key(key), message, fix);
            }
            return;
        }
        if listener.certificate.is_none() {
            let message = format!("the protocol {} needs a certificate", protocol.aws());
            let fix = "set `certificate` to the name of one of [certificates], or to an ARN";
            self.say(&path.key("protocol"), message, fix);
        }
        for ((key, at), arn) in all {
            let path = path.key(key);
            self.certificate(&at.map_or(path.clone(), |at| path.item(at)), arn);
        }
        if let Some(first) = &listener.certificate
            && listener.other_certificates.iter().flatten().any(|other| other == first)
        {
            let message = "`certificate` already names one of these certificates";
            self.say(&path.key("other_certificates"), message, "remove it here");
        }
    }

    fn forward(
        &mut self,
        path: &KeyPath,
        kind: BalancerType,
        sticky_seconds: Option<u32>,
        to: &Forward,
    ) {
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
        if sticky_seconds.is_some() && shares.len() < 2 {
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
            if let Some(function) = &config.function {
                if kind == BalancerType::Network {
                    let message =
                        format!("the target of `{group}` is the function `{}`", function.0);
                    let fix = "use an application load balancer: a network load balancer cannot \
                               call functions";
                    self.say(&at, message, fix);
                }
                continue;
            }
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

    fn redirect(&mut self, path: &KeyPath, place: Place, to: &Redirect) {
        let Place { protocol, port, .. } = place;
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

/// Whether a text is a range of addresses, IPv4 or IPv6.
fn is_range(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), bits.parse::<u8>()) else {
        return false;
    };
    bits <= if address.is_ipv4() { 32 } else { 128 }
}
