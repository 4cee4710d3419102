//! The rules of `[alarms]` and `[dashboards]` and `[metric_filters]`.

use super::Rules;

impl Rules<'_> {
    pub(super) fn alarms(&mut self) {}

    pub(super) fn dashboards(&mut self) {}

    pub(super) fn metric_filters(&mut self) {}
}
