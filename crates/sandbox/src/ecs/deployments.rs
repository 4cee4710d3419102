//! Deployments: a service moves from one task definition to another, or fails to.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::ec2::lent::{self, Lent};
use super::super::toolbox::{list as items, text, texts, uuid};
use super::super::{World, logs, secretsmanager};
use super::services::Service;
use super::strategies::{self, Progress};
use super::{arn, definitions};

/// A deployment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Deployment {
    id: String,
    definition: String,
    began: f64,
    state: State,
    reason: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum State {
    #[default]
    InProgress,
    Completed,
    Failed,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// How long tasks take to start in a strict sandbox, in seconds.
const START: f64 = 40.0;

impl Deployment {
    pub(super) fn new(id: &str, definition: &str, began: f64) -> Self {
        let (id, definition) = (format!("ecs-svc/{id}"), definition.to_owned());
        let reason = format!("ECS deployment {id} in progress.");
        Self { id, definition, began, state: State::InProgress, reason }
    }

    pub(super) fn began(&self) -> f64 {
        self.began
    }

    /// The deployment in an answer.
    pub(super) fn render(&self, primary: bool, service: &Service) -> Value {
        let running = match self.state {
            State::Completed => service.desired,
            State::InProgress | State::Failed => 0,
        };
        json!({
            "id": self.id,
            "status": if primary { "PRIMARY" } else { "ACTIVE" },
            "taskDefinition": self.definition,
            "desiredCount": if self.state == State::Failed { 0 } else { service.desired },
            "runningCount": running,
            "pendingCount": 0,
            "failedTasks": if self.state == State::Failed { 3 } else { 0 },
            "createdAt": self.began,
            "updatedAt": self.began,
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "rolloutState": self.state.word(),
            "rolloutStateReason": self.reason,
        })
    }
}

impl Service {
    /// The number of running tasks: those of the newest completed deployment.
    pub(super) fn running(&self) -> i64 {
        if self.deployments.iter().any(|one| one.state == State::Completed) {
            self.desired
        } else {
            0
        }
    }

    fn happened(&mut self, when: f64, what: String) {
        self.events.insert(0, (when, what));
        self.events.truncate(100);
    }
}

/// Moves the newest deployment of a service on.
pub(super) fn proceed(world: &mut World, region: &str, place: &str, today: f64) {
    let Some(service) = world.ecs.services.get(place) else { return };
    let due = if world.base.strict { START } else { 0.0 };
    let newest = service.deployments.first();
    let Some(newest) = newest.filter(|one| one.state == State::InProgress) else { return };
    if today < newest.began + due || !service.is_active() {
        return;
    }
    let is_first = !service.deployments.iter().any(|one| one.state == State::Completed);
    let (service, newest) = (service.clone(), newest.clone());
    let name = place.rsplit('/').next().unwrap_or_default();
    let obstacle = find_obstacle(world, region, &newest.definition);
    if obstacle.is_none() {
        let since = today - newest.began - due;
        match strategies::advance(world, region, &service, is_first, since) {
            Progress::Going => return,
            Progress::Done => {}
            Progress::Alarm { name, rolls_back } => {
                return stop(world, place, service, today, &name, rolls_back);
            }
        }
    }
    let breaker = &service.settings["deploymentConfiguration"]["deploymentCircuitBreaker"];
    let (breaks, rolls_back) = (breaker["enable"] == true, breaker["rollback"] == true);
    let mut service = service.clone();
    let mut newest = service.deployments.remove(0);
    let before = service.deployments.iter().position(|one| one.state == State::Completed);
    let before = before.map(|at| service.deployments[at].clone());
    match obstacle {
        None => {
            service.alternate ^= strategies::trades(&service);
            newest.state = State::Completed;
            newest.reason = format!("ECS deployment {} completed.", newest.id);
            service.happened(today, format!("(service {name}) has reached a steady state."));
            service.deployments = vec![newest];
        }
        Some(obstacle) => {
            service
                .happened(today, format!("(service {name}) failed to launch a task: {obstacle}"));
            if breaks {
                newest.state = State::Failed;
                newest.reason = "ECS deployment circuit breaker: tasks failed to start.".into();
            }
            service.deployments.insert(0, newest);
            if let Some(before) = before.filter(|_| breaks && rolls_back) {
                let id = uuid(&mut world.base);
                let back = Deployment::new(&id, &before.definition, today);
                service.definition.clone_from(&before.definition);
                service.deployments.retain(|one| one.state != State::InProgress);
                service.deployments.insert(0, back);
                service.happened(today, format!("(service {name}) is rolling back."));
            }
        }
    }
    world.ecs.services.insert(place.to_owned(), service);
}

/// Ends a deployment because of an alarm: all traffic goes back, and with a rollback the service too.
fn stop(
    world: &mut World,
    place: &str,
    mut service: Service,
    today: f64,
    alarm: &str,
    rolls_back: bool,
) {
    let name = place.rsplit('/').next().unwrap_or_default();
    if let Some(newest) = service.deployments.first_mut() {
        newest.state = State::Failed;
        newest.reason = format!("ECS deployment {} failed: alarm detected: {alarm}.", newest.id);
    }
    service.happened(today, format!("(service {name}) deployment failed: alarm detected."));
    let before = service.deployments.iter().find(|one| one.state == State::Completed).cloned();
    if let Some(before) = before.filter(|_| rolls_back) {
        service.definition.clone_from(&before.definition);
        service.deployments.retain(|one| one.state == State::Failed);
        service.deployments.insert(0, before);
        service.happened(today, format!("(service {name}) is rolling back."));
    }
    world.ecs.services.insert(place.to_owned(), service);
}

/// The reason why tasks of a definition cannot start: an object that it names is missing.
fn find_obstacle(world: &World, region: &str, revision: &str) -> Option<String> {
    let definition = definitions::definition(&world.ecs, region, revision)?;
    let roles = ["executionRoleArn", "taskRoleArn"].map(|key| text(definition, key));
    let missing = roles
        .into_iter()
        .flatten()
        .find(|arn| !world.iam.roles.contains_key(arn.rsplit('/').next().unwrap_or_default()));
    if let Some(arn) = missing {
        return Some(format!("ECS was unable to assume the role '{arn}'."));
    }
    for container in items(definition, "containerDefinitions") {
        let group = &container["logConfiguration"]["options"]["awslogs-group"];
        if group.as_str().is_some_and(|group| !logs::exists(&world.logs, region, group)) {
            return Some(format!(
                "ResourceInitializationError: the log group {group} does not exist."
            ));
        }
        for secret in items(container, "secrets") {
            let from = text(secret, "valueFrom").unwrap_or_default();
            let arn: Vec<&str> = from.split(':').take(7).collect();
            if from.contains(":secretsmanager:")
                && !secretsmanager::exists(&world.secretsmanager, &arn.join(":"))
            {
                return Some(format!(
                    "ResourceInitializationError: unable to pull the secret {from}."
                ));
            }
        }
    }
    None
}

/// The interfaces of a service's tasks, one for each running task.
pub(super) fn attach(world: &mut World, region: &str, service: &Service) -> (Vec<String>, Value) {
    let network = service.network();
    let tasks = if service.lives() { service.running() } else { 0 };
    let tasks = usize::try_from(tasks).unwrap_or_default();
    let mut own = service.interfaces.clone();
    // Another network needs other tasks.
    let stay = if service.attached == *network { tasks.min(own.len()) } else { 0 };
    for id in own.drain(stay..) {
        lent::take_back(world, region, &id, 0.0);
    }
    let subnets = texts(network, "subnets");
    for subnet in subnets.iter().cycle().take(tasks).skip(own.len()) {
        let wanted = Lent {
            subnet: subnet.clone(),
            groups: texts(network, "securityGroups"),
            description: arn(region, "attachment"),
            kind: "interface".into(),
            owner: "amazon-ecs".into(),
            public: text(network, "assignPublicIp") == Some("ENABLED"),
            ..Lent::default()
        };
        // A task does not start in a full subnet.
        own.extend(lent::lend(world, region, wanted).ok());
    }
    (own, network.clone())
}
