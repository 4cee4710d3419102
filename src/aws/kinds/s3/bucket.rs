//! Buckets, with all their sub-configurations folded in; emptied before deletion.
//!
//! AWS quirks: names are unique in the world, so a name that is not in our list may still be taken
//! (asking for its tags tells). In us-east-1, creating a bucket that exists succeeds and resets its
//! ACLs, so creation looks first. Each sub-configuration is a call of its own that replaces the
//! whole; two at once abort each other. AWS refuses to delete a bucket while any object version,
//! delete marker or late log file is left.

mod convert;
mod empty;
mod settings;
mod storage;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership, Tag, Tagging,
};
use futures::future::{FutureExt, try_join_all};
use futures::try_join;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, is_elsewhere, is_no_bucket, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::drawn::{Drawn, Flow, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::{NameRule, Shared};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::size::SizeLimit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed, gb};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bucket {
    /// The name, unique in the world.
    pub name: String,
    /// Whether overwritten and deleted objects are kept as versions.
    pub versioning: bool,
    /// How objects are encrypted.
    pub encryption: Encryption,
    /// Whether S3 keeps a key of its own for a while instead of asking KMS for each object.
    pub bucket_key: bool,
    /// Whether everything public is blocked (all four settings).
    pub block_public_access: bool,
    /// Who may use it.
    pub policy: Option<Document>,
    /// Lifecycle rules by id.
    pub lifecycle: BTreeMap<String, LifecycleRule>,
    /// The target of access logs.
    pub access_log: Option<AccessLog>,
    /// How long versions of objects cannot be deleted.
    pub object_lock: Option<ObjectLock>,
}

/// How objects are encrypted at rest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encryption {
    /// A key that S3 manages (SSE-S3).
    S3,
    /// A KMS key by id, ARN or alias.
    Kms(Text),
}

/// The lifecycle of objects. Days count from creation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LifecycleRule {
    /// Only objects whose key starts with this; all if empty.
    pub prefix: String,
    /// Storage class (`GLACIER`) by number of days.
    pub transitions: BTreeMap<String, u32>,
    /// Deletion after so many days.
    pub expire_days: Option<u32>,
    /// Storage class by number of days after a version was superseded.
    pub old_version_transitions: BTreeMap<String, u32>,
    /// Deletion of superseded versions after so many days.
    pub old_version_expire_days: Option<u32>,
    /// Abandoned multipart uploads are removed after so many days.
    pub abort_uploads_days: Option<u32>,
}

/// How long versions of objects cannot be deleted, from when they were written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectLock {
    /// `GOVERNANCE` (a special permission can remove a lock) or `COMPLIANCE` (nobody can).
    pub mode: String,
    /// Days; a year counts 365.
    pub days: i32,
}

/// The target of access logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessLog {
    /// The name of the receiving bucket.
    pub bucket: Text,
    /// The prefix of log keys.
    pub prefix: String,
}

