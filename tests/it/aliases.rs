//! Aliases of functions: their rules, releases, the versions that stay, weights, and provisioned
//! concurrency.

use std::collections::BTreeMap;
use std::fs;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use payctl::aws::provider::AwsProvider;
use payctl::blueprint::{self, Facts};
use payctl::config;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::{Action, Purpose};
use payctl_sandbox::{Fault, Faults, Sandbox};
use serde_json::{Value, json};

use crate::support::{
    block_on, by_hand, carry_out, configured, expect_settled, plan_now, run, sample_provider,
    sandboxed, some,
};

const FUNCTION: &str = "sample-function";

/// The alias `live` of the sample function, and what it needs.
fn sample(provider: &AwsProvider) -> Blueprint {
    let mut blueprint = some(provider, &["lambda.alias"]);
    blueprint.resources.retain(|address, _| address.name != "sample-b-live");
    blueprint
}

fn alias(blueprint: &mut Blueprint) -> &mut Value {
    let address = Address::new("lambda.alias", "sample-live");
    &mut blueprint.resources.get_mut(&address).expect("the sample").spec
}

/// Changes the function, and with it the release that the alias wants.
fn release(blueprint: &mut Blueprint, memory: u32) {
    alias(blueprint)["release"]["memory"] = json!(memory);
    let address = Address::new("lambda.function", "sample");
    let function = blueprint.resources.get_mut(&address).expect("the sample");
    function.spec["memory"] = json!(memory);
}

/// The published versions of the function, and the one that the alias names.
async fn versions(sandbox: &Sandbox) -> (Vec<String>, String) {
    let lambda = Client::new(&by_hand(sandbox));
    let all = lambda.list_versions_by_function().function_name(FUNCTION).send().await;
    let all = all.expect("the versions").versions.unwrap_or_default().into_iter();
    let numbers = all.filter_map(|one| one.version).filter(|version| version != "$LATEST");
    let live = lambda.get_alias().function_name(FUNCTION).name("live").send().await;
    let named = live.expect("the alias").function_version.unwrap_or_default();
    (numbers.collect(), named)
}

#[test]
fn every_release_is_a_version_and_the_last_ones_stay() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = sample(&provider);
        for memory in [512, 600, 700, 800, 900, 1000] {
            release(&mut blueprint, memory);
            run(&provider, &blueprint, Purpose::Apply).await;
            expect_settled(&provider, &blueprint, &format!("the release of {memory} MB")).await;
        }
        let all = ["3", "4", "5", "6"].map(str::to_owned).to_vec();
        assert_eq!(versions(&sandbox).await, (all.clone(), "6".into()));

        // Somebody goes back by hand: the plan names what differs, and the apply publishes nothing.
        let lambda = Client::new(&by_hand(&sandbox));
        let back = lambda.update_alias().function_name(FUNCTION).name("live").function_version("4");
        back.send().await.expect("a way back");
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        let [change] = plan.changes.as_slice() else { panic!("{:?}", plan.changes) };
        let fields: Vec<_> = change.fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(fields, ["release.memory"]);
        assert_eq!(versions(&sandbox).await, (all.clone(), "6".into()));

        // The config goes back: the version is still there.
        release(&mut blueprint, 800);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "the way back").await;
        assert_eq!(versions(&sandbox).await, (all, "4".into()));

        // Fewer versions are to stay: the newest of those that the alias does not name.
        alias(&mut blueprint)["keep_versions"] = json!(1);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "fewer versions").await;
        assert_eq!(versions(&sandbox).await, (vec!["4".into(), "6".into()], "4".into()));

        // With the alias go its versions.
        blueprint.resources.remove(&Address::new("lambda.alias", "sample-live"));
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "the end of the alias").await;
        let counts = sandbox.counts().expect("counts");
        assert!(counts.keys().all(|what| !what.ends_with("versions")), "{counts:?}");
    });
}

