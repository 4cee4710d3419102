//! The front end as a whole: one table of bad values, and damaged files.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::layers::Dir;
use super::loading::inspect_from;
use super::*;
use crate::blueprint::{Facts, build};

mod alarms;
mod cost_anomalies;
mod dashboards;
mod events;
mod firewalls;
mod log_groups;
mod metric_filters;
mod metrics;
mod others;

fn dir(files: &[(&str, &str)]) -> Dir {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), Ok((*text).to_owned())));
    Dir { path: PathBuf::from("config"), files: files.collect() }
}

fn all(dir: &Dir, env: &str) -> Vec<Problem> {
    let (loaded, mut problems) = inspect_from(dir, env, &|_| None, None);
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
    check("ttl = \"72h\"", "3:7 `ttl` destroys the environment with its data (add `disposable");
    check("[network]\nzones = 2", "`cidr` is missing");
    let role = "arn:aws:iam::210987654321:role/payctl";
    let text = format!("account = \"123456789012\"\nassume_role = \"{role}\"");
    check(&text, "4:15 the role is not in account 123456789012");
    check("protect = 1", "3:11 expected true or false, found an integer");
    check("[tables.a]", "3:9 `partition_key` is missing");
    check("[queues.A_b]", "3:9 `A_b` has the wrong format (names have lower-case");
    check("[queues.a]\ndelay = 901", "4:9 901 is out of range (use 0 to 900)");
    check("[tables.a]\npartition_key = \"id\"", "4:17 `id` has the wrong format");
    check("[topics.a]\nkey = \"main\"\n[keys.man]", "4:7 [keys] has no `main` (did you mean `man`");
    check("protect = \"true\"", "3:11 expected true or false, found a string (write true without");
    check(
        "[topics.a]\npublishers = \"events\"",
        "expected a list, found a string (write [\"events\"])",
    );
    check("[[queues]]\ndelay = 1", "write one table for each, in single brackets");
    check("[topics.a]\nkey = \"main\"", "4:7 [keys] has no `main` (add a section [keys.main])");
    check("outputs.A = \"${tables.a.name}\"", "unknown reference `${tables.a.name}`");
    let variable =
        |declared: &str| format!("outputs.A = \"${{var.TEAM}}\"\n[variables]\n{declared}");
    check(
        &variable("TEAM = {}"),
        "3:13 the variable TEAM is not set (set it, or give it a `default`",
    );
    check(&variable("TEAMS = {}"), "3:13 the variable TEAM is not declared (add TEAM = {} to [var");
    check(&variable("TEAMS = {}"), "did you mean `TEAMS`?");
    check(&variable("TEAM = { pattern = \"(\" }"), "5:20 this is not a regular expression");
    check(
        &variable("TEAM = { default = \"A\", pattern = \"[a-z]+\" }"),
        "5:20 `A` does not match the pattern (change one of the two)",
    );
    check(&variable("TEAM = { defualt = \"A\" }"), "did you mean `default`?");
    check(&variable("TEAM = { default = \"${env}\" }"), "5:20 `${env}` is not allowed here");
    check(&variable("\"2ND\" = {}"), "5:1 `2ND` has the wrong format (a variable's name has");
    check(&variable("API_TOKEN = {}"), "5:1 API_TOKEN is named like a credential");
    check("outputs.A = \"${var.API_KEY}\"", "3:13 API_KEY is named like a credential");
    check(
        "outputs.A = \"${var.TEAM:-payments}\"",
        "3:13 `:-payments` is not a way to set a default (write `${var.TEAM}`, and TEAM = { default = \"payments\" }",
    );
    check("outputs.A = \"${\"", "3:13 `${` is not closed");
    let fleet = |scaling: &str| {
        format!(
            "[fleets.a]\ninstance_type = \"t4g.nano\"\nmin = 1\nmax = 1\nsecurity_groups = []\n\
             scaling = {{ {scaling} }}"
        )
    };
    check(&fleet("cpu = 150.5"), "8:19 150.5 is out of range (use 1 to 100)");
    check(&fleet("memory = -5.0"), "8:22 -5 is out of range (use 1 to 100)");
    check(&fleet("cpu = 0"), "0 is out of range (use 1 to 100)");
    check(&fleet("cpu = nan"), "`NaN` is not a finite number");
    check("[alarms.a]\nabove = inf", "4:9 `inf` is not a finite number");
    check("[events.a]\ninput = { rates = [1.5, -inf] }", "4:25 `-inf` is not a finite number");
    check("[queues.a", "3:");
    check("[topics.a]\npublishers = [\"cloudwach\"]", "did you mean `cloudwatch`?");
    check("[keys.a]\ndescription = \"${keys.a.arn}\"", "4:15 `${keys.a.arn}` is not allowed here");
}

