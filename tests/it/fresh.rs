//! Objects that are too new for the next call: roles, service-linked roles, and objects of another
//! service. And objects without tags, which do not belong to the environment.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use payctl::aws::clients::Connection;
use payctl::ui::report::hints;
use payctl_engine::event::{StepError, Verb};
use payctl_engine::model::address::Address;
use payctl_engine::plan::{Action, Purpose};
use payctl_sandbox::{Faults, Guard, Sandbox};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cli_support::Folder;
use crate::support::{
    block_on, by_hand, carry_out, expect_settled, plan_now, provider_for, run, sample_provider,
    sandboxed, shipped, some,
};

fn through(transport: SharedHttpClient) -> Connection {
    Connection { transport: Some(transport), ..sandboxed(&Sandbox::in_memory()) }
}

/// Operations of which the first in an account, or the one right after what it needs, is refused, and who
/// of AWS says so.
const TOO_SOON: [&str; 5] = [
    "apigateway.CreateRequestValidator",
    "ecs.CreateCluster",
    "lambda.CreateEventSourceMapping",
    "lambda.CreateFunction",
    "rds.CreateDBSubnetGroup",
];

/// How often payctl called each of them to create the recommended platform.
async fn calls(sandbox: &Sandbox) -> BTreeMap<&'static str, usize> {
    let faults = Faults::new(sandbox.transport());
    let provider = provider_for(&through(faults.transport()), "dev").await;
    let blueprint = shipped(&provider).await;
    run(&provider, &blueprint, Purpose::Apply).await;
    expect_settled(&provider, &blueprint, "creation").await;
    let made = faults.calls();
    let count = |call: &'static str| (call, made.iter().filter(|one| *one == call).count());
    TOO_SOON.into_iter().map(count).collect()
}

#[test]
fn a_new_account_gets_the_whole_platform_in_one_apply() {
    let plain = block_on(calls(&Sandbox::in_memory()));
    let strict = block_on(calls(&Sandbox::in_memory_strict()));
    for (call, once) in plain {
        assert!(once > 0, "{call} is called");
        assert!(strict[call] > once, "{call} is refused and tried again: {}", strict[call]);
    }
}

#[test]
fn a_role_that_cannot_be_passed_fails_within_two_minutes() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = some(&provider, &["ecs.task_definition"]);
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let all = ["ec2", "ecs", "kms", "logs", "secretsmanager", "tag"];
        let mut actions: Vec<String> = all.iter().map(|service| format!("{service}:*")).collect();
        for verb in ["Attach", "Create", "Get", "List", "Put", "Tag"] {
            actions.push(format!("iam:{verb}*"));
        }
        let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
        sandbox.guarded_by(Some(Guard::of(&json!({ "Statement": statement })).expect("a policy")));
        let began = Instant::now();
        let report = carry_out(&provider, &plan).await;
        assert!(began.elapsed() < Duration::from_secs(150), "{:?}", began.elapsed());
        let failed = report.failed.iter().find(|(address, ..)| address.name == "sample");
        let Some((address, Verb::Create, StepError::Refused(error))) = failed else {
            panic!("{:?}", report.failed);
        };
        assert_eq!(address.kind, "ecs.task_definition");
        let shown = hints(error, &address.kind).join("\n");
        assert!(shown.starts_with("allow iam:PassRole on arn:aws:iam::"), "{shown}");
    });
}

/// The kinds whose objects an apply refuses as foreign if somebody made them since the plan.
async fn refused(
    sandbox: &Sandbox,
    kinds: &[&str],
    by_others: impl AsyncFnOnce(&SdkConfig),
) -> Vec<String> {
    let provider = sample_provider(&sandboxed(sandbox)).await;
    let blueprint = some(&provider, kinds);
    let mut needed = blueprint.clone();
    needed.resources.retain(|address, _| !kinds.contains(&address.kind.as_str()));
    run(&provider, &needed, Purpose::Apply).await;
    let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
    by_others(&by_hand(sandbox)).await;
    let report = carry_out(&provider, &plan).await;
    let not_ours = report.failed.into_iter().filter(|(_, _, error)| {
        assert!(matches!(error, StepError::NotOurs(_)), "{error:?}");
        true
    });
    let mut refused: Vec<String> = not_ours.map(|(address, ..)| address.kind).collect();
    refused.sort();
    refused
}

/// Without tags, so that nothing says whose it is.
#[test]
fn foreign_objects_made_since_the_plan_are_not_adopted() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let kinds = ["ecs.cluster", "sqs.queue"];
        let found = refused(&sandbox, &kinds, async |hand| {
            let sqs = aws_sdk_sqs::Client::new(hand);
            sqs.create_queue().queue_name("sample-queue").send().await.expect("a queue");
            let ecs = aws_sdk_ecs::Client::new(hand);
            ecs.create_cluster().cluster_name("sample-cluster").send().await.expect("a cluster");
        });
        assert_eq!(found.await, kinds);
    });
}

