//! AWS's errors and defaults for sub-configurations. Each check says whether there is content to
//! store.

use std::collections::BTreeSet;

use super::configs::{read, versioning_status};
use super::{Bucket, State};
use crate::Refusal;
use crate::toolbox::hex;
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

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidArgument", message)
}

/// The refusal of an argument, with its name and its value.
pub(super) fn argument(message: &str, name: &str, value: &str) -> Refusal {
    invalid(message).about("ArgumentName", name).about("ArgumentValue", value)
}

pub(super) fn tagging(document: &Element) -> Result<bool, Refusal> {
    let refused = |message: &str| Refusal::new("InvalidTag", message);
    let Some(set) = document.child("TagSet") else { return Ok(false) };
    let mut keys = BTreeSet::new();
    for tag in &set.children {
        let key = tag.child("Key").ok_or_else(malformed)?.text.as_str();
        let value = tag.child("Value").ok_or_else(malformed)?.text.as_str();
        let fits = |text: &str| text.chars().all(is_tag_character);
        if key.is_empty() || key.chars().count() > 128 || !fits(key) {
            let message = "The TagKey you have provided is invalid";
            return Err(refused(message).about("TagKey", key));
        }
        if value.chars().count() > 256 || !fits(value) {
            let message = "The TagValue you have provided is invalid";
            return Err(refused(message).about("TagKey", key).about("TagValue", value));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(refused("System tags cannot be added/updated by requester"));
        }
        if !keys.insert(key) {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(refused(message).about("TagKey", key));
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
        Some(_) => Err(malformed()),
        None => {
            let message = "The Versioning element must be specified";
            Err(Refusal::new("IllegalVersioningConfigurationException", message))
        }
    }
}

/// Object Lock needs versioning, a mode, and either days or years.
pub(super) fn object_lock(bucket: &Bucket, document: &Element) -> Result<bool, Refusal> {
    if versioning_status(bucket).as_deref() != Some("Enabled") {
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
    if one && matches!(mode, Some("GOVERNANCE" | "COMPLIANCE")) {
        Ok(true)
    } else {
        Err(malformed())
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
                let refusal = invalid(
                    "a KMSMasterKeyID is not applicable if the default sse algorithm is not \
                     aws:kms or aws:kms:dsse",
                );
                return Err(refusal.about("ArgumentName", "ApplyServerSideEncryptionByDefault"));
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

/// The four settings that block public access.
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
        Some(rule) if OWNERSHIPS.contains(&rule) && document.all("Rule").count() == 1 => Ok(true),
        _ => Err(malformed()),
    }
}

/// The values of object ownership.
pub(super) const OWNERSHIPS: [&str; 3] =
    ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"];

pub(super) fn acceleration(name: &str, document: &Element) -> Result<bool, Refusal> {
    if name.contains('.') {
        let message = "S3 Transfer Acceleration is not supported for buckets with periods (.) in \
                       their names";
        return Err(Refusal::new("InvalidRequest", message));
    }
    match document.text_at(&["Status"]) {
        Some("Enabled" | "Suspended") => Ok(true),
        _ => Err(malformed()),
    }
}

pub(super) fn payment(document: &Element) -> Result<bool, Refusal> {
    match document.text_at(&["Payer"]) {
        Some("BucketOwner" | "Requester") => Ok(true),
        _ => Err(malformed()),
    }
}

/// The source and the destination of a replication need versioning.
pub(super) fn replication(
    state: &State,
    bucket: &Bucket,
    document: &mut Element,
) -> Result<bool, Refusal> {
    let has_versions = |bucket| versioning_status(bucket).as_deref() == Some("Enabled");
    let request = |message: &str| Refusal::new("InvalidRequest", message);
    if !has_versions(bucket) {
        let message =
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration";
        return Err(request(message));
    }
    if document.child("Role").is_none() || document.child("Rule").is_none() {
        return Err(malformed());
    }
    let rules = document.children.iter_mut().filter(|child| child.name == "Rule");
    for (number, rule) in rules.enumerate() {
        let target = rule.text_at(&["Destination", "Bucket"]).ok_or_else(malformed)?;
        let target = state.buckets.get(target.trim_start_matches("arn:aws:s3:::"));
        if !target.is_some_and(has_versions) {
            return Err(request("Destination bucket must have versioning enabled."));
        }
        if rule.text_at(&["ID"]).is_none_or(str::is_empty) {
            let id = hex([rule.render().len() as u8, number as u8, 0x5a, 0x4e]).repeat(6);
            rule.children.retain(|child| child.name != "ID");
            rule.children.insert(0, Element::with_text("ID", id));
        }
    }
    Ok(true)
}

pub(super) fn logging(state: &State, bucket: &Bucket, document: &Element) -> Result<bool, Refusal> {
    let Some(enabled) = document.child("LoggingEnabled") else { return Ok(false) };
    let target = enabled.text_at(&["TargetBucket"]).unwrap_or_default();
    let Some(receiver) = state.buckets.get(target) else {
        let message = "The target bucket for logging does not exist";
        let refusal = Refusal::new("InvalidTargetBucketForLogging", message);
        return Err(refusal.about("TargetBucket", target));
    };
    if receiver.region != bucket.region {
        // AWS spells the code like this, and names no location for us-east-1.
        let message = "Cross S3 location logging not allowed. ";
        let refusal = Refusal::new("CrossLocationLoggingProhibitted", message).with_status(403);
        let refusal = match bucket.region.as_str() {
            "us-east-1" => refusal,
            region => refusal.about("SourceBucketLocation", region),
        };
        return Err(refusal.about("TargetBucketLocation", &*receiver.region));
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
