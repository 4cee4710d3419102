//! The rules of `[databases]`.

use std::collections::BTreeMap;

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::databases::{Database, Serverless};

/// Databases that exist already.
const RESERVED_DATABASES: [&str; 4] = ["postgres", "rdsadmin", "template0", "template1"];

/// The possible seconds between two samples of enhanced monitoring.
const INTERVALS: [u32; 6] = [1, 5, 10, 15, 30, 60];

/// The major versions of Aurora PostgreSQL.
const MAJORS: std::ops::RangeInclusive<u32> = 11..=18;

/// The minutes from the beginning of the week (or of the day) to a time.
fn minutes(time: &str) -> u32 {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let (day, clock) = match time.len() {
        5 => (0, time),
        _ => (DAYS.iter().position(|day| time.starts_with(day)).unwrap_or(0), &time[4..]),
    };
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let (hours, minutes) = clock.split_once(':').unwrap_or((clock, "0"));
    u32::try_from(day).unwrap_or(0) * DAY + number(hours) * 60 + number(minutes)
}

const DAY: u32 = 24 * 60;

const WEEK: u32 = 7 * DAY;

/// The first version of each major version that can pause.
const PAUSES_SINCE: [(u32, u32); 4] = [(13, 15), (14, 12), (15, 7), (16, 3)];

/// The first major version that stores passwords by SCRAM by default.
const SCRAM_SINCE: u32 = 14;

/// The parts of a version; a major version has no minor part.
fn numbers(version: &str) -> (u32, Option<u32>) {
    let (major, minor) = version.split_once('.').unwrap_or((version, ""));
    (major.parse().unwrap_or_default(), minor.parse().ok())
}

/// Whether a version can scale down to 0.
fn can_pause(version: &str) -> bool {
    let (major, minor) = numbers(version);
    match PAUSES_SINCE.iter().find(|(pauses, _)| *pauses == major) {
        Some((_, since)) => minor.is_none_or(|minor| minor >= *since),
        None => major > 16,
    }
}

/// Begin and length of a window, within a period.
fn window(text: &str, period: u32) -> (u32, u32) {
    let (begin, end) = text.split_once('-').unwrap_or((text, text));
    let (begin, end) = (minutes(begin), minutes(end));
    (begin, (end + period - begin) % period)
}

/// Whether a daily window and a weekly one share a minute.
fn overlap(daily: (u32, u32), weekly: (u32, u32)) -> bool {
    (0..7).any(|day| {
        let begin = day * DAY + daily.0;
        let apart = |from: u32, to: u32| (to + WEEK - from) % WEEK;
        apart(begin, weekly.0) < daily.1 || apart(weekly.0, begin) < weekly.1
    })
}

