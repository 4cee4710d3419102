//! The shipped configs, from their files to the blueprint.

use super::*;
use crate::config::load;

mod containers;
mod contract;
mod guards;

fn shipped() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn facts() -> Facts {
    Facts { account: "123456789012".into(), ..Facts::placeholder("us-east-1") }
}

fn blueprint(env: &str) -> Blueprint {
    let show = |problems: Vec<Problem>| -> Blueprint {
        panic!("{}", problems.iter().map(|p| format!("{p}\n")).collect::<String>())
    };
    match load(&shipped(), env, &|_| None) {
        Ok(loaded) => build(&loaded, &facts()).unwrap_or_else(show),
        Err(problems) => show(problems),
    }
}

#[test]
fn the_shipped_configs_build() {
    let long = format!("pr-{}", "7".repeat(40));
    for env in ["dev", "staging", "prod", "pr-123", "pr7255", &long] {
        let blueprint = blueprint(env);
        assert!(blueprint.resources.len() > 40, "{env} has {}", blueprint.resources.len());
        assert_eq!(blueprint.protect, env == "prod");
        for desired in blueprint.resources.values() {
            assert!(desired.origin.contains(".toml:"), "{desired:?}");
        }
    }
}

#[test]
fn dev_consists_of_these() {
    let list: String = blueprint("dev").resources.keys().map(|a| format!("{a}\n")).collect();
    insta::assert_snapshot!(list, @r"
    dynamodb.table/payment-methods
    dynamodb.table/transactions
    dynamodb.table/users
    ec2.gateway_endpoint/dynamodb
    ec2.gateway_endpoint/s3
    ec2.instance/nat-1
    ec2.internet_gateway/main
    ec2.route_table/private
    ec2.route_table/public
    ec2.security_group/database
    ec2.security_group/functions
    ec2.security_group/nat
    ec2.security_group_rules/database
    ec2.security_group_rules/functions
    ec2.security_group_rules/nat
    ec2.subnet/private-1
    ec2.subnet/private-2
    ec2.subnet/public-1
    ec2.subnet/public-2
    ec2.vpc/main
    iam.instance_profile/nat
    iam.role/cost-report
    iam.role/functions
    iam.role/nat
    kms.key/main
    logs.log_group/cost-report
    logs.log_group/fraud-detection
    logs.log_group/processing
    logs.log_group/validation
    s3.bucket/access-logs
    s3.bucket/audit
    s3.bucket/logs
    secretsmanager.secret/database
    sns.subscription/cost.email.ops@example.com
    sns.subscription/ops.email.ops@example.com
    sns.subscription/security.email.ops@example.com
    sns.topic/cost
    sns.topic/ops
    sns.topic/security
    sqs.queue/payments
    sqs.queue/payments-dlq
    ssm.parameter//payment/audit-bucket-dev
    ssm.parameter//payment/kms-key-id-dev
    ssm.parameter//payment/transaction-table-dev
    ssm.parameter//payment/vpc-id-dev
    ");
}

#[test]
fn what_differs_between_the_environments() {
    let count = |env: &str, kind: &str| {
        blueprint(env).resources.keys().filter(|address| address.kind == kind).count()
    };
    assert_eq!((count("dev", "ec2.instance"), count("dev", "ec2.nat_gateway")), (1, 0));
    assert_eq!((count("staging", "ec2.nat_gateway"), count("staging", "ec2.subnet")), (1, 4));
    assert_eq!((count("prod", "ec2.nat_gateway"), count("prod", "ec2.subnet")), (3, 9));
    assert_eq!((count("prod", "ec2.route_table"), count("staging", "ec2.route_table")), (5, 2));
    let protected = |env: &str| {
        let table = Address::new("dynamodb.table", "users");
        blueprint(env).resources[&table].spec["deletion_protection"].clone()
    };
    assert_eq!((protected("dev"), protected("prod")), (false.into(), true.into()));
}

#[test]
fn every_resource_carries_its_tags() {
    for env in ["dev", "prod"] {
        for (address, desired) in blueprint(env).resources {
            assert_eq!(desired.tags["payctl:address"], address.to_string());
            assert!(desired.tags.contains_key("Name") && desired.tags_once.contains_key("Author"));
            let kept = "CostCenter Environment Project Repository Team";
            assert_eq!(desired.tags["payctl:tags"], kept);
            assert!(desired.tags.values().all(|value| value.len() <= 256), "{address}");
        }
    }
}

#[test]
fn the_key_admits_the_services_that_need_it() {
    let key = &blueprint("dev").resources[&Address::new("kms.key", "main")];
    let policy = key.spec["policy"].to_string();
    for service in ["cloudwatch", "events", "budgets", "costalerts", "logs.us-east-1"] {
        assert!(policy.contains(&format!("\"{service}.amazonaws.com\"")), "{service}\n{policy}");
    }
    assert!(policy.contains("secretsmanager.us-east-1.amazonaws.com"));
    assert_eq!(key.name, "alias/dev-payment-key-main");
}
