//! The order of the changes of a table.
//!
//! DynamoDB makes one change at a time. payctl first deletes unwanted indexes, one by one; then it
//! changes billing, capacity, stream and protection together; then it creates new indexes, one by
//! one; then it changes encryption, backups and expiry, each alone. Expiry is last, since a second
//! change of it waits for up to an hour.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::update_table::builders::UpdateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate,
    PointInTimeRecoverySpecification, TimeToLiveSpecification, UpdateGlobalSecondaryIndexAction,
};

use super::{Billing, Capacity, Index, Stream, Table, convert};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use payctl_engine::model::error::OpError;

/// One change that DynamoDB can make at once.
#[derive(Debug, PartialEq)]
pub(super) enum Move {
    /// Remove an index.
    DropIndex(String),
    /// The settings that can be changed together.
    Settings(Settings),
    /// Build an index.
    AddIndex(String),
    /// Change the encryption.
    Encrypt,
    /// Let items expire by this attribute, or no longer.
    Expiry(String, bool),
    /// Switch backups on or off.
    Backups(bool),
}

/// The settings that can be changed together; only those that differ are set.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Settings {
    /// The billing, capacity included.
    pub billing: Option<Billing>,
    /// The capacity of indexes.
    pub indexes: BTreeMap<String, Capacity>,
    /// The stream, on or off.
    pub stream: Option<Option<Stream>>,
    /// Deletion protection.
    pub protection: Option<bool>,
}

/// The next change on the way from `live` to `want`; none when they are equal.
pub(super) fn next_move(want: &Table, live: &Table) -> Option<Move> {
    drop_index(want, live)
        .or_else(|| settings(want, live).map(Move::Settings))
        .or_else(|| add_index(want, live))
        .or_else(|| (want.encryption != live.encryption).then_some(Move::Encrypt))
        .or_else(|| {
            let backups = want.point_in_time_recovery;
            (backups != live.point_in_time_recovery).then_some(Move::Backups(backups))
        })
        .or_else(|| expiry(want, live))
}

/// The deletion of an index that is unwanted, or that differs in settings that cannot be changed:
/// the second is built again.
fn drop_index(want: &Table, live: &Table) -> Option<Move> {
    let stays = |name: &String, live: &Index| {
        want.indexes.get(name).is_some_and(|want| {
            want.partition_key == live.partition_key
                && want.sort_key == live.sort_key
                && want.projection == live.projection
        })
    };
    let mut unwanted = live.indexes.iter().filter(|(name, index)| !stays(name, index));
    unwanted.next().map(|(name, _)| Move::DropIndex(name.clone()))
}

fn add_index(want: &Table, live: &Table) -> Option<Move> {
    let mut missing = want.indexes.keys().filter(|name| !live.indexes.contains_key(*name));
    missing.next().map(|name| Move::AddIndex(name.clone()))
}

fn settings(want: &Table, live: &Table) -> Option<Settings> {
    let existing = want.indexes.iter().filter_map(|(name, index)| {
        let live = live.indexes.get(name)?;
        let capacity = want.capacity_of(index)?;
        (live.capacity.as_ref() != Some(&capacity)).then(|| (name.clone(), capacity))
    });
    let settings = Settings {
        billing: (want.billing != live.billing).then(|| want.billing.clone()),
        indexes: existing.collect(),
        stream: match (want.stream, live.stream) {
            (want, live) if want == live => None,
            // A stream cannot change its view: it is switched off, and on again in the next move.
            (Some(_), Some(_)) => Some(None),
            (want, _) => Some(want),
        },
        protection: (want.deletion_protection != live.deletion_protection)
            .then_some(want.deletion_protection),
    };
    (settings != Settings::default()).then_some(settings)
}

fn expiry(want: &Table, live: &Table) -> Option<Move> {
    match (&want.ttl, &live.ttl) {
        (want, live) if want == live => None,
        (_, Some(old)) => Some(Move::Expiry(old.clone(), false)),
        (new, None) => new.clone().map(|new| Move::Expiry(new, true)),
    }
}

/// Makes one move.
pub(super) async fn make(aws: &Aws, want: &Table, live: &Table, next: Move) -> Result<(), OpError> {
    let update = aws.dynamodb.update_table().table_name(&want.name);
    let update = match next {
        Move::DropIndex(name) => update.global_secondary_index_updates(to_drop(&name)),
        Move::Settings(settings) => with_settings(update, &settings),
        Move::AddIndex(name) => with_index(update, want, live, &name),
        Move::Encrypt => update.sse_specification(want.encryption.to_sse()),
        Move::Expiry(attribute, on) => return set_expiry(aws, want, &attribute, on).await,
        Move::Backups(on) => return set_backups(aws, want, on).await,
    };
    update.send().await.map_err(op("UpdateTable")).map(drop)
}

