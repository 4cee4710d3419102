//! Stages of REST APIs, with their deployment, logs, limits and variables.
//!
//! AWS quirks: a deployment is a snapshot of the API and never changes. payctl stores the API's
//! version in its description, so a stage moves to a new deployment exactly when the API differs.
//! CreateStage does not take logs or method settings. Logging needs a role of the account. API
//! Gateway creates a missing log group of executions without retention.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_apigateway::types;
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};

use super::common::{
    add_tags, delete_execution_log, execution_log, incomplete, our_apis, remove, remove_tags,
    replace, tags,
};
use super::definition::resources;
use super::rest_api::RestApi;
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::kinds::logs::costs::logs;
use crate::aws::kinds::traces::sampled;
use crate::aws::measured::Gauge;
use crate::aws::resource::{Cx, Resource, Survey};
use crate::aws::web::{Answer, Request};
use convert::{Around, MARK, deployments, to_live};
pub(crate) use execution_log::ExecutionLog;
use execution_log::of_canary;
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Owner, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed, gb};

pub(in crate::aws) mod canary;
mod convert;
mod execution_log;

/// The error of a stage that does not exist, and of a firewall.
const FORBIDDEN: &str = "ForbiddenException";

/// A stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stage {
    /// The id of the API.
    pub api: Text,
    /// The name; part of the URL.
    pub name: String,
    /// The version of the API that is deployed.
    pub deployment: Text,
    /// Its description.
    pub description: String,
    /// The access log of all requests.
    pub access_log: Option<AccessLog>,
    /// Logs, metrics and limits by method, `*/*` for all.
    pub methods: BTreeMap<String, Settings>,
    /// Variables by name.
    pub variables: BTreeMap<String, Text>,
    /// Whether requests are traced by X-Ray.
    pub tracing: bool,
    /// The log group of executions; unmanaged if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_log: Option<ExecutionLog>,
    /// The log group of executions of the canary; unmanaged if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_log: Option<ExecutionLog>,
    /// The shift that moves requests from deployment to deployment, if one does. An apply then gives a
    /// new deployment to the canary of the stage, without any requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<String>,
    /// The canary, if not all requests go there. It is never wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
}

/// The canary of a stage: another deployment that gets some of the requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Canary {
    /// The version of the API that is deployed there; empty if payctl did not deploy it.
    pub deployment: Text,
    /// How many percent of the requests it gets.
    pub percent: f64,
}

/// The access log of all requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessLog {
    /// The ARN of the log group.
    pub group: Text,
    /// The format of a line.
    pub format: String,
}

/// Logs, metrics and limits of methods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// `OFF`, `ERROR` or `INFO`.
    pub log_level: String,
    /// Whether the log contains whole requests and answers.
    pub data_trace: bool,
    /// Whether there are metrics by method.
    pub metrics: bool,
    /// The limits; those of the account if `None`.
    pub throttle: Option<Throttle>,
}

/// The limits of requests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Throttle {
    /// Requests in a second, on average.
    pub rate: f64,
    /// Requests at once.
    pub burst: i32,
}