#[test]
fn validation_refuses_values_that_aws_refuses() {
    let network = |rest: &str| format!("[network]\ncidr = \"10.0.0.0/16\"\n{rest}");
    check("[network]\ncidr = \"10.0.0.1/16\"", "4:8 `10.0.0.1/16` has bits outside its prefix");
    check("[network]\ncidr = \"10.0.0.0/8\"", "4:8 a VPC cannot have this size");
    check("[network]\ncidr = \"10.0.0.0/24\"", "public_subnets does not fit into 10.0.0.0/24");
    check("[network]\ncidr = \"127.0.0.0/16\"", "4:8 a VPC cannot have these addresses");
    check(
        "[network]\ncidr = \"10.0.0.0/21\"\nplanned_zones = 6",
        "private_subnets does not fit into",
    );
    check(&network("public_subnets = false"), "NAT needs public subnets");
    check(&network("nat = { count = 3 }"), "5:17 3 NATs for 2 zones");
    check(&network("nat = { kind = \"instance\", instance_type = \"t3.nano\" }"), "not an arm64");
    let group = |rule: &str| {
        format!("{}[security_groups.a]\ndescription = \"a\"\ningress = [{rule}]", network(""))
    };
    check(&group("{ port = 1, from = \"group:b\" }"), "[security_groups] has no `b`");
    check(&group("{ port = 1, from = \"10.0.0.1/8\" }"), "AWS writes the range");
    check(&group("{ port = 1 }"), "`from` is missing");
    check(&group("{ port = 1, to = \"vpc\" }"), "`to` is for the other direction");
    check(
        &group("{ protocol = \"icmp\", port = 1, from = \"vpc\" }"),
        "only tcp and udp have ports",
    );
    check(&group("{ ports = \"9-8\", from = \"vpc\" }"), "this is not a port range");
    check(&group("{ from = \"vpc\" }, { from = \"vpc\" }"), "this rule appears twice");
    check("[security_groups.a]\ndescription = \"a -> b\"", "`a -> b` has the wrong format");
    check("[security_groups.a]\ndescription = \"a\"", "a security group needs a network");
    let table = |rest: &str| format!("[tables.a]\npartition_key = \"id:S\"\n{rest}");
    check(&table("ttl = \"id\""), "5:7 the key `id` cannot be the time to live");
    check(&table("sort_key = \"id:S\""), "5:12 the sort key is the partition key");
    check(&table("[tables.a.indexes.by-x]\npartition_key = \"id:N\""), "6:17 `id` is N here and S");
    check(&table("[tables.a.indexes.x]\npartition_key = \"x:N\""), "an index name is 3 to 255");
    check("[buckets.a]\naccess_log_to = \"a\"", "4:17 a bucket cannot log to itself");
    check("[keys.k]\n[buckets.a]\nkey = \"k\"\nlog_delivery = true", "5:7 a bucket that receives");
    check("[buckets.a]\nbucket_key = false", "4:14 only a bucket with a customer key");
    check("[buckets.a.lifecycle.r.transitions]\nSTANDARD_IA = 7", "7 days is too short");
    check("[buckets.a.lifecycle.r]", "the rule does nothing");
    check("[buckets.a]\nglacier_after_days = 9\nexpire_after_days = 9", "objects expire before");
    check("[log_groups.a]\nretention_days = 8", "4:18 CloudWatch cannot keep logs for 8 days");
    check("[keys.a]\nrecovery_days = 6", "4:17 6 is out of range (use 7 to 30)");
    check("[keys.a]\nrotation = false\nrotation_days = 90", "5:17 the key is not rotated");
    check("[secrets.a]\nrecovery_days = 6", "4:17 6 days is not a valid recovery window");
    check("[secrets.a.template]\npassword = \"x\"", "payctl writes the generated password");
    check("[queues.a]\nname = \"jobs\"", "4:8 `jobs` does not name the environment");
    check("[queues.a]\nname = \"jobs.${env}\"", "4:8 `jobs.dev` is not a valid name");
    check(
        "[queues.a]\n[queues.b]\nname = \"dev-pay-queue-a\"",
        "two resources of kind sqs.queue have the name",
    );
    check(
        "[queues.a]\ndead_letter = true\n[queues.a-dlq]",
        "the config defines sqs.queue/a-dlq twice",
    );
    check("[queues.a]\nretention = 120\ndead_letter = { retention = 60 }", "for a shorter time");
    check(
        "[queues.a]\nname = \"a-${env}.fifo\"",
        "4:8 only FIFO queues and topics may have a name",
    );
    check(
        "[topics.a]\nname = \"a-${env}.fifo\"",
        "4:8 only FIFO queues and topics may have a name",
    );
    check("[queues.a]\nfifo = true\nsenders = [\"s3\"]", "S3 does not send to FIFO queues");
    check("[topics.t]\nfifo = true\n[queues.a]\ntopics = [\"t\"]", "is FIFO but this queue is not");
    check("[keys.k]\n[queues.a]\nkey = \"k\"\naws_key = true", "the queue has two keys");
    check(
        "[queues.a]\naws_key = true\nsenders = [\"s3\"]",
        "topics and AWS services cannot send to the queue",
    );
    check("[topics.t]\nfifo = true\nemail = \"a@b.cc\"", "a FIFO topic delivers only to queues");
    check("[parameters]\n\"/aws/x-${env}\" = \"x\"", "`/aws/x-dev` is reserved");
    check("[parameters]\n\"/x-${env}\" = \"{{x}}\"", "a parameter cannot contain `{{`");
    check("[parameters]\n\"/x\" = \"x\"", "`/x` does not name the environment");
    check("[tags]\nteam = \"a\"\nTeam = \"b\"", "differ only in case");
    check("[tags]\nName = \"a\"", "4:8 the tag `Name` is reserved");
    check("[tags]\nBranch = \"a#b\"", "4:10 `a#b` has the wrong format");
    check(&format!("[tags]\na = \"{}\"", "x".repeat(257)), "the tag `a` is too long");
    check(
        "[naming]\npattern = \"{project}-{name}\"",
        "4:11 the pattern of names does not contain {env}",
    );
    check("[naming]\npattern = \"{env}-{type}\"", "the pattern of names does not contain {name}");
    check("[roles.a]", "3:8 nobody may assume the role");
    let role = |rest: &str| format!("[roles.a]\nservices = \"lambda.amazonaws.com\"\n{rest}");
    check(&role("instance_profile = true"), "5:20 instances cannot assume the role `a`");
    check(&role("statements = [{ actions = \"s3:*\" }]"), "`resources` is missing");
    check(&role("statements = [{ sid = \"a-b\", actions = \"s3:*\" }]"), "letters and digits only");
    let long =
        format!("statements = [{{ actions = \"s3:*\", resources = \"{}\" }}]", "x".repeat(10_300));
    check(&role(&long), "the inline policies of iam.role/a has ");
}

