//! The pace of the calls to one service: as fast as possible until AWS throttles one, then slower
//! for all tasks together, then faster again. A read is sent again if its reply is lost; every
//! other failure goes to the engine.
//!
//! The SDK has an adaptive mode too. It measures the rate before the first throttling, and slows a
//! short run with few calls down to one call in two seconds.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::time::sleep;

use super::clients::Meter;
use super::error::is_throttling;
use answer::answer;
pub(super) use gate::{CLOSED, Gate};

use lane::Lane;
pub(super) use reads::is_read;
use reads::{FIRST_PAUSE, READS, is_lost};
use retries::{First, is_first};

mod answer;
mod gate;
mod lane;
pub(super) mod rates;
mod reads;
pub(super) mod retries;

/// The pace of one service, shared by all tasks: one lane for each operation that has a rate of its
/// own, and the first for all others.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    alone: &'static [&'static str],
    meter: Meter,
    gate: Gate,
    lanes: Arc<[Lane]>,
}

impl Pace {
    /// The pace of a service in which these operations have rates of their own.
    pub(super) fn new(alone: &'static [&'static str], meter: Meter, gate: Gate) -> Self {
        let lanes = (0..=alone.len()).map(|_| Lane::default()).collect();
        Self { alone, meter, gate, lanes }
    }

    fn lane(&self, operation: &str) -> &Lane {
        let alone = self.alone.iter().position(|alone| *alone == operation);
        &self.lanes[alone.map_or(0, |at| at + 1)]
    }

    /// A client with calls at this pace.
    pub(super) fn client(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Paced { pace: self.clone(), inner })
    }
}

/// The operation that a request is for; it travels with the request.
#[derive(Clone, Debug, Default)]
pub(super) struct Operation {
    /// The service, as the SDK names it.
    pub(super) service: String,
    /// The name.
    pub(super) name: String,
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
            let operation: Operation = request.extension().cloned().unwrap_or_default();
            pace.meter.count(&operation);
            let operation = operation.name;
            let lane = pace.lane(&operation);
            let first = is_first(&request);
            let mut pause = FIRST_PAUSE;
            let mut left = if is_read(&operation) { READS } else { 1 };
            loop {
                let sent = lane.turn().await;
                left -= 1;
                if !pace.gate.admits(&operation) {
                    return Err(ConnectorError::user(CLOSED.into()));
                }
                let again = (left > 0).then(|| request.try_clone()).flatten();
                let mut reply = answer(&inner, request).await;
                if let Ok(answer) = &mut reply {
                    lane.learn(sent, is_throttling(answer));
                    if first {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[test]
    fn an_operation_with_its_own_rate_slows_only_itself() {
        let pace = Pace::new(&["CreateThing", "DeleteThing"], Meter::default(), Gate::default());
        pace.lane("DeleteThing").learn(Instant::now(), true);
        assert!(!pace.lane("DeleteThing").distance().is_zero());
        for other in ["GetThings", "CreateThing", ""] {
            assert_eq!(pace.lane(other).distance(), Duration::ZERO, "{other}");
        }
        pace.lane("GetThings").learn(Instant::now(), true);
        assert!(!pace.lane("ListParts").distance().is_zero());
    }
}
