//! All roles of an account with two operations.
//!
//! AWS quirks: `GetAccountAuthorizationDetails` returns policies and tags of every role, but not
//! the description and the session time, which `ListRoles` returns. Both have pages, so in an
//! account with very many roles payctl reads its own roles one by one. Some organisations deny the
//! first call to most users.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{EntityType, Role as Listed, RoleDetail};
use futures::future::try_join;

use super::read::{document, to_live};
use super::{Role, from_tags};
use crate::aws::clients::Aws;
use crate::aws::error::op;
use crate::aws::resource::Survey;
use payctl_engine::model::document::Document;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Live;
use payctl_engine::model::text::Text;

/// How many roles an account may have to be asked for all of them.
const MOST: usize = 500;

/// The roles under the environment's path and those with wanted names. `None` if they are better
/// asked for one by one.
pub(super) async fn survey(cx: &Survey<'_>) -> Result<Option<Vec<Live<Role>>>, OpError> {
    let Some((details, listed)) = everything(cx.aws).await? else { return Ok(None) };
    let path = cx.aws.scope.iam_path();
    let mut details: BTreeMap<String, RoleDetail> = details
        .into_iter()
        .filter_map(|detail| Some((detail.role_name.clone()?, detail)))
        .collect();
    let mut lives = Vec::new();
    for role in listed {
        // An object that only its tags claim is reported and left alone.
        let claims = |detail: &RoleDetail| {
            cx.aws.scope.owned(&from_tags(detail.tags.as_deref().unwrap_or_default())).is_some()
        };
        let is_meant = role.path == path
            || cx.wanted.contains_key(&role.role_name)
            || details.get(&role.role_name).is_some_and(claims);
        if !is_meant {
            continue;
        }
        // One of the answers is older than the other.
        let Some(detail) = details.remove(&role.role_name) else { return Ok(None) };
        lives.push(join(role, detail)?);
    }
    let is_ours = |detail: &RoleDetail| detail.path.as_deref() == Some(path.as_str());
    Ok((!details.values().any(is_ours)).then_some(lives))
}

async fn everything(aws: &Aws) -> Result<Option<(Vec<RoleDetail>, Vec<Listed>)>, OpError> {
    match try_join(details(aws), listed(aws)).await {
        Ok(both) => Ok(Some(both)),
        Err(Stop::OneByOne) => Ok(None),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Why reading all roles stops.
enum Stop {
    /// There are too many roles, or the caller may not read all of them.
    OneByOne,
    Failed(OpError),
}

impl From<OpError> for Stop {
    fn from(error: OpError) -> Self {
        match error.class {
            ErrorClass::Denied => Self::OneByOne,
            _ => Self::Failed(error),
        }
    }
}

async fn details(aws: &Aws) -> Result<Vec<RoleDetail>, Stop> {
    let call = aws.iam.get_account_authorization_details().filter(EntityType::Role);
    let mut pages = call.max_items(1000).into_paginator().send();
    let mut details = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(op("GetAccountAuthorizationDetails"))?;
        details.extend(page.role_detail_list.unwrap_or_default());
        if details.len() > MOST {
            return Err(Stop::OneByOne);
        }
    }
    Ok(details)
}

async fn listed(aws: &Aws) -> Result<Vec<Listed>, Stop> {
    let pages = aws.iam.list_roles().max_items(1000).into_paginator();
    Ok(pages.items().send().try_collect().await.map_err(op("ListRoles"))?)
}

fn join(role: Listed, detail: RoleDetail) -> Result<Live<Role>, OpError> {
    let policies = detail.role_policy_list.unwrap_or_default().into_iter();
    let inline: Result<BTreeMap<String, Document>, OpError> = policies
        .filter_map(|policy| Some((policy.policy_name?, policy.policy_document?)))
        .map(|(name, text)| Ok((name, document("GetAccountAuthorizationDetails", &text)?)))
        .collect();
    let managed = detail.attached_managed_policies.unwrap_or_default().into_iter();
    let managed: BTreeSet<Text> =
        managed.filter_map(|policy| policy.policy_arn).map(Text::from).collect();
    let mut whole = role;
    whole.tags = detail.tags;
    whole.permissions_boundary = detail.permissions_boundary;
    to_live(whole, inline?, managed)
}
