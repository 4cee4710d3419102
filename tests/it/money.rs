//! How money is shown: missing prices, comparisons, files of prices, parts, and regions without prices.

use std::fs;

use serde_json::{Value, json};

use crate::cli_support::{Folder, Ran, ended};
use crate::cost::json_of;

/// A table, and a NAT gateway with its address.
const SHOP: &str = "project = \"shop\"\nregion = \"us-east-1\"\ndisposable = true\n\n[tables.carts]\npartition_key = \"id:S\"\npoint_in_time_recovery = false\n";
const NAT: &str =
    "\n[network]\ncidr = \"10.0.0.0/16\"\nzones = 2\nnat = { kind = \"gateway\", count = 1 }\n";
/// 100 text messages, which have no price.
const SMS: &str = "\n[topics.alerts]\nsubscriptions = [{ protocol = \"sms\", endpoint = \"+4915123456789\" }]\n\n[usage.resources.\"sns.topic/alerts\"]\nmessages = 100\n";
/// 4 million writes at 0.625 dollars a million, and 10 GB at 0.25.
const LOAD: &str =
    "\n[usage.resources.\"dynamodb.table/carts\"]\nwrites = 4_000_000\nstored_gb = 10\n";

fn said(folder: &Folder, line: &str) -> Ran {
    let ran = ended(&mut folder.payctl(&format!("{line} --sandbox")));
    ran.expect(0, line);
    ran
}

/// The cells of the line that begins with a word.
fn cells(text: &str, first: &str) -> Vec<String> {
    let line = text.lines().find(|line| line.trim_start().starts_with(first));
    let line = line.unwrap_or_else(|| panic!("no line with `{first}` in {text}"));
    let cells = line.trim().split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    cells.map(str::to_owned).collect()
}

fn of<'a>(rows: &'a Value, key: &str, value: &str) -> &'a Value {
    let found = rows.as_array().and_then(|rows| rows.iter().find(|row| row[key] == value));
    found.unwrap_or_else(|| panic!("no {key} {value} in {rows:#}"))
}

#[test]
fn a_price_that_is_missing_on_one_side_is_no_saving() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", &format!("{SHOP}{NAT}"));
    folder.write("config/loud.toml", &format!("{SHOP}{NAT}{SMS}"));
    // The side with the load of the topic is asked about, so that both have it.
    let cost = json_of(&folder.cost("cost --env loud --against dev"));
    let total = &cost["baseline"]["total"];
    // 730 hours of a gateway and of its address, on both sides.
    assert_eq!(
        (total["before"].to_string(), total["after"].to_string()),
        ("36.5".into(), "36.5".into())
    );
    assert_eq!((&total["saved"], &total["percent"]), (&Value::Null, &Value::Null));
    assert_eq!(total["unpriced"], json!({ "before": 0, "after": 1 }));
    let item = of(&cost["baseline"]["items"], "what", "text messages");
    let number = "sns.subscription/alerts.sms.+4915123456789";
    assert_eq!((&item["address"], &item["after"]), (&json!(number), &Value::Null));
    assert_eq!((&item["before"].to_string(), &item["saved"]), (&"0".to_owned(), &Value::Null));
    let text = said(&folder, "cost --env loud --against dev -v").out;
    let row = cells(text.split("Items that differ").nth(1).expect("the items"), number);
    assert_eq!(row, [number, "text messages", "0.00", "no price", "-"]);
    assert!(text.contains("total is incomplete: 1 item without a price after."), "{text}");
    assert!(text.contains("incomplete: 1 item without a price\n"), "the sums: {text}");
    let markdown = said(&folder, "cost --env loud --against dev --format markdown").out;
    let row =
        "| sns.subscription/alerts.sms.+4915123456789 | text messages | 0.00 | no price | - |  |";
    assert!(markdown.contains(row), "{markdown}");
    assert!(markdown.contains("total is incomplete: 1 item without a price after."), "{markdown}");
    // The other way round, the side is another one.
    folder.write(
        "config/loud.toml",
        &format!("{SHOP}{NAT}{}", SMS.split("\n[usage").next().unwrap_or("")),
    );
    let usage = SMS.replace("subscriptions", "# subscriptions");
    folder.write("config/dev.toml", &format!("{SHOP}{NAT}{usage}"));
    let text = said(&folder, "cost --env dev --against loud").out;
    assert!(text.contains("total is incomplete: 1 item without a price before."), "{text}");
    assert!(text.contains("Not in the sums of loud, without a price"), "{text}");
}

