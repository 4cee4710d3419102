//! Bad values of firewalls, events, threat detection and cost anomalies.

use super::check;

#[test]
fn what_waf_refuses_is_refused_here() {
    let firewall = |rest: &str| format!("[firewalls.main]\n{rest}");
    check(&firewall("rate_limit = 9"), "4:14 9 is out of range (10 to");
    check(&firewall("rate_limit = { limit = 100, window = 90 }"), "90 seconds are not possible");
    check(&firewall("description = \"ab\""), "`ab` has the wrong form (3 to 256 letters");
    check(&firewall("description = \"What's in\""), "has the wrong form (3 to 256 letters");
    check(&firewall("name = \"main\""), "`main` does not name the environment");
    check(&firewall("name = \"pay.dev\""), "`pay.dev` is not possible as a name (a web ACL's name");
    check(&firewall("metric = \"pay ments\""), "names in a web ACL are 1 to 128 letters");
    check(&firewall("metric = \"All\""), "4:10 this name is reserved");
    check(
        &firewall("rate_limit = { limit = 100, rule = \"Default_Action\" }"),
        "the name `Default_Action` is reserved",
    );
    check(
        &firewall("rate_limit = { limit = 100, priority = 2 }\nsql_injection = true"),
        "5:17 two rules have the priority 2",
    );
    check(
        &firewall("sql_injection = { rule = \"A\" }\ncross_site_scripting = { rule = \"A\" }"),
        "5:1 two rules are named `A`",
    );
    check(
        &firewall("managed = [\"AWSManagedRulesCommonRulSet\"]"),
        "AWS has no group `AWSManagedRulesCommonRulSet` (did you mean",
    );
    check(
        &firewall("managed = [\"AWSManagedRulesATPRuleSet\"]"),
        "needs settings that payctl cannot say",
    );
    check(
        &firewall("managed = [\"AWSManagedRulesAntiDDoSRuleSet\"]"),
        "needs settings that payctl",
    );
    check(
        &firewall("rate_limit = { limit = 100, action = \"allow\" }"),
        "a limit cannot let requests through (block, count",
    );
    check(
        &firewall("protects = [\"load_balancers.n\"]\n[load_balancers.n]\ntype = \"network\""),
        "4:12 `n` is a network load balancer",
    );
    check(&firewall("sql_injection = { transformations = [] }"), "0 items are not possible here");
    check(&firewall("sql_injection = { parts = [] }"), "0 items are not possible here");
    check(&firewall("sql_injection = { parts = [\"bdy\"] }"), "did you mean `body`");
    check(
        &firewall("cross_site_scripting = { sensitivity = \"high\" }"),
        "scripts are found without a sensitivity",
    );
    let same = |at: u32| {
        format!("{{ group = \"AWSManagedRulesCommonRuleSet\", rule = \"R{at}\", priority = {at} }}")
    };
    let many: Vec<String> = (1..=8).map(same).collect();
    let many = firewall(&format!("managed = [{}]", many.join(", ")));
    check(&many, "the rules need 5600 capacity units (WAF allows 5000");
    check(&firewall("protects = [\"queues.a\"]"), "write apis.NAME or load_balancers.NAME");
    check(&firewall("protects = [\"load_balancers.main\"]"), "no `main` in [load_balancers]");
    check(
        "[firewalls.a]\nprotects = [\"apis.x\"]\n[firewalls.b]\nprotects = [\"apis.x\"]",
        "`a` protects apis.x already",
    );
}

#[test]
fn what_eventbridge_refuses_is_refused_here() {
    let event = |rest: &str| format!("[events.a]\n{rest}");
    let pattern = "pattern = { source = [\"payment\"] }\n";
    check(&event("enabled = true"), "nothing says when this rule fires");
    check(&event("schedule = \"daily\""), "4:12 `daily` has the wrong form (a schedule looks like");
    check(&event("schedule = \"rate(1 days)\""), "4:12 `rate(1 days)` is no rate");
    check(&event("schedule = \"rate(5 minute)\""), "`rate(5 minute)` is no rate");
    check(&event("schedule = \"cron(0 3 * * *)\""), "has 5 fields, not 6");
    check(&event("schedule = \"cron(0 3 * * * *)\""), "exactly one of day-of-month and");
    check(&event("schedule = \"cron(0 25 * * ? *)\""), "`25` is out of range");
    check(&event("pattern = { source = \"payment\" }"), "the pattern has a single value at source");
    check(&event("pattern = { detail = { a = [] } }"), "the list of detail a is empty");
    check(&event("pattern = {}"), "the pattern is empty");
    check(&event("schedule = \"rate(1 day)\"\nretries = 186"), "5:11 186 is out of range");
    check(&event("schedule = \"rate(1 day)\"\nmax_age = 59"), "5:11 59 is out of range");
    check(&event("schedule = \"cron(a b c d ? e)\""), "`a` is out of range in `cron(a b c d ? e)`");
    let hours: Vec<String> = (0..100).map(|hour| (hour % 24).to_string()).collect();
    let long = format!("schedule = \"cron(0 {} * * ? *)\"", hours.join(","));
    check(&event(&long), "the schedule is too long (EventBridge takes 256 characters)");
    let long = format!("pattern = {{ source = [\"{}\"] }}", "x".repeat(4096));
    check(&event(&long), "the pattern is too long (EventBridge takes 4096 characters)");
    check(&event("name = \"dev rule\"\nschedule = \"rate(1 day)\""), "a rule's name is 1 to 64");
    let long = "x".repeat(8200);
    check(&event(&format!("{pattern}input = {{ a = \"{long}\" }}")), "the input is too long");
    check(
        &event(&format!("{pattern}input = {{ a = 1 }}\ntransform = {{ template = \"1\" }}")),
        "a target gets either a fixed input or one made from the event",
    );
    let transform = |text: &str| event(&format!("{pattern}transform = {text}"));
    check(
        &transform("{ paths = { a = \"detail\" }, template = '\"<a>\"' }"),
        "no path into an event",
    );
    check(&transform("{ template = '\"<b>\"' }"), "a name in angle brackets that `paths` does not");
    check(&transform("{ template = 'Payment' }"), "neither a JSON text nor a JSON object");
    check(
        &transform("{ paths = { awsx = \"$.a\" }, template = '\"<awsx>\"' }"),
        "`awsx` is reserved",
    );
    let queues: Vec<String> = (0..6).map(|n| format!("q{n}")).collect();
    let sections: String =
        queues.iter().map(|name| format!("[queues.{name}]\nsenders = [\"events\"]\n")).collect();
    check(&format!("{sections}{}queues = {queues:?}", event(pattern)), "there are 6 targets");
    check(
        &format!("[queues.q]\n{}queues = [\"q\"]", event(pattern)),
        "the queue `q` does not admit EventBridge (add \"events\" to `senders` of [queues.q])",
    );
    check(
        &format!(
            "[queues.q]\nfifo = true\nsenders = [\"events\"]\n{}queues = [\"q\"]",
            event(pattern)
        ),
        "the queue `q` is FIFO",
    );
    check(
        &format!("[queues.q]\n{}dead_letter = \"q\"", event(pattern)),
        "6:15 the queue `q` does not admit EventBridge",
    );
    check(
        &format!("[topics.t]\n{}topics = [\"t\"]", event(pattern)),
        "the topic `t` does not admit EventBridge (add \"events\" to `publishers` of [topics.t])",
    );
    check(&event(&format!("{pattern}functions = [\"f\"]")), "no `f` in [functions]");
}

