//! What holds for the bill of any config: random ones, made of parts that stand for themselves. Each seed is
//! named in its failure.

use std::collections::{BTreeMap, BTreeSet};

use payctl::aws::costs::{self, Known, Resources, known};
use payctl::aws::provider::AwsProvider;
use payctl::cli::sides::Sides;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::live::{Found, Live, Owner, Phase};
use payctl_engine::model::text::{Output, Outputs, Ref, each_ref, resolve};
use payctl_engine::plan::{Plan, Purpose};
use payctl_engine::planner;
use payctl_engine::survey::Snapshot;
use payctl_money::bill::{Basis, Bill};
use payctl_money::load::Assumptions;
use payctl_money::prices::{Prices, REGIONS};
use payctl_money::{Decimal, round};
use payctl_sandbox::Sandbox;
use serde_json::Value;

use crate::cost::d;
use crate::counts::{built, specs};
use crate::support::{block_on, sample_provider, sandboxed};

/// A small generator: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("a small number") % count
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// What every config has: all that is alone in an environment.
const HEAD: &str = r#"
project = "shop"
region = "us-east-1"

[security_groups.all]
description = "All"
egress = "all"

[roles.work]
services = ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"]

[clusters.main]
"#;

/// A part of a config by its name. Parts do not refer to each other, so none takes a share of another's load.
fn part(name: &str, random: &mut Random) -> String {
    let (sort, at) = name.split_at(1);
    match sort {
        "t" => {
            let billing = random.one_of(&[
                "\"on_demand\"",
                "{ read = 7, write = 3 }",
                "{ read = 1, write = 40 }",
            ]);
            let backup = random.one_of(&["true", "false"]);
            let (writes, gb) = (random.below(9_000_000), random.below(900));
            format!(
                "[tables.t{at}]\npartition_key = \"id:S\"\nbilling = {billing}\npoint_in_time_recovery = {backup}\n\n\
                 [usage.resources.\"dynamodb.table/t{at}\"]\nwrites = {writes}\nreads = {gb}00\nstored_gb = {gb}\n"
            )
        }
        // A queue keeps its order: payctl never replaces one.
        "q" => format!(
            "[queues.q{at}]\nfifo = {}\nreceive_wait = {}\n\n[usage.resources.\"sqs.queue/q{at}\"]\nmessages = {}\n",
            at == "0",
            random.one_of(&["0", "20"]),
            random.below(5_000_000)
        ),
        "b" => {
            let rule = random.one_of(&[
                "",
                "lifecycle.old.transitions = { GLACIER = 40 }",
                "lifecycle.old = { transitions = { STANDARD_IA = 30, GLACIER = 90 }, expire_days = 200 }",
                "glacier_after_days = 60",
            ]);
            format!(
                "[buckets.b{at}]\n{rule}\n\n[usage.resources.\"s3.bucket/b{at}\"]\nputs = {}\ngb = {}\n",
                random.below(3_000_000),
                random.below(400)
            )
        }
        "k" => format!(
            "[keys.k{at}]\nrotation = {}\n",
            random.one_of(&["false", "true", "true\nrotation_days = 90"])
        ),
        "s" => format!("[secrets.s{at}]\ntemplate = {{ username = \"u\" }}\n"),
        "g" => format!(
            "[log_groups.g{at}]\nretention_days = {}\n\n[usage.resources.\"logs.log_group/g{at}\"]\ngb = {}\n",
            random.one_of(&["7", "30", "400"]),
            random.below(50)
        ),
        "f" => format!(
            "[functions.f{at}]\nsource = \"code\"\nruntime = \"python3.13\"\nrole = \"work\"\nmemory = {}\n\n\
             [apis.f{at}.routes.\"POST /f\"]\nfunction = \"f{at}\"\n",
            random.one_of(&["128", "512", "3008"])
        ),
        "w" => format!(
            "[fleets.w{at}]\ninstance_type = \"{}\"\nmin = {}\nmax = {}\nsubnets = \"{}\"\nsecurity_groups = [\"all\"]\n{}\n",
            random.one_of(&["t4g.micro", "m7g.large", "m8g.24xlarge"]),
            1 + random.below(2),
            3 + random.below(20),
            random.one_of(&["public", "private"]),
            random.one_of(&["", "scaling = { cpu = 50 }"])
        ),
        "c" => format!(
            "[services.c{at}]\ncluster = \"main\"\ncpu = {}\nmemory = 2048\nimage = \"example.com/c:1\"\nrole = \"work\"\n\
             subnets = \"private\"\nsecurity_groups = [\"all\"]\n{}\n",
            random.one_of(&["256", "512", "1024"]),
            random.one_of(&["desired = 3", "scaling = { min = 1, max = 9, cpu = 50 }"])
        ),
        "d" => {
            let size = random.one_of(&[
                "serverless = { min = 0.5, max = 8 }\ninstances = [{ class = \"db.serverless\" }]",
                "instances = [{ class = \"db.t3.medium\" }]",
                "instances = [{ class = \"db.r6g.large\" }, { class = \"db.r6g.large\" }]",
            ]);
            let days = random.one_of(&["7", "31", "731"]);
            format!(
                "[secrets.d{at}]\ntemplate = {{ username = \"u\" }}\n\n[databases.d{at}]\nengine_version = \"15.17\"\n\
                 secret = \"d{at}\"\nsubnets = \"isolated\"\nsecurity_groups = [\"all\"]\ninsights_days = {days}\n{size}\n\n\
                 [usage.resources.\"rds.cluster/d{at}\"]\nreads = {}\nstored_gb = {}\n",
                random.below(4_000_000),
                random.below(300)
            )
        }
        "l" => format!(
            "[target_groups.l{at}]\nport = 80\nprotocol = \"http\"\n\n[load_balancers.l{at}]\nscheme = \"{}\"\n\
             subnets = \"public\"\nsecurity_groups = [\"all\"]\nlisteners = [{{ port = 80, forward = \"l{at}\" }}]\n",
            random.one_of(&["internet-facing", "internal"])
        ),
        _ => {
            let group = random
                .one_of(&["AWSManagedRulesCommonRuleSet", "AWSManagedRulesBotControlRuleSet"]);
            format!(
                "[firewalls.p{at}]\nrate_limit = 2000\nmanaged = [{{ group = \"{group}\" }}]\n\n\
                 [usage.resources.\"waf.web_acl/p{at}\"]\nrequests = {}\n",
                random.below(8_000_000)
            )
        }
    }
}

