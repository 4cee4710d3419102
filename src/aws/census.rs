//! Every environment of an account and region, from tags alone: no config, no project, no survey.
//!
//! AWS quirks: the Resource Groups Tagging API lags behind by seconds to minutes, still lists some
//! deleted objects, and does not know every type. The kinds that it does not know have an `Index`.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_resourcegroupstagging::types::TagFilter;
use futures::future::{BoxFuture, join_all, try_join, try_join_all};

use super::clients::{Aws, retry_read};
use super::error::op;
use super::kinds::{CLAIMS, HOLDERS, INDEXES};
use super::leftovers::{self, Holder};
use super::provider::AwsProvider;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Tags;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::{TAG_ADDRESS, TAG_BORROWS, TAG_ENV, TAG_PROJECT, TAG_REGION};

/// One object, as an index knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// Its ARN.
    pub arn: String,
    /// Its tags, as far as the index tells them; the project, the environment and the region are among them.
    pub tags: Tags,
}

/// A list of the objects of all environments of which the tagging API knows nothing.
#[derive(Clone, Copy)]
pub struct Index {
    /// What asking needs.
    pub permits: &'static [Permit],
    /// Asks for the list.
    pub ask: for<'a> fn(&'a Aws) -> Asked<'a>,
}

/// The IAM actions that a list of all environments needs, beside those of the indexes and the holders.
pub const ACTIONS: &[&str] = &["sts:GetCallerIdentity", "tag:GetResources"];

/// The answer of an index.
pub type Asked<'a> = BoxFuture<'a, Result<Vec<Indexed>, OpError>>;

/// An environment by project and name.
pub type Identity = (String, String);

/// The objects of all environments of the account in this region.
pub async fn environments(aws: &Aws) -> Result<BTreeMap<Identity, Vec<Indexed>>, OpError> {
    let others = try_join_all(INDEXES.iter().map(|index| (index.ask)(aws)));
    let (tagged, others) = try_join(listed_of_all(aws), others).await?;
    let mut environments: BTreeMap<Identity, Vec<Indexed>> = BTreeMap::new();
    for one in tagged.into_iter().chain(others.into_iter().flatten()) {
        let own = [TAG_PROJECT, TAG_ENV].map(|key| one.tags.get(key).cloned());
        let is_here = one.tags.get(TAG_REGION) == Some(&aws.scope.region);
        if let ([Some(project), Some(env)], true) = (own, is_here) {
            environments.entry((project, env)).or_default().push(one);
        }
    }
    environments.values_mut().for_each(drop_copies);
    without_held(aws, environments).await
}

/// AWS copies the tags of an instance to its network interfaces and volumes. The copies are no objects of
/// their own while the original is there.
fn drop_copies(all: &mut Vec<Indexed>) {
    let address = |one: &Indexed| one.tags.get(TAG_ADDRESS).cloned();
    let is_copy = |one: &Indexed| {
        let part = one.arn.rsplit(':').next().unwrap_or_default();
        ["network-interface/", "volume/"].iter().any(|kind| part.starts_with(kind))
    };
    let originals: BTreeSet<_> =
        all.iter().filter(|one| !is_copy(one)).filter_map(address).collect();
    all.retain(|one| !is_copy(one) || address(one).is_none_or(|it| !originals.contains(&it)));
}

/// What the tagging API lists of all environments.
pub(super) async fn listed_of_all(aws: &Aws) -> Result<Vec<Indexed>, OpError> {
    tagged(aws, vec![has(TAG_ENV)]).await
}

/// How many objects payctl asks for, to tell an environment from what is listed of a destroyed one.
const QUESTIONS: usize = 30;

/// Leaves out environments that are destroyed: AWS deletes a key or a secret of theirs by itself, and
/// everything else that is listed is gone, or stays on purpose.
async fn without_held(
    aws: &Aws,
    mut environments: BTreeMap<Identity, Vec<Indexed>>,
) -> Result<BTreeMap<Identity, Vec<Indexed>>, OpError> {
    let listed = environments.iter().filter(|(_, all)| all.len() <= QUESTIONS);
    let first = listed.filter_map(|(identity, all)| {
        let at = all.iter().position(|one| holder_of(one).is_some())?;
        Some((identity, all, at))
    });
    let asked = first.take(QUESTIONS).map(|(identity, all, at)| async move {
        let one = &all[at];
        let Some(holder) = holder_of(one) else { return Ok(None) };
        let held = retry_read(|| (holder.ask)(aws, &one.arn)).await?;
        Ok::<_, OpError>(held.is_some().then_some((identity, all, at)))
    });
    let held = try_join_all(asked).await?.into_iter().flatten();
    let mut left = QUESTIONS;
    let judged = held.filter(|(_, all, _)| {
        let fits = all.len() <= left;
        left -= if fits { all.len() } else { 0 };
        fits
    });
    let judged = judged.map(|(identity, all, at)| async move {
        let provider = AwsProvider::new(aws.of(&identity.0, &identity.1));
        let others = all.iter().enumerate().filter(|(other, _)| *other != at);
        let gone = others.map(|(_, one)| leftovers::is_gone(&provider, one));
        join_all(gone).await.iter().all(|gone| *gone).then(|| identity.clone())
    });
    let judged: Vec<Identity> = join_all(judged).await.into_iter().flatten().collect();
    for destroyed in judged {
        environments.remove(&destroyed);
    }
    Ok(environments)
}

