//! The permissions that EC2 checks for a call.
//!
//! EC2 checks every object that takes part. It does not check the objects that a call lists.

use serde_json::Value;

use super::super::toolbox::text;
use super::super::{ACCOUNT, Call, World, ec2};
use super::Need;
use super::tagged::specified;

/// The needs of a call to EC2.
pub(super) fn of_call(world: &World, call: &Call) -> Vec<Need> {
    let Call { operation, input, region, .. } = call;
    let action = format!("ec2:{operation}");
    let looks = operation.starts_with("Describe");
    if looks && !matches!(operation.as_str(), "DescribeVpcAttribute" | "DescribeInstanceAttribute")
    {
        return vec![Need::new(action, "*")];
    }
    let arn = |kind: &str, id: &str| format!("arn:aws:ec2:{region}:{ACCOUNT}:{kind}/{id}");
    let mut needs = Vec::new();
    for kind in made_by(operation) {
        let mut need = Need::new(action.clone(), arn(kind, "*"));
        let tags = specified(input, kind);
        for (key, value) in &tags {
            need = need.with(format!("aws:RequestTag/{key}"), value);
        }
        let tagging = Need::new("ec2:CreateTags", arn(kind, "*"));
        needs.push(need);
        if !tags.is_empty() {
            needs.push(tagging.with("ec2:CreateAction", operation.as_str()));
        }
    }
    let mut ids = Vec::new();
    gather(input, &mut ids);
    let joined: Vec<String> =
        ids.iter().flat_map(|id| ec2::associated(&world.ec2, region, id)).collect();
    ids.extend(joined);
    ids.sort();
    ids.dedup();
    for id in ids {
        let Some(kind) = ec2::type_of(&id) else { continue };
        if !used_by(operation).is_none_or(|kinds| kinds.contains(&kind)) {
            continue;
        }
        let mut need = Need::new(action.clone(), arn(kind, &id));
        for (key, value) in ec2::tags_of(&world.ec2, region, &id) {
            need = need.with(format!("aws:ResourceTag/{key}"), value);
        }
        needs.push(need);
    }
    if operation == "RunInstances"
        && let Some(image) = text(input, "ImageId")
    {
        needs.push(Need::new(action, format!("arn:aws:ec2:{region}::image/{image}")));
    }
    needs
}

/// The types of the objects that an operation creates.
fn made_by(operation: &str) -> &'static [&'static str] {
    match operation {
        "AllocateAddress" => &["elastic-ip"],
        "CreateFlowLogs" => &["vpc-flow-log"],
        "CreateInternetGateway" => &["internet-gateway"],
        "CreateLaunchTemplate" => &["launch-template"],
        "CreateNatGateway" => &["natgateway"],
        "CreateRouteTable" => &["route-table"],
        "CreateSecurityGroup" => &["security-group"],
        "CreateSubnet" => &["subnet"],
        "CreateVpc" => &["vpc"],
        "CreateVpcEndpoint" => &["vpc-endpoint"],
        "RunInstances" => &["instance", "network-interface", "volume"],
        _ => &[],
    }
}

/// The types of the objects that an operation uses, if its input names others that AWS does not
/// check.
fn used_by(operation: &str) -> Option<&'static [&'static str]> {
    Some(match operation {
        // The rules of a group name other groups, and a template names objects that its instances
        // will use.
        "AuthorizeSecurityGroupEgress"
        | "AuthorizeSecurityGroupIngress"
        | "RevokeSecurityGroupEgress"
        | "RevokeSecurityGroupIngress"
        | "UpdateSecurityGroupRuleDescriptionsEgress"
        | "UpdateSecurityGroupRuleDescriptionsIngress" => &["security-group"],
        "CreateLaunchTemplate" => &[],
        "CreateLaunchTemplateVersion" | "ModifyLaunchTemplate" => &["launch-template"],
        "CreateRoute" | "ReplaceRoute" | "DeleteRoute" => &["route-table"],
        _ => return None,
    })
}

/// The ids of objects in an input.
fn gather(input: &Value, ids: &mut Vec<String>) {
    match input {
        Value::String(text) if ec2::type_of(text).is_some() || text.starts_with("rtbassoc-") => {
            ids.push(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, ids)),
        // The values of tags may look like ids.
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "Tag" | "TagSpecification" | "UserData"))
            .for_each(|(_, value)| gather(value, ids)),
        _ => {}
    }
}
