//! `[fleets]`.

use super::Builder;

impl Builder<'_> {
    pub(super) fn fleets(&mut self) {}
}
