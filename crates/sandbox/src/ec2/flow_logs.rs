//! Flow logs of VPCs. A call cannot change them. A successful answer lists errors. A deleted VPC
//! leaves its flow logs behind.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{iso_millis, text};
use super::super::{ACCOUNT, Answer, Call, Refusal, World, iam, logs, s3};
use super::input::{list, missing_parameter};
use super::listing::{self, Listing};
use super::{Cx, Region, missing};

/// A flow log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct FlowLog {
    resource: String,
    traffic: String,
    kind: String,
    destination: String,
    role: Option<String>,
    interval: u32,
    created: f64,
}

/// The default format of a flow log.
const FORMAT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} \
                      ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} \
                      ${log-status}";

fn parameter(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameter", message)
}

/// Checks that AWS can deliver the records. EC2 tries the role, and adds itself to the policy of a
/// bucket. If the bucket does not exist, this is the answer of the call, which is not an error.
pub(super) fn prepare(world: &mut World, call: &Call) -> Result<Option<Value>, Refusal> {
    let input = &call.input;
    let destination = text(input, "LogDestination").unwrap_or_default();
    let kind = text(input, "LogDestinationType").unwrap_or("cloud-watch-logs");
    let wrong = match text(input, "LogGroupName") {
        Some(_) if !destination.is_empty() => {
            Some("Please only provide LogGroupName or only provide LogDestination.")
        }
        Some(_) if kind != "cloud-watch-logs" => {
            Some("LogDestination type must be cloud-watch-logs if LogGroupName is provided.")
        }
        None if destination.is_empty() => {
            Some("LogDestination can't be empty if LogGroupName is not provided.")
        }
        _ => None,
    };
    if let Some(message) = wrong {
        return Err(parameter(message));
    }
    if kind == "s3" {
        let bucket = destination.split(":::").nth(1).unwrap_or_default();
        let bucket = bucket.split('/').next().unwrap_or_default();
        if s3::admit_log_delivery(&mut world.s3, bucket, &call.region) {
            return Ok(None);
        }
        let refusal = Refusal::new("400", format!("LogDestination: {bucket} does not exist"));
        let resources = list(input, "ResourceId");
        let failed = resources.iter().map(|resource| failure(resource, &refusal)).collect();
        return Ok(Some(answer(input, Vec::new(), failed)));
    }
    let named = destination.split(":log-group:").nth(1).map(|name| name.trim_end_matches(":*"));
    let Some(group) = named.or_else(|| text(input, "LogGroupName")) else {
        return Err(missing_parameter("LogGroupName"));
    };
    let Some(role) = text(input, "DeliverLogsPermissionArn") else {
        let message = "DeliverLogsPermissionArn can't be empty if LogDestinationType is \
                       cloud-watch-logs.";
        return Err(parameter(message));
    };
    if !iam::can_assume(world, role, "vpc-flow-logs.amazonaws.com") {
        return Err(parameter("Unable to assume given IAM role"));
    }
    logs::ensure(world, &call.region, group);
    Ok(None)
}

fn render(here: &Region, id: &str, one: &FlowLog) -> Value {
    let group = one.destination.split(":log-group:").nth(1);
    let options = json!({
        "fileFormat": "plain-text", "hiveCompatiblePartitions": false, "perHourPartition": false,
    });
    json!({
        "flowLogId": id,
        "resourceId": one.resource,
        "trafficType": one.traffic,
        "logDestinationType": one.kind,
        "logDestination": one.destination,
        "logGroupName": group,
        "deliverLogsPermissionArn": one.role,
        "maxAggregationInterval": one.interval,
        "logFormat": FORMAT,
        "destinationOptions": Some(options).filter(|_| one.kind == "s3"),
        "flowLogStatus": "ACTIVE",
        "deliverLogsStatus": "SUCCESS",
        "creationTime": iso_millis(one.created),
        "tagSet": here.tag_set(id),
    })
}

