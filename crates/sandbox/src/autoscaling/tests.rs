//! Tests of Auto Scaling groups.

use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::{REGION, ask, code, id};

struct Ground {
    world: World,
    subnet: String,
    group: String,
    template: String,
}

impl Ground {
    fn new(image: &str) -> Self {
        let mut world = World::default();
        let mut ec2 = |operation: &str, input: Value| {
            ask(&mut world, "ec2", operation, input).expect(operation)
        };
        let vpc = id(&ec2("CreateVpc", json!({ "CidrBlock": "10.0.0.0/16" })), "/vpc/vpcId");
        let input = json!({
            "VpcId": vpc, "CidrBlock": "10.0.0.0/24", "AvailabilityZone": format!("{REGION}a"),
        });
        let subnet = id(&ec2("CreateSubnet", input), "/subnet/subnetId");
        let input = json!({ "VpcId": vpc, "GroupName": "fleet", "GroupDescription": "fleet" });
        let group = id(&ec2("CreateSecurityGroup", input), "/groupId");
        let data = json!({
            "ImageId": image, "InstanceType": "t4g.micro", "SecurityGroupId": [group],
            "TagSpecification": [
                { "ResourceType": "instance", "Tag": [{ "Key": "Name", "Value": "one" }] },
            ],
        });
        let input = json!({ "LaunchTemplateName": "fleet", "LaunchTemplateData": data });
        let template = ec2("CreateLaunchTemplate", input);
        let template = id(&template, "/launchTemplate/launchTemplateId");
        Self { world, subnet, group, template }
    }

    fn ask(&mut self, operation: &str, input: Value) -> Value {
        match ask(&mut self.world, "autoscaling", operation, input) {
            Ok(answer) => answer,
            Err(refusal) => panic!("{operation}: {} {}", refusal.code, refusal.message),
        }
    }

    fn refused(&mut self, operation: &str, input: Value) -> String {
        code(ask(&mut self.world, "autoscaling", operation, input))
    }

    fn wanted(&self) -> Value {
        json!({
            "AutoScalingGroupName": "g", "MinSize": "1", "MaxSize": "2",
            "VPCZoneIdentifier": self.subnet,
            "LaunchTemplate": { "LaunchTemplateId": self.template, "Version": "1" },
            "Tags": [
                { "Key": "Team", "Value": "x", "PropagateAtLaunch": "true" },
                { "Key": "Own", "Value": "x", "PropagateAtLaunch": "false" },
            ],
        })
    }

    fn make(&mut self) {
        let input = self.wanted();
        self.ask("CreateAutoScalingGroup", input);
    }

    /// The group, if it still exists.
    fn read(&mut self) -> Value {
        let input = json!({ "AutoScalingGroupNames": ["g"] });
        self.ask("DescribeAutoScalingGroups", input)["AutoScalingGroups"][0].clone()
    }

    /// The status of the last refresh.
    fn refresh(&mut self) -> String {
        let group = json!({ "AutoScalingGroupName": "g" });
        id(&self.ask("DescribeInstanceRefreshes", group), "/InstanceRefreshes/0/Status")
    }

    fn lives(&mut self) -> Vec<String> {
        let group = self.read();
        let instances = group["Instances"].as_array().cloned().unwrap_or_default();
        instances.iter().map(|one| id(one, "/LifecycleState")).collect()
    }
}

#[test]
fn instances_start_and_hold_subnets_and_groups() {
    let mut ground = Ground::new("ami-1");
    ground.make();
    assert_eq!(ground.lives(), ["Pending"]);
    ground.lives();
    assert_eq!(ground.lives(), ["InService"]);
    let seen = ask(&mut ground.world, "ec2", "DescribeInstances", json!({})).unwrap();
    let tags = &seen["reservationSet"][0]["instancesSet"][0]["tagSet"];
    let expected = json!([{ "key": "Name", "value": "one" }, { "key": "Team", "value": "x" }]);
    assert_eq!(tags, &expected);
    let delete = json!({ "GroupId": ground.group });
    let refusal = ask(&mut ground.world, "ec2", "DeleteSecurityGroup", delete);
    assert_eq!(code(refusal), "DependencyViolation");
}

#[test]
fn deletion_needs_force_and_waits_for_the_last_instance() {
    let mut ground = Ground::new("ami-1");
    ground.make();
    let mut delete = json!({ "AutoScalingGroupName": "g" });
    assert_eq!(ground.refused("DeleteAutoScalingGroup", delete.clone()), "ResourceInUse");
    delete["ForceDelete"] = json!("true");
    ground.ask("DeleteAutoScalingGroup", delete.clone());
    assert_eq!(ground.read()["Status"], "Delete in progress");
    while !ground.read().is_null() {}
    let refusal = ask(&mut ground.world, "autoscaling", "DeleteAutoScalingGroup", delete);
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.code, "ValidationError");
    assert!(refusal.message.contains("name not found"), "{}", refusal.message);
    let delete = json!({ "SubnetId": ground.subnet });
    ask(&mut ground.world, "ec2", "DeleteSubnet", delete).unwrap();
}

