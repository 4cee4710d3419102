//! The sandbox's EC2, with its VPCs.
//!
//! Each region has its own objects. Slow transitions count reads, not seconds: a rehearsal that
//! polls twice has waited long enough. The objects that AWS creates on its own (main route tables,
//! default groups, network ACLs, interfaces) exist too, and are deleted with their owner.

mod addresses;
mod cidr;
mod endpoints;
mod flow_logs;
mod gateways;
mod groups;
mod input;
mod instance_attributes;
mod instances;
mod interfaces;
mod launches;
pub(crate) mod lent;
mod listing;
mod nats;
mod permissions;
mod routes;
mod rules;
pub(crate) mod shared;
mod subnets;
mod tables;
mod tags;
pub(crate) mod templates;
#[cfg(test)]
mod tests;
mod tokens;
mod vpcs;
pub(crate) mod zones;

pub(crate) use addresses::QUOTA as ADDRESS_QUOTA;
pub(crate) use vpcs::QUOTA as VPC_QUOTA;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shelf::{Shelf, kept};
use super::toolbox::text;
use super::{Answer, Base, Call, Refusal, World};

/// The state of EC2, by region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    regions: BTreeMap<String, Region>,
}

kept!(State { regions });

/// The objects of one region, by id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Region {
    vpcs: Shelf<vpcs::Vpc>,
    subnets: Shelf<subnets::Subnet>,
    gateways: Shelf<gateways::Gateway>,
    tables: Shelf<tables::Table>,
    addresses: Shelf<addresses::Address>,
    nats: Shelf<nats::Nat>,
    instances: Shelf<instances::Instance>,
    groups: Shelf<groups::Group>,
    rules: Shelf<rules::Rule>,
    endpoints: Shelf<endpoints::Endpoint>,
    flow_logs: Shelf<flow_logs::FlowLog>,
    /// The network interfaces of Lambda functions.
    shared: Shelf<shared::Shared>,
    templates: Shelf<templates::Template>,
    /// The network interfaces of other services.
    lent: Shelf<lent::Lent>,
    /// The tags of all objects, by id.
    tags: Shelf<tags::Tags>,
    /// The objects that each client token created.
    tokens: Shelf<tokens::Token>,
    /// The number of public addresses so far.
    public_addresses: u32,
}

kept!(Region {
    vpcs,
    subnets,
    gateways,
    tables,
    addresses,
    nats,
    instances,
    groups,
    rules,
    endpoints,
    flow_logs,
    shared,
    templates,
    lent,
    tags,
    tokens,
    public_addresses
});

/// The context of an operation.
struct Cx<'a> {
    base: &'a mut Base,
    here: &'a mut Region,
    call: &'a Call,
}

impl Cx<'_> {
    /// The time in whole seconds, which JSON keeps exactly.
    fn now(&self) -> f64 {
        self.base.now().floor()
    }
}

/// The kinds of objects: the prefix of the id, the type in tag specifications, the code and the
/// words for a missing one.
const KINDS: [(&str, &str, &str, &str); 17] = [
    ("vpc", "vpc", "InvalidVpcID.NotFound", "vpc ID"),
    ("subnet", "subnet", "InvalidSubnetID.NotFound", "subnet ID"),
    ("igw", "internet-gateway", "InvalidInternetGatewayID.NotFound", "internetGateway ID"),
    ("rtb", "route-table", "InvalidRouteTableID.NotFound", "routeTable ID"),
    ("rtbassoc", "", "InvalidAssociationID.NotFound", "association ID"),
    ("eipalloc", "elastic-ip", "InvalidAllocationID.NotFound", "allocation ID"),
    ("eipassoc", "", "InvalidAssociationID.NotFound", "association ID"),
    ("nat", "natgateway", "NatGatewayNotFound", "NAT gateway"),
    ("i", "instance", "InvalidInstanceID.NotFound", "instance ID"),
    ("sg", "security-group", "InvalidGroup.NotFound", "security group"),
    ("sgr", "security-group-rule", "InvalidSecurityGroupRuleId.NotFound", "security group rule ID"),
    ("vpce", "vpc-endpoint", "InvalidVpcEndpointId.NotFound", "Vpc Endpoint Id"),
    ("eni", "network-interface", "InvalidNetworkInterfaceID.NotFound", "networkInterface ID"),
    ("acl", "network-acl", "InvalidNetworkAclID.NotFound", "networkAcl ID"),
    ("pl", "prefix-list", "InvalidPrefixListID.NotFound", "prefix list ID"),
    ("fl", "vpc-flow-log", "InvalidFlowLogId.NotFound", "flow log ID"),
    ("lt", "launch-template", "InvalidLaunchTemplateId.NotFound", "launch template ID"),
];

