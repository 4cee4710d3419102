//! DynamoDB.

use crate::aws::preflight::Check;
use crate::aws::restores::Keeper;

pub(crate) mod rates;
mod sources;
pub(crate) mod table;

/// The checks of this service before an apply.
pub(super) const CHECKS: &[Check] = &[sources::CHECK];

/// Finds the backups that AWS keeps of deleted objects.
pub(super) const KEEPER: Keeper = sources::KEEPER;
