//! No line of a policy is too much: the lives of a sample of every kind need each of them.
//!
//! An action, a resource or a value of a condition that can be taken out without anything being denied
//! is a line too much.

use std::collections::{BTreeMap, BTreeSet};

use payctl::aws::kinds::{KEEPERS, KINDS, checks};
use payctl::aws::policy::{Names, Statement, Task, document, least};
use payctl::aws::preflight::{Fate, Planned, Preflight};
use payctl::aws::provider::AwsProvider;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::scope::{Scope, TAG_KEYS};
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::{Plan, Purpose};
use payctl_engine::planner;
use payctl_engine::survey::survey;
use payctl_sandbox::{Guard, Need, Sandbox};
use serde_json::{Value, json};

use super::{asked, guard_of};
use crate::kinds::round_trip;
use crate::support::{
    another, block_on, by_hand, carry_out, configured, plan_now, sample_provider, samples,
    sandboxed, shipped_config,
};

/// Lines that nothing below needs, by what is in them, and why.
const UNTRIED: &[(&str, &[&str])] = &[
    (
        "the sandbox has no multipart uploads, and no bucket here has any",
        &["s3:AbortMultipartUpload"],
    ),
    (
        "only a strict sandbox leaves interfaces of functions behind",
        &["ec2:DeleteNetworkInterface"],
    ),
    ("no object here is under a lock", &["s3:GetObjectRetention"]),
    (
        "the sample's firewall protects a load balancer, not a stage",
        &[
            "apigateway:SetWebACL",
            "/restapis/*/stages/*",
            " for {\"wafv2:GetWebACLForResource\"}",
            "elasticloadbalancing:GetLoadBalancerWebACL",
            "wafv2:GetWebACLForResource",
        ],
    ),
    (
        "the sample's fleet stands in no target group and replaces no instances",
        &[
            "autoscaling:AttachLoadBalancerTargetGroups",
            "autoscaling:DetachLoadBalancerTargetGroups",
            "autoscaling:CancelInstanceRefresh",
            "autoscaling:StartInstanceRefresh",
            "autoscaling:DescribeInstanceRefreshes",
            "autoscaling:DescribeScalingActivities",
        ],
    ),
    (
        "the program asks for it before an apply, which the life below does not run",
        &["ec2:DescribeInstanceTypeOfferings", "rds:DescribeOrderableDBInstanceOptions"],
    ),
    (
        "no step of the life below changes that",
        &[
            "elasticloadbalancing:SetSecurityGroups",
            "elasticloadbalancing:SetSubnets",
            "rds:DisableHttpEndpoint",
            "s3:PutBucketLogging",
            "ec2:ReplaceRouteTableAssociation",
            "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
            "secretsmanager:RestoreSecret",
            "security-group/* for {\"ec2:ModifyInstanceAttribute\"}",
            "cluster-pg:",
            "apigateway:UpdateRestApiPolicy",
        ],
    ),
    (
        "only what is protected, or has members, needs it at its end",
        &[
            "dynamodb:UpdateTable",
            "ecs:UpdateService",
            "elasticloadbalancing:ModifyLoadBalancerAttributes",
            "iam:DetachRolePolicy",
            "rds:ModifyDBCluster",
            "wafv2:DeleteLoggingConfiguration",
        ],
    ),
    (
        "one of the samples has the name, and no filter or alias of its own",
        &[
            "log-group:/aws/rds/cluster/sample-database/postgresql:*",
            "log-group:aws-waf-logs-sample:*",
            "alias/sample-other-key",
        ],
    ),
    (
        "a look needs it only while something is under way, or where the tag index does not tell",
        &[
            "ec2:DescribeInstanceStatus",
            "ecs:ListTaskDefinitions",
            "/apikeys/*",
            "::/tags/*",
            "/vpclinks/*",
            "events:DescribeRule",
            "lambda:GetEventSourceMapping",
            "lambda:ListTags",
            "s3:ListBucketVersions",
        ],
    ),
];

/// The names of the samples, as they are.
fn sample_names(blueprint: &Blueprint) -> Names {
    let mut names = Names::new();
    for desired in blueprint.resources.values() {
        let of_kind: &mut BTreeSet<String> = names.entry(desired.address.kind.clone()).or_default();
        // The name of a key is its alias, which changes with the variants.
        let kind = KINDS.iter().find(|kind| kind.meta().kind == desired.address.kind);
        let variants = kind.expect("a known kind").variants();
        let specs = variants.iter().chain([&desired.spec]);
        let aliases = specs.filter_map(|spec| Some(spec.get("alias")?.as_str()?.to_owned()));
        let aliases: Vec<String> = aliases.collect();
        match aliases.is_empty() {
            true => of_kind.extend([desired.name.clone()]),
            false => of_kind.extend(aliases),
        }
    }
    names
}

