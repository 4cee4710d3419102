//! What to do next with the traffic. Pure: one look, what happened before and the time go in, one move
//! comes out.

use std::time::Duration;

use tokio::time::Instant;

use super::claim::{Claim, Purpose};
use super::event::{End, ShiftError};
use super::findings::{Finding, Verdict};
use super::order::{OnAlarm, Order};
use super::{CALL, FAREWELL, LAG, PATIENCE, SETTLED, STALE};
use crate::model::error::OpError;
use crate::traffic::{Standing, Weights};

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// Put this run's claim into the tag.
    Claim,
    /// Set the weights to this share of the side that traffic moves to.
    Move(u8),
    /// Wait, and look again.
    Wait(Wait),
    /// Remove the claim, and end.
    Release(End),
    /// End.
    End(End),
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// A claim that moves, or does not.
    Claim(String, Duration),
    /// The end of every call that other runs may have under way.
    Calls(Duration),
    /// The end of the bake; this much of it is over.
    Bake(Duration),
    /// Reads that show the last write, or pass at all.
    Reads,
}

/// One look.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// When it began: it shows at least what had ended `LAG` before.
    pub(super) began: Instant,
    /// When it ended.
    pub(super) ended: Instant,
    /// How traffic stands.
    pub(super) standing: Result<Standing, OpError>,
    /// What the sources say.
    pub(super) verdict: Verdict,
}

/// Where a run stands with the claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has none; what it has seen of another's.
    Without(Option<Rival>),
    /// It wrote its own.
    Wrote(Claimed),
    /// It is its own: nobody else writes.
    Holds,
}

/// A claim that may not be alone yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claimed {
    /// When the call ended.
    at: Instant,
    /// Whether it took effect for sure.
    is_sure: bool,
    /// The tag that it replaces.
    over: Option<String>,
}

/// The claim of another run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rival {
    /// The tag.
    text: String,
    /// When a claim was first seen.
    first: Instant,
    /// Since when the tag is as it is.
    since: Instant,
    /// Whether it has moved, or gone, although no call that was under way at first can have done that.
    lives: bool,
}

/// The last write of the weights.
#[derive(Clone, Copy, Debug)]
struct Wrote {
    percent: u8,
    /// What was read right before.
    before: Weights,
    /// When the call ended, well or not.
    ended: Instant,
}

/// What happened since the run began.
#[derive(Clone, Debug)]
pub(super) struct History {
    began: Instant,
    run: String,
    pub(super) stage: Stage,
    /// Whether a claim was taken over: an earlier run was cut off, and its last bake with it.
    pub(super) cut_off: bool,
    /// Whether another run claimed after this one.
    beaten: bool,
    /// The weights that this run counts on, once it holds the claim.
    expected: Option<Weights>,
    wrote: Option<Wrote>,
    /// Since when the weights stand as they do, and how long they must be watched.
    stands: Option<(Instant, Duration)>,
    /// Since when it tries to set this share.
    trying: Option<(u8, Instant)>,
    /// Why traffic goes back, and since when.
    back: Option<(Vec<Finding>, Instant)>,
    /// How the run ends once its claim is gone.
    leaving: Option<Leaving>,
}

/// A run that has nothing left to do but to remove its claim.
#[derive(Clone, Debug)]
struct Leaving {
    end: End,
    since: Instant,
    /// When the last call that may have removed it ended.
    wrote: Option<Instant>,
}

impl History {
    pub(super) fn new(run: String, began: Instant) -> Self {
        Self {
            began,
            run,
            stage: Stage::Without(None),
            cut_off: false,
            beaten: false,
            expected: None,
            wrote: None,
            stands: None,
            trying: None,
            back: None,
            leaving: None,
        }
    }

    /// Whether this run's claim stands in the tag.
    pub(super) fn owns(&self, standing: &Standing) -> bool {
        let claim = standing.claim.as_deref().and_then(Claim::parse);
        claim.is_some_and(|claim| claim.run == self.run)
    }

    /// Since when the weights stand, once that counts.
    pub(super) fn stands_since(&self) -> Option<Instant> {
        self.stands.map(|(since, _)| since)
    }

    /// How long the weights must be watched as they stand.
    pub(super) fn bake(&self) -> Duration {
        self.stands.map(|(_, bake)| bake).unwrap_or_default()
    }

    /// Why traffic goes back, and since when.
    pub(super) fn back(&self) -> Option<&(Vec<Finding>, Instant)> {
        self.back.as_ref()
    }

