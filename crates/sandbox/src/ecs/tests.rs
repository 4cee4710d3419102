//! Refusals, deployments and draining of ECS.

use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::{REGION, ask, ask_in, make_balancer};

mod strategies;

fn ecs(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
    let answer = ask(world, "ecs", operation, input);
    answer.map_err(|refusal| format!("{} {}", refusal.code, refusal.message))
}

fn refused(answer: Result<Value, String>, why: &str) {
    let said = answer.expect_err("ECS refuses this");
    assert!(said.contains(why), "{said}");
}

fn definition(more: Value) -> Value {
    let mut input = json!({
        "family": "web", "cpu": "256", "memory": "512",
        "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": [{
            "name": "web", "image": "nginx", "portMappings": [{ "containerPort": 80 }],
            "environment": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }],
            "command": [],
        }],
    });
    for (key, value) in more.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

/// A world with a network, a cluster and a task definition, and the id of the subnet.
fn with_cluster() -> (World, String) {
    let mut world = World::default();
    let ec2 = |world: &mut World, operation: &str, input: Value| {
        let call = super::Call {
            service: "ec2".into(),
            operation: operation.into(),
            input,
            region: REGION.into(),
        };
        super::super::ec2::call(world, &call).unwrap()
    };
    let vpc = ec2(&mut world, "CreateVpc", json!({ "CidrBlock": "10.0.0.0/16" }));
    let vpc = vpc["vpc"]["vpcId"].clone();
    let input = json!({ "VpcId": vpc, "CidrBlock": "10.0.0.0/24" });
    let subnet = ec2(&mut world, "CreateSubnet", input)["subnet"]["subnetId"].clone();
    ecs(&mut world, "CreateCluster", json!({ "clusterName": "main" })).unwrap();
    ecs(&mut world, "RegisterTaskDefinition", definition(json!({}))).unwrap();
    (world, subnet.as_str().unwrap().to_owned())
}

