//! Hosted zones.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::ec2::lent;
use super::super::toolbox::{Tags, digest, flag, need, number, put, refuse, text};
use super::super::{Answer, Refusal, World};
use super::records::{Record, sorted};
use super::{INPUT, State, begin, no_zone, normal, reversed, zone_id};

/// A hosted zone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Zone {
    pub name: String,
    reference: String,
    comment: Option<String>,
    pub private: bool,
    /// Region and id of each network that a private zone answers in.
    vpcs: Vec<(String, String)>,
    pub records: Vec<Record>,
    pub tags: Tags,
}

impl Zone {
    /// A public zone with the records that every zone has.
    pub(super) fn new(id: &str, name: &str, reference: &str) -> Self {
        let (name, reference) = (name.to_owned(), reference.to_owned());
        Self { name, reference, ..Self::default() }.with_servers(id)
    }

    /// The zone with the records of its name servers, which differ for a private zone.
    fn with_servers(self, id: &str) -> Self {
        let servers = self.servers(id);
        let soa = format!(
            "{}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400",
            servers.first().map_or("", String::as_str)
        );
        let named: Vec<String> = servers.iter().map(|server| format!("{server}.")).collect();
        let mut records = vec![
            Record::plain(&self.name, "NS", 172_800, &named),
            Record::plain(&self.name, "SOA", 900, &[soa]),
        ];
        sorted(&mut records);
        Self { records, ..self }
    }

    /// The records that AWS did not make.
    pub(super) fn own_records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| !record.is_of_zone(&self.name))
    }

    pub(super) fn has_cname(&self, name: &str, value: &str) -> bool {
        let (name, value) = (normal(name), normal(value));
        let mut own = self.records.iter().filter(|record| record.is("CNAME", &name));
        own.any(|record| record.values().any(|other| normal(other) == value))
    }

    fn servers(&self, id: &str) -> Vec<String> {
        let number = |at: usize| u16::from_str_radix(&digest(id)[at..at + 3], 16).unwrap_or(0);
        let ends = ["com", "net", "org", "co.uk"].into_iter().enumerate();
        let server = |(at, end): (usize, &str)| {
            if self.private {
                format!("ns-{}.awsdns-00.{end}", at * 512)
            } else {
                let (host, domain) = (number(at * 6) % 512, number(at * 6 + 3) % 64);
                format!("ns-{}.awsdns-{domain:02}.{end}", host as usize + at * 512)
            }
        };
        ends.map(server).collect()
    }

    fn view(&self, id: &str) -> Value {
        json!({
            "Id": format!("/hostedzone/{id}"),
            "Name": self.name,
            "CallerReference": self.reference,
            "Config": { "Comment": self.comment, "PrivateZone": self.private },
            "ResourceRecordSetCount": self.records.len(),
        })
    }

    /// The name servers of a public zone.
    fn delegation(&self, id: &str) -> Value {
        json!({ "NameServers": { "NameServer": self.servers(id) } })
    }
}

pub(super) fn create(world: &mut World, input: &Value) -> Answer {
    let (name, reference) = (need(input, "Name", INPUT)?, need(input, "CallerReference", INPUT)?);
    let name = normal(name);
    let is_label = |label: &str| (1..=63).contains(&label.len());
    if name.len() > 255 || !name.trim_end_matches('.').split('.').all(is_label) {
        let message = format!("{name} is not a valid domain name");
        return Err(Refusal::new("InvalidDomainName", message));
    }
    if world.route53.zones.values().any(|zone| zone.reference == reference) {
        let message = "A hosted zone has already been created with the specified caller reference.";
        return Err(refuse(409, "HostedZoneAlreadyExists", message));
    }
    let config = input.get("HostedZoneConfig").unwrap_or(&Value::Null);
    let vpc = input.get("VPC").filter(|vpc| vpc.is_object());
    let vpcs = match vpc {
        Some(vpc) => {
            let (region, id) = (need(vpc, "VPCRegion", INPUT)?, need(vpc, "VPCId", INPUT)?);
            if !lent::has_vpc(world, region, id) {
                let message = format!("The VPC {id} in region {region} does not exist.");
                return Err(Refusal::new("InvalidVPCId", message));
            }
            vec![(region.to_owned(), id.to_owned())]
        }
        None if flag(config, "PrivateZone") == Some(true) => {
            let message = "When you're creating a private hosted zone (when you specify true for \
                           PrivateZone), you must also specify values for VPCId and VPCRegion.";
            return Err(Refusal::new(INPUT, message));
        }
        None => Vec::new(),
    };
    let id = format!("Z{:016X}", world.base.number());
    let zone = Zone {
        comment: text(config, "Comment").filter(|text| !text.is_empty()).map(str::to_owned),
        private: !vpcs.is_empty(),
        vpcs,
        ..Zone::new(&id, &name, reference)
    };
    let zone = zone.with_servers(&id);
    let mut answer = json!({
        "HostedZone": zone.view(&id),
        "ChangeInfo": begin(&mut world.base, &mut world.route53, None),
        "DelegationSet": (!zone.private).then(|| zone.delegation(&id)),
    });
    put(&mut answer, "VPC", vpc.cloned());
    world.route53.zones.insert(id, zone);
    Ok(answer)
}

