//! Weights of target groups that an apply leaves to others: to a shift, or to ECS. An apply takes over
//! the live ones.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types::Action as AwsAction;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Action, Forward, Share};
use crate::aws::moved::{self, without};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::Tags;
use payctl_engine::model::meta::Remark;
use payctl_engine::model::text::Text;
use payctl_engine::traffic::TAG_SHIFT;

/// Who moves the weights of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mover {
    /// A shift, by its name in the config.
    Shift(String),
    /// The deployments of a service, by its name in the config.
    Service(String),
}

/// The spec that counts as wanted, if somebody else moves its weights.
pub(in crate::aws::kinds::elb) fn moved(want: &Value, live: &Value) -> Option<Value> {
    let mover = mover(want)?;
    let mut moved = without("moved_by", want, live)?;
    if let Some((wanted, now)) = parsed(want).zip(parsed(live)) {
        moved["action"] = json!(action(Some(&mover), &wanted, &now));
    }
    Some(moved)
}

/// What a plan says of weights that belong to somebody else.
pub(in crate::aws::kinds::elb) fn under_way(want: &Value, live: &Value) -> Option<Remark> {
    let mover = mover(want)?;
    let Action::Forward(now) = parsed(live)? else { return None };
    let shares = now.targets.iter().map(|one| format!("{} {}", name(&one.group), one.weight));
    let shares = shares.collect::<Vec<String>>().join(", ");
    Some(match mover {
        Mover::Shift(shift) => (
            format!("its weights belong to the shift `{shift}`: {shares}"),
            format!(
                "an apply leaves them alone; payctl shift status {shift} says how traffic stands"
            ),
        ),
        Mover::Service(service) => (
            format!("its weights belong to the deployments of the service `{service}`: {shares}"),
            "an apply leaves them alone; ECS moves them".to_owned(),
        ),
    })
}

/// The actions to send; none if the live one stays. Refuses another one while a run of a shift moves its
/// traffic.
pub(in crate::aws::kinds::elb) fn sent(
    op: &'static str,
    mover: Option<&Mover>,
    want: &Action,
    live: &Action,
    tags: &Tags,
) -> Result<Option<Vec<AwsAction>>, OpError> {
    let action = action(mover, want, live);
    if action == *live {
        return Ok(None);
    }
    unclaimed(op, mover, tags)?;
    Ok(Some(vec![action.to_aws()]))
}

/// The wanted action, with the live weights if somebody else moves them.
fn action(mover: Option<&Mover>, want: &Action, live: &Action) -> Action {
    match (mover, want, live) {
        (Some(_), Action::Forward(want), Action::Forward(live)) => {
            Action::Forward(want.with_weights_of(live))
        }
        _ => want.clone(),
    }
}

/// Refuses to change the target groups of an action while a run of a shift moves its traffic.
fn unclaimed(op: &'static str, mover: Option<&Mover>, tags: &Tags) -> Result<(), OpError> {
    match mover {
        Some(Mover::Shift(_)) => moved::unclaimed(op, tags.get(TAG_SHIFT)),
        Some(Mover::Service(_)) | None => Ok(()),
    }
}

impl Forward {
    /// The same target groups with the live weights. A group that takes the place of another takes over
    /// its weight, and other new groups get no requests. If nothing of the live weights is left, those of
    /// the config count.
    fn with_weights_of(&self, live: &Self) -> Self {
        let of = |all: &BTreeSet<Share>, group: &Text| {
            all.iter().find(|one| one.group == *group).map(|one| one.weight)
        };
        let gone: Vec<u16> = live
            .targets
            .iter()
            .filter(|one| of(&self.targets, &one.group).is_none())
            .map(|one| one.weight)
            .collect();
        let is_new = |one: &&Share| of(&live.targets, &one.group).is_none();
        let taken_over = match (&gone[..], self.targets.iter().filter(is_new).count()) {
            ([weight], 1) => *weight,
            _ => 0,
        };
        let share = |one: &Share| Share {
            group: one.group.clone(),
            weight: of(&live.targets, &one.group).unwrap_or(taken_over),
        };
        let targets: BTreeSet<Share> = self.targets.iter().map(share).collect();
        if targets.iter().all(|one| one.weight == 0) {
            return self.clone();
        }
        Self { targets, ..self.clone() }
    }
}

