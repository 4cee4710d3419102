//! Whether an object of EC2 exists, whatever its type: its tags go with it.

use super::common::filter;
use crate::aws::clients::Aws;
use crate::aws::error::op;
use crate::aws::leftovers::Probe;
use payctl_engine::model::error::OpError;

/// See the module.
pub(in crate::aws::kinds) const PROBE: Probe =
    Probe { service: "ec2", of_kinds: false, ask: |aws, arn| Box::pin(exists(aws, arn)) };

async fn exists(aws: &Aws, arn: &str) -> Result<bool, OpError> {
    let id = arn.rsplit('/').next().unwrap_or(arn);
    let call = aws.ec2.describe_tags().filters(filter("resource-id", [id]));
    let answer = call.send().await.map_err(op("DescribeTags"))?;
    Ok(!answer.tags.unwrap_or_default().is_empty())
}
