//! `[firewalls.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::log_groups::LogTarget;
use super::text::{FirewallText, HeaderName, PhysicalName, Protected, RuleName};
use super::yes;

/// A web ACL and what it protects.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// What it is for.
    pub description: Option<FirewallText>,
    /// What happens to requests that no rule decides.
    #[serde(default)]
    pub default: Verdict,
    /// How many requests an address may send in five minutes; more are blocked.
    pub rate_limit: Option<RateLimit>,
    /// Whether requests with SQL in them are blocked.
    #[serde(default)]
    pub sql_injection: Inspect,
    /// Whether requests with scripts in them are blocked.
    #[serde(default)]
    pub cross_site_scripting: Inspect,
    /// Groups of rules that AWS or a vendor looks after.
    #[serde(default)]
    pub managed: Vec<Managed>,
    /// The name of its metric; the name of the web ACL if unset.
    pub metric: Option<RuleName>,
    /// Whether CloudWatch counts requests, for the whole and for each rule.
    #[serde(default = "yes")]
    pub metrics: bool,
    /// Whether samples of requests are kept, for the whole and for each rule.
    #[serde(default = "yes")]
    pub samples: bool,
    /// How requests are logged. They are not unless stated.
    pub log: Option<FirewallLog>,
    /// What it protects, `apis.NAME` (the stage) and `load_balancers.NAME`.
    #[serde(default)]
    pub protects: BTreeSet<Protected>,
}

/// How the requests that a web ACL sees are logged.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallLog {
    /// Where the log goes. A bucket needs a `name` that begins with `aws-waf-logs-`.
    #[serde(default)]
    pub to: LogTarget,
    /// The headers whose values are left out; unless stated, those that carry credentials.
    #[serde(default = "credentials")]
    pub redact: BTreeSet<HeaderName>,
}

fn credentials() -> BTreeSet<HeaderName> {
    ["authorization", "cookie", "x-amz-security-token", "x-api-key"]
        .map(|name| HeaderName(name.into()))
        .into()
}

/// What happens to requests that no rule decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// They get through.
    #[default]
    Allow,
    /// They do not.
    Block,
}

/// What happens to requests that a rule matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// They do not get through.
    #[default]
    Block,
    /// They are counted, and later rules decide.
    Count,
    /// They get through.
    Allow,
    /// A person must solve a puzzle.
    Captcha,
    /// The browser must prove that it is one.
    Challenge,
}

impl RuleAction {
    /// The action as WAF names it.
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
    /// With more to say.
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
    /// In how many seconds: 60, 120, 300 or 600.
    #[serde(default = "five_minutes")]
    pub window: u32,
    /// What happens to the others.
    #[serde(default)]
    pub action: RuleAction,
    /// The name of the rule and its metric; `RateLimitRule` if unset.
    pub rule: Option<RuleName>,
    /// Where it stands among the rules; 1 if unset.
    pub priority: Option<u16>,
}

fn five_minutes() -> u32 {
    300
}

/// Whether a rule looks into requests.
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

/// How a rule looks into requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InspectSettings {
    /// Where it looks.
    #[serde(default = "usual_parts")]
    #[schemars(length(min = 1))]
    pub parts: BTreeSet<RequestPart>,
    /// What it does with bodies, headers and cookies that are longer than WAF reads.
    #[serde(default)]
    pub oversize: Oversize,
    /// What is done to the parts first, in order. Paths and forms are decoded if unset.
    #[schemars(length(min = 1, max = 10))]
    pub transformations: Option<Vec<Transformation>>,
    /// How easily it finds SQL.
    pub sensitivity: Option<Sensitivity>,
    /// What happens to requests that match.
    #[serde(default)]
    pub action: RuleAction,
    /// The name of the rule and its metric; `SQLInjectionRule` or `CrossSiteScriptingRule` if unset.
    pub rule: Option<RuleName>,
    /// Where it stands among the rules; 2 or 3 if unset.
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
    /// What follows the question mark.
    QueryString,
    /// All headers.
    Headers,
    /// All cookies.
    Cookies,
    /// The path.
    Uri,
}

/// What happens to what is longer than WAF reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Oversize {
    /// The beginning is looked at.
    #[default]
    Continue,
    /// It matches.
    Match,
    /// It does not match.
    NoMatch,
}

impl Oversize {
    /// The word as WAF spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Continue => "CONTINUE",
            Self::Match => "MATCH",
            Self::NoMatch => "NO_MATCH",
        }
    }
}

/// How easily SQL is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// With few false alarms.
    Low,
    /// With more of both.
    High,
}

/// What is done to a part before it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transformation {
    /// Nothing.
    None,
    /// `%41` becomes `A`.
    UrlDecode,
    /// The same, with Microsoft's Unicode.
    UrlDecodeUni,
    /// `&lt;` becomes `<`.
    HtmlEntityDecode,
    /// Small letters.
    Lowercase,
    /// Several spaces become one.
    CompressWhiteSpace,
    /// What obscures commands of an operating system is taken away.
    CmdLine,
    /// `\u0041` becomes `A`.
    JsDecode,
    /// Base64 is decoded.
    Base64Decode,
}

impl Transformation {
    /// The word as WAF spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::UrlDecode => "URL_DECODE",
            Self::UrlDecodeUni => "URL_DECODE_UNI",
            Self::HtmlEntityDecode => "HTML_ENTITY_DECODE",
            Self::Lowercase => "LOWERCASE",
            Self::CompressWhiteSpace => "COMPRESS_WHITE_SPACE",
            Self::CmdLine => "CMD_LINE",
            Self::JsDecode => "JS_DECODE",
            Self::Base64Decode => "BASE64_DECODE",
        }
    }
}

/// A group of rules that somebody else looks after.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Managed {
    /// One of AWS, such as `AWSManagedRulesCommonRuleSet`.
    Group(RuleName),
    /// With more to say.
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

/// How a managed group is used.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagedSettings {
    /// The name of the group.
    pub group: RuleName,
    /// Whose it is.
    #[serde(default = "aws")]
    pub vendor: String,
    /// Its version; the vendor's default, which changes, if unset.
    #[schemars(length(min = 1, max = 64))]
    pub version: Option<String>,
    /// Whether it only counts what it matches.
    #[serde(default)]
    pub count: bool,
    /// Rules of the group with another action than their own: `{ SizeRestrictions_BODY = "count" }`.
    #[serde(default)]
    pub overrides: BTreeMap<String, RuleAction>,
    /// The name of the rule and its metric; the group's name if unset.
    pub rule: Option<RuleName>,
    /// Where it stands among the rules; 10 and up, in the order of the list, if unset.
    pub priority: Option<u16>,
}

fn aws() -> String {
    "AWS".into()
}
