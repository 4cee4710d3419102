//! `threat_detection`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

/// Whether GuardDuty monitors the account.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ThreatDetection {
    /// Yes (only its foundational data sources), or no.
    Enabled(bool),
    /// Yes, with these settings.
    Settings(ThreatSettings),
}

impl Default for ThreatDetection {
    fn default() -> Self {
        Self::Enabled(false)
    }
}

impl ThreatDetection {
    /// The settings, if GuardDuty is on.
    pub fn settings(&self) -> Option<ThreatSettings> {
        match self {
            Self::Enabled(false) => None,
            Self::Enabled(true) => Some(ThreatSettings::default()),
            Self::Settings(settings) => Some(settings.clone()),
        }
    }
}

/// The settings of GuardDuty.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreatSettings {
    /// How often GuardDuty publishes updates of findings.
    #[serde(default)]
    pub frequency: FindingFrequency,
    /// The additional protection plans, besides CloudTrail, DNS and flow logs. Each costs extra.
    #[serde(default)]
    pub features: BTreeSet<ThreatFeature>,
}

/// How often GuardDuty publishes updates of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingFrequency {
    /// Every fifteen minutes.
    #[default]
    FifteenMinutes,
    /// Every hour.
    OneHour,
    /// Every six hours.
    SixHours,
}

impl FindingFrequency {
    /// The value in the GuardDuty API.
    pub fn word(self) -> &'static str {
        match self {
            Self::FifteenMinutes => "FIFTEEN_MINUTES",
            Self::OneHour => "ONE_HOUR",
            Self::SixHours => "SIX_HOURS",
        }
    }
}

/// The protection plans of GuardDuty, which cost extra.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThreatFeature {
    /// Reads and writes of S3 objects.
    S3DataEvents,
    /// The network traffic of functions.
    LambdaNetworkLogs,
    /// Logins to Aurora.
    RdsLoginEvents,
    /// The disks of suspicious instances.
    EbsMalwareProtection,
    /// The audit logs of EKS.
    EksAuditLogs,
    /// Processes in instances and containers.
    RuntimeMonitoring,
    /// The use of AI models and agents in Bedrock and SageMaker. Not in every region.
    AiProtection,
    /// Analysis of findings by an AI model. Not in every region.
    AiAnalyst,
}

impl ThreatFeature {
    /// The value in the GuardDuty API.
    pub fn word(self) -> &'static str {
        match self {
            Self::S3DataEvents => "S3_DATA_EVENTS",
            Self::LambdaNetworkLogs => "LAMBDA_NETWORK_LOGS",
            Self::RdsLoginEvents => "RDS_LOGIN_EVENTS",
            Self::EbsMalwareProtection => "EBS_MALWARE_PROTECTION",
            Self::EksAuditLogs => "EKS_AUDIT_LOGS",
            Self::RuntimeMonitoring => "RUNTIME_MONITORING",
            Self::AiProtection => "AI_PROTECTION",
            Self::AiAnalyst => "AI_ANALYST",
        }
    }
}
