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
use crate::aws::error::is_other_account;

/// What a service does to a call.
pub(in crate::aws) enum Does {
    Answer(u16, &'static str),
    /// Status, headers, body.
    Full(u16, Vec<(&'static str, String)>, Vec<u8>),
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
                Does::Full(status, headers, body) => {
                    let status = status.try_into().expect("a status");
                    let mut response = HttpResponse::new(status, SdkBody::from(body));
                    for (name, value) in headers {
                        response.headers_mut().insert(name, value);
                    }
                    Ok(response)
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
    Aws::open(&connection(does), "payment", "dev").await.expect("clients")
}

/// Clients that share their answers.
pub(in crate::aws) async fn reading_of(
    does: impl Fn(&HttpRequest) -> Does + Send + Sync + 'static,
) -> Aws {
    let connection = Connection { reading: Some(Reading::default()), ..connection(does) };
    Aws::open(&connection, "payment", "dev").await.expect("clients")
}

fn connection(does: impl Fn(&HttpRequest) -> Does + Send + Sync + 'static) -> Connection {
    Connection {
        region: Some("us-east-1".into()),
        keys: Some(("key".into(), "secret".into())),
        transport: Some(SharedHttpClient::new(Service(Arc::new(does)))),
        ..Connection::default()
    }
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
async fn a_burst_of_reads_keeps_close_to_the_rate() {
    let took = hundred_reads(15.0).await;
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn queueing_time_does_not_count_as_response_time() {
    let took = hundred_reads(1.0).await;
    assert!(took > Duration::from_secs(90), "some wait longer than an answer may take: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_service_times_out() {
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
async fn reads_are_retried_in_every_protocol_and_writes_are_not() {
    let lost = Mutex::new(std::collections::BTreeSet::new());
    let aws = connected(move |request| {
        let body = request.body().bytes().unwrap_or_default();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let said = format!("{} {target} {}", request.uri(), String::from_utf8_lossy(body));
        if lost.lock().expect("no panic").insert(said) {
            Does::LoseReply
        } else {
            Does::Answer(400, "")
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

/// An error of CloudWatch in RPC v2 CBOR: `{"__type": code}`.
fn cbor(code: &str) -> Vec<u8> {
    let length = u8::try_from(code.len()).expect("a short code");
    [b"\xa1\x66__type\x78", &[length][..], code.as_bytes()].concat()
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_of_cloudwatch_is_sent_again() {
    for code in ["ThrottlingException", "com.amazonaws.cloudwatch#Throttling"] {
        let calls = Mutex::new(0);
        let aws = connected(move |_| {
            let mut calls = calls.lock().expect("no panic");
            *calls += 1;
            let headers = vec![("smithy-protocol", "rpc-v2-cbor".to_owned())];
            match *calls {
                1..4 => Does::Full(400, headers, cbor(code)),
                _ => Does::Full(200, headers, b"\xa0".to_vec()),
            }
        });
        let aws = aws.await;
        let call = aws.cloudwatch.delete_alarms().alarm_names("a").send().await;
        call.map_err(op("DeleteAlarms")).expect("it passes");
        assert_eq!(aws.meter.total(), 4, "{code}");
    }
}

/// A service whose clock differs, and which refuses signatures of another time.
fn elsewhen(difference: time::Duration, heeds: bool) -> impl Fn(&HttpRequest) -> Does {
    move |request| {
        let now = time::OffsetDateTime::now_utc() + difference;
        let http = time::macros::format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        let signed = time::macros::format_description!("[year][month][day]T[hour][minute]");
        let date = vec![("date", now.format(&http).expect("a date"))];
        let is_signed_now = |now: time::OffsetDateTime| {
            let stamp = request.headers().get("x-amz-date").unwrap_or_default();
            stamp.starts_with(&now.format(&signed).expect("a date"))
        };
        let minute = time::Duration::MINUTE;
        if heeds && [now - minute, now, now + minute].into_iter().any(is_signed_now) {
            Does::Full(200, date, br#"{"Aliases":[],"Truncated":false}"#.to_vec())
        } else {
            let said = r#"{"__type":"InvalidSignatureException","message":"Signature expired"}"#;
            Does::Full(400, date, said.as_bytes().to_vec())
        }
    }
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_from_the_first_response() {
    for minutes in [-40, 40] {
        let aws = connected(elsewhen(time::Duration::minutes(minutes), true)).await;
        for _ in 0..2 {
            let listed = aws.kms.list_aliases().send().await.map_err(op("ListAliases"));
            listed.expect("signed with the time of the service");
        }
        assert_eq!(aws.meter.total(), 3, "only the first call is sent twice");
    }
}

#[tokio::test]
async fn a_clock_that_cannot_be_corrected_is_named() {
    for (minutes, words) in [(-40, "40 minutes ahead of"), (40, "40 minutes behind")] {
        let aws = connected(elsewhen(time::Duration::minutes(minutes), false)).await;
        let listed = aws.kms.list_aliases().send().await.map_err(op("ListAliases"));
        let error = listed.expect_err("refused");
        assert_eq!(error.class, ErrorClass::Clock);
        assert!(error.message.contains(words), "{error}");
        assert_eq!(aws.meter.total(), 2);
    }
    let aws = connected(elsewhen(time::Duration::ZERO, false)).await;
    let listed = aws.kms.list_aliases().send().await.map_err(op("ListAliases"));
    assert_eq!(listed.expect_err("refused").class, ErrorClass::Credentials);
    assert_eq!(aws.meter.total(), 1, "a wrong key is not tried again");
}

/// A provider of credentials that fails in this way.
#[derive(Debug)]
struct Giver(fn() -> aws_credential_types::provider::error::CredentialsError);

impl aws_credential_types::provider::ProvideCredentials for Giver {
    fn provide_credentials<'a>(
        &'a self,
    ) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        aws_credential_types::provider::future::ProvideCredentials::ready(Err((self.0)()))
    }
}

#[tokio::test]
async fn only_credentials_that_may_arrive_are_waited_for() {
    use aws_credential_types::provider::error::CredentialsError as Error;
    let cases: [(fn() -> Error, ErrorClass); 9] = [
        (|| Error::provider_timed_out(Duration::from_secs(5)), ErrorClass::Busy),
        (|| Error::provider_error("dispatch failure: connection reset"), ErrorClass::Busy),
        (|| Error::provider_error("STS: service error: ServiceUnavailable"), ErrorClass::Busy),
        (|| Error::provider_error("the SSO token has expired"), ErrorClass::Credentials),
        (|| Error::provider_error("AssumeRole: AccessDenied: timeout"), ErrorClass::Credentials),
        (|| Error::provider_error("request forbidden: IMDS is disabled"), ErrorClass::Credentials),
        (|| Error::provider_error("the file is empty"), ErrorClass::Credentials),
        (|| Error::not_loaded("no providers in chain"), ErrorClass::Credentials),
        (|| Error::invalid_configuration("a loop of profiles"), ErrorClass::Credentials),
    ];
    for (error, class) in cases {
        let service = Service(Arc::new(|_| Does::Answer(200, "{}")));
        let config = aws_sdk_kms::Config::builder()
            .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
            .region(aws_sdk_kms::config::Region::new("us-east-1"))
            .http_client(SharedHttpClient::new(service))
            .retry_classifier(OnlyThrottling)
            .credentials_provider(Giver(error))
            .build();
        let client = aws_sdk_kms::Client::from_conf(config);
        let listed = client.list_aliases().send().await.map_err(op("ListAliases"));
        let got = listed.expect_err("no credentials");
        assert_eq!(got.class, class, "{got}");
        assert_eq!(got.passes(), class == ErrorClass::Busy);
    }
}

#[tokio::test(start_paused = true)]
async fn another_account_is_asked_only_who_it_is() {
    for (allowed, asked) in [("000000000000", 1), ("999999999999", 0)] {
        let service = Service(Arc::new(|_| {
            Does::Answer(
                200,
                "<GetCallerIdentityResponse><GetCallerIdentityResult>\
                 <Arn>arn:aws:iam::000000000000:user/ci</Arn><Account>000000000000</Account>\
                 </GetCallerIdentityResult></GetCallerIdentityResponse>",
            )
        }));
        let connection = Connection {
            region: Some("us-east-1".into()),
            account: Some(allowed.into()),
            keys: Some(("key".into(), "secret".into())),
            transport: Some(SharedHttpClient::new(service)),
            ..Connection::default()
        };
        let mut questions = 0;
        let question = async |_: &Aws| {
            questions += 1;
            Ok(())
        };
        let connected = Aws::connect_asking(&connection, "payment", "dev", question).await;
        assert_eq!(questions, asked);
        match connected {
            Ok((aws, ())) => assert_eq!(aws.caller, "arn:aws:iam::000000000000:user/ci"),
            Err(error) => assert!(is_other_account(&error), "{error}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn connecting_times_out_without_an_answer() {
    let connection = Connection {
        region: Some("us-east-1".into()),
        keys: Some(("key".into(), "secret".into())),
        transport: Some(SharedHttpClient::new(Service(Arc::new(|_| Does::Stall)))),
        ..Connection::default()
    };
    let began = Instant::now();
    let error = Aws::connect(&connection, "payment", "dev").await.expect_err("no answer");
    assert_eq!((error.class, error.code.as_str()), (ErrorClass::Service, "NoAnswer"));
    assert_eq!(began.elapsed(), CONNECTING);
}
