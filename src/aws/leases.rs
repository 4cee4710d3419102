//! The leases of environments, and what is kept of each run beside them: one table of the account in
//! each region.
//!
//! AWS quirks: a table that is being created is not found by those who read its items. DynamoDB deletes
//! an expired item up to some days late, so a reader leaves expired items out itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType, TableStatus, Tag, TimeToLiveSpecification,
};
use futures::future::BoxFuture;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::clients::{Aws, retry_read, soon};
use super::error::{is_other_version, op};
use payctl_engine::lease::{Holder, LeaseStore, Record, RunRecord, Version, Wrote};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::permit::Permit;

/// The table. It belongs to the account: payctl creates it on first use and never deletes it.
pub const TABLE: &str = "payctl-leases";

/// The partition key: project and environment.
pub(super) const KEY: &str = "environment";
/// The sort key: [`LEASE`], or a run.
pub(super) const ENTRY: &str = "entry";
/// The entry of the lease.
const LEASE: &str = "lease";
/// What the entries of runs begin with; the time follows, so that they sort by it.
const RUN: &str = "run#";
/// The attribute by which DynamoDB deletes runs and the names of what was destroyed.
pub(super) const EXPIRES: &str = "expires";
/// The attribute of a lease with the time of its last write, for people: nothing that excludes compares it.
const HEARD: &str = "heard";
/// How long a run is kept.
const KEPT: Duration = Duration::from_secs(400 * 24 * 3600);
/// What an apply, a destroy and a shift need to hold a lease and to keep a record of the run.
pub const PERMITS: &[Permit] = &[Permit::change(
    &[
        "dynamodb:CreateTable",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:TagResource",
        "dynamodb:UpdateTimeToLive",
    ],
    &["dynamodb:{here}:table/payctl-leases"],
)];

/// What reading the records of runs needs.
pub const LOOKS: &[Permit] = &[Permit::look(
    &["dynamodb:GetItem", "dynamodb:Query"],
    &["dynamodb:{here}:table/payctl-leases"],
)];

/// The lease and the runs of one environment.
pub struct Leases<'a> {
    aws: &'a Aws,
    key: String,
    /// The holder that the last look saw, and when it was heard of.
    heard: Mutex<Option<(String, String)>>,
}

type Item = HashMap<String, AttributeValue>;

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn as_text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

pub(super) fn as_number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// An item as a record. `None` if something else wrote it.
fn record_of(item: &Item) -> Option<Record> {
    let holder = match as_text(item, "run") {
        None => None,
        Some(run) => Some(Holder {
            run,
            who: as_text(item, "who")?,
            person: as_text(item, "person"),
            task: as_text(item, "task")?,
            commit: as_text(item, "commit"),
            since: as_text(item, "since")?,
        }),
    };
    Some(Record {
        token: as_number(item, "token")?,
        beat: as_number(item, "beat")?,
        holder,
        lasts: Duration::from_millis(as_number(item, "lasts_ms")?),
    })
}

impl<'a> Leases<'a> {
    /// The lease and the runs of the environment of these clients.
    pub fn new(aws: &'a Aws) -> Self {
        let key = format!("{}/{}", aws.scope.project, aws.scope.env);
        Self { aws, key, heard: Mutex::default() }
    }

    fn item(&self, entry: &str) -> Item {
        let keys = [(KEY, &*self.key), (ENTRY, entry)];
        keys.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
    }

    /// Creates the table, or finds that another run is creating it. Until it can be used, the error says
    /// so; it passes by itself.
    async fn create(&self) -> Result<(), OpError> {
        let is_needed = "the builder has all members that the SDK demands";
        let attribute = |name: &str| {
            let kind = ScalarAttributeType::S;
            let built =
                AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build();
            built.expect(is_needed)
        };
        let key = |name: &str, kind: KeyType| {
            let built = KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
            built.expect(is_needed)
        };
        let tag = Tag::builder().key("payctl:purpose").value("leases").build();
        let made = self
            .aws
            .dynamodb
            .create_table()
            .table_name(TABLE)
            .attribute_definitions(attribute(KEY))
            .attribute_definitions(attribute(ENTRY))
            .key_schema(key(KEY, KeyType::Hash))
            .key_schema(key(ENTRY, KeyType::Range))
            .billing_mode(BillingMode::PayPerRequest)
            .deletion_protection_enabled(true)
            .tags(tag.expect(is_needed))
            .send()
            .await
            .map_err(op("CreateTable"));
        let status = match made {
            Ok(made) => made.table_description.and_then(|table| table.table_status),
            // Another run is creating it.
            Err(error) if matches!(error.class, ErrorClass::Exists | ErrorClass::Busy) => None,
            Err(error) => return Err(error),
        };
        match status {
            Some(TableStatus::Active) => Ok(()),
            _ => {
                let message = format!("AWS is creating the table {TABLE}");
                Err(OpError::new("CreateTable", ErrorClass::Busy, "TableNotReady", message))
            }
        }
    }

