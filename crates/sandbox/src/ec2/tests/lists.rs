//! Filters, pages, tags, and rules for all kinds.

use super::*;

#[test]
fn an_unknown_filter_is_refused() {
    let mut world = World::default();
    let input = json!({ "Filter": [{ "Name": "vpcid", "Value": ["vpc-1"] }] });
    refused(&mut world, "DescribeVpcs", input, "InvalidParameterValue");
}

#[test]
fn filters_are_joined_by_and_their_values_by_or() {
    let mut world = World::default();
    for name in ["one", "two", "three"] {
        let tags = json!([{ "Key": "Name", "Value": name }, { "Key": "all", "Value": "yes" }]);
        let specified = json!([{ "ResourceType": "vpc", "Tag": tags }]);
        let input = json!({ "CidrBlock": "10.0.0.0/16", "TagSpecification": specified });
        ask(&mut world, "CreateVpc", input);
    }
    let mut found = |filters: Value| {
        length(&ask(&mut world, "DescribeVpcs", json!({ "Filter": filters })), "vpcSet")
    };
    assert_eq!(found(json!([{ "Name": "tag:Name", "Value": ["one", "two"] }])), 2);
    assert_eq!(found(json!([{ "Name": "tag:Name", "Value": ["t*"] }])), 2);
    assert_eq!(found(json!([{ "Name": "tag-key", "Value": ["all"] }])), 3);
    let both = [("tag:all", "yes"), ("tag:Name", "one")];
    let both = both.map(|(name, value)| json!({ "Name": name, "Value": [value] }));
    assert_eq!(found(json!(both)), 1);
}

#[test]
fn long_lists_come_in_pages() {
    let mut world = World::default();
    for _ in 0..7 {
        vpc(&mut world);
    }
    let first = ask(&mut world, "DescribeVpcs", json!({ "MaxResults": "5" }));
    assert_eq!(length(&first, "vpcSet"), 5);
    let next = json!({ "MaxResults": "5", "NextToken": first["nextToken"] });
    let second = ask(&mut world, "DescribeVpcs", next);
    assert_eq!(length(&second, "vpcSet"), 2);
    assert!(second.get("nextToken").is_none());
}

#[test]
fn tags_are_added_found_and_removed() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let tags = json!([{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "2" }]);
    ask(&mut world, "CreateTags", json!({ "ResourceId": [vpc], "Tag": tags }));
    let input = json!({ "Filter": [{ "Name": "resource-type", "Value": ["vpc"] }] });
    assert_eq!(length(&ask(&mut world, "DescribeTags", input), "tagSet"), 2);
    // A key with another value stays.
    let unwanted = json!([{ "Key": "a" }, { "Key": "b", "Value": "other" }]);
    ask(&mut world, "DeleteTags", json!({ "ResourceId": [vpc], "Tag": unwanted }));
    let vpcs = ask(&mut world, "DescribeVpcs", json!({}));
    assert_eq!(vpcs["vpcSet"][0]["tagSet"], json!([{ "key": "b", "value": "2" }]));
    let missing = json!({ "ResourceId": ["subnet-1"], "Tag": [{ "Key": "a", "Value": "1" }] });
    refused(&mut world, "CreateTags", missing, "InvalidSubnetID.NotFound");
}

#[test]
fn reserved_keys_and_foreign_types_are_refused_in_tags() {
    let mut world = World::default();
    let mut with = |kind: &str, key: &str| {
        let tags = json!([{ "ResourceType": kind, "Tag": [{ "Key": key, "Value": "x" }] }]);
        let input = json!({ "TagSpecification": tags });
        refused(&mut world, "CreateInternetGateway", input, "InvalidParameterValue")
    };
    with("internet-gateway", "aws:mine");
    with("vpc", "mine");
}

#[test]
fn counts_leave_out_dead_objects_and_those_of_aws() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    group(&mut world, &vpc, "app");
    let counted: Vec<_> = counts(&world.ec2).into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, [("vpcs", 1), ("security_groups", 1)]);
}

#[test]
fn regions_do_not_see_each_other() {
    let mut world = World::default();
    vpc(&mut world);
    let call = Call {
        service: "ec2".to_owned(),
        operation: "DescribeVpcs".to_owned(),
        input: json!({}),
        region: "eu-central-1".to_owned(),
    };
    assert_eq!(length(&super::call(&mut world, &call).unwrap(), "vpcSet"), 0);
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut world = World::default();
    let input = json!({ "CidrBlock": "10.0.0.0/16", "DryRun": "true" });
    refused(&mut world, "CreateVpc", input, "DryRunOperation");
    refused(&mut world, "CreateDoor", json!({}), "NotImplementedInSandbox");
    assert!(counts(&world.ec2).iter().all(|(_, count)| *count == 0));
}

#[test]
fn the_state_survives_a_save() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    gateway(&mut world, &vpc);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let address = address(&mut world);
    nat(&mut world, &subnet, &address);
    let group = group(&mut world, &vpc, "app");
    instance(&mut world, &subnet, &group);
    let written = serde_json::to_string(&world).unwrap();
    let read: World = serde_json::from_str(&written).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), written);
}

#[test]
fn a_launch_template_is_found_by_name() {
    let mut world = World::default();
    let data = json!({ "ImageId": "ami-1" });
    let named = json!({ "LaunchTemplateName": "web", "LaunchTemplateData": data });
    ask(&mut world, "CreateLaunchTemplate", named.clone());
    let made = ask(&mut world, "CreateLaunchTemplateVersion", named);
    assert_eq!(made["launchTemplateVersion"]["versionNumber"], 2);
    let other = json!({ "LaunchTemplateName": "api" });
    let code = "InvalidLaunchTemplateName.NotFoundException";
    refused(&mut world, "DeleteLaunchTemplate", other, code);
    ask(&mut world, "DeleteLaunchTemplate", json!({ "LaunchTemplateName": "web" }));
}

#[test]
fn tagged_objects_are_listed_by_arn() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let tags = json!({ "ResourceId": [vpc], "Tag": [{ "Key": "k", "Value": "v" }] });
    ask(&mut world, "CreateTags", tags);
    let all: Vec<_> = crate::ec2::all_tags(&world.ec2, "us-east-1").collect();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].0, format!("arn:aws:ec2:us-east-1:000000000000:vpc/{vpc}"));
}
