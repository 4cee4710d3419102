//! The sandbox's Route 53: hosted zones and their records. It does not answer DNS.
//!
//! Quirks kept: names come back in lower case with a final dot, and with `*` as `\052`; records are
//! in the order of their reversed names; a batch of changes takes effect as a whole or not at all;
//! a record is deleted only by its exact values. In a strict sandbox a change takes half a minute.
//! The account has the public zone `example.com` from the start.

mod records;
#[cfg(test)]
mod tests;
mod zones;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept};
use super::toolbox::{
    KEY_VALUE, Tags, add_tags, iso, need, refuse, remove_tags, tag_list, tag_pairs, text, texts,
};
use super::wire::rest::RestRoute;
use super::{Answer, Base, Call, Refusal, World, acm};

/// What Route 53 keeps. It belongs to the whole account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Hosted zones by id.
    zones: Shelf<zones::Zone>,
    /// Changes by id.
    changes: Shelf<Change>,
}

kept!(State { zones, changes });

/// The public zone that the account has from the start, so that names can be rehearsed: its id and
/// its name.
const GIVEN: (&str, &str) = ("Z0000000000EXAMPLE", "example.com.");

impl Default for State {
    fn default() -> Self {
        let (id, name) = GIVEN;
        let zone = zones::Zone::new(id, name, "sandbox");
        let zones = BTreeMap::from([(id.to_owned(), zone)]);
        Self { zones: zones.into(), changes: Shelf::default() }
    }
}

/// A change, which takes a while to reach every name server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Change {
    submitted: f64,
    comment: Option<String>,
}

/// The operations.
pub(crate) const ROUTES: &[RestRoute] = &[
    ("POST", "/2013-04-01/hostedzone", "CreateHostedZone"),
    ("GET", "/2013-04-01/hostedzone", "ListHostedZones"),
    ("GET", "/2013-04-01/hostedzonesbyname", "ListHostedZonesByName"),
    ("GET", "/2013-04-01/hostedzone/{Id}", "GetHostedZone"),
    ("DELETE", "/2013-04-01/hostedzone/{Id}", "DeleteHostedZone"),
    ("POST", "/2013-04-01/hostedzone/{Id}/rrset", "ChangeResourceRecordSets"),
    ("GET", "/2013-04-01/hostedzone/{Id}/rrset", "ListResourceRecordSets"),
    ("GET", "/2013-04-01/change/{Id}", "GetChange"),
    ("POST", "/2013-04-01/tags/{ResourceType}/{ResourceId}", "ChangeTagsForResource"),
    ("GET", "/2013-04-01/tags/{ResourceType}/{ResourceId}", "ListTagsForResource"),
];

/// How long a strict sandbox takes for a change, in seconds.
const TIME: f64 = 30.0;

const INPUT: &str = "InvalidInput";
/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = (INPUT, INPUT);

/// The HTTP status of an operation that went well.
pub(crate) fn status(operation: &str) -> u16 {
    if operation == "CreateHostedZone" { 201 } else { 200 }
}

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    let records = state.zones.values().map(|zone| zone.own_records().count()).sum();
    let zones = state.zones.keys().filter(|id| *id != GIVEN.0).count();
    vec![("hosted_zones", zones), ("records", records)]
}

/// The tags of the hosted zones, by ARN. What belongs to the whole account is told of in one
/// region.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    let zones = state.zones.iter().filter(move |_| region == "us-east-1");
    let zones = zones.filter(|(id, _)| *id != GIVEN.0);
    zones
        .map(|(id, zone)| (format!("arn:aws:route53:::hostedzone/{id}"), Cow::Borrowed(&zone.tags)))
}

