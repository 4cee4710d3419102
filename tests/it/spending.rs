//! Prices, measures and costs from AWS: its price list, CloudWatch and Cost Explorer.

use std::collections::BTreeMap;
use std::fs;

use payctl::aws::clients::{Aws, Connection};
use payctl::aws::measured::{self, Gauge, How, Object, Window};
use payctl::aws::pricing::{self, Listed};
use payctl_engine::model::address::Address;
use payctl_money::load::Driver;
use payctl_money::meters;
use payctl_money::prices::{Prices, REGIONS};
use payctl_money::{Decimal, decimal};
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::cli_support::{Folder, Ran, ended};
use crate::support::{block_on, sandboxed};

fn d(text: &str) -> Decimal {
    decimal(text).unwrap_or_else(|| panic!("{text} is not a number"))
}

fn number(value: &Value) -> Decimal {
    d(&value.to_string())
}

#[test]
fn the_list_has_each_price_of_the_tables() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        for region in REGIONS {
            let connection = Connection { region: Some(region.into()), ..sandboxed(&sandbox) };
            let aws = Box::pin(Aws::connect(&connection, "shop", "dev")).await.expect("clients");
            let Listed { prices, missing } =
                pricing::listed(&aws, region).await.unwrap_or_else(|error| panic!("{error}"));
            let shipped = Prices::shipped(region).expect("a table");
            for (meter, price) in shipped.iter() {
                let listed = prices.get(meter).unwrap_or_else(|| panic!("{region} {meter}"));
                assert_eq!(listed.tiers, price.tiers, "{region} {meter}");
                assert!(listed.source.starts_with("AWS Price List: "), "{}", listed.source);
            }
            assert_eq!(prices.iter().count(), shipped.iter().count(), "{region}");
            let all = meters::all().iter().filter(|(_, meter)| meter.unlisted.is_none());
            let unknown = all.map(|(name, _)| name).filter(|name| shipped.get(name).is_none());
            assert_eq!(missing, unknown.cloned().collect::<Vec<_>>(), "{region}");
        }
    });
}

#[test]
fn figures_of_cloudwatch_become_the_load_of_a_month() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let connection = sandboxed(&sandbox);
        let aws = Box::pin(Aws::connect(&connection, "shop", "dev")).await.expect("clients");
        let now = OffsetDateTime::now_utc();
        let days_ago = |days: i64| (now - Duration::days(days)).unix_timestamp();
        let put = |metric: &str, days: i64, values: Value, counts: Value| {
            let input = json!({ "Namespace": "AWS/Lambda", "MetricData": [{
                "MetricName": metric, "Timestamp": days_ago(days), "Values": values, "Counts": counts,
                "Dimensions": [{ "Name": "FunctionName", "Value": "f" }] }] });
            assert!(sandbox.measure("us-east-1", &input).expect("a sandbox"), "{input}");
        };
        put("Invocations", 1, json!([1]), json!([100]));
        put("Invocations", 3, json!([1]), json!([300]));
        put("Duration", 1, json!([50]), json!([100]));
        put("Duration", 3, json!([90]), json!([300]));
        // Before the time that is asked for.
        put("Invocations", 12, json!([1]), json!([5000]));
        let of = |driver, metrics| {
            Gauge::sum(driver, "AWS/Lambda", metrics, vec![("FunctionName", "f".to_owned())])
        };
        let gauges = vec![
            of(Driver::Calls, &["Invocations"]),
            Gauge { how: How::Mean, ..of(Driver::Milliseconds, &["Duration"]) },
            of(Driver::Messages, &["Nothing"]),
        ];
        let address = Address::new("lambda.function", "f");
        let created = Some(now - Duration::hours(73));
        let objects = [Object { address, created, gauges }];
        let window = Window::of(now, 10);
        let (readings, metrics) = measured::read(&aws, &objects, window).await.expect("readings");
        let found: Vec<_> = readings.iter().map(|one| (one.quantity, one.has_values)).collect();
        // 400 runs in 73 hours are 4,000 in a month; 32,000 ms of 400 runs.
        let near = (window.until - (now - Duration::hours(73))).whole_seconds();
        let calls = d("400") * d("730") * d("3600") / Decimal::from(near);
        assert_eq!(found, [(Some(calls), true), (Some(d("80")), true), (Some(d("0")), false)]);
        assert_eq!(metrics, 4);
    });
}