/// Who moves the weights of a wanted action.
pub(in crate::aws::kinds::elb) fn mover(spec: &Value) -> Option<Mover> {
    Mover::deserialize(spec.get("moved_by")?).ok()
}

fn parsed(spec: &Value) -> Option<Action> {
    Action::deserialize(spec.get("action")?).ok()
}

/// The name of a target group, from its ARN.
fn name(group: &Text) -> &str {
    let arn = group.literal().unwrap_or_default();
    arn.rsplit(':').next().and_then(|path| path.split('/').nth(1)).unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(shares: &[(&str, u16)]) -> Value {
        let share = |(name, weight): &(&str, u16)| {
            let arn = format!("arn:aws:elasticloadbalancing:r:1:targetgroup/{name}/1f");
            json!({ "group": arn, "weight": weight })
        };
        let targets: Vec<Value> = shares.iter().map(share).collect();
        json!({ "forward": { "targets": targets, "sticky_seconds": null } })
    }

    fn weights(want: &[(&str, u16)], live: &[(&str, u16)]) -> Vec<u64> {
        let want = json!({ "moved_by": { "shift": "pay" }, "action": forward(want) });
        let moved = moved(&want, &json!({ "action": forward(live) })).expect("a shift moves it");
        let targets = moved["action"]["forward"]["targets"].as_array().expect("targets").clone();
        targets.iter().filter_map(|one| one["weight"].as_u64()).collect()
    }

    #[test]
    fn live_weights_count_as_wanted() {
        let live = [("blue", 75), ("green", 25)];
        assert_eq!(weights(&[("blue", 100), ("green", 0)], &live), [75, 25]);
        // A group was replaced.
        assert_eq!(weights(&[("azure", 100), ("green", 0)], &live), [75, 25]);
        assert_eq!(weights(&[("blue", 100), ("grey", 0)], &live), [75, 25]);
        // A group came: an apply moves no requests there.
        assert_eq!(weights(&[("blue", 50), ("green", 50)], &[("blue", 1)]), [1, 0]);
        // Both were replaced: nothing of the live weights fits.
        assert_eq!(weights(&[("azure", 100), ("grey", 0)], &live), [100, 0]);
        assert_eq!(weights(&[("green", 100)], &[("blue", 1), ("green", 0)]), [100]);
    }

    #[test]
    fn without_a_shift_the_config_decides() {
        let want = json!({ "action": forward(&[("blue", 100), ("green", 0)]) });
        let live = json!({ "action": forward(&[("blue", 75), ("green", 25)]) });
        assert_eq!(moved(&want, &live), None);
        assert_eq!(under_way(&want, &live), None);
    }

    #[test]
    fn a_plan_shows_whose_weights_they_are() {
        let want = json!({ "moved_by": { "shift": "pay" }, "action": forward(&[("blue", 100), ("green", 0)]) });
        let live = json!({ "action": forward(&[("blue", 75), ("green", 25)]) });
        let (said, _) = under_way(&want, &live).expect("a note");
        assert_eq!(said, "its weights belong to the shift `pay`: blue 75, green 25");
        let mut want = want;
        want["moved_by"] = json!({ "service": "api" });
        let (said, _) = under_way(&want, &live).expect("a note");
        let service =
            "its weights belong to the deployments of the service `api`: blue 75, green 25";
        assert_eq!(said, service);
    }

    #[test]
    fn a_claim_keeps_the_target_groups() {
        let claimed = Tags::from([(TAG_SHIFT.to_owned(), "pay shift 1 2".to_owned())]);
        let shift = Mover::Shift("pay".into());
        assert!(unclaimed("ModifyListener", Some(&shift), &Tags::new()).is_ok());
        assert!(unclaimed("ModifyListener", None, &claimed).is_ok());
        let error = unclaimed("ModifyListener", Some(&shift), &claimed).expect_err("a claim");
        assert!(error.to_string().contains("pay shift 1 2"), "{error}");
    }
}
