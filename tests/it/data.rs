//! What real AWS does to tables, buckets, topics, queues, keys and secrets, as far as the sandbox
//! can do it too.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::types::{BucketLoggingStatus, Delete, ObjectIdentifier, Tag, Tagging};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use payctl::aws::clients::Connection;
use payctl::aws::kinds::KINDS;
use payctl_engine::event::{StepError, Verb};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::error::ErrorClass;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::{Action, Purpose};
use payctl_engine::provider::Provider;
use payctl_sandbox::Sandbox;
use payctl_sandbox::{Fault, Faults};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    block_on, carry_out, expect_settled, plan_now, provider, run, samples, sandboxed, some,
};

const BUCKET: &str = "sample-payment-bucket-000000000000-us-east-1";

fn through(transport: SharedHttpClient) -> Connection {
    Connection { transport: Some(transport), ..sandboxed(&Sandbox::in_memory()) }
}

/// A field of the only resource of a kind.
fn set(blueprint: &mut Blueprint, kind: &str, field: &str, value: Value) {
    let mut all = blueprint.resources.values_mut();
    let desired = all.find(|desired| desired.address.kind == kind).expect("it is there");
    desired.spec[field] = value;
}

fn count(faults: &Faults, call: &str) -> usize {
    faults.calls().iter().filter(|made| *made == call).count()
}

macro_rules! client {
    ($service:ident, $sandbox:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version($service::config::BehaviorVersion::latest())
                .region($service::config::Region::new("us-east-1"))
                .credentials_provider(Credentials::from_keys("SANDBOX", "sandbox", None))
                .http_client($sandbox.transport())
                .build(),
        )
    };
}

/// Refuses calls of one operation about objects with a certain name, as a policy would.
#[derive(Clone, Debug)]
struct Denying {
    inner: SharedHttpClient,
    /// Parts of the operation's and of the object's name.
    what: Arc<Mutex<(String, String)>>,
}

impl HttpClient for Denying {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(DenyingConnector { inner, what: self.what.clone() })
    }
}

#[derive(Debug)]
struct DenyingConnector {
    inner: SharedHttpConnector,
    what: Arc<Mutex<(String, String)>>,
}

impl HttpConnector for DenyingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap_or_default();
        let said = format!(
            "{} {} {}",
            request.uri(),
            request.headers().get("x-amz-target").unwrap_or_default(),
            String::from_utf8_lossy(body)
        );
        let (operation, object) = self.what.lock().expect("unpoisoned").clone();
        if operation.is_empty() || !said.contains(&operation) || !said.contains(&object) {
            return self.inner.call(request);
        }
        let is_json = request.headers().get("x-amz-target").is_some();
        let body = match is_json {
            true => r#"{"__type":"AccessDeniedException","message":"no policy allows it"}"#,
            false => {
                "<Error><Code>AccessDenied</Code><Message>no policy allows it</Message></Error>"
            }
        };
        let status = if is_json { 400 } else { 403 };
        let status = status.try_into().expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

#[test]
fn no_survey_is_deeper_than_three_calls() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let blueprint = {
            let provider = provider(&sandboxed(&sandbox)).await;
            let blueprint = samples(&provider.aws().scope);
            run(&provider, &blueprint, Purpose::Apply).await;
            blueprint
        };
        let slow = Faults::new(sandbox.transport()).with_delay(Duration::from_secs(1));
        let provider = provider(&through(slow.transport())).await;
        for kind in KINDS.iter().map(|kind| kind.meta().kind) {
            let wanted = blueprint.resources.values().filter(|want| want.address.kind == kind);
            let wanted = wanted.map(|want| (want.name.clone(), want.address.clone())).collect();
            let began = Instant::now();
            let found = provider.survey(kind, &wanted, None).await.expect("a survey");
            let depth = began.elapsed().as_secs();
            println!("{kind}: {depth}");
            assert!(!found.is_empty(), "{kind}");
            let allowed = DEEPER.iter().find(|(deeper, ..)| *deeper == kind);
            let allowed = allowed.map_or(3, |(_, depth, _)| *depth);
            assert!(depth <= allowed, "{kind}: {depth} calls after each other");
        }
    });
}

