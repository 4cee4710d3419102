//! The words of `[alarms]`.

words! {
    /// How to treat a period without data.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum Missing {
        /// Missing: without any data the alarm is in the state INSUFFICIENT_DATA.
        #[default]
        Missing = "missing",
        /// Ignored: the alarm keeps its state.
        Ignore = "ignore",
        /// Breaching: the value broke the threshold.
        Breaching = "breaching",
        /// Not breaching: the value kept the threshold.
        NotBreaching = "notBreaching",
    }
}

words! {
    /// Whether to evaluate a percentile when there are too few samples for it.
    #[serde(rename_all = "snake_case")]
    pub enum FewSamples {
        /// Evaluate it.
        Evaluate = "evaluate",
        /// Ignore it: the alarm keeps its state.
        Ignore = "ignore",
    }
}
