//! Conversions between the spec and DynamoDB's types.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, GlobalSecondaryIndexDescription,
    IndexStatus, KeySchemaElement, KeyType, Projection as SdkProjection, ProjectionType,
    ProvisionedThroughput, ProvisionedThroughputDescription, ScalarAttributeType, SseDescription,
    SseSpecification, SseStatus, SseType, StreamSpecification, StreamViewType, TableDescription,
    TableStatus, TimeToLiveDescription, TimeToLiveStatus,
};

use super::{Attribute, Billing, Capacity, Encryption, Index, Projection, Stream, Table, restore};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Phase;

impl Attribute {
    /// A text attribute.
    pub(super) fn text(name: &str) -> Self {
        Self { name: name.to_owned(), kind: "S".to_owned() }
    }

    /// A number attribute.
    pub(super) fn number(name: &str) -> Self {
        Self { name: name.to_owned(), kind: "N".to_owned() }
    }
}

impl Table {
    /// The definitions of exactly the attributes that the table's key and these indexes use.
    pub(super) fn definitions<'a>(
        &'a self,
        indexes: impl IntoIterator<Item = &'a Index>,
    ) -> Vec<AttributeDefinition> {
        let keys = indexes.into_iter().map(|index| (&index.partition_key, &index.sort_key));
        let keys = keys.chain([(&self.partition_key, &self.sort_key)]);
        let used: BTreeMap<&str, &str> = keys
            .flat_map(|(partition, sort)| [Some(partition), sort.as_ref()])
            .flatten()
            .map(|attribute| (attribute.name.as_str(), attribute.kind.as_str()))
            .collect();
        let define = |(name, kind)| {
            AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::from(kind))
                .build()
                .expect("name and type were given")
        };
        used.into_iter().map(define).collect()
    }

    /// The capacity of an index with provisioned billing.
    pub(super) fn capacity_of(&self, index: &Index) -> Option<Capacity> {
        self.billing.capacity().map(|table| index.capacity.clone().unwrap_or(table.clone()))
    }

    pub(super) fn to_index(&self, (name, index): (&String, &Index)) -> GlobalSecondaryIndex {
        GlobalSecondaryIndex::builder()
            .index_name(name)
            .set_key_schema(Some(to_keys(&index.partition_key, index.sort_key.as_ref())))
            .projection(index.projection.to_projection())
            .set_provisioned_throughput(
                self.capacity_of(index).as_ref().map(Capacity::to_throughput),
            )
            .build()
            .expect("name and key were given")
    }
}

pub(super) fn to_keys(partition: &Attribute, sort: Option<&Attribute>) -> Vec<KeySchemaElement> {
    let key = |attribute: &Attribute, key_type| {
        KeySchemaElement::builder()
            .attribute_name(&attribute.name)
            .key_type(key_type)
            .build()
            .expect("name and type were given")
    };
    let sort = sort.map(|sort| key(sort, KeyType::Range));
    [Some(key(partition, KeyType::Hash)), sort].into_iter().flatten().collect()
}

impl Projection {
    pub(super) fn to_projection(&self) -> SdkProjection {
        let (kind, attributes) = match self {
            Self::All => (ProjectionType::All, None),
            Self::KeysOnly => (ProjectionType::KeysOnly, None),
            Self::Include(names) => {
                (ProjectionType::Include, Some(names.iter().cloned().collect()))
            }
        };
        SdkProjection::builder().projection_type(kind).set_non_key_attributes(attributes).build()
    }

    fn from_projection(live: Option<&SdkProjection>) -> Self {
        match live.and_then(|live| live.projection_type()) {
            Some(ProjectionType::KeysOnly) => Self::KeysOnly,
            Some(ProjectionType::Include) => {
                let names = live.map(|live| live.non_key_attributes()).unwrap_or_default();
                Self::Include(names.iter().cloned().collect())
            }
            Some(_) | None => Self::All,
        }
    }
}