impl Resource for Stage {
    const META: Meta = Meta {
        drawn: Drawn::badge("stage", "stage", &["api"]),
        notes: &[
            "It gets a new deployment exactly when the API differs from the deployed one; payctl \
             deletes its own old deployments.",
            "payctl deletes the log groups of executions with the stage, and again with the API. The canary \
             has one of its own, which ends with `/Canary`.",
            "A late request can recreate the log group of executions, without retention.",
            "If a section of `[shifts]` names the stage, an apply gives a new deployment to its canary \
             with 0 percent, and `payctl shift` moves the requests there.",
        ],
        immutable: &["api", "name"],
        moved: Some(canary::moved),
        under_way: Some(canary::under_way),
        replace: Replace::DeleteFirst,
        use_blocks_delete: true,
        transient: &[
            ("BadRequestException", "CloudWatch Logs role"),
            ("BadRequestException", "usage plan"),
            ("BadRequestException", "Usage Plan"),
            ("BadRequestException", "Active stages pointing"),
            ("InvalidParameterException", "KMS key"),
            ("AccessDeniedException", "KMS key"),
        ],
        check: Some(Asked::of("it answers")),
        gone_at_once: true,
        permits: &[
            Permit::look(
                &["apigateway:GET"],
                &["apigateway:{region}::/restapis", "apigateway:{region}::/restapis/*"],
            ),
            Permit::look(&["logs:DescribeLogGroups"], &["*"]),
            Permit::create(&["apigateway:POST"], &["apigateway:{region}::/restapis/*"]),
            Permit::change(
                &["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST"],
                &["apigateway:{region}::/restapis/*"],
            ),
            Permit::set(&["apigateway:PUT"], &["apigateway:{region}::/tags/*"]),
            Permit::change(&["apigateway:DELETE"], &["apigateway:{region}::/tags/*"]),
            Permit::set(&["logs:CreateLogDelivery"], &["*"]),
            Permit::change(
                &[
                    "logs:AssociateKmsKey",
                    "logs:CreateLogGroup",
                    "logs:DeleteRetentionPolicy",
                    "logs:DisassociateKmsKey",
                    "logs:PutRetentionPolicy",
                    "logs:TagResource",
                ],
                &["logs:{here}:log-group:API-Gateway-Execution-Logs_*"],
            ),
            Permit::delete(&["apigateway:DELETE"], &["apigateway:{region}::/restapis/*"]),
            Permit::delete(
                &["logs:DeleteLogGroup"],
                &["logs:{here}:log-group:API-Gateway-Execution-Logs_*"],
            ),
        ],
        deadline: Duration::from_secs(900),
        section: "apis",
        predicted: &[(Output::Name, "{.name}")],
        asked: &["tracing"],
        typical: Typical::seconds(10, 10, 5).calls(10, 10, 3),
        serves: true,
        pricing: Pricing::Charged(
            "AWS charges for each request, for the answers that leave AWS, and for the log of \
             executions. With tracing, X-Ray charges for traces.",
        ),
        types: &["apigateway:restapis/stages"],
        ..Meta::new(
            "apigateway.stage",
            "apigateway",
            "A stage of a REST API with its deployment, logs and limits.",
        )
    };

    fn sample() -> Self {
        let api = |output| Text::reference(Address::new("apigateway.rest_api", "sample"), output);
        let group = Address::new("logs.log_group", "sample");
        Self {
            api: api(Output::Id),
            name: "sample".into(),
            deployment: api(Output::Version),
            description: "Sample stage".into(),
            access_log: Some(AccessLog {
                group: Text::reference(group, Output::Arn),
                format: r#"{"requestId":"$context.requestId"}"#.into(),
            }),
            methods: BTreeMap::from([(
                "*/*".into(),
                Settings {
                    log_level: "INFO".into(),
                    data_trace: true,
                    metrics: true,
                    throttle: None,
                },
            )]),
            variables: BTreeMap::from([("environment".into(), "sample".into())]),
            tracing: false,
            execution_log: Some(ExecutionLog { retention_days: Some(7), key: None }),
            canary_log: Some(ExecutionLog { retention_days: Some(7), key: None }),
            shift: None,
            canary: None,
        }
    }

    fn variants() -> Vec<Self> {
        let all = |settings| BTreeMap::from([("*/*".to_owned(), settings)]);
        let limited = Settings {
            log_level: "ERROR".into(),
            data_trace: false,
            metrics: false,
            throttle: Some(Throttle { rate: 100.0, burst: 200 }),
        };
        vec![
            Self {
                methods: all(limited.clone()),
                tracing: true,
                variables: BTreeMap::from([("level".into(), "2".into())]),
                execution_log: Some(ExecutionLog { retention_days: Some(30), key: None }),
                canary_log: Some(ExecutionLog { retention_days: Some(30), key: None }),
                ..Self::sample()
            },
            Self {
                methods: all(Settings { throttle: None, ..limited }),
                description: String::new(),
                access_log: None,
                execution_log: Some(ExecutionLog {
                    retention_days: None,
                    key: Some(Text::reference(Address::new("kms.key", "sample"), Output::Arn)),
                }),
                ..Self::sample()
            },
            Self {
                methods: BTreeMap::new(),
                deployment: "another version".into(),
                ..Self::sample()
            },
            Self::sample(),
        ]
    }