const SHOP: &str = "project = \"shop\"\nregion = \"us-east-1\"\ndisposable = true\n\n[tables.carts]\npartition_key = \"id:S\"\npoint_in_time_recovery = false\n\n[queues.jobs]\n\n[outputs]\ncarts = \"${tables.carts.name}\"\n";

/// A load, so that the table costs something.
const USAGE: &str =
    "\n[usage.resources.\"dynamodb.table/carts\"]\nwrites = 1_000_000\nstored_gb = 4\n";

fn shop() -> Folder {
    let folder = Folder::empty();
    folder.write("config/dev.toml", SHOP);
    folder
}

impl Folder {
    /// `payctl LINE --sandbox --json` with the policy of `policy --for cost`, less some actions.
    fn with_cost_policy(&self, line: &str, without: Option<&str>) -> Ran {
        let policy = self.policy_without("cost", "dev", without.unwrap_or("none"));
        let mut command = self.payctl(&format!("{line} --sandbox --json"));
        ended(command.env("PAYCTL_SANDBOX_POLICY", policy))
    }

    fn sandbox(&self) -> Sandbox {
        Sandbox::open(&self.path(".payctl/sandbox")).expect("a sandbox")
    }
}

fn json_of(ran: &Ran) -> Value {
    ran.expect(0, "a command");
    let first = ran.out.lines().next().expect("a line");
    serde_json::from_str(first).expect("a JSON line")
}

#[test]
fn prices_update_writes_a_file_that_costs_are_computed_from() {
    let folder = shop();
    folder.write("config/dev.toml", &format!("{SHOP}{USAGE}"));
    let total = json_of(&folder.with_cost_policy("cost --env dev", None))["total_monthly"].clone();
    let live = json_of(&folder.with_cost_policy("cost --env dev --live-prices", None));
    assert_eq!(live["total_monthly"], total);
    let source = live["items"][0]["source"].as_str().expect("a source");
    assert!(source.starts_with("AWS Price List: "), "{source}");
    let denied =
        folder.with_cost_policy("cost --env dev --live-prices", Some("pricing:GetProducts"));
    denied.expect(1, "without the permission");
    assert!(denied.err.contains("cannot read AWS's price list"), "{}", denied.err);

    let line = "prices update --region us-east-1 --out prices.toml";
    let updated = json_of(&folder.with_cost_policy(line, None));
    assert_eq!((&updated["changed"], &updated["missing"]), (&json!([]), &json!([])));
    assert_eq!(
        (&updated["is_written"], &updated["compared_with"]),
        (&json!(true), &json!("payctl"))
    );
    let text = fs::read_to_string(folder.path("prices.toml")).expect("the file");
    assert!(text.contains("[prices.\"nat.hours\"]\nprice = \"0.045\"\n"), "{text}");
    let cost = json_of(&folder.with_cost_policy("cost --env dev --prices prices.toml", None));
    assert_eq!(cost["total_monthly"], total);
    assert!(cost["unverified"].as_array().expect("meters").is_empty());
    // Without a file, the text is the data.
    let shown = ended(&mut folder.payctl("prices update --region us-east-1 --sandbox"));
    shown.expect(0, "without --out");
    assert_eq!(shown.out, text);
    assert!(shown.err.contains("Compared with payctl: 0 new, 0 changed, 0 gone"), "{}", shown.err);
    // A place that cannot be written leaves everything as it is.
    let line = "prices update --region us-east-1 --out config --sandbox";
    ended(&mut folder.payctl(line)).expect(1, "a folder");
    let unknown = ended(&mut folder.payctl("prices update --region xx-west-9 --sandbox"));
    unknown.expect(1, "an unknown region");
    assert!(unknown.err.contains("how the price list names usage in xx-west-9"), "{}", unknown.err);
}

