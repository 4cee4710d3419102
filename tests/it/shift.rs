//! `payctl shift`: its rules, what an apply leaves to it, and whole shifts on the sandbox: in the process
//! on a clock that jumps over waits, and of the real binary.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatch::types::StateValue;
use payctl::aws::provider::AwsProvider;
use payctl::aws::traffic::{Divider, Side, Sources, sides, traffic};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::text::Output;
use payctl_engine::plan::Purpose;
use payctl_engine::shift::{End, Limits, OnAlarm, Order, Report, Steps, back, shift};
use payctl_engine::stop::stop_pair;
use payctl_engine::survey::survey;
use payctl_engine::traffic::Traffic;
use payctl_sandbox::{Fault, Faults, Sandbox};
use serde_json::{Value, json};

use crate::elb::{FUNCTIONS, environment};
use crate::support::{
    block_on, by_hand, carry_out, configured, expect_settled, plan_now, run, sandboxed, through,
};

mod applies;
mod binary;
mod every_call;
mod rules;

/// Blue and green behind a listener and a rule, and an alarm.
const SIDES: &str = r#"
[load_balancers.front]
security_groups = ["lb"]
[[load_balancers.front.listeners]]
port = 80
forward = { blue = 100, green = 0 }
[load_balancers.front.listeners.rules.beta]
priority = 10
when = { path = "/beta" }
forward = { blue = 100, green = 0 }
[target_groups.blue]
function = "f"
[target_groups.green]
function = "g"
[queues.jobs]
[alarms.errors]
watch = "queues.jobs"
metric = "ApproximateAgeOfOldestMessage"
above = 60
missing = "not_breaching"
"#;

const ALIAS: &str = "[functions.f.aliases.live]\n";

/// A shift of the listener with more keys.
fn listener(more: &str) -> String {
    format!(
        "{FUNCTIONS}{SIDES}[shifts.pay]\nlistener = \"front:80\"\nfrom = \"blue\"\nto = \"green\"\n\
         {more}\n"
    )
}

/// The environment of a config in a sandbox, applied.
async fn applied(sandbox: &Sandbox, dir: &Path) -> (AwsProvider, Blueprint) {
    let (provider, blueprint) = configured(&sandboxed(sandbox), dir, "dev").await;
    run(&provider, &blueprint, Purpose::Apply).await;
    (provider, blueprint)
}

/// The id and the outputs of what stands at an address.
async fn live(provider: &AwsProvider, blueprint: &Blueprint, kind: &str, name: &str) -> String {
    let snapshot = survey(provider, &blueprint.resources).await.expect("a survey");
    let found = snapshot.get(&Address::new(kind, name)).expect("it exists");
    let live = &found[0].live;
    live.outputs.get(&Output::Arn).filter(|_| kind != "lambda.alias").unwrap_or(&live.id).clone()
}

async fn side(provider: &AwsProvider, blueprint: &Blueprint, name: &str) -> Side {
    let id = live(provider, blueprint, "elb.target_group", name).await;
    Side { name: name.to_owned(), id }
}

/// The traffic of the listener or of the rule, from blue to green.
async fn road(provider: &AwsProvider, blueprint: &Blueprint, rule: bool) -> Box<dyn Traffic> {
    let (kind, name) = match rule {
        true => ("elb.listener_rule", "front-80-beta"),
        false => ("elb.listener", "front-80"),
    };
    let divider = Divider::Action(live(provider, blueprint, kind, name).await);
    let from = side(provider, blueprint, "blue").await;
    let to = side(provider, blueprint, "green").await;
    let address = Address::new("cloudwatch.alarm", "errors");
    let alarms = vec![blueprint.resources[&address].name.clone()];
    traffic(provider.aws(), divider, from, to, Sources { alarms, ..Sources::default() })
}

/// Makes the alarm fire: at once, and because of its metric once CloudWatch evaluates that.
async fn fire(sandbox: &Sandbox, blueprint: &Blueprint) {
    let queue = &blueprint.resources[&Address::new("sqs.queue", "jobs")].name;
    let dimensions = json!([{ "Name": "QueueName", "Value": queue }]);
    measured(sandbox, "AWS/SQS", &dimensions, "ApproximateAgeOfOldestMessage", 100.0, 1);
    let alarms = aws_sdk_cloudwatch::Client::new(&by_hand(sandbox));
    let name = &blueprint.resources[&Address::new("cloudwatch.alarm", "errors")].name;
    let call = alarms.set_alarm_state().alarm_name(name).state_value(StateValue::Alarm);
    call.state_reason("a test").send().await.expect("the alarm");
}

