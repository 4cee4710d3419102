//! SQS queues, with policy, redrive and encryption folded in.
//!
//! AWS quirks: all attributes are strings and come back with their defaults. An empty string clears
//! an attribute. Reads may show the old state for 60 seconds, and the name of a deleted queue is
//! taken for 60 seconds (`QueueDeletedRecently`). CreateQueue on an existing name succeeds if every
//! given attribute equals the live one, so a list comes first.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_cloudwatch::types::{Dimension, Statistic};
use aws_sdk_sqs::types::QueueAttributeName as Key;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op, taken};
use crate::aws::measured::Gauge;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::drawn::{Drawn, Flow, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::Scope;
use payctl_engine::model::size::{SizeLimit, statements};
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed};

/// How far back the last word of CloudWatch counts.
const RECENT: Duration = Duration::from_secs(900);

/// A queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Queue {
    /// The name; ends in `.fifo` exactly for FIFO queues.
    pub name: String,
    /// How long a received message stays hidden, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility_timeout: Option<u32>,
    /// How long a message is kept, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<u32>,
    /// How long every new message stays hidden, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<u32>,
    /// How long a receive call waits for a message, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_wait: Option<u32>,
    /// How it is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// The dead-letter queue, if any.
    #[serde(default)]
    pub redrive: Option<Redrive>,
    /// Who may use it; only this account if none.
    #[serde(default)]
    pub policy: Option<Document>,
}

/// How a queue is encrypted at rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encryption {
    /// A key that SQS manages.
    Sqs,
    /// A KMS key, by id, ARN or alias.
    Kms(Text),
}

/// The dead-letter queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redrive {
    /// The ARN of the dead-letter queue.
    pub target: Text,
    /// After how many receives.
    pub max_receives: u32,
}

/// How many questions Lambda asks a queue at the same time, even an empty one.
const POLLERS: u32 = 5;
/// How many seconds each of them waits for messages.
const WAIT: u32 = 20;

