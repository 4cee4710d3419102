//! The words of metrics.

words! {
    /// The unit of a metric.
    #[serde(rename_all = "snake_case")]
    pub enum Unit {
        /// A count.
        Count = "Count",
        /// A count per second.
        CountPerSecond = "Count/Second",
        /// Percent.
        Percent = "Percent",
        /// Seconds.
        Seconds = "Seconds",
        /// Milliseconds.
        Milliseconds = "Milliseconds",
        /// Microseconds.
        Microseconds = "Microseconds",
        /// Bytes.
        Bytes = "Bytes",
        /// 1024 bytes.
        Kilobytes = "Kilobytes",
        /// 1024 kilobytes.
        Megabytes = "Megabytes",
        /// 1024 megabytes.
        Gigabytes = "Gigabytes",
        /// Bytes per second.
        BytesPerSecond = "Bytes/Second",
        /// No unit.
        None = "None",
    }
}