/// Values of a metric, from some minutes ago to one hour ahead.
fn measured(
    sandbox: &Sandbox,
    namespace: &str,
    dimensions: &Value,
    name: &str,
    value: f64,
    count: u32,
) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    for minute in 0..66 {
        let data = json!({
            "MetricName": name,
            "Dimensions": dimensions,
            "Timestamp": now + (minute * 60) - 300,
            "Values": [value],
            "Counts": [count],
        });
        let input = json!({ "Namespace": namespace, "MetricData": [data] });
        assert!(sandbox.measure("us-east-1", &input).expect("a world"), "{input}");
    }
}

fn order(run: &str) -> Order {
    Order {
        shift: "pay".into(),
        run: run.into(),
        side: "green".into(),
        steps: Steps::new(vec![10, 50, 100]).expect("steps"),
        bake: Duration::from_secs(60),
        on_alarm: OnAlarm::RollBack,
        limits: Limits {
            probes: 1,
            error_rate: None,
            p99: None,
            requests: 1,
            missing: Duration::from_secs(120),
        },
    }
}

async fn moved(traffic: &dyn Traffic, order: &Order) -> Report {
    let (_stopper, stop) = stop_pair();
    shift(traffic, order, &stop, &|_| {}).await
}

async fn taken_back(traffic: &dyn Traffic) -> Report {
    let (_stopper, stop) = stop_pair();
    back(traffic, "pay", "b", "blue", &stop, &|_| {}).await
}

fn percents(report: &Report) -> Vec<u8> {
    report.moved.iter().map(|(percent, _)| *percent).collect()
}

async fn weights(traffic: &dyn Traffic) -> (u32, u32) {
    let standing = traffic.read().await.expect("the weights");
    (standing.weights.from, standing.weights.to)
}

#[test]
fn a_listener_and_a_rule_move_and_come_back() {
    let folder = environment(&listener("").replace(FUNCTIONS, ""));
    for is_rule in [false, true] {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            let (provider, blueprint) = applied(&sandbox, folder.path()).await;
            let road = road(&provider, &blueprint, is_rule).await;
            let report = moved(&*road, &order("1")).await;
            assert_eq!((&report.end, percents(&report)), (&End::Done, vec![10, 50, 100]));
            assert_eq!(weights(&*road).await, (0, 100));
            let standing = road.read().await.expect("the tag");
            assert_eq!(standing.claim, None);

            let again = moved(&*road, &order("2")).await;
            assert_eq!((&again.end, percents(&again)), (&End::Nothing, vec![]));
            let report = taken_back(&*road).await;
            assert_eq!((&report.end, percents(&report)), (&End::Done, vec![0]));
            assert_eq!(weights(&*road).await, (100, 0));
        });
    }
}

#[test]
fn an_alarm_takes_traffic_back_and_nothing_moves_while_it_fires() {
    let folder = environment(&listener("").replace(FUNCTIONS, ""));
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let (provider, blueprint) = applied(&sandbox, folder.path()).await;
        let road = road(&provider, &blueprint, false).await;
        let order = order("1");
        let fires = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            fire(&sandbox, &blueprint).await;
        };
        let (report, ()) = futures::join!(moved(&*road, &order), fires);
        assert_eq!((&report.end, percents(&report)), (&End::RolledBack, vec![10, 50, 0]));
        let found = report.findings[0].0.to_string();
        assert!(found.contains("is in ALARM since") && found.ends_with("a test"), "{found}");
        assert_eq!(weights(&*road).await, (100, 0));

        let report = moved(&*road, &order).await;
        assert_eq!((&report.end, percents(&report)), (&End::Refused, vec![]));
    });
}

