//! The IAM policies that payctl writes: they allow enough, and every line of them is needed.
//!
//! A sandbox with a guard decides. It knows which permissions AWS checks for each call.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use payctl::aws::policy::{Statement, Task, document, least};
use payctl::blueprint::loans::uses;
use payctl::blueprint::names::names;
use payctl::config;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::scope::Scope;
use payctl_engine::plan::{Action, Purpose};
use payctl_sandbox::Sandbox;
use payctl_sandbox::{Guard, Need};
use serde_json::{Value, json};

use crate::cli_snapshots::shop;
use crate::cli_support::{Folder, ended};
use crate::example_changes::{BLUE_GREEN, CONTAINERS, COST, Example, MIGRATION, SECURED};
use crate::examples::{Changed, dir_of};
use crate::support::{
    block_on, configured, expect_settled, plan_now, run, sandboxed, shipped_config,
};

mod lines;
mod lives;

fn guard_of(statements: &[Statement]) -> Guard {
    Guard::of(&document(statements)).expect("the sandbox knows the language of these policies")
}

/// Does something, and returns the permissions that it needed. The sandbox denies nothing meanwhile.
async fn asked<T>(sandbox: &Sandbox, work: impl Future<Output = T>) -> (T, BTreeSet<Need>) {
    let all = json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } });
    let all = Guard::of(&all).expect("a policy");
    sandbox.guarded_by(Some(all.clone()));
    let done = work.await;
    sandbox.guarded_by(None);
    (done, all.asked())
}

/// Does something, and expects that these permissions are enough. Returns those that it needed. A
/// failure names all that are missing.
async fn with_only<T>(
    what: &str,
    sandbox: &Sandbox,
    statements: &[Statement],
    work: impl Future<Output = T>,
) -> (T, BTreeSet<Need>) {
    let (done, needed) = asked(sandbox, work).await;
    let allowed = guard_of(statements);
    let denied: Vec<&Need> = needed.iter().filter(|need| !allowed.allows(need)).collect();
    assert!(denied.is_empty(), "{what}: the policy does not allow {denied:#?}");
    (done, needed)
}

/// The policy for an environment of a config directory.
fn policy(task: Task, dir: &Path, scope: &Scope, blueprint: &Blueprint) -> Vec<Statement> {
    let loaded = config::load(dir, &scope.env, &|_| None).expect("a valid config");
    least(task, scope, &names(&loaded, blueprint), &uses(&loaded.config))
}

/// A whole life with only the least policies: created, planned, changed, deleted.
async fn runs_with_the_policy(dir: &Path, env: &str, changed: Option<&Path>) {
    let what = format!("{} {env}", dir.display());
    let sandbox = Sandbox::in_memory();
    let connection = sandboxed(&sandbox);
    let (unguarded, blueprint) = configured(&connection, dir, env).await;
    let scope = unguarded.aws().scope.clone();

    let apply = policy(Task::Apply, dir, &scope, &blueprint);
    let made = async {
        let (provider, blueprint) = configured(&connection, dir, env).await;
        let made = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(made.count(Action::Create), blueprint.resources.len(), "{what}");
    };
    Box::pin(with_only(&what, &sandbox, &apply, made)).await;

    let plan = policy(Task::Plan, dir, &scope, &blueprint);
    let planned = async {
        let (provider, blueprint) = configured(&connection, dir, env).await;
        expect_settled(&provider, &blueprint, &what).await;
        provider.aws().meter.counts()
    };
    let (calls, needed) = Box::pin(with_only(&what, &sandbox, &plan, planned)).await;
    let reads = |call: &String| {
        let operation = call.split('.').next_back().unwrap_or_default();
        ["Describe", "Get", "List"].iter().any(|verb| operation.starts_with(verb))
    };
    let writes: Vec<&String> = calls.keys().filter(|call| !reads(call)).collect();
    assert!(writes.is_empty(), "{what}: a plan only looks: {writes:?}");
    assert!(!calls.contains_key("Secrets Manager.GetSecretValue"), "{what}: it reads a secret");
    let secret = needed.iter().find(|need| need.action == "secretsmanager:GetSecretValue");
    assert_eq!(secret, None, "{what}");

    let changed_dir = changed.unwrap_or(dir);
    let apply = policy(Task::Apply, changed_dir, &scope, &blueprint);
    let changes = async {
        let (provider, blueprint) = configured(&connection, changed_dir, env).await;
        run(&provider, &blueprint, Purpose::Apply).await;
    };
    Box::pin(with_only(&what, &sandbox, &apply, changes)).await;

    // A destroy of a protected environment needs an apply before it that lifts the protection.
    if blueprint.protect {
        return;
    }
    let destroy = policy(Task::Destroy, changed_dir, &scope, &blueprint);
    let destroyed = async {
        let (provider, blueprint) = configured(&connection, changed_dir, env).await;
        run(&provider, &blueprint, Purpose::Destroy).await;
        let left = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        assert!(left.is_empty(), "{what}: left after destroy: {:?}", left.changes);
    };
    Box::pin(with_only(&what, &sandbox, &destroy, destroyed)).await;
}

