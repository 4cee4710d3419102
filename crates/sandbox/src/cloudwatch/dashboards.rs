//! Dashboards.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{State, TAGS, VALUE, dashboard_arn};
use crate::toolbox::{
    KEY_VALUE, Tags, add_tags, is_name, list as items, need, number, page, refuse, tag_list, text,
    texts,
};
use crate::wire::cbor::time;
use crate::{Answer, Refusal};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Dashboard {
    body: String,
    pub(super) tags: Tags,
    changed: f64,
}

const INVALID: &str = "InvalidParameterInput";
const KINDS: &[&str] = &["alarm", "custom", "explorer", "log", "metric", "text"];

pub(super) fn put(state: &mut State, input: &Value, now: f64) -> Answer {
    let name = need(input, "DashboardName", INVALID)?;
    if !is_name(name, 1..=255, "-_") {
        let message = "The value for field DashboardName contains invalid characters. It can only \
                       contain alphanumerics, dash (-) and underscore (_).\n";
        return Err(Refusal::new(VALUE, message));
    }
    let body = need(input, "DashboardBody", INVALID)?;
    let messages = check(body)?;
    let tags = match state.dashboards.get(name) {
        Some(dashboard) => dashboard.tags.clone(),
        None => {
            let mut tags = Tags::new();
            add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
            tags
        }
    };
    let dashboard = Dashboard { body: body.to_owned(), tags, changed: now };
    state.dashboards.insert(name.to_owned(), dashboard);
    Ok(json!({ "DashboardValidationMessages": messages }))
}

/// The faults of a body. A body that cannot be shown is refused; other faults are messages beside
/// the success.
fn check(body: &str) -> Result<Vec<Value>, Refusal> {
    let wrong = |message: String| Err(Refusal::new(INVALID, message));
    let tree: Value = match serde_json::from_str(body) {
        Ok(tree) => tree,
        Err(error) => {
            return wrong(format!("The field DashboardBody must be a valid JSON: {error}"));
        }
    };
    if !tree.get("widgets").is_some_and(Value::is_array) {
        return wrong("The dashboard body is invalid: /widgets should be an array".into());
    }
    let mut messages = Vec::new();
    for (place, widget) in items(&tree, "widgets").iter().enumerate() {
        let at = format!("/widgets/{place}");
        let kind = text(widget, "type").unwrap_or_default();
        if !KINDS.contains(&kind) {
            return wrong(format!("{at}/type should be one of {KINDS:?}"));
        }
        let size = |key, otherwise| number(widget, key).unwrap_or(otherwise);
        let (x, width, height) = (size("x", 0), size("width", 6), size("height", 6));
        if !(1..=24).contains(&width) || !(1..=1000).contains(&height) || x < 0 || x + width > 24 {
            return wrong(format!("{at} does not fit the grid of 24 columns"));
        }
        let Some(properties) = widget.get("properties").filter(|it| it.is_object()) else {
            return wrong(format!("{at}/properties is required"));
        };
        let mut miss = |key: &str| {
            messages.push(json!({
                "DataPath": format!("{at}/properties/{key}"),
                "Message": format!("Should have required property '{key}'"),
            }));
        };
        let required: &[&str] = match kind {
            "metric" => &["metrics", "region"],
            "text" => &["markdown"],
            "alarm" => &["alarms"],
            _ => &[],
        };
        for key in required.iter().filter(|key| properties.get(**key).is_none()) {
            miss(key);
        }
        let bad = items(properties, "metrics").iter().any(|metric| !metric.is_array());
        if bad {
            return wrong(format!("{at}/properties/metrics should hold arrays"));
        }
    }
    Ok(messages)
}

fn find<'a>(state: &'a State, name: &str) -> Result<&'a Dashboard, Refusal> {
    state
        .dashboards
        .get(name)
        .ok_or_else(|| refuse(404, "ResourceNotFound", format!("Dashboard {name} does not exist")))
}

pub(super) fn get(state: &State, input: &Value) -> Answer {
    let name = need(input, "DashboardName", VALUE)?;
    let dashboard = find(state, name)?;
    Ok(json!({
        "DashboardArn": dashboard_arn(name),
        "DashboardName": name,
        "DashboardBody": dashboard.body,
    }))
}

pub(super) fn list(state: &State, input: &Value) -> Answer {
    let prefix = text(input, "DashboardNamePrefix").unwrap_or_default();
    let found = state.dashboards.iter().filter(|(name, _)| name.starts_with(prefix));
    let entries = found.map(|(name, dashboard)| {
        let entry = json!({
            "DashboardName": name,
            "DashboardArn": dashboard_arn(name),
            "LastModified": time(dashboard.changed),
            "Size": dashboard.body.len(),
        });
        (name.clone(), entry)
    });
    let (entries, next) = page(entries.collect(), text(input, "NextToken"), 1000);
    Ok(json!({ "DashboardEntries": entries, "NextToken": next }))
}

pub(super) fn delete(state: &mut State, input: &Value) -> Answer {
    let names = texts(input, "DashboardNames");
    if names.is_empty() {
        return Err(Refusal::new(VALUE, "The field DashboardNames must not be empty"));
    }
    let missing: Vec<&str> = names
        .iter()
        .filter(|name| state.dashboards.remove(name).is_none())
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        Ok(json!({}))
    } else {
        let message = format!("Dashboards {} do not exist", missing.join(", "));
        Err(refuse(404, "ResourceNotFound", message))
    }
}
