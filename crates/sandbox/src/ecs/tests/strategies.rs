//! Claims about the strategies of deployments.

use std::time::Duration;

use serde_json::{Value, json};

use super::{World, ask, definition, ecs, make_balancer, refused, service, with_cluster};

const ELB: &str = "elasticloadbalancing";

/// A cluster, and a rule that leads to the first of two target groups.
struct Ground {
    world: World,
    subnet: String,
    rule: String,
    blue: String,
    green: String,
}

fn text(answer: &Value, path: &str) -> String {
    answer.pointer(path).and_then(Value::as_str).expect(path).to_owned()
}

impl Ground {
    fn new() -> Self {
        let (mut world, subnet) = with_cluster();
        let balancer = make_balancer(&mut world);
        let group = |world: &mut World, name: &str| {
            let input = json!({
                "Name": name, "Protocol": "HTTP", "Port": "80", "VpcId": balancer.vpc,
                "TargetType": "ip",
            });
            text(
                &ask(world, ELB, "CreateTargetGroup", input).unwrap(),
                "/TargetGroups/0/TargetGroupArn",
            )
        };
        let (blue, green) = (group(&mut world, "blue"), group(&mut world, "green"));
        let answer = json!({ "StatusCode": "404" });
        let input = json!({
            "LoadBalancerArn": balancer.arn, "Port": "80", "Protocol": "HTTP",
            "DefaultActions": [{ "Type": "fixed-response", "FixedResponseConfig": answer }],
        });
        let listener = ask(&mut world, ELB, "CreateListener", input).unwrap();
        let input = json!({
            "ListenerArn": listener["Listeners"][0]["ListenerArn"], "Priority": "1",
            "Conditions": [{ "Field": "path-pattern", "Values": ["/*"] }],
            "Actions": [{ "Type": "forward", "TargetGroupArn": blue }],
        });
        let rule = text(&ask(&mut world, ELB, "CreateRule", input).unwrap(), "/Rules/0/RuleArn");
        let trust = json!({ "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": { "Service": "ecs.amazonaws.com" },
        }] });
        let input = json!({ "RoleName": "shift", "AssumeRolePolicyDocument": trust.to_string() });
        ask(&mut world, "iam", "CreateRole", input).unwrap();
        Self { world, subnet, rule, blue, green }
    }

    fn wanted(&self, configuration: Value) -> Value {
        let advanced = json!({
            "alternateTargetGroupArn": self.green, "productionListenerRule": self.rule,
            "roleArn": "arn:aws:iam::000000000000:role/shift",
        });
        service(
            &self.subnet,
            json!({
                "deploymentConfiguration": configuration,
                "loadBalancers": [{
                    "targetGroupArn": self.blue, "containerName": "web", "containerPort": 80,
                    "advancedConfiguration": advanced,
                }],
            }),
        )
    }

    fn create(&mut self, configuration: Value) {
        let input = self.wanted(configuration);
        ecs(&mut self.world, "CreateService", input).unwrap();
        self.read();
    }

    fn read(&mut self) -> Value {
        let input = json!({ "cluster": "main", "services": ["web"] });
        ecs(&mut self.world, "DescribeServices", input).unwrap()["services"][0].clone()
    }

    /// Begins a deployment of another revision.
    fn deploy(&mut self) {
        ecs(&mut self.world, "RegisterTaskDefinition", definition(json!({ "memory": "1024" })))
            .unwrap();
        let input = json!({ "cluster": "main", "service": "web", "taskDefinition": "web" });
        ecs(&mut self.world, "UpdateService", input).unwrap();
    }

    /// The parts of the traffic that blue and green have.
    fn weights(&mut self) -> (i64, i64) {
        self.read();
        let input = json!({ "RuleArns": [self.rule] });
        let read = ask(&mut self.world, ELB, "DescribeRules", input).unwrap();
        let action = &read["Rules"][0]["Actions"][0]["ForwardConfig"]["TargetGroups"];
        let of = |group: &str| {
            let all = action.as_array().unwrap().iter();
            let one = all.clone().find(|one| one["TargetGroupArn"] == group).unwrap();
            one["Weight"].as_i64().unwrap()
        };
        (of(&self.blue), of(&self.green))
    }

    fn targets(&mut self, group: &str) -> usize {
        let input = json!({ "TargetGroupArn": group });
        let read = ask(&mut self.world, ELB, "DescribeTargetHealth", input).unwrap();
        read["TargetHealthDescriptions"].as_array().unwrap().len()
    }
}

#[test]
fn the_sides_of_a_blue_green_service_trade_places() {
    let mut ground = Ground::new();
    ground.create(json!({ "strategy": "BLUE_GREEN" }));
    let read = ground.read();
    let configuration = &read["deploymentConfiguration"];
    assert_eq!(
        (&configuration["strategy"], &configuration["bakeTimeInMinutes"]),
        (&json!("BLUE_GREEN"), &json!(0))
    );
    assert_eq!(ground.weights(), (0, 100));
    let (blue, green) = (ground.blue.clone(), ground.green.clone());
    assert_eq!((ground.targets(&blue), ground.targets(&green)), (0, 2));
    ground.deploy();
    assert_eq!(ground.weights(), (100, 0));
    assert_eq!((ground.targets(&blue), ground.targets(&green)), (2, 0));
    ground.deploy();
    assert_eq!(ground.weights(), (0, 100));
}