#[test]
fn validation_enforces_the_limits_of_aws() {
    let network = "[network]\ncidr = \"10.0.0.0/16\"\n";
    let group = |rules: String| {
        format!("{network}[security_groups.a]\ndescription = \"a\"\ningress = [{rules}]")
    };
    let rule = |port: usize| format!("{{ port = {port}, from = \"vpc\" }},");
    check(&group((1..=61).map(rule).collect()), "too many rules: 61 (use at most 60)");
    let same = |left: &str, right: &str| group(format!("{{ {left} }}, {{ {right} }}"));
    let twice = "this rule appears twice";
    check(&same("from = \"vpc\"", "from = \"10.0.0.0/16\", description = \"x\""), twice);
    check(&same("port = 5, from = \"vpc\"", "ports = \"5-5\", from = \"vpc\""), twice);
    check(&same("from = \"::/0\"", "ports = \"0-65535\", from = \"0::/0\""), twice);
    let small = "[network]\ncidr = \"10.0.0.0/24\"\nzones = 3\nisolated_subnets = true";
    check(small, "all 9 subnets fit if each tier has the size of public_subnets = \"/28\"");
    check(&format!("{small}\n[load_balancers.a]"), "use a larger network for 9 subnets");
    check("[network]\ncidr = \"10.0.0.0/28\"", "use a larger network for 4 subnets");
    let zones = |names: &str| format!("{network}zone_names = [{names}]");
    check(&zones("\"eu-west-1a\""), "5:14 1 names for 2 zones");
    check(&zones("\"eu-west-1a\", \"us-east-1a\""), "5:29 this is not a zone of eu-west-1");
    check(&zones("\"eu-west-1a\", \"eu-west-1a\""), "this zone appears twice");
    let indexes: String = (0..21)
        .map(|at| format!("[tables.a.indexes.by-{at}]\npartition_key = \"x{at}:S\"\n"))
        .collect();
    let table = |rest: &str| format!("[tables.a]\npartition_key = \"id:S\"\n{rest}");
    check(&table(&indexes), "too many indexes: 21 (use at most 20)");
    check(&table("stream = \"all\""), "use one of keys_only, new_image, old_image, new_and_old");
    check(&table("billing = { read = 0, write = 1 }"), "0 is out of range (use 1 to 40000)");
    check(&table("billing = { read = 1 }"), "`write` is missing");
    let index = "[tables.a.indexes.by-x]\npartition_key = \"x:S\"\n";
    check(&table(&format!("{index}capacity = {{ read = 1, write = 1 }}")), "has no capacity");
    check(&table(&format!("{index}projection = []")), "no attributes are named");
    let attributes = |count: usize| (0..count).map(|at| format!("\"a{at}\",")).collect::<String>();
    let many = format!("{index}projection = [{}]", attributes(21));
    check(&table(&many), "too many attributes: 21 (use at most 20 in an index");
    let many: String = (0..6)
        .map(|at| {
            let named = attributes(17);
            format!("{}projection = [{named}]\n", index.replace("by-x", &format!("by-{at}")))
        })
        .collect();
    check(&table(&many), "too many attributes in all indexes: 102 (use at most 100)");
    let lambda = "[roles.a]\nservices = \"lambda.amazonaws.com\"\n";
    let managed: String = (0..11).map(|at| format!("\"P{at}\",")).collect();
    check(&format!("{lambda}managed = [{managed}]"), "too many managed policies: 11");
    check(&format!("{lambda}managed = [\"P\", \"P\"]"), "5:17 this policy appears twice");
    check(&format!("{lambda}managed = [\"a b\"]"), "`a b` is not a managed policy");
    check(&format!("{lambda}boundary = \"mine\""), "`mine` is not the ARN of a policy");
    let statement = |rest: &str| format!("{lambda}statements = [{{ actions = \"s3:*\", {rest} }}]");
    check(
        &statement("resources = \"audit\""),
        "`audit` is not an ARN (write an ARN, a reference such as",
    );
    check(&statement("resources = \"${roles.a.name}\""), "`${roles.a.name}` is not an ARN");
    let condition = "resources = \"*\", conditions = { StringEqual = { x = \"y\" } }";
    check(&statement(condition), "is not an IAM condition operator (did you mean `StringEquals`?)");
    let trust = |rest: &str| format!("[roles.a]\ntrust = [{{ {rest} }}]");
    let somebody = "actions = \"sts:AssumeRole\", principals = { AWS = \"somebody\" }";
    check(&trust(somebody), "`somebody` is not a principal of this type");
    check(&trust("actions = \"s3:*\", principals = { AWS = \"*\" }"), "actions of sts");
    let long = format!(
        "actions = \"sts:AssumeRole\", principals = {{ AWS = \"arn:aws:iam::1:role/{}\" }}",
        "x".repeat(2048)
    );
    check(&trust(&long), "the trust policy of iam.role/a has ");
    let public =
        "[buckets.a]\nstatements = [{ actions = \"s3:GetObject\", principals = { AWS = \"*\" } }]";
    check(public, "this would make the bucket public");
    let other = |section: &str, service: &str, text: &str| {
        format!(
            "[{section}.a]\nstatements = [{{ actions = \"{service}:*\", resources = \"{text}\", \
             principals = {{ AWS = \"${{account}}\" }} }}]\n[{section}.b]"
        )
    };
    check(
        &other("queues", "sqs", "${queues.b.arn}"),
        "this policy does not belong to `${queues.b.arn}` (remove it, or write ${queues.a.arn}",
    );
    check(&other("topics", "sns", "${topics.b.arn}"), "this policy does not belong to");
    check(&other("buckets", "s3", "${buckets.b.arn}/*"), "this policy does not belong to");
    check(
        "[roles.a]\nservices = \"lamda.amazonaws.com\"",
        "AWS has no service `lamda.amazonaws.com` (did you mean `lambda.amazonaws.com`?)",
    );
    check(
        "[roles.a]\ntrust = [{ actions = \"sts:AssumeRole\", \
         principals = { Service = \"ecs-task.amazonaws.com\" } }]",
        "did you mean `ecs-tasks.amazonaws.com`?",
    );
    let foreign = "[queues.a]\nstatements = [{ actions = \"s3:*\", principals = { AWS = \"*\" } }]";
    check(foreign, "actions of sqs");
    let statement = |at: usize| {
        format!("{{ sid = \"S{at}\", actions = \"sqs:*\", principals = {{ AWS = \"*\" }} }},")
    };
    let many: String = (0..21).map(statement).collect();
    check(&format!("[queues.a]\nstatements = [{many}]"), "22 statements");
    for reserved in ["xn--a-${env}", "sthree-a-${env}", "amzn-s3-demo-${env}", "a-${env}-s3alias"] {
        let text = format!("[buckets.a]\nname = \"{reserved}\"");
        check(&text, "4:8 `");
        check(&text, "is not a valid name");
    }
    for suffix in ["--ol-s3", "--x-s3", "--table-s3"] {
        check(&format!("[buckets.a]\nname = \"a-${{env}}{suffix}\""), "is not a valid name");
    }
    check("[keys.a]\nname = \"aws/${env}\"", "`aws/dev` is not a valid name");
    check("[log_groups.a]\nname = \"aws/${env}\"", "`aws/dev` is not a valid name");
    check("[keys.a]\nrotation_days = 89", "89 is out of range (use 90 to 2560)");
    check(
        "[keys.k]\nservices = []\n[topics.a]\nkey = \"k\"\npublishers = [\"events\"]",
        "add \"events\"",
    );
    check(
        "[secrets.a]\ngenerate = false\ntemplate = { x = \"y\" }",
        "payctl does not generate a value",
    );
    let long = format!("[secrets.a]\ntemplate = {{ x = \"{}\" }}", "x".repeat(65_536));
    check(&long, "the secret is too long (use at most 64 KB)");
    check("[secrets.a]\nlength = 8", "8 is out of range (use 16 to 4096)");
    check("[log_groups.a]\nretention_days = \"never\"", "use an integer or \"forever\"");
    for (key, value, range) in [
        ("visibility_timeout", 43_201, "0 to 43200"),
        ("retention", 59, "60 to 1209600"),
        ("receive_wait", 21, "0 to 20"),
        ("dead_letter.max_receives", 1001, "1 to 1000"),
    ] {
        check(&format!("[queues.a]\n{key} = {value}"), &format!("out of range (use {range})"));
    }
    check("[queues.a]\ndead_letter = { retention = 60 }", "for a shorter time");
    let subscription =
        |rest: &str| format!("[topics.a]\nsubscriptions = [{{ protocol = {rest} }}]");
    check(&subscription("\"email\", endpoint = \"a b@c.de\""), "`a b@c.de` is not valid here");
    check(&subscription("\"https\", endpoint = \"http://x\""), "a URL with https://");
    check(&subscription("\"sms\", endpoint = \"0123\""), "a number such as");
    check(&subscription("\"lambda\", endpoint = \"arn:aws:sqs:x\""), "the ARN of a function");
    check(&subscription("\"email\", endpoint = \"a@b.cc\", raw = true"), "remove `raw`");
    let filter = "{ a = [\"x\"], b = [], c = [\"x\"], d = [\"x\"], e = [\"x\"], f = [\"x\"] }";
    let filtered = subscription(&format!("\"email\", endpoint = \"a@b.cc\", filter = {filter}"));
    check(&filtered, "too many attributes");
    check(&filtered, "an attribute without values");
    let moves = "[buckets.a.lifecycle.r.transitions]\nSTANDARD_IA = 30\nGLACIER = 59";
    check(moves, "59 days is too short after STANDARD_IA (use at least 60 days)");
    let tags: String = (0..45).map(|at| format!("t{at} = \"x\"\n")).collect();
    check(&format!("[tags_at_creation]\n{tags}"), "too many tags: 45");
    check("[tags]\n\"aws:x\" = \"a\"", "the tag `aws:x` is reserved");
    check("[tags]\n\"a b\" = \"a\"", "`a b` has the wrong format");
    let value = format!("[parameters]\n\"/x-${{env}}\" = \"{}\"", "x".repeat(4097));
    check(&value, "use at most 4096");
    check("[parameters]\n\"/x-${env}\" = \"\"", "a parameter cannot be empty");
}