impl Resource for Bucket {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Data, "bucket", "bucket").with(flows),
        notes: &[
            "Bucket names are unique across all AWS accounts.",
            "ACLs are off: the bucket's owner owns every object.",
            "Versioning cannot be turned off again, only suspended; old versions stay.",
            "Before payctl deletes a bucket, it removes the policy and empties the bucket: \
             objects, old versions, delete markers, unfinished uploads, and logs that arrive \
             meanwhile.",
            "The name of a deleted bucket stays blocked for a while; then any account may take it.",
            "Object Lock cannot be turned off again, only its default for new objects; versioning \
             then stays on. Locked objects cannot be deleted before their time: payctl never \
             removes a lock, so a destroy fails at the bucket and says until when.",
            "A bucket with Object Lock cannot receive the access logs of other buckets.",
        ],
        immutable: &["name"],
        replace: Replace::Forbidden,
        data: Some("all objects of the bucket and their versions"),
        deadline: Duration::from_secs(1800),
        read_lag: Duration::from_secs(60),
        transient: &[
            // Not seen everywhere yet.
            ("InvalidBucketState", "Versioning must be 'Enabled'"),
            ("MalformedPolicy", "principal"),
            ("InvalidTargetBucketForLogging", "does not exist"),
        ],
        check: Some(Asked::of("it can be reached")),
        told: true,
        gone_at_once: true,
        permits: &[
            Permit::look(&["s3:ListAllMyBuckets"], &["*"]),
            Permit::look(
                &[
                    "s3:GetBucketLogging",
                    "s3:GetBucketObjectLockConfiguration",
                    "s3:GetBucketPolicy",
                    "s3:GetBucketPublicAccessBlock",
                    "s3:GetBucketTagging",
                    "s3:GetBucketVersioning",
                    "s3:GetEncryptionConfiguration",
                    "s3:GetLifecycleConfiguration",
                ],
                &["s3:::{seen}"],
            ),
            Permit::create(
                &["s3:CreateBucket", "s3:PutBucketOwnershipControls", "s3:TagResource"],
                &["s3:::{name}"],
            ),
            Permit::set(
                &[
                    "s3:PutBucketLogging",
                    "s3:PutBucketObjectLockConfiguration",
                    "s3:PutBucketPolicy",
                    "s3:PutBucketPublicAccessBlock",
                    "s3:PutBucketTagging",
                    "s3:PutBucketVersioning",
                    "s3:PutEncryptionConfiguration",
                    "s3:PutLifecycleConfiguration",
                ],
                &["s3:::{name}"],
            ),
            Permit::change(&["s3:DeleteBucketPolicy"], &["s3:::{name}"]),
            Permit::delete(
                &[
                    "s3:DeleteBucket",
                    "s3:DeleteBucketPolicy",
                    "s3:ListBucketMultipartUploads",
                    "s3:ListBucketVersions",
                ],
                &["s3:::{name}"],
            ),
            Permit::delete(
                &[
                    "s3:AbortMultipartUpload",
                    "s3:DeleteObject",
                    "s3:DeleteObjectVersion",
                    "s3:GetObjectRetention",
                ],
                &["s3:::{name}/*"],
            ),
            Permit::check(&["s3:ListBucket"], &["s3:::{name}"]),
        ],
        names: Some(NameRule {
            shared: Shared::World,
            is_reserved: Some(is_reserved),
            ..NameRule::new(
                "bucket",
                63,
                r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
                "a bucket's name is 3 to 63 lower-case letters, digits and dashes (dots break TLS)",
            )
        }),
        arn: Some("s3:::{name}"),
        sizes: &[SizeLimit::policy("policy", "policy", 20_480)],
        section: "buckets",
        predicted: &[
            (Output::Arn, "{arn}"),
            (Output::Endpoint, "{name}.s3.{region}.{dns}"),
            (Output::Id, "{name}"),
            (Output::Name, "{name}"),
        ],
        asked: &["versioning", "object_lock"],
        typical: Typical::seconds(5, 3, 30).calls(8, 14, 6),
        serves: true,
        pricing: Pricing::Charged("AWS charges for requests and for storage by class."),
        types: &["s3"],
        ..Meta::new("s3.bucket", "s3", "An S3 bucket with all its settings.")
    };

    fn sample() -> Self {
        let archive = LifecycleRule {
            transitions: BTreeMap::from([("GLACIER".to_owned(), 90)]),
            abort_uploads_days: Some(7),
            ..LifecycleRule::default()
        };
        Self {
            name: "sample-payment-bucket-000000000000-us-east-1".into(),
            versioning: false,
            encryption: Encryption::S3,
            bucket_key: false,
            block_public_access: true,
            policy: Some(tls_only("sample-payment-bucket-000000000000-us-east-1")),
            lifecycle: BTreeMap::from([("archive".to_owned(), archive)]),
            access_log: None,
            object_lock: None,
        }
    }

    fn variants() -> Vec<Self> {
        let expire = LifecycleRule {
            prefix: "logs/".into(),
            transitions: BTreeMap::from([
                ("STANDARD_IA".to_owned(), 30),
                ("GLACIER".to_owned(), 60),
            ]),
            expire_days: Some(365),
            old_version_transitions: BTreeMap::from([("GLACIER".to_owned(), 30)]),
            old_version_expire_days: Some(90),
            abort_uploads_days: None,
        };
        let mut two_rules = Self::sample().lifecycle;
        two_rules.insert("expire".to_owned(), expire);
        let kms = || Encryption::Kms("alias/aws/s3".into());
        let lock = |mode: &str, days| Some(ObjectLock { mode: mode.into(), days });
        vec![
            Self { versioning: true, lifecycle: two_rules, ..Self::sample() },
            Self { encryption: kms(), bucket_key: true, policy: None, ..Self::sample() },
            Self { encryption: kms(), ..Self::sample() },
            Self { block_public_access: false, lifecycle: BTreeMap::new(), ..Self::sample() },
            // From here on versioning stays on.
            Self { versioning: true, object_lock: lock("GOVERNANCE", 1), ..Self::sample() },
            Self { versioning: true, object_lock: lock("COMPLIANCE", 400), ..Self::sample() },
            Self { versioning: true, ..Self::sample() },
        ]
    }

    const DRIVEN_BY: &'static [(&'static str, Driver)] =
        &[("s3:GetObject", Driver::Gets), ("s3:PutObject", Driver::Puts)];

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let requests = cx.load(Driver::Puts) + cx.load(Driver::Gets);
        let detectors = cx.all("guardduty.detector");
        let mut flows = Costs::each(detectors, Driver::DataEvents, requests);
        if let Some(log) = &self.access_log {
            let written = gb(requests * cx.assume.log_kb);
            flows.extend(to(&log.bucket, Driver::DeliveredGb, written));
        }
        if let Encryption::Kms(key) = &self.encryption {
            flows.extend(to(key, Driver::Users, Decimal::ONE));
        }
        flows
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let mut charges = vec![
            Charge::usage("writes", "s3.put", cx.load(Driver::Puts)),
            Charge::usage("reads", "s3.get", cx.load(Driver::Gets)),
        ];
        charges.extend(self.storage(cx));
        charges
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        // With any parameter at all, the answer tells each bucket's region.
        let mut pages = cx.aws.s3.list_buckets().max_buckets(1000).into_paginator().items().send();
        let mut listed = BTreeMap::new();
        while let Some(bucket) = pages.next().await {
            let bucket = bucket.map_err(op("ListBuckets"))?;
            listed.insert(bucket.name.unwrap_or_default(), bucket.bucket_region);
        }
        let unlisted = cx.wanted.keys().filter(|name| !listed.contains_key(*name));
        let unlisted = unlisted.map(|name| survey_unlisted(cx, name).left_future());
        let here = listed
            .iter()
            .filter(|(name, _)| cx.is_candidate(name))
            .map(|(name, region)| survey_listed(cx, name, region.as_deref()).right_future());
        Ok(try_join_all(unlisted.chain(here)).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (seen, live) = try_join!(look(cx.aws, cx.id()), settings::describe(cx.aws, cx.id()))?;
        let Look::Open(tags) = seen else { return Ok(None) };
        Ok(live.map(|live| Live { tags, ..live }))
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(match look(cx.aws, cx.id()).await? {
            Look::Open(tags) => Some(Live { tags, ..planned }),
            Look::Free | Look::Elsewhere => None,
        })
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        match look(cx.aws, &self.name).await {
            Ok(Look::Free) => {}
            Err(error) if error.class != ErrorClass::Denied => return Err(error),
            Ok(Look::Open(_) | Look::Elsewhere) | Err(_) => {
                let (code, message) = ("BucketAlreadyExists", "the bucket already exists");
                return Err(OpError::new("CreateBucket", ErrorClass::Exists, code, message));
            }
        }
        let region = cx.aws.scope.region.as_str();
        let place = (region != "us-east-1").then(|| BucketLocationConstraint::from(region));
        cx.aws
            .s3
            .create_bucket()
            .bucket(&self.name)
            .object_ownership(ObjectOwnership::BucketOwnerEnforced)
            .set_object_lock_enabled_for_bucket(self.object_lock.as_ref().map(|_| true))
            .create_bucket_configuration(
                CreateBucketConfiguration::builder()
                    .set_location_constraint(place)
                    .set_tags(Some(cx.tags.iter().map(to_tag).collect()))
                    .build(),
            )
            .send()
            .await
            .map_err(op("CreateBucket"))?;
        // Endpoints that predate tags in CreateBucket drop them without a word.
        if cx.aws.is_elsewhere && tags_of(cx.aws, &self.name).await?.is_empty() {
            put_tags(cx.aws, &self.name, cx.tags).await?;
        }
        settings::send(cx.aws, self, &self.bare()).await?;
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        settings::send(cx.aws, self, &live.spec).await
    }

    async fn retag(
        cx: &Cx<'_>,
        live: &Live<Self>,
        set: &Tags,
        unset: &[String],
    ) -> Result<(), OpError> {
        // The call replaces the whole set, so it starts from what is there now.
        let mut tags = tags_of(cx.aws, &live.id).await?;
        tags.retain(|key, _| !key.starts_with("aws:") && !unset.contains(key));
        tags.extend(set.clone());
        put_tags(cx.aws, &live.id, &tags).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        // Without its policy no statement can deny the emptying, and services stop writing logs.
        if live.spec.policy.is_some() {
            settings::delete_policy(cx.aws, &live.id).await.or_gone()?;
        }
        empty::empty(cx.aws, &live.id).await.or_gone()?;
        let send = cx.aws.s3.delete_bucket().bucket(&live.id).send();
        send.await.map_err(op("DeleteBucket")).or_gone().map(drop)
    }

    async fn check(cx: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        let send = cx.aws.s3.head_bucket().bucket(&live.id).send();
        Ok(match send.await.map_err(op("HeadBucket")).or_gone()? {
            Some(_) => Verdict::passed(),
            None => Verdict::Failed("it does not exist any more".into()),
        })
    }
}

