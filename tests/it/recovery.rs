//! A way back: what was deleted or spoilt is restored as docs/recovery.md says, by the real binary; and
//! what a crash in the middle of a restore leaves.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{AttributeValue, BackupTypeFilter};
use payctl_engine::model::address::Address;
use payctl_engine::model::live::Owner;
use payctl_engine::plan::{Action, Purpose};
use payctl_engine::planner;
use payctl_engine::survey::survey;
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::cli_serve::Served;
use crate::cli_support::{Folder, ended};
use crate::moto::environment;
use crate::support::{
    block_on, by_hand, carry_out, expect_settled, plan_now, run, sample_provider, sandboxed, some,
};

const TABLE: &str = "dev-shop-table-orders";

const SHOP: &str = r#"project = "shop"
region = "us-east-1"

[tables.orders]
partition_key = "id:S"
stream = "new_image"
ttl = "expires"

[tables.orders.indexes.by-state]
partition_key = "state:S"

[queues.jobs]
"#;

const DATABASE: &str = r#"project = "shop"
region = "us-east-1"

[network]
cidr = "10.0.0.0/16"
zones = 2
isolated_subnets = true
nat = { kind = "none" }

[security_groups.database]
description = "Database"

[secrets.database]
template = { username = "dbadmin" }

[databases.main]
engine_version = "15.19"
database = "shop"
secret = "database"
security_groups = ["database"]
parameters = {}
serverless = { min = 0.5, max = 2 }
instances = [{ class = "db.serverless" }]
"#;

/// An environment that exists, and clients for what others do by hand.
struct Shop {
    folder: Folder,
}

impl Shop {
    fn new(config: &str) -> Self {
        let folder = Folder::empty();
        folder.write("config/dev.toml", config);
        folder.expect(0, "apply --env dev --sandbox --auto-approve");
        Self { folder }
    }

    fn sandbox(&self) -> Sandbox {
        Sandbox::open(&self.folder.path(".payctl/sandbox")).expect("the sandbox")
    }

    /// Does something with DynamoDB by hand.
    fn dynamodb<T>(&self, doing: impl AsyncFnOnce(aws_sdk_dynamodb::Client) -> T) -> T {
        let sandbox = self.sandbox();
        block_on(async { doing(aws_sdk_dynamodb::Client::new(&by_hand(&sandbox))).await })
    }

    fn rds<T>(&self, doing: impl AsyncFnOnce(aws_sdk_rds::Client) -> T) -> T {
        let sandbox = self.sandbox();
        block_on(async { doing(aws_sdk_rds::Client::new(&by_hand(&sandbox))).await })
    }

    fn put(&self, id: &str, state: &str) {
        self.dynamodb(async |client| {
            client
                .put_item()
                .table_name(TABLE)
                .item("id", AttributeValue::S(id.into()))
                .item("state", AttributeValue::S(state.into()))
                .send()
                .await
                .expect("an item is put");
        });
    }

    /// The state of an item, if there is one.
    fn state(&self, table: &str, id: &str) -> Option<String> {
        self.dynamodb(async |client| {
            let call = client.get_item().table_name(table);
            let send = call.key("id", AttributeValue::S(id.into())).send();
            let item = send.await.expect("a table").item?;
            item["state"].as_s().ok().cloned()
        })
    }

    fn delete_table(&self) {
        self.dynamodb(async |client| {
            client.delete_table().table_name(TABLE).send().await.expect("it is deleted");
        });
    }

    /// What AWS kept of the table, as `aws dynamodb list-backups --backup-type ALL` tells it.
    fn backup(&self) -> String {
        self.dynamodb(async |client| {
            let call = client.list_backups().table_name(TABLE);
            let answer = call.backup_type(BackupTypeFilter::All).send().await.expect("a list");
            let found = answer.backup_summaries.unwrap_or_default();
            let name = found[0].backup_name.clone().unwrap_or_default();
            assert_eq!(name, format!("{TABLE}$DeletedTableBackup"));
            found[0].backup_arn.clone().expect("an ARN")
        })
    }

