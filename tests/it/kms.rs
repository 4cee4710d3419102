//! What AWS does to keys.

use std::time::Duration;

use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::{Action, Purpose};
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::secretsmanager::value;
use crate::support::{
    block_on, by_hand, carry_out, expect_settled, plan_now, run, sample_provider, sandboxed, set,
    some,
};

#[test]
fn a_key_is_deleted_after_the_objects_it_encrypts() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let users = [
            "dynamodb.table",
            "logs.log_group",
            "s3.bucket",
            "secretsmanager.secret",
            "sns.topic",
            "sqs.queue",
        ];
        let mut blueprint = some(&provider, &[&users[..], &["kms.key"]].concat());
        let key = |output| json!(Text::reference(Address::new("kms.key", "sample"), output));
        set(&mut blueprint, "dynamodb.table", "encryption", json!({ "kms": key(Output::Arn) }));
        set(&mut blueprint, "s3.bucket", "encryption", json!({ "kms": key(Output::Arn) }));
        set(&mut blueprint, "sns.topic", "key", key(Output::Id));
        set(&mut blueprint, "sqs.queue", "encryption", json!({ "kms": key(Output::Name) }));
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "creation").await;

        // The same when nobody knows any more what the config said.
        let made = std::mem::take(&mut blueprint.resources).len();
        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        let report = carry_out(&provider, &plan).await;
        assert!(report.is_complete(), "{:?}", report.failed);
        let order: Vec<&str> = report.done.iter().map(|(gone, _)| gone.kind.as_str()).collect();
        assert_eq!(order.len(), made);
        assert_eq!(order.last(), Some(&"kms.key"), "{order:?}");
    });
}

#[test]
fn a_disabled_key_is_enabled_and_a_removed_period_is_undone() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["kms.key"]);
        set(&mut blueprint, "kms.key", "rotation_days", json!(90));
        run(&provider, &blueprint, Purpose::Apply).await;
        let kms = aws_sdk_kms::Client::new(&by_hand(&sandbox));
        let alias = "alias/sample-key";
        let described = kms.describe_key().key_id(alias).send().await.expect("a key");
        let id = described.key_metadata.expect("a key").key_id;
        kms.disable_key().key_id(&id).send().await.expect("disabled");
        set(&mut blueprint, "kms.key", "rotation_days", Value::Null);
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(plan.count(Action::Update), 1);
        let paths: Vec<&str> = plan.changes[0].fields.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["enabled", "rotation_days"]);
        let rotation = kms.get_key_rotation_status().key_id(&id).send().await.expect("a status");
        assert_eq!(rotation.rotation_period_in_days, Some(365));
        expect_settled(&provider, &blueprint, "enabling").await;
    });
}

#[test]
fn a_policy_that_locks_everybody_out_is_refused_at_once() {
    block_on(async {
        let provider = sample_provider(&sandboxed(&Sandbox::in_memory())).await;
        let mut blueprint = some(&provider, &["kms.key"]);
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "logs.amazonaws.com" },
            "Action": "kms:Decrypt", "Resource": "*",
        }] });
        set(&mut blueprint, "kms.key", "policy", policy);
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let began = Instant::now();
        let report = carry_out(&provider, &plan).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let (_, _, error) = report.failed.first().expect("it is refused");
        assert!(error.to_string().contains("will not allow you to update"), "{error}");
    });
}

#[test]
fn an_alias_moves_between_two_own_keys() {
    block_on(async {
        let provider = sample_provider(&sandboxed(&Sandbox::in_memory())).await;
        let mut blueprint = some(&provider, &["kms.key"]);
        let first = blueprint.resources.values().next().expect("a key").clone();
        let mut second = first.clone();
        second.address = Address::new("kms.key", "second");
        second.name = "alias/sample-second".into();
        second.spec["alias"] = json!("alias/sample-second");
        second.tags.extend(provider.aws().scope.ownership(&second.address));
        blueprint.resources.insert(second.address.clone(), second);
        run(&provider, &blueprint, Purpose::Apply).await;
        let names = ["alias/sample-second", "alias/sample-key"];
        for (desired, name) in blueprint.resources.values_mut().rev().zip(names.iter().rev()) {
            desired.spec["alias"] = json!(name);
            desired.name = (*name).to_owned();
        }
        // Whoever comes second may find its new alias gone with the old one: one more run mends it.
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        carry_out(&provider, &plan).await;
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "swapping").await;
    });
}

#[test]
fn a_key_pending_deletion_is_restored_with_its_data() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["kms.key", "secretsmanager.secret"]);
        set(&mut blueprint, "secretsmanager.secret", "recovery_days", json!(7));
        let kms = aws_sdk_kms::Client::new(&by_hand(&sandbox));
        let id = async || {
            let send = kms.describe_key().key_id("alias/sample-key").send();
            send.await.expect("a key").key_metadata.expect("a key").key_id
        };
        run(&provider, &blueprint, Purpose::Apply).await;
        let before = (id().await, value(&sandbox).await);
        run(&provider, &blueprint, Purpose::Destroy).await;
        run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!((id().await, value(&sandbox).await), before);
        expect_settled(&provider, &blueprint, "bringing back").await;
    });
}
