//! The example configs as they live, on the embedded sandbox and on moto: made, changed, retagged,
//! removed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use payctl::aws::provider::AwsProvider;
use payctl::engine::plan::{Action, Plan, Purpose};
use payctl::model::address::Address;
use payctl::model::desired::{Blueprint, Desired};
use payctl::sandbox::connector::Sandbox;
use serde_json::Value;
use tempfile::TempDir;

use crate::cli_support::copy;
use crate::kinds::Gap;
use crate::moto::{self, GAPS, Moto};
use crate::support::{block_on, configured, expect_settled, plan_now, run, sandboxed};

/// What moto does not keep when it is made, by kind and field; its reasons are among its gaps.
const LEFT_OUT: &[(&str, &str)] = &[
    ("autoscaling.group", "/metrics"),
    ("autoscaling.group", "/warmup"),
    ("dynamodb.table", "/encryption"),
    ("ec2.launch_template", "/volume/encrypted"),
    ("rds.instance", "/insights_days"),
];

/// What moto cannot change.
const UNCHANGED: &[(&str, &str)] = &[("autoscaling.group", "/min")];

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
        desired = 3
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
        desired = 3
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

/// Where an example lives.
#[derive(Clone, Copy)]
enum Place<'a> {
    Sandbox(&'a Sandbox),
    Moto(&'a Moto),
}

impl Place<'_> {
    /// An environment of a config directory, as far as this place can do it.
    async fn build(self, dir: &Path, env: &str) -> (AwsProvider, Blueprint) {
        let moto = match self {
            Self::Sandbox(sandbox) => return configured(&sandboxed(sandbox), dir, env).await,
            Self::Moto(moto) => moto,
        };
        let (provider, mut blueprint) = configured(&moto.connection(), dir, env).await;
        let left_out = |gap: &&Gap| LEFT_OUT.contains(&(gap.kind, gap.field));
        for gap in GAPS.iter().filter(left_out) {
            let of_kind = |desired: &&mut Desired| desired.address.kind == gap.kind;
            for desired in blueprint.resources.values_mut().filter(of_kind) {
                if gap.close(&mut desired.spec, &Value::Null) {
                    println!("left out: {} {}: {}", desired.address, gap.field, gap.why);
                }
            }
        }
        (provider, blueprint)
    }

    /// The same with a change, as far as this place can make it.
    async fn build_changed(
        self,
        before: &Blueprint,
        dir: &Path,
        env: &str,
    ) -> (AwsProvider, Blueprint) {
        let (provider, mut blueprint) = self.build(dir, env).await;
        if let Self::Moto(_) = self {
            for (address, desired) in &mut blueprint.resources {
                for (_, field) in UNCHANGED.iter().filter(|(kind, _)| *kind == address.kind) {
                    let as_it_was = before.resources[address].spec.pointer(field).cloned();
                    *desired.spec.pointer_mut(field).expect("a field") = as_it_was.expect("a field");
                }
            }
        }
        (provider, blueprint)
    }
}

/// The whole life of an environment.
async fn lives_and_dies(place: Place<'_>, example: &Example, env: &str) {
    let (provider, blueprint) = place.build(&dir_of(example.name), env).await;
    let made = run(&provider, &blueprint, Purpose::Apply).await;
    assert_eq!(made.count(Action::Create), blueprint.resources.len());
    expect_settled(&provider, &blueprint, "creation").await;

    let folder = Changed::new(example.name, env, example.change);
    let (provider, changed) = place.build_changed(&blueprint, &folder.dir(), env).await;
    let plan = run(&provider, &changed, Purpose::Apply).await;
    // What moto leaves out may be all that differs.
    let is_left_out = |address: &Address| {
        LEFT_OUT.iter().any(|(kind, _)| *kind == address.kind)
            && blueprint.resources[address].spec == changed.resources[address].spec
    };
    let updates = example.updates.iter().map(|address| address.parse().expect("an address"));
    let updates = updates.filter(|address| !is_left_out(address));
    let expected: BTreeSet<String> = updates.map(|address| format!("Update {address}")).collect();
    assert_eq!(changes(&plan), expected, "{}, {env}", example.name);
    expect_settled(&provider, &changed, "the change").await;

    let tagged = format!("{}[tags]\nTeam = \"platform\"\n", example.change);
    let folder = Changed::new(example.name, env, &tagged);
    let (provider, changed) = place.build_changed(&blueprint, &folder.dir(), env).await;
    let plan = run(&provider, &changed, Purpose::Apply).await;
    assert!(plan.count(Action::Update) > changed.resources.len() / 2);
    assert_eq!(plan.count(Action::Update), plan.changes.len(), "{:?}", changes(&plan));
    expect_settled(&provider, &changed, "retagging").await;

    run(&provider, &changed, Purpose::Destroy).await;
    let left = plan_now(&provider, &changed, Purpose::Destroy).await;
    assert!(left.is_empty(), "left after destroy: {:?}", left.changes);
}

/// Each environment of an example on a sandbox of its own.
fn on_the_sandbox(example: &Example) {
    for env in example.envs {
        let sandbox = Sandbox::in_memory();
        block_on(lives_and_dies(Place::Sandbox(&sandbox), example, env));
        let left = sandbox.counts().expect("a sandbox");
        assert!(left.is_empty(), "{}, {env}: {left:?}", example.name);
    }
}

fn on_moto(example: &Example) {
    let moto = Moto::start();
    moto::block_on(lives_and_dies(Place::Moto(&moto), example, example.envs[0]));
    assert_eq!(moto.holds(), [""; 0], "left after destroy");
}

#[test]
fn cost_optimised_lives_and_dies_on_the_sandbox() {
    on_the_sandbox(&COST);
}

#[test]
fn serverless_secured_lives_and_dies_on_the_sandbox() {
    on_the_sandbox(&SECURED);
}

#[test]
fn migration_lives_and_dies_on_the_sandbox() {
    on_the_sandbox(&MIGRATION);
}

#[test]
fn migration_with_blue_and_green_lives_and_dies_on_the_sandbox() {
    on_the_sandbox(&BLUE_GREEN);
}

#[test]
fn container_api_lives_and_dies_on_the_sandbox() {
    on_the_sandbox(&CONTAINERS);
}

#[test]
fn cost_optimised_lives_and_dies_on_moto() {
    on_moto(&COST);
}

#[test]
fn serverless_secured_lives_and_dies_on_moto() {
    on_moto(&SECURED);
}

#[test]
fn migration_lives_and_dies_on_moto() {
    on_moto(&MIGRATION);
}

#[test]
fn migration_with_blue_and_green_lives_and_dies_on_moto() {
    on_moto(&BLUE_GREEN);
}

#[test]
fn container_api_lives_and_dies_on_moto() {
    on_moto(&CONTAINERS);
}
