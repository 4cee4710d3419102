//! Traffic in memory: weights and a tag that take a while to change and to be seen, signals over time,
//! and faults.
//!
//! It records as a violation what a shift must never even try.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::shift::CALL;
use payctl_engine::traffic::{
    Alarm, AlarmState, Figure, Figures, Signals, Standing, Targets, Traffic, Weights,
};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::fake::Death;

/// The steps of every shift here.
pub const STEPS: [u8; 4] = [10, 25, 50, 100];

/// Spans of time since the road was made.
pub type Spans = Vec<(Duration, Duration)>;

/// What goes wrong.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// In thousandths: a throttled call.
    pub throttle: u64,
    /// In thousandths: a server error without effect.
    pub refuse: u64,
    /// In thousandths: an effect whose reply is lost.
    pub lose: u64,
    /// In thousandths: a call that is never answered; half of those that write take effect.
    pub hang: u64,
    /// In thousandths: a source that cannot be read.
    pub deaf: u64,
    /// In milliseconds: how long a call may take.
    pub slow: u64,
    /// In milliseconds: how long after its end a call without an answer may take effect.
    pub late: u64,
    /// In milliseconds: how old an answer may be.
    pub lag: u64,
}

/// What the sources say, and when.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// An alarm is in `ALARM`.
    pub alarm: Spans,
    /// A target is unhealthy.
    pub unhealthy: Spans,
    /// The probe fails.
    pub unreachable: Spans,
    /// There are no figures.
    pub silent: Spans,
    /// Requests fail.
    pub broken: Spans,
    /// Requests take long.
    pub slow: Spans,
}

/// One write of the weights that took effect.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    pub at: Duration,
    pub who: usize,
    pub after: Weights,
}

#[derive(Clone, Debug)]
enum Effect {
    Set(Weights, Weights),
    Tag(Option<String>),
}

#[derive(Debug)]
struct State {
    began: Instant,
    random: fastrand::Rng,
    faults: Faults,
    script: Script,
    /// Everything that was ever there, and since when.
    past: Vec<(Instant, Weights, Option<String>)>,
    /// Effects under way.
    coming: Vec<(Instant, u64, usize, Effect)>,
    sent: u64,
    log: Vec<Write>,
    tags: u64,
    calls: BTreeMap<usize, u64>,
    deaths: BTreeMap<usize, Death>,
    /// How much later the last call of a dying run takes effect.
    stall: Duration,
    /// Those who take traffic back whoever else writes.
    wild: BTreeSet<usize>,
    /// Who was told of an alarm while traffic was theirs to move, and when.
    told: BTreeMap<usize, Duration>,
    violations: Vec<String>,
}

/// The traffic as one run sees it. Clones share it.
#[derive(Clone, Debug)]
pub struct Road {
    who: usize,
    state: Arc<Mutex<State>>,
    died: Arc<Notify>,
}

/// What becomes of one call.
enum Fate {
    Answer,
    Throttled,
    Refused,
    Lost,
    Hangs,
}

impl Road {
    pub fn new(weights: Weights, seed: u64) -> Self {
        let began = Instant::now();
        let state = State {
            began,
            random: fastrand::Rng::with_seed(seed),
            faults: Faults::default(),
            script: Script::default(),
            past: vec![(began, weights, None)],
            coming: Vec::new(),
            sent: 0,
            log: Vec::new(),
            tags: 0,
            calls: BTreeMap::new(),
            deaths: BTreeMap::new(),
            stall: Duration::ZERO,
            wild: BTreeSet::new(),
            told: BTreeMap::new(),
            violations: Vec::new(),
        };
        Self { who: 0, state: Arc::new(Mutex::new(state)), died: Arc::new(Notify::new()) }
    }

