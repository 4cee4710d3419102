//! Task definitions: families of revisions whose numbers never restart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{
    Tags, at, here, is_name, list as items, need, now, number, page, put, tag_pairs, text, texts,
    within,
};
use super::super::{Answer, Refusal, World};
use super::{CLIENT, INVALID, KEY_VALUE, State, arn, client, includes, invalid, name_in, new_tags};

/// A family.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Family {
    /// The last number.
    last: u32,
    revisions: BTreeMap<u32, Revision>,
}

/// A revision.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Revision {
    /// The definition in answers.
    pub definition: Value,
    tags: Tags,
    inactive: bool,
}

impl Family {
    /// How many revisions are active.
    pub(super) fn active(&self) -> usize {
        self.revisions.values().filter(|revision| !revision.inactive).count()
    }
}

/// The sizes of a Fargate task: CPU units, least and most memory, step, all in MiB.
const SIZES: [(i64, i64, i64, i64); 8] = [
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16_384, 1024),
    (4096, 8192, 30_720, 1024),
    (8192, 16_384, 61_440, 4096),
    (16_384, 32_768, 122_880, 8192),
    (32_768, 61_440, 249_856, 1),
];

/// Whether Fargate has this size. The steps alone allow more.
fn is_size(cpu: i64, memory: i64) -> bool {
    let odd = match cpu {
        256 => ![512, 1024, 2048].contains(&memory),
        32_768 => ![61_440, 122_880, 249_856].contains(&memory),
        _ => false,
    };
    SIZES.iter().any(|(units, least, most, step)| {
        *units == cpu && (*least..=*most).contains(&memory) && (memory - least) % step == 0
    }) && !odd
}

/// The family and the number of `FAMILY:NUMBER` or of an ARN. Without a number, it is the newest
/// active one.
fn place(state: &State, region: &str, reference: &str) -> Option<(String, u32)> {
    let reference = name_in(reference);
    let (family, number) = match reference.rsplit_once(':') {
        Some((family, number)) => (family, Some(number.parse().ok()?)),
        None => (reference, None),
    };
    let revisions = &state.families.get(&at(region, family))?.revisions;
    let newest = || revisions.iter().rev().find(|(_, one)| !one.inactive).map(|(n, _)| *n);
    let number = number.or_else(newest)?;
    revisions.contains_key(&number).then(|| (family.to_owned(), number))
}

/// The ARN and the definition of a revision that services may use.
pub(super) fn usable(
    state: &State,
    region: &str,
    reference: &str,
) -> Result<(String, Value), Refusal> {
    let found = place(state, region, reference);
    let (family, number) = found.ok_or_else(|| client("TaskDefinition not found."))?;
    let revision = &state.families[&at(region, &family)].revisions[&number];
    if revision.inactive {
        Err(client("TaskDefinition is inactive"))
    } else {
        Ok((revision_arn(region, &family, number), revision.definition.clone()))
    }
}

/// The definition of a revision, active or not.
pub(super) fn definition<'a>(state: &'a State, region: &str, arn: &str) -> Option<&'a Value> {
    let (family, number) = place(state, region, arn)?;
    state.families.get(&at(region, &family))?.revisions.get(&number).map(|one| &one.definition)
}

/// The tags of a revision.
pub(super) fn tags<'a>(state: &'a mut State, region: &str, name: &str) -> Option<&'a mut Tags> {
    let (family, number) = place(state, region, name)?;
    let family = state.families.get_mut(&at(region, &family))?;
    family.revisions.get_mut(&number).map(|revision| &mut revision.tags)
}

fn revision_arn(region: &str, family: &str, number: u32) -> String {
    arn(region, &format!("task-definition/{family}:{number}"))
}

