//! `payctl check`: each built-in check passes and fails on the embedded sandbox, checks of one's own, and
//! the real binary with its exit codes and its JUnit file.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatch::types::StateValue;
use payctl::aws::kinds::{KINDS, find_kind};
use payctl::aws::provider::AwsProvider;
use payctl::aws::resource::Cx;
use payctl::blueprint;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::live::{Live, Tags};
use payctl_engine::model::text::{Output, Text};
use payctl_engine::model::verdict::Verdict;
use payctl_engine::plan::Purpose;
use payctl_engine::provider::Target;
use payctl_engine::survey::{Snapshot, survey};
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::cli_support::Folder;
use crate::support::{
    another, block_on, by_hand, needed, run, sample_provider, samples, sandboxed, set, some,
};

/// The sample of a kind with what it needs, deployed, and found again.
struct Deployed {
    sandbox: Sandbox,
    provider: AwsProvider,
    blueprint: Blueprint,
    snapshot: Snapshot,
}

impl Deployed {
    async fn of(sandbox: Sandbox, kind: &str, change: impl FnOnce(&mut Blueprint)) -> Self {
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &[kind]);
        change(&mut blueprint);
        run(&provider, &blueprint, Purpose::Apply).await;
        let snapshot = found(&provider, &blueprint).await;
        Self { sandbox, provider, blueprint, snapshot }
    }

    async fn fast(kind: &str) -> Self {
        Self::of(Sandbox::in_memory(), kind, |_| {}).await
    }

    fn sample(kind: &str) -> Address {
        Address::new(kind, find_kind(kind).expect("a kind").sample_name())
    }

    fn live(&self, address: &Address) -> &Live {
        &self.snapshot.get(address).expect("it is there")[0].live
    }

    fn id(&self, kind: &str) -> String {
        self.live(&Self::sample(kind)).id.clone()
    }

    /// The verdict of `payctl check`.
    async fn check(&self, kind: &str) -> Verdict {
        let address = Self::sample(kind);
        check(&self.provider, &address, self.live(&address)).await
    }

    /// What the kind says of its sample, whatever stands behind the answer.
    async fn ask(&self, kind: &str) -> Verdict {
        self.ask_at(&Self::sample(kind)).await
    }

    async fn ask_at(&self, address: &Address) -> Verdict {
        let live = self.live(address);
        let cx = Cx {
            aws: self.provider.aws(),
            address,
            name: &self.blueprint.resources[address].name,
            id: Some(&live.id),
            tags: &Tags::new(),
        };
        let kind = find_kind(&address.kind).expect("a kind");
        kind.check(cx, live).await.expect("the sandbox answers")
    }
}

async fn found(provider: &AwsProvider, blueprint: &Blueprint) -> Snapshot {
    survey(provider, &blueprint.resources).await.expect("a survey")
}

pub async fn check(provider: &AwsProvider, address: &Address, live: &Live) -> Verdict {
    let target = Target {
        address: address.clone(),
        name: address.name.clone(),
        id: Some(live.id.clone()),
        tags: Tags::new(),
    };
    provider.check(&target, live).await
}

fn expect_failure(verdict: &Verdict, words: &str) {
    match verdict {
        Verdict::Failed(why) if why.contains(words) => {}
        other => panic!("not failed because of `{words}`: {other:?}"),
    }
}

fn expect_pass(verdict: &Verdict) {
    assert!(matches!(verdict, Verdict::Passed(_)), "{verdict:?}");
}

fn expect_not_run(verdict: &Verdict, words: &str) {
    match verdict {
        Verdict::NotRun(why) if why.contains(words) => {}
        other => panic!("not left out because of `{words}`: {other:?}"),
    }
}

