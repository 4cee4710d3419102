//! The rules of `[firewalls]`.

use super::Rules;

impl Rules<'_> {
    pub(super) fn firewalls(&mut self) {}
}
