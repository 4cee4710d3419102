//! Gateway endpoints for S3 and DynamoDB.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::document::Document;
use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewayEndpoint {
    /// The id of the VPC.
    pub vpc: Text,
    /// The full service name, `com.amazonaws.us-east-1.s3`.
    pub service: String,
    /// The ids of the route tables that lead to it.
    pub route_tables: BTreeSet<Text>,
    /// What may be done through it; full access if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Document>,
}
