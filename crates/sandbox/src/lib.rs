//! The embedded AWS: enough of each service, at its HTTP boundary, to rehearse a whole environment.
//!
//! The SDK (or the AWS CLI, through `serve`) sends real requests. `wire` decodes a request into a
//! `Call`. The service's module answers it from the `World`, and `wire` encodes the answer in the
//! service's protocol. The sandbox behaves like AWS where that matters to payctl: dependency
//! violations, soft deletes, slow transitions, unrequested defaults.
//!
//! A service is one module with a `State` (its field in the `World`), `call`, and `counts` (the
//! number of objects, for `sandbox status` and for tests). `dispatch` and `counts` each name it
//! once. Only S3 works on the raw request, because its REST requests do not have an operation name.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

mod connector;
mod constraints;
mod faults;
mod flaps;
mod fresh;
mod garbled;
mod hands;
mod limits;
mod passing;
mod permissions;
mod run;
pub(crate) mod s3;
mod serve;
mod shelf;
mod store;
pub(crate) mod sts;
pub(crate) mod wire;

pub(crate) mod acm;
pub(crate) mod apigateway;
pub(crate) mod application_autoscaling;
pub(crate) mod autoscaling;
pub(crate) mod cloudwatch;
pub(crate) mod costexplorer;
pub(crate) mod dynamodb;
pub(crate) mod ec2;
pub(crate) mod ecs;
pub(crate) mod elb;
pub(crate) mod events;
pub(crate) mod guardduty;
pub(crate) mod iam;
pub(crate) mod kms;
pub(crate) mod lambda;
pub(crate) mod logs;
pub(crate) mod pricing;
pub(crate) mod rds;
pub(crate) mod route53;
pub(crate) mod secretsmanager;
pub(crate) mod servicequotas;
pub(crate) mod sns;
pub(crate) mod sqs;
pub(crate) mod ssm;
pub(crate) mod tagging;
pub(crate) mod toolbox;
pub(crate) mod waf;

pub use connector::{Pace, Sandbox, Snapshot};
pub use faults::{Fault, Faults, Said};
pub use garbled::{Damage, Garbled};
pub use limits::{Limits, Tally};
pub use permissions::{Guard, Need};
pub use serve::serve;
pub use store::SandboxError;

/// One API call, decoded.
///
/// For JSON services, the input is the body. For query services (`ec2`, `iam`, `sns`, `sts`), it is
/// the form as a tree: `Filter.1.Value.1=x` is `{"Filter": [{"Value": ["x"]}]}` (EC2),
/// `Tags.member.1.Key=k` is `{"Tags": [{"Key": "k"}]}`, and the map `Attributes.entry.1.key=k`,
/// `Attributes.entry.1.value=v` is `{"Attributes": {"k": "v"}}`. Every leaf of a form is a string.
/// So is an empty list or map (`""`), because clients send it like that.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The service as AWS signs it, such as `ec2` or `logs`.
    pub service: String,
    /// The operation, such as `CreateVpc`.
    pub operation: String,
    /// The input.
    pub input: Value,
    /// The region that the request was signed for.
    pub region: String,
}

/// The answer of a call.
///
/// Query services answer an object with the members of the XML, such as `{"vpcSet": [{"vpcId":
/// ..}]}`. Lists become `<item>` (EC2) or `<member>` elements, and `null` members are left out. An
/// object under the key `$map` becomes a map of the query protocol: `{"Attributes": {"$map": {"k":
/// "v"}}}` is `<Attributes><entry><key>k</key><value>v</value></entry></Attributes>`.
///
/// An operation without output answers `Value::Null` (EC2 then says `<return>true</return>`).
pub(crate) type Answer = Result<Value, Refusal>;

/// An error as the service sends it, with the code that it has on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code.
    pub code: String,
    /// The message.
    pub message: String,
    /// The further elements of an S3 error, in order.
    pub details: Vec<(String, String)>,
}

impl Refusal {
    /// A refusal with status 400.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        Self { status: 400, code, message, details: Vec::new() }
    }

    /// The same with one more detail.
    pub(crate) fn about(mut self, name: &str, value: impl Into<String>) -> Self {
        self.details.push((name.to_owned(), value.into()));
        self
    }

    /// The same with another status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The refusal of a call that AWS supports and the sandbox does not. The status is 400, so that
    /// clients do not retry.
    pub(crate) fn not_covered(service: &str, operation: &str) -> Self {
        let message = format!(
            "the sandbox does not know {service}:{operation}; it covers the operations that \
             payctl uses, not all of AWS"
        );
        Self::new("NotImplementedInSandbox", message)
    }
}

