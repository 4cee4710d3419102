//! Reads keys from KMS: all of them, or one.

use std::collections::BTreeMap;

use aws_sdk_kms::types::{self, KeyState};
use futures::future::{join3, try_join, try_join_all};

use super::{DEFAULT_PERIOD, DEFAULT_RECOVERY, Key, TAG_KEPT, TAG_RECOVERY};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::Cx;
use payctl_engine::model::document::Document;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Live, Phase, Tags};
use payctl_engine::model::text::{Output, Outputs};

/// All key ids with their aliases.
pub(super) async fn take_inventory(aws: &Aws) -> Result<BTreeMap<String, Vec<String>>, OpError> {
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
/// A key of this address that does not wait is an error: another run has just made or restored it.
pub(super) async fn waiting(cx: &Cx<'_>) -> Result<Option<String>, OpError> {
    let inventory = take_inventory(cx.aws).await?;
    // The deletion took its aliases.
    let bare = inventory.iter().filter(|(_, aliases)| aliases.is_empty());
    let keys = bare.map(|(id, _)| async move {
        let ours = match tags_of(cx.aws, id).await {
            Ok(tags) => cx.aws.scope.owned(&tags).as_ref() == Some(cx.address),
            Err(error) if matches!(error.class, ErrorClass::Denied | ErrorClass::NotFound) => false,
            Err(error) => return Err(error),
        };
        if !ours {
            return Ok(None);
        }
        let send = cx.aws.kms.describe_key().key_id(id).send();
        let key = send.await.map_err(op("DescribeKey")).or_gone()?;
        match key.and_then(|answer| answer.key_metadata) {
            Some(key) if !is_dying(&key) => {
                let message = format!("key {id} already exists for {}", cx.address);
                Err(OpError::new("CreateKey", ErrorClass::Exists, "AlreadyExists", message))
            }
            key => Ok(key),
        }
    });
    let keys = try_join_all(keys).await?.into_iter().flatten();
    let last = keys.max_by_key(|key| key.deletion_date.map(|date| date.secs()));
    Ok(last.map(|key| key.key_id))
}

pub(super) async fn aliases_of(aws: &Aws, id: &str) -> Result<Vec<String>, OpError> {
    let pages = aws.kms.list_aliases().key_id(id).into_paginator().items();
    let aliases = pages.send().try_collect().await.map_err(op("ListAliases"))?;
    Ok(aliases.into_iter().filter_map(|alias| alias.alias_name).collect())
}

pub(super) async fn tags_of(aws: &Aws, id: &str) -> Result<Tags, OpError> {
    let pages = aws.kms.list_resource_tags().key_id(id).into_paginator().items();
    let tags = pages.send().try_collect().await.map_err(op("ListResourceTags"))?;
    let ours = tags.into_iter().filter(|tag| !tag.tag_key.starts_with("aws:"));
    Ok(ours.map(|tag| (tag.tag_key, tag.tag_value)).collect())
}

/// AWS's answers about one key.
pub(super) struct Facts {
    key: types::KeyMetadata,
    policy: Document,
    rotation: bool,
    rotation_days: Option<u32>,
}

/// `None` for keys that wait for their deletion, as for those that are gone.
pub(super) async fn facts(aws: &Aws, id: &str) -> Result<Option<Facts>, OpError> {
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
    pub(super) fn into_live(self, alias: &str, mut tags: Tags) -> Live<Key> {
        let recovery = tags.remove(TAG_RECOVERY).and_then(|days| days.parse().ok());
        let kept = tags.remove(TAG_KEPT).and_then(|kept| kept.parse().ok());
        Live {
            id: self.key.key_id.clone(),
            phase: phase_of(&self.key),
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
                kept,
            },
        }
    }
}

/// The key of another owner behind a wanted alias, with just enough to name it: payctl may not be
/// allowed to read more.
pub(super) fn foreign(id: &str, alias: &str, mut tags: Tags) -> Live<Key> {
    tags.remove(TAG_RECOVERY);
    tags.remove(TAG_KEPT);
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
            kept: None,
        },
        outputs: Outputs::from([(Output::Id, id.to_owned())]),
        tags,
        phase: Phase::Ready,
    }
}

pub(super) fn is_of_aws(alias: &str) -> bool {
    alias.starts_with("alias/aws/")
}

fn is_dying(key: &types::KeyMetadata) -> bool {
    let dying = [KeyState::PendingDeletion, KeyState::PendingReplicaDeletion];
    key.key_state.as_ref().is_some_and(|state| dying.contains(state))
}

fn phase_of(key: &types::KeyMetadata) -> Phase {
    match &key.key_state {
        Some(state @ (KeyState::Creating | KeyState::Updating)) => {
            Phase::Pending(state.as_str().to_owned())
        }
        _ => Phase::Ready,
    }
}

/// The alias that counts, if a key has several: a preferred one, else the first.
pub(super) fn pick(aliases: &[String], preferred: impl Fn(&str) -> bool) -> &str {
    let preferred = aliases.iter().find(|alias| preferred(alias));
    preferred.or(aliases.iter().min()).map(String::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_in(state: KeyState) -> types::KeyMetadata {
        types::KeyMetadata::builder().key_id("k").key_state(state).build().unwrap()
    }

    #[test]
    fn the_recovery_time_is_read_from_a_hidden_tag() {
        let facts = |days: &str| {
            let key = key_in(KeyState::Enabled);
            let policy = Document::of([]);
            let facts = Facts { key, policy, rotation: true, rotation_days: Some(90) };
            facts.into_live("alias/a", Tags::from([(TAG_RECOVERY.into(), days.into())]))
        };
        assert_eq!(facts("7").spec.recovery_days, 7);
        assert_eq!(facts("soon").spec.recovery_days, DEFAULT_RECOVERY);
        assert!(facts("7").tags.is_empty());
    }

    #[test]
    fn a_key_is_kept_only_if_its_tag_says_so() {
        let kept = |value: Option<&str>| {
            let (key, policy) = (key_in(KeyState::Enabled), Document::of([]));
            let facts = Facts { key, policy, rotation: false, rotation_days: None };
            let tags = value.map(|value| (TAG_KEPT.to_owned(), value.to_owned()));
            let live = facts.into_live("alias/a", tags.into_iter().collect());
            assert!(live.tags.is_empty());
            live.spec.kept
        };
        assert_eq!(
            [kept(Some("true")), kept(Some("false")), kept(None)],
            [Some(true), Some(false), None]
        );
    }

    #[test]
    fn keys_pending_deletion_count_as_gone() {
        assert!(is_dying(&key_in(KeyState::PendingDeletion)));
        assert!(!is_dying(&key_in(KeyState::Disabled)));
        assert_eq!(phase_of(&key_in(KeyState::Creating)), Phase::Pending("Creating".into()));
    }

    #[test]
    fn the_wanted_alias_counts_before_others() {
        let aliases = ["alias/b".to_owned(), "alias/a".to_owned()];
        assert_eq!(pick(&aliases, |alias| alias == "alias/b"), "alias/b");
        assert_eq!(pick(&aliases, |_| false), "alias/a");
        assert_eq!(pick(&[], |_| true), "");
    }
}
