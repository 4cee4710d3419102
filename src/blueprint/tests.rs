//! The shipped configs, from their files to the blueprint.

use super::*;
use crate::config::load;

mod contract;
mod cost_anomalies;
mod events;
mod firewalls;
mod services;
mod threat_detection;

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
        let built = blueprint(env);
        assert!(built.resources.len() > 40, "{env} has {}", built.resources.len());
        assert_eq!(built.protect, env == "prod");
        for desired in built.resources.values() {
            assert!(desired.origin.contains(".toml:"), "{desired:?}");
        }
    }
}

#[test]
fn dev_has_the_expected_resources() {
    let list: String = blueprint("dev").resources.keys().map(|a| format!("{a}\n")).collect();
    insta::assert_snapshot!(list, @r"
    apigateway.account/main
    apigateway.rest_api/payments
    apigateway.stage/payments
    apigateway.vpc_link/main
    autoscaling.group/workers
    cloudwatch.alarm/api-4xx
    cloudwatch.alarm/api-5xx
    cloudwatch.alarm/api-latency
    cloudwatch.alarm/database-cpu
    cloudwatch.alarm/dead-letters
    cloudwatch.alarm/processing-errors
    cloudwatch.alarm/rotation-errors
    cloudwatch.alarm/service-errors
    cloudwatch.alarm/table-throttles
    cloudwatch.alarm/workers-cpu
    cloudwatch.dashboard/cost
    cloudwatch.dashboard/operations
    cloudwatch.dashboard/security
    dynamodb.table/payment-methods
    dynamodb.table/transactions
    dynamodb.table/users
    ec2.gateway_endpoint/dynamodb
    ec2.gateway_endpoint/s3
    ec2.instance/nat-1
    ec2.internet_gateway/main
    ec2.launch_template/workers
    ec2.route_table/isolated
    ec2.route_table/private
    ec2.route_table/public
    ec2.security_group/database
    ec2.security_group/functions
    ec2.security_group/link
    ec2.security_group/load-balancer
    ec2.security_group/nat
    ec2.security_group/rotation
    ec2.security_group/service
    ec2.security_group/workers
    ec2.security_group_rules/database
    ec2.security_group_rules/functions
    ec2.security_group_rules/link
    ec2.security_group_rules/load-balancer
    ec2.security_group_rules/nat
    ec2.security_group_rules/rotation
    ec2.security_group_rules/service
    ec2.security_group_rules/workers
    ec2.subnet/isolated-1
    ec2.subnet/isolated-2
    ec2.subnet/private-1
    ec2.subnet/private-2
    ec2.subnet/public-1
    ec2.subnet/public-2
    ec2.vpc/main
    ecs.cluster/main
    ecs.service/payment
    ecs.task_definition/payment
    elb.listener/main-80
    elb.load_balancer/main
    elb.target_group/blue
    elb.target_group/green
    events.rule/daily-cost
    events.rule/payment-events
    events.rule/security-findings
    iam.instance_profile/fleet-workers
    iam.instance_profile/nat
    iam.role/cost-report
    iam.role/event-handler
    iam.role/fleet-workers
    iam.role/fraud-detection
    iam.role/nat
    iam.role/payment-execution
    iam.role/processing
    iam.role/rotation
    iam.role/service
    iam.role/validation
    kms.key/main
    lambda.event_source/event-handler-payments
    lambda.function/cost-report
    lambda.function/event-handler
    lambda.function/fraud-detection
    lambda.function/processing
    lambda.function/rotation
    lambda.function/validation
    lambda.permissions/cost-report
    lambda.permissions/fraud-detection
    lambda.permissions/processing
    lambda.permissions/rotation
    lambda.permissions/validation
    logs.log_group/api-payments
    logs.log_group/database-customer-postgresql
    logs.log_group/function-cost-report
    logs.log_group/function-event-handler
    logs.log_group/function-fraud-detection
    logs.log_group/function-processing
    logs.log_group/function-rotation
    logs.log_group/function-validation
    logs.log_group/service-payment
    logs.metric_filter/high-risk
    rds.cluster/customer
    rds.cluster_parameter_group/customer
    rds.instance/customer-1
    rds.instance/customer-2
    rds.subnet_group/customer
    s3.bucket/audit
    s3.bucket/logs
    scaling.target/payment
    secretsmanager.attachment/database
    secretsmanager.rotation/database
    secretsmanager.secret/database
    sns.subscription/cost.email.ops@example.com
    sns.subscription/ops.email.ops@example.com
    sns.subscription/security.email.ops@example.com
    sns.topic/cost
    sns.topic/ops
    sns.topic/security
    sqs.queue/payments
    sqs.queue/payments-dlq
    ssm.parameter//payment/api-url-dev
    ssm.parameter//payment/audit-bucket-dev
    ssm.parameter//payment/aurora-endpoint-dev
    ssm.parameter//payment/kms-key-id-dev
    ssm.parameter//payment/transaction-table-dev
    ssm.parameter//payment/vpc-id-dev
    waf.association/api-payments
    waf.association/lb-main
    waf.web_acl/main
    ");
}

#[test]
fn environments_have_the_expected_nat_subnets_and_protection() {
    let count = |env: &str, kind: &str| {
        blueprint(env).resources.keys().filter(|address| address.kind == kind).count()
    };
    assert_eq!((count("dev", "ec2.instance"), count("dev", "ec2.nat_gateway")), (1, 0));
    assert_eq!((count("staging", "ec2.nat_gateway"), count("staging", "ec2.subnet")), (1, 6));
    assert_eq!((count("prod", "ec2.nat_gateway"), count("prod", "ec2.subnet")), (3, 9));
    assert_eq!((count("prod", "ec2.route_table"), count("staging", "ec2.route_table")), (5, 3));
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
fn the_key_allows_the_services_that_need_it() {
    let key = &blueprint("dev").resources[&Address::new("kms.key", "main")];
    let policy = key.spec["policy"].to_string();
    for service in ["cloudwatch", "events", "budgets", "costalerts", "logs.us-east-1"] {
        assert!(policy.contains(&format!("\"{service}.amazonaws.com\"")), "{service}\n{policy}");
    }
    assert_eq!(key.name, "alias/dev-payment-key-main");
}

#[test]
fn key_statements_name_principals_and_bind_publishers_to_the_account() {
    for env in ["dev", "prod"] {
        let policy = &blueprint(env).resources[&Address::new("kms.key", "main")].spec["policy"];
        for statement in policy["Statement"].as_array().unwrap() {
            let principal = statement["Principal"].to_string();
            assert!(!principal.contains("\"*\""), "{statement}");
            // EventBridge sends neither key: AWS's documentation rules the condition out.
            let known = ["root", "events.amazonaws.com", "logs."];
            if !known.iter().any(|known| principal.contains(known)) {
                let account = &statement["Condition"]["StringEquals"]["aws:sourceaccount"];
                assert_eq!(*account, serde_json::json!([facts().account]), "{statement}");
            }
        }
        let alarms = policy.to_string();
        let alarms = alarms.contains("arn:aws:cloudwatch:us-east-1:123456789012:alarm:*");
        assert!(alarms, "{policy}");
    }
}

/// The resources of an environment that has a few lines more than prod.
fn prod_with(more: &str) -> Blueprint {
    // payctl reads sources only inside the repository.
    let folder = tempfile::tempdir_in(shipped().parent().unwrap().join("tests")).unwrap();
    for file in ["base.toml", "prod.toml"] {
        let text = std::fs::read_to_string(shipped().join(file)).unwrap();
        let text = text.replace("\"../functions", "\"../../functions");
        let more = if file == "prod.toml" { more } else { "" };
        let text = text.replacen("protect = true\n", &format!("protect = true\n{more}\n"), 1);
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    let loaded = load(folder.path(), "prod", &|_| None).unwrap();
    build(&loaded, &facts()).unwrap()
}

#[test]
fn one_setting_gives_every_role_a_boundary() {
    let boundary = "arn:aws:iam::123456789012:policy/payments";
    let bounded = prod_with(&format!("permissions_boundary = \"{boundary}\""));
    let roles = bounded.resources.values().filter(|one| one.address.kind == "iam.role");
    let roles: Vec<_> = roles.collect();
    assert!(roles.len() >= 10, "{} roles", roles.len());
    for role in roles {
        assert_eq!(role.spec["boundary"], boundary, "{}", role.address);
    }
    let account = &bounded.resources[&Address::new("apigateway.account", "main")];
    assert_eq!(account.spec["boundary"], boundary);
}

#[test]
fn production_keeps_its_logs_for_more_than_a_year() {
    for (address, desired) in blueprint("prod").resources {
        let stage = desired.spec.get("execution_log").and_then(|log| log.get("retention_days"));
        let group = desired.spec.get("retention_days").filter(|_| address.kind == "logs.log_group");
        if let Some(days) = group.or(stage) {
            assert!(days.as_u64() >= Some(365), "{address}: {days}");
        }
    }
}

#[test]
fn flow_logs_write_only_to_their_group() {
    let prod = blueprint("prod");
    let flow_log = &prod.resources[&Address::new("ec2.flow_log", "main")].spec;
    assert_eq!(flow_log["traffic"], "ALL");
    let role = &prod.resources[&Address::new("iam.role", "flow-log")].spec;
    let source = &role["trust"]["Statement"][0]["Condition"]["ArnLike"]["aws:sourcearn"];
    assert_eq!(*source, serde_json::json!(["arn:aws:ec2:us-east-1:123456789012:vpc-flow-log/*"]));
    // A late record must not bring the group back after a destroy.
    assert!(!role["inline"].to_string().contains("CreateLogGroup"));
    assert!(!blueprint("dev").resources.contains_key(&Address::new("ec2.flow_log", "main")));
}

#[test]
fn the_cost_report_role_writes_only_reports() {
    let dev = blueprint("dev");
    let role = dev.resources[&Address::new("iam.role", "cost-report")].spec.to_string();
    assert!(role.contains("/cost-reports/*"), "{role}");
    for action in ["ce:GetAnomalies", "ce:GetCostAndUsage", "ce:ListCostAllocationTags"] {
        assert!(role.contains(action), "{role}");
    }
    assert!(!role.contains("ses:"), "nobody said that it sends mails: {role}");
}
