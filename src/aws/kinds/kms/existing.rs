//! Keys that payctl did not create, by id, ARN, alias or tags.

use aws_sdk_kms::types::KeyState;
use futures::future::try_join_all;
use serde_json::Value;

use super::key::{Key, alias_of};
use crate::aws::census;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::lent::{By, Usable};
use crate::aws::resource::Resource as _;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Live, Phase, Tags};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs};

/// See the module.
pub(in crate::aws::kinds) const KEY: Usable = Usable {
    kind: Key::META.kind,
    find: Some(|aws, by| Box::pin(find(aws, by))),
    looks: &[
        Permit::look(&["kms:ListAliases"], &["*"]),
        Permit::look(&["kms:DescribeKey"], &["kms:{here}:key/*"]),
    ],
    uses: &[],
    also: &[],
};

async fn find(aws: &Aws, by: &By) -> Result<Vec<Live>, OpError> {
    let asked: Vec<String> = match by {
        By::Ids(ids) => ids.iter().cloned().collect(),
        By::Name(alias) => vec![format!("alias/{alias}")],
        By::Tags(tags) => census::tagged_as(aws, "kms:key", tags).await?,
    };
    let found = asked.iter().map(|key| describe(aws, key));
    Ok(try_join_all(found).await?.into_iter().flatten().collect())
}

async fn describe(aws: &Aws, asked: &str) -> Result<Option<Live>, OpError> {
    let send = aws.kms.describe_key().key_id(asked).send();
    let key = send.await.map_err(op("DescribeKey")).or_gone()?;
    let Some(key) = key.and_then(|answer| answer.key_metadata) else { return Ok(None) };
    let alias = match asked.starts_with("alias/") {
        true => asked.to_owned(),
        false => alias_of(aws, &key.key_id).await?,
    };
    let phase = match &key.key_state {
        Some(KeyState::Enabled) | None => Phase::Ready,
        Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => return Ok(None),
        Some(other) => Phase::Pending(other.as_str().to_owned()),
    };
    let mut outputs = Outputs::from([(Output::Id, key.key_id.clone())]);
    outputs.extend(key.arn.map(|arn| (Output::Arn, arn)));
    outputs.extend((!alias.is_empty()).then_some((Output::Name, alias)));
    Ok(Some(Live { id: key.key_id, spec: Value::Null, outputs, tags: Tags::new(), phase }))
}
