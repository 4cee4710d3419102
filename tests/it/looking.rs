//! Kinds that payctl cannot read, through the real binary: denied, unknown to the endpoint, silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::cli_serve::Served;
use crate::cli_support::{Folder, Ran, ended};
use crate::moto::Moto;
use crate::stand_in::{Reply, StandIn};

const CONFIG: &str = "project = \"shop\"\nregion = \"us-east-1\"\n\n[queues.jobs]\n\n[tables.carts]\npartition_key = \"id:S\"\n\n[outputs]\njobs = \"${queues.jobs.url}\"\ncarts = \"${tables.carts.name}\"\n";

/// A sandbox on a port, with something between it and payctl.
struct Between {
    folder: Folder,
    _served: Served,
    stand_in: StandIn,
}

impl Between {
    fn new(config: &str, rule: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let folder = Folder::empty();
        folder.write("config/dev.toml", config);
        let served = Served::start(&folder);
        let port = served.url.rsplit(':').next().expect("a port").trim_end_matches('/');
        let port = port.parse().expect("a port");
        let stand_in =
            StandIn::start(move |asked| rule(&asked.service).unwrap_or(Reply::Pass(port)));
        Self { folder, _served: served, stand_in }
    }

    fn run(&self, line: &str) -> Ran {
        let mut command = self.folder.payctl(line);
        command.args(["--env", "dev", "--endpoint-url", &self.stand_in.url()]);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        ended(&mut command)
    }

    fn expect(&self, code: i32, line: &str) -> Ran {
        let ran = self.run(line);
        ran.expect(code, line);
        ran
    }
}

fn denied() -> Reply {
    let body = r#"{"__type":"AccessDeniedException","message":"User: arn:aws:iam::1:user/ci is not authorized to perform: x:List on resource: *"}"#;
    Reply::Answer(400, "application/x-amz-json-1.1", body.to_owned())
}

/// The answers of moto to operations and services that it does not have.
fn unknown(status: u16) -> Reply {
    let body = "<!doctype html>\n<html lang=en>\n<title>No</title>\n";
    Reply::Answer(status, "text/html; charset=utf-8", body.to_owned())
}

fn has(text: &str, words: &str) {
    assert!(text.contains(words), "no `{words}` in\n{text}");
}

#[test]
fn denied_unwanted_kinds_are_a_warning_and_destroy_names_them() {
    let between = Between::new(CONFIG, |service| (service == "logs").then(denied));
    let plan = between.expect(2, "plan --detailed-exitcode");
    has(&plan.err, "warning: cannot read logs.log_group: DescribeLogGroups: AccessDenied");
    has(&plan.out, "2 to create");
    has(&plan.out, "2 kinds not read.");
    between.expect(0, "apply --auto-approve");
    let empty = between.expect(0, "plan --detailed-exitcode --json");
    let line: Value = serde_json::from_str(empty.out.trim()).expect("one JSON line");
    assert_eq!(line["unseen"][0]["kind"], "logs.log_group");
    assert_eq!(line["unseen"][0]["error"]["class"], "denied");
    let shown = between.expect(1, "plan --destroy");
    has(&shown.out, "2 to delete");
    has(&shown.err, "error: 2 kinds could not be read: their objects may remain");
    let destroyed = between.expect(3, "destroy --auto-approve --allow-data-loss");
    has(&destroyed.err, "error: 2 kinds could not be read: their objects may remain");
    has(&destroyed.err, "hint:  allow x:List on * for the role that payctl uses");
    let again = between.expect(3, "destroy --auto-approve --allow-data-loss");
    has(&again.err, "Nothing to destroy was found.");
    let line = "destroy --auto-approve --allow-data-loss --target sqs.queue/jobs";
    has(&between.expect(0, line).err, "none of the targets remains");
}

#[test]
fn a_plan_without_cost_monitors_asks_cost_explorer_nothing() {
    let [asked, tags] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let counters = [Arc::clone(&asked), Arc::clone(&tags)];
    let between = Between::new(CONFIG, move |service| {
        counters[0].fetch_add(usize::from(service == "ce"), Ordering::Relaxed);
        counters[1].fetch_add(usize::from(service == "tagging"), Ordering::Relaxed);
        None
    });
    between.expect(2, "plan --detailed-exitcode");
    // The home of global objects: one question is for them and for the region.
    assert_eq!(tags.load(Ordering::Relaxed), 1);
    between.expect(0, "apply --auto-approve");
    between.expect(0, "plan --detailed-exitcode");
    assert_eq!(asked.load(Ordering::Relaxed), 0, "AWS bills each request to Cost Explorer");
    // A monitor that the config no longer wants is found by its tags.
    let monitored = format!(
        "{CONFIG}\n[cost_anomalies.main]\nwatch = {{ tag = \"team\", values = [\"a\"] }}\nemail = \"a@example.com\"\n"
    );
    between.folder.write("config/dev.toml", &monitored);
    between.expect(0, "apply --auto-approve");
    assert!(asked.load(Ordering::Relaxed) > 0);
    between.folder.write("config/dev.toml", CONFIG);
    has(&between.expect(0, "plan").out, "2 to delete");
    between.expect(0, "apply --auto-approve");
    let so_far = asked.load(Ordering::Relaxed);
    between.expect(0, "destroy --auto-approve --allow-data-loss");
    assert_eq!(asked.load(Ordering::Relaxed), so_far, "no object carries the tags any more");
}

