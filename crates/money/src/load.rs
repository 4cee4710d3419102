//! What passes through resources in a month, and the assumptions that it is computed from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// What of a resource is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// Requests to an API, a load balancer, a firewall or a service.
    Requests,
    /// Runs of a function or of a role's holder.
    Calls,
    /// The milliseconds of a run.
    Milliseconds,
    /// Messages to a queue or topic, and events to a rule.
    Messages,
    /// Calls of which only those that fail send a message.
    Alerts,
    /// Items read from a table, or questions to a database.
    Reads,
    /// Items written to a table.
    Writes,
    /// Objects written to a bucket.
    Puts,
    /// Objects read from a bucket.
    Gets,
    /// Gigabytes written to a log or a bucket.
    Gb,
    /// Gigabytes that an AWS service writes and charges for itself.
    DeliveredGb,
    /// Gigabytes that are kept, where that is known better than by computing.
    StoredGb,
    /// Gigabytes through NAT.
    NatGb,
    /// Gigabytes from a network to DynamoDB.
    DynamodbGb,
    /// Gigabytes from a network to S3.
    S3Gb,
    /// Requests of which X-Ray has decided before whether it traces them.
    Traced,
    /// Reads and writes of objects that GuardDuty may analyse.
    DataEvents,
    /// Gigabytes of records about the network traffic of functions.
    FunctionGb,
    /// Users of a key: each asks for a data key every five minutes.
    Users,
    /// Questions for the value of a secret.
    Questions,
}

impl Driver {
    /// Those that a config can state for a resource.
    pub const STATED: [Self; 12] = [
        Self::Requests,
        Self::Calls,
        Self::Milliseconds,
        Self::Messages,
        Self::Reads,
        Self::Writes,
        Self::Puts,
        Self::Gets,
        Self::Gb,
        Self::StoredGb,
        Self::NatGb,
        Self::Questions,
    ];
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = serde_json::to_value(self).expect("a word");
        f.write_str(word.as_str().unwrap_or_default())
    }
}

/// What passes through one resource in a month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load(BTreeMap<Driver, Decimal>);

impl Load {
    /// Every driver once, to see where anything goes on.
    pub fn probe() -> Self {
        use Driver::{
            Alerts, Calls, DataEvents, DeliveredGb, DynamodbGb, FunctionGb, Gb, Gets, Messages,
            Milliseconds, NatGb, Puts, Questions, Reads, Requests, S3Gb, StoredGb, Traced, Users,
            Writes,
        };
        let all = [
            Requests,
            Calls,
            Milliseconds,
            Messages,
            Alerts,
            Reads,
            Writes,
            Puts,
            Gets,
            Gb,
            DeliveredGb,
            StoredGb,
            NatGb,
            DynamodbGb,
            S3Gb,
            Traced,
            DataEvents,
            FunctionGb,
            Users,
            Questions,
        ];
        Self(all.into_iter().map(|driver| (driver, Decimal::ONE)).collect())
    }

    /// How much of a driver.
    pub fn get(&self, driver: Driver) -> Decimal {
        self.0.get(&driver).copied().unwrap_or_default()
    }

    /// How much of a driver, if anything says so.
    pub fn known(&self, driver: Driver) -> Option<Decimal> {
        self.0.get(&driver).copied()
    }

    /// Adds to a driver.
    pub fn add(&mut self, driver: Driver, quantity: Decimal) {
        *self.0.entry(driver).or_default() += quantity;
    }

    /// Sets a driver.
    pub fn set(&mut self, driver: Driver, quantity: Decimal) {
        self.0.insert(driver, quantity);
    }
}

/// A part of the load of one resource that another gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed<A> {
    /// The resource that gets it.
    pub to: A,
    /// What of it.
    pub driver: Driver,
    /// How much in a month.
    pub quantity: Decimal,
}

/// What a month is assumed to bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assumptions {
    /// Payments in a month. Each calls every route of every API once.
    pub payments_per_month: Decimal,
    /// The size of a request, in KB.
    pub request_kb: Decimal,
    /// The size of an answer, in KB.
    pub response_kb: Decimal,
    /// The size of a record in a table, a bucket or a database, in KB.
    pub item_kb: Decimal,
    /// What one call logs, in KB.
    pub log_kb: Decimal,
    /// What one call sends through NAT, in KB.
    pub nat_kb: Decimal,
    /// How long a function runs, in milliseconds.
    pub function_ms: Decimal,
    /// How often a question to a database reads or writes a page.
    pub database_ios: Decimal,
    /// How many of a thousand calls fail: topics and dead-letter queues hear of them.
    pub failures_per_thousand: Decimal,
    /// The load of the busiest hour, as a multiple of the average.
    pub peak_factor: Decimal,
    /// How many hours of a month the environment exists.
    pub hours_per_month: Decimal,
    /// After how many months the stored data is counted.
    pub age_months: Decimal,
    /// Whether the quantities that AWS never charges are taken off.
    pub free_quantities: bool,
    /// What is known better of single resources, by address.
    pub resources: BTreeMap<String, BTreeMap<Driver, Decimal>>,
}

