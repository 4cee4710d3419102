//! Tests of EC2, through `call` as a client calls it.

mod flow_logs;
mod groups;
mod instances;
mod lists;
mod networks;
mod routes;

use serde_json::{Value, json};

use super::super::toolbox::testing::id;
use super::super::{Call, World};
use super::*;

/// Makes a call that succeeds.
fn ask(world: &mut World, operation: &str, input: Value) -> Value {
    match try_ask(world, operation, input) {
        Ok(answer) => answer,
        Err(refusal) => panic!("{operation}: {} {}", refusal.code, refusal.message),
    }
}

/// Makes a call that is refused with this code, and returns the message.
fn refused(world: &mut World, operation: &str, input: Value, code: &str) -> String {
    let refusal = try_ask(world, operation, input).expect_err(operation);
    assert_eq!(refusal.code, code, "{}", refusal.message);
    refusal.message
}

fn try_ask(world: &mut World, operation: &str, input: Value) -> Answer {
    let call = Call {
        service: "ec2".to_owned(),
        operation: operation.to_owned(),
        input,
        region: "us-east-1".to_owned(),
    };
    super::call(world, &call)
}

fn vpc(world: &mut World) -> String {
    let answer = ask(world, "CreateVpc", json!({ "CidrBlock": "10.0.0.0/16" }));
    id(&answer, "/vpc/vpcId")
}

fn subnet(world: &mut World, vpc: &str, cidr: &str) -> String {
    let answer = ask(world, "CreateSubnet", json!({ "VpcId": vpc, "CidrBlock": cidr }));
    id(&answer, "/subnet/subnetId")
}

fn gateway(world: &mut World, vpc: &str) -> String {
    let gateway = ask(world, "CreateInternetGateway", json!({}));
    let gateway = id(&gateway, "/internetGateway/internetGatewayId");
    let input = json!({ "InternetGatewayId": gateway, "VpcId": vpc });
    ask(world, "AttachInternetGateway", input);
    gateway
}

fn address(world: &mut World) -> String {
    id(&ask(world, "AllocateAddress", json!({ "Domain": "vpc" })), "/allocationId")
}

fn table(world: &mut World, vpc: &str) -> String {
    id(&ask(world, "CreateRouteTable", json!({ "VpcId": vpc })), "/routeTable/routeTableId")
}

fn group(world: &mut World, vpc: &str, name: &str) -> String {
    let input = json!({ "VpcId": vpc, "GroupName": name, "GroupDescription": "for a test" });
    id(&ask(world, "CreateSecurityGroup", input), "/groupId")
}

fn nat(world: &mut World, subnet: &str, address: &str) -> String {
    let input = json!({ "SubnetId": subnet, "AllocationId": address, "ClientToken": "t1" });
    id(&ask(world, "CreateNatGateway", input), "/natGateway/natGatewayId")
}

fn nat_states(world: &mut World) -> Vec<String> {
    let answer = ask(world, "DescribeNatGateways", json!({}));
    let set = answer["natGatewaySet"].as_array().cloned().unwrap_or_default();
    set.iter().map(|nat| id(nat, "/state")).collect()
}

fn instance(world: &mut World, subnet: &str, group: &str) -> String {
    let input = json!({
        "ImageId": "ami-1", "InstanceType": "t4g.nano", "MinCount": "1", "MaxCount": "1",
        "SubnetId": subnet, "SecurityGroupId": [group], "ClientToken": "t1", "UserData": "aGk=",
        "TagSpecification": [
            { "ResourceType": "instance", "Tag": [{ "Key": "Name", "Value": "nat" }] },
        ],
    });
    id(&ask(world, "RunInstances", input), "/instancesSet/0/instanceId")
}

fn instance_state(world: &mut World, instance: &str) -> String {
    let answer = ask(world, "DescribeInstances", json!({ "InstanceId": [instance] }));
    id(&answer, "/reservationSet/0/instancesSet/0/instanceState/name")
}

fn https_from(peer: Value) -> Value {
    let mut permission = json!({ "IpProtocol": "tcp", "FromPort": "443", "ToPort": "443" });
    for (name, value) in peer.as_object().into_iter().flatten() {
        permission[name] = value.clone();
    }
    json!([permission])
}

fn from_cidr(cidr: &str) -> Value {
    https_from(json!({ "IpRanges": [{ "CidrIp": cidr, "Description": "clients" }] }))
}

fn by_vpc(vpc: &str) -> Value {
    json!({ "Filter": [{ "Name": "vpc-id", "Value": [vpc] }] })
}

fn length(answer: &Value, set: &str) -> usize {
    answer[set].as_array().expect(set).len()
}