/// Whether the world can read this record in a public zone.
pub(crate) fn has_cname(state: &State, name: &str, value: &str) -> bool {
    let mut zones = state.zones.values().filter(|zone| !zone.private);
    zones.any(|zone| zone.has_cname(name, value))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let input = &call.input;
    match call.operation.as_str() {
        "CreateHostedZone" => zones::create(world, input),
        "ListHostedZones" => zones::list(&world.route53, input),
        "ListHostedZonesByName" => zones::list_by_name(&world.route53, input),
        "GetHostedZone" => zones::get(&world.route53, input),
        "DeleteHostedZone" => zones::delete(world, input),
        "ChangeResourceRecordSets" => {
            let answer = records::change(world, input)?;
            // A certificate may have waited for it.
            acm::settle(world);
            Ok(answer)
        }
        "ListResourceRecordSets" => records::list(&world.route53, input),
        "GetChange" => {
            let id = text(input, "Id").unwrap_or_default();
            let id = id.rsplit('/').next().unwrap_or(id);
            let change = world.route53.changes.get(id).ok_or_else(|| {
                refuse(404, "NoSuchChange", format!("Could not find resource with ID: {id}"))
            })?;
            let takes = if world.base.strict { TIME } else { 0.0 };
            let is_done = world.base.now() >= change.submitted + takes;
            Ok(json!({ "ChangeInfo": change.view(id, is_done) }))
        }
        "ChangeTagsForResource" => {
            let tags = tags_of(&mut world.route53, input)?;
            add_tags(tags, tag_list(input, "AddTags", KEY_VALUE), TAGS)?;
            remove_tags(tags, &texts(input, "RemoveTagKeys"));
            Ok(json!({}))
        }
        "ListTagsForResource" => {
            let tags = tag_pairs(tags_of(&mut world.route53, input)?, KEY_VALUE);
            Ok(json!({ "ResourceTagSet": {
                "ResourceType": input["ResourceType"],
                "ResourceId": input["ResourceId"],
                "Tags": { "Tag": tags },
            }}))
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

impl Change {
    fn view(&self, id: &str, is_done: bool) -> Value {
        json!({
            "Id": format!("/change/{id}"),
            "Status": if is_done { "INSYNC" } else { "PENDING" },
            "SubmittedAt": iso(self.submitted),
            "Comment": self.comment,
        })
    }
}

/// Begins a change. AWS always answers that it has begun.
fn begin(base: &mut Base, state: &mut State, comment: Option<&str>) -> Value {
    let id = format!("C{:016X}", base.number());
    let change = Change { submitted: base.now(), comment: comment.map(str::to_owned) };
    let view = change.view(&id, false);
    state.changes.insert(id, change);
    view
}

/// The id of a hosted zone, which may stand behind its path.
fn zone_id(input: &Value) -> &str {
    let id = text(input, "Id").unwrap_or_default();
    id.rsplit('/').next().unwrap_or(id)
}

fn no_zone(id: &str) -> Refusal {
    refuse(404, "NoSuchHostedZone", format!("No hosted zone found with ID: {id}"))
}

fn tags_of<'s>(state: &'s mut State, input: &Value) -> Result<&'s mut Tags, Refusal> {
    let id = need(input, "ResourceId", INPUT)?;
    match text(input, "ResourceType") {
        Some("hostedzone") => {
            let zone = state.zones.get_mut(id.rsplit('/').next().unwrap_or(id));
            zone.map(|zone| &mut zone.tags).ok_or_else(|| no_zone(id))
        }
        other => {
            let other = other.unwrap_or_default();
            Err(Refusal::not_covered("route53", &format!("tags of type {other}")))
        }
    }
}

/// A name as Route 53 keeps it: in lower case, with a final dot, and all but plain characters as
/// octal numbers.
fn normal(name: &str) -> String {
    let mut kept = String::new();
    let mut rest = name.chars();
    while let Some(character) = rest.next() {
        match character {
            // Such a number already.
            '\\' => {
                kept.push('\\');
                kept.extend(rest.by_ref().take(3));
            }
            plain if plain.is_ascii_alphanumeric() || "-_.".contains(plain) => {
                kept.push(plain.to_ascii_lowercase());
            }
            other => kept.push_str(&format!("\\{:03o}", other as u32)),
        }
    }
    if !kept.ends_with('.') {
        kept.push('.');
    }
    kept
}

/// What names are ordered by: their parts from the last to the first.
fn reversed(name: &str) -> String {
    let parts: Vec<&str> = name.trim_end_matches('.').rsplit('.').collect();
    parts.join(".")
}
