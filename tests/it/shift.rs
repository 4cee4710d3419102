//! `payctl shift`: its rules, what an apply leaves to it, and whole shifts on the sandbox: in the process
//! on a clock that jumps over waits, and of the real binary.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

use crate::cli_support::{Folder, Ran, ended};
use crate::elb::{FUNCTIONS, HEAD, NETWORK, check, environment};
use crate::support::{
    block_on, by_hand, carry_out, configured, expect_settled, plan_now, run, sandboxed, through,
};

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
"#;

const ALIAS: &str = "[functions.f.aliases.live]\n";

/// A shift of the listener with more keys.
fn listener(more: &str) -> String {
    format!(
        "{FUNCTIONS}{SIDES}[shifts.pay]\nlistener = \"front:80\"\nfrom = \"blue\"\nto = \"green\"\n\
         {more}\n"
    )
}

#[test]
fn shifts_that_could_not_work_are_refused() {
    let with = |shift: &str| format!("{FUNCTIONS}{SIDES}{ALIAS}[shifts.pay]\n{shift}\n");
    check(&with(""), "does not say what divides the traffic (set one of `listener`");
    let two = "listener = \"front:80\"\nalias = \"f:live\"\nfrom = \"blue\"\nto = \"green\"";
    check(&with(two), "listener and alias cannot be used together (keep only one)");
    let sides = "from = \"blue\"\nto = \"green\"\n";
    let on = |what: &str| with(&format!("{what}\n{sides}"));
    check(
        &on("listener = \"front\""),
        "`front` has the wrong format (a listener is a load balancer",
    );
    check(&on("listener = \"frond:80\""), "[load_balancers] has no `frond` (did you mean `front`?");
    check(&on("listener = \"front:81\""), "has no listener on port 81 (its ports: 80");
    check(&on("rule = \"front:80\""), "has the wrong format (a rule is a load balancer, a port");
    check(&on("rule = \"front:80:beat\""), "the listener has no rule `beat` (did you mean `beta`?");
    check(&on("alias = \"f:live\""), "`from` is only for listeners and rules (remove it");
    check(&with("alias = \"f\""), "a function alone does not divide its calls (name an alias");
    check(&with("alias = \"f:life\""), "[functions.f.aliases] has no `life` (did you mean `live`?");
    check(&with("stage = \"pays\""), "[apis] has no `pays`");
    let api = "[apis.pay.routes.\"GET /\"]\nfunction = \"f\"\n";
    let figures = with(&format!("stage = \"pay\"\nlimits = {{ p99 = 2 }}\n{api}"));
    check(&figures, "AWS has no figures for each deployment of a stage (remove them, and use");
    check(&with("listener = \"front:80\"\nto = \"green\""), "the shift of a listener needs `from`");
    check(&with("rule = \"front:80:beta\"\nfrom = \"blue\""), "the shift of a rule needs `to`");
    let same = "listener = \"front:80\"\nfrom = \"blue\"\nto = \"blue\"";
    check(&with(same), "both sides are the same target group");
    let other = with(&format!("listener = \"front:80\"\n{sides}")).replacen(
        "forward = { blue = 100, green = 0 }",
        "forward = \"blue\"",
        1,
    );
    check(&other, "does not forward to exactly `blue` and `green` (set `forward = { blue = 100");
    let wrong = listener("").replace("from = \"blue\"", "from = \"blu\"");
    check(&wrong, "[target_groups] has no `blu` (did you mean `blue`?");
    check(&listener("steps = [10, 50]"), "the steps do not rise to 100 (write for example [10");
    check(&listener("steps = [50, 10, 100]"), "the steps do not rise to 100");
    check(&listener("steps = [0, 100]"), "0 is out of range (use 1 to 100)");
    check(&listener("bake = \"5 minutes\""), "`5 minutes` has the wrong format (a span of time");
    check(&listener("missing = \"0s\""), "`0s` has the wrong format (a span of time looks like");
    check(&listener("watch = [\"error\"]"), "[alarms] has no `error` (did you mean `errors`?");
    check(&listener("on_alarm = \"rollback\""), "did you mean `roll_back`?");
    check(&listener("probe = { url = \"/health\" }"), "`/health` is not an address (write for");
    let probe =
        |rest: &str| listener(&format!("probe = {{ url = \"http://a.example/\", {rest} }}"));
    check(&probe("status = 99"), "99 is out of range (use 100 to 599)");
    check(&probe("timeout = 4"), "4 is out of range (use 1 to 3)");
    check(&probe("failures = 0"), "0 is out of range (use 1 to 100)");
    check(&listener("limits = { requests = 5 }"), "there is no limit (set `error_rate` or `p99`");
    check(&listener("limits = { error_rate = -1 }"), "-1 is out of range (use 0 to 100)");
    check(&listener("limits = { p99 = 0.5 }"), "0.5 is out of range (use 1 to 100)");
    check(&listener("limits = { p99 = 2, requests = 0 }"), "0 is out of range (use 1 to 1000000)");
    let twice = "[shifts.other]\nlistener = \"front:80\"\nfrom = \"blue\"\nto = \"green\"";
    check(&listener(twice), "the shift `other` already moves `front:80` (keep one of the two");
    let named = listener("").replace("[shifts.pay]", "[shifts.status]");
    check(&named, "`payctl shift status` is a command (choose another name");
    let network = "[load_balancers.n]\ntype = \"network\"\n\
                   listeners = [{ port = 5000, forward = \"raw\" }]\n\
                   [target_groups.raw]\nprotocol = \"tcp\"\n";
    let network = format!("{network}{}", with(&format!("listener = \"n:5000\"\n{sides}")));
    check(&network, "payctl shifts traffic of application load balancers only");
    let ready =
        with("alias = \"f:live\"").replace(ALIAS, &format!("{ALIAS}provisioned_concurrency = 2\n"));
    check(&ready, "Lambda does not divide the calls of an alias with provisioned concurrency");
    let held = with("alias = \"f:live\"").replace(ALIAS, &format!("{ALIAS}hold = true\n"));
    check(&held, "an alias with `hold` stays at its version (remove `hold` of the alias");
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
    let divider = match rule {
        true => {
            Divider::Rule(live(provider, blueprint, "elb.listener_rule", "front-80-beta").await)
        }
        false => Divider::Listener(live(provider, blueprint, "elb.listener", "front-80").await),
    };
    let from = side(provider, blueprint, "blue").await;
    let to = side(provider, blueprint, "green").await;
    let address = Address::new("cloudwatch.alarm", "errors");
    let alarms = vec![blueprint.resources[&address].name.clone()];
    traffic(provider.aws(), divider, from, to, Sources { alarms, ..Sources::default() })
}

