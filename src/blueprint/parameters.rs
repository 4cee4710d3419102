//! `[parameters]`: the values that the platform publishes. The logical name is the full path.

use crate::aws::kinds::ssm::parameter::Parameter as Spec;
use crate::config::KeyPath;
use crate::config::schema::parameters::{Parameter, ParameterValue};
use crate::config::schema::text::Template;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::Text;

use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn parameters(&mut self) {
        for (name, config) in &self.config.parameters {
            let path = &KeyPath::of("parameters").key(name);
            let (value, list, description) = match config {
                Parameter::Text(text) => (self.text(text), false, None),
                Parameter::List(items) => (self.joined(items), true, None),
                Parameter::Described(described) => {
                    let description = described.description.clone();
                    match &described.value {
                        ParameterValue::Text(text) => (self.text(text), false, description),
                        ParameterValue::List(items) => (self.joined(items), true, description),
                    }
                }
            };
            if !self.scope.in_name(name) {
                let fix = "put `${env}` into the name: payctl finds its parameters by the name";
                self.problem(path, format!("`{}` does not name the environment", &**name), fix);
            }
            let spec = Spec { name: name.0.clone(), value, list, description };
            let address = Address::new("ssm.parameter", name.0.as_str());
            self.add(Item::new(address, name.0.as_str(), path), &spec);
        }
    }

    fn joined(&self, items: &[Template]) -> Text {
        let texts = items.iter().map(|item| self.text(item));
        texts.reduce(|list, text| list.then(",").then(text)).unwrap_or_default()
    }
}
