//! The words of `[load_balancers]`.

words! {
    /// The type of a load balancer.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum BalancerType {
        /// An application load balancer: HTTP.
        #[default]
        Application = "application",
        /// A network load balancer: connections.
        Network = "network",
    }
}

words! {
    /// The scheme of a load balancer: who reaches it.
    #[derive(Default)]
    #[serde(rename_all = "kebab-case")]
    pub enum Scheme {
        /// Only clients in the network.
        #[default]
        Internal = "internal",
        /// Everybody.
        InternetFacing = "internet-facing",
    }
}

words! {
    /// A protocol of clients.
    #[serde(rename_all = "lowercase")]
    pub enum ListenerProtocol {
        /// HTTP without TLS.
        Http = "HTTP",
        /// HTTP over TLS.
        Https = "HTTPS",
        /// Any connection.
        Tcp = "TCP",
        /// Any connection over TLS.
        Tls = "TLS",
    }
}

impl ListenerProtocol {
    /// Whether it needs a certificate.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}

words! {
    /// The content type of a fixed response.
    #[derive(Default)]
    pub enum ContentType {
        /// Plain text.
        #[default]
        #[serde(rename = "text/plain")]
        Text = "text/plain",
        /// HTML.
        #[serde(rename = "text/html")]
        Html = "text/html",
        /// JSON.
        #[serde(rename = "application/json")]
        Json = "application/json",
        /// CSS.
        #[serde(rename = "text/css")]
        Css = "text/css",
        /// JavaScript.
        #[serde(rename = "application/javascript")]
        Script = "application/javascript",
    }
}

/// The TLS security policies of load balancers, by AWS's names. AWS adds some every year or two; the
/// newest here are of 2025.
pub const TLS_POLICIES: &[&str] = &[
    // TLS 1.3 alone.
    "ELBSecurityPolicy-TLS13-1-3-2021-06",
    "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-3-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-3-RFC9151-FIPS-2023-07",
    // TLS 1.2 and 1.3.
    "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Ext1-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Ext2-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Ext0-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-Ext0-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Ext1-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-Ext1-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Ext2-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-Ext2-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-RFC9151-FIPS-2023-07",
    "ELBSecurityPolicy-TLS13-1-2-Ext0-RFC9151-FIPS-2023-07",
    "ELBSecurityPolicy-TLS13-1-2-RFC9151-INTEROP1-FIPS-2023-07",
    "ELBSecurityPolicy-TLS13-1-2-RFC9151-INTEROP2-FIPS-2023-07",
    "ELBSecurityPolicy-TLS13-1-2-RFC9151-INTEROP3-FIPS-2023-07",
    "ELBSecurityPolicy-TLS13-1-2-RFC9151-INTEROP4-FIPS-2023-07",
    // TLS 1.2 alone.
    "ELBSecurityPolicy-FS-1-2-Res-2020-10",
    "ELBSecurityPolicy-FS-1-2-Res-2019-08",
    "ELBSecurityPolicy-FS-1-2-2019-08",
    "ELBSecurityPolicy-TLS-1-2-2017-01",
    "ELBSecurityPolicy-TLS-1-2-Ext-2018-06",
    // Older versions of TLS too.
    "ELBSecurityPolicy-TLS13-1-1-2021-06",
    "ELBSecurityPolicy-TLS13-1-1-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-0-2021-06",
    "ELBSecurityPolicy-TLS13-1-0-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-0-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-0-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-FS-1-1-2019-08",
    "ELBSecurityPolicy-FS-2018-06",
    "ELBSecurityPolicy-TLS-1-1-2017-01",
    "ELBSecurityPolicy-2016-08",
    "ELBSecurityPolicy-2015-05",
    "ELBSecurityPolicy-TLS-1-0-2015-04",
];
