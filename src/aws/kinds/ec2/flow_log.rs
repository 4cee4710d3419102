//! Flow logs of a VPC: a record of its connections in a log group or a bucket.
//!
//! AWS quirks: only the tags of a flow log can be changed. Creation and deletion succeed and list
//! their errors in the answer. AWS refuses a second one with the same settings
//! (`FlowLogAlreadyExists`), so a new one waits for the deletion of the old one. AWS tests the role
//! at creation; only `deliverLogsStatus` shows later whether records arrive.

use std::time::Duration;

use aws_sdk_ec2::types::{
    Filter, FlowLog as AwsFlowLog, FlowLogsResourceType, LogDestinationType, ResourceType,
    TrafficType,
};
use serde::{Deserialize, Serialize};

use super::common;
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::kinds::logs::delivery::delivery;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::Scope;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed, gb};

/// A flow log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlowLog {
    /// The id of the VPC.
    pub vpc: Text,
    /// Which connections: `ALL`, `ACCEPT` or `REJECT`.
    pub traffic: String,
    /// The ARN of the log group or of the bucket.
    pub destination: Text,
    /// The ARN of the role that writes into a log group; a bucket needs none.
    pub role: Option<Text>,
    /// Over how many seconds the packets of a connection are added up: 60 or 600.
    pub interval: i32,
}

impl Resource for FlowLog {
    const META: Meta = Meta {
        drawn: Drawn::badge("log", "flow log", &["vpc"]),
        notes: &[
            "A flow log cannot be changed: payctl replaces it, and AWS does not record the \
             traffic of the seconds between.",
            "AWS reports only later whether records arrive: see DeliverLogsStatus in `aws ec2 \
             describe-flow-logs`.",
            "AWS never records traffic to Amazon's DNS servers, the metadata service and the time \
             service.",
        ],
        immutable: &["vpc", "traffic", "destination", "role", "interval"],
        replace: Replace::DeleteFirst,
        read_lag: common::SETTLE,
        deadline: Duration::from_secs(300),
        transient: &[("InvalidParameter", "Unable to assume given IAM role")],
        gone_at_once: true,
        permits: &[
            Permit::look(&["ec2:DescribeFlowLogs"], &["*"]),
            Permit::create(&["ec2:CreateFlowLogs"], &["ec2:{here}:vpc-flow-log/*"]).made_ours(),
            Permit::create(&["ec2:CreateFlowLogs"], &["ec2:{here}:vpc/*"]).ours(),
            Permit::create(&["ec2:CreateTags"], &["ec2:{here}:vpc-flow-log/*"])
                .where_equal("ec2:CreateAction", "CreateFlowLogs"),
            Permit::create(&["iam:PassRole"], &["iam::{account}:role{path}*"])
                .where_equal("iam:PassedToService", "vpc-flow-logs.amazonaws.com"),
            // Into a bucket.
            Permit::create(&["logs:CreateLogDelivery"], &["*"]),
            Permit::create(&["s3:GetBucketPolicy"], &["s3:::{s3.bucket}"]),
            Permit::change(&["ec2:CreateTags", "ec2:DeleteTags"], &["ec2:{here}:vpc-flow-log/*"])
                .ours(),
            Permit::delete(&["ec2:DeleteFlowLogs"], &["ec2:{here}:vpc-flow-log/*"]).ours(),
            Permit::delete(&["logs:DeleteLogDelivery"], &["*"]),
        ],
        names: Some(NameRule::tag("flow-log")),
        section: "network",
        asked: &["traffic", "interval"],
        typical: Typical::seconds(5, 1, 2),
        pricing: Pricing::Charged("AWS charges for the records that it delivers."),
        types: &["ec2:vpc-flow-log"],
        ..Meta::new("ec2.flow_log", "ec2", "A record of the connections in a VPC.")
    };

    fn sample() -> Self {
        let reference = |kind, output| Text::reference(Address::new(kind, "sample"), output);
        Self {
            vpc: reference("ec2.vpc", Output::Id),
            traffic: "ALL".into(),
            destination: reference("logs.log_group", Output::Arn),
            role: Some(reference("iam.role", Output::Arn)),
            interval: 600,
        }
    }

    fn variants() -> Vec<Self> {
        Vec::new()
    }

