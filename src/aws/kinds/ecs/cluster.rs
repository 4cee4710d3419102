//! ECS clusters, with Container Insights and capacity providers folded in.
//!
//! AWS quirks: AWS never stops describing a deleted cluster (`INACTIVE`), and a new cluster with
//! that name has the same ARN. The creation of an existing name succeeds silently. Descriptions
//! contain settings and tags only on request.

mod enhanced;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ecs::types::{
    Cluster as Described, ClusterField, ClusterSetting, ClusterSettingName as Setting,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::common::{
    add_tags, all_clusters, clusters, from_tags, named, no_arn, remove_tags, to_tags,
};
use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op, taken};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs};
use payctl_money::Decimal;
use payctl_money::bill::Charge;

/// A cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    /// The name.
    pub name: String,
    /// The level of Container Insights.
    pub insights: Insights,
    /// The capacity providers that tasks of other tools may name, `FARGATE` and `FARGATE_SPOT`;
    /// payctl's services have the launch type FARGATE.
    pub capacity_providers: BTreeSet<String>,
}

/// The level of Container Insights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Insights {
    /// Nothing.
    Disabled,
    /// Clusters and services.
    Enabled,
    /// Clusters, services, tasks and containers.
    Enhanced,
}

impl Insights {
    fn word(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Enhanced => "enhanced",
        }
    }
}

/// How many clusters one call describes.
const BATCH: usize = 100;

/// How many metrics Container Insights keeps of a cluster, and of each service with its tasks. AWS's
/// list of them is the source.
const METRICS: u32 = 11;
const METRICS_OF_SERVICE: u32 = 21;

impl Resource for Cluster {
    const META: Meta = Meta {
        drawn: Drawn::badge("cluster", "cluster", &[]),
        notes: &[
            "A deleted cluster stays visible as INACTIVE; payctl ignores it.",
            "The first cluster of an account creates the service-linked role AWSServiceRoleForECS.",
            "A change of the capacity providers resets the cluster's default strategy.",
        ],
        immutable: &["name"],
        replace: Replace::CreateFirst,
        use_blocks_delete: true,
        transient: &[
            ("InvalidParameterException", "Unable to assume the service linked role"),
            ("ClientException", "not ACTIVE"),
            ("ClusterContainsCapacityProviderException", ""),
            ("ClusterContainsContainerInstancesException", ""),
            ("ClusterContainsServicesException", ""),
            ("ClusterContainsTasksException", ""),
            ("UpdateInProgressException", ""),
        ],
        permits: &[
            Permit::look(&["ecs:ListClusters"], &["*"]),
            Permit::look(&["ecs:DescribeClusters"], &["ecs:{here}:cluster/{seen}"]),
            Permit::create(&["ecs:CreateCluster"], &["ecs:{here}:cluster/{name}"]),
            Permit::create(
                &["iam:CreateServiceLinkedRole"],
                &["iam::{account}:role/aws-service-role/ecs.amazonaws.com/*"],
            )
            .where_equal("iam:AWSServiceName", "ecs.amazonaws.com"),
            Permit::set(&["ecs:TagResource"], &["ecs:{here}:cluster/{name}"]),
            Permit::change(
                &["ecs:PutClusterCapacityProviders", "ecs:UntagResource", "ecs:UpdateCluster"],
                &["ecs:{here}:cluster/{name}"],
            ),
            Permit::delete(&["ecs:DeleteCluster"], &["ecs:{here}:cluster/{name}"]),
        ],
        deadline: Duration::from_secs(900),
        names: Some(named("cluster")),
        arn: Some("ecs:{here}:cluster/{name}"),
        section: "clusters",
        predicted: &[(Output::Arn, "{arn}"), (Output::Name, "{name}")],
        asked: &["insights", "capacity_providers"],
        typical: Typical::seconds(10, 5, 10).calls(4, 4, 6),
        serves: true,
        pricing: Pricing::Charged(
            "AWS charges for the metrics of Container Insights; the services bear the tasks.",
        ),
        types: &["ecs:cluster"],
        ..Meta::new("ecs.cluster", "ecs", "An ECS cluster with Container Insights.")
    };

    fn sample() -> Self {
        Self {
            name: "sample-cluster".into(),
            insights: Insights::Enabled,
            capacity_providers: BTreeSet::new(),
        }
    }