    fn restore(&self, header: &str, source: &str) {
        let with = format!("{header}\nrestore_from = {{ {source} }}");
        self.folder.edit("config/dev.toml", header, &with);
    }

    fn plan(&self, code: i32) -> String {
        let ran = self.folder.expect(code, "plan --env dev --sandbox --detailed-exitcode");
        format!("{}{}", ran.out, ran.err)
    }

    fn apply(&self) -> String {
        self.folder.expect(0, "apply --env dev --sandbox --auto-approve").err
    }
}

/// A time to the second that lies after everything before the call, and before everything after it.
fn moment() -> String {
    sleep(Duration::from_millis(1050));
    let now = time::OffsetDateTime::now_utc().truncate_to_second();
    now.format(&time::format_description::well_known::Rfc3339).expect("a time")
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}

#[test]
fn a_lost_table_is_restored_with_items_and_settings() {
    let shop = Shop::new(SHOP);
    shop.put("1", "paid");
    shop.put("2", "open");
    shop.delete_table();
    let lost = shop.plan(2);
    has(&lost, &["+ dynamodb.table/orders", "1 to create, 0 to change"]);
    let backup = shop.backup();
    shop.restore("[tables.orders]", &format!("backup = \"{backup}\""));
    let plan = shop.plan(2);
    let what =
        format!("from the backup {TABLE}$DeletedTableBackup of the table {TABLE}: the data of");
    has(&plan, &["because: restored", &what, "it does not have later writes"]);
    shop.apply();
    has(&shop.plan(0), &["No changes:"]);
    assert!(!shop.plan(0).contains("note:"), "what was restored needs no note");
    assert_eq!(shop.state(TABLE, "1").as_deref(), Some("paid"));
    assert_eq!(shop.state(TABLE, "2").as_deref(), Some("open"));
    // All that a restore leaves out is as configured; the plan compares it, and this asks AWS.
    shop.dynamodb(async |client| {
        let table = client.describe_table().table_name(TABLE).send().await.expect("a table");
        assert!(table.table.expect("a table").latest_stream_arn.is_some(), "a stream");
        let ttl = client.describe_time_to_live().table_name(TABLE).send().await.expect("expiry");
        let ttl = ttl.time_to_live_description.and_then(|ttl| ttl.attribute_name);
        assert_eq!(ttl.as_deref(), Some("expires"));
        let backups = client
            .describe_continuous_backups()
            .table_name(TABLE)
            .send()
            .await
            .expect("backups")
            .continuous_backups_description
            .expect("backups");
        let recovery = backups.point_in_time_recovery_description.expect("recovery");
        let status = recovery.point_in_time_recovery_status.map(|status| status.to_string());
        assert_eq!(status.as_deref(), Some("ENABLED"));
    });
    shop.folder.edit(
        "config/dev.toml",
        &format!("restore_from = {{ backup = \"{backup}\" }}\n"),
        "",
    );
    shop.plan(0);
    let destroyed =
        shop.folder.expect(0, "destroy --env dev --sandbox --auto-approve --allow-data-loss").err;
    has(
        &destroyed,
        &["nothing of shop dev", "dynamodb.table/orders as of", "restore_from = { backup"],
    );
    assert_eq!(shop.folder.counts(), json!({}));
}

