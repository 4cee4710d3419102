//! Databases.

use serde_json::{Value, json};

use super::{ENGINE, Form};

impl Form<'_> {
    pub(super) fn rds(&mut self) {
        match self.kind {
            "rds.cluster" => self.database(),
            "rds.cluster_parameter_group" => {
                let parameters: Vec<Value> = self
                    .each("/parameters")
                    .into_iter()
                    .map(|(name, value)| json!({ "name": name, "value": value }))
                    .collect();
                self.main(
                    &[("name", "name"), ("family", "family")],
                    json!({ "parameter": parameters }),
                );
            }
            "rds.instance" => self.main(
                &[
                    ("name", "identifier"),
                    ("cluster", "cluster_identifier"),
                    ("class", "instance_class"),
                    ("public", "publicly_accessible"),
                    ("auto_minor_upgrades", "auto_minor_version_upgrade"),
                    ("monitoring.interval", "monitoring_interval"),
                    ("monitoring.role", "monitoring_role_arn"),
                    ("insights_days", "performance_insights_retention_period"),
                ],
                json!({
                    "engine": ENGINE,
                    "performance_insights_enabled": !self.at("/insights_days").is_null(),
                }),
            ),
            "rds.subnet_group" => {
                self.main(&[("name", "name"), ("subnets", "subnet_ids")], json!({}));
            }
            _ => self.no_form(),
        }
    }

    fn database(&mut self) {
        let more = json!({
            "engine": ENGINE,
            "storage_encrypted": !self.at("/key").is_null(),
            "skip_final_snapshot": !self.is("/final_snapshot"),
        });
        self.main(
            &[
                ("name", "cluster_identifier"),
                ("engine_version", "engine_version"),
                ("database", "database_name"),
                ("subnet_group", "db_subnet_group_name"),
                ("security_groups", "vpc_security_group_ids"),
                ("parameter_group", "db_cluster_parameter_group_name"),
                ("key", "kms_key_id"),
                ("backup_days", "backup_retention_period"),
                ("deletion_protection", "deletion_protection"),
                ("copy_tags_to_snapshots", "copy_tags_to_snapshot"),
                ("log_exports", "enabled_cloudwatch_logs_exports"),
                ("iam_authentication", "iam_database_authentication_enabled"),
            ],
            more,
        );
    }
}
