//! NAT gateways, and NAT instances.
//!
//! Amazon Linux 2023 has no packet filter installed, so the first boot of an instance installs
//! nftables; the outward interface is the one of the default route, not a fixed name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::aws::kinds::ec2::elastic_ip::ElasticIp;
use crate::aws::kinds::ec2::instance::Instance;
use crate::aws::kinds::ec2::nat_gateway::NatGateway;
use crate::aws::kinds::ec2::route_table::Route;
use crate::aws::kinds::ec2::security_group::SecurityGroup as GroupSpec;
use crate::aws::kinds::ec2::security_group_rules::{Direction, Peer, Rule, Rules};
use crate::aws::kinds::iam::role::Role;
use crate::config::KeyPath;
use crate::config::schema::network::{NatKind, Network};
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::text::{Output, Text};

use super::{ANYWHERE, id, vpc};
use crate::blueprint::{Builder, Item};

/// The path of `nat`.
fn path() -> KeyPath {
    KeyPath::of("network").key("nat")
}

const IMAGE: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64";

/// The script of a NAT instance's first boot.
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

impl Builder<'_> {
    /// The NAT gateways or instances of the private tier.
    pub(super) fn nat(&mut self, network: &Network) {
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

    /// The resources that must exist before anything behind NAT reaches the internet.
    fn before_nat() -> BTreeSet<Address> {
        BTreeSet::from([
            Address::new("ec2.internet_gateway", "main"),
            Address::new("ec2.route_table", "public"),
        ])
    }

    fn nat_gateway(&mut self, at: u8) {
        let logical = format!("nat-{at}");
        // The internet gateway cannot be detached while an address is in use.
        let item = self.part("ec2.elastic_ip", &logical, &path());
        let gateway = BTreeSet::from([Address::new("ec2.internet_gateway", "main")]);
        self.add(Item { after: gateway, ..item }, &ElasticIp {});
        let spec = NatGateway {
            subnet: id("ec2.subnet", &format!("public-{at}")),
            address: id("ec2.elastic_ip", &logical),
        };
        let item = self.part("ec2.nat_gateway", &logical, &path());
        self.add(Item { after: Self::before_nat(), ..item }, &spec);
    }

    /// The security group and the role of NAT instances.
    fn nat_access(&mut self, network: &Network) {
        let name = self.item_name("ec2.security_group", "nat", None, &path());
        let spec = GroupSpec {
            name: name.clone(),
            description: "NAT instances: everything from the VPC, everything out".into(),
            vpc: vpc(),
        };
        self.add(
            Item::new(Address::new("ec2.security_group", "nat"), name.clone(), &path()),
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
        self.add(Item::new(Address::new("ec2.security_group_rules", "nat"), name, &path()), &rules);
        let managed =
            format!("arn:{}:iam::aws:policy/AmazonSSMManagedInstanceCore", self.scope.partition);
        let name = self.item_name("iam.role", "nat", None, &path());
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
            boundary: self.boundary(None),
        };
        self.add(Item::new(Address::new("iam.role", "nat"), name, &path()), &role);
        self.instance_profile("nat", None, &path());
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
            encrypted: true,
        };
        let item = self.part("ec2.instance", &format!("nat-{at}"), &path());
        // Its first boot downloads a package.
        let mut after = Self::before_nat();
        after.insert(Address::new("ec2.security_group_rules", "nat"));
        self.add(Item { after, ..item }, &spec);
    }

    /// The route to the internet of the private subnets that the NAT with this number serves.
    pub(super) fn nat_route(network: &Network, at: usize) -> BTreeMap<String, Route> {
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
}
