//! What others own and an environment uses. payctl did not create it, and neither changes nor deletes it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{
    BucketName, KeyAlias, KeyId, RoleArn, RoleName, SubnetId, TagKey, TagValue, VpcId,
};

/// Tags that the object has.
type Tags = BTreeMap<TagKey, TagValue>;

/// A VPC that payctl did not create. Give exactly one key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExistingVpc {
    /// Its id, `"vpc-0123456789abcdef0"`.
    pub id: Option<VpcId>,
    /// Tags that only this VPC has: `{ Name = "shared" }`.
    #[serde(default)]
    pub tags: Tags,
}

/// Subnets that payctl did not create, as one tier. Give exactly one key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExistingSubnets {
    /// Their ids.
    #[serde(default)]
    pub ids: BTreeSet<SubnetId>,
    /// Tags that these subnets of the VPC have, and no other: `{ Tier = "private" }`.
    #[serde(default)]
    pub tags: Tags,
}

/// A KMS key that payctl did not create. Give exactly one key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExistingKey {
    /// Its id, or its ARN.
    pub id: Option<KeyId>,
    /// Its alias, without `alias/`.
    pub alias: Option<KeyAlias>,
    /// Tags that only this key has.
    #[serde(default)]
    pub tags: Tags,
}

/// A bucket that payctl did not create. Give exactly one key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExistingBucket {
    /// Its name.
    pub name: Option<BucketName>,
    /// Tags that only this bucket has.
    #[serde(default)]
    pub tags: Tags,
}

/// A role that payctl did not create. Give exactly one key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExistingRole {
    /// Its name, without its path.
    pub name: Option<RoleName>,
    /// Its ARN.
    pub arn: Option<RoleArn>,
}
