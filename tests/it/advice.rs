//! `payctl cost --advise`: each advice is written into a config of its own and computed anew.

use std::path::Path;

use payctl::aws::costs;
use payctl::blueprint::{Facts, build};
use payctl::config;
use payctl_money::Decimal;
use payctl_money::bill::Bill;
use payctl_money::prices::Prices;
use serde_json::Value;

use crate::cli_support::{Folder, ended};
use crate::cost::{d, json_of};

/// The bill of an environment under its own assumptions.
fn bill(dir: &Path, env: &str) -> Bill {
    let loaded = config::load(dir, env, &|_| None)
        .unwrap_or_else(|problems| panic!("{}, {env}: {problems:#?}", dir.display()));
    let blueprint = build(&loaded, &Facts::placeholder("us-east-1")).expect("a blueprint");
    let specs = blueprint.resources.into_values();
    let specs = specs.map(|desired| (desired.address, desired.spec)).collect();
    let prices = Prices::shipped("us-east-1").expect("a table");
    costs::bill(&specs, &loaded.config.usage.assumptions(), &prices)
}

/// What is advised for an environment. Each advice is held against the bill of a config with its lines.
fn advised(folder: &Folder, dir: &str, env: &str) -> Value {
    let cost = json_of(&folder.cost(&format!("cost --env {env} --config-dir {dir} --advise")));
    let before = bill(&folder.path(dir), env);
    for (at, advice) in cost["advice"].as_array().expect("a list").iter().enumerate() {
        let lines = advice["lines"].as_str().expect("lines");
        let text = format!("extends = \"{env}.toml\"\n\n{lines}\n");
        folder.write(&format!("{dir}/advised{at}.toml"), &text);
        let after = bill(&folder.path(dir), &format!("advised{at}"));
        let saved = before.total() - after.total();
        let said = d(&advice["saved"].to_string());
        assert!(saved > Decimal::ZERO, "{advice:#}: {saved}");
        assert!((saved - said).abs() <= d("0.005"), "{advice:#}: {saved}");
        assert!(!advice["risk"].as_str().unwrap_or_default().is_empty(), "{advice:#}");
        std::fs::remove_file(folder.path(&format!("{dir}/advised{at}.toml"))).expect("a file");
    }
    cost
}

/// The advice of a list that does something.
fn find<'a>(cost: &'a Value, what: &str) -> Option<&'a Value> {
    cost["advice"].as_array().expect("a list").iter().find(|advice| advice["what"] == what)
}

fn saved(cost: &Value, what: &str) -> Decimal {
    let advice = find(cost, what).unwrap_or_else(|| panic!("{what}: {:#}", cost["advice"]));
    d(&advice["saved"].to_string())
}

#[test]
fn advice_saves_what_its_lines_save() {
    let folder = Folder::shipped();
    let before = "config/examples/cost-optimised/before";
    let cost = advised(&folder, before, "dev");
    for what in [
        "use a NAT instance in place of the NAT gateway",
        "run the service payment on arm64",
        "run the function processor on arm64",
        "pay for the requests of the table users, not for capacity",
        "destroy the environment after work: 160 hours a month",
        "write the log of functions.processor in the class for infrequent access",
        "write the log of services.payment in the class for infrequent access",
        "write the access log of apis.payments in the class for infrequent access",
        "move the objects of the bucket access-logs to STANDARD_IA after 30 days",
        "move the objects of the bucket access-logs to GLACIER_IR after 30 days",
    ] {
        assert!(find(&cost, what).is_some(), "{what}: {cost:#}");
    }
    // 0.19 GB of log at half of 0.50 dollars.
    let log = "write the log of functions.processor in the class for infrequent access";
    assert_eq!(saved(&cost, log), d("0.05"));
    let risk = find(&cost, log).expect("the advice")["risk"].as_str().expect("a risk");
    assert!(risk.contains("AWS never changes the class of a log group"), "{risk}");
    for (dir, env) in [
        ("config", "staging"),
        ("config", "prod"),
        ("config/examples/container-api", "prod"),
        ("config/examples/cost-optimised", "prod"),
        ("config/examples/migration", "prod"),
        ("config/examples/serverless-secured", "dev"),
    ] {
        let cost = advised(&folder, dir, env);
        assert!(!cost["advice"].as_array().expect("a list").is_empty(), "{dir} {env}");
    }
}

