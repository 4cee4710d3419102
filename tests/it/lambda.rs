//! Functions: rules for their sources and settings, changes, and deletion.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use payctl::aws::clients::Aws;
use payctl::aws::provider::AwsProvider;
use payctl::blueprint::{self, Facts};
use payctl::config;
use payctl_engine::apply::apply;
use payctl_engine::event::{Event, StepError};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::package::Packages;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::{Action, Purpose};
use payctl_engine::provider::Provider as _;
use payctl_engine::stop::stop_pair;
use payctl_sandbox::Faults;
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    block_on, carry_out, expect_settled, plan_now, provider_for, run, sample_provider, sandboxed,
    shipped, some,
};

/// A config folder with one environment, and the sources of a function.
fn project(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a writable folder");
        fs::write(path, text).expect("a writable folder");
    };
    write("work/index.py", "def handler(event, context):\n    return event\n");
    write("work/tests/test_index.py", "assert True\n");
    write("program/bootstrap", "#!/bin/sh\n");
    fs::create_dir_all(dir.path().join("empty")).expect("a writable folder");
    write("config/dev.toml", config);
    dir
}

/// A function `f` with more lines, and what it needs.
fn function(rest: &str) -> String {
    format!(
        "project = \"pay\"\nregion = \"eu-west-1\"\n[roles.work]\nservices = \
         \"lambda.amazonaws.com\"\nmanaged = [\"service-role/AWSLambdaVPCAccessExecutionRole\"]\n\
         statements = [{{ actions = [\"sqs:*\", \"dynamodb:Get*\"], resources = \"*\" }}]\n\
         [roles.idle]\nservices = \"lambda.amazonaws.com\"\nmanaged = \
         [\"service-role/AWSLambdaBasicExecutionRole\"]\nstatements = [{{ effect = \"deny\", \
         actions = \"*\", resources = \"*\" }}, {{ actions = \"sqs:SendMessage\", resources = \
         \"*\" }}]\n[roles.other]\nservices = \"ec2.amazonaws.com\"\n[tables.t]\n\
         partition_key = \"id:S\"\n[tables.s]\npartition_key = \"id:S\"\nstream = \"new_image\"\n\
         [queues.q]\n[queues.slow]\nvisibility_timeout = 360\n[queues.fifo]\nfifo = true\n\
         visibility_timeout = 360\n[functions.f]\n{rest}\n"
    )
}

const GOOD: &str = "source = \"../work\"\nruntime = \"python3.13\"\nrole = \"work\"";

fn problems(dir: &Path) -> Vec<String> {
    let found = blueprint::problems(&dir.join("config"), "dev", &|_| None, None);
    found.iter().map(|p| format!("{} ({})", p.message, p.fix)).collect()
}

#[track_caller]
fn check(rest: &str, expected: &str) {
    let dir = project(&function(rest));
    let shown = problems(dir.path());
    assert!(shown.iter().any(|line| line.contains(expected)), "{expected}\n{shown:#?}");
}

#[test]
fn a_valid_function_has_no_problems() {
    let triggers = "triggers = [{ queue = \"slow\", batch_size = 50, window = 5 }, { table = \
                    \"s\", start = \"latest\", on_failure = \"${queues.q.arn}\" }]";
    let wrapped = "environment = { AWS_LAMBDA_EXEC_WRAPPER = \"/opt/wrap\" }";
    let dir = project(&function(&format!("{GOOD}\n{triggers}\n{wrapped}")));
    assert_eq!(problems(dir.path()), [""; 0]);
    let own = "source = \"../program\"\nruntime = \"provided.al2023\"\nrole = \"work\"";
    let dir = project(&function(own));
    assert_eq!(problems(dir.path()), [""; 0]);
}

#[test]
fn an_insufficient_role_is_refused_with_its_line() {
    let idle = GOOD.replace("\"work\"", "\"idle\"");
    let with = |line: &str| format!("{idle}\n{line}");
    let lacks = |action: &str| format!("the role `idle` does not allow {action}");
    let network = "subnets = \"private\"\nsecurity_groups = [\"g\"]";
    check(&with(network), &lacks("ec2:CreateNetworkInterface (add \"service-role/"));
    let queue = "triggers = [{ queue = \"slow\" }]";
    check(&with(queue), &lacks("sqs:ReceiveMessage (allow"));
    let table = "triggers = [{ table = \"s\", start = \"latest\" }]";
    check(&with(table), &lacks("dynamodb:GetRecords (allow"));
    // What a policy of somebody's own allows is not known.
    let own = "arn:aws:iam::${account}:policy/all";
    let text = function(&with(&format!("{queue}\n{network}")))
        .replace("service-role/AWSLambdaBasicExecutionRole", own);
    let shown = problems(project(&text).path());
    assert!(!shown.iter().any(|line| line.contains("does not allow")), "{shown:#?}");
}

