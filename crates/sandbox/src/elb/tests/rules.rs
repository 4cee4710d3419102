//! Claims about rules, targets, certificates and TLS policies.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::super::toolbox::testing::{REGION, ask};
use super::{Ground, id};

/// A load balancer with a listener.
fn with_listener() -> (Ground, String) {
    let mut ground = Ground::new();
    let (balancer, target) = (ground.balancer("dev-alb"), ground.target("dev-tg"));
    let listener = ground.listener(&balancer, &target);
    (ground, listener)
}

fn fixed(words: &str) -> Value {
    let answer = json!({ "StatusCode": "200", "ContentType": "text/plain", "MessageBody": words });
    json!([{ "Type": "fixed-response", "FixedResponseConfig": answer }])
}

fn path(values: Value) -> Value {
    json!([{ "Field": "path-pattern", "PathPatternConfig": { "Values": values } }])
}

fn rule(listener: &str, priority: i64, conditions: Value) -> Value {
    json!({
        "ListenerArn": listener, "Priority": priority.to_string(), "Conditions": conditions,
        "Actions": fixed("ok"),
    })
}

fn made(ground: &mut Ground, input: Value) -> String {
    id(&ground.ask("CreateRule", input), "/Rules/0/RuleArn")
}

fn listed(ground: &mut Ground, listener: &str) -> Vec<Value> {
    let read = ground.ask("DescribeRules", json!({ "ListenerArn": listener }));
    read["Rules"].as_array().unwrap().clone()
}

fn message(ground: &mut Ground, operation: &str, input: Value) -> String {
    ask(&mut ground.world, super::SERVICE, operation, input).unwrap_err().message
}

#[test]
fn a_rule_comes_back_with_what_aws_adds() {
    let (mut ground, listener) = with_listener();
    let conditions = json!([
        { "Field": "path-pattern", "Values": ["/api/*"] },
        { "Field": "http-header", "HttpHeaderConfig": {
            "HttpHeaderName": "X-Custom", "Values": ["a"],
        } },
        { "Field": "source-ip", "SourceIpConfig": { "Values": ["10.1.0.0/16"] } },
        { "Field": "query-string", "QueryStringConfig": {
            "Values": [{ "Key": "k", "Value": "1" }],
        } },
    ]);
    let arn = made(&mut ground, rule(&listener, 10, conditions));
    assert!(arn.contains(":listener-rule/app/dev-alb/"), "{arn}");
    let rules = listed(&mut ground, &listener);
    let of = |field: &str| {
        let conditions = rules[0]["Conditions"].as_array().unwrap();
        conditions.iter().find(|one| one["Field"] == field).unwrap().clone()
    };
    assert_eq!(
        of("path-pattern"),
        json!({
            "Field": "path-pattern", "Values": ["/api/*"],
            "PathPatternConfig": { "Values": ["/api/*"] },
        })
    );
    assert_eq!(
        of("http-header"),
        json!({
            "Field": "http-header", "Values": [],
            "HttpHeaderConfig": { "HttpHeaderName": "X-Custom", "Values": ["a"] },
        })
    );
    assert_eq!((&rules[0]["Priority"], &rules[0]["IsDefault"]), (&json!("10"), &json!(false)));
    // The default rule is the last one, and shows the action of the listener.
    let default = &rules[1];
    assert_eq!((&default["Priority"], &default["IsDefault"]), (&json!("default"), &json!(true)));
    assert_eq!(default["Actions"][0]["Type"], "forward");
    let input = json!({ "RuleArns": [default["RuleArn"]] });
    assert_eq!(ground.ask("DescribeRules", input)["Rules"][0], *default);
    for operation in ["DeleteRule", "ModifyRule"] {
        let input = json!({ "RuleArn": default["RuleArn"], "Actions": fixed("no") });
        assert_eq!(ground.refused(operation, input), "OperationNotPermitted");
    }
}