#[test]
fn no_sample_fails_and_what_only_aws_has_is_not_run() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = samples(&provider.aws().scope);
        run(&provider, &blueprint, Purpose::Apply).await;
        let snapshot = found(&provider, &blueprint).await;
        let mut left_out = BTreeSet::new();
        for (address, found) in &snapshot {
            match check(&provider, address, &found[0].live).await {
                Verdict::Passed(_) => {}
                Verdict::NotRun(_) => drop(left_out.insert(address.kind.as_str())),
                Verdict::Failed(why) => panic!("{address}: {why}"),
            }
        }
        let behind = KINDS.iter().map(|kind| kind.meta());
        let behind = behind.filter(|meta| meta.check.is_some_and(|asked| asked.behind.is_some()));
        assert_eq!(left_out, behind.map(|meta| meta.kind).collect::<BTreeSet<_>>());
    });
}

#[test]
fn a_table_that_does_not_answer_fails() {
    block_on(async {
        let table = Deployed::of(Sandbox::in_memory(), "dynamodb.table", |blueprint| {
            set(blueprint, "dynamodb.table", "deletion_protection", json!(false));
        })
        .await;
        expect_pass(&table.check("dynamodb.table").await);
        let client = aws_sdk_dynamodb::Client::new(&by_hand(&table.sandbox));
        let gone = client.delete_table().table_name(table.id("dynamodb.table")).send();
        gone.await.expect("it is deleted");
        client.list_tables().send().await.expect("time passes");
        client.list_tables().send().await.expect("time passes");
        expect_failure(&table.check("dynamodb.table").await, "GetItem: ");
    });
}

