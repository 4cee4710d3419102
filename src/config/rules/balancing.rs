//! The rules of `[load_balancers]` and `[target_groups]`.

use super::Rules;

impl Rules<'_> {
    pub(super) fn load_balancers(&mut self) {}

    pub(super) fn target_groups(&mut self) {}
}
