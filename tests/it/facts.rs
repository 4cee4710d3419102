//! Facts: what AWS was asked for, and what it read back, as `tests/facts` holds them service by
//! service.
//!
//! Each fact is one object, made through its kind on the sandbox. It holds the kind to AWS, which
//! must find nothing left to do, and the sandbox as well, which must answer as AWS did. What AWS
//! adds by itself belongs to the answer: a perpetual difference would hide there.
//!
//! - `kind`, and `about`: what the fact shows;
//! - `declared`: the members that were asked for, by the names that AWS gives them in templates;
//! - `spec`: those members in the kind's own fields, over its sample;
//! - `address`: where the object stands, if not where the sample of its kind does;
//! - `beside`: fields of other resources, by address; what is no sample is made after the sample of
//!   its kind; `also`: the addresses of those that it needs without naming them;
//! - `answers`: for each operation a part of one of its answers. What is not stated may be
//!   anything, but for lists, which are whole. `{ some = X }` is a list with X in it, or with each
//!   item of the list X, `absent` stands for a member that must not be there, and a `*` in a text
//!   for anything.
//!
//! `<sqs.queue/sample.arn>` refers to an output of another resource, and `<none>` is `null`.
//! `left_out.toml` says why a member that was declared on AWS is in no fact, and why there are none
//! of a kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use payctl::aws::kinds::KINDS;
use payctl::aws::provider::AwsProvider;
use payctl::aws::resource::AnyKind;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::Purpose;
use payctl_engine::provider::Provider as _;
use payctl_sandbox::{Faults, Said, Sandbox};
use serde_json::{Value, json};
use toml_edit::{DocumentMut, Item};

use crate::support::{
    address_of, another, block_on, carry_out, needed, plan_now, sample_provider, samples, sandboxed,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts")
}

/// A file of tables, as JSON.
fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a file of facts");
    let document: DocumentMut =
        text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    json_of(document.as_item())
}

fn json_of(item: &Item) -> Value {
    if let Some(tables) = item.as_array_of_tables() {
        return tables.iter().map(|table| json_of(&Item::Table(table.clone()))).collect();
    }
    if let Some(table) = item.as_table_like() {
        return Value::Object(
            table.iter().map(|(key, it)| (key.to_owned(), json_of(it))).collect(),
        );
    }
    match item.as_value().expect("a value") {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Float(number) => (*number.value()).into(),
        toml_edit::Value::Boolean(yes) => (*yes.value()).into(),
        toml_edit::Value::Array(items) => {
            items.iter().map(|item| json_of(&Item::Value(item.clone()))).collect()
        }
        other => panic!("facts have no use for {other}"),
    }
}

/// All facts of all services.
fn all() -> Vec<Value> {
    let files = fs::read_dir(folder()).expect("the folder of facts");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.retain(|path| !path.ends_with("left_out.toml"));
    let facts = paths.iter().flat_map(|path| {
        let file = read(path);
        file["fact"].as_array().cloned().unwrap_or_else(|| panic!("{}: no fact", path.display()))
    });
    facts.collect()
}

fn texts(value: &Value) -> Vec<&str> {
    let texts = value.as_array().map(Vec::as_slice).unwrap_or_default();
    texts.iter().map(|text| text.as_str().expect("a text")).collect()
}

/// A value of a fact as it stands in a spec: `null`, and references as the model writes them.
fn spelled(value: &Value) -> Value {
    match value {
        Value::String(text) if text == "<none>" => Value::Null,
        Value::String(text) if text.contains('<') => {
            let mut parts = Vec::new();
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once('<') {
                let (reference, after) = after.split_once('>').expect("a reference ends with >");
                let (to, output) = reference.rsplit_once('.').expect("a reference names an output");
                parts.extend((!before.is_empty()).then(|| json!(before)));
                parts.push(json!({ "to": to, "output": output }));
                rest = after;
            }
            parts.extend((!rest.is_empty()).then(|| json!(rest)));
            json!({ "$text": parts })
        }
        Value::Array(items) => items.iter().map(spelled).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), spelled(value))).collect()
        }
        other => other.clone(),
    }
}

