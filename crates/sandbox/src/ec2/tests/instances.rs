//! Instances and elastic addresses.

use super::*;

#[test]
fn an_instance_runs_after_one_read_and_stays_listed_when_terminated() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let group = group(&mut world, &vpc, "nat");
    let instance = instance(&mut world, &subnet, &group);
    assert_eq!(instance_state(&mut world, &instance), "pending");
    assert_eq!(instance_state(&mut world, &instance), "running");
    let interfaces = ask(&mut world, "DescribeNetworkInterfaces", by_vpc(&vpc));
    assert_eq!(interfaces["networkInterfaceSet"][0]["attachment"]["instanceId"], instance);
    let delete = json!({ "SubnetId": subnet });
    refused(&mut world, "DeleteSubnet", delete.clone(), "DependencyViolation");
    let delete_group = json!({ "GroupId": group });
    refused(&mut world, "DeleteSecurityGroup", delete_group.clone(), "DependencyViolation");
    ask(&mut world, "TerminateInstances", json!({ "InstanceId": [instance] }));
    assert_eq!(instance_state(&mut world, &instance), "shutting-down");
    assert_eq!(instance_state(&mut world, &instance), "terminated");
    let named = json!({ "Filter": [{ "Name": "tag:Name", "Value": ["nat"] }] });
    assert_eq!(length(&ask(&mut world, "DescribeInstances", named), "reservationSet"), 1);
    ask(&mut world, "DeleteSubnet", delete);
    ask(&mut world, "DeleteSecurityGroup", delete_group);
    assert_eq!(instance_state(&mut world, &instance), "terminated");
    let read = json!({ "InstanceId": [instance] });
    refused(&mut world, "DescribeInstances", read, "InvalidInstanceID.NotFound");
}

#[tokio::test(start_paused = true)]
async fn strict_instances_pass_their_first_checks_late() {
    let mut world = World::default();
    world.base.strict = true;
    let vpc = vpc(&mut world);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let group = group(&mut world, &vpc, "nat");
    let instance = instance(&mut world, &subnet, &group);
    let mut status = || {
        let answer = ask(&mut world, "DescribeInstanceStatus", json!({ "InstanceId": [instance] }));
        instance_state(&mut world, &instance);
        answer["instanceStatusSet"][0]["instanceStatus"]["status"].clone()
    };
    assert_eq!((status(), status()), (Value::Null, Value::Null));
    tokio::time::advance(std::time::Duration::from_secs(20)).await;
    assert_eq!((status(), status()), (Value::Null, json!("initializing")));
    tokio::time::advance(std::time::Duration::from_secs(80)).await;
    assert_eq!(status(), "ok");
}

#[test]
fn the_same_token_returns_the_same_instance_even_when_it_is_terminated() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let group = group(&mut world, &vpc, "nat");
    let first = instance(&mut world, &subnet, &group);
    ask(&mut world, "TerminateInstances", json!({ "InstanceId": [first] }));
    for _ in 0..2 {
        instance_state(&mut world, &first);
    }
    assert_eq!(instance(&mut world, &subnet, &group), first);
    assert_eq!(instance_state(&mut world, &first), "terminated");
}

#[test]
fn an_instance_gets_a_public_address_where_the_subnet_maps_them() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let gateway = gateway(&mut world, &vpc);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let modify = json!({ "SubnetId": subnet, "MapPublicIpOnLaunch": { "Value": "true" } });
    ask(&mut world, "ModifySubnetAttribute", modify);
    let group = group(&mut world, &vpc, "nat");
    let instance = instance(&mut world, &subnet, &group);
    let read = json!({ "InstanceId": [instance] });
    let answer = ask(&mut world, "DescribeInstances", read);
    let shown = &answer["reservationSet"][0]["instancesSet"][0];
    assert!(shown["ipAddress"].is_string());
    assert_eq!(shown["privateIpAddress"], "10.0.1.4");
    let detach = json!({ "InternetGatewayId": gateway, "VpcId": vpc });
    let message = refused(&mut world, "DetachInternetGateway", detach, "DependencyViolation");
    assert!(message.contains("mapped public address(es)"));
}

#[test]
fn the_source_check_is_changed_after_launch() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let group = group(&mut world, &vpc, "nat");
    let instance = instance(&mut world, &subnet, &group);
    let modify = json!({ "InstanceId": instance, "SourceDestCheck": { "Value": "false" } });
    ask(&mut world, "ModifyInstanceAttribute", modify);
    let mut read = json!({ "InstanceId": instance, "Attribute": "sourceDestCheck" });
    let answer = ask(&mut world, "DescribeInstanceAttribute", read.clone());
    assert_eq!(answer["sourceDestCheck"]["value"], false);
    read["Attribute"] = json!("userData");
    let answer = ask(&mut world, "DescribeInstanceAttribute", read);
    assert_eq!(answer["userData"]["value"], "aGk=");
}

#[test]
fn an_instance_stops_and_starts() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let group = group(&mut world, &vpc, "nat");
    let instance = instance(&mut world, &subnet, &group);
    let named = json!({ "InstanceId": [instance] });
    refused(&mut world, "StopInstances", named.clone(), "IncorrectInstanceState");
    instance_state(&mut world, &instance);
    ask(&mut world, "StopInstances", named.clone());
    assert_eq!(instance_state(&mut world, &instance), "stopping");
    assert_eq!(instance_state(&mut world, &instance), "stopped");
    ask(&mut world, "StartInstances", named);
    assert_eq!(instance_state(&mut world, &instance), "pending");
}

#[test]
fn an_address_on_an_instance_cannot_be_released() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let group = group(&mut world, &vpc, "nat");
    let instance = instance(&mut world, &subnet, &group);
    let address = address(&mut world);
    let associate = json!({ "AllocationId": address, "InstanceId": instance });
    refused(&mut world, "AssociateAddress", associate.clone(), "InvalidInstanceID");
    instance_state(&mut world, &instance);
    let association = id(&ask(&mut world, "AssociateAddress", associate), "/associationId");
    let release = json!({ "AllocationId": address });
    refused(&mut world, "ReleaseAddress", release.clone(), "InvalidIPAddress.InUse");
    ask(&mut world, "DisassociateAddress", json!({ "AssociationId": association }));
    ask(&mut world, "ReleaseAddress", release.clone());
    refused(&mut world, "ReleaseAddress", release, "InvalidAllocationID.NotFound");
}