fn service(subnet: &str, more: Value) -> Value {
    let mut input = json!({
        "cluster": "main", "serviceName": "web", "taskDefinition": "web", "desiredCount": 2,
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": [subnet] } },
    });
    for (key, value) in more.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

fn described(world: &mut World) -> Value {
    let input = json!({ "cluster": "main", "services": ["web"], "include": ["TAGS"] });
    ecs(world, "DescribeServices", input).unwrap()["services"][0].clone()
}

#[test]
fn a_deleted_cluster_is_inactive_and_comes_back() {
    let (mut world, subnet) = with_cluster();
    ecs(&mut world, "CreateService", service(&subnet, json!({}))).unwrap();
    let cluster = || json!({ "cluster": "main" });
    refused(ecs(&mut world, "DeleteCluster", cluster()), "ClusterContainsServicesException");
    let input = json!({ "cluster": "main", "service": "web", "force": true });
    ecs(&mut world, "DeleteService", input).unwrap();
    ecs(&mut world, "DeleteCluster", cluster()).unwrap();
    refused(ecs(&mut world, "DeleteCluster", cluster()), "ClusterNotFoundException");
    let describe = json!({ "clusters": ["main", "none"] });
    let answer = ecs(&mut world, "DescribeClusters", describe).unwrap();
    assert_eq!(answer["clusters"][0]["status"], "INACTIVE");
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
    assert_eq!(ecs(&mut world, "ListClusters", json!({})).unwrap()["clusterArns"], json!([]));
    let again = json!({ "clusterName": "main", "tags": [{ "key": "k", "value": "v" }] });
    let answer = ecs(&mut world, "CreateCluster", again).unwrap();
    assert_eq!(answer["cluster"]["status"], "ACTIVE");
    assert_eq!(answer["cluster"]["tags"][0]["key"], "k");
}

#[test]
fn revision_numbers_are_never_reused() {
    let (mut world, _) = with_cluster();
    let register = |world: &mut World| {
        let answer = ecs(world, "RegisterTaskDefinition", definition(json!({}))).unwrap();
        answer["taskDefinition"]["revision"].as_i64().unwrap()
    };
    assert_eq!(register(&mut world), 2);
    let delete = json!({ "taskDefinitions": ["web:2"] });
    let answer = ecs(&mut world, "DeleteTaskDefinitions", delete.clone()).unwrap();
    assert!(answer["failures"][0]["reason"].as_str().unwrap().contains("ACTIVE"));
    for revision in ["web:1", "web:2"] {
        let input = json!({ "taskDefinition": revision });
        ecs(&mut world, "DeregisterTaskDefinition", input).unwrap();
    }
    ecs(&mut world, "DeleteTaskDefinitions", delete).unwrap();
    let describe = |which: &str| json!({ "taskDefinition": which });
    refused(ecs(&mut world, "DescribeTaskDefinition", describe("web")), "Unable to describe");
    let inactive = ecs(&mut world, "DescribeTaskDefinition", describe("web:1")).unwrap();
    assert_eq!(inactive["taskDefinition"]["status"], "INACTIVE");
    assert_eq!(register(&mut world), 3);
    let list = json!({ "familyPrefix": "web", "sort": "DESC" });
    let arns = ecs(&mut world, "ListTaskDefinitions", list).unwrap();
    assert_eq!(arns["taskDefinitionArns"].as_array().unwrap().len(), 1);
}

#[test]
fn a_definition_is_read_back_with_the_defaults_of_ecs() {
    let (mut world, _) = with_cluster();
    let describe = json!({ "taskDefinition": "web", "include": ["TAGS"] });
    let answer = ecs(&mut world, "DescribeTaskDefinition", describe).unwrap();
    let container = &answer["taskDefinition"]["containerDefinitions"][0];
    assert_eq!(container["mountPoints"], json!([]));
    assert_eq!(container["portMappings"][0]["hostPort"], 80);
    assert_eq!(container["portMappings"][0]["protocol"], "tcp");
    assert_eq!(container["environment"][0]["name"], "B");
    assert!(container.get("command").is_none());
}

#[test]
fn a_definition_that_fargate_cannot_run_is_refused() {
    let (mut world, _) = with_cluster();
    let mut register = |more: Value| ecs(&mut world, "RegisterTaskDefinition", definition(more));
    refused(register(json!({ "memory": "4096" })), "No Fargate configuration exists");
    refused(register(json!({ "cpu": "300" })), "No Fargate configuration exists");
    refused(register(json!({ "networkMode": "bridge" })), "awsvpc");
    let container = |more: Value| {
        let mut one = json!({ "name": "a", "image": "i" });
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "containerDefinitions": [one] })
    };
    refused(register(container(json!({ "essential": false }))), "must be essential");
    let ports = json!({ "portMappings": [{ "containerPort": 80, "hostPort": 81 }] });
    refused(register(container(ports)), "must match");
    let logs = json!({ "logConfiguration": { "logDriver": "awslogs" } });
    refused(register(container(logs)), "execution role");
    let secrets = json!({ "secrets": [{ "name": "A", "valueFrom": "arn" }] });
    refused(register(container(secrets)), "executionRoleArn");
}

#[test]
fn a_service_needs_what_its_definition_lacks() {
    let (mut world, subnet) = with_cluster();
    let mut create = |more: Value| ecs(&mut world, "CreateService", service(&subnet, more));
    refused(create(json!({ "cluster": "none" })), "ClusterNotFoundException");
    refused(create(json!({ "taskDefinition": "none" })), "TaskDefinition not found");
    let behind = |name: &str, port: i64| {
        let target =
            json!({ "targetGroupArn": "arn", "containerName": name, "containerPort": port });
        json!({ "loadBalancers": [target] })
    };
    refused(create(behind("api", 80)), "does not exist in the task definition");
    refused(create(behind("web", 81)), "did not have a container port 81");
    refused(create(behind("web", 80)), "targetGroupArn arn does not exist");
    refused(create(json!({ "healthCheckGracePeriodSeconds": 60 })), "load balancers");
    let percent = json!({ "minimumHealthyPercent": 100, "maximumPercent": 100 });
    refused(create(json!({ "deploymentConfiguration": percent })), "no way to replace");
    let nowhere = json!({ "awsvpcConfiguration": { "subnets": ["subnet-0"] } });
    refused(create(json!({ "networkConfiguration": nowhere })), "subnet-0");
    create(json!({})).unwrap();
    create(json!({})).unwrap();
    refused(create(json!({ "desiredCount": 2, "platformVersion": "1.4.0" })), "not idempotent");
}

