pub(crate) mod anomaly_monitor;
pub(crate) mod anomaly_subscription;
