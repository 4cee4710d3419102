//! `[apis.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::log_groups::Retention;
use super::policies::Statement;
use super::text::{
    ApiKeyName, ApiParameter, Authorization, BasePath, CalleeRef, DomainName, Identity, ItemName,
    KeyRef, LoadBalancerRef, ModelName, Origin, PhysicalName, RouteName, RoutePath, Scope,
    SecurityPolicy, StageName, StageVariable, Template, UserPool, VpcLinkRef,
};
use super::{OneOrMany, yes};
use crate::words::apis::{Endpoint, Gets, LogLevel, Period};
use crate::words::log_groups::LogClass;

/// A REST API with its stage.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// A description.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub description: String,
    /// The endpoint type: in its region, or at the edge locations of CloudFront.
    #[serde(default)]
    pub endpoint: Endpoint,
    /// The security policy, by AWS's name: the TLS versions and ciphers that callers may use, such as
    /// `"SecurityPolicy_TLS13_1_2_2021_06"` (1.2 and 1.3). If unset, payctl does not change it: AWS gives a
    /// new API a policy that still accepts TLS 1.0.
    pub security_policy: Option<SecurityPolicy>,
    /// The name of the stage, the first step of every URL. Default: the environment's name.
    pub stage: Option<StageName>,
    /// A description of the stage. Default: that of the API.
    #[schemars(length(max = 1024))]
    pub stage_description: Option<String>,
    /// The scope of the permissions to call functions.
    #[serde(default)]
    pub function_permissions: FunctionPermissions,
    /// A domain name of its own (regional endpoints only).
    pub domain: Option<ApiDomain>,
    /// The methods of the API, `[apis.NAME.routes."POST /path"]`.
    pub routes: BTreeMap<RouteName, Route>,
    /// Whether API Gateway validates requests before it passes them on: the body against the `model` of
    /// the route, and the presence of required parameters.
    pub validator: Option<Validator>,
    /// Models of request bodies by name: JSON schemas (draft 4) as text.
    #[serde(default)]
    pub models: BTreeMap<ModelName, String>,
    /// The authorizers by name. A route uses the one that its `authorization` names.
    #[serde(default)]
    pub authorizers: BTreeMap<ItemName, Authorizer>,
    /// The settings of logs and metrics.
    #[serde(default)]
    pub log: ApiLog,
    /// How much all callers together may send. Default: as much as the account allows.
    pub throttle: Option<ApiThrottle>,
    /// CORS: lets web pages of other origins call the API.
    pub cors: Option<Cors>,
    /// The usage plan: API keys for routes with `api_key = true`, and their limits.
    pub usage: Option<Usage>,
    /// Stage variables.
    #[serde(default)]
    pub variables: BTreeMap<StageVariable, Template>,
    /// Whether X-Ray traces requests.
    #[serde(default)]
    pub tracing: bool,
    /// Binary media types: content types that API Gateway passes on as bytes.
    #[serde(default)]
    pub binary_types: BTreeSet<String>,
    /// The least size in bytes at which responses are compressed. Default: never compressed.
    #[schemars(range(min = 0, max = 10_485_760))]
    pub minimum_compression: Option<u32>,
    /// The resource policy, which limits who may call the API. If empty, everybody may.
    #[serde(default)]
    pub statements: Vec<Statement>,
}

/// A domain name of an API: API Gateway answers there with TLS 1.2 or later, and the name of the stage is
/// not part of the URL.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiDomain {
    /// The name. It belongs to this API alone.
    pub name: DomainName,
    /// The certificate: the name of one of `[certificates]`, or the ARN of an ACM certificate of the
    /// region.
    pub certificate: Template,
    /// The public hosted zone of the account in which payctl writes an alias record of the name. Default:
    /// `zone` of the environment. Without both, you set a CNAME to `${apis.NAME.domain_target}`.
    pub zone: Option<DomainName>,
    /// The first step of all paths. Default: the API is at the root.
    pub base_path: Option<BasePath>,
}

/// The scope of the permissions that let an API call functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FunctionPermissions {
    /// One for each function: every stage, method and path of the API. Their number does not grow with
    /// the routes, so a policy stays within its size.
    #[default]
    Api,
    /// Two for each route: exactly its stage, method and path, and the same in the console's test.
    Route,
}

/// A method of a path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The function that handles requests. It gets the whole request. payctl lets this API call it.
    pub function: Option<CalleeRef>,
    /// The load balancer that handles requests, through `vpc_link`.
    pub load_balancer: Option<LoadBalancerRef>,
    /// The VPC link to the load balancer.
    pub vpc_link: Option<VpcLinkRef>,
    /// The path at the load balancer. Default: the path of the route.
    pub path: Option<RoutePath>,
    /// The port of the load balancer: 443 is HTTPS. Then API Gateway calls the load balancer by its
    /// `domain`, if it has one, and checks the certificate of that name.
    #[serde(default = "http")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The URL that handles requests.
    pub url: Option<Template>,
    /// The timeout in milliseconds. Default: 29000, which is also the most that AWS allows. A
    /// function that takes longer continues without a caller.
    #[schemars(range(min = 50, max = 29000))]
    pub timeout_ms: Option<u32>,
    /// Who may call it: `iam` (callers that IAM permits), `none` (everybody), or the name of an
    /// authorizer of the API.
    #[serde(default = "iam")]
    pub authorization: Authorization,
    /// OAuth scopes: the caller's access token must have one of them. Only with user pools. Without
    /// scopes, the caller sends an identity token.
    #[serde(default)]
    pub scopes: BTreeSet<Scope>,
    /// Whether a call needs an API key of `usage`.
    #[serde(default)]
    pub api_key: bool,
    /// The model that the API's `validator` checks the body against; `none` if it does not check
    /// the body.
    pub model: Option<ModelName>,
    /// Query parameters (`query.id`) and headers (`header.X-Id`), and whether they are required.
    #[serde(default)]
    pub parameters: BTreeMap<ApiParameter, bool>,
    /// Whether the validator of the API checks requests to this route.
    #[serde(default = "yes")]
    pub validate: bool,
}

