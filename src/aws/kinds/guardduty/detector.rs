//! The GuardDuty detector of an account and region.
//!
//! AWS quirks: there is at most one, so payctl shares one that others created, as it is. AWS turns
//! on every feature that the creation does not name, which costs money, but refuses features that
//! the region does not have. So the creation names those of every region, and payctl then turns off
//! the others at once. A missing detector is a bad request, not a missing object. The old
//! `dataSources` duplicate `features`, so payctl does not read them.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_guardduty::types::{
    DetectorFeature, DetectorFeatureConfiguration, FeatureStatus, FindingPublishingFrequency,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::drawn::{Drawn, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, gb};

/// A detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Detector {
    /// How often findings that changed are sent on: `FIFTEEN_MINUTES`, `ONE_HOUR` or `SIX_HOURS`.
    pub frequency: String,
    /// The plans that are on beside the foundation (CloudTrail, DNS, flow logs).
    pub features: BTreeSet<String>,
}

/// The plans that cost extra and that every region has: named at creation, so that none of them is
/// on for a moment. The first update switches off what else AWS switched on.
const PLANS: &[&str] = &[
    "EBS_MALWARE_PROTECTION",
    "EKS_AUDIT_LOGS",
    "LAMBDA_NETWORK_LOGS",
    "RDS_LOGIN_EVENTS",
    "RUNTIME_MONITORING",
    "S3_DATA_EVENTS",
];

/// Features that every detector has and that cannot be turned off.
const FOUNDATION: &[&str] = &["CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS"];

/// How many management events an account with one environment has in an hour, about.
const EVENTS_PER_HOUR: u32 = 20;

