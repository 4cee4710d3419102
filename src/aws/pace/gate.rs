//! Whether payctl may create something: a run that cannot trust its lease may not. A step asks that before
//! its change; but a change may be several calls, and each may wait for its turn or be sent again long after.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// What is said of a call that was not sent.
pub(in crate::aws) const CLOSED: &str =
    "not sent: the lease of the environment cannot be trusted now";

/// How the names of operations begin that create something.
const CREATES: [&str; 7] =
    ["Allocate", "Create", "Import", "Register", "Request", "Restore", "Run"];

type Question = Box<dyn Fn() -> bool + Send + Sync>;

/// Shared by the clients of all services.
#[derive(Clone, Default)]
pub struct Gate(Arc<RwLock<Option<Question>>>);

impl Gate {
    /// From now on only what this question allows is created; everything, if there is none.
    pub fn set(&self, question: Option<Question>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = question;
    }

    /// Whether an operation may be sent.
    pub(super) fn admits(&self, operation: &str) -> bool {
        let creates = CREATES.iter().any(|verb| operation.starts_with(verb));
        let question = self.0.read().unwrap_or_else(PoisonError::into_inner);
        !creates || question.as_ref().is_none_or(|is_open| is_open())
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_gate_keeps_creations_back_and_nothing_else() {
        let gate = Gate::default();
        assert!(gate.admits("CreateVpc"));
        gate.set(Some(Box::new(|| false)));
        for operation in ["CreateVpc", "RunInstances", "AllocateAddress", "CreateAlias"] {
            assert!(!gate.admits(operation), "{operation}");
        }
        for operation in ["DescribeVpcs", "PutItem", "DeleteVpc", ""] {
            assert!(gate.admits(operation), "{operation}");
        }
        gate.set(Some(Box::new(|| true)));
        assert!(gate.admits("CreateVpc"));
    }
}
