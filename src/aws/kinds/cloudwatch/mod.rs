//! CloudWatch.

pub(crate) mod alarm;
pub(crate) mod common;
pub(crate) mod dashboard;
pub(crate) mod metric;
pub(crate) mod rates;
