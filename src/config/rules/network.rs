//! The rules of `[network]`: address ranges, tiers and NAT.

use super::Rules;
use super::load_balancers::SMALLEST;
use crate::config::key_path::KeyPath;
use crate::config::ranges::Block;
use crate::config::schema::network::{NatKind, Network};
use crate::words::load_balancers::BalancerType;

impl Rules<'_> {
    pub(super) fn network(&mut self) {
        let Some(network) = &self.config.network else { return };
        let path = KeyPath::of("network").key("cidr");
        if !network.is_own() {
            return;
        }
        if network.cidr.is_empty() {
            let fix = "add `cidr = \"10.0.0.0/16\"`, `from` with another environment, or `vpc` with a VPC that exists";
            return self.say(&KeyPath::of("network"), "`cidr` is missing", fix);
        }
        let Some(block) = Block::parse(&network.cidr) else {
            let message = format!("`{}` is not an address range", network.cidr.0);
            return self.say(&path, message, "write for example 10.0.0.0/16");
        };
        if block.to_string() != network.cidr.0 {
            let message = format!("`{}` has bits outside its prefix", network.cidr.0);
            self.say(&path, message, format!("write {block}"));
        }
        if !(16..=28).contains(&block.prefix()) {
            self.say(&path, "a VPC cannot have this size", "use /16 to /28");
        }
        let reserved = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"];
        let reserved = reserved.iter().filter_map(|range| Block::parse(range));
        if reserved.into_iter().any(|range| range.contains(block)) {
            let fix = "use a private range: 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16";
            self.say(&path, "a VPC cannot have these addresses", fix);
        }
        self.zone_names(network);
        self.tiers(network, block);
        self.flow_log(network);
        let (public, private) = (&network.public_subnets, &network.private_subnets);
        let nat = network.nat.kind != NatKind::None && private.prefix().is_some();
        if nat && public.prefix().is_none() {
            let fix = "set `public_subnets = true`, or `nat = { kind = \"none\" }`";
            self.say(&KeyPath::of("network").key("nat"), "NAT needs public subnets", fix);
        }
        if nat && network.nat.count > network.zones {
            let message = format!("{} NATs for {} zones", network.nat.count, network.zones);
            self.say(
                &KeyPath::of("network").key("nat").key("count"),
                message,
                "use at most one in each zone",
            );
        }
        let class = network.nat.instance_type.split('.').next().unwrap_or_default();
        let arm = class.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        if network.nat.kind == NatKind::Instance && !arm.contains('g') {
            let path = KeyPath::of("network").key("nat").key("instance_type");
            self.say(&path, "this is not an arm64 type", "use for example t4g.nano");
        }
    }

    fn flow_log(&mut self, network: &Network) {
        if let Some(log) = &network.flow_log {
            self.log_target(&KeyPath::of("network").key("flow_log").key("to"), &log.to);
        }
    }

    fn zone_names(&mut self, network: &Network) {
        let path = KeyPath::of("network").key("zone_names");
        let count = usize::from(network.zones);
        if !network.zone_names.is_empty() && network.zone_names.len() < count {
            let message = format!("{} names for {count} zones", network.zone_names.len());
            self.say(&path, message, "name every zone, or none");
        }
        let region = &self.config.region;
        for (at, zone) in network.zone_names.iter().enumerate() {
            let path = path.item(at);
            if zone.strip_prefix(&**region).is_none_or(|letter| letter.len() != 1) {
                self.say(
                    &path,
                    format!("this is not a zone of {}", region.0),
                    "zones of the region",
                );
            }
            if network.zone_names[..at].contains(zone) {
                self.say(&path, "this zone appears twice", "remove one");
            }
        }
    }

    fn tiers(&mut self, network: &Network, block: Block) {
        let (mut free, layout) = (block.cursor(), network.layout());
        let full = layout.iter().find(|(_, _, prefix)| free.take(*prefix).is_none());
        let Some((tier, _, prefix)) = full else { return };
        let key = format!("{}_subnets", tier.word());
        let message = format!("{key} does not fit into {block}");
        let wanted = layout.len();
        let mut balancers = self.config.load_balancers.values();
        let application = balancers.any(|one| one.kind == BalancerType::Application);
        let smallest = if application { SMALLEST } else { 28 };
        let even = (block.prefix()..=smallest).find(|size| {
            let mut free = block.cursor();
            (0..wanted).all(|_| free.take(*size).is_some())
        });
        let fix = match even {
            Some(size) => format!(
                "{} subnets of /{prefix}; all {wanted} subnets fit if each tier has the size of {key} = \"/{size}\"",
                layout.iter().filter(|(other, _, _)| other == tier).count()
            ),
            None => format!("use a larger network for {wanted} subnets"),
        };
        self.say(&KeyPath::of("network").key(&key), message, fix);
    }
}
