//! What a plan will take: how long, along which steps, what can be undone, what traffic notices.
//!
//! Facts of the kinds, and what earlier runs have learnt, if anything has. Nothing here decides what is
//! done.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::Verb;
use crate::graph::{self, Steps};
use crate::model::meta::{Meta, Traffic};
use crate::plan::{Action, Change, Plan};

/// How long the steps of each kind took in earlier runs.
pub type Learned = BTreeMap<(String, Verb), Duration>;

/// Whether a change can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Undo {
    /// By applying the config of before.
    Yes,
    /// Only with a copy of the data that AWS keeps.
    Restore,
    /// Not at all.
    No,
}

/// What one change means for those who run the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Whether it can be taken back.
    pub undo: Undo,
    /// What traffic notices.
    pub traffic: Traffic,
    /// How long an outage typically lasts, if there is one that ends.
    pub outage: Option<Duration>,
}

/// How long a step typically takes.
fn typical(change: &Change, meta: Option<&Meta>, verb: Verb) -> Duration {
    let seconds = meta.map_or(1, |meta| match verb {
        Verb::Create => meta.typical.create,
        Verb::Update => meta.typical.change,
        Verb::Delete => meta.typical.delete,
    });
    Duration::from_secs(u64::from(seconds)).max(slow(change, meta, verb))
}

/// How long a step takes at least, because of the fields that it sets.
fn slow(change: &Change, meta: Option<&Meta>, verb: Verb) -> Duration {
    let is_wanted =
        |field: &str| change.want.as_ref().is_some_and(|want| !want.spec[field].is_null());
    let is_changed = |field: &str| change.fields.iter().any(|one| top(&one.path) == field);
    let is_set = |meta: &Meta, field: &str| match verb {
        Verb::Create => is_wanted(field),
        Verb::Update => {
            is_changed(field) || (meta.status_fields.contains(&field) && is_wanted(field))
        }
        Verb::Delete => false,
    };
    let of = |meta: &Meta| {
        let set = meta.typical.slow.iter().filter(|(field, _)| is_set(meta, field));
        set.map(|(_, seconds)| *seconds).max()
    };
    Duration::from_secs(u64::from(meta.and_then(of).unwrap_or_default()))
}

