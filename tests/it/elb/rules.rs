//! The rules of load balancers, target groups and listeners: what AWS would refuse.

use payctl::blueprint::problems;

use super::{FUNCTIONS, check, crowd, in_folder};

#[test]
fn load_balancers_that_aws_would_refuse_are_refused() {
    let lb = |rest: &str| format!("[load_balancers.a]\nsecurity_groups = [\"lb\"]\n{rest}\n");
    let on = |listener: &str| {
        format!(
            "{}[target_groups.blue]\n[target_groups.green]\n[target_groups.raw]\nprotocol = \"tcp\"\n",
            lb(&format!("listeners = [{listener}]"))
        )
    };
    check("[load_balancers.a]", "an application load balancer needs a security group");
    check(&lb("subnets = \"isolated\""), "the network has no isolated subnets");
    check(&lb("scheme = \"internet-facing\"\nsubnets = \"private\""), "needs public subnets");
    check(&lb("name = \"internal-${env}\""), "AWS reserves names that begin with `internal-`");
    check(&lb(&format!("name = \"{}-${{env}}\"", "x".repeat(32))), "use at most 32");
    check(&lb("idle_timeout = 4001"), "4001 is out of range (use 1 to 4000)");
    check(&lb("cross_zone = true"), "`cross_zone` is only for network load balancers");
    check(
        &lb("type = \"network\"\nhttp2 = true"),
        "`http2` is only for application load balancers",
    );
    let log = "access_log = { bucket = \"b\" }\n[buckets.b]\n";
    check(&lb(log), "load balancers may not write to the bucket `b`");
    let log = format!("{log}log_delivery = true\nkey = \"k\"\n[keys.k]");
    check(&lb(&log), "the bucket `b` has a customer key");
    let log = "access_log = { bucket = \"b\", prefix = \"/x\" }\n[buckets.b]\nlog_delivery = true";
    check(&lb(log), "this is not a valid prefix");
    check(&on("{ port = 80 }"), "the listener has no action");
    check(&on("{ port = 0, forward = \"blue\" }"), "0 is out of range");
    let both = "{ port = 80, forward = \"blue\", respond = { status = 200 } }";
    check(&on(both), "forward and respond cannot be used together");
    let twice = "{ port = 80, forward = \"blue\" }, { port = 80, forward = \"green\" }";
    check(&on(twice), "another listener uses port 80");
    check(&on("{ port = 80, forward = \"bleu\" }"), "[target_groups] has no `bleu`");
    check(&on("{ port = 80, forward = { bleu = 1, green = 2 } }"), "[target_groups] has no `bleu`");
    check(&on("{ port = 80, forward = { blue = 0, green = 0 } }"), "all weights are 0");
    check(
        &on("{ port = 80, forward = { blue = 1000, green = 0 } }"),
        "the weight 1000 is out of range",
    );
    check(&on("{ port = 80, forward = \"raw\" }"), "the protocol of the target group `raw` is TCP");
    check(&on("{ port = 80, forward = \"blue\", sticky_seconds = 9 }"), "only one target group");
    check(&on("{ port = 80, protocol = \"tcp\", forward = \"blue\" }"), "does not support TCP");
    check(
        &on("{ port = 53, protocol = \"udp\", forward = \"raw\" }"),
        "`udp` is not valid here (use one of http, https, tcp, tls",
    );
    let network = "type = \"network\"\nlisteners = [{ port = 80, respond = { status = 200 } }]";
    check(&lb(network), "a network load balancer can only forward");
    check(&lb(&crowd()).replace("security_groups = [\"lb\"]\n", ""), "too many security groups");
    let https = |more: &str| on(&format!("{{ port = 443, forward = \"blue\", {more} }}"));
    check(&https("protocol = \"https\""), "HTTPS needs a certificate");
    check(&https("certificate = \"arn:aws:iam::1:x\""), "not the ARN of an ACM certificate");
    let far = "certificate = \"arn:aws:acm:eu-west-1:1:certificate/x\"";
    check(&https(far), "this certificate is in eu-west-1");
    check(
        &https(&format!("protocol = \"http\", {far}")),
        "the protocol HTTP does not use a certificate",
    );
    check(&on("{ port = 80, respond = { status = 301 } }"), "cannot have the status 301");
    check(&on("{ port = 80, redirect = { protocol = \"tcp\" } }"), "must lead to http or https");
    check(&on("{ port = 80, redirect = { path = \"x\" } }"), "a path must begin with a slash");
    let round = "{ port = 80, redirect = { protocol = \"http\", port = 80 } }";
    check(&on(round), "leads back to itself");
    let second = "[load_balancers.b]\nsecurity_groups = [\"lb\"]\n\
                  listeners = [{ port = 80, forward = \"blue\" }]";
    let both = format!("{}{second}", on("{ port = 80, forward = \"blue\" }"));
    check(&both, "the load balancer `a` already uses `blue`");
}

