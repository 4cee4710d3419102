//! What an environment uses of another one, `from = "dev"`: payctl looks for it by its ownership tags,
//! and every reference to it becomes the value that it has. So it is in no plan, and nothing here
//! changes or deletes it.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::schema::Config;
use crate::config::schema::network::SubnetTier;
use crate::config::{KeyPath, Loaded};
use payctl_engine::model::address::Address;
use payctl_engine::model::live::{Found, Live};
use payctl_engine::model::text::{Part, Ref, Text, resolve};

use super::{Builder, section_of};

/// Something that another environment has.
#[derive(Clone, Debug)]
pub struct Loan {
    /// The environment that has it.
    pub lender: String,
    /// The place in the config that asks for it.
    pub path: KeyPath,
    /// What must exist there, once.
    pub main: Address,
    /// The kinds of what comes with it.
    pub with: &'static [&'static str],
}

/// The live objects that others lend, by the address that stands for them here.
pub type Lent = BTreeMap<Address, Live>;

/// Whether objects of a kind can be lent.
pub fn is_lendable(kind: &str) -> bool {
    [VPC, SUBNET, KEY].contains(&kind)
}

const VPC: &str = "ec2.vpc";
const SUBNET: &str = "ec2.subnet";
const KEY: &str = "kms.key";

/// What a config asks of other environments.
pub fn loans(config: &Config) -> Vec<Loan> {
    let network = config.network.iter().filter_map(|network| {
        Some(Loan {
            lender: network.from.as_ref()?.0.clone(),
            path: KeyPath::of("network"),
            main: Address::new(VPC, "main"),
            with: &[SUBNET],
        })
    });
    let keys = config.keys.iter().filter_map(|(name, key)| {
        Some(Loan {
            lender: key.from.as_ref()?.0.clone(),
            path: KeyPath::of("keys").key(name),
            main: Address::new(KEY, name.0.as_str()),
            with: &[],
        })
    });
    network.chain(keys).collect()
}

impl Loan {
    /// The environments and the kinds to look for.
    pub fn asks(&self) -> impl Iterator<Item = (String, String)> {
        let kinds = std::iter::once(self.main.kind.as_str()).chain(self.with.iter().copied());
        kinds.map(|kind| (self.lender.clone(), kind.to_owned()))
    }

    fn brings(&self, address: &Address) -> bool {
        self.main == *address || self.with.contains(&address.kind.as_str())
    }
}

/// What is lent, of everything that was found of the lenders. The error is a loan that is not there once,
/// and how many there are.
pub fn taken<'a>(
    loans: &'a [Loan],
    found: &BTreeMap<String, Vec<Found>>,
) -> Result<Lent, (&'a Loan, usize)> {
    let mut lent = Lent::new();
    for loan in loans {
        let of_lender = found.get(&loan.lender).into_iter().flatten();
        let brought = of_lender.filter(|found| loan.brings(&found.address));
        let brought: Vec<&Found> = brought.collect();
        match brought.iter().filter(|found| found.address == loan.main).count() {
            1 => {}
            number => return Err((loan, number)),
        }
        lent.extend(brought.iter().map(|found| (found.address.clone(), found.live.clone())));
    }
    Ok(lent)
}

/// The environments that lend something, each once.
pub(super) fn lenders(config: &Config) -> BTreeSet<String> {
    loans(config).into_iter().map(|loan| loan.lender).collect()
}

/// The words for a problem at a loan.
pub fn problem(loaded: &Loaded, loan: &Loan, found: usize) -> crate::config::Problem {
    let Loan { lender, path, main, .. } = loan;
    let (message, fix) = match found {
        0 => (
            format!("{lender} has no {main} here"),
            format!("apply {lender} first, or check the account and the region"),
        ),
        _ => (
            format!("{lender} has {found} of {main} here"),
            format!("apply {lender}: that leaves one of them"),
        ),
    };
    loaded.problem(&path.key("from"), message, fix)
}

impl Builder<'_> {
    /// The environment that lends something, if one does.
    pub(super) fn lender_of(&self, address: &Address) -> Option<&str> {
        self.lends.iter().find(|loan| loan.brings(address)).map(|loan| loan.lender.as_str())
    }

    /// The value of an output of something lent. Without an account, a text stands for it.
    fn lent_value(&self, reference: &Ref) -> Option<String> {
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
        match &network.from {
            None => network.cidr.0.clone(),
            Some(_) => {
                let range = self.lent_field(&Address::new(VPC, "main"), "cidr");
                // Without an account it is not known.
                range.unwrap_or("10.0.0.0/16").to_owned()
            }
        }
    }
}
