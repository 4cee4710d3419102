//! `[network]`: the VPC, its subnets, and their routes to the internet.
//!
//! Subnets are consecutive blocks: tier by tier for the planned zones, then zone by zone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::aws::kinds::ec2::flow_log::FlowLog;
use crate::aws::kinds::ec2::gateway_endpoint::GatewayEndpoint;
use crate::aws::kinds::ec2::internet_gateway::InternetGateway;
use crate::aws::kinds::ec2::route_table::{Route, RouteTable};
use crate::aws::kinds::ec2::subnet::Subnet;
use crate::aws::kinds::ec2::vpc::Vpc;
use crate::aws::kinds::iam::role::Role;
use crate::config::KeyPath;
use crate::config::ranges::Block;
use crate::config::schema::network::{NatKind, Network, SubnetTier};
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::text::{Output, Text};

use super::{Builder, Item};

mod nat;
mod zones;

/// Every IPv4 address.
pub(super) const ANYWHERE: &str = "0.0.0.0/0";

/// The path of the section.
fn section() -> KeyPath {
    KeyPath::of("network")
}

/// The path of the flow log.
fn flow_log() -> KeyPath {
    section().key("flow_log")
}

/// The id of the VPC.
pub(super) fn vpc() -> Text {
    Text::reference(Address::new("ec2.vpc", "main"), Output::Id)
}

/// The id of a resource.
pub(super) fn id(kind: &str, name: &str) -> Text {
    Text::reference(Address::new(kind, name), Output::Id)
}

