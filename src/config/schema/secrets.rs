//! `[secrets.NAME]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{FunctionRef, KeyRef, PhysicalName, RotationSchedule};
use super::yes;

/// A secret. payctl generates its value once, or you set it, and payctl never shows it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// The physical name. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// A description.
    #[schemars(length(max = 2048))]
    pub description: Option<String>,
    /// The KMS key that encrypts it. Default: the account's aws/secretsmanager key.
    pub key: Option<KeyRef>,
    /// A self-signed certificate for this host name instead of a password. The value then has the fields
    /// `certificate` and `key`, both in PEM. It is for TLS from a load balancer to its targets: the load
    /// balancer encrypts, and does not check who signed the certificate, nor until when it is valid (ten
    /// years). The name is text of its own; no DNS record is needed.
    #[schemars(length(min = 1, max = 253))]
    pub self_signed: Option<String>,
    /// The fields of the value that are not secret, such as `username`.
    #[serde(default)]
    pub template: BTreeMap<String, String>,
    /// The field that receives the generated password.
    #[serde(default = "password")]
    #[schemars(length(min = 1, max = 128))]
    pub field: String,
    /// The length of the password.
    #[serde(default = "length")]
    #[schemars(range(min = 16, max = 4096))]
    pub length: u32,
    /// Whether the password has only letters and digits, which every database accepts.
    #[serde(default = "yes")]
    pub exclude_punctuation: bool,
    /// Whether payctl generates the first value. If not, set it with `payctl secret set`.
    #[serde(default = "yes")]
    pub generate: bool,
    /// How many days a deleted secret can be restored (7 to 30); 0 deletes it at once.
    #[serde(default = "thirty")]
    #[schemars(range(min = 0, max = 30))]
    pub recovery_days: u32,
    /// The rotation of its password.
    pub rotation: Option<Rotation>,
}

impl Secret {
    /// The fields of a generated value.
    pub fn fields(&self) -> Vec<&str> {
        if self.self_signed.is_some() {
            return vec!["certificate", "key"];
        }
        self.template.keys().map(String::as_str).chain([self.field.as_str()]).collect()
    }
}

/// The rotation of a secret's password: every few days, or by a schedule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// The function that changes the password. It must reach the database and Secrets Manager, and
    /// restarts the services that read the password.
    pub function: FunctionRef,
    /// The days between two rotations.
    #[schemars(range(min = 1, max = 1000))]
    pub days: Option<u32>,
    /// The schedule, instead of `days`: `"rate(12 hours)"` or `"cron(0 4 1 * ? *)"`, in UTC.
    pub schedule: Option<RotationSchedule>,
    /// The window in hours in which a rotation starts. Default: until the end of the day.
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
