//! Over which zones a network spreads: those that the config names, else the first of the region that
//! have what the config asks for.

use crate::config::schema::Config;
use crate::config::schema::load_balancers::BalancerType;
use crate::config::schema::network::{NatKind, Network};
use crate::config::schema::services::{ContainerArchitecture, ContainerService};
use payctl_engine::model::zone::Zone;

use crate::blueprint::Builder;

/// What some zones lack, by their ids, and whether a config asks for it. Of VPC links and Fargate AWS
/// says so; the other zones cannot grow any more, and AWS has little that is new there.
struct Lack {
    what: &'static str,
    zones: &'static [&'static str],
    wanted: fn(&Config) -> bool,
}

const LACKS: &[Lack] = &[
    Lack {
        what: "VPC links",
        zones: &[
            "ape1-az1",
            "apne1-az3",
            "apne2-az4",
            "cac1-az3",
            "cac1-az4",
            "euw3-az2",
            "use1-az3",
            "usw1-az2",
        ],
        wanted: |config| !config.vpc_links.is_empty(),
    },
    Lack {
        what: "Fargate",
        zones: &["apne1-az3", "cnn1-az3", "usw1-az2"],
        wanted: |config| !config.services.is_empty(),
    },
    Lack {
        what: "Fargate on arm64",
        zones: &["use1-az3"],
        wanted: |config| {
            let on_arm = |one: &ContainerService| one.architecture == ContainerArchitecture::Arm64;
            config.services.values().any(on_arm)
        },
    },
    Lack {
        what: "network load balancers",
        zones: FULL,
        wanted: |config| {
            config.load_balancers.values().any(|one| one.kind == BalancerType::Network)
        },
    },
    Lack { what: "databases", zones: FULL, wanted: |config| !config.databases.is_empty() },
    Lack {
        what: "instance types of today",
        zones: FULL,
        wanted: |config| {
            let nat = config.network.as_ref().map(|network| network.nat.kind);
            nat == Some(NatKind::Instance) || !config.fleets.is_empty()
        },
    },
];

/// Zones that cannot grow.
const FULL: &[&str] = &["apne1-az3", "cac1-az3", "use1-az3", "usw1-az2"];

impl Builder<'_> {
    /// The names of the zones that the subnets spread over.
    pub(super) fn zones(&mut self, network: &Network) -> Option<Vec<String>> {
        let count = usize::from(network.zones);
        let open = &self.facts.zones;
        if network.zone_names.is_empty() {
            let lacking = |zone: &Zone| lack(self.config, zone);
            let (have, lack): (Vec<&Zone>, Vec<&Zone>) =
                open.iter().partition(|zone| lacking(zone).is_none());
            if have.len() >= count {
                return Some(have[..count].iter().map(|zone| zone.name.clone()).collect());
            }
            let (found, all) = (have.len(), open.len());
            let mut message = format!("{} has {all} zones for this account", self.facts.region);
            for zone in &lack {
                let what = lacking(zone).unwrap_or_default();
                message += &format!("; {} ({}) has no {what}", zone.name, zone.id);
            }
            let fix = match lack.is_empty() {
                true => format!("use {found} at the most"),
                false => format!("use {found} at the most, or say which in `zone_names`"),
            };
            self.problem(&["network", "zones"], message, fix);
            return None;
        }
        let named = network.zone_names.iter().take(count);
        let named: Vec<String> = named.map(|zone| zone.0.clone()).collect();
        let is_closed = |name: &String| !open.iter().any(|zone| zone.name == *name);
        let closed = named.iter().position(is_closed).filter(|_| !self.facts.are_assumed());
        if let Some(at) = closed {
            let names: Vec<&str> = open.iter().map(|zone| &*zone.name).collect();
            let fix = format!("one of {}", names.join(", "));
            let message = format!("this account cannot use the zone {}", named[at]);
            self.problem(&["network", "zone_names", &at.to_string()], message, fix);
        }
        Some(named)
    }
}

/// What a config asks for and a zone lacks, if anything.
fn lack(config: &Config, zone: &Zone) -> Option<&'static str> {
    let applies = |lack: &&Lack| lack.zones.contains(&&*zone.id) && (lack.wanted)(config);
    LACKS.iter().find(applies).map(|lack| lack.what)
}
