//! The sources of restored tables, and the backups that AWS keeps of deleted tables.

use aws_sdk_dynamodb::types::{
    BackupStatus, BackupTypeFilter, KeySchemaElement, PointInTimeRecoveryStatus,
};

use futures::future::try_join_all;

use super::table::{Source, Table};
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::{Gone, op};
use crate::aws::preflight::{Check, Fate, Finding, Obstacle, Preflight, Subject, decode};
use crate::aws::resource::Resource as _;
use crate::aws::restores::{Keeper, Kept, Looked, answered, elsewhere, origin, text, within};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Live;

/// Checks the sources of new tables.
pub(super) const CHECK: Check = Check {
    subject: Subject::Sources,
    doing: "read the source of the restore",
    run: |cx| Box::pin(check(cx)),
};

async fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let made = cx.of(Table::META.kind).filter(|planned| planned.fate == Fate::Created);
    let made = made.filter_map(|planned| Some((planned, planned.want?)));
    let looks = made.map(|(planned, want)| async move {
        let looked = look(cx.aws, &decode(&want.spec)?).await?;
        Ok::<_, OpError>(looked.map(|looked| cx.source(planned, looked)))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

/// `None` if the table does not have a source, or the endpoint cannot tell.
async fn look(aws: &Aws, want: &Table) -> Result<Option<Looked>, OpError> {
    let asked = match &want.restore_from {
        Some(Source::Backup { backup }) => of_backup(aws, want, backup).await,
        Some(Source::Time { table, at }) => of_table_at(aws, want, table, at).await,
        None => return Ok(None),
    };
    answered(aws, asked)
}

/// Looks for the backups that AWS keeps of a deleted table.
pub(super) const KEEPER: Keeper =
    Keeper { kind: Table::META.kind, ask: |aws, address, live| Box::pin(kept(aws, address, live)) };

async fn kept(aws: &Aws, address: &Address, live: &Live) -> Result<Option<Kept>, OpError> {
    if live.spec["point_in_time_recovery"] != true {
        return Ok(None);
    }
    let known = backups(aws, &live.id, BackupTypeFilter::System).await?;
    Ok(Kept::newest(address, "backup", known))
}

async fn of_table_at(aws: &Aws, want: &Table, table: &str, at: &str) -> Result<Looked, OpError> {
    let ask = || async {
        let send = aws.dynamodb.describe_continuous_backups().table_name(table).send();
        send.await.map_err(op("DescribeContinuousBackups")).or_gone()
    };
    let Some(answer) = retry_read(ask).await? else {
        let why = format!("the table {table} does not exist in {}", aws.scope.region);
        return Ok(Err(Obstacle::new(why, backups_hint(aws, table).await?)));
    };
    let recovery = answer
        .continuous_backups_description
        .and_then(|found| found.point_in_time_recovery_description)
        .filter(|found| {
            found.point_in_time_recovery_status == Some(PointInTimeRecoveryStatus::Enabled)
        });
    let window = recovery.and_then(|found| {
        found.earliest_restorable_date_time.zip(found.latest_restorable_date_time)
    });
    let Some(window) = window else {
        let why = format!("{table} does not have point-in-time recovery");
        return Ok(Err(Obstacle::new(why, backups_hint(aws, table).await?)));
    };
    let at = match within(table, at, window) {
        Ok(at) => at,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    let ask = || async {
        let send = aws.dynamodb.describe_table().table_name(table).send();
        send.await.map_err(op("DescribeTable"))
    };
    let found = retry_read(ask).await?.table;
    let keys = found.and_then(|found| found.key_schema).unwrap_or_default();
    if let Some(obstacle) = other_keys(want, table, &keys) {
        return Ok(Err(obstacle));
    }
    Ok(Ok(origin(format!("the table {table}"), Some(table), at)))
}

async fn of_backup(aws: &Aws, want: &Table, backup: &str) -> Result<Looked, OpError> {
    if let Some(obstacle) = elsewhere(aws, "backup", backup) {
        return Ok(Err(obstacle));
    }
    let table = backup.split('/').nth(1).unwrap_or_default();
    let ask = || async {
        let send = aws.dynamodb.describe_backup().backup_arn(backup).send();
        send.await.map_err(op("DescribeBackup")).or_gone()
    };
    let found = retry_read(ask).await?.and_then(|answer| answer.backup_description);
    let Some(found) = found else {
        let why = format!("the backup {backup} does not exist");
        return Ok(Err(Obstacle::new(why, backups_hint(aws, table).await?)));
    };
    let Some(details) = found.backup_details else {
        return Err(OpError::new("DescribeBackup", ErrorClass::Service, "NoAnswer", "no details"));
    };
    if details.backup_status != BackupStatus::Available {
        let why = format!("the backup {backup} is {}", details.backup_status);
        let hint = "wait until it is AVAILABLE, or choose another one";
        return Ok(Err(Obstacle::new(why, hint)));
    }
    let keys = found.source_table_details.map(|source| source.key_schema).unwrap_or_default();
    if let Some(obstacle) = other_keys(want, table, &keys) {
        return Ok(Err(obstacle));
    }
    let what = format!("the backup {} of the table {table}", details.backup_name);
    Ok(Ok(origin(what, None, details.backup_creation_date_time)))
}

/// A restored table keeps the key of its source.
fn other_keys(want: &Table, table: &str, keys: &[KeySchemaElement]) -> Option<Obstacle> {
    let wanted: Vec<&str> = [Some(&want.partition_key), want.sort_key.as_ref()]
        .into_iter()
        .flatten()
        .map(|key| key.name.as_str())
        .collect();
    let found: Vec<&str> = keys.iter().map(KeySchemaElement::attribute_name).collect();
    (wanted != found).then(|| {
        let (found, wanted) = (found.join(", "), wanted.join(", "));
        let why = format!("the key of {table} is {found}, but the key of this table is {wanted}");
        Obstacle::new(why, "a restored table keeps its key: set the same one")
    })
}

/// The hint that names the backups of a table.
async fn backups_hint(aws: &Aws, table: &str) -> Result<String, OpError> {
    let mut known = backups(aws, table, BackupTypeFilter::All).await?;
    known.sort();
    let Some((at, arn)) = known.pop() else {
        return Ok(format!("there is no backup of {table} either; check the region"));
    };
    Ok(format!("its newest backup is from {at}: restore_from = {{ backup = \"{arn}\" }}"))
}

/// Time and ARN of the backups of a table that can be restored.
async fn backups(
    aws: &Aws,
    table: &str,
    filter: BackupTypeFilter,
) -> Result<Vec<(String, String)>, OpError> {
    let (mut known, mut next) = (Vec::new(), None);
    loop {
        let ask = || async {
            aws.dynamodb
                .list_backups()
                .table_name(table)
                .backup_type(filter.clone())
                .set_exclusive_start_backup_arn(next.clone())
                .send()
                .await
                .map_err(op("ListBackups"))
        };
        let answer = retry_read(ask).await?;
        for found in answer.backup_summaries.unwrap_or_default() {
            let ready = found.backup_status == Some(BackupStatus::Available);
            let told = found.backup_creation_date_time.zip(found.backup_arn).filter(|_| ready);
            known.extend(told.map(|(at, arn)| (text(at), arn)));
        }
        next = answer.last_evaluated_backup_arn;
        if next.is_none() {
            return Ok(known);
        }
    }
}