#[test]
fn one_wrong_value_does_not_hide_others() {
    let text = "project = \"pay\"\nregion = 5\nprotcet = true\n\
                [network]\ncidr = \"10.0.0.1/16\"\nzones = \"2\"\n\
                [security_groups.a]\ndescription = \"it's\"\n\
                [security_groups.b]\ndescription = \"b\"\n\
                ingress = [{ port = 80, from = \"group:a\" }, { port = 1, from = \"1.2.3.4/8\" }]\n\
                [queues.jobs]\nname = \"jobs\"\ndelay = true\n\
                [tables.t]\npartition_ky = \"id:S\"\n";
    let problems = all(&dir(&[("dev.toml", text)]), "dev");
    let shown: Vec<String> = problems
        .iter()
        .map(|p| format!("{}:{} {} ({})", p.place.line, p.place.column, p.message, p.fix))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    2:10 expected a string, found an integer (write "5")
    3:1 unknown key `protcet` (did you mean `protect`?)
    5:8 `10.0.0.1/16` has bits outside its prefix (write 10.0.0.0/16)
    6:9 expected an integer, found a string (write 2 without quotes)
    8:15 `it's` has the wrong format (1 to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$* (no apostrophes, no >))
    11:64 AWS writes the range `1.2.3.4/8` differently (write 1.0.0.0/8)
    13:8 `jobs` does not name the environment (put `${env}` into it: payctl finds its resources by the name)
    14:9 expected an integer, found a boolean (The delay: how many seconds a new message stays hidden)
    16:1 unknown key `partition_ky` (did you mean `partition_key`?)
    "#);
}

