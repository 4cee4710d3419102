//! Web ACLs.

use serde_json::{Value, json};

use super::Form;

impl Form<'_> {
    pub(super) fn waf(&mut self) {
        match self.kind {
            "waf.association" => {
                self.main(&[("acl", "web_acl_arn"), ("resource", "resource_arn")], json!({}));
            }
            "waf.web_acl" => self.web_acl(),
            _ => self.no_form(),
        }
    }

    fn web_acl(&mut self) {
        let measure = |measure: &Value| {
            json!({
                "metric_name": measure["metric"],
                "cloudwatch_metrics_enabled": measure["metrics"],
                "sampled_requests_enabled": measure["samples"],
            })
        };
        let rules = self.each("/rules").into_iter().map(|(name, rule)| {
            let matches = &rule["matches"];
            let managed = matches.get("managed");
            let statement = match (managed, matches.get("rate_limit")) {
                (Some(group), _) => json!({ "managed_rule_group_statement": {
                    "vendor_name": group["vendor"], "name": group["group"],
                } }),
                (None, Some(rate)) => json!({ "rate_based_statement": { "limit": rate["limit"] } }),
                (None, None) => matches.clone(),
            };
            let word = rule["action"].as_str().unwrap_or_default().to_owned();
            let action = if managed.is_some() { "override_action" } else { "action" };
            json!({
                "name": name,
                "priority": rule["priority"],
                "statement": statement,
                (action): { (word): {} },
                "visibility_config": measure(&rule["measure"]),
            })
        });
        let rules: Vec<Value> = rules.collect();
        let default = self.at("/default_action").as_str().unwrap_or_default().to_owned();
        let more = json!({
            "default_action": { (default): {} },
            "visibility_config": measure(&self.at("/measure")),
            "rule": rules,
        });
        let logging = self.at("/logging");
        if !logging.is_null() {
            let names = logging["redacted"].as_array().into_iter().flatten();
            let headers: Vec<Value> =
                names.map(|name| json!({ "single_header": { "name": name } })).collect();
            let body = json!({
                "resource_arn": format!("${{{}.arn}}", self.own()),
                "log_destination_configs": [logging["destination"]],
                "redacted_fields": headers,
            });
            self.beside("aws_wafv2_web_acl_logging_configuration", "", body);
        }
        self.main(&[("name", "name"), ("description", "description")], more);
    }
}
