//! `threat_detection`.

use crate::aws::kinds::guardduty::detector::Detector;
use crate::config::KeyPath;
use payctl_engine::model::address::Address;

use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn threat_detection(&mut self) {
        let Some(settings) = self.config.threat_detection.settings() else { return };
        let spec = Detector {
            frequency: settings.frequency.aws().to_owned(),
            features: settings.features.iter().map(|one| one.aws().to_owned()).collect(),
        };
        let name = self.name("guardduty.detector", "main");
        let address = Address::new("guardduty.detector", "main");
        self.add(Item::new(address, name, &KeyPath::of("threat_detection")), &spec);
    }
}