const SORTS: [&str; 12] = ["t", "q", "b", "k", "s", "g", "f", "w", "c", "d", "l", "p"];

/// A config as parts by name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    network: String,
    usage: String,
    parts: BTreeMap<String, String>,
}

impl Parts {
    fn random(random: &mut Random) -> Self {
        let mut parts = BTreeMap::new();
        for _ in 0..(2 + random.below(7)) {
            let name = format!("{}{}", random.one_of(&SORTS), random.below(3));
            parts.insert(name.clone(), part(&name, random));
        }
        Self { network: network(random), usage: usage(random), parts }
    }

    /// The same with some parts less, more, and changed.
    fn changed(&self, random: &mut Random) -> Self {
        let mut changed = self.clone();
        for name in self.parts.keys() {
            match random.below(4) {
                0 => drop(changed.parts.remove(name)),
                1 => drop(changed.parts.insert(name.clone(), part(name, random))),
                _ => {}
            }
        }
        for _ in 0..random.below(4) {
            let name = format!("{}{}", random.one_of(&SORTS), random.below(3));
            changed.parts.insert(name.clone(), part(&name, random));
        }
        changed
    }

    fn text(&self) -> String {
        let parts: String = self.parts.values().map(|part| format!("\n{part}")).collect();
        format!("{HEAD}\n{}\n[usage]\n{}\n{parts}", self.network, self.usage)
    }
}

