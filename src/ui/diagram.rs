//! The architecture of an environment as a description for the drawing crate: from the blueprint, from a
//! plan if there is one, and from what the kinds say of themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::plan::{as_fields, visible};
use super::style::count;
use super::value;
use payctl_drawing as drawing;
use payctl_drawing::{Badge, Card, Cell, Drawing, Field, Frame, Line, Look, Resource};
use payctl_engine::diff::FieldChange;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::drawn::{Drawn, End, Lane, Shape, referred};
use payctl_engine::model::meta::Meta;
use payctl_engine::plan::{Action, Change, Plan, Purpose};

const ACCOUNT: &str = "account";
const REGION: &str = "region";
/// The columns beside each other: those who call, the account, those who are told.
const CALLERS: u32 = 0;
const HOME: u32 = 1;
const TOLD: u32 = 2;

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

/// A resource with what the drawing needs of it.
struct Item<'a> {
    id: String,
    address: &'a Address,
    name: &'a str,
    component: &'a str,
    origin: &'a str,
    spec: &'a Value,
    needs: BTreeSet<Address>,
    change: Option<&'a Change>,
}

impl<'a> Item<'a> {
    fn wanted(desired: &'a Desired, change: Option<&'a Change>) -> Self {
        let mut needs = desired.after.clone();
        needs.extend(referred(Some(&desired.spec)));
        needs.remove(&desired.address);
        Self {
            id: desired.address.to_string(),
            address: &desired.address,
            name: &desired.name,
            component: &desired.component,
            origin: &desired.origin,
            spec: &desired.spec,
            needs,
            change,
        }
    }

    /// A live object that goes. The config may still know it: then its references are known.
    fn going(change: &'a Change, known: Option<&'a Desired>) -> Self {
        if let Some(desired) = known {
            return Self::wanted(desired, Some(change));
        }
        let live = change.live.as_ref();
        let id = live.map(|live| format!("{} ({})", change.address, live.id));
        Self {
            id: id.unwrap_or_else(|| change.address.to_string()),
            address: &change.address,
            name: &change.name,
            component: &change.component,
            origin: &change.origin,
            spec: live.map_or(&Value::Null, |live| &live.spec),
            needs: change.uses.clone(),
            change: Some(change),
        }
    }

    fn resource(&self) -> Resource {
        let mut remarks = Vec::new();
        let mut fields: Vec<FieldChange> = as_fields(self.spec);
        if let Some(change) = self.change {
            remarks.extend(change.because.iter().map(|because| format!("Because {because}.")));
            if change.action == Action::Replace {
                let order = if change.create_first {
                    "The new one is created before the old one is deleted."
                } else {
                    "The old one is deleted before the new one is created."
                };
                remarks.push(order.to_owned());
            }
            let lost = change.irreversible.iter().map(|lost| format!("Lost for good: {lost}."));
            remarks.extend(lost);
            remarks.extend(change.regain.iter().map(|regain| format!("Recoverable: {regain}.")));
            if matches!(change.action, Action::Update | Action::Replace) {
                fields = change.fields.iter().filter_map(visible).collect();
            }
        }
        let is_new = |field: &FieldChange| field.before.is_none();
        let field = |field: &FieldChange| Field { path: field.path.clone(), lines: lines(field) };
        // A resource that stays, comes or goes shows its values; one that changes, what differs.
        let plain = |field: &FieldChange| Field {
            path: field.path.clone(),
            lines: field.after.iter().flat_map(value::lines).map(Line::Same).collect(),
        };
        let differs = self
            .change
            .is_some_and(|change| matches!(change.action, Action::Update | Action::Replace));
        let fields = fields.iter().map(|one| match differs {
            true if !is_new(one) || one.after.is_some() => field(one),
            _ => plain(one),
        });
        Resource {
            address: self.id.clone(),
            name: self.name.to_owned(),
            component: match self.component {
                "" => "no longer configured".to_owned(),
                known => known.to_owned(),
            },
            origin: self.origin.to_owned(),
            action: self.change.map(|change| match change.action {
                Action::Create => drawing::Action::Create,
                Action::Update => drawing::Action::Change,
                Action::Replace => drawing::Action::Replace,
                Action::Delete => drawing::Action::Delete,
            }),
            remarks,
            fields: fields.collect(),
        }
    }
}

