//! Orders: which resource comes before which, and which step before which.

use std::collections::{BTreeMap, BTreeSet};

use super::event::Verb;
use super::plan::{Action, Change};
use crate::model::address::Address;

/// Addresses so that what is needed comes first. What is needed and not in the map does not
/// count. An error lists those that go in a circle.
pub fn in_order(
    needs: &BTreeMap<Address, BTreeSet<Address>>,
) -> Result<Vec<Address>, Vec<Address>> {
    let mut order = Vec::with_capacity(needs.len());
    // How many of its needs are not placed yet, and who needs it.
    let mut open: BTreeMap<&Address, usize> = BTreeMap::new();
    let mut users: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    for (address, needs_of) in needs {
        let known = || needs_of.iter().filter(|need| needs.contains_key(*need));
        open.insert(address, known().count());
        for need in known() {
            users.entry(need).or_default().push(address);
        }
    }
    let free = open.iter().filter(|(_, count)| **count == 0);
    let mut ready: BTreeSet<&Address> = free.map(|(address, _)| *address).collect();
    while !ready.is_empty() {
        let mut next = BTreeSet::new();
        for address in ready {
            open.remove(address);
            order.push(address.clone());
            for user in users.get(address).into_iter().flatten() {
                if let Some(count) = open.get_mut(user) {
                    *count -= 1;
                    if *count == 0 {
                        next.insert(*user);
                    }
                }
            }
        }
        ready = next;
    }
    if open.is_empty() { Ok(order) } else { Err(open.into_keys().cloned().collect()) }
}

/// One step: half of a replacement, or a whole change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The change that it belongs to, by index.
    pub change: usize,
    /// What it does.
    pub verb: Verb,
}

/// The steps of a plan, and for each the steps that must be done before.
#[derive(Debug)]
pub struct Steps {
    /// The steps.
    pub steps: Vec<Step>,
    /// By step: what it waits for.
    pub after: Vec<BTreeSet<usize>>,
}

/// Builds the graph of steps from the changes of a plan, not from the config: apply can do nothing
/// that the plan does not show.
pub fn steps(changes: &[Change]) -> Steps {
    let Edges { steps, hard, soft, late, loose } = edges(changes);
    Steps { after: [soft, late, loose].into_iter().fold(hard, without_circles), steps }
}

/// A change that must become a replacement that deletes first, because steps wait for each other
/// in a circle: something has to be deleted that AWS does not delete while it is used
/// (`blocks_delete`, by what), and its user waits for something that waits for the deletion. Returns the user,
/// and what it uses.
pub fn tangled(
    changes: &[Change],
    blocks_delete: &dyn Fn(&Address, &Address) -> bool,
) -> Option<(Address, Address)> {
    let Edges { steps, mut hard, soft, .. } = edges(changes);
    let address = |step: usize| &changes[steps[step].change].address;
    let can_let_go_first = |user: &usize| {
        let change = &changes[steps[*user].change];
        match change.action {
            Action::Update => true,
            Action::Replace => change.create_first,
            Action::Create | Action::Delete => false,
        }
    };
    let circled = in_circles(&hard, &soft);
    for (step, befores) in soft.iter().enumerate() {
        let both_delete = |before: &&usize| steps[**before].verb == Verb::Delete;
        hard[step].extend(befores.iter().filter(both_delete));
    }
    for (delete, users) in soft.iter().enumerate() {
        let blocks = |user: &&usize| blocks_delete(address(delete), address(**user));
        let users = users.iter().filter(|user| circled[delete] && circled[**user]);
        let mut users = users.filter(|user| can_let_go_first(user)).filter(blocks);
        // The user's write half comes before the deletion; if it waits for the deletion itself,
        // directly or through others, it has to be deleted instead.
        if let Some(user) = users.find(|user| reaches(&hard, **user, delete)) {
            return Some((address(*user).clone(), address(delete).clone()));
        }
    }
    None
}

