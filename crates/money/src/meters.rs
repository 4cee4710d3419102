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
}

impl Meter {
    /// Its usage types, without the region.
    pub fn usages(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.usage).chain(&self.also).map(String::as_str)
    }
}

static METERS: LazyLock<BTreeMap<String, Meter>> = LazyLock::new(|| {
    toml::from_str(include_str!("../meters.toml"))
        .expect("the shipped table of meters is well-formed")
});

/// All meters by name.
pub fn all() -> &'static BTreeMap<String, Meter> {
    &METERS
}

/// The meter of this name.
pub fn find(name: &str) -> Option<&'static Meter> {
    METERS.get(name)
}

#[cfg(test)]
mod tests {
    use super::*;

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
