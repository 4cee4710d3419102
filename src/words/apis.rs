//! The words of `[apis]`.

words! {
    /// The endpoint type of an API.
    #[derive(Default)]
    #[serde(rename_all = "lowercase")]
    pub enum Endpoint {
        /// In its region.
        #[default]
        Regional = "REGIONAL",
        /// At the edge locations of CloudFront.
        Edge = "EDGE",
    }
}

words! {
    /// What the function of an authorizer gets.
    #[derive(Default)]
    #[serde(rename_all = "lowercase")]
    pub enum Gets {
        /// The token, from one header.
        #[default]
        Token = "TOKEN",
        /// Headers, query, path and context of the request.
        Request = "REQUEST",
    }
}

words! {
    /// What the execution log contains.
    #[derive(Default)]
    #[serde(rename_all = "lowercase")]
    pub enum LogLevel {
        /// Nothing.
        Off = "OFF",
        /// Errors.
        #[default]
        Error = "ERROR",
        /// Everything.
        Info = "INFO",
    }
}

words! {
    /// The period of a quota.
    #[serde(rename_all = "lowercase")]
    pub enum Period {
        /// A day.
        Day = "DAY",
        /// A week.
        Week = "WEEK",
        /// A month.
        Month = "MONTH",
    }
}