#[test]
fn an_unhealthy_target_takes_traffic_back() {
    let folder = environment(&listener("").replace(FUNCTIONS, ""));
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let (provider, blueprint) = applied(&sandbox, folder.path()).await;
        let road = road(&provider, &blueprint, false).await;
        let green = side(&provider, &blueprint, "green").await.id;
        let order = order("1");
        let falls_ill = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            let is_there = sandbox.set_target_health(&green, None, Some("unhealthy"));
            assert!(is_there.expect("a world"), "{green}");
        };
        let (report, ()) = futures::join!(moved(&*road, &order), falls_ill);
        assert_eq!((&report.end, percents(&report)), (&End::RolledBack, vec![10, 0]));
        let found = report.findings[0].0.to_string();
        assert!(found.starts_with("unhealthy targets of green: arn:aws:lambda"), "{found}");
    });
}

/// The limits of a shift that compares figures.
fn comparing() -> Order {
    let mut order = order("1");
    order.bake = Duration::from_secs(150);
    order.limits = Limits {
        error_rate: Some(2.0),
        p99: Some(2.0),
        requests: 20,
        missing: Duration::from_secs(300),
        ..order.limits
    };
    order
}

#[test]
fn a_side_that_fails_more_often_or_answers_more_slowly_loses_its_traffic() {
    let folder = environment(&listener("").replace(FUNCTIONS, ""));
    let answers = "HTTPCode_Target_5XX_Count";
    let cases = [
        (answers, 0.0, 0.1, End::Done),
        (answers, 3.0, 0.1, End::RolledBack),
        ("TargetConnectionErrorCount", 3.0, 0.1, End::RolledBack),
        ("LambdaUserError", 3.0, 0.1, End::RolledBack),
        ("LambdaInternalError", 3.0, 0.1, End::RolledBack),
        (answers, 0.0, 0.5, End::RolledBack),
    ];
    for (error, errors, time, end) in cases {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            let (provider, blueprint) = applied(&sandbox, folder.path()).await;
            let (blue, green) = (
                side(&provider, &blueprint, "blue").await,
                side(&provider, &blueprint, "green").await,
            );
            let arn = live(&provider, &blueprint, "elb.listener", "front-80").await;
            let tail = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
            let balancer = tail(&arn).replacen("listener/", "", 1);
            let balancer = balancer.rsplit_once('/').expect("the id of the listener").0.to_owned();
            for (group, errors, time) in [(&blue, 0.0, 0.1), (&green, errors, time)] {
                let dimensions = json!([
                    { "Name": "LoadBalancer", "Value": balancer },
                    { "Name": "TargetGroup", "Value": tail(&group.id) },
                ]);
                let put = |name, value, count| {
                    measured(&sandbox, "AWS/ApplicationELB", &dimensions, name, value, count);
                };
                put("RequestCount", 1.0, 100);
                put(answers, 1.0, 0);
                if errors > 0.0 {
                    put(error, errors, 1);
                }
                put("TargetResponseTime", time, 100);
            }
            let sources = Sources { figures: true, ..Sources::default() };
            let road = traffic(provider.aws(), Divider::Action(arn), blue, green, sources);
            let report = moved(&*road, &comparing()).await;
            assert_eq!(report.end, end, "{errors} {error}, {time} s: {report:#?}");
        });
    }
}

#[test]
fn a_version_that_fails_more_often_or_answers_more_slowly_loses_its_calls() {
    let cases =
        [(0.0, 100.0, End::Done), (3.0, 100.0, End::RolledBack), (0.0, 500.0, End::RolledBack)];
    for (errors, time, end) in cases {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            release(&sandbox, 512).await;
            let (provider, blueprint) = release(&sandbox, 600).await;
            let name = live(&provider, &blueprint, "lambda.alias", "f-live").await;
            let divider = Divider::Alias(name.clone());
            let (from, to) =
                sides(provider.aws(), &divider).await.expect("the alias").expect("two");
            for (version, errors, time) in [(&from.id, 0.0, 100.0), (&to.id, errors, time)] {
                let function = name.split(':').next().unwrap_or_default();
                let dimensions = json!([
                    { "Name": "FunctionName", "Value": function },
                    { "Name": "Resource", "Value": name },
                    { "Name": "ExecutedVersion", "Value": version },
                ]);
                let put = |metric, value, count| {
                    measured(&sandbox, "AWS/Lambda", &dimensions, metric, value, count);
                };
                put("Invocations", 1.0, 100);
                put("Errors", errors, 1);
                put("Duration", time, 100);
            }
            let sources = Sources { figures: true, ..Sources::default() };
            let road = traffic(provider.aws(), divider, from, to, sources);
            let report = moved(&*road, &comparing()).await;
            assert_eq!(report.end, end, "{errors} errors, {time} ms: {report:#?}");
        });
    }
}

