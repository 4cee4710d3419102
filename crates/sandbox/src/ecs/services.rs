//! Services. A deleted service drains, and is described as `INACTIVE` afterwards.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::ec2::lent;
use super::super::toolbox::{
    Tags, at, flag, here, is_name, list as items, need, now, number, page, put, tag_pairs, text,
    texts, uuid, within,
};
use super::super::{ACCOUNT, Answer, Refusal, World, elb};
use super::deployments::Deployment;
use super::{
    INVALID, KEY_VALUE, State, arn, clusters, definitions, deployments, includes, invalid, name_in,
    new_tags, strategies,
};

/// A service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    cluster: String,
    name: String,
    pub desired: i64,
    /// The ARN of the service's revision.
    pub definition: String,
    /// The other members, in the form of answers.
    pub settings: Value,
    tags: Tags,
    created: f64,
    /// Newest first.
    pub deployments: Vec<Deployment>,
    /// The time and text of each event, newest first.
    pub events: Vec<(f64, String)>,
    /// When a call deleted it.
    deleted: Option<f64>,
    /// Whether it has drained since then.
    inactive: bool,
    /// The network interfaces of the tasks, and the network of these interfaces.
    pub interfaces: Vec<String>,
    /// Whether the alternate target group has the tasks.
    pub alternate: bool,
    pub attached: Value,
}

/// How long a strict sandbox drains a deleted service, in seconds.
const DRAIN: f64 = 45.0;

impl Service {
    /// Whether it exists. It may be draining.
    pub(super) fn lives(&self) -> bool {
        !self.inactive
    }

    pub(super) fn is_active(&self) -> bool {
        self.deleted.is_none()
    }

    /// When its newest tasks began.
    pub(super) fn started(&self) -> f64 {
        self.deployments.first().map_or(self.created, Deployment::began)
    }

    pub(super) fn keep_within(&mut self, min: i64, max: i64) {
        self.desired = self.desired.max(min).min(max);
    }

    /// The network of the tasks.
    pub(super) fn network(&self) -> &Value {
        &self.settings["networkConfiguration"]["awsvpcConfiguration"]
    }
}

fn place_of(region: &str, cluster: &str, name: &str) -> String {
    at(region, &format!("{cluster}/{name}"))
}

/// The place of `service/CLUSTER/NAME`.
pub(super) fn at_id(region: &str, id: &str) -> Option<String> {
    let (cluster, name) = id.strip_prefix("service/")?.split_once('/')?;
    Some(place_of(region, cluster, name))
}

/// The tags of a service that exists.
pub(super) fn tags<'a>(
    state: &'a mut State,
    region: &str,
    cluster: &str,
    name: &str,
) -> Option<&'a mut Tags> {
    let service = state.services.get_mut(&place_of(region, cluster, name));
    service.filter(|service| service.lives()).map(|service| &mut service.tags)
}

/// The number of running tasks in a cluster, and the number of services that block its deletion.
pub(super) fn of_cluster(state: &State, region: &str, cluster: &str) -> (i64, usize) {
    let own = || {
        here(&state.services, region)
            .filter(|(_, service)| service.cluster == cluster && service.lives())
    };
    (own().map(|(_, service)| service.running()).sum(), own().count())
}

/// Lets time pass: deployments move on, deleted services drain, and tasks get interfaces.
pub(super) fn pass_time(world: &mut World, region: &str) {
    let today = now(&world.base);
    let drain = if world.base.strict { DRAIN } else { 0.0 };
    let places: Vec<String> = world.ecs.services.keys().cloned().collect();
    for place in places.into_iter().filter(|place| place.starts_with(&at(region, ""))) {
        deployments::proceed(world, region, &place, today);
        let Some(service) = world.ecs.services.get_mut(&place) else { continue };
        if service.deleted.is_some_and(|when| today >= when + drain) {
            service.inactive = true;
            service.tags.clear();
        }
        let service = service.clone();
        let (interfaces, attached) = deployments::attach(world, region, &service);
        if let Some(service) = world.ecs.services.get_mut(&place) {
            (service.interfaces, service.attached) = (interfaces, attached);
        }
    }
}

