//! How fast IAM takes calls.

use crate::aws::pace::rates::Rates;

/// One global control plane with low rates.
pub(crate) const RATES: Rates = Rates { service: "iam", at_once: 6, alone: &[] };