#[test]
fn a_held_alias_stays_at_its_version_until_it_is_released() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = sample(&provider);
        alias(&mut blueprint)["hold"] = json!(true);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "a held alias").await;
        assert_eq!(versions(&sandbox).await, (vec!["1".into()], "1".into()));

        // The function changes, and so does how many versions stay: the alias does not move.
        release(&mut blueprint, 700);
        alias(&mut blueprint)["keep_versions"] = json!(2);
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        let changed: BTreeMap<_, _> = plan
            .changes
            .iter()
            .map(|change| {
                let fields = change.fields.iter().map(|field| field.path.clone());
                (change.address.kind.as_str(), fields.collect::<Vec<_>>())
            })
            .collect();
        let expected = [
            ("lambda.alias", vec!["keep_versions".to_owned()]),
            ("lambda.function", vec!["memory".to_owned()]),
        ];
        assert_eq!(changed, BTreeMap::from(expected));
        expect_settled(&provider, &blueprint, "a change of the function").await;
        assert_eq!(versions(&sandbox).await, (vec!["1".into()], "1".into()));

        let spec = alias(&mut blueprint).as_object_mut().expect("a spec");
        spec.remove("hold").expect("it was held");
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "the end of the hold").await;
        assert_eq!(versions(&sandbox).await, (vec!["1".into(), "2".into()], "2".into()));
    });
}

#[test]
fn versions_and_aliases_of_others_stay() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = sample(&provider);
        run(&provider, &blueprint, Purpose::Apply).await;
        let lambda = Client::new(&by_hand(&sandbox));
        let theirs = lambda.create_alias().function_name(FUNCTION).name("theirs");
        theirs.function_version("1").send().await.expect("an alias");
        expect_settled(&provider, &blueprint, "an alias of others").await;
        alias(&mut blueprint)["keep_versions"] = json!(1);
        for memory in [600, 700, 800] {
            release(&mut blueprint, memory);
            run(&provider, &blueprint, Purpose::Apply).await;
        }
        let all = ["1", "3", "4"].map(str::to_owned).to_vec();
        assert_eq!(versions(&sandbox).await, (all, "4".into()));
        let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        assert!(plan.changes.iter().all(|change| change.address.name != "sample-theirs"));
        // The alias of others is as they made it, also after the end of payctl's own, and keeps its version.
        let kept = || async {
            let theirs = lambda.get_alias().function_name(FUNCTION).name("theirs").send().await;
            let theirs = theirs.expect("the alias of others");
            (theirs.function_version, theirs.description, theirs.routing_config)
        };
        let made = (Some("1".to_owned()), Some(String::new()), None);
        assert_eq!(kept().await, made);
        blueprint.resources.remove(&Address::new("lambda.alias", "sample-live"));
        run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(kept().await, made);
    });
}

/// A run from the first question on, as the program makes it.
async fn whole_run(sandbox: &Sandbox, faults: &Faults, blueprint: &Blueprint) {
    let mut connection = sandboxed(sandbox);
    connection.transport = Some(faults.transport());
    let provider = sample_provider(&connection).await;
    let plan = plan_now(&provider, blueprint, Purpose::Apply).await;
    let report = carry_out(&provider, &plan).await;
    assert!(report.is_complete(), "{:#?}", report.failed);
}

