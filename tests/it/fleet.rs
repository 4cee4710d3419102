//! Many environments at once: their plans with one reading of the account, and the quotas that a fleet meets
//! first. Through the real binary.

use std::collections::BTreeMap;

use payctl::aws::clients::Connection;
use payctl::aws::reading::Reading;
use payctl_engine::plan::Purpose;
use payctl_sandbox::{Guard, Sandbox};
use serde_json::{Value, json};

use crate::cli_support::{Folder, Ran, ended};
use crate::support::{block_on, by_hand, configured, expect_settled, run, sandboxed};

const HEAD: &str = "project = \"shop\"\nregion = \"us-east-1\"\n";

/// What the pull requests of a serverless project have, beside the network and the key of `dev`.
const THINGS: &str = r#"
[network]
from = "dev"

[keys.main]
from = "dev"

[security_groups.app]
description = "Functions"
ingress = [{ port = 443, from = "vpc" }]
egress = [{ port = 443, to = "0.0.0.0/0" }]

[roles.app]
services = ["lambda.amazonaws.com"]
managed = ["service-role/AWSLambdaVPCAccessExecutionRole"]

[tables.orders]
partition_key = "id:S"

[queues.jobs]
key = "main"

[functions.check]
source = "../functions/check"
runtime = "python3.13"
handler = "index.handler"
role = "app"
subnets = "private"
security_groups = ["app"]
"#;

const LENDER: &str = r#"
[network]
cidr = "10.0.0.0/16"
nat = { kind = "none" }

[keys.main]
"#;

const QUEUE: &str = "[queues.jobs]\n";

fn template(things: &str) -> String {
    let rule = "[template]\npattern = \"pr-[0-9]+\"\nexamples = [\"pr-1\"]\n";
    format!("{HEAD}disposable = true\n{rule}{things}")
}

fn folder_with(things: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("functions/check/index.py", "def handler(event, context):\n    return {}\n");
    folder.write("config/pr.toml", &template(things));
    folder
}

fn sandbox_of(folder: &Folder) -> Sandbox {
    Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox")
}

/// Applies environments without the binary, which is faster. On the clock of the binary: on one that jumps,
/// the last objects would be ready in its future.
fn applied(folder: &Folder, envs: &[&str]) {
    let sandbox = sandbox_of(folder);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        for env in envs {
            let dir = folder.path("config");
            let (provider, blueprint) = Box::pin(configured(&sandboxed(&sandbox), &dir, env)).await;
            run(&provider, &blueprint, Purpose::Apply).await;
        }
    });
}

/// The number before ` API call` in the last line that has one.
fn calls_in(text: &str) -> usize {
    let line = text.lines().rfind(|line| line.contains(" API call")).expect("a line with calls");
    let before = line.split(" API call").next().expect("a number");
    let number = before.rsplit(|c: char| !c.is_ascii_digit()).next().expect("a number");
    number.parse().expect("a number")
}

/// The row of each environment, by name.
fn rows(ran: &Ran) -> BTreeMap<String, Value> {
    let lines = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let row = |line: Value| {
        assert_eq!(line["type"], "environment", "{line}");
        (line["name"].as_str().expect("a name").to_owned(), line)
    };
    lines.map(row).collect()
}

const TEN: [&str; 10] =
    ["pr-1", "pr-2", "pr-3", "pr-4", "pr-5", "pr-6", "pr-7", "pr-8", "pr-9", "pr-10"];

#[test]
fn an_environment_is_new_although_the_account_has_what_all_share() {
    let folder = Folder::shipped();
    applied(&folder, &["dev"]);
    let rows = rows(&folder.run("plan --all --sandbox --json"));
    let states = ["dev", "prod", "staging"].map(|env| rows[env]["state"].clone());
    assert_eq!(states, ["no_changes", "new", "new"]);
}

