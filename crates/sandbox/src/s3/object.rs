//! Objects and their versions.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Ask, Bucket, State, Version, configs, document, empty, http_date};
use crate::toolbox::{hex, iso_millis};
use crate::wire::Response;
use crate::wire::xml::malformed;
use crate::{Base, Refusal, World};

/// The id of a version that was written without versioning.
const NULL: &str = "null";

pub(super) fn put(world: &mut World, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let World { base, s3, .. } = world;
    let bucket = s3.buckets.entry(ask.bucket.clone()).or_default();
    if ask.key.len() > 1024 {
        return Err(Refusal::new("KeyTooLongError", "Your key is too long"));
    }
    let exists = latest(bucket, &ask.key).is_some_and(|version| version.body.is_some());
    if ask.request.header("if-none-match") == Some("*") && exists {
        let message = "At least one of the pre-conditions you specified did not hold";
        let refusal = Refusal::new("PreconditionFailed", message).with_status(412);
        return Err(refusal.about("Condition", "If-None-Match"));
    }
    let content = ask.body()?;
    let kept = |(name, value): &(String, String)| {
        let keep = name == "content-type" || name.starts_with("x-amz-meta-");
        keep.then(|| (name.clone(), value.clone()))
    };
    let lock = configs::lock(bucket).map(|(mode, days)| (mode, base.now() + days * 86_400.0));
    let version = Version {
        lock,
        modified: base.now(),
        size: content.len(),
        etag: format!("\"{}\"", hex(&Sha256::digest(&content)[..16])),
        body: Some(STANDARD.encode(&content)),
        headers: ask.request.headers.iter().filter_map(kept).collect(),
        ..Version::default()
    };
    let mut response = empty(200);
    response.set("etag", version.etag.clone());
    set_cipher(&mut response, bucket);
    if let Some(id) = add(base, bucket, &ask.key, version) {
        response.set("x-amz-version-id", id);
    }
    Ok(response)
}

/// Adds a version. The answer has its id if the bucket has versioning.
fn add(base: &mut Base, bucket: &mut Bucket, key: &str, mut version: Version) -> Option<String> {
    let status = configs::versioning_status(bucket);
    let versions = bucket.objects.entry(key.to_owned()).or_default();
    if status.as_deref() == Some("Enabled") {
        version.id = format!("{:016x}{:016x}", base.number(), base.number());
    } else {
        version.id = NULL.to_owned();
        versions.retain(|version| version.id != NULL);
    }
    let id = version.id.clone();
    versions.push(version);
    status.map(|_| id)
}

fn latest<'a>(bucket: &'a Bucket, key: &str) -> Option<&'a Version> {
    bucket.objects.get(key)?.last()
}

/// Whether a delete marker hides the object of a call without a version.
pub(super) fn is_deleted(state: &State, ask: &Ask<'_>) -> bool {
    let bucket = state.buckets.get(&ask.bucket);
    let version = bucket.and_then(|bucket| latest(bucket, &ask.key));
    version.is_some_and(|version| version.body.is_none())
}

pub(super) fn get(bucket: &Bucket, ask: &Ask<'_>, head: bool) -> Result<Response, Refusal> {
    let no_key = || {
        let refusal = Refusal::new("NoSuchKey", "The specified key does not exist.");
        refusal.with_status(404).about("Key", &*ask.key)
    };
    let version = match ask.param("versionId") {
        None => latest(bucket, &ask.key).ok_or_else(no_key)?,
        Some(id) => {
            let all = bucket.objects.get(&ask.key).into_iter().flatten();
            let message = "The specified version does not exist.";
            let missing = || {
                let refusal = Refusal::new("NoSuchVersion", message).with_status(404);
                refusal.about("Key", &*ask.key).about("VersionId", id)
            };
            all.into_iter().find(|version| version.id == id).ok_or_else(missing)?
        }
    };
    let Some(body) = &version.body else {
        return Err(match ask.param("versionId") {
            None => no_key(),
            Some(_) => {
                let message = "The specified method is not allowed against this resource.";
                Refusal::new("MethodNotAllowed", message).with_status(405)
            }
        });
    };
    let mut response = empty(200);
    if !head {
        response.body = STANDARD.decode(body).unwrap_or_default();
    }
    response.set("etag", &version.etag);
    response.set("last-modified", http_date(version.modified));
    response.set("content-length", version.size.to_string());
    set_cipher(&mut response, bucket);
    if configs::versioning_status(bucket).is_some() {
        response.set("x-amz-version-id", &version.id);
    }
    if !version.headers.contains_key("content-type") {
        response.set("content-type", "binary/octet-stream");
    }
    for (name, value) in &version.headers {
        response.set(name, value);
    }
    Ok(response)
}

fn set_cipher(response: &mut Response, bucket: &Bucket) {
    let (algorithm, key) = configs::cipher(bucket);
    response.set("x-amz-server-side-encryption", algorithm);
    if let Some(key) = key {
        response.set("x-amz-server-side-encryption-aws-kms-key-id", key);
    }
}

