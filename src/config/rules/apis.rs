//! The rules of `[apis]` and `[vpc_links]`.

use super::Rules;

impl Rules<'_> {
    pub(super) fn apis(&mut self) {}

    pub(super) fn vpc_links(&mut self) {}
}
