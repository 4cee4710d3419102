//! Whether an event fits a pattern: EventBridge's, and those of filters, which are the same.

use std::net::IpAddr;

use serde_json::Value;

use super::super::toolbox::fits;

/// Whether an event fits a pattern.
pub(crate) fn matches(pattern: &Value, event: &Value) -> bool {
    let Some(members) = pattern.as_object() else { return false };
    members.iter().all(|(name, wanted)| match (name.as_str(), wanted) {
        ("$or", Value::Array(all)) => all.iter().any(|one| matches(one, event)),
        (_, Value::Object(_)) => match event.get(name) {
            // A list fits if one of its objects does.
            Some(Value::Array(items)) => items.iter().any(|item| matches(wanted, item)),
            Some(inside) => matches(wanted, inside),
            None => matches(wanted, &Value::Null),
        },
        (_, Value::Array(rules)) => {
            let given = event.get(name);
            rules.iter().any(|rule| fits_rule(rule, given))
        }
        _ => false,
    })
}

/// Whether a value, or one of a list, fits a rule.
fn fits_rule(rule: &Value, given: Option<&Value>) -> bool {
    if let Some(wanted) = rule.get("exists").and_then(Value::as_bool) {
        return given.is_some() == wanted;
    }
    match given {
        None => false,
        Some(Value::Array(items)) => items.iter().any(|item| fits_one(rule, item)),
        Some(value) => fits_one(rule, value),
    }
}

fn fits_one(rule: &Value, value: &Value) -> bool {
    let Some((kind, wanted)) = rule.as_object().and_then(|rule| rule.iter().next()) else {
        return same(rule, value);
    };
    let text = value.as_str();
    let by_text = |test: &dyn Fn(&str, &str) -> bool| {
        text.zip(wanted.as_str()).is_some_and(|(text, wanted)| test(text, wanted))
    };
    match kind.as_str() {
        "prefix" | "suffix" if wanted.is_object() => {
            let wanted = wanted["equals-ignore-case"].as_str().map(str::to_lowercase);
            let (Some(text), Some(wanted)) = (text.map(str::to_lowercase), wanted) else {
                return false;
            };
            if kind == "prefix" { text.starts_with(&wanted) } else { text.ends_with(&wanted) }
        }
        "prefix" => by_text(&|text, wanted| text.starts_with(wanted)),
        "suffix" => by_text(&|text, wanted| text.ends_with(wanted)),
        "equals-ignore-case" => {
            by_text(&|text, wanted| text.to_lowercase() == wanted.to_lowercase())
        }
        "wildcard" => by_text(&|text, wanted| fits(&wanted.replace('?', "\u{0}"), text)),
        "cidr" => by_text(&in_network),
        "anything-but" => match wanted {
            Value::Array(all) => !all.iter().any(|one| fits_one(one, value)),
            one => !fits_one(one, value),
        },
        "numeric" => value.as_f64().is_some_and(|number| {
            let terms = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
            terms.chunks(2).all(|term| match term {
                [Value::String(operator), bound] => {
                    bound.as_f64().is_some_and(|bound| match operator.as_str() {
                        "=" => number == bound,
                        "<" => number < bound,
                        "<=" => number <= bound,
                        ">" => number > bound,
                        ">=" => number >= bound,
                        _ => false,
                    })
                }
                _ => false,
            })
        }),
        _ => false,
    }
}

/// Equal, where 1 is as good as 1.0.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn in_network(address: &str, network: &str) -> bool {
    let Some((base, bits)) = network.split_once('/') else { return false };
    let Ok(bits) = bits.parse::<u32>() else { return false };
    match (address.parse(), base.parse()) {
        (Ok(IpAddr::V4(address)), Ok(IpAddr::V4(base))) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            u32::from(address) & mask == u32::from(base) & mask
        }
        (Ok(IpAddr::V6(address)), Ok(IpAddr::V6(base))) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            u128::from(address) & mask == u128::from(base) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_fit_what_eventbridge_says_they_fit() {
        let event = json!({
            "source": "payment", "resources": ["a", "b"], "empty": null,
            "detail": { "amount": 12.5, "state": "FAILED", "ip": "10.0.0.7",
                "items": [{ "sku": 1 }, { "sku": 2 }] },
        });
        for (pattern, expected) in [
            (json!({ "source": ["payment"] }), true),
            (json!({ "source": ["order", "payment"] }), true),
            (json!({ "source": ["order"] }), false),
            (json!({ "missing": ["a"] }), false),
            (json!({ "resources": ["b"] }), true),
            (json!({ "empty": [null] }), true),
            (json!({ "detail": { "amount": [{ "numeric": [">", 10, "<=", 12.5] }] } }), true),
            (json!({ "detail": { "amount": [{ "numeric": [">", 12.5] }] } }), false),
            (json!({ "detail": { "state": [{ "prefix": "FA" }] } }), true),
            (json!({ "detail": { "state": [{ "suffix": "FA" }] } }), false),
            (json!({ "detail": { "state": [{ "equals-ignore-case": "failed" }] } }), true),
            (json!({ "detail": { "state": [{ "wildcard": "F*D" }] } }), true),
            (json!({ "detail": { "state": [{ "wildcard": "F?ILED" }] } }), false),
            (json!({ "detail": { "state": [{ "anything-but": ["PAID", "OPEN"] }] } }), true),
            (json!({ "detail": { "state": [{ "anything-but": { "prefix": "FA" } }] } }), false),
            (json!({ "detail": { "more": [{ "exists": false }] } }), true),
            (json!({ "detail": { "more": { "deep": [{ "exists": false }] } } }), true),
            (json!({ "detail": { "state": [{ "exists": false }] } }), false),
            (json!({ "detail": { "ip": [{ "cidr": "10.0.0.0/24" }] } }), true),
            (json!({ "detail": { "ip": [{ "cidr": "10.1.0.0/24" }] } }), false),
            (json!({ "detail": { "items": { "sku": [2] } } }), true),
            (json!({ "$or": [{ "source": ["x"] }, { "resources": ["a"] }] }), true),
            (json!({ "$or": [{ "source": ["x"] }, { "resources": ["c"] }] }), false),
        ] {
            assert_eq!(matches(&pattern, &event), expected, "{pattern}");
        }
    }
}