#[test]
fn wrong_items_are_restored_beside_the_table() {
    let shop = Shop::new(SHOP);
    shop.put("1", "paid");
    let before = moment();
    shop.put("1", "wrong");
    shop.put("2", "wrong");
    // payctl cannot restore into the table itself, and the plan says so.
    let source = format!("table = \"{TABLE}\", at = \"{before}\"");
    shop.restore("[tables.orders]", &source);
    let note = shop.plan(0);
    has(&note, &["note: dynamodb.table/orders (config/dev.toml:", "nothing is restored into it"]);
    assert_eq!(shop.state(TABLE, "1").as_deref(), Some("wrong"));
    shop.folder.edit("config/dev.toml", &format!("restore_from = {{ {source} }}\n"), "");

    let beside = format!("[tables.orders-before]\npartition_key = \"id:S\"\n\n{SHOP_END}");
    shop.folder.edit("config/dev.toml", SHOP_END, &beside);
    shop.restore("[tables.orders-before]", &source);
    let what = format!("restored from the table {TABLE}: the data of {before}, ");
    has(&shop.plan(2), &["+ dynamodb.table/orders-before", &what]);
    shop.folder.expect(
        0,
        "apply --env dev --sandbox --auto-approve --target dynamodb.table/orders-before",
    );
    shop.plan(0);
    assert_eq!(shop.state("dev-shop-table-orders-before", "1").as_deref(), Some("paid"));
    assert_eq!(shop.state("dev-shop-table-orders-before", "2"), None);
    assert_eq!(shop.state(TABLE, "1").as_deref(), Some("wrong"), "the table itself stays as it is");
    // The table has the configured index and stream, whatever the source had.
    shop.dynamodb(async |client| {
        let name = "dev-shop-table-orders-before";
        let table = client.describe_table().table_name(name).send().await.expect("a table").table;
        let table = table.expect("a table");
        assert!(table.global_secondary_indexes.unwrap_or_default().is_empty());
    });
}

const SHOP_END: &str = "[queues.jobs]";

#[test]
fn impossible_restores_are_refused_before_any_change() {
    let shop = Shop::new(SHOP);
    let held = shop.folder.counts();
    let arn = |region: &str, account: &str| {
        format!("arn:aws:dynamodb:{region}:{account}:table/{TABLE}/backup/01-ab")
    };
    let ours = "000000000000";
    let cases = [
        (
            format!("table = \"{TABLE}\", at = \"2001-01-01T00:00:00Z\""),
            "can be restored to a time from",
        ),
        (
            format!("table = \"{TABLE}\", at = \"2999-01-01T00:00:00Z\""),
            "can be restored to a time from",
        ),
        (
            "table = \"nobodys\", at = \"latest\"".into(),
            "the table nobodys does not exist in us-east-1",
        ),
        (format!("backup = \"{}\"", arn("us-east-1", ours)), "the backup arn:aws:dynamodb:"),
        (format!("backup = \"{}\"", arn("eu-west-1", ours)), "is in eu-west-1, not in us-east-1"),
        (
            format!("backup = \"{}\"", arn("us-east-1", "111111111111")),
            "belongs to another account",
        ),
    ];
    for (source, expected) in cases {
        let text = format!(
            "{SHOP}\n[tables.again]\npartition_key = \"id:S\"\nrestore_from = {{ {source} }}\n\
             [queues.more]\n"
        );
        shop.folder.write("config/dev.toml", &text);
        for command in ["plan --env dev --sandbox", "apply --env dev --sandbox --auto-approve"] {
            let refused = shop.folder.expect(1, command);
            has(&refused.err, &[expected, "dynamodb.table/again (config/dev.toml:"]);
        }
    }
    // A restored table keeps its key.
    let other = format!(
        "{SHOP}\n[tables.again]\npartition_key = \"number:S\"\n\
         restore_from = {{ table = \"{TABLE}\", at = \"latest\" }}\n"
    );
    shop.folder.write("config/dev.toml", &other);
    let refused = shop.folder.expect(1, "plan --env dev --sandbox");
    has(
        &refused.err,
        &["the key of dev-shop-table-orders is id, but the key of this table is number"],
    );
    // A plan cannot restore from an object that it deletes.
    let renamed = SHOP.replace("[tables.orders", "[tables.bills").replace(
        "[tables.bills]",
        &format!("[tables.bills]\nrestore_from = {{ table = \"{TABLE}\", at = \"latest\" }}"),
    );
    shop.folder.write("config/dev.toml", &renamed);
    let refused = shop.folder.expect(1, "plan --env dev --sandbox");
    has(&refused.err, &["this plan deletes the table dev-shop-table-orders"]);
    assert_eq!(shop.folder.counts(), held);
}

