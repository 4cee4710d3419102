//! CloudWatch Logs.

pub(crate) mod costs;
pub(crate) mod delivery;
pub(super) mod late;
pub(crate) mod log_group;
pub(crate) mod metric_filter;
