//! The container services of the payment systems, each as its own environment.

use serde_json::{Value, json};

use super::*;

const HEAD: &str = r#"
project = "payment"
region = "us-east-1"
[network]
cidr = "10.0.0.0/16"
[security_groups.tasks]
description = "Tasks"
egress = "all"
"#;

const COST: &str = r#"
[clusters.main]
insights = false

[services.payment]
name = "${env}-payment-service"
cluster = "main"
image = "public.ecr.aws/nginx/nginx:latest"
security_groups = "tasks"
scaling = { min = 2, max = 10, cpu = 70, memory = 80 }
log_retention_days = 7
"#;

const API: &str = r#"
[keys.main]
[secrets.database]
template = { username = "postgres" }
key = "main"
[roles.task]
services = "ecs-tasks.amazonaws.com"
[clusters.main]
insights = true
[load_balancers.main]
security_groups = ["tasks"]
listeners = [{ port = 80, forward = "api" }]
[target_groups.api]

[services.api]
cluster = "main"
cpu = 256
memory = 512
image = "public.ecr.aws/nginx/nginx:latest"
port = 80
environment = { DB_HOST = "database.example.com", DB_PORT = "5432" }
secrets = { DB_PASSWORD = "database:password", DB_USERNAME = "database:username" }
role = "task"
security_groups = "tasks"
target_group = "api"
desired = 2
health_grace = 60
deployment = { minimum_percent = 50, maximum_percent = 200, circuit_breaker = false }
log_prefix = "payment-api"
log_retention_days = "forever"
"#;

/// The resources of the container sections, and those that they need.
fn made(text: &str) -> BTreeMap<Address, Desired> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("dev.toml"), format!("{HEAD}{text}")).unwrap();
    let loaded = load(dir.path(), "dev", &|_| None).unwrap();
    let (config, facts) = (&loaded.config, &facts());
    let mut builder = Builder::new(&loaded, facts);
    builder.network();
    builder.security_groups();
    builder.secrets();
    builder.clusters();
    builder.services();
    // The load balancer sections create it; here it only has to exist.
    let listener = Address::new("elb.listener", "main-80");
    if !config.load_balancers.is_empty() {
        let path = KeyPath::of("load_balancers").key("main");
        builder.add(Item::new(listener, "main", &path), &json!({}));
    }
    builder.services_wait();
    assert!(builder.problems.is_empty(), "{:?}", builder.problems);
    builder.resources
}

fn spec<'a>(made: &'a BTreeMap<Address, Desired>, kind: &str, name: &str) -> &'a Value {
    &made[&Address::new(kind, name)].spec
}

#[test]
fn the_service_of_the_cost_optimised_system() {
    let all = made(COST);
    assert_eq!(spec(&all, "ecs.cluster", "main")["insights"], "disabled");
    let service = &all[&Address::new("ecs.service", "payment")];
    assert_eq!(service.name, "dev-payment-service");
    assert_eq!(service.spec["desired"], Value::Null, "scaling decides");
    assert_eq!(service.spec["initial"], 2);
    let task = spec(&all, "ecs.task_definition", "payment");
    assert_eq!((&task["cpu"], &task["memory"]), (&json!(256), &json!(512)));
    let log = spec(&all, "logs.log_group", "service-payment");
    assert_eq!(log["name"], "/ecs/dev-payment-service");
    assert_eq!(log["retention_days"], 7);
    let target = &all[&Address::new("scaling.target", "payment")];
    assert_eq!(target.name, "service/dev-payment-cluster-main/dev-payment-service");
    assert_eq!((&target.spec["min"], &target.spec["max"]), (&json!(2), &json!(10)));
    let policies = &target.spec["policies"];
    assert_eq!(policies["cpu"]["value"], 70.0);
    assert_eq!(policies["memory"]["metric"], "ECSServiceAverageMemoryUtilization");
    assert_eq!(policies["memory"]["value"], 80.0);
}

#[test]
fn the_service_of_the_container_api() {
    let all = made(API);
    assert_eq!(spec(&all, "ecs.cluster", "main")["insights"], "enabled");
    let task = spec(&all, "ecs.task_definition", "api");
    let container = &task["containers"]["api"];
    assert_eq!(container["image"], "public.ecr.aws/nginx/nginx:latest");
    assert_eq!(container["ports"], json!([{ "port": 80, "protocol": "tcp" }]));
    let variables = json!({ "DB_HOST": "database.example.com", "DB_PORT": "5432" });
    assert_eq!(container["environment"], variables);
    assert_eq!(container["secrets"]["DB_USERNAME"]["field"], "username");
    assert_eq!(container["logs"]["prefix"], "payment-api");
    assert_eq!(spec(&all, "logs.log_group", "service-api")["retention_days"], Value::Null);
    let service = &all[&Address::new("ecs.service", "api")];
    let rolling = json!({
        "minimum_percent": 50, "maximum_percent": 200, "circuit_breaker": false, "rollback": false,
    });
    assert_eq!(service.spec["deployment"], rolling);
    assert_eq!((&service.spec["desired"], &service.spec["health_grace"]), (&json!(2), &json!(60)));
    assert_eq!(service.spec["public_ip"], false);
    let target = &service.spec["load_balancers"][0];
    assert_eq!((&target["container"], &target["port"]), (&json!("api"), &json!(80)));
    for awaited in [("elb.listener", "main-80"), ("ec2.route_table", "private")] {
        assert!(service.after.contains(&Address::new(awaited.0, awaited.1)), "{awaited:?}");
    }
    assert!(!all.contains_key(&Address::new("scaling.target", "api")));
}

#[test]
fn the_execution_role_has_only_the_permissions_to_start_tasks() {
    let role = spec(&made(API), "iam.role", "api-execution").clone();
    let statements = role["inline"]["permissions"]["Statement"].as_array().unwrap();
    let sids: Vec<&str> = statements.iter().filter_map(|one| one["Sid"].as_str()).collect();
    assert_eq!(sids, ["Keys", "Log", "Secrets"]);
    let text = role.to_string();
    assert!(text.contains("kms.key/main") && text.contains("secretsmanager.secret/database"));
    let registry = "image = \"${account}.dkr.ecr.eu-west-1.amazonaws.com/team/pay:1\"";
    let from_ecr = API.replace("image = \"public.ecr.aws/nginx/nginx:latest\"", registry);
    let text = spec(&made(&from_ecr), "iam.role", "api-execution").to_string();
    assert!(text.contains("arn:aws:ecr:eu-west-1:123456789012:repository/team/pay"), "{text}");
    let named = API.replace("role = \"task\"", "role = \"task\"\nexecution_role = \"task\"");
    assert!(!made(&named).contains_key(&Address::new("iam.role", "api-execution")));
}
