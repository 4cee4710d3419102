//! A moto server for the tests, in a virtual environment that this module makes itself.
//!
//! The environment lies beside the build output, keyed by what it holds, and is made once for each
//! machine. It needs Python 3.11 or later and a package index; without them the tests fail and say so.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use payctl::aws::clients::Connection;
use payctl_engine::model::address::Address;
use payctl_engine::plan::{Action, Purpose};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::kinds::{Gap, round_trip};
use crate::support::{expect_settled, plan_now, provider_for, run, sample_provider, shipped, some};

/// A running server; it ends with this value, and with the test process whatever happens.
pub struct Moto {
    child: Child,
    /// Where it listens.
    pub url: String,
}

impl Moto {
    /// Starts a server of its own.
    pub fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moto/serve.py");
        Self::run(&[script.to_str().expect("UTF-8")])
    }

    /// The same without anything that moto lacks.
    pub fn plain() -> Self {
        Self::run(&["-m", "moto.server", "-H", "127.0.0.1", "-p"])
    }

    /// Runs Python with this and a port: none in particular. The server takes one that is free, and
    /// says which.
    fn run(arguments: &[&str]) -> Self {
        let python = environment().join("bin/python");
        let mut child = Command::new(&python)
            .args(arguments)
            .arg("0")
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", python.display()));
        let mut said = BufReader::new(child.stderr.take().expect("it is piped"));
        let where_to = |line: io::Result<String>| {
            Some(line.ok()?.split_once("Running on ")?.1.trim().to_owned())
        };
        let url = said.by_ref().lines().find_map(where_to).expect("moto says where it listens");
        // It must not be held up by what nobody reads.
        std::thread::spawn(move || io::copy(&mut said, &mut io::sink()));
        Self { child, url }
    }

    /// What the account holds, as a reader sees it that is not payctl's.
    pub fn holds(&self) -> Vec<String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moto/left.py");
        let python = environment().join("bin/python");
        let output = run_command(Command::new(python).arg(script).arg(&self.url));
        output.lines().map(str::to_owned).collect()
    }

    /// A connection to it. The credentials are only for show.
    pub fn connection(&self) -> Connection {
        Connection {
            region: Some("us-east-1".into()),
            endpoint_url: Some(self.url.clone()),
            keys: Some(("moto".into(), "moto".into())),
            ..Connection::default()
        }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // Closing its standard input would end it too.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// The virtual environment of moto.
pub fn environment() -> PathBuf {
    python("moto")
}

/// The virtual environment for `tests/NAME/requirements.txt`, made if it is not there yet.
pub fn python(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let wanted = folder.join("requirements.txt");
    let text = fs::read(&wanted).expect("the requirements are in the repository");
    let key: String = Sha256::digest(&text).iter().take(6).map(|b| format!("{b:02x}")).collect();
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{key}"));
    fs::create_dir_all(root.parent().expect("a parent")).expect("the build folder is writable");
    // Several tests, or test runs, may want it at the same time.
    let lock = File::create(root.with_extension("lock")).expect("the build folder is writable");
    lock.lock().expect("a lock");
    let complete = root.join("complete");
    if !complete.exists() {
        run_command(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&root));
        // Wheels alone: to build a source package, pip would fetch its tools without a hash.
        let pip = ["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:"];
        run_command(
            Command::new(root.join("bin/python")).args(pip).arg("--requirement").arg(&wanted),
        );
        fs::write(&complete, "").expect("the build folder is writable");
    }
    root
}

fn run_command(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?} failed: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What moto 5.2.5 does not do as AWS does.
pub const GAPS: &[Gap] = &[
    Gap {
        kind: "acm.certificate",
        field: "/key",
        value: r#""EC_prime256v1""#,
        instead: r#""RSA_2048""#,
        why: "every key is an RSA key",
    },
    Gap {
        kind: "apigateway.stage",
        field: "/execution_log/key",
        value: "",
        instead: "null",
        why: "AssociateKmsKey and DisassociateKmsKey are missing",
    },
    Gap {
        kind: "ecs.service",
        field: "/stable",
        value: "true",
        instead: "null",
        why: "a deployment never ends",
    },
    Gap {
        kind: "elb.listener",
        field: "/protocol",
        value: r#""HTTPS""#,
        instead: r#""HTTP""#,
        why: "certificates must be of its own making",
    },
    Gap {
        kind: "elb.listener",
        field: "/certificate",
        value: "",
        instead: "null",
        why: "certificates must be of its own making",
    },
    Gap {
        kind: "elb.listener",
        field: "/other_certificates",
        value: "",
        instead: "null",
        why: "certificates must be of its own making",
    },
    Gap {
        kind: "elb.listener",
        field: "/tls_policy",
        value: "",
        instead: "null",
        why: "certificates must be of its own making",
    },
    Gap {
        kind: "kms.key",
        field: "/rotation_days",
        value: "180",
        instead: "",
        why: "the rotation period is not kept",
    },
    Gap {
        kind: "lambda.alias",
        field: "/provisioned",
        value: "",
        instead: "",
        why: "PutProvisionedConcurrencyConfig is missing",
    },
    Gap {
        kind: "lambda.alias",
        field: "/release/architecture",
        value: r#""x86_64""#,
        instead: "",
        why: "UpdateFunctionCode does not change the processor",
    },
    Gap {
        kind: "lambda.alias",
        field: "/release/dead_letter",
        value: "",
        instead: "",
        why: "UpdateFunctionConfiguration does not change it",
    },
    Gap {
        kind: "lambda.alias",
        field: "/release/disk",
        value: "",
        instead: "",
        why: "UpdateFunctionConfiguration does not change it",
    },
    Gap {
        kind: "lambda.alias",
        field: "/release/environment_key",
        value: "",
        instead: "",
        why: "UpdateFunctionConfiguration does not change it",
    },
    Gap {
        kind: "lambda.alias",
        field: "/release/tracing",
        value: "",
        instead: "",
        why: "UpdateFunctionConfiguration does not change it",
    },
    Gap {
        kind: "lambda.function",
        field: "/architecture",
        value: r#""x86_64""#,
        instead: "",
        why: "UpdateFunctionCode does not change the processor",
    },
    Gap {
        kind: "lambda.function",
        field: "/dead_letter",
        value: "",
        instead: "",
        why: "UpdateFunctionConfiguration does not change it",
    },
    Gap {
        kind: "lambda.function",
        field: "/disk",
        value: "",
        instead: "",
        why: "UpdateFunctionConfiguration does not change it",
    },
    Gap {
        kind: "lambda.function",
        field: "/environment_key",
        value: "",
        instead: "",
        why: "UpdateFunctionConfiguration does not change it",
    },
    Gap {
        kind: "lambda.function",
        field: "/reserved_concurrency",
        value: "0",
        instead: "",
        why: "nothing reserved and none at all look the same",
    },
    Gap {
        kind: "lambda.function",
        field: "/tracing",
        value: "",
        instead: "",
        why: "UpdateFunctionConfiguration does not change it",
    },
    Gap {
        kind: "logs.log_group",
        field: "/key",
        value: "null",
        instead: "",
        why: "AssociateKmsKey and DisassociateKmsKey are missing",
    },
    Gap {
        kind: "secretsmanager.secret",
        field: "/description",
        value: "null",
        instead: "",
        why: "a description cannot be taken away",
    },
];

