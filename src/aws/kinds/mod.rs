//! The table of kinds: plan, docs, `explain` and the round trip are loops over it.
//!
//! A folder for each service holds its kinds, what they share, how fast the service takes calls
//! (`rates.rs`) and its checks before an apply (`CHECKS`). A new kind is one file in the folder of
//! its service, its `mod` line there and its line in the table here.

use super::census::Index;
use super::leftovers::{Holder, Late, Probe};
use super::lent::Usable;
use super::pace::rates::Rates;
use super::preflight::Check;
use super::resource::{AnyKind, kind};
use super::restores::Keeper;
use payctl_engine::model::meta::Meta;

pub(crate) mod acm;
pub(crate) mod apigateway;
pub(crate) mod autoscaling;
pub(crate) mod cloudwatch;
pub(crate) mod costs;
pub(crate) mod dynamodb;
pub(crate) mod ec2;
pub(crate) mod ecs;
pub(crate) mod elb;
pub(crate) mod events;
pub(crate) mod guardduty;
pub(crate) mod iam;
pub(crate) mod kms;
pub(crate) mod lambda;
pub(crate) mod logs;
pub(crate) mod rds;
pub(crate) mod route53;
pub(crate) mod s3;
pub(crate) mod scaling;
pub(crate) mod secretsmanager;
pub(crate) mod sns;
pub(crate) mod sqs;
pub(crate) mod ssm;
mod traces;
pub(crate) mod waf;

/// Every kind, by name.
pub static KINDS: &[&dyn AnyKind] = &[
    kind::<acm::certificate::Certificate>(),
    kind::<apigateway::account::Account>(),
    kind::<apigateway::api_key::ApiKey>(),
    kind::<apigateway::domain_name::DomainName>(),
    kind::<apigateway::rest_api::RestApi>(),
    kind::<apigateway::stage::Stage>(),
    kind::<apigateway::usage_plan::UsagePlan>(),
    kind::<apigateway::vpc_link::VpcLink>(),
    kind::<autoscaling::group::Group>(),
    kind::<cloudwatch::alarm::Alarm>(),
    kind::<cloudwatch::dashboard::Dashboard>(),
    kind::<costs::anomaly_monitor::AnomalyMonitor>(),
    kind::<costs::anomaly_subscription::AnomalySubscription>(),
    kind::<dynamodb::table::Table>(),
    kind::<ec2::elastic_ip::ElasticIp>(),
    kind::<ec2::flow_log::FlowLog>(),
    kind::<ec2::gateway_endpoint::GatewayEndpoint>(),
    kind::<ec2::instance::Instance>(),
    kind::<ec2::internet_gateway::InternetGateway>(),
    kind::<ec2::launch_template::LaunchTemplate>(),
    kind::<ec2::nat_gateway::NatGateway>(),
    kind::<ec2::route_table::RouteTable>(),
    kind::<ec2::security_group::SecurityGroup>(),
    kind::<ec2::security_group_rules::Rules>(),
    kind::<ec2::subnet::Subnet>(),
    kind::<ec2::vpc::Vpc>(),
    kind::<ecs::cluster::Cluster>(),
    kind::<ecs::service::Service>(),
    kind::<ecs::task_definition::TaskDefinition>(),
    kind::<elb::listener::Listener>(),
    kind::<elb::listener_rule::ListenerRule>(),
    kind::<elb::load_balancer::LoadBalancer>(),
    kind::<elb::target::Target>(),
    kind::<elb::target_group::TargetGroup>(),
    kind::<events::rule::Rule>(),
    kind::<guardduty::detector::Detector>(),
    kind::<iam::instance_profile::InstanceProfile>(),
    kind::<iam::role::Role>(),
    kind::<kms::key::Key>(),
    kind::<lambda::alias::Alias>(),
    kind::<lambda::event_source::EventSource>(),
    kind::<lambda::function::Function>(),
    kind::<lambda::permissions::Permissions>(),
    kind::<logs::log_group::LogGroup>(),
    kind::<logs::metric_filter::Filter>(),
    kind::<rds::cluster::Cluster>(),
    kind::<rds::cluster_parameter_group::ParameterGroup>(),
    kind::<rds::instance::Instance>(),
    kind::<rds::subnet_group::SubnetGroup>(),
    kind::<route53::record::Record>(),
    kind::<s3::bucket::Bucket>(),
    kind::<scaling::target::Target>(),
    kind::<secretsmanager::attachment::Attachment>(),
    kind::<secretsmanager::rotation::Rotation>(),
    kind::<secretsmanager::secret::Secret>(),
    kind::<sns::subscription::Subscription>(),
    kind::<sns::topic::Topic>(),
    kind::<sqs::queue::Queue>(),
    kind::<ssm::parameter::Parameter>(),
    kind::<waf::association::Association>(),
    kind::<waf::web_acl::WebAcl>(),
];

/// The services that take fewer calls than others.
pub(super) static RATES: &[Rates] = &[
    apigateway::rates::RATES,
    cloudwatch::rates::RATES,
    dynamodb::rates::RATES,
    iam::rates::RATES,
    route53::rates::RATES,
    ssm::rates::RATES,
];

/// The checks of each service before an apply.
static CHECKS: &[&[Check]] = &[
    apigateway::CHECKS,
    autoscaling::CHECKS,
    dynamodb::CHECKS,
    ec2::CHECKS,
    elb::CHECKS,
    lambda::CHECKS,
    rds::CHECKS,
    route53::CHECKS,
];

/// These find the backups that AWS keeps of deleted objects.
pub static KEEPERS: &[Keeper] = &[dynamodb::KEEPER, rds::KEEPER];

/// These tell until when AWS holds deleted objects.
pub(super) static HOLDERS: &[Holder] = &[kms::held::HOLDER, secretsmanager::held::HOLDER];

/// These find what services create again after a destroy.
pub static LATE: &[Late] = &[logs::late::LATE];

/// These tell whether an object exists that a kind cannot read by its ARN.
pub(super) static PROBES: &[Probe] = &[ec2::probe::PROBE, sqs::probe::PROBE];

/// These list the objects of all environments that the tagging API does not know.
pub(super) static INDEXES: &[Index] = &[autoscaling::index::INDEX, iam::index::INDEX];

/// These list objects of environments that use something of others, without delay.
pub(super) static CLAIMS: &[Index] = &[ec2::claims::CLAIMS, elb::lent::CLAIMS];

/// The kinds of which an environment may use objects that it does not own.
pub static USABLE: &[Usable] = &[
    ec2::existing::SUBNET,
    ec2::existing::VPC,
    elb::lent::BALANCER,
    iam::existing::ROLE,
    kms::existing::KEY,
    s3::existing::BUCKET,
];

/// All checks before an apply, in the order of their subjects.
pub fn checks() -> Vec<&'static Check> {
    let mut checks: Vec<&Check> = CHECKS.iter().copied().flatten().collect();
    checks.sort_by_key(|check| check.subject);
    checks
}

/// The kind of this name, if there is one.
pub fn find_kind(name: &str) -> Option<&'static dyn AnyKind> {
    KINDS.iter().copied().find(|kind| kind.meta().kind == name)
}

/// The facts of the kind of this name, if there is one.
pub fn find_meta(name: &str) -> Option<&'static Meta> {
    find_kind(name).map(AnyKind::meta)
}
