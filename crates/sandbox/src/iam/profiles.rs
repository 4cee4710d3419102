//! Instance profiles: at most one role each.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{
    KEY_VALUE, Tags, add_tags, iso, remove_tags, tag_list, tag_pairs, text, texts,
};
use super::super::{ACCOUNT, Answer, Refusal, World};
use super::{
    State, TAGS, conflict, exists, gone, listed, over, required, taken, unique_id, valid_name,
    valid_path,
};

/// An instance profile.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    path: String,
    id: String,
    created: f64,
    /// When it got its role.
    #[serde(default)]
    pub filled: f64,
    tags: Tags,
    /// The name of its role.
    pub role: Option<String>,
}

impl Profile {
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

/// Answers a call about instance profiles, or `None` for other calls.
pub(super) fn call(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    let state = &mut world.iam;
    Some(match operation {
        "CreateInstanceProfile" => create(world, input),
        "GetInstanceProfile" => find(state, input)
            .map(|(name, profile)| (name, profile.clone()))
            .map(|(name, profile)| json!({ "InstanceProfile": view_of(state, &name, &profile) })),
        "ListInstanceProfiles" => {
            let prefix = text(input, "PathPrefix").unwrap_or("/");
            list(state, input, |profile| profile.path.starts_with(prefix))
        }
        "ListInstanceProfilesForRole" => list_for_role(state, input),
        "AddRoleToInstanceProfile" => add_role(world, input),
        "RemoveRoleFromInstanceProfile" => remove_role(state, input),
        "DeleteInstanceProfile" => find(state, input)
            .and_then(|(name, profile)| match profile.role {
                Some(_) => Err(conflict(
                    "Cannot delete entity, must remove roles from instance profile first.",
                )),
                None => Ok(name),
            })
            .map(|name| {
                state.profiles.remove(&name);
                json!({})
            }),
        "TagInstanceProfile" => find(state, input)
            .and_then(|(_, profile)| {
                add_tags(&mut profile.tags, tag_list(input, "Tags", KEY_VALUE), TAGS)
            })
            .map(|()| json!({})),
        "UntagInstanceProfile" => find(state, input).map(|(_, profile)| {
            remove_tags(&mut profile.tags, &texts(input, "TagKeys"));
            json!({})
        }),
        "ListInstanceProfileTags" => find(state, input).and_then(|(_, profile)| {
            let pairs = tag_pairs(&profile.tags, KEY_VALUE);
            listed("Tags", profile.tags.keys().cloned().zip(pairs).collect(), input)
        }),
        _ => return None,
    })
}

fn find<'a>(state: &'a mut State, input: &Value) -> Result<(String, &'a mut Profile), Refusal> {
    let name = required(input, "InstanceProfileName")?;
    match state.profiles.get_mut(name) {
        Some(profile) => Ok((name.to_owned(), profile)),
        None => Err(gone("instance profile", name)),
    }
}

fn view_of(state: &State, name: &str, profile: &Profile) -> Value {
    let role = profile.role.as_ref().and_then(|role| Some((role, state.roles.get(role)?)));
    let roles: Vec<Value> = role.map(|(name, role)| role.brief(name)).into_iter().collect();
    json!({
        "Path": profile.path,
        "InstanceProfileName": name,
        "InstanceProfileId": profile.id,
        "Arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile{}{name}", profile.path),
        "CreateDate": iso(profile.created),
        "Roles": roles,
        "Tags": tag_pairs(&profile.tags, KEY_VALUE),
    })
}

fn create(world: &mut World, input: &Value) -> Answer {
    let name = valid_name(input, "InstanceProfileName", 128)?;
    let path = valid_path(input)?;
    if taken(&world.iam.profiles, name) {
        return Err(exists("Instance Profile", name));
    }
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
    let id = unique_id("AIPA", &world.base.id("profile"));
    let profile = Profile { path, id, created: world.base.now(), filled: 0.0, tags, role: None };
    let view = view_of(&world.iam, name, &profile);
    world.iam.profiles.insert(name.to_owned(), profile);
    Ok(json!({ "InstanceProfile": view }))
}

fn list(state: &State, input: &Value, wanted: impl Fn(&Profile) -> bool) -> Answer {
    let found =
        state.profiles.iter().filter(|(_, profile)| wanted(profile)).map(|(name, profile)| {
            let mut view = view_of(state, name, profile);
            // Lists do not show tags.
            view.as_object_mut().and_then(|members| members.remove("Tags"));
            (name.clone(), view)
        });
    listed("InstanceProfiles", found.collect(), input)
}

fn list_for_role(state: &State, input: &Value) -> Answer {
    let role = required(input, "RoleName")?;
    if !state.roles.contains_key(role) {
        return Err(gone("role", role));
    }
    list(state, input, |profile| profile.role.as_deref() == Some(role))
}

fn add_role(world: &mut World, input: &Value) -> Answer {
    let World { base, iam: state, .. } = world;
    let role = required(input, "RoleName")?;
    let known = state.roles.contains_key(role);
    let (_, profile) = find(state, input)?;
    if !known {
        return Err(gone("role", role));
    }
    if profile.role.is_some() {
        return Err(over("InstanceSessionsPerInstanceProfile: 1"));
    }
    profile.role = Some(role.to_owned());
    profile.filled = base.now();
    Ok(json!({}))
}

fn remove_role(state: &mut State, input: &Value) -> Answer {
    let role = required(input, "RoleName")?;
    let (_, profile) = find(state, input)?;
    if profile.role.as_deref() == Some(role) {
        profile.role = None;
        Ok(json!({}))
    } else {
        Err(gone("role", role))
    }
}
