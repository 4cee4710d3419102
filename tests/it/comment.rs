//! `payctl plan --format markdown` and `payctl comment`, with the real binary. A server on loopback stands
//! in for the APIs of GitHub and GitLab, as their documentation describes them.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::cli_support::{Folder, Ran, ended};

/// The token that both APIs accept.
const TOKEN: &str = "s3cret-token";

/// Comments on one pull request, and the requests that were made.
#[derive(Default)]
struct Forge {
    comments: Vec<Value>,
    asked: Vec<String>,
    /// Whether the token is that of a job of GitHub, which has no user to ask for.
    is_job: bool,
}

/// The stand-in; it ends with the process.
struct StandIn {
    url: String,
    forge: Arc<Mutex<Forge>>,
}

impl StandIn {
    fn start(forge: Forge) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let forge = Arc::new(Mutex::new(forge));
        let shared = forge.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that breaks off is its own witness.
                let _broken = serve(stream, &shared);
            }
        });
        Self { url: format!("http://127.0.0.1:{port}"), forge }
    }

    fn bodies(&self) -> Vec<String> {
        let forge = self.forge.lock().expect("no panic");
        let bodies = forge.comments.iter().filter_map(|comment| comment["body"].as_str());
        bodies.map(str::to_owned).collect()
    }
}

fn serve(mut stream: TcpStream, forge: &Mutex<Forge>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut length, mut token) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((key, value)) = line.trim().split_once(": ") else { break };
        match key.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or_default(),
            "authorization" => token = value.trim_start_matches("Bearer ").to_owned(),
            "private-token" => token = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, answer) =
        answer(&mut forge.lock().expect("no panic"), method, path, &token, &body);
    let answer = answer.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{answer}",
        answer.len()
    )?;
    stream.flush()
}

fn answer(forge: &mut Forge, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
    forge.asked.push(format!("{method} {path}"));
    if token != TOKEN {
        return (401, json!({ "message": "Bad credentials" }));
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let lists = ["/repos/org/repo/issues/7/comments", "/projects/42/merge_requests/7/notes"];
    let user = json!({ "id": 1, "type": if forge.is_job { "Bot" } else { "User" } });
    match method {
        "GET" if path == "/user" && forge.is_job => {
            (403, json!({ "message": "Resource not accessible by integration" }))
        }
        "GET" if path == "/user" => (200, user),
        "GET" if lists.contains(&path) => {
            let page = query.rsplit_once("&page=").and_then(|(_, page)| page.parse().ok());
            let from = (page.unwrap_or(1_usize) - 1) * 100;
            let page: Vec<Value> = forge.comments.iter().skip(from).take(100).cloned().collect();
            (200, json!(page))
        }
        "POST" if lists.contains(&path) => {
            let id = forge.comments.len() + 1;
            let comment = json!({ "id": id, "body": body["body"], "user": user, "author": user });
            forge.comments.push(comment.clone());
            (201, comment)
        }
        "PATCH" | "PUT" => {
            let parent = if method == "PATCH" {
                "/repos/org/repo/issues/comments/"
            } else {
                "/projects/42/merge_requests/7/notes/"
            };
            let id = path.strip_prefix(parent).and_then(|id| id.parse::<usize>().ok());
            let Some(comment) = id.and_then(|id| forge.comments.get_mut(id - 1)) else {
                return (404, json!({ "message": "Not Found" }));
            };
            comment["body"] = body["body"].clone();
            (200, comment.clone())
        }
        _ => (404, json!({ "message": "Not Found" })),
    }
}

/// A folder with a plan in `plan.md`.
fn planned() -> Folder {
    let folder = Folder::shipped();
    let plan = folder.expect(0, "plan --env dev --sandbox --format markdown");
    assert!(plan.out.chars().count() < 60_000, "{}", plan.out.chars().count());
    assert!(plan.out.starts_with("<!-- payctl plan payment dev us-east-1 -->\n"), "{}", plan.out);
    folder.write("plan.md", &plan.out);
    folder.write("event.json", r#"{ "pull_request": { "number": 7 } }"#);
    folder
}

fn on_github(folder: &Folder, api: &str, token: &str) -> Command {
    let mut command = folder.payctl("comment plan.md");
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_API_URL", api)
        .env("GITHUB_REPOSITORY", "org/repo")
        .env("GITHUB_EVENT_PATH", folder.path("event.json"))
        .env("GITHUB_TOKEN", token);
    command
}

fn on_gitlab(folder: &Folder, api: &str) -> Command {
    let mut command = folder.payctl("comment plan.md");
    command
        .env("CI_API_V4_URL", api)
        .env("CI_PROJECT_ID", "42")
        .env("CI_MERGE_REQUEST_IID", "7")
        .env("PAYCTL_GITLAB_TOKEN", TOKEN);
    command
}

fn succeeds(command: &mut Command) -> Ran {
    let ran = ended(command);
    ran.expect(0, "comment");
    ran
}

/// Comments of others; the last has the mark of the plan, and is not the token's own.
fn others() -> Vec<Value> {
    let other = json!({ "id": 9, "type": "User" });
    let comment =
        |id: usize, body: &str| json!({ "id": id, "body": body, "user": other, "author": other });
    let mut comments: Vec<Value> = (1..=120).map(|id| comment(id, "Looks good")).collect();
    comments.push(comment(121, "<!-- payctl plan payment dev us-east-1 -->\nfaked"));
    comments
}

#[test]
fn a_plan_is_written_into_one_comment_of_its_own() {
    let folder = planned();
    for is_job in [true, false] {
        for is_github in [true, false] {
            if is_job && !is_github {
                continue;
            }
            let there = StandIn::start(Forge { comments: others(), is_job, ..Forge::default() });
            let command = || match is_github {
                true => on_github(&folder, &there.url, TOKEN),
                false => on_gitlab(&folder, &there.url),
            };
            assert!(succeeds(&mut command()).err.starts_with("Wrote the comment on "));
            let first = there.bodies();
            assert_eq!(first.len(), 122);
            assert!(first[120].ends_with("faked"), "the comment of somebody else changed");
            assert_eq!(first[121], fs::read_to_string(folder.path("plan.md")).expect("a plan"));
            assert!(succeeds(&mut command()).err.starts_with("Updated the comment on "));
            assert_eq!(there.bodies(), first, "the second run writes the same comment anew");
        }
    }
}

#[test]
fn a_refused_token_is_named_and_not_shown() {
    let folder = planned();
    let there = StandIn::start(Forge::default());
    let ran = ended(&mut on_github(&folder, &there.url, "wrong-token"));
    ran.expect(1, "comment");
    assert!(ran.err.contains("401 Bad credentials"), "{}", ran.err);
    assert!(ran.err.contains("`pull-requests: write`"), "{}", ran.err);
    assert!(!ran.err.contains("wrong-token") && there.bodies().is_empty());
}

#[test]
fn a_step_gets_a_summary_and_a_job_without_pull_request_no_comment() {
    let folder = planned();
    let mut command = folder.payctl("comment plan.md");
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", folder.path("summary"));
    assert!(succeeds(&mut command).err.contains("the summary of the step only"));
    let summary = fs::read_to_string(folder.path("summary")).expect("a summary");
    assert!(summary.contains("### Plan for payment dev"), "{summary}");
    folder.expect(1, "comment plan.md");
    folder.write("plan.md", "no plan");
    assert!(folder.expect(1, "comment plan.md").err.contains("is not a plan"));
}
