//! The rules of `[shifts]`.

use super::{ALIAS, SIDES, listener};
use crate::elb::{FUNCTIONS, NETWORK, blueprint_of, check};

#[test]
fn shifts_that_could_not_work_are_refused() {
    let with = |shift: &str| format!("{FUNCTIONS}{SIDES}{ALIAS}[shifts.pay]\n{shift}\n");
    check(&with(""), "does not say what divides the traffic (set one of `listener`");
    let two = "listener = \"front:80\"\nalias = \"f:live\"\nfrom = \"blue\"\nto = \"green\"";
    check(&with(two), "listener and alias cannot be used together (keep only one)");
    let sides = "from = \"blue\"\nto = \"green\"\n";
    let on = |what: &str| with(&format!("{what}\n{sides}"));
    check(
        &on("listener = \"front\""),
        "`front` has the wrong format (a listener is a load balancer",
    );
    check(&on("listener = \"front:70000\""), "`front:70000` has the wrong format");
    check(&on("rule = \"front:70000:beta\""), "`front:70000:beta` has the wrong format");
    check(&on("listener = \"frond:80\""), "[load_balancers] has no `frond` (did you mean `front`?");
    check(&on("listener = \"front:81\""), "has no listener on port 81 (its ports: 80");
    check(&on("rule = \"front:80\""), "has the wrong format (a rule is a load balancer, a port");
    check(&on("rule = \"front:80:beat\""), "the listener has no rule `beat` (did you mean `beta`?");
    check(&on("alias = \"f:live\""), "`from` is only for listeners and rules (remove it");
    check(&with("alias = \"f\""), "a function alone does not divide its calls (name an alias");
    check(&with("alias = \"f:life\""), "[functions.f.aliases] has no `life` (did you mean `live`?");
    check(&with("stage = \"pays\""), "[apis] has no `pays`");
    let api = "[apis.pay.routes.\"GET /\"]\nfunction = \"f\"\n";
    let figures = with(&format!("stage = \"pay\"\nlimits = {{ p99 = 2 }}\n{api}"));
    check(&figures, "AWS has no figures for each deployment of a stage (remove them, and use");
    check(&with("listener = \"front:80\"\nto = \"green\""), "the shift of a listener needs `from`");
    check(&with("rule = \"front:80:beta\"\nfrom = \"blue\""), "the shift of a rule needs `to`");
    let same = "listener = \"front:80\"\nfrom = \"blue\"\nto = \"blue\"";
    check(&with(same), "both sides are the same target group");
    let other = with(&format!("listener = \"front:80\"\n{sides}")).replacen(
        "forward = { blue = 100, green = 0 }",
        "forward = \"blue\"",
        1,
    );
    check(&other, "does not forward to exactly `blue` and `green` (set `forward = { blue = 100");
    let wrong = listener("").replace("from = \"blue\"", "from = \"blu\"");
    check(&wrong, "[target_groups] has no `blu` (did you mean `blue`?");
    check(&listener("steps = [10, 50]"), "the steps do not rise to 100 (write for example [10");
    check(&listener("steps = [50, 10, 100]"), "the steps do not rise to 100");
    check(&listener("steps = [0, 100]"), "0 is out of range (use 1 to 100)");
    check(&listener("bake = \"5 minutes\""), "`5 minutes` has the wrong format (a span of time");
    check(&listener("missing = \"0s\""), "`0s` has the wrong format (a span of time looks like");
    check(&listener("watch = [\"error\"]"), "[alarms] has no `error` (did you mean `errors`?");
    check(&listener("on_alarm = \"rollback\""), "did you mean `roll_back`?");
    check(&listener("probe = { url = \"/health\" }"), "`/health` is not an address (write for");
    let asked = |url: &str| format!("{api}{}", listener(&format!("probe = {{ url = \"{url}\" }}")));
    check(&asked("http://me:secret@a.example/"), "an address has no user and no password (remove");
    blueprint_of(&format!("{NETWORK}{}", asked("${apis.pay.url}/health")));
    let probe =
        |rest: &str| listener(&format!("probe = {{ url = \"http://a.example/\", {rest} }}"));
    check(&probe("status = 99"), "99 is out of range (use 100 to 599)");
    check(&probe("timeout = 4"), "4 is out of range (use 1 to 3)");
    check(&probe("failures = 0"), "0 is out of range (use 1 to 100)");
    check(&listener("limits = { requests = 5 }"), "there is no limit (set `error_rate` or `p99`");
    check(&listener("limits = { error_rate = -1 }"), "-1 is out of range (use 0 to 100)");
    check(&listener("limits = { p99 = 0.5 }"), "0.5 is out of range (use 1 to 100)");
    check(&listener("limits = { p99 = 2, requests = 0 }"), "0 is out of range (use 1 to 1000000)");
    let twice = "[shifts.other]\nlistener = \"front:80\"\nfrom = \"blue\"\nto = \"green\"";
    check(&listener(twice), "the shift `other` already moves `front:80` (keep one of the two");
    let named = listener("").replace("[shifts.pay]", "[shifts.status]");
    check(&named, "`payctl shift status` is a command (choose another name");
    let network = "[load_balancers.n]\ntype = \"network\"\n\
                   listeners = [{ port = 5000, forward = \"raw\" }]\n\
                   [target_groups.raw]\nprotocol = \"tcp\"\n";
    let network = format!("{network}{}", with(&format!("listener = \"n:5000\"\n{sides}")));
    check(&network, "payctl shifts traffic of application load balancers only");
    let ready =
        with("alias = \"f:live\"").replace(ALIAS, &format!("{ALIAS}provisioned_concurrency = 2\n"));
    check(&ready, "a shift leaves an alias with two versions");
    let held = with("alias = \"f:live\"").replace(ALIAS, &format!("{ALIAS}hold = true\n"));
    check(&held, "an alias with `hold` stays at its version (remove `hold` of the alias");
}
