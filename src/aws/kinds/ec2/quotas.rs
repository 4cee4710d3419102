//! The elastic addresses and the networks that the account may still create. AWS would refuse one too many
//! in the middle of an apply.

use futures::future::BoxFuture;

use super::elastic_ip::ElasticIp;
use super::vpc::Vpc;
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::op;
use crate::aws::preflight::{Check, Finding, Preflight, Subject};
use crate::aws::quotas::{self, Limit, Room, created, request, unread};
use crate::aws::resource::Resource as _;
use payctl_engine::model::error::OpError;

/// Checks whether the account can allocate the addresses that a plan creates.
pub(super) const ADDRESSES: Check = Check {
    subject: Subject::Limits,
    doing: "read the account's limit of elastic IP addresses",
    run: |cx| Box::pin(check(cx)),
};

/// Checks whether the account has room for the networks that a plan creates.
pub(super) const NETWORKS: Check = Check {
    subject: Subject::Limits,
    doing: "read the account's quota of VPCs",
    run: |cx| Box::pin(quotas::check(cx, &VPCS)),
};

const VPCS: Limit = Limit {
    kind: Vpc::META.kind,
    names: ("VPC", "VPCs"),
    quota: ("vpc", "L-F678F1CE"),
    is_adjustable: true,
    counts: |_| true,
    used: networks,
    relief: "use the network of another environment (`[network] from`)",
};

/// The attribute with the limit.
const LIMIT: &str = "vpc-max-elastic-ips";

/// The names of addresses.
const NAMES: (&str, &str) = ("elastic IP address", "elastic IP addresses");

async fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let kind = ElasticIp::META.kind;
    let wanted = created(cx, kind);
    let Some(first) = wanted.first() else { return Ok(Vec::new()) };
    let found = match standing(cx.aws).await {
        Ok(Some((used, most))) => {
            let room = Room { kind, names: NAMES, used, most };
            room.lacks(cx, &wanted, |needed| {
                format!(
                    "use the network of another environment (`[network] from`), or `nat = {{ kind = \
                     \"instance\" }}`, or {}",
                    request("ec2", "L-0263D0A3", needed)
                )
            })
        }
        Ok(None) => None,
        Err(error) => unread(cx, first, NAMES.1, error)?,
    };
    Ok(found.into_iter().collect())
}

/// How many addresses the account has in this region, and how many it may have.
async fn standing(aws: &Aws) -> Result<Option<(usize, usize)>, OpError> {
    let ask = || async {
        let call = aws.ec2.describe_account_attributes().attribute_names(LIMIT.into());
        let limits = call.send().await.map_err(op("DescribeAccountAttributes"))?;
        let addresses = aws.ec2.describe_addresses().send().await;
        Ok::<_, OpError>((limits, addresses.map_err(op("DescribeAddresses"))?))
    };
    let (limits, addresses) = retry_read(ask).await?;
    let of_limit = limits.account_attributes.unwrap_or_default().into_iter();
    let mut of_limit = of_limit.filter(|one| one.attribute_name.as_deref() == Some(LIMIT));
    let limit = of_limit.next().and_then(|one| one.attribute_values?.pop()?.attribute_value);
    let used = addresses.addresses.unwrap_or_default().len();
    Ok(limit.and_then(|limit| limit.parse().ok()).map(|limit| (used, limit)))
}

/// How many VPCs there are in this region, the default one among them.
fn networks(aws: &Aws) -> BoxFuture<'_, Result<usize, OpError>> {
    Box::pin(async move {
        let list = || async {
            let pages = aws.ec2.describe_vpcs().max_results(1000).into_paginator().items();
            pages.send().try_collect().await.map_err(op("DescribeVpcs"))
        };
        let all: Vec<_> = retry_read(list).await?;
        Ok(all.len())
    })
}