/// An alarm in this state.
async fn set_alarm(sandbox: &Sandbox, blueprint: &Blueprint, state: StateValue) {
    let alarms = aws_sdk_cloudwatch::Client::new(&by_hand(sandbox));
    let address = Address::new("cloudwatch.alarm", "errors");
    let name = &blueprint.resources[&address].name;
    let call = alarms.set_alarm_state().alarm_name(name).state_value(state);
    call.state_reason("a test").send().await.expect("the alarm");
}

fn order(run: &str) -> Order {
    Order {
        shift: "pay".into(),
        run: run.into(),
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
    back(traffic, "pay", "b", &stop, &|_| {}).await
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
            set_alarm(&sandbox, &blueprint, StateValue::Ok).await;
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
        set_alarm(&sandbox, &blueprint, StateValue::Ok).await;
        let order = order("1");
        let fires = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            set_alarm(&sandbox, &blueprint, StateValue::Alarm).await;
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
        set_alarm(&sandbox, &blueprint, StateValue::Ok).await;
        let order = order("1");
        let falls_ill = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            let is_there = sandbox.set_target_health(&green, None, Some("unhealthy"));
            assert!(is_there.expect("a world"), "{green}");
        };
        let (report, ()) = futures::join!(moved(&*road, &order), falls_ill);
        assert_eq!((&report.end, percents(&report)), (&End::RolledBack, vec![10, 0]));
        let found = report.findings[0].0.to_string();
        assert!(found.starts_with("unhealthy targets: arn:aws:lambda"), "{found}");
    });
}

