//! What AWS does to buckets.

use std::time::Duration;

use aws_sdk_s3::types::{BucketLoggingStatus, Delete, ObjectIdentifier, Tag, Tagging};
use payctl::aws::clients::Connection;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::Purpose;
use payctl_engine::provider::Provider;
use payctl_sandbox::{Faults, Sandbox};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    block_on, by_hand, carry_out, count, expect_settled, plan_now, run, sample_provider, sandboxed,
    set, some, through,
};

pub(super) const BUCKET: &str = "sample-payment-bucket-000000000000-us-east-1";

async fn fill(s3: &aws_sdk_s3::Client, keys: usize) {
    for index in 0..keys {
        let key = format!("{index:05}");
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"x");
        s3.put_object().bucket(BUCKET).key(key).body(body).send().await.expect("an object");
    }
}

#[test]
fn a_bucket_with_thousands_of_versions_is_deleted() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["s3.bucket"]);
        set(&mut blueprint, "s3.bucket", "versioning", json!(true));
        run(&provider, &blueprint, Purpose::Apply).await;
        let s3 = aws_sdk_s3::Client::new(&by_hand(&sandbox));
        fill(&s3, 1250).await;
        for from in [0, 1000] {
            let objects = (from..(from + 1000).min(1250)).map(|index| {
                ObjectIdentifier::builder().key(format!("{index:05}")).build().expect("a key")
            });
            let all = Delete::builder().set_objects(Some(objects.collect())).build();
            let call = s3.delete_objects().bucket(BUCKET).delete(all.expect("objects"));
            call.send().await.expect("delete markers");
        }
        assert_eq!(sandbox.counts().expect("a sandbox")["s3.versions"], 2500);
        run(&provider, &blueprint, Purpose::Destroy).await;
        assert!(sandbox.counts().expect("a sandbox").is_empty());
    });
}

#[test]
fn logs_that_arrive_while_a_bucket_is_emptied_do_not_keep_it() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let faults = Faults::new(sandbox.transport()).with_delay(Duration::from_millis(40));
        let provider = sample_provider(&through(faults.transport())).await;
        let blueprint = some(&provider, &["s3.bucket"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        let s3 = aws_sdk_s3::Client::new(&by_hand(&sandbox));
        let writer = async {
            for index in 0..200 {
                let call = s3.put_object().bucket(BUCKET).key(format!("logs/{index}"));
                // The write fails once the bucket is deleted.
                drop(call.send().await);
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        };
        let destroy = run(&provider, &blueprint, Purpose::Destroy);
        futures::future::join(writer, destroy).await;
        assert!(count(&faults, "s3.DeleteBucket") > 1, "a log came in between");
        assert!(sandbox.counts().expect("a sandbox").is_empty());
    });
}

#[test]
fn a_locked_object_stops_destroy_with_its_date() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["s3.bucket"]);
        set(&mut blueprint, "s3.bucket", "versioning", json!(true));
        let lock = json!({ "mode": "GOVERNANCE", "days": 30 });
        set(&mut blueprint, "s3.bucket", "object_lock", lock);
        run(&provider, &blueprint, Purpose::Apply).await;
        let s3 = aws_sdk_s3::Client::new(&by_hand(&sandbox));
        fill(&s3, 2).await;
        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        let report = carry_out(&provider, &plan).await;
        let (address, _, error) = report.failed.first().expect("it is locked");
        assert_eq!(address.kind, "s3.bucket");
        let said = format!("{error:?}");
        assert!(
            said.contains("cannot be deleted before 20") && said.contains("governance"),
            "{said}"
        );
        assert_eq!(sandbox.counts().expect("a sandbox")["s3.versions"], 2, "nothing is lifted");
        // Without a default for new objects, the old objects are still locked.
        set(&mut blueprint, "s3.bucket", "object_lock", Value::Null);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "taking the lock away").await;
        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        assert!(!carry_out(&provider, &plan).await.failed.is_empty());
    });
}