#[test]
fn a_restore_has_one_source_and_a_valid_time() {
    let folder = Folder::empty();
    for (source, expected) in [
        ("{ at = \"latest\" }", "`restore_from` has no source"),
        ("{ table = \"orders\" }", "`restore_from` has no source"),
        ("{ table = \"orders\", at = \"2026-02-30T12:00:00Z\" }", "the time 2026-02-30"),
        ("{ table = \"orders\", at = \"yesterday\" }", "a time looks like 2026-11-28T12:00:00Z"),
        ("{ backup = \"orders\" }", "a backup looks like arn:aws:dynamodb:"),
    ] {
        folder.write(
            "config/dev.toml",
            &format!("{SHOP}[tables.x]\npartition_key = \"id:S\"\nrestore_from = {source}\n"),
        );
        let refused = folder.expect(1, "validate --env dev");
        has(&format!("{}{}", refused.out, refused.err), &[expected]);
    }
}

/// The digest of a cluster's password in the sandbox's file, which nobody can ask for.
fn password(shop: &Shop, sort: &str, name: &str) -> Value {
    let world = shop.folder.world();
    let found = &world["rds"][sort][format!("us-east-1|{name}")];
    match sort {
        "snapshots" => found["cluster"]["password"].clone(),
        _ => found["password"].clone(),
    }
}

#[test]
fn a_lost_cluster_is_restored_with_a_working_secret() {
    let shop = Shop::new(DATABASE);
    let name = "dev-shop-database-main";
    shop.rds(async |client| {
        let call = client.create_db_cluster_snapshot().db_cluster_identifier(name);
        call.db_cluster_snapshot_identifier("nightly").send().await.expect("a snapshot");
        let call = client.delete_db_instance().db_instance_identifier(format!("{name}-1"));
        call.send().await.expect("its instance is deleted");
        let call = client.delete_db_cluster().db_cluster_identifier(name);
        call.skip_final_snapshot(true).send().await.expect("it is deleted");
    });
    // The password was changed since the snapshot was taken.
    let sandbox = shop.sandbox();
    block_on(async {
        let secrets = aws_sdk_secretsmanager::Client::new(&by_hand(&sandbox));
        let value = json!({ "username": "dbadmin", "password": "another-password-1" });
        let call = secrets.put_secret_value().secret_id("dev-shop-secret-database");
        call.secret_string(value.to_string()).send().await.expect("a value");
    });
    drop(sandbox);

    shop.restore("[databases.main]", "snapshot = \"lost\"");
    let refused = shop.folder.expect(1, "plan --env dev --sandbox");
    has(
        &refused.err,
        &["the snapshot lost does not exist in us-east-1", "{ snapshot = \"nightly\" }"],
    );
    shop.folder.edit("config/dev.toml", "\"lost\"", "\"nightly\"");
    shop.folder.edit("config/dev.toml", "dbadmin", "somebody");
    let refused = shop.folder.expect(1, "plan --env dev --sandbox");
    has(
        &refused.err,
        &["the user of the snapshot nightly is dbadmin, but the user in the secret is somebody"],
    );
    shop.folder.edit("config/dev.toml", "somebody", "dbadmin");
    shop.folder.edit("config/dev.toml", "15.19", "15.18");
    let refused = shop.folder.expect(1, "plan --env dev --sandbox");
    has(&refused.err, &["has version 15.19, but this cluster has 15.18"]);
    shop.folder.edit("config/dev.toml", "15.18", "15.19");

    has(&shop.plan(2), &["+ rds.cluster/main", "restored from the snapshot nightly: the data of"]);
    shop.apply();
    has(&shop.plan(0), &["No changes:"]);
    let (now, then) = (password(&shop, "clusters", name), password(&shop, "snapshots", "nightly"));
    assert!(now.is_string() && then.is_string() && now != then, "{now} {then}");
    shop.rds(async |client| {
        let found = client
            .describe_db_clusters()
            .db_cluster_identifier(name)
            .send()
            .await
            .expect("a cluster")
            .db_clusters
            .expect("a cluster")
            .remove(0);
        assert_eq!(
            (found.master_username(), found.database_name()),
            (Some("dbadmin"), Some("shop"))
        );
        assert_eq!(found.db_cluster_members().len(), 1, "its instance is made anew");
        let keys: Vec<&str> = found.tag_list().iter().filter_map(|tag| tag.key()).collect();
        assert!(
            keys.contains(&"payctl:restored-from") && !keys.contains(&"payctl:password"),
            "{keys:?}"
        );
    });
    // A cluster that exists is not restored again.
    shop.folder.edit("config/dev.toml", "\"nightly\"", "\"weekly\"");
    has(&shop.plan(0), &["note: rds.cluster/main", "nothing is restored into it"]);
}

