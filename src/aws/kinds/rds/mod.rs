//! RDS, for Aurora PostgreSQL.

use crate::aws::preflight::Check;
use crate::aws::restores::Keeper;

pub(crate) mod cluster;
pub(crate) mod cluster_parameter_group;
pub(crate) mod common;
pub(crate) mod instance;
mod offers;
mod sources;
pub(crate) mod subnet_group;
mod versions;

/// What is looked at before an apply.
pub(super) const CHECKS: &[Check] = &[offers::CHECK, sources::CHECK, versions::CHECK];

/// Who finds out what AWS keeps of what was deleted.
pub(super) const KEEPER: Keeper = sources::KEEPER;
