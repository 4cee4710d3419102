//! `[checks.NAME]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{HeaderName, JsonPath, Template};
use crate::words::checks::{CheckAuthorization, Method};

/// A request over HTTP that `payctl check` sends, and the answer to expect.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The address, which may refer to outputs: `"${apis.payments.url}/validate"`. payctl does not follow
    /// redirects.
    pub url: Template,
    /// The method. payctl itself changes nothing, but a request with another method than `GET`, `HEAD` or
    /// `OPTIONS` may.
    #[serde(default)]
    pub method: Method,
    /// The headers of the request by name. payctl never shows them.
    #[serde(default)]
    pub headers: BTreeMap<HeaderName, Template>,
    /// The body of the request, as JSON unless `headers` has another `content-type`. payctl never shows it.
    pub body: Option<Template>,
    /// How payctl identifies itself: `iam` signs the request for API Gateway (SigV4).
    #[serde(default)]
    pub authorization: CheckAuthorization,
    /// The status of the answer to expect.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    pub status: u16,
    /// Values to expect in a JSON answer, by path: `{ validated = true, "items.0.currency" = "EUR" }`.
    #[serde(default)]
    pub json: BTreeMap<JsonPath, Expected>,
    /// How many milliseconds the answer may take.
    #[schemars(range(min = 1, max = 60_000))]
    pub latency_ms: Option<u32>,
    /// After how many seconds payctl gives up.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout: u32,
}

/// A value to expect.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Expected {
    /// True or false.
    Flag(bool),
    /// A number.
    Number(serde_json::Number),
    /// A string.
    Text(String),
}

fn ok() -> u16 {
    200
}

fn ten() -> u32 {
    10
}