/// Surveys that need more calls after each other, how many, and why.
const DEEPER: &[(&str, u64, &str)] = &[];

#[test]
fn a_key_is_deleted_after_everything_that_it_encrypts() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
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
fn nothing_waits_for_an_expiry_that_is_switched_off_and_a_second_change_waits_for_aws() {
    block_on(async {
        let hour = Duration::from_secs(3600);
        let provider = provider(&sandboxed(&Sandbox::in_memory_strict())).await;
        let mut blueprint = some(&provider, &["dynamodb.table"]);
        set(&mut blueprint, "dynamodb.table", "ttl", json!("expires_at"));
        run(&provider, &blueprint, Purpose::Apply).await;
        tokio::time::sleep(2 * hour).await;

        let began = Instant::now();
        set(&mut blueprint, "dynamodb.table", "ttl", Value::Null);
        run(&provider, &blueprint, Purpose::Apply).await;
        assert!(began.elapsed() < hour / 6, "{:?}", began.elapsed());
        expect_settled(&provider, &blueprint, "no expiry").await;

        // AWS takes no other one for the rest of the hour, and says so only by its refusal.
        let began = Instant::now();
        set(&mut blueprint, "dynamodb.table", "ttl", json!("ends_at"));
        run(&provider, &blueprint, Purpose::Apply).await;
        assert!((hour / 2..2 * hour).contains(&began.elapsed()), "{:?}", began.elapsed());
        expect_settled(&provider, &blueprint, "another expiry").await;
    });
}

#[test]
fn a_disabled_key_is_enabled_and_a_removed_period_is_undone() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["kms.key"]);
        set(&mut blueprint, "kms.key", "rotation_days", json!(90));
        run(&provider, &blueprint, Purpose::Apply).await;
        let kms = client!(aws_sdk_kms, sandbox);
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
        let provider = provider(&sandboxed(&Sandbox::in_memory())).await;
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
fn an_alias_moves_between_two_keys_of_ours() {
    block_on(async {
        let provider = provider(&sandboxed(&Sandbox::in_memory())).await;
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
fn what_others_forbid_us_to_read_breaks_nothing_unless_we_want_its_name() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let kms = client!(aws_sdk_kms, sandbox);
        let made = kms.create_key().send().await.expect("a key").key_metadata.expect("a key");
        let alias = kms.create_alias().target_key_id(&made.key_id);
        alias.alias_name("alias/sample-of-others").send().await.expect("an alias");
        let s3 = client!(aws_sdk_s3, sandbox);
        s3.create_bucket().bucket("sample-of-others").send().await.expect("a bucket");

        let what = Arc::new(Mutex::new((String::new(), String::new())));
        let denying = Denying { inner: sandbox.transport(), what: what.clone() };
        let provider = provider(&through(SharedHttpClient::new(denying))).await;
        let deny = |operation: &str, object: &str| {
            *what.lock().expect("unpoisoned") = (operation.to_owned(), object.to_owned());
        };
        let blueprint = some(&provider, &["kms.key", "s3.bucket"]);
        deny("ListResourceTags", &made.key_id);
        run(&provider, &blueprint, Purpose::Apply).await;
        deny("tagging", "sample-of-others");
        expect_settled(&provider, &blueprint, "a bucket of others").await;

        // Our own bucket must not disappear from sight because its policy hides its tags.
        deny("tagging", BUCKET);
        let wanted = [(BUCKET.to_owned(), Address::new("s3.bucket", "sample"))].into();
        let error = provider.survey("s3.bucket", &wanted, None).await.expect_err("it is said");
        assert_eq!((error.class, error.op.as_str()), (ErrorClass::Denied, "GetBucketTagging"));
    });
}

async fn fill(s3: &aws_sdk_s3::Client, keys: usize) {
    for index in 0..keys {
        let key = format!("{index:05}");
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"x");
        s3.put_object().bucket(BUCKET).key(key).body(body).send().await.expect("an object");
    }
}

