//! IAM roles, with inline policies and attached managed policies folded in.
//!
//! AWS quirks: documents come back URL-encoded. The list of roles does not have tags or boundaries.
//! Names are unique in the account, whatever the path. Two calls return everything about all roles
//! of the account, while a single role needs four. Right after creation the ARN may come back as
//! the unique id (`AROA...`) until the role has spread. A role with attachments cannot be deleted.

mod bulk;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_iam::types;
use futures::future::{try_join, try_join_all, try_join3};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::drawn::{Drawn, Flow};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::size::{SizeLimit, characters_of_all};
use payctl_engine::model::text::{Output, Text, each_ref};
use payctl_money::load::{Driver, Passed};
use read::{describe, get, inline_names, managed, one_by_one, profiles};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Role {
    /// The name, unique in the account.
    pub name: String,
    /// The path, `Scope::iam_path` for every role that payctl makes.
    pub path: String,
    /// Its description.
    pub description: String,
    /// Who may assume it.
    pub trust: Document,
    /// Inline policies by name; any other is removed.
    pub inline: BTreeMap<String, Document>,
    /// ARNs of attached managed policies; any other is detached.
    pub managed: BTreeSet<Text>,
    /// How long a session may last, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_session: Option<u32>,
    /// The ARN of the permissions boundary; `None` means that there must not be one.
    #[serde(default)]
    pub boundary: Option<Text>,
}

impl Role {
    /// The wanted spec of a role in a plan; `None` for other kinds.
    pub(crate) fn of(address: &Address, spec: &Value) -> Option<Self> {
        Self::deserialize(spec).ok().filter(|_| address.kind == Self::META.kind)
    }

    /// What a call of whoever has the role brings to others: one call of each sort that it allows, such as
    /// one read and one write of a table.
    pub(crate) fn driven(&self, cx: &Costs<'_>) -> BTreeSet<(Address, Driver)> {
        let mut driven = BTreeSet::new();
        let statements = self.inline.values().flat_map(Document::statements);
        for statement in statements.filter(|statement| statement["Effect"] == "Allow") {
            let actions = statement["Action"].as_array().into_iter().flatten();
            let actions: Vec<&str> = actions.filter_map(Value::as_str).collect();
            each_ref(&statement["Resource"], &mut |reference| {
                let to = &reference.to;
                let drivers = actions.iter().filter_map(|action| cx.driven(to, action));
                driven.extend(drivers.map(|driver| (to.clone(), driver)));
            });
        }
        driven
    }

    /// Whether Lambda can delete the interfaces of functions with its permissions.
    pub(crate) fn takes_interfaces_away(&self) -> bool {
        const MANAGED: [&str; 2] =
            ["/AWSLambdaENIManagementAccess", "/AWSLambdaVPCAccessExecutionRole"];
        const ACTIONS: [&str; 2] = ["\"ec2:DeleteNetworkInterface\"", "\"ec2:*\""];
        let mut managed = self.managed.iter().filter_map(Text::literal);
        managed.any(|arn| MANAGED.iter().any(|policy| arn.ends_with(policy)))
            || self.inline.values().any(|document| {
                let text = document.to_json();
                ACTIONS.iter().any(|action| text.contains(action))
            })
    }
}

