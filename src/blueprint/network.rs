//! `[network]` and `[security_groups]`: the VPC, its subnets, the ways out, and who may talk.
//!
//! Subnets are consecutive blocks, tier by tier over the zones. NAT instance: Amazon Linux 2023 has
//! no packet filter installed, so the first boot installs nftables; the outward interface is the
//! one of the default route, not a fixed name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::aws::kinds::ec2_elastic_ip::ElasticIp;
use crate::aws::kinds::ec2_gateway_endpoint::GatewayEndpoint;
use crate::aws::kinds::ec2_instance::Instance;
use crate::aws::kinds::ec2_internet_gateway::InternetGateway;
use crate::aws::kinds::ec2_nat_gateway::NatGateway;
use crate::aws::kinds::ec2_route_table::{Route, RouteTable};
use crate::aws::kinds::ec2_security_group::SecurityGroup as GroupSpec;
use crate::aws::kinds::ec2_security_group_rules::{Direction, Peer, Rule, Rules};
use crate::aws::kinds::ec2_subnet::Subnet;
use crate::aws::kinds::ec2_vpc::Vpc;
use crate::aws::kinds::iam_instance_profile::InstanceProfile;
use crate::aws::kinds::iam_role::Role;
use crate::config::ranges::Block;
use crate::config::schema::network::{
    Egress, GatewayService, NatKind, Network, Protocol, Rule as ConfigRule,
};
use crate::model::address::Address;
use crate::model::document::Document;
use crate::model::text::{Output, Text};

use super::{Builder, Item};

const PATH: &[&str] = &["network"];
const NAT_PATH: &[&str] = &["network", "nat"];
const ANYWHERE: &str = "0.0.0.0/0";
const IMAGE: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64";

/// What a NAT instance does at its first boot.
const FORWARD: &str = r#"#!/bin/bash
set -euo pipefail
until dnf install -y nftables; do sleep 5; done
echo 'net.ipv4.ip_forward = 1' > /etc/sysctl.d/90-nat.conf
sysctl -p /etc/sysctl.d/90-nat.conf
out=$(ip -4 route show default | awk 'NR == 1 { print $5 }')
cat > /etc/sysconfig/nftables.conf <<RULES
flush ruleset
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "$out" masquerade
  }
}
RULES
systemctl enable --now nftables
"#;

/// The tiers, in the order in which addresses are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TierName {
    Public,
    Private,
    Isolated,
}

impl TierName {
    const ALL: [Self; 3] = [Self::Public, Self::Private, Self::Isolated];

    fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Isolated => "isolated",
        }
    }

    fn prefix(self, network: &Network) -> Option<u8> {
        match self {
            Self::Public => network.public_subnets.prefix(),
            Self::Private => network.private_subnets.prefix(),
            Self::Isolated => network.isolated_subnets.prefix(),
        }
    }
}

fn vpc() -> Text {
    Text::reference(Address::new("ec2.vpc", "main"), Output::Id)
}

fn id(kind: &str, name: &str) -> Text {
    Text::reference(Address::new(kind, name), Output::Id)
}