#[test]
fn an_invalid_function_is_refused_with_its_line() {
    let with = |line: &str| format!("{GOOD}\n{line}");
    let instead = |key: &str, line: &str| {
        let kept: Vec<&str> = GOOD.lines().filter(|kept| !kept.starts_with(key)).collect();
        format!("{}\n{line}", kept.join("\n"))
    };
    check(&instead("source", "source = \"../none\""), "there is no folder");
    check(&instead("source", "source = \"../empty\""), "there are no files in");
    check(&instead("runtime", "runtime = \"python3.8\""), "AWS retires `python3.8`");
    check(&instead("runtime", "runtime = \"pyton3.13\""), "did you mean `python3.13`?");
    check(&instead("role", "role = \"wrok\""), "[roles] has no `wrok`");
    check(&instead("role", "role = \"other\""), "functions cannot assume the role `other`");
    let own = instead("runtime", "runtime = \"provided.al2023\"");
    check(&own, "there is no bootstrap in `../work`");
    check(&with("handler = \"main.handler\""), "there is no main.py in");
    check(&with("handler = \"index\""), "`index` does not name a function in a file");
    check(&with("handler = \"index. handler\""), "a handler has no spaces");
    check(&with("memory = 64"), "64 is out of range (use 128 to 10240)");
    check(&with("timeout = 901"), "901 is out of range (use 1 to 900)");
    check(&with("disk = 100"), "100 is out of range (use 512 to 10240)");
    check(&with("architecture = \"arm\""), "arm64");
    check(&with("environment = { AWS_REGION = \"x\" }"), "Lambda sets `AWS_REGION` itself");
    let mode = "environment = { AWS_LAMBDA_LOG_FORMAT = \"x\" }";
    check(&with(mode), "Lambda sets `AWS_LAMBDA_LOG_FORMAT` itself");
    check(&with("environment = { A = \"x\" }"), "`A` has the wrong format");
    let long = format!("environment = {{ LONG = \"{}\" }}", "x".repeat(4093));
    check(&with(&long), "the environment variables are too large: 4097 bytes");
    check(&with("log_retention_days = 8"), "CloudWatch cannot keep logs for 8 days");
    check(&with("subnets = \"private\""), "`security_groups` is missing");
    check(&with("subnets = \"private\""), "there is no network");
    let names: Vec<String> = (0..6).map(|at| format!("g{at}")).collect();
    let groups: String = names
        .iter()
        .map(|name| format!("\n[security_groups.{name}]\ndescription = \"x\""))
        .collect();
    check(
        &with(&format!("subnets = \"private\"\nsecurity_groups = {names:?}{groups}")),
        "a function has 1 to 5 security groups, not 6",
    );
    check(&with("dead_letter = \"${tables.t.arn}\""), "cannot receive failures");
    let name = format!("name = \"dev-{}\"", "x".repeat(70));
    check(&with(&name.replace("dev-", "dev_$")), "is not a valid name");
}

#[test]
fn an_invalid_trigger_is_refused_with_its_line() {
    let with = |trigger: &str| format!("{GOOD}\ntriggers = [{{ {trigger} }}]");
    let slow = format!("timeout = 31\n{}", with("queue = \"q\""));
    check(&slow, "messages of `q` again after 30 seconds");
    check(&with("batch_size = 5"), "a trigger needs a queue or a table");
    check(&with("queue = \"slow\", batch_size = 11"), "a batch of 11 messages needs a window");
    check(
        &with("queue = \"fifo\", batch_size = 11, window = 1"),
        "at most 10 messages from a FIFO queue",
    );
    check(&with("queue = \"slow\", start = \"latest\""), "`start` is only for tables");
    check(&with("queue = \"slow\", on_failure = \"x\""), "`on_failure` is only for tables");
    check(&with("queue = \"slow\", max_concurrency = 1"), "1 is out of range (use 2 to 1000)");
    check(&with("table = \"t\", start = \"latest\""), "the table `t` has no stream");
    check(&with("table = \"s\""), "`start` is missing");
    check(
        &with("table = \"s\", start = \"latest\", max_concurrency = 5"),
        "`max_concurrency` is only for queues",
    );
    check(
        &with("table = \"s\", start = \"latest\", on_failure = \"q\""),
        "`q` cannot receive failures",
    );
    let reserved =
        "reserved_concurrency = 3\ntriggers = [{ queue = \"slow\", max_concurrency = 5 }]";
    check(&format!("{GOOD}\n{reserved}"), "the function runs at most 3 calls at once");
    let twice = "triggers = [{ queue = \"slow\" }, { queue = \"slow\" }]";
    check(&format!("{GOOD}\n{twice}"), "`slow` appears twice");
}

