//! The docs that are made from the code, and the docs that must agree with it.
//!
//! `docs/config.md` comes from the JSON Schema of the config and from `docs/examples/full`,
//! `docs/kinds/` from the table of kinds. `PAYCTL_UPDATE_DOCS=1 cargo test --test it docs` writes
//! them; without it they are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use payctl::aws::facts::ACTIONS;
use payctl::aws::kinds::KINDS;
use payctl::aws::resource::AnyKind;
use payctl::blueprint::{Facts, build};
use payctl::cli::exit;
use payctl::config;
use payctl::ui::kind::facts;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::meta::Replace;
use regex_lite::Regex;
use serde_json::Value;
use toml_edit::{DocumentMut, Item};

use crate::cli_support::copy;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares a generated file with the one in the repository, or writes it.
fn expect_file(path: &str, text: &str) {
    let full = root().join(path);
    if std::env::var_os("PAYCTL_UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::create_dir_all(full.parent().expect("a folder")).expect("the docs can be written");
        return fs::write(&full, text).expect("the docs can be written");
    }
    let found = fs::read_to_string(&full).unwrap_or_default();
    assert!(
        found == text,
        "{path} is out of date: run `PAYCTL_UPDATE_DOCS=1 cargo test --test it docs` and commit it"
    );
}

// --- docs/kinds -------------------------------------------------------------------------------------

const GENERATED: &str = "<!-- Made by tests/it/docs.rs; do not edit. -->\n\n";

fn kind_page(kind: &dyn AnyKind) -> String {
    let meta = kind.meta();
    let mut page = format!("{GENERATED}# {}\n\n{}\n", meta.kind, meta.summary);
    for (title, rows) in facts(meta) {
        let rows: String = rows.into_iter().map(|row| format!("- {row}\n")).collect();
        let _ = write!(page, "\n## {title}\n\n{rows}");
    }
    let sample = kind.sample();
    let _ = write!(page, "\n## Spec, by example\n\n```json\n{sample:#}\n```\n");
    page
}

#[test]
fn the_pages_of_the_kinds_are_up_to_date() {
    let always: Vec<String> = ACTIONS.iter().map(|action| format!("`{action}`")).collect();
    let mut index = format!(
        "{GENERATED}# Kinds\n\nThe kinds of resources that payctl knows. `payctl explain KIND` \
         shows the same in the terminal. Every command reads all kinds, and also needs these IAM \
         actions: {}.\n\n| kind | what it is | replacement |\n|---|---|---|\n",
        always.join(", ")
    );
    let mut pages = BTreeSet::from(["README.md".to_owned()]);
    for kind in KINDS {
        let meta = kind.meta();
        let file = format!("{}.md", meta.kind);
        expect_file(&format!("docs/kinds/{file}"), &kind_page(*kind));
        let replace = match meta.replace {
            Replace::CreateFirst => "new one first",
            Replace::DeleteFirst => "old one first",
            Replace::Forbidden => "refused",
        };
        let _ = writeln!(index, "| [{}]({file}) | {} | {replace} |", meta.kind, meta.summary);
        pages.insert(file);
    }
    expect_file("docs/kinds/README.md", &index);
    let found: BTreeSet<String> = fs::read_dir(root().join("docs/kinds"))
        .expect("the folder of the pages")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found, pages, "docs/kinds holds a page of no kind");
}

// --- docs/config.md ---------------------------------------------------------------------------------

