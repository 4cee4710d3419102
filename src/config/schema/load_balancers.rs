//! `[load_balancers.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::network::SubnetTier;
use super::text::{
    BucketRef, DomainName, EnvName, GroupRef, HeaderPattern, HostPattern, ItemName, PathPattern,
    PhysicalName, RequestHeader, RequestMethod, SourceRange, TargetGroupRef, Template,
};
use super::{OneOrMany, yes};
use crate::words::load_balancers::{BalancerType, ContentType, ListenerProtocol, Scheme};

/// A load balancer with its listeners.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// Another environment of the project whose load balancer of this name is used: `"dev"`. payctl finds
    /// it by its ownership tags, and neither changes nor deletes it. Beside it stand only `domain` and
    /// `listeners` with a `port` and `rules`: the rules are this environment's own.
    pub from: Option<EnvName>,
    /// The physical name, at most 32 characters. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// The type.
    #[serde(default, rename = "type")]
    pub kind: BalancerType,
    /// The scheme: who reaches it.
    #[serde(default)]
    pub scheme: Scheme,
    /// The tier of subnets that it runs in. Default: `public` if it faces the internet, `private` if
    /// not.
    pub subnets: Option<SubnetTier>,
    /// Its security groups.
    #[serde(default)]
    pub security_groups: BTreeSet<GroupRef>,
    /// Whether AWS refuses to delete it. Default: as `protect`.
    pub deletion_protection: Option<bool>,
    /// The idle timeout of a connection in seconds (application only). Default: 60.
    #[schemars(range(min = 1, max = 4000))]
    pub idle_timeout: Option<u32>,
    /// Whether it removes headers with invalid names (application only). Default: true.
    pub drop_invalid_headers: Option<bool>,
    /// Whether clients may use HTTP/2 (application only). Default: true.
    pub http2: Option<bool>,
    /// Whether each zone serves the targets of all zones (network only, since
    /// application load balancers always do). Default: false.
    pub cross_zone: Option<bool>,
    /// A domain name of its own.
    pub domain: Option<BalancerDomain>,
    /// The access log. Default: no log.
    pub access_log: Option<AccessLog>,
    /// The ports that it listens on.
    #[serde(default)]
    pub listeners: Vec<Listener>,
}

/// A domain name of a load balancer. The certificate of a listener must stand for it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BalancerDomain {
    /// The name.
    pub name: DomainName,
    /// The public hosted zone of the account in which payctl writes an alias record of the name. Default:
    /// `zone` of the environment. Without both, you set a CNAME to `${load_balancers.NAME.dns_name}`.
    pub zone: Option<DomainName>,
}

/// The access log of a load balancer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessLog {
    /// The bucket. It needs `log_delivery` and must not have a customer key.
    pub bucket: BucketRef,
    /// The prefix of the object keys. Default: the name of the load balancer in this
    /// config.
    #[schemars(length(min = 1, max = 128))]
    pub prefix: Option<String>,
}

/// A port that a load balancer listens on. Exactly one of `forward`, `redirect` and `respond` gives
/// the action for requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// The port.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The protocol of clients. Default: `https` with a certificate and `http` without; for a
    /// network load balancer, `tls` and `tcp`.
    pub protocol: Option<ListenerProtocol>,
    /// The certificate: the name of one of `[certificates]`, or the ARN of an ACM certificate of the
    /// region.
    pub certificate: Option<Template>,
    /// Further certificates, by name or by ARN. The load balancer chooses one by the name that a client asks
    /// for. Default: payctl leaves further certificates as they are.
    #[schemars(length(max = 25))]
    pub other_certificates: Option<Vec<Template>>,
    /// The TLS security policy that clients must meet, by AWS's name.
    #[serde(default = "tls_policy")]
    #[schemars(length(min = 1, max = 64))]
    pub tls_policy: String,
    /// The target group, or several with weights from 0 to 999: `{ blue = 90, green = 10 }`.
    pub forward: Option<Forward>,
    /// How many seconds a client stays with its target group. Only with weights.
    #[schemars(range(min = 1, max = 604_800))]
    pub sticky_seconds: Option<u32>,
    /// The redirect to send to clients.
    pub redirect: Option<Redirect>,
    /// The fixed response to send.
    pub respond: Option<Respond>,
    /// Rules by name: other actions for some requests (application only). Requests that match no rule
    /// get the action of the listener.
    #[serde(default)]
    pub rules: BTreeMap<ItemName, Rule>,
}

