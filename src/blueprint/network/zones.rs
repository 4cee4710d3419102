//! The zones of a network: those that the config names, else the first zones of the region that
//! support everything in the config.

use crate::config::KeyPath;
use crate::config::schema::Config;
use crate::config::schema::network::{NatKind, Network};
use crate::config::schema::services::ContainerService;
use crate::words::load_balancers::BalancerType;
use crate::words::services::ContainerArchitecture;
use payctl_engine::model::zone::Zone;

use crate::blueprint::Builder;

/// Features that some zones lack, by zone id, and whether a config needs them. For VPC links and Fargate,
/// AWS documents this. The other zones cannot grow any more, and AWS offers few new features there.
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
        what: "current instance types",
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
    /// The names of the zones of the subnets.
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
                message += &format!("; {} ({}) does not support {what}", zone.name, zone.id);
            }
            let fix = if lack.is_empty() {
                format!("use at most {found}")
            } else {
                format!("use at most {found}, or name the zones in `zone_names`")
            };
            self.problem(&KeyPath::of("network").key("zones"), message, fix);
            return None;
        }
        let named = network.zone_names.iter().take(count);
        let named: Vec<String> = named.map(|zone| zone.0.clone()).collect();
        let is_closed = |name: &String| !open.iter().any(|zone| zone.name == *name);
        let closed = named.iter().position(is_closed).filter(|_| !self.facts.are_assumed());
        if let Some(at) = closed {
            let names: Vec<&str> = open.iter().map(|zone| &*zone.name).collect();
            let fix = format!("use one of {}", names.join(", "));
            let message = format!("this account cannot use the zone {}", named[at]);
            self.problem(&KeyPath::of("network").key("zone_names").item(at), message, fix);
        }
        Some(named)
    }
}

/// A feature that the config needs and the zone lacks, if there is one.
fn lack(config: &Config, zone: &Zone) -> Option<&'static str> {
    let applies = |lack: &&Lack| lack.zones.contains(&&*zone.id) && (lack.wanted)(config);
    LACKS.iter().find(applies).map(|lack| lack.what)
}
