//! `[network]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::log_groups::LogTarget;
use super::text::{Cidr, InstanceType, PhysicalName, SubnetSize, ZoneName};

/// The network: one VPC with up to three tiers of subnets over some availability zones.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The name of the VPC.
    pub name: Option<PhysicalName>,
    /// The address range of the VPC, `10.0.0.0/16`.
    pub cidr: Cidr,
    /// Over how many availability zones the subnets spread.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 6))]
    pub zones: u8,
    /// For how many zones the addresses are laid out, tier by tier; as many as there are unless stated.
    /// Zones beyond that get the addresses that follow, so say how many there were before `zones` of a
    /// network that stands is changed: otherwise its tiers move, and every subnet is made anew.
    #[schemars(range(min = 1, max = 6))]
    pub planned_zones: Option<u8>,
    /// The zones to use, in order, `["us-east-1a", "us-east-1b"]`; unless stated, the first of the
    /// region that have what the config asks for. Naming them keeps the subnets where they are, should
    /// AWS open or close a zone, or the config ask for something that one of them lacks.
    #[serde(default)]
    #[schemars(length(max = 6))]
    pub zone_names: Vec<ZoneName>,
    /// Subnets with a route to the internet: `true` (/24 each), a size such as `"/26"`, or `false`.
    #[serde(default = "on")]
    pub public_subnets: Tier,
    /// Subnets that reach the internet only through NAT.
    #[serde(default = "on")]
    pub private_subnets: Tier,
    /// Subnets without any route out, for databases. Off unless stated.
    #[serde(default = "off")]
    pub isolated_subnets: Tier,
    /// How private subnets reach the internet.
    #[serde(default)]
    pub nat: Nat,
    /// Services that are reached without leaving the network, at no cost.
    #[serde(default = "both")]
    pub gateway_endpoints: BTreeSet<GatewayService>,
    /// Whether the connections in the network are recorded. They are not unless stated.
    pub flow_log: Option<FlowLog>,
}

/// How the connections in the network are recorded.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowLog {
    /// Which of them.
    #[serde(default)]
    pub traffic: Traffic,
    /// Where the records go.
    #[serde(default)]
    pub to: LogTarget,
    /// Whether the packets of a connection are added up over one minute instead of ten, which makes
    /// many more records.
    #[serde(default)]
    pub every_minute: bool,
}

/// Which connections are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    /// All.
    #[default]
    All,
    /// Those that got through.
    Accepted,
    /// Those that did not.
    Rejected,
}

impl Traffic {
    /// As EC2 names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Accepted => "ACCEPT",
            Self::Rejected => "REJECT",
        }
    }
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
    /// Whether there is one; each subnet is a /24.
    Enabled(bool),
    /// The size of each subnet.
    Size(SubnetSize),
}

impl Tier {
    /// The prefix length of each subnet, if the tier exists.
    pub fn prefix(&self) -> Option<u8> {
        match self {
            Self::Enabled(false) => None,
            Self::Enabled(true) => Some(24),
            Self::Size(size) => Some(size.trim_start_matches('/').parse().unwrap_or(24)),
        }
    }
}

/// A tier of subnets that something stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubnetTier {
    /// With a route to the internet.
    Public,
    /// Behind NAT.
    #[default]
    Private,
    /// Without any route out: what AWS offers is reached through endpoints in the network only.
    Isolated,
}

impl SubnetTier {
    /// All of them, in the order in which addresses are given out.
    pub const ALL: [Self; 3] = [Self::Public, Self::Private, Self::Isolated];

    /// The word for it in the config.
    pub fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Isolated => "isolated",
        }
    }
}

/// A tier of subnets that nobody outside reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InnerTier {
    /// Without any route out.
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
    /// prefix length. Some may be of zones that are not used, or not any more.
    pub fn layout(&self) -> Vec<(SubnetTier, u8, u8)> {
        let planned = self.planned_zones.unwrap_or(self.zones);
        let first =
            SubnetTier::ALL.into_iter().flat_map(|tier| (1..=planned).map(move |at| (tier, at)));
        let more = (planned + 1..=self.zones).flat_map(|at| SubnetTier::ALL.map(|tier| (tier, at)));
        first.chain(more).filter_map(|(tier, at)| Some((tier, at, self.prefix(tier)?))).collect()
    }

    /// The prefix length of each subnet of a tier, if the tier exists.
    pub fn prefix(&self, tier: SubnetTier) -> Option<u8> {
        let tier = match tier {
            SubnetTier::Public => &self.public_subnets,
            SubnetTier::Private => &self.private_subnets,
            SubnetTier::Isolated => &self.isolated_subnets,
        };
        tier.prefix()
    }
}

/// How private subnets reach the internet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nat {
    /// What translates the addresses.
    #[serde(default)]
    pub kind: NatKind,
    /// How many, at most one in each zone. With one, a single private route table serves all zones, and
    /// with more each zone has its own: without `gateway_endpoints`, going from one to more leaves
    /// private subnets without a way out until the new NATs are ready.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 6))]
    pub count: u8,
    /// The type of a NAT instance; it must be an arm64 type.
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

/// What translates the addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NatKind {
    /// A managed NAT gateway.
    #[default]
    Gateway,
    /// A small instance: far cheaper, no redundancy.
    Instance,
    /// Nothing: private subnets do not reach the internet.
    None,
}

/// A service with a gateway endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GatewayService {
    /// Amazon S3.
    S3,
    /// Amazon DynamoDB.
    Dynamodb,
}
