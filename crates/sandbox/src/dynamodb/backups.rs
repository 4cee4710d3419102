//! Backups, and restores from a backup or to a point in time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::passing::Passing;
use super::super::toolbox::{at, flag, is_name, need, now, page, put, text, uuid, within};
use super::super::{Answer, Refusal, World};
use super::{ON_DEMAND, Status, Table, find, in_use, invalid, ready, table_arn, tables};

/// A backup.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Backup {
    name: String,
    table_name: String,
    created: f64,
    /// When AWS deletes it. Only the backup of a deleted table expires.
    expires: Option<f64>,
    /// The table at the time of the backup.
    table: Table,
}

/// The source of a restored table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Restored {
    backup: Option<String>,
    table: String,
    at: f64,
}

/// How long a strict sandbox takes to restore a table, in seconds.
const RESTORE: f64 = 1200.0;
/// How far the latest restorable time lies behind the present.
const LAG: f64 = 300.0;
const DAY: f64 = 86_400.0;

/// The members of a restore that the sandbox does not support.
const OVERRIDES: [&str; 5] = [
    "BillingModeOverride",
    "GlobalSecondaryIndexOverride",
    "LocalSecondaryIndexOverride",
    "OnDemandThroughputOverride",
    "ProvisionedThroughputOverride",
];

pub(super) fn no_table(name: Option<&str>) -> Refusal {
    let message = format!("Table not found: {}", name.unwrap_or_default());
    Refusal::new("TableNotFoundException", message)
}

fn no_backup(arn: &str) -> Refusal {
    Refusal::new("BackupNotFoundException", format!("Backup not found: {arn}"))
}

impl Restored {
    pub(super) fn view(&self, at_work: bool) -> Value {
        let mut view = json!({
            "SourceTableArn": self.table,
            "RestoreDateTime": self.at,
            "RestoreInProgress": at_work,
        });
        put(&mut view, "SourceBackupArn", self.backup.clone());
        view
    }
}

impl Backup {
    pub(super) fn is_system(&self) -> bool {
        self.expires.is_some()
    }

    fn details(&self, arn: &str) -> Value {
        let mut view = json!({
            "BackupArn": arn,
            "BackupName": self.name,
            "BackupSizeBytes": 0,
            "BackupStatus": "AVAILABLE",
            "BackupType": if self.is_system() { "SYSTEM" } else { "USER" },
            "BackupCreationDateTime": self.created,
        });
        put(&mut view, "BackupExpiryDateTime", self.expires);
        view
    }

    fn view(&self, arn: &str) -> Value {
        let (table_arn, _) = arn.split_once("/backup/").unwrap_or((arn, ""));
        let table = &self.table;
        let mut source = json!({
            "TableName": self.table_name,
            "TableId": table.id,
            "TableArn": table_arn,
            "TableSizeBytes": 0,
            "KeySchema": table.keys,
            "TableCreationDateTime": table.created,
            "ProvisionedThroughput": {
                "ReadCapacityUnits": table.capacity.read,
                "WriteCapacityUnits": table.capacity.write,
            },
            "ItemCount": table.items.len(),
        });
        put(&mut source, "BillingMode", table.billing.clone());
        json!({ "BackupDetails": self.details(arn), "SourceTableDetails": source })
    }
}

impl Table {
    /// Begins to log puts and deletions.
    pub(super) fn begin_log(&mut self, today: f64) {
        self.since = today;
        let items = self.items.iter();
        self.log = items.map(|(key, item)| (today, key.clone(), Some(item.clone()))).collect();
    }

    /// Logs that an item was put or deleted, if the table has point-in-time recovery.
    pub(super) fn remember(&mut self, today: f64, key: &str, item: Option<&Value>) {
        if self.recovery.is_none() {
            return;
        }
        self.ensure_log();
        self.log.push((today, key.to_owned(), item.cloned()));
    }

    /// The state of an earlier version has no log: its items count as there from the beginning.
    fn ensure_log(&mut self) {
        if self.since == 0.0 {
            self.begin_log(self.created);
        }
    }

    /// The items at a past time.
    fn items_at(&self, at: f64) -> BTreeMap<String, Value> {
        let mut items = BTreeMap::new();
        for (_, key, item) in self.log.iter().filter(|(when, ..)| *when <= at) {
            match item {
                Some(item) => items.insert(key.clone(), item.clone()),
                None => items.remove(key),
            };
        }
        items
    }

