//! What environments cost: bills that are computed by hand, each kind's word about money, and the commands.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use payctl::aws::costs::{self, Resources};
use payctl::aws::kinds::KINDS;
use payctl::blueprint::{Facts, build};
use payctl::config;
use payctl_engine::model::address::Address;
use payctl_engine::model::meta::Pricing;
use payctl_money::bill::{Basis, Bill, Unpriced};
use payctl_money::load::{Assumptions, Driver};
use payctl_money::prices::{Prices, REGIONS};
use payctl_money::{Decimal, decimal, meters, round};
use payctl_sandbox::Sandbox;
use serde_json::Value;

use crate::cli_support::{Folder, Ran, ended};
use crate::docs::expect_file;
use crate::examples::dir_of;
use crate::support::{block_on, sample_provider, samples, sandboxed, shipped_config};

pub fn d(text: &str) -> Decimal {
    decimal(text).unwrap_or_else(|| panic!("{text} is not a number"))
}

/// The specs of an environment.
pub fn resources(dir: &Path, env: &str) -> Resources {
    let loaded = config::load(dir, env, &|_| None)
        .unwrap_or_else(|problems| panic!("{}, {env}: {problems:#?}", dir.display()));
    let blueprint = build(&loaded, &Facts::placeholder("us-east-1")).expect("a blueprint");
    blueprint.resources.into_values().map(|desired| (desired.address, desired.spec)).collect()
}

fn bill_with(dir: &Path, env: &str, assume: &Assumptions) -> Bill {
    let prices = Prices::shipped("us-east-1").expect("a table");
    costs::bill(&resources(dir, env), assume, &prices)
}

/// The environments of a directory, templates by their first example.
pub fn envs(dir: &Path) -> Vec<String> {
    let found = config::find_environments(dir).expect("a directory of configs");
    let name = |found: config::Environment| match found.pattern {
        None => Some(found.name),
        Some(_) => found.examples.into_iter().next(),
    };
    found.into_iter().filter_map(name).collect()
}

/// The shipped configs.
pub fn shipped() -> BTreeMap<&'static str, PathBuf> {
    let examples = ["container-api", "cost-optimised", "migration", "serverless-secured"];
    let mut all: BTreeMap<_, _> = examples.into_iter().map(|name| (name, dir_of(name))).collect();
    all.insert("platform", shipped_config());
    all
}

#[test]
fn each_kind_says_whether_aws_charges_for_it() {
    let prices = Prices::shipped("us-east-1").expect("a table");
    // All samples refer to each other, so each kind sees its neighbours. They do not call each other as
    // the parts of an application do, so the load of each is stated.
    use Driver::{Calls, Gb, Messages, Milliseconds, Puts, Questions, Reads, Requests, Writes};
    let drivers = [Calls, Gb, Messages, Milliseconds, Puts, Questions, Reads, Requests, Writes];
    let load = BTreeMap::from(drivers.map(|driver| (driver, d("1000"))));
    let loaded = |kind: &&dyn payctl::aws::resource::AnyKind| {
        (Address::new(kind.meta().kind, kind.sample_name()).to_string(), load.clone())
    };
    let resources = KINDS.iter().map(loaded).collect();
    let assume = Assumptions { resources, ..Assumptions::default() };
    let samples = |variant: usize| -> Resources {
        let sample = |kind: &&dyn payctl::aws::resource::AnyKind| {
            let variants = kind.variants();
            let spec = if variant == 0 { None } else { variants.get(variant - 1).cloned() };
            let address = Address::new(kind.meta().kind, kind.sample_name());
            (address, spec.unwrap_or_else(|| kind.sample()))
        };
        KINDS.iter().map(sample).collect()
    };
    // The sample of a subscription is one that costs nothing. The shipped environments have others.
    let of_envs = |(_, dir): (&str, PathBuf)| {
        let bill = |env: String| bill_with(&dir, &env, &Assumptions::default());
        envs(&dir).into_iter().map(bill).collect::<Vec<_>>()
    };
    let bills = (0..8).map(|variant| costs::bill(&samples(variant), &assume, &prices));
    let mut charging: BTreeMap<String, usize> = BTreeMap::new();
    for bill in bills.chain(shipped().into_iter().flat_map(of_envs)) {
        let named = bill.items.iter().map(|item| &item.address);
        for address in named.chain(bill.unpriced.iter().map(|unpriced| &unpriced.address)) {
            let kind = address.split('/').next().unwrap_or_default();
            *charging.entry(kind.to_owned()).or_default() += 1;
        }
    }
    for kind in KINDS.iter().map(|kind| kind.meta()) {
        let charges = charging.contains_key(kind.kind);
        match kind.pricing {
            Pricing::Unsaid => panic!("{}: META.pricing says nothing", kind.kind),
            Pricing::Free(why) => {
                assert!(!charges, "{} is free and charges", kind.kind);
                assert!(why.ends_with('.'), "{}: {why}", kind.kind);
            }
            Pricing::Charged(what) => {
                assert!(charges, "{} charges nothing", kind.kind);
                assert!(what.ends_with('.'), "{}: {what}", kind.kind);
            }
        }
    }
}

/// The bill of an environment at the prices of a region, under its own assumptions.
fn bill_in(dir: &Path, env: &str, region: &str) -> Bill {
    let loaded = config::load(dir, env, &|_| None)
        .unwrap_or_else(|problems| panic!("{}, {env}: {problems:#?}", dir.display()));
    let blueprint = build(&loaded, &Facts::placeholder("us-east-1")).expect("a blueprint");
    let specs = blueprint.resources.into_values();
    let specs: Resources = specs.map(|desired| (desired.address, desired.spec)).collect();
    let prices = Prices::shipped(region).expect("a table");
    costs::bill(&specs, &loaded.config.usage.assumptions(), &prices)
}

