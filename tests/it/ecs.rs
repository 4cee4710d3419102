//! Services on Fargate: deployed, scaled, rolled back, drained. On the embedded sandbox, mostly the
//! strict one.

use std::fs;
use std::time::Duration;

use aws_sdk_ecs::types::{Compatibility, ContainerDefinition, NetworkMode};
use payctl::aws::facts::zones;
use payctl::aws::provider::AwsProvider;
use payctl::blueprint::{self, Facts};
use payctl::config;
use payctl_engine::event::StepError;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Action, Purpose};
use payctl_engine::planner;
use payctl_engine::survey::survey;
use payctl_sandbox::Sandbox;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{
    block_on, by_hand, carry_out, expect_settled, plan_now, provider_for, run, sandboxed,
};

/// A config with a service that reads a secret, and `more` keys of the service.
fn config_with(image: &str, more: &str) -> String {
    format!(
        r#"
        project = "payment"
        region = "us-east-1"
        [network]
        cidr = "10.0.0.0/16"
        [security_groups.tasks]
        description = "Tasks"
        egress = "all"
        [secrets.database]
        recovery_days = 0
        [clusters.main]
        [services.payment]
        cluster = "main"
        image = "{image}"
        port = 80
        security_groups = "tasks"
        secrets = {{ DB_PASSWORD = "database:password" }}
        {more}
        "#
    )
}

async fn blueprint_of(provider: &AwsProvider, text: &str) -> Blueprint {
    let aws = provider.aws();
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("dev.toml"), text).expect("a file");
    let loaded = config::load(dir.path(), "dev", &|_| None).expect("a valid config");
    let facts = Facts {
        account: aws.scope.account.clone(),
        region: aws.scope.region.clone(),
        partition: aws.scope.partition.clone(),
        zones: zones(aws).await.expect("zones"),
        now: "2026-01-01T00:00:00Z".into(),
        lent: None,
    };
    blueprint::build(&loaded, &facts).expect("a valid blueprint")
}

fn changes_of(plan: &payctl_engine::plan::Plan) -> Vec<String> {
    let changes = plan.changes.iter();
    changes.map(|change| format!("{:?} {}", change.action, change.address)).collect()
}

async fn active_revisions(ecs: &aws_sdk_ecs::Client) -> usize {
    let answer = ecs.list_task_definitions().send().await.expect("a list");
    answer.task_definition_arns().len()
}

#[test]
fn a_service_lives_through_deployments_and_leaves_nothing() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let ecs = aws_sdk_ecs::Client::new(&by_hand(&sandbox));
        let blueprint = blueprint_of(&provider, &config_with("nginx:0", "")).await;
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "creation").await;
        for version in 1..=12 {
            let blueprint =
                blueprint_of(&provider, &config_with(&format!("nginx:{version}"), "")).await;
            let plan = run(&provider, &blueprint, Purpose::Apply).await;
            let expected = ["Update ecs.service/payment", "Update ecs.task_definition/payment"];
            let mut changed = changes_of(&plan);
            changed.sort();
            assert_eq!(changed, expected);
            expect_settled(&provider, &blueprint, "a deployment").await;
        }
        assert_eq!(active_revisions(&ecs).await, 11, "the new one and the ten before");
        run(&provider, &blueprint, Purpose::Destroy).await;
        assert!(sandbox.counts().expect("a sandbox").is_empty());
    });
}

#[test]
fn the_autoscaler_decides_the_task_count() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let ecs = aws_sdk_ecs::Client::new(&by_hand(&sandbox));
        let scaled = "scaling = { min = 2, max = 10, cpu = 70, memory = 80 }";
        let blueprint = blueprint_of(&provider, &config_with("nginx:1", scaled)).await;
        run(&provider, &blueprint, Purpose::Apply).await;
        let (cluster, service) = ("dev-payment-cluster-main", "dev-payment-service-payment");
        let call = ecs.update_service().cluster(cluster).service(service).desired_count(7);
        call.send().await.expect("scaled out");
        expect_settled(&provider, &blueprint, "scaling out").await;

        let scaled = "scaling = { min = 2, max = 5, cpu = 60 }";
        let blueprint = blueprint_of(&provider, &config_with("nginx:1", scaled)).await;
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(changes_of(&plan), ["Update scaling.target/payment"]);
        expect_settled(&provider, &blueprint, "other bounds").await;
        let call = ecs.describe_services().cluster(cluster).services(service);
        let found = call.send().await.expect("the service");
        assert_eq!(found.services()[0].desired_count(), 5);

        let blueprint = blueprint_of(&provider, &config_with("nginx:1", "desired = 1")).await;
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        let mut changed = changes_of(&plan);
        changed.sort();
        assert_eq!(changed, ["Delete scaling.target/payment", "Update ecs.service/payment"]);
        expect_settled(&provider, &blueprint, "no scaling").await;
    });
}