/// A function in private subnets that writes into a table and a bucket, for ten million payments.
const SHOP: &str = r#"
project = "shop"
region = "us-east-1"

[network]
cidr = "10.0.0.0/16"
zones = 2
gateway_endpoints = []
nat = { kind = "gateway", count = 1 }

[tables.carts]
partition_key = "id:S"
point_in_time_recovery = false

[buckets.receipts]

[security_groups.pay]
description = "Payments"
egress = "all"

[roles.pay]
services = "lambda.amazonaws.com"
managed = ["service-role/AWSLambdaVPCAccessExecutionRole"]
statements = [
  { actions = "dynamodb:PutItem", resources = "${tables.carts.arn}" },
  { actions = "s3:PutObject", resources = "${buckets.receipts.arn}/*" },
]

[functions.pay]
source = "code"
runtime = "python3.13"
role = "pay"
subnets = "private"
security_groups = "pay"

[apis.pay.routes."POST /pay"]
function = "pay"

[usage]
payments_per_month = 10_000_000
item_kb = 200
"#;

fn shop(edits: &[(&str, &str)]) -> Folder {
    let folder = Folder::empty();
    folder.write("config/code/index.py", "def handler(event, context):\n    return {}\n");
    let text = edits.iter().fold(SHOP.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, new)
    });
    folder.write("config/dev.toml", &text);
    folder
}

#[test]
fn endpoints_save_the_data_and_the_hours_of_nat() {
    let all = "use gateway endpoints in place of NAT";
    let [s3, table] = ["s3", "dynamodb"]
        .map(|service| format!("reach {service} through a gateway endpoint, not through NAT"));
    let cost = advised(&shop(&[]), "config", "dev");
    // 200 KB of each of ten million calls go to each service, and 10 KB to the internet, at 0.045 dollars a GB.
    let gb = |kb: &str| d(kb) * d("10000000") / d("1048576");
    let of = |kb: &str| (gb(kb) * d("0.045")).round_dp(2);
    assert_eq!(saved(&cost, &s3), of("200"));
    assert_eq!(saved(&cost, &table), of("200"));
    // The gateway and its address cost 36.50 dollars.
    assert_eq!(saved(&cost, all), (gb("410") * d("0.045") + d("36.5")).round_dp(2));
    let lines = find(&cost, all).expect("the advice")["lines"].as_str().expect("lines");
    assert_eq!(
        lines,
        "[network]\ngateway_endpoints = [\"s3\", \"dynamodb\"]\n\n[network.nat]\nkind = \"none\""
    );
    // With one of them, only the other is missing, and its data no longer goes through NAT.
    let cost = advised(&shop(&[("endpoints = []", "endpoints = [\"s3\"]")]), "config", "dev");
    assert!(find(&cost, &s3).is_none(), "{cost:#}");
    assert_eq!(saved(&cost, all), (gb("210") * d("0.045") + d("36.5")).round_dp(2));
    // Whatever needs more than the two services keeps its NAT.
    let sent = "{ actions = \"s3:PutObject\"";
    let more = format!("{{ actions = \"sqs:SendMessage\", resources = \"*\" }},\n  {sent}");
    for (old, new) in
        [(sent, more.as_str()), ("[functions.pay]\n", "[functions.pay]\ntracing = true\n")]
    {
        let cost = advised(&shop(&[(old, new)]), "config", "dev");
        assert!(find(&cost, all).is_none(), "{new}");
        assert!(find(&cost, &s3).is_some(), "{new}");
    }
}