#[test]
fn ten_environments_are_planned_with_one_reading() {
    let folder = folder_with(THINGS);
    folder.write("config/dev.toml", &format!("{HEAD}disposable = true\n{LENDER}"));
    applied(&folder, &["dev"]);
    applied(&folder, &TEN);
    let one = folder.expect(0, "plan --env pr-1 --sandbox --detailed-exitcode");
    let ten = folder.expect(0, "plan --env pr-* --sandbox --detailed-exitcode");
    for env in TEN {
        let row = ten.out.lines().find(|line| line.split_whitespace().next() == Some(env));
        assert!(row.is_some_and(|row| row.contains("no changes")), "{env}: {}", ten.out);
    }
    assert!(ten.out.contains("10 environments: 0 with changes, 0 failed"), "{}", ten.out);
    let (one, ten) = (calls_in(&one.out), calls_in(&ten.out));
    println!("one environment takes {one} calls, ten take {ten}");
    assert!(ten <= 3 * one, "one environment takes {one} calls, ten take {ten}");
    // The plan of many sees what the plan of one sees.
    let hand = by_hand(&sandbox_of(&folder));
    block_on(async {
        let sqs = aws_sdk_sqs::Client::new(&hand);
        let name = sqs.get_queue_url().queue_name("pr-7-shop-queue-jobs").send().await;
        let url = name.expect("a queue").queue_url.expect("a URL");
        let call = sqs
            .set_queue_attributes()
            .queue_url(&url)
            .attributes(aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout, "77");
        call.send().await.expect("changed");
    });
    let ten = folder.expect(2, "plan --env pr-* --sandbox --detailed-exitcode --json");
    let changed: Vec<(String, Value)> =
        rows(&ten).into_iter().filter(|(_, row)| row["state"] != "no_changes").collect();
    assert_eq!(changed.len(), 1, "{changed:#?}");
    assert_eq!((changed[0].0.as_str(), &changed[0].1["state"]), ("pr-7", &json!("changes")));
    let change = &changed[0].1["plan"]["changes"][0];
    assert_eq!(change["address"], "sqs.queue/jobs", "{change}");
}

/// The calls of a command with `-v`, by operation.
fn calls_of(ran: &Ran) -> BTreeMap<String, usize> {
    let number = |line: &str| {
        let (number, call) = line.trim().split_once("  ")?;
        Some((call.to_owned(), number.parse().ok()?))
    };
    ran.err.lines().filter_map(number).collect()
}

/// What AWS tells of one object alone, and how often a whole environment of a pull request asks for it. No list has
/// it, and no operation takes several ids: `docs/performance.md` says so too.
const OF_EACH: [(&str, usize); 42] = [
    ("API Gateway.GetAuthorizers", 1),
    ("API Gateway.GetDeployments", 1),
    ("API Gateway.GetModels", 1),
    ("API Gateway.GetRequestValidators", 1),
    ("API Gateway.GetResources", 1),
    ("API Gateway.GetStages", 1),
    ("Application Auto Scaling.ListTagsForResource", 1),
    ("CloudWatch.GetDashboard", 3),
    ("DynamoDB.DescribeContinuousBackups", 3),
    ("DynamoDB.DescribeTable", 3),
    ("DynamoDB.DescribeTimeToLive", 3),
    ("EC2.DescribeInstanceAttribute", 1),
    ("EC2.DescribeVpcAttribute", 2),
    ("ECS.DescribeServices", 1),
    ("ECS.DescribeTaskDefinition", 1),
    ("ECS.ListServices", 1),
    ("Elastic Load Balancing v2.DescribeListeners", 1),
    ("Elastic Load Balancing v2.DescribeLoadBalancerAttributes", 1),
    ("Elastic Load Balancing v2.DescribeRules", 1),
    ("Elastic Load Balancing v2.DescribeTargetGroupAttributes", 2),
    ("EventBridge.ListTargetsByRule", 3),
    ("IAM.GetInstanceProfile", 2),
    ("KMS.DescribeKey", 1),
    ("KMS.GetKeyPolicy", 1),
    ("KMS.GetKeyRotationStatus", 1),
    ("Lambda.GetFunction", 6),
    ("Lambda.GetPolicy", 6),
    ("Lambda.ListAliases", 6),
    ("RDS.DescribeDBClusterParameters", 1),
    ("S3.GetBucketEncryption", 2),
    ("S3.GetBucketLifecycleConfiguration", 2),
    ("S3.GetBucketLogging", 2),
    ("S3.GetBucketPolicy", 2),
    ("S3.GetBucketVersioning", 2),
    ("S3.GetObjectLockConfiguration", 2),
    ("S3.GetPublicAccessBlock", 2),
    ("SNS.GetTopicAttributes", 3),
    ("SQS.GetQueueAttributes", 2),
    ("Secrets Manager.DescribeSecret", 1),
    ("WAFV2.GetLoggingConfiguration", 1),
    ("WAFV2.GetWebACL", 1),
    ("WAFV2.ListResourcesForWebACL", 2),
];

