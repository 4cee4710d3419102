//! `[databases]`.

use super::Builder;

impl Builder<'_> {
    pub(super) fn databases(&mut self) {}
}