/// Values of a metric of a target group for the last minutes.
fn measured(sandbox: &Sandbox, balancer: &str, group: &str, name: &str, value: f64, count: u32) {
    let tail = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
    let balancer = tail(balancer).replacen("listener/", "", 1);
    let balancer = balancer.rsplit_once('/').expect("the id of the listener").0;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let dimensions = json!([
        { "Name": "LoadBalancer", "Value": balancer },
        { "Name": "TargetGroup", "Value": tail(group) },
    ]);
    for minute in 0..6 {
        let data = json!({
            "MetricName": name,
            "Dimensions": dimensions,
            "Timestamp": now - minute * 60,
            "Values": [value],
            "Counts": [count],
        });
        let input = json!({ "Namespace": "AWS/ApplicationELB", "MetricData": [data] });
        assert!(sandbox.measure("us-east-1", &input).expect("a world"), "{input}");
    }
}

#[test]
fn a_side_that_fails_more_often_or_answers_more_slowly_loses_its_traffic() {
    let folder = environment(&listener("").replace(FUNCTIONS, ""));
    let cases = [(0.0, 0.1, End::Done), (3.0, 0.1, End::RolledBack), (0.0, 0.5, End::RolledBack)];
    for (errors, time, end) in cases {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            let (provider, blueprint) = applied(&sandbox, folder.path()).await;
            let (blue, green) = (
                side(&provider, &blueprint, "blue").await,
                side(&provider, &blueprint, "green").await,
            );
            let arn = live(&provider, &blueprint, "elb.listener", "front-80").await;
            for (group, errors, time) in [(&blue, 0.0, 0.1), (&green, errors, time)] {
                let put =
                    |name, value, count| measured(&sandbox, &arn, &group.id, name, value, count);
                put("RequestCount", 1.0, 100);
                put("HTTPCode_Target_5XX_Count", 1.0, 0);
                if errors > 0.0 {
                    put("HTTPCode_Target_5XX_Count", errors, 1);
                }
                put("TargetResponseTime", time, 100);
            }
            let sources = Sources { figures: true, ..Sources::default() };
            let road = traffic(provider.aws(), Divider::Listener(arn), blue, green, sources);
            let mut order = order("1");
            order.bake = Duration::from_secs(150);
            order.limits = Limits {
                error_rate: Some(2.0),
                p99: Some(2.0),
                requests: 20,
                missing: Duration::from_secs(300),
                ..order.limits
            };
            let report = moved(&*road, &order).await;
            assert_eq!(report.end, end, "{errors} errors, {time} s: {report:#?}");
        });
    }
}

