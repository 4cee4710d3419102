//! The changes of a plan as causes with their consequences.

use std::collections::{BTreeMap, BTreeSet};

use payctl_engine::model::address::Address;
use payctl_engine::plan::{Action, Change, Plan};

/// A part of a plan, in the order of a reader's interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ui) enum Section {
    LosesData,
    Replaces,
    Changes,
    Creates,
    Deletes,
}

impl Section {
    /// All, in order.
    pub(in crate::ui) const ALL: [Self; 5] =
        [Self::LosesData, Self::Replaces, Self::Changes, Self::Creates, Self::Deletes];

    /// The heading.
    pub(in crate::ui) fn title(self) -> &'static str {
        match self {
            Self::LosesData => "Loses data",
            Self::Replaces => "Replaces",
            Self::Changes => "Changes",
            Self::Creates => "Creates",
            Self::Deletes => "Deletes",
        }
    }

    fn of(change: &Change) -> Self {
        match (&change.irreversible, change.action) {
            (Some(_), _) => Self::LosesData,
            (None, Action::Replace) => Self::Replaces,
            (None, Action::Update) => Self::Changes,
            (None, Action::Create) => Self::Creates,
            (None, Action::Delete) => Self::Deletes,
        }
    }
}

/// The changes of a plan, each below the one that it follows. What loses data always stands for itself.
pub(in crate::ui) struct Tree<'a> {
    plan: &'a Plan,
    /// By change: the changes that follow it.
    below: BTreeMap<usize, Vec<usize>>,
    causes: Vec<usize>,
}

impl<'a> Tree<'a> {
    /// The tree of a plan.
    pub(in crate::ui) fn of(plan: &'a Plan) -> Self {
        let mut at: BTreeMap<&Address, usize> = BTreeMap::new();
        for (index, change) in plan.changes.iter().enumerate() {
            at.entry(&change.address).or_insert(index);
        }
        let mut below: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut causes = Vec::new();
        for (index, change) in plan.changes.iter().enumerate() {
            let cause = change.follows.as_ref().and_then(|cause| at.get(cause)).copied();
            match cause.filter(|cause| *cause != index && change.irreversible.is_none()) {
                Some(cause) => below.entry(cause).or_default().push(index),
                None => causes.push(index),
            }
        }
        Self { plan, below, causes }
    }

    /// A change.
    pub(in crate::ui) fn change(&self, index: usize) -> &'a Change {
        &self.plan.changes[index]
    }

    /// The changes of a section that have a reason of their own.
    pub(in crate::ui) fn causes(&self, section: Section) -> Vec<usize> {
        let is_meant = |index: &&usize| Section::of(self.change(**index)) == section;
        self.causes.iter().filter(is_meant).copied().collect()
    }

    /// The direct consequences of a change.
    pub(in crate::ui) fn follow(&self, cause: usize) -> &[usize] {
        self.below.get(&cause).map(Vec::as_slice).unwrap_or_default()
    }

    /// All consequences of a change, direct and indirect.
    pub(in crate::ui) fn consequences(&self, cause: usize) -> Vec<usize> {
        let mut all = Vec::new();
        let mut seen = BTreeSet::from([cause]);
        let mut open = vec![cause];
        while let Some(at) = open.pop() {
            for next in self.follow(at) {
                if seen.insert(*next) {
                    all.push(*next);
                    open.push(*next);
                }
            }
        }
        all.sort_unstable();
        all
    }

    /// A change and all its consequences.
    pub(in crate::ui) fn with_consequences(&self, cause: usize) -> Vec<usize> {
        std::iter::once(cause).chain(self.consequences(cause)).collect()
    }

    /// The consequences of a change, counted by action and kind; one of a kind goes by its address.
    pub(in crate::ui) fn counted(&self, cause: usize) -> Vec<(Action, Vec<(String, usize)>)> {
        let mut kinds: BTreeMap<Action, BTreeMap<&str, Vec<&Address>>> = BTreeMap::new();
        for index in self.consequences(cause) {
            let Change { address, action, .. } = self.change(index);
            kinds.entry(*action).or_default().entry(&address.kind).or_default().push(address);
        }
        let named = |addresses: Vec<&Address>| match addresses[..] {
            [only] => (only.to_string(), 1),
            _ => (addresses[0].kind.clone(), addresses.len()),
        };
        let counted = kinds.into_iter().rev();
        counted.map(|(action, kinds)| (action, kinds.into_values().map(named).collect())).collect()
    }
}

/// `lambda.function x 8`, or the name alone.
pub(in crate::ui) fn times(name: &str, number: usize) -> String {
    if number == 1 { name.to_owned() } else { format!("{name} x {number}") }
}
