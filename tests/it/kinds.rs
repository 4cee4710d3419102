//! Every kind through its whole life: made, read back, changed in every mutable field, retagged,
//! deleted. The samples of all kinds form one environment, so references are real.

use std::collections::{BTreeMap, BTreeSet};

use payctl::aws::kinds::{KINDS, find_meta};
use payctl::aws::provider::AwsProvider;
use payctl::aws::resource::AnyKind;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::live::{Found, Tags};
use payctl_engine::model::scope::TAG_KEYS;
use payctl_engine::model::text::{Output, Outputs, Ref, each_ref, resolve};
use payctl_engine::plan::{Action, Purpose};
use payctl_engine::provider::{Provider as _, Target};
use payctl_engine::survey::survey;
use payctl_sandbox::Sandbox;
use serde_json::Value;

use crate::support::{
    address_of, block_on, expect_settled, left_by_samples, plan_now, run, sample_provider, samples,
    sandboxed,
};

/// A value that an endpoint other than AWS does not keep. The samples have another value there.
pub struct Gap {
    /// The kind.
    pub kind: &'static str,
    /// The field, as a JSON pointer.
    pub field: &'static str,
    /// The value, as JSON; any value if empty.
    pub value: &'static str,
    /// The value instead of it, as JSON; the value of the first sample if empty.
    pub instead: &'static str,
    /// What the endpoint does wrong.
    pub why: &'static str,
}

impl Gap {
    /// Replaces the value. Returns whether it was there.
    pub fn close(&self, spec: &mut Value, sample: &Value) -> bool {
        let Some(value) = spec.pointer_mut(self.field) else { return false };
        let json = |text| serde_json::from_str::<Value>(text).expect("gaps hold JSON");
        let instead = match self.instead {
            "" => sample.pointer(self.field).cloned().unwrap_or_default(),
            text => json(text),
        };
        let hit = *value != instead && (self.value.is_empty() || *value == json(self.value));
        if hit {
            *value = instead;
        }
        hit
    }
}

fn close(gaps: &[Gap], kind: &dyn AnyKind, mut spec: Value) -> Value {
    let (name, sample) = (kind.meta().kind, kind.sample());
    for gap in gaps.iter().filter(|gap| gap.kind == name) {
        if gap.close(&mut spec, &sample) {
            println!("left out: {name} {}: {}", gap.field, gap.why);
        }
    }
    spec
}

