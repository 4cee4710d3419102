//! The description of a table.

use serde_json::{Value, json};

use super::super::toolbox::put;
use super::{Capacity, ON_DEMAND, Status, Table, table_arn};

impl Capacity {
    fn view(self) -> Value {
        json!({
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": self.read,
            "WriteCapacityUnits": self.write,
        })
    }

    /// The warm throughput: the one that a call set, or else the usable capacity.
    fn warm_view(self, told: Option<Self>, status: Status) -> Option<Value> {
        let creating = status == Status::Creating;
        let unpaid = self == Self::default();
        let usual = if unpaid { Self { read: 12_000, write: 4_000 } } else { self };
        // A new table shows only the throughput that a call set.
        let warm = told.or(Some(usual).filter(|_| !creating))?;
        Some(json!({
            "ReadUnitsPerSecond": warm.read,
            "WriteUnitsPerSecond": warm.write,
            "Status": if creating { "UPDATING" } else { "ACTIVE" },
        }))
    }
}

impl Table {
    /// The description as it is now.
    pub(super) fn view(&self, region: &str, name: &str) -> Value {
        let arn = table_arn(region, name);
        let types = self.types.iter();
        let types =
            types.map(|(name, kind)| json!({ "AttributeName": name, "AttributeType": kind }));
        let mut view = json!({
            "TableName": name,
            "TableArn": arn,
            "TableId": self.id,
            "TableStatus": self.status.name(),
            "CreationDateTime": self.created,
            "AttributeDefinitions": types.collect::<Vec<Value>>(),
            "KeySchema": self.keys,
            "ItemCount": self.items.len(),
            "TableSizeBytes": 0,
            "ProvisionedThroughput": self.capacity.view(),
            "DeletionProtectionEnabled": self.protected,
        });
        if let Some(mode) = &self.billing {
            view["BillingModeSummary"] = json!({ "BillingMode": mode });
            if mode == ON_DEMAND && self.status != Status::Creating {
                view["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] =
                    self.created.into();
            }
        }
        if let Some(kind) = &self.stream {
            view["StreamSpecification"] = json!({ "StreamEnabled": true, "StreamViewType": kind });
        }
        let label = self.stream_label.as_ref();
        put(&mut view, "LatestStreamArn", label.map(|label| format!("{arn}/stream/{label}")));
        put(&mut view, "LatestStreamLabel", self.stream_label.clone());
        if let Some(key) = &self.key {
            view["SSEDescription"] =
                json!({ "Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key });
        }
        if let Some(restored) = &self.restored {
            view["RestoreSummary"] = restored.view(self.status == Status::Creating);
        }
        put(&mut view, "WarmThroughput", self.capacity.warm_view(self.warm, self.status));
        if let Some(class) = &self.class {
            view["TableClassSummary"] = json!({ "TableClass": class });
        }
        let indexes = self.index_views(&arn);
        if !indexes.is_empty() {
            view["GlobalSecondaryIndexes"] = indexes.into();
        }
        if !self.local_indexes.is_empty() {
            view["LocalSecondaryIndexes"] = self.local_indexes.clone().into();
        }
        view
    }

    fn index_views(&self, arn: &str) -> Vec<Value> {
        let views = self.indexes.iter().map(|(name, index)| {
            let mut view = json!({
                "IndexName": name,
                "IndexArn": format!("{arn}/index/{name}"),
                "IndexStatus": index.status.name(),
                "KeySchema": index.keys,
                "Projection": index.projection,
                "ProvisionedThroughput": index.capacity.view(),
                "IndexSizeBytes": 0,
                "ItemCount": 0,
            });
            put(&mut view, "WarmThroughput", index.capacity.warm_view(index.warm, index.status));
            if index.status == Status::Creating && self.status == Status::Updating {
                view["Backfilling"] = true.into();
            }
            view
        });
        views.collect()
    }

    /// Whether a read changes nothing.
    pub(super) fn is_at_rest(&self) -> bool {
        self.status == Status::Active
            && self.indexes.values().all(|index| index.status == Status::Active)
    }

    /// Moves the table to its next state. The answer is `false` once the table is gone.
    pub(super) fn settle(&mut self) -> bool {
        if self.status == Status::Deleting {
            return false;
        }
        self.status = Status::Active;
        self.indexes.retain(|_, index| index.status != Status::Deleting);
        for index in self.indexes.values_mut() {
            index.status = Status::Active;
        }
        self.drop_unused_types();
        true
    }
}
