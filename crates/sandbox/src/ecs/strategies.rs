//! Strategies of deployments: how a service moves traffic from its old tasks to the new ones.
//!
//! With all strategies but `ROLLING`, ECS moves the weights of a listener rule between the target
//! group of a service and its alternate. A firing alarm of the service takes all traffic back. The
//! sandbox keeps lifecycle hooks and does not call them.

use serde_json::{Value, json};

use super::super::toolbox::{list, number, text, texts};
use super::super::{Refusal, World, cloudwatch, elb, iam};
use super::invalid;
use super::services::Service;

const STRATEGIES: [&str; 4] = ["ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"];
const STAGES: [&str; 8] = [
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
];
/// The longest bake, in minutes.
const LONGEST: i64 = 1440;

/// Adds what AWS assumes.
pub(super) fn complete(configuration: &mut Value) {
    for (key, usual) in [("strategy", json!("ROLLING")), ("bakeTimeInMinutes", json!(0))] {
        if configuration.get(key).is_none_or(Value::is_null) {
            configuration[key] = usual;
        }
    }
}

fn strategy(settings: &Value) -> &str {
    text(&settings["deploymentConfiguration"], "strategy").unwrap_or("ROLLING")
}

fn percent(configuration: &Value, key: &str, least: f64) -> Result<f64, Refusal> {
    let percent = configuration.get(key).and_then(Value::as_f64).unwrap_or_default();
    if (least..=100.0).contains(&percent) {
        Ok(percent)
    } else {
        Err(invalid(format!("{key} must be between {least:.1} and 100.0.")))
    }
}

fn minutes(configuration: &Value, key: &str) -> Result<i64, Refusal> {
    let minutes = number(configuration, key).unwrap_or_default();
    if (0..=LONGEST).contains(&minutes) {
        Ok(minutes)
    } else {
        Err(invalid(format!("{key} must be between 0 and {LONGEST}.")))
    }
}

/// Refuses a configuration that AWS would refuse.
pub(super) fn check(world: &World, settings: &Value) -> Result<(), Refusal> {
    let configuration = &settings["deploymentConfiguration"];
    let strategy = strategy(settings);
    if !STRATEGIES.contains(&strategy) {
        let known = STRATEGIES.join(", ");
        return Err(invalid(format!("The strategy {strategy} is not one of [{known}].")));
    }
    minutes(configuration, "bakeTimeInMinutes")?;
    for (own, key) in [("LINEAR", "linearConfiguration"), ("CANARY", "canaryConfiguration")] {
        let given = configuration.get(key).filter(|given| given.is_object());
        match (strategy == own, given) {
            (false, Some(_)) => {
                let message = format!("{key} is only valid with the {own} deployment strategy.");
                return Err(invalid(message));
            }
            (true, Some(given)) if own == "LINEAR" => {
                percent(given, "stepPercent", 3.0)?;
                minutes(given, "stepBakeTimeInMinutes")?;
            }
            (true, Some(given)) => {
                percent(given, "canaryPercent", 0.1)?;
                minutes(given, "canaryBakeTimeInMinutes")?;
            }
            (true, None) | (false, None) => {}
        }
    }
    for hook in list(configuration, "lifecycleHooks") {
        let stages = texts(hook, "lifecycleStages");
        if stages.is_empty() || !stages.iter().all(|stage| STAGES.contains(&stage.as_str())) {
            return Err(invalid("A lifecycle hook needs valid lifecycle stages."));
        }
        let calls = text(hook, "targetType").unwrap_or("AWS_LAMBDA") == "AWS_LAMBDA";
        if calls && (text(hook, "hookTargetArn").is_none() || text(hook, "roleArn").is_none()) {
            return Err(invalid("A lifecycle hook needs a hookTargetArn and a roleArn."));
        }
    }
    let alarms = &configuration["alarms"];
    if alarms["enable"] == true && texts(alarms, "alarmNames").is_empty() {
        return Err(invalid("Alarm names must be given if alarms are enabled."));
    }
    for target in list(settings, "loadBalancers") {
        let advanced = target.get("advancedConfiguration").filter(|it| it.is_object());
        match (strategy, advanced) {
            ("ROLLING", Some(_)) => {
                return Err(invalid(
                    "advancedConfiguration is not valid with the ROLLING deployment strategy.",
                ));
            }
            ("ROLLING", None) => {}
            (_, Some(advanced)) => check_advanced(world, advanced)?,
            (strategy, None) => {
                return Err(invalid(format!(
                    "advancedConfiguration is required for load balancers with the {strategy} \
                     deployment strategy."
                )));
            }
        }
    }
    Ok(())
}

fn check_advanced(world: &World, advanced: &Value) -> Result<(), Refusal> {
    let of = |key: &str| text(advanced, key).unwrap_or_default();
    let (alternate, rule) = (of("alternateTargetGroupArn"), of("productionListenerRule"));
    if elb::target_group(world, alternate).is_none() {
        let message = format!("The target group with targetGroupArn {alternate} does not exist.");
        return Err(invalid(message));
    }
    let test = text(advanced, "testListenerRule");
    if let Some(rule) =
        [Some(rule), test].into_iter().flatten().find(|rule| !elb::has_rule(&world.elb, rule))
    {
        return Err(invalid(format!("The listener rule {rule} does not exist.")));
    }
    if iam::can_assume(world, of("roleArn"), "ecs.amazonaws.com") {
        Ok(())
    } else {
        let role = of("roleArn");
        Err(invalid(format!("ECS was unable to assume the role '{role}'.")))
    }
}