#[test]
fn bounds_adjust_the_number_of_instances() {
    let mut ground = Ground::new("ami-1");
    ground.make();
    let update = |key: &str, value: &str| {
        let mut input = json!({ "AutoScalingGroupName": "g" });
        input[key] = json!(value);
        input
    };
    ground.ask("UpdateAutoScalingGroup", update("MinSize", "2"));
    assert_eq!(ground.read()["DesiredCapacity"], 2);
    assert_eq!(ground.lives().len(), 2);
    assert_eq!(ground.refused("UpdateAutoScalingGroup", update("MinSize", "3")), "ValidationError");
    let refused = ground.refused("UpdateAutoScalingGroup", update("DesiredCapacity", "1"));
    assert_eq!(refused, "ValidationError");
    assert_eq!(ground.refused("CreateAutoScalingGroup", ground.wanted()), "AlreadyExists");
}

#[test]
fn a_failed_launch_is_listed_in_the_activities() {
    let mut ground = Ground::new("resolve:ssm:/none/such");
    ground.make();
    assert!(ground.lives().is_empty());
    let activities =
        ground.ask("DescribeScalingActivities", json!({ "AutoScalingGroupName": "g" }));
    assert_eq!(activities["Activities"][0]["StatusCode"], "Failed");
}

#[tokio::test(start_paused = true)]
async fn a_strict_refresh_runs_until_it_is_cancelled() {
    let mut ground = Ground::new("ami-1");
    ground.world.base.strict = true;
    ground.make();
    let group = json!({ "AutoScalingGroupName": "g" });
    let none = ground.refused("CancelInstanceRefresh", group.clone());
    assert_eq!(none, "ActiveInstanceRefreshNotFound");
    ground.ask("StartInstanceRefresh", group.clone());
    let second = ground.refused("StartInstanceRefresh", group.clone());
    assert_eq!(second, "InstanceRefreshInProgress");
    assert_eq!(ground.refresh(), "InProgress");
    ground.ask("CancelInstanceRefresh", group.clone());
    assert_eq!(ground.refresh(), "Cancelling");
    tokio::time::advance(std::time::Duration::from_secs(20)).await;
    assert_eq!(ground.refresh(), "Cancelled");
    ground.ask("StartInstanceRefresh", group);
    assert_eq!(ground.refresh(), "InProgress");
}

#[test]
fn a_refresh_launches_the_template_of_its_start() {
    let mut ground = Ground::new("ami-1");
    ground.make();
    let data = json!({ "ImageId": "ami-1", "InstanceType": "t4g.small" });
    let input = json!({ "LaunchTemplateId": ground.template, "LaunchTemplateData": data });
    ask(&mut ground.world, "ec2", "CreateLaunchTemplateVersion", input).expect("a version");
    let group = json!({ "AutoScalingGroupName": "g" });
    let mut update = group.clone();
    update["LaunchTemplate"] = json!({ "LaunchTemplateId": ground.template, "Version": "2" });
    let versions = |ground: &mut Ground| {
        while !ground.lives().iter().all(|state| state == "InService") {}
        let group = ground.read();
        let instances = group["Instances"].as_array().cloned().unwrap_or_default();
        let versions = instances.iter().map(|one| id(one, "/LaunchTemplate/Version"));
        versions.collect::<Vec<String>>()
    };
    ground.ask("StartInstanceRefresh", group.clone());
    ground.ask("UpdateAutoScalingGroup", update);
    assert_eq!(versions(&mut ground), ["1"]);
    ground.ask("StartInstanceRefresh", group);
    assert_eq!(versions(&mut ground), ["2"]);
}

#[test]
fn a_missing_group_gives_the_message_of_each_operation() {
    let mut ground = Ground::new("ami-1");
    let tag = json!({ "ResourceId": "g", "ResourceType": "auto-scaling-group", "Key": "k" });
    let config = json!({ "TargetValue": "1", "PredefinedMetricSpecification": {
        "PredefinedMetricType": "ASGAverageCPUUtilization" } });
    let policy = json!({ "AutoScalingGroupName": "g", "PolicyName": "p",
        "PolicyType": "TargetTrackingScaling", "TargetTrackingConfiguration": config });
    for (operation, input, message) in [
        (
            "CreateOrUpdateTags",
            json!({ "Tags": [tag] }),
            "AutoScalingGroup not found - AutoScaling Group g not found",
        ),
        ("PutScalingPolicy", policy, "Group g not found"),
    ] {
        let refusal = ask(&mut ground.world, "autoscaling", operation, input).unwrap_err();
        assert_eq!((&*refusal.code, &*refusal.message), ("ValidationError", message));
    }
}

