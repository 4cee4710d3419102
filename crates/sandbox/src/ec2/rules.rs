//! Security group rules.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::text;
use super::super::{ACCOUNT, Answer, Refusal};
use super::input::missing_parameter;
use super::listing::{self, Listing};
use super::permissions::{Permission, check_words};
use super::{Cx, KINDS, found, invalid, missing};

/// A rule of a group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Rule {
    pub group: String,
    pub egress: bool,
    pub permission: Permission,
}

fn render(cx: &Cx<'_>, id: &str, rule: &Rule) -> Value {
    let mut answer = rule.permission.render(cx.here);
    let region = &cx.call.region;
    answer["securityGroupRuleId"] = json!(id);
    answer["securityGroupRuleArn"] =
        json!(format!("arn:aws:ec2:{region}:{ACCOUNT}:security-group-rule/{id}"));
    answer["groupId"] = json!(rule.group);
    answer["groupOwnerId"] = json!(ACCOUNT);
    answer["isEgress"] = json!(rule.egress);
    answer["tagSet"] = cx.here.tag_set(id);
    answer
}

pub(super) fn authorize_ingress(cx: &mut Cx<'_>) -> Answer {
    authorize(cx, false)
}

pub(super) fn authorize_egress(cx: &mut Cx<'_>) -> Answer {
    authorize(cx, true)
}

/// The id of the rule with the same content.
fn existing(cx: &Cx<'_>, group: &str, egress: bool, permission: &Permission) -> Option<String> {
    let mut rules = cx.here.rules.iter().filter(|(_, rule)| {
        rule.group == group && rule.egress == egress && rule.permission.is_same(permission)
    });
    rules.next().map(|(id, _)| id.clone())
}

/// Adds all rules, or none if one of them exists.
fn authorize(cx: &mut Cx<'_>, egress: bool) -> Answer {
    let group = cx.need("GroupId")?;
    found(&cx.here.groups, "sg", group)?;
    let permissions = cx.permissions()?;
    if permissions.is_empty() {
        return Err(missing_parameter("ipPermissions"));
    }
    for one in &permissions {
        if existing(cx, group, egress, one).is_some() {
            let message = format!("the specified rule \"{}\" already exists", one.words());
            return Err(Refusal::new("InvalidPermission.Duplicate", message));
        }
    }
    let kind = KINDS.iter().find(|kind| kind.0 == "sgr").map_or("", |kind| kind.1);
    let tags = cx.new_tags(&[kind])?.remove(kind).unwrap_or_default();
    let mut made = Vec::new();
    for permission in permissions {
        let id = cx.base.id("sgr");
        cx.tag(&id, tags.clone());
        let rule = Rule { group: group.to_owned(), egress, permission };
        made.push(render(cx, &id, &rule));
        cx.here.rules.insert(id, rule);
    }
    Ok(json!({ "return": true, "securityGroupRuleSet": made }))
}

pub(super) fn revoke_ingress(cx: &mut Cx<'_>) -> Answer {
    revoke(cx, false)
}

pub(super) fn revoke_egress(cx: &mut Cx<'_>) -> Answer {
    revoke(cx, true)
}

/// The id, if the group has a rule with this id and direction.
fn own_rule(cx: &Cx<'_>, group: &str, egress: bool, id: &str) -> Result<(), Refusal> {
    match cx.here.rules.get(id) {
        Some(rule) if rule.group == group && rule.egress == egress => Ok(()),
        Some(_) => Err(invalid(format!(
            "The security group rule ID '{id}' is not a rule of {group} in that direction"
        ))),
        None => Err(missing("sgr", id)),
    }
}

/// The group's rules with the request's permissions.
fn matching(cx: &Cx<'_>, group: &str, egress: bool) -> Result<Vec<(String, Permission)>, Refusal> {
    let mut rules = Vec::new();
    for one in cx.permissions()? {
        let id = existing(cx, group, egress, &one).ok_or_else(|| {
            let message = "The specified rule does not exist in this security group.";
            Refusal::new("InvalidPermission.NotFound", message)
        })?;
        rules.push((id, one));
    }
    Ok(rules)
}