/// The alias `live`, with a function of this much memory.
fn released(memory: u32) -> tempfile::TempDir {
    let folder = environment("[functions.f.aliases.live]\n[shifts.pay]\nalias = \"f:live\"\n");
    let path = folder.path().join("dev.toml");
    let config = fs::read_to_string(&path).expect("the config");
    let config = config.replace("[functions.f]\n", &format!("[functions.f]\nmemory = {memory}\n"));
    fs::write(path, config).expect("a file");
    folder
}

async fn release(sandbox: &Sandbox, memory: u32) -> (AwsProvider, Blueprint) {
    let folder = released(memory);
    let (provider, blueprint) = applied(sandbox, folder.path()).await;
    expect_settled(&provider, &blueprint, &format!("the release of {memory} MB")).await;
    (provider, blueprint)
}

#[test]
fn an_alias_gets_new_versions_and_the_shift_moves_the_calls() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let (provider, blueprint) = release(&sandbox, 512).await;
        let name = live(&provider, &blueprint, "lambda.alias", "f-live").await;
        let (aws, divider) = (provider.aws(), Divider::Alias(name));
        assert_eq!(sides(aws, &divider).await.expect("the alias"), None);

        let between = async || {
            let (from, to) = sides(aws, &divider).await.expect("the alias").expect("two versions");
            let names = (from.name.clone(), to.name.clone());
            (traffic(aws, divider.clone(), from, to, Sources::default()), names)
        };
        release(&sandbox, 600).await;
        let (road, names) = between().await;
        assert_eq!(names, ("version-1".into(), "version-2".into()));
        assert_eq!(weights(&*road).await, (1000, 0));
        let report = moved(&*road, &order("1")).await;
        assert_eq!((&report.end, percents(&report)), (&End::Done, vec![10, 50, 100]));
        assert_eq!(weights(&*road).await, (0, 1000));
        assert_eq!(taken_back(&*road).await.end, End::Done);
        assert_eq!(weights(&*road).await, (1000, 0));
        // A release that was taken back makes room for the next.
        release(&sandbox, 700).await;
        let (road, names) = between().await;
        assert_eq!(names, ("version-1".into(), "version-3".into()));
        assert_eq!(moved(&*road, &order("2")).await.end, End::Done);
        // The next one begins where the last one ended, and no call moves before the shift.
        let (provider, blueprint) = release(&sandbox, 800).await;
        let (road, names) = between().await;
        assert_eq!(names, ("version-3".into(), "version-4".into()));
        assert_eq!(weights(&*road).await, (1000, 0));

        // Divided, or under a claim, the alias gets no other version.
        let mut some = order("3");
        some.steps = some.steps.until(10).expect("a step");
        assert_eq!(moved(&*road, &some).await.end, End::Done);
        expect_settled(&provider, &blueprint, "a shift that is not over").await;
        let folder = released(900);
        let (provider, next) = configured(&sandboxed(&sandbox), folder.path(), "dev").await;
        let plan = plan_now(&provider, &next, Purpose::Apply).await;
        let failed = format!("{:?}", carry_out(&provider, &plan).await.failed);
        assert!(failed.contains("divides its calls between two versions"), "{failed}");
        assert_eq!(weights(&*road).await, (900, 100));
        assert_eq!(taken_back(&*road).await.end, End::Done);
        let standing = road.read().await.expect("the weights");
        road.tag(Some("pay shift 9 1")).await.expect("a claim");
        let plan = plan_now(&provider, &next, Purpose::Apply).await;
        let failed = format!("{:?}", carry_out(&provider, &plan).await.failed);
        assert!(failed.contains("a run of payctl shift holds this traffic"), "{failed}");
        road.tag(None).await.expect("no claim");
        run(&provider, &next, Purpose::Apply).await;
        expect_settled(&provider, &next, "the release after the claim").await;
        // A set that rests on an old look changes nothing.
        let error = road.set(&standing, standing.weights).await.expect_err("an old revision");
        assert!(error.passes() && error.code.contains("Precondition"), "{error}");
    });
}

