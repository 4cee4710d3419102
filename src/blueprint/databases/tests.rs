//! The databases of the sources, value by value.

use std::fs;

use serde_json::{Value, json};

use super::*;
use crate::blueprint::{Blueprint, Facts, build};
use crate::config::load;

const NETWORK: &str = r#"
project = "payment"
region = "us-east-1"
[network]
cidr = "10.0.0.0/16"
zones = 2
public_subnets = true
private_subnets = true
isolated_subnets = true
nat = { kind = "gateway", count = 1 }
[security_groups.database]
description = "Database"
"#;

const MIGRATION: &str = r#"
[keys.main]
description = "Key"
[secrets.database]
name = "payment-aurora-credentials-${env}"
key = "main"
template = { username = "dbadmin" }
[databases.customer]
name = "payment-customer-db-${env}"
engine_version = "15.19"
database = "customerdb"
secret = "database"
security_groups = ["database"]
key = "main"
parameters = {}
serverless = { min = 0.5, max = 2 }
instances = [{ class = "db.serverless", tier = 0 }, { class = "db.serverless", tier = 1 }]
insights_days = 7
backup_days = 1
[parameters]
"/payment/aurora-endpoint-${env}" = "${databases.customer.endpoint}"
"#;

const CONTAINERS: &str = r#"
[secrets.database]
template = { username = "postgres" }
[databases.api]
engine_version = "15.19"
secret = "database"
subnets = "private"
security_groups = ["database"]
instances = [{ class = "db.t3.medium", tier = 0 }, { class = "db.t3.medium", tier = 2 }]
insights_days = 0
backup_days = 1
"#;

fn drawn(config: &str) -> Blueprint {
    drawn_in("", config)
}

fn drawn_in(head: &str, config: &str) -> Blueprint {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("dev.toml"), format!("{head}{NETWORK}{config}")).unwrap();
    let show = |problems: Vec<_>| -> Blueprint {
        panic!("{}", problems.iter().map(|p| format!("{p}\n")).collect::<String>())
    };
    match load(dir.path(), "dev", &|_| None) {
        Ok(loaded) => build(&loaded, &Facts::placeholder("us-east-1")).unwrap_or_else(show),
        Err(problems) => show(problems),
    }
}

fn spec<'a>(blueprint: &'a Blueprint, address: &str) -> &'a Value {
    &blueprint.resources[&address.parse().unwrap()].spec
}

fn reference(to: &str, output: Output) -> Value {
    json!(Text::reference(to.parse().unwrap(), output))
}

#[test]
fn the_database_of_the_migration_stack_is_built_value_by_value() {
    let blueprint = drawn(MIGRATION);
    let name = "payment-customer-db-dev";
    assert_eq!(
        *spec(&blueprint, "rds.cluster/customer"),
        json!({
            "name": name,
            "engine_version": "15.19",
            "database": "customerdb",
            "port": 5432,
            "credentials": reference("secretsmanager.secret/database", Output::Arn),
            "subnet_group": reference("rds.subnet_group/customer", Output::Name),
            "security_groups": [reference("ec2.security_group/database", Output::Id)],
            "parameter_group": reference("rds.cluster_parameter_group/customer", Output::Name),
            "serverless": { "min": 0.5, "max": 2.0, "pause_after": null },
            "key": reference("kms.key/main", Output::Arn),
            "backup_days": 1,
            "deletion_protection": false,
            "final_snapshot": false,
            "copy_tags_to_snapshots": true,
            "log_exports": [],
            "iam_authentication": false,
            "data_api": false,
            "restore_from": null,
            "own_password": true,
        })
    );
    let group = spec(&blueprint, "rds.cluster_parameter_group/customer");
    assert_eq!(group["family"], "aurora-postgresql15");
    assert_eq!(group["parameters"], json!({}));
    let subnets = spec(&blueprint, "rds.subnet_group/customer")["subnets"].clone();
    let isolated = ["ec2.subnet/isolated-1", "ec2.subnet/isolated-2"];
    assert_eq!(subnets, json!(isolated.map(|subnet| reference(subnet, Output::Id))));
    for (number, tier) in [(1, 0), (2, 1)] {
        let instance = spec(&blueprint, &format!("rds.instance/customer-{number}"));
        assert_eq!(instance["name"], format!("{name}-{number}"));
        assert_eq!(
            (&instance["class"], &instance["tier"]),
            (&json!("db.serverless"), &json!(tier))
        );
        assert_eq!((&instance["insights_days"], &instance["public"]), (&json!(7), &json!(false)));
    }
    let attachment = spec(&blueprint, "secretsmanager.attachment/database");
    assert_eq!(attachment["host"], reference("rds.cluster/customer", Output::Endpoint));
    assert_eq!(attachment["database"], "customerdb");
    let named = &blueprint.resources[&"secretsmanager.attachment/database".parse().unwrap()].name;
    assert_eq!(named, "payment-aurora-credentials-dev");
}

