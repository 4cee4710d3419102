//! DynamoDB.

use crate::aws::preflight::Check;
use crate::aws::restores::Keeper;

pub(crate) mod rates;
mod sources;
pub(crate) mod table;

/// What is looked at before an apply.
pub(super) const CHECKS: &[Check] = &[sources::CHECK];

/// Who finds out what AWS keeps of what was deleted.
pub(super) const KEEPER: Keeper = sources::KEEPER;
