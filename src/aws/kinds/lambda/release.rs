//! What a published version of a function runs: its code and its configuration.
//!
//! A version never changes. So an alias wants a release, and AWS says which release the version
//! runs that the alias names.

use std::collections::BTreeMap;

use aws_sdk_lambda::types::FunctionConfiguration;
use serde::{Deserialize, Serialize};

use super::function::{Function, Network};
use payctl_engine::model::text::Text;

/// The part of a function that a version keeps and that calls can notice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    /// The ARN of the role that it runs in.
    pub role: Text,
    /// The runtime, `python3.13`.
    pub runtime: String,
    /// The handler.
    pub handler: String,
    /// The processor: `arm64` or `x86_64`.
    pub architecture: String,
    /// MB of memory.
    pub memory: u32,
    /// Seconds until a call is given up.
    pub timeout: u32,
    /// MB of disk.
    pub disk: u32,
    /// The SHA-256 of its package in base64.
    pub code: String,
    /// Environment variables.
    pub environment: BTreeMap<String, Text>,
    /// The ARN of the key that encrypts them.
    pub environment_key: Option<Text>,
    /// Its place in a VPC.
    pub network: Option<Network>,
    /// The ARN of the queue or topic for asynchronous calls that fail.
    pub dead_letter: Option<Text>,
    /// Whether calls are traced.
    pub tracing: bool,
}

impl Release {
    /// The release that publishing a function makes.
    pub(crate) fn of(function: &Function) -> Self {
        let now = function.clone();
        Self {
            role: now.role,
            runtime: now.runtime,
            handler: now.handler,
            architecture: now.architecture,
            memory: now.memory,
            timeout: now.timeout,
            disk: now.disk,
            code: now.code,
            environment: now.environment,
            environment_key: now.environment_key,
            network: now.network,
            dead_letter: now.dead_letter,
            tracing: now.tracing,
        }
    }

    /// The release of a version, or of the function itself.
    pub(super) fn of_configuration(now: FunctionConfiguration) -> Self {
        Self::of(&Function::of_configuration(now))
    }
}
