//! DynamoDB tables, with indexes, stream, TTL, backups and encryption folded in.
//!
//! AWS quirks: creation can set everything except TTL and backups. Later AWS makes one change at a
//! time, in an order that `update` knows, and refuses every other change while the table is
//! `UPDATING`. A missing member means a default: without a billing summary the table is
//! provisioned, without an encryption description it uses DynamoDB's own key. AWS refuses to delete
//! a protected table. A restore is slow and does not take tags or most settings; from then on the
//! description of the table names its source.

mod convert;
mod read;
mod restore;
mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Tag};
use futures::future::{join, try_join_all};
use futures::try_join;
use serde::{Deserialize, Serialize};

use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::measured::Gauge;
use crate::aws::resource::{Cx, Resource, Survey};
use crate::words::tables::Stream;
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed, gb};
use read::{describe, tags_of};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// The name.
    pub name: String,
    /// The partition key.
    pub partition_key: Attribute,
    /// The sort key.
    pub sort_key: Option<Attribute>,
    /// Global secondary indexes by name.
    pub indexes: BTreeMap<String, Index>,
    /// How capacity is paid.
    pub billing: Billing,
    /// The content of stream records; `None` without a stream.
    pub stream: Option<Stream>,
    /// The attribute that holds the expiry time; none when items do not expire.
    pub ttl: Option<String>,
    /// Whether the table can be restored to any second of the last 35 days.
    pub point_in_time_recovery: bool,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// Whether AWS refuses to delete it.
    pub deletion_protection: bool,
    /// The source of a restore; `None` for an empty table.
    #[serde(default)]
    pub restore_from: Option<Source>,
}

/// The source of a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Source {
    /// A backup, by ARN.
    Backup {
        /// The ARN.
        backup: String,
    },
    /// Another table as it was at a time.
    Time {
        /// Its name.
        table: String,
        /// `2026-11-28T12:00:00Z`, or `latest`.
        at: String,
    },
}

/// A key attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type: `S`, `N` or `B`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A global secondary index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    /// The partition key.
    pub partition_key: Attribute,
    /// The sort key.
    pub sort_key: Option<Attribute>,
    /// Which attributes it carries.
    pub projection: Projection,
    /// Its own capacity; only with provisioned billing.
    pub capacity: Option<Capacity>,
}

/// Which attributes an index carries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Projection {
    /// All.
    All,
    /// Only keys.
    KeysOnly,
    /// Keys and these.
    Include(BTreeSet<String>),
}

/// How capacity is paid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Billing {
    /// By request.
    OnDemand,
    /// By reserved capacity.
    Provisioned(Capacity),
}

/// Reserved capacity units.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Capacity {
    /// Read units.
    pub read: u32,
    /// Write units.
    pub write: u32,
}

/// How a table is encrypted at rest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encryption {
    /// A key that DynamoDB owns.
    Owned,
    /// The account's aws/dynamodb key.
    Managed,
    /// A customer key, by ARN.
    Kms(Text),
}

/// How many units an item of so many KB takes to be written and to be read. A unit writes 1 KB, or reads
/// 4 KB; half a unit reads them eventually consistent.
fn units(item_kb: Decimal) -> (Decimal, Decimal) {
    let [write, read] = [item_kb, item_kb / Decimal::from(4)].map(|blocks| blocks.ceil());
    (write.max(Decimal::ONE), read.max(Decimal::ONE) / Decimal::TWO)
}

