//! The foundation layer of the payment systems that payctl must be able to stand up, each written
//! as its own environment.

use serde_json::{Value, json};

use super::*;

/// Builds an environment from one file.
fn from_text(env: &str, text: &str) -> Blueprint {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(format!("{env}.toml")), text).unwrap();
    let variables = |name: &str| match name {
        "REPOSITORY" => Some("org/payments".to_owned()),
        "PR_NUMBER" => Some("7255".to_owned()),
        _ => None,
    };
    let loaded = load(dir.path(), env, &variables).map_err(show).unwrap();
    build(&loaded, &facts()).map_err(show).unwrap()
}

fn show(problems: Vec<Problem>) -> Vec<String> {
    problems.iter().map(Problem::to_string).collect()
}

/// The questions that the tests ask about a blueprint.
trait Drawn {
    fn of(&self, kind: &str) -> Vec<&Desired>;
    fn one(&self, kind: &str, name: &str) -> &Desired;
    fn cidrs(&self) -> Vec<(String, String)>;
}

impl Drawn for Blueprint {
    fn of(&self, kind: &str) -> Vec<&Desired> {
        self.resources.values().filter(|desired| desired.address.kind == kind).collect()
    }

    fn one(&self, kind: &str, name: &str) -> &Desired {
        &self.resources[&Address::new(kind, name)]
    }

    fn cidrs(&self) -> Vec<(String, String)> {
        let subnets = self.of("ec2.subnet").into_iter();
        let row = |desired: &Desired| {
            let cidr = desired.spec["cidr"].as_str().unwrap().to_owned();
            (cidr, desired.address.name.clone())
        };
        let mut rows: Vec<(String, String)> = subnets.map(row).collect();
        rows.sort();
        rows
    }
}

/// The tiers in the order of their addresses, one /24 after the other.
fn blocks(tiers: &[&str], zones: usize) -> Vec<(String, String)> {
    let names = tiers.iter().flat_map(|tier| (1..=zones).map(move |at| format!("{tier}-{at}")));
    names.enumerate().map(|(at, name)| (format!("10.0.{at}.0/24"), name)).collect()
}

const COST: &str = r#"
project = "payment"
region = "us-east-1"

[tags]
Environment = "${env}"
Team = "payments"
CostCenter = "engineering"
Project = "payment-processing"

[network]
cidr = "10.0.0.0/16"
nat = { kind = "instance" }

[tables.transactions]
partition_key = "id:S"
stream = "new_and_old_images"
[tables.users]
partition_key = "id:S"
[tables.payment-methods]
partition_key = "id:S"

[buckets.logs]
glacier_after_days = 30
access_log_to = "access"
[buckets.audit]
glacier_after_days = 30
access_log_to = "access"
[buckets.access]
glacier_after_days = 30

[log_groups.processor]
retention_days = 7
"#;

