//! Listings of objects and versions, in pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Ask, Bucket, Version, checks, document, owner};
use crate::Refusal;
use crate::toolbox::iso_millis;
use crate::wire::Response;

const KEPT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// The encoding of keys in an answer: as they are, or percent-encoded.
pub(super) struct Encoding(bool);

impl Encoding {
    pub(super) fn of(ask: &Ask<'_>) -> Result<Self, Refusal> {
        match ask.query.get("encoding-type").map(String::as_str) {
            None => Ok(Self(false)),
            Some("url") => Ok(Self(true)),
            Some(other) => {
                let message = "Invalid Encoding Method specified in Request";
                Err(checks::argument(message, "encoding-type", other))
            }
        }
    }

    pub(super) fn name(&self) -> Option<&'static str> {
        self.0.then_some("url")
    }

    pub(super) fn text(&self, text: &str) -> String {
        if self.0 { utf8_percent_encode(text, KEPT).to_string() } else { text.to_owned() }
    }
}

/// The key, or the common prefix that it belongs to because of the delimiter.
fn group<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> (&'a str, bool) {
    let rest = &key[prefix.len()..];
    match delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len())) {
        Some(end) => (&key[..prefix.len() + end], true),
        None => (key, false),
    }
}

/// The token of a place, for clients.
pub(super) fn token(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

/// The place of a token.
pub(super) fn place_of(token: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let wrong = || checks::invalid("The continuation token provided is incorrect");
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)
}

/// ListObjectsV2, and ListObjects before it.
pub(super) fn objects(bucket: &Bucket, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let second = ask.param("list-type") == Some("2");
    let limit = ask.limit("max-keys")?;
    let prefix = ask.param("prefix").unwrap_or_default();
    let after = match (second, ask.param("continuation-token")) {
        (false, _) => ask.param("marker").unwrap_or_default().to_owned(),
        (true, None) => ask.param("start-after").unwrap_or_default().to_owned(),
        (true, Some(token)) => place_of(token)?,
    };
    let encoding = Encoding::of(ask)?;
    let (mut contents, mut prefixes, mut last, mut truncated) = (vec![], vec![], None, false);
    for (key, versions) in &bucket.objects {
        let Some(version) = versions.last().filter(|version| version.body.is_some()) else {
            continue;
        };
        if !key.starts_with(prefix) {
            continue;
        }
        let (name, is_group) = group(key, prefix, ask.param("delimiter"));
        if name <= after.as_str() || last == Some(name) {
            continue;
        }
        if contents.len() + prefixes.len() == limit {
            truncated = limit > 0;
            break;
        }
        last = Some(name);
        if is_group {
            prefixes.push(json!({ "Prefix": encoding.text(name) }));
        } else {
            contents.push(entry(&encoding.text(key), version));
        }
    }
    let next = last.filter(|_| truncated);
    let mut answer = json!({
        "Name": ask.bucket,
        "Prefix": encoding.text(prefix),
        "Delimiter": ask.param("delimiter"),
        "EncodingType": encoding.name(),
        "MaxKeys": limit,
        "IsTruncated": truncated,
    });
    if second {
        answer["KeyCount"] = json!(contents.len() + prefixes.len());
        answer["NextContinuationToken"] = json!(next.map(token));
        answer["ContinuationToken"] = json!(ask.param("continuation-token"));
    } else {
        answer["Marker"] = json!(encoding.text(&after));
        answer["NextMarker"] = json!(next.map(|key| encoding.text(key)));
    }
    answer["Contents"] = Value::Array(contents);
    answer["CommonPrefixes"] = Value::Array(prefixes);
    let mut response = document("ListBucketResult", &answer);
    response.set("x-amz-bucket-region", bucket.region.clone());
    Ok(response)
}

fn entry(key: &str, version: &Version) -> Value {
    json!({
        "Key": key,
        "LastModified": iso_millis(version.modified),
        "ETag": version.etag,
        "Size": version.size,
        "StorageClass": "STANDARD",
    })
}

/// ListObjectVersions: by key, newest version first, with the delete markers.
pub(super) fn versions(bucket: &Bucket, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let limit = ask.limit("max-keys")?;
    let prefix = ask.param("prefix").unwrap_or_default();
    let (key_marker, id_marker) = (ask.param("key-marker"), ask.param("version-id-marker"));
    if id_marker.is_some() && key_marker.is_none() {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(Refusal::new("InvalidArgument", message));
    }
    let encoding = Encoding::of(ask)?;
    let rest = bucket
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(prefix))
        .filter(|(key, _)| {
            key_marker.is_none_or(|marker| {
                key.as_str() > marker || (key.as_str() == marker && id_marker.is_some())
            })
        })
        .flat_map(|(key, versions)| {
            let seen = match id_marker.filter(|_| key_marker == Some(key)) {
                Some(id) => versions.iter().rev().position(|version| version.id == id),
                None => None,
            };
            let newest = versions.len() - 1;
            let listed = versions.iter().enumerate().rev();
            let listed = listed.skip(seen.map_or(0, |seen| seen + 1));
            listed.map(move |(place, version)| (key, version, place == newest))
        });
    let mut page: Vec<_> = rest.take(limit + 1).collect();
    let truncated = page.len() > limit && limit > 0;
    page.truncate(limit);
    let (mut live, mut markers) = (vec![], vec![]);
    for (key, version, is_latest) in &page {
        let mut shown = match version.body {
            Some(_) => entry(&encoding.text(key), version),
            None => json!({
                "Key": encoding.text(key),
                "LastModified": iso_millis(version.modified),
            }),
        };
        shown["VersionId"] = json!(version.id);
        shown["IsLatest"] = json!(is_latest);
        shown["Owner"] = owner();
        if version.body.is_some() { live.push(shown) } else { markers.push(shown) }
    }
    let next = page.last().filter(|_| truncated);
    let answer = json!({
        "Name": ask.bucket,
        "Prefix": encoding.text(prefix),
        "EncodingType": encoding.name(),
        "KeyMarker": encoding.text(key_marker.unwrap_or_default()),
        "VersionIdMarker": id_marker.unwrap_or_default(),
        "MaxKeys": limit,
        "IsTruncated": truncated,
        "NextKeyMarker": next.map(|(key, ..)| encoding.text(key)),
        "NextVersionIdMarker": next.map(|(_, version, _)| &version.id),
        "Version": live,
        "DeleteMarker": markers,
    });
    Ok(document("ListVersionsResult", &answer))
}