struct Edges {
    steps: Vec<Step>,
    /// By step: what must come before, always.
    hard: Vec<BTreeSet<usize>>,
    /// By deleting step: the users of the object, which should be gone or changed before.
    soft: Vec<BTreeSet<usize>>,
    /// By deleting step: what should be deleted before, although it does not use the object.
    late: Vec<BTreeSet<usize>>,
    /// By deleting step: the users that are deleted late. A role that names the object does not block
    /// its deletion.
    loose: Vec<BTreeSet<usize>>,
}

fn edges(changes: &[Change]) -> Edges {
    let mut steps = Vec::new();
    // By change: the step that makes or changes it, and the step that deletes it.
    let mut writes: Vec<Option<usize>> = vec![None; changes.len()];
    let mut deletes: Vec<Option<usize>> = vec![None; changes.len()];
    for (change, planned) in changes.iter().enumerate() {
        let mut add = |verb| {
            steps.push(Step { change, verb });
            Some(steps.len() - 1)
        };
        match planned.action {
            Action::Create => writes[change] = add(Verb::Create),
            Action::Update => writes[change] = add(Verb::Update),
            Action::Delete => deletes[change] = add(Verb::Delete),
            Action::Replace => {
                writes[change] = add(Verb::Create);
                deletes[change] = add(Verb::Delete);
            }
        }
    }
    let mut hard = vec![BTreeSet::new(); steps.len()];
    let mut soft = vec![BTreeSet::new(); steps.len()];
    let mut late = vec![BTreeSet::new(); steps.len()];
    let mut loose = vec![BTreeSet::new(); steps.len()];
    let mut at: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
    for (change, planned) in changes.iter().enumerate() {
        at.entry(&planned.address).or_default().push(change);
    }
    let named = |address: &Address| at.get(address).into_iter().flatten().copied();
    for (change, planned) in changes.iter().enumerate() {
        if let (Some(write), Some(delete)) = (writes[change], deletes[change]) {
            if planned.create_first {
                hard[delete].insert(write)
            } else {
                hard[write].insert(delete)
            };
        }
        // What is needed is made or changed first.
        for need in planned.needs.iter().flat_map(named) {
            if let (Some(write), Some(before)) = (writes[change], writes[need]) {
                hard[write].insert(before);
            }
        }
        // What the live object uses is deleted only after it is deleted or no longer uses it.
        for used in planned.uses.iter().flat_map(named).filter(|used| *used != change) {
            if let Some((delete, user)) = deletes[used].zip(deletes[change].or(writes[change])) {
                let edges = if planned.delete_after.is_empty() { &mut soft } else { &mut loose };
                edges[delete].insert(user);
            }
        }
        for first in planned.delete_after.iter().flat_map(named) {
            if let Some((delete, before)) = deletes[change].zip(deletes[first]) {
                late[delete].insert(before);
            }
        }
    }
    Edges { steps, hard, soft, late, loose }
}

/// By step: the steps that wait for it.
pub(crate) fn followers(after: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let mut followers = vec![Vec::new(); after.len()];
    for (step, befores) in after.iter().enumerate() {
        for before in befores {
            followers[*before].push(step);
        }
    }
    followers
}

/// Joins two sorts of edges, leaving out the soft ones that would close a circle: two live objects
/// may well refer to each other, and then the deletes help themselves by trying again.
fn without_circles(hard: Vec<BTreeSet<usize>>, soft: Vec<BTreeSet<usize>>) -> Vec<BTreeSet<usize>> {
    let circled = in_circles(&hard, &soft);
    let mut after = hard;
    for (step, befores) in soft.into_iter().enumerate() {
        for before in befores {
            let may_close = circled[step] && circled[before];
            if !(may_close && reaches(&after, before, step)) {
                after[step].insert(before);
            }
        }
    }
    after
}

