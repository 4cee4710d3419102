//! The metrics of each section's items, and their dimensions.

use std::collections::BTreeMap;

use super::Loaded;
use super::key_path::KeyPath;
use super::schema::alarms::Alarm;
use super::schema::dashboards::Line;
use super::schema::metrics::Metric;
use super::schema::text::{MetricName, MetricNamespace, Statistic, Template, WatchedItem};
use payctl_engine::model::text::Output;

/// A section whose items have metrics.
#[derive(Debug)]
pub(crate) struct Watchable {
    /// The section.
    pub(crate) section: &'static str,
    /// The namespace of the metrics.
    pub(crate) namespace: &'static str,
    /// The dimensions, and the source of each value.
    pub(crate) dimensions: &'static [(&'static str, Means)],
    /// The metrics with their usual statistics.
    pub(crate) metrics: &'static [(&'static str, &'static str)],
}

/// The source of a dimension's value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Means {
    /// An output of the item's resource of this kind.
    Of(&'static str, Output),
    /// A constant.
    Always(&'static str),
    /// The region.
    Region,
    /// The storage class that the bucket metric counts, if it counts one.
    Storage,
    /// The cluster of a service.
    Cluster,
    /// The load balancer that forwards to a target group.
    LoadBalancer,
    /// The metric name of a web ACL.
    Measure,
}

/// The needs of a metric in addition to the dimensions of its item. Without them, it never has data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Needs {
    /// Nothing.
    Nothing,
    /// Another dimension, and its possible values.
    Dimension(&'static str, &'static str),
    /// The whole account instead of the item.
    Account,
}

/// The needs of a metric of a section.
pub(crate) fn needs(section: &str, metric: &str) -> Needs {
    match (section, metric) {
        (
            "tables",
            "ReturnedItemCount" | "SuccessfulRequestLatency" | "SystemErrors" | "ThrottledRequests",
        ) => Needs::Dimension("Operation", "an operation such as \"PutItem\""),
        ("tables", "UserErrors") => Needs::Account,
        ("buckets", metric) if storage(metric).is_none() && is_known("buckets", metric) => {
            Needs::Dimension(
                "FilterId",
                "the id of a metrics configuration that you created outside payctl",
            )
        }
        ("functions", "ProvisionedConcurrencyUtilization") => {
            Needs::Dimension("Resource", "an alias, \"NAME:live\"")
        }
        _ => Needs::Nothing,
    }
}

const SUM: &str = "sum";
const AVERAGE: &str = "average";
const MAXIMUM: &str = "maximum";
const MINIMUM: &str = "minimum";

