//! The rules of `[firewalls]`.

use std::collections::{BTreeMap, BTreeSet};

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::buckets::Bucket;
use crate::config::schema::firewalls::{Firewall, InspectSettings, RuleAction};
use crate::config::schema::text::{ItemName, PhysicalName};
use crate::words::firewalls::Sensitivity;
use crate::words::load_balancers::BalancerType;

/// The prefix of the name of a web ACL's log.
pub(crate) const LOGS: &str = "aws-waf-logs-";

/// The default priority of the first managed group.
pub(crate) const FIRST_GROUP: u16 = 10;

/// The most capacity units of a web ACL, in total and without a surcharge.
const MOST_UNITS: u32 = 5000;

/// AWS's groups of rules with their capacity units.
const GROUPS: &[(&str, u32)] = &[
    ("AWSManagedRulesACFPRuleSet", 50),
    ("AWSManagedRulesATPRuleSet", 50),
    ("AWSManagedRulesAdminProtectionRuleSet", 100),
    ("AWSManagedRulesAmazonIpReputationList", 25),
    ("AWSManagedRulesAnonymousIpList", 50),
    ("AWSManagedRulesAntiDDoSRuleSet", 50),
    ("AWSManagedRulesBotControlRuleSet", 50),
    ("AWSManagedRulesCommonRuleSet", 700),
    ("AWSManagedRulesKnownBadInputsRuleSet", 200),
    ("AWSManagedRulesLinuxRuleSet", 200),
    ("AWSManagedRulesPHPRuleSet", 100),
    ("AWSManagedRulesSQLiRuleSet", 200),
    ("AWSManagedRulesUnixRuleSet", 100),
    ("AWSManagedRulesWindowsRuleSet", 200),
    ("AWSManagedRulesWordPressRuleSet", 100),
];

/// Groups with settings that this config does not support.
const WITH_SETTINGS: &[&str] =
    &["AWSManagedRulesACFPRuleSet", "AWSManagedRulesATPRuleSet", "AWSManagedRulesAntiDDoSRuleSet"];

/// Names that WAF keeps for its own metrics.
const RESERVED: &[&str] = &["All", "Default_Action"];

