//! `[functions]`.

use super::Builder;

impl Builder<'_> {
    pub(super) fn functions(&mut self) {}
}
