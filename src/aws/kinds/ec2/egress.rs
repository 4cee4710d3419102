//! What programs in a network send out of it: to the internet, and to services that may have a gateway
//! endpoint.

use std::collections::BTreeMap;

use super::gateway_endpoint::GatewayEndpoint;
use crate::aws::costs::{Costs, to};
use crate::aws::kinds::iam::role::Role;
use crate::aws::resource::Resource as _;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::Text;
use payctl_money::Decimal;
use payctl_money::load::{Driver, Passed, gb};

/// The services that may have a gateway endpoint, each with what its traffic is counted as.
const SERVED: [(&str, Driver); 2] = [("dynamodb", Driver::DynamodbGb), ("s3", Driver::S3Gb)];

/// What calls send out of subnets. Each sends something to the internet, and a record to each table and
/// bucket that the role of the caller allows.
pub(crate) fn egress<'a>(
    subnets: impl Iterator<Item = &'a Text>,
    role: Option<&Text>,
    calls: Decimal,
    cx: &Costs<'_>,
) -> Vec<Passed<Address>> {
    let subnets = subnets.flat_map(|subnet| to(subnet, Driver::NatGb, Decimal::ONE));
    let subnets: Vec<Address> = subnets.map(|flow| flow.to).collect();
    let mut sent = BTreeMap::from([(Driver::NatGb, gb(calls * cx.assume.nat_kb))]);
    let role = role.and_then(|role| cx.target::<Role>(role));
    for (to, _) in role.map(|(_, role)| role.driven(cx)).into_iter().flatten() {
        let service = to.kind.split('.').next().unwrap_or_default();
        if let Some((_, driver)) = SERVED.iter().find(|(served, _)| *served == service) {
            *sent.entry(*driver).or_default() += gb(calls * cx.assume.item_kb);
        }
    }
    let flows = |(driver, quantity)| Costs::split(subnets.clone(), driver, quantity);
    sent.into_iter().flat_map(flows).collect()
}

/// All that leaves a network, which subnets and route tables pass on.
pub(super) fn leaving() -> impl Iterator<Item = Driver> {
    std::iter::once(Driver::NatGb).chain(SERVED.map(|(_, driver)| driver))
}

/// What goes along the default route of a route table: all for which it has no gateway endpoint.
pub(super) fn by_default_route(cx: &Costs<'_>) -> Decimal {
    let endpoints = cx.users(GatewayEndpoint::META.kind);
    let endpoints: Vec<GatewayEndpoint> =
        endpoints.iter().filter_map(|address| cx.spec(address)).collect();
    let is_served = |service: &str| {
        endpoints.iter().any(|endpoint| endpoint.service.rsplit('.').next() == Some(service))
    };
    let others = SERVED.iter().filter(|(service, _)| !is_served(service));
    cx.load(Driver::NatGb) + others.map(|(_, driver)| cx.load(*driver)).sum::<Decimal>()
}
