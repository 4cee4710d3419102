//! The rules of `[cost_anomalies]`.

use super::Rules;

impl Rules<'_> {
    pub(super) fn cost_anomalies(&mut self) {}
}
