//! `[firewalls]`: web ACLs, their rules, and the resources that they protect.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::kinds::waf::association::{self, Association};
use crate::aws::kinds::waf::web_acl::{Logging, Match, Measure, Part, Rule, WebAcl};
use crate::config::KeyPath;
use crate::config::rules::firewalls::{FIRST_GROUP, LOGS};
use crate::config::schema::firewalls::{Firewall, FirewallLog, InspectSettings, RequestPart};
use crate::config::schema::text::{PhysicalName, RuleName};
use crate::words::firewalls::{Sensitivity, Transformation};
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn firewalls(&mut self) {
        for (key, config) in &self.config.firewalls {
            let path = &KeyPath::of("firewalls").key(key);
            let name = self.item_name("waf.web_acl", key, config.name.as_ref(), path);
            let address = Address::new("waf.web_acl", key.0.as_str());
            let metric = config.metric.as_ref().map_or(&name, |metric| &metric.0);
            let spec = WebAcl {
                name: name.clone(),
                description: config.description.as_ref().map(|text| text.0.clone()),
                default_action: config.default,
                measure: measure(config, metric),
                rules: rules(config),
                logging: config.log.as_ref().map(|log| self.firewall_log(key, &name, log, path)),
            };
            self.add(Item::new(address.clone(), name.clone(), path), &spec);
            for protected in &config.protects {
                self.protect(key, &address, protected);
            }
        }
    }

    /// The destination of the log: a bucket of the config, or a log group with the name that WAF requires.
    fn firewall_log(
        &mut self,
        key: &str,
        acl: &str,
        config: &FirewallLog,
        path: &KeyPath,
    ) -> Logging {
        let name = PhysicalName(format!("{LOGS}{acl}"));
        let logical = format!("firewall-{key}");
        let destination = self.log_target(&logical, Some(&name), &config.to, path);
        Logging {
            destination: Text::reference(destination, Output::Arn),
            redacted: config.redact.iter().map(|header| header.0.clone()).collect(),
            other: None,
        }
    }

    /// Associates a web ACL with a resource. The resource gives the name, because it has only one ACL,
    /// which may change.
    fn protect(&mut self, key: &str, acl: &Address, protected: &str) {
        let path = &KeyPath::of("firewalls").key(key).key("protects");
        let Some((section, target)) = protected.split_once('.') else { return };
        if !self.loaded.names(section).contains(&target) {
            let fix = format!("add a section [{section}.{target}], or remove it");
            return self.problem(path, format!("[{section}] has no `{target}`"), fix);
        }
        // WAF shows load balancers by name and stages by their API, which has the item's name.
        let (resource, logical, name) = match section {
            "load_balancers" => {
                let balancer = Address::new("elb.load_balancer", target);
                let name = association::of_balancer(&self.physical_name(&balancer));
                (balancer, association::of_balancer(target), name)
            }
            _ => {
                let name = association::of_stage(target);
                (Address::new("apigateway.stage", target), name.clone(), name)
            }
        };
        let spec = Association {
            acl: Text::reference(acl.clone(), Output::Arn),
            resource: Text::reference(resource, Output::Arn),
        };
        self.add(Item::new(Address::new("waf.association", logical), name, path), &spec);
    }
}

fn measure(config: &Firewall, metric: &str) -> Measure {
    Measure { metric: metric.to_owned(), metrics: config.metrics, samples: config.samples }
}

/// The rules by name, by default in the order of the config.
fn rules(config: &Firewall) -> BTreeMap<String, Rule> {
    let mut rules = BTreeMap::new();
    let mut add = |name: &Option<RuleName>, usual: &str, at: u16, action: &str, matches| {
        let name = name.as_ref().map_or(usual, |name| &name.0).to_owned();
        let rule = Rule {
            priority: at.into(),
            action: action.to_owned(),
            matches,
            measure: measure(config, &name),
        };
        rules.insert(name, rule);
    };
    if let Some(rate) = config.rate_limit.as_ref().map(|rate| rate.settings()) {
        let matches = Match::RateLimit { limit: rate.limit.into(), window: rate.window.into() };
        let at = rate.priority.unwrap_or(1);
        add(&rate.rule, "RateLimitRule", at, rate.action.word(), matches);
    }
    if let Some(sql) = config.sql_injection.settings() {
        let matches = Match::SqlInjection {
            parts: parts(&sql),
            transformations: transformations(&sql, &[Transformation::UrlDecode]),
            sensitivity: sql.sensitivity.unwrap_or(Sensitivity::Low).aws().into(),
        };
        let at = sql.priority.unwrap_or(2);
        add(&sql.rule, "SQLInjectionRule", at, sql.action.word(), matches);
    }
    if let Some(scripts) = config.cross_site_scripting.settings() {
        let usual = [Transformation::UrlDecode, Transformation::HtmlEntityDecode];
        let matches = Match::CrossSiteScripting {
            parts: parts(&scripts),
            transformations: transformations(&scripts, &usual),
        };
        let (usual, at) = ("CrossSiteScriptingRule", scripts.priority.unwrap_or(3));
        add(&scripts.rule, usual, at, scripts.action.word(), matches);
    }
    for (group, at) in config.managed.iter().map(|group| group.settings()).zip(FIRST_GROUP..) {
        let overrides = group.overrides.iter();
        let matches = Match::Managed {
            vendor: group.vendor.clone(),
            group: group.group.0.clone(),
            version: group.version.clone(),
            overrides: overrides.map(|(rule, to)| (rule.clone(), to.word().to_owned())).collect(),
        };
        let (action, at) =
            (if group.count { "count" } else { "none" }, group.priority.unwrap_or(at));
        add(&group.rule, &group.group, at, action, matches);
    }
    rules
}

fn parts(settings: &InspectSettings) -> BTreeSet<Part> {
    let oversize = || settings.oversize.aws().to_owned();
    let part = |part: &RequestPart| match part {
        RequestPart::Body => Part::Body(oversize()),
        RequestPart::Headers => Part::Headers(oversize()),
        RequestPart::Cookies => Part::Cookies(oversize()),
        RequestPart::QueryString => Part::QueryString,
        RequestPart::Uri => Part::Uri,
    };
    settings.parts.iter().map(part).collect()
}

fn transformations(settings: &InspectSettings, usual: &[Transformation]) -> Vec<String> {
    let steps = settings.transformations.as_deref().unwrap_or(usual);
    steps.iter().map(|step| step.aws().to_owned()).collect()
}
