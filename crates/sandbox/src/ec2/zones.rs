//! The facts of a region: zones, limits, instance types, images.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::toolbox::text;
use super::super::{Answer, Refusal};
use super::input::{list, missing_parameter};
use super::listing::{self, Listing};
use super::{Cx, invalid};

/// Regions with their long names.
const REGIONS: [(&str, &str); 17] = [
    ("ap-northeast-1", "Asia Pacific (Tokyo)"),
    ("ap-northeast-2", "Asia Pacific (Seoul)"),
    ("ap-northeast-3", "Asia Pacific (Osaka)"),
    ("ap-south-1", "Asia Pacific (Mumbai)"),
    ("ap-southeast-1", "Asia Pacific (Singapore)"),
    ("ap-southeast-2", "Asia Pacific (Sydney)"),
    ("ca-central-1", "Canada (Central)"),
    ("eu-central-1", "Europe (Frankfurt)"),
    ("eu-north-1", "Europe (Stockholm)"),
    ("eu-west-1", "Europe (Ireland)"),
    ("eu-west-2", "Europe (London)"),
    ("eu-west-3", "Europe (Paris)"),
    ("sa-east-1", "South America (Sao Paulo)"),
    ("us-east-1", "US East (N. Virginia)"),
    ("us-east-2", "US East (Ohio)"),
    ("us-west-1", "US West (N. California)"),
    ("us-west-2", "US West (Oregon)"),
];

/// The zone behind each letter in us-east-1, where AWS orders the zones differently for every
/// account.
const DEALT: [u8; 6] = [6, 1, 2, 4, 3, 5];

/// Instance types: name, virtual processors, memory in MiB, architecture.
const TYPES: [(&str, u32, u32, &str); 12] = [
    ("t3.nano", 2, 512, "x86_64"),
    ("t3.micro", 2, 1024, "x86_64"),
    ("t3.small", 2, 2048, "x86_64"),
    ("t3.medium", 2, 4096, "x86_64"),
    ("t4g.nano", 2, 512, "arm64"),
    ("t4g.micro", 2, 1024, "arm64"),
    ("t4g.small", 2, 2048, "arm64"),
    ("t4g.medium", 2, 4096, "arm64"),
    ("m7g.medium", 1, 4096, "arm64"),
    ("m7g.large", 2, 8192, "arm64"),
    ("c7g.medium", 1, 2048, "arm64"),
    ("c7g.large", 2, 4096, "arm64"),
];

/// The names of a region's zones.
pub(crate) fn names(region: &str) -> Vec<String> {
    let letters = if region == "us-east-1" { "abcdef" } else { "abc" };
    letters.chars().map(|letter| format!("{region}{letter}")).collect()
}

/// The id of a zone: `euw1-az1` for `eu-west-1a`.
pub(super) fn zone_id(region: &str, zone: &str) -> String {
    let letter = zone.bytes().last().unwrap_or(b'a');
    let mut short = String::new();
    for (at, part) in region.split('-').enumerate() {
        let directions = ["north", "south", "east", "west", "central"];
        let initials = || {
            let mut found: Vec<_> =
                directions.iter().filter_map(|one| Some((part.find(one)?, &one[..1]))).collect();
            found.sort_unstable();
            found.into_iter().map(|(_, initial)| initial).collect::<String>()
        };
        short.push_str(&if at == 1 { initials() } else { part.to_owned() });
    }
    let place = letter.saturating_sub(b'a');
    let dealt = DEALT.get(usize::from(place)).filter(|_| region == "us-east-1");
    format!("{short}-az{}", dealt.copied().unwrap_or(place + 1))
}

/// Whether a zone is closed to new objects: it has no network load balancers, no databases, and
/// none of today's instance types.
pub(crate) fn is_full(region: &str, zone: &str) -> bool {
    ["apne1-az3", "cac1-az3", "use1-az3", "usw1-az2"].contains(&&*zone_id(region, zone))
}

const ZONES: Listing = Listing {
    set: "availabilityZoneInfo",
    ask: "ZoneName",
    id: "zoneName",
    prefix: "",
    filters: &[
        ("group-name", "groupName"),
        ("opt-in-status", "optInStatus"),
        ("region-name", "regionName"),
        ("state", "zoneState"),
        ("zone-id", "zoneId"),
        ("zone-name", "zoneName"),
        ("zone-type", "zoneType"),
    ],
};

pub(super) fn zones(cx: &mut Cx<'_>) -> Answer {
    let region = &cx.call.region;
    let zones = names(region);
    if let Some(other) = cx.list("ZoneName").iter().find(|name| !zones.contains(name)) {
        return Err(invalid(format!("Invalid availability zone: [{other}]")));
    }
    let ids = cx.list("ZoneId");
    let long = REGIONS.iter().find(|(name, _)| name == region).map(|(_, long)| *long);
    let long = long.unwrap_or(region);
    let all = zones.iter().map(|name| (name, zone_id(region, name)));
    let wanted = all.filter(|(_, id)| ids.is_empty() || ids.contains(id));
    let shown = wanted.map(|(name, id)| {
        json!({
            "zoneName": name,
            "zoneId": id,
            "zoneState": "available",
            "zoneType": "availability-zone",
            "regionName": region,
            "groupName": format!("{region}-zg-1"),
            "groupLongName": format!("{long} 1"),
            "networkBorderGroup": region,
            "optInStatus": "opt-in-not-required",
            "messageSet": [],
        })
    });
    listing::answer(cx, &ZONES, shown.collect())
}