/// Checks a definition as Fargate does. The objects that it names need not exist.
fn check(input: &Value) -> Result<(), Refusal> {
    let size = |key| text(input, key).and_then(|text| text.parse().ok()).unwrap_or(0);
    let (cpu, memory) = (size("cpu"), size("memory"));
    let fargate = texts(input, "requiresCompatibilities").iter().any(|one| one == "FARGATE");
    if !fargate || text(input, "networkMode") != Some("awsvpc") {
        return Err(client("Fargate only supports network mode 'awsvpc'."));
    }
    if !is_size(cpu, memory) {
        let message = "No Fargate configuration exists for given values: ";
        return Err(client(format!("{message}{cpu} CPU, {memory} memory.")));
    }
    let storage = input.get("ephemeralStorage").and_then(|disk| number(disk, "sizeInGiB"));
    if storage.is_some_and(|size| !(21..=200).contains(&size)) {
        return Err(client("Ephemeral storage must be from 21 to 200 GiB."));
    }
    let containers = items(input, "containerDefinitions");
    let essential = |one: &Value| one.get("essential").and_then(Value::as_bool).unwrap_or(true);
    if !containers.iter().any(essential) {
        return Err(client("At least one container in the task must be essential."));
    }
    let sum: i64 = containers.iter().filter_map(|one| number(one, "memory")).sum();
    if sum > memory {
        return Err(client("The containers' memory is more than the task's."));
    }
    let volumes: Vec<&str> =
        items(input, "volumes").iter().filter_map(|volume| text(volume, "name")).collect();
    if volumes.iter().any(|name| !is_name(name, 1..=255, "_-")) {
        return Err(client("Volume names have letters, digits, hyphens and underscores only."));
    }
    let role = text(input, "executionRoleArn").is_some();
    let mut names: Vec<&str> = Vec::new();
    for container in containers {
        let name = need(container, "name", CLIENT)?;
        need(container, "image", CLIENT)?;
        if !is_name(name, 1..=255, "_-") || names.contains(&name) {
            return Err(client(format!("'{name}' is no possible name of a container, or taken.")));
        }
        names.push(name);
        let odd = items(container, "portMappings").iter().any(|port| {
            let host = number(port, "hostPort").filter(|host| *host != 0);
            host.is_some_and(|host| Some(host) != number(port, "containerPort"))
        });
        let mounts = items(container, "mountPoints");
        let mut mounted = mounts.iter().filter_map(|mount| text(mount, "sourceVolume"));
        if let Some(unknown) = mounted.find(|name| !volumes.contains(name)) {
            return Err(client(format!("Unknown volume '{unknown}'.")));
        }
        if odd {
            let message = "When networkMode=awsvpc, the host ports and container ports in port \
                           mappings must match.";
            return Err(client(message));
        }
        if !role && container.get("logConfiguration").is_some_and(|log| !log.is_null()) {
            let message = "Fargate requires task definition to have execution role ARN to support \
                           log driver awslogs.";
            return Err(client(message));
        }
        if !role && !items(container, "secrets").is_empty() {
            let message = "When you are specifying container secrets, you must also specify a \
                           value for 'executionRoleArn'.";
            return Err(client(message));
        }
    }
    Ok(())
}

/// A container as ECS returns it.
fn complete(container: &Value) -> Value {
    let mut view = json!({
        "cpu": 0, "essential": true, "environment": [], "portMappings": [],
        "mountPoints": [], "volumesFrom": [], "systemControls": [],
    });
    for (key, value) in container.as_object().into_iter().flatten() {
        // ECS drops empty lists, and does not keep the order of texts.
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !empty {
            view[key] = value.clone();
        }
    }
    if let Some(pairs) = view["environment"].as_array_mut() {
        pairs.reverse();
    }
    for port in view["portMappings"].as_array_mut().into_iter().flatten() {
        let container = number(port, "containerPort");
        put(port, "hostPort", container);
        if port.get("protocol").is_none() {
            port["protocol"] = "tcp".into();
        }
    }
    if let Some(check) = view.get_mut("healthCheck") {
        for (key, value) in [("interval", 30), ("timeout", 5), ("retries", 3)] {
            if check.get(key).is_none() {
                check[key] = value.into();
            }
        }
    }
    view
}

/// Creates a new revision, always.
pub(super) fn register(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "family", CLIENT)?;
    if !is_name(name, 1..=255, "_-") {
        return Err(client("Family contains invalid characters."));
    }
    check(input)?;
    let (tags, registered) = (new_tags(input)?, now(&world.base));
    let family = world.ecs.families.entry(at(region, name)).or_default();
    family.last += 1;
    let number = family.last;
    let containers: Vec<Value> =
        items(input, "containerDefinitions").iter().map(complete).collect();
    let mut definition = json!({
        "taskDefinitionArn": revision_arn(region, name, number),
        "family": name,
        "revision": number,
        "containerDefinitions": containers,
        "volumes": items(input, "volumes"),
        "placementConstraints": [],
        "requiresAttributes": [{ "name": "ecs.capability.task-eni" }],
        "compatibilities": ["EC2", "FARGATE"],
        "registeredAt": registered,
        "registeredBy": format!("arn:aws:iam::{}:root", super::ACCOUNT),
    });
    for key in [
        "cpu",
        "memory",
        "networkMode",
        "requiresCompatibilities",
        "runtimePlatform",
        "ephemeralStorage",
        "taskRoleArn",
        "executionRoleArn",
    ] {
        put(&mut definition, key, input.get(key).filter(|value| !value.is_null()).cloned());
    }
    let pairs = tag_pairs(&tags, KEY_VALUE);
    let revision = Revision { definition, tags, inactive: false };
    let view = render(&revision);
    family.revisions.insert(number, revision);
    Ok(json!({ "taskDefinition": view, "tags": pairs }))
}

