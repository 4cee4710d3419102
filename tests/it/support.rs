//! What several tests need: a connected provider, a blueprint of all samples, runs of the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use payctl::aws::clients::{Aws, Connection};
use payctl::aws::facts::zones;
use payctl::aws::kinds::KINDS;
use payctl::aws::lent;
use payctl::aws::provider::AwsProvider;
use payctl::aws::resource::AnyKind;
use payctl::blueprint::loans::{Loan, loans, taken};
use payctl::blueprint::{self, Facts};
use payctl::config::{self, Loaded};
use payctl_engine::apply::{Report, apply};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::live::Tags;
use payctl_engine::model::package::Packages;
use payctl_engine::model::scope::{Scope, TAG_KEYS};
use payctl_engine::model::text::{Output, Text, each_ref};
use payctl_engine::plan::{Plan, Purpose};
use payctl_engine::planner;
use payctl_engine::stop::stop_pair;
use payctl_engine::survey::survey;
use payctl_sandbox::{Faults, Sandbox};
use serde_json::{Value, json};

/// Runs a test with a clock that jumps over every wait.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// A connection to an embedded sandbox.
pub fn sandboxed(sandbox: &Sandbox) -> Connection {
    Connection {
        region: Some("us-east-1".into()),
        keys: Some(("sandbox".into(), "sandbox".into())),
        transport: Some(sandbox.transport()),
        ..Connection::default()
    }
}

/// What a client needs to do by hand what others do: `aws_sdk_sns::Client::new(&by_hand(&sandbox))`.
pub fn by_hand(sandbox: &Sandbox) -> SdkConfig {
    let keys = Credentials::from_keys("SANDBOX", "sandbox", None);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .http_client(sandbox.transport())
        .build()
}

/// A provider for the environment `sample` of the project `payment`.
pub async fn sample_provider(connection: &Connection) -> AwsProvider {
    provider_for(connection, "sample").await
}

/// A provider for an environment of the project `payment`.
pub async fn provider_for(connection: &Connection, env: &str) -> AwsProvider {
    let aws = Box::pin(Aws::connect(connection, "payment", env));
    let mut aws = aws.await.expect("the endpoint answers");
    // The functions of a shipped environment, or those of the samples.
    aws.packages = match config::load(&shipped_config(), env, &|_| None) {
        Ok(loaded) => loaded.packages(),
        Err(_) => Packages::samples().into_iter().collect(),
    };
    AwsProvider::new(aws)
}

/// Where a kind's sample stands.
pub fn address_of(kind: &dyn AnyKind) -> Address {
    Address::new(kind.meta().kind, kind.sample_name())
}

