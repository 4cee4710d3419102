//! `[functions]`: each with its log group, which exists before the function can be called, and with
//! its aliases and triggers.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::kinds::lambda::alias::Alias;
use crate::aws::kinds::lambda::event_source::EventSource;
use crate::aws::kinds::lambda::function::{Function as Spec, Network};
use crate::aws::kinds::lambda::release::Release;
use crate::aws::kinds::scaling::target::{Policy, Target};
use crate::config::KeyPath;
use crate::config::schema::functions::{
    Function, FunctionAlias, ProvisionedConcurrency, ProvisionedScaling, Trigger,
};
use crate::config::schema::text::CalleeRef;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::log_groups::Kept;
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
            for (alias, wanted) in &config.aliases {
                self.alias(key, &spec, alias, wanted, config.keep_versions, path);
            }
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
        let kept = Kept {
            retention: config.log_retention_days,
            class: config.log_class,
            key: config.log_key.as_ref(),
        };
        self.log_group(&format!("function-{key}"), name, kept, path)
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

    /// An alias of a function, and the scaling of its provisioned concurrency.
    fn alias(
        &mut self,
        key: &str,
        function: &Spec,
        alias: &str,
        config: &FunctionAlias,
        keep: u32,
        path: &KeyPath,
    ) {
        let path = &path.key("aliases").key(alias);
        let address = callee(key, Some(alias));
        let wanted = config.provisioned_concurrency.as_ref();
        let spec = Alias {
            name: Alias::name(&function.name, alias),
            function: Text::reference(callee(key, None), Output::Arn),
            release: Release::of(function),
            keep_versions: Some(keep),
            provisioned: match wanted {
                None => Some(0),
                Some(ProvisionedConcurrency::Fixed(calls)) => Some(*calls),
                Some(ProvisionedConcurrency::Scaled(_)) => None,
            },
            failed_provisioning: None,
            weights: BTreeMap::new(),
            shift: self.shift_of(&address),
            hold: config.hold,
            candidate: None,
        };
        let name = spec.name.clone();
        self.add(Item::new(address.clone(), name.clone(), path), &spec);
        if let Some(ProvisionedConcurrency::Scaled(scaling)) = wanted {
            let logical = format!("function-{}", address.name);
            let spec = scaling_target(address, scaling);
            let address = Address::new("scaling.target", logical);
            self.add(Item::new(address, format!("function:{name}"), path), &spec);
        }
    }

    fn trigger(&mut self, key: &str, config: &Trigger, path: &KeyPath) {
        let function = Address::new("lambda.function", key);
        let called_by = callee(key, config.alias.as_deref());
        let (kind, output) = match config.queue {
            Some(_) => ("sqs.queue", Output::Arn),
            None => ("dynamodb.table", Output::StreamArn),
        };
        let source = Address::new(kind, config.source());
        let (caller, called) = (self.physical_name(&function), self.physical_name(&source));
        let is_stream = config.table.is_some();
        let retries = config.retries.and_then(|retries| i32::try_from(retries).ok());
        let spec = EventSource {
            function: Text::reference(called_by, Output::Arn),
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

/// The function or alias that a section names.
pub(super) fn named_callee(named: &CalleeRef) -> Address {
    let (function, alias) = named.parts();
    callee(function, alias)
}

/// A function, or an alias of it.
pub(super) fn callee(function: &str, alias: Option<&str>) -> Address {
    match alias {
        None => Address::new("lambda.function", function),
        Some(alias) => Address::new("lambda.alias", format!("{function}-{alias}")),
    }
}

/// The ARN of the function or alias that a section names.
pub(super) fn callee_arn(named: &CalleeRef) -> Text {
    Text::reference(named_callee(named), Output::Arn)
}

/// Lambda measures how much of the provisioned concurrency is in use, from 0 to 1.
fn scaling_target(alias: Address, config: &ProvisionedScaling) -> Target {
    let policy = Policy {
        metric: "LambdaProvisionedConcurrencyUtilization".into(),
        value: f64::from(config.utilization) / 100.0,
        out_cooldown: 0,
        in_cooldown: 0,
        shrinks: true,
    };
    Target {
        resource: Text::from("function:").then(Text::reference(alias, Output::Name)),
        dimension: "lambda:function:ProvisionedConcurrency".into(),
        min: config.min,
        max: config.max,
        policies: BTreeMap::from([("utilization".to_owned(), policy)]),
    }
}