impl Builder<'_> {
    pub(super) fn network(&mut self) {
        let Some(network) = self.config.network.as_ref().filter(|network| network.is_own()) else {
            return;
        };
        let Some(zones) = self.zones(network) else { return };
        let name = self.item_name("ec2.vpc", "main", network.name.as_ref(), &section());
        let spec = Vpc {
            cidr: network.cidr.0.clone(),
            dns_support: true,
            dns_hostnames: true,
            default_group_closed: true,
        };
        self.add(Item::new(Address::new("ec2.vpc", "main"), name, &section()), &spec);
        self.subnets(network, &zones);
        if network.public_subnets.prefix().is_some() {
            self.way_out();
        }
        self.nat(network);
        self.inner_routes(network);
        self.endpoints(network);
        self.flow_log(network);
    }

    /// The flow log, and its needs if it goes to a log group: the group, and a role
    /// that may write into it. The role may not create the group, so that a late record does not bring it
    /// back after a destroy.
    fn flow_log(&mut self, network: &Network) {
        let Some(config) = &network.flow_log else { return };
        let destination = self.log_target("flow-log", None, &config.to, &flow_log());
        let role = config.to.bucket.is_none().then(|| self.flow_log_role(&destination));
        let spec = FlowLog {
            vpc: vpc(),
            traffic: config.traffic.aws().into(),
            destination: Text::reference(destination, Output::Arn),
            role: role.map(|role| Text::reference(role, Output::Arn)),
            interval: if config.every_minute { 60 } else { 600 },
        };
        let item = self.part("ec2.flow_log", "main", &flow_log());
        self.add(item, &spec);
    }

    fn flow_log_role(&mut self, group: &Address) -> Address {
        let address = Address::new("iam.role", "flow-log");
        let name = self.item_name("iam.role", "flow-log", None, &flow_log());
        let super::Facts { account, region, partition, .. } = self.facts;
        let flow_logs = format!("arn:{partition}:ec2:{region}:{account}:vpc-flow-log/*");
        let allow = |sid: &str, actions: &[&str], resource: Value| json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource });
        let streams = Text::reference(group.clone(), Output::Arn).then(":*");
        let write = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"];
        let spec = Role {
            name: name.clone(),
            path: self.scope.iam_path(),
            description: "Flow logs write into their log group".into(),
            trust: Document::of([json!({
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "Service": "vpc-flow-logs.amazonaws.com" },
                "Condition": {
                    "StringEquals": { "aws:SourceAccount": account },
                    "ArnLike": { "aws:SourceArn": flow_logs },
                },
            })]),
            inline: BTreeMap::from([(
                "permissions".to_owned(),
                Document::of([
                    allow("Write", &write, json!(streams)),
                    allow("Find", &["logs:DescribeLogGroups"], json!("*")),
                ]),
            )]),
            managed: BTreeSet::new(),
            max_session: Some(3600),
            boundary: self.boundary(None),
        };
        self.add(Item::new(address.clone(), name, &flow_log()), &spec);
        address
    }

    /// A resource of the network that has no name of its own.
    pub(super) fn part(&mut self, kind: &str, logical: &str, path: &KeyPath) -> Item {
        Item::new(Address::new(kind, logical), self.name(kind, logical), path)
    }

    fn subnets(&mut self, network: &Network, zones: &[String]) {
        let Some(mut free) = Block::parse(&network.cidr).map(|block| block.cursor()) else {
            return;
        };
        for (tier, at, prefix) in network.layout() {
            // The rules of the config ensure that all blocks fit.
            let Some(block) = free.take(prefix) else { return };
            let Some(zone) = zones.get(usize::from(at) - 1) else { continue };
            let spec = Subnet {
                vpc: vpc(),
                cidr: block.to_string(),
                zone: zone.clone(),
                public_addresses: tier == SubnetTier::Public,
            };
            let item = self.part("ec2.subnet", &format!("{}-{at}", tier.word()), &section());
            self.add(item, &spec);
        }
    }

    /// The ids of a tier's subnets.
    pub(super) fn subnet_ids(&self, tier: impl Into<SubnetTier>) -> Vec<Text> {
        let Some(network) = &self.config.network else { return Vec::new() };
        let tier = tier.into();
        if !network.is_own() {
            let names = self.lent_subnets(tier);
            return names.iter().map(|name| id("ec2.subnet", name)).collect();
        }
        let zones = network.prefix(tier).map_or(0, |_| usize::from(network.zones));
        (1..=zones).map(|zone| id("ec2.subnet", &format!("{}-{zone}", tier.word()))).collect()
    }

    /// The ids of a tier's subnets, separated by commas.
    pub(super) fn subnet_list(&self, tier: SubnetTier) -> Text {
        let ids = self.subnet_ids(tier).into_iter();
        ids.reduce(|list, id| list.then(",").then(id)).unwrap_or_default()
    }

    fn way_out(&mut self) {
        let item = self.part("ec2.internet_gateway", "main", &section());
        self.add(item, &InternetGateway { vpc: vpc(), attached: true });
        let out = Route::InternetGateway(id("ec2.internet_gateway", "main"));
        let spec = RouteTable {
            vpc: vpc(),
            routes: BTreeMap::from([(ANYWHERE.to_owned(), out)]),
            subnets: self.subnet_ids(SubnetTier::Public).into_iter().collect(),
        };
        let item = self.part("ec2.route_table", "public", &section());
        self.add(item, &spec);
    }

    /// Route tables of the private and isolated tiers.
    fn inner_routes(&mut self, network: &Network) {
        let private = self.subnet_ids(SubnetTier::Private);
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
        let isolated = self.subnet_ids(SubnetTier::Isolated);
        if !isolated.is_empty() {
            self.route_table("isolated", BTreeMap::new(), isolated);
        }
    }

    fn route_table(&mut self, logical: &str, routes: BTreeMap<String, Route>, subnets: Vec<Text>) {
        let spec = RouteTable { vpc: vpc(), routes, subnets: subnets.into_iter().collect() };
        let item = self.part("ec2.route_table", logical, &section());
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
            let word = service.aws();
            let spec = GatewayEndpoint {
                vpc: vpc(),
                service: format!("{domain}.{}.{word}", self.facts.region),
                route_tables: tables.clone(),
                policy: None,
            };
            let item = self.part("ec2.gateway_endpoint", word, &section());
            self.add(item, &spec);
        }
    }
}