/// The sections, in their order.
#[rustfmt::skip]
pub(crate) const WATCHABLE: &[Watchable] = &[
    Watchable {
        section: "apis", namespace: "AWS/ApiGateway",
        dimensions: &[("ApiName", Means::Of("apigateway.rest_api", Output::Name))],
        metrics: &[
            ("Count", SUM), ("4XXError", SUM), ("5XXError", SUM), ("Latency", AVERAGE),
            ("IntegrationLatency", AVERAGE), ("CacheHitCount", SUM), ("CacheMissCount", SUM),
        ],
    },
    Watchable {
        section: "buckets", namespace: "AWS/S3",
        dimensions: &[
            ("BucketName", Means::Of("s3.bucket", Output::Name)), ("StorageType", Means::Storage),
        ],
        metrics: &[
            ("BucketSizeBytes", AVERAGE), ("NumberOfObjects", AVERAGE), ("AllRequests", SUM),
            ("GetRequests", SUM), ("PutRequests", SUM), ("4xxErrors", SUM), ("5xxErrors", SUM),
            ("BytesDownloaded", SUM), ("BytesUploaded", SUM), ("FirstByteLatency", AVERAGE),
            ("TotalRequestLatency", AVERAGE),
        ],
    },
    // AWS/ECS measures only clusters of instances; Container Insights measures those on Fargate.
    Watchable {
        section: "clusters", namespace: "ECS/ContainerInsights",
        dimensions: &[("ClusterName", Means::Of("ecs.cluster", Output::Name))],
        metrics: &[
            ("CpuUtilized", AVERAGE), ("CpuReserved", AVERAGE), ("MemoryUtilized", AVERAGE),
            ("MemoryReserved", AVERAGE), ("ServiceCount", AVERAGE), ("TaskCount", AVERAGE),
            ("NetworkRxBytes", AVERAGE), ("NetworkTxBytes", AVERAGE),
            ("StorageReadBytes", AVERAGE), ("StorageWriteBytes", AVERAGE),
        ],
    },
    Watchable {
        section: "databases", namespace: "AWS/RDS",
        dimensions: &[("DBClusterIdentifier", Means::Of("rds.cluster", Output::Id))],
        metrics: &[
            ("CPUUtilization", AVERAGE), ("DatabaseConnections", AVERAGE),
            ("FreeableMemory", AVERAGE), ("FreeLocalStorage", AVERAGE),
            ("ServerlessDatabaseCapacity", AVERAGE), ("ACUUtilization", AVERAGE),
            ("VolumeBytesUsed", AVERAGE), ("VolumeReadIOPs", SUM), ("VolumeWriteIOPs", SUM),
            ("ReadLatency", AVERAGE), ("WriteLatency", AVERAGE), ("CommitLatency", AVERAGE),
            ("Deadlocks", SUM), ("AuroraReplicaLag", AVERAGE),
            ("BufferCacheHitRatio", AVERAGE), ("DiskQueueDepth", AVERAGE),
        ],
    },
    Watchable {
        section: "events", namespace: "AWS/Events",
        dimensions: &[("RuleName", Means::Of("events.rule", Output::Name))],
        metrics: &[
            ("Invocations", SUM), ("FailedInvocations", SUM), ("MatchedEvents", SUM),
            ("TriggeredRules", SUM), ("ThrottledRules", SUM),
            ("InvocationsSentToDlq", SUM), ("InvocationsFailedToBeSentToDlq", SUM),
        ],
    },
    Watchable {
        section: "firewalls", namespace: "AWS/WAFV2",
        dimensions: &[
            ("WebACL", Means::Measure), ("Region", Means::Region), ("Rule", Means::Always("ALL")),
        ],
        metrics: &[
            ("AllowedRequests", SUM), ("BlockedRequests", SUM), ("CountedRequests", SUM),
        ],
    },
    Watchable {
        section: "fleets", namespace: "AWS/EC2",
        dimensions: &[("AutoScalingGroupName", Means::Of("autoscaling.group", Output::Name))],
        metrics: &[
            ("CPUUtilization", AVERAGE), ("NetworkIn", SUM), ("NetworkOut", SUM),
            ("CPUCreditBalance", MINIMUM), ("StatusCheckFailed", MAXIMUM),
        ],
    },
    Watchable {
        section: "functions", namespace: "AWS/Lambda",
        dimensions: &[("FunctionName", Means::Of("lambda.function", Output::Name))],
        metrics: &[
            ("Invocations", SUM), ("Errors", SUM), ("Throttles", SUM), ("Duration", AVERAGE),
            ("ConcurrentExecutions", MAXIMUM), ("DeadLetterErrors", SUM), ("IteratorAge", MAXIMUM),
            ("AsyncEventsDropped", SUM), ("AsyncEventAge", MAXIMUM), ("AsyncEventsReceived", SUM),
            ("DestinationDeliveryFailures", SUM), ("ProvisionedConcurrencyUtilization", MAXIMUM),
        ],
    },
    Watchable {
        section: "load_balancers", namespace: "AWS/ApplicationELB",
        dimensions: &[("LoadBalancer", Means::Of("elb.load_balancer", Output::Metric))],
        metrics: &[
            ("RequestCount", SUM), ("TargetResponseTime", AVERAGE),
            ("HTTPCode_Target_2XX_Count", SUM), ("HTTPCode_Target_3XX_Count", SUM),
            ("HTTPCode_Target_4XX_Count", SUM), ("HTTPCode_Target_5XX_Count", SUM),
            ("HTTPCode_ELB_4XX_Count", SUM), ("HTTPCode_ELB_5XX_Count", SUM),
            ("ActiveConnectionCount", SUM), ("NewConnectionCount", SUM),
            ("RejectedConnectionCount", SUM), ("TargetConnectionErrorCount", SUM),
            ("ProcessedBytes", SUM), ("ConsumedLCUs", SUM),
        ],
    },
    Watchable {
        section: "queues", namespace: "AWS/SQS",
        dimensions: &[("QueueName", Means::Of("sqs.queue", Output::Name))],
        metrics: &[
            ("ApproximateNumberOfMessagesVisible", MAXIMUM),
            ("ApproximateNumberOfMessagesNotVisible", MAXIMUM),
            ("ApproximateNumberOfMessagesDelayed", MAXIMUM),
            ("ApproximateAgeOfOldestMessage", MAXIMUM), ("NumberOfMessagesSent", SUM),
            ("NumberOfMessagesReceived", SUM), ("NumberOfMessagesDeleted", SUM),
            ("NumberOfEmptyReceives", SUM), ("SentMessageSize", AVERAGE),
        ],
    },
    Watchable {
        section: "services", namespace: "AWS/ECS",
        dimensions: &[
            ("ClusterName", Means::Cluster),
            ("ServiceName", Means::Of("ecs.service", Output::Name)),
        ],
        metrics: &[("CPUUtilization", AVERAGE), ("MemoryUtilization", AVERAGE)],
    },
    Watchable {
        section: "tables", namespace: "AWS/DynamoDB",
        dimensions: &[("TableName", Means::Of("dynamodb.table", Output::Name))],
        metrics: &[
            ("ConsumedReadCapacityUnits", SUM), ("ConsumedWriteCapacityUnits", SUM),
            ("ReadThrottleEvents", SUM), ("WriteThrottleEvents", SUM), ("ThrottledRequests", SUM),
            ("UserErrors", SUM), ("SystemErrors", SUM), ("ConditionalCheckFailedRequests", SUM),
            ("SuccessfulRequestLatency", AVERAGE), ("ReturnedItemCount", SUM),
            ("ProvisionedReadCapacityUnits", AVERAGE), ("ProvisionedWriteCapacityUnits", AVERAGE),
            ("TransactionConflict", SUM), ("TimeToLiveDeletedItemCount", SUM),
        ],
    },
    Watchable {
        section: "target_groups", namespace: "AWS/ApplicationELB",
        dimensions: &[
            ("LoadBalancer", Means::LoadBalancer),
            ("TargetGroup", Means::Of("elb.target_group", Output::Metric)),
        ],
        metrics: &[
            ("HealthyHostCount", MINIMUM), ("UnHealthyHostCount", MAXIMUM), ("RequestCount", SUM),
            ("RequestCountPerTarget", SUM), ("TargetResponseTime", AVERAGE),
            ("HTTPCode_Target_2XX_Count", SUM), ("HTTPCode_Target_3XX_Count", SUM),
            ("HTTPCode_Target_4XX_Count", SUM), ("HTTPCode_Target_5XX_Count", SUM),
            ("TargetConnectionErrorCount", SUM),
        ],
    },
    Watchable {
        section: "topics", namespace: "AWS/SNS",
        dimensions: &[("TopicName", Means::Of("sns.topic", Output::Name))],
        metrics: &[
            ("NumberOfMessagesPublished", SUM), ("NumberOfNotificationsDelivered", SUM),
            ("NumberOfNotificationsFailed", SUM), ("NumberOfNotificationsFilteredOut", SUM),
            ("PublishSize", AVERAGE),
        ],
    },
];

