//! A sandbox that allows only what an IAM policy allows, as AWS does.
//!
//! The needs of each call follow AWS's own rules (`needs`, `behind`), not the facts that payctl
//! declares. So a policy that is too narrow fails here as it does in AWS. The guard understands the
//! parts of IAM's language that payctl writes: statements that allow, wildcards, and conditions of
//! equality.

mod behind;
mod ec2;
mod needs;
mod rest;
mod tagged;

pub(crate) use behind::{first_use, passed, profile};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::toolbox::{fits, many};
use super::wire::{Request, Route};
use super::{ACCOUNT, Call, Refusal, World};

/// A permission that a call needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The action, such as `sqs:CreateQueue`.
    pub action: String,
    /// The ARN of the resource, or `*` if AWS checks only the action.
    pub resource: String,
    /// The condition keys of the request.
    pub context: BTreeMap<String, String>,
}

impl Need {
    fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        let (action, resource) = (action.into(), resource.into());
        Self { action, resource, context: BTreeMap::new() }
    }

    fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.context.insert(key.into(), value.into());
        self
    }
}

/// A statement that allows actions.
#[derive(Clone, Debug)]
struct Allow {
    actions: Vec<String>,
    resources: Vec<String>,
    condition: BTreeMap<String, Vec<String>>,
}

impl Allow {
    fn of(statement: &Value) -> Result<Self, String> {
        if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
            return Err(format!("the sandbox supports only `\"Effect\": \"Allow\"`: {statement}"));
        }
        let mut condition = BTreeMap::new();
        for (operator, keys) in
            statement.get("Condition").and_then(Value::as_object).into_iter().flatten()
        {
            if !matches!(operator.as_str(), "StringEquals" | "StringLike" | "ArnLike") {
                return Err(format!("the sandbox does not support the condition `{operator}`"));
            }
            let keys = keys.as_object().into_iter().flatten();
            condition.extend(keys.map(|(key, values)| (key.clone(), texts(values))));
        }
        let part = |name: &str| match statement.get(name).map(texts).unwrap_or_default() {
            parts if parts.is_empty() => Err(format!("a statement has no `{name}`: {statement}")),
            parts => Ok(parts),
        };
        Ok(Self { actions: part("Action")?, resources: part("Resource")?, condition })
    }

    fn allows(&self, need: &Need) -> bool {
        let action = need.action.to_lowercase();
        self.actions.iter().any(|pattern| fits(&pattern.to_lowercase(), &action))
            && self.resources.iter().any(|pattern| fits(pattern, &need.resource))
            && self.condition.iter().all(|(key, values)| {
                let have = need.context.get(key);
                have.is_some_and(|have| values.iter().any(|value| fits(value, have)))
            })
    }
}

/// A text or a list of texts.
fn texts(value: &Value) -> Vec<String> {
    many(value).into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A policy, and the permissions that calls needed.
#[derive(Clone, Debug)]
pub struct Guard {
    allowed: Arc<Vec<Allow>>,
    asked: Arc<Mutex<BTreeSet<Need>>>,
}

impl Guard {
    /// A guard that enforces a policy.
    pub fn of(policy: &Value) -> Result<Self, String> {
        let statements = match policy.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().map(Allow::of).collect(),
            Some(statement) => Allow::of(statement).map(|statement| vec![statement]),
            None => Err("the policy has no `Statement`".to_owned()),
        };
        Ok(Self { allowed: Arc::new(statements?), asked: Arc::default() })
    }

    /// Whether the policy allows this.
    pub fn allows(&self, need: &Need) -> bool {
        self.allowed.iter().any(|statement| statement.allows(need))
    }

    /// All permissions that calls have needed so far.
    pub fn asked(&self) -> BTreeSet<Need> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Refuses a call if the policy does not allow all its needs.
    pub(crate) fn admits(
        &self,
        world: &World,
        request: &Request,
        call: &Call,
    ) -> Result<(), Refusal> {
        let mut needs = needs::of_call(world, request, call);
        needs.extend(behind::of(world, call));
        self.decide(&call.service, needs)
    }

    /// The same for S3.
    pub(crate) fn admits_s3(&self, request: &Request, route: &Route) -> Result<(), Refusal> {
        self.decide(&route.service, rest::of_s3(request, &route.operation))
    }

    fn decide(&self, service: &str, needs: Vec<Need>) -> Result<(), Refusal> {
        let denied = needs.iter().find(|need| !self.allows(need)).cloned();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).extend(needs);
        denied.map_or(Ok(()), |need| Err(refuse(service, &need)))
    }
}

