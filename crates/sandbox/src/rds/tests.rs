//! Tests of RDS, call by call.

use serde_json::{Value, json};

use super::super::toolbox::at;
use super::super::toolbox::testing::{REGION, ask};
use super::super::{Call, World, ec2, logs};

fn rds(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
    ask(world, "rds", operation, input).map_err(|refusal| refusal.code)
}

fn network(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
    let call =
        Call { service: "ec2".into(), operation: operation.into(), input, region: REGION.into() };
    ec2::call(world, &call).map_err(|refusal| refusal.code)
}

fn subnet(world: &mut World, vpc: &str, at: u32, zone: &str) -> String {
    let zone = format!("{REGION}{zone}");
    let cidr = format!("10.0.{at}.0/24");
    let input = json!({ "VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": zone });
    let made = network(world, "CreateSubnet", input).unwrap();
    made["subnet"]["subnetId"].as_str().unwrap().to_owned()
}

/// A world with a subnet group, the subnets and a security group.
fn with_group() -> (World, [String; 3], String) {
    let mut world = World::default();
    let vpc = network(&mut world, "CreateVpc", json!({ "CidrBlock": "10.0.0.0/16" })).unwrap();
    let vpc = vpc["vpc"]["vpcId"].as_str().unwrap().to_owned();
    let subnets =
        [(0, "a"), (1, "b"), (2, "a")].map(|(at, zone)| subnet(&mut world, &vpc, at, zone));
    let input = json!({ "GroupName": "db", "GroupDescription": "db", "VpcId": vpc });
    let group = network(&mut world, "CreateSecurityGroup", input).unwrap();
    let group = group["groupId"].as_str().unwrap().to_owned();
    let input = json!({ "DBSubnetGroupName": "subnets", "DBSubnetGroupDescription": "d",
        "SubnetIds": { "SubnetIdentifier": [subnets[0], subnets[1]] } });
    rds(&mut world, "CreateDBSubnetGroup", input).unwrap();
    (world, subnets, group)
}

fn cluster(group: &str) -> Value {
    json!({
        "DBClusterIdentifier": "db", "Engine": "aurora-postgresql", "EngineVersion": "15.17",
        "MasterUsername": "dbadmin", "MasterUserPassword": "abcdefgh12345678",
        "DatabaseName": "customerdb", "DBSubnetGroupName": "subnets",
        "VpcSecurityGroupIds": { "VpcSecurityGroupId": [group] },
        "ServerlessV2ScalingConfiguration": { "MinCapacity": "0.5", "MaxCapacity": "2" },
    })
}

fn instance(name: &str) -> Value {
    json!({ "DBInstanceIdentifier": name, "Engine": "aurora-postgresql",
        "DBClusterIdentifier": "db", "DBInstanceClass": "db.serverless" })
}

fn with(mut input: Value, key: &str, value: Value) -> Value {
    input[key] = value;
    input
}

fn id() -> Value {
    json!({ "DBClusterIdentifier": "db" })
}

fn look(world: &mut World) -> Result<Value, String> {
    let answer = rds(world, "DescribeDBClusters", id())?;
    Ok(answer["DBClusters"]["DBCluster"][0].clone())
}

fn with_cluster() -> (World, [String; 3], String) {
    let (mut world, subnets, group) = with_group();
    rds(&mut world, "CreateDBCluster", cluster(&group)).unwrap();
    assert_eq!(look(&mut world).unwrap()["Status"], "creating");
    assert_eq!(look(&mut world).unwrap()["Status"], "available");
    (world, subnets, group)
}

fn with_instance() -> (World, [String; 3], String) {
    let (mut world, subnets, group) = with_cluster();
    rds(&mut world, "CreateDBInstance", instance("db-1")).unwrap();
    look(&mut world).unwrap();
    (world, subnets, group)
}