#[test]
fn values_of_conditions_are_sets() {
    let (mut ground, listener) = with_listener();
    let values = json!(["/zebra/*", "/alpha/*", "/mango/*"]);
    made(&mut ground, rule(&listener, 1, path(values)));
    let mut other = rule(&listener, 2, path(json!(["/mango/*", "/zebra/*", "/alpha/*"])));
    other["Priority"] = json!("2");
    made(&mut ground, other);
    let rules = listed(&mut ground, &listener);
    assert_eq!(rules[0]["Conditions"], rules[1]["Conditions"]);
}

#[test]
fn invalid_rules_are_refused_as_aws_refuses_them() {
    let (mut ground, listener) = with_listener();
    let of = |conditions: Value| rule(&listener, 1, conditions);
    let long = "x".repeat(129);
    for (conditions, words) in [
        (json!([]), "A condition must be specified"),
        (json!([{ "Field": "cookie" }]), "Condition field 'cookie' must be one of"),
        (json!([{ "Field": "path-pattern" }]), "A condition value must be specified"),
        (
            json!([{ "Field": "source-ip", "Values": ["10.0.0.0/8"] }]),
            "The 'Values' field is not compatible with 'source-ip'",
        ),
        (
            json!([{ "Field": "host-header", "Values": ["a", "b"] }]),
            "The 'host-header' field contains too many values; the limit is '1'",
        ),
        (
            json!([{ "Field": "http-header" }]),
            "A 'HttpHeaderConfig' must be specified with 'http-header'",
        ),
        (path(json!([long])), "The 'path-pattern' value is too long; the limit is '128'"),
        (path(json!(["a", "b", "c", "d", "e", "f"])), "can only have '5' condition values"),
        (path(json!(["******"])), "can only have '5' condition wildcards"),
    ] {
        let message = message(&mut ground, "CreateRule", of(conditions));
        assert!(message.contains(words), "{message}");
    }
    let low = message(&mut ground, "CreateRule", rule(&listener, 0, path(json!(["/a"]))));
    assert!(low.ends_with("Member must have value greater than or equal to 1"), "{low}");
    made(&mut ground, of(path(json!(["/a"]))));
    assert_eq!(ground.refused("CreateRule", of(path(json!(["/b"])))), "PriorityInUse");
    let gone = rule(&listener.replace("dev-alb", "none"), 2, path(json!(["/a"])));
    assert_eq!(ground.refused("CreateRule", gone), "ListenerNotFound");
    assert_eq!(ground.refused("DescribeRules", json!({})), "ValidationError");
}

#[test]
fn a_load_balancer_has_a_hundred_rules_at_most() {
    let (mut ground, listener) = with_listener();
    for priority in 1..=100 {
        made(&mut ground, rule(&listener, priority, path(json!(["/a"]))));
    }
    let more = rule(&listener, 101, path(json!(["/a"])));
    assert_eq!(ground.refused("CreateRule", more), "TooManyRules");
}

#[test]
fn priorities_change_all_at_once_or_not() {
    let (mut ground, listener) = with_listener();
    let mut arns = Vec::new();
    for priority in [1, 2, 3] {
        arns.push(made(&mut ground, rule(&listener, priority, path(json!(["/a"])))));
    }
    let set = |pairs: &[(&str, i64)]| {
        let pairs = pairs
            .iter()
            .map(|(arn, place)| json!({ "RuleArn": arn, "Priority": place.to_string() }));
        json!({ "RulePriorities": pairs.collect::<Vec<_>>() })
    };
    let taken = set(&[(&arns[0], 3)]);
    assert_eq!(ground.refused("SetRulePriorities", taken), "PriorityInUse");
    let twice = set(&[(&arns[0], 9), (&arns[1], 9)]);
    assert!(message(&mut ground, "SetRulePriorities", twice).contains("multiple times"));
    let swapped = ground.ask("SetRulePriorities", set(&[(&arns[0], 2), (&arns[1], 1)]));
    assert_eq!(swapped["Rules"].as_array().unwrap().len(), 2);
    let rules = listed(&mut ground, &listener);
    assert_eq!(rules[0]["RuleArn"], json!(arns[1]));
    let input = json!({ "RuleArn": arns[2], "Actions": fixed("new") });
    let changed = ground.ask("ModifyRule", input);
    let body = &changed["Rules"][0]["Actions"][0]["FixedResponseConfig"]["MessageBody"];
    assert_eq!(body, "new");
    let nothing = json!({ "RuleArn": arns[2] });
    assert_eq!(
        message(&mut ground, "ModifyRule", nothing.clone()),
        "Either conditions or actions must be specified"
    );
    ground.ask("DeleteRule", nothing.clone());
    assert_eq!(ground.refused("DeleteRule", nothing), "RuleNotFound");
}

