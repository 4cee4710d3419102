//! Rules of listeners: conditions, an action, and a priority.
//!
//! AWS quirks: a rule does not have a name; a listener has at most one of each priority. AWS keeps
//! conditions and their values as sets and returns them in an order of its own. A call of its own
//! changes priorities; it refuses one that another rule has. So two rules that swap their priorities
//! need a free one between. A rule does not tell its listener: its ARN does. A listener deletes its
//! rules.

mod convert;
mod free;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{Rule as AwsRule, RulePriorityPair};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::convert::to_live;
use self::free::Place;
use super::common;
use super::listener::{self, Action, Forward, Mover, Redirect, Respond, Share, forwarded, moved};
use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Flow};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Owner, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Text};
use payctl_money::load::{Driver, Passed};

/// The last priority.
const LAST: u16 = 50_000;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenerRule {
    /// The ARN of the listener.
    pub listener: Text,
    /// Of the rules that match a request, the one with the lowest priority acts. If unset, a new rule takes
    /// a free one, and keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u16>,
    /// The conditions, all of which must match.
    pub conditions: BTreeSet<Condition>,
    /// The action for a request.
    pub action: Action,
    /// Who moves the weights of the action, if somebody does: an apply then leaves them alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<Mover>,
}

/// A condition: one of the values must match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Condition {
    /// The path of the request.
    Path(BTreeSet<String>),
    /// Its host.
    Host(BTreeSet<String>),
    /// Its method.
    Method(BTreeSet<String>),
    /// A header.
    Header {
        /// The name.
        name: String,
        /// The values.
        values: BTreeSet<String>,
    },
    /// Parameters of the query.
    Query(BTreeSet<Parameter>),
    /// The address ranges of clients.
    SourceIp(BTreeSet<String>),
    /// A condition that payctl never makes, by AWS's name.
    Other(String),
}

/// A parameter of a query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameter {
    /// The key; any if none.
    pub key: Option<String>,
    /// The value.
    pub value: String,
}

impl Condition {
    /// Whether it has no value.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Path(values)
            | Self::Host(values)
            | Self::Method(values)
            | Self::SourceIp(values)
            | Self::Header { values, .. } => values.is_empty(),
            Self::Query(values) => values.is_empty(),
            Self::Other(_) => false,
        }
    }
}

impl Resource for ListenerRule {
    const META: Meta = Meta {
        drawn: Drawn::badge("route", "listener rule", &["listener"]).with(flows),
        notes: &[
            "A priority that another rule has is free once that rule moves or is deleted; payctl \
             waits. Until then a rule that moves has the next free priority after it.",
            "One call changes the weights of target groups, so traffic moves without a \
             replacement.",
            "payctl leaves rules alone that others add to a listener, but they take priorities.",
            "A rule on a listener of another environment without a priority in the config takes a free one \
             from 20,000 on, and keeps it.",
            "If a section of `[shifts]` names the rule, an apply leaves its weights to `payctl shift`, and \
             refuses to change its target groups while a run of it is at work.",
            "If the deployments of a service move traffic, ECS sets the weights of its rule, and an apply \
             leaves them alone.",
        ],
        immutable: &["listener"],
        moved: Some(moved::moved),
        under_way: Some(moved::under_way),
        replace: Replace::CreateFirst,
        deadline: Duration::from_secs(360),
        propagation: Duration::from_secs(300),
        read_lag: Duration::from_secs(60),
        transient: &[
            // The target group moves here from another load balancer, which still uses it.
            ("TargetGroupAssociationLimit", "more than one load balancer"),
        ],
        permits: &[
            Permit::look(
                &[
                    "elasticloadbalancing:DescribeListeners",
                    "elasticloadbalancing:DescribeLoadBalancers",
                    "elasticloadbalancing:DescribeRules",
                    "elasticloadbalancing:DescribeTags",
                    "elasticloadbalancing:DescribeTargetGroups",
                ],
                &["*"],
            ),
            Permit::create(
                &["elasticloadbalancing:CreateRule"],
                &["elasticloadbalancing:{here}:listener/app/{elb.load_balancer}/*"],
            ),
            Permit::set(
                &["elasticloadbalancing:AddTags"],
                &["elasticloadbalancing:{here}:listener-rule/app/{elb.load_balancer}/*"],
            ),
            Permit::change(
                &[
                    "elasticloadbalancing:ModifyRule",
                    "elasticloadbalancing:RemoveTags",
                    "elasticloadbalancing:SetRulePriorities",
                ],
                &["elasticloadbalancing:{here}:listener-rule/app/{elb.load_balancer}/*"],
            ),
            Permit::delete(
                &["elasticloadbalancing:DeleteRule"],
                &["elasticloadbalancing:{here}:listener-rule/app/{elb.load_balancer}/*"],
            ),
        ],
        names: Some(NameRule::tag("rule")),
        section: "load_balancers",
        asked: &["priority"],
        typical: Typical::seconds(2, 2, 2),
        serves: true,
        felt: &[("conditions", Traffic::NewConnections)],
        pricing: Pricing::Free("AWS charges for the load balancer."),
        types: &["elasticloadbalancing:listener-rule"],
        ..Meta::new(
            "elb.listener_rule",
            "elasticloadbalancing",
            "A rule of a listener: the action for requests that match its conditions.",
        )
    };