    /// The same traffic, as another run sees it.
    pub fn seen_by(&self, who: usize) -> Self {
        Self { who, state: self.state.clone(), died: Arc::new(Notify::new()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().expect("no test panics while it holds the road");
        state.catch_up();
        state
    }

    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    pub fn set_script(&self, script: Script) {
        self.state().script = script;
    }

    /// This run dies at one of its calls.
    pub fn dies(&self, death: Death) {
        self.state().deaths.insert(self.who, death);
    }

    /// The last call of a dying run takes effect so much later.
    pub fn stalls(&self, stall: Duration) {
        self.state().stall = stall;
    }

    /// This run takes traffic back whoever else writes.
    pub fn is_wild(&self) {
        self.state().wild.insert(self.who);
    }

    /// Completes when this run has died.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    /// Somebody else changes what is there.
    pub fn put(&self, weights: Weights, tag: Option<&str>) {
        self.state().past.push((Instant::now(), weights, tag.map(str::to_owned)));
    }

    pub fn weights(&self) -> Weights {
        self.state().now().1
    }

    pub fn tag(&self) -> Option<String> {
        self.state().now().2.clone()
    }

    pub fn log(&self) -> Vec<Write> {
        self.state().log.clone()
    }

    /// The shares that were set, in order.
    pub fn shares(&self) -> Vec<u8> {
        self.log().iter().filter_map(|write| write.after.percent()).collect()
    }

    /// How many writes of the tag were sent.
    pub fn tags(&self) -> u64 {
        self.state().tags
    }

    pub fn calls(&self) -> u64 {
        self.state().calls.get(&self.who).copied().unwrap_or_default()
    }

    /// When this run was first told of an alarm while traffic was its own to move.
    pub fn told(&self) -> Option<Duration> {
        self.state().told.get(&self.who).copied()
    }

    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// Since the road was made.
    pub fn elapsed(&self) -> Duration {
        self.state().began.elapsed()
    }

    /// Begins a call: what becomes of it, and how long that takes.
    async fn begin(&self, effect: Option<Effect>) -> Result<(Fate, Duration), OpError> {
        let (death, plan) = {
            let mut state = self.state();
            let calls = state.calls.entry(self.who).or_default();
            *calls += 1;
            let calls = *calls;
            let death =
                state.deaths.get(&self.who).copied().filter(|death| death.operation == calls);
            let fate = state.fate();
            let plan = match death {
                Some(Death { after: false, .. }) => (Fate::Hangs, CALL),
                _ => state.send(self.who, fate, effect),
            };
            let stall = state.stall;
            if let (Some(Death { after: true, .. }), Some(last)) = (death, state.coming.last_mut())
            {
                last.0 += stall;
            }
            (death, plan)
        };
        if death.is_some() {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
        if matches!(plan.0, Fate::Hangs) {
            std::future::pending::<()>().await;
        }
        Ok(plan)
    }

    async fn write(&self, name: &str, effect: Effect) -> Result<(), OpError> {
        let (fate, takes) = self.begin(Some(effect)).await?;
        sleep(takes).await;
        fate.reply(name)
    }
}

impl Fate {
    fn reply(self, name: &str) -> Result<(), OpError> {
        let error = |class, why: &str| Err(OpError::new(name, class, "Fault", why));
        match self {
            Self::Answer => Ok(()),
            Self::Throttled => error(ErrorClass::Throttled, "Rate exceeded"),
            Self::Refused => error(ErrorClass::Service, "an internal error"),
            Self::Lost | Self::Hangs => error(ErrorClass::Service, "the reply was lost"),
        }
    }
}

impl State {
    fn now(&self) -> &(Instant, Weights, Option<String>) {
        self.past.last().expect("it begins with something")
    }

    /// What was there at a moment.
    fn at(&self, moment: Instant) -> &(Instant, Weights, Option<String>) {
        let before = self.past.iter().rev().find(|(since, ..)| *since <= moment);
        before.unwrap_or(&self.past[0])
    }

    fn below(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.random.u64(0..=most))
    }

    fn happens(&mut self, thousandths: u64) -> bool {
        self.random.u64(0..1000) < thousandths
    }

    fn fate(&mut self) -> Fate {
        let Faults { throttle, refuse, lose, hang, .. } = self.faults;
        match () {
            () if self.happens(throttle) => Fate::Throttled,
            () if self.happens(refuse) => Fate::Refused,
            () if self.happens(lose) => Fate::Lost,
            () if self.happens(hang) => Fate::Hangs,
            () => Fate::Answer,
        }
    }

    /// Sends a call on its way.
    fn send(&mut self, who: usize, fate: Fate, effect: Option<Effect>) -> (Fate, Duration) {
        let takes = Duration::from_millis(5) + self.below(self.faults.slow);
        let Some(effect) = effect else { return (fate, takes) };
        self.check(who, &effect);
        let late = self.below(self.faults.late);
        let lands = match fate {
            Fate::Answer => Some(takes.mul_f64(self.random.f64())),
            Fate::Lost => Some(takes.mul_f64(self.random.f64()) + late),
            Fate::Hangs if self.random.bool() => Some(CALL.mul_f64(self.random.f64()) + late),
            Fate::Hangs | Fate::Throttled | Fate::Refused => None,
        };
        if let Some(lands) = lands {
            self.sent += 1;
            self.coming.push((Instant::now() + lands, self.sent, who, effect));
        }
        (fate, takes)
    }

    /// What no run may even send.
    fn check(&mut self, who: usize, effect: &Effect) {
        let Effect::Set(before, after) = effect else {
            self.tags += 1;
            return;
        };
        let percent = before.percent().unwrap_or_default();
        let next = STEPS.into_iter().find(|step| *step > percent).map(Weights::at);
        let is_back = *after == Weights::BACK;
        if !is_back && Some(*after) != next {
            self.violations.push(format!("run {who} jumps from {before} to {after}"));
        }
        if !is_back && self.told.contains_key(&who) {
            self.violations.push(format!("run {who} moves on to {after} after an alarm"));
        }
    }

    /// Lets everything take effect whose time has come.
    fn catch_up(&mut self) {
        let now = Instant::now();
        self.coming.sort_by_key(|(at, sent, ..)| (*at, *sent));
        let due = self.coming.iter().take_while(|(at, ..)| *at <= now).count();
        for (at, _, who, effect) in self.coming.drain(..due).collect::<Vec<_>>() {
            let (_, weights, tag) = self.now().clone();
            match effect {
                Effect::Tag(tag) => self.past.push((at, weights, tag)),
                Effect::Set(seen, after) => {
                    self.judge(who, seen, weights, after);
                    let at_all = at - self.began;
                    self.log.push(Write { at: at_all, who, after });
                    self.past.push((at, after, tag));
                }
            }
        }
    }

    /// Two runs never write in turn, and the second one begins where the first one ended.
    fn judge(&mut self, who: usize, seen: Weights, before: Weights, after: Weights) {
        let tame = |write: &&Write| !self.wild.contains(&write.who);
        let last = self.log.iter().rev().find(tame).map(|write| write.who);
        if self.wild.contains(&who) || last == Some(who) {
            return;
        }
        if self.log.iter().any(|write| write.who == who) {
            self.violations.push(format!("run {who} sets {after} after another run took over"));
        }
        if !seen.divide_like(before) && self.wild.is_empty() {
            self.violations.push(format!("run {who} saw {seen}, and it was {before}"));
        }
    }

    fn is_in(&self, spans: &Spans) -> bool {
        let now = self.began.elapsed();
        spans.iter().any(|(from, to)| (*from..*to).contains(&now))
    }

    fn signals(&mut self) -> Signals {
        let script = self.script.clone();
        let in_alarm = self.is_in(&script.alarm);
        let alarm = Alarm {
            name: "payment-errors".to_owned(),
            state: if in_alarm { AlarmState::Alarm } else { AlarmState::Ok },
            reason: "Threshold Crossed".to_owned(),
            since: "12:00".to_owned(),
        };
        let unhealthy = match self.is_in(&script.unhealthy) {
            true => vec!["10.0.0.7 (Target.Timeout)".to_owned()],
            false => Vec::new(),
        };
        let probe = match self.is_in(&script.unreachable) {
            true => Err("connection refused".to_owned()),
            false => Ok(Duration::from_millis(80)),
        };
        let weights = self.now().1;
        let figure = |share: u32, errors, p99| {
            let p99 = Some(Duration::from_millis(p99));
            (share > 0).then_some(Figure { requests: 1000, errors, p99 })
        };
        let is_silent = self.is_in(&script.silent);
        let errors = if self.is_in(&script.broken) { 80 } else { 2 };
        let p99 = if self.is_in(&script.slow) { 900 } else { 100 };
        let figures = Figures {
            from: figure(weights.from, 2, 100),
            to: figure(weights.to, errors, p99).filter(|_| !is_silent),
        };
        let deaf = self.faults.deaf;
        let mut heard = |name: &str| match self.happens(deaf) {
            true => Err(OpError::new(name, ErrorClass::Service, "Fault", "it cannot be read")),
            false => Ok(()),
        };
        Signals {
            alarms: Some(heard("Alarms").map(|()| vec![alarm])),
            targets: Some(heard("Targets").map(|()| Targets { healthy: 2, unhealthy })),
            probe: Some(probe),
            figures: Some(heard("Figures").map(|()| figures)),
        }
    }

    /// A run was told of an alarm. It counts if the traffic is this run's to move.
    fn tells(&mut self, who: usize, signals: &Signals) {
        let alarms = signals.alarms.as_ref().and_then(|alarms| alarms.as_ref().ok());
        let is_alarm = alarms.is_some_and(|all| all[0].state == AlarmState::Alarm);
        let is_theirs = self.log.last().is_some_and(|write| write.who == who);
        if is_alarm && is_theirs {
            let now = self.began.elapsed();
            self.told.entry(who).or_insert(now);
        }
    }
}

impl Traffic for Road {
    fn read(&self) -> BoxFuture<'_, Result<Standing, OpError>> {
        Box::pin(async {
            let (fate, takes) = self.begin(None).await?;
            let first = takes.mul_f64(self.state().random.f64());
            sleep(first).await;
            let standing = {
                let mut state = self.state();
                let lag = state.faults.lag;
                let lag = state.below(lag);
                let (_, weights, claim) = state.at(Instant::now() - lag).clone();
                Standing { weights, claim, rest: Value::Null }
            };
            sleep(takes.saturating_sub(first)).await;
            fate.reply("Read").map(|()| standing)
        })
    }

    fn set<'a>(
        &'a self,
        seen: &'a Standing,
        weights: Weights,
    ) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(self.write("Set", Effect::Set(seen.weights, weights)))
    }

    fn tag<'a>(&'a self, claim: Option<&'a str>) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(self.write("Tag", Effect::Tag(claim.map(str::to_owned))))
    }

    fn watch(&self, _: Duration) -> BoxFuture<'_, Signals> {
        Box::pin(async {
            let Ok((_, takes)) = self.begin(None).await else { return Signals::default() };
            sleep(takes).await;
            let mut state = self.state();
            let signals = state.signals();
            state.tells(self.who, &signals);
            signals
        })
    }
}