#[test]
fn rules_share_traffic_by_weight_and_hold_their_target_groups() {
    let (mut ground, listener) = with_listener();
    let (blue, green) = (ground.target("blue"), ground.target("green"));
    let mut input = rule(&listener, 1, path(json!(["/*"])));
    input["Actions"] = json!([{ "Type": "forward", "ForwardConfig": {
        "TargetGroups": [
            { "TargetGroupArn": blue, "Weight": "90" },
            { "TargetGroupArn": green, "Weight": "10" },
        ],
        "TargetGroupStickinessConfig": { "Enabled": "true", "DurationSeconds": "60" },
    } }]);
    let arn = made(&mut ground, input);
    let rules = listed(&mut ground, &listener);
    let action = &rules[0]["Actions"][0];
    // With two groups there is no short form.
    assert!(action["TargetGroupArn"].is_null());
    let forward = &action["ForwardConfig"];
    assert_eq!(forward["TargetGroups"][1], json!({ "TargetGroupArn": green, "Weight": 10 }));
    let sticky = json!({ "Enabled": true, "DurationSeconds": 60 });
    assert_eq!(forward["TargetGroupStickinessConfig"], sticky);
    let delete = json!({ "TargetGroupArn": green });
    assert_eq!(ground.refused("DeleteTargetGroup", delete.clone()), "ResourceInUse");
    let read = ground.ask("DescribeTargetGroups", json!({ "TargetGroupArns": [green] }));
    assert_eq!(read["TargetGroups"][0]["LoadBalancerArns"].as_array().unwrap().len(), 1);
    // Its other load balancer cannot have it.
    let other = ground.balancer("dev-other");
    let input = json!({
        "LoadBalancerArn": other, "Port": "80", "Protocol": "HTTP",
        "DefaultActions": [{ "Type": "forward", "TargetGroupArn": green }],
    });
    assert_eq!(ground.refused("CreateListener", input), "TargetGroupAssociationLimit");
    // Rules go with their listener.
    ground.ask("DeleteListener", json!({ "ListenerArn": listener }));
    let gone = json!({ "RuleArns": [arn] });
    assert_eq!(ground.refused("DescribeRules", gone), "RuleNotFound");
    ground.ask("DeleteTargetGroup", delete);
}

#[test]
fn rules_have_tags_the_default_rule_too() {
    let (mut ground, listener) = with_listener();
    let mut input = rule(&listener, 1, path(json!(["/a"])));
    input["Tags"] = json!([{ "Key": "a", "Value": "b" }]);
    let arn = made(&mut ground, input);
    let default = listed(&mut ground, &listener)[1]["RuleArn"].clone();
    let tags = json!([{ "Key": "c", "Value": "d" }]);
    ground.ask("AddTags", json!({ "ResourceArns": [default], "Tags": tags }));
    let read = ground.ask("DescribeTags", json!({ "ResourceArns": [arn, default] }));
    assert_eq!(read["TagDescriptions"][0]["Tags"], json!([{ "Key": "a", "Value": "b" }]));
    assert_eq!(read["TagDescriptions"][1]["Tags"], tags);
    let input = json!({ "TagFilters": [{ "Key": "a", "Values": ["b"] }] });
    let found = ask(&mut ground.world, "tagging", "GetResources", input).unwrap();
    assert_eq!(found["ResourceTagMappingList"][0]["ResourceARN"], json!(arn));
}

