//! The architecture of an environment as a description for the drawing crate: from the blueprint, from a
//! plan if there is one, and from what the kinds say of themselves.

mod item;
mod sketch;

use std::collections::BTreeMap;

use self::item::Item;
use self::sketch::Sketch;
use super::style::count;
use payctl_drawing::Drawing;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::meta::Meta;
use payctl_engine::plan::{Action, Change, Plan, Purpose};

/// The drawing of an environment as its config asks for it.
pub fn of_blueprint(blueprint: &Blueprint, kinds: &[&'static Meta]) -> Drawing {
    let items = blueprint.resources.values().map(|desired| Item::wanted(desired, None)).collect();
    let number = blueprint.resources.len();
    let summary = format!("{} as the config asks for them", count(number, "resource"));
    let title = format!("{} {}", blueprint.scope.project, blueprint.scope.env);
    let scope = &blueprint.scope;
    Sketch::new(items, kinds).drawing(title, summary, &scope.account, &scope.region)
}

/// The drawing of a plan: what stays, what changes and what goes.
pub fn of_plan(
    blueprint: &Blueprint,
    plan: &Plan,
    kinds: &[&'static Meta],
    summary: String,
) -> Drawing {
    let mut changes: BTreeMap<&Address, Vec<&Change>> = BTreeMap::new();
    for change in &plan.changes {
        changes.entry(&change.address).or_default().push(change);
    }
    let mut items = Vec::new();
    if plan.purpose == Purpose::Apply {
        for desired in blueprint.resources.values() {
            let own = changes.get_mut(&desired.address);
            let at = own
                .as_ref()
                .and_then(|own| own.iter().position(|change| change.action != Action::Delete));
            let change = own.zip(at).map(|(own, at)| own.remove(at));
            items.push(Item::wanted(desired, change));
        }
    }
    for change in changes.into_values().flatten() {
        let known = blueprint.resources.get(&change.address);
        items.push(Item::going(change, known.filter(|_| plan.purpose == Purpose::Destroy)));
    }
    let title = match plan.purpose {
        Purpose::Apply => format!("Plan for {} {}", plan.scope.project, plan.scope.env),
        Purpose::Destroy => format!("Plan to destroy {} {}", plan.scope.project, plan.scope.env),
    };
    let refused = plan.refused.iter().map(|refused| {
        format!("Refused: {}: {}. {}", refused.address, refused.reason, refused.hint)
    });
    let lost = plan.changes.iter().filter_map(|change| {
        let lost = change.irreversible.as_ref()?;
        Some(format!("{} loses data for good: {lost}", change.address))
    });
    let unseen = plan.unseen.iter().map(|unseen| {
        format!("payctl could not read {}; the drawing says nothing about it", unseen.kind)
    });
    let notes =
        plan.notes.iter().map(|note| format!("{}: {}. {}", note.address, note.text, note.hint));
    let remarks = refused.chain(lost).chain(unseen).chain(notes).collect();
    let scope = &plan.scope;
    let drawing = Sketch::new(items, kinds).drawing(title, summary, &scope.account, &scope.region);
    Drawing { remarks, is_plan: true, ..drawing }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use payctl_drawing as drawing;
    use payctl_drawing::{Badge, Card, Field, Line};
    use payctl_engine::diff::FieldChange;
    use payctl_engine::model::desired::Desired;
    use payctl_engine::model::drawn::{Drawn, Flow, Lane};
    use payctl_engine::model::live::{Live, Phase, Tags};
    use payctl_engine::model::scope::Scope;
    use payctl_engine::model::text::{Output, Outputs, Text};

    fn letters(spec: &Value) -> Vec<Flow> {
        Flow::out(spec, "/letters", "dead letters")
    }

    static QUEUE: Meta = Meta {
        drawn: Drawn::a_box(Lane::Messages, "queue", "queue").with(letters),
        ..Meta::new("a.queue", "a", "A queue.")
    };
    static ALARM: Meta = Meta {
        drawn: Drawn::badge("alarm", "alarm", &["watches"]),
        ..Meta::new("a.alarm", "a", "An alarm.")
    };
    static LOG: Meta =
        Meta { drawn: Drawn::badge("log", "log group", &[]), ..Meta::new("a.log", "a", "A log.") };
    static CHART: Meta = Meta {
        drawn: Drawn::badge("chart", "dashboard", &[]),
        ..Meta::new("a.chart", "a", "A dashboard.")
    };

    fn to(kind: &str, name: &str) -> Value {
        json!(Text::reference(Address::new(kind, name), Output::Arn))
    }

    fn desired(kind: &str, name: &str, spec: Value) -> (Address, Desired) {
        let address = Address::new(kind, name);
        let desired = Desired {
            address: address.clone(),
            name: format!("dev-{name}"),
            component: "queues".into(),
            origin: "base.toml:1".into(),
            spec,
            tags: Tags::new(),
            tags_once: Tags::new(),
            after: BTreeSet::new(),
        };
        (address, desired)
    }

    fn blueprint() -> Blueprint {
        let log = to("a.log", "jobs");
        let jobs = json!({ "letters": to("a.queue", "lost"), "log": log });
        // It watches one and tells the other: it belongs to what it watches.
        let alarm = json!({ "tells": to("a.queue", "lost"), "watches": to("a.queue", "jobs") });
        let resources = [
            desired("a.queue", "jobs", jobs),
            desired("a.queue", "lost", json!({ "delay": 0 })),
            desired("a.alarm", "deep", alarm),
            desired("a.log", "jobs", json!({})),
            desired("a.chart", "all", json!({ "shows": to("a.queue", "jobs") })),
        ];
        Blueprint {
            scope: Scope {
                project: "shop".into(),
                env: "dev".into(),
                account: "123456789012".into(),
                region: "eu-west-1".into(),
                partition: "aws".into(),
            },
            protect: false,
            disposable: false,
            resources: resources.into(),
            outputs: BTreeMap::new(),
        }
    }

    fn kinds() -> Vec<&'static Meta> {
        vec![&QUEUE, &ALARM, &LOG, &CHART]
    }

    fn badges(badges: &[Badge]) -> Vec<&str> {
        badges.iter().map(|badge| badge.label.as_str()).collect()
    }

    fn plan(changes: Vec<Change>) -> Plan {
        Plan {
            format: payctl_engine::plan::FORMAT,
            scope: blueprint().scope,
            purpose: Purpose::Apply,
            targets: Vec::new(),
            changes,
            unchanged: Vec::new(),
            refused: Vec::new(),
            notes: Vec::new(),
            unseen: Vec::new(),
            left_alone: Vec::new(),
            beyond: Vec::new(),
            staying: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    #[test]
    fn small_resources_are_badges_of_their_owner() {
        let drawing = of_blueprint(&blueprint(), &kinds());
        let boxes = drawing.boxes.iter().map(|card| (&*card.title, badges(&card.badges)));
        let expected = [("jobs", vec!["1 alarm", "1 log group"]), ("lost", vec![])];
        assert_eq!(boxes.collect::<Vec<_>>(), expected);
        assert_eq!(badges(&drawing.frames[1].badges), ["1 dashboard"]);
        assert_eq!(drawing.frames[0].note, "123456789012");
        let flow = |flow: &drawing::Flow| (flow.from.clone(), flow.to.clone(), flow.label.clone());
        let expected = ("a.queue/jobs".into(), "a.queue/lost".into(), "dead letters".into());
        assert_eq!(drawing.flows.iter().map(flow).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn a_plan_shows_what_stays_what_changes_and_what_goes() {
        let live = |id: &str, spec: Value| Live {
            id: id.into(),
            spec,
            outputs: Outputs::new(),
            tags: Tags::new(),
            phase: Phase::Ready,
        };
        let jobs = Address::new("a.queue", "jobs");
        let field = FieldChange {
            path: "delay".into(),
            before: Some(json!(1)),
            after: Some(json!(2)),
            unknown: false,
        };
        let update = Change { fields: vec![field], ..Change::new(jobs.clone(), Action::Update) };
        // A second object of a wanted address, and one that nobody wants, with its alarm.
        let second = Change {
            live: Some(live("q-2", json!({ "delay": 7 }))),
            ..Change::new(jobs, Action::Delete)
        };
        let old = Address::new("a.queue", "old");
        let gone = Change {
            live: Some(live("q-3", json!({}))),
            irreversible: Some("all messages".into()),
            ..Change::new(old.clone(), Action::Delete)
        };
        let alarm = Change {
            live: Some(live("a-1", json!({ "watches": "arn:old" }))),
            uses: BTreeSet::from([old]),
            ..Change::new(Address::new("a.alarm", "old"), Action::Delete)
        };
        let plan = plan(vec![update, second, gone, alarm]);
        let drawing = of_plan(&blueprint(), &plan, &kinds(), "A summary.".into());
        let own = |card: &Card| card.resource.as_ref().and_then(|resource| resource.action);
        let boxes: Vec<_> = drawing
            .boxes
            .iter()
            .map(|card| (card.id.as_str(), own(card), badges(&card.badges)))
            .collect();
        let (change, delete) = (Some(drawing::Action::Change), Some(drawing::Action::Delete));
        let expected = [
            ("a.queue/jobs", change, vec!["1 alarm", "1 log group"]),
            ("a.queue/lost", None, vec![]),
            ("a.queue/jobs (q-2)", delete, vec![]),
            ("a.queue/old (q-3)", delete, vec!["1 alarm"]),
        ];
        assert_eq!(boxes, expected);
        let fields = &drawing.boxes[0].resource.as_ref().expect("a resource").fields;
        let lines = vec![Line::Old("1".into()), Line::New("2".into())];
        assert_eq!(fields, &[Field { path: "delay".into(), lines }]);
        assert_eq!(drawing.remarks, ["a.queue/old loses data for good: all messages"]);
        assert!(drawing.is_plan);
    }
}