/// Lines of a policy that can be taken out without anything being denied that was needed.
fn idle(statements: &[Statement], needed: &BTreeSet<Need>) -> Vec<String> {
    let alone: Vec<Guard> =
        statements.iter().map(|statement| guard_of(std::slice::from_ref(statement))).collect();
    // What only one statement allows; the others would not miss it.
    let mut only: BTreeMap<usize, Vec<&Need>> = BTreeMap::new();
    for need in needed {
        let allowing = alone.iter().enumerate().filter(|(_, guard)| guard.allows(need));
        if let [at] = allowing.map(|(at, _)| at).collect::<Vec<_>>()[..] {
            only.entry(at).or_default().push(need);
        }
    }
    let mut idle = Vec::new();
    for (at, statement) in statements.iter().enumerate() {
        let misses = |less: Statement| {
            let guard = guard_of(&[less]);
            only.get(&at).into_iter().flatten().any(|need| !guard.allows(need))
        };
        // With one line left, that line is the statement.
        let without = |all: &BTreeSet<String>, line: &String, instead: &str| {
            let left = all.iter().filter(|other| *other != line).cloned();
            left.chain([instead.to_owned()]).collect::<BTreeSet<String>>()
        };
        for action in &statement.actions {
            let actions = without(&statement.actions, action, "none:None");
            if !misses(Statement { actions, ..statement.clone() }) {
                idle.push(format!(
                    "{action} on {:?} if {:?}",
                    statement.resources, statement.condition
                ));
            }
        }
        for resource in &statement.resources {
            let resources = without(&statement.resources, resource, "arn:none");
            if !misses(Statement { resources, ..statement.clone() }) {
                idle.push(format!("{resource} for {:?}", statement.actions));
            }
        }
        for (key, values) in &statement.condition {
            for value in values {
                let mut condition = statement.condition.clone();
                condition.insert(key.clone(), without(values, value, "none"));
                if !misses(Statement { condition, ..statement.clone() }) {
                    idle.push(format!("{key} = {value} for {:?}", statement.actions));
                }
            }
        }
    }
    idle
}

fn reference(kind: &str, output: Output) -> Value {
    json!(Text::reference(Address::new(kind, "sample"), output))
}

fn set(blueprint: &mut Blueprint, kind: &str, field: &str, value: Value) {
    let sample = blueprint.resources.get_mut(&Address::new(kind, "sample"));
    sample.expect("a sample").spec[field] = value;
}

/// The samples, with what only some of them need.
fn demanding(scope: &Scope) -> Blueprint {
    let mut wanted = samples(scope);
    let key = || reference("kms.key", Output::Arn);
    set(&mut wanted, "dynamodb.table", "encryption", json!({ "kms": key() }));
    set(&mut wanted, "lambda.function", "environment_key", key());
    set(&mut wanted, "rds.cluster", "final_snapshot", json!(true));
    set(&mut wanted, "ec2.flow_log", "destination", reference("s3.bucket", Output::Arn));
    set(&mut wanted, "ec2.flow_log", "role", Value::Null);
    wanted
}

/// The same with another value of a tag.
fn retagged(mut blueprint: Blueprint, team: &str) -> Blueprint {
    for desired in blueprint.resources.values_mut() {
        desired.tags.insert(TAG_KEYS.into(), "Team".into());
        desired.tags.insert("Team".into(), team.into());
    }
    blueprint
}

/// An account with what others do there.
struct Account {
    sandbox: Sandbox,
    provider: AwsProvider,
    needed: BTreeSet<Need>,
}

impl Account {
    async fn new() -> Self {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        Self { sandbox, provider, needed: BTreeSet::new() }
    }

    fn samples(&self) -> Blueprint {
        demanding(&self.provider.aws().scope)
    }

    /// Does something with the permissions that are tried.
    async fn act<T>(&mut self, work: impl Future<Output = T>) -> T {
        let (done, needed) = Box::pin(asked(&self.sandbox, work)).await;
        self.needed.extend(needed);
        done
    }

    /// The same, for a run of the engine.
    async fn runs(&mut self, blueprint: &Blueprint, purpose: Purpose) -> Plan {
        let provider = sample_provider(&sandboxed(&self.sandbox)).await;
        self.act(run(&provider, blueprint, purpose, &[])).await
    }

    /// Somebody with all permissions runs the engine.
    async fn others_run(&self, blueprint: &Blueprint, purpose: Purpose) {
        run(&self.provider, blueprint, purpose, &[]).await;
    }

