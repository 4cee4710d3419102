//! Checks that AWS offers the database versions of a plan.

use std::collections::BTreeSet;

use super::error::{CliError, ErrorKind};
use crate::aws::clients::Aws;
use crate::aws::versions::{is_offered, offered};
use payctl_engine::model::meta::is_reached;
use payctl_engine::plan::{Change, Plan};

const CLUSTER: &str = "rds.cluster";

/// Refuses a plan that would fail in the middle. It makes no call if the plan does not create or
/// upgrade a cluster.
pub(super) async fn check(aws: &Aws, plan: &Plan) -> Result<(), CliError> {
    let rising: Vec<(&Change, &str)> = plan.changes.iter().filter_map(rise).collect();
    if rising.is_empty() {
        return Ok(());
    }
    let asked = offered(aws).await;
    let asked = asked
        .map_err(|error| CliError::cloud("list the database versions that AWS offers", &error));
    let Some(offered) = asked? else { return Ok(()) };
    let refused: Vec<_> =
        rising.into_iter().filter(|(_, version)| !is_offered(version, &offered)).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let versions: BTreeSet<&str> = refused.iter().map(|(_, version)| *version).collect();
    let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
    let who = refused
        .iter()
        .map(|(change, version)| format!("{} {version} ({})\n", change.address, change.origin));
    let title = format!("AWS does not offer Aurora PostgreSQL {versions}");
    Err(CliError::new(ErrorKind::User, title)
        .because(format!("{}it offers {}", who.collect::<String>(), offered.join(", ")))
        .hinted("set `engine_version` to one of these; AWS retires old versions"))
}

/// The version of a cluster that a change creates or upgrades.
fn rise(change: &Change) -> Option<(&Change, &str)> {
    let want = change.want.as_ref().filter(|_| change.address.kind == CLUSTER)?;
    let want = want.spec["engine_version"].as_str()?;
    let live = change.live.as_ref().and_then(|live| live.spec["engine_version"].as_str());
    (!live.is_some_and(|live| is_reached(want, live))).then_some((change, want))
}
