//! `[secrets]`: values that are generated once, or that people bring.

use crate::aws::kinds::secretsmanager::secret::{Generate, Secret};
use payctl_engine::model::address::Address;

use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn secrets(&mut self) {
        for (key, config) in &self.config.secrets {
            let path: &[&str] = &["secrets", key];
            let kind = "secretsmanager.secret";
            let name = self.item_name(kind, key, config.name.as_ref(), path);
            let spec = Secret {
                name: name.clone(),
                description: config.description.clone(),
                key: config.key.as_ref().map(|key| self.key(key)),
                generate: config.generate.then(|| Generate {
                    template: config.template.clone(),
                    field: config.field.clone(),
                    length: config.length,
                    exclude_punctuation: config.exclude_punctuation,
                }),
                recovery_days: config.recovery_days,
                has_value: None,
            };
            self.add(Item::new(Address::new(kind, key.0.as_str()), name, path), &spec);
        }
    }
}
