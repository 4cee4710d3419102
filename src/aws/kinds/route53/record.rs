//! Alias records: names that lead to a load balancer or an API.
//!
//! AWS quirks: a record set does not have tags or an id. So payctl writes a second record beside it,
//! in the same batch: a marker of type TXT with the owner and the target, below `_payctl` of the zone.
//! All markers of a zone are next to each other in a list. payctl owns a record only if its marker
//! names this environment and it still has the target of the marker. A change of a batch that would
//! overwrite another value is refused as a whole. Route 53 returns targets in lower case.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_route53::types::{AliasTarget, ChangeAction, ResourceRecordSet, RrType};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::common::{self, Zone};
use crate::aws::clients::Aws;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::Scope;
use payctl_engine::model::text::{Output, Outputs, Text};

/// An alias record of type A.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// The name.
    pub name: String,
    /// The name of the public hosted zone.
    pub zone: String,
    /// The host name of the target. Empty if only the marker is there.
    pub target: Text,
    /// The id of the hosted zone of the target.
    pub target_zone: Text,
}

/// The label below which the markers of a zone are.
const LABEL: &str = "_payctl";
/// The entries of a marker with the target and its zone.
const TARGET: &str = "payctl:target";
const TARGET_ZONE: &str = "payctl:target-zone";
/// The status of a record that some name servers do not have yet.
const SPREADING: &str = "PENDING: its name servers do not all have it yet";
/// How long resolvers keep a marker, in seconds. None asks for it.
const TTL: i64 = 300;

impl Resource for Record {
    const META: Meta = Meta {
        drawn: Drawn::badge("record", "DNS record", &["target"]),
        notes: &[
            "A record cannot have tags. payctl writes a TXT record beside it, below `_payctl` of the \
             zone, which names the owner and the target. Everybody can read it.",
            "payctl owns a record only if this TXT record names the environment, and if the record \
             still has the target that it states. It never changes or deletes any other record.",
            "A record that somebody changed is no longer payctl's. Delete it or change it back.",
            "payctl looks into every public hosted zone of the account, with one call for each.",
            "After a change payctl waits until all name servers of Route 53 have it. A run that follows one \
             that was cut off does not wait.",
        ],
        immutable: &["name", "zone"],
        replace: Replace::CreateFirst,
        tagged: false,
        deadline: Duration::from_secs(300),
        propagation: Duration::from_secs(60),
        permits: &[
            Permit::look(&["route53:ListHostedZones"], &["*"]),
            Permit::look(&["route53:ListResourceRecordSets"], &["route53:::hostedzone/*"]),
            Permit::set(&["route53:GetChange"], &["route53:::change/*"]),
            Permit::set(&["route53:ChangeResourceRecordSets"], &["route53:::hostedzone/*"]),
            Permit::delete(&["route53:ChangeResourceRecordSets"], &["route53:::hostedzone/*"]),
        ],
        section: "load_balancers",
        predicted: &[(Output::Name, "{name}")],
        asked: &["target"],
        typical: Typical::seconds(35, 35, 35),
        serves: true,
        felt: &[("target", Traffic::NewConnections), ("target_zone", Traffic::NewConnections)],
        pricing: Pricing::Free("AWS charges nothing for questions that an alias record answers."),
        ..Meta::new(
            "route53.record",
            "route53",
            "An alias record: a name that leads to a load balancer or an API.",
        )
    };

    fn sample() -> Self {
        let balancer =
            |output| Text::reference(Address::new("elb.load_balancer", "sample"), output);
        Self {
            name: "sample.example.com".into(),
            zone: "example.com".into(),
            target: balancer(Output::Endpoint),
            target_zone: balancer(Output::ZoneId),
        }
    }

