//! Conversions between the spec of a web ACL and WAF's types.
//!
//! A rule that inspects several parts is an OR of one statement for each. A live statement that no
//! spec can express becomes `Other`, so that it differs from every wanted one.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_wafv2::types::{
    All, AllowAction, BlockAction, Body, CaptchaAction, ChallengeAction, CookieMatchPattern,
    Cookies, CountAction, DefaultAction, FieldToMatch, HeaderMatchPattern, Headers,
    ManagedRuleGroupStatement, MapMatchScope, NoneAction, OrStatement, OverrideAction,
    OversizeHandling, QueryString, RateBasedStatement, RateBasedStatementAggregateKeyType,
    Rule as AwsRule, RuleAction, RuleActionOverride, SensitivityLevel, SqliMatchStatement,
    Statement, TextTransformation, TextTransformationType, UriPath, VisibilityConfig,
    WebAcl as AwsAcl, XssMatchStatement,
};

use super::{Match, Measure, Part, Rule, Verdict, WebAcl};
use payctl_engine::model::error::{ErrorClass, OpError};

/// Rules that Shield Advanced puts into an ACL and takes out again.
const SHIELD: &str = "ShieldMitigationRuleGroup";
/// Every builder below gets all that AWS demands.
const COMPLETE: &str = "all that WAF demands is there";

/// Whether another service put a rule into the ACL and manages it.
pub(super) fn is_foreign(rule: &AwsRule) -> bool {
    rule.name.starts_with(SHIELD)
}

pub(super) fn default_action(verdict: Verdict) -> DefaultAction {
    let action = DefaultAction::builder();
    match verdict {
        Verdict::Allow => action.allow(AllowAction::builder().build()),
        Verdict::Block => action.block(BlockAction::builder().build()),
    }
    .build()
}

pub(super) fn visibility(measure: &Measure) -> VisibilityConfig {
    VisibilityConfig::builder()
        .metric_name(&measure.metric)
        .cloud_watch_metrics_enabled(measure.metrics)
        .sampled_requests_enabled(measure.samples)
        .build()
        .expect(COMPLETE)
}

impl Measure {
    /// Everything, under this name.
    pub(crate) fn of(metric: &str) -> Self {
        Self { metric: metric.to_owned(), metrics: true, samples: true }
    }

    fn from_aws(config: Option<&VisibilityConfig>) -> Self {
        Self {
            metric: config.map(|config| config.metric_name.clone()).unwrap_or_default(),
            metrics: config.is_some_and(|config| config.cloud_watch_metrics_enabled),
            samples: config.is_some_and(|config| config.sampled_requests_enabled),
        }
    }
}

fn action(name: &str) -> RuleAction {
    let action = RuleAction::builder();
    match name {
        "allow" => action.allow(AllowAction::builder().build()),
        "count" => action.count(CountAction::builder().build()),
        "captcha" => action.captcha(CaptchaAction::builder().build()),
        "challenge" => action.challenge(ChallengeAction::builder().build()),
        _ => action.block(BlockAction::builder().build()),
    }
    .build()
}

fn name_of(action: &RuleAction) -> &'static str {
    if action.allow.is_some() {
        "allow"
    } else if action.count.is_some() {
        "count"
    } else if action.captcha.is_some() {
        "captcha"
    } else if action.challenge.is_some() {
        "challenge"
    } else {
        "block"
    }
}

impl WebAcl {
    pub(super) fn rules_to_aws(&self) -> Result<Vec<AwsRule>, OpError> {
        self.rules.iter().map(|(name, rule)| rule.to_aws(name)).collect()
    }

    pub(super) fn from_aws(acl: &AwsAcl) -> Self {
        let blocks = acl.default_action().is_some_and(|action| action.block.is_some());
        let rules = acl.rules().iter().filter(|rule| !is_foreign(rule));
        Self {
            name: acl.name.clone(),
            description: acl.description.clone().filter(|text| !text.is_empty()),
            default_action: if blocks { Verdict::Block } else { Verdict::Allow },
            measure: Measure::from_aws(acl.visibility_config()),
            rules: rules.map(|rule| (rule.name.clone(), Rule::from_aws(rule))).collect(),
            logging: None,
        }
    }
}