/// Runs a test that talks to a server over real connections.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime").block_on(future)
}

#[test]
fn every_kind_round_trips_on_moto() {
    let moto = Moto::start();
    block_on(async {
        let provider = sample_provider(&moto.connection()).await;
        round_trip(&provider, GAPS, true).await;
    });
    assert_eq!(moto.holds(), [""; 0], "left after destroy");
}

#[test]
fn the_dev_environment_is_applied_and_destroyed_on_moto() {
    let moto = Moto::start();
    assert_eq!(moto.holds(), [""; 0], "a new account");
    block_on(async {
        let provider = provider_for(&moto.connection(), "dev").await;
        let mut blueprint = shipped(&provider).await;
        // moto does not keep where failed calls of a function go.
        let report = Address::new("lambda.function", "cost-report");
        let report = blueprint.resources.get_mut(&report).expect("dev has it");
        report.spec["dead_letter"] = Value::Null;
        let made = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(made.count(Action::Create), blueprint.resources.len());
        expect_settled(&provider, &blueprint, "creation").await;
        let held = moto.holds();

        let mut set = |address: &Address, field: &str, value: Value| {
            blueprint.resources.get_mut(address).expect("dev has it").spec[field] = value;
        };
        let table = Address::new("dynamodb.table", "users");
        set(&table, "ttl", "expires_at".into());
        set(&table, "deletion_protection", true.into());
        let queue = Address::new("sqs.queue", "payments");
        set(&queue, "visibility_timeout", 400.into());
        let changed = run(&provider, &blueprint, Purpose::Apply).await;
        let changed: Vec<&Address> = changed.changes.iter().map(|change| &change.address).collect();
        assert_eq!(changed, [&table, &queue]);
        expect_settled(&provider, &blueprint, "the change").await;
        assert_eq!(moto.holds(), held);

        run(&provider, &blueprint, Purpose::Destroy).await;
        let left = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        assert!(left.is_empty(), "left after destroy: {:?}", left.changes);
    });
    assert_eq!(moto.holds(), [""; 0], "left after destroy");
}

/// Puts an item into the sample table, takes a backup, deletes the table, and prints the backup's ARN.
const LOSE: &str = r#"
import boto3, sys
client = boto3.client("dynamodb", endpoint_url=sys.argv[1], region_name="us-east-1",
                      aws_access_key_id="moto", aws_secret_access_key="moto")
of = dict(TableName="sample-table")
item = {"transaction_id": {"S": "1"}, "timestamp": {"N": "1"}, "customer_id": {"S": "2"}}
client.put_item(**of, Item=item)
print(client.create_backup(**of, BackupName="nightly")["BackupDetails"]["BackupArn"])
client.delete_table(**of)
"#;

/// How many items the sample table has.
const COUNT: &str = r#"
import boto3, sys
client = boto3.client("dynamodb", endpoint_url=sys.argv[1], region_name="us-east-1",
                      aws_access_key_id="moto", aws_secret_access_key="moto")
print(client.scan(TableName="sample-table")["Count"])
"#;

#[test]
fn a_lost_table_is_restored_on_moto() {
    let moto = Moto::start();
    let python = |script: &str| {
        let mut python = Command::new(environment().join("bin/python"));
        run_command(python.args(["-c", script, &moto.url])).trim().to_owned()
    };
    block_on(async {
        let provider = sample_provider(&moto.connection()).await;
        let mut blueprint = some(&provider, &["dynamodb.table"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        let backup = python(LOSE);
        let table = Address::new("dynamodb.table", "sample");
        let want = blueprint.resources.get_mut(&table).expect("it is there");
        want.spec["restore_from"] = json!({ "backup": backup });
        let made = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!((made.count(Action::Create), made.changes.len()), (1, 1));
        expect_settled(&provider, &blueprint, "the restore").await;
        assert_eq!(python(COUNT), "1");
    });
}
