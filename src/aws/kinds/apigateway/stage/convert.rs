//! Live stages from the answers of API Gateway and CloudWatch Logs.

use std::collections::BTreeMap;

use aws_sdk_apigateway::types;
use aws_sdk_cloudwatchlogs::types::LogGroup;
use futures::future::try_join;

use super::execution_log::of_canary;
use super::{AccessLog, Canary, ExecutionLog, Settings, Stage, Throttle, path};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::kinds::apigateway::common::{PAGE, arn, execution_log, ordered, tags};
use crate::aws::kinds::logs;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Live, Phase};
use payctl_engine::model::text::{Output, Outputs, Text};

/// The text before the version in the description of a deployment.
pub(super) const MARK: &str = "payctl ";

/// The objects that belong to the stages of an API.
pub(super) struct Around {
    /// The descriptions of deployments by id.
    deployments: BTreeMap<String, String>,
    /// Log groups of executions by name.
    groups: BTreeMap<String, LogGroup>,
}

impl Around {
    pub(super) async fn get(aws: &Aws, api: &str, stage: &str) -> Result<Option<Self>, OpError> {
        let groups = async {
            let prefix = execution_log(api, stage);
            if let Some(mut all) = logs::log_group::of_account(aws).await? {
                all.retain(|one| {
                    one.log_group_name().is_some_and(|name| name.starts_with(&prefix))
                });
                return Ok(all);
            }
            let call = aws.cloudwatchlogs.describe_log_groups().log_group_name_prefix(prefix);
            let pages = call.into_paginator().items().send();
            pages.try_collect().await.map_err(op("DescribeLogGroups"))
        };
        let (found, groups) = try_join(deployments(aws, api), groups).await?;
        let named = |group: LogGroup| Some((group.log_group_name.clone()?, group));
        let groups = groups.into_iter().filter_map(named).collect();
        Ok(found.map(|deployments| Self { deployments, groups }))
    }

    /// The version of a deployment; `None` if payctl did not create it.
    fn version_of(&self, deployment: Option<&str>) -> &str {
        let description = deployment.and_then(|id| self.deployments.get(id));
        description.and_then(|text| text.strip_prefix(MARK)).unwrap_or_default()
    }
}

/// The descriptions of an API's deployments by id.
pub(super) async fn deployments(
    aws: &Aws,
    api: &str,
) -> Result<Option<BTreeMap<String, String>>, OpError> {
    let call = aws.apigateway.get_deployments().rest_api_id(api).limit(PAGE);
    let found = call.into_paginator().items().send().try_collect().await;
    let found = found.map_err(op("GetDeployments")).or_gone()?;
    let described =
        |found: types::Deployment| Some((found.id?, found.description.unwrap_or_default()));
    Ok(found.map(|found| found.into_iter().filter_map(described).collect()))
}

impl Settings {
    pub(super) fn of(found: types::MethodSetting) -> Self {
        let (rate, burst) = (found.throttling_rate_limit, found.throttling_burst_limit);
        let limited = rate >= 0.0 && burst >= 0;
        Self {
            log_level: found.logging_level.unwrap_or_else(|| "OFF".into()),
            data_trace: found.data_trace_enabled,
            metrics: found.metrics_enabled,
            throttle: limited.then_some(Throttle { rate, burst }),
        }
    }
}

/// A stage as AWS describes it.
pub(super) fn to_live(aws: &Aws, api: &str, stage: types::Stage, around: &Around) -> Live<Stage> {
    let name = stage.stage_name.unwrap_or_default();
    let id = format!("{api}/{name}");
    let version = around.version_of(stage.deployment_id.as_deref());
    let canary = stage.canary_settings.map(|canary| Canary {
        deployment: around.version_of(canary.deployment_id.as_deref()).into(),
        percent: canary.percent_traffic,
    });
    // A canary of payctl that gets all requests is what the stage deploys.
    let is_all = |canary: &Canary| canary.percent >= 100.0 && *canary.deployment.known() != *"";
    let (version, canary) = match canary {
        Some(canary) if is_all(&canary) => (canary.deployment, None),
        canary => (Text::from(version), canary),
    };
    let log = |settings: types::AccessLogSettings| {
        let group = settings.destination_arn.filter(|arn| !arn.is_empty())?;
        let group = group.strip_suffix(":*").unwrap_or(&group);
        Some(AccessLog { group: group.into(), format: settings.format.unwrap_or_default() })
    };
    let log_name = execution_log(api, &name);
    let log_of = |name: &str| around.groups.get(name).map(ExecutionLog::of);
    let methods = ordered(stage.method_settings).into_iter();
    let variables = ordered(stage.variables).into_iter();
    let scope = &aws.scope;
    let url = format!("https://{api}.execute-api.{}.{}/{name}", scope.region, scope.dns());
    Live {
        outputs: Outputs::from([
            (Output::Id, id.clone()),
            (Output::Name, name.clone()),
            (Output::Arn, arn(aws, &path(&id))),
            (Output::Url, url),
        ]),
        spec: Stage {
            api: api.into(),
            name,
            deployment: version,
            description: stage.description.unwrap_or_default(),
            access_log: stage.access_log_settings.and_then(log),
            methods: methods.map(|(method, found)| (method, Settings::of(found))).collect(),
            variables: variables.map(|(name, value)| (name, value.into())).collect(),
            tracing: stage.tracing_enabled,
            execution_log: log_of(&log_name),
            canary_log: log_of(&of_canary(&log_name)),
            shift: None,
            canary,
        },
        id,
        tags: tags(stage.tags),
        phase: Phase::Ready,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deployments_made_by_payctl_have_a_version() {
        let found = [("ours", "payctl v1"), ("theirs", "by hand"), ("bare", "")];
        let found = found.map(|(id, text)| (id.to_owned(), text.to_owned()));
        let around = Around { deployments: found.into(), groups: BTreeMap::new() };
        assert_eq!(around.version_of(Some("ours")), "v1");
        for other in [Some("theirs"), Some("bare"), Some("gone"), None] {
            assert_eq!(around.version_of(other), "", "{other:?}");
        }
    }
}