#[test]
fn an_apply_waits_for_a_deployment_only_if_asked() {
    block_on(async {
        for (more, waits) in [("", false), ("wait_until_stable = true", true)] {
            let sandbox = Sandbox::in_memory_strict();
            let provider = provider_for(&sandboxed(&sandbox), "dev").await;
            let blueprint = blueprint_of(&provider, &config_with("nginx:1", "")).await;
            run(&provider, &blueprint, Purpose::Apply).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            let began = Instant::now();
            let blueprint = blueprint_of(&provider, &config_with("nginx:2", more)).await;
            run(&provider, &blueprint, Purpose::Apply).await;
            assert_eq!(began.elapsed() >= Duration::from_secs(30), waits, "{more}");
        }
    });
}

#[test]
fn a_failed_deployment_is_explained_and_old_tasks_keep_running() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let waits = "wait_until_stable = true";
        let blueprint = blueprint_of(&provider, &config_with("nginx:1", waits)).await;
        run(&provider, &blueprint, Purpose::Apply).await;
        let mut broken = blueprint_of(&provider, &config_with("nginx:2", waits)).await;
        let definition = Address::new("ecs.task_definition", "payment");
        let definition = broken.resources.get_mut(&definition).expect("it is there");
        let container = &mut definition.spec["containers"]["payment"];
        container["logs"]["group"] = json!("/ecs/not-there-dev");
        let plan = plan_now(&provider, &broken, Purpose::Apply).await;
        let report = carry_out(&provider, &plan).await;
        let errors: Vec<String> =
            report.failed.iter().map(|failure| format!("{failure:?}")).collect();
        let said = errors.join("\n");
        assert_eq!(errors.len(), 1, "{said}");
        assert!(said.contains("DeploymentFailed") && said.contains("circuit breaker"), "{said}");
        assert!(matches!(report.failed[0].2, StepError::Refused(_)), "{said}");

        // The service runs the earlier revision again, and the plan shows the new one again.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let plan = plan_now(&provider, &broken, Purpose::Apply).await;
        assert_eq!(changes_of(&plan), ["Update ecs.service/payment"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "the repair").await;
        run(&provider, &blueprint, Purpose::Destroy).await;
        assert!(sandbox.counts().expect("a sandbox").is_empty());
    });
}

/// A blueprint whose tasks do not start, because their log group is missing.
async fn without_logs(provider: &AwsProvider, more: &str) -> Blueprint {
    let mut broken = blueprint_of(provider, &config_with("nginx:1", more)).await;
    let definition = Address::new("ecs.task_definition", "payment");
    let definition = broken.resources.get_mut(&definition).expect("it is there");
    definition.spec["containers"]["payment"]["logs"]["group"] = json!("/ecs/not-there-dev");
    broken
}

#[test]
fn a_failed_first_deployment_is_restarted() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let blueprint = without_logs(&provider, "").await;
        run(&provider, &blueprint, Purpose::Apply).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let paths: Vec<&str> = plan.changes[0].fields.iter().map(|it| it.path.as_str()).collect();
        assert_eq!((changes_of(&plan).len(), paths), (1, vec!["failed_deployment"]));

        let logs = aws_sdk_cloudwatchlogs::Client::new(&by_hand(&sandbox));
        let call = logs.create_log_group().log_group_name("/ecs/not-there-dev");
        call.send().await.expect("a log group");
        run(&provider, &blueprint, Purpose::Apply).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        expect_settled(&provider, &blueprint, "another deployment").await;
    });
}