#[test]
fn the_cost_optimised_system_builds_as_agreed() {
    let dev = from_text("dev", COST);
    assert_eq!(dev.cidrs(), blocks(&["public", "private"], 2));
    assert_eq!(dev.one("ec2.vpc", "main").name, "dev-payment-vpc-main");
    assert_eq!(dev.one("dynamodb.table", "transactions").name, "dev-payment-table-transactions");
    assert_eq!(dev.of("ec2.nat_gateway").len(), 0);
    let nat = &dev.one("ec2.instance", "nat-1").spec;
    assert_eq!(
        (&nat["instance_type"], &nat["source_dest_check"]),
        (&json!("t4g.nano"), &json!(false))
    );
    assert!(nat["user_data"].as_str().unwrap().len() < 16_384);
    for table in dev.of("dynamodb.table") {
        assert_eq!(table.spec["billing"], "on_demand");
        assert_eq!(table.spec["point_in_time_recovery"], true);
        let stream = table.address.name == "transactions";
        assert_eq!(table.spec["stream"].is_null(), !stream);
    }
    for bucket in dev.of("s3.bucket") {
        assert_eq!(
            (&bucket.spec["versioning"], &bucket.spec["block_public_access"]),
            (&json!(true), &json!(true))
        );
        let rule = &bucket.spec["lifecycle"]["all-objects"];
        assert_eq!(rule["transitions"], json!({ "GLACIER": 30 }));
        assert!(!bucket.spec["encryption"].is_null());
    }
    let policy = dev.one("s3.bucket", "access").spec["policy"].to_string();
    assert!(policy.contains("logging.s3.amazonaws.com"), "{policy}");
    assert_eq!(dev.of("logs.log_group")[0].spec["retention_days"], 7);
    for desired in dev.resources.values() {
        let tag = |key: &str| desired.tags[key].as_str();
        assert_eq!((tag("Environment"), tag("Team")), ("dev", "payments"));
        assert_eq!((tag("CostCenter"), tag("Project")), ("engineering", "payment-processing"));
    }
    let prod = from_text("prod", &COST.replace("\"instance\"", "\"gateway\""));
    let counts =
        ["ec2.nat_gateway", "ec2.elastic_ip", "ec2.instance"].map(|kind| prod.of(kind).len());
    assert_eq!(counts, [1, 1, 0]);
}

const SECURITY: &str = r#"
project = "payment"
region = "us-east-1"

[variables]
COMMIT_AUTHOR = { default = "unknown" }
PR_NUMBER = { default = "unknown" }
REPOSITORY = { default = "unknown" }
TEAM = { default = "unknown" }

[tags]
Environment = "${env}"
Repository = "${var.REPOSITORY}"
Team = "${var.TEAM}"

[tags_at_creation]
Author = "${var.COMMIT_AUTHOR}"
PRNumber = "${var.PR_NUMBER}"
CreatedAt = "${now}"

[network]
cidr = "10.0.0.0/16"

[security_groups.lambda]
description = "Functions"
egress = "all"
[security_groups.workers]
description = "EC2"

[tables.payments]
partition_key = "id:S"

[buckets.audit]
glacier_after_days = 30

[topics.cost-alerts]
publishers = ["events"]
[topics.security-alerts]
publishers = ["events"]
[topics.ops-alerts]

[keys.queues]
rotation_days = 90

[queues.payments]
key = "queues"
dead_letter = true

[secrets.database]
template = { username = "postgres" }

[parameters]
"/payment/${env}/queue" = "${queues.payments.url}"
"/payment/${env}/subnets" = ["${network.private_subnets}"]

[roles.workers]
services = "ec2.amazonaws.com"
managed = ["AmazonSSMManagedInstanceCore", "CloudWatchAgentServerPolicy"]
instance_profile = true
"#;

#[test]
fn the_secured_system_builds_as_agreed() {
    let long = format!("pr{}", "7".repeat(40));
    for env in ["dev", "pr7255", &long] {
        let built = from_text(env, SECURITY);
        assert_eq!(built.cidrs(), blocks(&["public", "private"], 2));
        assert_eq!(built.of("ec2.nat_gateway").len(), 1);
        for topic in ["cost-alerts", "security-alerts"] {
            let policy = built.one("sns.topic", topic).spec["policy"].to_string();
            assert!(policy.contains("events.amazonaws.com"), "{policy}");
        }
        for queue in ["payments", "payments-dlq"] {
            let found = built.one("sqs.queue", queue).spec["encryption"]["kms"].to_string();
            assert!(found.contains("kms.key/queues"), "{found}");
        }
        assert!(!built.one("sqs.queue", "payments").spec["redrive"].is_null());
        assert_eq!(built.one("kms.key", "queues").spec["rotation_days"], 90);
        assert_eq!(built.of("iam.instance_profile").len(), 1);
        assert_eq!(built.one("iam.role", "workers").spec["managed"].as_array().unwrap().len(), 2);
        for desired in built.resources.values() {
            assert_eq!(desired.tags["Repository"], "org/payments");
            assert_eq!(desired.tags["Team"], "unknown");
            assert_eq!(desired.tags_once["Author"], "unknown");
            assert_eq!(desired.tags_once["PRNumber"], "7255");
            assert!(desired.tags_once["CreatedAt"].starts_with("20"));
        }
    }
}

