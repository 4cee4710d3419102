//! Security groups and their rules.

use super::*;

#[test]
fn a_new_vpc_brings_a_main_table_an_acl_and_a_default_group() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let tables = ask(&mut world, "DescribeRouteTables", by_vpc(&vpc));
    assert_eq!(tables["routeTableSet"][0]["associationSet"][0]["main"], true);
    assert_eq!(tables["routeTableSet"][0]["routeSet"][0]["gatewayId"], "local");
    let acls = ask(&mut world, "DescribeNetworkAcls", by_vpc(&vpc));
    assert_eq!(acls["networkAclSet"][0]["default"], true);
    let groups = ask(&mut world, "DescribeSecurityGroups", by_vpc(&vpc));
    let group = &groups["securityGroupInfo"][0];
    assert_eq!(group["groupName"], "default");
    assert_eq!(group["ipPermissions"][0]["groups"][0]["groupId"], group["groupId"]);
    assert_eq!(group["ipPermissionsEgress"][0]["ipRanges"][0]["cidrIp"], "0.0.0.0/0");
}

#[test]
fn group_names_are_unique_in_a_vpc_whatever_their_case() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    group(&mut world, &vpc, "app");
    let input = json!({ "VpcId": vpc, "GroupName": "APP", "GroupDescription": "again" });
    refused(&mut world, "CreateSecurityGroup", input, "InvalidGroup.Duplicate");
    let input = json!({ "VpcId": vpc, "GroupName": "api", "GroupDescription": "API -> DB" });
    refused(&mut world, "CreateSecurityGroup", input, "InvalidParameterValue");
}

#[test]
fn a_new_group_allows_all_egress() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let group = group(&mut world, &vpc, "app");
    let input = json!({ "Filter": [{ "Name": "group-id", "Value": [group] }] });
    let answer = ask(&mut world, "DescribeSecurityGroupRules", input);
    assert_eq!(length(&answer, "securityGroupRuleSet"), 1);
    let rule = &answer["securityGroupRuleSet"][0];
    assert_eq!((&rule["isEgress"], &rule["cidrIpv4"]), (&json!(true), &json!("0.0.0.0/0")));
    assert_eq!((&rule["ipProtocol"], &rule["fromPort"]), (&json!("-1"), &json!(-1)));
}

#[test]
fn one_duplicate_rule_fails_the_whole_call() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let group = group(&mut world, &vpc, "app");
    // The host bits are cleared, so the second spelling is the same rule.
    let input = json!({ "GroupId": group, "IpPermissions": from_cidr("100.68.0.18/18") });
    let answer = ask(&mut world, "AuthorizeSecurityGroupIngress", input);
    assert_eq!(answer["securityGroupRuleSet"][0]["cidrIpv4"], "100.68.0.0/18");
    let both = https_from(json!({
        "IpRanges": [{ "CidrIp": "10.9.0.0/16" }, { "CidrIp": "100.68.0.0/18" }],
    }));
    let input = json!({ "GroupId": group, "IpPermissions": both });
    refused(&mut world, "AuthorizeSecurityGroupIngress", input, "InvalidPermission.Duplicate");
    let input = json!({ "Filter": [{ "Name": "group-id", "Value": [group] }] });
    let rules = ask(&mut world, "DescribeSecurityGroupRules", input);
    assert_eq!(length(&rules, "securityGroupRuleSet"), 2);
}

#[test]
fn rules_are_revoked_by_content_or_by_id() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let group = group(&mut world, &vpc, "app");
    let input = json!({ "GroupId": group, "IpPermissions": from_cidr("10.0.0.0/16") });
    ask(&mut world, "AuthorizeSecurityGroupIngress", input.clone());
    ask(&mut world, "RevokeSecurityGroupIngress", input.clone());
    refused(&mut world, "RevokeSecurityGroupIngress", input.clone(), "InvalidPermission.NotFound");
    let made = ask(&mut world, "AuthorizeSecurityGroupIngress", input);
    let rule = id(&made, "/securityGroupRuleSet/0/securityGroupRuleId");
    let revoke = json!({ "GroupId": group, "SecurityGroupRuleId": [rule] });
    ask(&mut world, "RevokeSecurityGroupIngress", revoke.clone());
    let code = "InvalidSecurityGroupRuleId.NotFound";
    refused(&mut world, "RevokeSecurityGroupIngress", revoke, code);
}