#[test]
fn an_application_load_balancer_needs_two_zones_and_room_in_them() {
    let text = "[network]\ncidr = \"10.0.0.0/16\"\nprivate_subnets = \"/28\"\n\
                [security_groups.lb]\ndescription = \"x\"\n\
                [load_balancers.a]\nsecurity_groups = [\"lb\"]\n";
    let found = in_folder(text, |folder| problems(folder, "dev", &|_| None, None));
    let says = |one: &str| found.iter().any(|problem| problem.message.contains(one));
    assert!(says("an application load balancer needs subnets of /27"), "{found:#?}");
    let larger = text.replace("/28", "/27");
    let found = in_folder(&larger, |folder| problems(folder, "dev", &|_| None, None));
    assert!(found.is_empty(), "{found:#?}");
    let text = "[network]\ncidr = \"10.0.0.0/16\"\nzones = 1\nnat = { kind = \"none\" }\n\
                [security_groups.lb]\ndescription = \"x\"\n\
                [load_balancers.a]\nsecurity_groups = [\"lb\"]\n";
    let found = in_folder(text, |folder| problems(folder, "dev", &|_| None, None));
    let says = |one: &str| found.iter().any(|problem| problem.message.contains(one));
    assert!(says("an application load balancer needs two zones"), "{found:#?}");
    let found =
        in_folder("[load_balancers.a]\n", |folder| problems(folder, "dev", &|_| None, None));
    let says = |one: &str| found.iter().any(|problem| problem.message.contains(one));
    assert!(says("a load balancer needs a network"), "{found:#?}");
}

#[test]
fn target_groups_that_aws_would_refuse_are_refused() {
    let group = |rest: &str| format!("[target_groups.a]\n{rest}\n");
    let health = |rest: &str| group(&format!("health = {{ {rest} }}"));
    check(&health("interval = 5, timeout = 5"), "the timeout of 5 s is not less than the interval");
    check(&health("interval = 301"), "301 is out of range (use 5 to 300)");
    check(&health("timeout = 1"), "1 is out of range (use 2 to 120)");
    check(&health("healthy = 1"), "1 is out of range (use 2 to 10)");
    check(&health("unhealthy = 11"), "11 is out of range (use 2 to 10)");
    check(&health("path = \"health\""), "a path must begin with a slash");
    check(&health("codes = \"500\""), "codes are 200 to 499");
    check(&health("protocol = \"tcp\""), "a tcp check does not work for http targets");
    check(&group("protocol = \"tcp\"\nhealth = { path = \"/\" }"), "`path` is not for tcp checks");
    check(&group("deregistration_delay = 3601"), "3601 is out of range (use 0 to 3600)");
    check(&group("slow_start = 29"), "`slow_start` is out of range");
    check(&group("targets = \"alb\""), "`alb` is not valid here (use one of ip, instance");
    check(&group("protocol = \"tcp\"\nsticky_seconds = 9"), "`sticky_seconds` is not for tcp");
    check(&group(&format!("name = \"{}-${{env}}\"", "x".repeat(26))), "use at most 25");
}