    fn sample() -> Self {
        let listener = Text::reference(Address::new("elb.listener", "sample"), Output::Arn);
        let group = Text::reference(Address::new("elb.target_group", "sample"), Output::Arn);
        let targets = BTreeSet::from([Share { group, weight: 1 }]);
        Self {
            listener,
            priority: Some(10),
            conditions: BTreeSet::from([Condition::Path(set(&["/payments/*", "/refunds"]))]),
            action: Action::Forward(Forward { targets, sticky_seconds: None }),
            moved_by: None,
        }
    }

    fn variants() -> Vec<Self> {
        let parameter = |key: Option<&str>, value: &str| Parameter {
            key: key.map(str::to_owned),
            value: value.to_owned(),
        };
        let query = [parameter(Some("version"), "2*"), parameter(None, "beta")];
        let request = [
            Condition::Host(set(&["pay.example.com"])),
            Condition::Header { name: "X-Version".into(), values: set(&["2"]) },
            Condition::Query(query.into()),
        ];
        let client = [
            Condition::Method(set(&["GET", "HEAD"])),
            Condition::SourceIp(set(&["203.0.113.0/24", "2001:db8::/32"])),
        ];
        let redirect = Redirect {
            protocol: "HTTPS".into(),
            port: "443".into(),
            host: "#{host}".into(),
            path: "/v2/#{path}".into(),
            query: "#{query}".into(),
            status: 302,
        };
        let respond =
            Respond { status: 403, content_type: "text/plain".into(), body: "Not you".into() };
        let action = Action::Redirect(redirect);
        vec![
            Self { priority: Some(20), ..Self::sample() },
            Self { conditions: request.into(), action, ..Self::sample() },
            Self {
                conditions: client.into(),
                action: Action::Respond(respond),
                priority: Some(LAST),
                ..Self::sample()
            },
        ]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        forwarded(&self.action, cx.load(Driver::Requests))
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let listeners = listener::list(cx).await?.into_iter();
        let listeners = listeners.filter(listener::has_rules).filter_map(|one| one.listener_arn);
        let rules = listeners.map(|arn| async move {
            Ok::<_, OpError>(rules_of(cx.aws, &arn).await?.unwrap_or_default())
        });
        let rules: Vec<AwsRule> = try_join_all(rules).await?.into_iter().flatten().collect();
        let arns = rules.iter().filter_map(|one| one.rule_arn.clone());
        let mut tags = common::tags_of_all(cx, arns).await?;
        let found = rules.into_iter().filter_map(|one| {
            let tags = tags.remove(one.rule_arn()?)?;
            let live = to_live(one, tags);
            // A rule that others added to our listener cannot conflict by name. One of ours on a listener
            // of another environment leads to our target group.
            let balancer = listener::balancer_in(&live.id);
            let groups = live.spec.action.groups();
            let claim = |name| common::shortened(cx, name, cx.ours(name, &live.tags));
            let names = [balancer].into_iter().chain(groups);
            let claims: Vec<_> = names.filter_map(claim).collect();
            let ours = claims.iter().position(|(_, owner)| *owner == Owner::Ours);
            let (address, owner) = claims.into_iter().nth(ours.unwrap_or_default())?;
            Some(Found { address, owner, live })
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
        let priority = match self.priority {
            Some(priority) => priority,
            None => match free::place(cx, self.listener.known()).await? {
                Place::Free(priority) => priority,
                Place::Own(arn) => return Ok(arn),
            },
        };
        let call = cx.aws.elasticloadbalancingv2.create_rule();
        let call = call
            .listener_arn(self.listener.known())
            .priority(priority.into())
            .set_conditions(Some(self.conditions()))
            .actions(self.action.to_aws())
            .set_tags(common::to_tags(cx.tags));
        let answer = call.send().await.map_err(op("CreateRule"))?;
        let one = answer.rules.unwrap_or_default().into_iter().next();
        common::made("CreateRule", one.and_then(|one| one.rule_arn))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (now, aws) = (&live.spec, &cx.aws.elasticloadbalancingv2);
        let mover = self.moved_by.as_ref();
        let actions = moved::sent("ModifyRule", mover, &self.action, &now.action, &live.tags)?;
        let conditions = (self.conditions != now.conditions).then(|| self.conditions());
        if conditions.is_some() || actions.is_some() {
            let call = aws.modify_rule().rule_arn(&live.id);
            let send = call.set_conditions(conditions).set_actions(actions).send();
            send.await.map_err(op("ModifyRule"))?;
        }
        if let Some(priority) = self.priority.filter(|priority| Some(*priority) != now.priority) {
            let place = place(cx.aws, priority, live).await?;
            let pair = RulePriorityPair::builder().rule_arn(&live.id).priority(place.into());
            let send = aws.set_rule_priorities().rule_priorities(pair.build()).send();
            send.await.map_err(op("SetRulePriorities"))?;
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
        let send = cx.aws.elasticloadbalancingv2.delete_rule().rule_arn(&live.id).send();
        send.await.map_err(op("DeleteRule")).or_gone().map(drop)
    }
}

/// The priority to ask for now: the wanted one or, while another rule has it, the next that is
/// free, so that rules that swap their places make room for each other. A rule that stands there
/// already asks for the wanted one, and AWS refuses until it is free.
async fn place(aws: &Aws, wanted: u16, live: &Live<ListenerRule>) -> Result<u16, OpError> {
    let all = rules_of(aws, live.spec.listener.known()).await?.unwrap_or_default();
    let others = all.iter().filter(|one| one.rule_arn() != Some(&*live.id));
    let taken: BTreeSet<u16> = others.filter_map(convert::priority).collect();
    let free = (wanted..=LAST).find(|place| !taken.contains(place));
    Ok(free.filter(|free| Some(*free) != live.spec.priority).unwrap_or(wanted))
}

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// The rules of a listener, without the default one. `None` if the listener is gone.
async fn rules_of(aws: &Aws, listener: &str) -> Result<Option<Vec<AwsRule>>, OpError> {
    let call = aws.elasticloadbalancingv2.describe_rules().listener_arn(listener);
    let all: Result<Vec<AwsRule>, _> = call.into_paginator().items().send().try_collect().await;
    let mut all = all.map_err(op("DescribeRules")).or_gone()?;
    all.iter_mut().for_each(|all| all.retain(|one| one.is_default != Some(true)));
    Ok(all)
}

/// The ARNs of the rules of a listener.
pub(super) async fn arns_of(aws: &Aws, listener: &str) -> Result<Vec<String>, OpError> {
    let rules = rules_of(aws, listener).await?.unwrap_or_default();
    Ok(rules.into_iter().filter_map(|rule| rule.rule_arn).collect())
}

/// The action of a rule; `None` if it is gone.
pub(super) async fn action_of(aws: &Aws, arn: &str) -> Result<Option<Action>, OpError> {
    Ok(describe(aws, arn).await?.map(|one| to_live(one, Tags::new()).spec.action))
}

async fn describe(aws: &Aws, arn: &str) -> Result<Option<AwsRule>, OpError> {
    let send = aws.elasticloadbalancingv2.describe_rules().rule_arns(arn).send();
    let answer = send.await.map_err(op("DescribeRules")).or_gone()?;
    Ok(answer.and_then(|answer| answer.rules?.into_iter().next()))
}

/// What it sends where.
fn flows(spec: &Value) -> Vec<Flow> {
    let conditions = spec.get("conditions").and_then(Value::as_array);
    let paths = conditions.into_iter().flatten().filter_map(|one| one.get("path")?.as_array());
    let paths: Vec<&str> = paths.flatten().filter_map(Value::as_str).collect();
    Flow::out(spec, "/action", &paths.join(", "))
}
