//! The elastic addresses that the account may still allocate. AWS would refuse one too many in the middle
//! of an apply. Its limit of VPCs is told by another service alone, so payctl does not check that.

use super::elastic_ip::ElasticIp;
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::op;
use crate::aws::preflight::{Check, Fate, Finding, Preflight, Subject};
use crate::aws::resource::Resource as _;
use payctl_engine::model::error::OpError;

/// Checks whether the account can allocate the addresses that a plan creates.
pub(super) const CHECK: Check =
    Check { subject: Subject::Limits, doing: DOING, run: |cx| Box::pin(check(cx)) };

const DOING: &str = "read the account's limit of elastic IP addresses";

/// The attribute with the limit.
const LIMIT: &str = "vpc-max-elastic-ips";

async fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let kind = ElasticIp::META.kind;
    let made = |fate: Fate| matches!(fate, Fate::Created | Fate::Replaced);
    let wanted = cx.of(kind).filter(|planned| made(planned.fate)).count();
    if wanted == 0 {
        return Ok(Vec::new());
    }
    let Some((used, limit)) = standing(cx.aws).await? else { return Ok(Vec::new()) };
    let free = limit.saturating_sub(used);
    if wanted <= free {
        return Ok(Vec::new());
    }
    let each = cx.resources.keys().filter(|address| address.kind == kind).count().max(1);
    Ok(vec![Finding::Problem {
        title: format!("the account cannot allocate {wanted} more elastic IP addresses"),
        because: format!(
            "it has {used} of {limit}; an environment like this one needs {each}, so {} more fit",
            free / each
        ),
        hint: "use the network of another environment (`[network] from`), or `nat = { kind = \
               \"instance\" }`, or ask AWS for a higher quota",
    }])
}

/// How many addresses the account has in this region, and how many it may have.
async fn standing(aws: &Aws) -> Result<Option<(usize, usize)>, OpError> {
    let ask = || async {
        let call = aws.ec2.describe_account_attributes().attribute_names(LIMIT.into());
        let limits = call.send().await.map_err(op("DescribeAccountAttributes"))?;
        let addresses = aws.ec2.describe_addresses().send().await;
        Ok::<_, OpError>((limits, addresses.map_err(op("DescribeAddresses"))?))
    };
    let (limits, addresses) = match retry_read(ask).await {
        // An emulator without this operation does not have a limit either.
        Err(_) if aws.is_elsewhere => return Ok(None),
        answer => answer?,
    };
    let of_limit = limits.account_attributes.unwrap_or_default().into_iter();
    let mut of_limit = of_limit.filter(|one| one.attribute_name.as_deref() == Some(LIMIT));
    let limit = of_limit.next().and_then(|one| one.attribute_values?.pop()?.attribute_value);
    let used = addresses.addresses.unwrap_or_default().len();
    Ok(limit.and_then(|limit| limit.parse().ok()).map(|limit| (used, limit)))
}
