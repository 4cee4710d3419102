//! Several runs on the same traffic, and taking traffic back while another run moves it.

use std::time::Duration;

use payctl_engine::shift::{End, ShiftError};
use payctl_engine::traffic::Weights;

use crate::fake::Death;
use crate::shift::{cases, check, is_a_rest, order, random_faults, run, secs, take_back};
use crate::shift_cloud::{Faults, Road, STEPS};
use crate::support::{Seed, block_on};

const OLD: Weights = Weights { from: 100, to: 0 };

/// A run that begins after a while.
async fn later(road: &Road, who: usize, after: Duration) -> End {
    tokio::time::sleep(after).await;
    let report = run(&road.seen_by(who), &order(&format!("run{who}"))).await;
    report.expect("it lives").end
}

/// Whether a run ended because of another one.
fn gave_way(end: &End) -> bool {
    matches!(end, End::Failed(ShiftError::Rival(_) | ShiftError::Lost(_) | ShiftError::Crowded(_)))
}

#[test]
fn of_two_runs_one_goes_on_and_the_other_ends() {
    let mut late = 0;
    for seed in cases() {
        let _name = Seed(seed);
        block_on(async {
            let mut random = fastrand::Rng::with_seed(seed);
            let road = Road::new(OLD, seed);
            let most = random.u64(0..=4990);
            let slow = random.u64(1..4900);
            let faults = Faults { slow, late: most, lag: 4990 - most, ..Faults::default() };
            road.set_faults(faults);
            // Half of them begin together, the others at any time of the first one's life.
            let span = if random.bool() { 3_000 } else { 500_000 };
            let after = Duration::from_millis(random.u64(..span));
            let (one, other) =
                tokio::join!(later(&road, 0, Duration::ZERO), later(&road, 1, after));
            check(&road);
            assert_eq!(road.shares(), STEPS, "each step once: {one:?}, {other:?}");
            let first = usize::from(one != End::Done);
            let (winner, loser) = if first == 0 { (&one, &other) } else { (&other, &one) };
            assert_eq!(*winner, End::Done);
            // It may also begin when everything is over.
            late += usize::from(*loser == End::Nothing);
            assert!(gave_way(loser) || *loser == End::Nothing, "{loser:?}");
            assert_eq!(road.tag(), None);
        });
    }
    println!("{late} began too late");
}

#[test]
fn three_runs_under_faults_never_write_in_turn() {
    let mut ends = std::collections::BTreeMap::<String, u32>::new();
    for seed in cases() {
        let _name = Seed(seed);
        block_on(async {
            let mut random = fastrand::Rng::with_seed(seed);
            let road = Road::new(OLD, seed);
            road.set_faults(random_faults(&mut random));
            let span = if random.bool() { 3_000 } else { 120_000 };
            let mut after = || Duration::from_millis(random.u64(..span));
            let (a, b, c) = (after(), after(), after());
            let all = tokio::join!(later(&road, 0, a), later(&road, 1, b), later(&road, 2, c));
            tokio::time::sleep(secs(11)).await;
            check(&road);
            let all = [all.0, all.1, all.2];
            for end in &all {
                let name = format!("{end:?}");
                let name = name.split(['(', '{']).take(2).collect::<Vec<_>>().join(" ");
                *ends.entry(name).or_default() += 1;
            }
            let done = all.iter().filter(|end| **end == End::Done).count();
            assert!(done <= 1, "{all:?}");
            if done == 1 {
                assert_eq!(road.weights(), Weights::at(100));
            }
            // A run after all of that finishes the work.
            road.set_faults(Faults::default());
            let last = run(&road.seen_by(3), &order("last")).await.expect("it lives").end;
            assert!(matches!(last, End::Done | End::Nothing), "{last:?}");
            assert_eq!((road.weights(), road.tag()), (Weights::at(100), None));
        });
    }
    println!("{ends:?}");
}