#[test]
fn a_customer_key_must_allow_auto_scaling() {
    let mut ground = Ground::new("ami-1");
    let key = ask(&mut ground.world, "kms", "CreateKey", json!({})).expect("a key");
    let volume = json!({ "DeviceName": "/dev/xvda", "Ebs": {
        "KmsKeyId": id(&key, "/KeyMetadata/Arn"), "Encrypted": "true",
    } });
    let data = json!({
        "ImageId": "ami-1", "InstanceType": "t4g.micro", "BlockDeviceMapping": [volume],
    });
    let input = json!({ "LaunchTemplateId": ground.template, "LaunchTemplateData": data });
    ask(&mut ground.world, "ec2", "CreateLaunchTemplateVersion", input).expect("a version");
    let mut wanted = ground.wanted();
    wanted["LaunchTemplate"]["Version"] = json!("2");
    ground.ask("CreateAutoScalingGroup", wanted);
    assert!(ground.lives().is_empty());
    let policy = json!({ "Statement": [
        { "Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": { "AWS": "*" },
          "Condition": { "StringEquals": {
              "kms:ViaService": format!("ec2.{REGION}.amazonaws.com") } } },
    ] });
    let put = json!({
        "KeyId": key["KeyMetadata"]["KeyId"], "PolicyName": "default", "Policy": policy.to_string(),
    });
    ask(&mut ground.world, "kms", "PutKeyPolicy", put).expect("a policy");
    ground.lives();
    assert_eq!(ground.lives(), ["Pending"]);
}

#[test]
fn policies_are_read_back_as_put() {
    let mut ground = Ground::new("ami-1");
    ground.make();
    let metric = json!({ "PredefinedMetricType": "ASGAverageCPUUtilization" });
    let put = json!({
        "AutoScalingGroupName": "g", "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling",
        "TargetTrackingConfiguration": {
            "PredefinedMetricSpecification": metric, "TargetValue": "70",
        },
    });
    ground.ask("PutScalingPolicy", put);
    let read = ground.ask("DescribePolicies", json!({ "AutoScalingGroupName": "g" }));
    let config = &read["ScalingPolicies"][0]["TargetTrackingConfiguration"];
    assert_eq!((&config["TargetValue"], &config["DisableScaleIn"]), (&json!(70.0), &json!(false)));
    let delete = json!({ "AutoScalingGroupName": "g", "PolicyName": "cpu" });
    ground.ask("DeletePolicy", delete.clone());
    assert_eq!(ground.refused("DeletePolicy", delete), "ValidationError");
}

#[test]
fn template_versions_are_immutable_and_the_default_moves() {
    let mut ground = Ground::new("ami-1");
    let id = ground.template.clone();
    let mut ec2 = |operation: &str, input: Value| {
        ask(&mut ground.world, "ec2", operation, input).expect(operation)
    };
    let data = json!({ "ImageId": "ami-2" });
    ec2(
        "CreateLaunchTemplateVersion",
        json!({ "LaunchTemplateId": id, "LaunchTemplateData": data }),
    );
    let read = json!({ "LaunchTemplateId": id, "LaunchTemplateVersion": ["$Default", "$Latest"] });
    let seen = ec2("DescribeLaunchTemplateVersions", read.clone());
    let images = |seen: &Value| {
        let set = seen["launchTemplateVersionSet"].as_array().cloned().unwrap_or_default();
        set.iter().map(|one| one["launchTemplateData"]["imageId"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(images(&seen), ["ami-1", "ami-2"]);
    ec2("ModifyLaunchTemplate", json!({ "LaunchTemplateId": id, "SetDefaultVersion": "2" }));
    assert_eq!(images(&ec2("DescribeLaunchTemplateVersions", read)), ["ami-2", "ami-2"]);
    // Without a template, AWS describes the default or latest versions of all of them, and no others.
    let of_all = json!({ "LaunchTemplateVersion": ["$Default"] });
    assert_eq!(images(&ec2("DescribeLaunchTemplateVersions", of_all)), ["ami-2"]);
    for versions in [json!({}), json!({ "LaunchTemplateVersion": ["1"] })] {
        let refusal = ask(&mut ground.world, "ec2", "DescribeLaunchTemplateVersions", versions);
        assert_eq!(code(refusal), "MissingParameter");
    }
    let again = json!({ "LaunchTemplateName": "fleet", "LaunchTemplateData": data });
    let refusal = ask(&mut ground.world, "ec2", "CreateLaunchTemplate", again);
    assert_eq!(code(refusal), "InvalidLaunchTemplateName.AlreadyExistsException");
}
