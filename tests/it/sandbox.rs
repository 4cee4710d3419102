//! The sandbox through the real SDK.

use aws_credential_types::Credentials;
use aws_sdk_sts::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use payctl_sandbox::Sandbox;

mod faults;
mod flaps;
mod s3;

fn sts(transport: SharedHttpClient) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::from_keys("SANDBOX", "sandbox", None))
        .http_client(transport)
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

async fn access_key(client: &aws_sdk_sts::Client) -> String {
    let call = client.assume_role().role_arn("arn:aws:iam::000000000000:role/p/deploy");
    let answer = call.role_session_name("ci").send().await.expect("an answer");
    assert_eq!(
        answer.assumed_role_user().expect("an answer").arn(),
        "arn:aws:sts::000000000000:assumed-role/deploy/ci"
    );
    answer.credentials().expect("an answer").access_key_id().to_owned()
}

#[tokio::test]
async fn the_sdk_is_answered_in_process() {
    let client = sts(Sandbox::in_memory().transport());
    let caller = client.get_caller_identity().send().await.expect("an answer");
    assert_eq!(caller.account(), Some("000000000000"));
    assert_eq!(caller.arn(), Some("arn:aws:iam::000000000000:root"));
}

#[tokio::test]
async fn a_role_can_be_assumed() {
    let client = sts(Sandbox::in_memory().transport());
    assert!(access_key(&client).await.starts_with("ASIA"));
    let error = client.assume_role().role_arn("role").role_session_name("ci").send().await;
    assert_eq!(
        error.expect_err("a refusal").into_service_error().meta().code(),
        Some("ValidationError")
    );
}

#[tokio::test]
async fn unsupported_operations_say_so() {
    let client = sts(Sandbox::in_memory().transport());
    let error =
        client.get_session_token().send().await.expect_err("a refusal").into_service_error();
    assert_eq!(error.meta().code(), Some("NotImplementedInSandbox"));
    assert!(error.meta().message().expect("an answer").contains("sts:GetSessionToken"));
}

#[tokio::test]
async fn a_snapshot_restores_everything() {
    let sandbox = Sandbox::in_memory();
    let client = sts(sandbox.transport());
    let before = sandbox.snapshot().expect("an answer");
    let first = access_key(&client).await;
    assert_ne!(access_key(&client).await, first);
    sandbox.restore(&before).expect("an answer");
    assert_eq!(access_key(&client).await, first);
}
