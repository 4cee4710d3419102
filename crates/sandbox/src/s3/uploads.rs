//! Multipart uploads that were begun: they are listed and aborted. Parts are not covered.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::listing::Encoding;
use super::{Ask, Bucket, document, empty};
use crate::Refusal;
use crate::toolbox::iso_millis;
use crate::wire::{Response, encode};

/// An upload that is neither completed nor aborted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Upload {
    key: String,
    id: String,
    /// When it was begun, in seconds since the epoch.
    initiated: f64,
}

impl Upload {
    /// Uploads are listed by key, then in the order in which they were begun.
    fn place(&self) -> (&str, f64) {
        (&self.key, self.initiated)
    }
}

pub(super) fn create(bucket: &mut Bucket, ask: &Ask<'_>, now: f64) -> Response {
    let id = encode::request_id();
    bucket.uploads.push(Upload { key: ask.key.clone(), id: id.clone(), initiated: now });
    bucket.uploads.sort_by(|one, other| one.place().partial_cmp(&other.place()).expect("times"));
    let answer = json!({ "Bucket": ask.bucket, "Key": ask.key, "UploadId": id });
    document("InitiateMultipartUploadResult", &answer)
}

pub(super) fn list(bucket: &Bucket, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let limit = ask.limit("max-uploads")?;
    let encoding = Encoding::of(ask)?;
    let (key, id) = (ask.param("key-marker"), ask.param("upload-id-marker"));
    // Without an upload, the marker stands behind all uploads of its key.
    let seen = bucket.uploads.iter().rposition(|upload| {
        key.is_some_and(|key| upload.key.as_str() < key || upload.key == key && id.is_none())
            || key == Some(&upload.key) && id == Some(&upload.id)
    });
    let rest = &bucket.uploads[seen.map_or(0, |seen| seen + 1)..];
    let page = &rest[..rest.len().min(limit)];
    let next = page.last().filter(|_| page.len() < rest.len());
    let shown = page.iter().map(|upload| {
        json!({
            "Key": encoding.text(&upload.key),
            "UploadId": upload.id,
            "Initiated": iso_millis(upload.initiated),
            "StorageClass": "STANDARD",
        })
    });
    let answer = json!({
        "Bucket": ask.bucket,
        "EncodingType": encoding.name(),
        "KeyMarker": encoding.text(key.unwrap_or_default()),
        "UploadIdMarker": id.unwrap_or_default(),
        "MaxUploads": limit,
        "IsTruncated": next.is_some(),
        "NextKeyMarker": next.map(|upload| encoding.text(&upload.key)),
        "NextUploadIdMarker": next.map(|upload| &upload.id),
        "Upload": shown.collect::<Vec<_>>(),
    });
    Ok(document("ListMultipartUploadsResult", &answer))
}

pub(super) fn abort(bucket: &mut Bucket, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let id = ask.param("uploadId").unwrap_or_default();
    let is_meant = |upload: &Upload| upload.key == ask.key && upload.id == id;
    let Some(at) = bucket.uploads.iter().position(is_meant) else {
        let message = "The specified upload does not exist. The upload ID may be invalid, or the \
                       upload may have been aborted or completed.";
        let refusal = Refusal::new("NoSuchUpload", message).with_status(404);
        return Err(refusal.about("UploadId", id));
    };
    bucket.uploads.remove(at);
    Ok(empty(204))
}
