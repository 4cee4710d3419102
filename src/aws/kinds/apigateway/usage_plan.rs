//! Usage plans: limits and quotas of API keys.
//!
//! AWS quirks: names are not unique, and creation does not take a token. A plan with stages cannot
//! be deleted. UpdateUsagePlan is allowed once in 20 seconds for the whole account.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_apigateway::types;
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};

use super::common::{
    PAGE, add_tags, append, arn, incomplete, named, remove, remove_tags, replace, tags,
};
use super::stage::Throttle;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::quotas;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// A usage plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsagePlan {
    /// The name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// The ids of stages, `API/STAGE`.
    pub stages: BTreeSet<Text>,
    /// The rate limit of each key; that of the stage if `None`.
    pub throttle: Option<Throttle>,
    /// The quota of each key; unlimited if `None`.
    pub quota: Option<Quota>,
    /// The ids of its keys.
    pub keys: BTreeSet<Text>,
}

/// The quota of each key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quota {
    /// The number of calls.
    pub limit: i32,
    /// In each `DAY`, `WEEK` or `MONTH`.
    pub period: String,
}

impl Resource for UsagePlan {
    const META: Meta = Meta {
        drawn: Drawn::badge("limit", "usage plan", &["stages"]),
        notes: &["AWS allows one change of a usage plan per 20 seconds and account."],
        replace: Replace::CreateFirst,
        can_duplicate: true,
        deadline: Duration::from_secs(900),
        gone_at_once: true,
        permits: &[
            quotas::PERMIT,
            Permit::look(
                &["apigateway:GET"],
                &["apigateway:{region}::/usageplans", "apigateway:{region}::/usageplans/*"],
            ),
            Permit::create(&["apigateway:POST"], &["apigateway:{region}::/usageplans"]),
            Permit::change(
                &["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST"],
                &["apigateway:{region}::/usageplans/*"],
            ),
            Permit::set(&["apigateway:PUT"], &["apigateway:{region}::/tags/*"]),
            Permit::change(&["apigateway:DELETE"], &["apigateway:{region}::/tags/*"]),
            Permit::delete(
                &["apigateway:DELETE", "apigateway:PATCH"],
                &["apigateway:{region}::/usageplans/*"],
            ),
        ],
        names: Some(named("usage-plan")),
        section: "apis",
        predicted: &[(Output::Name, "{name}")],
        asked: &["throttle", "quota"],
        typical: Typical::seconds(5, 5, 30),
        serves: true,
        pricing: Pricing::Free("AWS charges nothing for usage plans."),
        types: &["apigateway:usageplans"],
        ..Meta::new(
            "apigateway.usage_plan",
            "apigateway",
            "A usage plan: the limits and quota of API keys for a stage.",
        )
    };

    fn sample() -> Self {
        let id = |kind| Text::reference(Address::new(kind, "sample"), Output::Id);
        Self {
            name: "sample-plan".into(),
            description: "Partners".into(),
            stages: BTreeSet::from([id("apigateway.stage")]),
            throttle: Some(Throttle { rate: 10.0, burst: 20 }),
            quota: Some(Quota { limit: 1000, period: "DAY".into() }),
            keys: BTreeSet::from([id("apigateway.api_key")]),
        }
    }