#[test]
fn a_release_survives_a_fault_at_any_call() {
    let (before, blueprint) = block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = sample(&provider);
        alias(&mut blueprint)["keep_versions"] = json!(1);
        for memory in [512, 600] {
            release(&mut blueprint, memory);
            run(&provider, &blueprint, Purpose::Apply).await;
        }
        release(&mut blueprint, 700);
        alias(&mut blueprint)["provisioned"] = json!(2);
        (sandbox.snapshot().expect("a snapshot"), blueprint)
    });
    let restored = || {
        let sandbox = Sandbox::in_memory();
        sandbox.restore(&before).expect("a sandbox");
        sandbox
    };
    let (calls, clean) = block_on(async {
        let sandbox = restored();
        let faults = Faults::new(sandbox.transport());
        whole_run(&sandbox, &faults, &blueprint).await;
        (faults.calls(), versions(&sandbox).await)
    });
    assert_eq!(clean, (vec!["2".into(), "3".into()], "3".into()));
    for call in
        ["PublishVersion", "DeleteFunction", "UpdateAlias", "PutProvisionedConcurrencyConfig"]
    {
        assert!(calls.iter().any(|made| made.contains(call)), "{call} is in {calls:?}");
    }
    // The sweep of a whole environment covers the look before it.
    let first = calls.iter().position(|call| call.contains("UpdateFunctionConfiguration"));
    let first = first.expect("the function changes") + 1;
    for call in first..=calls.len() {
        for fault in Fault::ALL {
            block_on(async {
                let case = format!("{fault:?} at call {call}, {}", calls[call - 1]);
                let sandbox = restored();
                let faults = Faults::new(sandbox.transport()).at(call, fault);
                tokio::select! {
                    () = whole_run(&sandbox, &faults, &blueprint) => {}
                    () = faults.stopped() => {
                        let none = Faults::new(sandbox.transport());
                        whole_run(&sandbox, &none, &blueprint).await;
                    }
                }
                assert_eq!(versions(&sandbox).await, clean, "{case}");
                let provider = sample_provider(&sandboxed(&sandbox)).await;
                expect_settled(&provider, &blueprint, &case).await;
            });
        }
    }
}

#[test]
fn weights_are_told_and_never_changed() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = sample(&provider);
        for memory in [512, 600] {
            release(&mut blueprint, memory);
            run(&provider, &blueprint, Purpose::Apply).await;
        }
        let lambda = Client::new(&by_hand(&sandbox));
        let weights = AliasRoutingConfiguration::builder().additional_version_weights("1", 0.25);
        let shift = lambda.update_alias().function_name(FUNCTION).name("live");
        shift.routing_config(weights.build()).send().await.expect("a shift");
        let kept = || async {
            let now = lambda.get_alias().function_name(FUNCTION).name("live").send().await;
            let now = now.expect("the alias");
            let weights = now.routing_config.and_then(|found| found.additional_version_weights);
            (now.function_version.unwrap_or_default(), weights.unwrap_or_default())
        };
        let divided = kept().await;
        assert_eq!(divided.1["1"], 0.25);

        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        assert!(plan.changes.is_empty(), "{:?}", plan.changes);
        let [note] = plan.notes.as_slice() else { panic!("{:?}", plan.notes) };
        assert_eq!(note.text, "version 1 gets 25% of its calls; payctl does not change that");

        // Other settings may change meanwhile.
        alias(&mut blueprint)["keep_versions"] = json!(5);
        run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(kept().await, divided);

        release(&mut blueprint, 700);
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let report = carry_out(&provider, &plan).await;
        let failed = format!("{:?}", report.failed);
        assert!(failed.contains("divides its calls between two versions"), "{failed}");
        assert_eq!(kept().await, divided);
    });
}

#[test]
fn provisioned_concurrency_comes_and_goes_with_the_alias() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = sample(&provider);
        for calls in [3, 5, 0, 2] {
            alias(&mut blueprint)["provisioned"] = json!(calls);
            run(&provider, &blueprint, Purpose::Apply).await;
            expect_settled(&provider, &blueprint, &format!("{calls} provisioned calls")).await;
        }
        release(&mut blueprint, 600);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "a release").await;
        // Application Auto Scaling may have any number within its bounds.
        alias(&mut blueprint).as_object_mut().expect("a spec").remove("provisioned");
        expect_settled(&provider, &blueprint, "a number that payctl leaves alone").await;
        run(&provider, &blueprint, Purpose::Destroy).await;
        assert_eq!(sandbox.counts().expect("counts"), BTreeMap::new());
    });
}