#[test]
fn waiting_for_a_deployment_reports_its_failure_and_permits_a_retry() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let blueprint = without_logs(&provider, "wait_until_stable = true").await;
        // The first time the service is made, the second time its deployment is started again.
        for _ in 0..2 {
            let began = Instant::now();
            let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
            let report = carry_out(&provider, &plan).await;
            let failed: Vec<_> = report.failed.iter().map(|(_, _, error)| error).collect();
            let [StepError::FailedLater(reason)] = failed[..] else { panic!("{failed:?}") };
            assert!(reason.contains("circuit breaker") && reason.contains("log group"), "{reason}");
            assert!(began.elapsed() > Duration::from_secs(40), "{:?}", began.elapsed());
        }
        let logs = aws_sdk_cloudwatchlogs::Client::new(&by_hand(&sandbox));
        let call = logs.create_log_group().log_group_name("/ecs/not-there-dev");
        call.send().await.expect("a log group");
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "another deployment").await;
    });
}

/// The keys of a service whose deployments move traffic, and the sections that it needs.
fn shifting(deployment: &str) -> String {
    format!(
        r#"
        target_group = "blue"
        deployment = {{ {deployment} }}
        [target_groups.blue]
        [target_groups.green]
        [target_groups.far]
        port = 8080
        [load_balancers.main]
        scheme = "internal"
        security_groups = ["tasks"]
        [[load_balancers.main.listeners]]
        port = 80
        respond = {{ status = 404 }}
        [load_balancers.main.listeners.rules.all]
        priority = 1
        when = {{ path = "/*" }}
        forward = {{ blue = 100, green = 0 }}
        [alarms.errors]
        watch = "load_balancers.main"
        metric = "HTTPCode_Target_5XX_Count"
        statistic = "sum"
        above = 5
        "#
    )
}

const CANARY: &str = "strategy = \"canary\", alternate = \"green\", alarms = [\"errors\"], \
                      step_percent = 10, step_minutes = 5, bake_minutes = 5";

/// The weights of blue and green in the rule. The sandbox moves deployments on when somebody looks at them.
async fn weights(sandbox: &Sandbox) -> (i32, i32) {
    let ecs = aws_sdk_ecs::Client::new(&by_hand(sandbox));
    let call = ecs.describe_services().cluster("dev-payment-cluster-main");
    call.services("dev-payment-service-payment").send().await.expect("the service");
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&by_hand(sandbox));
    let balancers = elb.describe_load_balancers().send().await.expect("load balancers");
    let balancer = balancers.load_balancers()[0].load_balancer_arn().expect("an ARN");
    let listeners = elb.describe_listeners().load_balancer_arn(balancer).send().await;
    let listeners = listeners.expect("listeners");
    let listener = listeners.listeners()[0].listener_arn().expect("an ARN");
    let rules = elb.describe_rules().listener_arn(listener).send().await.expect("rules");
    let rule = rules.rules().iter().find(|rule| rule.is_default() != Some(true)).expect("a rule");
    let forward = rule.actions()[0].forward_config().expect("a forward");
    let of = |side: &str| {
        let groups = forward.target_groups().iter();
        let mut groups = groups.filter(|group| {
            group.target_group_arn().is_some_and(|arn| arn.contains(&format!("-{side}-")))
        });
        groups.next().and_then(|group| group.weight()).expect("a weight")
    };
    (of("blue"), of("green"))
}

