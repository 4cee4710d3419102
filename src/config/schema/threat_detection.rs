//! `threat_detection`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::words::threat_detection::{FindingFrequency, ThreatFeature};

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
