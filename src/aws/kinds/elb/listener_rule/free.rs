//! A free priority for a rule that does not say one, such as a rule on a listener of another environment.
//!
//! The place follows from the environment and the address, and goes on to the next one that is free. So
//! two runs that create the same rule at once ask for the same place: AWS refuses one of them, which then
//! finds the rule of the other. A run whose reply was lost finds its own rule there.

use sha2::{Digest, Sha256};

use super::{convert, rules_of};
use crate::aws::kinds::elb::common;
use crate::aws::resource::Cx;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::scope::Scope;

/// The priorities that payctl chooses from: above those that people write.
const FIRST: u16 = 20_000;
const COUNT: u16 = 30_000;

/// A place among the rules of a listener.
pub(super) enum Place {
    /// It is free.
    Free(u16),
    /// The rule of this address is there already.
    Own(String),
}

/// The place of a rule.
pub(super) async fn place(cx: &Cx<'_>, listener: &str) -> Result<Place, OpError> {
    let rules = rules_of(cx.aws, listener).await?.unwrap_or_default();
    for priority in places(&cx.aws.scope, cx.address) {
        let holder = rules.iter().find(|rule| convert::priority(rule) == Some(priority));
        let Some(arn) = holder.and_then(|rule| rule.rule_arn()) else {
            return Ok(Place::Free(priority));
        };
        let tags = common::tags_of(cx.aws, arn).await?;
        if tags.and_then(|tags| cx.aws.scope.owned(&tags)).as_ref() == Some(cx.address) {
            return Ok(Place::Own(arn.to_owned()));
        }
    }
    let message = "the listener has no free priority";
    Err(OpError::new("CreateRule", ErrorClass::Invalid, "TooManyRules", message))
}

/// The priorities to try, in order.
fn places(scope: &Scope, address: &Address) -> impl Iterator<Item = u16> {
    let text = format!("{}/{}/{address}", scope.project, scope.env);
    let digest = Sha256::digest(text.as_bytes());
    let begin = u16::from_be_bytes([digest[0], digest[1]]) % COUNT;
    (0..COUNT).map(move |step| FIRST + (begin + step) % COUNT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn places_follow_from_the_environment_and_the_address() {
        let scope = |env: &str| Scope {
            project: "shop".into(),
            env: env.into(),
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            partition: "aws".into(),
        };
        let address = Address::new("elb.listener_rule", "public-443-api");
        let of = |env: &str| places(&scope(env), &address).collect::<Vec<_>>();
        assert_eq!(of("pr-7"), of("pr-7"));
        assert_ne!(of("pr-7")[0], of("pr-8")[0]);
        let all: BTreeSet<u16> = of("pr-7").into_iter().collect();
        assert_eq!((all.first(), all.last(), all.len()), (Some(&20_000), Some(&49_999), 30_000));
    }
}
