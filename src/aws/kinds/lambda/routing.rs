//! Checks whether aliases can have the versions and the provisioned concurrency that they are to have.
//! AWS would refuse that in the middle of an apply.

use super::alias::Alias;
use super::alias::moved::is_published;
use crate::aws::preflight::{Check, Fate, Finding, Planned, Preflight, Subject};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::OpError;

/// Compares the aliases of a plan with what AWS demands of two versions, and of two aliases.
pub(super) const CHECK: Check = Check {
    subject: Subject::Limits,
    doing: "compare the aliases of functions",
    run: |cx| Box::pin(async { check(cx) }),
};

#[allow(clippy::unnecessary_wraps, reason = "it is a check like the others")]
fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let unlike = cx.planned.iter().filter_map(unlike);
    let doubled = cx.planned.iter().filter_map(|planned| doubled(cx, planned));
    Ok(unlike.chain(doubled).collect())
}

/// A new version that cannot share the calls with the one that a shift would move them from.
fn unlike(planned: &Planned<'_>) -> Option<Finding> {
    let alias = Alias::of(planned.address, &planned.want?.spec)?;
    let shift = alias.shift.filter(|_| planned.fate == Fate::Updated)?;
    if planned.live.is_some_and(|live| !is_published(&live.spec)) {
        return None;
    }
    let differs = |field: &str| {
        planned.changed.iter().any(|path| {
            path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let what = match (differs("release.role"), differs("release.dead_letter")) {
        (false, false) => return None,
        (true, false) => "the role",
        (false, true) => "the dead-letter target",
        (true, true) => "the role and the dead-letter target",
    };
    Some(Finding::Problem {
        title: format!(
            "the shift `{shift}` cannot move calls to the new version of {}",
            planned.address
        ),
        because: format!(
            "AWS divides the calls of an alias only between versions with the same role and the same \
             dead-letter target, and this plan changes {what} ({})",
            planned.origin
        ),
        hint: "change the policies of the role instead of the role; or remove the section of [shifts] \
               for one apply, which gives all calls to the new version at once".to_owned(),
    })
}

/// An alias with `hold` that is only being created: it gets the version that the other alias names or
/// gets as well, and AWS provides concurrency of a version for one alias.
fn doubled(cx: &Preflight<'_>, planned: &Planned<'_>) -> Option<Finding> {
    let new = |address: &Address| {
        let is_new =
            |planned: &&Planned<'_>| matches!(planned.fate, Fate::Created | Fate::Replaced);
        cx.planned.iter().filter(is_new).any(|planned| planned.address == address)
    };
    let alias = Alias::of(planned.address, &planned.want?.spec)?;
    if !alias.hold || !alias.is_provisioned() || !new(planned.address) {
        return None;
    }
    let mut others = cx.resources.iter().filter(|(address, other)| {
        let other = Alias::of(address, &other.spec).filter(Alias::is_provisioned);
        let is_same =
            |other: Alias| other.function == alias.function && (!other.hold || new(address));
        *address != planned.address && other.is_some_and(is_same)
    });
    let (other, _) = others.next()?;
    Some(Finding::Problem {
        title: format!("{} and {other} would name the same version", planned.address),
        because: format!(
            "AWS provides concurrency of a version for one alias only, and a new alias with `hold` \
             begins at the version that this plan publishes or finds ({})",
            planned.origin
        ),
        hint: "create the alias without `provisioned_concurrency`, and add it after the other alias has \
               moved to another version".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::aws::kinds::lambda::release::Release;
    use crate::aws::resource::Resource as _;
    use payctl_engine::model::desired::Desired;
    use payctl_engine::model::live::{Live, Phase, Tags};
    use payctl_engine::model::text::Outputs;

    #[test]
    fn a_shift_needs_versions_with_the_same_role_and_dead_letter_target() {
        let spec = Alias { shift: Some("pay".into()), ..Alias::sample() };
        let address = Address::new(Alias::META.kind, "sample-live");
        let of = |spec: &Alias| Desired {
            address: address.clone(),
            name: "f:live".into(),
            component: "functions".into(),
            origin: String::new(),
            spec: serde_json::to_value(spec).unwrap(),
            tags: Tags::new(),
            tags_once: Tags::new(),
            after: BTreeSet::new(),
        };
        let found = |live: Option<&Live>, spec: &Alias, changed: &[&'static str], fate| {
            let want = of(spec);
            let changed = changed.to_vec();
            let planned = Planned {
                address: &address,
                origin: "dev.toml:1",
                fate,
                changed,
                want: Some(&want),
                live,
            };
            unlike(&planned).map(|found| match found {
                Finding::Problem { because, .. } => because,
                other => panic!("{other:?}"),
            })
        };
        let role =
            found(None, &spec, &["release.memory", "release.role"], Fate::Updated).expect("a role");
        assert!(role.ends_with("this plan changes the role (dev.toml:1)"), "{role}");
        let target = found(None, &spec, &["release.dead_letter"], Fate::Updated).expect("a target");
        assert!(target.contains("changes the dead-letter target"), "{target}");
        assert_eq!(found(None, &spec, &["release.role_arn", "release.code"], Fate::Updated), None);
        assert_eq!(found(None, &spec, &["release.role"], Fate::Created), None);
        let unpublished = Alias { release: Release::default(), ..spec.clone() };
        let nobody = Live {
            id: "f:live".into(),
            spec: serde_json::to_value(unpublished).unwrap(),
            outputs: Outputs::new(),
            tags: Tags::new(),
            phase: Phase::Ready,
        };
        assert_eq!(found(Some(&nobody), &spec, &["release.role"], Fate::Updated), None);
        let plain = Alias { shift: None, ..spec };
        assert_eq!(found(None, &plain, &["release.role"], Fate::Updated), None);
    }
}