/// Checks the members of a create or an update, as part of the whole service.
fn check(world: &World, region: &str, settings: &Value, definition: &Value) -> Result<(), Refusal> {
    let vpc = &settings["networkConfiguration"]["awsvpcConfiguration"];
    let subnets = texts(vpc, "subnets");
    if subnets.is_empty() || subnets.len() > 16 {
        return Err(invalid("Network Configuration must be provided with 1 to 16 subnets."));
    }
    let groups = texts(vpc, "securityGroups");
    let no_subnet = |id: &&String| lent::place(world, region, id).is_none();
    let no_group = |id: &&String| lent::vpc_of_group(world, region, id).is_none();
    let unknown = subnets.iter().find(no_subnet).or_else(|| groups.iter().find(no_group));
    if let Some(id) = unknown {
        let message = format!("Error retrieving information for [{id}]: it does not exist");
        return Err(invalid(message));
    }
    let targets = items(settings, "loadBalancers");
    for target in targets {
        let name = text(target, "containerName").unwrap_or_default();
        let port = number(target, "containerPort");
        let containers = items(definition, "containerDefinitions");
        let Some(container) = containers.iter().find(|one| text(one, "name") == Some(name)) else {
            return Err(invalid(format!(
                "The container {name} does not exist in the task definition."
            )));
        };
        let mappings = items(container, "portMappings");
        if !mappings.iter().any(|mapping| number(mapping, "containerPort") == port) {
            let port = port.unwrap_or_default();
            return Err(invalid(format!(
                "The container {name} did not have a container port {port} defined."
            )));
        }
    }
    if targets.is_empty() && number(settings, "healthCheckGracePeriodSeconds").unwrap_or(0) > 0 {
        let message = "Health check grace period is only valid for services configured to use \
                       load balancers";
        return Err(invalid(message));
    }
    strategies::check(world, settings)?;
    let rolling = &settings["deploymentConfiguration"];
    let least = number(rolling, "minimumHealthyPercent").unwrap_or(100);
    let most = number(rolling, "maximumPercent").unwrap_or(200);
    if !(0..=100).contains(&least) || most < 100 || (least, most) == (100, 100) {
        return Err(invalid("These percentages leave no way to replace a task."));
    }
    if text(settings, "availabilityZoneRebalancing") == Some("ENABLED") && most <= 100 {
        let message = "Availability Zone rebalancing needs a maximumPercent above 100.";
        return Err(invalid(message));
    }
    Ok(())
}

/// A load balancer must use the target group that a request names.
fn check_targets(world: &World, input: &Value) -> Result<(), Refusal> {
    for target in items(input, "loadBalancers") {
        let group = text(target, "targetGroupArn").unwrap_or_default();
        let what = match elb::target_group(world, group) {
            Some(true) => continue,
            Some(false) => "does not have an associated load balancer",
            None => "does not exist",
        };
        return Err(invalid(format!("The target group with targetGroupArn {group} {what}.")));
    }
    Ok(())
}

/// The members that a service returns as they were sent.
const MEMBERS: [&str; 8] = [
    "availabilityZoneRebalancing",
    "deploymentConfiguration",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "propagateTags",
];

/// The old members, replaced by those of a request.
fn overlay(settings: &Value, input: &Value) -> Value {
    let mut settings = settings.clone();
    for key in MEMBERS {
        put(&mut settings, key, input.get(key).filter(|value| !value.is_null()).cloned());
    }
    let rolling = &mut settings["deploymentConfiguration"];
    for (key, usual) in [("minimumHealthyPercent", 100), ("maximumPercent", 200)] {
        if rolling.get(key).is_none() {
            rolling[key] = usual.into();
        }
    }
    if rolling.get("deploymentCircuitBreaker").is_none() {
        rolling["deploymentCircuitBreaker"] = json!({ "enable": false, "rollback": false });
    }
    strategies::complete(rolling);
    settings
}

