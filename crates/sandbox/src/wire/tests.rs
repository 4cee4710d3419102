//! Routing and encoding, without a client.

use serde_json::json;

use super::encode::*;
use super::*;

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let (method, target) = (method.into(), target.into());
    Request { method, target, headers: headers.collect(), body: body.into() }
}

fn signed(service: &str) -> String {
    let scope = format!("AKID/20260101/eu-west-1/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0")
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn text(response: &Response) -> &str {
    std::str::from_utf8(&response.body).unwrap()
}

#[test]
fn the_signature_names_the_service() {
    let signature = signed("ec2");
    let headers = [("authorization", signature.as_str()), FORM];
    let route = Route::of(&request("POST", "/", &headers, "Action=CreateVpc&Version=2016-11-15"));
    assert_eq!(route.protocol, Protocol::Ec2);
    assert_eq!((route.service.as_str(), route.operation.as_str()), ("ec2", "CreateVpc"));
    assert_eq!(route.region.as_deref(), Some("eu-west-1"));
}

#[test]
fn unsigned_requests_are_recognised() {
    let check = |headers: &[(&str, &str)], body, service, operation| {
        let route = Route::of(&request("POST", "/", headers, body));
        assert_eq!((route.service.as_str(), route.operation.as_str()), (service, operation));
    };
    check(&[("x-amz-target", "TrentService.ListKeys")], "{}", "kms", "ListKeys");
    check(&[("x-amz-target", "secretsmanager.ListSecrets")], "", "secretsmanager", "ListSecrets");
    check(&[FORM], "Action=ListRoles&Version=2010-05-08", "iam", "ListRoles");
    check(&[FORM, ("host", "sns.eu-west-1.amazonaws.com")], "Action=Publish", "sns", "Publish");
}

#[test]
fn unknown_operations_are_refused_in_the_protocol_of_the_caller() {
    let check = |service: &str, header: (&str, &str), body, expected: &str| {
        let signature = signed(service);
        let headers = [("authorization", signature.as_str()), header];
        let response = handle(&mut World::default(), &request("POST", "/", &headers, body), None);
        assert_eq!(response.status, 400);
        assert!(text(&response).contains(expected), "{}", text(&response));
        assert!(text(&response).contains("NotImplementedInSandbox"));
    };
    check("sqs", ("x-amz-target", "AmazonSQS.Nope"), "{}", "\"message\"");
    check("sns", FORM, "Action=Nope", "<Type>Sender</Type>");
    check("ec2", FORM, "Action=Nope", "<Response><Errors><Error>");
}

#[test]
fn answers_are_encoded_per_protocol() {
    let route = |protocol, service: &str, operation: &str| Route {
        protocol,
        service: service.into(),
        operation: operation.into(),
        region: None,
    };
    let answer = json!({ "vpcSet": [{ "vpcId": "vpc-1", "isDefault": false }] });
    let response = encode(&route(Protocol::Ec2, "ec2", "DescribeVpcs"), Ok(answer));
    let expected = "<vpcSet><item><isDefault>false</isDefault><vpcId>vpc-1</vpcId></item></vpcSet>";
    assert!(text(&response).contains(expected), "{}", text(&response));

    let response = encode(&route(Protocol::Ec2, "ec2", "DeleteVpc"), Ok(Value::Null));
    assert!(text(&response).contains("<return>true</return>"));

    let answer = json!({ "TopicArn": "arn" });
    let response = encode(&route(Protocol::Query, "sns", "CreateTopic"), Ok(answer));
    let expected = "<CreateTopicResult><TopicArn>arn</TopicArn></CreateTopicResult>";
    assert!(text(&response).contains(expected), "{}", text(&response));

    let response = encode(&route(Protocol::Json("j"), "kms", "EnableKeyRotation"), Ok(Value::Null));
    assert_eq!(text(&response), "{}");
}

#[test]
fn sqs_returns_its_old_error_code_too() {
    let route = Route {
        protocol: Protocol::Json("application/x-amz-json-1.0"),
        service: "sqs".into(),
        operation: "GetQueueUrl".into(),
        region: None,
    };
    for (code, shape, old) in [
        ("QueueDoesNotExist", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
        ("com.amazonaws.sqs#QueueNameExists", "QueueNameExists", "QueueAlreadyExists"),
        (
            "com.amazon.coral.service#InvalidParameterValueException",
            "InvalidParameterValueException",
            "InvalidParameterValue",
        ),
        (
            "QueueDeletedRecently",
            "QueueDeletedRecently",
            "AWS.SimpleQueueService.QueueDeletedRecently",
        ),
        ("InvalidAttributeName", "InvalidAttributeName", "InvalidAttributeName"),
    ] {
        let response = refuse(&route, &Refusal::new(code, "no such queue"));
        let header =
            |name: &str| response.headers.iter().find(|(key, _)| key == name).unwrap().1.as_str();
        assert_eq!(header("x-amzn-errortype"), shape);
        assert_eq!(header("x-amzn-query-error"), format!("{old};Sender"));
    }
    // The query protocol knows only the old codes.
    let route = Route { protocol: Protocol::Query, ..route };
    let refusal = Refusal::new("com.amazonaws.sqs#QueueDoesNotExist", "No queue.");
    let body = text(&refuse(&route, &refusal)).to_owned();
    assert!(body.contains("<Code>AWS.SimpleQueueService.NonExistentQueue</Code>"), "{body}");
    assert!(body.contains("<Message>No queue for this wsdl version.</Message>"), "{body}");
}

#[test]
fn secrets_manager_errors_have_a_capitalized_message_member() {
    for (service, member) in [("secretsmanager", "Message"), ("kms", "message")] {
        let route = Route {
            protocol: Protocol::Json("j"),
            service: service.into(),
            operation: "TagResource".into(),
            region: None,
        };
        let response = refuse(&route, &Refusal::new("X", "no"));
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(body, json!({ "__type": "X", member: "no" }));
    }
}

#[test]
fn a_session_is_identified_by_the_access_key_of_the_signature() {
    let mut world = World::default();
    let mut sts = |access_key: &str, body: &str| {
        let scope = format!("Credential={access_key}/20260101/eu-west-1/sts/aws4_request, x");
        let request = Request {
            method: "POST".into(),
            target: "/".into(),
            headers: vec![
                ("authorization".into(), format!("AWS4-HMAC-SHA256 {scope}")),
                ("content-type".into(), "application/x-www-form-urlencoded".into()),
            ],
            body: body.into(),
        };
        text(&handle(&mut world, &request, None)).to_owned()
    };
    let role = "RoleArn=arn:aws:iam::000000000000:role/deploy&RoleSessionName=ci";
    let made = sts("root", &format!("Action=AssumeRole&Version=2011-06-15&{role}"));
    let access_key = made.split(['<', '>']).find(|part| part.starts_with("ASIA")).unwrap();
    let who = "Action=GetCallerIdentity&Version=2011-06-15";
    assert!(sts(access_key, who).contains(":assumed-role/deploy/ci<"));
    assert!(sts("root", who).contains(":root<"));
}

#[test]
fn a_query_can_choose_the_operation_of_a_path() {
    let signature = signed("lambda");
    let headers = [("authorization", signature.as_str())];
    let operation = |target: &str| Route::of(&request("GET", target, &headers, "")).operation;
    let path = "/2019-09-30/functions/f/provisioned-concurrency";
    let list = format!("{path}?List=ALL&MaxItems=5");
    assert_eq!(operation(&list), "ListProvisionedConcurrencyConfigs");
    let one = format!("{path}?Qualifier=live");
    assert_eq!(operation(&one), "GetProvisionedConcurrencyConfig");
}

#[test]
fn route_53_speaks_xml_both_ways() {
    let mut world = World::default();
    let signature = signed("route53");
    let headers = [("authorization", signature.as_str())];
    let body = "<CreateHostedZoneRequest><Name>example.com</Name><CallerReference>a\
                </CallerReference></CreateHostedZoneRequest>";
    let make = request("POST", "/2013-04-01/hostedzone", &headers, body);
    let made = handle(&mut world, &make, None);
    assert_eq!(made.status, 201);
    assert!(text(&made).contains("<Name>example.com.</Name>"), "{}", text(&made));
    let location = made.headers.iter().find(|(name, _)| name == "location");
    assert!(location.is_some_and(|(_, to)| to.contains("/2013-04-01/hostedzone/Z")));
    let again = handle(&mut world, &make, None);
    assert_eq!(again.status, 409);
    assert!(text(&again).contains("<Code>HostedZoneAlreadyExists</Code>"), "{}", text(&again));
    let odd = request("GET", "/2013-04-01/healthcheck", &headers, "");
    assert!(text(&handle(&mut world, &odd, None)).contains("NotImplementedInSandbox"));
}
