//! The sandbox's DynamoDB: tables with their states, TTL and backups, and their items.
//!
//! Quirks kept: A new table is `CREATING` for the first `DescribeTable`, or for some seconds in a
//! strict sandbox. A call creates or deletes one index, and a table makes one update at a time. The
//! first read after creation does not see backups. Descriptions leave out defaults. A restore
//! brings back the items but not tags or most settings, and a table under restore cannot be tagged.

mod backups;
mod describe;
mod expressions;
mod items;
mod numbers;
mod reading;
mod tables;
#[cfg(test)]
mod tests;
mod update;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::passing::Passing;
use super::shelf::{Shelf, kept};
use super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, flag, here, need, now, number, page, put, remove_tags, tag_list,
    tag_pairs, text, texts, within,
};
use super::{ACCOUNT, Answer, Call, Refusal, World};

/// The state of DynamoDB.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Tables by region and name.
    tables: Shelf<Table>,
    /// Backups by ARN.
    backups: Shelf<backups::Backup>,
}

kept!(State { tables, backups });

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Table {
    id: String,
    created: f64,
    status: Status,
    /// How long the status lasts.
    passing: Passing,
    /// Attribute types by name, for exactly the attributes of the keys.
    types: BTreeMap<String, String>,
    keys: Value,
    /// `None` means provisioned, and never switched.
    billing: Option<String>,
    capacity: Capacity,
    indexes: BTreeMap<String, Index>,
    local_indexes: Vec<Value>,
    stream: Option<String>,
    /// The label of the newest stream, also after it was disabled.
    stream_label: Option<String>,
    /// The ARN of the KMS key.
    key: Option<String>,
    class: Option<String>,
    /// The warm throughput that a call asked for.
    warm: Option<Capacity>,
    protected: bool,
    tags: Tags,
    ttl: Option<String>,
    /// The attribute that items expired by before, and the time of the last change.
    ttl_before: Option<String>,
    ttl_changed: f64,
    /// The restorable days.
    recovery: Option<i64>,
    /// Whether a read has already asked for the backups.
    backups_ready: bool,
    /// Items by their key, as JSON.
    items: BTreeMap<String, Value>,
    /// The earliest restorable time.
    since: f64,
    /// The puts and deletions since then: the time, the key, and the item unless it was deleted.
    log: Vec<(f64, String, Option<Value>)>,
    /// The source, if the table was restored.
    restored: Option<backups::Restored>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Index {
    keys: Value,
    projection: Value,
    capacity: Capacity,
    warm: Option<Capacity>,
    status: Status,
}

/// Read and write units. On-demand tables have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Capacity {
    read: i64,
    write: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Status {
    #[default]
    Creating,
    Active,
    Updating,
    Deleting,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
        }
    }
}

/// How long a strict sandbox refuses a second change of expiry, and takes to disable it, in
/// seconds. AWS says that it may take so long.
const EXPIRY: f64 = 3600.0;

/// How long a strict sandbox takes to create, change or delete a table, in seconds.
const TABLE: f64 = 8.0;
/// The same for a change that creates an index.
const INDEX: f64 = 240.0;

const ON_DEMAND: &str = "PAY_PER_REQUEST";

/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = ("ValidationException", "ValidationException");

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    // The backups of deleted tables expire by themselves.
    let backups = state.backups.values().filter(|backup| !backup.is_system()).count();
    vec![("backups", backups), ("tables", state.tables.len())]
}

/// The tags of a region's tables, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    here(&state.tables, region)
        .map(move |(name, table)| (table_arn(region, name), Cow::Borrowed(&table.tags)))
}

