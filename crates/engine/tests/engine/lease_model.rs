//! The protocol of leases, explored exhaustively within bounds.
//!
//! A world has a store, two or three runs and their clocks. Every order of these is tried: a run sends
//! its next call, the call takes effect, its reply comes or is lost (then the call may take effect later,
//! or never), a run gives its lease back, time passes for all, a machine sleeps, a clock is set.
//! A run that does nothing for ever is one that died.
//!
//! In every state that can be reached
//! - at most one run trusts its lease, if the rates of two clocks differ by no more than `lasts / trust`;
//! - each holder's token is greater than all tokens before it, and so is each version written;
//! - only the holder gives a lease back;
//! - a run that wants the lease gets it if no other run does anything more.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use payctl_engine::lease::{Call, Candidate, Holder, Moment, Next, Record, Reply, Terms, Version};

const fn units(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// A clock shows two units in each tick, or three: exactly the rates that `lasts / trust` allows.
const SLOW: u64 = 2;
const FAST: u64 = 3;
const TERMS: Terms = Terms { beat: units(2), trust: units(4), lasts: units(6), poll: units(1) };

/// How far the explorer goes.
#[derive(Clone, Copy)]
struct Bounds<'a> {
    /// The rate of each run's clocks, and whether it steals.
    runs: &'a [(u64, bool)],
    ticks: u8,
    /// How many calls are disturbed: their reply is lost or comes late, or nobody waits for it.
    losses: u8,
    /// How many ticks machines sleep in all.
    sleeps: u8,
    /// How often somebody sets a clock.
    jumps: u8,
}

/// A mistake in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    TrustAsLongAsOthersWait,
    TrustCountsFromTheReply,
    TrustCountsFromTheLoss,
    UnconditionalTake,
    UnconditionalRenewal,
    UnconditionalRelease,
    LostReplyCountsAsSuccess,
    ConflictCountsAsSuccess,
    ExpiryIgnoresRenewals,
    TokenStays,
    ReleaseDeletesTheRecord,
    TrustUntilTheReleaseIsAnswered,
    StealerDoesNotWait,
    StealerReleasesBeforeItIsSettled,
    OnlyTheWallClock,
    OnlyTheSteadyClock,
}

const MISTAKES: [Wrong; 16] = [
    Wrong::TrustAsLongAsOthersWait,
    Wrong::TrustCountsFromTheReply,
    Wrong::TrustCountsFromTheLoss,
    Wrong::UnconditionalTake,
    Wrong::UnconditionalRenewal,
    Wrong::UnconditionalRelease,
    Wrong::LostReplyCountsAsSuccess,
    Wrong::ConflictCountsAsSuccess,
    Wrong::ExpiryIgnoresRenewals,
    Wrong::TokenStays,
    Wrong::ReleaseDeletesTheRecord,
    Wrong::TrustUntilTheReleaseIsAnswered,
    Wrong::StealerDoesNotWait,
    Wrong::StealerReleasesBeforeItIsSettled,
    Wrong::OnlyTheWallClock,
    Wrong::OnlyTheSteadyClock,
];

#[derive(Clone, Hash)]
struct World {
    store: Option<Record>,
    /// The greatest token that was ever taken.
    token: u64,
    runs: Vec<Run>,
    /// Writes whose senders do not wait any more.
    late: Vec<(usize, Call)>,
    ticks: u8,
    losses: u8,
    sleeps: u8,
    jumps: u8,
}

#[derive(Clone, Hash)]
struct Run {
    candidate: Candidate,
    clock: Moment,
    call: Option<(Call, Moment, Option<Reply>)>,
    /// With a mistake: as it was before it began to release.
    before_release: Option<Candidate>,
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A run sends what it wants. A read is answered at once.
    Send(usize),
    /// A run reads, and the answer comes later.
    ReadSlowly(usize),
    /// A write takes effect and is answered.
    TakeEffect(usize),
    /// A write takes effect and is not answered yet.
    TakeEffectSlowly(usize),
    /// A late answer comes.
    Reply(usize),
    /// The run does not wait any longer. The write takes effect later, or never.
    Lose(usize),
    LateEffect(usize),
    Release(usize),
    Tick {
        asleep: Option<usize>,
    },
    SetClock(usize, bool),
}

