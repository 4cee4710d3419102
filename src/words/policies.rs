//! The words of policies.

words! {
    /// Whether a statement allows or denies.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum Effect {
        /// Allows.
        #[default]
        Allow = "Allow",
        /// Denies.
        Deny = "Deny",
    }
}

words! {
    /// A type of principal.
    #[schemars(inline)]
    pub enum PrincipalType {
        #[allow(missing_docs, clippy::upper_case_acronyms)]
        AWS = "AWS",
        #[allow(missing_docs)]
        Service = "Service",
        #[allow(missing_docs)]
        Federated = "Federated",
    }
}
