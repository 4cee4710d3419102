//! Drawings of the architecture: every resource once, in few boxes, with what moves between them; as
//! pages that work in a browser (`tests/browser`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use payctl::aws::kinds::KINDS;
use payctl::blueprint::{Facts, build};
use payctl::config;
use payctl::ui::diagram;
use payctl_drawing::{Drawing, has_symbol};
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::drawn::Shape;
use serde_json::Value;

use crate::cli_support::Folder;
use crate::moto::python;
use crate::support::shipped_config;

/// The most boxes in the drawing of a platform.
const MOST: usize = 40;

fn drawn(dir: &Path, env: &str) -> (Blueprint, Drawing) {
    let loaded = config::load(dir, env, &|_| None).expect("a valid config");
    let facts = Facts::placeholder(&loaded.config.region);
    let blueprint = build(&loaded, &facts).expect("a blueprint");
    let kinds: Vec<_> = KINDS.iter().map(|kind| kind.meta()).collect();
    let drawing = diagram::of_blueprint(&blueprint, &kinds);
    (blueprint, drawing)
}

/// How often each resource stands in a drawing.
fn shown(drawing: &Drawing) -> BTreeMap<String, usize> {
    let mut shown = BTreeMap::new();
    for resource in drawing.resources() {
        *shown.entry(resource.address.clone()).or_default() += 1;
    }
    shown
}

#[test]
fn a_drawing_shows_every_resource_once() {
    let examples = shipped_config().join("examples");
    let examples =
        fs::read_dir(examples).expect("the examples").map(|entry| entry.expect("one").path());
    let dirs: Vec<_> = examples.chain([shipped_config()]).collect();
    for dir in dirs {
        for env in ["dev", "prod"] {
            let (blueprint, drawing) = drawn(&dir, env);
            let wanted = blueprint.resources.keys().map(|address| (address.to_string(), 1));
            assert_eq!(shown(&drawing), wanted.collect(), "{} {env}", dir.display());
            let boxes: BTreeSet<&str> = drawing.boxes.iter().map(|card| &*card.id).collect();
            for flow in &drawing.flows {
                assert!(boxes.contains(&*flow.from) && boxes.contains(&*flow.to), "{flow:?}");
            }
            assert!(drawing.boxes.len() <= MOST, "{}: {} boxes", dir.display(), boxes.len());
        }
    }
}

#[test]
fn the_platform_is_drawn_as_it_works() {
    let (_, drawing) = drawn(&shipped_config(), "prod");
    for (from, label, to) in [
        ("outside Internet", "HTTPS", "apigateway.rest_api/payments"),
        ("apigateway.rest_api/payments", "POST /process", "lambda.function/processing"),
        ("apigateway.rest_api/payments", "ANY /service/{proxy+}", "apigateway.vpc_link/main"),
        ("apigateway.vpc_link/main", "", "elb.load_balancer/main"),
        ("lambda.function/processing", "PutItem", "dynamodb.table/transactions"),
        ("sqs.queue/payments", "batches of 10", "lambda.function/event-handler"),
        ("sqs.queue/payments", "dead letters after 3 tries", "sqs.queue/payments-dlq"),
        ("events.rule/daily-cost", "every day", "lambda.function/cost-report"),
        ("secretsmanager.secret/database", "every 30 days", "lambda.function/rotation"),
        ("sns.topic/ops", "email", "outside ops@example.com"),
    ] {
        let is_this = |flow: &&payctl_drawing::Flow| flow.from == from && flow.to == to;
        let flow = drawing.flows.iter().find(is_this);
        let flow = flow.unwrap_or_else(|| panic!("nothing moves from {from} to {to}"));
        assert_eq!(flow.label, label, "{from} to {to}");
    }
    let frame = |id: &str| {
        let card = drawing.boxes.iter().find(|card| card.id == id);
        card.and_then(|card| card.frame.clone()).unwrap_or_default()
    };
    for (id, wanted) in [
        ("lambda.function/processing", "private in ec2.vpc/main"),
        ("rds.cluster/customer", "isolated in ec2.vpc/main"),
        ("ec2.nat_gateway/nat-1", "public in ec2.vpc/main"),
        ("dynamodb.table/users", "region"),
        ("lambda.function/cost-report", "region"),
    ] {
        assert_eq!(frame(id), wanted, "{id}");
    }
    let tier = drawing.frames.iter().find(|frame| frame.id == "private in ec2.vpc/main");
    assert_eq!(tier.map(|tier| tier.cells.len()), Some(3), "a cell for each zone");
}

#[test]
fn every_kind_says_how_it_is_drawn() {
    for kind in KINDS {
        let meta = kind.meta();
        let drawn = meta.drawn;
        assert!(has_symbol(drawn.symbol), "{}: no symbol {}", meta.kind, drawn.symbol);
        let specs: Vec<Value> = [kind.sample()].into_iter().chain(kind.variants()).collect();
        let fields = match drawn.shape {
            Shape::Frame { note } => vec![note],
            Shape::Cell { zone, note, .. } => vec![zone, note],
            Shape::Badge { of } => of.to_vec(),
            Shape::Box(_) => Vec::new(),
        };
        for field in fields {
            let known = specs.iter().any(|spec| spec.get(field).is_some());
            assert!(known, "{}: no sample has the field `{field}`", meta.kind);
        }
        for spec in &specs {
            let _flows = (drawn.flows)(spec);
        }
    }
}

#[test]
fn diagram_and_plan_write_pages_that_work_in_a_browser() {
    let folder = Folder::shipped();
    folder.expect(0, "diagram --env prod --out prod.html");
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    // A change, and what is new.
    folder.edit("config/base.toml", "visibility_timeout = 360", "visibility_timeout = 720");
    let before = fs::read_to_string(folder.path("config/base.toml")).expect("the config");
    let more = "[queues.refunds]\nkey = \"main\"\ndead_letter = { max_receives = 5 }\n";
    folder.write("config/base.toml", &format!("{before}\n{more}"));
    folder.expect(0, "plan --env dev --sandbox --html plan.html");
    let plan = fs::read_to_string(folder.path("plan.html")).expect("the page");
    for told in ["visibility_timeout", "sqs.queue/refunds-dlq", "data-action=\"create\""] {
        assert!(plan.contains(told), "the page does not tell {told}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.path("plan.html")).expect("the page").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "only the owner reads how the environment is built");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/check.py");
    let output = Command::new(python("browser").join("bin/python"))
        .arg(script)
        .arg(folder.path(""))
        .args([folder.path("prod.html"), folder.path("plan.html")])
        .output()
        .expect("Python starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
