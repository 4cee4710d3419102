//! The fields in a secret that describe its database: engine, host, port, database, cluster.
//!
//! The fields lie in the value, beside the user and the password, which never leave the functions
//! of this file. payctl also stores the written fields in tags of the secret: a survey reads only
//! these, not the value.
//!
//! AWS quirks: a value is only ever written as a whole, and its rotation writes it as well. So the
//! new version is put aside first, and becomes the current one only if the current one is still
//! that which it was made from: a password that a rotation set in between is never lost.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::secret::{Secret, described, from_tags, listed, tags_of, to_tags};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, is_undecryptable, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Flow};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::Scope;
use payctl_engine::model::text::{Output, Outputs, Text};

/// The fields that describe the database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attachment {
    /// The ARN of the secret.
    pub secret: Text,
    /// The engine as clients call it, `postgres`.
    pub engine: String,
    /// The endpoint that writes.
    pub host: Text,
    /// The port.
    pub port: u16,
    /// The database that the cluster began with, if any.
    pub database: Option<String>,
    /// The identifier of the cluster.
    pub cluster: Text,
}

/// The tag that marks a secret whose fields payctl keeps. The tags with the fields begin with it.
const TAG: &str = "payctl:attachment";
/// Tells the id of an attachment from that of its secret.
const SUFFIX: &str = "#attachment";
const CURRENT: &str = "AWSCURRENT";
/// The staging label of a new version before it becomes the current one.
const ASIDE: &str = "PAYCTLATTACHMENT";

/// The fields in the value, as AWS's own attachments call them.
const ENGINE: &str = "engine";
const HOST: &str = "host";
const PORT: &str = "port";
const DATABASE: &str = "dbname";
const CLUSTER: &str = "dbClusterIdentifier";
const FIELDS: [&str; 5] = [ENGINE, HOST, PORT, DATABASE, CLUSTER];