fn name(run: usize) -> String {
    ["a", "b", "c"][run].to_owned()
}

impl World {
    fn new(bounds: Bounds<'_>, wrong: Option<Wrong>) -> Self {
        let mut terms = TERMS;
        if wrong == Some(Wrong::TrustAsLongAsOthersWait) {
            terms.trust = terms.lasts;
        }
        let run = |(number, (_, steals)): (usize, &(u64, bool))| {
            let none = String::new;
            let me = Holder {
                run: name(number),
                who: none(),
                person: None,
                task: none(),
                commit: None,
                since: none(),
            };
            let candidate = Candidate::new(me, terms, *steals);
            let clock = Moment { steady: units(0), wall: units(100) };
            Run { candidate, clock, call: None, before_release: None }
        };
        let runs = bounds.runs.iter().enumerate().map(run).collect();
        Self {
            store: None,
            token: 0,
            runs,
            late: Vec::new(),
            ticks: bounds.ticks,
            losses: bounds.losses,
            sleeps: bounds.sleeps,
            jumps: bounds.jumps,
        }
    }

    fn now(&self, run: usize, wrong: Option<Wrong>) -> Moment {
        let Moment { steady, wall } = self.runs[run].clock;
        match wrong {
            Some(Wrong::OnlyTheWallClock) => Moment { steady: wall, wall },
            Some(Wrong::OnlyTheSteadyClock) => Moment { steady, wall: steady },
            _ => Moment { steady, wall },
        }
    }

    fn is_live(&self, run: usize, wrong: Option<Wrong>) -> bool {
        let now = self.now(run, wrong);
        let Run { candidate, before_release, .. } = &self.runs[run];
        candidate.is_live(now) || before_release.as_ref().is_some_and(|one| one.is_live(now))
    }

    /// Everything that can happen.
    fn acts(&mut self, wrong: Option<Wrong>) -> Vec<Act> {
        let mut acts = Vec::new();
        for at in 0..self.runs.len() {
            let now = self.now(at, wrong);
            let run = &mut self.runs[at];
            match &run.call {
                None => {
                    if let Next::Call(call) = run.candidate.next(now) {
                        acts.push(Act::Send(at));
                        if self.losses > 0 && call == Call::Read {
                            acts.push(Act::ReadSlowly(at));
                        }
                    }
                }
                Some((.., Some(_))) => acts.extend([Act::Reply(at), Act::Lose(at)]),
                Some((.., None)) => {
                    acts.push(Act::TakeEffect(at));
                    if self.losses > 0 {
                        acts.extend([Act::TakeEffectSlowly(at), Act::Lose(at)]);
                    }
                }
            }
            let is_under_way = matches!(run.call, Some((.., None)));
            if run.candidate.holds() && (self.losses > 0 || !is_under_way) {
                acts.push(Act::Release(at));
            }
            if self.jumps > 0 {
                acts.extend([Act::SetClock(at, true), Act::SetClock(at, false)]);
            }
        }
        acts.extend((0..self.late.len()).map(Act::LateEffect));
        if self.ticks > 0 {
            acts.push(Act::Tick { asleep: None });
            if self.sleeps > 0 {
                acts.extend((0..self.runs.len()).map(|at| Act::Tick { asleep: Some(at) }));
            }
        }
        acts
    }

