//! Plans in files: written by `plan --out`, carried out by `apply FILE` if nothing has moved.

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use super::error::{CliError, ErrorKind};
use crate::aws::kinds::lambda_function::Function;
use crate::engine::plan::{Action, Change, FORMAT, Plan};
use crate::engine::survey::Snapshot;
use crate::model::address::Address;
use crate::model::package::Packages;
use crate::model::scope::Scope;

const AGAIN: &str = "make it again with `payctl plan --out FILE`";

/// Writes a plan. The file is for its owner alone: it shows how the environment is built. It is there
/// as a whole or not at all, and takes the place of a regular file only.
pub(super) fn write(path: &Path, plan: &Plan) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        CliError::new(ErrorKind::User, format!("cannot write the plan to {}", path.display()))
            .because(error)
            .hinted("choose another place for it with --out")
    };
    let mut text = serde_json::to_string_pretty(plan)
        .map_err(|error| CliError::new(ErrorKind::Bug, "cannot encode the plan").because(error))?;
    text.push('\n');
    if std::fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        let what = "it is a link, a device or a folder, and a plan is a regular file";
        return Err(failed(std::io::Error::other(what)));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // Made with the mode 0600, beside the file, whose place it takes in one move.
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
            "it has format {format}, and this payctl knows {FORMAT} alone"
        )));
    }
    serde_json::from_value(tree).map_err(|error| failed(format!("the file is damaged: {error}")))
}

/// Refuses a plan that was made elsewhere, or from what is no longer there.
pub(super) fn check(plan: &Plan, here: &Scope, now: &Snapshot) -> Result<(), CliError> {
    if plan.scope != *here {
        return Err(CliError::new(ErrorKind::User, "the plan was made for another place")
            .because(format!("the plan: {}\nhere:     {here}", plan.scope))
            .hinted("use the credentials and the region that it was made with"));
    }
    let moved = plan.moved(now);
    if moved.is_empty() {
        return Ok(());
    }
    let moved: Vec<String> = moved.iter().map(Address::to_string).collect();
    Err(CliError::new(ErrorKind::Stale, "the plan is out of date")
        .because(format!("changed since it was made: {}", moved.join(", ")))
        .hinted(AGAIN))
}

/// Refuses a plan that wants to deploy sources that are no longer there: a plan holds the digests
/// of packages, not the packages.
pub(super) fn check_sources(plan: &Plan, packages: &Packages) -> Result<(), CliError> {
    let lost = |change: &&Change| {
        let code = |spec: &Value| Function::of(&change.address, spec).map(|function| function.code);
        let want = change.want.as_ref().and_then(|want| code(&want.spec));
        let live = change.live.as_ref().and_then(|live| code(&live.spec));
        let is_needed = change.action != Action::Update || live != want;
        is_needed && want.is_some_and(|code| packages.get(&code).is_none())
    };
    let lost: Vec<String> =
        plan.changes.iter().filter(lost).map(|change| change.address.to_string()).collect();
    match lost.is_empty() {
        true => Ok(()),
        false => Err(CliError::new(ErrorKind::Stale, "the plan is out of date")
            .because(format!("sources changed since it was made: {}", lost.join(", ")))
            .hinted(AGAIN)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Stage;
    use super::*;
    use crate::engine::plan::Purpose;

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
            changes: Vec::new(),
            unchanged: Vec::new(),
            refused: Vec::new(),
            unseen: Vec::new(),
            left_alone: Vec::new(),
            outputs: BTreeMap::new(),
            digests: BTreeMap::from([(Address::new("sqs.queue", "jobs"), "0a".into())]),
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
    fn a_plan_is_for_its_owner_alone_and_takes_the_place_of_files_only() {
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
    fn a_plan_from_elsewhere_or_from_the_past_is_refused() {
        let here = plan().scope;
        let there = Scope { account: "2".into(), ..here.clone() };
        let nothing = Snapshot::new();
        assert_eq!(check(&plan(), &there, &nothing).unwrap_err().kind, ErrorKind::User);
        let stale = check(&plan(), &here, &nothing).unwrap_err();
        assert_eq!(stale.exit_code(Stage::Looking), 4);
        assert!(stale.source.unwrap().what.unwrap().contains("sqs.queue/jobs"));
        let fresh = Plan { digests: BTreeMap::new(), ..plan() };
        assert!(check(&fresh, &here, &nothing).is_ok());
    }
}
