//! `threat_detection`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

/// Whether GuardDuty watches the account.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ThreatDetection {
    /// Yes (its foundation only), or no.
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
    /// The settings, if it is wanted.
    pub fn settings(&self) -> Option<ThreatSettings> {
        match self {
            Self::Enabled(false) => None,
            Self::Enabled(true) => Some(ThreatSettings::default()),
            Self::Settings(settings) => Some(settings.clone()),
        }
    }
}

/// How GuardDuty watches.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreatSettings {
    /// How often findings that go on are sent again.
    #[serde(default)]
    pub frequency: FindingFrequency,
    /// What it watches beside CloudTrail, DNS and flow logs. Each costs extra.
    #[serde(default)]
    pub features: BTreeSet<ThreatFeature>,
}

/// How often findings are sent.
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
    /// The word as GuardDuty spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::FifteenMinutes => "FIFTEEN_MINUTES",
            Self::OneHour => "ONE_HOUR",
            Self::SixHours => "SIX_HOURS",
        }
    }
}

/// What GuardDuty can watch for extra money.
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
    /// The use of models and agents of Bedrock and SageMaker. Not in every region.
    AiProtection,
    /// Investigations of findings by a model. Not in every region.
    AiAnalyst,
}

impl ThreatFeature {
    /// The word as GuardDuty spells it.
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
