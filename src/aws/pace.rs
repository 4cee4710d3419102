//! The rate of calls to one service: as fast as it allows until it throttles, then slower for all
//! tasks together, then faster again. This module also repeats reads whose reply was lost; the
//! engine handles all other errors. It keeps the timeout of an answer too, which must not run while
//! a call waits for its turn.
//!
//! The SDK has an adaptive mode too. It measures the rate before the first throttling, and slows a
//! short run with few calls down to one call in two seconds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::error::{is_skewed, is_throttling};

/// The first distance between calls after a throttled one.
const FIRST: Duration = Duration::from_millis(40);
/// The longest distance.
const LONGEST: Duration = Duration::from_secs(2);

/// Operations with a rate of their own, in API Gateway down to one call in 30 s: that they are
/// throttled says nothing of all others.
const ALONE: [&str; 14] = [
    "CreateApiKey",
    "CreateDeployment",
    "CreateResource",
    "CreateRestApi",
    "CreateVpcLink",
    "DeleteApiKey",
    "DeleteResource",
    "DeleteRestApi",
    "DeleteVpcLink",
    "GetResources",
    "PutMetricAlarm",
    "PutRestApi",
    "UpdateAccount",
    "UpdateUsagePlan",
];

/// The pace of one service, shared by all tasks: one lane for each operation that is alone, and
/// the first for all others.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace(Arc<[Lane; ALONE.len() + 1]>);

/// Calls that are throttled together.
#[derive(Debug, Default)]
struct Lane {
    /// The time of the last call. The lock holder sends next; the others wait in their order, so
    /// that all of them profit when it goes faster again.
    last: tokio::sync::Mutex<Option<Instant>>,
    tempo: Mutex<Tempo>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tempo {
    /// How far calls are apart; nothing while AWS keeps up.
    distance: Duration,
    /// When that grew last.
    slowed: Option<Instant>,
}

impl Lane {
    fn tempo(&self) -> MutexGuard<'_, Tempo> {
        self.tempo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is this call's turn, and says when that was.
    async fn turn(&self) -> Instant {
        let mut last = self.last.lock().await;
        let distance = self.tempo().distance;
        if let Some(last) = last.filter(|_| !distance.is_zero()) {
            sleep_until(last + distance).await;
        }
        *last.insert(Instant::now())
    }

    /// Learns from an answer. A call that was sent before the distance grew says nothing about how
    /// it is now: a burst of calls that are throttled together makes it grow once.
    fn learn(&self, sent: Instant, is_throttled: bool) {
        let mut tempo = self.tempo();
        if tempo.slowed.is_some_and(|slowed| sent <= slowed) {
            return;
        }
        if is_throttled {
            tempo.distance = (tempo.distance * 2).clamp(FIRST, LONGEST);
            tempo.slowed = Some(Instant::now());
        } else {
            tempo.distance = tempo.distance * 3 / 4;
            if tempo.distance < FIRST / 8 {
                tempo.distance = Duration::ZERO;
            }
        }
    }
}

impl Pace {
    fn lane(&self, operation: &str) -> &Lane {
        let alone = ALONE.iter().position(|alone| *alone == operation);
        &self.0[alone.map_or(0, |at| at + 1)]
    }

    /// A client with calls at this pace.
    pub(super) fn client(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Paced { pace: self.clone(), inner })
    }
}

/// Lets the SDK retry only calls that provably had no effect: throttling, and once a signature that
/// this machine's clock made too old or too new, which the SDK corrects from the answer's date.
/// Every other failure goes to the engine, which looks before it acts. The SDK's own rules would
/// send `CreateVpc` again after a lost reply and make two.
#[derive(Debug)]
pub(super) struct OnlyThrottling;

impl ClassifyRetry for OnlyThrottling {
    fn classify_retry(&self, cx: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = cx.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let Some(response) = cx.response().filter(|_| error.is_operation_error()) else {
            return RetryAction::RetryForbidden;
        };
        let is_first = response.extension::<First>().is_some();
        match is_throttling(response) {
            true => RetryAction::throttling_error(),
            false if is_first && is_skewed(response, SystemTime::now()) => {
                RetryAction::transient_error()
            }
            false => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "only what provably did not happen"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// The name of the operation that a request is for; it travels with the request.
#[derive(Clone, Debug, Default)]
pub(super) struct Operation(pub(super) String);

/// Marks the answer to the first attempt of a call.
#[derive(Clone, Copy, Debug)]
struct First;

/// Whether a request is the first attempt of a call, as the SDK writes it down for AWS.
fn is_first(request: &HttpRequest) -> bool {
    let attempt = request.headers().get("amz-sdk-request");
    attempt.is_some_and(|attempt| attempt.contains("attempt=1;"))
}

#[derive(Debug)]
struct Paced<T> {
    pace: Pace,
    inner: T,
}

impl HttpClient for Paced<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Paced { pace: self.pace.clone(), inner })
    }
}

