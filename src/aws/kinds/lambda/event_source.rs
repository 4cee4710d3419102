//! Event sources: queues and table streams that trigger a function.
//!
//! AWS quirks: a mapping has a UUID instead of a name, and there is at most one for each function
//! and source. Every change is asynchronous. Only its state shows whether it is enabled. Only
//! streams have a position, retries and a destination for failures; only queues have a limit of
//! concurrent calls.

use std::time::Duration;

use aws_sdk_lambda::types::{
    DestinationConfig, EventSourceMappingConfiguration, EventSourcePosition, FunctionResponseType,
    OnFailure, ScalingConfig,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::common;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Flow};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Traffic, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Ref, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::Decimal;
use payctl_money::load::{Driver, Passed};

/// A source of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventSource {
    /// The ARN of the function or of an alias.
    pub function: Text,
    /// The ARN of the queue or of the table's stream.
    pub source: Text,
    /// Whether it is switched on.
    pub enabled: bool,
    /// The most records that a call gets.
    pub batch_size: u32,
    /// How many seconds records are gathered.
    pub window: u32,
    /// How many calls a queue makes at the same time; any number if none.
    pub max_concurrency: Option<u32>,
    /// Whether the function reports which records failed.
    pub report_failures: bool,
    /// The starting position of a stream, `LATEST`; `None` for queues.
    pub start: Option<String>,
    /// How often a failed batch of a stream is tried again; -1 is until it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<i32>,
    /// The ARN of the queue or topic for batches of a stream that fail.
    pub on_failure: Option<Text>,
}

impl Resource for EventSource {
    const META: Meta = Meta {
        drawn: Drawn::badge("trigger", "trigger", &["function"]).with(flows),
        notes: &[
            "AWS refuses a queue whose visibility timeout is shorter than the function's timeout.",
            "`start` takes effect only when the event source is created.",
        ],
        immutable: &["source"],
        create_only: &["start"],
        deadline: Duration::from_secs(600),
        propagation: Duration::from_secs(300),
        transient: common::TRANSIENT,
        check: Some(Asked::of("Lambda has no problem with its source")),
        permits: &[
            Permit::look(&["lambda:ListEventSourceMappings"], &["*"]),
            Permit::look(&["lambda:ListTags"], &["lambda:{here}:event-source-mapping:*"]),
            Permit::watch(
                &["lambda:GetEventSourceMapping"],
                &["lambda:{here}:event-source-mapping:*"],
            ),
            Permit::create(&["lambda:CreateEventSourceMapping"], &["*"]),
            Permit::set(&["lambda:TagResource"], &["lambda:{here}:event-source-mapping:*"]),
            Permit::change(
                &["lambda:UntagResource", "lambda:UpdateEventSourceMapping"],
                &["lambda:{here}:event-source-mapping:*"],
            ),
            Permit::delete(
                &["lambda:DeleteEventSourceMapping"],
                &["lambda:{here}:event-source-mapping:*"],
            ),
            Permit::check(
                &["lambda:GetEventSourceMapping"],
                &["lambda:{here}:event-source-mapping:*"],
            ),
        ],
        section: "functions",
        part_of: &["function", "source"],
        asked: &["batch_size", "enabled"],
        typical: Typical::seconds(10, 10, 10).calls(3, 4, 6),
        serves: true,
        felt: &[("enabled", Traffic::Outage)],
        pricing: Pricing::Free("AWS charges nothing for the mapping; the queue bears the polls."),
        types: &["lambda:event-source-mapping"],
        ..Meta::new(
            "lambda.event_source",
            "lambda",
            "A queue or table stream that triggers a Lambda function.",
        )
    };

    fn sample() -> Self {
        let arn = |kind| Text::reference(Address::new(kind, "sample"), Output::Arn);
        Self {
            function: arn("lambda.function"),
            source: arn("sqs.queue"),
            enabled: true,
            batch_size: 10,
            window: 0,
            max_concurrency: None,
            report_failures: true,
            start: None,
            retries: None,
            on_failure: None,
        }
    }

