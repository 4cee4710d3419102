//! Requests in, responses out: which service and operation a request is for, its input as JSON,
//! and the answer in the protocol that the client speaks.
//!
//! The service is read from the signature (nothing is verified), else from what names it: the
//! target header, the form's version, the host. What names no service is S3.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value};

use self::xml::Lists;
use super::{Answer, Call, Refusal, World, dispatch, s3};

pub(crate) mod form;
pub(crate) mod xml;

/// An HTTP request, read completely.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// `GET` ...
    pub method: String,
    /// Path and query as sent, `/bucket/key?list-type=2`.
    pub target: String,
    /// Headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The path, still percent-encoded.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query, still encoded.
    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }
}

/// An HTTP response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Adds a header.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.headers.push((name.to_owned(), value.into()));
    }
}

/// The language a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// AWS JSON, with its content type.
    Json(&'static str),
    /// AWS query.
    Query,
    /// EC2's own query.
    Ec2,
    /// S3's REST.
    Rest,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The language.
    pub protocol: Protocol,
    /// The service as AWS signs it.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The region signed for.
    pub region: Option<String>,
}

impl Route {
    /// Reads where a request goes.
    pub(crate) fn of(request: &Request) -> Self {
        let (signed, region) = credential_scope(request).unzip();
        let target = request.header("x-amz-target").and_then(|target| target.rsplit_once('.'));
        if let Some((prefix, operation)) = target {
            let one = request.header("content-type").is_some_and(|kind| kind.ends_with("-1.0"));
            let kind =
                if one { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" };
            let service = signed.unwrap_or_else(|| by_target(prefix));
            let operation = operation.to_owned();
            return Self { protocol: Protocol::Json(kind), service, operation, region };
        }
        let is_form =
            request.header("content-type").is_some_and(|kind| kind.contains("form-urlen"));
        let form = if is_form { request.text() } else { request.query() };
        match form::member(form, "Action") {
            Some(operation) if signed.as_deref() != Some("s3") => {
                let service = signed.or_else(|| by_version(form)).or_else(|| by_host(request));
                let service = service.unwrap_or_else(|| "unknown".to_owned());
                let protocol = if service == "ec2" { Protocol::Ec2 } else { Protocol::Query };
                Self { protocol, service, operation, region }
            }
            _ => {
                let service = signed.unwrap_or_else(|| "s3".to_owned());
                let operation = match service.as_str() {
                    "s3" => s3::operation(request).to_owned(),
                    _ => format!("{} {}", request.method, request.path()),
                };
                Self { protocol: Protocol::Rest, service, operation, region }
            }
        }
    }

    /// Whether the operation, by its name, only reads.
    pub(crate) fn is_read(&self) -> bool {
        ["Describe", "Get", "List", "Head"].iter().any(|verb| self.operation.starts_with(verb))
    }
}

/// Service and region from the signature, in a header or in the query of a presigned request:
/// `Credential=KEY/20260101/eu-west-1/sqs/aws4_request`.
fn credential_scope(request: &Request) -> Option<(String, String)> {
    let presigned = || form::member(request.query(), "X-Amz-Credential");
    let header = request.header("authorization").and_then(|header| {
        let (_, after) = header.split_once("Credential=")?;
        Some(after.split([',', ' ']).next().unwrap_or_default().to_owned())
    });
    let scope = header.or_else(presigned)?;
    let mut parts = scope.rsplit('/').skip(1);
    let (service, region) = (parts.next()?, parts.next()?);
    Some((service.to_owned(), region.to_owned()))
}

fn by_target(prefix: &str) -> String {
    let service = match prefix {
        "TrentService" => "kms",
        "AmazonSSM" => "ssm",
        "AmazonSQS" => "sqs",
        "DynamoDB_20120810" => "dynamodb",
        "Logs_20140328" => "logs",
        other => other,
    };
    service.to_owned()
}

fn by_version(form: &str) -> Option<String> {
    let service = match form::member(form, "Version")?.as_str() {
        "2016-11-15" => "ec2",
        "2010-05-08" => "iam",
        "2010-03-31" => "sns",
        "2011-06-15" => "sts",
        "2012-11-05" => "sqs",
        _ => return None,
    };
    Some(service.to_owned())
}

fn by_host(request: &Request) -> Option<String> {
    let host = request.header("host")?;
    host.contains("amazonaws").then(|| host.split('.').next().unwrap_or_default().to_owned())
}

/// Answers one request.
pub(crate) fn handle(world: &mut World, request: &Request) -> Response {
    let route = Route::of(request);
    if route.service == "s3" {
        return s3::handle(world, request, &route);
    }
    let answer = input(&route, request).and_then(|input| {
        let Route { service, operation, region, .. } = route.clone();
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        dispatch(world, &Call { service, operation, input, region })
    });
    encode(&route, answer)
}

fn input(route: &Route, request: &Request) -> Result<Value, Refusal> {
    match route.protocol {
        Protocol::Json(_) if request.body.is_empty() => Ok(Value::Object(Map::new())),
        Protocol::Json(_) => serde_json::from_slice(&request.body)
            .map_err(|error| Refusal::new("SerializationException", error.to_string())),
        Protocol::Query | Protocol::Ec2 => match request.body.is_empty() {
            true => form::tree(request.query()),
            false => form::tree(request.text()),
        },
        Protocol::Rest => Err(Refusal::not_covered(&route.service, &route.operation)),
    }
}

fn encode(route: &Route, answer: Answer) -> Response {
    let value = match answer {
        Ok(value) => value,
        Err(refusal) => return refuse(route, &refusal),
    };
    let id = request_id();
    match route.protocol {
        Protocol::Json(kind) => {
            let body = if value.is_null() { "{}".to_owned() } else { value.to_string() };
            respond(200, kind, &id, body)
        }
        Protocol::Ec2 => {
            let mut body = format!(
                "<{}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
                 <requestId>{id}</requestId>",
                route.operation
            );
            match &value {
                Value::Null => body.push_str("<return>true</return>"),
                value => xml::write_content(&mut body, value, Lists::Item),
            }
            body.push_str(&format!("</{}Response>", route.operation));
            respond(200, "text/xml;charset=UTF-8", &id, body)
        }
        Protocol::Query | Protocol::Rest => {
            let (operation, space) = (&route.operation, namespace(&route.service));
            let mut body = format!("<{operation}Response xmlns=\"{space}\">");
            if !value.is_null() {
                xml::write(&mut body, &format!("{operation}Result"), &value, Lists::Member);
            }
            body.push_str(&format!(
                "<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata>\
                 </{operation}Response>"
            ));
            respond(200, "text/xml", &id, body)
        }
    }
}

/// Encodes a refusal in the route's protocol.
pub(crate) fn refuse(route: &Route, refusal: &Refusal) -> Response {
    let id = request_id();
    let Refusal { status, code, message } = refusal;
    let (code_text, message_text) = (xml::escape(code), xml::escape(message));
    match route.protocol {
        Protocol::Json(kind) => {
            let (shape, query_code) = match route.service.as_str() {
                "sqs" => sqs_codes(code),
                _ => (code.as_str(), None),
            };
            let body = serde_json::json!({ "__type": shape, "message": message }).to_string();
            let mut response = respond(*status, kind, &id, body);
            response.set("x-amzn-errortype", shape.to_owned());
            if let Some(code) = query_code {
                response.set("x-amzn-query-error", format!("{code};Sender"));
            }
            response
        }
        Protocol::Ec2 => {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>\
                 <Code>{code_text}</Code><Message>{message_text}</Message></Error></Errors>\
                 <RequestID>{id}</RequestID></Response>"
            );
            respond(*status, "text/xml;charset=UTF-8", &id, body)
        }
        Protocol::Query => {
            let fault = if *status >= 500 { "Receiver" } else { "Sender" };
            let body = format!(
                "<ErrorResponse xmlns=\"{}\"><Error><Type>{fault}</Type><Code>{code_text}</Code>\
                 <Message>{message_text}</Message></Error><RequestId>{id}</RequestId>\
                 </ErrorResponse>",
                namespace(&route.service)
            );
            respond(*status, "text/xml", &id, body)
        }
        Protocol::Rest => {
            // A HEAD request is answered without a body: clients see the status alone.
            let body = match route.operation.starts_with("Head") {
                true => String::new(),
                false => format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code_text}</Code>\
                     <Message>{message_text}</Message><RequestId>{id}</RequestId>\
                     <HostId>sandbox</HostId></Error>"
                ),
            };
            respond(*status, "application/xml", &id, body)
        }
    }
}