    /// Others have so many roles and subscriptions that those of this environment are asked for one by
    /// one.
    async fn fill(&self) {
        let hand = by_hand(&self.sandbox);
        let sns = aws_sdk_sns::Client::new(&hand);
        let topic = sns.create_topic().name("other").send().await.expect("a topic").topic_arn;
        for number in 0..101 {
            let call = sns.subscribe().set_topic_arn(topic.clone()).protocol("email");
            let call = call.endpoint(format!("other-{number}@example.com"));
            call.send().await.expect("a subscription");
        }
        let iam = aws_sdk_iam::Client::new(&hand);
        for number in 0..501 {
            let role = iam.create_role().role_name(format!("other-{number}"));
            let trust = json!({ "Version": "2012-10-17", "Statement": [] });
            role.assume_role_policy_document(trust.to_string()).send().await.expect("a role");
        }
    }

    /// Others put an object into the bucket of the samples, and write over it.
    async fn fill_the_bucket(&self) {
        let s3 = aws_sdk_s3::Client::new(&by_hand(&self.sandbox));
        let bucket = "sample-payment-bucket-000000000000-us-east-1";
        for text in ["one", "two"] {
            let call = s3.put_object().bucket(bucket).key("a");
            call.body(text.as_bytes().to_vec().into()).send().await.expect("an object");
        }
    }

    /// All that is asked without changing anything: in an account with few roles and tags that are
    /// told right, and in a crowded one with tags that are told late.
    async fn looks(&mut self) {
        let connection = sandboxed(&self.sandbox);
        let dir = shipped_config();
        self.act(async { drop(configured(&connection, &dir, "dev").await) }).await;
        let blueprint = self.samples();
        let provider = sample_provider(&connection).await;
        self.act(plan_now(&provider, &blueprint, Purpose::Apply)).await;

        self.fill().await;
        self.sandbox.lag_tags(true).expect("a sandbox");
        let blueprint = retagged(blueprint, "cards");
        self.others_run(&blueprint, Purpose::Apply).await;
        self.act(plan_now(&provider, &blueprint, Purpose::Apply)).await;
        self.sandbox.lag_tags(false).expect("a sandbox");
        self.act(preflight(&provider, &blueprint)).await;
    }

    /// What others do to the samples, and an apply puts right.
    async fn meddle(&self) {
        let hand = by_hand(&self.sandbox);
        let ec2 = aws_sdk_ec2::Client::new(&hand);
        let nats = ec2.describe_nat_gateways().send().await.expect("gateways");
        let stands = |nat: &&aws_sdk_ec2::types::NatGateway| {
            nat.state.as_ref().is_some_and(|state| state.as_str() == "available")
        };
        let nat = nats.nat_gateways().iter().find(stands).expect("the sample");
        let tables = ec2.describe_route_tables().send().await.expect("tables");
        let leads_out = |table: &&aws_sdk_ec2::types::RouteTable| {
            table.routes().iter().any(|route| route.destination_cidr_block() == Some("0.0.0.0/0"))
        };
        let table = tables.route_tables().iter().find(leads_out).expect("the sample");
        let call = ec2.replace_route().set_route_table_id(table.route_table_id.clone());
        let call =
            call.destination_cidr_block("0.0.0.0/0").set_nat_gateway_id(nat.nat_gateway_id.clone());
        call.send().await.expect("another route");

        let rds = aws_sdk_rds::Client::new(&hand);
        let stop = rds.stop_db_cluster().db_cluster_identifier("sample-database").send();
        stop.await.expect("it is stopped");
    }

    /// Another key of the environment has the alias of the sample.
    async fn move_the_alias(&self) {
        let kms = aws_sdk_kms::Client::new(&by_hand(&self.sandbox));
        let surplus = Address::new("kms.key", "surplus");
        let tags = self.provider.aws().scope.ownership(&surplus);
        let tags = tags.into_iter().map(|(key, value)| {
            let tag = aws_sdk_kms::types::Tag::builder().tag_key(key).tag_value(value);
            tag.build().expect("a tag")
        });
        let made = kms.create_key().set_tags(Some(tags.collect())).send().await.expect("a key");
        let id = made.key_metadata.expect("a key").key_id;
        let call = kms.update_alias().alias_name("alias/sample-key").target_key_id(id);
        call.send().await.expect("it is moved");
    }

