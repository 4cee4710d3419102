//! The loop that takes, renews and gives back a lease, on a store in memory and virtual time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use payctl_engine::apply::Run;
use payctl_engine::lease::{
    Event, Holder, Lease, LeaseStore, Record, TERMS, Unheld, Version, Wrote,
};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::plan::Purpose;
use payctl_engine::stop::{Stop, Stopper, stop_pair};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::fake::{FakeCloud, Faults};
use crate::support::{
    Seed, block_on, blueprint, check_settled, converge, plan_now, put, random_blueprint, scope,
    seeds_or,
};

/// What the store does with the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It takes effect, and its reply is lost.
    AfterIt,
    /// It does not take effect, and its reply is lost.
    BeforeIt,
    /// It never ends.
    Hangs,
    Denied,
}

#[derive(Clone, Default)]
struct Store(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    record: Option<Record>,
    /// The faults of the next writes.
    faults: VecDeque<Option<Fault>>,
    /// Every call fails in this way.
    always: Option<Fault>,
    /// How long a call takes.
    slow: Duration,
    reads: usize,
    writes: usize,
}

fn lost() -> OpError {
    OpError::new("Store", ErrorClass::Service, "Lost", "no reply")
}

impl Store {
    fn with<T>(&self, look: impl FnOnce(&mut Kept) -> T) -> T {
        look(&mut self.0.lock().expect("nobody panicked"))
    }

    fn holder(&self) -> Option<String> {
        self.with(|kept| Some(kept.record.as_ref()?.holder.as_ref()?.run.clone()))
    }

    fn fail(&self, faults: &[Option<Fault>]) {
        self.with(|kept| kept.faults.extend(faults));
    }

    fn fail_always(&self, fault: Option<Fault>) {
        self.with(|kept| kept.always = fault);
    }
}

async fn refused(fault: Option<Fault>) -> Result<(), OpError> {
    match fault {
        Some(Fault::Hangs) => std::future::pending().await,
        Some(Fault::Denied) => {
            Err(OpError::new("Store", ErrorClass::Denied, "AccessDenied", "not you"))
        }
        Some(Fault::BeforeIt) => Err(lost()),
        Some(Fault::AfterIt) | None => Ok(()),
    }
}

impl LeaseStore for Store {
    fn read(&self) -> BoxFuture<'_, Result<Option<Record>, OpError>> {
        Box::pin(async move {
            sleep(self.with(|kept| kept.slow)).await;
            refused(self.with(|kept| kept.always)).await?;
            Ok(self.with(|kept| {
                kept.reads += 1;
                kept.record.clone()
            }))
        })
    }

    fn write<'a>(
        &'a self,
        record: &'a Record,
        over: Option<Version>,
    ) -> BoxFuture<'a, Result<Wrote, OpError>> {
        Box::pin(async move {
            sleep(self.with(|kept| kept.slow)).await;
            let fault = self.with(|kept| kept.always.or_else(|| kept.faults.pop_front().flatten()));
            refused(fault).await?;
            let wrote = self.with(|kept| {
                kept.writes += 1;
                if kept.record.as_ref().map(Record::version) != over {
                    return Wrote::Conflict;
                }
                kept.record = Some(record.clone());
                Wrote::Done
            });
            if fault == Some(Fault::AfterIt) { Err(lost()) } else { Ok(wrote) }
        })
    }
}

fn lease<'a>(store: &'a Store, run: &str, steals: bool) -> Lease<'a> {
    let me = Holder {
        run: run.into(),
        who: "arn:aws:iam::123456789012:user/ci".into(),
        person: None,
        task: "apply".into(),
        commit: None,
        since: "2026-03-01T10:00:00Z".into(),
    };
    Lease::new(store, me, TERMS, steals)
}

const LONG: Duration = Duration::from_secs(600);

async fn takes(lease: &Lease<'_>, limit: Duration) -> Result<(), Unheld> {
    lease.acquire(limit, &stop_pair().1, &|_| {}).await
}

/// Renews a lease for so long.
async fn keeps(lease: &Lease<'_>, long: Duration) -> (Vec<Event>, bool) {
    let (stopper, stop): (Stopper, Stop) = stop_pair();
    let events = Mutex::new(Vec::new());
    let listener = |event| events.lock().expect("nobody panicked").push(event);
    tokio::select! {
        never = lease.keep(&stopper, &listener) => match never {},
        () = sleep(long) => {}
    }
    (events.into_inner().expect("nobody panicked"), stop.is_requested())
}

