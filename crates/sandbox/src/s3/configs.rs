//! The sub-configurations of a bucket: one table that stores and returns the XML of the request,
//! with AWS's defaults and errors.

use std::collections::BTreeMap;

use super::{Ask, Bucket, NAMESPACE, acl, checks, empty, lifecycle, notifications, stored, web};
use crate::wire::Response;
use crate::wire::xml::{Element, malformed};
use crate::{Refusal, World};

/// One sub-configuration.
struct Config {
    /// The query parameter that names it.
    query: &'static str,
    /// Its name in operations, such as `GetBucket<name>`.
    name: &'static str,
    /// The root element of its document.
    root: &'static str,
    /// The answer to a read when no call has set it.
    absent: Absent,
}

enum Absent {
    /// An error, with its code and message.
    Error(&'static str, &'static str),
    /// A document with this content.
    Content(&'static str),
    /// The ACL that grants all to the owner.
    Acl,
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
    Config { query: "acl", name: "BucketAcl", root: "AccessControlPolicy", absent: Absent::Acl },
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
    world: &mut World,
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
        "PUT" => put(world, ask, config),
        "DELETE" => {
            let bucket = world.s3.buckets.entry(ask.bucket.clone()).or_default();
            bucket.configs.remove(config.query);
            Ok(empty(204))
        }
        _ => get(&world.s3.buckets[&ask.bucket], ask, config),
    }
}

fn get(bucket: &Bucket, ask: &Ask<'_>, config: &Config) -> Result<Response, Refusal> {
    let Config { query, root, absent, .. } = config;
    let mut response = match (bucket.configs.get(*query), absent) {
        (Some(xml), _) => stored(xml),
        (None, Absent::Content(content)) => {
            stored(&format!("<{root} {NAMESPACE}>{content}</{root}>"))
        }
        (None, Absent::Acl) => stored(&acl::default()),
        (None, Absent::Error(code, message)) => {
            let refusal = Refusal::new(code, *message).with_status(404);
            return Err(refusal.about("BucketName", &*ask.bucket));
        }
    };
    if *query == "lifecycle" {
        response.set(lifecycle::LEAST, least(bucket));
    }
    Ok(response)
}

/// The smallest size of objects that lifecycle rules move.
fn least(bucket: &Bucket) -> &str {
    bucket.least.as_deref().unwrap_or(lifecycle::LEAST_DEFAULT)
}

fn put(world: &mut World, ask: &Ask<'_>, config: &Config) -> Result<Response, Refusal> {
    if config.query == "acl" {
        return acl::put(world.s3.buckets.entry(ask.bucket.clone()).or_default(), ask);
    }
    let mut document = ask.xml()?;
    if document.name != config.root {
        return Err(malformed());
    }
    if document.attributes.is_empty() {
        document.attributes = NAMESPACE.to_owned();
    }
    if config.query == "notification" {
        notifications::check(world, ask, &mut document)?;
    }
    let state = &mut world.s3;
    let bucket = &state.buckets[&ask.bucket];
    let kept = match config.query {
        "tagging" => checks::tagging(&document)?,
        "versioning" => checks::versioning(bucket, &document)?,
        "encryption" => checks::encryption(&mut document)?,
        "publicAccessBlock" => checks::public_access(&mut document),
        "lifecycle" => lifecycle::check(&mut document)?,
        "logging" => checks::logging(state, bucket, &document)?,
        "ownershipControls" => checks::ownership(&document)?,
        "object-lock" => checks::object_lock(bucket, &document)?,
        "accelerate" => checks::acceleration(&ask.bucket, &document)?,
        "requestPayment" => checks::payment(&document)?,
        "replication" => checks::replication(state, bucket, &mut document)?,
        "website" => web::website(&document)?,
        "cors" => web::cors(&document)?,
        _ => true,
    };
    let mut response = empty(if config.query == "tagging" { 204 } else { 200 });
    let bucket = state.buckets.entry(ask.bucket.clone()).or_default();
    if config.query == "lifecycle" {
        let size = lifecycle::least(ask.request.header(lifecycle::LEAST))?;
        response.set(lifecycle::LEAST, size);
        bucket.least = Some(size.to_owned());
    }
    if kept {
        bucket.configs.insert(config.query.to_owned(), document.render())
    } else {
        bucket.configs.remove(config.query)
    };
    Ok(response)
}

