//! `[tables]`: DynamoDB tables.

use crate::aws::kinds::dynamodb::table as spec;
use crate::config::KeyPath;
use crate::config::schema::tables::{
    Billing, Capacity, Index, PlainProjection, Projection, Table, TableSource,
};
use crate::config::schema::text::KeyAttribute;
use payctl_engine::model::address::Address;

use super::{Builder, Item};

fn attribute(text: &KeyAttribute) -> spec::Attribute {
    let (name, kind) = text.split_once(':').unwrap_or((text, "S"));
    spec::Attribute { name: name.to_owned(), kind: kind.to_owned() }
}

fn capacity(config: Capacity) -> spec::Capacity {
    spec::Capacity { read: config.read, write: config.write }
}

impl Builder<'_> {
    pub(super) fn tables(&mut self) {
        for (key, config) in &self.config.tables {
            let path = &KeyPath::of("tables").key(key);
            let name = self.item_name("dynamodb.table", key, config.name.as_ref(), path);
            let spec = self.table(config, name.clone());
            self.add(Item::new(Address::new("dynamodb.table", key.0.as_str()), name, path), &spec);
        }
    }

    fn table(&self, config: &Table, name: String) -> spec::Table {
        let reserved = match config.billing {
            Billing::OnDemand(_) => None,
            Billing::Provisioned(units) => Some(units),
        };
        let indexes = config.indexes.iter();
        spec::Table {
            name,
            partition_key: attribute(&config.partition_key),
            sort_key: config.sort_key.as_ref().map(attribute),
            indexes: indexes
                .map(|(name, found)| (name.0.clone(), index(found, reserved)))
                .collect(),
            billing: match reserved {
                None => spec::Billing::OnDemand,
                Some(units) => spec::Billing::Provisioned(capacity(units)),
            },
            stream: config.stream,
            ttl: config.ttl.clone(),
            point_in_time_recovery: config.point_in_time_recovery,
            encryption: match &config.key {
                Some(key) => spec::Encryption::Kms(self.key(key)),
                None => spec::Encryption::Managed,
            },
            deletion_protection: config.deletion_protection.unwrap_or(self.config.protect),
            restore_from: config.restore_from.as_ref().map(source),
        }
    }
}

fn source(config: &TableSource) -> spec::Source {
    match &config.backup {
        Some(backup) => spec::Source::Backup { backup: backup.0.clone() },
        None => spec::Source::Time {
            table: config.table.clone().unwrap_or_default().0,
            at: config.at.clone().unwrap_or_default().0,
        },
    }
}

fn index(config: &Index, reserved: Option<Capacity>) -> spec::Index {
    spec::Index {
        partition_key: attribute(&config.partition_key),
        sort_key: config.sort_key.as_ref().map(attribute),
        projection: match &config.projection {
            Projection::Plain(PlainProjection::All) => spec::Projection::All,
            Projection::Plain(PlainProjection::KeysOnly) => spec::Projection::KeysOnly,
            Projection::Include(names) => spec::Projection::Include(names.clone()),
        },
        capacity: reserved.map(|table| capacity(config.capacity.unwrap_or(table))),
    }
}
