//! Cluster parameter groups: PostgreSQL parameters of a database.
//!
//! AWS quirks: one call takes at most twenty parameters. Static ones take effect with the next
//! restart of the instances, and AWS refuses to apply them at once. AWS does not distinguish a
//! parameter with its default from an unset one (`Source` stays `system`). The list does not show
//! parameters or tags.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_rds::types::{ApplyMethod, DbClusterParameterGroup, Parameter};
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};

use super::common;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs};

/// A cluster parameter group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParameterGroup {
    /// The name, in lower case.
    pub name: String,
    /// The engine and major version that it is for, `aurora-postgresql15`.
    pub family: String,
    /// Its description.
    pub description: String,
    /// The parameters to set; of a live group those that differ from AWS's defaults.
    pub parameters: BTreeMap<String, String>,
    /// The values that a live group has from AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<BTreeMap<String, String>>,
}

/// How many parameters AWS takes in one call.
const AT_ONCE: usize = 20;

impl Resource for ParameterGroup {
    const META: Meta = Meta {
        drawn: Drawn::badge("template", "parameter group", &[]),
        notes: &[
            "Static parameters take effect when you restart the instances; payctl does not \
             restart them.",
            "A new major version of the database needs a new group.",
        ],
        immutable: &["name", "family", "description"],
        aws_defaults: &[("parameters", "defaults")],
        replace: Replace::CreateFirst,
        use_blocks_delete: true,
        deadline: Duration::from_secs(900),
        read_lag: Duration::from_secs(30),
        permits: &[
            Permit::look(&["rds:DescribeDBClusterParameterGroups"], &["*"]),
            Permit::look(
                &["rds:DescribeDBClusterParameters", "rds:ListTagsForResource"],
                &["rds:{here}:cluster-pg:{seen}"],
            ),
            Permit::create(
                &["rds:CreateDBClusterParameterGroup"],
                &["rds:{here}:cluster-pg:{name}"],
            ),
            Permit::set(&["rds:AddTagsToResource"], &["rds:{here}:cluster-pg:{name}"]),
            Permit::change(
                &[
                    "rds:ModifyDBClusterParameterGroup",
                    "rds:RemoveTagsFromResource",
                    "rds:ResetDBClusterParameterGroup",
                ],
                &["rds:{here}:cluster-pg:{name}"],
            ),
            Permit::delete(
                &["rds:DeleteDBClusterParameterGroup"],
                &["rds:{here}:cluster-pg:{name}"],
            ),
        ],
        names: Some(common::named("parameters", 255)),
        section: "databases",
        predicted: &[
            (Output::Arn, "arn:{partition}:rds:{here}:cluster-pg:{name}"),
            (Output::Name, "{name}"),
        ],
        asked: &["family"],
        typical: Typical::seconds(3, 3, 3).calls(5, 6, 4),
        pricing: Pricing::Free("AWS charges nothing for parameters."),
        types: &["rds:cluster-pg"],
        ..Meta::new(
            "rds.cluster_parameter_group",
            "rds",
            "The parameters of an Aurora PostgreSQL cluster.",
        )
    };

    fn sample() -> Self {
        Self {
            name: "sample-parameters".into(),
            family: "aurora-postgresql15".into(),
            description: "Parameters of the sample".into(),
            parameters: BTreeMap::new(),
            defaults: None,
        }
    }

