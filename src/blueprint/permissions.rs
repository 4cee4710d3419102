//! The permissions to call functions: one policy for each function and each alias, with the callers of
//! every section.

use std::collections::BTreeMap;

use crate::aws::kinds::lambda::permissions::{Permission, Permissions};
use crate::config::KeyPath;
use crate::config::schema::text::ItemName;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::functions::callee;
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
    /// Lets a service call a function of this config, or an alias of it.
    pub(super) fn may_call(&mut self, callee: Address, caller: Caller) {
        self.callers.entry(callee).or_default().push(caller);
    }

    /// The place of a function or an alias in the config.
    fn path_of_callee(&self, address: &Address) -> KeyPath {
        let section = KeyPath::of("functions");
        let places = self.config.functions.iter().flat_map(|(function, config)| {
            let path = section.key(function);
            let alias = |alias: &ItemName| {
                (callee(function, Some(alias.0.as_str())), path.key("aliases").key(alias))
            };
            let aliases: Vec<_> = config.aliases.keys().map(alias).collect();
            [(callee(function, None), path)].into_iter().chain(aliases)
        });
        let found = places.into_iter().find(|(callee, _)| callee == address);
        found.map_or_else(|| section.key(&address.name), |(_, path)| path)
    }

    /// The policies of all functions and aliases that are called.
    pub(super) fn permissions(&mut self) {
        for (callee, callers) in std::mem::take(&mut self.callers) {
            let name = self.physical_name(&callee);
            let path = &self.path_of_callee(&callee);
            let address = Address::new("lambda.permissions", callee.name.as_str());
            let callers = callers
                .into_iter()
                .map(|Caller { sid, service, source }| (sid, Permission::service(service, source)));
            let spec = Permissions {
                function: Text::reference(callee, Output::Arn),
                callers: callers.collect::<BTreeMap<_, _>>(),
            };
            self.add(Item::new(address, name, path), &spec);
        }
    }
}