/// A rule of a listener: the action for requests that match all conditions of `when`. Exactly one of
/// `forward`, `redirect` and `respond` gives the action.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The priority, which no other rule of the listener has. Of the rules that match, the one with the
    /// lowest number acts. Needed, but not with `from`: payctl then takes a free one from 20,000 on.
    #[schemars(range(min = 1, max = 50_000))]
    pub priority: Option<u16>,
    /// The conditions, with up to 5 values in total.
    pub when: Conditions,
    /// The target group, or several with weights from 0 to 999: `{ blue = 90, green = 10 }`.
    pub forward: Option<Forward>,
    /// How many seconds a client stays with its target group. Only with weights.
    #[schemars(range(min = 1, max = 604_800))]
    pub sticky_seconds: Option<u32>,
    /// The redirect to send to clients.
    pub redirect: Option<Redirect>,
    /// The fixed response to send.
    pub respond: Option<Respond>,
}

/// The conditions of a rule. All must match. If a condition has several values, one of them must
/// match. In values, `*` stands for any characters and `?` for one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// The path, `"/api/*"`. Upper and lower case differ.
    #[serde(default)]
    pub path: OneOrMany<PathPattern>,
    /// The host, `"*.example.com"`.
    #[serde(default)]
    pub host: OneOrMany<HostPattern>,
    /// The method, `"POST"`. Wildcards have no meaning here.
    #[serde(default)]
    pub method: OneOrMany<RequestMethod>,
    /// The values of headers by name: `{ X-Version = "2*" }`.
    #[serde(default)]
    pub header: BTreeMap<RequestHeader, OneOrMany<HeaderPattern>>,
    /// The values of query parameters by name: `{ version = "2" }`.
    #[serde(default)]
    pub query: BTreeMap<String, OneOrMany<HeaderPattern>>,
    /// The address range of the client, IPv4 or IPv6: `"203.0.113.0/24"`.
    #[serde(default)]
    pub source_ip: OneOrMany<SourceRange>,
}

/// The action of a listener or a rule.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    /// The target groups.
    pub forward: Option<&'a Forward>,
    /// How long a client stays with its target group.
    pub sticky_seconds: Option<u32>,
    /// The redirect.
    pub redirect: Option<&'a Redirect>,
    /// The fixed response.
    pub respond: Option<&'a Respond>,
}

macro_rules! acts {
    ($($type:ident)*) => {
        $(
            impl $type {
                /// Its action.
                pub fn action(&self) -> Action<'_> {
                    Action {
                        forward: self.forward.as_ref(),
                        sticky_seconds: self.sticky_seconds,
                        redirect: self.redirect.as_ref(),
                        respond: self.respond.as_ref(),
                    }
                }
            }
        )*
    };
}

acts! { Listener Rule }

fn tls_policy() -> String {
    "ELBSecurityPolicy-TLS13-1-2-2021-06".into()
}

impl Listener {
    /// The default protocol of clients, by the type of the load balancer.
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

/// The target groups of a listener.
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

/// A redirect. Parts that are not set stay as in the request.
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
    /// Whether the redirect is permanent: clients may cache it.
    #[serde(default = "yes")]
    pub permanent: bool,
}

fn https() -> ListenerProtocol {
    ListenerProtocol::Https
}

fn https_port() -> u16 {
    443
}

/// A fixed response.
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
