//! Tables, buckets and databases.

use std::collections::BTreeMap;

use super::{DAYS, Tried};
use crate::config::schema::buckets::Lifecycle;
use crate::config::schema::tables::{Billing, Capacity, OnDemand, Table};
use crate::config::schema::text::RuleId;
use crate::words::buckets::StorageClass;
use payctl_engine::model::address::Address;
use payctl_money::Decimal;

/// The least capacity of a serverless instance that does not pause, in ACU.
const LEAST_ACU: f64 = 0.5;

/// Classes that answer at once, each with the days after which objects move and what one loses.
const COLDER: [(StorageClass, u32, &str); 2] = [
    (
        StorageClass::StandardIa,
        DAYS,
        "Reading and moving cost extra, which is not in the sum, and AWS charges for at least 30 days.",
    ),
    (
        StorageClass::GlacierIr,
        DAYS,
        "Reading costs much more, and moving costs extra, which is not in the sum. AWS charges for at \
         least 90 days.",
    ),
];

impl Tried<'_> {
    pub(super) fn data(&mut self) {
        let config = &self.loaded.config;
        for (key, table) in &config.tables {
            let name = &key.0;
            match table.billing {
                Billing::Provisioned(_) => {
                    self.add(
                        format!("pay for the requests of the table {name}, not for capacity"),
                        "A load that is far above the assumed one costs more than the capacity.",
                        format!("[tables.{name}]\nbilling = \"on_demand\""),
                        |config| {
                            let table = config.tables.get_mut(key).expect("a table");
                            table.billing = Billing::OnDemand(OnDemand::OnDemand);
                        },
                    );
                    self.is_decided_by(Address::new("dynamodb.table", name.as_str()));
                }
                Billing::OnDemand(_) => {
                    let Some(capacity) = self.capacity(name, table) else { continue };
                    let Capacity { read, write } = capacity;
                    self.add(
                        format!("provision capacity for the peak of the table {name}"),
                        "DynamoDB throttles what is above the capacity, and you raise it as the load \
                         grows.",
                        format!(
                            "[tables.{name}]\nbilling = {{ read = {read}, write = {write} }}"
                        ),
                        |config| {
                            let table = config.tables.get_mut(key).expect("a table");
                            table.billing = Billing::Provisioned(capacity);
                        },
                    );
                    self.is_decided_by(Address::new("dynamodb.table", name.as_str()));
                }
            }
        }
        for (key, database) in &config.databases {
            let name = &key.0;
            if database.serverless.as_ref().is_some_and(|limits| limits.min > LEAST_ACU) {
                self.add(
                    format!("let the database {name} shrink to {LEAST_ACU} capacity units"),
                    "A small instance has little memory for its cache and takes longer to grow.",
                    format!("[databases.{name}]\nserverless.min = {LEAST_ACU}"),
                    |config| {
                        let database = config.databases.get_mut(key).expect("a database");
                        database.serverless.as_mut().expect("limits").min = LEAST_ACU;
                    },
                );
            }
        }
    }

    /// Colder classes for objects that stay.
    pub(super) fn buckets(&mut self) {
        let config = &self.loaded.config;
        for (key, bucket) in &config.buckets {
            let name = &key.0;
            if bucket.glacier_after_days.is_some() {
                continue;
            }
            self.add(
                format!("move the objects of the bucket {name} to Glacier"),
                "Reading them takes minutes to hours. Reading and moving cost extra, which is \
                 not in the sum, and AWS charges for at least 90 days.",
                format!("[buckets.{name}]\nglacier_after_days = {DAYS}"),
                |config| {
                    let bucket = config.buckets.get_mut(key).expect("a bucket");
                    bucket.glacier_after_days = Some(DAYS);
                },
            );
            // A rule of its own beside others may contradict them.
            if !bucket.lifecycle.is_empty() {
                continue;
            }
            for (class, days, risk) in COLDER {
                let word = class.aws();
                self.add(
                    format!("move the objects of the bucket {name} to {word} after {days} days"),
                    risk,
                    format!(
                        "[buckets.{name}.lifecycle.colder]\ntransitions = {{ {word} = {days} }}"
                    ),
                    |config| {
                        let bucket = config.buckets.get_mut(key).expect("a bucket");
                        let rule = Lifecycle {
                            prefix: String::new(),
                            transitions: BTreeMap::from([(class, days)]),
                            expire_days: None,
                            old_version_transitions: BTreeMap::new(),
                            old_version_expire_days: None,
                            abort_uploads_days: None,
                        };
                        bucket.lifecycle.insert(RuleId("colder".into()), rule);
                    },
                );
            }
        }
    }

    /// The capacity that a table on demand needs in its busiest hour; each index needs the same.
    fn capacity(&self, name: &str, table: &Table) -> Option<Capacity> {
        let assume = self.loaded.config.usage.assumptions();
        let address = Address::new("dynamodb.table", name).to_string();
        let copies = Decimal::from(1 + table.indexes.len());
        let seconds = assume.hours_per_month * Decimal::from(3600);
        let units = |meter: &str, copies: Decimal| {
            let items = self.bill.items.iter();
            let items = items.filter(|item| item.address == address && item.meter == meter);
            let units: Decimal = items.map(|item| item.quantity).sum();
            let peak = units / copies / seconds * assume.peak_factor;
            u32::try_from(peak.ceil()).ok().map(|units| units.max(1))
        };
        Some(Capacity {
            read: units("dynamodb.read_requests", Decimal::ONE)?,
            write: units("dynamodb.write_requests", copies)?,
        })
    }

    /// Says whose load decides about the last change.
    fn is_decided_by(&mut self, address: Address) {
        if let Some(last) = self.advice.last_mut() {
            last.decided_by = Some(address);
        }
    }
}
