//! Faults between the SDK and its endpoint: AWS, an emulator, or the sandbox.
//!
//! A fault hits the k-th call, or any call with a probability from a seed. A "stop" is the death of
//! the process as seen from outside. From that call on, no request leaves and no answer arrives,
//! and [`Faults::stopped`] tells the test to drop all waiting tasks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use serde_json::Value;
use tokio::sync::watch;

use super::Refusal;
use super::connector::{head, to_sdk};
use super::wire::{Protocol, Route, decode, encode};

/// A fault that hits a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before the call is sent.
    StopBefore,
    /// The process dies after the call took effect and before its reply arrives.
    StopAfter,
    /// The call takes effect, and the connection breaks before its reply arrives.
    LoseReply,
    /// The connection breaks before the call is sent.
    ResetBefore,
    /// The service has no capacity for the call; nothing happens.
    Throttle,
    /// The service fails; nothing happens.
    Error500,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 6] = [
        Self::StopBefore,
        Self::StopAfter,
        Self::LoseReply,
        Self::ResetBefore,
        Self::Throttle,
        Self::Error500,
    ];
}

/// The answer of a call.
#[derive(Clone, Debug)]
pub struct Said {
    /// The call, `ec2.DescribeVpcs`.
    pub call: String,
    /// The body as JSON. XML has no types: its leaves are strings, an empty list is an empty string,
    /// and a list of S3 or RDS with one item is that item.
    pub body: Value,
    /// Whether the body was XML.
    pub is_xml: bool,
}

/// A transport that injects faults of networks, services and people into chosen calls.
#[derive(Clone, Debug)]
pub struct Faults(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: SharedHttpClient,
    state: Mutex<State>,
    stopped: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    at: BTreeMap<usize, Fault>,
    chance: Option<Chance>,
    only_writes: bool,
    delay: Duration,
    counted: usize,
    calls: Vec<String>,
    said: Option<Vec<Said>>,
    struck: Vec<(String, Fault)>,
}

#[derive(Debug)]
struct Chance {
    seed: u64,
    percent: u64,
    faults: Vec<Fault>,
}

impl Faults {
    /// Passes every call on to `inner` until it is told otherwise.
    pub fn new(inner: SharedHttpClient) -> Self {
        let (stopped, _) = watch::channel(false);
        Self(Arc::new(Shared { inner, state: Mutex::default(), stopped }))
    }

    /// Hits the call with this number, counted from 1 over all services.
    #[must_use]
    pub fn at(self, call: usize, fault: Fault) -> Self {
        self.state().at.insert(call, fault);
        self
    }

    /// Hits this percentage of the calls with one of `faults`. The same seed hits the same call
    /// numbers.
    #[must_use]
    pub fn at_random(self, seed: u64, percent: u8, faults: &[Fault]) -> Self {
        let chance = Chance { seed, percent: percent.into(), faults: faults.to_vec() };
        self.state().chance = Some(chance).filter(|chance| !chance.faults.is_empty());
        self
    }

    /// Counts and hits only calls that change something. The operation's name says so.
    #[must_use]
    pub fn only_writes(self) -> Self {
        self.state().only_writes = true;
        self
    }

