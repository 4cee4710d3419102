//! The front end as a whole: one table of bad values, and damaged files.

use std::collections::BTreeMap;

use super::*;
use crate::blueprint::{Facts, build};

fn dir(files: &[(&str, &str)]) -> Dir {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), Ok((*text).to_owned())));
    Dir { path: PathBuf::from("config"), files: files.collect() }
}

fn all(dir: &Dir, env: &str) -> Vec<Problem> {
    let (loaded, mut problems) = inspect_from(dir, env, &|_| None);
    let built = loaded.map(|loaded| build(&loaded, &Facts::placeholder("eu-west-1")));
    problems.extend(built.and_then(Result::err).unwrap_or_default());
    sorted(problems)
}

/// The problem that `text` must have: its line and column (after two lines of head) and message.
#[track_caller]
fn check(text: &str, expected: &str) {
    let text = format!("project = \"pay\"\nregion = \"eu-west-1\"\n{text}\n");
    let problems = all(&dir(&[("dev.toml", &text)]), "dev");
    let shown: Vec<String> = problems
        .iter()
        .map(|p| format!("{}:{} {} ({})", p.place.line, p.place.column, p.message, p.fix))
        .collect();
    assert!(shown.iter().any(|line| line.contains(expected)), "{expected}\n{shown:#?}");
}

#[test]
fn structural_problems_have_a_place_and_a_fix() {
    check("[queues.a]\nvisibilty = 3", "4:1 unknown key `visibilty` (did you mean `visibility");
    check("protect = 1", "3:11 a whole number where true or false belongs");
    check("[tables.a]", "3:9 `partition_key` is missing");
    check("[queues.A_b]", "3:9 `A_b` has the wrong form (names are lower-case");
    check("[queues.a]\ndelay = 901", "4:9 901 is out of range (0 to 900)");
    check("[tables.a]\npartition_key = \"id\"", "4:17 `id` has the wrong form");
    check("[topics.a]\nkey = \"main\"\n[keys.man]", "4:7 no `main` in [keys] (did you mean `man`");
    check("outputs.A = \"${tables.a.name}\"", "unknown reference `${tables.a.name}`");
    check("outputs.A = \"${var.NONE}\"", "3:13 the variable NONE is not set");
    check("outputs.A = \"${\"", "3:13 `${` is not closed");
    check("[queues.a", "3:");
    check("[topics.a]\npublishers = [\"cloudwach\"]", "did you mean `cloudwatch`?");
    check("[keys.a]\ndescription = \"${keys.a.arn}\"", "4:15 `${keys.a.arn}` cannot stand here");
}

