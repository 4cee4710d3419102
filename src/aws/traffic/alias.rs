//! Aliases of functions that divide calls between two versions.
//!
//! AWS quirks: an alias names one version and has a part for another one. Which is which stays as it is:
//! only the part changes, from 0 to 1, so the alias itself says between which versions a shift moves. A
//! call passes the revision that was read, and AWS refuses it if the alias has changed since. Aliases
//! have no tags: the function carries one for each.

use std::collections::BTreeMap;

use aws_sdk_lambda::operation::get_alias::GetAliasOutput;
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use serde_json::json;

use super::figures::Metrics;
use super::{Road, Side, elsewhere};
use crate::aws::clients::Aws;
use crate::aws::error::{of_condition, op};
use crate::aws::kinds::lambda::alias::moved::claim_of;
use crate::aws::kinds::lambda::common::{add_tags, arn_of, parts, remove_tags, tags_of};
use payctl_engine::model::error::OpError;
use payctl_engine::traffic::{Reading, Standing, Targets, Weights};

/// An alias, `FUNCTION:ALIAS`, and the numbers of both versions.
pub(super) struct Versions {
    pub name: String,
    pub from: String,
    pub to: String,
}

/// Weights count in thousandths: AWS takes parts with two digits and more.
const WHOLE: f64 = 1000.0;

/// The versions between which an alias divides its calls: the one that it names, and the other.
pub(super) async fn sides(aws: &Aws, name: &str) -> Result<Option<(Side, Side)>, OpError> {
    let alias = get(aws, name).await?;
    let side = |id: String| Side { name: format!("version-{id}"), id };
    let other = other(&alias).map(|(version, _)| version);
    Ok(alias.function_version.zip(other).map(|(named, other)| (side(named), side(other))))
}

async fn get(aws: &Aws, name: &str) -> Result<GetAliasOutput, OpError> {
    let (function, alias) = parts(name);
    let call = aws.lambda.get_alias().function_name(function);
    call.set_name(alias.map(str::to_owned)).send().await.map_err(op("GetAlias"))
}

/// The other version, and its part.
fn other(alias: &GetAliasOutput) -> Option<(String, f64)> {
    let weights = alias.routing_config()?.additional_version_weights()?;
    weights.iter().next().map(|(version, part)| (version.clone(), *part))
}

impl Road for Versions {
    async fn read(&self, aws: &Aws) -> Result<Standing, OpError> {
        let (alias, claim) = futures::try_join!(get(aws, &self.name), self.claim(aws))?;
        let named = alias.function_version().unwrap_or_default();
        let part = match other(&alias) {
            Some((other, part)) if self.is_between(named, &other) => part,
            // AWS may leave out a part of nothing, or whatever gets nothing.
            None if named == self.from || named == self.to => 0.0,
            Some(_) | None => {
                let message = format!(
                    "{} no longer divides calls between the versions {} and {}",
                    self.name, self.from, self.to
                );
                return Err(elsewhere("GetAlias", message));
            }
        };
        let weights = match named == self.from {
            true => divided(part),
            false => {
                let Weights { from, to } = divided(part);
                Weights { from: to, to: from }
            }
        };
        let rest = json!({ "named": named, "revision": alias.revision_id });
        Ok(Standing { weights, claim, rest })
    }

    async fn set(&self, aws: &Aws, seen: &Standing, weights: Weights) -> Result<(), OpError> {
        let (function, alias) = parts(&self.name);
        let text = |key: &str| seen.rest[key].as_str().map(str::to_owned);
        let all = f64::from(weights.from + weights.to);
        let (other, part) = match text("named").as_deref() == Some(&*self.from) {
            true => (&self.to, weights.to),
            false => (&self.from, weights.from),
        };
        let routing = AliasRoutingConfiguration::builder()
            .additional_version_weights(other, f64::from(part) / all)
            .build();
        let call = aws
            .lambda
            .update_alias()
            .function_name(function)
            .set_name(alias.map(str::to_owned))
            .set_function_version(text("named"))
            .routing_config(routing)
            .set_revision_id(text("revision"));
        call.send().await.map_err(op("UpdateAlias")).map_err(of_condition).map(drop)
    }

    async fn tag(&self, aws: &Aws, claim: Option<&str>) -> Result<(), OpError> {
        let (function, alias) = parts(&self.name);
        let (arn, key) = (arn_of(aws, function), claim_of(alias));
        match claim {
            Some(claim) => add_tags(aws, &arn, &BTreeMap::from([(key, claim.to_owned())])).await,
            None => remove_tags(aws, &arn, &[key]).await,
        }
    }

    /// Versions have no targets.
    async fn targets(&self, _: &Aws) -> Reading<Targets> {
        None
    }

    fn metrics(&self) -> Option<(Metrics, Metrics)> {
        let of = |version: &str| Metrics {
            namespace: "AWS/Lambda",
            dimensions: vec![
                ("ExecutedVersion", version.to_owned()),
                ("FunctionName", parts(&self.name).0.to_owned()),
                ("Resource", self.name.clone()),
            ],
            requests: "Invocations",
            errors: &["Errors"],
            time: "Duration",
            unit: 0.001,
        };
        Some((of(&self.from), of(&self.to)))
    }
}

impl Versions {
    fn is_between(&self, one: &str, other: &str) -> bool {
        let pair = (self.from.as_str(), self.to.as_str());
        pair == (one, other) || pair == (other, one)
    }

    async fn claim(&self, aws: &Aws) -> Result<Option<String>, OpError> {
        let (function, alias) = parts(&self.name);
        let gone = || elsewhere("ListTags", format!("there is no function {function} any more"));
        let mut tags = tags_of(aws, &arn_of(aws, function)).await?.ok_or_else(gone)?;
        Ok(tags.remove(&claim_of(alias)))
    }
}

/// Weights of the version that an alias names and of the other one, which gets this part.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part is within 0 and 1"
)]
fn divided(part: f64) -> Weights {
    let to = (part.clamp(0.0, 1.0) * WHOLE).round() as u32;
    Weights { from: WHOLE as u32 - to, to }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_weights() {
        let percents = [0.0, 0.1, 0.25, 0.29, 1.0].map(|part| divided(part).percent());
        assert_eq!(percents, [0, 10, 25, 29, 100].map(Some));
        assert!(divided(0.1).divide_like(Weights::at(10)));
    }
}
