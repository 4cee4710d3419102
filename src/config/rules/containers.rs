//! The rules of `[clusters]` and `[services]`.

use super::Rules;

impl Rules<'_> {
    pub(super) fn clusters(&mut self) {}

    pub(super) fn services(&mut self) {}
}
