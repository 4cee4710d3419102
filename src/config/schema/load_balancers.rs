//! `[load_balancers.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::network::SubnetTier;
use super::text::{BucketRef, GroupRef, PhysicalName, TargetGroupRef, Template};
use super::yes;

/// A load balancer with its listeners.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// The physical name, instead of one by the pattern; at most 32 characters.
    pub name: Option<PhysicalName>,
    /// What it understands.
    #[serde(default, rename = "type")]
    pub kind: BalancerType,
    /// Who reaches it.
    #[serde(default)]
    pub scheme: Scheme,
    /// The tier that it stands in; unless stated, `public` if it faces the internet and `private` if
    /// not.
    pub subnets: Option<SubnetTier>,
    /// Its security groups.
    #[serde(default)]
    pub security_groups: BTreeSet<GroupRef>,
    /// Whether AWS refuses to delete it; unless stated, in protected environments.
    pub deletion_protection: Option<bool>,
    /// After how many seconds without data a connection is closed (60 unless stated; application).
    #[schemars(range(min = 1, max = 4000))]
    pub idle_timeout: Option<u32>,
    /// Whether headers with invalid names are removed (they are unless stated; application).
    pub drop_invalid_headers: Option<bool>,
    /// Whether clients may speak HTTP/2 (they may unless stated; application).
    pub http2: Option<bool>,
    /// Whether each zone serves the targets of all zones (not unless stated; network, since
    /// application load balancers always do).
    pub cross_zone: Option<bool>,
    /// Where requests are logged. Nowhere unless stated.
    pub access_log: Option<AccessLog>,
    /// The ports that it listens on.
    #[serde(default)]
    pub listeners: Vec<Listener>,
}

/// What a load balancer understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BalancerType {
    /// HTTP.
    #[default]
    Application,
    /// Connections.
    Network,
}

/// Who reaches a load balancer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Only what is in the network.
    #[default]
    Internal,
    /// Everybody.
    InternetFacing,
}

/// Where requests are logged.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessLog {
    /// The bucket; it needs `log_delivery` and must not have a customer key.
    pub bucket: BucketRef,
    /// What the keys of the objects begin with; unless stated, the name of the load balancer in this
    /// config.
    #[schemars(length(min = 1, max = 128))]
    pub prefix: Option<String>,
}

/// A port that a load balancer listens on. Exactly one of `forward`, `redirect` and `respond` says
/// what becomes of a request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// The port.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// What clients speak. Unless stated: `https` with a certificate and `http` without; of a
    /// network load balancer `tls` and `tcp`.
    pub protocol: Option<ListenerProtocol>,
    /// The ARN of the ACM certificate.
    pub certificate: Option<Template>,
    /// The security policy that clients must meet.
    #[serde(default = "tls_policy")]
    #[schemars(length(min = 1, max = 64))]
    pub tls_policy: String,
    /// The target group, or several with weights from 0 to 999: `{ blue = 90, green = 10 }`.
    pub forward: Option<Forward>,
    /// For how many seconds a client stays with the target group that it got; only with weights.
    #[schemars(range(min = 1, max = 604_800))]
    pub sticky_seconds: Option<u32>,
    /// Where clients are sent instead.
    pub redirect: Option<Redirect>,
    /// A fixed answer.
    pub respond: Option<Respond>,
}

fn tls_policy() -> String {
    "ELBSecurityPolicy-TLS13-1-2-2021-06".into()
}

/// What clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListenerProtocol {
    /// HTTP without TLS.
    Http,
    /// HTTP over TLS.
    Https,
    /// Any connection.
    Tcp,
    /// Any connection over TLS.
    Tls,
}

impl ListenerProtocol {
    /// As AWS names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// Whether it needs a certificate.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}

impl Listener {
    /// What clients speak with a load balancer of a type.
    pub fn spoken(&self, kind: BalancerType) -> ListenerProtocol {
        let assumed = match (kind, self.certificate.is_some()) {
            (BalancerType::Application, true) => ListenerProtocol::Https,
            (BalancerType::Application, false) => ListenerProtocol::Http,
            (BalancerType::Network, true) => ListenerProtocol::Tls,
            (BalancerType::Network, false) => ListenerProtocol::Tcp,
        };
        self.protocol.unwrap_or(assumed)
    }
}

/// Where requests go.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Forward {
    /// To one target group.
    One(TargetGroupRef),
    /// To several, by weight.
    Weighted(BTreeMap<String, u16>),
}

impl Forward {
    /// The target groups with their weights.
    pub fn shares(&self) -> Vec<(&str, u16)> {
        match self {
            Self::One(group) => vec![(group, 1)],
            Self::Weighted(shares) => {
                shares.iter().map(|(group, weight)| (group.as_str(), *weight)).collect()
            }
        }
    }
}

/// Where clients are sent. What is not stated stays as the client asked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// The protocol.
    #[serde(default = "https")]
    pub protocol: ListenerProtocol,
    /// The port.
    #[schemars(range(min = 1))]
    #[serde(default = "https_port")]
    pub port: u16,
    /// The host.
    #[schemars(length(min = 1, max = 128))]
    pub host: Option<String>,
    /// The path, with its slash.
    #[schemars(length(min = 1, max = 128))]
    pub path: Option<String>,
    /// Whether clients may remember it.
    #[serde(default = "yes")]
    pub permanent: bool,
}

fn https() -> ListenerProtocol {
    ListenerProtocol::Https
}

fn https_port() -> u16 {
    443
}

/// A fixed answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// The status: 200 to 299 or 400 to 599.
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// The type of the body.
    #[serde(default)]
    pub content_type: ContentType,
    /// The body.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub body: String,
}

/// The type of a fixed answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum ContentType {
    /// Plain text.
    #[default]
    #[serde(rename = "text/plain")]
    Text,
    /// HTML.
    #[serde(rename = "text/html")]
    Html,
    /// JSON.
    #[serde(rename = "application/json")]
    Json,
    /// A style sheet.
    #[serde(rename = "text/css")]
    Css,
    /// A script.
    #[serde(rename = "application/javascript")]
    Script,
}

impl ContentType {
    /// As AWS names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::Html => "text/html",
            Self::Json => "application/json",
            Self::Css => "text/css",
            Self::Script => "application/javascript",
        }
    }
}
