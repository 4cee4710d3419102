//! Helpers of the RDS kinds: tags, and quirks of the API.

use aws_sdk_rds::types::Tag;

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Tags;
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::verdict::Verdict;

/// The rule for names of RDS.
pub(super) const fn named(word: &'static str, limit: usize) -> NameRule {
    const RULE: &str = "a database's name is up to 63 lower-case letters, digits and single dashes, and \
                        begins with a letter";
    NameRule::new(word, limit, "^[a-z](-?[a-z0-9])*$", RULE)
}

/// Tags as RDS takes them.
pub(super) fn to_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags as RDS returns them.
pub(super) fn from_tags(tags: Option<Vec<Tag>>) -> Tags {
    let pair = |tag: Tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
    tags.unwrap_or_default().into_iter().map(pair).collect()
}

/// The tags of an object whose list does not return them.
pub(super) async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.rds.list_tags_for_resource().resource_name(arn).send();
    let answer = send.await.map_err(op("ListTagsForResource")).or_gone()?;
    Ok(answer.map(|answer| from_tags(answer.tag_list)))
}

/// Sets tags.
pub(super) async fn add_tags(aws: &Aws, arn: &str, set: &Tags) -> Result<(), OpError> {
    let call = aws.rds.add_tags_to_resource().resource_name(arn).set_tags(Some(to_tags(set)));
    call.send().await.map_err(op("AddTagsToResource")).map(drop)
}

/// Removes tags.
pub(super) async fn remove_tags(aws: &Aws, arn: &str, unset: &[String]) -> Result<(), OpError> {
    let call =
        aws.rds.remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(unset.to_vec()));
    call.send().await.map_err(op("RemoveTagsFromResource")).map(drop)
}

/// The result of a change of a cluster or of one of its instances. AWS does not change or delete
/// anything of a stopped cluster. So payctl starts it, and the refusal passes once it runs.
pub(super) async fn awake(
    aws: &Aws,
    cluster: &str,
    done: Result<(), OpError>,
) -> Result<(), OpError> {
    match done {
        Err(refused) if refused.class == ErrorClass::Busy => {
            let send = aws.rds.describe_db_clusters().db_cluster_identifier(cluster).send();
            let found = send.await.map_err(op("DescribeDBClusters"))?.db_clusters;
            if found.unwrap_or_default().iter().any(|one| one.status() == Some("stopped")) {
                let send = aws.rds.start_db_cluster().db_cluster_identifier(cluster).send();
                send.await.map_err(op("StartDBCluster"))?;
            }
            Err(refused)
        }
        done => done,
    }
}

/// The error for an answer without its object.
pub(super) fn no_answer(op: &str) -> OpError {
    OpError::new(op, ErrorClass::Service, "NoAnswer", "AWS did not return a description")
}

/// Whether a database with this status serves: also while AWS works on its storage or backs it up.
pub(super) fn available(status: Option<String>) -> Verdict {
    match status {
        None => Verdict::Failed("it does not exist any more".into()),
        Some(status) => match status.as_str() {
            "available" | "storage-optimization" | "backing-up" | "backtracking" => {
                Verdict::Passed(status)
            }
            _ => Verdict::Failed(format!("its status is {status}")),
        },
    }
}