fn network(random: &mut Random) -> String {
    let guard = random.one_of(&[
        "",
        "\n[threat_detection]\nfeatures = [\"s3_data_events\", \"rds_login_events\", \"runtime_monitoring\"]\n",
    ]);
    format!(
        "[network]\ncidr = \"10.0.0.0/16\"\nzones = 2\npublic_subnets = true\nprivate_subnets = true\n\
         isolated_subnets = true\nnat = {{ {} }}\n{guard}",
        random.one_of(&[
            "kind = \"none\"",
            "kind = \"gateway\", count = 1",
            "kind = \"gateway\", count = 2"
        ])
    )
}

fn usage(random: &mut Random) -> String {
    format!(
        "payments_per_month = {}\npeak_factor = {}\nage_months = {}\nhours_per_month = {}\n",
        random.one_of(&["0", "1_000", "100_000", "20_000_000"]),
        1 + random.below(9),
        1 + random.below(30),
        random.one_of(&["160", "730"])
    )
}

/// A value of AWS for an output of a resource, of the form that AWS gives it.
fn value_of(reference: &Ref, blueprint: &Blueprint) -> String {
    let Ref { to, output } = reference;
    let (kind, name) = (&to.kind, &to.name);
    match output {
        Output::Arn => format!("arn:aws:{kind}:us-east-1:000000000000:{name}"),
        Output::StreamArn => format!("arn:aws:{kind}:us-east-1:000000000000:{name}/stream"),
        Output::Name => blueprint.resources[to].name.clone(),
        Output::Url => format!("https://{kind}.example.com/{name}"),
        Output::Port => "5432".to_owned(),
        other => format!("{kind}-{name}-{other}"),
    }
}

/// The specs of a blueprint as AWS would tell them, and what the values of AWS belong to.
pub fn as_live(blueprint: &Blueprint) -> (Resources, Known) {
    let lives = lives(blueprint);
    let known = known(lives.iter().map(|(address, live)| (address, &live.outputs)));
    (lives.into_iter().map(|(address, live)| (address, live.spec)).collect(), known)
}

fn lives(blueprint: &Blueprint) -> BTreeMap<Address, Live> {
    let mut outputs: BTreeMap<Address, Outputs> = BTreeMap::new();
    let value = |reference: &Ref| value_of(reference, blueprint);
    for desired in blueprint.resources.values() {
        each_ref(&desired.spec, &mut |reference| {
            let own = outputs.entry(reference.to.clone()).or_default();
            own.insert(reference.output, value(reference));
        });
    }
    let live = |(address, desired): (&Address, &payctl_engine::model::desired::Desired)| {
        let spec = resolve(&desired.spec, &|reference| Some(value(reference)));
        let outputs = outputs.get(address).cloned().unwrap_or_default();
        let id = outputs.get(&Output::Id).cloned().unwrap_or_else(|| format!("id-{address}"));
        let live = Live { id, spec, outputs, tags: desired.tags.clone(), phase: Phase::Ready };
        (address.clone(), live)
    };
    blueprint.resources.iter().map(live).collect()
}

fn snapshot(blueprint: &Blueprint) -> Snapshot {
    let mut snapshot = Snapshot::new();
    for (address, live) in lives(blueprint) {
        let found = Found { address: address.clone(), owner: Owner::Ours, live };
        snapshot.entry(address).or_default().push(found);
    }
    snapshot
}

fn plan(provider: &AwsProvider, blueprint: &Blueprint, found: &Snapshot, purpose: Purpose) -> Plan {
    planner::plan(provider, blueprint, found, purpose, &[]).expect("a plan")
}

fn prices() -> Prices {
    Prices::shipped("us-east-1").expect("a table")
}

fn bill(text: &str) -> Bill {
    let (blueprint, assume) = built(text);
    costs::bill(&specs(&blueprint), &assume, &prices())
}

