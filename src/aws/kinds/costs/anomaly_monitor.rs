//! Monitors of cost anomaly detection.
//!
//! AWS quirks: Cost Explorer is global and belongs to the account. An account has at most one
//! monitor of all AWS services, and AWS creates it in new accounts: payctl shares one that others
//! created. Only the name of a monitor can change. A missing monitor is unknown
//! (`UnknownMonitorException`).

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_costexplorer::types::{
    AnomalyMonitor as AwsMonitor, CostCategoryValues, Expression, MatchOption, MonitorDimension,
    MonitorType, ResourceTag, TagValues,
};
use futures::future::{join, try_join_all};
use serde::{Deserialize, Serialize};

use super::common;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::drawn::{Drawn, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs};

/// A monitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnomalyMonitor {
    /// The name.
    pub name: String,
    /// The costs that it watches.
    pub watches: Watched,
}

/// The costs that a monitor watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Watched {
    /// Each AWS service of the account.
    Services,
    /// Costs with a cost allocation tag.
    Tag {
        /// The key of the tag.
        key: String,
        /// Its values.
        values: BTreeSet<String>,
    },
    /// Costs in a cost category.
    CostCategory {
        /// The name of the category.
        key: String,
        /// Its values.
        values: BTreeSet<String>,
    },
    /// One that payctl cannot express; only live objects have it.
    Other(String),
}

/// The name by which a survey knows a wanted monitor. That of all services has a suffix, since a
/// monitor of all services with any other name serves as well.
pub(crate) fn physical_name(name: &str, watches: &Watched) -> String {
    match watches {
        Watched::Services => format!("{name}{SERVICES}"),
        _ => name.to_owned(),
    }
}

const SERVICES: &str = ".services";