#[test]
fn a_table_turns_where_capacity_and_requests_cost_the_same() {
    let writes = |writes: u64, reads: u64, billing: &str| {
        let text = format!(
            "project = \"shop\"\nregion = \"us-east-1\"\n\n[tables.carts]\npartition_key = \"id:S\"\npoint_in_time_recovery = false\nbilling = {billing}\n\n[usage]\npeak_factor = 1\n\n[usage.resources.\"dynamodb.table/carts\"]\nwrites = {writes}\nreads = {reads}\nstored_gb = 1\n"
        );
        let folder = Folder::empty();
        folder.write("config/dev.toml", &text);
        folder
    };
    let to_requests = "pay for the requests of the table carts, not for capacity";
    let cost = advised(&writes(1_000_000, 2_000_000, "{ read = 10, write = 10 }"), "config", "dev");
    let turn = &find(&cost, to_requests).expect("the advice")["turn"];
    // 7,300 hours of each unit cost 5.694 dollars, and the requests 0.625 + 2 x 0.125 x 0.5 x ... = 0.75.
    let times = d("7300") * (d("0.00065") + d("0.00013")) / (d("0.625") + d("0.125"));
    let near = |said: &Value, wanted: Decimal| {
        let said = d(&said.to_string());
        assert!((said - wanted).abs() < d("0.000002"), "{said} {wanted}");
    };
    near(&turn["times"], times);
    near(&turn["writes_per_second"], times * d("1000000") / d("2628000"));
    near(&turn["reads_per_second"], times * d("2000000") / d("2628000"));
    // Below the point requests cost less, and above it capacity.
    for (part, is_cheaper) in [("0.99", true), ("1.01", false)] {
        let load =
            |count: &str| u64::try_from((d(count) * times * d(part)).round()).expect("a number");
        let cost = |billing: &str| {
            let folder = writes(load("1000000"), load("2000000"), billing);
            bill(&folder.path("config"), "dev").total()
        };
        let [capacity, requests] = [cost("{ read = 10, write = 10 }"), cost("\"on_demand\"")];
        assert_eq!(requests < capacity, is_cheaper, "{part}: {requests} {capacity}");
    }
    // The other way: at a steady load, capacity costs less down to this point.
    let to_capacity = "provision capacity for the peak of the table carts";
    let folder = writes(20_000_000, 20_000_000, "\"on_demand\"");
    let cost = advised(&folder, "config", "dev");
    let turn = &find(&cost, to_capacity).expect("the advice")["turn"];
    // 20 million in 2,628,000 seconds are 7.6 a second: 8 units to write, and 4 for half units to read.
    let times = d("730") * (d("8") * d("0.00065") + d("4") * d("0.00013"))
        / (d("20") * d("0.625") + d("10") * d("0.125"));
    near(&turn["times"], times);
    let text = ended(&mut folder.payctl("cost --env dev --advise"));
    let writes = (times * d("20000000") / d("2628000")).round_dp(2);
    assert!(text.out.contains(&format!("It turns at {writes} writes and ")), "{}", text.out);
}

/// Capacity holds the peak, and requests are paid on average. So with a high peak no load makes capacity cheaper.
#[test]
fn a_table_with_a_high_peak_never_turns() {
    let config = |billing: &str, peak: u32, writes: u64| {
        let folder = Folder::empty();
        let text = format!(
            "project = \"shop\"\nregion = \"us-east-1\"\n\n[tables.carts]\npartition_key = \"id:S\"\npoint_in_time_recovery = false\nbilling = {billing}\n\n[usage]\npeak_factor = {peak}\n\n[usage.resources.\"dynamodb.table/carts\"]\nwrites = {writes}\nreads = {writes}\nstored_gb = 1\n"
        );
        folder.write("config/dev.toml", &text);
        folder
    };
    let to_requests = "pay for the requests of the table carts, not for capacity";
    let folder = config("{ read = 10, write = 20 }", 5, 1_000_000);
    let cost = advised(&folder, "config", "dev");
    let turn = &find(&cost, to_requests).expect("the advice")["turn"];
    // At a peak of five times, 20 units hold 4 writes a second on average. The same number of reads takes half as
    // many units: 10 hold 20 reads, so the writes decide.
    assert_eq!(turn["is_reached"], false, "{turn}");
    assert_eq!(d(&turn["writes_per_second"].to_string()).round_dp(3), d("4"));
    assert_eq!(d(&turn["times"].to_string()).round_dp(3), d("4") * d("2628000") / d("1000000"));
    let text = ended(&mut folder.payctl("cost --env dev --advise")).out;
    assert!(
        text.contains("With a peak of 5 times the average, the capacity holds 4 writes and "),
        "{text}"
    );
    // Held against bills: up to the least load that this capacity does not hold, requests cost less.
    let total = |billing: &str, writes: u64| {
        bill(&config(billing, 5, writes).path("config"), "dev").total()
    };
    for writes in [100_000, 5_000_000, 10_512_000] {
        assert!(
            total("\"on_demand\"", writes) < total("{ read = 10, write = 20 }", writes),
            "{writes}"
        );
    }
    // The same table at a steady load turns, within what it holds.
    let steady = advised(&config("{ read = 10, write = 20 }", 1, 1_000_000), "config", "dev");
    let turn = &find(&steady, to_requests).expect("the advice")["turn"];
    assert_eq!(turn["is_reached"], true, "{turn}");
    // And a table on demand is advised capacity only where that holds the peak and costs less.
    for (peak, is_advised) in [(1, true), (2, true), (5, false)] {
        let folder = config("\"on_demand\"", peak, 50_000_000);
        let cost = advised(&folder, "config", "dev");
        let found = find(&cost, "provision capacity for the peak of the table carts");
        assert_eq!(found.is_some(), is_advised, "{peak}");
        let Some(found) = found else { continue };
        // 50 million in 2,628,000 seconds are 19.03 a second, and a read takes half a unit.
        let units =
            |each: &str| (d("50000000") / d("2628000") * d(each) * Decimal::from(peak)).ceil();
        let lines = format!("billing = {{ read = {}, write = {} }}", units("0.5"), units("1"));
        assert!(found["lines"].as_str().expect("lines").ends_with(&lines), "{found}");
    }
}