#[test]
fn what_guards_refuse_is_refused_here() {
    check("threat_detection = \"yes\"", "a string where true or false or a table belongs");
    check(
        "threat_detection = { features = [\"s3\"] }",
        "`s3` is not possible here (one of s3_data_events",
    );
    check("threat_detection = { frequency = \"daily\" }", "`daily` is not possible here");
    let anomaly = |rest: &str| format!("[cost_anomalies.a]\n{rest}");
    check(&anomaly("watch = \"service\""), "(did you mean `services`?)");
    check(&anomaly("watch = { values = [\"x\"] }"), "either a tag or a cost category");
    check(&anomaly("watch = { tag = \"Team\", values = [] }"), "0 items are not possible here");
    check(&anomaly("threshold = {}"), "nothing says from which size on an anomaly counts");
    check(&anomaly("threshold = { amount = -1 }"), "-1 is out of range");
    check(&anomaly("frequency = \"daily\""), "only e-mail addresses hear of anomalies");
    let addresses: Vec<String> = (0..11).map(|at| format!("a{at}@example.com")).collect();
    check(&anomaly(&format!("email = {addresses:?}")), "11 addresses are too many");
    check(&anomaly("frequency = \"hourly\""), "`hourly` is not possible here");
    check(
        &anomaly("topic = \"t\"\n[topics.t]"),
        "does not admit cost anomaly detection (add \"costa",
    );
    let topic = "[topics.t]\npublishers = [\"costalerts\"]";
    check(
        &anomaly(&format!("topic = \"t\"\nemail = \"a@example.com\"\n{topic}")),
        "5:9 a topic hears of anomalies at once",
    );
    check(
        "[cost_anomalies.a]\n[cost_anomalies.b]",
        "4:17 [cost_anomalies.a] watches all services already",
    );
}

#[test]
fn logs_go_only_where_aws_delivers_them() {
    let flows = |to: &str, more: &str| {
        format!("[network]\ncidr = \"10.0.0.0/16\"\nflow_log = {{ to = {to} }}\n{more}")
    };
    let bucket = "[buckets.flows]\n";
    check(&flows("{ retention_days = 8 }", ""), "5:38 logs cannot be kept for 8 days");
    check(
        &flows("{ bucket = \"flows\" }", bucket),
        "the bucket `flows` does not admit log delivery",
    );
    let admitted = format!("{bucket}log_delivery = true\n[keys.k]\n");
    check(&flows("{ bucket = \"flows\", key = \"k\" }", &admitted), "`key` is for a log group");
    let requests =
        format!("[firewalls.main]\nlog = {{ to = {{ bucket = \"flows\" }} }}\n{admitted}");
    check(&requests, "4:25 WAF would not write into a bucket of this name (give it a `name`");
    check("[firewalls.main]\nlog = { redact = [\"Cookie\"] }\n", "is written in lower case");
}

#[test]
fn a_lock_needs_versions_and_no_deliveries() {
    let bucket = |more: &str| format!("[buckets.b]\nobject_lock = {{ days = 1 }}\n{more}");
    check(&bucket("versioning = false\n"), "4:1 Object Lock holds versions, and there are none");
    let delivered = "no service delivers logs into a bucket with such a lock";
    check(&bucket("log_delivery = true\n"), delivered);
    check(&bucket("[buckets.c]\naccess_log_to = \"b\"\n"), delivered);
    check(&bucket("").replace("days = 1", "days = 0"), "0 is out of range (1 to 36500)");
}