/// A blueprint that holds the sample of every kind.
pub fn samples(scope: &Scope) -> Blueprint {
    let mut resources = BTreeMap::new();
    for kind in KINDS {
        let address = address_of(*kind);
        let spec = kind.sample();
        let name = spec.get("name").and_then(|name| name.as_str());
        let name = name.map_or_else(|| "sample".to_owned(), str::to_owned);
        let mut tags = scope.ownership(&address);
        tags.insert(TAG_KEYS.into(), "Team".into());
        tags.insert("Team".into(), "payments".into());
        let after = match kind.meta().kind {
            "ec2.nat_gateway" => BTreeSet::from([
                Address::new("ec2.internet_gateway", "sample"),
                Address::new("ec2.route_table", "sample"),
            ]),
            "rds.cluster" => BTreeSet::from([Address::new("logs.log_group", "sample-database")]),
            "elb.target" => BTreeSet::from([Address::new("lambda.permissions", "sample-b")]),
            "secretsmanager.rotation" => BTreeSet::from([
                Address::new("lambda.permissions", "sample"),
                Address::new("lambda.permissions", "sample-b"),
            ]),
            _ => BTreeSet::new(),
        };
        let desired = Desired {
            address: address.clone(),
            name,
            component: "samples".into(),
            origin: "config/sample.toml:1".into(),
            spec,
            tags,
            tags_once: Tags::from([("CreatedAt".into(), "2026-01-01".into())]),
            after,
        };
        resources.insert(address, desired);
    }
    let mut blueprint = Blueprint {
        scope: scope.clone(),
        protect: false,
        disposable: false,
        resources,
        outputs: BTreeMap::new(),
    };
    // Some things need two zones, or change from one function to another.
    for (letter, zone, cidr) in
        [("b", "us-east-1b", "10.90.9.0/24"), ("c", "us-east-1c", "10.90.10.0/24")]
    {
        let more = json!({ "zone": zone, "cidr": cidr });
        another(&mut blueprint, &Address::new("ec2.subnet", format!("sample-{letter}")), &more);
    }
    // WAF logs into groups of such names only.
    let name = json!({ "name": "aws-waf-logs-sample" });
    another(&mut blueprint, &Address::new("logs.log_group", "sample-waf"), &name);
    // RDS would make it.
    let name = json!({ "name": "/aws/rds/cluster/sample-database/postgresql" });
    another(&mut blueprint, &Address::new("logs.log_group", "sample-database"), &name);
    let name = json!({ "name": "sample-function-b" });
    another(&mut blueprint, &Address::new("lambda.function", "sample-b"), &name);
    let function = Text::reference(Address::new("lambda.function", "sample-b"), Output::Arn);
    let group = Text::reference(Address::new("elb.target_group", "sample-b"), Output::Arn);
    let mut callers =
        blueprint.resources[&Address::new("lambda.permissions", "sample")].spec["callers"].clone();
    callers["balancer"] = json!({
        "principal": "elasticloadbalancing.amazonaws.com", "action": "lambda:InvokeFunction",
        "source": group, "source_account": null,
    });
    let other = json!({ "function": function, "callers": callers });
    another(&mut blueprint, &Address::new("lambda.permissions", "sample-b"), &other);
    // An alias has callers of its own, and its provisioned concurrency scales.
    let live = Text::reference(Address::new("lambda.alias", "sample-live"), Output::Arn);
    let other = json!({ "function": live });
    another(&mut blueprint, &Address::new("lambda.permissions", "sample-live"), &other);
    let scaled = Address::new("lambda.alias", "sample-b-live");
    let function = Text::reference(Address::new("lambda.function", "sample-b"), Output::Arn);
    let name = "sample-function-b:live";
    let other = json!({ "name": name, "function": function, "provisioned": null });
    another(&mut blueprint, &scaled, &other);
    let resource = Text::from("function:").then(Text::reference(scaled, Output::Name));
    let policy = json!({
        "metric": "LambdaProvisionedConcurrencyUtilization", "value": 0.7, "out_cooldown": 0,
        "in_cooldown": 0, "shrinks": true,
    });
    let other = json!({
        "resource": resource, "dimension": "lambda:function:ProvisionedConcurrency", "min": 1,
        "max": 4, "policies": { "utilization": policy },
    });
    another(&mut blueprint, &Address::new("scaling.target", "sample-b"), &other);
    // Its target is that function.
    let functions = json!({
        "name": "sample-functions", "target_type": "lambda", "vpc": null, "protocol": null,
        "protocol_version": null, "port": null, "health": null, "deregistration_delay": null,
        "slow_start": null, "multi_value_headers": true,
    });
    another(&mut blueprint, &Address::new("elb.target_group", "sample-b"), &functions);
    blueprint
}

/// What a destroy of all samples leaves: the record that proves the domain of the certificate belongs to
/// the account.
pub fn left_by_samples() -> BTreeMap<String, usize> {
    BTreeMap::from([("route53.records".to_owned(), 1)])
}

/// The samples of some kinds, and what they need.
pub fn some(provider: &AwsProvider, kinds: &[&str]) -> Blueprint {
    let blueprint = samples(&provider.aws().scope);
    let is_named = |address: &&Address| kinds.contains(&address.kind.as_str());
    let open = blueprint.resources.keys().filter(is_named).cloned().collect();
    needed(blueprint, open)
}

/// Some resources of a blueprint, and what they need.
pub fn needed(mut blueprint: Blueprint, mut open: Vec<Address>) -> Blueprint {
    let mut kept = BTreeSet::new();
    while let Some(address) = open.pop() {
        let desired = &blueprint.resources[&address];
        open.extend(desired.after.iter().cloned());
        // A new group has rules of its own accord.
        if address.kind == "ec2.security_group" {
            open.push(Address::new("ec2.security_group_rules", address.name.clone()));
        }
        each_ref(&desired.spec, &mut |reference| open.push(reference.to.clone()));
        open.retain(|needed| !kept.contains(needed));
        kept.insert(address);
    }
    blueprint.resources.retain(|address, _| kept.contains(address));
    blueprint
}

/// Adds a neighbour of a kind's sample that differs in some fields.
pub fn another(blueprint: &mut Blueprint, address: &Address, fields: &Value) {
    let kind = KINDS.iter().find(|kind| kind.meta().kind == address.kind).expect("a known kind");
    let mut desired = blueprint.resources[&address_of(*kind)].clone();
    desired.address = address.clone();
    let named = fields["name"].as_str().map(str::to_owned);
    let letter = address.name.rsplit('-').next().unwrap_or_default();
    desired.name = named.unwrap_or_else(|| format!("{}-{letter}", desired.name));
    for (field, value) in fields.as_object().expect("fields") {
        desired.spec[field] = value.clone();
    }
    desired.tags.extend(blueprint.scope.ownership(&desired.address));
    blueprint.resources.insert(desired.address.clone(), desired);
}

