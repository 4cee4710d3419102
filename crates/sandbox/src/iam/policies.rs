//! Customer-managed policies, each with its one version, and the policies of AWS, which all exist.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{
    KEY_VALUE, Tags, add_tags, flag, iso, put, refuse, remove_tags, tag_list, tag_pairs, text,
    texts,
};
use super::super::{ACCOUNT, Answer, Refusal, World};
use super::{
    State, TAGS, conflict, encoded, exists, invalid, listed, over, required, size, unique_id,
    valid_name, valid_path, valid_policy,
};

/// A customer-managed policy.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Policy {
    name: String,
    path: String,
    id: String,
    created: f64,
    description: Option<String>,
    document: String,
    tags: Tags,
}

const AWS_OWNED: &str = "arn:aws:iam::aws:policy/";

/// Refuses a policy that a call cannot attach.
pub(super) fn must_exist(state: &State, arn: &str) -> Result<(), Refusal> {
    if !arn.starts_with("arn:") {
        return Err(invalid("Invalid ARN:  Could not be parsed!"));
    }
    if arn.starts_with(AWS_OWNED) || state.policies.contains_key(arn) {
        Ok(())
    } else {
        Err(refuse(
            404,
            "NoSuchEntity",
            format!("Policy {arn} does not exist or is not attachable."),
        ))
    }
}

/// Answers a call about managed policies, or `None` for other calls.
pub(super) fn call(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    let state = &mut world.iam;
    Some(match operation {
        "CreatePolicy" => create(world, input),
        "GetPolicy" => get(state, input),
        "ListPolicies" => list(state, input),
        "GetPolicyVersion" => {
            version(state, input).map(|version| json!({ "PolicyVersion": version }))
        }
        "ListPolicyVersions" => version(state, input).and_then(|mut version| {
            // Lists do not show documents.
            version.as_object_mut().and_then(|members| members.remove("Document"));
            listed("Versions", vec![("v1".into(), version)], input)
        }),
        "DeletePolicy" => delete(state, input),
        "TagPolicy" => find(state, input)
            .and_then(|(_, policy)| {
                add_tags(&mut policy.tags, tag_list(input, "Tags", KEY_VALUE), TAGS)
            })
            .map(|()| json!({})),
        "UntagPolicy" => find(state, input).map(|(_, policy)| {
            remove_tags(&mut policy.tags, &texts(input, "TagKeys"));
            json!({})
        }),
        "ListPolicyTags" => find(state, input).and_then(|(_, policy)| {
            let pairs = tag_pairs(&policy.tags, KEY_VALUE);
            listed("Tags", policy.tags.keys().cloned().zip(pairs).collect(), input)
        }),
        _ => return None,
    })
}

fn missing(arn: &str) -> Refusal {
    refuse(404, "NoSuchEntity", format!("Policy {arn} was not found."))
}

fn find<'a>(state: &'a mut State, input: &Value) -> Result<(String, &'a mut Policy), Refusal> {
    let arn = required(input, "PolicyArn")?;
    match state.policies.get_mut(arn) {
        Some(policy) => Ok((arn.to_owned(), policy)),
        None => Err(missing(arn)),
    }
}

fn attachments(state: &State, arn: &str) -> usize {
    state.roles.values().filter(|role| role.attached.contains(arn)).count()
}

fn view_of(state: &State, arn: &str, policy: &Policy) -> Value {
    let bounds = state.roles.values().filter(|role| role.is_bounded_by(arn)).count();
    json!({
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": arn,
        "Path": policy.path,
        "DefaultVersionId": "v1",
        "AttachmentCount": attachments(state, arn),
        "PermissionsBoundaryUsageCount": bounds,
        "IsAttachable": true,
        "CreateDate": iso(policy.created),
        "UpdateDate": iso(policy.created),
    })
}

/// A policy of AWS, derived from its ARN.
fn aws_owned(arn: &str) -> Option<Policy> {
    let path = arn.strip_prefix(AWS_OWNED)?;
    let (path, name) = match path.rsplit_once('/') {
        Some((path, name)) => (format!("/{path}/"), name),
        None => ("/".to_owned(), path),
    };
    let statement = json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]);
    Some(Policy {
        name: name.to_owned(),
        path,
        id: unique_id("ANPA", arn),
        document: json!({ "Version": "2012-10-17", "Statement": statement }).to_string(),
        ..Policy::default()
    })
}

fn known(state: &State, arn: &str) -> Result<Policy, Refusal> {
    state.policies.get(arn).cloned().or_else(|| aws_owned(arn)).ok_or_else(|| missing(arn))
}

fn create(world: &mut World, input: &Value) -> Answer {
    let name = valid_name(input, "PolicyName", 128)?;
    let path = valid_path(input)?;
    let document = required(input, "PolicyDocument")?;
    valid_policy(document)?;
    if size(document) > 6144 {
        return Err(over("PolicySize: 6144"));
    }
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy{path}{name}");
    let same = |policy: &Policy| policy.name.eq_ignore_ascii_case(name);
    if world.iam.policies.values().any(same) {
        return Err(exists("A policy", name));
    }
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
    let policy = Policy {
        name: name.to_owned(),
        path,
        id: unique_id("ANPA", &world.base.id("policy")),
        created: world.base.now(),
        description: text(input, "Description").map(str::to_owned),
        document: document.to_owned(),
        tags,
    };
    let view = view_of(&world.iam, &arn, &policy);
    world.iam.policies.insert(arn, policy);
    Ok(json!({ "Policy": view }))
}

fn get(state: &State, input: &Value) -> Answer {
    let arn = required(input, "PolicyArn")?;
    let policy = known(state, arn)?;
    let mut view = view_of(state, arn, &policy);
    put(&mut view, "Description", policy.description.clone());
    view["Tags"] = tag_pairs(&policy.tags, KEY_VALUE).into();
    Ok(json!({ "Policy": view }))
}

fn list(state: &State, input: &Value) -> Answer {
    let prefix = text(input, "PathPrefix").unwrap_or("/");
    let only_attached = flag(input, "OnlyAttached").unwrap_or(false);
    let local = text(input, "Scope") != Some("AWS");
    let policies = state.policies.iter().filter(|(arn, policy)| {
        local && policy.path.starts_with(prefix) && (!only_attached || attachments(state, arn) > 0)
    });
    let views = policies.map(|(arn, policy)| (arn.clone(), view_of(state, arn, policy)));
    listed("Policies", views.collect(), input)
}

fn version(state: &State, input: &Value) -> Answer {
    let arn = required(input, "PolicyArn")?;
    let policy = known(state, arn)?;
    match text(input, "VersionId").unwrap_or("v1") {
        "v1" => Ok(json!({
            "Document": encoded(&policy.document),
            "VersionId": "v1",
            "IsDefaultVersion": true,
            "CreateDate": iso(policy.created),
        })),
        other => Err(missing(&format!("{arn} version {other}"))),
    }
}

fn delete(state: &mut State, input: &Value) -> Answer {
    let (arn, _) = find(state, input)?;
    let bounds = state.roles.values().any(|role| role.is_bounded_by(&arn));
    if bounds || attachments(state, &arn) > 0 {
        return Err(conflict("Cannot delete a policy attached to entities."));
    }
    state.policies.remove(&arn);
    Ok(json!({}))
}