#[test]
fn ecs_moves_the_traffic_and_takes_it_back_after_an_alarm() {
    block_on(async {
        let minutes = |count: u64| tokio::time::sleep(Duration::from_secs(60 * count));
        let sandbox = Sandbox::in_memory_strict();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let of = |version: u8| config_with(&format!("nginx:{version}"), &shifting(CANARY));
        let first = blueprint_of(&provider, &of(1)).await;
        run(&provider, &first, Purpose::Apply).await;
        minutes(2).await;
        expect_settled(&provider, &first, "creation").await;
        // The first tasks are in the alternate group, as all tasks are after every other deployment.
        assert_eq!(weights(&sandbox).await, (0, 100));

        // The weights are ECS's: no plan takes them back, be it in the middle or at the end.
        let second = blueprint_of(&provider, &of(2)).await;
        run(&provider, &second, Purpose::Apply).await;
        minutes(2).await;
        assert_eq!(weights(&sandbox).await, (10, 90));
        expect_settled(&provider, &second, "a canary").await;
        minutes(12).await;
        assert_eq!(weights(&sandbox).await, (100, 0));
        expect_settled(&provider, &second, "a deployment").await;

        let third = blueprint_of(&provider, &of(3)).await;
        run(&provider, &third, Purpose::Apply).await;
        minutes(2).await;
        assert_eq!(weights(&sandbox).await, (90, 10));
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&by_hand(&sandbox));
        let alarm = |state: &str| {
            let call = cloudwatch.set_alarm_state().alarm_name("dev-payment-alarm-errors");
            call.state_value(state.into()).state_reason("a test").send()
        };
        // The state that is set lasts for a minute.
        alarm("ALARM").await.expect("an alarm");
        assert_eq!(weights(&sandbox).await, (100, 0));
        minutes(2).await;
        assert_eq!(weights(&sandbox).await, (100, 0));
        let plan = plan_now(&provider, &third, Purpose::Apply).await;
        assert_eq!(changes_of(&plan), ["Update ecs.service/payment"]);
        alarm("OK").await.expect("an alarm");

        // Another strategy, and none: the rule is payctl's again.
        let linear = CANARY.replace("canary", "linear").replace(", step_minutes = 5", "");
        let linear = config_with("nginx:2", &shifting(&linear));
        let linear = blueprint_of(&provider, &linear).await;
        run(&provider, &linear, Purpose::Apply).await;
        minutes(2).await;
        expect_settled(&provider, &linear, "another strategy").await;
        // ECS would go on to move weights until its deployment ends.
        minutes(70).await;
        expect_settled(&provider, &linear, "the end of another strategy").await;
        let rolling = blueprint_of(&provider, &config_with("nginx:2", &shifting(""))).await;
        run(&provider, &rolling, Purpose::Apply).await;
        minutes(2).await;
        expect_settled(&provider, &rolling, "no shift").await;
        assert_eq!(weights(&sandbox).await, (100, 0));
        run(&provider, &rolling, Purpose::Destroy).await;
        assert!(sandbox.counts().expect("a sandbox").is_empty());
    });
}

#[test]
fn deployments_that_ecs_would_refuse_are_refused() {
    let wrong = |deployment: &str| problems(&shifting(deployment));
    assert_eq!(wrong(CANARY), [""; 0]);
    assert_eq!(wrong("alarms = [\"errors\"]"), [""; 0]);
    let hooks = "hooks = [{ function = \"f\", stages = [\"pre_scale_up\"] }]";
    let role = "role = \"r\" }\n[roles.r]\nservices = \"lambda.amazonaws.com\"\n[tags]\nA = { ";
    for (deployment, expected) in [
        ("strategy = \"blue\"".to_owned(), "blue"),
        ("alternate = \"green\"".into(), "`alternate` is not for the strategy rolling"),
        ("bake_minutes = 1".into(), "`bake_minutes` is not for the strategy rolling"),
        (hooks.into(), "`hooks` is not for the strategy rolling"),
        ("strategy = \"canary\"".into(), "the strategy canary needs two target groups"),
        (CANARY.replace("green", "blue"), "`blue` is also the target group of the service"),
        (CANARY.replace("green", "far"), "no rule of a listener forwards to `blue` and `far`"),
        (CANARY.replace("green", "far"), "the target group `far` has port 8080"),
        (CANARY.replace("green", "none"), "[target_groups] has no `none`"),
        (CANARY.replace("errors", "none"), "[alarms] has no `none`"),
        (
            CANARY.replace("canary", "blue_green"),
            "`step_percent` is not for the strategy blue_green",
        ),
        (CANARY.replace("percent = 10", "percent = 0"), "out of range"),
        (CANARY.replace("percent = 10", "percent = 0.25"), "more than one decimal place"),
        (
            CANARY.replace("canary", "linear").replace("percent = 10", "percent = 2"),
            "a step of 2 percent is too small",
        ),
        (CANARY.replace("bake_minutes = 5", "bake_minutes = 1441"), "(use 0 to 1440)"),
        (format!("{CANARY}, {role}"), "ECS cannot assume the role `r`"),
    ] {
        let found = wrong(&deployment);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{deployment}\n{found:#?}");
    }
    let waits = format!("wait_until_stable = true\n{}", shifting(&CANARY.replace("= 5", "= 10")));
    let found = problems(&waits);
    assert!(found[0].contains("a deployment takes 20 minutes and more"), "{found:?}");
    let shift = "[shifts.pay]\nrule = \"main:80:all\"\nfrom = \"blue\"\nto = \"green\"\n";
    let found = problems(&format!("{}{shift}", shifting(CANARY)));
    let twice = "the deployments of the service `payment` move this rule's weights";
    assert!(found[0].contains(twice), "{found:?}");
}

#[test]
fn update_ignores_instability_since_the_plan() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let ecs = aws_sdk_ecs::Client::new(&by_hand(&sandbox));
        let waits = "wait_until_stable = true";
        let blueprint = blueprint_of(&provider, &config_with("nginx:1", waits)).await;
        run(&provider, &blueprint, Purpose::Apply).await;
        let blueprint = blueprint_of(&provider, &config_with("nginx:2", waits)).await;
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        ecs.update_service()
            .cluster("dev-payment-cluster-main")
            .service("dev-payment-service-payment")
            .force_new_deployment(true)
            .send()
            .await
            .expect("a deployment by hand");
        let report = carry_out(&provider, &plan).await;
        assert!(report.is_complete(), "{:#?}", report.failed);
        expect_settled(&provider, &blueprint, "the update").await;
    });
}