#[test]
fn ten_whole_environments_repeat_only_what_aws_tells_of_one_object_alone() {
    let folder = Folder::shipped();
    applied(&folder, &TEN);
    let plan = |envs: &str| folder.expect(0, &format!("plan --env {envs} --sandbox -v"));
    let (one, ten) = (plan("pr-1"), plan("pr-*"));
    assert!(ten.out.contains("10 environments: 0 with changes, 0 failed"), "{}", ten.out);
    let (one, mut ten) = (calls_of(&one), calls_of(&ten));
    let (all_of_one, all_of_ten): (usize, usize) = (one.values().sum(), ten.values().sum());
    for (call, number) in OF_EACH {
        assert_eq!(ten.remove(call), Some(10 * number), "{call}");
    }
    // Lists: what all environments have is asked for once, in as many pages as it has.
    for (call, number) in &ten {
        let alone = one.get(call).copied().unwrap_or_default();
        assert!(*number <= alone + 8 && *number < 10, "{call}: {number}, alone {alone}");
    }
    let (each, lists): (usize, usize) = (OF_EACH.iter().map(|it| it.1).sum(), ten.values().sum());
    println!("one: {all_of_one}; ten: {all_of_ten} = {lists} lists + 10 * {each}");
    assert!(lists <= 90, "{lists}: {ten:#?}");
    assert!(10 * all_of_ten <= 61 * all_of_one, "{all_of_ten} of ten, {all_of_one} of one");
}