/// How long a deployment moves traffic and bakes after its tasks have started, in seconds.
fn bakes(settings: &Value) -> f64 {
    let configuration = &settings["deploymentConfiguration"];
    let minutes = |of: &Value, key: &str| number(of, key).unwrap_or_default() as f64;
    let steps = match strategy(settings) {
        "ROLLING" => return 0.0,
        "LINEAR" => {
            let linear = &configuration["linearConfiguration"];
            let (step, bake) = (step(linear), minutes(linear, "stepBakeTimeInMinutes"));
            ((100.0 / step).ceil() - 1.0) * bake
        }
        "CANARY" => minutes(&configuration["canaryConfiguration"], "canaryBakeTimeInMinutes"),
        _ => 0.0,
    };
    (steps + minutes(configuration, "bakeTimeInMinutes")) * 60.0
}

fn step(linear: &Value) -> f64 {
    linear.get("stepPercent").and_then(Value::as_f64).unwrap_or(10.0)
}

/// The part of the traffic that the new tasks have so many seconds after their start.
fn share(settings: &Value, since: f64) -> f64 {
    let configuration = &settings["deploymentConfiguration"];
    let (linear, canary) =
        (&configuration["linearConfiguration"], &configuration["canaryConfiguration"]);
    let seconds = |of: &Value, key: &str| number(of, key).unwrap_or_default() as f64 * 60.0;
    match strategy(settings) {
        "LINEAR" => {
            let bake = seconds(linear, "stepBakeTimeInMinutes");
            let steps = if bake > 0.0 { (since / bake).floor() + 1.0 } else { f64::INFINITY };
            (step(linear) * steps).min(100.0)
        }
        "CANARY" if since < seconds(canary, "canaryBakeTimeInMinutes") => {
            canary.get("canaryPercent").and_then(Value::as_f64).unwrap_or(5.0)
        }
        _ => 100.0,
    }
}

/// The target groups of a service that trade places, and the rule that leads to them: what has the
/// traffic, then the other.
fn sides(service: &Service) -> Vec<(String, String, String)> {
    let targets = list(&service.settings, "loadBalancers").iter();
    let sides = targets.filter_map(|target| {
        let advanced = &target["advancedConfiguration"];
        let (first, other) =
            (text(target, "targetGroupArn")?, text(advanced, "alternateTargetGroupArn")?);
        let rule = text(advanced, "productionListenerRule")?.to_owned();
        let (first, other) = (first.to_owned(), other.to_owned());
        Some(if service.alternate { (rule, other, first) } else { (rule, first, other) })
    });
    sides.collect()
}

/// Whether a deployment of a service ends with the other target group.
pub(super) fn trades(service: &Service) -> bool {
    strategy(&service.settings) != "ROLLING"
}

/// How far a deployment is whose tasks run.
pub(super) enum Progress {
    Going,
    Done,
    /// An alarm fires, and makes ECS roll back or not.
    Alarm {
        name: String,
        rolls_back: bool,
    },
}

/// Gives the new tasks of a service their part of the traffic, so many seconds after their start.
/// The first tasks of a service get all of it at once, in its alternate group, as AWS was seen to do it.
pub(super) fn advance(
    world: &mut World,
    region: &str,
    service: &Service,
    is_first: bool,
    since: f64,
) -> Progress {
    let settings = &service.settings;
    let alarm = alarm(world, region, service).filter(|_| !is_first);
    let bakes = if world.base.strict { bakes(settings) } else { 0.0 };
    let (share, progress) = match alarm {
        Some((name, rolls_back)) => (0.0, Progress::Alarm { name, rolls_back }),
        None if is_first => (100.0, Progress::Done),
        None if since < bakes => (share(settings, since), Progress::Going),
        None => (100.0, Progress::Done),
    };
    for (rule, now, next) in sides(service) {
        elb::weigh(&mut world.elb, &rule, &[(now, 100.0 - share), (next, share)]);
    }
    progress
}

/// The alarm of a service that fires, and whether it makes ECS roll back.
pub(super) fn alarm(world: &World, region: &str, service: &Service) -> Option<(String, bool)> {
    let alarms = &service.settings["deploymentConfiguration"]["alarms"];
    if alarms["enable"] != true {
        return None;
    }
    let fires = |name: &String| cloudwatch::fires(world, region, name);
    let name = texts(alarms, "alarmNames").into_iter().find(fires)?;
    Some((name, alarms["rollback"] == true))
}

/// The group in which the tasks of a service are registered, of the two in a target.
pub(super) fn group<'a>(service: &Service, target: &'a Value) -> Option<&'a str> {
    if service.alternate {
        text(&target["advancedConfiguration"], "alternateTargetGroupArn")
    } else {
        text(target, "targetGroupArn")
    }
}