/// Everything that is shipped, and the examples of the docs.
#[test]
fn nothing_is_unpriced_in_us_east_1_and_all_of_it_is_named_elsewhere() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    let examples = ["full", "pull-requests", "shared"].map(|name| (name, docs.join(name)));
    let before = ("before", dir_of("cost-optimised").join("before"));
    let mut counted = 0;
    for (name, dir) in shipped().into_iter().chain(examples).chain([before]) {
        for env in envs(&dir) {
            for region in REGIONS {
                let bill = bill_in(&dir, &env, region);
                counted += 1;
                // An environment of a pull request may borrow all that costs something without a load.
                let is_free = ["pull-requests", "shared"].contains(&name);
                assert!(is_free || bill.total() > Decimal::ZERO, "{name} {env} {region}");
                let prices = Prices::shipped(region).expect("a table");
                let is_known = |reason: &str, meter: &str| {
                    reason.ends_with(&format!("no price of {meter} in {region} is known"))
                        && prices.get(meter).is_none()
                };
                for Unpriced { address, reason, .. } in &bill.unpriced {
                    // AWS lists no price of text messages.
                    let is_listed =
                        !reason.starts_with("text messages: AWS charges by the country");
                    let is_named = meters::all().keys().any(|meter| is_known(reason, meter));
                    assert!(is_named || !is_listed, "{name} {env} {region} {address}: {reason}");
                    let is_here = region == "us-east-1" && is_listed;
                    assert!(!is_here, "{name} {env} {address}: {reason}");
                }
            }
        }
    }
    assert!(counted > 60, "{counted}");
}

/// Instances of the usual families have a price in each region, from a source that is named.
#[test]
fn usual_instances_have_a_price() {
    let sizes =
        ["t4g.nano", "t4g.micro", "t4g.small", "t3.micro", "m6g.large", "r6g.large", "r7g.large"];
    for region in REGIONS {
        let prices = Prices::shipped(region).expect("a table");
        for size in sizes {
            let price = prices.get(&format!("ec2.{size}"));
            let price = price.unwrap_or_else(|| panic!("{size} in {region}"));
            assert!(price.source.starts_with("https://"), "{size} in {region}");
        }
    }
    let prices = Prices::shipped("us-east-1").expect("a table");
    let one =
        |meter: &str| prices.get(meter).and_then(|price| price.single()).map(|it| it.normalize());
    for (meter, hour) in [
        ("ec2.m6g.large", "0.077"),
        ("ec2.m7g.xlarge", "0.1632"),
        ("ec2.r6g.large", "0.1008"),
        ("ec2.r7g.2xlarge", "0.4284"),
        ("aurora.db.r6g.large", "0.26"),
        ("aurora.db.r7g.xlarge", "0.553"),
    ] {
        assert_eq!(one(meter), Some(d(hour)), "{meter}");
    }
}

/// Backups hold the data and what changed in their days; as much as the data is free.
#[test]
fn backups_beyond_the_free_share_are_charged() {
    let folder = Folder::shipped();
    let base = "config/examples/container-api/base.toml";
    let backups = |stored: &str| -> Option<(Decimal, Decimal)> {
        // 100 GB change in a month.
        let load = [(Driver::Reads, d("104857600")), (Driver::StoredGb, d(stored))];
        let resources = BTreeMap::from([("rds.cluster/payment".to_owned(), BTreeMap::from(load))]);
        let assume = Assumptions { resources, ..Assumptions::default() };
        let bill = bill_with(&folder.path("config/examples/container-api"), "prod", &assume);
        let item = bill.items.into_iter().find(|item| item.what == "backups")?;
        assert_eq!(round(item.monthly, 6), round(item.quantity * d("0.021"), 6));
        Some((item.quantity, item.monthly))
    };
    let days = |days: u32| {
        let text = fs::read_to_string(folder.path(base)).expect("a config");
        let line = text.lines().find(|line| line.starts_with("backup_days = ")).expect("a line");
        folder.edit(base, line, &format!("backup_days = {days}"));
    };
    // In seven days 100 x 168 / 730 GB change. More than the data of each day but one is not charged.
    days(7);
    let (quantity, _) = backups("50").expect("backups");
    assert_eq!(round(quantity, 6), round(d("16800") / d("730"), 6));
    assert_eq!(backups("1").expect("backups").0.normalize(), d("6"));
    // A backup of one day is free.
    days(1);
    assert_eq!(backups("50"), None);
}

/// X-Ray takes the first request in a second, and 5 % of the others. It decides once: at the API.
#[test]
fn a_trace_is_charged_where_x_ray_decides_about_it() {
    let folder = Folder::shipped();
    let base = "config/examples/cost-optimised/base.toml";
    let dir = folder.path("config/examples/cost-optimised");
    let traces = |payments: &str| -> Vec<(String, Decimal, Decimal)> {
        let assume = Assumptions { payments_per_month: d(payments), ..Assumptions::default() };
        let bill = bill_with(&dir, "prod", &assume);
        let items = bill.items.into_iter().filter(|item| item.meter == "xray.traces");
        items.map(|item| (item.address, item.quantity.normalize(), item.monthly)).collect()
    };
    assert!(traces("100000").is_empty(), "nothing is traced");
    folder.edit(base, "[functions.processor]\n", "[functions.processor]\ntracing = true\n");
    // 2,628,000 seconds, and 5 % of 7,372,000 requests.
    let of_function = ("lambda.function/processor".to_owned(), d("2996600"), d("14.983"));
    assert_eq!(traces("10000000"), [of_function]);
    assert_eq!(traces("100000")[0].1, d("100000"));
    folder.edit(base, "[apis.payments]\n", "[apis.payments]\ntracing = true\n");
    // Three routes: 30 million requests. The functions follow the decision of the API.
    let found = traces("10000000");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0.as_str(), found[0].1), ("apigateway.stage/payments", d("3996600")));
}

/// A product of numbers as they are written.
pub fn product(factors: &str) -> Decimal {
    factors.split(" x ").map(|factor| d(factor.trim())).product()
}

/// What stands in a bill whether anybody pays or not, and the sum that a person gets.
fn expect_fixed(dir: &Path, env: &str, by_hand: &[(&str, &str)]) {
    let bill = bill_with(dir, env, &Assumptions::default());
    let sum: Decimal = by_hand.iter().map(|(_, factors)| product(factors)).sum();
    let fixed = bill.items.iter().filter(|item| item.basis == Basis::Fixed);
    let rows: Vec<String> = fixed
        .map(|item| format!("{} {}: {} = {}", item.address, item.what, item.quantity, item.monthly))
        .collect();
    assert_eq!(round(bill.fixed(), 6), round(sum, 6), "{env}:\n{}", rows.join("\n"));
}

