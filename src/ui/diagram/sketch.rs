//! Which resource is a box, a frame or a badge, where it stands, and what moves between the boxes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::style::count;
use super::item::Item;
use payctl_drawing as drawing;
use payctl_drawing::{Badge, Card, Cell, Drawing, Frame, Look, Resource};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, End, Lane, Shape, referred};
use payctl_engine::model::meta::Meta;

const ACCOUNT: &str = "account";
const REGION: &str = "region";
/// The columns beside each other: those who call, the account, those who are told.
const CALLERS: u32 = 0;
const HOME: u32 = 1;
const TOLD: u32 = 2;

/// Where a resource stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// It is a box or a frame, or folded into one: the number of that item.
    Item(usize),
    /// It is folded into the region.
    Region,
}

/// The items with their relations.
pub(super) struct Sketch<'a> {
    items: Vec<Item<'a>>,
    drawn: Vec<Drawn>,
    /// The number of the item with this address: the one that stays, if there are several.
    at: BTreeMap<&'a Address, usize>,
    /// Which items need an item.
    users: Vec<Vec<usize>>,
    homes: Vec<Home>,
}

impl<'a> Sketch<'a> {
    pub(super) fn new(items: Vec<Item<'a>>, kinds: &[&'static Meta]) -> Self {
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
            word: word.to_owned(),
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

    pub(super) fn drawing(
        &self,
        title: String,
        summary: String,
        account: &str,
        region: &str,
    ) -> Drawing {
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
        let flow = |((from, to), (labels, quiet)): ((String, String), (BTreeSet<String>, bool))| {
            // A label may name several calls.
            let calls = labels.iter().flat_map(|label| label.split(", "));
            let calls: BTreeSet<&str> = calls.filter(|call| !call.is_empty()).collect();
            let told: Vec<&str> = calls.iter().copied().take(2).collect();
            let more = calls.len().saturating_sub(2);
            let label = match more {
                0 => told.join(", "),
                more => format!("{} and {more} more", told.join(", ")),
            };
            drawing::Flow { from, to, label, quiet }
        };
        labels.into_iter().map(flow).collect()
    }
}
