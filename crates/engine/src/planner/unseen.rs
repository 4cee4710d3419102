//! Resources of kinds that payctl could not read, and those that refer to them.

use std::collections::BTreeSet;

use super::Planner;
use crate::model::address::Address;
use crate::model::desired::Desired;
use crate::model::error::{ErrorClass, OpError};
use crate::model::live::Live;
use crate::model::text::each_ref;

/// Something that a wanted resource refers to and that is not known, if there is any.
pub(super) fn unseen_need(want: &Desired, blind: &BTreeSet<Address>) -> Option<Address> {
    let mut needed = None;
    each_ref(&want.spec, &mut |reference| {
        if blind.contains(&reference.to) {
            needed = Some(reference.to.clone());
        }
    });
    needed
}

/// What to do so that payctl can read a kind.
pub(super) fn hint_to_see(error: &OpError) -> String {
    let hint = match error.class {
        ErrorClass::Denied => "allow the call for the role that payctl uses",
        ErrorClass::Unsupported => {
            "remove it from the config, or use an endpoint that supports the service"
        }
        _ => "run the same command again once the service answers",
    };
    hint.to_owned()
}

impl Planner<'_> {
    /// A resource that may differ from the wanted state keeps its outputs; a missing one has none.
    pub(super) fn keep_blindly(&mut self, want: &Desired, live: Option<&Live>) -> Option<String> {
        let Some(live) = live else {
            self.blind.insert(want.address.clone());
            return None;
        };
        self.plan.outputs.insert(want.address.clone(), live.outputs.clone());
        Some(live.id.clone())
    }
}