#[test]
fn a_plan_of_many_sees_what_shared_lists_tell() {
    let folder = Folder::shipped();
    applied(&folder, &["pr-1", "pr-2"]);
    let hand = by_hand(&sandbox_of(&folder));
    block_on(async {
        let logs = aws_sdk_cloudwatchlogs::Client::new(&hand);
        let groups = logs.describe_log_groups().log_group_name_pattern("pr-2").send().await;
        let groups = groups.expect("groups").log_groups.expect("some");
        let is_tagged = |name: &&str| !name.starts_with("API-Gateway-Execution-Logs_");
        let name = groups.iter().filter_map(|group| group.log_group_name()).find(is_tagged);
        let call = logs.put_retention_policy().log_group_name(name.expect("a group"));
        call.retention_in_days(3653).send().await.expect("changed");

        let ec2 = aws_sdk_ec2::Client::new(&hand);
        let templates = ec2.describe_launch_templates().send().await.expect("templates");
        let mut templates = templates.launch_templates.expect("some").into_iter();
        let is_of_two = |name: Option<&str>| name.is_some_and(|name| name.contains("pr-2"));
        let template = templates.find(|one| is_of_two(one.launch_template_name()));
        let id = template.and_then(|one| one.launch_template_id).expect("a template");
        let data = aws_sdk_ec2::types::RequestLaunchTemplateData::builder().image_id("ami-1");
        let call = ec2.create_launch_template_version().launch_template_id(&id);
        let call = call.launch_template_data(data.build());
        call.send().await.expect("another version");
        let call = ec2.modify_launch_template().launch_template_id(&id).default_version("2");
        call.send().await.expect("another default");

        let ecs = aws_sdk_ecs::Client::new(&hand);
        let clusters = ecs.list_clusters().send().await.expect("clusters");
        let mut clusters = clusters.cluster_arns.expect("some").into_iter();
        let cluster = clusters.find(|arn| arn.contains("pr-2")).expect("a cluster");
        let setting = aws_sdk_ecs::types::ClusterSetting::builder()
            .name(aws_sdk_ecs::types::ClusterSettingName::ContainerInsights)
            .value("disabled");
        let call = ecs.update_cluster().cluster(cluster).settings(setting.build());
        call.send().await.expect("changed");

        let groups = ec2.describe_vpcs().send().await.expect("VPCs").vpcs.expect("some");
        let vpc =
            groups.into_iter().find(|vpc| vpc.tags().iter().any(|tag| tag.value() == Some("pr-2")));
        let vpc = vpc.and_then(|vpc| vpc.vpc_id).expect("the VPC");
        let filter = |name: &str, value: &str| {
            aws_sdk_ec2::types::Filter::builder().name(name).values(value).build()
        };
        let call = ec2.describe_security_groups().filters(filter("vpc-id", &vpc));
        let found = call.filters(filter("group-name", "default")).send().await.expect("groups");
        let group = found.security_groups.expect("some").remove(0).group_id.expect("an id");
        let rule = aws_sdk_ec2::types::IpPermission::builder().ip_protocol("-1");
        let range = aws_sdk_ec2::types::IpRange::builder().cidr_ip("0.0.0.0/0").build();
        let call = ec2.authorize_security_group_egress().group_id(group);
        let call = call.ip_permissions(rule.ip_ranges(range).build());
        call.send().await.expect("a rule");
    });
    let ran = folder.expect(2, "plan --env pr-* --sandbox --detailed-exitcode --json");
    let rows = rows(&ran);
    assert_eq!(rows["pr-1"]["state"], "no_changes", "{:#}", rows["pr-1"]);
    let alone = folder.expect(2, "plan --env pr-2 --sandbox --detailed-exitcode --json");
    let alone: Value = serde_json::from_str(alone.out.trim()).expect("JSON");
    let kinds = |plan: &Value| -> Vec<(String, Value)> {
        let changes = plan["changes"].as_array().expect("changes").iter();
        let named = |one: &Value| one["address"].as_str().expect("an address").to_owned();
        changes.map(|one| (named(one), one["fields"].clone())).collect()
    };
    assert_eq!(kinds(&rows["pr-2"]["plan"]), kinds(&alone));
    let addresses: Vec<String> = kinds(&alone).into_iter().map(|(address, _)| address).collect();
    for kind in ["logs.log_group/", "ec2.launch_template/", "ecs.cluster/", "ec2.vpc/"] {
        assert!(addresses.iter().any(|it| it.starts_with(kind)), "{kind}: {addresses:?}");
    }
}

/// Batches name the objects of all environments: AWS denies such a call as a whole.
#[test]
fn a_caller_that_may_read_one_environment_alone_plans_it_beside_others() {
    let parameters = "\"/shop/name-${env}\" = \"x\"\n\"/shop/size-${env}\" = \"1\"\n";
    let folder = folder_with(&format!("[clusters.main]\n\n[parameters]\n{parameters}"));
    let dir = folder.path("config");
    block_on(async {
        let sandbox = Sandbox::in_memory();
        for env in ["pr-1", "pr-2"] {
            let (provider, blueprint) = configured(&sandboxed(&sandbox), &dir, env).await;
            run(&provider, &blueprint, Purpose::Apply).await;
        }
        let others = [
            "a*",
            "c*",
            "d*",
            "ec2:*",
            "el*",
            "ev*",
            "g*",
            "i*",
            "k*",
            "l*",
            "r*",
            "se*",
            "sn*",
            "sq*",
            "st*",
            "s3:*",
            "t*",
            "w*",
            "ecs:List*",
            "ssm:Describe*",
            "ssm:List*",
        ];
        let own = ["arn:aws:ecs:*:cluster/pr-1-*", "arn:aws:ssm:*:parameter/shop/*-pr-1"];
        let batches = ["ecs:DescribeClusters", "ssm:GetParameters"];
        let policy = json!({ "Statement": [
            { "Effect": "Allow", "Action": others, "Resource": "*" },
            { "Effect": "Allow", "Action": batches, "Resource": own },
        ] });
        sandbox.guarded_by(Some(Guard::of(&policy).expect("a policy")));
        let reading = Some(Reading::default());
        let connection = Connection { reading, ..sandboxed(&sandbox) };
        let (provider, blueprint) = configured(&connection, &dir, "pr-1").await;
        expect_settled(&provider, &blueprint, "a reading of one environment").await;
    });
}

