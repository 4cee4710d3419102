//! Cost Anomaly Detection.

pub(crate) mod anomaly_monitor;
pub(crate) mod anomaly_subscription;
mod common;

pub(in crate::aws) use common::TYPES;
