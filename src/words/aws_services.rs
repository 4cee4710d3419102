//! The AWS services that send messages or use keys.

words! {
    /// An AWS service that sends messages.
    #[serde(rename_all = "snake_case")]
    pub enum Service {
        /// CloudWatch alarms.
        Cloudwatch = "cloudwatch",
        /// EventBridge rules.
        Events = "events",
        /// S3 notifications.
        S3 = "s3",
        /// AWS Budgets.
        Budgets = "budgets",
        /// SNS topics.
        Sns = "sns",
        /// CloudWatch Logs.
        Logs = "logs",
        /// Secrets Manager.
        Secretsmanager = "secretsmanager",
        /// Cost anomaly detection.
        Costalerts = "costalerts",
        /// EC2 for the volumes of instances.
        Ec2 = "ec2",
    }
}

impl Service {
    /// The service principal; Logs has one in each region.
    pub fn principal(self, region: &str) -> String {
        match self {
            Self::Logs => format!("logs.{region}.amazonaws.com"),
            other => format!("{}.amazonaws.com", other.aws()),
        }
    }
}
