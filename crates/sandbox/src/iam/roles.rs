//! Roles with their inline and attached policies.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{
    KEY_VALUE, Tags, add_tags, iso, put, refuse, remove_tags, tag_list, tag_pairs, text, texts,
    within,
};
use super::super::{ACCOUNT, Answer, Base, Refusal, World};
use super::{
    State, TAGS, conflict, encoded, exists, gone, invalid, listed, over, policies, required, size,
    taken, unique_id, valid_name, valid_path, valid_policy, valid_trust,
};

/// The start of the paths of service-linked roles.
pub(super) const LINKED: &str = "/aws-service-role/";

/// A role.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Role {
    path: String,
    id: String,
    pub(super) created: f64,
    trust: String,
    description: String,
    max_session: i64,
    boundary: Option<String>,
    tags: Tags,
    inline: BTreeMap<String, String>,
    pub(super) attached: BTreeSet<String>,
}

impl Role {
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether the trust policy names a service.
    pub(super) fn trusts(&self, service: &str) -> bool {
        self.trust.contains(service)
    }

    /// A service-linked role.
    pub(super) fn linked(base: &Base, service: &str) -> Self {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": service },
            "Action": "sts:AssumeRole",
        }] });
        Self {
            path: format!("{LINKED}{service}/"),
            id: unique_id("AROA", service),
            created: base.now(),
            trust: trust.to_string(),
            max_session: 3600,
            ..Self::default()
        }
    }

    fn is_linked(&self) -> bool {
        self.path.starts_with(LINKED)
    }

    /// Whether the role belongs to the account as a whole.
    pub(super) fn is_shared(&self) -> bool {
        self.path == "/payctl/shared/" || self.is_linked()
    }

    /// Whether a managed policy is its boundary.
    pub(super) fn is_bounded_by(&self, policy: &str) -> bool {
        self.boundary.as_deref() == Some(policy)
    }

    /// The role in a list.
    pub(super) fn brief(&self, name: &str) -> Value {
        let mut view = json!({
            "Path": self.path,
            "RoleName": name,
            "RoleId": self.id,
            "Arn": format!("arn:aws:iam::{ACCOUNT}:role{}{name}", self.path),
            "CreateDate": iso(self.created),
            "AssumeRolePolicyDocument": encoded(&self.trust),
            "MaxSessionDuration": self.max_session,
        });
        put(&mut view, "Description", Some(&*self.description).filter(|text| !text.is_empty()));
        view
    }

    /// The role in the account's authorization details.
    fn detail(&self, name: &str) -> Value {
        let mut view = self.full(name);
        for key in ["Description", "MaxSessionDuration"] {
            view.as_object_mut().and_then(|members| members.remove(key));
        }
        let inline = self
            .inline
            .iter()
            .map(|(name, policy)| json!({ "PolicyName": name, "PolicyDocument": encoded(policy) }));
        view["RolePolicyList"] = inline.collect();
        let attached = self.attached.iter().map(|arn| {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            json!({ "PolicyName": name, "PolicyArn": arn })
        });
        view["AttachedManagedPolicies"] = attached.collect();
        view["InstanceProfileList"] = json!([]);
        view
    }

    fn full(&self, name: &str) -> Value {
        let mut view = self.brief(name);
        if let Some(boundary) = &self.boundary {
            view["PermissionsBoundary"] = json!({
                "PermissionsBoundaryType": "Policy",
                "PermissionsBoundaryArn": boundary,
            });
        }
        if !self.tags.is_empty() {
            view["Tags"] = tag_pairs(&self.tags, KEY_VALUE).into();
        }
        view["RoleLastUsed"] = json!({});
        view
    }
}

