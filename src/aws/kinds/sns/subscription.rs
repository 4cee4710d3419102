//! Subscriptions of a topic.
//!
//! AWS quirks: a subscription does not have tags; the owner of its topic owns it. One that waits
//! for its confirmation (email, https) does not have an ARN in any list: its attributes cannot be
//! read, it cannot be deleted, and a second subscription sends a second mail. AWS removes it with
//! the topic, or after three days. A repeated call is harmless only with the same attributes, so
//! payctl sets them afterwards.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sns::types::Subscription as Listed;
use futures::future::{join, try_join_all};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::topic::{self, Topic, name_in};
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, End, Flow};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subscription {
    /// The ARN of the topic.
    pub topic: Text,
    /// `email`, `https`, `sqs`, `lambda` ...
    pub protocol: String,
    /// Its endpoint: an address, a URL or an ARN.
    pub endpoint: Text,
    /// Whether the message is delivered without SNS's envelope.
    pub raw: bool,
    /// Which messages are delivered; all if none.
    #[serde(default, deserialize_with = "filter")]
    pub filter: Option<Value>,
}

/// An empty filter lets every message pass, as a missing filter does.
fn filter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Ok(Option::<Value>::deserialize(deserializer)?.filter(|filter| *filter != json!({})))
}

/// The logical name of a subscription, from the topic's logical name.
pub(crate) fn logical_name(topic: &str, protocol: &str, endpoint: &str) -> String {
    let last = match endpoint.split_once(":function:") {
        Some((_, function)) => function,
        None if endpoint.starts_with("arn:") => endpoint.rsplit(':').next().unwrap_or(endpoint),
        None => endpoint,
    };
    format!("{topic}.{protocol}.{last}")
}

const RAW: &str = "RawMessageDelivery";
const FILTER: &str = "FilterPolicy";
const PENDING: &str = "pending:";

impl Resource for Subscription {
    const META: Meta = Meta {
        drawn: Drawn::badge("mail", "subscription", &["topic"]).with(flows),
        notes: &[
            "E-mail and HTTPS endpoints must confirm. Until then payctl counts the subscription \
             as present, and does not subscribe again.",
            "An unconfirmed subscription cannot be deleted: AWS removes it with its topic, or \
             after three days. Until then it stays in the plan as a deletion.",
            "payctl leaves subscriptions of other accounts alone.",
            "A change of the filter takes effect within 15 minutes.",
        ],
        immutable: &["topic", "protocol", "endpoint"],
        replace: Replace::CreateFirst,
        tagged: false,
        listed_after_delete: true,
        deadline: Duration::from_secs(180),
        read_lag: Duration::from_secs(30),
        check: Some(Asked::at_aws("it is confirmed", "mailboxes")),
        permits: &[
            Permit::look(
                &["sns:GetSubscriptionAttributes", "sns:ListSubscriptions", "sns:ListTopics"],
                &["*"],
            ),
            Permit::look(
                &["sns:ListSubscriptionsByTopic", "sns:ListTagsForResource"],
                &["sns:{here}:{seen}"],
            ),
            Permit::create(&["sns:Subscribe"], &["sns:{here}:{sns.topic}"]),
            Permit::change(&["sns:SetSubscriptionAttributes"], &["*"]),
            Permit::delete(&["sns:Unsubscribe"], &["*"]),
        ],
        may_share_name: true,
        section: "topics",
        part_of: &["topic"],
        asked: &["protocol"],
        typical: Typical::seconds(2, 2, 2),
        serves: true,
        pricing: Pricing::Charged(
            "AWS charges for messages to addresses and URLs; those to queues and functions \
             cost nothing.",
        ),
        ..Meta::new("sns.subscription", "sns", "A subscription of an SNS topic.")
    };

    fn sample() -> Self {
        Self {
            topic: Text::reference(Address::new("sns.topic", "sample"), Output::Arn),
            protocol: "sqs".into(),
            endpoint: Text::reference(Address::new("sqs.queue", "sample"), Output::Arn),
            raw: false,
            filter: None,
        }
    }

