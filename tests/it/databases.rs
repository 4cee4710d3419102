//! Databases as they live: what their secret says, what AWS moves ahead, what is refused before any
//! call, and what stays in the way of a deletion. On the embedded sandbox.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Region};
use payctl::aws::provider::AwsProvider;
use payctl::blueprint::problems;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    block_on, carry_out, expect_settled, plan_now, provider, run, sandboxed, some,
};

const SECRET: &str = "sample-credentials";

/// A sandbox, payctl on it, and somebody else's hands.
struct Ground {
    sandbox: Sandbox,
    provider: AwsProvider,
    secrets: aws_sdk_secretsmanager::Client,
    rds: aws_sdk_rds::Client,
    kms: aws_sdk_kms::Client,
    blueprint: Blueprint,
}

impl Ground {
    async fn new(sandbox: Sandbox) -> Self {
        let provider = provider(&sandboxed(&sandbox)).await;
        let keys = Credentials::from_keys("SANDBOX", "sandbox", None);
        let secrets = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(keys.clone())
            .http_client(sandbox.transport());
        let rds = aws_sdk_rds::Config::builder()
            .behavior_version(aws_sdk_rds::config::BehaviorVersion::latest())
            .region(aws_sdk_rds::config::Region::new("us-east-1"))
            .credentials_provider(keys.clone())
            .http_client(sandbox.transport());
        let kms = aws_sdk_kms::Config::builder()
            .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
            .region(aws_sdk_kms::config::Region::new("us-east-1"))
            .credentials_provider(keys)
            .http_client(sandbox.transport());
        let wanted = ["rds.instance", "secretsmanager.attachment", "secretsmanager.rotation"];
        let blueprint = some(&provider, &wanted);
        Self {
            provider,
            secrets: aws_sdk_secretsmanager::Client::from_conf(secrets.build()),
            rds: aws_sdk_rds::Client::from_conf(rds.build()),
            kms: aws_sdk_kms::Client::from_conf(kms.build()),
            sandbox,
            blueprint,
        }
    }

    /// With everything made.
    async fn made() -> Self {
        let ground = Self::new(Sandbox::in_memory()).await;
        ground.apply().await;
        ground
    }

    async fn apply(&self) -> Plan {
        let plan = run(&self.provider, &self.blueprint, Purpose::Apply).await;
        expect_settled(&self.provider, &self.blueprint, "apply").await;
        plan
    }

    async fn destroy(&self) {
        run(&self.provider, &self.blueprint, Purpose::Destroy).await;
    }

    async fn plan(&self) -> Plan {
        plan_now(&self.provider, &self.blueprint, Purpose::Apply).await
    }

    fn set(&mut self, kind: &str, field: &str, value: Value) {
        let address = Address::new(kind, "sample");
        self.blueprint.resources.get_mut(&address).expect("it is there").spec[field] = value;
    }

    async fn disable_key(&self) {
        let found = self.kms.describe_key().key_id("alias/sample-key").send().await;
        let id = found.expect("a key").key_metadata.expect("a key").key_id;
        self.kms.disable_key().key_id(id).send().await.expect("disabled");
    }

    fn forget(&mut self, kind: &str, field: &str) {
        let address = Address::new(kind, "sample");
        let spec = &mut self.blueprint.resources.get_mut(&address).expect("it is there").spec;
        spec.as_object_mut().expect("fields").remove(field);
    }

    /// The id of the current version of the secret.
    async fn version(&self) -> Option<String> {
        let read = self.secrets.get_secret_value().secret_id(SECRET).send().await;
        read.expect("a secret").version_id
    }

    async fn value(&self) -> Value {
        let read = self.secrets.get_secret_value().secret_id(SECRET).send().await;
        let text = read.expect("a secret").secret_string.expect("a value");
        serde_json::from_str(&text).expect("an object")
    }
}

fn changed(plan: &Plan) -> BTreeSet<String> {
    plan.changes.iter().map(|change| change.address.to_string()).collect()
}

