//! The lives of the samples in an account, as the policies of a plan, an apply and a destroy have to
//! allow them: what payctl does, what others do meanwhile, and all that payctl needed for its part.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::BackupTypeFilter;
use aws_sdk_ecs::types::{Compatibility, ContainerDefinition, NetworkMode};
use payctl::aws::kinds::{KEEPERS, checks, find_kind};
use payctl::aws::leases::Leases;
use payctl::aws::leftovers::indexed;
use payctl::aws::policy::Task;
use payctl::aws::preflight::{Fate, Planned, Preflight};
use payctl::aws::provider::AwsProvider;
use payctl_engine::lease::{Lease, RunRecord, SANDBOX_TERMS};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::scope::{Scope, TAG_KEYS};
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::{Plan, Purpose};
use payctl_engine::planner;
use payctl_engine::stop::stop_pair;
use payctl_engine::survey::survey;
use payctl_sandbox::{Need, Sandbox};
use serde_json::{Value, json};

use super::asked;
use crate::checks::check;
use crate::kinds::round_trip;
use crate::leases::{holder, run_record};
use crate::support::{
    another, by_hand, carry_out, configured, needed, plan_now, sample_provider, samples, sandboxed,
    shipped_config,
};

/// A reference to an output of a sample.
fn to_sample(kind: &str, output: Output) -> Value {
    to_neighbour(kind, "sample", output)
}

/// A reference to an output of a neighbour.
fn to_neighbour(kind: &str, name: &str, output: Output) -> Value {
    json!(Text::reference(Address::new(kind, name), output))
}

/// Sets a field of a sample.
fn set(blueprint: &mut Blueprint, kind: &str, field: &str, value: Value) {
    let sample = blueprint.resources.get_mut(&Address::new(kind, "sample"));
    sample.expect("a sample").spec[field] = value;
}

/// Adds a neighbour of a sample.
fn add(blueprint: &mut Blueprint, kind: &str, name: &str, fields: &Value) {
    another(blueprint, &Address::new(kind, name), fields);
}

/// The value of a field in the first variant where it differs from the sample.
fn varied(kind: &str, field: &str) -> Value {
    let kind = find_kind(kind).expect("a known kind");
    let sample = kind.sample();
    let variants = kind.variants().into_iter();
    let mut values = variants.map(|variant| variant[field].clone());
    values.find(|value| *value != sample[field]).expect("a variant changes it")
}