    fn sample_name() -> &'static str {
        "sample.sqs.sample-queue"
    }

    fn variants() -> Vec<Self> {
        let only = |status: &str| Some(json!({ "status": [status] }));
        vec![
            Self { raw: true, ..Self::sample() },
            Self { filter: only("failed"), ..Self::sample() },
            Self { raw: true, filter: only("paid"), ..Self::sample() },
        ]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        to(&self.endpoint, Driver::Messages, cx.load(Driver::Messages))
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let messages = cx.load(Driver::Messages);
        match &*self.protocol {
            "email" | "email-json" => vec![Charge::usage("e-mails", "sns.email", messages)],
            "http" | "https" => vec![Charge::usage("deliveries", "sns.https", messages)],
            "sms" => vec![Charge::usage("text messages", "sns.sms", messages)],
            _ => Vec::new(),
        }
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        // A subscription's own name begins with that of its topic, for topics with unusual names.
        let is_candidate = |topic: &str| {
            cx.is_candidate(topic) || cx.wanted.keys().any(|name| belongs_to(name, topic))
        };
        let topics = topic::listed(cx).await?;
        let topics = topics.iter().filter(|arn| is_candidate(name_in(arn)));
        let surveyed = topics.map(|arn| survey_topic(cx, arn));
        Ok(try_join_all(surveyed).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let Some(pending) = Pending::parse(cx.id()) else { return describe(cx.aws, cx.id()).await };
        let listed = list(cx.aws, &pending.topic).await?;
        match listed.iter().find(|listed| pending.is(listed)) {
            Some(listed) => live_of(cx.aws, listed).await,
            None => Ok(None),
        }
    }

    async fn holder(cx: &Cx<'_>, live: &Live<Self>) -> Result<Option<Tags>, OpError> {
        topic::tags_of(cx.aws, live.spec.topic.known()).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let created = cx
            .aws
            .sns
            .subscribe()
            .topic_arn(self.topic.known())
            .protocol(&self.protocol)
            .endpoint(self.endpoint.known())
            .return_subscription_arn(true)
            .send()
            .await
            .map_err(op("Subscribe"))?;
        // Emulators answer "pending confirmation" although an ARN was asked for.
        let arn = created.subscription_arn.filter(|arn| arn.starts_with("arn:"));
        Ok(arn.unwrap_or_else(|| self.pending().to_id()))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let changes = self.changes(&live.spec);
        if !changes.is_empty() && Pending::parse(&live.id).is_some() {
            let message = format!(
                "{} has not confirmed its subscription yet: confirm it, then run again",
                self.endpoint
            );
            // A server confirms within moments; a person confirms after reading the mail.
            let class = if self.protocol.starts_with("http") {
                ErrorClass::NotYet
            } else {
                ErrorClass::Invalid
            };
            let op = "SetSubscriptionAttributes";
            return Err(OpError::new(op, class, "PendingConfirmation", message));
        }
        for (attribute, value) in changes {
            cx.aws
                .sns
                .set_subscription_attributes()
                .subscription_arn(&live.id)
                .attribute_name(attribute)
                .attribute_value(value)
                .send()
                .await
                .map_err(op("SetSubscriptionAttributes"))?;
        }
        Ok(())
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        if Pending::parse(&live.id).is_some() {
            // It stays in the list for days, so payctl must not wait for its end.
            let message = "an unconfirmed subscription cannot be deleted";
            let op = "Unsubscribe";
            return Err(OpError::new(op, ErrorClass::NotFound, "PendingConfirmation", message));
        }
        let send = cx.aws.sns.unsubscribe().subscription_arn(&live.id).send();
        send.await.map_err(op("Unsubscribe")).or_gone().map(drop)
    }

    async fn check(_: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        Ok(match Pending::parse(&live.id) {
            Some(_) => Verdict::Failed("it waits for its receiver to confirm it".into()),
            None => Verdict::passed(),
        })
    }
}

/// Whether a subscription's own name says that it belongs to the topic of this name.
fn belongs_to(subscription: &str, topic: &str) -> bool {
    subscription.strip_prefix(topic).is_some_and(|rest| rest.starts_with('.'))
}

/// All subscriptions of this account to one topic, if this environment owns the topic.
async fn survey_topic(cx: &Survey<'_>, arn: &str) -> Result<Vec<Found<Subscription>>, OpError> {
    let aws = cx.aws;
    let tags = cx.tags(arn, topic::tags_of(aws, arn));
    let (tags, listed) = Box::pin(join(tags, of_topic(cx, arn))).await;
    // The survey of topics reports a wanted topic that cannot be read.
    let tags = cx.if_permitted(name_in(arn), tags)?.unwrap_or_default();
    let topic = match cx.ours(name_in(arn), &tags) {
        Some((topic, Owner::Ours)) if topic.kind == Topic::META.kind => topic,
        _ => return Ok(Vec::new()),
    };
    let listed = listed?;
    let found = listed.iter().filter(|listed| is_of_account(aws, listed)).map(|listed| {
        let address = Address::new(Subscription::META.kind, name_of(&topic.name, listed));
        async move {
            let live = live_of(aws, listed).await?;
            Ok(live.map(|live| Found { address, owner: Owner::Ours, live }))
        }
    });
    Ok(try_join_all(found).await?.into_iter().flatten().collect())
}

