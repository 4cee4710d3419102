//! `[buckets]`: private buckets, their policies and the lifecycle of their objects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::aws::kinds::s3::bucket as spec;
use crate::config::KeyPath;
use crate::config::schema::buckets::{Bucket, Lifecycle};
use crate::words::buckets::StorageClass;
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::text::{Output, Text};

use super::{Builder, Item};

/// The service that delivers the logs of other services.
pub(super) const LOGS: &str = "delivery.logs.amazonaws.com";

impl Builder<'_> {
    pub(super) fn buckets(&mut self) {
        let own = self.config.buckets.iter().filter(|(_, bucket)| bucket.existing.is_none());
        for (key, config) in own {
            let path = &KeyPath::of("buckets").key(key);
            let name = self.item_name("s3.bucket", key, config.name.as_ref(), path);
            let address = Address::new("s3.bucket", key.0.as_str());
            let policy = self.bucket_policy(key, config, &address, &name);
            let spec = spec::Bucket {
                name: name.clone(),
                versioning: config.versioning,
                encryption: match &config.key {
                    Some(key) => spec::Encryption::Kms(self.key(key)),
                    None => spec::Encryption::S3,
                },
                bucket_key: config.key.is_some() && config.bucket_key.unwrap_or(true),
                block_public_access: true,
                policy: (!policy.is_empty()).then(|| Document::of(policy)),
                lifecycle: lifecycle(config),
                access_log: config.access_log_to.as_ref().map(|target| spec::AccessLog {
                    bucket: Text::reference(
                        Address::new("s3.bucket", target.0.as_str()),
                        Output::Name,
                    ),
                    prefix: format!("{}/", key.0),
                }),
                object_lock: config.object_lock.map(|lock| spec::ObjectLock {
                    mode: lock.mode.aws().into(),
                    days: i32::try_from(lock.days).unwrap_or(i32::MAX),
                }),
            };
            self.add(Item::new(address, name, path), &spec);
        }
    }

    fn bucket_policy(
        &self,
        key: &str,
        config: &Bucket,
        address: &Address,
        name: &str,
    ) -> Vec<Value> {
        let arn = self.own_arn("s3.bucket", name);
        let (bucket, objects) = (json!(arn), json!(arn.clone().then("/*")));
        let both = json!([bucket, objects]);
        let account = json!({ "StringEquals": { "aws:SourceAccount": self.facts.account } });
        let allow = |sid: &str, service: &str, action: &str, resource: &Value| {
            json!({
                "Sid": sid, "Effect": "Allow", "Principal": { "Service": service },
                "Action": action, "Resource": resource, "Condition": account,
            })
        };
        let mut statements = Vec::new();
        if config.tls_only {
            statements.push(Self::tls_only("s3:*", &both));
        }
        let logs_here = |bucket: &Bucket| bucket.access_log_to.as_deref() == Some(key);
        if self.config.buckets.values().any(logs_here) {
            let service = "logging.s3.amazonaws.com";
            statements.push(allow("AccessLogs", service, "s3:PutObject", &objects));
        }
        if config.log_delivery {
            // In AWS's own words: AWS would otherwise add these statements next to ours when somebody
            // creates a flow log or the log of a web ACL.
            let super::Facts { account, region, partition, .. } = self.facts;
            let source =
                json!({ "aws:SourceArn": format!("arn:{partition}:logs:{region}:{account}:*") });
            let owned = "bucket-owner-full-control";
            let mut write = allow("AWSLogDeliveryWrite", LOGS, "s3:PutObject", &objects);
            write["Condition"]["StringEquals"]["s3:x-amz-acl"] = json!(owned);
            let check = allow("AWSLogDeliveryAclCheck", LOGS, "s3:GetBucketAcl", &bucket);
            statements.extend([write, check].map(|mut statement| {
                statement["Condition"]["ArnLike"] = source.clone();
                statement
            }));
            // Load balancers do not send a source account.
            statements.push(json!({
                "Sid": "LoadBalancerLogs", "Effect": "Allow", "Action": "s3:PutObject",
                "Principal": { "Service": "logdelivery.elasticloadbalancing.amazonaws.com" },
                "Resource": arn.then(format!("/*/AWSLogs/{}/*", self.facts.account)),
            }));
        }
        let more = config.statements.iter();
        statements.extend(more.map(|found| self.statement(found, address, both.clone())));
        statements
    }
}

fn lifecycle(config: &Bucket) -> BTreeMap<String, spec::LifecycleRule> {
    let days = |map: &BTreeMap<StorageClass, u32>| {
        map.iter().map(|(class, days)| (class.aws().to_owned(), *days)).collect()
    };
    let named = |rule: &Lifecycle| spec::LifecycleRule {
        prefix: rule.prefix.clone(),
        transitions: days(&rule.transitions),
        expire_days: rule.expire_days,
        old_version_transitions: days(&rule.old_version_transitions),
        old_version_expire_days: rule.old_version_expire_days,
        abort_uploads_days: rule.abort_uploads_days,
    };
    let rules = config.lifecycle.iter();
    let mut rules: BTreeMap<_, _> = rules.map(|(id, rule)| (id.0.clone(), named(rule))).collect();
    let glacier = config.glacier_after_days.map(|days| ("GLACIER".to_owned(), days));
    let whole = spec::LifecycleRule {
        prefix: String::new(),
        transitions: glacier.clone().into_iter().collect(),
        expire_days: config.expire_after_days,
        old_version_transitions: glacier.filter(|_| config.versioning).into_iter().collect(),
        old_version_expire_days: config.expire_after_days.filter(|_| config.versioning),
        abort_uploads_days: Some(config.abort_uploads_after_days).filter(|days| *days > 0),
    };
    if whole != spec::LifecycleRule::default() {
        rules.insert("all-objects".to_owned(), whole);
    }
    rules
}