/// An API with this description of its stage and a route, and a shift of it.
fn deployed(path: &str) -> tempfile::TempDir {
    let routes = format!("[apis.pay.routes.\"GET /{path}\"]\nfunction = \"f\"\n");
    environment(&format!("[shifts.pay]\nstage = \"pay\"\n{routes}"))
}

async fn deploy(sandbox: &Sandbox, path: &str) -> (AwsProvider, Blueprint) {
    let folder = deployed(path);
    let (provider, blueprint) = applied(sandbox, folder.path()).await;
    expect_settled(&provider, &blueprint, &format!("the deployment of {path}")).await;
    (provider, blueprint)
}

#[test]
fn a_stage_gets_new_deployments_and_the_shift_moves_the_requests() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let (provider, blueprint) = deploy(&sandbox, "one").await;
        let address = Address::new("apigateway.stage", "pay");
        let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
        let id = snapshot.get(&address).expect("a stage")[0].live.id.clone();
        let (aws, divider) = (provider.aws(), Divider::Stage(id));
        assert_eq!(sides(aws, &divider).await.expect("the stage"), None);

        let between = async || {
            let (from, to) = sides(aws, &divider).await.expect("the stage").expect("a canary");
            let ids = (from.id.clone(), to.id.clone());
            (traffic(aws, divider.clone(), from, to, Sources::default()), ids)
        };
        deploy(&sandbox, "two").await;
        let (road, (_, second)) = between().await;
        assert_eq!(weights(&*road).await, (10_000, 0));
        let report = moved(&*road, &order("1")).await;
        assert_eq!((&report.end, percents(&report)), (&End::Done, vec![10, 50, 100]));
        let (_, same) = deploy(&sandbox, "two").await;
        let plan = plan_now(&provider, &same, Purpose::Apply).await;
        assert!(plan.changes.is_empty(), "{:?}", plan.changes);
        // The next one begins where the last one ended.
        deploy(&sandbox, "three").await;
        let (road, (third, _)) = between().await;
        assert_eq!(third, second);
        assert_eq!(weights(&*road).await, (10_000, 0));
        let mut some = order("2");
        some.steps = some.steps.until(10).expect("a step");
        assert_eq!(moved(&*road, &some).await.end, End::Done);
        let folder = deployed("four");
        let (provider, next) = configured(&sandboxed(&sandbox), folder.path(), "dev").await;
        let plan = plan_now(&provider, &next, Purpose::Apply).await;
        let failed = format!("{:?}", carry_out(&provider, &plan).await.failed);
        assert!(failed.contains("its canary gets 10%"), "{failed}");
        assert_eq!(taken_back(&*road).await.end, End::Done);
        assert_eq!(weights(&*road).await, (10_000, 0));
        // A run claims the stage and has not moved anything yet.
        road.tag(Some("pay shift 9 1")).await.expect("a claim");
        let plan = plan_now(&provider, &next, Purpose::Apply).await;
        let failed = format!("{:?}", carry_out(&provider, &plan).await.failed);
        assert!(failed.contains("a run of payctl shift holds this traffic"), "{failed}");
        let (_, kept) = between().await;
        assert_eq!(kept.0, second);
        road.tag(None).await.expect("no claim");
        run(&provider, &next, Purpose::Apply).await;
        expect_settled(&provider, &next, "the deployment after the way back").await;
    });
}

#[test]
fn a_shift_survives_lost_replies_throttling_and_failures() {
    const FAULTS: [Fault; 4] =
        [Fault::LoseReply, Fault::ResetBefore, Fault::Throttle, Fault::Error500];
    let folder = environment(&listener("").replace(FUNCTIONS, ""));
    for seed in 0..6 {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            applied(&sandbox, folder.path()).await;
            let faults = Faults::new(sandbox.transport()).at_random(seed, 10, &FAULTS);
            let connection = through(faults.transport());
            let (provider, blueprint) = configured(&connection, folder.path(), "dev").await;
            let road = road(&provider, &blueprint, seed % 2 == 0).await;
            let before = faults.struck().len();
            let report = moved(&*road, &order("1")).await;
            assert_eq!((&report.end, percents(&report)), (&End::Done, vec![10, 50, 100]), "{seed}");
            assert!(faults.struck().len() > before, "{seed}: no fault in the shift");
        });
    }
}
