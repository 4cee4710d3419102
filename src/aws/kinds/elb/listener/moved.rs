//! What a shift moves: the weights of the two target groups of an action. An apply takes over the live
//! ones.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{Action, Forward, Share};
use crate::aws::resource::without_shift;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::Tags;
use payctl_engine::model::text::Text;
use payctl_engine::traffic::TAG_SHIFT;

/// The spec that counts as wanted, if a shift moves its weights.
pub(in crate::aws::kinds::elb) fn moved(want: &Value, live: &Value) -> Option<Value> {
    let shift = want.get("shift").and_then(Value::as_str)?;
    let mut moved = without_shift(want, live)?;
    if let Some((wanted, now)) = parsed(want).zip(parsed(live)) {
        moved["action"] = json!(action(Some(shift), &wanted, &now));
    }
    Some(moved)
}

/// What a plan says of weights that belong to a shift.
pub(in crate::aws::kinds::elb) fn under_way(
    want: &Value,
    live: &Value,
) -> Option<(String, String)> {
    let shift = want.get("shift").and_then(Value::as_str)?;
    let Action::Forward(now) = parsed(live)? else { return None };
    let shares = now.targets.iter().map(|one| format!("{} {}", name(&one.group), one.weight));
    let shares: Vec<String> = shares.collect();
    Some((
        format!("its weights belong to the shift `{shift}`: {}", shares.join(", ")),
        format!("an apply leaves them alone; payctl shift status {shift} says how traffic stands"),
    ))
}

/// The action to send: the wanted one, with the live weights if a shift moves them.
pub(in crate::aws::kinds::elb) fn action(
    shift: Option<&str>,
    want: &Action,
    live: &Action,
) -> Action {
    match (shift, want, live) {
        (Some(_), Action::Forward(want), Action::Forward(live)) => {
            Action::Forward(want.with_weights_of(live))
        }
        _ => want.clone(),
    }
}

/// Refuses to change the target groups of an action while a run moves its traffic.
pub(in crate::aws::kinds::elb) fn unclaimed(op: &'static str, tags: &Tags) -> Result<(), OpError> {
    let Some(claim) = tags.get(TAG_SHIFT) else { return Ok(()) };
    let message = format!(
        "a run of payctl shift holds this traffic (its claim: {claim}): wait for its end, or run the \
         shift again if it was cut off"
    );
    Err(OpError::new(op, ErrorClass::Invalid, "Shifting", message))
}

impl Forward {
    /// The same target groups with the live weights. A group that takes the place of another takes over
    /// its weight. Otherwise new groups come with the weights of the config.
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
        if self.targets.len() != live.targets.len() || gone.len() > 1 {
            return self.clone();
        }
        let weight = |one: &Share| of(&live.targets, &one.group).or(gone.first().copied());
        let share = |one: &Share| Share {
            group: one.group.clone(),
            weight: weight(one).unwrap_or(one.weight),
        };
        Self { targets: self.targets.iter().map(share).collect(), ..self.clone() }
    }
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
        let want = json!({ "shift": "pay", "action": forward(want) });
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
        // Both were, or one came: nothing of the live weights fits.
        assert_eq!(weights(&[("azure", 100), ("grey", 0)], &live), [100, 0]);
        assert_eq!(weights(&[("blue", 50), ("green", 50)], &[("blue", 1)]), [50, 50]);
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
        let want = json!({ "shift": "pay", "action": forward(&[("blue", 100), ("green", 0)]) });
        let live = json!({ "action": forward(&[("blue", 75), ("green", 25)]) });
        let (said, _) = under_way(&want, &live).expect("a note");
        assert_eq!(said, "its weights belong to the shift `pay`: blue 75, green 25");
    }

    #[test]
    fn a_claim_keeps_the_target_groups() {
        let claimed = Tags::from([(TAG_SHIFT.to_owned(), "pay shift 1 2".to_owned())]);
        assert!(unclaimed("ModifyListener", &Tags::new()).is_ok());
        let error = unclaimed("ModifyListener", &claimed).expect_err("a claim");
        assert!(error.to_string().contains("pay shift 1 2"), "{error}");
    }
}
