//! The website of a bucket, and CORS.

use super::checks::argument;
use crate::Refusal;
use crate::wire::xml::{Element, malformed};

fn request(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidRequest", message)
}

pub(super) fn website(document: &Element) -> Result<bool, Refusal> {
    let index = document.child("IndexDocument");
    if document.child("RedirectAllRequestsTo").is_some() {
        if document.children.len() > 1 {
            let message =
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.";
            return Err(argument(message, "RedirectAllRequestsTo", "not null"));
        }
        return Ok(true);
    }
    let Some(index) = index else {
        let message =
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty";
        return Err(argument(message, "IndexDocument", "null"));
    };
    let suffix = index.text_at(&["Suffix"]).unwrap_or_default();
    if suffix.is_empty() || suffix.contains('/') {
        let message = "The IndexDocument Suffix is not well formed";
        return Err(argument(message, "IndexDocument", suffix));
    }
    let Some(rules) = document.child("RoutingRules") else { return Ok(true) };
    if rules.children.is_empty() {
        return Err(malformed());
    }
    for rule in &rules.children {
        let redirect = rule.child("Redirect").ok_or_else(malformed)?;
        if redirect.text_at(&["Protocol"]).is_some_and(|name| !["http", "https"].contains(&name)) {
            return Err(request(
                "Invalid protocol, protocol can be http or https. If not defined the protocol \
                 will be selected automatically.",
            ));
        }
        let has = |name| redirect.child(name).is_some();
        if has("ReplaceKeyPrefixWith") && has("ReplaceKeyWith") {
            return Err(request(
                "You can only define ReplaceKeyPrefix or ReplaceKey but not both.",
            ));
        }
        if rule.child("Condition").is_some_and(|condition| condition.children.is_empty()) {
            return Err(request(
                "Condition cannot be empty. To redirect all requests without a condition, the \
                 condition element shouldn't be present.",
            ));
        }
    }
    Ok(true)
}

pub(super) fn cors(document: &Element) -> Result<bool, Refusal> {
    if !(1..=100).contains(&document.all("CORSRule").count()) {
        return Err(malformed());
    }
    for rule in document.all("CORSRule") {
        if rule.child("AllowedMethod").is_none() || rule.child("AllowedOrigin").is_none() {
            return Err(malformed());
        }
        for method in rule.all("AllowedMethod").map(|method| method.text.as_str()) {
            if !["GET", "PUT", "POST", "DELETE", "HEAD"].contains(&method) {
                return Err(request(format!(
                    "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                )));
            }
        }
    }
    Ok(true)
}
