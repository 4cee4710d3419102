//! The words of `[log_groups]`, and of the log settings of other sections.

words! {
    /// The class of a log group.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum LogClass {
        /// All features of CloudWatch Logs.
        #[default]
        Standard = "STANDARD",
        /// Writing costs half as much. There are no metric filters, no Live Tail and no reading event by
        /// event: only queries of Logs Insights read it.
        InfrequentAccess = "INFREQUENT_ACCESS",
    }
}