/// Lifts the deletion protection.
pub(super) async fn unprotect(aws: &Aws, name: &str) -> Result<(), OpError> {
    let update = aws.dynamodb.update_table().table_name(name).deletion_protection_enabled(false);
    update.send().await.map_err(op("UpdateTable")).or_gone().map(drop)
}

fn to_drop(name: &str) -> GlobalSecondaryIndexUpdate {
    let action = DeleteGlobalSecondaryIndexAction::builder().index_name(name);
    let action = action.build().expect("the name was given");
    GlobalSecondaryIndexUpdate::builder().delete(action).build()
}

fn with_settings(
    mut update: UpdateTableFluentBuilder,
    settings: &Settings,
) -> UpdateTableFluentBuilder {
    if let Some(billing) = &settings.billing {
        update = update
            .billing_mode(billing.to_mode())
            .set_provisioned_throughput(billing.capacity().map(Capacity::to_throughput));
    }
    for (name, capacity) in &settings.indexes {
        let action = UpdateGlobalSecondaryIndexAction::builder()
            .index_name(name)
            .provisioned_throughput(capacity.to_throughput())
            .build()
            .expect("the name was given");
        let action = GlobalSecondaryIndexUpdate::builder().update(action).build();
        update = update.global_secondary_index_updates(action);
    }
    if let Some(stream) = settings.stream {
        update = update.stream_specification(convert::to_stream(stream));
    }
    update.set_deletion_protection_enabled(settings.protection)
}

/// The definitions must name exactly the attributes that the existing indexes and the new one use.
fn with_index(
    update: UpdateTableFluentBuilder,
    want: &Table,
    live: &Table,
    name: &str,
) -> UpdateTableFluentBuilder {
    let index = &want.indexes[name];
    let definitions = want.definitions(live.indexes.values().chain([index]));
    let action = CreateGlobalSecondaryIndexAction::builder()
        .index_name(name)
        .set_key_schema(Some(convert::to_keys(&index.partition_key, index.sort_key.as_ref())))
        .projection(index.projection.to_projection())
        .set_provisioned_throughput(want.capacity_of(index).as_ref().map(Capacity::to_throughput))
        .build()
        .expect("name and key were given");
    update.set_attribute_definitions(Some(definitions)).global_secondary_index_updates(
        GlobalSecondaryIndexUpdate::builder().create(action).build(),
    )
}

async fn set_expiry(aws: &Aws, want: &Table, attribute: &str, on: bool) -> Result<(), OpError> {
    let specification = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(on);
    let specification = specification.build().expect("attribute and state were given");
    let call = aws.dynamodb.update_time_to_live().table_name(&want.name);
    let send = call.time_to_live_specification(specification).send();
    send.await.map_err(op("UpdateTimeToLive")).map(drop)
}