#[test]
fn a_subnet_group_needs_two_zones_and_cannot_be_deleted_in_use() {
    let (mut world, subnets, _) = with_cluster();
    let one_zone = json!({ "DBSubnetGroupName": "narrow", "DBSubnetGroupDescription": "d",
        "SubnetIds": { "SubnetIdentifier": [subnets[0], subnets[2]] } });
    let refused = rds(&mut world, "CreateDBSubnetGroup", one_zone);
    assert_eq!(refused, Err("DBSubnetGroupDoesNotCoverEnoughAZs".into()));
    let refused = rds(&mut world, "DeleteDBSubnetGroup", json!({ "DBSubnetGroupName": "subnets" }));
    assert_eq!(refused, Err("InvalidDBSubnetGroupStateFault".into()));
}

#[test]
fn unset_members_come_back_with_defaults() {
    let (mut world, ..) = with_cluster();
    let seen = look(&mut world).unwrap();
    assert_eq!(seen["DBClusterParameterGroup"], "default.aurora-postgresql15");
    assert_eq!(seen["PreferredBackupWindow"], "07:12-07:42");
    assert_eq!(seen["BackupRetentionPeriod"], 1);
    assert!(seen["KmsKeyId"].as_str().unwrap().starts_with("arn:aws:kms:"));
    assert_eq!(seen["ServerlessV2ScalingConfiguration"]["SecondsUntilAutoPause"], 300);
}

#[test]
fn invalid_requests_are_refused_as_by_aws() {
    let (mut world, _, group) = with_group();
    let mut refused = |key: &str, value: Value| {
        rds(&mut world, "CreateDBCluster", with(cluster(&group), key, value)).unwrap_err()
    };
    assert_eq!(refused("MasterUsername", "admin".into()), "InvalidParameterValue");
    assert_eq!(refused("MasterUserPassword", "short".into()), "InvalidParameterValue");
    assert_eq!(refused("DBClusterIdentifier", "a--b".into()), "InvalidParameterValue");
    assert_eq!(refused("BackupRetentionPeriod", "0".into()), "InvalidParameterValue");
    for retired in ["9.6", "15.8", "15.1"] {
        assert_eq!(refused("EngineVersion", retired.into()), "InvalidParameterCombination");
    }
    let other = "default.aurora-postgresql16";
    assert_eq!(refused("DBClusterParameterGroupName", other.into()), "InvalidParameterCombination");
    let steps = json!({ "MinCapacity": "0.3", "MaxCapacity": "2" });
    assert_eq!(refused("ServerlessV2ScalingConfiguration", steps), "InvalidParameterValue");
}

#[test]
fn a_serverless_instance_needs_limits_and_refuses_cluster_settings() {
    let (mut world, _, group) = with_group();
    let mut plain = cluster(&group);
    plain.as_object_mut().unwrap().remove("ServerlessV2ScalingConfiguration");
    rds(&mut world, "CreateDBCluster", plain).unwrap();
    let refused = rds(&mut world, "CreateDBInstance", instance("db-1"));
    assert_eq!(refused, Err("InvalidDBClusterStateFault".into()));
    let small = with(instance("db-1"), "DBInstanceClass", "db.t3.micro".into());
    let refused = rds(&mut world, "CreateDBInstance", small);
    assert_eq!(refused, Err("InvalidParameterCombination".into()));
    let medium = with(instance("db-1"), "DBInstanceClass", "db.t3.medium".into());
    let own = with(medium.clone(), "BackupRetentionPeriod", "1".into());
    let refused = rds(&mut world, "CreateDBInstance", own);
    assert_eq!(refused, Err("InvalidParameterCombination".into()));
    rds(&mut world, "CreateDBInstance", medium).unwrap();
}