    fn begins(&self, cx: &Costs<'_>) -> Vec<(Driver, Decimal)> {
        let routes = cx.target::<RestApi>(&self.api).map_or(0, |(_, api)| api.routes.len());
        vec![(Driver::Requests, cx.assume.payments_per_month * Decimal::from(routes))]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let requests = cx.load(Driver::Requests);
        let mut flows = to(&self.api, Driver::Requests, requests);
        let traced = if self.tracing { requests } else { Decimal::ZERO };
        flows.extend(to(&self.api, Driver::Traced, traced));
        if let Some(log) = &self.access_log {
            flows.extend(to(&log.group, Driver::Gb, gb(requests * cx.assume.log_kb)));
        }
        flows.extend(Costs::each(cx.users("waf.association"), Driver::Requests, requests));
        flows
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let requests = cx.load(Driver::Requests);
        let out = gb(requests * cx.assume.response_kb);
        let mut charges = vec![
            Charge::usage("requests", "apigateway.rest", requests),
            Charge::usage("answers to the internet", "transfer.out", out),
        ];
        let logged = |level: &str| self.methods.values().any(|method| method.log_level == level);
        let executions = match (logged("INFO"), logged("ERROR")) {
            (true, _) => requests,
            (false, true) => cx.assume.failures(requests),
            (false, false) => Decimal::ZERO,
        };
        if self.tracing {
            charges.push(Charge::usage("traces", "xray.traces", sampled(requests, cx)));
        }
        let days = self.execution_log.as_ref().and_then(|log| log.retention_days);
        charges.extend(logs(
            "log of executions",
            "logs.ingest",
            gb(executions * cx.assume.log_kb),
            days,
            cx,
        ));
        charges
    }