    fn act(&mut self, act: Act, bounds: Bounds<'_>, wrong: Option<Wrong>) -> Result<(), String> {
        match act {
            Act::Send(at) | Act::ReadSlowly(at) => {
                let now = self.now(at, wrong);
                let Next::Call(call) = self.runs[at].candidate.next(now) else { return Ok(()) };
                if call != Call::Read {
                    self.runs[at].call = Some((call, now, None));
                } else if let Act::ReadSlowly(_) = act {
                    self.losses -= 1;
                    self.runs[at].call = Some((call, now, Some(self.seen(at, wrong))));
                } else {
                    self.hears(at, &call, now, self.seen(at, wrong), wrong);
                }
            }
            Act::TakeEffect(at) | Act::TakeEffectSlowly(at) => {
                if let Some((call, sent, None)) = self.runs[at].call.take() {
                    let reply = self.write(at, &call, wrong)?;
                    if let Act::TakeEffectSlowly(_) = act {
                        self.losses -= 1;
                        self.runs[at].call = Some((call, sent, Some(reply)));
                    } else {
                        self.hears(at, &call, sent, reply, wrong);
                    }
                }
            }
            Act::Reply(at) => {
                if let Some((call, sent, Some(reply))) = self.runs[at].call.take() {
                    self.hears(at, &call, sent, reply, wrong);
                }
            }
            Act::Lose(at) => {
                if let Some((call, sent, reply)) = self.runs[at].call.take() {
                    if reply.is_none() {
                        self.losses -= 1;
                        self.late.push((at, call.clone()));
                    }
                    let (reply, sent) = match wrong {
                        Some(Wrong::LostReplyCountsAsSuccess) => (Reply::Written, sent),
                        Some(Wrong::TrustCountsFromTheLoss) => (Reply::Lost, self.now(at, wrong)),
                        _ => (Reply::Lost, sent),
                    };
                    self.hears(at, &call, sent, reply, wrong);
                }
            }
            Act::LateEffect(number) => {
                let (at, call) = self.late.remove(number);
                self.write(at, &call, wrong)?;
            }
            Act::Release(at) => {
                let now = self.now(at, wrong);
                // The run does not wait for a call that is under way.
                if let Some((call, _, None)) = self.runs[at].call.take() {
                    self.losses -= 1;
                    self.late.push((at, call));
                }
                match wrong {
                    Some(Wrong::TrustUntilTheReleaseIsAnswered) => {
                        self.runs[at].before_release = Some(self.runs[at].candidate.clone());
                    }
                    Some(Wrong::StealerReleasesBeforeItIsSettled) => {
                        let ours = |record: &&mut Record| record.is_held_by(&name(at));
                        if let Some(record) = self.store.as_mut().filter(ours) {
                            (record.holder, record.beat) = (None, record.beat + 1);
                        }
                    }
                    _ => {}
                }
                self.runs[at].candidate.release(now);
            }
            Act::Tick { asleep } => {
                self.ticks -= 1;
                self.sleeps -= u8::from(asleep.is_some());
                for (at, run) in self.runs.iter_mut().enumerate() {
                    let passed = units(bounds.runs[at].0);
                    run.clock.wall += passed;
                    if asleep != Some(at) {
                        run.clock.steady += passed;
                    }
                }
                // Worlds that differ only in a pause that is over are the same.
                for at in 0..self.runs.len() {
                    let now = self.now(at, wrong);
                    drop(self.runs[at].candidate.next(now));
                }
            }
            Act::SetClock(at, is_forward) => {
                self.jumps -= 1;
                let wall = self.runs[at].clock.wall;
                let set = if is_forward { wall + units(20) } else { wall - units(20) };
                self.runs[at].clock.wall = set;
            }
        }
        let live: Vec<_> = (0..self.runs.len()).filter(|at| self.is_live(*at, wrong)).collect();
        if live.len() > 1 { Err(format!("{live:?} trust their leases")) } else { Ok(()) }
    }

    /// What a run reads.
    fn seen(&self, at: usize, wrong: Option<Wrong>) -> Reply {
        let mut seen = self.store.clone();
        if let Some(record) = seen.as_mut().filter(|record| !record.is_held_by(&name(at))) {
            match wrong {
                Some(Wrong::ExpiryIgnoresRenewals) => record.beat = 0,
                Some(Wrong::StealerDoesNotWait) => record.lasts = units(0),
                _ => {}
            }
        }
        Reply::Seen(seen)
    }