#[test]
fn a_bucket_with_thousands_of_versions_and_markers_goes() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["s3.bucket"]);
        set(&mut blueprint, "s3.bucket", "versioning", json!(true));
        run(&provider, &blueprint, Purpose::Apply).await;
        let s3 = client!(aws_sdk_s3, sandbox);
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
        let provider = provider(&through(faults.transport())).await;
        let blueprint = some(&provider, &["s3.bucket"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        let s3 = client!(aws_sdk_s3, sandbox);
        let writer = async {
            for index in 0..200 {
                let call = s3.put_object().bucket(BUCKET).key(format!("logs/{index}"));
                // Once the bucket is gone, nothing can be written.
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
fn a_locked_object_stops_the_destroy_which_says_until_when() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["s3.bucket"]);
        set(&mut blueprint, "s3.bucket", "versioning", json!(true));
        let lock = json!({ "mode": "GOVERNANCE", "days": 30 });
        set(&mut blueprint, "s3.bucket", "object_lock", lock);
        run(&provider, &blueprint, Purpose::Apply).await;
        let s3 = client!(aws_sdk_s3, sandbox);
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
        // Without a lock for new objects, what is locked still is.
        set(&mut blueprint, "s3.bucket", "object_lock", Value::Null);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "taking the lock away").await;
        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        assert!(!carry_out(&provider, &plan).await.failed.is_empty());
    });
}

#[test]
fn the_name_of_a_deleted_bucket_or_queue_is_waited_for() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = provider(&sandboxed(&sandbox)).await;
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
fn tags_that_others_put_on_a_bucket_survive() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["s3.bucket"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        let s3 = client!(aws_sdk_s3, sandbox);
        let tags = async || {
            let answer = s3.get_bucket_tagging().bucket(BUCKET).send().await.expect("tags");
            answer.tag_set
        };
        let mut more = tags().await;
        more.push(Tag::builder().key("Theirs").value("stays").build().expect("a tag"));
        let all = Tagging::builder().set_tag_set(Some(more)).build().expect("tags");
        s3.put_bucket_tagging().bucket(BUCKET).tagging(all).send().await.expect("tagged");
        for desired in blueprint.resources.values_mut() {
            desired.tags.insert("Team".into(), "platform".into());
        }
        run(&provider, &blueprint, Purpose::Apply).await;
        let tags = tags().await;
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
        let west = provider(&west).await;
        run(&west, &some(&west, &["s3.bucket"]), Purpose::Apply).await;
        let east = provider(&sandboxed(&sandbox)).await;
        let wanted = [(BUCKET.to_owned(), Address::new("s3.bucket", "sample"))].into();
        let found = east.survey("s3.bucket", &wanted, None).await.expect("a survey");
        assert!(format!("{:?}", found[0].owner).contains("eu-west-1"), "{:?}", found[0].owner);
    });
}

#[test]
fn a_switched_off_log_is_switched_on_again() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
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
        let s3 = client!(aws_sdk_s3, sandbox);
        let off = BucketLoggingStatus::builder().build();
        let call = s3.put_bucket_logging().bucket(BUCKET).bucket_logging_status(off);
        call.send().await.expect("switched off");
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(plan.changes[0].fields[0].path, "access_log");
        // What writes logs goes before what receives them.
        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        let report = carry_out(&provider, &plan).await;
        let order: Vec<&str> = report.done.iter().map(|(gone, _)| gone.name.as_str()).collect();
        assert_eq!(order, ["sample", "logs"]);
    });
}

#[test]
fn an_unconfirmed_subscription_is_mailed_once() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let faults = Faults::new(sandbox.transport());
        let provider = provider(&through(faults.transport())).await;
        let mut blueprint = some(&provider, &["sns.topic", "sns.subscription"]);
        let old = blueprint.resources.keys().find(|address| address.kind == "sns.subscription");
        let old = old.expect("the sample").clone();
        let mut mail = blueprint.resources.remove(&old).expect("the sample");
        mail.address = Address::new("sns.subscription", "sample.email.ops@example.com");
        mail.name = "sample-topic.email.ops@example.com".into();
        mail.spec["protocol"] = json!("email");
        mail.spec["endpoint"] = json!("ops@example.com");
        blueprint.resources.insert(mail.address.clone(), mail);
        for _ in 0..3 {
            run(&provider, &blueprint, Purpose::Apply).await;
        }
        expect_settled(&provider, &blueprint, "three runs").await;
        assert_eq!(count(&faults, "sns.Subscribe"), 1);

        // With its topic it is gone, and made again with it.
        let sns = client!(aws_sdk_sns, sandbox);
        let topic = sns.list_topics().send().await.expect("a list").topics()[0].topic_arn.clone();
        sns.delete_topic().topic_arn(topic.expect("an ARN")).send().await.expect("deleted");
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(plan.count(Action::Create), 2);
        assert_eq!(count(&faults, "sns.Subscribe"), 2);

        // It cannot be removed, and holds nobody up.
        let began = Instant::now();
        run(&provider, &blueprint, Purpose::Destroy).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert!(sandbox.counts().expect("a sandbox").is_empty());
    });
}