#[test]
fn descriptions_and_whole_rules_can_be_changed() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let group = group(&mut world, &vpc, "app");
    let input = json!({ "GroupId": group, "IpPermissions": from_cidr("10.0.0.0/16") });
    let made = ask(&mut world, "AuthorizeSecurityGroupIngress", input);
    let rule = id(&made, "/securityGroupRuleSet/0/securityGroupRuleId");
    let read = json!({ "SecurityGroupRuleId": [rule] });
    let anew = json!([{ "SecurityGroupRuleId": rule, "Description": "payers" }]);
    let input = json!({ "GroupId": group, "SecurityGroupRuleDescription": anew });
    ask(&mut world, "UpdateSecurityGroupRuleDescriptionsIngress", input);
    let answer = ask(&mut world, "DescribeSecurityGroupRules", read.clone());
    assert_eq!(answer["securityGroupRuleSet"][0]["description"], "payers");
    let to =
        json!({ "IpProtocol": "6", "FromPort": "80", "ToPort": "80", "CidrIpv4": "10.0.0.0/8" });
    let input = json!({
        "GroupId": group,
        "SecurityGroupRule": [{ "SecurityGroupRuleId": rule, "SecurityGroupRule": to }],
    });
    ask(&mut world, "ModifySecurityGroupRules", input);
    let answer = ask(&mut world, "DescribeSecurityGroupRules", read);
    let rule = &answer["securityGroupRuleSet"][0];
    assert_eq!((&rule["ipProtocol"], &rule["toPort"]), (&json!("tcp"), &json!(80)));
}

#[test]
fn groups_that_refer_to_each_other_stay_until_their_rules_go() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let (app, db) = (group(&mut world, &vpc, "app"), group(&mut world, &vpc, "db"));
    let peer = https_from(json!({ "Groups": [{ "GroupId": app }] }));
    let input = json!({ "GroupId": db, "IpPermissions": peer });
    let answer = ask(&mut world, "AuthorizeSecurityGroupIngress", input.clone());
    assert_eq!(answer["securityGroupRuleSet"][0]["referencedGroupInfo"]["groupId"], app);
    let delete = json!({ "GroupId": app });
    refused(&mut world, "DeleteSecurityGroup", delete.clone(), "DependencyViolation");
    ask(&mut world, "RevokeSecurityGroupIngress", input);
    ask(&mut world, "DeleteSecurityGroup", delete.clone());
    refused(&mut world, "DeleteSecurityGroup", delete, "InvalidGroup.NotFound");
}

#[test]
fn the_default_group_can_be_closed_but_not_deleted() {
    let mut world = World::default();
    let vpc = vpc(&mut world);
    let groups = ask(&mut world, "DescribeSecurityGroups", by_vpc(&vpc));
    let group = id(&groups, "/securityGroupInfo/0/groupId");
    refused(&mut world, "DeleteSecurityGroup", json!({ "GroupId": group }), "CannotDelete");
    let own = json!([{ "IpProtocol": "-1", "Groups": [{ "GroupId": group, "UserId": "0" }] }]);
    let input = json!({ "GroupId": group, "IpPermissions": own });
    ask(&mut world, "RevokeSecurityGroupIngress", input);
    let all = json!([{ "IpProtocol": "-1", "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] }]);
    let input = json!({ "GroupId": group, "IpPermissions": all });
    ask(&mut world, "RevokeSecurityGroupEgress", input);
    let rules = ask(&mut world, "DescribeSecurityGroupRules", json!({}));
    assert_eq!(length(&rules, "securityGroupRuleSet"), 0);
}