    /// Others delete the table and the database.
    async fn lose(&self) {
        let hand = by_hand(&self.sandbox);
        let table = aws_sdk_dynamodb::Client::new(&hand).delete_table().table_name("sample-table");
        table.send().await.expect("the table goes");
        let rds = aws_sdk_rds::Client::new(&hand);
        let instance = rds.delete_db_instance().db_instance_identifier("sample-database-1");
        instance.send().await.expect("the instance goes");
        let cluster = rds.delete_db_cluster().db_cluster_identifier("sample-database");
        cluster.skip_final_snapshot(true).send().await.expect("the cluster goes");
    }

    async fn backup(&self) -> String {
        let dynamodb = aws_sdk_dynamodb::Client::new(&by_hand(&self.sandbox));
        let call = dynamodb.list_backups().table_name("sample-table");
        let call = call.backup_type(aws_sdk_dynamodb::types::BackupTypeFilter::All);
        let found = call.send().await.expect("backups").backup_summaries.unwrap_or_default();
        found.last().and_then(|one| one.backup_arn.clone()).expect("a backup")
    }

    async fn snapshot(&self) -> String {
        let rds = aws_sdk_rds::Client::new(&by_hand(&self.sandbox));
        let found = rds.describe_db_cluster_snapshots().send().await.expect("snapshots");
        let last = found.db_cluster_snapshots().last();
        last.and_then(|one| one.db_cluster_snapshot_identifier.clone()).expect("a snapshot")
    }
}

/// Plans and applies; with targets, only them.
async fn run(
    provider: &AwsProvider,
    blueprint: &Blueprint,
    purpose: Purpose,
    targets: &[String],
) -> Plan {
    let snapshot = survey(provider, &blueprint.resources).await.expect("a survey");
    let plan = planner::plan(provider, blueprint, &snapshot, purpose, targets).expect("a plan");
    assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
    let report = carry_out(provider, &plan).await;
    assert!(report.is_complete(), "{:#?}\n{:?}", report.failed, report.skipped);
    plan
}

/// What is asked between a plan and an apply, and only if something is wanted; of what is to be restored,
/// whether it is there or not.
async fn preflight(provider: &AwsProvider, blueprint: &Blueprint) {
    let backup = "arn:aws:dynamodb:us-east-1:000000000000:table/sample-table/backup/01-ab";
    for (kind, field, value) in [
        ("lambda.function", "reserved_concurrency", json!(5)),
        ("dynamodb.table", "restore_from", json!({ "backup": backup })),
        ("dynamodb.table", "restore_from", json!({ "table": "sample-table", "at": "latest" })),
        ("rds.cluster", "restore_from", json!({ "snapshot": "sample-snapshot" })),
        ("rds.cluster", "restore_from", json!({ "cluster": "sample-database", "at": "latest" })),
    ] {
        let address = Address::new(kind, "sample");
        let mut want = blueprint.resources[&address].clone();
        want.spec[field] = value;
        let planned = Planned {
            address: &address,
            origin: "",
            fate: Fate::Created,
            changed: Vec::new(),
            want: Some(&want),
            live: None,
        };
        let cx = Preflight::new(provider.aws(), vec![planned], &blueprint.resources);
        for check in checks() {
            let found = (check.run)(&cx).await;
            assert!(found.is_ok(), "{address}: {found:?}");
        }
    }
}

/// What every line of the policy for a plan is needed for.
async fn planning(account: &mut Account) {
    let blueprint = account.samples();
    account.others_run(&blueprint, Purpose::Apply).await;
    Box::pin(account.looks()).await;
}

/// The same for a destroy.
async fn destroying(account: &mut Account) {
    Box::pin(planning(account)).await;
    account.fill_the_bucket().await;
    // The key of a database with a final snapshot is let go of, and another one is deleted.
    let mut kept = account.samples();
    set(&mut kept, "kms.key", "kept", json!(true));
    account.others_run(&kept, Purpose::Apply).await;
    let provider = sample_provider(&sandboxed(&account.sandbox)).await;
    let gone = account.runs(&kept, Purpose::Destroy).await;
    account.act(what_is_kept(&provider, &gone)).await;
    let mut blueprint = account.samples();
    set(&mut blueprint, "rds.cluster", "final_snapshot", json!(false));
    account.others_run(&blueprint, Purpose::Apply).await;
    account.meddle().await;
    account.runs(&blueprint, Purpose::Destroy).await;
}

async fn what_is_kept(provider: &AwsProvider, gone: &Plan) {
    let mut kept = Vec::new();
    for change in &gone.changes {
        let keeper = KEEPERS.iter().find(|keeper| keeper.kind == change.address.kind);
        if let Some((keeper, live)) = keeper.zip(change.live.as_ref()) {
            let asked = (keeper.ask)(provider.aws(), &change.address, live).await;
            kept.extend(asked.expect("it is told"));
        }
    }
    assert_eq!(kept.len(), 2, "{kept:?}");
}

