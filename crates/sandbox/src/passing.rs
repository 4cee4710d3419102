//! States that end on their own.

use serde::{Deserialize, Serialize};

use super::Base;

/// How long a state lasts: a number of reads at the fast pace, a number of seconds at the real one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Passing {
    reads: u32,
    until: f64,
}

impl Passing {
    /// A state that begins now.
    pub(crate) fn begin(base: &Base, reads: u32, seconds: f64) -> Self {
        Self { reads, until: base.now() + seconds }
    }

    /// Counts a read, and says whether the state is over.
    pub(crate) fn is_over(&mut self, base: &Base) -> bool {
        self.reads = self.reads.saturating_sub(1);
        if base.strict { base.now() >= self.until } else { self.reads == 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_state_advances_by_reads_or_by_time() {
        let mut base = Base::default();
        let mut state = Passing::begin(&base, 2, 60.0);
        assert_eq!([state.is_over(&base), state.is_over(&base)], [false, true]);
        base.strict = true;
        assert!(!state.is_over(&base));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(state.is_over(&base));
    }
}