/// A response with the headers that all have.
pub(crate) fn respond(status: u16, kind: &str, id: &str, body: impl Into<Vec<u8>>) -> Response {
    let mut response = Response { status, body: body.into(), ..Response::default() };
    response.set("x-amzn-requestid", id);
    response.set("x-amz-request-id", id);
    if !response.body.is_empty() {
        response.set("content-type", kind);
    }
    response
}

/// SQS speaks JSON now, and still tells the codes of its old query protocol in a header of their
/// own, which is where SDKs read them. Services may refuse with either.
fn sqs_codes(code: &str) -> (&str, Option<String>) {
    const OLD: &str = "AWS.SimpleQueueService.";
    match code {
        "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue" => {
            ("QueueDoesNotExist", Some(format!("{OLD}NonExistentQueue")))
        }
        "QueueNameExists" | "QueueAlreadyExists" => {
            ("QueueNameExists", Some("QueueAlreadyExists".to_owned()))
        }
        "QueueDeletedRecently" => ("QueueDeletedRecently", Some(format!("{OLD}{code}"))),
        other => (other.strip_prefix(OLD).unwrap_or(other), Some(other.to_owned())),
    }
}

fn namespace(service: &str) -> &'static str {
    match service {
        "iam" => "https://iam.amazonaws.com/doc/2010-05-08/",
        "sns" => "http://sns.amazonaws.com/doc/2010-03-31/",
        "sts" => "https://sts.amazonaws.com/doc/2011-06-15/",
        _ => "https://sandbox.invalid/",
    }
}

