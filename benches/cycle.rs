//! Speed of plan, apply and destroy on the embedded sandbox.
//!
//! `cargo bench --bench cycle` prints the first table of docs/performance.md: the shipped `dev`
//! environment, calls, longest chain of calls that follow each other, wall time, with and without
//! latency. `cargo bench --bench cycle -- growth` prints the table of growth: environments of tables
//! and queues with dead letters, 150 to 10,000 resources, in a sandbox on disk. `growth 600 2400`
//! measures these sizes only.

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
use tokio::runtime::Runtime;

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

/// An environment called `dev`: a project and the folder of its config.
struct Environment<'a> {
    project: &'a str,
    config: &'a Path,
}

/// What a command took.
struct Took {
    calls: usize,
    chain: usize,
    seconds: f64,
}

/// One command, as the program runs it: connect, look, plan, and with `write` carry it out.
async fn command(
    sandbox: &Sandbox,
    environment: &Environment<'_>,
    latency: Duration,
    purpose: Purpose,
    write: bool,
) -> Took {
    let delayed = Faults::new(sandbox.transport()).with_delay(latency);
    let recorder = Recorder { inner: delayed.transport(), calls: Arc::default() };
    let connection = Connection {
        region: Some("us-east-1".into()),
        keys: Some(("sandbox".into(), "sandbox".into())),
        transport: Some(SharedHttpClient::new(recorder.clone())),
        ..Connection::default()
    };
    let began = Instant::now();
    let loaded = config::load(environment.config, "dev", &|_| None).expect("a valid config");
    let connected = connect(&connection, environment.project, "dev").await;
    let (mut aws, zones) = connected.expect("the sandbox answers");
    aws.packages = loaded.packages();
    let facts = Facts {
        account: aws.scope.account.clone(),
        region: aws.scope.region.clone(),
        partition: aws.scope.partition.clone(),
        zones,
        now: "2026-01-01T00:00:00Z".into(),
        lent: None,
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
    let seconds = began.elapsed().as_secs_f64();
    let mut calls = recorder.calls.lock().unwrap_or_else(PoisonError::into_inner);
    // Without latency every call ends before the next begins, and the chain says nothing.
    let chain = if latency.is_zero() { 0 } else { longest_chain(&mut calls) };
    Took { calls: calls.len(), chain, seconds }
}

/// The shipped environment, with and without latency.
#[expect(clippy::print_stdout, reason = "the table is what it is for")]
fn cycle(runtime: &Runtime) {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let environment = Environment { project: "payment", config: &config };
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
            let took = runtime.block_on(command(&sandbox, &environment, wait, purpose, write));
            let Took { calls, chain, seconds } = took;
            println!("| {name} | {latency} ms | {calls} | {chain} | {seconds:.2} |");
        }
    }
}

/// Environments of growing size, in a sandbox on disk.
#[expect(clippy::print_stdout, reason = "the table is what it is for")]
fn growth(runtime: &Runtime, sizes: &[usize]) {
    println!("| resources | first plan | apply | plan, nothing to do | destroy | peak |");
    println!("|--:|--:|--:|--:|--:|--:|");
    for size in sizes {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("config");
        std::fs::create_dir(&config).expect("a folder");
        std::fs::write(config.join("dev.toml"), tables_and_queues(size / 3)).expect("a config");
        let environment = Environment { project: "grow", config: &config };
        let sandbox = Sandbox::open(&folder.path().join("sandbox")).expect("a sandbox");
        let seconds = |purpose, write| {
            let none = Duration::ZERO;
            runtime.block_on(command(&sandbox, &environment, none, purpose, write)).seconds
        };
        let plan = seconds(Purpose::Apply, false);
        let apply = seconds(Purpose::Apply, true);
        let nothing = seconds(Purpose::Apply, false);
        let destroy = seconds(Purpose::Destroy, true);
        let peak = peak();
        println!(
            "| {size} | {plan:.2} s | {apply:.2} s | {nothing:.2} s | {destroy:.2} s | {peak} |"
        );
    }
}

/// A config of so many tables, and as many queues with dead letters.
fn tables_and_queues(count: usize) -> String {
    let one = |at| {
        format!(
            "[tables.t{at:05}]\npartition_key = \"id:S\"\n\
             [queues.q{at:05}]\ndead_letter = {{ max_receives = 3 }}\n"
        )
    };
    let all: String = (0..count).map(one).collect();
    format!("project = \"grow\"\nregion = \"us-east-1\"\n{all}")
}

/// The most memory that this process has used so far, where the system tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes =
        peak.and_then(|peak| peak.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.map_or_else(|| "-".to_owned(), |kilobytes| format!("{} MB", kilobytes / 1024))
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.split_first() {
        Some((first, sizes)) if first == "growth" => {
            let mut sizes: Vec<usize> =
                sizes.iter().map(|size| size.parse().expect("a size")).collect();
            if sizes.is_empty() {
                sizes = vec![150, 600, 2_400, 10_000];
            }
            growth(&runtime, &sizes);
        }
        _ => cycle(&runtime),
    }
}