#[test]
fn a_cluster_is_restored_to_a_time_beside_the_original() {
    let shop = Shop::new(DATABASE);
    let beside = |at: &str| {
        let text = format!(
            "{DATABASE}\n[secrets.before]\ntemplate = {{ username = \"dbadmin\" }}\n\n[databases.before]\n\
             engine_version = \"15.19\"\ndatabase = \"shop\"\nsecret = \"before\"\n\
             security_groups = [\"database\"]\ninstances = [{{ class = \"db.t4g.medium\" }}]\n\
             restore_from = {{ cluster = \"dev-shop-database-main\", at = \"{at}\" }}\n"
        );
        shop.folder.write("config/dev.toml", &text);
    };
    beside("2001-01-01T00:00:00Z");
    let refused = shop.folder.expect(1, "plan --env dev --sandbox");
    has(&refused.err, &["dev-shop-database-main can be restored to a time from"]);
    beside("latest");
    has(&shop.plan(2), &["restored from the cluster dev-shop-database-main: the data of"]);
    shop.apply();
    shop.plan(0);
    let (own, other) = ("dev-shop-database-before", "dev-shop-database-main");
    assert_ne!(password(&shop, "clusters", own), password(&shop, "clusters", other));
}

#[test]
fn reverting_an_apply_names_what_stays_lost() {
    let shop = Shop::new(SHOP);
    shop.put("1", "paid");
    // The wrong config: the table and a queue are not in it.
    let wrong = "project = \"shop\"\nregion = \"us-east-1\"\n\n[topics.other]\n";
    shop.folder.write("config/dev.toml", &format!("protect = true\n{wrong}"));
    let refused =
        shop.folder.expect(1, "apply --env dev --sandbox --auto-approve --allow-data-loss");
    let said = format!("{}{}", refused.out, refused.err);
    has(&said, &["this environment is protected, and this would lose all items of the table"]);
    shop.folder.write("config/dev.toml", wrong);
    has(&shop.plan(2), &["! lost for good: all items", "recoverable: AWS keeps the last state"]);
    let applied =
        shop.folder.expect(0, "apply --env dev --sandbox --auto-approve --allow-data-loss").err;
    let line = applied.lines().find(|line| line.contains("restore_from = ")).expect("what is kept");
    has(line, &["dynamodb.table/orders as of "]);
    let (_, source) = line.split_once("restore_from = { ").expect("a source");
    let source = source.trim_end_matches(" }");
    // `git revert`, and the line that the report named.
    shop.folder.write("config/dev.toml", SHOP);
    shop.restore("[tables.orders]", source);
    shop.apply();
    shop.plan(0);
    assert_eq!(shop.state(TABLE, "1").as_deref(), Some("paid"));
    assert_eq!(shop.folder.counts()["sqs.queues"], 1);
}

/// What boto3 does to an object of a versioned bucket, as the AWS CLI would; it prints what it reads.
const VERSIONS: &str = r#"
import boto3, sys
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1")
of = dict(Bucket=sys.argv[2], Key="exports/2026-11.csv")
read = lambda **more: s3.get_object(**of, **more)["Body"].read().decode()
s3.put_object(**of, Body=b"good")
s3.put_object(**of, Body=b"bad")
# Overwritten: the version before is fetched and put again.
found = s3.list_object_versions(Bucket=of["Bucket"], Prefix=of["Key"])
before = [v["VersionId"] for v in found["Versions"] if not v["IsLatest"]][0]
s3.put_object(**of, Body=read(VersionId=before).encode())
print(read())
# Deleted: the marker is removed.
s3.delete_object(**of)
try:
    read()
except s3.exceptions.NoSuchKey:
    print("gone")