fn render(revision: &Revision) -> Value {
    let mut view = revision.definition.clone();
    view["status"] = if revision.inactive { "INACTIVE" } else { "ACTIVE" }.into();
    view
}

/// Describes a revision, or the newest active one of a family.
pub(super) fn describe(world: &mut World, region: &str, input: &Value) -> Answer {
    let reference = need(input, "taskDefinition", CLIENT)?;
    let found = place(&world.ecs, region, reference);
    let (family, number) = found.ok_or_else(|| client("Unable to describe task definition."))?;
    let revision = &world.ecs.families[&at(region, &family)].revisions[&number];
    let mut answer = json!({ "taskDefinition": render(revision) });
    if includes(input, "TAGS") {
        answer["tags"] = tag_pairs(&revision.tags, KEY_VALUE).into();
    }
    Ok(answer)
}

/// Makes a revision inactive: a call can describe it, but nothing new can use it.
pub(super) fn deregister(world: &mut World, region: &str, input: &Value) -> Answer {
    let reference = need(input, "taskDefinition", INVALID)?;
    if !name_in(reference).contains(':') {
        return Err(invalid("Revision is missing."));
    }
    let found = place(&world.ecs, region, reference);
    let (family, number) =
        found.ok_or_else(|| client("The specified task definition does not exist."))?;
    let family = world.ecs.families.get_mut(&at(region, &family));
    let revision = family.and_then(|family| family.revisions.get_mut(&number));
    let revision = revision.ok_or_else(|| invalid("The task definition does not exist."))?;
    revision.inactive = true;
    Ok(json!({ "taskDefinition": render(revision) }))
}

/// Deletes inactive revisions.
pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let asked = texts(input, "taskDefinitions");
    if !(1..=10).contains(&asked.len()) {
        return Err(invalid("Size of TaskDefinition references list must be from 1 to 10."));
    }
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for reference in asked {
        let found = place(&world.ecs, region, &reference).filter(|_| reference.contains(':'));
        let revisions = found.as_ref().and_then(|(family, _)| {
            world.ecs.families.get_mut(&at(region, family)).map(|family| &mut family.revisions)
        });
        match (revisions, found) {
            (Some(revisions), Some((_, number))) if revisions[&number].inactive => {
                let mut view = revisions.remove(&number).unwrap_or_default().definition;
                view["status"] = "DELETE_IN_PROGRESS".into();
                deleted.push(view);
            }
            (_, found) => {
                let message = match found {
                    Some(_) => "The specified task definition is still in ACTIVE status.",
                    None => "The specified task definition does not exist.",
                };
                failures.push(json!({ "arn": reference, "reason": message }));
            }
        }
    }
    Ok(json!({ "taskDefinitions": deleted, "failures": failures }))
}

/// Lists the ARNs of revisions, of one family or of all.
pub(super) fn list(world: &mut World, region: &str, input: &Value) -> Answer {
    let (family, inactive) =
        (text(input, "familyPrefix"), text(input, "status") == Some("INACTIVE"));
    let families = here(&world.ecs.families, region)
        .filter(|(name, _)| family.is_none_or(|family| *name == family));
    let mut arns: Vec<(String, String)> = families
        .flat_map(|(name, family)| family.revisions.iter().map(move |found| (name, found)))
        .filter(|(_, (_, revision))| revision.inactive == inactive)
        .map(|(name, (number, _))| {
            let order = match text(input, "sort") {
                Some("DESC") => u32::MAX - number,
                _ => *number,
            };
            (format!("{name}:{order:010}"), revision_arn(region, name, *number))
        })
        .collect();
    arns.sort();
    let limit = within(input, "maxResults", 1..=100, INVALID)?.unwrap_or(100);
    let (arns, next) = page(arns, text(input, "nextToken"), limit as usize);
    let mut answer = json!({ "taskDefinitionArns": arns });
    put(&mut answer, "nextToken", next);
    Ok(answer)
}

/// Lists the names of families. By default, families without active revisions are among them.
pub(super) fn families(world: &mut World, region: &str, input: &Value) -> Answer {
    let prefix = text(input, "familyPrefix").unwrap_or_default();
    let found = here(&world.ecs.families, region)
        .filter(|(name, _)| name.starts_with(prefix))
        .filter(|(_, family)| match text(input, "status") {
            Some("ACTIVE") => family.active() > 0,
            Some("INACTIVE") => family.active() == 0,
            _ => true,
        });
    let names = found.map(|(name, _)| (name.to_owned(), name.to_owned())).collect();
    let limit = within(input, "maxResults", 1..=100, INVALID)?.unwrap_or(100);
    let (names, next) = page(names, text(input, "nextToken"), limit as usize);
    let mut answer = json!({ "families": names });
    put(&mut answer, "nextToken", next);
    Ok(answer)
}
