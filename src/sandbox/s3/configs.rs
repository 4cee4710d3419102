//! The sub-configurations of a bucket: one table, kept and given back as the XML that was put,
//! with what AWS fills in unasked and what it refuses.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ask, Bucket, NAMESPACE, State, empty, hex, stored};
use crate::sandbox::Refusal;
use crate::sandbox::wire::Response;
use crate::sandbox::wire::xml::{Element, malformed};

/// One sub-configuration.
struct Config {
    /// The query parameter that names it.
    query: &'static str,
    /// Its name in operations: `GetBucket<name>`.
    name: &'static str,
    /// The root of its document.
    root: &'static str,
    /// What reading answers when nothing was put.
    absent: Absent,
}

enum Absent {
    /// An error.
    Error(&'static str, &'static str),
    /// A document with this content.
    Content(&'static str),
}

const ENCRYPTED: &str = "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256\
    </SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled>\
    <BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes></Rule>";

const CONFIGS: &[Config] = &[
    Config {
        query: "tagging",
        name: "BucketTagging",
        root: "Tagging",
        absent: Absent::Error("NoSuchTagSet", "The TagSet does not exist"),
    },
    Config {
        query: "versioning",
        name: "BucketVersioning",
        root: "VersioningConfiguration",
        absent: Absent::Content(""),
    },
    Config {
        query: "encryption",
        name: "BucketEncryption",
        root: "ServerSideEncryptionConfiguration",
        absent: Absent::Content(ENCRYPTED),
    },
    Config {
        query: "publicAccessBlock",
        name: "PublicAccessBlock",
        root: "PublicAccessBlockConfiguration",
        absent: Absent::Error(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ),
    },
    Config {
        query: "lifecycle",
        name: "BucketLifecycleConfiguration",
        root: "LifecycleConfiguration",
        absent: Absent::Error(
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
        ),
    },
    Config {
        query: "logging",
        name: "BucketLogging",
        root: "BucketLoggingStatus",
        absent: Absent::Content(""),
    },
    Config {
        query: "ownershipControls",
        name: "BucketOwnershipControls",
        root: "OwnershipControls",
        absent: Absent::Error(
            "OwnershipControlsNotFoundError",
            "The bucket ownership controls were not found",
        ),
    },
    Config {
        query: "acl",
        name: "BucketAcl",
        root: "AccessControlPolicy",
        absent: Absent::Content(
            "<Owner><ID>owner</ID></Owner><AccessControlList><Grant><Grantee \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">\
             <ID>owner</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>\
             </AccessControlList>",
        ),
    },
    Config {
        query: "cors",
        name: "BucketCors",
        root: "CORSConfiguration",
        absent: Absent::Error("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    },
    Config {
        query: "website",
        name: "BucketWebsite",
        root: "WebsiteConfiguration",
        absent: Absent::Error(
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
    },
    Config {
        query: "notification",
        name: "BucketNotificationConfiguration",
        root: "NotificationConfiguration",
        absent: Absent::Content(""),
    },
    Config {
        query: "accelerate",
        name: "BucketAccelerateConfiguration",
        root: "AccelerateConfiguration",
        absent: Absent::Content(""),
    },
    Config {
        query: "requestPayment",
        name: "BucketRequestPayment",
        root: "RequestPaymentConfiguration",
        absent: Absent::Content("<Payer>BucketOwner</Payer>"),
    },
    Config {
        query: "replication",
        name: "BucketReplication",
        root: "ReplicationConfiguration",
        absent: Absent::Error(
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        ),
    },
    Config {
        query: "object-lock",
        name: "ObjectLockConfiguration",
        root: "ObjectLockConfiguration",
        absent: Absent::Error(
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        ),
    },
];

/// The operation for a method on a sub-configuration.
pub(super) fn operation(method: &str, query: &str) -> Option<String> {
    let Config { name, absent, .. } = CONFIGS.iter().find(|config| config.query == query)?;
    match (method, absent) {
        ("GET", _) => Some(format!("Get{name}")),
        ("PUT", _) => Some(format!("Put{name}")),
        ("DELETE", Absent::Error("NoSuchLifecycleConfiguration", _)) => {
            Some("DeleteBucketLifecycle".to_owned())
        }
        ("DELETE", Absent::Error(..)) if *name != "ObjectLockConfiguration" => {
            Some(format!("Delete{name}"))
        }
        ("DELETE", _) if query == "encryption" => Some(format!("Delete{name}")),
        _ => None,
    }
}

/// Answers a call on a sub-configuration of a bucket that exists.
pub(super) fn answer(
    state: &mut State,
    ask: &Ask<'_>,
    operation_name: &str,
) -> Result<Response, Refusal> {
    let is_meant = |config: &&Config| {
        ask.query.contains_key(config.query)
            && operation(&ask.request.method, config.query).as_deref() == Some(operation_name)
    };
    let config =
        CONFIGS.iter().find(is_meant).ok_or_else(|| Refusal::not_covered("s3", operation_name))?;
    match ask.request.method.as_str() {
        "PUT" => put(state, ask, config),
        "DELETE" => {
            if let Some(bucket) = state.buckets.get_mut(&ask.bucket) {
                bucket.configs.remove(config.query);
            }
            Ok(empty(204))
        }
        _ => get(&state.buckets[&ask.bucket], config),
    }
}

fn get(bucket: &Bucket, config: &Config) -> Result<Response, Refusal> {
    let Config { query, root, absent, .. } = config;
    let mut response = match (bucket.configs.get(*query), absent) {
        (Some(xml), _) => stored(xml),
        (None, Absent::Content(content)) => {
            stored(&format!("<{root} {NAMESPACE}>{content}</{root}>"))
        }
        (None, Absent::Error(code, message)) => {
            return Err(Refusal::new(code, *message).with_status(404));
        }
    };
    if *query == "lifecycle" {
        let least = ("x-amz-transition-default-minimum-object-size", "all_storage_classes_128K");
        response.set(least.0, least.1.to_owned());
    }
    Ok(response)
}

fn put(state: &mut State, ask: &Ask<'_>, config: &Config) -> Result<Response, Refusal> {
    let bucket = &state.buckets[&ask.bucket];
    if config.query == "acl" {
        refuse_acl(bucket)?;
        if ask.request.body.is_empty() {
            return Ok(empty(200));
        }
    }
    let mut document = ask.xml()?;
    if document.name != config.root {
        return Err(malformed());
    }
    if document.attributes.is_empty() {
        document.attributes = NAMESPACE.to_owned();
    }
    let kept = match config.query {
        "tagging" => tagging(&document)?,
        "versioning" => versioning(bucket, &document)?,
        "encryption" => encryption(&mut document)?,
        "publicAccessBlock" => public_access(&mut document),
        "lifecycle" => lifecycle(&mut document)?,
        "logging" => logging(state, bucket, &document)?,
        "ownershipControls" => ownership(&document)?,
        _ => true,
    };
    let bucket = state.buckets.entry(ask.bucket.clone()).or_default();
    match kept {
        true => bucket.configs.insert(config.query.to_owned(), document.render()),
        false => bucket.configs.remove(config.query),
    };
    Ok(empty(200))
}

/// What a bucket has from the start.
pub(super) fn of_a_new_bucket(
    ownership_rule: &str,
    locked: bool,
    tags: Option<&Element>,
) -> Result<BTreeMap<String, String>, Refusal> {
    let wrapped = |root: &str, content: &str| format!("<{root} {NAMESPACE}>{content}</{root}>");
    let rule = Element::with_text("ObjectOwnership", ownership_rule).render();
    let controls = wrapped("OwnershipControls", &format!("<Rule>{rule}</Rule>"));
    ownership(&Element::parse(&controls)?)?;
    let block: String = BLOCKS.iter().map(|name| format!("<{name}>true</{name}>")).collect();
    let mut configs = BTreeMap::from([
        ("ownershipControls".to_owned(), controls),
        ("publicAccessBlock".to_owned(), wrapped("PublicAccessBlockConfiguration", &block)),
    ]);
    if locked {
        let lock = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>";
        let status = "<Status>Enabled</Status>";
        configs.insert("object-lock".to_owned(), wrapped("ObjectLockConfiguration", lock));
        configs.insert("versioning".to_owned(), wrapped("VersioningConfiguration", status));
    }
    if let Some(tags) = tags {
        let set: String = tags.children.iter().map(Element::render).collect();
        let document = wrapped("Tagging", &format!("<TagSet>{set}</TagSet>"));
        if tagging(&Element::parse(&document)?)? {
            configs.insert("tagging".to_owned(), document);
        }
    }
    Ok(configs)
}

fn read(bucket: &Bucket, query: &str) -> Element {
    let xml = bucket.configs.get(query).and_then(|xml| Element::parse(xml).ok());
    xml.unwrap_or_default()
}

/// `Enabled`, `Suspended`, or `None` if it never was either.
pub(super) fn versioning_status(bucket: &Bucket) -> Option<String> {
    read(bucket, "versioning").text_at(&["Status"]).map(str::to_owned)
}

/// Whether one of the four blocks of public access is on.
pub(super) fn blocks(bucket: &Bucket, which: &str) -> bool {
    read(bucket, "publicAccessBlock").text_at(&[which]) == Some("true")
}

/// The algorithm, and the key if one is set, by which new objects are encrypted.
pub(super) fn cipher(bucket: &Bucket) -> (String, Option<String>) {
    const DEFAULT: [&str; 2] = ["Rule", "ApplyServerSideEncryptionByDefault"];
    let document = read(bucket, "encryption");
    let at = |name| document.text_at(&[DEFAULT[0], DEFAULT[1], name]).map(str::to_owned);
    (at("SSEAlgorithm").unwrap_or_else(|| "AES256".to_owned()), at("KMSMasterKeyID"))
}

fn refuse_acl(bucket: &Bucket) -> Result<(), Refusal> {
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

fn tagging(document: &Element) -> Result<bool, Refusal> {
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

fn versioning(bucket: &Bucket, document: &Element) -> Result<bool, Refusal> {
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

fn encryption(document: &mut Element) -> Result<bool, Refusal> {
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

const BLOCKS: [&str; 4] =
    ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];

fn public_access(document: &mut Element) -> bool {
    for name in BLOCKS {
        if document.child(name).is_none() {
            document.children.push(Element::with_text(name, "false"));
        }
    }
    true
}

fn ownership(document: &Element) -> Result<bool, Refusal> {
    match document.text_at(&["Rule", "ObjectOwnership"]) {
        Some("BucketOwnerEnforced" | "BucketOwnerPreferred" | "ObjectWriter") => Ok(true),
        _ => Err(malformed()),
    }
}

fn logging(state: &State, bucket: &Bucket, document: &Element) -> Result<bool, Refusal> {
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
    if enabled.child("TargetGrants").is_some() {
        refuse_acl(receiver)?;
    }
    enabled.child("TargetPrefix").map(|_| true).ok_or_else(malformed)
}

fn lifecycle(document: &mut Element) -> Result<bool, Refusal> {
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