#[test]
fn provisioned_concurrency_comes_once_an_alias_has_only_one_version() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = sample(&provider);
        for memory in [512, 600] {
            release(&mut blueprint, memory);
            run(&provider, &blueprint, Purpose::Apply).await;
        }
        let lambda = Client::new(&by_hand(&sandbox));
        let divide = |named: &'static str, other: &'static str, part: f64| {
            let weights = AliasRoutingConfiguration::builder();
            let weights = weights.additional_version_weights(other, part).build();
            let call = lambda.update_alias().function_name(FUNCTION).name("live");
            call.function_version(named).routing_config(weights).send()
        };
        // A shift is over, or was taken back: all calls go to one version, and the alias has both.
        for (named, other, part) in [("1", "2", 1.0), ("2", "1", 0.0)] {
            divide(named, other, part).await.expect("two versions");
            alias(&mut blueprint)["provisioned"] = json!(2);
            run(&provider, &blueprint, Purpose::Apply).await;
            expect_settled(&provider, &blueprint, "provisioned concurrency").await;
            assert_eq!(versions(&sandbox).await.1, "2");
            alias(&mut blueprint)["provisioned"] = json!(0);
            run(&provider, &blueprint, Purpose::Apply).await;
        }
        // While somebody divides the calls, nothing changes.
        divide("2", "1", 0.5).await.expect("two versions");
        alias(&mut blueprint)["provisioned"] = json!(2);
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let failed = format!("{:?}", carry_out(&provider, &plan).await.failed);
        assert!(failed.contains("divides its calls between two versions"), "{failed}");
    });
}

#[test]
fn a_release_of_a_provisioned_alias_waits_until_the_new_version_has_all_calls() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = sample(&provider);
        alias(&mut blueprint)["provisioned"] = json!(2);
        run(&provider, &blueprint, Purpose::Apply).await;
        release(&mut blueprint, 600);
        alias(&mut blueprint)["provisioned"] = json!(3);
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "a release with more concurrency").await;
        let lambda = Client::new(&by_hand(&sandbox));
        let live = lambda.get_alias().function_name(FUNCTION).name("live").send().await;
        let live = live.expect("the alias");
        assert_eq!((live.function_version(), live.routing_config()), (Some("2"), None));
    });
}

#[test]
fn the_end_of_the_last_alias_leaves_no_version_whatever_happens() {
    let (before, blueprint) = block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = sample(&provider);
        for memory in [512, 600, 700] {
            release(&mut blueprint, memory);
            run(&provider, &blueprint, Purpose::Apply).await;
        }
        blueprint.resources.remove(&Address::new("lambda.alias", "sample-live"));
        (sandbox.snapshot().expect("a snapshot"), blueprint)
    });
    let restored = || {
        let sandbox = Sandbox::in_memory();
        sandbox.restore(&before).expect("a sandbox");
        sandbox
    };
    let calls = block_on(async {
        let sandbox = restored();
        let faults = Faults::new(sandbox.transport());
        whole_run(&sandbox, &faults, &blueprint).await;
        faults.calls()
    });
    let first = calls.iter().position(|call| call.contains("UpdateAlias")).expect("it moves") + 1;
    for call in first..=calls.len() {
        for fault in Fault::ALL {
            block_on(async {
                let case = format!("{fault:?} at call {call}, {}", calls[call - 1]);
                let sandbox = restored();
                let faults = Faults::new(sandbox.transport()).at(call, fault);
                tokio::select! {
                    () = whole_run(&sandbox, &faults, &blueprint) => {}
                    () = faults.stopped() => {
                        let none = Faults::new(sandbox.transport());
                        whole_run(&sandbox, &none, &blueprint).await;
                    }
                }
                let counts = sandbox.counts().expect("counts");
                let is_left =
                    |what: &String| what.ends_with("versions") || what.ends_with("aliases");
                assert!(!counts.keys().any(is_left), "{case}: {counts:?}");
            });
        }
    }
}

