//! Traffic that `payctl shift` moves: what divides it (a `Road`, one file for each sort), and what
//! watches it.
//!
//! The engine's promises for [`Traffic`] hold here: no call is made twice unless it only reads or AWS
//! throttled it, none waits for AWS to finish something, and each writes one thing.

use std::time::Duration;

use futures::future::{BoxFuture, join4};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::permit::Permit;
use payctl_engine::traffic::{Reading, Signals, Standing, Targets, Traffic, Weights};

use super::clients::{Aws, within};
pub use probe::Probe;

mod alarms;
mod alias;
mod balancer;
mod figures;
mod probe;
mod stage;

/// What a shift needs beside the right to look at what it moves: always, or if the environment has the
/// kind that divides traffic.
pub const PERMITS: &[(Option<&str>, Permit)] = &[
    (
        None,
        Permit::look(
            &[
                "cloudwatch:DescribeAlarms",
                "cloudwatch:GetMetricData",
                "elasticloadbalancing:DescribeTargetHealth",
            ],
            &["*"],
        ),
    ),
    (
        Some("elb.listener"),
        Permit::change(
            &[
                "elasticloadbalancing:AddTags",
                "elasticloadbalancing:ModifyListener",
                "elasticloadbalancing:RemoveTags",
            ],
            &["elasticloadbalancing:{here}:listener/app/{elb.load_balancer}/*"],
        ),
    ),
    (
        Some("elb.listener_rule"),
        Permit::change(
            &[
                "elasticloadbalancing:AddTags",
                "elasticloadbalancing:ModifyRule",
                "elasticloadbalancing:RemoveTags",
            ],
            &["elasticloadbalancing:{here}:listener-rule/app/{elb.load_balancer}/*"],
        ),
    ),
    (
        Some("lambda.alias"),
        Permit::change(
            &[
                "lambda:GetAlias",
                "lambda:ListTags",
                "lambda:TagResource",
                "lambda:UntagResource",
                "lambda:UpdateAlias",
            ],
            &["lambda:{here}:function:{lambda.function}"],
        ),
    ),
    (
        Some("apigateway.stage"),
        Permit::change(&["apigateway:PATCH"], &["apigateway:{region}::/restapis/*"]),
    ),
    (
        Some("apigateway.stage"),
        Permit::change(&["apigateway:DELETE", "apigateway:PUT"], &["apigateway:{region}::/tags/*"]),
    ),
];

/// How long one source may take.
const SOURCE: Duration = Duration::from_secs(3);

/// Something that divides traffic, by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Divider {
    /// The action of a listener of a load balancer, or of a rule of one, by its ARN.
    Action(String),
    /// An alias of a function, `FUNCTION:ALIAS`.
    Alias(String),
    /// A stage of an API, `API/STAGE`.
    Stage(String),
}

impl Divider {
    /// What divides traffic at an address, by the id of the live object.
    pub fn at(address: &Address, id: &str) -> Self {
        let id = id.to_owned();
        match address.kind.as_str() {
            "elb.listener" | "elb.listener_rule" => Self::Action(id),
            "apigateway.stage" => Self::Stage(id),
            _ => Self::Alias(id),
        }
    }
}

/// One side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// How people call it.
    pub name: String,
    /// What it is: the ARN of a target group, the number of a version, the id of a deployment.
    pub id: String,
}

/// What is watched beside the targets.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The names of alarms.
    pub alarms: Vec<String>,
    /// A request that must succeed.
    pub probe: Option<Probe>,
    /// Whether the figures of both sides are read.
    pub figures: bool,
}

/// The sides of an alias: the version that it names, and the other one; those of a stage: its deployment
/// and that of its canary. `None` if there is no other. Target groups stand in the config.
pub async fn sides(aws: &Aws, divider: &Divider) -> Result<Option<(Side, Side)>, OpError> {
    match divider {
        Divider::Action(_) => Ok(None),
        Divider::Alias(name) => alias::sides(aws, name).await,
        Divider::Stage(id) => stage::sides(aws, id).await,
    }
}