/// A function that load balancers may call, if it is said so.
fn function(ground: &mut Ground, permits: Option<&str>) -> String {
    let trust = json!({ "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "lambda.amazonaws.com" },
    }] });
    let world = &mut ground.world;
    let role = json!({ "RoleName": "work", "AssumeRolePolicyDocument": trust.to_string() });
    let role = ask(world, "iam", "CreateRole", role).unwrap();
    let input = json!({
        "FunctionName": "f", "Role": role["Role"]["Arn"], "Runtime": "python3.13",
        "Handler": "index.handler", "Code": { "ZipFile": "UEsx" },
    });
    let made = ask(world, "lambda", "CreateFunction", input).unwrap();
    if let Some(group) = permits {
        let input = json!({
            "FunctionName": "f", "StatementId": "s", "Action": "lambda:InvokeFunction",
            "Principal": "elasticloadbalancing.amazonaws.com", "SourceArn": group,
        });
        ask(world, "lambda", "AddPermission", input).unwrap();
    }
    id(&made, "/FunctionArn")
}

fn of_functions(ground: &mut Ground) -> String {
    let input = json!({ "Name": "calls", "TargetType": "lambda" });
    id(&ground.ask("CreateTargetGroup", input), "/TargetGroups/0/TargetGroupArn")
}

#[test]
fn a_group_of_a_function_has_no_port_and_no_checks() {
    let mut ground = Ground::new();
    let group = of_functions(&mut ground);
    let read = ground.ask("DescribeTargetGroups", json!({ "TargetGroupArns": [group] }));
    assert_eq!(
        read["TargetGroups"][0],
        json!({
            "TargetGroupArn": group, "TargetGroupName": "calls", "TargetType": "lambda",
            "Protocol": null, "ProtocolVersion": null, "Port": null, "VpcId": null,
            "IpAddressType": "ipv4", "HealthCheckEnabled": false, "HealthCheckProtocol": null,
            "HealthCheckPort": null, "HealthCheckPath": "/", "HealthCheckIntervalSeconds": 35,
            "HealthCheckTimeoutSeconds": 30, "HealthyThresholdCount": 5,
            "UnhealthyThresholdCount": 2, "Matcher": { "HttpCode": "200" },
            "LoadBalancerArns": [],
        })
    );
    let input = json!({ "TargetGroupArn": group });
    let attributes = ground.ask("DescribeTargetGroupAttributes", input);
    let one = json!([{ "Key": "lambda.multi_value_headers.enabled", "Value": "false" }]);
    assert_eq!(attributes["Attributes"], one);
    for (member, words) in [("Port", "Port"), ("VpcId", "VPC ID"), ("Protocol", "Protocol")] {
        let input = json!({ "Name": "x", "TargetType": "lambda", member: "80" });
        let message = message(&mut ground, "CreateTargetGroup", input);
        assert!(message.starts_with(&format!("{words} cannot be specified for")), "{message}");
    }
    let target = ground.target("dev-tg");
    let off = json!({ "TargetGroupArn": target, "HealthCheckEnabled": "false" });
    assert_eq!(ground.refused("ModifyTargetGroup", off), "ValidationError");
}