/// A rule as the rules see it: its key in the config, its name and its place.
type Placed = (&'static str, String, u16);

impl Rules<'_> {
    pub(super) fn firewalls(&mut self) {
        let mut protected: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, firewall) in &self.config.firewalls {
            let path = KeyPath::of("firewalls").key(name);
            self.firewall(&path, firewall);
            for target in &firewall.protects {
                let balancer = target.strip_prefix("load_balancers.").unwrap_or_default();
                let found = self.config.load_balancers.get(&ItemName(balancer.to_owned()));
                if let Some(lender) = found.and_then(|found| found.from.as_ref()) {
                    let message = format!("`{balancer}` is of {}, which decides", lender.0);
                    self.say(&path.key("protects"), message, "protect it there");
                }
                if found.is_some_and(|found| found.kind == BalancerType::Network) {
                    let path = path.key("protects");
                    let message = format!("`{balancer}` is a network load balancer");
                    self.say(
                        &path,
                        message,
                        "use an application load balancer or an API: WAF protects only those",
                    );
                }
                if let Some(other) = protected.insert(target, name) {
                    let path = path.key("protects");
                    let message = format!("`{}` already protects {}", other, target.0);
                    self.say(
                        &path,
                        message,
                        "remove one: a load balancer or stage has only one web ACL",
                    );
                }
            }
        }
    }

    fn firewall(&mut self, path: &KeyPath, firewall: &Firewall) {
        if let Some(log) = &firewall.log {
            self.log_target(&path.key("log").key("to"), &log.to);
            let bucket = log.to.bucket.as_ref().map(|bucket| ItemName(bucket.0.clone()));
            let bucket = bucket.and_then(|bucket| self.config.buckets.get(&bucket));
            let named = |name: &PhysicalName| name.starts_with(LOGS);
            // AWS tells the name of a bucket that is known by its tags.
            let fits = |bucket: &Bucket| match &bucket.existing {
                Some(existing) => existing.name.as_ref().is_none_or(|name| name.starts_with(LOGS)),
                None => bucket.name.as_ref().is_some_and(named),
            };
            if bucket.is_some_and(|bucket| !fits(bucket)) {
                let path = path.key("log").key("to").key("bucket");
                let message = "WAF does not write into a bucket with this name";
                self.say(&path, message, format!("give it a `name` that begins with {LOGS}"));
            }
        }
        if firewall.metric.as_ref().is_some_and(|metric| RESERVED.contains(&&*metric.0)) {
            let fix = "choose another name: WAF reserves All and Default_Action";
            self.say(&path.key("metric"), "this name is reserved", fix);
        }
        let mut units = 0;
        let mut placed: Vec<Placed> = Vec::new();
        if let Some(rate) = firewall.rate_limit.as_ref().map(|rate| rate.settings()) {
            if ![60, 120, 300, 600].contains(&rate.window) {
                let message = format!("{} seconds is not a valid window", rate.window);
                self.say(&path.key("rate_limit").key("window"), message, "use 60, 120, 300 or 600");
            }
            if rate.action == RuleAction::Allow {
                let path = path.key("rate_limit").key("action");
                let message = "a rate limit cannot allow requests";
                self.say(&path, message, "use block, count, captcha or challenge");
            }
            let rule = rate.rule.map_or_else(|| "RateLimitRule".to_owned(), |rule| rule.0);
            placed.push(("rate_limit", rule, rate.priority.unwrap_or(1)));
            units += 2;
        }
        if let Some(sql) = firewall.sql_injection.settings() {
            let base = if sql.sensitivity == Some(Sensitivity::High) { 30 } else { 20 };
            units += inspection(&sql, base, 1);
            let rule = sql.rule.map_or_else(|| "SQLInjectionRule".to_owned(), |rule| rule.0);
            placed.push(("sql_injection", rule, sql.priority.unwrap_or(2)));
        }
        if let Some(scripts) = firewall.cross_site_scripting.settings() {
            if scripts.sensitivity.is_some() {
                let path = path.key("cross_site_scripting").key("sensitivity");
                self.say(&path, "`sensitivity` is only for SQL", "remove it");
            }
            units += inspection(&scripts, 40, 2);
            let usual = || "CrossSiteScriptingRule".to_owned();
            let rule = scripts.rule.map_or_else(usual, |rule| rule.0);
            placed.push(("cross_site_scripting", rule, scripts.priority.unwrap_or(3)));
        }
        for (group, at) in firewall.managed.iter().map(|group| group.settings()).zip(FIRST_GROUP..)
        {
            units += self.managed_group(path, &group.group, &group.vendor);
            let rule = group.rule.map_or_else(|| group.group.0.clone(), |rule| rule.0);
            placed.push(("managed", rule, group.priority.unwrap_or(at)));
        }
        self.distinct_rules(path, &placed);
        if units > MOST_UNITS {
            let message = format!("the rules need {units} capacity units");
            self.say(path, message, "remove some: WAF allows at most 5000 in a web ACL");
        }
    }

    /// The capacity units of a managed group.
    fn managed_group(&mut self, path: &KeyPath, group: &str, vendor: &str) -> u32 {
        let path = path.key("managed");
        if vendor != "AWS" {
            return 0;
        }
        if WITH_SETTINGS.contains(&group) {
            let message = format!("`{group}` needs settings that payctl does not support");
            self.say(&path, message, "remove it");
        }
        match GROUPS.iter().find(|(known, _)| *known == group) {
            Some((_, units)) => *units,
            None => {
                let known = GROUPS.iter().map(|(known, _)| *known);
                let fix = crate::config::problem::suggest(group, known, "AWS's groups");
                self.say(&path, format!("AWS has no group `{group}`"), fix);
                0
            }
        }
    }

    fn distinct_rules(&mut self, path: &KeyPath, placed: &[Placed]) {
        let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
        for (key, rule, at) in placed {
            let path = path.key(key);
            if RESERVED.contains(&&**rule) {
                let fix = "choose another name: WAF reserves All and Default_Action";
                self.say(&path, format!("the name `{rule}` is reserved"), fix);
            }
            if !names.insert(rule) {
                let fix = "give one of them another `rule`";
                self.say(&path, format!("two rules are named `{rule}`"), fix);
            }
            if !places.insert(at) {
                let message = format!("two rules have the priority {at}");
                self.say(&path, message, "give one of them another `priority`");
            }
        }
    }
}

/// The capacity units of a rule that inspects requests; `usual` is the number of transformations it
/// has by default.
fn inspection(settings: &InspectSettings, base: u32, usual: usize) -> u32 {
    let steps = settings.transformations.as_ref().map_or(usual, Vec::len);
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    count(settings.parts.len()).saturating_mul(base + 10 * count(steps))
}
