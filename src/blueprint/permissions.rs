//! Who may call which function: one policy for each function, from what every section said.

use crate::model::text::Text;

use super::Builder;

/// Somebody who may call a function.
pub(super) struct Caller {
    /// The statement's id, unique in the policy of a function.
    pub sid: String,
    /// The service that calls, `events.amazonaws.com`.
    pub service: &'static str,
    /// The resource in whose name it calls.
    pub source: Text,
}

impl Builder<'_> {
    /// Notes that a service may call a function of this config.
    pub(super) fn may_call(&mut self, function: &str, caller: Caller) {
        self.callers.entry(function.to_owned()).or_default().push(caller);
    }

    /// The policies of all functions that are called.
    pub(super) fn permissions(&mut self) {
        self.callers.clear();
    }
}
