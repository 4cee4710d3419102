//! Answers that nobody should send: a transport that damages answers to reads. Members are missing, values
//! have other types, texts are huge or odd, bodies end in the middle.
//!
//! The same question gets the same damage for a seed, so that asking again does not heal it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use super::faults::{mix, operation_of, route_of};
use super::wire::xml::Element;
use super::wire::{Protocol, Route, cbor};

/// An answer that was damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The call, `ec2.DescribeVpcs`.
    pub call: String,
    /// What happened to its answer, and where.
    pub what: String,
}

/// A transport that damages answers.
#[derive(Clone, Debug)]
pub struct Garbled(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: SharedHttpClient,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    begun: Option<(u64, u64)>,
    damaged: Vec<Damage>,
}

impl Garbled {
    /// Passes every answer on as it is until it is told to begin.
    pub fn new(inner: SharedHttpClient) -> Self {
        Self(Arc::new(Shared { inner, state: Mutex::default() }))
    }

    /// From now on damages this percentage of the answers to reads. Returns what was damaged before.
    pub fn begin(&self, seed: u64, percent: u8) -> Vec<Damage> {
        let mut state = self.state();
        state.begun = Some((seed, percent.into()));
        std::mem::take(&mut state.damaged)
    }

    /// The transport for the SDK.
    pub fn transport(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// What was damaged since it began.
    pub fn damaged(&self) -> Vec<Damage> {
        self.state().damaged.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The dice for the answer to a request, if it is to be damaged.
    fn dice(&self, route: &Route, request: &HttpRequest) -> Option<Dice> {
        let (seed, percent) = self.state().begun.filter(|_| route.is_read())?;
        let parts = [request.method().as_bytes(), request.uri().as_bytes()];
        let body = request.body().bytes().unwrap_or_default();
        let target = operation_of(route);
        let all = parts.into_iter().chain([target.as_bytes(), body]).flatten();
        let start = all.fold(seed, |hash, byte| mix(hash, u64::from(*byte)));
        let mut dice = Dice { seed: start, rolled: 0 };
        (dice.below(100) < percent).then_some(dice)
    }
}

impl HttpClient for Garbled {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.0.inner.http_connector(settings, components);
        SharedHttpConnector::new(Garbler { garbled: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Garbler {
    garbled: Garbled,
    inner: SharedHttpConnector,
}

impl HttpConnector for Garbler {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (garbled, inner) = (self.garbled.clone(), self.inner.clone());
        HttpConnectorFuture::new(async move {
            let route = route_of(&request);
            let dice = garbled.dice(&route, &request);
            let mut reply = inner.call(request).await?;
            if let Some(mut dice) = dice.filter(|_| reply.status().is_success()) {
                let what = damage(&route, &mut reply, &mut dice);
                garbled.state().damaged.push(Damage { call: operation_of(&route), what });
            }
            Ok(reply)
        })
    }
}

/// Numbers that look random, and are the same for the same start.
struct Dice {
    seed: u64,
    rolled: u64,
}

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.rolled += 1;
        mix(self.seed, self.rolled) % most.max(1)
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }
}

/// Texts that nobody expects.
fn odd(dice: &mut Dice) -> String {
    match dice.below(6) {
        0 => String::new(),
        1 => "\u{202e}\u{7}é\u{1f4a5}${x}%00 '\"<&>".to_owned(),
        2 => "x".repeat(70_000),
        3 => "arn:aws:::::::".to_owned(),
        4 => "-9223372036854775809".to_owned(),
        _ => "{".to_owned(),
    }
}

fn damage(route: &Route, reply: &mut HttpResponse, dice: &mut Dice) -> String {
    let body = reply.body().bytes().unwrap_or_default().to_vec();
    let (body, what) =
        if dice.below(12) == 0 { cut(body, dice) } else { change(route, body, dice) };
    // The length in the header would tell the client at once.
    reply.headers_mut().remove("content-length");
    *reply.body_mut() = SdkBody::from(body);
    what
}

fn cut(body: Vec<u8>, dice: &mut Dice) -> (Vec<u8>, String) {
    match dice.below(3) {
        0 => (Vec::new(), "an empty body".to_owned()),
        1 => (b"<html>Bad Gateway</html>".to_vec(), "a page in place of the body".to_owned()),
        _ => {
            let kept = dice.index(body.len());
            (body[..kept].to_vec(), format!("a body that ends after {kept} bytes"))
        }
    }
}

fn change(route: &Route, body: Vec<u8>, dice: &mut Dice) -> (Vec<u8>, String) {
    match route.protocol {
        Protocol::Json(_) | Protocol::RestJson => match serde_json::from_slice(&body) {
            Ok(value) => {
                let (value, what) = change_value(value, dice);
                (value.to_string().into_bytes(), what)
            }
            Err(_) => cut(body, dice),
        },
        Protocol::Cbor => match cbor::timed(&body) {
            Ok(value) => {
                let (value, what) = change_value(value, dice);
                (cbor::body(&value), what)
            }
            Err(_) => cut(body, dice),
        },
        Protocol::Ec2 | Protocol::Query | Protocol::RestXml | Protocol::Rest => {
            match std::str::from_utf8(&body).ok().and_then(|text| Element::parse(text).ok()) {
                Some(root) => {
                    let (root, what) = change_element(root, dice);
                    (root.render().into_bytes(), what)
                }
                None => cut(body, dice),
            }
        }
    }
}

/// Every value of a tree by its pointer, without the root.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    let mut each = |key: &str, inner: &Value| {
        let pointer = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        pointers(inner, &pointer, all);
        all.push(pointer);
    };
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| each(&index.to_string(), item));
        }
        Value::Object(members) => members.iter().for_each(|(key, inner)| each(key, inner)),
        _ => {}
    }
}