/// Answers a call about roles, or `None` for other calls.
pub(super) fn call(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    let state = &mut world.iam;
    Some(match operation {
        "CreateRole" => create(world, input),
        "GetRole" => find(state, input).map(|(name, role)| json!({ "Role": role.full(&name) })),
        "ListRoles" => list(state, input),
        "GetAccountAuthorizationDetails" => {
            let roles = state.roles.iter().map(|(name, role)| (name.clone(), role.detail(name)));
            listed("RoleDetailList", roles.collect(), input)
        }
        "UpdateRole" => update(state, input),
        "UpdateRoleDescription" => find(state, input).map(|(name, role)| {
            role.description = text(input, "Description").unwrap_or_default().to_owned();
            json!({ "Role": role.full(&name) })
        }),
        "UpdateAssumeRolePolicy" => retrust(state, input),
        "DeleteRole" => delete(state, input),
        "TagRole" => find(state, input)
            .and_then(|(_, role)| {
                add_tags(&mut role.tags, tag_list(input, "Tags", KEY_VALUE), TAGS)
            })
            .map(|()| json!({})),
        "UntagRole" => find(state, input).map(|(_, role)| {
            remove_tags(&mut role.tags, &texts(input, "TagKeys"));
            json!({})
        }),
        "ListRoleTags" => find(state, input).and_then(|(_, role)| {
            let pairs = tag_pairs(&role.tags, KEY_VALUE);
            listed("Tags", role.tags.keys().cloned().zip(pairs).collect(), input)
        }),
        "PutRolePermissionsBoundary" | "DeleteRolePermissionsBoundary" => bound(state, input),
        "PutRolePolicy" => put_inline(state, input),
        "GetRolePolicy" => get_inline(state, input),
        "ListRolePolicies" => find(state, input).and_then(|(_, role)| {
            let names = role.inline.keys().map(|name| (name.clone(), name.as_str().into()));
            listed("PolicyNames", names.collect(), input)
        }),
        "DeleteRolePolicy" => delete_inline(state, input),
        "AttachRolePolicy" => attach(state, input),
        "DetachRolePolicy" => detach(state, input),
        "ListAttachedRolePolicies" => list_attached(state, input),
        _ => return None,
    })
}

fn find<'a>(state: &'a mut State, input: &Value) -> Result<(String, &'a mut Role), Refusal> {
    let name = required(input, "RoleName")?;
    match state.roles.get_mut(name) {
        Some(role) => Ok((name.to_owned(), role)),
        None => Err(gone("role", name)),
    }
}

fn read_max_session(input: &Value) -> Result<Option<i64>, Refusal> {
    within(input, "MaxSessionDuration", 3600..=43_200, "ValidationError")
}

fn read_description(input: &Value) -> Result<Option<String>, Refusal> {
    match text(input, "Description") {
        Some(text) if text.chars().count() > 1000 || text.chars().any(char::is_control) => {
            Err(invalid("description must have at most 1000 characters, none of them a control"))
        }
        found => Ok(found.map(str::to_owned)),
    }
}

fn create(world: &mut World, input: &Value) -> Answer {
    let name = valid_name(input, "RoleName", 64)?;
    let path = valid_path(input)?;
    let trust = required(input, "AssumeRolePolicyDocument")?;
    valid_trust(trust)?;
    let max_session = read_max_session(input)?.unwrap_or(3600);
    let description = read_description(input)?.unwrap_or_default();
    let boundary = text(input, "PermissionsBoundary").map(str::to_owned);
    if let Some(policy) = &boundary {
        policies::must_exist(&world.iam, policy)?;
    }
    if taken(&world.iam.roles, name) {
        return Err(exists("Role", name));
    }
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
    let role = Role {
        path,
        id: unique_id("AROA", &world.base.id("role")),
        created: world.base.now(),
        trust: trust.to_owned(),
        description,
        max_session,
        boundary,
        tags,
        ..Role::default()
    };
    let mut view = role.full(name);
    for later in ["MaxSessionDuration", "RoleLastUsed"] {
        view.as_object_mut().and_then(|members| members.remove(later));
    }
    world.iam.roles.insert(name.to_owned(), role);
    Ok(json!({ "Role": view }))
}

fn list(state: &State, input: &Value) -> Answer {
    let prefix = text(input, "PathPrefix").unwrap_or("/");
    let roles = state.roles.iter().filter(|(_, role)| role.path.starts_with(prefix));
    listed("Roles", roles.map(|(name, role)| (name.clone(), role.brief(name))).collect(), input)
}

fn update(state: &mut State, input: &Value) -> Answer {
    let max_session = read_max_session(input)?;
    let description = read_description(input)?;
    let (_, role) = find(state, input)?;
    // A member that the call leaves out goes back to its default.
    role.max_session = max_session.unwrap_or(3600);
    if let Some(description) = description {
        role.description = description;
    }
    Ok(json!({}))
}