    fn variants() -> Vec<Self> {
        let domain =
            |output| Text::reference(Address::new("apigateway.domain_name", "sample"), output);
        vec![Self {
            target: domain(Output::Endpoint),
            target_zone: domain(Output::ZoneId),
            ..Self::sample()
        }]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let zones = common::zones_once(cx).await?;
        let found = zones.iter().map(|zone| survey_zone(cx, &zones, zone));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    /// What is no longer payctl's counts as gone.
    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let Some((zone, seen)) = Seen::again(cx).await? else { return Ok(None) };
        let mut live = seen.to_live(&zone);
        let change = cx.aws.record_changes.lock().await.get(cx.id()).cloned();
        if let Some(change) = change
            && !common::is_in_sync(cx.aws, &change).await?
        {
            live.phase = Phase::Pending(SPREADING.to_owned());
        }
        Ok(Some(live))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let zones = common::zones(cx.aws).await?;
        let zone = common::meant(&zones, &self.zone, cx.aws.zone_ids.get(&self.zone));
        let zone = zone.ok_or_else(|| common::no_zone(&self.name))?;
        let change = common::change(cx.aws, &zone.id, self.created(cx, zone)).await?;
        let id = id(zone, &self.name);
        cx.aws.record_changes.lock().await.insert(id.clone(), change);
        Ok(id)
    }

    async fn update(&self, cx: &Cx<'_>, _: &Live<Self>) -> Result<(), OpError> {
        let Some((zone, seen)) = Seen::again(cx).await? else {
            let message = "the record is no longer payctl's: somebody changed it or its marker";
            let class = ErrorClass::NotFound;
            return Err(OpError::new("ListResourceRecordSets", class, "NotOwned", message));
        };
        let changes = seen.deleted().chain(self.created(cx, &zone));
        let change = common::change(cx.aws, &zone.id, changes).await?;
        cx.aws.record_changes.lock().await.insert(cx.id().to_owned(), change);
        Ok(())
    }

    async fn delete(cx: &Cx<'_>, _: &Live<Self>) -> Result<(), OpError> {
        match Seen::again(cx).await? {
            Some((zone, seen)) => common::change(cx.aws, &zone.id, seen.deleted()).await.map(drop),
            None => Ok(()),
        }
    }
}

impl Record {
    /// The changes that write the record and its marker.
    fn created(&self, cx: &Cx<'_>, zone: &Zone) -> [(ChangeAction, ResourceRecordSet); 2] {
        let (target, target_zone) = (self.target.known(), self.target_zone.known());
        let alias = AliasTarget::builder()
            .hosted_zone_id(target_zone)
            .dns_name(target)
            .evaluate_target_health(false)
            .build()
            .expect("an alias with a zone and a name is complete");
        let record = ResourceRecordSet::builder()
            .name(&self.name)
            .r#type(RrType::A)
            .alias_target(alias)
            .build()
            .expect("a record set with a name and a type is complete");
        let mut facts = cx.aws.scope.ownership(cx.address);
        facts.insert(TARGET.to_owned(), target.to_owned());
        facts.insert(TARGET_ZONE.to_owned(), target_zone.to_owned());
        let values = facts.iter().map(|(key, value)| format!("\"{key}={value}\""));
        let marker = common::with_values(&marked(zone, &self.name), RrType::Txt, TTL, values);
        [(ChangeAction::Create, record), (ChangeAction::Create, marker)]
    }
}

/// A marker, and the record beside it.
#[derive(Clone, Debug)]
struct Seen {
    /// The name of the record.
    name: String,
    /// The marker.
    marker: ResourceRecordSet,
    /// What the marker states: the owner and the target.
    facts: Tags,
    /// The record, if there is one.
    record: Option<ResourceRecordSet>,
}

impl Seen {
    /// The record of an operation, if it is still payctl's.
    async fn again(cx: &Cx<'_>) -> Result<Option<(Zone, Self)>, OpError> {
        let (zone, name) = cx.id().split_once('/').unwrap_or_default();
        let zones = common::zones(cx.aws).await?;
        let Some(zone) = zones.into_iter().find(|found| found.id == zone) else { return Ok(None) };
        let sets = common::records_of(cx.aws, &zone, &marked(&zone, name)).await?;
        let Some(marker) = sets.into_iter().find(is_text) else { return Ok(None) };
        let seen = Self::beside(cx.aws, &zone, name, marker).await?;
        let owner = cx.aws.scope.owned(&seen.facts);
        Ok((owner.as_ref() == Some(cx.address) && seen.is_intact()).then_some((zone, seen)))
    }

    /// The record of a marker.
    async fn beside(
        aws: &Aws,
        zone: &Zone,
        name: &str,
        marker: ResourceRecordSet,
    ) -> Result<Self, OpError> {
        let record = standing(aws, zone, name).await?;
        Ok(Self { name: name.to_owned(), facts: facts(&marker), marker, record })
    }

