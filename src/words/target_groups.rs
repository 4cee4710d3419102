//! The words of `[target_groups]`.

words! {
    /// The protocol between a load balancer and its targets.
    #[derive(Default)]
    #[serde(rename_all = "lowercase")]
    pub enum TargetProtocol {
        /// HTTP.
        #[default]
        Http = "HTTP",
        /// HTTP over TLS.
        Https = "HTTPS",
        /// Any connection, behind a network load balancer.
        Tcp = "TCP",
    }
}

words! {
    /// The type of targets.
    #[derive(Default)]
    #[serde(rename_all = "lowercase")]
    pub enum TargetType {
        /// Addresses, such as those of Fargate tasks.
        #[default]
        Ip = "ip",
        /// EC2 instances.
        Instance = "instance",
    }
}