    /// Whether nothing keeps the run from ending but its claim or the way back.
    pub(super) fn must_finish(&self) -> bool {
        self.back.is_some() || self.leaving.is_some()
    }

    /// Takes in a look; the share that it shows for the first time since this run set it.
    pub(super) fn saw(&mut self, order: Option<&Order>, look: &Look) -> Option<u8> {
        if let (Stage::Holds, Some(order)) = (&self.stage, order) {
            self.judge(order, look);
        }
        let Ok(standing) = &look.standing else { return None };
        let owns = self.owns(standing);
        match &self.stage {
            Stage::Without(rival) => {
                self.stage = Stage::Without(watched(rival.as_ref(), standing, look));
            }
            Stage::Wrote(claimed) if look.began - claimed.at >= SETTLED => {
                if owns {
                    self.stage = Stage::Holds;
                    self.expected = Some(standing.weights);
                    let cut_off = self.cut_off && standing.weights.to > 0;
                    let bake = order.filter(|_| cut_off).map(|order| order.bake);
                    self.stands = Some((look.ended, bake.unwrap_or_default()));
                    if let Some(order) = order {
                        self.judge(order, look);
                    }
                } else {
                    // A claim that never came to be is no defeat.
                    self.beaten = claimed.is_sure || standing.claim != claimed.over;
                    self.stage = Stage::Without(watched(None, standing, look));
                }
            }
            Stage::Wrote(_) | Stage::Holds => {}
        }
        let (percent, _) = self.trying?;
        if !standing.weights.divide_like(Weights::at(percent)) {
            return None;
        }
        self.trying = None;
        self.stands = Some((look.ended, order.map(|order| order.bake).unwrap_or_default()));
        Some(percent)
    }

    /// Findings take traffic back for good, whatever the next look says.
    fn judge(&mut self, order: &Order, look: &Look) {
        let findings = self.findings(order, look);
        if self.back.is_none() && !findings.is_empty() && order.on_alarm == OnAlarm::RollBack {
            self.back = Some((findings, look.ended));
        }
    }

    /// What the look found, and what has been in doubt for too long after the bake: doubts that come
    /// and go must not hold up a step for ever.
    pub(super) fn findings(&self, order: &Order, look: &Look) -> Vec<Finding> {
        let mut findings = look.verdict.findings.clone();
        if let Some((since, bake)) = self.stands {
            let lasted = (look.ended - since).saturating_sub(bake);
            if lasted > order.limits.missing {
                let doubts = look.verdict.doubts.iter().cloned();
                findings.extend(doubts.map(|doubt| Finding::Missing { doubt, lasted }));
            }
        }
        findings
    }

    /// The claim was written, over a dead one or not.
    pub(super) fn claimed(&mut self, over: Option<String>, is_sure: bool, ended: Instant) {
        self.cut_off |= over.is_some();
        self.stage = Stage::Wrote(Claimed { at: ended, is_sure, over });
    }

    /// Weights are about to be set.
    pub(super) fn tries(&mut self, percent: u8, now: Instant) {
        if self.trying.is_none_or(|(before, _)| before != percent) {
            self.trying = Some((percent, now));
        }
    }

    /// Weights were set, or may have been.
    pub(super) fn wrote(&mut self, percent: u8, before: Weights, ended: Instant) {
        self.wrote = Some(Wrote { percent, before, ended });
        self.expected = Some(Weights::at(percent));
    }

    /// A call to remove the claim ended; it may have taken effect at that moment, if at all.
    pub(super) fn leaves(&mut self, end: End, now: Instant, wrote: Option<Instant>) {
        let since = self.leaving.as_ref().map_or(now, |leaving| leaving.since);
        self.leaving = Some(Leaving { end, since, wrote });
    }

    /// Whether the look shows whatever came of the last write.
    fn is_settled(&self, look: &Look) -> bool {
        self.wrote.is_none_or(|wrote| look.began - wrote.ended >= LAG)
    }

    /// Whether setting this share may still take effect or become visible.
    fn is_open(&self, percent: u8, look: &Look) -> bool {
        self.wrote.is_some_and(|wrote| wrote.percent == percent) && !self.is_settled(look)
    }

