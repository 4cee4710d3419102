//! Listeners of load balancers, with their default action.
//!
//! AWS quirks: a listener does not have a name; a load balancer has at most one on each port. AWS
//! returns a forward action twice, as one group and as a list with weights; the weight of a single
//! group does not matter. AWS may not find a new certificate for a while. It lists only the default
//! certificate with a listener; another call returns all. A load balancer deletes its listeners.

mod convert;
pub(super) mod moved;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{Certificate, Listener as AwsListener};
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::convert::to_live;
pub(crate) use self::moved::Mover;
use super::{common, load_balancer, target_group};
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Flow};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Text};
use payctl_money::Decimal;
use payctl_money::load::{Driver, Passed};

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
    /// The ARNs of the certificates that answer by name, beside the first; with HTTPS and TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_certificates: Option<BTreeSet<Text>>,
    /// The security policy that clients must meet; with HTTPS and TLS.
    pub tls_policy: Option<String>,
    /// The action for a request.
    pub action: Action,
    /// Who moves the weights of the action, if somebody does: an apply then leaves them alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<Mover>,
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

impl Action {
    /// The names of the target groups that it leads to.
    pub(super) fn groups(&self) -> Vec<&str> {
        let Self::Forward(forward) = self else { return Vec::new() };
        let arns = forward.targets.iter().filter_map(|share| share.group.literal());
        arns.filter_map(|arn| arn.split('/').nth(1)).collect()
    }
}

/// The requests that an action leads on, by the weights of its targets.
pub(crate) fn forwarded(action: &Action, requests: Decimal) -> Vec<Passed<Address>> {
    let Action::Forward(forward) = action else { return Vec::new() };
    let all: Decimal = forward.targets.iter().map(|share| Decimal::from(share.weight)).sum();
    let all = if all.is_zero() { Decimal::ONE } else { all };
    let shares = forward.targets.iter();
    let flows = shares.flat_map(|share| {
        to(&share.group, Driver::Requests, requests * Decimal::from(share.weight) / all)
    });
    flows.collect()
}

