//! `[log_groups.NAME]`, and what every section says of its logs.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{BucketRef, KeyRef, PhysicalName};

/// A CloudWatch log group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogGroup {
    /// The physical name, `"/aws/lambda/${env}-..."`, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// How many days events are kept, or `"forever"`.
    #[serde(default)]
    pub retention_days: Retention,
    /// The key that encrypts it; CloudWatch's own if unset.
    pub key: Option<KeyRef>,
}

/// Where AWS delivers a log: into a log group of its own, or into a bucket.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogTarget {
    /// The bucket, instead of a log group: cheaper, and without the means to search. It needs
    /// `log_delivery` and must not have a customer key.
    pub bucket: Option<BucketRef>,
    /// How many days the log group keeps events, or `"forever"`.
    #[serde(default)]
    pub retention_days: Retention,
    /// The key that encrypts the log group; CloudWatch's own if unset.
    pub key: Option<KeyRef>,
}

/// How long log events are kept.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Retention {
    /// So many days.
    Days(u32),
    /// For ever.
    Forever(Forever),
}

impl Retention {
    /// So many days, unless for ever.
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
