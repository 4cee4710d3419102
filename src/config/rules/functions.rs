//! The rules of `[functions]` and their triggers.

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::problem::suggest;
use crate::config::schema::functions::{Function, ProvisionedConcurrency, Trigger};
use crate::config::schema::roles::Role;
use crate::config::schema::text::ItemName;
use crate::words::policies::Effect;
use payctl_engine::model::package::BOOTSTRAP;

/// The runtimes that AWS supports for new functions.
const RUNTIMES: &[&str] = &[
    "dotnet10",
    "dotnet8",
    "java11",
    "java17",
    "java21",
    "java25",
    "java8.al2",
    "nodejs22.x",
    "nodejs24.x",
    "provided.al2023",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "ruby3.3",
    "ruby3.4",
];

/// The runtimes that AWS has retired, or will retire within months.
const RETIRED: &[&str] = &[
    "dotnet6",
    "go1.x",
    "java8",
    "nodejs14.x",
    "nodejs16.x",
    "nodejs18.x",
    "nodejs20.x",
    "provided",
    "provided.al2",
    "python3.10",
    "python3.7",
    "python3.8",
    "python3.9",
    "ruby2.7",
    "ruby3.2",
];

/// Environment variables that Lambda sets itself.
const RESERVED: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// The wrapper script of the runtime, which a user may set.
const WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// AWS's own policies for functions, and the parts of `NETWORK`, `MESSAGES` and `CHANGES` that they allow.
const MANAGED: &[(&str, &str)] = &[
    ("AWSLambdaBasicExecutionRole", ""),
    ("AWSLambdaDynamoDBExecutionRole", CHANGES),
    ("AWSLambdaENIManagementAccess", NETWORK),
    ("AWSLambdaKinesisExecutionRole", ""),
    ("AWSLambdaSQSQueueExecutionRole", MESSAGES),
    ("AWSLambdaVPCAccessExecutionRole", NETWORK),
    ("AWSXRayDaemonWriteAccess", ""),
    ("CloudWatchLambdaInsightsExecutionRolePolicy", ""),
];

/// The needs of a function's role in a network, for a queue, and for the stream of a table.
const NETWORK: &str = "ec2:CreateNetworkInterface";
const MESSAGES: &str = "sqs:ReceiveMessage";
const CHANGES: &str = "dynamodb:GetRecords";

/// The largest size of a function's environment variables in bytes.
const ENVIRONMENT: usize = 4096;

/// The default visibility timeout of SQS in seconds.
const VISIBILITY: u32 = 30;

const SERVICE: &str = "lambda.amazonaws.com";

