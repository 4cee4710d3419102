//! How fast DynamoDB takes calls.

use crate::aws::pace::rates::Rates;

/// CreateTable and UpdateTable are limited by account.
pub(crate) const RATES: Rates = Rates { service: "dynamodb", at_once: 8, alone: &[] };
