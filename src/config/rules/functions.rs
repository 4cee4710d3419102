//! The rules of `[functions]`.

use super::Rules;

impl Rules<'_> {
    pub(super) fn functions(&mut self) {}
}