#[test]
fn a_foreign_revision_is_left_alone() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let ecs = aws_sdk_ecs::Client::new(&by_hand(&sandbox));
        let blueprint = blueprint_of(&provider, &config_with("nginx:1", "")).await;
        run(&provider, &blueprint, Purpose::Apply).await;
        let container = ContainerDefinition::builder().name("payment").image("nginx:pipeline");
        ecs.register_task_definition()
            .family("dev-payment-service-payment")
            .requires_compatibilities(Compatibility::Fargate)
            .cpu("256")
            .memory("512")
            .network_mode(NetworkMode::Awsvpc)
            .container_definitions(container.build())
            .send()
            .await
            .expect("a revision");
        expect_settled(&provider, &blueprint, "a foreign revision").await;
        run(&provider, &blueprint, Purpose::Destroy).await;
        assert_eq!(active_revisions(&ecs).await, 1, "the foreign one is left");
    });
}

#[test]
fn a_foreign_service_is_left_alone() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let ecs = aws_sdk_ecs::Client::new(&by_hand(&sandbox));
        let call = ecs.create_cluster().cluster_name("dev-payment-cluster-main");
        call.send().await.expect("a cluster");
        let blueprint = blueprint_of(&provider, &config_with("nginx:1", "")).await;
        let snapshot = survey(&provider, &blueprint.resources).await.expect("a survey");
        let plan =
            planner::plan(&provider, &blueprint, &snapshot, Purpose::Apply, &[]).expect("a plan");
        assert!(!plan.refused.is_empty(), "{:?}", plan.changes);
        assert!(plan.changes.iter().all(|change| change.action != Action::Update));
    });
}

/// The problems of a config with `more` keys of the service.
fn problems(more: &str) -> Vec<String> {
    let text = config_with("nginx:1", more);
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("dev.toml"), text).expect("a file");
    let problems = blueprint::problems(dir.path(), "dev", &|_| None, None);
    problems.iter().map(|problem| format!("{} ({})", problem.message, problem.fix)).collect()
}

