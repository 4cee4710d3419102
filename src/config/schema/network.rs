//! `[network]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::existing::{ExistingSubnets, ExistingVpc};
use super::log_groups::LogTarget;
use super::text::{Cidr, EnvName, InstanceType, PhysicalName, SubnetSize, ZoneName};
use crate::words::network::{GatewayService, Traffic};

/// The network: one VPC with up to three tiers of subnets in some availability zones.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Another environment of the project whose network this one uses, as its only key: `"dev"`. payctl
    /// finds it by its ownership tags, and neither changes nor deletes it.
    pub from: Option<EnvName>,
    /// A VPC that payctl did not create: `{ tags = { Name = "shared" } }`. Beside it stand only its
    /// tiers of subnets. payctl neither changes nor deletes it.
    pub vpc: Option<ExistingVpc>,
    /// The name of the VPC.
    pub name: Option<PhysicalName>,
    /// The address range of the VPC, `10.0.0.0/16`. Needed unless `from` or `vpc` is set.
    #[serde(default)]
    pub cidr: Cidr,
    /// The number of availability zones.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 6))]
    pub zones: u8,
    /// The number of zones that the addresses are planned for, tier by tier. Default: as `zones`.
    /// Zones beyond that get the addresses that follow. Before you raise `zones` of an existing network,
    /// set this to the old number: otherwise its tiers move, and payctl replaces every subnet.
    #[schemars(range(min = 1, max = 6))]
    pub planned_zones: Option<u8>,
    /// The zones to use, in order, `["us-east-1a", "us-east-1b"]`. Default: the first zones of the
    /// region that support everything in the config. Named zones keep the subnets in place if
    /// AWS opens or closes a zone, or if the config gets something that one of them does not support.
    #[serde(default)]
    #[schemars(length(max = 6))]
    pub zone_names: Vec<ZoneName>,
    /// Subnets with a route to the internet: `true` (/24 each), a size such as `"/26"`, or `false`. With
    /// `vpc`, the subnets of it that have such a route: `{ tags = { Tier = "public" } }`.
    #[serde(default = "on")]
    pub public_subnets: Tier,
    /// Subnets that reach the internet only through NAT. The value is as for `public_subnets`.
    #[serde(default = "on")]
    pub private_subnets: Tier,
    /// Subnets without a route to the internet, for databases. Default: none.
    #[serde(default = "off")]
    pub isolated_subnets: Tier,
    /// How private subnets reach the internet.
    #[serde(default)]
    pub nat: Nat,
    /// The services that have a gateway endpoint: traffic to them stays in AWS's network, at no cost.
    #[serde(default = "both")]
    pub gateway_endpoints: BTreeSet<GatewayService>,
    /// The flow log of the network. Default: no log.
    pub flow_log: Option<FlowLog>,
}

/// A flow log: a record of the connections in the network.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowLog {
    /// The connections to record.
    #[serde(default)]
    pub traffic: Traffic,
    /// The destination of the log.
    #[serde(default)]
    pub to: LogTarget,
    /// Whether a record covers one minute of a connection instead of ten, which makes
    /// many more records.
    #[serde(default)]
    pub every_minute: bool,
}

fn two() -> u8 {
    2
}

fn on() -> Tier {
    Tier::Enabled(true)
}

fn off() -> Tier {
    Tier::Enabled(false)
}

fn both() -> BTreeSet<GatewayService> {
    BTreeSet::from([GatewayService::S3, GatewayService::Dynamodb])
}

/// A tier of subnets, one in each zone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Tier {
    /// Whether the tier exists. Each subnet is a /24.
    Enabled(bool),
    /// The size of each subnet.
    Size(SubnetSize),
    /// Subnets of a VPC that payctl did not create.
    Existing(ExistingSubnets),
}

impl Tier {
    /// The prefix length of each subnet, if the tier exists.
    pub fn prefix(&self) -> Option<u8> {
        match self {
            Self::Enabled(false) | Self::Existing(_) => None,
            Self::Enabled(true) => Some(24),
            Self::Size(size) => Some(size.trim_start_matches('/').parse().unwrap_or(24)),
        }
    }
}

/// A tier of subnets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubnetTier {
    /// With a route to the internet.
    Public,
    /// Behind NAT.
    #[default]
    Private,
    /// Without a route to the internet: only endpoints in the network reach AWS services.
    Isolated,
}

impl SubnetTier {
    /// All tiers, in the order of their addresses.
    pub const ALL: [Self; 3] = [Self::Public, Self::Private, Self::Isolated];

    /// The name in the config.
    pub fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Isolated => "isolated",
        }
    }
}

/// A tier of subnets that the internet does not reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InnerTier {
    /// Without a route to the internet.
    #[default]
    Isolated,
    /// Behind NAT.
    Private,
}

impl From<InnerTier> for SubnetTier {
    fn from(tier: InnerTier) -> Self {
        match tier {
            InnerTier::Isolated => Self::Isolated,
            InnerTier::Private => Self::Private,
        }
    }
}

impl Network {
    /// The subnets in the order of their addresses: the tier, the number of the zone from 1, and the
    /// prefix length. Some may be in zones that are not used, or no longer used.
    pub fn layout(&self) -> Vec<(SubnetTier, u8, u8)> {
        let planned = self.planned_zones.unwrap_or(self.zones);
        let first =
            SubnetTier::ALL.into_iter().flat_map(|tier| (1..=planned).map(move |at| (tier, at)));
        let more = (planned + 1..=self.zones).flat_map(|at| SubnetTier::ALL.map(|tier| (tier, at)));
        first.chain(more).filter_map(|(tier, at)| Some((tier, at, self.prefix(tier)?))).collect()
    }

    /// Whether payctl creates it.
    pub fn is_own(&self) -> bool {
        self.from.is_none() && self.vpc.is_none()
    }

    /// What the config says of a tier.
    pub fn tier(&self, tier: SubnetTier) -> &Tier {
        match tier {
            SubnetTier::Public => &self.public_subnets,
            SubnetTier::Private => &self.private_subnets,
            SubnetTier::Isolated => &self.isolated_subnets,
        }
    }

    /// The prefix length of each subnet of a tier, if the tier exists.
    pub fn prefix(&self, tier: SubnetTier) -> Option<u8> {
        self.tier(tier).prefix()
    }

    /// The subnets of a tier that payctl did not create.
    pub fn existing(&self, tier: SubnetTier) -> Option<&ExistingSubnets> {
        match self.tier(tier) {
            Tier::Existing(subnets) => Some(subnets),
            Tier::Enabled(_) | Tier::Size(_) => None,
        }
    }
}

/// How private subnets reach the internet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nat {
    /// The kind of NAT.
    #[serde(default)]
    pub kind: NatKind,
    /// The number of NATs, at most one in each zone. With one, a single private route table serves all zones;
    /// with more, each zone has its own. Without `gateway_endpoints`, a change from one to more leaves
    /// private subnets without a route to the internet until the new NATs are ready.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 6))]
    pub count: u8,
    /// The instance type of a NAT instance. It must be an arm64 type.
    #[serde(default = "nano")]
    pub instance_type: InstanceType,
}

fn one() -> u8 {
    1
}

fn nano() -> InstanceType {
    InstanceType("t4g.nano".into())
}

impl Default for Nat {
    fn default() -> Self {
        Self { kind: NatKind::default(), count: one(), instance_type: nano() }
    }
}

/// A kind of NAT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NatKind {
    /// A managed NAT gateway.
    #[default]
    Gateway,
    /// A small EC2 instance: far cheaper, without redundancy.
    Instance,
    /// No NAT: private subnets do not reach the internet.
    None,
}
