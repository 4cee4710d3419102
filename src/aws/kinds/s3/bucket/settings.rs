//! Reading and writing a bucket's sub-configurations.

use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLoggingStatus, BucketVersioningStatus,
    PublicAccessBlockConfiguration, VersioningConfiguration,
};
use futures::try_join;

use super::{Bucket, convert, to_live};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op, unread};
use payctl_engine::model::document::Document;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Live, Tags};

/// Reads everything but the tags, all at once. `None` if the bucket does not exist.
pub(super) async fn describe(aws: &Aws, name: &str) -> Result<Option<Live<Bucket>>, OpError> {
    let s3 = &aws.s3;
    let versioning = read_versioning(aws, name);
    let encryption = async {
        s3.get_bucket_encryption()
            .bucket(name)
            .send()
            .await
            .map_err(op("GetBucketEncryption"))
            .or_gone()
    };
    let public = async {
        s3.get_public_access_block()
            .bucket(name)
            .send()
            .await
            .map_err(op("GetPublicAccessBlock"))
            .or_gone()
    };
    let policy = async {
        s3.get_bucket_policy().bucket(name).send().await.map_err(op("GetBucketPolicy")).or_gone()
    };
    let lifecycle = async {
        s3.get_bucket_lifecycle_configuration()
            .bucket(name)
            .send()
            .await
            .map_err(op("GetBucketLifecycleConfiguration"))
            .or_gone()
    };
    let logging = async {
        s3.get_bucket_logging().bucket(name).send().await.map_err(op("GetBucketLogging")).or_gone()
    };
    let lock = async {
        s3.get_object_lock_configuration()
            .bucket(name)
            .send()
            .await
            .map_err(op("GetObjectLockConfiguration"))
            .or_gone()
    };
    let (versioning, encryption, public, policy, lifecycle, logging, lock) = try_join!(
        Box::pin(versioning),
        Box::pin(encryption),
        Box::pin(public),
        Box::pin(policy),
        Box::pin(lifecycle),
        Box::pin(logging),
        Box::pin(lock),
    )?;

    // Every bucket has this answer; the others are missing where nothing was configured.
    let Some(versioning) = versioning else { return Ok(None) };
    let encryption = encryption.and_then(|answer| answer.server_side_encryption_configuration);
    let public = public.and_then(|answer| answer.public_access_block_configuration);
    let policy = policy.and_then(|answer| answer.policy).filter(|text| !text.is_empty());
    let policy = policy.map(|text| Document::parse(&text)).transpose().map_err(|error| {
        OpError::new("GetBucketPolicy", ErrorClass::Bug, "Policy", error.to_string())
    })?;
    let rules = lifecycle.and_then(|answer| answer.rules).unwrap_or_default();
    let (encryption, bucket_key) = convert::encryption(encryption.as_ref());
    let spec = Bucket {
        name: name.to_owned(),
        versioning,
        encryption,
        bucket_key,
        block_public_access: public.as_ref().is_some_and(convert::blocks_everything),
        policy,
        lifecycle: rules.iter().map(convert::from_rule).collect(),
        access_log: logging.and_then(|answer| answer.logging_enabled).map(convert::from_logging),
        object_lock: lock
            .and_then(|answer| answer.object_lock_configuration)
            .and_then(convert::from_lock),
    };
    Ok(Some(to_live(aws, spec, Tags::new())))
}

/// Some endpoints give the root element of the answer another name than AWS does, and the SDK
/// refuses it. The content is the same.
async fn read_versioning(aws: &Aws, name: &str) -> Result<Option<bool>, OpError> {
    let answer = aws.s3.get_bucket_versioning().bucket(name).send().await;
    if let Some(body) = answer.as_ref().err().and_then(unread) {
        return Ok(Some(body.contains("<Status>Enabled</Status>")));
    }
    let answer = answer.map_err(op("GetBucketVersioning")).or_gone()?;
    Ok(answer.map(|answer| answer.status == Some(BucketVersioningStatus::Enabled)))
}

