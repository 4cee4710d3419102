//! Buckets that payctl did not create, by name or tags.
//!
//! AWS quirk: whoever creates a flow log, or logs of a web ACL, and may change the policy of the bucket,
//! changes it: AWS adds its statements if they are missing. So the policy is read beforehand.

use futures::future::try_join_all;
use serde_json::{Value, json};

use super::bucket::Bucket;
use crate::aws::census;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, is_elsewhere, op};
use crate::aws::lent::{By, Usable};
use crate::aws::resource::Resource as _;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Live, Phase, Tags};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs};

/// See the module.
pub(in crate::aws::kinds) const BUCKET: Usable = Usable {
    kind: Bucket::META.kind,
    find: Some(|aws, by| Box::pin(find(aws, by))),
    looks: &[Permit::look(&["s3:GetBucketPolicy", "s3:ListBucket"], &["s3:::{name}"])],
    uses: &[],
    also: &[],
};

async fn find(aws: &Aws, by: &By) -> Result<Vec<Live>, OpError> {
    let names: Vec<String> = match by {
        By::Tags(tags) => {
            let arns = census::tagged_as(aws, "s3", tags).await?.into_iter();
            arns.map(|arn| arn.rsplit(':').next().unwrap_or_default().to_owned()).collect()
        }
        named => named.texts().into_iter().flatten().map(str::to_owned).collect(),
    };
    let found = names.iter().map(|name| describe(aws, name));
    Ok(try_join_all(found).await?.into_iter().flatten().collect())
}

async fn describe(aws: &Aws, name: &str) -> Result<Option<Live>, OpError> {
    let head = aws.s3.head_bucket().bucket(name).send().await.map_err(op("HeadBucket"));
    let here = &aws.scope.region;
    let phase = match head.or_gone() {
        Ok(None) => return Ok(None),
        Ok(Some(head)) => match head.bucket_region.filter(|region| region != here) {
            Some(region) => Phase::Failed(format!("it is in {region}, not in {here}")),
            None => Phase::Ready,
        },
        Err(error) if is_elsewhere(&error) => Phase::Failed(format!("it is not in {here}")),
        Err(error) => return Err(error),
    };
    let policy = if phase == Phase::Ready { policy_of(aws, name).await? } else { Value::Null };
    let arn = format!("arn:{}:s3:::{name}", aws.scope.partition);
    let outputs = [(Output::Arn, arn), (Output::Id, name.into()), (Output::Name, name.into())];
    Ok(Some(Live {
        id: name.to_owned(),
        spec: json!({ "policy": policy }),
        outputs: Outputs::from(outputs),
        tags: Tags::new(),
        phase,
    }))
}

/// The text of the policy; null if there is none, or if payctl may not read it.
async fn policy_of(aws: &Aws, name: &str) -> Result<Value, OpError> {
    let send = aws.s3.get_bucket_policy().bucket(name).send();
    match send.await.map_err(op("GetBucketPolicy")).or_gone() {
        Ok(answer) => Ok(json!(answer.and_then(|answer| answer.policy))),
        Err(error) if error.class == ErrorClass::Denied => Ok(Value::Null),
        Err(error) => Err(error),
    }
}
