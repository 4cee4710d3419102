//! What AWS services deliver to a log group or a bucket, and charge for themselves.

use super::log_group::LogGroup;
use crate::aws::costs::Costs;
use payctl_engine::model::text::Text;

/// The meter of what AWS services deliver to a log group or a bucket.
pub(crate) fn delivery(destination: &Text, cx: &Costs<'_>) -> &'static str {
    if destination.refs().any(|reference| reference.to.kind == "s3.bucket") {
        return "logs.vended_s3";
    }
    let group = cx.target::<LogGroup>(destination);
    let is_infrequent = group.is_some_and(|(_, group)| group.is_infrequent());
    if is_infrequent { "logs.vended_ia" } else { "logs.vended" }
}
