//! Gateway endpoints, and the prefix lists of the services behind them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::iso_millis;
use super::super::{ACCOUNT, Answer, Refusal};
use super::input::missing_parameter;
use super::listing::{self, Listing};
use super::{Cx, Region, found, found_mut, invalid, missing};

/// A gateway endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Endpoint {
    pub vpc: String,
    service: String,
    pub tables: BTreeSet<String>,
    policy: String,
    created: f64,
    /// The number of reads since its deletion.
    dead_reads: Option<u32>,
    /// When a call deleted it.
    died: f64,
}

/// The services with gateway endpoints, their prefix lists and ranges.
const SERVICES: [(&str, &str, &str); 2] =
    [("s3", "pl-63a5400a", "198.18.128.0/18"), ("dynamodb", "pl-02cd2c6b", "198.18.192.0/18")];

/// The policy of an endpoint if the call sent none.
const FULL_ACCESS: &str = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

/// How many reads show a deleted endpoint before it vanishes. The first shows it as `deleting`.
const WAKE: u32 = 4;
/// How long a strict sandbox shows a deleted endpoint as `deleting`, in seconds.
const GOING: f64 = 10.0;
/// How long a strict sandbox shows a deleted endpoint at all, in seconds.
const GONE: f64 = 60.0;

impl Endpoint {
    /// Whether no call has deleted it.
    pub(super) fn lives(&self) -> bool {
        self.dead_reads.is_none()
    }

    /// Ages a deleted endpoint by the clock, as reads do otherwise.
    fn grow_old(&mut self, now: f64) {
        let reads = match now - self.died {
            age if age < GOING => 0,
            age if age < GONE => 1,
            _ => WAKE,
        };
        self.dead_reads = self.dead_reads.map(|_| reads);
    }

    /// The prefix list that its routes are for.
    pub(super) fn prefix_list(&self) -> &'static str {
        let service = SERVICES.iter().find(|(name, ..)| self.service.ends_with(name));
        service.map_or("", |(_, list, _)| list)
    }
}

/// Whether a prefix list with this id exists.
pub(super) fn is_prefix_list(id: &str) -> bool {
    SERVICES.iter().any(|(_, list, _)| *list == id)
}

fn render(here: &Region, id: &str, endpoint: &Endpoint) -> Value {
    let state = match endpoint.dead_reads {
        None => "available",
        Some(0) => "deleting",
        Some(_) => "deleted",
    };
    json!({
        "vpcEndpointId": id,
        "vpcEndpointType": "Gateway",
        "vpcId": endpoint.vpc,
        "serviceName": endpoint.service,
        "state": state,
        "policyDocument": endpoint.policy,
        "routeTableIdSet": endpoint.tables,
        "subnetIdSet": [],
        "groupSet": [],
        "privateDnsEnabled": false,
        "requesterManaged": false,
        "networkInterfaceIdSet": [],
        "dnsEntrySet": [],
        "creationTimestamp": iso_millis(endpoint.created),
        "ownerId": ACCOUNT,
        "tagSet": here.tag_set(id),
    })
}

fn new_policy(cx: &Cx<'_>) -> Result<Option<String>, Refusal> {
    let Some(text) = cx.text("PolicyDocument").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(_)) => Ok(Some(text.to_owned())),
        _ => Err(Refusal::new("InvalidPolicyDocument", "The policy is not a JSON object.")),
    }
}

/// Checks that the tables can get the route: they are in the VPC and have no such route yet.
fn check(cx: &Cx<'_>, vpc: &str, service: &str, tables: &[String]) -> Result<(), Refusal> {
    for id in tables {
        if found(&cx.here.tables, "rtb", id)?.vpc != vpc {
            return Err(invalid(format!("Route table {id} does not belong to VPC {vpc}")));
        }
        let mut others = cx.here.endpoints.values().filter(|one| one.lives());
        if let Some(other) = others.find(|one| one.service == service && one.tables.contains(id)) {
            let list = other.prefix_list();
            let message = format!(
                "route table {id} already has a route with destination-prefix-list-id {list}"
            );
            return Err(Refusal::new("RouteAlreadyExists", message));
        }
    }
    Ok(())
}

pub(super) fn create(cx: &mut Cx<'_>) -> Answer {
    if let Some(token) = cx.replay()? {
        let live = token.ids.first().and_then(|id| Some((id, cx.here.endpoints.get(id)?)));
        return Ok(match live {
            Some((id, endpoint)) => json!({ "vpcEndpoint": render(cx.here, id, endpoint) }),
            None => token.answer,
        });
    }
    let (vpc, service) = (cx.need("VpcId")?, cx.need("ServiceName")?);
    found(&cx.here.vpcs, "vpc", vpc)?;
    if cx.text("VpcEndpointType").unwrap_or("Gateway") != "Gateway" {
        return Err(Refusal::new("UnsupportedOperation", "Only gateway endpoints are rehearsed."));
    }
    let region = &cx.call.region;
    if !SERVICES.iter().any(|(name, ..)| service == format!("com.amazonaws.{region}.{name}")) {
        let message = format!("The Vpc Endpoint Service '{service}' does not exist");
        return Err(Refusal::new("InvalidServiceName", message));
    }
    let tables = cx.list("RouteTableId");
    check(cx, vpc, service, &tables)?;
    let policy = new_policy(cx)?.unwrap_or_else(|| FULL_ACCESS.to_owned());
    let id = cx.make("vpce")?;
    let endpoint = Endpoint {
        vpc: vpc.to_owned(),
        service: service.to_owned(),
        tables: tables.into_iter().collect(),
        policy,
        created: cx.now(),
        dead_reads: None,
        died: 0.0,
    };
    let mut answer = json!({ "vpcEndpoint": render(cx.here, &id, &endpoint) });
    answer["clientToken"] = json!(cx.text("ClientToken"));
    cx.here.endpoints.insert(id.clone(), endpoint);
    cx.remember(vec![id], &answer);
    Ok(answer)
}