    fn variants() -> Vec<Self> {
        vec![
            Self {
                name: "sample-plan-2".into(),
                throttle: Some(Throttle { rate: 5.0, burst: 20 }),
                quota: Some(Quota { limit: 5000, period: "MONTH".into() }),
                keys: BTreeSet::new(),
                ..Self::sample()
            },
            Self { description: "Other partners".into(), throttle: None, ..Self::sample() },
            Self { quota: None, stages: BTreeSet::new(), ..Self::sample() },
            Self::sample(),
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let pages = cx.aws.apigateway.get_usage_plans().limit(PAGE).into_paginator();
        let plans = pages.items().send().try_collect().await.map_err(op("GetUsagePlans"))?;
        let owned = |plan: &types::UsagePlan| cx.aws.scope.owned(&tags(plan.tags.clone()));
        let owned = plans.into_iter().filter(|plan| owned(plan).is_some());
        let lives = owned.map(|plan| async move {
            let id = plan.id.clone().unwrap_or_default();
            let keys = keys_of(cx.aws, &id).await?;
            Ok::<_, OpError>(keys.map(|keys| to_live(cx.aws, plan, keys)))
        });
        let lives = try_join_all(lives).await?.into_iter().flatten();
        Ok(lives.filter_map(|live| cx.found(live, |spec| &spec.name)).collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let plan = async {
            let send = cx.aws.apigateway.get_usage_plan().usage_plan_id(cx.id()).send();
            send.await.map_err(op("GetUsagePlan")).or_gone()
        };
        let (Some(plan), Some(keys)) = try_join(plan, keys_of(cx.aws, cx.id())).await? else {
            return Ok(None);
        };
        let plan = types::UsagePlan::builder()
            .set_id(plan.id)
            .set_name(plan.name)
            .set_description(plan.description)
            .set_api_stages(plan.api_stages)
            .set_throttle(plan.throttle)
            .set_quota(plan.quota)
            .set_tags(plan.tags);
        Ok(Some(to_live(cx.aws, plan.build(), keys)))
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        let send = cx.aws.apigateway.get_usage_plan().usage_plan_id(cx.id()).send();
        let plan = send.await.map_err(op("GetUsagePlan")).or_gone()?;
        Ok(plan.map(|plan| Live { tags: tags(plan.tags), ..planned }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let stage = |stage: &Text| {
            let (api, stage) = stage.known().split_once('/').unwrap_or_default();
            types::ApiStage::builder().api_id(api).stage(stage).build()
        };
        let throttle = self.throttle.map(|Throttle { rate, burst }| {
            types::ThrottleSettings::builder().rate_limit(rate).burst_limit(burst).build()
        });
        let quota = self.quota.as_ref().map(|Quota { limit, period }| {
            let period = types::QuotaPeriodType::from(period.as_str());
            types::QuotaSettings::builder().limit(*limit).period(period).build()
        });
        let made = cx
            .aws
            .apigateway
            .create_usage_plan()
            .name(&self.name)
            .description(&self.description)
            .set_api_stages(Some(self.stages.iter().map(stage).collect()))
            .set_throttle(throttle)
            .set_quota(quota)
            .set_tags(Some(cx.tags.clone().into_iter().collect()))
            .send()
            .await
            .map_err(op("CreateUsagePlan"))?;
        made.id.ok_or_else(|| incomplete("CreateUsagePlan"))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let patches = self.patches(&live.spec);
        if !patches.is_empty() {
            cx.aws
                .apigateway
                .update_usage_plan()
                .usage_plan_id(&live.id)
                .set_patch_operations(Some(patches))
                .send()
                .await
                .map_err(op("UpdateUsagePlan"))?;
        }
        for key in self.keys.difference(&live.spec.keys) {
            cx.aws
                .apigateway
                .create_usage_plan_key()
                .usage_plan_id(&live.id)
                .key_id(key.known())
                .key_type("API_KEY")
                .send()
                .await
                .map_err(op("CreateUsagePlanKey"))?;
        }
        for key in live.spec.keys.difference(&self.keys) {
            let call = cx.aws.apigateway.delete_usage_plan_key().usage_plan_id(&live.id);
            let send = call.key_id(key.known()).send();
            send.await.map_err(op("DeleteUsagePlanKey")).or_gone()?;
        }
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        add_tags(cx.aws, &format!("/usageplans/{}", live.id), set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        remove_tags(cx.aws, &format!("/usageplans/{}", live.id), unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        // An earlier attempt may have removed its stages: AWS refuses to do that twice.
        let send = cx.aws.apigateway.get_usage_plan().usage_plan_id(&live.id).send();
        let plan = send.await.map_err(op("GetUsagePlan")).or_gone()?;
        let left = stages(plan.and_then(|plan| plan.api_stages));
        let patches: Vec<_> = left.iter().map(patch_remove_stage).collect();
        if !patches.is_empty() {
            let call = cx.aws.apigateway.update_usage_plan().usage_plan_id(&live.id);
            let send = call.set_patch_operations(Some(patches)).send();
            send.await.map_err(op("UpdateUsagePlan")).or_gone()?;
        }
        let send = cx.aws.apigateway.delete_usage_plan().usage_plan_id(&live.id).send();
        send.await.map_err(op("DeleteUsagePlan")).or_gone().map(drop)
    }
}

/// The ids of the stages of a plan.
fn stages(found: Option<Vec<types::ApiStage>>) -> BTreeSet<Text> {
    let id = |stage: types::ApiStage| Some(format!("{}/{}", stage.api_id?, stage.stage?).into());
    found.unwrap_or_default().into_iter().filter_map(id).collect()
}

/// A stage as usage plans know it.
fn stage_key(stage: &Text) -> String {
    stage.known().replacen('/', ":", 1)
}

fn patch_remove_stage(stage: &Text) -> types::PatchOperation {
    types::PatchOperation::builder()
        .op(types::Op::Remove)
        .path("/apiStages")
        .value(stage_key(stage))
        .build()
}

impl UsagePlan {
    fn patches(&self, live: &Self) -> Vec<types::PatchOperation> {
        let mut patches = Vec::new();
        if self.name != live.name {
            patches.push(replace("/name", &self.name));
        }
        if self.description != live.description {
            patches.push(replace("/description", &self.description));
        }
        let added = self.stages.difference(&live.stages);
        patches.extend(added.map(|stage| append("/apiStages", stage_key(stage))));
        patches.extend(live.stages.difference(&self.stages).map(patch_remove_stage));
        match (self.throttle, live.throttle) {
            (Some(want), live) if live != Some(want) => patches.extend([
                replace("/throttle/rateLimit", want.rate.to_string()),
                replace("/throttle/burstLimit", want.burst.to_string()),
            ]),
            (None, Some(_)) => patches.push(remove("/throttle")),
            (Some(_) | None, _) => {}
        }
        match (&self.quota, &live.quota) {
            (Some(want), live) if live.as_ref() != Some(want) => patches.extend([
                replace("/quota/limit", want.limit.to_string()),
                replace("/quota/period", &want.period),
            ]),
            (None, Some(_)) => patches.push(remove("/quota")),
            (Some(_) | None, _) => {}
        }
        patches
    }
}

async fn keys_of(aws: &Aws, plan: &str) -> Result<Option<BTreeSet<Text>>, OpError> {
    let call = aws.apigateway.get_usage_plan_keys().usage_plan_id(plan).limit(PAGE);
    let keys = call.into_paginator().items().send().try_collect().await;
    let keys = keys.map_err(op("GetUsagePlanKeys")).or_gone()?;
    let ids = |keys: Vec<types::UsagePlanKey>| {
        keys.into_iter().filter_map(|key| key.id).map(Text::from).collect()
    };
    Ok(keys.map(ids))
}

fn to_live(aws: &Aws, plan: types::UsagePlan, keys: BTreeSet<Text>) -> Live<UsagePlan> {
    let id = plan.id.unwrap_or_default();
    let name = plan.name.unwrap_or_default();
    let throttle =
        plan.throttle.map(|found| Throttle { rate: found.rate_limit, burst: found.burst_limit });
    let quota = plan.quota.map(|found| Quota {
        limit: found.limit,
        period: found.period.map(|period| period.as_str().to_owned()).unwrap_or_default(),
    });
    Live {
        outputs: Outputs::from([
            (Output::Id, id.clone()),
            (Output::Name, name.clone()),
            (Output::Arn, arn(aws, &format!("/usageplans/{id}"))),
        ]),
        spec: UsagePlan {
            name,
            description: plan.description.unwrap_or_default(),
            stages: stages(plan.api_stages),
            throttle,
            quota,
            keys,
        },
        id,
        tags: tags(plan.tags),
        phase: Phase::Ready,
    }
}