impl Rule {
    fn to_aws(&self, name: &str) -> Result<AwsRule, OpError> {
        let statement = self.matches.to_aws().ok_or_else(|| {
            let message = format!("payctl cannot express the rule {name} in WAF");
            OpError::new("rules", ErrorClass::Bug, "UnknownStatement", message)
        })?;
        let rule = AwsRule::builder()
            .name(name)
            .priority(self.priority)
            .statement(statement)
            .visibility_config(visibility(&self.measure));
        let rule = match (&self.matches, self.action.as_str()) {
            (Match::Managed { .. }, "count") => {
                let count = CountAction::builder().build();
                rule.override_action(OverrideAction::builder().count(count).build())
            }
            (Match::Managed { .. }, _) => {
                let none = NoneAction::builder().build();
                rule.override_action(OverrideAction::builder().none(none).build())
            }
            (_, name) => rule.action(action(name)),
        };
        Ok(rule.build().expect(COMPLETE))
    }

    fn from_aws(rule: &AwsRule) -> Self {
        let action = match (rule.action(), rule.override_action()) {
            (Some(action), _) => name_of(action),
            (None, Some(over)) if over.count.is_some() => "count",
            (None, _) => "none",
        };
        let unknown = || Match::Other("nothing".into());
        Self {
            priority: rule.priority,
            action: action.to_owned(),
            matches: rule.statement().map_or_else(unknown, Match::from_aws),
            measure: Measure::from_aws(rule.visibility_config()),
        }
    }
}

impl Match {
    /// `None` for one that only live objects have.
    fn to_aws(&self) -> Option<Statement> {
        let statement = Statement::builder();
        let statement = match self {
            Self::RateLimit { limit, window } => {
                let rate = RateBasedStatement::builder()
                    .limit(*limit)
                    .evaluation_window_sec(*window)
                    .aggregate_key_type(RateBasedStatementAggregateKeyType::Ip);
                statement.rate_based_statement(rate.build().expect(COMPLETE))
            }
            Self::SqlInjection { parts, transformations, sensitivity } => {
                return any_of(parts, |part| {
                    let sql = SqliMatchStatement::builder()
                        .field_to_match(part)
                        .set_text_transformations(Some(in_order(transformations)))
                        .sensitivity_level(SensitivityLevel::from(&**sensitivity));
                    let sql = sql.build().expect(COMPLETE);
                    Statement::builder().sqli_match_statement(sql).build()
                });
            }
            Self::CrossSiteScripting { parts, transformations } => {
                return any_of(parts, |part| {
                    let scripts = XssMatchStatement::builder()
                        .field_to_match(part)
                        .set_text_transformations(Some(in_order(transformations)));
                    let scripts = scripts.build().expect(COMPLETE);
                    Statement::builder().xss_match_statement(scripts).build()
                });
            }
            Self::Managed { vendor, group, version, overrides } => {
                let overrides: Vec<RuleActionOverride> =
                    overrides.iter().map(|(rule, name)| overridden(rule, name)).collect();
                let managed = ManagedRuleGroupStatement::builder()
                    .vendor_name(vendor)
                    .name(group)
                    .set_version(version.clone())
                    .set_rule_action_overrides((!overrides.is_empty()).then_some(overrides));
                statement.managed_rule_group_statement(managed.build().expect(COMPLETE))
            }
            Self::Other(_) => return None,
        };
        Some(statement.build())
    }