/// The subscriptions of a topic. One page has all subscriptions of a small account; in a large
/// account payctl asks for each topic.
async fn of_topic(cx: &Survey<'_>, topic: &str) -> Result<Vec<Listed>, OpError> {
    let page = async {
        let send = cx.aws.sns.list_subscriptions().send();
        let page = send.await.map_err(op("ListSubscriptions"))?;
        Ok(page.subscriptions.filter(|_| page.next_token.is_none()))
    };
    let all: Arc<Option<Vec<Listed>>> = match cx.sweep {
        Some(_) => Box::pin(cx.once("sns:ListSubscriptions", page)).await?,
        None => Arc::default(),
    };
    match &*all {
        Some(all) => {
            let own = |one: &&Listed| one.topic_arn() == Some(topic);
            Ok(all.iter().filter(own).filter(|one| !is_deleted(one)).cloned().collect())
        }
        None => list(cx.aws, topic).await,
    }
}

fn is_deleted(listed: &Listed) -> bool {
    listed.subscription_arn() == Some("Deleted")
}

async fn list(aws: &Aws, topic: &str) -> Result<Vec<Listed>, OpError> {
    let call = aws.sns.list_subscriptions_by_topic().topic_arn(topic);
    let listed = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let listed = listed.map_err(op("ListSubscriptionsByTopic")).or_gone()?.unwrap_or_default();
    Ok(listed.into_iter().filter(|listed| !is_deleted(listed)).collect())
}

async fn live_of(aws: &Aws, listed: &Listed) -> Result<Option<Live<Subscription>>, OpError> {
    match listed.subscription_arn() {
        Some(arn) if arn.starts_with("arn:") => describe(aws, arn).await,
        _ => Ok(Some(Pending::of(listed).live())),
    }
}

async fn describe(aws: &Aws, arn: &str) -> Result<Option<Live<Subscription>>, OpError> {
    let send = aws.sns.get_subscription_attributes().subscription_arn(arn).send();
    let Some(answer) = send.await.map_err(op("GetSubscriptionAttributes")).or_gone()? else {
        return Ok(None);
    };
    let attributes = answer.attributes.unwrap_or_default();
    let spec = Subscription::from_attributes(&attributes);
    if attributes.get("PendingConfirmation").is_some_and(|pending| pending == "true") {
        return Ok(Some(spec.pending().live()));
    }
    Ok(Some(Live {
        id: arn.to_owned(),
        spec,
        outputs: Outputs::from([(Output::Arn, arn.to_owned())]),
        tags: Tags::new(),
        phase: Phase::Ready,
    }))
}

fn name_of(topic: &str, listed: &Listed) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    logical_name(topic, &part(&listed.protocol), &part(&listed.endpoint))
}

fn is_of_account(aws: &Aws, listed: &Listed) -> bool {
    listed.owner().is_none_or(|owner| owner.is_empty() || owner == aws.scope.account)
}

/// A subscription without an ARN.
#[derive(Debug, PartialEq)]
struct Pending {
    topic: String,
    protocol: String,
    endpoint: String,
}

impl Pending {
    fn of(listed: &Listed) -> Self {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            topic: part(&listed.topic_arn),
            protocol: part(&listed.protocol),
            endpoint: part(&listed.endpoint),
        }
    }

    fn parse(id: &str) -> Option<Self> {
        let mut parts = id.strip_prefix(PENDING)?.splitn(3, '|').map(str::to_owned);
        Some(Self { topic: parts.next()?, protocol: parts.next()?, endpoint: parts.next()? })
    }

    fn to_id(&self) -> String {
        format!("{PENDING}{}|{}|{}", self.topic, self.protocol, self.endpoint)
    }

    fn is(&self, listed: &Listed) -> bool {
        listed.protocol() == Some(&self.protocol) && listed.endpoint() == Some(&self.endpoint)
    }

    fn live(self) -> Live<Subscription> {
        Live {
            id: self.to_id(),
            spec: Subscription {
                topic: self.topic.into(),
                protocol: self.protocol,
                endpoint: self.endpoint.into(),
                raw: false,
                filter: None,
            },
            outputs: Outputs::new(),
            tags: Tags::new(),
            phase: Phase::Ready,
        }
    }
}