#[test]
fn a_function_has_its_log_group_sources_and_permissions() {
    let triggers = "timeout = 25\nlog_retention_days = 7\ntriggers = [{ queue = \"q\" }, { table = \
                    \"s\", start = \"trim_horizon\" }]";
    let dir = project(&function(&format!("{GOOD}\n{triggers}")));
    let loaded = config::load(&dir.path().join("config"), "dev", &|_| None).expect("valid");
    let facts = Facts::placeholder("eu-west-1");
    let resources = blueprint::build(&loaded, &facts).expect("a blueprint").resources;
    let at = |kind, name: &str| &resources[&Address::new(kind, name)];
    let found = at("lambda.function", "f");
    assert_eq!(found.name, "dev-pay-lambda-f");
    assert!(found.after.contains(&Address::new("logs.log_group", "function-f")));
    let code = found.spec["code"].as_str().expect("a digest");
    assert!(loaded.packages().get(code).is_some());
    let log = at("logs.log_group", "function-f");
    assert_eq!(
        (log.name.as_str(), &log.spec["retention_days"]),
        ("/aws/lambda/dev-pay-lambda-f", &json!(7))
    );
    assert_eq!(at("lambda.event_source", "f-q").spec["batch_size"], 10);
    let stream = at("lambda.event_source", "f-s");
    assert_eq!(stream.name, "dev-pay-lambda-f dev-pay-table-s");
    assert_eq!(stream.spec["start"], "TRIM_HORIZON");
    assert_eq!(
        stream.spec["source"],
        json!(Text::reference(Address::new("dynamodb.table", "s"), Output::StreamArn))
    );
}

#[test]
fn a_topic_may_call_the_function_that_it_delivers_to() {
    let topic = "[topics.alerts]\nsubscriptions = [{ protocol = \"lambda\", endpoint = \
                 \"${functions.f.arn}\" }]";
    let dir = project(&format!("{}{topic}\n", function(GOOD)));
    let loaded = config::load(&dir.path().join("config"), "dev", &|_| None).expect("valid");
    let facts = Facts::placeholder("eu-west-1");
    let resources = blueprint::build(&loaded, &facts).expect("a blueprint").resources;
    let callers = &resources[&Address::new("lambda.permissions", "f")].spec["callers"];
    assert_eq!(
        *callers,
        json!({ "topic-alerts": {
            "principal": "sns.amazonaws.com",
            "action": "lambda:InvokeFunction",
            "source": "arn:aws:sns:eu-west-1:000000000000:dev-pay-topic-alerts",
            "source_account": null,
        } })
    );
}

/// The samples of a function in a network, with its event source and its callers.
fn functions(provider: &AwsProvider) -> Blueprint {
    some(provider, &["lambda.event_source", "lambda.permissions"])
}

fn set(blueprint: &mut Blueprint, kind: &str, field: &str, value: Value) {
    let address = Address::new(kind, "sample");
    blueprint.resources.get_mut(&address).expect("a sample").spec[field] = value;
}

#[test]
fn a_function_is_created_and_deleted_at_the_speed_of_aws() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = functions(&provider);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "creation").await;

        // Configuration, code and concurrency in one plan, one call after the other.
        let [_, changed] = Packages::samples();
        set(&mut blueprint, "lambda.function", "code", json!(changed.digest));
        set(&mut blueprint, "lambda.function", "memory", json!(1024));
        set(&mut blueprint, "lambda.function", "reserved_concurrency", json!(5));
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!((plan.changes.len(), plan.count(Action::Update)), (1, 1));
        expect_settled(&provider, &blueprint, "the change").await;

        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        let (_stopper, stop) = stop_pair();
        let began = Instant::now();
        let (seen, gone) = (Mutex::new(Vec::new()), Mutex::new(None));
        let listen = |event: Event| match event {
            Event::Retrying { error, .. } => {
                seen.lock().expect("unpoisoned").push(error.to_string());
            }
            Event::Finished { address, .. } if address.kind == "ec2.security_group" => {
                *gone.lock().expect("unpoisoned") = Some(began.elapsed());
            }
            _ => {}
        };
        let report = apply(&provider, &plan, 16, &stop, &listen).await;
        assert!(report.is_complete(), "{:#?}", report.failed);
        assert_eq!(sandbox.counts().expect("a sandbox"), BTreeMap::new());
        // The security group was free first. The subnet waited for Lambda, and payctl said so.
        let group = gone.lock().expect("unpoisoned").expect("the group went");
        assert!(group < Duration::from_secs(600), "the group went after {group:?}");
        assert!(began.elapsed() > Duration::from_secs(900));
        let seen = seen.lock().expect("unpoisoned");
        assert!(seen.iter().any(|words| words.contains("waiting for Lambda network interfaces")));
    });
}

