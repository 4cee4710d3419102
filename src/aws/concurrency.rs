//! Whether the account has the calls that functions want set aside: AWS refuses what leaves too few
//! for everybody else, and would do so in the middle of an apply.

use super::clients::{Aws, patiently};
use super::error::op;
use payctl_engine::model::error::{ErrorClass, OpError};

/// How many calls at the same time nobody may set aside.
const FOR_EVERYBODY: i64 = 100;

/// More calls than the account can set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// How many more are wanted than are set aside now.
    pub wanted: i64,
    /// How many more can be.
    pub possible: i64,
    /// How many the account has at all.
    pub limit: i64,
}

/// Asks whether so many more calls can be set aside.
pub async fn shortage(aws: &Aws, wanted: i64) -> Result<Option<Shortage>, OpError> {
    let ask = || async {
        aws.lambda.get_account_settings().send().await.map_err(op("GetAccountSettings"))
    };
    let answer = match patiently(ask).await {
        // An emulator without this question has no limit either.
        Err(error) if aws.is_elsewhere && error.class == ErrorClass::NotFound => return Ok(None),
        answer => answer?,
    };
    let Some(found) = answer.account_limit else { return Ok(None) };
    let free = found.unreserved_concurrent_executions.map_or(i64::MAX, i64::from);
    let possible = free.saturating_sub(FOR_EVERYBODY).max(0);
    let limit = i64::from(found.concurrent_executions);
    Ok((wanted > possible).then_some(Shortage { wanted, possible, limit }))
}
