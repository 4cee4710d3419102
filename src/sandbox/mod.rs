//! The embedded AWS: enough of each service, at its HTTP boundary, to rehearse a whole environment.
//!
//! The SDK (or the AWS CLI, through `serve`) sends real requests; `wire` decodes them into a
//! [`Call`], the service's module answers from the [`World`], and the answer is encoded the way the
//! service's protocol wants it. It behaves as AWS does where that matters to payctl: dependency
//! violations, soft deletes, slow transitions, defaults that come back unasked.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One API call, decoded.
///
/// JSON services: the body as it came. Query services (`ec2`, `iam`, `sns`, `sts`): the form as a
/// tree, `Filter.1.Value.2=x` as `{"Filter": [{"Value": [.., "x"]}]}` (EC2) and
/// `Tags.member.1.Key=k` as `{"Tags": [{"Key": "k"}]}`; every leaf is a string there.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The service as AWS signs it: `ec2`, `iam`, `sqs`, `logs` ...
    pub service: String,
    /// The operation, `CreateVpc`.
    pub operation: String,
    /// Its input.
    pub input: Value,
    /// The region that the request was signed for.
    pub region: String,
}

/// What a call is answered with. Query services: an object with the members as they stand in the
/// XML (`{"vpcSet": [{"vpcId": ..}]}`); lists become `<item>` (EC2) or `<member>` elements.
pub(crate) type Answer = Result<Value, Refusal>;

/// An error as the service would send it, with the code as it goes over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code.
    pub code: String,
    /// The message.
    pub message: String,
}

impl Refusal {
    /// A refusal with status 400.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.to_owned(), message: message.into() }
    }
}

/// The whole state of the sandbox: one part for each service.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct World {
    /// Makes ids and tells the time.
    pub base: Base,
}

/// What every service shares.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Base {
    /// Counts made ids.
    pub made: u64,
}

/// The account that the sandbox pretends to be.
pub(crate) const ACCOUNT: &str = "000000000000";

impl Base {
    /// A new id, `vpc-0a1b...`: unique, and the same in every run with the same history.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        self.made += 1;
        let mixed = self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{prefix}-0{:016x}", mixed)
    }

    /// Seconds since the epoch.
    pub(crate) fn now(&self) -> f64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map(|age| age.as_secs_f64()).unwrap_or_default()
    }
}