/// Removes all named rules, or none.
fn revoke(cx: &mut Cx<'_>, egress: bool) -> Answer {
    let group = cx.need("GroupId")?;
    found(&cx.here.groups, "sg", group)?;
    let mut ids = cx.list("SecurityGroupRuleId");
    for id in &ids {
        own_rule(cx, group, egress, id)?;
    }
    ids.extend(matching(cx, group, egress)?.into_iter().map(|(id, _)| id));
    if ids.is_empty() {
        return Err(missing_parameter("ipPermissions"));
    }
    let mut revoked = Vec::new();
    for id in ids {
        let Some(rule) = cx.here.rules.remove(&id) else { continue };
        let mut shown = render(cx, &id, &rule);
        shown["referencedGroupId"] = shown["referencedGroupInfo"]["groupId"].clone();
        if let Some(members) = shown.as_object_mut() {
            for absent in ["referencedGroupInfo", "tagSet", "securityGroupRuleArn", "groupOwnerId"]
            {
                members.remove(absent);
            }
        }
        revoked.push(shown);
        cx.here.tags.remove(&id);
    }
    Ok(json!({ "return": true, "revokedSecurityGroupRuleSet": revoked }))
}

const LISTING: Listing = Listing {
    set: "securityGroupRuleSet",
    ask: "SecurityGroupRuleId",
    id: "securityGroupRuleId",
    prefix: "sgr",
    filters: &[("group-id", "groupId"), ("security-group-rule-id", "securityGroupRuleId")],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let all = cx.here.rules.iter().map(|(id, rule)| render(cx, id, rule)).collect();
    listing::answer(cx, &LISTING, all)
}

pub(super) fn describe_ingress_anew(cx: &mut Cx<'_>) -> Answer {
    describe_anew(cx, false)
}

pub(super) fn describe_egress_anew(cx: &mut Cx<'_>) -> Answer {
    describe_anew(cx, true)
}

/// Changes descriptions. A call without a description removes it.
fn describe_anew(cx: &mut Cx<'_>, egress: bool) -> Answer {
    let group = cx.need("GroupId")?;
    found(&cx.here.groups, "sg", group)?;
    let mut changes: Vec<(String, Option<String>)> = Vec::new();
    for (id, permission) in matching(cx, group, egress)? {
        changes.push((id, permission.description));
    }
    for one in cx.items("SecurityGroupRuleDescription") {
        let id = text(one, "SecurityGroupRuleId");
        let id = id.ok_or_else(|| missing_parameter("SecurityGroupRuleId"))?;
        own_rule(cx, group, egress, id)?;
        let description = text(one, "Description").filter(|text| !text.is_empty());
        if let Some(text) = description {
            check_words("description", text)?;
        }
        changes.push((id.to_owned(), description.map(str::to_owned)));
    }
    if changes.is_empty() {
        return Err(missing_parameter("ipPermissions"));
    }
    for (id, description) in changes {
        if let Some(rule) = cx.here.rules.get_mut(&id) {
            rule.permission.description = description;
        }
    }
    Ok(json!({ "return": true }))
}

/// Replaces whole rules by id.
pub(super) fn modify(cx: &mut Cx<'_>) -> Answer {
    let group = cx.need("GroupId")?;
    found(&cx.here.groups, "sg", group)?;
    let mut changes = Vec::new();
    for one in cx.items("SecurityGroupRule") {
        let id = text(one, "SecurityGroupRuleId");
        let id = id.ok_or_else(|| missing_parameter("SecurityGroupRuleId"))?;
        let egress = cx.here.rules.get(id).is_some_and(|rule| rule.egress);
        own_rule(cx, group, egress, id)?;
        let permission = cx.permission(one.get("SecurityGroupRule").unwrap_or(&Value::Null))?;
        if existing(cx, group, egress, &permission).is_some_and(|other| other != id) {
            let message = format!("the specified rule \"{}\" already exists", permission.words());
            return Err(Refusal::new("InvalidPermission.Duplicate", message));
        }
        changes.push((id, permission));
    }
    for (id, permission) in changes {
        if let Some(rule) = cx.here.rules.get_mut(id) {
            rule.permission = permission;
        }
    }
    Ok(json!({ "return": true }))
}