impl Billing {
    pub(super) fn to_mode(&self) -> BillingMode {
        match self {
            Self::OnDemand => BillingMode::PayPerRequest,
            Self::Provisioned(_) => BillingMode::Provisioned,
        }
    }

    pub(super) fn capacity(&self) -> Option<&Capacity> {
        match self {
            Self::OnDemand => None,
            Self::Provisioned(capacity) => Some(capacity),
        }
    }
}

impl Capacity {
    pub(super) fn to_throughput(&self) -> ProvisionedThroughput {
        ProvisionedThroughput::builder()
            .read_capacity_units(self.read.into())
            .write_capacity_units(self.write.into())
            .build()
            .expect("both units were given")
    }

    fn from_throughput(live: Option<&ProvisionedThroughputDescription>) -> Self {
        let units = |units: Option<i64>| units.and_then(|units| u32::try_from(units).ok());
        let read = live.and_then(|live| units(live.read_capacity_units())).unwrap_or_default();
        let write = live.and_then(|live| units(live.write_capacity_units())).unwrap_or_default();
        Self { read, write }
    }
}

pub(super) fn to_stream(view: Option<Stream>) -> StreamSpecification {
    let view = view.map(|view| StreamViewType::from(view.aws()));
    StreamSpecification::builder()
        .stream_enabled(view.is_some())
        .set_stream_view_type(view)
        .build()
        .expect("whether it is enabled was given")
}

fn from_stream(live: &StreamSpecification) -> Option<Stream> {
    if !live.stream_enabled() {
        return None;
    }
    let view = live.stream_view_type().and_then(|view| Stream::from_aws(view.as_str()));
    Some(view.unwrap_or(Stream::NewAndOldImages))
}

impl Encryption {
    pub(super) fn to_sse(&self) -> SseSpecification {
        let sse = SseSpecification::builder();
        match self {
            Self::Owned => sse.enabled(false),
            Self::Managed => sse.enabled(true).sse_type(SseType::Kms),
            Self::Kms(key) => {
                sse.enabled(true).sse_type(SseType::Kms).kms_master_key_id(key.known())
            }
        }
        .build()
    }
}

/// Whether a key that DynamoDB does not own is in use, or is about to be.
pub(super) fn is_kms(sse: &SseDescription) -> bool {
    matches!(sse.status(), Some(SseStatus::Enabled | SseStatus::Enabling | SseStatus::Updating))
}

/// The attribute that items expire by. While AWS switches expiry off, it counts as off: that may
/// take an hour and does not block other changes.
pub(super) fn ttl(live: Option<&TimeToLiveDescription>) -> Option<String> {
    let live = live?;
    match live.time_to_live_status() {
        Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling) => {
            live.attribute_name().map(str::to_owned)
        }
        Some(_) | None => None,
    }
}

/// The spec from the description of a table. Its name, TTL, backups and encryption come from
/// elsewhere.
pub(super) fn from_description(live: &TableDescription) -> Result<Table, OpError> {
    let (partition_key, sort_key) = from_keys(live, live.key_schema())?;
    let summary = live.billing_mode_summary().and_then(|summary| summary.billing_mode());
    let billing = match summary {
        Some(BillingMode::PayPerRequest) => Billing::OnDemand,
        Some(_) | None => {
            Billing::Provisioned(Capacity::from_throughput(live.provisioned_throughput()))
        }
    };
    // An index that AWS is deleting counts as deleted.
    let indexes = live.global_secondary_indexes().iter();
    let indexes = indexes.filter(|index| index.index_status() != Some(&IndexStatus::Deleting));
    let indexes = indexes.map(|index| from_index(live, index, &billing));
    Ok(Table {
        name: String::new(),
        partition_key,
        sort_key,
        indexes: indexes.collect::<Result<_, _>>()?,
        billing,
        stream: live.stream_specification().and_then(from_stream),
        ttl: None,
        point_in_time_recovery: false,
        encryption: Encryption::Owned,
        deletion_protection: live.deletion_protection_enabled().unwrap_or_default(),
        restore_from: restore::source(live.restore_summary()),
    })
}

