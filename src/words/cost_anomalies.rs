//! The words of `[cost_anomalies]`.

words! {
    /// How often e-mail addresses get a summary of anomalies.
    #[serde(rename_all = "snake_case")]
    pub enum AlertFrequency {
        /// Once a day.
        Daily = "DAILY",
        /// Once a week.
        Weekly = "WEEKLY",
    }
}