    /// Makes every call take this much longer on tokio's clock.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Self {
        self.state().delay = delay;
        self
    }

    /// Records the answers of calls.
    #[must_use]
    pub fn keeping_answers(self) -> Self {
        self.state().said = Some(Vec::new());
        self
    }

    /// The transport for the SDK.
    pub fn transport(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// The recorded answers, in order.
    pub fn answers(&self) -> Vec<Said> {
        self.state().said.clone().unwrap_or_default()
    }

    /// All calls in order, such as `ec2.CreateVpc`. Calls that were hit or not counted are among
    /// them.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// The number of counted calls, which is the largest number that a fault can hit.
    pub fn counted(&self) -> usize {
        self.state().counted
    }

    /// The calls that were hit, in order.
    pub fn struck(&self) -> Vec<(String, Fault)> {
        self.state().struck.clone()
    }

    /// Waits until the process "died". Then drop all tasks that wait for a reply.
    pub async fn stopped(&self) {
        let mut stopped = self.0.stopped.subscribe();
        // `self` holds the sender, so the channel cannot be closed.
        let _ = stopped.wait_for(|stopped| *stopped).await.map(|_| ());
    }

    /// Whether the process "died".
    pub fn has_stopped(&self) -> bool {
        *self.0.stopped.borrow()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn die<T>(&self) -> T {
        self.0.stopped.send_replace(true);
        std::future::pending().await
    }
}

impl State {
    fn keep(&mut self, route: &Route, reply: &HttpResponse) {
        let Some(said) = &mut self.said else { return };
        let body = reply.body().bytes().unwrap_or_default();
        let is_xml = matches!(
            route.protocol,
            Protocol::Query | Protocol::Ec2 | Protocol::RestXml | Protocol::Rest
        );
        said.push(Said { call: operation_of(route), body: decode::answer(route, body), is_xml });
    }

    fn next(&mut self, route: &Route) -> Option<Fault> {
        let name = operation_of(route);
        self.calls.push(name.clone());
        if self.only_writes && route.is_read() {
            return None;
        }
        self.counted += 1;
        let planned = self.at.get(&self.counted).copied();
        let fault = planned.or_else(|| self.chance.as_ref()?.draw(self.counted as u64))?;
        self.struck.push((name, fault));
        Some(fault)
    }
}

impl Chance {
    fn draw(&self, call: u64) -> Option<Fault> {
        let strikes = mix(self.seed, call) % 100 < self.percent;
        let which = mix(!self.seed, call) as usize % self.faults.len();
        strikes.then(|| self.faults[which])
    }
}

/// A pseudo-random number from two others (the finisher of splitmix64).
pub(crate) fn mix(seed: u64, call: u64) -> u64 {
    let mut mixed = seed.wrapping_add(call.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl HttpClient for Faults {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.0.inner.http_connector(settings, components);
        SharedHttpConnector::new(Faulty { faults: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Faulty {
    faults: Faults,
    inner: SharedHttpConnector,
}

impl HttpConnector for Faulty {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (faults, inner) = (self.faults.clone(), self.inner.clone());
        HttpConnectorFuture::new(async move {
            let delay = faults.state().delay;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            if faults.has_stopped() {
                return std::future::pending().await;
            }
            let route = route_of(&request);
            let fault = faults.state().next(&route);
            match fault {
                Some(Fault::StopBefore) => return faults.die().await,
                Some(Fault::ResetBefore) => return Err(reset()),
                Some(Fault::Throttle) => return to_sdk(encode::refuse(&route, &throttled(&route))),
                Some(Fault::Error500) => return to_sdk(encode::refuse(&route, &failed(&route))),
                Some(Fault::StopAfter | Fault::LoseReply) | None => {}
            }
            let reply = inner.call(request).await;
            if let Ok(reply) = &reply {
                faults.state().keep(&route, reply);
            }
            match fault {
                Some(Fault::StopAfter) => faults.die().await,
                Some(Fault::LoseReply) => Err(reset()),
                _ if faults.has_stopped() => std::future::pending().await,
                _ => reply,
            }
        })
    }
}

/// The name of a call, `ec2.CreateVpc`.
pub(crate) fn operation_of(route: &Route) -> String {
    format!("{}.{}", route.service, route.operation)
}

/// Where a request goes.
pub(crate) fn route_of(request: &HttpRequest) -> Route {
    let mut read = head(request);
    read.body = request.body().bytes().unwrap_or_default().to_vec();
    Route::of(&read)
}

fn reset() -> ConnectorError {
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "injected fault");
    ConnectorError::io(broken.into())
}

/// The refusal of a service that gets too many calls.
pub(crate) fn throttled(route: &Route) -> Refusal {
    let refusal = |code| Refusal::new(code, "Rate exceeded (injected fault)");
    match route.protocol {
        Protocol::Ec2 => refusal("RequestLimitExceeded").with_status(503),
        Protocol::Rest => refusal("SlowDown").with_status(503),
        Protocol::Query if route.service == "sns" => refusal("Throttled").with_status(429),
        Protocol::Query | Protocol::RestXml | Protocol::Cbor => refusal("Throttling"),
        Protocol::RestJson => refusal("TooManyRequestsException").with_status(429),
        Protocol::Json(_) => refusal("ThrottlingException"),
    }
}

fn failed(route: &Route) -> Refusal {
    let code = match route.protocol {
        Protocol::Ec2 | Protocol::Rest => "InternalError",
        Protocol::Query | Protocol::RestXml => "InternalFailure",
        Protocol::RestJson => "ServiceException",
        Protocol::Json(_) | Protocol::Cbor => "InternalServiceError",
    };
    Refusal::new(code, "An internal error has occurred (injected fault)").with_status(500)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_faults_are_reproducible_and_near_their_rate() {
        let chance = Chance { seed: 7, percent: 20, faults: Fault::ALL.to_vec() };
        let drawn: Vec<_> = (0..1000).filter_map(|call| chance.draw(call)).collect();
        assert!((150..250).contains(&drawn.len()), "{}", drawn.len());
        assert!(Fault::ALL.iter().all(|fault| drawn.contains(fault)));
        let again: Vec<_> = (0..1000).filter_map(|call| chance.draw(call)).collect();
        assert_eq!(drawn, again);
    }
}
