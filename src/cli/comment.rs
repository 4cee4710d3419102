//! `payctl comment`: one comment on a pull request of GitHub or a merge request of GitLab.
//!
//! The comment is a file that `payctl plan --format markdown` wrote. Its first line tells which environment it
//! is for, so a later run finds the comment and writes it anew. Only a comment of the token's own
//! user counts: somebody else could change theirs afterwards.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::environment::github_number;
use super::error::{CliError, ErrorKind};
use super::{Context, exit, variable};
use crate::aws::web::{Outside, Request};
use crate::ui::markdown::MARK;

/// How many comments one answer holds, and how many answers are read.
const PAGE: usize = 100;
const PAGES: usize = 50;

/// Write a plan into a comment on the pull request of a CI job
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file that `payctl plan --format markdown` wrote; `-` for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let body = read(&args.file)?;
    let mark = body.lines().next().filter(|line| line.starts_with(MARK));
    let mark = mark.ok_or_else(|| {
        CliError::new(ErrorKind::User, format!("{} is not a plan", args.file.display()))
            .hinted("write it with: payctl plan --format markdown > FILE")
    })?;
    let is_summarised = summarise(&body)?;
    let Some(forge) = Forge::here(&variable)? else {
        if is_summarised {
            cx.note("No pull request: the plan is in the summary of the step only.");
            return Ok(exit::SUCCESS);
        }
        let title = "this is not a job of a pull request";
        return Err(CliError::new(ErrorKind::User, title).hinted(
            "run it in GitHub Actions or GitLab CI, for a pull request or a merge request",
        ));
    };
    let outside = Outside::new(cx.global.profile.as_deref()).await;
    let outside = outside.map_err(|error| CliError::cloud("connect", &error))?;
    let what = forge.write(&outside, mark, &body).await?;
    cx.note(format_args!("{what} the comment on {}.", forge.shown));
    Ok(exit::SUCCESS)
}

fn read(file: &Path) -> Result<String, CliError> {
    let text = match file.to_str() {
        Some("-") => io::read_to_string(io::stdin()),
        _ => fs::read_to_string(file),
    };
    text.map_err(|error| {
        CliError::new(ErrorKind::User, format!("cannot read {}", file.display())).because(error)
    })
}

/// Adds the plan to the summary of a step of GitHub Actions, if there is one.
fn summarise(body: &str) -> Result<bool, CliError> {
    let Some(path) = variable("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return Ok(false);
    };
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(format!("{body}\n").as_bytes()))?;
    Ok(true)
}

/// Where comments go: the API of GitHub or GitLab, and the pull request of the job.
struct Forge {
    /// The comments of the pull request.
    comments: String,
    /// One comment, before its id.
    comment: String,
    /// The method that writes a comment anew.
    rewrite: &'static str,
    /// The token's user.
    me: String,
    headers: BTreeMap<String, String>,
    /// The pull request, for people.
    shown: String,
}