fn from_index(
    table: &TableDescription,
    live: &GlobalSecondaryIndexDescription,
    billing: &Billing,
) -> Result<(String, Index), OpError> {
    let (partition_key, sort_key) = from_keys(table, live.key_schema())?;
    let throughput = live.provisioned_throughput();
    let index = Index {
        partition_key,
        sort_key,
        projection: Projection::from_projection(live.projection()),
        capacity: billing.capacity().map(|_| Capacity::from_throughput(throughput)),
    };
    Ok((live.index_name().unwrap_or_default().to_owned(), index))
}

fn from_keys(
    table: &TableDescription,
    keys: &[KeySchemaElement],
) -> Result<(Attribute, Option<Attribute>), OpError> {
    let find = |key_type: KeyType| {
        let name = keys.iter().find(|key| *key.key_type() == key_type)?.attribute_name();
        let definitions = table.attribute_definitions().iter();
        let mut kinds = definitions.filter(|definition| definition.attribute_name() == name);
        let kind = kinds.next().map(|definition| definition.attribute_type().as_str());
        Some(Attribute { name: name.to_owned(), kind: kind.unwrap_or_default().to_owned() })
    };
    let partition = find(KeyType::Hash).ok_or_else(|| {
        let message = "AWS returned a table or an index without a partition key";
        OpError::new("DescribeTable", ErrorClass::Service, "NoKey", message)
    })?;
    Ok((partition, find(KeyType::Range)))
}

/// The phase of a table, which is ready once every part of it is.
pub(super) fn phase_of(live: &TableDescription) -> Phase {
    match live.table_status() {
        Some(TableStatus::Active) | None => {}
        Some(TableStatus::Deleting) => return Phase::Deleting("DELETING".to_owned()),
        Some(TableStatus::Archived) => {
            let reason = "ARCHIVED: its KMS key was not accessible for seven days; the items are \
                          in the backup that AWS created";
            return Phase::Failed(reason.to_owned());
        }
        // It is not deleted: the table comes back once its key does.
        Some(status @ TableStatus::InaccessibleEncryptionCredentials) => {
            return Phase::Pending(format!("{status}: enable its KMS key"));
        }
        Some(status) => return Phase::Pending(status.to_string()),
    }
    let index = live.global_secondary_indexes().iter().find_map(index_at_work);
    let sse = live.sse_description().and_then(|sse| sse.status()).filter(|status| {
        matches!(status, SseStatus::Enabling | SseStatus::Updating | SseStatus::Disabling)
    });
    let at_work = index.or_else(|| sse.map(|status| format!("encryption {status}")));
    at_work.map_or(Phase::Ready, Phase::Pending)
}