#[test]
fn a_comparison_counts_by_component_and_shows_each_item_with_v() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", &format!("{SHOP}{NAT}{LOAD}"));
    folder.write("config/prod.toml", &format!("{SHOP}{NAT}").replace("count = 1", "count = 2"));
    let line = "cost --env dev --against prod";
    let short = said(&folder, line).out;
    // Two gateways with an address each, or one. The items of the second one differ.
    let row = ["network", "73.00", "36.50", "36.50", "50", "2"];
    let compared = |text: &str| text.split("Compared with prod").nth(1).expect("a part").to_owned();
    assert_eq!(cells(&compared(&short), "network"), row);
    assert!(!short.contains("Items"), "{short}");
    assert!(short.contains("-v shows each item"), "{short}");
    let long = said(&folder, &format!("{line} -v")).out;
    let items = long.split("Items that differ").nth(1).expect("the items");
    let gateway = cells(items, "ec2.nat_gateway/");
    // 730 x 0.045.
    assert_eq!(gateway[2..], ["32.85", "0.00", "32.85", "100"]);
    let cost = json_of(&folder.cost(line));
    let items = cost["baseline"]["items"].as_array().expect("items");
    assert_eq!(items.len(), 2, "{items:?}");
    for key in ["address", "component", "what", "before", "after", "saved", "percent"] {
        assert!(items.iter().all(|item| !item[key].is_null()), "{key}: {items:?}");
    }
    let markdown = said(&folder, &format!("{line} --format markdown")).out;
    assert!(markdown.contains("| network | 73.00 | 36.50 | 36.50 | 50 | 2 |"), "{markdown}");
    assert!(markdown.contains("2 items that differ"), "{markdown}");
    assert!(markdown.contains("| 32.85 | 0.00 | 32.85 | 100 |"), "{markdown}");
}