impl Subscription {
    fn pending(&self) -> Pending {
        Pending {
            topic: self.topic.known().to_owned(),
            protocol: self.protocol.clone(),
            endpoint: self.endpoint.known().to_owned(),
        }
    }

    fn from_attributes(attributes: &HashMap<String, String>) -> Self {
        let text = |key: &str| attributes.get(key).cloned().unwrap_or_default();
        let filter: Option<Value> = serde_json::from_str(&text(FILTER)).ok();
        Self {
            topic: text("TopicArn").into(),
            protocol: text("Protocol"),
            endpoint: text("Endpoint").into(),
            raw: text(RAW) == "true",
            filter: filter.filter(|filter| *filter != json!({})),
        }
    }

    /// The attributes that differ, with the values that they must get.
    fn changes(&self, live: &Self) -> Vec<(&'static str, String)> {
        let mut changes = Vec::new();
        if self.raw != live.raw {
            changes.push((RAW, self.raw.to_string()));
        }
        if self.filter != live.filter {
            // An empty object clears a filter; an empty string is refused as broken JSON.
            let filter = self.filter.as_ref().map(Value::to_string);
            changes.push((FILTER, filter.unwrap_or_else(|| "{}".to_owned())));
        }
        changes
    }
}

/// Who is told: a resource, or somebody outside.
fn flows(spec: &Value) -> Vec<Flow> {
    let protocol = spec.get("protocol").and_then(Value::as_str).unwrap_or_default();
    let inside = Flow::out(spec, "/endpoint", "messages");
    let outside = spec.get("endpoint").and_then(Value::as_str);
    let outside =
        outside.map(|to| Flow::new(End::Here, End::Outside("people", to.to_owned()), protocol));
    inside.into_iter().chain(outside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:dev-payment-queue";

    #[test]
    fn the_logical_name_ends_in_the_last_part_of_an_arn_or_the_whole_endpoint() {
        assert_eq!(logical_name("ops", "sqs", QUEUE), "ops.sqs.dev-payment-queue");
        assert_eq!(logical_name("ops", "sqs", "dev-payment-queue"), "ops.sqs.dev-payment-queue");
        let alias = "arn:aws:lambda:us-east-1:000000000000:function:dev-f:live";
        assert_eq!(logical_name("ops", "lambda", alias), "ops.lambda.dev-f:live");
        assert_eq!(logical_name("ops", "https", "https://a.b:8/c"), "ops.https.https://a.b:8/c");
        assert_eq!(Subscription::sample_name(), logical_name("sample", "sqs", "sample-queue"));
    }

    #[test]
    fn the_id_of_a_pending_subscription_contains_all_its_parts() {
        let pending = Pending {
            topic: "arn:aws:sns:r:1:ops".into(),
            protocol: "https".into(),
            endpoint: "https://a.b/c|d".into(),
        };
        assert_eq!(Pending::parse(&pending.to_id()), Some(pending));
        assert_eq!(Pending::parse("arn:aws:sns:r:1:ops:uuid"), None);
    }

    #[test]
    fn only_differing_attributes_are_sent() {
        let attributes = HashMap::from([
            ("TopicArn".to_owned(), "arn:t".to_owned()),
            ("Protocol".to_owned(), "sqs".to_owned()),
            ("Endpoint".to_owned(), QUEUE.to_owned()),
            (RAW.to_owned(), "true".to_owned()),
            (FILTER.to_owned(), r#"{"status":["paid"]}"#.to_owned()),
        ]);
        let live = Subscription::from_attributes(&attributes);
        assert_eq!(live.filter, Some(json!({ "status": ["paid"] })));
        assert!(live.changes(&live).is_empty());
        let want = Subscription { raw: true, filter: None, ..live.clone() };
        assert_eq!(want.changes(&live), [(FILTER, "{}".to_owned())]);
    }

    #[test]
    fn an_empty_filter_is_none() {
        let spec = json!({
            "topic": "t", "protocol": "sqs", "endpoint": "e", "raw": false, "filter": {},
        });
        let spec: Subscription = serde_json::from_value(spec).unwrap();
        assert_eq!(spec.filter, None);
    }
}
