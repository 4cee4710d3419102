//! The words of `[functions]`.

words! {
    /// A processor architecture.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    #[schemars(inline)]
    pub enum Architecture {
        /// AWS Graviton.
        #[default]
        Arm64 = "arm64",
        /// Intel and AMD.
        #[serde(rename = "x86_64")]
        X86 = "x86_64",
    }
}

words! {
    /// The initial position in a stream.
    #[serde(rename_all = "snake_case")]
    #[schemars(inline)]
    pub enum Start {
        /// Only new changes.
        Latest = "LATEST",
        /// Every change that the stream still holds.
        TrimHorizon = "TRIM_HORIZON",
    }
}
