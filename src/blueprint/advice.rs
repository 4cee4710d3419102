//! Changes to a config that may lower its cost.
//!
//! Each is tried: the changed config becomes a blueprint and a bill like any other, so the saving is
//! computed and never claimed. What a rule here proposes and the bill does not confirm is not shown.

use crate::config::Loaded;
use crate::config::schema::Config;
use crate::config::schema::log_groups::Retention;
use crate::config::schema::network::NatKind;
use crate::config::schema::tables::{Billing, Capacity, OnDemand, Table};
use crate::words::apis::LogLevel;
use crate::words::functions::Architecture;
use crate::words::services::ContainerArchitecture;
use payctl_engine::model::address::Address;
use payctl_money::Decimal;
use payctl_money::bill::Bill;

/// A change to a config that may lower its cost.
#[derive(Clone, Debug)]
pub struct Advice {
    /// The change in a few words.
    pub what: String,
    /// What you lose by it.
    pub risk: &'static str,
    /// The lines of the config that make it.
    pub lines: String,
    /// The changed config.
    pub loaded: Loaded,
}

/// How many days of logs are advised, and after how many days cold storage.
const DAYS: u32 = 30;
/// The hours of a month in which people work.
const WORKING_HOURS: u32 = 160;
/// The least capacity of a serverless instance that does not pause, in ACU.
const LEAST_ACU: f64 = 0.5;

/// All changes that may lower the cost of a config, which the bill is for.
pub fn advice(loaded: &Loaded, bill: &Bill) -> Vec<Advice> {
    let mut all = Tried { loaded, bill, advice: Vec::new() };
    all.architectures();
    all.network();
    all.logs();
    all.data();
    all.hours();
    all.advice
}

/// The changes so far.
struct Tried<'a> {
    loaded: &'a Loaded,
    bill: &'a Bill,
    advice: Vec<Advice>,
}

impl Tried<'_> {
    /// Adds a change.
    fn add(
        &mut self,
        what: String,
        risk: &'static str,
        lines: String,
        change: impl FnOnce(&mut Config),
    ) {
        let mut loaded = self.loaded.clone();
        change(&mut loaded.config);
        self.advice.push(Advice { what, risk, lines, loaded });
    }

    fn architectures(&mut self) {
        let config = &self.loaded.config;
        for (key, function) in &config.functions {
            let name = &key.0;
            if function.architecture == Architecture::X86 {
                self.add(
                    format!("run the function {name} on arm64"),
                    "Libraries in its package that are built for x86_64 need a build for arm64.",
                    format!("[functions.{name}]\narchitecture = \"arm64\""),
                    |config| {
                        let function = config.functions.get_mut(key);
                        function.expect("a function").architecture = Architecture::Arm64;
                    },
                );
            }
        }
        for (key, service) in &config.services {
            let name = &key.0;
            if service.architecture == ContainerArchitecture::X86 {
                self.add(
                    format!("run the service {name} on arm64"),
                    "Its image must exist for arm64.",
                    format!("[services.{name}]\narchitecture = \"arm64\""),
                    |config| {
                        let service = config.services.get_mut(key);
                        service.expect("a service").architecture = ContainerArchitecture::Arm64;
                    },
                );
            }
        }
    }

    fn network(&mut self) {
        let Some(network) = &self.loaded.config.network else { return };
        if network.nat.kind != NatKind::Gateway {
            return;
        }
        if network.nat.count > 1 {
            self.add(
                "use one NAT gateway for all zones".into(),
                "If its zone fails, private subnets in the other zones do not reach the internet. \
                 Traffic between zones costs extra, which is not in the sum.",
                "[network.nat]\ncount = 1".into(),
                |config| config.network.as_mut().expect("a network").nat.count = 1,
            );
        }
        self.add(
            "use a NAT instance in place of the NAT gateway".into(),
            "An instance has no redundancy and less bandwidth, and you update its system.",
            "[network.nat]\nkind = \"instance\"".into(),
            |config| config.network.as_mut().expect("a network").nat.kind = NatKind::Instance,
        );
    }

    fn logs(&mut self) {
        const RISK: &str = "Older log events are gone. Some rules demand that you keep them.";
        let config = &self.loaded.config;
        let long = |kept: Retention| kept.days().is_none_or(|days| days > DAYS);
        let lines = |section: &str, name: &str, key: &str| {
            (
                format!("keep the log of {section}.{name} for {DAYS} days"),
                format!("[{section}.{name}]\n{key} = {DAYS}"),
            )
        };
        for (key, _) in config.functions.iter().filter(|(_, it)| long(it.log_retention_days)) {
            let (what, lines) = lines("functions", key, "log_retention_days");
            self.add(what, RISK, lines, |config| {
                let function = config.functions.get_mut(key).expect("a function");
                function.log_retention_days = Retention::Days(DAYS);
            });
        }
        for (key, _) in config.services.iter().filter(|(_, it)| long(it.log_retention_days)) {
            let (what, lines) = lines("services", key, "log_retention_days");
            self.add(what, RISK, lines, |config| {
                let service = config.services.get_mut(key).expect("a service");
                service.log_retention_days = Retention::Days(DAYS);
            });
        }
        for (key, api) in &config.apis {
            let name = &key.0;
            if long(api.log.retention_days) {
                let (what, lines) = lines("apis", name, "log.retention_days");
                self.add(what, RISK, lines, |config| {
                    let api = config.apis.get_mut(key).expect("an API");
                    api.log.retention_days = Retention::Days(DAYS);
                });
            }
            if api.log.level == LogLevel::Info {
                self.add(
                    format!("log only the errors of apis.{name}"),
                    "The execution log has nothing about calls that succeed; the access log has.",
                    format!("[apis.{name}]\nlog.level = \"error\""),
                    |config| {
                        config.apis.get_mut(key).expect("an API").log.level = LogLevel::Error;
                    },
                );
            }
        }
    }

    fn data(&mut self) {
        let config = &self.loaded.config;
        for (key, table) in &config.tables {
            let name = &key.0;
            match table.billing {
                Billing::Provisioned(_) => self.add(
                    format!("pay for the requests of the table {name}, not for capacity"),
                    "A load that is far above the assumed one costs more than the capacity.",
                    format!("[tables.{name}]\nbilling = \"on_demand\""),
                    |config| {
                        let table = config.tables.get_mut(key).expect("a table");
                        table.billing = Billing::OnDemand(OnDemand::OnDemand);
                    },
                ),
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
                }
            }
        }
        for (key, bucket) in &config.buckets {
            let name = &key.0;
            if bucket.glacier_after_days.is_none() {
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

    /// An environment whose data may be lost need not exist at night.
    fn hours(&mut self) {
        let Config { disposable, usage, .. } = &self.loaded.config;
        if *disposable && usage.hours_per_month.is_none() {
            self.add(
                format!("destroy the environment after work: {WORKING_HOURS} hours a month"),
                "Its data is lost each time. `payctl destroy` and `payctl apply` do it; the line \
                 only tells payctl how long the environment exists.",
                format!("[usage]\nhours_per_month = {WORKING_HOURS}"),
                |config| config.usage.hours_per_month = Some(WORKING_HOURS),
            );
        }
    }
}
