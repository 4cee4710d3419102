//! The words of `[topics]`.

words! {
    /// The protocol of delivery.
    #[serde(rename_all = "kebab-case")]
    pub enum Delivery {
        /// By e-mail.
        Email = "email",
        /// By e-mail, as JSON.
        EmailJson = "email-json",
        /// To a URL.
        Https = "https",
        /// To a queue of another account.
        Sqs = "sqs",
        /// To a function.
        Lambda = "lambda",
        /// To a phone number.
        Sms = "sms",
    }
}
