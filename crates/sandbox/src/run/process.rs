//! One call of a function in a process of its own: bounded in time and output, and ended with all that
//! it started.

use std::future::pending;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;
use std::{env, fs, io};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, timeout_at};

use super::python::{Pythons, keep};
use crate::lambda::Plan;

/// How long a function may take to load. AWS gives ten seconds; this machine may be slower.
const LOADING: Duration = Duration::from_secs(30);
/// How long what a function printed is waited for after its end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The most bytes of output that are kept of one call.
const MOST_OUTPUT: usize = 1 << 20;
/// The most bytes of an answer: those of a request and a hundred more.
const MOST_ANSWER: usize = super::MOST_PAYLOAD + 100;

/// What came of a call.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) payload: String,
    /// Whether the payload tells of an error.
    pub(super) failed: bool,
    /// What the function printed, line by line, and what Lambda tells of an error.
    pub(super) lines: Vec<String>,
    pub(super) loading: Option<Duration>,
    pub(super) duration: Duration,
    /// In megabytes, if the function told it.
    pub(super) memory: Option<u64>,
}

/// A process and the group that it leads.
struct Running {
    child: Child,
    #[cfg(unix)]
    group: Option<rustix::process::Pid>,
}

impl Running {
    fn start(mut command: Command) -> io::Result<Self> {
        #[cfg(unix)]
        command.process_group(0);
        let child = command.kill_on_drop(true).spawn()?;
        Ok(Self {
            #[cfg(unix)]
            group: child.id().and_then(|id| rustix::process::Pid::from_raw(id as i32)),
            child,
        })
    }
}

