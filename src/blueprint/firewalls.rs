//! `[firewalls]`.

use super::Builder;

impl Builder<'_> {
    pub(super) fn firewalls(&mut self) {}
}