#[test]
fn a_run_beside_a_dying_one_never_writes_in_turn_with_it() {
    for seed in cases() {
        let _name = Seed(seed);
        block_on(async {
            let mut random = fastrand::Rng::with_seed(seed);
            let road = Road::new(OLD, seed);
            road.set_faults(random_faults(&mut random));
            let dying = road.seen_by(0);
            let (operation, after) = (random.u64(1..80), random.bool());
            dying.dies(Death { operation, after });
            let order_a = order("run0");
            let first = run(&dying, &order_a);
            let second = later(&road, 1, Duration::from_millis(random.u64(..150_000)));
            let (_, end) = tokio::join!(first, second);
            check(&road);
            road.set_faults(Faults::default());
            // It may have met the first one while that lived.
            if gave_way(&end) || road.tag().is_some() {
                let last = run(&road.seen_by(2), &order("last")).await.expect("it lives").end;
                assert!(matches!(last, End::Done | End::Nothing), "{last:?}");
            }
            check(&road);
            assert_eq!((road.weights(), road.tag()), (Weights::at(100), None));
        });
    }
}

/// How many violations the road shows if a run dies at one of its first calls, that call takes effect
/// so much later, and another run goes on meanwhile.
fn violations(stall: Duration) -> usize {
    let late = |operation| {
        block_on(async {
            let road = Road::new(OLD, 1);
            road.dies(Death { operation, after: true });
            road.stalls(stall);
            assert_eq!(run(&road, &order("run0")).await, None);
            later(&road, 1, Duration::ZERO).await;
            // Even then every write sets a step.
            assert!(road.log().iter().all(|write| is_a_rest(write.after)));
            road.violations().len()
        })
    };
    (1..40).map(late).sum()
}

#[test]
fn beyond_the_bounds_two_runs_may_write_in_turn() {
    assert_eq!(violations(secs(4)), 0, "within the bounds");
    assert!(violations(secs(90)) > 0, "the road would show it");
}

#[test]
fn taking_traffic_back_wins_at_any_moment() {
    let mut gone = 0;
    for at in 0..=340 {
        let _name = Seed(at);
        block_on(async {
            let road = Road::new(OLD, at);
            let backs = road.seen_by(1);
            backs.is_wild();
            let back = async {
                tokio::time::sleep(secs(at)).await;
                take_back(&backs, "back").await.expect("it lives")
            };
            let order = order("run0");
            let (report, back) = tokio::join!(run(&road, &order), back);
            check(&road);
            let end = report.expect("it lives").end;
            let first = road.log().iter().find(|write| write.who == 1).map(|write| write.at);
            if let Some(first) = first {
                assert!(first - secs(at) < Duration::from_millis(20), "at once: {first:?}");
            }
            match end {
                End::Done => assert!(at == 0 || at > 250, "it was over"),
                End::Failed(ShiftError::Lost(_) | ShiftError::Foreign { .. }) => gone += 1,
                End::Failed(ShiftError::Rival(_)) => gone += 1,
                end => panic!("{end:?} at {at}"),
            }
            match back.end {
                End::Done => assert!(road.weights().are_back()),
                // It came before the claim.
                End::Nothing => assert!(at == 0),
                end => panic!("{end:?} at {at}"),
            }
            assert_eq!(road.tag(), None);
        });
    }
    assert!(gone > 200, "{gone}");
}

#[test]
fn taking_traffic_back_wins_under_random_faults() {
    for seed in cases() {
        let _name = Seed(seed);
        block_on(async {
            let mut random = fastrand::Rng::with_seed(seed);
            let road = Road::new(OLD, seed);
            road.set_faults(random_faults(&mut random));
            // Now and then two people do it.
            let hands = if random.u8(..4) == 0 { 2 } else { 1 };
            let at = secs(random.u64(30..200));
            let mut after = || at + Duration::from_millis(random.u64(..3_000));
            let waits = [after(), after()];
            let takes = |who: usize, wait: Duration| {
                let road = road.seen_by(who);
                road.is_wild();
                async move {
                    if who > hands {
                        return End::Nothing;
                    }
                    tokio::time::sleep(wait).await;
                    take_back(&road, &format!("back{who}")).await.expect("it lives").end
                }
            };
            let order = order("run0");
            let (report, one, two) =
                tokio::join!(run(&road, &order), takes(1, waits[0]), takes(2, waits[1]));
            let end = report.expect("it lives").end;
            tokio::time::sleep(secs(11)).await;
            check(&road);
            let ended = |end: &End| matches!(end, End::Done | End::Nothing);
            assert!(ended(&one) && ended(&two), "{one:?} {two:?}");
            if [&one, &two].contains(&&End::Done) {
                assert!(road.weights().are_back(), "{} after {end:?}", road.weights());
                assert_ne!(end, End::Done);
            }
        });
    }
}