#[test]
fn an_environment_that_cannot_be_planned_does_not_stop_the_others() {
    let folder = folder_with(QUEUE);
    folder.write("config/dev.toml", &format!("{HEAD}{QUEUE}"));
    folder.write("config/bad.toml", &format!("{HEAD}[queues.jobs]\nvisibilty = 3\n"));
    let account = "account = \"123456789012\"\n";
    folder.write("config/new.toml", &format!("{HEAD}{account}{QUEUE}"));
    applied(&folder, &["dev", "pr-7"]);
    let all = folder.expect(1, "plan --all --sandbox --json");
    let rows = rows(&all);
    let states: BTreeMap<&str, &str> = rows
        .iter()
        .map(|(name, row)| (name.as_str(), row["state"].as_str().unwrap_or_default()))
        .collect();
    let expected =
        [("bad", "failed"), ("dev", "no_changes"), ("new", "new"), ("pr-7", "no_changes")];
    assert_eq!(states, BTreeMap::from(expected), "a template is not an environment");
    assert!(rows["bad"]["error"]["message"].as_str().is_some(), "{}", rows["bad"]);
    assert_eq!(rows["new"]["plan"]["summary"]["create"], 1);
    let codes: Vec<&Value> = rows.values().map(|row| &row["exit_code"]).collect();
    assert_eq!(codes, [&json!(1), &json!(0), &json!(0), &json!(0)]);
    let text = folder.expect(1, "plan --all --sandbox --detailed-exitcode");
    assert!(text.err.contains("bad: the config has 1 problem"), "{}", text.err);
    assert!(text.out.contains("4 environments: 1 with changes, 1 failed"), "{}", text.out);

    std::fs::remove_file(folder.path("config/bad.toml")).expect("removed");
    folder.expect(2, "plan --all --sandbox --detailed-exitcode");
    folder.expect(0, "plan --all --sandbox");
    folder.expect(0, "plan --env d* --sandbox --detailed-exitcode");
}

#[test]
fn a_pattern_is_for_plans_alone_and_for_names_that_exist() {
    let folder = folder_with(QUEUE);
    for command in ["apply --auto-approve", "destroy --auto-approve", "status", "plan --target a"] {
        let ran = folder.expect(1, &format!("{command} --env pr-* --sandbox"));
        let is_told = ran.err.contains("names several environments")
            || ran.err.contains("needs one environment");
        assert!(is_told, "{}", ran.err);
    }
    assert_eq!(folder.counts(), json!({}));
    let none = folder.expect(1, "plan --env pr-* --sandbox");
    assert!(none.err.contains("no environment fits `pr-*`"), "{}", none.err);
}

#[test]
fn what_lives_without_a_config_is_in_the_table_and_other_projects_are_not() {
    let folder = folder_with(QUEUE);
    folder.write("config/old.toml", &format!("{HEAD}{QUEUE}"));
    folder.write("bank/vault.toml", &format!("{HEAD}{QUEUE}").replace("\"shop\"", "\"bank\""));
    applied(&folder, &["old", "pr-7"]);
    folder.expect(0, "apply --env vault --sandbox --config-dir bank --auto-approve");
    std::fs::remove_file(folder.path("config/old.toml")).expect("removed");
    let all = folder.expect(0, "plan --all --sandbox --detailed-exitcode");
    let line = all.out.lines().find(|line| line.starts_with("old "));
    assert!(line.is_some_and(|line| line.contains("not in the config")), "{}", all.out);
    assert!(!all.out.contains("vault"), "{}", all.out);
    assert!(all.err.contains("1 environment of other projects"), "{}", all.err);
}

