//! Decodes requests and encodes responses. It finds the service and the operation of a request,
//! turns its input into JSON, and writes the answer in the client's protocol.
//!
//! The service comes from the signature (which is not verified), else from the target header, the
//! form's version or the host. A request without any of these is for S3.

use serde_json::{Map, Value};

use self::encode::encode;
use super::permissions::Guard;
use super::{Call, Refusal, World, dispatch, s3};

pub(crate) mod cbor;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod form;
pub(crate) mod rest;
pub(crate) mod rest_xml;
pub(crate) mod xml;

/// An HTTP request, read completely.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// The method, such as `GET`.
    pub method: String,
    /// The path and the query as sent, such as `/bucket/key?list-type=2`.
    pub target: String,
    /// Headers, with their names in lower case.
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

/// The protocol of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// AWS JSON, with its content type.
    Json(&'static str),
    /// AWS query.
    Query,
    /// EC2's own query.
    Ec2,
    /// RPC v2 CBOR.
    Cbor,
    /// REST with JSON.
    RestJson,
    /// REST with XML.
    RestXml,
    /// S3's REST.
    Rest,
}

/// The destination of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The protocol.
    pub protocol: Protocol,
    /// The service as AWS signs it.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The region of the signature.
    pub region: Option<String>,
}

impl Route {
    /// Finds the destination of a request.
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
        if let Some((name, operation)) = cbor::target(request.path())
            && signed.as_deref() != Some("s3")
        {
            let service = signed.unwrap_or_else(|| by_target(name));
            let operation = operation.to_owned();
            return Self { protocol: Protocol::Cbor, service, operation, region };
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
                let operation = match rest::operation(&service, request) {
                    _ if service == "s3" => s3::operation(request),
                    Some(operation) => operation.to_owned(),
                    None => nameless(request),
                };
                let protocol = match service.as_str() {
                    "s3" => Protocol::Rest,
                    "route53" => Protocol::RestXml,
                    _ => Protocol::RestJson,
                };
                Self { protocol, service, operation, region }
            }
        }
    }

    /// Whether the operation only reads. Its name says so.
    pub(crate) fn is_read(&self) -> bool {
        ["Describe", "Get", "List", "Head"].iter().any(|verb| self.operation.starts_with(verb))
    }
}

fn nameless(request: &Request) -> String {
    format!("{} {}", request.method, request.path())
}

/// The credential of a request, from a header or from the query of a presigned request:
/// `KEY/20260101/eu-west-1/sqs/aws4_request`.
fn credential_of(request: &Request) -> Option<String> {
    let presigned = || form::member(request.query(), "X-Amz-Credential");
    let header = request.header("authorization").and_then(|header| {
        let (_, after) = header.split_once("Credential=")?;
        Some(after.split([',', ' ']).next().unwrap_or_default().to_owned())
    });
    header.or_else(presigned)
}

/// The access key that signed a request.
pub(crate) fn access_key(request: &Request) -> Option<String> {
    credential_of(request)?.split('/').next().map(str::to_owned)
}

/// The service and the region of the signature.
pub(crate) fn credential_scope(request: &Request) -> Option<(String, String)> {
    let credential = credential_of(request)?;
    let mut parts = credential.rsplit('/').skip(1);
    let (service, region) = (parts.next()?, parts.next()?);
    Some((service.to_owned(), region.to_owned()))
}

fn by_target(prefix: &str) -> String {
    let service = match prefix {
        "AmazonEC2ContainerServiceV20141113" => "ecs",
        "AnyScaleFrontendService" => "application-autoscaling",
        "CertificateManager" => "acm",
        "TrentService" => "kms",
        "AmazonSSM" => "ssm",
        "AmazonSQS" => "sqs",
        "DynamoDB_20120810" => "dynamodb",
        "Logs_20140328" => "logs",
        "AWSWAF_20190729" => "wafv2",
        "AWSEvents" => "events",
        "ServiceQuotasV20190624" => "servicequotas",
        "AWSInsightsIndexService" => "ce",
        "AWSPriceListService" => "pricing",
        "GraniteServiceVersion20100801" => "monitoring",
        other => other,
    };
    service.to_owned()
}

fn by_version(form: &str) -> Option<String> {
    let service = match form::member(form, "Version")?.as_str() {
        "2016-11-15" => "ec2",
        "2010-05-08" => "iam",
        "2010-03-31" => "sns",
        "2011-01-01" => "autoscaling",
        "2015-12-01" => "elasticloadbalancing",
        "2010-08-01" => "monitoring",
        "2011-06-15" => "sts",
        "2014-10-31" => "rds",
        "2012-11-05" => "sqs",
        _ => return None,
    };
    Some(service.to_owned())
}

fn by_host(request: &Request) -> Option<String> {
    let host = request.header("host")?;
    host.contains("amazonaws").then(|| host.split('.').next().unwrap_or_default().to_owned())
}

/// Answers one request, if the guard allows it.
pub(crate) fn handle(world: &mut World, request: &Request, guard: Option<&Guard>) -> Response {
    let route = Route::of(request);
    if route.service == "s3" {
        return match guard.map_or(Ok(()), |guard| guard.admits_s3(request, &route)) {
            Ok(()) => s3::handle(world, request, &route),
            Err(refusal) => encode::refuse(&route, &refusal),
        };
    }
    let answer = input(&route, request).and_then(|input| {
        let Route { service, operation, region, .. } = route.clone();
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let call = Call { service, operation, input, region };
        world.base.access_key = access_key(request);
        guard.map_or(Ok(()), |guard| guard.admits(world, request, &call))?;
        dispatch(world, &call)
    });
    encode(&route, answer)
}

fn input(route: &Route, request: &Request) -> Result<Value, Refusal> {
    match route.protocol {
        Protocol::Json(_) if request.body.is_empty() => Ok(Value::Object(Map::new())),
        Protocol::Json(_) => serde_json::from_slice(&request.body)
            .map_err(|error| Refusal::new("SerializationException", error.to_string())),
        Protocol::Query | Protocol::Ec2 => {
            if request.body.is_empty() {
                form::tree(request.query())
            } else {
                form::tree(request.text())
            }
        }
        Protocol::Cbor => cbor::input(&request.body),
        Protocol::RestJson => rest::input(&route.service, request),
        Protocol::RestXml => rest_xml::input(&route.service, request),
        Protocol::Rest => Err(Refusal::not_covered(&route.service, &route.operation)),
    }
}

#[cfg(test)]
mod tests;
