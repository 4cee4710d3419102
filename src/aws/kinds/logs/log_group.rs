//! CloudWatch log groups with their retention.
//!
//! AWS quirks: retention has its own call, and without retention events never expire. One of the
//! two ARNs ends in `:*`, which no other service accepts. A list by a part of the name returns only
//! names, not the retention and the key. A late write recreates a deleted group, without retention
//! and tags.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_cloudwatchlogs::types::{self, LogGroupClass};
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};

use super::costs::{archived, logs};
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::measured::Gauge;
use crate::aws::resource::{Cx, Resource, Survey};
use crate::words::log_groups::LogClass;
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::Scope;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogGroup {
    /// The name.
    pub name: String,
    /// How long events are kept, in days; `None` if they never expire.
    pub retention_days: Option<u32>,
    /// AWS's word for its class.
    pub class: String,
    /// The ARN of the KMS key; none when not encrypted by one.
    pub key: Option<Text>,
}

impl Resource for LogGroup {
    const META: Meta = Meta {
        drawn: Drawn::badge("log", "log group", &[]),
        notes: &[
            "A late write to a deleted log group recreates it, without retention and tags. An \
             apply adopts such a group under `/aws/` if the config wants it and it has no tags. A \
             destroy deletes it again if it sees it at its end; later, `payctl gc` does so if \
             payctl kept its name when it destroyed the environment.",
            "A retention policy of the account overrides the retention of its log groups.",
            "AWS never changes the class of a log group. A group of the class INFREQUENT_ACCESS takes no \
             metric filters.",
            "The policy of the key must allow the service logs.REGION.amazonaws.com.",
            "Events that were encrypted with a key stay encrypted after the key is removed from \
             the group.",
        ],
        immutable: &["class", "name"],
        // Whatever writes into it creates it again: a database names it nowhere.
        delete_after: &[
            "apigateway.stage",
            "autoscaling.group",
            "ec2.flow_log",
            "ecs.cluster",
            "ecs.service",
            "lambda.function",
            "rds.cluster",
            "rds.instance",
            "waf.web_acl",
        ],
        replace: Replace::Forbidden,
        data: Some("the log events"),
        deadline: Duration::from_secs(180),
        transient: &[
            ("InvalidParameterException", "KMS key"),
            ("AccessDeniedException", "KMS key"),
        ],
        told: true,
        gone_at_once: true,
        permits: &[
            Permit::look(&["logs:DescribeLogGroups"], &["*"]),
            Permit::look(&["logs:ListTagsForResource"], &["logs:{here}:log-group:{seen}"]),
            // AWS checks tags of a creation like the creation, and later tags by the ARN that the
            // call names.
            Permit::set(
                &["logs:TagResource"],
                &["logs:{here}:log-group:{name}", "logs:{here}:log-group:{name}:*"],
            ),
            // AWS asks whether the group's streams may be used: `log-group:NAME:log-stream:`.
            Permit::set(
                &["logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:PutRetentionPolicy"],
                &["logs:{here}:log-group:{name}:*"],
            ),
            Permit::change(&["logs:UntagResource"], &["logs:{here}:log-group:{name}"]),
            Permit::change(
                &["logs:DeleteRetentionPolicy", "logs:DisassociateKmsKey"],
                &["logs:{here}:log-group:{name}:*"],
            ),
            Permit::delete(&["logs:DeleteLogGroup"], &["logs:{here}:log-group:{name}:*"]),
        ],
        names: Some(NameRule {
            is_reserved: Some(is_reserved),
            ..NameRule::new(
                "log-group",
                512,
                r"^[._/#A-Za-z0-9-]{1,512}$",
                "a log group's name is 1 to 512 letters, digits and . - _ / #, and does not begin with aws/",
            )
        }),
        arn: Some("logs:{here}:log-group:{name}"),
        section: "log_groups",
        predicted: &[(Output::Arn, "{arn}"), (Output::Name, "{name}")],
        asked: &["retention_days"],
        typical: Typical::seconds(1, 1, 1).calls(2, 5, 2),
        pricing: Pricing::Charged(
            "AWS charges for what is written into it, and for what it keeps.",
        ),
        types: &["logs:log-group"],
        ..Meta::new("logs.log_group", "logs", "A CloudWatch log group with its retention.")
    };

    fn sample() -> Self {
        Self {
            name: "/sample/log-group".into(),
            retention_days: Some(7),
            class: LogClass::Standard.aws().into(),
            key: Some(Text::reference(Address::new("kms.key", "sample"), Output::Arn)),
        }
    }

