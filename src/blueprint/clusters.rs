//! `[clusters]`.

use crate::aws::kinds::ecs::cluster::{Cluster, Insights};
use crate::config::KeyPath;
use crate::config::schema::clusters::Insights as Measured;
use payctl_engine::model::address::Address;

use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn clusters(&mut self) {
        for (key, config) in &self.config.clusters {
            let path = &KeyPath::of("clusters").key(key);
            let name = self.item_name("ecs.cluster", key, config.name.as_ref(), path);
            let providers = config.capacity_providers.iter();
            let spec = Cluster {
                name: name.clone(),
                insights: match config.insights {
                    Measured::Enabled(true) => Insights::Enabled,
                    Measured::Enabled(false) => Insights::Disabled,
                    Measured::Enhanced(_) => Insights::Enhanced,
                },
                capacity_providers: providers.map(|one| one.aws().to_owned()).collect(),
            };
            self.add(Item::new(Address::new("ecs.cluster", key.0.as_str()), name, path), &spec);
        }
    }
}
