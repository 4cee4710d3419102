//! Tests of IAM, call by call.

use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::{ask, code};

fn trust() -> String {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "ec2.amazonaws.com" },
    }] })
    .to_string()
}

fn policy() -> String {
    let statement = json!([{ "Effect": "Allow", "Action": "s3:Get*", "Resource": "*" }]);
    json!({ "Version": "2012-10-17", "Statement": statement }).to_string()
}

fn iam(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
    ask(world, "iam", operation, input).map_err(|refusal| refusal.code)
}

fn with_role() -> World {
    let mut world = World::default();
    let input = json!({ "RoleName": "r", "Path": "/payctl/dev/",
        "AssumeRolePolicyDocument": trust(), "Tags": [{ "Key": "a", "Value": "b" }] });
    iam(&mut world, "CreateRole", input).unwrap();
    world
}

#[test]
fn policy_documents_are_returned_url_encoded() {
    let mut world = with_role();
    let answer = iam(&mut world, "GetRole", json!({ "RoleName": "r" })).unwrap();
    let document = answer["Role"]["AssumeRolePolicyDocument"].as_str().unwrap();
    assert!(document.starts_with("%7B%22"), "{document}");
    assert!(document.contains("ec2.amazonaws.com"));
    assert_eq!(answer["Role"]["MaxSessionDuration"], 3600);
    assert_eq!(answer["Role"]["Arn"], "arn:aws:iam::000000000000:role/payctl/dev/r");
}

#[test]
fn role_names_are_unique_whatever_their_case() {
    let mut world = with_role();
    let input = json!({ "RoleName": "R", "AssumeRolePolicyDocument": trust() });
    let refusal = ask(&mut world, "iam", "CreateRole", input).unwrap_err();
    assert_eq!((refusal.status, &*refusal.code), (409, "EntityAlreadyExists"));
}

#[test]
fn roles_are_found_by_path_in_pages_without_tags() {
    let mut world = with_role();
    for name in ["s", "t"] {
        let input = json!({ "RoleName": name, "Path": "/payctl/dev/",
            "AssumeRolePolicyDocument": trust() });
        iam(&mut world, "CreateRole", input).unwrap();
    }
    let input = json!({ "PathPrefix": "/payctl/", "MaxItems": "2" });
    let first = iam(&mut world, "ListRoles", input).unwrap();
    assert_eq!(first["Roles"].as_array().unwrap().len(), 2);
    assert!(first["Roles"][0].get("Tags").is_none());
    assert_eq!(first["IsTruncated"], true);
    let input = json!({ "PathPrefix": "/payctl/", "MaxItems": "2", "Marker": first["Marker"] });
    let second = iam(&mut world, "ListRoles", input).unwrap();
    assert_eq!(second["Roles"][0]["RoleName"], "t");
    assert_eq!(second["IsTruncated"], false);
    let other = iam(&mut world, "ListRoles", json!({ "PathPrefix": "/other/" })).unwrap();
    assert_eq!(other["Roles"], json!([]));
}

