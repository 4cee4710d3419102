//! Instance profiles, with their one role folded in.
//!
//! AWS quirks: a profile has at most one role, so a change first removes the old role. Lists may
//! leave out the tags. EC2 sees a new profile only after some seconds.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_iam::types;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::role::{from_tags, remove_from, to_tags};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::ROOT;
use payctl_engine::model::text::{Output, Outputs, Text};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstanceProfile {
    /// The name, unique in the account.
    pub name: String,
    /// The path, `Scope::iam_path` for every profile that payctl makes.
    pub path: String,
    /// The name of the role.
    pub role: Text,
}

impl Resource for InstanceProfile {
    const META: Meta = Meta {
        drawn: Drawn::badge("role", "instance profile", &[]),
        notes: &["EC2 accepts a new profile after 10 seconds or more; payctl retries."],
        immutable: &["name", "path"],
        replace: Replace::DeleteFirst,
        deadline: Duration::from_secs(180),
        read_lag: Duration::from_secs(30),
        transient: &[
            ("InvalidParameterValue", "Invalid IAM Instance Profile name"),
            // The role that it had, or the one that it was just given, is not seen yet.
            ("LimitExceeded", "InstanceSessionsPerInstanceProfile"),
        ],
        told: true,
        gone_at_once: true,
        permits: &[
            Permit::look(&["iam:ListInstanceProfiles"], &["*"]),
            Permit::look(&["iam:GetInstanceProfile"], &["iam::{account}:instance-profile/{seen}"]),
            Permit::create(
                &["iam:CreateInstanceProfile"],
                &["iam::{account}:instance-profile{path}*"],
            ),
            Permit::set(&["iam:TagInstanceProfile"], &["iam::{account}:instance-profile{path}*"]),
            Permit::set(
                &["iam:AddRoleToInstanceProfile"],
                &["iam::{account}:instance-profile{path}*"],
            ),
            Permit::set(&["iam:PassRole"], &["iam::{account}:role{path}*"])
                .where_equal("iam:PassedToService", "ec2.amazonaws.com"),
            Permit::change(
                &["iam:RemoveRoleFromInstanceProfile", "iam:UntagInstanceProfile"],
                &["iam::{account}:instance-profile{path}*"],
            ),
            Permit::delete(
                &["iam:DeleteInstanceProfile", "iam:RemoveRoleFromInstanceProfile"],
                &["iam::{account}:instance-profile{path}*"],
            ),
        ],
        names: Some(
            NameRule::new(
                "profile",
                128,
                r"^[\w+=,.@-]{1,128}$",
                "a profile's name is 1 to 128 letters, digits and _+=,.@-",
            )
            .of_account(),
        ),
        arn: Some("iam::{account}:instance-profile{path}{name}"),
        section: "roles",
        predicted: &[(Output::Arn, "{arn}"), (Output::Name, "{name}")],
        new_identity: true,
        typical: Typical::seconds(10, 5, 3).calls(2, 4, 4),
        serves: true,
        felt: &[("role", Traffic::NewConnections)],
        pricing: Pricing::Free("AWS charges nothing for IAM."),
        ..Meta::new("iam.instance_profile", "iam", "An instance profile with its role.")
    };

    fn sample() -> Self {
        Self {
            name: "sample-profile".into(),
            path: "/payctl/payment/sample/us-east-1/".into(),
            role: Text::reference(Address::new("iam.role", "sample"), Output::Name),
        }
    }