/// Defaults that the schema does not tell: where in the full example, and the value.
const DEFAULTS: &[(&str, &str)] = &[
    ("naming.pattern", r#""{env}-{project}-{type}-{name}""#),
    ("network.gateway_endpoints", r#"["s3", "dynamodb"]"#),
    ("network.flow_log.to.retention_days", "30"),
    ("network.flow_log.traffic", r#""all""#),
    ("network.isolated_subnets", "false"),
    ("network.nat.instance_type", r#""t4g.nano""#),
    ("network.nat.kind", r#""gateway""#),
    ("network.private_subnets", "true"),
    ("network.public_subnets", "true"),
    ("security_groups.*.ingress.[].protocol", r#""tcp""#),
    ("buckets.*.object_lock.mode", r#""governance""#),
    ("buckets.*.statements.[].effect", r#""allow""#),
    ("tables.*.billing", r#""on_demand""#),
    ("tables.*.indexes.*.projection", r#""all""#),
    ("functions.*.architecture", r#""arm64""#),
    ("functions.*.description", r#""""#),
    ("functions.*.disk", "512"),
    ("functions.*.handler", r#""index.handler""#),
    ("functions.*.log_retention_days", "30"),
    ("functions.*.memory", "512"),
    ("functions.*.timeout", "28"),
    ("functions.*.tracing", "false"),
    ("functions.*.triggers.[].report_failures", "false"),
    ("log_groups.*.retention_days", "30"),
    ("clusters.*.insights", "true"),
    ("services.*.architecture", r#""x86_64""#),
    ("services.*.log_retention_days", "30"),
    ("services.*.propagate_tags", r#""service""#),
    ("services.*.subnets", r#""private""#),
    ("load_balancers.*.listeners.[].tls_policy", r#""ELBSecurityPolicy-TLS13-1-2-2021-06""#),
    ("target_groups.*.port", "80"),
    ("queues.*.dead_letter", "false"),
    ("alarms.*.missing", r#""missing""#),
    ("dashboards.*.widgets.[].kind", r#""line""#),
    ("metric_filters.*.unit", r#""none""#),
    ("threat_detection.frequency", r#""fifteen_minutes""#),
    ("firewalls.*.default", r#""allow""#),
    (
        "firewalls.*.log.redact",
        r#"["authorization", "cookie", "x-amz-security-token", "x-api-key"]"#,
    ),
    ("firewalls.*.rate_limit.action", r#""block""#),
    ("firewalls.*.sql_injection.action", r#""block""#),
    ("firewalls.*.sql_injection.oversize", r#""continue""#),
    ("firewalls.*.sql_injection.parts", r#"["body", "query_string", "uri"]"#),
    ("cost_anomalies.*.threshold.when", r#""both""#),
];

/// Lists and maps that mean something else when they are left out than when they are empty.
const UNSET: &[&str] = &["keys.*.services", "topics.*.subscriptions.[].filter"];

/// One table of the config.
struct Section<'a> {
    /// Its path; `*` stands for a name, `[]` for an element of a list.
    path: Vec<String>,
    /// Where else the same table is found.
    also: Vec<Vec<String>>,
    schema: &'a Value,
}

impl Section<'_> {
    /// The paths of one of its keys, in every place where the table is found.
    fn paths_of(&self, key: &str) -> Vec<Vec<String>> {
        let places = std::iter::once(&self.path).chain(&self.also);
        places.map(|path| [&path[..], &[key.to_owned()]].concat()).collect()
    }
}

fn toml_path(path: &[String]) -> String {
    let steps = path.iter().filter(|step| *step != "[]").map(|step| step.replace('*', "NAME"));
    let joined = steps.collect::<Vec<_>>().join(".");
    match path.last().is_some_and(|step| step == "[]") {
        true => format!("[[{joined}]]"),
        false => format!("[{joined}]"),
    }
}

fn anchor(path: &[String]) -> String {
    let kept = |c: &char| c.is_alphanumeric() || *c == '_' || *c == '-';
    toml_path(path).to_lowercase().chars().filter(kept).collect()
}

/// A schema behind its reference.
fn resolved<'a>(schema: &'a Value, all: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        Some(name) => &all["$defs"][name],
        None => schema,
    }
}

/// What a map holds by name.
fn named(schema: &Value) -> Option<&Value> {
    let patterns = schema["patternProperties"].as_object();
    let pattern = patterns.and_then(|patterns| patterns.values().next());
    pattern.or_else(|| schema.get("additionalProperties").filter(|value| value.is_object()))
}

/// Whether its keys make a section of their own: not those that are names in capitals.
fn has_keys(schema: &Value) -> bool {
    let keys = schema["properties"].as_object();
    keys.is_some_and(|keys| !keys.keys().all(|key| key.starts_with(char::is_uppercase)))
}

fn collect<'a>(schema: &'a Value, path: &[String], all: &'a Value, out: &mut Vec<Section<'a>>) {
    let schema = resolved(schema, all);
    let step = |more: &str| [path, &[more.to_owned()]].concat();
    if has_keys(schema) {
        if let Some(known) = out.iter_mut().find(|known| std::ptr::eq(known.schema, schema)) {
            return known.also.push(path.to_vec());
        }
        out.push(Section { path: path.to_vec(), also: Vec::new(), schema });
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            collect(value, &step(key), all, out);
        }
    }
    if let Some(value) = named(schema) {
        collect(value, &step("*"), all, out);
    }
    if let Some(items) = schema.get("items") {
        collect(items, &step("[]"), all, out);
    }
    for branch in schema["anyOf"].as_array().into_iter().flatten() {
        collect(branch, path, all, out);
    }
}

/// The type of a value in words.
fn type_of(schema: &Value, all: &Value, sections: &[Section<'_>]) -> String {
    let schema = resolved(schema, all);
    if let Some(section) = sections.iter().find(|known| std::ptr::eq(known.schema, schema)) {
        return format!("[table](#{})", anchor(&section.path));
    }
    let inner = |schema: &Value| type_of(schema, all, sections);
    let join = |parts: Vec<String>| parts.join(" or ");
    if let Some(words) = schema["oneOf"].as_array() {
        return join(words.iter().map(|word| format!("`{}`", word["const"])).collect());
    }
    if let Some(branches) = schema["anyOf"].as_array() {
        return join(branches.iter().map(inner).collect());
    }
    match schema["type"].as_str() {
        Some("string") => match (&schema["x-payctl-item-of"], &schema["x-payctl-holds"]) {
            (Value::String(section), _) => format!("name of an item in `[{section}]`"),
            (_, Value::String(holds)) if holds == "text" => "string with references".to_owned(),
            _ => "string".to_owned(),
        },
        Some("integer") => match (&schema["minimum"], &schema["maximum"]) {
            (low, high) if high.is_number() => format!("{low} to {high}"),
            _ => "integer".to_owned(),
        },
        Some("array") => format!("list of {}", inner(&schema["items"])),
        Some("object") => match (named(schema), schema["properties"].as_object()) {
            (Some(value), _) => format!("by name: {}", inner(value)),
            (None, Some(keys)) => {
                let value = keys.values().next().map(inner).unwrap_or_default();
                let keys: Vec<String> = keys.keys().map(|key| format!("`{key}`")).collect();
                format!("by {}: {value}", keys.join(", "))
            }
            (None, None) => "table".to_owned(),
        },
        other => other.unwrap_or("value").to_owned(),
    }
}

fn default_of(schema: &Value, paths: &[Vec<String>], is_required: bool, all: &Value) -> String {
    if is_required {
        return "**required**".to_owned();
    }
    let is_at = |at: &str| paths.iter().any(|path| path.join(".") == at);
    if UNSET.iter().any(|at| is_at(at)) {
        return "unset".to_owned();
    }
    let told = DEFAULTS.iter().find(|(at, _)| is_at(at));
    if let Some((_, value)) = told {
        return format!("`{value}`");
    }
    let behind = resolved(schema, all);
    if let Some(default) = schema.get("default").or_else(|| behind.get("default"))
        && !default.is_object()
    {
        return format!("`{default}`");
    }
    let is_list = |schema: &Value| schema["type"] == "array" || named(schema).is_some();
    let branches = behind["anyOf"].as_array();
    match is_list(behind)
        || behind["properties"].is_object() && !has_keys(behind)
        || branches.is_some_and(|branches| branches.iter().any(is_list))
    {
        true => "empty".to_owned(),
        false => "unset".to_owned(),
    }
}

/// What stands at a path of a file, as it would be typed; the first of what `*` and `[]` match.
fn example(item: &Item, path: &[String]) -> Option<String> {
    let Some((step, rest)) = path.split_first() else {
        return match item {
            Item::Value(value) => Some(value.clone().decorated("", "").to_string()),
            Item::Table(table) => {
                let (key, item) = table.iter().find(|(_, item)| item.is_value())?;
                let key = toml_edit::Key::new(key).to_string();
                Some(format!("{{ {key} = {} }}", example(item, &[])?))
            }
            Item::None | Item::ArrayOfTables(_) => None,
        };
    };
    match (step.as_str(), item) {
        ("[]", Item::ArrayOfTables(tables)) => {
            tables.iter().find_map(|table| example(&Item::Table(table.clone()), rest))
        }
        ("[]", item) => {
            let values = item.as_array()?.iter();
            values.into_iter().find_map(|value| example(&Item::Value(value.clone()), rest))
        }
        ("*", item) => item.as_table_like()?.iter().find_map(|(_, item)| example(item, rest)),
        (key, item) => example(item.as_table_like()?.get(key)?, rest),
    }
}

/// The files that examples are taken from, the complete one first.
fn example_files() -> Vec<Item> {
    ["docs/examples/full/full.toml", "config/pr.toml"]
        .iter()
        .map(|path| {
            Item::Table(read(path).parse::<DocumentMut>().expect("TOML").as_table().clone())
        })
        .collect()
}

const PREFACE: &str = "# Config

One TOML file describes one environment: `config/dev.toml` is `--env dev`. `payctl validate` checks
all of them without an account, and `payctl schema` prints the JSON Schema that this page is made
from. [examples/full/full.toml](examples/full/full.toml) contains every key once.

## Files and layers

- `extends = \"base.toml\"` builds on another file of the directory. Tables merge by key, and the
  file that extends wins. It replaces a list or a plain value as a whole. `base.toml` itself is not
  an environment.
- A file with `[template]` serves every environment whose whole name matches its `pattern`:
  `payctl apply --env pr-123`. A name has at most 48 lower-case letters, digits and single dashes.
- The header of an item names it: `[tables.transactions]`, `[queues.payments]`. A section may have
  any number of items.
- payctl builds names of resources from `naming.pattern`, and shortens them with a hash if they are
  too long for AWS. An explicit `name` must contain the environment's name as a whole word.

## What a config may read

A config may come from an author who must not see the machine that runs payctl, such as the author
of a pull request. So payctl limits what a config can read:

- **Only files inside the repository.** The repository is the nearest folder with `.git`: the config
  folder itself or one above it. Without `.git` it is the parent of the config folder. `extends`
  names a file of the config folder, and the `source` of a function names a folder of the
  repository. payctl follows a link only if it ends inside. No path from the config to such a file
  may contain a name that begins with a dot: `.git` contains the credentials of a checkout.
- **Only regular files**, not pipes, sockets or devices. A config file has at most 1 MB, and a folder
  at most 1000 of them. A function has at most 20,000 files, 250 MB, and 50 MB as a zip file. All
  functions together have at most 2 GB.
- **No keys in packages.** payctl leaves out names that begin with a dot (`.env`, `.npmrc`, `.aws`),
  `__pycache__`, `tests` and `*.pyc`. It refuses `*.key`, `*.p12`, `*.pfx`, `*.jks`, `*.keystore`,
  `*.kdbx`, `*.ppk`, and `id_rsa*`, `id_dsa*`, `id_ecdsa*` and `id_ed25519*` except `.pub` files. It
  refuses data files (`.csv`, `.ini`, `.json`, `.toml`, `.txt`, `.xml`, `.yaml`, `.yml`, or without
  an extension) whose name ends in `credentials`, `accessKeys` or `rootkey`. It refuses files that
  begin like a private key in PEM, and a `*.pem`, `*.crt` or `*.cer` that contains one. Certificates
  are allowed. Store keys in secrets: see [secrets.md](secrets.md).
- **Only declared variables.** `${var.NAME}` reads a variable of the process that
  [`[variables]`](#variablesname) names. Its name must not look like a credential: payctl refuses
  `AWS_*` except `AWS_REGION` and `AWS_DEFAULT_REGION`, and names that contain `TOKEN`, `SECRET`,
  `PASSWORD`, `PASSWD`, `CREDENTIAL` or `KEY`, in upper or lower case.

## Inside strings

| written | meaning |
|---|---|
| `${env}`, `${project}`, `${region}` | the environment, the project, the region |
| `${account}` | the account id; in names, references and `tags_at_creation` |
| `${now}` | the time of the run; only in `tags_at_creation` |
| `${var.NAME}` | the environment variable `NAME`, which `[variables]` declares |
| `$${` | a literal `${`, which IAM policy variables need |

A *string with references* in the tables below may also contain outputs of other resources. A
resource with such a reference is created after the other, and changes with it:

| reference | outputs |
|---|---|
| `${network.OUTPUT}` | `cidr`, `vpc_id`, `public_subnets`, `private_subnets`, `isolated_subnets` |
| `${security_groups.NAME.OUTPUT}` | `id`, `name` |
| `${keys.NAME.OUTPUT}` | `arn`, `id`, `alias` |
| `${secrets.NAME.OUTPUT}` | `arn`, `name` |
| `${tables.NAME.OUTPUT}` | `arn`, `name`, `stream_arn` |
| `${buckets.NAME.OUTPUT}` | `arn`, `name` |
| `${topics.NAME.OUTPUT}` | `arn`, `name` |
| `${queues.NAME.OUTPUT}` | `arn`, `name`, `url`, `dead_letter_arn`, `dead_letter_name`, `dead_letter_url` |
| `${roles.NAME.OUTPUT}` | `arn`, `name`, `instance_profile_arn`, `instance_profile_name` |
| `${log_groups.NAME.OUTPUT}` | `arn`, `name` |
| `${load_balancers.NAME.OUTPUT}` | `arn`, `name`, `dns_name`, `metric` |
| `${target_groups.NAME.OUTPUT}` | `arn`, `name`, `metric` |
| `${fleets.NAME.OUTPUT}` | `arn`, `name` |

## Sections
";

fn config_page() -> String {
    let schema = config::schema();
    let mut sections = Vec::new();
    collect(&schema, &[], &schema, &mut sections);
    let files = example_files();
    let mut page = format!("{GENERATED}{PREFACE}");
    for section in &sections {
        let title = match section.path.is_empty() {
            true => "Top level".to_owned(),
            false => format!("`{}`", toml_path(&section.path)),
        };
        let about = section.schema["description"].as_str().unwrap_or_default();
        let _ = write!(page, "\n### {title}\n\n{}\n", one_line(about));
        if !section.also.is_empty() {
            let also: Vec<String> =
                section.also.iter().map(|path| format!("`{}`", toml_path(path))).collect();
            let _ = write!(page, "\nAlso: {}.\n", also.join(", "));
        }
        let _ =
            write!(page, "\n| key | type | default | example | meaning |\n|---|---|---|---|---|\n");
        let required: BTreeSet<&str> = section.schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (key, value) in section.schema["properties"].as_object().into_iter().flatten() {
            let about = value["description"].as_str().unwrap_or_default();
            let paths = section.paths_of(key);
            let is_required = required.contains(key.as_str());
            let default = default_of(value, &paths, is_required, &schema);
            let example = paths
                .iter()
                .find_map(|path| files.iter().find_map(|file| example(file, path)))
                .map(|text| format!("`{}`", one_line(&text)))
                .unwrap_or_default();
            let row = [type_of(value, &schema, &sections), default, example, one_line(about)];
            let row = row.map(|cell| cell.replace('|', "\\|")).join(" | ");
            let _ = writeln!(page, "| `{key}` | {row} |");
        }
    }
    page
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_config_reference_is_up_to_date() {
    expect_file("docs/config.md", &config_page());
}

#[test]
fn every_key_of_the_config_has_an_example() {
    let schema = config::schema();
    let mut sections = Vec::new();
    collect(&schema, &[], &schema, &mut sections);
    let files = example_files();
    let is_there = |path: &[String]| {
        let sub = |file: &Item| example(file, path).is_some() || table_at(file, path);
        files.iter().any(sub)
    };
    for section in &sections {
        for key in section.schema["properties"].as_object().expect("a section has keys").keys() {
            let paths = section.paths_of(key);
            let found = paths.iter().any(|path| is_there(path));
            assert!(found, "docs/examples/full/full.toml does not show {}", paths[0].join("."));
        }
    }
}

fn table_at(item: &Item, path: &[String]) -> bool {
    let Some((step, rest)) = path.split_first() else { return true };
    match step.as_str() {
        "[]" => match item {
            Item::ArrayOfTables(tables) => {
                tables.iter().any(|table| table_at(&Item::Table(table.clone()), rest))
            }
            item => item.as_array().is_some_and(|values| {
                values.iter().any(|value| table_at(&Item::Value(value.clone()), rest))
            }),
        },
        "*" => item
            .as_table_like()
            .is_some_and(|table| table.iter().any(|(_, item)| table_at(item, rest))),
        key => item
            .as_table_like()
            .and_then(|table| table.get(key))
            .is_some_and(|item| table_at(item, rest)),
    }
}

/// The blueprint of a text in the place of the full example.
fn blueprint_of(text: &str) -> Blueprint {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join(".git")).expect("a folder");
    // Functions come from the folder of the example and from those that are shipped.
    for functions in ["functions", "docs/examples/full/functions"] {
        copy(&root().join(functions), &dir.path().join(functions));
    }
    let full = dir.path().join("docs/examples/full");
    fs::write(full.join("full.toml"), text).expect("a file");
    let loaded = config::load(&full, "full", &|_| None);
    let loaded = loaded.unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    let blueprint = build(&loaded, &Facts::placeholder("us-east-1"));
    let mut blueprint = blueprint.unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    // The lines move when a key is left out.
    blueprint.resources.values_mut().for_each(|desired| desired.origin.clear());
    blueprint
}

#[test]
fn the_full_example_is_valid() {
    let blueprint = blueprint_of(&read("docs/examples/full/full.toml"));
    let kinds: BTreeSet<&str> =
        blueprint.resources.keys().map(|address| address.kind.as_str()).collect();
    for kind in KINDS {
        let kind = kind.meta().kind;
        // A NAT instance needs neither of these.
        let managed_nat = ["ec2.elastic_ip", "ec2.nat_gateway"].contains(&kind);
        assert!(managed_nat || kinds.contains(kind), "the example lacks a {kind}");
    }
}

#[test]
fn documented_defaults_match_the_code() {
    let text = read("docs/examples/full/full.toml");
    for (path, default) in DEFAULTS {
        let steps: Vec<&str> = path.split('.').collect();
        // What only goes with the value that the example has.
        let leave_out: &[&[&str]] = match *path {
            "tables.*.billing" => &[&["tables", "*", "indexes", "*", "capacity"]],
            _ => &[],
        };
        let mut without: DocumentMut = text.parse().expect("TOML");
        for steps in leave_out {
            assert!(edit(without.as_item_mut(), steps, None), "the example lacks {steps:?}");
        }
        let mut with = without.clone();
        let value = default.parse().expect("a TOML value");
        assert!(edit(with.as_item_mut(), &steps, Some(&value)), "the example lacks {path}");
        assert!(edit(without.as_item_mut(), &steps, None), "the example lacks {path}");
        let (with, without) = (blueprint_of(&with.to_string()), blueprint_of(&without.to_string()));
        assert_eq!(with, without, "{path} = {default} is not the default");
    }
}

/// Sets or removes the value at the first place that a path matches.
fn edit(item: &mut Item, path: &[&str], value: Option<&toml_edit::Value>) -> bool {
    let Some((step, rest)) = path.split_first() else { return false };
    if *step == "[]" {
        return match item {
            Item::ArrayOfTables(tables) => tables.iter_mut().any(|table| {
                let mut inner = Item::Table(table.clone());
                let done = edit(&mut inner, rest, value);
                if let (true, Item::Table(inner)) = (done, inner) {
                    *table = inner;
                }
                done
            }),
            _ => false,
        };
    }
    let Some(table) = item.as_table_like_mut() else { return false };
    if *step == "*" {
        return table.iter_mut().any(|(_, item)| edit(item, rest, value));
    }
    if !rest.is_empty() {
        return table.get_mut(step).is_some_and(|item| edit(item, rest, value));
    }
    if !table.contains_key(step) {
        return false;
    }
    match value {
        Some(value) => table.insert(step, Item::Value(value.clone())),
        None => table.remove(step),
    };
    true
}

// --- What is written by hand ------------------------------------------------------------------------

/// Every Markdown file of the repository, with its text.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut open = vec![root().join("docs")];
    let mut pages = BTreeMap::new();
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "functions/README.md",
    ] {
        pages.insert(root().join(name), read(name));
    }
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the docs") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).expect("a page is text");
                pages.insert(path, text);
            }
        }
    }
    pages
}

#[test]
fn links_have_targets() {
    let link = Regex::new(r"\]\(([^)#:]+)(#[^)]*)?\)").expect("a regex");
    for (page, text) in pages() {
        for found in link.captures_iter(&text) {
            let target = page.parent().expect("a folder").join(&found[1]);
            assert!(target.exists(), "{}: {} does not exist", page.display(), &found[1]);
        }
    }
}

/// The lines of a page's shell blocks, continued lines joined.
fn shell_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let (mut inside, mut continues) = (false, false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside && ["```sh", "```console", "```yaml"].contains(&line.trim());
            continue;
        }
        if inside {
            let body = line.trim().trim_end_matches('\\').trim().to_owned();
            match lines.last_mut() {
                Some(last) if continues => *last = format!("{last} {body}"),
                _ => lines.push(body),
            }
            continues = line.ends_with('\\');
        }
    }
    lines
}

#[test]
fn every_command_in_the_docs_exists() {
    let command =
        Regex::new(r"(?:^|run: |\$ |&& |\| |cargo run -- )(?:payctl|cargo run --) ([^|>#;]*)");
    let command = command.expect("a regex");
    let mut helps: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let mut seen = 0;
    for (page, text) in pages() {
        for line in shell_lines(&text) {
            for found in command.captures_iter(&line) {
                let words: Vec<&str> = found[1].split_whitespace().collect();
                let is_name = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase());
                let depth = match words.first() {
                    Some(&"sandbox" | &"env" | &"secret") => 2,
                    Some(word) if word.starts_with('-') => 0,
                    _ => 1,
                };
                let named: Vec<String> = words
                    .iter()
                    .take(depth)
                    .take_while(is_name)
                    .map(|word| (*word).to_owned())
                    .collect();
                let help = helps.entry(named).or_insert_with_key(|named| help_of(named));
                let flags = words.iter().filter(|word| word.starts_with("--") && word.len() > 2);
                for flag in flags.map(|flag| flag.split('=').next().unwrap_or(flag)) {
                    assert!(
                        help.contains(flag) || flag == "--help",
                        "{}: `{line}`: there is no {flag}",
                        page.display()
                    );
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 12, "only {seen} commands were found in the docs");
}

fn help_of(command: &[String]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_payctl")).args(command).arg("--help").output();
    let output = output.expect("payctl runs");
    assert!(output.status.success(), "there is no command `payctl {}`", command.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_command_is_in_the_readme() {
    let help = help_of(&[]);
    let readme = read("README.md");
    let list = help.split_once("Commands:\n").expect("a list of commands").1;
    let names = list.lines().take_while(|line| !line.is_empty());
    for name in
        names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help")
    {
        assert!(readme.contains(&format!("| `{name}")), "README.md does not list `{name}`");
    }
}

#[test]
fn every_json_type_is_documented() {
    let page = read("docs/json.md");
    let shown = Regex::new(
        r#"(?s)(?:cx\.show\(|SystemTime::now\(\),|=>\s*\{?\s*\(|=> \(\s*)\s*"([a-z]+)",\s*(?:\|\||&|json!)"#,
    );
    let shown = shown.expect("a regex");
    let mut types = BTreeSet::new();
    for folder in ["src/cli", "src/ui"] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let text = fs::read_to_string(path).expect("a source file");
                types.extend(shown.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    for known in ["plan", "started", "report", "verified", "outputs", "error", "serving"] {
        assert!(types.contains(known), "the test no longer finds `{known}`: {types:?}");
    }
    for name in types {
        assert!(page.contains(&format!("`{name}`")), "docs/json.md lacks the type `{name}`");
    }
}

#[test]
fn the_exit_codes_are_documented() {
    let codes =
        [exit::SUCCESS, exit::ERROR, exit::CHANGES, exit::PARTLY, exit::STALE, exit::INTERRUPTED];
    for page in ["README.md", "docs/json.md", "docs/errors.md"] {
        let text = read(page);
        for code in codes {
            assert!(text.contains(&format!("\n| {code} | ")), "{page} lacks the exit code {code}");
        }
    }
}

#[test]
fn every_error_class_is_documented() {
    let page = read("docs/errors.md");
    let source = read("crates/engine/src/model/error.rs");
    let body = source.split_once("pub enum ErrorClass {").expect("the classes").1;
    let body = body.split_once('}').expect("their end").0;
    let classes = body.lines().map(str::trim).filter_map(|line| line.strip_suffix(','));
    let classes: Vec<&str> = classes.filter(|line| !line.starts_with("//")).collect();
    assert!(classes.len() > 8, "{classes:?}");
    for class in classes {
        let snake: String = class
            .chars()
            .enumerate()
            .flat_map(|(at, c)| {
                let gap = (at > 0 && c.is_uppercase()).then_some('_');
                gap.into_iter().chain(c.to_lowercase())
            })
            .collect();
        assert!(page.contains(&format!("\n| `{snake}` | ")), "docs/errors.md lacks `{snake}`");
    }
}

#[test]
fn every_test_named_in_the_docs_exists() {
    let name = Regex::new(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`").expect("a regex");
    let mut tests = String::new();
    let mut open = vec![root().join("src"), root().join("tests"), root().join("crates")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            tests.push_str(&fs::read_to_string(path).expect("a source file"));
        }
    }
    for page in ["README.md", "ARCHITECTURE.md", "docs/performance.md", "docs/reliability.md"] {
        for found in name.captures_iter(&read(page)) {
            assert!(
                tests.contains(&format!("fn {}(", &found[1])),
                "{page}: no test `{}`",
                &found[1]
            );
        }
    }
}

#[test]
fn the_operations_of_the_sandbox_are_documented() {
    let page = read("docs/sandbox.md");
    let table = page.split_once("## Operations").expect("the table of operations").1;
    let cells = table.lines().filter_map(|row| row.split('|').nth(2));
    let name = Regex::new(r"^[A-Z][a-z]+[A-Za-z]*$").expect("a regex");
    let told: BTreeSet<&str> = cells
        .flat_map(|cell| cell.split(','))
        .map(str::trim)
        .filter(|word| name.is_match(word))
        .collect();
    assert!(told.len() > 200, "{told:?}");
    let verb = |operation: &str| {
        let end = operation[1..].find(char::is_uppercase).map_or(operation.len(), |at| at + 1);
        operation[..end].to_owned()
    };
    let verbs: BTreeSet<String> = told.iter().map(|operation| verb(operation)).collect();

    let arm = Regex::new(r#"((?:"\w+"\s*\|\s*)*"\w+")\s*=>"#).expect("a regex");
    let mut open = vec![root().join("crates/sandbox/src")];
    let (mut sources, mut done) = (String::new(), BTreeSet::new());
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(path).expect("a folder");
            open.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if !path.iter().any(|step| step == "tests" || step == "tests.rs") {
            let text = fs::read_to_string(path).expect("a source file");
            sources.push_str(text.split("\nmod tests {").next().unwrap_or_default());
        }
    }
    for names in arm.captures_iter(&sources) {
        let names = names[1].split('|').map(|name| name.trim().trim_matches('"').to_owned());
        done.extend(names.filter(|found| name.is_match(found) && verbs.contains(&verb(found))));
    }
    for operation in &told {
        let found = sources.contains(&format!("\"{operation}\""));
        assert!(found, "docs/sandbox.md tells of {operation}, which the sandbox does not know");
    }
    for operation in &done {
        assert!(told.contains(&**operation), "docs/sandbox.md lacks {operation}");
    }
}

/// Whether a key stands in the schema at a dotted path, in which `NAME` stands for any name.
fn has_path(schema: &Value, path: &[&str], all: &Value) -> bool {
    let schema = resolved(schema, all);
    let Some((step, rest)) = path.split_first() else { return true };
    let own = match *step {
        "NAME" => named(schema),
        key => schema["properties"].get(key),
    };
    let branches = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema[key].as_array());
    own.is_some_and(|own| has_path(own, rest, all))
        || schema.get("items").is_some_and(|items| has_path(items, path, all))
        || branches.flatten().any(|branch| has_path(branch, path, all))
}

#[test]
fn files_named_in_security_md_exist() {
    let (page, schema) = (read("docs/security.md"), config::schema());
    let code = Regex::new(r"`([^`\n]+)`").expect("a regex");
    let is_name = Regex::new(r"^[a-z_]+(\.[a-zA-Z_]+)*$").expect("a regex");
    // Words of AWS and of other tools.
    let foreign = |word: &str| {
        word.contains(':') || word.contains("amazonaws") || word.starts_with("docker ")
    };
    let mut seen = 0;
    for found in code.captures_iter(&page).map(|found| found[1].to_owned()) {
        if foreign(&found) || ["code", "REPOSITORY@sha256:DIGEST"].contains(&&*found) {
            continue;
        }
        let is_kind = KINDS.iter().any(|kind| kind.meta().kind == found);
        let path: Vec<&str> = found.split('.').collect();
        let is_key = is_name.is_match(&found) && has_path(&schema, &path, &schema);
        let part = ["log_delivery"].contains(&&*found);
        let is_there = is_kind || is_key || part || root().join(&found).is_file();
        assert!(is_there, "docs/security.md names `{found}`: no kind, key or file");
        seen += 1;
    }
    assert!(seen > 80, "only {seen} names were found");
}
