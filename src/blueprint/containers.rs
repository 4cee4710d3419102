//! `[clusters]` and `[services]`.

use super::Builder;

impl Builder<'_> {
    pub(super) fn clusters(&mut self) {}

    pub(super) fn services(&mut self) {}
}
