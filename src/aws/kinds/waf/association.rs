//! Associations of a web ACL with one load balancer or API stage.
//!
//! AWS quirks: an association does not have tags or an id. A resource has at most one ACL, so the
//! resource identifies the association, and a new ACL replaces the old one in one call without a
//! gap. WAF does not find a new resource or ACL for a while (`WAFUnavailableEntityException`).

use std::time::Duration;

use aws_sdk_wafv2::types::ResourceType;
use futures::future::{join3, try_join_all};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::web_acl::{self, WebAcl};
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Flow};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::load::{Driver, Passed};

/// An association.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Association {
    /// The ARN of the web ACL.
    pub acl: Text,
    /// The ARN of the load balancer or API stage.
    pub resource: Text,
}

/// The name of the association of a load balancer.
pub(crate) fn of_balancer(name: &str) -> String {
    format!("lb-{name}")
}

/// The name of the association of the stage of an API.
pub(crate) fn of_stage(api: &str) -> String {
    format!("api-{api}")
}

/// The suffix after the ARN of the resource in the id, which must differ from the id of the
/// resource itself.
const SLOT: &str = "/acl";

impl Resource for Association {
    const META: Meta = Meta {
        drawn: Drawn::badge("link", "association", &["acl"]).with(flows),
        notes: &[
            "WAF may not find a new load balancer or stage for a while; payctl waits up to ten \
             minutes.",
            "A resource has one web ACL: an association replaces any other. A resource that moves \
             to another firewall always stays protected.",
        ],
        immutable: &["resource"],
        replace: Replace::DeleteFirst,
        tagged: false,
        deadline: Duration::from_secs(600),
        propagation: Duration::from_secs(600),
        read_lag: Duration::from_secs(60),
        told: true,
        gone_at_once: true,
        permits: &[
            Permit::look(&["wafv2:ListWebACLs"], &["*"]),
            Permit::look(
                &["wafv2:GetWebACL", "wafv2:ListResourcesForWebACL", "wafv2:ListTagsForResource"],
                &["wafv2:{here}:regional/webacl/{seen}/*"],
            ),
            Permit::look(&["apigateway:GET"], &["apigateway:{region}::/tags/*"]),
            Permit::watch(
                &["wafv2:GetWebACLForResource"],
                &[
                    "wafv2:{here}:regional/webacl/*/*",
                    "elasticloadbalancing:{here}:loadbalancer/app/{seen}/*",
                    // The name of a load balancer is short: that of the environment may not fit in.
                    "elasticloadbalancing:{here}:loadbalancer/app/{elb.load_balancer}/*",
                    "apigateway:{region}::/restapis/*/stages/*",
                ],
            ),
            Permit::set(
                &["wafv2:AssociateWebACL"],
                &[
                    "wafv2:{here}:regional/webacl/{waf.web_acl}/*",
                    "elasticloadbalancing:{here}:loadbalancer/app/{elb.load_balancer}/*",
                    "apigateway:{region}::/restapis/*/stages/*",
                ],
            ),
            Permit::set(&["apigateway:SetWebACL"], &["apigateway:{region}::/restapis/*/stages/*"]),
            Permit::set(&["elasticloadbalancing:SetWebAcl"], &["*"]),
            // Checks of the load balancing API.
            Permit::watch(
                &["elasticloadbalancing:GetLoadBalancerWebACL"],
                &[
                    "elasticloadbalancing:{here}:loadbalancer/app/{seen}/*",
                    "elasticloadbalancing:{here}:loadbalancer/app/{elb.load_balancer}/*",
                ],
            ),
            Permit::set(
                &["elasticloadbalancing:CreateWebACLAssociation"],
                &["elasticloadbalancing:{here}:loadbalancer/app/{elb.load_balancer}/*"],
            ),
            Permit::delete(
                &["elasticloadbalancing:DeleteWebACLAssociation"],
                &["elasticloadbalancing:{here}:loadbalancer/app/{elb.load_balancer}/*"],
            ),
            Permit::delete(
                &["wafv2:DisassociateWebACL"],
                &[
                    "elasticloadbalancing:{here}:loadbalancer/app/{elb.load_balancer}/*",
                    "apigateway:{region}::/restapis/*/stages/*",
                ],
            ),
            Permit::delete(
                &["apigateway:SetWebACL"],
                &["apigateway:{region}::/restapis/*/stages/*"],
            ),
            Permit::delete(&["elasticloadbalancing:SetWebAcl"], &["*"]),
        ],
        section: "firewalls",
        part_of: &["resource"],
        typical: Typical::seconds(10, 5, 5).calls(1, 3, 2),
        pricing: Pricing::Free("AWS charges for the web ACL."),
        ..Meta::new(
            "waf.association",
            "wafv2",
            "The association of a web ACL with a resource that it protects.",
        )
    };

    fn sample() -> Self {
        let arn = |kind| Text::reference(Address::new(kind, "sample"), Output::Arn);
        Self { acl: arn("waf.web_acl"), resource: arn("elb.load_balancer") }
    }

