//! Claims about certificates.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::{REGION, ask, code, make_balancer};

fn acm(world: &mut World, operation: &str, input: Value) -> super::Answer {
    ask(world, "acm", operation, input)
}

fn request(world: &mut World, more: Value) -> String {
    let mut input = json!({ "DomainName": "api.example.com", "ValidationMethod": "DNS" });
    for (key, value) in more.as_object().unwrap() {
        input[key] = value.clone();
    }
    let made = acm(world, "RequestCertificate", input).unwrap();
    made["CertificateArn"].as_str().unwrap().to_owned()
}

fn read(world: &mut World, arn: &str) -> Value {
    let input = json!({ "CertificateArn": arn });
    acm(world, "DescribeCertificate", input).unwrap()["Certificate"].clone()
}

/// Makes the record that proves a certificate, in a hosted zone of its own.
fn prove(world: &mut World, proof: &Value) {
    let input = json!({ "Name": "example.com", "CallerReference": "a" });
    let zone = ask(world, "route53", "CreateHostedZone", input).unwrap();
    let record = json!({
        "Name": proof["Name"], "Type": "CNAME", "TTL": "300",
        "ResourceRecords": [{ "Value": proof["Value"] }],
    });
    let changes = json!([{ "Action": "UPSERT", "ResourceRecordSet": record }]);
    let input = json!({ "Id": zone["HostedZone"]["Id"], "ChangeBatch": { "Changes": changes } });
    ask(world, "route53", "ChangeResourceRecordSets", input).unwrap();
}

#[test]
fn a_certificate_waits_for_its_record_and_is_issued_with_it() {
    let mut world = World::default();
    let arn = request(&mut world, json!({ "DomainName": "*.example.com" }));
    let pending = read(&mut world, &arn);
    let proof = &pending["DomainValidationOptions"][0];
    let record = proof["ResourceRecord"].clone();
    // As it was recorded.
    assert_eq!(
        pending,
        json!({
            "CertificateArn": arn, "CreatedAt": pending["CreatedAt"],
            "DomainName": "*.example.com",
            "DomainValidationOptions": [{
                "DomainName": "*.example.com", "ResourceRecord": record,
                "ValidationDomain": "*.example.com", "ValidationMethod": "DNS",
                "ValidationStatus": "PENDING_VALIDATION",
            }],
            "ExtendedKeyUsages": [], "InUseBy": [], "Issuer": "Amazon",
            "KeyAlgorithm": "RSA-2048", "KeyUsages": [],
            "Options": {
                "CertificateTransparencyLoggingPreference": "ENABLED", "Export": "DISABLED",
            },
            "RenewalEligibility": "INELIGIBLE", "SignatureAlgorithm": "SHA256WITHRSA",
            "Status": "PENDING_VALIDATION", "Subject": "CN=*.example.com",
            "SubjectAlternativeNames": ["*.example.com"], "Type": "AMAZON_ISSUED",
        })
    );
    let name = record["Name"].as_str().unwrap();
    assert!(name.starts_with('_') && name.ends_with(".example.com."), "{name}");
    assert!(record["Value"].as_str().unwrap().ends_with(".acm-validations.aws."));
    prove(&mut world, &record);
    let issued = read(&mut world, &arn);
    assert_eq!(issued["Status"], "ISSUED");
    assert_eq!(issued["DomainValidationOptions"][0]["ValidationStatus"], "SUCCESS");
    assert_eq!(issued["KeyUsages"][1], json!({ "Name": "KEY_ENCIPHERMENT" }));
    assert_eq!(
        issued["ExtendedKeyUsages"][0],
        json!({ "Name": "TLS_WEB_SERVER_AUTHENTICATION", "OID": "1.3.6.1.5.5.7.3.1" })
    );
    assert!(issued["NotAfter"].as_f64() > issued["IssuedAt"].as_f64());
    // The domain itself is proven by the same record.
    let other = request(&mut world, json!({ "DomainName": "example.com" }));
    assert_eq!(read(&mut world, &other)["Status"], "ISSUED");
    let third = request(&mut world, json!({ "DomainName": "other.com" }));
    assert_eq!(read(&mut world, &third)["Status"], "PENDING_VALIDATION");
    assert!(super::issue(&mut world, &third) && !super::issue(&mut world, "arn:none"));
    assert_eq!(read(&mut world, &third)["Status"], "ISSUED");
}

