//! Records of hosted zones, which change in batches.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::toolbox::{flag, list as items, need, number, put, text};
use super::super::{Answer, Refusal, World};
use super::zones::{Zone, most};
use super::{INPUT, State, begin, no_zone, normal, reversed, zone_id};

/// A record set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    name: String,
    kind: String,
    /// What tells it from others of its name and type.
    set: Option<String>,
    /// Seconds and values, unless it is an alias.
    ttl: Option<i64>,
    values: Vec<String>,
    /// Zone, name and whether health counts.
    alias: Option<(String, String, bool)>,
    /// How it is chosen among others: weight, region, failover and the like.
    choice: Map<String, Value>,
}

const TYPES: [&str; 17] = [
    "SOA", "A", "TXT", "NS", "CNAME", "MX", "NAPTR", "PTR", "SRV", "SPF", "AAAA", "CAA", "DS",
    "TLSA", "SSHFP", "SVCB", "HTTPS",
];

/// The most changes in a batch, and the most records on a page.
const MOST_CHANGES: usize = 1000;
const PAGE: usize = 300;

impl Record {
    pub(super) fn plain(name: &str, kind: &str, ttl: i64, values: &[String]) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            ttl: Some(ttl),
            values: values.to_vec(),
            ..Self::default()
        }
    }

    pub(super) fn is(&self, kind: &str, name: &str) -> bool {
        self.kind == kind && self.name == name
    }

    /// Whether every zone has such a record.
    pub(super) fn is_of_zone(&self, zone: &str) -> bool {
        self.name == zone && ["NS", "SOA"].contains(&self.kind.as_str())
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &String> {
        self.values.iter()
    }

    fn place(&self) -> (String, &str, &str) {
        (reversed(&self.name), &self.kind, self.set.as_deref().unwrap_or_default())
    }

    fn is_at(&self, other: &Self) -> bool {
        self.place() == other.place()
    }

    /// Whether both hold the same values, in whatever order.
    fn equals(&self, other: &Self) -> bool {
        let (mut one, mut two) = (self.clone(), other.clone());
        one.values.sort();
        two.values.sort();
        one == two
    }

    /// How messages name it.
    fn shown(&self) -> String {
        let set = self.set.as_ref().map(|set| format!(", set-identifier='{set}'"));
        format!("[name='{}', type='{}'{}]", self.name, self.kind, set.unwrap_or_default())
    }

    fn read(action: &str, given: &Value) -> Result<Self, Refusal> {
        let (name, kind) = (need(given, "Name", INPUT)?, need(given, "Type", INPUT)?);
        if !TYPES.contains(&kind) {
            let types = TYPES.join(", ");
            return Err(Refusal::new(
                INPUT,
                format!(
                    "1 validation error detected: Value '{kind}' at \
                     'changeBatch.changes.1.member.resourceRecordSet.type' failed to satisfy \
                     constraint: Member must satisfy enum value set: [{types}]"
                ),
            ));
        }
        let set = text(given, "SetIdentifier").map(str::to_owned);
        let alias = given.get("AliasTarget").filter(|alias| alias.is_object());
        let ttl = number(given, "TTL");
        let values: Vec<String> = items(given, "ResourceRecords")
            .iter()
            .filter_map(|value| text(value, "Value"))
            .map(str::to_owned)
            .collect();
        let found = match (alias, ttl, values.is_empty()) {
            (Some(_), None, true) | (None, Some(_), false) => None,
            (None, _, true) | (None, None, _) => Some("none"),
            (Some(_), ..) => Some("more than one"),
        };
        if let Some(found) = found {
            let set = set.as_deref().unwrap_or("null");
            return Err(Refusal::new(
                INPUT,
                format!(
                    "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and \
                     ResourceRecords], or TrafficPolicyInstanceId], but found {found} in Change \
                     with [Action={action}, Name={name}, Type={kind}, SetIdentifier={set}]"
                ),
            ));
        }
        let alias = alias.map(|alias| {
            let zone = need(alias, "HostedZoneId", INPUT)?;
            let healthy = flag(alias, "EvaluateTargetHealth").unwrap_or_default();
            Ok::<_, Refusal>((zone.to_owned(), normal(need(alias, "DNSName", INPUT)?), healthy))
        });
        let choices = ["Weight", "Region", "GeoLocation", "Failover", "MultiValueAnswer"];
        let choices = choices.iter().chain(&["HealthCheckId"]);
        let choice =
            choices.filter_map(|key| Some(((*key).to_owned(), given.get(*key)?.clone()))).collect();
        Ok(Self {
            name: normal(name),
            kind: kind.to_owned(),
            set,
            ttl,
            values,
            alias: alias.transpose()?,
            choice,
        })
    }

    fn view(&self) -> Value {
        let mut view = json!({ "Name": self.name, "Type": self.kind });
        put(&mut view, "SetIdentifier", self.set.clone());
        for (key, value) in &self.choice {
            view[key] = value.clone();
        }
        if let Some((zone, name, healthy)) = &self.alias {
            view["AliasTarget"] = json!({
                "HostedZoneId": zone, "DNSName": name, "EvaluateTargetHealth": healthy,
            });
        }
        if let Some(ttl) = self.ttl {
            view["TTL"] = json!(ttl);
            let values = self.values.iter().map(|value| json!({ "Value": value }));
            view["ResourceRecords"] = json!({ "ResourceRecord": values.collect::<Vec<_>>() });
        }
        view
    }

    /// What is wrong with the values.
    fn flaw(&self) -> Option<String> {
        let wrong = |value: &String| {
            let problem = match self.kind.as_str() {
                "A" if value.parse::<Ipv4Addr>().is_err() => {
                    "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
                }
                "AAAA" if value.parse::<Ipv6Addr>().is_err() => {
                    "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"
                }
                "TXT" | "SPF" if !(value.starts_with('"') && value.ends_with('"')) => {
                    "InvalidCharacterString (Value should be enclosed in quotation marks)"
                }
                _ => return None,
            };
            let problem = format!("FATAL problem: {problem} encountered with '{value}'");
            Some(format!("Invalid Resource Record: '{problem}'"))
        };
        if self.kind == "CNAME" && self.values.len() > 1 {
            let name = &self.name;
            return Some(format!(
                "RRSet of type CNAME with DNS name {name} has more than one value"
            ));
        }
        self.values.iter().find_map(wrong)
    }
}