#[test]
fn a_dead_message_fails_and_so_does_one_that_waits_for_long() {
    block_on(async {
        let dead = Address::new("sqs.queue", "sample-dlq");
        let queue = Deployed::of(Sandbox::in_memory(), "sqs.queue", |blueprint| {
            another(blueprint, &dead, &json!({ "name": "sample-queue-dlq" }));
            let target = Text::reference(dead.clone(), Output::Arn);
            let redrive = json!({ "target": target, "max_receives": 3 });
            let sample = Address::new("sqs.queue", "sample");
            blueprint.resources.get_mut(&sample).expect("it is there").spec["redrive"] = redrive;
        })
        .await;
        expect_pass(&queue.check("sqs.queue").await);
        let client = aws_sdk_sqs::Client::new(&by_hand(&queue.sandbox));
        let send = async |url: &str| {
            let send = client.send_message().queue_url(url).message_body("{}").send();
            send.await.expect("a message");
        };
        send(&queue.id("sqs.queue")).await;
        expect_not_run(&queue.check("sqs.queue").await, "1 message, and CloudWatch does not say");
        // CloudWatch says how old the oldest message was, one minute after the other.
        let age = |at: u64, seconds: u64| {
            let dimensions = json!([{ "Name": "QueueName", "Value": "sample-queue" }]);
            let data = json!({
                "MetricName": "ApproximateAgeOfOldestMessage", "Dimensions": dimensions,
                "Timestamp": at, "Value": seconds,
            });
            let input = json!({ "Namespace": "AWS/SQS", "MetricData": [data] });
            assert!(queue.sandbox.measure("us-east-1", &input).expect("a world"), "{input}");
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let limit = 900 + 2 * 60;
        age(now - 180, limit);
        expect_pass(&queue.check("sqs.queue").await);
        age(now - 120, limit + 1);
        let words = "it holds 1 message, the oldest for 1021 s; at most 1020 s is normal";
        expect_failure(&queue.check("sqs.queue").await, words);
        send(&queue.live(&dead).id).await;
        let words = "its dead-letter queue sample-queue-dlq holds 1 message";
        expect_failure(&queue.check("sqs.queue").await, words);
        let gone = client.delete_queue().queue_url(&queue.live(&dead).id).send();
        gone.await.expect("it is deleted");
        expect_failure(&queue.check("sqs.queue").await, "does not exist");
    });
}

#[test]
fn a_firing_alarm_fails() {
    block_on(async {
        let alarm = Deployed::fast("cloudwatch.alarm").await;
        expect_pass(&alarm.check("cloudwatch.alarm").await);
        let client = aws_sdk_cloudwatch::Client::new(&by_hand(&alarm.sandbox));
        let set = client.set_alarm_state().alarm_name(alarm.id("cloudwatch.alarm"));
        let set = set.state_value(StateValue::Alarm).state_reason("too many errors").send();
        set.await.expect("it fires");
        expect_failure(&alarm.check("cloudwatch.alarm").await, "ALARM: too many errors");
    });
}

#[test]
fn a_function_whose_last_update_failed_fails() {
    block_on(async {
        let kind = "lambda.function";
        let full = Address::new("ec2.subnet", "full");
        let mut function = Deployed::of(Sandbox::in_memory_strict(), kind, |blueprint| {
            another(blueprint, &full, &json!({ "cidr": "10.90.12.0/28" }));
        })
        .await;
        expect_pass(&function.check(kind).await);

        // Somebody takes every address of a subnet and moves the function there.
        let hand = by_hand(&function.sandbox);
        let subnet = &function.live(&full).id;
        let instances = aws_sdk_ec2::Client::new(&hand).run_instances().image_id("ami-1");
        let instances = instances.min_count(11).max_count(11).subnet_id(subnet).send();
        instances.await.expect("instances");
        let lambda = aws_sdk_lambda::Client::new(&hand);
        let call = lambda.get_function_configuration().function_name(function.id(kind));
        let network = call.send().await.expect("it").vpc_config.expect("a network");
        let network = aws_sdk_lambda::types::VpcConfig::builder()
            .subnet_ids(subnet)
            .set_security_group_ids(network.security_group_ids)
            .build();
        let change = lambda.update_function_configuration().function_name(function.id(kind));
        change.vpc_config(network).send().await.expect("Lambda accepts it");
        tokio::time::advance(Duration::from_secs(600)).await;
        function.snapshot = found(&function.provider, &function.blueprint).await;
        let words = "the last update failed: SubnetOutOfIPAddresses";
        expect_failure(&function.check(kind).await, words);
    });
}

#[test]
fn an_event_source_that_is_gone_fails() {
    block_on(async {
        let source = Deployed::fast("lambda.event_source").await;
        expect_pass(&source.check("lambda.event_source").await);
        let client = aws_sdk_lambda::Client::new(&by_hand(&source.sandbox));
        let id = source.id("lambda.event_source");
        client.delete_event_source_mapping().uuid(&id).send().await.expect("it is deleted");
        // AWS shows it for a while.
        while client.get_event_source_mapping().uuid(&id).send().await.is_ok() {}
        expect_failure(&source.check("lambda.event_source").await, "does not exist any more");
    });
}

#[test]
fn a_stage_that_does_not_answer_fails() {
    block_on(async {
        let api = Deployed::of(Sandbox::in_memory(), "apigateway.stage", |blueprint| {
            // A stage writes a log only if the account has a role for it.
            let role = Address::new("apigateway.account", "sample");
            let more = needed(samples(&blueprint.scope), vec![role]);
            blueprint.resources.extend(more.resources);
        })
        .await;
        expect_pass(&api.check("apigateway.stage").await);
        let client = aws_sdk_apigateway::Client::new(&by_hand(&api.sandbox));
        let id = api.id("apigateway.stage");
        let (api_id, stage) = id.split_once('/').expect("the API and the stage");
        let gone = client.delete_stage().rest_api_id(api_id).stage_name(stage).send();
        gone.await.expect("it is deleted");
        expect_failure(&api.check("apigateway.stage").await, "the stage is not deployed");
    });
}

#[test]
fn a_stage_whose_root_wants_a_key_is_not_judged() {
    block_on(async {
        let api = Deployed::of(Sandbox::in_memory(), "apigateway.stage", |blueprint| {
            let role = Address::new("apigateway.account", "sample");
            let more = needed(samples(&blueprint.scope), vec![role]);
            blueprint.resources.extend(more.resources);
            let address = Address::new("apigateway.rest_api", "sample");
            let api = blueprint.resources.get_mut(&address).expect("the sample");
            let routes = api.spec["routes"].as_object_mut().expect("routes");
            let mut root = routes.values().next().expect("a route").clone();
            root["api_key_required"] = json!(true);
            root["authorization"] = json!("NONE");
            routes.insert("ANY /".to_owned(), root);
        })
        .await;
        expect_not_run(&api.check("apigateway.stage").await, "wants an API key");
    });
}

#[test]
fn a_rotation_that_did_not_happen_fails() {
    block_on(async {
        let secret = Deployed::fast("secretsmanager.rotation").await;
        expect_pass(&secret.check("secretsmanager.rotation").await);
        // The sample rotates every 30 days, and the sandbox never does.
        tokio::time::advance(Duration::from_secs(30 * 86_400)).await;
        expect_pass(&secret.check("secretsmanager.rotation").await);
        tokio::time::advance(Duration::from_secs(3 * 86_400)).await;
        expect_failure(&secret.check("secretsmanager.rotation").await, "did not happen");
    });
}

#[test]
fn a_bucket_that_is_gone_fails() {
    block_on(async {
        let bucket = Deployed::fast("s3.bucket").await;
        expect_pass(&bucket.check("s3.bucket").await);
        let client = aws_sdk_s3::Client::new(&by_hand(&bucket.sandbox));
        let gone = client.delete_bucket().bucket(bucket.id("s3.bucket")).send();
        gone.await.expect("it is deleted");
        expect_failure(&bucket.check("s3.bucket").await, "does not exist any more");
    });
}

#[test]
fn a_subscription_that_waits_for_its_receiver_fails() {
    block_on(async {
        let kind = "sns.subscription";
        expect_pass(&Deployed::fast(kind).await.ask(kind).await);
        let mail = Address::new(kind, "sample.email.ops@example.com");
        let waiting = Deployed::of(Sandbox::in_memory(), kind, |blueprint| {
            let fields = json!({ "protocol": "email", "endpoint": "ops@example.com" });
            another(blueprint, &mail, &fields);
        })
        .await;
        expect_failure(&waiting.ask_at(&mail).await, "waits for its receiver");
        let live = waiting.live(&mail);
        expect_not_run(&check(&waiting.provider, &mail, live).await, "mailboxes");
    });
}

#[test]
fn a_target_that_is_not_healthy_fails() {
    block_on(async {
        let kind = "elb.target_group";
        let group = Deployed::of(Sandbox::in_memory_strict(), kind, |_| {}).await;
        expect_not_run(&group.ask(kind).await, "it has no target that is checked");
        let client = aws_sdk_elasticloadbalancingv2::Client::new(&by_hand(&group.sandbox));
        let target = aws_sdk_elasticloadbalancingv2::types::TargetDescription::builder();
        let target = target.id("10.90.1.7").port(80).build();
        let id = group.id(kind);
        let add = client.register_targets().target_group_arn(&id).targets(target).send();
        add.await.expect("a target");
        // Nothing uses the group yet.
        expect_not_run(&group.ask(kind).await, "it has no target that is checked");
        expect_not_run(&group.check(kind).await, "targets");
    });
    block_on(async {
        let kind = "elb.target_group";
        let group = Deployed::of(Sandbox::in_memory_strict(), "elb.listener", |_| {}).await;
        let client = aws_sdk_elasticloadbalancingv2::Client::new(&by_hand(&group.sandbox));
        let target = aws_sdk_elasticloadbalancingv2::types::TargetDescription::builder();
        let target = target.id("10.90.1.7").port(80).build();
        let id = group.id(kind);
        let add = client.register_targets().target_group_arn(&id).targets(target).send();
        add.await.expect("a target");
        expect_failure(&group.ask(kind).await, "0 of 1 targets are healthy; initial");
        tokio::time::advance(Duration::from_secs(3600)).await;
        expect_pass(&group.ask(kind).await);
    });
}

#[test]
fn a_service_that_is_not_steady_fails() {
    block_on(async {
        let kind = "ecs.service";
        let service = Deployed::of(Sandbox::in_memory_strict(), kind, |_| {}).await;
        expect_failure(&service.ask(kind).await, "a deployment is in progress");
        tokio::time::advance(Duration::from_secs(3600)).await;
        expect_pass(&service.ask(kind).await);
        expect_not_run(&service.check(kind).await, "tasks");
    });
}

#[test]
fn a_stopped_database_fails() {
    block_on(async {
        let database = Deployed::fast("rds.instance").await;
        for kind in ["rds.cluster", "rds.instance"] {
            expect_pass(&database.ask(kind).await);
            expect_not_run(&database.check(kind).await, "databases");
        }
        let client = aws_sdk_rds::Client::new(&by_hand(&database.sandbox));
        let stop = client.stop_db_cluster().db_cluster_identifier(database.id("rds.cluster"));
        stop.send().await.expect("it stops");
        for kind in ["rds.cluster", "rds.instance"] {
            expect_failure(&database.ask(kind).await, "its status is stop");
        }
    });
}

#[test]
fn a_fleet_without_all_its_instances_fails() {
    block_on(async {
        let kind = "autoscaling.group";
        let fleet = Deployed::of(Sandbox::in_memory_strict(), kind, |_| {}).await;
        tokio::time::advance(Duration::from_secs(3600)).await;
        expect_pass(&fleet.ask(kind).await);
        let client = aws_sdk_autoscaling::Client::new(&by_hand(&fleet.sandbox));
        let more = client.update_auto_scaling_group().auto_scaling_group_name(fleet.id(kind));
        more.desired_capacity(2).send().await.expect("it starts another one");
        expect_failure(&fleet.ask(kind).await, "1 of 2 instances in service");
        expect_not_run(&fleet.check(kind).await, "instances");
    });
}

/// The problems of a config with a check of one's own.
fn problems(check: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a folder");
    let text = format!(
        "project = \"payment\"\nregion = \"us-east-1\"\n[queues.jobs]\n[checks.health]\n{check}\n"
    );
    fs::write(dir.path().join("dev.toml"), text).expect("a file");
    let problems = blueprint::problems(dir.path(), "dev", &|_| None, None);
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn checks_that_cannot_work_are_refused() {
    let url = "url = \"https://pay.example.com/health\"";
    assert_eq!(problems(url), Vec::<String>::new());
    let reference =
        "url = \"${queues.jobs.url}\"\njson = { \"items.0.id\" = 1, a = true, b = \"c\" }";
    assert_eq!(problems(reference), Vec::<String>::new());
    for (check, words) in [
        ("", "url"),
        ("url = \"pay.example.com\"", "is not an address"),
        ("url = \"https://me:secret@pay.example.com/\"", "no user and no password"),
        ("url = \"${queues.other.url}\"", "other"),
        (
            "url = \"http://pay.example.com\"\nauthorization = \"iam\"",
            "a signed request needs https",
        ),
        (&format!("{url}\nauthorization = \"token\""), "token"),
        (
            &format!("{url}\nauthorization = \"iam\"\nheaders = {{ authorization = \"x\" }}"),
            "the signature sets the header `authorization`",
        ),
        (&format!("{url}\nheaders = {{ \"a b\" = \"x\" }}"), "a header is written in lower case"),
        (&format!("{url}\nbody = \"x\""), "a GET request has no body"),
        (&format!("{url}\nmethod = \"get\""), "get"),
        (&format!("{url}\nmethod = \"HEAD\"\njson = {{ a = 1 }}"), "has no body"),
        (&format!("{url}\njson = {{ \"a..b\" = 1 }}"), "a path has names"),
        (&format!("{url}\njson = {{ a = [1] }}"), "json"),
        (&format!("{url}\nstatus = 99"), "99"),
        (&format!("{url}\nlatency_ms = 0"), "0"),
        (&format!("{url}\ntimeout = 61"), "61"),
        (&format!("{url}\ntimeout = 1\nlatency_ms = 1001"), "longer than payctl waits"),
    ] {
        let problems = problems(check);
        assert!(problems.len() == 1 && problems[0].contains(words), "{check}: {problems:?}");
    }
}

/// A check of one's own that the sandbox answers by itself.
const REFUSED: &str = r#"
[checks.refused]
url = "${apis.payments.url}/nothing?token=hidden"
status = 403
json = { message = "Missing Authentication Token" }
"#;

/// One that needs a function.
const VALIDATE: &str = r#"
[checks.validate]
url = "${apis.payments.url}/validate"
method = "POST"
authorization = "iam"
timeout = 60
body = '{"customer_id": "c1", "amount": "12.50", "currency": "EUR", "card_number": "4242424242424242"}'
json = { validated = true }
"#;

fn results(out: &str) -> Vec<Value> {
    let mut lines = out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.rfind(|line| line["type"] == "checks").expect("a line of results");
    line["checks"].as_array().expect("results").clone()
}

fn result<'a>(results: &'a [Value], subject: &str) -> &'a Value {
    results.iter().find(|one| one["subject"] == subject).unwrap_or_else(|| panic!("no {subject}"))
}

