//! `[alarms]` and `[dashboards]` and `[metric_filters]`.

use super::Builder;

impl Builder<'_> {
    pub(super) fn alarms(&mut self) {}

    pub(super) fn dashboards(&mut self) {}

    pub(super) fn metric_filters(&mut self) {}
}