    fn hears(&mut self, at: usize, call: &Call, sent: Moment, reply: Reply, wrong: Option<Wrong>) {
        let now = self.now(at, wrong);
        let sent = if wrong == Some(Wrong::TrustCountsFromTheReply) { now } else { sent };
        let reply = match (reply, wrong) {
            (Reply::Conflict, Some(Wrong::ConflictCountsAsSuccess)) => Reply::Written,
            (reply, _) => reply,
        };
        let run = &mut self.runs[at];
        run.candidate.replied(call, sent, reply, now);
        if !matches!(run.candidate.next(now), Next::Call(Call::Write { .. })) {
            run.before_release = None;
        }
    }

    /// A write reaches the store.
    fn write(&mut self, at: usize, call: &Call, wrong: Option<Wrong>) -> Result<Reply, String> {
        let Call::Write { record, over } = call else { return Ok(Reply::Conflict) };
        let (takes, gives) = (record.beat == 0, record.holder.is_none());
        let held = self.store.as_ref().map(Record::version);
        let is_free = match wrong {
            Some(Wrong::UnconditionalTake) => takes,
            Some(Wrong::UnconditionalRelease) => gives,
            Some(Wrong::UnconditionalRenewal) => !takes && !gives,
            Some(Wrong::ExpiryIgnoresRenewals) => {
                takes && held.map(|held| held.token) == over.map(|over| over.token)
            }
            _ => false,
        };
        if held != *over && !is_free {
            return Ok(Reply::Conflict);
        }
        if gives && !self.store.as_ref().is_some_and(|record| record.is_held_by(&name(at))) {
            return Err(format!("{at} gives back what it does not hold"));
        }
        let mut record = record.clone();
        if takes && wrong == Some(Wrong::TokenStays) {
            let Version { token, beat } = held.unwrap_or(Version { token: 1, beat: 0 });
            (record.token, record.beat) = (token, beat + 1);
        }
        if held.is_some_and(|held| record.version() <= held) {
            return Err(format!("{:?} follows {held:?}", record.version()));
        }
        if takes && record.token <= self.token {
            return Err(format!("the token {} is not a new one", record.token));
        }
        self.token = self.token.max(record.token);
        let deletes = gives && wrong == Some(Wrong::ReleaseDeletesTheRecord);
        self.store = (!deletes).then_some(record);
        Ok(Reply::Written)
    }

    /// How many ticks a run needs to get the lease if no other run does anything more. `None` if it never
    /// does.
    fn alone(mut self, at: usize, bounds: Bounds<'_>) -> Option<u64> {
        (self.losses, self.sleeps, self.jumps) = (0, 0, 0);
        for tick in 0..20 {
            for _ in 0..6 {
                if self.is_live(at, None) {
                    return Some(tick);
                }
                let act = match &self.runs[at].call {
                    None => Act::Send(at),
                    Some((.., None)) => Act::TakeEffect(at),
                    Some(_) => Act::Reply(at),
                };
                self.act(act, bounds, None).ok()?;
            }
            self.ticks = 1;
            self.act(Act::Tick { asleep: None }, bounds, None).ok()?;
        }
        None
    }
}

/// What an exploration saw.
struct Explored {
    states: usize,
    /// How the first violation came about.
    violation: Option<String>,
}

fn explore(bounds: Bounds<'_>, wrong: Option<Wrong>) -> Explored {
    let mut known = HashSet::new();
    let mut open = vec![(World::new(bounds, wrong), 0, None)];
    let mut path: Vec<Act> = Vec::new();
    while let Some((mut world, depth, act)) = open.pop() {
        path.truncate(depth);
        path.extend(act);
        let depth = path.len();
        for act in world.acts(wrong) {
            let mut next = world.clone();
            if let Err(what) = next.act(act, bounds, wrong) {
                let violation = Some(format!("{what} after {path:?}, {act:?}"));
                return Explored { states: known.len(), violation };
            }
            let mut digest = DefaultHasher::new();
            next.hash(&mut digest);
            if known.insert(digest.finish()) {
                // Each thousandth state, so that the exploration stays fast.
                if wrong.is_none() && known.len() % 1000 == 0 {
                    check_progress(&next, bounds);
                }
                open.push((next, depth, Some(act)));
            }
        }
    }
    Explored { states: known.len(), violation: None }
}

