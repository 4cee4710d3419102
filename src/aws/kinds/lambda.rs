//! What the Lambda kinds share: names of functions, tags, and the errors that pass by themselves.

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::Survey;
use crate::model::error::OpError;
use crate::model::live::Tags;

/// A fresh role, its policies and its key are not known to Lambda at once.
pub(super) const TRANSIENT: &[(&str, &str)] = &[
    ("InvalidParameterValueException", "cannot be assumed by Lambda"),
    ("InvalidParameterValueException", "execution role does not have permissions"),
    ("InvalidParameterValueException", "ensure the role can perform"),
    ("InvalidParameterValueException", "KMS key is invalid for CreateGrant"),
    ("InvalidParameterValueException", "less than Function timeout"),
];

/// The names of the functions that may be ours.
pub(super) async fn candidates(cx: &Survey<'_>) -> Result<Vec<String>, OpError> {
    let list = async {
        let pages = cx.aws.lambda.list_functions().into_paginator().items().send();
        let all: Result<Vec<_>, _> = pages.collect().await;
        let all = all.map_err(op("ListFunctions"))?;
        Ok(all.into_iter().filter_map(|function| function.function_name).collect::<Vec<_>>())
    };
    let all = cx.once("lambda:ListFunctions", list).await?;
    Ok(all.iter().filter(|name| cx.is_candidate(name)).cloned().collect())
}

/// The name at the end of a function's ARN.
pub(super) fn name_in(arn: &str) -> &str {
    arn.split(':').nth(6).unwrap_or(arn)
}

/// The ARN of a function of this account.
pub(super) fn arn_of(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    let (partition, region, account) = (&scope.partition, &scope.region, &scope.account);
    format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
}

/// The tags of a function or an event source.
pub(super) async fn tags(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.lambda.list_tags().resource(arn).send();
    let answer = send.await.map_err(op("ListTags")).or_gone()?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
}

/// Sets and removes tags.
pub(super) async fn retag(
    aws: &Aws,
    arn: &str,
    set: &Tags,
    unset: &[String],
) -> Result<(), OpError> {
    if !set.is_empty() {
        let tags = set.clone().into_iter().collect();
        let call = aws.lambda.tag_resource().resource(arn).set_tags(Some(tags));
        call.send().await.map_err(op("TagResource"))?;
    }
    if !unset.is_empty() {
        let call = aws.lambda.untag_resource().resource(arn).set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagResource"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_in_qualified_arns_too() {
        assert_eq!(name_in("arn:aws:lambda:r:1:function:dev-f"), "dev-f");
        assert_eq!(name_in("arn:aws:lambda:r:1:function:dev-f:$LATEST"), "dev-f");
    }
}
