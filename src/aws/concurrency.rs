//! Checks the reserved concurrency of a plan against the account's limit. AWS would refuse too high
//! a reservation in the middle of an apply.

use super::clients::{Aws, patiently};
use super::error::op;
use payctl_engine::model::error::{ErrorClass, OpError};

/// The concurrent calls that must stay unreserved.
const FOR_EVERYBODY: i64 = 100;

/// A reservation that the account cannot make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The number of calls to reserve in addition.
    pub wanted: i64,
    /// The number of calls that can be reserved in addition.
    pub possible: i64,
    /// The limit of the account.
    pub limit: i64,
}

/// Checks whether the account can reserve this many more calls.
pub async fn shortage(aws: &Aws, wanted: i64) -> Result<Option<Shortage>, OpError> {
    let ask = || async {
        aws.lambda.get_account_settings().send().await.map_err(op("GetAccountSettings"))
    };
    let answer = match patiently(ask).await {
        // An emulator without this operation does not have a limit either.
        Err(error) if aws.is_elsewhere && error.class == ErrorClass::NotFound => return Ok(None),
        answer => answer?,
    };
    let Some(found) = answer.account_limit else { return Ok(None) };
    let free = found.unreserved_concurrent_executions.map_or(i64::MAX, i64::from);
    let possible = free.saturating_sub(FOR_EVERYBODY).max(0);
    let limit = i64::from(found.concurrent_executions);
    Ok((wanted > possible).then_some(Shortage { wanted, possible, limit }))
}
