//! Conversions between the spec of a cluster and RDS's types.

use std::collections::BTreeSet;

use aws_sdk_rds::operation::modify_db_cluster::builders::ModifyDBClusterFluentBuilder;
use aws_sdk_rds::types::{
    CloudwatchLogsExportConfiguration, ClusterPendingModifiedValues, DbCluster,
    ServerlessV2ScalingConfiguration,
};

use super::{Cluster, Serverless, TAG_SNAPSHOT, days, major, restore};
use crate::aws::clients::Aws;
use crate::aws::kinds::rds::common;
use payctl_engine::model::live::{Live, Phase};
use payctl_engine::model::meta::is_reached;
use payctl_engine::model::text::{Output, Outputs, Text};

impl Serverless {
    pub(super) fn to_sdk(self) -> ServerlessV2ScalingConfiguration {
        let Self { min, max, pause_after } = self;
        let scaling = ServerlessV2ScalingConfiguration::builder().min_capacity(min);
        scaling.max_capacity(max).set_seconds_until_auto_pause(pause_after.map(days)).build()
    }
}

impl Cluster {
    /// The call that changes the differences, if `ModifyDBCluster` can.
    pub(super) fn modification(
        &self,
        aws: &Aws,
        was: &Self,
    ) -> Option<ModifyDBClusterFluentBuilder> {
        // An optional setting that the spec does not have is unmanaged.
        let differs =
            |want: &Option<String>, live: &Option<String>| want.clone().filter(|_| want != live);
        let mut call = aws.rds.modify_db_cluster();
        if !is_reached(&self.engine_version, &was.engine_version) {
            let leap = major(&self.engine_version) != major(&was.engine_version);
            call = call.engine_version(&self.engine_version);
            call = call.set_allow_major_version_upgrade(leap.then_some(true));
        }
        if self.parameter_group != was.parameter_group {
            call = call.db_cluster_parameter_group_name(self.parameter_group.known());
        }
        if self.port != was.port {
            call = call.port(self.port.into());
        }
        if self.security_groups != was.security_groups {
            call = call.set_vpc_security_group_ids(Some(self.group_ids()));
        }
        if self.serverless.is_some() && self.serverless != was.serverless {
            let scaling = self.serverless.map(Serverless::to_sdk);
            call = call.set_serverless_v2_scaling_configuration(scaling);
        }
        if self.backup_days != was.backup_days {
            call = call.backup_retention_period(days(self.backup_days));
        }
        call = call.set_preferred_backup_window(differs(&self.backup_window, &was.backup_window));
        let window = differs(&self.maintenance_window, &was.maintenance_window);
        call = call.set_preferred_maintenance_window(window);
        if self.deletion_protection != was.deletion_protection {
            call = call.deletion_protection(self.deletion_protection);
        }
        if self.copy_tags_to_snapshots != was.copy_tags_to_snapshots {
            call = call.copy_tags_to_snapshot(self.copy_tags_to_snapshots);
        }
        if self.log_exports != was.log_exports {
            let (more, less) =
                (&self.log_exports - &was.log_exports, &was.log_exports - &self.log_exports);
            let list = |names: BTreeSet<String>| {
                Some(names.into_iter().collect::<Vec<_>>()).filter(|names| !names.is_empty())
            };
            let exports = CloudwatchLogsExportConfiguration::builder();
            let exports =
                exports.set_enable_log_types(list(more)).set_disable_log_types(list(less));
            call = call.cloudwatch_logs_export_configuration(exports.build());
        }
        if self.iam_authentication != was.iam_authentication {
            call = call.enable_iam_database_authentication(self.iam_authentication);
        }
        let untouched = aws.rds.modify_db_cluster();
        (call.as_input() != untouched.as_input()).then_some(call)
    }
}