impl Resource for AnomalyMonitor {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Apart, "cost", "cost monitor"),
        notes: &[
            "An account has one monitor of all services. payctl shares one that AWS or others \
             created, and does not change or delete it.",
            "A monitor can only use activated cost allocation tags.",
            "AWS charges 0.01 US dollars for each request to Cost Explorer. A plan makes requests only \
             if the config wants the kind, or if an object carries the tags of the environment. \
             The tags cost nothing, but AWS may show them some minutes late.",
            "Detection starts about a day after the monitor was created, and needs ten days of \
             costs.",
        ],
        immutable: &["watches"],
        replace: Replace::DeleteFirst,
        can_duplicate: true,
        use_blocks_delete: true,
        deadline: Duration::from_secs(180),
        read_lag: Duration::from_secs(30),
        transient: &[("ValidationException", "associated with a subscription")],
        gone_at_once: true,
        permits: &[
            Permit::look(&["ce:GetAnomalyMonitors", "ce:ListTagsForResource"], &["*"]),
            Permit::create(&["ce:CreateAnomalyMonitor"], &["*"]),
            Permit::set(&["ce:TagResource"], &["*"]),
            Permit::change(
                &["ce:UntagResource", "ce:UpdateAnomalyMonitor"],
                &["ce::{account}:anomalymonitor/*"],
            ),
            Permit::delete(&["ce:DeleteAnomalyMonitor"], &["ce::{account}:anomalymonitor/*"]),
        ],
        names: Some(
            NameRule::new(
                "cost-monitor",
                128,
                r"^[A-Za-z0-9 ._-]{1,128}$",
                "a monitor's name is 1 to 128 letters, digits, spaces and . _ -",
            )
            .of_account(),
        ),
        section: "cost_anomalies",
        predicted: &[(Output::Name, "{name}")],
        asked: &["watches"],
        typical: Typical::seconds(1, 1, 1),
        pricing: Pricing::Free(
            "AWS charges nothing for the monitor, and 0.01 US dollars for each request to \
             Cost Explorer.",
        ),
        types: &["ce:anomalymonitor"],
        ..Meta::new("costs.anomaly_monitor", "ce", "A monitor of unusual costs.")
    };

    fn sample() -> Self {
        Self { name: "sample-monitor".into(), watches: Watched::Services }
    }

    fn variants() -> Vec<Self> {
        vec![Self { name: "sample-monitor-renamed".into(), ..Self::sample() }, Self::sample()]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        if !common::may_exist(cx).await {
            return Ok(Vec::new());
        }
        let monitors = list(cx.aws, None).await?;
        let wanted = cx.wanted.iter().find(|(name, _)| name.ends_with(SERVICES));
        let found = monitors.into_iter().filter_map(|monitor| {
            let serves = matches!(watched(&monitor), Watched::Services);
            let serves = wanted.filter(|_| serves).map(|(_, address)| address.clone());
            (serves.is_some() || cx.is_candidate(&monitor.monitor_name))
                .then_some((monitor, serves))
        });
        let found = found.map(|(monitor, serves)| async move {
            let tags = tags_of(cx.aws, monitor.monitor_arn().unwrap_or_default()).await;
            let tags = cx.if_permitted(&monitor.monitor_name, tags)?.unwrap_or_default();
            let claimed = match (cx.ours(&monitor.monitor_name, &tags), serves) {
                (Some((address, Owner::Ours)), _) => Some((address, Owner::Ours)),
                (_, Some(address)) => Some((address, Owner::Shared)),
                (claimed, None) => claimed,
            };
            let found = |(address, owner)| Found { address, owner, live: to_live(&monitor, tags) };
            Ok(claimed.map(found))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (listed, tags) = join(list(cx.aws, Some(cx.id())), tags_of(cx.aws, cx.id())).await;
        let monitor = listed.or_gone()?.and_then(|listed| {
            listed.into_iter().find(|monitor| monitor.monitor_arn() == Some(cx.id()))
        });
        let tags = tags?.unwrap_or_default();
        Ok(monitor.map(|monitor| to_live(&monitor, tags)))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let made = cx
            .aws
            .costexplorer
            .create_anomaly_monitor()
            .anomaly_monitor(self.to_aws()?)
            .set_resource_tags(Some(cx.tags.iter().map(to_tag).collect()))
            .send()
            .await
            .map_err(op("CreateAnomalyMonitor"))?;
        Ok(made.monitor_arn)
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let call = cx.aws.costexplorer.update_anomaly_monitor().monitor_arn(&live.id);
        let send = call.monitor_name(&self.name).send();
        send.await.map_err(op("UpdateAnomalyMonitor")).map(drop)
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.costexplorer.delete_anomaly_monitor().monitor_arn(&live.id).send();
        send.await.map_err(op("DeleteAnomalyMonitor")).or_gone().map(drop)
    }
}

async fn list(aws: &Aws, arn: Option<&str>) -> Result<Vec<AwsMonitor>, OpError> {
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let page = aws
            .costexplorer
            .get_anomaly_monitors()
            .max_results(100)
            .set_monitor_arn_list(arn.map(|arn| vec![arn.to_owned()]))
            .set_next_page_token(token)
            .send()
            .await
            .map_err(op("GetAnomalyMonitors"))?;
        found.extend(page.anomaly_monitors);
        token = page.next_page_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(found);
        }
    }
}

pub(super) fn to_tag((key, value): (&String, &String)) -> ResourceTag {
    let tag = ResourceTag::builder().key(key).value(value);
    tag.build().expect("a tag with key and value is complete")
}

pub(super) async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.costexplorer.list_tags_for_resource().resource_arn(arn).send();
    let answer = send.await.map_err(op("ListTagsForResource")).or_gone()?;
    let pairs = |tag: ResourceTag| (tag.key, tag.value);
    Ok(answer
        .map(|answer| answer.resource_tags.unwrap_or_default().into_iter().map(pairs).collect()))
}

