//! What the resources of an environment cost.
//!
//! The knowledge is in the kinds: each says what it charges, which load begins at it, and where its load
//! goes on ([`Resource`]). Here the load flows from kind to kind, and the charges become a bill.

use std::collections::{BTreeMap, BTreeSet};

use payctl_money::bill::{Bill, Charged, Unpriced};
use payctl_money::load::{Assumptions, Driver, Load, Passed};
use payctl_money::prices::Prices;
use payctl_money::{Decimal, HOURS, decimal};
use serde_json::Value;

use super::kinds::find_kind;
use super::measured::Gauge;
use super::resource::Resource;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Outputs, Ref, Text, each_ref};

/// Specs by address.
pub type Resources = BTreeMap<Address, Value>;

/// What a kind sees when it says what it charges and where its load goes on.
pub struct Costs<'a> {
    /// The address of the resource.
    pub address: &'a Address,
    /// What a month is assumed to bring.
    pub assume: &'a Assumptions,
    load: Load,
    all: &'a Graph<'a>,
}

/// The resources, and who refers to whom.
struct Graph<'a> {
    specs: &'a Resources,
    users: BTreeMap<Address, BTreeSet<&'a Address>>,
}

impl<'a> Graph<'a> {
    fn of(specs: &'a Resources) -> Self {
        let mut users: BTreeMap<Address, BTreeSet<&'a Address>> = BTreeMap::new();
        for (address, spec) in specs {
            each_ref(spec, &mut |reference| {
                users.entry(reference.to.clone()).or_default().insert(address);
            });
        }
        Self { specs, users }
    }
}

impl<'a> Costs<'a> {
    /// How much of a driver reaches the resource in a month.
    pub fn load(&self, driver: Driver) -> Decimal {
        self.load.get(driver)
    }

    /// The same, if anything says so.
    pub fn known(&self, driver: Driver) -> Option<Decimal> {
        self.load.known(driver)
    }

    /// How many hours of a month the environment exists.
    pub fn hours(&self) -> Decimal {
        self.assume.hours_per_month
    }

    /// What part of a month that is.
    pub fn share(&self) -> Decimal {
        self.hours() / HOURS
    }

    /// The resource of a kind that a text refers to.
    pub fn target<R: Resource>(&self, text: &Text) -> Option<(Address, R)> {
        let to = text.refs().map(|reference| &reference.to).find(|to| to.kind == R::META.kind)?;
        Some((to.clone(), self.spec(to)?))
    }

    /// The resources of a kind that refer to this one.
    pub fn users(&self, kind: &str) -> Vec<Address> {
        let users = self.all.users.get(self.address).into_iter().flatten();
        users.filter(|user| user.kind == kind).map(|user| (*user).clone()).collect()
    }

    /// The resource of a kind that has this name in AWS.
    pub fn named(&self, kind: &str, name: &str) -> Option<Address> {
        let mut of_kind = self.all.specs.iter().filter(|(address, _)| address.kind == kind);
        of_kind.find(|(_, spec)| spec["name"] == name).map(|(address, _)| address.clone())
    }

    /// Flows to some resources, each of which gets the same part.
    pub fn split(to: Vec<Address>, driver: Driver, quantity: Decimal) -> Vec<Passed<Address>> {
        let parts = Decimal::from(to.len().max(1));
        to.into_iter().map(|to| Passed { to, driver, quantity: quantity / parts }).collect()
    }

    /// Flows to some resources, each of which gets all.
    pub fn each(to: Vec<Address>, driver: Driver, quantity: Decimal) -> Vec<Passed<Address>> {
        to.into_iter().map(|to| Passed { to, driver, quantity }).collect()
    }

    /// The spec of a resource.
    pub fn spec<R: Resource>(&self, address: &Address) -> Option<R> {
        serde_json::from_value(self.all.specs.get(address)?.clone()).ok()
    }

    /// What an IAM action on a resource brings it, if anything that counts.
    pub fn driven(&self, to: &Address, action: &str) -> Option<Driver> {
        let drivers = find_kind(&to.kind)?.driven_by();
        let fits = |known: &str| match action.strip_suffix('*') {
            Some(start) => known.starts_with(start),
            None => known == action,
        };
        drivers.iter().find(|(known, _)| fits(known)).map(|(_, driver)| *driver)
    }
}