/// The sections of load balancing, for load balancers of type `network`.
#[rustfmt::skip]
const OF_NETWORK: &[Watchable] = &[
    Watchable {
        section: "load_balancers", namespace: "AWS/NetworkELB",
        dimensions: &[("LoadBalancer", Means::Of("elb.load_balancer", Output::Metric))],
        metrics: &[
            ("ActiveFlowCount", AVERAGE), ("NewFlowCount", SUM), ("RejectedFlowCount", SUM),
            ("ProcessedBytes", SUM), ("ProcessedPackets", SUM), ("ConsumedLCUs", SUM),
            ("TCP_Client_Reset_Count", SUM), ("TCP_ELB_Reset_Count", SUM),
            ("TCP_Target_Reset_Count", SUM), ("ClientTLSNegotiationErrorCount", SUM),
            ("TargetTLSNegotiationErrorCount", SUM), ("PortAllocationErrorCount", SUM),
            ("UnhealthyRoutingFlowCount", SUM),
        ],
    },
    Watchable {
        section: "target_groups", namespace: "AWS/NetworkELB",
        dimensions: &[
            ("LoadBalancer", Means::LoadBalancer),
            ("TargetGroup", Means::Of("elb.target_group", Output::Metric)),
        ],
        metrics: &[("HealthyHostCount", MINIMUM), ("UnHealthyHostCount", MAXIMUM)],
    },
];

/// The section of metric filters: each names its metric itself.
pub(crate) const FILTERS: &str = "metric_filters";

/// The metrics of an item of a section.
pub(crate) fn watchable(loaded: &Loaded, section: &str, item: &str) -> Option<&'static Watchable> {
    let balancer = match section {
        "load_balancers" => Some(item),
        "target_groups" => balancer_of(loaded, item),
        _ => None,
    };
    let kind = balancer
        .and_then(|name| loaded.string(&KeyPath::of("load_balancers").key(name).key("type")));
    let rows = if kind == Some("network") { OF_NETWORK } else { WATCHABLE };
    rows.iter().find(|found| found.section == section)
}