#[test]
fn a_service_needs_a_target_group_with_a_listener() {
    let (mut world, subnet) = with_cluster();
    let balancer = make_balancer(&mut world);
    let balance = |world: &mut World, operation: &str, input: Value| {
        ask(world, "elasticloadbalancing", operation, input).unwrap()
    };
    let input = json!({
        "Name": "web", "Protocol": "HTTP", "Port": "80", "VpcId": balancer.vpc, "TargetType": "ip",
    });
    let made = balance(&mut world, "CreateTargetGroup", input);
    let group = made["TargetGroups"][0]["TargetGroupArn"].clone();
    let target = json!({ "targetGroupArn": group, "containerName": "web", "containerPort": 80 });
    let wanted = service(&subnet, json!({ "loadBalancers": [target] }));
    let early = ecs(&mut world, "CreateService", wanted.clone());
    refused(early, "does not have an associated load balancer");
    let input = json!({
        "LoadBalancerArn": balancer.arn, "Port": "80", "Protocol": "HTTP",
        "DefaultActions": [{ "Type": "forward", "TargetGroupArn": group }],
    });
    balance(&mut world, "CreateListener", input);
    ecs(&mut world, "CreateService", wanted).unwrap();
}

#[test]
fn tasks_keep_interfaces_until_their_service_drains() {
    let (mut world, subnet) = with_cluster();
    ecs(&mut world, "CreateService", service(&subnet, json!({}))).unwrap();
    assert_eq!(described(&mut world)["runningCount"], 2);
    let delete_subnet = |world: &mut World| {
        let call = super::Call {
            service: "ec2".into(),
            operation: "DeleteSubnet".into(),
            input: json!({ "SubnetId": subnet }),
            region: REGION.into(),
        };
        super::super::ec2::call(world, &call).map_err(|refusal| refusal.code)
    };
    assert_eq!(delete_subnet(&mut world), Err("DependencyViolation".into()));
    let scaled = json!({ "cluster": "main", "service": "web", "desiredCount": 1 });
    ecs(&mut world, "UpdateService", scaled).unwrap();
    assert_eq!(described(&mut world)["runningCount"], 1);
    let input = json!({ "cluster": "main", "service": "web" });
    refused(ecs(&mut world, "DeleteService", input), "scaled above 0");
    let input = json!({ "cluster": "main", "service": "web", "force": true });
    ecs(&mut world, "DeleteService", input).unwrap();
    assert_eq!(described(&mut world)["status"], "INACTIVE");
    delete_subnet(&mut world).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_strict_service_takes_its_time_to_start_and_to_drain() {
    let (mut world, subnet) = with_cluster();
    world.base = super::super::Base { strict: true, ..super::super::Base::default() };
    let wait = || tokio::time::advance(std::time::Duration::from_secs(60));
    // ECS sees its own role by now.
    wait().await;
    ecs(&mut world, "CreateService", service(&subnet, json!({}))).unwrap();
    let young = described(&mut world);
    assert_eq!((&young["runningCount"], &young["pendingCount"]), (&json!(0), &json!(2)));
    wait().await;
    assert_eq!(described(&mut world)["deployments"][0]["rolloutState"], "COMPLETED");
    let input = json!({ "cluster": "main", "service": "web", "force": true });
    ecs(&mut world, "DeleteService", input).unwrap();
    assert_eq!(described(&mut world)["status"], "DRAINING");
    refused(ecs(&mut world, "CreateService", service(&subnet, json!({}))), "still Draining");
    wait().await;
    assert_eq!(described(&mut world)["status"], "INACTIVE");
    ecs(&mut world, "CreateService", service(&subnet, json!({}))).unwrap();
}

#[test]
fn the_circuit_breaker_rolls_back_failed_deployments() {
    let (mut world, subnet) = with_cluster();
    let breaker = json!({ "deploymentCircuitBreaker": { "enable": true, "rollback": true } });
    let input = service(&subnet, json!({ "deploymentConfiguration": breaker }));
    ecs(&mut world, "CreateService", input).unwrap();
    let first = described(&mut world)["taskDefinition"].clone();
    let role = json!({ "executionRoleArn": "arn:aws:iam::000000000000:role/none" });
    let answer = ecs(&mut world, "RegisterTaskDefinition", definition(role)).unwrap();
    let second = answer["taskDefinition"]["taskDefinitionArn"].clone();
    let update = json!({ "cluster": "main", "service": "web", "taskDefinition": second });
    ecs(&mut world, "UpdateService", update).unwrap();
    let found = described(&mut world);
    assert_eq!((&found["taskDefinition"], &found["runningCount"]), (&first, &json!(2)));
    let failed = &found["deployments"][1];
    assert_eq!((&failed["taskDefinition"], &failed["rolloutState"]), (&second, &json!("FAILED")));
    let events = found["events"].to_string();
    assert!(events.contains("unable to assume the role"), "{events}");
    assert_eq!(described(&mut world)["deployments"].as_array().unwrap().len(), 1);
}

#[test]
fn regions_are_independent() {
    let (mut world, _) = with_cluster();
    let answer = ask_in(&mut world, "us-east-1", "ecs", "ListClusters", json!({})).unwrap();
    assert_eq!(answer["clusterArns"], json!([]));
}

#[test]
fn a_target_is_registered_once_and_scales_at_once() {
    let (mut world, subnet) = with_cluster();
    ecs(&mut world, "CreateService", service(&subnet, json!({}))).unwrap();
    let scaling = |world: &mut World, operation: &str, more: Value| {
        let mut input = json!({
            "ServiceNamespace": "ecs", "ResourceId": "service/main/web",
            "ScalableDimension": "ecs:service:DesiredCount",
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = ask(world, "application-autoscaling", operation, input);
        answer.map_err(|refusal| refusal.code)
    };
    let missing = json!({ "ResourceId": "service/main/x", "MinCapacity": 1, "MaxCapacity": 2 });
    let answer = scaling(&mut world, "RegisterScalableTarget", missing);
    assert_eq!(answer, Err("ValidationException".into()));
    let bounds = json!({ "MinCapacity": 3, "MaxCapacity": 5, "Tags": { "k": "v" } });
    let made = scaling(&mut world, "RegisterScalableTarget", bounds).unwrap();
    assert_eq!(described(&mut world)["runningCount"], 3);
    let again = json!({ "MaxCapacity": 6, "Tags": { "other": "v" } });
    scaling(&mut world, "RegisterScalableTarget", again).unwrap();
    let arn = json!({ "ResourceARN": made["ScalableTargetARN"] });
    let tags = scaling(&mut world, "ListTagsForResource", arn).unwrap();
    assert_eq!(tags["Tags"], json!({ "k": "v" }));
    let policy = json!({
        "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "ECSServiceAverageCPUUtilization",
            },
        },
    });
    scaling(&mut world, "PutScalingPolicy", policy.clone()).unwrap();
    let found = scaling(&mut world, "DescribeScalingPolicies", json!({})).unwrap();
    assert_eq!(found["ScalingPolicies"][0]["PolicyName"], "cpu");
    scaling(&mut world, "DeregisterScalableTarget", json!({})).unwrap();
    let answer = scaling(&mut world, "PutScalingPolicy", policy);
    assert_eq!(answer, Err("ObjectNotFoundException".into()));
    let found = scaling(&mut world, "DescribeScalableTargets", json!({})).unwrap();
    assert_eq!(found["ScalableTargets"], json!([]));
}
