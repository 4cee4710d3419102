//! Key policies, and the check that the caller can still change them.

use serde_json::{Value, json};

use super::super::toolbox::{flag, many};
use super::super::{ACCOUNT, Refusal};

/// The policy of a key that was created without one.
pub(super) fn default() -> String {
    let policy = json!({ "Version": "2012-10-17", "Id": "key-default-1", "Statement": [{
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") },
        "Action": "kms:*",
        "Resource": "*",
    }] });
    spread(&policy.to_string())
}

/// The policy as KMS returns it, if KMS accepts it.
pub(super) fn valid(policy: &str, input: &Value) -> Result<String, Refusal> {
    let malformed = |message| Refusal::new("MalformedPolicyDocumentException", message);
    if policy.len() > 32 * 1024 {
        return Err(Refusal::new("LimitExceededException", "The policy is larger than 32 KB."));
    }
    let tree: Value =
        serde_json::from_str(policy).map_err(|_| malformed("The policy is not valid JSON."))?;
    let statements = match tree.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().collect(),
        Some(statement @ Value::Object(_)) => vec![statement],
        _ => return Err(malformed("The policy has no Statement.")),
    };
    let named = |s: &&Value| s.get("Principal").is_some() || s.get("NotPrincipal").is_some();
    if !statements.iter().all(named) {
        return Err(malformed("Policy contains a statement with no principal."));
    }
    let safe = flag(input, "BypassPolicyLockoutSafetyCheck").unwrap_or(false)
        || statements.iter().any(|statement| lets_change_the_policy(statement));
    if safe {
        Ok(spread(policy))
    } else {
        Err(malformed(
            "The new key policy will not allow you to update the key policy in the future.",
        ))
    }
}

/// Whether a policy allows everybody, without a condition.
pub(super) fn admits_everybody(policy: &str) -> bool {
    let tree: Value = serde_json::from_str(policy).unwrap_or_default();
    let admits = |statement: &Value| {
        let principal = &statement["Principal"];
        statement["Effect"] == "Allow"
            && (principal == "*" || principal["AWS"] == "*")
            && statement.get("Condition").is_none()
    };
    many(&tree["Statement"]).into_iter().any(admits)
}

/// JSON as KMS writes it: members in order, one on each line. A list opens on the line where it
/// begins.
fn spread(json: &str) -> String {
    let mut out = String::new();
    let mut open: Vec<char> = Vec::new();
    let (mut quoted, mut escaped) = (false, false);
    let line = |out: &mut String, open: &[char]| {
        let depth = open.iter().filter(|c| **c == '{').count();
        out.push_str(&format!("\n{}", "  ".repeat(depth)));
    };
    for c in json.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            out.push(c);
            continue;
        }
        if c.is_whitespace() {
            continue;
        }
        let starts = out.ends_with(['{', '[', ',']);
        let inside = open.last().copied();
        match c {
            '}' => {
                open.pop();
                line(&mut out, &open);
            }
            ']' => {
                open.pop();
                out.push(' ');
            }
            _ if starts && inside == Some('{') => line(&mut out, &open),
            _ if starts => out.push(' '),
            _ => {}
        }
        match c {
            '{' | '[' => open.push(c),
            '"' => quoted = true,
            _ => {}
        }
        match c {
            ':' => out.push_str(" : "),
            _ => out.push(c),
        }
    }
    out
}

fn lets_change_the_policy(statement: &Value) -> bool {
    let principal = &statement["Principal"];
    let someone = principal == "*" || principal.get("AWS").is_some();
    let mut actions = many(&statement["Action"]).into_iter().filter_map(Value::as_str);
    let admits = |action: &str| match action.strip_suffix('*') {
        Some(start) => "kms:putkeypolicy".starts_with(&start.to_lowercase()),
        None => action.eq_ignore_ascii_case("kms:PutKeyPolicy"),
    };
    statement["Effect"] == "Allow" && someone && actions.any(admits)
}
