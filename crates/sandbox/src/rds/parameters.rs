//! Cluster parameter groups. AWS's default groups always exist.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{Tags, add_tags, at, flag, here, need, text};
use super::super::{Answer, Refusal, World};
use super::clusters::major;
use super::{COMBINATION, TAGS, VALUE, arn, is_identifier, items, listed, tags_of};

/// A cluster parameter group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Group {
    family: String,
    description: String,
    /// The parameters that calls have set.
    parameters: BTreeMap<String, String>,
    pub tags: Tags,
}

const FAMILY: &str = "aurora-postgresql";

/// Parameters that take effect only with a restart. All others take effect at once.
const STATIC: [&str; 5] = [
    "max_connections",
    "rds.logical_replication",
    "shared_buffers",
    "shared_preload_libraries",
    "wal_buffers",
];

/// Some of the parameters that lists always contain.
const DYNAMIC: [&str; 6] = [
    "log_min_duration_statement",
    "log_statement",
    PASSWORDS,
    "rds.force_ssl",
    "statement_timeout",
    "work_mem",
];

const PASSWORDS: &str = "password_encryption";

/// The value that RDS gives a parameter of a family. The engine has its own value for all others.
fn given(family: &str, parameter: &str) -> Option<&'static str> {
    let major = family.strip_prefix(FAMILY).and_then(|major| major.parse().ok()).unwrap_or(0);
    match parameter {
        PASSWORDS if major < 14 => Some("md5"),
        PASSWORDS => Some("scram-sha-256"),
        "rds.force_ssl" if major < 17 => Some("0"),
        "rds.force_ssl" => Some("1"),
        _ => None,
    }
}

pub(super) fn missing(name: &str) -> Refusal {
    let message = format!("DBClusterParameterGroup not found: {name}");
    Refusal::new("DBParameterGroupNotFound", message).with_status(404)
}

fn family<'a>(world: &'a World, region: &str, name: &'a str) -> Result<&'a str, Refusal> {
    if let Some(family) = name.strip_prefix("default.").filter(|name| name.starts_with(FAMILY)) {
        return Ok(family);
    }
    let group = world.rds.parameter_groups.get(&at(region, name));
    group.map(|group| group.family.as_str()).ok_or_else(|| missing(name))
}

/// Whether the parameter group fits the version of a cluster.
pub(super) fn fits(world: &World, region: &str, name: &str, version: &str) -> Result<(), Refusal> {
    let (family, wanted) = (family(world, region, name)?, format!("{FAMILY}{}", major(version)));
    if family == wanted {
        Ok(())
    } else {
        Err(Refusal::new(
            COMBINATION,
            format!(
                "The Parameter Group {name} with DBParameterGroupFamily {family} cannot be used \
                 for this cluster. Please use a Parameter Group with DBParameterGroupFamily \
                 {wanted}"
            ),
        ))
    }
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBClusterParameterGroupName", VALUE)?.to_lowercase();
    let family = need(input, "DBParameterGroupFamily", VALUE)?;
    let description = need(input, "Description", VALUE)?.to_owned();
    if !is_identifier(&name.replace('.', "-"), 255) {
        return Err(Refusal::new(VALUE, format!("Invalid parameter group name: {name}")));
    }
    if !family.starts_with(FAMILY) {
        let message =
            format!("ParameterGroupFamily {family} is not a valid parameter group family");
        return Err(Refusal::new(VALUE, message));
    }
    if world.rds.parameter_groups.contains_key(&at(region, &name)) {
        let message = format!("Parameter group {name} already exists");
        return Err(Refusal::new("DBParameterGroupAlreadyExists", message));
    }
    let mut tags = Tags::new();
    add_tags(&mut tags, tags_of(input), TAGS)?;
    let parameters = BTreeMap::new();
    let group = Group { family: family.to_owned(), description, parameters, tags };
    let answer = json!({ "DBClusterParameterGroup": group.render(region, &name) });
    world.rds.parameter_groups.insert(at(region, &name), group);
    Ok(answer)
}

