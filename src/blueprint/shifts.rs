//! `[shifts]`: what each shift moves and watches. They are no resources; their names stand in the specs of
//! the resources whose weights they move.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::Loaded;
use crate::config::schema::shifts::Shift as Config;
use crate::words::shifts::OnAlarm;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::Text;

use super::functions::callee;
use super::{Builder, Facts};

/// A shift as the config asks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    /// What divides the traffic: a listener, a rule, an alias or a stage.
    pub divider: Address,
    /// The target groups from which and to which it moves. An alias and a stage have none.
    pub groups: Option<(Address, Address)>,
    /// The shares of the side that traffic moves to, in percent.
    pub steps: Vec<u8>,
    /// How long each share is watched.
    pub bake: Duration,
    /// The alarms to watch.
    pub alarms: Vec<Address>,
    /// What to do about an alarm.
    pub on_alarm: OnAlarm,
    /// A request that must succeed.
    pub probe: Option<Probe>,
    /// Limits of the side that traffic moves to.
    pub limits: Option<Limits>,
    /// How long anything that is watched may say nothing.
    pub missing: Duration,
}

/// A request that must succeed.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The address.
    pub url: Text,
    /// The status of the answer.
    pub status: u16,
    /// How long the answer may take.
    pub timeout: Duration,
    /// How many may fail in a row.
    pub failures: u32,
}

/// Limits of the side that traffic moves to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// By how many percent it may fail more often.
    pub error_rate: Option<f64>,
    /// How many times the other p99 its own may be.
    pub p99: Option<f64>,
    /// The fewest requests that say anything.
    pub requests: u32,
}

/// The shifts of a checked config by name.
pub fn shifts(loaded: &Loaded, facts: &Facts) -> BTreeMap<String, Shift> {
    let builder = Builder::new(loaded, facts);
    let all = loaded.config.shifts.iter();
    all.filter_map(|(name, config)| Some((name.0.clone(), builder.shift(config)?))).collect()
}

impl Builder<'_> {
    fn shift(&self, config: &Config) -> Option<Shift> {
        let probe = config.probe.as_ref().map(|probe| Probe {
            url: self.text(&probe.url),
            status: probe.status,
            timeout: Duration::from_secs(probe.timeout.into()),
            failures: probe.failures,
        });
        let limits = config.limits.as_ref().map(|limits| Limits {
            error_rate: limits.error_rate,
            p99: limits.p99,
            requests: limits.requests,
        });
        let alarm = |name: &str| Address::new("cloudwatch.alarm", name);
        let group = |name: &str| Address::new("elb.target_group", name);
        Some(Shift {
            divider: divider(config)?,
            groups: config.from.as_deref().map(group).zip(config.to.as_deref().map(group)),
            steps: config.steps.clone(),
            bake: config.bake.time(),
            alarms: config.watch.iter().map(|name| alarm(name)).collect(),
            on_alarm: config.on_alarm,
            probe,
            limits,
            missing: config.missing.time(),
        })
    }

    /// The shift that moves the traffic that something divides, if one does.
    pub(super) fn shift_of(&self, what: &Address) -> Option<String> {
        let mut all = self.config.shifts.iter();
        all.find(|(_, shift)| divider(shift).as_ref() == Some(what)).map(|(name, _)| name.0.clone())
    }
}

/// What divides the traffic of a shift.
fn divider(config: &Config) -> Option<Address> {
    if let Some((balancer, port)) = config.listener.as_ref().and_then(|it| it.parts()) {
        return Some(listener(balancer, port));
    }
    if let Some((balancer, port, name)) = config.rule.as_ref().and_then(|it| it.parts()) {
        return Some(rule(balancer, port, name));
    }
    if let Some(api) = &config.stage {
        return Some(stage(api));
    }
    let (function, name) = config.alias.as_ref()?.parts();
    Some(callee(function, Some(name?)))
}

fn stage(api: &str) -> Address {
    Address::new("apigateway.stage", api)
}

fn listener(balancer: &str, port: u16) -> Address {
    Address::new("elb.listener", format!("{balancer}-{port}"))
}

fn rule(balancer: &str, port: u16, name: &str) -> Address {
    Address::new("elb.listener_rule", format!("{balancer}-{port}-{name}"))
}
