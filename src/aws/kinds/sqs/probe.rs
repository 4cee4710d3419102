//! Whether a queue exists: its id is a URL, which its ARN does not tell.

use super::queue::name_in;
use crate::aws::clients::Aws;
use crate::aws::error::op;
use crate::aws::leftovers::Probe;
use payctl_engine::model::error::OpError;

/// See the module.
pub(in crate::aws::kinds) const PROBE: Probe =
    Probe { service: "sqs", of_kinds: true, ask: |aws, arn| Box::pin(exists(aws, arn)) };

async fn exists(aws: &Aws, arn: &str) -> Result<bool, OpError> {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    let listed = aws.sqs.list_queues().queue_name_prefix(name).send().await;
    let listed = listed.map_err(op("ListQueues"))?.queue_urls.unwrap_or_default();
    Ok(listed.iter().any(|url| name_in(url) == name))
}