#[test]
fn a_role_with_policies_or_profile_cannot_be_deleted() {
    let mut world = with_role();
    let role = json!({ "RoleName": "r" });
    let inline = json!({ "RoleName": "r", "PolicyName": "p", "PolicyDocument": policy() });
    let managed = json!({ "RoleName": "r", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess" });
    let profile = json!({ "RoleName": "r", "InstanceProfileName": "i" });
    iam(&mut world, "PutRolePolicy", inline.clone()).unwrap();
    assert_eq!(iam(&mut world, "DeleteRole", role.clone()), Err("DeleteConflict".into()));
    iam(&mut world, "DeleteRolePolicy", inline).unwrap();
    iam(&mut world, "AttachRolePolicy", managed.clone()).unwrap();
    assert_eq!(iam(&mut world, "DeleteRole", role.clone()), Err("DeleteConflict".into()));
    iam(&mut world, "DetachRolePolicy", managed).unwrap();
    iam(&mut world, "CreateInstanceProfile", profile.clone()).unwrap();
    iam(&mut world, "AddRoleToInstanceProfile", profile.clone()).unwrap();
    assert_eq!(iam(&mut world, "DeleteRole", role.clone()), Err("DeleteConflict".into()));
    let conflict = iam(&mut world, "DeleteInstanceProfile", profile.clone());
    assert_eq!(conflict, Err("DeleteConflict".into()));
    iam(&mut world, "RemoveRoleFromInstanceProfile", profile.clone()).unwrap();
    iam(&mut world, "DeleteInstanceProfile", profile).unwrap();
    iam(&mut world, "DeleteRole", role.clone()).unwrap();
    assert_eq!(iam(&mut world, "GetRole", role), Err("NoSuchEntity".into()));
    assert!(super::counts(&world.iam).iter().all(|(_, count)| *count == 0));
}

#[test]
fn a_profile_takes_one_role() {
    let mut world = with_role();
    let profile = json!({ "RoleName": "r", "InstanceProfileName": "i" });
    iam(&mut world, "CreateInstanceProfile", profile.clone()).unwrap();
    iam(&mut world, "AddRoleToInstanceProfile", profile.clone()).unwrap();
    let second = iam(&mut world, "AddRoleToInstanceProfile", profile);
    assert_eq!(second, Err("LimitExceeded".into()));
    let found = iam(&mut world, "ListInstanceProfilesForRole", json!({ "RoleName": "r" })).unwrap();
    assert_eq!(found["InstanceProfiles"][0]["Roles"][0]["RoleName"], "r");
}

#[test]
fn a_trust_policy_needs_principals_and_takes_no_resource() {
    let mut world = World::default();
    let mut create = |document: String| {
        let input = json!({ "RoleName": "r", "AssumeRolePolicyDocument": document });
        code(ask(&mut world, "iam", "CreateRole", input))
    };
    assert_eq!(create("{".into()), "MalformedPolicyDocument");
    assert_eq!(create(policy()), "MalformedPolicyDocument");
}

#[test]
fn an_inline_policy_is_checked_and_limited() {
    let mut world = with_role();
    let mut put = |document: String| {
        let input = json!({ "RoleName": "r", "PolicyName": "p", "PolicyDocument": document });
        iam(&mut world, "PutRolePolicy", input)
    };
    assert_eq!(put(trust()), Err("MalformedPolicyDocument".into()));
    let sid = policy().replace("\"Effect\"", "\"Sid\":\"a-b\",\"Effect\"");
    assert_eq!(put(sid), Err("MalformedPolicyDocument".into()));
    let long = policy().replace("s3:Get*", &"s3:Get".repeat(2000));
    assert_eq!(put(long), Err("LimitExceeded".into()));
    assert!(put(policy()).is_ok());
}

#[test]
fn a_customer_policy_must_exist_and_cannot_be_deleted_while_attached() {
    let mut world = with_role();
    let missing = json!({ "RoleName": "r", "PolicyArn": "arn:aws:iam::000000000000:policy/p" });
    let attach = iam(&mut world, "AttachRolePolicy", missing.clone());
    assert_eq!(attach, Err("NoSuchEntity".into()));
    let create = json!({ "PolicyName": "p", "PolicyDocument": policy() });
    iam(&mut world, "CreatePolicy", create).unwrap();
    iam(&mut world, "AttachRolePolicy", missing.clone()).unwrap();
    assert_eq!(iam(&mut world, "DeletePolicy", missing.clone()), Err("DeleteConflict".into()));
    let listed = iam(&mut world, "ListAttachedRolePolicies", json!({ "RoleName": "r" })).unwrap();
    assert_eq!(listed["AttachedPolicies"][0]["PolicyName"], "p");
    iam(&mut world, "DetachRolePolicy", missing.clone()).unwrap();
    iam(&mut world, "DeletePolicy", missing).unwrap();
}

#[test]
fn tags_and_boundary_are_changed_on_their_own() {
    let mut world = with_role();
    let boundary = "arn:aws:iam::aws:policy/PowerUserAccess";
    let input = json!({ "RoleName": "r", "PermissionsBoundary": boundary });
    iam(&mut world, "PutRolePermissionsBoundary", input).unwrap();
    let input = json!({ "RoleName": "r", "Tags": [{ "Key": "c", "Value": "d" }] });
    iam(&mut world, "TagRole", input).unwrap();
    iam(&mut world, "UntagRole", json!({ "RoleName": "r", "TagKeys": ["a"] })).unwrap();
    let answer = iam(&mut world, "GetRole", json!({ "RoleName": "r" })).unwrap();
    assert_eq!(answer["Role"]["Tags"], json!([{ "Key": "c", "Value": "d" }]));
    assert_eq!(answer["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"], boundary);
    let bad = json!({ "RoleName": "r", "Tags": [{ "Key": "x", "Value": "a#b" }] });
    assert_eq!(iam(&mut world, "TagRole", bad), Err("ValidationError".into()));
}

#[test]
fn an_unknown_operation_is_named() {
    let refusal = ask(&mut World::default(), "iam", "CreateUser", json!({})).unwrap_err();
    assert_eq!(refusal.code, "NotImplementedInSandbox");
    assert!(refusal.message.contains("iam:CreateUser"));
}

#[test]
fn create_role_omits_what_only_get_role_returns() {
    let mut world = World::default();
    let input = json!({ "RoleName": "r", "AssumeRolePolicyDocument": trust() });
    let made = ask(&mut world, "iam", "CreateRole", input).unwrap();
    assert_eq!(made["Role"].get("MaxSessionDuration"), None);
    let read = ask(&mut world, "iam", "GetRole", json!({ "RoleName": "r" })).unwrap();
    assert_eq!(read["Role"]["MaxSessionDuration"], 3600);
    let broken = json!({ "RoleName": "s", "AssumeRolePolicyDocument": "{" });
    let refusal = ask(&mut world, "iam", "CreateRole", broken).unwrap_err();
    assert_eq!(refusal.message, "This policy contains invalid Json");
    let attach = json!({ "RoleName": "r", "PolicyArn": "no-arn" });
    let refusal = ask(&mut world, "iam", "AttachRolePolicy", attach).unwrap_err();
    assert_eq!(refusal.message, "Invalid ARN:  Could not be parsed!");
}
