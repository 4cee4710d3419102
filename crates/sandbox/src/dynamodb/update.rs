//! Changes of a table: one change at a time, and one index at a time.

use serde_json::{Value, json};

use super::super::passing::Passing;
use super::super::toolbox::{flag, list, need, text};
use super::super::{Answer, Refusal, World};
use super::{
    Capacity, INDEX, ON_DEMAND, Status, TABLE, Table, find, in_use, invalid, ready, tables,
};

/// Changes a table. If any part is refused, nothing changes.
pub(super) fn update(world: &mut World, region: &str, input: &Value) -> Answer {
    let (name, table) = ready(&mut world.dynamodb, region, input)?;
    let mut new = table.clone();
    alone(input)?;
    let types = tables::types(input)?;
    let retyped =
        |(name, kind): (&String, &String)| new.types.get(name).is_some_and(|known| known != kind);
    if types.iter().any(retyped) {
        return Err(invalid("The type of a key attribute cannot change."));
    }
    new.rebill(input)?;
    new.reindex(input, types)?;
    if let Some(wanted) = input.get("SSESpecification") {
        new.key = tables::encryption(world, region, wanted)?;
    }
    if let Some(wanted) = input.get("StreamSpecification") {
        new.restream(world, &name, tables::stream(wanted)?)?;
    }
    if let Some(class) = text(input, "TableClass") {
        new.class = Some(class.to_owned());
    }
    if let Some(protected) = flag(input, "DeletionProtectionEnabled") {
        new.protected = protected;
    }
    new.status = Status::Updating;
    let makes_index =
        list(input, "GlobalSecondaryIndexUpdates").iter().any(|one| one["Create"].is_object());
    new.passing = Passing::begin(&world.base, 1, if makes_index { INDEX } else { TABLE });
    let mut view = new.view(region, &name);
    let old = ready(&mut world.dynamodb, region, input)?.1.key.clone();
    if old != new.key {
        // Until the change is done, the table names the old or the new key.
        view["SSEDescription"] = json!({
            "Status": "UPDATING", "SSEType": "KMS", "KMSMasterKeyArn": new.key.clone().or(old),
        });
    }
    *find(&mut world.dynamodb, region, input)?.1 = new;
    Ok(json!({ "TableDescription": view }))
}

/// Refuses changes that AWS does not make in one call.
fn alone(input: &Value) -> Result<(), Refusal> {
    let has = |key: &str| input.get(key).is_some_and(|value| !value.is_null());
    let updates = list(input, "GlobalSecondaryIndexUpdates");
    let counted = |update: &&Value| update.get("Create").or(update.get("Delete")).is_some();
    let structural = updates.iter().filter(counted).count();
    let capacity = has("ProvisionedThroughput") || has("BillingMode");
    let others = capacity
        || !updates.is_empty()
        || has("StreamSpecification")
        || has("SSESpecification")
        || has("DeletionProtectionEnabled");
    if has("ReplicaUpdates") {
        let message = "The sandbox makes no replicas of tables.";
        return Err(Refusal::new("UnsupportedOperationException", message));
    }
    if structural > 1 {
        return Err(Refusal::new(
            "LimitExceededException",
            "Subscriber limit exceeded: Only 1 online index can be created or deleted \
             simultaneously per table",
        ));
    }
    if structural == 1 && (capacity || updates.len() > 1) {
        return Err(invalid(
            "One or more parameter values were invalid: an index cannot be created or deleted \
             together with a change of capacity",
        ));
    }
    if has("TableClass") && others {
        return Err(invalid("The table class cannot be changed together with anything else."));
    }
    if has("TableClass") || others {
        Ok(())
    } else {
        Err(invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, \
             GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
        ))
    }
}

impl Table {
    fn rebill(&mut self, input: &Value) -> Result<(), Refusal> {
        let mode = text(input, "BillingMode");
        let was_on_demand = self.billing.as_deref() == Some(ON_DEMAND);
        match mode {
            Some(ON_DEMAND) => {
                Capacity::read(input, mode, "table")?;
                self.capacity = Capacity::default();
                self.billing = Some(ON_DEMAND.to_owned());
                for index in self.indexes.values_mut() {
                    index.capacity = Capacity::default();
                }
            }
            Some("PROVISIONED") if was_on_demand => {
                self.capacity = Capacity::read(input, mode, "table")?;
                self.billing = Some("PROVISIONED".to_owned());
            }
            Some("PROVISIONED") | None => {
                if input.get("ProvisionedThroughput").is_some_and(Value::is_object) {
                    let wanted = Capacity::read(input, self.billing.as_deref(), "table")?;
                    if wanted == self.capacity {
                        return Err(invalid(
                            "The provisioned throughput for the table will not change. The \
                             requested value equals the current value.",
                        ));
                    }
                    self.capacity = wanted;
                }
            }
            Some(other) => return Err(invalid(format!("{other} is not a billing mode"))),
        }
        Ok(())
    }

    fn reindex(
        &mut self,
        input: &Value,
        types: std::collections::BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        let billing = self.billing.clone();
        let billing = billing.as_deref();
        for change in list(input, "GlobalSecondaryIndexUpdates") {
            if let Some(wanted) = change.get("Create") {
                let (name, index) = tables::index(wanted, billing)?;
                if self.indexes.contains_key(&name) {
                    let message = "Attempting to create an index which already exists";
                    return Err(invalid(message));
                }
                if self.indexes.len() >= 20 {
                    return Err(invalid("A table can have at most 20 global secondary indexes."));
                }
                self.indexes.insert(name, index);
                self.types.extend(types.clone());
                self.check_types()?;
            } else if let Some(wanted) = change.get("Delete") {
                self.index(wanted)?.status = Status::Deleting;
            } else if let Some(wanted) = change.get("Update") {
                let what = format!("index: {}", text(wanted, "IndexName").unwrap_or_default());
                let capacity = Capacity::read(wanted, billing, &what)?;
                let index = self.index(wanted)?;
                index.capacity = capacity;
                index.status = Status::Updating;
            }
        }
        let unpaid = |capacity: Capacity| capacity == Capacity::default();
        let provisioned = text(input, "BillingMode") == Some("PROVISIONED");
        if provisioned && self.indexes.values().any(|index| unpaid(index.capacity)) {
            return Err(invalid(
                "One or more parameter values were invalid: ProvisionedThroughput must be \
                 specified for every index",
            ));
        }
        Ok(())
    }

    fn index(&mut self, input: &Value) -> Result<&mut super::Index, Refusal> {
        let name = need(input, "IndexName", "ValidationException")?;
        let index = self.indexes.get_mut(name).ok_or_else(|| {
            let message = "Requested resource not found";
            Refusal::new("ResourceNotFoundException", message)
        })?;
        match index.status {
            Status::Active => Ok(index),
            _ => Err(in_use(format!(
                "Attempt to change a resource which is still in use: Index is being changed: {name}"
            ))),
        }
    }

    fn restream(
        &mut self,
        world: &mut World,
        name: &str,
        wanted: Option<String>,
    ) -> Result<(), Refusal> {
        match (&self.stream, &wanted) {
            (Some(_), Some(_)) => {
                return Err(invalid(format!(
                    "Table already has an enabled stream: TableName: {name}"
                )));
            }
            (None, None) => {
                return Err(invalid(format!("Table has no stream to disable: TableName: {name}")));
            }
            (None, Some(_)) => self.stream_label = Some(tables::label(world)),
            (Some(_), None) => {}
        }
        self.stream = wanted;
        Ok(())
    }
}
