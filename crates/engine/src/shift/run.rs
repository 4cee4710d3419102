//! The loop: look, decide, act, wait. Only here is a clock.

use std::time::Duration;

use futures::future::{BoxFuture, join};
use tokio::time::{Instant, sleep, timeout};

use super::claim::{Claim, Purpose};
use super::decision::{History, Look, Next, Stage, Wait, back as decide_back, forward};
use super::event::{End, Event, Listener, Report, ShiftError};
use super::findings::{Finding, Verdict, Watchman};
use super::order::Order;
use super::{BEAT, CALL, POLL, STALE};
use crate::model::error::{ErrorClass, OpError};
use crate::stop::Stop;
use crate::traffic::{Figures, Signals, Standing, Traffic, Weights};

/// The first pause after a call that failed, or before a look that should show a write.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Moves traffic as ordered. A run that is stopped or killed leaves its claim: the next one then knows
/// that the last step was not watched to the end.
pub async fn shift(
    traffic: &dyn Traffic,
    order: &Order,
    stop: &Stop,
    listener: Listener<'_>,
) -> Report {
    let task = Task { name: &order.shift, run: &order.run, side: &order.side, order: Some(order) };
    Run::new(traffic, task, stop, listener).run().await
}

/// Takes all traffic back to the side of this name at once, whoever is moving it.
pub async fn back(
    traffic: &dyn Traffic,
    shift: &str,
    run: &str,
    side: &str,
    stop: &Stop,
    listener: Listener<'_>,
) -> Report {
    let task = Task { name: shift, run, side, order: None };
    Run::new(traffic, task, stop, listener).run().await
}

/// What a run is there for.
struct Task<'a> {
    name: &'a str,
    run: &'a str,
    /// The side that it moves traffic to.
    side: &'a str,
    /// Without one it takes everything back.
    order: Option<&'a Order>,
}

/// One run.
struct Run<'a> {
    traffic: &'a dyn Traffic,
    task: Task<'a>,
    stop: &'a Stop,
    listener: Listener<'a>,
    began: Instant,
    history: History,
    watchman: Watchman,
    /// When the claim was last written, and how often.
    tagged: Option<Instant>,
    beat: u32,
    /// Whether the tag may hold this run's claim.
    claims: bool,
    pause: Duration,
    weights: Option<Weights>,
    moved: Vec<(u8, Duration)>,
    findings: Vec<(Finding, Duration)>,
}

/// How a call ended that was not refused for good.
enum Ended {
    /// It took effect.
    Well,
    /// It may have taken effect.
    Perhaps(OpError),
    /// Nothing happened, and the same call may succeed later.
    Not(OpError),
}

impl<'a> Run<'a> {
    fn new(
        traffic: &'a dyn Traffic,
        task: Task<'a>,
        stop: &'a Stop,
        listener: Listener<'a>,
    ) -> Self {
        let began = Instant::now();
        Self {
            traffic,
            history: History::new(task.run.to_owned(), began),
            task,
            stop,
            listener,
            began,
            watchman: Watchman::default(),
            tagged: None,
            beat: 0,
            claims: false,
            pause: FIRST_PAUSE,
            weights: None,
            moved: Vec::new(),
            findings: Vec::new(),
        }
    }

    async fn run(mut self) -> Report {
        let end = loop {
            let (look, figures) = self.look().await;
            let next = self.decide(&look);
            // The way back and the way out are not left half done.
            let is_bound = self.history.must_finish() || next == Next::Move(0);
            if self.stop.is_requested() && !is_bound && !matches!(next, Next::End(_)) {
                break End::Interrupted;
            }
            match self.act(next, &look, figures).await {
                Ok(None) => {}
                Ok(Some(end)) => break end,
                Err(error) => break End::Failed(ShiftError::Refused(error)),
            }
        };
        Report {
            end,
            weights: self.weights,
            moved: self.moved,
            findings: self.findings,
            leaves_claim: self.claims,
            elapsed: self.began.elapsed(),
        }
    }

    /// Reads the traffic and everything that is watched, at the same time.
    async fn look(&mut self) -> (Look, Option<Figures>) {
        let since = self.history.stands_since().map(|since| since.elapsed()).unwrap_or_default();
        let began = Instant::now();
        let read = limited("ReadTraffic", self.traffic.read());
        let (standing, signals) = match self.task.order {
            Some(_) => join(read, watch(self.traffic, since)).await,
            None => (read.await, Signals::default()),
        };
        let ended = Instant::now();
        let weights = standing.as_ref().map(|standing| standing.weights);
        let verdict = match self.task.order {
            Some(order) => self.watchman.judge(order, weights, &signals, ended),
            None => Verdict::default(),
        };
        let figures = signals.figures.and_then(Result::ok);
        (Look { began, ended, standing, verdict }, figures)
    }

