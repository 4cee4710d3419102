//! Cost Anomaly Detection.

pub(crate) mod anomaly_monitor;
pub(crate) mod anomaly_subscription;
mod common;