#[tokio::test(start_paused = true)]
async fn a_free_lease_costs_three_calls() {
    let store = Store::default();
    for (run, token) in [("a", 1), ("b", 2)] {
        let began = Instant::now();
        let lease = lease(&store, run, false);
        takes(&lease, LONG).await.unwrap();
        assert_eq!((store.holder().as_deref(), lease.token()), (Some(run), Some(token)));
        lease.release().await;
        assert!(!lease.is_live());
        assert_eq!(store.holder(), None);
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(
            store.with(|kept| (kept.reads, kept.writes)),
            (token as usize, 2 * token as usize)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_run_waits_for_the_first_and_names_it() {
    let store = Store::default();
    let (one, two) = (lease(&store, "a", false), lease(&store, "b", false));
    takes(&one, LONG).await.unwrap();
    let refused = takes(&two, Duration::ZERO).await.unwrap_err();
    assert!(matches!(refused, Unheld::TimedOut(Some(holder)) if holder.run == "a"));
    let two = lease(&store, "b", false);
    let first = async {
        assert_eq!(keeps(&one, Duration::from_secs(200)).await, (Vec::new(), false));
        one.release().await;
        Instant::now()
    };
    let (released, taken) = tokio::join!(first, async {
        takes(&two, LONG).await.unwrap();
        Instant::now()
    });
    assert!(taken - released <= TERMS.poll, "{:?}", taken - released);
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_dead_run_is_taken_after_a_minute() {
    let store = Store::default();
    takes(&lease(&store, "a", false), LONG).await.unwrap();
    let began = Instant::now();
    let two = lease(&store, "b", false);
    takes(&two, LONG).await.unwrap();
    let waited = began.elapsed();
    assert!(TERMS.lasts <= waited && waited <= TERMS.lasts + TERMS.poll, "{waited:?}");
    assert_eq!(two.took_from().map(|(from, stole)| (from.run, stole)), Some(("a".into(), false)));
}

#[tokio::test(start_paused = true)]
async fn a_stolen_lease_is_used_once_its_victim_cannot_trust_it() {
    let store = Store::default();
    let (one, two) = (lease(&store, "a", false), lease(&store, "b", true));
    takes(&one, LONG).await.unwrap();
    let began = Instant::now();
    let stealing = async {
        takes(&two, LONG).await.unwrap();
        (began.elapsed(), one.is_live())
    };
    let ((waited, is_live), (events, is_stopped)) =
        tokio::join!(stealing, keeps(&one, Duration::from_secs(100)));
    assert!(waited >= TERMS.lasts && !is_live, "{waited:?}");
    assert!(matches!(&events[..], [Event::Lost(Some(by))] if by.run == "b"), "{events:?}");
    assert!(is_stopped);
    assert_eq!(two.took_from().map(|(_, stole)| stole), Some(true));
    // The victim does not give back what it does not have.
    one.release().await;
    assert_eq!(store.holder().as_deref(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn lost_replies_leave_one_holder_and_no_lease_behind() {
    for fault in [Fault::AfterIt, Fault::BeforeIt, Fault::Hangs] {
        let store = Store::default();
        let lease = lease(&store, "a", false);
        store.fail(&[Some(fault)]);
        takes(&lease, LONG).await.unwrap();
        store.fail(&[Some(fault), Some(fault)]);
        assert_eq!(keeps(&lease, Duration::from_secs(35)).await, (Vec::new(), false), "{fault:?}");
        assert!(lease.is_live());
        store.fail(&[Some(fault)]);
        lease.release().await;
        assert_eq!(store.holder(), None, "{fault:?}");
        assert_eq!(store.with(|kept| kept.record.as_ref().map(|record| record.token)), Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_or_does_not_answer_is_said() {
    let store = Store::default();
    store.fail_always(Some(Fault::Denied));
    let refused = takes(&lease(&store, "a", false), LONG).await.unwrap_err();
    assert!(matches!(refused, Unheld::Unusable(error) if error.class == ErrorClass::Denied));
    store.fail_always(Some(Fault::Hangs));
    let began = Instant::now();
    let refused = takes(&lease(&store, "a", false), Duration::ZERO).await.unwrap_err();
    assert!(matches!(refused, Unheld::Unusable(error) if error.code == "NoAnswer"));
    assert!(began.elapsed() < Duration::from_secs(70), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_ends_and_the_lease_expires() {
    let store = Store::default();
    let one = lease(&store, "a", false);
    takes(&one, LONG).await.unwrap();
    store.fail_always(Some(Fault::Hangs));
    let began = Instant::now();
    one.release().await;
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    store.fail_always(None);
    takes(&lease(&store, "b", false), LONG).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_step_begins_while_the_lease_cannot_be_renewed() {
    let store = Store::default();
    let lease = lease(&store, "a", false);
    takes(&lease, LONG).await.unwrap();
    store.fail_always(Some(Fault::Hangs));
    assert_eq!(keeps(&lease, Duration::from_secs(60)).await.0, [Event::Late]);
    let mut wanted = blueprint();
    put(&mut wanted, "fake.named", "jobs", json!({ "size": 1, "zone": "a" }), &[]);
    let cloud = FakeCloud::new(scope(), 7);
    let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
    let (stopper, stop) = stop_pair();
    let run = Run::new(&cloud, &plan, 8, &stop, &|_| {}).under(&lease);
    let events = Mutex::new(Vec::new());
    let listener = |event| events.lock().unwrap().push(event);
    let carry_out = async {
        tokio::select! {
            () = run.carry_out() => {}
            never = lease.keep(&stopper, &listener) => match never {},
        }
    };
    let network = async {
        sleep(Duration::from_secs(60)).await;
        assert_eq!(cloud.addresses(), [], "a step has begun");
        store.fail_always(None);
    };
    tokio::join!(carry_out, network);
    assert!(run.report().is_complete());
    assert_eq!(events.into_inner().unwrap(), [Event::Late, Event::Renewed]);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_lease_is_never_renewed_stops() {
    let store = Store::default();
    let lease = lease(&store, "a", false);
    takes(&lease, LONG).await.unwrap();
    store.fail_always(Some(Fault::Hangs));
    let (events, is_stopped) = keeps(&lease, LONG).await;
    assert_eq!(events, [Event::Late, Event::GaveUp]);
    assert!(is_stopped);
}

/// A run falls asleep in the middle of its steps, which create with one call and set the rest with another;
/// meanwhile a second one takes its lease. `None` if nobody took it.
async fn a_sleeper_and_its_successor(seed: u64) -> Option<usize> {
    let mut random = fastrand::Rng::with_seed(seed);
    let cloud = FakeCloud::new(scope(), seed);
    let other = cloud.elsewhere();
    let wanted = random_blueprint(&mut random, None);
    let store = Store::default();
    // The loop that keeps the lease does not hear at once that it is lost.
    store.with(|kept| kept.slow = Duration::from_millis(100));
    let (one, two) = (lease(&store, "a", false), lease(&store, "b", false));
    takes(&one, LONG).await.expect("the lease");
    let plan = plan_now(&cloud, &wanted, Purpose::Apply).await;
    let sleep = Duration::from_secs(random.u64(30..200));
    cloud.set_faults(Faults {
        throttle: random.u64(..100),
        lag: random.u64(..4),
        pending: random.u64(..4),
        slow: random.u64(1..50),
        sleeps: Some((random.u64(1..40), sleep)),
        ..Faults::default()
    });
    let (stopper, stop) = stop_pair();
    let run = Run::new(&cloud, &plan, 8, &stop, &|_| {}).under(&one);
    let sleeper = cloud.awake(async {
        tokio::select! {
            () = run.carry_out() => one.release().await,
            never = one.keep(&stopper, &|_| {}) => match never {},
        }
    });
    let successor = async {
        takes(&two, LONG).await.expect("the lease");
        converge(&other, &wanted, Purpose::Apply).await;
        two.took_from().is_some()
    };
    let ((), took) = tokio::join!(sleeper, successor);
    // A call that was under way when the run fell asleep may have made a second object: the next run merges them.
    cloud.set_faults(Faults::default());
    converge(&other, &wanted, Purpose::Apply).await;
    check_settled(&cloud, &wanted).await;
    let asleep = cloud.fell_asleep().filter(|_| took)?;
    let late = cloud.writes().into_iter().filter(|(from, began)| *from == 0 && *began > asleep);
    Some(late.count())
}

#[test]
fn a_run_that_slept_through_its_lease_changes_nothing_more() {
    let mut taken = 0;
    for seed in seeds_or(600) {
        let _name = Seed(seed);
        let Some(late) = block_on(a_sleeper_and_its_successor(seed)) else { continue };
        assert_eq!(late, 0, "writes that began after the sleep");
        taken += 1;
    }
    assert!(taken > 0, "no run lost its lease while it slept");
}
