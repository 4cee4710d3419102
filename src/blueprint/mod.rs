//! Builds the resources that a checked config asks for.
//!
//! One file for each section. Each builds the specs of `aws::kinds`; if one resource needs a value
//! from another, the spec contains a reference. Besides the config this needs only [`Facts`], so the same
//! config and facts always give the same blueprint.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use crate::aws::kinds::find_meta;
use crate::config::KeyPath;
use crate::config::problem::Problem;
use crate::config::schema::Config;
use crate::config::schema::text::PhysicalName;
use crate::config::{Loaded, inspect, sorted};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::scope::Scope;
use payctl_engine::model::zone::Zone;

use loans::{Lent, Loan};
use permissions::Caller;

pub mod advice;
mod alarms;
mod apis;
mod buckets;
mod certificates;
pub mod checks;
mod clusters;
mod cost_anomalies;
mod dashboards;
mod databases;
mod events;
mod firewalls;
mod fleets;
mod functions;
mod graph;
mod keys;
mod load_balancers;
pub mod loans;
mod log_groups;
mod metric_filters;
mod metrics;
pub mod names;
mod naming;
mod network;
mod outputs;
mod parameters;
mod permissions;
mod policies;
mod queues;
mod references;
mod roles;
mod secrets;
mod security_groups;
mod services;
pub mod shifts;
mod tables;
mod tags;
mod target_groups;
#[cfg(test)]
mod tests;
mod threat_detection;
mod topics;
mod vpc_links;

/// The facts that only AWS knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The account id.
    pub account: String,
    /// The region.
    pub region: String,
    /// The partition (`aws`, `aws-cn`, `aws-us-gov`).
    pub partition: String,
    /// The available zones, in a stable order.
    pub zones: Vec<Zone>,
    /// The time, for tags that are set once.
    pub now: String,
    /// What other environments lend; none if nobody has looked.
    pub lent: Option<Lent>,
}

impl Facts {
    /// Facts for checks that run without an account.
    pub fn placeholder(region: &str) -> Self {
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        Self {
            account: NO_ACCOUNT.into(),
            region: region.into(),
            partition: partition.into(),
            zones: ["a", "b", "c", "d", "e", "f"]
                .map(|letter| Zone { name: format!("{region}{letter}"), id: String::new() })
                .into(),
            now: "2000-01-01T00:00:00Z".into(),
            lent: None,
        }
    }

    /// Whether these facts are placeholders without a real account.
    fn are_assumed(&self) -> bool {
        self.account == NO_ACCOUNT
    }
}

/// The account of placeholder facts.
const NO_ACCOUNT: &str = "000000000000";

/// All problems of an environment that can be found without an account.
/// `region` replaces the region of the config.
pub fn problems(
    dir: &Path,
    env: &str,
    vars: &dyn Fn(&str) -> Option<String>,
    region: Option<&str>,
) -> Vec<Problem> {
    let (loaded, mut problems) = inspect(dir, env, vars, region);
    if let Some(loaded) = loaded {
        let facts = Facts::placeholder(&loaded.config.region);
        problems.extend(build(&loaded, &facts).err().unwrap_or_default());
    }
    sorted(problems)
}

/// Builds the blueprint of an environment.
pub fn build(loaded: &Loaded, facts: &Facts) -> Result<Blueprint, Vec<Problem>> {
    let mut builder = Builder::new(loaded, facts);
    builder.facts_fit();
    builder.network();
    builder.security_groups();
    builder.keys();
    builder.secrets();
    builder.parameters();
    builder.tables();
    builder.buckets();
    builder.topics();
    builder.queues();
    builder.roles();
    builder.log_groups();
    builder.functions();
    builder.subscriptions();
    builder.certificates();
    builder.apis();
    builder.vpc_links();
    builder.databases();
    builder.clusters();
    builder.services();
    builder.load_balancers();
    builder.target_groups();
    builder.fleets();
    builder.firewalls();
    builder.events();
    builder.threat_detection();
    builder.cost_anomalies();
    builder.alarms();
    builder.dashboards();
    builder.metric_filters();
    builder.services_wait();
    // After every section has added its callers of functions.
    builder.permissions();
    let mut outputs = builder.outputs();
    builder.settle_loans(&mut outputs);
    builder.loans_fit();
    builder.distinct_names();
    builder.sizes();
    if loaded.intact {
        builder.closed_and_acyclic(&outputs);
    }
    let Builder { scope, problems, resources, .. } = builder;
    if problems.is_empty() {
        let Config { protect, disposable, .. } = loaded.config;
        Ok(Blueprint { scope, protect, disposable, resources, outputs })
    } else {
        Err(sorted(problems))
    }
}

/// A blueprint under construction.
struct Builder<'a> {
    loaded: &'a Loaded,
    config: &'a Config,
    facts: &'a Facts,
    scope: Scope,
    problems: Vec<Problem>,
    resources: BTreeMap<Address, Desired>,
    /// The section that asks for each: that of a service, for its log group.
    askers: BTreeMap<Address, String>,
    /// The callers of functions and aliases.
    callers: BTreeMap<Address, Vec<Caller>>,
    /// What the config asks of other environments.
    lends: Vec<Loan>,
}

