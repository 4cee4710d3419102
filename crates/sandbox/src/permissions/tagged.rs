//! The tags in a call, in every form that a service takes, and the permission to give them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::toolbox::text;
use super::super::{ACCOUNT, Call};
use super::Need;

/// The tags of a call: from a map, or from a list of keys and values.
pub(super) fn given(input: &Value) -> BTreeMap<String, String> {
    let places = ["Tags", "tags", "ResourceTags"];
    let mut tags = BTreeMap::new();
    for given in places.iter().filter_map(|name| input.get(*name)) {
        tags.extend(read(given));
    }
    tags
}

/// The tags that a call to EC2 gives to new objects of a type.
pub(super) fn specified(input: &Value, kind: &str) -> BTreeMap<String, String> {
    let all = input.get("TagSpecification").and_then(Value::as_array);
    let of_kind = all.into_iter().flatten().filter(|one| text(one, "ResourceType") == Some(kind));
    of_kind.filter_map(|one| one.get("Tag")).flat_map(read).collect()
}

fn read(given: &Value) -> BTreeMap<String, String> {
    let pair = |tag: &Value| {
        let first = |names: [&str; 3]| names.iter().find_map(|name| text(tag, name));
        let key = first(["Key", "key", "TagKey"])?;
        Some((key.to_owned(), first(["Value", "value", "TagValue"])?.to_owned()))
    };
    match given {
        // The query protocol of RDS names the items of a list.
        Value::Object(list) if list.get("Tag").is_some_and(Value::is_array) => read(&list["Tag"]),
        Value::Object(tags) => {
            let one =
                |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
            tags.iter().filter_map(one).collect()
        }
        Value::Array(tags) => tags.iter().filter_map(pair).collect(),
        _ => BTreeMap::new(),
    }
}

/// The permission to tag, which a creation with tags needs.
pub(super) fn of_creation(call: &Call, prefix: &str, made: &[Need]) -> Vec<Need> {
    let tags = given(&call.input);
    let creates = ["Create", "Put", "Register", "Request", "Restore", "Run"];
    if tags.is_empty() || !creates.iter().any(|verb| call.operation.starts_with(verb)) {
        return Vec::new();
    }
    let action = match (prefix, call.operation.as_str()) {
        ("acm", _) => "acm:AddTagsToCertificate",
        ("autoscaling", _) => "autoscaling:CreateOrUpdateTags",
        ("elasticloadbalancing", _) => "elasticloadbalancing:AddTags",
        ("iam", "CreateRole") => "iam:TagRole",
        ("iam", "CreateInstanceProfile") => "iam:TagInstanceProfile",
        ("rds", _) => "rds:AddTagsToResource",
        ("sqs", _) => "sqs:TagQueue",
        ("ssm", _) => "ssm:AddTagsToResource",
        (prefix, _) => return of_tag_resource(call, prefix, made, &tags),
    };
    let parent = |member| text(&call.input, member).filter(|arn| !arn.is_empty());
    match (call.operation.as_str(), parent("LoadBalancerArn").or(parent("ListenerArn"))) {
        ("CreateRule", Some(listener)) => {
            let rule = listener.replace(":listener/", ":listener-rule/");
            let need = Need::new(action, format!("{rule}/0"));
            let tags = tags.iter();
            vec![
                tags.fold(need, |need, (key, value)| {
                    need.with(format!("aws:RequestTag/{key}"), value)
                }),
            ]
        }
        ("CreateListener", Some(balancer)) => {
            let listener = balancer.replace(":loadbalancer/", ":listener/");
            vec![Need::new(action, format!("{listener}/0"))]
        }
        _ if prefix == "rds" => {
            let own = |need: &&Need| !need.resource.contains(":default");
            let own = made.iter().filter(own).take(1);
            own.map(|need| Need::new(action, need.resource.clone())).collect()
        }
        _ => made.iter().map(|need| Need::new(action, need.resource.clone())).collect(),
    }
}

fn of_tag_resource(
    call: &Call,
    prefix: &str,
    made: &[Need],
    tags: &BTreeMap<String, String>,
) -> Vec<Need> {
    let Call { operation, region, .. } = call;
    let action = format!("{prefix}:TagResource");
    let arn = |tail: &str| format!("arn:aws:{prefix}:{region}:{ACCOUNT}:{tail}");
    let resource = match (prefix, operation.as_str()) {
        ("kms", _) => arn("key/0"),
        ("guardduty", _) => arn("detector/0"),
        ("lambda", "CreateEventSourceMapping") => arn("event-source-mapping:0"),
        ("ecs", "RegisterTaskDefinition") => {
            arn(&format!("task-definition/{}:0", text(&call.input, "family").unwrap_or_default()))
        }
        ("ce", _) => "*".to_owned(),
        _ => made.first().map_or_else(|| "*".to_owned(), |need| need.resource.clone()),
    };
    let mut need = Need::new(action, resource);
    for (key, value) in tags {
        need = need.with(format!("aws:RequestTag/{key}"), value);
    }
    vec![need]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tags_are_read_from_every_request_form() {
        let want = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        for input in [
            json!({ "Tags": { "a": "b" } }),
            json!({ "tags": [{ "key": "a", "value": "b" }] }),
            json!({ "Tags": [{ "TagKey": "a", "TagValue": "b" }] }),
        ] {
            assert_eq!(given(&input), want);
        }
        let input = json!({ "TagSpecification": [
            { "ResourceType": "vpc", "Tag": [{ "Key": "a", "Value": "b" }] },
        ] });
        assert_eq!(specified(&input, "vpc"), want);
        assert!(specified(&input, "subnet").is_empty() && given(&json!({ "Tags": "" })).is_empty());
    }
}