impl Group {
    fn render(&self, region: &str, name: &str) -> Value {
        json!({
            "DBClusterParameterGroupName": name,
            "DBParameterGroupFamily": self.family,
            "Description": self.description,
            "DBClusterParameterGroupArn": arn(region, "cluster-pg", name),
        })
    }
}

pub(super) fn describe(world: &mut World, region: &str, input: &Value) -> Answer {
    let asked = text(input, "DBClusterParameterGroupName");
    let known = |name: &str| world.rds.parameter_groups.contains_key(&at(region, name));
    if let Some(name) = asked.filter(|name| !known(name)) {
        return Err(missing(name));
    }
    let groups = here(&world.rds.parameter_groups, region);
    let groups = groups.filter(|(name, _)| asked.is_none_or(|asked| asked == *name));
    let views = groups.map(|(name, group)| (name.to_owned(), group.render(region, name)));
    let list = ("DBClusterParameterGroups", "DBClusterParameterGroup");
    listed(input, list, views.collect())
}

pub(super) fn list(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBClusterParameterGroupName", VALUE)?;
    let group = world.rds.parameter_groups.get(&at(region, name)).ok_or_else(|| missing(name))?;
    let source = text(input, "Source");
    let own = group.parameters.keys().map(String::as_str);
    let mut all: Vec<&str> = own.chain(STATIC).chain(DYNAMIC).collect();
    all.sort_unstable();
    all.dedup();
    let views = all.into_iter().map(|name| {
        let (own, given) = (group.parameters.get(name), given(&group.family, name));
        let view = json!({
            "ParameterName": name,
            "ParameterValue": own.map(String::as_str).or(given),
            "Source": match (own, given) {
                (Some(_), _) => "user",
                (None, Some(_)) => "system",
                (None, None) => "engine-default",
            },
            "ApplyType": if STATIC.contains(&name) { "static" } else { "dynamic" },
            "IsModifiable": true,
        });
        (name.to_owned(), view)
    });
    let views = views.filter(|(_, view)| source.is_none_or(|source| view["Source"] == source));
    listed(input, ("Parameters", "Parameter"), views.collect())
}

/// Sets parameters, or resets them to their defaults.
pub(super) fn change(world: &mut World, region: &str, input: &Value, set: bool) -> Answer {
    let name = need(input, "DBClusterParameterGroupName", VALUE)?;
    let group = world.rds.parameter_groups.get_mut(&at(region, name));
    let group = group.ok_or_else(|| missing(name))?;
    let sent = items(input, "Parameters");
    if sent.len() > 20 {
        return Err(Refusal::new(VALUE, "A maximum of 20 parameters can be modified at a time."));
    }
    if !set && flag(input, "ResetAllParameters").unwrap_or(false) {
        group.parameters.clear();
    }
    for parameter in sent {
        let name = need(parameter, "ParameterName", VALUE)?;
        let method = text(parameter, "ApplyMethod");
        if STATIC.contains(&name) && method != Some("pending-reboot") {
            let message = "cannot use immediate apply method for static parameter";
            return Err(Refusal::new(COMBINATION, message));
        }
        let value = set.then(|| need(parameter, "ParameterValue", VALUE)).transpose()?;
        // A parameter that is set to the value of RDS counts as never set.
        match value.filter(|value| given(&group.family, name) != Some(*value)) {
            Some(value) => group.parameters.insert(name.to_owned(), value.to_owned()),
            None => group.parameters.remove(name),
        };
    }
    Ok(json!({ "DBClusterParameterGroupName": name }))
}

pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "DBClusterParameterGroupName", VALUE)?;
    let state = &mut world.rds;
    if here(&state.clusters, region).any(|(_, cluster)| cluster.parameter_group == name) {
        let message = "One or more database clusters are still members of this parameter group, \
                       so the group cannot be deleted";
        return Err(Refusal::new("InvalidDBParameterGroupState", message));
    }
    state.parameter_groups.remove(&at(region, name)).ok_or_else(|| missing(name))?;
    Ok(Value::Null)
}
