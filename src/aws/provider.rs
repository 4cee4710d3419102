//! The engine's provider over the table of kinds.

use std::collections::BTreeMap;

use futures::future::{BoxFuture, join};
use serde_json::Value;

use super::clients::{Aws, retry_read};
use super::error::of_survey;
use super::kinds::{KINDS, RATES, find_kind};
use super::pace::rates::AT_ONCE;
use super::resource::{AnyKind, Cx, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Tags};
use payctl_engine::model::meta::Meta;
use payctl_engine::model::verdict::Verdict;
use payctl_engine::provider::{Provider, Sweep, Target};

/// AWS as the engine sees it.
pub struct AwsProvider {
    aws: Aws,
}

impl AwsProvider {
    /// A provider that calls AWS through these clients.
    pub fn new(aws: Aws) -> Self {
        Self { aws }
    }

    /// The clients.
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    /// Checks an object that exists and is ready: asks what its kind asks beyond that. An object that
    /// cannot be checked has not passed.
    pub async fn check(&self, target: &Target, live: &Live) -> Verdict {
        let kind = match known(&target.address.kind) {
            Ok(kind) => kind,
            Err(error) => return Verdict::Failed(error.to_string()),
        };
        if let Some(behind) = kind.meta().check.and_then(|asked| asked.behind)
            && self.aws.is_stand_in()
        {
            return Verdict::NotRun(format!("what stands in for AWS has no {behind}"));
        }
        let checked = retry_read(|| kind.check(Cx::of(&self.aws, target), live)).await;
        checked.unwrap_or_else(|error| match error.class {
            ErrorClass::Unsupported => Verdict::NotRun(error.to_string()),
            _ => Verdict::Failed(error.to_string()),
        })
    }
}

fn known(name: &str) -> Result<&'static dyn AnyKind, OpError> {
    find_kind(name).ok_or_else(|| {
        OpError::new(
            name,
            ErrorClass::Bug,
            "UnknownKind",
            format!("this version of payctl does not know the kind `{name}`"),
        )
    })
}

impl Provider for AwsProvider {
    fn kinds(&self) -> Vec<&'static Meta> {
        KINDS.iter().map(|kind| kind.meta()).collect()
    }

    fn limit(&self, service: &str) -> usize {
        let rates = RATES.iter().find(|rates| rates.service == service);
        rates.map_or(AT_ONCE, |rates| rates.at_once)
    }

    fn canonical(&self, kind: &str, spec: &Value) -> Result<Value, OpError> {
        known(kind)?.canonical(spec)
    }

    fn survey<'a>(
        &'a self,
        kind: &'a str,
        wanted: &'a BTreeMap<String, Address>,
        sweep: Option<&'a Sweep>,
    ) -> BoxFuture<'a, Result<Vec<Found>, OpError>> {
        Box::pin(async move {
            let cx = Survey { aws: &self.aws, wanted, sweep };
            // The first survey of a sweep asks for the tags, beside its own list.
            let kind = known(kind)?;
            let found = join(cx.tags_of_everything(), kind.survey(cx)).await.1;
            let mut found = match sweep {
                Some(_) => found.map_err(|error| of_survey(error, &self.aws, kind.meta().service)),
                None => found,
            }?;
            let strangers = cx.strangers(kind.meta().kind, &found).await;
            found.extend(strangers);
            Ok(found)
        })
    }

    fn read<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Option<Live>, OpError>> {
        Box::pin(async move { known(&target.address.kind)?.read(Cx::of(&self.aws, target)).await })
    }

    fn create<'a>(
        &'a self,
        target: &'a Target,
        spec: &'a Value,
    ) -> BoxFuture<'a, Result<String, OpError>> {
        Box::pin(async move {
            known(&target.address.kind)?.create(Cx::of(&self.aws, target), spec).await
        })
    }

    fn update<'a>(
        &'a self,
        target: &'a Target,
        spec: &'a Value,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(async move {
            known(&target.address.kind)?.update(Cx::of(&self.aws, target), spec, live).await
        })
    }

    fn retag<'a>(
        &'a self,
        target: &'a Target,
        live: &'a Live,
        set: &'a Tags,
        unset: &'a [String],
    ) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(async move {
            known(&target.address.kind)?.retag(Cx::of(&self.aws, target), live, set, unset).await
        })
    }

    fn delete<'a>(
        &'a self,
        target: &'a Target,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(async move {
            known(&target.address.kind)?.delete(Cx::of(&self.aws, target), live).await
        })
    }
}
