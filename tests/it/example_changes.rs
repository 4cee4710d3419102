//! Changes of the example configs, and the resources that each one updates.

/// An example and a change of it.
pub struct Example {
    pub name: &'static str,
    pub envs: &'static [&'static str],
    /// An overlay that changes every kind of setting that AWS can change in place.
    pub change: &'static str,
    /// The resources that it updates.
    pub updates: &'static [&'static str],
}

pub const COST: Example = Example {
    name: "cost-optimised",
    envs: &["dev", "prod", "pr7255"],
    change: r#"
        [functions.processor]
        memory = 2048
        timeout = 20
        reserved_concurrency = 90
        log_retention_days = 14
        [functions.validator.environment]
        CORS_ORIGIN = "https://shop.example.com"
        [events.daily-cost]
        schedule = "rate(2 days)"
        [tables.users]
        ttl = "expires_at"
        [buckets.logs]
        glacier_after_days = 60
        [topics.cost]
        display_name = "Reports"
        [apis.payments.log]
        level = "error"
        [clusters.main]
        insights = true
        [services.payment]
        cpu = 512
        memory = 1024
        desired = 3
        scaling = { min = 3, max = 12, cpu = 60, memory = 75 }
        [target_groups.payment.health]
        interval = 20
        [load_balancers.main]
        idle_timeout = 90
    "#,
    updates: &[
        "apigateway.stage/payments",
        "dynamodb.table/users",
        "ecs.cluster/main",
        "ecs.service/payment",
        "ecs.task_definition/payment",
        "elb.load_balancer/main",
        "elb.target_group/payment",
        "events.rule/daily-cost",
        "lambda.function/processor",
        "lambda.function/validator",
        "logs.log_group/function-processor",
        "s3.bucket/logs",
        "scaling.target/payment",
        "sns.topic/cost",
    ],
};

pub const SECURED: Example = Example {
    name: "serverless-secured",
    envs: &["dev", "staging", "prod", "pr7255", "pr-7255"],
    change: r#"
        [alarms.payment-errors]
        above = 7
        [alarms.table-throttles]
        above = 8
        [fleets.workers]
        instance_type = "t4g.small"
        min = 3
        max = 12
        desired = 4
        scaling = { cpu = 60 }
        [firewalls.main]
        rate_limit = 700
        [functions.event-handler]
        memory = 768
        timeout = 90
        triggers = [{ queue = "payments", batch_size = 5, report_failures = true }]
        [queues.payments]
        visibility_timeout = 800
        dead_letter = { max_receives = 4 }
        [events.security-findings]
        pattern = { source = ["aws.guardduty"] }
        [secrets.database]
        description = "Credentials"
        [apis.payments.routes."POST /payments"]
        timeout_ms = 20_000
        [dashboards.cost]
        widgets = [{ text = "What it costs" }]
    "#,
    updates: &[
        "apigateway.rest_api/payments",
        "apigateway.stage/payments",
        "autoscaling.group/workers",
        "cloudwatch.alarm/payment-errors",
        "cloudwatch.alarm/table-throttles",
        "cloudwatch.dashboard/cost",
        "ec2.launch_template/workers",
        "events.rule/security-findings",
        "lambda.event_source/event-handler-payments",
        "lambda.function/event-handler",
        "secretsmanager.secret/database",
        "sqs.queue/payments",
        "waf.web_acl/main",
    ],
};

pub const MIGRATION: Example = Example {
    name: "migration",
    envs: &["dev", "prod", "pr7255", "pr-7255"],
    change: r#"
        [alarms.api-latency]
        above = 300
        periods = 3
        datapoints = 3
        [databases.customer]
        serverless = { max = 4 }
        backup_days = 7
        insights_days = 31
        [secrets.database.rotation]
        days = 60
        [functions.validation]
        memory = 1024
        [buckets.audit.lifecycle.archive-old-logs]
        transitions = { GLACIER = 60 }
        [topics.alerts]
        display_name = "Alerts"
        [keys.main]
        description = "The key"
        [tables.transactions]
        point_in_time_recovery = false
        [apis.payments]
        description = "Payments"
        [apis.payments.log]
        data_trace = false
        [roles.functions]
        description = "Functions"
        [security_groups.functions]
        egress = [{ port = 443, to = "0.0.0.0/0" }]
    "#,
    updates: &[
        "apigateway.rest_api/payments",
        "apigateway.stage/payments",
        "cloudwatch.alarm/api-latency",
        "dynamodb.table/transactions",
        "ec2.security_group_rules/functions",
        "iam.role/functions",
        "kms.key/main",
        "lambda.function/validation",
        "rds.cluster/customer",
        "rds.instance/customer-1",
        "rds.instance/customer-2",
        "s3.bucket/audit",
        "secretsmanager.rotation/database",
        "sns.topic/alerts",
    ],
};

/// The weights of the listener belong to the shift, so another value in the config changes nothing.
pub const BLUE_GREEN: Example = Example {
    name: "migration-blue-green",
    envs: &["dev", "prod"],
    change: r#"
        [functions.processing]
        memory = 1024
        [load_balancers.main]
        listeners = [{ port = 80, forward = { blue = 75, green = 25 } }]
        [target_groups.green.health]
        healthy = 3
        [apis.payments.routes."POST /process"]
        timeout_ms = 20_000
    "#,
    updates: &[
        "apigateway.rest_api/payments",
        "apigateway.stage/payments",
        "elb.target_group/green",
        "lambda.alias/processing-green",
        "lambda.function/processing",
    ],
};

pub const CONTAINERS: Example = Example {
    name: "container-api",
    envs: &["dev", "prod", "pr7255", "pr-7255"],
    change: r#"
        [services.payment]
        image = "public.ecr.aws/nginx/nginx:1.27"
        desired = 3
        scaling = { min = 3, max = 20 }
        log_retention_days = 30
        [databases.payment]
        instances = [{ class = "db.t3.large", tier = 0 }, { class = "db.t3.large", tier = 1 }]
        [target_groups.payment.health]
        path = "/"
        [firewalls.main]
        rate_limit = 3000
        [alarms.api-errors]
        at_least = 10
        [clusters.main]
        insights = false
        [dashboards.payments]
        widgets = [{ text = "Soon" }]
    "#,
    updates: &[
        "cloudwatch.alarm/api-errors",
        "cloudwatch.dashboard/payments",
        "ecs.cluster/main",
        "ecs.service/payment",
        "ecs.task_definition/payment",
        "elb.target_group/payment",
        "logs.log_group/service-payment",
        "rds.instance/payment-1",
        "rds.instance/payment-2",
        "scaling.target/payment",
        "waf.web_acl/main",
    ],
};
