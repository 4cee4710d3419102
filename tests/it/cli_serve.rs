//! The sandbox on a port: boto3 and payctl see the account that `--sandbox` filled. And the errors for
//! a state that cannot be used.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::cli_support::{Folder, ended};
use crate::examples::choose_blue_green;
use crate::moto::environment;

/// A served sandbox; it ends with this value.
pub struct Served {
    child: Child,
    pub url: String,
}

impl Served {
    pub fn start(folder: &Folder) -> Self {
        let mut command = folder.payctl("sandbox serve --port 0 --json");
        // The Python that runs functions is one with boto3.
        command.env("PATH", environment().join("bin"));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("payctl starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let line: Value = serde_json::from_str(&line).expect("a JSON line");
        let url = line["url"].as_str().expect("a URL").to_owned();
        Self { child, url }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// What boto3 lists, as JSON.
const LISTS: &str = r#"
import boto3, json, sys
client = lambda service: boto3.client(service, endpoint_url=sys.argv[1], region_name="us-east-1")
print(json.dumps({
    "tables": client("dynamodb").list_tables()["TableNames"],
    "buckets": [b["Name"] for b in client("s3").list_buckets()["Buckets"]],
    "queues": client("sqs").list_queues()["QueueUrls"],
    "vpcs": [v["CidrBlock"] for v in client("ec2").describe_vpcs()["Vpcs"]],
    "topics": [t["TopicArn"] for t in client("sns").list_topics()["Topics"]],
    "keys": [a["AliasName"] for a in client("kms").list_aliases()["Aliases"]],
    "roles": [r["RoleName"] for r in client("iam").list_roles()["Roles"]],
    "secrets": [s["Name"] for s in client("secretsmanager").list_secrets()["SecretList"]],
    "parameters": [p["Name"] for p in client("ssm").describe_parameters()["Parameters"]],
    "logs": [g["logGroupName"] for g in client("logs").describe_log_groups()["logGroups"]],
    "account": client("sts").get_caller_identity()["Account"],
}))
"#;

#[test]
fn boto3_and_payctl_see_the_same_sandbox() {
    let folder = Folder::shipped();
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    let served = Served::start(&folder);

    let mut python = Command::new(environment().join("bin/python"));
    python.args(["-c", LISTS, &served.url]).env_clear();
    python.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let listed = ended(&mut python);
    listed.expect(0, "boto3");
    let listed: Value = serde_json::from_str(&listed.out).expect("JSON");
    let has = |sort: &str, name: &str| {
        let names = listed[sort].as_array().expect("a list");
        let found = names.iter().filter_map(Value::as_str).any(|item| item.ends_with(name));
        assert!(found, "no {name} in {names:?}");
    };
    has("tables", "dev-payment-table-transactions");
    has("buckets", "dev-payment-bucket-audit-000000000000-us-east-1");
    has("queues", "/000000000000/dev-payment-queue-payments-dlq");
    has("vpcs", "10.0.0.0/16");
    has("topics", ":dev-payment-topic-ops");
    has("keys", "alias/dev-payment-key-main");
    has("roles", "dev-payment-role-processing-us-east-1");
    has("secrets", "dev-payment-secret-database");
    has("parameters", "/payment/vpc-id-dev");
    has("logs", "/aws/lambda/dev-payment-lambda-processing");
    assert_eq!(listed["account"], "000000000000");

    let mut plan = folder.payctl("plan --env dev --detailed-exitcode --endpoint-url");
    plan.arg(&served.url).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let plan = ended(&mut plan);
    plan.expect(0, "plan --endpoint-url");
    assert!(plan.out.contains("No changes: 125 resources"), "{}", plan.out);
}

/// One signed request to a stage, as `curl --aws-sigv4` sends it: the status and the body.
fn post(served: &Served, target: &str, headers: &str, content: &Value) -> (u16, Value) {
    let host = served.url.strip_prefix("http://").expect("an HTTP URL");
    let scope = "test/20260101/us-east-1/execute-api/aws4_request";
    let signed = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
    let content = content.to_string();
    let request = format!(
        "POST {target} HTTP/1.1\r\nhost: {host}\r\nauthorization: {signed}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{content}",
        content.len()
    );
    let mut stream = TcpStream::connect(host).expect("the sandbox listens");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {body}")))
}

/// Sends an event to the platform, and tells what became of it and of the payment.
const AFTERWARDS: &str = r#"
import boto3, json, sys, time
client = lambda service: boto3.client(service, endpoint_url=sys.argv[1], region_name="us-east-1")
rows = client("dynamodb").scan(TableName="dev-payment-table-transactions")["Items"]
event = {"Source": "payment", "DetailType": "test", "Detail": json.dumps({"status": "FAILED"})}
sent = client("events").put_events(Entries=[event])["Entries"][0]["EventId"]
s3, bucket = client("s3"), "dev-payment-bucket-audit-000000000000-us-east-1"
for _ in range(300):
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    if any(key.endswith(f"/{sent}.json") for key in keys):
        break
    time.sleep(0.2)
queue = client("sqs").get_queue_url(QueueName="dev-payment-queue-payments")["QueueUrl"]
left = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
print(json.dumps({
    "rows": [row for row in rows if "customer_id" in row], "keys": keys, "event": sent,
    "left": left["ApproximateNumberOfMessages"],
}))
"#;

#[test]
fn the_platform_answers_on_a_served_sandbox() {
    let folder = Folder::shipped();
    let served = Served::start(&folder);
    let keys = |command: &mut Command| {
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    };
    let mut apply = folder.payctl("apply --env dev --auto-approve --endpoint-url");
    keys(apply.arg(&served.url));
    ended(&mut apply).expect(0, "apply --endpoint-url");
    let outputs = folder.expect(0, "outputs --env dev --sandbox --json");
    let outputs: Value = serde_json::from_str(&outputs.out).expect("JSON");
    let api = outputs["outputs"]["ApiId"].as_str().expect("the id of the API");
    let stage = format!("/_aws/execute-api/{api}/dev");

    let mut payment = json!({
        "customer_id": "c1", "amount": "12.50", "currency": "EUR", "card_number": "4242424242424242",
    });
    let (status, said) = post(&served, &format!("{stage}/validate"), "", &payment);
    let valid = json!({ "message": "Payment data is valid", "validated": true });
    assert_eq!((status, said), (200, valid));
    let process = format!("{stage}/process");
    let (status, said) = post(&served, &process, "", &payment);
    let missing = json!({ "message": "Missing required request parameters: [Idempotency-Key]" });
    assert_eq!((status, said), (400, missing));
    let (status, said) = post(&served, &process, "idempotency-key: k1\r\n", &payment);
    assert_eq!(status, 200, "{said}");
    payment["card_number"] = json!("4242424242424243");
    let (status, said) = post(&served, &format!("{stage}/validate"), "", &payment);
    assert_eq!(status, 400, "{said}");
    let (status, said) = post(&served, &format!("{stage}/service/x"), "", &json!({}));
    assert_eq!(status, 503);
    assert!(said["message"].as_str().is_some_and(|said| said.contains("VPC link")), "{said}");

    let mut python = Command::new(environment().join("bin/python"));
    keys(python.args(["-c", AFTERWARDS, &served.url]).env_clear());
    let told = ended(&mut python);
    told.expect(0, "boto3");
    let told: Value = serde_json::from_str(&told.out).expect("JSON");
    let rows = told["rows"].as_array().expect("rows");
    assert_eq!((rows.len(), &rows[0]["amount"]), (1, &json!({ "N": "12.5" })), "{told}");
    let id = rows[0]["transaction_id"]["S"].as_str().expect("an id");
    let names: Vec<&str> =
        told["keys"].as_array().expect("keys").iter().filter_map(Value::as_str).collect();
    assert!(names.iter().any(|name| name.ends_with(&format!("/{id}.json"))), "{names:?}");
    let event = format!("/{}.json", told["event"].as_str().expect("an id"));
    assert!(
        names.iter().any(|name| name.starts_with("events/") && name.ends_with(&event)),
        "{names:?}"
    );
    assert_eq!(told["left"], "0");
}

#[test]
fn blue_green_serves_payments_through_a_load_balancer() {
    let folder = Folder::shipped();
    let example = "config/examples/migration";
    choose_blue_green(&folder.path(&format!("{example}/dev.toml")));
    let option = format!("{example}/process_blue_green.toml");
    folder.edit(&option, "bake = \"5m\"", "bake = \"1s\"");
    // There is no time for the requests that the alarms would need.
    let base = format!("{example}/base.toml");
    for metric in ["5XXError", "Errors"] {
        let metric = format!("metric = \"{metric}\"\nstatistic = \"sum\"");
        folder.edit(&base, &metric, &format!("{metric}\nmissing = \"not_breaching\""));
    }
    let served = Served::start(&folder);
    let payctl = |command: &str| {
        let line = format!("{command} --config-dir {example} --env dev --endpoint-url");
        let mut payctl = folder.payctl(&line);
        payctl
            .arg(&served.url)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        ended(&mut payctl).expect(0, command);
    };
    payctl("apply --auto-approve");
    let outputs = format!("outputs --config-dir {example} --env dev --sandbox --json");
    let outputs: Value = serde_json::from_str(&folder.expect(0, &outputs).out).expect("JSON");
    let url = outputs["outputs"]["ApiGatewayUrl"].as_str().expect("the URL of the API");
    let api = url.trim_start_matches("https://").split('.').next().unwrap_or_default();
    let process = format!("/_aws/execute-api/{api}/prod/process");
    let paid = || {
        let payment =
            json!({ "customer_id": "c1", "amount": 12, "card_number": "4242424242424242" });
        let (status, said) = post(&served, &process, "", &payment);
        assert_eq!((status, &said["status"]), (200, &json!("COMPLETED")), "{said}");
        said["message"].as_str().expect("a message").to_owned()
    };
    let (old, new) = ("Transaction processed successfully", "Paid");
    assert_eq!(paid(), old);

    // The next version is behind green, and gets nothing yet.
    let source = format!("{example}/functions/transaction_processing/index.py");
    folder.edit(&source, old, new);
    payctl("apply --auto-approve");
    assert_eq!(paid(), old);
    payctl("shift process");
    assert_eq!(paid(), new);
    payctl("shift back process");
    assert_eq!(paid(), old);
}

#[test]
fn a_served_sandbox_sees_writes_of_other_processes() {
    let folder = Folder::empty();
    let config = "project = \"shop\"\nregion = \"us-east-1\"\n\n[queues.jobs]\n";
    folder.write("config/dev.toml", config);
    let served = Served::start(&folder);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    let mut status = folder.payctl("status --env dev --endpoint-url");
    status.arg(&served.url).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let status = ended(&mut status);
    status.expect(0, "status");
    assert!(!status.out.contains("missing"), "{}", status.out);
}

#[test]
fn an_emulator_without_keys_gets_a_hint() {
    let folder = Folder::shipped();
    let refused = folder.expect(1, "plan --env dev --endpoint-url http://127.0.0.1:9");
    assert!(refused.err.contains("AWS_ACCESS_KEY_ID=test"), "{}", refused.err);
}

#[test]
fn an_unusable_state_file_is_explained() {
    let folder = Folder::shipped();
    for (state, expected) in [
        ("", "is damaged: it is empty"),
        ("{\"version\":1,\"world\":{\"base\"", "is damaged: EOF"),
        (
            "{\"version\":0,\"world\":{}}",
            "has format 0; this version of payctl reads only format 2",
        ),
        (
            "{\"version\":99,\"universe\":{}}",
            "has format 99; this version of payctl reads only format 2",
        ),
    ] {
        folder.write(".payctl/sandbox/state.json", state);
        for command in ["plan --env dev --sandbox", "sandbox status", "sandbox serve --port 0"] {
            let refused = folder.expect(1, command);
            assert!(refused.err.contains(expected), "{}", refused.err);
            assert!(refused.err.contains("payctl sandbox reset"), "{}", refused.err);
        }
    }
    folder.expect(0, "sandbox reset");
    folder.expect(0, "sandbox status");
    folder.write(".payctl/sandbox/state.db", &"nonsense ".repeat(99));
    let refused = folder.expect(1, "plan --env dev --sandbox");
    assert!(refused.err.contains("is damaged: file is not a database"), "{}", refused.err);
    folder.expect(0, "sandbox reset");
    folder.expect(0, "sandbox status");
}