/// By step: whether edges of two sorts may lead from it back to itself. In most plans none does, and
/// then there is nothing to search.
fn in_circles(hard: &[BTreeSet<usize>], soft: &[BTreeSet<usize>]) -> Vec<bool> {
    let both = hard.iter().zip(soft).map(|(hard, soft)| hard.union(soft).copied().collect());
    let after: Vec<BTreeSet<usize>> = both.collect();
    let before = followers(&after);
    let after: Vec<Vec<usize>> =
        after.into_iter().map(|after| after.into_iter().collect()).collect();
    let mut open = vec![true; after.len()];
    strip(&mut open, &after, &before);
    strip(&mut open, &before, &after);
    open
}

/// Takes away what waits for nothing that is open, again and again.
fn strip(open: &mut [bool], after: &[Vec<usize>], before: &[Vec<usize>]) {
    let count = |after: &Vec<usize>| after.iter().filter(|step| open[**step]).count();
    let mut counts: Vec<usize> = after.iter().map(count).collect();
    let mut free: Vec<usize> = (0..open.len()).filter(|it| open[*it] && counts[*it] == 0).collect();
    while let Some(step) = free.pop() {
        open[step] = false;
        for follower in before[step].iter().filter(|follower| open[**follower]) {
            counts[*follower] -= 1;
            if counts[*follower] == 0 {
                free.push(*follower);
            }
        }
    }
}

/// Whether `from` waits, directly or not, for `to`.
fn reaches(after: &[BTreeSet<usize>], from: usize, to: usize) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(step) = open.pop() {
        if step == to {
            return true;
        }
        if seen.insert(step) {
            open.extend(&after[step]);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(name: &str) -> Address {
        Address::new("fake.node", name)
    }

    #[test]
    fn dependencies_come_first_and_circles_are_named() {
        let set = |names: &[&str]| names.iter().map(|name| address(name)).collect();
        let needs = BTreeMap::from([
            (address("a"), set(&["b", "elsewhere"])),
            (address("b"), set(&["c"])),
            (address("c"), set(&[])),
        ]);
        assert_eq!(in_order(&needs).unwrap(), [address("c"), address("b"), address("a")]);
        let circle = BTreeMap::from([
            (address("a"), set(&["b"])),
            (address("b"), set(&["a"])),
            (address("c"), set(&[])),
        ]);
        assert_eq!(in_order(&circle).unwrap_err(), [address("a"), address("b")]);
    }

    #[test]
    fn delete_after_outranks_named_references() {
        let deletion = |name: &str, uses: &[&str], delete_after: &[&str]| Change {
            uses: uses.iter().map(|name| address(name)).collect(),
            delete_after: delete_after.iter().map(|name| address(name)).collect(),
            ..Change::new(address(name), Action::Delete)
        };
        let orders = |changes: &[Change], first: &str, then: &str| {
            let at = |name| changes.iter().position(|change| change.address == address(name));
            let (first, then) = at(first).zip(at(then)).expect("both are there");
            reaches(&steps(changes).after, then, first)
        };
        let plain = [
            deletion("role", &["table"], &["subnet"]),
            deletion("subnet", &[], &[]),
            deletion("table", &[], &[]),
        ];
        assert!(orders(&plain, "subnet", "role"));
        assert!(orders(&plain, "role", "table"));
        // The role names the cluster, which uses the subnet through its group.
        let tight = [
            deletion("cluster", &["group"], &[]),
            deletion("group", &["subnet"], &[]),
            deletion("role", &["cluster"], &["subnet"]),
            deletion("subnet", &[], &[]),
        ];
        assert!(orders(&tight, "cluster", "group"));
        assert!(orders(&tight, "group", "subnet"));
        assert!(orders(&tight, "subnet", "role"));
    }

    #[test]
    fn soft_edges_that_would_close_a_circle_are_dropped() {
        let after = without_circles(
            vec![BTreeSet::new(), BTreeSet::new()],
            vec![BTreeSet::from([1]), BTreeSet::from([0])],
        );
        assert_eq!(after, [BTreeSet::from([1]), BTreeSet::new()]);
    }
}
