//! Aurora PostgreSQL clusters: the data, its credentials and its backups.
//!
//! AWS quirks: a new cluster does not have an instance, and its endpoint does not answer before it
//! has one. Changes wait for the maintenance window unless they should apply at once; until then
//! they are pending. AWS raises the version on its own and cannot lower it. AWS returns an
//! encryption key even if none was set. The call that deletes a cluster decides about a final
//! snapshot, so a tag stores that wish. A restored cluster has the users and passwords of its
//! source without showing it, so tags store both.
//!
//! Only `create`, and `update` after a restore, read the credentials from their secret: specs,
//! plans and errors never contain them.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::common;
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::measured::{Gauge, How};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed, gb};

mod convert;
mod remove;
mod restore;

use convert::to_live;
use remove::remove;

/// An Aurora PostgreSQL cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    /// The identifier, in lower case.
    pub name: String,
    /// The version of PostgreSQL, `15.19`, or a major one.
    pub engine_version: String,
    /// The database that the cluster begins with; only PostgreSQL's own ones if none.
    pub database: Option<String>,
    /// The port.
    pub port: u16,
    /// The ARN of the secret with the first `username` and `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Text>,
    /// The name of the subnet group.
    pub subnet_group: Text,
    /// The ids of the security groups.
    pub security_groups: BTreeSet<Text>,
    /// The name of the cluster parameter group.
    pub parameter_group: Text,
    /// How far instances of the class db.serverless scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serverless: Option<Serverless>,
    /// The ARN of the key that encrypts it; the account's aws/rds key if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Text>,
    /// How many days backups are kept.
    pub backup_days: u32,
    /// When backups are taken, `03:00-04:00` in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_window: Option<String>,
    /// When AWS may work on it, `sun:05:00-sun:06:00` in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_window: Option<String>,
    /// Whether AWS refuses to delete it.
    pub deletion_protection: bool,
    /// Whether a snapshot is taken before it is deleted (kept in a tag).
    pub final_snapshot: bool,
    /// Whether snapshots carry its tags.
    pub copy_tags_to_snapshots: bool,
    /// The logs that go to CloudWatch.
    pub log_exports: BTreeSet<String>,
    /// Whether users may connect with a token of IAM.
    pub iam_authentication: bool,
    /// Whether the Data API is on.
    pub data_api: bool,
    /// The source of a restore; `None` for an empty database. A tag stores it.
    #[serde(default)]
    pub restore_from: Option<Source>,
    /// Whether the password is the one in its secret. A tag marks a restored cluster that still has
    /// the password of its source.
    #[serde(default = "yes")]
    pub own_password: bool,
}

fn yes() -> bool {
    true
}

/// The source of a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Source {
    /// A snapshot.
    Snapshot {
        /// Its name or ARN.
        snapshot: String,
    },
    /// Another cluster as it was at a time.
    Time {
        /// Its identifier.
        cluster: String,
        /// `2026-11-28T12:00:00Z`, or `latest`.
        at: String,
    },
}

/// Capacity of serverless instances, in Aurora capacity units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Serverless {
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
    /// After how many idle seconds it pauses, if the least is 0.
    pub pause_after: Option<u32>,
}

/// The tag that remembers whether a final snapshot is wanted.
const TAG_SNAPSHOT: &str = "payctl:final-snapshot";

const ENGINE: &str = "aurora-postgresql";

