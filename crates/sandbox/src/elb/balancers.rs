//! Load balancers with their attributes and network interfaces.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::ec2::lent::{self, Lent};
use super::super::ec2::zones;
use super::super::toolbox::{KEY_VALUE, Tags, add_tags, iso, need, tag_list, text, texts};
use super::super::{Answer, Refusal, World};
use super::{
    INVALID, State, TAGS, arn_of, check_name, invalid, is_in, listed, missing, set_attributes,
    shown,
};

/// A load balancer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Balancer {
    pub name: String,
    pub kind: String,
    scheme: String,
    pub vpc: String,
    /// Subnets by zone.
    subnets: BTreeMap<String, String>,
    groups: Vec<String>,
    attributes: BTreeMap<String, String>,
    pub tags: Tags,
    interfaces: Vec<String>,
    made: f64,
}

/// How long a strict sandbox takes to create one, and its interfaces to go.
const PROVISIONING: f64 = 120.0;
const LINGERING: f64 = 60.0;

const PROTECTION: &str = "deletion_protection.enabled";

fn defaults(kind: &str) -> BTreeMap<String, String> {
    let common = [
        (PROTECTION, "false"),
        ("access_logs.s3.enabled", "false"),
        ("access_logs.s3.bucket", ""),
        ("access_logs.s3.prefix", ""),
        ("load_balancing.cross_zone.enabled", if kind == "network" { "false" } else { "true" }),
        ("zonal_shift.config.enabled", "false"),
    ];
    let application: &[(&str, &str)] = &[
        ("client_keep_alive.seconds", "3600"),
        ("connection_logs.s3.enabled", "false"),
        ("connection_logs.s3.bucket", ""),
        ("connection_logs.s3.prefix", ""),
        ("health_check_logs.s3.enabled", "false"),
        ("health_check_logs.s3.bucket", ""),
        ("health_check_logs.s3.prefix", ""),
        ("idle_timeout.timeout_seconds", "60"),
        ("routing.http2.enabled", "true"),
        ("routing.http.desync_mitigation_mode", "defensive"),
        ("routing.http.drop_invalid_header_fields.enabled", "false"),
        ("routing.http.preserve_host_header.enabled", "false"),
        ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false"),
        ("routing.http.xff_client_port.enabled", "false"),
        ("routing.http.xff_header_processing.mode", "append"),
        ("waf.fail_open.enabled", "false"),
    ];
    let network: &[(&str, &str)] = &[
        ("dns_record.client_routing_policy", "any_availability_zone"),
        ("secondary_ips.auto_assigned.per_subnet", "0"),
    ];
    let own = if kind == "network" { network } else { application };
    let all = common.iter().chain(own);
    all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl Balancer {
    /// Its name in metrics and interfaces.
    fn metric(&self, id: &str) -> String {
        let word = if self.kind == "network" { "net" } else { "app" };
        format!("{word}/{}/{id}", self.name)
    }

    /// Whether a request with the same name has the same settings.
    fn is_like(&self, other: &Self) -> bool {
        (&self.kind, &self.scheme, &self.subnets, &self.groups, &self.tags)
            == (&other.kind, &other.scheme, &other.subnets, &other.groups, &other.tags)
    }
}

fn render(world: &World, arn: &str, one: &Balancer) -> Value {
    let region = arn.split(':').nth(3).unwrap_or_default();
    let is_new = world.base.strict && world.base.now() < one.made + PROVISIONING;
    let zones = one.subnets.iter().map(|(zone, subnet)| {
        json!({ "ZoneName": zone, "SubnetId": subnet, "LoadBalancerAddresses": [] })
    });
    let id = arn.rsplit('/').next().unwrap_or_default();
    let is_network = one.kind == "network";
    let dns = match (is_network, one.scheme.as_str()) {
        (true, _) => format!("{}-{id}.elb.{region}.amazonaws.com", one.name),
        (false, "internal") => format!("internal-{}-{id}.{region}.elb.amazonaws.com", one.name),
        (false, _) => format!("{}-{id}.{region}.elb.amazonaws.com", one.name),
    };
    let has_groups = !(is_network && one.groups.is_empty());
    json!({
        "LoadBalancerArn": arn,
        "LoadBalancerName": one.name,
        "Type": one.kind,
        "Scheme": one.scheme,
        "VpcId": one.vpc,
        "IpAddressType": "ipv4",
        "DNSName": dns,
        "CanonicalHostedZoneId": if is_network { "Z26RNL4JYFTOTI" } else { "Z35SXDOTRQ7X7K" },
        "CreatedTime": iso(one.made),
        "State": { "Code": if is_new { "provisioning" } else { "active" } },
        "AvailabilityZones": zones.collect::<Vec<_>>(),
        "SecurityGroups": has_groups.then_some(&one.groups),
    })
}

/// The VPC and the subnets by zone, if a load balancer can use them.
fn placed(
    world: &World,
    region: &str,
    kind: &str,
    scheme: &str,
    subnets: &[String],
) -> Result<(String, BTreeMap<String, String>), Refusal> {
    let mut zones = BTreeMap::new();
    let mut vpcs = BTreeSet::new();
    for subnet in subnets {
        let place = lent::place(world, region, subnet).ok_or_else(|| {
            let message = format!("The subnet ID '{subnet}' does not exist");
            Refusal::new("SubnetNotFound", message)
        })?;
        vpcs.insert(place.vpc);
        if kind == "network" && zones::is_full(region, &place.zone) {
            let zone = &place.zone;
            let message = format!("Load balancers with type 'network' are not supported in {zone}");
            return Err(invalid(message));
        }
        if scheme == "internet-facing" && !place.leads_out {
            let message = format!("The subnet '{subnet}' has no route to an internet gateway");
            return Err(Refusal::new("InvalidSubnet", message));
        }
        if zones.insert(place.zone, subnet.clone()).is_some() {
            let message = "A load balancer cannot be attached to multiple subnets in the same Availability Zone";
            return Err(Refusal::new("InvalidConfigurationRequest", message));
        }
    }
    if zones.len() < 2 && kind == "application" {
        return Err(invalid(
            "At least two subnets in two different Availability Zones must be specified",
        ));
    }
    let vpc = vpcs.pop_first().ok_or_else(|| invalid("At least one subnet must be specified"))?;
    if vpcs.is_empty() {
        Ok((vpc, zones))
    } else {
        Err(invalid("All subnets must belong to the same VPC"))
    }
}

fn check_groups(world: &World, region: &str, vpc: &str, groups: &[String]) -> Result<(), Refusal> {
    let wrong = groups.iter().find(|group| lent::vpc_of_group(world, region, group) != Some(vpc));
    match wrong {
        None => Ok(()),
        Some(group) => {
            let message = format!("One or more security groups are invalid: '{group}'");
            Err(Refusal::new("InvalidSecurityGroup", message))
        }
    }
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "Name", INVALID)?;
    check_name(name, "Load balancer")?;
    if name.starts_with("internal-") {
        return Err(invalid(format!("Load balancer name '{name}' cannot begin with 'internal-'")));
    }
    let kind = text(input, "Type").unwrap_or("application");
    let scheme = text(input, "Scheme").unwrap_or("internet-facing");
    let (vpc, subnets) = placed(world, region, kind, scheme, &texts(input, "Subnets"))?;
    let mut groups = texts(input, "SecurityGroups");
    check_groups(world, region, &vpc, &groups)?;
    if groups.is_empty() && kind == "application" {
        groups.extend(lent::default_group(world, region, &vpc));
    }
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
    let one = Balancer {
        name: name.to_owned(),
        kind: kind.to_owned(),
        scheme: scheme.to_owned(),
        vpc,
        subnets,
        groups,
        attributes: defaults(kind),
        tags,
        interfaces: Vec::new(),
        made: world.base.now().floor(),
    };
    let mut known = world.elb.balancers.iter();
    if let Some((arn, old)) = known.find(|(arn, old)| is_in(region, arn) && old.name == name) {
        return if old.is_like(&one) {
            Ok(json!({ "LoadBalancers": [render(world, arn, old)] }))
        } else {
            let message = format!(
                "A load balancer with the same name '{name}' exists, but with different settings"
            );
            Err(Refusal::new("DuplicateLoadBalancerName", message))
        };
    }
    let id = format!("{:016x}", world.base.number());
    let arn = arn_of(region, &format!("loadbalancer/{}", one.metric(&id)));
    world.elb.balancers.insert(arn.clone(), one);
    let placed = place(world, region, &arn);
    if placed.is_err() {
        world.elb.balancers.remove(&arn);
    }
    placed?;
    Ok(json!({ "LoadBalancers": [render(world, &arn, &world.elb.balancers[&arn])] }))
}