/// Puts records into AWS's order.
pub(super) fn sorted(records: &mut [Record]) {
    records.sort_by(|one, other| one.place().cmp(&other.place()));
}

/// Makes one change in the records of a zone, or says why not.
fn apply(zone: &mut Zone, action: &str, record: Record) -> Result<(), String> {
    let Zone { name: apex, records, .. } = zone;
    let (name, kind) = (record.name.clone(), record.kind.clone());
    let place = records.iter().position(|other| other.is_at(&record));
    if action == "DELETE" {
        let Some(place) = place else {
            let shown = record.shown();
            return Err(format!(
                "Tried to delete resource record set {shown} but it was not found"
            ));
        };
        if !records[place].equals(&record) {
            return Err(format!(
                "Tried to delete resource record set {} but the values provided do not match the \
                 current values",
                record.shown()
            ));
        }
        if record.is_of_zone(apex) {
            return Err(match kind.as_str() {
                "SOA" => "A HostedZone must contain exactly one SOA record.".to_owned(),
                _ => "A HostedZone must contain at least one NS record for the zone itself."
                    .to_owned(),
            });
        }
        records.remove(place);
        return Ok(());
    }
    if name != *apex && !name.ends_with(&format!(".{apex}")) {
        return Err(format!("RRSet with DNS name {name} is not permitted in zone {apex}"));
    }
    if let Some(flaw) = record.flaw() {
        return Err(flaw);
    }
    if kind == "CNAME" && name == *apex {
        return Err(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {apex}"
        ));
    }
    let others = || records.iter().filter(|other| other.name == name && other.kind != kind);
    if kind == "CNAME" && others().next().is_some() {
        return Err(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other \
             records with the same DNS name in zone {apex}"
        ));
    }
    if others().any(|other| other.kind == "CNAME") {
        return Err(format!(
            "RRSet of type {kind} with DNS name {name} is not permitted because a conflicting \
             RRSet of type CNAME with the same DNS name already exists in zone {apex}"
        ));
    }
    match place {
        Some(_) if action == "CREATE" => {
            let shown = record.shown();
            Err(format!("Tried to create resource record set {shown} but it already exists"))
        }
        Some(place) => {
            records[place] = record;
            Ok(())
        }
        None => {
            records.push(record);
            Ok(())
        }
    }
}