#[test]
fn a_plan_and_an_apply_take_the_prices_of_the_list() {
    let folder = shop();
    for line in ["plan", "apply --auto-approve"] {
        let line = format!("{line} --env dev --sandbox --live-prices -v");
        let ran = ended(&mut folder.payctl(&line));
        ran.expect(0, &line);
        assert!(ran.err.contains("Pricing.GetProducts"), "{line}: {}", ran.err);
    }
    let without = ended(&mut folder.payctl("plan --env dev --sandbox -v"));
    assert!(!without.err.contains("Pricing.GetProducts"), "{}", without.err);
}

#[test]
fn measures_take_the_place_of_the_assumptions() {
    let folder = shop();
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    // The window ends before the second in which it is read.
    let now = OffsetDateTime::now_utc().unix_timestamp() - 1;
    let outputs = folder.expect(0, "outputs --env dev --sandbox --json").out;
    let table = outputs.split('"').find(|part| part.starts_with("dev-shop-"));
    let table = table.unwrap_or_else(|| panic!("no table in {outputs}"));
    let input = json!({ "Namespace": "AWS/DynamoDB", "MetricData": [{
        "MetricName": "ConsumedWriteCapacityUnits", "Timestamp": now, "Values": [1], "Counts": [2000000],
        "Dimensions": [{ "Name": "TableName", "Value": table }] }] });
    assert!(folder.sandbox().measure("us-east-1", &input).expect("a sandbox"));
    let assumed = json_of(&folder.with_cost_policy("cost --env dev", None));
    let cost = json_of(&folder.with_cost_policy("cost --env dev --measured 10d", None));
    let load = cost["measured"]["load"].as_array().expect("the load");
    let of = |address: &str, driver: &str| {
        let found = load.iter().find(|one| one["address"] == address && one["driver"] == driver);
        found.unwrap_or_else(|| panic!("no {address} {driver} in {load:?}"))
    };
    let writes = of("dynamodb.table/carts", "writes");
    // 2 million in ten days and what has passed of today.
    let month = number(&writes["measured"]);
    assert!(month > d("2000000") * d("730") / d("264.1") && month <= d("6083334"), "{month}");
    assert_eq!((&writes["has_values"], writes["assumed"].to_string()), (&json!(true), "0".into()));
    let jobs = of("sqs.queue/jobs", "messages");
    assert_eq!((&jobs["has_values"], jobs["measured"].to_string()), (&json!(false), "0".into()));
    let items = cost["items"].as_array().expect("items");
    let item = items.iter().find(|item| item["what"] == "writes").expect("the writes");
    assert_eq!(number(&item["quantity"]), month);
    // The bill is the one as measured, and the assumption stands beside it.
    let total = &cost["measured"]["total"];
    assert_eq!(
        (&total["assumed"], &total["measured"]),
        (&assumed["total_monthly"], &cost["total_monthly"])
    );
    let line = "cost --env dev --measured 10d";
    let text = ended(&mut folder.payctl(&format!("{line} --sandbox"))).out;
    for part in ["Load, measured over 1", "Items that differ, in USD", "CloudWatch was asked for "]
    {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    let denied = folder.with_cost_policy(line, Some("cloudwatch:GetMetricData"));
    denied.expect(1, "without the permission");
    folder.expect(1, "cost --env dev --measured 10 --sandbox");
}

fn tags(env: &str) -> BTreeMap<String, String> {
    let tags = [("payctl:project", "shop"), ("payctl:env", env), ("payctl:region", "us-east-1")];
    tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

#[test]
fn actual_costs_stand_beside_the_estimate_and_nothing_is_hidden() {
    let folder = shop();
    let line = "cost --env dev --actual 30d";
    folder.expect(0, "sandbox status");
    let sandbox = folder.sandbox();
    let inactive = folder.with_cost_policy(line, None);
    inactive.expect(1, "no tag is active");
    let call = "aws ce update-cost-allocation-tags-status --cost-allocation-tags-status \
                TagKey=payctl:project,Status=Active TagKey=payctl:env,Status=Active \
                TagKey=payctl:region,Status=Active";
    assert!(inactive.err.contains(call), "{}", inactive.err);
    for key in ["payctl:project", "payctl:env", "payctl:region"] {
        sandbox.set_allocation_tag(key, Some("2026-01-01")).expect("a sandbox");
    }
    let today = OffsetDateTime::now_utc().date();
    let day = |ago: i64| (today - Duration::days(ago)).to_string();
    let put = |ago: i64, service: &str, usage: &str, env: &str, amount: &str| {
        sandbox.state_cost(&day(ago), (service, usage), &tags(env), amount).expect("a sandbox");
    };
    put(1, "Amazon DynamoDB", "WriteRequestUnits", "dev", "0.25");
    put(29, "Amazon DynamoDB", "WriteRequestUnits", "dev", "1");
    put(31, "Amazon DynamoDB", "WriteRequestUnits", "dev", "64");
    put(0, "Amazon DynamoDB", "WriteRequestUnits", "dev", "128");
    put(2, "Amazon DynamoDB", "WriteRequestUnits", "prod", "256");
    put(2, "AWS Config", "USE1-ConfigurationItemRecorded", "dev", "0.5");
    folder.write("config/dev.toml", &format!("{SHOP}{USAGE}"));
    let cost = json_of(&folder.with_cost_policy(line, None));
    let actual = &cost["actual"];
    let lines = actual["lines"].as_array().expect("lines");
    let of = |what: &str| {
        let found = lines.iter().find(|line| line["what"] == what);
        found.unwrap_or_else(|| panic!("no {what} in {actual:#}"))
    };
    // 30 days are 720 of 730 hours: 0.625 a month is 0.616438.
    let writes = of("Amazon DynamoDB: WriteRequestUnits");
    assert_eq!(
        (writes["estimated"].to_string(), writes["actual"].to_string()),
        ("0.616438".into(), "1.25".into())
    );
    assert_eq!(
        (&writes["sides"], &writes["addresses"]),
        (&json!("both"), &json!(["dynamodb.table/carts"]))
    );
    let other = of("AWS Config: USE1-ConfigurationItemRecorded");
    assert_eq!((&other["sides"], other["actual"].to_string()), (&json!("actual"), "0.5".into()));
    assert_eq!(of("Amazon DynamoDB: TimedStorage-ByteHrs")["sides"], "estimated");
    assert_eq!((actual["actual"].to_string(), &actual["requests"]), ("1.75".into(), &json!(2)));
    let text = ended(&mut folder.payctl(&format!("{line} --sandbox")));
    assert!(text.out.contains("not in the estimate"), "{}", text.out);
    assert!(text.out.contains("Cost Explorer was asked 2 times, for 0.02 USD."), "{}", text.out);
    assert!(text.err.contains("AWS charges 0.01 USD for each request"), "{}", text.err);
    for action in ["ce:GetCostAndUsage", "ce:ListCostAllocationTags"] {
        let ran = folder.with_cost_policy(line, Some(action));
        // Without a look at the tags, the cost is shown with a doubt.
        let code = if action == "ce:GetCostAndUsage" { 1 } else { 0 };
        ran.expect(code, action);
        assert!(
            code == 1 || ran.out.contains("Not verified: whether the cost allocation tags"),
            "{}",
            ran.out
        );
    }
    // The tags tell costs apart from their activation on.
    sandbox.set_allocation_tag("payctl:env", Some(&day(10))).expect("a sandbox");
    let cost = json_of(&folder.with_cost_policy(line, None));
    assert_eq!(
        (&cost["actual"]["from"], cost["actual"]["actual"].to_string()),
        (&json!(day(10)), "0.75".into())
    );
}
