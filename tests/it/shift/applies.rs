//! Applies beside a shift: what they leave to it, what they refuse, what they say, and applies and shifts
//! at the same time.

use std::fs;
use std::time::Duration;

use payctl::aws::kinds::checks;
use payctl::aws::preflight::{Fate, Finding, Planned, Preflight};
use payctl::aws::provider::AwsProvider;
use payctl::aws::traffic::{Divider, Sources, sides, traffic};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Action, Purpose};
use payctl_engine::shift::End;
use payctl_engine::traffic::Traffic;
use payctl_sandbox::Sandbox;

use super::{applied, listener, live, moved, order, percents, released, road, weights};
use crate::elb::{FUNCTIONS, environment};
use crate::support::{block_on, carry_out, configured, expect_settled, plan_now, run, sandboxed};

/// The environment of a shift of the listener, or of the rule.
fn sides_of(is_rule: bool, edit: impl Fn(&str) -> String) -> tempfile::TempDir {
    let folder = environment(&listener("").replace(FUNCTIONS, ""));
    let path = folder.path().join("dev.toml");
    let text = fs::read_to_string(&path).expect("the config");
    let text = if is_rule {
        text.replace("listener = \"front:80\"", "rule = \"front:80:beta\"")
    } else {
        text
    };
    fs::write(path, edit(&text)).expect("a file");
    folder
}

/// What is said of an apply before it is made.
async fn findings(provider: &AwsProvider, blueprint: &Blueprint) -> Vec<Finding> {
    let plan = plan_now(provider, blueprint, Purpose::Apply).await;
    let planned = plan.changes.iter().map(|change| Planned {
        address: &change.address,
        origin: &change.origin,
        fate: match change.action {
            Action::Create => Fate::Created,
            Action::Update => Fate::Updated,
            Action::Replace => Fate::Replaced,
            Action::Delete => Fate::Deleted,
        },
        changed: change.fields.iter().map(|field| field.path.as_str()).collect(),
        want: change.want.as_ref(),
        live: change.live.as_ref(),
    });
    let resources = &blueprint.resources;
    let cx = Preflight::new(provider.aws(), planned.collect(), resources, &plan.outputs);
    let mut all = Vec::new();
    for check in checks() {
        all.extend((check.run)(&cx).await.expect("an answer"));
    }
    all
}

