//! SNS topics, with policy and encryption folded in.
//!
//! AWS quirks: CreateTopic on an existing name succeeds only if tags and attributes are the same,
//! so creation sends only the name, the immutable attributes and the tags. Attributes are set one
//! by one. A topic without its own policy returns AWS's default policy. Policies and key changes
//! are eventually consistent, and AWS refuses a policy that names a role too early.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::measured::Gauge;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::drawn::{Drawn, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::size::SizeLimit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topic {
    /// The name; ends in `.fifo` exactly for FIFO topics.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
    /// The KMS key, by id, ARN or alias; none when not encrypted.
    pub key: Option<Text>,
    /// Who may publish and subscribe; AWS's default policy if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Document>,
}

const DISPLAY_NAME: &str = "DisplayName";
const KEY: &str = "KmsMasterKeyId";
const POLICY: &str = "Policy";

/// The messages to a topic: those that are published, and those about calls that failed.
fn published(cx: &Costs<'_>) -> Decimal {
    cx.load(Driver::Messages) + cx.assume.failures(cx.load(Driver::Alerts))
}

impl Resource for Topic {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Messages, "topic", "topic"),
        notes: &[
            "Without a policy in the config, the topic has AWS's default policy, which allows \
             this account.",
            "CloudWatch, EventBridge and S3 can publish to an encrypted topic only if it uses a \
             customer key whose policy allows them; with alias/aws/sns their messages are lost.",
            "AWS refuses a policy that names a new role for a while; payctl waits.",
        ],
        immutable: &["name"],
        replace: Replace::DeleteFirst,
        deadline: Duration::from_secs(180),
        read_lag: Duration::from_secs(30),
        transient: &[
            ("InvalidParameter", "PrincipalNotFound"),
            ("InvalidParameter", "invalid principal"),
        ],
        told: true,
        gone_at_once: true,
        permits: &[
            Permit::look(&["sns:ListTopics"], &["*"]),
            Permit::look(
                &["sns:GetTopicAttributes", "sns:ListTagsForResource"],
                &["sns:{here}:{seen}"],
            ),
            Permit::create(&["sns:CreateTopic"], &["sns:{here}:{name}"]),
            Permit::set(&["sns:SetTopicAttributes", "sns:TagResource"], &["sns:{here}:{name}"]),
            Permit::change(&["sns:UntagResource"], &["sns:{here}:{name}"]),
            Permit::delete(&["sns:DeleteTopic"], &["sns:{here}:{name}"]),
        ],
        names: Some(NameRule::new(
            "topic",
            256,
            r"^[A-Za-z0-9_-]{1,251}(\.fifo)?$",
            "a topic's name is 1 to 256 letters, digits, _ and -",
        )),
        arn: Some("sns:{here}:{name}"),
        sizes: &[SizeLimit::policy("policy", "policy", 30_720)],
        section: "topics",
        predicted: &[(Output::Arn, "{arn}"), (Output::Id, "{arn}"), (Output::Name, "{name}")],
        asked: &["display_name"],
        typical: Typical::seconds(2, 2, 2).calls(4, 6, 2),
        serves: true,
        pricing: Pricing::Charged("AWS charges for each message that is published."),
        types: &["sns"],
        ..Meta::new("sns.topic", "sns", "An SNS topic with its policy and encryption.")
    };

    fn sample() -> Self {
        Self {
            name: "sample-topic".into(),
            display_name: "Sample alerts".into(),
            key: Some("alias/aws/sns".into()),
            policy: None,
        }
    }

    fn variants() -> Vec<Self> {
        let policy = Document::of([json!({
            "Sid": "Alarms",
            "Effect": "Allow",
            "Principal": { "Service": "cloudwatch.amazonaws.com" },
            "Action": "sns:Publish",
            "Resource": "arn:aws:sns:us-east-1:000000000000:sample-topic",
        })]);
        vec![
            Self { display_name: "Other alerts".into(), ..Self::sample() },
            Self { key: None, policy: Some(policy), ..Self::sample() },
            Self { display_name: String::new(), ..Self::sample() },
        ]
    }

    const DRIVEN_BY: &'static [(&'static str, Driver)] = &[("sns:Publish", Driver::Alerts)];

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let subscriptions = cx.users("sns.subscription");
        let mut flows = Costs::each(subscriptions, Driver::Messages, published(cx));
        flows.extend(self.key.iter().flat_map(|key| to(key, Driver::Users, Decimal::ONE)));
        flows
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        vec![Charge::usage("messages", "sns.publish", published(cx))]
    }

    fn gauges(&self, _: &str, _: &Costs<'_>) -> Vec<Gauge> {
        let dimensions = vec![("TopicName", self.name.clone())];
        let metrics = &["NumberOfMessagesPublished"];
        let gauge = Gauge::sum(Driver::Messages, "AWS/SNS", metrics, dimensions);
        vec![Gauge { instead: &[Driver::Alerts], ..gauge }]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let topics = listed(cx).await?;
        let topics = topics.iter().filter(|arn| cx.is_candidate(name_in(arn))).cloned();
        let found = topics.map(|arn| async move {
            let tags =
                cx.if_permitted(name_in(&arn), cx.tags(&arn, tags_of(cx.aws, &arn)).await)?;
            let Some(tags) = tags else { return Ok(None) };
            let Some((address, owner)) = cx.claim(name_in(&arn), &tags) else { return Ok(None) };
            let live = describe(cx.aws, &arn, tags).await?;
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
        let fifo = self.name.ends_with(".fifo");
        let fifo = fifo.then(|| HashMap::from([("FifoTopic".to_owned(), "true".to_owned())]));
        let created = cx
            .aws
            .sns
            .create_topic()
            .name(&self.name)
            .set_attributes(fifo)
            .set_tags(Some(cx.tags.iter().map(to_tag).collect()))
            .send()
            .await
            .map_err(op("CreateTopic"))?;
        let arn = created.topic_arn.ok_or_else(|| {
            OpError::new(
                "CreateTopic",
                ErrorClass::Service,
                "NoArn",
                "AWS did not return a topic ARN",
            )
        })?;
        let name = self.name.clone();
        let bare = Self { name, display_name: String::new(), key: None, policy: None };
        self.set(cx.aws, &arn, &bare).await?;
        Ok(arn)
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        self.set(cx.aws, &live.id, &live.spec).await
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call = cx
            .aws
            .sns
            .tag_resource()
            .resource_arn(&live.id)
            .set_tags(Some(set.iter().map(to_tag).collect()));
        call.send().await.map_err(op("TagResource")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let call =
            cx.aws.sns.untag_resource().resource_arn(&live.id).set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagResource")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.sns.delete_topic().topic_arn(&live.id).send();
        send.await.map_err(op("DeleteTopic")).or_gone().map(drop)
    }
}

/// The name at the end of a topic's ARN.
pub(super) fn name_in(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// The ARNs of all topics.
pub(super) async fn listed(cx: &Survey<'_>) -> Result<Arc<Vec<String>>, OpError> {
    let list = async {
        let topics = cx.aws.sns.list_topics().into_paginator().items().send();
        let topics = topics.try_collect().await.map_err(op("ListTopics"))?;
        Ok(topics.into_iter().filter_map(|topic| topic.topic_arn).collect())
    };
    cx.once("sns:ListTopics", list).await
}

pub(super) async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.sns.list_tags_for_resource().resource_arn(arn).send();
    let answer = send.await.map_err(op("ListTagsForResource")).or_gone()?;
    let pairs = |tag: aws_sdk_sns::types::Tag| (tag.key, tag.value);
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().map(pairs).collect()))
}

