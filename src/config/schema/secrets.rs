//! `[secrets.NAME]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{FunctionRef, KeyRef, PhysicalName, RotationSchedule};
use super::yes;

/// A secret whose value is generated once, or brought by somebody, and never shown.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// What it is for.
    #[schemars(length(max = 2048))]
    pub description: Option<String>,
    /// The key that encrypts it; the account's aws/secretsmanager key if unset.
    pub key: Option<KeyRef>,
    /// Fields of the value that are known beforehand, such as `username`.
    #[serde(default)]
    pub template: BTreeMap<String, String>,
    /// The field that receives the generated password.
    #[serde(default = "password")]
    #[schemars(length(min = 1, max = 128))]
    pub field: String,
    /// How long the password is.
    #[serde(default = "length")]
    #[schemars(range(min = 16, max = 4096))]
    pub length: u32,
    /// Whether the password has letters and digits only, which every database accepts.
    #[serde(default = "yes")]
    pub exclude_punctuation: bool,
    /// Whether a first value is generated. If not, somebody brings it with `payctl secret set`.
    #[serde(default = "yes")]
    pub generate: bool,
    /// How many days a deleted secret can be brought back (7 to 30); 0 deletes at once.
    #[serde(default = "thirty")]
    #[schemars(range(min = 0, max = 30))]
    pub recovery_days: u32,
    /// How its password is changed from time to time.
    pub rotation: Option<Rotation>,
}

/// How the password of a secret is changed from time to time: every so many days, or by a schedule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// The function that changes it. It needs a way to the database and to Secrets Manager, and
    /// restarts the services that read the password.
    pub function: FunctionRef,
    /// Every so many days.
    #[schemars(range(min = 1, max = 1000))]
    pub days: Option<u32>,
    /// When, instead of `days`: `"rate(12 hours)"` or `"cron(0 4 1 * ? *)"`, in UTC.
    pub schedule: Option<RotationSchedule>,
    /// Within so many hours it has begun; until the end of the day if unset.
    #[schemars(range(min = 1, max = 24))]
    pub window_hours: Option<u32>,
}

fn password() -> String {
    "password".into()
}

fn length() -> u32 {
    32
}

fn thirty() -> u32 {
    30
}
