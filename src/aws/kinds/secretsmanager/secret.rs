//! Secrets. payctl generates their value once, or people set it; payctl never shows it.
//!
//! AWS quirks: the name of a deleted secret stays taken for 7 to 30 days (some seconds after a
//! forced deletion). ListSecrets lags minutes behind, DescribeSecret does not. The ARN ends in
//! characters that differ after every creation. No call here reads a value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::{self, FilterNameStringType, SecretListEntry};
use futures::future::try_join_all;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::kinds::kms::key::{DEFAULT_RECOVERY, TAG_RECOVERY};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::{Scope, TAG_ENV};
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed};

mod value;

pub(crate) use value::bring;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secret {
    /// The name.
    pub name: String,
    /// Its description.
    #[serde(default, deserialize_with = "description")]
    pub description: Option<String>,
    /// The KMS key, by id, ARN or alias; the account's aws/secretsmanager key if none.
    #[serde(default, deserialize_with = "key")]
    pub key: Option<Text>,
    /// How the first value is made. Never read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<Generate>,
    /// How long a deleted secret can be brought back, in days; 0 deletes at once (kept in a tag).
    pub recovery_days: u32,
    /// Whether it holds a value. payctl only reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_value: Option<bool>,
}

/// An empty description counts as none.
fn description<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// AWS's own key counts as none.
fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    Ok(Option::<Text>::deserialize(deserializer)?.filter(|key| *key != DEFAULT_KEY.into()))
}

/// How a value is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Generate {
    /// JSON with a password.
    Password(Password),
    /// JSON with a self-signed certificate and its key.
    Certificate {
        /// The host name that it is for.
        self_signed: String,
    },
}

/// How a value with a password is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Password {
    /// The fields of the JSON value that the config gives.
    pub template: BTreeMap<String, String>,
    /// The field that receives the generated password.
    pub field: String,
    /// How long the password is.
    pub length: u32,
    /// Whether it has letters and digits only.
    pub exclude_punctuation: bool,
}

