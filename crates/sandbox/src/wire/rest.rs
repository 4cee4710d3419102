//! REST with JSON: the method and the path name the operation, and the input comes from path, query
//! and body.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::Request;
use crate::toolbox::refuse;
use crate::{Refusal, apigateway, guardduty, lambda, route53};

/// Method, path and operation. In a path, `{Name}` stands for one segment and `{Name+}` for all
/// that follow. A pair after `?` must be in the query.
pub(crate) type RestRoute = (&'static str, &'static str, &'static str);

/// The routes of a service that speaks REST with JSON.
fn routes(service: &str) -> &'static [RestRoute] {
    match service {
        "guardduty" => guardduty::ROUTES,
        "lambda" => lambda::ROUTES,
        "apigateway" => apigateway::ROUTES,
        "route53" => route53::ROUTES,
        _ => &[],
    }
}

/// The HTTP status of a successful operation.
pub(crate) fn status(service: &str, operation: &str) -> u16 {
    match service {
        "lambda" => lambda::status(operation),
        "apigateway" => apigateway::status(operation),
        "route53" => route53::status(operation),
        _ => 200,
    }
}

/// The body of a refusal.
pub(crate) fn refusal(service: &str, code: &str, message: &str) -> Value {
    match service {
        "lambda" => lambda::body(code, message),
        _ => json!({ "message": message }),
    }
}

/// The operation of a request, if its service has one with this method and path.
pub(crate) fn operation(service: &str, request: &Request) -> Option<&'static str> {
    matching(service, request).map(|(operation, _)| operation)
}

/// The input: the members of the body, then those of the query (a list if one is repeated), then
/// those of the path.
pub(crate) fn input(service: &str, request: &Request) -> Result<Value, Refusal> {
    let Some((operation, named)) = matching(service, request) else {
        let asked = format!("{} {}", request.method, request.path());
        return Err(Refusal::not_covered(service, &asked));
    };
    if (service, operation) == ("lambda", "CreateFunction")
        && request.body.len() > lambda::LARGEST_REQUEST
    {
        let message = format!(
            "Request must be smaller than {} bytes for the {operation} operation",
            lambda::LARGEST_REQUEST
        );
        return Err(refuse(413, "RequestEntityTooLargeException", message));
    }
    let mut members = match serde_json::from_slice(&request.body) {
        _ if request.body.is_empty() => Map::new(),
        Ok(Value::Object(members)) => members,
        Ok(_) => {
            let message = format!("{operation} takes an object");
            return Err(Refusal::new("SerializationException", message));
        }
        Err(error) => return Err(Refusal::new("SerializationException", error.to_string())),
    };
    for pair in request.query().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = Value::String(decode(&value.replace('+', " ")));
        match members.get_mut(name) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => drop(members.insert(decode(name), value)),
        }
    }
    members.extend(named);
    Ok(Value::Object(members))
}

fn matching(service: &str, request: &Request) -> Option<(&'static str, Map<String, Value>)> {
    let path = request.path();
    routes(service).iter().find_map(|(method, template, operation)| {
        let (template, pair) = template.split_once('?').unwrap_or((template, ""));
        let asked = pair.is_empty() || request.query().split('&').any(|it| it == pair);
        let fits = request.method == *method && asked;
        let named = fits.then(|| segments(template, path)).flatten()?;
        Some((*operation, named))
    })
}

/// The values of the names in a template, if the path fits it.
fn segments(template: &str, path: &str) -> Option<Map<String, Value>> {
    let mut named = Map::new();
    let mut rest = Some(path.trim_matches('/'));
    for part in template.trim_matches('/').split('/') {
        let left = rest?;
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        if let Some(name) = name.and_then(|name| name.strip_suffix('+')) {
            named.insert(name.to_owned(), Value::String(decode(left)));
            return Some(named);
        }
        let (segment, after) = match left.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (left, None),
        };
        match name {
            Some(name) if !segment.is_empty() => {
                named.insert(name.to_owned(), Value::String(decode(segment)));
            }
            None if part == segment => {}
            Some(_) | None => return None,
        }
        rest = after;
    }
    rest.is_none().then_some(named)
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_their_templates() {
        let named = |template, path| segments(template, path).map(Value::Object);
        let template = "/restapis/{restApiId}/stages/{stageName}";
        assert_eq!(
            named(template, "/restapis/a1/stages/my%20stage"),
            Some(json!({ "restApiId": "a1", "stageName": "my stage" }))
        );
        assert_eq!(named(template, "/restapis/a1/stages"), None);
        assert_eq!(named(template, "/restapis/a1/stages/prod/sdks"), None);
        assert_eq!(named("/tags/{arn+}", "/tags/a/b"), Some(json!({ "arn": "a/b" })));
        assert_eq!(named("/account", "/account/"), Some(json!({})));
    }
}