/// A listener on port 80 of the load balancer `a` with rules, and target groups for them.
fn ruled(rules: &str) -> String {
    format!(
        "[load_balancers.a]\nsecurity_groups = [\"lb\"]\n[[load_balancers.a.listeners]]\nport = 80\n\
         respond = {{ status = 404 }}\nrules = {{ {rules} }}\n[target_groups.blue]\n\
         [target_groups.green]\n[target_groups.raw]\nprotocol = \"tcp\"\n"
    )
}

#[test]
fn listener_rules_that_aws_would_refuse_are_refused() {
    let rule = |rest: &str| ruled(&format!("r = {{ priority = 1, {rest} }}"));
    let when = |when: &str| rule(&format!("when = {{ {when} }}, forward = \"blue\""));
    check(&when("path = \"/a b\""), "`/a b` has the wrong format (a path is 1 to 128");
    check(&when("path = []"), "the rule has no condition");
    check(&when("host = \"pay_me\""), "a host is 1 to 128 letters");
    check(&when("method = \"GET*\""), "without wildcards");
    check(&when("header = { \"a b\" = \"x\" }"), "the name of a header has 1 to 40");
    check(&when("header = { HOST = \"x\" }"), "a condition cannot look at the header `Host`");
    check(&when("query = { \"\" = \"x\" }"), "the name of a parameter has 0 characters");
    check(&when("query = { a = \"é\" }"), "a value is 1 to 128 characters of ASCII");
    check(&when("source_ip = \"10.0.0.1\""), "an address range looks like");
    check(&when("source_ip = \"10.0.0.0/33\""), "`10.0.0.0/33` is not an address range");
    check(&when("source_ip = \"2001:db8::/129\""), "is not an address range");
    let many = "path = [\"/a\", \"/b\", \"/c\"], method = [\"GET\", \"PUT\", \"POST\"]";
    check(&when(many), "the conditions have 6 values (use at most 5, or several rules)");
    check(&when("path = \"/*/*/*/*\", query = { \"v?\" = \"*\" }"), "6 wildcards");
    check(&rule("forward = \"blue\""), "`when` is missing");
    check(&rule("when = { path = \"/a\" }"), "the rule has no action");
    let both = "when = { path = \"/a\" }, forward = \"blue\", respond = { status = 200 }";
    check(&rule(both), "forward and respond cannot be used together");
    let act = |action: &str| rule(&format!("when = {{ path = \"/a\" }}, {action}"));
    check(&act("forward = \"bleu\""), "[target_groups] has no `bleu`");
    check(&act("forward = \"raw\""), "the protocol of the target group `raw` is TCP");
    check(&act("forward = { blue = 0, green = 0 }"), "all weights are 0");
    check(&act("forward = \"blue\", sticky_seconds = 9"), "only one target group");
    check(&act("redirect = { protocol = \"http\", port = 80 }"), "leads back to itself");
    check(&act("respond = { status = 302 }"), "cannot have the status 302");
    let pair = |one: u32, other: u32| {
        let rule = |name: &str, priority: u32| {
            format!(
                "{name} = {{ priority = {priority}, when = {{ path = \"/a\" }}, respond = {{ status = 200 }} }}"
            )
        };
        ruled(&format!("{}, {}", rule("one", one), rule("other", other)))
    };
    check(&pair(7, 7), "the rule `one` has priority 7");
    check(&pair(7, 0), "0 is out of range (use 1 to 50000)");
    check(&pair(7, 50_001), "50001 is out of range (use 1 to 50000)");
    let network = "[load_balancers.n]\ntype = \"network\"\n[[load_balancers.n.listeners]]\nport = 5000\n\
                   forward = \"raw\"\nrules = { r = { priority = 1, when = { path = \"/a\" }, forward = \"raw\" } }\n\
                   [target_groups.raw]\nprotocol = \"tcp\"\n";
    check(network, "a network load balancer has no rules");
    let second = "[load_balancers.b]\nsecurity_groups = [\"lb\"]\n\
                  listeners = [{ port = 80, forward = \"blue\" }]";
    let both = format!("{}{second}", act("forward = \"blue\""));
    check(&both, "the load balancer `a` already uses `blue`");
}

