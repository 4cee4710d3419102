//! WAF's checks, defaults and capacity units for the rules of an ACL.

use std::collections::BTreeSet;

use serde_json::Value;

use super::INVALID;
use crate::Refusal;
use crate::toolbox::{is_name, list, number, text};

/// The capacity units of AWS's rule groups, if they are not 50.
const GROUPS: &[(&str, i64)] = &[
    ("AWSManagedRulesAdminProtectionRuleSet", 100),
    ("AWSManagedRulesAmazonIpReputationList", 25),
    ("AWSManagedRulesCommonRuleSet", 700),
    ("AWSManagedRulesKnownBadInputsRuleSet", 200),
    ("AWSManagedRulesLinuxRuleSet", 200),
    ("AWSManagedRulesPHPRuleSet", 100),
    ("AWSManagedRulesSQLiRuleSet", 200),
    ("AWSManagedRulesUnixRuleSet", 100),
    ("AWSManagedRulesWindowsRuleSet", 200),
    ("AWSManagedRulesWordPressRuleSet", 100),
];

/// Checks an ACL and adds the defaults of members that callers may leave out.
pub(super) fn check(acl: &mut Value) -> Result<(), Refusal> {
    name(acl, "Name", 128)?;
    if let Some(description) = text(acl, "Description") {
        let trimmed = description.trim() == description;
        if !trimmed || !(1..=256).contains(&description.len()) {
            return Err(invalid("DESCRIPTION", "the description has a wrong length or form"));
        }
    }
    let decides = |action: &Value| action.get("Allow").is_some() ^ action.get("Block").is_some();
    if !acl.get("DefaultAction").is_some_and(decides) {
        return Err(invalid("DEFAULT_ACTION", "exactly one default action is required"));
    }
    visibility(acl)?;
    let mut seen = BTreeSet::new();
    let rules = acl.get_mut("Rules").and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten() {
        name(rule, "Name", 128)?;
        visibility(rule)?;
        let named = text(rule, "Name").unwrap_or_default().to_owned();
        let priority = number(rule, "Priority").unwrap_or(-1);
        if priority < 0 || !seen.insert(priority.to_string()) || !seen.insert(format!("/{named}")) {
            return Err(invalid("RULE", "names and priorities of rules must be unique"));
        }
        let groups = ["ManagedRuleGroupStatement", "RuleGroupReferenceStatement"];
        let is_group = groups.iter().any(|group| rule["Statement"].get(*group).is_some());
        let (action, over) = (rule.get("Action").is_some(), rule.get("OverrideAction").is_some());
        if (action, over) != (!is_group, is_group) {
            let message = "a rule has an action, a rule group an override action";
            return Err(invalid("RULE", message));
        }
        statement(rule.get_mut("Statement").ok_or_else(|| invalid("STATEMENT", "is required"))?)?;
    }
    if capacity(acl) > 5000 {
        let message = "AWS WAF couldn't perform the operation because you exceeded your \
                           resource limit: 5000 capacity units.";
        Err(Refusal::new("WAFLimitsExceededException", message))
    } else {
        Ok(())
    }
}

fn invalid(field: &str, reason: &str) -> Refusal {
    Refusal::new(INVALID, format!("Error reason: {reason}., field: {field}"))
}

fn name(object: &Value, member: &str, longest: usize) -> Result<(), Refusal> {
    if text(object, member).is_some_and(|name| is_name(name, 1..=longest, "-_")) {
        Ok(())
    } else {
        Err(invalid(&member.to_uppercase(), "the name is not valid"))
    }
}

fn visibility(object: &Value) -> Result<(), Refusal> {
    let Some(config) = object.get("VisibilityConfig") else {
        return Err(invalid("VISIBILITY_CONFIG", "is required"));
    };
    name(config, "MetricName", 128)?;
    let metric = text(config, "MetricName").unwrap_or_default();
    if ["All", "Default_Action"].contains(&metric) {
        Err(invalid("METRIC_NAME", "the name is reserved"))
    } else {
        Ok(())
    }
}

fn statement(statement: &mut Value) -> Result<(), Refusal> {
    let mut members = statement.as_object_mut().into_iter().flatten();
    let (Some((kind, body)), None) = (members.next(), members.next()) else {
        return Err(invalid("STATEMENT", "exactly one statement is required"));
    };
    match kind.as_str() {
        "RateBasedStatement" => {
            if body.get("EvaluationWindowSec").is_none() {
                body["EvaluationWindowSec"] = 300.into();
            }
            let window = number(body, "EvaluationWindowSec").unwrap_or_default();
            let limit = number(body, "Limit").unwrap_or_default();
            if !(10..=2_000_000_000).contains(&limit) || ![60, 120, 300, 600].contains(&window) {
                return Err(invalid("RATE_BASED_STATEMENT", "limit or window is not valid"));
            }
        }
        "SqliMatchStatement" | "XssMatchStatement" => {
            let field = body.get("FieldToMatch").and_then(Value::as_object);
            if field.is_none_or(|field| field.len() != 1) {
                return Err(invalid("FIELD_TO_MATCH", "exactly one field is required"));
            }
            let steps = list(body, "TextTransformations");
            let orders: BTreeSet<i64> =
                steps.iter().filter_map(|step| number(step, "Priority")).collect();
            if steps.is_empty() || orders.len() != steps.len() {
                let message = "transformations with unique priorities are required";
                return Err(invalid("TEXT_TRANSFORMATION", message));
            }
            if kind == "SqliMatchStatement" && body.get("SensitivityLevel").is_none() {
                body["SensitivityLevel"] = "LOW".into();
            }
        }
        "ManagedRuleGroupStatement" => {
            let group = text(body, "Name").unwrap_or_default();
            if text(body, "VendorName") == Some("AWS") && !group.starts_with("AWSManagedRules") {
                return Err(super::missing());
            }
        }
        "RuleGroupReferenceStatement" => {}
        "OrStatement" | "AndStatement" => {
            let parts = body.get_mut("Statements").and_then(Value::as_array_mut);
            let Some(parts) = parts.filter(|parts| parts.len() > 1) else {
                return Err(invalid("NESTED_STATEMENT", "at least two statements are required"));
            };
            parts.iter_mut().try_for_each(self::statement)?;
        }
        _ => return Err(Refusal::not_covered("wafv2", kind)),
    }
    Ok(())
}

/// The capacity units of an ACL, as AWS documents them.
pub(super) fn capacity(acl: &Value) -> i64 {
    list(acl, "Rules").iter().map(|rule| units(&rule["Statement"])).sum()
}

fn units(statement: &Value) -> i64 {
    let steps = |body: &Value| 10 * list(body, "TextTransformations").len() as i64;
    let Some((kind, body)) = statement.as_object().and_then(|members| members.iter().next()) else {
        return 0;
    };
    match kind.as_str() {
        "RateBasedStatement" => 2,
        "SqliMatchStatement" => {
            let high = text(body, "SensitivityLevel") == Some("HIGH");
            steps(body) + if high { 30 } else { 20 }
        }
        "XssMatchStatement" => steps(body) + 40,
        "ManagedRuleGroupStatement" => {
            let name = text(body, "Name").unwrap_or_default();
            GROUPS.iter().find(|(group, _)| *group == name).map_or(50, |(_, units)| *units)
        }
        "OrStatement" | "AndStatement" => list(body, "Statements").iter().map(units).sum(),
        _ => 1,
    }
}