    /// What the marker states.
    fn stated(&self, key: &str) -> &str {
        self.facts.get(key).map_or("", String::as_str)
    }

    /// Whether the record is as the marker states, or gone.
    fn is_intact(&self) -> bool {
        let Some(record) = &self.record else { return true };
        record.set_identifier.is_none()
            && record.r#type == RrType::A
            && record.alias_target.as_ref().is_some_and(|alias| {
                common::plain(&alias.dns_name) == common::plain(self.stated(TARGET))
                    && alias.hosted_zone_id == self.stated(TARGET_ZONE)
                    && !alias.evaluate_target_health
            })
    }

    /// The changes that delete the record and its marker, exactly as they were seen.
    fn deleted(self) -> impl Iterator<Item = (ChangeAction, ResourceRecordSet)> {
        self.record.into_iter().chain([self.marker]).map(|set| (ChangeAction::Delete, set))
    }

    /// The record as it is. A target has the spelling of the marker.
    fn to_live(&self, zone: &Zone) -> Live<Record> {
        let of = |key| match &self.record {
            Some(_) => self.stated(key).into(),
            None => Text::default(),
        };
        live(zone, &self.name, of(TARGET), of(TARGET_ZONE))
    }
}

fn live(zone: &Zone, name: &str, target: Text, target_zone: Text) -> Live<Record> {
    Live {
        id: id(zone, name),
        spec: Record { name: name.to_owned(), zone: zone.name.clone(), target, target_zone },
        outputs: Outputs::from([(Output::Name, name.to_owned())]),
        tags: Tags::new(),
        phase: Phase::Ready,
    }
}

/// The id of a record: that of the zone, and the name.
fn id(zone: &Zone, name: &str) -> String {
    format!("{}/{name}", zone.id)
}

/// The name of the marker of a record.
fn marked(zone: &Zone, name: &str) -> String {
    let below = name.strip_suffix(&zone.name).unwrap_or(name);
    format!("{below}{LABEL}.{}", zone.name)
}

/// The name of the record of a marker.
fn named(zone: &Zone, marker: &str) -> Option<String> {
    let below = marker.strip_suffix(&format!("{LABEL}.{}", zone.name))?;
    (below.is_empty() || below.ends_with('.')).then(|| format!("{below}{}", zone.name))
}

/// Whether the label of a name right below its zone begins as that of the markers.
fn begins(zone: &Zone, name: &str) -> bool {
    let below = name.strip_suffix(&format!(".{}", zone.name));
    below.and_then(|below| below.rsplit('.').next()).is_some_and(|label| label.starts_with(LABEL))
}

fn is_text(set: &ResourceRecordSet) -> bool {
    set.r#type == RrType::Txt
}

/// What a marker states. Each value is one entry, in quotation marks.
fn facts(marker: &ResourceRecordSet) -> Tags {
    let entry = |value: &str| {
        let (key, value) = value.strip_prefix('"')?.strip_suffix('"')?.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    };
    common::values(marker).filter_map(entry).collect()
}

