//! S3 through the real SDK.

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketLoggingStatus,
    BucketVersioningStatus, CreateBucketConfiguration, DefaultRetention, Delete, ExpirationStatus,
    LifecycleRule, LifecycleRuleFilter, LoggingEnabled, ObjectIdentifier, ObjectLockConfiguration,
    ObjectLockEnabled, ObjectLockRetentionMode, ObjectLockRule, Tag, Tagging, Transition,
    TransitionStorageClass, VersioningConfiguration,
};

use payctl_sandbox::Sandbox;
use serde_json::json;

fn client_of(sandbox: &Sandbox, region: &'static str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(Credentials::from_keys("SANDBOX", "sandbox", None))
        .http_client(sandbox.transport())
        .build();
    Client::from_conf(config)
}

/// A client with the bucket `sample`.
async fn sample() -> Client {
    let client = client_of(&Sandbox::in_memory(), "us-east-1");
    client.create_bucket().bucket("sample").send().await.expect("an answer");
    client
}

fn code<T: std::fmt::Debug, E, R>(result: Result<T, SdkError<E, R>>) -> String
where
    SdkError<E, R>: ProvideErrorMetadata,
{
    result.expect_err("a refusal").code().unwrap_or_default().to_owned()
}

async fn put(client: &Client, key: &str, text: &str) -> Option<String> {
    let body = ByteStream::from(text.as_bytes().to_vec());
    let call = client.put_object().bucket("sample").key(key).body(body);
    call.send().await.expect("an answer").version_id
}

async fn version(client: &Client) {
    let wish = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let call = client.put_bucket_versioning().bucket("sample").versioning_configuration(wish);
    call.send().await.expect("an answer");
}

fn at(region: &str) -> CreateBucketConfiguration {
    let tag = Tag::builder().key("a").value("b c").build().expect("an answer");
    CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::from(region))
        .tags(tag)
        .build()
}

#[tokio::test]
async fn the_region_decides_what_creation_must_say() {
    let sandbox = Sandbox::in_memory();
    let (east, west) = (client_of(&sandbox, "us-east-1"), client_of(&sandbox, "eu-west-1"));
    let create = |client: &Client| client.create_bucket().bucket("west");
    assert_eq!(code(create(&west).send().await), "IllegalLocationConstraintException");
    let wrong = create(&west).create_bucket_configuration(at("eu-north-1"));
    assert_eq!(code(wrong.send().await), "IllegalLocationConstraintException");
    let wrong = create(&east).create_bucket_configuration(at("us-east-1"));
    assert_eq!(code(wrong.send().await), "InvalidLocationConstraint");

    let right = create(&west).create_bucket_configuration(at("eu-west-1"));
    right.clone().send().await.expect("an answer");
    assert_eq!(code(right.send().await), "BucketAlreadyOwnedByYou");
    let tags = west.get_bucket_tagging().bucket("west").send().await.expect("an answer").tag_set;
    assert_eq!((tags[0].key.as_str(), tags[0].value.as_str()), ("a", "b c"));
    let place = east.get_bucket_location().bucket("west").send().await.expect("an answer");
    assert_eq!(place.location_constraint, Some(BucketLocationConstraint::EuWest1));
    assert_eq!(code(east.get_bucket_policy().bucket("west").send().await), "PermanentRedirect");

    let again = || east.create_bucket().bucket("east").send();
    again().await.expect("an answer");
    again().await.expect("an answer");
    let bad = east.create_bucket().bucket("Bad_Name").send().await;
    assert_eq!(code(bad), "InvalidBucketName");
}

