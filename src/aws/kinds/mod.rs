//! The table of kinds: plan, docs, `explain` and the round trip are loops over it.
//!
//! A new kind is one file here, its `mod` line and its line in the table.

use super::resource::{AnyKind, kind};

pub(crate) mod apigateway;
pub(crate) mod apigateway_account;
pub(crate) mod apigateway_api_key;
pub(crate) mod apigateway_definition;
pub(crate) mod apigateway_moves;
pub(crate) mod apigateway_rest_api;
pub(crate) mod apigateway_stage;
pub(crate) mod apigateway_usage_plan;
pub(crate) mod apigateway_vpc_link;
pub(crate) mod dynamodb_table;
pub(crate) mod ec2;
pub(crate) mod ec2_elastic_ip;
pub(crate) mod ec2_gateway_endpoint;
pub(crate) mod ec2_instance;
pub(crate) mod ec2_internet_gateway;
pub(crate) mod ec2_nat_gateway;
pub(crate) mod ec2_permissions;
pub(crate) mod ec2_route_table;
pub(crate) mod ec2_routes;
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
    kind::<apigateway_account::Account>(),
    kind::<apigateway_api_key::ApiKey>(),
    kind::<apigateway_rest_api::RestApi>(),
    kind::<apigateway_stage::Stage>(),
    kind::<apigateway_usage_plan::UsagePlan>(),
    kind::<apigateway_vpc_link::VpcLink>(),
    kind::<dynamodb_table::Table>(),
    kind::<ec2_elastic_ip::ElasticIp>(),
    kind::<ec2_gateway_endpoint::GatewayEndpoint>(),
    kind::<ec2_instance::Instance>(),
    kind::<ec2_internet_gateway::InternetGateway>(),
    kind::<ec2_nat_gateway::NatGateway>(),
    kind::<ec2_route_table::RouteTable>(),
    kind::<ec2_security_group::SecurityGroup>(),
    kind::<ec2_security_group_rules::Rules>(),
    kind::<ec2_subnet::Subnet>(),
    kind::<ec2_vpc::Vpc>(),
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
