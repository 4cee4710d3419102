//! Lifecycle rules.

use std::collections::BTreeSet;

use super::checks::{argument, invalid};
use crate::Refusal;
use crate::toolbox::hex;
use crate::wire::xml::{Element, malformed};

/// The default for the smallest size of objects that rules move.
pub(super) const LEAST_DEFAULT: &str = "all_storage_classes_128K";

/// The header with that size.
pub(super) const LEAST: &str = "x-amz-transition-default-minimum-object-size";

/// The smallest size that a call asks for.
pub(super) fn least(asked: Option<&str>) -> Result<&str, Refusal> {
    match asked {
        None => Ok(LEAST_DEFAULT),
        Some(size @ (LEAST_DEFAULT | "varies_by_storage_class")) => Ok(size),
        Some(other) => {
            let message = format!("Invalid TransitionDefaultMinimumObjectSize found: {other}");
            Err(Refusal::new("InvalidRequest", message))
        }
    }
}

pub(super) fn check(document: &mut Element) -> Result<bool, Refusal> {
    if !(1..=1000).contains(&document.all("Rule").count()) {
        return Err(malformed());
    }
    let mut ids = BTreeSet::new();
    for (number, rule) in document.children.iter_mut().enumerate() {
        check_rule(rule)?;
        let id = match rule.text_at(&["ID"]).filter(|id| !id.is_empty()) {
            Some(id) => id.to_owned(),
            None => {
                let id = hex([rule.render().len() as u8, number as u8, 0x5a, 0x4d]).repeat(4);
                rule.children.retain(|child| child.name != "ID");
                rule.children.insert(0, Element::with_text("ID", id.as_str()));
                id
            }
        };
        if id.len() > 255 {
            return Err(invalid("ID length should not exceed allowed limit of 255"));
        }
        if !ids.insert(id) {
            let message = "Rule ID must be unique. Found same ID for more than one rule";
            return Err(invalid(message));
        }
    }
    Ok(true)
}

fn check_rule(rule: &Element) -> Result<(), Refusal> {
    const ACTIONS: [&str; 5] = [
        "AbortIncompleteMultipartUpload",
        "Expiration",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionTransition",
        "Transition",
    ];
    if rule.name != "Rule" || !matches!(rule.text_at(&["Status"]), Some("Enabled" | "Disabled")) {
        return Err(malformed());
    }
    if rule.child("Filter").is_none() && rule.child("Prefix").is_none() {
        return Err(malformed());
    }
    if let Some(filter) = rule.child("Filter") {
        check_filter(filter)?;
    }
    check_expiration(rule)?;
    if !ACTIONS.iter().any(|action| rule.child(action).is_some()) {
        let message = "At least one action needs to be specified in a rule";
        return Err(Refusal::new("InvalidRequest", message));
    }
    let ends = [
        ("Transition", "Days", "Expiration"),
        ("NoncurrentVersionTransition", "NoncurrentDays", "NoncurrentVersionExpiration"),
    ];
    for (transition, days, expiration) in ends {
        let end = rule.text_at(&[expiration, days]).map(positive(days, expiration)).transpose()?;
        for step in rule.all(transition) {
            let class = step.text_at(&["StorageClass"]).ok_or_else(malformed)?;
            let Some(start) = step.text_at(&[days]) else { continue };
            let start: u32 = start.parse().map_err(|_| malformed())?;
            if matches!(class, "STANDARD_IA" | "ONEZONE_IA") && start < 30 {
                return Err(invalid(format!(
                    "'{days}' in {transition} action must be greater than or equal to 30 for \
                     storageClass '{class}'"
                )));
            }
            if end.is_some_and(|end| end <= start) {
                return Err(invalid(format!(
                    "'{days}' in the {expiration} action for filter must be greater than \
                     '{days}' in the {transition} action"
                )));
            }
        }
    }
    Ok(())
}

/// Checks a filter. It has one condition, or several inside `And`, and no tag twice.
fn check_filter(filter: &Element) -> Result<(), Refusal> {
    if filter.children.len() > 1 {
        return Err(malformed());
    }
    let mut keys = BTreeSet::new();
    for tag in filter.child("And").into_iter().flat_map(|and| and.all("Tag")) {
        if !keys.insert(tag.text_at(&["Key"]).unwrap_or_default()) {
            let message = "Duplicate Tag Keys are not allowed.";
            return Err(Refusal::new("InvalidRequest", message));
        }
    }
    Ok(())
}

/// Checks an expiration. It has one kind of measure, and a date must be midnight.
fn check_expiration(rule: &Element) -> Result<(), Refusal> {
    if rule.child("Expiration").is_some_and(|end| end.children.len() != 1)
        || rule.child("NoncurrentVersionExpiration").is_some_and(|end| end.children.is_empty())
    {
        return Err(malformed());
    }
    let dates = ["Expiration", "Transition"].into_iter().flat_map(|action| rule.all(action));
    for date in dates.filter_map(|action| action.text_at(&["Date"])) {
        let time = date.split_once('T').map_or("", |(_, time)| time.trim_end_matches('Z'));
        if time.bytes().any(|byte| !b"0:.".contains(&byte)) {
            return Err(argument("'Date' must be at midnight GMT", "Date", date));
        }
    }
    Ok(())
}

fn positive(days: &str, action: &str) -> impl Fn(&str) -> Result<u32, Refusal> {
    let message = format!("'{days}' for {action} action must be a positive integer");
    move |text| {
        let number = text.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| invalid(message.clone()))
    }
}
