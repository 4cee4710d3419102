//! Internet gateways, with their attachment folded in.

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InternetGateway {
    /// The id of the VPC that it is attached to.
    pub vpc: Text,
}
