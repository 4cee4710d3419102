//! `[apis.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::log_groups::Retention;
use super::policies::Statement;
use super::text::{
    ApiKeyName, ApiParameter, Authorization, FunctionRef, Identity, ItemName, KeyRef,
    LoadBalancerRef, ModelName, Origin, PhysicalName, RouteName, RoutePath, Scope, SecurityPolicy,
    StageName, StageVariable, Template, UserPool, VpcLinkRef,
};
use super::{OneOrMany, yes};

/// A REST API with its stage.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// What it is for.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub description: String,
    /// Whether it answers in its region, or at the edge locations of CloudFront.
    #[serde(default)]
    pub endpoint: Endpoint,
    /// The versions and ciphers of TLS that callers may use, by AWS's name,
    /// `"SecurityPolicy_TLS13_1_2_2021_06"` (1.2 and 1.3). Unless stated it is left as it is: AWS gives a
    /// new API one that still takes TLS 1.0.
    pub security_policy: Option<SecurityPolicy>,
    /// The name of the stage, the first step of every URL; the environment's name if unset.
    pub stage: Option<StageName>,
    /// Its methods, `[apis.NAME.routes."POST /path"]`.
    pub routes: BTreeMap<RouteName, Route>,
    /// Whether requests are checked before they are passed on: their body against the `model` of
    /// the route, and whether required parameters are there.
    pub validator: Option<Validator>,
    /// Models of bodies by name: JSON schemas (draft 4) as text.
    #[serde(default)]
    pub models: BTreeMap<ModelName, String>,
    /// Who looks at the callers of routes whose `authorization` names one of these.
    #[serde(default)]
    pub authorizers: BTreeMap<ItemName, Authorizer>,
    /// Logs and metrics.
    #[serde(default)]
    pub log: ApiLog,
    /// How much all callers together may send; as much as the account admits if unset.
    pub throttle: Option<ApiThrottle>,
    /// Lets web pages of other origins call it.
    pub cors: Option<Cors>,
    /// Lets holders of API keys call routes with `api_key = true`, so much and no more.
    pub usage: Option<Usage>,
    /// Variables of the stage.
    #[serde(default)]
    pub variables: BTreeMap<StageVariable, Template>,
    /// Whether requests are traced by X-Ray.
    #[serde(default)]
    pub tracing: bool,
    /// Content types that are passed on as bytes.
    #[serde(default)]
    pub binary_types: BTreeSet<String>,
    /// From how many bytes on answers are compressed; never if unset.
    #[schemars(range(min = 0, max = 10_485_760))]
    pub minimum_compression: Option<u32>,
    /// The resource policy: who may call it at all. Everybody if empty.
    #[serde(default)]
    pub statements: Vec<Statement>,
}

/// Where an API answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    /// In its region.
    #[default]
    Regional,
    /// At the edge locations of CloudFront.
    Edge,
}

/// A method of a path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The function that answers. It gets the whole request, and may be called by this API.
    pub function: Option<FunctionRef>,
    /// The load balancer that answers, through `vpc_link`.
    pub load_balancer: Option<LoadBalancerRef>,
    /// The way to the load balancer.
    pub vpc_link: Option<VpcLinkRef>,
    /// The path at the load balancer; the path of the route if unset.
    pub path: Option<RoutePath>,
    /// The port of the load balancer: 443 is HTTPS.
    #[serde(default = "http")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The URL that answers.
    pub url: Option<Template>,
    /// How many milliseconds the answer may take: 29000 if unset, which AWS lets nobody exceed. A
    /// function that may take longer goes on without a caller.
    #[schemars(range(min = 50, max = 29000))]
    pub timeout_ms: Option<u32>,
    /// Who may call it: `iam` is whom IAM permits, `none` everybody; or whom an authorizer of the API
    /// lets in.
    #[serde(default = "iam")]
    pub authorization: Authorization,
    /// OAuth scopes: the caller's access token must have one of them. Only with user pools; without
    /// any, the caller shows an identity token.
    #[serde(default)]
    pub scopes: BTreeSet<Scope>,
    /// Whether a call needs an API key of `usage`.
    #[serde(default)]
    pub api_key: bool,
    /// The model that its body is checked against by the API's `validator`; `none` if it is not
    /// checked.
    pub model: Option<ModelName>,
    /// Query parameters (`query.id`) and headers (`header.X-Id`), and whether they must be there.
    #[serde(default)]
    pub parameters: BTreeMap<ApiParameter, bool>,
    /// Whether the validator of the API checks it.
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

