//! Violations of an operation's model. AWS reports all of them together, before it checks anything
//! else.

use serde_json::Value;

use super::super::Refusal;
use super::super::constraints::{Broken, one_of};
use super::super::toolbox::{list, text, texts};
use super::patch::OPS;

/// Refuses an input that breaks the model.
pub(super) fn check(operation: &str, input: &Value) -> Result<(), Refusal> {
    for member in TEXTS.iter().filter(|(name, _)| *name == operation).flat_map(|(_, all)| *all) {
        are_texts(&input[member])?;
    }
    let mut broken = Broken::default();
    let root = format!("{}{}Input", operation[..1].to_ascii_lowercase(), &operation[1..]);
    if operation.starts_with("Update") {
        for (place, patch) in list(input, "patchOperations").iter().enumerate() {
            let at = format!("{root}.patchOperations.{}.member.op", place + 1);
            broken.one_of(&at, Some(text(patch, "op").unwrap_or_default()), &OPS);
        }
    }
    if operation == "CreateRestApi" {
        let endpoint = &input["endpointConfiguration"];
        let at = format!("{root}.endpointConfiguration");
        let types = texts(endpoint, "types");
        if !types.iter().all(|kind| ENDPOINTS.contains(&&**kind)) {
            let what = format!("Member must satisfy constraint: [{}]", one_of(&ENDPOINTS));
            broken.note(&format!("{at}.types"), format!("[{}]", types.join(", ")), &what);
        }
        broken.one_of(&format!("{at}.ipAddressType"), text(endpoint, "ipAddressType"), &IP_TYPES);
    }
    if operation == "PutIntegration" {
        broken.one_of(&format!("{root}.type"), text(input, "type"), &INTEGRATIONS);
    }
    if let Some(status) = text(input, "status").filter(|status| !is_status(status)) {
        let what = r"Member must satisfy regular expression pattern: [1-5]\d\d";
        broken.note("statusCode", status, what);
    }
    broken.refuse()
}

/// The endpoint types, in the order of the model.
pub(super) const ENDPOINTS: [&str; 3] = ["PRIVATE", "EDGE", "REGIONAL"];

/// The address types.
pub(super) const IP_TYPES: [&str; 2] = ["ipv4", "dualstack"];

const INTEGRATIONS: [&str; 5] = ["HTTP", "MOCK", "AWS_PROXY", "HTTP_PROXY", "AWS"];

/// Maps of texts by operation.
const TEXTS: &[(&str, &[&str])] = &[
    ("CreateStage", &["variables", "tags"]),
    ("PutIntegration", &["requestParameters", "requestTemplates"]),
    ("PutIntegrationResponse", &["responseParameters", "responseTemplates"]),
    ("TagResource", &["tags"]),
];

/// Refuses a value in a text map that is not a text. AWS's parser finds it.
fn are_texts(map: &Value) -> Result<(), Refusal> {
    for value in map.as_object().into_iter().flat_map(|map| map.values()) {
        let class = match value {
            Value::Bool(_) => "java.lang.Boolean",
            Value::Number(_) => "com.amazon.coral.value.json.numbers.TruncatingBigNumber",
            _ => continue,
        };
        let message = format!("class {class} can not be converted to an String");
        return Err(Refusal::new("SerializationException", message));
    }
    Ok(())
}

fn is_status(status: &str) -> bool {
    let mut bytes = status.bytes();
    status.len() == 3
        && matches!(bytes.next(), Some(b'1'..=b'5'))
        && bytes.all(|byte| byte.is_ascii_digit())
}
