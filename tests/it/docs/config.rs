//! `docs/config.md`: a table for each section of the config, from the JSON Schema, with examples from
//! `docs/examples/full`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use payctl::config;
use serde_json::Value;

use super::full_example::{example, example_files};
use super::{GENERATED, expect_file};

/// Defaults that the schema does not contain: the path in the full example, and the value.
pub(super) const DEFAULTS: &[(&str, &str)] = &[
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
    ("usage.payments_per_month", "100000"),
    ("usage.request_kb", "2"),
    ("usage.response_kb", "2"),
    ("usage.item_kb", "1"),
    ("usage.log_kb", "2"),
    ("usage.nat_kb", "10"),
    ("usage.function_ms", "100"),
    ("usage.database_ios", "10"),
    ("usage.failures_per_thousand", "1"),
    ("usage.peak_factor", "5"),
    ("usage.hours_per_month", "730"),
    ("usage.age_months", "12"),
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
    ("certificates.*.key", r#""rsa_2048""#),
    ("apis.*.function_permissions", r#""api""#),
    ("alarms.*.missing", r#""missing""#),
    ("shifts.*.bake", r#""5m""#),
    ("shifts.*.missing", r#""5m""#),
    ("shifts.*.on_alarm", r#""roll_back""#),
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
const UNSET: &[&str] = &[
    "keys.*.services",
    "load_balancers.*.listeners.[].other_certificates",
    "topics.*.subscriptions.[].filter",
];

/// One table of the config.
pub(super) struct Section<'a> {
    /// Its path; `*` stands for a name, `[]` for an element of a list.
    path: Vec<String>,
    /// Other paths of the same table.
    also: Vec<Vec<String>>,
    pub(super) schema: &'a Value,
}

impl Section<'_> {
    /// The paths of one of its keys, for every path of the table.
    pub(super) fn paths_of(&self, key: &str) -> Vec<Vec<String>> {
        let places = std::iter::once(&self.path).chain(&self.also);
        places.map(|path| [&path[..], &[key.to_owned()]].concat()).collect()
    }
}

fn toml_path(path: &[String]) -> String {
    let steps = path.iter().filter(|step| *step != "[]").map(|step| step.replace('*', "NAME"));
    let joined = steps.collect::<Vec<_>>().join(".");
    if path.last().is_some_and(|step| step == "[]") {
        format!("[[{joined}]]")
    } else {
        format!("[{joined}]")
    }
}

fn anchor(path: &[String]) -> String {
    let kept = |c: &char| c.is_alphanumeric() || *c == '_' || *c == '-';
    toml_path(path).to_lowercase().chars().filter(kept).collect()
}

/// The schema that a `$ref` leads to.
pub(super) fn resolved<'a>(schema: &'a Value, all: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        Some(name) => &all["$defs"][name],
        None => schema,
    }
}

/// The schema of the values of a map.
pub(super) fn named(schema: &Value) -> Option<&Value> {
    let patterns = schema["patternProperties"].as_object();
    let pattern = patterns.and_then(|patterns| patterns.values().next());
    pattern.or_else(|| schema.get("additionalProperties").filter(|value| value.is_object()))
}

/// Whether its keys make a section of their own. Keys in capitals are names, not settings.
fn has_keys(schema: &Value) -> bool {
    let keys = schema["properties"].as_object();
    keys.is_some_and(|keys| !keys.keys().all(|key| key.starts_with(char::is_uppercase)))
}

/// All tables of the config.
pub(super) fn sections(schema: &Value) -> Vec<Section<'_>> {
    let mut sections = Vec::new();
    collect(schema, &[], schema, &mut sections);
    sections
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
    let has_names = behind["properties"].is_object() && !has_keys(behind);
    let mut branches = behind["anyOf"].as_array().into_iter().flatten();
    let is_empty = is_list(behind) || has_names || branches.any(is_list);
    if is_empty { "empty".to_owned() } else { "unset".to_owned() }
}

const PREFACE: &str = "# Config

One TOML file describes one environment: `config/dev.toml` is `--env dev`. `payctl validate` checks
all of them without an account, and `payctl schema` prints the JSON Schema that this page is made
from. [examples/full/full.toml](examples/full/full.toml) contains every key once.

## Files and layers

- `extends = \"base.toml\"` builds on another file of the directory. Tables merge by key, and the
  file that extends wins. It replaces a list or a plain value as a whole. `base.toml` itself is not
  an environment, and neither is a file whose name an environment cannot have, such as one with an
  underscore. So one key of an environment can choose one of several parts:
  `extends = \"process_blue_green.toml\"` for `extends = \"process_direct.toml\"`.
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
| `${zone}` | the public hosted zone, if `zone` is set |
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
| `${apis.NAME.OUTPUT}` | `arn`, `id`, `name`, `url`, `stage`, `stage_arn`, `domain`, `domain_target` |
| `${certificates.NAME.OUTPUT}` | `arn` |
| `${load_balancers.NAME.OUTPUT}` | `arn`, `name`, `dns_name`, `metric` |
| `${target_groups.NAME.OUTPUT}` | `arn`, `name`, `metric` |
| `${fleets.NAME.OUTPUT}` | `arn`, `name` |

## Sections
";

fn config_page() -> String {
    let schema = config::schema();
    let tables = sections(&schema);
    let files = example_files();
    let mut page = format!("{GENERATED}{PREFACE}");
    for section in &tables {
        let title = if section.path.is_empty() {
            "Top level".to_owned()
        } else {
            format!("`{}`", toml_path(&section.path))
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
            let cells = [type_of(value, &schema, &tables), default, example, one_line(about)];
            let row = cells.map(|cell| cell.replace('|', "\\|")).join(" | ");
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
