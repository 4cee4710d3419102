//! `[usage]` and `[budget]`.

use std::collections::BTreeMap;

use payctl_money::load::{Assumptions, Driver};
use payctl_money::{Decimal, decimal};
use schemars::JsonSchema;
use serde::Deserialize;

/// What `payctl cost` assumes about a month. docs/cost.md has the model that it is computed with.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Payments in a month. Each payment calls every route of every API once, and every load balancer
    /// that faces the internet.
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub payments_per_month: Option<u64>,
    /// The size of a request in KB.
    #[schemars(range(max = 1_000_000))]
    pub request_kb: Option<u32>,
    /// The size of an answer in KB.
    #[schemars(range(max = 1_000_000))]
    pub response_kb: Option<u32>,
    /// The size of a record in a table, a bucket or a database in KB.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub item_kb: Option<u32>,
    /// How much one call logs, in KB.
    #[schemars(range(max = 1_000_000))]
    pub log_kb: Option<u32>,
    /// How much one call sends through NAT, in KB.
    #[schemars(range(max = 1_000_000))]
    pub nat_kb: Option<u32>,
    /// How long a function runs, in milliseconds.
    #[schemars(range(max = 900_000))]
    pub function_ms: Option<u32>,
    /// How many pages one question reads from or writes to the storage of a database.
    #[schemars(range(max = 1_000_000))]
    pub database_ios: Option<u32>,
    /// How many of a thousand calls fail. Topics and dead-letter queues get a message about each.
    #[schemars(range(max = 1000))]
    pub failures_per_thousand: Option<u32>,
    /// The load of the busiest hour, as a multiple of the average. The most that scaling allows is
    /// enough for that hour.
    #[schemars(range(min = 1, max = 1000))]
    pub peak_factor: Option<u32>,
    /// How many hours of a month the environment exists.
    #[schemars(range(min = 1, max = 730))]
    pub hours_per_month: Option<u32>,
    /// The age of the environment in months: that much stored data is counted.
    #[schemars(range(min = 1, max = 120))]
    pub age_months: Option<u32>,
    /// Whether to subtract the monthly quantities that AWS never charges. An account has them once, not
    /// each environment.
    #[serde(default)]
    pub free_quantities: bool,
    /// What is known better of single resources, by address: `"dynamodb.table/transactions"`.
    #[serde(default)]
    pub resources: BTreeMap<String, ResourceUsage>,
}

/// What one resource gets in a month. A number here replaces the computed one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceUsage {
    /// Requests to an API stage, a load balancer, a target group, a service or a web ACL.
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub requests: Option<u64>,
    /// Calls of a function.
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub calls: Option<u64>,
    /// How long a function runs, in milliseconds.
    #[schemars(range(max = 900_000))]
    pub milliseconds: Option<u64>,
    /// Messages to a queue, topic or subscription; events to a rule or detector.
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub messages: Option<u64>,
    /// Items that are read from a table; questions to a database.
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub reads: Option<u64>,
    /// Items that are written to a table.
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub writes: Option<u64>,
    /// Objects that are written to a bucket.
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub puts: Option<u64>,
    /// Objects that are read from a bucket.
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub gets: Option<u64>,
    /// Gigabytes that are written to a log group, a bucket or a flow log.
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub gb: Option<u64>,
    /// Gigabytes that a table or a database stores.
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub stored_gb: Option<u64>,
    /// Gigabytes through a NAT gateway.
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub nat_gb: Option<u64>,
    /// Questions for the value of a secret.
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub questions: Option<u64>,
}

/// The most that the environment may cost.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// US dollars in a month. payctl refuses an apply that goes over it, unless the apply lowers the cost.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub monthly: f64,
}

impl Budget {
    /// The same as a decimal: the digits of the config are what is meant.
    pub fn most(&self) -> Decimal {
        decimal(&self.monthly.to_string()).unwrap_or_default()
    }
}

impl Usage {
    /// The assumptions, with defaults for what is not set.
    pub fn assumptions(&self) -> Assumptions {
        let usual = Assumptions::default();
        let or = |own: Option<u32>, usual: Decimal| own.map_or(usual, Decimal::from);
        Assumptions {
            payments_per_month: self
                .payments_per_month
                .map_or(usual.payments_per_month, Decimal::from),
            request_kb: or(self.request_kb, usual.request_kb),
            response_kb: or(self.response_kb, usual.response_kb),
            item_kb: or(self.item_kb, usual.item_kb),
            log_kb: or(self.log_kb, usual.log_kb),
            nat_kb: or(self.nat_kb, usual.nat_kb),
            function_ms: or(self.function_ms, usual.function_ms),
            database_ios: or(self.database_ios, usual.database_ios),
            failures_per_thousand: or(self.failures_per_thousand, usual.failures_per_thousand),
            peak_factor: or(self.peak_factor, usual.peak_factor),
            hours_per_month: or(self.hours_per_month, usual.hours_per_month),
            age_months: or(self.age_months, usual.age_months),
            free_quantities: self.free_quantities,
            resources: self
                .resources
                .iter()
                .map(|(address, usage)| (address.clone(), usage.drivers()))
                .collect(),
        }
    }
}

impl ResourceUsage {
    fn drivers(&self) -> BTreeMap<Driver, Decimal> {
        let known = [
            (Driver::Requests, self.requests),
            (Driver::Calls, self.calls),
            (Driver::Milliseconds, self.milliseconds),
            (Driver::Messages, self.messages),
            (Driver::Reads, self.reads),
            (Driver::Writes, self.writes),
            (Driver::Puts, self.puts),
            (Driver::Gets, self.gets),
            (Driver::Gb, self.gb),
            (Driver::StoredGb, self.stored_gb),
            (Driver::NatGb, self.nat_gb),
            (Driver::Questions, self.questions),
        ];
        known.into_iter().filter_map(|(driver, value)| Some((driver, value?.into()))).collect()
    }
}