fn check_progress(world: &World, bounds: Bounds<'_>) {
    for (at, run) in world.runs.iter().enumerate() {
        if run.candidate.waits_for().is_some() {
            // It may have to see the lease unchanged for `lasts` once more, after a late write.
            let ticks = world.clone().alone(at, bounds);
            assert!(ticks.is_some_and(|ticks| ticks <= 8), "run {at} waits for {ticks:?} ticks");
        }
    }
}

const SCENES: &[(&str, Bounds<'static>)] = &[
    (
        "a disturbed call",
        Bounds { runs: &[(SLOW, false), (FAST, false)], ticks: 4, losses: 1, sleeps: 0, jumps: 0 },
    ),
    (
        "two disturbed calls",
        Bounds { runs: &[(SLOW, false), (FAST, false)], ticks: 3, losses: 2, sleeps: 0, jumps: 0 },
    ),
    (
        "a machine sleeps",
        Bounds { runs: &[(SLOW, false), (FAST, false)], ticks: 4, losses: 0, sleeps: 3, jumps: 0 },
    ),
    (
        "a clock is set",
        Bounds { runs: &[(SLOW, false), (FAST, false)], ticks: 3, losses: 0, sleeps: 0, jumps: 1 },
    ),
    (
        "a run and two stealers",
        Bounds {
            runs: &[(SLOW, false), (FAST, true), (FAST, true)],
            ticks: 2,
            losses: 0,
            sleeps: 0,
            jumps: 0,
        },
    ),
    (
        "a stealer and a disturbed call",
        Bounds { runs: &[(SLOW, false), (FAST, true)], ticks: 3, losses: 1, sleeps: 0, jumps: 0 },
    ),
];

#[test]
fn at_most_one_run_trusts_its_lease() {
    let is_full = std::env::var("PAYCTL_EXPLORE").is_ok_and(|scope| scope == "full");
    for (name, bounds) in SCENES {
        // Trust and `lasts` both end after two ticks, so three show what comes after them.
        let ticks = if is_full { bounds.ticks } else { bounds.ticks.min(3) };
        let losses = if is_full { bounds.losses } else { bounds.losses.min(1) };
        let began = std::time::Instant::now();
        let explored = explore(Bounds { ticks, losses, ..*bounds }, None);
        println!("{name}: {} states in {:?}", explored.states, began.elapsed());
        assert_eq!(explored.violation, None, "{name}");
        assert!(explored.states > 1_000, "{name}: {} states", explored.states);
    }
}

/// The scene in which a mistake shows.
fn scene_of(wrong: Wrong) -> Bounds<'static> {
    let name = match wrong {
        Wrong::StealerReleasesBeforeItIsSettled => "a run and two stealers",
        Wrong::OnlyTheWallClock => "a clock is set",
        Wrong::OnlyTheSteadyClock => "a machine sleeps",
        _ => "a disturbed call",
    };
    SCENES.iter().find(|(scene, _)| *scene == name).expect("a scene").1
}

#[test]
fn every_mistake_in_the_protocol_is_found() {
    for wrong in MISTAKES {
        let found = explore(scene_of(wrong), Some(wrong)).violation;
        assert!(found.is_some(), "{wrong:?} is not found");
    }
}

#[test]
fn beyond_the_bound_of_the_clocks_two_runs_may_trust_their_leases() {
    // The fast clock shows `lasts` after three ticks, and the slow one `trust` after four.
    let runs = &[(1, false), (2, false)];
    let bounds = Bounds { runs, ticks: 4, losses: 0, sleeps: 0, jumps: 0 };
    assert!(explore(bounds, None).violation.is_some());
}