/// What holds for each bill alone.
fn expect_sound(bill: &Bill, seed: u64) {
    let sum: Decimal = bill.items.iter().map(|item| item.monthly).sum();
    // A share that does not end loses its last digit.
    let near = |one: Decimal| assert_eq!(round(one, 9), round(bill.total(), 9), "{seed}");
    near(sum);
    near(bill.fixed() + bill.usage());
    let components: Decimal = bill.components().into_iter().map(|(_, sum)| sum).sum();
    near(components);
    for item in &bill.items {
        let name = format!("{seed}: {} {}", item.address, item.what);
        assert!(item.quantity > Decimal::ZERO, "{name}");
        assert!(item.monthly > Decimal::ZERO && item.unit_price > Decimal::ZERO, "{name}");
    }
    // No line stands twice.
    let names: BTreeSet<_> =
        bill.items.iter().map(|it| (&it.address, &it.what, &it.meter)).collect();
    assert_eq!(names.len(), bill.items.len(), "{seed}");
}

/// The bill of each random config is sound, and what a region has no price for is named there and costs nothing.
#[test]
fn a_bill_adds_up_and_names_what_it_does_not_know() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let (blueprint, assume) = built(&Parts::random(&mut random).text());
        let resources = specs(&blueprint);
        let whole = costs::bill(&resources, &assume, &prices());
        expect_sound(&whole, seed);
        for region in REGIONS {
            let prices = Prices::shipped(region).expect("a table");
            let bill = costs::bill(&resources, &assume, &prices);
            expect_sound(&bill, seed);
            assert!(bill.items.iter().all(|item| prices.get(&item.meter).is_some()), "{seed}");
            // What us-east-1 charges for is charged for here or named.
            for item in &whole.items {
                let has = bill
                    .items
                    .iter()
                    .any(|it| it.address == item.address && it.meter == item.meter);
                let start = format!("{}: ", item.what);
                let mut own = bill.unpriced.iter().filter(|one| one.address == item.address);
                let is_named = own.any(|one| one.reason.starts_with(&start));
                assert!(has != is_named, "{seed} {region}: {} {}", item.address, item.what);
            }
        }
    }
}

/// More payments never cost less.
#[test]
fn more_payments_never_cost_less() {
    for seed in 100..130 {
        let mut random = Random(seed);
        let (blueprint, assume) = built(&Parts::random(&mut random).text());
        let resources = specs(&blueprint);
        let mut before = Decimal::ZERO;
        for payments in ["0", "1", "50000", "50001", "3000000", "900000000"] {
            let assume = Assumptions { payments_per_month: d(payments), ..assume.clone() };
            let total = costs::bill(&resources, &assume, &prices()).total();
            assert!(total + d("0.000001") >= before, "{seed} {payments}: {before} {total}");
            before = total;
        }
    }
}

/// Each part that is added costs something or nothing, and lowers nothing.
#[test]
fn adding_a_part_never_lowers_the_bill() {
    for seed in 200..225 {
        let mut random = Random(seed);
        let whole = Parts::random(&mut random);
        let mut some = Parts { parts: BTreeMap::new(), ..whole.clone() };
        let mut before = bill(&some.text()).total();
        for (name, text) in whole.parts {
            some.parts.insert(name.clone(), text);
            let after = bill(&some.text()).total();
            assert!(
                after + d("0.000001") >= before,
                "{seed} {name}: {before} {after}\n{}",
                some.text()
            );
            before = after;
        }
    }
}