#[test]
fn a_version_cannot_be_downgraded() {
    let (mut world, ..) = with_cluster();
    let mut to = |version: &str, leap: bool| {
        let input = json!({ "DBClusterIdentifier": "db", "EngineVersion": version,
            "ApplyImmediately": "true", "AllowMajorVersionUpgrade": leap.to_string(),
            "DBClusterParameterGroupName": format!("default.aurora-postgresql{}", &version[..2]) });
        let changed = rds(&mut world, "ModifyDBCluster", input);
        look(&mut world).unwrap();
        changed
    };
    assert!(to("15.19", false).is_ok());
    assert_eq!(to("15.17", false), Err("InvalidParameterCombination".into()));
    assert_eq!(to("16.15", false), Err("InvalidParameterCombination".into()));
    assert!(to("16.15", true).is_ok());
    assert_eq!(look(&mut world).unwrap()["EngineVersion"], "16.15");
}

#[test]
fn a_cluster_changes_only_while_available() {
    let (mut world, _, group) = with_group();
    rds(&mut world, "CreateDBCluster", cluster(&group)).unwrap();
    let refused = rds(&mut world, "ModifyDBCluster", id());
    assert_eq!(refused, Err("InvalidDBClusterStateFault".into()));
}

#[test]
fn a_cluster_is_deleted_only_unprotected_and_without_instances() {
    let (mut world, subnets, group) = with_instance();
    let skip = with(id(), "SkipFinalSnapshot", "true".into());
    let protect = |on: &str| with(id(), "DeletionProtection", on.into());
    rds(&mut world, "ModifyDBCluster", protect("true")).unwrap();
    look(&mut world).unwrap();
    let refused = rds(&mut world, "DeleteDBCluster", skip.clone());
    assert_eq!(refused, Err("InvalidParameterCombination".into()));
    rds(&mut world, "ModifyDBCluster", protect("false")).unwrap();
    look(&mut world).unwrap();
    let refused = rds(&mut world, "DeleteDBCluster", id());
    assert_eq!(refused, Err("InvalidParameterCombination".into()));
    let refused = rds(&mut world, "DeleteDBCluster", skip.clone());
    assert_eq!(refused, Err("InvalidDBClusterStateFault".into()));
    // The interface of the instance blocks its subnet and the group.
    let mut held = subnets[..2].iter().filter(|subnet| {
        let refused = network(&mut world, "DeleteSubnet", json!({ "SubnetId": subnet }));
        refused == Err("DependencyViolation".into())
    });
    let subnet = json!({ "SubnetId": held.next().unwrap() });
    assert_eq!(held.next(), None);
    let refused = network(&mut world, "DeleteSecurityGroup", json!({ "GroupId": group }));
    assert_eq!(refused, Err("DependencyViolation".into()));
    let one = json!({ "DBInstanceIdentifier": "db-1" });
    rds(&mut world, "DeleteDBInstance", one.clone()).unwrap();
    let refused = rds(&mut world, "DeleteDBInstance", one);
    assert_eq!(refused, Err("InvalidDBInstanceState".into()));
    rds(&mut world, "DeleteDBCluster", skip).unwrap();
    assert_eq!(look(&mut world).unwrap()["Status"], "deleting");
    assert_eq!(look(&mut world), Err("DBClusterNotFoundFault".into()));
    network(&mut world, "DeleteSubnet", subnet).unwrap();
    rds(&mut world, "DeleteDBSubnetGroup", json!({ "DBSubnetGroupName": "subnets" })).unwrap();
    assert!(super::counts(&world.rds).iter().all(|(_, count)| *count == 0));
}

#[test]
fn a_final_snapshot_stays_and_its_name_is_unique() {
    let (mut world, _, group) = with_cluster();
    let last = with(id(), "FinalDBSnapshotIdentifier", "last".into());
    rds(&mut world, "DeleteDBCluster", last.clone()).unwrap();
    look(&mut world).unwrap();
    rds(&mut world, "CreateDBCluster", cluster(&group)).unwrap();
    look(&mut world).unwrap();
    let refused = rds(&mut world, "DeleteDBCluster", last);
    assert_eq!(refused, Err("DBClusterSnapshotAlreadyExistsFault".into()));
    assert!(super::counts(&world.rds).contains(&("snapshots", 1)));
}

