//! The rules of `[databases]`.

use super::Rules;

impl Rules<'_> {
    pub(super) fn databases(&mut self) {}
}
