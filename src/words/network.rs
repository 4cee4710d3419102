//! The words of `[network]`.

words! {
    /// The connections that a flow log records.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum Traffic {
        /// All connections.
        #[default]
        All = "ALL",
        /// Accepted connections.
        Accepted = "ACCEPT",
        /// Rejected connections.
        Rejected = "REJECT",
    }
}

words! {
    /// A service with a gateway endpoint.
    #[serde(rename_all = "lowercase")]
    pub enum GatewayService {
        /// Amazon S3.
        S3 = "s3",
        /// Amazon DynamoDB.
        Dynamodb = "dynamodb",
    }
}
