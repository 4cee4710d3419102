//! Checks that AWS has the instance classes of a plan in their availability zones.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::error::{CliError, ErrorKind};
use crate::aws::clients::Aws;
use crate::aws::offers;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::text::each_ref;
use payctl_engine::plan::{Action, Change, Plan};

const SUBNET: &str = "ec2.subnet";
const TEMPLATE: &str = "ec2.launch_template";
const CLUSTER: &str = "rds.cluster";

/// A class of instances: an EC2 instance type, or a database class with its version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Machine(String),
    Database { class: String, version: String },
}

impl Class {
    fn name(&self) -> &str {
        match self {
            Self::Machine(name) | Self::Database { class: name, .. } => name,
        }
    }
}

/// Refuses a plan that would fail in the middle. It makes no call if the plan does not create an
/// instance or change a class.
pub(super) async fn check(aws: &Aws, blueprint: &Blueprint, plan: &Plan) -> Result<(), CliError> {
    let resources = &blueprint.resources;
    let mut known = BTreeMap::new();
    let mut refused = Vec::new();
    for change in &plan.changes {
        let wanted = change.want.as_ref().filter(|_| is_new(change));
        let Some(class) = wanted.and_then(|want| class(resources, want)) else { continue };
        let zones = zones(resources, &change.address);
        if !known.contains_key(&class) {
            let asked = match &class {
                Class::Machine(name) => offers::instance_type(aws, name).await,
                Class::Database { class, version } => {
                    offers::database_class(aws, version, class).await
                }
            };
            let asked = asked
                .map_err(|error| CliError::cloud("list the instance classes of each zone", &error));
            known.insert(class.clone(), asked?);
        }
        // If there are several zones, AWS uses one that has the class.
        let Some(offered) = &known[&class] else { continue };
        if zones.is_disjoint(offered) && !zones.is_empty() {
            refused.push((change, class, zones));
        }
    }
    let Some((_, class, _)) = refused.first() else { return Ok(()) };
    let offered = known[class].iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
    let classes: BTreeSet<&str> = refused.iter().map(|(_, class, _)| class.name()).collect();
    let classes = classes.into_iter().collect::<Vec<_>>().join(", ");
    let who = refused.iter().map(|(change, class, zones)| {
        let zones = zones.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("{} {} in {zones} ({})\n", change.address, class.name(), change.origin)
    });
    let has = match offered.is_empty() {
        true => format!("no zone of this region has {}", class.name()),
        false => format!("{} is available in {offered}", class.name()),
    };
    Err(CliError::new(ErrorKind::User, format!("AWS does not offer {classes} in these zones"))
        .because(format!("{}{has}", who.collect::<String>()))
        .hinted("choose another class, or set other zones in `zone_names` of [network]"))
}

/// Whether a change creates instances, or gives them another class.
fn is_new(change: &Change) -> bool {
    let is_class = |field: &str| matches!(field, "class" | "instance_type");
    matches!(change.action, Action::Create | Action::Replace)
        || change.fields.iter().any(|field| is_class(&field.path))
}

/// The class of the instances that a resource creates, if it creates any.
fn class(resources: &BTreeMap<Address, Desired>, want: &Desired) -> Option<Class> {
    let text = |spec: &Value, field: &str| spec[field].as_str().map(str::to_owned);
    match want.address.kind.as_str() {
        "ec2.instance" => text(&want.spec, "instance_type").map(Class::Machine),
        "autoscaling.group" => {
            let template = used(resources, &want.address, TEMPLATE).pop_first()?;
            text(&resources[&template].spec, "instance_type").map(Class::Machine)
        }
        "rds.instance" => {
            let cluster = used(resources, &want.address, CLUSTER).pop_first()?;
            let version = text(&resources[&cluster].spec, "engine_version")?;
            Some(Class::Database { class: text(&want.spec, "class")?, version })
        }
        _ => None,
    }
}

/// The zones of the subnets of a resource, or of the resource that it belongs to.
fn zones(resources: &BTreeMap<Address, Desired>, address: &Address) -> BTreeSet<String> {
    let subnets = used(resources, address, SUBNET).into_iter();
    let zone = |subnet: Address| resources[&subnet].spec["zone"].as_str().map(str::to_owned);
    subnets.filter_map(zone).collect()
}

/// The resources of a kind that a resource refers to, directly or through others of its own
/// service.
fn used(
    resources: &BTreeMap<Address, Desired>,
    address: &Address,
    kind: &str,
) -> BTreeSet<Address> {
    let Some(desired) = resources.get(address) else { return BTreeSet::new() };
    let mut all = BTreeSet::new();
    each_ref(&desired.spec, &mut |reference| {
        all.insert(reference.to.clone());
    });
    let found: BTreeSet<Address> =
        all.iter().filter(|to| to.kind == kind && resources.contains_key(*to)).cloned().collect();
    if !found.is_empty() {
        return found;
    }
    let service = |address: &Address| address.kind.split('.').next().map(str::to_owned);
    let own = all.iter().filter(|to| service(to) == service(address) && *to != address);
    own.flat_map(|to| used(resources, to, kind)).collect()
}
