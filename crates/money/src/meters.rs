//! What AWS measures: each meter with its unit, its free quantity, and where the price list has it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rust_decimal::Decimal;
use serde::Deserialize;

/// One meter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// The unit of its quantity.
    pub unit: String,
    /// The quantity of a month that AWS never charges.
    #[serde(default)]
    pub free: Option<Decimal>,
    /// Meters with one pool share its free quantity.
    #[serde(default)]
    pub pool: Option<String>,
    /// The code of the service in the price list.
    pub service: String,
    /// The usage type in the price list, without the region.
    pub usage: String,
    /// More usage types with the same price, of some regions or processors.
    #[serde(default)]
    pub also: Vec<String>,
    /// Further attributes in the price list, where a usage type has several prices.
    #[serde(default)]
    pub filter: BTreeMap<String, String>,
    /// Whether the usage type names no region.
    #[serde(default)]
    pub anywhere: bool,
    /// Why no list has a price that holds for everybody.
    #[serde(default)]
    pub unlisted: Option<String>,
    /// What lowers the price for those who commit to some use.
    #[serde(default)]
    pub commitment: Option<Commitment>,
    /// The types of instances that a meter with `*` in its name stands for.
    #[serde(default)]
    each: Vec<String>,
}

/// A commitment to use something for a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Commitment {
    /// A Compute Savings Plan: instances, Fargate, and the time of functions.
    ComputePlan,
    /// A Database Savings Plan: capacity units, newer classes of instances, capacity of tables.
    DatabasePlan,
    /// Reserved database instances, for classes that no plan covers.
    ReservedDatabase,
}

impl Commitment {
    /// What one commits to.
    pub fn words(self) -> &'static str {
        match self {
            Self::ComputePlan => "a Compute Savings Plan",
            Self::DatabasePlan => "a Database Savings Plan",
            Self::ReservedDatabase => "reserved database instances",
        }
    }

    /// The call of the AWS CLI that computes what it saves.
    pub fn asks(self) -> &'static str {
        match self {
            Self::ComputePlan => {
                "aws ce get-savings-plans-purchase-recommendation --savings-plans-type COMPUTE_SP \
                 --term-in-years ONE_YEAR --payment-option NO_UPFRONT --lookback-period-in-days \
                 THIRTY_DAYS"
            }
            Self::DatabasePlan => {
                "aws ce get-savings-plans-purchase-recommendation --savings-plans-type DATABASE_SP \
                 --term-in-years ONE_YEAR --payment-option NO_UPFRONT --lookback-period-in-days \
                 THIRTY_DAYS"
            }
            Self::ReservedDatabase => {
                "aws ce get-reservation-purchase-recommendation --service \"Amazon Relational Database \
                 Service\""
            }
        }
    }
}

impl Meter {
    /// Its usage types, without the region.
    pub fn usages(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.usage).chain(&self.also).map(String::as_str)
    }
}

static METERS: LazyLock<BTreeMap<String, Meter>> = LazyLock::new(|| {
    let written: BTreeMap<String, Meter> = toml::from_str(include_str!("../meters.toml"))
        .expect("the shipped table of meters is well-formed");
    written.into_iter().flat_map(|(name, meter)| each(name, meter)).collect()
});

/// The meters that one in the table stands for: itself, or one for each of its types.
fn each(name: String, meter: Meter) -> Vec<(String, Meter)> {
    if meter.each.is_empty() {
        return vec![(name, meter)];
    }
    let one = |kind: &String| {
        // The price list shortens the sizes of database classes: `db.r6g.2xl`.
        let listed = match meter.service.as_str() {
            "AmazonRDS" => kind.replace("xlarge", "xl"),
            _ => kind.clone(),
        };
        let usage = meter.usage.replace('*', &listed);
        (name.replace('*', kind), Meter { usage, each: Vec::new(), ..meter.clone() })
    };
    meter.each.iter().map(one).collect()
}

/// All meters by name.
pub fn all() -> &'static BTreeMap<String, Meter> {
    &METERS
}

/// The meter of this name.
pub fn find(name: &str) -> Option<&'static Meter> {
    METERS.get(name)
}

/// Whether something can be measured under this name. AWS has more types of instances than the table.
pub fn is_known(name: &str) -> bool {
    METERS.contains_key(name) || is_instance(name)
}

/// The unit of a meter.
pub fn unit(name: &str) -> &str {
    match find(name) {
        Some(meter) => &meter.unit,
        None if is_instance(name) => "hour",
        None => "",
    }
}

/// Whether a name is that of a type of instances: `ec2.m7g.metal`, `aurora.db.r6g.8xlarge`.
fn is_instance(name: &str) -> bool {
    let kind = name.strip_prefix("ec2.").or_else(|| name.strip_prefix("aurora.db."));
    let is_word = |word: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !word.is_empty() && word.bytes().all(fits)
    };
    kind.and_then(|kind| kind.split_once('.'))
        .is_some_and(|(family, size)| is_word(family) && is_word(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_of_instance_has_a_meter_under_the_name_of_the_list() {
        let usage = |meter: &str| find(meter).map(|meter| meter.usage.as_str());
        assert_eq!(usage("ec2.m7g.2xlarge"), Some("BoxUsage:m7g.2xlarge"));
        assert_eq!(usage("aurora.db.r6g.2xlarge"), Some("InstanceUsage:db.r6g.2xl"));
        assert_eq!(usage("aurora.db.t4g.medium"), Some("InstanceUsage:db.t4g.medium"));
        assert_eq!(usage("ec2.*"), None);
    }

    #[test]
    fn a_type_of_instances_that_no_table_has_can_still_be_priced() {
        for name in ["ec2.m8g.24xlarge", "ec2.u-6tb1.metal", "aurora.db.r6g.8xlarge"] {
            assert_eq!((is_known(name), unit(name)), (true, "hour"), "{name}");
        }
        for name in ["ec2.m8g", "ec2.*", "ec2.M8g.large", "aurora.r6g.large", "nat.house"] {
            assert_eq!((is_known(name), unit(name)), (false, ""), "{name}");
        }
        assert_eq!(unit("nat.gb"), "GB");
    }

    #[test]
    fn pools_have_one_free_quantity() {
        let mut pools: BTreeMap<&str, Decimal> = BTreeMap::new();
        for (name, meter) in all() {
            let Some(pool) = &meter.pool else { continue };
            let free =
                meter.free.unwrap_or_else(|| panic!("{name} shares a pool without a quantity"));
            assert_eq!(*pools.entry(pool).or_insert(free), free, "{name}");
        }
    }
}
