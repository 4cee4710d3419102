//! Gateway endpoints for S3 and DynamoDB.
//!
//! AWS quirks: states come in lower case although the API's model has capitals. Without a policy
//! AWS returns one that allows everything, which payctl treats as none. A deletion succeeds and
//! lists its errors in the answer. A route table has at most one endpoint of a service, so AWS
//! refuses a second creation (`RouteAlreadyExists`).

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ec2::operation::describe_vpc_endpoints::builders::DescribeVpcEndpointsFluentBuilder;
use aws_sdk_ec2::types::{ResourceType, VpcEndpoint, VpcEndpointType};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::common;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// A gateway endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewayEndpoint {
    /// The id of the VPC.
    pub vpc: Text,
    /// The full service name, `com.amazonaws.us-east-1.s3`.
    pub service: String,
    /// The ids of the route tables that lead to it.
    pub route_tables: BTreeSet<Text>,
    /// The policy of the endpoint; allows everything if `None`.
    // Serialised also when none: no policy means full access, not any policy.
    #[serde(default)]
    pub policy: Option<Document>,
}

impl Resource for GatewayEndpoint {
    const META: Meta = Meta {
        drawn: Drawn::badge("endpoint", "gateway endpoint", &["vpc"]),
        notes: &[
            "It is free of charge; traffic to the service no longer needs a NAT gateway.",
            "AWS adds and removes the routes in its route tables.",
        ],
        immutable: &["vpc", "service"],
        replace: Replace::DeleteFirst,
        can_duplicate: true,
        read_lag: common::SETTLE,
        deadline: Duration::from_secs(600),
        permits: &[
            Permit::look(&["ec2:DescribeVpcEndpoints"], &["*"]),
            Permit::create(&["ec2:CreateVpcEndpoint"], &["ec2:{here}:vpc-endpoint/*"]).made_ours(),
            Permit::create(&["ec2:CreateTags"], &["ec2:{here}:vpc-endpoint/*"])
                .where_equal("ec2:CreateAction", "CreateVpcEndpoint"),
            Permit::change(
                &["ec2:CreateTags", "ec2:DeleteTags", "ec2:ModifyVpcEndpoint"],
                &["ec2:{here}:vpc-endpoint/*"],
            )
            .ours(),
            Permit::delete(&["ec2:DeleteVpcEndpoints"], &["ec2:{here}:vpc-endpoint/*"]).ours(),
            Permit::create(
                &["ec2:CreateVpcEndpoint"],
                &["ec2:{here}:route-table/*", "ec2:{here}:vpc/*"],
            )
            .ours(),
            Permit::change(&["ec2:ModifyVpcEndpoint"], &["ec2:{here}:route-table/*"]).ours(),
        ],
        names: Some(NameRule::tag("endpoint")),
        section: "network",
        asked: &["service"],
        typical: Typical::seconds(5, 5, 70).calls(4, 5, 4),
        serves: true,
        felt: &[("route_tables", Traffic::NewConnections), ("policy", Traffic::NewConnections)],
        pricing: Pricing::Free(
            "AWS charges nothing for gateway endpoints, nor for the data through them.",
        ),
        types: &["ec2:vpc-endpoint"],
        ..Meta::new(
            "ec2.gateway_endpoint",
            "ec2",
            "A gateway endpoint: a private route from a VPC to S3 or DynamoDB.",
        )
    };

    fn sample() -> Self {
        let id = |kind| Text::reference(Address::new(kind, "sample"), Output::Id);
        Self {
            vpc: id("ec2.vpc"),
            service: "com.amazonaws.us-east-1.s3".into(),
            route_tables: BTreeSet::from([id("ec2.route_table")]),
            policy: None,
        }
    }

