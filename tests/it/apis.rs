//! APIs: the blueprints that configs give, the configs that payctl refuses, and how APIs live on the
//! sandbox.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use payctl::blueprint::{Facts, build};
use payctl::config;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;

mod faults;
mod life;
mod rules;

/// A config folder that is deleted with this value.
struct Folder(PathBuf);

impl Folder {
    fn with(text: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("apis-{}-{number}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("the build folder is writable");
        let text = format!("project = \"payment\"\nregion = \"us-east-1\"\n{text}\n");
        fs::write(path.join("dev.toml"), text).expect("the build folder is writable");
        Self(path)
    }

    /// Adds the sources of functions.
    fn add_code(&self) {
        let code = self.0.join("code");
        fs::create_dir_all(&code).expect("the build folder is writable");
        fs::write(code.join("index.py"), "def handler(event, context): ...\n")
            .expect("the build folder is writable");
    }

    fn blueprint(&self) -> Blueprint {
        let facts = Facts { account: "000000000000".into(), ..Facts::placeholder("us-east-1") };
        let loaded = config::load(&self.0, "dev", &|_| None).expect("a valid config");
        build(&loaded, &facts).expect("a valid blueprint")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// An API whose routes need no function.
const PAYMENTS: &str = r#"
[apis.payments]
name = "payment-api-${env}"
description = "Payment Processing API - ${env}"
endpoint = "edge"
stage = "prod"
validator = { name = "payment-validator-${env}", body = true, parameters = true }
log = { level = "info", data_trace = true, card_numbers_in_logs = true, retention_days = 7 }
[apis.payments.routes."POST /validate"]
authorization = "none"
model = "none"
url = "https://example.com/validate"
[apis.payments.routes."POST /fraud-check"]
authorization = "none"
model = "none"
url = "https://example.com/fraud-check"
[apis.payments.routes."POST /process"]
authorization = "none"
model = "none"
url = "https://example.com/process"
"#;

fn address(kind: &str) -> Address {
    Address::new(kind, "payments")
}