/// Creates an interface in each subnet, and releases the old ones.
fn place(world: &mut World, region: &str, arn: &str) -> Result<(), Refusal> {
    let Some(one) = world.elb.balancers.get(arn).cloned() else { return Ok(()) };
    let id = arn.rsplit('/').next().unwrap_or_default();
    for old in &one.interfaces {
        lent::take_back(world, region, old, 0.0);
    }
    let mut interfaces = Vec::new();
    for subnet in one.subnets.values() {
        let lent = Lent {
            subnet: subnet.clone(),
            groups: one.groups.clone(),
            description: format!("ELB {}", one.metric(id)),
            kind: "interface".into(),
            owner: "amazon-elb".into(),
            public: one.scheme == "internet-facing",
            ..Lent::default()
        };
        interfaces.push(lent::lend(world, region, lent)?);
    }
    if let Some(one) = world.elb.balancers.get_mut(arn) {
        one.interfaces = interfaces;
    }
    Ok(())
}

pub(super) fn describe(world: &World, region: &str, input: &Value) -> Answer {
    let (arns, names) = (texts(input, "LoadBalancerArns"), texts(input, "Names"));
    let all = &world.elb.balancers;
    if let Some(unknown) = arns.iter().find(|arn| !all.contains_key(*arn)) {
        return Err(missing(unknown));
    }
    if let Some(unknown) = names.iter().find(|name| !all.values().any(|one| one.name == **name)) {
        return Err(missing(unknown));
    }
    let here = all.iter().filter(|(arn, one)| {
        is_in(region, arn)
            && (arns.is_empty() || arns.contains(arn))
            && (names.is_empty() || names.contains(&one.name))
    });
    let shown = here.map(|(arn, one)| (arn.clone(), render(world, arn, one))).collect();
    Ok(listed(input, "LoadBalancers", shown))
}