    /// The item of the lease.
    async fn lease(&self) -> Result<Option<Item>, OpError> {
        let call = self.aws.dynamodb.get_item().table_name(TABLE);
        let call = call.set_key(Some(self.item(LEASE))).consistent_read(true);
        Ok(call.send().await.map_err(op("GetItem"))?.item)
    }

    /// When a run was heard of last that had the lease at the last look.
    pub fn heard(&self, run: &str) -> Option<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.as_ref().filter(|(holder, _)| holder == run).map(|(_, at)| at.clone())
    }

    async fn get(&self) -> Result<Option<Record>, OpError> {
        let Some(item) = self.lease().await? else { return Ok(None) };
        let seen = as_text(&item, "run").zip(as_text(&item, HEARD));
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        record_of(&item).map(Some).ok_or_else(|| {
            let message = format!("payctl did not write the item {} of {TABLE}", self.key);
            OpError::new("GetItem", ErrorClass::Invalid, "ForeignItem", message)
        })
    }

    /// Makes DynamoDB delete expired runs. Nothing depends on it, so its failure is no failure.
    async fn expire(&self) {
        let ttl = TimeToLiveSpecification::builder().attribute_name(EXPIRES).enabled(true).build();
        let call = self.aws.dynamodb.update_time_to_live().table_name(TABLE);
        let Ok(ttl) = ttl else { return };
        // AWS refuses it once it is so.
        drop(call.time_to_live_specification(ttl).send().await);
    }

    async fn put(&self, record: &Record, over: Option<Version>) -> Result<Wrote, OpError> {
        if over.is_none() {
            self.expire().await;
        }
        let mut item = self.item(LEASE);
        let lasts = u64::try_from(record.lasts.as_millis()).unwrap_or(u64::MAX);
        let numbers = [("token", record.token), ("beat", record.beat), ("lasts_ms", lasts)];
        item.extend(numbers.map(|(name, value)| (name.to_owned(), number(value))));
        if let Some(Holder { run, who, person, task, commit, since }) = &record.holder {
            let heard = stamp(OffsetDateTime::now_utc());
            let texts = [
                ("run", Some(run)),
                ("who", Some(who)),
                ("person", person.as_ref()),
                ("task", Some(task)),
                ("commit", commit.as_ref()),
                ("since", Some(since)),
                (HEARD, Some(&heard)),
            ];
            let known = texts.into_iter().filter_map(|(name, value)| Some((name, value?)));
            item.extend(known.map(|(name, value)| (name.to_owned(), text(value))));
        }
        let call = self.aws.dynamodb.put_item().table_name(TABLE).set_item(Some(item));
        // Both are reserved words.
        let call = match over {
            None => call
                .condition_expression("attribute_not_exists(#entry)")
                .expression_attribute_names("#entry", ENTRY),
            Some(Version { token, beat }) => call
                .condition_expression("#token = :token AND #beat = :beat")
                .expression_attribute_names("#token", "token")
                .expression_attribute_names("#beat", "beat")
                .expression_attribute_values(":token", number(token))
                .expression_attribute_values(":beat", number(beat)),
        };
        match call.send().await.map_err(op("PutItem")) {
            Ok(_) => Ok(Wrote::Done),
            Err(error) if is_other_version(&error) => Ok(Wrote::Conflict),
            Err(error) => Err(error),
        }
    }

    /// Keeps a record of a run that has begun, unless that of its end is there already: a call whose reply is
    /// lost may come late.
    pub async fn begin(&self, run: &RunRecord, since: SystemTime) -> Result<(), OpError> {
        let call = self.record(run, since)?.condition_expression("attribute_not_exists(#entry)");
        match self.put_soon(call.expression_attribute_names("#entry", ENTRY)).await {
            Err(error) if is_other_version(&error) => Ok(()),
            kept => kept,
        }
    }

    /// Keeps a record of a run that has ended, in place of the one from when it began, at `since`.
    pub async fn keep(&self, run: &RunRecord, since: SystemTime) -> Result<(), OpError> {
        self.put_soon(self.record(run, since)?).await
    }

    /// Writes an item. A run does not wait long for its record.
    async fn put_soon(&self, call: PutItemFluentBuilder) -> Result<(), OpError> {
        let kept = soon(async { Box::pin(call.send()).await.map_err(op("PutItem")) }).await;
        let no_answer = || OpError::new("PutItem", ErrorClass::Service, "NoAnswer", "no answer");
        kept.ok_or_else(no_answer)?.map(drop)
    }

    /// The call that writes the record of a run.
    fn record(&self, run: &RunRecord, since: SystemTime) -> Result<PutItemFluentBuilder, OpError> {
        let run = run.clone().shortened();
        let body = serde_json::to_string(&run).map_err(|error| {
            OpError::new("PutItem", ErrorClass::Bug, "Unwritable", error.to_string())
        })?;
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Of two runs that began in the same second, the one that had the lease later comes later.
        let entry = format!("{RUN}{}#{:015}#{}", run.began, since.as_millis(), run.run);
        let mut item = self.item(&entry);
        let expires = since + KEPT;
        item.insert(EXPIRES.to_owned(), number(expires.as_secs()));
        item.insert("body".to_owned(), text(body));
        Ok(self.aws.dynamodb.put_item().table_name(TABLE).set_item(Some(item)))
    }

    /// The latest runs, the last one first, and what became of those without an end. Without the table there
    /// are none.
    pub async fn runs(&self, limit: usize, now: SystemTime) -> Result<Vec<RunRecord>, OpError> {
        let mut runs = self.recorded(limit, now).await?;
        if runs.iter().any(RunRecord::has_no_end) {
            let lease = retry_read(|| self.lease()).await?;
            find_ends(&mut runs, lease.as_ref(), now);
        }
        Ok(runs)
    }

    async fn recorded(&self, limit: usize, now: SystemTime) -> Result<Vec<RunRecord>, OpError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut runs = Vec::new();
        let mut start = None;
        loop {
            let call = self
                .aws
                .dynamodb
                .query()
                .table_name(TABLE)
                .key_condition_expression("#key = :key AND begins_with(#entry, :run)")
                .expression_attribute_names("#key", KEY)
                .expression_attribute_names("#entry", ENTRY)
                .expression_attribute_values(":key", text(&self.key))
                .expression_attribute_values(":run", text(RUN))
                .scan_index_forward(false)
                .set_exclusive_start_key(start.take());
            let page = retry_read(|| async { call.clone().send().await.map_err(op("Query")) });
            let page = match page.await {
                Ok(page) => page,
                Err(error) if error.class == ErrorClass::NotFound => return Ok(runs),
                Err(error) => return Err(error),
            };
            for item in page.items.unwrap_or_default() {
                let is_over = as_number(&item, EXPIRES).is_some_and(|expires| expires <= now);
                let run = as_text(&item, "body").filter(|_| !is_over);
                // A later version of payctl may have written it.
                runs.extend(run.and_then(|body| serde_json::from_str::<RunRecord>(&body).ok()));
            }
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if runs.len() >= limit || start.is_none() {
                runs.truncate(limit);
                return Ok(runs);
            }
        }
    }
}