    /// Takes in a look, tells what is new, and decides.
    fn decide(&mut self, look: &Look) -> Next {
        if let Ok(standing) = &look.standing {
            if self.weights.is_none() {
                let (weights, claim) = (standing.weights, standing.claim.clone());
                (self.listener)(Event::Stands { weights, claim });
            }
            self.weights = Some(standing.weights);
            self.claims = self.history.owns(standing);
        }
        let held = self.history.stage == Stage::Holds;
        let was_well = self.history.back().is_none();
        let moved = self.history.saw(self.task.order, look);
        if !held && self.history.stage == Stage::Holds {
            (self.listener)(Event::Claimed { cut_off: self.history.cut_off });
        }
        if let Some(percent) = moved {
            self.moved.push((percent, self.began.elapsed()));
            (self.listener)(Event::Moved { percent });
        }
        let next = match self.task.order {
            Some(order) => forward(order, &self.history, look),
            None => decide_back(&self.history, look),
        };
        let ends =
            matches!(next, Next::End(End::Refused | End::Stopped) | Next::Release(End::Refused));
        if let Some(order) = self.task.order
            && self.findings.is_empty()
            && (ends || (was_well && self.history.back().is_some()))
        {
            let mut findings = self.history.findings(order, look);
            if findings.is_empty() {
                let doubts = look.verdict.doubts.iter().cloned();
                findings.extend(doubts.map(Finding::unknown));
            }
            let after = self.began.elapsed();
            self.findings = findings.iter().cloned().map(|finding| (finding, after)).collect();
            (self.listener)(Event::Found { findings });
        }
        next
    }

    /// Does what was decided; the end, if that is it.
    async fn act(
        &mut self,
        next: Next,
        look: &Look,
        figures: Option<Figures>,
    ) -> Result<Option<End>, OpError> {
        let standing = match next {
            Next::End(end) => return Ok(Some(end)),
            Next::Wait(wait) => {
                self.beat(look).await?;
                self.wait(wait, look, figures).await;
                return Ok(None);
            }
            // A beat comes before a step, so that nobody takes a run that steps for a dead one.
            Next::Move(1..) if self.beat(look).await? => return Ok(None),
            Next::Claim | Next::Move(_) | Next::Release(_) => match &look.standing {
                Ok(standing) if is_fresh(look) => standing,
                Ok(_) | Err(_) => return Ok(None),
            },
        };
        let ended = match &next {
            Next::Claim => {
                let ended = self.tag().await?;
                if !matches!(ended, Ended::Not(_)) {
                    let is_sure = matches!(ended, Ended::Well);
                    self.history.claimed(standing.claim.clone(), is_sure, Instant::now());
                }
                ended
            }
            Next::Move(percent) => self.set(*percent, standing).await?,
            Next::Release(end) => {
                let ended = self.untag().await;
                let now = Instant::now();
                let wrote = match &ended {
                    // It cannot be removed, and that does not change how the run ended.
                    Err(_) => return Ok(Some(end.clone())),
                    Ok(Ended::Well) => {
                        self.claims = false;
                        return Ok(Some(end.clone()));
                    }
                    Ok(Ended::Perhaps(_)) => Some(now),
                    Ok(Ended::Not(_)) => None,
                };
                self.history.leaves(end.clone(), now, wrote);
                ended?
            }
            Next::Wait(_) | Next::End(_) => Ended::Well,
        };
        self.rest_after(ended).await;
        Ok(None)
    }

    /// Sets a share.
    async fn set(&mut self, percent: u8, seen: &Standing) -> Result<Ended, OpError> {
        let to = Weights::at(percent);
        self.history.tries(percent, Instant::now());
        (self.listener)(Event::Moving { from: seen.weights, to });
        let result = limited("SetWeights", self.traffic.set(seen, to)).await;
        let ended = sorted(result)?;
        if !matches!(ended, Ended::Not(_)) {
            self.history.wrote(percent, seen.weights, Instant::now());
        }
        Ok(ended)
    }

