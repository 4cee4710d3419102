//! `${tables.transactions.name}`: turns the words of the config into references.

use crate::aws::kinds::find_meta;
use crate::config::references;
use crate::config::schema::network::SubnetTier;
use crate::config::template::{Piece, pieces};
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Part, Ref, Text};

use super::{Builder, network};

impl Builder<'_> {
    /// A string with its references. The config is checked, so every reference is known.
    pub(super) fn text(&self, text: &str) -> Text {
        let parts = pieces(text).unwrap_or_default();
        parts.into_iter().fold(Text::default(), |text, piece| match piece {
            Piece::Literal(literal) => text.then(literal),
            Piece::Expr(expr) => text.then(self.reference(expr)),
        })
    }

    /// A string in the policy of the resource `own`. Its own ARN is written as text, since
    /// a resource cannot wait for itself.
    pub(super) fn text_within(&self, text: &str, own: &Address) -> Text {
        let text = self.text(text);
        let parts = text.parts().iter().map(|part| match part {
            Part::Ref(reference) if reference.to == *own => {
                let known = self.predict(reference);
                known.map_or(part.clone(), Part::Literal)
            }
            _ => part.clone(),
        });
        Text::from_parts(parts)
    }

    fn reference(&self, expr: &str) -> Text {
        let steps: Vec<&str> = expr.split('.').collect();
        let (section, name, word) = match steps.as_slice() {
            ["account"] => return self.facts.account.clone().into(),
            ["network", "vpc_id"] => return network::vpc(),
            ["network", "cidr"] => return self.network_range().into(),
            ["network", "public_subnets"] => return self.subnet_list(SubnetTier::Public),
            ["network", "private_subnets"] => return self.subnet_list(SubnetTier::Private),
            ["network", "isolated_subnets"] => return self.subnet_list(SubnetTier::Isolated),
            ["databases", name, "secret_arn"] => return self.database_secret(name),
            [section, name, word] => (*section, *name, *word),
            _ => return Text::default(),
        };
        references::find(section, name, word)
            .map_or_else(Text::default, |offer| Text::reference(offer.address(name), offer.output))
    }

    /// The future value of an output, for kinds whose ARN follows from the name.
    pub(super) fn predict(&self, reference: &Ref) -> Option<String> {
        let Ref { to, output } = reference;
        // A damaged config may refer to what is not there, of a kind without names.
        if !self.resources.contains_key(to) {
            find_meta(&to.kind)?.names.as_ref()?;
        }
        let name = self.physical_name(to);
        match output {
            Output::Name => Some(name),
            Output::Arn => self.arn(&to.kind, &name),
            _ => None,
        }
    }

    /// The name of a resource, added already or not.
    pub(super) fn physical_name(&self, address: &Address) -> String {
        match self.resources.get(address) {
            Some(desired) => desired.name.clone(),
            None => self.name(&address.kind, &address.name),
        }
    }

    /// The ARN that follows from a name.
    pub(super) fn arn(&self, kind: &str, name: &str) -> Option<String> {
        find_meta(kind)?.arn_of(&self.scope, name)
    }
}