    fn from_aws(statement: &Statement) -> Self {
        let other = || Self::Other(format!("{statement:?}"));
        if let Some(rate) = statement.rate_based_statement() {
            let plain = rate.aggregate_key_type == RateBasedStatementAggregateKeyType::Ip
                && rate.scope_down_statement.is_none();
            // WAF's own window, for endpoints that do not fill it in.
            let window =
                if rate.evaluation_window_sec > 0 { rate.evaluation_window_sec } else { 300 };
            return if plain { Self::RateLimit { limit: rate.limit, window } } else { other() };
        }
        if let Some(managed) = statement.managed_rule_group_statement() {
            return match managed.scope_down_statement {
                Some(_) => other(),
                None => Self::managed(managed),
            };
        }
        if let Some(sql) = statement.sqli_match_statement() {
            let level = sql.sensitivity_level().map_or("LOW", SensitivityLevel::as_str);
            return Self::SqlInjection {
                parts: BTreeSet::from([Part::from_aws(sql.field_to_match())]),
                transformations: names(sql.text_transformations()),
                sensitivity: level.to_owned(),
            };
        }
        if let Some(scripts) = statement.xss_match_statement() {
            return Self::CrossSiteScripting {
                parts: BTreeSet::from([Part::from_aws(scripts.field_to_match())]),
                transformations: names(scripts.text_transformations()),
            };
        }
        let alternatives = statement.or_statement().map(|or| or.statements()).unwrap_or_default();
        let joined = alternatives
            .iter()
            .map(Self::from_aws)
            .map(Some)
            .reduce(|one, more| one?.joined(more?));
        joined.flatten().unwrap_or_else(other)
    }

    fn managed(managed: &ManagedRuleGroupStatement) -> Self {
        let excluded = managed.excluded_rules().iter();
        let excluded = excluded.map(|rule| (rule.name.clone(), "count".to_owned()));
        let overrides = managed.rule_action_overrides().iter().filter_map(|rule| {
            Some((rule.name.clone(), name_of(rule.action_to_use.as_ref()?).to_owned()))
        });
        Self::Managed {
            vendor: managed.vendor_name.clone(),
            group: managed.name.clone(),
            version: managed.version.clone(),
            overrides: excluded.chain(overrides).collect::<BTreeMap<_, _>>(),
        }
    }

    /// One rule for the parts of both, if they differ in nothing else.
    fn joined(self, more: Self) -> Option<Self> {
        match (self, more) {
            (
                Self::SqlInjection { mut parts, transformations, sensitivity },
                Self::SqlInjection { parts: more, transformations: same, sensitivity: level },
            ) if transformations == same && sensitivity == level => {
                parts.extend(more);
                Some(Self::SqlInjection { parts, transformations, sensitivity })
            }
            (
                Self::CrossSiteScripting { mut parts, transformations },
                Self::CrossSiteScripting { parts: more, transformations: same },
            ) if transformations == same => {
                parts.extend(more);
                Some(Self::CrossSiteScripting { parts, transformations })
            }
            _ => None,
        }
    }
}

fn overridden(rule: &str, name: &str) -> RuleActionOverride {
    let over = RuleActionOverride::builder().name(rule).action_to_use(action(name));
    over.build().expect(COMPLETE)
}

/// One statement for each part; WAF knows no OR of one.
fn any_of(
    parts: &BTreeSet<Part>,
    statement: impl Fn(FieldToMatch) -> Statement,
) -> Option<Statement> {
    let fields: Option<Vec<FieldToMatch>> = parts.iter().map(Part::to_aws).collect();
    let mut statements: Vec<Statement> = fields?.into_iter().map(statement).collect();
    match statements.len() {
        0 | 1 => statements.pop(),
        _ => {
            let or = OrStatement::builder().set_statements(Some(statements));
            Some(Statement::builder().or_statement(or.build().expect(COMPLETE)).build())
        }
    }
}

fn in_order(transformations: &[String]) -> Vec<TextTransformation> {
    let each = transformations.iter().zip(0..).map(|(name, priority)| {
        let kind = TextTransformationType::from(&**name);
        let step = TextTransformation::builder().priority(priority).r#type(kind);
        step.build().expect(COMPLETE)
    });
    each.collect()
}