#[test]
fn automated_snapshots_are_listed_only_by_their_type() {
    let (mut world, ..) = with_cluster();
    let taken = with(id(), "DBClusterSnapshotIdentifier", "taken".into());
    rds(&mut world, "CreateDBClusterSnapshot", taken).unwrap();
    let kept = world.rds.snapshots[&at(REGION, "taken")].clone();
    let name = "rds:db-2026-01-31-03-14";
    world.rds.snapshots.insert(at(REGION, name), kept);
    let mut found = |input: Value| {
        let answer = rds(&mut world, "DescribeDBClusterSnapshots", input)?;
        let found = answer["DBClusterSnapshots"]["DBClusterSnapshot"].as_array().cloned();
        let types = found.into_iter().flatten().map(|one| one["SnapshotType"].clone());
        Ok::<_, String>(types.collect::<Vec<Value>>())
    };
    let arn = super::arn(REGION, "cluster-snapshot", name);
    for named in [name, arn.as_str()] {
        let input = json!({ "DBClusterSnapshotIdentifier": named });
        assert_eq!(found(input.clone()), Err("DBClusterSnapshotNotFoundFault".into()));
        let input = with(input, "SnapshotType", "automated".into());
        assert_eq!(found(input), Ok(vec![json!("automated")]));
    }
    assert_eq!(found(json!({ "DBClusterSnapshotIdentifier": "taken" })), Ok(vec![json!("manual")]));
    assert_eq!(found(id()).unwrap().len(), 2);
    assert_eq!(found(with(id(), "SnapshotType", "manual".into())), Ok(vec![json!("manual")]));
}

#[tokio::test(start_paused = true)]
async fn strict_states_last_for_a_time() {
    let (mut world, _, group) = with_group();
    world.base.strict = true;
    // RDS sees its own role by now.
    tokio::time::advance(std::time::Duration::from_secs(20)).await;
    rds(&mut world, "CreateDBCluster", cluster(&group)).unwrap();
    for _ in 0..3 {
        assert_eq!(look(&mut world).unwrap()["Status"], "creating");
    }
}

#[test]
fn parameters_are_set_twenty_at_a_time_and_static_ones_wait() {
    let mut world = World::default();
    let group = json!({ "DBClusterParameterGroupName": "p" });
    let mut made = with(group.clone(), "DBParameterGroupFamily", "aurora-postgresql15".into());
    made["Description"] = "d".into();
    rds(&mut world, "CreateDBClusterParameterGroup", made).unwrap();
    let set = |name: &str, method: &str| {
        let parameter =
            json!({ "ParameterName": name, "ParameterValue": "1", "ApplyMethod": method });
        with(group.clone(), "Parameters", json!({ "Parameter": [parameter] }))
    };
    let change = "ModifyDBClusterParameterGroup";
    let refused = rds(&mut world, change, set("rds.logical_replication", "immediate"));
    assert_eq!(refused, Err("InvalidParameterCombination".into()));
    rds(&mut world, change, set("rds.logical_replication", "pending-reboot")).unwrap();
    let user = with(group.clone(), "Source", "user".into());
    let own = rds(&mut world, "DescribeDBClusterParameters", user.clone()).unwrap();
    assert_eq!(own["Parameters"]["Parameter"][0]["ApplyType"], "static");
    let reset = set("rds.logical_replication", "pending-reboot");
    rds(&mut world, "ResetDBClusterParameterGroup", reset).unwrap();
    let own = rds(&mut world, "DescribeDBClusterParameters", user).unwrap();
    assert_eq!(own["Parameters"]["Parameter"], json!([]));
    let many = vec![json!({ "ParameterName": "a", "ParameterValue": "1" }); 21];
    let refused = rds(&mut world, change, with(group, "Parameters", json!({ "Parameter": many })));
    assert_eq!(refused, Err("InvalidParameterValue".into()));
}

