//! `${tables.transactions.name}`: turns the words of the config into references.

use crate::config::references;
use crate::config::schema::network::SubnetTier;
use crate::config::schema::text::KeyRef;
use crate::config::template::{Piece, pieces};
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Part, Ref, Text};

use super::Builder;

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

    /// The ARN of a customer key.
    pub(super) fn key(&self, key: &KeyRef) -> Text {
        Text::reference(Address::new("kms.key", key.0.as_str()), Output::Arn)
    }

    fn reference(&self, expr: &str) -> Text {
        let steps: Vec<&str> = expr.split('.').collect();
        let (section, name, word) = match steps.as_slice() {
            ["account"] => return self.facts.account.clone().into(),
            ["network", "vpc_id"] => {
                return Text::reference(Address::new("ec2.vpc", "main"), Output::Id);
            }
            ["network", "cidr"] => {
                let network = self.config.network.as_ref();
                return network.map_or("", |network| &*network.cidr).into();
            }
            ["network", "public_subnets"] => return self.subnet_list(SubnetTier::Public),
            ["network", "private_subnets"] => return self.subnet_list(SubnetTier::Private),
            ["network", "isolated_subnets"] => return self.subnet_list(SubnetTier::Isolated),
            [section, name, word] => (*section, *name, *word),
            _ => return Text::default(),
        };
        references::find(section, word)
            .map_or_else(Text::default, |offer| Text::reference(offer.address(name), offer.output))
    }

    /// The future value of an output, for kinds whose ARN follows from the name.
    pub(super) fn predict(&self, reference: &Ref) -> Option<String> {
        let Ref { to, output } = reference;
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
        let super::Facts { account, region, partition, .. } = self.facts;
        let path = self.scope.iam_path();
        let tail = match kind {
            "dynamodb.table" => format!("dynamodb:{region}:{account}:table/{name}"),
            "ecs.cluster" => format!("ecs:{region}:{account}:cluster/{name}"),
            "events.rule" => format!("events:{region}:{account}:rule/{name}"),
            "iam.role" => format!("iam::{account}:role{path}{name}"),
            "iam.instance_profile" => format!("iam::{account}:instance-profile{path}{name}"),
            "lambda.function" => format!("lambda:{region}:{account}:function:{name}"),
            "logs.log_group" => format!("logs:{region}:{account}:log-group:{name}"),
            "s3.bucket" => format!("s3:::{name}"),
            "sns.topic" => format!("sns:{region}:{account}:{name}"),
            "sqs.queue" => format!("sqs:{region}:{account}:{name}"),
            _ => return None,
        };
        Some(format!("arn:{partition}:{tail}"))
    }
}