impl Bucket {
    /// The bucket that AWS makes of the creation. The access block is sent anyway: older endpoints begin
    /// without one.
    fn bare(&self) -> Self {
        Self {
            name: self.name.clone(),
            versioning: self.object_lock.is_some(),
            encryption: Encryption::S3,
            bucket_key: false,
            block_public_access: !self.block_public_access,
            policy: None,
            lifecycle: BTreeMap::new(),
            access_log: None,
            object_lock: None,
        }
    }
}

fn tls_only(bucket: &str) -> Document {
    Document::of([json!({
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    })])
}

/// A bucket in the account's list.
async fn survey_listed(
    cx: &Survey<'_>,
    name: &str,
    region: Option<&str>,
) -> Result<Option<Found<Bucket>>, OpError> {
    let is_other = |region: &&str| !region.is_empty() && *region != cx.aws.scope.region;
    if let Some(region) = region.filter(is_other) {
        return Ok(foreign(cx, name, &format!("this account, in region {region}")));
    }
    // This environment may own it: a denied read of its tags must not hide it.
    let arn = format!("arn:{}:s3:::{name}", cx.aws.scope.partition);
    let seen = match cx.settled_tags(&arn).await {
        Some(tags) => Ok(Look::Open(tags)),
        None => look(cx.aws, name).await,
    };
    match cx.if_permitted(name, seen.map(Some))? {
        Some(seen) => claim(cx, name, seen).await,
        None => Ok(None),
    }
}