#[test]
fn the_fixed_bill_of_cost_optimised_is_right() {
    let common = [
        ("NAT gateway and its address", "730 x 0.05"),
        ("load balancer", "730 x 0.0225"),
        ("its addresses in two zones", "2 x 730 x 0.005"),
        ("CPU of two tasks of 256 units", "2 x 0.25 x 730 x 0.04048"),
        ("memory of two tasks of 512 MB", "2 x 0.5 x 730 x 0.004445"),
        ("two alarms of each of two policies", "4 x 0.10"),
        ("dashboard", "3"),
    ];
    expect_fixed(&dir_of("cost-optimised"), "prod", &common);
    // In dev an instance does the work of the gateway: t4g.nano, a disk of 8 GB, an address.
    let mut dev = common.to_vec();
    dev[0] = ("NAT instance", "730 x 0.0042");
    dev.extend([("its disk", "8 x 0.08"), ("its address", "730 x 0.005")]);
    expect_fixed(&dir_of("cost-optimised"), "dev", &dev);
}

#[test]
fn the_fixed_bill_of_container_api_is_right() {
    expect_fixed(
        &dir_of("container-api"),
        "prod",
        &[
            ("NAT gateway and its address", "730 x 0.05"),
            ("load balancer", "730 x 0.0225"),
            ("its addresses in three zones", "3 x 730 x 0.005"),
            ("two database instances", "2 x 730 x 0.082"),
            ("CPU of two tasks of 256 units", "2 x 0.25 x 730 x 0.04048"),
            ("memory of two tasks of 512 MB", "2 x 0.5 x 730 x 0.004445"),
            ("two alarms of a policy, two alarms", "4 x 0.10"),
            ("Container Insights: 11 metrics, 21 of the service", "32 x 0.30"),
            ("secret", "0.40"),
            ("web ACL", "5"),
            ("two rules", "2"),
            ("dashboard", "3"),
        ],
    );
}

#[test]
fn the_fixed_bill_of_migration_is_right() {
    expect_fixed(
        &dir_of("migration"),
        "prod",
        &[
            ("NAT gateway and its address", "730 x 0.05"),
            ("two database instances of half a unit", "2 x 0.5 x 730 x 0.12"),
            ("key", "1"),
            ("secret", "0.40"),
            ("alarms", "4 x 0.10"),
            ("dashboard", "3"),
        ],
    );
}

#[test]
fn the_fixed_bill_of_serverless_secured_is_right() {
    expect_fixed(
        &dir_of("serverless-secured"),
        "dev",
        &[
            ("NAT gateway and its address", "730 x 0.05"),
            ("an instance", "730 x 0.0084"),
            ("its disk", "8 x 0.08"),
            ("two alarms of each of two policies, six alarms on seven metrics", "11 x 0.10"),
            ("secret", "0.40"),
            ("web ACL and three rules", "8"),
            ("dashboards", "3 x 3"),
            ("polls of the function that reads the queue", "5 x 180 x 730 x 0.0000004"),
        ],
    );
}

#[test]
fn the_fixed_bill_of_the_recommended_platform_is_right() {
    expect_fixed(
        &shipped_config(),
        "staging",
        &[
            ("NAT gateway and its address", "730 x 0.05"),
            ("load balancer", "730 x 0.0225"),
            ("two database instances of half a unit", "2 x 0.5 x 730 x 0.12"),
            ("CPU of two tasks of 256 units", "2 x 0.25 x 730 x 0.04048"),
            ("memory of two tasks of 512 MB", "2 x 0.5 x 730 x 0.004445"),
            ("an instance", "730 x 0.0084"),
            ("its disk", "8 x 0.08"),
            ("two alarms of each of four policies, ten alarms on eleven metrics", "19 x 0.10"),
            ("Container Insights: 11 metrics, 21 of the service", "32 x 0.30"),
            ("key", "1"),
            ("secret", "0.40"),
            ("web ACL and five rules", "10"),
            ("dashboards", "3 x 3"),
            ("polls of the function that reads the queue", "5 x 180 x 730 x 0.0000004"),
        ],
    );
}

/// One line of a bill.
pub fn line<'a>(bill: &'a Bill, address: &str, what: &str) -> &'a payctl_money::bill::Item {
    let found = bill.items.iter().find(|item| item.address == address && item.what == what);
    found.unwrap_or_else(|| panic!("no `{what}` of {address}"))
}

#[test]
fn the_load_flows_from_the_api_to_functions_tables_and_logs() {
    let assume = Assumptions { payments_per_month: d("1000000"), ..Assumptions::default() };
    let bill = bill_with(&dir_of("cost-optimised"), "prod", &assume);
    for (address, what, quantity, monthly) in [
        // Three routes: 3 million requests at 3.50 dollars a million.
        ("apigateway.stage/payments", "requests", "3000000", "10.5"),
        // Each function gets a third. 0.1 s of 1 GB a million times is 100,000 GB-seconds.
        ("lambda.function/processor", "requests", "1000000", "0.2"),
        ("lambda.function/processor", "memory and time", "100000", "1.33334"),
        ("lambda.function/validator", "memory and time", "50000", "0.66667"),
        // The processor reads and writes a payment; the fraud detector reads. Half a unit for each
        // read, and each write again in the index.
        ("dynamodb.table/transactions", "reads", "1000000", "0.125"),
        ("dynamodb.table/transactions", "writes", "2000000", "1.25"),
        ("s3.bucket/audit", "writes", "1000000", "5"),
    ] {
        let item = line(&bill, address, what);
        assert_eq!(item.quantity.normalize(), d(quantity), "{address} {what}");
        assert_eq!(item.monthly.normalize(), d(monthly), "{address} {what}");
    }
    // 2 KB of log for each call; a KB is 1/1048576 GB.
    let log = line(&bill, "logs.log_group/function-processor", "log");
    assert_eq!(round(log.quantity, 6), round(d("2000000") / d("1048576"), 6));
    // Three functions send 10 KB for each call through NAT, and so do the tasks behind the load balancer.
    // Without endpoints, so do the four records: two of the processor and one of the fraud detector for the
    // table, and one for the bucket.
    let nat: Decimal =
        bill.items.iter().filter(|item| item.meter == "nat.gb").map(|item| item.quantity).sum();
    assert_eq!(round(nat, 6), round(d("44000000") / d("1048576"), 6));
}

