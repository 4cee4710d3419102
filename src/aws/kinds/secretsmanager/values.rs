//! Values that people bring: which secrets take one, and which wait for it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::attachment::Attachment;
use super::rotation::Rotation;
use super::secret::Secret;
use crate::aws::resource::Resource as _;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Desired;
use payctl_engine::model::live::Owner;
use payctl_engine::survey::Snapshot;

/// The most bytes that Secrets Manager takes.
pub(crate) const LONGEST: usize = 65_536;

/// Why a secret does not take a value from people.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Closed<'a> {
    /// There is no such secret; these exist.
    Unknown(Vec<&'a str>),
    /// Its value is generated.
    Generated(&'a Desired),
    /// A database or a rotation depends on its value.
    Used(&'a Desired),
}

/// The secret of this logical name, if people may bring a value for it.
pub(crate) fn find<'a>(
    resources: &'a BTreeMap<Address, Desired>,
    name: &str,
) -> Result<&'a Desired, Closed<'a>> {
    let of = |kind: &str| resources.get(&Address::new(kind, name));
    let Some(desired) = of(Secret::META.kind) else {
        let addresses = resources.keys().filter(|address| address.kind == Secret::META.kind);
        return Err(Closed::Unknown(addresses.map(|address| address.name.as_str()).collect()));
    };
    if is_generated(desired) {
        return Err(Closed::Generated(desired));
    }
    match of(Attachment::META.kind).or_else(|| of(Rotation::META.kind)) {
        Some(_) => Err(Closed::Used(desired)),
        None => Ok(desired),
    }
}

/// The secrets that wait for somebody to bring their value.
pub(crate) fn waiting<'a>(
    resources: &'a BTreeMap<Address, Desired>,
    snapshot: &Snapshot,
) -> Vec<&'a Desired> {
    if snapshot.unseen(Secret::META.kind).is_some() {
        return Vec::new();
    }
    let has_value = |desired: &Desired| {
        let found = snapshot.get(&desired.address).into_iter().flatten();
        let mut ours = found.filter(|found| found.owner == Owner::Ours);
        ours.any(|found| found.live.spec.get("has_value") == Some(&Value::Bool(true)))
    };
    let secrets = resources.values().filter(|desired| desired.address.kind == Secret::META.kind);
    secrets.filter(|desired| !is_generated(desired) && !has_value(desired)).collect()
}

fn is_generated(desired: &Desired) -> bool {
    desired.spec.get("generate").is_some_and(|value| !value.is_null())
}
