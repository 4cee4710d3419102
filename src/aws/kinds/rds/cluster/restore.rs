//! Clusters that are restored from a snapshot or from another cluster's history.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::Value;

use super::{Cluster, Credentials, ENGINE, Serverless, Source};
use crate::aws::clients::Aws;
use crate::aws::error::op;
use crate::aws::kinds::rds::common;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Tags;
use payctl_engine::model::meta::LATEST;

/// The tag with the source of a cluster, which AWS does not store.
const TAG_SOURCE: &str = "payctl:restored-from";
/// The tag of a cluster whose password is still that of its source.
const TAG_PASSWORD: &str = "payctl:password";
/// The longest value of a tag.
const TAG_LIMIT: usize = 256;

impl Source {
    /// As a tag keeps it. Neither names nor ARNs have an `@`.
    fn to_tag(&self) -> String {
        let text = match self {
            Self::Snapshot { snapshot } => snapshot.clone(),
            Self::Time { cluster, at } => format!("{cluster}@{at}"),
        };
        text.chars().take(TAG_LIMIT).collect()
    }

    fn from_tag(text: String) -> Self {
        match text.split_once('@') {
            Some((cluster, at)) => Self::Time { cluster: cluster.to_owned(), at: at.to_owned() },
            None => Self::Snapshot { snapshot: text },
        }
    }
}

/// The facts about a restore, removed from the tags: the source, and whether the password is the
/// cluster's own.
pub(super) fn told(tags: &mut Tags) -> (Option<Source>, bool) {
    let source = tags.remove(TAG_SOURCE).map(Source::from_tag);
    (source, tags.remove(TAG_PASSWORD).is_none())
}

impl Cluster {
    /// Starts a restore. The tags go into the call, so that a lost reply loses nothing.
    pub(super) async fn restore(
        &self,
        aws: &Aws,
        source: &Source,
        mut tags: Tags,
    ) -> Result<String, OpError> {
        tags.insert(TAG_SOURCE.into(), source.to_tag());
        tags.insert(TAG_PASSWORD.into(), "of the source".into());
        let key = self.key.as_ref().map(|key| key.known().to_owned());
        let scaling = self.serverless.map(Serverless::to_sdk);
        let made = match source {
            Source::Snapshot { snapshot } => {
                aws.rds
                    .restore_db_cluster_from_snapshot()
                    .db_cluster_identifier(&self.name)
                    .snapshot_identifier(snapshot)
                    .engine(ENGINE)
                    .engine_version(&self.engine_version)
                    .set_database_name(self.database.clone())
                    .port(self.port.into())
                    .db_subnet_group_name(self.subnet_group.known())
                    .set_vpc_security_group_ids(Some(self.group_ids()))
                    .db_cluster_parameter_group_name(self.parameter_group.known())
                    .set_serverless_v2_scaling_configuration(scaling)
                    .set_kms_key_id(key)
                    .deletion_protection(self.deletion_protection)
                    .copy_tags_to_snapshot(self.copy_tags_to_snapshots)
                    .set_enable_cloudwatch_logs_exports(self.exports())
                    .enable_iam_database_authentication(self.iam_authentication)
                    .set_tags(Some(common::to_tags(&tags)))
                    .send()
                    .await
                    .map_err(op("RestoreDBClusterFromSnapshot"))?
                    .db_cluster
            }
            Source::Time { cluster, at } => {
                let time = time_of(at)?;
                aws.rds
                    .restore_db_cluster_to_point_in_time()
                    .db_cluster_identifier(&self.name)
                    .source_db_cluster_identifier(cluster)
                    .set_use_latest_restorable_time(time.is_none().then_some(true))
                    .set_restore_to_time(time)
                    .port(self.port.into())
                    .db_subnet_group_name(self.subnet_group.known())
                    .set_vpc_security_group_ids(Some(self.group_ids()))
                    .db_cluster_parameter_group_name(self.parameter_group.known())
                    .set_serverless_v2_scaling_configuration(scaling)
                    .set_kms_key_id(key)
                    .deletion_protection(self.deletion_protection)
                    .copy_tags_to_snapshot(self.copy_tags_to_snapshots)
                    .set_enable_cloudwatch_logs_exports(self.exports())
                    .enable_iam_database_authentication(self.iam_authentication)
                    .set_tags(Some(common::to_tags(&tags)))
                    .send()
                    .await
                    .map_err(op("RestoreDBClusterToPointInTime"))?
                    .db_cluster
            }
        };
        let made = made.and_then(|cluster| cluster.db_cluster_identifier);
        made.ok_or_else(|| common::no_answer("RestoreDBCluster"))
    }

    /// Gives a restored cluster the password of its secret. The tag is removed last: a run that was
    /// stopped before sets the password again.
    pub(super) async fn take_password(
        &self,
        aws: &Aws,
        id: &str,
        arn: &str,
    ) -> Result<(), OpError> {
        let Credentials { password, .. } = self.credentials(aws).await?;
        let call = aws.rds.modify_db_cluster().db_cluster_identifier(id);
        let send = call.master_user_password(password).apply_immediately(true).send();
        send.await.map_err(op("ModifyDBCluster"))?;
        common::remove_tags(aws, arn, &[TAG_PASSWORD.to_owned()]).await
    }
}

/// A time of the config, which has been checked; `None` is the latest possible.
fn time_of(at: &str) -> Result<Option<DateTime>, OpError> {
    if at == LATEST {
        return Ok(None);
    }
    DateTime::from_str(at, Format::DateTime).map(Some).map_err(|error| {
        let message = format!("`{at}` is not a time: {error}");
        OpError::new("RestoreDBClusterToPointInTime", ErrorClass::Bug, "NoTime", message)
    })
}

/// The part of a deleted cluster that can be recovered.
pub(super) fn regain(live: &Value) -> Option<String> {
    (live["final_snapshot"] == true).then(|| {
        "payctl takes a final snapshot, which stays; set `restore_from` to its name".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_stores_the_source_of_a_cluster() {
        let arn =
            "arn:aws:rds:us-east-1:000000000000:cluster-snapshot:rds:payments-2026-01-01-03-07";
        for source in [
            Source::Snapshot { snapshot: "payments-final-1700000000".into() },
            Source::Snapshot { snapshot: arn.into() },
            Source::Time { cluster: "payments".into(), at: LATEST.into() },
            Source::Time { cluster: "payments".into(), at: "2026-01-01T00:00:00Z".into() },
        ] {
            let mut tags = Tags::from([
                (TAG_SOURCE.to_owned(), source.to_tag()),
                (TAG_PASSWORD.to_owned(), "of the source".to_owned()),
                ("Team".to_owned(), "payments".to_owned()),
            ]);
            assert_eq!(told(&mut tags), (Some(source), false));
            assert_eq!(told(&mut tags), (None, true));
            assert_eq!(tags.len(), 1, "tags of others stay");
        }
    }

    #[test]
    fn a_source_reads_as_it_is_written() {
        for source in [
            Source::Snapshot { snapshot: "s".into() },
            Source::Time { cluster: "c".into(), at: LATEST.into() },
        ] {
            let text = serde_json::to_value(&source).unwrap();
            assert_eq!(serde_json::from_value::<Source>(text).unwrap(), source);
        }
    }
}