/// The shipped config.
pub fn shipped_config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

/// A shipped environment, as `payctl apply` would build it.
pub async fn shipped(provider: &AwsProvider) -> Blueprint {
    let loaded = config::load(&shipped_config(), &provider.aws().scope.env, &|_| None);
    built(provider.aws(), &loaded.expect("a valid config")).await
}

async fn built(aws: &Aws, loaded: &Loaded) -> Blueprint {
    let loans = loans(&loaded.config);
    let asked = loans.iter().flat_map(Loan::asks).collect();
    let found = lent::find(aws, &asked).await.expect("the endpoint answers");
    let facts = Facts {
        account: aws.scope.account.clone(),
        region: aws.scope.region.clone(),
        partition: aws.scope.partition.clone(),
        zones: zones(aws).await.expect("zones"),
        now: "2026-01-01T00:00:00Z".into(),
        lent: Some(taken(loaded, &loans, &found).expect("the lenders have it")),
    };
    blueprint::build(loaded, &facts).expect("a valid blueprint")
}

/// Applies the environment `dev` of a config directory, with faults if there are some.
pub async fn applied_under(sandbox: &Sandbox, faults: Option<&Faults>, dir: &Path) -> Report {
    let mut connection = sandboxed(sandbox);
    connection.transport = faults.map(Faults::transport).or(connection.transport);
    let (provider, blueprint) = Box::pin(configured(&connection, dir, "dev")).await;
    let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
    carry_out(&provider, &plan).await
}

/// An environment of a config directory, connected and built as by `payctl apply`.
pub async fn configured(
    connection: &Connection,
    dir: &Path,
    env: &str,
) -> (AwsProvider, Blueprint) {
    let loaded = match config::load(dir, env, &|_| None) {
        Ok(loaded) => loaded,
        Err(problems) => panic!("{}, {env}: {problems:#?}", dir.display()),
    };
    let aws = Box::pin(Aws::connect(connection, &loaded.config.project.0, env));
    let mut aws = aws.await.expect("the endpoint answers");
    aws.packages = loaded.packages();
    aws.zone_ids = loaded.zone_ids();
    let blueprint = built(&aws, &loaded).await;
    (AwsProvider::new(aws), blueprint)
}

/// What a plan would do now.
pub async fn plan_now(provider: &AwsProvider, blueprint: &Blueprint, purpose: Purpose) -> Plan {
    let snapshot = match survey(provider, &blueprint.resources).await {
        Ok(snapshot) => snapshot,
        Err(errors) => panic!("the survey failed: {errors:#?}"),
    };
    let plan =
        planner::plan(provider, blueprint, &snapshot, purpose, &[]).expect("a plan can be made");
    assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
    plan
}

/// Plans and applies, and expects everything to be done.
pub async fn run(provider: &AwsProvider, blueprint: &Blueprint, purpose: Purpose) -> Plan {
    let plan = plan_now(provider, blueprint, purpose).await;
    let report = carry_out(provider, &plan).await;
    assert!(report.is_complete(), "failed: {:#?}\nskipped: {:?}", report.failed, report.skipped);
    plan
}

/// Applies a plan.
pub async fn carry_out(provider: &AwsProvider, plan: &Plan) -> Report {
    let (_stopper, stop) = stop_pair();
    Box::pin(apply(provider, plan, 16, &stop, &|_| {})).await
}

/// Expects that nothing is left to do.
pub async fn expect_settled(provider: &AwsProvider, blueprint: &Blueprint, when: &str) {
    let plan = plan_now(provider, blueprint, Purpose::Apply).await;
    let left: Vec<_> = plan
        .changes
        .iter()
        .map(|change| (change.address.to_string(), change.action, &change.fields))
        .collect();
    assert!(left.is_empty(), "after {when} the plan is not empty: {left:#?}");
}

/// Another transport to a sandbox.
pub fn through(transport: SharedHttpClient) -> Connection {
    Connection { transport: Some(transport), ..sandboxed(&Sandbox::in_memory()) }
}

/// A field of the only resource of a kind.
pub fn set(blueprint: &mut Blueprint, kind: &str, field: &str, value: Value) {
    let mut all = blueprint.resources.values_mut();
    let desired = all.find(|desired| desired.address.kind == kind).expect("it is there");
    desired.spec[field] = value;
}

/// How often a call was made.
pub fn count(faults: &Faults, call: &str) -> usize {
    faults.calls().iter().filter(|made| *made == call).count()
}