/// Sends every sub-configuration that differs, one after the other: two at once abort each other.
/// The public access block comes first, so that no policy is ever public in between.
pub(super) async fn send(aws: &Aws, want: &Bucket, live: &Bucket) -> Result<(), OpError> {
    if want.block_public_access != live.block_public_access {
        put_public_access(aws, want).await?;
    }
    if (&want.encryption, want.bucket_key) != (&live.encryption, live.bucket_key) {
        put_encryption(aws, want).await?;
    }
    if want.versioning != live.versioning {
        put_versioning(aws, want).await?;
    }
    if want.policy != live.policy {
        put_policy(aws, want).await?;
    }
    if want.lifecycle != live.lifecycle {
        put_lifecycle(aws, want).await?;
    }
    if want.access_log != live.access_log {
        put_logging(aws, want).await?;
    }
    // After versioning, which a lock needs.
    if want.object_lock != live.object_lock {
        put_lock(aws, want).await?;
    }
    Ok(())
}

async fn put_public_access(aws: &Aws, want: &Bucket) -> Result<(), OpError> {
    let block = want.block_public_access;
    let configuration = PublicAccessBlockConfiguration::builder()
        .block_public_acls(block)
        .ignore_public_acls(block)
        .block_public_policy(block)
        .restrict_public_buckets(block)
        .build();
    let call = aws.s3.put_public_access_block().bucket(&want.name);
    let send = call.public_access_block_configuration(configuration).send();
    send.await.map_err(op("PutPublicAccessBlock")).map(drop)
}

async fn put_encryption(aws: &Aws, want: &Bucket) -> Result<(), OpError> {
    aws.s3
        .put_bucket_encryption()
        .bucket(&want.name)
        .server_side_encryption_configuration(convert::to_encryption(
            &want.encryption,
            want.bucket_key,
        ))
        .send()
        .await
        .map_err(op("PutBucketEncryption"))
        .map(drop)
}

async fn put_versioning(aws: &Aws, want: &Bucket) -> Result<(), OpError> {
    let status = if want.versioning {
        BucketVersioningStatus::Enabled
    } else {
        BucketVersioningStatus::Suspended
    };
    let configuration = VersioningConfiguration::builder().status(status).build();
    let call = aws.s3.put_bucket_versioning().bucket(&want.name);
    let send = call.versioning_configuration(configuration).send();
    send.await.map_err(op("PutBucketVersioning")).map(drop)
}

async fn put_policy(aws: &Aws, want: &Bucket) -> Result<(), OpError> {
    match &want.policy {
        Some(policy) => {
            let call = aws.s3.put_bucket_policy().bucket(&want.name).policy(policy.to_json());
            call.send().await.map_err(op("PutBucketPolicy")).map(drop)
        }
        None => delete_policy(aws, &want.name).await,
    }
}

/// Removes the policy.
pub(super) async fn delete_policy(aws: &Aws, bucket: &str) -> Result<(), OpError> {
    let send = aws.s3.delete_bucket_policy().bucket(bucket).send();
    send.await.map_err(op("DeleteBucketPolicy")).map(drop)
}

async fn put_lifecycle(aws: &Aws, want: &Bucket) -> Result<(), OpError> {
    if want.lifecycle.is_empty() {
        let send = aws.s3.delete_bucket_lifecycle().bucket(&want.name).send();
        return send.await.map_err(op("DeleteBucketLifecycle")).map(drop);
    }
    let rules = want.lifecycle.iter().map(convert::to_rule).collect();
    let configuration = BucketLifecycleConfiguration::builder()
        .set_rules(Some(rules))
        .build()
        .expect("the rules were given");
    let call = aws.s3.put_bucket_lifecycle_configuration().bucket(&want.name);
    let send = call.lifecycle_configuration(configuration).send();
    send.await.map_err(op("PutBucketLifecycleConfiguration")).map(drop)
}

async fn put_logging(aws: &Aws, want: &Bucket) -> Result<(), OpError> {
    let enabled = want.access_log.as_ref().map(convert::to_logging);
    let status = BucketLoggingStatus::builder().set_logging_enabled(enabled).build();
    let call = aws.s3.put_bucket_logging().bucket(&want.name).bucket_logging_status(status);
    call.send().await.map_err(op("PutBucketLogging")).map(drop)
}

async fn put_lock(aws: &Aws, want: &Bucket) -> Result<(), OpError> {
    let configuration = convert::to_lock(want.object_lock.as_ref());
    let call = aws.s3.put_object_lock_configuration().bucket(&want.name);
    let send = call.object_lock_configuration(configuration).send();
    send.await.map_err(op("PutObjectLockConfiguration")).map(drop)
}
