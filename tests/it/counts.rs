//! What AWS charges for beside the obvious: each sort by hand, from configs of a few lines.

use payctl::aws::costs::{self, Resources};
use payctl::blueprint::{Facts, build};
use payctl::config;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_money::bill::{Basis, Bill};
use payctl_money::load::Assumptions;
use payctl_money::prices::Prices;
use payctl_money::{Decimal, round};
use serde_json::Value;

use crate::cli_support::{Folder, ended};
use crate::cost::{d, json_of, line};

/// The blueprint of a config, with its assumptions. `code` is a folder with a function.
pub fn built(text: &str) -> (Blueprint, Assumptions) {
    let folder = Folder::empty();
    folder.write("config/code/index.py", "def handler(event, context):\n    return {}\n");
    folder.write("config/dev.toml", text);
    let loaded = config::load(&folder.path("config"), "dev", &|_| None)
        .unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"));
    let blueprint = build(&loaded, &Facts::placeholder("us-east-1")).expect("a blueprint");
    (blueprint, loaded.config.usage.assumptions())
}

pub fn specs(blueprint: &Blueprint) -> Resources {
    let resources = blueprint.resources.values();
    resources.map(|desired| (desired.address.clone(), desired.spec.clone())).collect()
}

pub fn bill_at(text: &str, prices: &Prices) -> Bill {
    let (blueprint, assume) = built(text);
    costs::bill(&specs(&blueprint), &assume, prices)
}

const HEAD: &str = "project = \"shop\"\nregion = \"us-east-1\"\n";

fn bill(text: &str) -> Bill {
    bill_at(&format!("{HEAD}{text}"), &Prices::shipped("us-east-1").expect("a table"))
}

/// What a resource costs under some names, fixed and by load.
fn costs_of(bill: &Bill, address: &str, what: &[&str]) -> (Decimal, Decimal) {
    let items = bill.items.iter().filter(|item| item.address == address);
    let items: Vec<_> = items.filter(|item| what.contains(&item.what.as_str())).collect();
    let sum = |basis: Basis| -> Decimal {
        let items = items.iter().filter(|item| item.basis == basis);
        items.map(|item| item.monthly).sum()
    };
    (round(sum(Basis::Fixed), 6).normalize(), round(sum(Basis::Usage), 6).normalize())
}

fn reasons(bill: &Bill, address: &str) -> Vec<String> {
    let own = bill.unpriced.iter().filter(|one| one.address == address);
    own.map(|one| one.reason.clone()).collect()
}

#[test]
fn a_web_acl_pays_for_bot_control_and_names_the_groups_of_vendors() {
    let bill = bill(
        r#"
[firewalls.main]
rate_limit = 2000
managed = [
  { group = "AWSManagedRulesCommonRuleSet" },
  { group = "AWSManagedRulesBotControlRuleSet" },
  { group = "OWASP", vendor = "F5" },
]

[usage.resources."waf.web_acl/main"]
requests = 3_000_000
"#,
    );
    let of = |what: &str| costs_of(&bill, "waf.web_acl/main", &[what]);
    // The web ACL, four rules, and the subscription to one rule group.
    assert_eq!(of("web ACL"), (d("5"), d("0")));
    assert_eq!(of("rules"), (d("4"), d("0")));
    assert_eq!(of("Bot Control"), (d("10"), d("0")));
    // 0.60 dollars a million, and 1 dollar a million more.
    assert_eq!(of("requests"), (d("0"), d("1.8")));
    assert_eq!(of("requests to Bot Control"), (d("0"), d("3")));
    let named = reasons(&bill, "waf.web_acl/main");
    assert!(named.len() == 1 && named[0].contains("the vendor sets the price"), "{named:?}");
}

const DATABASE: &str = r#"
[network]
cidr = "10.0.0.0/16"
zones = 2
isolated_subnets = true
private_subnets = true
nat = { kind = "none" }

[security_groups.all]
description = "All"
egress = "all"

[secrets.database]
template = { username = "dbadmin" }

[databases.pay]
engine_version = "15.17"
secret = "database"
subnets = "isolated"
security_groups = ["all"]
"#;

fn database(lines: &str) -> String {
    format!("{DATABASE}{lines}\n")
}

