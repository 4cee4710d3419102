//! Bad values of events.

use super::check;

#[test]
fn validation_refuses_values_that_eventbridge_refuses() {
    let event = |rest: &str| format!("[events.a]\n{rest}");
    let pattern = "pattern = { source = [\"payment\"] }\n";
    check(&event("enabled = true"), "the rule has no trigger");
    check(
        &event("schedule = \"daily\""),
        "4:12 `daily` has the wrong format (a schedule looks like",
    );
    check(&event("schedule = \"rate(1 days)\""), "4:12 `rate(1 days)` is not a valid rate");
    check(&event("schedule = \"rate(5 minute)\""), "`rate(5 minute)` is not a valid rate");
    check(&event("schedule = \"cron(0 3 * * *)\""), "has 5 fields instead of 6");
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
    check(&event(&long), "the schedule is too long (use at most 256 characters)");
    let long = format!("pattern = {{ source = [\"{}\"] }}", "x".repeat(4096));
    check(&event(&long), "the pattern is too long (use at most 4096 characters)");
    check(&event("name = \"dev rule\"\nschedule = \"rate(1 day)\""), "a rule's name is 1 to 64");
    let long = "x".repeat(8200);
    check(&event(&format!("{pattern}input = {{ a = \"{long}\" }}")), "the input is too long");
    check(
        &event(&format!("{pattern}input = {{ a = 1 }}\ntransform = {{ template = \"1\" }}")),
        "`input` and `transform` cannot be used together",
    );
    let transform = |text: &str| event(&format!("{pattern}transform = {text}"));
    check(
        &transform("{ paths = { a = \"detail\" }, template = '\"<a>\"' }"),
        "not a path into an event",
    );
    check(
        &transform("{ template = '\"<b>\"' }"),
        "a name in angle brackets that is not in `paths`",
    );
    check(&transform("{ template = 'Payment' }"), "neither a JSON text nor a JSON object");
    check(
        &transform("{ paths = { awsx = \"$.a\" }, template = '\"<awsx>\"' }"),
        "`awsx` is reserved",
    );
    let queues: Vec<String> = (0..6).map(|n| format!("q{n}")).collect();
    let sections: String =
        queues.iter().map(|name| format!("[queues.{name}]\nsenders = [\"events\"]\n")).collect();
    check(&format!("{sections}{}queues = {queues:?}", event(pattern)), "too many targets: 6");
    check(
        &format!("[queues.q]\n{}queues = [\"q\"]", event(pattern)),
        "EventBridge may not send to the queue `q` (add \"events\" to `senders` of [queues.q])",
    );
    check(
        &format!(
            "[queues.q]\nfifo = true\nsenders = [\"events\"]\n{}queues = [\"q\"]",
            event(pattern)
        ),
        "the queue `q` is a FIFO",
    );
    check(
        &format!("[queues.q]\n{}dead_letter = \"q\"", event(pattern)),
        "6:15 EventBridge may not send to the queue `q`",
    );
    check(
        &format!("[topics.t]\n{}topics = [\"t\"]", event(pattern)),
        "EventBridge may not publish to the topic `t` (add \"events\" to `publishers` of [topics.t])",
    );
    check(&event(&format!("{pattern}functions = [\"f\"]")), "[functions] has no `f`");
}
