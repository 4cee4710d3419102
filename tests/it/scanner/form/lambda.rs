//! Functions and who may call them.

use serde_json::json;

use super::Form;

impl Form<'_> {
    pub(super) fn lambda(&mut self) {
        match self.kind {
            "lambda.alias" => self.main(&[("function", "function_name")], json!({})),
            "lambda.event_source" => self
                .main(&[("function", "function_name"), ("source", "event_source_arn")], json!({})),
            "lambda.function" => self.function(),
            "lambda.permissions" => {
                let function = self.at("/function");
                for (sid, caller) in self.each("/callers") {
                    let body = json!({
                        "function_name": function,
                        "principal": caller["principal"],
                        "action": caller["action"],
                        "source_arn": caller["source"],
                        "source_account": caller["source_account"],
                    });
                    self.beside("aws_lambda_permission", &sid, body);
                }
            }
            _ => self.no_form(),
        }
    }

    fn function(&mut self) {
        let network = (!self.at("/network").is_null()).then(|| {
            self.rows(&[
                ("network.subnets", "subnet_ids"),
                ("network.security_groups", "security_group_ids"),
            ])
        });
        let queue = self.at("/dead_letter");
        let lost = (!queue.is_null()).then(|| json!({ "target_arn": queue }));
        let tracing = if self.is("/tracing") { "Active" } else { "PassThrough" };
        self.main(
            &[
                ("name", "function_name"),
                ("role", "role"),
                ("runtime", "runtime"),
                ("handler", "handler"),
                ("memory", "memory_size"),
                ("timeout", "timeout"),
                ("environment_key", "kms_key_arn"),
                ("reserved_concurrency", "reserved_concurrent_executions"),
            ],
            json!({
                "environment": { "variables": self.at("/environment") },
                "vpc_config": network,
                "dead_letter_config": lost,
                "tracing_config": { "mode": tracing },
            }),
        );
    }
}