    /// Writes the claim.
    async fn tag(&mut self) -> Result<Ended, OpError> {
        self.beat += 1;
        let purpose = if self.task.order.is_some() { Purpose::Shift } else { Purpose::Back };
        let Task { name, run, side, .. } = self.task;
        let (shift, run, side) = (name.to_owned(), run.to_owned(), Some(side.to_owned()));
        let text = Claim { shift, purpose, run, beat: self.beat, side }.to_string();
        let result = limited("TagTraffic", self.traffic.tag(Some(&text))).await;
        let ended = sorted(result)?;
        if !matches!(ended, Ended::Not(_)) {
            self.tagged = Some(Instant::now());
            self.claims = true;
        }
        Ok(ended)
    }

    /// Removes the claim.
    async fn untag(&self) -> Result<Ended, OpError> {
        sorted(limited("UntagTraffic", self.traffic.tag(None)).await)
    }

    /// Renews the claim if it is this run's and its time has come; whether it did.
    async fn beat(&mut self, look: &Look) -> Result<bool, OpError> {
        let is_due = self.tagged.is_some_and(|at| at.elapsed() >= BEAT);
        let holds = self.history.stage == Stage::Holds && !self.history.must_finish();
        match &look.standing {
            Ok(seen) if is_due && holds && self.history.owns(seen) && is_fresh(look) => {
                match self.tag().await? {
                    Ended::Well | Ended::Perhaps(_) => Ok(true),
                    Ended::Not(_) => Ok(false),
                }
            }
            Ok(_) | Err(_) => Ok(false),
        }
    }

    async fn wait(&mut self, wait: Wait, look: &Look, figures: Option<Figures>) {
        let listener = self.listener;
        let pause = match wait {
            Wait::Claim(claim, unmoved) => {
                listener(Event::WaitingForClaim { claim, unmoved, limit: STALE });
                POLL.min(STALE.saturating_sub(unmoved))
            }
            Wait::Calls(left) => {
                listener(Event::Claiming { left });
                POLL.min(left)
            }
            Wait::Bake(baked) => {
                let bake = self.history.bake();
                let percent = self.weights.and_then(Weights::percent).unwrap_or_default();
                let doubts = look.verdict.doubts.clone();
                listener(Event::Baking { percent, baked, bake, figures, doubts });
                let left = bake.saturating_sub(baked);
                if left.is_zero() { POLL } else { POLL.min(left) }
            }
            Wait::Reads => return self.rest(look.standing.clone().err()).await,
        };
        self.pause = FIRST_PAUSE;
        self.sleep(pause).await;
    }

    /// Looks at once after a call that took effect, and rests after any other.
    async fn rest_after(&mut self, ended: Ended) {
        match ended {
            Ended::Well => self.pause = FIRST_PAUSE,
            Ended::Perhaps(error) | Ended::Not(error) => self.rest(Some(error)).await,
        }
    }

    /// A pause that grows.
    async fn rest(&mut self, error: Option<OpError>) {
        let after = self.pause;
        self.pause = (after * 2).min(POLL);
        if let Some(error) = error {
            (self.listener)(Event::Retrying { error, after });
        }
        self.sleep(after).await;
    }

    async fn sleep(&self, pause: Duration) {
        if self.history.must_finish() {
            return sleep(pause).await;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = self.stop.requested() => {}
        }
    }
}

/// Whether a call that writes may still rest on the look.
fn is_fresh(look: &Look) -> bool {
    look.began.elapsed() <= CALL
}

/// Waits for a call as long as it may take.
pub(super) async fn limited<T>(
    op: &str,
    call: BoxFuture<'_, Result<T, OpError>>,
) -> Result<T, OpError> {
    timeout(CALL, call).await.unwrap_or_else(|_| Err(late(op)))
}

/// Reads what is watched. If all of it takes too long, nothing of it is known.
pub(super) async fn watch(traffic: &dyn Traffic, since: Duration) -> Signals {
    let late = || Signals { alarms: Some(Err(late("WatchTraffic"))), ..Signals::default() };
    timeout(CALL, traffic.watch(since)).await.unwrap_or_else(|_| late())
}

fn late(op: &str) -> OpError {
    let message = format!("no answer within {} seconds", CALL.as_secs());
    OpError::new(op, ErrorClass::Service, "Timeout", message)
}

/// An error is one that does not pass.
fn sorted(result: Result<(), OpError>) -> Result<Ended, OpError> {
    match result {
        Ok(()) => Ok(Ended::Well),
        Err(error) if error.class == ErrorClass::Service => Ok(Ended::Perhaps(error)),
        Err(error) if error.passes() => Ok(Ended::Not(error)),
        Err(error) => Err(error),
    }
}