found = s3.list_object_versions(Bucket=of["Bucket"], Prefix=of["Key"])
marker = [m["VersionId"] for m in found["DeleteMarkers"] if m["IsLatest"]][0]
s3.delete_object(**of, VersionId=marker)
print(read())
"#;

#[test]
fn a_deleted_s3_object_can_be_restored() {
    let folder = Folder::empty();
    folder.write(
        "config/dev.toml",
        "project = \"shop\"\nregion = \"us-east-1\"\n\n[buckets.audit]\n",
    );
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    let served = Served::start(&folder);
    let mut python = Command::new(environment().join("bin/python"));
    python.args(["-c", VERSIONS, &served.url, "dev-shop-bucket-audit-000000000000-us-east-1"]);
    python.env_clear().env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let ran = ended(&mut python);
    ran.expect(0, "boto3");
    assert_eq!(ran.out.split_whitespace().collect::<Vec<_>>(), ["good", "gone", "good"]);
}

/// A restore takes no tags, and a table under restore cannot be tagged: a crash leaves a table of our name
/// that nothing says is ours but its source. On a sandbox that is as slow as AWS.
#[test]
fn an_interrupted_restore_is_found_by_its_source() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["dynamodb.table"]);
        let address = Address::new("dynamodb.table", "sample");
        run(&provider, &blueprint, Purpose::Apply).await;
        let client = aws_sdk_dynamodb::Client::new(&by_hand(&sandbox));
        let backup = client.create_backup().table_name("sample-table").backup_name("nightly");
        let backup =
            backup.send().await.expect("a backup").backup_details.expect("a backup").backup_arn;
        run(&provider, &blueprint, Purpose::Destroy).await;

        // A payctl that was killed leaves a table with the right name and without tags.
        let restore = client.restore_table_from_backup().backup_arn(&backup);
        restore.target_table_name("sample-table").send().await.expect("a restore");
        // A table with another source, or without one, is foreign and stays.
        for source in [Value::Null, json!({ "backup": "arn:other" })] {
            let want = blueprint.resources.get_mut(&address).expect("it is there");
            want.spec["restore_from"] = source;
            let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
            let plan = planner::plan(&provider, &blueprint, &snapshot, Purpose::Apply, &[])
                .expect("a plan");
            assert!(
                plan.changes.iter().all(|change| change.address != address),
                "{:?}",
                plan.changes
            );
            let reason = &plan.refused[0].reason;
            assert!(reason.contains("it belongs to somebody else (it has no tags)"), "{reason}");
        }
        let destroy = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        assert!(destroy.is_empty(), "a destroy leaves it: {:?}", destroy.changes);
        // With the source of the config, payctl waits for it, tags it and configures it.
        let want = blueprint.resources.get_mut(&address).expect("it is there");
        want.spec["restore_from"] = json!({ "backup": backup });
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let change =
            plan.changes.iter().find(|change| change.address == address).expect("a change");
        assert_eq!(change.action, Action::Update);
        let report = carry_out(&provider, &plan).await;
        assert!(report.is_complete(), "{report:?}");
        expect_settled(&provider, &blueprint, "the restore").await;
        let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
        let found = &snapshot[&address];
        assert!(found.iter().all(|found| found.owner == Owner::Ours) && found.len() == 1);
        // The same from the beginning, at the pace of AWS.
        run(&provider, &blueprint, Purpose::Destroy).await;
        let began = tokio::time::Instant::now();
        run(&provider, &blueprint, Purpose::Apply).await;
        assert!(began.elapsed() > Duration::from_secs(1200), "{:?}", began.elapsed());
        expect_settled(&provider, &blueprint, "a whole restore").await;
    });
}

#[test]
fn a_plan_without_restores_does_not_list_backups() {
    let began = Instant::now();
    let shop = Shop::new(SHOP);
    let plan = shop.folder.expect(0, "plan --env dev --sandbox -v").err;
    for call in ["ListBackups", "DescribeBackup", "DescribeDBClusterSnapshots"] {
        assert!(!plan.contains(call), "{call} after {:?}: {plan}", began.elapsed());
    }
}
