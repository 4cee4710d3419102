//! How fast CloudWatch takes calls.

use crate::aws::pace::rates::Rates;

/// PutMetricAlarm is allowed about three times a second.
pub(crate) const RATES: Rates =
    Rates { service: "monitoring", at_once: 3, alone: &["PutMetricAlarm"] };