/// The flow log that the request asks for, for one resource.
fn wanted_log(cx: &Cx<'_>, resource: &str) -> Result<FlowLog, Refusal> {
    let traffic = cx.text("TrafficType").unwrap_or_default();
    if !["ALL", "ACCEPT", "REJECT"].contains(&traffic) {
        return Err(parameter(format!("Invalid value '{traffic}' for TrafficType")));
    }
    let interval = cx.text("MaxAggregationInterval").unwrap_or("600");
    let interval = interval.parse().ok().filter(|seconds| [60, 600].contains(seconds));
    let interval = interval.ok_or_else(|| parameter("MaxAggregationInterval must be 60 or 600"))?;
    let kind = cx.text("LogDestinationType").unwrap_or("cloud-watch-logs");
    let named = || {
        let name = cx.text("LogGroupName").unwrap_or_default();
        format!("arn:aws:logs:{}:{ACCOUNT}:log-group:{name}", cx.call.region)
    };
    let destination = cx.text("LogDestination").map_or_else(named, str::to_owned);
    Ok(FlowLog {
        resource: resource.to_owned(),
        traffic: traffic.to_owned(),
        kind: kind.to_owned(),
        destination: destination.trim_end_matches(":*").to_owned(),
        role: cx.text("DeliverLogsPermissionArn").map(str::to_owned),
        interval,
        created: cx.now(),
    })
}

pub(super) fn create(cx: &mut Cx<'_>) -> Answer {
    if cx.text("ResourceType") != Some("VPC") {
        return Err(Refusal::new("UnsupportedOperation", "Only flow logs of VPCs are rehearsed."));
    }
    let resources = cx.list("ResourceId");
    if resources.is_empty() {
        return Err(missing_parameter("ResourceId"));
    }
    let (mut ids, mut unsuccessful) = (Vec::new(), Vec::new());
    for resource in resources {
        let wanted = wanted_log(cx, &resource)?;
        let same = |one: &FlowLog| {
            one.resource == wanted.resource
                && one.traffic == wanted.traffic
                && one.destination == wanted.destination
        };
        let refusal = if !cx.here.vpcs.contains_key(&resource) {
            missing("vpc", &resource)
        } else if cx.here.flow_logs.values().any(same) {
            let message = "There is an existing Flow Log with the same configuration and log \
                           destination.";
            Refusal::new("FlowLogAlreadyExists", message)
        } else {
            let id = cx.make("fl")?;
            cx.here.flow_logs.insert(id.clone(), wanted);
            ids.push(id);
            continue;
        };
        unsuccessful.push(failure(&resource, &refusal));
    }
    Ok(answer(&cx.call.input, ids, unsuccessful))
}

fn answer(input: &Value, ids: Vec<String>, unsuccessful: Vec<Value>) -> Value {
    let token = text(input, "ClientToken").unwrap_or_default();
    json!({ "clientToken": token, "flowLogIdSet": ids, "unsuccessful": unsuccessful })
}

fn failure(resource: &str, refusal: &Refusal) -> Value {
    let error = json!({ "code": refusal.code, "message": refusal.message });
    json!({ "resourceId": resource, "error": error })
}

const LISTING: Listing = Listing {
    set: "flowLogSet",
    ask: "FlowLogId",
    id: "flowLogId",
    prefix: "fl",
    filters: &[
        ("deliver-log-status", "deliverLogsStatus"),
        ("flow-log-id", "flowLogId"),
        ("log-destination-type", "logDestinationType"),
        ("log-group-name", "logGroupName"),
        ("resource-id", "resourceId"),
        ("traffic-type", "trafficType"),
    ],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let all = cx.here.flow_logs.iter().map(|(id, one)| render(cx.here, id, one)).collect();
    listing::answer(cx, &LISTING, all)
}

/// Deletes each. The answer lists failed deletions and is not an error.
pub(super) fn delete(cx: &mut Cx<'_>) -> Answer {
    let ids = cx.list("FlowLogId");
    if ids.is_empty() {
        return Err(missing_parameter("FlowLogId"));
    }
    let mut unsuccessful = Vec::new();
    for id in ids {
        match cx.here.flow_logs.remove(&id) {
            Some(_) => drop(cx.here.tags.remove(&id)),
            None => unsuccessful.push(failure(&id, &missing("fl", &id))),
        }
    }
    Ok(json!({ "unsuccessful": unsuccessful }))
}