/// What speaks against an apply: the title and the reason.
fn problem(found: &[Finding]) -> (String, String) {
    match found {
        [Finding::Problem { title, because, .. }] => (title.clone(), because.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_apply_leaves_weights_to_the_shift() {
    for is_rule in [false, true] {
        let folder = sides_of(is_rule, str::to_owned);
        block_on(async {
            let sandbox = Sandbox::in_memory();
            let (provider, blueprint) = applied(&sandbox, folder.path()).await;
            let road = road(&provider, &blueprint, is_rule).await;
            let mut some = order("1");
            some.steps = some.steps.until(50).expect("a step");
            assert_eq!(moved(&*road, &some).await.end, End::Done);
            expect_settled(&provider, &blueprint, "a shift").await;
            let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
            let [note] = plan.notes.as_slice() else { panic!("{:?}", plan.notes) };
            let said = "its weights belong to the shift `pay`: ";
            assert!(note.text.starts_with(said), "{}", note.text);

            // Other settings change, and the weights stay.
            let other = sides_of(is_rule, |text| {
                let sticky = "sticky_seconds = 60\nforward = { blue = 100, green = 0 }\n[";
                text.replace("forward = { blue = 100, green = 0 }\n[", sticky)
            });
            let (_, changed) = configured(&sandboxed(&sandbox), other.path(), "dev").await;
            // Under a claim the action is left alone.
            road.tag(Some("pay shift 9 1")).await.expect("a claim");
            let plan = plan_now(&provider, &changed, Purpose::Apply).await;
            let failed = format!("{:?}", carry_out(&provider, &plan).await.failed);
            assert!(failed.contains("a run of payctl shift holds this traffic"), "{failed}");
            assert_eq!(weights(&*road).await, (50, 50));
            road.tag(None).await.expect("no claim");
            run(&provider, &changed, Purpose::Apply).await;
            assert_eq!(weights(&*road).await, (50, 50));
            expect_settled(&provider, &changed, "an apply beside a shift").await;

            // Without the section the config decides again.
            let without = sides_of(is_rule, |text| {
                let sticky = "sticky_seconds = 60\nforward = { blue = 100, green = 0 }\n[";
                let text = text.replace("forward = { blue = 100, green = 0 }\n[", sticky);
                text.split_once("[shifts.pay]").expect("a shift").0.to_owned()
            });
            let (_, plain) = configured(&sandboxed(&sandbox), without.path(), "dev").await;
            let plan = run(&provider, &plain, Purpose::Apply).await;
            assert_eq!(plan.changes.len(), 1, "{:?}", plan.changes);
            assert_eq!(weights(&*road).await, (100, 0));
        });
    }
}

#[test]
fn a_plan_says_what_changes_behind_a_side_and_refuses_it_during_a_run() {
    for is_rule in [false, true] {
        let folder = sides_of(is_rule, str::to_owned);
        let changed = |function: &str| {
            let (section, more) = (format!("[functions.{function}]\n"), "memory = 700\n");
            sides_of(is_rule, |text| text.replace(&section, &format!("{section}{more}")))
        };
        block_on(async {
            let sandbox = Sandbox::in_memory();
            let (provider, blueprint) = applied(&sandbox, folder.path()).await;
            let road = road(&provider, &blueprint, is_rule).await;
            assert_eq!(findings(&provider, &blueprint).await, []);
            let (blue, green) = (changed("f"), changed("g"));
            let (_, green) = configured(&sandboxed(&sandbox), green.path(), "dev").await;
            assert_eq!(findings(&provider, &green).await, [], "green gets nothing");
            let (_, blue) = configured(&sandboxed(&sandbox), blue.path(), "dev").await;
            let found = findings(&provider, &blue).await;
            let [Finding::Note { address, text, .. }] = found.as_slice() else {
                panic!("{found:?}")
            };
            assert_eq!(address.to_string(), "lambda.function/f");
            let said = "lambda.function/f is behind elb.target_group/blue, which gets 100% of the requests";
            assert!(text.starts_with(said) && text.ends_with("without the shift `pay`"), "{text}");

            // During a run both sides stay as they are.
            road.tag(Some("pay shift 9 1")).await.expect("a claim");
            for next in [&blue, &green] {
                let (title, because) = problem(&findings(&provider, next).await);
                assert_eq!(title, "a run of the shift `pay` is at work");
                assert!(because.contains("its claim: pay shift 9 1"), "{because}");
            }
            assert_eq!(findings(&provider, &blueprint).await, []);
        });
    }
}

#[test]
fn a_plan_says_that_it_replaces_a_side_with_requests() {
    let aliased = |text: &str| format!("{text}[functions.g.aliases.live]\n");
    let folder = sides_of(false, aliased);
    let next = sides_of(false, |text| {
        aliased(text).replace(
            "[target_groups.blue]\nfunction = \"f\"",
            "[target_groups.blue]\nfunction = \"g:live\"",
        )
    });
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let (provider, blueprint) = applied(&sandbox, folder.path()).await;
        let road = road(&provider, &blueprint, false).await;
        let (_, next) = configured(&sandboxed(&sandbox), next.path(), "dev").await;
        let plan = plan_now(&provider, &next, Purpose::Apply).await;
        let blue = Address::new("elb.target_group", "blue");
        let change = plan.changes.iter().find(|one| one.address == blue).expect("a change");
        assert_eq!(change.action, Action::Replace);
        let found = findings(&provider, &next).await;
        let said = found.iter().find_map(|one| match one {
            Finding::Note { address, text, .. } if *address == blue => Some(text),
            _ => None,
        });
        let start = "elb.target_group/blue is a side of the shift, which gets 100% of the requests";
        assert!(said.is_some_and(|text| text.starts_with(start)), "{found:?}");
        road.tag(Some("pay shift 9 1")).await.expect("a claim");
        let (_, because) = problem(&findings(&provider, &next).await);
        assert!(because.contains("\nelb.target_group/blue is a side of the shift"), "{because}");
    });
}

#[test]
fn a_release_with_another_role_or_dead_letter_target_cannot_be_shifted() {
    let edited = |line: &str, more: &str| {
        let folder = released(600);
        let path = folder.path().join("dev.toml");
        let text = fs::read_to_string(&path).expect("the config");
        let text = text.replacen("role = \"work\"\n", line, 1);
        fs::write(path, format!("{text}{more}")).expect("a file");
        folder
    };
    let role = "[roles.other]\nservices = \"lambda.amazonaws.com\"\n";
    let target = "role = \"work\"\ndead_letter = \"${queues.dead.arn}\"\n";
    for (folder, what) in [
        (edited("role = \"other\"\n", role), "the role"),
        (edited(target, "[queues.dead]\n"), "the dead-letter target"),
    ] {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            super::release(&sandbox, 512).await;
            let (provider, next) = configured(&sandboxed(&sandbox), folder.path(), "dev").await;
            let (title, because) = problem(&findings(&provider, &next).await);
            let new = "the new version of lambda.alias/f-live";
            assert_eq!(title, format!("the shift `pay` cannot move calls to {new}"));
            assert!(because.contains(&format!("this plan changes {what}")), "{because}");
            // AWS would have refused it in the middle.
            let plan = plan_now(&provider, &next, Purpose::Apply).await;
            let failed = format!("{:?}", carry_out(&provider, &plan).await.failed);
            assert!(failed.contains("must be associated with the same"), "{failed}");
        });
    }
}