/// The samples and some neighbours, with everything that needs a permission of its own.
fn demanding(scope: &Scope) -> Blueprint {
    let mut wanted = samples(scope);
    let key = || to_sample("kms.key", Output::Arn);
    set(&mut wanted, "dynamodb.table", "encryption", json!({ "kms": key() }));
    set(&mut wanted, "lambda.function", "environment_key", key());
    let alias = Address::new("lambda.alias", "sample-live");
    let alias = wanted.resources.get_mut(&alias).expect("a sample");
    alias.spec["release"]["environment_key"] = key();
    alias.spec["provisioned"] = json!(2);
    let scaled = json!({ "function": to_neighbour("lambda.alias", "sample-b-live", Output::Arn) });
    add(&mut wanted, "lambda.permissions", "sample-b-live", &scaled);
    set(&mut wanted, "rds.cluster", "final_snapshot", json!(true));
    set(&mut wanted, "rds.cluster", "data_api", json!(true));
    let default = json!("default.aurora-postgresql15");
    set(&mut wanted, "rds.cluster", "parameter_group", default);
    set(&mut wanted, "ec2.flow_log", "destination", to_sample("s3.bucket", Output::Arn));
    set(&mut wanted, "ec2.flow_log", "role", Value::Null);
    // ECS calls a function in deployments, with a role.
    let hook = json!({
        "function": to_sample("lambda.function", Output::Arn),
        "role": to_sample("iam.role", Output::Arn), "stages": ["pre_scale_up"],
    });
    let deployment = json!({
        "minimum_percent": 100, "maximum_percent": 200, "circuit_breaker": true, "rollback": true,
        "shift": { "strategy": "blue_green", "bake_minutes": 5, "step": null, "hooks": [hook] },
    });
    set(&mut wanted, "ecs.service", "deployment", deployment);
    // A deletion ends these first.
    for kind in ["dynamodb.table", "elb.load_balancer", "rds.cluster"] {
        set(&mut wanted, kind, "deletion_protection", json!(true));
    }
    for (kind, field) in
        [("apigateway.rest_api", "policy"), ("iam.role", "managed"), ("waf.web_acl", "logging")]
    {
        set(&mut wanted, kind, field, varied(kind, field));
    }

    add(&mut wanted, "kms.key", "sample-b", &json!({ "alias": "alias/sample-other-key" }));
    for group in ["sample-waf", "sample-database"] {
        let name = format!("{group}-filter");
        let group = to_neighbour("logs.log_group", group, Output::Name);
        let fields = json!({ "name": name, "log_group": group });
        add(&mut wanted, "logs.metric_filter", &name, &fields);
    }
    // A firewall protects stages too.
    let stage = json!({ "resource": to_sample("apigateway.stage", Output::Arn) });
    add(&mut wanted, "waf.association", "api-sample", &stage);
    // A bucket writes its access log into another one.
    let bucket = json!({ "name": "sample-payment-logs-000000000000-us-east-1", "policy": null });
    add(&mut wanted, "s3.bucket", "sample-b", &bucket);
    let bucket = to_neighbour("s3.bucket", "sample-b", Output::Name);
    set(&mut wanted, "s3.bucket", "access_log", json!({ "bucket": bucket, "prefix": "log/" }));
    // A listener with certificates.
    let listener = "elb.listener";
    let secure = ["protocol", "certificate", "other_certificates", "tls_policy"]
        .map(|field| (field.to_owned(), varied(listener, field)));
    let mut secure = Value::Object(secure.into_iter().collect());
    secure["port"] = json!(443);
    add(&mut wanted, listener, "sample-b", &secure);
    // Another security group, and targets for the instances of the Auto Scaling group.
    add(&mut wanted, "ec2.security_group", "sample-b", &json!({ "name": "sample-group-b" }));
    let group = json!({ "group": to_neighbour("ec2.security_group", "sample-b", Output::Id) });
    add(&mut wanted, "ec2.security_group_rules", "sample-b", &group);
    for name in ["sample-c", "sample-d"] {
        let fields = json!({ "name": format!("targets-{name}"), "target_type": "instance" });
        add(&mut wanted, "elb.target_group", name, &fields);
    }
    let targets = json!([to_neighbour("elb.target_group", "sample-c", Output::Arn)]);
    set(&mut wanted, "autoscaling.group", "target_groups", targets);
    set(&mut wanted, "autoscaling.group", "outdated", json!(0));
    wanted
}

/// The same in other places, with other settings.
fn moved(mut blueprint: Blueprint) -> Blueprint {
    let groups = || json!([to_neighbour("ec2.security_group", "sample-b", Output::Id)]);
    set(&mut blueprint, "elb.load_balancer", "groups", groups());
    set(&mut blueprint, "ec2.instance", "groups", groups());
    let subnets = ["sample", "sample-c"].map(|name| to_neighbour("ec2.subnet", name, Output::Id));
    set(&mut blueprint, "elb.load_balancer", "subnets", json!(subnets));
    let targets = json!([to_neighbour("elb.target_group", "sample-d", Output::Arn)]);
    set(&mut blueprint, "autoscaling.group", "target_groups", targets);
    set(&mut blueprint, "ec2.launch_template", "user_data", json!("#!/bin/bash\necho moved\n"));
    let parameters = to_sample("rds.cluster_parameter_group", Output::Name);
    set(&mut blueprint, "rds.cluster", "parameter_group", parameters);
    set(&mut blueprint, "rds.cluster", "data_api", json!(false));
    // A secret that is deleted after this can be restored.
    set(&mut blueprint, "secretsmanager.secret", "recovery_days", json!(7));
    let rules = Address::new("ec2.security_group_rules", "sample");
    let rules = &mut blueprint.resources.get_mut(&rules).expect("a sample").spec["rules"];
    for rule in rules.as_array_mut().expect("rules") {
        rule["description"] = json!("Another word");
    }
    blueprint
}

/// The same with another value of a tag.
fn retagged(mut blueprint: Blueprint, team: &str) -> Blueprint {
    for desired in blueprint.resources.values_mut() {
        desired.tags.insert(TAG_KEYS.into(), "Team".into());
        desired.tags.insert("Team".into(), team.into());
    }
    blueprint
}

