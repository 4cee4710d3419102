//! Tables that are restored from a backup or from another table's history.

use aws_sdk_dynamodb::types::RestoreSummary;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::Value;

use super::{Encryption, Source, Table, arn_of, to_tag};
use crate::aws::error::op;
use crate::aws::resource::Cx;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Live, Owner};
use payctl_engine::model::meta::LATEST;

impl Table {
    /// Starts a restore. The call sets only the encryption of the new table, so that no item is
    /// ever written under another key. Indexes and billing come from the source; updates change
    /// what differs once the items are there.
    pub(super) async fn restore(&self, cx: &Cx<'_>, source: &Source) -> Result<(), OpError> {
        let sse = (self.encryption != Encryption::Owned).then(|| self.encryption.to_sse());
        match source {
            Source::Backup { backup } => {
                cx.aws
                    .dynamodb
                    .restore_table_from_backup()
                    .backup_arn(backup)
                    .target_table_name(&self.name)
                    .set_sse_specification_override(sse)
                    .send()
                    .await
                    .map_err(op("RestoreTableFromBackup"))?;
            }
            Source::Time { table, at } => {
                let time = time_of(at)?;
                cx.aws
                    .dynamodb
                    .restore_table_to_point_in_time()
                    .source_table_name(table)
                    .target_table_name(&self.name)
                    .set_use_latest_restorable_time(time.is_none().then_some(true))
                    .set_restore_date_time(time)
                    .set_sse_specification_override(sse)
                    .send()
                    .await
                    .map_err(op("RestoreTableToPointInTime"))?;
            }
        }
        // A restore does not take tags. AWS may refuse them while it restores the table; then
        // payctl sets them afterwards. A missing permission shows now, and not after hours.
        let tags = cx.tags.iter().map(to_tag).collect();
        let call = cx.aws.dynamodb.tag_resource().resource_arn(arn_of(cx.aws, &self.name));
        match call.set_tags(Some(tags)).send().await.map_err(op("TagResource")) {
            Err(error) if error.class == ErrorClass::Denied => Err(error),
            _ => Ok(()),
        }
    }
}

/// A time of the config, which has been checked; `None` is the latest possible.
fn time_of(at: &str) -> Result<Option<DateTime>, OpError> {
    if at == LATEST {
        return Ok(None);
    }
    DateTime::from_str(at, Format::DateTime).map(Some).map_err(|error| {
        let message = format!("`{at}` is not a time: {error}");
        OpError::new("RestoreTableToPointInTime", ErrorClass::Bug, "NoTime", message)
    })
}

/// The source of a table, from AWS's description.
pub(super) fn source(summary: Option<&RestoreSummary>) -> Option<Source> {
    let summary = summary?;
    if let Some(backup) = summary.source_backup_arn() {
        return Some(Source::Backup { backup: backup.to_owned() });
    }
    let (_, table) = summary.source_table_arn()?.rsplit_once(":table/")?;
    let whole = DateTime::from_secs(summary.restore_date_time().secs());
    let at = whole.fmt(Format::DateTime).ok()?;
    Some(Source::Time { table: table.to_owned(), at })
}

/// The owner of a table. This environment may own a restored table without tags, since a restore
/// cannot set tags: the source decides.
pub(super) fn owner(owner: Owner, live: &Live<Table>) -> Owner {
    match owner {
        Owner::Foreign(_) if live.tags.is_empty() && live.spec.restore_from.is_some() => {
            Owner::Nobody
        }
        owner => owner,
    }
}

/// The part of a deleted table that can be recovered.
pub(super) fn regain(live: &Value) -> Option<String> {
    (live["point_in_time_recovery"] == true).then(|| {
        "AWS keeps the last state of the items in a backup for 35 days; set `restore_from` to its \
         ARN"
        .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(backup: Option<&str>, seconds: f64) -> RestoreSummary {
        RestoreSummary::builder()
            .set_source_backup_arn(backup.map(str::to_owned))
            .source_table_arn("arn:aws:dynamodb:us-east-1:000000000000:table/orders")
            .restore_date_time(DateTime::from_secs_f64(seconds))
            .restore_in_progress(true)
            .build()
            .unwrap()
    }

    #[test]
    fn a_table_reports_its_source() {
        assert_eq!(source(None), None);
        let at = source(Some(&summary(None, 1_700_000_000.25)));
        let time = Source::Time { table: "orders".into(), at: "2023-11-14T22:13:20Z".into() };
        assert_eq!(at, Some(time));
        let from = source(Some(&summary(Some("arn:backup"), 0.0)));
        assert_eq!(from, Some(Source::Backup { backup: "arn:backup".into() }));
    }

    #[test]
    fn a_source_reads_as_it_is_written() {
        for source in [
            Source::Backup { backup: "b".into() },
            Source::Time { table: "t".into(), at: LATEST.into() },
        ] {
            let text = serde_json::to_value(&source).unwrap();
            assert_eq!(serde_json::from_value::<Source>(text).unwrap(), source);
        }
    }
}
