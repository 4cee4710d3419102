//! What a web ACL protects: it and one load balancer or API stage.
//!
//! AWS quirks: an association has no tags and no id; a resource has one ACL at most, so it is known
//! by the resource, and another ACL simply takes the place of the first. WAF does not see a resource
//! or an ACL that is new for a while (`WAFUnavailableEntityException`).

use std::time::Duration;

use aws_sdk_wafv2::types::ResourceType;
use futures::future::{join3, try_join_all};
use serde::{Deserialize, Serialize};

use super::waf_web_acl::{self, WebAcl};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use crate::model::address::Address;
use crate::model::error::OpError;
use crate::model::live::{Found, Live, Owner, Phase, Tags};
use crate::model::meta::{Meta, Replace};
use crate::model::text::{Output, Outputs, Text};

/// An association.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Association {
    /// The ARN of the web ACL.
    pub acl: Text,
    /// The ARN of the load balancer or API stage.
    pub resource: Text,
}

/// The physical name, from that of the ACL and what the resource's ARN tells of it.
pub(crate) fn physical_name(acl: &str, resource: &str) -> String {
    format!("{acl}.{resource}")
}

impl Resource for Association {
    const META: Meta = Meta {
        notes: &[
            "WAF sees a new load balancer or stage only after a while; payctl waits up to ten \
             minutes.",
            "A resource has one web ACL: an association takes the place of whatever was there.",
        ],
        immutable: &["resource"],
        replace: Replace::DeleteFirst,
        tagged: false,
        deadline: Duration::from_secs(600),
        propagation: Duration::from_secs(600),
        settle: Duration::from_secs(60),
        actions: &[
            "apigateway:GET",
            "apigateway:SetWebACL",
            "elasticloadbalancing:SetWebAcl",
            "wafv2:AssociateWebACL",
            "wafv2:DisassociateWebACL",
            "wafv2:GetWebACLForResource",
            "wafv2:ListResourcesForWebACL",
            "wafv2:ListTagsForResource",
            "wafv2:ListWebACLs",
        ],
        ..Meta::new("waf.association", "wafv2", "What a web ACL protects.")
    };

    fn sample() -> Self {
        let arn = |kind| Text::reference(Address::new(kind, "sample"), Output::Arn);
        Self { acl: arn("waf.web_acl"), resource: arn("elb.load_balancer") }
    }

    fn sample_name() -> &'static str {
        "sample-sample-balancer"
    }

    fn variants() -> Vec<Self> {
        Vec::new()
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let acls = waf_web_acl::candidates(cx).await?;
        let found = acls.iter().map(|acl| {
            survey_acl(cx, acl.name().unwrap_or_default(), acl.arn().unwrap_or_default())
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let send = cx.aws.waf.get_web_acl_for_resource().resource_arn(cx.id()).send();
        let answer = send.await.map_err(op("GetWebACLForResource")).or_gone()?;
        let acl = answer.and_then(|answer| answer.web_acl);
        Ok(acl.map(|acl| live(&acl.arn, cx.id())))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        self.associate(cx.aws).await?;
        Ok(self.resource.known().to_owned())
    }

    async fn update(&self, cx: &Cx<'_>, _: &Live<Self>) -> Result<(), OpError> {
        self.associate(cx.aws).await
    }

    async fn retag(_: &Cx<'_>, _: &Live<Self>, _: &Tags, _: &[String]) -> Result<(), OpError> {
        Ok(())
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.waf.disassociate_web_acl().resource_arn(&live.id).send();
        send.await.map_err(op("DisassociateWebACL")).or_gone().map(drop)
    }
}

impl Association {
    async fn associate(&self, aws: &Aws) -> Result<(), OpError> {
        let call = aws.waf.associate_web_acl().web_acl_arn(self.acl.known());
        let send = call.resource_arn(self.resource.known()).send();
        send.await.map_err(op("AssociateWebACL")).map(drop)
    }
}

/// What one ACL protects, if the ACL is ours.
async fn survey_acl(
    cx: &Survey<'_>,
    name: &str,
    arn: &str,
) -> Result<Vec<Found<Association>>, OpError> {
    let (tags, balancers, stages) = Box::pin(join3(
        cx.tags(arn, waf_web_acl::tags(cx.aws, arn)),
        protected(cx.aws, arn, ResourceType::ApplicationLoadBalancer),
        protected(cx.aws, arn, ResourceType::ApiGateway),
    ))
    .await;
    let tags = cx.if_permitted(name, tags)?.unwrap_or_default();
    let Some(acl) = cx.aws.scope.owned(&tags).filter(|owner| owner.kind == WebAcl::META.kind)
    else {
        return Ok(Vec::new());
    };
    let found = balancers?.into_iter().chain(stages?).map(async |resource| {
        let label = label(cx.aws, &resource).await?;
        let wanted = cx.wanted.get(&physical_name(name, &label));
        let by_label = || Address::new(Association::META.kind, format!("{}-{label}", acl.name));
        let address = wanted.cloned().unwrap_or_else(by_label);
        Ok(Found { address, owner: Owner::Ours, live: live(arn, &resource) })
    });
    try_join_all(found).await
}

async fn protected(aws: &Aws, acl: &str, kind: ResourceType) -> Result<Vec<String>, OpError> {
    let send = aws.waf.list_resources_for_web_acl().web_acl_arn(acl).resource_type(kind).send();
    let answer = send.await.map_err(op("ListResourcesForWebACL")).or_gone()?;
    Ok(answer.and_then(|answer| answer.resource_arns).unwrap_or_default())
}

/// What tells a resource from the others that an ACL may protect: the name of a load balancer
/// stands in its ARN; that of a stage says nothing, so its tags say which API it belongs to.
async fn label(aws: &Aws, resource: &str) -> Result<String, OpError> {
    if let Some((_, tail)) = resource.split_once(":loadbalancer/") {
        return Ok(tail.split('/').nth(1).unwrap_or(tail).to_owned());
    }
    let send = aws.apigateway.get_tags().resource_arn(resource).send();
    let tags = send.await.map_err(op("GetTags")).or_gone()?.and_then(|answer| answer.tags);
    let tags: Tags = tags.unwrap_or_default().into_iter().collect();
    let unknown = || resource.rsplit("/restapis/").next().unwrap_or(resource).replace('/', "-");
    Ok(aws.scope.owned(&tags).map_or_else(unknown, |stage| stage.name))
}

fn live(acl: &str, resource: &str) -> Live<Association> {
    Live {
        id: resource.to_owned(),
        spec: Association { acl: acl.into(), resource: resource.into() },
        outputs: Outputs::new(),
        tags: Tags::new(),
        phase: Phase::Ready,
    }
}