/// Which resource a value of AWS belongs to.
pub type Known = BTreeMap<String, Ref>;

/// The values of AWS by which objects name others: ids, ARNs, endpoints.
pub fn known<'a>(outputs: impl Iterator<Item = (&'a Address, &'a Outputs)>) -> Known {
    const NAMING: [Output; 6] = [
        Output::Arn,
        Output::Endpoint,
        Output::Id,
        Output::ReaderEndpoint,
        Output::StreamArn,
        Output::Url,
    ];
    let mut all: Vec<_> = outputs.collect();
    // A part has the ARN of its whole, whose load it is.
    all.sort_by_key(|(to, _)| find_kind(&to.kind).is_some_and(|kind| kind.meta().tagged));
    let (mut known, mut names) = (Known::new(), BTreeMap::<&String, BTreeSet<&Address>>::new());
    for (to, outputs) in all {
        for (output, value) in outputs {
            if NAMING.contains(output) {
                known.insert(value.clone(), Ref { to: to.clone(), output: *output });
            } else if *output == Output::Name {
                names.entry(value).or_default().insert(to);
            }
        }
    }
    // Objects of different kinds may have one name, which then says nothing.
    for (name, owners) in names {
        if let (Some(to), 1) = (owners.first(), owners.len()) {
            let own = Ref { to: (*to).clone(), output: Output::Name };
            known.entry(name.clone()).or_insert(own);
        }
    }
    known
}

/// The spec of a live object as a config has it: with references, along which load flows, instead of the
/// values of AWS. A field that takes no references stays as it is.
pub fn with_references(kind: &str, live: &Value, known: &Known) -> Value {
    let (mut spec, Some(kind)) = (live.clone(), find_kind(kind)) else { return live.clone() };
    for (field, value) in live.as_object().into_iter().flatten() {
        let written = referring(value, known);
        if written != *value {
            let before = std::mem::replace(&mut spec[field], written);
            if kind.canonical(&spec).is_err() {
                spec[field] = before;
            }
        }
    }
    spec
}

