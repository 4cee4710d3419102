//! Instances of Aurora clusters: the machines that serve the data.
//!
//! AWS quirks: the writer changes with every failover, and the spec cannot choose it. Settings of
//! the data (backups, protection, encryption) belong to the cluster. The name of a deleted instance
//! stays taken for minutes.

use std::time::Duration;

use aws_sdk_rds::types::{DbInstance, Filter, PendingModifiedValues};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::cluster::Cluster;
use super::common;
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, exact};
use crate::aws::error::{Gone, op};
use crate::aws::kinds::ec2::sizes::vcpus;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::Decimal;
use payctl_money::bill::Charge;

/// An instance of an Aurora cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instance {
    /// The identifier, in lower case.
    pub name: String,
    /// The identifier of the cluster.
    pub cluster: Text,
    /// The class, `db.serverless` or `db.t3.medium`.
    pub class: String,
    /// The promotion tier: after a failure of the writer, the lowest number takes over.
    pub tier: u32,
    /// How many days Performance Insights keeps its data; off if none.
    pub insights_days: Option<u32>,
    /// Enhanced monitoring, if any.
    pub monitoring: Option<Monitoring>,
    /// Whether it has a public address.
    pub public: bool,
    /// Whether AWS may move its minor version ahead.
    pub auto_minor_upgrades: bool,
}

/// Enhanced monitoring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Monitoring {
    /// How many seconds lie between two samples.
    pub interval: u32,
    /// The ARN of the role that writes them.
    pub role: Text,
}

const ENGINE: &str = "aurora-postgresql";

/// The class of instances that scale by capacity units.
const SERVERLESS: &str = "db.serverless";

/// For how many days AWS keeps the history of the load at no cost, and the most days.
const FREE_DAYS: u32 = 7;
const LONGEST: u32 = 731;

/// How large an instance is.
pub(crate) enum Size {
    /// A class with so many vCPUs.
    Vcpus(Decimal),
    /// Capacity units, at least and on average.
    Units(Decimal, Decimal),
}

impl Instance {
    /// Its size; none if its class or its cluster does not tell.
    pub(crate) fn size(&self, cx: &Costs<'_>) -> Option<Size> {
        if self.class != SERVERLESS {
            return vcpus(self.class.strip_prefix("db.")?).map(Size::Vcpus);
        }
        let units = cx.target::<Cluster>(&self.cluster)?.1.serverless?;
        let least = exact(units.min);
        Some(Size::Units(least, cx.assume.average(least, exact(units.max))))
    }

    /// The history of its load. Seven days are free. AWS has a price for two years, and one for the first month
    /// and for each further one.
    fn insights(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let Some(days) = self.insights_days.filter(|days| *days > FREE_DAYS) else {
            return Vec::new();
        };
        let family = match self.class.split('.').nth(1) {
            Some("serverless") | None => "Serverless".to_owned(),
            Some(family) => family.to_uppercase(),
        };
        let (least, average) = match self.size(cx) {
            Some(Size::Vcpus(count)) => (count, count),
            Some(Size::Units(least, average)) => (least, average),
            // The unit itself, so that the missing price is named.
            None => (Decimal::ONE, Decimal::ONE),
        };
        let terms = match days {
            LONGEST => vec![("long", Decimal::ONE)],
            days => vec![("first", Decimal::ONE), ("more", Decimal::from(days / 31 - 1))],
        };
        let of_term = |(term, months): (&str, Decimal)| {
            let meter = format!("insights.{term}.{family}");
            let each = months * cx.share();
            let what = match term {
                "more" => "history of its load, further months",
                _ => "history of its load",
            };
            [
                Charge::fixed(what, &*meter, least * each),
                Charge::usage(format!("{what}, by load"), &*meter, (average - least) * each),
            ]
        };
        terms.into_iter().flat_map(of_term).collect()
    }
}