    fn gauges(&self, _: &str, cx: &Costs<'_>) -> Vec<Gauge> {
        let api = cx.target::<RestApi>(&self.api);
        let gauge = api.map(|(_, api)| {
            let dimensions = vec![("ApiName", api.name), ("Stage", self.name.clone())];
            Gauge::sum(Driver::Requests, "AWS/ApiGateway", &["Count"], dimensions)
        });
        gauge.into_iter().collect()
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let apis = our_apis(cx).await?.into_iter();
        let apis = apis.filter(|(owner, _)| *owner == Owner::Ours);
        let found = apis.map(|(_, api)| async move {
            let id = api.id.unwrap_or_default();
            let stages = async {
                let send = cx.aws.apigateway.get_stages().rest_api_id(&id).send();
                send.await.map_err(op("GetStages")).or_gone()
            };
            let both = try_join(stages, Around::get(cx.aws, &id, "")).await?;
            let (Some(stages), Some(around)) = both else { return Ok(Vec::new()) };
            let stages = stages.item.unwrap_or_default().into_iter();
            let lives = stages.map(|stage| to_live(cx.aws, &id, stage, &around));
            let api_name = api.name.unwrap_or_default();
            let claimed = lives.filter_map(|live| {
                let name = format!("{api_name}/{}", live.spec.name);
                let (address, owner) = cx.claim(&name, &live.tags)?;
                Some(Found { address, owner, live })
            });
            Ok(claimed.collect())
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (api, name) = split(cx.id());
        let stage = canary::of_stage(cx.aws, api, name);
        let (Some(stage), Some(around)) = try_join(stage, Around::get(cx.aws, api, name)).await?
        else {
            return Ok(None);
        };
        let stage = types::Stage::builder()
            .set_deployment_id(stage.deployment_id)
            .set_stage_name(stage.stage_name)
            .set_description(stage.description)
            .set_method_settings(stage.method_settings)
            .set_variables(stage.variables)
            .set_access_log_settings(stage.access_log_settings)
            .tracing_enabled(stage.tracing_enabled)
            .set_canary_settings(stage.canary_settings)
            .set_tags(stage.tags);
        Ok(Some(to_live(cx.aws, api, stage.build(), &around)))
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        let (api, name) = split(cx.id());
        let stage = canary::of_stage(cx.aws, api, name).await?;
        Ok(stage.map(|stage| Live { tags: tags(stage.tags), ..planned }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let api = self.api.known();
        let deployment = self.deployed(cx.aws, api).await?;
        let variables = self.variables.iter();
        let variables = variables.map(|(name, value)| (name.clone(), value.known().to_owned()));
        cx.aws
            .apigateway
            .create_stage()
            .rest_api_id(api)
            .stage_name(&self.name)
            .deployment_id(deployment)
            .description(&self.description)
            .tracing_enabled(self.tracing)
            .set_variables(Some(variables.collect()))
            .set_tags(Some(cx.tags.clone().into_iter().collect()))
            .send()
            .await
            .map_err(op("CreateStage"))?;
        Ok(format!("{api}/{}", self.name))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (api, name) = split(&live.id);
        let (now, log) = (&live.spec, execution_log(api, name));
        let logs = [
            (&self.execution_log, &now.execution_log, log.clone()),
            (&self.canary_log, &now.canary_log, of_canary(&log)),
        ];
        for (want, now, name) in logs {
            if let Some(want) = want
                && now.as_ref() != Some(want)
            {
                want.put(cx, &name, now.as_ref()).await?;
            }
        }
        let mut patches = self.patches(&live.spec);
        let is_candidate = |canary: &Canary| canary.deployment == self.deployment;
        let waits = self.shift.is_some() && live.spec.canary.as_ref().is_some_and(is_candidate);
        let moves = self.deployment != live.spec.deployment && !waits;
        if moves {
            let stage = canary::of_stage(cx.aws, api, name).await?;
            canary::unclaimed(self.shift.as_deref(), &live.tags, stage.as_ref())?;
            let deployment = self.deployed(cx.aws, api).await?;
            patches.extend(canary::deploy(self.shift.is_some(), deployment, stage.as_ref()));
        }
        if !patches.is_empty() {
            cx.aws
                .apigateway
                .update_stage()
                .rest_api_id(api)
                .stage_name(name)
                .set_patch_operations(Some(patches))
                .send()
                .await
                .map_err(op("UpdateStage"))?;
        }
        if moves { prune(cx.aws, api).await } else { Ok(()) }
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        add_tags(cx.aws, &path(&live.id), set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        remove_tags(cx.aws, &path(&live.id), unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (api, name) = split(&live.id);
        let send = cx.aws.apigateway.delete_stage().rest_api_id(api).stage_name(name).send();
        send.await.map_err(op("DeleteStage")).or_gone()?;
        let log = execution_log(api, name);
        if live.spec.canary_log.is_some() {
            delete_execution_log(cx.aws, &of_canary(&log)).await?;
        }
        delete_execution_log(cx.aws, &log).await
    }

    async fn check(cx: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        let send = cx.aws.apigateway.get_rest_api().rest_api_id(split(&live.id).0).send();
        let api = send.await.map_err(op("GetRestApi"))?;
        let endpoints = api.endpoint_configuration.and_then(|found| found.types);
        if endpoints.unwrap_or_default().contains(&types::EndpointType::Private) {
            let why = "a private API answers only inside its network";
            return Ok(Verdict::NotRun(why.into()));
        }
        let url = live.outputs.get(&Output::Url).map(String::as_str).unwrap_or_default();
        // OPTIONS changes nothing. API Gateway answers it by itself unless the API has a route for it.
        let method = "OPTIONS".to_owned();
        let request = Request { method, url: format!("{url}/"), ..Request::default() };
        Ok(match cx.aws.ask(&request).await {
            Err(verdict) => verdict,
            Ok(Answer { status, error, .. }) => match error.as_deref() {
                Some(FORBIDDEN) if root_wants_key(cx.aws, split(&live.id).0).await? => {
                    Verdict::NotRun("its route on / wants an API key".into())
                }
                Some(FORBIDDEN) => Verdict::Failed(format!(
                    "{status} {FORBIDDEN}: the stage is not deployed, or refuses this machine"
                )),
                _ if status >= 500 => Verdict::Failed(format!("it answers with status {status}")),
                _ => Verdict::passed(),
            },
        })
    }
}

/// Whether the root of an API answers `OPTIONS` only to those who have an API key.
async fn root_wants_key(aws: &Aws, api: &str) -> Result<bool, OpError> {
    let all = resources(aws, api).await?;
    let root = all.into_iter().find(|found| found.path() == Some("/"));
    let methods = root.and_then(|root| root.resource_methods).unwrap_or_default();
    let method = methods.get("OPTIONS").or_else(|| methods.get("ANY"));
    Ok(method.and_then(|method| method.api_key_required).unwrap_or_default())
}

/// Deletes the deployments that payctl created and no stage uses any more.
async fn prune(aws: &Aws, api: &str) -> Result<(), OpError> {
    let stages = async {
        let send = aws.apigateway.get_stages().rest_api_id(api).send();
        send.await.map_err(op("GetStages"))
    };
    let (stages, all) = try_join(stages, deployments(aws, api)).await?;
    let used = used_by(stages.item.unwrap_or_default());
    for (id, description) in all.unwrap_or_default() {
        if description.starts_with(MARK) && !used.contains(&id) {
            let call = aws.apigateway.delete_deployment().rest_api_id(api).deployment_id(id);
            call.send().await.map_err(op("DeleteDeployment")).or_gone()?;
        }
    }
    Ok(())
}

/// The deployments of stages, and of the canaries beside them.
fn used_by(stages: Vec<types::Stage>) -> BTreeSet<String> {
    let both = |stage: types::Stage| {
        let canary = stage.canary_settings.and_then(|canary| canary.deployment_id);
        stage.deployment_id.into_iter().chain(canary)
    };
    stages.into_iter().flat_map(both).collect()
}

impl Stage {
    /// The deployment of the wanted version: one that an earlier attempt left behind, or a new one.
    async fn deployed(&self, aws: &Aws, api: &str) -> Result<String, OpError> {
        let description = format!("{MARK}{}", self.deployment.known());
        let there = deployments(aws, api).await?.unwrap_or_default();
        if let Some((id, _)) = there.into_iter().find(|(_, found)| *found == description) {
            return Ok(id);
        }
        let call = aws.apigateway.create_deployment().rest_api_id(api).description(description);
        let made = call.send().await.map_err(op("CreateDeployment"))?;
        made.id.ok_or_else(|| incomplete("CreateDeployment"))
    }

    /// The differences, except for the deployment.
    fn patches(&self, live: &Self) -> Vec<types::PatchOperation> {
        let mut patches = Vec::new();
        if self.description != live.description {
            patches.push(replace("/description", &self.description));
        }
        if self.tracing != live.tracing {
            patches.push(replace("/tracingEnabled", self.tracing.to_string()));
        }
        match (&self.access_log, &live.access_log) {
            (Some(want), live) if live.as_ref() != Some(want) => patches.extend([
                replace("/accessLogSettings/destinationArn", want.group.known()),
                replace("/accessLogSettings/format", &want.format),
            ]),
            (None, Some(_)) => patches.push(remove("/accessLogSettings")),
            (Some(_) | None, _) => {}
        }
        for (name, value) in &self.variables {
            if live.variables.get(name) != Some(value) {
                patches.push(replace(format!("/variables/{name}"), value.known()));
            }
        }
        let surplus = live.variables.keys().filter(|name| !self.variables.contains_key(*name));
        patches.extend(surplus.map(|name| remove(format!("/variables/{name}"))));
        for (method, want) in &self.methods {
            if live.methods.get(method) != Some(want) {
                patches.extend(want.patches(method));
            }
        }
        let surplus = live.methods.keys().filter(|method| !self.methods.contains_key(*method));
        patches.extend(surplus.map(|method| remove(format!("/{method}"))));
        patches
    }
}

impl Settings {
    /// All settings of a method. A negative limit means that it does not have its own.
    fn patches(&self, method: &str) -> Vec<types::PatchOperation> {
        let throttle = self.throttle.unwrap_or(Throttle { rate: -1.0, burst: -1 });
        [
            ("logging/loglevel", self.log_level.clone()),
            ("logging/dataTrace", self.data_trace.to_string()),
            ("metrics/enabled", self.metrics.to_string()),
            ("throttling/rateLimit", throttle.rate.to_string()),
            ("throttling/burstLimit", throttle.burst.to_string()),
        ]
        .map(|(setting, value)| replace(format!("/{method}/{setting}"), value))
        .into()
    }
}

/// API and name, from the id of a stage.
fn split(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or((id, ""))
}

fn path(id: &str) -> String {
    let (api, name) = split(id);
    format!("/restapis/{api}/stages/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Stage {
        let group = "arn:aws:logs:us-east-1:1:log-group:g";
        let access_log = AccessLog { group: group.into(), format: "{}".into() };
        Stage {
            api: "a1b2c3d4e5".into(),
            deployment: "d1".into(),
            access_log: Some(access_log),
            ..Stage::sample()
        }
    }

    #[test]
    fn stage_settings_are_added_and_removed() {
        let bare = Stage {
            methods: BTreeMap::new(),
            variables: BTreeMap::new(),
            access_log: None,
            ..known()
        };
        let paths = |patches: Vec<types::PatchOperation>| -> Vec<String> {
            patches.into_iter().filter_map(|patch| patch.path).collect()
        };
        assert_eq!(
            paths(known().patches(&bare)),
            [
                "/accessLogSettings/destinationArn",
                "/accessLogSettings/format",
                "/variables/environment",
                "/*/*/logging/loglevel",
                "/*/*/logging/dataTrace",
                "/*/*/metrics/enabled",
                "/*/*/throttling/rateLimit",
                "/*/*/throttling/burstLimit",
            ]
        );
        assert_eq!(
            paths(bare.patches(&known())),
            ["/accessLogSettings", "/variables/environment", "/*/*"]
        );
        assert!(known().patches(&known()).is_empty());
    }

    #[test]
    fn a_canary_uses_its_deployment() {
        let canary = types::CanarySettings::builder().deployment_id("new").build();
        let stage = types::Stage::builder().deployment_id("old").canary_settings(canary).build();
        let used = used_by(vec![stage, types::Stage::builder().build()]);
        assert_eq!(used, BTreeSet::from(["new".to_owned(), "old".to_owned()]));
    }
}