#[test]
fn an_attachment_writes_and_removes_the_database_fields() {
    block_on(async {
        let mut ground = Ground::made().await;
        let value = ground.value().await;
        assert_eq!(value["engine"], "postgres");
        assert_eq!(value["port"], 5432);
        assert_eq!(value["dbname"], "sampledb");
        assert_eq!(value["dbClusterIdentifier"], "sample-database");
        assert!(value["host"].as_str().expect("a host").contains("cluster-"));
        let (user, password) = (value["username"].clone(), value["password"].clone());
        assert_eq!((user.as_str(), password.as_str().map(str::len)), (Some("sample"), Some(32)));

        let attachment = Address::new("secretsmanager.attachment", "sample");
        ground.blueprint.resources.remove(&attachment);
        let plan = ground.apply().await;
        assert_eq!(changed(&plan), BTreeSet::from([attachment.to_string()]));
        assert_eq!(ground.value().await, json!({ "username": user, "password": password }));
    });
}

#[test]
fn an_attachment_without_tags_is_rewritten() {
    block_on(async {
        let ground = Ground::made().await;
        let current = ground.version().await;
        // An attachment of an older payctl has the first tag alone.
        let fields = ["engine", "host", "port", "dbname", "dbClusterIdentifier"];
        let keys = fields.map(|field| format!("payctl:attachment:{field}"));
        let untag = ground.secrets.untag_resource().secret_id(SECRET);
        untag.set_tag_keys(Some(keys.into())).send().await.expect("fewer tags");
        let plan = ground.apply().await;
        let attachment = BTreeSet::from(["secretsmanager.attachment/sample".to_owned()]);
        assert_eq!((changed(&plan), plan.count(Action::Update)), (attachment, 1));
        assert_eq!(ground.version().await, current, "the value says so already");
    });
}

#[test]
fn plans_contain_no_password() {
    block_on(async {
        let ground = Ground::made().await;
        let password = ground.value().await["password"].as_str().expect("a password").to_owned();
        let plan = plan_now(&ground.provider, &ground.blueprint, Purpose::Destroy).await;
        assert!(!serde_json::to_string(&plan).expect("a plan is data").contains(&password));
    });
}

#[test]
fn a_rotated_password_stays_when_the_fields_change() {
    block_on(async {
        let mut ground = Ground::made().await;
        let rotated = json!({ "username": "sample", "password": "another-password" });
        let put = ground.secrets.put_secret_value().secret_id(SECRET);
        put.secret_string(rotated.to_string()).send().await.expect("a new version");
        assert!(ground.plan().await.is_empty(), "a plan reads no value");

        ground.set("rds.cluster", "port", 5433.into());
        ground.set("secretsmanager.attachment", "port", 5433.into());
        ground.apply().await;
        assert_eq!(ground.value().await["password"], "another-password");
        assert_eq!(ground.value().await["port"], 5433);
    });
}

#[test]
fn a_version_raised_by_aws_stays() {
    block_on(async {
        let mut ground = Ground::made().await;
        let call = ground.rds.modify_db_cluster().db_cluster_identifier("sample-database");
        let call = call.engine_version("15.19").apply_immediately(true);
        call.send().await.expect("an upgrade");
        ground.rds.describe_db_clusters().send().await.expect("a list");
        assert!(ground.plan().await.is_empty());
        ground.set("rds.cluster", "backup_days", 3.into());
        assert_eq!(ground.apply().await.count(Action::Update), 1);
    });
}

#[test]
fn a_major_version_is_an_upgrade_in_place_with_new_parameters() {
    block_on(async {
        let mut ground = Ground::made().await;
        ground.set("rds.cluster", "engine_version", "16.15".into());
        let group = "rds.cluster_parameter_group";
        ground.set(group, "family", "aurora-postgresql16".into());
        ground.set(group, "name", "sample-parameters-16".into());
        let address = Address::new(group, "sample");
        let desired = ground.blueprint.resources.get_mut(&address).expect("it is there");
        desired.name = "sample-parameters-16".into();
        let plan = ground.apply().await;
        assert_eq!((plan.count(Action::Update), plan.count(Action::Replace)), (1, 1));
    });
}

