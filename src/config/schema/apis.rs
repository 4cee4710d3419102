//! `[apis.NAME]` and `[vpc_links.NAME]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::PhysicalName;

/// A REST API with its stage.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}

/// A way for APIs into the network.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VpcLink {
    /// The physical name, instead of one by the pattern.
    pub name: Option<PhysicalName>,
}