#[test]
fn every_security_group_has_rules_and_no_egress_by_default() {
    let built = from_text("dev", SECURITY);
    let groups: Vec<&str> = built
        .of("ec2.security_group")
        .iter()
        .map(|desired| desired.address.name.as_str())
        .collect();
    assert_eq!(groups, ["lambda", "workers"]);
    let rules = |name: &str| built.one("ec2.security_group_rules", name).spec["rules"].clone();
    assert_eq!(
        rules("workers"),
        json!([{
            "direction": "egress", "protocol": "icmp", "from_port": 252, "to_port": 86,
            "peer": { "cidr": "255.255.255.255/32" }, "description": "No traffic",
        }])
    );
    assert_eq!(
        rules("lambda"),
        json!([{
            "direction": "egress", "protocol": "-1", "from_port": null, "to_port": null,
            "peer": { "cidr": "0.0.0.0/0" }, "description": null,
        }])
    );
}

const MIGRATION: &str = r#"
project = "payment"
region = "us-east-1"

[variables]
ALERT_EMAIL = { default = "ops@example.com" }

[naming]
pattern = "{project}-{name}-{env}"

[network]
name = "payment-vpc-${env}"
cidr = "10.0.0.0/16"
zones = 3
isolated_subnets = true

[security_groups.lambda]
description = "Security group for Lambda functions"
egress = "all"
[security_groups.aurora]
description = "Security group for Aurora database"
ingress = [{ port = 5432, from = "group:lambda" }]

[keys.main]
description = "KMS key for payment processing encryption - ${env}"
recovery_days = 7
services = ["cloudwatch", "secretsmanager"]

[secrets.aurora-credentials]
key = "main"
recovery_days = 7
template = { username = "dbadmin" }

[tables.transactions]
partition_key = "transaction_id:S"
sort_key = "timestamp:N"
key = "main"
[tables.transactions.indexes.customer-index]
partition_key = "customer_id:S"
sort_key = "timestamp:N"
[tables.transactions.indexes.status-index]
partition_key = "status:S"
sort_key = "timestamp:N"

[buckets.audit]
name = "payment-audit-logs-${env}-${account}"
key = "main"
lifecycle.archive-old-logs.transitions.GLACIER = 90

[topics.alerts]
display_name = "Payment Processing Alerts - ${env}"
key = "main"
publishers = ["cloudwatch"]
email = "${var.ALERT_EMAIL}"

[parameters]
"/payment/kms-key-id-${env}" = "${keys.main.id}"
"/payment/vpc-id-${env}" = "${network.vpc_id}"
"/payment/transaction-table-${env}" = "${tables.transactions.name}"
"/payment/audit-bucket-${env}" = "${buckets.audit.name}"

