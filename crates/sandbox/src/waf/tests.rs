//! Tests of WAF.

use serde_json::{Value, json};

use super::super::toolbox::testing::{ask, code, make_balancer};
use super::super::{Answer, World};
use super::{INVALID, MISSING};

fn acl(rules: Value) -> Value {
    json!({
        "Name": "main", "Scope": "REGIONAL", "DefaultAction": { "Allow": {} }, "Rules": rules,
        "VisibilityConfig": {
            "MetricName": "main", "CloudWatchMetricsEnabled": true,
            "SampledRequestsEnabled": true,
        },
    })
}

fn waf(world: &mut World, operation: &str, input: Value) -> Answer {
    ask(world, "wafv2", operation, input)
}

/// Creates an ACL. The answer is its ARN and the members that identify it.
fn made(world: &mut World) -> (String, Value) {
    let made = waf(world, "CreateWebACL", acl(json!([]))).unwrap();
    let arn = made["Summary"]["ARN"].as_str().unwrap().to_owned();
    (arn, json!({ "Name": "main", "Id": made["Summary"]["Id"], "Scope": "REGIONAL" }))
}

fn with(mut input: Value, member: &str, value: Value) -> Value {
    input[member] = value;
    input
}

#[test]
fn a_write_needs_the_last_lock_token() {
    let mut world = World::default();
    let (_, key) = made(&mut world);
    assert_eq!(code(waf(&mut world, "CreateWebACL", acl(json!([])))), "WAFDuplicateItemException");
    let got = waf(&mut world, "GetWebACL", key.clone()).unwrap();
    let change = with(acl(json!([])), "Id", key["Id"].clone());
    let change = with(change, "LockToken", got["LockToken"].clone());
    let changed = waf(&mut world, "UpdateWebACL", change.clone()).unwrap();
    assert_eq!(code(waf(&mut world, "UpdateWebACL", change)), "WAFOptimisticLockException");
    let old = with(key.clone(), "LockToken", got["LockToken"].clone());
    assert_eq!(code(waf(&mut world, "DeleteWebACL", old)), "WAFOptimisticLockException");
    let new = with(key.clone(), "LockToken", changed["NextLockToken"].clone());
    waf(&mut world, "DeleteWebACL", new).unwrap();
    assert_eq!(code(waf(&mut world, "GetWebACL", key)), MISSING);
}

