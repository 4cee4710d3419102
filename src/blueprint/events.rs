//! `[events]`.

use super::Builder;

impl Builder<'_> {
    pub(super) fn events(&mut self) {}
}
