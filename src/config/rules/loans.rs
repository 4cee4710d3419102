//! The rules of what an environment uses and does not own: `from` another environment, or `existing`.

use std::collections::BTreeMap;

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::network::{SubnetTier, Tier};
use crate::config::schema::text::{EnvName, ItemName};

/// A table that names an object of another owner.
struct Named {
    path: KeyPath,
    /// The key that names it.
    by: &'static str,
    /// The environment that has it, for `from`.
    lender: Option<String>,
    /// What may stand beside the key.
    beside: &'static [&'static str],
}

/// The tiers of a VPC that payctl did not create.
const TIERS: &[&str] = &["isolated_subnets", "private_subnets", "public_subnets"];

/// The items of a section that another environment lends, each with that environment.
fn lent<T>(
    items: &BTreeMap<ItemName, T>,
    from: impl Fn(&T) -> Option<&EnvName>,
) -> impl Iterator<Item = (&str, &str)> {
    items.iter().filter_map(move |(name, item)| Some((name.0.as_str(), from(item)?.0.as_str())))
}

impl Rules<'_> {
    /// Whether the environment uses something of another one.
    pub(super) fn lends(&self) -> bool {
        self.named().iter().any(|named| named.lender.is_some())
    }

    /// Everything that the config names and another owner has.
    fn named(&self) -> Vec<Named> {
        let config = self.config;
        let mut all = Vec::new();
        let mut add =
            |path: &KeyPath, by, lender: Option<&str>, beside: &'static [&'static str]| {
                let lender = lender.map(str::to_owned);
                all.push(Named { path: path.clone(), by, lender, beside });
            };
        if let Some(network) = &config.network {
            let path = KeyPath::of("network");
            if let Some(lender) = &network.from {
                add(&path, "from", Some(lender), &[]);
            } else if network.vpc.is_some() {
                add(&path, "vpc", None, TIERS);
            }
        }
        for (name, key) in &config.keys {
            let path = KeyPath::of("keys").key(name);
            if let Some(lender) = &key.from {
                add(&path, "from", Some(lender), &[]);
            } else if key.existing.is_some() {
                add(&path, "existing", None, &[]);
            }
        }
        for (name, lender) in lent(&config.databases, |one| one.from.as_ref()) {
            add(&KeyPath::of("databases").key(name), "from", Some(lender), &[]);
        }
        for (name, lender) in lent(&config.load_balancers, |one| one.from.as_ref()) {
            let path = KeyPath::of("load_balancers").key(name);
            add(&path, "from", Some(lender), &["domain", "listeners"]);
        }
        for (name, lender) in lent(&config.security_groups, |one| one.from.as_ref()) {
            add(&KeyPath::of("security_groups").key(name), "from", Some(lender), &[]);
        }
        let buckets = config.buckets.iter().filter(|(_, bucket)| bucket.existing.is_some());
        buckets.for_each(|(name, _)| add(&KeyPath::of("buckets").key(name), "existing", None, &[]));
        let roles = config.roles.iter().filter(|(_, role)| role.existing.is_some());
        roles.for_each(|(name, _)| {
            add(&KeyPath::of("roles").key(name), "existing", None, &["instance_profile"]);
        });
        all
    }

    pub(super) fn loans(&mut self) {
        for Named { path, by, lender, beside } in self.named() {
            if lender.as_ref() == Some(&self.loaded.env) {
                let message = format!("`{}` is this environment", self.loaded.env);
                self.say(&path.key("from"), message, "name another one, or remove `from`");
            }
            let decides = lender.as_deref().unwrap_or("its owner");
            let others = self.loaded.keys(&path).into_iter();
            for key in others.filter(|key| *key != by && !beside.contains(key)) {
                let message = format!("`{key}` cannot be used with `{by}`");
                self.say(&path.key(key), message, format!("remove it: {decides} decides"));
            }
            if lender.is_none() {
                self.told_once(&path.key(by));
            }
        }
        self.existing_tiers();
    }

    /// An object of another owner is named in exactly one way.
    fn told_once(&mut self, path: &KeyPath) {
        let given = self.loaded.keys(path);
        let [key] = given.as_slice() else {
            let message = match given.as_slice() {
                [] => "nothing says which one".to_owned(),
                given => format!("{} cannot be used together", given.join(" and ")),
            };
            return self.say(path, message, "give exactly one key");
        };
        let is_empty = match *key {
            "tags" => self.loaded.keys(&path.key(key)).is_empty(),
            key => !self.loaded.says(path, key),
        };
        if is_empty {
            let message = format!("`{key}` is empty: it would mean every one");
            self.say(&path.key(key), message, "name at least one");
        }
    }

    /// The tiers of a VPC are subnets of the same owner.
    fn existing_tiers(&mut self) {
        let Some(network) = &self.config.network else { return };
        for tier in SubnetTier::ALL {
            let key = format!("{}_subnets", tier.word());
            let path = KeyPath::of("network").key(&key);
            let is_given = self.loaded.keys(&KeyPath::of("network")).contains(&key.as_str());
            match (network.tier(tier), &network.vpc) {
                (Tier::Existing(_), Some(_)) => self.told_once(&path),
                (Tier::Existing(_), None) => {
                    let fix = "add `vpc` with the VPC that has them, or write true or a size";
                    self.say(&path, "only a VPC that payctl did not create has such subnets", fix);
                }
                (Tier::Enabled(_) | Tier::Size(_), Some(_)) if is_given => {
                    let fix = "write { ids = [\"subnet-...\"] } or { tags = { ... } }";
                    self.say(&path, "payctl creates no subnet in the VPC of another owner", fix);
                }
                (Tier::Enabled(_) | Tier::Size(_), _) => {}
            }
        }
    }
}
