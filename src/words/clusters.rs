//! The words of `[clusters]`.

words! {
    /// A capacity provider of Fargate.
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    pub enum CapacityProvider {
        /// On-demand tasks.
        Fargate = "FARGATE",
        /// Spot tasks: cheaper, but AWS may stop them.
        FargateSpot = "FARGATE_SPOT",
    }
}
