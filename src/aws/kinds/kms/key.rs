//! Customer keys, with alias, policy and rotation folded in.
//!
//! AWS quirks: a key does not have a name or a client token, so payctl finds it by its tags after a
//! lost reply. A deletion takes 7 to 30 days; meanwhile AWS lists the key with its tags, and its
//! aliases stay taken unless they are deleted first. Reads lag behind writes for a minute. The tags
//! of keys of other owners may not be readable.

use std::time::Duration;

use aws_sdk_kms::types;
use futures::future::{try_join_all, try_join3};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::document::Document;
use payctl_engine::model::drawn::{Drawn, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::Scope;
use payctl_engine::model::size::SizeLimit;
use payctl_engine::model::text::Output;
use payctl_money::bill::Charge;
use payctl_money::load::Driver;
use payctl_money::{Decimal, HOURS};

mod read;

use read::{aliases_of, facts, foreign, is_of_aws, pick, tags_of, take_inventory, waiting};

/// The first alias of any key; empty if it has none.
pub(super) async fn alias_of(aws: &Aws, id: &str) -> Result<String, OpError> {
    Ok(pick(&aliases_of(aws, id).await?, |_| false).to_owned())
}

/// The tag that keeps `recovery_days` where the deletion finds it. Not among `Live.tags`.
pub(crate) const TAG_RECOVERY: &str = "payctl:recovery-days";

/// The tag that keeps `kept`. Not among `Live.tags`.
const TAG_KEPT: &str = "payctl:kept";

/// AWS's default.
pub(crate) const DEFAULT_RECOVERY: u32 = 30;

/// How often AWS rotates, in days, unless told otherwise.
pub(crate) const DEFAULT_PERIOD: u32 = 365;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    /// The alias, `alias/...`.
    pub alias: String,
    /// Its description.
    pub description: String,
    /// Who may use and manage it.
    pub policy: Document,
    /// Whether the key can be used. Always wanted: payctl enables a key that others disabled.
    pub enabled: bool,
    /// Whether AWS rotates the key material.
    pub rotation: bool,
    /// How often, in days; every 365 days if none.
    #[serde(default, deserialize_with = "period")]
    pub rotation_days: Option<u32>,
    /// How long a deleted key can be brought back, in days (kept in a tag, for the deletion).
    pub recovery_days: u32,
    /// Whether a deletion releases it to the user instead, for a snapshot that nobody could read
    /// without it (kept in a tag). It stays so once it was: the snapshot may have been taken
    /// meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<bool>,
}

/// AWS's default period counts as none.
fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(Option::<u32>::deserialize(deserializer)?.filter(|days| *days != DEFAULT_PERIOD))
}

/// How many rotations of a key AWS charges for, each as much as a key.
const CHARGED_ROTATIONS: u32 = 2;

impl Key {
    /// How many rotations AWS charges for at the age of the environment.
    fn older(&self, cx: &Costs<'_>) -> Decimal {
        let days = cx.assume.age_months * HOURS / Decimal::from(24);
        let period = Decimal::from(self.rotation_days.unwrap_or(DEFAULT_PERIOD));
        let rotations = days.checked_div(period).filter(|_| self.rotation).unwrap_or_default();
        rotations.floor().min(Decimal::from(CHARGED_ROTATIONS))
    }
}

