//! Hosted zones and their record sets, for kinds that write records.
//!
//! Route 53 returns names in lower case, with a dot at the end, and with `\052` for `*`. payctl only
//! looks at public zones: ACM and clients on the internet do not see private ones.

use std::sync::Arc;

use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType,
};

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::Survey;
use crate::words::domains::is_within;
use payctl_engine::model::error::{ErrorClass, OpError};

/// A public hosted zone of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    /// Its id, without a path.
    pub id: String,
    /// Its name, without a dot at the end.
    pub name: String,
}

impl Zone {
    /// Whether a name belongs into this zone.
    pub(crate) fn contains(&self, name: &str) -> bool {
        is_within(name, &self.name)
    }
}

/// A name as a config writes it.
pub(crate) fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_lowercase().replace("\\052", "*")
}

/// All public zones of the account.
pub(crate) async fn zones(aws: &Aws) -> Result<Vec<Zone>, OpError> {
    let pages = aws.route53.list_hosted_zones().into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(op("ListHostedZones"))?;
    let public = all.into_iter().filter(|zone| !zone.config().is_some_and(|it| it.private_zone));
    let zone = |id: &str, name: &str| Zone {
        id: id.rsplit('/').next().unwrap_or(id).to_owned(),
        name: plain(name),
    };
    Ok(public.map(|found| zone(&found.id, &found.name)).collect())
}

/// The same in a survey, where several kinds ask.
pub(crate) async fn zones_once(cx: &Survey<'_>) -> Result<Arc<Vec<Zone>>, OpError> {
    cx.once("route53:ListHostedZones", zones(cx.aws)).await
}

/// The zone that clients ask for a name: the most specific one.
pub(crate) fn zone_of<'a>(zones: &'a [Zone], name: &str) -> Option<&'a Zone> {
    zones.iter().filter(|zone| zone.contains(name)).max_by_key(|zone| zone.name.len())
}

/// The zone that a config means: by its id, or else by its name.
pub(crate) fn meant<'a>(zones: &'a [Zone], name: &str, id: Option<&String>) -> Option<&'a Zone> {
    zones.iter().find(|zone| zone.name == name && id.is_none_or(|id| zone.id == *id))
}

/// The zone that clients ask for a name, and that the config means if several have one name.
pub(crate) fn zone_for<'a>(aws: &Aws, zones: &'a [Zone], name: &str) -> Option<&'a Zone> {
    let zone = zone_of(zones, name)?;
    meant(zones, &zone.name, aws.zone_ids.get(&zone.name))
}

/// The record sets from a name on, in the order of reversed names, for as long as the names fit.
pub(crate) async fn records_from(
    aws: &Aws,
    zone: &Zone,
    name: &str,
    fits: impl Fn(&str) -> bool,
) -> Result<Vec<ResourceRecordSet>, OpError> {
    let mut all = Vec::new();
    let mut from = (name.to_owned(), None, None);
    loop {
        let (name, kind, set) = from;
        let call = aws.route53.list_resource_record_sets().hosted_zone_id(&zone.id);
        let call = call.start_record_name(name).set_start_record_type(kind);
        let send = call.set_start_record_identifier(set).send();
        let page = send.await.map_err(op("ListResourceRecordSets")).or_gone()?;
        // The zone is gone, and its records with it.
        let Some(page) = page else { return Ok(all) };
        for found in page.resource_record_sets {
            if !fits(&plain(&found.name)) {
                return Ok(all);
            }
            all.push(found);
        }
        match page.next_record_name.filter(|_| page.is_truncated) {
            Some(name) => from = (name, page.next_record_type, page.next_record_identifier),
            None => return Ok(all),
        }
    }
}

/// The record sets of one name.
pub(crate) async fn records_of(
    aws: &Aws,
    zone: &Zone,
    name: &str,
) -> Result<Vec<ResourceRecordSet>, OpError> {
    records_from(aws, zone, name, |found| found == name).await
}

/// The values of a record set.
pub(crate) fn values(set: &ResourceRecordSet) -> impl Iterator<Item = &str> {
    set.resource_records().iter().map(|record| record.value.as_str())
}

/// A record set with values.
pub(crate) fn with_values(
    name: &str,
    kind: RrType,
    ttl: i64,
    values: impl IntoIterator<Item = String>,
) -> ResourceRecordSet {
    let record = |value| ResourceRecord::builder().value(value).build().expect("it has a value");
    ResourceRecordSet::builder()
        .name(name)
        .r#type(kind)
        .ttl(ttl)
        .set_resource_records(Some(values.into_iter().map(record).collect()))
        .build()
        .expect("a record set with a name and a type is complete")
}

/// Makes all changes of a zone at once, or none, and returns the id of the change. Creating what exists and
/// deleting what differs are refused, so no change overwrites what payctl has not seen.
pub(crate) async fn change(
    aws: &Aws,
    zone: &str,
    changes: impl IntoIterator<Item = (ChangeAction, ResourceRecordSet)>,
) -> Result<String, OpError> {
    let change = |(action, set)| {
        let change = Change::builder().action(action).resource_record_set(set).build();
        change.expect("a change with an action and a record set is complete")
    };
    let changes = changes.into_iter().map(change).collect();
    let batch = ChangeBatch::builder().set_changes(Some(changes)).build();
    let batch = batch.expect("a batch with changes is complete");
    let call = aws.route53.change_resource_record_sets().hosted_zone_id(zone);
    let made = call.change_batch(batch).send().await.map_err(op("ChangeResourceRecordSets"))?;
    Ok(made.change_info.map(|change| change.id).unwrap_or_default())
}

/// Whether all name servers of Route 53 have a change. One that Route 53 no longer knows is old.
pub(super) async fn is_in_sync(aws: &Aws, change: &str) -> Result<bool, OpError> {
    let send = aws.route53.get_change().id(change).send();
    let answer = send.await.map_err(op("GetChange")).or_gone()?;
    let info = answer.and_then(|answer| answer.change_info);
    Ok(info.is_none_or(|info| info.status != ChangeStatus::Pending))
}

/// The error of a name without a zone in the account.
pub(crate) fn no_zone(name: &str) -> OpError {
    let message = format!("the account has no public hosted zone for {name}");
    OpError::new("ListHostedZones", ErrorClass::Invalid, "NoHostedZone", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_zone_has_a_name() {
        let zone = |name: &str| Zone { id: name.into(), name: name.into() };
        let zones = ["example.com", "dev.example.com", "ample.com"].map(zone);
        let of = |name| zone_of(&zones, name).map(|zone| zone.name.as_str());
        assert_eq!(of("api.dev.example.com"), Some("dev.example.com"));
        assert_eq!(of("dev.example.com"), Some("dev.example.com"));
        assert_eq!(of("x-dev.example.com"), Some("example.com"));
        assert_eq!(of("example.org"), None);
    }

    #[test]
    fn names_come_back_as_a_config_writes_them() {
        assert_eq!(plain("\\052.Example.COM."), "*.example.com");
    }
}