fn to_tag((key, value): (&String, &String)) -> aws_sdk_sns::types::Tag {
    aws_sdk_sns::types::Tag::builder()
        .key(key)
        .value(value)
        .build()
        .expect("a tag with key and value is complete")
}

async fn describe(aws: &Aws, arn: &str, tags: Tags) -> Result<Option<Live<Topic>>, OpError> {
    let send = aws.sns.get_topic_attributes().topic_arn(arn).send();
    let Some(answer) = send.await.map_err(op("GetTopicAttributes")).or_gone()? else {
        return Ok(None);
    };
    let name = name_in(arn);
    Ok(Some(Live {
        id: arn.to_owned(),
        spec: Topic::from_attributes(name, &answer.attributes.unwrap_or_default())?,
        outputs: Outputs::from([
            (Output::Arn, arn.to_owned()),
            (Output::Id, arn.to_owned()),
            (Output::Name, name.to_owned()),
        ]),
        tags,
        phase: Phase::Ready,
    }))
}

impl Topic {
    fn from_attributes(name: &str, attributes: &HashMap<String, String>) -> Result<Self, OpError> {
        let text = |key: &str| attributes.get(key).filter(|text| !text.is_empty());
        let policy = text(POLICY).map(|text| Document::parse(text)).transpose();
        Ok(Self {
            name: name.to_owned(),
            display_name: text(DISPLAY_NAME).cloned().unwrap_or_default(),
            key: text(KEY).map(|key| key.as_str().into()),
            policy: policy.map_err(|error| {
                OpError::new("GetTopicAttributes", ErrorClass::Bug, POLICY, error.to_string())
            })?,
        })
    }

    /// Sets the attributes that differ.
    async fn set(&self, aws: &Aws, arn: &str, now: &Self) -> Result<(), OpError> {
        for (attribute, value) in self.changes(now) {
            aws.sns
                .set_topic_attributes()
                .topic_arn(arn)
                .attribute_name(attribute)
                .attribute_value(value)
                .send()
                .await
                .map_err(op("SetTopicAttributes"))?;
        }
        Ok(())
    }

    /// The attributes that differ, with the values that they must get.
    fn changes(&self, live: &Self) -> Vec<(&'static str, String)> {
        let mut changes = Vec::new();
        if self.key != live.key {
            changes.push((KEY, self.key.as_ref().map(Text::known).unwrap_or_default().to_owned()));
        }
        if self.display_name != live.display_name {
            changes.push((DISPLAY_NAME, self.display_name.clone()));
        }
        if let Some(policy) = &self.policy
            && self.policy != live.policy
        {
            changes.push((POLICY, policy.to_json()));
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_survive_the_round_trip() {
        let empty = Topic::from_attributes("sample-topic", &HashMap::new()).unwrap();
        for want in Topic::variants() {
            let attributes = want.changes(&empty).into_iter();
            let attributes = attributes.map(|(key, value)| (key.to_owned(), value)).collect();
            assert_eq!(Topic::from_attributes("sample-topic", &attributes).unwrap(), want);
        }
    }

    #[test]
    fn a_key_is_cleared_with_an_empty_string() {
        let want = Topic { key: None, ..Topic::sample() };
        assert_eq!(want.changes(&Topic::sample()), [(KEY, String::new())]);
    }

    #[test]
    fn an_unmanaged_policy_is_left_alone() {
        let live = Topic { policy: Some(Document::of([])), ..Topic::sample() };
        assert!(Topic::sample().changes(&live).is_empty());
    }
}