/// Compares the outputs that each kind predicts with those that its sample has. An endpoint with hosts of
/// its own gives other URLs than AWS.
fn predictions(
    provider: &AwsProvider,
    blueprint: &Blueprint,
    actual: &BTreeMap<Address, Outputs>,
    own_hosts: bool,
) {
    let scope = &provider.aws().scope;
    let known = |reference: &Ref| actual.get(&reference.to)?.get(&reference.output).cloned();
    let mut wrong = Vec::new();
    for Desired { address, name, spec, .. } in blueprint.resources.values() {
        let meta = find_meta(&address.kind).expect("a known kind");
        let spec = provider.canonical(&address.kind, &resolve(spec, &known)).expect("a spec");
        let predicted = meta.predict(scope, name, &spec);
        assert_eq!(predicted.len(), meta.predicted.len(), "{address}: a field is not known");
        let outputs = &actual[address];
        for (output, guess) in &predicted {
            let is_elsewhere = own_hosts && guess.starts_with("https://sqs.");
            if outputs.get(output) != Some(guess) && !is_elsewhere {
                let is = outputs.get(output);
                wrong.push(format!("{address} {output}: predicted {guess}, is {is:?}"));
            }
        }
        // Of a kind that is told, nothing else is known after its creation.
        let untold = outputs.keys().filter(|output| !predicted.contains_key(output));
        let untold: Vec<_> = untold.filter(|_| meta.told).collect();
        assert!(untold.is_empty(), "{address} is told, but not its outputs {untold:?}");
        // What follows from the name alone is predicted.
        let arn = meta.arn_of(scope, name);
        let follows = |value: &String| value == name || Some(value) == arn.as_ref();
        for (output, value) in outputs {
            if follows(value) && !predicted.contains_key(output) && *output != Output::Version {
                wrong.push(format!("{address} {output}: {value} is not predicted"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What has no tags of its own says whose it is through what it is a part of.
async fn parts(provider: &AwsProvider, blueprint: &Blueprint) {
    let snapshot = survey(provider, &blueprint.resources).await.expect("a survey");
    let untagged = |found: &&Found| !find_meta(&found.address.kind).is_some_and(|meta| meta.tagged);
    for Found { address, live, .. } in snapshot.values().flatten().filter(untagged) {
        // One for the account, and one whose owner stands in a record beside it.
        if ["apigateway.account", "route53.record"].contains(&address.kind.as_str()) {
            continue;
        }
        let target = Target {
            address: address.clone(),
            name: address.name.clone(),
            id: Some(live.id.clone()),
            tags: Tags::new(),
        };
        let holder = provider.holder(&target, live).await.expect("a read");
        let owned = holder.as_ref().and_then(|tags| provider.aws().scope.owned(tags));
        assert!(owned.is_some(), "{address}: {holder:?}");
    }
}

/// The life of all samples on one endpoint. One apply gives all kinds their next variant.
pub async fn round_trip(provider: &AwsProvider, gaps: &[Gap], own_hosts: bool) {
    let mut blueprint = samples(&provider.aws().scope);
    for kind in KINDS {
        let desired = blueprint.resources.get_mut(&address_of(*kind)).expect("every sample");
        desired.spec = close(gaps, *kind, kind.sample());
    }
    let made = run(provider, &blueprint, Purpose::Apply).await;
    assert_eq!(made.count(Action::Create), blueprint.resources.len());
    expect_settled(provider, &blueprint, "creation").await;
    let settled = plan_now(provider, &blueprint, Purpose::Apply).await;
    predictions(provider, &blueprint, &settled.outputs, own_hosts);
    parts(provider, &blueprint).await;
    let most = KINDS.iter().map(|kind| kind.variants().len()).max().expect("there are kinds");
    for round in 0..most {
        let mut changed = BTreeSet::new();
        for kind in KINDS {
            let Some(variant) = kind.variants().into_iter().nth(round) else { continue };
            let address = address_of(*kind);
            let desired = blueprint.resources.get_mut(&address).expect("every sample is there");
            let variant = close(gaps, *kind, variant);
            let canonical = |spec| provider.canonical(&address.kind, spec).expect("a valid spec");
            if canonical(&variant) == canonical(&desired.spec) {
                println!("left out: nothing of variant {round} of {address} remains");
                continue;
            }
            desired.spec = variant;
            changed.insert(address);
        }
        let plan = run(provider, &blueprint, Purpose::Apply).await;
        let updates = plan.changes.iter().filter(|change| change.action == Action::Update);
        let updates = updates.map(|change| change.address.clone());
        // If a change moves an output, the resources that refer to it change too.
        let follows = |address: &Address| {
            let mut follows = false;
            each_ref(&blueprint.resources[address].spec, &mut |reference| {
                let kind = KINDS.iter().find(|kind| kind.meta().kind == reference.to.kind);
                let moves = kind.expect("a known kind").meta().changed_outputs;
                follows |= changed.contains(&reference.to)
                    && moves.iter().any(|(_, output)| *output == reference.output);
            });
            follows
        };
        let updated: BTreeSet<Address> =
            updates.filter(|address| changed.contains(address) || !follows(address)).collect();
        assert_eq!(updated, changed, "variants {round} are updates");
        expect_settled(provider, &blueprint, &format!("variants {round}")).await;
    }
    // One tag is added, one is removed, and the list of tags changes.
    for desired in blueprint.resources.values_mut() {
        desired.tags.remove("Team");
        desired.tags.insert(TAG_KEYS.into(), "Owner".into());
        desired.tags.insert("Owner".into(), "platform".into());
    }
    let retagged = run(provider, &blueprint, Purpose::Apply).await;
    let is_tagged = |address: &&Address| {
        KINDS.iter().any(|kind| kind.meta().kind == address.kind && kind.meta().tagged)
    };
    let tagged = blueprint.resources.keys().filter(is_tagged).count();
    assert_eq!(retagged.count(Action::Update), tagged);
    expect_settled(provider, &blueprint, "retagging").await;
    run(provider, &blueprint, Purpose::Destroy).await;
    let left = plan_now(provider, &blueprint, Purpose::Destroy).await;
    assert!(left.is_empty(), "left after destroy: {:?}", left.changes);
}

#[test]
fn every_kind_round_trips_on_the_sandbox() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        round_trip(&provider, &[], false).await;
        assert_eq!(sandbox.counts().expect("a sandbox"), left_by_samples());
    });
}
