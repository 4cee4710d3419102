//! The rules of `[fleets]`.

use super::Rules;

impl Rules<'_> {
    pub(super) fn fleets(&mut self) {}
}
