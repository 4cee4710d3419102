//! `[functions]`: each with its log group, which exists before the function can be called, and with
//! its triggers.

use std::collections::BTreeSet;

use crate::aws::kinds::lambda::event_source::EventSource;
use crate::aws::kinds::lambda::function::{Function as Spec, Network};
use crate::config::KeyPath;
use crate::config::schema::functions::{Function, Trigger};
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::network::id;
use super::{Builder, Item};

/// Lambda retries a batch of a stream until it expires: Lambda's own default, set explicitly.
const UNTIL_IT_EXPIRES: i32 = -1;

impl Builder<'_> {
    pub(super) fn functions(&mut self) {
        for (key, config) in &self.config.functions {
            let path = &KeyPath::of("functions").key(key);
            let name = self.item_name("lambda.function", key, config.name.as_ref(), path);
            let log = self.function_log(key, &name, config, path);
            let spec = self.function(key, config, name.clone());
            let mut item = Item::new(Address::new("lambda.function", key.0.as_str()), name, path);
            item.after.insert(log);
            self.add(item, &spec);
            for trigger in &config.triggers {
                self.trigger(key, trigger, path);
            }
        }
    }

    /// The log group that Lambda writes to. payctl creates it, so it has a retention, and the role does not
    /// need the permission to create one.
    fn function_log(
        &mut self,
        key: &str,
        function: &str,
        config: &Function,
        path: &KeyPath,
    ) -> Address {
        let name = format!("/aws/lambda/{function}");
        let (logical, log_key) = (format!("function-{key}"), config.log_key.as_ref());
        self.log_group(&logical, name, config.log_retention_days, log_key, path)
    }

    fn function(&self, key: &str, config: &Function, name: String) -> Spec {
        let variables = config.environment.iter();
        let source = self.loaded.functions.get(key);
        let groups = config.security_groups.iter();
        let role = Address::new("iam.role", config.role.0.as_str());
        Spec {
            name,
            description: config.description.clone(),
            role: Text::reference(role, Output::Arn),
            runtime: config.runtime.clone(),
            handler: config.handler.clone(),
            architecture: config.architecture.aws().to_owned(),
            memory: config.memory,
            timeout: config.timeout,
            disk: config.disk,
            code: source.map(|source| source.package.digest.clone()).unwrap_or_default(),
            environment: variables
                .map(|(name, value)| (name.0.clone(), self.text(value)))
                .collect(),
            environment_key: config.environment_key.as_ref().map(|key| self.key(key)),
            network: config.subnets.map(|tier| Network {
                subnets: self.subnet_ids(tier).into_iter().collect(),
                security_groups: groups
                    .map(|group| id("ec2.security_group", group))
                    .collect::<BTreeSet<Text>>(),
            }),
            dead_letter: config.dead_letter.as_ref().map(|target| self.text(target)),
            tracing: config.tracing,
            reserved_concurrency: config.reserved_concurrency,
            failed_update: None,
        }
    }

    fn trigger(&mut self, key: &str, config: &Trigger, path: &KeyPath) {
        let function = Address::new("lambda.function", key);
        let (kind, output) = match config.queue {
            Some(_) => ("sqs.queue", Output::Arn),
            None => ("dynamodb.table", Output::StreamArn),
        };
        let source = Address::new(kind, config.source());
        let (caller, called) = (self.physical_name(&function), self.physical_name(&source));
        let is_stream = config.table.is_some();
        let retries = config.retries.and_then(|retries| i32::try_from(retries).ok());
        let spec = EventSource {
            function: Text::reference(function, Output::Arn),
            source: Text::reference(source, output),
            enabled: config.enabled,
            batch_size: config.batch(),
            window: config.window,
            max_concurrency: config.max_concurrency,
            report_failures: config.report_failures,
            start: config.start.map(|start| start.aws().to_owned()),
            retries: is_stream.then(|| retries.unwrap_or(UNTIL_IT_EXPIRES)),
            on_failure: config.on_failure.as_ref().map(|target| self.text(target)),
        };
        let logical = format!("{key}-{}", config.source());
        let address = Address::new("lambda.event_source", logical);
        self.add(Item::new(address, EventSource::name(&caller, &called), path), &spec);
    }
}
