//! Tests of Elastic Load Balancing.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::{REGION, ask, code, id};

mod rules;

const SERVICE: &str = "elasticloadbalancing";

/// A network with two public subnets, and the objects in it.
struct Ground {
    world: World,
    vpc: String,
    subnets: Vec<String>,
    group: String,
}

impl Ground {
    fn new() -> Self {
        let mut world = World::default();
        let mut ec2 = |operation: &str, input: Value| {
            ask(&mut world, "ec2", operation, input).expect(operation)
        };
        let vpc = id(&ec2("CreateVpc", json!({ "CidrBlock": "10.0.0.0/16" })), "/vpc/vpcId");
        let subnets = ["a", "b"].iter().enumerate().map(|(at, zone)| {
            let input = json!({
                "VpcId": vpc, "CidrBlock": format!("10.0.{at}.0/24"),
                "AvailabilityZone": format!("{REGION}{zone}"),
            });
            id(&ec2("CreateSubnet", input), "/subnet/subnetId")
        });
        let subnets: Vec<String> = subnets.collect();
        let input = json!({ "VpcId": vpc, "GroupName": "lb", "GroupDescription": "lb" });
        let group = id(&ec2("CreateSecurityGroup", input), "/groupId");
        Self { world, vpc, subnets, group }
    }

    fn ask(&mut self, operation: &str, input: Value) -> Value {
        match ask(&mut self.world, SERVICE, operation, input) {
            Ok(answer) => answer,
            Err(refusal) => panic!("{operation}: {} {}", refusal.code, refusal.message),
        }
    }

    fn refused(&mut self, operation: &str, input: Value) -> String {
        code(ask(&mut self.world, SERVICE, operation, input))
    }

    fn ec2(&mut self, operation: &str, input: Value) -> Result<Value, String> {
        ask(&mut self.world, "ec2", operation, input).map_err(|refusal| refusal.code)
    }

    fn wanted(&self, name: &str) -> Value {
        json!({
            "Name": name, "Scheme": "internal", "Subnets": self.subnets,
            "SecurityGroups": [self.group],
        })
    }

    fn balancer(&mut self, name: &str) -> String {
        let input = self.wanted(name);
        id(&self.ask("CreateLoadBalancer", input), "/LoadBalancers/0/LoadBalancerArn")
    }

    fn target(&mut self, name: &str) -> String {
        let input = json!({
            "Name": name, "Protocol": "HTTP", "Port": "80", "VpcId": self.vpc, "TargetType": "ip",
        });
        id(&self.ask("CreateTargetGroup", input), "/TargetGroups/0/TargetGroupArn")
    }

    fn listener(&mut self, balancer: &str, target: &str) -> String {
        let action = json!([{ "Type": "forward", "TargetGroupArn": target }]);
        let input = json!({
            "LoadBalancerArn": balancer, "Port": "80", "Protocol": "HTTP", "DefaultActions": action,
        });
        id(&self.ask("CreateListener", input), "/Listeners/0/ListenerArn")
    }
}

#[test]
fn creating_again_succeeds_only_with_equal_settings() {
    let mut ground = Ground::new();
    let first = ground.balancer("dev-alb");
    assert_eq!(ground.balancer("dev-alb"), first);
    let mut other = ground.wanted("dev-alb");
    other["Tags"] = json!([{ "Key": "a", "Value": "b" }]);
    assert_eq!(ground.refused("CreateLoadBalancer", other), "DuplicateLoadBalancerName");
    ground.target("dev-tg");
    let input = json!({ "Name": "dev-tg", "Protocol": "HTTP", "Port": "81", "VpcId": ground.vpc });
    assert_eq!(ground.refused("CreateTargetGroup", input), "DuplicateTargetGroupName");
}

