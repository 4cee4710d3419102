//! What values mean: AWS's own rules that a schema cannot express.

use super::Loaded;
use super::problem::Problem;

/// Everything that needs no account.
pub(crate) fn check(_loaded: &Loaded) -> Vec<Problem> {
    Vec::new()
}