impl HttpConnector for Paced<SharedHttpConnector> {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let (pace, inner) = (self.pace.clone(), self.inner.clone());
        HttpConnectorFuture::new(async move {
            let Operation(operation) = request.extension().cloned().unwrap_or_default();
            let lane = pace.lane(&operation);
            let is_first = is_first(&request);
            let mut pause = FIRST_PAUSE;
            let mut left = if is_read(&operation) { READS } else { 1 };
            loop {
                let sent = lane.turn().await;
                left -= 1;
                let again = (left > 0).then(|| request.try_clone()).flatten();
                let mut reply = answer(&inner, request).await;
                if let Ok(answer) = &mut reply {
                    lane.learn(sent, is_throttling(answer));
                    if is_first {
                        answer.add_extension(First);
                    }
                }
                match again {
                    Some(same) if is_lost(&reply) => request = same,
                    Some(_) | None => return reply,
                }
                sleep(pause).await;
                pause *= 3;
            }
        })
    }
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many bytes a second a slow line carries: the code of a function takes its time.
const SLOW_LINE: u64 = 100_000;

/// The whole answer to one request, in its time, which begins when the request is sent.
async fn answer(
    inner: &SharedHttpConnector,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let length = request.body().content_length().unwrap_or_default();
    let whole = async {
        let mut response = inner.call(request).await?;
        let body = ByteStream::new(response.take_body()).collect().await;
        let body = body.map_err(|error| ConnectorError::io(error.into()))?;
        *response.body_mut() = SdkBody::from(body.into_bytes());
        Ok(response)
    };
    let limit = PATIENCE + Duration::from_secs(length / SLOW_LINE);
    timeout(limit, whole).await.unwrap_or_else(|late| Err(ConnectorError::timeout(late.into())))
}

/// How often a read is sent before its failure counts.
const READS: u32 = 4;
/// How long to wait before a read is sent again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Whether an operation only looks: then it may be sent again whatever became of it.
fn is_read(operation: &str) -> bool {
    ["Describe", "Get", "Head", "List"].iter().any(|verb| operation.starts_with(verb))
}

/// Whether the result of a request is unknown.
fn is_lost(reply: &Result<HttpResponse, ConnectorError>) -> bool {
    match reply {
        Ok(answer) => matches!(answer.status().as_u16(), 500 | 502 | 504),
        Err(error) => !error.is_user(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_throttled_service_is_called_more_slowly_and_recovers() {
        let lane = Lane::default();
        let began = Instant::now();
        for _ in 0..3 {
            lane.turn().await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        lane.learn(began, true);
        lane.turn().await;
        assert_eq!(began.elapsed(), FIRST);
        for _ in 0..20 {
            let sent = lane.turn().await;
            lane.learn(sent, true);
        }
        assert_eq!(lane.tempo().distance, LONGEST);
        for _ in 0..40 {
            let sent = lane.turn().await;
            lane.learn(sent, false);
        }
        assert_eq!(lane.tempo().distance, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_throttled_together_slow_down_once() {
        let lane = Lane::default();
        let sent = lane.turn().await;
        sleep(FIRST).await;
        (0..7).for_each(|_| lane.learn(sent, true));
        assert_eq!(lane.tempo().distance, FIRST);
        lane.learn(sent, false);
        assert_eq!(lane.tempo().distance, FIRST, "an answer from before counts as little");
        sleep(FIRST).await;
        let sent = lane.turn().await;
        lane.learn(sent, true);
        assert_eq!(lane.tempo().distance, FIRST * 2);
    }

    #[test]
    fn an_operation_with_a_rate_of_its_own_slows_nothing_else() {
        let pace = Pace::default();
        pace.lane("DeleteRestApi").learn(Instant::now(), true);
        assert_eq!(pace.lane("DeleteRestApi").tempo().distance, FIRST);
        for other in ["GetRestApis", "CreateRestApi", ""] {
            assert_eq!(pace.lane(other).tempo().distance, Duration::ZERO, "{other}");
        }
        pace.lane("GetRestApis").learn(Instant::now(), true);
        assert_eq!(pace.lane("GetStages").tempo().distance, FIRST);
    }

    #[test]
    fn only_what_looks_is_sent_again() {
        for operation in ["DescribeAlarms", "GetFunction", "HeadBucket", "ListKeys"] {
            assert!(is_read(operation), "{operation}");
        }
        for operation in ["CreateVpc", "PutMetricAlarm", "TagResource", ""] {
            assert!(!is_read(operation), "{operation}");
        }
    }
}