fn index_at_work(index: &GlobalSecondaryIndexDescription) -> Option<String> {
    let name = index.index_name().unwrap_or_default();
    match index.index_status() {
        Some(status) if *status != IndexStatus::Active => Some(format!("index {name} {status}")),
        Some(_) | None => {
            index.backfilling().filter(|yes| *yes).map(|_| format!("index {name} BACKFILLING"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::resource::Resource;

    /// The description that AWS would give of a table.
    fn description(table: &Table, status: TableStatus) -> TableDescription {
        let indexes = table.indexes.iter().map(|(name, index)| {
            let units = table.capacity_of(index).unwrap_or(Capacity { read: 0, write: 0 });
            GlobalSecondaryIndexDescription::builder()
                .index_name(name)
                .index_status(IndexStatus::Active)
                .set_key_schema(Some(to_keys(&index.partition_key, index.sort_key.as_ref())))
                .projection(index.projection.to_projection())
                .provisioned_throughput(throughput(&units))
                .build()
        });
        let mode = (table.billing == Billing::OnDemand).then(|| {
            aws_sdk_dynamodb::types::BillingModeSummary::builder()
                .billing_mode(BillingMode::PayPerRequest)
                .build()
        });
        let units = table.billing.capacity().cloned().unwrap_or(Capacity { read: 0, write: 0 });
        TableDescription::builder()
            .table_status(status)
            .set_attribute_definitions(Some(table.definitions(table.indexes.values())))
            .set_key_schema(Some(to_keys(&table.partition_key, table.sort_key.as_ref())))
            .set_global_secondary_indexes(Some(indexes.collect()))
            .set_billing_mode_summary(mode)
            .provisioned_throughput(throughput(&units))
            .set_stream_specification(table.stream.map(|view| to_stream(Some(view))))
            .deletion_protection_enabled(table.deletion_protection)
            .build()
    }

    fn throughput(units: &Capacity) -> ProvisionedThroughputDescription {
        ProvisionedThroughputDescription::builder()
            .read_capacity_units(units.read.into())
            .write_capacity_units(units.write.into())
            .build()
    }

    fn expiry(status: TimeToLiveStatus) -> TimeToLiveDescription {
        let expiry = TimeToLiveDescription::builder().attribute_name("expires_at");
        expiry.time_to_live_status(status).build()
    }

    #[test]
    fn a_description_survives_the_round_trip() {
        for want in Table::variants() {
            let back = from_description(&description(&want, TableStatus::Active)).unwrap();
            let elsewhere = Table {
                name: String::new(),
                ttl: None,
                point_in_time_recovery: false,
                encryption: Encryption::Owned,
                ..want
            };
            assert_eq!(back, elsewhere);
        }
    }

    #[test]
    fn attribute_definitions_match_the_keys() {
        let definitions = Table::sample().definitions(Table::sample().indexes.values()).into_iter();
        let names: Vec<String> = definitions.map(|definition| definition.attribute_name).collect();
        assert_eq!(names, ["customer_id", "timestamp", "transaction_id"]);
        let definitions = Table::sample().definitions([]).into_iter();
        let names: Vec<String> = definitions.map(|definition| definition.attribute_name).collect();
        assert_eq!(names, ["timestamp", "transaction_id"]);
    }

    #[test]
    fn an_index_gets_the_capacity_of_its_table_unless_it_has_its_own() {
        let table = Capacity { read: 5, write: 5 };
        let mut want = Table { billing: Billing::Provisioned(table.clone()), ..Table::sample() };
        assert_eq!(want.capacity_of(&want.indexes["customer-index"]), Some(table));
        want.billing = Billing::OnDemand;
        assert_eq!(want.capacity_of(&want.indexes["customer-index"]), None);
    }

    #[test]
    fn a_table_is_ready_once_all_its_parts_are() {
        let at = |status| phase_of(&description(&Table::sample(), status));
        assert_eq!(at(TableStatus::Active), Phase::Ready);
        assert_eq!(at(TableStatus::Creating), Phase::Pending("CREATING".into()));
        assert_eq!(at(TableStatus::Deleting), Phase::Deleting("DELETING".into()));
        assert!(matches!(at(TableStatus::Archived), Phase::Failed(_)));
        assert!(matches!(at(TableStatus::InaccessibleEncryptionCredentials), Phase::Pending(_)));

        let mut filling = description(&Table::sample(), TableStatus::Active);
        for index in filling.global_secondary_indexes.iter_mut().flatten() {
            index.backfilling = Some(true);
        }
        assert!(matches!(phase_of(&filling), Phase::Pending(_)));

        let mut sealing = description(&Table::sample(), TableStatus::Active);
        sealing.sse_description =
            Some(SseDescription::builder().status(SseStatus::Updating).build());
        assert!(matches!(phase_of(&sealing), Phase::Pending(_)));
    }

    #[test]
    fn expiry_counts_as_on_while_enabling_and_as_off_while_disabling() {
        let enabling = expiry(TimeToLiveStatus::Enabling);
        assert_eq!(ttl(Some(&enabling)).as_deref(), Some("expires_at"));
        assert_eq!(ttl(Some(&expiry(TimeToLiveStatus::Disabling))), None);
    }
}