#[test]
fn a_parameter_that_is_set_to_its_default_keeps_its_source() {
    let mut world = World::default();
    let group = json!({ "DBClusterParameterGroupName": "p" });
    let mut made = with(group.clone(), "DBParameterGroupFamily", "aurora-postgresql15".into());
    made["Description"] = "d".into();
    rds(&mut world, "CreateDBClusterParameterGroup", made).unwrap();
    for (value, source) in
        [("scram-sha-256", "system"), ("md5", "user"), ("scram-sha-256", "system")]
    {
        let parameter = json!({ "ParameterName": "password_encryption", "ParameterValue": value,
            "ApplyMethod": "immediate" });
        let set = with(group.clone(), "Parameters", json!({ "Parameter": [parameter] }));
        rds(&mut world, "ModifyDBClusterParameterGroup", set).unwrap();
        let listed = rds(&mut world, "DescribeDBClusterParameters", group.clone()).unwrap();
        let listed = listed["Parameters"]["Parameter"].as_array().unwrap();
        let found = listed.iter().find(|one| one["ParameterName"] == "password_encryption");
        let found = found.unwrap();
        assert_eq!((&found["ParameterValue"], &found["Source"]), (&value.into(), &source.into()));
    }
}

#[test]
fn an_instance_class_is_offered_only_in_zones_with_room() {
    let zones = |class: &str| {
        let asked = json!({ "Engine": "aurora-postgresql", "DBInstanceClass": class });
        let answer = super::instances::orderable("us-east-1", &asked).unwrap();
        let options = &answer["OrderableDBInstanceOptions"]["OrderableDBInstanceOption"];
        options[0]["AvailabilityZones"]["AvailabilityZone"].as_array().map(Vec::len)
    };
    assert_eq!((zones("db.serverless"), zones("db.t4g.micro")), (Some(5), None));
}

#[test]
fn a_stopped_cluster_is_neither_changed_nor_deleted() {
    let (mut world, ..) = with_instance();
    rds(&mut world, "DescribeDBInstances", json!({})).unwrap();
    rds(&mut world, "StopDBCluster", id()).unwrap();
    look(&mut world).unwrap();
    for _ in 0..3 {
        assert_eq!(look(&mut world).unwrap()["Status"], "stopped");
    }
    let skip = with(id(), "SkipFinalSnapshot", "true".into());
    for (operation, input) in [("ModifyDBCluster", id()), ("DeleteDBCluster", skip)] {
        assert_eq!(rds(&mut world, operation, input), Err("InvalidDBClusterStateFault".into()));
    }
    let one = json!({ "DBInstanceIdentifier": "db-1" });
    for operation in ["ModifyDBInstance", "DeleteDBInstance"] {
        let refused = rds(&mut world, operation, one.clone());
        assert_eq!(refused, Err("InvalidDBInstanceState".into()));
    }
    rds(&mut world, "StartDBCluster", id()).unwrap();
    look(&mut world).unwrap();
    assert_eq!(look(&mut world).unwrap()["Status"], "available");
}

#[test]
fn exported_logs_create_their_log_groups() {
    let (mut world, ..) = with_cluster();
    let more = json!({ "EnableLogTypes": { "member": ["postgresql"] } });
    rds(&mut world, "ModifyDBCluster", with(id(), "CloudwatchLogsExportConfiguration", more))
        .unwrap();
    assert!(logs::exists(&world.logs, REGION, "/aws/rds/cluster/db/postgresql"));
}

#[test]
fn tags_are_changed_by_arn() {
    let (mut world, ..) = with_cluster();
    let arn = look(&mut world).unwrap()["DBClusterArn"].clone();
    let named = json!({ "ResourceName": arn });
    let more = json!({ "Tag": [{ "Key": "a", "Value": "b" }, { "Key": "c", "Value": "d" }] });
    rds(&mut world, "AddTagsToResource", with(named.clone(), "Tags", more)).unwrap();
    rds(&mut world, "RemoveTagsFromResource", with(named, "TagKeys", json!(["c"]))).unwrap();
    let tags = look(&mut world).unwrap()["TagList"].clone();
    assert_eq!(tags, json!({ "Tag": [{ "Key": "a", "Value": "b" }] }));
}
