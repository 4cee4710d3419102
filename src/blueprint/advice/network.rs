//! Ways out of the network: NAT, and endpoints in its place.

use std::collections::BTreeSet;

use super::Tried;
use crate::config::schema::Config;
use crate::config::schema::functions::Function;
use crate::config::schema::network::{InnerTier, NatKind, SubnetTier};
use crate::config::schema::text::ItemName;
use crate::words::network::GatewayService;
use crate::words::policies::Effect;

/// The services that may have a gateway endpoint.
const SERVED: [GatewayService; 2] = [GatewayService::S3, GatewayService::Dynamodb];

impl Tried<'_> {
    pub(super) fn network(&mut self) {
        let Some(network) = &self.loaded.config.network else { return };
        if network.nat.kind != NatKind::Gateway {
            return;
        }
        if network.nat.count > 1 {
            self.add(
                "use one NAT gateway for all zones".into(),
                "If its zone fails, private subnets in the other zones do not reach the internet. \
                 Traffic between zones costs extra, which is not in the sum.",
                "[network.nat]\ncount = 1".into(),
                |config| config.network.as_mut().expect("a network").nat.count = 1,
            );
        }
        self.add(
            "use a NAT instance in place of the NAT gateway".into(),
            "An instance has no redundancy and less bandwidth, and you update its system.",
            "[network.nat]\nkind = \"instance\"".into(),
            |config| config.network.as_mut().expect("a network").nat.kind = NatKind::Instance,
        );
    }

    /// Gateway endpoints in place of NAT: for the data of single services, and for all.
    pub(super) fn endpoints(&mut self) {
        let config = &self.loaded.config;
        let Some(network) = &config.network else { return };
        if !network.is_own() || network.nat.kind == NatKind::None {
            return;
        }
        let has = &network.gateway_endpoints;
        let missing: Vec<GatewayService> =
            SERVED.into_iter().filter(|service| !has.contains(service)).collect();
        for service in &missing {
            let endpoints: BTreeSet<_> = has.iter().chain([service]).copied().collect();
            self.add(
                format!("reach {} through a gateway endpoint, not through NAT", service.aws()),
                "While AWS adds the routes, open connections to the service break. Policies that \
                 name a public address no longer match its calls.",
                listed(&endpoints),
                |config| {
                    config.network.as_mut().expect("a network").gateway_endpoints = endpoints;
                },
            );
        }
        if needs_only_endpoints(config) {
            let endpoints = BTreeSet::from(SERVED);
            let mut lines = "[network.nat]\nkind = \"none\"".to_owned();
            if !missing.is_empty() {
                lines = format!("{}\n\n{lines}", listed(&endpoints));
            }
            self.add(
                "use gateway endpoints in place of NAT".into(),
                "Private subnets then reach only S3 and DynamoDB, as the roles of the functions in \
                 them allow. Code that calls anything else on the internet fails, and so do \
                 environments that borrow this network.",
                lines,
                |config| {
                    let network = config.network.as_mut().expect("a network");
                    network.gateway_endpoints = endpoints;
                    network.nat.kind = NatKind::None;
                },
            );
        }
    }
}

/// The lines of the config with these endpoints.
fn listed(endpoints: &BTreeSet<GatewayService>) -> String {
    let words: Vec<String> =
        endpoints.iter().map(|service| format!("\"{}\"", service.aws())).collect();
    format!("[network]\ngateway_endpoints = [{}]", words.join(", "))
}

/// Whether nothing in private subnets is known to need more than S3 and DynamoDB.
fn needs_only_endpoints(config: &Config) -> bool {
    let is_private = |tier: &SubnetTier| *tier == SubnetTier::Private;
    // Tasks get their images through it, and instances their packages.
    let tasks = config.services.values().map(|service| &service.subnets);
    let instances = config.fleets.values().map(|fleet| &fleet.subnets);
    let mut functions = config.functions.values();
    !tasks.chain(instances).any(is_private)
        && functions.all(|function| {
            function.subnets != Some(InnerTier::Private) || calls_only_served(config, function)
        })
}

/// Whether the role of a function allows only what gateway endpoints serve, and what Lambda does itself
/// outside the network.
fn calls_only_served(config: &Config, function: &Function) -> bool {
    const BY_LAMBDA: [&str; 2] = ["AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole"];
    const SERVICES: [&str; 4] = ["dynamodb:", "ec2:", "logs:", "s3:"];
    let Some(role) = config.roles.get(&ItemName(function.role.0.clone())) else { return false };
    let allowed = role.statements.iter().filter(|statement| statement.effect == Effect::Allow);
    let mut actions = allowed.flat_map(|statement| statement.actions.iter());
    let mut managed = role.managed.iter();
    !function.tracing
        && role.existing.is_none()
        && managed.all(|policy| BY_LAMBDA.iter().any(|known| policy.0.ends_with(known)))
        && actions.all(|action| SERVICES.iter().any(|service| action.0.starts_with(service)))
}
