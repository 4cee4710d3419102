//! The rules of `[secrets]`.

use super::Rules;
use crate::config::schema::secrets::{Rotation, Secret};

/// What Secrets Manager takes as a value.
const SECRET: usize = 65_536;

/// Names that Aurora PostgreSQL keeps for itself.
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

/// The most characters of a password that Aurora takes.
const LONGEST_PASSWORD: u32 = 41;

/// How many hours must lie between two rotations.
const LEAST_HOURS: u32 = 4;

/// How many days may lie between two rotations.
const MOST_DAYS: u32 = 1000;

impl Rules<'_> {
    pub(super) fn secrets(&mut self) {
        for (name, secret) in &self.config.secrets {
            let path = ["secrets", &**name];
            if (1..7).contains(&secret.recovery_days) {
                let path = [&path[..], &["recovery_days"]].concat();
                let message = format!("{} days are not possible", secret.recovery_days);
                self.say(&path, message, "0 (deleted at once), or 7 to 30");
            }
            let keys = self.config.keys.iter();
            let mut keys = keys.filter(|(key, _)| secret.key.as_deref() == Some(key.0.as_str()));
            if let Some((name, key)) =
                keys.find(|(_, key)| secret.recovery_days > key.recovery_days)
            {
                let path = [&path[..], &["recovery_days"]].concat();
                let message = format!(
                    "it could be brought back for {} days, its key `{}` for {} only",
                    secret.recovery_days, name.0, key.recovery_days
                );
                self.say(&path, message, "without the key nobody can read it: lower this one");
            }
            if !secret.generate && !secret.template.is_empty() {
                let path = [&path[..], &["template"]].concat();
                self.say(&path, "no value is generated", "remove it, or `generate = false`");
            }
            let fields = secret.template.iter().map(|(field, value)| field.len() + value.len());
            if fields.sum::<usize>() + secret.length as usize > SECRET {
                let path = [&path[..], &["template"]].concat();
                self.say(&path, "the secret is too long", "Secrets Manager takes 64 KB");
            }
            if secret.template.contains_key(&secret.field) {
                let path = [&path[..], &["template", &secret.field]].concat();
                let message = format!("`{}` receives the generated password", secret.field);
                self.say(&path, message, "remove it from the template, or name another `field`");
            }
        }
    }

    /// A secret that opens a database.
    pub(super) fn opens(&mut self, name: &str, secret: &Secret) {
        let path = ["secrets", name];
        if !secret.generate {
            let fix = "remove `generate = false`: the cluster begins with the generated password";
            self.say(&[&path[..], &["generate"]].concat(), "a database needs its password", fix);
        }
        if secret.field != "password" {
            let path = [&path[..], &["field"]].concat();
            let fix = "remove `field`: clients and rotation look for `password`";
            self.say(&path, "the password of a database is in `password`", fix);
        }
        if secret.length > LONGEST_PASSWORD {
            let path = [&path[..], &["length"]].concat();
            let message = format!("{} characters are too many for a database", secret.length);
            self.say(&path, message, format!("16 to {LONGEST_PASSWORD}"));
        }
        let path = [&path[..], &["template"]].concat();
        let Some(user) = secret.template.get("username") else {
            let fix = "add `template = { username = \"dbadmin\" }`";
            return self.say(&path, "a database needs a user name", fix);
        };
        let path = [&path[..], &["username"]].concat();
        let letters = user.starts_with(|c: char| c.is_ascii_alphabetic())
            && user.chars().all(|c| c.is_ascii_alphanumeric());
        if !letters || user.len() > 16 {
            let message = format!("`{user}` is not possible as the name of a user");
            let fix = "1 to 16 letters and digits, beginning with a letter";
            self.say(&path, message, fix);
        } else if RESERVED_USERS.contains(&user.to_lowercase().as_str()) {
            let message = format!("`{user}` is a reserved word of Aurora PostgreSQL");
            self.say(&path, message, "choose another name, such as dbadmin");
        }
    }

    /// A task reads its secrets when it starts and never again: whoever changes the password has to
    /// know whom to restart.
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
                    "after a rotation the tasks of `{}` would have the old password",
                    service.0
                );
                let fix = format!(
                    "let the function restart it: RESTART_SERVICES = \"{reference}arn}}\" in \
                     [functions.{function}.environment], and ecs:UpdateService for its role"
                );
                self.say(&["secrets", name, "rotation", "function"], message, fix);
            }
        }
    }

    pub(super) fn rotation(&mut self, path: &[&str], rotation: &Rotation) {
        match (rotation.days, &rotation.schedule) {
            (None, None) => {
                self.say(path, "it does not say when to rotate", "add `days = 30`");
            }
            (Some(_), Some(_)) => {
                let path = [path, &["schedule"]].concat();
                self.say(&path, "`days` says when already", "remove one of them");
            }
            _ => {}
        }
        let Some(text) = rotation.schedule.as_deref() else { return };
        let schedule = [path, &["schedule"]].concat();
        if let Some((message, fix)) = no_rotation_schedule(text) {
            return self.say(&schedule, message, fix);
        }
        let interval = hours_between(text);
        if let Some((window, hours)) = rotation.window_hours.zip(interval)
            && window > hours
        {
            let message = format!("the window of {window} hours reaches into the next rotation");
            let fix = format!("at most {hours}");
            self.say(&[path, &["window_hours"]].concat(), message, fix);
        }
        if interval.is_some_and(|hours| hours < LEAST_HOURS) {
            self.say(&schedule, "this is too often", "AWS rotates every 4 hours at the most");
        }
        if interval.is_some_and(|hours| hours > MOST_DAYS * 24) {
            self.say(&schedule, "this is too seldom", "AWS rotates every 1000 days at the least");
        }
    }
}

/// What is wrong with a schedule of a rotation beside how often it comes, and what to do.
fn no_rotation_schedule(text: &str) -> Option<(String, &'static str)> {
    let fields: Vec<&str> = text.strip_prefix("cron(")?.split_whitespace().collect();
    super::events::schedule(text).or_else(|| {
        let message = || format!("the minutes of `{text}` are not 0");
        (fields[0] != "0").then(|| (message(), "AWS begins rotations on the hour"))
    })
}

/// How many hours lie between two rotations; what comes once a day or on some days has no such
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
