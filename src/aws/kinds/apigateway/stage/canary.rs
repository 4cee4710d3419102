//! The canary of a stage: a shift moves requests there, and an apply gives it a new deployment.

use aws_sdk_apigateway::operation::get_stage::GetStageOutput;
use aws_sdk_apigateway::types::{CanarySettings, Op, PatchOperation};
use serde_json::Value;

use super::{remove, replace};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::moved::{self, without};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Tags;
use payctl_engine::model::meta::Remark;
use payctl_engine::traffic::TAG_SHIFT;

const DEPLOYMENT: &str = "/deploymentId";
const CANARY: &str = "/canarySettings/deploymentId";
/// The path of the percentage in a patch.
pub(in crate::aws) const PERCENT: &str = "/canarySettings/percentTraffic";

/// A stage; `None` if it is gone.
pub(in crate::aws) async fn of_stage(
    aws: &Aws,
    api: &str,
    name: &str,
) -> Result<Option<GetStageOutput>, OpError> {
    let call = aws.apigateway.get_stage().rest_api_id(api).stage_name(name);
    call.send().await.map_err(op("GetStage")).or_gone()
}

/// The spec that counts as wanted, if a shift moves the requests: a deployment that waits for it is there.
pub(super) fn moved(want: &Value, live: &Value) -> Option<Value> {
    want.get("shift").and_then(Value::as_str)?;
    let mut moved = without("shift", want, live)?;
    let waiting = live.get("canary").and_then(|canary| canary.get("deployment"));
    if waiting.is_some() && want.get("deployment") == waiting {
        moved["deployment"] = live.get("deployment")?.clone();
    }
    Some(moved)
}

/// What a plan says of a canary.
pub(super) fn under_way(want: &Value, live: &Value) -> Option<Remark> {
    let percent = live.get("canary")?.get("percent")?.as_f64()?;
    let Some(shift) = want.get("shift").and_then(Value::as_str) else {
        return is_divided(percent).then(|| {
            (
                format!("its canary gets {percent}% of the requests; payctl does not change that"),
                "payctl deploys to the stage only after all requests go to one deployment"
                    .to_owned(),
            )
        });
    };
    Some((
        format!("its canary gets {percent}% of the requests, by the shift `{shift}`"),
        format!("an apply leaves that alone; payctl shift {shift} moves the requests"),
    ))
}

/// Whether the stage and its canary both get requests.
fn is_divided(percent: f64) -> bool {
    percent > 0.0 && percent < 100.0
}

/// Refuses another deployment while requests are divided, or a run of a shift moves them.
pub(super) fn unclaimed(
    shift: Option<&str>,
    tags: &Tags,
    stage: Option<&GetStageOutput>,
) -> Result<(), OpError> {
    if shift.is_some() {
        moved::unclaimed("UpdateStage", tags.get(TAG_SHIFT))?;
    }
    match canary(stage).map(CanarySettings::percent_traffic) {
        Some(percent) if is_divided(percent) => {
            let end = match shift {
                Some(shift) => format!("end the shift `{shift}`, or take it back"),
                None => "end that".to_owned(),
            };
            let message = format!(
                "the stage divides its requests: its canary gets {percent}%; {end}, and apply again"
            );
            Err(OpError::new("UpdateStage", ErrorClass::Invalid, "Divided", message))
        }
        _ => Ok(()),
    }
}

fn canary(stage: Option<&GetStageOutput>) -> Option<&CanarySettings> {
    stage?.canary_settings()
}

/// The patches that deploy, in one call. For a shift the canary gets the deployment, without any
/// requests; whatever gets all requests becomes the deployment of the stage first. Otherwise the stage
/// gets it, after a canary that a shift left behind has gone.
pub(super) fn deploy(
    for_shift: bool,
    deployment: String,
    stage: Option<&GetStageOutput>,
) -> Vec<PatchOperation> {
    let percent = canary(stage).map(CanarySettings::percent_traffic);
    let is_all = percent.is_some_and(|percent| percent >= 100.0);
    let promote = || PatchOperation::builder().op(Op::Copy).path(DEPLOYMENT).from(CANARY).build();
    let mut patches = Vec::new();
    if for_shift {
        patches.extend(is_all.then(promote));
        patches.push(replace(CANARY, deployment));
        patches.push(replace(PERCENT, "0"));
    } else {
        patches.extend(percent.map(|_| remove("/canarySettings")));
        patches.push(replace(DEPLOYMENT, deployment));
    }
    patches
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stage(percent: f64) -> GetStageOutput {
        let canary = CanarySettings::builder().deployment_id("old").percent_traffic(percent);
        GetStageOutput::builder().canary_settings(canary.build()).build()
    }

    #[test]
    fn a_deployment_for_a_shift_gets_no_requests() {
        let paths = |for_shift, percent: Option<f64>| -> Vec<String> {
            let stage = percent.map(stage);
            let patches = deploy(for_shift, "new".into(), stage.as_ref());
            patches.into_iter().filter_map(|patch| patch.path).collect()
        };
        assert_eq!(paths(true, None), [CANARY, PERCENT]);
        assert_eq!(paths(true, Some(0.0)), [CANARY, PERCENT]);
        assert_eq!(paths(true, Some(100.0)), [DEPLOYMENT, CANARY, PERCENT]);
        assert_eq!(paths(false, None), [DEPLOYMENT]);
        assert_eq!(paths(false, Some(100.0)), ["/canarySettings", DEPLOYMENT]);
    }

    #[test]
    fn a_deployment_that_waits_is_there() {
        let want = json!({ "shift": "pay", "deployment": "v2" });
        let live = json!({ "deployment": "v1", "canary": { "deployment": "v2", "percent": 0.0 } });
        let found = moved(&want, &live).expect("a shift");
        assert_eq!((&found["deployment"], found.get("shift")), (&json!("v1"), None));
        let other = json!({ "shift": "pay", "deployment": "v3" });
        assert_eq!(moved(&other, &live).expect("a shift")["deployment"], "v3");
        assert_eq!(moved(&json!({ "deployment": "v2" }), &live), None);
    }

    #[test]
    fn a_divided_stage_gets_no_other_deployment() {
        let none = Tags::new();
        assert!(unclaimed(Some("pay"), &none, Some(&stage(0.0))).is_ok());
        assert!(unclaimed(Some("pay"), &none, Some(&stage(100.0))).is_ok());
        let error = unclaimed(None, &none, Some(&stage(20.0))).expect_err("divided by hand");
        assert!(
            error.to_string().ends_with("its canary gets 20%; end that, and apply again"),
            "{error}"
        );
        let error = unclaimed(Some("pay"), &none, Some(&stage(20.0))).expect_err("divided");
        assert!(error.to_string().contains("its canary gets 20%"), "{error}");
        let tags = Tags::from([(TAG_SHIFT.to_owned(), "pay shift 1 2".to_owned())]);
        assert!(unclaimed(Some("pay"), &tags, None).is_err());
    }
}
