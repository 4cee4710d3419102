//! `[cost_anomalies]`.

use super::Builder;

impl Builder<'_> {
    pub(super) fn cost_anomalies(&mut self) {}
}
