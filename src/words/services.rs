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
    /// How new tasks replace old ones.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum Strategy {
        /// Task by task, in one target group.
        #[default]
        Rolling = "ROLLING",
        /// All traffic at once, to tasks in another target group.
        BlueGreen = "BLUE_GREEN",
        /// The same part of the traffic again and again.
        Linear = "LINEAR",
        /// First a small part of the traffic, then all of it.
        Canary = "CANARY",
    }
}

words! {
    /// A stage of a deployment that moves traffic.
    #[serde(rename_all = "snake_case")]
    pub enum Stage {
        /// Another deployment is still under way.
        ReconcileService = "RECONCILE_SERVICE",
        /// Before the new tasks start.
        PreScaleUp = "PRE_SCALE_UP",
        /// The new tasks run, without traffic.
        PostScaleUp = "POST_SCALE_UP",
        /// Test traffic moves.
        TestTrafficShift = "TEST_TRAFFIC_SHIFT",
        /// Test traffic has moved.
        PostTestTrafficShift = "POST_TEST_TRAFFIC_SHIFT",
        /// Before each step of the traffic.
        PreProductionTrafficShift = "PRE_PRODUCTION_TRAFFIC_SHIFT",
        /// At each step of the traffic.
        ProductionTrafficShift = "PRODUCTION_TRAFFIC_SHIFT",
        /// All traffic has moved.
        PostProductionTrafficShift = "POST_PRODUCTION_TRAFFIC_SHIFT",
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