/// The same for an apply.
async fn applying(account: &mut Account) {
    let connection = sandboxed(&account.sandbox);
    let provider = sample_provider(&connection).await;
    // Made, changed in every field, with other tags, deleted.
    account.act(round_trip(&provider, &[])).await;
    // The keys and secrets that wait for their end are taken back.
    let blueprint = account.samples();
    account.runs(&blueprint, Purpose::Apply).await;
    Box::pin(account.looks()).await;
    account.fill_the_bucket().await;
    // What others did is put right.
    account.meddle().await;
    account.runs(&blueprint, Purpose::Apply).await;
    account.move_the_alias().await;
    let key = ["kms.key/sample".to_owned()];
    account.act(run(&provider, &blueprint, Purpose::Apply, &key)).await;
    // A subnet goes over to another table.
    let mut moved = blueprint.clone();
    another(&mut moved, &Address::new("ec2.route_table", "sample-b"), &json!({ "routes": {} }));
    set(&mut moved, "ec2.route_table", "subnets", json!([]));
    account.runs(&moved, Purpose::Apply).await;
    // The config wants nothing of it any more.
    let none = Blueprint { resources: BTreeMap::new(), ..blueprint.clone() };
    let gone = account.runs(&none, Purpose::Apply).await;
    account.act(what_is_kept(&provider, &gone)).await;
    // It comes back from what AWS kept.
    let mut restored = blueprint.clone();
    let (backup, snapshot) = (account.backup().await, account.snapshot().await);
    set(&mut restored, "dynamodb.table", "restore_from", json!({ "backup": backup }));
    set(&mut restored, "rds.cluster", "restore_from", json!({ "snapshot": snapshot }));
    account.runs(&restored, Purpose::Apply).await;
    // And from another one as it was.
    let mut older = blueprint.clone();
    set(&mut older, "rds.cluster", "final_snapshot", json!(false));
    for kind in ["dynamodb.table", "rds.cluster"] {
        another(
            &mut older,
            &Address::new(kind, "sample-older"),
            &json!({ "name": "sample-older" }),
        );
    }
    account.others_run(&older, Purpose::Apply).await;
    account.lose().await;
    let source = |word: &str| json!({ word: "sample-older", "at": "latest" });
    set(&mut older, "dynamodb.table", "restore_from", source("table"));
    set(&mut older, "rds.cluster", "restore_from", source("cluster"));
    let lost = ["dynamodb.table/sample", "rds.cluster/sample", "rds.instance/sample"];
    let lost = lost.map(str::to_owned);
    account.act(run(&provider, &older, Purpose::Apply, &lost)).await;
}

/// What a task's policy has too much, and what it lacks.
async fn tried(task: Task) -> Vec<String> {
    let mut account = Account::new().await;
    match task {
        Task::Plan => Box::pin(planning(&mut account)).await,
        Task::Destroy => Box::pin(destroying(&mut account)).await,
        Task::Apply => Box::pin(applying(&mut account)).await,
        Task::Shift => unreachable!("tests/it/shift.rs moves traffic with its policy"),
    }
    let blueprint = account.samples();
    let statements = least(task, &blueprint.scope, &sample_names(&blueprint));
    let untried = || UNTRIED.iter().flat_map(|(_, parts)| parts.iter());
    let is_tried = |line: &String| !untried().any(|part| line.contains(part));
    let idle = idle(&statements, &account.needed).into_iter().filter(is_tried);
    let mut wrong: Vec<String> =
        idle.map(|line| format!("{task:?}: nothing needs {line}")).collect();
    let guard = guard_of(&statements);
    let denied = account.needed.iter().filter(|need| !guard.allows(need));
    wrong.extend(denied.map(|need| format!("{task:?}: it does not allow {need:?}")));
    if task == Task::Apply {
        let policy = document(&statements).to_string();
        let actions = untried().filter(|part| part.chars().next().is_some_and(char::is_alphabetic));
        let gone = actions.filter(|part| !part.contains(" for ") && !policy.contains(**part));
        wrong.extend(gone.map(|part| format!("{part} is in no policy any more")));
    }
    wrong
}

fn every_line_is_needed(task: Task) {
    let wrong = block_on(Box::pin(tried(task)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_line_of_a_policy_for_plans_is_needed() {
    every_line_is_needed(Task::Plan);
}

#[test]
fn every_line_of_a_policy_for_destroys_is_needed() {
    every_line_is_needed(Task::Destroy);
}

#[test]
fn every_line_of_a_policy_for_applies_is_needed() {
    every_line_is_needed(Task::Apply);
}
