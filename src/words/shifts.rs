//! The words of `[shifts]`.

/// What to do about an alarm or any other finding.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnAlarm {
    /// Roll back: all traffic goes back to the side that it came from, in one call.
    #[default]
    RollBack,
    /// Stop: traffic stays as it is, and the run ends.
    Stop,
}
