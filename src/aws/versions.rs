//! The versions of Aurora PostgreSQL that AWS offers. AWS would refuse a retired one for a new
//! cluster in the middle of an apply.

use super::clients::{Aws, patiently};
use super::error::op;
use payctl_engine::model::error::OpError;

/// Asks for the versions that a cluster can be made with or be upgraded to.
pub async fn offered(aws: &Aws) -> Result<Option<Vec<String>>, OpError> {
    let ask = || async {
        let call = aws.rds.describe_db_engine_versions().engine("aurora-postgresql");
        let pages = call.into_paginator().items().send();
        pages.try_collect().await.map_err(op("DescribeDBEngineVersions"))
    };
    match patiently(ask).await {
        Ok(found) => Ok(Some(found.into_iter().filter_map(|one| one.engine_version).collect())),
        // An emulator without this question retires nothing either.
        Err(_) if aws.is_elsewhere => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a version is offered, or any of a major one.
pub fn is_offered(wanted: &str, offered: &[String]) -> bool {
    offered.iter().any(|version| {
        version.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_major_version_is_offered_with_any_of_it() {
        let offered = ["15.10".to_owned(), "16.8".to_owned()];
        assert!(is_offered("15.10", &offered) && is_offered("16", &offered));
        assert!(!is_offered("15.1", &offered) && !is_offered("1", &offered));
        assert!(!is_offered("17", &offered));
    }
}
