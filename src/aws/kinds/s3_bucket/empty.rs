//! Emptying a bucket: object versions, delete markers and unfinished uploads.
//!
//! DeleteObjects answers 200 although single objects could not be deleted: each is looked at.

use aws_sdk_s3::primitives::DateTimeFormat as Format;
use aws_sdk_s3::types::{Delete, Error, MultipartUpload, ObjectIdentifier};
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, listed, op};
use crate::model::error::{ErrorClass, OpError};

/// How many uploads are aborted at the same time.
const ABORTS: usize = 16;

/// Removes everything that is in the bucket now.
pub(super) async fn empty(aws: &Aws, bucket: &str) -> Result<(), OpError> {
    remove_versions(aws, bucket).await?;
    abort_uploads(aws, bucket).await
}

async fn remove_versions(aws: &Aws, bucket: &str) -> Result<(), OpError> {
    let (mut key, mut version) = (None, None);
    loop {
        let page = aws
            .s3
            .list_object_versions()
            .bucket(bucket)
            .max_keys(1000)
            .set_key_marker(key.take())
            .set_version_id_marker(version.take())
            .send()
            .await
            .map_err(op("ListObjectVersions"))?;
        let versions = page.versions().iter().map(|item| (item.key(), item.version_id()));
        let markers = page.delete_markers().iter().map(|item| (item.key(), item.version_id()));
        let objects: Vec<ObjectIdentifier> =
            versions.chain(markers).filter_map(|(key, version)| object(key?, version)).collect();
        if !objects.is_empty() {
            remove(aws, bucket, objects).await?;
        }
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
        if !page.is_truncated.unwrap_or_default() || key.is_none() {
            return Ok(());
        }
    }
}

fn object(key: &str, version: Option<&str>) -> Option<ObjectIdentifier> {
    let version = version.map(str::to_owned);
    ObjectIdentifier::builder().key(key).set_version_id(version).build().ok()
}

async fn remove(aws: &Aws, bucket: &str, objects: Vec<ObjectIdentifier>) -> Result<(), OpError> {
    let objects = Delete::builder().set_objects(Some(objects)).quiet(true).build();
    let objects = objects.expect("the objects were given");
    let send = aws.s3.delete_objects().bucket(bucket).delete(objects).send();
    let answer = send.await.map_err(op("DeleteObjects"))?;
    let refused = answer.errors().iter().find_map(|error| Some((error, refusal(error)?)));
    let Some((error, refusal)) = refused else { return Ok(()) };
    match refusal.class {
        ErrorClass::Denied => Err(locked(aws, bucket, error).await.unwrap_or(refusal)),
        _ => Err(refusal),
    }
}

/// That an object is locked, and until when, if that is why it could not be deleted.
async fn locked(aws: &Aws, bucket: &str, error: &Error) -> Option<OpError> {
    let key = error.key()?;
    let call = aws.s3.get_object_retention().bucket(bucket).key(key);
    let found = call.set_version_id(error.version_id().map(str::to_owned)).send().await.ok()?;
    let retention = found.retention?;
    let until = retention.retain_until_date?.fmt(Format::DateTime).ok()?;
    let mode = retention.mode.map(|mode| mode.as_str().to_lowercase()).unwrap_or_default();
    let message = format!(
        "{key} cannot be deleted before {until}: Object Lock holds it ({mode} mode), and maybe others \
         longer. Destroy again after that; what is not locked is gone"
    );
    Some(OpError::new("DeleteObjects", ErrorClass::Invalid, "ObjectLocked", message))
}

/// What a listed error means; that an object is gone already is none.
fn refusal(error: &Error) -> Option<OpError> {
    let key = error.key().unwrap_or_default();
    let message = format!("{key}: {}", error.message().unwrap_or("AWS gave no message"));
    let refusal = listed("DeleteObjects", error.code().unwrap_or("Unknown"), message);
    (refusal.class != ErrorClass::NotFound).then_some(refusal)
}

async fn abort_uploads(aws: &Aws, bucket: &str) -> Result<(), OpError> {
    let (mut key, mut upload) = (None, None);
    loop {
        let mut page = aws
            .s3
            .list_multipart_uploads()
            .bucket(bucket)
            .set_key_marker(key.take())
            .set_upload_id_marker(upload.take())
            .send()
            .await
            .map_err(op("ListMultipartUploads"))?;
        let uploads = page.uploads.take().unwrap_or_default().into_iter();
        stream::iter(uploads.map(|upload| abort(aws, bucket, upload)))
            .buffer_unordered(ABORTS)
            .try_collect::<()>()
            .await?;
        (key, upload) = (page.next_key_marker, page.next_upload_id_marker);
        if !page.is_truncated.unwrap_or_default() || key.is_none() {
            return Ok(());
        }
    }
}

async fn abort(aws: &Aws, bucket: &str, upload: MultipartUpload) -> Result<(), OpError> {
    let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { return Ok(()) };
    let call = aws.s3.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
    call.send().await.map_err(op("AbortMultipartUpload")).or_gone().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_is_gone_is_no_failure() {
        let error = Error::builder().key("a").code("NoSuchVersion").build();
        assert_eq!(refusal(&error), None);
    }

    #[test]
    fn a_refused_object_is_named() {
        let error = Error::builder().key("a/b").code("AccessDenied").message("no").build();
        let refusal = refusal(&error).unwrap();
        assert_eq!(refusal.class, ErrorClass::Denied);
        assert_eq!(refusal.message, "a/b: no");
    }
}
