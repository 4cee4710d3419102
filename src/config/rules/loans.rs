//! The rules of `from`: what an environment uses of another one.

use super::Rules;
use crate::config::key_path::KeyPath;

impl Rules<'_> {
    /// Whether the environment uses something of another one.
    pub(super) fn lends(&self) -> bool {
        let network = self.config.network.as_ref().is_some_and(|network| network.from.is_some());
        network || self.config.keys.values().any(|key| key.from.is_some())
    }

    pub(super) fn loans(&mut self) {
        let network = self.config.network.iter().map(|one| (KeyPath::of("network"), &one.from));
        let keys = self.config.keys.iter();
        let keys = keys.map(|(name, key)| (KeyPath::of("keys").key(name), &key.from));
        let loans: Vec<_> = network
            .chain(keys)
            .filter_map(|(path, from)| Some((path, from.as_ref()?.0.clone())))
            .collect();
        for (path, lender) in loans {
            if lender == self.loaded.env {
                let message = format!("`{lender}` is this environment");
                self.say(&path.key("from"), message, "name another one, or remove `from`");
            }
            for key in self.loaded.keys(&path).into_iter().filter(|key| *key != "from") {
                let message = format!("`{key}` cannot be used with `from`");
                self.say(&path.key(key), message, format!("remove it: {lender} decides"));
            }
        }
    }
}
