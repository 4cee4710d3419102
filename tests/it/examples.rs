//! The example configs as they live: made, changed, retagged, removed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use payctl::aws::clients::Connection;
use payctl::aws::provider::AwsProvider;
use payctl::engine::plan::{Action, Plan, Purpose};
use payctl::model::desired::Blueprint;
use payctl::sandbox::connector::Sandbox;
use tempfile::TempDir;

use crate::cli_support::copy;
use crate::support::{block_on, configured, expect_settled, plan_now, run, sandboxed};

/// The role of the account that API Gateway writes its logs in: shared, and left there.
const SHARED: &str = "apigateway.account/main";

/// An example, and what is changed in it.
struct Example {
    name: &'static str,
    envs: &'static [&'static str],
    /// An overlay that changes every sort of setting that can be changed in place.
    change: &'static str,
    /// What it updates.
    updates: &'static [&'static str],
}

const COST: Example = Example {
    name: "cost-optimised",
    envs: &["dev", "prod"],
    change: r#"
        [functions.processor]
        memory = 2048
        timeout = 20
        reserved_concurrency = 90
        log_retention_days = 14
        [functions.validator.environment]
        CORS_ORIGIN = "https://shop.example.com"
        [events.daily-cost]
        schedule = "rate(2 days)"
        [tables.users]
        ttl = "expires_at"
        [buckets.logs]
        glacier_after_days = 60
        [topics.cost]
        display_name = "Reports"
        [apis.payments.log]
        level = "error"
        [clusters.main]
        insights = true
        [services.payment]
        cpu = 512
        memory = 1024
        scaling = { min = 3, max = 12, cpu = 60, memory = 75 }
        [target_groups.payment.health]
        interval = 20
        [load_balancers.main]
        idle_timeout = 90
    "#,
    updates: &[
        "apigateway.stage/payments",
        "dynamodb.table/users",
        "ecs.cluster/main",
        "ecs.service/payment",
        "ecs.task_definition/payment",
        "elb.load_balancer/main",
        "elb.target_group/payment",
        "events.rule/daily-cost",
        "lambda.function/processor",
        "lambda.function/validator",
        "logs.log_group/function-processor",
        "s3.bucket/logs",
        "scaling.target/payment",
        "sns.topic/cost",
    ],
};

const SECURED: Example = Example {
    name: "serverless-secured",
    envs: &["dev", "staging", "prod", "pr7255", "pr-7255"],
    change: r#"
        [alarms.payment-errors]
        above = 7
        [alarms.table-throttles]
        above = 8
        [fleets.workers]
        instance_type = "t4g.small"
        min = 3
        max = 12
        desired = 4
        scaling = { cpu = 60 }
        [firewalls.main]
        rate_limit = 700
        [functions.event-handler]
        memory = 768
        timeout = 90
        triggers = [{ queue = "payments", batch_size = 5, report_failures = true }]
        [queues.payments]
        visibility_timeout = 800
        dead_letter = { max_receives = 4 }
        [events.security-findings]
        pattern = { source = ["aws.guardduty"] }
        [secrets.database]
        description = "Credentials"
        [apis.payments.routes."POST /payments"]
        timeout_ms = 20_000
        [dashboards.cost]
        widgets = [{ text = "What it costs" }]
    "#,
    updates: &[
        "apigateway.rest_api/payments",
        "apigateway.stage/payments",
        "autoscaling.group/workers",
        "cloudwatch.alarm/payment-errors",
        "cloudwatch.alarm/table-throttles",
        "cloudwatch.dashboard/cost",
        "ec2.launch_template/workers",
        "events.rule/security-findings",
        "lambda.event_source/event-handler-payments",
        "lambda.function/event-handler",
        "secretsmanager.secret/database",
        "sqs.queue/payments",
        "waf.web_acl/main",
    ],
};

const MIGRATION: Example = Example {
    name: "migration",
    envs: &["dev", "prod", "pr7255", "pr-7255"],
    change: r#"
        [alarms.api-latency]
        above = 300
        periods = 3
        datapoints = 3
        [databases.customer]
        serverless = { max = 4 }
        backup_days = 7
        insights_days = 31
        [secrets.database.rotation]
        days = 60
        [functions.validation]
        memory = 1024
        [buckets.audit.lifecycle.archive-old-logs]
        transitions = { GLACIER = 60 }
        [topics.alerts]
        display_name = "Alerts"
        [keys.main]
        description = "The key"
        [tables.transactions]
        point_in_time_recovery = false
        [apis.payments]
        description = "Payments"
        [apis.payments.log]
        data_trace = false
        [roles.functions]
        description = "Functions"
        [security_groups.functions]
        egress = [{ port = 443, to = "0.0.0.0/0" }]
    "#,
    updates: &[
        "apigateway.rest_api/payments",
        "apigateway.stage/payments",
        "cloudwatch.alarm/api-latency",
        "dynamodb.table/transactions",
        "ec2.security_group_rules/functions",
        "iam.role/functions",
        "kms.key/main",
        "lambda.function/validation",
        "rds.cluster/customer",
        "rds.instance/customer-1",
        "rds.instance/customer-2",
        "s3.bucket/audit",
        "secretsmanager.rotation/database",
        "sns.topic/alerts",
    ],
};

const BLUE_GREEN: Example = Example {
    name: "migration",
    envs: &["dev-bluegreen"],
    change: r#"
        [load_balancers.main]
        listeners = [{ port = 80, forward = { blue = 75, green = 25 } }]
        [target_groups.green.health]
        healthy = 3
        [apis.payments.routes."POST /process"]
        timeout_ms = 20_000
    "#,
    updates: &[
        "apigateway.rest_api/payments",
        "apigateway.stage/payments",
        "elb.listener/main-80",
        "elb.target_group/green",
    ],
};