/// 730 hours of a gateway and of its address cost 36.50 dollars.
#[test]
fn a_budget_is_compared_in_cents_everywhere() {
    let folder = Folder::empty();
    let of = |budget: &str| {
        folder.write("config/dev.toml", &format!("{SHOP}{NAT}\n[budget]\nmonthly = {budget}\n"));
        said(&folder, "plan --env dev").out
    };
    for budget in ["36.50", "36.496", "40"] {
        let plan = of(budget);
        assert!(!plan.contains("budget"), "{budget}: {plan}");
        let json = json_of(&folder.cost("plan --env dev"));
        assert_eq!(json["cost"]["budget"]["over"], Value::Null, "{budget}");
    }
    let plan = of("36.49");
    assert!(plan.contains(", 0.01 USD over its budget of 36.49 USD"), "{plan}");
    let json = json_of(&folder.cost("plan --env dev"));
    assert_eq!(json["cost"]["budget"]["over"].to_string(), "0.01");
    let apply = "apply --env dev --auto-approve";
    let refused = folder.cost(apply);
    refused.expect(6, "a cent over the budget");
    let why = "would cost 36.50 USD a month, 0.01 USD over its budget of 36.49 USD";
    assert!(refused.err.contains(why), "{}", refused.err);
    let allowed = folder.cost(&format!("{apply} --over-budget launch"));
    allowed.expect(0, "with a reason");
    assert!(allowed.out.contains(r#""over":0.01"#), "{}", allowed.out);
    of("36.496");
    folder.cost("destroy --env dev --auto-approve").expect(0, "a destroy");
    folder.cost(apply).expect(0, "36.496 is 36.50");
}

#[test]
fn negotiated_prices_are_named_with_their_date_in_every_output() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", &format!("{SHOP}{NAT}"));
    let own = "region = \"us-east-1\"\n[prices]\n\"nat.hours\" = { price = \"0.01\", date = \"2026-11-01\" }\n";
    folder.write("own.toml", own);
    let cost = json_of(&folder.cost("cost --env dev --prices own.toml"));
    let file =
        json!([{ "name": "own.toml", "date": "2026-11-01", "items": 1, "meters": ["nat.hours"] }]);
    assert_eq!(cost["prices"], file);
    let of_file: Vec<&Value> = cost["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter(|item| item["priced_by"] == "own.toml")
        .map(|item| &item["meter"])
        .collect();
    assert_eq!(of_file, [&json!("nat.hours")]);
    let other = of(&cost["items"], "meter", "ipv4.hours");
    assert_eq!(other["priced_by"], Value::Null);
    let table = other["date"].as_str().expect("a date").to_owned();
    for form in ["text", "markdown"] {
        let text = said(&folder, &format!("cost --env dev --prices own.toml --format {form}")).out;
        assert!(text.contains("Prices of own.toml (2026-11-01): 1 item."), "{text}");
        assert!(text.contains(&format!("the oldest date of one is {table}.")), "{text}");
        let line = text.lines().find(|line| line.contains("x 0.01 ")).expect("the item");
        assert!(line.contains("price of own.toml"), "{line}");
    }
    let block =
        format!("prices of own.toml (2026-11-01): nat.hours; the others of payctl ({table})");
    let plan = "plan --env dev --prices own.toml";
    assert!(said(&folder, plan).out.contains(&block));
    assert!(said(&folder, &format!("{plan} --format markdown")).out.contains("prices of own.toml"));
    assert_eq!(json_of(&folder.cost(plan))["cost"]["prices"], file);
    said(&folder, &format!("{plan} --html plan.html"));
    let page = fs::read_to_string(folder.path("plan.html")).expect("a page");
    assert!(page.contains(&block), "the page");
}

#[test]
fn a_file_of_prices_with_a_doubtful_date_is_named_once() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", &format!("{SHOP}{NAT}"));
    let of = |date: &str| {
        let rows = ["nat.hours", "nat.gb"]
            .map(|meter| format!("\"{meter}\" = {{ price = \"0.01\", date = \"{date}\" }}\n"));
        folder.write("own.toml", &format!("region = \"us-east-1\"\n[prices]\n{}", rows.concat()));
        ["cost --env dev", "plan --env dev"]
            .map(|line| said(&folder, &format!("{line} --prices own.toml")).err)
    };
    let today = time::OffsetDateTime::now_utc().date();
    let days = |days: i64| (today + time::Duration::days(days)).to_string();
    for err in of(&days(-179)) {
        assert!(!err.contains("own.toml"), "{err}");
    }
    for (date, why) in [(days(-181), "more than 180 days old"), (days(2), "in the future")] {
        for err in of(&date) {
            assert!(
                err.contains(&format!("warning: own.toml has a price of {date}, which is ")),
                "{err}"
            );
            assert!(err.contains(why), "{err}");
            assert_eq!(err.matches("warning: own.toml").count(), 1, "{err}");
        }
    }
}

#[test]
fn a_target_has_the_bill_of_its_part() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", &format!("{SHOP}{NAT}{LOAD}"));
    let cost = json_of(&folder.cost("cost --env dev --target dynamodb.table/carts"));
    // 4 x 0.625 for writes and 10 x 0.25 for storage.
    assert_eq!(cost["total_monthly"].to_string(), "5");
    assert_eq!(cost["targets"], json!(["dynamodb.table/carts"]));
    let items = cost["items"].as_array().expect("items");
    assert!(items.iter().all(|item| item["address"] == "dynamodb.table/carts"), "{items:?}");
    // A kind is a target too, as in a plan, and parts add up.
    let rest =
        json_of(&folder.cost("cost --env dev --target ec2.nat_gateway --target ec2.elastic_ip"));
    assert_eq!(rest["total_monthly"].to_string(), "36.5");
    let whole = json_of(&folder.cost("cost --env dev"));
    assert_eq!(whole["total_monthly"].to_string(), "41.5");
    assert_eq!(whole.get("targets"), None);
    let text = said(&folder, "cost --env dev --target dynamodb.table/carts").out;
    assert!(text.contains("Cost of dynamodb.table/carts of shop dev in us-east-1"), "{text}");
    let unknown = folder.cost("cost --env dev --target dynamodb.table/cart");
    unknown.expect(1, "an unknown address");
    assert!(
        unknown.err.contains("no resource matches the target `dynamodb.table/cart`"),
        "{}",
        unknown.err
    );
    assert!(unknown.err.contains("did you mean dynamodb.table/carts"), "{}", unknown.err);
    folder.cost("cost --env dev --target sqs.queue/jobs").expect(1, "no such queue");
    folder.cost("cost --env dev --target dynamodb.table/carts --advise").expect(1, "a whole only");
}