/// A cluster as RDS describes it. What is pending counts as done: it was asked for, and AWS is
/// about to do it.
pub(super) fn to_live(cluster: DbCluster) -> Live<Cluster> {
    let pending = cluster
        .pending_modified_values
        .unwrap_or_else(|| ClusterPendingModifiedValues::builder().build());
    let mut exports: BTreeSet<String> =
        cluster.enabled_cloudwatch_logs_exports.unwrap_or_default().into_iter().collect();
    if let Some(later) = pending.pending_cloudwatch_logs_exports {
        // The documentation and the names contradict each other, so payctl does not rely on them:
        // each pending log changes between on and off.
        let enabled = later.log_types_to_enable.unwrap_or_default().into_iter();
        for name in enabled.chain(later.log_types_to_disable.unwrap_or_default()) {
            if !exports.remove(&name) {
                exports.insert(name);
            }
        }
    }
    let mut tags = common::from_tags(cluster.tag_list);
    // A user who removes the tag does not want to lose the data.
    let snapshot = tags.remove(TAG_SNAPSHOT).is_none_or(|wanted| wanted != "false");
    let (source, own_password) = restore::told(&mut tags);
    let text = |text: Option<String>| text.unwrap_or_default();
    let (id, arn) = (text(cluster.db_cluster_identifier), text(cluster.db_cluster_arn));
    let port = cluster.port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
    let groups = cluster.vpc_security_groups.unwrap_or_default().into_iter();
    let groups = groups.filter_map(|group| group.vpc_security_group_id.map(Text::from));
    let scaling = cluster.serverless_v2_scaling_configuration.map(|scaling| Serverless {
        min: scaling.min_capacity.unwrap_or_default(),
        max: scaling.max_capacity.unwrap_or_default(),
        // AWS names a default for clusters that never pause.
        pause_after: scaling
            .seconds_until_auto_pause
            .filter(|_| scaling.min_capacity == Some(0.0))
            .and_then(|seconds| u32::try_from(seconds).ok()),
    });
    let backup = pending.backup_retention_period.or(cluster.backup_retention_period);
    let mut outputs = Outputs::from([
        (Output::Arn, arn),
        (Output::Id, id.clone()),
        (Output::Port, port.to_string()),
    ]);
    let endpoints =
        [(Output::Endpoint, cluster.endpoint), (Output::ReaderEndpoint, cluster.reader_endpoint)];
    outputs.extend(endpoints.into_iter().filter_map(|(output, host)| Some((output, host?))));
    Live {
        id: id.clone(),
        phase: phase_of(&text(cluster.status)),
        outputs,
        tags,
        spec: Cluster {
            name: id,
            engine_version: text(pending.engine_version.or(cluster.engine_version)),
            database: cluster.database_name.filter(|name| !name.is_empty()),
            port,
            credentials: None,
            subnet_group: text(cluster.db_subnet_group).into(),
            security_groups: groups.collect(),
            parameter_group: text(cluster.db_cluster_parameter_group).into(),
            serverless: scaling,
            key: cluster.kms_key_id.map(Text::from),
            backup_days: backup.and_then(|days| u32::try_from(days).ok()).unwrap_or_default(),
            backup_window: cluster.preferred_backup_window,
            maintenance_window: cluster.preferred_maintenance_window,
            deletion_protection: cluster.deletion_protection.unwrap_or_default(),
            final_snapshot: snapshot,
            copy_tags_to_snapshots: cluster.copy_tags_to_snapshot.unwrap_or_default(),
            log_exports: exports,
            iam_authentication: pending
                .iam_database_authentication_enabled
                .or(cluster.iam_database_authentication_enabled)
                .unwrap_or_default(),
            data_api: cluster.http_endpoint_enabled.unwrap_or_default(),
            restore_from: source,
            own_password,
        },
    }
}

/// The phase of a cluster. It is usable while AWS takes backups. payctl leaves a cluster that a
/// user stopped as it is, until a change needs it.
fn phase_of(status: &str) -> Phase {
    match status {
        "available" | "backing-up" | "backtracking" | "stopped" => Phase::Ready,
        "deleting" => Phase::Deleting(status.to_owned()),
        "failed"
        | "cloning-failed"
        | "inaccessible-encryption-credentials"
        | "inaccessible-encryption-credentials-recoverable"
        | "migration-failed" => Phase::Failed(status.to_owned()),
        _ if status.starts_with("incompatible-") => Phase::Failed(status.to_owned()),
        _ => Phase::Pending(status.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::{ServerlessV2ScalingConfigurationInfo, Tag};

    use super::*;

    #[test]
    fn pending_changes_count_as_reached() {
        let pending = ClusterPendingModifiedValues::builder().engine_version("15.10");
        let pending = pending.backup_retention_period(7).iam_database_authentication_enabled(true);
        let cluster = DbCluster::builder().engine_version("15.8").backup_retention_period(1);
        let live = to_live(cluster.pending_modified_values(pending.build()).build());
        assert_eq!(live.spec.engine_version, "15.10");
        assert_eq!(live.spec.backup_days, 7);
        assert!(live.spec.iam_authentication);
    }

    #[test]
    fn a_cluster_that_never_pauses_has_no_pause_time() {
        let scaling = |min| {
            let scaling = ServerlessV2ScalingConfigurationInfo::builder().min_capacity(min);
            let scaling = scaling.max_capacity(2.0).seconds_until_auto_pause(300).build();
            let cluster = DbCluster::builder().serverless_v2_scaling_configuration(scaling);
            to_live(cluster.build()).spec.serverless.unwrap().pause_after
        };
        assert_eq!((scaling(0.0), scaling(0.5)), (Some(300), None));
    }

    #[test]
    fn a_final_snapshot_is_taken_unless_a_tag_says_no() {
        let wanted = |tag: Option<Tag>| {
            let cluster = DbCluster::builder().set_tag_list(tag.map(|tag| vec![tag]));
            let live = to_live(cluster.build());
            assert!(live.tags.is_empty());
            live.spec.final_snapshot
        };
        let tag = |value: &str| Some(Tag::builder().key(TAG_SNAPSHOT).value(value).build());
        assert!(wanted(None) && wanted(tag("true")) && !wanted(tag("false")));
    }

    #[test]
    fn a_status_says_whether_a_cluster_can_be_used() {
        assert_eq!(phase_of("available"), Phase::Ready);
        assert_eq!(phase_of("upgrading"), Phase::Pending("upgrading".into()));
        assert!(matches!(phase_of("incompatible-network"), Phase::Failed(_)));
        assert!(matches!(phase_of("deleting"), Phase::Deleting(_)));
    }
}