    fn sample_name() -> &'static str {
        "lb-sample-balancer"
    }

    fn variants() -> Vec<Self> {
        Vec::new()
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        to(&self.acl, Driver::Requests, cx.load(Driver::Requests))
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let acls = web_acl::candidates(cx).await?;
        let found = acls.iter().map(|acl| {
            survey_acl(cx, acl.name().unwrap_or_default(), acl.arn().unwrap_or_default())
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let resource = resource_of(cx.id());
        Ok(acl_of(cx.aws, resource).await?.map(|acl| to_live(&acl, resource)))
    }

    /// It goes with its parent, and its id names it.
    async fn glance(_: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(Some(planned))
    }

    async fn holder(cx: &Cx<'_>, live: &Live<Self>) -> Result<Option<Tags>, OpError> {
        web_acl::tags_of(cx.aws, live.spec.acl.known()).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        self.associate(cx.aws).await?;
        Ok(format!("{}{SLOT}", self.resource.known()))
    }

    async fn update(&self, cx: &Cx<'_>, _: &Live<Self>) -> Result<(), OpError> {
        self.associate(cx.aws).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let resource = resource_of(&live.id);
        if acl_of(cx.aws, resource).await?.as_deref() != Some(live.spec.acl.known()) {
            let message = "the web ACL is no longer associated: the resource has none, or another \
                           one";
            let class = ErrorClass::NotFound;
            return Err(OpError::new("GetWebACLForResource", class, "NotAssociated", message));
        }
        let send = cx.aws.wafv2.disassociate_web_acl().resource_arn(resource).send();
        send.await.map_err(op("DisassociateWebACL")).or_gone().map(drop)
    }
}

/// The ARN of the load balancer or stage of an id.
fn resource_of(id: &str) -> &str {
    id.strip_suffix(SLOT).unwrap_or(id)
}

/// The ARN of the web ACL that a resource has.
async fn acl_of(aws: &Aws, resource: &str) -> Result<Option<String>, OpError> {
    let send = aws.wafv2.get_web_acl_for_resource().resource_arn(resource).send();
    let answer = send.await.map_err(op("GetWebACLForResource")).or_gone()?;
    Ok(answer.and_then(|answer| answer.web_acl).map(|acl| acl.arn))
}

impl Association {
    async fn associate(&self, aws: &Aws) -> Result<(), OpError> {
        let call = aws.wafv2.associate_web_acl().web_acl_arn(self.acl.known());
        let send = call.resource_arn(self.resource.known()).send();
        send.await.map_err(op("AssociateWebACL")).map(drop)
    }
}

/// The resources of one ACL, if this environment owns the ACL.
async fn survey_acl(
    cx: &Survey<'_>,
    name: &str,
    arn: &str,
) -> Result<Vec<Found<Association>>, OpError> {
    let (tags, balancers, stages) = Box::pin(join3(
        cx.tags(arn, web_acl::tags_of(cx.aws, arn)),
        protected(cx.aws, arn, ResourceType::ApplicationLoadBalancer),
        protected(cx.aws, arn, ResourceType::ApiGateway),
    ))
    .await;
    let tags = cx.if_permitted(name, tags)?.unwrap_or_default();
    let is_ours = matches!(
        cx.ours(name, &tags),
        Some((acl, Owner::Ours)) if acl.kind == WebAcl::META.kind
    );
    if !is_ours {
        return Ok(Vec::new());
    }
    let found = balancers?.into_iter().chain(stages?).map(async |resource| {
        let name = name_for(cx, &resource).await?;
        let wanted = cx.wanted.get(&name).cloned();
        let address = wanted.unwrap_or_else(|| Address::new(Association::META.kind, name));
        Ok(Found { address, owner: Owner::Ours, live: to_live(arn, &resource) })
    });
    try_join_all(found).await
}

async fn protected(aws: &Aws, acl: &str, kind: ResourceType) -> Result<Vec<String>, OpError> {
    let send = aws.wafv2.list_resources_for_web_acl().web_acl_arn(acl).resource_type(kind).send();
    let answer = send.await.map_err(op("ListResourcesForWebACL")).or_gone()?;
    Ok(answer.and_then(|answer| answer.resource_arns).unwrap_or_default())
}

/// The name of the association of a resource. The ARN of a load balancer contains its name; the
/// tags of a stage say which API it belongs to.
async fn name_for(cx: &Survey<'_>, resource: &str) -> Result<String, OpError> {
    if let Some((_, tail)) = resource.split_once(":loadbalancer/") {
        return Ok(of_balancer(tail.split('/').nth(1).unwrap_or(tail)));
    }
    let ask = async {
        let send = cx.aws.apigateway.get_tags().resource_arn(resource).send();
        let answer = send.await.map_err(op("GetTags")).or_gone()?;
        Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
    };
    let tags: Tags = cx.tags(resource, ask).await?.unwrap_or_default();
    let unknown = || resource.rsplit("/restapis/").next().unwrap_or(resource).replace('/', "-");
    Ok(of_stage(&cx.aws.scope.owned(&tags).map_or_else(unknown, |stage| stage.name)))
}

fn to_live(acl: &str, resource: &str) -> Live<Association> {
    Live {
        id: format!("{resource}{SLOT}"),
        spec: Association { acl: acl.into(), resource: resource.into() },
        outputs: Outputs::new(),
        tags: Tags::new(),
        phase: Phase::Ready,
    }
}

/// What the web ACL filters the requests of.
fn flows(spec: &Value) -> Vec<Flow> {
    Flow::out(spec, "/resource", "filters")
}