[roles.lambda-role]
name = "payment-lambda-role-${env}"
services = "lambda.amazonaws.com"
managed = ["service-role/AWSLambdaVPCAccessExecutionRole"]
statements = [
  { actions = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"], resources = ["${tables.transactions.arn}", "${tables.transactions.arn}/index/*"] },
  { actions = ["secretsmanager:GetSecretValue"], resources = "${secrets.aurora-credentials.arn}" },
  { actions = ["s3:PutObject"], resources = "${buckets.audit.arn}/*" },
  { actions = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*"], resources = "${keys.main.arn}" },
  { actions = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"], resources = "arn:aws:ssm:${region}:${account}:parameter/payment/*" },
]

[log_groups.validation]
name = "/aws/lambda/payment-validation-${env}"
retention_days = 7

[outputs]
VpcId = "${network.vpc_id}"
"#;

#[test]
fn the_migrated_system_builds_as_agreed() {
    let dev = from_text("dev", MIGRATION);
    assert_eq!(dev.cidrs(), blocks(&["public", "private", "isolated"], 3));
    let names = |kind: &str| -> Vec<&str> {
        dev.of(kind).iter().map(|desired| desired.name.as_str()).collect()
    };
    assert_eq!(names("ec2.vpc"), ["payment-vpc-dev"]);
    assert_eq!(names("dynamodb.table"), ["payment-transactions-dev"]);
    assert_eq!(names("s3.bucket"), ["payment-audit-logs-dev-123456789012"]);
    assert_eq!(names("sns.topic"), ["payment-alerts-dev"]);
    assert_eq!(names("secretsmanager.secret"), ["payment-aurora-credentials-dev"]);
    assert_eq!(names("iam.role"), ["payment-lambda-role-dev"]);
    assert_eq!(names("logs.log_group"), ["/aws/lambda/payment-validation-dev"]);
    assert_eq!(
        names("ssm.parameter"),
        [
            "/payment/audit-bucket-dev",
            "/payment/kms-key-id-dev",
            "/payment/transaction-table-dev",
            "/payment/vpc-id-dev",
        ]
    );

    let table = &dev.one("dynamodb.table", "transactions").spec;
    assert_eq!(table["partition_key"], json!({ "name": "transaction_id", "type": "S" }));
    assert_eq!(table["sort_key"], json!({ "name": "timestamp", "type": "N" }));
    for (index, key) in [("customer-index", "customer_id"), ("status-index", "status")] {
        let index = &table["indexes"][index];
        assert_eq!(index["partition_key"]["name"], key);
        assert_eq!(
            (&index["sort_key"]["name"], &index["projection"]),
            (&json!("timestamp"), &json!("all"))
        );
    }
    assert_eq!(table["point_in_time_recovery"], true);
    assert!(table["encryption"]["kms"].is_object(), "{table}");

    let secret = &dev.one("secretsmanager.secret", "aurora-credentials").spec;
    let generate = json!({
        "template": { "username": "dbadmin" }, "field": "password", "length": 32,
        "exclude_punctuation": true,
    });
    assert_eq!(secret["generate"], generate);

    let bucket = &dev.one("s3.bucket", "audit").spec;
    assert_eq!(bucket["lifecycle"]["archive-old-logs"]["transitions"], json!({ "GLACIER": 90 }));
    assert_eq!(
        (&bucket["versioning"], &bucket["block_public_access"]),
        (&json!(true), &json!(true))
    );
    assert!(bucket["policy"].to_string().to_lowercase().contains("aws:securetransport"));

    let topic = &dev.one("sns.topic", "alerts").spec;
    assert_eq!(topic["display_name"], "Payment Processing Alerts - dev");
    let subscription = &dev.of("sns.subscription")[0].spec;
    assert_eq!(
        (&subscription["protocol"], &subscription["endpoint"]),
        (&json!("email"), &json!("ops@example.com"))
    );

    let key = &dev.one("kms.key", "main").spec;
    assert_eq!(key["description"], "KMS key for payment processing encryption - dev");
    assert_eq!((&key["rotation"], &key["rotation_days"]), (&json!(true), &Value::Null));
    let policy = key["policy"].to_string();
    for part in [":root", "secretsmanager.us-east-1.amazonaws.com", "\"cloudwatch.amazonaws.com\""]
    {
        assert!(policy.contains(part), "{part}\n{policy}");
    }

    let aurora = &dev.one("ec2.security_group_rules", "aurora").spec["rules"];
    assert_eq!(aurora.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&aurora[0]["direction"], &aurora[0]["from_port"]),
        (&json!("ingress"), &json!(5432))
    );

    let parameter = |name: &str| dev.one("ssm.parameter", name).spec["value"].clone();
    assert!(parameter("/payment/kms-key-id-dev").to_string().contains("kms.key/main"));
    assert!(parameter("/payment/vpc-id-dev").to_string().contains("ec2.vpc/main"));

    let prod = from_text("prod", MIGRATION);
    assert_eq!(prod.one("ec2.vpc", "main").name, "payment-vpc-prod");
    let routed = |name: &str| -> Value { dev.one("ec2.route_table", name).spec["routes"].clone() };
    assert_eq!(routed("isolated"), json!({}));
    assert!(routed("private").to_string().contains("ec2.nat_gateway/nat-1"));
    assert!(routed("public").to_string().contains("ec2.internet_gateway/main"));
}

const CONTAINERS: &str = r#"
project = "payment"
region = "us-east-1"

[network]
cidr = "10.0.0.0/16"
zones = 3
zone_names = ["us-east-1b", "us-east-1c", "us-east-1d"]

[security_groups.alb]
description = "Load balancer"
ingress = [{ port = 80, from = "0.0.0.0/0" }]
egress = "all"
[security_groups.tasks]
description = "Tasks"
ingress = [{ port = 80, from = "group:alb" }]
egress = "all"
[security_groups.database]
description = "Database"
ingress = [{ port = 5432, from = "group:tasks" }]
egress = "all"

[secrets.database]
template = { username = "postgres" }

[log_groups.tasks]
retention_days = "forever"
"#;

#[test]
fn the_container_system_builds_as_agreed() {
    let dev = from_text("dev", CONTAINERS);
    assert_eq!(dev.cidrs(), blocks(&["public", "private"], 3));
    assert_eq!(dev.of("ec2.nat_gateway").len(), 1);
    assert_eq!(
        dev.one("secretsmanager.secret", "database").spec["generate"]["template"]["username"],
        "postgres"
    );
    assert!(dev.one("logs.log_group", "tasks").spec["retention_days"].is_null());
    let rules = dev.one("ec2.security_group_rules", "tasks").spec["rules"].to_string();
    assert!(rules.contains("ec2.security_group/alb"), "{rules}");
}

#[test]
fn named_zones_keep_their_subnets() {
    let zone =
        |name: &str| from_text("dev", CONTAINERS).one("ec2.subnet", name).spec["zone"].clone();
    assert_eq!((zone("public-1"), zone("private-3")), (json!("us-east-1b"), json!("us-east-1d")));
}

#[test]
fn a_zone_that_the_account_cannot_use_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("dev.toml"), CONTAINERS).unwrap();
    let loaded = load(dir.path(), "dev", &|_| None).unwrap();
    let zone = |name: &str| Zone { name: name.into(), id: String::new() };
    let zones = vec![zone("us-east-1a"), zone("us-east-1b")];
    let problems = build(&loaded, &Facts { zones, ..facts() }).unwrap_err();
    assert_eq!(problems[0].message, "this account cannot use the zone us-east-1c");
    assert_eq!((problems[0].place.line, problems[0].place.column), (8, 29));
}

#[test]
fn the_same_config_and_facts_give_the_same_blueprint() {
    let text = |blueprint: &Blueprint| {
        format!(
            "{:?}",
            blueprint
                .resources
                .values()
                .map(|desired| {
                    (
                        &desired.address,
                        &desired.name,
                        desired.spec.to_string(),
                        &desired.tags,
                        &desired.tags_once,
                    )
                })
                .collect::<Vec<_>>()
        )
    };
    for config in [COST, SECURITY, MIGRATION, CONTAINERS] {
        assert_eq!(text(&from_text("dev", config)), text(&from_text("dev", config)));
    }
}

#[test]
fn reserved_capacity_reaches_every_index() {
    let text = "project = \"payment\"\nregion = \"us-east-1\"\n[tables.t]\npartition_key = \"id:S\"\n\
                billing = { read = 5, write = 6 }\n\
                [tables.t.indexes.own]\npartition_key = \"x:S\"\ncapacity = { read = 1, write = 2 }\n\
                [tables.t.indexes.same]\npartition_key = \"y:S\"\n";
    let table = from_text("dev", text).one("dynamodb.table", "t").spec.clone();
    assert_eq!(table["indexes"]["own"]["capacity"], json!({ "read": 1, "write": 2 }));
    assert_eq!(table["indexes"]["same"]["capacity"], json!({ "read": 5, "write": 6 }));
}
