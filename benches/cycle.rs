//! Speed of plan, apply and destroy of the shipped `dev` environment on the embedded sandbox:
//! calls, longest chain of calls that follow each other, wall time, with and without latency.
//!
//! `cargo bench --bench cycle` prints the table of docs/performance.md.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use payctl::aws::clients::Connection;
use payctl::aws::facts::connect;
use payctl::aws::provider::AwsProvider;
use payctl::blueprint::{self, Facts};
use payctl::config;
use payctl_engine::apply::apply;
use payctl_engine::plan::Purpose;
use payctl_engine::planner::plan;
use payctl_engine::stop::stop_pair;
use payctl_engine::survey::survey;
use payctl_sandbox::Faults;
use payctl_sandbox::Sandbox;

/// When each call began and ended.
#[derive(Clone, Debug)]
struct Recorder {
    inner: SharedHttpClient,
    calls: Arc<Mutex<Vec<(Instant, Instant)>>>,
}

impl HttpClient for Recorder {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Recording { inner, calls: Arc::clone(&self.calls) })
    }
}

#[derive(Debug)]
struct Recording {
    inner: SharedHttpConnector,
    calls: Arc<Mutex<Vec<(Instant, Instant)>>>,
}

impl HttpConnector for Recording {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, calls) = (self.inner.clone(), Arc::clone(&self.calls));
        HttpConnectorFuture::new(async move {
            let began = Instant::now();
            let reply = inner.call(request).await;
            let call = (began, Instant::now());
            calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
            reply
        })
    }
}

/// The most calls of which each began after the one before had ended.
fn longest_chain(calls: &mut [(Instant, Instant)]) -> usize {
    calls.sort_by_key(|(_, ended)| *ended);
    let mut chains: Vec<usize> = Vec::with_capacity(calls.len());
    for (index, (began, _)) in calls.iter().enumerate() {
        let earlier = (0..index).filter(|other| calls[*other].1 <= *began);
        chains.push(1 + earlier.map(|other| chains[other]).max().unwrap_or_default());
    }
    chains.into_iter().max().unwrap_or_default()
}

/// One command, as the program runs it: connect, look, plan, and with `write` carry it out.
async fn command(sandbox: &Sandbox, latency: Duration, purpose: Purpose, write: bool) -> String {
    let delayed = Faults::new(sandbox.transport()).with_delay(latency);
    let recorder = Recorder { inner: delayed.transport(), calls: Arc::default() };
    let connection = Connection {
        region: Some("us-east-1".into()),
        keys: Some(("sandbox".into(), "sandbox".into())),
        transport: Some(SharedHttpClient::new(recorder.clone())),
        ..Connection::default()
    };
    let began = Instant::now();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let loaded = config::load(&folder, "dev", &|_| None).expect("a valid config");
    let connected = connect(&connection, "payment", "dev").await;
    let (mut aws, zones) = connected.expect("the sandbox answers");
    aws.packages = loaded.packages();
    let facts = Facts {
        account: aws.scope.account.clone(),
        region: aws.scope.region.clone(),
        partition: aws.scope.partition.clone(),
        zones,
        now: "2026-01-01T00:00:00Z".into(),
    };
    let blueprint = blueprint::build(&loaded, &facts).expect("a valid blueprint");
    let provider = AwsProvider::new(aws);
    let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
    let plan = plan(&provider, &blueprint, &snapshot, purpose, &[]).expect("a plan");
    if write {
        let (_stopper, stop) = stop_pair();
        let report = apply(&provider, &plan, 16, &stop, &|_| {}).await;
        assert!(report.is_complete(), "{:?}", report.failed);
    }
    let elapsed = began.elapsed();
    let mut calls = recorder.calls.lock().unwrap_or_else(PoisonError::into_inner);
    let chain = longest_chain(&mut calls);
    format!("{} | {chain} | {:.2}", calls.len(), elapsed.as_secs_f64())
}

#[expect(clippy::print_stdout, reason = "the table is what it is for")]
fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    println!("| command | latency | calls | longest chain | seconds |");
    println!("|---|--:|--:|--:|--:|");
    for latency in [0, 50] {
        let sandbox = Sandbox::in_memory();
        let commands = [
            ("first plan", Purpose::Apply, false),
            ("apply", Purpose::Apply, true),
            ("plan, nothing to do", Purpose::Apply, false),
            ("destroy", Purpose::Destroy, true),
        ];
        for (name, purpose, write) in commands {
            let wait = Duration::from_millis(latency);
            let row = runtime.block_on(command(&sandbox, wait, purpose, write));
            println!("| {name} | {latency} ms | {row} |");
        }
    }
}