#[test]
fn what_is_known_of_a_resource_replaces_what_is_computed() {
    let own = "[usage]\npayments_per_month = 10\n\n[usage.resources.\"dynamodb.table/carts\"]\nwrites = 4_000_000\nstored_gb = 10\n";
    let folder = Folder::empty();
    folder.write("config/dev.toml", &format!("{SHOP}\n{own}"));
    let cost = json_of(&folder.cost("cost --env dev"));
    let monthly = |what: &str| {
        let items = cost["items"].as_array().expect("items");
        let item = items.iter().find(|item| item["what"] == what).expect("the item");
        item["monthly"].to_string()
    };
    assert_eq!((monthly("writes"), monthly("storage")), ("2.5".to_owned(), "2.5".to_owned()));
    assert_eq!(cost["assumptions"]["payments_per_month"].to_string(), "10");
    folder.edit("config/dev.toml", "dynamodb.table/carts", "dynamodb.table/cars");
    let ran = folder.cost("cost --env dev");
    ran.expect(1, "an unknown address");
    assert!(ran.err.contains("this environment does not have dynamodb.table/cars"), "{}", ran.err);
}

/// A config that costs something: a table, and a NAT gateway with its address.
const SHOP: &str = "project = \"shop\"\nregion = \"us-east-1\"\ndisposable = true\n\n[tables.carts]\npartition_key = \"id:S\"\npoint_in_time_recovery = false\n";
const NAT: &str =
    "\n[network]\ncidr = \"10.0.0.0/16\"\nzones = 2\nnat = { kind = \"gateway\", count = 1 }\n";

impl Folder {
    /// `payctl LINE --json` on a sandbox of the folder.
    pub fn cost(&self, line: &str) -> Ran {
        ended(&mut self.payctl(&format!("{line} --sandbox --json")))
    }
}

pub fn json_of(ran: &Ran) -> Value {
    ran.expect(0, "a command");
    let first = ran.out.lines().next().expect("a line");
    serde_json::from_str(first).expect("a JSON line")
}

#[test]
fn a_plan_costs_what_comes_after_less_what_was_before() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", SHOP);
    folder.cost("apply --env dev --auto-approve").expect(0, "an apply");
    folder.write("config/dev.toml", &format!("{SHOP}{NAT}"));
    let plan = json_of(&folder.cost("plan --env dev"));
    let total = json_of(&folder.cost("cost --env dev"))["total_monthly"].clone();
    assert_eq!(plan["cost"]["total_monthly"], total);
    // 730 hours of a gateway and of its address.
    assert_eq!(plan["cost"]["change_monthly"].to_string(), "36.5");
    assert_eq!(plan["cost"]["components"][0]["component"], "network");
    folder.cost("apply --env dev --auto-approve").expect(0, "an apply");
    let plan = json_of(&folder.cost("plan --env dev"));
    assert_eq!(plan["cost"]["change_monthly"].to_string(), "0");
    let text = ended(&mut folder.payctl("plan --env dev --sandbox")).out;
    let (_, block) = text.split_once("Cost: ").expect("a block about money");
    assert!((1..=6).contains(&block.lines().count()), "{text}");
    ended(&mut folder.payctl("plan --env dev --sandbox --html plan.html")).expect(0, "a page");
    let page = fs::read_to_string(folder.path("plan.html")).expect("the page");
    let line = block.lines().next().expect("a line");
    assert!(page.contains(&format!("Cost: {line}; fixed ")), "{line}");
    let text = ended(&mut folder.payctl("plan --env dev --destroy --sandbox"));
    assert!(text.out.contains("Cost: 0.00 USD a month (-36.50 by this plan)"), "{}", text.out);
}

/// Load flows along references, and a live object names others by their ids.
#[test]
fn the_cost_of_a_plan_is_the_difference_of_two_bills() {
    let folder = Folder::shipped();
    folder.cost("apply --env dev --auto-approve").expect(0, "an apply");
    let bill = || json_of(&folder.cost("cost --env dev"))["total_monthly"].as_f64().expect("a sum");
    let before = bill();
    let service = "cpu = 256\nmemory = 512\nimage = \"${var.SERVICE_IMAGE}\"";
    let edits = [
        (service, "cpu = 256\nmemory = 512\nimage = \"example.com/payment:2\""),
        (service, "cpu = 1024\nmemory = 2048\nimage = \"${var.SERVICE_IMAGE}\""),
        ("[services.payment.environment]\n", "[services.payment.environment]\nLEVEL = \"info\"\n"),
    ];
    for (old, new) in edits {
        folder.edit("config/base.toml", old, new);
        let plan = json_of(&folder.cost("plan --env dev"));
        let change = plan["cost"]["change_monthly"].as_f64().expect("a sum");
        let wanted = bill() - before;
        assert!((change - wanted).abs() < 0.011, "{new}: {change} instead of {wanted}");
        folder.edit("config/base.toml", new, old);
    }
    // What is deleted counts as it did.
    folder.edit("config/base.toml", "  { class = \"db.serverless\", tier = 1 },\n", "");
    let plan = json_of(&folder.cost("plan --env dev"));
    let change = plan["cost"]["change_monthly"].as_f64().expect("a sum");
    assert!(change < -40.0 && (change - (bill() - before)).abs() < 0.011, "{change}");
}