    fn variants() -> Vec<Self> {
        let with = |parameters: &[(&str, &str)]| Self {
            parameters: parameters.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            ..Self::sample()
        };
        vec![
            with(&[("log_min_duration_statement", "500"), ("rds.logical_replication", "1")]),
            // The default of PostgreSQL 15.
            with(&[
                ("log_min_duration_statement", "1000"),
                ("password_encryption", "scram-sha-256"),
            ]),
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let call = cx.aws.rds.describe_db_cluster_parameter_groups().max_records(100);
        let listed = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let listed = listed.map_err(op("DescribeDBClusterParameterGroups"))?;
        let candidates = listed.into_iter().filter(|group| {
            group.db_cluster_parameter_group_name().is_some_and(|name| cx.is_candidate(name))
        });
        let found = candidates.map(|group| async move {
            let name = group.db_cluster_parameter_group_name().unwrap_or_default().to_owned();
            let arn = group.db_cluster_parameter_group_arn().unwrap_or_default().to_owned();
            let tags = Box::pin(cx.tags(&arn, common::tags_of(cx.aws, &arn)));
            let live = cx.if_permitted(&name, to_live(cx.aws, group, tags).await)?;
            let Some(live) = live else { return Ok(None) };
            let claimed = cx.claim(&name, &live.tags);
            Ok(claimed.map(|(address, owner)| Found { address, owner, live }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let call = cx.aws.rds.describe_db_cluster_parameter_groups();
        let send = call.db_cluster_parameter_group_name(cx.id()).send();
        let answer = send.await.map_err(op("DescribeDBClusterParameterGroups")).or_gone()?;
        let groups = answer.and_then(|answer| answer.db_cluster_parameter_groups);
        match groups.and_then(|groups| groups.into_iter().next()) {
            Some(group) => {
                let arn = group.db_cluster_parameter_group_arn().unwrap_or_default().to_owned();
                to_live(cx.aws, group, common::tags_of(cx.aws, &arn)).await
            }
            None => Ok(None),
        }
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        cx.aws
            .rds
            .create_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(&self.name)
            .db_parameter_group_family(&self.family)
            .description(&self.description)
            .set_tags(Some(common::to_tags(cx.tags)))
            .send()
            .await
            .map_err(op("CreateDBClusterParameterGroup"))?;
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (set, unset) = self.moves(&live.spec);
        let fixed = find_fixed(cx.aws, &live.id).await?;
        let parameter = |name: &String, value: Option<&String>| {
            let late = fixed.contains(name);
            let method = if late { ApplyMethod::PendingReboot } else { ApplyMethod::Immediate };
            let parameter = Parameter::builder().parameter_name(name).apply_method(method);
            parameter.set_parameter_value(value.cloned()).build()
        };
        let set: Vec<_> = set.iter().map(|(name, value)| parameter(name, Some(value))).collect();
        for some in set.chunks(AT_ONCE) {
            cx.aws
                .rds
                .modify_db_cluster_parameter_group()
                .db_cluster_parameter_group_name(&live.id)
                .set_parameters(Some(some.to_vec()))
                .send()
                .await
                .map_err(op("ModifyDBClusterParameterGroup"))?;
        }
        let unset: Vec<_> = unset.iter().map(|name| parameter(name, None)).collect();
        for some in unset.chunks(AT_ONCE) {
            cx.aws
                .rds
                .reset_db_cluster_parameter_group()
                .db_cluster_parameter_group_name(&live.id)
                .set_parameters(Some(some.to_vec()))
                .send()
                .await
                .map_err(op("ResetDBClusterParameterGroup"))?;
        }
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.outputs[&Output::Arn], set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.outputs[&Output::Arn], unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let call = cx.aws.rds.delete_db_cluster_parameter_group();
        let send = call.db_cluster_parameter_group_name(&live.id).send();
        send.await.map_err(op("DeleteDBClusterParameterGroup")).or_gone().map(drop)
    }
}

impl ParameterGroup {
    /// The parameters to set, and the names of those to put back to their defaults.
    fn moves(&self, live: &Self) -> (BTreeMap<String, String>, BTreeSet<String>) {
        let given = |name: &String| live.defaults.as_ref().and_then(|given| given.get(name));
        let differs = |(name, value): &(&String, &String)| {
            live.parameters.get(*name).or(given(name)) != Some(*value)
        };
        let set = self.parameters.iter().filter(differs);
        let set = set.map(|(name, value)| (name.clone(), value.clone())).collect();
        let surplus = live.parameters.keys().filter(|name| !self.parameters.contains_key(*name));
        (set, surplus.cloned().collect())
    }
}

/// A listed group with its parameters and its tags.
async fn to_live(
    aws: &Aws,
    group: DbClusterParameterGroup,
    tags: impl Future<Output = Result<Option<Tags>, OpError>>,
) -> Result<Option<Live<ParameterGroup>>, OpError> {
    let name = group.db_cluster_parameter_group_name.unwrap_or_default();
    let arn = group.db_cluster_parameter_group_arn.unwrap_or_default();
    let listed = async { Ok(parameters(aws, &name).await.or_gone()?.unwrap_or_default()) };
    let (tags, listed) = try_join(tags, listed).await?;
    let is_given = |found: &Parameter| matches!(found.source(), Some("system" | "engine-default"));
    let (given, own): (Vec<_>, Vec<_>) = listed.into_iter().partition(is_given);
    let given = given.into_iter().filter(|found| found.is_modifiable() == Some(true));
    let spec = ParameterGroup {
        name: name.clone(),
        family: group.db_parameter_group_family.unwrap_or_default(),
        description: group.description.unwrap_or_default(),
        parameters: own.into_iter().filter_map(pair).collect(),
        defaults: Some(
            given.filter(|found| found.parameter_value.is_some()).filter_map(pair).collect(),
        ),
    };
    let outputs = Outputs::from([(Output::Arn, arn), (Output::Name, name.clone())]);
    Ok(tags.map(|tags| Live { id: name, spec, outputs, tags, phase: Phase::Ready }))
}

fn pair(found: Parameter) -> Option<(String, String)> {
    Some((found.parameter_name?, found.parameter_value.unwrap_or_default()))
}

/// All parameters, including AWS's defaults.
async fn parameters(aws: &Aws, group: &str) -> Result<Vec<Parameter>, OpError> {
    let call = aws.rds.describe_db_cluster_parameters().db_cluster_parameter_group_name(group);
    let pages = call.max_records(100).into_paginator();
    let found = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    found.map_err(op("DescribeDBClusterParameters"))
}

/// The parameters that take effect only with a restart.
async fn find_fixed(aws: &Aws, group: &str) -> Result<BTreeSet<String>, OpError> {
    let all = parameters(aws, group).await?;
    let fixed = all.into_iter().filter(|known| known.apply_type() == Some("static"));
    Ok(fixed.filter_map(|known| known.parameter_name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differing_parameters_are_set_and_surplus_ones_reset() {
        let map = |parameters: &[(&str, &str)]| {
            parameters.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
        };
        let want = ParameterGroup {
            parameters: map(&[("a", "1"), ("b", "2"), ("d", "5")]),
            ..ParameterGroup::sample()
        };
        let live = ParameterGroup {
            parameters: map(&[("a", "1"), ("b", "3"), ("c", "4")]),
            defaults: Some(map(&[("d", "5"), ("e", "6")])),
            ..ParameterGroup::sample()
        };
        let (set, unset) = want.moves(&live);
        assert_eq!(set, BTreeMap::from([("b".into(), "2".into())]));
        assert_eq!(unset, BTreeSet::from(["c".into()]));
    }
}