impl Resource for Queue {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Messages, "queue", "queue").with(flows),
        notes: &[
            "The name of a deleted queue is free after 60 seconds; payctl waits for it.",
            "Changes take effect within 60 seconds, a change of the retention within 15 minutes.",
            "A queue encrypted with alias/aws/sqs cannot receive from SNS, EventBridge or S3.",
        ],
        immutable: &["name"],
        replace: Replace::DeleteFirst,
        data: Some("the messages in the queue"),
        deadline: Duration::from_secs(300),
        read_lag: Duration::from_secs(75),
        // Its attributes flap for up to a minute after a change.
        agreeing_reads: 6,
        // For a role that it does not see yet, SQS has the same words as for any mistake in a
        // policy.
        transient: &[
            ("InvalidAttributeValue", "parameter Policy"),
            ("InvalidParameterValue", "parameter Policy"),
            ("InvalidParameterValue", "Dead letter target"),
            ("InvalidAttributeValue", "Dead letter target"),
            ("InvalidParameterValueException", "Dead letter target"),
        ],
        check: Some(Asked::of("no message is dead, and none has waited for long")),
        told: true,
        gone_at_once: true,
        permits: &[
            Permit::look(&["sqs:ListQueues"], &["*"]),
            Permit::look(&["sqs:GetQueueAttributes", "sqs:ListQueueTags"], &["sqs:{here}:{seen}"]),
            Permit::create(&["sqs:CreateQueue"], &["sqs:{here}:{name}"]),
            Permit::set(&["sqs:SetQueueAttributes", "sqs:TagQueue"], &["sqs:{here}:{name}"]),
            Permit::change(&["sqs:UntagQueue"], &["sqs:{here}:{name}"]),
            Permit::delete(&["sqs:DeleteQueue"], &["sqs:{here}:{name}"]),
            Permit::check(&["cloudwatch:GetMetricStatistics"], &["*"]),
        ],
        names: Some(NameRule::new(
            "queue",
            80,
            r"^[A-Za-z0-9_-]{1,75}(\.fifo)?$|^[A-Za-z0-9_-]{1,80}$",
            "a queue's name is 1 to 80 letters, digits, _ and -",
        )),
        arn: Some("sqs:{here}:{name}"),
        sizes: &[
            SizeLimit::policy("policy", "policy", 8192),
            SizeLimit {
                measure: statements,
                unit: "statements",
                fix: "use at most {most}",
                ..SizeLimit::policy("policy", "policy", 20)
            },
        ],
        section: "queues",
        predicted: &[
            (Output::Arn, "{arn}"),
            (Output::Name, "{name}"),
            (Output::Url, "https://sqs.{region}.{dns}/{account}/{name}"),
            (Output::Id, "https://sqs.{region}.{dns}/{account}/{name}"),
        ],
        asked: &["visibility_timeout", "retention"],
        typical: Typical::seconds(2, 25, 2).calls(2, 12, 2),
        serves: true,
        pricing: Pricing::Charged(
            "AWS charges for requests: sending, receiving and deleting, and the polls of \
             functions.",
        ),
        types: &["sqs"],
        ..Meta::new("sqs.queue", "sqs", "An SQS queue with its policy, redrive and encryption.")
    };

    fn sample() -> Self {
        Self {
            name: "sample-queue".into(),
            visibility_timeout: Some(60),
            retention: Some(1_209_600),
            delay: None,
            receive_wait: Some(20),
            encryption: Some(Encryption::Sqs),
            redrive: None,
            policy: None,
        }
    }

    fn variants() -> Vec<Self> {
        vec![
            Self { visibility_timeout: Some(120), delay: Some(5), ..Self::sample() },
            Self { retention: Some(600), receive_wait: Some(0), ..Self::sample() },
            Self {
                encryption: Some(Encryption::Kms("alias/aws/sqs".into())),
                policy: Some(Document::of([json!({
                    "Sid": "Topics",
                    "Effect": "Allow",
                    "Principal": { "Service": "sns.amazonaws.com" },
                    "Action": "sqs:SendMessage",
                    "Resource": "arn:aws:sqs:us-east-1:000000000000:sample-queue",
                })])),
                ..Self::sample()
            },
            Self::sample(),
        ]
    }

    const DRIVEN_BY: &'static [(&'static str, Driver)] = &[("sqs:SendMessage", Driver::Messages)];

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let messages = cx.load(Driver::Messages);
        let mut flows = Costs::each(cx.users("lambda.event_source"), Driver::Messages, messages);
        if let Some(redrive) = &self.redrive {
            flows.extend(to(&redrive.target, Driver::Messages, cx.assume.failures(messages)));
        }
        if let Some(Encryption::Kms(key)) = &self.encryption {
            flows.extend(to(key, Driver::Users, Decimal::ONE));
        }
        flows
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let meter = if self.name.ends_with(".fifo") { "sqs.fifo" } else { "sqs.standard" };
        let requests = cx.load(Driver::Messages) * Decimal::from(3);
        // Lambda asks in parallel, and each question waits.
        let polls = Decimal::from(POLLERS) * Decimal::from(3600 / WAIT) * cx.hours();
        let readers = Decimal::from(cx.users("lambda.event_source").len());
        vec![
            Charge::usage("requests", meter, requests),
            Charge::fixed("polls of functions", meter, polls * readers),
        ]
    }

    fn gauges(&self, _: &str, _: &Costs<'_>) -> Vec<Gauge> {
        let dimensions = vec![("QueueName", self.name.clone())];
        vec![Gauge::sum(Driver::Messages, "AWS/SQS", &["NumberOfMessagesSent"], dimensions)]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let mut pages = cx.aws.sqs.list_queues().max_results(1000).into_paginator().items().send();
        let mut candidates = Vec::new();
        while let Some(url) = pages.next().await {
            let url = url.map_err(op("ListQueues"))?;
            if cx.is_candidate(name_in(&url)) {
                candidates.push(url);
            }
        }
        let found = candidates.iter().map(|url| async move {
            let arn = arn_of(cx.aws, name_in(url));
            let tags = cx.tags(&arn, tags_of(cx.aws, url)).await;
            let tags = cx.if_permitted(name_in(url), tags)?;
            let Some(tags) = tags else { return Ok(None) };
            let Some((address, owner)) = cx.claim(name_in(url), &tags) else { return Ok(None) };
            let live = describe(cx.aws, url, tags).await?;
            Ok(live.map(|live| Found { address, owner, live }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        match tags_of(cx.aws, cx.id()).await? {
            Some(tags) => describe(cx.aws, cx.id(), tags).await,
            None => Ok(None),
        }
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(tags_of(cx.aws, cx.id()).await?.map(|tags| Live { tags, ..planned }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        // The call also succeeds on a queue that others created since the survey.
        let listed = cx.aws.sqs.list_queues().queue_name_prefix(&self.name).send().await;
        let listed = listed.map_err(op("ListQueues"))?.queue_urls.unwrap_or_default();
        if listed.iter().any(|url| name_in(url) == self.name) {
            return Err(taken("CreateQueue", "a queue"));
        }
        let fifo = self.name.ends_with(".fifo").then(|| (Key::FifoQueue, "true".to_owned()));
        let mut attributes = self.attributes_after(&Self::bare(&self.name));
        attributes.extend(fifo);
        let created = cx
            .aws
            .sqs
            .create_queue()
            .queue_name(&self.name)
            .set_attributes(Some(attributes))
            .set_tags(Some(cx.tags.clone().into_iter().collect()))
            .send()
            .await
            .map_err(op("CreateQueue"))?;
        created.queue_url.ok_or_else(|| {
            OpError::new(
                "CreateQueue",
                ErrorClass::Service,
                "NoUrl",
                "AWS did not return a queue URL",
            )
        })
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        cx.aws
            .sqs
            .set_queue_attributes()
            .queue_url(&live.id)
            .set_attributes(Some(self.attributes_after(&live.spec)))
            .send()
            .await
            .map_err(op("SetQueueAttributes"))?;
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call = cx
            .aws
            .sqs
            .tag_queue()
            .queue_url(&live.id)
            .set_tags(Some(set.clone().into_iter().collect()));
        call.send().await.map_err(op("TagQueue")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let call = cx.aws.sqs.untag_queue().queue_url(&live.id).set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagQueue")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.sqs.delete_queue().queue_url(&live.id).send();
        send.await.map_err(op("DeleteQueue")).or_gone().map(drop)
    }

    async fn check(cx: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        if let Some(Redrive { target, .. }) = &live.spec.redrive {
            let name = target.known().rsplit(':').next().unwrap_or_default();
            let place = live.id.rsplit_once('/').map_or("", |(place, _)| place);
            match messages(cx.aws, &format!("{place}/{name}")).await? {
                Some(0) => {}
                Some(dead) => {
                    let why = format!("its dead-letter queue {name} holds {}", counted(dead));
                    return Ok(Verdict::Failed(why));
                }
                None => {
                    let why = format!("its dead-letter queue {name} does not exist");
                    return Ok(Verdict::Failed(why));
                }
            }
        }
        let Some(waiting) = messages(cx.aws, &live.id).await? else {
            return Ok(Verdict::Failed("it does not exist any more".into()));
        };
        if waiting == 0 {
            return Ok(Verdict::passed());
        }
        Ok(waited(waiting, oldest(cx.aws, &live.spec.name).await?, live.spec.longest_wait()))
    }
}

/// How many messages a queue holds that may be received now; `None` without the queue.
async fn messages(aws: &Aws, url: &str) -> Result<Option<u64>, OpError> {
    let key = Key::ApproximateNumberOfMessages;
    let call = aws.sqs.get_queue_attributes().queue_url(url).attribute_names(key.clone());
    let answer = call.send().await.map_err(op("GetQueueAttributes")).or_gone()?;
    let count = |all: HashMap<Key, String>| all.get(&key)?.parse().ok();
    Ok(answer.map(|answer| answer.attributes.and_then(count).unwrap_or_default()))
}

fn counted(messages: u64) -> String {
    format!("{messages} message{}", if messages == 1 { "" } else { "s" })
}

/// Whether waiting messages, the oldest of them of this age in seconds, are stuck.
fn waited(waiting: u64, age: Option<u64>, limit: u64) -> Verdict {
    let waiting = counted(waiting);
    match age {
        Some(age) if age > limit => Verdict::Failed(format!(
            "it holds {waiting}, the oldest for {age} s; at most {limit} s is normal"
        )),
        Some(age) => Verdict::Passed(format!("it holds {waiting}, the oldest for {age} s")),
        None => Verdict::NotRun(format!(
            "it holds {waiting}, and CloudWatch does not say yet for how long"
        )),
    }
}

/// For how many seconds the oldest message has waited, as CloudWatch last heard of it.
async fn oldest(aws: &Aws, name: &str) -> Result<Option<u64>, OpError> {
    let now = aws.now();
    let call = aws.cloudwatch.get_metric_statistics().namespace("AWS/SQS");
    let call = call.metric_name("ApproximateAgeOfOldestMessage").period(60);
    let answer = call
        .dimensions(Dimension::builder().name("QueueName").value(name).build())
        .statistics(Statistic::Maximum)
        .start_time((now - RECENT).into())
        .end_time(now.into())
        .send()
        .await
        .map_err(op("GetMetricStatistics"))?;
    let points = answer.datapoints.unwrap_or_default().into_iter();
    let last = points.max_by_key(|point| point.timestamp.map(|time| time.secs()));
    let age = last.and_then(|last| Duration::try_from_secs_f64(last.maximum?).ok());
    Ok(age.map(|age| age.as_secs()))
}

pub(super) fn name_in(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

fn arn_of(aws: &Aws, name: &str) -> String {
    let Scope { partition, region, account, .. } = &aws.scope;
    format!("arn:{partition}:sqs:{region}:{account}:{name}")
}

async fn tags_of(aws: &Aws, url: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.sqs.list_queue_tags().queue_url(url).send();
    let answer = send.await.map_err(op("ListQueueTags")).or_gone()?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
}

async fn describe(aws: &Aws, url: &str, tags: Tags) -> Result<Option<Live<Queue>>, OpError> {
    let call = aws.sqs.get_queue_attributes().queue_url(url).attribute_names(Key::All);
    let Some(answer) = call.send().await.map_err(op("GetQueueAttributes")).or_gone()? else {
        return Ok(None);
    };
    let attributes = answer.attributes.unwrap_or_default();
    let arn = attributes.get(&Key::QueueArn).cloned().unwrap_or_default();
    Ok(Some(Live {
        id: url.to_owned(),
        spec: Queue::from_attributes(name_in(url), &attributes)?,
        outputs: Outputs::from([
            (Output::Arn, arn),
            (Output::Name, name_in(url).to_owned()),
            (Output::Url, url.to_owned()),
            (Output::Id, url.to_owned()),
        ]),
        tags,
        phase: Phase::Ready,
    }))
}

impl Queue {
    /// For how many seconds a message may wait: those of its delay and of two attempts, and 15 minutes.
    fn longest_wait(&self) -> u64 {
        let seconds = |value: Option<u32>| u64::from(value.unwrap_or_default());
        seconds(self.delay) + 2 * seconds(self.visibility_timeout) + 900
    }

    /// A queue of which nothing is set.
    fn bare(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            visibility_timeout: None,
            retention: None,
            delay: None,
            receive_wait: None,
            encryption: None,
            redrive: None,
            policy: None,
        }
    }

    fn to_attributes(&self) -> HashMap<Key, String> {
        let mut attributes = HashMap::new();
        let mut number = |key, value: Option<u32>| {
            if let Some(value) = value {
                attributes.insert(key, value.to_string());
            }
        };
        number(Key::VisibilityTimeout, self.visibility_timeout);
        number(Key::MessageRetentionPeriod, self.retention);
        number(Key::DelaySeconds, self.delay);
        number(Key::ReceiveMessageWaitTimeSeconds, self.receive_wait);
        match &self.encryption {
            Some(Encryption::Sqs) => {
                attributes.insert(Key::SqsManagedSseEnabled, "true".into());
            }
            Some(Encryption::Kms(key)) => {
                attributes.insert(Key::KmsMasterKeyId, key.known().into());
            }
            None => {}
        }
        // An empty string clears an attribute that is not wanted.
        let redrive = self.redrive.as_ref().map(|Redrive { target, max_receives }| {
            let target = target.known();
            json!({ "deadLetterTargetArn": target, "maxReceiveCount": max_receives }).to_string()
        });
        attributes.insert(Key::RedrivePolicy, redrive.unwrap_or_default());
        let policy = self.policy.as_ref().map(Document::to_json);
        attributes.insert(Key::Policy, policy.unwrap_or_default());
        attributes
    }

    /// The attributes to send so that a queue becomes like this one. They are all sent, since a
    /// read may show only a part of an earlier call. An empty text clears an attribute that the
    /// queue must no longer have.
    fn attributes_after(&self, live: &Self) -> HashMap<Key, String> {
        let mut attributes = self.to_attributes();
        if live.redrive.is_none() && self.redrive.is_none() {
            attributes.remove(&Key::RedrivePolicy);
        }
        if live.policy.is_none() && self.policy.is_none() {
            attributes.remove(&Key::Policy);
        }
        let had_key = matches!(live.encryption, Some(Encryption::Kms(_)));
        if had_key && self.encryption == Some(Encryption::Sqs) {
            attributes.insert(Key::KmsMasterKeyId, String::new());
        }
        attributes
    }

    fn from_attributes(name: &str, attributes: &HashMap<Key, String>) -> Result<Self, OpError> {
        let text = |key| attributes.get(&key).filter(|text: &&String| !text.is_empty());
        let number = |key| text(key).and_then(|text| text.parse().ok());
        let encryption = match text(Key::KmsMasterKeyId) {
            Some(key) => Encryption::Kms(key.as_str().into()),
            None => Encryption::Sqs,
        };
        let managed = text(Key::SqsManagedSseEnabled).is_none_or(|on| on == "true");
        let policy = text(Key::Policy).map(|text| Document::parse(text)).transpose();
        Ok(Self {
            name: name.to_owned(),
            visibility_timeout: number(Key::VisibilityTimeout),
            retention: number(Key::MessageRetentionPeriod),
            delay: number(Key::DelaySeconds),
            receive_wait: number(Key::ReceiveMessageWaitTimeSeconds),
            encryption: Some(encryption).filter(|how| *how != Encryption::Sqs || managed),
            redrive: text(Key::RedrivePolicy).and_then(|text| redrive(text)),
            policy: policy.map_err(|error| {
                OpError::new("GetQueueAttributes", ErrorClass::Bug, "Policy", error.to_string())
            })?,
        })
    }
}

fn redrive(text: &str) -> Option<Redrive> {
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    let count = fields.get("maxReceiveCount")?;
    // AWS returns a number or a string, as it was sent.
    let max_receives = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
    Some(Redrive {
        target: fields.get("deadLetterTargetArn")?.as_str()?.into(),
        max_receives: u32::try_from(max_receives).ok()?,
    })
}

/// Where messages go that nobody could handle.
fn flows(spec: &Value) -> Vec<Flow> {
    let tries = spec.pointer("/redrive/max_receives").and_then(Value::as_u64);
    let label = tries.map(|tries| format!("dead letters after {tries} tries")).unwrap_or_default();
    Flow::out(spec, "/redrive/target", &label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_survive_the_round_trip() {
        let queue = Queue {
            redrive: Some(Redrive { target: "arn:aws:sqs:r:1:dlq".into(), max_receives: 5 }),
            policy: Some(Document::of([json!({ "Effect": "Allow", "Action": "sqs:*" })])),
            encryption: Some(Encryption::Kms("alias/a".into())),
            delay: Some(3),
            ..Queue::sample()
        };
        assert_eq!(Queue::from_attributes(&queue.name, &queue.to_attributes()).unwrap(), queue);
    }

    #[test]
    fn unwanted_attributes_are_cleared_with_an_empty_string() {
        let attributes = Queue::sample().to_attributes();
        assert_eq!(attributes[&Key::RedrivePolicy], "");
        assert_eq!(attributes[&Key::Policy], "");
        assert_eq!(Queue::from_attributes("sample-queue", &attributes).unwrap(), Queue::sample());
    }

    #[test]
    fn only_an_existing_key_is_cleared() {
        let own = Queue::sample();
        let keyed = Queue { encryption: Some(Encryption::Kms("alias/a".into())), ..own.clone() };
        assert_eq!(own.attributes_after(&own).get(&Key::KmsMasterKeyId), None);
        assert_eq!(own.attributes_after(&keyed)[&Key::KmsMasterKeyId], "");
        assert_eq!(keyed.attributes_after(&own)[&Key::KmsMasterKeyId], "alias/a");
    }

    #[test]
    fn a_message_that_waits_longer_than_two_attempts_is_stuck() {
        let queue = Queue { delay: Some(5), ..Queue::sample() };
        let limit = queue.longest_wait();
        assert_eq!(limit, 5 + 2 * 60 + 900);
        assert!(waited(2, Some(limit + 1), limit).is_failed());
        let seen = Verdict::Passed("it holds 1 message, the oldest for 9 s".into());
        assert_eq!(waited(1, Some(9), limit), seen);
        assert!(matches!(waited(1, None, limit), Verdict::NotRun(_)));
    }

    #[test]
    fn a_receive_count_may_come_back_as_text() {
        let text = r#"{"deadLetterTargetArn":"arn:d","maxReceiveCount":"7"}"#;
        assert_eq!(redrive(text).map(|redrive| redrive.max_receives), Some(7));
    }
}
