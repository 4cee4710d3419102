//! The published versions of a function: found by what they run, published, and deleted once nothing
//! needs them.

use std::collections::BTreeSet;

use aws_sdk_lambda::types::{AliasConfiguration, FunctionConfiguration, State};

use super::moved::weights;
use crate::aws::clients::Aws;
use crate::aws::error::op;
use crate::aws::kinds::lambda::common;
use crate::aws::kinds::lambda::release::Release;
use payctl_engine::model::error::{ErrorClass, OpError};

/// How payctl describes its versions, to find them when they are no longer needed.
const PUBLISHED: &str = "published by payctl";

/// The published versions of a function by number.
pub(super) type Versions = Vec<(u64, FunctionConfiguration)>;

/// The newest version with the wanted release, which is published if there is none; and all
/// versions from before that.
pub(super) async fn released(
    aws: &Aws,
    function: &str,
    release: &Release,
) -> Result<(u64, Versions), OpError> {
    let all = common::versions(aws, function).await?;
    let is_it = |(_, found): &&(u64, FunctionConfiguration)| {
        Release::of_configuration(found.clone()) == *release
    };
    let number = match all.iter().find(is_it) {
        Some((number, _)) => *number,
        None => publish(aws, function, release).await?,
    };
    is_ready(aws, function, number).await?;
    Ok((number, all))
}

/// Publishes a version, if the function is what it is to be.
async fn publish(aws: &Aws, function: &str, release: &Release) -> Result<u64, OpError> {
    let answer = common::function(aws, function).await?;
    let now = answer.and_then(|answer| answer.configuration);
    let revision = now.as_ref().and_then(|now| now.revision_id.clone());
    if now.map(Release::of_configuration).as_ref() != Some(release) {
        let message = format!("{function} is not yet as the config wants it");
        return Err(OpError::new("GetFunction", ErrorClass::NotYet, "NotSettled", message));
    }
    let call = aws
        .lambda
        .publish_version()
        .function_name(function)
        .code_sha256(&release.code)
        .set_revision_id(revision)
        .description(PUBLISHED);
    let made = call.send().await.map_err(op("PublishVersion"))?;
    made.version.and_then(|number| number.parse().ok()).ok_or_else(|| {
        let message = "AWS did not return the number of the new version";
        OpError::new("PublishVersion", ErrorClass::Service, "NoVersion", message)
    })
}

/// Whether payctl published a version.
pub(super) fn is_own((_, found): &&(u64, FunctionConfiguration)) -> bool {
    found.description() == Some(PUBLISHED)
}

/// The versions to delete once an alias names `next`: those of payctl that no alias names, apart
/// from the one that the alias leaves, and from the newest ones.
pub(super) fn spare(
    keep: u32,
    next: u64,
    all: &[(u64, FunctionConfiguration)],
    aliases: &[AliasConfiguration],
    leaving: &AliasConfiguration,
) -> Vec<u64> {
    let others = aliases.iter().filter(|alias| alias.name() != leaving.name());
    let named = others.filter_map(|alias| alias.function_version().map(str::to_owned));
    let weighted = aliases.iter().flat_map(|alias| weights(alias).into_keys());
    let named: BTreeSet<String> = named.chain(weighted).collect();
    let idle = all.iter().filter(is_own).map(|(number, _)| *number);
    let idle = idle.filter(|number| *number != next && !named.contains(&number.to_string()));
    let is_left = |number: &u64| leaving.function_version() == Some(number.to_string().as_str());
    let (left, rest): (Vec<u64>, Vec<u64>) = idle.partition(is_left);
    left.into_iter().chain(rest).skip(keep as usize).collect()
}

/// Refuses a version that cannot be called yet. One that can never be called is deleted, so that
/// the next run publishes another.
async fn is_ready(aws: &Aws, function: &str, number: u64) -> Result<(), OpError> {
    let found = common::version(aws, function, &number.to_string()).await?;
    let (class, code) = match found.as_ref().and_then(|found| found.state()) {
        None if found.is_none() => (ErrorClass::NotYet, "NotVisible"),
        Some(State::Pending) => (ErrorClass::Busy, "Pending"),
        Some(State::Failed) => (ErrorClass::Invalid, "Failed"),
        _ => return Ok(()),
    };
    if class == ErrorClass::Invalid {
        common::delete_version(aws, function, number).await?;
    }
    let reason = found.and_then(|found| found.state_reason).unwrap_or_default();
    let message = format!("version {number} of {function} is not ready: {code} {reason}");
    Err(OpError::new("GetFunction", class, code, message.trim_end()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_lambda::types::AliasRoutingConfiguration;

    use super::*;

    fn version(number: u64, words: &str) -> (u64, FunctionConfiguration) {
        (number, FunctionConfiguration::builder().description(words).build())
    }

    fn alias(name: &str, version: u64) -> AliasConfiguration {
        AliasConfiguration::builder().name(name).function_version(version.to_string()).build()
    }

    #[test]
    fn the_last_versions_stay_and_so_does_what_an_alias_names() {
        let all: Vec<_> = (1..=8).rev().map(|number| version(number, PUBLISHED)).collect();
        let live = alias("live", 8);
        let spare_of = |keep, next, aliases: &[AliasConfiguration]| {
            spare(keep, next, &all, aliases, &aliases[0])
        };
        assert_eq!(spare_of(3, 9, std::slice::from_ref(&live)), [5, 4, 3, 2, 1]);
        // Another alias keeps its versions, without counting among the last ones.
        let weights = HashMap::from([("2".to_owned(), 0.1)]);
        let weights =
            AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights));
        let test = AliasConfiguration::builder().name("test").function_version("7");
        let test = test.routing_config(weights.build()).build();
        assert_eq!(spare_of(3, 9, &[live, test]), [4, 3, 1]);
        // After a way back the version that the alias leaves is not the newest.
        assert_eq!(spare_of(2, 9, &[alias("live", 3)]), [7, 6, 5, 4, 2, 1]);
        // The alias stays at its version.
        assert_eq!(spare_of(1, 8, &[alias("live", 8)]), [6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn versions_of_others_stay() {
        let all = [version(3, PUBLISHED), version(2, "by hand"), version(1, PUBLISHED)];
        assert_eq!(spare(1, 4, &all, &[alias("live", 3)], &alias("live", 3)), [1]);
    }
}