/// Refuses to delete a locked version. A deletion without a version id only adds a marker.
fn check_lock(
    base: &Base,
    bucket: &Bucket,
    ask: &Ask<'_>,
    key: &str,
    id: Option<&str>,
) -> Result<(), Refusal> {
    let versions = bucket.objects.get(key).into_iter().flatten();
    let version = id.and_then(|id| versions.into_iter().find(|version| version.id == id));
    let Some((mode, until)) = version.and_then(|version| version.lock.as_ref()) else {
        return Ok(());
    };
    let bypass = ask.request.header("x-amz-bypass-governance-retention") == Some("true");
    if base.now() < *until && !(bypass && mode == "GOVERNANCE") {
        let message = "Access Denied because object protected by object lock.";
        Err(Refusal::new("AccessDenied", message).with_status(403))
    } else {
        Ok(())
    }
}

/// When the lock of a version ends.
pub(super) fn retention(bucket: &Bucket, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let versions = bucket.objects.get(&ask.key).into_iter().flatten();
    let wanted = ask.param("versionId");
    let found = versions.into_iter().rfind(|version| wanted.is_none_or(|id| version.id == id));
    match found.and_then(|version| version.lock.as_ref()) {
        Some((mode, until)) => Ok(document(
            "Retention",
            &json!({ "Mode": mode, "RetainUntilDate": iso_millis(*until) }),
        )),
        None => {
            let message = "The specified object does not have a ObjectLock configuration";
            Err(Refusal::new("NoSuchObjectLockConfiguration", message).with_status(404))
        }
    }
}

/// The result of a deletion.
#[derive(Default)]
struct Deleted {
    version: Option<String>,
    marker: bool,
}

fn remove(base: &mut Base, bucket: &mut Bucket, key: &str, version: Option<&str>) -> Deleted {
    if let Some(id) = version {
        let Some(versions) = bucket.objects.get_mut(key) else {
            return Deleted { version: Some(id.to_owned()), marker: false };
        };
        let marker = versions.iter().any(|version| version.id == id && version.body.is_none());
        versions.retain(|version| version.id != id);
        if versions.is_empty() {
            bucket.objects.remove(key);
        }
        return Deleted { version: Some(id.to_owned()), marker };
    }
    if configs::versioning_status(bucket).is_none() {
        bucket.objects.remove(key);
        return Deleted::default();
    }
    let marker = Version { modified: base.now(), ..Version::default() };
    Deleted { version: add(base, bucket, key, marker), marker: true }
}

pub(super) fn delete(world: &mut World, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let World { base, s3, .. } = world;
    let bucket = s3.buckets.entry(ask.bucket.clone()).or_default();
    check_lock(base, bucket, ask, &ask.key, ask.param("versionId"))?;
    let Deleted { version, marker } = remove(base, bucket, &ask.key, ask.param("versionId"));
    let mut response = empty(204);
    if let Some(id) = version {
        response.set("x-amz-version-id", id);
    }
    if marker {
        response.set("x-amz-delete-marker", "true".to_owned());
    }
    Ok(response)
}

pub(super) fn delete_many(world: &mut World, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let is_digest = |name: &str| {
        name == "content-md5" || name == "x-amz-trailer" || name.starts_with("x-amz-checksum-")
    };
    if !ask.request.headers.iter().any(|(name, _)| is_digest(name)) {
        let message = "Missing required header for this request: Content-MD5";
        return Err(Refusal::new("InvalidRequest", message));
    }
    let wish = ask.xml()?;
    if wish.name != "Delete" || !(1..=1000).contains(&wish.all("Object").count()) {
        return Err(malformed());
    }
    let quiet = wish.text_at(&["Quiet"]) == Some("true");
    let World { base, s3, .. } = world;
    let bucket = s3.buckets.entry(ask.bucket.clone()).or_default();
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for object in wish.all("Object") {
        let key = &object.child("Key").ok_or_else(malformed)?.text;
        let id = object.text_at(&["VersionId"]).filter(|id| !id.is_empty());
        if let Err(Refusal { code, message, .. }) = check_lock(base, bucket, ask, key, id) {
            refused.push(json!({ "Key": key, "VersionId": id, "Code": code, "Message": message }));
            continue;
        }
        let Deleted { version, marker } = remove(base, bucket, key, id);
        // A marker that was created and a marker that was removed are both named by their own id.
        let told = version.filter(|_| marker);
        done.push(json!({
            "Key": key,
            "VersionId": id,
            "DeleteMarker": marker.then_some(true),
            "DeleteMarkerVersionId": told,
        }));
    }
    let done = if quiet { Value::Null } else { Value::Array(done) };
    Ok(document("DeleteResult", &json!({ "Deleted": done, "Error": refused })))
}
