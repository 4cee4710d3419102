//! The words of `[security_groups]`.

words! {
    /// An IP protocol.
    #[derive(Default)]
    #[serde(rename_all = "lowercase")]
    pub enum Protocol {
        /// TCP.
        #[default]
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
        /// ICMP.
        Icmp = "icmp",
        /// ICMP for IPv6.
        Icmpv6 = "icmpv6",
        /// Every protocol.
        All = "-1",
    }
}
