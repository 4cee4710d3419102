//! What destroys delete, kept in the table of the leases before the first deletion. A destroy that runs
//! again after a killed one searches for these names as well, and `gc` proves by them that a log group
//! without tags was payctl's.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::clients::{Aws, retry_read, soon};
use super::error::op;
use super::kinds::LATE;
use super::leases::{ENTRY, EXPIRES, KEY, TABLE, as_number, as_text, number, text};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};

/// The partition of all environments: the key of an environment has a slash.
const PARTITION: &str = "destroyed";
/// How long names are kept. Late writes come within minutes, a person who re-runs a destroy within days.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);
/// How many bytes of names one item holds; DynamoDB takes 400 KB.
const LARGEST: usize = 300_000;

/// A deleted object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Name {
    /// Its address.
    pub address: Address,
    /// Its name.
    pub name: String,
    /// What AWS knew it by.
    pub id: String,
}

/// The deleted objects of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destroyed {
    /// The project.
    pub project: String,
    /// The environment.
    pub env: String,
    /// The objects.
    pub names: Vec<Name>,
}

/// Keeps the names of what a destroy is about to delete, beside those that are kept already.
pub async fn remember(aws: &Aws, mut names: Vec<Name>, now: SystemTime) -> Result<(), OpError> {
    let known: BTreeSet<Name> = names.iter().cloned().collect();
    names.extend(of(aws, now).await?.into_iter().filter(|name| !known.contains(name)));
    let body = shortened(names);
    let expires = now.duration_since(UNIX_EPOCH).unwrap_or_default() + KEPT;
    let call = aws.dynamodb.put_item().table_name(TABLE).set_item(Some(HashMap::from([
        (KEY.to_owned(), text(PARTITION)),
        (ENTRY.to_owned(), text(entry(aws))),
        (EXPIRES.to_owned(), number(expires.as_secs())),
        ("body".to_owned(), text(body)),
    ])));
    let kept = soon(async { Box::pin(call.send()).await.map_err(op("PutItem")) }).await;
    kept.ok_or_else(|| no_answer("PutItem"))?.map(drop)
}

/// The names that are kept of the environment of these clients.
pub async fn of(aws: &Aws, now: SystemTime) -> Result<Vec<Name>, OpError> {
    let key =
        HashMap::from([(KEY.to_owned(), text(PARTITION)), (ENTRY.to_owned(), text(entry(aws)))]);
    let call = aws.dynamodb.get_item().table_name(TABLE).set_key(Some(key)).consistent_read(true);
    let ask = || async { Box::pin(call.clone().send()).await.map_err(op("GetItem")) };
    let got = soon(retry_read(ask)).await;
    match got.ok_or_else(|| no_answer("GetItem"))? {
        Ok(got) => Ok(got.item.and_then(|item| read(&item, now)).unwrap_or_default()),
        Err(error) if error.class == ErrorClass::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Every environment of the account and region of which names are kept. Without the table there is none.
pub async fn all(aws: &Aws, now: SystemTime) -> Result<Vec<Destroyed>, OpError> {
    let ask = || async {
        let call = aws.dynamodb.query().table_name(TABLE);
        let call = call.key_condition_expression("#key = :key");
        let call = call.expression_attribute_names("#key", KEY);
        let call = call.expression_attribute_values(":key", text(PARTITION));
        let items = call.into_paginator().items().send().try_collect().await;
        items.map_err(op("Query"))
    };
    let items: Vec<_> = match retry_read(ask).await {
        Ok(items) => items,
        Err(error) if error.class == ErrorClass::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let found = items.iter().filter_map(|item| {
        let entry = as_text(item, ENTRY)?;
        let (project, env) = entry.split_once('/')?;
        let names = read(item, now)?;
        Some(Destroyed { project: project.to_owned(), env: env.to_owned(), names })
    });
    Ok(found.collect())
}

fn entry(aws: &Aws) -> String {
    format!("{}/{}", aws.scope.project, aws.scope.env)
}

fn no_answer(operation: &str) -> OpError {
    OpError::new(operation, ErrorClass::Service, "NoAnswer", "no answer")
}

/// The names of an item that has not expired. A later version of payctl may have written it.
fn read(item: &HashMap<String, AttributeValue>, now: SystemTime) -> Option<Vec<Name>> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let is_over = as_number(item, EXPIRES).is_some_and(|expires| expires <= now);
    let body = as_text(item, "body").filter(|_| !is_over)?;
    serde_json::from_str(&body).ok()
}

/// As many names as an item holds, first those that a late write may bring back.
fn shortened(mut names: Vec<Name>) -> String {
    names.sort_by_key(|name| !LATE.iter().any(|late| late.kind == name.address.kind));
    let mut size = 2;
    let fitting = names.iter().map_while(|name| {
        let text = serde_json::to_string(name).ok()?;
        size += text.len() + 1;
        (size <= LARGEST).then_some(text)
    });
    format!("[{}]", fitting.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_names_those_stay_that_a_late_write_brings_back() {
        let name = |kind: &str, number: usize| Name {
            address: Address::new(kind, format!("thing-{number}")),
            name: format!("pr-7-shop-thing-{number}"),
            id: format!("arn:aws:thing:us-east-1:000000000000:pr-7-shop-thing-{number}"),
        };
        let mut names: Vec<Name> = (0..3000).map(|number| name("sqs.queue", number)).collect();
        names.push(name(LATE[0].kind, 3000));
        let body = shortened(names.clone());
        assert!(body.len() <= LARGEST, "{}", body.len());
        let kept: Vec<Name> = serde_json::from_str(&body).unwrap();
        assert!(kept.len() > 1000 && kept.len() < names.len(), "{}", kept.len());
        assert_eq!(kept[0], names[3000]);
    }
}