#[test]
fn clusters_are_not_replaced_and_lose_protection_only_for_deletion() {
    block_on(async {
        let mut ground = Ground::made().await;
        ground.set("rds.cluster", "deletion_protection", true.into());
        ground.apply().await;
        ground.destroy().await;
        assert!(ground.sandbox.counts().expect("a sandbox").is_empty());
    });
}

#[test]
fn only_a_final_snapshot_is_left() {
    block_on(async {
        let mut ground = Ground::made().await;
        ground.set("rds.cluster", "final_snapshot", true.into());
        ground.set("kms.key", "kept", true.into());
        ground.apply().await;
        // Nobody who stops wishing for snapshots loses one that was taken.
        ground.forget("kms.key", "kept");
        ground.apply().await;
        ground.destroy().await;
        let left = |sandbox: &Sandbox| sandbox.counts().expect("a sandbox").into_iter().collect();
        let rest: Vec<_> = left(&ground.sandbox);
        let all = [("kms.keys".to_owned(), 1), ("rds.snapshots".to_owned(), 1)];
        assert_eq!(rest, all, "the snapshot, and the key without which nobody could read it");
        // Let go of: the environment makes another one, and deletes only that.
        ground.set("rds.cluster", "final_snapshot", false.into());
        assert!(ground.plan().await.changes.iter().all(|change| change.action == Action::Create));
        ground.apply().await;
        ground.destroy().await;
        assert_eq!(left(&ground.sandbox), all);
    });
}

#[test]
fn a_stopped_cluster_is_started_first() {
    block_on(async {
        for change in [true, false] {
            let mut ground = Ground::made().await;
            let stop = ground.rds.stop_db_cluster().db_cluster_identifier("sample-database");
            stop.send().await.expect("it stops");
            ground.rds.describe_db_clusters().send().await.expect("a list");
            assert!(ground.plan().await.is_empty(), "whoever stopped it wants it so");
            if change {
                ground.set("rds.cluster", "backup_days", 3.into());
                ground.apply().await;
            }
            ground.destroy().await;
            assert!(ground.sandbox.counts().expect("a sandbox").is_empty());
        }
        // An instance is changed in the same way.
        let mut ground = Ground::made().await;
        let stop = ground.rds.stop_db_cluster().db_cluster_identifier("sample-database");
        stop.send().await.expect("it stops");
        ground.rds.describe_db_clusters().send().await.expect("a list");
        ground.set("rds.instance", "tier", 3.into());
        assert_eq!(ground.apply().await.count(Action::Update), 1);
    });
}

#[test]
fn instances_of_a_cluster_restart_one_at_a_time() {
    block_on(async {
        let mut ground = Ground::new(Sandbox::in_memory_strict()).await;
        let first = Address::new("rds.instance", "sample");
        for number in 2..=3 {
            let mut more = ground.blueprint.resources[&first].clone();
            more.address = Address::new("rds.instance", format!("sample-{number}"));
            more.name = format!("sample-database-{number}");
            more.spec["name"] = more.name.clone().into();
            more.tags.extend(ground.blueprint.scope.ownership(&more.address));
            ground.blueprint.resources.insert(more.address.clone(), more);
        }
        run(&ground.provider, &ground.blueprint, Purpose::Apply).await;
        for desired in ground.blueprint.resources.values_mut() {
            if desired.address.kind == "rds.instance" {
                desired.spec["class"] = "db.r6g.large".into();
            }
        }
        let began = Instant::now();
        let plan = run(&ground.provider, &ground.blueprint, Purpose::Apply).await;
        assert_eq!(plan.count(Action::Update), 3);
        // A change takes two minutes here.
        assert!(began.elapsed() >= Duration::from_secs(3 * 120), "{:?}", began.elapsed());
    });
}