#[test]
fn a_function_is_a_target_once_its_policy_lets_load_balancers_call() {
    let mut ground = Ground::new();
    let group = of_functions(&mut ground);
    let arn = function(&mut ground, None);
    let input = json!({ "TargetGroupArn": group, "Targets": [{ "Id": arn }] });
    assert_eq!(ground.refused("RegisterTargets", input.clone()), "AccessDenied");
    assert_eq!(
        message(&mut ground, "RegisterTargets", input.clone()),
        format!(
            "elasticloadbalancing principal does not have permission to invoke {arn} from target \
             group {group}"
        )
    );
    let mut ground = Ground::new();
    let group = of_functions(&mut ground);
    let arn = function(&mut ground, Some(&group));
    let input = json!({ "TargetGroupArn": group, "Targets": [{ "Id": arn }] });
    ground.ask("RegisterTargets", input.clone());
    let about = json!({ "TargetGroupArn": group });
    let health = |ground: &mut Ground| {
        let read = ground.ask("DescribeTargetHealth", about.clone());
        read["TargetHealthDescriptions"][0].clone()
    };
    let unused = health(&mut ground);
    assert_eq!(unused["TargetHealth"]["Reason"], "Target.NotInUse");
    assert_eq!(unused["Target"]["AvailabilityZone"], "all");
    let balancer = ground.balancer("dev-alb");
    let action = json!([{ "Type": "forward", "TargetGroupArn": group }]);
    ground.ask(
        "CreateListener",
        json!({
            "LoadBalancerArn": balancer, "Port": "80", "Protocol": "HTTP",
            "DefaultActions": action,
        }),
    );
    let unchecked = health(&mut ground);
    assert_eq!(unchecked["TargetHealth"]["Reason"], "Target.HealthCheckDisabled");
    let on = json!({ "TargetGroupArn": group, "HealthCheckEnabled": "true" });
    ground.ask("ModifyTargetGroup", on);
    assert_eq!(health(&mut ground)["TargetHealth"], json!({ "State": "healthy" }));
    ground.ask("DeregisterTargets", input.clone());
    assert_eq!(health(&mut ground), Value::Null);
    assert_eq!(ground.refused("DeregisterTargets", input), "InvalidTarget");
}

#[tokio::test(start_paused = true)]
async fn targets_prove_their_health_in_a_strict_sandbox_and_tests_can_make_them_ill() {
    let (mut ground, _) = with_listener();
    ground.world.base.strict = true;
    let read = json!({ "Names": ["dev-tg"] });
    let group = id(&ground.ask("DescribeTargetGroups", read), "/TargetGroups/0/TargetGroupArn");
    let targets = json!([{ "Id": "10.0.0.5" }, { "Id": "10.0.0.6", "Port": "81" }]);
    ground.ask("RegisterTargets", json!({ "TargetGroupArn": group, "Targets": targets }));
    let bad = json!({ "TargetGroupArn": group, "Targets": [{ "Id": "i-1" }] });
    assert_eq!(ground.refused("RegisterTargets", bad), "InvalidTarget");
    let states = |ground: &mut Ground| -> Vec<String> {
        let read = ground.ask("DescribeTargetHealth", json!({ "TargetGroupArn": group }));
        let all = read["TargetHealthDescriptions"].as_array().unwrap().iter();
        all.map(|one| id(one, "/TargetHealth/State")).collect()
    };
    assert_eq!(states(&mut ground), ["initial", "initial"]);
    tokio::time::advance(Duration::from_secs(151)).await;
    assert_eq!(states(&mut ground), ["healthy", "healthy"]);
    let mut force = |target: Option<&str>, health: Option<&str>| {
        super::super::force_health(&mut ground.world.elb, &group, target, health)
    };
    assert!(force(Some("10.0.0.6"), Some("unhealthy")));
    assert_eq!(states(&mut ground), ["healthy", "unhealthy"]);
    let forget = |ground: &mut Ground| {
        super::super::force_health(&mut ground.world.elb, &group, Some("10.0.0.6"), None)
    };
    assert!(forget(&mut ground));
    assert_eq!(states(&mut ground), ["healthy", "healthy"]);
    let asked = json!({ "TargetGroupArn": group, "Targets": [{ "Id": "10.0.0.9" }] });
    let read = ground.ask("DescribeTargetHealth", asked);
    let health = &read["TargetHealthDescriptions"][0]["TargetHealth"];
    assert_eq!(health["Reason"], "Target.NotRegistered");
}

