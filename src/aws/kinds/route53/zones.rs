//! The hosted zones that a plan writes into. AWS would refuse a missing one in the middle of an apply,
//! and clients would not ask one that a more specific zone hides.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize as _;

use super::common::{self, Zone};
use super::record::Record;
use crate::aws::clients::retry_read;
use crate::aws::kinds::acm::certificate::Certificate;
use crate::aws::preflight::{Check, Fate, Finding, Planned, Preflight, Subject};
use crate::aws::resource::Resource as _;
use payctl_engine::model::error::OpError;

/// Checks whether the account has the zones of new names.
pub(super) const CHECK: Check = Check {
    subject: Subject::Zones,
    doing: "list the public hosted zones of the account",
    run: |cx| Box::pin(check(cx)),
};

async fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let writes = |planned: &&Planned<'_>| planned.fate != Fate::Deleted;
    let records = cx.of(Record::META.kind).filter(writes);
    let certificates = cx.of(Certificate::META.kind).filter(writes);
    let written = records.chain(certificates).filter_map(|it| names(it, &cx.aws.zone_ids));
    let names: BTreeSet<Written> = written.flatten().collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let zones = retry_read(|| common::zones(cx.aws)).await?;
    let problems: BTreeSet<String> =
        names.iter().filter_map(|written| problem(&zones, written)).collect();
    let finding = |because| Finding::Problem {
        title: "a hosted zone does not fit".to_owned(),
        because,
        hint:
            "set `zone` to the public hosted zone of this account that has the name; `aws route53 \
               list-hosted-zones` lists them. `zone_ids` chooses between zones of one name"
                .to_owned(),
    };
    Ok(problems.into_iter().map(finding).collect())
}

/// A name that a resource writes into a zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Written {
    zone: String,
    id: Option<String>,
    name: String,
    /// Where the config asks for it.
    origin: String,
}

/// Each name that a resource writes.
fn names(planned: &Planned<'_>, ids: &BTreeMap<String, String>) -> Option<Vec<Written>> {
    let spec = &planned.want?.spec;
    let origin = planned.origin.to_owned();
    if planned.address.kind == Record::META.kind {
        let Record { zone, name, .. } = Record::deserialize(spec).ok()?;
        let id = ids.get(&zone).cloned();
        return Some(vec![Written { zone, id, name, origin }]);
    }
    let certificate = Certificate::deserialize(spec).ok()?;
    let zone = certificate.zone?;
    let id = ids.get(&zone).cloned();
    let all = certificate.names.into_iter().chain([certificate.domain]);
    let written =
        |name| Written { zone: zone.clone(), id: id.clone(), name, origin: origin.clone() };
    Some(all.map(written).collect())
}

/// Why a name cannot be written into a zone.
fn problem(zones: &[Zone], Written { zone, id, name, origin }: &Written) -> Option<String> {
    let named = zones.iter().filter(|found| found.name == *zone);
    let ids: Vec<&str> = named.map(|found| found.id.as_str()).collect();
    let all = ids.join(", ");
    match (ids.as_slice(), id) {
        ([], _) => {
            return Some(format!("{origin}: the account has no public hosted zone {zone}"));
        }
        (ids, Some(id)) if !ids.contains(&id.as_str()) => {
            let message = format!("the account has no public hosted zone {zone} with the id {id}");
            return Some(format!("{origin}: {message}, only {all}"));
        }
        (ids, None) if ids.len() > 1 => {
            let number = ids.len();
            return Some(format!(
                "{origin}: the account has {number} public hosted zones {zone}: {all}"
            ));
        }
        _ => {}
    }
    let name = name.trim_start_matches("*.");
    let found = common::zone_of(zones, name).filter(|found| found.name != *zone)?;
    Some(format!(
        "{origin}: {name} is in {zone}, but the account has the more specific zone {}",
        found.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_that_are_missing_hidden_or_double_are_problems() {
        let zone = |name: &str| Zone { id: name.into(), name: name.into() };
        let mut zones = ["example.com", "dev.example.com", "a.org", "a.org"].map(zone);
        zones[3].id = "Z4".into();
        let with = |zone: &str, id: Option<&str>, name: &str, expected: &str| {
            let origin = "config/dev.toml:7".to_owned();
            let id = id.map(str::to_owned);
            let written = Written { zone: zone.into(), id, name: name.into(), origin };
            let found = problem(&zones, &written).unwrap_or_default();
            assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{found}");
        };
        let check = |zone, name, expected| with(zone, None, name, expected);
        with("a.org", Some("Z4"), "api.a.org", "");
        with("a.org", Some("Z5"), "api.a.org", "with the id Z5, only a.org, Z4");
        check("example.com", "*.example.com", "");
        check("example.com", "api.prod.example.com", "");
        check("example.net", "api.example.net", "no public hosted zone example.net");
        check(
            "a.org",
            "api.a.org",
            "config/dev.toml:7: the account has 2 public hosted zones a.org: a.org, Z4",
        );
        check("example.com", "api.dev.example.com", "the more specific zone dev.example.com");
    }
}