/// The record under a name, if it is one that an alias of type A would replace or conflict with.
async fn standing(
    aws: &Aws,
    zone: &Zone,
    name: &str,
) -> Result<Option<ResourceRecordSet>, OpError> {
    let sets = common::records_of(aws, zone, name).await?;
    Ok(sets.into_iter().find(|set| [RrType::A, RrType::Cname].contains(&set.r#type)))
}

/// The records of a zone that have a marker, and the records with wanted names that have none.
async fn survey_zone(
    cx: &Survey<'_>,
    zones: &[Zone],
    zone: &Zone,
) -> Result<Vec<Found<Record>>, OpError> {
    let top = format!("{LABEL}.{}", zone.name);
    // Names that begin alike may stand between the markers.
    let sets = common::records_from(cx.aws, zone, &top, |name| begins(zone, name));
    let markers = sets.await?.into_iter().filter(is_text);
    let markers: BTreeMap<String, ResourceRecordSet> = markers
        .filter_map(|marker| Some((named(zone, &common::plain(&marker.name))?, marker)))
        .collect();
    let is_here = |name: &&String| common::zone_for(cx.aws, zones, name) == Some(zone);
    let bare = cx.wanted.keys().filter(is_here).filter(|name| !markers.contains_key(*name));
    let bare = try_join_all(bare.map(|name| bare_record(cx, zone, name)));
    let marked = markers.iter().map(|(name, marker)| marked_record(cx, zone, name, marker));
    let (bare, marked) = futures::future::try_join(bare, try_join_all(marked)).await?;
    Ok(bare.into_iter().chain(marked).flatten().collect())
}

/// A record with a wanted name that payctl did not write.
async fn bare_record(
    cx: &Survey<'_>,
    zone: &Zone,
    name: &str,
) -> Result<Option<Found<Record>>, OpError> {
    let owner = Owner::Foreign("somebody else (payctl did not write it)".to_owned());
    Ok(standing(cx.aws, zone, name).await?.and_then(|_| {
        let address = cx.wanted.get(name)?.clone();
        Some(Found { address, owner, live: live(zone, name, Text::default(), Text::default()) })
    }))
}

/// The record of a marker, if it is of this environment or has a wanted name. Whoever can write a
/// marker can also write the record, so the name of the record need not tell the owner.
async fn marked_record(
    cx: &Survey<'_>,
    zone: &Zone,
    name: &str,
    marker: &ResourceRecordSet,
) -> Result<Option<Found<Record>>, OpError> {
    let facts = facts(marker);
    let (own, wanted) = (cx.aws.scope.owned(&facts), cx.wanted.get(name).cloned());
    let Some(address) = own.clone().or_else(|| wanted.clone()) else { return Ok(None) };
    let seen = Seen::beside(cx.aws, zone, name, marker.clone()).await?;
    let changed = "somebody changed it after payctl wrote it";
    let (address, owner) = match (own, wanted) {
        (Some(_), _) if seen.is_intact() => (address, Owner::Ours),
        (Some(_), Some(wanted)) => (wanted, Owner::Foreign(format!("somebody else ({changed})"))),
        (Some(_), None) => (address, Owner::Disputed(changed.to_owned())),
        (None, _) => (address, Owner::Foreign(Scope::describe_owner(&facts))),
    };
    Ok(Some(Found { address, owner, live: seen.to_live(zone) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Zone {
        Zone { id: "Z1".into(), name: "example.com".into() }
    }

    fn seen(target: &str, health: bool) -> Seen {
        let alias = AliasTarget::builder()
            .hosted_zone_id("ZLB")
            .dns_name(target)
            .evaluate_target_health(health)
            .build()
            .unwrap();
        let record = ResourceRecordSet::builder().name("a.example.com.").r#type(RrType::A);
        let values = ["\"payctl:target=Internal-A.elb\"", "\"payctl:target-zone=ZLB\"", "\"x\""];
        let values = values.map(str::to_owned);
        let marker = common::with_values("a._payctl.example.com.", RrType::Txt, TTL, values);
        Seen {
            name: "a.example.com".into(),
            facts: facts(&marker),
            marker,
            record: Some(record.alias_target(alias).build().unwrap()),
        }
    }

    #[test]
    fn a_marker_is_below_its_zone_and_names_its_record() {
        for (name, marker) in [
            ("api.dev.example.com", "api.dev._payctl.example.com"),
            ("example.com", "_payctl.example.com"),
        ] {
            assert_eq!(marked(&zone(), name), marker);
            assert_eq!(named(&zone(), marker).as_deref(), Some(name));
        }
        assert!(
            begins(&zone(), "api._payctl.example.com") && begins(&zone(), "_payctl-x.example.com")
        );
        assert!(!begins(&zone(), "api.example.com") && !begins(&zone(), "example.com"));
        assert_eq!(named(&zone(), "x_payctl.example.com"), None);
        assert_eq!(named(&zone(), "a.example.com"), None);
    }

    #[test]
    fn a_record_with_another_target_is_not_intact() {
        let same = seen("internal-a.elb.", false);
        assert!(same.is_intact());
        assert_eq!(same.to_live(&zone()).spec.target.known(), "Internal-A.elb");
        assert!(!seen("internal-b.elb.", false).is_intact());
        assert!(!seen("internal-a.elb.", true).is_intact());
        let gone = Seen { record: None, ..seen("internal-a.elb.", false) };
        assert!(gone.is_intact());
        assert_eq!(gone.to_live(&zone()).spec.target.known(), "");
    }
}