    /// Sets a share, unless that has been tried for too long.
    fn set(&self, percent: u8, look: &Look) -> Next {
        if self.is_open(percent, look) {
            return Next::Wait(Wait::Reads);
        }
        match self.trying.filter(|(before, _)| *before == percent) {
            Some((_, since)) if look.ended - since > PATIENCE => {
                let wanted = Weights::at(percent);
                fail(ShiftError::NotSet { wanted, waited: look.ended - since })
            }
            Some(_) | None => Next::Move(percent),
        }
    }

    /// Takes all traffic back, unless that has been tried for too long.
    fn take_back(&self, since: Instant, look: &Look) -> Next {
        let waited = look.ended - since;
        match waited > PATIENCE {
            true => fail(ShiftError::NotSet { wanted: Weights::BACK, waited }),
            false => self.set(0, look),
        }
    }

    /// What to do about a look that did not show the weights.
    fn blind(&self, error: &OpError, since: Instant, look: &Look) -> Next {
        let waited = look.ended - since;
        if !error.passes() {
            return fail(ShiftError::Refused(error.clone()));
        }
        match waited > PATIENCE {
            true => fail(ShiftError::TimedOut { error: error.clone(), waited }),
            false => Next::Wait(Wait::Reads),
        }
    }
}

/// What is known of another's claim after a look.
fn watched(before: Option<&Rival>, standing: &Standing, look: &Look) -> Option<Rival> {
    let (text, now) = (standing.claim.clone(), look.ended);
    let Some(rival) = before else {
        return text.map(|text| Rival { text, first: now, since: now, lives: false });
    };
    if text.as_ref() == Some(&rival.text) {
        return before.cloned();
    }
    // A call of a dead run may take effect late, and reads may show it later still.
    let lives = look.began - rival.first > CALL + LAG;
    match text {
        Some(text) => Some(Rival { text, first: rival.first, since: now, lives }),
        None => lives.then(|| Rival { lives, ..rival.clone() }),
    }
}

fn fail(error: ShiftError) -> Next {
    Next::End(End::Failed(error))
}

/// Decides what to do next about a shift.
pub(super) fn forward(order: &Order, history: &History, look: &Look) -> Next {
    match &history.stage {
        Stage::Without(rival) => without(order, history, rival.as_ref(), look),
        Stage::Wrote(claimed) => claiming(history, claimed.at, look),
        Stage::Holds => holding(order, history, look),
    }
}

/// It waits until no call of another run can be under way.
fn claiming(history: &History, at: Instant, look: &Look) -> Next {
    match &look.standing {
        // A look that fails must not make it wait for ever.
        Err(error) if look.began - at >= SETTLED => history.blind(error, at + SETTLED, look),
        Ok(_) | Err(_) => Next::Wait(Wait::Calls(SETTLED.saturating_sub(look.ended - at))),
    }
}

/// It has no claim yet, and writes nothing else before it has one.
fn without(order: &Order, history: &History, rival: Option<&Rival>, look: &Look) -> Next {
    let standing = match &look.standing {
        Ok(standing) => standing,
        Err(error) => return history.blind(error, history.began, look),
    };
    if history.beaten {
        return fail(ShiftError::Lost(standing.claim.clone()));
    }
    let Some(percent) = standing.weights.percent() else { return fail(ShiftError::NoTraffic) };
    let (reached, goal) = (order.steps.reached(percent), order.steps.goal());
    if reached > goal {
        return fail(ShiftError::Above { percent, goal });
    }
    // With a claim, the last bake was cut off.
    if reached == goal && standing.claim.is_none() {
        return Next::End(End::Nothing);
    }
    let verdict = &look.verdict;
    if standing.weights.are_back() && (!verdict.findings.is_empty() || verdict.is_hopeless) {
        return Next::End(End::Refused);
    }
    if !verdict.findings.is_empty() && order.on_alarm == OnAlarm::Stop {
        return Next::End(End::Stopped);
    }
    let waited = look.ended - history.began;
    if waited > PATIENCE {
        return fail(ShiftError::Crowded(waited));
    }
    match rival {
        None => Next::Claim,
        Some(rival) if rival.lives => fail(ShiftError::Rival(rival.text.clone())),
        Some(rival) => take_over(rival, look),
    }
}

/// Takes over a claim that has not moved for long enough.
fn take_over(rival: &Rival, look: &Look) -> Next {
    let unmoved = look.ended - rival.since;
    match look.began - rival.since >= STALE {
        true => Next::Claim,
        false => Next::Wait(Wait::Claim(rival.text.clone(), unmoved)),
    }
}

