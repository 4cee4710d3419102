//! APIs, their stages and links.

use serde_json::json;

use super::Form;

impl Form<'_> {
    pub(super) fn apigateway(&mut self) {
        match self.kind {
            "apigateway.domain_name" => self.main(
                &[
                    ("name", "domain_name"),
                    ("certificate", "regional_certificate_arn"),
                    ("security_policy", "security_policy"),
                ],
                json!({}),
            ),
            "apigateway.rest_api" => self.rest_api(),
            "apigateway.stage" => self.stage(),
            "apigateway.vpc_link" => self.main(
                &[("name", "name"), ("subnets", "subnet_ids"), ("groups", "security_group_ids")],
                json!({}),
            ),
            _ => self.no_form(),
        }
    }

    fn rest_api(&mut self) {
        let id = format!("${{{}.id}}", self.own());
        for (route, settings) in self.each("/routes") {
            let (method, _) = route.split_once(' ').unwrap_or((&route, ""));
            let body = json!({
                "rest_api_id": id,
                "http_method": method,
                "authorization": settings["authorization"],
                "api_key_required": settings["api_key_required"],
                "request_validator_id": settings["validator"],
            });
            self.beside("aws_api_gateway_method", &route, body);
        }
        self.policy("aws_api_gateway_rest_api_policy", "rest_api_id", "id");
        let kind = json!({ "types": [self.at("/endpoint")] });
        self.main(
            &[("name", "name"), ("description", "description")],
            json!({ "endpoint_configuration": kind }),
        );
    }

    fn stage(&mut self) {
        let stage = format!("${{{}.stage_name}}", self.own());
        for (path, settings) in self.each("/methods") {
            let body = json!({
                "rest_api_id": self.at("/api"),
                "stage_name": stage,
                "method_path": path,
                "settings": {
                    "logging_level": settings["log_level"],
                    "data_trace_enabled": settings["data_trace"],
                    "metrics_enabled": settings["metrics"],
                },
            });
            self.beside("aws_api_gateway_method_settings", &path, body);
        }
        let log = (!self.at("/access_log").is_null()).then(|| {
            self.rows(&[("access_log.group", "destination_arn"), ("access_log.format", "format")])
        });
        self.main(
            &[("api", "rest_api_id"), ("name", "stage_name"), ("tracing", "xray_tracing_enabled")],
            json!({ "access_log_settings": log }),
        );
    }
}