#[test]
fn services_that_fargate_would_refuse_are_refused() {
    assert_eq!(problems(""), [""; 0]);
    let trust = "role = \"r\"\n[roles.r]\ntrust = [{ actions = \"sts:AssumeRole\", \
                 principals = { Service = \"ecs-tasks.amazonaws.com\" } }]";
    assert_eq!(problems(trust), [""; 0]);
    let table = [
        ("memory = 4096", "does not support cpu 256 with memory 4096 (use for example cpu = 512"),
        ("cpu = 300", "cpu 300 with memory 512 (use for example cpu = 512, memory = 1024)"),
        ("storage = 300", "300 is out of range (use 20 to 200)"),
        ("stop_timeout = 121", "out of range (use 2 to 120)"),
        ("container = \"a b\"", "`a b` is not a valid container name"),
        ("name = \"pay.${env}\"", "`pay.dev` is not a valid name"),
        ("name = \"payment\"", "`payment` does not name the environment"),
        ("environment = { DB_PASSWORD = \"x\" }", "`DB_PASSWORD` is also under `secrets`"),
        ("environment = { \"1X\" = \"x\" }", "`1X` has the wrong format"),
        ("health = { command = \"x\", interval = 5, timeout = 9 }", "longer than the interval"),
        ("platform_version = \"newest\"", "`newest` is not a Fargate version"),
        ("subnets = \"isolated\"", "the network has no isolated subnets"),
        ("subnets = \"public\"", "need public addresses to reach the internet"),
        ("public_ip = true", "`public_ip` is only for public subnets"),
        ("execute_command = true", "`execute_command` needs a role"),
        ("health_grace = 60", "`health_grace` needs a target group"),
        ("desired = 5001", "out of range (use 0 to 5000)"),
        ("log_retention_days = 8", "CloudWatch cannot keep logs for 8 days"),
        ("deployment = { maximum_percent = 100 }", "ECS cannot replace a task"),
        ("deployment = { minimum_percent = 50, maximum_percent = 100 }", "cannot rebalance tasks"),
        ("deployment = { minimum_percent = 101 }", "101 is out of range (use 0 to 100)"),
        (
            "deployment = { circuit_breaker = false, rollback = true }",
            "`rollback` needs the circuit breaker or an alarm",
        ),
        ("scaling = { min = 3, max = 2, cpu = 70 }", "`min` (3) is more than `max` (2)"),
        ("scaling = { min = 1, max = 2 }", "the scaling has no target"),
        ("scaling = { min = 1, max = 2, cpu = 101 }", "101 is out of range (use 1 to 100)"),
        ("scaling = { min = 1, max = 2, memory = 0 }", "0 is out of range (use 1 to 100)"),
        ("desired = 3\nscaling = { min = 1, max = 2, cpu = 70 }", "3 tasks is outside the limits"),
        ("role = \"none\"", "[roles] has no `none`"),
        (
            "role = \"r\"\n[roles.r]\nservices = \"lambda.amazonaws.com\"",
            "tasks cannot assume the role `r` (add \"ecs-tasks.amazonaws.com\" to `services`",
        ),
        (
            "execution_role = \"r\"\n[roles.r]\nservices = \"ec2.amazonaws.com\"",
            "tasks cannot assume the role `r`",
        ),
    ];
    for (more, expected) in table {
        let found = problems(more);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{more}\n{found:#?}");
    }
}

#[test]
fn references_of_a_service_must_fit() {
    let check = |text: &str, expected: &str| {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("dev.toml"), text).expect("a file");
        let found = config::load(dir.path(), "dev", &|_| None).err().unwrap_or_default();
        let found: Vec<String> =
            found.iter().map(|found| format!("{} ({})", found.message, found.fix)).collect();
        assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}\n{found:#?}");
    };
    let good = config_with("nginx:1", "");
    let other = |from: &str, to: &str| good.replace(from, to);
    check(&other("database:password", "databse:password"), "[secrets] has no `databse` (did you");
    check(&other("database:password", "database:pasword"), "has no field `pasword` (did you mean");
    check(&other("database:password", "Database"), "`Database` has the wrong format");
    check(&other("nginx:1", "https://nginx"), "`https://nginx` is not an image");
    check(&other("nginx:1", "nginx 1"), "`nginx 1` is not an image");
    check(&other("cluster = \"main\"", "cluster = \"man\""), "[clusters] has no `man`");
    check(&other("\"tasks\"", "[]"), "a service has 1 to 5 security groups, not 0");
    check(&other("port = 80", "port = 0"), "0 is out of range (use 1 to 65535)");
    let target = config_with("nginx:1", "target_group = \"blue\"");
    let behind = |group: &str| format!("{target}[target_groups.blue]\n{group}\n");
    check(&behind(""), "no listener forwards to `blue` (add `forward = \"blue\"`");
    let listener = "[load_balancers.a]\nsecurity_groups = [\"tasks\"]\n\
                    listeners = [{ port = 80, forward = \"blue\" }]";
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("dev.toml"), behind(listener)).expect("a file");
    config::load(dir.path(), "dev", &|_| None).expect("a service behind a listener");
    let names: Vec<String> = (0..6).map(|at| format!("g{at}")).collect();
    let groups: String = names
        .iter()
        .map(|name| format!("[security_groups.{name}]\ndescription = \"x\"\n"))
        .collect();
    let crowd = other("security_groups = \"tasks\"", &format!("security_groups = {names:?}"));
    check(&format!("{crowd}{groups}"), "a service has 1 to 5 security groups, not 6");
    check(&behind("port = 8080"), "the target group `blue` has port 8080");
    check(&behind("targets = \"instance\""), "are of type instance");
    let portless = behind("").replace("port = 80\n", "\n");
    check(&portless, "`port` is missing (set `port` to the port that the container listens on)");
}