/// The change that a plan states is the difference of the bills of both configs, whatever was created, changed and
/// deleted; and a destroy saves all of it.
#[test]
fn the_change_in_a_plan_is_the_difference_of_two_bills() {
    let provider = block_on(sample_provider(&sandboxed(&Sandbox::in_memory())));
    let mut actions = BTreeSet::new();
    for seed in 300..340 {
        let mut random = Random(seed);
        let one = Parts::random(&mut random);
        let two = one.changed(&mut random);
        let (mut old, _) = built(&one.text());
        let (mut new, assume) = built(&two.text());
        for blueprint in [&mut old, &mut new] {
            blueprint.scope = provider.aws().scope.clone();
        }
        let found = snapshot(&old);
        let plan_of = |blueprint: &Blueprint, purpose| plan(&provider, blueprint, &found, purpose);
        let bill = |resources: &Resources| costs::bill(resources, &assume, &prices());
        let of = |plan: &Plan, wanted: &Blueprint| {
            let sides = Sides::of(plan, &specs(wanted));
            (bill(&sides.before), bill(&sides.after))
        };
        let apply = plan_of(&new, Purpose::Apply);
        assert!(apply.refused.is_empty(), "{seed}: {:?}", apply.refused);
        actions.extend(apply.changes.iter().map(|change| change.action));
        let (before, after) = of(&apply, &new);
        expect_equal(&before, &bill(&specs(&old)), seed);
        expect_equal(&after, &bill(&specs(&new)), seed);
        let (before, after) = of(&plan_of(&new, Purpose::Destroy), &new);
        expect_equal(&before, &bill(&specs(&old)), seed);
        assert_eq!((after.total(), after.unpriced.len()), (Decimal::ZERO, 0), "{seed}");
    }
    assert!(actions.len() >= 3, "{actions:?}");
}

/// Two bills with the same lines.
fn expect_equal(said: &Bill, wanted: &Bill, seed: u64) {
    let rows = |bill: &Bill| -> BTreeMap<String, (Basis, Decimal)> {
        let row = |item: &payctl_money::bill::Item| {
            let name = format!("{} {} {}", item.address, item.what, item.meter);
            (name, (item.basis, round(item.monthly, 9).normalize()))
        };
        bill.items.iter().map(row).collect()
    };
    let (said_rows, wanted_rows) = (rows(said), rows(wanted));
    for (name, wanted) in &wanted_rows {
        assert_eq!(said_rows.get(name), Some(wanted), "{seed}: {name}");
    }
    for name in said_rows.keys() {
        assert!(wanted_rows.contains_key(name), "{seed}: {name}");
    }
    assert_eq!(said.unpriced, wanted.unpriced, "{seed}");
}

/// A cluster that stops being serverless costs what it does until then.
#[test]
fn what_a_config_no_longer_says_still_costs_before_the_plan() {
    let provider = block_on(sample_provider(&sandboxed(&Sandbox::in_memory())));
    let text = |size: &str| {
        format!(
            "{HEAD}\n[network]\ncidr = \"10.0.0.0/16\"\nzones = 2\nisolated_subnets = true\nnat = {{ kind = \"none\" }}\n\n\
             [secrets.d]\ntemplate = {{ username = \"u\" }}\n\n[databases.d]\nengine_version = \"15.17\"\nsecret = \"d\"\n\
             subnets = \"isolated\"\nsecurity_groups = [\"all\"]\n{size}\n"
        )
    };
    let units = "serverless = { min = 2, max = 8 }\ninstances = [{ class = \"db.serverless\" }]";
    let (mut old, assume) = built(&text(units));
    let (mut new, _) = built(&text("instances = [{ class = \"db.t3.medium\" }]"));
    for blueprint in [&mut old, &mut new] {
        blueprint.scope = provider.aws().scope.clone();
    }
    let plan = plan(&provider, &new, &snapshot(&old), Purpose::Apply);
    let sides = Sides::of(&plan, &specs(&new));
    let of = |resources: &Resources| -> Value {
        let bill = costs::bill(resources, &assume, &prices());
        let items = bill.items.iter().filter(|item| item.address == "rds.instance/d-1");
        items.map(|item| format!("{} {}", item.what, item.monthly.normalize())).collect()
    };
    // Two units at least, 730 x 0.12 dollars each; then an hour of the class costs 0.082.
    assert_eq!(of(&sides.before), serde_json::json!(["capacity units 175.2"]));
    assert_eq!(of(&sides.after), serde_json::json!(["database instance 59.86"]));
}