/// What a secret holds, and how often it was written.
async fn value(sandbox: &Sandbox) -> String {
    let secrets = client!(aws_sdk_secretsmanager, sandbox);
    let answer = secrets.get_secret_value().secret_id("sample-credentials").send().await;
    answer.expect("a value").secret_string.expect("a text")
}

#[test]
fn a_secret_whose_reply_was_lost_is_found_and_not_made_again() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let faults = Faults::new(sandbox.transport()).only_writes().at(1, Fault::LoseReply);
        let provider = provider(&through(faults.transport())).await;
        let mut blueprint = some(&provider, &["secretsmanager.secret"]);
        set(&mut blueprint, "secretsmanager.secret", "key", Value::Null);
        run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(faults.struck(), [("secretsmanager.CreateSecret".into(), Fault::LoseReply)]);
        assert_eq!(count(&faults, "secretsmanager.CreateSecret"), 1);
        expect_settled(&provider, &blueprint, "a lost reply").await;
    });
}

#[test]
fn a_secret_that_waits_for_its_deletion_is_restored_with_its_value() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
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
fn a_key_that_waits_for_its_deletion_comes_back_with_what_it_encrypts() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["kms.key", "secretsmanager.secret"]);
        set(&mut blueprint, "secretsmanager.secret", "recovery_days", json!(7));
        let kms = client!(aws_sdk_kms, sandbox);
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

#[test]
fn no_plan_shows_a_password() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
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
fn a_line_removed_from_a_secret_is_undone() {
    block_on(async {
        let provider = provider(&sandboxed(&Sandbox::in_memory())).await;
        let mut blueprint = some(&provider, &["kms.key", "secretsmanager.secret"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        for field in ["key", "description"] {
            set(&mut blueprint, "secretsmanager.secret", field, Value::Null);
        }
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        let paths: Vec<&str> = plan.changes[0].fields.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["description", "key"]);
        // AWS's own key by its name is the same.
        set(&mut blueprint, "secretsmanager.secret", "key", json!("alias/aws/secretsmanager"));
        expect_settled(&provider, &blueprint, "naming the default").await;
    });
}

#[test]
fn a_protected_table_that_is_being_updated_goes_and_its_new_stream_has_a_new_arn() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let faults = Faults::new(sandbox.transport());
        let provider = provider(&through(faults.transport())).await;
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
        let dynamodb = client!(aws_sdk_dynamodb, sandbox);
        let call = dynamodb.update_table().table_name("sample-table");
        let sse = aws_sdk_dynamodb::types::SseSpecification::builder().enabled(false).build();
        call.sse_specification(sse).send().await.expect("an update");
        let deleted = count(&faults, "dynamodb.DeleteTable");
        run(&provider, &blueprint, Purpose::Destroy).await;
        assert!(count(&faults, "dynamodb.DeleteTable") - deleted >= 2);
        assert!(sandbox.counts().expect("a sandbox").is_empty());
    });
}

#[test]
fn an_attribute_that_lags_is_written_once() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let faults = Faults::new(sandbox.transport());
        let provider = provider(&through(faults.transport())).await;
        let mut blueprint = some(&provider, &["sqs.queue"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        let before = count(&faults, "sqs.SetQueueAttributes");
        set(&mut blueprint, "sqs.queue", "visibility_timeout", json!(90));
        run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!((before, count(&faults, "sqs.SetQueueAttributes")), (1, 2));
        expect_settled(&provider, &blueprint, "a lag").await;
    });
}