#[test]
fn a_budget_refuses_what_costs_more_and_nothing_else() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", &format!("{SHOP}{NAT}"));
    folder.cost("apply --env dev --auto-approve").expect(0, "an apply");
    // Lower, though still above the budget; higher; higher with a reason; gone.
    let budget = "\n[budget]\nmonthly = 10\n";
    folder.write("config/dev.toml", &format!("{SHOP}{NAT}{budget}"));
    folder.cost("apply --env dev --auto-approve").expect(0, "no change");
    folder.edit("config/dev.toml", "count = 1", "count = 2");
    let refused = folder.cost("apply --env dev --auto-approve");
    refused.expect(6, "over the budget");
    assert!(
        refused
            .err
            .contains("would cost 73.00 USD a month, 63.00 USD over its budget of 10.00 USD"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("ec2.nat_gateway/"), "{}", refused.err);
    let allowed = folder.cost("apply --env dev --auto-approve --over-budget launch");
    allowed.expect(0, "with a reason");
    assert!(allowed.out.contains(r#""type":"over_budget""#), "{}", allowed.out);
    let history = json_of(&folder.cost("history --env dev"));
    assert_eq!(history["runs"][0]["over_budget"], "launch", "{history}");
    folder.edit("config/dev.toml", "count = 2", "count = 1");
    folder.cost("apply --env dev --auto-approve").expect(0, "cheaper");
    folder.cost("destroy --env dev --auto-approve").expect(0, "a destroy");
}

#[test]
fn a_bill_and_a_plan_say_what_the_environment_costs_until_it_goes() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", &format!("ttl = \"73h\"\n{SHOP}{NAT}"));
    // A tenth of a month: 73 of 730 hours.
    let tenth = |cost: &Value| {
        let total = d(&cost["total_monthly"].to_string());
        let sum = d(&cost["until"]["sum"].to_string());
        assert!((sum - total / d("10")).abs() <= d("0.01"), "{cost}");
        cost["until"]["end"].as_str().expect("a time").to_owned()
    };
    tenth(&json_of(&folder.cost("cost --env dev")));
    for line in ["cost --env dev", "cost --env dev --format markdown"] {
        let said = ended(&mut folder.payctl(line)).out;
        assert!(said.contains("about 3.65 USD until 20"), "{said}");
    }
    tenth(&json_of(&folder.cost("plan --env dev"))["cost"]);
    folder.cost("apply --env dev --auto-approve").expect(0, "an apply");
    // The end stays where the apply put it.
    let end = tenth(&json_of(&folder.cost("plan --env dev"))["cost"]);
    assert_eq!(tenth(&json_of(&folder.cost("plan --env dev"))["cost"]), end);
    let plan = json_of(&folder.cost("plan --env dev --destroy"));
    assert_eq!(plan["cost"].get("until"), None);
}

#[test]
fn text_messages_are_unpriced_until_a_file_states_their_price() {
    let topic = "\n[topics.alerts]\nsubscriptions = [{ protocol = \"sms\", endpoint = \"+4915123456789\" }]\n";
    let folder = Folder::empty();
    let usage = "\n[usage.resources.\"sns.topic/alerts\"]\nmessages = 100\n";
    folder.write("config/dev.toml", &format!("{SHOP}{topic}{usage}"));
    let cost = json_of(&folder.cost("cost --env dev"));
    let reason = cost["unpriced"][0]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("text messages: AWS charges by the country"), "{reason}");
    folder.write(
        "own.toml",
        "region = \"us-east-1\"\n[prices]\n\"sns.sms\" = { price = \"0.07\" }\n",
    );
    let cost = json_of(&folder.cost("cost --env dev --prices own.toml"));
    assert_eq!(cost["unpriced"], serde_json::json!([]));
    let items = cost["items"].as_array().expect("items");
    let item = items.iter().find(|item| item["meter"] == "sns.sms").expect("text messages");
    // 100 messages at 0.07 dollars.
    assert_eq!((item["monthly"].to_string(), &item["source"]), ("7".into(), &"own.toml".into()));
}

#[test]
fn the_steps_of_a_baseline_add_up() {
    let folder = Folder::shipped();
    let line = "cost --env dev --config-dir config/examples/cost-optimised --baseline config/examples/cost-optimised/before";
    let cost = json_of(&folder.cost(line));
    let steps = cost["baseline"]["steps"].as_array().expect("steps");
    let number = |value: &Value| d(&value.to_string());
    let saved: Decimal = steps.iter().map(|step| number(&step["saved"])).sum();
    let total = number(&cost["baseline"]["total"]["saved"]);
    assert!((saved - total).abs() <= d("0.06"), "{saved} {total}");
    let text = ended(&mut folder.payctl(line));
    assert!(text.out.contains("01-memory"), "{}", text.out);
}