impl Resource for Role {
    const META: Meta = Meta {
        drawn: Drawn::badge("role", "role", &[]).with(flows),
        notes: &[
            "Other services can use a new role after 5 to 60 seconds; payctl retries.",
            "A recreated role with the same name is another principal: policies that name the old \
             one must be written again.",
            "The inline policies of a role have at most 10240 characters in total.",
        ],
        immutable: &["name", "path"],
        // Lambda removes the interfaces of a deleted function in the name of the function's role.
        delete_after: &["ec2.subnet"],
        replace: Replace::DeleteFirst,
        deadline: Duration::from_secs(180),
        read_lag: Duration::from_secs(30),
        // A role or user that was made a moment ago. A service's name that is wrong stays wrong.
        transient: &[("MalformedPolicyDocument", "Invalid principal in policy: \"AWS\"")],
        told: true,
        gone_at_once: true,
        permits: &[
            Permit::look(&["iam:GetAccountAuthorizationDetails", "iam:ListRoles"], &["*"]),
            Permit::look(
                &[
                    "iam:GetRole",
                    "iam:GetRolePolicy",
                    "iam:ListAttachedRolePolicies",
                    "iam:ListRolePolicies",
                ],
                &["iam::{account}:role/{seen}"],
            ),
            Permit::create(&["iam:CreateRole"], &["iam::{account}:role{path}*"]),
            Permit::set(
                &["iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:TagRole"],
                &["iam::{account}:role{path}*"],
            ),
            Permit::change(
                &[
                    "iam:DeleteRolePermissionsBoundary",
                    "iam:DeleteRolePolicy",
                    "iam:DetachRolePolicy",
                    "iam:PutRolePermissionsBoundary",
                    "iam:UntagRole",
                    "iam:UpdateAssumeRolePolicy",
                    "iam:UpdateRole",
                ],
                &["iam::{account}:role{path}*"],
            ),
            Permit::delete(
                &[
                    "iam:DeleteRole",
                    "iam:DeleteRolePolicy",
                    "iam:DetachRolePolicy",
                    "iam:ListInstanceProfilesForRole",
                ],
                &["iam::{account}:role{path}*"],
            ),
            Permit::delete(
                &["iam:RemoveRoleFromInstanceProfile"],
                &["iam::{account}:instance-profile{path}*"],
            ),
        ],
        names: Some(
            NameRule::new(
                "role",
                64,
                r"^[\w+=,.@-]{1,64}$",
                "a role's name is 1 to 64 letters, digits and _+=,.@-",
            )
            .of_account(),
        ),
        arn: Some("iam::{account}:role{path}{name}"),
        sizes: &[
            SizeLimit::policy("trust policy", "trust", 2048),
            SizeLimit {
                measure: characters_of_all,
                ..SizeLimit::policy("inline policies", "inline", 10_240)
            },
        ],
        section: "roles",
        predicted: &[(Output::Arn, "{arn}"), (Output::Name, "{name}")],
        new_identity: true,
        asked: &["managed", "max_session"],
        typical: Typical::seconds(10, 2, 2).calls(3, 6, 4),
        serves: true,
        pricing: Pricing::Free("AWS charges nothing for IAM."),
        ..Meta::new("iam.role", "iam", "An IAM role with its inline and managed policies.")
    };

    fn sample() -> Self {
        let read = serde_json::json!({
            "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::sample/*",
        });
        Self {
            name: "sample-role".into(),
            path: "/payctl/payment/sample/us-east-1/".into(),
            description: "What the sample service may do.".into(),
            trust: trust(&["lambda.amazonaws.com", "vpc-flow-logs.amazonaws.com"]),
            inline: BTreeMap::from([("read".into(), Document::of([read]))]),
            managed: BTreeSet::new(),
            max_session: Some(3600),
            boundary: None,
        }
    }

