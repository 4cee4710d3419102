//! `[certificates.NAME]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Config;
use super::text::{CertifiedName, DomainName};
use crate::words::certificates::KeyAlgorithm;

/// A certificate of ACM, which DNS records prove. ACM renews it by itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The first name, at most 64 characters: `"example.com"` or `"*.example.com"`.
    pub domain: CertifiedName,
    /// Further names. A wildcard stands for one label: `*.example.com` for `api.example.com`, and not
    /// for `example.com` or `a.b.example.com`.
    #[serde(default)]
    #[schemars(length(max = 9))]
    pub names: BTreeSet<CertifiedName>,
    /// The public hosted zone of the account that has all names. payctl writes the records that prove
    /// them. Default: `zone` of the environment. Without both, payctl shows the records and waits until
    /// you have set them.
    pub zone: Option<DomainName>,
    /// The algorithm of its key.
    #[serde(default)]
    pub key: KeyAlgorithm,
}

impl Config {
    /// The zone of a name: its own, or that of the environment.
    pub fn zone_for<'a>(&'a self, own: Option<&'a DomainName>) -> Option<&'a DomainName> {
        own.or(self.zone.as_ref())
    }
}

impl Certificate {
    /// All names.
    pub fn all_names(&self) -> impl Iterator<Item = &CertifiedName> {
        std::iter::once(&self.domain).chain(&self.names)
    }

    /// Whether it stands for a name.
    pub fn covers(&self, name: &str) -> bool {
        let above = name.split_once('.').map(|(_, above)| format!("*.{above}"));
        self.all_names().any(|own| own.0 == name || Some(&own.0) == above.as_ref())
    }
}
