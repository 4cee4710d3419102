//! Listeners of load balancers, with their default action.
//!
//! AWS quirks: a listener does not have a name; a load balancer has at most one on each port. AWS
//! returns a forward action twice, as one group and as a list with weights; the weight of a single
//! group does not matter. AWS may not find a new certificate for a while. A load balancer deletes
//! its listeners.

mod convert;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::Listener as AwsListener;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use self::convert::to_live;
use super::{common, load_balancer};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Tags};
use payctl_engine::model::meta::{Meta, Replace};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Text};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listener {
    /// The ARN of the load balancer.
    pub load_balancer: Text,
    /// The port.
    pub port: u16,
    /// `HTTP`, `HTTPS`, `TCP`, `TLS` or `UDP`.
    pub protocol: String,
    /// The ARN of the certificate; with HTTPS and TLS.
    pub certificate: Option<Text>,
    /// The security policy that clients must meet; with HTTPS and TLS.
    pub tls_policy: Option<String>,
    /// The action for a request.
    pub action: Action,
}

/// The action for a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// It goes to targets.
    Forward(Forward),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// It is answered here.
    Respond(Respond),
    /// Something that payctl never makes, by AWS's name.
    Other(String),
}

/// Targets and their shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forward {
    /// The target groups. The weight of a single one is 1.
    pub targets: BTreeSet<Share>,
    /// How many seconds a client stays with the group that it got; not at all if none.
    pub sticky_seconds: Option<u32>,
}

/// A target group with its weight.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Share {
    /// The ARN of the target group.
    pub group: Text,
    /// Its share of the requests, against the sum of all.
    pub weight: u16,
}

/// The target of a redirect. `#{host}` and the like stand for parts of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redirect {
    /// `HTTP`, `HTTPS` or `#{protocol}`.
    pub protocol: String,
    /// The port or `#{port}`.
    pub port: String,
    /// The host.
    pub host: String,
    /// The path.
    pub path: String,
    /// The query.
    pub query: String,
    /// 301 or 302.
    pub status: u16,
}

/// An answer without targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Respond {
    /// The status.
    pub status: u16,
    /// The type of the body.
    pub content_type: String,
    /// The body.
    pub body: String,
}

impl Resource for Listener {
    const META: Meta = Meta {
        notes: &[
            "One call changes the weights of target groups, so traffic moves without a \
             replacement.",
            "AWS may not find a new certificate for a while; payctl waits.",
            "payctl manages only the default action; other rules of the listener stay as they are.",
        ],
        immutable: &["load_balancer"],
        replace: Replace::CreateFirst,
        deadline: Duration::from_secs(360),
        propagation: Duration::from_secs(300),
        read_lag: Duration::from_secs(60),
        transient: &[
            ("CertificateNotFound", ""),
            // The target group moves here from another load balancer, which still uses it.
            ("TargetGroupAssociationLimit", "more than one load balancer"),
        ],
        permits: &[
            Permit::look(
                &[
                    "elasticloadbalancing:DescribeListeners",
                    "elasticloadbalancing:DescribeLoadBalancers",
                    "elasticloadbalancing:DescribeTags",
                ],
                &["*"],
            ),
            Permit::create(
                &["elasticloadbalancing:CreateListener"],
                &["elasticloadbalancing:{here}:loadbalancer/*/{elb.load_balancer}/*"],
            ),
            Permit::set(
                &["elasticloadbalancing:AddTags"],
                &["elasticloadbalancing:{here}:listener/*/{elb.load_balancer}/*"],
            ),
            Permit::change(
                &["elasticloadbalancing:ModifyListener", "elasticloadbalancing:RemoveTags"],
                &["elasticloadbalancing:{here}:listener/*/{elb.load_balancer}/*"],
            ),
            Permit::delete(
                &["elasticloadbalancing:DeleteListener"],
                &["elasticloadbalancing:{here}:listener/*/{elb.load_balancer}/*"],
            ),
        ],
        names: Some(NameRule::tag("listener")),
        section: "load_balancers",
        ..Meta::new(
            "elb.listener",
            "elasticloadbalancing",
            "A listener: a port of a load balancer, and the action for its requests.",
        )
    };

    fn sample() -> Self {
        let arn = |kind| Text::reference(Address::new(kind, "sample"), Output::Arn);
        let share = Share { group: arn("elb.target_group"), weight: 1 };
        Self {
            load_balancer: arn("elb.load_balancer"),
            port: 80,
            protocol: "HTTP".into(),
            certificate: None,
            tls_policy: None,
            action: Action::Forward(Forward {
                targets: BTreeSet::from([share]),
                sticky_seconds: None,
            }),
        }
    }