    fn variants() -> Vec<Self> {
        let managed = |name: &str| Text::from(format!("arn:aws:iam::aws:policy/{name}"));
        let write = serde_json::json!({
            "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::sample/*",
        });
        vec![
            Self {
                description: "Another purpose.".into(),
                trust: trust(&["ec2.amazonaws.com"]),
                max_session: Some(7200),
                ..Self::sample()
            },
            Self {
                inline: BTreeMap::from([("write".into(), Document::of([write]))]),
                managed: BTreeSet::from([managed("AmazonSSMManagedInstanceCore")]),
                ..Self::sample()
            },
            Self {
                inline: BTreeMap::new(),
                managed: BTreeSet::from([managed("CloudWatchAgentServerPolicy")]),
                boundary: Some(managed("ReadOnlyAccess")),
                ..Self::sample()
            },
            Self::sample(),
        ]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let calls = cx.load(Driver::Calls);
        let flow = |(to, driver)| Passed { to, driver, quantity: calls };
        self.driven(cx).into_iter().map(flow).collect()
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let lives = match bulk::survey(cx).await? {
            Some(lives) => lives,
            None => one_by_one(cx).await?,
        };
        let found = lives.into_iter().filter_map(|live| {
            let (address, owner) = cx.claim_at(&live.spec.path, &live.id, &live.tags)?;
            Some(Found { address, owner, live })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        describe(cx.aws, cx.id()).await
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        let role = get(cx.aws, cx.id()).await.or_gone()?.flatten();
        Ok(role.map(|role| Live {
            tags: from_tags(role.tags.as_deref().unwrap_or_default()),
            spec: Self { path: role.path, ..planned.spec },
            ..planned
        }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        cx.aws
            .iam
            .create_role()
            .role_name(&self.name)
            .path(&self.path)
            .description(&self.description)
            .assume_role_policy_document(self.trust.to_json())
            .set_max_session_duration(self.session())
            .set_permissions_boundary(self.boundary.as_ref().map(|arn| arn.known().to_owned()))
            .set_tags(Some(to_tags(cx.tags)))
            .send()
            .await
            .map_err(op("CreateRole"))?;
        let bare = Self { inline: BTreeMap::new(), managed: BTreeSet::new(), ..self.clone() };
        self.add_policies(cx.aws, &bare).await?;
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        self.update_role(cx.aws, live).await?;
        // Additions come first, so that no permission is missing in between.
        self.add_policies(cx.aws, &live.spec).await?;
        self.remove_policies(cx.aws, live).await
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call = cx.aws.iam.tag_role().role_name(&live.id).set_tags(Some(to_tags(set)));
        call.send().await.map_err(op("TagRole")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let call = cx.aws.iam.untag_role().role_name(&live.id).set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagRole")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (aws, role) = (cx.aws, live.id.as_str());
        // The current attachments count, not those of the plan.
        let now = try_join3(profiles(aws, role), managed(aws, role), inline_names(aws, role));
        let Some((profiles, managed, inline)) = now.await.or_gone()? else { return Ok(()) };
        try_join3(
            try_join_all(profiles.iter().map(|profile| remove_from(aws, profile, role))),
            try_join_all(managed.iter().map(|arn| detach(aws, role, arn.known()))),
            try_join_all(inline.iter().map(|name| delete_inline(aws, role, name))),
        )
        .await?;
        let send = aws.iam.delete_role().role_name(role).send();
        send.await.map_err(op("DeleteRole")).or_gone().map(drop)
    }
}

impl Role {
    fn session(&self) -> Option<i32> {
        self.max_session.and_then(|seconds| i32::try_from(seconds).ok())
    }

    async fn update_role(&self, aws: &Aws, live: &Live<Self>) -> Result<(), OpError> {
        if self.trust != live.spec.trust {
            aws.iam
                .update_assume_role_policy()
                .role_name(&live.id)
                .policy_document(self.trust.to_json())
                .send()
                .await
                .map_err(op("UpdateAssumeRolePolicy"))?;
        }
        let session = self.session().or(live.spec.session());
        if self.description != live.spec.description || session != live.spec.session() {
            aws.iam
                .update_role()
                .role_name(&live.id)
                .description(&self.description)
                .set_max_session_duration(session)
                .send()
                .await
                .map_err(op("UpdateRole"))?;
        }
        match (&self.boundary, &live.spec.boundary) {
            (Some(new), old) if old.as_ref() != Some(new) => {
                let call = aws.iam.put_role_permissions_boundary().role_name(&live.id);
                let send = call.permissions_boundary(new.known()).send();
                let result = send.await.map_err(op("PutRolePermissionsBoundary"));
                result.map_err(|error| known_to_aws(error, new.known())).map(drop)
            }
            (None, Some(_)) => {
                let send = aws.iam.delete_role_permissions_boundary().role_name(&live.id).send();
                send.await.map_err(op("DeleteRolePermissionsBoundary")).map(drop)
            }
            (Some(_), _) | (None, None) => Ok(()),
        }
    }

    async fn add_policies(&self, aws: &Aws, now: &Self) -> Result<(), OpError> {
        let old = &now.inline;
        let new = self.inline.iter().filter(|(name, policy)| old.get(*name) != Some(*policy));
        let put = new.map(|(name, policy)| async move {
            aws.iam
                .put_role_policy()
                .role_name(&self.name)
                .policy_name(name)
                .policy_document(policy.to_json())
                .send()
                .await
                .map_err(op("PutRolePolicy"))
        });
        let attach = self.managed.difference(&now.managed).map(|arn| async move {
            let call = aws.iam.attach_role_policy().role_name(&self.name).policy_arn(arn.known());
            let attached = call.send().await.map_err(op("AttachRolePolicy"));
            attached.map_err(|error| known_to_aws(error, arn.known()))
        });
        try_join(try_join_all(put), try_join_all(attach)).await.map(drop)
    }

    async fn remove_policies(&self, aws: &Aws, live: &Live<Self>) -> Result<(), OpError> {
        let role = live.id.as_str();
        let inline = live.spec.inline.keys().filter(|name| !self.inline.contains_key(*name));
        let managed = live.spec.managed.difference(&self.managed);
        try_join(
            try_join_all(inline.map(|name| delete_inline(aws, role, name))),
            try_join_all(managed.map(|arn| detach(aws, role, arn.known()))),
        )
        .await
        .map(drop)
    }
}

/// AWS's own policies are always there: one that is not found will not turn up by waiting.
fn known_to_aws(error: OpError, policy: &str) -> OpError {
    let is_final = error.class == ErrorClass::NotFound
        && policy.contains(":iam::aws:policy/")
        && error.message.contains(policy);
    if is_final { OpError { class: ErrorClass::Invalid, ..error } } else { error }
}

async fn detach(aws: &Aws, role: &str, arn: &str) -> Result<(), OpError> {
    let send = aws.iam.detach_role_policy().role_name(role).policy_arn(arn).send();
    send.await.map_err(op("DetachRolePolicy")).or_gone().map(drop)
}

async fn delete_inline(aws: &Aws, role: &str, name: &str) -> Result<(), OpError> {
    let send = aws.iam.delete_role_policy().role_name(role).policy_name(name).send();
    send.await.map_err(op("DeleteRolePolicy")).or_gone().map(drop)
}

/// Takes a role out of an instance profile.
pub(super) async fn remove_from(aws: &Aws, profile: &str, role: &str) -> Result<(), OpError> {
    let call = aws.iam.remove_role_from_instance_profile().instance_profile_name(profile);
    let send = call.role_name(role).send();
    send.await.map_err(op("RemoveRoleFromInstanceProfile")).or_gone().map(drop)
}

/// Tags as IAM takes them.
pub(super) fn to_tags(tags: &Tags) -> Vec<types::Tag> {
    let tag = |(key, value): (&String, &String)| {
        types::Tag::builder().key(key).value(value).build().expect("a tag has a key and a value")
    };
    tags.iter().map(tag).collect()
}

/// Tags as IAM returns them, without AWS's own.
pub(super) fn from_tags(tags: &[types::Tag]) -> Tags {
    let ours = tags.iter().filter(|tag| !tag.key.starts_with("aws:"));
    ours.map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// Lets AWS services assume a role.
fn trust(services: &[&str]) -> Document {
    Document::of([serde_json::json!({
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": services },
    })])
}

/// What it may do with what: calls that its owner makes, unless a flow is known already.
fn flows(spec: &Value) -> Vec<Flow> {
    let inline = spec.get("inline").and_then(Value::as_object);
    let policies = inline.into_iter().flat_map(|policies| policies.values());
    let statements = policies.filter_map(|policy| policy.get("Statement")?.as_array()).flatten();
    let allowed =
        statements.filter(|one| one.get("Effect").and_then(Value::as_str) == Some("Allow"));
    let of = |statement: &Value| {
        let actions = statement.get("Action").and_then(Value::as_array).into_iter().flatten();
        let calls: Vec<&str> =
            actions.filter_map(|action| Some(action.as_str()?.split_once(':')?.1)).collect();
        let label = match &calls[..] {
            [] => String::new(),
            [one] => (*one).to_owned(),
            [one, two] => format!("{one}, {two}"),
            [one, ..] => format!("{one} and {} more", calls.len() - 1),
        };
        Flow::out(statement, "/Resource", &label)
    };
    allowed.flat_map(of).map(Flow::implied).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_aws_managed_policy_is_an_invalid_name() {
        let class = |policy: &str, named: &str| {
            let message = format!("Policy {named} does not exist or is not attachable.");
            let error = OpError::new("op", ErrorClass::NotFound, "NoSuchEntity", message);
            known_to_aws(error, policy).class
        };
        let (typo, own) = ("arn:aws:iam::aws:policy/Typo", "arn:aws:iam::1:policy/own");
        assert_eq!(class(typo, typo), ErrorClass::Invalid);
        assert_eq!(class(own, own), ErrorClass::NotFound);
        assert_eq!(class(typo, "the role"), ErrorClass::NotFound);
    }

    #[test]
    fn a_boundary_that_the_config_drops_must_be_absent() {
        let spec = serde_json::to_value(Role::sample()).unwrap();
        assert_eq!(spec.get("boundary"), Some(&serde_json::Value::Null));
    }
}