#[tokio::test]
async fn a_new_bucket_has_the_defaults_of_aws() {
    let client = sample().await;
    let block = client
        .get_public_access_block()
        .bucket("sample")
        .send()
        .await
        .expect("an answer")
        .public_access_block_configuration
        .expect("an answer");
    assert_eq!(block.block_public_policy, Some(true));
    let rules = client
        .get_bucket_encryption()
        .bucket("sample")
        .send()
        .await
        .expect("an answer")
        .server_side_encryption_configuration
        .expect("an answer")
        .rules;
    let default = rules[0].apply_server_side_encryption_by_default.as_ref().expect("an answer");
    assert_eq!(default.sse_algorithm.as_str(), "AES256");
    let controls =
        client.get_bucket_ownership_controls().bucket("sample").send().await.expect("an answer");
    let rule = &controls.ownership_controls.expect("an answer").rules[0];
    assert_eq!(rule.object_ownership.as_str(), "BucketOwnerEnforced");
    let versioning =
        client.get_bucket_versioning().bucket("sample").send().await.expect("an answer");
    assert_eq!(versioning.status, None);
    let logging = client.get_bucket_logging().bucket("sample").send().await.expect("an answer");
    assert!(logging.logging_enabled.is_none());
    assert_eq!(code(client.get_bucket_tagging().bucket("sample").send().await), "NoSuchTagSet");
    assert_eq!(
        code(client.get_bucket_policy().bucket("sample").send().await),
        "NoSuchBucketPolicy"
    );
    assert_eq!(
        code(client.get_bucket_lifecycle_configuration().bucket("sample").send().await),
        "NoSuchLifecycleConfiguration"
    );
    assert_eq!(code(client.get_bucket_policy().bucket("none").send().await), "NoSuchBucket");
    let head = client.head_bucket().bucket("none").send().await.expect_err("a refusal");
    assert!(head.into_service_error().is_not_found());
}