#[tokio::test(start_paused = true)]
async fn records_and_proof_take_time_in_a_strict_sandbox() {
    let mut world = World::default();
    world.base.strict = true;
    let arn = request(&mut world, json!({}));
    assert!(read(&mut world, &arn)["DomainValidationOptions"][0].get("ResourceRecord").is_none());
    tokio::time::advance(Duration::from_secs(6)).await;
    let record = read(&mut world, &arn)["DomainValidationOptions"][0]["ResourceRecord"].clone();
    prove(&mut world, &record);
    assert_eq!(read(&mut world, &arn)["Status"], "PENDING_VALIDATION");
    tokio::time::advance(Duration::from_secs(61)).await;
    let issued = read(&mut world, &arn);
    assert_eq!(issued["Status"], "ISSUED");
    assert!(issued.get("RenewalSummary").is_none());
    tokio::time::advance(Duration::from_secs(340 * 86_400)).await;
    let summary = read(&mut world, &arn)["RenewalSummary"].clone();
    assert_eq!(summary["RenewalStatus"], "PENDING_AUTO_RENEWAL");
}

#[test]
fn a_token_makes_a_request_the_same() {
    let mut world = World::default();
    let token = json!({ "IdempotencyToken": "a" });
    let first = request(&mut world, token.clone());
    assert_eq!(request(&mut world, token), first);
    assert_ne!(request(&mut world, json!({ "IdempotencyToken": "b" })), first);
    let names = json!({ "IdempotencyToken": "a", "SubjectAlternativeNames": ["x.example.com"] });
    assert_ne!(request(&mut world, names), first);
}

#[test]
fn a_list_leaves_out_unusual_keys_unless_asked() {
    let mut world = World::default();
    let usual = request(&mut world, json!({}));
    let other = request(&mut world, json!({ "KeyAlgorithm": "EC_prime256v1" }));
    let list = |world: &mut World, input: Value| {
        let listed = acm(world, "ListCertificates", input).unwrap();
        listed["CertificateSummaryList"].as_array().unwrap().clone()
    };
    let found = list(&mut world, json!({}));
    assert_eq!((found.len(), &found[0]["CertificateArn"]), (1, &json!(usual)));
    assert_eq!(
        [&found[0]["InUse"], &found[0]["ExportOption"], &found[0]["KeyAlgorithm"]],
        [&json!(false), &json!("DISABLED"), &json!("RSA-2048")]
    );
    let keys = json!({ "Includes": { "keyTypes": ["EC_prime256v1", "RSA_2048"] } });
    assert_eq!(list(&mut world, keys).len(), 2);
    assert_eq!(read(&mut world, &other)["KeyAlgorithm"], "EC-prime256v1");
    assert_eq!(list(&mut world, json!({ "CertificateStatuses": ["ISSUED"] })).len(), 0);
    let sorted = json!({ "SortBy": "CREATED_AT" });
    assert_eq!(code(acm(&mut world, "ListCertificates", sorted)), "InvalidArgsException");
}