async fn set_backups(aws: &Aws, want: &Table, on: bool) -> Result<(), OpError> {
    let specification = PointInTimeRecoverySpecification::builder();
    let specification = specification.point_in_time_recovery_enabled(on);
    let specification = specification.build().expect("the state was given");
    let call = aws.dynamodb.update_continuous_backups().table_name(&want.name);
    let send = call.point_in_time_recovery_specification(specification).send();
    send.await.map_err(op("UpdateContinuousBackups")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::{Attribute, Encryption, Projection};
    use super::*;
    use crate::aws::resource::Resource;

    /// What DynamoDB makes of a move.
    fn apply(want: &Table, live: &mut Table, next: &Move) {
        match next {
            Move::DropIndex(name) => {
                live.indexes.remove(name).expect("only what exists is removed");
            }
            Move::Settings(settings) => {
                if let Some(billing) = settings.billing.clone() {
                    if billing == Billing::OnDemand {
                        live.indexes.values_mut().for_each(|index| index.capacity = None);
                    } else if live.billing == Billing::OnDemand {
                        let all =
                            live.indexes.keys().all(|name| settings.indexes.contains_key(name));
                        assert!(all, "every index needs capacity");
                    }
                    live.billing = billing;
                }
                for (name, capacity) in &settings.indexes {
                    let index = live.indexes.get_mut(name).expect("only what exists is changed");
                    index.capacity = Some(capacity.clone());
                }
                if let Some(stream) = settings.stream {
                    assert!(stream.is_none() || live.stream.is_none(), "enabled twice");
                    live.stream = stream;
                }
                live.deletion_protection = settings.protection.unwrap_or(live.deletion_protection);
            }
            Move::AddIndex(name) => {
                let index = want.indexes[name].clone();
                let index = Index { capacity: want.capacity_of(&index), ..index };
                assert!(live.indexes.insert(name.clone(), index).is_none(), "made twice");
            }
            Move::Encrypt => live.encryption = want.encryption.clone(),
            Move::Expiry(attribute, on) => {
                assert_ne!(live.ttl.is_some(), *on, "the same state twice");
                live.ttl = on.then(|| attribute.clone());
            }
            Move::Backups(on) => live.point_in_time_recovery = *on,
        }
    }

    fn moves(want: &Table, live: &Table) -> Vec<Move> {
        let (mut live, mut moves) = (live.clone(), Vec::new());
        while let Some(next) = next_move(want, &live) {
            apply(want, &mut live, &next);
            moves.push(next);
            assert!(moves.len() < 20, "no end: {moves:?}");
        }
        assert_eq!(live, *want);
        moves
    }

    #[test]
    fn every_variant_is_reached_from_every_other() {
        let mut all = Table::variants();
        all.push(Table::sample());
        for want in &all {
            for live in &all {
                assert_eq!(moves(want, live).is_empty(), want == live);
            }
        }
    }

    #[test]
    fn combined_changes_follow_the_order_of_aws() {
        let live = Table::sample();
        let index = |name: &str| Index {
            partition_key: Attribute::text(name),
            sort_key: None,
            projection: Projection::KeysOnly,
            capacity: None,
        };
        let want = Table {
            indexes: BTreeMap::from([
                ("a-index".to_owned(), index("a")),
                ("customer-index".to_owned(), index("b")),
            ]),
            stream: None,
            ttl: Some("expires_at".into()),
            point_in_time_recovery: false,
            encryption: Encryption::Owned,
            deletion_protection: true,
            ..live.clone()
        };
        let expected = [
            Move::DropIndex("customer-index".into()),
            Move::Settings(Settings {
                stream: Some(None),
                protection: Some(true),
                ..Settings::default()
            }),
            Move::AddIndex("a-index".into()),
            Move::AddIndex("customer-index".into()),
            Move::Encrypt,
            Move::Backups(false),
            Move::Expiry("expires_at".into(), true),
        ];
        assert_eq!(moves(&want, &live), expected);
    }

    #[test]
    fn an_index_with_another_projection_is_rebuilt() {
        let live = Table::sample();
        let mut want = live.clone();
        want.indexes.values_mut().for_each(|index| index.projection = Projection::KeysOnly);
        let name = "customer-index".to_owned();
        assert_eq!(moves(&want, &live), [Move::DropIndex(name.clone()), Move::AddIndex(name)]);
    }

    #[test]
    fn provisioned_billing_gives_every_index_capacity_in_the_same_call() {
        let live = Table::sample();
        let capacity = Capacity { read: 5, write: 5 };
        let mut want = Table { billing: Billing::Provisioned(capacity.clone()), ..live.clone() };
        want.indexes.values_mut().for_each(|index| index.capacity = Some(capacity.clone()));
        let settings = Settings {
            billing: Some(want.billing.clone()),
            indexes: BTreeMap::from([("customer-index".to_owned(), capacity)]),
            ..Settings::default()
        };
        assert_eq!(moves(&want, &live), [Move::Settings(settings)]);
        let back = Settings { billing: Some(Billing::OnDemand), ..Settings::default() };
        assert_eq!(moves(&live, &want), [Move::Settings(back)]);
    }

    #[test]
    fn a_stream_changes_its_view_by_off_and_on() {
        let live = Table::sample();
        let want = Table { stream: Some(Stream::KeysOnly), ..live.clone() };
        let stream = |view| Move::Settings(Settings { stream: Some(view), ..Settings::default() });
        assert_eq!(moves(&want, &live), [stream(None), stream(want.stream)]);
    }

    #[test]
    fn expiry_by_another_attribute_is_switched_off_first() {
        let live = Table { ttl: Some("a".into()), ..Table::sample() };
        let want = Table { ttl: Some("b".into()), ..Table::sample() };
        let expected = [Move::Expiry("a".into(), false), Move::Expiry("b".into(), true)];
        assert_eq!(moves(&want, &live), expected);
    }

    #[test]
    fn a_new_index_is_sent_with_the_attributes_of_those_that_exist() {
        let grown = Table::variants().swap_remove(0);
        let live = Table::sample();
        let index = &grown.indexes["status-index"];
        let definitions = grown.definitions(live.indexes.values().chain([index])).into_iter();
        let names: Vec<String> = definitions.map(|definition| definition.attribute_name).collect();
        assert_eq!(names, ["customer_id", "status", "timestamp", "transaction_id"]);
    }
}