/// Whether a table has the stream with this ARN.
pub(crate) fn has_stream(state: &State, region: &str, arn: &str) -> bool {
    let Some((_, rest)) = arn.split_once(":table/") else { return false };
    let Some((name, label)) = rest.split_once("/stream/") else { return false };
    let table = state.tables.get(&at(region, name));
    table.is_some_and(|table| table.stream_label.as_deref() == Some(label))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    if world.base.strict {
        tables::pass(world);
    }
    let (input, region) = (&call.input, call.region.as_str());
    let today = now(&world.base);
    let state = &mut world.dynamodb;
    match call.operation.as_str() {
        "CreateTable" => tables::create(world, region, input),
        "UpdateTable" => update::update(world, region, input),
        "DescribeTable" => tables::describe(world, region, input),
        "ListTables" => list(state, region, input),
        "DeleteTable" => tables::delete(world, region, input),
        "CreateBackup" => backups::create(world, region, input),
        "DescribeBackup" => backups::describe(world, input),
        "ListBackups" => backups::list(world, region, input),
        "DeleteBackup" => backups::delete(world, input),
        "RestoreTableFromBackup" => backups::restore(world, region, input),
        "RestoreTableToPointInTime" => backups::restore_to_time(world, region, input),
        "UpdateTimeToLive" => expire(state, region, input, (today, world.base.strict)),
        "DescribeTimeToLive" => {
            let (_, table) = find(state, region, input)?;
            let before = table.ttl_before.clone().filter(|_| world.base.strict);
            let before = before.filter(|_| today < table.ttl_changed + EXPIRY);
            let status = match (&table.ttl, &before) {
                (Some(_), _) => "ENABLED",
                (None, Some(_)) => "DISABLING",
                (None, None) => "DISABLED",
            };
            let mut view = json!({ "TimeToLiveStatus": status });
            put(&mut view, "AttributeName", table.ttl.clone().or(before));
            Ok(json!({ "TimeToLiveDescription": view }))
        }
        "UpdateContinuousBackups" => back_up(state, region, input, (today, world.base.strict)),
        "DescribeContinuousBackups" => {
            let strict = world.base.strict;
            let found = find(state, region, input);
            let (_, table) = found.map_err(|_| backups::no_table(text(input, "TableName")))?;
            Ok(table.backups(today, strict))
        }
        "TagResource" => {
            let more = tag_list(input, "Tags", KEY_VALUE);
            let table = tagged(state, region, input)?;
            if table.restored.is_some() && table.status == Status::Creating {
                return Err(in_use(
                    "Attempt to change a resource which is still in use: Table is being created",
                ));
            }
            add_tags(&mut table.tags, more, TAGS)?;
            Ok(json!({}))
        }
        "UntagResource" => {
            remove_tags(&mut tagged(state, region, input)?.tags, &texts(input, "TagKeys"));
            Ok(json!({}))
        }
        "ListTagsOfResource" => {
            let table = tagged(state, region, input)?;
            // A call can still describe the table, and its name is taken.
            if table.status == Status::Deleting {
                let message = "Requested resource not found: the table is being deleted";
                return Err(Refusal::new("ResourceNotFoundException", message));
            }
            let tags = &table.tags;
            let pairs = tags.keys().cloned().zip(tag_pairs(tags, KEY_VALUE)).collect();
            let (pairs, next) = page(pairs, text(input, "NextToken"), 10);
            let mut answer = json!({ "Tags": pairs });
            put(&mut answer, "NextToken", next);
            Ok(answer)
        }
        operation => {
            let answer = on_items(state, region, operation, &numbers::trimmed(input)?, today)
                .unwrap_or_else(|| Err(Refusal::not_covered(&call.service, operation)));
            if answer.is_err() {
                tables::look_for(world, region, input);
            }
            answer
        }
    }
}

/// Answers what is about items.
fn on_items(
    state: &mut State,
    region: &str,
    operation: &str,
    input: &Value,
    today: f64,
) -> Option<Answer> {
    Some(match operation {
        "PutItem" => items::write(state, region, input, ("Put", today)),
        "GetItem" => items::get_item(state, region, input),
        "UpdateItem" => items::write(state, region, input, ("Update", today)),
        "DeleteItem" => items::write(state, region, input, ("Delete", today)),
        "TransactWriteItems" => items::transact(state, region, input, today),
        "Query" => reading::query(state, region, input),
        "Scan" => reading::scan(state, region, input),
        _ => return None,
    })
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationException", message)
}

fn in_use(message: impl Into<String>) -> Refusal {
    Refusal::new("ResourceInUseException", message)
}

fn table_arn(region: &str, name: &str) -> String {
    format!("arn:aws:dynamodb:{region}:{ACCOUNT}:table/{name}")
}

/// The customer key of a table, by the table's name or ARN.
pub(crate) fn key_of(state: &State, region: &str, table: &str) -> Option<String> {
    let name = table.strip_prefix(&table_arn(region, "")).unwrap_or(table);
    state.tables.get(&at(region, name))?.key.clone()
}

/// The table that a call names, by name or by ARN.
fn find<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<(String, &'a mut Table), Refusal> {
    let reference = need(input, "TableName", "ValidationException")?;
    let name = reference.strip_prefix(&table_arn(region, "")).unwrap_or(reference);
    match state.tables.get_mut(&at(region, name)) {
        Some(table) => Ok((name.to_owned(), table)),
        None => Err(Refusal::new(
            "ResourceNotFoundException",
            format!("Requested resource not found: Table: {name} not found"),
        )),
    }
}

/// A table without a change in progress.
fn ready<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<(String, &'a mut Table), Refusal> {
    let (name, table) = find(state, region, input)?;
    let doing = match table.status {
        Status::Active => return Ok((name, table)),
        Status::Creating => "created",
        Status::Updating => "updated",
        Status::Deleting => "deleted",
    };
    Err(in_use(format!(
        "Attempt to change a resource which is still in use: Table is being {doing}: {name}"
    )))
}