#[test]
fn hints_name_what_no_line_of_the_config_saves() {
    let folder = shop(&[]);
    let cost = json_of(&folder.cost("cost --env dev --advise"));
    let hint = |cost: &Value, what: &str| -> Option<Value> {
        let hints = cost["hints"].as_array().expect("a list");
        hints
            .iter()
            .find(|hint| hint["what"].as_str().unwrap_or_default().starts_with(what))
            .cloned()
    };
    // 3,910 GB through NAT. Each GB costs 0.035 dollars less through an endpoint, whose two zones cost
    // 2 x 730 x 0.01 dollars: 417 GB.
    let endpoint =
        hint(&cost, "reach a service of AWS through an interface endpoint").expect("a hint");
    let gb = d("410") * d("10000000") / d("1048576");
    assert_eq!(d(&endpoint["monthly"].to_string()), (gb * d("0.035") - d("14.6")).round_dp(2));
    assert!(
        endpoint["about"].as_str().expect("a text").contains("It turns at 417 GB"),
        "{endpoint}"
    );
    let few = shop(&[("item_kb = 200", "item_kb = 1"), ("10_000_000", "1_000_000")]);
    let cost = json_of(&few.cost("cost --env dev --advise"));
    assert_eq!(hint(&cost, "reach a service"), None);
    // What runs all the time is what one can commit to.
    let folder = Folder::shipped();
    let cost = json_of(&folder.cost("cost --env prod --advise"));
    let sum = |meters: &[&str]| -> Decimal {
        let items = cost["items"].as_array().expect("items").iter();
        let is_one = |item: &&Value| {
            let meter = item["meter"].as_str().unwrap_or_default();
            item["basis"] == "fixed" && meters.iter().any(|one| meter.starts_with(one))
        };
        items.filter(is_one).map(|item| d(&item["monthly"].to_string())).sum()
    };
    let compute = hint(&cost, "commit to a Compute Savings Plan").expect("a hint");
    let wanted = sum(&["ec2.", "fargate.vcpu.", "fargate.gb.", "lambda.provisioned."]);
    assert_eq!(d(&compute["monthly"].to_string()), wanted.round_dp(2).normalize());
    let database = hint(&cost, "commit to a Database Savings Plan").expect("a hint");
    assert_eq!(d(&database["monthly"].to_string()), sum(&["aurora.acu"]).round_dp(2).normalize());
    assert!(compute["about"].as_str().expect("a text").contains("no sourced rate"), "{compute}");
    // An environment that may go has nothing to commit to.
    let cost = json_of(&folder.cost("cost --env dev --advise"));
    assert_eq!(hint(&cost, "commit to"), None);
    let text = ended(&mut folder.payctl("cost --env prod --advise")).out;
    assert!(text.contains("\nHints\n") && text.contains("They count in no saving."), "{text}");
}

#[test]
fn load_decides_about_capacity() {
    let folder = Folder::shipped();
    let before = "config/examples/cost-optimised/before";
    // Tables on demand are cheaper at a peak of five times the average, and dearer without a peak.
    let capacity = "provision capacity for the peak of the table transactions";
    for (peak, is_advised) in [(5, false), (1, true)] {
        let text = format!(
            "extends = \"dev-02-on-demand.toml\"\n\n[usage]\npayments_per_month = 20_000_000\npeak_factor = {peak}\n"
        );
        folder.write(&format!("{before}/load{peak}.toml"), &text);
        let cost = advised(&folder, before, &format!("load{peak}"));
        assert_eq!(find(&cost, capacity).is_some(), is_advised, "{peak}");
    }
}
