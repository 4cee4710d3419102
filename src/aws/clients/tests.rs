//! The clients against services that throttle, lose replies and stall.

use std::future::pending;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::*;

/// What a service does to a call.
pub(in crate::aws) enum Does {
    Answer(u16, &'static str),
    LoseReply,
    Stall,
}

type Behaviour = dyn Fn(&HttpRequest) -> Does + Send + Sync;

/// A service that behaves like this, and takes 50 ms to do it.
#[derive(Clone)]
struct Service(Arc<Behaviour>);

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

impl HttpClient for Service {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let does = (self.0)(&request);
        HttpConnectorFuture::new(async move {
            sleep(Duration::from_millis(50)).await;
            match does {
                Does::Answer(status, body) => {
                    let status = status.try_into().expect("a status");
                    Ok(HttpResponse::new(status, SdkBody::from(body)))
                }
                Does::LoseReply => Err(ConnectorError::io("the connection broke".into())),
                Does::Stall => pending().await,
            }
        })
    }
}

pub(in crate::aws) async fn connected(
    does: impl Fn(&HttpRequest) -> Does + Send + Sync + 'static,
) -> Aws {
    let connection = Connection {
        region: Some("us-east-1".into()),
        keys: Some(("key".into(), "secret".into())),
        transport: Some(SharedHttpClient::new(Service(Arc::new(does)))),
        ..Connection::default()
    };
    Aws::open(&connection, "payment", "dev").await.expect("clients")
}

/// A service that takes so many calls a second, with a burst of as many.
fn bucket(rate: f64) -> impl Fn(&HttpRequest) -> Does + Send + Sync {
    let state = Mutex::new((rate, Instant::now()));
    move |_| {
        let (tokens, filled) = &mut *state.lock().expect("no panic");
        *tokens = (*tokens + filled.elapsed().as_secs_f64() * rate).min(rate);
        *filled = Instant::now();
        if *tokens < 1.0 {
            let said = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
            return Does::Answer(400, said);
        }
        *tokens -= 1.0;
        Does::Answer(200, r#"{"Aliases":[],"Truncated":false}"#)
    }
}

/// How long a hundred reads at once take a service with this rate.
async fn hundred_reads(rate: f64) -> Duration {
    let aws = connected(bucket(rate)).await;
    let began = Instant::now();
    let reads = (0..100).map(|_| aws.kms.list_aliases().send());
    for read in join_all(reads).await {
        read.map_err(op("ListAliases")).expect("every read succeeds");
    }
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_reads_takes_hardly_longer_than_the_rate_allows() {
    let took = hundred_reads(15.0).await;
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_turn_is_not_waiting_for_an_answer() {
    let took = hundred_reads(1.0).await;
    assert!(took > Duration::from_secs(90), "some wait longer than an answer may take: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stalls_is_given_up() {
    let aws = connected(|_| Does::Stall).await;
    let began = Instant::now();
    let create = aws.kms.create_key().send().await.map_err(op("CreateKey"));
    let error = create.expect_err("no answer");
    assert_eq!((error.class, error.code.as_str()), (ErrorClass::Service, "Timeout"));
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_large_package_may_take_longer() {
    let aws = connected(|_| Does::Stall).await;
    let began = Instant::now();
    let code = aws.lambda.update_function_code().function_name("f");
    let code = code.zip_file(vec![0; 6_000_000].into()).send().await;
    code.map_err(op("UpdateFunctionCode")).expect_err("no answer");
    // Base64 makes it 8 MB.
    assert_eq!(began.elapsed().as_secs(), 60 + 80);
}

#[tokio::test(start_paused = true)]
async fn a_read_is_sent_again_whatever_protocol_it_speaks_and_a_write_is_not() {
    let lost = Mutex::new(std::collections::BTreeSet::new());
    let aws = connected(move |request| {
        let body = request.body().bytes().unwrap_or_default();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let said = format!("{} {target} {}", request.uri(), String::from_utf8_lossy(body));
        match lost.lock().expect("no panic").insert(said) {
            true => Does::LoseReply,
            false => Does::Answer(400, ""),
        }
    })
    .await;
    let answered = |error: OpError| assert_ne!(error.code, "ConnectionLost", "{error}");
    let call = aws.cloudwatch.describe_alarms().send().await.map_err(op("DescribeAlarms"));
    answered(call.expect_err("refused"));
    let call = aws.ec2.describe_vpcs().send().await.map_err(op("DescribeVpcs"));
    answered(call.expect_err("refused"));
    let call = aws.kms.list_keys().send().await.map_err(op("ListKeys"));
    answered(call.expect_err("refused"));
    let call = aws.lambda.get_account_settings().send().await.map_err(op("GetAccountSettings"));
    answered(call.expect_err("refused"));
    let call = aws.cloudwatch.delete_alarms().alarm_names("a").send().await;
    let lost = call.map_err(op("DeleteAlarms")).expect_err("lost");
    assert_eq!((lost.class, lost.code.as_str()), (ErrorClass::Service, "ConnectionLost"));
}
