//! Plans in files: `plan --out` writes them, `apply FILE` carries them out if nothing has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::error::{CliError, ErrorKind};
use crate::ui::text::one_line;
use payctl_engine::diff::FieldChange;
use payctl_engine::model::address::Address;
use payctl_engine::model::scope::Scope;
use payctl_engine::plan::{Change, FORMAT, Plan};

const AGAIN: &str = "make a new plan with `payctl plan --out FILE`";

/// Writes a plan.
pub(super) fn write(path: &Path, plan: &Plan) -> Result<(), CliError> {
    let mut text = serde_json::to_string_pretty(plan)
        .map_err(|error| CliError::new(ErrorKind::Bug, "cannot encode the plan").because(error))?;
    text.push('\n');
    put(path, &text, "the plan", "--out")
}

/// Writes a file that shows how the environment is built, so that only the owner can read it. The
/// write is atomic and replaces only a regular file. `flag` chose the path.
pub(super) fn put(path: &Path, text: &str, what: &str, flag: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        CliError::new(ErrorKind::User, format!("cannot write {what} to {}", path.display()))
            .because(error)
            .hinted(format!("choose another path with {flag}"))
    };
    if std::fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        let what = "the path is a link, a device or a folder, and not a regular file";
        return Err(failed(std::io::Error::other(what)));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // A temporary file with mode 0600 beside the target, which a rename then replaces.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Reads a plan.
