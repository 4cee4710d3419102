//! Claims about custom domain names.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::super::World;
use super::super::super::toolbox::testing::{REGION, ask, code};

fn gateway(world: &mut World, operation: &str, input: Value) -> super::super::Answer {
    ask(world, "apigateway", operation, input)
}

fn certificate(world: &mut World, domain: &str) -> String {
    let input = json!({ "DomainName": domain, "ValidationMethod": "DNS" });
    let made = ask(world, "acm", "RequestCertificate", input).unwrap();
    made["CertificateArn"].as_str().unwrap().to_owned()
}

fn wanted(certificate: &str) -> Value {
    json!({
        "domainName": "api.example.com", "regionalCertificateArn": certificate,
        "endpointConfiguration": { "types": ["REGIONAL"] }, "tags": { "a": "b" },
    })
}

/// A world with an issued certificate and a domain name.
fn with_domain() -> (World, String) {
    let mut world = World::default();
    let arn = certificate(&mut world, "*.example.com");
    assert!(crate::acm::issue(&mut world, &arn));
    gateway(&mut world, "CreateDomainName", wanted(&arn)).unwrap();
    (world, arn)
}

fn about() -> Value {
    json!({ "domain": "api.example.com" })
}

/// An API with a stage.
fn api(world: &mut World) -> String {
    let made = gateway(world, "CreateRestApi", json!({ "name": "a" })).unwrap();
    let id = made["id"].as_str().unwrap().to_owned();
    let resources = gateway(world, "GetResources", json!({ "api": id })).unwrap();
    let mut at = json!({
        "api": id, "resource": resources["item"][0]["id"], "method": "GET",
        "authorizationType": "NONE",
    });
    gateway(world, "PutMethod", at.clone()).unwrap();
    at["type"] = json!("MOCK");
    gateway(world, "PutIntegration", at).unwrap();
    let stage = json!({ "api": id, "stageName": "v1" });
    gateway(world, "CreateDeployment", stage).unwrap();
    id
}

#[test]
fn a_domain_name_comes_back_with_what_aws_adds() {
    let (mut world, arn) = with_domain();
    let read = gateway(&mut world, "GetDomainName", about()).unwrap();
    let regional = read["regionalDomainName"].as_str().unwrap();
    assert!(
        regional.starts_with("d-") && regional.ends_with(".execute-api.eu-west-1.amazonaws.com")
    );
    assert_eq!(
        read,
        json!({
            "domainName": "api.example.com",
            "domainNameArn": format!("arn:aws:apigateway:{REGION}::/domainnames/api.example.com"),
            "regionalCertificateArn": arn, "regionalDomainName": regional,
            "regionalHostedZoneId": "Z1UJRXOUMOOFQ8", "domainNameStatus": "AVAILABLE",
            "endpointConfiguration": { "types": ["REGIONAL"], "ipAddressType": "ipv4" },
            "securityPolicy": "TLS_1_2", "routingMode": "BASE_PATH_MAPPING_ONLY",
            "tags": { "a": "b" },
        })
    );
    assert_eq!(code(gateway(&mut world, "CreateDomainName", wanted(&arn))), "ConflictException");
    let listed = gateway(&mut world, "GetDomainNames", json!({})).unwrap();
    assert_eq!(listed["item"][0], read);
    let user = json!({ "CertificateArn": arn });
    assert_eq!(
        code(ask(&mut world, "acm", "DeleteCertificate", user.clone())),
        "ResourceInUseException"
    );
    gateway(&mut world, "DeleteDomainName", about()).unwrap();
    assert_eq!(code(gateway(&mut world, "GetDomainName", about())), "NotFoundException");
    ask(&mut world, "acm", "DeleteCertificate", user).unwrap();
}

#[test]
fn a_certificate_must_be_issued_for_the_name_in_the_region() {
    let mut world = World::default();
    let pending = certificate(&mut world, "api.example.com");
    let other = certificate(&mut world, "example.com");
    assert!(crate::acm::issue(&mut world, &other));
    let far = pending.replace(REGION, "us-east-1");
    for (arn, words) in [
        (&pending, "is not issued yet"),
        (&other, "is not covered by the certificate"),
        (&far, "Certificate must be in 'eu-west-1'"),
    ] {
        let refused = gateway(&mut world, "CreateDomainName", wanted(arn)).unwrap_err();
        assert!(refused.message.contains(words), "{}", refused.message);
    }
}

#[tokio::test(start_paused = true)]
async fn another_certificate_takes_time_in_a_strict_sandbox() {
    let (mut world, _) = with_domain();
    world.base.strict = true;
    let other = certificate(&mut world, "api.example.com");
    assert!(crate::acm::issue(&mut world, &other));
    let patches = json!([{ "op": "replace", "path": "/regionalCertificateArn", "value": other }]);
    let mut input = about();
    input["patchOperations"] = patches;
    let changed = gateway(&mut world, "UpdateDomainName", input).unwrap();
    assert_eq!(changed["domainNameStatus"], "UPDATING");
    tokio::time::advance(Duration::from_secs(61)).await;
    let read = gateway(&mut world, "GetDomainName", about()).unwrap();
    assert_eq!(
        (&read["domainNameStatus"], &read["regionalCertificateArn"]),
        (&json!("AVAILABLE"), &json!(other))
    );
}

#[test]
fn base_paths_lead_to_stages_and_hold_them() {
    let (mut world, _) = with_domain();
    let id = api(&mut world);
    let of = |more: Value| {
        let mut input = about();
        for (key, value) in more.as_object().unwrap() {
            input[key] = value.clone();
        }
        input
    };
    let root = of(json!({ "restApiId": id, "stage": "v1" }));
    let made = gateway(&mut world, "CreateBasePathMapping", root.clone()).unwrap();
    assert_eq!(made, json!({ "basePath": "(none)", "restApiId": id, "stage": "v1" }));
    for (input, code_wanted) in [
        (root, "ConflictException"),
        (of(json!({ "restApiId": "none", "basePath": "b" })), "BadRequestException"),
        (of(json!({ "restApiId": id, "stage": "none", "basePath": "b" })), "BadRequestException"),
        (of(json!({ "restApiId": id, "basePath": "a/b" })), "BadRequestException"),
    ] {
        let refused = gateway(&mut world, "CreateBasePathMapping", input);
        assert_eq!(code(refused), code_wanted);
    }
    let path = of(json!({ "path": "(none)" }));
    assert_eq!(gateway(&mut world, "GetBasePathMapping", path.clone()).unwrap(), made);
    let mut change = path;
    change["patchOperations"] = json!([
        { "op": "replace", "path": "/basePath", "value": "pay" },
    ]);
    let changed = gateway(&mut world, "UpdateBasePathMapping", change).unwrap();
    assert_eq!(changed["basePath"], "pay");
    let listed = gateway(&mut world, "GetBasePathMappings", about()).unwrap();
    assert_eq!(listed["item"], json!([changed]));
    let stage = json!({ "api": id, "stage": "v1" });
    assert_eq!(code(gateway(&mut world, "DeleteStage", stage.clone())), "BadRequestException");
    let whole = json!({ "api": id });
    assert_eq!(code(gateway(&mut world, "DeleteRestApi", whole.clone())), "BadRequestException");
    let pay = of(json!({ "path": "pay" }));
    gateway(&mut world, "DeleteBasePathMapping", pay.clone()).unwrap();
    assert_eq!(code(gateway(&mut world, "GetBasePathMapping", pay)), "NotFoundException");
    gateway(&mut world, "DeleteStage", stage).unwrap();
}