impl Resource for Secret {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Data, "secret", "secret"),
        notes: &[
            "payctl generates the value at creation and never compares it: rotation changes it, \
             and the attachment of a database adds fields.",
            "With `generate = false` it does not have a value until you run `payctl secret set`; \
             until then, reads fail. `secret set` also needs `secretsmanager:PutSecretValue`.",
            "During the recovery time, a deleted secret keeps its name; payctl restores it if the \
             same environment needs it again.",
            "A self-signed certificate is made once, for ten years. A load balancer does not check \
             whether it has expired. For a new one, make a secret of another name.",
            "A restored secret keeps its old value, even if the config now generates another kind \
             of value.",
            "A value stays encrypted with an old key until it is written again.",
        ],
        immutable: &["name"],
        create_only: &["generate"],
        status_fields: &["has_value"],
        replace: Replace::Forbidden,
        data: Some("the secret value"),
        regain: Some(regain),
        deadline: Duration::from_secs(180),
        transient: &[
            ("InvalidRequestException", "was deleted"),
            ("InvalidRequestException", "marked for deletion"),
            ("InvalidRequestException", "scheduled for deletion"),
            ("EncryptionFailure", "KMS key"),
            ("AccessDeniedException", "Access to KMS"),
        ],
        gone_at_once: true,
        permits: &[
            Permit::look(&["secretsmanager:ListSecrets"], &["*"]),
            Permit::look(
                &["secretsmanager:DescribeSecret"],
                &["secretsmanager:{here}:secret:{seen}"],
            ),
            Permit::create(
                &["secretsmanager:CreateSecret", "secretsmanager:RestoreSecret"],
                &["secretsmanager:{here}:secret:{name}*"],
            ),
            Permit::set(&["secretsmanager:TagResource"], &["secretsmanager:{here}:secret:{name}*"]),
            Permit::set(&["kms:Decrypt", "kms:GenerateDataKey"], &["kms:{here}:key/*"])
                .where_equal("kms:ViaService", "secretsmanager.{region}.amazonaws.com"),
            Permit::change(&["kms:Encrypt"], &["kms:{here}:key/*"])
                .where_equal("kms:ViaService", "secretsmanager.{region}.amazonaws.com"),
            Permit::change(
                &["secretsmanager:UntagResource", "secretsmanager:UpdateSecret"],
                &["secretsmanager:{here}:secret:{name}*"],
            ),
            Permit::delete(
                &["secretsmanager:DeleteSecret"],
                &["secretsmanager:{here}:secret:{name}*"],
            ),
        ],
        names: Some(NameRule {
            is_unwise: Some(looks_like_arn_suffix),
            ..NameRule::new(
                "secret",
                512,
                r"^[A-Za-z0-9/_+=.@-]{1,512}$",
                "a secret's name is 1 to 512 letters, digits and / _ + = . @ -",
            )
        }),
        section: "secrets",
        predicted: &[(Output::Name, "{name}")],
        asked: &["recovery_days"],
        typical: Typical::seconds(3, 2, 2).calls(4, 5, 2),
        serves: true,
        pricing: Pricing::Charged("AWS charges for each secret by the month, and for requests."),
        types: &["secretsmanager:secret"],
        ..Meta::new(
            "secretsmanager.secret",
            "secretsmanager",
            "A secret. payctl generates its value once, or you set it; payctl never shows it.",
        )
    };

    fn sample() -> Self {
        Self {
            name: "sample-credentials".into(),
            description: Some("Credentials of the sample.".into()),
            key: Some(Text::reference(Address::new("kms.key", "sample"), Output::Arn)),
            generate: Some(Generate::Password(Password {
                template: BTreeMap::from([("username".into(), "sample".into())]),
                field: "password".into(),
                length: 32,
                exclude_punctuation: true,
            })),
            recovery_days: 0,
            has_value: None,
        }
    }

    fn variants() -> Vec<Self> {
        vec![
            Self { description: Some("Another purpose.".into()), ..Self::sample() },
            Self { key: None, ..Self::sample() },
            Self { description: None, recovery_days: 7, ..Self::sample() },
            Self::sample(),
        ]
    }

    const DRIVEN_BY: &'static [(&'static str, Driver)] =
        &[("secretsmanager:GetSecretValue", Driver::Questions)];

    fn passes(&self, _: &Costs<'_>) -> Vec<Passed<Address>> {
        self.key.iter().flat_map(|key| to(key, Driver::Users, Decimal::ONE)).collect()
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        vec![
            Charge::fixed("secret", "secrets.secret", cx.share()),
            Charge::usage("requests", "secrets.calls", cx.load(Driver::Questions)),
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let mut names: BTreeSet<String> = cx.wanted.keys().cloned().collect();
        names.extend(listed(cx).await?.iter().filter_map(|secret| secret.name.clone()));
        let seen = try_join_all(names.iter().map(|name| describe(cx.aws, Some(cx), name))).await?;
        let found = seen.into_iter().flatten().filter_map(|Seen { live, dying }| {
            let (address, owner) = cx.claim(&live.spec.name, &live.tags)?;
            let owner = match (owner, dying) {
                (Owner::Ours | Owner::Disputed(_) | Owner::Shared | Owner::Nobody, true) => {
                    return None;
                }
                // It is deleted, but its name is not free yet: the plan says so before the creation
                // fails.
                (Owner::Foreign(who), true) => {
                    Owner::Foreign(format!("{who}; its deletion is pending"))
                }
                (owner, false) => owner,
            };
            Some(Found { address, owner, live })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let seen = describe(cx.aws, None, cx.id()).await?;
        Ok(seen.filter(|seen| !seen.dying).map(|seen| seen.live))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let mut tags = cx.tags.clone();
        tags.insert(TAG_RECOVERY.into(), self.recovery_days.to_string());
        let value = self.generate.as_ref().map(Generate::value).transpose()?;
        let created = cx
            .aws
            .secretsmanager
            .create_secret()
            .name(&self.name)
            .client_request_token(self.token(cx))
            .set_description(self.description.clone())
            .set_kms_key_id(self.key.as_ref().map(|key| key.known().to_owned()))
            .set_secret_string(value)
            .set_tags(Some(to_tags(&tags)))
            .send()
            .await
            .map_err(op("CreateSecret"));
        match created {
            Ok(answer) => answer.arn.ok_or_else(|| no_arn("CreateSecret")),
            // The name may be that of a secret that has a pending deletion.
            Err(error) if matches!(error.class, ErrorClass::Invalid | ErrorClass::Exists) => {
                self.restore(cx, error).await
            }
            Err(error) => Err(error),
        }
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let described = self.description != live.spec.description;
        let description = described.then(|| self.description.clone().unwrap_or_default());
        let key = self.key.as_ref().map_or(DEFAULT_KEY, Text::known);
        let key = (self.key != live.spec.key).then(|| key.to_owned());
        if description.is_some() || key.is_some() {
            cx.aws
                .secretsmanager
                .update_secret()
                .secret_id(&live.id)
                .set_description(description)
                .set_kms_key_id(key)
                .send()
                .await
                .map_err(op("UpdateSecret"))?;
        }
        if self.recovery_days != live.spec.recovery_days {
            let tag = Tags::from([(TAG_RECOVERY.into(), self.recovery_days.to_string())]);
            cx.aws
                .secretsmanager
                .tag_resource()
                .secret_id(&live.id)
                .set_tags(Some(to_tags(&tag)))
                .send()
                .await
                .map_err(op("TagResource"))?;
        }
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call =
            cx.aws.secretsmanager.tag_resource().secret_id(&live.id).set_tags(Some(to_tags(set)));
        call.send().await.map_err(op("TagResource")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let call = cx
            .aws
            .secretsmanager
            .untag_resource()
            .secret_id(&live.id)
            .set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagResource")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let days = Some(live.spec.recovery_days).filter(|days| *days > 0);
        let deleted = cx
            .aws
            .secretsmanager
            .delete_secret()
            .secret_id(&live.id)
            .set_force_delete_without_recovery(days.is_none().then_some(true))
            // An edited tag must not block the run.
            .set_recovery_window_in_days(days.map(|days| days.clamp(7, 30).into()))
            .send()
            .await;
        match deleted.map_err(op("DeleteSecret")).or_gone() {
            // It may be scheduled already.
            Err(error) if error.class == ErrorClass::Invalid => {
                match describe(cx.aws, None, &live.id).await? {
                    Some(Seen { dying: false, .. }) => Err(error),
                    Some(_) | None => Ok(()),
                }
            }
            deleted => deleted.map(drop),
        }
    }
}

impl Secret {
    /// The same for every attempt to make the same secret. AWS takes it for the version's id.
    fn token(&self, cx: &Cx<'_>) -> String {
        let Scope { project, env, account, region, .. } = &cx.aws.scope;
        let spec = serde_json::to_string(self).expect("a spec encodes");
        let parts = [account, region, project, env, &cx.address.to_string(), &spec];
        let digest = Sha256::digest(parts.map(String::as_str).join("\n"));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Restores the secret that blocks the name, if this environment owned it; `refused` is what
    /// the creation ended with.
    async fn restore(&self, cx: &Cx<'_>, refused: OpError) -> Result<String, OpError> {
        let Some(Seen { live, dying: true }) = describe(cx.aws, None, &self.name).await? else {
            return Err(refused);
        };
        if cx.aws.scope.owned(&live.tags).as_ref() != Some(cx.address) {
            let message = format!(
                "a secret whose deletion is pending has the name {}, and its owner is {}: choose \
                 another name, or free this one with `aws secretsmanager delete-secret \
                 --force-delete-without-recovery --secret-id {}`",
                self.name,
                Scope::describe_owner(&live.tags),
                self.name
            );
            let code = "SecretNameTaken".into();
            return Err(OpError { class: ErrorClass::Invalid, code, message, ..refused });
        }
        if live.spec.recovery_days == 0 {
            // Its deletion was forced and cannot be undone; the name is free in a moment.
            return Err(OpError { class: ErrorClass::NotYet, ..refused });
        }
        let send = cx.aws.secretsmanager.restore_secret().secret_id(&live.id).send();
        send.await.map_err(op("RestoreSecret"))?.arn.ok_or_else(|| no_arn("RestoreSecret"))
    }
}

/// The stage of the version that holds the value.
const CURRENT: &str = "AWSCURRENT";

/// The key that AWS takes when none is given.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

/// This environment's secrets, as far as the list knows them yet.
pub(super) async fn listed(cx: &Survey<'_>) -> Result<Arc<Vec<SecretListEntry>>, OpError> {
    cx.once("secretsmanager:ListSecrets", list(cx.aws)).await
}

/// AWS's description of a secret. Several kinds need it, and a survey asks for it once.
pub(super) async fn described(
    aws: &Aws,
    survey: Option<&Survey<'_>>,
    id: &str,
) -> Result<Option<DescribeSecretOutput>, OpError> {
    let ask = Box::pin(async {
        let send = aws.secretsmanager.describe_secret().secret_id(id).send();
        send.await.map_err(op("DescribeSecret")).or_gone()
    });
    match survey {
        Some(survey) => {
            let question = format!("secretsmanager:DescribeSecret {id}");
            survey.once(&question, ask).await.map(|answer| Option::clone(&answer))
        }
        None => ask.await,
    }
}

/// The tags of a secret.
pub(super) async fn tags_of(aws: &Aws, id: &str) -> Result<Option<Tags>, OpError> {
    let secret = described(aws, None, id).await?;
    Ok(secret.map(|secret| from_tags(secret.tags.as_deref().unwrap_or_default())))
}

async fn list(aws: &Aws) -> Result<Vec<SecretListEntry>, OpError> {
    let filter = |key, value: &str| types::Filter::builder().key(key).values(value).build();
    let call = aws.secretsmanager.list_secrets().max_results(100);
    let call = call.filters(filter(FilterNameStringType::TagKey, TAG_ENV));
    let call = match aws.is_shared {
        true => call,
        false => call.filters(filter(FilterNameStringType::TagValue, &aws.scope.env)),
    };
    let mut pages = call.into_paginator().send();
    let mut ours = Vec::new();
    while let Some(page) = pages.next().await {
        let secrets = page.map_err(op("ListSecrets"))?.secret_list.unwrap_or_default();
        ours.extend(secrets.into_iter().filter(|secret| {
            let tags = from_tags(secret.tags.as_deref().unwrap_or_default());
            aws.scope.owned(&tags).is_some()
        }));
    }
    Ok(ours)
}

/// A secret, and whether it has a pending deletion.
struct Seen {
    live: Live<Secret>,
    dying: bool,
}

async fn describe(
    aws: &Aws,
    survey: Option<&Survey<'_>>,
    id: &str,
) -> Result<Option<Seen>, OpError> {
    Ok(described(aws, survey, id).await?.map(to_seen))
}

fn to_seen(secret: DescribeSecretOutput) -> Seen {
    let mut tags = from_tags(secret.tags.as_deref().unwrap_or_default());
    let recovery = tags.remove(TAG_RECOVERY).and_then(|days| days.parse().ok());
    let name = secret.name.unwrap_or_default();
    let arn = secret.arn.unwrap_or_default();
    let stages = secret.version_ids_to_stages.unwrap_or_default();
    let has_value = stages.values().flatten().any(|stage| stage == CURRENT);
    let live = Live {
        id: arn.clone(),
        outputs: Outputs::from([(Output::Arn, arn), (Output::Name, name.clone())]),
        tags,
        phase: Phase::Ready,
        spec: Secret {
            name,
            description: secret.description.filter(|text| !text.is_empty()),
            // AWS leaves its own key out of the answer.
            key: secret.kms_key_id.filter(|key| key != DEFAULT_KEY).map(Text::from),
            generate: None,
            recovery_days: recovery.unwrap_or(DEFAULT_RECOVERY),
            has_value: Some(has_value),
        },
    };
    Seen { live, dying: secret.deleted_date.is_some() }
}

fn no_arn(op: &str) -> OpError {
    OpError::new(op, ErrorClass::Service, "NoArn", "AWS did not return an ARN")
}

/// Tags as Secrets Manager takes them.
pub(super) fn to_tags(tags: &Tags) -> Vec<types::Tag> {
    tags.iter().map(|(key, value)| types::Tag::builder().key(key).value(value).build()).collect()
}

/// Tags as Secrets Manager returns them, without AWS's own.
pub(super) fn from_tags(tags: &[types::Tag]) -> Tags {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let tags = tags.iter().map(|tag| (text(tag.key()), text(tag.value())));
    tags.filter(|(key, _)| !key.starts_with("aws:")).collect()
}

/// The part of a deleted secret that can be recovered.
fn regain(live: &Value) -> Option<String> {
    let days = live["recovery_days"].as_u64().filter(|days| *days > 0)?;
    Some(format!("for {days} days; an apply of the same environment restores it"))
}

/// Whether a name ends with a dash and 6 characters. Secrets Manager may confuse such an ending
/// with the one that it gives to ARNs, and advises against it.
fn looks_like_arn_suffix(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, tail)| {
        tail.len() == 6 && tail.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;

    #[test]
    fn a_secret_pending_deletion_is_recognised() {
        let secret = |deleted| {
            let tag = types::Tag::builder().key(TAG_RECOVERY).value("0").build();
            let secret = DescribeSecretOutput::builder().arn("arn:s").name("s").tags(tag);
            to_seen(secret.set_deleted_date(deleted).build())
        };
        assert!(secret(Some(DateTime::from_secs(1))).dying);
        assert_eq!(secret(None).live.spec.has_value, Some(false));
        let seen = secret(None);
        assert!(!seen.dying && seen.live.tags.is_empty());
        assert_eq!(seen.live.spec.recovery_days, 0);
        assert_eq!((seen.live.spec.description, seen.live.spec.key), (None, None));
    }
}