#[test]
fn the_same_sources_are_not_deployed_again() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let faults = Faults::new(sandbox.transport());
        let mut connection = sandboxed(&sandbox);
        connection.transport = Some(faults.transport());
        let provider = sample_provider(&connection).await;
        let mut blueprint = functions(&provider);
        run(&provider, &blueprint, Purpose::Apply).await;
        set(&mut blueprint, "lambda.function", "timeout", json!(10));
        run(&provider, &blueprint, Purpose::Apply).await;
        assert!(!faults.calls().iter().any(|call| call.contains("UpdateFunctionCode")));
        // payctl cannot deploy sources that it does not have.
        set(&mut blueprint, "lambda.function", "code", json!("of-yesterday"));
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let report = carry_out(&provider, &plan).await;
        let reason = format!("{:?}", report.failed);
        assert!(reason.contains("have changed since the plan"), "{reason}");
    });
}

#[test]
fn stream_sources_have_settings_of_their_own() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = functions(&provider);
        let stream = Text::reference(Address::new("dynamodb.table", "sample"), Output::StreamArn);
        let queue = Text::reference(Address::new("sqs.queue", "sample"), Output::Arn);
        set(&mut blueprint, "lambda.event_source", "source", json!(stream));
        set(&mut blueprint, "lambda.event_source", "start", json!("LATEST"));
        set(&mut blueprint, "lambda.event_source", "retries", json!(-1));
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "creation").await;
        for (target, retries) in [(json!(queue), 3), (Value::Null, -1)] {
            set(&mut blueprint, "lambda.event_source", "on_failure", target);
            set(&mut blueprint, "lambda.event_source", "retries", json!(retries));
            let plan = run(&provider, &blueprint, Purpose::Apply).await;
            assert_eq!((plan.changes.len(), plan.count(Action::Update)), (1, 1));
            expect_settled(&provider, &blueprint, "the change").await;
        }
        run(&provider, &blueprint, Purpose::Destroy).await;
        assert_eq!(sandbox.counts().expect("a sandbox"), BTreeMap::new());
    });
}

#[test]
fn roles_are_deleted_after_the_interfaces_of_functions() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let blueprint = shipped(&provider).await;
        run(&provider, &blueprint, Purpose::Apply).await;
        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        // Somebody stops the run after the functions are deleted.
        let (stopper, stop) = stop_pair();
        let went = AtomicUsize::new(0);
        let functions = plan.changes.iter().filter(|it| it.address.kind == "lambda.function");
        let functions = functions.count();
        let listener = |event: Event| {
            if let Event::Finished { address, .. } = &event
                && address.kind == "lambda.function"
                && went.fetch_add(1, Ordering::Relaxed) + 1 == functions
            {
                stopper.stop();
            }
        };
        let stopped = apply(&provider, &plan, 32, &stop, &listener).await;
        let is_role = |address: &Address| address.kind == "iam.role";
        assert!(stopped.interrupted);
        assert!(stopped.done.iter().all(|(gone, _)| !is_role(gone)), "{:#?}", stopped.done);

        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        let report = carry_out(&provider, &plan).await;
        assert!(report.is_complete(), "{:#?}", report.failed);
        let last_subnet = report.done.iter().rposition(|(gone, _)| gone.kind == "ec2.subnet");
        let first_role = report.done.iter().position(|(gone, _)| is_role(gone));
        assert!(last_subnet < first_role, "{:#?}", report.done);
    });
}