/// The identity of a resource, without its spec.
struct Item {
    address: Address,
    name: String,
    /// The path in the config that asks for it; it begins with the section.
    path: KeyPath,
    after: BTreeSet<Address>,
}

impl Item {
    fn new(address: Address, name: impl Into<String>, path: &KeyPath) -> Self {
        Self { address, name: name.into(), path: path.clone(), after: BTreeSet::new() }
    }
}

impl<'a> Builder<'a> {
    fn new(loaded: &'a Loaded, facts: &'a Facts) -> Self {
        let config = &loaded.config;
        let scope = Scope {
            project: config.project.0.clone(),
            env: loaded.env.clone(),
            account: facts.account.clone(),
            region: facts.region.clone(),
            partition: facts.partition.clone(),
        };
        let (problems, resources) = (Vec::new(), BTreeMap::new());
        let (askers, callers) = (BTreeMap::new(), BTreeMap::new());
        let lends = loans::loans(config);
        Self { loaded, config, facts, scope, problems, resources, askers, callers, lends }
    }
}

impl Builder<'_> {
    fn problem(&mut self, path: &KeyPath, message: impl Into<String>, fix: impl Into<String>) {
        self.problems.push(self.loaded.problem(path, message, fix));
    }

    fn facts_fit(&mut self) {
        let account = &self.facts.account;
        if let Some(pinned) = &self.config.account
            && pinned.0 != *account
            && !self.facts.are_assumed()
        {
            let message = format!("these credentials belong to account {account}");
            let fix = format!("use credentials of account {}", pinned.0);
            self.problem(&KeyPath::of("account"), message, fix);
        }
    }

    /// Adds a resource.
    fn add(&mut self, item: Item, spec: &impl Serialize) {
        let Item { address, name, path, after } = item;
        let desired = Desired {
            name: name.clone(),
            component: section_of(&address.kind).to_owned(),
            origin: self.loaded.origin(&path),
            spec: serde_json::to_value(spec).expect("a spec always serialises"),
            tags: self.tags(&address, &name),
            tags_once: self.tags_once(),
            after,
            address: address.clone(),
        };
        self.askers.insert(address.clone(), path.section().to_owned());
        if let Some(other) = self.resources.insert(address.clone(), desired) {
            let message = format!("the config defines {address} twice");
            self.problem(
                &path,
                message,
                format!("rename one of them: the other is at {}", other.origin),
            );
        }
    }

    /// A name by the pattern.
    fn name(&self, kind: &str, logical: &str) -> String {
        naming::physical(&self.config.naming.pattern, &self.scope, naming::rule(kind), logical)
    }

    /// The explicit name of an item, or a name by the pattern; checked.
    fn item_name(
        &mut self,
        kind: &str,
        logical: &str,
        explicit: Option<&PhysicalName>,
        path: &KeyPath,
    ) -> String {
        let rule = naming::rule(kind);
        let (full, path) = match explicit {
            Some(name) => (name.replace("${account}", &self.facts.account), path.key("name")),
            None => {
                let full = naming::render(&self.config.naming.pattern, &self.scope, rule, logical);
                (full, path.clone())
            }
        };
        if !self.scope.in_name(&full) {
            let fix = "put `${env}` into it: payctl finds its resources by the name";
            self.problem(&path, format!("`{full}` does not name the environment"), fix);
        }
        let name = naming::shorten(&full, &self.scope, rule.limit);
        if !naming::is_valid(rule, &name) {
            self.problem(&path, format!("`{name}` is not a valid name"), rule.rule);
        }
        name
    }

    /// Two objects of a kind must not have the same name.
    fn distinct_names(&mut self) {
        let mut seen: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut twice = Vec::new();
        for desired in self.resources.values() {
            let Address { kind, name: logical } = &desired.address;
            if find_meta(kind).is_some_and(|meta| meta.may_share_name) {
                continue;
            }
            let key = (kind.clone(), desired.name.to_lowercase());
            if let Some(other) = seen.insert(key, logical.clone()) {
                twice.push((kind.clone(), desired.name.clone(), logical.clone(), other));
            }
        }
        for (kind, name, logical, other) in twice {
            let path = self.path_of(&Address::new(kind.as_str(), logical.as_str()));
            let message = format!("two resources of kind {kind} have the name `{name}`");
            self.problem(&path, message, format!("choose another name: `{other}` has this one"));
        }
    }

    /// The section of the config that asks for a resource.
    fn asker(&self, address: &Address) -> &str {
        self.askers.get(address).map_or("", String::as_str)
    }

    /// The place of an address in the config.
    fn path_of(&self, address: &Address) -> KeyPath {
        let section = KeyPath::of(self.asker(address));
        let logical = address.name.trim_end_matches("-dlq");
        let mut items = [logical, &address.name].into_iter().map(|name| section.key(name));
        let explicit =
            items.find(|item| self.loaded.place(&item.key("name")) != self.loaded.place(item));
        explicit.map_or_else(|| section.key(&address.name), |item| item.key("name"))
    }
}

/// The section of the config that resources of a kind are shown under.
fn section_of(kind: &str) -> &'static str {
    find_meta(kind).map_or("", |meta| meta.section)
}
