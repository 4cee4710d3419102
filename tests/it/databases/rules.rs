//! Databases that AWS would refuse, and secrets and rotations that do not fit them.

use std::fs;

use payctl::blueprint::problems;

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

/// A function that rotates a password.
const ROTATION: &str = r#"
[roles.rotation]
services = "lambda.amazonaws.com"
[functions.rotation]
source = "rotation"
runtime = "python3.13"
handler = "index.handler"
role = "rotation"
"#;

/// The problems of a config.
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
        (
            "\"customerdb\"",
            "\"db\"\nparameter_group_description = \"Ours\"",
            "the cluster has AWS's default parameter group",
        ),
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
