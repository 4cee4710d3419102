//! Helpers of the Lambda kinds: functions with their versions and aliases, names, tags and temporary
//! errors.

use std::cmp::Reverse;
use std::sync::Arc;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{AliasConfiguration, FunctionConfiguration};
use futures::future::FutureExt;

use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, listed, op};
use crate::aws::resource::Survey;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Tags;
use payctl_money::Decimal;
use payctl_money::load::Driver;

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

/// How often a function runs: each request, call and message runs it.
pub(super) fn runs(cx: &Costs<'_>) -> Decimal {
    [Driver::Requests, Driver::Calls, Driver::Messages].map(|driver| cx.load(driver)).iter().sum()
}

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

/// The description of a function that this environment may own. Several kinds need it, and a
/// survey reads it once.
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

/// AWS's description of a version of a function.
pub(super) async fn version(
    aws: &Aws,
    function: &str,
    version: &str,
) -> Result<Option<FunctionConfiguration>, OpError> {
    let send = aws.lambda.get_function().function_name(function).qualifier(version).send();
    let answer = send.await.map_err(op("GetFunction")).or_gone()?;
    Ok(answer.and_then(|answer| answer.configuration))
}

/// The published versions of a function by their numbers, the newest first.
pub(super) async fn versions(
    aws: &Aws,
    function: &str,
) -> Result<Vec<(u64, FunctionConfiguration)>, OpError> {
    let call = aws.lambda.list_versions_by_function().function_name(function);
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let all = all.map_err(op("ListVersionsByFunction")).or_gone()?.unwrap_or_default();
    // `$LATEST` is none of them.
    let number = |found: &FunctionConfiguration| found.version()?.parse().ok();
    let numbered = all.into_iter().filter_map(|found| Some((number(&found)?, found)));
    let mut numbered: Vec<(u64, FunctionConfiguration)> = numbered.collect();
    numbered.sort_by_key(|(number, _)| Reverse(*number));
    Ok(numbered)
}

/// Deletes a published version.
pub(super) async fn delete_version(aws: &Aws, function: &str, number: u64) -> Result<(), OpError> {
    let call = aws.lambda.delete_function().function_name(function).qualifier(number.to_string());
    call.send().await.map_err(op("DeleteFunction")).or_gone().map(drop)
}

/// The aliases of a function.
pub(super) async fn aliases(aws: &Aws, function: &str) -> Result<Vec<AliasConfiguration>, OpError> {
    let call = aws.lambda.list_aliases().function_name(function);
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    Ok(all.map_err(op("ListAliases")).or_gone()?.unwrap_or_default())
}

/// The aliases of a function that payctl made or that the config wants. Several kinds need them,
/// and a survey reads them once.
pub(super) async fn own_aliases(
    cx: &Survey<'_>,
    function: &str,
) -> Result<Vec<AliasConfiguration>, OpError> {
    let question = format!("lambda:ListAliases/{function}");
    let all: Arc<Vec<_>> = cx.once(&question, aliases(cx.aws, function).boxed()).await?;
    let is_own = |alias: &&AliasConfiguration| {
        let name = qualified(function, alias.name());
        kept_by(alias).is_some() || cx.wanted.contains_key(&name)
    };
    Ok(all.iter().filter(is_own).cloned().collect())
}

/// How payctl describes its aliases: aliases have no tags.
const KEEPS: (&str, &str) = ("payctl keeps ", " older versions");

/// The description of an alias of payctl.
pub(super) fn keeping(versions: u32) -> String {
    format!("{}{versions}{}", KEEPS.0, KEEPS.1)
}

/// How many older versions an alias of payctl keeps; `None` for an alias of others.
pub(super) fn kept_by(alias: &AliasConfiguration) -> Option<u32> {
    let words = alias.description()?.strip_prefix(KEEPS.0)?;
    words.strip_suffix(KEEPS.1)?.parse().ok()
}

/// `FUNCTION:ALIAS`, or the function alone.
pub(super) fn qualified(function: &str, qualifier: Option<&str>) -> String {
    qualifier.map_or(function.to_owned(), |qualifier| format!("{function}:{qualifier}"))
}

/// The function and the alias of `FUNCTION:ALIAS`.
pub(crate) fn parts(name: &str) -> (&str, Option<&str>) {
    name.split_once(':').map_or((name, None), |(function, alias)| (function, Some(alias)))
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

/// `FUNCTION` or `FUNCTION:ALIAS` at the end of an ARN.
pub(super) fn qualified_in(arn: &str) -> &str {
    arn.split_once(":function:").map_or(arn, |(_, name)| name)
}

/// The ARN of a function of this account, or of an alias.
pub(in crate::aws) fn arn_of(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    let (partition, region, account) = (&scope.partition, &scope.region, &scope.account);
    format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
}

/// The tags of a function or an event source.
pub(in crate::aws) async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.lambda.list_tags().resource(arn).send();
    let answer = send.await.map_err(op("ListTags")).or_gone()?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
}

/// Sets tags.
pub(in crate::aws) async fn add_tags(aws: &Aws, arn: &str, set: &Tags) -> Result<(), OpError> {
    let call =
        aws.lambda.tag_resource().resource(arn).set_tags(Some(set.clone().into_iter().collect()));
    call.send().await.map_err(op("TagResource")).map(drop)
}

/// Removes tags.
pub(in crate::aws) async fn remove_tags(
    aws: &Aws,
    arn: &str,
    unset: &[String],
) -> Result<(), OpError> {
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
        assert_eq!(qualified_in("arn:aws:lambda:r:1:function:dev-f:live"), "dev-f:live");
        assert_eq!(parts("dev-f:live"), ("dev-f", Some("live")));
        assert_eq!(parts("dev-f"), ("dev-f", None));
    }

    #[test]
    fn an_alias_says_that_it_is_payctls_and_how_many_versions_it_keeps() {
        let described =
            |words: &str| kept_by(&AliasConfiguration::builder().description(words).build());
        assert_eq!(described(&keeping(3)), Some(3));
        assert_eq!(described("the live one"), None);
        assert_eq!(kept_by(&AliasConfiguration::builder().build()), None);
    }
}
