//! The AWS services that send messages or use keys.

use schemars::JsonSchema;
use serde::Deserialize;

/// An AWS service that sends messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// CloudWatch alarms.
    Cloudwatch,
    /// EventBridge rules.
    Events,
    /// S3 notifications.
    S3,
    /// AWS Budgets.
    Budgets,
    /// SNS topics.
    Sns,
    /// CloudWatch Logs.
    Logs,
    /// Secrets Manager.
    Secretsmanager,
    /// Cost anomaly detection.
    Costalerts,
    /// EC2 for the volumes of instances.
    Ec2,
}

impl Service {
    /// The service principal; Logs has one in each region.
    pub fn principal(self, region: &str) -> String {
        match self {
            Self::Logs => format!("logs.{region}.amazonaws.com"),
            other => format!("{}.amazonaws.com", other.word()),
        }
    }

    /// The service as the config names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cloudwatch => "cloudwatch",
            Self::Events => "events",
            Self::S3 => "s3",
            Self::Budgets => "budgets",
            Self::Sns => "sns",
            Self::Logs => "logs",
            Self::Secretsmanager => "secretsmanager",
            Self::Costalerts => "costalerts",
            Self::Ec2 => "ec2",
        }
    }
}
