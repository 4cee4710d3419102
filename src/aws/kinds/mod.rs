//! The table of kinds: plan, docs, `explain` and the round trip are loops over it.
//!
//! A new kind is one file here, its `mod` line and its line in the table.

use super::resource::{AnyKind, kind};

pub(crate) mod autoscaling_group;
pub(crate) mod dynamodb_table;
pub(crate) mod ec2;
pub(crate) mod ec2_elastic_ip;
pub(crate) mod ec2_gateway_endpoint;
pub(crate) mod ec2_instance;
pub(crate) mod ec2_internet_gateway;
pub(crate) mod ec2_launch_template;
pub(crate) mod ec2_nat_gateway;
pub(crate) mod ec2_permissions;
pub(crate) mod ec2_route_table;
pub(crate) mod ec2_routes;
pub(crate) mod ec2_security_group;
pub(crate) mod ec2_security_group_rules;
pub(crate) mod ec2_subnet;
pub(crate) mod ec2_vpc;
pub(crate) mod elb;
pub(crate) mod elb_listener;
pub(crate) mod elb_load_balancer;
pub(crate) mod elb_target_group;
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
    kind::<autoscaling_group::Group>(),
    kind::<dynamodb_table::Table>(),
    kind::<ec2_elastic_ip::ElasticIp>(),
    kind::<ec2_gateway_endpoint::GatewayEndpoint>(),
    kind::<ec2_instance::Instance>(),
    kind::<ec2_internet_gateway::InternetGateway>(),
    kind::<ec2_launch_template::LaunchTemplate>(),
    kind::<ec2_nat_gateway::NatGateway>(),
    kind::<ec2_route_table::RouteTable>(),
    kind::<ec2_security_group::SecurityGroup>(),
    kind::<ec2_security_group_rules::Rules>(),
    kind::<ec2_subnet::Subnet>(),
    kind::<ec2_vpc::Vpc>(),
    kind::<elb_listener::Listener>(),
    kind::<elb_load_balancer::LoadBalancer>(),
    kind::<elb_target_group::TargetGroup>(),
    kind::<iam_instance_profile::InstanceProfile>(),
    kind::<iam_role::Role>(),
    kind::<kms_key::Key>(),
    kind::<logs_log_group::LogGroup>(),
    kind::<s3_bucket::Bucket>(),
    kind::<secretsmanager_secret::Secret>(),
    kind::<sns_subscription::Subscription>(),
    kind::<sns_topic::Topic>(),
    kind::<sqs_queue::Queue>(),
    kind::<ssm_parameter::Parameter>(),
];