impl Builder<'_> {
    pub(super) fn network(&mut self) {
        let Some(network) = &self.config.network else { return };
        let zones = usize::from(network.zones);
        if self.facts.zones.len() < zones {
            let found = self.facts.zones.len();
            let message = format!("{} has {found} zones for this account", self.facts.region);
            self.problem(&["network", "zones"], message, format!("use {found} at the most"));
            return;
        }
        let name = self.item_name("ec2.vpc", "main", network.name.as_ref(), PATH);
        let spec = Vpc {
            cidr: network.cidr.0.clone(),
            dns_support: true,
            dns_hostnames: true,
            default_group_closed: true,
        };
        self.add(Item::new(Address::new("ec2.vpc", "main"), name, PATH), &spec);
        self.subnets(network);
        if network.public_subnets.prefix().is_some() {
            self.way_out();
        }
        self.nat(network);
        self.inner_routes(network);
        self.endpoints(network);
    }

    /// A resource of the network that has no name of its own.
    fn part(&mut self, kind: &str, logical: &str, path: &'static [&'static str]) -> Item<'static> {
        Item::new(Address::new(kind, logical), self.name(kind, logical), path)
    }

    fn subnets(&mut self, network: &Network) {
        let Some(mut free) = Block::parse(&network.cidr).map(|block| block.cursor()) else {
            return;
        };
        for tier in TierName::ALL {
            let Some(prefix) = tier.prefix(network) else { continue };
            for zone in 0..usize::from(network.zones) {
                // The rules of the config made sure that all fit.
                let Some(block) = free.take(prefix) else { return };
                let spec = Subnet {
                    vpc: vpc(),
                    cidr: block.to_string(),
                    zone: self.facts.zones[zone].clone(),
                    public_addresses: tier == TierName::Public,
                };
                let logical = format!("{}-{}", tier.word(), zone + 1);
                let item = self.part("ec2.subnet", &logical, PATH);
                self.add(item, &spec);
            }
        }
    }

    fn subnet_ids(&self, tier: TierName) -> Vec<Text> {
        let Some(network) = &self.config.network else { return Vec::new() };
        let zones = match tier.prefix(network) {
            Some(_) => usize::from(network.zones),
            None => 0,
        };
        (1..=zones).map(|zone| id("ec2.subnet", &format!("{}-{zone}", tier.word()))).collect()
    }

    /// The ids of a tier's subnets, with commas.
    pub(super) fn subnet_list(&self, tier: TierName) -> Text {
        let ids = self.subnet_ids(tier).into_iter();
        ids.reduce(|list, id| list.then(",").then(id)).unwrap_or_default()
    }

    fn way_out(&mut self) {
        let item = self.part("ec2.internet_gateway", "main", PATH);
        self.add(item, &InternetGateway { vpc: vpc(), attached: true });
        let out = Route::InternetGateway(id("ec2.internet_gateway", "main"));
        let spec = RouteTable {
            vpc: vpc(),
            routes: BTreeMap::from([(ANYWHERE.to_owned(), out)]),
            subnets: self.subnet_ids(TierName::Public).into_iter().collect(),
        };
        let item = self.part("ec2.route_table", "public", PATH);
        self.add(item, &spec);
    }

    fn nat(&mut self, network: &Network) {
        if network.private_subnets.prefix().is_none() {
            return;
        }
        match network.nat.kind {
            NatKind::None => {}
            NatKind::Gateway => (1..=network.nat.count).for_each(|at| self.nat_gateway(at)),
            NatKind::Instance => {
                self.nat_access(network);
                (1..=network.nat.count).for_each(|at| self.nat_instance(network, at));
            }
        }
    }

    /// What must be there before anything behind NAT reaches the internet.
    fn before_nat() -> BTreeSet<Address> {
        BTreeSet::from([
            Address::new("ec2.internet_gateway", "main"),
            Address::new("ec2.route_table", "public"),
        ])
    }

    fn nat_gateway(&mut self, at: u8) {
        let logical = format!("nat-{at}");
        // The internet gateway cannot be detached while an address is in use.
        let item = self.part("ec2.elastic_ip", &logical, NAT_PATH);
        let gateway = BTreeSet::from([Address::new("ec2.internet_gateway", "main")]);
        self.add(Item { after: gateway, ..item }, &ElasticIp {});
        let spec = NatGateway {
            subnet: id("ec2.subnet", &format!("public-{at}")),
            address: id("ec2.elastic_ip", &logical),
        };
        let item = self.part("ec2.nat_gateway", &logical, NAT_PATH);
        self.add(Item { after: Self::before_nat(), ..item }, &spec);
    }

    /// The security group and the role of NAT instances.
    fn nat_access(&mut self, network: &Network) {
        let name = self.item_name("ec2.security_group", "nat", None, NAT_PATH);
        let spec = GroupSpec {
            name: name.clone(),
            description: "NAT instances: everything from the VPC, everything out".into(),
            vpc: vpc(),
        };
        self.add(
            Item::new(Address::new("ec2.security_group", "nat"), name.clone(), NAT_PATH),
            &spec,
        );
        let rule = |direction, cidr: &str, what: &str| Rule {
            direction,
            protocol: "-1".into(),
            from_port: None,
            to_port: None,
            peer: Peer::Cidr(cidr.to_owned()),
            description: Some(what.to_owned()),
        };
        let rules = Rules {
            group: id("ec2.security_group", "nat"),
            rules: BTreeSet::from([
                rule(Direction::Ingress, &network.cidr, "From the VPC"),
                rule(Direction::Egress, ANYWHERE, "To the internet"),
            ]),
        };
        self.add(
            Item::new(Address::new("ec2.security_group_rules", "nat"), name, NAT_PATH),
            &rules,
        );
        let managed =
            format!("arn:{}:iam::aws:policy/AmazonSSMManagedInstanceCore", self.scope.partition);
        let name = self.item_name("iam.role", "nat", None, NAT_PATH);
        let role = Role {
            name: name.clone(),
            path: self.scope.iam_path(),
            description: "NAT instances".into(),
            trust: Document::of([json!({
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "Service": "ec2.amazonaws.com" },
            })]),
            inline: BTreeMap::new(),
            managed: BTreeSet::from([managed.into()]),
            max_session: Some(3600),
            boundary: None,
        };
        self.add(Item::new(Address::new("iam.role", "nat"), name, NAT_PATH), &role);
        self.instance_profile("nat", None, NAT_PATH);
    }

    /// The instance profile of a role of the same logical name.
    pub(super) fn instance_profile(
        &mut self,
        logical: &str,
        explicit: Option<&crate::config::schema::text::PhysicalName>,
        path: &[&str],
    ) {
        let name = self.item_name("iam.instance_profile", logical, explicit, path);
        let spec = InstanceProfile {
            name: name.clone(),
            path: self.scope.iam_path(),
            role: Text::reference(Address::new("iam.role", logical), Output::Name),
        };
        self.add(Item::new(Address::new("iam.instance_profile", logical), name, path), &spec);
    }

    fn nat_instance(&mut self, network: &Network, at: u8) {
        let spec = Instance {
            image_parameter: IMAGE.into(),
            instance_type: network.nat.instance_type.0.clone(),
            subnet: id("ec2.subnet", &format!("public-{at}")),
            groups: BTreeSet::from([id("ec2.security_group", "nat")]),
            profile: Some(Text::reference(
                Address::new("iam.instance_profile", "nat"),
                Output::Name,
            )),
            user_data: Some(FORWARD.into()),
            source_dest_check: false,
        };
        let item = self.part("ec2.instance", &format!("nat-{at}"), NAT_PATH);
        // Its first boot downloads a package.
        let mut after = Self::before_nat();
        after.insert(Address::new("ec2.security_group_rules", "nat"));
        self.add(Item { after, ..item }, &spec);
    }

    /// Route tables of the private and isolated tiers.
    fn inner_routes(&mut self, network: &Network) {
        let private = self.subnet_ids(TierName::Private);
        let several = network.nat.kind != NatKind::None && network.nat.count > 1;
        if several {
            for (zone, subnet) in private.into_iter().enumerate() {
                let nat = zone % usize::from(network.nat.count) + 1;
                let routes = Self::nat_route(network, nat);
                let logical = format!("private-{}", zone + 1);
                self.route_table(&logical, routes, vec![subnet]);
            }
        } else if !private.is_empty() {
            self.route_table("private", Self::nat_route(network, 1), private);
        }
        let isolated = self.subnet_ids(TierName::Isolated);
        if !isolated.is_empty() {
            self.route_table("isolated", BTreeMap::new(), isolated);
        }
    }

    fn nat_route(network: &Network, at: usize) -> BTreeMap<String, Route> {
        let logical = format!("nat-{at}");
        let route = match network.nat.kind {
            NatKind::None => return BTreeMap::new(),
            NatKind::Gateway => Route::NatGateway(id("ec2.nat_gateway", &logical)),
            NatKind::Instance => Route::Interface(Text::reference(
                Address::new("ec2.instance", logical),
                Output::InterfaceId,
            )),
        };
        BTreeMap::from([(ANYWHERE.to_owned(), route)])
    }

    fn route_table(&mut self, logical: &str, routes: BTreeMap<String, Route>, subnets: Vec<Text>) {
        let spec = RouteTable { vpc: vpc(), routes, subnets: subnets.into_iter().collect() };
        let item = self.part("ec2.route_table", logical, PATH);
        self.add(item, &spec);
    }

    fn endpoints(&mut self, network: &Network) {
        let is_table = |address: &&Address| address.kind == "ec2.route_table";
        let tables = self.resources.keys().filter(is_table);
        let tables: BTreeSet<Text> = tables.map(|table| id(&table.kind, &table.name)).collect();
        let domain = match self.scope.partition.as_str() {
            "aws-cn" => "cn.com.amazonaws",
            _ => "com.amazonaws",
        };
        for service in &network.gateway_endpoints {
            let word = match service {
                GatewayService::S3 => "s3",
                GatewayService::Dynamodb => "dynamodb",
            };
            let spec = GatewayEndpoint {
                vpc: vpc(),
                service: format!("{domain}.{}.{word}", self.facts.region),
                route_tables: tables.clone(),
                policy: None,
            };
            let item = self.part("ec2.gateway_endpoint", word, PATH);
            self.add(item, &spec);
        }
    }

    pub(super) fn security_groups(&mut self) {
        for (key, group) in &self.config.security_groups {
            let path: &[&str] = &["security_groups", key];
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
            if !rules.is_empty() {
                let spec = Rules { group: id("ec2.security_group", key), rules };
                let address = Address::new("ec2.security_group_rules", key.0.as_str());
                self.add(Item::new(address, name, path), &spec);
            }
        }
    }

    fn rule(&self, direction: Direction, rule: &ConfigRule) -> Rule {
        let peer = match direction {
            Direction::Ingress => rule.from.as_deref(),
            Direction::Egress => rule.to.as_deref(),
        };
        let cidr = || self.config.network.as_ref().map(|network| network.cidr.0.clone());
        let peer = match peer.unwrap_or_default() {
            "vpc" => Peer::Cidr(cidr().unwrap_or_default()),
            list if list.starts_with("pl-") => Peer::PrefixList(list.to_owned()),
            other => match other.strip_prefix("group:") {
                Some(group) => Peer::Group(id("ec2.security_group", group)),
                None => Peer::Cidr(other.to_owned()),
            },
        };
        let (protocol, whole) = match rule.protocol {
            Protocol::Tcp => ("tcp", Some((0, 65535))),
            Protocol::Udp => ("udp", Some((0, 65535))),
            Protocol::Icmp => ("icmp", Some((-1, -1))),
            Protocol::Icmpv6 => ("icmpv6", Some((-1, -1))),
            Protocol::All => ("-1", None),
        };
        let ports = match (rule.port, rule.ports.as_deref().and_then(|ports| ports.split_once('-')))
        {
            (Some(port), _) => Some((i32::from(port), i32::from(port))),
            (None, Some((from, to))) => Some((from.parse().unwrap_or(0), to.parse().unwrap_or(0))),
            (None, None) => whole,
        };
        Rule {
            direction,
            protocol: protocol.to_owned(),
            from_port: ports.map(|(from, _)| from),
            to_port: ports.map(|(_, to)| to),
            peer,
            description: rule.description.as_ref().map(|text| text.0.clone()),
        }
    }
}