/// Sets tags.
pub(super) async fn add_tags(aws: &Aws, arn: &str, set: &Tags) -> Result<(), OpError> {
    let call = aws
        .costexplorer
        .tag_resource()
        .resource_arn(arn)
        .set_resource_tags(Some(set.iter().map(to_tag).collect()));
    call.send().await.map_err(op("TagResource")).map(drop)
}

/// Removes tags.
pub(super) async fn remove_tags(aws: &Aws, arn: &str, unset: &[String]) -> Result<(), OpError> {
    let call = aws
        .costexplorer
        .untag_resource()
        .resource_arn(arn)
        .set_resource_tag_keys(Some(unset.to_vec()));
    call.send().await.map_err(op("UntagResource")).map(drop)
}

fn watched(monitor: &AwsMonitor) -> Watched {
    if monitor.monitor_dimension == Some(MonitorDimension::Service) {
        return Watched::Services;
    }
    let of = |values: &[String]| values.iter().cloned().collect();
    let specification = monitor.monitor_specification();
    if let Some(tags) = specification.and_then(|expression| expression.tags()) {
        let key = tags.key().unwrap_or_default().to_owned();
        return Watched::Tag { key, values: of(tags.values()) };
    }
    if let Some(category) = specification.and_then(|expression| expression.cost_categories()) {
        let key = category.key().unwrap_or_default().to_owned();
        return Watched::CostCategory { key, values: of(category.values()) };
    }
    Watched::Other(format!("{:?} {specification:?}", monitor.monitor_dimension))
}

fn to_live(monitor: &AwsMonitor, tags: Tags) -> Live<AnomalyMonitor> {
    let arn = monitor.monitor_arn().unwrap_or_default().to_owned();
    let name = monitor.monitor_name.clone();
    Live {
        id: arn.clone(),
        spec: AnomalyMonitor { name: name.clone(), watches: watched(monitor) },
        outputs: Outputs::from([
            (Output::Arn, arn.clone()),
            (Output::Id, arn),
            (Output::Name, name),
        ]),
        tags,
        phase: Phase::Ready,
    }
}

impl AnomalyMonitor {
    fn to_aws(&self) -> Result<AwsMonitor, OpError> {
        let monitor = AwsMonitor::builder().monitor_name(&self.name);
        let equals = || Some(vec![MatchOption::Equals]);
        let all = |values: &BTreeSet<String>| Some(values.iter().cloned().collect::<Vec<_>>());
        let expression = match &self.watches {
            Watched::Services => {
                let monitor = monitor.monitor_type(MonitorType::Dimensional);
                let monitor = monitor.monitor_dimension(MonitorDimension::Service);
                return Ok(monitor.build().expect("name and type are there"));
            }
            Watched::Tag { key, values } => {
                let tags = TagValues::builder().key(key).set_values(all(values));
                Expression::builder().tags(tags.set_match_options(equals()).build())
            }
            Watched::CostCategory { key, values } => {
                let category = CostCategoryValues::builder().key(key).set_values(all(values));
                Expression::builder().cost_categories(category.set_match_options(equals()).build())
            }
            Watched::Other(_) => {
                let message = "payctl cannot express what this monitor watches";
                return Err(OpError::new("monitor", ErrorClass::Bug, "UnknownMonitor", message));
            }
        };
        let monitor = monitor.monitor_type(MonitorType::Custom);
        let monitor = monitor.monitor_specification(expression.build());
        Ok(monitor.build().expect("name and type are there"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monitors_survive_the_round_trip() {
        let values = BTreeSet::from(["payments".to_owned()]);
        for watches in [
            Watched::Services,
            Watched::Tag { key: "Team".into(), values: values.clone() },
            Watched::CostCategory { key: "Product".into(), values },
        ] {
            let monitor = AnomalyMonitor { name: "m".into(), watches };
            assert_eq!(watched(&monitor.to_aws().unwrap()), monitor.watches);
        }
    }
}