/// Whether the items of a section have a metric of this name, in whichever of its namespaces.
pub(crate) fn is_known(section: &str, metric: &str) -> bool {
    let mut rows = WATCHABLE.iter().chain(OF_NETWORK).filter(|found| found.section == section);
    rows.any(|found| found.statistic(metric).is_some())
}

impl Watchable {
    /// The usual statistic of a metric.
    pub(crate) fn statistic(&self, metric: &str) -> Option<&'static str> {
        let found = self.metrics.iter().find(|(name, _)| *name == metric);
        found.map(|(_, statistic)| *statistic)
    }
}

/// Whether a metric of AWS is a percentage.
pub(crate) fn is_percentage(metric: &str) -> bool {
    ["ACUUtilization", "BufferCacheHitRatio", "CPUUtilization", "MemoryUtilization"]
        .contains(&metric)
}

/// The storage class that a bucket's metric counts.
pub(crate) fn storage(metric: &str) -> Option<&'static str> {
    match metric {
        "BucketSizeBytes" => Some("StandardStorage"),
        "NumberOfObjects" => Some("AllStorageTypes"),
        _ => None,
    }
}

/// The section, the item, and whether `watch` names its dead-letter queue.
pub(crate) fn parts(watch: &str) -> (&str, &str, bool) {
    let (watch, dead) = match watch.strip_suffix(".dead_letter") {
        Some(watch) => (watch, true),
        None => (watch, false),
    };
    let (section, item) = watch.split_once('.').unwrap_or((watch, ""));
    (section, item, dead)
}

/// The cluster of a service: the one that it names, or the only one.
pub(crate) fn cluster_of<'a>(loaded: &'a Loaded, service: &str) -> Option<&'a str> {
    loaded
        .string(&KeyPath::of("services").key(service).key("cluster"))
        .or_else(|| only(loaded, "clusters"))
}

/// The load balancer that forwards to a target group.
pub(crate) fn balancer_of<'a>(loaded: &'a Loaded, group: &str) -> Option<&'a str> {
    let mut balancers = loaded.names("load_balancers").into_iter();
    balancers.find(|name| {
        let listeners = KeyPath::of("load_balancers").key(name).key("listeners");
        let forwards = |path: &KeyPath| loaded.mentions(&path.key("forward"), group);
        (0..loaded.length(&listeners)).map(|at| listeners.item(at)).any(|listener| {
            let rules = loaded.keys(&listener.key("rules")).into_iter();
            forwards(&listener)
                || rules.map(|name| listener.key("rules").key(name)).any(|it| forwards(&it))
        })
    })
}

fn only<'a>(loaded: &'a Loaded, section: &str) -> Option<&'a str> {
    match loaded.names(section).as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// One metric, in any of its forms: of an alarm, a line, or a part of metric math.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The watched item.
    pub(crate) watch: Option<&'a WatchedItem>,
    /// The namespace.
    pub(crate) namespace: Option<&'a MetricNamespace>,
    /// The name.
    pub(crate) metric: Option<&'a MetricName>,
    /// The dimensions in the config.
    pub(crate) dimensions: &'a BTreeMap<String, Template>,
    /// The statistic.
    pub(crate) statistic: Option<&'a Statistic>,
}

macro_rules! source {
    ($($type:ident)*) => {
        $(
            impl<'a> From<&'a $type> for Source<'a> {
                fn from(typed: &'a $type) -> Self {
                    Self {
                        watch: typed.watch.as_ref(),
                        namespace: typed.namespace.as_ref(),
                        metric: typed.metric.as_ref(),
                        dimensions: &typed.dimensions,
                        statistic: typed.statistic.as_ref(),
                    }
                }
            }
        )*
    };
}

source! { Alarm Line Metric }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_may_name_a_dead_letter_queue() {
        assert_eq!(parts("queues.payments"), ("queues", "payments", false));
        assert_eq!(parts("queues.payments.dead_letter"), ("queues", "payments", true));
    }

    #[test]
    fn the_sections_are_in_order_and_their_metrics_are_named_once() {
        assert!(WATCHABLE.is_sorted_by_key(|found| found.section));
        for found in WATCHABLE {
            let names = found.metrics.iter().map(|(name, _)| *name);
            let names: std::collections::BTreeSet<&str> = names.collect();
            assert_eq!(names.len(), found.metrics.len(), "{}", found.section);
        }
    }
}