#[test]
fn the_container_database_uses_the_aws_key_and_defaults() {
    let blueprint = drawn(CONTAINERS);
    let cluster = spec(&blueprint, "rds.cluster/api");
    assert_eq!(cluster["name"], "dev-payment-database-api");
    assert_eq!(cluster["parameter_group"], "default.aurora-postgresql15");
    assert_eq!((cluster.get("key"), cluster.get("serverless")), (None, None));
    assert_eq!(cluster["database"], Value::Null);
    let classes: Vec<_> = [1, 2]
        .map(|number| spec(&blueprint, &format!("rds.instance/api-{number}")))
        .map(|instance| (instance["class"].clone(), instance["tier"].clone()))
        .into();
    assert_eq!(classes, [("db.t3.medium".into(), 0.into()), ("db.t3.medium".into(), 2.into())]);
    let group = &spec(&blueprint, "rds.subnet_group/api")["subnets"];
    assert_eq!(group[0], reference("ec2.subnet/private-1", Output::Id));
    let second = &blueprint.resources[&"rds.instance/api-2".parse().unwrap()];
    assert!(second.after.is_empty(), "equal instances are made at the same time");
}

#[test]
fn a_reader_of_another_class_waits_for_the_writer() {
    let config = CONTAINERS.replace("db.t3.medium\", tier = 2", "db.r6g.large\", tier = 2");
    let blueprint = drawn(&config);
    let second = &blueprint.resources[&"rds.instance/api-2".parse().unwrap()];
    assert_eq!(second.after, BTreeSet::from(["rds.instance/api-1".parse().unwrap()]));
}

#[test]
fn a_protected_environment_protects_its_database_and_keeps_a_snapshot() {
    let blueprint = drawn_in("protect = true", MIGRATION);
    let cluster = spec(&blueprint, "rds.cluster/customer");
    assert_eq!(cluster["deletion_protection"], true);
    assert_eq!(cluster["final_snapshot"], true);
}

#[test]
fn every_exported_log_has_a_group_that_exists_before_the_cluster() {
    let logs = "log_exports = [\"postgresql\", \"iam-db-auth-error\"]\nlog_retention_days = 14\n\
                log_class = \"infrequent_access\"\nlog_key = \"main\"\nparameters";
    let blueprint = drawn(&MIGRATION.replacen("parameters", logs, 1));
    let cluster = &blueprint.resources[&"rds.cluster/customer".parse().unwrap()];
    for log in ["postgresql", "iam-db-auth-error"] {
        let address: Address = format!("logs.log_group/database-customer-{log}").parse().unwrap();
        let group = json!({
            "name": format!("/aws/rds/cluster/payment-customer-db-dev/{log}"),
            "retention_days": 14,
            "class": "INFREQUENT_ACCESS",
            "key": reference("kms.key/main", Output::Arn),
        });
        assert_eq!(blueprint.resources[&address].spec, group);
        assert!(cluster.after.contains(&address));
    }
    let policy = spec(&blueprint, "kms.key/main")["policy"].to_string();
    assert!(policy.contains("logs.us-east-1.amazonaws.com"), "{policy}");
}

#[test]
fn the_key_of_a_final_snapshot_is_kept() {
    let kept = |config: &str| spec(&drawn(config), "kms.key/main").get("kept").cloned();
    assert_eq!(kept(MIGRATION), None);
    let snapshot = MIGRATION.replacen("parameters", "final_snapshot = true\nparameters", 1);
    assert_eq!(kept(&snapshot), Some(json!(true)));
}
