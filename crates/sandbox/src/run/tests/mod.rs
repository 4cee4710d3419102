//! What the sandbox runs, with the Python of this machine: `python3` must be there.

mod functions;
mod link;
mod routes;
mod triggers;
mod versions;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::Runner;
use crate::connector::Sandbox;
use crate::serve::serve;
use crate::toolbox::testing::{REGION, ask};
use crate::wire::{Request, Response};

const ROLE: &str = "arn:aws:iam::000000000000:role/work";

/// A package with these files, in Base64.
fn package(files: &[(&str, &str)]) -> String {
    const PACK: &str = "import base64, io, json, sys, zipfile\n\
        made = io.BytesIO()\n\
        with zipfile.ZipFile(made, 'w') as archive:\n\
        \x20   for name, text in json.load(sys.stdin):\n\
        \x20       archive.writestr(name, text)\n\
        print(base64.b64encode(made.getvalue()).decode())\n";
    let mut command = Command::new("python3");
    command.args(["-c", PACK]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = command.spawn().expect("`python3` must be there for this test");
    let files = json!(files).to_string();
    python.stdin.take().unwrap().write_all(files.as_bytes()).unwrap();
    let done = python.wait_with_output().unwrap();
    assert!(done.status.success(), "python3 made no package");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// One call of the sandbox's API.
fn api(sandbox: &Sandbox, service: &str, operation: &str, input: Value) -> Value {
    let answer = sandbox.with(false, |world, _| ask(world, service, operation, input)).unwrap();
    answer.unwrap_or_else(|refusal| panic!("{operation}: {} {}", refusal.code, refusal.message))
}

/// Makes a function of these files; `more` are further members of the call.
fn with_files(sandbox: &Sandbox, name: &str, files: &[(&str, &str)], more: Value) {
    let trust = json!({ "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "lambda.amazonaws.com" },
    }] });
    let role = json!({ "RoleName": "work", "AssumeRolePolicyDocument": trust.to_string() });
    // It is there already for the second function.
    drop(sandbox.with(false, |world, _| ask(world, "iam", "CreateRole", role)).unwrap());
    let mut input = json!({
        "FunctionName": name, "Role": ROLE, "Runtime": "python3.13", "Handler": "index.handler",
        "Timeout": 20, "Code": { "ZipFile": package(files) },
    });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    api(sandbox, "lambda", "CreateFunction", input);
}

fn with_function(sandbox: &Sandbox, name: &str, code: &str) {
    with_files(sandbox, name, &[("index.py", code)], json!({}));
}

/// The function `f` of three codes, each made from a word: `one` and `two` are its versions 1 and 2,
/// `latest` is not published. The alias `live` names version 1.
fn with_versions(sandbox: &Sandbox, code_of: impl Fn(&str) -> String) {
    with_function(sandbox, "f", &code_of("one"));
    for next in ["two", "latest"] {
        api(sandbox, "lambda", "PublishVersion", json!({ "FunctionName": "f" }));
        let code = package(&[("index.py", &code_of(next))]);
        let input = json!({ "FunctionName": "f", "ZipFile": code });
        api(sandbox, "lambda", "UpdateFunctionCode", input);
    }
    let live = json!({ "FunctionName": "f", "Name": "live", "FunctionVersion": "1" });
    api(sandbox, "lambda", "CreateAlias", live);
}

/// A shipped function, with its time in the shipped config that gives it most.
fn with_shipped(sandbox: &Sandbox, name: &str, variables: Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions").join(name);
    let mut files = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "py") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, code)| (name.as_str(), code.as_str())).collect();
    let more = json!({ "Environment": { "Variables": variables }, "Timeout": 300 });
    with_files(sandbox, name, &files, more);
}

/// Lets a service call a function.
fn admit(sandbox: &Sandbox, function: &str, service: &str) {
    let input = json!({
        "FunctionName": function, "StatementId": service.replace('.', "-"),
        "Action": "lambda:InvokeFunction", "Principal": service,
    });
    api(sandbox, "lambda", "AddPermission", input);
}

/// Calls a function over HTTP, as clients do. A query may follow the name.
async fn invoke(sandbox: &Sandbox, name: &str, event: &str, headers: &[(&str, &str)]) -> Response {
    let scope = format!("test/20260101/{REGION}/lambda/aws4_request");
    let signed = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
    let (name, query) = name.split_once('?').unwrap_or((name, ""));
    let mut request = Request {
        method: "POST".to_owned(),
        target: format!("/2015-03-31/functions/{name}/invocations?{query}"),
        headers: vec![("authorization".to_owned(), signed)],
        body: event.as_bytes().to_vec(),
    };
    let more = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    request.headers.extend(more);
    sandbox.respond(&request).await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let found = response.headers.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_else(|_| {
        panic!("no JSON: {}", String::from_utf8_lossy(&response.body));
    })
}

/// The answer of a function that does not fail.
async fn answer(sandbox: &Sandbox, name: &str, event: Value) -> Value {
    let response = invoke(sandbox, name, &event.to_string(), &[]).await;
    let failed = header(&response, "x-amz-function-error");
    assert_eq!((response.status, failed), (200, None), "{}", body(&response));
    body(&response)
}

/// The lines of a function's log.
fn log_of(sandbox: &Sandbox, group: &str) -> Vec<String> {
    let input = json!({ "logGroupName": group });
    let streams = api(sandbox, "logs", "DescribeLogStreams", input);
    let streams = streams["logStreams"].as_array().unwrap().clone();
    let lines = streams.iter().flat_map(|stream| {
        let input = json!({ "logGroupName": group, "logStreamName": stream["logStreamName"] });
        let told = api(sandbox, "logs", "GetLogEvents", input);
        let events = told["events"].as_array().unwrap().clone();
        events.into_iter().map(|event| event["message"].as_str().unwrap().to_owned())
    });
    lines.collect()
}

/// A sandbox that is served until this value goes.
struct Served {
    sandbox: Sandbox,
    at: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Served {
    async fn start(sandbox: Sandbox) -> Self {
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = sandbox.clone();
        let running = tokio::spawn(async move {
            let stop = async { drop(stopped.await) };
            serve(served, 0, stop, |at| ready.send(at).unwrap()).await.unwrap();
        });
        let at = is_ready.await.unwrap();
        Self { sandbox, at, stop: Some(stop), running }
    }

    async fn end(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.running.await.unwrap();
    }

    /// One request: the status, the headers as text, and the body.
    async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[&str],
        content: &str,
    ) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        let host = if headers.iter().any(|header| header.starts_with("host:")) {
            String::new()
        } else {
            format!("host: {}\r\n", self.at)
        };
        let more: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let request = format!(
            "{method} {target} HTTP/1.1\r\n{host}connection: close\r\ncontent-length: {}\r\n\
             {more}\r\n{content}",
            content.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }
}

/// Waits until something is so.
async fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The messages of a queue, which stay visible.
fn messages(sandbox: &Sandbox, queue: &str) -> Vec<Value> {
    let input = json!({
        "QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0,
        "MessageAttributeNames": ["All"], "AttributeNames": ["All"],
    });
    let received = api(sandbox, "sqs", "ReceiveMessage", input);
    received["Messages"].as_array().cloned().unwrap_or_default()
}
