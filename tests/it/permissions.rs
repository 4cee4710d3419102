//! The IAM actions that `explain` and the docs list are those that the calls need.

use std::collections::BTreeSet;

use payctl::aws::facts::{ACTIONS, connect};
use payctl::aws::kinds::KINDS;
use payctl::aws::provider::AwsProvider;
use payctl::sandbox::connector::Sandbox;

use crate::kinds::round_trip;
use crate::support::{block_on, sandboxed};

/// The prefix of a service's actions, by its name in the SDK.
const PREFIXES: &[(&str, &str)] = &[
    ("API Gateway", "apigateway"),
    ("ApiGatewayV2", "apigateway"),
    ("Application Auto Scaling", "application-autoscaling"),
    ("Auto Scaling", "autoscaling"),
    ("CloudWatch", "cloudwatch"),
    ("CloudWatch Logs", "logs"),
    ("Cost Explorer", "ce"),
    ("DynamoDB", "dynamodb"),
    ("EC2", "ec2"),
    ("ECS", "ecs"),
    ("Elastic Load Balancing v2", "elasticloadbalancing"),
    ("EventBridge", "events"),
    ("GuardDuty", "guardduty"),
    ("IAM", "iam"),
    ("KMS", "kms"),
    ("Lambda", "lambda"),
    ("RDS", "rds"),
    ("Resource Groups Tagging API", "tag"),
    ("S3", "s3"),
    ("SNS", "sns"),
    ("SQS", "sqs"),
    ("SSM", "ssm"),
    ("STS", "sts"),
    ("Secrets Manager", "secretsmanager"),
    ("WAFV2", "wafv2"),
];

/// Calls whose action has another name.
const RENAMED: &[(&str, &str)] = &[
    ("s3:DeleteBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("s3:DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"),
    ("s3:DeleteBucketTagging", "s3:PutBucketTagging"),
    ("s3:DeleteObjects", "s3:DeleteObject"),
    ("s3:DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    ("s3:GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    ("s3:GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    ("s3:GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"),
    ("s3:GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    ("s3:HeadBucket", "s3:ListBucket"),
    ("s3:ListBuckets", "s3:ListAllMyBuckets"),
    ("s3:ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    ("s3:ListObjectVersions", "s3:ListBucketVersions"),
    ("s3:PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("s3:PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    ("s3:PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"),
    ("s3:PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
];

/// The action that a call needs, `EC2.CreateVpc`. API Gateway permits by the method of HTTP.
fn action(call: &str) -> String {
    let (service, operation) = call.split_once('.').expect("a service and an operation");
    let prefix = PREFIXES.iter().find(|(name, _)| *name == service).expect("a known service").1;
    let verbs = [
        ("Get", "GET"),
        ("Create", "POST"),
        ("Update", "PATCH"),
        ("Put", "PUT"),
        ("Tag", "PUT"),
        ("Delete", "DELETE"),
        ("Untag", "DELETE"),
    ];
    let action = match verbs.iter().find(|(verb, _)| operation.starts_with(verb)) {
        Some((_, method)) if prefix == "apigateway" => format!("{prefix}:{method}"),
        _ => format!("{prefix}:{operation}"),
    };
    let renamed = RENAMED.iter().find(|(call, _)| *call == action);
    renamed.map_or(action, |(_, name)| (*name).to_owned())
}

#[test]
fn every_call_needs_an_action_that_is_listed() {
    let counts = block_on(async {
        let sandbox = Sandbox::in_memory();
        let connected = connect(&sandboxed(&sandbox), "payment", "sample").await;
        let (mut aws, _) = connected.expect("the sandbox answers");
        aws.packages = payctl::model::package::Packages::samples().into_iter().collect();
        let provider = AwsProvider::new(aws);
        round_trip(&provider, &[]).await;
        provider.aws().meter.counts()
    });
    assert!(counts.len() > 200, "{} operations", counts.len());
    let listed = KINDS.iter().flat_map(|kind| kind.meta().actions);
    let listed: BTreeSet<&str> = listed.chain(ACTIONS).copied().collect();
    let lacking: BTreeSet<String> = counts
        .keys()
        .filter(|call| !listed.contains(&*action(call)))
        .map(|call| format!("{call} needs {}", action(call)))
        .collect();
    assert!(lacking.is_empty(), "{lacking:#?}");
}
