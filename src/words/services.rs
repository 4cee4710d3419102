//! The words of `[services]`.

words! {
    /// A processor architecture.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum ContainerArchitecture {
        /// Intel and AMD.
        #[default]
        #[serde(rename = "x86_64")]
        X86 = "X86_64",
        /// AWS Graviton: a fifth cheaper.
        Arm64 = "ARM64",
    }
}

words! {
    /// The source of the tags of tasks.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum PropagateTags {
        /// The service.
        #[default]
        Service = "SERVICE",
        /// The task definition.
        TaskDefinition = "TASK_DEFINITION",
        /// No tags.
        None = "NONE",
    }
}
