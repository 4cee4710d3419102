//! What AWS does to secrets.

use payctl_engine::plan::{Action, Purpose};
use payctl_sandbox::{Fault, Faults, Sandbox};
use serde_json::{Value, json};

use crate::support::{
    block_on, by_hand, carry_out, count, expect_settled, plan_now, run, sample_provider, sandboxed,
    set, some, through,
};

/// What a secret holds, and how often it was written.
pub async fn value(sandbox: &Sandbox) -> String {
    let secrets = aws_sdk_secretsmanager::Client::new(&by_hand(sandbox));
    let answer = secrets.get_secret_value().secret_id("sample-credentials").send().await;
    answer.expect("a value").secret_string.expect("a text")
}

#[test]
fn a_lost_reply_does_not_create_a_second_secret() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let faults = Faults::new(sandbox.transport()).only_writes().at(1, Fault::LoseReply);
        let provider = sample_provider(&through(faults.transport())).await;
        let mut blueprint = some(&provider, &["secretsmanager.secret"]);
        set(&mut blueprint, "secretsmanager.secret", "key", Value::Null);
        run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(faults.struck(), [("secretsmanager.CreateSecret".into(), Fault::LoseReply)]);
        assert_eq!(count(&faults, "secretsmanager.CreateSecret"), 1);
        expect_settled(&provider, &blueprint, "a lost reply").await;
    });
}

#[test]
fn a_secret_pending_deletion_is_restored_with_its_value() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["secretsmanager.secret"]);
        blueprint.resources.retain(|address, _| address.kind == "secretsmanager.secret");
        set(&mut blueprint, "secretsmanager.secret", "key", Value::Null);
        set(&mut blueprint, "secretsmanager.secret", "recovery_days", json!(7));
        run(&provider, &blueprint, Purpose::Apply).await;
        let before = value(&sandbox).await;
        run(&provider, &blueprint, Purpose::Destroy).await;
        set(&mut blueprint, "secretsmanager.secret", "description", json!("Another purpose."));
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(plan.count(Action::Create), 1);
        assert_eq!(value(&sandbox).await, before);
        expect_settled(&provider, &blueprint, "restoring").await;
    });
}

#[test]
fn plans_do_not_show_passwords() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["secretsmanager.secret"]);
        set(&mut blueprint, "secretsmanager.secret", "key", Value::Null);
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let report = carry_out(&provider, &plan).await;
        let after = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        let value: Value = serde_json::from_str(&value(&sandbox).await).expect("JSON");
        let password = value["password"].as_str().expect("a password");
        for shown in [
            format!("{plan:?} {report:?} {after:?}"),
            serde_json::to_string(&plan).expect("JSON"),
            serde_json::to_string(&after).expect("JSON"),
        ] {
            assert!(!shown.contains(password));
        }
    });
}

#[test]
fn fields_removed_from_a_secret_are_restored() {
    block_on(async {
        let provider = sample_provider(&sandboxed(&Sandbox::in_memory())).await;
        let mut blueprint = some(&provider, &["kms.key", "secretsmanager.secret"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        for field in ["key", "description"] {
            set(&mut blueprint, "secretsmanager.secret", field, Value::Null);
        }
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        let paths: Vec<&str> = plan.changes[0].fields.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["description", "key"]);
        // The name of the AWS managed key means the same.
        set(&mut blueprint, "secretsmanager.secret", "key", json!("alias/aws/secretsmanager"));
        expect_settled(&provider, &blueprint, "naming the default").await;
    });
}