#[test]
fn the_history_of_a_database_beyond_seven_days_is_charged_by_its_size() {
    let units = "serverless = { min = 1, max = 20 }\ninstances = [{ class = \"db.serverless\" }]";
    let of = |days: u32, lines: &str| bill(&database(&format!("insights_days = {days}\n{lines}")));
    let instance = "rds.instance/pay-1";
    let what = ["history of its load", "history of its load, by load"];
    assert_eq!(costs_of(&of(7, units), instance, &what), (d("0"), d("0")));
    // One unit at least, and 20 / 5 = 4 on average, at 0.376 dollars a month.
    assert_eq!(costs_of(&of(31, units), instance, &what), (d("0.376"), d("1.128")));
    // Of the further months no price is known: they are named, and the first counts.
    let longer = of(93, units);
    assert_eq!(costs_of(&longer, instance, &what), (d("0.376"), d("1.128")));
    let named = reasons(&longer, instance);
    assert!(!named.is_empty(), "{:?}", longer.unpriced);
    assert!(named.iter().all(|reason| reason.starts_with("history of its load, further months")));
    // Two vCPUs for two years, at 2.95 dollars each.
    let t3 = "instances = [{ class = \"db.t3.medium\" }]";
    assert_eq!(costs_of(&of(731, t3), instance, &what), (d("5.9"), d("0")));
    let r6g = of(731, "instances = [{ class = \"db.r6g.large\" }]");
    assert_eq!(reasons(&r6g, instance).len(), 1, "{:?}", r6g.unpriced);
}

#[test]
fn each_plan_of_guardduty_is_charged_by_what_it_reads() {
    let features = |names: &str| {
        let text = format!(
            r#"
instances = [{{ class = "db.serverless" }}, {{ class = "db.r6g.large" }}]
serverless = {{ min = 0.5, max = 10 }}

[threat_detection]
features = [{names}]

[buckets.receipts]

[roles.pay]
services = "lambda.amazonaws.com"

[functions.pay]
source = "code"
runtime = "python3.13"
role = "pay"

[fleets.workers]
instance_type = "t4g.micro"
min = 2
max = 20
subnets = "private"
security_groups = ["all"]
scaling = {{ cpu = 50 }}

[clusters.main]

[services.web]
cluster = "main"
cpu = 512
memory = 1024
image = "example.com/web:1"
desired = 2
subnets = "private"
security_groups = ["all"]

[usage]
log_kb = 2

[usage.resources."s3.bucket/receipts"]
puts = 600_000_000
gets = 400_000_000

[usage.resources."lambda.function/pay"]
calls = 1_048_576
"#
        );
        bill(&database(&text))
    };
    let detector = features("")
        .items
        .into_iter()
        .find_map(|item| item.address.starts_with("guardduty.detector/").then_some(item.address));
    let detector = detector.expect("a detector");
    let of =
        |name: &str, what: &[&str]| costs_of(&features(&format!("\"{name}\"")), &detector, what);
    // 500 million events at 0.80 dollars a million, and as many at 0.40.
    assert_eq!(of("s3_data_events", &["events of objects"]), (d("0"), d("600")));
    // 1,048,576 runs of 2 KB are 2 GB.
    assert_eq!(of("lambda_network_logs", &["network records of functions"]), (d("0"), d("2")));
    // Two vCPUs; half a unit at least and 10 / 5 = 2 on average, at 0.25 dollars.
    let logins = ["logins to databases", "logins to databases by load"];
    assert_eq!(of("rds_login_events", &logins), (d("2.125"), d("0.375")));
    // Two instances at least, 20 / 5 = 4 on average, of two vCPUs; two tasks of half a vCPU: 1.50 dollars each.
    let runtime = ["runtime monitoring", "runtime monitoring by load"];
    assert_eq!(of("runtime_monitoring", &runtime), (d("7.5"), d("6")));
    let named = reasons(&features("\"ai_analyst\""), &detector);
    assert!(named.len() == 1 && named[0].starts_with("AI analyst: "), "{named:?}");
    // What no load of the environment leads to costs nothing more.
    let plain = features("").total();
    assert_eq!(features("\"ebs_malware_protection\", \"eks_audit_logs\"").total(), plain);
}

#[test]
fn a_type_of_unknown_size_is_named_where_vcpus_are_counted() {
    let text = r#"
[network]
cidr = "10.0.0.0/16"
zones = 2
nat = { kind = "none" }

[security_groups.all]
description = "All"
egress = "all"

[threat_detection]
features = ["runtime_monitoring"]

[fleets.workers]
instance_type = "m7g.metal"
min = 1
max = 1
subnets = "private"
security_groups = ["all"]
"#;
    let bill = bill(text);
    let named = bill.unpriced.iter().filter(|one| one.address.starts_with("guardduty.detector/"));
    let named: Vec<&str> = named.map(|one| one.reason.as_str()).collect();
    assert!(named.len() == 1 && named[0].contains("how many vCPUs its type has"), "{named:?}");
}

