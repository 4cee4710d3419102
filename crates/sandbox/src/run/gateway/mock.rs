//! Integrations of the type MOCK: a template says the status, and a mapping the answer.

use serde_json::Value;

use super::Said;
use crate::toolbox::{number, text};
use crate::wire::{Request, Response};

/// The answer of a mock.
pub(super) fn answer(integration: &Value, request: &Request) -> Result<Response, Said> {
    let kind = request.header("content-type").unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let template = text(&integration["requestTemplates"], kind).unwrap_or("{\"statusCode\": 200}");
    let chosen: Value = serde_json::from_str(template).unwrap_or_default();
    // A template that is no JSON is one in AWS's template language.
    let Some(status) = number(&chosen, "statusCode") else {
        return Err(if template.contains(['$', '#']) {
            no_templates()
        } else {
            Said::internal(500)
        });
    };
    let status = status.to_string();
    let all = integration["integrationResponses"].as_object();
    let all = || all.into_iter().flat_map(serde_json::Map::values);
    let pattern = |one: &&Value| text(one, "selectionPattern").unwrap_or_default().to_owned();
    let found = all().find(|one| pattern(one) == status);
    let Some(found) = found.or_else(|| all().find(|one| pattern(one).is_empty())) else {
        return Err(Said::internal(500));
    };
    let status = text(found, "statusCode").and_then(|status| status.parse().ok()).unwrap_or(200);
    let body = text(&found["responseTemplates"], "application/json").unwrap_or_default();
    if body.contains("$context") || body.contains("$input") || body.contains("#set") {
        return Err(no_templates());
    }
    let mut response = Response { status, body: body.into(), ..Response::default() };
    let mut has_type = false;
    for (parameter, value) in found["responseParameters"].as_object().into_iter().flatten() {
        let name = parameter.strip_prefix("method.response.header.");
        let literal = value.as_str().and_then(|value| value.strip_prefix('\'')?.strip_suffix('\''));
        if let (Some(name), Some(literal)) = (name, literal) {
            has_type |= name.eq_ignore_ascii_case("content-type");
            response.set(&name.to_ascii_lowercase(), literal);
        }
    }
    if !has_type {
        response.set("content-type", "application/json");
    }
    Ok(response)
}

fn no_templates() -> Said {
    Said::not_run("the sandbox does not run mapping templates with variables or directives")
}
