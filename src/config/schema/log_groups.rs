//! `[log_groups.NAME]`, and the log settings of every section.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{BucketRef, KeyRef, PhysicalName};
use crate::words::log_groups::LogClass;

/// A CloudWatch log group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogGroup {
    /// The physical name, `"/aws/lambda/${env}-..."`. Default: built from `naming.pattern`.
    pub name: Option<PhysicalName>,
    /// How many days CloudWatch keeps events, or `"forever"`.
    #[serde(default)]
    pub retention_days: Retention,
    /// The class of the log group. AWS never changes the class of a log group, and payctl does not replace one: set
    /// it before the first apply.
    #[serde(default)]
    pub class: LogClass,
    /// The KMS key that encrypts it. Default: CloudWatch's own key.
    pub key: Option<KeyRef>,
}

/// The destination of a log: its own log group, or a bucket.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogTarget {
    /// The bucket, instead of a log group: cheaper, but without a search. It needs
    /// `log_delivery` and must not have a customer key.
    pub bucket: Option<BucketRef>,
    /// How many days the log group keeps events, or `"forever"`.
    #[serde(default)]
    pub retention_days: Retention,
    /// The class of the log group. AWS never changes the class of a log group, and payctl does not replace one: set
    /// it before the first apply.
    #[serde(default)]
    pub class: LogClass,
    /// The KMS key that encrypts the log group. Default: CloudWatch's own key.
    pub key: Option<KeyRef>,
}

/// The retention of log events.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Retention {
    /// A number of days.
    Days(u32),
    /// For ever.
    Forever(Forever),
}

impl Retention {
    /// The number of days, unless for ever.
    pub fn days(self) -> Option<u32> {
        match self {
            Self::Days(days) => Some(days),
            Self::Forever(_) => None,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self::Days(30)
    }
}

/// The word `forever`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Forever {
    /// For ever.
    Forever,
}
