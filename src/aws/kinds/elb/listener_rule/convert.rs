//! Conversions between the spec and the API.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types::{
    HostHeaderConditionConfig, HttpHeaderConditionConfig, HttpRequestMethodConditionConfig,
    PathPatternConditionConfig, QueryStringConditionConfig, QueryStringKeyValuePair,
    Rule as AwsRule, RuleCondition, SourceIpConditionConfig,
};

use super::{Action, Condition, ListenerRule, Parameter};
use payctl_engine::model::live::{Live, Phase, Tags};
use payctl_engine::model::text::{Output, Outputs};

/// A rule as it is.
pub(super) fn to_live(one: AwsRule, tags: Tags) -> Live<ListenerRule> {
    let priority = priority(&one).unwrap_or_default();
    let id = one.rule_arn.unwrap_or_default();
    let action = one.actions.unwrap_or_default().into_iter().next();
    let conditions = one.conditions.unwrap_or_default().into_iter();
    let spec = ListenerRule {
        listener: listener_of(&id).into(),
        priority: Some(priority),
        conditions: conditions.map(Condition::from_aws).collect(),
        action: action.map_or_else(|| Action::Other("none".into()), Action::from_aws),
        moved_by: None,
    };
    let outputs = Outputs::from([(Output::Arn, id.clone()), (Output::Id, id.clone())]);
    Live { spec, outputs, tags, phase: Phase::Ready, id }
}

/// The priority of a rule. The default rule has none.
pub(super) fn priority(one: &AwsRule) -> Option<u16> {
    one.priority()?.parse().ok()
}

/// The ARN of the listener, from that of its rule.
fn listener_of(rule: &str) -> String {
    let listener = rule.rsplit_once('/').map_or(rule, |(listener, _)| listener);
    listener.replacen(":listener-rule/", ":listener/", 1)
}

impl ListenerRule {
    pub(super) fn conditions(&self) -> Vec<RuleCondition> {
        self.conditions.iter().map(Condition::to_aws).collect()
    }
}

impl Condition {
    fn to_aws(&self) -> RuleCondition {
        let list = |values: &BTreeSet<String>| Some(values.iter().cloned().collect());
        let condition = RuleCondition::builder();
        match self {
            Self::Path(values) => {
                let config = PathPatternConditionConfig::builder().set_values(list(values));
                condition.field("path-pattern").path_pattern_config(config.build())
            }
            Self::Host(values) => {
                let config = HostHeaderConditionConfig::builder().set_values(list(values));
                condition.field("host-header").host_header_config(config.build())
            }
            Self::Method(values) => {
                let config = HttpRequestMethodConditionConfig::builder().set_values(list(values));
                condition.field("http-request-method").http_request_method_config(config.build())
            }
            Self::Header { name, values } => {
                let config = HttpHeaderConditionConfig::builder().http_header_name(name);
                let config = config.set_values(list(values)).build();
                condition.field("http-header").http_header_config(config)
            }
            Self::Query(values) => {
                let pair = |one: &Parameter| {
                    let pair = QueryStringKeyValuePair::builder().set_key(one.key.clone());
                    pair.value(&one.value).build()
                };
                let config = QueryStringConditionConfig::builder();
                let config = config.set_values(Some(values.iter().map(pair).collect())).build();
                condition.field("query-string").query_string_config(config)
            }
            Self::SourceIp(values) => {
                let config = SourceIpConditionConfig::builder().set_values(list(values));
                condition.field("source-ip").source_ip_config(config.build())
            }
            Self::Other(field) => condition.field(field),
        }
        .build()
    }

    /// A condition as AWS returns it. One with regular expressions is none of payctl's.
    fn from_aws(one: RuleCondition) -> Self {
        let set = |values: Option<Vec<String>>| -> BTreeSet<String> {
            values.unwrap_or_default().into_iter().collect()
        };
        let field = one.field.unwrap_or_default();
        let plain = |regex: Option<Vec<String>>| regex.unwrap_or_default().is_empty();
        match field.as_str() {
            "path-pattern" => match one.path_pattern_config {
                Some(config) if plain(config.regex_values.clone()) => {
                    Self::Path(set(config.values))
                }
                Some(_) => Self::Other(field),
                None => Self::Path(set(one.values)),
            },
            "host-header" => match one.host_header_config {
                Some(config) if plain(config.regex_values.clone()) => {
                    Self::Host(set(config.values))
                }
                Some(_) => Self::Other(field),
                None => Self::Host(set(one.values)),
            },
            "http-request-method" => {
                let config = one.http_request_method_config;
                Self::Method(set(config.and_then(|config| config.values)))
            }
            "http-header" => match one.http_header_config {
                Some(config) if plain(config.regex_values.clone()) => Self::Header {
                    name: config.http_header_name.unwrap_or_default(),
                    values: set(config.values),
                },
                _ => Self::Other(field),
            },
            "query-string" => {
                let config = one.query_string_config.and_then(|config| config.values);
                let pairs = config.unwrap_or_default().into_iter();
                let parameter = |one: QueryStringKeyValuePair| Parameter {
                    key: one.key.filter(|key| !key.is_empty()),
                    value: one.value.unwrap_or_default(),
                };
                Self::Query(pairs.map(parameter).collect())
            }
            "source-ip" => {
                Self::SourceIp(set(one.source_ip_config.and_then(|config| config.values)))
            }
            _ => Self::Other(field),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::resource::Resource as _;

    #[test]
    fn conditions_survive_the_round_trip() {
        let specs = [ListenerRule::sample()].into_iter().chain(ListenerRule::variants());
        for condition in specs.flat_map(|spec| spec.conditions) {
            assert_eq!(Condition::from_aws(condition.to_aws()), condition);
        }
    }

    #[test]
    fn regular_expressions_are_not_taken_for_an_empty_condition() {
        let config = PathPatternConditionConfig::builder().regex_values("^/a").build();
        let one = RuleCondition::builder().field("path-pattern").path_pattern_config(config);
        assert_eq!(Condition::from_aws(one.build()), Condition::Other("path-pattern".into()));
    }

    #[test]
    fn the_arn_of_a_rule_names_its_listener() {
        let rule = "arn:aws:elasticloadbalancing:r:1:listener-rule/app/lb/50dc/f2f7/9683";
        let listener = "arn:aws:elasticloadbalancing:r:1:listener/app/lb/50dc/f2f7";
        assert_eq!(listener_of(rule), listener);
    }
}