    fn variants() -> Vec<Self> {
        vec![
            Self { retention_days: Some(30), ..Self::sample() },
            Self { retention_days: None, key: None, ..Self::sample() },
            Self::sample(),
        ]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let mut flows: Vec<_> =
            self.key.iter().flat_map(|key| to(key, Driver::Users, Decimal::ONE)).collect();
        let written = cx.load(Driver::Gb) + cx.load(Driver::DeliveredGb);
        flows.extend(Costs::each(cx.users("logs.metric_filter"), Driver::Gb, written));
        flows
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let mut charges =
            logs("log", self.ingested(), cx.load(Driver::Gb), self.retention_days, cx);
        let delivered = archived(cx.load(Driver::DeliveredGb), self.retention_days, cx);
        charges.push(Charge::usage("delivered log, kept", "logs.storage", delivered));
        charges
    }

    fn gauges(&self, _: &str, cx: &Costs<'_>) -> Vec<Gauge> {
        // CloudWatch does not tell what a service delivers from what programs write.
        let driver =
            match [Driver::Gb, Driver::DeliveredGb].map(|driver| !cx.load(driver).is_zero()) {
                [true, true] => return Vec::new(),
                [false, true] => Driver::DeliveredGb,
                [_, false] => Driver::Gb,
            };
        let dimensions = vec![("LogGroupName", self.name.clone())];
        vec![Gauge::sum(driver, "AWS/Logs", &["IncomingBytes"], dimensions).in_gb()]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        // An account may have thousands of groups: only those that have the environment in their
        // name are listed, and wanted names without it are looked up one by one.
        let env = &cx.aws.scope.env;
        let others = cx.wanted.keys().filter(|name| !name.contains(env.as_str()));
        let (groups, others) =
            try_join(candidates(cx), try_join_all(others.map(|name| find(cx.aws, name)))).await?;
        let lives =
            groups.into_iter().chain(others.into_iter().flatten()).map(|group| async move {
                let tags = cx.tags(arn_of(&group), tags_of(cx.aws, arn_of(&group))).await?;
                Ok(tags.map(|tags| to_live(group, tags)))
            });
        let found = try_join_all(lives).await?.into_iter().flatten().filter_map(|live| {
            let (address, owner) = cx.claim(&live.id, &live.tags)?;
            let owner = match owner {
                // A group without tags: services of AWS create such groups.
                Owner::Foreign(_) if live.tags.is_empty() && is_of_a_service(&live.id) => {
                    Owner::Nobody
                }
                owner => owner,
            };
            Some(Found { address, owner, live })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        match find(cx.aws, cx.id()).await? {
            Some(group) => describe(cx.aws, group).await,
            None => Ok(None),
        }
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(tags_of(cx.aws, planned.outputs.get(&Output::Arn).map_or("", String::as_str))
            .await?
            .map(|tags| Live { tags, ..planned }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        cx.aws
            .cloudwatchlogs
            .create_log_group()
            .log_group_name(&self.name)
            .log_group_class(LogGroupClass::from(self.class.as_str()))
            .set_kms_key_id(self.key.as_ref().map(|key| key.known().to_owned()))
            .set_tags(Some(cx.tags.clone().into_iter().collect()))
            .send()
            .await
            .map_err(op("CreateLogGroup"))?;
        if self.retention_days.is_some() {
            self.put_retention(cx.aws, &self.name).await?;
        }
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        if self.retention_days != live.spec.retention_days {
            self.put_retention(cx.aws, &live.id).await?;
        }
        if self.key != live.spec.key {
            self.put_key(cx.aws, &live.id).await?;
        }
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).cloned().unwrap_or_default();
        let call = cx
            .aws
            .cloudwatchlogs
            .tag_resource()
            .resource_arn(&arn)
            .set_tags(Some(set.clone().into_iter().collect()));
        call.send().await.map_err(op("TagResource")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).cloned().unwrap_or_default();
        let call = cx
            .aws
            .cloudwatchlogs
            .untag_resource()
            .resource_arn(&arn)
            .set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagResource")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.cloudwatchlogs.delete_log_group().log_group_name(&live.id).send();
        send.await.map_err(op("DeleteLogGroup")).or_gone().map(drop)
    }
}

impl LogGroup {
    /// The meter of what programs write into it.
    fn ingested(&self) -> &'static str {
        if self.is_infrequent() { "logs.ingest_ia" } else { "logs.ingest" }
    }

    /// Whether it has the class that costs less to write into.
    pub(super) fn is_infrequent(&self) -> bool {
        self.class == LogClass::InfrequentAccess.aws()
    }

    async fn put_retention(&self, aws: &Aws, name: &str) -> Result<(), OpError> {
        match self.retention_days.and_then(|days| i32::try_from(days).ok()) {
            Some(days) => {
                let call = aws.cloudwatchlogs.put_retention_policy().log_group_name(name);
                let send = call.retention_in_days(days).send();
                send.await.map_err(op("PutRetentionPolicy")).map(drop)
            }
            None => {
                let send = aws.cloudwatchlogs.delete_retention_policy().log_group_name(name).send();
                send.await.map_err(op("DeleteRetentionPolicy")).map(drop)
            }
        }
    }

    async fn put_key(&self, aws: &Aws, name: &str) -> Result<(), OpError> {
        match &self.key {
            Some(key) => {
                let call = aws.cloudwatchlogs.associate_kms_key().log_group_name(name);
                let send = call.kms_key_id(key.known()).send();
                send.await.map_err(op("AssociateKmsKey")).map(drop)
            }
            None => {
                let send = aws.cloudwatchlogs.disassociate_kms_key().log_group_name(name).send();
                send.await.map_err(op("DisassociateKmsKey")).map(drop)
            }
        }
    }
}

/// How many groups AWS describes by name in one call.
const MOST: usize = 50;

/// How many groups an account may have so that environments that share the answers ask for all of them.
const FEW: usize = 1000;

/// All groups of an account in which several environments share the answers; `None` if it has too many, or
/// nobody shares. A list by the names of one environment tells less of each group, and no other can use it.
pub(in crate::aws::kinds) async fn of_account(
    aws: &Aws,
) -> Result<Option<Vec<types::LogGroup>>, OpError> {
    if !aws.is_shared {
        return Ok(None);
    }
    let mut pages = aws.cloudwatchlogs.describe_log_groups().limit(50).into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        all.extend(page.map_err(op("DescribeLogGroups"))?.log_groups.unwrap_or_default());
        if all.len() > FEW {
            return Ok(None);
        }
    }
    Ok(Some(all))
}

/// Whether a group is one that the environment may own. Those of API Gateway are folded into its stages.
fn is_candidate(cx: &Survey<'_>, name: &str) -> bool {
    !name.starts_with("API-Gateway-Execution-Logs_") && cx.is_candidate(name)
}

/// The groups with the environment's name in theirs.
async fn candidates(cx: &Survey<'_>) -> Result<Vec<types::LogGroup>, OpError> {
    if let Some(mut all) = of_account(cx.aws).await? {
        all.retain(|group| group.log_group_name().is_some_and(|name| is_candidate(cx, name)));
        return Ok(all);
    }
    let call =
        cx.aws.cloudwatchlogs.describe_log_groups().log_group_name_pattern(&cx.aws.scope.env);
    let listed = call.limit(50).into_paginator().items().send().try_collect().await;
    let names = listed.map_err(op("DescribeLogGroups"))?.into_iter();
    let names: BTreeSet<String> = names
        .filter_map(|group| group.log_group_name)
        .filter(|name| is_candidate(cx, name))
        .collect();
    let all: Vec<&String> = names.iter().collect();
    let described = all.chunks(MOST).map(|some| async move {
        let some = some.iter().map(|name| (*name).clone()).collect();
        let call =
            cx.aws.cloudwatchlogs.describe_log_groups().set_log_group_identifiers(Some(some));
        let groups = call.into_paginator().items().send().try_collect().await;
        groups.map_err(op("DescribeLogGroups"))
    });
    let groups: BTreeMap<String, types::LogGroup> = try_join_all(described)
        .await?
        .into_iter()
        .flatten()
        .filter_map(|group| Some((group.log_group_name.clone()?, group)))
        // An endpoint that does not know the question answers with all groups.
        .filter(|(name, _)| names.contains(name))
        .collect();
    Ok(groups.into_values().collect())
}

/// Whether a name is one that AWS's services give to the groups that they make.
fn is_of_a_service(name: &str) -> bool {
    name.starts_with("/aws/")
}

/// The group of exactly this name. payctl searches by prefix. The answer is in order, so this group
/// comes before those whose names begin with its name.
async fn find(aws: &Aws, name: &str) -> Result<Option<types::LogGroup>, OpError> {
    let call = aws.cloudwatchlogs.describe_log_groups().log_group_name_prefix(name);
    let mut groups = call.into_paginator().items().send();
    while let Some(group) = groups.next().await {
        let group = group.map_err(op("DescribeLogGroups"))?;
        if group.log_group_name.as_deref() == Some(name) {
            return Ok(Some(group));
        }
    }
    Ok(None)
}

/// Completes a listed group with its tags. `None` if it was deleted since.
async fn describe(aws: &Aws, group: types::LogGroup) -> Result<Option<Live<LogGroup>>, OpError> {
    let tags = tags_of(aws, arn_of(&group)).await?;
    Ok(tags.map(|tags| to_live(group, tags)))
}

/// The tags of a group, by its name; `None` if there is none.
pub(super) async fn tags_by_name(cx: &Survey<'_>, name: &str) -> Result<Option<Tags>, OpError> {
    let arn = arn_for(cx.aws, name);
    cx.tags(&arn, tags_of(cx.aws, &arn)).await
}

/// The ARN of the group with this name.
pub(super) fn arn_for(aws: &Aws, name: &str) -> String {
    let Scope { partition, region, account, .. } = &aws.scope;
    format!("arn:{partition}:logs:{region}:{account}:log-group:{name}")
}

pub(super) async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.cloudwatchlogs.list_tags_for_resource().resource_arn(arn).send();
    let answer = send.await.map_err(op("ListTagsForResource")).or_gone()?;
    let own = |tags: HashMap<String, String>| {
        tags.into_iter().filter(|(key, _)| !key.starts_with("aws:")).collect()
    };
    Ok(answer.map(|answer| answer.tags.map(own).unwrap_or_default()))
}

