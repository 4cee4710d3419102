//! Faults, as a caller with the real SDK sees them.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_sdk_s3::error::SdkError;
use payctl_sandbox::{Fault, Faults, Sandbox};

fn client(faults: &Faults) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::from_keys("SANDBOX", "sandbox", None))
        .retry_config(RetryConfig::disabled())
        .http_client(faults.transport())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

async fn create(faults: &Faults) -> Result<(), SdkError<impl std::fmt::Debug + use<>>> {
    client(faults).create_bucket().bucket("sample").send().await.map(|_| ())
}

/// Creates an object under a fault. Returns what the caller got, and whether the object exists.
async fn under(fault: Fault) -> (Option<bool>, bool) {
    let sandbox = Sandbox::in_memory();
    let faults = Faults::new(sandbox.transport()).at(1, fault);
    let ended = tokio::select! {
        result = create(&faults) => Some(result.is_ok()),
        () = faults.stopped() => None,
    };
    assert_eq!(faults.struck(), [("s3.CreateBucket".to_owned(), fault)]);
    (ended, !sandbox.counts().expect("an answer").is_empty())
}

#[tokio::test]
async fn each_fault_has_its_documented_effect() {
    assert_eq!(under(Fault::StopBefore).await, (None, false));
    assert_eq!(under(Fault::StopAfter).await, (None, true));
    assert_eq!(under(Fault::LoseReply).await, (Some(false), true));
    assert_eq!(under(Fault::ResetBefore).await, (Some(false), false));
    assert_eq!(under(Fault::Throttle).await, (Some(false), false));
    assert_eq!(under(Fault::Error500).await, (Some(false), false));
}

#[tokio::test]
async fn a_lost_reply_is_a_dispatch_failure() {
    let faults = Faults::new(Sandbox::in_memory().transport()).at(1, Fault::LoseReply);
    let error = create(&faults).await.expect_err("a refusal");
    assert!(matches!(error, SdkError::DispatchFailure(failure) if failure.is_io()));
}

#[tokio::test]
async fn reads_can_be_left_out_of_the_count() {
    let sandbox = Sandbox::in_memory();
    let faults = Faults::new(sandbox.transport()).only_writes().at(1, Fault::Error500);
    assert!(client(&faults).list_buckets().send().await.is_ok());
    assert!(create(&faults).await.is_err());
    assert!(create(&faults).await.is_ok());
    assert_eq!(faults.calls(), ["s3.ListBuckets", "s3.CreateBucket", "s3.CreateBucket"]);
    assert_eq!(faults.counted(), 2);
}

#[tokio::test]
async fn a_stopped_transport_sends_nothing() {
    let sandbox = Sandbox::in_memory();
    let faults = Faults::new(sandbox.transport()).at(1, Fault::StopBefore);
    for _ in 0..2 {
        tokio::select! {
            _ = create(&faults) => panic!("a dead process got a reply"),
            () = tokio::task::yield_now() => {}
        }
        tokio::select! {
            _ = create(&faults) => panic!("a dead process got a reply"),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
    assert!(faults.has_stopped() && sandbox.counts().expect("an answer").is_empty());
}
