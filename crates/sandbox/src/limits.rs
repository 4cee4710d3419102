//! The rates at which AWS takes calls: token buckets for one account and region, on tokio's clock.
//!
//! A call that finds no token is refused, as AWS refuses it, and nothing happens. Where AWS documents a rate, the
//! table has it; the other rates are guesses on the low side, and say so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::time::Instant;

use super::connector::to_sdk;
use super::faults::{operation_of, route_of, throttled};
use super::wire::{Route, encode};

/// Which operations of a service draw from a bucket.
#[derive(Clone, Copy, Debug)]
enum Of {
    /// These together.
    Together(&'static [&'static str]),
    /// All of the service together.
    All,
    /// Each operation that reads has a bucket of its own.
    EachRead,
    /// Each operation that changes something has a bucket of its own.
    EachWrite,
}

/// The size of a bucket, and how many tokens come back in a second.
#[derive(Clone, Copy, Debug)]
struct Rate {
    service: &'static str,
    of: Of,
    burst: f64,
    a_second: f64,
}

const fn rate(service: &'static str, of: Of, burst: f64, a_second: f64) -> Rate {
    Rate { service, of, burst, a_second }
}

/// A call draws from every bucket that has its operation.
const RATES: &[Rate] = &[
    // "Quotas for creating, deploying and managing an API": none of them can be raised.
    rate("apigateway", Of::All, 40.0, 10.0),
    rate("apigateway", Of::Together(&["CreateRestApi", "ImportRestApi"]), 1.0, 1.0 / 3.0),
    rate("apigateway", Of::Together(&["DeleteRestApi"]), 1.0, 1.0 / 30.0),
    rate("apigateway", Of::Together(&["CreateDeployment"]), 1.0, 1.0 / 5.0),
    rate("apigateway", Of::Together(&["CreateResource"]), 5.0, 5.0),
    rate("apigateway", Of::Together(&["DeleteResource"]), 5.0, 5.0),
    rate("apigateway", Of::Together(&["GetResources"]), 5.0, 2.5),
    rate("apigateway", Of::Together(&["PutRestApi"]), 1.0, 1.0),
    rate("apigateway", Of::Together(&["UpdateAccount"]), 1.0, 1.0 / 20.0),
    // "Lambda quotas", API requests. They cannot be raised.
    rate("lambda", Of::Together(&["GetFunction"]), 100.0, 100.0),
    rate("lambda", Of::Together(&["GetPolicy"]), 15.0, 15.0),
    // "Request throttling for the Amazon EC2 API": filtered reads and writes, each operation alone.
    rate("ec2", Of::EachRead, 100.0, 20.0),
    rate("ec2", Of::EachWrite, 50.0, 5.0),
    // "Request quotas" of KMS.
    rate("kms", Of::Together(&["CreateKey"]), 5.0, 5.0),
    rate("kms", Of::Together(&["CreateAlias"]), 5.0, 5.0),
    rate("kms", Of::Together(&["PutKeyPolicy"]), 15.0, 15.0),
    rate("kms", Of::Together(&["ScheduleKeyDeletion"]), 15.0, 15.0),
    rate("kms", Of::Together(&["TagResource"]), 10.0, 10.0),
    // "CloudWatch service quotas" and "CloudWatch Logs quotas".
    rate("monitoring", Of::Together(&["DescribeAlarms"]), 9.0, 9.0),
    rate("monitoring", Of::Together(&["PutMetricAlarm"]), 3.0, 3.0),
    rate("monitoring", Of::Together(&["DeleteAlarms"]), 3.0, 3.0),
    rate("logs", Of::EachRead, 10.0, 10.0),
    rate("logs", Of::EachWrite, 10.0, 10.0),
    // "Amazon SNS endpoints and quotas".
    rate("sns", Of::EachRead, 30.0, 30.0),
    rate("sns", Of::EachWrite, 30.0, 30.0),
    // "Secrets Manager quotas" and "Systems Manager quotas".
    rate("secretsmanager", Of::EachWrite, 50.0, 50.0),
    rate("ssm", Of::Together(&["PutParameter"]), 3.0, 3.0),
    rate("ssm", Of::EachRead, 40.0, 40.0),
    rate("route53", Of::All, 5.0, 5.0),
    rate("sts", Of::All, 600.0, 600.0),
    // Not documented.
    rate("iam", Of::EachRead, 40.0, 15.0),
    rate("iam", Of::EachWrite, 20.0, 5.0),
    rate("sqs", Of::EachWrite, 40.0, 20.0),
    rate("tagging", Of::All, 15.0, 15.0),
    rate("dynamodb", Of::EachWrite, 50.0, 10.0),
    rate("elasticloadbalancing", Of::EachRead, 40.0, 10.0),
    rate("elasticloadbalancing", Of::EachWrite, 20.0, 3.0),
    rate("rds", Of::EachRead, 40.0, 10.0),
    rate("rds", Of::EachWrite, 10.0, 2.0),
    rate("wafv2", Of::EachRead, 10.0, 5.0),
    rate("wafv2", Of::EachWrite, 2.0, 1.0),
];

