//! CloudWatch dashboards.
//!
//! AWS quirks: dashboards belong to the account, not to a region. PutDashboard replaces the body
//! and takes tags only for a new one. It may succeed and still report problems. One unknown name
//! fails a whole deletion.

use std::time::Duration;

use aws_sdk_cloudwatch::types::DashboardValidationMessage;
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::common::{add_tags, remove_tags, tags_of, to_tags};
use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op, taken};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::bill::Charge;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dashboard {
    /// The name.
    pub name: String,
    /// The body as JSON; it may contain references.
    pub body: Value,
}

impl Resource for Dashboard {
    const META: Meta = Meta {
        drawn: Drawn::badge("chart", "dashboard", &[]),
        notes: &[
            "Dashboards belong to the account, so names from the pattern end in the region.",
            "CloudWatch may store a dashboard and still report problems in it. The step then \
             fails with its messages, and the next run accepts the dashboard as it is.",
            "Three dashboards per account are free of charge.",
        ],
        immutable: &["name"],
        replace: Replace::DeleteFirst,
        deadline: Duration::from_secs(120),
        gone_at_once: true,
        permits: &[
            Permit::look(&["cloudwatch:ListDashboards"], &["*"]),
            Permit::look(
                &["cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource"],
                &["cloudwatch::{account}:dashboard/{seen}"],
            ),
            Permit::set(
                &["cloudwatch:PutDashboard", "cloudwatch:TagResource"],
                &["cloudwatch::{account}:dashboard/{name}"],
            ),
            Permit::change(
                &["cloudwatch:UntagResource"],
                &["cloudwatch::{account}:dashboard/{name}"],
            ),
            Permit::delete(
                &["cloudwatch:DeleteDashboards"],
                &["cloudwatch::{account}:dashboard/{name}"],
            ),
        ],
        names: Some(
            NameRule::new(
                "dashboard",
                255,
                r"^[A-Za-z0-9_-]{1,255}$",
                "a dashboard's name is 1 to 255 letters, digits, _ and -",
            )
            .of_account(),
        ),
        section: "dashboards",
        predicted: &[
            (Output::Arn, "arn:{partition}:cloudwatch::{account}:dashboard/{name}"),
            (Output::Name, "{name}"),
        ],
        typical: Typical::seconds(1, 1, 1).calls(4, 5, 2),
        pricing: Pricing::Charged("AWS charges for each dashboard."),
        ..Meta::new("cloudwatch.dashboard", "monitoring", "A CloudWatch dashboard.")
    };

    fn sample() -> Self {
        let queue = Text::reference(Address::new("sqs.queue", "sample"), Output::Name);
        let metric = json!(["AWS/SQS", "NumberOfMessagesSent", "QueueName", queue]);
        let widget = json!({
            "type": "metric", "x": 0, "y": 0, "width": 12, "height": 6,
            "properties": {
                "title": "Messages", "metrics": [metric], "region": "us-east-1",
                "view": "timeSeries", "stacked": false, "stat": "Sum", "period": 300,
            },
        });
        Self { name: "sample-dashboard".into(), body: json!({ "widgets": [widget] }) }
    }