#[test]
fn a_disabled_key_blocks_nothing() {
    block_on(async {
        let ground = Ground::made().await;
        ground.disable_key().await;
        let plan = ground.plan().await;
        assert_eq!(changed(&plan), BTreeSet::from(["kms.key/sample".to_owned()]));
        ground.apply().await;
        assert_eq!(ground.value().await["port"], 5432);
        ground.disable_key().await;
        ground.destroy().await;
        assert!(ground.sandbox.counts().expect("a sandbox").is_empty());
    });
}

#[test]
fn slow_databases_are_created_and_deleted() {
    block_on(async {
        let ground = Ground::new(Sandbox::in_memory_strict()).await;
        let plan = ground.plan().await;
        let report = carry_out(&ground.provider, &plan).await;
        assert!(report.is_complete(), "failed: {:#?}", report.failed);
        ground.destroy().await;
        let left = ground.sandbox.counts().expect("a sandbox");
        assert!(!left.keys().any(|name| name.starts_with("rds.")), "{left:?}");
    });
}

#[test]
fn a_deletion_soon_after_unprotecting_is_retried() {
    block_on(async {
        let mut ground = Ground::new(Sandbox::in_memory_strict()).await;
        ground.set("rds.cluster", "deletion_protection", true.into());
        run(&ground.provider, &ground.blueprint, Purpose::Apply).await;
        ground.destroy().await;
        let left = ground.sandbox.counts().expect("a sandbox");
        assert!(!left.keys().any(|name| name.starts_with("rds.")), "{left:?}");
    });
}

#[test]
fn a_parameter_at_its_default_is_not_a_difference() {
    block_on(async {
        let mut ground = Ground::made().await;
        let group = "rds.cluster_parameter_group";
        let wanted = json!({ "password_encryption": "scram-sha-256", "rds.force_ssl": "0" });
        ground.set(group, "parameters", wanted);
        // Nothing to do, since both are the defaults of version 15.
        assert_eq!(ground.apply().await.count(Action::Update), 0);
        ground.set(group, "parameters", json!({ "password_encryption": "md5" }));
        assert_eq!(ground.apply().await.count(Action::Update), 1);
        // Back to the default by name, and no longer told from it.
        ground.set(group, "parameters", json!({ "password_encryption": "scram-sha-256" }));
        assert_eq!(ground.apply().await.count(Action::Update), 1);
        ground.set(group, "parameters", json!({}));
        assert_eq!(ground.apply().await.count(Action::Update), 0);
    });
}

const GOOD: &str = r#"
project = "payment"
region = "us-east-1"
[network]
cidr = "10.0.0.0/16"
zones = 2
isolated_subnets = true
[security_groups.database]
description = "Database"
[roles.monitoring]
services = "monitoring.rds.amazonaws.com"
[secrets.database]
template = { username = "dbadmin" }
[databases.customer]
engine_version = "15.19"
database = "customerdb"
secret = "database"
security_groups = ["database"]
serverless = { min = 0.5, max = 2 }
instances = [{ class = "db.serverless", tier = 0 }]
"#;

/// What rotates a password.
const ROTATION: &str = r#"
[roles.rotation]
services = "lambda.amazonaws.com"
[functions.rotation]
source = "rotation"
runtime = "python3.13"
handler = "index.handler"
role = "rotation"
"#;

/// What is wrong with a config.
fn wrong(config: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("rotation")).expect("a folder");
    fs::write(dir.path().join("rotation/index.py"), "").expect("a file");
    fs::write(dir.path().join("dev.toml"), config).expect("a file");
    let found = problems(dir.path(), "dev", &|_| None, None);
    found.iter().map(|problem| format!("{} ({})", problem.message, problem.fix)).collect()
}

