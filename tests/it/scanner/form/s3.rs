//! Buckets.

use serde_json::{Value, json};

use super::Form;

impl Form<'_> {
    pub(super) fn s3(&mut self) {
        match self.kind {
            "s3.bucket" => self.bucket(),
            _ => self.no_form(),
        }
    }

    fn bucket(&mut self) {
        let bucket = format!("${{{}.id}}", self.own());
        let beside = |form: &mut Self, kind: &str, mut body: Value| {
            body["bucket"] = bucket.clone().into();
            form.beside(kind, "", body);
        };
        let status = if self.is("/versioning") { "Enabled" } else { "Suspended" };
        let versioning = json!({ "versioning_configuration": { "status": status } });
        beside(self, "aws_s3_bucket_versioning", versioning);
        let key = self.at("/encryption/kms");
        let algorithm = if key.is_null() { "AES256" } else { "aws:kms" };
        let default = json!({ "sse_algorithm": algorithm, "kms_master_key_id": key });
        let rule = json!({ "apply_server_side_encryption_by_default": default });
        let kind = "aws_s3_bucket_server_side_encryption_configuration";
        beside(self, kind, json!({ "rule": rule }));
        let blocked = self.at("/block_public_access");
        let block = json!({
            "block_public_acls": blocked,
            "block_public_policy": blocked,
            "ignore_public_acls": blocked,
            "restrict_public_buckets": blocked,
        });
        beside(self, "aws_s3_bucket_public_access_block", block);
        self.policy("aws_s3_bucket_policy", "bucket", "id");
        let rules = self.each("/lifecycle").into_iter().map(|(id, rule)| {
            json!({
                "id": id,
                "status": "Enabled",
                "filter": { "prefix": rule["prefix"] },
                "abort_incomplete_multipart_upload": {
                    "days_after_initiation": rule["abort_uploads_days"],
                },
                "expiration": rule["expire_days"].as_u64().map(|days| json!({ "days": days })),
            })
        });
        let rules: Vec<Value> = rules.collect();
        beside(self, "aws_s3_bucket_lifecycle_configuration", json!({ "rule": rules }));
        if !self.at("/access_log").is_null() {
            let log = self.rows(&[
                ("access_log.bucket", "target_bucket"),
                ("access_log.prefix", "target_prefix"),
            ]);
            beside(self, "aws_s3_bucket_logging", log);
        }
        let lock = self.at("/object_lock");
        if !lock.is_null() {
            let retention = json!({ "mode": lock["mode"], "days": lock["days"] });
            let rule = json!({ "rule": { "default_retention": retention } });
            beside(self, "aws_s3_bucket_object_lock_configuration", rule);
        }
        self.main(&[("name", "bucket")], json!({ "object_lock_enabled": !lock.is_null() }));
    }
}