const LISTING: Listing = Listing {
    set: "vpcEndpointSet",
    ask: "VpcEndpointId",
    id: "vpcEndpointId",
    prefix: "vpce",
    filters: &[
        ("service-name", "serviceName"),
        ("vpc-endpoint-id", "vpcEndpointId"),
        ("vpc-endpoint-state", "state"),
        ("vpc-endpoint-type", "vpcEndpointType"),
        ("vpc-id", "vpcId"),
    ],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let strict = cx.base.strict;
    if strict {
        let now = cx.base.now();
        cx.here.endpoints.values_mut().for_each(|mut endpoint| endpoint.grow_old(now));
        bury(cx.here);
    }
    let all = cx.here.endpoints.iter().map(|(id, one)| render(cx.here, id, one)).collect();
    let answer = listing::answer(cx, &LISTING, all)?;
    if !strict {
        let asked = cx.list(LISTING.ask);
        for (id, mut endpoint) in cx.here.endpoints.iter_mut() {
            if asked.is_empty() || asked.contains(id) {
                endpoint.dead_reads = endpoint.dead_reads.map(|reads| reads + 1);
                cx.base.moved |= endpoint.dead_reads.is_some();
            }
        }
        bury(cx.here);
    }
    Ok(answer)
}

/// Forgets the deleted endpoints that reads have shown often enough.
fn bury(here: &mut Region) {
    let Region { endpoints, tags, .. } = here;
    endpoints.retain(|id, endpoint| {
        let stays = endpoint.dead_reads.is_none_or(|reads| reads < WAKE);
        if !stays {
            tags.remove(id);
        }
        stays
    });
}

pub(super) fn modify(cx: &mut Cx<'_>) -> Answer {
    let id = cx.need("VpcEndpointId")?;
    let endpoint = found(&cx.here.endpoints, "vpce", id)?.clone();
    if !endpoint.lives() {
        return Err(missing("vpce", id));
    }
    let (more, fewer) = (cx.list("AddRouteTableId"), cx.list("RemoveRouteTableId"));
    let new: Vec<_> = more.iter().filter(|one| !endpoint.tables.contains(*one)).cloned().collect();
    check(cx, &endpoint.vpc, &endpoint.service, &new)?;
    for one in &fewer {
        found(&cx.here.tables, "rtb", one)?;
    }
    let policy = match cx.text("ResetPolicy") {
        Some("true") => Some(FULL_ACCESS.to_owned()),
        _ => new_policy(cx)?,
    };
    let endpoint = found_mut(&mut cx.here.endpoints, "vpce", id)?;
    endpoint.tables.extend(new);
    endpoint.tables.retain(|table| !fewer.contains(table));
    if let Some(policy) = policy {
        endpoint.policy = policy;
    }
    Ok(json!({ "return": true }))
}

/// Deletes each. The answer lists failed deletions and is not an error.
pub(super) fn delete(cx: &mut Cx<'_>) -> Answer {
    let ids = cx.list("VpcEndpointId");
    if ids.is_empty() {
        return Err(missing_parameter("VpcEndpointId"));
    }
    let mut unsuccessful = Vec::new();
    for id in ids {
        match cx.here.endpoints.get_mut(&id).filter(|endpoint| endpoint.lives()) {
            Some(endpoint) => {
                endpoint.dead_reads = Some(0);
                endpoint.died = cx.base.now();
            }
            None => {
                let refusal = missing("vpce", &id);
                let error = json!({ "code": refusal.code, "message": refusal.message });
                unsuccessful.push(json!({ "resourceId": id, "error": error }));
            }
        }
    }
    Ok(json!({ "unsuccessful": unsuccessful }))
}

const PREFIX_LISTS: Listing = Listing {
    set: "prefixListSet",
    ask: "PrefixListId",
    id: "prefixListId",
    prefix: "pl",
    filters: &[
        ("owner-id", "ownerId"),
        ("prefix-list-id", "prefixListId"),
        ("prefix-list-name", "prefixListName"),
    ],
};

pub(super) fn prefix_lists(cx: &mut Cx<'_>) -> Answer {
    let all = SERVICES.iter().map(|(service, id, cidr)| {
        let name = format!("com.amazonaws.{}.{service}", cx.call.region);
        json!({ "prefixListId": id, "prefixListName": name, "cidrSet": [cidr] })
    });
    listing::answer(cx, &PREFIX_LISTS, all.collect())
}

pub(super) fn managed_prefix_lists(cx: &mut Cx<'_>) -> Answer {
    let region = &cx.call.region;
    let all = SERVICES.iter().map(|(service, id, _)| {
        json!({
            "prefixListId": id,
            "prefixListName": format!("com.amazonaws.{region}.{service}"),
            "prefixListArn": format!("arn:aws:ec2:{region}:aws:prefix-list/{id}"),
            "addressFamily": "IPv4",
            "state": "create-complete",
            "ownerId": "AWS",
            "tagSet": [],
        })
    });
    listing::answer(cx, &PREFIX_LISTS, all.collect())
}