#[test]
fn an_unsupported_service_counts_as_empty() {
    for status in [404, 500, 501] {
        let rule = move |service: &str| {
            ["ce", "monitoring", "guardduty"].contains(&service).then(|| unknown(status))
        };
        let between = Between::new(CONFIG, rule);
        let applied = between.expect(0, "apply --auto-approve");
        has(
            &applied.err,
            "this endpoint does not know cloudwatch.alarm, cloudwatch.dashboard: it does",
        );
        has(&applied.err, "not speak RPC v2 CBOR");
        between.expect(0, "plan --detailed-exitcode");
        let destroyed = between.expect(0, "destroy --auto-approve --allow-data-loss");
        let gone = "Verified: nothing of shop dev (account 000000000000, us-east-1) remains (";
        has(&destroyed.err, gone);
        has(&destroyed.err, "Not verified: this endpoint does not know ");
    }
}

#[test]
fn checks_that_could_not_run_at_all_are_an_error() {
    let config =
        "project = \"shop\"\nregion = \"us-east-1\"\n\n[tables.carts]\npartition_key = \"id:S\"\n";
    let between = Between::new(config, |service| (service == "dynamodb").then(|| unknown(501)));
    let ran = between.expect(1, "check");
    has(&ran.out, "not run");
    has(&ran.err, "error: no check was run");
}

#[test]
fn denied_wanted_kinds_are_refused_and_the_rest_is_shown() {
    let between = Between::new(CONFIG, |service| (service == "sqs").then(denied));
    let plan = between.expect(1, "plan --out saved.plan");
    has(&plan.out, "+ dynamodb.table/carts");
    has(&plan.out, "error: cannot plan sqs.queue/jobs");
    has(&plan.out, "Plan: 1 to create");
    has(&plan.err, "refused: sqs.queue/jobs");
    assert!(!between.folder.path("saved.plan").exists());
    between.expect(1, "apply --auto-approve");
    between.expect(0, "apply --auto-approve --target dynamodb.table/carts");
    let status = between.expect(1, "status");
    has(&status.out, "unseen  sqs.queue/jobs");
    has(&status.out, "ok      dynamodb.table/carts");
    has(&status.err, "some configured resources could not be read");
    let outputs = between.expect(1, "outputs --shell");
    has(&outputs.out, "export CARTS='dev-shop-table-carts'");
    has(&outputs.err, "error: some outputs could not be read\n  what:  jobs: ");
}

#[test]
fn a_silent_service_is_named_during_the_wait() {
    let between = Between::new(CONFIG, |service| (service == "rds").then_some(Reply::Stall));
    let url = between.stand_in.url();
    let line = format!("plan --env dev --endpoint-url {url}");
    let mut running = between.folder.start_with_keys(&line);
    assert!(running.wait_for("waiting for rds", 1), "{}", running.said());
    has(&running.said(), "reading: ");
    drop(running);
}

#[test]
fn a_wrong_clock_is_named() {
    let body = r#"<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired: 1 is now earlier than 2</Message></Error></ErrorResponse>"#;
    let date = "Thu, 01 Jan 2015 00:00:00 GMT";
    let stand_in =
        StandIn::start(move |_| Reply::Dated(403, "text/xml", body.to_owned(), date.to_owned()));
    let folder = Folder::empty();
    folder.write("config/dev.toml", CONFIG);
    let mut command = folder.payctl("plan --env dev --endpoint-url");
    command.arg(stand_in.url());
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let ran = ended(&mut command);
    ran.expect(1, "plan");
    has(&ran.err, "minutes ahead of AWS's");
    has(&ran.err, "hint:  correct the clock of this machine");
}

#[test]
fn supported_resources_run_on_plain_moto() {
    let moto = Moto::plain();
    let folder = Folder::empty();
    let config = "project = \"shop\"\nregion = \"us-east-1\"\n\n[queues.jobs]\n\n[topics.ops]\n\n\
                  [buckets.files]\n\n[keys.main]\n\n[parameters.\"/shop/${env}/mode\"]\nvalue = \"on\"\n";
    folder.write("config/dev.toml", config);
    let run = |code, line: &str| {
        let mut command = folder.payctl(line);
        command.args(["--env", "dev", "--endpoint-url", &moto.url]);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        let ran = ended(&mut command);
        ran.expect(code, line);
        ran
    };
    has(
        &run(2, "plan --detailed-exitcode").err,
        "this endpoint does not know cloudwatch.alarm, cloudwatch.dashboard: ",
    );
    run(0, "apply --auto-approve");
    run(0, "plan --detailed-exitcode");
    run(0, "status");
    let destroyed = run(0, "destroy --auto-approve --allow-data-loss");
    has(&destroyed.err, "nothing of shop dev");
}