#[test]
fn certificates_and_policies_that_aws_would_refuse_are_refused() {
    let certificate = |id: &str| format!("\"arn:aws:acm:us-east-1:1:certificate/{id}\"");
    let on = |more: &str| {
        format!(
            "[load_balancers.a]\nsecurity_groups = [\"lb\"]\nlisteners = [{{ port = 443, \
             forward = \"blue\", {more} }}]\n[target_groups.blue]\n"
        )
    };
    let secure = |more: &str| on(&format!("certificate = {}, {more}", certificate("x")));
    check(
        &secure("tls_policy = \"ELBSecurityPolicy-TLS13-1-2-2021-O6\""),
        "AWS has no TLS security policy `ELBSecurityPolicy-TLS13-1-2-2021-O6` (did you mean",
    );
    check(
        &secure("tls_policy = \"modern\""),
        "use for example ELBSecurityPolicy-TLS13-1-2-2021-06",
    );
    check(&secure("other_certificates = [\"x\"]"), "not the ARN of an ACM certificate");
    let far = "other_certificates = [\"arn:aws:acm:eu-west-1:1:certificate/x\"]";
    check(&secure(far), "this certificate is in eu-west-1");
    let same = format!("other_certificates = [{}]", certificate("x"));
    check(&secure(&same), "`certificate` already names one of these certificates");
    check(&on(&same), "the protocol HTTP does not use a certificate (remove `other_certificates`");
    let all: Vec<String> = (0..26).map(|id| certificate(&id.to_string())).collect();
    let all = format!("other_certificates = [{}]", all.join(", "));
    check(&secure(&all), "too many items: 26, at most 25");
}

#[test]
fn groups_for_functions_that_aws_would_refuse_are_refused() {
    let group = |rest: &str| format!("{FUNCTIONS}[target_groups.a]\nfunction = \"f\"\n{rest}\n");
    for key in ["port = 80", "protocol = \"http\"", "targets = \"ip\"", "deregistration_delay = 9"]
    {
        let (name, _) = key.split_once(' ').expect("a key");
        check(&group(key), &format!("`{name}` is not for functions (remove it)"));
    }
    check(&group("sticky_seconds = 9"), "`sticky_seconds` is not for functions");
    check(&group("slow_start = 30"), "`slow_start` is not for functions");
    check(&group("health = { port = 80 }"), "`port` is not for functions");
    check(&group("health = { protocol = \"http\" }"), "`protocol` is not for functions");
    check(
        &group("health = { interval = 28, timeout = 20 }"),
        "the interval of 28 s is not more than the timeout of the function `f`, 28 s",
    );
    check(&group("health = { timeout = 40 }"), "the timeout of 40 s is not less than");
    check(&group("").replace("\"f\"", "\"h\""), "[functions] has no `h`");
    let plain = "[target_groups.a]\nmulti_value_headers = true\n";
    check(plain, "`multi_value_headers` is only for functions");
    let network =
        "[load_balancers.n]\ntype = \"network\"\nlisteners = [{ port = 80, forward = \"a\" }]\n";
    check(&group(network), "the target of `a` is the function `f`");
    let fleet = "[fleets.w]\ninstance_type = \"t4g.micro\"\nsecurity_groups = [\"workers\"]\n\
                 min = 1\nmax = 1\ntarget_groups = [\"a\"]\n";
    check(&group(fleet), "the targets of `a` are not instances");
    let service = "[load_balancers.b]\nsecurity_groups = [\"lb\"]\n\
                   listeners = [{ port = 80, forward = \"a\" }]\n[clusters.c]\n[services.s]\n\
                   cluster = \"c\"\nimage = \"x\"\nport = 80\ntarget_group = \"a\"\nsecurity_groups = [\"workers\"]\n";
    check(&group(service), "the targets of the target group `a` are of type lambda");
}