impl Drop for Running {
    /// Ends what the function has started and left behind. Elsewhere only the function itself ends.
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.group {
            // It is gone already if nothing was left.
            let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

/// Runs a function once. The error is the sandbox's own: why it cannot run functions.
pub(super) async fn run(
    pythons: &Pythons,
    plan: &Plan,
    event: &[u8],
    endpoint: SocketAddr,
) -> Result<Outcome, String> {
    let python = pythons.python().await?;
    let failed = |error: io::Error| format!("the sandbox cannot run a function: {error}");
    let folder = pythons.folder().map_err(failed)?;
    let (package, unpacked) = keep(&folder, &plan.package).map_err(failed)?;
    let scratch = tempfile::Builder::new().prefix("call-").tempdir_in(&folder).map_err(failed)?;
    let result = scratch.path().join(".result.json");
    let token = format!("payctl:{}", plan.request_id);
    let mut command = Command::new(&python.program);
    command.args(python.flags).arg("-B").arg(folder.join("bootstrap.py"));
    command.current_dir(scratch.path()).env_clear();
    // What Python needs of this machine, and nothing that this machine keeps to itself.
    let kept = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT"];
    command.envs(kept.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    command.envs(&plan.variables).envs(of_runtime(plan, endpoint));
    command.env("HOME", scratch.path()).env("TMPDIR", scratch.path());
    command.env("LAMBDA_TASK_ROOT", &unpacked).env("LAMBDA_RUNTIME_DIR", &folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running::start(command).map_err(failed)?;
    let head = json!({
        "size": event.len(),
        "token": token,
        "package": package,
        "folder": unpacked,
        "result": result,
        "stand_in": folder.join("stand_in"),
        "handler": plan.handler,
        "context": {
            "request_id": plan.request_id, "arn": plan.arn, "seconds": plan.timeout,
        },
    });
    let mut input = running.child.stdin.take();
    let mut request = format!("{head}\n").into_bytes();
    request.extend_from_slice(event);
    let mut output = Output::of(running.child.stdout.take(), &token);
    let began = Instant::now();
    let sent = async {
        if let Some(input) = &mut input {
            // A function that ends early does not read to the end.
            drop(input.write_all(&request).await);
        }
    };
    let ended = async {
        let both = async { tokio::join!(sent, output.ready()).1 };
        let ready = timeout_at(began + LOADING, both).await;
        // It has loaded, or has ended without.
        let loaded = Instant::now();
        let Ok(ready) = ready else { return (None, loaded, Err(LOADING)) };
        let limit = Duration::from_secs(plan.timeout.unsigned_abs());
        // What it has started may hold the output open for longer than it lives.
        let end = timeout_at(loaded + limit, async {
            tokio::select! {
                status = running.child.wait() => status,
                status = async { output.rest().await; pending().await } => status,
            }
        });
        (ready.then(|| loaded - began), loaded, end.await.map_err(|_| limit))
    };
    let (loading, loaded, status) = ended.await;
    let duration = loaded.elapsed();
    drop(running);
    drop(timeout_at(Instant::now() + LAST_WORDS, output.rest()).await);
    let mut lines = output.lines();
    let told = fs::read(&result).ok();
    let told: Value = told.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let id = &plan.request_id;
    let (payload, failed) = match (&told["answer"], &told["failure"], status) {
        (_, _, Err(limit)) => {
            let seconds = limit.as_secs_f64();
            lines.push(format!("{} {id} Task timed out after {seconds:.2} seconds", plan.moment));
            let message =
                format!("RequestId: {id} Error: Task timed out after {seconds:.2} seconds");
            (json!({ "errorType": "Sandbox.Timedout", "errorMessage": message }).to_string(), true)
        }
        (Value::String(answer), _, Ok(_)) if answer.len() > MOST_ANSWER => {
            let message = format!(
                "Response payload size exceeded maximum allowed payload size ({MOST_ANSWER} bytes)."
            );
            let kind = "Function.ResponseSizeTooLarge";
            (json!({ "errorType": kind, "errorMessage": message }).to_string(), true)
        }
        (Value::String(answer), _, Ok(_)) => (answer.clone(), false),
        (_, failure @ Value::Object(_), Ok(_)) => {
            lines.extend(told["report"].as_str().map(str::to_owned));
            (failure.to_string(), true)
        }
        (_, _, Ok(status)) => {
            let how = match status {
                Ok(status) if status.success() => {
                    "Runtime exited without providing a reason".to_owned()
                }
                Ok(status) => match status.code() {
                    Some(code) => format!("Runtime exited with error: exit status {code}"),
                    None => "Runtime exited with error: signal: killed".to_owned(),
                },
                Err(error) => format!("Runtime exited with error: {error}"),
            };
            let message = format!("RequestId: {id} Error: {how}");
            lines.push(message.clone());
            (json!({ "errorType": "Runtime.ExitError", "errorMessage": message }).to_string(), true)
        }
    };
    let measured = told["milliseconds"].as_f64().map(|time| Duration::from_secs_f64(time / 1e3));
    let memory = told["memory"].as_u64();
    let duration = measured.unwrap_or(duration);
    Ok(Outcome { payload, failed, lines, loading, duration, memory })
}

/// The variables that Lambda sets, and the way back into the sandbox.
fn of_runtime(plan: &Plan, endpoint: SocketAddr) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ACCESS_KEY_ID", plan.keys.access.clone()),
        ("AWS_SECRET_ACCESS_KEY", plan.keys.secret.clone()),
        ("AWS_SESSION_TOKEN", plan.keys.token.clone()),
        ("AWS_REGION", plan.region.clone()),
        ("AWS_DEFAULT_REGION", plan.region.clone()),
        ("AWS_ENDPOINT_URL", format!("http://{endpoint}")),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", plan.runtime)),
        ("AWS_LAMBDA_FUNCTION_NAME", plan.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", plan.version.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", plan.memory.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", plan.group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", plan.stream.clone()),
        ("NO_PROXY", "*".to_owned()),
        ("PYTHONUTF8", "1".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("_HANDLER", plan.handler.clone()),
    ]
}

/// What a function prints. More than is kept is read all the same, so that it does not wait.
struct Output {
    from: Option<ChildStdout>,
    token: String,
    kept: Vec<u8>,
    read: [u8; 8192],
}

impl Output {
    fn of(from: Option<ChildStdout>, token: &str) -> Self {
        Self { from, token: format!("\n{token}\n"), kept: Vec::new(), read: [0; 8192] }
    }

    /// Reads more. False at the end.
    async fn more(&mut self) -> bool {
        let Some(from) = &mut self.from else { return false };
        match from.read(&mut self.read).await {
            Ok(0) | Err(_) => {
                self.from = None;
                false
            }
            Ok(count) => {
                let room = MOST_OUTPUT.saturating_sub(self.kept.len());
                self.kept.extend_from_slice(&self.read[..count.min(room)]);
                true
            }
        }
    }

    /// Waits until the function has loaded. False if it has ended before.
    async fn ready(&mut self) -> bool {
        loop {
            let token = self.token.as_bytes();
            let at = self.kept.windows(token.len()).position(|window| window == token);
            if let Some(at) = at {
                self.kept.drain(at..at + token.len());
                return true;
            }
            if !self.more().await {
                return false;
            }
        }
    }

    async fn rest(&mut self) {
        while self.more().await {}
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.kept);
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}
