//! How one service is called: as fast as it likes until it throttles, then slower for all tasks
//! together, then faster again. What only looks is sent again when its reply is lost; everything
//! else is the engine's business.
//!
//! The SDK has an adaptive mode of its own; it measures the rate before the first throttling and
//! slows a short run with few calls down to one call in two seconds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
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
use tokio::time::{Instant, sleep, sleep_until};

use super::error::is_throttling;

/// The first distance between calls after a throttled one.
const FIRST: Duration = Duration::from_millis(40);
/// The longest distance.
const LONGEST: Duration = Duration::from_secs(2);

/// The pace of one service, shared by all tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// How far calls are apart; nothing while AWS keeps up.
    distance: Duration,
    /// When the next call may go.
    next: Option<Instant>,
}

impl Pace {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When this call may go.
    fn slot(&self) -> Option<Instant> {
        let mut state = self.state();
        if state.distance.is_zero() {
            return None;
        }
        let now = Instant::now();
        let slot = state.next.map_or(now, |next| next.max(now));
        state.next = Some(slot + state.distance);
        Some(slot)
    }

    fn slower(&self) {
        let mut state = self.state();
        state.distance = (state.distance * 2).clamp(FIRST, LONGEST);
    }

    fn faster(&self) {
        let mut state = self.state();
        state.distance = state.distance * 3 / 4;
        if state.distance < FIRST / 8 {
            state.distance = Duration::ZERO;
        }
    }

    /// A client whose calls keep this pace.
    pub(super) fn client(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Paced { pace: self.clone(), inner })
    }
}

/// Lets the SDK retry only what provably did not happen: throttling. Every other failure goes to
/// the engine, which looks before it acts. The SDK's own rules would send `CreateVpc` again after
/// a lost reply and make two.
impl ClassifyRetry for Pace {
    fn classify_retry(&self, cx: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = cx.output_or_error() else {
            self.faster();
            return RetryAction::NoActionIndicated;
        };
        if error.is_operation_error() && cx.response().is_some_and(is_throttling) {
            self.slower();
            RetryAction::throttling_error()
        } else {
            RetryAction::RetryForbidden
        }
    }

    fn name(&self) -> &'static str {
        "only what provably did not happen"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
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
            let mut pause = FIRST_PAUSE;
            let mut left = if is_read(&request) { READS } else { 1 };
            loop {
                if let Some(slot) = pace.slot() {
                    sleep_until(slot).await;
                }
                left -= 1;
                let again = (left > 0).then(|| request.try_clone()).flatten();
                let reply = inner.call(request).await;
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

/// How often a read is sent before its failure counts.
const READS: u32 = 4;
/// How long to wait before a read is sent again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Whether a request only looks: then it may be sent again whatever became of it.
fn is_read(request: &HttpRequest) -> bool {
    let body = request.body().bytes().unwrap_or_default();
    let target = request.headers().get("x-amz-target");
    let operation = match (target, body.strip_prefix(b"Action=")) {
        (Some(target), _) => target.rsplit('.').next().unwrap_or_default().as_bytes(),
        (None, Some(action)) => action,
        (None, None) => return matches!(request.method(), "GET" | "HEAD"),
    };
    [&b"Describe"[..], b"Get", b"List"].iter().any(|verb| operation.starts_with(verb))
}

/// Whether it stays open what became of a request.
fn is_lost(reply: &Result<HttpResponse, ConnectorError>) -> bool {
    match reply {
        Ok(answer) => matches!(answer.status().as_u16(), 500 | 502 | 504),
        Err(error) => !error.is_user(),
    }
}

/// The ordinary transport: HTTPS, through the proxy that the environment names.
pub(super) fn network() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let tls = Provider::Rustls(CryptoMode::AwsLc);
        let mut connector = ConnectorBuilder::default().tls_provider(tls);
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_throttled_service_is_called_more_slowly_and_recovers() {
        let pace = Pace::default();
        assert_eq!(pace.slot(), None);
        pace.slower();
        let first = pace.slot().expect("calls are apart now");
        assert_eq!(pace.slot().expect("a slot") - first, FIRST);
        (0..20).for_each(|_| pace.slower());
        assert_eq!(pace.state().distance, LONGEST);
        (0..40).for_each(|_| pace.faster());
        assert_eq!(pace.slot(), None);
    }

    #[test]
    fn only_what_looks_is_sent_again() {
        let check = |method: &str, target: Option<&'static str>, body: &'static str, expected| {
            let mut request = HttpRequest::new(SdkBody::from(body));
            request.set_method(method).expect("a method");
            if let Some(target) = target {
                request.headers_mut().insert("x-amz-target", target);
            }
            assert_eq!(is_read(&request), expected, "{method} {target:?} {body}");
        };
        check("GET", None, "", true);
        check("PUT", None, "", false);
        check("POST", None, "Action=DescribeVpcs&Version=2016-11-15", true);
        check("POST", None, "Action=CreateVpc&Version=2016-11-15", false);
        check("POST", Some("TrentService.ListKeys"), "{}", true);
        check("POST", Some("TrentService.CreateKey"), "{}", false);
    }
}
