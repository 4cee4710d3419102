//! Helpers of the Elastic Load Balancing kinds: tags, which list calls do not return.
//!
//! Names are unique but do not show the owner, so payctl reads the tags of every candidate, up to
//! twenty objects in one call.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{Tag, TagDescription};
use futures::future::try_join_all;

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::Survey;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Owner, Tags};
use payctl_engine::model::naming::NameRule;

/// The rule for names of load balancers and target groups.
pub(super) const fn named(word: &'static str) -> NameRule {
    const PATTERN: &str = r"^[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?$";
    const RULE: &str = "1 to 32 letters, digits and dashes, and no dash at either end";
    NameRule::new(word, 32, PATTERN, RULE)
}

/// How many objects one DescribeTags call takes.
const BATCH: usize = 20;

/// The longest name of an environment that fits whole into every name of these kinds: they have at
/// most 32 characters, including a digest.
const LONGEST_ENV: usize = 16;

/// Whether an object of this name is worth reading its tags.
pub(super) fn may_be_ours(cx: &Survey<'_>, name: &str) -> bool {
    cx.is_candidate(name) || cx.aws.scope.env.len() > LONGEST_ENV
}

/// The ownership claim if the environment's name may not fit as a whole into a name: such a name
/// ends with a digest, and then the tags decide.
pub(super) fn shortened(
    cx: &Survey<'_>,
    name: &str,
    claim: Option<(Address, Owner)>,
) -> Option<(Address, Owner)> {
    let is_short = cx.aws.scope.env.len() > LONGEST_ENV && has_digest(name);
    let (address, owner) = claim?;
    match owner {
        Owner::Disputed(_) if is_short => Some((address, Owner::Ours)),
        owner => Some((address, owner)),
    }
}

/// Whether a name ends with the digest of what was cut off. That of a target group has another one behind it, of
/// its settings.
fn has_digest(name: &str) -> bool {
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let cut = |name: &str| name.rsplit_once('-').is_some_and(|(_, tail)| is_hex(tail, 8));
    let settings = name.rsplit_once('-').filter(|(_, tail)| is_hex(tail, 6));
    cut(name) || settings.is_some_and(|(stem, _)| cut(stem))
}

/// The tags of objects by ARN, without objects that no longer exist.
async fn tags_by_arn(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Tags>, OpError> {
    let batches = arns.chunks(BATCH).map(|batch| async move {
        if let Some(all) = described(aws, batch).await.or_gone()? {
            return Ok(all);
        }
        // One of them vanished, and the call was refused for all.
        let single = batch
            .iter()
            .map(|arn| async { described(aws, std::slice::from_ref(arn)).await.or_gone() });
        let single = try_join_all(single).await?;
        Ok::<_, OpError>(single.into_iter().flatten().flatten().collect())
    });
    let described: Vec<TagDescription> =
        try_join_all(batches).await?.into_iter().flatten().collect();
    let pairs = |tags: Vec<Tag>| {
        tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
    };
    let entry =
        |one: TagDescription| Some((one.resource_arn?, pairs(one.tags.unwrap_or_default())));
    Ok(described.into_iter().filter_map(entry).collect())
}

async fn described(aws: &Aws, arns: &[String]) -> Result<Vec<TagDescription>, OpError> {
    let send =
        aws.elasticloadbalancingv2.describe_tags().set_resource_arns(Some(arns.to_vec())).send();
    let answer = send.await.map_err(op("DescribeTags"))?;
    Ok(answer.tag_descriptions.unwrap_or_default())
}

/// The tags of many objects, by ARN. payctl asks only for those that the answer of the tagging API
/// does not settle.
pub(super) async fn tags_of_all(
    cx: &Survey<'_>,
    arns: impl Iterator<Item = String>,
) -> Result<BTreeMap<String, Tags>, OpError> {
    let (mut settled, mut open) = (BTreeMap::new(), Vec::new());
    for arn in arns {
        match cx.settled_tags(&arn).await {
            Some(tags) => drop(settled.insert(arn, tags)),
            None => open.push(arn),
        }
    }
    settled.extend(tags_by_arn(cx.aws, &open).await?);
    Ok(settled)
}

/// The tags of one object; `None` if it is gone.
pub(super) async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let own = aws.clone();
    let ask = |arns: Vec<String>| async move { tags_by_arn(&own, &arns).await };
    let question = "elasticloadbalancing:DescribeTags";
    let found = aws.together.ask(question, arn.to_owned(), ask).await?;
    Ok(found.get(arn).cloned())
}

/// Tags for a create call.
pub(super) fn to_tags(tags: &Tags) -> Option<Vec<Tag>> {
    Some(tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect())
}

/// Sets tags.
pub(super) async fn add_tags(aws: &Aws, arn: &str, set: &Tags) -> Result<(), OpError> {
    let call = aws.elasticloadbalancingv2.add_tags().resource_arns(arn).set_tags(to_tags(set));
    call.send().await.map_err(op("AddTags")).map(drop)
}

/// Removes tags.
pub(super) async fn remove_tags(aws: &Aws, arn: &str, unset: &[String]) -> Result<(), OpError> {
    let call = aws.elasticloadbalancingv2.remove_tags().resource_arns(arn);
    call.set_tag_keys(Some(unset.to_vec())).send().await.map_err(op("RemoveTags")).map(drop)
}

/// The ARN in the answer of a create call.
pub(super) fn made(op: &'static str, arn: Option<String>) -> Result<String, OpError> {
    arn.ok_or_else(|| OpError::new(op, ErrorClass::Service, "NoArn", "AWS did not return an ARN"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_cut_ends_with_one_digest_or_two() {
        for cut in ["pr-abcdefghijklm-lb-46c88ac4", "pr-abcdefghijklm-46c88ac4-adeda9"] {
            assert!(has_digest(cut), "{cut}");
        }
        for whole in
            ["pr-1-payment-adeda9", "pr-1-46c88ac4-blue", "46c88ac4", "a-46c88ac4-x-adeda9"]
        {
            assert!(!has_digest(whole), "{whole}");
        }
    }
}
