//! Stages of APIs that divide requests between their deployment and a canary.
//!
//! AWS quirks: only the percentage of the canary changes, from 0 to 100, so the stage itself says between
//! which deployments a shift moves. There is no condition: the claim excludes other runs. A stage comes
//! with its tags, so one answer shows both at the same moment. Neither targets nor figures tell the two
//! deployments apart.

use std::collections::BTreeMap;

use aws_sdk_apigateway::operation::get_stage::GetStageOutput;
use aws_sdk_apigateway::types::CanarySettings;
use serde_json::json;

use super::figures::Metrics;
use super::{Road, Side, elsewhere};
use crate::aws::clients::Aws;
use crate::aws::error::op;
use crate::aws::kinds::apigateway::common::{add_tags, remove_tags, replace};
use crate::aws::kinds::apigateway::stage::canary::{PERCENT, of_stage};
use payctl_engine::model::error::OpError;
use payctl_engine::traffic::{Reading, Standing, TAG_SHIFT, Targets, Weights};

/// A stage, `API/STAGE`, and the ids of both deployments.
pub(super) struct Deployments {
    pub id: String,
    pub from: String,
    pub to: String,
}

/// Weights count in hundredths of a percent.
const WHOLE: u32 = 10_000;

/// The deployments between which a stage divides its requests: its own, and that of its canary.
pub(super) async fn sides(aws: &Aws, id: &str) -> Result<Option<(Side, Side)>, OpError> {
    let stage = get(aws, id).await?;
    let side = |id: &str| Side { name: format!("deployment-{id}"), id: id.to_owned() };
    let canary = stage.canary_settings().and_then(CanarySettings::deployment_id);
    let both = stage.deployment_id().zip(canary).filter(|(own, canary)| own != canary);
    Ok(both.map(|(own, canary)| (side(own), side(canary))))
}

async fn get(aws: &Aws, id: &str) -> Result<GetStageOutput, OpError> {
    let (api, name) = id.split_once('/').unwrap_or((id, ""));
    let gone = || elsewhere("GetStage", format!("there is no stage {id} any more"));
    of_stage(aws, api, name).await?.ok_or_else(gone)
}

impl Road for Deployments {
    async fn read(&self, aws: &Aws) -> Result<Standing, OpError> {
        let stage = get(aws, &self.id).await?;
        let own = stage.deployment_id().unwrap_or_default();
        let canary = stage.canary_settings();
        let other = canary.and_then(CanarySettings::deployment_id).unwrap_or_default();
        let part = divided(canary.map(CanarySettings::percent_traffic).unwrap_or_default());
        let weights = match (own, other) {
            (own, other) if own == self.from && other == self.to => part,
            (own, other) if own == self.to && other == self.from => {
                Weights { from: part.to, to: part.from }
            }
            _ => {
                let message = format!(
                    "the stage no longer divides requests between the deployments {} and {}",
                    self.from, self.to
                );
                return Err(elsewhere("GetStage", message));
            }
        };
        let claim = stage.tags().and_then(|tags| tags.get(TAG_SHIFT)).cloned();
        Ok(Standing { weights, claim, rest: json!(own) })
    }

    async fn set(&self, aws: &Aws, seen: &Standing, weights: Weights) -> Result<(), OpError> {
        let (api, name) = self.id.split_once('/').unwrap_or((&self.id, ""));
        let canary = if seen.rest == json!(self.from) { weights.to } else { weights.from };
        let percent = f64::from(canary) * 100.0 / f64::from(weights.from + weights.to);
        let call = aws.apigateway.update_stage().rest_api_id(api).stage_name(name);
        let call = call.patch_operations(replace(PERCENT, percent.to_string()));
        call.send().await.map_err(op("UpdateStage")).map(drop)
    }

    async fn tag(&self, aws: &Aws, claim: Option<&str>) -> Result<(), OpError> {
        let (api, name) = self.id.split_once('/').unwrap_or((&self.id, ""));
        let path = format!("/restapis/{api}/stages/{name}");
        match claim {
            Some(claim) => {
                let tags = BTreeMap::from([(TAG_SHIFT.to_owned(), claim.to_owned())]);
                add_tags(aws, &path, &tags).await
            }
            None => remove_tags(aws, &path, &[TAG_SHIFT.to_owned()]).await,
        }
    }

    async fn targets(&self, _: &Aws) -> Reading<Targets> {
        None
    }

    fn metrics(&self) -> Option<(Metrics, Metrics)> {
        None
    }
}

/// Weights of the stage's own deployment and of its canary, which gets so many percent.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a percentage is within 0 and 100"
)]
fn divided(percent: f64) -> Weights {
    let to = (percent.clamp(0.0, 100.0) * 100.0).round() as u32;
    Weights { from: WHOLE - to, to }
}