#[test]
fn what_aws_refuses_is_refused_here() {
    let network = |rest: &str| format!("[network]\ncidr = \"10.0.0.0/16\"\n{rest}");
    check("[network]\ncidr = \"10.0.0.1/16\"", "4:8 `10.0.0.1/16` has bits outside its prefix");
    check("[network]\ncidr = \"10.0.0.0/8\"", "4:8 a VPC cannot have this size");
    check("[network]\ncidr = \"10.0.0.0/24\"", "public_subnets do not fit into 10.0.0.0/24");
    check("[network]\ncidr = \"127.0.0.0/16\"", "4:8 a VPC cannot have these addresses");
    check(&network("public_subnets = false"), "NAT needs public subnets");
    check(&network("nat = { count = 3 }"), "5:17 3 NATs for 2 zones");
    check(&network("nat = { kind = \"instance\", instance_type = \"t3.nano\" }"), "not an arm64");
    let group = |rule: &str| {
        format!("{}[security_groups.a]\ndescription = \"a\"\ningress = [{rule}]", network(""))
    };
    check(&group("{ port = 1, from = \"group:b\" }"), "no `b` in [security_groups]");
    check(&group("{ port = 1, from = \"10.0.0.1/8\" }"), "not how AWS writes this range");
    check(&group("{ port = 1 }"), "`from` is missing");
    check(&group("{ port = 1, to = \"vpc\" }"), "`to` is for the other direction");
    check(
        &group("{ protocol = \"icmp\", port = 1, from = \"vpc\" }"),
        "only tcp and udp have ports",
    );
    check(&group("{ ports = \"9-8\", from = \"vpc\" }"), "this is not a port range");
    check(&group("{ from = \"vpc\" }, { from = \"vpc\" }"), "this rule stands here twice");
    check("[security_groups.a]\ndescription = \"a -> b\"", "`a -> b` has the wrong form");
    check("[security_groups.a]\ndescription = \"a\"", "a security group needs a network");
    let table = |rest: &str| format!("[tables.a]\npartition_key = \"id:S\"\n{rest}");
    check(&table("ttl = \"id\""), "5:7 `id` is a key and cannot be the time to live");
    check(&table("sort_key = \"id:S\""), "5:12 the sort key is the partition key");
    check(&table("[tables.a.indexes.by-x]\npartition_key = \"id:N\""), "6:17 `id` is N here and S");
    check(&table("[tables.a.indexes.x]\npartition_key = \"x:N\""), "an index name is 3 to 255");
    check("[buckets.a]\naccess_log_to = \"a\"", "4:17 a bucket cannot log to itself");
    check("[keys.k]\n[buckets.a]\nkey = \"k\"\nlog_delivery = true", "5:7 a bucket that receives");
    check("[buckets.a.lifecycle.r.transitions]\nSTANDARD_IA = 7", "7 days are too few");
    check("[buckets.a.lifecycle.r]", "the rule does nothing");
    check("[buckets.a]\nglacier_after_days = 9\nexpire_after_days = 9", "objects are gone before");
    check("[log_groups.a]\nretention_days = 8", "4:18 logs cannot be kept for 8 days");
    check("[keys.a]\nrecovery_days = 6", "4:17 6 is out of range (7 to 30)");
    check("[keys.a]\nrotation = false\nrotation_days = 90", "5:17 the key is not rotated");
    check("[secrets.a]\nrecovery_days = 6", "4:17 6 days are not possible");
    check("[secrets.a]\nname = \"x-${env}-abcdef\"", "4:8 `x-dev-abcdef` is not possible");
    check("[secrets.a.template]\npassword = \"x\"", "receives the generated password");
    check("[queues.a]\nname = \"jobs\"", "4:8 `jobs` does not name the environment");
    check("[queues.a]\nname = \"jobs.${env}\"", "4:8 `jobs.dev` is not possible as a name");
    check("[queues.a]\n[queues.b]\nname = \"dev-pay-queue-a\"", "two of sqs.queue are named");
    check("[queues.a]\ndead_letter = true\n[queues.a-dlq]", "sqs.queue/a-dlq is made twice");
    check("[queues.a]\nretention = 120\ndead_letter = { retention = 60 }", "for a shorter time");
    check("[topics.t]\nfifo = true\n[queues.a]\ntopics = [\"t\"]", "is FIFO and this queue is not");
    check("[topics.t]\nfifo = true\nemail = \"a@b.cc\"", "a FIFO topic delivers to queues only");
    check("[parameters]\n\"/aws/x-${env}\" = \"x\"", "`/aws/x-dev` is reserved");
    check("[parameters]\n\"/x-${env}\" = \"{{x}}\"", "`{{` is not possible in a parameter");
    check("[parameters]\n\"/x\" = \"x\"", "`/x` does not name the environment");
    check("[tags]\nteam = \"a\"\nTeam = \"b\"", "are the same");
    check("[tags]\nName = \"a\"", "4:8 the tag `Name` is reserved");
    check("[tags]\nBranch = \"a#b\"", "4:10 `a#b` has the wrong form");
    check(&format!("[tags]\na = \"{}\"", "x".repeat(257)), "the tag `a` is too long");
    check("[naming]\npattern = \"{project}-{name}\"", "4:11 the pattern of names lacks {env}");
    check("[roles.a]", "3:8 nobody may assume the role");
    let role = |rest: &str| format!("[roles.a]\nservices = \"lambda.amazonaws.com\"\n{rest}");
    check(&role("instance_profile = true"), "5:20 instances may not assume the role");
    check(&role("statements = [{ actions = \"s3:*\" }]"), "`resources` is missing");
    check(&role("statements = [{ sid = \"a-b\", actions = \"s3:*\" }]"), "letters and digits only");
    let long =
        format!("statements = [{{ actions = \"s3:*\", resources = \"{}\" }}]", "x".repeat(10_300));
    check(&role(&long), "the own policies of iam.role/a has");
}

