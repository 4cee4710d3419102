//! A request over HTTP that must succeed.

use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use crate::aws::clients::within;
use crate::aws::network;
use payctl_engine::model::error::OpError;

/// A request and the answer to expect.
#[derive(Clone, Debug)]
pub struct Probe {
    url: String,
    status: u16,
    timeout: Duration,
    connector: SharedHttpConnector,
}

impl Probe {
    /// A probe of an address, over the network. `profile` may name certificates to trust.
    pub async fn new(
        url: String,
        status: u16,
        timeout: Duration,
        profile: Option<&str>,
    ) -> Result<Self, OpError> {
        let connector = network::requests(profile).await?;
        Ok(Self { url, status, timeout, connector })
    }

    /// How long the answer took, or why it is not the expected one. Redirects are answers like any other.
    pub(super) async fn ask(&self) -> Result<Duration, String> {
        let began = SystemTime::now();
        let mut request = HttpRequest::get(&self.url).map_err(|error| error.to_string())?;
        request.headers_mut().insert("user-agent", "payctl");
        let answer = within(self.timeout, self.connector.call(request)).await;
        let late = || format!("{}: no answer within {} s", self.url, self.timeout.as_secs());
        let answer = answer.ok_or_else(late)?;
        let answer = answer.map_err(|error| {
            let chain = std::iter::successors(
                Some(&error as &(dyn std::error::Error + 'static)),
                |error| error.source(),
            );
            let chain: Vec<String> = chain.map(ToString::to_string).collect();
            format!("{}: {}", self.url, chain.join(": "))
        })?;
        let status = answer.status().as_u16();
        match status == self.status {
            true => Ok(began.elapsed().unwrap_or_default()),
            false => Err(format!("{} answers {status}, not {}", self.url, self.status)),
        }
    }
}