#[test]
fn a_region_without_prices_says_so_instead_of_0() {
    let folder = Folder::empty();
    let elsewhere = SHOP.replace("us-east-1", "sa-east-1");
    folder.write("config/dev.toml", &format!("{elsewhere}{NAT}{LOAD}"));
    let next = "payctl prices update --region sa-east-1";
    for form in ["text", "markdown"] {
        let text = said(&folder, &format!("cost --env dev --format {form}")).out;
        let first = text.lines().next().expect("a line");
        assert!(
            first.ends_with("Cost of shop dev in sa-east-1: no prices for sa-east-1"),
            "{text}"
        );
        assert!(text.contains(next) && !text.contains("0.00"), "{text}");
        assert!(text.contains("no price of nat.hours in sa-east-1 is known"), "{text}");
    }
    let cost = json_of(&folder.cost("cost --env dev"));
    for sum in ["fixed_hourly", "fixed_monthly", "usage_monthly", "total_monthly"] {
        assert_eq!(cost[sum], Value::Null, "{sum}");
    }
    assert_eq!((&cost["is_complete"], &cost["items"]), (&json!(false), &json!([])));
    // The gateway's hours, its address, writes and storage.
    assert_eq!(cost["unpriced"].as_array().map(Vec::len), Some(4), "{cost}");
    let item = &cost["unpriced"][0];
    assert_eq!((&item["component"], &item["what"]), (&json!("tables"), &json!("storage")));
    for line in ["plan --env dev", "plan --env dev --format markdown"] {
        let plan = said(&folder, line).out;
        assert!(plan.contains("Cost: no prices for sa-east-1"), "{plan}");
        assert!(plan.contains(next), "{plan}");
    }
    let advised = said(&folder, "cost --env dev --advise").out;
    assert!(advised.contains("Without prices, payctl cannot compute savings."), "{advised}");
    // Beside a region with prices, nothing is saved.
    folder.write("config/prod.toml", &format!("{SHOP}{NAT}"));
    let sides = json_of(&folder.cost("cost --env prod --against dev"));
    assert_eq!(sides["baseline"]["total"]["before"], Value::Null);
    assert_eq!(sides["baseline"]["total"]["saved"], Value::Null);
    // The region is that of the environment, also where the environments are in several.
    json_of(&folder.cost("cost --env prod --live-prices"));
    // One price makes a sum, which is not complete.
    folder.write(
        "own.toml",
        "region = \"sa-east-1\"\n[prices]\n\"nat.hours\" = { price = \"0.1\" }\n",
    );
    let cost = json_of(&folder.cost("cost --env dev --prices own.toml"));
    assert_eq!(
        (cost["total_monthly"].to_string(), &cost["is_complete"]),
        ("73".into(), &json!(false))
    );
}

#[test]
fn only_what_is_deployed_is_measured() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", &format!("{SHOP}{LOAD}"));
    let line = "cost --env dev --measured 30d";
    let refused = folder.cost(line);
    refused.expect(1, "nothing is deployed");
    assert!(
        refused.err.contains("is not deployed, so there is nothing to measure"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("payctl apply --env dev"), "{}", refused.err);
    folder.cost("apply --env dev --auto-approve").expect(0, "an apply");
    let more = "\n[tables.orders]\npartition_key = \"id:S\"\npoint_in_time_recovery = false\n\n[usage.resources.\"dynamodb.table/orders\"]\nwrites = 4_000_000\n";
    folder.write("config/dev.toml", &format!("{SHOP}{LOAD}{more}"));
    let cost = json_of(&folder.cost(line));
    let gaps = cost["measured"]["gaps"].as_array().expect("gaps");
    let writes = gaps.iter().find(|gap| gap["driver"] == "writes").expect("a gap");
    assert_eq!(writes["address"], "dynamodb.table/orders");
    assert_eq!(
        (writes["assumed"].to_string(), &writes["why"]),
        ("4000000".into(), &json!("not deployed"))
    );
    assert!(gaps.iter().all(|gap| gap["address"] == "dynamodb.table/orders"), "{gaps:?}");
    // The table that is there had no writes; the other one costs what is assumed.
    let items = cost["items"].as_array().expect("items");
    let is_it =
        |item: &&Value| item["address"] == "dynamodb.table/orders" && item["what"] == "writes";
    // 4 million at 0.625 dollars a million.
    assert_eq!(items.iter().find(is_it).expect("the writes")["monthly"].to_string(), "2.5");
    let text = said(&folder, line).out;
    assert!(text.contains("not deployed: as assumed"), "{text}");
    assert!(text.contains("Not measured, so as assumed: dynamodb.table/orders."), "{text}");
}

#[test]
fn a_time_without_days_or_in_the_future_is_refused() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", SHOP);
    for flag in ["--measured", "--actual"] {
        for (time, why) in
            [("0d", "a time of 0 days"), ("-30d", "in the future"), ("30", "such as 30d")]
        {
            let ran = folder.cost(&format!("cost --env dev {flag} {time}"));
            assert_ne!(ran.code, Some(0), "{flag} {time}");
            assert!(ran.err.contains(why) || ran.out.contains(why), "{} {}", ran.out, ran.err);
        }
    }
}