#[test]
fn create_waits_for_the_name_of_a_deleted_bucket_or_queue() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        for (kind, blocked) in [("sqs.queue", 60), ("s3.bucket", 30)] {
            let blueprint = some(&provider, &[kind]);
            run(&provider, &blueprint, Purpose::Apply).await;
            run(&provider, &blueprint, Purpose::Destroy).await;
            let began = Instant::now();
            run(&provider, &blueprint, Purpose::Apply).await;
            let waited = began.elapsed().as_secs();
            // Then a queue shows its old attributes for another 20 seconds, and looks are up to 10 apart.
            assert!((blocked - 5..blocked + 45).contains(&waited), "{kind}: {waited}");
            expect_settled(&provider, &blueprint, "making it again").await;
        }
    });
}

#[test]
fn foreign_tags_on_a_bucket_survive() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["s3.bucket"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        let s3 = aws_sdk_s3::Client::new(&by_hand(&sandbox));
        let read_tags = async || {
            let answer = s3.get_bucket_tagging().bucket(BUCKET).send().await.expect("tags");
            answer.tag_set
        };
        let mut more = read_tags().await;
        more.push(Tag::builder().key("Theirs").value("stays").build().expect("a tag"));
        let all = Tagging::builder().set_tag_set(Some(more)).build().expect("tags");
        s3.put_bucket_tagging().bucket(BUCKET).tagging(all).send().await.expect("tagged");
        for desired in blueprint.resources.values_mut() {
            desired.tags.insert("Team".into(), "platform".into());
        }
        run(&provider, &blueprint, Purpose::Apply).await;
        let tags = read_tags().await;
        let value = |key| tags.iter().find(|tag| tag.key() == key).map(Tag::value);
        assert_eq!(value("Theirs"), Some("stays"));
        assert_eq!(value("Team"), Some("platform"));
        assert_eq!(value("CreatedAt"), Some("2026-01-01"));
    });
}

#[test]
fn a_name_that_is_taken_in_another_region_is_refused() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let west = Connection { region: Some("eu-west-1".into()), ..sandboxed(&sandbox) };
        let west = sample_provider(&west).await;
        run(&west, &some(&west, &["s3.bucket"]), Purpose::Apply).await;
        let east = sample_provider(&sandboxed(&sandbox)).await;
        let wanted = [(BUCKET.to_owned(), Address::new("s3.bucket", "sample"))].into();
        let found = east.survey("s3.bucket", &wanted, None).await.expect("a survey");
        assert!(format!("{:?}", found[0].owner).contains("eu-west-1"), "{:?}", found[0].owner);
    });
}

#[test]
fn disabled_logging_is_enabled_again() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["s3.bucket"]);
        let mut logs = blueprint.resources.values().next().expect("a bucket").clone();
        logs.address = Address::new("s3.bucket", "logs");
        logs.name = "sample-logs-000000000000-us-east-1".into();
        logs.spec["name"] = json!(logs.name);
        logs.spec["policy"] = Value::Null;
        logs.tags.extend(provider.aws().scope.ownership(&logs.address));
        blueprint.resources.insert(logs.address.clone(), logs);
        let to = Text::reference(Address::new("s3.bucket", "logs"), Output::Name);
        let sample = Address::new("s3.bucket", "sample");
        let desired = blueprint.resources.get_mut(&sample).expect("the sample");
        desired.spec["access_log"] = json!({ "bucket": to, "prefix": "sample/" });
        run(&provider, &blueprint, Purpose::Apply).await;
        let s3 = aws_sdk_s3::Client::new(&by_hand(&sandbox));
        let off = BucketLoggingStatus::builder().build();
        let call = s3.put_bucket_logging().bucket(BUCKET).bucket_logging_status(off);
        call.send().await.expect("switched off");
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(plan.changes[0].fields[0].path, "access_log");
        // payctl deletes the bucket that writes logs before the bucket that receives them.
        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        let report = carry_out(&provider, &plan).await;
        let order: Vec<&str> = report.done.iter().map(|(gone, _)| gone.name.as_str()).collect();
        assert_eq!(order, ["sample", "logs"]);
    });
}