/// A delete that was cut off leaves the alias at the unpublished code, and so may a person.
#[test]
fn an_alias_of_the_unpublished_code_gets_a_version_whoever_owns_its_calls() {
    for owner in [None, Some(("hold", json!(true))), Some(("shift", json!("pay")))] {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            let provider = sample_provider(&sandboxed(&sandbox)).await;
            let mut blueprint = sample(&provider);
            if let Some((field, value)) = &owner {
                alias(&mut blueprint)[*field] = value.clone();
            }
            run(&provider, &blueprint, Purpose::Apply).await;
            let lambda = Client::new(&by_hand(&sandbox));
            let call = lambda.update_alias().function_name(FUNCTION).name("live");
            call.function_version("$LATEST").send().await.expect("a change by hand");
            run(&provider, &blueprint, Purpose::Apply).await;
            let (_, named) = versions(&sandbox).await;
            assert_eq!(named, "1", "{owner:?}");
            expect_settled(&provider, &blueprint, "the way back to a version").await;
        });
    }
}

/// An environment with a function that has an alias, and with what may call it.
const CONFIG: &str = r#"
project = "pay"
region = "us-east-1"

[roles.work]
services = "lambda.amazonaws.com"
statements = [{ actions = "sqs:*", resources = "*" }]

[queues.q]
visibility_timeout = 360

[functions.f]
source = "../work"
runtime = "python3.13"
role = "work"
triggers = [{ queue = "q", alias = "live" }]
keep_versions = 2

[functions.f.aliases.live]
provisioned_concurrency = { min = 1, max = 10 }

[functions.g]
source = "../work"
runtime = "python3.13"
role = "work"

[functions.g.aliases.next]
provisioned_concurrency = 4

[events.daily]
schedule = "rate(1 day)"
functions = ["f:live", "f"]

[topics.alerts]
subscriptions = [{ protocol = "lambda", endpoint = "${functions.f:live.arn}" }]

[apis.front]
[apis.front.routes."POST /pay"]
function = "f:live"
"#;

fn project(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir_all(dir.path().join("work")).expect("a writable folder");
    fs::create_dir_all(dir.path().join("config")).expect("a writable folder");
    let code = "def handler(event, context):\n    return event\n";
    fs::write(dir.path().join("work/index.py"), code).expect("a writable folder");
    fs::write(dir.path().join("config/dev.toml"), config).expect("a writable folder");
    dir
}

#[test]
fn routes_and_triggers_can_name_an_alias() {
    let dir = project(CONFIG);
    let loaded = config::load(&dir.path().join("config"), "dev", &|_| None).expect("valid");
    let facts = Facts::placeholder("us-east-1");
    let resources = blueprint::build(&loaded, &facts).expect("a blueprint").resources;
    let at = |kind: &str, name: &str| -> &Desired { &resources[&Address::new(kind, name)] };
    let live = at("lambda.alias", "f-live");
    assert_eq!(live.name, "dev-pay-lambda-f:live");
    assert_eq!(live.spec["keep_versions"], 2);
    assert_eq!(live.spec.get("provisioned"), None);
    assert_eq!(live.spec["release"]["code"], at("lambda.function", "f").spec["code"]);
    assert_eq!(at("lambda.alias", "g-next").spec["provisioned"], 4);

    let arn = json!(Text::reference(Address::new("lambda.alias", "f-live"), Output::Arn));
    assert_eq!(at("lambda.event_source", "f-q").spec["function"], arn);
    let targets = &at("events.rule", "daily").spec["targets"];
    assert_eq!(targets["function-f-live"]["arn"], arn);
    assert!(targets.get("function-f").is_some());
    let logical = "alerts.lambda.dev-pay-lambda-f:live";
    assert_eq!(at("sns.subscription", logical).spec["endpoint"], arn);
    let route = at("apigateway.rest_api", "front").spec.to_string();
    assert!(route.contains("lambda.alias/f-live"), "{route}");

    let policy = at("lambda.permissions", "f-live");
    assert_eq!(policy.spec["function"], arn);
    let callers = policy.spec["callers"].as_object().expect("callers");
    assert_eq!(callers.keys().collect::<Vec<_>>(), ["EventDaily", "api-front", "topic-alerts"]);
    let callers = &at("lambda.permissions", "f").spec["callers"];
    assert_eq!(callers.as_object().expect("callers").len(), 1);

    let scaling = at("scaling.target", "function-f-live");
    assert_eq!(scaling.name, "function:dev-pay-lambda-f:live");
    assert_eq!(scaling.spec["policies"]["utilization"]["value"], 0.7);
    assert!(!resources.contains_key(&Address::new("scaling.target", "function-g-next")));
}

