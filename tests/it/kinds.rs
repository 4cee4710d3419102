//! Every kind through its whole life: made, read back, changed in every mutable field, retagged,
//! deleted. The samples of all kinds form one environment, so references are real.

use payctl::aws::kinds::KINDS;
use payctl::engine::plan::{Action, Purpose};
use payctl::model::desired::Blueprint;
use payctl::model::scope::Scope;
use payctl::sandbox::connector::Sandbox;

use crate::support::{
    address_of, block_on, expect_settled, plan_now, provider, run, samples, sandboxed,
};

/// What an endpoint other than AWS gets wrong: (kind, variant), with the reason.
type Gaps = [(&'static str, usize, &'static str)];

/// The life of all samples on one endpoint.
pub async fn round_trip(provider: &payctl::aws::provider::AwsProvider, gaps: &Gaps) {
    let scope: &Scope = &provider.aws().scope;
    let mut blueprint = samples(scope);
    let made = run(provider, &blueprint, Purpose::Apply).await;
    assert_eq!(made.count(Action::Create), KINDS.len());
    expect_settled(provider, &blueprint, "creation").await;
    for kind in KINDS {
        for (index, variant) in kind.variants().into_iter().enumerate() {
            let name = kind.meta().kind;
            if let Some((_, _, why)) = gaps.iter().find(|gap| (gap.0, gap.1) == (name, index)) {
                println!("left out: {name} variant {index}: {why}");
                continue;
            }
            change(provider, &mut blueprint, *kind, variant, index).await;
        }
    }
    for desired in blueprint.resources.values_mut() {
        desired.tags.insert("Team".into(), "platform".into());
    }
    let retagged = run(provider, &blueprint, Purpose::Apply).await;
    let tagged = KINDS.iter().filter(|kind| kind.meta().tagged).count();
    assert_eq!(retagged.count(Action::Update), tagged);
    expect_settled(provider, &blueprint, "retagging").await;
    run(provider, &blueprint, Purpose::Destroy).await;
    let left = plan_now(provider, &blueprint, Purpose::Destroy).await;
    assert!(left.is_empty(), "left after destroy: {:?}", left.changes);
}

async fn change(
    provider: &payctl::aws::provider::AwsProvider,
    blueprint: &mut Blueprint,
    kind: &dyn payctl::aws::resource::AnyKind,
    variant: serde_json::Value,
    index: usize,
) {
    let address = address_of(kind);
    let when = format!("variant {index} of {address}");
    blueprint.resources.get_mut(&address).expect("every sample is there").spec = variant;
    let plan = run(provider, blueprint, Purpose::Apply).await;
    let own = plan.changes.iter().find(|change| change.address == address);
    let action = own.map(|change| change.action);
    assert_eq!(action, Some(Action::Update), "{when} is an update: {:?}", own.map(|c| &c.fields));
    expect_settled(provider, blueprint, &when).await;
}

#[test]
fn every_kind_keeps_what_it_is_told_on_the_sandbox() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider(&sandboxed(&sandbox)).await;
        round_trip(&provider, &[]).await;
        assert_eq!(sandbox.counts().expect("a sandbox"), std::collections::BTreeMap::new());
    });
}
