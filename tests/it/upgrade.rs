//! Environments that earlier versions created, as this version sees them with their config.
//! `tests/upgrade/README.md` says what is kept and how.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli_support::{Folder, copy};

/// A change as a line of `announced` names it, without the reason.
type Line = String;

fn kept_environments() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade");
    let entries = fs::read_dir(root).expect("the folder is in the repository");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    paths.filter(|path| path.is_dir()).collect()
}

/// A folder as the earlier version left it.
fn folder_of(kept: &Path) -> Folder {
    let folder = Folder::empty();
    copy(&kept.join("config"), &folder.path("config"));
    copy(&kept.join("edited"), &folder.path(""));
    copy(&kept.join("functions"), &folder.path("functions"));
    // payctl reads sources only inside the repository.
    folder.write(".git/HEAD", "");
    copy(&kept.join("sandbox"), &folder.path(".payctl/sandbox"));
    folder
}

/// The announced changes with their reasons.
fn announced_in(kept: &Path) -> BTreeMap<Line, String> {
    let text = fs::read_to_string(kept.join("announced")).expect("a list");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let announced = lines.map(|line| {
        let (change, reason) = line.split_once(": ").expect("a change, a colon and a reason");
        assert!(reason.split_whitespace().count() > 2, "a reason is a few words: {line}");
        (change.to_owned(), reason.to_owned())
    });
    announced.collect()
}

/// The environments, and where the config of each is.
fn environments_of(kept: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(kept.join("environments")).expect("a list");
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(env, config)| (env.to_owned(), config.to_owned())).collect()
}

fn options(env: &str, config: &str) -> String {
    format!("--env {env} --config-dir {config} --sandbox")
}

/// What a plan shows, in the words of `announced`.
fn shown_in(env: &str, plan: &Value) -> Vec<Line> {
    assert_eq!(plan["refused"], json!([]), "{env}");
    assert_eq!(plan["notes"], json!([]), "{env}");
    let mut lines = Vec::new();
    for change in plan["changes"].as_array().expect("changes") {
        let text = |key: &str| change[key].as_str().expect("a text").to_owned();
        let (action, address) = (text("action"), text("address"));
        let fields = change["fields"].as_array().expect("fields");
        let paths = fields.iter().filter_map(|field| field["path"].as_str());
        let paths: Vec<&str> = paths.filter(|_| action == "update").collect();
        if paths.is_empty() {
            lines.push(format!("{env} {action} {address}"));
        }
        lines.extend(paths.iter().map(|path| format!("{env} {action} {address} {path}")));
    }
    lines
}

fn line(out: &str, kind: &str) -> Value {
    let mut lines =
        out.lines().map(|line| serde_json::from_str::<Value>(line).expect("a JSON line"));
    lines.find(|line| line["type"] == kind).expect("a line of that type")
}

#[test]
fn an_upgrade_plans_only_the_announced_changes() {
    let kept = kept_environments();
    assert!(!kept.is_empty(), "no version is kept");
    for kept in kept {
        let folder = folder_of(&kept);
        let environments = environments_of(&kept);
        let announced = announced_in(&kept);
        let mut seen = Vec::new();
        for (env, config) in &environments {
            let ran = folder.expect(0, &format!("plan {} --json", options(env, config)));
            seen.extend(shown_in(env, &line(&ran.out, "plan")));
        }
        let surplus: Vec<&Line> =
            seen.iter().filter(|line| !announced.contains_key(*line)).collect();
        let missing: Vec<&Line> = announced.keys().filter(|line| !seen.contains(line)).collect();
        assert!(
            surplus.is_empty() && missing.is_empty(),
            "{}: shown and not announced: {surplus:#?}\nannounced and not shown: {missing:#?}",
            kept.display()
        );
        for (env, config) in &environments {
            let on = options(env, config);
            folder.expect(0, &format!("apply {on} --auto-approve"));
            let again = folder.expect(0, &format!("plan {on} --detailed-exitcode"));
            assert!(again.out.contains("No changes:"), "{}", again.out);
        }
        for (env, config) in &environments {
            folder.expect(
                0,
                &format!("destroy {} --auto-approve --allow-data-loss", options(env, config)),
            );
        }
        assert_eq!(folder.counts(), json!({}));
    }
}

/// Objects of an earlier version have no protection tag. The first apply that asks for protection adds
/// it, and it holds from then on.
#[test]
fn an_environment_of_an_earlier_version_can_be_protected() {
    for kept in kept_environments() {
        let folder = folder_of(&kept);
        let announced = announced_in(&kept);
        for (env, config) in environments_of(&kept) {
            let (on, file) = (options(&env, &config), format!("{config}/{env}.toml"));
            let before = fs::read_to_string(folder.path(&file)).expect("the config");
            folder.write(&file, &format!("protect = true\n{before}"));
            let ran = folder.expect(0, &format!("plan {on} --json"));
            let shown = shown_in(&env, &line(&ran.out, "plan"));
            let is_protection = |line: &&Line| line.ends_with(" tags.payctl:protect");
            let tagged = shown.iter().filter(is_protection).count();
            let (tables, buckets) = (" dynamodb.table/", " s3.bucket/");
            for sort in [tables, buckets] {
                let with = |line: &&Line| line.contains(sort) && is_protection(line);
                assert!(shown.iter().any(|line| with(&line)), "{env}:{sort}: {shown:#?}");
            }
            // The protection of AWS, and the key that a final snapshot needs.
            let guards = [" deletion_protection", " final_snapshot", " kept"];
            let other = shown.iter().filter(|line| {
                !is_protection(line)
                    && !guards.iter().any(|guard| line.ends_with(guard))
                    && !announced.contains_key(*line)
            });
            assert_eq!(other.collect::<Vec<_>>(), [] as [&Line; 0], "{env}");
            folder.expect(0, &format!("apply {on} --auto-approve"));
            folder.expect(0, &format!("plan {on} --detailed-exitcode"));

            // The live tag holds even if the config does not mention protection.
            folder.write(&file, &before);
            let destroy = format!("destroy {on} --auto-approve --allow-data-loss");
            let refused = folder.expect(1, &destroy);
            let refusals = refused.err.split("error: cannot plan ").skip(1);
            let by_tag = refusals.filter(|text| text.contains("has the tag payctl:protect"));
            let names = |text: &str| text.lines().next().map_or(0, |line| line.split(", ").count());
            let said: usize = by_tag.map(names).sum();
            assert_eq!(said, tagged, "{}", refused.err);
            // The first apply takes the tags off, the second the protection of AWS.
            folder.expect(0, &format!("apply {on} --auto-approve"));
            folder.expect(0, &format!("apply {on} --auto-approve"));
            let gone = folder.expect(0, &destroy);
            assert!(gone.err.contains("nothing of "), "{}", gone.err);
        }
    }
}
