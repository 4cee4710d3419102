//! Security groups.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{ACCOUNT, Answer, Refusal};
use super::listing::{self, Listing};
use super::permissions::{Peer, Permission, check_words, merged};
use super::rules::Rule;
use super::{Cx, Region, found, invalid};

/// A security group. The region keeps its rules.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Group {
    pub name: String,
    description: String,
    pub vpc: String,
    /// When it was created. The default group of a VPC counts as old.
    pub made: f64,
}

impl Group {
    /// The default group of a VPC.
    pub(super) fn default_of(vpc: &str) -> Self {
        let description = "default VPC security group".to_owned();
        Self { name: "default".to_owned(), description, vpc: vpc.to_owned(), made: 0.0 }
    }

    /// Whether AWS created it with the VPC.
    pub(super) fn is_default(&self) -> bool {
        self.name == "default"
    }
}

impl Region {
    /// Removes the group with its rules.
    pub(super) fn forget_group(&mut self, id: &str) {
        self.groups.remove(id);
        self.tags.remove(id);
        let tags = &mut self.tags;
        self.rules.retain(|rule_id, rule| {
            let stays = rule.group != id;
            if !stays {
                tags.remove(rule_id);
            }
            stays
        });
    }
}

/// Adds a default group with the rules that AWS gives it.
pub(super) fn insert(cx: &mut Cx<'_>, group: Group) {
    let id = cx.base.id("sg");
    cx.here.groups.insert(id.clone(), group);
    add_rule(cx, &id, false, Permission::all(Peer::Group(id.clone())));
    add_rule(cx, &id, true, Permission::everywhere());
}

fn add_rule(cx: &mut Cx<'_>, group: &str, egress: bool, permission: Permission) {
    let id = cx.base.id("sgr");
    cx.here.rules.insert(id, Rule { group: group.to_owned(), egress, permission });
}

fn arn(cx: &Cx<'_>, id: &str) -> String {
    format!("arn:aws:ec2:{}:{ACCOUNT}:security-group/{id}", cx.call.region)
}

/// Creates a group. AWS adds a rule that allows all egress.
pub(super) fn create(cx: &mut Cx<'_>) -> Answer {
    let (name, description) = (cx.need("GroupName")?, cx.need("GroupDescription")?);
    let Some(vpc) = cx.text("VpcId") else {
        let message = "No default VPC for this user.";
        return Err(Refusal::new("VPCIdNotSpecified", message));
    };
    found(&cx.here.vpcs, "vpc", vpc)?;
    check_words("GroupName", name)?;
    check_words("GroupDescription", description)?;
    if name.eq_ignore_ascii_case("default") {
        return Err(invalid("Cannot use reserved security group name: default"));
    }
    if name.starts_with("sg-") {
        return Err(invalid(format!(
            "Value ({name}) for parameter GroupName is invalid. Group names may not be in the \
             format sg-*."
        )));
    }
    let mut others = cx.here.groups.values().filter(|other| other.vpc == vpc);
    if others.any(|other| other.name.eq_ignore_ascii_case(name)) {
        let message = format!("The security group '{name}' already exists for VPC '{vpc}'");
        return Err(Refusal::new("InvalidGroup.Duplicate", message));
    }
    let id = cx.make("sg")?;
    let group = Group {
        name: name.to_owned(),
        description: description.to_owned(),
        vpc: vpc.to_owned(),
        made: cx.now(),
    };
    cx.here.groups.insert(id.clone(), group);
    add_rule(cx, &id, true, Permission::everywhere());
    Ok(json!({
        "return": true,
        "groupId": id,
        "securityGroupArn": arn(cx, &id),
        "tagSet": cx.here.tag_set(&id),
    }))
}

fn render(cx: &Cx<'_>, id: &str, group: &Group) -> Value {
    let permissions = |egress: bool| {
        let rules = cx.here.rules.values();
        let own = rules.filter(|rule| rule.group == id && rule.egress == egress);
        merged(own.map(|rule| &rule.permission))
    };
    json!({
        "groupId": id,
        "groupName": group.name,
        "groupDescription": group.description,
        "securityGroupArn": arn(cx, id),
        "ownerId": ACCOUNT,
        "vpcId": group.vpc,
        "ipPermissions": permissions(false),
        "ipPermissionsEgress": permissions(true),
        "tagSet": cx.here.tag_set(id),
    })
}

const LISTING: Listing = Listing {
    set: "securityGroupInfo",
    ask: "GroupId",
    id: "groupId",
    prefix: "sg",
    filters: &[
        ("description", "groupDescription"),
        ("egress.ip-permission.cidr", "ipPermissionsEgress.ipRanges.cidrIp"),
        ("egress.ip-permission.from-port", "ipPermissionsEgress.fromPort"),
        ("egress.ip-permission.group-id", "ipPermissionsEgress.groups.groupId"),
        ("egress.ip-permission.prefix-list-id", "ipPermissionsEgress.prefixListIds.prefixListId"),
        ("egress.ip-permission.protocol", "ipPermissionsEgress.ipProtocol"),
        ("egress.ip-permission.to-port", "ipPermissionsEgress.toPort"),
        ("group-id", "groupId"),
        ("group-name", "groupName"),
        ("ip-permission.cidr", "ipPermissions.ipRanges.cidrIp"),
        ("ip-permission.from-port", "ipPermissions.fromPort"),
        ("ip-permission.group-id", "ipPermissions.groups.groupId"),
        ("ip-permission.prefix-list-id", "ipPermissions.prefixListIds.prefixListId"),
        ("ip-permission.protocol", "ipPermissions.ipProtocol"),
        ("ip-permission.to-port", "ipPermissions.toPort"),
        ("owner-id", "ownerId"),
        ("vpc-id", "vpcId"),
    ],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    // A call can only look up names in the default VPC, and there is none.
    if let Some(name) = cx.list("GroupName").first() {
        let message = format!("The security group '{name}' does not exist in default VPC 'none'");
        return Err(Refusal::new("InvalidGroup.NotFound", message));
    }
    let all = cx.here.groups.iter().map(|(id, group)| render(cx, id, group)).collect();
    listing::answer(cx, &LISTING, all)
}

/// Deletes the group, unless an interface uses it or the rule of another group names it.
pub(super) fn delete(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("GroupId")?;
    let group = found(&cx.here.groups, "sg", id)?;
    if group.is_default() {
        let message =
            format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user");
        return Err(Refusal::new("CannotDelete", message));
    }
    let peer = Peer::Group(id.to_owned());
    let named = cx.here.rules.values().any(|rule| rule.group != id && rule.permission.peer == peer);
    let worn =
        cx.here.interfaces().iter().any(|interface| interface.groups.iter().any(|g| g == id));
    if named || worn {
        let message = format!("resource {id} has a dependent object");
        return Err(Refusal::new("DependencyViolation", message));
    }
    cx.here.forget_group(id);
    Ok(json!({ "return": true, "groupId": id }))
}
