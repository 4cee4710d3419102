//! Customer keys, with alias, policy and rotation folded in.
//!
//! AWS quirks: a key has neither a name nor a client token, so after a lost reply it is found by
//! its tags; deletion takes 7 to 30 days, in which the key is still listed with its tags, and its
//! aliases stay taken unless they are deleted first; reads lag behind writes for a minute; tags of
//! other people's keys may not be readable.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_kms::types::{self, KeyState};
use futures::future::{join3, try_join, try_join_all, try_join3};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use crate::model::document::Document;
use crate::model::error::{ErrorClass, OpError};
use crate::model::live::{Found, Live, Owner, Phase, Tags};
use crate::model::meta::{Meta, Replace};
use crate::model::scope::Scope;
use crate::model::text::{Output, Outputs};

/// The tag that keeps `recovery_days` where the deletion finds it. Not among `Live.tags`.
pub(super) const TAG_RECOVERY: &str = "payctl:recovery-days";

/// What AWS takes when nobody says otherwise.
pub(super) const DEFAULT_RECOVERY: u32 = 30;

/// How often AWS rotates, in days, unless told otherwise.
pub(crate) const DEFAULT_PERIOD: u32 = 365;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    /// The alias, `alias/...`.
    pub alias: String,
    /// What the key is for.
    pub description: String,
    /// Who may use and manage it.
    pub policy: Document,
    /// Whether the key can be used.
    pub enabled: bool,
    /// Whether AWS rotates the key material.
    pub rotation: bool,
    /// How often, in days; every 365 days if none.
    #[serde(default, deserialize_with = "period")]
    pub rotation_days: Option<u32>,
    /// How long a deleted key can be brought back, in days (kept in a tag, for the deletion).
    pub recovery_days: u32,
}

/// AWS's default period counts as none.
fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(Option::<u32>::deserialize(deserializer)?.filter(|days| *days != DEFAULT_PERIOD))
}

impl Resource for Key {
    const META: Meta = Meta {
        notes: &[
            "A key costs about 1 dollar a month from its creation, not while it waits for deletion.",
            "A deleted key can be brought back for 7 to 30 days; payctl does so when the same \
             environment wants it again, and what it encrypts stays readable.",
            "payctl enables a key that somebody disabled, or whose deletion somebody cancelled.",
            "The policy must keep the account's root, or nobody can manage the key any more.",
        ],
        replace: Replace::Forbidden,
        data: Some("everything encrypted with it becomes unreadable when the waiting period ends"),
        settle: Duration::from_secs(60),
        transient: &[("MalformedPolicyDocumentException", "invalid principal")],
        actions: &[
            "kms:CancelKeyDeletion",
            "kms:CreateAlias",
            "kms:CreateKey",
            "kms:DeleteAlias",
            "kms:DescribeKey",
            "kms:DisableKey",
            "kms:DisableKeyRotation",
            "kms:EnableKey",
            "kms:EnableKeyRotation",
            "kms:GetKeyPolicy",
            "kms:GetKeyRotationStatus",
            "kms:ListAliases",
            "kms:ListKeys",
            "kms:ListResourceTags",
            "kms:PutKeyPolicy",
            "kms:ScheduleKeyDeletion",
            "kms:TagResource",
            "kms:UntagResource",
            "kms:UpdateAlias",
            "kms:UpdateKeyDescription",
        ],
        ..Meta::new("kms.key", "kms", "A customer KMS key with its alias, policy and rotation.")
    };

    fn sample() -> Self {
        Self {
            alias: "alias/sample-key".into(),
            description: "Encrypts what the sample keeps.".into(),
            policy: sample_policy("kms:Decrypt*"),
            enabled: true,
            rotation: true,
            rotation_days: None,
            recovery_days: 7,
        }
    }

