//! Limits of an account that only Service Quotas tells. AWS would refuse one object too many in the
//! middle of an apply.
//!
//! AWS quirks: for a quota that nobody can raise, AWS may know only its own default, and answers the
//! question for the account's value with `NoSuchResourceException`.

use std::time::Duration;

use aws_sdk_servicequotas::types::ServiceQuota;
use futures::future::{BoxFuture, try_join};
use serde_json::Value;

use super::clients::{Aws, within};
use super::error::{Gone as _, op};
use super::preflight::{Fate, Finding, Planned, Preflight};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::permit::Permit;

/// What a kind with such a limit needs to look.
pub(crate) const PERMIT: Permit = Permit::look(
    &["servicequotas:GetAWSDefaultServiceQuota", "servicequotas:GetServiceQuota"],
    &["*"],
);

/// How long the answer may take: some regions do not have the service.
const PATIENCE: Duration = Duration::from_secs(10);

/// A limit of the objects of a kind.
pub(crate) struct Limit {
    /// The kind.
    pub(crate) kind: &'static str,
    /// What the limit counts: one, and several.
    pub(crate) names: (&'static str, &'static str),
    /// The service, as Service Quotas names it, and the code of the quota.
    pub(crate) quota: (&'static str, &'static str),
    /// Whether AWS raises it if somebody asks.
    pub(crate) is_adjustable: bool,
    /// Whether it counts an object with this spec.
    pub(crate) counts: fn(&Value) -> bool,
    /// How many the account has in this region.
    pub(crate) used: for<'a> fn(&'a Aws) -> BoxFuture<'a, Result<usize, OpError>>,
    /// What else helps.
    pub(crate) relief: &'static str,
}

/// Whether the account has room for what a plan creates. It makes no call for a plan that creates nothing
/// of the sort.
pub(crate) async fn check(
    cx: &Preflight<'_>,
    limit: &'static Limit,
) -> Result<Vec<Finding>, OpError> {
    let is_counted =
        |planned: &&Planned<'_>| planned.want.is_some_and(|want| (limit.counts)(&want.spec));
    let wanted: Vec<&Planned<'_>> =
        created(cx, limit.kind).into_iter().filter(is_counted).collect();
    let Some(first) = wanted.first() else { return Ok(Vec::new()) };
    let standing = try_join(value(cx.aws, limit), (limit.used)(cx.aws)).await;
    Ok(match standing {
        Ok((Some(most), used)) => {
            let room = Room { kind: limit.kind, names: limit.names, used, most };
            room.lacks(cx, &wanted, |needed| relief(limit, needed)).into_iter().collect()
        }
        Ok((None, _)) => Vec::new(),
        Err(error) => unread(cx, first, limit.names.1, error)?.into_iter().collect(),
    })
}

/// What a plan creates of a kind.
pub(crate) fn created<'a, 'b>(cx: &'b Preflight<'a>, kind: &str) -> Vec<&'b Planned<'a>> {
    let is_made = |planned: &&Planned<'_>| matches!(planned.fate, Fate::Created | Fate::Replaced);
    cx.of(kind).filter(is_made).collect()
}

/// The finding about a limit that could not be read: it never stands against a plan.
pub(crate) fn unread(
    cx: &Preflight<'_>,
    planned: &Planned<'_>,
    names: &str,
    error: OpError,
) -> Result<Option<Finding>, OpError> {
    if error.ends_everything() {
        return Err(error);
    }
    // An emulator without this operation does not have a limit either.
    Ok((!cx.aws.is_elsewhere).then(|| Finding::Note {
        address: planned.address.clone(),
        text: format!("payctl does not know how many {names} the account may have: {error}"),
        hint: "allow this call; if the quota is full, AWS refuses the creation".to_owned(),
    }))
}

/// The room of an account for the objects of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// The kind.
    pub(crate) kind: &'static str,
    /// The name of one, and of several.
    pub(crate) names: (&'static str, &'static str),
    /// How many there are.
    pub(crate) used: usize,
    /// How many there may be.
    pub(crate) most: usize,
}

