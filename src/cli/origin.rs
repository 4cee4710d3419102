//! From where a run comes, for people: the commit of the config, and who started it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// Variables of CI systems with the commit, for checkouts without git.
const COMMITS: &[&str] = &["GITHUB_SHA", "CI_COMMIT_SHA"];

/// Variables of CI systems with the person behind the job.
const PEOPLE: &[&str] = &["GITHUB_ACTOR", "GITLAB_USER_LOGIN"];

/// How long git may take. A run does not wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a person's name may be, in characters.
const LONGEST: usize = 100;

/// Everything in the work tree but what payctl itself keeps there.
const STATUS: &[&str] =
    &["status", "--porcelain", "--", ":(top)", ":(top,exclude,glob)**/.payctl/**"];

/// From where a run comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// The commit, and `with changes` if the work tree has some.
    pub(super) commit: Option<String>,
    /// Who started it, as the CI system says.
    pub(super) person: Option<String>,
}

/// Asks git about the folder, and the variables of CI systems.
pub(super) async fn find(dir: &Path, variable: impl Fn(&str) -> Option<String>) -> Origin {
    let head = git(dir, &["rev-parse", "--verify", "HEAD"]).await;
    let commit = match head.filter(|head| is_commit(head)) {
        Some(head) => match git(dir, STATUS).await {
            Some(changes) if !changes.is_empty() => Some(format!("{head} with changes")),
            Some(_) | None => Some(head),
        },
        None => COMMITS.iter().find_map(|name| variable(name).filter(|text| is_commit(text))),
    };
    Origin { commit, person: PEOPLE.iter().find_map(|name| person(&variable(name)?)) }
}

/// What git says, if it can.
async fn git(dir: &Path, words: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    // No program that the repository names, and no write into it.
    git.args(["--no-optional-locks", "-c", "core.fsmonitor=false", "-C"]).arg(dir).args(words);
    git.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let ended = timeout(PATIENCE, git.output()).await.ok()?.ok()?;
    let said = String::from_utf8_lossy(&ended.stdout);
    ended.status.success().then(|| said.trim().to_owned())
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A name as the environment of the process gives it: anybody may have set it.
fn person(text: &str) -> Option<String> {
    let shown = text.chars().filter(|one| !one.is_control()).take(LONGEST);
    let name = shown.collect::<String>().trim().to_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    async fn made(dir: &Path) -> String {
        let name = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"];
        let commit = [&name[..], &["commit", "--quiet", "--allow-empty", "-m", "First"]].concat();
        git(dir, &["init", "--quiet"]).await.expect("git is there");
        git(dir, &commit).await.expect("a commit");
        git(dir, &["rev-parse", "HEAD"]).await.expect("a commit")
    }

    #[tokio::test]
    async fn a_work_tree_with_changes_is_marked() {
        let dir = tempfile::tempdir().unwrap();
        let head = made(dir.path()).await;
        let other = |name: &str| (name == "GITHUB_SHA").then(|| SHA.to_owned());
        assert_eq!(find(dir.path(), other).await.commit, Some(head.clone()), "git comes first");
        let own = dir.path().join(".payctl");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("times.json"), "{}").unwrap();
        assert_eq!(find(dir.path(), other).await.commit, Some(head.clone()), "payctl's own files");
        fs::write(dir.path().join("dev.toml"), "").unwrap();
        assert_eq!(find(dir.path(), other).await.commit, Some(format!("{head} with changes")));
    }

    #[tokio::test]
    async fn without_git_the_variables_of_ci_systems_tell() {
        let dir = tempfile::tempdir().unwrap();
        for (commit, person) in
            [("GITHUB_SHA", "GITHUB_ACTOR"), ("CI_COMMIT_SHA", "GITLAB_USER_LOGIN")]
        {
            let variable = |name: &str| match name {
                _ if name == commit => Some(SHA.to_owned()),
                _ if name == person => Some("octocat".to_owned()),
                _ => None,
            };
            let expected = Origin { commit: Some(SHA.into()), person: Some("octocat".into()) };
            assert_eq!(find(dir.path(), variable).await, expected);
        }
        assert_eq!(find(dir.path(), |_| None).await, Origin::default());
    }

    #[tokio::test]
    async fn what_the_environment_says_is_bounded_and_has_no_control_characters() {
        let dir = tempfile::tempdir().unwrap();
        for commit in ["", "main", "0123456; rm", &"a".repeat(65), "0123456\n89abcdef"] {
            let variable = |name: &str| (name == "GITHUB_SHA").then(|| commit.to_owned());
            assert_eq!(find(dir.path(), variable).await.commit, None, "{commit:?}");
        }
        assert_eq!(person(" \u{1b}[31mocto\ncat\u{7} "), Some("[31moctocat".into()));
        assert_eq!(person("\u{1b}\n"), None);
        assert_eq!(person(&"x".repeat(1000)).map(|name| name.len()), Some(100));
    }
}
