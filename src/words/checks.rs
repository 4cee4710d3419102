//! The words of `[checks]`.

words! {
    /// The method of a request.
    #[derive(Default)]
    #[serde(rename_all = "UPPERCASE")]
    pub enum Method {
        /// Reads.
        #[default]
        Get = "GET",
        /// Reads without a body.
        Head = "HEAD",
        /// Asks what is possible.
        Options = "OPTIONS",
        /// Sends something.
        Post = "POST",
        /// Replaces something.
        Put = "PUT",
        /// Changes something.
        Patch = "PATCH",
        /// Deletes something.
        Delete = "DELETE",
    }
}

words! {
    /// How a request identifies its sender.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum CheckAuthorization {
        /// Not at all.
        #[default]
        None = "NONE",
        /// With a signature by the credentials that payctl uses.
        Iam = "AWS_IAM",
    }
}
