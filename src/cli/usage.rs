//! What `[usage.resources]` says of single resources, held against what counts for them.

use payctl_money::load::Assumptions;

use super::cost::specs;
use crate::aws::costs;
use crate::config::{KeyPath, Loaded, Problem};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;

/// The numbers that no cost follows from, each with its place.
pub(super) fn problems(
    loaded: &Loaded,
    blueprint: &Blueprint,
    assume: &Assumptions,
) -> Vec<Problem> {
    let resources = specs(blueprint);
    let all = KeyPath::of("usage").key("resources");
    let mut problems = Vec::new();
    for (name, stated) in &assume.resources {
        let path = all.key(name);
        let Some(address) = resources.keys().find(|address| address.to_string() == *name) else {
            let message = format!("this environment does not have {name}");
            problems.push(loaded.problem(&path, message, nearest(&resources, name)));
            continue;
        };
        let known = costs::drivers(&resources, assume, address);
        for driver in stated.keys().filter(|driver| !known.contains(driver)) {
            let known: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
            let fix = match known.as_slice() {
                [] => "remove it: the cost of this resource does not follow its load".to_owned(),
                known => format!("use {}", known.join(" or ")),
            };
            let key = driver.to_string();
            let message = format!("`{key}` does not count for {name}");
            problems.push(loaded.problem(&path.key(&key), message, fix));
        }
    }
    problems
}

/// The address that looks most like a name.
fn nearest(resources: &costs::Resources, name: &str) -> String {
    let addresses = resources.keys().map(Address::to_string);
    let alike = addresses.map(|address| (strsim::jaro_winkler(name, &address), address));
    match alike.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
        Some((_, address)) => format!("use an address of `payctl graph`, such as `{address}`"),
        None => "remove it".to_owned(),
    }
}
