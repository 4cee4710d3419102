//! `[outputs]`: values for other tools.

use std::collections::BTreeMap;

use payctl_engine::model::text::Text;

use super::Builder;

impl Builder<'_> {
    pub(super) fn outputs(&self) -> BTreeMap<String, Text> {
        let outputs = self.config.outputs.iter();
        outputs.map(|(name, output)| (name.0.clone(), self.text(output.value()))).collect()
    }
}
