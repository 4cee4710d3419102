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
use crate::aws::error::{Gone, op};
use crate::aws::kinds::kms::key::{DEFAULT_RECOVERY, TAG_RECOVERY};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Replace};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::{Scope, TAG_ENV};
use payctl_engine::model::text::{Output, Outputs, Text};

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
    /// Whether it holds a value. Only told, never wanted.
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
#[serde(deny_unknown_fields)]
pub(crate) struct Generate {
    /// Fields of the JSON value that are known beforehand.
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
        notes: &[
            "payctl generates the value at creation and never compares it: rotation changes it, \
             and the attachment of a database adds fields.",
            "With `generate = false` it does not have a value until you run `payctl secret set`; \
             until then, reads fail. `secret set` also needs `secretsmanager:PutSecretValue`.",
            "During the recovery time, a deleted secret keeps its name; payctl restores it if the \
             same environment needs it again.",
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
            generate: Some(Generate {
                template: BTreeMap::from([("username".into(), "sample".into())]),
                field: "password".into(),
                length: 32,
                exclude_punctuation: true,
            }),
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
                // Gone, but its name is not free: better said by the plan than by the creation.
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

impl Generate {
    /// The secret value: the template with a new password in its field.
    fn value(&self) -> Result<String, OpError> {
        let password =
            password(self.length as usize, self.exclude_punctuation).map_err(|error| {
                let message = format!("cannot get random numbers from the system: {error}");
                OpError::new("CreateSecret", ErrorClass::Invalid, "NoRandomness", message)
            })?;
        let mut fields = self.template.clone();
        fields.insert(self.field.clone(), password);
        Ok(serde_json::to_string(&fields).expect("a map of strings encodes"))
    }
}

/// Sets the value of a secret of this environment, as a version with that id: a second call with
/// the same id and value does not create another version. The secret must be ours by its name and
/// its tags right before. It is then named by its ARN, which no other secret of that name will ever
/// have. Returns the ARN.
pub(crate) async fn bring(
    aws: &Aws,
    address: &Address,
    name: &str,
    version: &str,
    value: &str,
) -> Result<String, OpError> {
    let refuse = |class, code, message: String| {
        Err(OpError::new("PutSecretValue", class, code, format!("the secret {name} {message}")))
    };
    let live = match describe(aws, None, name).await? {
        None => return refuse(ErrorClass::NotFound, "NoSecret", "does not exist".to_owned()),
        Some(Seen { dying: true, .. }) => {
            return refuse(ErrorClass::NotFound, "NoSecret", "has a pending deletion".to_owned());
        }
        Some(Seen { live, .. }) => live,
    };
    if live.spec.name != name || aws.scope.owned(&live.tags).as_ref() != Some(address) {
        let owner = Scope::describe_owner(&live.tags);
        return refuse(ErrorClass::Exists, "NotOurs", format!("belongs to {owner}"));
    }
    aws.secretsmanager
        .put_secret_value()
        .secret_id(&live.id)
        .client_request_token(version)
        .secret_string(value)
        .send()
        .await
        .map_err(op("PutSecretValue"))?;
    Ok(live.id)
}

/// The stage of the version that holds the value.
const CURRENT: &str = "AWSCURRENT";

/// The key that AWS takes when none is given.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

/// No quote, slash, backslash, at sign or space: databases and URLs trip over them.
const CLASSES: [&str; 4] = [
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789",
    "!#$%&()*+,-.:;<=>?[]^_{|}~",
];

/// A password with at least one character of every class, if it is long enough for that.
fn password(length: usize, exclude_punctuation: bool) -> Result<String, getrandom::Error> {
    let classes = if exclude_punctuation { &CLASSES[..3] } else { &CLASSES[..] };
    let alphabet = classes.concat().into_bytes();
    // Bytes above the last whole multiple would favour the first characters.
    let fair = 256 - 256 % alphabet.len();
    loop {
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let mut bytes = [0; 64];
            getrandom::fill(&mut bytes)?;
            let bytes = bytes.into_iter().map(usize::from).filter(|byte| *byte < fair);
            let room = length - text.len();
            text.extend(bytes.take(room).map(|byte| char::from(alphabet[byte % alphabet.len()])));
        }
        let has = |class: &&str| text.contains(|character| class.contains(character));
        if length < classes.len() || classes.iter().all(has) {
            return Ok(text);
        }
    }
}

/// This environment's secrets, as far as the list knows them yet.
pub(super) async fn listed(cx: &Survey<'_>) -> Result<Arc<Vec<SecretListEntry>>, OpError> {
    cx.once("secretsmanager:ListSecrets", list(cx.aws)).await
}

/// A secret as one description tells of it; a survey of several kinds asks for it once.
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

async fn list(aws: &Aws) -> Result<Vec<SecretListEntry>, OpError> {
    let filter = |key, value: &str| types::Filter::builder().key(key).values(value).build();
    let mut pages = aws
        .secretsmanager
        .list_secrets()
        .max_results(100)
        .filters(filter(FilterNameStringType::TagKey, TAG_ENV))
        .filters(filter(FilterNameStringType::TagValue, &aws.scope.env))
        .into_paginator()
        .send();
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

/// Whether a name ends with a dash and 6 characters. Secrets Manager may confuse such an ending with the
/// one that it gives to ARNs, and advises against it.
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
    fn a_password_has_its_length_and_every_character_class() {
        for length in [4, 12, 32, 200] {
            let text = password(length, false).unwrap();
            assert_eq!(text.len(), length);
            for class in CLASSES {
                assert!(text.contains(|character| class.contains(character)));
            }
        }
    }

    #[test]
    fn a_password_without_punctuation_is_letters_and_digits() {
        let long = password(500, true).unwrap();
        assert!(long.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(long, password(500, true).unwrap());
        assert_eq!(password(1, true).unwrap().len(), 1);
        assert_eq!(password(0, false).unwrap(), "");
    }

    #[test]
    fn a_value_is_the_template_with_a_password() {
        let value = Secret::sample().generate.unwrap().value().unwrap();
        let fields: BTreeMap<String, String> = serde_json::from_str(&value).unwrap();
        assert_eq!(fields["username"], "sample");
        assert_eq!(fields["password"].len(), 32);
        assert_eq!(fields.len(), 2);
    }

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

    /// A value that is brought to the secret `name`, which another one made with these tags.
    #[cfg(feature = "sandbox")]
    async fn brought(name: &str, tags: &Tags) -> (Result<String, OpError>, usize) {
        use crate::aws::clients::Connection;
        use payctl_sandbox::Sandbox;
        let connection = Connection {
            region: Some("us-east-1".into()),
            keys: Some(("sandbox".into(), "sandbox".into())),
            transport: Some(Sandbox::in_memory().transport()),
            ..Connection::default()
        };
        let aws = Aws::connect(&connection, "shop", "dev").await.unwrap();
        let made = aws.secretsmanager.create_secret().name(name).set_tags(Some(to_tags(tags)));
        made.send().await.unwrap();
        let address = Address::new("secretsmanager.secret", "provider");
        let version = "0123456789abcdef0123456789abcdef";
        let ended = bring(&aws, &address, "dev-provider", version, "sk_live").await;
        if ended.is_ok() {
            // The answer was lost: it is sent again.
            bring(&aws, &address, "dev-provider", version, "sk_live").await.unwrap();
        }
        let versions =
            aws.secretsmanager.list_secret_version_ids().secret_id(name).send().await.unwrap();
        (ended, versions.versions().len())
    }

    #[cfg(feature = "sandbox")]
    #[tokio::test]
    async fn a_value_is_written_once_and_only_to_our_secret() {
        let ours = |address: &str| {
            let pairs = [("project", "shop"), ("env", "dev"), ("region", "us-east-1")];
            let pairs = pairs.into_iter().chain([("address", address)]);
            pairs.map(|(key, value)| (format!("payctl:{key}"), value.to_owned())).collect::<Tags>()
        };
        let own = ours("secretsmanager.secret/provider");
        let (ended, versions) = brought("dev-provider", &own).await;
        assert!(ended.unwrap().contains(":secret:dev-provider-"));
        assert_eq!(versions, 1);
        let other = Tags::from([("payctl:env".to_owned(), "prod".to_owned())]);
        for tags in [
            Tags::new(),
            ours("secretsmanager.secret/other"),
            own.into_iter().chain(other).collect(),
        ] {
            let (ended, versions) = brought("dev-provider", &tags).await;
            let error = ended.unwrap_err();
            assert_eq!((error.class, versions), (ErrorClass::Exists, 0), "{error}");
        }
        let (ended, _) = brought("dev-provider-2", &ours("secretsmanager.secret/provider")).await;
        assert_eq!(ended.unwrap_err().class, ErrorClass::NotFound);
    }
}