#[test]
fn a_syntax_error_does_not_hide_problems_of_other_files() {
    let base = "project = \"pay\"\nregion = \"eu-west-1\"\n[keys.main\n[queues.a]\ndelay = yes\n";
    let dev = "extends = \"base.toml\"\n[queues.a]\nkey = \"main\"\nvisibilty = 3\n";
    let problems = all(&dir(&[("base.toml", base), ("dev.toml", dev)]), "dev");
    let shown: Vec<String> =
        problems.iter().map(|p| format!("{} {}", p.place, p.message)).collect();
    insta::assert_snapshot!(shown.join("\n"), @"
    config/base.toml:3:11 unclosed table, expected `]`
    config/base.toml:5:9 string values must be quoted, expected literal string
    config/dev.toml:4:1 unknown key `visibilty`
    ");
}

#[test]
fn the_shipped_schema_is_the_current_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/schema.json");
    let shipped = std::fs::read_to_string(path).unwrap();
    let hint = "run `payctl schema > config/schema.json`";
    assert!(shipped == format!("{:#}\n", schema()), "{hint}");
}

#[test]
fn circular_references_are_an_error() {
    let key = "[keys.k]\nstatements = [{ actions = \"kms:*\", principals = { AWS = \"${roles.r.arn}\" } }]";
    let role = "[roles.r]\nservices = \"lambda.amazonaws.com\"\n\
                statements = [{ actions = \"kms:*\", resources = \"${keys.k.arn}\" }]";
    check(
        &format!("{key}\n{role}"),
        "these resources wait for each other: iam.role/r -> kms.key/k",
    );
}

