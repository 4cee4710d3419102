//! The one error that an operation on the cloud can end with.

use serde::{Deserialize, Serialize};

/// A refused, lost or impossible operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{op}: {code}: {message}{}", request(.request_id.as_deref()))]
pub struct OpError {
    /// The API operation, `CreateVpc`.
    pub op: String,
    /// What it means for the engine.
    pub class: ErrorClass,
    /// AWS's code as it came over the wire, or ours.
    pub code: String,
    /// AWS's message.
    pub message: String,
    /// AWS's request id, for support.
    pub request_id: Option<String>,
}

fn request(id: Option<&str>) -> String {
    id.map(|id| format!(" (request {id})")).unwrap_or_default()
}

/// What an error means for what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The object does not exist.
    NotFound,
    /// Something that was just made is not visible everywhere yet: try again until the deadline.
    NotYet,
    /// Too many calls; nothing happened. Try again more slowly.
    Throttled,
    /// The name is taken.
    Exists,
    /// In use, or being changed: try again until the deadline.
    Busy,
    /// Not permitted.
    Denied,
    /// No usable credentials, or they expired.
    Credentials,
    /// The clock of this machine is wrong, so that AWS takes no signature.
    Clock,
    /// A quota is full.
    Quota,
    /// AWS refuses the request itself; trying again cannot help.
    Invalid,
    /// The endpoint does not know the service or the operation: an emulator without it, or a region.
    Unsupported,
    /// The reply was lost or the service failed: it may or may not have happened. Look before
    /// trying again.
    Service,
    /// A bug in payctl.
    Bug,
}

impl OpError {
    /// An error that payctl itself raises.
    pub fn new(
        op: impl Into<String>,
        class: ErrorClass,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { op: op.into(), class, code: code.into(), message: message.into(), request_id: None }
    }

    /// Whether no other call can succeed either until somebody does something.
    pub fn ends_everything(&self) -> bool {
        matches!(self.class, ErrorClass::Credentials | ErrorClass::Clock)
    }

    /// Whether the same call can succeed later without anybody doing anything.
    pub fn passes(&self) -> bool {
        matches!(
            self.class,
            ErrorClass::NotYet | ErrorClass::Throttled | ErrorClass::Busy | ErrorClass::Service
        )
    }
}