impl Rules<'_> {
    pub(super) fn functions(&mut self) {
        for (name, function) in &self.config.functions {
            let path = KeyPath::of("functions").key(name);
            self.retention(&path.key("log_retention_days"), function.log_retention_days);
            self.runtime(&path, function);
            self.handler(&path, name, function);
            self.environment(&path, function);
            self.trusted(&path.key("role"), &function.role, SERVICE, "functions");
            self.role_allows(&path, function);
            self.function_network(&path, function);
            self.aliases(&path, function);
            if let Some(target) = &function.dead_letter {
                let path = path.key("dead_letter");
                self.failure_target(&path, target);
            }
            for (at, trigger) in function.triggers.iter().enumerate() {
                let path = path.key("triggers").item(at);
                self.trigger(&path, function, trigger);
                let twice = |other: &Trigger| {
                    other.source() == trigger.source()
                        && other.queue.is_some() == trigger.queue.is_some()
                };
                if function.triggers.iter().filter(|other| twice(other)).count() > 1 {
                    let message = format!("`{}` appears twice", trigger.source());
                    self.say(&path, message, "use one trigger for each queue or table");
                }
            }
        }
    }

    fn runtime(&mut self, path: &KeyPath, function: &Function) {
        let runtime = function.runtime.as_str();
        let path = path.key("runtime");
        if RETIRED.contains(&runtime) {
            let fix = format!("use a newer one: {}", RUNTIMES.join(", "));
            self.say(&path, format!("AWS retires `{runtime}`: new functions cannot use it"), fix);
        } else if !RUNTIMES.contains(&runtime) {
            let fix = suggest(runtime, RUNTIMES.iter().copied(), "runtimes");
            self.say(&path, format!("Lambda has no runtime `{runtime}`"), fix);
        }
    }

    /// The handler must name a file of the sources, if the runtime looks for files. A custom runtime
    /// has its own file name.
    fn handler(&mut self, path: &KeyPath, name: &str, function: &Function) {
        let handler = function.handler.as_str();
        let source = self.loaded.functions.get(name);
        if let Some(source) = source.filter(|_| function.runtime.starts_with("provided."))
            && !source.files.iter().any(|file| file == BOOTSTRAP)
        {
            let path = path.key("source");
            let message = format!("there is no {BOOTSTRAP} in `{}`", function.source);
            self.say(&path, message, "add a program of that name, which this runtime starts");
        }
        let path = path.key("handler");
        if handler.contains(char::is_whitespace) {
            self.say(
                &path,
                "a handler has no spaces",
                "write the file and the function: `index.handler`",
            );
            return;
        }
        let endings: &[&str] = match function.runtime.split(|c: char| c.is_ascii_digit()).next() {
            Some("python") => &[".py"],
            Some("nodejs") => &[".js", ".mjs", ".cjs"],
            Some("ruby") => &[".rb"],
            _ => return,
        };
        let Some((module, _)) = handler.rsplit_once('.') else {
            let message = format!("`{handler}` does not name a function in a file");
            return self.say(&path, message, "write the file and the function: `index.handler`");
        };
        let Some(source) = source else { return };
        let file = match endings {
            [".py"] => module.replace('.', "/"),
            _ => module.to_owned(),
        };
        let mut wanted = endings.iter().map(|ending| format!("{file}{ending}"));
        if !wanted.any(|file| source.files.contains(&file)) {
            let message = format!("there is no {file}{} in `{}`", endings[0], function.source);
            self.say(&path, message, "name a file in the folder and a function in it");
        }
    }

    fn environment(&mut self, path: &KeyPath, function: &Function) {
        let path = path.key("environment");
        for name in function.environment.keys() {
            let of_lambda = name.starts_with("AWS_LAMBDA_") && &**name != WRAPPER;
            if RESERVED.contains(&&*name.0) || of_lambda {
                let path = path.key(name);
                self.say(&path, format!("Lambda sets `{}` itself", name.0), "choose another name");
            }
        }
        let pairs = function.environment.iter();
        let size: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
        if size > ENVIRONMENT {
            let message = format!("the environment variables are too large: {size} bytes");
            self.say(&path, message, "use at most 4096 bytes; put long values into a parameter");
        }
    }

    /// AWS checks whether the role has the permissions that the function needs, and refuses the
    /// function or its trigger after minutes.
    fn role_allows(&mut self, path: &KeyPath, function: &Function) {
        let name = &function.role.0;
        let role = self.config.roles.get(&ItemName(name.clone()));
        let Some(role) = role.filter(|role| role.existing.is_none()) else { return };
        let lacks = |action: &str| format!("the role `{name}` does not allow {action}");
        if function.subnets.is_some() && !may(role, NETWORK) {
            let path = path.key("subnets");
            let policy = "\"service-role/AWSLambdaVPCAccessExecutionRole\"";
            let fix = format!("add {policy} to `managed` of [roles.{name}]");
            self.say(&path, lacks(NETWORK), fix);
        }
        for (at, trigger) in function.triggers.iter().enumerate() {
            let (action, more) = match (&trigger.queue, &trigger.table) {
                (Some(_), _) => (MESSAGES, "sqs:DeleteMessage and sqs:GetQueueAttributes"),
                (None, Some(_)) => (
                    CHANGES,
                    "dynamodb:DescribeStream, dynamodb:GetShardIterator and dynamodb:ListStreams",
                ),
                (None, None) => continue,
            };
            if !may(role, action) {
                let path = path.key("triggers").item(at);
                self.say(&path, lacks(action), format!("allow {action}, {more} in [roles.{name}]"));
            }
        }
    }

    fn function_network(&mut self, path: &KeyPath, function: &Function) {
        let groups = function.security_groups.iter().count();
        let Some(tier) = function.subnets else {
            if groups > 0 {
                let path = path.key("security_groups");
                let message = "`security_groups` needs `subnets`";
                self.say(&path, message, "add `subnets`, or remove this key");
            }
            return;
        };
        let named = self.loaded.says(path, "security_groups");
        let path = path.key("subnets");
        if !(1..=5).contains(&groups) && !named {
            self.say(&path, "`security_groups` is missing", "name 1 to 5 of [security_groups]");
        } else if groups > 5 {
            let message = format!("a function has 1 to 5 security groups, not {groups}");
            self.say(&path, message, "name 1 to 5 of [security_groups]");
        }
        match &self.config.network {
            None if self.loaded.has("network") => {}
            None => self.say(&path, "there is no network", "add [network], or remove `subnets`"),
            Some(network) => self.tier(&path, network, tier),
        }
    }

    /// Lambda refuses more provisioned than reserved concurrency in the middle of an apply.
    fn aliases(&mut self, path: &KeyPath, function: &Function) {
        if function.aliases.is_empty() && self.loaded.says(path, "keep_versions") {
            let path = path.key("keep_versions");
            self.say(
                &path,
                "without aliases payctl publishes no versions",
                "add an alias, or remove it",
            );
        }
        for (at, trigger) in function.triggers.iter().enumerate() {
            let Some(alias) = &trigger.alias else { continue };
            if !function.aliases.contains_key(alias) {
                let names = function.aliases.keys().map(|name| name.0.as_str());
                let fix = suggest(alias, names, "aliases of this function");
                let path = path.key("triggers").item(at).key("alias");
                self.say(&path, format!("this function has no alias `{}`", alias.0), fix);
            }
        }
        let path = path.key("aliases");
        let (mut sum, mut newest) = (0, None);
        for (name, alias) in &function.aliases {
            let Some(wanted) = &alias.provisioned_concurrency else { continue };
            let path = path.key(name).key("provisioned_concurrency");
            if !alias.hold
                && let Some(other) = newest.replace(&name.0)
            {
                let message = format!(
                    "`{other}` and `{}` name the same version, and AWS provides its concurrency for one \
                     alias only",
                    name.0
                );
                let fix =
                    "keep `provisioned_concurrency` at one of them, or set `hold` of the other";
                self.say(&path, message, fix);
            }
            if let ProvisionedConcurrency::Scaled(scaling) = wanted
                && scaling.min > scaling.max
            {
                let message = format!("`min` ({}) is above `max` ({})", scaling.min, scaling.max);
                self.say(&path.key("min"), message, "make `min` at most `max`");
            }
            sum += wanted.most();
            if let Some(reserved) = function.reserved_concurrency.filter(|most| sum > *most) {
                let message =
                    format!("{sum} provisioned calls are more than the {reserved} reserved ones");
                let fix = "raise `reserved_concurrency`, or provide for fewer calls";
                self.say(&path, message, fix);
            }
        }
    }

    fn failure_target(&mut self, path: &KeyPath, target: &str) {
        let service = |name: &str| target.starts_with("arn:") && target.contains(name);
        let reference = target.starts_with("${queues.") || target.starts_with("${topics.");
        let is_arn = reference && target.ends_with("arn}") || service(":sqs:") || service(":sns:");
        if !is_arn {
            let message = format!("`{target}` cannot receive failures");
            self.say(path, message, "write the ARN of a queue or topic: `${queues.NAME.arn}`");
        }
    }

    fn trigger(&mut self, path: &KeyPath, function: &Function, trigger: &Trigger) {
        match (&trigger.queue, &trigger.table) {
            (Some(_), None) => self.queue_trigger(path, function, trigger),
            (None, Some(table)) => {
                let table = self.config.tables.get(&ItemName(table.0.clone()));
                if table.is_some_and(|table| table.stream.is_none()) {
                    let message = format!("the table `{}` has no stream", trigger.source());
                    let fix = format!(
                        "add `stream = \"new_and_old_images\"` to [tables.{}]",
                        trigger.source()
                    );
                    self.say(&path.key("table"), message, fix);
                }
                if trigger.start.is_none() {
                    let fix = "set `start` to \"latest\" (only new changes) or \"trim_horizon\" (all changes in the stream)";
                    self.say(path, "`start` is missing", fix);
                }
                if trigger.max_concurrency.is_some() {
                    let message = "`max_concurrency` is only for queues";
                    self.say(&path.key("max_concurrency"), message, "remove it");
                }
                if let Some(target) = &trigger.on_failure {
                    self.failure_target(&path.key("on_failure"), target);
                }
            }
            _ => self.say(
                path,
                "a trigger needs a queue or a table",
                "set `queue = \"NAME\"` or `table = \"NAME\"`",
            ),
        }
    }

    fn queue_trigger(&mut self, path: &KeyPath, function: &Function, trigger: &Trigger) {
        let given = [
            ("start", trigger.start.is_some()),
            ("retries", trigger.retries.is_some()),
            ("on_failure", trigger.on_failure.is_some()),
        ];
        for (key, _) in given.iter().filter(|(_, given)| *given) {
            let message = format!("`{key}` is only for tables");
            self.say(&path.key(key), message, "remove it; use `dead_letter` of the queue");
        }
        let batch = trigger.batch();
        let name = trigger.source();
        let Some(queue) = self.config.queues.get(&ItemName(name.to_owned())) else { return };
        if queue.fifo && (batch > 10 || trigger.window > 0) {
            let key = if batch > 10 { "batch_size" } else { "window" };
            let message = "Lambda gets at most 10 messages from a FIFO queue, without a window";
            self.say(
                &path.key(key),
                message,
                "set `batch_size` to at most 10, and remove `window`",
            );
        } else if batch > 10 && trigger.window == 0 {
            let message = format!("a batch of {batch} messages needs a window");
            self.say(
                &path.key("batch_size"),
                message,
                "set `window = 1` or more, or `batch_size` to at most 10",
            );
        }
        let visibility = queue.visibility_timeout.unwrap_or(VISIBILITY);
        if visibility < function.timeout {
            let message = format!(
                "SQS delivers messages of `{name}` again after {visibility} seconds, but the function \
                 may take {}",
                function.timeout
            );
            let fix = format!(
                "set `visibility_timeout = {}` in [queues.{name}]: six times the timeout",
                function.timeout * 6
            );
            self.say(&path.key("queue"), message, fix);
        }
        if let (Some(most), Some(reserved)) =
            (trigger.max_concurrency, function.reserved_concurrency)
            && most > reserved
        {
            let message = format!("the function runs at most {reserved} calls at once");
            let fix = "use at most `reserved_concurrency`";
            self.say(&path.key("max_concurrency"), message, fix);
        }
    }
}

/// Whether a role may allow an action. A policy with unknown contents may allow all,
/// and a pattern counts as everything with its prefix.
fn may(role: &Role, action: &str) -> bool {
    let allows = |pattern: &str| match pattern.split_once('*') {
        Some((start, _)) => action.to_lowercase().starts_with(&start.to_lowercase()),
        None => action.eq_ignore_ascii_case(pattern),
    };
    let mut allowed = role.statements.iter().filter(|found| found.effect == Effect::Allow);
    let mut managed = role.managed.iter().map(|policy| {
        let name = policy.rsplit('/').next().unwrap_or_default();
        let of_aws = policy.contains(":iam::aws:policy/") || !policy.contains(':');
        (name, of_aws)
    });
    allowed.any(|statement| statement.actions.iter().any(|pattern| allows(pattern)))
        || managed.any(|(name, of_aws)| {
            let known = MANAGED.iter().find(|(known, _)| of_aws && *known == name);
            known.is_none_or(|(_, allowed)| *allowed == action)
        })
}