/// The field of a spec that a path leads into.
fn top(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

/// What one change means. Of a kind without facts, nothing is known.
pub fn of(change: &Change, meta: Option<&Meta>) -> Outlook {
    let is_raised = |meta: &Meta| {
        let paths = change.fields.iter().map(|field| field.path.as_str());
        change.action == Action::Update
            && paths.clone().any(|path| meta.floating_versions.contains(&path))
    };
    let undo = match (&change.irreversible, &change.regain) {
        (Some(_), Some(_)) => Undo::Restore,
        (Some(_), None) => Undo::No,
        // No version can be lowered: data goes back only as a copy from before.
        (None, _) if meta.is_some_and(|meta| is_raised(meta) && meta.data.is_some()) => {
            Undo::Restore
        }
        (None, _) => Undo::Yes,
    };
    let Some(meta) = meta.filter(|meta| meta.serves) else {
        return Outlook { undo, traffic: Traffic::Nothing, outage: None };
    };
    let lasting =
        typical(change, Some(meta), Verb::Delete) + typical(change, Some(meta), Verb::Create);
    let (traffic, outage) = match change.action {
        Action::Create => (Traffic::Nothing, None),
        Action::Replace if change.create_first => (Traffic::NewConnections, None),
        Action::Replace => (Traffic::Outage, Some(lasting)),
        Action::Delete => (Traffic::Outage, None),
        Action::Update => {
            let changed: Vec<&str> = change.fields.iter().map(|field| top(&field.path)).collect();
            let felt = meta.felt.iter().filter(|(field, _)| changed.contains(field));
            let traffic = felt.map(|(_, traffic)| *traffic).max().unwrap_or(Traffic::Nothing);
            let lasts =
                (traffic == Traffic::Outage).then(|| typical(change, Some(meta), Verb::Update));
            (traffic, lasts)
        }
    };
    Outlook { undo, traffic, outage }
}

/// How long a plan will take, and along which steps.
#[derive(Debug)]
pub struct Estimate {
    /// The steps of the plan, and what each waits for.
    pub graph: Steps,
    /// By step: how long it takes.
    pub lasts: Vec<Duration>,
    /// By step: how many calls it makes.
    pub calls: Vec<u32>,
    /// By step: when it ends, if every step begins as soon as it can.
    pub ends: Vec<Duration>,
    /// The steps that decide how long the whole takes, in order.
    pub path: Vec<usize>,
}

impl Estimate {
    /// Estimates a plan: from what was learnt, else from the facts of the kinds. The facts hold for AWS;
    /// a clock that runs `speed` times as fast divides them.
    pub fn of(plan: &Plan, kinds: &[&'static Meta], learned: &Learned, speed: u32) -> Self {
        let graph = graph::steps(&plan.changes);
        let lasts: Vec<Duration> = graph
            .steps
            .iter()
            .map(|step| {
                let change = &plan.changes[step.change];
                let kind = &change.address.kind;
                let meta = kinds.iter().find(|meta| meta.kind == kind).copied();
                let on_aws = |lasts: Duration| lasts / speed.max(1);
                // Most of the steps of before set no slow field.
                match learned.get(&(kind.clone(), step.verb)) {
                    Some(known) => (*known).max(on_aws(slow(change, meta, step.verb))),
                    None => on_aws(typical(change, meta, step.verb)),
                }
            })
            .collect();
        let calls = graph.steps.iter().map(|step| {
            let kind = &plan.changes[step.change].address.kind;
            let meta = kinds.iter().find(|meta| meta.kind == kind);
            let [create, change, delete] = meta.map_or([1, 1, 1], |meta| meta.typical.calls);
            match step.verb {
                Verb::Create => create,
                Verb::Update => change,
                Verb::Delete => delete,
            }
        });
        let calls = calls.collect();
        // What lingers of a deleted object keeps the objects from going that AWS does not delete while
        // they are used.
        let meta = |step: usize| {
            let kind = &plan.changes[graph.steps[step].change].address.kind;
            kinds.iter().find(|meta| meta.kind == kind).copied()
        };
        let lingers = |before: usize, step: usize| {
            let is_deleted = |step: usize| graph.steps[step].verb == Verb::Delete;
            let is_held = meta(step).is_some_and(|meta| meta.use_blocks_delete);
            let seconds = meta(before).map_or(0, |meta| meta.typical.lingers);
            let holds = is_held && is_deleted(before) && is_deleted(step);
            Duration::from_secs(u64::from(if holds { seconds } else { 0 })) / speed.max(1)
        };
        let mut ends: Vec<Option<Duration>> = vec![None; lasts.len()];
        for step in 0..lasts.len() {
            end(step, &graph, &lasts, &lingers, &mut ends);
        }
        let ends: Vec<Duration> = ends.into_iter().map(Option::unwrap_or_default).collect();
        let mut path = Vec::new();
        let mut at = (0..ends.len()).max_by_key(|step| ends[*step]);
        while let Some(step) = at {
            path.push(step);
            let befores = graph.after[step].iter().copied();
            at = befores.max_by_key(|before| ends[*before] + lingers(*before, step));
        }
        path.reverse();
        Self { graph, lasts, calls, ends, path }
    }

    /// How many calls the whole makes.
    pub fn total_calls(&self) -> usize {
        self.calls.iter().map(|calls| *calls as usize).sum()
    }

    /// How long the whole takes.
    pub fn total(&self) -> Duration {
        self.path.last().map(|last| self.ends[*last]).unwrap_or_default()
    }
}

/// When a step ends. The graph has no circles.
fn end(
    step: usize,
    graph: &Steps,
    lasts: &[Duration],
    lingers: &dyn Fn(usize, usize) -> Duration,
    ends: &mut Vec<Option<Duration>>,
) -> Duration {
    if let Some(known) = ends[step] {
        return known;
    }
    let mut begins = Duration::ZERO;
    for before in &graph.after[step] {
        let free = end(*before, graph, lasts, lingers, ends) + lingers(*before, step);
        begins = begins.max(free);
    }
    let known = begins + lasts[step];
    ends[step] = Some(known);
    known
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::model::address::Address;
    use crate::model::desired::Desired;
    use crate::model::live::Tags;
    use crate::model::meta::Typical;

    const SLOW: Meta = Meta {
        typical: Typical::seconds(100, 10, 50).slow(&[("network", 80), ("stable", 90)]),
        status_fields: &["stable"],
        serves: true,
        felt: &[("size", Traffic::NewConnections), ("version", Traffic::Outage)],
        floating_versions: &["version"],
        data: Some("the data"),
        ..Meta::new("a.slow", "a", "")
    };

    fn change(name: &str, action: Action) -> Change {
        Change::new(Address::new("a.slow", name), action)
    }

    fn field(path: &str) -> crate::diff::FieldChange {
        crate::diff::FieldChange { path: path.into(), before: None, after: None, unknown: false }
    }

    #[test]
    fn an_outlook_follows_from_the_action_and_the_fields() {
        let of = |change: &Change| super::of(change, Some(&SLOW));
        assert_eq!(of(&change("n", Action::Create)).traffic, Traffic::Nothing);
        let replaced = of(&change("n", Action::Replace));
        assert_eq!(replaced.outage, Some(Duration::from_secs(150)));
        let first = Change { create_first: true, ..change("n", Action::Replace) };
        assert_eq!(of(&first).traffic, Traffic::NewConnections);
        let update =
            |path: &str| of(&Change { fields: vec![field(path)], ..change("n", Action::Update) });
        assert_eq!(update("tags.Team").traffic, Traffic::Nothing);
        assert_eq!(update("size.max").traffic, Traffic::NewConnections);
        let raised = update("version");
        assert_eq!((raised.traffic, raised.undo), (Traffic::Outage, Undo::Restore));
        let lost = Change { irreversible: Some("x".into()), ..change("n", Action::Delete) };
        assert_eq!(of(&lost).undo, Undo::No);
    }

    #[test]
    fn a_slow_field_and_a_state_that_is_waited_for_take_longer() {
        let lasts = |change: &Change, known: Option<u64>| {
            let known = known.map(|known| {
                ((change.address.kind.clone(), Verb::Update), Duration::from_secs(known))
            });
            let plan = Plan { changes: vec![change.clone()], ..crate::plan::tests::empty() };
            let learned = known.into_iter().collect();
            Estimate::of(&plan, &[&SLOW], &learned, 2).total().as_secs()
        };
        let plain = Change { fields: vec![field("size")], ..change("n", Action::Update) };
        assert_eq!([lasts(&plain, None), lasts(&plain, Some(7))], [5, 7]);
        let moved = Change { fields: vec![field("network.subnets")], ..plain.clone() };
        assert_eq!([lasts(&moved, None), lasts(&moved, Some(7))], [40, 40]);
        let mut waits = plain;
        waits.want = Some(Desired {
            address: waits.address.clone(),
            name: "n".into(),
            component: String::new(),
            origin: String::new(),
            spec: json!({ "stable": true }),
            tags: Tags::new(),
            tags_once: Tags::new(),
            after: BTreeSet::new(),
        });
        assert_eq!(lasts(&waits, None), 45);
    }

    #[test]
    fn the_longest_chain_of_steps_is_the_critical_path() {
        let needs = |names: &[&str]| -> BTreeSet<Address> {
            names.iter().map(|name| Address::new("a.slow", *name)).collect()
        };
        let plan = Plan {
            changes: vec![
                change("base", Action::Create),
                Change { needs: needs(&["base"]), ..change("top", Action::Update) },
                change("apart", Action::Update),
            ],
            ..crate::plan::tests::empty()
        };
        let estimate = Estimate::of(&plan, &[&SLOW], &Learned::new(), 1);
        assert_eq!(estimate.total(), Duration::from_secs(110));
        assert_eq!(estimate.path, [0, 1]);
        assert_eq!((&estimate.calls[..], estimate.total_calls()), (&[3, 5, 5][..], 13));
        let learned =
            Learned::from([(("a.slow".to_owned(), Verb::Create), Duration::from_secs(3))]);
        assert_eq!(Estimate::of(&plan, &[&SLOW], &learned, 1).total(), Duration::from_secs(13));
    }
}