#[test]
fn a_load_balancer_needs_valid_subnets() {
    let mut ground = Ground::new();
    let with = |ground: &Ground, key: &str, value: Value| {
        let mut input = ground.wanted("dev-alb");
        input[key] = value;
        input
    };
    let one = with(&ground, "Subnets", json!([ground.subnets[0]]));
    assert_eq!(ground.refused("CreateLoadBalancer", one), "ValidationError");
    let public = with(&ground, "Scheme", json!("internet-facing"));
    assert_eq!(ground.refused("CreateLoadBalancer", public), "InvalidSubnet");
    let group = with(&ground, "SecurityGroups", json!(["sg-1"]));
    assert_eq!(ground.refused("CreateLoadBalancer", group), "InvalidSecurityGroup");
    for name in ["internal-x", "-x", "x_y", &"x".repeat(33)] {
        let named = with(&ground, "Name", json!(name));
        assert_eq!(ground.refused("CreateLoadBalancer", named), "ValidationError", "{name}");
    }
}

#[test]
fn interfaces_block_deletion_of_subnets_and_groups() {
    let mut ground = Ground::new();
    let balancer = ground.balancer("dev-alb");
    let (subnet, group) = (ground.subnets[0].clone(), ground.group.clone());
    let delete = json!({ "SubnetId": subnet });
    assert_eq!(ground.ec2("DeleteSubnet", delete.clone()), Err("DependencyViolation".into()));
    let without = json!({ "GroupId": group });
    assert_eq!(
        ground.ec2("DeleteSecurityGroup", without.clone()),
        Err("DependencyViolation".into())
    );
    let seen = ground.ec2("DescribeNetworkInterfaces", json!({})).unwrap();
    let first = &seen["networkInterfaceSet"][0];
    let place = balancer.split_once("loadbalancer/").unwrap().1;
    assert_eq!(first["description"], format!("ELB {place}"));
    assert_eq!(first["attachment"]["instanceOwnerId"], "amazon-elb");
    ground.ask("DeleteLoadBalancer", json!({ "LoadBalancerArn": balancer }));
    ground.ec2("DeleteSubnet", delete).unwrap();
    ground.ec2("DeleteSecurityGroup", without).unwrap();
    let gone = json!({ "LoadBalancerArns": [balancer] });
    assert_eq!(ground.refused("DescribeLoadBalancers", gone), "LoadBalancerNotFound");
}

#[tokio::test(start_paused = true)]
async fn a_strict_load_balancer_changes_slowly() {
    let mut ground = Ground::new();
    ground.world.base.strict = true;
    let balancer = ground.balancer("dev-alb");
    let read = json!({ "LoadBalancerArns": [balancer] });
    let state = "/LoadBalancers/0/State/Code";
    assert_eq!(id(&ground.ask("DescribeLoadBalancers", read.clone()), state), "provisioning");
    tokio::time::advance(Duration::from_secs(130)).await;
    assert_eq!(id(&ground.ask("DescribeLoadBalancers", read), state), "active");
    ground.ask("DeleteLoadBalancer", json!({ "LoadBalancerArn": balancer }));
    let delete = json!({ "SubnetId": ground.subnets[0] });
    assert_eq!(ground.ec2("DeleteSubnet", delete.clone()), Err("DependencyViolation".into()));
    tokio::time::advance(Duration::from_secs(70)).await;
    ground.ec2("DeleteSubnet", delete).unwrap();
}

#[test]
fn a_protected_load_balancer_cannot_be_deleted() {
    let mut ground = Ground::new();
    let balancer = ground.balancer("dev-alb");
    let set = |value: &str| {
        let attribute = json!({ "Key": "deletion_protection.enabled", "Value": value });
        json!({ "LoadBalancerArn": balancer, "Attributes": [attribute] })
    };
    ground.ask("ModifyLoadBalancerAttributes", set("true"));
    let delete = json!({ "LoadBalancerArn": balancer });
    assert_eq!(ground.refused("DeleteLoadBalancer", delete.clone()), "OperationNotPermitted");
    ground.ask("ModifyLoadBalancerAttributes", set("false"));
    ground.ask("DeleteLoadBalancer", delete);
}

