//! Calls that AWS throttles together. They go as fast as possible until AWS throttles one, then
//! slower for all tasks together, then faster again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The first distance between calls after a throttled one.
const FIRST: Duration = Duration::from_millis(40);
/// The longest distance.
const LONGEST: Duration = Duration::from_secs(2);

/// Calls that are throttled together.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// When the last call went. The holder of the lock sends next; the others wait in their order,
    /// so that all of them profit when it goes faster again.
    last: tokio::sync::Mutex<Option<Instant>>,
    tempo: Mutex<Tempo>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tempo {
    /// How far calls are apart; zero while AWS keeps up.
    distance: Duration,
    /// When that grew last.
    slowed: Option<Instant>,
}

impl Lane {
    fn tempo(&self) -> MutexGuard<'_, Tempo> {
        self.tempo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far calls are apart now.
    #[cfg(test)]
    pub(super) fn distance(&self) -> Duration {
        self.tempo().distance
    }

    /// Waits until it is this call's turn, and says when that was.
    pub(super) async fn turn(&self) -> Instant {
        let mut last = self.last.lock().await;
        let distance = self.tempo().distance;
        if let Some(last) = last.filter(|_| !distance.is_zero()) {
            sleep_until(last + distance).await;
        }
        *last.insert(Instant::now())
    }

    /// Learns from an answer. A call that was sent before the distance grew says nothing about how
    /// it is now: a burst of calls that are throttled together makes it grow once.
    pub(super) fn learn(&self, sent: Instant, is_throttled: bool) {
        let mut tempo = self.tempo();
        if tempo.slowed.is_some_and(|slowed| sent <= slowed) {
            return;
        }
        if is_throttled {
            tempo.distance = (tempo.distance * 2).clamp(FIRST, LONGEST);
            tempo.slowed = Some(Instant::now());
        } else {
            tempo.distance = tempo.distance * 3 / 4;
            if tempo.distance < FIRST / 8 {
                tempo.distance = Duration::ZERO;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_throttled_service_is_called_more_slowly_and_recovers() {
        let lane = Lane::default();
        let began = Instant::now();
        for _ in 0..3 {
            lane.turn().await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        lane.learn(began, true);
        lane.turn().await;
        assert_eq!(began.elapsed(), FIRST);
        for _ in 0..20 {
            let sent = lane.turn().await;
            lane.learn(sent, true);
        }
        assert_eq!(lane.tempo().distance, LONGEST);
        for _ in 0..40 {
            let sent = lane.turn().await;
            lane.learn(sent, false);
        }
        assert_eq!(lane.tempo().distance, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn concurrently_throttled_calls_slow_down_once() {
        let lane = Lane::default();
        let sent = lane.turn().await;
        sleep(FIRST).await;
        (0..7).for_each(|_| lane.learn(sent, true));
        assert_eq!(lane.tempo().distance, FIRST);
        lane.learn(sent, false);
        assert_eq!(lane.tempo().distance, FIRST, "an answer from before counts as little");
        sleep(FIRST).await;
        let sent = lane.turn().await;
        lane.learn(sent, true);
        assert_eq!(lane.tempo().distance, FIRST * 2);
    }
}
