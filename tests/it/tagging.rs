//! The listing of all tags lags behind. A plan is still right, or the next plan sees what it missed.

use payctl_engine::model::address::Address;
use payctl_engine::model::scope::TAG_PROTECT;
use payctl_engine::plan::{Action, Purpose};
use payctl_engine::planner;
use payctl_engine::survey::{PATIENCE, look};
use payctl_sandbox::Sandbox;

use crate::support::{
    block_on, expect_settled, plan_now, run, sample_provider, samples, sandboxed,
};

#[test]
fn new_objects_are_seen_although_their_tags_lag() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        sandbox.lag_tags(true).expect("a sandbox");
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = samples(&provider.aws().scope);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "creation").await;
        run(&provider, &blueprint, Purpose::Destroy).await;
        let left = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        assert!(left.changes.is_empty(), "{:#?}", left.changes);
    });
}

#[test]
fn deleted_objects_are_gone_although_their_tags_are_still_listed() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = samples(&provider.aws().scope);
        run(&provider, &blueprint, Purpose::Apply).await;
        let alive = sandbox.counts().expect("a sandbox");
        sandbox.lag_tags(true).expect("a sandbox");
        run(&provider, &blueprint, Purpose::Destroy).await;
        let left = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        assert!(left.changes.is_empty(), "{:#?}", left.changes);

        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "creation again").await;
        // The old keys, whose deletion is pending, stand beside the new ones.
        let doubled = sandbox.counts().expect("a sandbox").into_iter().filter(|(thing, count)| {
            alive.get(thing).is_some_and(|before| count != before) && !thing.starts_with("kms.")
        });
        assert_eq!(doubled.collect::<Vec<_>>(), []);
    });
}

/// A destroy sees protection that was added a moment ago, also from a config that does not ask for it.
#[test]
fn destroy_sees_protection_added_a_moment_ago() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = samples(&provider.aws().scope);
        run(&provider, &blueprint, Purpose::Apply).await;
        sandbox.lag_tags(true).expect("a sandbox");
        let mut protected = blueprint.clone();
        let table = Address::new("dynamodb.table", "sample");
        let desired = protected.resources.get_mut(&table).expect("a sample");
        desired.tags.insert(TAG_PROTECT.to_owned(), "true".to_owned());
        run(&provider, &protected, Purpose::Apply).await;
        let resources = &blueprint.resources;
        let snapshot = look(&provider, resources, Purpose::Destroy, PATIENCE, &|_| {}).await;
        let destroy =
            planner::plan(&provider, &blueprint, &snapshot, Purpose::Destroy, &[]).expect("a plan");
        assert!(destroy.refused.iter().any(|refused| refused.address == table));
    });
}

#[test]
fn a_new_tag_value_is_not_rewritten_while_the_listing_lags() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = samples(&provider.aws().scope);
        run(&provider, &blueprint, Purpose::Apply).await;
        sandbox.lag_tags(true).expect("a sandbox");
        let mut other = blueprint.clone();
        for desired in other.resources.values_mut() {
            desired.tags.insert("Team".into(), "cards".into());
        }
        let changed = run(&provider, &other, Purpose::Apply).await;
        assert!(changed.count(Action::Update) > 0);
        expect_settled(&provider, &other, "the change").await;

        // The listing still shows the old tags, and the config wants them again. The plan is wrong then,
        // and the next plan is right.
        run(&provider, &blueprint, Purpose::Apply).await;
        sandbox.lag_tags(false).expect("a sandbox");
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "the change back").await;
        let left = plan_now(&provider, &other, Purpose::Apply).await;
        assert_eq!(left.count(Action::Update), changed.count(Action::Update));
    });
}
