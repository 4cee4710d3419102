//! Bad values of firewalls.

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