/// The lines of docs/cost.md that let the report go out as a mail.
#[test]
fn the_documented_lines_for_mails_fit_the_shipped_config() {
    let page = include_str!("../../docs/cost.md");
    let block = |start: &str| {
        let from = page.find(start).unwrap_or_else(|| panic!("docs/cost.md has no `{start}`"));
        page[from..].split("```").next().expect("a block").to_owned()
    };
    let folder = Folder::shipped();
    let section = "[functions.cost-report.environment]\n";
    folder.edit("config/base.toml", section, &(section.to_owned() + &block("COST_MAIL_FROM = ")));
    let list = "  { sid = \"Report\", ";
    folder.edit("config/base.toml", list, &(block("  { sid = \"Mail\"") + list));
    let specs = resources(&folder.path("config"), "dev");
    let spec = |kind: &str| specs[&Address::new(kind, "cost-report")].to_string();
    assert!(spec("lambda.function").contains("ada@example.com, finance@example.com"));
    let role = spec("iam.role");
    assert!(role.contains(":identity/example.com"), "{role}");
    // IAM does not distinguish the case of these keys.
    assert!(role.contains(r#""ses:fromaddress":["costs@example.com"]"#), "{role}");
}

/// The function of the example has this file in its package, and shows each saving from it.
#[test]
fn the_computed_savings_in_the_cost_report_are_up_to_date_as_the_docs_are() {
    let folder = Folder::shipped();
    let line = "cost --env dev --config-dir config/examples/cost-optimised --baseline config/examples/cost-optimised/before";
    let mut cost = json_of(&folder.cost(line));
    let mut of = |members: &[&str], from: &str| -> Value {
        let object = cost.pointer_mut(from).expect("an object");
        members.iter().map(|key| ((*key).to_owned(), object[*key].take())).collect()
    };
    let baseline = of(&["name", "steps", "total"], "/baseline");
    let mut kept = of(&["currency", "prices_of", "region", "total_monthly"], "");
    kept["baseline"] = baseline;
    let text = serde_json::to_string_pretty(&kept).expect("JSON") + "\n";
    expect_file("functions/cost_report/computed/cost-optimised-dev.json", &text);
}

/// A sum of products as it is written.
pub fn sum_of(products: &str) -> Decimal {
    products.split(" + ").map(product).sum()
}

#[test]
fn each_measure_saves_what_is_computed_by_hand() {
    let folder = Folder::shipped();
    let line = "cost --env dev --config-dir config/examples/cost-optimised --baseline config/examples/cost-optimised/before";
    let cost = json_of(&folder.cost(line));
    let steps = cost["baseline"]["steps"].as_array().expect("steps");
    // 100,000 payments call three functions each, for 0.1 s. 2 KB of each are 200,000 / 1,048,576 =
    // 0.19073486328125 GB.
    let by_hand = [
        // 10,000 s of each: of 3 x 3008 MB, and of 1024, 512 and 1024 MB.
        ("01-memory", "88125 x 0.0000166667", "25000 x 0.0000166667"),
        // 5 units of three tables and an index for 730 hours: 14,600. Then a write to the table and
        // its index for each payment, and two reads of half a unit.
        (
            "02-on-demand",
            "14600 x 0.00065 + 14600 x 0.00013",
            "200000 x 0.000000625 + 100000 x 0.000000125",
        ),
        ("03-arm64", "25000 x 0.0000166667", "25000 x 0.0000133334"),
        ("04-concurrency", "0", "0"),
        // Only the access log is moved, after 720 / 730 months; records of 1 KB stay.
        (
            "05-glacier",
            "0.19073486328125 x 12 x 0.023",
            "0.19073486328125 x 0.986301369863 x 0.023 + 0.19073486328125 x 11.013698630137 x 0.0036",
        ),
        // Ten logs: of three functions, of three APIs two each, of the service. 15 % is stored. Seven
        // days are 168 / 730 months.
        (
            "06-logs",
            "10 x 0.19073486328125 x 0.15 x 12 x 0.03",
            "10 x 0.19073486328125 x 0.15 x 0.230136986301 x 0.03",
        ),
        // 10 KB of each call of three functions and the service go through the gateway, and four records
        // of 1 KB.
        (
            "07-nat",
            "730 x 0.045 + 730 x 0.005 + 22 x 0.19073486328125 x 0.045",
            "730 x 0.0042 + 8 x 0.08 + 730 x 0.005",
        ),
        // Ten tasks; then two, and two alarms of each of two policies.
        (
            "08-scaling",
            "10 x 0.25 x 730 x 0.04048 + 10 x 0.5 x 730 x 0.004445",
            "2 x 0.25 x 730 x 0.04048 + 2 x 0.5 x 730 x 0.004445 + 4 x 0.10",
        ),
        ("09-dashboard", "0", "3"),
        // 30 runs and 30 objects cost less than a cent.
        ("10-report", "0", "0"),
        // One API for several saves nothing: AWS charges for requests.
        ("the rest", "0", "0"),
    ];
    assert_eq!(steps.len(), by_hand.len());
    for (step, (name, before, after)) in steps.iter().zip(by_hand) {
        assert_eq!(step["name"], name);
        let saved = round(sum_of(before) - sum_of(after), 2);
        assert_eq!(d(&step["saved"].to_string()), saved.normalize(), "{name}");
    }
    // The page shows what the program says.
    let markdown = ended(&mut folder.payctl(&format!("{line} --format markdown"))).out;
    let page = include_str!("../../docs/cost.md");
    for (name, ..) in by_hand {
        let start = format!("| {name} | ");
        let row = markdown.lines().find(|line| line.starts_with(&start)).expect("a row");
        assert!(page.contains(row), "docs/cost.md lacks {row}");
    }
}

#[test]
fn negotiated_prices_are_used_and_named() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", &format!("{SHOP}{NAT}"));
    folder.write(
        "ours.toml",
        "region = \"us-east-1\"\n[prices]\n\"nat.hours\" = { price = \"0.01\" }\n",
    );
    let cost = json_of(&folder.cost("cost --env dev --prices ours.toml"));
    assert_eq!(cost["fixed_monthly"].to_string(), "10.95");
    let nat =
        &cost["items"].as_array().expect("items").iter().find(|item| item["meter"] == "nat.hours");
    assert_eq!(nat.expect("an item")["source"], "ours.toml");
    folder.write(
        "ours.toml",
        "region = \"us-east-1\"\n[prices]\n\"nat.days\" = { price = \"0.01\" }\n",
    );
    let ran = folder.cost("cost --env dev --prices ours.toml");
    ran.expect(1, "an unknown meter");
    assert!(ran.err.contains("there is no meter `nat.days`"), "{}", ran.err);
}

#[test]
fn what_costs_nothing_needs_no_price() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", &SHOP.replace("us-east-1", "ap-south-2"));
    let cost = json_of(&folder.cost("cost --env dev"));
    assert_eq!(cost["total_monthly"].to_string(), "0");
    let text = ended(&mut folder.payctl("cost --env dev"));
    assert_eq!(cost["unpriced"].as_array().map(Vec::len), Some(0));
    assert!(!text.out.contains("without a price"), "{}", text.out);
}

