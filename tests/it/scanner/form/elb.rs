//! Load balancers, listeners and target groups.

use serde_json::{Value, json};

use super::Form;

impl Form<'_> {
    pub(super) fn elb(&mut self) {
        match self.kind {
            "elb.listener" => self.listener(),
            "elb.load_balancer" => self.load_balancer(),
            "elb.target_group" => {
                let health = self.rows(&[
                    ("health.protocol", "protocol"),
                    ("health.path", "path"),
                    ("health.port", "port"),
                    ("health.matcher", "matcher"),
                ]);
                self.main(
                    &[
                        ("name", "name"),
                        ("vpc", "vpc_id"),
                        ("protocol", "protocol"),
                        ("port", "port"),
                        ("target_type", "target_type"),
                    ],
                    json!({ "health_check": health }),
                );
            }
            _ => self.no_form(),
        }
    }

    fn listener(&mut self) {
        let wanted = self.at("/action");
        let action = match wanted.as_object().and_then(|wanted| wanted.iter().next()) {
            Some((word, to)) if word == "redirect" => {
                let to = json!({ "protocol": to["protocol"], "port": to["port"] });
                json!({ "type": "redirect", "redirect": to })
            }
            Some((word, to)) if word == "forward" => {
                let shares = to["targets"].as_array().into_iter().flatten();
                let groups: Vec<Value> = shares
                    .map(|share| json!({ "arn": share["group"], "weight": share["weight"] }))
                    .collect();
                json!({ "type": "forward", "forward": { "target_group": groups } })
            }
            _ => json!({ "type": "fixed-response" }),
        };
        self.main(
            &[
                ("load_balancer", "load_balancer_arn"),
                ("port", "port"),
                ("protocol", "protocol"),
                ("certificate", "certificate_arn"),
                ("tls_policy", "ssl_policy"),
            ],
            json!({ "default_action": action }),
        );
    }

    fn load_balancer(&mut self) {
        let log = (!self.at("/access_log").is_null()).then(|| {
            let rows = [("access_log.bucket", "bucket"), ("access_log.prefix", "prefix")];
            let mut log = self.rows(&rows);
            log["enabled"] = true.into();
            log
        });
        self.main(
            &[
                ("name", "name"),
                ("type", "load_balancer_type"),
                ("subnets", "subnets"),
                ("groups", "security_groups"),
                ("deletion_protection", "enable_deletion_protection"),
                ("drop_invalid_headers", "drop_invalid_header_fields"),
                ("cross_zone", "enable_cross_zone_load_balancing"),
            ],
            json!({ "internal": self.at("/scheme") == "internal", "access_logs": log }),
        );
    }
}
