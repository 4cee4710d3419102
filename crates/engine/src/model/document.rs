//! Policy documents in one canonical form, so that equal policies are equal values.
//!
//! AWS re-orders, wraps single values into lists or unwraps them, writes numbers as strings and
//! account ids as root ARNs. All of that is settled here, once, in both directions.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// A policy document in canonical form. References may stand inside (`$text`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Document(Value);

/// Text that is not a policy document.
#[derive(Debug, thiserror::Error)]
#[error("not a policy document: {0}")]
pub struct NotADocument(String);

impl Document {
    /// A document of these statements, version 2012-10-17.
    pub fn of(statements: impl IntoIterator<Item = Value>) -> Self {
        let statements: Vec<Value> = statements.into_iter().collect();
        Self::from_value(&json!({ "Version": "2012-10-17", "Statement": statements }))
    }

    /// The canonical form of any policy tree.
    pub fn from_value(tree: &Value) -> Self {
        let mut document = Map::new();
        let version = tree.get("Version").and_then(Value::as_str).unwrap_or("2008-10-17");
        document.insert("Version".into(), version.into());
        if let Some(id) = tree.get("Id").filter(|id| !id.is_null()) {
            document.insert("Id".into(), id.clone());
        }
        let statements = tree.get("Statement").map(as_list).unwrap_or_default();
        let mut statements: Vec<Value> = statements.iter().map(statement).collect();
        statements.sort_by_cached_key(Value::to_string);
        statements.dedup();
        document.insert("Statement".into(), Value::Array(statements));
        Self(Value::Object(document))
    }

    /// Parses what AWS returns: JSON, URL-encoded JSON (IAM), or escaped JSON (API Gateway).
    pub fn parse(text: &str) -> Result<Self, NotADocument> {
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        let candidates =
            [text.to_owned(), decoded.into_owned(), text.replace("\\\"", "\"").replace("\\/", "/")];
        let tree = candidates.iter().find_map(|text| serde_json::from_str::<Value>(text).ok());
        match tree {
            Some(tree) if tree.is_object() => Ok(Self::from_value(&tree)),
            Some(_) | None => Err(NotADocument(text.chars().take(80).collect())),
        }
    }

    /// The tree.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The statements.
    pub fn statements(&self) -> &[Value] {
        self.0["Statement"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The JSON to send. A list of one is sent as that one: AWS takes both, others only that.
    pub fn to_json(&self) -> String {
        let mut tree = self.0.clone();
        if let Some(statements) = tree["Statement"].as_array_mut() {
            statements.iter_mut().for_each(unwrap_singles);
        }
        tree.to_string()
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_value(&Value::deserialize(deserializer)?))
    }
}

fn as_list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        other => vec![other.clone()],
    }
}

fn sorted(value: &Value, item: impl Fn(&Value) -> Value) -> Value {
    let mut items: Vec<Value> = as_list(value).iter().map(item).collect();
    items.sort_by_cached_key(Value::to_string);
    items.dedup();
    Value::Array(items)
}

fn statement(tree: &Value) -> Value {
    let Value::Object(fields) = tree else { return tree.clone() };
    let canonical = fields.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| {
        let value = match key.as_str() {
            "Action" | "NotAction" | "Resource" | "NotResource" => sorted(value, Value::clone),
            "Principal" | "NotPrincipal" => principals(value),
            "Condition" => conditions(value),
            _ => value.clone(),
        };
        (key.clone(), value)
    });
    Value::Object(canonical.filter(|(key, value)| key != "Sid" || value != "").collect())
}

fn unwrap_singles(value: &mut Value) {
    match value {
        Value::Array(items) if items.len() == 1 => *value = items.remove(0),
        Value::Object(fields) => fields.values_mut().for_each(unwrap_singles),
        _ => {}
    }
}

fn principals(value: &Value) -> Value {
    match value {
        Value::Object(kinds) if !kinds.contains_key("$text") => Value::Object(
            kinds.iter().map(|(kind, who)| (kind.clone(), sorted(who, principal))).collect(),
        ),
        everyone => json!({ "AWS": sorted(everyone, principal) }),
    }
}

fn principal(value: &Value) -> Value {
    match value.as_str() {
        Some(id) if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) => {
            json!(format!("arn:aws:iam::{id}:root"))
        }
        _ => value.clone(),
    }
}

fn conditions(value: &Value) -> Value {
    let Value::Object(operators) = value else { return value.clone() };
    let text = |value: &Value| match value {
        Value::Bool(yes) => json!(yes.to_string()),
        Value::Number(number) => json!(number.to_string()),
        _ => value.clone(),
    };
    Value::Object(
        operators
            .iter()
            .map(|(operator, keys)| {
                let keys = keys.as_object().into_iter().flatten();
                let keys = keys.map(|(key, values)| (key.to_lowercase(), sorted(values, text)));
                (operator.clone(), Value::Object(keys.collect()))
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(left: Value, right: Value) {
        assert_eq!(Document::from_value(&left), Document::from_value(&right));
    }

    #[test]
    fn policies_rewritten_by_aws_stay_equal() {
        equal(
            json!({ "Version": "2012-10-17", "Statement": {
                "Effect": "Allow", "Action": "sqs:SendMessage", "Principal": { "AWS": "123456789012" },
                "Resource": ["b", "a"], "Condition": { "Bool": { "aws:SecureTransport": false } } } }),
            json!({ "Version": "2012-10-17", "Statement": [{
                "Principal": { "AWS": ["arn:aws:iam::123456789012:root"] }, "Sid": "",
                "Action": ["sqs:SendMessage"], "Effect": "Allow", "Resource": ["a", "b"],
                "Condition": { "Bool": { "AWS:SecureTransport": ["false"] } } }] }),
        );
        equal(
            json!({ "Statement": [{ "Effect": "Deny", "Principal": "*" }] }),
            json!({ "Statement": [{ "Effect": "Deny", "Principal": { "AWS": "*" } }] }),
        );
    }

    #[test]
    fn different_policies_stay_different() {
        let allow = Document::of([json!({ "Effect": "Allow", "Action": "s3:GetObject" })]);
        let more = Document::of([
            json!({ "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"] }),
        ]);
        assert_ne!(allow, more);
    }

    #[test]
    fn every_spelling_that_aws_uses_is_parsed() {
        let document = Document::of([
            json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*" }),
        ]);
        let json = document.to_json();
        assert_eq!(Document::parse(&json).unwrap(), document);
        let encoded = json.replace('{', "%7B").replace('"', "%22");
        assert_eq!(Document::parse(&encoded).unwrap(), document);
        let escaped = json.replace('/', "\\/").replace('"', "\\\"");
        assert_eq!(Document::parse(&escaped).unwrap(), document);
        assert!(Document::parse("no policy").is_err());
    }
}