impl Default for Assumptions {
    fn default() -> Self {
        let n = Decimal::from;
        Self {
            payments_per_month: n(100_000),
            request_kb: n(2),
            response_kb: n(2),
            item_kb: n(1),
            log_kb: n(2),
            nat_kb: n(10),
            function_ms: n(100),
            database_ios: n(10),
            failures_per_thousand: n(1),
            peak_factor: n(5),
            hours_per_month: n(730),
            age_months: n(12),
            free_quantities: false,
            resources: BTreeMap::new(),
        }
    }
}

/// Kilobytes as gigabytes; AWS counts in powers of two.
pub fn gb(kb: Decimal) -> Decimal {
    kb / Decimal::from(1024 * 1024)
}

/// A number of two assumptions that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which: a key of `[usage]`, or an address with one of its keys.
    pub key: String,
    /// What the one says; nothing if it leaves that to the model.
    pub used: Option<Decimal>,
    /// What the other says.
    pub other: Option<Decimal>,
}

impl Assumptions {
    /// The numbers by key, and those of single resources by address and key.
    fn numbers(&self) -> BTreeMap<String, Decimal> {
        let own = self.named().map(|(name, number)| (name.to_owned(), number));
        let resources = self.resources.iter().flat_map(|(address, drivers)| {
            drivers.iter().map(move |(driver, number)| (format!("{address} {driver}"), *number))
        });
        let free = ("free_quantities".to_owned(), Decimal::from(u8::from(self.free_quantities)));
        own.into_iter().chain(resources).chain([free]).collect()
    }

    /// The numbers that hold for the whole environment, by key.
    pub fn named(&self) -> [(&'static str, Decimal); 12] {
        [
            ("payments_per_month", self.payments_per_month),
            ("request_kb", self.request_kb),
            ("response_kb", self.response_kb),
            ("item_kb", self.item_kb),
            ("log_kb", self.log_kb),
            ("nat_kb", self.nat_kb),
            ("function_ms", self.function_ms),
            ("database_ios", self.database_ios),
            ("failures_per_thousand", self.failures_per_thousand),
            ("peak_factor", self.peak_factor),
            ("hours_per_month", self.hours_per_month),
            ("age_months", self.age_months),
        ]
    }

    /// Where another environment assumes something else.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let (mine, others) = (self.numbers(), other.numbers());
        let keys: BTreeSet<&String> = mine.keys().chain(others.keys()).collect();
        let sides = keys.into_iter().map(|key| (key, mine.get(key), others.get(key)));
        let differ = sides.filter(|(_, used, other)| used != other);
        differ
            .map(|(key, used, other)| Difference {
                key: key.clone(),
                used: used.copied(),
                other: other.copied(),
            })
            .collect()
    }

    /// How much of something that scales between two numbers runs on average: `max` is enough for the
    /// peak, so the average needs that part of it, and never less than `min`. Without payments there is
    /// no peak.
    pub fn average(&self, min: Decimal, max: Decimal) -> Decimal {
        if self.payments_per_month.is_zero() {
            return min;
        }
        let needed = if self.peak_factor.is_zero() { max } else { max / self.peak_factor };
        needed.max(min).min(max.max(min))
    }

    /// How many months of what is written each month are stored, if it is deleted after some days.
    pub fn months_kept(&self, days: Option<u32>) -> Decimal {
        let kept = days.map(|days| Decimal::from(days) * Decimal::from(24) / super::HOURS);
        kept.map_or(self.age_months, |kept| kept.min(self.age_months))
    }

    /// How many of so many calls fail.
    pub fn failures(&self, calls: Decimal) -> Decimal {
        calls * self.failures_per_thousand / Decimal::ONE_THOUSAND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_lie_between_the_limits() {
        let assume = Assumptions::default();
        let n = Decimal::from;
        assert_eq!(assume.average(n(2), n(10)), n(2));
        assert_eq!(assume.average(n(1), n(10)), n(2));
        assert_eq!(assume.average(n(4), n(4)), n(4));
        assert_eq!(assume.average(n(3), n(2)), n(3));
        let idle = Assumptions { payments_per_month: Decimal::ZERO, ..assume };
        assert_eq!(idle.average(n(1), n(10)), n(1));
    }

    #[test]
    fn each_difference_of_two_assumptions_is_named() {
        let one = Assumptions::default();
        assert_eq!(one.differences(&one), []);
        let own = BTreeMap::from([(Driver::Reads, Decimal::TEN)]);
        let other = Assumptions {
            payments_per_month: Decimal::ONE,
            free_quantities: true,
            resources: BTreeMap::from([("dynamodb.table/a".to_owned(), own)]),
            ..one.clone()
        };
        let found = one.differences(&other);
        let keys: Vec<&str> = found.iter().map(|found| found.key.as_str()).collect();
        assert_eq!(keys, ["dynamodb.table/a reads", "free_quantities", "payments_per_month"]);
        assert_eq!((found[0].used, found[0].other), (None, Some(Decimal::TEN)));
        assert_eq!(found[2].other, Some(Decimal::ONE));
    }

    #[test]
    fn data_is_kept_for_its_days_or_for_the_age_of_the_environment() {
        let assume = Assumptions::default();
        assert_eq!(assume.months_kept(None), Decimal::from(12));
        assert_eq!(assume.months_kept(Some(73)), "2.4".parse().unwrap());
        assert_eq!(assume.months_kept(Some(4000)), Decimal::from(12));
    }
}
