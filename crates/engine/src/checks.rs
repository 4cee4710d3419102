//! Runs checks of what is deployed: several at the same time, each with a time limit, and one limit
//! over all. A check only looks, so that ending one in the middle loses nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use crate::model::verdict::Verdict;

/// One check.
pub struct Check<'a> {
    /// The section of the config that it belongs to.
    pub component: String,
    /// What it checks: an address, `outputs.NAME` or `checks.NAME`.
    pub subject: String,
    /// What must hold.
    pub what: String,
    /// How long it may take.
    pub limit: Duration,
    /// Runs it.
    pub run: BoxFuture<'a, Verdict>,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The section of the config that it belongs to.
    pub component: String,
    /// What was checked.
    pub subject: String,
    /// What must hold.
    pub what: String,
    /// What was found.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// How far checking has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checking {
    /// How many checks are done.
    pub done: usize,
    /// How many of them failed.
    pub failed: usize,
    /// How many checks there are.
    pub all: usize,
    /// The subjects of those that run.
    pub running: Vec<String>,
}

/// How many checks are done, how many of them failed, and the subjects of those that run.
type Tally = (usize, usize, BTreeMap<usize, String>);

/// Runs all checks, at most `at_once` at the same time, before `patience` is over. The outcomes have the
/// order of the checks. A check that does not end in time has failed.
pub async fn run<'a>(
    checks: Vec<Check<'a>>,
    at_once: usize,
    patience: Duration,
    listener: &(dyn Fn(Checking) + Sync),
) -> Vec<Outcome> {
    let end = Instant::now() + patience;
    let all = checks.len();
    let state = std::sync::Mutex::new(Tally::default());
    let tell = |change: &dyn Fn(&mut Tally)| {
        let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut state);
        let (done, failed, running) = &*state;
        let running = running.values().cloned().collect();
        listener(Checking { done: *done, failed: *failed, all, running });
    };
    let tell = &tell;
    let one = |(at, check): (usize, Check<'a>)| async move {
        let Check { component, subject, what, limit, run } = check;
        tell(&|(_, _, running)| {
            running.insert(at, subject.clone());
        });
        let began = Instant::now();
        let verdict = match timeout_at(end.min(began + limit), run).await {
            Ok(verdict) => verdict,
            Err(_) if began >= end => Verdict::Failed(format!(
                "payctl did not come to it: all checks together may take {}",
                seconds(patience)
            )),
            Err(_) => Verdict::Failed(format!("no answer in {}", seconds(began.elapsed()))),
        };
        tell(&|(done, failed, running)| {
            *done += 1;
            *failed += usize::from(verdict.is_failed());
            running.remove(&at);
        });
        (at, Outcome { component, subject, what, verdict, took: began.elapsed() })
    };
    let running = stream::iter(checks.into_iter().enumerate()).map(one);
    let outcomes: BTreeMap<usize, Outcome> =
        running.buffer_unordered(at_once.max(1)).collect().await;
    outcomes.into_values().collect()
}

fn seconds(time: Duration) -> String {
    format!("{:.0} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn check<'a>(subject: &str, run: impl Future<Output = Verdict> + Send + 'a) -> Check<'a> {
        Check {
            component: "queues".into(),
            subject: subject.into(),
            what: "it answers".into(),
            limit: Duration::from_secs(10),
            run: Box::pin(run),
        }
    }

    async fn after(seconds: u64, verdict: Verdict) -> Verdict {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        verdict
    }

    fn verdicts(outcomes: &[Outcome]) -> Vec<&Verdict> {
        outcomes.iter().map(|outcome| &outcome.verdict).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn outcomes_keep_the_order_of_the_checks() {
        let told = Mutex::new(Vec::new());
        let listener = |checking| told.lock().unwrap().push(checking);
        let bad = || Verdict::Failed("it is empty".into());
        let checks = vec![check("a", after(3, Verdict::passed())), check("b", after(1, bad()))];
        let outcomes = run(checks, 2, Duration::from_secs(60), &listener).await;
        assert_eq!(verdicts(&outcomes), [&Verdict::passed(), &bad()]);
        let took: Vec<u64> = outcomes.iter().map(|outcome| outcome.took.as_secs()).collect();
        assert_eq!(took, [3, 1]);
        let told = told.into_inner().unwrap();
        let third = Checking { done: 1, failed: 1, all: 2, running: vec!["a".into()] };
        assert_eq!(told[2], third);
        assert_eq!(told.last().unwrap().done, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_is_late_fails_and_the_others_go_on() {
        let late = check("late", after(3600, Verdict::passed()));
        let checks = vec![late, check("b", after(1, Verdict::passed()))];
        let outcomes = run(checks, 1, Duration::from_secs(60), &|_| {}).await;
        let no_answer = Verdict::Failed("no answer in 10 s".into());
        assert_eq!(verdicts(&outcomes), [&no_answer, &Verdict::passed()]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_check_does_not_hold_up_the_others() {
        let slow = check("slow", after(9, Verdict::passed()));
        let fast = (0..8).map(|at| check(&at.to_string(), after(1, Verdict::passed())));
        let began = Instant::now();
        run([slow].into_iter().chain(fast).collect(), 2, Duration::from_secs(60), &|_| {}).await;
        assert_eq!(began.elapsed().as_secs(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn no_check_passes_after_the_limit_over_all() {
        let checks = ["a", "b", "c"].map(|subject| check(subject, after(9, Verdict::passed())));
        let outcomes = run(checks.into(), 1, Duration::from_secs(15), &|_| {}).await;
        let never = "payctl did not come to it: all checks together may take 15 s";
        let expected = [
            Verdict::passed(),
            Verdict::Failed("no answer in 6 s".into()),
            Verdict::Failed(never.into()),
        ];
        assert_eq!(verdicts(&outcomes), expected.iter().collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_checks_run_at_the_same_time_than_allowed() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let counted = || async {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let verdict = after(1, Verdict::passed()).await;
            now.fetch_sub(1, Ordering::SeqCst);
            verdict
        };
        let checks = (0..12).map(|number| check(&number.to_string(), counted())).collect();
        let outcomes = run(checks, 4, Duration::from_secs(60), &|_| {}).await;
        assert_eq!((outcomes.len(), most.into_inner()), (12, 4));
    }
}