/// What has no price may cost anything: it never lowers a cost, and its end may.
#[test]
fn a_budget_trusts_no_missing_price() {
    let folder = Folder::empty();
    let of = |kind: &str, budget: &str| {
        let nat = NAT.replace("\"gateway\"", &format!("\"instance\", instance_type = \"{kind}\""));
        folder.write("config/dev.toml", &format!("{SHOP}{nat}\n[budget]\nmonthly = {budget}\n"));
    };
    let apply = "apply --env dev --auto-approve";
    of("t4g.nano", "100");
    folder.cost(apply).expect(0, "an apply");
    of("m8g.24xlarge", "1");
    let refused = folder.cost(apply);
    refused.expect(6, "a budget that is exceeded already");
    let said = "without a known price: ec2.instance/nat-1";
    assert!(refused.err.contains(said), "{}", refused.err);
    of("m8g.24xlarge", "100");
    let allowed = folder.cost(apply);
    allowed.expect(0, "within the budget as far as it is known");
    assert!(allowed.err.contains("the budget of 100.00 USD cannot be checked"), "{}", allowed.err);
    let prices = "region = \"us-east-1\"\n[prices.\"ec2.m8g.24xlarge\"]\nprice = \"4.3\"\n";
    folder.write("prices.toml", prices);
    let cost = json_of(&folder.cost("cost --env dev --prices prices.toml"));
    assert_eq!(cost["unpriced"].as_array().map(Vec::len), Some(0), "{cost}");
    assert!(cost["total_monthly"].as_f64().expect("a sum") > 730.0 * 4.3, "{cost}");
    of("t4g.micro", "1");
    folder.cost(apply).expect(0, "the end of what has no price");
    folder.cost("destroy --env dev --auto-approve").expect(0, "a destroy");
}

/// Provisioned concurrency that scales costs what it is on average.
#[test]
fn scaled_concurrency_costs_its_least_and_its_average() {
    let all: Resources = block_on(async {
        let provider = sample_provider(&sandboxed(&Sandbox::in_memory())).await;
        let resources = samples(&provider.aws().scope).resources.into_values();
        resources.map(|one| (one.address, one.spec)).collect()
    });
    let prices = Prices::shipped("us-east-1").expect("a table");
    let bill = costs::bill(&all, &Assumptions::default(), &prices);
    let function = &all[&Address::new("lambda.function", "sample-b")];
    let memory = d(&function["memory"].to_string()) / d("1024");
    // One at least, and of four for a peak of five times the average no more than one.
    let fixed = line(&bill, "lambda.alias/sample-b-live", "provisioned concurrency");
    assert_eq!(fixed.quantity, memory * d("730") * d("3600"));
    let assume = Assumptions { peak_factor: d("2"), ..Assumptions::default() };
    let bill = costs::bill(&all, &assume, &prices);
    let more = line(&bill, "lambda.alias/sample-b-live", "provisioned concurrency by load");
    assert_eq!(more.quantity, memory * d("730") * d("3600"));
}

/// A table that a targeted plan leaves, although the config no longer has it, still costs.
#[test]
fn a_budget_counts_what_the_targets_leave_as_it_is() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", &format!("{SHOP}{NAT}"));
    folder.cost("apply --env dev --auto-approve").expect(0, "an apply");
    // The network goes, a table comes: only the table is applied, so the network stays.
    let tables = "\n[tables.orders]\npartition_key = \"id:S\"\npoint_in_time_recovery = false\nbilling = { read = 1, write = 1 }\n";
    let budget = "\n[budget]\nmonthly = 12.50\n";
    folder.write("config/dev.toml", &format!("{SHOP}{tables}{budget}"));
    let line = "--env dev --target dynamodb.table/orders";
    let plan = json_of(&folder.cost(&format!("plan {line}")));
    let cost = &plan["cost"];
    assert!(cost["total_monthly"].as_f64().expect("a sum") > 36.5, "{cost}");
    assert_eq!(cost["budget"]["monthly"].to_string(), "12.5");
    assert!(cost["budget"]["over"].as_f64().expect("a sum") > 24.0, "{cost}");
    folder.cost(&format!("apply {line} --auto-approve")).expect(6, "over the budget");
}

#[test]
fn a_budget_in_a_region_without_prices_lets_nothing_be_added() {
    let folder = Folder::empty();
    let elsewhere = SHOP.replace("us-east-1", "eu-north-1");
    folder.write("config/dev.toml", &format!("{elsewhere}{NAT}\n[budget]\nmonthly = 1\n"));
    let plan = json_of(&folder.cost("plan --env dev"));
    assert_eq!(plan["cost"]["budget"]["is_judged"], false);
    assert_eq!(plan["cost"]["total_monthly"], Value::Null);
    let refused = folder.cost("apply --env dev --auto-approve");
    refused.expect(6, "a budget that says nothing");
    let said = "the budget of 1.00 USD cannot be checked: no prices for eu-north-1";
    assert!(refused.err.contains(said), "{}", refused.err);
    assert!(refused.err.contains("ec2.nat_gateway/"), "{}", refused.err);
    assert!(refused.err.contains("payctl prices update --region eu-north-1"), "{}", refused.err);
    let allowed = folder.cost("apply --env dev --auto-approve --over-budget launch");
    allowed.expect(0, "with a reason");
    assert!(allowed.out.contains(r#""monthly":null"#), "{}", allowed.out);
    // What costs nothing more, and what ends, is never stopped.
    folder.edit("config/dev.toml", "[tables.carts]\n", "[tables.carts]\nttl = \"expires_at\"\n");
    folder.cost("apply --env dev --auto-approve").expect(0, "no cost");
    folder.cost("destroy --env dev --auto-approve").expect(0, "a destroy");
}

#[test]
fn a_comparison_says_whose_usage_it_has_and_where_the_other_differs() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", SHOP);
    folder.write("config/prod.toml", &format!("{SHOP}\n[usage]\npayments_per_month = 5\n"));
    let sides = json_of(&folder.cost("cost --env dev --against prod"));
    let baseline = &sides["baseline"];
    assert_eq!(baseline["usage_of"], "dev");
    let differs = r#"[{"key":"payments_per_month","used":100000,"other":5}]"#;
    let differs: Value = serde_json::from_str(differs).expect("JSON");
    assert_eq!(baseline["usage_differs"], differs);
    for form in ["text", "markdown"] {
        let said =
            ended(&mut folder.payctl(&format!("cost --env dev --against prod --format {form}")));
        assert!(said.out.contains("computed with the [usage] of dev."), "{}", said.out);
        assert!(said.out.contains("payments_per_month 100,000 instead of 5"), "{}", said.out);
    }
    let usage = "\n[usage.resources.\"dynamodb.table/carts\"]\nreads = 5_000_000\n";
    folder.write("config/dev.toml", &format!("{SHOP}{usage}"));
    let own = ended(&mut folder.payctl("cost --env dev --format markdown"));
    assert!(own.out.contains("<details><summary>"), "{}", own.out);
    assert!(own.out.contains("| dynamodb.table/carts | "), "{}", own.out);
}

#[test]
fn a_file_of_prices_fits_its_region_and_counts_in_plans() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", &format!("{SHOP}{NAT}"));
    let prices = |region: &str, date: &str| {
        format!(
            "region = \"{region}\"\n[prices]\n\"nat.hours\" = {{ price = \"1\", date = \"{date}\" }}\n"
        )
    };
    folder.write("own.toml", &prices("us-east-1", "2026-11-01"));
    folder.write("other.toml", &prices("eu-west-1", "2026-11-01"));
    folder.write("wrong.toml", &prices("us-east-1", "2026-02-30"));
    for command in ["cost", "plan", "apply --auto-approve"] {
        let other = folder.cost(&format!("{command} --env dev --prices other.toml"));
        other.expect(1, "another region");
        assert!(other.err.contains("they are of eu-west-1"), "{}", other.err);
        let wrong = folder.cost(&format!("{command} --env dev --prices wrong.toml"));
        wrong.expect(1, "not a day");
        assert!(wrong.err.contains("has the date `2026-02-30`"), "{}", wrong.err);
    }
    let plan = ended(&mut folder.payctl("plan --env dev --prices own.toml --sandbox"));
    // 730 x (1 + 0.005) for the gateway and its address.
    assert!(plan.out.contains("Cost: 733.65 USD a month"), "{}", plan.out);
    assert!(plan.out.contains("prices of own.toml"), "{}", plan.out);
}