pub(super) fn change(world: &mut World, input: &Value) -> Answer {
    let id = zone_id(input);
    let mut zone = world.route53.zones.get(id).cloned().ok_or_else(|| no_zone(id))?;
    let batch = input.get("ChangeBatch").unwrap_or(&Value::Null);
    let changes = items(batch, "Changes");
    if changes.is_empty() || changes.len() > MOST_CHANGES {
        let message = format!("[Number of records limit of {MOST_CHANGES} exceeded.]");
        return Err(Refusal::new("InvalidChangeBatch", message));
    }
    let mut flaws = Vec::new();
    for one in changes {
        let action = need(one, "Action", INPUT)?;
        if !["CREATE", "DELETE", "UPSERT"].contains(&action) {
            return Err(Refusal::new(
                INPUT,
                format!(
                    "Invalid XML ; cvc-enumeration-valid: Value '{action}' is not facet-valid with \
                     respect to enumeration '[CREATE, DELETE, UPSERT]'. It must be a value from \
                     the enumeration."
                ),
            ));
        }
        let record = Record::read(action, one.get("ResourceRecordSet").unwrap_or(&Value::Null))?;
        flaws.extend(apply(&mut zone, action, record).err());
    }
    if !flaws.is_empty() {
        return Err(Refusal::new("InvalidChangeBatch", format!("[{}]", flaws.join(", "))));
    }
    sorted(&mut zone.records);
    world.route53.zones.insert(id.to_owned(), zone);
    let comment = text(batch, "Comment");
    Ok(json!({ "ChangeInfo": begin(&mut world.base, &mut world.route53, comment) }))
}

pub(super) fn list(state: &State, input: &Value) -> Answer {
    let id = zone_id(input);
    let zone = state.zones.get(id).ok_or_else(|| no_zone(id))?;
    let (name, kind) = (text(input, "name"), text(input, "type"));
    if kind.is_some() && name.is_none() {
        let message = "The record type must be specified with the record name";
        return Err(Refusal::new(INPUT, message));
    }
    let from = name.map(|name| {
        let set = text(input, "identifier").unwrap_or_default();
        (reversed(&normal(name)), kind.unwrap_or_default(), set)
    });
    let most = most(input, PAGE);
    let here: Vec<&Record> = zone
        .records
        .iter()
        .filter(|record| from.as_ref().is_none_or(|from| record.place() >= *from))
        .collect();
    let shown: Vec<Value> = here.iter().take(most).map(|record| record.view()).collect();
    let next = here.get(most);
    let mut answer = json!({
        "ResourceRecordSets": { "ResourceRecordSet": shown },
        "IsTruncated": next.is_some(),
        "MaxItems": most.to_string(),
    });
    if let Some(next) = next {
        answer["NextRecordName"] = json!(next.name);
        answer["NextRecordType"] = json!(next.kind);
        put(&mut answer, "NextRecordIdentifier", next.set.clone());
    }
    Ok(answer)
}