#[test]
fn an_accepted_change_that_fails_is_sent_once_and_explained() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let faults = Faults::new(sandbox.transport());
        let mut connection = sandboxed(&sandbox);
        connection.transport = Some(faults.transport());
        let provider = sample_provider(&connection).await;
        let mut blueprint = functions(&provider);
        let full = Address::new("ec2.subnet", "full");
        let mut subnet = blueprint.resources[&Address::new("ec2.subnet", "sample")].clone();
        subnet.address = full.clone();
        subnet.name = full.name.clone();
        subnet.spec["cidr"] = json!("10.90.12.0/28");
        subnet.tags.extend(blueprint.scope.ownership(&full));
        blueprint.resources.insert(full.clone(), subnet);
        run(&provider, &blueprint, Purpose::Apply).await;

        // Somebody takes every address of the subnet.
        let found = provider.survey("ec2.subnet", &BTreeMap::new(), None).await.expect("a survey");
        let subnet = found.iter().find(|found| found.address == full).expect("it");
        let ec2 = ec2_client(&sandbox);
        let call = ec2.run_instances().image_id("ami-1").min_count(11).max_count(11);
        let taken = call.subnet_id(&subnet.live.id).send().await.expect("instances");

        let mut elsewhere = blueprint.clone();
        let function = Address::new("lambda.function", "sample");
        let spec = &mut elsewhere.resources.get_mut(&function).expect("a sample").spec;
        spec["network"]["subnets"] = json!([Text::reference(full, Output::Id)]);
        let sent = || {
            let calls = faults.calls().into_iter();
            calls.filter(|call| call.contains("UpdateFunctionConfiguration")).count()
        };
        let before = sent();
        let plan = plan_now(&provider, &elsewhere, Purpose::Apply).await;
        let report = carry_out(&provider, &plan).await;
        let [(_, _, StepError::FailedLater(reason))] = report.failed.as_slice() else {
            panic!("{:#?}", report.failed);
        };
        assert!(reason.starts_with("SubnetOutOfIPAddresses: Subnet subnet-"), "{reason}");
        assert_eq!(sent() - before, 1);

        // Once there are free addresses, the next run sends the change again.
        let ids = taken.instances().iter().filter_map(|one| one.instance_id.clone()).collect();
        let gone = ec2.terminate_instances().set_instance_ids(Some(ids)).send().await;
        gone.expect("they go");
        tokio::time::sleep(Duration::from_secs(600)).await;
        let plan = run(&provider, &elsewhere, Purpose::Apply).await;
        let fields = plan.changes[0].fields.iter().map(|field| field.path.as_str());
        assert!(fields.collect::<Vec<_>>().contains(&"failed_update"));
        expect_settled(&provider, &elsewhere, "the second attempt").await;
    });
}

fn ec2_client(sandbox: &Sandbox) -> aws_sdk_ec2::Client {
    aws_sdk_ec2::Client::from_conf(
        aws_sdk_ec2::Config::builder()
            .behavior_version(aws_sdk_ec2::config::BehaviorVersion::latest())
            .region(aws_sdk_ec2::config::Region::new("us-east-1"))
            .credentials_provider(aws_credential_types::Credentials::from_keys("S", "s", None))
            .http_client(sandbox.transport())
            .build(),
    )
}

#[test]
fn reserved_concurrency_moves_between_functions() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["lambda.function"]);
        let mut reserve = |name: &str, calls: Value| {
            let address = Address::new("lambda.function", name);
            let spec = &mut blueprint.resources.get_mut(&address).expect("a sample").spec;
            spec["reserved_concurrency"] = calls;
            blueprint.clone()
        };
        let first = reserve("sample-b", json!(800));
        run(&provider, &first, Purpose::Apply).await;
        // `sample` has to wait until `sample-b` has given up its reservation.
        reserve("sample-b", Value::Null);
        let second = reserve("sample", json!(800));
        run(&provider, &second, Purpose::Apply).await;
        expect_settled(&provider, &second, "the move").await;
    });
}

#[test]
fn resource_policies_of_foreign_functions_are_not_read() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let ours = sample_provider(&sandboxed(&sandbox)).await;
        run(&ours, &functions(&ours), Purpose::Apply).await;
        // Another project in the account has an environment of that name.
        let faults = Faults::new(sandbox.transport());
        let mut connection = sandboxed(&sandbox);
        connection.transport = Some(faults.transport());
        let theirs = Aws::connect(&connection, "billing", "sample").await.expect("connected");
        let theirs = AwsProvider::new(theirs);
        let scope = theirs.aws().scope.clone();
        let none = Blueprint { scope, resources: BTreeMap::new(), ..functions(&ours) };
        let plan = plan_now(&theirs, &none, Purpose::Destroy).await;
        assert!(plan.is_empty());
        let calls = faults.calls();
        let count = |name: &str| calls.iter().filter(|call| **call == name).count();
        // payctl reads each of the two functions once for both kinds.
        assert_eq!((count("lambda.GetFunction"), count("lambda.GetPolicy")), (2, 0));
    });
}
