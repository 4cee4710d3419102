//! Single HTTP requests, such as a check sends: over the same transport as the calls of the SDK, with the
//! same proxy and the same trusted certificates. No request is repeated, and no redirect is followed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::DeserializeResponse;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;
use tokio::sync::OnceCell;

use super::clients::{Aws, Connection};
use super::error::chain_of;
use super::network;
use payctl_engine::model::verdict::Verdict;

/// A request to anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The address.
    pub url: String,
    /// The headers by name.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// Whether it is signed as API Gateway wants it (`AWS_IAM`).
    pub is_signed: bool,
}

/// The answer to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The error that API Gateway names, if it answers by itself.
    pub error: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// How long it took.
    pub took: Duration,
}

/// The most bytes of an answer that are read.
const MOST: usize = 1 << 20;
/// The error of the sandbox for what it does not run.
const NOT_RUN: &str = "NotImplementedInSandbox";
/// The service that signed requests to APIs are for.
const API: &str = "execute-api";

/// The way to any host.
#[derive(Clone, Debug)]
pub(super) struct Web {
    transport: SharedHttpClient,
    keys: Option<SharedCredentialsProvider>,
    time: SharedTimeSource,
    /// The endpoint that stands in for AWS.
    endpoint: Option<String>,
    /// Whether AWS is in this process.
    is_embedded: bool,
    /// The profile, which may name certificates to trust.
    profile: Option<String>,
    /// The transport for this machine, once it was needed.
    network: Arc<OnceCell<SharedHttpClient>>,
}

impl Web {
    pub(super) fn new(config: &SdkConfig, connection: &Connection) -> Self {
        Self {
            transport: config.http_client().expect("`load` gives a transport"),
            keys: config.credentials_provider(),
            time: config.time_source().unwrap_or_default(),
            endpoint: config.endpoint_url().map(str::to_owned),
            is_embedded: connection.transport.is_some(),
            profile: connection.profile.clone(),
            network: Arc::default(),
        }
    }

    /// Whether something else answers in the place of AWS.
    fn is_stand_in(&self) -> bool {
        self.endpoint.is_some() || self.is_embedded
    }

    /// Where a request really goes. What stands in for AWS answers only for its own APIs: a request to
    /// another host would leave it, unless that host is this machine.
    fn address(&self, url: &str) -> Result<String, Verdict> {
        match (&self.endpoint, api_of(url)) {
            (Some(endpoint), Some((api, rest))) => {
                let endpoint = endpoint.trim_end_matches('/');
                Ok(format!("{endpoint}/_aws/{API}/{api}/{rest}"))
            }
            (_, None) if self.is_stand_in() && !network::is_here(url) => {
                let host = network::authority(url);
                let why = format!("nothing answers for {host} at what stands in for AWS");
                Err(Verdict::NotRun(why))
            }
            _ => Ok(url.to_owned()),
        }
    }

    /// The transport for a request: AWS in this process does not answer for this machine.
    async fn transport(&self, url: &str) -> Result<SharedHttpClient, Verdict> {
        if !self.is_embedded || api_of(url).is_some() {
            return Ok(self.transport.clone());
        }
        let network = || network::transport(self.profile.as_deref());
        let network = self.network.get_or_try_init(network).await;
        network.cloned().map_err(|error| Verdict::Failed(error.to_string()))
    }
}

/// Scheme, host and port of a URL.
fn base(url: &str) -> &str {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find(['/', '?', '#']).map_or(url.len(), |at| begin + at);
    &url[..end]
}

/// The API that a URL of AWS leads to, and the rest of its path: `API.execute-api.REGION.amazonaws.com`.
fn api_of(url: &str) -> Option<(&str, &str)> {
    let host = network::authority(url);
    let (api, domain) = host.split_once('.')?;
    let is_api = domain.starts_with("execute-api.")
        && [".amazonaws.com", ".amazonaws.com.cn"].iter().any(|end| domain.ends_with(end));
    let rest = &url[base(url).len()..];
    is_api.then(|| (api, rest.trim_start_matches('/')))
}

impl Aws {
    /// The time.
    pub(crate) fn now(&self) -> std::time::SystemTime {
        self.web.time.now()
    }

    /// Whether something else answers in the place of AWS.
    pub(crate) fn is_stand_in(&self) -> bool {
        self.web.is_stand_in()
    }