/// An account, and what payctl needed there.
pub(super) struct Account {
    sandbox: Sandbox,
    provider: AwsProvider,
    pub(super) needed: BTreeSet<Need>,
}

impl Account {
    async fn on(sandbox: Sandbox) -> Self {
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        Self { sandbox, provider, needed: BTreeSet::new() }
    }

    /// After everything that a task may meet.
    pub(super) async fn after(task: Task) -> Self {
        let mut account = Self::on(Sandbox::in_memory()).await;
        match task {
            Task::Plan => Box::pin(planning(&mut account)).await,
            Task::Check => Box::pin(checking(&mut account)).await,
            Task::Destroy => Box::pin(destroying(&mut account)).await,
            Task::Apply => Box::pin(applying(&mut account)).await,
            Task::Shift => unreachable!("tests/it/shift.rs moves traffic with its policy"),
            Task::Gc | Task::EnvList => {
                unreachable!("tests/it/late.rs runs them with their policies")
            }
            Task::Cost => unreachable!("tests/it/spending.rs asks for money with its policy"),
        }
        account
    }

    pub(super) fn samples(&self) -> Blueprint {
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

    /// The same for a part of the blueprint.
    async fn applies_only(&mut self, blueprint: &Blueprint, targets: &[&str]) {
        let provider = sample_provider(&sandboxed(&self.sandbox)).await;
        let targets: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
        self.act(run(&provider, blueprint, Purpose::Apply, &targets)).await;
    }

    /// Somebody with all permissions runs the engine.
    async fn others_run(&self, blueprint: &Blueprint, purpose: Purpose) {
        run(&self.provider, blueprint, purpose, &[]).await;
    }

    /// The first run of the account takes the lease of its environment, and leaves a record.
    async fn holds_a_lease(&mut self) {
        let provider = sample_provider(&sandboxed(&self.sandbox)).await;
        self.act(async {
            let leases = Leases::new(provider.aws());
            let lease = Lease::new(&leases, holder("a"), SANDBOX_TERMS, false);
            let (_stopper, stop) = stop_pair();
            let held = lease.acquire(Duration::ZERO, &stop, &|_| {}).await;
            held.expect("a free lease");
            leases.keep(&run_record("a"), SystemTime::now()).await.expect("a record");
            lease.release().await;
        })
        .await;
    }

    /// After a destroy it searches the index of tags, which also lists what is of no kind.
    async fn searches_the_index(&mut self) {
        let provider = sample_provider(&sandboxed(&self.sandbox)).await;
        let ec2 = aws_sdk_ec2::Client::new(&by_hand(&self.sandbox));
        let made = ec2.create_vpc().cidr_block("10.9.0.0/16").send().await.expect("a network");
        let id = made.vpc.expect("a network").vpc_id.expect("an id");
        // As the tags of an instance are on its volumes.
        let scope = &provider.aws().scope;
        let tags = scope.ownership(&Address::new("ec2.instance", "sample")).into_iter();
        let tags = tags
            .map(|(key, value)| aws_sdk_ec2::types::Tag::builder().key(key).value(value).build());
        let call = ec2.create_tags().resources(&id).set_tags(Some(tags.collect()));
        call.send().await.expect("tagged");
        let (left, _) = self.act(indexed(&provider, &[])).await.expect("an index");
        assert_eq!(left.len(), 1, "{left:?}");
        ec2.delete_vpc().vpc_id(id).send().await.expect("deleted");
    }

    /// Somebody with all permissions begins a run, and is killed before the record of its end.
    async fn others_die(&self) {
        let leases = Leases::new(self.provider.aws());
        let lease = Lease::new(&leases, holder("b"), SANDBOX_TERMS, false);
        let (_stopper, stop) = stop_pair();
        lease.acquire(Duration::ZERO, &stop, &|_| {}).await.expect("a free lease");
        let begun = RunRecord { result: RunRecord::RUNNING.into(), ..run_record("b") };
        leases.begin(&begun, SystemTime::now()).await.expect("a record");
        lease.release().await;
    }

    /// It looks at the lease too, to say what became of a run whose end is not recorded.
    async fn reads_its_history(&mut self) {
        self.others_die().await;
        let provider = sample_provider(&sandboxed(&self.sandbox)).await;
        let leases = Leases::new(provider.aws());
        let runs = self.act(leases.runs(1, SystemTime::now())).await;
        assert_eq!(runs.expect("it can be read").len(), 1);
    }

    /// Others have so many roles and subscriptions that payctl asks for those of this environment one
    /// by one.
    async fn fill(&self) {
        let hand = by_hand(&self.sandbox);
        let sns = aws_sdk_sns::Client::new(&hand);
        let topic = sns.create_topic().name("other").send().await.expect("a topic").topic_arn;
        for number in 0..101 {
            sns.subscribe()
                .set_topic_arn(topic.clone())
                .protocol("email")
                .endpoint(format!("other-{number}@example.com"))
                .send()
                .await
                .expect("a subscription");
        }
        let iam = aws_sdk_iam::Client::new(&hand);
        for number in 0..501 {
            let role = iam.create_role().role_name(format!("other-{number}"));
            let trust = json!({ "Version": "2012-10-17", "Statement": [] });
            role.assume_role_policy_document(trust.to_string()).send().await.expect("a role");
        }
    }

    /// Others put an object into each bucket of the samples, write over it, and begin an upload.
    async fn fill_the_buckets(&self) {
        let s3 = aws_sdk_s3::Client::new(&by_hand(&self.sandbox));
        for bucket in ["bucket", "logs"] {
            let bucket = format!("sample-payment-{bucket}-000000000000-us-east-1");
            let upload = s3.create_multipart_upload().bucket(&bucket).key("b").send();
            upload.await.expect("an upload");
            for text in ["one", "two"] {
                let put = s3.put_object().bucket(&bucket).key("a");
                let put = put.body(text.as_bytes().to_vec().into()).send();
                put.await.expect("an object");
            }
        }
    }

    /// Others ask the Auto Scaling group for another instance, which has not started yet.
    async fn start_an_instance(&self) {
        let autoscaling = aws_sdk_autoscaling::Client::new(&by_hand(&self.sandbox));
        let call = autoscaling.update_auto_scaling_group().auto_scaling_group_name("sample-group");
        call.desired_capacity(2).send().await.expect("it starts");
    }

    /// Others register a revision of the sample's task definition. Returns its ARN.
    async fn register_a_revision(&self) -> String {
        let definition = Address::new("ecs.task_definition", "sample");
        let family = self.samples().resources[&definition].name.clone();
        let ecs = aws_sdk_ecs::Client::new(&by_hand(&self.sandbox));
        let container = ContainerDefinition::builder().name("other").image("nginx");
        ecs.register_task_definition()
            .family(family)
            .requires_compatibilities(Compatibility::Fargate)
            .cpu("256")
            .memory("512")
            .network_mode(NetworkMode::Awsvpc)
            .container_definitions(container.build())
            .send()
            .await
            .expect("a revision")
            .task_definition
            .and_then(|made| made.task_definition_arn)
            .expect("its ARN")
    }

    /// Others deregister a revision.
    async fn deregister(&self, revision: &str) {
        let ecs = aws_sdk_ecs::Client::new(&by_hand(&self.sandbox));
        let gone = ecs.deregister_task_definition().task_definition(revision).send();
        gone.await.expect("it goes");
    }

    /// Others deploy a template that no running instance has.
    async fn change_the_template(&self, blueprint: &Blueprint) {
        let mut newer = blueprint.clone();
        set(&mut newer, "ec2.launch_template", "user_data", json!("#!/bin/bash\necho newer\n"));
        set(&mut newer, "autoscaling.group", "outdated", Value::Null);
        self.others_run(&newer, Purpose::Apply).await;
    }

    /// All that payctl asks for without a change: in an account with few roles and current tags, and
    /// in a crowded one whose tags lag behind.
    async fn looks(&mut self) {
        let connection = sandboxed(&self.sandbox);
        let dir = shipped_config();
        self.act(async { drop(configured(&connection, &dir, "dev").await) }).await;
        let blueprint = self.samples();
        self.change_the_template(&blueprint).await;
        let provider = sample_provider(&connection).await;
        self.act(plan_now(&provider, &blueprint, Purpose::Apply)).await;

        self.fill().await;
        self.sandbox.lag_tags(true).expect("a sandbox");
        let blueprint = retagged(blueprint, "cards");
        self.others_run(&blueprint, Purpose::Apply).await;
        let revision = self.register_a_revision().await;
        self.act(plan_now(&provider, &blueprint, Purpose::Apply)).await;
        self.deregister(&revision).await;
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
        ec2.replace_route()
            .set_route_table_id(table.route_table_id.clone())
            .destination_cidr_block("0.0.0.0/0")
            .set_nat_gateway_id(nat.nat_gateway_id.clone())
            .send()
            .await
            .expect("another route");

        let rds = aws_sdk_rds::Client::new(&hand);
        let stop = rds.stop_db_cluster().db_cluster_identifier("sample-database").send();
        stop.await.expect("it is stopped");
    }

    /// Another key of the environment has the alias of the sample.
    async fn move_the_alias(&self) {
        let kms = aws_sdk_kms::Client::new(&by_hand(&self.sandbox));
        let surplus = Address::new("kms.key", "surplus");
        let owner = self.provider.aws().scope.ownership(&surplus);
        let tags = owner.into_iter().map(|(key, value)| {
            let tag = aws_sdk_kms::types::Tag::builder().tag_key(key).tag_value(value);
            tag.build().expect("a tag")
        });
        let made = kms.create_key().set_tags(Some(tags.collect())).send().await.expect("a key");
        kms.update_alias()
            .alias_name("alias/sample-key")
            .target_key_id(made.key_metadata.expect("a key").key_id)
            .send()
            .await
            .expect("it is moved");
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
        let list = dynamodb.list_backups().table_name("sample-table");
        let found = list.backup_type(BackupTypeFilter::All).send().await.expect("backups");
        let last = found.backup_summaries().last();
        last.and_then(|one| one.backup_arn.clone()).expect("a backup")
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

/// The questions between a plan and an apply. payctl asks each of them only for what the plan makes.
/// The source of a restore may be there or not.
async fn preflight(provider: &AwsProvider, blueprint: &Blueprint) {
    let backup = "arn:aws:dynamodb:us-east-1:000000000000:table/sample-table/backup/01-ab";
    for (kind, field) in [
        ("apigateway.rest_api", None),
        ("apigateway.usage_plan", None),
        ("apigateway.vpc_link", None),
        ("ec2.elastic_ip", None),
        ("ec2.vpc", None),
        ("ec2.instance", Some(("instance_type", json!("t4g.micro")))),
        ("lambda.function", Some(("reserved_concurrency", json!(5)))),
        ("dynamodb.table", Some(("restore_from", json!({ "backup": backup })))),
        (
            "dynamodb.table",
            Some(("restore_from", json!({ "table": "sample-table", "at": "latest" }))),
        ),
        ("rds.cluster", Some(("restore_from", json!({ "snapshot": "sample-snapshot" })))),
        (
            "rds.cluster",
            Some(("restore_from", json!({ "cluster": "sample-database", "at": "latest" }))),
        ),
        ("rds.instance", Some(("class", json!("db.r6g.large")))),
    ] {
        let address = Address::new(kind, "sample");
        let mut want = blueprint.resources[&address].clone();
        if let Some((field, value)) = field {
            want.spec[field] = value;
        }
        let planned = Planned {
            address: &address,
            origin: "",
            fate: Fate::Created,
            changed: Vec::new(),
            want: Some(&want),
            live: None,
        };
        let outputs = BTreeMap::new();
        let cx = Preflight::new(provider.aws(), vec![planned], &blueprint.resources, &outputs);
        for check in checks() {
            let found = (check.run)(&cx).await;
            assert!(found.is_ok(), "{address}: {found:?}");
        }
    }
}

/// What a plan meets.
async fn planning(account: &mut Account) {
    let blueprint = account.samples();
    account.others_run(&blueprint, Purpose::Apply).await;
    Box::pin(account.looks()).await;
    account.reads_its_history().await;
}

/// What a check meets: what a plan meets, and a queue in which a message waits.
async fn checking(account: &mut Account) {
    Box::pin(planning(account)).await;
    let blueprint = account.samples();
    let snapshot = survey(&account.provider, &blueprint.resources).await.expect("a survey");
    let queue = &snapshot[&Address::new("sqs.queue", "sample")][0].live.id;
    let sqs = aws_sdk_sqs::Client::new(&by_hand(&account.sandbox));
    let sent = sqs.send_message().queue_url(queue).message_body("{}").send();
    sent.await.expect("a message");
    let provider = sample_provider(&sandboxed(&account.sandbox)).await;
    let checks = async {
        for (address, found) in &snapshot {
            let verdict = Box::pin(check(&provider, address, &found[0].live)).await;
            assert!(!verdict.is_failed(), "{address}: {verdict:?}");
        }
    };
    account.act(checks).await;
}

/// What a destroy meets.
async fn destroying(account: &mut Account) {
    account.searches_the_index().await;
    account.holds_a_lease().await;
    Box::pin(planning(account)).await;
    account.fill_the_buckets().await;
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
    Box::pin(slow_ends(account)).await;
    Box::pin(locked_objects(account)).await;
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

/// What takes AWS a while: it starts instances, and leaves the network interfaces of functions behind.
async fn slow_ends(account: &mut Account) {
    let mut slow = Account::on(Sandbox::in_memory_strict()).await;
    let named = ["autoscaling.group", "lambda.function"].map(|kind| Address::new(kind, "sample"));
    let blueprint = needed(slow.samples(), named.into());
    slow.others_run(&blueprint, Purpose::Apply).await;
    slow.start_an_instance().await;
    slow.runs(&blueprint, Purpose::Destroy).await;
    account.needed.append(&mut slow.needed);
}

/// An object under a lock: payctl says until when the lock holds.
async fn locked_objects(account: &mut Account) {
    let mut locked = Account::on(Sandbox::in_memory()).await;
    let bucket = Address::new("s3.bucket", "sample");
    let mut blueprint = needed(locked.samples(), vec![bucket.clone()]);
    set(&mut blueprint, "s3.bucket", "versioning", json!(true));
    set(&mut blueprint, "s3.bucket", "object_lock", json!({ "mode": "GOVERNANCE", "days": 1 }));
    locked.others_run(&blueprint, Purpose::Apply).await;
    locked.fill_the_buckets().await;
    let provider = sample_provider(&sandboxed(&locked.sandbox)).await;
    let destroy = async {
        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        carry_out(&provider, &plan).await
    };
    let report = locked.act(destroy).await;
    assert_eq!(report.failed.len(), 1, "{:#?}", report.failed);
    assert_eq!(report.failed[0].0, bucket);
    account.needed.append(&mut locked.needed);
}

/// What an apply meets.
async fn applying(account: &mut Account) {
    let connection = sandboxed(&account.sandbox);
    let provider = sample_provider(&connection).await;
    account.holds_a_lease().await;
    account.searches_the_index().await;
    account.reads_its_history().await;
    // Made, changed in every field, with other tags, deleted.
    account.act(round_trip(&provider, &[], false)).await;
    // The keys that wait for their end are taken back.
    let blueprint = account.samples();
    account.runs(&blueprint, Purpose::Apply).await;
    Box::pin(account.looks()).await;
    account.fill_the_buckets().await;
    // What others did is put right.
    account.meddle().await;
    account.runs(&blueprint, Purpose::Apply).await;
    account.move_the_alias().await;
    account.applies_only(&blueprint, &["kms.key/sample"]).await;
    // A subnet goes over to another table, whose step comes first.
    let mut moved = moved(blueprint.clone());
    add(&mut moved, "ec2.route_table", "sample-b", &json!({ "routes": {} }));
    account.applies_only(&moved, &["ec2.route_table/sample-b"]).await;
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
    let parameters = to_sample("rds.cluster_parameter_group", Output::Name);
    set(&mut restored, "rds.cluster", "parameter_group", parameters);
    account.runs(&restored, Purpose::Apply).await;
    // And from another one as it was.
    let mut older = blueprint.clone();
    set(&mut older, "rds.cluster", "final_snapshot", json!(false));
    for kind in ["dynamodb.table", "rds.cluster"] {
        set(&mut older, kind, "deletion_protection", json!(false));
        add(&mut older, kind, "sample-older", &json!({ "name": "sample-older" }));
    }
    account.others_run(&older, Purpose::Apply).await;
    account.lose().await;
    let source = |word: &str| json!({ word: "sample-older", "at": "latest" });
    set(&mut older, "dynamodb.table", "restore_from", source("table"));
    set(&mut older, "rds.cluster", "restore_from", source("cluster"));
    let lost = ["dynamodb.table/sample", "rds.cluster/sample", "rds.instance/sample"];
    account.applies_only(&older, &lost).await;
    Box::pin(slow_ends(account)).await;
    Box::pin(locked_objects(account)).await;
}