#[test]
fn a_target_group_in_use_cannot_be_deleted() {
    let mut ground = Ground::new();
    let (balancer, target) = (ground.balancer("dev-alb"), ground.target("dev-tg"));
    let listener = ground.listener(&balancer, &target);
    let delete = json!({ "TargetGroupArn": target });
    assert_eq!(ground.refused("DeleteTargetGroup", delete.clone()), "ResourceInUse");
    let other = ground.balancer("dev-other");
    let input = json!({
        "LoadBalancerArn": other, "Port": "80", "Protocol": "HTTP",
        "DefaultActions": [{ "Type": "forward", "TargetGroupArn": target }],
    });
    assert_eq!(ground.refused("CreateListener", input), "TargetGroupAssociationLimit");
    ground.ask("DeleteLoadBalancer", json!({ "LoadBalancerArn": balancer }));
    let gone = json!({ "ListenerArn": listener });
    assert_eq!(ground.refused("DeleteListener", gone), "ListenerNotFound");
    ground.ask("DeleteTargetGroup", delete);
}

#[test]
fn listener_ports_are_unique_and_https_needs_a_certificate() {
    let mut ground = Ground::new();
    let (balancer, target) = (ground.balancer("dev-alb"), ground.target("dev-tg"));
    ground.listener(&balancer, &target);
    let on = |port: &str, protocol: &str| {
        let answer = json!({ "StatusCode": "200" });
        json!({
            "LoadBalancerArn": balancer, "Port": port, "Protocol": protocol,
            "DefaultActions": [{ "Type": "fixed-response", "FixedResponseConfig": answer }],
        })
    };
    assert_eq!(ground.refused("CreateListener", on("80", "HTTP")), "DuplicateListener");
    assert_eq!(ground.refused("CreateListener", on("443", "HTTPS")), "ValidationError");
    let mut secure = on("443", "HTTPS");
    secure["Certificates"] = json!([{ "CertificateArn": "arn:aws:acm:us-west-2:1:certificate/1" }]);
    assert_eq!(ground.refused("CreateListener", secure), "CertificateNotFound");
}

#[test]
fn a_single_group_comes_back_in_both_forms() {
    let mut ground = Ground::new();
    let (balancer, target) = (ground.balancer("dev-alb"), ground.target("dev-tg"));
    let listener = ground.listener(&balancer, &target);
    let read = ground.ask("DescribeListeners", json!({ "ListenerArns": [listener] }));
    let action = &read["Listeners"][0]["DefaultActions"][0];
    assert_eq!(action["TargetGroupArn"], json!(target));
    assert_eq!(action["ForwardConfig"]["TargetGroups"][0]["Weight"], 1);
}

#[test]
fn tags_are_read_for_twenty_objects_at_once() {
    let mut ground = Ground::new();
    let target = ground.target("dev-tg");
    let many = json!({ "ResourceArns": vec![target.clone(); 21] });
    assert_eq!(ground.refused("DescribeTags", many), "ValidationError");
    let input = json!({ "ResourceArns": [target], "Tags": [{ "Key": "a", "Value": "b" }] });
    ground.ask("AddTags", input);
    let read = ground.ask("DescribeTags", json!({ "ResourceArns": [target] }));
    assert_eq!(read["TagDescriptions"][0]["Tags"], json!([{ "Key": "a", "Value": "b" }]));
    let gone = json!({ "ResourceArns": [target.replace("dev-tg", "none")] });
    assert_eq!(ground.refused("DescribeTags", gone), "TargetGroupNotFound");
}

#[test]
fn a_health_check_timeout_is_below_its_interval() {
    let mut ground = Ground::new();
    let target = ground.target("dev-tg");
    for (key, value) in [
        ("HealthCheckTimeoutSeconds", "30"),
        ("HealthCheckIntervalSeconds", "4"),
        ("HealthyThresholdCount", "11"),
        ("HealthCheckPath", "health"),
    ] {
        let mut input = json!({ "TargetGroupArn": target });
        input[key] = json!(value);
        assert_eq!(ground.refused("ModifyTargetGroup", input), "ValidationError", "{key}");
    }
}
