//! `[security_groups]`: groups and their rules.
//!
//! AWS gives every new group a rule that allows all outbound traffic. Each group here has a set of rules,
//! which removes that one.

use std::collections::BTreeSet;

use crate::aws::kinds::ec2::security_group::SecurityGroup as GroupSpec;
use crate::aws::kinds::ec2::security_group_rules::{Direction, Peer, Rule, Rules};
use crate::config::KeyPath;
use crate::config::schema::security_groups::{Egress, Rule as ConfigRule};
use payctl_engine::model::address::Address;

use super::network::{ANYWHERE, id, vpc};
use super::{Builder, Item};

/// The rule of a group without rules: the set of rules must not be empty, and no packet has
/// this type and this destination.
fn no_traffic() -> Rule {
    Rule {
        direction: Direction::Egress,
        protocol: "icmp".into(),
        from_port: Some(252),
        to_port: Some(86),
        peer: Peer::Cidr("255.255.255.255/32".into()),
        description: Some("No traffic".into()),
    }
}

impl Builder<'_> {
    pub(super) fn security_groups(&mut self) {
        let own = self.config.security_groups.iter().filter(|(_, group)| group.from.is_none());
        for (key, group) in own {
            let path = &KeyPath::of("security_groups").key(key);
            let name = self.item_name("ec2.security_group", key, group.name.as_ref(), path);
            let spec = GroupSpec {
                name: name.clone(),
                description: group.description.0.clone(),
                vpc: vpc(),
            };
            let address = Address::new("ec2.security_group", key.0.as_str());
            self.add(Item::new(address, name.clone(), path), &spec);
            let ingress = group.ingress.iter().map(|rule| self.rule(Direction::Ingress, rule));
            let mut rules: BTreeSet<Rule> = ingress.collect();
            match &group.egress {
                Egress::All(_) => drop(rules.insert(Rule {
                    direction: Direction::Egress,
                    protocol: "-1".into(),
                    from_port: None,
                    to_port: None,
                    peer: Peer::Cidr(ANYWHERE.into()),
                    description: None,
                })),
                Egress::Rules(out) => {
                    rules.extend(out.iter().map(|rule| self.rule(Direction::Egress, rule)));
                }
            }
            if rules.is_empty() {
                rules.insert(no_traffic());
            }
            let spec = Rules { group: id("ec2.security_group", key), rules };
            let address = Address::new("ec2.security_group_rules", key.0.as_str());
            self.add(Item::new(address, name, path), &spec);
        }
    }

    fn rule(&self, direction: Direction, rule: &ConfigRule) -> Rule {
        let peer = match direction {
            Direction::Ingress => rule.from.as_deref(),
            Direction::Egress => rule.to.as_deref(),
        };
        let peer = match peer.unwrap_or_default() {
            "vpc" => Peer::Cidr(self.network_range()),
            list if list.starts_with("pl-") => Peer::PrefixList(list.to_owned()),
            other => match other.strip_prefix("group:") {
                Some(group) => Peer::Group(id("ec2.security_group", group)),
                None => Peer::Cidr(other.to_owned()),
            },
        };
        let protocol = rule.protocol.aws();
        let ports = rule.span();
        Rule {
            direction,
            protocol: protocol.to_owned(),
            from_port: ports.map(|(from, _)| from.into()),
            to_port: ports.map(|(_, to)| to.into()),
            peer,
            description: rule.description.as_ref().map(|text| text.0.clone()),
        }
    }
}
