//! The hosted zones that a plan writes into. AWS would refuse a missing one in the middle of an apply,
//! and clients would not ask one that a more specific zone hides.

use std::collections::BTreeSet;

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
    let names: BTreeSet<(String, String)> =
        records.chain(certificates).filter_map(names).flatten().collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let zones = retry_read(|| common::zones(cx.aws)).await?;
    let problems: BTreeSet<String> =
        names.iter().filter_map(|(zone, name)| problem(&zones, zone, name)).collect();
    let finding = |because| Finding::Problem {
        title: "a hosted zone does not fit".to_owned(),
        because,
        hint:
            "set `zone` to the public hosted zone of this account that has the name; `aws route53 \
               list-hosted-zones` lists them"
                .to_owned(),
    };
    Ok(problems.into_iter().map(finding).collect())
}

/// The zone of a resource, with each name that it writes there.
fn names(planned: &Planned<'_>) -> Option<Vec<(String, String)>> {
    let spec = &planned.want?.spec;
    if planned.address.kind == Record::META.kind {
        let record = Record::deserialize(spec).ok()?;
        return Some(vec![(record.zone, record.name)]);
    }
    let certificate = Certificate::deserialize(spec).ok()?;
    let zone = certificate.zone?;
    let all = certificate.names.into_iter().chain([certificate.domain]);
    Some(all.map(|name| (zone.clone(), name)).collect())
}

/// Why a name cannot be written into a zone.
fn problem(zones: &[Zone], zone: &str, name: &str) -> Option<String> {
    let named = zones.iter().filter(|found| found.name == zone).count();
    if named == 0 {
        return Some(format!("the account has no public hosted zone {zone}"));
    }
    if named > 1 {
        return Some(format!("the account has {named} public hosted zones {zone}"));
    }
    let name = name.trim_start_matches("*.");
    let found = common::zone_of(zones, name).filter(|found| found.name != zone)?;
    Some(format!("{name} is in {zone}, but the account has the more specific zone {}", found.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_that_are_missing_hidden_or_double_are_problems() {
        let zone = |name: &str| Zone { id: name.into(), name: name.into() };
        let zones = ["example.com", "dev.example.com", "a.org", "a.org"].map(zone);
        let check = |zone, name, expected: &str| {
            let found = problem(&zones, zone, name).unwrap_or_default();
            assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{found}");
        };
        check("example.com", "*.example.com", "");
        check("example.com", "api.prod.example.com", "");
        check("example.net", "api.example.net", "no public hosted zone example.net");
        check("a.org", "api.a.org", "2 public hosted zones a.org");
        check("example.com", "api.dev.example.com", "the more specific zone dev.example.com");
    }
}
