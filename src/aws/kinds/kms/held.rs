//! Keys whose deletion is scheduled: AWS deletes them after 7 to 30 days.

use super::key::Key;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::leftovers::Holder;
use crate::aws::resource::Resource as _;
use crate::aws::restores::text;
use payctl_engine::model::error::OpError;
use payctl_engine::model::permit::Permit;

/// See the module.
pub(in crate::aws::kinds) const HOLDER: Holder = Holder {
    kind: Key::META.kind,
    permits: &[Permit::look(&["kms:DescribeKey"], &["kms:{here}:key/*"])],
    ask: |aws, id| Box::pin(ask(aws, id)),
};

async fn ask(aws: &Aws, id: &str) -> Result<Option<(String, &'static str)>, OpError> {
    let send = aws.kms.describe_key().key_id(id).send().await;
    let key = send.map_err(op("DescribeKey")).or_gone()?.and_then(|answer| answer.key_metadata);
    let end = key.and_then(|key| key.deletion_date);
    Ok(end.map(|end| (text(end), "its deletion is scheduled, at no cost")))
}