/// Nobody else writes: it moves traffic, watches it, and takes it back.
fn holding(order: &Order, history: &History, look: &Look) -> Next {
    if let Some(next) = farewell(history, look) {
        return next;
    }
    let findings = history.findings(order, look);
    let standing = match &look.standing {
        Ok(standing) if !history.owns(standing) => {
            return fail(ShiftError::Lost(standing.claim.clone()));
        }
        Ok(standing) => standing,
        Err(error) => {
            return match &history.back {
                Some((_, since)) => history.blind(error, *since, look),
                None if !findings.is_empty() => Next::End(End::Stopped),
                // Not to see the weights is a doubt, and becomes a finding in time.
                None if error.passes() => Next::Wait(Wait::Reads),
                None => fail(ShiftError::Refused(error.clone())),
            };
        }
    };
    let weights = standing.weights;
    if let Some((_, since)) = &history.back {
        return match (weights.are_back(), history.is_settled(look)) {
            (true, true) if history.wrote.is_none() => Next::Release(End::Refused),
            (true, true) => Next::Release(End::RolledBack),
            // A step that was under way may come late.
            (true, false) => Next::Wait(Wait::Reads),
            (false, _) => history.take_back(*since, look),
        };
    }
    let Some(percent) = weights.percent() else { return fail(ShiftError::NoTraffic) };
    if !findings.is_empty() {
        return match weights.are_back() {
            true => Next::Release(End::Refused),
            false => Next::End(End::Stopped),
        };
    }
    if let Some(expected) = history.expected.filter(|expected| !weights.divide_like(*expected)) {
        return match &history.wrote {
            Some(_) if !history.is_settled(look) => Next::Wait(Wait::Reads),
            // The call did not take effect.
            Some(wrote) if weights.divide_like(wrote.before) => history.set(wrote.percent, look),
            Some(_) | None => fail(ShiftError::Foreign { expected, found: weights }),
        };
    }
    let (since, bake) = history.stands.unwrap_or((look.ended, Duration::ZERO));
    let baked = look.ended - since;
    if baked < bake || !look.verdict.doubts.is_empty() {
        return Next::Wait(Wait::Bake(baked));
    }
    match order.steps.left(percent).next() {
        Some(step) => history.set(step, look),
        None => Next::Release(End::Done),
    }
}

/// What is left to do for a run that has reached its end. A claim that stays makes the next run wait,
/// no more.
fn farewell(history: &History, look: &Look) -> Option<Next> {
    let Leaving { end, since, wrote } = history.leaving.as_ref()?;
    let owns = look.standing.as_ref().is_ok_and(|standing| history.owns(standing));
    let is_open = wrote.is_some_and(|ended| look.began - ended < LAG);
    Some(match &look.standing {
        Ok(_) if !owns => Next::End(end.clone()),
        _ if look.ended - *since > FAREWELL => Next::End(end.clone()),
        Ok(_) if !is_open => Next::Release(end.clone()),
        Ok(_) | Err(_) => Next::Wait(Wait::Reads),
    })
}

/// Decides what to do next to take all traffic back, whoever is moving it: first the weights, then the
/// claim, so that every other run ends, and then it looks until no call of theirs can come any more.
pub(super) fn back(history: &History, look: &Look) -> Next {
    if let Some(next) = farewell(history, look) {
        return next;
    }
    let standing = match &look.standing {
        Ok(standing) => standing,
        Err(error) => return history.blind(error, history.began, look),
    };
    let owns = history.owns(standing);
    if !standing.weights.are_back() {
        return history.take_back(history.began, look);
    }
    let waited = look.ended - history.began;
    if waited > PATIENCE {
        return fail(ShiftError::Crowded(waited));
    }
    let purpose = standing.claim.as_deref().map(|claim| Claim::parse(claim).map(|one| one.purpose));
    match (&history.stage, purpose) {
        (Stage::Without(None), None) if history.wrote.is_none() => Next::End(End::Nothing),
        // Another run does the same.
        (Stage::Without(Some(rival)), Some(Some(Purpose::Back))) => take_over(rival, look),
        (Stage::Without(_), _) => Next::Claim,
        (Stage::Wrote(claimed), _) => claiming(history, claimed.at, look),
        (Stage::Holds, _) if !owns => Next::End(End::Done),
        (Stage::Holds, _) if !history.is_settled(look) => Next::Wait(Wait::Reads),
        (Stage::Holds, _) => Next::Release(End::Done),
    }
}

#[cfg(test)]
mod tests;