    /// The answer to a request. Without one, the verdict says why.
    pub async fn ask(&self, request: &Request) -> Result<Answer, Verdict> {
        let url = self.web.address(&request.url)?;
        let headers = self.headers(request, &url).await?;
        let transport = self.web.transport(&url).await?;
        let began = self.web.time.now();
        let mut answer = send(&transport, request, &url, headers).await?;
        answer.took = self.web.time.now().duration_since(began).unwrap_or_default();
        if self.is_stand_in() && answer.error.as_deref() == Some(NOT_RUN) {
            let body = serde_json::from_slice::<serde_json::Value>(&answer.body);
            let why = body.ok().and_then(|body| Some(body.get("message")?.as_str()?.to_owned()));
            return Err(Verdict::NotRun(why.unwrap_or_else(|| NOT_RUN.to_owned())));
        }
        Ok(answer)
    }

    /// The headers of a request, with those of its signature.
    async fn headers(
        &self,
        request: &Request,
        url: &str,
    ) -> Result<Vec<(String, String)>, Verdict> {
        let failed =
            |what: &str, why: &dyn std::fmt::Display| Verdict::Failed(format!("{what}: {why}"));
        let mut headers: Vec<(String, String)> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect();
        let mut default = |name: &str, value: &str| {
            if !headers.iter().any(|(known, _)| known == name) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        };
        default("user-agent", "payctl");
        if !request.body.is_empty() {
            default("content-type", "application/json");
        }
        if !request.is_signed {
            return Ok(headers);
        }
        let Some(keys) = &self.web.keys else {
            return Err(Verdict::Failed("there are no credentials to sign with".into()));
        };
        let keys = keys.provide_credentials().await;
        let keys: Identity = keys.map_err(|error| failed("cannot sign", &error))?.into();
        let params = SigningParams::builder()
            .identity(&keys)
            .region(&self.scope.region)
            .name(API)
            .time(self.web.time.now())
            .settings(SigningSettings::default())
            .build()
            .expect("all parameters are set")
            .into();
        let shown = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = SignableBody::Bytes(request.body.as_bytes());
        let signed = SignableRequest::new(&request.method, url, shown, body)
            .and_then(|request| sign(request, &params))
            .map_err(|error| failed("cannot sign", &error))?;
        let (more, _) = signed.into_parts().0.into_parts();
        headers.extend(more.iter().map(|header| (header.name().into(), header.value().into())));
        Ok(headers)
    }
}

async fn send(
    transport: &SharedHttpClient,
    request: &Request,
    url: &str,
    headers: Vec<(String, String)>,
) -> Result<Answer, Verdict> {
    let base = base(url);
    let target = url[base.len()..].split('#').next().unwrap_or_default();
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let (method, body) = (request.method.clone(), request.body.clone());
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).build();
    let operation = Operation::builder()
        .service_name("web")
        .operation_name("Ask")
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(transport.clone())
        .endpoint_url(base)
        .no_auth()
        .no_retry()
        .sleep_impl(TokioSleep::new())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .serializer(move |(): ()| {
            let mut request = HttpRequest::new(SdkBody::from(body.as_str()));
            request.set_method(&method)?;
            request.set_uri(target.as_str())?;
            for (name, value) in &headers {
                request.headers_mut().try_insert(name.clone(), value.clone())?;
            }
            if !body.is_empty() {
                request.headers_mut().try_insert("content-length", body.len().to_string())?;
            }
            Ok(request)
        })
        .deserializer_impl::<Unread, Infallible>(Begin)
        .build();
    let began = operation.invoke(()).await.map_err(|error| {
        let chain = chain_of(&error);
        let explained = network::explain("request", &chain).map(|error| error.message);
        Verdict::Failed(format!("no answer: {}", explained.unwrap_or(chain)))
    });
    let Unread { mut answer, mut body } = began?;
    while let Some(part) = body.next().await {
        let part = part.map_err(|error| {
            Verdict::Failed(format!("the answer broke off: {}", chain_of(&error)))
        })?;
        if answer.body.len() + part.len() > MOST {
            return Err(Verdict::Failed("the answer is longer than 1 MiB".to_owned()));
        }
        answer.body.extend_from_slice(&part);
    }
    Ok(answer)
}

/// An answer whose body nobody has read yet.
#[derive(Debug)]
struct Unread {
    answer: Answer,
    body: ByteStream,
}

/// Takes the beginning of an answer.
#[derive(Debug)]
struct Begin;