/// A request id: a UUID's form, unique in this process.
pub(crate) fn request_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mixed = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (high, low) = (mixed >> 32, mixed & 0xffff_ffff);
    format!("{high:08x}-5a4d-4b0c-8000-{low:08x}{:04x}", count & 0xffff)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        let route =
            Route::of(&request("POST", "/", &headers, "Action=CreateVpc&Version=2016-11-15"));
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
        check(
            &[("x-amz-target", "secretsmanager.ListSecrets")],
            "",
            "secretsmanager",
            "ListSecrets",
        );
        check(&[FORM], "Action=ListRoles&Version=2010-05-08", "iam", "ListRoles");
        check(&[FORM, ("host", "sns.eu-west-1.amazonaws.com")], "Action=Publish", "sns", "Publish");
    }

    #[test]
    fn what_the_sandbox_does_not_know_is_refused_in_the_callers_protocol() {
        let check = |service: &str, header: (&str, &str), body, expected: &str| {
            let signature = signed(service);
            let headers = [("authorization", signature.as_str()), header];
            let response = handle(&mut World::default(), &request("POST", "/", &headers, body));
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
        let expected =
            "<vpcSet><item><isDefault>false</isDefault><vpcId>vpc-1</vpcId></item></vpcSet>";
        assert!(text(&response).contains(expected), "{}", text(&response));

        let response = encode(&route(Protocol::Ec2, "ec2", "DeleteVpc"), Ok(Value::Null));
        assert!(text(&response).contains("<return>true</return>"));

        let answer = json!({ "TopicArn": "arn" });
        let response = encode(&route(Protocol::Query, "sns", "CreateTopic"), Ok(answer));
        let expected = "<CreateTopicResult><TopicArn>arn</TopicArn></CreateTopicResult>";
        assert!(text(&response).contains(expected), "{}", text(&response));

        let response =
            encode(&route(Protocol::Json("j"), "kms", "EnableKeyRotation"), Ok(Value::Null));
        assert_eq!(text(&response), "{}");
    }

    #[test]
    fn sqs_tells_its_old_code_too() {
        let route = Route {
            protocol: Protocol::Json("application/x-amz-json-1.0"),
            service: "sqs".into(),
            operation: "GetQueueUrl".into(),
            region: None,
        };
        let response = refuse(&route, &Refusal::new("QueueDoesNotExist", "no such queue"));
        let header =
            |name: &str| response.headers.iter().find(|(key, _)| key == name).unwrap().1.as_str();
        assert_eq!(header("x-amzn-errortype"), "QueueDoesNotExist");
        assert_eq!(header("x-amzn-query-error"), "AWS.SimpleQueueService.NonExistentQueue;Sender");
    }
}