impl Resource for Instance {
    const META: Meta = Meta {
        drawn: Drawn::badge("instance", "instance", &["cluster"]),
        notes: &[
            "AWS chooses the writer: at first the first instance, later by the promotion tiers.",
            "A change of the class restarts the instance; if there is a second one, the cluster \
             fails over. payctl changes the classes in a cluster one after the other.",
            "A deletion is done when AWS accepts it; the deletion of the cluster waits for the \
             rest.",
        ],
        immutable: &["name", "cluster"],
        replace: Replace::DeleteFirst,
        // Nothing but the cluster waits for its end, and the cluster stays until then.
        listed_after_delete: true,
        deadline: Duration::from_secs(5400),
        read_lag: Duration::from_secs(60),
        transient: &[
            ("InvalidParameterValue", "IAM role ARN value is invalid"),
            ("InvalidParameterValue", "Missing necessary credentials"),
            ("InvalidParameterValue", "service linked role"),
            ("KMSKeyNotAccessibleFault", ""),
        ],
        check: Some(Asked::at_aws("it is available", "databases")),
        permits: &[
            Permit::look(
                &[
                    "rds:DescribeDBClusters",
                    "rds:DescribeDBInstances",
                    "rds:DescribeOrderableDBInstanceOptions",
                ],
                &["*"],
            ),
            Permit::create(
                &["rds:CreateDBInstance"],
                &[
                    "rds:{here}:db:{name}",
                    "rds:{here}:cluster:{rds.cluster}",
                    "rds:{here}:og:default*",
                    "rds:{here}:pg:default*",
                ],
            ),
            Permit::create(&["kms:DescribeKey"], &["kms:{here}:key/*"]),
            Permit::create(
                &["kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey"],
                &["kms:{here}:key/*"],
            )
            .where_equal("kms:ViaService", "rds.{region}.amazonaws.com"),
            Permit::set(&["rds:AddTagsToResource"], &["rds:{here}:db:{name}"]),
            Permit::set(&["iam:PassRole"], &["iam::{account}:role{path}*"])
                .where_equal("iam:PassedToService", "monitoring.rds.amazonaws.com"),
            Permit::change(
                &["rds:ModifyDBInstance", "rds:RemoveTagsFromResource"],
                &["rds:{here}:db:{name}"],
            ),
            Permit::set(&["rds:StartDBCluster"], &["rds:{here}:cluster:{rds.cluster}"]),
            Permit::delete(&["rds:DeleteDBInstance"], &["rds:{here}:db:{name}"]),
            Permit::delete(&["rds:StartDBCluster"], &["rds:{here}:cluster:{rds.cluster}"]),
        ],
        names: Some(common::named("database-instance", 63)),
        section: "databases",
        predicted: &[(Output::Arn, "arn:{partition}:rds:{here}:db:{name}"), (Output::Id, "{name}")],
        part_of: &["cluster"],
        asked: &["class", "public"],
        typical: Typical::seconds(300, 300, 300).calls(4, 5, 4),
        serves: true,
        felt: &[("class", Traffic::Outage)],
        pricing: Pricing::Charged(
            "AWS charges for the instance, or for its capacity units, by the hour.",
        ),
        types: &["rds:db"],
        ..Meta::new("rds.instance", "rds", "An instance of an Aurora PostgreSQL cluster.")
    };

    fn sample() -> Self {
        Self {
            name: "sample-database-1".into(),
            cluster: Text::reference(Address::new("rds.cluster", "sample"), Output::Id),
            class: "db.serverless".into(),
            tier: 0,
            insights_days: Some(7),
            monitoring: None,
            public: false,
            auto_minor_upgrades: true,
        }
    }

