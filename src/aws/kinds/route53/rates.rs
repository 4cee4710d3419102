//! How fast Route 53 takes calls.

use crate::aws::pace::rates::Rates;

/// Five calls a second in all, and one change of a zone after another.
pub(crate) const RATES: Rates =
    Rates { service: "route53", at_once: 4, alone: &["ChangeResourceRecordSets"] };