const REGION_LISTING: Listing = Listing {
    set: "regionInfo",
    ask: "RegionName",
    id: "regionName",
    prefix: "",
    filters: &[
        ("endpoint", "regionEndpoint"),
        ("opt-in-status", "optInStatus"),
        ("region-name", "regionName"),
    ],
};

pub(super) fn regions(cx: &mut Cx<'_>) -> Answer {
    let names = cx.list("RegionName");
    if let Some(other) = names.iter().find(|name| !REGIONS.iter().any(|(known, _)| known == name)) {
        return Err(invalid(format!("Invalid region(s): [{other}] provided.")));
    }
    let all = REGIONS.iter().map(|(name, _)| {
        json!({
            "regionName": name,
            "regionEndpoint": format!("ec2.{name}.amazonaws.com"),
            "optInStatus": "opt-in-not-required",
        })
    });
    listing::answer(cx, &REGION_LISTING, all.collect())
}

pub(super) fn account_attributes(cx: &mut Cx<'_>) -> Answer {
    let wanted = cx.list("AttributeName");
    let attributes = [
        ("supported-platforms", "VPC"),
        ("default-vpc", "none"),
        ("max-instances", "20"),
        ("vpc-max-security-groups-per-interface", "5"),
        ("max-elastic-ips", "5"),
        ("vpc-max-elastic-ips", "5"),
    ];
    let all = attributes
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name));
    let shown: Vec<_> = all
        .map(|(name, value)| {
            let values = json!([{ "attributeValue": value }]);
            json!({ "attributeName": name, "attributeValueSet": values })
        })
        .collect();
    Ok(json!({ "accountAttributeSet": shown }))
}

const TYPE_LISTING: Listing = Listing {
    set: "instanceTypeSet",
    ask: "InstanceType",
    id: "instanceType",
    prefix: "",
    filters: &[
        ("instance-type", "instanceType"),
        ("processor-info.supported-architecture", "processorInfo.supportedArchitectures"),
        ("current-generation", "currentGeneration"),
    ],
};

pub(super) fn types(cx: &mut Cx<'_>) -> Answer {
    let unknown = |asked: &String| !TYPES.iter().any(|(name, ..)| name == asked);
    if let Some(other) = cx.list("InstanceType").into_iter().find(unknown) {
        let message = format!("The following supplied instance types do not exist: [{other}]");
        return Err(Refusal::new("InvalidInstanceType", message));
    }
    let all = TYPES.iter().map(|(name, processors, memory, architecture)| {
        json!({
            "instanceType": name,
            "currentGeneration": true,
            "hypervisor": "nitro",
            "burstablePerformanceSupported": name.starts_with('t'),
            "processorInfo": { "supportedArchitectures": [architecture] },
            "vCpuInfo": { "defaultVCpus": processors },
            "memoryInfo": { "sizeInMiB": memory },
        })
    });
    listing::answer(cx, &TYPE_LISTING, all.collect())
}

const OFFERINGS: Listing = Listing {
    set: "instanceTypeOfferingSet",
    ask: "",
    id: "instanceType",
    prefix: "",
    filters: &[("instance-type", "instanceType"), ("location", "location")],
};

pub(super) fn type_offerings(cx: &mut Cx<'_>) -> Answer {
    let region = &cx.call.region;
    let by = cx.text("LocationType").unwrap_or("region");
    let open = names(region).into_iter().filter(|zone| !is_full(region, zone));
    let places: Vec<String> = match by {
        "region" => vec![region.clone()],
        "availability-zone" => open.collect(),
        "availability-zone-id" => open.map(|zone| zone_id(region, &zone)).collect(),
        other => return Err(invalid(format!("Invalid location type '{other}'."))),
    };
    // A call that names an instance type gets it, if the type can be launched.
    let asked = cx
        .items("Filter")
        .into_iter()
        .filter(|filter| text(filter, "Name") == Some("instance-type"));
    let mut types: BTreeSet<String> = asked.flat_map(|filter| list(filter, "Value")).collect();
    types.retain(|name| name.contains('.') && !name.contains(['*', '?']));
    types.extend(TYPES.map(|(name, ..)| name.to_owned()));
    let mut all: Vec<Value> = Vec::new();
    for name in types {
        all.extend(
            places.iter().map(
                |place| json!({ "instanceType": name, "locationType": by, "location": place }),
            ),
        );
    }
    listing::answer(cx, &OFFERINGS, all)
}

/// Describes the images that a call names. Any id is an image here.
pub(super) fn images(cx: &mut Cx<'_>) -> Answer {
    let ids = cx.list("ImageId");
    if ids.is_empty() {
        return Err(missing_parameter("ImageId"));
    }
    if let Some(other) = ids.iter().find(|id| !id.starts_with("ami-")) {
        let message = format!("Invalid id: \"{other}\" (expecting \"ami-...\")");
        return Err(Refusal::new("InvalidAMIID.Malformed", message));
    }
    let all: Vec<_> = ids
        .iter()
        .map(|id| {
            json!({
                "imageId": id,
                "name": format!("sandbox-{id}"),
                "imageState": "available",
                "imageType": "machine",
                "imageOwnerId": "137112412989",
                "imageOwnerAlias": "amazon",
                "isPublic": true,
                "architecture": "arm64",
                "rootDeviceName": "/dev/xvda",
                "rootDeviceType": "ebs",
                "virtualizationType": "hvm",
                "enaSupport": true,
            })
        })
        .collect();
    Ok(json!({ "imagesSet": all }))
}
