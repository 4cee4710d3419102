//! The deletion of a cluster, with its final snapshot.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Cluster;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::Live;

/// Lifts the protection, and deletes.
pub(super) async fn remove(aws: &Aws, live: &Live<Cluster>) -> Result<(), OpError> {
    if live.spec.deletion_protection {
        let call = aws.rds.modify_db_cluster().db_cluster_identifier(&live.id);
        let send = call.deletion_protection(false).apply_immediately(true).send();
        send.await.map_err(op("ModifyDBCluster"))?;
    }
    let snapshot = live.spec.final_snapshot.then(|| snapshot_name(&live.id, SystemTime::now()));
    aws.rds
        .delete_db_cluster()
        .db_cluster_identifier(&live.id)
        .set_skip_final_snapshot(snapshot.is_none().then_some(true))
        .set_final_db_snapshot_identifier(snapshot)
        .send()
        .await
        .map_err(op("DeleteDBCluster"))
        .or_gone()
        .map(drop)
}

/// The longest name of a snapshot.
const SNAPSHOT_LIMIT: usize = 63;

/// A name that no earlier snapshot has.
fn snapshot_name(cluster: &str, now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let tail = format!("-final-{seconds}");
    let head: String = cluster.chars().take(SNAPSHOT_LIMIT - tail.len()).collect();
    format!("{}{tail}", head.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_snapshot_is_named_by_cluster_and_time() {
        let at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(snapshot_name("payments", at), "payments-final-1700000000");
        let long = snapshot_name(&"a".repeat(63), at);
        assert_eq!(long.len(), SNAPSHOT_LIMIT);
        assert!(long.ends_with("a-final-1700000000"));
    }
}