    fn variants() -> Vec<Self> {
        vec![
            Self { description: "Another purpose.".into(), recovery_days: 14, ..Self::sample() },
            Self {
                alias: "alias/sample-other-key".into(),
                rotation_days: Some(180),
                policy: sample_policy("kms:ReEncrypt*"),
                ..Self::sample()
            },
            Self { rotation: false, ..Self::sample() },
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let inventory = inventory(cx.aws).await?;
        let candidates = inventory.iter().filter(|(_, aliases)| {
            let candidate = |alias: &String| !is_of_aws(alias) && cx.is_candidate(alias);
            // A crash between CreateKey and CreateAlias leaves a key of ours without alias.
            aliases.is_empty() || aliases.iter().any(candidate)
        });
        let found = candidates.map(|(id, aliases)| async move {
            let alias = pick(aliases, |alias| cx.wanted.contains_key(alias));
            let Scope { partition, region, account, .. } = &cx.aws.scope;
            let arn = format!("arn:{partition}:kms:{region}:{account}:key/{id}");
            let tags = cx.tags(&arn, async { tags(cx.aws, id).await.or_gone() }).await;
            let Some(tags) = cx.if_permitted(alias, tags)? else {
                return Ok(None);
            };
            let Some((address, owner)) = cx.claim(alias, &tags) else { return Ok(None) };
            let live = match owner {
                Owner::Ours => facts(cx.aws, id).await?.map(|facts| facts.into_live(alias, tags)),
                Owner::Foreign(_) | Owner::Shared | Owner::Nobody => Some(foreign(id, alias, tags)),
            };
            Ok(live.map(|live| Found { address, owner, live }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let id = cx.id();
        let all = try_join3(facts(cx.aws, id), tags(cx.aws, id), aliases_of(cx.aws, id));
        let Some((Some(facts), tags, aliases)) = all.await.or_gone()? else { return Ok(None) };
        Ok(Some(facts.into_live(pick(&aliases, |alias| alias == cx.name), tags)))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        if let Some(id) = waiting(cx).await? {
            let send = cx.aws.kms.cancel_key_deletion().key_id(&id).send();
            return send.await.map_err(op("CancelKeyDeletion")).map(|_| id);
        }
        let mut tags = cx.tags.clone();
        tags.insert(TAG_RECOVERY.into(), self.recovery_days.to_string());
        let call = cx.aws.kms.create_key().description(&self.description);
        let call = call.policy(self.policy.to_json()).set_tags(Some(to_tags(&tags)));
        let created = call.send().await.map_err(op("CreateKey"))?;
        created.key_metadata.map(|key| key.key_id).ok_or_else(|| {
            OpError::new("CreateKey", ErrorClass::Service, "NoKey", "AWS returned no key id")
        })
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (kms, id) = (&cx.aws.kms, live.id.as_str());
        // A disabled key takes no changes of its rotation, so it is enabled first.
        if self.enabled && !live.spec.enabled {
            kms.enable_key().key_id(id).send().await.map_err(op("EnableKey"))?;
        }
        if self.policy != live.spec.policy {
            let call = kms.put_key_policy().key_id(id).policy_name("default");
            let call = call.policy(self.policy.to_json());
            call.send().await.map_err(op("PutKeyPolicy"))?;
        }
        if self.description != live.spec.description {
            let call = kms.update_key_description().key_id(id).description(&self.description);
            call.send().await.map_err(op("UpdateKeyDescription"))?;
        }
        if self.recovery_days != live.spec.recovery_days {
            let tag = Tags::from([(TAG_RECOVERY.into(), self.recovery_days.to_string())]);
            let call = kms.tag_resource().key_id(id).set_tags(Some(to_tags(&tag)));
            call.send().await.map_err(op("TagResource"))?;
        }
        self.update_rotation(cx.aws, live).await?;
        self.update_alias(cx.aws, live).await?;
        if !self.enabled && live.spec.enabled {
            kms.disable_key().key_id(id).send().await.map_err(op("DisableKey"))?;
        }
        Ok(())
    }

    async fn retag(
        cx: &Cx<'_>,
        live: &Live<Self>,
        set: &Tags,
        unset: &[String],
    ) -> Result<(), OpError> {
        if !set.is_empty() {
            let call = cx.aws.kms.tag_resource().key_id(&live.id).set_tags(Some(to_tags(set)));
            call.send().await.map_err(op("TagResource"))?;
        }
        if !unset.is_empty() {
            let call = cx.aws.kms.untag_resource().key_id(&live.id);
            let call = call.set_tag_keys(Some(unset.to_vec()));
            call.send().await.map_err(op("UntagResource"))?;
        }
        Ok(())
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (aws, id) = (cx.aws, live.id.as_str());
        // An alias stays taken until the key is gone for good, so the aliases go first.
        let Some(aliases) = aliases_of(aws, id).await.or_gone()? else { return Ok(()) };
        try_join_all(aliases.iter().map(|alias| delete_alias(aws, alias))).await?;
        // A tag that somebody edited must not stand in the way.
        let days = live.spec.recovery_days.clamp(7, 30) as i32;
        let call = aws.kms.schedule_key_deletion().key_id(id).pending_window_in_days(days);
        match call.send().await.map_err(op("ScheduleKeyDeletion")).or_gone() {
            // It may be scheduled already.
            Err(error) if error.class == ErrorClass::Invalid => match facts(aws, id).await? {
                Some(_) => Err(error),
                None => Ok(()),
            },
            scheduled => scheduled.map(drop),
        }
    }
}

impl Key {
    async fn update_rotation(&self, aws: &Aws, live: &Live<Self>) -> Result<(), OpError> {
        let period = self.rotation_days != live.spec.rotation_days;
        if self.rotation && (!live.spec.rotation || period) {
            // Without a period AWS keeps the one that the key had.
            let days = self.rotation_days.unwrap_or(DEFAULT_PERIOD) as i32;
            let call = aws.kms.enable_key_rotation().key_id(&live.id);
            let call = call.rotation_period_in_days(days);
            call.send().await.map_err(op("EnableKeyRotation"))?;
        }
        if !self.rotation && live.spec.rotation {
            let send = aws.kms.disable_key_rotation().key_id(&live.id).send();
            send.await.map_err(op("DisableKeyRotation"))?;
        }
        Ok(())
    }

    async fn update_alias(&self, aws: &Aws, live: &Live<Self>) -> Result<(), OpError> {
        if self.alias == live.spec.alias {
            return Ok(());
        }
        let call = aws.kms.create_alias().alias_name(&self.alias).target_key_id(&live.id);
        match call.send().await.map_err(op("CreateAlias")) {
            Err(taken) if taken.class == ErrorClass::Exists => {
                self.take_alias(aws, &live.id, taken).await?;
            }
            created => drop(created?),
        }
        // Another key of ours may have taken the old alias meanwhile.
        match live.spec.alias.as_str() {
            old if aliases_of(aws, &live.id).await?.iter().any(|alias| alias == old) => {
                delete_alias(aws, old).await
            }
            _ => Ok(()),
        }
    }

    /// Points an alias that exists to this key, if it points to a key of this environment: one that
    /// waits for its deletion, as a rule.
    async fn take_alias(&self, aws: &Aws, id: &str, taken: OpError) -> Result<(), OpError> {
        let send = aws.kms.describe_key().key_id(&self.alias).send();
        let holder = send.await.map_err(op("DescribeKey"))?.key_metadata;
        let holder = holder.map(|key| key.key_id).unwrap_or_default();
        if holder == id {
            return Ok(());
        }
        if aws.scope.owned(&tags(aws, &holder).await?).is_none() {
            let message = format!(
                "{} points to key {holder}, which is not this environment's: delete the alias or \
                 choose another one",
                self.alias
            );
            return Err(OpError { message, ..taken });
        }
        let call = aws.kms.update_alias().alias_name(&self.alias).target_key_id(id);
        call.send().await.map_err(op("UpdateAlias")).map(drop)
    }
}

/// All key ids with their aliases.
async fn inventory(aws: &Aws) -> Result<BTreeMap<String, Vec<String>>, OpError> {
    let keys = async {
        let pages = aws.kms.list_keys().limit(1000).into_paginator().items();
        pages.send().try_collect().await.map_err(op("ListKeys"))
    };
    let aliases = async {
        let pages = aws.kms.list_aliases().limit(100).into_paginator().items();
        pages.send().try_collect().await.map_err(op("ListAliases"))
    };
    let (keys, aliases) = try_join(keys, aliases).await?;
    let ids = keys.into_iter().filter_map(|key| key.key_id);
    let mut inventory: BTreeMap<String, Vec<String>> = ids.map(|id| (id, Vec::new())).collect();
    for alias in aliases {
        if let (Some(id), Some(name)) = (alias.target_key_id, alias.alias_name) {
            inventory.entry(id).or_default().push(name);
        }
    }
    Ok(inventory)
}

/// The key of this address that waits for its deletion; of several, the one that was deleted last.
async fn waiting(cx: &Cx<'_>) -> Result<Option<String>, OpError> {
    let inventory = inventory(cx.aws).await?;
    // The deletion took its aliases.
    let bare = inventory.iter().filter(|(_, aliases)| aliases.is_empty());
    let keys = bare.map(|(id, _)| async move {
        let ours = match tags(cx.aws, id).await {
            Ok(tags) => cx.aws.scope.owned(&tags).as_ref() == Some(cx.address),
            Err(error) if matches!(error.class, ErrorClass::Denied | ErrorClass::NotFound) => false,
            Err(error) => return Err(error),
        };
        if !ours {
            return Ok(None);
        }
        let send = cx.aws.kms.describe_key().key_id(id).send();
        let key = send.await.map_err(op("DescribeKey")).or_gone()?;
        Ok(key.and_then(|answer| answer.key_metadata).filter(is_dying))
    });
    let keys = try_join_all(keys).await?.into_iter().flatten();
    let last = keys.max_by_key(|key| key.deletion_date.map(|date| date.secs()));
    Ok(last.map(|key| key.key_id))
}

async fn aliases_of(aws: &Aws, id: &str) -> Result<Vec<String>, OpError> {
    let pages = aws.kms.list_aliases().key_id(id).into_paginator().items();
    let aliases = pages.send().try_collect().await.map_err(op("ListAliases"))?;
    Ok(aliases.into_iter().filter_map(|alias| alias.alias_name).collect())
}

async fn delete_alias(aws: &Aws, alias: &str) -> Result<(), OpError> {
    let send = aws.kms.delete_alias().alias_name(alias).send();
    send.await.map_err(op("DeleteAlias")).or_gone().map(drop)
}

async fn tags(aws: &Aws, id: &str) -> Result<Tags, OpError> {
    let pages = aws.kms.list_resource_tags().key_id(id).into_paginator().items();
    let tags = pages.send().try_collect().await.map_err(op("ListResourceTags"))?;
    let ours = tags.into_iter().filter(|tag| !tag.tag_key.starts_with("aws:"));
    Ok(ours.map(|tag| (tag.tag_key, tag.tag_value)).collect())
}

/// What AWS says about one key.
struct Facts {
    key: types::KeyMetadata,
    policy: Document,
    rotation: bool,
    rotation_days: Option<u32>,
}

/// `None` for keys that wait for their deletion, as for those that are gone.
async fn facts(aws: &Aws, id: &str) -> Result<Option<Facts>, OpError> {
    let (key, policy, rotation) = join3(
        aws.kms.describe_key().key_id(id).send(),
        aws.kms.get_key_policy().key_id(id).policy_name("default").send(),
        aws.kms.get_key_rotation_status().key_id(id).send(),
    )
    .await;
    // The state comes first: the other two calls fail on a key that waits for its deletion.
    let key = key.map_err(op("DescribeKey")).or_gone()?.and_then(|answer| answer.key_metadata);
    let Some(key) = key.filter(|key| !is_dying(key)) else { return Ok(None) };
    let policy = policy.map_err(op("GetKeyPolicy"))?.policy.unwrap_or_default();
    let rotation = rotation.map_err(op("GetKeyRotationStatus"))?;
    let period = rotation.rotation_period_in_days.and_then(|days| days.try_into().ok());
    let is_special = |days: &u32| rotation.key_rotation_enabled && *days != DEFAULT_PERIOD;
    let policy = Document::parse(&policy).map_err(|error| {
        OpError::new("GetKeyPolicy", ErrorClass::Bug, "Policy", error.to_string())
    })?;
    Ok(Some(Facts {
        key,
        policy,
        rotation: rotation.key_rotation_enabled,
        rotation_days: period.filter(is_special),
    }))
}

impl Facts {
    fn into_live(self, alias: &str, mut tags: Tags) -> Live<Key> {
        let recovery = tags.remove(TAG_RECOVERY).and_then(|days| days.parse().ok());
        Live {
            id: self.key.key_id.clone(),
            phase: phase(&self.key),
            outputs: Outputs::from([
                (Output::Arn, self.key.arn.unwrap_or_default()),
                (Output::Id, self.key.key_id),
                (Output::Name, alias.to_owned()),
            ]),
            tags,
            spec: Key {
                alias: alias.to_owned(),
                description: self.key.description.unwrap_or_default(),
                policy: self.policy,
                enabled: self.key.key_state != Some(KeyState::Disabled),
                rotation: self.rotation,
                rotation_days: self.rotation_days,
                recovery_days: recovery.unwrap_or(DEFAULT_RECOVERY),
            },
        }
    }
}

/// Somebody else's key behind a wanted alias: enough to name it, without reading what may not be
/// readable.
fn foreign(id: &str, alias: &str, mut tags: Tags) -> Live<Key> {
    tags.remove(TAG_RECOVERY);
    Live {
        id: id.to_owned(),
        spec: Key {
            alias: alias.to_owned(),
            description: String::new(),
            policy: Document::of([]),
            enabled: true,
            rotation: false,
            rotation_days: None,
            recovery_days: DEFAULT_RECOVERY,
        },
        outputs: Outputs::from([(Output::Id, id.to_owned())]),
        tags,
        phase: Phase::Ready,
    }
}

fn is_of_aws(alias: &str) -> bool {
    alias.starts_with("alias/aws/")
}

fn is_dying(key: &types::KeyMetadata) -> bool {
    let dying = [KeyState::PendingDeletion, KeyState::PendingReplicaDeletion];
    key.key_state.as_ref().is_some_and(|state| dying.contains(state))
}

fn phase(key: &types::KeyMetadata) -> Phase {
    match &key.key_state {
        Some(state @ (KeyState::Creating | KeyState::Updating)) => {
            Phase::Pending(state.as_str().to_owned())
        }
        _ => Phase::Ready,
    }
}

/// The alias that counts, if a key has several: a preferred one, else the first.
fn pick(aliases: &[String], preferred: impl Fn(&str) -> bool) -> &str {
    let preferred = aliases.iter().find(|alias| preferred(alias));
    preferred.or(aliases.iter().min()).map(String::as_str).unwrap_or_default()
}

/// Tags as KMS takes them.
fn to_tags(tags: &Tags) -> Vec<types::Tag> {
    let tag = |(key, value): (&String, &String)| {
        let tag = types::Tag::builder().tag_key(key).tag_value(value);
        tag.build().expect("a tag has a key and a value")
    };
    tags.iter().map(tag).collect()
}

/// Admits the accounts of the sandbox and of moto, and the log groups of the samples.
fn sample_policy(action: &str) -> Document {
    Document::of([
        json!({
            "Sid": "Account", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": { "AWS": "*" },
            "Condition": { "StringEquals": {
                "kms:CallerAccount": ["000000000000", "123456789012"],
            } },
        }),
        json!({
            "Sid": "Logs", "Effect": "Allow", "Resource": "*",
            "Action": ["kms:Encrypt*", "kms:GenerateDataKey*", "kms:Describe*", action],
            "Principal": { "Service": "logs.us-east-1.amazonaws.com" },
        }),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(state: KeyState) -> types::KeyMetadata {
        types::KeyMetadata::builder().key_id("k").key_state(state).build().unwrap()
    }

    #[test]
    fn the_recovery_time_is_read_from_its_tag_and_hides_it() {
        let facts = |days: &str| {
            let key = key(KeyState::Enabled);
            let policy = Document::of([]);
            let facts = Facts { key, policy, rotation: true, rotation_days: Some(90) };
            facts.into_live("alias/a", Tags::from([(TAG_RECOVERY.into(), days.into())]))
        };
        assert_eq!(facts("7").spec.recovery_days, 7);
        assert_eq!(facts("soon").spec.recovery_days, DEFAULT_RECOVERY);
        assert!(facts("7").tags.is_empty());
    }

    #[test]
    fn keys_that_wait_for_deletion_count_as_gone() {
        assert!(is_dying(&key(KeyState::PendingDeletion)));
        assert!(!is_dying(&key(KeyState::Disabled)));
        assert_eq!(phase(&key(KeyState::Creating)), Phase::Pending("Creating".into()));
    }

    #[test]
    fn the_wanted_alias_counts_before_others() {
        let aliases = ["alias/b".to_owned(), "alias/a".to_owned()];
        assert_eq!(pick(&aliases, |alias| alias == "alias/b"), "alias/b");
        assert_eq!(pick(&aliases, |_| false), "alias/a");
        assert_eq!(pick(&[], |_| true), "");
    }
}
