//! `[load_balancers]` and `[target_groups]`.

use super::Builder;

impl Builder<'_> {
    pub(super) fn load_balancers(&mut self) {}

    pub(super) fn target_groups(&mut self) {}
}
