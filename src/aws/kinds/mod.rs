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
pub(crate) mod autoscaling_group;
pub(crate) mod cloudwatch;
pub(crate) mod cloudwatch_alarm;
pub(crate) mod cloudwatch_dashboard;
pub(crate) mod costs_anomaly_monitor;
pub(crate) mod costs_anomaly_subscription;
pub(crate) mod dynamodb_table;
pub(crate) mod ec2;
pub(crate) mod ec2_elastic_ip;
pub(crate) mod ec2_flow_log;
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
pub(crate) mod ecs;
pub(crate) mod ecs_cluster;
pub(crate) mod ecs_service;
pub(crate) mod ecs_task_definition;
pub(crate) mod elb;
pub(crate) mod elb_listener;
pub(crate) mod elb_load_balancer;
pub(crate) mod elb_target_group;
pub(crate) mod events_rule;
pub(crate) mod guardduty_detector;
pub(crate) mod iam_instance_profile;
pub(crate) mod iam_role;
pub(crate) mod kms_key;
pub(crate) mod lambda;
pub(crate) mod lambda_event_source;
pub(crate) mod lambda_function;
pub(crate) mod lambda_permissions;
pub(crate) mod logs_log_group;
pub(crate) mod logs_metric_filter;
pub(crate) mod rds;
pub(crate) mod rds_cluster;
pub(crate) mod rds_cluster_parameter_group;
pub(crate) mod rds_instance;
pub(crate) mod rds_subnet_group;
pub(crate) mod s3_bucket;
pub(crate) mod scaling_target;
pub(crate) mod secretsmanager_attachment;
pub(crate) mod secretsmanager_rotation;
pub(crate) mod secretsmanager_secret;
pub(crate) mod sns_subscription;
pub(crate) mod sns_topic;
pub(crate) mod sqs_queue;
pub(crate) mod ssm_parameter;
pub(crate) mod waf_association;
pub(crate) mod waf_web_acl;

/// Every kind, by name.
pub static KINDS: &[&dyn AnyKind] = &[
    kind::<apigateway_account::Account>(),
    kind::<apigateway_api_key::ApiKey>(),
    kind::<apigateway_rest_api::RestApi>(),
    kind::<apigateway_stage::Stage>(),
    kind::<apigateway_usage_plan::UsagePlan>(),
    kind::<apigateway_vpc_link::VpcLink>(),
    kind::<autoscaling_group::Group>(),
    kind::<cloudwatch_alarm::Alarm>(),
    kind::<cloudwatch_dashboard::Dashboard>(),
    kind::<costs_anomaly_monitor::AnomalyMonitor>(),
    kind::<costs_anomaly_subscription::AnomalySubscription>(),
    kind::<dynamodb_table::Table>(),
    kind::<ec2_elastic_ip::ElasticIp>(),
    kind::<ec2_flow_log::FlowLog>(),
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
    kind::<ecs_cluster::Cluster>(),
    kind::<ecs_service::Service>(),
    kind::<ecs_task_definition::TaskDefinition>(),
    kind::<elb_listener::Listener>(),
    kind::<elb_load_balancer::LoadBalancer>(),
    kind::<elb_target_group::TargetGroup>(),
    kind::<events_rule::Rule>(),
    kind::<guardduty_detector::Detector>(),
    kind::<iam_instance_profile::InstanceProfile>(),
    kind::<iam_role::Role>(),
    kind::<kms_key::Key>(),
    kind::<lambda_event_source::EventSource>(),
    kind::<lambda_function::Function>(),
    kind::<lambda_permissions::Permissions>(),
    kind::<logs_log_group::LogGroup>(),
    kind::<logs_metric_filter::Filter>(),
    kind::<rds_cluster::Cluster>(),
    kind::<rds_cluster_parameter_group::ParameterGroup>(),
    kind::<rds_instance::Instance>(),
    kind::<rds_subnet_group::SubnetGroup>(),
    kind::<s3_bucket::Bucket>(),
    kind::<scaling_target::Target>(),
    kind::<secretsmanager_attachment::Attachment>(),
    kind::<secretsmanager_rotation::Rotation>(),
    kind::<secretsmanager_secret::Secret>(),
    kind::<sns_subscription::Subscription>(),
    kind::<sns_topic::Topic>(),
    kind::<sqs_queue::Queue>(),
    kind::<ssm_parameter::Parameter>(),
    kind::<waf_association::Association>(),
    kind::<waf_web_acl::WebAcl>(),
];