/// The sub-configurations of a new bucket.
pub(super) fn of_a_new_bucket(
    ownership_rule: &str,
    locked: bool,
    tags: Option<&Element>,
) -> Result<BTreeMap<String, String>, Refusal> {
    let wrapped = |root: &str, content: &str| format!("<{root} {NAMESPACE}>{content}</{root}>");
    let rule = Element::with_text("ObjectOwnership", ownership_rule).render();
    let controls = wrapped("OwnershipControls", &format!("<Rule>{rule}</Rule>"));
    checks::ownership(&Element::parse(&controls)?)?;
    let block: String =
        checks::BLOCKS.iter().map(|name| format!("<{name}>true</{name}>")).collect();
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
        refuse_own(tags)?;
        let set: String = tags.children.iter().map(Element::render).collect();
        let document = wrapped("Tagging", &format!("<TagSet>{set}</TagSet>"));
        if checks::tagging(&Element::parse(&document)?)? {
            configs.insert("tagging".to_owned(), document);
        }
    }
    Ok(configs)
}

/// Refuses tags of AWS on a new bucket. The words differ from those for an existing bucket.
fn refuse_own(tags: &Element) -> Result<(), Refusal> {
    let own = |tag: &Element| {
        tag.text_at(&["Key"]).is_some_and(|key| key.to_ascii_lowercase().starts_with("aws:"))
    };
    if tags.children.iter().any(own) {
        let message = "User-defined tag keys can't start with \"aws:\". This prefix is reserved \
                           for system tags. Remove \"aws:\" from your tag keys and try again.";
        Err(Refusal::new("InvalidTag", message))
    } else {
        Ok(())
    }
}

/// The stored document, or an empty element.
pub(super) fn read(bucket: &Bucket, query: &str) -> Element {
    let xml = bucket.configs.get(query).and_then(|xml| Element::parse(xml).ok());
    xml.unwrap_or_default()
}

/// `Enabled`, `Suspended`, or `None` if no call has set it.
pub(super) fn versioning_status(bucket: &Bucket) -> Option<String> {
    read(bucket, "versioning").text_at(&["Status"]).map(str::to_owned)
}

/// The mode of the lock of new versions, and its days.
pub(super) fn lock(bucket: &Bucket) -> Option<(String, f64)> {
    const RETENTION: [&str; 2] = ["Rule", "DefaultRetention"];
    let document = read(bucket, "object-lock");
    let at = |name| document.text_at(&[RETENTION[0], RETENTION[1], name]);
    let number = |name| at(name).and_then(|text| text.parse::<f64>().ok());
    let days = number("Days").or_else(|| number("Years").map(|years| years * 365.0))?;
    Some((at("Mode")?.to_owned(), days))
}

/// Whether one of the four settings that block public access is on.
pub(super) fn blocks(bucket: &Bucket, which: &str) -> bool {
    read(bucket, "publicAccessBlock").text_at(&[which]) == Some("true")
}

/// The algorithm that encrypts new objects, and its key if there is one.
pub(super) fn cipher(bucket: &Bucket) -> (String, Option<String>) {
    const DEFAULT: [&str; 2] = ["Rule", "ApplyServerSideEncryptionByDefault"];
    let document = read(bucket, "encryption");
    let at = |name| document.text_at(&[DEFAULT[0], DEFAULT[1], name]).map(str::to_owned);
    (at("SSEAlgorithm").unwrap_or_else(|| "AES256".to_owned()), at("KMSMasterKeyID"))
}
