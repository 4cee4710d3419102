//! The lives of the example configs, on the embedded sandbox and on moto: created, changed, retagged,
//! deleted.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use payctl::aws::clients::Connection;
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_sandbox::Sandbox;
use tempfile::TempDir;

use crate::cli_support::copy;
use crate::example_changes::{BLUE_GREEN, CONTAINERS, COST, Example, MIGRATION, SECURED};
use crate::moto::{self, Moto};
use crate::support::{block_on, configured, expect_settled, plan_now, run, sandboxed};

/// The configs and the functions in a repository of their own. An example lies two folders below
/// `config`, and reads functions outside of its own folder: without `.git`, as in an unpacked archive,
/// it may not.
static SHIPPED: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a writable build folder");
    fs::create_dir(folder.path().join(".git")).expect("a writable folder");
    for part in ["config", "functions"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(part);
        copy(&from, &folder.path().join(part));
    }
    let examples = folder.path().join("config/examples");
    copy(&examples.join("migration"), &examples.join("migration-blue-green"));
    for file in ["dev.toml", "prod.toml"] {
        choose_blue_green(&examples.join("migration-blue-green").join(file));
    }
    folder
});

/// Lets an environment of the migration example choose blue/green, with one key.
pub fn choose_blue_green(file: &Path) {
    let direct = "extends = \"process_direct.toml\"";
    let text = fs::read_to_string(file).expect("an environment");
    assert!(text.contains(direct), "{}", file.display());
    let chosen = text.replace(direct, "extends = \"process_blue_green.toml\"");
    fs::write(file, chosen).expect("a writable folder");
}

/// Where the example configs are. `migration-blue-green` is `migration` with blue/green in `dev` and `prod`.
pub fn dir_of(example: &str) -> PathBuf {
    SHIPPED.path().join("config/examples").join(example)
}

/// A copy of an example in which an environment differs by an overlay.
pub struct Changed(TempDir, &'static str);

impl Changed {
    pub fn new(example: &'static str, env: &str, overlay: &str) -> Self {
        let changed = Self(tempfile::tempdir().expect("a folder"), example);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // A config reads only files of its repository.
        fs::create_dir(changed.0.path().join(".git")).expect("a writable folder");
        copy(&root.join("functions"), &changed.0.path().join("functions"));
        copy(&dir_of(example), &changed.dir());
        let own = changed.dir().join(format!("{env}.toml"));
        let below = if own.exists() { "unchanged.toml" } else { "pr.toml" };
        if own.exists() {
            fs::rename(&own, changed.dir().join(below)).expect("a writable folder");
        }
        fs::write(&own, format!("extends = \"{below}\"\n{overlay}")).expect("a writable folder");
        changed
    }

    pub fn dir(&self) -> PathBuf {
        self.0.path().join("config/examples").join(self.1)
    }
}

fn changes(plan: &Plan) -> BTreeSet<String> {
    let changes = plan.changes.iter();
    changes.map(|change| format!("{:?} {}", change.action, change.address)).collect()
}

/// The whole life of an environment.
async fn is_applied_and_destroyed(connection: &Connection, example: &Example, env: &str) {
    let (provider, blueprint) = configured(connection, &dir_of(example.name), env).await;
    let made = run(&provider, &blueprint, Purpose::Apply).await;
    assert_eq!(made.count(Action::Create), blueprint.resources.len());
    expect_settled(&provider, &blueprint, "creation").await;

    let folder = Changed::new(example.name, env, example.change);
    let (provider, changed) = configured(connection, &folder.dir(), env).await;
    let plan = run(&provider, &changed, Purpose::Apply).await;
    let updates = example.updates.iter();
    let expected: BTreeSet<String> = updates.map(|address| format!("Update {address}")).collect();
    assert_eq!(changes(&plan), expected, "{}, {env}", example.name);
    expect_settled(&provider, &changed, "the change").await;

    if env == example.envs[0] {
        let tagged = format!("{}[tags]\nTeam = \"platform\"\n", example.change);
        let folder = Changed::new(example.name, env, &tagged);
        let (provider, changed) = configured(connection, &folder.dir(), env).await;
        let plan = run(&provider, &changed, Purpose::Apply).await;
        assert!(plan.count(Action::Update) > changed.resources.len() / 2);
        assert_eq!(plan.count(Action::Update), plan.changes.len(), "{:?}", changes(&plan));
        expect_settled(&provider, &changed, "retagging").await;
    }

    run(&provider, &changed, Purpose::Destroy).await;
    let left = plan_now(&provider, &changed, Purpose::Destroy).await;
    assert!(left.is_empty(), "left after destroy: {:?}", left.changes);
}

/// Each environment of an example on a sandbox of its own, the first on one as slow as AWS.
fn on_the_sandbox(example: &Example) {
    for (at, env) in example.envs.iter().enumerate() {
        let sandbox = if at == 0 { Sandbox::in_memory_strict() } else { Sandbox::in_memory() };
        block_on(is_applied_and_destroyed(&sandboxed(&sandbox), example, env));
        let left = sandbox.counts().expect("a sandbox");
        assert!(left.is_empty(), "{}, {env}: {left:?}", example.name);
    }
}

fn on_moto(example: &Example) {
    let moto = Moto::start();
    moto::block_on(is_applied_and_destroyed(&moto.connection(), example, example.envs[0]));
    assert_eq!(moto.holds(), [""; 0], "left after destroy");
}

#[test]
fn cost_optimised_is_applied_and_destroyed_on_the_sandbox() {
    on_the_sandbox(&COST);
}

#[test]
fn serverless_secured_is_applied_and_destroyed_on_the_sandbox() {
    on_the_sandbox(&SECURED);
}

#[test]
fn migration_is_applied_and_destroyed_on_the_sandbox() {
    on_the_sandbox(&MIGRATION);
}

#[test]
fn blue_green_migration_is_applied_and_destroyed_on_the_sandbox() {
    on_the_sandbox(&BLUE_GREEN);
}

#[test]
fn container_api_is_applied_and_destroyed_on_the_sandbox() {
    on_the_sandbox(&CONTAINERS);
}

#[test]
fn cost_optimised_is_applied_and_destroyed_on_moto() {
    on_moto(&COST);
}

#[test]
fn serverless_secured_is_applied_and_destroyed_on_moto() {
    on_moto(&SECURED);
}

#[test]
fn migration_is_applied_and_destroyed_on_moto() {
    on_moto(&MIGRATION);
}

#[test]
fn blue_green_migration_is_applied_and_destroyed_on_moto() {
    on_moto(&BLUE_GREEN);
}

#[test]
fn container_api_is_applied_and_destroyed_on_moto() {
    on_moto(&CONTAINERS);
}