/// Traffic between two sides.
pub fn traffic(
    aws: &Aws,
    divider: Divider,
    from: Side,
    to: Side,
    sources: Sources,
) -> Box<dyn Traffic> {
    let (aws, from, to) = (aws.clone(), from.id, to.id);
    match divider {
        Divider::Action(arn) => {
            let road = balancer::Actions { arn, from, to };
            Box::new(Watched { aws, road, sources })
        }
        Divider::Alias(name) => {
            let road = alias::Versions { name, from, to };
            Box::new(Watched { aws, road, sources })
        }
        Divider::Stage(id) => {
            let road = stage::Deployments { id, from, to };
            Box::new(Watched { aws, road, sources })
        }
    }
}

/// What divides traffic, without what watches it.
trait Road: Send + Sync {
    /// Reads the weights and the tag.
    fn read(&self, aws: &Aws) -> impl Future<Output = Result<Standing, OpError>> + Send;

    /// Sets exactly these weights.
    fn set(
        &self,
        aws: &Aws,
        seen: &Standing,
        weights: Weights,
    ) -> impl Future<Output = Result<(), OpError>> + Send;

    /// Sets or removes the tag.
    fn tag(
        &self,
        aws: &Aws,
        claim: Option<&str>,
    ) -> impl Future<Output = Result<(), OpError>> + Send;

    /// The targets of the side that traffic moves to, if it has any.
    fn targets(&self, aws: &Aws) -> impl Future<Output = Reading<Targets>> + Send;

    /// The metrics of both sides, if AWS tells them apart.
    fn metrics(&self) -> Option<(figures::Metrics, figures::Metrics)>;
}

/// A road with everything that watches it.
struct Watched<R> {
    aws: Aws,
    road: R,
    sources: Sources,
}

impl<R: Road> Traffic for Watched<R> {
    fn read(&self) -> BoxFuture<'_, Result<Standing, OpError>> {
        Box::pin(self.road.read(&self.aws))
    }

    fn set<'a>(
        &'a self,
        seen: &'a Standing,
        weights: Weights,
    ) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(self.road.set(&self.aws, seen, weights))
    }

    fn tag<'a>(&'a self, claim: Option<&'a str>) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(self.road.tag(&self.aws, claim))
    }

    fn watch(&self, since: Duration) -> BoxFuture<'_, Signals> {
        Box::pin(async move {
            let Sources { alarms, probe, figures } = &self.sources;
            let alarms = async {
                match alarms.as_slice() {
                    [] => None,
                    names => {
                        let read = Box::pin(alarms::read(&self.aws, names));
                        Some(in_time("DescribeAlarms", read).await)
                    }
                }
            };
            let targets = async {
                let read = within(SOURCE, self.road.targets(&self.aws)).await;
                read.unwrap_or_else(|| Some(Err(late("DescribeTargetHealth"))))
            };
            let probe = async {
                match probe {
                    Some(probe) => Some(probe.ask(&self.aws).await),
                    None => None,
                }
            };
            let figures = async {
                let (from, to) = self.road.metrics().filter(|_| *figures)?;
                let read = Box::pin(figures::read(&self.aws, since, &from, &to));
                Some(in_time("GetMetricData", read).await)
            };
            let (alarms, targets, probe, figures) = join4(alarms, targets, probe, figures).await;
            Signals { alarms, targets, probe, figures }
        })
    }
}

/// The answer of a source, if it comes in time.
async fn in_time<T>(
    op: &'static str,
    question: impl Future<Output = Result<T, OpError>>,
) -> Result<T, OpError> {
    within(SOURCE, question).await.unwrap_or_else(|| Err(late(op)))
}

fn late(op: &'static str) -> OpError {
    let message = format!("no answer within {} seconds", SOURCE.as_secs());
    OpError::new(op, ErrorClass::Service, "Timeout", message)
}

/// The error of an object that no longer divides traffic between the two sides.
fn elsewhere(op: &'static str, message: impl Into<String>) -> OpError {
    OpError::new(op, ErrorClass::Invalid, "OtherSides", message)
}
