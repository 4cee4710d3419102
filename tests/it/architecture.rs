//! The invariants of ARCHITECTURE.md, checked on the sources and on the table of kinds.
//!
//! The sources are read as text: every rule names what it forbids, where, and why, so that a
//! failure says what to do. Comments and unit tests may say and do what the rules forbid.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use payctl::aws::kinds::{KINDS, find_kind};
use payctl::blueprint::{Facts, build};
use payctl::config;
use payctl_engine::model::desired::Blueprint;
use serde_json::Value;

/// One source file.
struct Source {
    /// Its path below the repository, with slashes.
    path: String,
    /// Its text.
    text: String,
}

impl Source {
    /// The lines that end up in the program, with their numbers: no comments, no unit tests.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = self.path.ends_with("/tests.rs") || self.path.contains("/tests/");
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines
            .take_while(move |(_, line)| !is_test && *line != "mod tests {")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the repository.
fn sources(folder: &str) -> Vec<Source> {
    let mut open: Vec<PathBuf> = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder of the repository");
            open.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file is text");
            let path = path.strip_prefix(root()).expect("below the repository");
            let steps: Vec<_> = path.iter().map(|step| step.to_string_lossy()).collect();
            found.push(Source { path: steps.join("/"), text });
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// Fails with every line of code in `folders` that holds one of the words, unless its file is
/// excepted.
fn forbid(folders: &[&str], words: &[&str], except: &[&str], why: &str) {
    let mut broken = Vec::new();
    for source in folders.iter().flat_map(|folder| sources(folder)) {
        if except.iter().any(|path| source.path.starts_with(path)) {
            continue;
        }
        for (number, line) in source.code() {
            if let Some(word) = words.iter().find(|word| holds(line, word)) {
                broken.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{why}:\n{}", broken.join("\n"));
}

/// Whether a line holds a word that no letter, digit or underscore precedes.
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

#[test]
fn the_sdk_is_known_only_to_aws() {
    let sdk = [
        "aws_sdk_",
        "aws_smithy_",
        "aws_config",
        "aws_types",
        "aws_runtime",
        "aws_credential_types",
    ];
    let why = "only src/aws may use the SDK";
    forbid(&["src"], &sdk, &["src/aws/"], why);
}

#[test]
fn every_layer_uses_only_what_lies_below_it() {
    let all = ["aws", "blueprint", "cli", "config", "ui", "words"];
    let layers = [
        ("words", &[][..]),
        ("config", &["words"]),
        ("blueprint", &["config", "aws", "words"]),
        ("aws", &["words"]),
        ("ui", &[]),
    ];
    for (layer, below) in layers {
        let above: Vec<String> = all
            .iter()
            .filter(|other| **other != layer && !below.contains(*other))
            .map(|other| format!("crate::{other}"))
            .collect();
        let above: Vec<&str> = above.iter().map(String::as_str).collect();
        forbid(&[&format!("src/{layer}")], &above, &[], &format!("`{layer}` reaches too high"));
    }
    // Config and blueprint use only the plain data of the engine. Kinds use what a provider answers.
    let modules = sources("crates/engine/src").into_iter().filter_map(|source| {
        let name = source.path.strip_prefix("crates/engine/src/")?.strip_suffix(".rs")?.to_owned();
        let is_engine = !name.contains('/')
            && !["lease", "lib", "provider", "traffic"].contains(&name.as_str());
        is_engine.then(|| format!("payctl_engine::{name}"))
    });
    let modules: Vec<String> = modules.collect();
    let doing: Vec<&str> = modules.iter().map(String::as_str).collect();
    let pure = ["src/config", "src/blueprint", "src/words"];
    let asked = ["payctl_engine::lease", "payctl_engine::provider", "payctl_engine::traffic"];
    forbid(&pure, &asked, &[], "what is computed asks nobody");
    forbid(&pure, &doing, &[], "what is computed does nothing");
    let looks = ["payctl_engine::diff", "payctl_engine::survey", "payctl_engine::event"];
    let deciding: Vec<&str> = doing.iter().copied().filter(|one| !looks.contains(one)).collect();
    forbid(&["src/aws"], &deciding, &[], "the cloud does not know who asks");
    // The blueprint may use the specs of the kinds.
    let clients = ["crate::aws::clients", "crate::aws::provider", "crate::aws::resource"];
    forbid(&["src/blueprint"], &clients, &[], "a blueprint is drawn without a connection");
}

#[test]
fn the_engine_knows_no_kind() {
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.meta().kind).collect();
    let why = "the engine knows kinds only through their Meta";
    // An error message shows an address as an example.
    let example = ["crates/engine/src/model/address.rs"];
    forbid(&["crates/engine/src"], &kinds, &example, why);
}

#[test]
fn what_is_about_one_kind_lives_with_the_kind() {
    let names = KINDS.iter().map(|kind| kind.meta().kind);
    let quoted: Vec<String> = names.map(|kind| format!("\"{kind}\"")).collect();
    let quoted: Vec<&str> = quoted.iter().map(String::as_str).collect();
    let why = "give the kind a fact (META) or its service a check (CHECKS), and ask for that";
    forbid(&["src/cli", "src/ui"], &quoted, &[], why);
    // Of the kinds, cli has the table; of their services, only what `payctl secret` is about.
    let services: Vec<String> = services().iter().map(|name| format!("kinds::{name}")).collect();
    let services: Vec<&str> = services.iter().map(String::as_str).collect();
    forbid(&["src/cli"], &services, &["src/cli/secret.rs"], why);
    // What all kinds share names none; the clients of the services do, and the zones are EC2's.
    let shared: Vec<String> = sources("src/aws").into_iter().map(|source| source.path).collect();
    let shared: Vec<&str> = shared
        .iter()
        .map(String::as_str)
        .filter(|path| !path.starts_with("src/aws/kinds/"))
        // What divides traffic is an object of some kind.
        .filter(|path| !path.starts_with("src/aws/traffic/"))
        // A table of recorded answers, with the kind that asked.
        .filter(|path| *path != "src/aws/error/recorded.rs")
        .collect();
    forbid(&shared, &quoted, &[], why);
    let may = ["src/aws/clients.rs", "src/aws/facts.rs"];
    forbid(&shared, &services, &may, why);
    // A file of the blueprint that draws a section names the kinds that it draws, and so does what it
    // refers to. These draw none.
    let drawing = [
        "src/blueprint/mod.rs",
        "src/blueprint/naming.rs",
        "src/blueprint/names.rs",
        "src/blueprint/references.rs",
        "src/blueprint/policies.rs",
        "src/blueprint/outputs.rs",
        "src/blueprint/graph.rs",
        "src/blueprint/tags.rs",
        "src/blueprint/network/zones.rs",
    ];
    forbid(&drawing, &quoted, &[], why);
}

/// The services that have a folder of kinds.
fn services() -> BTreeSet<String> {
    let name = |kind: &str| kind.split('.').next().map(str::to_owned);
    KINDS.iter().filter_map(|kind| name(kind.meta().kind)).collect()
}

/// The files of the program, each with those that it uses, as far as `use` tells.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let all = sources("src/aws/kinds");
    // `table/convert.rs` belongs to `table.rs`, and `mod.rs` is the folder.
    let room = |path: &str| -> Option<String> {
        let inner = path.strip_prefix("src/aws/kinds/")?.strip_suffix(".rs")?;
        let steps: Vec<&str> = inner.split('/').take(2).collect();
        (steps.len() == 2 && steps[1] != "mod").then(|| steps.join("/"))
    };
    let rooms: BTreeSet<String> = all.iter().filter_map(|source| room(&source.path)).collect();
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in &all {
        let Some(own) = room(&source.path) else { continue };
        let service = own.split('/').next().unwrap_or_default().to_owned();
        let inside = source.path.matches('/').count() > 4;
        let code: String = source.code().map(|(_, line)| line.trim()).collect::<Vec<_>>().join(" ");
        for used in code.split("use ").skip(1).filter_map(|rest| rest.split_once(';')) {
            let text = used.0.replace(' ', "");
            let near = if inside { "super::super::" } else { "super::" };
            let text = text.replace("crate::aws::kinds::", "@");
            let text = match text.strip_prefix(near) {
                Some(rest) if !rest.starts_with("super") => format!("@{service}::{rest}"),
                _ => text,
            };
            let to = rooms.iter().filter(|to| {
                let (service, file) = to.split_once('/').expect("a folder and a file");
                let Some(rest) = text.strip_prefix(&format!("@{service}")) else { return false };
                let names = rest.split(['{', '}', ',', ':']).filter(|name| !name.is_empty());
                rest.starts_with("::") && names.take(8).any(|name| name == file)
            });
            let to = to.filter(|to| **to != own).cloned();
            arrows.entry(own.clone()).or_default().extend(to);
        }
    }
    arrows
}

#[test]
fn the_files_of_the_kinds_use_each_other_in_no_circle() {
    let mut open = arrows();
    assert!(open.values().map(BTreeSet::len).sum::<usize>() > 50, "the arrows are not seen");
    loop {
        let done: BTreeSet<String> = open
            .iter()
            .filter(|(_, to)| to.iter().all(|to| !open.contains_key(to)))
            .map(|(from, _)| from.clone())
            .collect();
        if done.is_empty() {
            break;
        }
        open.retain(|from, _| !done.contains(from));
    }
    assert!(open.is_empty(), "these use each other in a circle: {open:#?}");
}

#[test]
fn pure_layers_do_no_io() {
    let io = [
        "std::fs",
        "std::env",
        "std::process",
        "std::net::Tcp",
        "std::net::Udp",
        "tokio",
        "SystemTime",
        "Instant",
        "File::",
    ];
    let pure = ["src/config", "crates/engine/src/model", "src/blueprint", "src/words"];
    let why = "config, model and blueprint do no IO but reading the config files";
    let readers = ["src/config/files.rs", "src/config/layers.rs", "src/config/packages.rs"];
    forbid(&pure, &io, &readers, why);
    let writes = ["fs::write", "create_dir", "fs::remove", "File::create", "OpenOptions"];
    forbid(&["src/config"], &writes, &[], "the config files are only read");
    forbid(&["crates/engine/src"], &["std::fs", "std::env", "std::net", "std::process"], &[], why);
}

#[test]
fn only_ui_and_cli_print() {
    let words = ["println!", "print!", "eprintln!", "eprint!", "dbg!", "stdout()", "stderr()"];
    let may = ["src/ui/", "src/cli/"];
    forbid(&["src"], &words, &may, "events and results are data; only ui and cli print");
}

#[test]
fn only_the_engine_waits() {
    let why = "a kind never retries, sleeps or waits: the engine does";
    // payctl connects before the engine runs, the pace of a service is below the engine, a single
    // request has a time limit for connecting, and a look waits a moment for company.
    let connecting = [
        "src/aws/clients.rs",
        "src/aws/network.rs",
        "src/aws/pace/",
        "src/aws/together.rs",
        "src/aws/web.rs",
    ];
    forbid(&["src/aws"], &["sleep", "tokio::time", "Instant::now"], &connecting, why);
    let why = "one loop waits for the cloud, in converge, and one for traffic, in shift; a survey \
               may be tried again";
    let may = [
        "crates/engine/src/converge/calls.rs",
        "crates/engine/src/lease/hold.rs",
        "crates/engine/src/shift/run.rs",
        "crates/engine/src/survey.rs",
    ];
    forbid(&["crates/engine/src"], &["sleep(", "time::sleep("], &may, why);
}

#[test]
fn error_codes_are_read_in_one_place() {
    let why =
        "src/aws/error.rs is the only reader of error codes; use ErrorClass or META.transient";
    let words = ["ErrorMetadata", "ProvideErrorMetadata", "SdkError"];
    forbid(&["src/aws"], &words, &["src/aws/error.rs"], why);
    // AWS lists failures inside a successful answer. These files pass them to the reader.
    let hand_on = ["src/aws/kinds/ec2/common.rs", "src/aws/kinds/s3/bucket/empty.rs"];
    forbid(&["crates/engine/src", "src/aws/kinds"], &["error.code", "err.code"], &hand_on, why);
}

#[test]
fn only_two_kinds_read_a_secret() {
    let readers = ["src/aws/kinds/rds/cluster.rs", "src/aws/kinds/secretsmanager/attachment.rs"];
    forbid(
        &["src/aws"],
        &["get_secret_value"],
        &readers,
        "a secret's value is none of our business",
    );
    for kind in KINDS.iter().map(|kind| kind.meta()) {
        let reads = kind.actions().contains("secretsmanager:GetSecretValue");
        assert_eq!(reads, readers.contains(&&*file_of(kind.kind)), "{}", kind.kind);
    }
}

#[test]
fn every_kind_stands_in_the_table_of_folding() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a page");
    let table = page.split_once("| kind | folded in |").expect("the table of folding").1;
    let rows = table.lines().skip(2).take_while(|line| !line.is_empty());
    let rows: Vec<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    let kinds: BTreeSet<&str> = KINDS.iter().map(|kind| kind.meta().kind).collect();
    assert_eq!(rows, Vec::from_iter(kinds), "ARCHITECTURE.md: one row for each kind, in order");
}

#[test]
fn nothing_unwraps_outside_tests() {
    let mut broken = Vec::new();
    for source in sources("src") {
        let lines = source.code().filter(|(_, line)| line.contains(".unwrap()"));
        broken.extend(lines.map(|(number, _)| format!("{}:{number}", source.path)));
    }
    assert!(broken.is_empty(), "use `expect` with the invariant that holds: {broken:?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    for source in sources("src").iter().chain(&sources("tests/it")) {
        assert!(source.text.starts_with("//! "), "{} does not begin with //!", source.path);
    }
}

#[test]
fn every_test_file_is_run() {
    for source in sources("tests/it") {
        let module = source.path.strip_suffix(".rs").expect("a Rust file");
        let (folder, name) = module.rsplit_once('/').expect("a file in a folder");
        let parent = match folder {
            "tests/it" if name == "main" => continue,
            "tests/it" => "tests/it/main.rs".to_owned(),
            folder => format!("{folder}.rs"),
        };
        let text = fs::read_to_string(root().join(&parent)).expect("the file of the parent");
        let line = format!("mod {name};");
        let is_there = text.lines().any(|own| own.strip_prefix("pub ").unwrap_or(own) == line);
        assert!(is_there, "{parent} lacks `{line}`");
    }
}

/// The file of a kind: `service.thing` lives in `service/thing.rs`.
fn file_of(kind: &str) -> String {
    format!("src/aws/kinds/{}.rs", kind.replace('.', "/"))
}

#[test]
fn every_kind_stands_in_the_table() {
    let table: BTreeSet<String> = KINDS.iter().map(|kind| file_of(kind.meta().kind)).collect();
    assert_eq!(table.len(), KINDS.len(), "a kind stands in the table twice");
    assert!(KINDS.iter().map(|kind| kind.meta().kind).is_sorted(), "KINDS is not sorted by name");
    let is_kind =
        |source: &&Source| source.code().any(|(_, line)| holds(line, "impl Resource for"));
    let files: BTreeSet<String> =
        sources("src/aws/kinds").iter().filter(is_kind).map(|kind| kind.path.clone()).collect();
    // Every kind of the table has a page (tests/it/docs/kinds.rs) and a round trip.
    assert_eq!(files, table, "the files with `impl Resource for` and the table KINDS differ");
}

/// The value at a dotted path.
fn at<'a>(spec: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(spec, |value, step| value.get(step))
}

#[test]
fn the_facts_of_every_kind_make_sense() {
    for kind in KINDS {
        let meta = kind.meta();
        let name = meta.kind;
        let specs: Vec<Value> = [kind.sample()].into_iter().chain(kind.variants()).collect();
        let known = |path: &str| specs.iter().any(|spec| at(spec, path).is_some());
        for path in
            meta.immutable.iter().chain(meta.create_only).chain(meta.part_of).chain(meta.asked)
        {
            assert!(known(path), "{name}: no sample and no variant has the field `{path}`");
        }
        if let Some(field) = meta.failure_field {
            assert!(
                known(field),
                "{name}: `failure_field` names the field `{field}`, which none has"
            );
        }
        for (field, _) in meta.felt {
            assert!(known(field), "{name}: `felt` names the field `{field}`, which none has");
            assert!(meta.serves, "{name}: traffic notices a change of what it does not need");
        }
        for (field, _) in meta.changed_outputs {
            assert!(
                known(field),
                "{name}: `changed_outputs` names the field `{field}`, which none has"
            );
            let fixed = meta.is_immutable(field) || meta.create_only.contains(field);
            assert!(!fixed, "{name}: `{field}` never changes, so it moves no output");
        }
        assert!(meta.summary.ends_with('.'), "{name}: the summary is a sentence");
        assert!(meta.notes.iter().all(|note| note.ends_with('.')), "{name}: notes are sentences");
        assert!(!meta.permits.is_empty(), "{name}: no IAM actions");
        for permit in meta.permits {
            let mut sorted = permit.actions.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(permit.actions, sorted, "{name}: the actions are sorted, each once");
            let shapes = permit.on.iter().all(|on| *on == "*" || on.matches(':').count() > 1);
            assert!(shapes && !permit.on.is_empty(), "{name}: {:?}", permit.on);
        }
        let is_action = |action: &str| {
            let form = action.split_once(':');
            form.is_some_and(|(service, call)| {
                service.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                    && call.starts_with(|c: char| c.is_ascii_uppercase())
            })
        };
        assert!(
            meta.actions().iter().all(|action| is_action(action)),
            "{name}: {:?}",
            meta.actions()
        );
    }
}

/// Fields that the round trip cannot change, and why.
const STEADY: &[(&str, &str)] = &[
    ("costs.anomaly_subscription monitors", "a second monitor would have to be a sample too"),
    (
        "acm.certificate zone",
        "a second zone would have to have the names; tests/it/certificates.rs loses a record of it",
    ),
    ("autoscaling.group target_groups", "the targets of the sample group are addresses"),
    ("autoscaling.group template", "a second template would have to be a sample too"),
    ("autoscaling.group template_version", "it follows the variants of the template"),
    ("ec2.launch_template groups", "a second group would have to be a sample too"),
    ("elb.load_balancer groups", "a second group would have to be a sample too"),
    ("elb.load_balancer subnets", "a third subnet would have to be a sample too"),
    ("elb.target function", "a group gets another one by hand alone; tests/it/elb.rs does that"),
    ("ec2.instance groups", "a second group would have to be a sample too"),
    ("ec2.internet_gateway attached", "nobody wants a gateway that is not attached"),
    ("ecs.service failed_deployment", "nobody wants a deployment to fail"),
    ("ecs.service health_grace", "it goes only with a target group"),
    ("ecs.service load_balancers", "a target group and a listener would have to be samples too"),
    ("ecs.service security_groups", "a second group would have to be a sample too"),
    ("ecs.service subnets", "a second subnet would have to be a sample too"),
    ("ecs.service task_definition", "it changes with the task definition's own variants"),
    ("kms.key enabled", "the samples that use the key need it; tests/it/kms.rs enables one again"),
    ("rds.cluster own_password", "nobody wants the password of a snapshot"),
    ("rds.cluster security_groups", "a second group would have to be a sample too"),
    ("s3.bucket access_log", "a second bucket would have to be a sample too"),
    ("lambda.event_source function", "a second function would have to be a sample too"),
    ("lambda.event_source on_failure", "streams alone have one; tests/it/lambda.rs changes it"),
    ("apigateway.rest_api failed_update", "nobody wants an update to fail"),
    ("lambda.alias failed_provisioning", "nobody wants it to fail"),
    ("lambda.function failed_update", "nobody wants an update to fail"),
    ("lambda.function role", "a second role would have to be a sample too"),
    ("sqs.queue redrive", "a second queue would have to be a sample too"),
    ("waf.association acl", "a second web ACL would have to be a sample too"),
];

#[test]
fn every_mutable_field_is_changed_by_a_variant() {
    let mut wrong = Vec::new();
    let mut steady = BTreeSet::new();
    for kind in KINDS {
        let meta = kind.meta();
        let specs: Vec<Value> = [kind.sample()].into_iter().chain(kind.variants()).collect();
        let fields: BTreeSet<&String> =
            specs.iter().filter_map(Value::as_object).flat_map(|spec| spec.keys()).collect();
        for field in fields {
            let fixed = meta.is_immutable(field) || meta.create_only.contains(&field.as_str());
            let values: BTreeSet<String> =
                specs.iter().map(|spec| format!("{:?}", spec.get(field))).collect();
            let name = format!("{} {field}", meta.kind);
            if values.len() == 1 && STEADY.iter().any(|(known, _)| *known == name) {
                steady.insert(name);
            } else if fixed == (values.len() > 1) {
                let what = if fixed { "changes the fixed" } else { "does not change" };
                wrong.push(format!("{}: the round trip {what} `{field}`", meta.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(steady.len(), STEADY.len(), "take what is changed by now out of STEADY");
}

#[test]
fn samples_and_variants_are_canonical() {
    for kind in KINDS {
        for spec in [kind.sample()].into_iter().chain(kind.variants()) {
            let canonical = kind.canonical(&spec).expect("a sample decodes");
            assert_eq!(canonical, spec, "{}", kind.meta().kind);
        }
    }
}

/// The blueprints of the environments that the repository ships.
fn shipped_blueprints() -> BTreeMap<String, Blueprint> {
    let dir = root().join("config");
    let environments = config::find_environments(&dir).expect("the config directory");
    let names = environments.into_iter().flat_map(|environment| match environment.pattern {
        None => vec![environment.name],
        Some(_) => environment.examples,
    });
    names
        .map(|env| {
            let loaded = config::load(&dir, &env, &|_| None).expect("a valid config");
            let blueprint = build(&loaded, &Facts::placeholder("us-east-1"));
            (env, blueprint.expect("a blueprint"))
        })
        .collect()
}

#[test]
fn the_blueprints_of_the_shipped_environments_are_canonical() {
    let shipped = shipped_blueprints();
    for env in ["dev", "staging", "prod", "pr-123"] {
        assert!(shipped.contains_key(env), "{env} is not shipped any more");
    }
    for (env, blueprint) in shipped {
        for desired in blueprint.resources.values() {
            let kind = find_kind(&desired.address.kind).expect("a kind of the table");
            let canonical = kind.canonical(&desired.spec).expect("a spec decodes");
            assert_eq!(canonical, desired.spec, "{env}: {}", desired.address);
        }
    }
}

#[test]
fn every_kind_is_shown_under_a_section_of_the_config() {
    let schema = root().join("config/schema.json");
    let schema = fs::read_to_string(schema).expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    for kind in KINDS {
        let meta = kind.meta();
        let section = &schema["properties"][meta.section];
        assert!(section.is_object(), "{}: the config has no [{}]", meta.kind, meta.section);
    }
}