#[test]
fn a_dead_letter_queue_is_made_first_and_goes_last() {
    block_on(async {
        let provider = provider(&sandboxed(&Sandbox::in_memory())).await;
        let mut blueprint = some(&provider, &["sqs.queue"]);
        let dead = Address::new("sqs.queue", "a-dlq");
        let mut letters = blueprint.resources.values().next().expect("a queue").clone();
        letters.address = dead.clone();
        letters.name = "sample-dlq".into();
        letters.spec["name"] = json!("sample-dlq");
        letters.tags.extend(provider.aws().scope.ownership(&dead));
        let target = Text::reference(dead.clone(), Output::Arn);
        let redrive = json!({ "target": target, "max_receives": 5 });
        set(&mut blueprint, "sqs.queue", "redrive", redrive.clone());
        blueprint.resources.insert(dead.clone(), letters);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "creation").await;
        let order = async |blueprint: &Blueprint, purpose| {
            let plan = plan_now(&provider, blueprint, purpose).await;
            let report = carry_out(&provider, &plan).await;
            assert!(report.is_complete(), "{:?}", report.failed);
            report.done.into_iter().map(|(address, verb)| (address.name, verb)).collect::<Vec<_>>()
        };
        let mut without = blueprint.clone();
        without.resources.remove(&dead);
        set(&mut without, "sqs.queue", "redrive", Value::Null);
        let done = order(&without, Purpose::Apply).await;
        assert_eq!(done, [("sample".into(), Verb::Update), ("a-dlq".into(), Verb::Delete)]);
        run(&provider, &blueprint, Purpose::Apply).await;
        let done = order(&blueprint, Purpose::Destroy).await;
        assert_eq!(done, [("sample".into(), Verb::Delete), ("a-dlq".into(), Verb::Delete)]);
    });
}

#[test]
fn a_queue_that_somebody_made_since_the_plan_is_left_alone() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
        let blueprint = some(&provider, &["sqs.queue"]);
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let sqs = client!(aws_sdk_sqs, sandbox);
        let call = sqs.create_queue().queue_name("sample-queue").tags("Team", "others");
        let url = call.send().await.expect("a queue").queue_url.expect("a URL");
        let report = carry_out(&provider, &plan).await;
        let (_, verb, error) = report.failed.first().expect("it is refused");
        assert!(*verb == Verb::Create && matches!(error, StepError::NotOurs(_)), "{error:?}");
        let tags = sqs.list_queue_tags().queue_url(url).send().await.expect("tags").tags;
        assert_eq!(tags.expect("tags").len(), 1);
    });
}

/// Codes that say all there is to say: AWS has each for one case only, and it passes.
const PLAIN: &[(&str, &str)] = &[
    ("CertificateNotFound", "a new certificate is not seen everywhere"),
    ("ClusterContainsCapacityProviderException", "a capacity provider is still being taken off"),
    ("ClusterContainsContainerInstancesException", "the instances are still leaving"),
    ("ClusterContainsServicesException", "the services are still draining"),
    ("ClusterContainsTasksException", "the tasks are still being stopped"),
    ("ConcurrentUpdateException", "another change of the same target is under way"),
    ("DecryptionFailure", "the key of the secret is being enabled again"),
    ("FailedResourceAccessException", "what is scaled is too new for its own service"),
    ("InvalidVPCNetworkStateFault", "the network is still being made"),
    ("KMSInvalidStateException", "the key of the secret is being enabled again"),
    ("KMSKeyNotAccessibleFault", "a new key or its policy is not seen everywhere"),
    ("ServiceNotActiveException", "a service of the same name is still draining"),
    ("UpdateInProgressException", "the capacity providers are still being changed"),
    ("WAFServiceLinkedRoleErrorException", "the role that delivers the log is still being made"),
];

#[test]
fn no_error_is_waited_out_by_its_code_alone() {
    let transient = KINDS.iter().flat_map(|kind| kind.meta().transient);
    let alone = transient.filter(|(_, fragment)| fragment.is_empty());
    let alone: BTreeSet<&str> = alone.map(|(code, _)| *code).collect();
    let known: BTreeSet<&str> = PLAIN.iter().map(|(code, _)| *code).collect();
    assert_eq!(alone, known, "a message makes sure that it is what passes");
}