#[test]
fn an_update_of_prices_says_what_it_changes_and_spares_the_file() {
    let folder = Folder::empty();
    let update = "prices update --region us-east-1 --out prices.toml";
    folder.cost(update).expect(0, "a new file");
    let read = || fs::read_to_string(folder.path("prices.toml")).expect("the file");
    let list = read();
    let again = json_of(&folder.cost(update));
    assert_eq!((&again["is_written"], &again["compared_with"]), (&json!(false), &json!("file")));
    let text = said(&folder, update).err;
    assert!(text.contains("prices.toml says the same already. Nothing was written."), "{text}");
    assert!(text.contains("0 new, 0 changed, 0 gone"), "{text}");
    // 0.05 to 0.045 dollars; a price that the list has and the file not; one that only the file has.
    folder.edit(
        "prices.toml",
        "[prices.\"nat.hours\"]\nprice = \"0.045\"",
        "[prices.\"nat.hours\"]\nprice = \"0.05\"",
    );
    folder.edit("prices.toml", "[prices.\"nat.gb\"]", "[prices.\"sns.sms\"]");
    let own = read();
    let shown = json_of(&folder.cost(&format!("{update} --dry-run")));
    assert_eq!(read(), own, "--dry-run writes nothing");
    assert_eq!(shown["is_written"], json!(false));
    let changed = of(&shown["changed"], "meter", "nat.hours");
    assert_eq!(
        (changed["percent"].to_string(), shown["changed"].as_array().map(Vec::len)),
        ("-10".into(), Some(1))
    );
    assert_eq!(shown["new"][0]["meter"], "nat.gb");
    assert_eq!(shown["gone"][0]["meter"], "sns.sms");
    let text = said(&folder, &format!("{update} --dry-run")).err;
    for part in [
        "Compared with the file: 1 new, 1 changed, 1 gone.",
        "nat.hours: 0.05 -> 0.045 USD (-10 %)",
        "nat.gb: new, 0.045 USD",
        "sns.sms: gone, was 0.045 USD",
        "Nothing was written, because of --dry-run.",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    // A refused call leaves the file as it is.
    folder.write("config/dev.toml", SHOP);
    let policy = folder.policy_without("cost", "dev", "pricing:GetProducts");
    let mut denied = folder.payctl(&format!("{update} --sandbox"));
    ended(denied.env("PAYCTL_SANDBOX_POLICY", policy)).expect(1, "without the permission");
    assert_eq!(read(), own);
    folder.cost(update).expect(0, "an update");
    assert_eq!(read(), list);
    // A file that is none of prices, or one of another region, is not replaced.
    for text in ["not a table", "region = \"eu-west-1\"\n[prices]\n"] {
        folder.write("prices.toml", text);
        let refused = folder.cost(update);
        refused.expect(1, text);
        assert!(refused.err.contains("prices.toml"), "{}", refused.err);
        assert_eq!(read(), text);
    }
    folder.cost("prices update --region us-east-1 --dry-run").expect(1, "no file to compare with");
}

/// A share of a cent is not nothing, and 1 is not many.
#[test]
fn small_and_large_amounts_are_what_they_are() {
    let folder = Folder::empty();
    let of = |writes: &str| {
        let load = format!(
            "\n[usage.resources.\"dynamodb.table/carts\"]\nwrites = {writes}\nstored_gb = 0\n"
        );
        folder.write("config/dev.toml", &format!("{SHOP}{load}"));
        said(&folder, "cost --env dev").out
    };
    // 1,000 x 0.000000625 dollars.
    let text = of("1_000");
    assert_eq!(cells(&text, "total"), ["total", "<0.01"]);
    assert_eq!(cells(&text, "tables"), ["tables", "<0.01"]);
    // 10^13 x 0.000000625; all amounts end at the same place.
    let text = of("1_000_000_000_000");
    assert_eq!(cells(&text, "total"), ["total", "625,000.00"]);
    folder.write(
        "config/dev.toml",
        &format!("{SHOP}\n[usage]\npayments_per_month = 1\nage_months = 1\nhours_per_month = 1\n"),
    );
    let text = said(&folder, "cost --env dev").out;
    for part in ["1 payment a month", "1 hour a month", "data of 1 month."] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
}