/// The lines of a difference.
fn lines(field: &FieldChange) -> Vec<Line> {
    let of = |side: &Option<Value>| side.as_ref().map(value::lines).unwrap_or_default();
    let mut lines: Vec<Line> = value::difference(&of(&field.before), &of(&field.after))
        .into_iter()
        .map(|line| match line {
            value::Line::Same(text) => Line::Same(text),
            value::Line::Old(text) => Line::Old(text),
            value::Line::New(text) => Line::New(text),
            value::Line::Gap(gap) => Line::Same(format!("... {} unchanged", count(gap, "line"))),
        })
        .collect();
    if field.unknown && !lines.iter().any(|line| matches!(line, Line::New(_))) {
        lines.push(Line::New("(known after apply)".to_owned()));
    }
    lines
}

/// Where a resource stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// It is a box or a frame, or folded into one: the number of that item.
    Item(usize),
    /// It is folded into the region.
    Region,
}

/// The items with their relations.
struct Sketch<'a> {
    items: Vec<Item<'a>>,
    drawn: Vec<Drawn>,
    /// The number of the item with this address: the one that stays, if there are several.
    at: BTreeMap<&'a Address, usize>,
    /// Which items need an item.
    users: Vec<Vec<usize>>,
    homes: Vec<Home>,
}