    /// The earliest and the latest restorable time.
    fn window(&self, today: f64, strict: bool) -> (f64, f64) {
        let since = if self.since == 0.0 { self.created } else { self.since };
        let days = self.recovery.unwrap_or_default() as f64;
        let first = since.max(today - days * DAY);
        (first, if strict { (today - LAG).max(first) } else { today })
    }

    /// The answer of DescribeContinuousBackups.
    pub(super) fn backups(&self, today: f64, strict: bool) -> Value {
        let recovery = match self.recovery {
            Some(days) => {
                let (first, last) = self.window(today, strict);
                json!({
                    "PointInTimeRecoveryStatus": "ENABLED",
                    "RecoveryPeriodInDays": days,
                    "EarliestRestorableDateTime": first,
                    "LatestRestorableDateTime": last,
                })
            }
            None => json!({ "PointInTimeRecoveryStatus": "DISABLED" }),
        };
        json!({ "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": recovery,
        } })
    }
}

fn keep(world: &mut World, region: &str, backup: Backup) -> String {
    let stamp = (backup.created * 1000.0) as u64;
    let number = world.base.number() as u32;
    let table = table_arn(region, &backup.table_name);
    let arn = format!("{table}/backup/{stamp:014}-{number:08x}");
    world.dynamodb.backups.insert(arn.clone(), backup);
    arn
}

/// Keeps a system backup of a deleted table that had point-in-time recovery.
pub(super) fn keep_deleted(world: &mut World, region: &str, name: &str, table: &Table) {
    let created = now(&world.base);
    let backup = Backup {
        name: format!("{name}$DeletedTableBackup"),
        table_name: name.to_owned(),
        created,
        expires: Some(created + 35.0 * DAY),
        table: Table { log: Vec::new(), ..table.clone() },
    };
    keep(world, region, backup);
}

/// Takes a backup.
pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let called = need(input, "BackupName", "ValidationException")?.to_owned();
    if !is_name(&called, 3..=255, "_.-") {
        return Err(invalid(format!("'{called}' is not a valid name of a backup.")));
    }
    let created = now(&world.base);
    let found = ready(&mut world.dynamodb, region, input);
    let (name, table) = found.map_err(|refusal| match refusal.code.as_str() {
        "ResourceNotFoundException" => no_table(text(input, "TableName")),
        _ => Refusal::new("TableInUseException", refusal.message),
    })?;
    let table = Table { log: Vec::new(), ..table.clone() };
    let backup = Backup { name: called, table_name: name, created, expires: None, table };
    let arn = keep(world, region, backup);
    Ok(json!({ "BackupDetails": world.dynamodb.backups[&arn].details(&arn) }))
}

fn asked(world: &World, input: &Value) -> Result<(String, Backup), Refusal> {
    let arn = need(input, "BackupArn", "ValidationException")?;
    let today = now(&world.base);
    let found = world.dynamodb.backups.get(arn);
    let found = found.filter(|backup| backup.expires.is_none_or(|expires| today < expires));
    found.map(|backup| (arn.to_owned(), backup.clone())).ok_or_else(|| no_backup(arn))
}

/// One backup.
pub(super) fn describe(world: &World, input: &Value) -> Answer {
    let (arn, backup) = asked(world, input)?;
    Ok(json!({ "BackupDescription": backup.view(&arn) }))
}

/// Deletes a backup. AWS alone deletes the system backup of a deleted table.
pub(super) fn delete(world: &mut World, input: &Value) -> Answer {
    let (arn, backup) = asked(world, input)?;
    if backup.is_system() {
        return Err(invalid(format!("System backups cannot be deleted: {arn}")));
    }
    let mut view = backup.view(&arn);
    view["BackupDetails"]["BackupStatus"] = "DELETED".into();
    world.dynamodb.backups.remove(&arn);
    Ok(json!({ "BackupDescription": view }))
}

/// Lists backups: those that users took, unless the call asks for others.
pub(super) fn list(world: &World, region: &str, input: &Value) -> Answer {
    let limit = within(input, "Limit", 1..=100, "ValidationException")?.unwrap_or(100);
    let kind = text(input, "BackupType").unwrap_or("USER");
    let today = now(&world.base);
    let here = table_arn(region, "");
    let is_asked = |arn: &str, backup: &Backup| {
        arn.starts_with(&here)
            && text(input, "TableName").is_none_or(|name| name == backup.table_name)
            && (kind == "ALL" || (kind == "SYSTEM") == backup.is_system())
            && backup.expires.is_none_or(|expires| today < expires)
    };
    let backups = world.dynamodb.backups.iter().filter(|(arn, backup)| is_asked(arn, backup));
    let summaries = backups.map(|(arn, backup)| {
        let mut view = backup.details(arn);
        let (table, _) = arn.split_once("/backup/").unwrap_or((arn, ""));
        view["TableName"] = backup.table_name.as_str().into();
        view["TableArn"] = table.into();
        view["TableId"] = backup.table.id.as_str().into();
        (arn.clone(), view)
    });
    let start = text(input, "ExclusiveStartBackupArn");
    let (summaries, next) = page(summaries.collect(), start, limit as usize);
    let mut answer = json!({ "BackupSummaries": summaries });
    put(&mut answer, "LastEvaluatedBackupArn", next);
    Ok(answer)
}