/// The type of an object in ARNs and tag specifications, by the form of its id.
pub(crate) fn type_of(id: &str) -> Option<&'static str> {
    let (prefix, rest) = id.split_once('-')?;
    let is_id = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let kind = KINDS.iter().find(|kind| kind.0 == prefix && is_id && !kind.1.is_empty());
    kind.map(|kind| kind.1)
}

/// The tags of a region's objects, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, BTreeMap<String, String>>)> + 'a {
    let tagged = state.regions.get(region).into_iter().flat_map(|here| &here.tags);
    tagged.filter_map(move |(id, tags)| {
        let arn = format!("arn:aws:ec2:{region}:{}:{}/{id}", crate::ACCOUNT, type_of(id)?);
        Some((arn, Cow::Borrowed(tags)))
    })
}

/// The tags of an object.
pub(crate) fn tags_of(state: &State, region: &str, id: &str) -> BTreeMap<String, String> {
    let here = state.regions.get(region);
    here.and_then(|here| here.tags.get(id)).cloned().unwrap_or_default()
}

/// The route table and the subnet that an association joins.
pub(crate) fn associated(state: &State, region: &str, association: &str) -> Vec<String> {
    let tables = state.regions.get(region).into_iter().flat_map(|here| &here.tables);
    let joined = tables.filter_map(|(id, table)| {
        table.subnets.get(association).map(|subnet| [id.clone(), subnet.clone()])
    });
    joined.flatten().collect()
}

/// The refusal of a call that names a missing object of this kind.
fn missing(prefix: &str, id: &str) -> Refusal {
    match KINDS.iter().find(|kind| kind.0 == prefix) {
        Some((_, _, code, words)) => {
            Refusal::new(code, format!("The {words} '{id}' does not exist"))
        }
        None => Refusal::new("InvalidID", format!("The ID '{id}' is not valid")),
    }
}

/// The object, or the refusal if it is missing.
fn found<'m, T>(map: &'m BTreeMap<String, T>, prefix: &str, id: &str) -> Result<&'m T, Refusal> {
    map.get(id).ok_or_else(|| missing(prefix, id))
}

/// The same for a change.
fn found_mut<'m, T>(map: &'m mut Shelf<T>, prefix: &str, id: &str) -> Result<&'m mut T, Refusal> {
    map.get_mut(id).ok_or_else(|| missing(prefix, id))
}

/// The refusal of a value.
fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValue", message)
}

/// The refusal of a deletion while another object needs this one.
fn depended_on(words: &str, id: &str) -> Refusal {
    let message = format!("The {words} '{id}' has dependencies and cannot be deleted.");
    Refusal::new("DependencyViolation", message)
}

/// XML does not contain null members.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name, without_nulls(member)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        leaf => leaf,
    }
}

/// Answers one call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    if text(&call.input, "DryRun") == Some("true") {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Refusal::new("DryRunOperation", message).with_status(412));
    }
    if call.operation == "CreateFlowLogs"
        && let Some(answer) = flow_logs::prepare(world, call)?
    {
        return Ok(answer);
    }
    let World { base, ec2, .. } = world;
    let here = ec2.regions.entry(call.region.clone()).or_default();
    shared::release(base, here);
    here.forget_lent(base.now());
    let operation = find_operation(&call.operation)
        .ok_or_else(|| Refusal::not_covered(&call.service, &call.operation))?;
    operation(&mut Cx { base, here, call }).map(without_nulls)
}