    fn variants() -> Vec<Self> {
        let redirect = Redirect {
            protocol: "HTTPS".into(),
            port: "443".into(),
            host: "#{host}".into(),
            path: "/#{path}".into(),
            query: "#{query}".into(),
            status: 301,
        };
        let respond =
            Respond { status: 404, content_type: "text/plain".into(), body: "Not here".into() };
        let certificate = "arn:aws:acm:us-east-1:000000000000:certificate/\
                           11111111-2222-3333-4444-555555555555";
        vec![
            Self { action: Action::Redirect(redirect), ..Self::sample() },
            Self { action: Action::Respond(respond), port: 8080, ..Self::sample() },
            Self {
                protocol: "HTTPS".into(),
                certificate: Some(certificate.into()),
                tls_policy: Some("ELBSecurityPolicy-TLS13-1-2-2021-06".into()),
                ..Self::sample()
            },
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let balancers = load_balancer::list(cx).await?.to_vec().into_iter().filter(|one| {
            let name = one.load_balancer_name().unwrap_or_default();
            let is_wanted = |wanted: &String| {
                wanted.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))
            };
            common::may_be_ours(cx, name) || cx.wanted.keys().any(is_wanted)
        });
        let listeners = balancers.filter_map(|one| one.load_balancer_arn).map(|arn| async move {
            let pages = cx.aws.elasticloadbalancingv2.describe_listeners().load_balancer_arn(arn);
            let all = pages.into_paginator().items().send().try_collect().await;
            Ok(all.map_err(op("DescribeListeners")).or_gone()?.unwrap_or_default())
        });
        let listeners: Vec<Vec<AwsListener>> = try_join_all::<_>(listeners).await?;
        let listeners: Vec<AwsListener> = listeners.into_iter().flatten().collect();
        let arns = listeners.iter().filter_map(|one| one.listener_arn.clone());
        let mut tags = common::tags_of_all(cx, arns).await?;
        let found = listeners.into_iter().filter_map(|one| {
            let tags = tags.remove(one.listener_arn()?)?;
            // A listener that others added to our load balancer cannot conflict by name.
            let name = balancer_in(one.listener_arn()?);
            let (address, owner) = common::shortened(cx, name, cx.ours(name, &tags))?;
            Some(Found { address, owner, live: to_live(one, tags) })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (arn, aws) = (cx.id(), cx.aws);
        let described = describe(aws, arn);
        let (one, tags) = futures::try_join!(described, common::tags_of(aws, arn))?;
        Ok(one.zip(tags).map(|(one, tags)| to_live(one, tags)))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let call = cx.aws.elasticloadbalancingv2.create_listener();
        let call = call
            .load_balancer_arn(self.load_balancer.known())
            .port(self.port.into())
            .protocol(self.protocol.as_str().into())
            .set_certificates(self.certificates())
            .set_ssl_policy(self.tls_policy.clone())
            .default_actions(self.action.to_aws())
            .set_tags(common::to_tags(cx.tags));
        let answer = call.send().await.map_err(op("CreateListener"))?;
        let one = answer.listeners.unwrap_or_default().into_iter().next();
        common::made("CreateListener", one.and_then(|one| one.listener_arn))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let call = cx.aws.elasticloadbalancingv2.modify_listener().listener_arn(&live.id);
        let call = call
            .port(self.port.into())
            .protocol(self.protocol.as_str().into())
            .set_certificates(self.certificates())
            .set_ssl_policy(self.tls_policy.clone())
            .default_actions(self.action.to_aws());
        call.send().await.map_err(op("ModifyListener")).map(drop)
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.elasticloadbalancingv2.delete_listener().listener_arn(&live.id).send();
        send.await.map_err(op("DeleteListener")).or_gone().map(drop)
    }
}

/// The name of the load balancer, from the ARN of its listener.
fn balancer_in(arn: &str) -> &str {
    arn.rsplit(':').next().and_then(|path| path.split('/').nth(2)).unwrap_or_default()
}

async fn describe(aws: &Aws, arn: &str) -> Result<Option<AwsListener>, OpError> {
    let send = aws.elasticloadbalancingv2.describe_listeners().listener_arns(arn).send();
    let answer = send.await.map_err(op("DescribeListeners")).or_gone()?;
    Ok(answer.and_then(|answer| answer.listeners?.into_iter().next()))
}
