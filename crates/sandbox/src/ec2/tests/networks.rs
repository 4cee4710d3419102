//! VPCs, subnets and zones.

use super::*;

#[test]
fn deleting_an_empty_vpc_deletes_its_defaults() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    ask(&mut world, "DeleteVpc", json!({ "VpcId": vpc }));
    let here = &world.ec2.regions["us-east-1"];
    assert!(here.vpcs.is_empty() && here.tables.is_empty() && here.groups.is_empty());
    assert!(here.rules.is_empty() && here.tags.is_empty());
    refused(&mut world, "DeleteVpc", json!({ "VpcId": vpc }), "InvalidVpcID.NotFound");
}

#[test]
fn a_vpc_with_contents_cannot_be_deleted() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let delete = json!({ "VpcId": vpc });
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    refused(&mut world, "DeleteVpc", delete.clone(), "DependencyViolation");
    ask(&mut world, "DeleteSubnet", json!({ "SubnetId": subnet }));
    let gateway = gateway(&mut world, &vpc);
    refused(&mut world, "DeleteVpc", delete.clone(), "DependencyViolation");
    let detach = json!({ "InternetGatewayId": gateway, "VpcId": vpc });
    ask(&mut world, "DetachInternetGateway", detach.clone());
    refused(&mut world, "DetachInternetGateway", detach, "Gateway.NotAttached");
    let group = group(&mut world, &vpc, "app");
    let message = refused(&mut world, "DeleteVpc", delete.clone(), "DependencyViolation");
    assert_eq!(message, format!("The vpc '{vpc}' has dependencies and cannot be deleted."));
    ask(&mut world, "DeleteSecurityGroup", json!({ "GroupId": group }));
    ask(&mut world, "DeleteVpc", delete);
}

#[test]
fn only_one_vpc_attribute_changes_per_request() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let both = json!({
        "VpcId": vpc,
        "EnableDnsSupport": { "Value": "true" }, "EnableDnsHostnames": { "Value": "true" },
    });
    refused(&mut world, "ModifyVpcAttribute", both, "InvalidParameterCombination");
    let one = json!({ "VpcId": vpc, "EnableDnsHostnames": { "Value": "true" } });
    ask(&mut world, "ModifyVpcAttribute", one);
    let read = json!({ "VpcId": vpc, "Attribute": "enableDnsHostnames" });
    let answer = ask(&mut world, "DescribeVpcAttribute", read);
    assert_eq!(answer, json!({ "vpcId": vpc, "enableDnsHostnames": { "value": true } }));
}

#[test]
fn subnets_lie_inside_the_vpc_and_do_not_overlap() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    subnet(&mut world, &vpc, "10.0.1.0/24");
    let mut with = |cidr: &str, code: &str| {
        refused(&mut world, "CreateSubnet", json!({ "VpcId": vpc, "CidrBlock": cidr }), code)
    };
    with("10.1.0.0/24", "InvalidSubnet.Range");
    with("10.0.2.0/29", "InvalidSubnet.Range");
    with("10.0.0.0/20", "InvalidSubnet.Conflict");
    with("10.0.2.0", "InvalidParameterValue");
}

#[test]
fn a_subnet_is_made_in_the_requested_zone() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let mut input = json!({
        "VpcId": vpc, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1c",
    });
    let answer = ask(&mut world, "CreateSubnet", input.clone());
    assert_eq!(answer["subnet"]["availabilityZoneId"], "use1-az2");
    assert_eq!(answer["subnet"]["availableIpAddressCount"], 251);
    input["CidrBlock"] = json!("10.0.2.0/24");
    input["AvailabilityZone"] = json!("eu-west-1a");
    refused(&mut world, "CreateSubnet", input, "InvalidParameterValue");
}

#[test]
fn only_a_strict_sandbox_enforces_new_account_quotas() {
    let mut world = World::default();
    for _ in 0..6 {
        vpc(&mut world);
        address(&mut world);
    }
    world.base.strict = true;
    let input = json!({ "CidrBlock": "10.0.0.0/16" });
    refused(&mut world, "CreateVpc", input, "VpcLimitExceeded");
    refused(&mut world, "AllocateAddress", json!({}), "AddressLimitExceeded");
}

#[test]
fn zones_have_the_ids_of_their_region() {
    assert_eq!(zones::zone_id("us-east-1", "us-east-1a"), "use1-az6");
    assert_eq!(zones::zone_id("ap-southeast-2", "ap-southeast-2b"), "apse2-az2");
    let mut world = World::default();
    let input = json!({ "Filter": [
        { "Name": "opt-in-status", "Value": ["opt-in-not-required"] },
        { "Name": "zone-type", "Value": ["availability-zone"] },
    ]});
    let answer = ask(&mut world, "DescribeAvailabilityZones", input);
    assert_eq!(length(&answer, "availabilityZoneInfo"), 6);
}

#[test]
fn a_full_zone_starts_no_instances() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let place =
        json!({ "VpcId": vpc, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1e" });
    let subnet = ask(&mut world, "CreateSubnet", place);
    let launch = json!({ "ImageId": "ami-1", "InstanceType": "t4g.nano", "MinCount": "1",
        "MaxCount": "1", "SubnetId": subnet["subnet"]["subnetId"] });
    refused(&mut world, "RunInstances", launch, "Unsupported");
    for kind in ["t4g.nano", "r7g.large"] {
        let offered = ask(
            &mut world,
            "DescribeInstanceTypeOfferings",
            json!({ "LocationType": "availability-zone",
                "Filter": [{ "Name": "instance-type", "Value": [kind] }] }),
        );
        let places = offered["instanceTypeOfferingSet"].as_array().unwrap().iter();
        let places: Vec<&str> = places.map(|one| one["location"].as_str().unwrap()).collect();
        let open = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1f"];
        assert_eq!(places, open, "{kind}");
    }
}