    fn variants() -> Vec<Self> {
        vec![Self { role: "".into(), ..Self::sample() }, Self::sample()]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let own = cx.aws.scope.iam_path();
        let path = if cx.aws.is_shared { ROOT } else { &own };
        let listed = cx.aws.iam.list_instance_profiles().path_prefix(path).max_items(1000);
        let listed = listed.into_paginator().items().send().try_collect().await;
        let listed = listed.map_err(op("ListInstanceProfiles"))?.into_iter();
        let listed = listed.filter(|profile| profile.path == own);
        let listed = listed.map(|profile| profile.instance_profile_name);
        // A wanted name can be taken under any other path.
        let names: BTreeSet<String> = listed.chain(cx.wanted.keys().cloned()).collect();
        let lives = try_join_all(names.iter().map(|name| describe(cx.aws, name))).await?;
        let found = lives.into_iter().flatten().filter_map(|live| {
            let (address, owner) = cx.claim_at(&live.spec.path, &live.id, &live.tags)?;
            Some(Found { address, owner, live })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        describe(cx.aws, cx.id()).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        cx.aws
            .iam
            .create_instance_profile()
            .instance_profile_name(&self.name)
            .path(&self.path)
            .set_tags(Some(to_tags(cx.tags)))
            .send()
            .await
            .map_err(op("CreateInstanceProfile"))?;
        if !self.role.known().is_empty() {
            self.add_role(cx.aws).await?;
        }
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (old, new) = (live.spec.role.known(), self.role.known());
        if old == new {
            return Ok(());
        }
        if !old.is_empty() {
            remove_from(cx.aws, &live.id, old).await?;
        }
        if new.is_empty() { Ok(()) } else { self.add_role(cx.aws).await }
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call = cx
            .aws
            .iam
            .tag_instance_profile()
            .instance_profile_name(&live.id)
            .set_tags(Some(to_tags(set)));
        call.send().await.map_err(op("TagInstanceProfile")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let call = cx
            .aws
            .iam
            .untag_instance_profile()
            .instance_profile_name(&live.id)
            .set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagInstanceProfile")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        // The role that it has now counts, not the one when the plan was made.
        let Some(now) = describe(cx.aws, &live.id).await? else { return Ok(()) };
        if !now.spec.role.known().is_empty() {
            remove_from(cx.aws, &live.id, now.spec.role.known()).await?;
        }
        let send = cx.aws.iam.delete_instance_profile().instance_profile_name(&live.id).send();
        send.await.map_err(op("DeleteInstanceProfile")).or_gone().map(drop)
    }
}

impl InstanceProfile {
    async fn add_role(&self, aws: &Aws) -> Result<(), OpError> {
        let call = aws.iam.add_role_to_instance_profile().instance_profile_name(&self.name);
        let send = call.role_name(self.role.known()).send();
        send.await.map_err(op("AddRoleToInstanceProfile")).map(drop)
    }
}

async fn describe(aws: &Aws, name: &str) -> Result<Option<Live<InstanceProfile>>, OpError> {
    let send = aws.iam.get_instance_profile().instance_profile_name(name).send();
    let answer = send.await.map_err(op("GetInstanceProfile")).or_gone()?;
    Ok(answer.and_then(|answer| answer.instance_profile).map(to_live))
}

fn to_live(profile: types::InstanceProfile) -> Live<InstanceProfile> {
    let role = profile.roles.into_iter().next().map(|role| role.role_name);
    Live {
        id: profile.instance_profile_name.clone(),
        outputs: Outputs::from([
            (Output::Arn, profile.arn),
            (Output::Name, profile.instance_profile_name.clone()),
        ]),
        tags: from_tags(profile.tags.as_deref().unwrap_or_default()),
        phase: Phase::Ready,
        spec: InstanceProfile {
            name: profile.instance_profile_name,
            path: profile.path,
            role: role.unwrap_or_default().into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;

    #[test]
    fn a_profile_without_role_has_an_empty_role() {
        let profile = types::InstanceProfile::builder()
            .instance_profile_name("p")
            .path("/")
            .instance_profile_id("AIPA")
            .arn("arn:aws:iam::1:instance-profile/p")
            .create_date(DateTime::from_secs(0))
            .set_roles(Some(Vec::new()))
            .build()
            .unwrap();
        let live = to_live(profile);
        assert_eq!(live.spec.role, Text::from(""));
        assert_eq!(live.id, "p");
    }
}
