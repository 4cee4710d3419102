//! Encodes answers and errors for each protocol.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::xml::{self, Lists};
use super::{Protocol, Response, Route, cbor, rest, rest_xml};
use crate::toolbox::iso;
use crate::{Answer, Refusal};

/// Encodes an answer in the route's protocol.
pub(crate) fn encode(route: &Route, answer: Answer) -> Response {
    let value = match answer {
        Ok(value) => value,
        Err(refusal) => return refuse(route, &refusal),
    };
    let value = match (route.service.as_str(), route.protocol) {
        ("monitoring", Protocol::Json(_)) => cbor::untagged(value, Value::from),
        ("monitoring", Protocol::Query) => cbor::untagged(value, |time| iso(time).into()),
        _ => value,
    };
    let id = request_id();
    match route.protocol {
        Protocol::RestJson => {
            let body = if value.is_null() { String::new() } else { value.to_string() };
            let status = rest::status(&route.service, &route.operation);
            respond(status, "application/json", &id, body)
        }
        Protocol::RestXml => rest_xml::respond(&route.service, &route.operation, &id, &value),
        Protocol::Json(kind) => {
            let body = if value.is_null() { "{}".to_owned() } else { value.to_string() };
            respond(200, kind, &id, body)
        }
        Protocol::Cbor => respond_cbor(200, &id, &value),
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
            // RDS has other names for the items of lists. Its answers contain these names.
            let lists = if route.service == "rds" { Lists::Flat } else { Lists::Member };
            if !value.is_null() {
                xml::write(&mut body, &format!("{operation}Result"), &value, lists);
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
    let Refusal { status, code, message, details } = refusal;
    let (code_text, message_text) = (xml::escape(code), xml::escape(message));
    match route.protocol {
        Protocol::RestJson => {
            let body = rest::refusal(&route.service, code, message).to_string();
            let mut response = respond(*status, "application/json", &id, body);
            response.set("x-amzn-errortype", code.clone());
            response
        }
        Protocol::Json(kind) => {
            let (shape, query_code) = match route.service.as_str() {
                "sqs" => {
                    let (shape, old) = sqs_codes(code);
                    (shape, Some(old))
                }
                _ => (code.as_str(), None),
            };
            // The error shapes of this service spell the member like this.
            let member = if route.service == "secretsmanager" { "Message" } else { "message" };
            let body = serde_json::json!({ "__type": shape, member: message }).to_string();
            let mut response = respond(*status, kind, &id, body);
            response.set("x-amzn-errortype", shape.to_owned());
            if let Some(code) = query_code {
                response.set("x-amzn-query-error", format!("{code};Sender"));
            }
            response
        }
        Protocol::Cbor => {
            let body = serde_json::json!({ "__type": code, "message": message });
            let mut response = respond_cbor(*status, &id, &body);
            // The codes of the query protocol, for services that used it before.
            let fault = if *status >= 500 { "Receiver" } else { "Sender" };
            response.set("x-amzn-query-error", format!("{code};{fault}"));
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
        Protocol::Query | Protocol::RestXml => {
            let (code_text, message_text) = of_query(route, refusal);
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
            // The answer to a HEAD request has no body, so clients see only the status.
            let body = if route.operation.starts_with("Head") {
                String::new()
            } else {
                let detail = |(name, value): &(String, String)| {
                    format!("<{name}>{}</{name}>", xml::escape(value))
                };
                let details: String = details.iter().map(detail).collect();
                format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\
                         <Code>{code_text}</Code><Message>{message_text}</Message>{details}\
                         <RequestId>{id}</RequestId><HostId>sandbox</HostId></Error>"
                )
            };
            respond(*status, "application/xml", &id, body)
        }
    }
}

/// A response with the headers that all responses have.
pub(crate) fn respond(status: u16, kind: &str, id: &str, body: impl Into<Vec<u8>>) -> Response {
    let mut response = Response { status, body: body.into(), ..Response::default() };
    response.set("x-amzn-requestid", id);
    response.set("x-amz-request-id", id);
    if !response.body.is_empty() {
        response.set("content-type", kind);
    }
    response
}

fn respond_cbor(status: u16, id: &str, value: &Value) -> Response {
    let mut response = respond(status, "application/cbor", id, cbor::body(value));
    response.set("smithy-protocol", "rpc-v2-cbor");
    response
}

/// The JSON code of a refusal of SQS, and the code of its old query protocol. SQS speaks JSON now,
/// but SDKs still read the old code from a header.
fn sqs_codes(code: &str) -> (&str, &str) {
    const OLD: &[(&str, &str)] = &[
        ("InvalidParameterValueException", "InvalidParameterValue"),
        ("MissingRequiredParameterException", "MissingParameter"),
        ("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress"),
        ("QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"),
        ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
        ("QueueNameExists", "QueueAlreadyExists"),
    ];
    let shape = code.rsplit('#').next().unwrap_or(code);
    let old = OLD.iter().find(|(known, _)| *known == shape);
    (shape, old.map_or(shape, |(_, old)| old))
}

/// A refusal in the query protocol. The codes of SQS and one of its messages are older there.
fn of_query(route: &Route, refusal: &Refusal) -> (String, String) {
    let Refusal { code, message, .. } = refusal;
    let (code, message) = match route.service.as_str() {
        "sqs" if code.ends_with("#QueueDoesNotExist") => {
            let message = format!("{} for this wsdl version.", message.trim_end_matches('.'));
            (sqs_codes(code).1, message)
        }
        "sqs" => (sqs_codes(code).1, message.clone()),
        _ => (code.as_str(), message.clone()),
    };
    (xml::escape(code), xml::escape(&message))
}

fn namespace(service: &str) -> &'static str {
    match service {
        "autoscaling" => "http://autoscaling.amazonaws.com/doc/2011-01-01/",
        "elasticloadbalancing" => "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
        "monitoring" => "http://monitoring.amazonaws.com/doc/2010-08-01/",
        "iam" => "https://iam.amazonaws.com/doc/2010-05-08/",
        "route53" => "https://route53.amazonaws.com/doc/2013-04-01/",
        "rds" => "http://rds.amazonaws.com/doc/2014-10-31/",
        "sns" => "http://sns.amazonaws.com/doc/2010-03-31/",
        "sts" => "https://sts.amazonaws.com/doc/2011-06-15/",
        _ => "https://sandbox.invalid/",
    }
}

/// A request id in the form of a UUID, unique in this process.
pub(crate) fn request_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mixed = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (high, low) = (mixed >> 32, mixed & 0xffff_ffff);
    format!("{high:08x}-5a4d-4b0c-8000-{low:08x}{:04x}", count & 0xffff)
}
