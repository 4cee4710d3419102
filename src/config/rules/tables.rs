//! The rules of `[tables]`, and of restored data.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::tables::{Billing, Projection, Table};
use crate::config::schema::text::KeyAttribute;
use payctl_engine::model::meta::LATEST;

fn split(attribute: &KeyAttribute) -> (&str, &str) {
    attribute.split_once(':').unwrap_or((attribute, "S"))
}

impl Rules<'_> {
    pub(super) fn tables(&mut self) {
        for (name, table) in &self.config.tables {
            let path = KeyPath::of("tables").key(name);
            self.key_attributes(&path, table);
            if let Some(source) = &table.restore_from {
                let given = (source.backup.is_some(), source.table.is_some(), source.at.is_some());
                self.restored_from(&path, given, ("backup", "table"));
                self.restored_time(&path, source.at.as_deref());
                let own = table.name.as_deref().map(str::to_owned);
                if own.is_some() && own.as_deref() == source.table.as_deref() {
                    let path = path.key("restore_from").key("table");
                    let fix = "name another table, or restore a deleted one from its backup";
                    self.say(&path, "a table cannot be restored into itself", fix);
                }
            }
            if table.indexes.len() > 20 {
                let message = format!("too many indexes: {}", table.indexes.len());
                self.say(&path.key("indexes"), message, "use at most 20");
            }
            let mut projected = 0;
            for (name, index) in &table.indexes {
                let path = path.key("indexes").key(name);
                if index.capacity.is_some() && matches!(table.billing, Billing::OnDemand(_)) {
                    let path = path.key("capacity");
                    let fix = "remove it, or set the table's capacity under `billing`";
                    self.say(&path, "an on-demand table has no capacity", fix);
                }
                if let Projection::Include(names) = &index.projection {
                    projected += names.len();
                    let path = path.key("projection");
                    if names.is_empty() {
                        self.say(
                            &path,
                            "no attributes are named",
                            "name some, or use \"keys_only\"",
                        );
                    } else if names.len() > 20 {
                        let message = format!("too many attributes: {}", names.len());
                        self.say(&path, message, "use at most 20 in an index, or \"all\"");
                    }
                }
            }
            if projected > 100 {
                let message = format!("too many attributes in all indexes: {projected}");
                self.say(&path.key("indexes"), message, "use at most 100");
            }
        }
    }

    /// A source is a backup, or another object at a time.
    pub(super) fn restored_from(
        &mut self,
        path: &KeyPath,
        given: (bool, bool, bool),
        (whole, other): (&str, &str),
    ) {
        if !matches!(given, (true, false, false) | (false, true, true)) {
            let message = "`restore_from` has no source";
            let fix = format!(
                "write {{ {whole} = \"...\" }}, or {{ {other} = \"...\", at = \"2026-11-28T12:00:00Z\" }}"
            );
            self.say(&path.key("restore_from"), message, fix);
        }
    }

    /// A time that exists in the calendar.
    pub(super) fn restored_time(&mut self, path: &KeyPath, at: Option<&str>) {
        let Some(at) = at.filter(|at| *at != LATEST) else { return };
        if OffsetDateTime::parse(at, &Rfc3339).is_err() {
            let path = path.key("restore_from").key("at");
            self.say(
                &path,
                format!("the time {at} does not exist"),
                "write for example 2026-11-28T12:00:00Z",
            );
        }
    }

    fn key_attributes(&mut self, path: &KeyPath, table: &Table) {
        let own = (None, &table.partition_key, &table.sort_key);
        let indexes = table.indexes.iter();
        let indexes =
            indexes.map(|(name, index)| (Some(&**name), &index.partition_key, &index.sort_key));
        let mut types: BTreeMap<&str, &str> = BTreeMap::new();
        for (index, partition, sort) in std::iter::once(own).chain(indexes) {
            let path = match index {
                Some(name) => path.key("indexes").key(name),
                None => path.clone(),
            };
            let keys = [("partition_key", Some(partition)), ("sort_key", sort.as_ref())];
            for (key, attribute) in keys {
                let Some((name, kind)) = attribute.map(split) else { continue };
                let path = path.key(key);
                let known = *types.entry(name).or_insert(kind);
                if known != kind {
                    let message = format!("`{name}` is {kind} here and {known} elsewhere");
                    self.say(
                        &path,
                        message,
                        "use one type: an attribute has the same type everywhere in a table",
                    );
                }
                if key == "sort_key" && name == split(partition).0 {
                    let message = "the sort key is the partition key";
                    self.say(&path, message, "name another attribute, or remove it");
                }
            }
        }
        if let Some(ttl) = table.ttl.as_deref().filter(|ttl| types.contains_key(ttl)) {
            let message = format!("the key `{ttl}` cannot be the time to live");
            self.say(&path.key("ttl"), message, "use another attribute");
        }
    }
}