/// How many things a page of a list has.
pub(super) fn most(input: &Value, usual: usize) -> usize {
    let asked = number(input, "maxitems").and_then(|most| usize::try_from(most).ok());
    asked.unwrap_or(usual).clamp(1, usual)
}

pub(super) fn list(state: &State, input: &Value) -> Answer {
    let marker = text(input, "marker").unwrap_or_default();
    let most = most(input, 100);
    let mut rest = state.zones.iter().filter(|(id, _)| id.as_str() >= marker);
    let shown: Vec<Value> = rest.by_ref().take(most).map(|(id, zone)| zone.view(id)).collect();
    let next = rest.next().map(|(id, _)| id.clone());
    let mut answer = json!({
        "HostedZones": { "HostedZone": shown },
        "Marker": (!marker.is_empty()).then_some(marker),
        "IsTruncated": next.is_some(),
        "MaxItems": most.to_string(),
    });
    put(&mut answer, "NextMarker", next);
    Ok(answer)
}

pub(super) fn list_by_name(state: &State, input: &Value) -> Answer {
    let start = text(input, "dnsname").map(normal);
    let start_id = text(input, "hostedzoneid").unwrap_or_default();
    let from = (start.as_deref().map(reversed).unwrap_or_default(), start_id.to_owned());
    let mut all: Vec<_> = state
        .zones
        .iter()
        .map(|(id, zone)| ((reversed(&zone.name), id.clone()), zone))
        .filter(|(place, _)| *place >= from)
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    let most = most(input, 100);
    let next = all.get(most).map(|((_, id), zone)| (id.clone(), zone.name.clone()));
    let shown = all.iter().take(most).map(|((_, id), zone)| zone.view(id));
    let mut answer = json!({
        "HostedZones": { "HostedZone": shown.collect::<Vec<_>>() },
        "DNSName": start,
        "HostedZoneId": (!start_id.is_empty()).then_some(start_id),
        "IsTruncated": next.is_some(),
        "MaxItems": most.to_string(),
    });
    if let Some((id, name)) = next {
        answer["NextDNSName"] = json!(name);
        answer["NextHostedZoneId"] = json!(id);
    }
    Ok(answer)
}

pub(super) fn get(state: &State, input: &Value) -> Answer {
    let id = zone_id(input);
    let zone = state.zones.get(id).ok_or_else(|| no_zone(id))?;
    let mut answer = json!({ "HostedZone": zone.view(id) });
    if zone.private {
        let vpc = |(region, id): &(String, String)| json!({ "VPCRegion": region, "VPCId": id });
        let vpcs: Vec<Value> = zone.vpcs.iter().map(vpc).collect();
        answer["VPCs"] = json!({ "VPC": vpcs });
    } else {
        answer["DelegationSet"] = zone.delegation(id);
    }
    Ok(answer)
}

pub(super) fn delete(world: &mut World, input: &Value) -> Answer {
    let id = zone_id(input);
    let zone = world.route53.zones.get(id).ok_or_else(|| no_zone(id))?;
    if zone.own_records().next().is_some() {
        let message = "The specified hosted zone contains non-required resource record sets  and \
                       so cannot be deleted.";
        return Err(Refusal::new("HostedZoneNotEmpty", message));
    }
    world.route53.zones.remove(id);
    Ok(json!({ "ChangeInfo": begin(&mut world.base, &mut world.route53, None) }))
}