#[test]
fn the_binary_says_by_its_exit_code_and_its_junit_file_what_failed() {
    let folder = Folder::shipped();
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    let config = fs::read_to_string(folder.path("config/dev.toml")).expect("the config");
    let with = |more: &str| folder.write("config/dev.toml", &format!("{config}\n{more}"));

    // All is well. Without a Python, the sandbox says that it does not run the function.
    with(&format!("{REFUSED}{VALIDATE}"));
    let ran = folder.expect(0, "check --env dev --sandbox --json --junit good.xml");
    let all = results(&ran.out);
    assert!(all.iter().all(|one| one["result"] != "failed"), "{all:#?}");
    assert_eq!(result(&all, "checks.refused")["result"], "ok");
    assert_eq!(result(&all, "checks.validate")["result"], "not_run");
    let kinds = ["apigateway.stage/payments", "dynamodb.table/transactions", "sqs.queue/payments"];
    for subject in kinds {
        assert_eq!(result(&all, subject)["result"], "ok", "{subject}");
    }
    let xml = fs::read_to_string(folder.path("good.xml")).expect("the JUnit file");
    assert!(xml.contains("failures=\"0\"") && !xml.contains("<failure"), "{xml}");
    assert!(xml.contains("checks.validate: POST https://"), "{xml}");
    assert!(!xml.contains("hidden") && !ran.out.contains("hidden"), "the query is not shown");
    assert!(!ran.out.contains("4242424242424242"), "the body is not shown");

    // With one, it runs it.
    let mut command = folder.payctl("check --env dev --sandbox --json");
    command.env("PATH", std::env::var_os("PATH").expect("a path"));
    let ran = crate::cli_support::ended(&mut command);
    ran.expect(0, "check with Python");
    assert_eq!(result(&results(&ran.out), "checks.validate")["result"], "ok", "{}", ran.out);

    // An answer that differs, a queue that does not exist, and an output that is not known.
    let wrong = REFUSED.replace("Missing Authentication Token", "Hello");
    with(&format!("{wrong}\n[queues.late]\n[outputs]\nLate = \"${{queues.late.url}}\"\n"));
    let ran = folder.expect(5, "check --env dev --sandbox --junit bad.xml");
    for words in [
        "message is \"Missing Authentication Token\", not \"Hello\"",
        "sqs.queue/late",
        "it does not exist",
        "outputs.Late",
        "not known",
    ] {
        assert!(ran.out.contains(words), "no `{words}` in\n{}", ran.out);
    }
    for words in ["checks failed", "checks.refused", "outputs.Late", "sqs.queue/late"] {
        assert!(ran.err.contains(words), "no `{words}` in\n{}", ran.err);
    }
    let xml = fs::read_to_string(folder.path("bad.xml")).expect("the JUnit file");
    assert!(xml.contains("<failure message=\"it does not exist\"/>"), "{xml}");

    // What cannot be written is an error of its own.
    folder.expect(1, "check --env dev --sandbox --junit none/x.xml");
}