/// Creates a service, and starts its first deployment.
pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let cluster = clusters::named(&world.ecs, region, input)?;
    let name = need(input, "serviceName", INVALID)?;
    if !is_name(name, 1..=255, "_-") {
        return Err(invalid("Identifier is not valid."));
    }
    let reference = need(input, "taskDefinition", INVALID)?;
    let (definition, described) = definitions::usable(&world.ecs, region, reference)?;
    let usual = json!({
        "availabilityZoneRebalancing": "ENABLED",
        "deploymentConfiguration": {},
        "deploymentController": { "type": "ECS" },
        "enableECSManagedTags": false,
        "enableExecuteCommand": false,
        "healthCheckGracePeriodSeconds": 0,
        "launchType": "FARGATE",
        "loadBalancers": [],
        "platformFamily": "Linux",
        "platformVersion": "LATEST",
        "propagateTags": "NONE",
        "schedulingStrategy": "REPLICA",
        "serviceRegistries": [],
    });
    let settings = overlay(&usual, input);
    check(world, region, &settings, &described)?;
    check_targets(world, input)?;
    let tags = new_tags(input)?;
    let desired = number(input, "desiredCount").unwrap_or(1);
    let place = place_of(region, &cluster, name);
    match world.ecs.services.get(&place).filter(|service| service.lives()) {
        Some(old) if !old.is_active() => {
            return Err(invalid("Unable to Start a service that is still Draining."));
        }
        Some(old) if (&old.settings, &old.definition) != (&settings, &definition) => {
            return Err(invalid("Creation of service was not idempotent."));
        }
        Some(old) => return Ok(json!({ "service": render(old, region, true) })),
        None => {}
    }
    let today = now(&world.base);
    let first = Deployment::new(&uuid(&mut world.base), &definition, today);
    let service = Service {
        cluster,
        name: name.to_owned(),
        desired,
        definition,
        settings,
        tags,
        created: today,
        deployments: vec![first],
        ..Service::default()
    };
    let answer = json!({ "service": render(&service, region, true) });
    world.ecs.services.insert(place, service);
    Ok(answer)
}

/// The place of the service that a request names.
fn find(world: &World, region: &str, input: &Value) -> Result<String, Refusal> {
    let cluster = clusters::named(&world.ecs, region, input)?;
    let place = place_of(region, &cluster, name_in(need(input, "service", INVALID)?));
    match world.ecs.services.get(&place) {
        None => Err(Refusal::new("ServiceNotFoundException", "Service not found.")),
        Some(service) if !service.is_active() => {
            Err(Refusal::new("ServiceNotActiveException", "Service was not ACTIVE."))
        }
        Some(_) => Ok(place),
    }
}

/// Changes a service. A change of its tasks begins a deployment.
pub(super) fn update(world: &mut World, region: &str, input: &Value) -> Answer {
    let place = find(world, region, input)?;
    let old = world.ecs.services[&place].clone();
    let settings = overlay(&old.settings, input);
    let reference = text(input, "taskDefinition");
    let (definition, described) = match reference {
        Some(reference) => definitions::usable(&world.ecs, region, reference)?,
        None => {
            let known = definitions::definition(&world.ecs, region, &old.definition);
            (old.definition.clone(), known.cloned().unwrap_or_default())
        }
    };
    check(world, region, &settings, &described)?;
    check_targets(world, input)?;
    let mut service = old.clone();
    service.desired = number(input, "desiredCount").unwrap_or(old.desired);
    let of_tasks = ["networkConfiguration", "loadBalancers", "platformVersion"];
    let begins = definition != old.definition
        || flag(input, "forceNewDeployment") == Some(true)
        || of_tasks.iter().any(|key| settings[*key] != old.settings[*key]);
    if begins {
        let today = now(&world.base);
        let new = Deployment::new(&uuid(&mut world.base), &definition, today);
        service.deployments.insert(0, new);
    }
    (service.definition, service.settings) = (definition, settings);
    let answer = json!({ "service": render(&service, region, true) });
    world.ecs.services.insert(place, service);
    Ok(answer)
}

