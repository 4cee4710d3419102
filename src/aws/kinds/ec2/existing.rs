//! VPCs and subnets that payctl did not create. payctl asks only what anybody may ask who may use them: a
//! VPC that another account shares does not tell its settings.

use aws_sdk_ec2::types::{Filter, Subnet as AwsSubnet, Vpc as AwsVpc, VpcState};
use serde_json::json;

use super::common::{self, filter};
use super::subnet::{self, Subnet};
use super::vpc::Vpc;
use crate::aws::clients::Aws;
use crate::aws::error::op;
use crate::aws::lent::{By, Usable};
use crate::aws::resource::Resource as _;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Live, Phase, Tags};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs};

/// VPCs.
pub(in crate::aws::kinds) const VPC: Usable = Usable {
    kind: Vpc::META.kind,
    find: Some(|aws, by| Box::pin(vpcs(aws, by))),
    looks: &[Permit::look(&["ec2:DescribeVpcs"], &["*"])],
    // Its own tags do not tell that it may be used, and another account may share it.
    uses: &[Permit::create(&["ec2:CreateSecurityGroup"], &["ec2:{region}:*:vpc/{name}"])],
    also: &[],
};

/// Subnets.
pub(in crate::aws::kinds) const SUBNET: Usable = Usable {
    kind: Subnet::META.kind,
    find: Some(|aws, by| Box::pin(subnets(aws, by))),
    looks: &[Permit::look(&["ec2:DescribeSubnets"], &["*"])],
    uses: &[],
    also: &[],
};

async fn vpcs(aws: &Aws, by: &By) -> Result<Vec<Live>, OpError> {
    let call = aws.ec2.describe_vpcs().set_filters(Some(filters("vpc-id", by)));
    let pages = call.into_paginator().items().send();
    let all: Vec<AwsVpc> = pages.try_collect().await.map_err(op("DescribeVpcs"))?;
    Ok(all.into_iter().map(vpc).filter(|live| fits(by, live)).collect())
}

async fn subnets(aws: &Aws, by: &By) -> Result<Vec<Live>, OpError> {
    let call = aws.ec2.describe_subnets().set_filters(Some(filters("subnet-id", by)));
    let pages = call.into_paginator().items().send();
    let all: Vec<AwsSubnet> = pages.try_collect().await.map_err(op("DescribeSubnets"))?;
    let lives = all.into_iter().map(|one| {
        let Live { id, spec, outputs, tags, phase } = subnet::to_live(one);
        let spec = serde_json::to_value(spec).unwrap_or_default();
        Live { id, spec, outputs, tags, phase }
    });
    Ok(lives.filter(|live| fits(by, live)).collect())
}

fn vpc(one: AwsVpc) -> Live {
    let id = one.vpc_id.unwrap_or_default();
    Live {
        spec: json!({ "cidr": one.cidr_block }),
        outputs: Outputs::from([(Output::Id, id.clone())]),
        tags: common::tags(one.tags),
        phase: match one.state {
            Some(VpcState::Available) | None => Phase::Ready,
            Some(VpcState::Deleting) => Phase::Deleting("deleting".into()),
            Some(other) => Phase::Pending(other.as_str().to_owned()),
        },
        id,
    }
}

fn filters(id: &str, by: &By) -> Vec<Filter> {
    match by {
        By::Ids(ids) => vec![filter(id, ids)],
        By::Name(name) => vec![filter("tag:Name", [name])],
        By::Tags(tags) => {
            tags.iter().map(|(key, value)| filter(format!("tag:{key}"), [value])).collect()
        }
    }
}

/// Whether an object is what was asked for: the values of filters are patterns.
fn fits(by: &By, live: &Live) -> bool {
    let has = |tags: &Tags| tags.iter().all(|(key, value)| live.tags.get(key) == Some(value));
    match by {
        By::Ids(ids) => ids.contains(&live.id),
        By::Name(name) => live.tags.get("Name") == Some(name),
        By::Tags(tags) => has(tags),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_filter_is_a_pattern_and_a_tag_is_not() {
        let live = |name: &str| Live {
            id: "vpc-1".into(),
            tags: Tags::from([("Name".into(), name.into())]),
            ..vpc(AwsVpc::builder().build())
        };
        let by = By::Tags(Tags::from([("Name".into(), "shared*".into())]));
        assert!(fits(&by, &live("shared*")) && !fits(&by, &live("shared-2")));
        let ids = By::Ids(BTreeSet::from(["vpc-1".into()]));
        assert!(fits(&ids, &live("x")));
        assert!(!fits(&By::Ids(BTreeSet::from(["vpc-2".into()])), &live("x")));
    }
}