#[test]
fn an_associated_web_acl_cannot_be_deleted() {
    let mut world = World::default();
    let (arn, key) = made(&mut world);
    let balancer = make_balancer(&mut world).arn;
    let join = json!({ "WebACLArn": arn, "ResourceArn": balancer });
    waf(&mut world, "AssociateWebACL", join).unwrap();
    let balancers = waf(&mut world, "ListResourcesForWebACL", json!({ "WebACLArn": arn }));
    assert_eq!(balancers.unwrap()["ResourceArns"], json!([balancer]));
    let stages = json!({ "WebACLArn": arn, "ResourceType": "API_GATEWAY" });
    let stages = waf(&mut world, "ListResourcesForWebACL", stages).unwrap();
    assert_eq!(stages["ResourceArns"], json!([]));
    let got = waf(&mut world, "GetWebACL", key.clone()).unwrap();
    let delete = with(key, "LockToken", got["LockToken"].clone());
    assert_eq!(code(waf(&mut world, "DeleteWebACL", delete.clone())), "WAFAssociatedItemException");
    waf(&mut world, "DisassociateWebACL", json!({ "ResourceArn": balancer })).unwrap();
    let none = waf(&mut world, "GetWebACLForResource", json!({ "ResourceArn": balancer }));
    assert_eq!(none.unwrap(), json!({}));
    waf(&mut world, "DeleteWebACL", delete).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_strict_web_acl_appears_late_and_is_released_late() {
    let mut world = World::default();
    world.base.strict = true;
    let (arn, key) = made(&mut world);
    let balancer = make_balancer(&mut world).arn;
    let join = json!({ "WebACLArn": arn, "ResourceArn": balancer });
    assert_eq!(
        code(waf(&mut world, "AssociateWebACL", join.clone())),
        "WAFUnavailableEntityException"
    );
    tokio::time::advance(std::time::Duration::from_secs(10)).await;
    waf(&mut world, "AssociateWebACL", join).unwrap();
    waf(&mut world, "DisassociateWebACL", json!({ "ResourceArn": balancer })).unwrap();
    let got = waf(&mut world, "GetWebACL", key.clone()).unwrap();
    let delete = with(key, "LockToken", got["LockToken"].clone());
    assert_eq!(code(waf(&mut world, "DeleteWebACL", delete.clone())), "WAFAssociatedItemException");
    tokio::time::advance(std::time::Duration::from_secs(10)).await;
    waf(&mut world, "DeleteWebACL", delete).unwrap();
}

#[test]
fn invalid_rules_are_refused() {
    let seen = json!({
        "MetricName": "m", "CloudWatchMetricsEnabled": true, "SampledRequestsEnabled": true,
    });
    let rule = |priority: i64, statement: Value, more: Value| {
        let mut rule = json!({
            "Name": format!("rule-{priority}"), "Priority": priority, "Statement": statement,
            "VisibilityConfig": seen,
        });
        for (member, value) in more.as_object().unwrap() {
            rule[member] = value.clone();
        }
        rule
    };
    let block = || json!({ "Action": { "Block": {} } });
    let rate = |limit: i64, window: i64| {
        json!({ "RateBasedStatement": {
            "Limit": limit, "AggregateKeyType": "IP", "EvaluationWindowSec": window } })
    };
    let managed = || {
        json!({ "ManagedRuleGroupStatement": {
            "VendorName": "AWS", "Name": "AWSManagedRulesCommonRuleSet" } })
    };
    let sql = |steps: Value| {
        json!({ "SqliMatchStatement": {
            "FieldToMatch": { "QueryString": {} }, "TextTransformations": steps } })
    };
    let fine = rule(1, rate(100, 60), block());
    for (wrong, why) in [
        (json!([rule(1, rate(9, 300), block())]), "a limit below 10"),
        (json!([rule(1, rate(100, 90), block())]), "an odd window"),
        (json!([fine.clone(), fine.clone()]), "a priority twice"),
        (json!([rule(1, rate(100, 60), json!({}))]), "no action"),
        (json!([rule(1, managed(), block())]), "an action of a group"),
        (json!([rule(1, sql(json!([])), block())]), "no transformation"),
        (json!([rule(1, json!({}), block())]), "no statement"),
    ] {
        let mut world = World::default();
        assert_eq!(code(waf(&mut world, "CreateWebACL", acl(wrong))), INVALID, "{why}");
    }
    let over = json!({ "OverrideAction": { "None": {} } });
    let steps = json!([{ "Priority": 0, "Type": "NONE" }]);
    let rules = json!([fine, rule(2, managed(), over), rule(3, sql(steps), block())]);
    waf(&mut World::default(), "CreateWebACL", acl(rules)).unwrap();
}

#[test]
fn a_protected_resource_must_exist() {
    let mut world = World::default();
    let (arn, key) = made(&mut world);
    let balancer = make_balancer(&mut world).arn;
    let mut join = |resource: &str| {
        waf(&mut world, "AssociateWebACL", json!({ "WebACLArn": arn, "ResourceArn": resource }))
    };
    assert_eq!(code(join(&balancer.replace("/app/", "/app/other-"))), MISSING);
    let stage = "arn:aws:apigateway:eu-west-1::/restapis/a1b2c3/stages/dev";
    assert_eq!(code(join(stage)), MISSING);
    assert_eq!(code(join("arn:aws:s3:::bucket")), "WAFInvalidParameterException");
    join(&balancer).unwrap();
    let delete = json!({ "LoadBalancerArn": balancer });
    ask(&mut world, "elasticloadbalancing", "DeleteLoadBalancer", delete).unwrap();
    let got = waf(&mut world, "GetWebACL", key.clone()).unwrap();
    waf(&mut world, "DeleteWebACL", with(key, "LockToken", got["LockToken"].clone())).unwrap();
}

#[test]
fn log_destinations_need_the_waf_prefix() {
    let mut world = World::default();
    let (arn, _) = made(&mut world);
    let put = |destination: &str| {
        let group = format!("arn:aws:logs:us-east-1:000000000000:log-group:{destination}");
        json!({ "LoggingConfiguration": { "ResourceArn": arn, "LogDestinationConfigs": [group] } })
    };
    let key = json!({ "ResourceArn": arn });
    assert_eq!(code(waf(&mut world, "GetLoggingConfiguration", key.clone())), MISSING);
    for wrong in ["requests", "aws-waf-logs-a:*"] {
        assert_eq!(code(waf(&mut world, "PutLoggingConfiguration", put(wrong))), INVALID);
    }
    let denied = "WAFLogDestinationPermissionIssueException";
    assert_eq!(code(waf(&mut world, "PutLoggingConfiguration", put("aws-waf-logs-a"))), denied);
    ask(&mut world, "logs", "CreateLogGroup", json!({ "logGroupName": "aws-waf-logs-a" })).unwrap();
    waf(&mut world, "PutLoggingConfiguration", put("aws-waf-logs-a")).unwrap();
    waf(&mut world, "GetLoggingConfiguration", key.clone()).unwrap();
    waf(&mut world, "DeleteLoggingConfiguration", key.clone()).unwrap();
    assert_eq!(code(waf(&mut world, "DeleteLoggingConfiguration", key)), MISSING);
}