/// Lays the fields of a fact over a resource.
fn lay(blueprint: &mut Blueprint, address: &Address, fields: &Value) {
    let fields = spelled(fields);
    if !blueprint.resources.contains_key(address) {
        return another(blueprint, address, &fields);
    }
    let desired = blueprint.resources.get_mut(address).expect("it is there");
    for (field, value) in fields.as_object().expect("fields") {
        desired.spec[field] = value.clone();
        if let ("name", Some(name)) = (field.as_str(), value.as_str()) {
            name.clone_into(&mut desired.name);
        }
    }
}

/// Where `have` is not what a fact states.
fn differs(want: &Value, have: Option<&Value>, is_xml: bool) -> Vec<String> {
    if want == "absent" {
        let there = have.map(|have| format!(" is {have} and must be absent"));
        return there.into_iter().collect();
    }
    let Some(have) = have else { return vec![format!(" is absent and must be {want}")] };
    let within = |at: &str, differs: Vec<String>| -> Vec<String> {
        differs.into_iter().map(|one| format!("/{at}{one}")).collect()
    };
    match (want, have) {
        (Value::Object(members), _) if members.contains_key("some") => {
            let items = have.as_array().cloned().unwrap_or_else(|| vec![have.clone()]);
            let wants = match &members["some"] {
                Value::Array(wants) => wants.as_slice(),
                want => std::slice::from_ref(want),
            };
            let nearest = |want: &Value| {
                let all = items.iter().map(|item| differs(want, Some(item), is_xml));
                let nearest = all.min_by_key(Vec::len);
                nearest.unwrap_or_else(|| vec![format!(" is empty and must have {want}")])
            };
            wants.iter().flat_map(|want| within("*", nearest(want))).collect()
        }
        (Value::Object(members), Value::Object(others)) => {
            let each = members.iter();
            each.flat_map(|(key, want)| within(key, differs(want, others.get(key), is_xml)))
                .collect()
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            let pairs = items.iter().zip(others).enumerate();
            pairs
                .flat_map(|(at, (want, have))| {
                    within(&at.to_string(), differs(want, Some(have), is_xml))
                })
                .collect()
        }
        // XML does not tell an empty list from an empty text, nor a list of one from that one.
        (Value::Array(items), Value::String(text)) if items.is_empty() && text.is_empty() => {
            Vec::new()
        }
        (Value::Array(items), _) if is_xml && items.len() == 1 && !have.is_array() => {
            differs(&items[0], Some(have), is_xml)
        }
        (Value::Object(_), Value::String(text)) => {
            // A document in a text: a policy, a schema.
            let plain = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
            match serde_json::from_str(&plain) {
                Ok(inner @ Value::Object(_)) => differs(want, Some(&inner), false),
                _ => vec![format!(" is {have} and must be {want}")],
            }
        }
        (Value::String(pattern), Value::String(text)) if fits(pattern, text) => Vec::new(),
        (Value::Bool(_) | Value::Number(_), Value::String(text))
            if is_xml && text.parse::<Value>().is_ok_and(|told| told == *want) =>
        {
            Vec::new()
        }
        (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => Vec::new(),
        _ if want == have => Vec::new(),
        _ => vec![format!(" is {have} and must be {want}")],
    }
}

/// Whether a text fits a pattern whose `*` stand for anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            starts.any(|at| fits(after, &rest[at..]))
        }),
    }
}

/// What is wrong with the answers of an operation: nothing if one of them is as stated.
fn judge(operation: &str, want: &Value, said: &[Said]) -> Vec<String> {
    let of_it = said.iter().filter(|said| said.call == operation);
    let all = of_it.map(|said| differs(want, Some(&said.body), said.is_xml));
    match all.min_by_key(Vec::len) {
        Some(nearest) => nearest.iter().map(|one| format!("{operation}{one}")).collect(),
        None => {
            let asked: BTreeSet<_> = said.iter().map(|said| said.call.as_str()).collect();
            vec![format!("{operation}: never asked; asked were {asked:?}")]
        }
    }
}

