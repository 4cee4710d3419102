//! Requests to servers other than AWS's, through the same proxies and with the same certificates.

use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value;

use super::clients::within;
use super::network;
use payctl_engine::model::error::OpError;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that speaks JSON.
pub struct Web {
    connector: SharedHttpConnector,
    /// The headers of every request. They hold a token, so nothing shows them.
    headers: Vec<(&'static str, String)>,
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").finish_non_exhaustive()
    }
}

impl Web {
    /// Requests with these headers. `profile` may name certificates to trust.
    pub async fn new(
        headers: Vec<(&'static str, String)>,
        profile: Option<&str>,
    ) -> Result<Self, OpError> {
        Ok(Self { connector: network::requests(profile).await?, headers })
    }

    /// Sends a request; the status and the answer, null if it is not JSON.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), String> {
        let failed = |why: &dyn fmt::Display| format!("{method} {url}: {why}");
        let content = body.map(Value::to_string).unwrap_or_default();
        let mut request = HttpRequest::new(SdkBody::from(content));
        request.set_method(method).map_err(|error| failed(&error))?;
        request.set_uri(url).map_err(|error| failed(&error))?;
        let headers = request.headers_mut();
        headers.insert("user-agent", "payctl");
        if body.is_some() {
            headers.insert("content-type", "application/json");
        }
        for (name, value) in &self.headers {
            headers.insert(*name, value.clone());
        }
        let answer = within(PATIENCE, self.connector.call(request)).await;
        let answer = answer.ok_or_else(|| failed(&"no answer within 30 s"))?;
        let answer = answer.map_err(|error| failed(&error))?;
        let status = answer.status().as_u16();
        let bytes = within(PATIENCE, ByteStream::new(answer.into_body()).collect()).await;
        let bytes = bytes.ok_or_else(|| failed(&"the answer does not end"))?;
        let bytes = bytes.map_err(|error| failed(&error))?.into_bytes();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}
