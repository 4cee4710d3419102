//! Roles one by one, with their policies.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types;
use futures::future::{try_join, try_join_all, try_join3};

use super::{Role, from_tags};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::Survey;
use payctl_engine::model::document::Document;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Live, Phase};
use payctl_engine::model::text::{Output, Outputs, Text};

/// The names of all roles under the environment's own path.
async fn under_path(aws: &Aws) -> Result<Vec<String>, OpError> {
    let pages = aws.iam.list_roles().path_prefix(aws.scope.iam_path()).into_paginator();
    let roles = pages.items().send().try_collect().await.map_err(op("ListRoles"))?;
    Ok(roles.into_iter().map(|role| role.role_name).collect())
}

/// Every role that may matter, each by itself.
pub(super) async fn one_by_one(cx: &Survey<'_>) -> Result<Vec<Live<Role>>, OpError> {
    // A wanted name can be taken under any other path.
    let wanted = try_join_all(cx.wanted.keys().map(|name| probe(cx.aws, name)));
    let (listed, wanted) = try_join(under_path(cx.aws), wanted).await?;
    let names: BTreeSet<String> = listed.into_iter().chain(wanted.into_iter().flatten()).collect();
    let lives = try_join_all(names.iter().map(|name| describe(cx.aws, name))).await?;
    Ok(lives.into_iter().flatten().collect())
}

/// A role that most likely exists: everything at once.
pub(super) async fn describe(aws: &Aws, name: &str) -> Result<Option<Live<Role>>, OpError> {
    let all = try_join3(get(aws, name), inline(aws, name), managed(aws, name));
    match all.await.or_gone()? {
        Some((Some(role), inline, managed)) => to_live(role, inline, managed).map(Some),
        Some((None, ..)) | None => Ok(None),
    }
}

/// The name of a role, if it exists.
async fn probe(aws: &Aws, name: &str) -> Result<Option<String>, OpError> {
    let role = get(aws, name).await.or_gone()?.flatten();
    Ok(role.map(|role| role.role_name))
}

pub(super) async fn get(aws: &Aws, name: &str) -> Result<Option<types::Role>, OpError> {
    let answer = aws.iam.get_role().role_name(name).send().await.map_err(op("GetRole"))?;
    Ok(answer.role)
}

pub(super) async fn inline_names(aws: &Aws, role: &str) -> Result<Vec<String>, OpError> {
    let pages = aws.iam.list_role_policies().role_name(role).into_paginator();
    pages.items().send().try_collect().await.map_err(op("ListRolePolicies"))
}

async fn inline(aws: &Aws, role: &str) -> Result<BTreeMap<String, Document>, OpError> {
    let names = inline_names(aws, role).await?;
    let policies = names.into_iter().map(|name| async move {
        let send = aws.iam.get_role_policy().role_name(role).policy_name(&name).send();
        // Deleted since it was listed.
        let Some(answer) = send.await.map_err(op("GetRolePolicy")).or_gone()? else {
            return Ok(None);
        };
        Ok(Some((name, document("GetRolePolicy", &answer.policy_document)?)))
    });
    Ok(try_join_all(policies).await?.into_iter().flatten().collect())
}

pub(super) async fn managed(aws: &Aws, role: &str) -> Result<BTreeSet<Text>, OpError> {
    let pages = aws.iam.list_attached_role_policies().role_name(role).into_paginator();
    let policies = pages.items().send().try_collect().await;
    let policies = policies.map_err(op("ListAttachedRolePolicies"))?;
    Ok(policies.into_iter().filter_map(|policy| policy.policy_arn).map(Text::from).collect())
}

pub(super) async fn profiles(aws: &Aws, role: &str) -> Result<Vec<String>, OpError> {
    let pages = aws.iam.list_instance_profiles_for_role().role_name(role).into_paginator();
    let profiles = pages.items().send().try_collect().await;
    let profiles = profiles.map_err(op("ListInstanceProfilesForRole"))?;
    Ok(profiles.into_iter().map(|profile| profile.instance_profile_name).collect())
}

pub(super) fn to_live(
    role: types::Role,
    inline: BTreeMap<String, Document>,
    managed: BTreeSet<Text>,
) -> Result<Live<Role>, OpError> {
    let phase = if role.arn.starts_with("arn:") {
        Phase::Ready
    } else {
        Phase::Pending("the role has not reached all of AWS yet".into())
    };
    let boundary = role.permissions_boundary.and_then(|policy| policy.permissions_boundary_arn);
    Ok(Live {
        id: role.role_name.clone(),
        outputs: Outputs::from([(Output::Arn, role.arn), (Output::Name, role.role_name.clone())]),
        tags: from_tags(role.tags.as_deref().unwrap_or_default()),
        phase,
        spec: Role {
            name: role.role_name,
            path: role.path,
            description: role.description.unwrap_or_default(),
            trust: match role.assume_role_policy_document {
                Some(text) => document("GetRole", &text)?,
                None => Document::of([]),
            },
            inline,
            managed,
            max_session: role.max_session_duration.and_then(|seconds| seconds.try_into().ok()),
            boundary: boundary.map(Text::from),
        },
    })
}

pub(super) fn document(op: &str, text: &str) -> Result<Document, OpError> {
    Document::parse(text)
        .map_err(|error| OpError::new(op, ErrorClass::Bug, "Policy", error.to_string()))
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;
    use crate::aws::resource::Resource as _;
    use payctl_engine::model::live::Tags;

    fn role(arn: &str) -> types::Role {
        let trust = Role::sample().trust.to_json().replace('{', "%7B").replace('"', "%22");
        types::Role::builder()
            .role_name("sample-role")
            .path("/payctl/payment/sample/us-east-1/")
            .role_id("AROASAMPLE")
            .arn(arn)
            .create_date(DateTime::from_secs(0))
            .assume_role_policy_document(trust)
            .description("What the sample service may do.")
            .max_session_duration(3600)
            .tags(types::Tag::builder().key("aws:x").value("1").build().unwrap())
            .tags(types::Tag::builder().key("Team").value("pay").build().unwrap())
            .build()
            .unwrap()
    }

    #[test]
    fn a_role_is_read_back_as_it_was_wanted() {
        let inline = Role::sample().inline;
        let live = to_live(role("arn:aws:iam::1:role/r"), inline, BTreeSet::new()).unwrap();
        assert_eq!(live.spec, Role::sample());
        assert_eq!(live.phase, Phase::Ready);
        assert_eq!(live.tags, Tags::from([("Team".into(), "pay".into())]));
    }

    #[test]
    fn a_role_whose_arn_is_its_id_is_not_ready() {
        let live = to_live(role("AROASAMPLE"), BTreeMap::new(), BTreeSet::new()).unwrap();
        assert!(matches!(live.phase, Phase::Pending(_)));
    }
}