/// What became of the runs without an end: one is running whose lease was renewed a moment ago. This compares the
/// clocks of two machines, and only what is shown depends on it.
fn find_ends(runs: &mut [RunRecord], lease: Option<&Item>, now: SystemTime) {
    let taken: Vec<_> = runs.iter().filter_map(|run| run.took_from.clone()).collect();
    // Without a lease nobody hears of it.
    for run in runs.iter_mut().filter(|run| run.has_no_end() && run.token.is_some()) {
        let own = lease.filter(|item| as_text(item, "run").as_ref() == Some(&run.run));
        let taken = taken.iter().find(|taken| taken.run == run.run);
        run.heard = match own {
            Some(item) => as_text(item, HEARD),
            None => taken.and_then(|taken| taken.heard.clone()),
        };
        let lasts = own.and_then(|item| as_number(item, "lasts_ms")).unwrap_or_default();
        let is_live = run.heard.as_deref().is_some_and(|heard| {
            let heard = OffsetDateTime::parse(heard, &Rfc3339).ok();
            heard.is_some_and(|heard| SystemTime::from(heard) + Duration::from_millis(lasts) > now)
        });
        if !is_live {
            run.result = RunRecord::NO_END.to_owned();
        }
    }
}

/// A time as it is kept: RFC 3339, without parts of a second.
pub fn stamp(time: OffsetDateTime) -> String {
    time.truncate_to_second().format(&Rfc3339).unwrap_or_default()
}

impl LeaseStore for Leases<'_> {
    fn read(&self) -> BoxFuture<'_, Result<Option<Record>, OpError>> {
        Box::pin(async move {
            match self.get().await {
                Err(error) if error.class == ErrorClass::NotFound => {
                    self.create().await.map(|()| None)
                }
                read => read,
            }
        })
    }

    fn write<'a>(
        &'a self,
        record: &'a Record,
        over: Option<Version>,
    ) -> BoxFuture<'a, Result<Wrote, OpError>> {
        Box::pin(self.put(record, over))
    }
}
