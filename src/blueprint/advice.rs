//! Changes to a config that may lower its cost.
//!
//! Each is tried: the changed config becomes a blueprint and a bill like any other, so the saving is
//! computed and never claimed. What a rule here proposes and the bill does not confirm is not shown.

use crate::config::Loaded;
use crate::config::schema::Config;
use crate::words::functions::Architecture;
use crate::words::services::ContainerArchitecture;
use payctl_engine::model::address::Address;
use payctl_money::bill::Bill;

mod data;
pub mod hints;
mod logs;
mod network;

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
    /// The resource whose load decides which of both ways to pay costs less.
    pub decided_by: Option<Address>,
}

/// How many days of logs are advised, and after how many days cold storage.
const DAYS: u32 = 30;
/// The hours of a month in which people work.
const WORKING_HOURS: u32 = 160;

/// All changes that may lower the cost of a config, which the bill is for.
pub fn advice(loaded: &Loaded, bill: &Bill) -> Vec<Advice> {
    let mut all = Tried { loaded, bill, advice: Vec::new() };
    all.architectures();
    all.network();
    all.endpoints();
    all.logs();
    all.log_classes();
    all.data();
    all.buckets();
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
        self.advice.push(Advice { what, risk, lines, loaded, decided_by: None });
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
