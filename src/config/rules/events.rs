//! The rules of `[events]`.

use super::Rules;

impl Rules<'_> {
    pub(super) fn events(&mut self) {}
}
