//! The sandbox on a port: boto3 and payctl see the account that `--sandbox` filled. And the errors for
//! a state that cannot be used.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::cli_support::{Folder, ended};
use crate::moto::environment;

/// A served sandbox; it ends with this value.
pub struct Served {
    child: Child,
    pub url: String,
}

impl Served {
    pub fn start(folder: &Folder) -> Self {
        let mut command = folder.payctl("sandbox serve --port 0 --json");
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
            "has format 0; this version of payctl reads only format 1",
        ),
        (
            "{\"version\":99,\"universe\":{}}",
            "has format 99; this version of payctl reads only format 1",
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
}