impl Rules<'_> {
    pub(super) fn databases(&mut self) {
        let mut opened: BTreeMap<&str, &str> = BTreeMap::new();
        let own = self.config.databases.iter().filter(|(_, database)| database.from.is_none());
        for (name, database) in own {
            let path = KeyPath::of("databases").key(name);
            self.needed(&path, &["engine_version", "instances", "secret", "security_groups"]);
            if database.engine_version.is_empty() || database.secret.is_empty() {
                continue;
            }
            if let Some(other) = opened.insert(&database.secret, name) {
                let message = format!("[databases.{other}] uses the same secret");
                let fix =
                    "give each database its own secret, because the secret contains the endpoint";
                self.say(&path.key("secret"), message, fix);
            }
            self.version(&path, database);
            self.database_place(&path, database);
            self.capacity(&path, database);
            self.upkeep(&path, database);
            if let Some(source) = &database.restore_from {
                let given =
                    (source.snapshot.is_some(), source.cluster.is_some(), source.at.is_some());
                self.restored_from(&path, given, ("snapshot", "cluster"));
                self.restored_time(&path, source.at.as_deref());
            }
            if database.parameter_group_description.is_some() && database.parameters.is_none() {
                let path = path.key("parameter_group_description");
                let fix = "set `parameters`, or remove the description";
                self.say(&path, "the cluster has AWS's default parameter group", fix);
            }
            let begins = database.database.as_deref().unwrap_or_default();
            if RESERVED_DATABASES.contains(&begins.to_lowercase().as_str()) {
                let path = path.key("database");
                let message = format!("`{begins}` is reserved for PostgreSQL");
                self.say(&path, message, "choose another name, or remove `database`");
            }
            let mut secrets = self.config.secrets.iter();
            if let Some((name, secret)) = secrets.find(|(name, _)| name.0 == database.secret.0) {
                self.opens(name, secret);
                if secret.rotation.is_some() {
                    self.can_rotate(&path, database);
                }
            }
        }
        for (name, secret) in &self.config.secrets {
            if let Some(rotation) = &secret.rotation {
                self.rotation(&KeyPath::of("secrets").key(name).key("rotation"), rotation);
                self.restarts(name, secret, rotation);
            }
        }
    }

    fn version(&mut self, path: &KeyPath, database: &Database) {
        let version = &*database.engine_version;
        if !MAJORS.contains(&numbers(version).0) {
            let message = format!("Aurora PostgreSQL {version} does not exist");
            let fix = format!("use a version from {} to {}", MAJORS.start(), MAJORS.end());
            self.say(&path.key("engine_version"), message, fix);
        }
    }

    fn database_place(&mut self, path: &KeyPath, database: &Database) {
        let path = path.key("subnets");
        let Some(network) = &self.config.network else {
            let fix = "add [network] with at least two zones";
            return self.say(&path, "a database needs a network", fix);
        };
        self.tier(&path, network, database.subnets);
        if network.zones < 2 {
            let message = "a database needs subnets in two zones";
            self.say(
                &KeyPath::of("network").key("zones"),
                message,
                "set `zones = 2` or more, even for one instance",
            );
        }
    }

    fn capacity(&mut self, path: &KeyPath, database: &Database) {
        for (at, instance) in database.instances.iter().enumerate() {
            let path = path.key("instances").item(at).key("class");
            let class = &*instance.class;
            if class == "db.serverless" && database.serverless.is_none() {
                let fix = "add `serverless = { min = 0.5, max = 2 }` to the database";
                self.say(&path, "a serverless instance needs `serverless`", fix);
            }
            let size = class.rsplit('.').next().unwrap_or_default();
            let family = class.split('.').nth(1).unwrap_or_default();
            let fits = ["r", "t", "x"].iter().any(|letter| family.starts_with(letter));
            if class != "db.serverless" && (matches!(size, "nano" | "micro" | "small") || !fits) {
                let message = format!("Aurora PostgreSQL does not run on {class}");
                self.say(
                    &path,
                    message,
                    "use db.serverless, db.t3.medium, db.t4g.medium, or a db.r class",
                );
            }
        }
        if let Some(serverless) = database.serverless {
            self.serverless(&path.key("serverless"), serverless);
            let version = &*database.engine_version;
            if serverless.min == 0.0 && !can_pause(version) {
                let path = path.key("serverless").key("min");
                let message = format!("Aurora PostgreSQL {version} cannot pause");
                self.say(
                    &path,
                    message,
                    "use 0.5 or more, or a version from 13.15, 14.12, 15.7, 16.3",
                );
            }
        }
    }

    fn serverless(&mut self, path: &KeyPath, Serverless { min, max, pause_after }: Serverless) {
        for (key, capacity, least) in [("min", min, 0.0), ("max", max, 1.0)] {
            if (capacity * 2.0).fract() != 0.0 || !(least..=256.0).contains(&capacity) {
                let message = format!("{capacity} is not a valid number of capacity units");
                let fix = format!("use {least} to 256, in steps of 0.5");
                self.say(&path.key(key), message, fix);
            }
        }
        if min > max {
            let message = format!("`min` ({min}) is more than `max` ({max})");
            self.say(&path.key("min"), message, "swap them");
        }
        if pause_after.is_some() && min > 0.0 {
            let path = path.key("pause_after");
            self.say(&path, "the instance never pauses", "remove this key, or set `min = 0`");
        }
    }

    fn upkeep(&mut self, path: &KeyPath, database: &Database) {
        self.retention(&path.key("log_retention_days"), database.log_retention_days);
        let days = database.insights_days;
        if !(days.is_multiple_of(31) && days <= 713 || days == 7 || days == 731) {
            let message = format!("Performance Insights cannot keep {days} days");
            let fix = "use 0 (off), 7, a multiple of 31 up to 713, or 731";
            self.say(&path.key("insights_days"), message, fix);
        }
        if let Some(monitoring) = &database.monitoring {
            let path = path.key("monitoring");
            self.trusted(
                &path.key("role"),
                &monitoring.role,
                "monitoring.rds.amazonaws.com",
                "monitoring",
            );
            if !INTERVALS.contains(&monitoring.interval) {
                let message = format!("{} seconds is not a valid interval", monitoring.interval);
                self.say(
                    &path.key("interval"),
                    message,
                    "use 1, 5, 10, 15, 30 or 60; remove `monitoring` to turn it off",
                );
            }
        }
        let backup = database.backup_window.as_deref().map(|text| window(text, DAY));
        let maintenance = database.maintenance_window.as_deref().map(|text| window(text, WEEK));
        let lengths = [("backup_window", backup), ("maintenance_window", maintenance)];
        for (key, window) in lengths {
            if window.is_some_and(|(_, length)| length < 30) {
                let message = "the window is shorter than 30 minutes";
                self.say(&path.key(key), message, "use at least 30 minutes");
            }
        }
        if backup.zip(maintenance).is_some_and(|(daily, weekly)| overlap(daily, weekly)) {
            let path = path.key("maintenance_window");
            self.say(&path, "this window overlaps the backup window", "choose another time");
        }
    }

    /// The rotation function that comes with payctl logs in only by SCRAM.
    fn can_rotate(&mut self, path: &KeyPath, database: &Database) {
        let version = &*database.engine_version;
        let encryption = database.parameters.iter().flatten();
        let mut encryption = encryption.filter(|(name, _)| name.0 == "password_encryption");
        let is_scram = encryption.any(|(_, value)| value == "scram-sha-256");
        if numbers(version).0 < SCRAM_SINCE && !is_scram {
            let path = path.key("parameters");
            let message = format!("Aurora PostgreSQL {version} stores passwords by MD5");
            let fix = "set parameters = { password_encryption = \"scram-sha-256\" }, which rotation needs";
            self.say(&path, message, fix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_overlap_across_the_end_of_the_week() {
        let daily = |text| window(text, DAY);
        let weekly = |text| window(text, WEEK);
        assert_eq!(daily("23:30-00:30"), (23 * 60 + 30, 60));
        assert_eq!(weekly("sun:23:30-mon:00:30").1, 60);
        assert!(overlap(daily("03:00-04:00"), weekly("sun:03:30-sun:05:00")));
        assert!(overlap(daily("23:30-00:30"), weekly("mon:00:00-mon:01:00")));
        assert!(overlap(daily("00:00-01:00"), weekly("sun:23:30-mon:00:30")));
        assert!(!overlap(daily("03:00-04:00"), weekly("sun:04:00-sun:05:00")));
    }
}