pub(super) fn read(path: &Path) -> Result<Plan, CliError> {
    let failed = |what: String| {
        CliError::new(ErrorKind::User, format!("cannot use the plan in {}", path.display()))
            .because(what)
            .hinted(AGAIN)
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let tree: Value = serde_json::from_str(&text)
        .map_err(|error| failed(format!("the file is damaged: {error}")))?;
    let format = tree.get("format").and_then(Value::as_u64);
    if format != Some(u64::from(FORMAT)) {
        let format = format.map_or_else(|| "none".to_owned(), |format| format.to_string());
        return Err(failed(format!(
            "it has format {format}; this version of payctl reads only format {FORMAT}"
        )));
    }
    serde_json::from_value(tree).map_err(|error| failed(format!("the file is damaged: {error}")))
}

/// Refuses a plan that was made for another account, region or environment.
pub(super) fn check_place(saved: &Plan, here: &Scope) -> Result<(), CliError> {
    if saved.scope == *here {
        return Ok(());
    }
    Err(CliError::new(
        ErrorKind::User,
        "the plan was made for another environment, account or region",
    )
    .because(format!("the plan: {}\nnow:      {here}", saved.scope))
    .hinted("use the credentials and the region of the plan"))
}

/// Refuses a plan that differs from a new one: the environment, the config or the file has changed
/// since it was made. payctl carries out the new plan, never the file.
pub(super) fn check(saved: &Plan, now: &Plan) -> Result<(), CliError> {
    match difference(saved, now) {
        None => Ok(()),
        Some(difference) => Err(CliError::new(ErrorKind::Stale, "the plan is out of date")
            .because(difference)
            .hinted(AGAIN)),
    }
}

/// The first difference between the effects of two plans.
fn difference(saved: &Plan, now: &Plan) -> Option<String> {
    let (saved, now) = (by_address(saved), by_address(now));
    let addresses: BTreeSet<&Address> = saved.keys().chain(now.keys()).copied().collect();
    addresses.into_iter().find_map(|address| {
        let of = |plan: &BTreeMap<&Address, Vec<&Change>>| -> Vec<Value> {
            plan.get(address).into_iter().flatten().map(|change| view(change)).collect()
        };
        let (before, after) = (of(&saved), of(&now));
        let most = before.len().max(after.len());
        (0..most).find_map(|at| differs(&address.to_string(), before.get(at), after.get(at)))
    })
}

/// The changes of each address, in the order of their ids.
fn by_address(plan: &Plan) -> BTreeMap<&Address, Vec<&Change>> {
    let mut changes: BTreeMap<&Address, Vec<&Change>> = BTreeMap::new();
    for change in &plan.changes {
        changes.entry(&change.address).or_default().push(change);
    }
    let id = |change: &&Change| change.live.as_ref().map(|live| live.id.clone());
    changes.values_mut().for_each(|changes| changes.sort_by_key(id));
    changes
}

/// The effect of a change. Three things may differ: the place in the config, tags that are set once
/// (such as the time of creation), and the status in AWS.
fn view(change: &Change) -> Value {
    let values = |field: &FieldChange| {
        (field.path.clone(), json!({ "from": field.before, "to": field.after }))
    };
    let fields: Map<String, Value> = change.fields.iter().map(values).collect();
    let wanted = change.want.as_ref().map(|want| {
        json!({
            "address": want.address,
            "name": want.name,
            "spec": want.spec,
            "tags": want.tags,
            "after": want.after,
        })
    });
    let all = [
        ("action", json!(change.action)),
        ("id", json!(change.live.as_ref().map(|live| &live.id))),
        ("name", json!(change.name)),
        ("loses", json!(change.irreversible)),
        ("create_first", json!(change.create_first)),
        ("fields", json!(fields)),
        ("wanted", json!(wanted)),
    ];
    let there = all.into_iter().filter(|(_, value)| !value.is_null());
    there.map(|(name, value)| (name.to_owned(), value)).collect::<Map<String, Value>>().into()
}

/// The first difference below a path, with both values. A missing value is not `null`: payctl
/// leaves a missing one as it is, and removes one that is `null`.
fn differs(path: &str, saved: Option<&Value>, now: Option<&Value>) -> Option<String> {
    match (saved, now) {
        (saved, now) if saved == now => None,
        (Some(Value::Object(saved)), Some(Value::Object(now))) => {
            let keys: BTreeSet<&String> = saved.keys().chain(now.keys()).collect();
            keys.into_iter()
                .find_map(|key| differs(&format!("{path}.{key}"), saved.get(key), now.get(key)))
        }
        (Some(Value::Array(saved)), Some(Value::Array(now))) if saved.len() == now.len() => {
            let pairs = saved.iter().zip(now).enumerate();
            pairs
                .map(|(at, pair)| (format!("{path}.{at}"), pair))
                .find_map(|(path, (saved, now))| differs(&path, Some(saved), Some(now)))
        }
        (saved, now) => {
            Some(format!("{path}\nin the file: {}\nnow:         {}", brief(saved), brief(now)))
        }
    }
}

/// A value in a few words; for a change that only one of the plans has, its action.
fn brief(value: Option<&Value>) -> String {
    const MOST: usize = 200;
    let Some(value) = value else { return "nothing".to_owned() };
    let action = value.get("action").and_then(Value::as_str);
    let text = match (action, value.get("id").and_then(Value::as_str)) {
        (Some(action), Some(id)) => format!("{action} {id}"),
        (Some(action), None) => action.to_owned(),
        (None, _) => value.to_string(),
    };
    let text = one_line(&text);
    if text.chars().count() > MOST {
        text.chars().take(MOST).chain("...".chars()).collect()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::Stage;
    use super::*;
    use payctl_engine::model::desired::Desired;
    use payctl_engine::model::live::{Live, Phase, Tags};
    use payctl_engine::model::text::Outputs;
    use payctl_engine::plan::{Action, Purpose};

    fn change() -> Change {
        let address = Address::new("sqs.queue", "jobs");
        Change {
            name: "dev-jobs".into(),
            component: "queues".into(),
            origin: "config/dev.toml:4".into(),
            fields: vec![FieldChange {
                path: "delay".into(),
                before: Some(json!(1)),
                after: Some(json!(2)),
                unknown: false,
            }],
            want: Some(Desired {
                address: address.clone(),
                name: "dev-jobs".into(),
                component: "queues".into(),
                origin: "config/dev.toml:4".into(),
                spec: json!({ "delay": 2, "policy": { "rules": ["a", "b"] } }),
                tags: Tags::from([("Team".into(), "payments".into())]),
                tags_once: Tags::from([("CreatedAt".into(), "2026-01-01T00:00:00Z".into())]),
                after: BTreeSet::new(),
            }),
            live: Some(Live {
                id: "https://sqs/dev-jobs".into(),
                spec: json!({ "delay": 1 }),
                outputs: Outputs::new(),
                tags: Tags::new(),
                phase: Phase::Ready,
            }),
            ..Change::new(address, Action::Update)
        }
    }

    fn plan() -> Plan {
        let scope = Scope {
            project: "payment".into(),
            env: "dev".into(),
            account: "1".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        };
        Plan {
            format: FORMAT,
            scope,
            purpose: Purpose::Apply,
            targets: Vec::new(),
            changes: vec![change()],
            unchanged: Vec::new(),
            refused: Vec::new(),
            notes: Vec::new(),
            unseen: Vec::new(),
            left_alone: Vec::new(),
            beyond: Vec::new(),
            staying: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    #[test]
    fn a_plan_survives_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.json");
        write(&path, &plan()).unwrap();
        assert_eq!(read(&path).unwrap(), plan());
    }

    #[cfg(unix)]
    #[test]
    fn a_plan_file_is_private_and_replaces_only_files() {
        use std::fs::{self, Permissions};
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.json");
        fs::write(&path, "an old plan").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write(&path, &plan()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap(), plan());

        let target = dir.path().join("target");
        fs::write(&target, "of somebody").unwrap();
        symlink(&target, dir.path().join("link")).unwrap();
        for place in ["link", ".", "none/plan.json", "target/plan.json"] {
            let error = write(&dir.path().join(place), &plan()).unwrap_err();
            assert_eq!(error.exit_code(Stage::Looking), 1, "{place}");
            assert!(error.source.unwrap().title.starts_with("cannot write the plan to "));
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), "of somebody");
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 3, "nothing is left beside the plan, the target and the link");
    }

    #[test]
    fn damaged_and_foreign_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.json");
        for text in ["", "{", "[]", r#"{"format": 999}"#, r#"{"format": 1}"#] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap_err().kind, ErrorKind::User, "{text}");
        }
        assert!(read(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_plan_of_another_environment_is_refused() {
        let here = plan().scope;
        let there = Scope { account: "2".into(), ..here.clone() };
        assert_eq!(check_place(&plan(), &there).unwrap_err().kind, ErrorKind::User);
        assert!(check_place(&plan(), &here).is_ok());
    }

    /// The refusal of a file that differs in one way from what would be planned now.
    fn refusal(edit: impl Fn(&mut Plan)) -> String {
        let mut file = plan();
        edit(&mut file);
        let stale = check(&file, &plan()).expect_err("the plans differ");
        assert_eq!(stale.exit_code(Stage::Looking), 4);
        stale.source.unwrap().what.unwrap()
    }

    #[test]
    fn every_difference_from_a_saved_plan_is_named() {
        let first = |plan: &mut Plan| -> Change { plan.changes.remove(0) };
        let check = |edit: &dyn Fn(&mut Plan), said: &str| assert_eq!(refusal(edit), said);
        let other = |saved: &str, now: &str, at: &str| {
            format!("sqs.queue/jobs{at}\nin the file: {saved}\nnow:         {now}")
        };
        let nothing = other("nothing", "update https://sqs/dev-jobs", "");
        check(&|plan| plan.changes.clear(), &nothing);
        let added = |plan: &mut Plan| {
            let mut more = plan.changes[0].clone();
            more.address = Address::new("dynamodb.table", "ledger");
            more.action = Action::Delete;
            plan.changes.push(more);
        };
        check(
            &added,
            "dynamodb.table/ledger\nin the file: delete https://sqs/dev-jobs\nnow:         nothing",
        );
        let moved = |plan: &mut Plan| {
            let address = Address::new("sqs.queue", "a");
            let moved = Change { address, ..first(plan) };
            plan.changes.push(moved);
        };
        check(
            &moved,
            "sqs.queue/a\nin the file: update https://sqs/dev-jobs\nnow:         nothing",
        );
        let id =
            |plan: &mut Plan| plan.changes[0].live.as_mut().unwrap().id = "https://x\u{1b}".into();
        check(&id, &other("\"https://x\\u001b\"", "\"https://sqs/dev-jobs\"", ".id"));
        let action = |plan: &mut Plan| plan.changes[0].action = Action::Delete;
        check(&action, &other("\"delete\"", "\"update\"", ".action"));
        let value = |plan: &mut Plan| plan.changes[0].fields[0].after = Some(json!(9));
        check(&value, &other("9", "2", ".fields.delay.to"));
        // The same text, another value behind it.
        let behind = |plan: &mut Plan| {
            plan.changes[0].want.as_mut().unwrap().spec["policy"]["rules"][1] = json!("*");
        };
        check(&behind, &other("\"*\"", "\"b\"", ".wanted.spec.policy.rules.1"));
        let tags = |plan: &mut Plan| {
            plan.changes[0].want.as_mut().unwrap().tags.insert("Team".into(), "x".into());
        };
        check(&tags, &other("\"x\"", "\"payments\"", ".wanted.tags.Team"));
        let loses = |plan: &mut Plan| plan.changes[0].irreversible = Some("all".into());
        check(&loses, &other("\"all\"", "nothing", ".loses"));
        // What is left as it is, and what must be absent.
        let left = |plan: &mut Plan| {
            plan.changes[0].want.as_mut().unwrap().spec["key"] = Value::Null;
        };
        check(&left, &other("null", "nothing", ".wanted.spec.key"));
    }

    #[test]
    fn volatile_details_do_not_differ_from_a_saved_plan() {
        let mut file = plan();
        let change = &mut file.changes[0];
        change.origin = "config/dev.toml:5".into();
        change.because = Some("AWS is still at work".into());
        change.live.as_mut().unwrap().phase = Phase::Pending("updating".into());
        let want = change.want.as_mut().unwrap();
        want.origin = change.origin.clone();
        want.tags_once.insert("CreatedAt".into(), "2026-01-02T00:00:00Z".into());
        assert!(check(&file, &plan()).is_ok());
    }
}
