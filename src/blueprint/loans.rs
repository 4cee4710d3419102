//! What an environment uses and does not own: objects of another environment, `from = "dev"`, and objects
//! that payctl did not create, `existing = { name = "..." }`. payctl looks for them when it connects, and
//! every reference to one becomes the value that it has. So it is in no plan, and nothing here changes or
//! deletes it.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::lent::{Asked, By};
use crate::aws::policy::{Names, Uses};
use crate::config::KeyPath;
use crate::config::schema::Config;
use crate::config::schema::existing::{
    ExistingBucket, ExistingKey, ExistingRole, ExistingSubnets, ExistingVpc,
};
use crate::config::schema::network::{Network, SubnetTier};
use crate::config::schema::text::{EnvName, TagKey, TagValue};
use payctl_engine::model::address::Address;
use payctl_engine::model::live::Live;
use payctl_engine::model::text::{Part, Ref, Text, resolve};

use super::{Builder, section_of};

mod fit;
mod taken;
#[cfg(test)]
mod tests;

pub use taken::taken;

/// Something that the environment uses and does not own.
#[derive(Clone, Debug)]
pub struct Loan {
    /// Who has it.
    pub whose: Whose,
    /// The place in the config that asks for it.
    pub path: KeyPath,
    /// What must exist there, once. Of several, the beginning of their names.
    pub main: Address,
    /// Whether there may be several.
    pub several: bool,
    /// The kinds of what comes with it.
    pub with: Kinds,
}

/// Some kinds.
type Kinds = &'static [&'static str];

/// Who has it.
#[derive(Clone, Debug)]
pub enum Whose {
    /// Another environment of the project.
    Env(String),
    /// Somebody else: payctl did not create it. The config says so much of it.
    Others(By),
}

impl Whose {
    /// The owner, in words.
    pub fn words(&self) -> &str {
        match self {
            Self::Env(lender) => lender,
            Self::Others(_) => "somebody else",
        }
    }
}

/// The live objects that others lend, by the address that stands for them here.
pub type Lent = BTreeMap<Address, Live>;

/// Whether objects of a kind can be lent, or belong to something that can: without its way out, a network
/// serves nobody who borrows it.
pub fn is_lendable(kind: &str) -> bool {
    let lends = [VPC, KEY, CLUSTER, BALANCER, GROUP].map(section_of);
    kind == ATTACHMENT || lends.contains(&section_of(kind)) && !OWN.contains(&kind)
}

/// Whether borrowers can do without an object: a database answers as long as one of its instances stays.
pub fn is_spare<'a>(goes: &Address, mut stays: impl Iterator<Item = &'a Address>) -> bool {
    let cluster = |address: &'a Address| address.name.rsplit_once('-').map(|(cluster, _)| cluster);
    let own = goes.name.rsplit_once('-').map(|(cluster, _)| cluster);
    goes.kind == INSTANCE
        && stays.any(|one| one.kind == INSTANCE && one != goes && cluster(one) == own)
}

/// The kinds beside those that can be lent which serve only the environment that has them.
const OWN: [&str; 3] = ["ec2.flow_log", "elb.listener_rule", "route53.record"];

/// By kind: the fields of which each entry serves somebody, and the fields that say whom.
const SERVING: [(&str, &[&str], &[&str]); 4] = [
    ("ec2.gateway_endpoint", &["route_tables"], &[]),
    ("ec2.route_table", &["routes", "subnets"], &["subnets"]),
    ("ec2.security_group_rules", &["rules"], &["group"]),
    (LISTENER, &["certificate", "other_certificates"], &[]),
];

/// The fields of a kind of which each entry serves somebody who borrows it, and the fields that say whom.
pub fn serving(kind: &str) -> (&'static [&'static str], &'static [&'static str]) {
    let found = SERVING.iter().find(|(serving, _, _)| *serving == kind);
    found.map_or((&[], &[]), |(_, entries, whom)| (entries, whom))
}

const ATTACHMENT: &str = "secretsmanager.attachment";
const BALANCER: &str = "elb.load_balancer";
const BUCKET: &str = "s3.bucket";
const CLUSTER: &str = "rds.cluster";
const GROUP: &str = "ec2.security_group";
const INSTANCE: &str = "rds.instance";
const LISTENER: &str = "elb.listener";
const KEY: &str = "kms.key";
const ROLE: &str = "iam.role";
const SUBNET: &str = "ec2.subnet";
const VPC: &str = "ec2.vpc";