#[tokio::test]
async fn a_public_policy_needs_public_access_unblocked() {
    let client = sample().await;
    let policy = |principal: &str| {
        json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::sample/*",
        }] })
        .to_string()
    };
    let put = |text: String| client.put_bucket_policy().bucket("sample").policy(text).send();
    assert_eq!(code(put(policy("*")).await), "AccessDenied");
    assert_eq!(code(put("{".into()).await), "MalformedPolicy");
    assert_eq!(code(put(policy("*").replace("sample", "other")).await), "MalformedPolicy");
    client.delete_public_access_block().bucket("sample").send().await.expect("an answer");
    put(policy("*")).await.expect("an answer");
    let status =
        client.get_bucket_policy_status().bucket("sample").send().await.expect("an answer");
    assert_eq!(status.policy_status.expect("an answer").is_public, Some(true));
    client.delete_bucket_policy().bucket("sample").send().await.expect("an answer");
    let gone = client.get_bucket_policy().bucket("sample").send().await;
    assert_eq!(code(gone), "NoSuchBucketPolicy");
}

#[tokio::test]
async fn lifecycles_are_checked_and_kept() {
    let client = sample().await;
    let put = |class: TransitionStorageClass, days: i32| {
        let step = Transition::builder().days(days).storage_class(class).build();
        let rule = LifecycleRule::builder()
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("logs/").build())
            .transitions(step)
            .build()
            .expect("an answer");
        let wish = BucketLifecycleConfiguration::builder().rules(rule).build().expect("an answer");
        let call = client.put_bucket_lifecycle_configuration().bucket("sample");
        call.lifecycle_configuration(wish).send()
    };
    assert_eq!(code(put(TransitionStorageClass::StandardIa, 7).await), "InvalidArgument");
    put(TransitionStorageClass::Glacier, 7).await.expect("an answer");
    let read = client
        .get_bucket_lifecycle_configuration()
        .bucket("sample")
        .send()
        .await
        .expect("an answer");
    assert!(read.transition_default_minimum_object_size.is_some());
    let rule = &read.rules()[0];
    assert!(rule.id.as_ref().is_some_and(|id| !id.is_empty()));
    assert_eq!(rule.filter.as_ref().expect("an answer").prefix.as_deref(), Some("logs/"));
    assert_eq!(rule.transitions()[0].days, Some(7));
    client.delete_bucket_lifecycle().bucket("sample").send().await.expect("an answer");
}

#[tokio::test]
async fn logs_go_to_a_bucket_that_exists() {
    let client = sample().await;
    let put = |target: Option<&str>| {
        let enabled = target.map(|target| {
            let enabled = LoggingEnabled::builder().target_bucket(target).target_prefix("a/");
            enabled.build().expect("an answer")
        });
        let wish = BucketLoggingStatus::builder().set_logging_enabled(enabled).build();
        client.put_bucket_logging().bucket("sample").bucket_logging_status(wish).send()
    };
    assert_eq!(code(put(Some("logs")).await), "InvalidTargetBucketForLogging");
    client.create_bucket().bucket("logs").send().await.expect("an answer");
    put(Some("logs")).await.expect("an answer");
    let read = client.get_bucket_logging().bucket("sample").send().await.expect("an answer");
    assert_eq!(read.logging_enabled.expect("an answer").target_prefix, "a/");
    let locked = client.create_bucket().bucket("locked").object_lock_enabled_for_bucket(true);
    locked.send().await.expect("an answer");
    assert_eq!(code(put(Some("locked")).await), "InvalidTargetBucketForLogging");
    put(None).await.expect("an answer");
    let read = client.get_bucket_logging().bucket("sample").send().await.expect("an answer");
    assert!(read.logging_enabled.is_none());
}

#[tokio::test]
async fn tags_are_replaced_as_a_whole() {
    let client = sample().await;
    let put = |pairs: &[(&str, &str)]| {
        let tags = pairs.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build());
        let tags: Result<Vec<_>, _> = tags.collect();
        let wish = Tagging::builder().set_tag_set(tags.ok()).build().expect("an answer");
        client.put_bucket_tagging().bucket("sample").tagging(wish).send()
    };
    put(&[("a", "1"), ("b", "<2>")]).await.expect_err("a refusal");
    put(&[("a", "1"), ("payctl:env", "dev")]).await.expect("an answer");
    put(&[("b", "2")]).await.expect("an answer");
    let tags =
        client.get_bucket_tagging().bucket("sample").send().await.expect("an answer").tag_set;
    assert_eq!(tags.len(), 1);
    assert_eq!(code(put(&[("a", "1"), ("a", "2")]).await), "InvalidTag");
}

#[tokio::test]
async fn objects_are_read_back_as_put() {
    let client = sample().await;
    let body = ByteStream::from_static(b"a\r\n0\r\nb");
    let call = client.put_object().bucket("sample").key("a/b c&d").body(body);
    call.content_type("text/plain").metadata("who", "me").send().await.expect("an answer");
    let read = client.get_object().bucket("sample").key("a/b c&d").send().await.expect("an answer");
    assert_eq!(read.content_type(), Some("text/plain"));
    assert_eq!(read.metadata().expect("an answer")["who"], "me");
    assert_eq!(read.body.collect().await.expect("an answer").to_vec(), b"a\r\n0\r\nb");
    let head =
        client.head_object().bucket("sample").key("a/b c&d").send().await.expect("an answer");
    assert_eq!(head.content_length(), Some(7));
    let list =
        client.list_objects_v2().bucket("sample").delimiter("/").send().await.expect("an answer");
    assert_eq!(list.common_prefixes()[0].prefix(), Some("a/"));
    let gone = client.get_object().bucket("sample").key("none").send().await;
    assert_eq!(code(gone), "NoSuchKey");
}

#[tokio::test]
async fn a_bucket_is_deleted_only_without_versions_and_markers() {
    let client = sample().await;
    put(&client, "key", "before").await;
    version(&client).await;
    let id = put(&client, "key", "after").await.expect("an answer");
    let marker =
        client.delete_object().bucket("sample").key("key").send().await.expect("an answer");
    assert_eq!(marker.delete_marker, Some(true));
    let hidden = client.get_object().bucket("sample").key("key").send().await;
    assert_eq!(code(hidden), "NoSuchKey");
    let old = client.get_object().bucket("sample").key("key").version_id("null").send().await;
    assert_eq!(
        old.expect("an answer").body.collect().await.expect("an answer").to_vec(),
        b"before"
    );
    let delete = || client.delete_bucket().bucket("sample").send();
    assert_eq!(code(delete().await), "BucketNotEmpty");

    let all = client.list_object_versions().bucket("sample").send().await.expect("an answer");
    assert_eq!(all.versions()[0].version_id(), Some(id.as_str()));
    assert_eq!((all.versions().len(), all.delete_markers().len()), (2, 1));
    assert_eq!(all.delete_markers()[0].is_latest, Some(true));
    let ids = all.versions().iter().map(|version| version.version_id());
    let ids = ids.chain(all.delete_markers().iter().map(|marker| marker.version_id()));
    let objects = ids.map(|id| {
        let object = ObjectIdentifier::builder().key("key").set_version_id(id.map(Into::into));
        object.build().expect("an answer")
    });
    let wish = Delete::builder().set_objects(Some(objects.collect())).build().expect("an answer");
    let answer =
        client.delete_objects().bucket("sample").delete(wish).send().await.expect("an answer");
    assert_eq!(answer.deleted().len(), 3);
    assert!(answer.errors().is_empty());
    delete().await.expect("an answer");
    assert_eq!(code(delete().await), "NoSuchBucket");
}

#[tokio::test]
async fn listings_come_in_pages() {
    let client = sample().await;
    version(&client).await;
    for key in ["a", "b", "c/1", "c/2", "d"] {
        put(&client, key, "1").await;
        put(&client, key, "2").await;
    }
    let mut seen = Vec::new();
    let mut pages = client.list_object_versions().bucket("sample").max_keys(3);
    loop {
        let page = pages.clone().send().await.expect("an answer");
        let ids = page.versions().iter();
        seen.extend(ids.map(|v| (v.key().expect("an answer").to_owned(), v.version_id.clone())));
        if page.is_truncated != Some(true) {
            break;
        }
        pages = pages
            .set_key_marker(page.next_key_marker)
            .set_version_id_marker(page.next_version_id_marker);
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.is_sorted_by_key(|(key, _)| key.clone()));
    let unique: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(unique.len(), 10);

    let list = client.list_objects_v2().bucket("sample").delimiter("/").max_keys(1);
    let mut pages = list.into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.expect("an answer");
        names.extend(page.contents().iter().filter_map(|o| o.key().map(str::to_owned)));
        names.extend(page.common_prefixes().iter().filter_map(|p| p.prefix().map(str::to_owned)));
    }
    assert_eq!(names, ["a", "b", "c/", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_strict_sandbox_frees_bucket_names_late() {
    let client = client_of(&Sandbox::in_memory_strict(), "us-east-1");
    let create = || client.create_bucket().bucket("sample").send();
    create().await.expect("an answer");
    client.delete_bucket().bucket("sample").send().await.expect("an answer");
    assert_eq!(code(create().await), "OperationAborted");
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    create().await.expect("an answer");
}

#[tokio::test]
async fn object_lock_needs_versioning_and_keeps_versions() {
    let client = sample().await;
    let retention = DefaultRetention::builder().mode(ObjectLockRetentionMode::Governance).days(1);
    let rule = ObjectLockRule::builder().default_retention(retention.build()).build();
    let lock = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(rule)
        .build();
    let put = || {
        let call = client.put_object_lock_configuration().bucket("sample");
        call.object_lock_configuration(lock.clone()).send()
    };
    assert_eq!(code(put().await), "InvalidBucketState");
    let versioning = |status| {
        let wish = VersioningConfiguration::builder().status(status).build();
        client.put_bucket_versioning().bucket("sample").versioning_configuration(wish).send()
    };
    versioning(BucketVersioningStatus::Enabled).await.expect("an answer");
    put().await.expect("an answer");
    assert_eq!(code(versioning(BucketVersioningStatus::Suspended).await), "InvalidBucketState");
    let body = ByteStream::from_static(b"x");
    let made =
        client.put_object().bucket("sample").key("a").body(body).send().await.expect("an answer");
    let version = made.version_id.expect("an answer");
    let delete = || client.delete_object().bucket("sample").key("a").version_id(&version);
    assert_eq!(code(delete().send().await), "AccessDenied");
    let held =
        client.get_object_retention().bucket("sample").key("a").send().await.expect("an answer");
    assert_eq!(held.retention.expect("an answer").mode, Some(ObjectLockRetentionMode::Governance));
    // A delete marker keeps the versions below it.
    client.delete_object().bucket("sample").key("a").send().await.expect("an answer");
    delete().bypass_governance_retention(true).send().await.expect("an answer");
}
