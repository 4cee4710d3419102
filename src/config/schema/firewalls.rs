//! `[firewalls.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::log_groups::LogTarget;
use super::text::{FirewallText, HeaderName, PhysicalName, Protected, RuleName};
use super::yes;
use crate::words::firewalls::{Oversize, Sensitivity, Transformation, Verdict};

/// A WAF web ACL and the resources that it protects.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// A description.
    pub description: Option<FirewallText>,
    /// The action for requests that no rule decides.
    #[serde(default)]
    pub default: Verdict,
    /// How many requests an address may send in five minutes. WAF blocks further ones.
    pub rate_limit: Option<RateLimit>,
    /// Whether WAF blocks requests that contain SQL.
    #[serde(default)]
    pub sql_injection: Inspect,
    /// Whether WAF blocks requests that contain scripts.
    #[serde(default)]
    pub cross_site_scripting: Inspect,
    /// Managed rule groups of AWS or another vendor.
    #[serde(default)]
    pub managed: Vec<Managed>,
    /// The name of its metric. Default: the name of the web ACL.
    pub metric: Option<RuleName>,
    /// Whether CloudWatch counts requests, in total and for each rule.
    #[serde(default = "yes")]
    pub metrics: bool,
    /// Whether WAF keeps samples of requests, in total and for each rule.
    #[serde(default = "yes")]
    pub samples: bool,
    /// The log of requests. Default: no log.
    pub log: Option<FirewallLog>,
    /// The resources that it protects: `apis.NAME` (the stage) and `load_balancers.NAME`.
    #[serde(default)]
    pub protects: BTreeSet<Protected>,
}

/// The log of the requests that a web ACL inspects.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallLog {
    /// The destination of the log. A bucket needs a `name` that begins with `aws-waf-logs-`.
    #[serde(default)]
    pub to: LogTarget,
    /// The headers whose values the log omits. Default: the headers that contain credentials.
    #[serde(default = "credentials")]
    pub redact: BTreeSet<HeaderName>,
}

fn credentials() -> BTreeSet<HeaderName> {
    ["authorization", "cookie", "x-amz-security-token", "x-api-key"]
        .map(|name| HeaderName(name.into()))
        .into()
}

/// The action for requests that a rule matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// Block them.
    #[default]
    Block,
    /// Count them; later rules decide.
    Count,
    /// Allow them.
    Allow,
    /// Show a CAPTCHA that a person must solve.
    Captcha,
    /// Challenge the client to prove that it is a browser.
    Challenge,
}

impl RuleAction {
    /// The value in the WAF API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Count => "count",
            Self::Allow => "allow",
            Self::Captcha => "captcha",
            Self::Challenge => "challenge",
        }
    }
}

/// How many requests an address may send.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RateLimit {
    /// This many in five minutes.
    Limit(#[schemars(range(min = 10, max = 2_000_000_000))] u32),
    /// With more settings.
    Settings(RateLimitSettings),
}

impl RateLimit {
    /// The settings.
    pub fn settings(&self) -> RateLimitSettings {
        match self {
            Self::Limit(limit) => RateLimitSettings {
                limit: *limit,
                window: five_minutes(),
                action: RuleAction::Block,
                rule: None,
                priority: None,
            },
            Self::Settings(settings) => settings.clone(),
        }
    }
}

/// A limit of requests for each address.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimitSettings {
    /// How many requests.
    #[schemars(range(min = 10, max = 2_000_000_000))]
    pub limit: u32,
    /// The window in seconds: 60, 120, 300 or 600.
    #[serde(default = "five_minutes")]
    pub window: u32,
    /// The action for requests above the limit.
    #[serde(default)]
    pub action: RuleAction,
    /// The name of the rule and its metric. Default: `RateLimitRule`.
    pub rule: Option<RuleName>,
    /// The priority among the rules. Default: 1.
    pub priority: Option<u16>,
}

fn five_minutes() -> u32 {
    300
}

/// Whether a rule inspects requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Inspect {
    /// Yes (body, query string and path), or no.
    Enabled(bool),
    /// Yes, with these settings.
    Settings(InspectSettings),
}

impl Default for Inspect {
    fn default() -> Self {
        Self::Enabled(false)
    }
}

impl Inspect {
    /// The settings, if the rule is wanted.
    pub fn settings(&self) -> Option<InspectSettings> {
        match self {
            Self::Enabled(false) => None,
            Self::Enabled(true) => Some(InspectSettings::default()),
            Self::Settings(settings) => Some(settings.clone()),
        }
    }
}

/// How a rule inspects requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InspectSettings {
    /// The parts of a request to inspect.
    #[serde(default = "usual_parts")]
    #[schemars(length(min = 1))]
    pub parts: BTreeSet<RequestPart>,
    /// The handling of bodies, headers and cookies that are longer than WAF reads.
    #[serde(default)]
    pub oversize: Oversize,
    /// The transformations before the inspection, in order. Default: decode paths and forms.
    #[schemars(length(min = 1, max = 10))]
    pub transformations: Option<Vec<Transformation>>,
    /// The sensitivity for SQL.
    pub sensitivity: Option<Sensitivity>,
    /// The action for requests that match.
    #[serde(default)]
    pub action: RuleAction,
    /// The name of the rule and its metric. Default: `SQLInjectionRule` or `CrossSiteScriptingRule`.
    pub rule: Option<RuleName>,
    /// The priority among the rules. Default: 2 or 3.
    pub priority: Option<u16>,
}

impl Default for InspectSettings {
    fn default() -> Self {
        Self {
            parts: usual_parts(),
            oversize: Oversize::Continue,
            transformations: None,
            sensitivity: None,
            action: RuleAction::Block,
            rule: None,
            priority: None,
        }
    }
}

fn usual_parts() -> BTreeSet<RequestPart> {
    BTreeSet::from([RequestPart::Body, RequestPart::QueryString, RequestPart::Uri])
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestPart {
    /// The body.
    Body,
    /// The query string.
    QueryString,
    /// All headers.
    Headers,
    /// All cookies.
    Cookies,
    /// The path.
    Uri,
}

/// A managed rule group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Managed {
    /// A group of AWS, such as `AWSManagedRulesCommonRuleSet`.
    Group(RuleName),
    /// With more settings.
    Settings(ManagedSettings),
}

impl Managed {
    /// The settings.
    pub fn settings(&self) -> ManagedSettings {
        match self {
            Self::Group(group) => ManagedSettings {
                group: group.clone(),
                vendor: aws(),
                version: None,
                count: false,
                overrides: BTreeMap::new(),
                rule: None,
                priority: None,
            },
            Self::Settings(settings) => settings.clone(),
        }
    }
}

/// A managed rule group with settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagedSettings {
    /// The name of the group.
    pub group: RuleName,
    /// The vendor of the group.
    #[serde(default = "aws")]
    pub vendor: String,
    /// The version. Default: the vendor's default version, which changes.
    #[schemars(length(min = 1, max = 64))]
    pub version: Option<String>,
    /// Whether it only counts the requests that it matches.
    #[serde(default)]
    pub count: bool,
    /// Other actions for rules of the group: `{ SizeRestrictions_BODY = "count" }`.
    #[serde(default)]
    pub overrides: BTreeMap<String, RuleAction>,
    /// The name of the rule and its metric. Default: the group's name.
    pub rule: Option<RuleName>,
    /// The priority among the rules. Default: 10 and up, in the order of the list.
    pub priority: Option<u16>,
}

fn aws() -> String {
    "AWS".into()
}