impl Resource for Key {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Apart, "key", "key"),
        notes: &[
            "A key costs about 1 US dollar a month, but not while its deletion is pending.",
            "A deleted key can be recovered for 7 to 30 days. If the same environment needs it \
             again, payctl does so, and all data that it encrypted stays readable.",
            "payctl never deletes the key of a database with a final snapshot, since the snapshot \
             needs it. Instead it removes the alias and the ownership tags. You keep the key, and \
             pay for it, for as long as you need the snapshot.",
            "payctl enables a key that was disabled or whose deletion was cancelled.",
            "The policy must allow the root of the account. Otherwise nobody can manage the key \
             any more.",
            "If an IAM policy tests the tags of a key, as those of `payctl policy` do, AWS may \
             take five minutes to see new tags: payctl waits for that.",
        ],
        replace: Replace::Forbidden,
        can_duplicate: true,
        data: Some("all data encrypted with it, when the waiting period ends"),
        regain: Some(regain),
        read_lag: Duration::from_secs(60),
        propagation: Duration::from_secs(330),
        transient: &[
            ("MalformedPolicyDocumentException", "invalid principal"),
            ("AccessDeniedException", "to perform: kms:DeleteAlias"),
            ("AccessDeniedException", "to perform: kms:EnableKey on"),
            ("AccessDeniedException", "to perform: kms:PutKeyPolicy"),
            ("AccessDeniedException", "to perform: kms:ScheduleKeyDeletion"),
            ("AccessDeniedException", "to perform: kms:TagResource"),
            ("AccessDeniedException", "to perform: kms:UpdateAlias"),
            ("AccessDeniedException", "to perform: kms:UpdateKeyDescription"),
        ],
        gone_at_once: true,
        permits: &[
            Permit::look(&["kms:ListAliases", "kms:ListKeys"], &["*"]),
            Permit::look(
                &[
                    "kms:DescribeKey",
                    "kms:GetKeyPolicy",
                    "kms:GetKeyRotationStatus",
                    "kms:ListResourceTags",
                ],
                &["kms:{here}:key/*"],
            ),
            Permit::create(&["kms:CreateKey"], &["*"]).made_ours(),
            Permit::create(&["kms:TagResource"], &["kms:{here}:key/*"]).made_ours(),
            Permit::create(&["kms:CancelKeyDeletion"], &["kms:{here}:key/*"]).ours(),
            Permit::set(&["kms:CreateAlias"], &["kms:{here}:{name}"]),
            // The key may be so new that its tags do not count yet.
            Permit::set(&["kms:CreateAlias", "kms:EnableKeyRotation"], &["kms:{here}:key/*"]),
            Permit::change(
                &[
                    "kms:DisableKeyRotation",
                    "kms:EnableKey",
                    "kms:PutKeyPolicy",
                    "kms:TagResource",
                    "kms:UntagResource",
                    "kms:UpdateAlias",
                    "kms:UpdateKeyDescription",
                ],
                &["kms:{here}:key/*"],
            )
            .ours(),
            Permit::change(&["kms:DeleteAlias", "kms:UpdateAlias"], &["kms:{here}:{name}"]),
            Permit::change(&["kms:DeleteAlias"], &["kms:{here}:key/*"]).ours(),
            Permit::delete(
                &["kms:DeleteAlias", "kms:ScheduleKeyDeletion", "kms:UntagResource"],
                &["kms:{here}:key/*"],
            )
            .ours(),
            Permit::delete(&["kms:DeleteAlias"], &["kms:{here}:{name}"]),
        ],
        names: Some(NameRule {
            is_reserved: Some(is_reserved),
            ..NameRule::new(
                "key",
                250,
                r"^[a-zA-Z0-9/_-]{1,250}$",
                "an alias is 1 to 250 letters, digits and / _ -, and does not begin with aws/",
            )
        }),
        sizes: &[SizeLimit::policy("policy", "policy", 32_768)],
        section: "keys",
        predicted: &[(Output::Name, "{.alias}")],
        asked: &["rotation", "recovery_days"],
        typical: Typical::seconds(5, 2, 2).calls(12, 10, 4),
        serves: true,
        felt: &[("enabled", Traffic::Outage)],
        pricing: Pricing::Charged(
            "AWS charges for each key by the month, and for requests. It adds a dollar for \
             each of the first two rotations, which payctl does not count.",
        ),
        types: &["kms:key"],
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
            kept: None,
        }
    }

    fn variants() -> Vec<Self> {
        vec![
            Self {
                description: "Another purpose.".into(),
                recovery_days: 14,
                kept: Some(true),
                ..Self::sample()
            },
            Self {
                alias: "alias/sample-other-key".into(),
                rotation_days: Some(180),
                policy: sample_policy("kms:ReEncrypt*"),
                kept: Some(false),
                ..Self::sample()
            },
            Self { rotation: false, ..Self::sample() },
        ]
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        // Services ask for a data key and use it for five minutes.
        let requests = cx.load(Driver::Users) * Decimal::from(12) * cx.hours();
        vec![
            Charge::fixed("key", "kms.key", cx.share()),
            Charge::fixed("older material", "kms.key", self.older(cx) * cx.share()),
            Charge::usage("requests", "kms.requests", requests),
        ]
    }

    /// A key that a snapshot needs stays with the user.
    fn stays(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let keys =
            if self.kept == Some(true) { Decimal::ONE + self.older(cx) } else { Decimal::ZERO };
        vec![Charge::fixed("key of a snapshot", "kms.key", keys)]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let inventory = take_inventory(cx.aws).await?;
        let index = cx.tags_of_everything().await;
        let arn_of = |id: &str| {
            let Scope { partition, region, account, .. } = &cx.aws.scope;
            format!("arn:{partition}:kms:{region}:{account}:key/{id}")
        };
        let candidates = inventory.iter().filter(|(id, aliases)| {
            let candidate = |alias: &String| !is_of_aws(alias) && cx.is_candidate(alias);
            // A crash between CreateKey and CreateAlias leaves a key of ours without alias. payctl
            // reports a key that only its tags claim, and leaves it alone.
            let claims = || index.is_some_and(|index| index.contains_key(&arn_of(id)));
            aliases.is_empty() || aliases.iter().any(candidate) || claims()
        });
        let found = candidates.map(|(id, aliases)| async move {
            let wanted = pick(aliases, |alias| cx.wanted.contains_key(alias));
            let alias = if cx.wanted.contains_key(wanted) {
                wanted
            } else {
                pick(aliases, |alias| cx.is_candidate(alias))
            };
            let arn = arn_of(id);
            let read = async { tags_of(cx.aws, id).await.or_gone() };
            let tags = if aliases.is_empty() {
                // The tags of a key that was just released lag behind and would still claim it.
                read.await
            } else {
                cx.tags(&arn, read).await
            };
            let Some(tags) = cx.if_permitted(alias, tags)? else {
                return Ok(None);
            };
            let claimed = if aliases.is_empty() {
                // Without an alias it does not have a name, so only its tags show the owner.
                cx.aws.scope.owned(&tags).map(|address| (address, Owner::Ours))
            } else {
                cx.claim(alias, &tags)
            };
            let Some((address, owner)) = claimed else { return Ok(None) };
            let live = match owner {
                Owner::Ours => facts(cx.aws, id).await?.map(|facts| facts.into_live(alias, tags)),
                Owner::Foreign(_) | Owner::Disputed(_) | Owner::Shared | Owner::Nobody => {
                    Some(foreign(id, alias, tags))
                }
            };
            Ok(live.map(|live| Found { address, owner, live }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let id = cx.id();
        let all = try_join3(facts(cx.aws, id), tags_of(cx.aws, id), aliases_of(cx.aws, id));
        let Some((Some(facts), tags, aliases)) = all.await.or_gone()? else { return Ok(None) };
        // A released key belongs to the user.
        if cx.aws.scope.owned(&tags).is_none() {
            return Ok(None);
        }
        Ok(Some(facts.into_live(pick(&aliases, |alias| alias == cx.name), tags)))
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        let tags = tags_of(cx.aws, cx.id()).await.or_gone()?;
        // A released key belongs to the user.
        let own = tags.filter(|tags| cx.aws.scope.owned(tags).is_some());
        Ok(own.map(|tags| Live { tags, ..planned }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        if let Some(id) = waiting(cx).await? {
            let send = cx.aws.kms.cancel_key_deletion().key_id(&id).send();
            return match send.await.map_err(op("CancelKeyDeletion")) {
                // Another run was faster.
                Err(error) if error.class == ErrorClass::Invalid => {
                    facts(cx.aws, &id).await?.map(|_| id).ok_or(error)
                }
                cancelled => cancelled.map(|_| id),
            };
        }
        // The tag for `kept` comes with an update. Until then nothing is encrypted with the key,
        // and it may be deleted.
        let mut tags = cx.tags.clone();
        tags.insert(TAG_RECOVERY.to_owned(), self.recovery_days.to_string());
        let created = cx
            .aws
            .kms
            .create_key()
            .description(&self.description)
            .policy(self.policy.to_json())
            .set_tags(Some(to_tags(&tags)))
            .send()
            .await
            .map_err(op("CreateKey"))?;
        created.key_metadata.map(|key| key.key_id).ok_or_else(|| {
            OpError::new("CreateKey", ErrorClass::Service, "NoKey", "AWS did not return a key id")
        })
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (kms, id) = (&cx.aws.kms, live.id.as_str());
        // AWS refuses to change the rotation of a disabled key, so payctl enables it first.
        if self.enabled && !live.spec.enabled {
            kms.enable_key().key_id(id).send().await.map_err(op("EnableKey"))?;
        }
        if self.policy != live.spec.policy {
            kms.put_key_policy()
                .key_id(id)
                .policy_name("default")
                .policy(self.policy.to_json())
                .send()
                .await
                .map_err(op("PutKeyPolicy"))?;
        }
        if self.description != live.spec.description {
            let call = kms.update_key_description().key_id(id).description(&self.description);
            call.send().await.map_err(op("UpdateKeyDescription"))?;
        }
        let kept = self.kept.is_some() && self.kept != live.spec.kept;
        if kept || self.recovery_days != live.spec.recovery_days {
            let call = kms.tag_resource().key_id(id).set_tags(Some(to_tags(&self.own_tags())));
            call.send().await.map_err(op("TagResource"))?;
        }
        self.update_rotation(cx.aws, live).await?;
        self.update_alias(cx.aws, live).await
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call = cx.aws.kms.tag_resource().key_id(&live.id).set_tags(Some(to_tags(set)));
        call.send().await.map_err(op("TagResource")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let call = cx.aws.kms.untag_resource().key_id(&live.id).set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagResource")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (aws, id) = (cx.aws, live.id.as_str());
        // An alias stays taken until the key is gone for good, so the aliases go first.
        let Some(aliases) = aliases_of(aws, id).await.or_gone()? else { return Ok(()) };
        try_join_all(aliases.iter().map(|alias| delete_alias(aws, alias))).await?;
        if live.spec.kept == Some(true) {
            return let_go(aws, id).await;
        }
        // An edited tag must not block the run.
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
    /// The values that payctl stores in tags.
    fn own_tags(&self) -> Tags {
        let recovery = (TAG_RECOVERY.to_owned(), self.recovery_days.to_string());
        let kept = self.kept.map(|kept| (TAG_KEPT.to_owned(), kept.to_string()));
        std::iter::once(recovery).chain(kept).collect()
    }

    async fn update_rotation(&self, aws: &Aws, live: &Live<Self>) -> Result<(), OpError> {
        let period = self.rotation_days != live.spec.rotation_days;
        if self.rotation && (!live.spec.rotation || period) {
            // Without a period AWS keeps the one that the key had.
            let days = self.rotation_days.unwrap_or(DEFAULT_PERIOD) as i32;
            aws.kms
                .enable_key_rotation()
                .key_id(&live.id)
                .rotation_period_in_days(days)
                .send()
                .await
                .map_err(op("EnableKeyRotation"))?;
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
        // Another key of this environment may have the old alias by now.
        match live.spec.alias.as_str() {
            old if aliases_of(aws, &live.id).await?.iter().any(|alias| alias == old) => {
                delete_alias(aws, old).await
            }
            _ => Ok(()),
        }
    }

    /// Points an existing alias to this key, if it points to a key of this environment: usually one
    /// that waits for its deletion.
    async fn take_alias(&self, aws: &Aws, id: &str, taken: OpError) -> Result<(), OpError> {
        let send = aws.kms.describe_key().key_id(&self.alias).send();
        let holder = send.await.map_err(op("DescribeKey"))?.key_metadata;
        let holder = holder.map(|key| key.key_id).unwrap_or_default();
        if holder == id {
            return Ok(());
        }
        if aws.scope.owned(&tags_of(aws, &holder).await?).is_none() {
            let message = format!(
                "{} points to key {holder}, which this environment does not own: delete the alias \
                 or choose another one",
                self.alias
            );
            return Err(OpError { message, ..taken });
        }
        let call = aws.kms.update_alias().alias_name(&self.alias).target_key_id(id);
        call.send().await.map_err(op("UpdateAlias")).map(drop)
    }
}

/// Takes payctl's own tags from a key, so that it does not belong to any environment.
async fn let_go(aws: &Aws, id: &str) -> Result<(), OpError> {
    let Some(tags) = tags_of(aws, id).await.or_gone()? else { return Ok(()) };
    let ours: Vec<String> = tags.into_keys().filter(|key| key.starts_with("payctl:")).collect();
    if ours.is_empty() {
        return Ok(());
    }
    let send = aws.kms.untag_resource().key_id(id).set_tag_keys(Some(ours)).send();
    send.await.map_err(op("UntagResource")).map(drop)
}

async fn delete_alias(aws: &Aws, alias: &str) -> Result<(), OpError> {
    let send = aws.kms.delete_alias().alias_name(alias).send();
    send.await.map_err(op("DeleteAlias")).or_gone().map(drop)
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

/// The part of a deleted key that can be recovered.
fn regain(live: &Value) -> Option<String> {
    if live["kept"] == true {
        return Some(
            "payctl does not delete it, since the final snapshot needs it; you own it then"
                .to_owned(),
        );
    }
    let days = live["recovery_days"].as_u64()?;
    Some(format!("for {days} days; an apply of the same environment restores it"))
}

/// Aliases that AWS keeps for itself.
fn is_reserved(name: &str) -> bool {
    name.starts_with("aws/")
}