fn http() -> u16 {
    80
}

fn iam() -> Authorization {
    Authorization("iam".into())
}

impl Route {
    /// The model of its body, if there is one.
    pub fn body(&self) -> Option<&ModelName> {
        self.model.as_ref().filter(|model| model.0 != "none")
    }
}

/// An authorizer: Cognito user pools, or a function.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authorizer {
    /// The user pools whose tokens it accepts: ids (of this region and account) or ARNs. API Gateway
    /// checks the signature, expiry and issuer of a token itself.
    #[serde(default)]
    pub user_pools: OneOrMany<UserPool>,
    /// The function that decides, and answers with a policy. payctl lets this API call it.
    pub function: Option<CalleeRef>,
    /// What the function gets: only the token, or the whole request.
    #[serde(default)]
    pub gets: Gets,
    /// The source that identifies a caller. API Gateway refuses a request without it. Default: the header
    /// `Authorization`.
    #[serde(default = "authorization_header")]
    pub identity: OneOrMany<Identity>,
    /// How many seconds API Gateway caches the function's answer for one identity, for all routes.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 3600))]
    pub cache_seconds: u32,
}

fn authorization_header() -> OneOrMany<Identity> {
    OneOrMany::One(Identity("header.Authorization".into()))
}

fn five_minutes() -> u32 {
    300
}

/// The validation of requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// The name of the validator. Default: the name of the API with `-validator`.
    pub name: Option<PhysicalName>,
    /// Whether the body must match the model of the route.
    #[serde(default = "yes")]
    pub body: bool,
    /// Whether the required parameters must be present.
    #[serde(default = "yes")]
    pub parameters: bool,
}

/// Logs and metrics of an API. Logs need a role of the account. payctl creates it if there is none.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiLog {
    /// What the execution log contains.
    #[serde(default)]
    pub level: LogLevel,
    /// Whether to log whole requests and responses, with the card numbers in them. It also needs
    /// `card_numbers_in_logs`.
    #[serde(default)]
    pub data_trace: bool,
    /// Confirms `data_trace`, although requests may contain card numbers.
    #[serde(default)]
    pub card_numbers_in_logs: bool,
    /// Whether CloudWatch has metrics for each method.
    #[serde(default = "yes")]
    pub metrics: bool,
    /// Whether an access log records every request.
    #[serde(default = "yes")]
    pub access: bool,
    /// How many days CloudWatch keeps both logs, or `"forever"`.
    #[serde(default)]
    pub retention_days: Retention,
    /// The class of the access log. AWS never changes the class of a log group, and payctl does not replace
    /// one: set it before the first apply. API Gateway creates the execution log, as a standard one.
    #[serde(default)]
    pub class: LogClass,
    /// The KMS key that encrypts both logs. Default: CloudWatch's own key.
    pub key: Option<KeyRef>,
}

impl Default for ApiLog {
    fn default() -> Self {
        Self {
            level: LogLevel::default(),
            data_trace: false,
            card_numbers_in_logs: false,
            metrics: true,
            access: true,
            retention_days: Retention::default(),
            class: LogClass::default(),
            key: None,
        }
    }
}

impl ApiLog {
    /// Whether anything is logged.
    pub fn is_on(&self) -> bool {
        self.access || self.level != LogLevel::Off
    }
}

/// A limit of the request rate.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiThrottle {
    /// Requests per second, on average.
    #[schemars(range(min = 1, max = 10000))]
    pub rate: u32,
    /// The most requests at once (burst).
    #[schemars(range(min = 1, max = 5000))]
    pub burst: u32,
}

/// The web pages that may call an API. A function must set the CORS headers of its responses itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// The origins, `"https://shop.example.com"`, or `"*"`.
    pub origins: OneOrMany<Origin>,
    /// The request headers that are allowed.
    #[serde(default = "usual_headers")]
    pub headers: Vec<String>,
    /// How many seconds a browser caches the answer.
    #[schemars(range(min = 0, max = 86400))]
    pub max_age: Option<u32>,
    /// Whether requests may contain cookies.
    #[serde(default)]
    pub credentials: bool,
}

fn usual_headers() -> Vec<String> {
    let usual =
        ["Content-Type", "Authorization", "X-Amz-Date", "X-Api-Key", "X-Amz-Security-Token"];
    usual.map(str::to_owned).into()
}

/// A usage plan: API keys and their limits.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// The physical name of the usage plan. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// A description.
    #[serde(default)]
    pub description: String,
    /// The request rate of each key. Default: the limit of the API.
    pub throttle: Option<ApiThrottle>,
    /// How many calls each key has in a period. Default: no quota.
    pub quota: Option<UsageQuota>,
    /// The names of the API keys. AWS generates their values, and payctl never shows them.
    #[serde(default)]
    pub keys: BTreeSet<ApiKeyName>,
}

/// How many calls each key has in a period.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageQuota {
    /// The number of calls.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub limit: u32,
    /// The period of the quota.
    pub period: Period,
}
