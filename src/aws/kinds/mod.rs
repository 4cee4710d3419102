//! The table of kinds: plan, docs, `explain` and the round trip are loops over it.
//!
//! A new kind is one file here, its `mod` line and its line in the table.

use super::resource::{AnyKind, kind};

pub(crate) mod dynamodb_table;
pub(crate) mod ec2_elastic_ip;
pub(crate) mod ec2_gateway_endpoint;
pub(crate) mod ec2_instance;
pub(crate) mod ec2_internet_gateway;
pub(crate) mod ec2_nat_gateway;
pub(crate) mod ec2_route_table;
pub(crate) mod ec2_security_group;
pub(crate) mod ec2_security_group_rules;
pub(crate) mod ec2_subnet;
pub(crate) mod ec2_vpc;
pub(crate) mod iam_instance_profile;
pub(crate) mod iam_role;
pub(crate) mod kms_key;
pub(crate) mod logs_log_group;
pub(crate) mod s3_bucket;
pub(crate) mod secretsmanager_secret;
pub(crate) mod sns_subscription;
pub(crate) mod sns_topic;
pub(crate) mod sqs_queue;
pub(crate) mod ssm_parameter;

/// Every kind, in the order of the docs.
pub static KINDS: &[&dyn AnyKind] = &[
    kind::<dynamodb_table::Table>(),
    kind::<s3_bucket::Bucket>(),
    kind::<sns_topic::Topic>(),
    kind::<sns_subscription::Subscription>(),
    kind::<sqs_queue::Queue>(),
];