/// The whole state of the sandbox: one part for each service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct World {
    /// Ids and time.
    pub base: Base,
    /// The old tags that the Tagging API returns while it lags.
    #[serde(skip)]
    pub tagged: Option<Box<World>>,
    /// Cost Anomaly Detection.
    #[serde(alias = "costs")]
    pub costexplorer: costexplorer::State,
    /// Load balancers, listeners and target groups.
    #[serde(alias = "balancing")]
    pub elb: elb::State,
    /// Certificates.
    pub acm: acm::State,
    /// REST APIs.
    pub apigateway: apigateway::State,
    /// Tables.
    pub dynamodb: dynamodb::State,
    /// Networks.
    pub ec2: ec2::State,
    /// Containers.
    pub ecs: ecs::State,
    /// Event rules and targets.
    pub events: events::State,
    /// Detectors.
    pub guardduty: guardduty::State,
    /// Groups of instances.
    #[serde(alias = "fleets")]
    pub autoscaling: autoscaling::State,
    /// Roles, policies and instance profiles.
    pub iam: iam::State,
    /// Keys and aliases.
    pub kms: kms::State,
    /// Functions and event sources.
    pub lambda: lambda::State,
    /// Log groups.
    pub logs: logs::State,
    /// Sessions of roles.
    pub sts: sts::State,
    /// Scalable targets and policies.
    #[serde(alias = "scaling")]
    pub application_autoscaling: application_autoscaling::State,
    /// Alarms and dashboards.
    #[serde(alias = "monitoring")]
    pub cloudwatch: cloudwatch::State,
    /// Databases.
    pub rds: rds::State,
    /// Hosted zones.
    pub route53: route53::State,
    /// Secrets.
    #[serde(alias = "secrets")]
    pub secretsmanager: secretsmanager::State,
    /// Topics and subscriptions.
    pub sns: sns::State,
    /// Queues.
    pub sqs: sqs::State,
    /// Parameters.
    pub ssm: ssm::State,
    /// Buckets and their objects.
    pub s3: s3::State,
    /// Web ACLs and their associations.
    pub waf: waf::State,
}

shelf::kept!(World { base, costexplorer, elb, acm, apigateway, dynamodb, ec2, ecs, events, guardduty, autoscaling, iam, kms, lambda, logs, sts, application_autoscaling, cloudwatch, rds, route53, secretsmanager, sns, sqs, ssm, s3, waf } not { tagged });