#[test]
fn usage_that_does_not_count_is_refused_with_its_place() {
    let folder = Folder::empty();
    let usage = "\n[usage.resources.\"dynamodb.table/carts\"]\nmessages = 5\n";
    folder.write("config/dev.toml", &format!("{SHOP}{usage}"));
    for line in ["cost --env dev", "validate --env dev", "plan --env dev --sandbox"] {
        let refused = ended(&mut folder.payctl(line));
        refused.expect(1, "ignored usage");
        let said = &refused.err;
        assert!(said.contains("`messages` does not count for dynamodb.table/carts"), "{said}");
        assert!(said.contains("`reads` or `writes` or `stored_gb`"), "{said}");
        assert!(said.contains("dev.toml:"), "{said}");
    }
    folder.edit("config/dev.toml", "table/carts\"]\nmessages", "table/cart\"]\nreads");
    let refused = ended(&mut folder.payctl("cost --env dev"));
    assert!(refused.err.contains("such as `dynamodb.table/carts`"), "{}", refused.err);
}

/// The largest numbers that a config and a file of prices take do not overflow a bill.
#[test]
fn the_largest_numbers_give_a_bill() {
    let million = d("1000000");
    let most = million * million;
    let assume = Assumptions {
        payments_per_month: most,
        request_kb: million,
        response_kb: million,
        item_kb: million,
        log_kb: million,
        nat_kb: million,
        function_ms: d("900000"),
        database_ios: million,
        failures_per_thousand: d("1000"),
        age_months: d("120"),
        ..Assumptions::default()
    };
    let mut prices = Prices::shipped("us-east-1").expect("a table");
    let dear: Vec<_> =
        prices.iter().map(|(meter, price)| (meter.to_owned(), price.clone())).collect();
    for (meter, price) in dear {
        let tiers = vec![payctl_money::prices::Tier { from: Decimal::ZERO, price: million }];
        prices.set(&meter, payctl_money::prices::Price { tiers, ..price });
    }
    for (name, dir) in shipped() {
        for env in envs(&dir) {
            let bill = costs::bill(&resources(&dir, &env), &assume, &prices);
            assert!(bill.total() > Decimal::ZERO && bill.hourly() > Decimal::ZERO, "{name} {env}");
        }
    }
}

/// Resources in an order that depends on a seed: each one adds to the bill, or leaves it as it is.
#[test]
fn adding_a_resource_never_lowers_the_total() {
    let prices = Prices::shipped("us-east-1").expect("a table");
    let mut state = 11_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).expect("a small number") % below
    };
    // The load of each resource is stated, as a share of a load depends on who else gets some.
    use Driver::{Calls, Gb, Messages, Puts, Reads, Requests, Writes};
    let load = BTreeMap::from(
        [Calls, Gb, Messages, Puts, Reads, Requests, Writes].map(|driver| (driver, d("5000"))),
    );
    for (dir, env) in [(shipped_config(), "prod"), (dir_of("container-api"), "dev")] {
        let mut left: Vec<_> = resources(&dir, env).into_iter().collect();
        let names = left.iter().map(|(address, _)| (address.to_string(), load.clone()));
        let assume = Assumptions { resources: names.collect(), ..Assumptions::default() };
        let mut some = Resources::new();
        let mut before = Decimal::ZERO;
        while !left.is_empty() {
            for _ in 0..left.len().min(8) {
                let (address, spec) = left.swap_remove(next(left.len()));
                some.insert(address, spec);
            }
            let after = costs::bill(&some, &assume, &prices).total();
            assert!(after + d("0.000001") >= before, "{env}: {before} {after}");
            before = after;
        }
    }
}

/// Without payments, nothing that follows them costs. What is left polls or renews by itself.
#[test]
fn usage_without_payments_is_what_runs_by_itself() {
    let assume = Assumptions { payments_per_month: Decimal::ZERO, ..Assumptions::default() };
    let bill = bill_with(&shipped_config(), "prod", &assume);
    let rows: Vec<String> = bill
        .items
        .iter()
        .filter(|item| item.basis == Basis::Usage && item.monthly > Decimal::ZERO)
        .map(|item| format!("{} {} {}", item.address, item.what, round(item.monthly, 2)))
        .collect();
    assert!(bill.usage() < d("10"), "{}: {rows:#?}", bill.usage());
}
