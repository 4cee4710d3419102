//! `[certificates]`, and the alias records of domain names.

use crate::aws::kinds::acm::certificate::Certificate;
use crate::aws::kinds::route53::record::Record;
use crate::config::KeyPath;
use crate::config::schema::text::{DomainName, ItemName};
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn certificates(&mut self) {
        for (key, config) in &self.config.certificates {
            let path = &KeyPath::of("certificates").key(key);
            let name = self.item_name("acm.certificate", key, None, path);
            let zone = self.config.zone_for(config.zone.as_ref());
            let spec = Certificate {
                domain: config.domain.0.clone(),
                names: config.names.iter().map(|name| name.0.clone()).collect(),
                key: config.key.aws().to_owned(),
                zone: zone.map(|zone| zone.0.clone()),
            };
            let address = Address::new("acm.certificate", key.0.as_str());
            self.add(Item::new(address, name, path), &spec);
        }
    }

    /// The ARN of a certificate of this config, or the ARN that a value gives.
    pub(super) fn certificate(&self, given: &str) -> Text {
        if self.config.certificates.contains_key(&ItemName(given.to_owned())) {
            Text::reference(Address::new("acm.certificate", given), Output::Arn)
        } else {
            self.text(given)
        }
    }

    /// The alias record of a domain name, if it has a zone.
    pub(super) fn alias_record(
        &mut self,
        logical: &str,
        name: &DomainName,
        zone: Option<&DomainName>,
        target: &Address,
        path: &KeyPath,
    ) {
        let Some(zone) = self.config.zone_for(zone) else { return };
        let of = |output| Text::reference(target.clone(), output);
        let spec = Record {
            name: name.0.clone(),
            zone: zone.0.clone(),
            target: of(Output::Endpoint),
            target_zone: of(Output::ZoneId),
        };
        let address = Address::new("route53.record", logical);
        self.add(Item::new(address, name.0.as_str(), path), &spec);
    }
}