#[tokio::test(start_paused = true)]
async fn traffic_moves_in_steps_in_a_strict_sandbox() {
    let mut ground = Ground::new();
    ground.world.base.strict = true;
    tokio::time::advance(Duration::from_secs(30)).await;
    let linear = json!({ "stepPercent": 25.0, "stepBakeTimeInMinutes": 5 });
    ground.create(json!({
        "strategy": "LINEAR", "bakeTimeInMinutes": 10, "linearConfiguration": linear,
    }));
    tokio::time::advance(Duration::from_secs(41)).await;
    assert_eq!(ground.weights(), (0, 100));
    ground.deploy();
    for expected in [(25, 75), (50, 50), (75, 25), (100, 0)] {
        tokio::time::advance(Duration::from_secs(if expected == (25, 75) { 41 } else { 300 }))
            .await;
        assert_eq!(ground.weights(), expected);
        assert_eq!(ground.read()["deployments"][0]["rolloutState"], "IN_PROGRESS");
    }
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(ground.read()["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(ground.weights(), (100, 0));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_takes_all_traffic_back() {
    let mut ground = Ground::new();
    ground.world.base.strict = true;
    tokio::time::advance(Duration::from_secs(30)).await;
    let canary = json!({ "canaryPercent": 10.0, "canaryBakeTimeInMinutes": 5 });
    let alarms = json!({ "alarmNames": ["errors"], "enable": true, "rollback": true });
    ground.create(json!({
        "strategy": "CANARY", "bakeTimeInMinutes": 10, "canaryConfiguration": canary,
        "alarms": alarms,
    }));
    tokio::time::advance(Duration::from_secs(41)).await;
    let old = ground.read()["taskDefinition"].clone();
    ground.deploy();
    tokio::time::advance(Duration::from_secs(41)).await;
    assert_eq!(ground.weights(), (10, 90));
    let input = json!({
        "AlarmName": "errors", "Namespace": "n", "MetricName": "m", "Statistic": "Sum",
        "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    });
    ask(&mut ground.world, "monitoring", "PutMetricAlarm", input).unwrap();
    let input = json!({ "AlarmName": "errors", "StateValue": "ALARM", "StateReason": "test" });
    ask(&mut ground.world, "monitoring", "SetAlarmState", input).unwrap();
    assert_eq!(ground.weights(), (0, 100));
    let read = ground.read();
    assert_eq!(read["taskDefinition"], old);
    assert_eq!(read["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(read["deployments"][1]["rolloutState"], "FAILED");
}

#[test]
fn invalid_strategies_are_refused() {
    let mut ground = Ground::new();
    for (configuration, why) in [
        (json!({ "strategy": "RED" }), "is not one of"),
        (json!({ "strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1441 }), "between 0 and 1440"),
        (
            json!({ "strategy": "LINEAR", "linearConfiguration": { "stepPercent": 2.0 } }),
            "stepPercent must be between 3.0 and 100.0",
        ),
        (
            json!({ "strategy": "BLUE_GREEN", "canaryConfiguration": { "canaryPercent": 5.0 } }),
            "canaryConfiguration is only valid with the CANARY deployment strategy",
        ),
        (
            json!({ "strategy": "BLUE_GREEN", "lifecycleHooks": [{ "lifecycleStages": ["X"] }] }),
            "needs valid lifecycle stages",
        ),
        (
            json!({ "strategy": "BLUE_GREEN", "alarms": { "alarmNames": [], "enable": true } }),
            "Alarm names must be given",
        ),
        (json!({}), "not valid with the ROLLING deployment strategy"),
    ] {
        let input = ground.wanted(configuration);
        refused(ecs(&mut ground.world, "CreateService", input), why);
    }
    let blue_green = json!({ "strategy": "BLUE_GREEN" });
    for (key, value, why) in [
        ("alternateTargetGroupArn", "none", "does not exist"),
        ("productionListenerRule", "none", "The listener rule none does not exist"),
        ("roleArn", "arn:aws:iam::000000000000:role/none", "unable to assume the role"),
    ] {
        let mut input = ground.wanted(blue_green.clone());
        input["loadBalancers"][0]["advancedConfiguration"][key] = json!(value);
        refused(ecs(&mut ground.world, "CreateService", input), why);
    }
    let mut plain = ground.wanted(blue_green);
    plain["loadBalancers"][0].as_object_mut().unwrap().remove("advancedConfiguration");
    refused(ecs(&mut ground.world, "CreateService", plain), "advancedConfiguration is required");
}