#[test]
fn the_recommended_platform_runs_with_its_policies() {
    let dir = shipped_config();
    // The name of a load balancer has no room for the longest name of an environment.
    let longest = format!("pr-{}", "7".repeat(37));
    for env in ["dev", "staging", "prod", "pr-7", &longest] {
        block_on(runs_with_the_policy(&dir, env, None));
    }
}

#[test]
fn the_platform_with_a_zone_runs_with_its_policies() {
    let folder = Folder::shipped();
    folder.edit("config/base.toml", "# zone = \"example.com\"", "zone = \"example.com\"");
    block_on(runs_with_the_policy(&folder.path("config"), "dev", None));
}

fn example_runs_with_its_policies(example: &Example) {
    for (at, env) in example.envs.iter().enumerate() {
        let folder = (at == 0).then(|| Changed::new(example.name, env, example.change));
        let changed: Option<PathBuf> = folder.as_ref().map(Changed::dir);
        block_on(runs_with_the_policy(&dir_of(example.name), env, changed.as_deref()));
    }
}

#[test]
fn the_serverless_examples_run_with_their_policies() {
    [SECURED, MIGRATION, BLUE_GREEN].iter().for_each(example_runs_with_its_policies);
}

#[test]
fn the_container_examples_run_with_their_policies() {
    [COST, CONTAINERS].iter().for_each(example_runs_with_its_policies);
}

#[test]
fn a_policy_is_rehearsed_on_the_sandbox() {
    let folder = shop();
    let policy = |task: &str, file: &str| {
        let ran = folder.run(&format!("policy --for {task} --env dev --sandbox"));
        ran.expect(0, task);
        folder.write(file, &ran.out);
        serde_json::from_str::<Value>(&ran.out).expect("a policy is JSON")
    };
    let (plan, apply) = (policy("plan", "plan.json"), policy("apply", "apply.json"));
    assert_ne!(plan, apply);
    let by = |policy: &str, command: &str| {
        let mut payctl = folder.payctl(&format!("{command} --env dev --sandbox"));
        ended(payctl.env("PAYCTL_SANDBOX_POLICY", policy))
    };
    by("plan.json", "plan").expect(0, "the first plan");
    let denied = by("plan.json", "apply --auto-approve");
    assert_ne!(denied.code, Some(0));
    assert!(denied.err.contains("is not authorized to perform: "), "{}", denied.err);
    by("apply.json", "apply --auto-approve").expect(0, "the apply");
    by("plan.json", "plan --detailed-exitcode").expect(0, "the plan after it");
    policy("destroy", "destroy.json");
    by("destroy.json", "destroy --auto-approve --allow-data-loss").expect(0, "the destroy");

    folder.write("odd.json", &json!({ "Statement": [{ "Effect": "Deny" }] }).to_string());
    let odd = by("odd.json", "plan");
    assert!(odd.err.contains("cannot use the policy odd.json"), "{}", odd.err);
}

#[test]
fn a_long_policy_is_split() {
    let folder = shop();
    let whole = folder.run("policy --for apply --env dev --account 123456789012");
    whole.expect(0, "the whole policy");
    assert!(whole.err.contains("--out DIR"), "{}", whole.err);
    let parts = folder.run("policy --for apply --env dev --account 123456789012 --out policies");
    parts.expect(0, "the parts");
    let files: Vec<&str> = parts.out.lines().collect();
    assert!(files.len() > 1 && files[0] == "policies/payctl-dev-apply-1.json", "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(folder.path(file)).expect("a file");
        let length = text.chars().filter(|c| !c.is_whitespace()).count();
        assert!(length <= 6144, "{file} has {length} characters");
    }
    let nowhere = folder.run("policy --for plan --env dev");
    assert!(nowhere.err.contains("--account"), "{}", nowhere.err);
}