#[test]
fn an_apply_leaves_weights_to_the_shift() {
    let folder = environment(&listener("").replace(FUNCTIONS, ""));
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let (provider, blueprint) = applied(&sandbox, folder.path()).await;
        set_alarm(&sandbox, &blueprint, StateValue::Ok).await;
        let road = road(&provider, &blueprint, false).await;
        let mut some = order("1");
        some.steps = some.steps.until(50).expect("a step");
        assert_eq!(moved(&*road, &some).await.end, End::Done);
        expect_settled(&provider, &blueprint, "a shift").await;
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let [note] = plan.notes.as_slice() else { panic!("{:?}", plan.notes) };
        assert!(note.text.starts_with("its weights belong to the shift `pay`: "), "{}", note.text);

        // Other settings change, and the weights stay.
        let text = fs::read_to_string(folder.path().join("dev.toml")).expect("the config");
        let other = text.replace("port = 80\nforward", "port = 80\nsticky_seconds = 60\nforward");
        let folder = environment("");
        fs::write(folder.path().join("dev.toml"), &other).expect("a file");
        let (_, changed) = configured(&sandboxed(&sandbox), folder.path(), "dev").await;
        // Under a claim the action is left alone.
        let standing = road.read().await.expect("the weights");
        road.tag(&standing, Some("pay shift 9 1")).await.expect("a claim");
        let plan = plan_now(&provider, &changed, Purpose::Apply).await;
        let report = carry_out(&provider, &plan).await;
        let failed = format!("{:?}", report.failed);
        assert!(failed.contains("a run of payctl shift holds this traffic"), "{failed}");
        assert_eq!(weights(&*road).await, (50, 50));
        road.tag(&standing, None).await.expect("no claim");
        run(&provider, &changed, Purpose::Apply).await;
        assert_eq!(weights(&*road).await, (50, 50));
        expect_settled(&provider, &changed, "an apply beside a shift").await;

        // Without the section the config decides again.
        let (without, _) = other.split_once("[shifts.pay]").expect("a shift");
        fs::write(folder.path().join("dev.toml"), without).expect("a file");
        let (_, plain) = configured(&sandboxed(&sandbox), folder.path(), "dev").await;
        let plan = run(&provider, &plain, Purpose::Apply).await;
        assert_eq!(plan.changes.len(), 1, "{:?}", plan.changes);
        assert_eq!(weights(&*road).await, (100, 0));
    });
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
        road.tag(&standing, Some("pay shift 9 1")).await.expect("a claim");
        let plan = plan_now(&provider, &next, Purpose::Apply).await;
        let failed = format!("{:?}", carry_out(&provider, &plan).await.failed);
        assert!(failed.contains("a run of payctl shift holds this traffic"), "{failed}");
        road.tag(&standing, None).await.expect("no claim");
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
            let (_, blueprint) = applied(&sandbox, folder.path()).await;
            set_alarm(&sandbox, &blueprint, StateValue::Ok).await;
            let faults = Faults::new(sandbox.transport()).at_random(seed, 10, &FAULTS);
            let connection = through(faults.transport());
            let (provider, blueprint) = configured(&connection, folder.path(), "dev").await;
            let road = road(&provider, &blueprint, seed % 2 == 0).await;
            let report = moved(&*road, &order("1")).await;
            assert_eq!((&report.end, percents(&report)), (&End::Done, vec![10, 50, 100]), "{seed}");
            assert!(!faults.struck().is_empty(), "{seed}: no fault");
        });
    }
}

/// A folder for the binary, with an environment that is applied to its sandbox.
fn shifting(more: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("work/index.py", "def handler(event, context):\n    return {}\n");
    let text = format!("{HEAD}{NETWORK}{}", listener(more)).replace("\"work\"", "\"../work\"");
    let text = text.replace("role = \"../work\"", "role = \"work\"");
    folder.write("config/dev.toml", &text);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    folder
}

/// The sandbox of a folder, and the name of its alarm.
fn alarm_of(folder: &Folder, state: &StateValue) {
    let sandbox = Sandbox::open(&folder.path(".payctl/sandbox")).expect("the sandbox");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let client = aws_sdk_cloudwatch::Client::new(&by_hand(&sandbox));
        let all = client.describe_alarms().send().await.expect("alarms");
        let name = all.metric_alarms()[0].alarm_name().expect("a name").to_owned();
        let call = client.set_alarm_state().alarm_name(name).state_value(state.clone());
        call.state_reason("too many").send().await.expect("the alarm");
    });
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

fn percents_of(ran: &Ran, kind: &str) -> Vec<u64> {
    let lines = lines(ran);
    let found = lines.iter().filter(|line| line["type"] == kind);
    found.filter_map(|line| line["percent"].as_u64()).collect()
}

