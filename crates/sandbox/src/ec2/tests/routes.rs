//! Route tables, NAT gateways and endpoints.

use super::*;

#[test]
fn a_subnet_has_one_route_table_association() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let (first, second) = (table(&mut world, &vpc), table(&mut world, &vpc));
    let to = |table: &str| json!({ "RouteTableId": table, "SubnetId": subnet });
    let old = id(&ask(&mut world, "AssociateRouteTable", to(&first)), "/associationId");
    refused(&mut world, "AssociateRouteTable", to(&second), "Resource.AlreadyAssociated");
    let delete = json!({ "RouteTableId": first });
    refused(&mut world, "DeleteRouteTable", delete.clone(), "DependencyViolation");
    let replace = json!({ "AssociationId": old, "RouteTableId": second });
    let answer = ask(&mut world, "ReplaceRouteTableAssociation", replace);
    let new = id(&answer, "/newAssociationId");
    assert_ne!(old, new);
    ask(&mut world, "DeleteRouteTable", delete);
    let input = json!({ "AssociationId": old });
    refused(&mut world, "DisassociateRouteTable", input, "InvalidAssociationID.NotFound");
    ask(&mut world, "DisassociateRouteTable", json!({ "AssociationId": new }));
    ask(&mut world, "DeleteRouteTable", json!({ "RouteTableId": second }));
}

#[test]
fn replace_route_changes_the_one_route_of_a_destination() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let (gateway, subnet) = (gateway(&mut world, &vpc), subnet(&mut world, &vpc, "10.0.1.0/24"));
    let (table, address) = (table(&mut world, &vpc), address(&mut world));
    let nat = nat(&mut world, &subnet, &address);
    let all = "0.0.0.0/0";
    let by_gateway =
        json!({ "RouteTableId": table, "DestinationCidrBlock": all, "GatewayId": gateway });
    let by_nat = json!({ "RouteTableId": table, "DestinationCidrBlock": all, "NatGatewayId": nat });
    refused(&mut world, "ReplaceRoute", by_nat.clone(), "InvalidParameterValue");
    ask(&mut world, "CreateRoute", by_gateway);
    refused(&mut world, "CreateRoute", by_nat.clone(), "RouteAlreadyExists");
    ask(&mut world, "ReplaceRoute", by_nat);
    let read = json!({ "RouteTableId": [table] });
    let answer = ask(&mut world, "DescribeRouteTables", read);
    assert_eq!(answer["routeTableSet"][0]["routeSet"][1]["natGatewayId"], nat);
    let gone = json!({ "RouteTableId": table, "DestinationCidrBlock": all });
    ask(&mut world, "DeleteRoute", gone.clone());
    refused(&mut world, "DeleteRoute", gone, "InvalidRoute.NotFound");
}

#[test]
fn a_route_to_a_deleted_nat_gateway_is_a_black_hole() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    gateway(&mut world, &vpc);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let (table, address) = (table(&mut world, &vpc), address(&mut world));
    let nat = nat(&mut world, &subnet, &address);
    let route =
        json!({ "RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": nat });
    ask(&mut world, "CreateRoute", route);
    ask(&mut world, "DeleteNatGateway", json!({ "NatGatewayId": nat }));
    let answer = ask(&mut world, "DescribeRouteTables", json!({ "RouteTableId": [table] }));
    let route = &answer["routeTableSet"][0]["routeSet"][1];
    assert_eq!(route["natGatewayId"], nat);
    assert_eq!(route["state"], "blackhole");
}

#[test]
fn a_nat_gateway_is_pending_for_two_reads_and_listed_deleted_for_three() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let gateway = gateway(&mut world, &vpc);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let address = address(&mut world);
    let nat = nat(&mut world, &subnet, &address);
    for state in ["pending", "pending", "available", "available"] {
        assert_eq!(nat_states(&mut world), [state]);
    }
    let release = json!({ "AllocationId": address });
    let detach = json!({ "InternetGatewayId": gateway, "VpcId": vpc });
    ask(&mut world, "DeleteNatGateway", json!({ "NatGatewayId": nat }));
    let message = refused(&mut world, "ReleaseAddress", release.clone(), "AuthFailure");
    assert_eq!(message, "You do not have permission to access the specified resource.");
    refused(&mut world, "DetachInternetGateway", detach.clone(), "DependencyViolation");
    let delete = json!({ "SubnetId": subnet });
    refused(&mut world, "DeleteSubnet", delete.clone(), "DependencyViolation");
    for state in ["deleting", "deleted", "deleted", "deleted"] {
        assert_eq!(nat_states(&mut world), [state]);
    }
    assert!(nat_states(&mut world).is_empty());
    let read = json!({ "NatGatewayId": [nat] });
    refused(&mut world, "DescribeNatGateways", read, "NatGatewayNotFound");
    for (operation, input) in
        [("ReleaseAddress", release), ("DetachInternetGateway", detach), ("DeleteSubnet", delete)]
    {
        ask(&mut world, operation, input);
    }
}

#[test]
fn a_nat_gateway_without_an_internet_gateway_fails_later() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let address = address(&mut world);
    nat(&mut world, &subnet, &address);
    assert_eq!(nat_states(&mut world), ["pending"]);
    assert_eq!(nat_states(&mut world), ["pending"]);
    let answer = ask(&mut world, "DescribeNatGateways", json!({}));
    assert_eq!(answer["natGatewaySet"][0]["state"], "failed");
    assert_eq!(answer["natGatewaySet"][0]["failureCode"], "Gateway.NotAttached");
    ask(&mut world, "ReleaseAddress", json!({ "AllocationId": address }));
}