/// The calls to Service Quotas of a command with `-v`.
fn quotas_asked(ran: &Ran) -> Vec<&str> {
    ran.err.lines().filter(|line| line.contains("Service Quotas.")).map(str::trim).collect()
}

#[test]
fn a_full_quota_of_networks_is_found_before_the_first_write() {
    let network = "[network]\ncidr = \"10.0.0.0/16\"\nnat = { kind = \"none\" }\n";
    let folder = folder_with(network);
    applied(&folder, &["pr-7"]);
    let hand = by_hand(&sandbox_of(&folder));
    block_on(async {
        let ec2 = aws_sdk_ec2::Client::new(&hand);
        for number in 1..5 {
            let call = ec2.create_vpc().cidr_block(format!("10.{number}.0.0/16"));
            call.send().await.expect("a VPC");
        }
    });
    let before = folder.counts();
    // A plan that writes nothing has a note.
    let planned = folder.expect(0, "plan --env pr-8 --sandbox").out;
    let refused = folder.expect(1, "apply --auto-approve --env pr-8 --sandbox").err;
    for said in [&planned, &refused] {
        let says = |text: &str| assert!(said.contains(text), "{text}: {said}");
        says("the account has no room for 1 more VPC");
        says("it has 5 of 5 in us-east-1; an environment like this one needs 1, so 0 more fit");
        says("--service-code vpc --quota-code L-F678F1CE --desired-value 6");
    }
    assert_eq!(folder.counts(), before);
    // The plan of many says it once.
    for env in ["pr-8", "pr-9"] {
        folder.write(&format!("config/{env}.toml"), &format!("{HEAD}{network}"));
    }
    let all = folder.expect(0, "plan --all --sandbox").out;
    let notes = all.matches("the account has no room for 1 more VPC").count();
    assert_eq!((notes, all.contains("note: pr-8, pr-9: ")), (1, true), "{all}");
    // A plan that creates no network asks nothing.
    let settled = folder.expect(0, "plan --env pr-7 --sandbox --detailed-exitcode -v");
    assert_eq!(quotas_asked(&settled), Vec::<&str>::new());
}

#[test]
fn a_quota_that_may_not_be_read_is_a_note() {
    let network = "[network]\ncidr = \"10.0.0.0/16\"\nnat = { kind = \"none\" }\n";
    let folder = folder_with(network);
    let policy = folder.policy_without("plan", "pr-7", "servicequotas:GetServiceQuota");
    let mut plan = folder.payctl("plan --env pr-7 --sandbox");
    let ran = ended(plan.env("PAYCTL_SANDBOX_POLICY", policy));
    ran.expect(0, "the quota is denied");
    assert!(ran.out.contains("payctl does not know how many VPCs"), "{}", ran.out);
    assert!(ran.out.contains("servicequotas:GetServiceQuota"), "{}", ran.out);
    let allowed = folder.expect(0, "plan --env pr-7 --sandbox -v");
    assert_eq!(quotas_asked(&allowed), ["1  Service Quotas.GetServiceQuota"]);
    assert!(!allowed.out.contains("does not know"), "{}", allowed.out);
}

#[test]
fn an_environment_with_an_account_belongs_to_its_region() {
    let folder = Folder::empty();
    let account = "account = \"123456789012\"\n";
    folder.write("config/dev.toml", &format!("{HEAD}{account}{QUEUE}"));
    let ran = folder.expect(1, "apply --env dev --sandbox --region eu-west-1 --auto-approve");
    let told = "--region is eu-west-1, but this environment belongs to us-east-1";
    assert!(ran.err.contains(told), "{}", ran.err);
    assert!(!folder.path(".payctl/sandbox").exists(), "nothing was read");
    folder.expect(0, "plan --env dev --sandbox --region us-east-1");
    folder.edit("config/dev.toml", account, "");
    folder.expect(0, "plan --env dev --sandbox --region eu-west-1");
}