fn referring(value: &Value, known: &Known) -> Value {
    match value {
        Value::String(text) => reference_in(text, known)
            .and_then(|text| serde_json::to_value(text).ok())
            .unwrap_or_else(|| value.clone()),
        Value::Array(all) => all.iter().map(|one| referring(one, known)).collect(),
        Value::Object(all) => {
            all.iter().map(|(key, one)| (key.clone(), referring(one, known))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A text that is such a value, or begins with one: `ARN/*`, `ARN:stage`.
fn reference_in(text: &str, known: &Known) -> Option<Text> {
    let ends = text.rmatch_indices(['/', ':']).map(|(at, _)| at);
    let found = |end: usize| Some((known.get(&text[..end])?, end));
    let (reference, end) = std::iter::once(text.len()).chain(ends).find_map(found)?;
    Some(Text::reference(reference.to.clone(), reference.output).then(&text[end..]))
}

/// A flow to everything that a text refers to.
pub fn to(text: &Text, driver: Driver, quantity: Decimal) -> Vec<Passed<Address>> {
    let to = text.refs().map(|reference| reference.to.clone());
    to.map(|to| Passed { to, driver, quantity }).collect()
}

/// A number of a spec as a decimal. A spec holds what AWS takes, so its digits are what is meant.
pub fn exact(number: f64) -> Decimal {
    decimal(&number.to_string()).unwrap_or_default()
}

/// What passes through each resource in a month.
pub fn loads(resources: &Resources, assume: &Assumptions) -> BTreeMap<Address, Load> {
    let graph = Graph::of(resources);
    let view = |address, load| Costs { address, assume, load, all: &graph };
    let mut flows_to: BTreeMap<&Address, BTreeSet<Address>> = BTreeMap::new();
    for (address, spec) in resources {
        let flows = find_kind(&address.kind)
            .map(|kind| kind.passes(spec, &view(address, Load::probe())))
            .unwrap_or_default();
        let known = flows.into_iter().map(|flow| flow.to).filter(|to| resources.contains_key(to));
        flows_to.insert(address, known.collect());
    }
    let mut loads: BTreeMap<Address, Load> = BTreeMap::new();
    let mut sources: BTreeMap<&Address, usize> = BTreeMap::new();
    for (from, flows) in &flows_to {
        for to in flows.iter().filter(|to| to != from) {
            *sources.entry(to).or_default() += 1;
        }
    }
    let mut open: BTreeSet<&Address> = resources.keys().collect();
    let mut ready: BTreeSet<&Address> = open.clone();
    ready.retain(|address| !sources.contains_key(address));
    // In a circle, the first by name goes first: what comes back to it counts as nothing.
    while let Some(next) = ready.pop_first().or_else(|| open.first().copied()) {
        open.remove(next);
        for to in flows_to[next].iter().filter(|to| *to != next) {
            let left = sources.entry(to).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 && open.contains(to) {
                ready.insert(to);
            }
        }
        let Some(kind) = find_kind(&next.kind) else { continue };
        let spec = &resources[next];
        let mut load = loads.remove(next).unwrap_or_default();
        for (driver, quantity) in kind.begins(spec, &view(next, load.clone())) {
            load.add(driver, quantity);
        }
        for (driver, quantity) in assume.resources.get(&next.to_string()).into_iter().flatten() {
            load.set(*driver, *quantity);
        }
        for flow in kind.passes(spec, &view(next, load.clone())) {
            if open.contains(&flow.to) {
                loads.entry(flow.to).or_default().add(flow.driver, flow.quantity);
            }
        }
        loads.insert(next.clone(), load);
    }
    loads
}

/// The drivers that a resource charges for or passes on, as it is or as others of its kind do: a table whose
/// capacity is paid may come to pay for requests.
pub fn drivers(resources: &Resources, assume: &Assumptions, address: &Address) -> Vec<Driver> {
    let graph = Graph::of(resources);
    let (Some(kind), Some(own)) = (find_kind(&address.kind), resources.get(address)) else {
        return Vec::new();
    };
    let others = [kind.sample()].into_iter().chain(kind.variants());
    let specs: Vec<Value> = [own.clone()].into_iter().chain(others).collect();
    let of = |spec: &Value, load: Load| {
        let view = Costs { address, assume, load, all: &graph };
        (kind.charges(spec, &view).unwrap_or_default(), kind.passes(spec, &view))
    };
    // Much more than one, so that no tier of units hides it.
    const MUCH: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);
    let counts = |driver: &Driver| {
        let mut load = Load::probe();
        load.set(*driver, MUCH);
        specs.iter().any(|spec| of(spec, load.clone()) != of(spec, Load::probe()))
    };
    Driver::STATED.into_iter().filter(counts).collect()
}

/// What CloudWatch measures of the load of resources that have these ids of AWS.
pub fn gauges(
    resources: &Resources,
    assume: &Assumptions,
    ids: &BTreeMap<Address, String>,
) -> BTreeMap<Address, Vec<Gauge>> {
    let graph = Graph::of(resources);
    let loads = loads(resources, assume);
    let gauges = ids.iter().filter_map(|(address, id)| {
        let (kind, spec) = (find_kind(&address.kind)?, resources.get(address)?);
        let load = loads.get(address).cloned().unwrap_or_default();
        let view = Costs { address, assume, load, all: &graph };
        Some((address.clone(), kind.gauges(spec, id, &view)))
    });
    gauges.filter(|(_, gauges)| !gauges.is_empty()).collect()
}

/// What resources cost in a month.
pub fn bill(resources: &Resources, assume: &Assumptions, prices: &Prices) -> Bill {
    let graph = Graph::of(resources);
    let loads = loads(resources, assume);
    let (mut charged, mut unread) = (Vec::new(), Vec::new());
    for (address, spec) in resources {
        let Some(kind) = find_kind(&address.kind) else { continue };
        let load = loads.get(address).cloned().unwrap_or_default();
        let view = Costs { address, assume, load, all: &graph };
        match kind.charges(spec, &view) {
            Ok(charges) => {
                let component = kind.meta().section;
                let charges = charges.into_iter().filter(|charge| !charge.quantity.is_zero());
                charged.extend(charges.map(|charge| Charged {
                    address: address.to_string(),
                    component: component.to_owned(),
                    charge,
                }));
            }
            Err(error) => {
                unread.push(Unpriced {
                    address: address.to_string(),
                    component: kind.meta().section.to_owned(),
                    what: "everything".to_owned(),
                    reason: error.message,
                });
            }
        }
    }
    let mut bill = Bill::of(charged, prices, assume);
    bill.unpriced.extend(unread);
    bill.unpriced.sort();
    bill
}