impl Resource for Attachment {
    const META: Meta = Meta {
        drawn: Drawn::badge("link", "attachment", &["secret"]).with(flows),
        notes: &[
            "payctl records the written fields in tags of the secret. A plan reads only these, so \
             it does not need permission to read the value, but it does not see if others removed \
             the fields. Remove the tag `payctl:attachment` from the secret, and the next apply \
             writes them again.",
            "An apply reads the secret's value to add fields to it; it never shows the user and \
             the password.",
            "Every change creates a new version of the secret with the same password.",
            "A rotation at the same time is safe: the later of the two starts over.",
        ],
        immutable: &["secret"],
        replace: Replace::DeleteFirst,
        tagged: false,
        deadline: Duration::from_secs(300),
        read_lag: Duration::from_secs(30),
        // A key that was just enabled.
        transient: &[
            ("DecryptionFailure", ""),
            ("KMSInvalidStateException", ""),
            ("AccessDeniedException", "Access to KMS"),
        ],
        permits: &[
            Permit::look(&["secretsmanager:ListSecrets"], &["*"]),
            Permit::look(
                &["secretsmanager:DescribeSecret"],
                &["secretsmanager:{here}:secret:{seen}"],
            ),
            Permit::set(
                &[
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:TagResource",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                &["secretsmanager:{here}:secret:{secretsmanager.secret}*"],
            ),
            Permit::change(
                &["secretsmanager:UntagResource"],
                &["secretsmanager:{here}:secret:{secretsmanager.secret}*"],
            ),
            Permit::set(&["kms:Decrypt", "kms:GenerateDataKey"], &["kms:{here}:key/*"])
                .where_equal("kms:ViaService", "secretsmanager.{region}.amazonaws.com"),
            Permit::delete(
                &[
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:UntagResource",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                &["secretsmanager:{here}:secret:{secretsmanager.secret}*"],
            ),
            Permit::delete(&["kms:Decrypt", "kms:GenerateDataKey"], &["kms:{here}:key/*"])
                .where_equal("kms:ViaService", "secretsmanager.{region}.amazonaws.com"),
        ],
        section: "secrets",
        asked: &["engine"],
        typical: Typical::seconds(2, 2, 2).calls(8, 8, 6),
        pricing: Pricing::Free("AWS charges for the secret."),
        ..Meta::new(
            "secretsmanager.attachment",
            "secretsmanager",
            "The fields in a secret that describe its database.",
        )
    };

    fn sample() -> Self {
        let of = |kind: &str, output| Text::reference(Address::new(kind, "sample"), output);
        Self {
            secret: of("secretsmanager.secret", Output::Arn),
            engine: "postgres".into(),
            host: of("rds.cluster", Output::Endpoint),
            port: 5432,
            database: Some("sampledb".into()),
            cluster: of("rds.cluster", Output::Id),
        }
    }

    fn variants() -> Vec<Self> {
        let reader = Text::reference(Address::new("rds.cluster", "sample"), Output::ReaderEndpoint);
        vec![
            Self { port: 5433, host: reader, ..Self::sample() },
            Self {
                engine: "aurora-postgresql".into(),
                database: None,
                cluster: "other-cluster".into(),
                ..Self::sample()
            },
            Self::sample(),
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let secrets = listed(cx).await?;
        let marked = secrets.iter().filter(|secret| {
            from_tags(secret.tags.as_deref().unwrap_or_default()).contains_key(TAG)
        });
        // The list lags behind, so payctl reads wanted objects by name.
        let mut ids: BTreeSet<String> = cx.wanted.keys().cloned().collect();
        ids.extend(marked.filter_map(|secret| secret.name.clone()));
        let found = ids.iter().map(|id| async move {
            let Some((owner, live)) = describe(cx.aws, Some(cx), id).await? else {
                return Ok(None);
            };
            let Some(secret) = owner else { return Ok(None) };
            let address = Address::new(Self::META.kind, secret.name);
            Ok(Some(Found { address, owner: Owner::Ours, live }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        Ok(describe(cx.aws, None, secret_of(cx.id())).await?.map(|(_, live)| live))
    }

    async fn holder(cx: &Cx<'_>, _: &Live<Self>) -> Result<Option<Tags>, OpError> {
        tags_of(cx.aws, secret_of(cx.id())).await
    }

    /// Sets only the mark; the first update writes the fields.
    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let tag = Tags::from([(TAG.into(), "true".into())]);
        let call = cx.aws.secretsmanager.tag_resource().secret_id(self.secret.known());
        let send = call.set_tags(Some(to_tags(&tag))).send();
        send.await.map_err(op("TagResource"))?;
        Ok(format!("{}{SUFFIX}", self.secret.known()))
    }

    /// Writes the value before the tags, so that the tags never claim more than the value holds.
    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let secret = self.secret.known();
        rewrite(cx, secret, &|fields| self.write(fields)).await?;
        let call = cx.aws.secretsmanager.tag_resource().secret_id(secret);
        let send = call.set_tags(Some(to_tags(&self.field_tags()))).send();
        send.await.map_err(op("TagResource"))?;
        if self.database.is_none() && live.spec.database.is_some() {
            let call = cx.aws.secretsmanager.untag_resource().secret_id(secret);
            let send = call.tag_keys(field_tag(DATABASE)).send();
            send.await.map_err(op("UntagResource"))?;
        }
        Ok(())
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let secret = secret_of(&live.id);
        if describe(cx.aws, None, secret).await?.is_none() {
            return Ok(());
        }
        let cleared = rewrite(cx, secret, &|fields| {
            fields.retain(|name, _| !FIELDS.contains(&name.as_str()));
        });
        match cleared.await {
            // Nobody can read the fields any more.
            Err(error) if is_undecryptable(&error) => {}
            cleared => cleared.or_gone().map(drop)?,
        }
        let keys = FIELDS.map(field_tag).into_iter().chain([TAG.to_owned()]);
        let call = cx.aws.secretsmanager.untag_resource().secret_id(secret);
        let send = call.set_tag_keys(Some(keys.collect())).send();
        send.await.map_err(op("UntagResource")).or_gone().map(drop)
    }
}

impl Attachment {
    fn write(&self, fields: &mut Map<String, Value>) {
        fields.insert(ENGINE.into(), self.engine.as_str().into());
        fields.insert(HOST.into(), self.host.known().into());
        fields.insert(PORT.into(), self.port.into());
        match &self.database {
            Some(database) => fields.insert(DATABASE.into(), database.as_str().into()),
            None => fields.remove(DATABASE),
        };
        fields.insert(CLUSTER.into(), self.cluster.known().into());
    }

    /// The tags with the fields of the value.
    fn field_tags(&self) -> Tags {
        let port = self.port.to_string();
        let fields = [
            (ENGINE, Some(self.engine.as_str())),
            (HOST, Some(self.host.known())),
            (PORT, Some(port.as_str())),
            (DATABASE, self.database.as_deref()),
            (CLUSTER, Some(self.cluster.known())),
        ];
        let tags = fields.into_iter().filter_map(|(name, value)| Some((field_tag(name), value?)));
        tags.map(|(key, value)| (key, value.to_owned())).collect()
    }

    /// The fields in the tags of a secret.
    fn read_from(secret: &str, tags: &Tags) -> Self {
        let text = |name| tags.get(&field_tag(name)).cloned().unwrap_or_default();
        Self {
            secret: secret.into(),
            engine: text(ENGINE),
            host: text(HOST).into(),
            port: text(PORT).parse().unwrap_or_default(),
            database: Some(text(DATABASE)).filter(|name| !name.is_empty()),
            cluster: text(CLUSTER).into(),
        }
    }
}

/// The tag for a field.
fn field_tag(field: &str) -> String {
    format!("{TAG}:{field}")
}

/// The ARN of the secret, from the id of its attachment.
fn secret_of(id: &str) -> &str {
    id.strip_suffix(SUFFIX).unwrap_or(id)
}

/// The attachment of a secret, by name or ARN, with its address if this environment owns the
/// secret.
async fn describe(
    aws: &Aws,
    survey: Option<&Survey<'_>>,
    secret: &str,
) -> Result<Option<(Option<Address>, Live<Attachment>)>, OpError> {
    let Some(found) = described(aws, survey, secret).await? else { return Ok(None) };
    let tags = from_tags(found.tags.as_deref().unwrap_or_default());
    if found.deleted_date.is_some() || !tags.contains_key(TAG) {
        return Ok(None);
    }
    let name = found.name().unwrap_or_default();
    let owner = match survey {
        Some(cx) => match cx.ours(name, &tags) {
            Some((of, Owner::Ours)) => Some(of),
            _ => return Ok(None),
        },
        None => aws.scope.owned(&tags),
    };
    let owner = owner.filter(|owner| owner.kind == Secret::META.kind);
    let arn = found.arn.unwrap_or_default();
    let live = Live {
        id: format!("{arn}{SUFFIX}"),
        spec: Attachment::read_from(&arn, &tags),
        outputs: Outputs::new(),
        tags: Tags::new(),
        phase: Phase::Ready,
    };
    Ok(Some((owner, live)))
}

/// The current value of a secret. It has no `Debug`, so that nothing can show it.
struct Current {
    version: String,
    fields: Map<String, Value>,
}

async fn current(aws: &Aws, secret: &str) -> Result<Option<Current>, OpError> {
    let call = aws.secretsmanager.get_secret_value().secret_id(secret).version_stage(CURRENT);
    let Some(value) = call.send().await.map_err(op("GetSecretValue")).or_gone()? else {
        return Ok(None);
    };
    // The decoder's message may quote the value.
    let fields = serde_json::from_str(&value.secret_string.unwrap_or_default()).map_err(|_| {
        let message =
            format!("the value of {secret} is not a JSON object, so payctl cannot add fields");
        OpError::new("GetSecretValue", ErrorClass::Invalid, "NoObject", message)
    })?;
    Ok(Some(Current { version: value.version_id.unwrap_or_default(), fields }))
}

/// Writes a changed value and makes it the current one, if the one that it was made from still is.
async fn rewrite(
    cx: &Cx<'_>,
    secret: &str,
    change: &(dyn Fn(&mut Map<String, Value>) + Sync),
) -> Result<(), OpError> {
    let Some(Current { version, fields }) = current(cx.aws, secret).await? else {
        let message = "the secret does not have a value yet, so payctl cannot add fields";
        return Err(OpError::new("GetSecretValue", ErrorClass::NotFound, "NoValue", message));
    };
    let mut changed = fields.clone();
    change(&mut changed);
    if changed == fields {
        return Ok(());
    }
    let token = token_for(cx, &version, &changed);
    cx.aws
        .secretsmanager
        .put_secret_value()
        .secret_id(secret)
        .version_stages(ASIDE)
        .client_request_token(&token)
        .secret_string(Value::Object(changed).to_string())
        .send()
        .await
        .map_err(op("PutSecretValue"))?;
    let moved = cx
        .aws
        .secretsmanager
        .update_secret_version_stage()
        .secret_id(secret)
        .version_stage(CURRENT)
        .move_to_version_id(&token)
        .remove_from_version_id(&version)
        .send()
        .await;
    match moved.map_err(op("UpdateSecretVersionStage")) {
        Ok(_) => Ok(()),
        Err(error) => match current(cx.aws, secret).await? {
            Some(now) if now.version == token => Ok(()),
            // Rotated in between: the next try starts from the new value.
            Some(now) if now.version != version => {
                Err(OpError { class: ErrorClass::NotYet, ..error })
            }
            _ => Err(error),
        },
    }
}

/// The same for every attempt to write the same value after the same version. AWS takes it for the
/// id of the new version.
fn token_for(cx: &Cx<'_>, after: &str, fields: &Map<String, Value>) -> String {
    let Scope { project, env, account, region, .. } = &cx.aws.scope;
    let ours: Vec<String> = FIELDS.iter().map(|name| format!("{:?}", fields.get(*name))).collect();
    let (address, ours) = (cx.address.to_string(), ours.concat());
    let parts: [&str; 7] = [account, region, project, env, &address, after, &ours];
    let digest = Sha256::digest(parts.join("\n"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The database whose credentials the secret holds.
fn flows(spec: &Value) -> Vec<Flow> {
    Flow::out(spec, "/cluster", "credentials")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> Attachment {
        Attachment {
            secret: "arn:s".into(),
            host: "db.example".into(),
            cluster: "sample-database".into(),
            ..Attachment::sample()
        }
    }

    #[test]
    fn user_and_password_are_kept() {
        let value = json!({ "username": "u", "password": "p", "other": 1 });
        let Value::Object(mut fields) = value else { unreachable!("an object") };
        known().write(&mut fields);
        assert_eq!((&fields["username"], &fields["password"]), (&json!("u"), &json!("p")));
        assert_eq!((&fields["port"], &fields["host"]), (&json!(5432), &json!("db.example")));
        let spec = serde_json::to_string(&known()).unwrap();
        assert!(!spec.contains("password") && !spec.contains("username"));
    }

    #[test]
    fn the_tags_record_the_written_fields() {
        let bare = Attachment { database: None, ..known() };
        for attachment in [known(), bare] {
            assert_eq!(Attachment::read_from("arn:s", &attachment.field_tags()), attachment);
        }
        let nothing = Attachment::read_from("arn:s", &Tags::new());
        assert_eq!((nothing.port, nothing.engine), (0, String::new()));
    }

    #[test]
    fn tags_hold_the_longest_names() {
        let part = "a".repeat(63);
        let host = format!("{part}.cluster-ro-abcdefghijkl.ap-southeast-1.rds.amazonaws.com.cn");
        let long = Attachment {
            host: host.as_str().into(),
            database: Some(part.clone()),
            cluster: part.as_str().into(),
            ..known()
        };
        assert!(
            long.field_tags().iter().all(|(key, value)| key.len() <= 128 && value.len() <= 256)
        );
    }

    #[test]
    fn the_id_contains_the_secret() {
        assert_eq!(secret_of("arn:s#attachment"), "arn:s");
    }
}