/// What the weights were in the course of some work, without repetitions.
async fn course<T>(road: &dyn Traffic, work: impl Future<Output = T>) -> (T, Vec<u8>) {
    let mut seen = Vec::new();
    let mut work = std::pin::pin!(work);
    loop {
        let percent = match road.read().await {
            Ok(standing) => standing.weights.percent(),
            // Its sides have changed.
            Err(_) => Some(0),
        };
        if let Some(percent) = percent.filter(|percent| seen.last() != Some(percent)) {
            seen.push(percent);
        }
        tokio::select! {
            done = &mut work => return (done, seen),
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
        }
    }
}

/// Moments for an apply and a shift, in seconds; each pair comes from a seed.
fn moments(seed: u64) -> (Duration, Duration) {
    let of = |factor: u64, most: u64| Duration::from_secs(seed.wrapping_mul(factor) % most);
    (of(37, 230), of(11, 9))
}

#[test]
fn an_apply_at_any_moment_of_a_shift_moves_no_traffic() {
    for seed in 0..8 {
        let is_rule = seed % 2 == 1;
        let (before, after) = (
            sides_of(is_rule, str::to_owned),
            sides_of(is_rule, |text| {
                let sticky = "sticky_seconds = 60\nforward = { blue = 100, green = 0 }\n[";
                text.replace("forward = { blue = 100, green = 0 }\n[", sticky)
            }),
        );
        block_on(async {
            let sandbox = Sandbox::in_memory();
            let (provider, blueprint) = applied(&sandbox, before.path()).await;
            let road = road(&provider, &blueprint, is_rule).await;
            let (_, next) = configured(&sandboxed(&sandbox), after.path(), "dev").await;
            let (apply_at, shift_at) = moments(seed);
            let order = order("1");
            let shifts = async {
                tokio::time::sleep(shift_at).await;
                moved(&*road, &order).await
            };
            let applies = async {
                tokio::time::sleep(apply_at).await;
                let plan = plan_now(&provider, &next, Purpose::Apply).await;
                carry_out(&provider, &plan).await
            };
            let both = async { futures::join!(shifts, applies) };
            let ((report, apply), seen) = course(&*road, both).await;
            let case = format!("seed {seed}: {:?}", apply.failed);
            assert_eq!((&report.end, percents(&report)), (&End::Done, vec![10, 50, 100]), "{case}");
            assert_eq!(seen, [0, 10, 50, 100], "{case}");
            let refused = "a run of payctl shift holds this traffic";
            assert!(apply.is_complete() || case.contains(refused), "{case}");
            run(&provider, &next, Purpose::Apply).await;
            expect_settled(&provider, &next, &case).await;
            assert_eq!(weights(&*road).await, (0, 100), "{case}");
        });
    }
}

#[test]
fn a_release_at_any_moment_of_a_shift_moves_no_calls() {
    for seed in 0..8 {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            super::release(&sandbox, 512).await;
            let (provider, blueprint) = super::release(&sandbox, 600).await;
            let name = live(&provider, &blueprint, "lambda.alias", "f-live").await;
            let divider = Divider::Alias(name);
            let (from, to) = sides(provider.aws(), &divider).await.expect("an alias").expect("two");
            let road = traffic(provider.aws(), divider.clone(), from, to, Sources::default());
            let folder = released(700);
            let (_, next) = configured(&sandboxed(&sandbox), folder.path(), "dev").await;
            let (apply_at, shift_at) = moments(seed);
            let order = order("1");
            let shifts = async {
                tokio::time::sleep(shift_at).await;
                moved(&*road, &order).await
            };
            let applies = async {
                tokio::time::sleep(apply_at).await;
                let plan = plan_now(&provider, &next, Purpose::Apply).await;
                carry_out(&provider, &plan).await
            };
            let both = async { futures::join!(shifts, applies) };
            let ((report, apply), seen) = course(&*road, both).await;
            let case = format!("seed {seed}: {:?}, {:?}", report.end, apply.failed);
            let is_refused = ["holds this traffic", "divides its calls between two versions"];
            let is_refused = is_refused.iter().any(|why| case.contains(why));
            assert!(apply.is_complete() || is_refused, "{case}");
            // Either the shift moves its two versions, or the release came first and it moves nothing.
            match report.end {
                End::Done => assert_eq!(seen, [0, 10, 50, 100], "{case}"),
                End::Failed(_) => assert_eq!(seen, [0], "{case}"),
                _ => panic!("{case}"),
            }
            run(&provider, &next, Purpose::Apply).await;
            expect_settled(&provider, &next, &case).await;
        });
    }
}
