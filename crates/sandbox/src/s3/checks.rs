//! What AWS refuses in a sub-configuration, and what it fills in. Each check says whether there is
//! anything to keep.

use std::collections::BTreeSet;

use super::configs::read;
use super::{Bucket, State, hex};
use crate::Refusal;
use crate::wire::xml::{Element, malformed};

pub(super) fn refuse_acl(bucket: &Bucket) -> Result<(), Refusal> {
    let rule = read(bucket, "ownershipControls");
    match rule.text_at(&["Rule", "ObjectOwnership"]) {
        Some("BucketOwnerEnforced") => {
            let message = "The bucket does not allow ACLs";
            Err(Refusal::new("AccessControlListNotSupported", message))
        }
        _ => Ok(()),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidArgument", message)
}

pub(super) fn tagging(document: &Element) -> Result<bool, Refusal> {
    let refused = |message: &str| Err(Refusal::new("InvalidTag", message));
    let set = document.child("TagSet").ok_or_else(malformed)?;
    let mut keys = BTreeSet::new();
    for tag in &set.children {
        let key = tag.child("Key").map(|key| key.text.as_str()).unwrap_or_default();
        let value = tag.child("Value").ok_or_else(malformed)?.text.as_str();
        if key.is_empty() || key.chars().count() > 128 {
            return refused("The TagKey you have provided is invalid");
        }
        if value.chars().count() > 256 {
            return refused("The TagValue you have provided is invalid");
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return refused("System tags cannot be added/updated by requester");
        }
        if !key.chars().chain(value.chars()).all(is_tag_character) {
            return refused("The TagKey or TagValue you have provided is invalid");
        }
        if !keys.insert(key) {
            return refused("Cannot provide multiple Tags with the same key");
        }
    }
    match keys.len() {
        0 => Ok(false),
        1..=50 => Ok(true),
        _ => Err(Refusal::new("BadRequest", "Bucket tag count cannot be greater than 50")),
    }
}

fn is_tag_character(character: char) -> bool {
    character.is_alphanumeric() || " _.:/=+-@".contains(character)
}

pub(super) fn versioning(bucket: &Bucket, document: &Element) -> Result<bool, Refusal> {
    match document.text_at(&["Status"]) {
        Some("Enabled") => Ok(true),
        Some("Suspended") if bucket.configs.contains_key("object-lock") => {
            let message = "An Object Lock configuration is present on this bucket, so the \
                           versioning state cannot be changed.";
            Err(Refusal::new("InvalidBucketState", message).with_status(409))
        }
        Some("Suspended") => Ok(true),
        _ => {
            let message = "The Versioning element must be specified";
            Err(Refusal::new("IllegalVersioningConfigurationException", message))
        }
    }
}

/// A lock needs versions, has a mode, and either days or years.
pub(super) fn object_lock(bucket: &Bucket, document: &Element) -> Result<bool, Refusal> {
    if super::configs::versioning_status(bucket).as_deref() != Some("Enabled") {
        let message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock \
                       configuration";
        return Err(Refusal::new("InvalidBucketState", message).with_status(409));
    }
    if document.text_at(&["ObjectLockEnabled"]) != Some("Enabled") {
        return Err(malformed());
    }
    let Some(rule) = document.child("Rule") else { return Ok(true) };
    let retention = rule.child("DefaultRetention").ok_or_else(malformed)?;
    let mode = retention.text_at(&["Mode"]);
    let period = |name| retention.text_at(&[name]).map(str::parse::<u32>);
    let one = match (period("Days"), period("Years")) {
        (Some(Ok(days)), None) => (1..=36_500).contains(&days),
        (None, Some(Ok(years))) => (1..=100).contains(&years),
        _ => false,
    };
    match one && matches!(mode, Some("GOVERNANCE" | "COMPLIANCE")) {
        true => Ok(true),
        false => Err(malformed()),
    }
}

pub(super) fn encryption(document: &mut Element) -> Result<bool, Refusal> {
    if document.all("Rule").count() != 1 {
        return Err(malformed());
    }
    let rules = document.children.iter_mut().filter(|child| child.name == "Rule");
    for rule in rules {
        let default = rule.child("ApplyServerSideEncryptionByDefault");
        if let Some(default) = default {
            let algorithm = default.text_at(&["SSEAlgorithm"]).ok_or_else(malformed)?;
            if !["AES256", "aws:kms", "aws:kms:dsse"].contains(&algorithm) {
                return Err(malformed());
            }
            if algorithm == "AES256" && default.child("KMSMasterKeyID").is_some() {
                return Err(invalid(
                    "a KMSMasterKeyID is not applicable if the default sse algorithm is not \
                     aws:kms or aws:kms:dsse",
                ));
            }
        }
        if rule.child("BucketKeyEnabled").is_none() {
            rule.children.push(Element::with_text("BucketKeyEnabled", "false"));
        }
        if rule.child("BlockedEncryptionTypes").is_none() {
            let kind = Element::with_text("EncryptionType", "SSE-C");
            let mut blocked = Element::with_text("BlockedEncryptionTypes", "");
            blocked.children.push(kind);
            rule.children.push(blocked);
        }
    }
    Ok(true)
}

/// The four blocks of public access.
pub(super) const BLOCKS: [&str; 4] =
    ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];

pub(super) fn public_access(document: &mut Element) -> bool {
    for name in BLOCKS {
        if document.child(name).is_none() {
            document.children.push(Element::with_text(name, "false"));
        }
    }
    true
}

pub(super) fn ownership(document: &Element) -> Result<bool, Refusal> {
    match document.text_at(&["Rule", "ObjectOwnership"]) {
        Some("BucketOwnerEnforced" | "BucketOwnerPreferred" | "ObjectWriter") => Ok(true),
        _ => Err(malformed()),
    }
}

pub(super) fn logging(state: &State, bucket: &Bucket, document: &Element) -> Result<bool, Refusal> {
    let Some(enabled) = document.child("LoggingEnabled") else { return Ok(false) };
    let target = enabled.text_at(&["TargetBucket"]).unwrap_or_default();
    let Some(receiver) = state.buckets.get(target) else {
        let message = "The target bucket for logging does not exist";
        return Err(Refusal::new("InvalidTargetBucketForLogging", message));
    };
    if receiver.region != bucket.region {
        let message = "Cross S3 location logging not allowed.";
        return Err(Refusal::new("CrossLocationLoggingProhibited", message).with_status(403));
    }
    if receiver.configs.contains_key("object-lock") {
        let message = "A bucket with Object Lock cannot be the target bucket for logging";
        return Err(Refusal::new("InvalidTargetBucketForLogging", message));
    }
    if enabled.child("TargetGrants").is_some() {
        refuse_acl(receiver)?;
    }
    enabled.child("TargetPrefix").map(|_| true).ok_or_else(malformed)
}

pub(super) fn lifecycle(document: &mut Element) -> Result<bool, Refusal> {
    if !(1..=1000).contains(&document.all("Rule").count()) {
        return Err(malformed());
    }
    let mut ids = BTreeSet::new();
    for (number, rule) in document.children.iter_mut().enumerate() {
        check_rule(rule)?;
        let id = match rule.text_at(&["ID"]).filter(|id| !id.is_empty()) {
            Some(id) => id.to_owned(),
            None => {
                let id = hex(&[rule.render().len() as u8, number as u8, 0x5a, 0x4d]).repeat(4);
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

fn positive(days: &str, action: &str) -> impl Fn(&str) -> Result<u32, Refusal> {
    let message = format!("'{days}' for {action} action must be a positive integer");
    move |text| {
        let number = text.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| invalid(message.clone()))
    }
}
