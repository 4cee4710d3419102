//! Helpers of the Lambda kinds: names of functions, tags, and temporary errors.

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use futures::future::FutureExt;

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, listed, op};
use crate::aws::resource::Survey;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Tags;

/// Lambda does not know a new role, its policies and its key at once. Another function may first
/// have to give up the concurrency that this one reserves.
pub(super) const TRANSIENT: &[(&str, &str)] = &[
    ("InvalidParameterValueException", "cannot be assumed by Lambda"),
    ("InvalidParameterValueException", "execution role does not have permissions"),
    ("InvalidParameterValueException", "ensure the role can perform"),
    ("InvalidParameterValueException", "KMS key is invalid for CreateGrant"),
    ("InvalidParameterValueException", "less than Function timeout"),
    ("InvalidParameterValueException", "UnreservedConcurrentExecution below its minimum"),
];

/// The names of the functions that this environment may own.
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

/// The description of a function that this environment may own. Two kinds need it, and a survey
/// reads it once.
pub(super) async fn function_of(
    cx: &Survey<'_>,
    name: &str,
) -> Result<Option<GetFunctionOutput>, OpError> {
    let question = format!("lambda:GetFunction/{name}");
    let answer = cx.once(&question, function(cx.aws, name).boxed()).await;
    cx.if_permitted(name, answer.map(|answer| (*answer).clone()))
}

/// AWS's description of a function.
pub(super) async fn function(aws: &Aws, name: &str) -> Result<Option<GetFunctionOutput>, OpError> {
    let send = aws.lambda.get_function().function_name(name).send();
    send.await.map_err(op("GetFunction")).or_gone()?.map(whole).transpose()
}

/// Refuses an answer without the tags: AWS gives it to those who may not read them, and a function
/// without tags would seem to have another owner.
fn whole(answer: GetFunctionOutput) -> Result<GetFunctionOutput, OpError> {
    let Some(untold) = answer.tags_error else { return Ok(answer) };
    let error = listed("GetFunction", &untold.error_code, untold.message);
    Err(match error.class {
        ErrorClass::Invalid => OpError { class: ErrorClass::Service, ..error },
        _ => error,
    })
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
pub(super) async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.lambda.list_tags().resource(arn).send();
    let answer = send.await.map_err(op("ListTags")).or_gone()?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
}

/// Sets tags.
pub(super) async fn add_tags(aws: &Aws, arn: &str, set: &Tags) -> Result<(), OpError> {
    let call =
        aws.lambda.tag_resource().resource(arn).set_tags(Some(set.clone().into_iter().collect()));
    call.send().await.map_err(op("TagResource")).map(drop)
}

/// Removes tags.
pub(super) async fn remove_tags(aws: &Aws, arn: &str, unset: &[String]) -> Result<(), OpError> {
    let call = aws.lambda.untag_resource().resource(arn).set_tag_keys(Some(unset.to_vec()));
    call.send().await.map_err(op("UntagResource")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_tags_do_not_count_as_no_tags() {
        let answer = |code: &str| {
            let error = aws_sdk_lambda::types::TagsError::builder().error_code(code);
            let error = error.message("no lambda:ListTags").build().unwrap();
            whole(GetFunctionOutput::builder().tags_error(error).build()).unwrap_err().class
        };
        assert_eq!(answer("AccessDeniedException"), ErrorClass::Denied);
        assert_eq!(answer("ServiceException"), ErrorClass::Service);
        assert!(whole(GetFunctionOutput::builder().build()).is_ok());
    }

    #[test]
    fn the_name_is_found_in_qualified_arns_too() {
        assert_eq!(name_in("arn:aws:lambda:r:1:function:dev-f"), "dev-f");
        assert_eq!(name_in("arn:aws:lambda:r:1:function:dev-f:$LATEST"), "dev-f");
    }
}
