//! How databases live on the embedded sandbox: their secrets, upgrades by AWS, restarts, and what a
//! deletion leaves.

use std::collections::BTreeSet;
use std::time::Duration;

use payctl::aws::provider::AwsProvider;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    block_on, by_hand, carry_out, expect_settled, plan_now, run, sample_provider, sandboxed, some,
};

mod rules;

const SECRET: &str = "sample-credentials";

/// A sandbox with payctl and with clients for what others do by hand.
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
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let hand = by_hand(&sandbox);
        let wanted = ["rds.instance", "secretsmanager.attachment", "secretsmanager.rotation"];
        let blueprint = some(&provider, &wanted);
        Self {
            provider,
            secrets: aws_sdk_secretsmanager::Client::new(&hand),
            rds: aws_sdk_rds::Client::new(&hand),
            kms: aws_sdk_kms::Client::new(&hand),
            sandbox,
            blueprint,
        }
    }

    /// After an apply.
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
        ground
            .rds
            .modify_db_cluster()
            .db_cluster_identifier("sample-database")
            .engine_version("15.19")
            .apply_immediately(true)
            .send()
            .await
            .expect("an upgrade");
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
        // A config that no longer asks for snapshots does not delete those that exist.
        ground.forget("kms.key", "kept");
        ground.apply().await;
        ground.destroy().await;
        let left = |sandbox: &Sandbox| sandbox.counts().expect("a sandbox").into_iter().collect();
        let rest: Vec<_> = left(&ground.sandbox);
        let all = [("kms.keys".to_owned(), 1), ("rds.snapshots".to_owned(), 1)];
        assert_eq!(rest, all, "the snapshot, and the key without which nobody could read it");
        // The environment gave up that key. It creates another one, and deletes only that.
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
        // The same for a change of an instance.
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
        // Nothing to do, because both are the defaults of version 15.
        assert_eq!(ground.apply().await.count(Action::Update), 0);
        ground.set(group, "parameters", json!({ "password_encryption": "md5" }));
        assert_eq!(ground.apply().await.count(Action::Update), 1);
        // The default by name, which does not differ from the default.
        ground.set(group, "parameters", json!({ "password_encryption": "scram-sha-256" }));
        assert_eq!(ground.apply().await.count(Action::Update), 1);
        ground.set(group, "parameters", json!({}));
        assert_eq!(ground.apply().await.count(Action::Update), 0);
    });
}