/// Everything that a config uses and the environment does not own.
pub fn loans(config: &Config) -> Vec<Loan> {
    let mut all = config.network.as_ref().map(of_network).unwrap_or_default();
    let one = |whose, path: KeyPath, kind: &str, name: &str| Loan {
        whose,
        path,
        main: Address::new(kind, name),
        several: false,
        with: &[],
    };
    for (name, key) in &config.keys {
        let path = KeyPath::of("keys").key(name);
        if let Some(lender) = &key.from {
            all.push(one(Whose::Env(lender.0.clone()), path.key("from"), KEY, name));
        } else if let Some(key) = &key.existing {
            all.push(one(Whose::Others(key.into()), path.key("existing"), KEY, name));
        }
    }
    let mut lent = |section: &str, kind: &str, name: &str, from: &Option<EnvName>, with: Kinds| {
        if let Some(lender) = from {
            let path = KeyPath::of(section).key(name).key("from");
            let loan = one(Whose::Env(lender.0.clone()), path, kind, name);
            all.push(Loan { with, ..loan });
        }
    };
    for (name, database) in &config.databases {
        lent("databases", CLUSTER, name, &database.from, &[ATTACHMENT, INSTANCE]);
    }
    for (name, balancer) in &config.load_balancers {
        lent("load_balancers", BALANCER, name, &balancer.from, &[LISTENER]);
    }
    for (name, group) in &config.security_groups {
        lent("security_groups", GROUP, name, &group.from, &[]);
    }
    for (name, bucket) in &config.buckets {
        if let Some(bucket) = &bucket.existing {
            let path = KeyPath::of("buckets").key(name).key("existing");
            all.push(one(Whose::Others(bucket.into()), path, BUCKET, name));
        }
    }
    for (name, role) in &config.roles {
        if let Some(role) = &role.existing {
            let path = KeyPath::of("roles").key(name).key("existing");
            all.push(one(Whose::Others(role.into()), path, ROLE, name));
        }
    }
    all
}

/// A network of another owner. The VPC comes before its subnets.
fn of_network(network: &Network) -> Vec<Loan> {
    let section = KeyPath::of("network");
    let main = Address::new(VPC, "main");
    if let Some(lender) = &network.from {
        let (whose, path) = (Whose::Env(lender.0.clone()), section.key("from"));
        return vec![Loan { whose, path, main, several: false, with: &[SUBNET] }];
    }
    let Some(vpc) = &network.vpc else { return Vec::new() };
    let (whose, path) = (Whose::Others(vpc.into()), section.key("vpc"));
    let mut all = vec![Loan { whose, path, main, several: false, with: &[] }];
    for tier in SubnetTier::ALL {
        if let Some(subnets) = network.existing(tier) {
            all.push(Loan {
                whose: Whose::Others(subnets.into()),
                path: section.key(&format!("{}_subnets", tier.word())),
                main: Address::new(SUBNET, tier.word()),
                several: true,
                with: &[],
            });
        }
    }
    all
}

fn tags(tags: &BTreeMap<TagKey, TagValue>) -> By {
    By::Tags(tags.iter().map(|(key, value)| (key.0.clone(), value.0.clone())).collect())
}

fn id(id: &str) -> By {
    By::Ids(BTreeSet::from([id.to_owned()]))
}

impl From<&ExistingVpc> for By {
    fn from(vpc: &ExistingVpc) -> Self {
        vpc.id.as_deref().map_or_else(|| tags(&vpc.tags), id)
    }
}

impl From<&ExistingSubnets> for By {
    fn from(subnets: &ExistingSubnets) -> Self {
        match subnets.ids.is_empty() {
            true => tags(&subnets.tags),
            false => Self::Ids(subnets.ids.iter().map(|id| id.0.clone()).collect()),
        }
    }
}

impl From<&ExistingKey> for By {
    fn from(key: &ExistingKey) -> Self {
        match (&key.id, &key.alias) {
            (Some(given), _) => id(given),
            (None, Some(alias)) => Self::Name(alias.0.clone()),
            (None, None) => tags(&key.tags),
        }
    }
}

impl From<&ExistingBucket> for By {
    fn from(bucket: &ExistingBucket) -> Self {
        bucket.name.as_ref().map_or_else(|| tags(&bucket.tags), |name| Self::Name(name.0.clone()))
    }
}

impl From<&ExistingRole> for By {
    fn from(role: &ExistingRole) -> Self {
        match (&role.arn, &role.name) {
            (Some(arn), _) => id(arn),
            (None, name) => Self::Name(name.clone().unwrap_or_default().0),
        }
    }
}

impl Loan {
    /// What to look for.
    pub fn asks(&self) -> impl Iterator<Item = Asked> {
        let kinds = std::iter::once(self.main.kind.as_str()).chain(self.with.iter().copied());
        kinds.map(|kind| {
            let kind = kind.to_owned();
            match &self.whose {
                Whose::Env(env) => Asked::Env { env: env.clone(), kind },
                Whose::Others(by) => Asked::Others { kind, by: by.clone() },
            }
        })
    }

    /// The ids of what must exist, without what comes with it.
    pub fn ids(&self, lent: &Lent) -> Vec<String> {
        let is_main =
            |address: &Address| *address == self.main || (self.several && self.brings(address));
        let all = lent.iter().filter(|(address, _)| is_main(address));
        all.map(|(_, live)| live.id.clone()).collect()
    }