#[test]
fn invalid_requests_are_refused() {
    let mut world = World::default();
    for (input, expected) in [
        (json!({ "DomainName": "nodots" }), "ValidationException"),
        (json!({ "DomainName": "a.b", "KeyAlgorithm": "RSA-2048" }), "ValidationException"),
        (json!({ "DomainName": "a.b", "ValidationMethod": "PHONE" }), "ValidationException"),
        (json!({ "DomainName": "a.b", "Tags": [{ "Key": "aws:x" }] }), "InvalidTagException"),
        (
            json!({
                "DomainName": "a.b",
                "SubjectAlternativeNames": (0..10).map(|n| format!("{n}.b")).collect::<Vec<_>>(),
            }),
            "LimitExceededException",
        ),
    ] {
        assert_eq!(code(acm(&mut world, "RequestCertificate", input)), expected);
    }
    let arn = format!("arn:aws:acm:{REGION}:000000000000:certificate/none");
    let gone = acm(&mut world, "DescribeCertificate", json!({ "CertificateArn": arn }));
    assert_eq!(code(gone), "ResourceNotFoundException");
    let bad = acm(&mut world, "DescribeCertificate", json!({ "CertificateArn": "arn:aws:s3:::b" }));
    assert_eq!(code(bad), "InvalidArnException");
}

#[test]
fn tags_and_options_change() {
    let mut world = World::default();
    let tags = json!([{ "Key": "a", "Value": "b" }]);
    let arn = request(&mut world, json!({ "Tags": tags }));
    let with = |tags: Value| json!({ "CertificateArn": arn, "Tags": tags });
    let more = json!([{ "Key": "c", "Value": "d" }]);
    acm(&mut world, "AddTagsToCertificate", with(more)).unwrap();
    let input = json!({ "TagFilters": [{ "Key": "c" }] });
    let found = ask(&mut world, "tagging", "GetResources", input).unwrap();
    assert_eq!(found["ResourceTagMappingList"][0]["ResourceARN"], json!(arn));
    // With a value, a tag goes only if it has this value.
    let gone = json!([{ "Key": "a", "Value": "x" }, { "Key": "c" }]);
    acm(&mut world, "RemoveTagsFromCertificate", with(gone)).unwrap();
    let about = json!({ "CertificateArn": arn });
    let left = acm(&mut world, "ListTagsForCertificate", about).unwrap();
    assert_eq!(left["Tags"], tags);
    let preference = "CertificateTransparencyLoggingPreference";
    let options = json!({ "CertificateArn": arn, "Options": { preference: "DISABLED" } });
    acm(&mut world, "UpdateCertificateOptions", options).unwrap();
    assert_eq!(read(&mut world, &arn)["Options"][preference], "DISABLED");
}

#[test]
fn a_listener_needs_an_issued_certificate_and_holds_it() {
    let mut world = World::default();
    let arn = request(&mut world, json!({}));
    let balancer = make_balancer(&mut world);
    let input = json!({
        "LoadBalancerArn": balancer.arn, "Port": "443", "Protocol": "HTTPS",
        "Certificates": [{ "CertificateArn": arn }],
        "DefaultActions": [{
            "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": "200" },
        }],
    });
    let listen =
        |world: &mut World| ask(world, "elasticloadbalancing", "CreateListener", input.clone());
    assert_eq!(code(listen(&mut world)), "UnsupportedCertificate");
    assert!(super::issue(&mut world, &arn));
    world.base.strict = true;
    assert_eq!(code(listen(&mut world)), "UnsupportedCertificate", "it is too new");
    world.base.strict = false;
    let made = listen(&mut world).unwrap();
    assert_eq!(read(&mut world, &arn)["InUseBy"], json!([balancer.arn]));
    assert_eq!(read(&mut world, &arn)["RenewalEligibility"], "ELIGIBLE");
    let about = json!({ "CertificateArn": arn });
    let used = acm(&mut world, "DeleteCertificate", about.clone()).unwrap_err();
    assert_eq!(used.code, "ResourceInUseException");
    let listener = json!({ "ListenerArn": made["Listeners"][0]["ListenerArn"] });
    ask(&mut world, "elasticloadbalancing", "DeleteListener", listener).unwrap();
    acm(&mut world, "DeleteCertificate", about).unwrap();
}