#[test]
fn an_environment_with_aliases_lives_on_the_sandbox() {
    block_on(async {
        let (sandbox, dir) = (Sandbox::in_memory(), project(CONFIG));
        let config = dir.path().join("config");
        let connection = sandboxed(&sandbox);
        let connection =
            payctl::aws::clients::Connection { region: Some("eu-west-1".into()), ..connection };
        let (provider, blueprint) = configured(&connection, &config, "dev").await;
        run(&provider, &blueprint, Purpose::Apply).await;
        expect_settled(&provider, &blueprint, "creation").await;

        let code = "def handler(event, context):\n    return 1\n";
        fs::write(dir.path().join("work/index.py"), code).expect("a writable folder");
        let (provider, blueprint) = configured(&connection, &config, "dev").await;
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        let changed: Vec<String> = plan.changes.iter().map(|it| it.address.to_string()).collect();
        assert_eq!(changed.len(), 4, "{changed:?}");
        assert!(plan.changes.iter().all(|change| change.action == Action::Update));
        expect_settled(&provider, &blueprint, "a release").await;

        run(&provider, &blueprint, Purpose::Destroy).await;
        assert_eq!(sandbox.counts().expect("counts"), BTreeMap::new());
    });
}

#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    assert!(CONFIG.contains(from), "{from}");
    let dir = project(&CONFIG.replace(from, to));
    let found = blueprint::problems(&dir.path().join("config"), "dev", &|_| None, None);
    let shown: Vec<String> = found.iter().map(|p| format!("{} ({})", p.message, p.fix)).collect();
    assert!(shown.iter().any(|line| line.contains(expected)), "{expected}\n{shown:#?}");
}

#[test]
fn an_invalid_alias_is_refused_with_its_line() {
    let dir = project(CONFIG);
    assert_eq!(blueprint::problems(&dir.path().join("config"), "dev", &|_| None, None), []);
    check(
        "f:live\", \"f\"",
        "f:life\"",
        "[functions.f.aliases] has no `life` (did you mean `live`?",
    );
    check("f:live\", \"f\"", "h:live\"", "[functions] has no `h`");
    check("f:live.arn", "f:life.arn", "unknown reference `${functions.f:life.arn}`");
    check("f:live.arn", "f:live.name", "unknown reference `${functions.f:live.name}`");
    check("alias = \"live\"", "alias = \"life\"", "this function has no alias `life`");
    check("aliases.next", "aliases.Next", "names have lower-case letters");
    check("min = 1,", "min = 11,", "`min` (11) is above `max` (10)");
    check("keep_versions = 2", "keep_versions = 0", "0 is out of range (use 1 to 100)");
    let reserved = "keep_versions = 2\nreserved_concurrency = 9";
    check("keep_versions = 2", reserved, "10 provisioned calls are more than the 9 reserved ones");
    let both = "[functions.f.aliases.old]\nprovisioned_concurrency = 2\n[events.daily]";
    let same = "`live` and `old` name the same version, and AWS provides its concurrency for one alias \
                only (keep `provisioned_concurrency` at one of them";
    check("[events.daily]", both, same);
    let held = CONFIG.replace("[events.daily]", &both.replace("old]\n", "old]\nhold = true\n"));
    let dir = project(&held);
    assert_eq!(blueprint::problems(&dir.path().join("config"), "dev", &|_| None, None), []);
    let none = "[functions.h]\nsource = \"../work\"\nruntime = \"python3.13\"\nrole = \"work\"\n\
                keep_versions = 2\n[events.daily]";
    check("[events.daily]", none, "without aliases payctl publishes no versions");
}