#[test]
fn a_listener_has_one_default_certificate_and_others() {
    let mut ground = Ground::new();
    let (balancer, target) = (ground.balancer("dev-alb"), ground.target("dev-tg"));
    let plain = ground.listener(&balancer, &target);
    let certificate = |id: &str| format!("arn:aws:acm:{REGION}:000000000000:certificate/{id}");
    let secure = json!({
        "LoadBalancerArn": balancer, "Port": "443", "Protocol": "HTTPS",
        "Certificates": [{ "CertificateArn": certificate("a") }],
        "DefaultActions": fixed("ok"), "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
    });
    let mut unknown = secure.clone();
    unknown["SslPolicy"] = json!("none");
    assert_eq!(ground.refused("CreateListener", unknown), "SSLPolicyNotFound");
    let listener = id(&ground.ask("CreateListener", secure), "/Listeners/0/ListenerArn");
    let with = |listener: &str, arn: String| json!({ "ListenerArn": listener, "Certificates": [{ "CertificateArn": arn }] });
    let added = ground.ask("AddListenerCertificates", with(&listener, certificate("b")));
    assert_eq!(
        added["Certificates"],
        json!([{ "CertificateArn": certificate("b"), "IsDefault": false }])
    );
    let about = json!({ "ListenerArn": listener });
    let read = ground.ask("DescribeListenerCertificates", about.clone());
    assert_eq!(
        read["Certificates"],
        json!([
            { "CertificateArn": certificate("a"), "IsDefault": true },
            { "CertificateArn": certificate("b"), "IsDefault": false },
        ])
    );
    let default = with(&listener, certificate("a"));
    assert_eq!(ground.refused("RemoveListenerCertificates", default), "OperationNotPermitted");
    ground.ask("RemoveListenerCertificates", with(&listener, certificate("b")));
    let read = ground.ask("DescribeListenerCertificates", about);
    assert_eq!(read["Certificates"].as_array().unwrap().len(), 1);
    let on_plain = with(&plain, certificate("b"));
    assert_eq!(ground.refused("AddListenerCertificates", on_plain), "ValidationError");
}

#[test]
fn tls_policies_tell_their_protocols_and_ciphers() {
    let mut ground = Ground::new();
    let names = json!({ "Names": ["ELBSecurityPolicy-TLS13-1-2-Res-2021-06"] });
    let read = ground.ask("DescribeSSLPolicies", names);
    let policy = &read["SslPolicies"][0];
    assert_eq!(policy["SslProtocols"], json!(["TLSv1.3", "TLSv1.2"]));
    let ciphers = policy["Ciphers"].as_array().unwrap();
    assert_eq!(ciphers.len(), 7);
    assert_eq!(ciphers[6], json!({ "Name": "ECDHE-RSA-AES256-GCM-SHA384", "Priority": 7 }));
    let counts = |ground: &mut Ground, name: &str| {
        let read = ground.ask("DescribeSSLPolicies", json!({ "Names": [name] }));
        read["SslPolicies"][0]["Ciphers"].as_array().unwrap().len()
    };
    // As AWS's documentation lists them.
    for (name, expected) in [
        ("ELBSecurityPolicy-TLS13-1-3-2021-06", 3),
        ("ELBSecurityPolicy-TLS13-1-2-2021-06", 11),
        ("ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", 15),
        ("ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", 21),
        ("ELBSecurityPolicy-2016-08", 18),
        ("ELBSecurityPolicy-TLS-1-2-2017-01", 12),
        ("ELBSecurityPolicy-FS-1-2-Res-2020-10", 4),
    ] {
        assert_eq!(counts(&mut ground, name), expected, "{name}");
    }
    let all = ground.ask("DescribeSSLPolicies", json!({}));
    assert!(all["SslPolicies"].as_array().unwrap().len() > 15);
}