    fn variants() -> Vec<Self> {
        let role = Text::reference(Address::new("iam.role", "sample"), Output::Arn);
        vec![
            Self {
                class: "db.t3.medium".into(),
                tier: 2,
                monitoring: Some(Monitoring { interval: 60, role }),
                ..Self::sample()
            },
            Self { insights_days: None, auto_minor_upgrades: false, ..Self::sample() },
            Self { public: true, insights_days: Some(31), ..Self::sample() },
            Self::sample(),
        ]
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let mut charges = match self.size(cx) {
            Some(Size::Units(least, average)) => vec![
                Charge::fixed("capacity units", "aurora.acu", least * cx.hours()),
                Charge::usage(
                    "capacity units by load",
                    "aurora.acu",
                    (average - least) * cx.hours(),
                ),
            ],
            Some(Size::Vcpus(_)) | None if self.class == SERVERLESS => Vec::new(),
            Some(Size::Vcpus(_)) | None => {
                let meter = format!("aurora.{}", self.class);
                vec![Charge::fixed("database instance", meter, cx.hours())]
            }
        };
        charges.extend(self.insights(cx));
        charges
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let pages = cx.aws.rds.describe_db_instances().max_records(100).into_paginator();
        let listed = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        let found = listed.map_err(op("DescribeDBInstances"))?.into_iter().filter_map(|instance| {
            let live = to_live(instance);
            let (address, owner) = cx.claim(&live.id, &live.tags)?;
            Some(Found { address, owner, live })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        describe(cx.aws, cx.id()).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let monitoring = self.monitoring.as_ref();
        let interval = monitoring.map_or(0, |monitoring| monitoring.interval);
        let role = monitoring.map(|monitoring| monitoring.role.known().to_owned());
        let made = cx
            .aws
            .rds
            .create_db_instance()
            .db_instance_identifier(&self.name)
            .engine(ENGINE)
            .db_cluster_identifier(self.cluster.known())
            .db_instance_class(&self.class)
            .promotion_tier(number(self.tier))
            .publicly_accessible(self.public)
            .auto_minor_version_upgrade(self.auto_minor_upgrades)
            .enable_performance_insights(self.insights_days.is_some())
            .set_performance_insights_retention_period(self.insights_days.map(number))
            .monitoring_interval(number(interval))
            .set_monitoring_role_arn(role)
            .set_tags(Some(common::to_tags(cx.tags)))
            .send()
            .await
            .map_err(op("CreateDBInstance"))?;
        let id = made.db_instance.and_then(|made| made.db_instance_identifier);
        id.ok_or_else(|| common::no_answer("CreateDBInstance"))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        common::awake(cx.aws, self.cluster.known(), self.change(cx.aws, live).await).await
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.outputs[&Output::Arn], set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.outputs[&Output::Arn], unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        // The data belongs to the cluster, so there cannot be a snapshot of an instance.
        let call = cx.aws.rds.delete_db_instance().db_instance_identifier(&live.id);
        let send = call.skip_final_snapshot(true).send();
        match send.await.map_err(op("DeleteDBInstance")).or_gone() {
            Err(error) if error.class == ErrorClass::Busy => {
                match describe(cx.aws, &live.id).await?.map(|live| live.phase) {
                    None | Some(Phase::Deleting(_)) => Ok(()),
                    Some(_) => common::awake(cx.aws, live.spec.cluster.known(), Err(error)).await,
                }
            }
            deleted => deleted.map(drop),
        }
    }

    async fn check(cx: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        let send = cx.aws.rds.describe_db_instances().db_instance_identifier(&live.id).send();
        let answer = send.await.map_err(op("DescribeDBInstances")).or_gone()?;
        let found = answer.and_then(|answer| answer.db_instances?.into_iter().next());
        Ok(common::available(found.and_then(|found| found.db_instance_status)))
    }
}

/// Held by the instance that is about to restart.
static TURN: Mutex<()> = Mutex::const_new(());

impl Instance {
    /// One step towards the wanted state.
    async fn change(&self, aws: &Aws, live: &Live<Self>) -> Result<(), OpError> {
        let was = &live.spec;
        let call = aws.rds.modify_db_instance().db_instance_identifier(&live.id);
        let mut call = call.apply_immediately(true);
        // Between the check of the others and the change, no other task may begin one: the turn is
        // held until the reply is there.
        let mut turn = None;
        if self.class != was.class {
            turn = Some(TURN.lock().await);
            self.others_stand(aws).await?;
            call = call.db_instance_class(&self.class);
        }
        if self.tier != was.tier {
            call = call.promotion_tier(number(self.tier));
        }
        if self.public != was.public {
            call = call.publicly_accessible(self.public);
        }
        if self.auto_minor_upgrades != was.auto_minor_upgrades {
            call = call.auto_minor_version_upgrade(self.auto_minor_upgrades);
        }
        if self.insights_days != was.insights_days {
            call = call.enable_performance_insights(self.insights_days.is_some());
            call = call.set_performance_insights_retention_period(self.insights_days.map(number));
        }
        if self.monitoring != was.monitoring {
            let monitoring = self.monitoring.as_ref();
            let interval = monitoring.map_or(0, |monitoring| monitoring.interval);
            let role = monitoring.map(|monitoring| monitoring.role.known().to_owned());
            call = call.monitoring_interval(number(interval)).set_monitoring_role_arn(role);
        }
        let changed = call.send().await.map_err(op("ModifyDBInstance")).map(drop);
        drop(turn);
        changed
    }

    /// Refuses for now while another instance of the cluster is at work or about to restart: one
    /// of them has to serve.
    async fn others_stand(&self, aws: &Aws) -> Result<(), OpError> {
        let cluster = Filter::builder().name("db-cluster-id").values(self.cluster.known()).build();
        let pages = aws.rds.describe_db_instances().filters(cluster).into_paginator().items();
        let members = pages.send().try_collect().await.map_err(op("DescribeDBInstances"))?;
        let falls = |member: &&DbInstance| {
            let pending = member.pending_modified_values();
            let restarts = pending.is_some_and(|pending| pending.db_instance_class().is_some());
            let status = member.db_instance_status().unwrap_or_default();
            restarts || !matches!(phase_of(status), Phase::Ready)
        };
        let mut others = members
            .iter()
            .filter(|member| member.db_instance_identifier() != Some(self.name.as_str()));
        match others.find(falls) {
            None => Ok(()),
            Some(other) => {
                let other = other.db_instance_identifier().unwrap_or_default();
                let message = format!("a change of {other} in the same cluster is in progress");
                Err(OpError::new("ModifyDBInstance", ErrorClass::Busy, "OneAtATime", message))
            }
        }
    }
}

fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

async fn describe(aws: &Aws, id: &str) -> Result<Option<Live<Instance>>, OpError> {
    let send = aws.rds.describe_db_instances().db_instance_identifier(id).send();
    let answer = send.await.map_err(op("DescribeDBInstances")).or_gone()?;
    let instance = answer.and_then(|answer| answer.db_instances?.into_iter().next());
    Ok(instance.map(to_live))
}

/// An instance as RDS describes it; what is pending counts as done.
fn to_live(instance: DbInstance) -> Live<Instance> {
    let pending = instance.pending_modified_values;
    let pending = pending.unwrap_or_else(|| PendingModifiedValues::builder().build());
    let text = |text: Option<String>| text.unwrap_or_default();
    let whole = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let (id, arn) = (text(instance.db_instance_identifier), text(instance.db_instance_arn));
    let interval = whole(instance.monitoring_interval).filter(|interval| *interval > 0);
    let insights = instance.performance_insights_enabled.unwrap_or_default();
    let days = whole(instance.performance_insights_retention_period).filter(|days| *days > 0);
    Live {
        id: id.clone(),
        phase: phase_of(&text(instance.db_instance_status)),
        outputs: Outputs::from([(Output::Arn, arn), (Output::Id, id.clone())]),
        tags: common::from_tags(instance.tag_list),
        spec: Instance {
            name: id,
            cluster: text(instance.db_cluster_identifier).into(),
            class: text(pending.db_instance_class.or(instance.db_instance_class)),
            // AWS's own default.
            tier: whole(instance.promotion_tier).unwrap_or(1),
            insights_days: insights.then(|| days.unwrap_or(7)),
            monitoring: interval.map(|interval| Monitoring {
                interval,
                role: text(instance.monitoring_role_arn).into(),
            }),
            public: instance.publicly_accessible.unwrap_or_default(),
            auto_minor_upgrades: instance.auto_minor_version_upgrade.unwrap_or_default(),
        },
    }
}

/// The phase of an instance. It is usable during a storage optimisation or a backup.
fn phase_of(status: &str) -> Phase {
    match status {
        "available" | "storage-optimization" | "backing-up" | "stopped" => Phase::Ready,
        "deleting" => Phase::Deleting(status.to_owned()),
        "failed"
        | "insufficient-capacity"
        | "inaccessible-encryption-credentials"
        | "restore-error" => Phase::Failed(status.to_owned()),
        _ if status.starts_with("incompatible-") => Phase::Failed(status.to_owned()),
        _ => Phase::Pending(status.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_instance_class_counts_as_reached() {
        let pending = PendingModifiedValues::builder().db_instance_class("db.r6g.large").build();
        let instance = DbInstance::builder().db_instance_class("db.t3.medium");
        let live = to_live(instance.pending_modified_values(pending).build());
        assert_eq!(live.spec.class, "db.r6g.large");
    }

    #[test]
    fn disabled_features_are_read_as_none() {
        let instance = DbInstance::builder().monitoring_interval(0);
        let live = to_live(instance.performance_insights_enabled(false).build());
        assert_eq!((live.spec.insights_days, live.spec.monitoring), (None, None));
        let on = DbInstance::builder().performance_insights_enabled(true).build();
        assert_eq!(to_live(on).spec.insights_days, Some(7));
    }

    #[test]
    fn a_status_says_whether_an_instance_can_be_used() {
        assert_eq!(phase_of("storage-optimization"), Phase::Ready);
        assert_eq!(
            phase_of("configuring-log-exports"),
            Phase::Pending("configuring-log-exports".into())
        );
        assert!(matches!(phase_of("incompatible-parameters"), Phase::Failed(_)));
    }
}