/// How AWS holds a deleted object of this kind, if it does.
fn holder_of(one: &Indexed) -> Option<&'static Holder> {
    let kind = one.tags.get(TAG_ADDRESS)?.split('/').next()?;
    HOLDERS.iter().find(|holder| holder.kind == kind)
}

/// The ARNs of all objects of a type that have these tags.
pub(super) async fn tagged_as(aws: &Aws, kind: &str, tags: &Tags) -> Result<Vec<String>, OpError> {
    let filters =
        tags.iter().map(|(key, value)| TagFilter::builder().key(key).values(value).build());
    let found = tagged_of(aws, filters.collect(), vec![kind.to_owned()]).await?;
    Ok(found.into_iter().map(|one| one.arn).collect())
}

/// What the tagging API still lists of this environment.
pub async fn listed(aws: &Aws) -> Result<Vec<Indexed>, OpError> {
    let own = [(TAG_PROJECT, &aws.scope.project), (TAG_ENV, &aws.scope.env)];
    let filters = own.map(|(key, value)| TagFilter::builder().key(key).values(value).build());
    let mut listed = tagged(aws, filters.into()).await?;
    listed.retain(|one| one.tags.get(TAG_REGION) == Some(&aws.scope.region));
    Ok(listed)
}

/// The environments of the project whose tags say that they use something of this one.
pub async fn claimants(aws: &Aws) -> Result<BTreeSet<String>, OpError> {
    let others = CLAIMS.iter().map(|index| async move { known((index.ask)(aws).await) });
    let others = try_join_all(others);
    let tagged = async { known(tagged(aws, vec![has(TAG_BORROWS)]).await) };
    let (mut found, others) = try_join(tagged, others).await?;
    found.extend(others.into_iter().flatten());
    let borrows = |one: &Indexed| {
        let lenders = one.tags.get(TAG_BORROWS)?;
        let own = one.tags.get(TAG_PROJECT) == Some(&aws.scope.project)
            && one.tags.get(TAG_REGION) == Some(&aws.scope.region)
            && lenders.split(' ').any(|lender| lender == aws.scope.env);
        one.tags.get(TAG_ENV).filter(|_| own).cloned()
    };
    Ok(found.iter().filter_map(borrows).collect())
}

/// The answer. An endpoint that does not know the question holds nothing of the sort.
fn known(found: Result<Vec<Indexed>, OpError>) -> Result<Vec<Indexed>, OpError> {
    match found {
        Err(error) if error.class == ErrorClass::Unsupported => Ok(Vec::new()),
        found => found,
    }
}

fn has(key: &str) -> TagFilter {
    TagFilter::builder().key(key).build()
}

async fn tagged(aws: &Aws, filters: Vec<TagFilter>) -> Result<Vec<Indexed>, OpError> {
    tagged_of(aws, filters, Vec::new()).await
}

/// The same for some types; of all types if none is named.
async fn tagged_of(
    aws: &Aws,
    filters: Vec<TagFilter>,
    types: Vec<String>,
) -> Result<Vec<Indexed>, OpError> {
    let ask = || async {
        let call = aws.resourcegroupstagging.get_resources().resources_per_page(100);
        let call = call.set_tag_filters(Some(filters.clone()));
        let call = call.set_resource_type_filters((!types.is_empty()).then(|| types.clone()));
        let mut pages = call.into_paginator().items().send();
        let mut all = Vec::new();
        while let Some(one) = pages.next().await {
            let one = one.map_err(op("GetResources"))?;
            let tags = one.tags.unwrap_or_default().into_iter();
            let tags = tags.map(|tag| (tag.key, tag.value)).collect();
            all.push(Indexed { arn: one.resource_arn.unwrap_or_default(), tags });
        }
        Ok::<_, OpError>(all)
    };
    retry_read(ask).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indexed(part: &str, address: &str) -> Indexed {
        Indexed {
            arn: format!("arn:aws:ec2:us-east-1:111122223333:{part}"),
            tags: Tags::from([(TAG_ADDRESS.to_owned(), address.to_owned())]),
        }
    }

    #[test]
    fn copies_of_tags_do_not_count_beside_the_original() {
        let web = "ec2.instance/web";
        let instance = indexed("instance/i-1", web);
        let copies = [indexed("volume/vol-1", web), indexed("network-interface/eni-1", web)];
        let mut all = vec![copies[0].clone(), instance.clone(), copies[1].clone()];
        drop_copies(&mut all);
        assert_eq!(all, [instance]);
        // What an instance left behind is an object like any other.
        let mut left = copies.to_vec();
        drop_copies(&mut left);
        assert_eq!(left, copies);
    }
}
