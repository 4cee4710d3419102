//! Claims about hosted zones and records.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::{REGION, ask, code};

fn dns(world: &mut World, operation: &str, input: Value) -> super::Answer {
    ask(world, "route53", operation, input)
}

fn zone(world: &mut World, name: &str) -> String {
    let input = json!({ "Name": name, "CallerReference": name });
    let made = dns(world, "CreateHostedZone", input).unwrap();
    made["HostedZone"]["Id"].as_str().unwrap().trim_start_matches("/hostedzone/").to_owned()
}

fn record(name: &str, kind: &str, values: &[&str]) -> Value {
    let values: Vec<Value> = values.iter().map(|value| json!({ "Value": value })).collect();
    json!({ "Name": name, "Type": kind, "TTL": "60", "ResourceRecords": values })
}

fn change(world: &mut World, zone: &str, changes: &[(&str, Value)]) -> super::Answer {
    let changes = changes
        .iter()
        .map(|(action, record)| json!({ "Action": action, "ResourceRecordSet": record }));
    let batch = json!({ "Changes": changes.collect::<Vec<_>>() });
    dns(world, "ChangeResourceRecordSets", json!({ "Id": zone, "ChangeBatch": batch }))
}

fn records(world: &mut World, more: Value) -> (Vec<String>, Value) {
    let answer = dns(world, "ListResourceRecordSets", more).unwrap();
    let sets = answer["ResourceRecordSets"]["ResourceRecordSet"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names = sets.map(|set| format!("{} {}", text(&set["Name"]), text(&set["Type"])));
    (names.collect(), answer)
}

#[test]
fn a_zone_comes_with_its_name_servers_and_is_deleted_when_it_is_empty() {
    let mut world = World::default();
    let input = json!({
        "Name": "Example.COM", "CallerReference": "a", "HostedZoneConfig": { "Comment": "c" },
    });
    let made = dns(&mut world, "CreateHostedZone", input.clone()).unwrap();
    assert_eq!(made["HostedZone"]["Name"], "example.com.");
    assert_eq!(made["HostedZone"]["ResourceRecordSetCount"], 2);
    assert_eq!(made["ChangeInfo"]["Status"], "PENDING");
    assert_eq!(code(dns(&mut world, "CreateHostedZone", input)), "HostedZoneAlreadyExists");
    let id = made["HostedZone"]["Id"].clone();
    let read = dns(&mut world, "GetHostedZone", json!({ "Id": id })).unwrap();
    assert_eq!(read["DelegationSet"], made["DelegationSet"]);
    assert_eq!(read["DelegationSet"]["NameServers"]["NameServer"].as_array().unwrap().len(), 4);
    let (names, _) = records(&mut world, json!({ "Id": id }));
    assert_eq!(names, ["example.com. NS", "example.com. SOA"]);
    let address = record("www.example.com", "A", &["192.0.2.1"]);
    let zone = id.as_str().unwrap().to_owned();
    change(&mut world, &zone, &[("CREATE", address.clone())]).unwrap();
    assert_eq!(
        code(dns(&mut world, "DeleteHostedZone", json!({ "Id": id }))),
        "HostedZoneNotEmpty"
    );
    change(&mut world, &zone, &[("DELETE", address)]).unwrap();
    dns(&mut world, "DeleteHostedZone", json!({ "Id": id })).unwrap();
    let gone = dns(&mut world, "GetHostedZone", json!({ "Id": id })).unwrap_err();
    assert_eq!((gone.status, gone.code.as_str()), (404, "NoSuchHostedZone"));
}

#[test]
fn records_are_in_the_order_of_their_reversed_names_and_in_pages() {
    let mut world = World::default();
    let id = zone(&mut world, "example.com");
    let all = [
        ("CREATE", record("b.example.com", "A", &["192.0.2.1"])),
        ("CREATE", record("a.b.example.com", "A", &["192.0.2.1"])),
        ("CREATE", record("*.example.com", "TXT", &["\"x\""])),
        ("CREATE", record("a.example.com", "CNAME", &["b.example.com"])),
    ];
    change(&mut world, &id, &all).unwrap();
    let (names, whole) = records(&mut world, json!({ "Id": id }));
    let expected = [
        "example.com. NS",
        "example.com. SOA",
        "\\052.example.com. TXT",
        "a.example.com. CNAME",
        "b.example.com. A",
        "a.b.example.com. A",
    ];
    assert_eq!(names, expected);
    assert_eq!(whole["IsTruncated"], false);
    let (first, page) = records(&mut world, json!({ "Id": id, "maxitems": "3" }));
    assert_eq!(first, expected[..3]);
    assert_eq!(
        [&page["IsTruncated"], &page["NextRecordName"], &page["NextRecordType"]],
        [&json!(true), &json!("a.example.com."), &json!("CNAME")]
    );
    let next = json!({ "Id": id, "name": page["NextRecordName"], "type": "CNAME" });
    assert_eq!(records(&mut world, next).0, expected[3..]);
    let wild = json!({ "Id": id, "name": "*.example.com" });
    assert_eq!(records(&mut world, wild).0, expected[2..]);
}

#[test]
fn a_batch_takes_effect_as_a_whole_or_says_all_that_is_wrong() {
    let mut world = World::default();
    let id = zone(&mut world, "example.com");
    let www = || record("www.example.com", "A", &["192.0.2.1"]);
    change(&mut world, &id, &[("CREATE", www())]).unwrap();
    let wrong = [
        ("UPSERT", record("new.example.com", "A", &["192.0.2.9"])),
        ("CREATE", www()),
        ("DELETE", record("none.example.com", "A", &["192.0.2.1"])),
        ("DELETE", record("www.example.com", "A", &["192.0.2.2"])),
        ("UPSERT", record("example.org", "A", &["192.0.2.1"])),
        ("UPSERT", record("www.example.com", "CNAME", &["a.b"])),
        ("UPSERT", record("example.com", "CNAME", &["a.b"])),
        ("UPSERT", record("bad.example.com", "A", &["x"])),
        ("UPSERT", record("bad.example.com", "TXT", &["x"])),
    ];
    let refused = change(&mut world, &id, &wrong).unwrap_err();
    assert_eq!(refused.code, "InvalidChangeBatch");
    let words = [
        "[Tried to create resource record set [name='www.example.com.', type='A'] but it already \
         exists, ",
        "Tried to delete resource record set [name='none.example.com.', type='A'] but it was not \
         found, ",
        "Tried to delete resource record set [name='www.example.com.', type='A'] but the values \
         provided do not match the current values, ",
        "RRSet with DNS name example.org. is not permitted in zone example.com., ",
        "RRSet of type CNAME with DNS name www.example.com. is not permitted as it conflicts with \
         other records with the same DNS name in zone example.com., ",
        "RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone \
         example.com., ",
        "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid \
         IPv4 address) encountered with 'x'', ",
        "Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be \
         enclosed in quotation marks) encountered with 'x'']",
    ];
    assert_eq!(refused.message, words.concat());
    assert_eq!(records(&mut world, json!({ "Id": id })).0.len(), 3);
    // An upsert replaces.
    let other = record("www.example.com", "A", &["192.0.2.2", "192.0.2.3"]);
    change(&mut world, &id, &[("UPSERT", other)]).unwrap();
    let swapped = record("www.example.com", "A", &["192.0.2.3", "192.0.2.2"]);
    change(&mut world, &id, &[("DELETE", swapped)]).unwrap();
    let servers = record("example.com", "NS", &["x"]);
    assert_eq!(code(change(&mut world, &id, &[("DELETE", servers)])), "InvalidChangeBatch");
}

#[test]
fn aliases_have_no_seconds_and_weights_stand_beside_each_other() {
    let mut world = World::default();
    let id = zone(&mut world, "example.com");
    let target = json!({
        "HostedZoneId": "Z32O12XQLNTSW2", "DNSName": "Main-1.eu-west-1.elb.amazonaws.com",
        "EvaluateTargetHealth": "true",
    });
    let alias = json!({ "Name": "example.com", "Type": "A", "AliasTarget": target });
    let weighted = |set: &str, weight: &str| {
        let mut one = record("w.example.com", "A", &["192.0.2.1"]);
        one["SetIdentifier"] = json!(set);
        one["Weight"] = json!(weight);
        one
    };
    let all = [
        ("CREATE", alias),
        ("CREATE", weighted("blue", "90")),
        ("CREATE", weighted("green", "10")),
    ];
    change(&mut world, &id, &all).unwrap();
    let answer = dns(&mut world, "ListResourceRecordSets", json!({ "Id": id })).unwrap();
    let sets = answer["ResourceRecordSets"]["ResourceRecordSet"].as_array().unwrap();
    assert_eq!(
        sets[0],
        json!({ "Name": "example.com.", "Type": "A", "AliasTarget": {
            "HostedZoneId": "Z32O12XQLNTSW2", "DNSName": "main-1.eu-west-1.elb.amazonaws.com.",
            "EvaluateTargetHealth": true,
        } })
    );
    assert_eq!((&sets[3]["SetIdentifier"], &sets[4]["Weight"]), (&json!("blue"), &json!("10")));
    let neither = json!({ "Name": "x.example.com", "Type": "A" });
    let refused = change(&mut world, &id, &[("CREATE", neither)]).unwrap_err();
    assert_eq!(refused.code, "InvalidInput");
    assert!(refused.message.contains("but found none in Change with [Action=CREATE"));
}

#[tokio::test(start_paused = true)]
async fn a_change_takes_time_in_a_strict_sandbox() {
    let mut world = World::default();
    world.base.strict = true;
    let id = zone(&mut world, "example.com");
    let address = record("www.example.com", "A", &["192.0.2.1"]);
    let made = change(&mut world, &id, &[("CREATE", address)]).unwrap();
    let about = json!({ "Id": made["ChangeInfo"]["Id"] });
    let status = |world: &mut World| {
        dns(world, "GetChange", about.clone()).unwrap()["ChangeInfo"]["Status"].clone()
    };
    assert_eq!(status(&mut world), "PENDING");
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(status(&mut world), "INSYNC");
    assert_eq!(code(dns(&mut world, "GetChange", json!({ "Id": "C1" }))), "NoSuchChange");
}

#[test]
fn zones_are_listed_by_id_and_by_name() {
    let mut world = World::default();
    let (one, two) = (zone(&mut world, "b.example.com"), zone(&mut world, "example.com"));
    let names = |answer: &Value| -> Vec<String> {
        let zones = answer["HostedZones"]["HostedZone"].as_array().unwrap().iter();
        zones.map(|zone| zone["Name"].as_str().unwrap().to_owned()).collect()
    };
    let mut ids = [one, two, super::GIVEN.0.to_owned()];
    ids.sort();
    let first = dns(&mut world, "ListHostedZones", json!({ "maxitems": "1" })).unwrap();
    assert_eq!((&first["IsTruncated"], &first["NextMarker"]), (&json!(true), &json!(ids[1])));
    let rest = dns(&mut world, "ListHostedZones", json!({ "marker": ids[1] })).unwrap();
    assert_eq!((names(&rest).len(), &rest["IsTruncated"]), (2, &json!(false)));
    let by_name = dns(&mut world, "ListHostedZonesByName", json!({})).unwrap();
    assert_eq!(names(&by_name), ["example.com.", "example.com.", "b.example.com."]);
    let from = json!({ "dnsname": "b.example.com" });
    let from = dns(&mut world, "ListHostedZonesByName", from).unwrap();
    assert_eq!(names(&from), ["b.example.com."]);
}

#[test]
fn the_account_has_a_zone_that_does_not_count() {
    let mut world = World::default();
    assert_eq!(super::counts(&world.route53), [("hosted_zones", 0), ("records", 0)]);
    let id = super::GIVEN.0;
    let read = dns(&mut world, "GetHostedZone", json!({ "Id": id })).unwrap();
    assert_eq!(read["HostedZone"]["Name"], "example.com.");
    let address = record("www.example.com", "A", &["192.0.2.1"]);
    change(&mut world, id, &[("CREATE", address)]).unwrap();
    assert_eq!(super::counts(&world.route53), [("hosted_zones", 0), ("records", 1)]);
}

#[test]
fn a_private_zone_belongs_to_a_network() {
    let mut world = World::default();
    let vpc = ask(&mut world, "ec2", "CreateVpc", json!({ "CidrBlock": "10.0.0.0/16" })).unwrap();
    let mut input = json!({
        "Name": "internal", "CallerReference": "a", "HostedZoneConfig": { "PrivateZone": "true" },
    });
    assert_eq!(code(dns(&mut world, "CreateHostedZone", input.clone())), "InvalidInput");
    input["VPC"] = json!({ "VPCRegion": REGION, "VPCId": "vpc-1" });
    assert_eq!(code(dns(&mut world, "CreateHostedZone", input.clone())), "InvalidVPCId");
    input["VPC"]["VPCId"] = vpc["vpc"]["vpcId"].clone();
    let made = dns(&mut world, "CreateHostedZone", input).unwrap();
    assert_eq!(made["HostedZone"]["Config"]["PrivateZone"], true);
    let read = dns(&mut world, "GetHostedZone", json!({ "Id": made["HostedZone"]["Id"] })).unwrap();
    assert_eq!(read["VPCs"]["VPC"][0]["VPCId"], vpc["vpc"]["vpcId"]);
    assert!(read.get("DelegationSet").is_none());
    // Nobody outside can read it.
    let id = made["HostedZone"]["Id"].as_str().unwrap().to_owned();
    change(&mut world, &id, &[("CREATE", record("_a.internal", "CNAME", &["b.c"]))]).unwrap();
    assert!(!super::has_cname(&world.route53, "_a.internal", "b.c"));
}

#[test]
fn zones_have_tags() {
    let mut world = World::default();
    let id = zone(&mut world, "example.com");
    let of = |more: Value| {
        let mut input = more;
        input["ResourceType"] = json!("hostedzone");
        input["ResourceId"] = json!(id);
        input
    };
    let tags = json!([{ "Key": "a", "Value": "b" }, { "Key": "c", "Value": "d" }]);
    dns(&mut world, "ChangeTagsForResource", of(json!({ "AddTags": tags }))).unwrap();
    dns(&mut world, "ChangeTagsForResource", of(json!({ "RemoveTagKeys": ["c"] }))).unwrap();
    let read = dns(&mut world, "ListTagsForResource", of(json!({}))).unwrap();
    assert_eq!(read["ResourceTagSet"]["Tags"]["Tag"], json!([{ "Key": "a", "Value": "b" }]));
    let filter = json!({ "TagFilters": [{ "Key": "a" }] });
    let region = super::super::toolbox::testing::ask_in;
    let found = region(&mut world, "us-east-1", "tagging", "GetResources", filter).unwrap();
    let arn = format!("arn:aws:route53:::hostedzone/{id}");
    assert_eq!(found["ResourceTagMappingList"][0]["ResourceARN"], arn);
}