    fn begins(&self, cx: &Costs<'_>) -> Vec<(Driver, Decimal)> {
        vec![(Driver::Gb, gb(cx.assume.payments_per_month * cx.assume.log_kb))]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        to(&self.destination, Driver::DeliveredGb, cx.load(Driver::Gb))
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let meter = delivery(&self.destination, cx);
        vec![Charge::usage("flow records", meter, cx.load(Driver::Gb))]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        Ok(common::found(cx, find(cx.aws, common::ours(cx.aws)).await?))
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        Ok(common::pick(cx, find(cx.aws, vec![common::filter("flow-log-id", [cx.id()])]).await?))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let destination = self.destination.known();
        let kind = if is_bucket(destination) {
            LogDestinationType::S3
        } else {
            LogDestinationType::CloudWatchLogs
        };
        let role = self.role.as_ref().map(|role| role.known().to_owned());
        let answer = cx
            .aws
            .ec2
            .create_flow_logs()
            .resource_type(FlowLogsResourceType::Vpc)
            .resource_ids(self.vpc.known())
            .traffic_type(TrafficType::from(self.traffic.as_str()))
            .log_destination_type(kind)
            .log_destination(destination)
            .set_deliver_logs_permission_arn(role)
            .max_aggregation_interval(self.interval)
            .tag_specifications(common::tagged(ResourceType::VpcFlowLog, cx.tags))
            .send()
            .await
            .map_err(op("CreateFlowLogs"))?;
        common::refused("CreateFlowLogs", answer.unsuccessful)?;
        common::made("CreateFlowLogs", answer.flow_log_ids.unwrap_or_default().into_iter().next())
    }

    /// Every field is immutable.
    async fn update(&self, _: &Cx<'_>, _: &Live<Self>) -> Result<(), OpError> {
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.ec2.delete_flow_logs().flow_log_ids(&live.id).send();
        let Some(answer) = send.await.map_err(op("DeleteFlowLogs")).or_gone()? else {
            return Ok(());
        };
        common::refused("DeleteFlowLogs", answer.unsuccessful).or_gone().map(drop)
    }
}

fn is_bucket(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("s3")
}

async fn find(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<Live<FlowLog>>, OpError> {
    let call = aws.ec2.describe_flow_logs().set_filter(Some(filters)).max_results(1000);
    let pages = call.into_paginator().items().send();
    let found: Result<Vec<AwsFlowLog>, _> = pages.try_collect().await;
    let found = found.map_err(op("DescribeFlowLogs")).or_gone()?.unwrap_or_default();
    Ok(found.into_iter().map(|flow_log| to_live(&aws.scope, flow_log)).collect())
}

fn to_live(scope: &Scope, found: AwsFlowLog) -> Live<FlowLog> {
    let id = found.flow_log_id.unwrap_or_default();
    let role = found.deliver_logs_permission_arn.filter(|arn| !arn.is_empty());
    // Old flow logs have only the name of the log group.
    let destination = found.log_destination.filter(|arn| !arn.is_empty()).unwrap_or_else(|| {
        let Scope { partition, region, account, .. } = scope;
        let group = found.log_group_name.unwrap_or_default();
        format!("arn:{partition}:logs:{region}:{account}:log-group:{group}")
    });
    Live {
        spec: FlowLog {
            vpc: found.resource_id.unwrap_or_default().into(),
            traffic: found.traffic_type.map_or_else(String::new, |kind| kind.as_str().to_owned()),
            destination: destination.trim_end_matches(":*").into(),
            role: role.map(Text::from),
            interval: found.max_aggregation_interval.unwrap_or(600),
        },
        outputs: Outputs::from([(Output::Id, id.clone())]),
        tags: common::tags(found.tags),
        phase: Phase::Ready,
        id,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{UnsuccessfulItem, UnsuccessfulItemError};

    use super::*;
    use payctl_engine::model::error::ErrorClass;

    #[test]
    fn the_log_group_is_read_from_arn_or_name() {
        let scope = Scope {
            project: "payment".into(),
            env: "dev".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        };
        let arn = "arn:aws:logs:us-east-1:123456789012:log-group:flows";
        let check =
            |found: AwsFlowLog| assert_eq!(to_live(&scope, found).spec.destination, arn.into());
        check(AwsFlowLog::builder().log_group_name("flows").build());
        check(AwsFlowLog::builder().log_destination(format!("{arn}:*")).build());
        check(AwsFlowLog::builder().log_destination(arn).log_group_name("flows").build());
    }

    #[test]
    fn a_refusal_in_the_list_is_an_error() {
        let item = |code: &str, message: &str| {
            let error = UnsuccessfulItemError::builder().code(code).message(message).build();
            Some(vec![UnsuccessfulItem::builder().error(error).build()])
        };
        let taken = item("FlowLogAlreadyExists", "There is an existing Flow Log");
        let taken = common::refused("CreateFlowLogs", taken).expect_err("it was refused");
        assert_eq!(taken.class, ErrorClass::Exists);
        let gone = item("InvalidFlowLogId.NotFound", "These flow log ids are not found");
        let gone = common::refused("DeleteFlowLogs", gone).expect_err("it was refused");
        assert_eq!(gone.class, ErrorClass::NotFound);
        assert_eq!(common::refused("DeleteFlowLogs", Some(Vec::new())), Ok(()));
    }

    #[test]
    fn a_bucket_is_recognised_by_its_arn() {
        assert!(is_bucket("arn:aws:s3:::logs"));
        assert!(is_bucket("arn:aws-us-gov:s3:::logs/vpc/"));
        assert!(!is_bucket("arn:aws:logs:us-east-1:1:log-group:s3"));
    }
}