#[test]
fn environments_files_and_templates_are_found() {
    let base = "project = \"pay\"\nregion = \"eu-west-1\"\n";
    let pr =
        "extends = \"base.toml\"\n[template]\npattern = \"pr-?[0-9]+\"\nexamples = [\"pr-1\"]\n";
    let dev = "extends = \"base.toml\"\n";
    // A name with an underscore is that of a part, which an environment chooses with one key.
    let part = "extends = \"base.toml\"\n[tags]\nPart = \"a\"\n";
    let whole = "extends = \"a_part.toml\"\n";
    let files = [("base.toml", base), ("dev.toml", dev), ("pr.toml", pr), ("a_part.toml", part)];
    let files = dir(&[&files[..], &[("prod.toml", whole)]].concat());
    assert_eq!(all(&files, "dev"), []);
    assert_eq!(all(&files, "prod"), []);
    assert!(all(&files, "a_part")[0].message.contains("cannot be the name"));
    assert_eq!(all(&files, "pr-123"), []);
    assert!(all(&files, "pr")[0].message.contains("is a template"));
    assert!(all(&files, "pr-x")[0].message.contains("there is no environment"));
    assert_eq!(all(&files, "dve")[0].fix, "did you mean `dev`?");
    assert!(all(&files, "Dev")[0].message.contains("cannot be the name"));
    let names: Vec<String> = files.environments().into_iter().map(|found| found.name).collect();
    assert_eq!(names, ["dev", "pr", "prod"]);
}