#[test]
fn the_binary_moves_traffic_takes_it_back_and_says_so() {
    let folder = shifting("steps = [50, 100]\nbake = \"1s\"\nwatch = [\"errors\"]");
    alarm_of(&folder, &StateValue::Ok);
    let sandbox = "--env dev --sandbox";
    let seen = folder.expect(0, &format!("shift pay {sandbox} --dry-run"));
    assert!(seen.out.contains("A run would give green 50 %, 100 %"), "{}", seen.out);
    // With no more rights than its own policy gives.
    let policy = folder.expect(0, "policy --for shift --env dev --sandbox");
    folder.write("policy.json", &policy.out);
    let mut command = folder.payctl(&format!("shift pay {sandbox} --json"));
    let ran = ended(command.env("PAYCTL_SANDBOX_POLICY", folder.path("policy.json")));
    ran.expect(0, "shift");
    assert_eq!(percents_of(&ran, "shift_moved"), [50, 100], "{}", ran.out);
    let all = lines(&ran);
    let report = all.last().expect("a report");
    assert_eq!((&report["type"], &report["end"]), (&json!("shift"), &json!("done")));
    assert_eq!(report["weights"], json!({ "blue": 0, "green": 100 }));
    assert!(all.iter().any(|line| line["type"] == "shift_baking"), "{}", ran.out);
    folder.expect(0, &format!("plan {sandbox} --detailed-exitcode"));

    let status = folder.expect(0, &format!("shift status {sandbox}"));
    assert!(status.out.contains("green 100 % ##############################"), "{}", status.out);
    let back = folder.expect(0, &format!("shift back pay {sandbox}"));
    assert!(back.err.contains("s: done."), "{}", back.err);
    let status = folder.expect(0, &format!("shift status pay {sandbox} --json"));
    assert_eq!(lines(&status)[0]["shifts"][0]["percent"], 0);

    alarm_of(&folder, &StateValue::Alarm);
    let refused = folder.expect(5, &format!("shift pay {sandbox}"));
    assert!(refused.err.contains("not begun: all traffic is on blue"), "{}", refused.err);
    assert!(refused.err.contains("is in ALARM since"), "{}", refused.err);

    for (line, expected) in [
        ("shift play", "there is no shift `play`"),
        ("shift pay --to red", "the shift has no side `red`"),
        ("shift pay --step 20", "there is no step 20"),
    ] {
        let ran = folder.expect(1, &format!("{line} {sandbox}"));
        assert!(ran.err.contains(expected), "{}", ran.err);
    }
}

/// A run that is disturbed once traffic has moved, up to its end with code 5; the kind of what it found.
fn disturbed(folder: &Folder, disturb: impl FnOnce()) -> Value {
    let mut command = folder.payctl("shift pay --env dev --sandbox --json");
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("payctl starts");
    let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut out = String::new();
    while !out.contains("shift_moved") {
        assert_ne!(said.read_line(&mut out).expect("a line"), 0, "{out}");
    }
    disturb();
    said.read_to_string(&mut out).expect("the rest");
    assert_eq!(child.wait().expect("an end").code(), Some(5), "{out}");
    let ran = Ran { code: Some(5), out, err: String::new() };
    assert_eq!(percents_of(&ran, "shift_moved"), [50, 0], "{}", ran.out);
    let report = lines(&ran).pop().expect("a report");
    assert_eq!(report["end"], "rolled_back");
    let status = folder.expect(0, "shift status pay --env dev --sandbox --json");
    assert_eq!(lines(&status)[0]["shifts"][0]["percent"], 0);
    assert_eq!(lines(&status)[0]["shifts"][0]["claim"], Value::Null);
    report["findings"][0]["kind"].clone()
}

#[test]
fn the_binary_rolls_back_after_an_alarm() {
    let folder = shifting("steps = [50, 100]\nbake = \"60s\"\nwatch = [\"errors\"]");
    alarm_of(&folder, &StateValue::Ok);
    assert_eq!(disturbed(&folder, || alarm_of(&folder, &StateValue::Alarm)), "alarm");
}

#[test]
fn the_binary_rolls_back_after_a_failed_probe() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/health", server.local_addr().expect("an address"));
    let is_ill = Arc::new(AtomicBool::new(false));
    let seen = is_ill.clone();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).is_ok(), "no request");
            let status = if seen.load(Ordering::SeqCst) { "503 Ill" } else { "200 OK" };
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            assert!(stream.write_all(answer.as_bytes()).is_ok(), "no answer");
        }
    });
    let probe = format!("probe = {{ url = \"{url}\", failures = 2 }}");
    let folder = shifting(&format!("steps = [50, 100]\nbake = \"60s\"\n{probe}"));
    assert_eq!(disturbed(&folder, || is_ill.store(true, Ordering::SeqCst)), "probe");
}
