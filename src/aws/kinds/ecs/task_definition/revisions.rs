//! The revisions of a family: the current one, and those to delete.

use aws_sdk_ecs::types::{
    SortOrder, TaskDefinition as Described, TaskDefinitionField as Field,
    TaskDefinitionStatus as Status,
};
use futures::future::try_join_all;

use super::super::common::{from_tags, name_in};
use super::TaskDefinition;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, listed, op};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Live, Phase, Tags};
use payctl_engine::model::text::{Output, Outputs};

/// How many revisions one call deletes.
const BATCH: usize = 10;

/// The newest revision that payctl owns; the newest of all if it does not own any.
pub(super) async fn newest(
    aws: &Aws,
    family: &str,
) -> Result<Option<Live<TaskDefinition>>, OpError> {
    let latest = describe(aws, family).await?;
    if latest.as_ref().is_some_and(|live| aws.scope.owned(&live.tags).is_some()) {
        return Ok(latest);
    }
    for revision in revisions(aws, family).await? {
        let older = describe(aws, &revision).await?;
        if older.as_ref().is_some_and(|live| aws.scope.owned(&live.tags).is_some()) {
            return Ok(older);
        }
    }
    Ok(latest)
}

/// The ARNs of the active revisions of a family, newest first.
pub(super) async fn revisions(aws: &Aws, family: &str) -> Result<Vec<String>, OpError> {
    let call = aws.ecs.list_task_definitions().family_prefix(family).status(Status::Active);
    let mut pages = call.sort(SortOrder::Desc).into_paginator().items().send();
    let mut arns = Vec::new();
    while let Some(arn) = pages.next().await {
        let arn = arn.map_err(op("ListTaskDefinitions"))?;
        let number = revision(&arn).filter(|(name, _)| *name == family).map(|(_, number)| number);
        arns.extend(number.map(|number| (number, arn.clone())));
    }
    // Some endpoints do not sort.
    arns.sort_by(|one, other| other.cmp(one));
    Ok(arns.into_iter().map(|(_, arn)| arn).collect())
}

/// Family and number of a revision.
fn revision(arn: &str) -> Option<(&str, u32)> {
    let (family, number) = name_in(arn).rsplit_once(':')?;
    Some((family, number.parse().ok()?))
}

/// One revision, or by the name of a family its newest; only active ones.
async fn describe(aws: &Aws, which: &str) -> Result<Option<Live<TaskDefinition>>, OpError> {
    let call = aws.ecs.describe_task_definition().task_definition(which).include(Field::Tags);
    let answer = call.send().await.map_err(op("DescribeTaskDefinition")).or_gone()?;
    Ok(answer.and_then(|answer| to_live(answer.task_definition?, from_tags(answer.tags))))
}

fn to_live(revision: Described, tags: Tags) -> Option<Live<TaskDefinition>> {
    if revision.status.as_ref().is_some_and(|status| *status != Status::Active) {
        return None;
    }
    let family = revision.family.clone()?;
    let outputs = Outputs::from([
        (Output::Arn, revision.task_definition_arn.clone()?),
        (Output::Name, family.clone()),
    ]);
    let spec = TaskDefinition::from_described(revision)?;
    Some(Live { id: family, spec, outputs, tags, phase: Phase::Ready })
}

/// Deregisters and deletes the revisions that payctl owns.
pub(super) async fn retire(aws: &Aws, revisions: &[String]) -> Result<(), OpError> {
    let lives = try_join_all(revisions.iter().map(|arn| describe(aws, arn))).await?;
    let ours = lives.into_iter().flatten().filter(|live| aws.scope.owned(&live.tags).is_some());
    let ours: Vec<String> =
        ours.filter_map(|live| live.outputs.get(&Output::Arn).cloned()).collect();
    for batch in ours.chunks(BATCH) {
        for arn in batch {
            let call = aws.ecs.deregister_task_definition().task_definition(arn);
            call.send().await.map_err(op("DeregisterTaskDefinition")).or_gone()?;
        }
        let call = aws.ecs.delete_task_definitions().set_task_definitions(Some(batch.to_vec()));
        let answer = call.send().await.map_err(op("DeleteTaskDefinitions"))?;
        if let Some(failure) = answer.failures.unwrap_or_default().into_iter().next() {
            let (code, detail) = (failure.reason.unwrap_or_default(), failure.detail);
            return Err(listed("DeleteTaskDefinitions", &code, detail.unwrap_or_default()));
        }
    }
    Ok(())
}
