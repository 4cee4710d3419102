//! Emptying a bucket: object versions, delete markers and unfinished uploads.
//!
//! DeleteObjects answers 200 even if it could not delete some objects, so payctl looks at each.

use aws_sdk_s3::primitives::DateTimeFormat as Format;
use aws_sdk_s3::types::{Delete, Error, MultipartUpload, ObjectIdentifier};
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, listed, op};
use payctl_engine::model::error::{ErrorClass, OpError};

/// How many uploads are aborted at the same time.
const ABORTS: usize = 16;

/// Removes everything that is in the bucket now. Locked objects stay, and the error names one once
/// everything else is gone.
pub(super) async fn empty(aws: &Aws, bucket: &str) -> Result<(), OpError> {
    let held = remove_versions(aws, bucket).await?;
    abort_uploads(aws, bucket).await?;
    held.map_or(Ok(()), Err)
}

/// Removes all versions and markers but those that are locked; returns the refusal of the first.
async fn remove_versions(aws: &Aws, bucket: &str) -> Result<Option<OpError>, OpError> {
    let mut held = None;
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
            let refused = remove(aws, bucket, objects).await?;
            held = held.or(refused);
        }
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
        if !page.is_truncated.unwrap_or_default() || key.is_none() {
            return Ok(held);
        }
    }
}

fn object(key: &str, version: Option<&str>) -> Option<ObjectIdentifier> {
    let version = version.map(str::to_owned);
    ObjectIdentifier::builder().key(key).set_version_id(version).build().ok()
}

/// Removes some objects; returns the refusal of the first that is locked.
async fn remove(
    aws: &Aws,
    bucket: &str,
    objects: Vec<ObjectIdentifier>,
) -> Result<Option<OpError>, OpError> {
    let objects = Delete::builder().set_objects(Some(objects)).quiet(true).build();
    let objects = objects.expect("the objects were given");
    let send = aws.s3.delete_objects().bucket(bucket).delete(objects).send();
    let answer = send.await.map_err(op("DeleteObjects"))?;
    let refused = || answer.errors().iter().filter_map(|error| Some((error, refusal(error)?)));
    if let Some((_, other)) = refused().find(|(_, refusal)| refusal.class != ErrorClass::Denied) {
        return Err(other);
    }
    let Some((error, refusal)) = refused().next() else { return Ok(None) };
    locked(aws, bucket, error).await.map(Some).ok_or(refusal)
}

/// The error that an object is locked, with the end of the lock; `None` if it is not locked.
async fn locked(aws: &Aws, bucket: &str, error: &Error) -> Option<OpError> {
    let key = error.key()?;
    let call = aws.s3.get_object_retention().bucket(bucket).key(key);
    let found = call.set_version_id(error.version_id().map(str::to_owned)).send().await.ok()?;
    let retention = found.retention?;
    let until = retention.retain_until_date?.fmt(Format::DateTime).ok()?;
    let mode = retention.mode.map(|mode| mode.as_str().to_lowercase()).unwrap_or_default();
    let message = format!(
        "{key} cannot be deleted before {until}: Object Lock protects it ({mode} mode), and maybe \
         others for longer. Run destroy again after that; all objects that are not locked are \
         deleted"
    );
    Some(OpError::new("DeleteObjects", ErrorClass::Invalid, "ObjectLocked", message))
}

/// The meaning of a listed error; an object that is already gone is not an error.
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
    fn deleting_a_missing_object_is_not_a_failure() {
        let error = Error::builder().key("a").code("NoSuchVersion").build();
        assert_eq!(refusal(&error), None);
    }

    #[test]
    fn an_object_that_cannot_be_deleted_is_named() {
        let error = Error::builder().key("a/b").code("AccessDenied").message("no").build();
        let refused = refusal(&error).unwrap();
        assert_eq!(refused.class, ErrorClass::Denied);
        assert_eq!(refused.message, "a/b: no");
    }

    #[cfg(feature = "sandbox")]
    #[tokio::test]
    async fn unlocked_objects_are_deleted_from_every_page() {
        use aws_sdk_s3::primitives::ByteStream;
        use aws_sdk_s3::types::{
            DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode,
            ObjectLockRule,
        };

        use crate::aws::clients::Connection;
        use payctl_sandbox::Sandbox;

        let connection = Connection {
            region: Some("us-east-1".into()),
            keys: Some(("sandbox".into(), "sandbox".into())),
            transport: Some(Sandbox::in_memory().transport()),
            ..Connection::default()
        };
        let aws = Aws::connect(&connection, "shop", "dev").await.unwrap();
        let create = aws.s3.create_bucket().bucket("sample").object_lock_enabled_for_bucket(true);
        create.send().await.unwrap();
        let lock = |rule: Option<ObjectLockRule>| {
            let wish = ObjectLockConfiguration::builder()
                .object_lock_enabled(ObjectLockEnabled::Enabled)
                .set_rule(rule)
                .build();
            let call = aws.s3.put_object_lock_configuration().bucket("sample");
            call.object_lock_configuration(wish).send()
        };
        let retention = DefaultRetention::builder().mode(ObjectLockRetentionMode::Compliance);
        let rule = ObjectLockRule::builder().default_retention(retention.days(1).build()).build();
        lock(Some(rule)).await.unwrap();
        let body = ByteStream::from_static(b"x");
        aws.s3.put_object().bucket("sample").key("a").body(body).send().await.unwrap();
        lock(None).await.unwrap();
        // As many markers as a page holds: with what is locked before them, one is on the next.
        let keys = (0..1000).filter_map(|number| object(&format!("b{number:04}"), None));
        let keys = Delete::builder().set_objects(Some(keys.collect())).build().unwrap();
        aws.s3.delete_objects().bucket("sample").delete(keys).send().await.unwrap();

        let held = empty(&aws, "sample").await.unwrap_err();
        assert_eq!((held.class, held.code.as_str()), (ErrorClass::Invalid, "ObjectLocked"));
        assert!(held.message.starts_with("a cannot be deleted before "), "{}", held.message);
        let left = aws.s3.list_object_versions().bucket("sample").send().await.unwrap();
        assert_eq!((left.versions().len(), left.delete_markers().len()), (1, 0));
    }
}
