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

/// The checks of this service before an apply.
pub(super) const CHECKS: &[Check] = &[offers::CHECK, sources::CHECK, versions::CHECK];

/// Finds the backups that AWS keeps of deleted objects.
pub(super) const KEEPER: Keeper = sources::KEEPER;