fn names(transformations: &[TextTransformation]) -> Vec<String> {
    let mut sorted: Vec<&TextTransformation> = transformations.iter().collect();
    sorted.sort_by_key(|step| step.priority);
    sorted.into_iter().map(|step| step.r#type.as_str().to_owned()).collect()
}

impl Part {
    fn to_aws(&self) -> Option<FieldToMatch> {
        let all = || All::builder().build();
        let field = FieldToMatch::builder();
        let field = match self {
            Self::Body(oversize) => {
                let handling = OversizeHandling::from(&**oversize);
                field.body(Body::builder().oversize_handling(handling).build())
            }
            Self::Headers(oversize) => {
                let headers = Headers::builder()
                    .match_pattern(HeaderMatchPattern::builder().all(all()).build())
                    .match_scope(MapMatchScope::All)
                    .oversize_handling(OversizeHandling::from(&**oversize));
                field.headers(headers.build().expect(COMPLETE))
            }
            Self::Cookies(oversize) => {
                let cookies = Cookies::builder()
                    .match_pattern(CookieMatchPattern::builder().all(all()).build())
                    .match_scope(MapMatchScope::All)
                    .oversize_handling(OversizeHandling::from(&**oversize));
                field.cookies(cookies.build().expect(COMPLETE))
            }
            Self::QueryString => field.query_string(QueryString::builder().build()),
            Self::Uri => field.uri_path(UriPath::builder().build()),
            Self::Other(_) => return None,
        };
        Some(field.build())
    }

    fn from_aws(field: Option<&FieldToMatch>) -> Self {
        let other = || Self::Other(format!("{field:?}"));
        let Some(field) = field else { return other() };
        if let Some(body) = field.body() {
            let oversize = body.oversize_handling().unwrap_or(&OversizeHandling::Continue);
            return Self::Body(oversize.as_str().to_owned());
        }
        if let Some(headers) = field.headers() {
            let all = headers.match_pattern().is_some_and(|pattern| pattern.all.is_some());
            return if all && headers.match_scope == MapMatchScope::All {
                Self::Headers(headers.oversize_handling.as_str().to_owned())
            } else {
                other()
            };
        }
        if let Some(cookies) = field.cookies() {
            let all = cookies.match_pattern().is_some_and(|pattern| pattern.all.is_some());
            return if all && cookies.match_scope == MapMatchScope::All {
                Self::Cookies(cookies.oversize_handling.as_str().to_owned())
            } else {
                other()
            };
        }
        if field.query_string.is_some() {
            Self::QueryString
        } else if field.uri_path.is_some() {
            Self::Uri
        } else {
            other()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::resource::Resource as _;

    #[test]
    fn rules_survive_the_round_trip() {
        for acl in WebAcl::variants() {
            for (name, rule) in &acl.rules {
                assert_eq!(Rule::from_aws(&rule.to_aws(name).unwrap()), *rule, "{name}");
            }
        }
    }

    #[test]
    fn rules_unknown_to_payctl_are_seen_and_not_sent() {
        let parts = BTreeSet::from([Part::Uri]);
        let sql = |sensitivity: &str| Match::SqlInjection {
            parts: parts.clone(),
            transformations: vec!["NONE".into()],
            sensitivity: sensitivity.into(),
        };
        let statements = ["LOW", "HIGH"].map(|level| sql(level).to_aws().unwrap());
        let or = OrStatement::builder().set_statements(Some(statements.into())).build().unwrap();
        let found = Match::from_aws(&Statement::builder().or_statement(or).build());
        assert!(matches!(found, Match::Other(_)));
        assert!(found.to_aws().is_none());
        let empty = Match::from_aws(&Statement::builder().build());
        assert!(matches!(empty, Match::Other(_)));
    }
}