fn change_value(mut value: Value, dice: &mut Dice) -> (Value, String) {
    let mut all = Vec::new();
    pointers(&value, "", &mut all);
    if all.is_empty() {
        return (json!([]), "a list in place of an empty answer".to_owned());
    }
    let pointer = all.swap_remove(dice.index(all.len()));
    let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
    let key = pointer[parent.len() + 1..].replace("~1", "/").replace("~0", "~");
    let what = match dice.below(8) {
        0..=2 => {
            match value.pointer_mut(&parent) {
                Some(Value::Object(members)) => drop(members.remove(&key)),
                Some(Value::Array(items)) => drop(items.remove(key.parse().unwrap_or_default())),
                _ => {}
            }
            "is missing"
        }
        3 => {
            if let Some(Value::Array(items)) = value.pointer_mut(&parent) {
                let again = items[key.parse().unwrap_or(0)].clone();
                items.push(again);
            } else if let Some(inner) = value.pointer_mut(&pointer) {
                *inner = json!([inner.take()]);
            }
            "is there twice or in a list"
        }
        4 => {
            if let Some(inner) = value.pointer_mut(&pointer) {
                *inner = Value::Null;
            }
            "is null"
        }
        5 => {
            if let Some(inner) = value.pointer_mut(&pointer) {
                *inner = emptied(inner);
            }
            "is empty"
        }
        6 => {
            if let Some(inner) = value.pointer_mut(&pointer) {
                *inner = match inner.take() {
                    Value::String(_) => Value::String(odd(dice)),
                    Value::Number(_) => {
                        [json!(-1), json!(u64::MAX), json!(1e300)][dice.index(3)].take()
                    }
                    other => other,
                };
            }
            "has an odd value"
        }
        _ => {
            if let Some(inner) = value.pointer_mut(&pointer) {
                *inner = match inner {
                    Value::String(_) => json!(7),
                    Value::Number(_) => json!("seven"),
                    Value::Bool(_) => json!("maybe"),
                    Value::Array(_) => json!({ "0": "x" }),
                    Value::Object(_) => json!(["x"]),
                    Value::Null => json!(true),
                };
            }
            "has another type"
        }
    };
    (value, format!("{pointer} {what}"))
}

fn emptied(value: &Value) -> Value {
    match value {
        Value::Array(_) => json!([]),
        Value::Object(_) => json!({}),
        Value::Number(_) => json!(0),
        _ => json!(""),
    }
}

/// How many elements are inside.
fn size(element: &Element) -> usize {
    element.children.iter().map(|child| 1 + size(child)).sum()
}

/// The place of the element with this number, counted from 0 in order of reading: its parent, its index
/// there, and the names on the way.
fn place<'a>(
    parent: &'a mut Element,
    mut number: usize,
    path: &mut String,
) -> Option<(&'a mut Element, usize)> {
    for index in 0..parent.children.len() {
        let inside = size(&parent.children[index]);
        if number <= inside {
            let name = &parent.children[index].name;
            path.push('/');
            path.push_str(name);
            if number == 0 {
                return Some((parent, index));
            }
            return place(&mut parent.children[index], number - 1, path);
        }
        number -= inside + 1;
    }
    None
}

fn change_element(mut root: Element, dice: &mut Dice) -> (Element, String) {
    let number = dice.index(size(&root));
    let mut path = String::new();
    let Some((parent, index)) = place(&mut root, number, &mut path) else {
        "Odd".clone_into(&mut root.name);
        return (root, "another root".to_owned());
    };
    let what = match dice.below(6) {
        0..=2 => {
            parent.children.remove(index);
            "is missing"
        }
        3 => {
            let again = parent.children[index].clone();
            parent.children.push(again);
            "is there twice"
        }
        4 => {
            parent.children[index].children.clear();
            parent.children[index].text.clear();
            "is empty"
        }
        _ => {
            parent.children[index].children.clear();
            parent.children[index].text = odd(dice);
            "has an odd value"
        }
    };
    (root, format!("{path} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_changes_a_tree_in_one_place() {
        let value = json!({ "A": [{ "B": "x", "C": 1 }, { "B": "y" }], "D": { "E": true } });
        let xml = "<R><A><member><B>x</B></member><member><B>y</B></member></A><D>1</D></R>";
        let root = Element::parse(xml).unwrap();
        let (mut values, mut elements) = (Vec::new(), Vec::new());
        for seed in 0..300 {
            let (changed, what) = change_value(value.clone(), &mut Dice { seed, rolled: 0 });
            let again = change_value(value.clone(), &mut Dice { seed, rolled: 0 });
            assert_eq!((&changed, &what), (&again.0, &again.1));
            values.push(changed);
            elements.push(change_element(root.clone(), &mut Dice { seed, rolled: 0 }).0);
        }
        let changed = values.iter().filter(|changed| **changed != value).count();
        assert!(changed > 250, "{changed}");
        for expected in [
            json!({ "A": [{ "B": "x", "C": 1 }, { "B": "y" }] }),
            json!({ "A": [{ "B": "y" }], "D": { "E": true } }),
            json!({ "A": [{ "B": 7, "C": 1 }, { "B": "y" }], "D": { "E": true } }),
        ] {
            assert!(values.contains(&expected), "{expected}");
        }
        let without = "<R><A><member><B>x</B></member><member></member></A><D>1</D></R>";
        let without = Element::parse(without).unwrap();
        assert!(elements.contains(&without));
    }
}
