//! The words of `[buckets]`.

words! {
    /// The mode of a lock.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum LockMode {
        /// Principals with the permission `s3:BypassGovernanceRetention` can lift it.
        #[default]
        Governance = "GOVERNANCE",
        /// Nobody can lift it, not even the root user of the account.
        Compliance = "COMPLIANCE",
    }
}

words! {
    /// An S3 storage class, in the order in which objects may move.
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    #[schemars(inline)]
    pub enum StorageClass {
        #[allow(missing_docs)]
        StandardIa = "STANDARD_IA",
        #[allow(missing_docs)]
        IntelligentTiering = "INTELLIGENT_TIERING",
        #[allow(missing_docs)]
        OnezoneIa = "ONEZONE_IA",
        #[allow(missing_docs)]
        GlacierIr = "GLACIER_IR",
        #[allow(missing_docs)]
        Glacier = "GLACIER",
        #[allow(missing_docs)]
        DeepArchive = "DEEP_ARCHIVE",
    }
}