#[test]
fn a_key_pays_for_its_first_two_rotations() {
    let of = |lines: &str, months: u32| {
        let text = format!("\n[keys.main]\n{lines}\n\n[usage]\nage_months = {months}\n");
        let bill = bill(&text);
        costs_of(&bill, "kms.key/main", &["key", "older material"]).0
    };
    assert_eq!(of("rotation = false", 36), d("1"));
    // The material changes after each 365 days: 11 months are 334 days.
    assert_eq!(of("rotation = true", 11), d("1"));
    assert_eq!(of("rotation = true", 12), d("2"));
    assert_eq!(of("rotation = true", 24), d("3"));
    assert_eq!(of("rotation = true", 120), d("3"));
    assert_eq!(of("rotation = true\nrotation_days = 90", 3), d("2"));
    assert_eq!(of("rotation = true\nrotation_days = 90", 12), d("3"));
}

#[test]
fn a_fleet_in_public_subnets_pays_for_its_addresses() {
    let of = |subnets: &str| {
        let text = format!(
            r#"
[network]
cidr = "10.0.0.0/16"
zones = 2
public_subnets = true
nat = {{ kind = "none" }}

[security_groups.all]
description = "All"
egress = "all"

[fleets.workers]
instance_type = "t4g.micro"
min = 2
max = 20
subnets = "{subnets}"
security_groups = ["all"]
scaling = {{ cpu = 50 }}
"#
        );
        let what = ["public addresses", "public addresses by load"];
        costs_of(&bill(&text), "autoscaling.group/workers", &what)
    };
    // Two addresses at 730 x 0.005 dollars, and two more on average: 20 / 5 = 4.
    assert_eq!(of("public"), (d("7.3"), d("7.3")));
    assert_eq!(of("private"), (d("0"), d("0")));
}

#[test]
fn enhanced_container_insights_counts_down_to_tasks_and_containers() {
    let of = |lines: &str| {
        let text = format!(
            r#"
[network]
cidr = "10.0.0.0/16"
zones = 2
nat = {{ kind = "none" }}

[security_groups.all]
description = "All"
egress = "all"

[clusters.main]
insights = "enhanced"

[services.web]
cluster = "main"
image = "example.com/web:1"
subnets = "private"
security_groups = ["all"]
{lines}
"#
        );
        let what = ["Container Insights", "Container Insights by load"];
        costs_of(&bill(&text), "ecs.cluster/main", &what)
    };
    // 25 of the cluster, 37 of the service and 14 of its container; each of two tasks 32 and 14: 168 metrics.
    assert_eq!(of("desired = 2"), (d("168") * d("0.07"), d("0")));
    // With a health check one more of the cluster, two of the container, and two in each task: 175.
    let health = "desired = 2\nhealth = { command = \"true\" }";
    assert_eq!(of(health), (d("175") * d("0.07"), d("0")));
    // Of at most 20 tasks 4 run on average, two more than the least.
    let scaling = "scaling = { min = 2, max = 20, cpu = 50 }";
    let (fixed, more) = of(scaling);
    assert_eq!((fixed, more), (d("11.76"), (d("92") * d("0.07")).normalize()));
}

#[test]
fn each_storage_class_has_one_line_and_objects_only_get_colder() {
    let of = |rules: &str| {
        let text = format!(
            "\n[buckets.a]\n{rules}\n\n[usage]\nitem_kb = 1024\nage_months = 10\n\n[usage.resources.\"s3.bucket/a\"]\nputs = 1024\ngb = 1\n"
        );
        let bill = bill(&text);
        let lines = bill.items.into_iter().filter(|item| item.what.starts_with("storage, "));
        let lines: Vec<(String, Decimal)> =
            lines.map(|item| (item.what, round(item.quantity, 6).normalize())).collect();
        lines
    };
    // 1024 objects of 1 MB and 1 GB of logs: 2 GB a month, for ten months.
    assert_eq!(of(""), [("storage, STANDARD".to_owned(), d("20"))]);
    // 73 days are 2.4 months.
    let glacier =
        [("storage, GLACIER".to_owned(), d("15.2")), ("storage, STANDARD".to_owned(), d("4.8"))];
    let rule = |name: &str, moves: &str| {
        format!("[buckets.a.lifecycle.{name}]\ntransitions = {{ {moves} }}\n")
    };
    assert_eq!(of(&rule("cold", "GLACIER = 73")), glacier);
    // Two rules that move to one class, and one that would warm up again.
    let both = rule("cold", "GLACIER = 73") + &rule("later", "GLACIER = 146");
    assert_eq!(of(&both), glacier);
    let back = rule("cold", "GLACIER = 73") + &rule("later", "STANDARD_IA = 146");
    assert_eq!(of(&back), glacier);
}

