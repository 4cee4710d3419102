//! The versions of Aurora PostgreSQL that AWS offers. AWS would refuse a retired one for a new
//! cluster in the middle of an apply.

use std::collections::BTreeSet;

use super::cluster::Cluster;
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::op;
use crate::aws::preflight::{Check, Finding, Planned, Preflight, Subject};
use crate::aws::resource::Resource as _;
use payctl_engine::model::error::OpError;
use payctl_engine::model::meta::is_reached;

/// Checks whether AWS offers the versions that clusters are made with or upgraded to.
pub(super) const CHECK: Check = Check {
    subject: Subject::Versions,
    doing: "list the database versions that AWS offers",
    run: |cx| Box::pin(check(cx)),
};

/// Asks AWS only if a version rises.
async fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let rising: Vec<_> = cx.of(Cluster::META.kind).filter_map(rise).collect();
    if rising.is_empty() {
        return Ok(Vec::new());
    }
    let Some(offered) = list_offered(cx.aws).await? else { return Ok(Vec::new()) };
    let refused: Vec<_> =
        rising.into_iter().filter(|(_, version)| !is_offered(version, &offered)).collect();
    if refused.is_empty() {
        return Ok(Vec::new());
    }
    let versions: BTreeSet<&str> = refused.iter().map(|(_, version)| *version).collect();
    let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
    let who = refused
        .iter()
        .map(|(planned, version)| format!("{} {version} ({})\n", planned.address, planned.origin));
    Ok(vec![Finding::Problem {
        title: format!("AWS does not offer Aurora PostgreSQL {versions}"),
        because: format!("{}it offers {}", who.collect::<String>(), offered.join(", ")),
        hint: "set `engine_version` to one of these; AWS retires old versions".to_owned(),
    }])
}

/// The version that a cluster is made with or upgraded to.
fn rise<'a>(planned: &'a Planned<'a>) -> Option<(&'a Planned<'a>, &'a str)> {
    let want = planned.want?.spec["engine_version"].as_str()?;
    let live = planned.live.and_then(|live| live.spec["engine_version"].as_str());
    (!live.is_some_and(|live| is_reached(want, live))).then_some((planned, want))
}

/// Asks for the versions that a cluster can be made with or be upgraded to.
async fn list_offered(aws: &Aws) -> Result<Option<Vec<String>>, OpError> {
    let ask = || async {
        let call = aws.rds.describe_db_engine_versions().engine("aurora-postgresql");
        let pages = call.into_paginator().items().send();
        pages.try_collect().await.map_err(op("DescribeDBEngineVersions"))
    };
    match retry_read(ask).await {
        Ok(found) => Ok(Some(found.into_iter().filter_map(|one| one.engine_version).collect())),
        // An emulator without this operation does not retire versions.
        Err(_) if aws.is_elsewhere => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a version is offered, or any of a major one.
fn is_offered(wanted: &str, offered: &[String]) -> bool {
    offered.iter().any(|version| {
        version.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_major_version_is_available_with_any_minor_version() {
        let offered = ["15.10".to_owned(), "16.8".to_owned()];
        assert!(is_offered("15.10", &offered) && is_offered("16", &offered));
        assert!(!is_offered("15.1", &offered) && !is_offered("1", &offered));
        assert!(!is_offered("17", &offered));
    }
}