    fn brings(&self, address: &Address) -> bool {
        let kind = address.kind.as_str();
        // Instances and listeners have the name of theirs and a number.
        let number = address.name.strip_prefix(&self.main.name).and_then(|it| it.strip_prefix('-'));
        let is_numbered = number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()));
        match self.main.kind.as_str() {
            _ if self.main == *address => true,
            VPC => self.with.contains(&kind),
            CLUSTER if kind == ATTACHMENT => *address == secret_of(&self.main.name),
            own => is_numbered && (self.with.contains(&kind) || (self.several && kind == own)),
        }
    }
}

/// What stands for the secret of a database of another environment.
pub(super) fn secret_of(database: &str) -> Address {
    Address::new(ATTACHMENT, format!("database:{database}"))
}

/// The environments that lend something, each once.
pub(super) fn lenders(config: &Config) -> BTreeSet<String> {
    let lender = |loan: Loan| match loan.whose {
        Whose::Env(lender) => Some(lender),
        Whose::Others(_) => None,
    };
    loans(config).into_iter().filter_map(lender).collect()
}

/// The names of what a config uses and the environment does not own, for policies.
pub fn uses(config: &Config) -> Uses {
    let mut uses = Uses::default();
    let add = |names: &mut Names, kind: &str, more: BTreeSet<String>| {
        names.entry(kind.to_owned()).or_default().extend(more);
    };
    for loan in loans(config) {
        let kinds = std::iter::once(loan.main.kind.as_str()).chain(loan.with.iter().copied());
        for kind in kinds {
            match &loan.whose {
                // Every name of an environment contains that of the environment. Ids do not.
                Whose::Env(env) => {
                    let has_id = [GROUP, KEY, SUBNET, VPC].contains(&kind);
                    let name = if has_id { "*".to_owned() } else { format!("*{env}*") };
                    add(&mut uses.lent, kind, BTreeSet::from([name]));
                }
                Whose::Others(by) => add(&mut uses.existing, kind, by.names()),
            }
        }
    }
    uses
}

impl Builder<'_> {
    /// The owner of something lent, in words; none if it is not lent.
    pub(super) fn lender_of(&self, address: &Address) -> Option<&str> {
        self.lends.iter().find(|loan| loan.brings(address)).map(|loan| loan.whose.words())
    }

    /// The value of an output of something lent. Without an account, a text stands for it.
    pub(super) fn lent_value(&self, reference: &Ref) -> Option<String> {
        let Ref { to, output } = reference;
        self.lender_of(to)?;
        match &self.facts.lent {
            Some(lent) => lent.get(to)?.outputs.get(output).cloned(),
            None => Some(format!("{}:{output:?}", to.name)),
        }
    }

    /// A field of something lent, as its kind reads it.
    pub(super) fn lent_field(&self, address: &Address, field: &str) -> Option<&str> {
        self.facts.lent.as_ref()?.get(address)?.spec.get(field)?.as_str()
    }

    /// The names of the lender's subnets of a tier.
    pub(super) fn lent_subnets(&self, tier: SubnetTier) -> Vec<String> {
        let begin = format!("{}-", tier.word());
        match &self.facts.lent {
            Some(lent) => {
                let subnets = lent.keys().filter(|address| address.kind == SUBNET);
                let names = subnets.map(|address| address.name.clone());
                let names: Vec<String> = names.filter(|name| name.starts_with(&begin)).collect();
                // The last check says that there is no such tier.
                if names.is_empty() { vec![format!("{begin}1")] } else { names }
            }
            None => (1..=2).map(|zone| format!("{begin}{zone}")).collect(),
        }
    }

    /// Puts the values of what is lent into everything that refers to it.
    pub(super) fn settle_loans(&mut self, outputs: &mut BTreeMap<String, Text>) {
        if self.lends.is_empty() {
            return;
        }
        let mut resources = std::mem::take(&mut self.resources);
        let known: BTreeSet<Address> = resources.keys().cloned().collect();
        let sections: BTreeSet<&str> =
            self.lends.iter().map(|loan| section_of(&loan.main.kind)).collect();
        for desired in resources.values_mut() {
            desired.spec = resolve(&desired.spec, &|reference| self.lent_value(reference));
            // What would have been made beside it is the lender's as well.
            desired.after.retain(|address| {
                known.contains(address) || !sections.contains(section_of(&address.kind))
            });
        }
        self.resources = resources;
        for text in outputs.values_mut() {
            let parts = text.parts().iter().map(|part| match part {
                Part::Ref(reference) => {
                    self.lent_value(reference).map_or_else(|| part.clone(), Part::Literal)
                }
                Part::Literal(_) => part.clone(),
            });
            *text = Text::from_parts(parts);
        }
    }

    /// The address range of the network.
    pub(super) fn network_range(&self) -> String {
        let Some(network) = &self.config.network else { return String::new() };
        match network.is_own() {
            true => network.cidr.0.clone(),
            false => {
                let range = self.lent_field(&Address::new(VPC, "main"), "cidr");
                // Without an account it is not known.
                range.unwrap_or("10.0.0.0/16").to_owned()
            }
        }
    }
}
