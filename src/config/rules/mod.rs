//! The meaning of values: AWS's own rules that a schema cannot express.

use super::Loaded;
use super::key_path::KeyPath;
use super::problem::Problem;
use super::schema::Config;
use super::schema::network::{Network, SubnetTier};

mod alarms;
mod apis;
mod buckets;
mod certificates;
mod checks;
mod cost_anomalies;
mod dashboards;
mod databases;
mod events;
pub(crate) mod firewalls;
mod fleets;
mod functions;
mod keys;
mod load_balancers;
mod loans;
mod log_groups;
mod metric_filters;
mod metrics;
mod network;
mod parameters;
mod policies;
mod project;
pub(crate) mod queues;
mod roles;
mod secrets;
mod security_groups;
mod services;
mod shifts;
mod tables;
mod tags;
mod target_groups;
mod topics;
mod vpc_links;

/// Collects problems with their places.
pub(crate) struct Rules<'a> {
    loaded: &'a Loaded,
    config: &'a Config,
    problems: Vec<Problem>,
}

impl Rules<'_> {
    fn say(&mut self, path: &KeyPath, message: impl Into<String>, fix: impl Into<String>) {
        self.problems.push(self.loaded.problem(path, message, fix));
    }

    /// The keys that a table needs unless another environment has the object.
    fn needed(&mut self, path: &KeyPath, keys: &[&str]) {
        if !self.loaded.intact {
            return;
        }
        let given = self.loaded.keys(path);
        let missing: Vec<&str> = keys.iter().copied().filter(|key| !given.contains(key)).collect();
        for key in missing {
            let fix = "add it, or `from` with another environment that has it";
            self.say(path, format!("`{key}` is missing"), fix);
        }
    }

    /// A tier that the config uses must exist in the network.
    fn tier(&mut self, path: &KeyPath, network: &Network, tier: impl Into<SubnetTier>) {
        let tier = tier.into();
        let word = tier.word();
        let (has, fix) = match (&network.from, &network.vpc) {
            // The lender decides what it has: payctl looks before it writes anything.
            (Some(_), _) => return,
            (None, Some(_)) => (
                network.existing(tier).is_some(),
                format!("add `{word}_subnets = {{ ids = [...] }}` to [network]"),
            ),
            (None, None) => (
                network.prefix(tier).is_some(),
                format!("set `{word}_subnets = true` in [network]"),
            ),
        };
        if has {
            return;
        }
        self.say(path, format!("the network has no {word} subnets"), fix);
    }
}

/// All rules that do not need an account.
pub(crate) fn check(loaded: &Loaded) -> Vec<Problem> {
    let mut rules = Rules { loaded, config: &loaded.config, problems: Vec::new() };
    rules.project();
    rules.loans();
    rules.network();
    rules.security_groups();
    rules.tables();
    rules.buckets();
    rules.log_groups();
    rules.topics();
    rules.queues();
    rules.keys();
    rules.secrets();
    rules.roles();
    rules.functions();
    rules.certificates();
    rules.apis();
    rules.vpc_links();
    rules.databases();
    rules.services();
    rules.load_balancers();
    rules.target_groups();
    rules.fleets();
    rules.firewalls();
    rules.events();
    rules.cost_anomalies();
    rules.alarms();
    rules.shifts();
    rules.dashboards();
    rules.checks();
    rules.metric_filters();
    rules.problems
}