/// The function of an operation.
type Operation = fn(&mut Cx<'_>) -> Answer;

/// Finds the function of an operation.
fn find_operation(name: &str) -> Option<Operation> {
    Some(match name {
        "AllocateAddress" => addresses::allocate,
        "AssociateAddress" => addresses::associate,
        "AssociateRouteTable" => tables::associate,
        "AttachInternetGateway" => gateways::attach,
        "AuthorizeSecurityGroupEgress" => rules::authorize_egress,
        "AuthorizeSecurityGroupIngress" => rules::authorize_ingress,
        "CreateFlowLogs" => flow_logs::create,
        "CreateInternetGateway" => gateways::create,
        "CreateLaunchTemplate" => templates::create,
        "CreateLaunchTemplateVersion" => templates::create_version,
        "CreateNatGateway" => nats::create,
        "CreateRoute" => routes::create,
        "CreateRouteTable" => tables::create,
        "CreateSecurityGroup" => groups::create,
        "CreateSubnet" => subnets::create,
        "CreateTags" => tags::create,
        "CreateVpc" => vpcs::create,
        "CreateVpcEndpoint" => endpoints::create,
        "DeleteFlowLogs" => flow_logs::delete,
        "DeleteInternetGateway" => gateways::delete,
        "DeleteLaunchTemplate" => templates::delete,
        "DeleteNatGateway" => nats::delete,
        "DeleteNetworkInterface" => shared::delete,
        "DeleteRoute" => routes::delete,
        "DeleteRouteTable" => tables::delete,
        "DeleteSecurityGroup" => groups::delete,
        "DeleteSubnet" => subnets::delete,
        "DeleteTags" => tags::delete,
        "DeleteVpc" => vpcs::delete,
        "DeleteVpcEndpoints" => endpoints::delete,
        "DescribeAccountAttributes" => zones::account_attributes,
        "DescribeAddresses" => addresses::describe,
        "DescribeAvailabilityZones" => zones::zones,
        "DescribeFlowLogs" => flow_logs::describe,
        "DescribeImages" => zones::images,
        "DescribeInstanceAttribute" => instance_attributes::describe,
        "DescribeInstanceStatus" => instances::statuses,
        "DescribeInstanceTypeOfferings" => zones::type_offerings,
        "DescribeInstanceTypes" => zones::types,
        "DescribeInstances" => instances::describe,
        "DescribeInternetGateways" => gateways::describe,
        "DescribeLaunchTemplateVersions" => templates::describe_versions,
        "DescribeLaunchTemplates" => templates::describe,
        "DescribeManagedPrefixLists" => endpoints::managed_prefix_lists,
        "DescribeNatGateways" => nats::describe,
        "DescribeNetworkAcls" => vpcs::network_acls,
        "DescribeNetworkInterfaces" => interfaces::describe,
        "DescribePrefixLists" => endpoints::prefix_lists,
        "DescribeRegions" => zones::regions,
        "DescribeRouteTables" => tables::describe,
        "DescribeSecurityGroupRules" => rules::describe,
        "DescribeSecurityGroups" => groups::describe,
        "DescribeSubnets" => subnets::describe,
        "DescribeTags" => tags::describe,
        "DescribeVpcAttribute" => vpcs::attribute,
        "DescribeVpcEndpoints" => endpoints::describe,
        "DescribeVpcs" => vpcs::describe,
        "DetachInternetGateway" => gateways::detach,
        "DisassociateAddress" => addresses::disassociate,
        "DisassociateRouteTable" => tables::disassociate,
        "ModifyInstanceAttribute" => instance_attributes::modify,
        "ModifyLaunchTemplate" => templates::modify,
        "ModifySecurityGroupRules" => rules::modify,
        "ModifySubnetAttribute" => subnets::modify,
        "ModifyVpcAttribute" => vpcs::modify,
        "ModifyVpcEndpoint" => endpoints::modify,
        "ReleaseAddress" => addresses::release,
        "ReplaceRoute" => routes::replace,
        "ReplaceRouteTableAssociation" => tables::replace_association,
        "RevokeSecurityGroupEgress" => rules::revoke_egress,
        "RevokeSecurityGroupIngress" => rules::revoke_ingress,
        "RunInstances" => launches::run,
        "StartInstances" => instances::start,
        "StopInstances" => instances::stop,
        "TerminateInstances" => instances::terminate,
        "UpdateSecurityGroupRuleDescriptionsEgress" => rules::describe_egress_anew,
        "UpdateSecurityGroupRuleDescriptionsIngress" => rules::describe_ingress_anew,
        _ => return None,
    })
}

/// The number of live objects, by kind. Objects that AWS created by itself do not count.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    let sum = |count: fn(&Region) -> usize| state.regions.values().map(count).sum();
    vec![
        ("vpcs", sum(|here| here.vpcs.len())),
        ("subnets", sum(|here| here.subnets.len())),
        ("internet_gateways", sum(|here| here.gateways.len())),
        ("route_tables", sum(|here| here.tables.values().filter(|t| t.main.is_none()).count())),
        ("elastic_ips", sum(|here| here.addresses.len())),
        ("nat_gateways", sum(|here| here.nats.values().filter(|nat| nat.lives()).count())),
        ("instances", sum(|here| here.instances.values().filter(|one| one.lives()).count())),
        ("security_groups", sum(|here| here.groups.values().filter(|g| !g.is_default()).count())),
        ("launch_templates", sum(|here| here.templates.len())),
        ("flow_logs", sum(|here| here.flow_logs.len())),
        ("vpc_endpoints", sum(|here| here.endpoints.values().filter(|e| e.lives()).count())),
    ]
}
