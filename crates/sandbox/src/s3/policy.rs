//! Bucket policies, and whether one is public.

use serde_json::{Value, json};

use super::{Ask, Bucket, configs, document, empty};
use crate::Refusal;
use crate::toolbox::many;
use crate::wire::Response;

pub(super) fn get(bucket: &Bucket, name: &str) -> Result<Response, Refusal> {
    let body = bucket.policy.clone().ok_or_else(|| absent(name))?.into_bytes();
    let mut response = Response { status: 200, body, ..Response::default() };
    response.set("content-type", "application/json");
    Ok(response)
}

pub(super) fn status(bucket: &Bucket, name: &str) -> Result<Response, Refusal> {
    let text = bucket.policy.as_deref().ok_or_else(|| absent(name))?;
    let policy: Value = serde_json::from_str(text).unwrap_or_default();
    Ok(document("PolicyStatus", &json!({ "IsPublic": is_public(&policy) })))
}

fn absent(name: &str) -> Refusal {
    let message = "The bucket policy does not exist";
    Refusal::new("NoSuchBucketPolicy", message).with_status(404).about("BucketName", name)
}

pub(super) fn put(bucket: &mut Bucket, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let body = ask.body()?;
    if body.len() > 20 << 10 {
        let message = "The policy exceeds the maximum allowed document size.";
        return Err(Refusal::new("PolicyTooLarge", message));
    }
    let policy: Value = serde_json::from_slice(&body)
        .map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    check(&policy, &ask.bucket)?;
    if is_public(&policy) && configs::blocks(bucket, "BlockPublicPolicy") {
        let message = format!(
            "User: arn:aws:iam::{}:root is not authorized to perform: s3:PutBucketPolicy on \
             resource: \"arn:aws:s3:::{}\" because public policies are prevented by the \
             BlockPublicPolicy setting in S3 Block Public Access.",
            crate::ACCOUNT,
            ask.bucket
        );
        return Err(Refusal::new("AccessDenied", message).with_status(403));
    }
    bucket.policy = Some(policy.to_string());
    Ok(empty(204))
}

/// Adds the statements that let AWS deliver logs, unless a statement already lets the service write
/// on AWS's own condition.
pub(super) fn admit_log_delivery(bucket: &mut Bucket, name: &str, region: &str) {
    let text = bucket.policy.as_deref().unwrap_or(r#"{"Version":"2012-10-17","Statement":[]}"#);
    let mut policy: Value = serde_json::from_str(text).unwrap_or_default();
    let admits = |statement: &&Value| {
        statement["Principal"]["Service"] == "delivery.logs.amazonaws.com"
            && statement["Condition"]["StringEquals"]["s3:x-amz-acl"] == "bucket-owner-full-control"
    };
    if statements_of(&policy).iter().any(admits) {
        return;
    }
    let account = crate::ACCOUNT;
    let source = json!({ "aws:SourceArn": format!("arn:aws:logs:{region}:{account}:*") });
    let delivery = json!({ "Service": "delivery.logs.amazonaws.com" });
    let more = [
        json!({
            "Sid": "AWSLogDeliveryWrite", "Effect": "Allow", "Principal": delivery,
            "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{name}/*"),
            "Condition": {
                "StringEquals": {
                    "aws:SourceAccount": account, "s3:x-amz-acl": "bucket-owner-full-control",
                },
                "ArnLike": source,
            },
        }),
        json!({
            "Sid": "AWSLogDeliveryAclCheck", "Effect": "Allow", "Principal": delivery,
            "Action": "s3:GetBucketAcl", "Resource": format!("arn:aws:s3:::{name}"),
            "Condition": { "StringEquals": { "aws:SourceAccount": account }, "ArnLike": source },
        }),
    ];
    let mut all: Vec<Value> = statements_of(&policy).into_iter().cloned().collect();
    all.extend(more);
    policy["Statement"] = all.into();
    bucket.policy = Some(policy.to_string());
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new("MalformedPolicy", message)
}

fn statements_of(policy: &Value) -> Vec<&Value> {
    many(&policy["Statement"])
}

fn check(policy: &Value, bucket: &str) -> Result<(), Refusal> {
    if !policy.is_object() {
        return Err(malformed("Policies must be valid JSON and the first byte must be '{'"));
    }
    if policy["Statement"].is_null() {
        return Err(malformed("Missing required field Statement"));
    }
    let statements = statements_of(policy);
    if statements.is_empty() {
        return Err(malformed("Could not parse the policy: Statement is empty!"));
    }
    for statement in statements {
        let has = |member: &str| !statement[member].is_null();
        if !matches!(statement["Effect"].as_str(), Some("Allow" | "Deny")) {
            return Err(malformed("Invalid effect: must be Allow or Deny"));
        }
        for (member, other) in
            [("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")]
        {
            if !has(member) && !has(other) {
                return Err(malformed(format!("Missing required field {member}")));
            }
        }
        let own = format!("arn:aws:s3:::{bucket}");
        let is_own = |resource: &&Value| {
            let after = resource.as_str().and_then(|arn| arn.strip_prefix(&own));
            after.is_some_and(|after| after.is_empty() || after.starts_with(['/', '*']))
        };
        if !many(&statement["Resource"]).iter().all(is_own) {
            return Err(malformed("Policy has invalid resource"));
        }
        if many(&statement["Action"]).iter().any(|action| {
            !action.as_str().is_some_and(|action| action == "*" || action.starts_with("s3:"))
        }) {
            return Err(malformed("Policy has invalid action"));
        }
    }
    Ok(())
}

/// Condition keys that limit a policy to known callers.
const FIXED: &[&str] = &[
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:sourceip",
    "aws:userid",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

/// Whether a statement allows everyone, without a condition that names a caller.
fn is_public(policy: &Value) -> bool {
    statements_of(policy).into_iter().any(|statement| {
        let principal = &statement["Principal"];
        let everyone = principal == "*" || many(&principal["AWS"]).iter().any(|who| *who == "*");
        let conditions = statement["Condition"].as_object().into_iter().flatten();
        let mut keys = conditions.filter_map(|(_, tests)| tests.as_object()).flatten();
        statement["Effect"] == "Allow"
            && everyone
            && !keys.any(|(key, _)| FIXED.contains(&key.to_lowercase().as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_public_unless_a_condition_names_someone() {
        let check = |principal: Value, condition: Value, expected| {
            let statement = json!({
                "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::b/*", "Condition": condition,
            });
            let policy = json!({ "Statement": statement });
            assert_eq!(is_public(&policy), expected, "{policy}");
        };
        check(json!("*"), json!({}), true);
        check(json!({ "AWS": ["*"] }), json!({}), true);
        check(json!({ "AWS": "*" }), json!({ "Bool": { "aws:SecureTransport": "true" } }), true);
        check(json!("*"), json!({ "StringEquals": { "aws:SourceAccount": "1" } }), false);
        check(json!({ "AWS": "arn:aws:iam::1:root" }), json!({}), false);
        check(json!({ "Service": "logging.s3.amazonaws.com" }), json!({}), false);
    }
}
