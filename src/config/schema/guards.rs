//! `threat_detection` and `[cost_anomalies.NAME]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use super::text::{Email, PhysicalName, TopicRef};

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

/// A monitor of unusual costs, and who hears of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostAnomaly {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
    /// Whose costs are watched.
    #[serde(default)]
    pub watch: CostWatch,
    /// The topic that hears of each anomaly at once; `costalerts` must be among its `publishers`.
    pub topic: Option<TopicRef>,
    /// E-mail addresses that hear of anomalies once a day or week.
    #[serde(default)]
    pub email: OneOrMany<Email>,
    /// How often the addresses hear of them.
    pub frequency: Option<AlertFrequency>,
    /// From which size on somebody hears of an anomaly.
    #[serde(default)]
    pub threshold: AnomalyThreshold,
}

/// Whose costs are watched.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CostWatch {
    /// A word for all of something.
    All(WatchAll),
    /// What carries a cost allocation tag, or is in a cost category.
    Some(WatchSome),
}

impl Default for CostWatch {
    fn default() -> Self {
        Self::All(WatchAll::Services)
    }
}

/// All of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WatchAll {
    /// Each AWS service of the account.
    Services,
}

/// What carries a tag, or is in a category.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchSome {
    /// The key of an activated cost allocation tag.
    #[schemars(length(min = 1, max = 128))]
    pub tag: Option<String>,
    /// The name of a cost category.
    #[schemars(length(min = 1, max = 128))]
    pub category: Option<String>,
    /// The values.
    #[schemars(length(min = 1))]
    pub values: BTreeSet<String>,
}

/// How often e-mail addresses hear of anomalies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertFrequency {
    /// Once a day.
    Daily,
    /// Once a week.
    Weekly,
}

/// From which size on somebody hears of an anomaly.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnomalyThreshold {
    /// From this many dollars on.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub amount: Option<u32>,
    /// From this many percent above what was expected on.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub percent: Option<u32>,
    /// Whether both must be reached, or either.
    #[serde(default)]
    pub when: When,
}

impl Default for AnomalyThreshold {
    /// 100 dollars and 40 percent, as AWS suggests.
    fn default() -> Self {
        Self { amount: Some(100), percent: Some(40), when: When::Both }
    }
}

/// Whether two limits must be reached, or one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Both.
    #[default]
    Both,
    /// One of them.
    Either,
}