impl DeserializeResponse for Begin {
    fn deserialize_streaming_with_config(
        &self,
        response: &mut HttpResponse,
        _: &ConfigBag,
    ) -> Option<Result<Output, OrchestratorError<Error>>> {
        // `NAME:URL` in some answers.
        let error = response.headers().get("x-amzn-errortype");
        let error = error.and_then(|error| error.split(':').next()).map(str::to_owned);
        let status = response.status().as_u16();
        let answer = Answer { status, error, ..Answer::default() };
        let body = ByteStream::new(response.take_body());
        Some(Ok(Output::erase(Unread { answer, body })))
    }
}

#[cfg(test)]
mod tests {
    use super::super::clients::tests::{Does, connected};
    use super::*;

    const STAGE: &str = "https://a1.execute-api.us-east-1.amazonaws.com/dev/pay?x=1";

    #[test]
    fn an_api_is_told_by_its_host() {
        assert_eq!(api_of(STAGE), Some(("a1", "dev/pay?x=1")));
        assert_eq!(api_of("https://a1.execute-api.cn-north-1.amazonaws.com.cn"), Some(("a1", "")));
        for url in [
            "https://pay.example.com/dev",
            "https://a1.execute-api.example.com/dev",
            "https://evil.example/a1.execute-api.us-east-1.amazonaws.com",
            "https://a1.execute-api.us-east-1.amazonaws.com@evil.example/dev",
        ] {
            assert_eq!(api_of(url), None, "{url}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_stays_with_what_stands_in_for_aws() {
        let aws = connected(|_| Does::Answer(200, "{}")).await;
        let web = |endpoint: Option<&str>, is_embedded| Web {
            endpoint: endpoint.map(str::to_owned),
            is_embedded,
            ..aws.web.clone()
        };
        let balancer = "http://dev-1.elb.amazonaws.com/health";
        let real = web(None, false);
        assert_eq!(real.address(balancer), Ok(balancer.to_owned()));
        let near = "http://localhost:8080/health";
        let embedded = web(None, true);
        assert_eq!(embedded.address(STAGE), Ok(STAGE.to_owned()));
        assert_eq!(embedded.address(near), Ok(near.to_owned()));
        assert!(matches!(embedded.address(balancer), Err(Verdict::NotRun(_))));
        let metadata = "http://169.254.169.254/latest/meta-data/";
        assert!(matches!(embedded.address(metadata), Err(Verdict::NotRun(_))));
        let served = web(Some("http://127.0.0.1:4566/"), false);
        let at = "http://127.0.0.1:4566/_aws/execute-api/a1/dev/pay?x=1";
        assert_eq!(served.address(STAGE), Ok(at.to_owned()));
        assert_eq!(served.address(near), Ok(near.to_owned()));
        assert!(matches!(served.address(balancer), Err(Verdict::NotRun(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_without_end_is_not_read_to_it() {
        static LONG: std::sync::LazyLock<String> =
            std::sync::LazyLock::new(|| "x".repeat(MOST + 1));
        let request = Request { method: "GET".into(), url: STAGE.into(), ..Request::default() };
        let aws = connected(|_| Does::Answer(200, &LONG)).await;
        let failed = aws.ask(&request).await;
        assert_eq!(failed, Err(Verdict::Failed("the answer is longer than 1 MiB".into())));
        let aws = connected(|_| Does::Answer(200, &LONG[1..])).await;
        assert_eq!(aws.ask(&request).await.expect("an answer").body.len(), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_signed_request_names_the_service_of_apis() {
        let aws = connected(|request| {
            let signature = request.headers().get("authorization").unwrap_or_default();
            let is_so = signature.contains("/us-east-1/execute-api/aws4_request")
                && request.method() == "POST"
                && request.body().bytes() == Some(b"{}".as_slice())
                && request.headers().get("content-type") == Some("application/json");
            Does::Answer(if is_so { 202 } else { 403 }, "seen")
        });
        let aws = aws.await;
        let mut request = Request {
            method: "POST".into(),
            url: STAGE.into(),
            body: "{}".into(),
            is_signed: true,
            ..Request::default()
        };
        let answer = aws.ask(&request).await.expect("an answer");
        assert_eq!((answer.status, answer.body.as_slice()), (202, b"seen".as_slice()));
        request.is_signed = false;
        assert_eq!(aws.ask(&request).await.expect("an answer").status, 403);
    }
}
