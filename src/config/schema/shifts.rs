//! `[shifts.NAME]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{
    AlarmRef, ApiRef, CalleeRef, ListenerName, ListenerRuleName, TargetGroupRef, Template, TimeSpan,
};
use crate::words::shifts::OnAlarm;

/// A shift of traffic: `payctl shift NAME` moves it step by step and watches it. Exactly one of
/// `listener`, `rule`, `alias` and `stage` says what divides the traffic. Its weights then belong to the shift: an
/// apply leaves them alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// The listener of an application load balancer, `"public:443"`. Its `forward` has exactly the target
    /// groups `from` and `to`.
    pub listener: Option<ListenerName>,
    /// The rule of a listener, `"public:443:payments"`. Its `forward` has exactly the target groups `from`
    /// and `to`.
    pub rule: Option<ListenerRuleName>,
    /// The alias of a function, `"validation:live"`. An apply publishes a new version and gives it to the
    /// alias without any calls; the shift moves the calls there.
    pub alias: Option<CalleeRef>,
    /// The stage of an API, by the API. An apply gives a new deployment to its canary without any
    /// requests; the shift moves the requests there. AWS has no figures for each deployment, so a shift of
    /// a stage has no `limits`.
    pub stage: Option<ApiRef>,
    /// The target group that traffic moves from. Only with `listener` or `rule`.
    pub from: Option<TargetGroupRef>,
    /// The target group that traffic moves to. Only with `listener` or `rule`.
    pub to: Option<TargetGroupRef>,
    /// The shares of the side that traffic moves to, in percent. They rise to 100.
    #[serde(default = "steps")]
    #[schemars(inner(range(min = 1, max = 100)))]
    pub steps: Vec<u8>,
    /// How long the shift watches after each step before it takes the next.
    #[serde(default = "five_minutes")]
    pub bake: TimeSpan,
    /// Alarms. One in the state ALARM ends the shift; one without data holds it up.
    #[serde(default)]
    pub watch: BTreeSet<AlarmRef>,
    /// What to do about an alarm, an unhealthy target, a failed probe, a limit that does not hold, or
    /// missing data.
    #[serde(default)]
    pub on_alarm: OnAlarm,
    /// A request that must succeed while the shift watches.
    pub probe: Option<Probe>,
    /// Limits of the side that traffic moves to, against the other side, in the figures of CloudWatch.
    pub limits: Option<Limits>,
    /// How long anything that the shift watches may say nothing. The shift takes no step meanwhile.
    #[serde(default = "five_minutes")]
    pub missing: TimeSpan,
}

/// A request over HTTP that must succeed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The address, which may refer to outputs: `"https://${load_balancers.public.dns_name}/health"`,
    /// `"${apis.payments.url}/health"`.
    pub url: Template,
    /// The status of the answer to expect. payctl does not follow redirects.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    pub status: u16,
    /// How many seconds an answer may take.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 3))]
    pub timeout: u32,
    /// How many requests in a row may fail before that ends the shift. payctl asks every 5 seconds.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub failures: u32,
}

/// Limits of the side that traffic moves to. At least one of `error_rate` and `p99` is set.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// By how many percent of its requests it may fail more often than the other side.
    #[schemars(range(min = 0, max = 100))]
    pub error_rate: Option<f64>,
    /// How many times the p99 of the other side its own p99 may be.
    #[schemars(range(min = 1, max = 100))]
    pub p99: Option<f64>,
    /// The fewest requests of each side that say anything, in the last minutes, up to five.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests: u32,
}

fn steps() -> Vec<u8> {
    vec![10, 25, 50, 100]
}

fn five_minutes() -> TimeSpan {
    TimeSpan("5m".into())
}

fn ok() -> u16 {
    200
}

fn three() -> u32 {
    3
}

fn twenty() -> u32 {
    20
}
