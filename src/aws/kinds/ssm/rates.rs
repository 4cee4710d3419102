//! How fast SSM Parameter Store takes calls.

use crate::aws::pace::rates::Rates;

/// PutParameter is allowed about three times a second.
pub(crate) const RATES: Rates = Rates { service: "ssm", at_once: 3, alone: &[] };
