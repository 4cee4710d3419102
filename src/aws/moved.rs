//! What an apply leaves to others: the traffic that a shift or AWS itself moves.

use serde_json::Value;

use payctl_engine::model::error::{ErrorClass, OpError};

/// The wanted spec of an object that is there, without a field that says who moves a part of it: nothing
/// in AWS tells that.
pub(crate) fn without(field: &str, want: &Value, live: &Value) -> Option<Value> {
    live.as_object()?;
    let mut want = want.clone();
    want.as_object_mut()?.remove(field);
    Some(want)
}

/// Refuses to change what divides traffic while a run of a shift claims it.
pub(crate) fn unclaimed(op: &'static str, claim: Option<&String>) -> Result<(), OpError> {
    let Some(claim) = claim else { return Ok(()) };
    let message = format!(
        "a run of payctl shift holds this traffic (its claim: {claim}): wait for its end, or run the \
         shift again if it was cut off"
    );
    Err(OpError::new(op, ErrorClass::Invalid, "Shifting", message))
}