const CONTAINERS: Example = Example {
    name: "container-api",
    envs: &["dev", "prod", "pr7255", "pr-7255"],
    change: r#"
        [services.payment]
        image = "public.ecr.aws/nginx/nginx:1.27"
        scaling = { min = 3, max = 20 }
        log_retention_days = 30
        [databases.payment]
        instances = [{ class = "db.t3.large", tier = 0 }, { class = "db.t3.large", tier = 1 }]
        [target_groups.payment.health]
        path = "/"
        [firewalls.main]
        rate_limit = 3000
        [alarms.api-errors]
        at_least = 10
        [clusters.main]
        insights = false
        [dashboards.payments]
        widgets = [{ text = "Soon" }]
    "#,
    updates: &[
        "cloudwatch.alarm/api-errors",
        "cloudwatch.dashboard/payments",
        "ecs.cluster/main",
        "ecs.service/payment",
        "ecs.task_definition/payment",
        "elb.target_group/payment",
        "logs.log_group/service-payment",
        "rds.instance/payment-1",
        "rds.instance/payment-2",
        "scaling.target/payment",
        "waf.web_acl/main",
    ],
};

/// Where the example configs are.
pub fn dir_of(example: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples").join(example)
}

/// A copy of an example in which an environment differs by an overlay.
struct Changed(TempDir, &'static str);

impl Changed {
    fn new(example: &'static str, env: &str, overlay: &str) -> Self {
        let changed = Self(tempfile::tempdir().expect("a folder"), example);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&root.join("functions"), &changed.0.path().join("functions"));
        copy(&dir_of(example), &changed.dir());
        let own = changed.dir().join(format!("{env}.toml"));
        let below = if own.exists() { "unchanged.toml" } else { "pr.toml" };
        if own.exists() {
            fs::rename(&own, changed.dir().join(below)).expect("a writable folder");
        }
        fs::write(&own, format!("extends = \"{below}\"\n{overlay}")).expect("a writable folder");
        changed
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("config/examples").join(self.1)
    }
}

fn changes(plan: &Plan) -> BTreeSet<String> {
    let changes = plan.changes.iter();
    changes.map(|change| format!("{:?} {}", change.action, change.address)).collect()
}

/// Stands up an environment and expects nothing to be left to do.
async fn stand_up(connection: &Connection, dir: &Path, env: &str) -> (AwsProvider, Blueprint) {
    let (provider, blueprint) = configured(connection, dir, env).await;
    let made = run(&provider, &blueprint, Purpose::Apply).await;
    assert_eq!(made.count(Action::Create), blueprint.resources.len());
    expect_settled(&provider, &blueprint, "creation").await;
    (provider, blueprint)
}

/// Applies the overlay of an example, and then a tag: everything is an update in place.
async fn change(connection: &Connection, example: &Example, env: &str) {
    let changed = Changed::new(example.name, env, example.change);
    let (provider, blueprint) = configured(connection, &changed.dir(), env).await;
    let plan = run(&provider, &blueprint, Purpose::Apply).await;
    let expected: BTreeSet<String> =
        example.updates.iter().map(|address| format!("Update {address}")).collect();
    assert_eq!(changes(&plan), expected, "{}, {env}", example.name);
    expect_settled(&provider, &blueprint, "the change").await;

    let tagged = format!("{}[tags]\nTeam = \"platform\"\n", example.change);
    let changed = Changed::new(example.name, env, &tagged);
    let (provider, blueprint) = configured(connection, &changed.dir(), env).await;
    let plan = run(&provider, &blueprint, Purpose::Apply).await;
    assert!(plan.count(Action::Update) > blueprint.resources.len() / 2);
    assert_eq!(plan.count(Action::Update), plan.changes.len(), "{:?}", changes(&plan));
    expect_settled(&provider, &blueprint, "retagging").await;
}

async fn tear_down(provider: &AwsProvider, blueprint: &Blueprint) {
    run(provider, blueprint, Purpose::Destroy).await;
    let left = plan_now(provider, blueprint, Purpose::Destroy).await;
    assert!(left.is_empty(), "left after destroy: {:?}", left.changes);
}

/// The whole life of each environment of an example, on a sandbox of its own.
fn lives_and_dies(example: &Example) {
    for env in example.envs {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            let connection = sandboxed(&sandbox);
            let (provider, blueprint) = stand_up(&connection, &dir_of(example.name), env).await;
            change(&connection, example, env).await;
            tear_down(&provider, &blueprint).await;

            let mut left = sandbox.counts().expect("a sandbox");
            if blueprint.resources.keys().any(|address| address.to_string() == SHARED) {
                assert_eq!(left.remove("iam.Roles"), Some(1), "the role of API Gateway");
            }
            assert!(left.is_empty(), "{}, {env}: {left:?}", example.name);
        });
    }
}

#[test]
fn cost_optimised_lives_and_dies_on_the_sandbox() {
    lives_and_dies(&COST);
}

#[test]
fn serverless_secured_lives_and_dies_on_the_sandbox() {
    lives_and_dies(&SECURED);
}

#[test]
fn migration_lives_and_dies_on_the_sandbox() {
    lives_and_dies(&MIGRATION);
}

#[test]
fn migration_with_blue_and_green_lives_and_dies_on_the_sandbox() {
    lives_and_dies(&BLUE_GREEN);
}

#[test]
fn container_api_lives_and_dies_on_the_sandbox() {
    lives_and_dies(&CONTAINERS);
}
