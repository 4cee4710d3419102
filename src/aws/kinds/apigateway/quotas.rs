//! The APIs, usage plans and VPC links that the account may still create. A fleet of environments meets
//! these limits first.

use aws_sdk_apigateway::types::EndpointType;
use futures::future::BoxFuture;
use serde_json::Value;

use super::common::PAGE;
use super::rest_api::RestApi;
use super::usage_plan::UsagePlan;
use super::vpc_link::VpcLink;
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::op;
use crate::aws::preflight::{Check, Subject};
use crate::aws::quotas::{Limit, check};
use crate::aws::resource::Resource as _;
use payctl_engine::model::error::OpError;

/// The checks of these limits before an apply.
pub(super) const CHECKS: [Check; 4] = [
    Check { subject: Subject::Limits, doing: DOING, run: |cx| Box::pin(check(cx, &REGIONAL)) },
    Check { subject: Subject::Limits, doing: DOING, run: |cx| Box::pin(check(cx, &EDGE)) },
    Check { subject: Subject::Limits, doing: DOING, run: |cx| Box::pin(check(cx, &PLANS)) },
    Check { subject: Subject::Limits, doing: DOING, run: |cx| Box::pin(check(cx, &LINKS)) },
];

const DOING: &str = "read the account's quotas of API Gateway";

/// What helps if there is no room for another API.
const FEWER: &str = "destroy environments that nobody needs (`payctl env list`)";

const REGIONAL: Limit = Limit {
    kind: RestApi::META.kind,
    names: ("regional REST API", "regional REST APIs"),
    quota: ("apigateway", "L-AA0FF27B"),
    is_adjustable: false,
    counts: |spec| has_endpoint(spec, "REGIONAL"),
    used: |aws| apis(aws, EndpointType::Regional),
    relief: FEWER,
};

const EDGE: Limit = Limit {
    kind: RestApi::META.kind,
    names: ("edge-optimised REST API", "edge-optimised REST APIs"),
    quota: ("apigateway", "L-B97207D0"),
    is_adjustable: false,
    counts: |spec| has_endpoint(spec, "EDGE"),
    used: |aws| apis(aws, EndpointType::Edge),
    relief: FEWER,
};

const PLANS: Limit = Limit {
    kind: UsagePlan::META.kind,
    names: ("usage plan", "usage plans"),
    quota: ("apigateway", "L-E8693075"),
    is_adjustable: true,
    counts: |_| true,
    used: plans,
    relief: FEWER,
};

const LINKS: Limit = Limit {
    kind: VpcLink::META.kind,
    names: ("VPC link", "VPC links"),
    quota: ("apigateway", "L-608BDCD4"),
    is_adjustable: true,
    counts: |_| true,
    used: links,
    relief: FEWER,
};

fn has_endpoint(spec: &Value, kind: &str) -> bool {
    spec.get("endpoint").and_then(Value::as_str) == Some(kind)
}

fn apis(aws: &Aws, kind: EndpointType) -> BoxFuture<'_, Result<usize, OpError>> {
    Box::pin(async move {
        let list = || async {
            let pages = aws.apigateway.get_rest_apis().limit(PAGE).into_paginator().items();
            pages.send().try_collect().await.map_err(op("GetRestApis"))
        };
        let all: Vec<_> = retry_read(list).await?;
        let has = |api: &aws_sdk_apigateway::types::RestApi| {
            api.endpoint_configuration().is_some_and(|endpoint| endpoint.types().contains(&kind))
        };
        Ok(all.iter().filter(|api| has(api)).count())
    })
}

fn plans(aws: &Aws) -> BoxFuture<'_, Result<usize, OpError>> {
    Box::pin(async move {
        let list = || async {
            let pages = aws.apigateway.get_usage_plans().limit(PAGE).into_paginator().items();
            pages.send().try_collect().await.map_err(op("GetUsagePlans"))
        };
        let all: Vec<_> = retry_read(list).await?;
        Ok(all.len())
    })
}

fn links(aws: &Aws) -> BoxFuture<'_, Result<usize, OpError>> {
    Box::pin(async move {
        let (mut number, mut token) = (0, None);
        loop {
            let call = aws.apigatewayv2.get_vpc_links().set_next_token(token.take());
            let page =
                retry_read(|| async { call.clone().send().await.map_err(op("GetVpcLinks")) });
            let page = page.await?;
            number += page.items().len();
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(number);
            }
        }
    })
}