    fn variants() -> Vec<Self> {
        let text = json!({
            "type": "text", "x": 0, "y": 0, "width": 24, "height": 2,
            "properties": { "markdown": "# Sample" },
        });
        let mut both = Self::sample();
        both.body["widgets"][0]["y"] = 2.into();
        both.body["widgets"].as_array_mut().expect("a list").push(text.clone());
        vec![both, Self { body: json!({ "widgets": [text] }), ..Self::sample() }]
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        vec![Charge::fixed("dashboard", "cloudwatch.dashboard", cx.share())]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let entries = cx.aws.cloudwatch.list_dashboards().into_paginator().items().send();
        let entries = entries.collect::<Result<Vec<_>, _>>().await.map_err(op("ListDashboards"))?;
        let candidates = entries.into_iter().filter_map(|entry| {
            let (name, arn) = (entry.dashboard_name?, entry.dashboard_arn?);
            cx.is_candidate(&name).then_some((name, arn))
        });
        let found = candidates.map(|(name, arn)| async move {
            let both =
                try_join(cx.tags(&arn, tags_of(cx.aws, &arn)), Box::pin(get(cx.aws, &name))).await;
            let both = both.map(|(tags, found)| tags.zip(found));
            let Some((tags, found)) = cx.if_permitted(&name, both)? else { return Ok(None) };
            let Some((address, owner)) = cx.claim(&name, &tags) else { return Ok(None) };
            Ok(Some(Found { address, owner, live: found.live(tags)? }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let Some(found) = get(cx.aws, cx.id()).await? else { return Ok(None) };
        match tags_of(cx.aws, &found.arn).await? {
            Some(tags) => found.live(tags).map(Some),
            None => Ok(None),
        }
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(tags_of(cx.aws, planned.outputs.get(&Output::Arn).map_or("", String::as_str))
            .await?
            .map(|tags| Live { tags, ..planned }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        // The call would also overwrite one that others created since the survey.
        if get(cx.aws, &self.name).await?.is_some() {
            return Err(taken("PutDashboard", "a dashboard"));
        }
        self.put(cx, Some(cx.tags)).await?;
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, _: &Live<Self>) -> Result<(), OpError> {
        self.put(cx, None).await
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).map(String::as_str).unwrap_or_default();
        add_tags(cx.aws, arn, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).map(String::as_str).unwrap_or_default();
        remove_tags(cx.aws, arn, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.cloudwatch.delete_dashboards().dashboard_names(&live.id).send();
        send.await.map_err(op("DeleteDashboards")).or_gone().map(drop)
    }
}

impl Dashboard {
    async fn put(&self, cx: &Cx<'_>, tags: Option<&Tags>) -> Result<(), OpError> {
        let answer = cx
            .aws
            .cloudwatch
            .put_dashboard()
            .dashboard_name(&self.name)
            .dashboard_body(self.body.to_string())
            .set_tags(tags.map(to_tags))
            .send()
            .await
            .map_err(op("PutDashboard"))?;
        let messages = answer.dashboard_validation_messages.unwrap_or_default();
        match objections(&messages) {
            None => Ok(()),
            Some(text) => {
                let (class, code) = (ErrorClass::Invalid, "DashboardValidationMessages");
                Err(OpError::new("PutDashboard", class, code, text))
            }
        }
    }
}

/// The problems that CloudWatch reports of a stored dashboard, as a sentence.
fn objections(messages: &[DashboardValidationMessage]) -> Option<String> {
    let each = messages.iter().map(|message| {
        let text = message.message().unwrap_or("AWS gave no reason");
        format!("{} ({text})", message.data_path().unwrap_or("the body"))
    });
    let all: Vec<String> = each.collect();
    let all = all.join(", ");
    (!messages.is_empty())
        .then(|| format!("CloudWatch stored the dashboard, but reports problems: {all}"))
}

/// A dashboard as it was read.
struct Read {
    arn: String,
    name: String,
    body: String,
    url: String,
}

async fn get(aws: &Aws, name: &str) -> Result<Option<Read>, OpError> {
    let send = aws.cloudwatch.get_dashboard().dashboard_name(name).send();
    let Some(found) = send.await.map_err(op("GetDashboard")).or_gone()? else { return Ok(None) };
    let (region, partition) = (&aws.scope.region, &aws.scope.partition);
    let console = match partition.as_str() {
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    Ok(Some(Read {
        arn: found.dashboard_arn.unwrap_or_default(),
        name: name.to_owned(),
        body: found.dashboard_body.unwrap_or_default(),
        url: format!("https://{console}/cloudwatch/home?region={region}#dashboards:name={name}"),
    }))
}

impl Read {
    fn live(self, tags: Tags) -> Result<Live<Dashboard>, OpError> {
        let Self { arn, name, body, url } = self;
        let body = serde_json::from_str(&body).map_err(|error| {
            let message = format!("the body of {name} is not JSON: {error}");
            OpError::new("GetDashboard", ErrorClass::Bug, "Body", message)
        })?;
        let outputs =
            Outputs::from([(Output::Arn, arn), (Output::Name, name.clone()), (Output::Url, url)]);
        let spec = Dashboard { name: name.clone(), body };
        Ok(Live { id: name, spec, outputs, tags, phase: Phase::Ready })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashboard_validation_messages_are_reported() {
        assert_eq!(objections(&[]), None);
        let message = DashboardValidationMessage::builder().data_path("/widgets/0").message("no");
        let text = objections(&[message.build()]).unwrap();
        assert!(text.ends_with("reports problems: /widgets/0 (no)"), "{text}");
    }
}