impl Resource for Listener {
    const META: Meta = Meta {
        drawn: Drawn::badge("door", "listener", &["load_balancer"]).with(flows),
        notes: &[
            "One call changes the weights of target groups, so traffic moves without a \
             replacement.",
            "AWS may not find a new certificate for a while; payctl waits.",
            "payctl manages the default action and the rules of the config. Rules of others stay as \
             they are.",
            "If a section of `[shifts]` names the listener, an apply leaves its weights to `payctl shift`, \
             and refuses to change its target groups while a run of it is at work.",
        ],
        immutable: &["load_balancer"],
        moved: Some(moved::moved),
        under_way: Some(moved::under_way),
        replace: Replace::CreateFirst,
        deadline: Duration::from_secs(360),
        propagation: Duration::from_secs(300),
        read_lag: Duration::from_secs(60),
        transient: &[
            ("CertificateNotFound", ""),
            // A certificate that ACM has only just issued is not known as such everywhere.
            ("UnsupportedCertificate", "must have a fully-qualified domain name"),
            // The target group moves here from another load balancer, which still uses it.
            ("TargetGroupAssociationLimit", "more than one load balancer"),
        ],
        gone_at_once: true,
        permits: &[
            Permit::look(
                &[
                    "elasticloadbalancing:DescribeListenerCertificates",
                    "elasticloadbalancing:DescribeListeners",
                    "elasticloadbalancing:DescribeLoadBalancers",
                    "elasticloadbalancing:DescribeTags",
                    "elasticloadbalancing:DescribeTargetGroups",
                ],
                &["*"],
            ),
            Permit::create(
                &["elasticloadbalancing:CreateListener"],
                &["elasticloadbalancing:{here}:loadbalancer/*/{elb.load_balancer}/*"],
            ),
            Permit::set(
                &["elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:AddTags"],
                &["elasticloadbalancing:{here}:listener/*/{elb.load_balancer}/*"],
            ),
            Permit::change(
                &[
                    "elasticloadbalancing:ModifyListener",
                    "elasticloadbalancing:RemoveListenerCertificates",
                    "elasticloadbalancing:RemoveTags",
                ],
                &["elasticloadbalancing:{here}:listener/*/{elb.load_balancer}/*"],
            ),
            Permit::delete(
                &["elasticloadbalancing:DeleteListener"],
                &["elasticloadbalancing:{here}:listener/*/{elb.load_balancer}/*"],
            ),
        ],
        names: Some(NameRule::tag("listener")),
        section: "load_balancers",
        asked: &["port", "protocol", "tls_policy"],
        typical: Typical::seconds(2, 2, 2),
        serves: true,
        felt: &[
            ("certificate", Traffic::NewConnections),
            ("tls_policy", Traffic::NewConnections),
            ("port", Traffic::Outage),
            ("protocol", Traffic::Outage),
        ],
        pricing: Pricing::Free("AWS charges for the load balancer."),
        types: &["elasticloadbalancing:listener"],
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
            other_certificates: None,
            tls_policy: None,
            action: Action::Forward(Forward {
                targets: BTreeSet::from([share]),
                sticky_seconds: None,
            }),
            moved_by: None,
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
        let certificate = |digit: &str| {
            let id = "11111111-2222-3333-4444-555555555555".replace('1', digit);
            Text::from(format!("arn:aws:acm:us-east-1:000000000000:certificate/{id}"))
        };
        let secure = Self {
            protocol: "HTTPS".into(),
            certificate: Some(certificate("1")),
            other_certificates: Some(BTreeSet::from([certificate("7"), certificate("8")])),
            tls_policy: Some("ELBSecurityPolicy-TLS13-1-2-2021-06".into()),
            ..Self::sample()
        };
        vec![
            Self { action: Action::Redirect(redirect), ..Self::sample() },
            Self { action: Action::Respond(respond), port: 8080, ..Self::sample() },
            secure.clone(),
            Self { other_certificates: Some(BTreeSet::from([certificate("8")])), ..secure },
        ]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        // Each rule, and the default if it leads to targets, gets the same part.
        let rules = cx.users("elb.listener_rule");
        let default = usize::from(matches!(self.action, Action::Forward(_)));
        let part = cx.load(Driver::Requests) / Decimal::from((rules.len() + default).max(1));
        let mut flows = forwarded(&self.action, part);
        flows.extend(Costs::each(rules, Driver::Requests, part));
        flows
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let listeners = list(cx).await?;
        let arns = listeners.iter().filter_map(|one| one.listener_arn.clone());
        let mut tags = common::tags_of_all(cx, arns).await?;
        let found = listeners.into_iter().filter_map(|one| {
            let tags = tags.remove(one.listener_arn()?)?;
            // A listener that others added to our load balancer cannot conflict by name.
            let name = balancer_in(one.listener_arn()?);
            let (address, owner) = common::shortened(cx, name, cx.ours(name, &tags))?;
            Some(async move {
                let others = others_of(cx.aws, &one).await?;
                let live = others.map(|others| to_live(one, others, tags));
                Ok::<_, OpError>(live.map(|live| Found { address, owner, live }))
            })
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (arn, aws) = (cx.id(), cx.aws);
        let described = describe(aws, arn);
        let (one, tags) = futures::try_join!(described, common::tags_of(aws, arn))?;
        let Some((one, tags)) = one.zip(tags) else { return Ok(None) };
        Ok(others_of(aws, &one).await?.map(|others| to_live(one, others, tags)))
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(common::tags_of(cx.aws, cx.id()).await?.map(|tags| Live { tags, ..planned }))
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
        let now = live.spec.other_certificates.clone();
        let (mover, action) = (self.moved_by.as_ref(), &live.spec.action);
        let actions = moved::sent("ModifyListener", mover, &self.action, action, &live.tags)?;
        let settings = Self {
            other_certificates: now.clone(),
            moved_by: None,
            action: action.clone(),
            ..self.clone()
        };
        if actions.is_some() || settings != live.spec {
            let call = cx.aws.elasticloadbalancingv2.modify_listener().listener_arn(&live.id);
            let call = call
                .port(self.port.into())
                .protocol(self.protocol.as_str().into())
                .set_certificates(self.certificates())
                .set_ssl_policy(self.tls_policy.clone())
                .set_default_actions(actions);
            call.send().await.map_err(op("ModifyListener"))?;
        }
        let Some(wanted) = &self.other_certificates else { return Ok(()) };
        let now = now.unwrap_or_default();
        let aws = &cx.aws.elasticloadbalancingv2;
        if let Some(more) = listed(wanted.difference(&now)) {
            let call = aws.add_listener_certificates().listener_arn(&live.id);
            let send = call.set_certificates(Some(more)).send();
            send.await.map_err(op("AddListenerCertificates"))?;
        }
        if let Some(fewer) = listed(now.difference(wanted)) {
            let call = aws.remove_listener_certificates().listener_arn(&live.id);
            let send = call.set_certificates(Some(fewer)).send();
            send.await.map_err(op("RemoveListenerCertificates"))?;
        }
        Ok(())
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

/// The listeners of the load balancers that this environment may own.
pub(super) async fn list(cx: &Survey<'_>) -> Result<Vec<AwsListener>, OpError> {
    let (lent, balancers) = try_join(target_group::balancers(cx), load_balancer::list(cx)).await?;
    let balancers = balancers.iter().filter(|one| {
        let name = one.load_balancer_name().unwrap_or_default();
        let is_wanted =
            |wanted: &String| wanted.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'));
        common::may_be_ours(cx, name)
            || cx.wanted.keys().any(is_wanted)
            || one.load_balancer_arn().is_some_and(|arn| lent.contains(arn))
    });
    let arns = balancers.filter_map(|one| one.load_balancer_arn.clone());
    let listeners = arns.map(|arn| async move {
        let question = format!("elb:DescribeListeners/{arn}");
        let list = async {
            let pages = cx.aws.elasticloadbalancingv2.describe_listeners().load_balancer_arn(arn);
            let all = pages.into_paginator().items().send().try_collect().await;
            Ok(all.map_err(op("DescribeListeners")).or_gone()?.unwrap_or_default())
        };
        cx.once(&question, list).await
    });
    let listeners: Vec<Arc<Vec<AwsListener>>> = try_join_all(listeners).await?;
    Ok(listeners.iter().flat_map(|all| all.iter().cloned()).collect())
}

/// Whether a listener may have rules: one of an application load balancer.
pub(super) fn has_rules(one: &AwsListener) -> bool {
    one.load_balancer_arn().is_some_and(|arn| arn.contains(":loadbalancer/app/"))
}

/// The certificates of a listener beside its default. `None` if the listener is gone.
async fn others_of(aws: &Aws, one: &AwsListener) -> Result<Option<BTreeSet<Text>>, OpError> {
    if !convert::is_secure(one) {
        return Ok(Some(BTreeSet::new()));
    }
    let call = aws.elasticloadbalancingv2.describe_listener_certificates();
    let pages = call.set_listener_arn(one.listener_arn.clone()).into_paginator().items().send();
    let all: Result<Vec<Certificate>, _> = pages.try_collect().await;
    let all = all.map_err(op("DescribeListenerCertificates")).or_gone()?;
    let others = |all: Vec<Certificate>| {
        let others = all.into_iter().filter(|one| one.is_default != Some(true));
        others.filter_map(|one| one.certificate_arn).map(Text::from).collect()
    };
    Ok(all.map(others))
}

/// Certificates for a call, if there are any.
fn listed<'a>(arns: impl Iterator<Item = &'a Text>) -> Option<Vec<Certificate>> {
    let all = arns.map(|arn| Certificate::builder().certificate_arn(arn.known()).build());
    let all: Vec<Certificate> = all.collect();
    (!all.is_empty()).then_some(all)
}

/// The name of the load balancer, from the ARN of its listener or of a rule.
pub(super) fn balancer_in(arn: &str) -> &str {
    arn.rsplit(':').next().and_then(|path| path.split('/').nth(2)).unwrap_or_default()
}

/// The default action of a listener; `None` if it is gone.
pub(super) async fn action_of(aws: &Aws, arn: &str) -> Result<Option<Action>, OpError> {
    let one = describe(aws, arn).await?;
    Ok(one.map(|one| to_live(one, BTreeSet::new(), Tags::new()).spec.action))
}

async fn describe(aws: &Aws, arn: &str) -> Result<Option<AwsListener>, OpError> {
    let send = aws.elasticloadbalancingv2.describe_listeners().listener_arns(arn).send();
    let answer = send.await.map_err(op("DescribeListeners")).or_gone()?;
    Ok(answer.and_then(|answer| answer.listeners?.into_iter().next()))
}

/// Where it sends what no rule takes.
fn flows(spec: &Value) -> Vec<Flow> {
    let name = |field: &str| spec.get(field).map(Value::to_string).unwrap_or_default();
    let label = format!("{} :{}", name("protocol").trim_matches('"'), name("port"));
    Flow::out(spec, "/action", &label)
}
