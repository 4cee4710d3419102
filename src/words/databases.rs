//! The words of `[databases]`.

words! {
    /// A log of Aurora PostgreSQL.
    #[serde(rename_all = "kebab-case")]
    #[schemars(inline)]
    pub enum DatabaseLog {
        /// The log of PostgreSQL.
        Postgresql = "postgresql",
        /// The log of the instance.
        Instance = "instance",
        /// Errors of IAM database authentication.
        IamDbAuthError = "iam-db-auth-error",
    }
}