impl<'a> Sketch<'a> {
    fn new(items: Vec<Item<'a>>, kinds: &[&'static Meta]) -> Self {
        let drawn = |item: &Item<'_>| {
            let meta = kinds.iter().find(|meta| meta.kind == item.address.kind);
            meta.map_or(Drawn::USED, |meta| meta.drawn)
        };
        let drawn: Vec<Drawn> = items.iter().map(drawn).collect();
        let mut at = BTreeMap::new();
        for (number, item) in items.iter().enumerate() {
            at.entry(item.address).or_insert(number);
        }
        let mut users = vec![Vec::new(); items.len()];
        for (number, item) in items.iter().enumerate() {
            for need in item.needs.iter().filter_map(|need| at.get(need)) {
                users[*need].push(number);
            }
        }
        let mut sketch = Self { items, drawn, at, users, homes: Vec::new() };
        sketch.homes = (0..sketch.items.len())
            .map(|number| sketch.home(number, &mut BTreeSet::new()).unwrap_or(Home::Region))
            .collect();
        sketch
    }

    /// The box or frame that an item is or belongs to.
    fn home(&self, number: usize, asked: &mut BTreeSet<usize>) -> Option<Home> {
        if !asked.insert(number) {
            return None;
        }
        let of = match self.drawn[number].shape {
            Shape::Box(_) | Shape::Frame { .. } | Shape::Cell { .. } => {
                return Some(Home::Item(number));
            }
            Shape::Badge { of } => of,
        };
        let item = &self.items[number];
        let named = of.iter().flat_map(|field| referred(item.spec.get(field)));
        let named: Vec<usize> = named.filter_map(|to| self.at.get(&to).copied()).collect();
        let is_box = |number: &usize| matches!(self.drawn[*number].shape, Shape::Box(_));
        let users = self.users[number].iter().copied();
        let (first, second): (Vec<usize>, Vec<usize>) = users.partition(is_box);
        let needs = item.needs.iter().filter_map(|need| self.at.get(need).copied());
        // What only goes with the region has no other owner: a last resort is any need.
        let last = if of.is_empty() { Vec::new() } else { needs.collect() };
        let all = named.into_iter().chain(first).chain(second).chain(last);
        all.filter(|one| !matches!(self.drawn[*one].shape, Shape::Cell { .. }))
            .find_map(|one| self.home(one, asked))
    }

    /// The items that are folded into an item, with the item itself.
    fn members(&self, number: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.items.len()).filter(move |one| self.homes[*one] == Home::Item(number))
    }

    /// The badges of what is folded into a home.
    fn badges(&self, home: Home) -> Vec<Badge> {
        let mut sorts: BTreeMap<(&str, &str), Vec<Resource>> = BTreeMap::new();
        for (number, item) in self.items.iter().enumerate() {
            if self.homes[number] == home && home != Home::Item(number) {
                let Drawn { symbol, word, .. } = self.drawn[number];
                sorts.entry((symbol, word)).or_default().push(item.resource());
            }
        }
        let badge = |((symbol, word), resources): ((&str, &str), Vec<Resource>)| Badge {
            symbol: symbol.to_owned(),
            label: count(resources.len(), word),
            resources,
        };
        sorts.into_iter().map(badge).collect()
    }

    /// The cells that an item, or what is folded into it, refers to.
    fn cells_of(&self, number: usize) -> BTreeSet<usize> {
        let mut cells = BTreeSet::new();
        for member in self.members(number) {
            let needs = referred(Some(self.items[member].spec));
            let needs = needs.iter().chain(&self.items[member].needs);
            let needs = needs.filter_map(|need| self.at.get(need).copied());
            cells.extend(needs.filter(|one| matches!(self.drawn[*one].shape, Shape::Cell { .. })));
        }
        cells
    }

    /// The frame that an item refers to.
    fn frame_of(&self, number: usize) -> Option<usize> {
        let needs = self.items[number].needs.iter().filter_map(|need| self.at.get(need).copied());
        needs.into_iter().find(|one| matches!(self.drawn[*one].shape, Shape::Frame { .. }))
    }

    /// The place of a cell's tier among the tiers, and the id of the tier's frame.
    fn tier_of(&self, cell: usize) -> (u32, &str, String) {
        let (place, tier) = match self.drawn[cell].shape {
            Shape::Cell { tier, .. } => tier(&self.items[cell].address.name),
            Shape::Frame { .. } | Shape::Box(_) | Shape::Badge { .. } => (0, ""),
        };
        let frame = self.frame_of(cell).map_or(REGION, |frame| &self.items[frame].id);
        (place, tier, format!("{tier} in {frame}"))
    }

    fn field(&self, number: usize, field: &str) -> String {
        let value = self.items[number].spec.get(field);
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn drawing(&self, title: String, summary: String, account: &str, region: &str) -> Drawing {
        let frame = |id: &str, parent: Option<&str>, look, title: String| Frame {
            id: id.to_owned(),
            parent: parent.map(str::to_owned),
            column: HOME,
            look,
            title,
            note: String::new(),
            cells: Vec::new(),
            resource: None,
            badges: Vec::new(),
        };
        let mut frames = vec![frame(ACCOUNT, None, Look::Account, "AWS account".to_owned())];
        // A config alone does not know the account: then zeros stand for it.
        if account.chars().any(|digit| digit != '0') {
            account.clone_into(&mut frames[0].note);
        }
        let region = format!("Region {region}");
        frames.push(Frame {
            badges: self.badges(Home::Region),
            ..frame(REGION, Some(ACCOUNT), Look::Region, region)
        });
        let mut tiers: BTreeMap<String, Frame> = BTreeMap::new();
        let mut boxes = Vec::new();
        for (number, item) in self.items.iter().enumerate() {
            let Drawn { shape, symbol, word, .. } = self.drawn[number];
            match shape {
                Shape::Frame { note } => frames.push(Frame {
                    column: Lane::Compute as u32,
                    note: self.field(number, note),
                    resource: Some(item.resource()),
                    badges: self.badges(Home::Item(number)),
                    ..frame(
                        &item.id,
                        Some(REGION),
                        Look::Network,
                        format!("{word} {}", item.address.name),
                    )
                }),
                Shape::Cell { zone, note, .. } => {
                    let (place, tier, id) = self.tier_of(number);
                    let parent = self.frame_of(number).map(|frame| self.items[frame].id.as_str());
                    let title = format!("{tier} {word}s");
                    let tier = tiers.entry(id.clone()).or_insert_with(|| Frame {
                        column: place,
                        ..frame(&id, Some(parent.unwrap_or(REGION)), Look::Tier, title)
                    });
                    tier.cells.push(Cell {
                        title: self.field(number, zone),
                        note: self.field(number, note),
                        resource: item.resource(),
                    });
                }
                Shape::Box(lane) => {
                    let (frame, column) = self.place(number, lane);
                    boxes.push(Card {
                        id: item.id.clone(),
                        frame: Some(frame),
                        column: (lane != Lane::Apart).then_some(column),
                        symbol: symbol.to_owned(),
                        title: item.address.name.clone(),
                        note: word.to_owned(),
                        resource: Some(item.resource()),
                        badges: self.badges(Home::Item(number)),
                    });
                }
                Shape::Badge { .. } => {}
            }
        }
        frames.extend(tiers.into_values());
        let flows = self.flows(&mut boxes);
        Drawing { title, summary, remarks: Vec::new(), is_plan: false, frames, boxes, flows }
    }

    /// The frame that a box stands in, and its column there.
    fn place(&self, number: usize, lane: Lane) -> (String, u32) {
        let cells = self.cells_of(number);
        let tiers: BTreeSet<(u32, &str, String)> =
            cells.iter().map(|cell| self.tier_of(*cell)).collect();
        let network = cells.iter().find_map(|cell| self.frame_of(*cell));
        let network = network.or_else(|| self.frame_of(number));
        match (tiers.len(), tiers.first(), network) {
            (1, Some((_, _, tier)), _) => (tier.clone(), lane as u32),
            // It spans tiers, or lives beside them.
            (_, first, Some(network)) => {
                (self.items[network].id.clone(), first.map_or(1, |(place, ..)| *place))
            }
            (_, _, None) => (REGION.to_owned(), lane as u32),
        }
    }

    /// What moves between boxes; who stands outside becomes a box.
    fn flows(&self, boxes: &mut Vec<Card>) -> Vec<drawing::Flow> {
        let mut labels: BTreeMap<(String, String), (BTreeSet<String>, bool)> = BTreeMap::new();
        let mut outside: BTreeMap<String, (&str, bool)> = BTreeMap::new();
        let mut implied = Vec::new();
        let end = |here: usize, end: &End| -> Option<String> {
            let number = match end {
                End::Here => here,
                End::There(address) => *self.at.get(address)?,
                End::Outside(_, name) => return Some(format!("outside {name}")),
            };
            let Home::Item(home) = self.homes[number] else { return None };
            let flowing = matches!(self.drawn[home].shape, Shape::Box(lane) if lane != Lane::Apart);
            flowing.then(|| self.items[home].id.clone())
        };
        for (number, item) in self.items.iter().enumerate() {
            for flow in (self.drawn[number].flows)(item.spec) {
                let (Some(from), Some(to)) = (end(number, &flow.from), end(number, &flow.to))
                else {
                    continue;
                };
                if from == to {
                    continue;
                }
                for (end, calls) in [(&flow.from, true), (&flow.to, false)] {
                    if let End::Outside(symbol, name) = end {
                        let known = outside.entry(name.clone()).or_insert((symbol, calls));
                        known.1 |= calls;
                    }
                }
                if flow.implied {
                    implied.push((from, to, flow.label));
                } else {
                    labels.entry((from, to)).or_default().0.insert(flow.label);
                }
            }
        }
        let joined: BTreeSet<(String, String)> = labels.keys().cloned().collect();
        for (from, to, label) in implied {
            let (one, other) =
                ((from, to), |(from, to): &(String, String)| (to.clone(), from.clone()));
            if !joined.contains(&one) && !joined.contains(&other(&one)) {
                let entry = labels.entry(one).or_default();
                entry.0.insert(label);
                entry.1 = true;
            }
        }
        for (name, (symbol, calls)) in outside {
            boxes.push(Card {
                id: format!("outside {name}"),
                frame: None,
                column: Some(if calls { CALLERS } else { TOLD }),
                symbol: symbol.to_owned(),
                title: name,
                note: String::new(),
                resource: None,
                badges: Vec::new(),
            });
        }
        let flow =
            |((from, to), (mut labels, quiet)): ((String, String), (BTreeSet<String>, bool))| {
                labels.remove("");
                let told: Vec<&str> = labels.iter().map(String::as_str).take(2).collect();
                let more = labels.len().saturating_sub(2);
                let label = match more {
                    0 => told.join(", "),
                    more => format!("{} and {more} more", told.join(", ")),
                };
                drawing::Flow { from, to, label, quiet }
            };
        labels.into_iter().map(flow).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use payctl_engine::model::drawn::Flow;
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