    fn variants() -> Vec<Self> {
        let reading = json!({
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"
        });
        vec![
            Self { policy: Some(Document::of([reading])), ..Self::sample() },
            Self { route_tables: BTreeSet::new(), ..Self::sample() },
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let call = cx.aws.ec2.describe_vpc_endpoints();
        Ok(common::found(cx, find(call.set_filters(Some(common::ours(cx.aws)))).await?))
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let call = cx.aws.ec2.describe_vpc_endpoints().vpc_endpoint_ids(cx.id());
        Ok(common::pick(cx, find(call).await?))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let tables = self.route_tables.iter().map(|table| table.known().to_owned()).collect();
        let call = cx
            .aws
            .ec2
            .create_vpc_endpoint()
            .vpc_endpoint_type(VpcEndpointType::Gateway)
            .vpc_id(self.vpc.known())
            .service_name(&self.service)
            .set_route_table_ids(Some(tables))
            .set_policy_document(self.policy.as_ref().map(Document::to_json))
            .tag_specifications(common::tagged(ResourceType::VpcEndpoint, cx.tags));
        let answer = call.send().await.map_err(op("CreateVpcEndpoint"))?;
        let id = answer.vpc_endpoint.and_then(|endpoint| endpoint.vpc_endpoint_id);
        common::made("CreateVpcEndpoint", id)
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let less = |left: &BTreeSet<Text>, right: &BTreeSet<Text>| {
            let ids: Vec<String> = left.difference(right).map(|id| id.known().to_owned()).collect();
            Some(ids).filter(|ids| !ids.is_empty())
        };
        let mut call = cx
            .aws
            .ec2
            .modify_vpc_endpoint()
            .vpc_endpoint_id(&live.id)
            .set_add_route_table_ids(less(&self.route_tables, &live.spec.route_tables))
            .set_remove_route_table_ids(less(&live.spec.route_tables, &self.route_tables));
        if self.policy != live.spec.policy {
            let policy = self.policy.clone().unwrap_or_else(everything);
            call = call.policy_document(policy.to_json());
        }
        call.send().await.map_err(op("ModifyVpcEndpoint")).map(drop)
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.ec2.delete_vpc_endpoints().vpc_endpoint_ids(&live.id).send();
        let Some(answer) = send.await.map_err(op("DeleteVpcEndpoints")).or_gone()? else {
            return Ok(());
        };
        common::refused("DeleteVpcEndpoints", answer.unsuccessful).or_gone().map(drop)
    }
}

async fn find(
    call: DescribeVpcEndpointsFluentBuilder,
) -> Result<Vec<Live<GatewayEndpoint>>, OpError> {
    let pages = call.into_paginator().items().send();
    let endpoints: Result<Vec<VpcEndpoint>, _> = pages.try_collect().await;
    let endpoints = endpoints.map_err(op("DescribeVpcEndpoints")).or_gone()?.unwrap_or_default();
    endpoints.into_iter().filter_map(|endpoint| to_live(endpoint).transpose()).collect()
}

/// `None` for deleted endpoints that AWS still lists, and for endpoints of other types.
fn to_live(endpoint: VpcEndpoint) -> Result<Option<Live<GatewayEndpoint>>, OpError> {
    let is_gateway = !matches!(&endpoint.vpc_endpoint_type, Some(other)
        if !other.as_str().eq_ignore_ascii_case("gateway"));
    let Some(phase) = phase_of(&endpoint).filter(|_| is_gateway) else { return Ok(None) };
    let id = endpoint.vpc_endpoint_id.unwrap_or_default();
    let tables = endpoint.route_table_ids.unwrap_or_default();
    Ok(Some(Live {
        spec: GatewayEndpoint {
            vpc: endpoint.vpc_id.unwrap_or_default().into(),
            service: endpoint.service_name.unwrap_or_default(),
            route_tables: tables.into_iter().map(Text::from).collect(),
            policy: policy(endpoint.policy_document.as_deref())?,
        },
        outputs: Outputs::from([(Output::Id, id.clone())]),
        tags: common::tags(endpoint.tags),
        phase,
        id,
    }))
}

/// The policy, unless it is the one that AWS sets where none is given.
fn policy(text: Option<&str>) -> Result<Option<Document>, OpError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let policy = Document::parse(text).map_err(|error| {
        OpError::new("DescribeVpcEndpoints", ErrorClass::Bug, "Policy", error.to_string())
    })?;
    let is_default = policy.statements() == everything().statements();
    Ok(Some(policy).filter(|_| !is_default))
}

/// AWS's default policy, except for the version.
fn everything() -> Document {
    let allow = json!({ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" });
    Document::of([allow])
}

fn phase_of(endpoint: &VpcEndpoint) -> Option<Phase> {
    let state = endpoint.state.as_ref().map(|state| state.as_str().to_lowercase());
    match state.as_deref() {
        Some("deleted") => None,
        Some("available") | None => Some(Phase::Ready),
        Some("deleting") => Some(Phase::Deleting("deleting".into())),
        Some(failed @ ("failed" | "rejected" | "expired")) => {
            let error = endpoint.last_error.as_ref().and_then(|error| error.message.as_deref());
            let reason = error.or(endpoint.failure_reason.as_deref());
            Some(Phase::Failed(format!("{failed}: {}", reason.unwrap_or("AWS gave no reason"))))
        }
        Some(other) => Some(Phase::Pending(other.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::State;

    use super::*;

    #[test]
    fn the_case_of_a_state_does_not_matter() {
        let check = |state: &str, expected| {
            let endpoint = VpcEndpoint::builder().state(State::from(state)).build();
            assert_eq!(phase_of(&endpoint), expected, "{state}");
        };
        check("available", Some(Phase::Ready));
        check("Available", Some(Phase::Ready));
        check("Deleting", Some(Phase::Deleting("deleting".into())));
        check("deleted", None);
        check("pendingAcceptance", Some(Phase::Pending("pendingacceptance".into())));
        check("failed", Some(Phase::Failed("failed: AWS gave no reason".into())));
    }

    #[test]
    fn the_policy_that_allows_everything_counts_as_none() {
        let full = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*",
            "Action":"*","Resource":"*"}]}"#;
        assert_eq!(policy(Some(full)).unwrap(), None);
        assert_eq!(policy(None).unwrap(), None);
        let reading = GatewayEndpoint::variants()[0].policy.clone();
        assert_eq!(policy(reading.as_ref().map(Document::to_json).as_deref()).unwrap(), reading);
    }
}