/// The refusal, in the words of the service.
fn refuse(service: &str, need: &Need) -> Refusal {
    let Need { action, resource, .. } = need;
    let message = format!(
        "User: arn:aws:iam::{ACCOUNT}:user/sandbox is not authorized to perform: {action} on \
         resource: {resource} because no identity-based policy allows the {action} action"
    );
    match service {
        "ec2" => {
            let message = format!("You are not authorized to perform this operation. {message}");
            Refusal::new("UnauthorizedOperation", message).with_status(403)
        }
        "sns" => Refusal::new("AuthorizationError", message).with_status(403),
        "autoscaling"
        | "elasticloadbalancing"
        | "iam"
        | "rds"
        | "route53"
        | "s3"
        | "sqs"
        | "sts" => Refusal::new("AccessDenied", message).with_status(403),
        "apigateway" | "guardduty" | "lambda" => {
            Refusal::new("AccessDeniedException", message).with_status(403)
        }
        _ => Refusal::new("AccessDeniedException", message),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::toolbox::testing::{REGION, ask};
    use super::*;

    fn guard(statements: Value) -> Result<Guard, String> {
        Guard::of(&json!({ "Version": "2012-10-17", "Statement": statements }))
    }

    #[test]
    fn actions_resources_and_conditions_must_all_fit() {
        let guard = guard(json!([
            { "Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*" },
            {
                "Effect": "Allow",
                "Action": ["ec2:CreateVpc", "ec2:Delete*"],
                "Resource": ["arn:aws:ec2:eu-west-1:1:vpc/*"],
                "Condition": { "StringEquals": { "aws:RequestTag/a": ["b", "c"] } },
            },
        ]));
        let guard = guard.unwrap();
        assert!(guard.allows(&Need::new("sqs:ListQueues", "*")));
        assert!(guard.allows(&Need::new("SQS:listqueues", "arn:any")));
        assert!(!guard.allows(&Need::new("sqs:CreateQueue", "*")));
        let vpc = Need::new("ec2:DeleteVpc", "arn:aws:ec2:eu-west-1:1:vpc/vpc-1");
        assert!(!guard.allows(&vpc));
        assert!(guard.allows(&vpc.clone().with("aws:RequestTag/a", "c")));
        assert!(!guard.allows(&vpc.with("aws:RequestTag/a", "d")));
        let elsewhere = Need::new("ec2:CreateVpc", "arn:aws:ec2:eu-west-2:1:vpc/*");
        assert!(!guard.allows(&elsewhere.with("aws:RequestTag/a", "b")));
    }

    /// The actions that a call needs, with their resources.
    fn needed(
        world: &World,
        service: &str,
        operation: &str,
        input: Value,
    ) -> Vec<(String, String)> {
        let (service, operation) = (service.to_owned(), operation.to_owned());
        let call = Call { service, operation, input, region: REGION.to_owned() };
        let mut needs = needs::of_call(world, &Request::default(), &call);
        needs.extend(behind::of(world, &call));
        needs.into_iter().map(|need| (need.action, need.resource)).collect()
    }

    fn pair(action: &str, resource: &str) -> (String, String) {
        (action.to_owned(), resource.to_owned())
    }

    #[test]
    fn creating_a_log_group_needs_permission_on_its_streams() {
        let input = json!({ "logGroupName": "/a", "tags": { "k": "v" } });
        let streams = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/a:log-stream:");
        assert_eq!(
            needed(&World::default(), "logs", "CreateLogGroup", input),
            [pair("logs:CreateLogGroup", &streams), pair("logs:TagResource", &streams)]
        );
    }

    #[test]
    fn elb_checks_permission_to_associate_a_web_acl() {
        let balancer =
            format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/a/0");
        let stage = format!("arn:aws:apigateway:{REGION}::/restapis/a1b2c3/stages/dev");
        for (operation, action) in [
            ("AssociateWebACL", "CreateWebACLAssociation"),
            ("DisassociateWebACL", "DeleteWebACLAssociation"),
            ("GetWebACLForResource", "GetLoadBalancerWebACL"),
        ] {
            let of = |resource: &str| {
                let input = json!({ "ResourceArn": resource });
                needed(&World::default(), "wafv2", operation, input)
            };
            let action = format!("elasticloadbalancing:{action}");
            assert!(of(&balancer).contains(&pair(&action, &balancer)), "{operation}");
            let others = |(action, _): &(String, String)| !action.starts_with("elasticload");
            assert!(of(&stage).iter().all(others), "{operation}");
        }
    }

    #[test]
    fn versions_and_aliases_are_resources_of_their_own() {
        let arn = |rest: &str| format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{rest}");
        for (operation, input, on) in [
            ("PublishVersion", json!({ "FunctionName": "f" }), arn("f")),
            ("CreateAlias", json!({ "FunctionName": "f", "Name": "live" }), arn("f")),
            ("AddPermission", json!({ "FunctionName": "f", "Qualifier": "live" }), arn("f:live")),
            ("GetFunction", json!({ "FunctionName": arn("f:1"), "Qualifier": "1" }), arn("f:1")),
            (
                "PutProvisionedConcurrencyConfig",
                json!({ "FunctionName": "f", "Qualifier": "live" }),
                arn("f:live"),
            ),
        ] {
            let action = format!("lambda:{operation}");
            let needs = needed(&World::default(), "lambda", operation, input);
            assert_eq!(needs, [pair(&action, &on)]);
        }
    }

    #[test]
    fn rules_are_made_on_listeners_and_changed_by_themselves() {
        let at = |tail: &str| format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:{tail}");
        let (listener, rule) = (at("listener/app/a/0/1"), at("listener-rule/app/a/0/1/2"));
        let of = |operation: &str, input: Value| {
            needed(&World::default(), "elasticloadbalancing", operation, input)
        };
        let create = |action: &str| format!("elasticloadbalancing:{action}");
        let tags = json!([{ "Key": "a", "Value": "b" }]);
        assert_eq!(
            of("CreateRule", json!({ "ListenerArn": listener, "Tags": tags })),
            [
                pair(&create("CreateRule"), &listener),
                pair(&create("AddTags"), &at("listener-rule/app/a/0/1/0")),
            ]
        );
        let moved = json!({ "RulePriorities": [{ "RuleArn": rule, "Priority": "1" }] });
        assert_eq!(of("SetRulePriorities", moved), [pair(&create("SetRulePriorities"), &rule)]);
        let one = json!({ "RuleArn": rule });
        assert_eq!(of("DeleteRule", one), [pair(&create("DeleteRule"), &rule)]);
        assert_eq!(
            of("DescribeRules", json!({ "ListenerArn": listener })),
            [pair(&create("DescribeRules"), "*")]
        );
    }

    #[test]
    fn certificates_zones_and_metrics_have_their_own_resources() {
        let certificate = format!("arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1");
        for (service, operation, input, action, on) in [
            ("acm", "ListCertificates", json!({}), "acm:ListCertificates", "*"),
            (
                "acm",
                "DeleteCertificate",
                json!({ "CertificateArn": certificate }),
                "acm:DeleteCertificate",
                &*certificate,
            ),
            (
                "route53",
                "ChangeResourceRecordSets",
                json!({ "Id": "/hostedzone/Z1" }),
                "route53:ChangeResourceRecordSets",
                "arn:aws:route53:::hostedzone/Z1",
            ),
            (
                "route53",
                "GetChange",
                json!({ "Id": "C1" }),
                "route53:GetChange",
                "arn:aws:route53:::change/C1",
            ),
            ("route53", "ListHostedZones", json!({}), "route53:ListHostedZones", "*"),
            (
                "monitoring",
                "PutMetricData",
                json!({ "Namespace": "n" }),
                "cloudwatch:PutMetricData",
                "*",
            ),
            (
                "monitoring",
                "SetAlarmState",
                json!({ "AlarmName": "a" }),
                "cloudwatch:SetAlarmState",
                "arn:aws:cloudwatch:eu-west-1:000000000000:alarm:a",
            ),
        ] {
            let needs = needed(&World::default(), service, operation, input);
            assert_eq!(needs, [pair(action, on)]);
        }
        let tags = json!({ "DomainName": "a.b", "Tags": [{ "Key": "a", "Value": "b" }] });
        assert_eq!(
            needed(&World::default(), "acm", "RequestCertificate", tags),
            [pair("acm:RequestCertificate", "*"), pair("acm:AddTagsToCertificate", "*")]
        );
    }

    #[test]
    fn a_service_that_moves_traffic_gets_a_role() {
        let role = format!("arn:aws:iam::{ACCOUNT}:role/shift");
        let input = json!({
            "cluster": "c", "serviceName": "s",
            "loadBalancers": [{ "advancedConfiguration": { "roleArn": role } }],
        });
        let needs = needed(&World::default(), "ecs", "CreateService", input);
        assert!(needs.contains(&pair("iam:PassRole", &role)), "{needs:?}");
    }

    #[test]
    fn a_restore_needs_the_key_like_a_creation() {
        let mut world = World::default();
        let made = ask(&mut world, "kms", "CreateKey", json!({})).unwrap();
        let key = made["KeyMetadata"]["Arn"].as_str().unwrap();
        let table = json!({ "SSESpecificationOverride": { "KMSMasterKeyId": key } });
        let cluster = json!({ "KmsKeyId": key });
        for (service, operation, input) in [
            ("dynamodb", "RestoreTableFromBackup", &table),
            ("dynamodb", "RestoreTableToPointInTime", &table),
            ("rds", "RestoreDBClusterFromSnapshot", &cluster),
            ("rds", "RestoreDBClusterToPointInTime", &cluster),
        ] {
            let needs = needed(&world, service, operation, input.clone());
            for action in ["kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey"] {
                assert!(needs.contains(&pair(action, key)), "{operation}: {needs:?}");
            }
        }
    }

    #[test]
    fn a_restore_needs_permission_on_source_and_target() {
        let world = World::default();
        let at = |service: &str, tail: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{tail}");
        let (target, backup) = (at("dynamodb", "table/new"), at("dynamodb", "table/old/backup/1"));
        for (operation, input, source) in [
            (
                "RestoreTableFromBackup",
                json!({ "BackupArn": backup, "TargetTableName": "new" }),
                backup.clone(),
            ),
            (
                "RestoreTableToPointInTime",
                json!({ "SourceTableName": "old", "TargetTableName": "new" }),
                at("dynamodb", "table/old"),
            ),
        ] {
            let needs = needed(&world, "dynamodb", operation, input);
            let itself = format!("dynamodb:{operation}");
            for (action, on) in
                [(&*itself, &source), (&*itself, &target), ("dynamodb:PutItem", &target)]
            {
                assert!(needs.contains(&pair(action, on)), "{operation}: {needs:?}");
            }
        }
        let tags = json!({ "Tag": [{ "Key": "k", "Value": "v" }] });
        for (operation, member, source) in [
            ("RestoreDBClusterFromSnapshot", "SnapshotIdentifier", "cluster-snapshot:old"),
            ("RestoreDBClusterToPointInTime", "SourceDBClusterIdentifier", "cluster:old"),
        ] {
            let input = json!({ "DBClusterIdentifier": "new", member: "old", "Tags": tags });
            let needs = needed(&world, "rds", operation, input);
            for tail in [source, "cluster:new", "cluster-pg:default.any", "og:default:any"] {
                let need = pair(&format!("rds:{operation}"), &at("rds", tail));
                assert!(needs.contains(&need), "{operation}: {needs:?}");
            }
            let tagged = pair("rds:AddTagsToResource", &at("rds", "cluster:new"));
            assert!(needs.contains(&tagged), "{operation}: {needs:?}");
        }
    }

    #[test]
    fn unknown_policy_elements_are_rejected() {
        let refused = |statement: Value| guard(json!([statement])).unwrap_err();
        let deny = json!({ "Effect": "Deny", "Action": "*", "Resource": "*" });
        assert!(refused(deny).contains("Allow"));
        let odd = json!({ "Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": { "Bool": { "aws:SecureTransport": "true" } } });
        assert!(refused(odd).contains("`Bool`"));
        assert!(refused(json!({ "Effect": "Allow", "Resource": "*" })).contains("`Action`"));
        assert!(Guard::of(&json!({})).is_err());
    }
}
