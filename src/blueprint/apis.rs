//! `[apis]` and `[vpc_links]`.

use super::Builder;

impl Builder<'_> {
    pub(super) fn apis(&mut self) {}

    pub(super) fn vpc_links(&mut self) {}
}