#[test]
fn foreign_objects_made_since_the_plan_are_not_overwritten() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let kinds = ["cloudwatch.alarm", "cloudwatch.dashboard"];
        let body = json!({ "widgets": [] }).to_string();
        let found = refused(&sandbox, &kinds, async |hand| {
            let cloudwatch = aws_sdk_cloudwatch::Client::new(hand);
            cloudwatch
                .put_metric_alarm()
                .alarm_name("sample-alarm")
                .metric_name("Theirs")
                .namespace("N")
                .statistic("Sum".into())
                .period(60)
                .threshold(1.0)
                .evaluation_periods(1)
                .comparison_operator("GreaterThanThreshold".into())
                .send()
                .await
                .expect("an alarm");
            let dashboard = cloudwatch.put_dashboard().dashboard_name("sample-dashboard");
            dashboard.dashboard_body(&body).send().await.expect("a dashboard");
        });
        assert_eq!(found.await, kinds);
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&by_hand(&sandbox));
        let found = cloudwatch.describe_alarms().send().await.expect("alarms");
        assert_eq!(found.metric_alarms()[0].metric_name(), Some("Theirs"));
        let found = cloudwatch.get_dashboard().dashboard_name("sample-dashboard").send().await;
        assert_eq!(found.expect("a dashboard").dashboard_body(), Some(body.as_str()));
    });
}

#[test]
fn a_key_scheduled_for_deletion_is_not_taken_for_ours() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["kms.key"]);
        let key = blueprint.resources.values_mut().find(|one| one.address.kind == "kms.key");
        key.expect("a key").spec["kept"] = json!(true);
        run(&provider, &blueprint, Purpose::Apply).await;
        sandbox.lag_tags(true).expect("a sandbox");
        run(&provider, &blueprint, Purpose::Destroy).await;
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!((plan.changes.len(), plan.count(Action::Create)), (1, 1), "{:?}", plan.changes);
    });
}

#[test]
fn a_missing_log_role_of_the_account_is_recreated() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = some(&provider, &["apigateway.account"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "creation").await;
        let iam = aws_sdk_iam::Client::new(&by_hand(&sandbox));
        let name = "payctl-apigateway-logs-us-east-1";
        let found = iam.list_attached_role_policies().role_name(name).send().await;
        for policy in found.expect("policies").attached_policies() {
            let call = iam.detach_role_policy().role_name(name);
            call.policy_arn(policy.policy_arn().expect("an ARN")).send().await.expect("detached");
        }
        iam.delete_role().role_name(name).send().await.expect("deleted");
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        let address = Address::new("apigateway.account", "sample");
        let made = plan.changes.iter().map(|change| (&change.address, change.action));
        assert_eq!(made.collect::<Vec<_>>(), [(&address, Action::Create)]);
        iam.get_role().role_name(name).send().await.expect("it is there again");
        expect_settled(&provider, &blueprint, "the repair").await;
    });
}

/// A function in a network, by a role that may manage its interfaces.
const INSIDE: &str = r#"
project = "shop"
region = "us-east-1"

[network]
cidr = "10.0.0.0/16"

[security_groups.functions]
description = "Functions"

[roles.check]
services = "lambda.amazonaws.com"
managed = ["service-role/AWSLambdaVPCAccessExecutionRole"]

[functions.check]
source = "../functions/check"
runtime = "python3.13"
role = "check"
subnets = "private"
security_groups = ["functions"]
"#;

#[test]
fn interface_permissions_are_deleted_after_the_interfaces() {
    let folder = Folder::empty();
    folder.write("functions/check/index.py", "def handler(event, context):\n    return {}\n");
    folder.write("config/dev.toml", INSIDE);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    let place = "subnets = \"private\"\nsecurity_groups = [\"functions\"]\n";
    let managed = "AWSLambdaVPCAccessExecutionRole";
    folder.edit("config/dev.toml", managed, "AWSLambdaBasicExecutionRole");
    folder.edit("config/dev.toml", place, "");
    let refused = folder.expect(1, "plan --env dev --sandbox");
    assert!(
        refused.err.contains("loses the permissions for its network interfaces"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("lambda.function/check and iam.role/check"), "{}", refused.err);
    // First one, then the other.
    folder.edit("config/dev.toml", "AWSLambdaBasicExecutionRole", managed);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    folder.edit("config/dev.toml", managed, "AWSLambdaBasicExecutionRole");
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
}

#[test]
fn functions_cannot_recreate_their_log_group() {
    block_on(async {
        let provider = provider_for(&sandboxed(&Sandbox::in_memory()), "dev").await;
        let blueprint = shipped(&provider).await;
        let roles = blueprint.resources.values().filter(|one| one.address.kind == "iam.role");
        let of_functions: Vec<&Value> = roles
            .map(|role| &role.spec)
            .filter(|role| role["managed"].to_string().contains("/AWSLambda"))
            .collect();
        assert!(of_functions.len() > 3, "the platform has functions");
        for role in of_functions {
            let inline = role["inline"].as_object().into_iter().flatten();
            let statements = inline.flat_map(|(_, document)| {
                document["Statement"].as_array().cloned().unwrap_or_default()
            });
            let denies = |one: Value| {
                one["Effect"] == "Deny" && one["Action"].to_string().contains("logs:CreateLogGroup")
            };
            assert!(statements.into_iter().any(denies), "{}", role["name"]);
        }
    });
}

/// EC2 sees a profile first, and the role in it later: then it gives another message.
#[test]
fn launch_waits_until_ec2_sees_the_role_of_a_profile() {
    for kind in ["ec2.instance", "autoscaling.group"] {
        block_on(async {
            let sandbox = Sandbox::in_memory_strict();
            let faults = Faults::new(sandbox.transport()).keeping_answers();
            let provider = sample_provider(&through(faults.transport())).await;
            run(&provider, &some(&provider, &[kind]), Purpose::Apply).await;
            let answers = format!("{:?}", faults.answers());
            for said in ["Invalid IAM Instance Profile", "has no associated IAM Roles"] {
                assert!(answers.contains(said), "{kind}: {said}");
            }
        });
    }
}
