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