impl Room {
    /// The finding, if there is no room for so many more. `hint` gets the number that would be enough.
    pub(crate) fn lacks(
        self,
        cx: &Preflight<'_>,
        wanted: &[&Planned<'_>],
        hint: impl FnOnce(usize) -> String,
    ) -> Option<Finding> {
        let Self { kind, names: (one, many), used, most } = self;
        let free = most.saturating_sub(used);
        let (first, wanted) = (wanted.first()?.address.clone(), wanted.len());
        if wanted <= free {
            return None;
        }
        let each = cx.resources.keys().filter(|address| address.kind == kind).count().max(1);
        let noun = if wanted == 1 { one } else { many };
        Some(Finding::Full {
            address: first,
            title: format!("the account has no room for {wanted} more {noun}"),
            because: format!(
                "it has {used} of {most} in {}; an environment like this one needs {each}, so {} \
                 more fit",
                cx.aws.scope.region,
                free / each
            ),
            hint: hint(used + wanted),
        })
    }
}

fn relief(limit: &Limit, needed: usize) -> String {
    let Limit { quota: (service, code), relief, is_adjustable, .. } = limit;
    match is_adjustable {
        true => format!("{relief}, or {}", request(service, code, needed)),
        false => {
            format!("{relief}, or use another region or account: AWS does not raise this quota")
        }
    }
}

/// How to ask AWS for a higher quota.
pub(crate) fn request(service: &str, code: &str, needed: usize) -> String {
    format!(
        "ask AWS for {needed} or more: aws service-quotas request-service-quota-increase \
         --service-code {service} --quota-code {code} --desired-value {needed}"
    )
}

/// The value of a quota in this account and region; AWS's default where only that is known.
async fn value(aws: &Aws, limit: &Limit) -> Result<Option<usize>, OpError> {
    let (service, code) = limit.quota;
    // Without it the plan only loses a note: a question that fails is not asked again.
    let asked = within(PATIENCE, async {
        match applied(aws, service, code).await? {
            Some(own) => Ok(Some(own)),
            None => default(aws, service, code).await,
        }
    });
    let late = || {
        let message = format!("no answer in {} s", PATIENCE.as_secs());
        OpError::new("GetServiceQuota", ErrorClass::Service, "NoAnswer", message)
    };
    asked.await.ok_or_else(late)?
}

async fn applied(aws: &Aws, service: &str, code: &str) -> Result<Option<usize>, OpError> {
    let call = aws.servicequotas.get_service_quota().service_code(service).quota_code(code);
    let answer = call.send().await.map_err(op("GetServiceQuota")).or_gone()?;
    Ok(number(answer.and_then(|answer| answer.quota)))
}

async fn default(aws: &Aws, service: &str, code: &str) -> Result<Option<usize>, OpError> {
    let call = aws.servicequotas.get_aws_default_service_quota();
    let call = call.service_code(service).quota_code(code);
    let answer = call.send().await.map_err(op("GetAWSDefaultServiceQuota")).or_gone()?;
    Ok(number(answer.and_then(|answer| answer.quota)))
}

fn number(quota: Option<ServiceQuota>) -> Option<usize> {
    let value = quota?.value.filter(|value| *value >= 0.0)?;
    format!("{value:.0}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::clients::tests::{Does, connected};
    use super::*;

    const LIMIT: Limit = Limit {
        kind: "service.thing",
        names: ("thing", "things"),
        quota: ("service", "L-1"),
        is_adjustable: true,
        counts: |_| true,
        used: |_| Box::pin(async { Ok(0) }),
        relief: "delete some",
    };

    #[tokio::test(start_paused = true)]
    async fn the_default_counts_where_the_account_has_no_value_of_its_own() {
        let aws = connected(|request| {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            match target {
                "ServiceQuotasV20190624.GetServiceQuota" => {
                    Does::Answer(400, r#"{"__type":"NoSuchResourceException","Message":"none"}"#)
                }
                "ServiceQuotasV20190624.GetAWSDefaultServiceQuota" => {
                    Does::Answer(200, r#"{"Quota":{"QuotaCode":"L-1","Value":600.0}}"#)
                }
                other => panic!("{other}"),
            }
        });
        assert_eq!(value(&aws.await, &LIMIT).await.unwrap(), Some(600));
    }

    #[tokio::test(start_paused = true)]
    async fn the_value_of_the_account_counts() {
        let aws = connected(|_| Does::Answer(200, r#"{"Quota":{"Value":7.0}}"#));
        assert_eq!(value(&aws.await, &LIMIT).await.unwrap(), Some(7));
        let denied = connected(|_| Does::Answer(400, r#"{"__type":"AccessDeniedException"}"#));
        let error = value(&denied.await, &LIMIT).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Denied);
        let stalls = connected(|_| Does::Stall);
        assert_eq!(value(&stalls.await, &LIMIT).await.unwrap_err().code, "NoAnswer");
    }
}