/// What a plan would still do.
async fn left(provider: &AwsProvider, blueprint: &Blueprint) -> Vec<String> {
    let plan = plan_now(provider, blueprint, Purpose::Apply).await;
    let changes = plan.changes.iter();
    let left = changes.map(|change| format!("{}: {:?}", change.address, change.fields));
    left.map(|left| format!("left to do: {left}")).collect()
}

/// Makes the object of a fact; what is wrong with it.
async fn hold(fact: &Value) -> Vec<String> {
    let sandbox = Sandbox::in_memory();
    let maker = sample_provider(&sandboxed(&sandbox)).await;
    let mut blueprint = samples(&maker.aws().scope);
    let kind = kind_of(fact);
    let address = fact["address"].as_str().map(|address| address.parse().expect("an address"));
    let address = address.unwrap_or_else(|| address_of(kind));
    let also = texts(&fact["also"]).into_iter().map(|also| also.parse().expect("an address"));
    let also: Vec<Address> = also.collect();
    if let Some(beside) = fact["beside"].as_object() {
        for (address, fields) in beside {
            lay(&mut blueprint, &address.parse().expect("an address"), fields);
        }
    }
    lay(&mut blueprint, &address, &fact["spec"]);
    let own = blueprint.resources.get_mut(&address).expect("it is there");
    own.after.extend(also);
    for desired in blueprint.resources.values_mut() {
        let canonical = maker.canonical(&desired.address.kind, &desired.spec);
        desired.spec = canonical.unwrap_or_else(|error| panic!("{}: {error:?}", desired.address));
    }
    let blueprint = needed(blueprint, vec![address]);
    let plan = plan_now(&maker, &blueprint, Purpose::Apply).await;
    let report = carry_out(&maker, &plan).await;
    if !report.is_complete() {
        return vec![format!("cannot be made: {:?}", report.failed)];
    }

    let faults = Faults::new(sandbox.transport()).keeping_answers();
    let mut connection = sandboxed(&sandbox);
    connection.transport = Some(faults.transport());
    let reader = sample_provider(&connection).await;
    let mut wrong = left(&reader, &blueprint).await;
    let said = faults.answers();
    let answers = fact["answers"].as_object().expect("answers");
    wrong.extend(answers.iter().flat_map(|(operation, want)| judge(operation, want, &said)));
    wrong
}

fn kind_of(fact: &Value) -> &'static dyn AnyKind {
    let name = fact["kind"].as_str().expect("a kind");
    let known = KINDS.iter().find(|known| known.meta().kind == name);
    *known.unwrap_or_else(|| panic!("{name} is no kind"))
}