fn find<'s>(state: &'s State, input: &Value) -> Result<(String, &'s Balancer), Refusal> {
    let arn = need(input, "LoadBalancerArn", INVALID)?;
    let one = state.balancers.get(arn).ok_or_else(|| missing(arn))?;
    Ok((arn.to_owned(), one))
}

pub(super) fn attributes(state: &State, input: &Value) -> Answer {
    Ok(shown(&find(state, input)?.1.attributes))
}

/// Sets attributes. The bucket of access logs must exist.
pub(super) fn modify(world: &mut World, input: &Value) -> Answer {
    let (arn, one) = find(&world.elb, input)?;
    let attributes = set_attributes(&one.attributes, input)?;
    if attributes["access_logs.s3.enabled"] == "true" {
        let bucket = &attributes["access_logs.s3.bucket"];
        if !world.s3.buckets.contains_key(bucket) {
            let message =
                format!("Access Denied for bucket: {bucket}. Please check S3bucket permission");
            return Err(Refusal::new("InvalidConfigurationRequest", message));
        }
    }
    let answer = shown(&attributes);
    if let Some(one) = world.elb.balancers.get_mut(&arn) {
        one.attributes = attributes;
    }
    Ok(answer)
}

pub(super) fn set_groups(world: &mut World, region: &str, input: &Value) -> Answer {
    let (arn, one) = find(&world.elb, input)?;
    let groups = texts(input, "SecurityGroups");
    check_groups(world, region, &one.vpc, &groups)?;
    if one.kind == "network" && one.groups.is_empty() {
        let message = "You cannot add security groups to a load balancer that was made without";
        return Err(Refusal::new("InvalidConfigurationRequest", message));
    }
    for interface in one.interfaces.clone() {
        lent::regroup(world, region, &interface, &groups);
    }
    let answer = json!({ "SecurityGroupIds": groups });
    if let Some(one) = world.elb.balancers.get_mut(&arn) {
        one.groups = groups;
    }
    Ok(answer)
}

pub(super) fn set_subnets(world: &mut World, region: &str, input: &Value) -> Answer {
    let (arn, one) = find(&world.elb, input)?;
    let (kind, scheme) = (one.kind.clone(), one.scheme.clone());
    let (_, subnets) = placed(world, region, &kind, &scheme, &texts(input, "Subnets"))?;
    let zones: Vec<Value> = subnets
        .iter()
        .map(|(zone, subnet)| json!({ "ZoneName": zone, "SubnetId": subnet }))
        .collect();
    if let Some(one) = world.elb.balancers.get_mut(&arn) {
        one.subnets = subnets;
    }
    place(world, region, &arn)?;
    Ok(json!({ "AvailabilityZones": zones }))
}

/// Deletes a load balancer with its listeners. A missing one is not an error.
pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let arn = need(input, "LoadBalancerArn", INVALID)?;
    let Some(one) = world.elb.balancers.get(arn).cloned() else { return Ok(json!({})) };
    if one.attributes[PROTECTION] == "true" {
        let message = format!(
            "Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        );
        return Err(Refusal::new("OperationNotPermitted", message));
    }
    let after = if world.base.strict { LINGERING } else { 0.0 };
    for interface in &one.interfaces {
        lent::take_back(world, region, interface, after);
    }
    let State { listeners, rules, .. } = &mut world.elb;
    listeners.retain(|_, listener| listener.balancer != arn);
    rules.retain(|_, rule| listeners.contains_key(&rule.listener));
    world.elb.balancers.remove(arn);
    Ok(json!({}))
}
