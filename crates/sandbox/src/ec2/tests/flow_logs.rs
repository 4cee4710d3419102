//! Flow logs.

use super::*;
use crate::{iam, s3};

fn role(world: &mut World, service: &str) -> String {
    let statement = json!({
        "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole",
    });
    let trust = json!({ "Version": "2012-10-17", "Statement": [statement] });
    let call = Call {
        service: "iam".to_owned(),
        operation: "CreateRole".to_owned(),
        input: json!({ "RoleName": service, "AssumeRolePolicyDocument": trust.to_string() }),
        region: "us-east-1".to_owned(),
    };
    let answer = iam::call(world, &call).unwrap_or_else(|refusal| panic!("{}", refusal.message));
    id(&answer, "/Role/Arn")
}

#[test]
fn a_flow_log_is_unique_and_needs_a_role_it_can_assume() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let (other, own) =
        (role(&mut world, "ec2.amazonaws.com"), role(&mut world, "vpc-flow-logs.amazonaws.com"));
    let wanted = |role: &str| {
        json!({
            "ResourceType": "VPC", "ResourceId": [vpc], "TrafficType": "ALL",
            "LogDestinationType": "cloud-watch-logs", "DeliverLogsPermissionArn": role,
            "LogDestination": "arn:aws:logs:us-east-1:000000000000:log-group:flows:*",
        })
    };
    let message = refused(&mut world, "CreateFlowLogs", wanted(&other), "InvalidParameter");
    assert_eq!(message, "Unable to assume given IAM role");
    let made = ask(&mut world, "CreateFlowLogs", wanted(&own));
    let flow_log = id(&made, "/flowLogIdSet/0");
    let again = ask(&mut world, "CreateFlowLogs", wanted(&own));
    assert_eq!(again["unsuccessful"][0]["error"]["code"], "FlowLogAlreadyExists");
    let found = ask(&mut world, "DescribeFlowLogs", json!({}));
    assert_eq!(found["flowLogSet"][0]["logGroupName"], "flows");
    assert_eq!(found["flowLogSet"][0]["maxAggregationInterval"], 600);
    let gone = json!({ "FlowLogId": [flow_log] });
    assert_eq!(ask(&mut world, "DeleteFlowLogs", gone.clone())["unsuccessful"], json!([]));
    let error = ask(&mut world, "DeleteFlowLogs", gone)["unsuccessful"][0]["error"].clone();
    assert_eq!(error["code"], "InvalidFlowLogId.NotFound");
}

#[test]
fn ec2_adds_itself_to_a_bucket_policy_that_omits_it() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    world.s3.buckets.insert("logs".into(), s3::Bucket::default());
    let wanted = json!({
        "ResourceType": "VPC", "ResourceId": [vpc], "TrafficType": "REJECT",
        "LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::logs",
    });
    ask(&mut world, "CreateFlowLogs", wanted);
    let policy = world.s3.buckets["logs"].policy.clone().expect("EC2 wrote one");
    assert!(policy.contains("AWSLogDeliveryWrite") && policy.contains("AWSLogDeliveryAclCheck"));
}

#[test]
fn a_flow_log_has_one_destination_and_it_must_exist() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let wanted = |destination: Option<&str>, group: Option<&str>| {
        json!({
            "ResourceType": "VPC", "ResourceId": [vpc], "TrafficType": "ALL",
            "LogDestinationType": "s3", "LogDestination": destination, "LogGroupName": group,
        })
    };
    let bucket = Some("arn:aws:s3:::gone");
    for (destination, group, start) in [
        (bucket, Some("g"), "Please only provide LogGroupName or only provide LogDestination."),
        (None, Some("g"), "LogDestination type must be cloud-watch-logs"),
        (None, None, "LogDestination can't be empty"),
    ] {
        let input = wanted(destination, group);
        let message = refused(&mut world, "CreateFlowLogs", input, "InvalidParameter");
        assert!(message.starts_with(start), "{message}");
    }
    let made = ask(&mut world, "CreateFlowLogs", wanted(bucket, None));
    assert_eq!(made["flowLogIdSet"], json!([]));
    let error = &made["unsuccessful"][0]["error"];
    assert_eq!(error["message"], "LogDestination: gone does not exist");
}