#[test]
fn references_in_a_circle_are_an_error() {
    let key = "[keys.k]\nstatements = [{ actions = \"kms:*\", principals = { AWS = \"${roles.r.arn}\" } }]";
    let role = "[roles.r]\nservices = \"lambda.amazonaws.com\"\n\
                statements = [{ actions = \"kms:*\", resources = \"${keys.k.arn}\" }]";
    check(&format!("{key}\n{role}"), "these wait for each other: iam.role/r -> kms.key/k");
}

#[test]
fn environments_files_and_templates_are_found() {
    let base = "project = \"pay\"\nregion = \"eu-west-1\"\n";
    let pr =
        "extends = \"base.toml\"\n[template]\npattern = \"pr-?[0-9]+\"\nexamples = [\"pr-1\"]\n";
    let dev = "extends = \"base.toml\"\n";
    let dir = dir(&[("base.toml", base), ("dev.toml", dev), ("pr.toml", pr)]);
    assert_eq!(all(&dir, "dev"), []);
    assert_eq!(all(&dir, "pr-123"), []);
    assert!(all(&dir, "pr")[0].message.contains("is a template"));
    assert!(all(&dir, "pr-x")[0].message.contains("there is no environment"));
    assert_eq!(all(&dir, "dve")[0].fix, "did you mean `dev`?");
    assert!(all(&dir, "Dev")[0].message.contains("cannot be the name"));
    let names: Vec<String> = dir.environments().into_iter().map(|found| found.name).collect();
    assert_eq!(names, ["dev", "pr"]);
}

#[test]
fn a_file_that_extends_itself_is_an_error() {
    let dir = dir(&[("a.toml", "extends = \"b.toml\""), ("b.toml", "extends = \"a.toml\"")]);
    let problems = all(&dir, "a");
    assert_eq!(problems[0].fix, "a.toml -> b.toml -> a.toml");
    assert_eq!(problems[0].place.to_string(), "config/b.toml:1:11");
}

#[test]
fn damaged_files_never_panic_and_every_problem_has_a_place() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let shipped = Dir::read(&path).unwrap();
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..300 {
        let mut files: BTreeMap<String, Result<String, String>> = shipped.files.clone();
        let name = *["base.toml", "dev.toml", "prod.toml"].get(round % 3).unwrap();
        let mut bytes = files[name].clone().unwrap().into_bytes();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            match random.u8(..3) {
                0 => bytes[at] = random.u8(..),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, random.u8(32..127)),
            }
        }
        files.insert(name.to_owned(), Ok(String::from_utf8_lossy(&bytes).into_owned()));
        let damaged = Dir { path: "config".into(), files };
        for problem in all(&damaged, if name == "prod.toml" { "prod" } else { "dev" }) {
            let whole = problem.message.contains("there is no file");
            assert!(problem.place.line > 0 || whole, "{problem}");
            assert!(!problem.to_string().is_empty());
        }
    }
}

#[test]
fn the_schema_describes_every_key() {
    let schema = schema();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["project", "region"]));
    let sections = schema["properties"].as_object().unwrap();
    assert!(sections.values().all(|section| section.get("description").is_some()));
    assert!(!schema.to_string().contains("null"));
    patterns_compile(&schema);
}

fn patterns_compile(schema: &Json) {
    for (key, inner) in schema.as_object().into_iter().flatten() {
        let pattern = inner.as_str().filter(|_| key == "pattern");
        let keys = inner.as_object().filter(|_| key == "patternProperties");
        let keys = keys.into_iter().flatten().map(|(pattern, _)| pattern.as_str());
        for pattern in keys.chain(pattern) {
            assert!(regex::Regex::new(pattern).is_ok(), "{pattern}");
        }
        patterns_compile(inner);
    }
    schema.as_array().into_iter().flatten().for_each(patterns_compile);
}