fn retrust(state: &mut State, input: &Value) -> Answer {
    let (_, role) = find(state, input)?;
    let trust = required(input, "PolicyDocument")?;
    valid_trust(trust)?;
    role.trust = trust.to_owned();
    Ok(json!({}))
}

fn delete(state: &mut State, input: &Value) -> Answer {
    let (name, role) = find(state, input)?;
    if role.is_linked() {
        let message = format!(
            "Cannot perform the operation on the protected role '{name}' - this role is only \
             modifiable by AWS"
        );
        return Err(refuse(400, "UnmodifiableEntity", message));
    }
    if !role.attached.is_empty() {
        return Err(conflict("Cannot delete entity, must detach all policies first."));
    }
    if !role.inline.is_empty() {
        return Err(conflict("Cannot delete entity, must delete policies first."));
    }
    if state.profiles.values().any(|profile| profile.role.as_ref() == Some(&name)) {
        return Err(conflict(
            "Cannot delete entity, must remove roles from instance profile first.",
        ));
    }
    state.roles.remove(&name);
    Ok(json!({}))
}

/// A call without a boundary removes it.
fn bound(state: &mut State, input: &Value) -> Answer {
    let boundary = text(input, "PermissionsBoundary").map(str::to_owned);
    if let Some(policy) = &boundary {
        policies::must_exist(state, policy)?;
    }
    let (name, role) = find(state, input)?;
    if boundary.is_none() && role.boundary.is_none() {
        return Err(gone("permissions boundary of the role", &name));
    }
    role.boundary = boundary;
    Ok(json!({}))
}

fn put_inline(state: &mut State, input: &Value) -> Answer {
    let (_, role) = find(state, input)?;
    let policy = valid_name(input, "PolicyName", 128)?;
    let document = required(input, "PolicyDocument")?;
    valid_policy(document)?;
    let others = role.inline.iter().filter(|(name, _)| *name != policy);
    let total: usize = others.map(|(_, document)| size(document)).sum();
    if total + size(document) > 10_240 {
        return Err(refuse(
            409,
            "LimitExceeded",
            "Maximum policy size of 10240 bytes exceeded for role",
        ));
    }
    role.inline.insert(policy.to_owned(), document.to_owned());
    Ok(json!({}))
}

fn get_inline(state: &mut State, input: &Value) -> Answer {
    let (name, role) = find(state, input)?;
    let policy = required(input, "PolicyName")?;
    let document = role.inline.get(policy).ok_or_else(|| gone("role policy", policy))?;
    Ok(json!({
        "RoleName": name,
        "PolicyName": policy,
        "PolicyDocument": encoded(document),
    }))
}

fn delete_inline(state: &mut State, input: &Value) -> Answer {
    let (_, role) = find(state, input)?;
    let policy = required(input, "PolicyName")?;
    role.inline.remove(policy).ok_or_else(|| gone("role policy", policy))?;
    Ok(json!({}))
}

fn attach(state: &mut State, input: &Value) -> Answer {
    let policy = required(input, "PolicyArn")?;
    find(state, input)?;
    policies::must_exist(state, policy)?;
    let (_, role) = find(state, input)?;
    if role.attached.len() >= 10 && !role.attached.contains(policy) {
        return Err(over("PoliciesPerRole: 10"));
    }
    role.attached.insert(policy.to_owned());
    Ok(json!({}))
}

fn detach(state: &mut State, input: &Value) -> Answer {
    let (_, role) = find(state, input)?;
    let policy = required(input, "PolicyArn")?;
    if role.attached.remove(policy) {
        Ok(json!({}))
    } else {
        Err(refuse(404, "NoSuchEntity", format!("Policy {policy} was not found.")))
    }
}

fn list_attached(state: &mut State, input: &Value) -> Answer {
    let (_, role) = find(state, input)?;
    let attached = role.attached.iter().map(|arn| {
        let name = arn.rsplit('/').next().unwrap_or(arn);
        (arn.clone(), json!({ "PolicyName": name, "PolicyArn": arn }))
    });
    listed("AttachedPolicies", attached.collect(), input)
}
