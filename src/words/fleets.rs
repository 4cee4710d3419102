//! The words of `[fleets]`.

words! {
    /// The health check of instances.
    #[serde(rename_all = "lowercase")]
    pub enum HealthCheck {
        /// Only the status checks of EC2.
        Ec2 = "EC2",
        /// Also the health checks of the target groups.
        Elb = "ELB",
    }
}
