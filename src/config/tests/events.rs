//! Bad values of events.

use super::check;

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