/// Everything of Lambda but what runs functions and the two above.
const REST_OF_LAMBDA: Rate = rate("lambda", Of::All, 15.0, 15.0);

/// The name of the bucket that a call draws from by a rate, if it does.
fn bucket(rate: &Rate, route: &Route) -> Option<String> {
    let operation = route.operation.as_str();
    let own = || format!("{}.{operation}", route.service);
    let name = match rate.of {
        Of::Together(operations) => operations.contains(&operation).then(|| operations.join("+")),
        Of::All => Some(format!("{}.*", rate.service)),
        Of::EachRead => route.is_read().then(own),
        Of::EachWrite => (!route.is_read()).then(own),
    };
    name.filter(|_| rate.service == route.service)
}

fn rates_of(route: &Route) -> impl Iterator<Item = (String, &'static Rate)> {
    let is_rest = route.service == "lambda"
        && !["GetFunction", "GetPolicy", "Invoke"].contains(&route.operation.as_str());
    let rest = is_rest.then_some(&REST_OF_LAMBDA);
    let all = RATES.iter().chain(rest);
    all.filter_map(move |rate| Some((bucket(rate, route)?, rate)))
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The calls that were answered.
    pub answered: usize,
    /// The calls that were refused, by operation: `lambda.CreateFunction`.
    pub refused: BTreeMap<String, usize>,
}

/// A transport to one account and region with AWS's rates. All clients of the account share it.
#[derive(Clone, Debug)]
pub struct Limits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: SharedHttpClient,
    latency: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    buckets: BTreeMap<String, Bucket>,
    tally: Tally,
}

impl Limits {
    /// AWS's rates in front of an endpoint, each answer of which takes this long.
    pub fn new(inner: SharedHttpClient, latency: Duration) -> Self {
        Self(Arc::new(Shared { inner, latency, state: Mutex::default() }))
    }

    /// The transport for the SDK.
    pub fn transport(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// What was counted since the last time.
    pub fn take(&self) -> Tally {
        std::mem::take(&mut self.state().tally)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws the tokens of a call; `false` if one of its buckets is empty.
    fn admits(&self, route: &Route) -> bool {
        let (now, mut state) = (Instant::now(), self.state());
        let State { buckets, tally } = &mut *state;
        let mut drawn = Vec::new();
        for (name, rate) in rates_of(route) {
            let full = || Bucket { tokens: rate.burst, at: now };
            let bucket = buckets.entry(name.clone()).or_insert_with(full);
            let back = now.duration_since(bucket.at).as_secs_f64() * rate.a_second;
            *bucket = Bucket { tokens: (bucket.tokens + back).min(rate.burst), at: now };
            if bucket.tokens < 1.0 {
                *tally.refused.entry(operation_of(route)).or_default() += 1;
                return false;
            }
            drawn.push(name);
        }
        for name in drawn {
            buckets.entry(name).and_modify(|bucket| bucket.tokens -= 1.0);
        }
        tally.answered += 1;
        true
    }
}

impl HttpClient for Limits {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.0.inner.http_connector(settings, components);
        SharedHttpConnector::new(Limited { limits: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Limited {
    limits: Limits,
    inner: SharedHttpConnector,
}

impl HttpConnector for Limited {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (limits, inner) = (self.limits.clone(), self.inner.clone());
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(limits.0.latency).await;
            let route = route_of(&request);
            if !limits.admits(&route) {
                return to_sdk(encode::refuse(&route, &throttled(&route)));
            }
            inner.call(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Protocol;

    fn route(service: &str, operation: &str) -> Route {
        Route {
            protocol: Protocol::RestJson,
            service: service.to_owned(),
            operation: operation.to_owned(),
            region: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_is_emptied_and_fills_again_at_its_rate() {
        let limits = Limits::new(crate::Sandbox::in_memory().transport(), Duration::ZERO);
        let asks = |service: &str, operation: &str| limits.admits(&route(service, operation));
        assert!(asks("apigateway", "DeleteRestApi"));
        assert!(!asks("apigateway", "DeleteRestApi"));
        assert!(asks("apigateway", "GetRestApis"), "other operations have other buckets");
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(!asks("apigateway", "DeleteRestApi"));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(asks("apigateway", "DeleteRestApi"));
        // Forty at once in all, then ten in a second.
        let admitted = (0..100).filter(|_| asks("apigateway", "GetStages")).count();
        assert_eq!(admitted, 39);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..100).filter(|_| asks("apigateway", "GetStages")).count(), 10);
        // Lambda counts reads of functions and policies apart from everything else.
        assert_eq!((0..30).filter(|_| asks("lambda", "ListAliases")).count(), 15);
        assert_eq!((0..30).filter(|_| asks("lambda", "GetPolicy")).count(), 15);
        assert_eq!((0..30).filter(|_| asks("lambda", "GetFunction")).count(), 30);
        assert_eq!((0..80).filter(|_| asks("ec2", "CreateVpc")).count(), 50);
        let tally = limits.take();
        assert_eq!(tally.refused["apigateway.DeleteRestApi"], 2);
        assert_eq!(tally.refused["ec2.CreateVpc"], 30);
        assert_eq!(limits.take(), Tally::default());
    }
}