/// Creates a table from a backup.
pub(super) fn restore(world: &mut World, region: &str, input: &Value) -> Answer {
    let (arn, backup) = asked(world, input)?;
    let (table, _) = arn.split_once("/backup/").unwrap_or((&arn, ""));
    if !arn.starts_with(&table_arn(region, "")) {
        return Err(no_backup(&arn));
    }
    let restored =
        Restored { table: table.to_owned(), backup: Some(arn.clone()), at: backup.created };
    make(world, region, input, backup.table, restored)
}

/// Creates a table from the past state of another one.
pub(super) fn restore_to_time(world: &mut World, region: &str, input: &Value) -> Answer {
    let (today, strict) = (now(&world.base), world.base.strict);
    let named = text(input, "SourceTableName").or(text(input, "SourceTableArn"));
    let asked = json!({ "TableName": named });
    let found = find(&mut world.dynamodb, region, &asked).map_err(|_| no_table(named))?;
    let (name, source) = found;
    if source.recovery.is_none() {
        let message = format!("Point in time recovery is not enabled for table '{name}'");
        return Err(Refusal::new("PointInTimeRecoveryUnavailableException", message));
    }
    source.ensure_log();
    let (first, last) = source.window(today, strict);
    let latest = flag(input, "UseLatestRestorableTime").unwrap_or(false);
    let at = match (input["RestoreDateTime"].as_f64(), latest) {
        (Some(at), false) => at,
        (None, true) => last,
        _ => {
            return Err(invalid(
                "Exactly one of UseLatestRestorableTime and RestoreDateTime must be given",
            ));
        }
    };
    if at < first.floor() || at > last {
        return Err(Refusal::new(
            "InvalidRestoreTimeException",
            "RestoreDateTime must be between EarliestRestorableDateTime and \
             LatestRestorableDateTime",
        ));
    }
    let was = Table { items: source.items_at(at), ..source.clone() };
    let restored = Restored { table: table_arn(region, &name), backup: None, at };
    make(world, region, input, was, restored)
}

/// The new table gets the items, keys, indexes, billing and encryption of its source.
fn make(
    world: &mut World,
    region: &str,
    input: &Value,
    source: Table,
    restored: Restored,
) -> Answer {
    let name = need(input, "TargetTableName", "ValidationException")?;
    if !is_name(name, 3..=255, "_.-") {
        return Err(invalid(format!("'{name}' is not a valid name of a table.")));
    }
    if OVERRIDES.iter().any(|key| input.get(key).is_some_and(|value| !value.is_null())) {
        return Err(Refusal::not_covered("dynamodb", "restores with overrides of this sort"));
    }
    if let Some(known) = world.dynamodb.tables.get(&at(region, name)) {
        return Err(match known.status {
            Status::Active | Status::Updating => {
                let message = format!("Table already exists: {name}");
                Refusal::new("TableAlreadyExistsException", message)
            }
            Status::Creating | Status::Deleting => {
                let message = in_use(format!("Table is being created or deleted: {name}")).message;
                Refusal::new("TableInUseException", message)
            }
        });
    }
    let key = match input.get("SSESpecificationOverride").filter(|sse| sse.is_object()) {
        Some(sse) => tables::encryption(world, region, sse)?,
        None => source.key,
    };
    let table = Table {
        id: uuid(&mut world.base),
        created: now(&world.base),
        types: source.types,
        keys: source.keys,
        billing: source.billing.filter(|mode| mode == ON_DEMAND),
        capacity: source.capacity,
        indexes: source.indexes,
        local_indexes: source.local_indexes,
        class: source.class,
        items: source.items,
        key,
        passing: Passing::begin(&world.base, 1, RESTORE),
        restored: Some(restored),
        ..Table::default()
    };
    let view = table.view(region, name);
    world.dynamodb.tables.insert(at(region, name), table);
    Ok(json!({ "TableDescription": view }))
}