#[test]
fn databases_that_aws_would_refuse_are_refused_before_any_call() {
    assert_eq!(wrong(GOOD), [""; 0]);
    let mut silent = Vec::new();
    for (good, bad, expected) in [
        ("\"15.19\"", "\"9.6\"", "`9.6` has the wrong format"),
        ("\"15.19\"", "\"15.19.1\"", "`15.19.1` has the wrong format"),
        ("\"15.19\"", "\"99.1\"", "Aurora PostgreSQL 99.1 does not exist"),
        ("\"customerdb\"", "\"1db\"", "`1db` has the wrong format"),
        ("\"customerdb\"", "\"template1\"", "is reserved for PostgreSQL"),
        ("\"dbadmin\"", "\"admin\"", "`admin` is a reserved word"),
        ("\"dbadmin\"", "\"db-admin\"", "`db-admin` is not a valid user name"),
        ("\"dbadmin\"", "\"abcdefghijklmnopq\"", "is not a valid user name"),
        ("{ username = \"dbadmin\" }", "{}", "a database needs a user name"),
        (
            "[secrets.database]",
            "[secrets.database]\nlength = 42",
            "too long for a database: 42 characters",
        ),
        (
            "[secrets.database]",
            "[secrets.database]\nfield = \"pw\"",
            "must be in the field `password`",
        ),
        ("secret = \"database\"", "secret = \"other\"", "[secrets] has no `other`"),
        ("serverless =", "#", "a serverless instance needs `serverless`"),
        ("min = 0.5", "min = 0.3", "0.3 is not a valid number of capacity units"),
        ("max = 2", "max = 0.5", "0.5 is not a valid number of capacity units (use 1 to 256"),
        ("min = 0.5, max = 2", "min = 4, max = 2", "`min` (4) is more than `max` (2)"),
        ("max = 2", "max = 2, pause_after = 600", "the instance never pauses"),
        ("db.serverless", "db.t3.micro", "Aurora PostgreSQL does not run on db.t3.micro"),
        ("db.serverless", "db.m5.large", "does not run on db.m5.large"),
        ("db.serverless", "t3.medium", "`t3.medium` has the wrong format"),
        ("tier = 0", "tier = 16", "16 is out of range (use 0 to 15)"),
        ("instances =", "backup_days = 0\ninstances =", "0 is out of range (use 1 to 35)"),
        ("instances =", "backup_days = 36\ninstances =", "36 is out of range (use 1 to 35)"),
        ("instances =", "port = 80\ninstances =", "80 is out of range (use 1150 to 65535)"),
        ("instances =", "insights_days = 30\ninstances =", "cannot keep 30 days"),
        ("instances =", "log_retention_days = 8\ninstances =", "cannot keep logs for 8 days"),
        ("instances =", "log_exports = [\"slow\"]\ninstances =", "`slow` is not valid here"),
        ("instances =", "backup_window = \"3-4\"\ninstances =", "`3-4` has the wrong format"),
        (
            "instances =",
            "backup_window = \"03:00-03:20\"\ninstances =",
            "the window is shorter than 30 minutes",
        ),
        (
            "instances =",
            "backup_window = \"03:00-04:00\"\nmaintenance_window = \"sun:03:30-sun:04:30\"\ninstances =",
            "this window overlaps the backup window",
        ),
        (
            "instances =",
            "monitoring = { interval = 7, role = \"monitoring\" }\ninstances =",
            "7 seconds is not a valid interval",
        ),
        ("instances =", "monitoring = { interval = 60 }\ninstances =", "`role` is missing"),
        ("zones = 2", "zones = 1", "a database needs subnets in two zones"),
        ("isolated_subnets", "private_subnets", "the network has no isolated subnets"),
        (
            "[databases.customer]",
            "[databases.customer]\nname = \"A--${env}\"",
            "is not a valid name",
        ),
        ("[\"database\"]", "[]", "too few items: 0, at least 1"),
        ("[{ class = \"db.serverless\", tier = 0 }]", "[]", "too few items: 0, at least 1"),
    ] {
        assert!(GOOD.contains(good), "{good}");
        let found = wrong(&GOOD.replacen(good, bad, 1));
        if !found.iter().any(|line| line.contains(expected)) {
            silent.push(format!("{bad}: {expected}: {found:?}"));
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
    let watched = "monitoring = { interval = 60, role = \"monitoring\" }\ninstances =";
    let watched = GOOD.replacen("instances =", watched, 1);
    assert_eq!(wrong(&watched), [""; 0]);
    let found = wrong(&watched.replace("\"monitoring.rds.", "\"rds."));
    assert!(found[0].contains("monitoring cannot assume the role `monitoring`"), "{found:?}");
    let seventeen = ["{ class = \"db.serverless\" }"; 17].join(", ");
    let many = GOOD.replace("{ class = \"db.serverless\", tier = 0 }", &seventeen);
    assert!(wrong(&many)[0].contains("too many items: 17, at most 16"), "{:?}", wrong(&many));
    let second = GOOD.split("[databases.customer]").nth(1).expect("it is there");
    let twice = format!("{GOOD}[databases.second]{second}");
    assert!(wrong(&twice).iter().any(|line| line.contains("uses the same secret")));
}

#[test]
fn a_rotation_has_a_schedule_and_a_function() {
    let with = |rotation: &str| {
        let config = GOOD.replace("[secrets.database]", &format!("[secrets.database]\n{rotation}"));
        wrong(&format!("{config}{ROTATION}"))
    };
    for (rotation, expected) in [
        ("rotation = { days = 30, function = \"none\" }", "[functions] has no `none`"),
        ("rotation = { days = 0, function = \"rotation\" }", "0 is out of range (use 1 to 1000)"),
        (
            "rotation = { days = 1001, function = \"rotation\" }",
            "1001 is out of range (use 1 to 1000)",
        ),
        ("rotation = { days = 30 }", "`function` is missing"),
        (
            "rotation = { schedule = \"monthly\", function = \"rotation\" }",
            "`monthly` has the wrong format",
        ),
        (
            "rotation = { days = 1, window_hours = 25, function = \"rotation\" }",
            "25 is out of range",
        ),
        ("rotation = { function = \"rotation\" }", "the rotation has no schedule"),
        (
            "rotation = { days = 30, schedule = \"rate(30 days)\", function = \"rotation\" }",
            "`days` and `schedule` cannot be used together",
        ),
    ] {
        let found = with(rotation);
        assert!(found.iter().any(|line| line.contains(expected)), "{rotation}: {found:?}");
    }
    for (schedule, window, expected) in [
        ("rate(3 hours)", 1, "the rotation is too frequent"),
        ("cron(0 * * * ? *)", 1, "the rotation is too frequent"),
        ("cron(0 8-20 * * ? *)", 1, "the rotation is too frequent"),
        ("cron(0 0/3 * * ? *)", 1, "the rotation is too frequent"),
        ("rate(1001 days)", 1, "the rotation is too rare"),
        ("rate(24001 hours)", 1, "the rotation is too rare"),
        ("rate(99999999999 days)", 1, "the rotation is too rare"),
        ("cron(foo)", 1, "has 1 fields instead of 6"),
        ("cron(0 25 * * ? *)", 1, "`25` is out of range"),
        ("cron(15 4 * * ? *)", 1, "the minutes of `cron(15 4 * * ? *)` must be 0"),
        ("rate(4 hours)", 5, "is longer than the time between two rotations (use at most 4)"),
        (
            "cron(0 2/10 * * ? *)",
            11,
            "is longer than the time between two rotations (use at most 10)",
        ),
        ("rate(4 hours)", 4, ""),
        ("rate(1 days)", 24, ""),
        ("rate(1000 days)", 24, ""),
        ("cron(0 4 1 * ? *)", 24, ""),
        ("cron(0 8 ? * SUN#1 *)", 3, ""),
    ] {
        let found = with(&format!(
            "rotation = {{ schedule = \"{schedule}\", window_hours = {window}, function = \"rotation\" }}"
        ));
        match expected {
            "" => assert!(found.is_empty(), "{schedule}: {found:?}"),
            _ => assert!(found.iter().any(|line| line.contains(expected)), "{schedule}: {found:?}"),
        }
    }
}

#[test]
fn an_engine_version_must_support_the_wanted_features() {
    let rotated = |version: &str, parameters: &str| {
        let config = GOOD.replace("\"15.19\"", &format!("\"{version}\"\n{parameters}"));
        let rotation = "[secrets.database]\nrotation = { days = 30, function = \"rotation\" }";
        wrong(&format!("{}{ROTATION}", config.replace("[secrets.database]", rotation))).concat()
    };
    assert!(rotated("13.23", "").contains("Aurora PostgreSQL 13.23 stores passwords by MD5"));
    assert!(rotated("13", "parameters = { password_encryption = \"md5\" }").contains("by MD5"));
    let scram = "parameters = { password_encryption = \"scram-sha-256\" }";
    assert!(!rotated("13.23", scram).contains("by MD5"));
    assert!(!rotated("14.24", "").contains("by MD5"));
    for (version, pauses) in [
        ("12.22", false),
        ("13.14", false),
        ("13.15", true),
        ("14.11", false),
        ("15.7", true),
        ("15", true),
        ("16.2", false),
        ("16.3", true),
        ("17.4", true),
    ] {
        let config = GOOD.replace("\"15.19\"", &format!("\"{version}\""));
        let found = wrong(&config.replace("min = 0.5", "min = 0"));
        let said = found.iter().any(|line| line.contains(&format!("{version} cannot pause")));
        assert_eq!(said, !pauses, "{version}: {found:?}");
    }
}

#[test]
fn a_secret_is_deleted_before_its_key() {
    let key = "[keys.main]\ndescription = \"Key\"\nrecovery_days = 14\n[secrets.database]\n\
               key = \"main\"\nrecovery_days = ";
    let with = |days: u32| wrong(&GOOD.replace("[secrets.database]", &format!("{key}{days}")));
    assert_eq!(with(14), [""; 0]);
    assert!(with(15)[0].contains("for 15 days, but its key `main` only for 14"), "{:?}", with(15));
}

#[test]
fn a_service_that_reads_a_rotated_password_is_restarted() {
    let config = |secrets: &str, environment: &str| {
        let config = GOOD.replace(
            "[secrets.database]",
            "[secrets.database]\nrotation = { days = 30, function = \"rotation\" }",
        );
        wrong(&format!(
            r#"{config}
            [clusters.main]
            [services.api]
            cluster = "main"
            cpu = 256
            memory = 512
            image = "nginx"
            desired = 1
            subnets = "isolated"
            security_groups = ["database"]
            secrets = {{ {secrets} }}
            [roles.rotation]
            services = "lambda.amazonaws.com"
            [functions.rotation]
            source = "function"
            runtime = "python3.13"
            role = "rotation"
            environment = {{ {environment} }}
            "#
        ))
    };
    let said = |found: &[String]| {
        found.iter().any(|line| {
            line.contains("after a rotation, the tasks of `api` would have the old password")
                && line.contains("${services.api.arn}")
        })
    };
    let restart = "RESTART_SERVICES = \"${services.api.arn}\"";
    for (secrets, environment, expected) in [
        ("PASSWORD = \"database:password\"", "", true),
        ("DATABASE = \"database\"", "OTHER = \"x\"", true),
        ("USER = \"database:username\"", "", false),
        ("PASSWORD = \"database:password\"", restart, false),
    ] {
        let found = config(secrets, environment);
        assert_eq!(said(&found), expected, "{secrets} {environment}: {found:?}");
    }
}
