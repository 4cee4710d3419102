//! The permissions to call functions: one policy for each function, with the callers of every section.

use std::collections::BTreeMap;

use crate::aws::kinds::lambda::permissions::{Permission, Permissions};
use crate::config::KeyPath;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::{Builder, Item};

/// A caller of a function.
pub(super) struct Caller {
    /// The statement's id, unique in the policy of a function.
    pub sid: String,
    /// The service that calls, `events.amazonaws.com`.
    pub service: &'static str,
    /// The resource that the service calls for.
    pub source: Text,
}

impl Builder<'_> {
    /// Lets a service call a function of this config.
    pub(super) fn may_call(&mut self, function: &str, caller: Caller) {
        self.callers.entry(function.to_owned()).or_default().push(caller);
    }

    /// The policies of all functions that are called.
    pub(super) fn permissions(&mut self) {
        for (key, callers) in std::mem::take(&mut self.callers) {
            let function = Address::new("lambda.function", key.as_str());
            let name = self.physical_name(&function);
            let callers = callers
                .into_iter()
                .map(|Caller { sid, service, source }| (sid, Permission::service(service, source)));
            let spec = Permissions {
                function: Text::reference(function, Output::Arn),
                callers: callers.collect::<BTreeMap<_, _>>(),
            };
            let path = &KeyPath::of("functions").key(&key);
            let address = Address::new("lambda.permissions", key.as_str());
            self.add(Item::new(address, name, path), &spec);
        }
    }
}