/// A wanted name that is not in the account's list; another account may have taken it.
async fn survey_unlisted(cx: &Survey<'_>, name: &str) -> Result<Option<Found<Bucket>>, OpError> {
    match look(cx.aws, name).await {
        Err(error) if error.class == ErrorClass::Denied => {
            Ok(foreign(cx, name, "another account, or s3:GetBucketTagging is denied"))
        }
        seen => claim(cx, name, seen?).await,
    }
}

async fn claim(cx: &Survey<'_>, name: &str, seen: Look) -> Result<Option<Found<Bucket>>, OpError> {
    let tags = match seen {
        Look::Open(tags) => tags,
        Look::Elsewhere => {
            return Ok(foreign(cx, name, "another account, or this one in another region"));
        }
        Look::Free => return Ok(None),
    };
    let Some((address, mut owner)) = cx.claim(name, &tags) else { return Ok(None) };
    if tags.is_empty() && is_half_made(cx.aws, name).await? {
        owner = Owner::Ours;
    }
    let live = match owner {
        Owner::Ours => settings::describe(cx.aws, name).await?.map(|live| Live { tags, ..live }),
        Owner::Foreign(_) | Owner::Disputed(_) | Owner::Shared | Owner::Nobody => {
            Some(blank(cx.aws, name, tags))
        }
    };
    Ok(live.map(|live| Found { address, owner, live }))
}

