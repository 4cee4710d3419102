//! The last check: every reference has a target, and no resource waits for itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::KeyPath;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Text, each_ref};

use super::Builder;

impl Builder<'_> {
    pub(super) fn closed_and_acyclic(&mut self, outputs: &BTreeMap<String, Text>) {
        let mut edges: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
        for (address, desired) in &self.resources {
            let mut needs = desired.after.clone();
            each_ref(&desired.spec, &mut |reference| {
                needs.insert(reference.to.clone());
            });
            edges.insert(address.clone(), needs);
        }
        let mut dangling: Vec<(Address, Address)> = Vec::new();
        for (from, needs) in &edges {
            let missing = needs.iter().filter(|to| !self.resources.contains_key(to));
            dangling.extend(missing.map(|to| (from.clone(), to.clone())));
        }
        for (from, to) in dangling {
            let (message, fix) = match self.lender_of(&to) {
                Some(lender) => (
                    format!("{from} refers to {to}, which {lender} does not have"),
                    "use something that it has, or change it first",
                ),
                None => (
                    format!("{from} refers to {to}, which this environment does not have"),
                    "add it, or remove the reference",
                ),
            };
            self.at_resource(&from, message, fix);
        }
        for (name, text) in outputs {
            let missing = text.refs().find(|found| !self.resources.contains_key(&found.to));
            if let Some(found) = missing {
                let message = format!(
                    "the output refers to {}, which this environment does not have",
                    found.to
                );
                self.problem(
                    &KeyPath::of("outputs").key(name),
                    message,
                    "add it, or remove the output",
                );
            }
        }
        for (name, check) in &self.config.checks {
            let texts = [&check.url].into_iter().chain(check.headers.values()).chain(&check.body);
            let is_missing = |to: &Address| !self.resources.contains_key(to);
            let missing = texts
                .map(|text| self.text(text))
                .find_map(|text| text.refs().map(|found| found.to.clone()).find(is_missing));
            if let Some(to) = missing {
                let message =
                    format!("the check refers to {to}, which this environment does not have");
                let path = KeyPath::of("checks").key(name);
                self.problem(&path, message, "add it, or remove the check");
            }
        }
        if let Some(cycle) = cycle(&edges) {
            let names: Vec<String> = cycle.iter().map(Address::to_string).collect();
            let message = format!("these resources wait for each other: {}", names.join(" -> "));
            self.at_resource(&cycle[0], message, "remove one of the references");
        }
    }

    fn at_resource(&mut self, address: &Address, message: String, fix: &str) {
        let path = KeyPath::of(self.asker(address)).key(&address.name);
        self.problem(&path, message, fix);
    }
}

/// A chain of addresses that ends where it begins, if there is one.
fn cycle(edges: &BTreeMap<Address, BTreeSet<Address>>) -> Option<Vec<Address>> {
    let mut waits: BTreeMap<&Address, BTreeSet<&Address>> = BTreeMap::new();
    let mut users: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    for (from, needs) in edges {
        let known: BTreeSet<&Address> = needs.iter().filter(|to| edges.contains_key(to)).collect();
        for to in &known {
            users.entry(*to).or_default().push(from);
        }
        waits.insert(from, known);
    }
    // Removes nodes that wait for nothing, until only cycles and the nodes that wait for them remain.
    let free = waits.iter().filter(|(_, needs)| needs.is_empty());
    let mut free: Vec<&Address> = free.map(|(from, _)| *from).collect();
    while let Some(address) = free.pop() {
        waits.remove(address);
        for user in users.get(address).into_iter().flatten() {
            let Some(needs) = waits.get_mut(user) else { continue };
            if needs.remove(address) && needs.is_empty() {
                free.push(*user);
            }
        }
    }
    let mut chain = vec![*waits.keys().next()?];
    loop {
        let next = *waits.get(chain.last()?)?.iter().next()?;
        chain.push(next);
        if let Some(at) = chain.iter().position(|seen| *seen == next)
            && at + 1 < chain.len()
        {
            return Some(chain[at..].iter().map(|address| (*address).clone()).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(pairs: &[(&str, &[&str])]) -> BTreeMap<Address, BTreeSet<Address>> {
        let address = |name: &str| Address::new("a.b", name);
        let row = |(from, to): &(&str, &[&str])| {
            (address(from), to.iter().map(|name| address(name)).collect())
        };
        pairs.iter().map(row).collect()
    }

    #[test]
    fn a_cycle_is_found_after_a_chain() {
        assert_eq!(cycle(&edges(&[("a", &["b"]), ("b", &["c"]), ("c", &[])])), None);
        let found = cycle(&edges(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])])).unwrap();
        let names: Vec<&str> = found.iter().map(|address| address.name.as_str()).collect();
        assert_eq!(names, ["b", "c", "b"]);
        assert!(cycle(&edges(&[("a", &["a"])])).is_some());
    }
}
