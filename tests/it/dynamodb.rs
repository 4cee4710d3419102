//! What AWS does to tables.

use std::time::Duration;

use payctl_engine::model::address::Address;
use payctl_engine::model::text::Output;
use payctl_engine::plan::Purpose;
use payctl_sandbox::{Faults, Sandbox};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    block_on, by_hand, carry_out, count, expect_settled, plan_now, run, sample_provider, sandboxed,
    set, some, through,
};

#[test]
fn disabling_expiry_does_not_block_and_a_second_change_waits() {
    block_on(async {
        let hour = Duration::from_secs(3600);
        let provider = sample_provider(&sandboxed(&Sandbox::in_memory_strict())).await;
        let mut blueprint = some(&provider, &["dynamodb.table"]);
        set(&mut blueprint, "dynamodb.table", "ttl", json!("expires_at"));
        run(&provider, &blueprint, Purpose::Apply).await;
        tokio::time::sleep(2 * hour).await;

        let began = Instant::now();
        set(&mut blueprint, "dynamodb.table", "ttl", Value::Null);
        run(&provider, &blueprint, Purpose::Apply).await;
        assert!(began.elapsed() < hour / 6, "{:?}", began.elapsed());
        expect_settled(&provider, &blueprint, "no expiry").await;

        // AWS refuses another change for the rest of the hour, and does not show that beforehand.
        let began = Instant::now();
        set(&mut blueprint, "dynamodb.table", "ttl", json!("ends_at"));
        run(&provider, &blueprint, Purpose::Apply).await;
        assert!((hour / 2..2 * hour).contains(&began.elapsed()), "{:?}", began.elapsed());
        expect_settled(&provider, &blueprint, "another expiry").await;
    });
}

#[test]
fn an_updating_table_is_deleted_and_its_new_stream_has_a_new_arn() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let faults = Faults::new(sandbox.transport());
        let provider = sample_provider(&through(faults.transport())).await;
        let mut blueprint = some(&provider, &["dynamodb.table"]);
        set(&mut blueprint, "dynamodb.table", "deletion_protection", json!(true));
        let table = Address::new("dynamodb.table", "sample");
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let before = carry_out(&provider, &plan).await.outputs[&table][&Output::StreamArn].clone();

        set(&mut blueprint, "dynamodb.table", "stream", json!("keys_only"));
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(plan.outputs[&table].get(&Output::StreamArn), None, "not known before apply");
        let after = carry_out(&provider, &plan).await.outputs[&table][&Output::StreamArn].clone();
        assert_ne!(before, after);

        // Somebody changes it at the same time.
        let dynamodb = aws_sdk_dynamodb::Client::new(&by_hand(&sandbox));
        let call = dynamodb.update_table().table_name("sample-table");
        let sse = aws_sdk_dynamodb::types::SseSpecification::builder().enabled(false).build();
        call.sse_specification(sse).send().await.expect("an update");
        let deleted = count(&faults, "dynamodb.DeleteTable");
        run(&provider, &blueprint, Purpose::Destroy).await;
        assert!(count(&faults, "dynamodb.DeleteTable") - deleted >= 2);
        assert!(sandbox.counts().expect("a sandbox").is_empty());
    });
}