/// Whether a bucket with a wanted name and without tags is one that payctl was making when it was
/// stopped. AWS tags a bucket in the create call. Only endpoints that drop those tags leave such a
/// bucket, and it is empty.
async fn is_half_made(aws: &Aws, name: &str) -> Result<bool, OpError> {
    if !aws.is_elsewhere {
        return Ok(false);
    }
    let call = aws.s3.list_object_versions().bucket(name).max_keys(1);
    let held = call.send().await.map_err(op("ListObjectVersions")).or_gone()?;
    Ok(held.is_some_and(|held| held.versions().is_empty() && held.delete_markers().is_empty()))
}

fn foreign(cx: &Survey<'_>, name: &str, owner: &str) -> Option<Found<Bucket>> {
    let address = cx.wanted.get(name)?.clone();
    let live = blank(cx.aws, name, Tags::new());
    Some(Found { address, owner: Owner::Foreign(owner.to_owned()), live })
}

/// A bucket whose settings payctl does not read.
fn blank(aws: &Aws, name: &str, tags: Tags) -> Live<Bucket> {
    let spec = Bucket {
        name: name.to_owned(),
        versioning: false,
        encryption: Encryption::S3,
        bucket_key: false,
        block_public_access: true,
        policy: None,
        lifecycle: BTreeMap::new(),
        access_log: None,
        object_lock: None,
    };
    to_live(aws, spec, tags)
}

fn to_live(aws: &Aws, spec: Bucket, tags: Tags) -> Live<Bucket> {
    let scope = &aws.scope;
    let suffix = scope.dns();
    let name = spec.name.clone();
    Live {
        id: name.clone(),
        spec,
        outputs: Outputs::from([
            (Output::Arn, format!("arn:{}:s3:::{name}", scope.partition)),
            (Output::Endpoint, format!("{name}.s3.{}.{suffix}", scope.region)),
            (Output::Id, name.clone()),
            (Output::Name, name),
        ]),
        tags,
        phase: Phase::Ready,
    }
}

/// The state of a bucket name across all accounts. Refused permission is an error: as a rule,
/// another account has it.
enum Look {
    /// The name is free.
    Free,
    /// It exists and shows us its tags.
    Open(Tags),
    /// It exists in another region.
    Elsewhere,
}

async fn look(aws: &Aws, name: &str) -> Result<Look, OpError> {
    let send = aws.s3.get_bucket_tagging().bucket(name).send();
    match send.await.map_err(op("GetBucketTagging")) {
        Ok(answer) => {
            let pairs = answer.tag_set.into_iter().map(|tag| (tag.key, tag.value));
            Ok(Look::Open(pairs.collect()))
        }
        Err(error) if is_no_bucket(&error) => Ok(Look::Free),
        Err(error) if error.class == ErrorClass::NotFound => Ok(Look::Open(Tags::new())),
        Err(error) if is_elsewhere(&error) => Ok(Look::Elsewhere),
        Err(error) => Err(error),
    }
}

async fn tags_of(aws: &Aws, name: &str) -> Result<Tags, OpError> {
    match look(aws, name).await? {
        Look::Open(tags) => Ok(tags),
        Look::Free | Look::Elsewhere => Ok(Tags::new()),
    }
}

async fn put_tags(aws: &Aws, name: &str, tags: &Tags) -> Result<(), OpError> {
    let tagging = Tagging::builder().set_tag_set(Some(tags.iter().map(to_tag).collect()));
    let tagging = tagging.build().expect("a tag set was given");
    let send = aws.s3.put_bucket_tagging().bucket(name).tagging(tagging).send();
    send.await.map_err(op("PutBucketTagging")).map(drop)
}

fn to_tag((key, value): (&String, &String)) -> Tag {
    Tag::builder().key(key).value(value).build().expect("a tag with key and value is complete")
}

/// Names that AWS keeps for itself.
fn is_reserved(name: &str) -> bool {
    let prefixes = ["xn--", "sthree-", "amzn-s3-demo-"];
    let suffixes = ["-s3alias", "--ol-s3", "--x-s3", "--table-s3"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
        || suffixes.iter().any(|suffix| name.ends_with(suffix))
}

/// The records of its requests.
fn flows(spec: &Value) -> Vec<Flow> {
    Flow::out(spec, "/access_log/bucket", "access log").into_iter().map(Flow::implied).collect()
}