impl Forge {
    /// What the variables of the CI job say; `None` outside of a pull request.
    fn here(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, CliError> {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let missing =
            |name: &str| CliError::new(ErrorKind::User, format!("the variable {name} is not set"));
        if let Some(number) = github_number(&get) {
            let repository =
                get("GITHUB_REPOSITORY").ok_or_else(|| missing("GITHUB_REPOSITORY"))?;
            let token = get("GITHUB_TOKEN").or_else(|| get("GH_TOKEN"));
            let token = token.ok_or_else(|| {
                missing("GITHUB_TOKEN").hinted(
                    "set it to ${{ github.token }}, and give the job the permission \
                     `pull-requests: write`",
                )
            })?;
            let api = get("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned());
            return Ok(Some(Self {
                comments: format!("{api}/repos/{repository}/issues/{number}/comments"),
                comment: format!("{api}/repos/{repository}/issues/comments"),
                rewrite: "PATCH",
                me: format!("{api}/user"),
                headers: headers(&[
                    ("authorization", &format!("Bearer {token}")),
                    ("accept", "application/vnd.github+json"),
                    ("x-github-api-version", "2022-11-28"),
                ]),
                shown: format!("{repository}#{number}"),
            }));
        }
        let Some(number) = get("CI_MERGE_REQUEST_IID") else { return Ok(None) };
        let api = get("CI_API_V4_URL").ok_or_else(|| missing("CI_API_V4_URL"))?;
        let project = get("CI_MERGE_REQUEST_PROJECT_ID").or_else(|| get("CI_PROJECT_ID"));
        let project = project.ok_or_else(|| missing("CI_PROJECT_ID"))?;
        let token =
            get("PAYCTL_GITLAB_TOKEN").or_else(|| get("GITLAB_TOKEN")).ok_or_else(|| {
                missing("PAYCTL_GITLAB_TOKEN").hinted(
                    "store a project access token with the scope `api` as a masked variable of the \
                 project: the job's own token cannot write comments",
                )
            })?;
        let notes = format!("{api}/projects/{project}/merge_requests/{number}/notes");
        Ok(Some(Self {
            comments: notes.clone(),
            comment: notes,
            rewrite: "PUT",
            me: format!("{api}/user"),
            headers: headers(&[("private-token", &token)]),
            shown: format!("merge request {number}"),
        }))
    }

    /// Writes the comment anew, or a first one.
    async fn write(
        &self,
        outside: &Outside,
        mark: &str,
        body: &str,
    ) -> Result<&'static str, CliError> {
        let known = self.find(outside, mark).await?;
        let (method, url, done) = match known {
            Some(id) => (self.rewrite, format!("{}/{id}", self.comment), "Updated"),
            None => ("POST", self.comments.clone(), "Wrote"),
        };
        self.ask(outside, method, &url, Some(&json!({ "body": body }))).await?;
        Ok(done)
    }

    /// The id of the token's own comment with a mark.
    async fn find(&self, outside: &Outside, mark: &str) -> Result<Option<u64>, CliError> {
        // The token of a job of GitHub has no user that it may ask for: it writes as a bot.
        let me = match self.send(outside, "GET", &self.me, None).await? {
            (200, me) => Some(me["id"].clone()),
            _ => None,
        };
        for page in 1..=PAGES {
            let url = format!("{}?per_page={PAGE}&page={page}", self.comments);
            let answer = self.ask(outside, "GET", &url, None).await?;
            let comments = answer.as_array().cloned().unwrap_or_default();
            for comment in &comments {
                let author = [&comment["user"], &comment["author"]];
                let author = author.into_iter().find(|author| author.is_object());
                let is_own = author.is_some_and(|author| match &me {
                    Some(id) => author["id"] == *id,
                    None => author["type"] == "Bot",
                });
                let text = comment["body"].as_str().unwrap_or_default();
                if is_own && text.lines().next().map(str::trim_end) == Some(mark) {
                    return Ok(comment["id"].as_u64());
                }
            }
            if comments.len() < PAGE {
                break;
            }
        }
        Ok(None)
    }

    async fn ask(
        &self,
        outside: &Outside,
        method: &str,
        url: &str,
        body: Option<&Value>,
    ) -> Result<Value, CliError> {
        let (status, answer) = self.send(outside, method, url, body).await?;
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let said = ["message", "error"].iter().find_map(|key| answer[*key].as_str());
        let error = CliError::new(ErrorKind::Cloud, format!("cannot comment on {}", self.shown));
        let error = error.because(format!("{method} {url}: {status} {}", said.unwrap_or_default()));
        Err(match status {
            401 | 403 | 404 => error.hinted(
                "the token must be able to write comments: `pull-requests: write` for a job of \
                 GitHub, the scope `api` for a token of GitLab",
            ),
            _ => error.hinted("run the same command again"),
        })
    }

    /// The status of an answer, and the answer, null if it is not JSON.
    async fn send(
        &self,
        outside: &Outside,
        method: &str,
        url: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), CliError> {
        let request = Request {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: self.headers.clone(),
            body: body.map(Value::to_string).unwrap_or_default(),
            is_signed: false,
        };
        let answer = outside.ask(&request).await.map_err(|why| {
            CliError::new(ErrorKind::Cloud, format!("cannot comment on {}", self.shown))
                .because(format!("{method} {url}: {why}"))
                .hinted("run the same command again")
        })?;
        Ok((answer.status, serde_json::from_slice(&answer.body).unwrap_or_default()))
    }
}

fn headers(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
