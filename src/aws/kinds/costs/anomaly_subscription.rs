//! A subscription to unusual costs.
//!
//! AWS quirks: topics get only immediate messages, e-mail addresses only daily or weekly ones.
//! Thresholds are expressions whose numbers are strings. A missing subscription is unknown
//! (`UnknownSubscriptionException`), and so is a monitor that is not visible yet.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_costexplorer::types::{
    AnomalySubscription as AwsSubscription, AnomalySubscriptionFrequency, Dimension,
    DimensionValues, Expression, MatchOption, Subscriber as AwsSubscriber, SubscriberType,
};
use futures::future::{join, try_join_all};
use serde::{Deserialize, Serialize};

use super::anomaly_monitor::{add_tags, remove_tags, tags_of, to_tag};
use super::common;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// A subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnomalySubscription {
    /// The name.
    pub name: String,
    /// The ARNs of the monitors.
    pub monitors: BTreeSet<Text>,
    /// The subscribers.
    pub subscribers: BTreeSet<Subscriber>,
    /// How often: `IMMEDIATE`, `DAILY` or `WEEKLY`.
    pub frequency: String,
    /// The size from which an anomaly is reported.
    pub threshold: Threshold,
}

/// The subscribers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subscriber {
    /// The ARN of a topic.
    Topic(Text),
    /// An e-mail address.
    Email(String),
}

/// The size from which an anomaly is reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Threshold {
    /// From this many dollars on.
    Amount(u64),
    /// The least percentage above the expected costs.
    Percent(u64),
    /// From both on.
    Both {
        /// Dollars.
        amount: u64,
        /// Percent.
        percent: u64,
    },
    /// From either on.
    Either {
        /// Dollars.
        amount: u64,
        /// Percent.
        percent: u64,
    },
    /// One that payctl cannot express; only live objects have it.
    Other(String),
}

impl Resource for AnomalySubscription {
    const META: Meta = Meta {
        drawn: Drawn::badge("alarm", "cost alert", &["monitors"]),
        notes: &[
            "A topic gets a message for each anomaly at once; e-mail addresses get a summary once \
             a day or week.",
            "The policy of the topic must allow costalerts.amazonaws.com; an e-mail address must \
             be confirmed.",
            "AWS charges 0.01 US dollars for each request to Cost Explorer. A plan makes requests only \
             if the config wants the kind, or if an object carries the tags of the environment. \
             The tags cost nothing, but AWS may show them some minutes late.",
        ],
        replace: Replace::DeleteFirst,
        can_duplicate: true,
        deadline: Duration::from_secs(180),
        read_lag: Duration::from_secs(30),
        transient: &[("ValidationException", "does not have permission")],
        gone_at_once: true,
        permits: &[
            Permit::look(&["ce:GetAnomalySubscriptions", "ce:ListTagsForResource"], &["*"]),
            Permit::create(&["ce:CreateAnomalySubscription"], &["*"]),
            Permit::set(&["ce:TagResource"], &["*"]),
            Permit::change(
                &["ce:UntagResource", "ce:UpdateAnomalySubscription"],
                &["ce::{account}:anomalysubscription/*"],
            ),
            Permit::delete(
                &["ce:DeleteAnomalySubscription"],
                &["ce::{account}:anomalysubscription/*"],
            ),
        ],
        names: Some(
            NameRule::new(
                "cost-alert",
                128,
                r"^[A-Za-z0-9 ._-]{1,128}$",
                "a subscription's name is 1 to 128 letters, digits, spaces and . _ -",
            )
            .of_account(),
        ),
        section: "cost_anomalies",
        predicted: &[(Output::Name, "{name}")],
        asked: &["threshold", "frequency"],
        typical: Typical::seconds(1, 1, 1),
        pricing: Pricing::Free(
            "AWS charges nothing for the subscription, and 0.01 US dollars for each request \
             to Cost Explorer.",
        ),
        types: &["ce:anomalysubscription"],
        ..Meta::new("costs.anomaly_subscription", "ce", "A subscription to unusual costs.")
    };

