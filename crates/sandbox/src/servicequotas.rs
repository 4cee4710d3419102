//! The sandbox's Service Quotas (JSON protocol): some quotas of a new account.
//!
//! Quirks kept: of a quota that nobody can raise, AWS knows only the default; the question for the
//! account's value is refused. Only a strict sandbox enforces quotas.

use serde_json::{Value, json};

use super::toolbox::need;
use super::{ACCOUNT, Answer, Call, Refusal, ec2};

/// A quota: service, code, name, value, whether AWS raises it.
type Quota = (&'static str, &'static str, &'static str, usize, bool);

const QUOTAS: &[Quota] = &[
    ("vpc", "L-F678F1CE", "VPCs per Region", ec2::VPC_QUOTA, true),
    ("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", ec2::ADDRESS_QUOTA, true),
    ("apigateway", "L-AA0FF27B", "Regional APIs", 600, false),
    ("apigateway", "L-B97207D0", "Edge-optimized APIs", 120, false),
    ("apigateway", "L-A966AB5C", "Private APIs", 600, false),
    ("apigateway", "L-1D180A63", "API keys", 10_000, false),
    ("apigateway", "L-E8693075", "Usage plans", 300, true),
    ("apigateway", "L-608BDCD4", "VPC links(V2)", 10, true),
    ("lambda", "L-B99A9384", "Concurrent executions", 1000, true),
];

/// The names of services.
const SERVICES: &[(&str, &str)] = &[
    ("apigateway", "Amazon API Gateway"),
    ("ec2", "Amazon Elastic Compute Cloud (Amazon EC2)"),
    ("lambda", "AWS Lambda"),
    ("vpc", "Amazon Virtual Private Cloud (Amazon VPC)"),
];

/// Answers a call.
pub(crate) fn call(call: &Call) -> Answer {
    let is_default = match call.operation.as_str() {
        "GetServiceQuota" => false,
        "GetAWSDefaultServiceQuota" => true,
        operation => return Err(Refusal::not_covered(&call.service, operation)),
    };
    let service = need(&call.input, "ServiceCode", "ValidationException")?;
    let code = need(&call.input, "QuotaCode", "ValidationException")?;
    let found = QUOTAS.iter().find(|quota| quota.0 == service && quota.1 == code);
    let missing = || {
        Refusal::new(
            "NoSuchResourceException",
            "The request failed because the specified quota does not exist.",
        )
    };
    let quota = found.filter(|quota| is_default || quota.4).ok_or_else(missing)?;
    Ok(json!({ "Quota": shown(quota, call, is_default) }))
}

fn shown((service, code, name, value, adjustable): &Quota, call: &Call, is_default: bool) -> Value {
    let account = if is_default { "" } else { ACCOUNT };
    let title = SERVICES.iter().find(|(key, _)| key == service).map(|(_, title)| title);
    json!({
        "ServiceCode": service,
        "ServiceName": title,
        "QuotaArn": format!("arn:aws:servicequotas:{}:{account}:{service}/{code}", call.region),
        "QuotaCode": code,
        "QuotaName": name,
        "Value": value,
        "Unit": "None",
        "Adjustable": adjustable,
        "GlobalQuota": false,
        "QuotaAppliedAtLevel": "ACCOUNT",
    })
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::super::toolbox::testing::ask;
    use super::*;

    #[test]
    fn a_quota_that_nobody_can_raise_has_only_a_default() {
        let mut world = World::default();
        let mut asked = |operation: &str, service: &str, code: &str| {
            let input = json!({ "ServiceCode": service, "QuotaCode": code });
            ask(&mut world, "servicequotas", operation, input)
        };
        let vpcs = asked("GetServiceQuota", "vpc", "L-F678F1CE").unwrap();
        assert_eq!(vpcs["Quota"]["Value"], 5);
        let apis = asked("GetServiceQuota", "apigateway", "L-AA0FF27B").unwrap_err();
        assert_eq!(apis.code, "NoSuchResourceException");
        let apis = asked("GetAWSDefaultServiceQuota", "apigateway", "L-AA0FF27B").unwrap();
        assert_eq!(
            (&apis["Quota"]["Value"], &apis["Quota"]["Adjustable"]),
            (&json!(600), &json!(false))
        );
        let other = asked("GetAWSDefaultServiceQuota", "vpc", "L-AA0FF27B").unwrap_err();
        assert_eq!(other.code, "NoSuchResourceException");
    }
}
