//! Creating, describing and deleting tables.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::passing::Passing;
use super::super::toolbox::{
    KEY_VALUE, add_tags, at, flag, is_name, iso, list, need, now, tag_list, text, uuid,
};
use super::super::{Answer, Refusal, World, kms};
use super::{
    Capacity, Index, ON_DEMAND, Status, TABLE, TAGS, Table, backups, find, in_use, invalid, ready,
};

/// The names of the attributes in a key schema.
pub(super) fn key_names(keys: &Value) -> Vec<&str> {
    let keys = keys.as_array().map(Vec::as_slice).unwrap_or_default();
    keys.iter().filter_map(|key| text(key, "AttributeName")).collect()
}

/// The types in a call, by attribute.
pub(super) fn types(input: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let mut types = BTreeMap::new();
    for definition in list(input, "AttributeDefinitions") {
        let name = need(definition, "AttributeName", "ValidationException")?;
        let kind = text(definition, "AttributeType").unwrap_or_default();
        if !["S", "N", "B"].contains(&kind) {
            return Err(invalid(format!("The type of {name} must be S, N or B, not '{kind}'.")));
        }
        types.insert(name.to_owned(), kind.to_owned());
    }
    Ok(types)
}

fn valid_keys(input: &Value, what: &str) -> Result<Value, Refusal> {
    let keys = list(input, "KeySchema");
    let kinds: Vec<&str> = keys.iter().filter_map(|key| text(key, "KeyType")).collect();
    match kinds.as_slice() {
        ["HASH"] | ["HASH", "RANGE"] => Ok(Value::Array(keys.to_vec())),
        _ => Err(invalid(format!(
            "Invalid KeySchema of {what}: one HASH key, and at most one RANGE key after it"
        ))),
    }
}

/// A new index from its specification.
pub(super) fn index(input: &Value, billing: Option<&str>) -> Result<(String, Index), Refusal> {
    let name = need(input, "IndexName", "ValidationException")?;
    if !is_name(name, 3..=255, "_.-") {
        return Err(invalid(format!("'{name}' is not a valid name of an index.")));
    }
    let what = format!("index: {name}");
    let projection = &input["Projection"];
    let others = !list(projection, "NonKeyAttributes").is_empty();
    match (text(projection, "ProjectionType"), others) {
        (Some("ALL" | "KEYS_ONLY"), false) | (Some("INCLUDE"), true) => {}
        _ => {
            return Err(invalid(format!(
                "One or more parameter values were invalid: NonKeyAttributes must be given with \
                 ProjectionType INCLUDE, and only then ({what})"
            )));
        }
    }
    let index = Index {
        keys: valid_keys(input, &what)?,
        projection: projection.clone(),
        capacity: Capacity::read(input, billing, &what)?,
        warm: Capacity::warm(input),
        status: Status::Creating,
    };
    Ok((name.to_owned(), index))
}

/// The key that a specification asks for. `None` is the key that DynamoDB owns.
pub(super) fn encryption(
    world: &World,
    region: &str,
    input: &Value,
) -> Result<Option<String>, Refusal> {
    if !flag(input, "Enabled").unwrap_or(false) {
        return Ok(None);
    }
    let key = text(input, "KMSMasterKeyId").unwrap_or("alias/aws/dynamodb");
    match kms::usable(&world.kms, region, key) {
        Some(arn) => Ok(Some(arn)),
        None => Err(invalid(format!("KMS validation error: the key {key} is not usable"))),
    }
}

/// The view type that a stream specification asks for.
pub(super) fn stream(input: &Value) -> Result<Option<String>, Refusal> {
    const VIEWS: &[&str] = &["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"];
    let view = text(input, "StreamViewType");
    match (flag(input, "StreamEnabled").unwrap_or(false), view) {
        (true, Some(view)) if VIEWS.contains(&view) => Ok(Some(view.to_owned())),
        (false, None) => Ok(None),
        _ => Err(invalid(
            "One or more parameter values were invalid: StreamViewType must be given when \
             StreamEnabled is true, and only then",
        )),
    }
}

impl Table {
    fn used(&self) -> BTreeSet<String> {
        let indexes = self.indexes.values().map(|index| &index.keys);
        let local = self.local_indexes.iter().map(|index| &index["KeySchema"]);
        let keys = std::iter::once(&self.keys).chain(indexes).chain(local);
        keys.flat_map(key_names).map(str::to_owned).collect()
    }

    /// Refuses attribute types that are not exactly those of the keys.
    pub(super) fn check_types(&self) -> Result<(), Refusal> {
        let defined: BTreeSet<String> = self.types.keys().cloned().collect();
        if self.used() == defined {
            Ok(())
        } else {
            Err(invalid(format!(
                "One or more parameter values were invalid: Some AttributeDefinitions are missing \
                 or not used. AttributeDefinitions: {defined:?}, keys used: {:?}",
                self.used()
            )))
        }
    }

