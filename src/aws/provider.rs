//! The engine's provider over the table of kinds.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, join, try_join_all};
use serde_json::Value;

use super::clients::{Aws, retry_read};
use super::error::of_survey;
use super::kinds::{KINDS, RATES, find_kind};
use super::pace::rates::AT_ONCE;
use super::resource::{AnyKind, Cx, Survey};
use super::together::Together;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Tags};
use payctl_engine::model::meta::Meta;
use payctl_engine::model::verdict::Verdict;
use payctl_engine::provider::{Provider, Sweep, Target};

/// AWS as the engine sees it.
pub struct AwsProvider {
    aws: Aws,
    /// Looks for single objects that travel together.
    looks: Arc<Together<BTreeMap<String, Address>>>,
}

impl AwsProvider {
    /// A provider that calls AWS through these clients.
    pub fn new(aws: Aws) -> Self {
        Self { aws, looks: Arc::default() }
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

/// Surveys a kind for several who asked at the same moment, each with the names that it wants.
async fn look(
    aws: Aws,
    kind: &'static dyn AnyKind,
    asked: Vec<BTreeMap<String, Address>>,
) -> Result<Vec<Found>, OpError> {
    // Kinds that are named after what they join may want one name twice.
    let mut rounds: Vec<BTreeMap<String, Address>> = Vec::new();
    for wanted in asked {
        let agrees = |round: &&mut BTreeMap<String, Address>| {
            wanted.iter().all(|(name, address)| round.get(name).is_none_or(|one| one == address))
        };
        match rounds.iter_mut().find(agrees) {
            Some(round) => round.extend(wanted),
            None => rounds.push(wanted),
        }
    }
    let surveys =
        rounds.iter().map(|wanted| kind.survey(Survey { aws: &aws, wanted, sweep: None }));
    let mut all: Vec<Found> = Vec::new();
    for found in try_join_all(surveys).await?.into_iter().flatten() {
        let is_same = |one: &Found| one.live.id == found.live.id && one.address == found.address;
        if !all.iter().any(is_same) {
            all.push(found);
        }
    }
    Ok(all)
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
            let kind = known(kind)?;
            if sweep.is_none() {
                let aws = self.aws.clone();
                let look = move |wanted| look(aws, kind, wanted);
                let found = self.looks.ask(kind.meta().kind, wanted.clone(), look).await?;
                return Ok(Vec::clone(&found));
            }
            let cx = Survey { aws: &self.aws, wanted, sweep };
            // The first survey of a sweep asks for the tags, beside its own list.
            let found = join(cx.tags_of_everything(), kind.survey(cx)).await.1;
            let service = kind.meta().service;
            let mut found = found.map_err(|error| of_survey(error, &self.aws, service))?;
            let strangers = cx.strangers(kind.meta().kind, &found).await;
            found.extend(strangers);
            Ok(found)
        })
    }

    fn read<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Option<Live>, OpError>> {
        Box::pin(async move { known(&target.address.kind)?.read(Cx::of(&self.aws, target)).await })
    }

    fn glance<'a>(
        &'a self,
        target: &'a Target,
        planned: &'a Live,
    ) -> BoxFuture<'a, Result<Option<Live>, OpError>> {
        Box::pin(async move {
            known(&target.address.kind)?.glance(Cx::of(&self.aws, target), planned).await
        })
    }

    fn holder<'a>(
        &'a self,
        target: &'a Target,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<Option<Tags>, OpError>> {
        Box::pin(async move {
            known(&target.address.kind)?.holder(Cx::of(&self.aws, target), live).await
        })
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