#[test]
fn a_metric_of_a_log_costs_while_the_log_is_written() {
    let of = |payments: u32| {
        let text = format!(
            r#"
[roles.pay]
services = "lambda.amazonaws.com"

[functions.pay]
source = "code"
runtime = "python3.13"
role = "pay"

[apis.pay.routes."POST /pay"]
function = "pay"

[metric_filters.declined]
log_group = "functions.pay"
namespace = "Payments"
metric = "Declined"

[usage]
payments_per_month = {payments}
"#
        );
        costs_of(&bill(&text), "logs.metric_filter/declined", &["metric"]).1
    };
    assert_eq!(of(1000), d("0.3"));
    assert_eq!(of(0), d("0"));
}

/// An API that the config no longer has still leads to its functions: AWS names them in the middle of a text.
#[test]
fn a_live_api_passes_its_load_on() {
    let (blueprint, assume) = built(&format!(
        "{HEAD}\n[roles.pay]\nservices = \"lambda.amazonaws.com\"\n\n[functions.pay]\nsource = \"code\"\nruntime = \"python3.13\"\nrole = \"pay\"\n\n[apis.pay.routes.\"POST /pay\"]\nfunction = \"pay\"\n"
    ));
    let specs = specs(&blueprint);
    let (live, known) = crate::random_bills::as_live(&blueprint);
    let api = Address::new("apigateway.rest_api", "pay");
    let uri = live[&api].to_string();
    assert!(uri.contains("path/2015-03-31/functions/arn:"), "{uri}");
    let read: Resources = live
        .iter()
        .map(|(address, spec)| {
            (address.clone(), costs::with_references(&address.kind, spec, &known))
        })
        .collect();
    let prices = Prices::shipped("us-east-1").expect("a table");
    let of = |resources: &Resources| costs::bill(resources, &assume, &prices);
    assert_eq!(of(&read), of(&specs));
    let runs = line(&of(&read), "lambda.function/pay", "requests").quantity;
    assert_eq!(runs.normalize(), d("100000"));
}

/// What a destroy leaves: the snapshot of a database, and the key without which nobody could read it.
#[test]
fn a_plan_and_a_receipt_say_what_stays_and_costs() {
    let lines = r#"serverless = { min = 0.5, max = 1 }
instances = [{ class = "db.serverless" }]
key = "main"
final_snapshot = true
deletion_protection = false

[keys.main]
rotation = false

[usage.resources."rds.cluster/pay"]
stored_gb = 100
"#;
    let applied = || {
        let folder = Folder::empty();
        folder.write("config/dev.toml", &format!("{HEAD}{}", database(lines)));
        folder.cost("apply --env dev --auto-approve").expect(0, "an apply");
        folder
    };
    let folder = applied();
    assert_eq!(json_of(&folder.cost("plan --env dev"))["cost"].get("stays"), None);
    let plan = json_of(&folder.cost("plan --env dev --destroy"));
    let stays = &plan["cost"]["stays"];
    // 100 GB at 0.021 dollars, and a key.
    assert_eq!(stays["monthly"].to_string(), "3.1", "{stays}");
    let whats = stays["items"].as_array().expect("items").iter();
    let whats: Vec<String> = whats
        .map(|item| format!("{} {}", item["what"].as_str().expect("text"), item["monthly"]))
        .collect();
    assert_eq!(whats, ["final snapshot 2.1", "key of a snapshot 1"]);
    let said = "hat stays costs about 3.10 USD a month until you delete it: rds.cluster/pay (final snapshot 2.10), kms.key/main (key of a snapshot 1.00)";
    let text = ended(&mut folder.payctl("plan --env dev --destroy --sandbox")).out;
    assert!(text.contains(said), "{text}");
    let page =
        ended(&mut folder.payctl("plan --env dev --destroy --sandbox --format markdown")).out;
    assert!(page.contains(said), "{page}");
    let destroy = "destroy --env dev --auto-approve --allow-data-loss";
    let gone = folder.cost(destroy);
    gone.expect(0, "a destroy");
    let verified = gone.out.lines().find(|line| line.contains("\"type\":\"verified\""));
    let verified: Value = serde_json::from_str(verified.expect("a receipt")).expect("JSON");
    assert_eq!(verified["stays"]["monthly"].to_string(), "3.1", "{verified}");
    let gone = ended(&mut applied().payctl(&format!("{destroy} --sandbox")));
    gone.expect(0, "a destroy");
    assert!(gone.err.contains(&format!("W{said}")), "{}", gone.err);
}