/// Holds the facts of some services.
fn check(services: &[&str]) {
    let of_them = |fact: &Value| {
        services.contains(&kind_of(fact).meta().kind.split_once('.').expect("service.kind").0)
    };
    let facts: Vec<Value> = all().into_iter().filter(of_them).collect();
    assert!(!facts.is_empty(), "no facts of {services:?}");
    let mut wrong = Vec::new();
    for fact in &facts {
        let named = format!("{}: {}", fact["kind"], fact["about"]);
        println!("{named}");
        let found = block_on(hold(fact));
        wrong.extend(found.into_iter().map(|found| format!("{named}\n  {found}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

macro_rules! services {
    ($($test:ident: $($service:literal),+;)+) => {
        $(
            #[test]
            fn $test() {
                check(&[$($service),+]);
            }
        )+

        /// Every service that a test above holds.
        const SERVICES: &[&str] = &[$($($service),+),+];
    };
}

services! {
    what_aws_read_back_of_queues_and_topics: "sqs", "sns";
    what_aws_read_back_of_roles: "iam";
    what_aws_read_back_of_functions: "lambda";
    what_aws_read_back_of_balancers: "elb";
    what_aws_read_back_of_buckets: "s3";
    what_aws_read_back_of_tables: "dynamodb";
    what_aws_read_back_of_databases: "rds";
    what_aws_read_back_of_networks: "ec2";
    what_aws_read_back_of_containers: "ecs", "scaling", "autoscaling";
    what_aws_read_back_of_names: "acm", "route53";
    what_aws_read_back_of_apis: "apigateway", "waf";
    what_aws_read_back_of_logs_and_alarms: "logs", "cloudwatch", "events", "guardduty", "costs";
    what_aws_read_back_of_keys_and_secrets: "kms", "secretsmanager", "ssm";
}

#[test]
fn every_kind_has_recorded_facts_or_a_reason() {
    let facts = all();
    let left_out = read(&folder().join("left_out.toml"));
    let kinds: BTreeSet<&str> = KINDS.iter().map(|kind| kind.meta().kind).collect();
    let mut held: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut abouts = BTreeSet::new();
    for fact in &facts {
        let kind = kind_of(fact).meta().kind;
        let service = kind.split_once('.').expect("service.kind").0;
        assert!(SERVICES.contains(&service), "no test holds the facts of {service}");
        assert!(abouts.insert((kind, fact["about"].as_str())), "told twice: {}", fact["about"]);
        held.entry(kind).or_default().extend(texts(&fact["declared"]));
    }
    let mut reasons = BTreeSet::new();
    for entry in left_out["left_out"].as_array().expect("entries") {
        let kind = entry["kind"].as_str().expect("a kind");
        assert!(kinds.contains(kind), "{kind} is no kind");
        let reason = entry["reason"].as_str().expect("a reason");
        assert!(reasons.insert((kind, reason)), "{kind}: given twice: {reason}");
        for member in texts(&entry["members"]) {
            let is_held = held.get(kind).is_some_and(|held| held.contains(member));
            assert!(!is_held, "{kind}: {member} is left out and held");
        }
    }
    let unrecorded = left_out["unrecorded"].as_array().expect("entries");
    let unrecorded: BTreeSet<&str> =
        unrecorded.iter().map(|entry| entry["kind"].as_str().expect("a kind")).collect();
    for kind in &kinds {
        let is_held = held.contains_key(kind);
        assert!(
            is_held != unrecorded.contains(kind),
            "{kind}: facts, or a reason why there are none"
        );
    }
    let members: usize = held.values().map(BTreeSet::len).sum();
    println!("{} facts of {} kinds, {members} declared members", facts.len(), held.len());
}

#[test]
fn recorded_facts_match_exactly() {
    let have = json!({ "A": { "B": "5", "C": ["x", "y"] }, "P": "{\"S\":[1]}", "E": "" });
    let differs = |want: Value, is_xml| differs(&want, Some(&have), is_xml);
    let holds = |want: Value| assert_eq!(differs(want.clone(), true), [""; 0], "{want}");
    holds(json!({ "A": { "B": 5, "C": ["x", "y"] } }));
    holds(
        json!({ "A": { "C": { "some": ["y", "x"] }, "D": "absent" }, "P": { "S": [1] }, "E": [] }),
    );
    holds(json!({ "A": { "C": ["*", "y*"] } }));
    for (want, is_xml) in [
        (json!({ "A": { "B": 5 } }), false),
        (json!({ "A": { "B": "6" } }), true),
        (json!({ "A": { "C": ["y", "x"] } }), true),
        (json!({ "A": { "C": ["x"] } }), true),
        (json!({ "A": { "C": { "some": "z" } } }), true),
        (json!({ "A": { "B": "absent" } }), true),
        (json!({ "A": { "D": "" } }), true),
        (json!({ "P": { "S": [2] } }), true),
        (json!({ "E": ["x"] }), true),
    ] {
        assert!(!differs(want.clone(), is_xml).is_empty(), "{want}");
    }
}