impl Resource for Cluster {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Data, "database", "database"),
        notes: &[
            "AWS sets the user and the password from the secret when it creates the cluster; \
             later only the secret's rotation changes the password.",
            "AWS may raise the minor version; payctl accepts that. A new major version is an \
             in-place upgrade that stops the database for some minutes.",
            "AWS does not accept retired versions for new clusters: plan and apply check the \
             offered versions before they create or upgrade a cluster.",
            "Changes take effect at once, not in the maintenance window.",
            "A stopped cluster stays stopped until a plan changes or deletes it or one of its \
             instances: payctl then starts it first, since AWS cannot change a stopped cluster.",
            "A deletion first turns deletion protection off, and takes a final snapshot if the \
             config wants one. The snapshot needs the cluster's key for as long as it exists, so \
             payctl does not delete a key of the same environment: you own it then.",
            "The log groups of exported logs must exist first. Otherwise RDS creates them without \
             retention, and nobody owns them.",
            "The scaling limits of serverless instances can be changed, but not removed.",
            "A restored cluster keeps the users of its source. payctl sets the master password to \
             that of the secret after the data is restored and before it creates an instance.",
        ],
        immutable: &["name", "database", "subnet_group", "key"],
        create_only: &["credentials", "restore_from"],
        made_from: Some("restore_from"),
        regain: Some(restore::regain),
        floating_versions: &["engine_version"],
        replace: Replace::Forbidden,
        use_blocks_delete: true,
        data: Some("the database"),
        protection_field: Some("deletion_protection"),
        // A large cluster is restored for hours.
        deadline: Duration::from_secs(6 * 3600),
        read_lag: Duration::from_secs(60),
        transient: &[
            ("KMSKeyNotAccessibleFault", ""),
            ("InvalidParameterValue", "IAM role ARN value is invalid"),
            // The first database of an account: AWS makes that role meanwhile.
            ("InvalidParameterValue", "Missing necessary credentials"),
            ("InvalidParameterValue", "service linked role"),
            ("InvalidVPCNetworkStateFault", ""),
            // The protection was lifted a moment ago.
            ("InvalidParameterCombination", "disable deletion protection"),
        ],
        check: Some(Asked::at_aws("it is available", "databases")),
        permits: &[
            Permit::look(&["rds:DescribeDBClusters", "rds:DescribeDBEngineVersions"], &["*"]),
            Permit::create(
                &["rds:CreateDBCluster"],
                &[
                    "rds:{here}:cluster:{name}",
                    "rds:{here}:cluster-pg:{rds.cluster_parameter_group}",
                    "rds:{here}:cluster-pg:default*",
                    "rds:{here}:og:default*",
                    "rds:{here}:subgrp:{rds.subnet_group}",
                ],
            ),
            Permit::create(
                &["iam:CreateServiceLinkedRole"],
                &["iam::{account}:role/aws-service-role/rds.amazonaws.com/*"],
            )
            .where_equal("iam:AWSServiceName", "rds.amazonaws.com"),
            Permit::create(&["kms:DescribeKey"], &["kms:{here}:key/*"]),
            Permit::create(
                &["kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey"],
                &["kms:{here}:key/*"],
            )
            .where_equal("kms:ViaService", "rds.{region}.amazonaws.com"),
            Permit::create(
                &["secretsmanager:GetSecretValue"],
                &["secretsmanager:{here}:secret:{secretsmanager.secret}*"],
            ),
            Permit::create(&["kms:Decrypt"], &["kms:{here}:key/*"])
                .where_equal("kms:ViaService", "secretsmanager.{region}.amazonaws.com"),
            Permit::set(&["rds:AddTagsToResource"], &["rds:{here}:cluster:{name}"]),
            Permit::change(
                &[
                    "rds:DisableHttpEndpoint",
                    "rds:EnableHttpEndpoint",
                    "rds:ModifyDBCluster",
                    "rds:RemoveTagsFromResource",
                    "rds:StartDBCluster",
                ],
                &["rds:{here}:cluster:{name}"],
            ),
            Permit::change(
                &["rds:ModifyDBCluster"],
                &[
                    "rds:{here}:cluster-pg:{rds.cluster_parameter_group}",
                    "rds:{here}:cluster-pg:default*",
                ],
            ),
            Permit::delete(
                &["rds:DeleteDBCluster", "rds:ModifyDBCluster", "rds:StartDBCluster"],
                &["rds:{here}:cluster:{name}"],
            ),
            Permit::delete(
                &["rds:AddTagsToResource", "rds:CreateDBClusterSnapshot", "rds:DeleteDBCluster"],
                &["rds:{here}:cluster-snapshot:{name}*"],
            ),
            Permit::delete(&["rds:CreateDBClusterSnapshot"], &["rds:{here}:cluster:{name}"]),
            // With `restore_from`.
            Permit::look(&["rds:DescribeDBClusterSnapshots"], &["*"]),
            Permit::create(
                &["rds:RestoreDBClusterFromSnapshot", "rds:RestoreDBClusterToPointInTime"],
                &[
                    "rds:{here}:cluster:{name}",
                    "rds:{here}:cluster:{seen}",
                    "rds:{here}:cluster-pg:{rds.cluster_parameter_group}",
                    "rds:{here}:cluster-pg:default*",
                    "rds:{here}:cluster-snapshot:*",
                    "rds:{here}:og:default*",
                    "rds:{here}:subgrp:{rds.subnet_group}",
                ],
            ),
        ],
        names: Some(common::named("database", 63)),
        unsettled: &[(
            "engine_version",
            "AWS did not carry out the upgrade; the cluster's events in the RDS console say why",
        )],
        section: "databases",
        predicted: &[
            (Output::Arn, "arn:{partition}:rds:{here}:cluster:{name}"),
            (Output::Id, "{name}"),
        ],
        asked: &["engine_version", "backup_days", "deletion_protection"],
        typical: Typical::seconds(300, 120, 300).calls(5, 6, 6),
        serves: true,
        felt: &[
            ("engine_version", Traffic::Outage),
            ("parameter_group", Traffic::Outage),
            ("security_groups", Traffic::NewConnections),
            ("port", Traffic::Outage),
        ],
        pricing: Pricing::Charged(
            "AWS charges for storage, for reads and writes of it, and for backups; the instances \
             bear the computing.",
        ),
        types: &["rds:cluster"],
        kept_types: &["rds:cluster-snapshot"],
        ..Meta::new("rds.cluster", "rds", "An Aurora PostgreSQL cluster.")
    };

    fn sample() -> Self {
        let of = |kind: &str, output| Text::reference(Address::new(kind, "sample"), output);
        Self {
            name: "sample-database".into(),
            engine_version: "15.17".into(),
            database: Some("sampledb".into()),
            port: 5432,
            credentials: Some(of("secretsmanager.secret", Output::Arn)),
            subnet_group: of("rds.subnet_group", Output::Name),
            security_groups: BTreeSet::from([of("ec2.security_group", Output::Id)]),
            parameter_group: of("rds.cluster_parameter_group", Output::Name),
            serverless: Some(Serverless { min: 0.5, max: 2.0, pause_after: None }),
            key: Some(of("kms.key", Output::Arn)),
            backup_days: 1,
            backup_window: None,
            maintenance_window: None,
            deletion_protection: false,
            final_snapshot: false,
            copy_tags_to_snapshots: true,
            log_exports: BTreeSet::new(),
            iam_authentication: false,
            data_api: false,
            restore_from: None,
            own_password: true,
        }
    }

    fn variants() -> Vec<Self> {
        vec![
            Self {
                serverless: Some(Serverless { min: 0.0, max: 4.0, pause_after: Some(600) }),
                backup_days: 7,
                backup_window: Some("03:00-04:00".into()),
                maintenance_window: Some("sun:05:00-sun:06:00".into()),
                log_exports: BTreeSet::from(["postgresql".into()]),
                port: 5433,
                ..Self::sample()
            },
            Self {
                engine_version: "15.19".into(),
                deletion_protection: true,
                final_snapshot: true,
                copy_tags_to_snapshots: false,
                iam_authentication: true,
                ..Self::sample()
            },
            Self {
                engine_version: "15.19".into(),
                parameter_group: "default.aurora-postgresql15".into(),
                data_api: true,
                deletion_protection: true,
                ..Self::sample()
            },
        ]
    }

    const DRIVEN_BY: &'static [(&'static str, Driver)] = &[
        ("rds-data:BatchExecuteStatement", Driver::Reads),
        ("rds-data:ExecuteStatement", Driver::Reads),
    ];

    fn passes(&self, _: &Costs<'_>) -> Vec<Passed<Address>> {
        self.key.iter().flat_map(|key| to(key, Driver::Users, Decimal::ONE)).collect()
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let (questions, stored) = (cx.load(Driver::Reads), self.stored(cx));
        vec![
            Charge::usage("storage", "aurora.storage", stored),
            Charge::usage("backups", "aurora.backup", self.backups(stored, questions, cx)),
            Charge::usage("reads and writes", "aurora.io", questions * cx.assume.database_ios),
        ]
    }

    /// The final snapshot, which is as large as the data: nothing of it is free any more.
    fn stays(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let kept = if self.final_snapshot { self.stored(cx) } else { Decimal::ZERO };
        vec![Charge::usage("final snapshot", "aurora.backup", kept)]
    }

    fn gauges(&self, _: &str, cx: &Costs<'_>) -> Vec<Gauge> {
        let of = |driver, metrics| {
            let dimensions = vec![("DBClusterIdentifier", self.name.clone())];
            Gauge::sum(driver, "AWS/RDS", metrics, dimensions)
        };
        let stored = of(Driver::StoredGb, &["VolumeBytesUsed"]).in_gb();
        let asked = of(Driver::Reads, &["VolumeReadIOPs", "VolumeWriteIOPs"]);
        let units = cx.assume.database_ios;
        let asked = (!units.is_zero()).then_some(Gauge { units, ..asked });
        asked.into_iter().chain([Gauge { how: How::Latest, ..stored }]).collect()
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let pages = cx.aws.rds.describe_db_clusters().max_records(100).into_paginator();
        let listed = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        let found = listed.map_err(op("DescribeDBClusters"))?.into_iter().filter_map(|cluster| {
            let live = to_live(cluster);
            let (address, owner) = cx.claim(&live.id, &live.tags)?;
            Some(Found { address, owner, live })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        describe(cx.aws, cx.id()).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let mut tags = cx.tags.clone();
        tags.insert(TAG_SNAPSHOT.into(), self.final_snapshot.to_string());
        if let Some(source) = &self.restore_from {
            return self.restore(cx.aws, source, tags).await;
        }
        let Credentials { username, password } = self.credentials(cx.aws).await?;
        let scaling = self.serverless.map(Serverless::to_sdk);
        let key = self.key.as_ref().map(|key| key.known().to_owned());
        let made = cx
            .aws
            .rds
            .create_db_cluster()
            .db_cluster_identifier(&self.name)
            .engine(ENGINE)
            .engine_version(&self.engine_version)
            .set_database_name(self.database.clone())
            .port(self.port.into())
            .master_username(username)
            .master_user_password(password)
            .db_subnet_group_name(self.subnet_group.known())
            .set_vpc_security_group_ids(Some(self.group_ids()))
            .db_cluster_parameter_group_name(self.parameter_group.known())
            .set_serverless_v2_scaling_configuration(scaling)
            .storage_encrypted(true)
            .set_kms_key_id(key)
            .backup_retention_period(days(self.backup_days))
            .set_preferred_backup_window(self.backup_window.clone())
            .set_preferred_maintenance_window(self.maintenance_window.clone())
            .deletion_protection(self.deletion_protection)
            .copy_tags_to_snapshot(self.copy_tags_to_snapshots)
            .set_enable_cloudwatch_logs_exports(self.exports())
            .enable_iam_database_authentication(self.iam_authentication)
            .enable_http_endpoint(self.data_api)
            .set_tags(Some(common::to_tags(&tags)))
            .send()
            .await
            .map_err(op("CreateDBCluster"))?;
        let made = made.db_cluster.and_then(|cluster| cluster.db_cluster_identifier);
        made.ok_or_else(|| common::no_answer("CreateDBCluster"))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        common::awake(cx.aws, &live.id, self.change(cx.aws, live).await).await
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.outputs[&Output::Arn], set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.outputs[&Output::Arn], unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        // Asked again, it may be free of its protection already.
        let Some(live) = describe(cx.aws, &live.id).await? else { return Ok(()) };
        if matches!(live.phase, Phase::Deleting(_)) {
            return Ok(());
        }
        common::awake(cx.aws, &live.id, remove(cx.aws, &live).await).await
    }

    async fn check(cx: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        let send = cx.aws.rds.describe_db_clusters().db_cluster_identifier(&live.id).send();
        let answer = send.await.map_err(op("DescribeDBClusters")).or_gone()?;
        let found = answer.and_then(|answer| answer.db_clusters?.into_iter().next());
        Ok(common::available(found.and_then(|found| found.status)))
    }
}

/// The first user and password. `Debug` shows neither.
#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Cluster {
    /// The gigabytes of its data, as if each question stored a record.
    fn stored(&self, cx: &Costs<'_>) -> Decimal {
        let written = gb(cx.load(Driver::Reads) * cx.assume.item_kb);
        cx.known(Driver::StoredGb).unwrap_or_else(|| written * cx.assume.months_kept(None))
    }

    /// The gigabytes of backups that AWS charges for. A backup holds the data and each change of its days, and
    /// at most the data of each day. As much as the data itself is free.
    fn backups(&self, stored: Decimal, questions: Decimal, cx: &Costs<'_>) -> Decimal {
        let days = Decimal::from(self.backup_days.saturating_sub(1));
        let changed =
            gb(questions * cx.assume.item_kb) * cx.assume.months_kept(Some(self.backup_days));
        if days.is_zero() { Decimal::ZERO } else { changed.min(stored * days) }
    }

    /// One step towards the wanted state.
    async fn change(&self, aws: &Aws, live: &Live<Self>) -> Result<(), OpError> {
        let arn = &live.outputs[&Output::Arn];
        let was = &live.spec;
        if self.own_password && !was.own_password {
            return self.take_password(aws, &live.id, arn).await;
        }
        if self.final_snapshot != was.final_snapshot {
            let tag = Tags::from([(TAG_SNAPSHOT.into(), self.final_snapshot.to_string())]);
            common::add_tags(aws, arn, &tag).await?;
        }
        if let Some(call) = self.modification(aws, was) {
            let send = call.db_cluster_identifier(&live.id).apply_immediately(true).send();
            // One change at a time: AWS is now busy with this one.
            return send.await.map_err(op("ModifyDBCluster")).map(drop);
        }
        if self.data_api != was.data_api {
            if self.data_api {
                let send = aws.rds.enable_http_endpoint().resource_arn(arn).send();
                send.await.map_err(op("EnableHttpEndpoint"))?;
            } else {
                let send = aws.rds.disable_http_endpoint().resource_arn(arn).send();
                send.await.map_err(op("DisableHttpEndpoint"))?;
            }
        }
        Ok(())
    }

    /// Reads the credentials that the cluster begins with.
    async fn credentials(&self, aws: &Aws) -> Result<Credentials, OpError> {
        let secret = self.credentials.as_ref().map(Text::known).unwrap_or_default();
        let send = aws.secretsmanager.get_secret_value().secret_id(secret).send();
        let value = send.await.map_err(op("GetSecretValue"))?.secret_string.unwrap_or_default();
        // The decoder's message may quote the value.
        serde_json::from_str(&value).map_err(|_| {
            let message = format!(
                "the secret {secret} is not JSON with `username` and `password`: set such a \
                 value, then run again"
            );
            OpError::new("GetSecretValue", ErrorClass::Invalid, "NoCredentials", message)
        })
    }

    fn exports(&self) -> Option<Vec<String>> {
        let exports: Vec<String> = self.log_exports.iter().cloned().collect();
        Some(exports).filter(|exports| !exports.is_empty())
    }

    fn group_ids(&self) -> Vec<String> {
        self.security_groups.iter().map(|group| group.known().to_owned()).collect()
    }
}

async fn describe(aws: &Aws, id: &str) -> Result<Option<Live<Cluster>>, OpError> {
    let send = aws.rds.describe_db_clusters().db_cluster_identifier(id).send();
    let answer = send.await.map_err(op("DescribeDBClusters")).or_gone()?;
    let cluster = answer.and_then(|answer| answer.db_clusters?.into_iter().next());
    Ok(cluster.map(to_live))
}

fn days(days: u32) -> i32 {
    i32::try_from(days).unwrap_or(i32::MAX)
}

/// The major part of a version.
fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_never_shown() {
        let credentials: Credentials =
            serde_json::from_str(r#"{"username":"u","password":"p-w"}"#).unwrap();
        assert!(!format!("{credentials:?}").contains("p-w"));
    }
}