#[test]
fn a_second_nat_gateway_with_the_same_address_fails_later() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    gateway(&mut world, &vpc);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let address = address(&mut world);
    nat(&mut world, &subnet, &address);
    let input = json!({ "SubnetId": subnet, "AllocationId": address });
    let second = ask(&mut world, "CreateNatGateway", input);
    let second = json!({ "NatGatewayId": [second["natGateway"]["natGatewayId"]] });
    ask(&mut world, "DescribeNatGateways", second.clone());
    ask(&mut world, "DescribeNatGateways", second.clone());
    let answer = ask(&mut world, "DescribeNatGateways", second);
    assert_eq!(answer["natGatewaySet"][0]["failureCode"], "Resource.AlreadyAssociated");
}

#[test]
fn the_same_token_returns_the_same_nat_gateway_even_when_it_is_deleted() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    gateway(&mut world, &vpc);
    let subnet = subnet(&mut world, &vpc, "10.0.1.0/24");
    let address = address(&mut world);
    let first = nat(&mut world, &subnet, &address);
    assert_eq!(nat(&mut world, &subnet, &address), first);
    ask(&mut world, "DeleteNatGateway", json!({ "NatGatewayId": first }));
    for _ in 0..6 {
        nat_states(&mut world);
    }
    assert_eq!(nat(&mut world, &subnet, &address), first);
    let other = json!({ "SubnetId": subnet, "AllocationId": "eipalloc-1", "ClientToken": "t1" });
    refused(&mut world, "CreateNatGateway", other, "IdempotentParameterMismatch");
}

#[test]
fn the_same_token_returns_the_same_route_table_even_when_it_is_deleted() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let input = json!({ "VpcId": vpc, "ClientToken": "t1" });
    let first = ask(&mut world, "CreateRouteTable", input.clone());
    let first = id(&first, "/routeTable/routeTableId");
    ask(&mut world, "DeleteRouteTable", json!({ "RouteTableId": first }));
    let again = ask(&mut world, "CreateRouteTable", input);
    assert_eq!(id(&again, "/routeTable/routeTableId"), first);
}

#[test]
fn a_gateway_endpoint_puts_its_route_into_its_tables() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let table = table(&mut world, &vpc);
    let input = json!({
        "VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableId": [table],
    });
    let answer = ask(&mut world, "CreateVpcEndpoint", input.clone());
    let endpoint = id(&answer, "/vpcEndpoint/vpcEndpointId");
    assert!(id(&answer, "/vpcEndpoint/policyDocument").contains("2008-10-17"));
    refused(&mut world, "CreateVpcEndpoint", input, "RouteAlreadyExists");
    let read = json!({ "RouteTableId": [table] });
    let tables = ask(&mut world, "DescribeRouteTables", read.clone());
    let route = &tables["routeTableSet"][0]["routeSet"][1];
    assert_eq!(route["gatewayId"], endpoint);
    assert_eq!(route["destinationPrefixListId"], "pl-63a5400a");
    let modify = json!({ "VpcEndpointId": endpoint, "RemoveRouteTableId": [table] });
    ask(&mut world, "ModifyVpcEndpoint", modify);
    let tables = ask(&mut world, "DescribeRouteTables", read);
    assert_eq!(length(&tables["routeTableSet"][0], "routeSet"), 1);
}

#[test]
fn delete_reports_each_endpoint_that_it_cannot_delete() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let input = json!({ "VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.dynamodb" });
    let answer = ask(&mut world, "CreateVpcEndpoint", input);
    let endpoint = id(&answer, "/vpcEndpoint/vpcEndpointId");
    refused(&mut world, "DeleteVpc", json!({ "VpcId": vpc }), "DependencyViolation");
    let both = json!({ "VpcEndpointId": [endpoint, "vpce-0"] });
    let answer = ask(&mut world, "DeleteVpcEndpoints", both);
    assert_eq!(length(&answer, "unsuccessful"), 1);
    assert_eq!(answer["unsuccessful"][0]["error"]["code"], "InvalidVpcEndpointId.NotFound");
    let mut states = Vec::new();
    for _ in 0..5 {
        let answer = ask(&mut world, "DescribeVpcEndpoints", json!({}));
        let first = answer["vpcEndpointSet"].get(0);
        states.push(first.map_or("none".to_owned(), |endpoint| id(endpoint, "/state")));
    }
    assert_eq!(states, ["deleting", "deleted", "deleted", "deleted", "none"]);
}

#[tokio::test(start_paused = true)]
async fn a_strict_endpoint_goes_by_the_clock() {
    let mut world = World::default();
    world.base.strict = true;
    let vpc = vpc(&mut world);
    let input = json!({ "VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3" });
    let made = ask(&mut world, "CreateVpcEndpoint", input);
    let endpoint = id(&made, "/vpcEndpoint/vpcEndpointId");
    ask(&mut world, "DeleteVpcEndpoints", json!({ "VpcEndpointId": [endpoint] }));
    let mut states = Vec::new();
    for wait in [0, 5, 6, 60] {
        tokio::time::advance(std::time::Duration::from_secs(wait)).await;
        let answer = ask(&mut world, "DescribeVpcEndpoints", json!({}));
        states.push(answer["vpcEndpointSet"][0]["state"].clone());
    }
    assert_eq!(states, [json!("deleting"), json!("deleting"), json!("deleted"), json!(null)]);
}
