//! The event that a function gets for a request: API Gateway's payload format 1.0.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::access::Caller;
use super::{Target, method_arn};
use crate::ACCOUNT;
use crate::apigateway::Served;
use crate::wire::Request;

/// Names with all their values, in order.
type Many = BTreeMap<String, Vec<String>>;

/// A request as events tell of it.
pub(super) struct Asked {
    pub(super) headers: Many,
    pub(super) query: Many,
    path: String,
    names: Map<String, Value>,
    method: String,
    context: Value,
}

impl Asked {
    pub(super) fn of(
        served: &Served,
        target: &Target,
        request: &Request,
        now: f64,
        id: &str,
    ) -> Self {
        let Served { api, stage, region, .. } = served;
        let domain = format!("{api}.execute-api.{region}.amazonaws.com");
        let mut headers = Many::new();
        for (name, value) in &request.headers {
            headers.entry(as_sent(name)).or_default().push(value.clone());
        }
        // What only says how the request came to this machine.
        for name in ["Connection", "Content-Length", "Transfer-Encoding", "Expect"] {
            headers.remove(name);
        }
        let trace = format!("Root=1-{:08x}-{}", now as u64, &id.replace('-', "")[..24]);
        for (name, value) in [
            ("Host", domain.as_str()),
            ("X-Amzn-Trace-Id", &trace),
            ("X-Forwarded-For", ADDRESS),
            ("X-Forwarded-Port", "443"),
            ("X-Forwarded-Proto", "https"),
        ] {
            headers.insert(name.to_owned(), vec![value.to_owned()]);
        }
        let mut query = Many::new();
        for pair in request.query().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            query.entry(decoded(name)).or_default().push(decoded(value));
        }
        let names = served.path.iter().map(|(name, value)| {
            let value = percent_decode_str(value.as_str().unwrap_or_default());
            (name.clone(), value.decode_utf8_lossy().into_owned().into())
        });
        let agent = request.header("user-agent");
        let context = json!({
            "accountId": ACCOUNT,
            "apiId": api,
            "deploymentId": served.deployment,
            "domainName": domain,
            "domainPrefix": api,
            "extendedRequestId": STANDARD.encode(&id.as_bytes()[..11]),
            "httpMethod": request.method,
            "identity": {
                "accessKey": null,
                "accountId": null,
                "caller": null,
                "cognitoAuthenticationProvider": null,
                "cognitoAuthenticationType": null,
                "cognitoIdentityId": null,
                "cognitoIdentityPoolId": null,
                "principalOrgId": null,
                "sourceIp": ADDRESS,
                "user": null,
                "userAgent": agent,
                "userArn": null,
            },
            "path": format!("/{stage}{}", target.path),
            "protocol": "HTTP/1.1",
            "requestId": id,
            "requestTime": time_of(now),
            "requestTimeEpoch": (now * 1000.0) as i64,
            "resourceId": served.resource,
            "resourcePath": served.template,
            "stage": stage,
        });
        Self {
            headers,
            query,
            path: target.path.clone(),
            names: names.collect(),
            method: request.method.clone(),
            context,
        }
    }

    /// The id of the request.
    pub(super) fn id(&self) -> &str {
        self.context["requestId"].as_str().unwrap_or_default()
    }

    /// What the names in the template of the path stand for.
    pub(super) fn names(&self) -> &Map<String, Value> {
        &self.names
    }

    /// The name of a required parameter, `method.request.header.NAME`, if the request lacks it.
    pub(super) fn misses<'a>(&self, parameter: &'a str) -> Option<&'a str> {
        let (place, name) = parameter.strip_prefix("method.request.")?.split_once('.')?;
        let has = match place {
            "header" => self.header(name).is_some_and(|value| !value.is_empty()),
            "querystring" => {
                self.query.get(name).is_some_and(|all| all.iter().any(|one| !one.is_empty()))
            }
            _ => self.names.contains_key(name),
        };
        (!has).then_some(name)
    }

    /// A header by its name in any case; the last value, as API Gateway takes it.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.and_then(|(_, values)| values.last()).map(String::as_str)
    }

    /// A parameter of the query; the last value.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).and_then(|values| values.last()).map(String::as_str)
    }

    /// Whether the caller wants bytes, and the API has them.
    pub(super) fn takes_binary(&self, types: &[String]) -> bool {
        let accepted = self.header("accept").unwrap_or("*/*");
        let first = accepted.split(',').next().unwrap_or_default();
        is_binary(first.split(';').next().unwrap_or_default().trim(), types)
    }

    /// What calls the function, for the policy of the function.
    pub(super) fn source(&self, served: &Served) -> String {
        method_arn(served, &self.method, &served.template)
    }

    /// The ARN of the method and path that were called.
    pub(super) fn called(&self, served: &Served) -> String {
        method_arn(served, &self.method, &self.path)
    }

    /// What an authorizer of the type REQUEST and a function both get.
    pub(super) fn common(&self, served: &Served) -> Value {
        let variables = served.variables.clone();
        json!({
            "resource": served.template,
            "path": self.path,
            "httpMethod": self.method,
            "headers": last(&self.headers),
            "multiValueHeaders": some(json!(self.headers)),
            "queryStringParameters": some(last(&self.query)),
            "multiValueQueryStringParameters": some(json!(self.query)),
            "pathParameters": some(Value::Object(self.names.clone())),
            "stageVariables": some(json!(variables)),
            "requestContext": self.context,
        })
    }

    /// The event for a function.
    pub(super) fn event(&self, served: &Served, caller: &Caller, request: &Request) -> Value {
        let mut event = self.common(served);
        let context = &mut event["requestContext"];
        for (name, value) in &caller.identity {
            context["identity"][name] = value.clone();
        }
        if let Some(authorizer) = &caller.authorizer {
            context["authorizer"] = authorizer.clone();
        }
        let kind = request.header("content-type").unwrap_or("application/json");
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let (body, encoded) = match std::str::from_utf8(&request.body) {
            _ if request.body.is_empty() => (Value::Null, false),
            Ok(text) if !is_binary(kind, &served.binary_types) => (text.into(), false),
            Err(_) if !is_binary(kind, &served.binary_types) => {
                (String::from_utf8_lossy(&request.body).into(), false)
            }
            _ => (STANDARD.encode(&request.body).into(), true),
        };
        event["body"] = body;
        event["isBase64Encoded"] = encoded.into();
        event
    }
}

/// Where all requests come from.
const ADDRESS: &str = "127.0.0.1";

fn is_binary(kind: &str, types: &[String]) -> bool {
    types.iter().any(|binary| binary == "*/*" || binary == kind)
}

/// The last value of each name.
fn last(all: &Many) -> Value {
    all.iter().filter_map(|(name, values)| Some((name.clone(), json!(values.last()?)))).collect()
}

/// An object, or null for an empty one.
fn some(object: Value) -> Value {
    if object.as_object().is_some_and(Map::is_empty) { Value::Null } else { object }
}

/// A header as clients write it: `Idempotency-Key`. Its case does not survive the way here.
fn as_sent(name: &str) -> String {
    let part = |part: &str| match part.split_at_checked(1) {
        Some((first, rest)) => format!("{}{rest}", first.to_ascii_uppercase()),
        None => part.to_owned(),
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// `09/Apr/2015:12:34:56 +0000`.
fn time_of(seconds: f64) -> String {
    let form = time::macros::format_description!(
        "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000"
    );
    let moment = OffsetDateTime::from_unix_timestamp(seconds as i64);
    moment.ok().and_then(|moment| moment.format(&form).ok()).unwrap_or_default()
}
