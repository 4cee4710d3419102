//! Secrets in their recovery time: AWS deletes them when it ends.
//!
//! AWS quirks: DescribeSecret tells when the deletion was requested, not when the recovery time ends.

use aws_smithy_types::DateTime;

use super::secret::{Secret, described, from_tags};
use crate::aws::clients::Aws;
use crate::aws::kinds::kms::key::{DEFAULT_RECOVERY, TAG_RECOVERY};
use crate::aws::leftovers::Holder;
use crate::aws::resource::Resource as _;
use crate::aws::restores::text;
use payctl_engine::model::error::OpError;
use payctl_engine::model::permit::Permit;

/// See the module.
pub(in crate::aws::kinds) const HOLDER: Holder = Holder {
    kind: Secret::META.kind,
    permits: &[Permit::look(
        &["secretsmanager:DescribeSecret"],
        &["secretsmanager:{here}:secret:*"],
    )],
    ask: |aws, id| Box::pin(ask(aws, id)),
};

async fn ask(aws: &Aws, id: &str) -> Result<Option<(String, &'static str)>, OpError> {
    let Some(secret) = described(aws, None, id).await? else { return Ok(None) };
    let Some(deleted) = secret.deleted_date() else { return Ok(None) };
    let tags = from_tags(secret.tags());
    let days = tags.get(TAG_RECOVERY).and_then(|days| days.parse().ok());
    // A forced deletion ends in seconds.
    let days: i64 = days.unwrap_or(DEFAULT_RECOVERY).into();
    let end = DateTime::from_secs(deleted.secs() + days * 24 * 3600);
    Ok((days > 0).then(|| (text(end), "it can be restored until then, at no cost")))
}
