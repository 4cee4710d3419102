//! The rules of `[secrets]`.

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::secrets::{Rotation, Secret};

/// The largest value of a secret.
const SECRET: usize = 65_536;

/// Names that Aurora PostgreSQL reserves.
const RESERVED_USERS: [&str; 8] = [
    "admin",
    "pg_monitor",
    "public",
    "rds_iam",
    "rds_replication",
    "rds_superuser",
    "rdsadmin",
    "user",
];

/// The longest password that Aurora accepts.
const LONGEST_PASSWORD: u32 = 41;

/// The fewest hours between two rotations.
const LEAST_HOURS: u32 = 4;

/// The most days between two rotations.
const MOST_DAYS: u32 = 1000;

impl Rules<'_> {
    pub(super) fn secrets(&mut self) {
        for (name, secret) in &self.config.secrets {
            let path = KeyPath::of("secrets").key(name);
            if (1..7).contains(&secret.recovery_days) {
                let path = path.key("recovery_days");
                let message =
                    format!("{} days is not a valid recovery window", secret.recovery_days);
                self.say(&path, message, "use 0 (deleted at once), or 7 to 30");
            }
            let keys = self.config.keys.iter();
            let mut keys = keys.filter(|(key, _)| secret.key.as_deref() == Some(key.0.as_str()));
            if let Some((name, key)) =
                keys.find(|(_, key)| secret.recovery_days > key.recovery_days)
            {
                let path = path.key("recovery_days");
                let message = format!(
                    "the secret can be restored for {} days, but its key `{}` only for {}",
                    secret.recovery_days, name.0, key.recovery_days
                );
                self.say(
                    &path,
                    message,
                    "lower this number: without the key, nobody can read the secret",
                );
            }
            if let Some(name) = &secret.self_signed {
                self.self_signed(&path, name, secret);
            }
            if !secret.generate && !secret.template.is_empty() {
                let path = path.key("template");
                self.say(
                    &path,
                    "payctl does not generate a value",
                    "remove it, or remove `generate = false`",
                );
            }
            let fields = secret.template.iter().map(|(field, value)| field.len() + value.len());
            if fields.sum::<usize>() + secret.length as usize > SECRET {
                let path = path.key("template");
                self.say(&path, "the secret is too long", "use at most 64 KB");
            }
            if secret.template.contains_key(&secret.field) {
                let path = path.key("template").key(&secret.field);
                let message =
                    format!("payctl writes the generated password into `{}`", secret.field);
                self.say(&path, message, "remove it from the template, or name another `field`");
            }
        }
    }

    /// A secret that holds a certificate instead of a password.
    fn self_signed(&mut self, path: &KeyPath, host: &str, secret: &Secret) {
        let label = |label: &str| {
            let fine = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            (1..=63).contains(&label.len())
                && fine
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if !host.split('.').all(label) {
            let message = format!("`{host}` is not a host name");
            self.say(&path.key("self_signed"), message, "write for example service.internal");
        }
        let others = [
            ("template", !secret.template.is_empty()),
            ("rotation", secret.rotation.is_some()),
            ("generate", !secret.generate),
        ];
        for (key, _) in others.into_iter().filter(|(_, is_set)| *is_set) {
            let message = format!("`{key}` does not go with `self_signed`");
            self.say(&path.key(key), message, "remove one of the two");
        }
    }

    /// A secret that opens a database.
    pub(super) fn opens(&mut self, name: &str, secret: &Secret) {
        let path = KeyPath::of("secrets").key(name);
        if secret.self_signed.is_some() {
            let fix = "name another secret, or remove `self_signed`";
            return self.say(&path.key("self_signed"), "a database needs a password", fix);
        }
        if !secret.generate {
            let fix = "remove `generate = false`: the cluster starts with the generated password";
            self.say(&path.key("generate"), "a database needs its password", fix);
        }
        if secret.field != "password" {
            let path = path.key("field");
            let fix = "remove `field`: clients and rotation look for `password`";
            self.say(&path, "the password of a database must be in the field `password`", fix);
        }
        if secret.length > LONGEST_PASSWORD {
            let path = path.key("length");
            let message =
                format!("the password is too long for a database: {} characters", secret.length);
            self.say(&path, message, format!("use 16 to {LONGEST_PASSWORD}"));
        }
        let path = path.key("template");
        let Some(user) = secret.template.get("username") else {
            let fix = "add `template = { username = \"dbadmin\" }`";
            return self.say(&path, "a database needs a user name", fix);
        };
        let path = path.key("username");
        let letters = user.starts_with(|c: char| c.is_ascii_alphabetic())
            && user.chars().all(|c| c.is_ascii_alphanumeric());
        if !letters || user.len() > 16 {
            let message = format!("`{user}` is not a valid user name");
            let fix = "use 1 to 16 letters and digits, beginning with a letter";
            self.say(&path, message, fix);
        } else if RESERVED_USERS.contains(&user.to_lowercase().as_str()) {
            let message = format!("`{user}` is a reserved word of Aurora PostgreSQL");
            self.say(&path, message, "choose another name, such as dbadmin");
        }
    }

    /// A task reads its secrets only when it starts. So the function that changes the password must
    /// know the services to restart.
    pub(super) fn restarts(&mut self, name: &str, secret: &Secret, rotation: &Rotation) {
        let function = rotation.function.0.as_str();
        let mut functions = self.config.functions.iter();
        let Some((_, found)) = functions.find(|(name, _)| name.0 == function) else { return };
        for (service, config) in &self.config.services {
            let reads = config.secrets.values().any(|read| {
                let (secret_name, field) = read.parts();
                secret_name == name && field.is_none_or(|field| field == secret.field)
            });
            let reference = format!("${{services.{}.", service.0);
            if reads && !found.environment.values().any(|value| value.contains(&reference)) {
                let message = format!(
                    "after a rotation, the tasks of `{}` would have the old password",
                    service.0
                );
                let fix = format!(
                    "let the function restart the service: set RESTART_SERVICES = \"{reference}arn}}\" in \
                     [functions.{function}.environment], and allow ecs:UpdateService in its role"
                );
                self.say(
                    &KeyPath::of("secrets").key(name).key("rotation").key("function"),
                    message,
                    fix,
                );
            }
        }
    }

    pub(super) fn rotation(&mut self, path: &KeyPath, rotation: &Rotation) {
        match (rotation.days, &rotation.schedule) {
            (None, None) => {
                self.say(path, "the rotation has no schedule", "add `days = 30`");
            }
            (Some(_), Some(_)) => {
                let path = path.key("schedule");
                self.say(&path, "`days` and `schedule` cannot be used together", "remove one");
            }
            _ => {}
        }
        let Some(text) = rotation.schedule.as_deref() else { return };
        let schedule = path.key("schedule");
        if let Some((message, fix)) = no_rotation_schedule(text) {
            return self.say(&schedule, message, fix);
        }
        let interval = hours_between(text);
        if let Some((window, hours)) = rotation.window_hours.zip(interval)
            && window > hours
        {
            let message = format!(
                "the window of {window} hours is longer than the time between two rotations"
            );
            let fix = format!("use at most {hours}");
            self.say(&path.key("window_hours"), message, fix);
        }
        if interval.is_some_and(|hours| hours < LEAST_HOURS) {
            self.say(
                &schedule,
                "the rotation is too frequent",
                "use at least 4 hours between two rotations",
            );
        }
        if interval.is_some_and(|hours| hours > MOST_DAYS * 24) {
            self.say(
                &schedule,
                "the rotation is too rare",
                "use at most 1000 days between two rotations",
            );
        }
    }
}

/// The problem of a rotation schedule, except its frequency, and the fix.
fn no_rotation_schedule(text: &str) -> Option<(String, &'static str)> {
    let fields: Vec<&str> = text.strip_prefix("cron(")?.split_whitespace().collect();
    super::events::schedule(text).or_else(|| {
        let message = || format!("the minutes of `{text}` must be 0");
        (fields[0] != "0").then(|| (message(), "write 0: AWS starts rotations on the hour"))
    })
}

/// The hours between two rotations; a schedule for a time of day has no such
/// number.
fn hours_between(schedule: &str) -> Option<u32> {
    if let Some(rate) = schedule.strip_prefix("rate(") {
        let (number, unit) = rate.split_once(' ')?;
        let hours = if unit.starts_with("day") { 24 } else { 1 };
        return Some(number.parse::<u32>().unwrap_or(u32::MAX).saturating_mul(hours));
    }
    let field = schedule.split_whitespace().nth(1)?;
    match field.split_once('/') {
        Some((_, step)) => step.parse().ok(),
        None => field.contains(['*', '-']).then_some(1),
    }
}