    fn variants() -> Vec<Self> {
        let both = BTreeSet::from(["FARGATE".to_owned(), "FARGATE_SPOT".to_owned()]);
        vec![
            Self { insights: Insights::Disabled, ..Self::sample() },
            Self { insights: Insights::Enhanced, capacity_providers: both, ..Self::sample() },
            Self::sample(),
        ]
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        match self.insights {
            Insights::Disabled => Vec::new(),
            Insights::Enabled => {
                let services = Decimal::from(cx.users("ecs.service").len());
                let metrics = Decimal::from(METRICS) + Decimal::from(METRICS_OF_SERVICE) * services;
                vec![Charge::fixed("Container Insights", "cloudwatch.metric", metrics * cx.share())]
            }
            Insights::Enhanced => enhanced::charges(cx),
        }
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let own = async || describe_all(cx.aws, &clusters(cx).await?).await;
        let lives = match cx.aws.is_shared {
            true => match describe_all(cx.aws, &all_clusters(cx).await?).await {
                // The caller may describe the clusters of its environments alone.
                Err(error) if error.class == ErrorClass::Denied => own().await?,
                all => all?,
            },
            false => own().await?,
        };
        let found = lives.into_iter().filter_map(|live| {
            let (address, owner) = cx.claim(&live.spec.name, &live.tags)?;
            Some(Found { address, owner, live })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        Ok(describe(cx.aws, &[cx.id().to_owned()]).await?.pop())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        // The call also succeeds on a cluster that others created since the survey.
        if !describe(cx.aws, std::slice::from_ref(&self.name)).await?.is_empty() {
            return Err(taken("CreateCluster", "a cluster"));
        }
        let providers: Vec<String> = self.capacity_providers.iter().cloned().collect();
        let made = cx
            .aws
            .ecs
            .create_cluster()
            .cluster_name(&self.name)
            .settings(self.setting())
            .set_capacity_providers(Some(providers).filter(|all| !all.is_empty()))
            .set_tags(Some(to_tags(cx.tags)))
            .send()
            .await
            .map_err(op("CreateCluster"))?;
        let arn = made.cluster.and_then(|cluster| cluster.cluster_arn);
        arn.ok_or_else(|| no_arn("CreateCluster"))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        if self.insights != live.spec.insights {
            let call = cx.aws.ecs.update_cluster().cluster(&live.id).settings(self.setting());
            call.send().await.map_err(op("UpdateCluster"))?;
        }
        if self.capacity_providers != live.spec.capacity_providers {
            let providers = self.capacity_providers.iter().cloned().collect();
            cx.aws
                .ecs
                .put_cluster_capacity_providers()
                .cluster(&live.id)
                .set_capacity_providers(Some(providers))
                .set_default_capacity_provider_strategy(Some(Vec::new()))
                .send()
                .await
                .map_err(op("PutClusterCapacityProviders"))?;
        }
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.ecs.delete_cluster().cluster(&live.id).send();
        send.await.map_err(op("DeleteCluster")).or_gone().map(drop)
    }
}

async fn describe_all(aws: &Aws, arns: &[String]) -> Result<Vec<Live<Cluster>>, OpError> {
    let batches = arns.chunks(BATCH).map(|arns| describe(aws, arns));
    Ok(try_join_all(batches).await?.into_iter().flatten().collect())
}

/// Those of these clusters that exist, with settings and tags.
async fn describe(aws: &Aws, arns: &[String]) -> Result<Vec<Live<Cluster>>, OpError> {
    let answer = aws
        .ecs
        .describe_clusters()
        .set_clusters(Some(arns.to_vec()))
        .include(ClusterField::Settings)
        .include(ClusterField::Tags)
        .send()
        .await
        .map_err(op("DescribeClusters"))?;
    // Missing clusters are in `failures`, without other details.
    Ok(answer.clusters.unwrap_or_default().into_iter().filter_map(to_live).collect())
}

/// `None` for a cluster that was deleted.
fn to_live(cluster: Described) -> Option<Live<Cluster>> {
    let status = cluster.status.unwrap_or_default();
    let attaching = cluster.attachments_status.filter(|status| status == "UPDATE_IN_PROGRESS");
    let phase = match status.as_str() {
        "INACTIVE" => return None,
        "DEPROVISIONING" => Phase::Deleting(status),
        "FAILED" => Phase::Failed("ECS could not provide the cluster's resources".into()),
        "ACTIVE" => attaching.map_or(Phase::Ready, Phase::Pending),
        _ => Phase::Pending(status),
    };
    let settings = cluster.settings.unwrap_or_default();
    let insights = settings.into_iter().find(|one| one.name == Some(Setting::ContainerInsights));
    let insights = match insights.and_then(|one| one.value).as_deref() {
        Some("enabled") => Insights::Enabled,
        Some("enhanced") => Insights::Enhanced,
        _ => Insights::Disabled,
    };
    let (arn, name) = (cluster.cluster_arn?, cluster.cluster_name?);
    Some(Live {
        id: arn.clone(),
        spec: Cluster {
            name: name.clone(),
            insights,
            capacity_providers: cluster
                .capacity_providers
                .unwrap_or_default()
                .into_iter()
                .collect(),
        },
        outputs: Outputs::from([(Output::Arn, arn), (Output::Name, name)]),
        tags: from_tags(cluster.tags),
        phase,
    })
}

impl Cluster {
    fn setting(&self) -> ClusterSetting {
        let setting = ClusterSetting::builder().name(Setting::ContainerInsights);
        setting.value(self.insights.word()).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(status: &str) -> Described {
        let cluster = Described::builder().cluster_arn("arn:c").cluster_name("c").status(status);
        cluster.build()
    }

    #[test]
    fn an_inactive_cluster_is_gone_and_missing_settings_mean_no_insights() {
        assert_eq!(to_live(described("INACTIVE")), None);
        let found = to_live(described("ACTIVE")).unwrap();
        assert_eq!((found.phase, found.spec.insights), (Phase::Ready, Insights::Disabled));
        let found = to_live(described("PROVISIONING")).unwrap();
        assert_eq!(found.phase, Phase::Pending("PROVISIONING".into()));
    }

    #[test]
    fn settings_survive_the_round_trip() {
        for insights in [Insights::Disabled, Insights::Enabled, Insights::Enhanced] {
            let want = Cluster { insights, ..Cluster::sample() };
            let mut answer = described("ACTIVE");
            answer.settings = Some(vec![want.setting()]);
            assert_eq!(to_live(answer).unwrap().spec.insights, insights);
        }
    }
}
