//! The rules of `[security_groups]`.

use std::collections::BTreeSet;

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::problem::suggest;
use crate::config::ranges::canonical;
use crate::config::schema::security_groups::{Egress, Rule};
use crate::words::security_groups::Protocol;

impl Rules<'_> {
    pub(super) fn security_groups(&mut self) {
        for (name, group) in &self.config.security_groups {
            let path = KeyPath::of("security_groups").key(name);
            if !self.loaded.has("network") {
                self.say(&path, "a security group needs a network", "add a [network] section");
            }
            if group.from.is_some() {
                continue;
            }
            self.needed(&path, &["description"]);
            self.rules(&path.key("ingress"), &group.ingress, true);
            if let Egress::Rules(rules) = &group.egress {
                self.rules(&path.key("egress"), rules, false);
            }
        }
    }

    fn rules(&mut self, path: &KeyPath, rules: &[Rule], ingress: bool) {
        if rules.len() > 60 {
            self.say(path, format!("too many rules: {}", rules.len()), "use at most 60");
        }
        let mut seen = BTreeSet::new();
        for (at, rule) in rules.iter().enumerate() {
            let path = path.item(at);
            let (right, wrong) = if ingress {
                (("from", &rule.from), ("to", &rule.to))
            } else {
                (("to", &rule.to), ("from", &rule.from))
            };
            if wrong.1.is_some() {
                let path = path.key(wrong.0);
                self.say(
                    &path,
                    format!("`{}` is for the other direction", wrong.0),
                    format!("use `{}`", right.0),
                );
            }
            let Some(peer) = right.1 else {
                let fix = "write an address range, `vpc`, `group:NAME` or a prefix list";
                self.say(&path, format!("`{}` is missing", right.0), fix);
                continue;
            };
            self.peer(&path.key(right.0), peer);
            self.ports(&path, rule);
            let key = (format!("{:?}", rule.protocol), rule.span(), self.same_peer(peer));
            if !seen.insert(key) {
                let fix = "remove one: AWS ignores the description";
                self.say(&path, "this rule appears twice", fix);
            }
        }
    }

    /// One spelling for each peer.
    fn same_peer(&self, peer: &str) -> String {
        let network = self.config.network.as_ref();
        match (peer, network) {
            ("vpc", Some(network)) if network.is_own() => network.cidr.0.clone(),
            _ => canonical(peer).unwrap_or_else(|| peer.to_owned()),
        }
    }

    fn peer(&mut self, path: &KeyPath, peer: &str) {
        if let Some(group) = peer.strip_prefix("group:") {
            let names = self.loaded.names("security_groups");
            if !names.contains(&group) {
                let fix = suggest(group, names.iter().copied(), "names in [security_groups]");
                self.say(path, format!("[security_groups] has no `{group}`"), fix);
            }
            return;
        }
        if peer == "vpc" || peer.starts_with("pl-") {
            return;
        }
        match canonical(peer) {
            None => self.say(
                path,
                format!("`{peer}` is not an address range"),
                "write for example 10.0.0.0/16",
            ),
            Some(right) if right != peer => {
                let message = format!("AWS writes the range `{peer}` differently");
                self.say(path, message, format!("write {right}"));
            }
            Some(_) => {}
        }
    }

    fn ports(&mut self, path: &KeyPath, rule: &Rule) {
        if rule.port.is_some() && rule.ports.is_some() {
            self.say(path, "`port` and `ports` cannot be used together", "remove one");
        }
        let has_ports = rule.port.is_some() || rule.ports.is_some();
        if has_ports && !matches!(rule.protocol, Protocol::Tcp | Protocol::Udp) {
            self.say(path, "only tcp and udp have ports", "remove the port");
        }
        if rule.ports.is_some() && rule.span().is_none_or(|(from, to)| from > to) {
            let path = path.key("ports");
            self.say(&path, "this is not a port range", "write low-high, up to 65535");
        }
    }
}