    fn sample() -> Self {
        let monitor = Address::new("costs.anomaly_monitor", "sample");
        let topic = Text::reference(Address::new("sns.topic", "sample"), Output::Arn);
        Self {
            name: "sample-subscription".into(),
            monitors: BTreeSet::from([Text::reference(monitor, Output::Arn)]),
            subscribers: BTreeSet::from([Subscriber::Topic(topic)]),
            frequency: "IMMEDIATE".into(),
            threshold: Threshold::Amount(100),
        }
    }

    fn variants() -> Vec<Self> {
        let with = |threshold| Self { threshold, ..Self::sample() };
        let mails = ["ops@example.com", "cost@example.com"].map(str::to_owned);
        vec![
            with(Threshold::Percent(40)),
            Self {
                name: "sample-subscription-renamed".into(),
                subscribers: mails.into_iter().map(Subscriber::Email).collect(),
                frequency: "DAILY".into(),
                ..with(Threshold::Both { amount: 100, percent: 40 })
            },
            with(Threshold::Either { amount: 1000, percent: 20 }),
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        if !common::may_exist(cx).await {
            return Ok(Vec::new());
        }
        let listed = list(cx.aws, None).await?;
        let found = listed.into_iter().filter(|one| cx.is_candidate(&one.subscription_name));
        let found = found.map(|found| async move {
            let tags = tags_of(cx.aws, found.subscription_arn().unwrap_or_default()).await;
            let tags = cx.if_permitted(&found.subscription_name, tags)?.unwrap_or_default();
            // Names are not unique, so another one with the same name does not conflict.
            let claimed = cx.ours(&found.subscription_name, &tags);
            let found = |(address, owner)| Found { address, owner, live: to_live(&found, tags) };
            Ok(claimed.map(found))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (listed, tags) = join(list(cx.aws, Some(cx.id())), tags_of(cx.aws, cx.id())).await;
        let found = listed.or_gone()?.and_then(|listed| {
            listed.into_iter().find(|found| found.subscription_arn() == Some(cx.id()))
        });
        let tags = tags?.unwrap_or_default();
        Ok(found.map(|found| to_live(&found, tags)))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let subscription = AwsSubscription::builder()
            .subscription_name(&self.name)
            .set_monitor_arn_list(Some(self.monitor_arns()))
            .set_subscribers(Some(self.subscribers_to_aws()))
            .frequency(AnomalySubscriptionFrequency::from(&*self.frequency))
            .set_threshold_expression(self.threshold.to_aws())
            .build()
            .expect("all that Cost Explorer demands is there");
        let made = cx
            .aws
            .costexplorer
            .create_anomaly_subscription()
            .anomaly_subscription(subscription)
            .set_resource_tags(Some(cx.tags.iter().map(to_tag).collect()))
            .send()
            .await
            .map_err(op("CreateAnomalySubscription"))?;
        Ok(made.subscription_arn)
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        cx.aws
            .costexplorer
            .update_anomaly_subscription()
            .subscription_arn(&live.id)
            .subscription_name(&self.name)
            .set_monitor_arn_list(Some(self.monitor_arns()))
            .set_subscribers(Some(self.subscribers_to_aws()))
            .frequency(AnomalySubscriptionFrequency::from(&*self.frequency))
            .set_threshold_expression(self.threshold.to_aws())
            .send()
            .await
            .map_err(op("UpdateAnomalySubscription"))?;
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send =
            cx.aws.costexplorer.delete_anomaly_subscription().subscription_arn(&live.id).send();
        send.await.map_err(op("DeleteAnomalySubscription")).or_gone().map(drop)
    }
}

async fn list(aws: &Aws, arn: Option<&str>) -> Result<Vec<AwsSubscription>, OpError> {
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let page = aws
            .costexplorer
            .get_anomaly_subscriptions()
            .max_results(100)
            .set_subscription_arn_list(arn.map(|arn| vec![arn.to_owned()]))
            .set_next_page_token(token)
            .send()
            .await
            .map_err(op("GetAnomalySubscriptions"))?;
        found.extend(page.anomaly_subscriptions);
        token = page.next_page_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn to_live(found: &AwsSubscription, tags: Tags) -> Live<AnomalySubscription> {
    let arn = found.subscription_arn().unwrap_or_default().to_owned();
    let name = found.subscription_name.clone();
    let subscribers = found.subscribers().iter().map(|subscriber| {
        let address = subscriber.address().unwrap_or_default();
        match subscriber.r#type() {
            Some(SubscriberType::Sns) => Subscriber::Topic(address.into()),
            _ => Subscriber::Email(address.to_owned()),
        }
    });
    Live {
        id: arn.clone(),
        spec: AnomalySubscription {
            name: name.clone(),
            monitors: found.monitor_arn_list().iter().map(|arn| arn.as_str().into()).collect(),
            subscribers: subscribers.collect(),
            frequency: found.frequency.as_str().to_owned(),
            threshold: Threshold::from_aws(found.threshold_expression()),
        },
        outputs: Outputs::from([
            (Output::Arn, arn.clone()),
            (Output::Id, arn),
            (Output::Name, name),
        ]),
        tags,
        phase: Phase::Ready,
    }
}

impl AnomalySubscription {
    fn monitor_arns(&self) -> Vec<String> {
        self.monitors.iter().map(|arn| arn.known().to_owned()).collect()
    }

    fn subscribers_to_aws(&self) -> Vec<AwsSubscriber> {
        let each = self.subscribers.iter().map(|subscriber| {
            let (kind, address) = match subscriber {
                Subscriber::Topic(arn) => (SubscriberType::Sns, arn.known()),
                Subscriber::Email(address) => (SubscriberType::Email, address.as_str()),
            };
            AwsSubscriber::builder().r#type(kind).address(address).build()
        });
        each.collect()
    }
}

impl Threshold {
    /// `None` for one that only live objects have.
    fn to_aws(&self) -> Option<Expression> {
        let amount = |from| at_least(Dimension::AnomalyTotalImpactAbsolute, from);
        let percent = |from| at_least(Dimension::AnomalyTotalImpactPercentage, from);
        Some(match self {
            Self::Amount(from) => amount(*from),
            Self::Percent(from) => percent(*from),
            Self::Both { amount: money, percent: share } => {
                Expression::builder().and(amount(*money)).and(percent(*share)).build()
            }
            Self::Either { amount: money, percent: share } => {
                Expression::builder().or(amount(*money)).or(percent(*share)).build()
            }
            Self::Other(_) => return None,
        })
    }

    fn from_aws(expression: Option<&Expression>) -> Self {
        let other = || Self::Other(format!("{expression:?}"));
        let Some(found) = expression else { return other() };
        let parts = |parts: &[Expression]| match parts {
            [one, two] => match (limit(one), limit(two)) {
                (Some(Self::Amount(amount)), Some(Self::Percent(percent)))
                | (Some(Self::Percent(percent)), Some(Self::Amount(amount))) => {
                    Some((amount, percent))
                }
                _ => None,
            },
            _ => None,
        };
        if let Some((amount, percent)) = parts(found.and()) {
            return Self::Both { amount, percent };
        }
        if let Some((amount, percent)) = parts(found.or()) {
            return Self::Either { amount, percent };
        }
        limit(found).unwrap_or_else(other)
    }
}

fn at_least(dimension: Dimension, from: u64) -> Expression {
    let values = DimensionValues::builder()
        .key(dimension)
        .match_options(MatchOption::GreaterThanOrEqual)
        .values(from.to_string());
    Expression::builder().dimensions(values.build()).build()
}

fn limit(expression: &Expression) -> Option<Threshold> {
    let dimensions = expression.dimensions()?;
    let [value] = dimensions.values() else { return None };
    let from = whole(value.parse().ok()?)?;
    match dimensions.key()? {
        Dimension::AnomalyTotalImpactAbsolute => Some(Threshold::Amount(from)),
        Dimension::AnomalyTotalImpactPercentage => Some(Threshold::Percent(from)),
        _ => None,
    }
}

/// Cost Explorer may answer `100.0` for `100`.
fn whole(number: f64) -> Option<u64> {
    (number >= 0.0 && number.fract() == 0.0).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_survive_the_round_trip() {
        for threshold in [
            Threshold::Amount(0),
            Threshold::Percent(40),
            Threshold::Both { amount: 100, percent: 40 },
            Threshold::Either { amount: 100, percent: 40 },
        ] {
            let expression = threshold.to_aws();
            assert_eq!(Threshold::from_aws(expression.as_ref()), threshold);
        }
        assert!(matches!(Threshold::from_aws(None), Threshold::Other(_)));
        assert_eq!((whole(100.0), whole(0.5), whole(-1.0)), (Some(100), None, None));
    }
}