/// Deletes a service, which drains first.
pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let place = find(world, region, input)?;
    let today = now(&world.base);
    let service = world.ecs.services.get_mut(&place);
    let service = service.ok_or_else(|| invalid("Service not found."))?;
    if service.desired > 0 && flag(input, "force") != Some(true) {
        return Err(invalid("The service cannot be stopped while it is scaled above 0."));
    }
    (service.desired, service.deleted) = (0, Some(today));
    Ok(json!({ "service": render(service, region, true) }))
}

fn render(service: &Service, region: &str, tags: bool) -> Value {
    let Service { cluster, name, .. } = service;
    let status = match (service.is_active(), service.inactive) {
        (true, _) => "ACTIVE",
        (false, false) => "DRAINING",
        (false, true) => "INACTIVE",
    };
    let running = service.running();
    let events = service.events.iter().map(|(when, message)| {
        json!({ "id": super::super::toolbox::uuid_of(message), "createdAt": when, "message": message })
    });
    let deployments = service.deployments.iter().enumerate();
    let deployments = deployments.map(|(at, one)| one.render(at == 0, service)).collect::<Vec<_>>();
    let mut view = service.settings.clone();
    let own = json!({
        "serviceArn": arn(region, &format!("service/{cluster}/{name}")),
        "serviceName": name,
        "clusterArn": arn(region, &format!("cluster/{cluster}")),
        "status": status,
        "desiredCount": service.desired,
        "runningCount": running,
        "pendingCount": (service.desired - running).max(0),
        "taskDefinition": service.definition,
        "deployments": deployments,
        "events": events.collect::<Vec<_>>(),
        "createdAt": service.created,
        "placementConstraints": [],
        "placementStrategy": [],
        "roleArn": format!(
            "arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
        ),
    });
    for (key, value) in own.as_object().into_iter().flatten() {
        view[key] = value.clone();
    }
    if tags {
        view["tags"] = tag_pairs(&service.tags, KEY_VALUE).into();
    }
    view
}

/// Describes up to ten services of a cluster. The answer lists a missing one as a failure.
pub(super) fn describe(world: &mut World, region: &str, input: &Value) -> Answer {
    let cluster = clusters::named(&world.ecs, region, input)?;
    let asked = texts(input, "services");
    if !(1..=10).contains(&asked.len()) {
        return Err(invalid("Services cannot be empty, and cannot be more than 10."));
    }
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for reference in asked {
        let name = name_in(&reference);
        match world.ecs.services.get(&place_of(region, &cluster, name)) {
            Some(service) => services.push(render(service, region, includes(input, "TAGS"))),
            None => failures.push(json!({
                "arn": arn(region, &format!("service/{cluster}/{name}")), "reason": "MISSING",
            })),
        }
    }
    Ok(json!({ "services": services, "failures": failures }))
}

/// Lists the services of a cluster that exist.
pub(super) fn list(world: &mut World, region: &str, input: &Value) -> Answer {
    let cluster = clusters::named(&world.ecs, region, input)?;
    let own = here(&world.ecs.services, region)
        .filter(|(_, service)| service.cluster == cluster && service.lives());
    let arns = own.map(|(id, _)| (id.to_owned(), arn(region, &format!("service/{id}"))));
    let limit = within(input, "maxResults", 1..=100, INVALID)?.unwrap_or(10);
    let (arns, next) = page(arns.collect(), text(input, "nextToken"), limit as usize);
    let mut answer = json!({ "serviceArns": arns });
    put(&mut answer, "nextToken", next);
    Ok(answer)
}