/// Who looks at callers: Cognito user pools, or a function.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authorizer {
    /// The user pools whose tokens let in: their ids (of this region and account) or ARNs. API Gateway
    /// checks signature, expiry and issuer by itself.
    #[serde(default)]
    pub user_pools: OneOrMany<UserPool>,
    /// The function that decides. It may be called by this API, and answers with a policy.
    pub function: Option<FunctionRef>,
    /// Whether the function gets the token only, or the whole request.
    #[serde(default)]
    pub gets: Gets,
    /// What tells callers apart; a request without it is refused. The header `Authorization` if
    /// unset.
    #[serde(default = "authorization_header")]
    pub identity: OneOrMany<Identity>,
    /// How many seconds the function's answer counts for the same identity, for all routes.
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

/// What the function of an authorizer gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gets {
    /// The token, from one header.
    #[default]
    Token,
    /// Headers, query, path and context of the request.
    Request,
}

/// What is checked of a request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// Its name; that of the API with `-validator` if unset.
    pub name: Option<PhysicalName>,
    /// Whether the body must fit the model of the route.
    #[serde(default = "yes")]
    pub body: bool,
    /// Whether the required parameters must be there.
    #[serde(default = "yes")]
    pub parameters: bool,
}

/// Logs and metrics of an API. Logs need a role of the account, which is made if there is none.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiLog {
    /// What is logged of executions.
    #[serde(default)]
    pub level: LogLevel,
    /// Whether whole requests and answers are logged, card numbers among them: it takes
    /// `card_numbers_in_logs` as well.
    #[serde(default)]
    pub data_trace: bool,
    /// Says that `data_trace` is meant, whatever the requests hold.
    #[serde(default)]
    pub card_numbers_in_logs: bool,
    /// Whether there are metrics by method.
    #[serde(default = "yes")]
    pub metrics: bool,
    /// Whether every request is written to an access log.
    #[serde(default = "yes")]
    pub access: bool,
    /// How many days both logs are kept, or `"forever"`.
    #[serde(default)]
    pub retention_days: Retention,
    /// The key that encrypts them; CloudWatch's own if unset.
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

/// What is logged of executions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Errors.
    #[default]
    Error,
    /// Everything.
    Info,
}

/// How much may be sent.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiThrottle {
    /// Requests in a second, on average.
    #[schemars(range(min = 1, max = 10000))]
    pub rate: u32,
    /// Requests at once.
    #[schemars(range(min = 1, max = 5000))]
    pub burst: u32,
}

/// Which web pages may call an API. The answers of functions carry the headers of CORS themselves.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// The origins, `"https://shop.example.com"`, or `"*"`.
    pub origins: OneOrMany<Origin>,
    /// The headers that requests may have.
    #[serde(default = "usual_headers")]
    pub headers: Vec<String>,
    /// How many seconds a browser keeps the answer.
    #[schemars(range(min = 0, max = 86400))]
    pub max_age: Option<u32>,
    /// Whether requests may carry cookies.
    #[serde(default)]
    pub credentials: bool,
}

fn usual_headers() -> Vec<String> {
    let usual =
        ["Content-Type", "Authorization", "X-Amz-Date", "X-Api-Key", "X-Amz-Security-Token"];
    usual.map(str::to_owned).into()
}

/// How much the holders of API keys may call.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// The physical name of the usage plan, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// How fast each key may call; as fast as the API admits if unset.
    pub throttle: Option<ApiThrottle>,
    /// How much each key may call; without an end if unset.
    pub quota: Option<UsageQuota>,
    /// The names of the API keys. AWS makes their values, and payctl never shows them.
    #[serde(default)]
    pub keys: BTreeSet<ApiKeyName>,
}

/// How much each key may call.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageQuota {
    /// So many calls.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub limit: u32,
    /// In each of these.
    pub period: Period,
}

/// How long a quota lasts.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// A day.
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
}