    /// Forgets the types of key attributes that no index uses any more.
    pub(super) fn drop_unused_types(&mut self) {
        let used = self.used();
        self.types.retain(|name, _| used.contains(name));
    }
}

/// Creates a table.
pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "TableName", "ValidationException")?;
    if !is_name(name, 3..=255, "_.-") {
        return Err(invalid(format!("'{name}' is not a valid name of a table.")));
    }
    if let Some(known) = world.dynamodb.tables.get(&at(region, name)) {
        return Err(match known.status {
            Status::Deleting => in_use(format!(
                "Attempt to change a resource which is still in use: Table is being deleted: \
                 {name}"
            )),
            _ => in_use(format!("Table already exists: {name}")),
        });
    }
    let mode = text(input, "BillingMode");
    let billing = mode.filter(|mode| *mode == ON_DEMAND);
    if mode.is_some() && billing.is_none() && mode != Some("PROVISIONED") {
        return Err(invalid("BillingMode must be PROVISIONED or PAY_PER_REQUEST"));
    }
    let mut table = Table {
        passing: Passing::begin(&world.base, 1, TABLE),
        types: types(input)?,
        keys: valid_keys(input, "the table")?,
        billing: billing.map(str::to_owned),
        capacity: Capacity::read(input, billing, "table")?,
        key: encryption(world, region, &input["SSESpecification"])?,
        class: text(input, "TableClass").filter(|c| *c != "STANDARD").map(str::to_owned),
        protected: flag(input, "DeletionProtectionEnabled").unwrap_or(false),
        warm: Capacity::warm(input),
        ..Table::default()
    };
    for wanted in list(input, "GlobalSecondaryIndexes") {
        let (name, index) = index(wanted, billing)?;
        table.indexes.insert(name, index);
    }
    if table.indexes.len() > 20 {
        return Err(invalid("A table can have at most 20 global secondary indexes."));
    }
    for wanted in list(input, "LocalSecondaryIndexes") {
        let keys = valid_keys(wanted, "a local index")?;
        if key_names(&keys).first() != key_names(&table.keys).first() || key_names(&keys).len() < 2
        {
            return Err(invalid("A local index shares the HASH key and has a RANGE key."));
        }
        table.local_indexes.push(wanted.clone());
    }
    table.check_types()?;
    if let Some(view) = input.get("StreamSpecification") {
        table.stream = stream(view)?;
        table.stream_label = table.stream.as_ref().map(|_| label(world));
    }
    add_tags(&mut table.tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
    table.id = uuid(&mut world.base);
    table.created = now(&world.base);
    let view = table.view(region, name);
    world.dynamodb.tables.insert(at(region, name), table);
    Ok(json!({ "TableDescription": view }))
}

/// The label of a new stream: a time that its fraction makes unique.
pub(super) fn label(world: &mut World) -> String {
    world.base.made += 1;
    let time = iso(world.base.now());
    format!("{}.{:03}", time.trim_end_matches('Z'), world.base.made % 1000)
}

/// Describes a table. The read also moves it to its next state.
pub(super) fn describe(world: &mut World, region: &str, input: &Value) -> Answer {
    let World { base, dynamodb: state, .. } = world;
    let (name, table) = find(state, region, input)?;
    let view = table.view(region, &name);
    if !base.strict {
        base.moved |= !table.is_at_rest();
        if table.passing.is_over(base) && !table.settle() {
            state.tables.remove(&at(region, &name));
        }
    }
    Ok(json!({ "Table": view }))
}

/// A call for the items of a table that is being created fails, and moves it to its next state as a read
/// does.
pub(super) fn look_for(world: &mut World, region: &str, input: &Value) {
    let World { base, dynamodb: state, .. } = world;
    if base.strict {
        return;
    }
    if let Ok((_, table)) = find(state, region, input)
        && table.status == Status::Creating
        && table.passing.is_over(base)
    {
        base.moved = true;
        table.settle();
    }
}

/// Lets time pass: in a strict sandbox states end by the clock, with or without reads.
pub(super) fn pass(world: &mut World) {
    let World { base, dynamodb: state, .. } = world;
    state.tables.retain(|_, table| {
        if table.is_at_rest() || !table.passing.is_over(base) {
            return true;
        }
        base.moved = true;
        table.settle()
    });
}

/// Starts the deletion of a table.
pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let passing = Passing::begin(&world.base, 1, TABLE);
    let (name, table) = ready(&mut world.dynamodb, region, input)?;
    if table.protected {
        return Err(invalid(
            "Resource cannot be deleted as it is currently protected against deletion. Disable \
             deletion protection first.",
        ));
    }
    table.status = Status::Deleting;
    table.passing = passing;
    let mut view = table.view(region, &name);
    for gone in ["AttributeDefinitions", "CreationDateTime", "KeySchema", "WarmThroughput"] {
        view.as_object_mut().and_then(|members| members.remove(gone));
    }
    if table.recovery.is_some() {
        let last = table.clone();
        backups::keep_deleted(world, region, &name, &last);
    }
    Ok(json!({ "TableDescription": view }))
}