    fn variants() -> Vec<Self> {
        vec![
            Self { batch_size: 100, window: 5, max_concurrency: Some(2), ..Self::sample() },
            Self { enabled: false, report_failures: false, ..Self::sample() },
        ]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let runs = if self.enabled { cx.load(Driver::Messages) } else { Decimal::ZERO };
        to(&self.function, Driver::Calls, runs)
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let mut pages = cx.aws.lambda.list_event_source_mappings().into_paginator().items().send();
        let mut candidates = Vec::new();
        while let Some(mapping) = pages.next().await {
            let mapping = mapping.map_err(op("ListEventSourceMappings"))?;
            let name = name_of(&mapping);
            if cx.is_candidate(&name) {
                candidates.push((name, mapping));
            }
        }
        let found = candidates.into_iter().map(|(name, mapping)| async move {
            let arn = mapping.event_source_mapping_arn.clone().unwrap_or_default();
            let tags = cx.tags(&arn, common::tags_of(cx.aws, &arn)).await;
            let tags = cx.if_permitted(&name, tags)?;
            let claimed = match &tags {
                Some(tags) => cx.claim(&name, tags),
                None if mapping.state() == Some(DELETING) => cx.claim_dying(&name),
                None => None,
            };
            let live = to_live(mapping, tags.unwrap_or_default());
            Ok(claimed.map(|(address, owner)| Found { address, owner, live }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let send = cx.aws.lambda.get_event_source_mapping().uuid(cx.id()).send();
        let answer = send.await.map_err(op("GetEventSourceMapping")).or_gone()?;
        let Some(found) = answer else { return Ok(None) };
        let arn = found.event_source_mapping_arn.clone().unwrap_or_default();
        let tags = common::tags_of(cx.aws, &arn).await?.unwrap_or_default();
        let mapping = EventSourceMappingConfiguration::builder()
            .set_uuid(found.uuid)
            .set_function_arn(found.function_arn)
            .set_event_source_arn(found.event_source_arn)
            .set_event_source_mapping_arn(found.event_source_mapping_arn)
            .set_state(found.state)
            .set_batch_size(found.batch_size)
            .set_maximum_batching_window_in_seconds(found.maximum_batching_window_in_seconds)
            .set_scaling_config(found.scaling_config)
            .set_function_response_types(found.function_response_types)
            .set_starting_position(found.starting_position)
            .set_maximum_retry_attempts(found.maximum_retry_attempts)
            .set_destination_config(found.destination_config);
        Ok(Some(to_live(mapping.build(), tags)))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let start = self.start.as_deref().map(EventSourcePosition::from);
        let call = cx
            .aws
            .lambda
            .create_event_source_mapping()
            .function_name(self.function.known())
            .event_source_arn(self.source.known())
            .enabled(self.enabled)
            .batch_size(signed(self.batch_size))
            .maximum_batching_window_in_seconds(signed(self.window))
            .set_starting_position(start)
            .set_scaling_config(self.max_concurrency.map(|most| scaling(Some(most))))
            .set_function_response_types(self.report_failures.then(|| self.reports()))
            .set_maximum_retry_attempts(self.retries)
            .set_destination_config(self.on_failure.as_ref().map(destination))
            .set_tags(Some(cx.tags.clone().into_iter().collect()));
        let made = call.send().await.map_err(op("CreateEventSourceMapping"))?;
        made.uuid.ok_or_else(|| {
            let message = "AWS did not return the id of the new event source";
            OpError::new("CreateEventSourceMapping", ErrorClass::Service, "NoId", message)
        })
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let limit = self.max_concurrency != live.spec.max_concurrency;
        let failures = self.on_failure != live.spec.on_failure;
        let nowhere = Text::default();
        let target = self.on_failure.as_ref().unwrap_or(&nowhere);
        let call = cx
            .aws
            .lambda
            .update_event_source_mapping()
            .uuid(&live.id)
            .function_name(self.function.known())
            .enabled(self.enabled)
            .batch_size(signed(self.batch_size))
            .maximum_batching_window_in_seconds(signed(self.window))
            .set_scaling_config(limit.then(|| scaling(self.max_concurrency)))
            .set_function_response_types(Some(self.reports()))
            .set_maximum_retry_attempts(self.retries)
            .set_destination_config(failures.then(|| destination(target)));
        call.send().await.map_err(op("UpdateEventSourceMapping")).map(drop)
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).map(String::as_str).unwrap_or_default();
        common::add_tags(cx.aws, arn, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).map(String::as_str).unwrap_or_default();
        common::remove_tags(cx.aws, arn, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.lambda.delete_event_source_mapping().uuid(&live.id).send();
        send.await.map_err(op("DeleteEventSourceMapping")).or_gone().map(drop)
    }

    async fn check(cx: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        let send = cx.aws.lambda.get_event_source_mapping().uuid(&live.id).send();
        let answer = send.await.map_err(op("GetEventSourceMapping")).or_gone()?;
        Ok(match answer.map(|answer| answer.last_processing_result.unwrap_or_default()) {
            None => Verdict::Failed("it does not exist any more".into()),
            Some(result) if result.starts_with("PROBLEM") => Verdict::Failed(result),
            Some(result) => Verdict::Passed(result),
        })
    }
}

impl EventSource {
    /// The identity of a mapping, which does not have a name: its function and its source.
    pub(crate) fn name(function: &str, source: &str) -> String {
        format!("{function} {source}")
    }

    fn reports(&self) -> Vec<FunctionResponseType> {
        let reports = self.report_failures.then_some(FunctionResponseType::ReportBatchItemFailures);
        reports.into_iter().collect()
    }
}

/// The state of one that AWS is deleting.
const DELETING: &str = "Deleting";

/// Without a number AWS removes the limit.
fn scaling(most: Option<u32>) -> ScalingConfig {
    ScalingConfig::builder().set_maximum_concurrency(most.map(signed)).build()
}

/// An empty target clears it.
fn destination(target: &Text) -> DestinationConfig {
    let failure = OnFailure::builder().destination(target.known()).build();
    DestinationConfig::builder().on_failure(failure).build()
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn name_of(mapping: &EventSourceMappingConfiguration) -> String {
    let function = common::name_in(mapping.function_arn().unwrap_or_default());
    let source = mapping.event_source_arn().unwrap_or_default();
    // `...:table/NAME/stream/TIME` or `...:NAME`.
    let source = source.rsplit(':').find(|part| !part.is_empty()).unwrap_or_default();
    let table = mapping.event_source_arn().and_then(|arn| arn.split(":table/").nth(1));
    EventSource::name(function, table.and_then(|rest| rest.split('/').next()).unwrap_or(source))
}

fn to_live(mapping: EventSourceMappingConfiguration, tags: Tags) -> Live<EventSource> {
    let unsigned = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let name = name_of(&mapping);
    let state = mapping.state.unwrap_or_default();
    let function = mapping.function_arn.unwrap_or_default();
    let function = function.strip_suffix(":$LATEST").unwrap_or(&function);
    let failures = mapping.destination_config.and_then(|found| found.on_failure);
    let failures = failures.and_then(|found| found.destination);
    let id = mapping.uuid.unwrap_or_default();
    let arn = mapping.event_source_mapping_arn.unwrap_or_default();
    Live {
        spec: EventSource {
            function: function.into(),
            source: mapping.event_source_arn.unwrap_or_default().into(),
            enabled: !matches!(state.as_str(), "Disabled" | "Disabling"),
            batch_size: unsigned(mapping.batch_size).unwrap_or_default(),
            window: unsigned(mapping.maximum_batching_window_in_seconds).unwrap_or_default(),
            max_concurrency: mapping
                .scaling_config
                .and_then(|found| unsigned(found.maximum_concurrency)),
            report_failures: mapping.function_response_types.is_some_and(|types| {
                types.contains(&FunctionResponseType::ReportBatchItemFailures)
            }),
            start: mapping.starting_position.map(|position| position.as_str().to_owned()),
            retries: mapping.maximum_retry_attempts,
            on_failure: failures.filter(|target| !target.is_empty()).map(Text::from),
        },
        outputs: Outputs::from([
            (Output::Arn, arn),
            (Output::Id, id.clone()),
            (Output::Name, name),
        ]),
        tags,
        phase: match state.as_str() {
            "" | "Enabled" | "Disabled" => Phase::Ready,
            DELETING => Phase::Deleting(state),
            _ => Phase::Pending(state),
        },
        id,
    }
}

/// What its source gives to the function.
fn flows(spec: &Value) -> Vec<Flow> {
    let size = spec.get("batch_size").and_then(Value::as_u64).unwrap_or(1);
    let label = if size > 1 { format!("batches of {size}") } else { "one by one".to_owned() };
    let lost = Flow::out(spec, "/on_failure", "failed batches");
    let streams = |reference: &Ref| reference.output == Output::StreamArn;
    let source = spec.get("source").and_then(Text::from_value);
    let is_stream = source.is_some_and(|source| source.refs().any(streams));
    let label = if is_stream { format!("stream, {label}") } else { label };
    Flow::into(spec, "/source", &label).into_iter().chain(lost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_identified_by_function_and_source() {
        let name = |source: &str| {
            let function = "arn:aws:lambda:r:1:function:dev-f:$LATEST";
            let mapping = EventSourceMappingConfiguration::builder().function_arn(function);
            name_of(&mapping.event_source_arn(source).build())
        };
        assert_eq!(name("arn:aws:sqs:r:1:dev-q"), "dev-f dev-q");
        let stream = "arn:aws:dynamodb:r:1:table/dev-t/stream/2026-01-01T00:00:00.000";
        assert_eq!(name(stream), "dev-f dev-t");
    }

    #[test]
    fn the_state_decides_phase_and_enabled() {
        let read = |state: &str| {
            let live = to_live(
                EventSourceMappingConfiguration::builder().state(state).build(),
                Tags::new(),
            );
            (live.spec.enabled, live.phase)
        };
        assert_eq!(read("Enabled"), (true, Phase::Ready));
        assert_eq!(read("Disabled"), (false, Phase::Ready));
        assert_eq!(read("Updating"), (true, Phase::Pending("Updating".into())));
        assert_eq!(read("Deleting"), (true, Phase::Deleting("Deleting".into())));
    }
}
