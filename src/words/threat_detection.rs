//! The words of `[threat_detection]`.

words! {
    /// How often GuardDuty publishes updates of findings.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum FindingFrequency {
        /// Every fifteen minutes.
        #[default]
        FifteenMinutes = "FIFTEEN_MINUTES",
        /// Every hour.
        OneHour = "ONE_HOUR",
        /// Every six hours.
        SixHours = "SIX_HOURS",
    }
}

words! {
    /// The protection plans of GuardDuty, which cost extra.
    #[serde(rename_all = "snake_case")]
    pub enum ThreatFeature {
        /// Reads and writes of S3 objects.
        S3DataEvents = "S3_DATA_EVENTS",
        /// The network traffic of functions.
        LambdaNetworkLogs = "LAMBDA_NETWORK_LOGS",
        /// Logins to Aurora.
        RdsLoginEvents = "RDS_LOGIN_EVENTS",
        /// The disks of suspicious instances.
        EbsMalwareProtection = "EBS_MALWARE_PROTECTION",
        /// The audit logs of EKS.
        EksAuditLogs = "EKS_AUDIT_LOGS",
        /// Processes in instances and containers.
        RuntimeMonitoring = "RUNTIME_MONITORING",
        /// The use of AI models and agents in Bedrock and SageMaker. Not in every region.
        AiProtection = "AI_PROTECTION",
        /// Analysis of findings by an AI model. Not in every region.
        AiAnalyst = "AI_ANALYST",
    }
}