/// The ARN that other services accept.
pub(super) fn arn_of(group: &types::LogGroup) -> &str {
    let arn = group.log_group_arn.as_deref().or(group.arn.as_deref()).unwrap_or_default();
    arn.strip_suffix(":*").unwrap_or(arn)
}

fn to_live(group: types::LogGroup, tags: Tags) -> Live<LogGroup> {
    let arn = arn_of(&group).to_owned();
    let name = group.log_group_name.unwrap_or_default();
    Live {
        id: name.clone(),
        outputs: Outputs::from([(Output::Arn, arn), (Output::Name, name.clone())]),
        tags,
        phase: Phase::Ready,
        spec: LogGroup {
            name,
            retention_days: group.retention_in_days.and_then(|days| days.try_into().ok()),
            class: group
                .log_group_class
                .map_or(LogClass::Standard.aws().into(), |class| class.as_str().into()),
            key: group.kms_key_id.filter(|key| !key.is_empty()).map(Text::from),
        },
    }
}

/// Names that AWS keeps for itself.
fn is_reserved(name: &str) -> bool {
    name.starts_with("aws/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_never_ends_in_a_star() {
        let group = types::LogGroup::builder().arn("arn:aws:logs:r:1:log-group:g:*").build();
        assert_eq!(arn_of(&group), "arn:aws:logs:r:1:log-group:g");
        let group = types::LogGroup::builder().arn("a:*").log_group_arn("b").build();
        assert_eq!(arn_of(&group), "b");
    }

    #[test]
    fn creating_a_group_needs_permission_on_its_streams() {
        let on = |action: &str| -> BTreeSet<&str> {
            let permits = LogGroup::META.permits.iter();
            let permits = permits.filter(|permit| permit.actions.contains(&action));
            permits.flat_map(|permit| permit.on.iter().copied()).collect()
        };
        let [bare, streams] = ["logs:{here}:log-group:{name}", "logs:{here}:log-group:{name}:*"];
        assert_eq!(on("logs:CreateLogGroup"), BTreeSet::from([streams]));
        assert_eq!(on("logs:TagResource"), BTreeSet::from([bare, streams]));
    }

    #[test]
    fn a_group_that_never_expires_has_no_retention() {
        let group = types::LogGroup::builder().log_group_name("g");
        let live = to_live(group.clone().build(), Tags::new());
        let class = "STANDARD".to_owned();
        assert_eq!(
            live.spec,
            LogGroup { name: "g".into(), retention_days: None, class, key: None }
        );
        let live = to_live(group.retention_in_days(7).kms_key_id("k").build(), Tags::new());
        assert_eq!(live.spec.retention_days, Some(7));
        assert_eq!(live.spec.key, Some("k".into()));
    }
}