fn tagged<'a>(state: &'a mut State, region: &str, input: &Value) -> Result<&'a mut Table, Refusal> {
    let arn = need(input, "ResourceArn", "ValidationException")?;
    let name = arn.strip_prefix(&table_arn(region, "")).unwrap_or_default();
    state.tables.get_mut(&at(region, name)).ok_or_else(|| {
        let message = format!("Requested resource not found: ResourcArn: {arn} not found");
        Refusal::new("ResourceNotFoundException", message)
    })
}

fn list(state: &State, region: &str, input: &Value) -> Answer {
    let limit = within(input, "Limit", 1..=100, "ValidationException")?.unwrap_or(100);
    let names = here(&state.tables, region).map(|(name, _)| (name.to_owned(), name)).collect();
    let start = text(input, "ExclusiveStartTableName");
    let (names, next) = page(names, start, limit as usize);
    let mut answer = json!({ "TableNames": names });
    put(&mut answer, "LastEvaluatedTableName", next);
    Ok(answer)
}

fn expire(state: &mut State, region: &str, input: &Value, (today, strict): (f64, bool)) -> Answer {
    let (_, table) = ready(state, region, input)?;
    let wanted = &input["TimeToLiveSpecification"];
    let attribute = need(wanted, "AttributeName", "ValidationException")?;
    match (flag(wanted, "Enabled").unwrap_or(false), &table.ttl) {
        (true, Some(known)) if known == attribute => {
            return Err(invalid("TimeToLive is already enabled"));
        }
        (_, Some(known)) if known != attribute => {
            return Err(invalid(format!(
                "TimeToLive is active on a different AttributeName: current AttributeName is \
                 {known}"
            )));
        }
        (false, None) => return Err(invalid("TimeToLive is already disabled")),
        _ if strict && today < table.ttl_changed + EXPIRY => {
            let message = "Time to live has been modified multiple times within a fixed interval";
            return Err(invalid(message));
        }
        (on, _) => {
            let ttl = on.then(|| attribute.to_owned());
            table.ttl_before = std::mem::replace(&mut table.ttl, ttl);
        }
    }
    table.ttl_changed = today;
    Ok(json!({ "TimeToLiveSpecification": wanted }))
}

fn back_up(state: &mut State, region: &str, input: &Value, (today, strict): (f64, bool)) -> Answer {
    let wanted = &input["PointInTimeRecoverySpecification"];
    let days = within(wanted, "RecoveryPeriodInDays", 1..=35, "ValidationException")?;
    let (name, table) = find(state, region, input)?;
    if !table.backups_ready {
        table.backups_ready = true;
        return Err(Refusal::new(
            "ContinuousBackupsUnavailableException",
            format!("Backups are being enabled for the table: {name}. Please retry later"),
        ));
    }
    if flag(wanted, "PointInTimeRecoveryEnabled").unwrap_or(false) {
        if table.recovery.is_none() {
            table.begin_log(today);
        }
        table.recovery = Some(days.or(table.recovery).unwrap_or(35));
    } else {
        table.recovery = None;
        table.log.clear();
    }
    Ok(table.backups(today, strict))
}

impl Capacity {
    /// The warm throughput that a call asks for.
    fn warm(input: &Value) -> Option<Self> {
        let wanted = input.get("WarmThroughput")?;
        let units = |key| number(wanted, key);
        Some(Self { read: units("ReadUnitsPerSecond")?, write: units("WriteUnitsPerSecond")? })
    }

    /// The capacity that a call asks for. The billing says whether the call must or must not have
    /// one.
    fn read(input: &Value, billing: Option<&str>, what: &str) -> Result<Self, Refusal> {
        let wanted = input.get("ProvisionedThroughput").filter(|wanted| wanted.is_object());
        let on_demand = billing == Some(ON_DEMAND);
        match wanted {
            None if on_demand => Ok(Self::default()),
            None if what == "table" => Err(invalid(
                "One or more parameter values were invalid: ReadCapacityUnits and \
                 WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
            )),
            None => Err(invalid(format!(
                "One or more parameter values were invalid: ProvisionedThroughput must be \
                 specified for {what}"
            ))),
            Some(_) if on_demand && what == "table" => Err(invalid(
                "One or more parameter values were invalid: Neither ReadCapacityUnits nor \
                 WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
            )),
            Some(_) if on_demand => Err(invalid(format!(
                "One or more parameter values were invalid: ProvisionedThroughput should not be \
                 specified for {what} when BillingMode is PAY_PER_REQUEST"
            ))),
            Some(wanted) => {
                let units = |key| number(wanted, key).filter(|units| *units >= 1);
                match (units("ReadCapacityUnits"), units("WriteCapacityUnits")) {
                    (Some(read), Some(write)) => Ok(Self { read, write }),
                    _ => Err(invalid(format!("The capacity of {what} must be at least 1 and 1."))),
                }
            }
        }
    }
}