#[test]
fn another_region_replaces_every_use_of_the_region() {
    let text = "project = \"pay\"\nregion = \"eu-west-1\"\n[network]\ncidr = \"10.0.0.0/16\"\n\
                zone_names = [\"us-west-2a\", \"us-west-2b\"]\n[outputs]\nRegion = \"${region}\"";
    let files = dir(&[("dev.toml", text)]);
    let (loaded, problems) = inspect_from(&files, "dev", &|_| None, Some("us-west-2"));
    assert_eq!(problems, []);
    let config = loaded.unwrap().config;
    assert_eq!(config.region.0, "us-west-2");
    assert!(config.outputs.values().all(|output| output.value().0 == "us-west-2"));
    let (_, problems) = inspect_from(&files, "dev", &|_| None, Some("mars"));
    assert_eq!(problems[0].message, "`mars` has the wrong format");
}

#[test]
fn a_file_that_extends_itself_is_an_error() {
    let files = dir(&[("a.toml", "extends = \"b.toml\""), ("b.toml", "extends = \"a.toml\"")]);
    let problems = all(&files, "a");
    assert_eq!(problems[0].fix, "a.toml -> b.toml -> a.toml");
    assert_eq!(problems[0].place.to_string(), "config/b.toml:1:11");
}

#[test]
fn damaged_files_never_panic_and_every_problem_has_a_place() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let shipped = Dir::read(&path).unwrap();
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..300 {
        let mut files = shipped.files.clone();
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
    let whole = schema();
    assert_eq!(whole["additionalProperties"], false);
    assert_eq!(whole.get("required"), None);
    let sections = whole["properties"].as_object().unwrap();
    assert!(sections.values().all(|section| section.get("description").is_some()));
    assert!(!whole.to_string().contains("null"));
    patterns_compile(&whole);
}

fn patterns_compile(schema: &Json) {
    for (key, inner) in schema.as_object().into_iter().flatten() {
        let pattern = inner.as_str().filter(|_| key == "pattern");
        let keys = inner.as_object().filter(|_| key == "patternProperties");
        let keys = keys.into_iter().flatten().map(|(pattern, _)| pattern.as_str());
        for pattern in keys.chain(pattern) {
            assert!(regex_lite::Regex::new(pattern).is_ok(), "{pattern}");
        }
        patterns_compile(inner);
    }
    schema.as_array().into_iter().flatten().for_each(patterns_compile);
}