impl Resource for Table {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Data, "table", "table"),
        notes: &[
            "AWS makes one change at a time: payctl adds and removes each index in a separate \
             step, and so changes encryption, expiry and backups.",
            "payctl removes a changed index and builds it again from the table. The table keeps \
             all items, but queries on the index fail until it is built.",
            "A change of the stream view creates a new stream with a new ARN.",
            "AWS allows one change of expiry per hour: payctl makes a second one last, and waits \
             until AWS accepts it. AWS takes up to an hour to turn expiry off; payctl does not \
             wait for that.",
            "AWS allows four changes to on-demand billing in 24 hours.",
            "payctl turns deletion protection off when it deletes the table.",
            "A restore takes minutes to hours and has the indexes and the billing of its source. \
             payctl makes all other changes after it, one at a time.",
            "A restore cannot set tags. After a crash, payctl adopts a restored table without \
             tags only if AWS says that it was restored from the source in `restore_from`.",
        ],
        create_only: &["restore_from"],
        made_from: Some("restore_from"),
        regain: Some(restore::regain),
        immutable: &["name", "partition_key", "sort_key"],
        changed_outputs: &[("stream", Output::StreamArn)],
        replace: Replace::Forbidden,
        data: Some("all items of the table"),
        protection_field: Some("deletion_protection"),
        // A restore takes hours if the table is large and has indexes.
        deadline: Duration::from_secs(6 * 3600),
        read_lag: Duration::from_secs(60),
        transient: &[
            // A key that was just made.
            ("ValidationException", "KMS"),
            // The setting already has this value, and the description lags behind.
            ("ValidationException", "TimeToLive is already"),
            ("ValidationException", "already has an enabled stream"),
            ("ValidationException", "index which already exists"),
            ("ValidationException", "will not change"),
        ],
        check: Some(Asked::of("it answers a read")),
        permits: &[
            Permit::look(&["dynamodb:ListTables"], &["*"]),
            Permit::look(
                &[
                    "dynamodb:DescribeContinuousBackups",
                    "dynamodb:DescribeTable",
                    "dynamodb:DescribeTimeToLive",
                    "dynamodb:ListTagsOfResource",
                ],
                &["dynamodb:{here}:table/{seen}"],
            ),
            Permit::look(&["kms:DescribeKey"], &["kms:{here}:key/*"]),
            Permit::create(&["dynamodb:CreateTable"], &["dynamodb:{here}:table/{name}"]),
            Permit::set(
                &[
                    "dynamodb:TagResource",
                    "dynamodb:UpdateContinuousBackups",
                    "dynamodb:UpdateTable",
                    "dynamodb:UpdateTimeToLive",
                ],
                &["dynamodb:{here}:table/{name}"],
            ),
            Permit::set(
                &[
                    "kms:CreateGrant",
                    "kms:Decrypt",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                ],
                &["kms:{here}:key/*"],
            )
            .where_equal("kms:ViaService", "dynamodb.{region}.amazonaws.com"),
            Permit::change(&["dynamodb:UntagResource"], &["dynamodb:{here}:table/{name}"]),
            Permit::delete(
                &["dynamodb:DeleteTable", "dynamodb:UpdateTable"],
                &["dynamodb:{here}:table/{name}"],
            ),
            // With `restore_from`: AWS writes the items with the caller's permissions.
            Permit::look(&["dynamodb:ListBackups"], &["*"]),
            Permit::look(&["dynamodb:DescribeBackup"], &["dynamodb:{here}:table/*/backup/*"]),
            Permit::create(
                &["dynamodb:RestoreTableFromBackup"],
                &["dynamodb:{here}:table/*/backup/*", "dynamodb:{here}:table/{name}"],
            ),
            Permit::create(
                &["dynamodb:RestoreTableToPointInTime"],
                &["dynamodb:{here}:table/{seen}", "dynamodb:{here}:table/{name}"],
            ),
            Permit::create(
                &[
                    "dynamodb:BatchWriteItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:Query",
                    "dynamodb:Scan",
                    "dynamodb:UpdateItem",
                ],
                &["dynamodb:{here}:table/{name}"],
            ),
            Permit::check(&["dynamodb:GetItem"], &["dynamodb:{here}:table/{name}"]),
            Permit::check(&["kms:Decrypt"], &["kms:{here}:key/*"])
                .where_equal("kms:ViaService", "dynamodb.{region}.amazonaws.com"),
        ],
        names: Some(NameRule::new(
            "table",
            255,
            r"^[a-zA-Z0-9_.-]{3,255}$",
            "a table's name is 3 to 255 letters, digits and _ . -",
        )),
        arn: Some("dynamodb:{here}:table/{name}"),
        section: "tables",
        predicted: &[(Output::Arn, "{arn}"), (Output::Id, "{name}"), (Output::Name, "{name}")],
        asked: &["partition_key", "billing", "point_in_time_recovery"],
        typical: Typical::seconds(10, 15, 10).calls(18, 15, 9),
        serves: true,
        pricing: Pricing::Charged(
            "AWS charges for requests or for reserved capacity by the hour, for storage, and \
             for backups.",
        ),
        types: &["dynamodb:table"],
        ..Meta::new("dynamodb.table", "dynamodb", "A DynamoDB table with its indexes and settings.")
    };

    fn sample() -> Self {
        let customer = Index {
            partition_key: Attribute::text("customer_id"),
            sort_key: Some(Attribute::number("timestamp")),
            projection: Projection::All,
            capacity: None,
        };
        Self {
            name: "sample-table".into(),
            partition_key: Attribute::text("transaction_id"),
            sort_key: Some(Attribute::number("timestamp")),
            indexes: BTreeMap::from([("customer-index".to_owned(), customer)]),
            billing: Billing::OnDemand,
            stream: Some(Stream::NewAndOldImages),
            ttl: None,
            point_in_time_recovery: true,
            encryption: Encryption::Managed,
            deletion_protection: false,
            restore_from: None,
        }
    }

    fn variants() -> Vec<Self> {
        let capacity = |units| Capacity { read: units, write: units };
        let index = |partition: &str, projection, capacity| Index {
            partition_key: Attribute::text(partition),
            sort_key: None,
            projection,
            capacity,
        };
        let some = |name: &str| Projection::Include(BTreeSet::from([name.to_owned()]));

        let mut grown = Self::sample();
        let status = index("status", some("amount"), None);
        grown.indexes.insert("status-index".into(), status);
        grown.stream = Some(Stream::KeysOnly);
        grown.ttl = Some("expires_at".into());
        grown.deletion_protection = true;

        let mut provisioned = grown.clone();
        provisioned.billing = Billing::Provisioned(capacity(5));
        provisioned.indexes = BTreeMap::from([(
            "status-index".to_owned(),
            index("state", Projection::KeysOnly, Some(capacity(2))),
        )]);
        provisioned.stream = None;
        provisioned.encryption = Encryption::Owned;

        let mut scaled = provisioned.clone();
        scaled.billing = Billing::Provisioned(capacity(7));
        scaled.indexes.insert(
            "customer-index".to_owned(),
            index("customer_id", Projection::All, Some(capacity(3))),
        );
        scaled.ttl = None;
        scaled.point_in_time_recovery = false;

        vec![grown, provisioned, scaled, Self::sample()]
    }

    const DRIVEN_BY: &'static [(&'static str, Driver)] = &[
        ("dynamodb:BatchGetItem", Driver::Reads),
        ("dynamodb:BatchWriteItem", Driver::Writes),
        ("dynamodb:DeleteItem", Driver::Writes),
        ("dynamodb:GetItem", Driver::Reads),
        ("dynamodb:PutItem", Driver::Writes),
        ("dynamodb:Query", Driver::Reads),
        ("dynamodb:Scan", Driver::Reads),
        ("dynamodb:UpdateItem", Driver::Writes),
    ];

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let readers = cx.users("lambda.event_source");
        let mut flows = Costs::each(readers, Driver::Messages, cx.load(Driver::Writes));
        if let Encryption::Kms(key) = &self.encryption {
            flows.extend(to(key, Driver::Users, Decimal::ONE));
        }
        flows
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let item = cx.assume.item_kb;
        let (write, read) = units(item);
        let copies = Decimal::from(1 + self.indexes.len());
        let writes = cx.load(Driver::Writes);
        let mut charges = match &self.billing {
            Billing::OnDemand => vec![
                Charge::usage("writes", "dynamodb.write_requests", writes * write * copies),
                Charge::usage("reads", "dynamodb.read_requests", cx.load(Driver::Reads) * read),
            ],
            Billing::Provisioned(own) => {
                let all = || {
                    let indexes = self.indexes.values().filter_map(|index| index.capacity.as_ref());
                    indexes.chain([own])
                };
                let units = |of: fn(&Capacity) -> u32| -> Decimal {
                    all().map(|capacity| Decimal::from(of(capacity))).sum::<Decimal>() * cx.hours()
                };
                vec![
                    Charge::fixed(
                        "write capacity",
                        "dynamodb.write_capacity",
                        units(|of| of.write),
                    ),
                    Charge::fixed("read capacity", "dynamodb.read_capacity", units(|of| of.read)),
                ]
            }
        };
        let written = gb(writes * item) * cx.assume.months_kept(None);
        let stored = cx.known(Driver::StoredGb).unwrap_or(written);
        charges.push(Charge::usage("storage", "dynamodb.storage", stored * copies));
        if self.point_in_time_recovery {
            charges.push(Charge::usage("point-in-time recovery", "dynamodb.pitr", stored));
        }
        charges
    }

    fn gauges(&self, _: &str, cx: &Costs<'_>) -> Vec<Gauge> {
        let (write, read) = units(cx.assume.item_kb);
        let of = |driver, metrics, units| Gauge {
            units,
            ..Gauge::sum(driver, "AWS/DynamoDB", metrics, vec![("TableName", self.name.clone())])
        };
        vec![
            of(Driver::Reads, &["ConsumedReadCapacityUnits"], read),
            of(Driver::Writes, &["ConsumedWriteCapacityUnits"], write),
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let mut pages = cx.aws.dynamodb.list_tables().into_paginator().items().send();
        let mut candidates = Vec::new();
        while let Some(name) = pages.next().await {
            let name = name.map_err(op("ListTables"))?;
            if cx.is_candidate(&name) {
                candidates.push(name);
            }
        }
        let found = candidates.iter().map(|name| async move {
            // This environment owns nearly every candidate, so the description does not wait for
            // the tags.
            let arn = arn_of(cx.aws, name);
            let tags = cx.tags(&arn, tags_of(cx.aws, name));
            let (tags, live) = Box::pin(join(tags, describe(cx.aws, Some(cx), name))).await;
            let tags = cx.if_permitted(name, tags)?;
            let claimed = match (&tags, &live) {
                (Some(tags), _) => cx.claim(name, tags),
                (None, Ok(Some(Live { phase: Phase::Deleting(_), .. }))) => cx.claim_dying(name),
                (None, _) => None,
            };
            let Some((address, owner)) = claimed else { return Ok(None) };
            let live = live?.map(|live| Live { tags: tags.unwrap_or_default(), ..live });
            Ok(live.map(|live| Found { address, owner: restore::owner(owner, &live), live }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (tags, live) = try_join!(tags_of(cx.aws, cx.id()), describe(cx.aws, None, cx.id()))?;
        // A table that was just made may be described before its tags can be read.
        Ok(live.map(|live| Live { tags: tags.unwrap_or_default(), ..live }))
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        let table = async {
            let send = cx.aws.dynamodb.describe_table().table_name(cx.id()).send();
            send.await.map_err(op("DescribeTable")).or_gone()
        };
        let (tags, table) = try_join!(tags_of(cx.aws, cx.id()), table)?;
        let Some(table) = table.and_then(|answer| answer.table) else { return Ok(None) };
        let Self { partition_key, sort_key, .. } = convert::from_description(&table)?;
        let spec = Self { partition_key, sort_key, ..planned.spec };
        let phase = convert::phase_of(&table);
        Ok(Some(Live { tags: tags.unwrap_or_default(), spec, phase, ..planned }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        if let Some(source) = &self.restore_from {
            self.restore(cx, source).await?;
            return Ok(self.name.clone());
        }
        let indexes = self.indexes.iter().map(|index| self.to_index(index)).collect();
        let sse = (self.encryption != Encryption::Owned).then(|| self.encryption.to_sse());
        let stream = self.stream.map(|view| convert::to_stream(Some(view)));
        cx.aws
            .dynamodb
            .create_table()
            .table_name(&self.name)
            .set_attribute_definitions(Some(self.definitions(self.indexes.values())))
            .set_key_schema(Some(convert::to_keys(&self.partition_key, self.sort_key.as_ref())))
            .set_global_secondary_indexes(
                Some(indexes).filter(|indexes: &Vec<_>| !indexes.is_empty()),
            )
            .billing_mode(self.billing.to_mode())
            .set_provisioned_throughput(self.billing.capacity().map(Capacity::to_throughput))
            .set_stream_specification(stream)
            .set_sse_specification(sse)
            .deletion_protection_enabled(self.deletion_protection)
            .set_tags(Some(cx.tags.iter().map(to_tag).collect()))
            .send()
            .await
            .map_err(op("CreateTable"))?;
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        match update::next_move(self, &live.spec) {
            Some(next) => update::make(cx.aws, self, &live.spec, next).await,
            None => Ok(()),
        }
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call = cx
            .aws
            .dynamodb
            .tag_resource()
            .resource_arn(arn_of(cx.aws, &live.id))
            .set_tags(Some(set.iter().map(to_tag).collect()));
        call.send().await.map_err(op("TagResource")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let call = cx
            .aws
            .dynamodb
            .untag_resource()
            .resource_arn(arn_of(cx.aws, &live.id))
            .set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagResource")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        // Deletion comes first and protection is lifted only when it is in the way: lifting it
        // starts an update, and while that runs deletion is refused and called again.
        match delete_table(cx.aws, &live.id).await {
            Err(error) if error.class == ErrorClass::Invalid && live.spec.deletion_protection => {
                update::unprotect(cx.aws, &live.id).await?;
                delete_table(cx.aws, &live.id).await
            }
            done => done,
        }
    }

    async fn check(cx: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        // An item that does not exist costs half a read unit, and nothing of a real item is read.
        let key = |key: &Attribute| {
            let value = match key.kind.as_str() {
                "N" => AttributeValue::N("0".into()),
                "B" => AttributeValue::B(Blob::new("payctl:check")),
                _ => AttributeValue::S("payctl:check".into()),
            };
            (key.name.clone(), value)
        };
        let keys = [&live.spec.partition_key].into_iter().chain(&live.spec.sort_key).map(key);
        let call = cx.aws.dynamodb.get_item().table_name(&live.id).set_key(Some(keys.collect()));
        let call = call.projection_expression("#key");
        let call = call.expression_attribute_names("#key", &live.spec.partition_key.name);
        call.send().await.map_err(op("GetItem"))?;
        Ok(Verdict::passed())
    }
}

async fn delete_table(aws: &Aws, name: &str) -> Result<(), OpError> {
    let send = aws.dynamodb.delete_table().table_name(name).send();
    send.await.map_err(op("DeleteTable")).or_gone().map(drop)
}

fn arn_of(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:dynamodb:{}:{}:table/{name}", scope.partition, scope.region, scope.account)
}

fn to_tag((key, value): (&String, &String)) -> Tag {
    Tag::builder().key(key).value(value).build().expect("a tag with key and value is complete")
}