impl Resource for Detector {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Apart, "detector", "threat detector"),
        notes: &[
            "Each account has one detector per region. payctl shares one that others created, and \
             does not change or delete it.",
            "A destroy of the environment that created the detector deletes it, also for others \
             that share it; their next apply creates a new one.",
            "AWS charges GuardDuty by the data that it reads; protection plans that the config \
             does not name stay off. AWS turns new protection plans on for a new detector; payctl \
             turns them off in the same step.",
        ],
        replace: Replace::DeleteFirst,
        data: Some("the findings of the detector"),
        deadline: Duration::from_secs(180),
        permits: &[
            Permit::look(&["guardduty:ListDetectors"], &["*"]),
            Permit::look(&["guardduty:GetDetector"], &["guardduty:{here}:detector/*"]),
            Permit::create(&["guardduty:CreateDetector"], &["*"]),
            Permit::create(
                &["iam:CreateServiceLinkedRole"],
                &["iam::{account}:role/aws-service-role/guardduty.amazonaws.com/*"],
            )
            .where_equal("iam:AWSServiceName", "guardduty.amazonaws.com"),
            Permit::set(&["guardduty:TagResource"], &["guardduty:{here}:detector/*"]),
            Permit::change(
                &["guardduty:UntagResource", "guardduty:UpdateDetector"],
                &["guardduty:{here}:detector/*"],
            ),
            Permit::delete(&["guardduty:DeleteDetector"], &["guardduty:{here}:detector/*"]),
        ],
        names: Some(NameRule::tag("detector")),
        section: "threat_detection",
        asked: &["frequency"],
        typical: Typical::seconds(5, 2, 2),
        pricing: Pricing::Charged(
            "AWS charges for the events and the flow records that it reads, and for each plan.",
        ),
        types: &["guardduty:detector"],
        ..Meta::new("guardduty.detector", "guardduty", "The GuardDuty detector of the account.")
    };

    fn sample() -> Self {
        Self { frequency: "FIFTEEN_MINUTES".into(), features: BTreeSet::new() }
    }

    fn variants() -> Vec<Self> {
        let features = ["LAMBDA_NETWORK_LOGS", "S3_DATA_EVENTS"].map(str::to_owned);
        vec![
            Self { frequency: "SIX_HOURS".into(), ..Self::sample() },
            Self { features: features.into(), ..Self::sample() },
            Self::sample(),
        ]
    }

    fn begins(&self, cx: &Costs<'_>) -> Vec<(Driver, Decimal)> {
        let gb = gb(cx.assume.payments_per_month * cx.assume.log_kb);
        vec![(Driver::Messages, Decimal::from(EVENTS_PER_HOUR) * cx.hours()), (Driver::Gb, gb)]
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let mut charges = vec![
            Charge::usage("management events", "guardduty.events", cx.load(Driver::Messages)),
            Charge::usage("flow and DNS records", "guardduty.gb", cx.load(Driver::Gb)),
        ];
        charges.extend(self.plans(cx));
        charges
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let ids = cx.aws.guardduty.list_detectors().into_paginator().items().send();
        let ids = ids.collect::<Result<Vec<_>, _>>().await.map_err(op("ListDetectors"))?;
        let found = ids.iter().map(|id| async move {
            let Some(live) = describe(cx.aws, id).await? else { return Ok(None) };
            let claimed = match cx.aws.scope.owned(&live.tags) {
                Some(address) => Some((address, Owner::Ours)),
                None => cx.wanted.values().next().map(|address| (address.clone(), Owner::Shared)),
            };
            Ok(claimed.map(|(address, owner)| Found { address, owner, live }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        describe(cx.aws, cx.id()).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let made = cx
            .aws
            .guardduty
            .create_detector()
            .enable(true)
            .finding_publishing_frequency(FindingPublishingFrequency::from(&*self.frequency))
            .set_features(Some(switched(PLANS, &self.features)))
            .set_tags(Some(cx.tags.clone().into_iter().collect()))
            .send()
            .await
            .map_err(op("CreateDetector"))?;
        made.detector_id.ok_or_else(|| {
            let message = "AWS did not return a detector id";
            OpError::new("CreateDetector", ErrorClass::Service, "NoId", message)
        })
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        // Only what differs: AWS does not accept the old and the new runtime monitoring in one
        // call.
        let differ = self.features.symmetric_difference(&live.spec.features);
        let differ: Vec<&str> = differ.map(String::as_str).collect();
        let features = (!differ.is_empty()).then(|| switched(&differ, &self.features));
        cx.aws
            .guardduty
            .update_detector()
            .detector_id(&live.id)
            .enable(true)
            .finding_publishing_frequency(FindingPublishingFrequency::from(&*self.frequency))
            .set_features(features)
            .send()
            .await
            .map_err(op("UpdateDetector"))?;
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call = cx
            .aws
            .guardduty
            .tag_resource()
            .resource_arn(arn_of(cx.aws, &live.id))
            .set_tags(Some(set.clone().into_iter().collect()));
        call.send().await.map_err(op("TagResource")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let call = cx
            .aws
            .guardduty
            .untag_resource()
            .resource_arn(arn_of(cx.aws, &live.id))
            .set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagResource")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.guardduty.delete_detector().detector_id(&live.id).send();
        send.await.map_err(op("DeleteDetector")).or_gone().map(drop)
    }
}

fn arn_of(aws: &Aws, id: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:guardduty:{}:{}:detector/{id}", scope.partition, scope.region, scope.account)
}

/// These features, each on or off.
fn switched(names: &[&str], on: &BTreeSet<String>) -> Vec<DetectorFeatureConfiguration> {
    let each = names.iter().map(|name| {
        let status =
            if on.contains(*name) { FeatureStatus::Enabled } else { FeatureStatus::Disabled };
        let feature = DetectorFeature::from(*name);
        DetectorFeatureConfiguration::builder().name(feature).status(status).build()
    });
    each.collect()
}

async fn describe(aws: &Aws, id: &str) -> Result<Option<Live<Detector>>, OpError> {
    let send = aws.guardduty.get_detector().detector_id(id).send();
    let Some(found) = send.await.map_err(op("GetDetector")).or_gone()? else { return Ok(None) };
    let is_on = |status: &Option<FeatureStatus>| *status == Some(FeatureStatus::Enabled);
    let features = found.features.unwrap_or_default().into_iter();
    let features = features.filter(|feature| is_on(&feature.status)).filter_map(|feature| {
        let name = feature.name?.as_str().to_owned();
        (!FOUNDATION.contains(&&*name)).then_some(name)
    });
    let frequency = found.finding_publishing_frequency;
    let frequency = frequency.unwrap_or(FindingPublishingFrequency::SixHours);
    let spec = Detector { frequency: frequency.as_str().to_owned(), features: features.collect() };
    Ok(Some(Live {
        id: id.to_owned(),
        spec,
        outputs: Outputs::from([(Output::Id, id.to_owned()), (Output::Arn, arn_of(aws, id))]),
        tags: found.tags.unwrap_or_default().into_iter().collect(),
        phase: Phase::Ready,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_sent_and_only_wanted_ones_are_on() {
        let wanted = BTreeSet::from(["S3_DATA_EVENTS".to_owned()]);
        let features = switched(PLANS, &wanted);
        assert_eq!(features.len(), PLANS.len());
        let on = features.iter().filter(|plan| plan.status == Some(FeatureStatus::Enabled));
        let on: Vec<_> = on.map(|plan| plan.name.clone()).collect();
        assert_eq!(on, [Some(DetectorFeature::S3DataEvents)]);
    }
}
