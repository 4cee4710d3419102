//! Bad values of firewalls.

use super::check;

#[test]
fn validation_refuses_values_that_waf_refuses() {
    let firewall = |rest: &str| format!("[firewalls.main]\n{rest}");
    check(&firewall("rate_limit = 9"), "4:14 9 is out of range (use 10 to");
    check(
        &firewall("rate_limit = { limit = 100, window = 90 }"),
        "90 seconds is not a valid window",
    );
    check(&firewall("description = \"ab\""), "`ab` has the wrong format (3 to 256 letters");
    check(&firewall("description = \"What's in\""), "has the wrong format (3 to 256 letters");
    check(&firewall("name = \"main\""), "`main` does not name the environment");
    check(&firewall("name = \"pay.dev\""), "`pay.dev` is not a valid name (a web ACL's name");
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
        "needs settings that payctl does not support",
    );
    check(
        &firewall("managed = [\"AWSManagedRulesAntiDDoSRuleSet\"]"),
        "needs settings that payctl",
    );
    check(
        &firewall("rate_limit = { limit = 100, action = \"allow\" }"),
        "a rate limit cannot allow requests (use block, count",
    );
    check(
        &firewall("protects = [\"load_balancers.n\"]\n[load_balancers.n]\ntype = \"network\""),
        "4:12 `n` is a network load balancer",
    );
    check(&firewall("sql_injection = { transformations = [] }"), "too few items: 0, at least 1");
    check(&firewall("sql_injection = { parts = [] }"), "too few items: 0, at least 1");
    check(&firewall("sql_injection = { parts = [\"bdy\"] }"), "did you mean `body`");
    check(
        &firewall("cross_site_scripting = { sensitivity = \"high\" }"),
        "`sensitivity` is only for SQL",
    );
    let same = |at: u32| {
        format!("{{ group = \"AWSManagedRulesCommonRuleSet\", rule = \"R{at}\", priority = {at} }}")
    };
    let many: Vec<String> = (1..=8).map(same).collect();
    let many = firewall(&format!("managed = [{}]", many.join(", ")));
    check(&many, "the rules need 5600 capacity units (remove some: WAF allows at most 5000");
    check(&firewall("protects = [\"queues.a\"]"), "write apis.NAME or load_balancers.NAME");
    check(&firewall("protects = [\"load_balancers.main\"]"), "[load_balancers] has no `main`");
    check(
        "[firewalls.a]\nprotects = [\"apis.x\"]\n[firewalls.b]\nprotects = [\"apis.x\"]",
        "`a` already protects apis.x",
    );
}
