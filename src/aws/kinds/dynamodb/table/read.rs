//! Tables from the answers of several calls.

use aws_sdk_dynamodb::types::{PointInTimeRecoveryStatus, SseDescription, TimeToLiveDescription};
use aws_sdk_kms::types::KeyManagerType;
use futures::try_join;

use super::{Encryption, Table, arn_of, convert};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::Survey;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Live, Tags};
use payctl_engine::model::text::{Output, Outputs};

pub(super) async fn tags_of(aws: &Aws, name: &str) -> Result<Option<Tags>, OpError> {
    let arn = arn_of(aws, name);
    let (mut tags, mut next) = (Tags::new(), None);
    loop {
        let call = aws.dynamodb.list_tags_of_resource().resource_arn(&arn).set_next_token(next);
        let answer = call.send().await.map_err(op("ListTagsOfResource")).or_gone()?;
        let Some(answer) = answer else { return Ok(None) };
        let page = answer.tags.unwrap_or_default().into_iter();
        tags.extend(page.map(|tag| (tag.key, tag.value)));
        next = answer.next_token;
        if next.is_none() {
            return Ok(Some(tags));
        }
    }
}

/// Everything but the tags.
pub(super) async fn describe(
    aws: &Aws,
    survey: Option<&Survey<'_>>,
    name: &str,
) -> Result<Option<Live<Table>>, OpError> {
    let table = async {
        let send = aws.dynamodb.describe_table().table_name(name).send();
        send.await.map_err(op("DescribeTable")).or_gone()
    };
    let (table, ttl, backups) = try_join!(table, ttl(aws, name), backups(aws, name))?;
    let Some(table) = table.and_then(|answer| answer.table) else { return Ok(None) };
    let encryption = encryption_of(aws, survey, table.sse_description()).await?;
    let arn = table.table_arn.clone().unwrap_or_else(|| arn_of(aws, name));
    let mut outputs = Outputs::from([
        (Output::Arn, arn),
        (Output::Id, name.to_owned()),
        (Output::Name, name.to_owned()),
    ]);
    let spec = Table {
        name: name.to_owned(),
        ttl: convert::ttl(ttl.as_ref()),
        point_in_time_recovery: backups,
        encryption,
        ..convert::from_description(&table)?
    };
    if spec.stream.is_some()
        && let Some(stream) = table.latest_stream_arn()
    {
        outputs.insert(Output::StreamArn, stream.to_owned());
    }
    let phase = convert::phase_of(&table);
    Ok(Some(Live { id: name.to_owned(), spec, outputs, tags: Tags::new(), phase }))
}

async fn ttl(aws: &Aws, name: &str) -> Result<Option<TimeToLiveDescription>, OpError> {
    let send = aws.dynamodb.describe_time_to_live().table_name(name).send();
    let answer = send.await.map_err(op("DescribeTimeToLive")).or_gone()?;
    Ok(answer.and_then(|answer| answer.time_to_live_description))
}

async fn backups(aws: &Aws, name: &str) -> Result<bool, OpError> {
    let send = aws.dynamodb.describe_continuous_backups().table_name(name).send();
    let answer = send.await.map_err(op("DescribeContinuousBackups")).or_gone()?;
    let backups = answer.and_then(|answer| answer.continuous_backups_description);
    let recovery = backups.and_then(|backups| backups.point_in_time_recovery_description);
    let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status);
    Ok(status == Some(PointInTimeRecoveryStatus::Enabled))
}

/// Only KMS knows whether a key is the account's aws/dynamodb key or a customer's.
async fn encryption_of(
    aws: &Aws,
    survey: Option<&Survey<'_>>,
    sse: Option<&SseDescription>,
) -> Result<Encryption, OpError> {
    let Some(kms) = sse.filter(|sse| convert::is_kms(sse)) else { return Ok(Encryption::Owned) };
    let Some(key) = kms.kms_master_key_arn() else { return Ok(Encryption::Managed) };
    let customers = Encryption::Kms(key.into());
    // Another account's key can only be a customer key, and payctl may not be allowed to describe
    // it.
    if key.split(':').nth(4) != Some(&aws.scope.account) {
        return Ok(customers);
    }
    // A key with our tags is a customer's.
    if let Some(survey) = survey
        && survey.settled_tags(key).await.is_some()
    {
        return Ok(customers);
    }
    let mut known = aws.managed_keys.lock().await;
    let managed = match known.get(key) {
        Some(managed) => *managed,
        None => {
            let send = aws.kms.describe_key().key_id(key).send().await;
            let Some(answer) = send.map_err(op("DescribeKey")).or_gone()? else {
                return Ok(customers);
            };
            let manager = answer.key_metadata.and_then(|key| key.key_manager);
            let managed = manager == Some(KeyManagerType::Aws);
            known.insert(key.to_owned(), managed);
            managed
        }
    };
    Ok(if managed { Encryption::Managed } else { customers })
}