/// Hands a call to its service.
fn dispatch(world: &mut World, call: &Call) -> Answer {
    fresh::check(world, call)?;
    match call.service.as_str() {
        "acm" => acm::call(world, call),
        "application-autoscaling" => application_autoscaling::call(world, call),
        "apigateway" => apigateway::call(world, call),
        "dynamodb" => dynamodb::call(world, call),
        "ec2" => ec2::call(world, call),
        "ecs" => ecs::call(world, call),
        "ce" => costexplorer::call(world, call),
        "events" => events::call(world, call),
        "guardduty" => guardduty::call(world, call),
        "autoscaling" => autoscaling::call(world, call),
        "elasticloadbalancing" => elb::call(world, call),
        "iam" => iam::call(world, call),
        "kms" => kms::call(world, call),
        "lambda" => lambda::call(world, call),
        "logs" => logs::call(world, call),
        "monitoring" => cloudwatch::call(world, call),
        "pricing" => pricing::call(call),
        "rds" => rds::call(world, call),
        "route53" => route53::call(world, call),
        "secretsmanager" => secretsmanager::call(world, call),
        "servicequotas" => servicequotas::call(call),
        "sns" => sns::call(world, call),
        "sqs" => sqs::call(world, call),
        "ssm" => ssm::call(world, call),
        "sts" => sts::call(world, call),
        "tagging" => tagging::call(world, call),
        "wafv2" => waf::call(world, call),
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

/// The number of live objects by `service.things`, without zeros.
fn counts(world: &World) -> BTreeMap<String, usize> {
    let services = [
        (
            "application-autoscaling",
            application_autoscaling::counts(&world.application_autoscaling),
        ),
        ("acm", acm::counts(&world.acm)),
        ("apigateway", apigateway::counts(&world.apigateway)),
        ("dynamodb", dynamodb::counts(&world.dynamodb)),
        ("ec2", ec2::counts(&world.ec2)),
        ("ecs", ecs::counts(&world.ecs)),
        ("ce", costexplorer::counts(&world.costexplorer)),
        ("events", events::counts(&world.events)),
        ("guardduty", guardduty::counts(&world.guardduty)),
        ("autoscaling", autoscaling::counts(&world.autoscaling)),
        ("elasticloadbalancing", elb::counts(&world.elb)),
        ("iam", iam::counts(&world.iam)),
        ("kms", kms::counts(&world.kms)),
        ("lambda", lambda::counts(&world.lambda)),
        ("logs", logs::counts(&world.logs)),
        ("monitoring", cloudwatch::counts(&world.cloudwatch)),
        ("rds", rds::counts(&world.rds)),
        ("route53", route53::counts(&world.route53)),
        ("s3", s3::counts(&world.s3)),
        ("secretsmanager", secretsmanager::counts(&world.secretsmanager)),
        ("sns", sns::counts(&world.sns)),
        ("sqs", sqs::counts(&world.sqs)),
        ("ssm", ssm::counts(&world.ssm)),
        ("wafv2", waf::counts(&world.waf)),
    ];
    let mut all = BTreeMap::new();
    for (service, counts) in services {
        let live = counts.into_iter().filter(|(_, count)| *count > 0);
        all.extend(live.map(|(thing, count)| (format!("{service}.{thing}"), count)));
    }
    all
}

/// The shared state of all services.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Base {
    /// The number of ids created so far.
    pub made: u64,
    /// Whether the sandbox is as slow and strict as AWS: names of deleted objects stay taken for a
    /// while, and transitions take time by [`Base::now`]. Off by default.
    pub strict: bool,
    /// The rate of its time, if it differs from the wall clock.
    pub rate: Option<Rate>,
    /// The source of time; not saved.
    #[serde(skip)]
    pub clock: Clock,
    /// The access key that signed the call which is being answered.
    #[serde(skip)]
    pub access_key: Option<String>,
    /// Whether a read has advanced a state. The advanced state must be saved too, or another
    /// process would see the old state for ever.
    #[serde(skip)]
    pub moved: bool,
}

shelf::kept_whole!(Base);

/// The id of the sandbox's account.
pub(crate) const ACCOUNT: &str = "000000000000";

impl Base {
    /// A new id, `vpc-0a1b...`: unique, and the same in every run with the same history.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{:016x}", self.number())
    }

    /// A new pseudo-random number: unique, and the same in every run with the same history.
    pub(crate) fn number(&mut self) -> u64 {
        self.made += 1;
        self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Seconds since the epoch, by the [`Clock`] and its [`Rate`].
    pub(crate) fn now(&self) -> f64 {
        let wall = self.clock.seconds();
        self.rate.as_ref().map_or(wall, |rate| rate.own + (wall - rate.wall) * rate.speed)
    }

    fn speed(&self) -> f64 {
        self.rate.as_ref().map_or(1.0, |rate| rate.speed)
    }

    /// Whether it already has this strictness and speed.
    fn is_at(&self, strict: bool, speed: f64) -> bool {
        self.strict == strict && self.speed() == speed
    }

    /// Sets the strictness, and the speed of its time as a multiple of the wall clock. Time never
    /// goes back.
    fn run_at(&mut self, strict: bool, speed: f64) {
        self.strict = strict;
        if self.speed() != speed {
            self.rate = Some(Rate { own: self.now(), wall: self.clock.seconds(), speed });
        }
    }
}

/// The rate of time from a moment on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rate {
    /// That moment in the sandbox's time.
    own: f64,
    /// That moment by the wall clock.
    wall: f64,
    /// The speed as a multiple of the wall clock.
    speed: f64,
}

/// The wall clock at one moment, and tokio's time since then. If a test pauses tokio's clock and
/// lets it run ahead, the sandbox follows. Without a paused clock it is the wall clock.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    wall: SystemTime,
    started: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { wall: SystemTime::now(), started: Instant::now() }
    }
}

impl Clock {
    /// Seconds since the epoch.
    fn seconds(&self) -> f64 {
        // Saturating, because a world may move from one paused runtime to the next.
        let elapsed = Instant::now().checked_duration_since(self.started);
        let now = self.wall + elapsed.unwrap_or(Duration::ZERO);
        now.duration_since(UNIX_EPOCH).map(|age| age.as_secs_f64()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_reproducible() {
        let (mut one, mut other) = (Base::default(), Base::default());
        let first = one.id("vpc");
        assert_eq!(first, other.id("vpc"));
        assert_ne!(first, one.id("vpc"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_paused_time() {
        let base = Base::default();
        let before = base.now();
        tokio::time::advance(Duration::from_secs(90)).await;
        assert!((base.now() - before - 90.0).abs() < 1.0);
    }

    #[tokio::test(start_paused = true)]
    async fn time_can_run_faster_and_never_goes_back() {
        let mut base = Base::default();
        let began = base.now();
        base.run_at(true, 60.0);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!((base.now() - began - 120.0).abs() < 1.0);
        base.run_at(false, 1.0);
        assert!((base.now() - began - 120.0).abs() < 1.0);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!((base.now() - began - 130.0).abs() < 1.0);
    }

    #[test]
    fn the_clock_runs_without_a_runtime() {
        assert!(Base::default().now() > 1_700_000_000.0);
    }
}
