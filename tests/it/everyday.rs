//! Everyday changes of the recommended platform, and what a plan does for each. The table in
//! `docs/everyday-changes.md` is made from here. The expectations say what should happen: a change that
//! replaces or deletes more than AWS forces is a fault of payctl.

use std::fmt::Write as _;
use std::fs;

use payctl::aws::kinds::find_meta;
use payctl::aws::provider::AwsProvider;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::meta::Traffic;
use payctl_engine::outlook::{self, Estimate, Learned, Undo};
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_engine::planner;
use payctl_engine::provider::Provider as _;
use payctl_engine::survey::survey;
use payctl_sandbox::Sandbox;
use tempfile::TempDir;

use crate::cli_support::copy;
use crate::docs::{GENERATED, expect_file, root};
use crate::support::{block_on, carry_out, configured, plan_now, run, sandboxed};

/// How a config changes.
enum Edit {
    /// The environment gets these keys.
    Set(&'static str),
    /// A part of the shared config becomes another one.
    Turn(&'static str, &'static str),
    /// An item gets another logical name everywhere, and these keys.
    Call(&'static str, &'static str, &'static str),
}
use Edit::{Call, Set, Turn};

/// A change in words, the edit, and what a plan should do: how many resources it creates (+) and changes (~),
/// and which it replaces (±), deletes (-) and refuses (!).
type Row = (&'static str, Edit, &'static str);

#[rustfmt::skip]
const CHANGES: &[Row] = &[
    // The network.
    ("use a third zone", Set("[network]\nzones = 3"), "+3 ~12"),
    ("use a third and a fourth zone", Set("[network]\nzones = 4"), "+6 ~12"),
    ("let functions reach another port", Set("[security_groups.functions]\negress = [{ port = 443, to = \"0.0.0.0/0\", description = \"To AWS\" }, { port = 8443, to = \"0.0.0.0/0\" }]"), "+0 ~1"),
    ("add a security group", Set("[security_groups.jobs]\ndescription = \"Jobs\"\negress = [{ port = 443, to = \"0.0.0.0/0\" }]"), "+2 ~0"),
    ("log the connections", Set("[network.flow_log]\nto = { retention_days = 30, key = \"main\" }"), "+3 ~0"),
    // Tables and buckets.
    ("add a table", Set("[tables.refunds]\npartition_key = \"refund_id:S\"\nkey = \"main\""), "+1 ~3"),
    ("add an index to a table", Set("[tables.users.indexes.by-email]\npartition_key = \"email:S\""), "+0 ~1"),
    ("let items of a table expire", Set("[tables.users]\nttl = \"expires_at\""), "+0 ~1"),
    ("give a table provisioned capacity", Set("[tables.users]\nbilling = { read = 5, write = 5 }"), "+0 ~1"),
    ("stop the backups of a table", Set("[tables.users]\npoint_in_time_recovery = false"), "+0 ~1"),
    ("change what a stream holds", Turn("stream = \"new_and_old_images\"", "stream = \"keys_only\""), "+0 ~1"),
    ("give a table another key", Turn("[tables.users]\npartition_key = \"user_id:S\"", "[tables.users]\npartition_key = \"email:S\""), "+0 ~0 !dynamodb.table/users"),
    ("call a table by another logical name", Call("tables.users", "tables.people", ""), "+1 ~4 -dynamodb.table/users"),
    ("call a table by another logical name, with its physical name as `name`", Call("tables.users", "tables.people", "[tables.people]\nname = \"${env}-payment-table-users\""), "+0 ~4"),
    ("add a bucket", Set("[buckets.exports]\nkey = \"main\""), "+1 ~1"),
    ("archive the objects of a bucket earlier", Set("[buckets.audit]\nglacier_after_days = 60"), "+0 ~1"),
    // Messages.
    ("add a queue", Set("[queues.refunds]\nkey = \"main\""), "+1 ~2"),
    ("add a queue with dead letters", Set("[queues.refunds]\nkey = \"main\"\ndead_letter = { max_receives = 3 }"), "+2 ~2"),
    ("keep messages longer", Set("[queues.payments]\nretention = 1_209_600"), "+0 ~1"),
    ("try messages more often", Set("[queues.payments]\ndead_letter = { max_receives = 5 }"), "+0 ~1"),
    ("add a topic", Set("[topics.refunds]\nkey = \"main\""), "+1 ~1"),
    ("tell another person", Set("[topics.ops]\nemail = [\"ops@example.com\", \"dev@example.com\"]"), "+1 ~0"),
    // Functions and the API.
    ("add a function", Set("[functions.refunds]\nsource = \"../functions/processing\"\nruntime = \"python3.13\"\nrole = \"processing\"\nlog_retention_days = 7\nlog_key = \"main\""), "+2 ~3"),
    ("give a function more memory", Set("[functions.processing]\nmemory = 2048"), "+0 ~1"),
    ("give a function more time", Set("[functions.cost-report]\ntimeout = 360"), "+0 ~1"),
    ("give a function a variable", Set("[functions.processing.environment]\nLIMIT = \"100\""), "+0 ~1"),
    ("take a function to another runtime", Set("[functions.processing]\nruntime = \"python3.12\""), "+0 ~1"),
    ("keep the log of a function longer", Set("[functions.processing]\nlog_retention_days = 30"), "+0 ~1"),
    ("add a route", Set("[apis.payments.routes.\"POST /refunds\"]\nfunction = \"processing\"\nauthorization = \"iam\"\nmodel = \"Amount\""), "+0 ~2"),
    ("take a route away", Turn("[apis.payments.routes.\"POST /fraud-check\"]\nfunction = \"fraud-detection\"\nauthorization = \"iam\"\nmodel = \"Amount\"", ""), "+0 ~2 -lambda.permissions/fraud-detection"),
    ("limit the calls of an API", Set("[apis.payments]\nthrottle = { rate = 100, burst = 200 }"), "+0 ~1"),
    ("limit the calls of one address", Set("[firewalls.main]\nrate_limit = 700"), "+0 ~1"),
    ("let a role do more", Turn("actions = \"dynamodb:Query\"", "actions = [\"dynamodb:GetItem\", \"dynamodb:Query\"]"), "+0 ~1"),
    // The database.
    ("add a reader", Turn("  { class = \"db.serverless\", tier = 1 },\n", "  { class = \"db.serverless\", tier = 1 },\n  { class = \"db.serverless\", tier = 2 },\n"), "+1 ~0"),
    ("take a reader away", Turn("  { class = \"db.serverless\", tier = 1 },\n", ""), "+0 ~0 -rds.instance/customer-2"),
    ("let the database grow", Turn("serverless = { min = 0.5, max = 2 }", "serverless = { min = 0.5, max = 8 }"), "+0 ~1"),
    ("keep backups of the database longer", Set("[databases.customer]\nbackup_days = 14"), "+0 ~1"),
    ("take a minor version of the database", Turn("engine_version = \"15.17\"", "engine_version = \"15.18\""), "+0 ~1"),
    ("set a parameter of the database", Turn("parameters = { \"rds.force_ssl\" = \"1\" }", "parameters = { \"rds.force_ssl\" = \"1\", log_statement = \"ddl\" }"), "+0 ~1"),
    ("rotate the password more often", Set("[secrets.database.rotation]\ndays = 7"), "+0 ~1"),
    // Containers and instances.
    ("deploy another image", Turn("image = \"${var.SERVICE_IMAGE}\"", "image = \"public.ecr.aws/docker/library/nginx@sha256:1111111111111111111111111111111111111111111111111111111111111111\""), "+0 ~2"),
    ("give the tasks more memory", Set("[services.payment]\nmemory = 1024"), "+0 ~2"),
    ("give the tasks a variable", Set("[services.payment.environment]\nLIMIT = \"100\""), "+0 ~2"),
    ("let the service grow further", Set("[services.payment]\nscaling = { min = 2, max = 20, cpu = 70, memory = 80 }"), "+0 ~1"),
    ("add a listener", Turn("listeners = [{ port = 80, forward = { blue = 100, green = 0 } }]", "listeners = [{ port = 80, forward = { blue = 100, green = 0 } }, { port = 8080, forward = \"green\" }]"), "+1 ~0"),
    ("move a tenth of the traffic", Turn("forward = { blue = 100, green = 0 }", "forward = { blue = 90, green = 10 }"), "+0 ~1"),
    ("check the health at another path", Set("[target_groups.blue]\nhealth = { path = \"/health\", interval = 30, timeout = 5, healthy = 2, unhealthy = 3 }"), "+0 ~1"),
    ("let the fleet grow further", Set("[fleets.workers]\nmax = 4"), "+0 ~1"),
    ("take larger instances", Set("[fleets.workers]\ninstance_type = \"t4g.small\""), "+0 ~2"),
    // Events and monitoring.
    ("run the report more often", Set("[events.daily-cost]\nschedule = \"rate(12 hours)\""), "+0 ~1"),
    ("add an event rule", Set("[events.refunds]\npattern = { source = [\"refunds\"] }\nqueues = [\"payments\"]"), "+1 ~2"),
    ("change the threshold of an alarm", Set("[alarms.api-5xx]\nabove = 20"), "+0 ~1"),
    ("add an alarm", Set("[alarms.old-messages]\nwatch = \"queues.payments\"\nmetric = \"ApproximateAgeOfOldestMessage\"\nabove = 600\nnotify = [\"ops\"]"), "+1 ~2"),
    ("add a parameter", Set("[parameters]\n\"/payment/limit-${env}\" = \"100\""), "+1 ~0"),
    // Everything.
    ("turn the rotation of the key off", Set("[keys.main]\nrotation = false"), "+0 ~1"),
];

/// The shipped config in a repository of its own, after an edit.
fn edited(edit: Option<&Edit>) -> TempDir {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a writable build folder");
    fs::create_dir(folder.path().join(".git")).expect("a writable folder");
    for part in ["config", "functions"] {
        copy(&root().join(part), &folder.path().join(part));
    }
    let config = folder.path().join("config");
    let turn = |file: &str, from: &str, to: &str| {
        let path = config.join(file);
        let text = fs::read_to_string(&path).expect("a config");
        fs::write(&path, text.replace(from, to)).expect("a writable folder");
        text.contains(from)
    };
    let set = |keys: &str| {
        fs::rename(config.join("dev.toml"), config.join("before.toml")).expect("a folder");
        let text = format!("extends = \"before.toml\"\n{keys}\n");
        fs::write(config.join("dev.toml"), text).expect("a writable folder");
    };
    match edit {
        None => {}
        Some(Set(keys)) => set(keys),
        Some(Turn(from, to)) => assert!(turn("base.toml", from, to), "nothing holds {from}"),
        Some(Call(from, to, keys)) => {
            for file in ["base.toml", "dev.toml", "pr.toml", "prod.toml", "staging.toml"] {
                turn(file, from, to);
            }
            set(keys);
        }
    }
    folder
}

async fn planned(provider: &AwsProvider, blueprint: &Blueprint) -> Plan {
    let snapshot = survey(provider, &blueprint.resources).await.expect("a survey");
    planner::plan(provider, blueprint, &snapshot, Purpose::Apply, &[]).expect("a plan")
}

/// What a plan does, in the form of the expectations.
fn does(plan: &Plan) -> String {
    let mut text = format!("+{} ~{}", plan.count(Action::Create), plan.count(Action::Update));
    for (mark, action) in [("±", Action::Replace), ("-", Action::Delete)] {
        let meant = plan.changes.iter().filter(|change| change.action == action);
        meant.for_each(|change| {
            let _ = write!(text, " {mark}{}", change.address);
        });
    }
    for refused in &plan.refused {
        let _ = write!(text, " !{}", refused.address);
    }
    text
}

/// A row of the table in the docs.
fn row(what: &str, plan: &Plan) -> String {
    let outlooks = plan.changes.iter().map(|it| outlook::of(it, find_meta(&it.address.kind)));
    let outlooks: Vec<_> = outlooks.collect();
    let traffic = match outlooks.iter().map(|one| one.traffic).max() {
        Some(Traffic::NewConnections) => "new connections",
        Some(Traffic::Outage) => "an outage",
        Some(Traffic::Nothing) | None => "nothing",
    };
    let undo = match outlooks.iter().map(|one| one.undo).max() {
        Some(Undo::No) => "no",
        Some(Undo::Restore) => "with a restore",
        Some(Undo::Yes) | None => "yes",
    };
    let mut parts = Vec::new();
    for (word, action) in [
        ("creates", Action::Create),
        ("changes", Action::Update),
        ("replaces", Action::Replace),
        ("deletes", Action::Delete),
    ] {
        let meant: Vec<_> = plan.changes.iter().filter(|it| it.action == action).collect();
        match meant[..] {
            [] => {}
            [only] => parts.push(format!("{word} {}", only.address)),
            _ => parts.push(format!("{word} {} resources", meant.len())),
        }
    }
    parts.extend(plan.refused.iter().map(|it| format!("refuses {}: {}", it.address, it.reason)));
    let does = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
    let causes = plan.changes.iter().filter(|change| change.follows.is_none()).count();
    format!("| {what} | {does} | {causes} | {traffic} | {undo} |\n")
}

#[test]
fn everyday_changes_do_no_more_than_aws_forces() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let before = edited(None);
        let (provider, blueprint) =
            configured(&sandboxed(&sandbox), &before.path().join("config"), "dev").await;
        run(&provider, &blueprint, Purpose::Apply).await;
        let mut wrong = Vec::new();
        let mut table = String::new();
        for (what, edit, expected) in CHANGES {
            let after = edited(Some(edit));
            let (provider, blueprint) =
                configured(&sandboxed(&sandbox), &after.path().join("config"), "dev").await;
            let plan = planned(&provider, &blueprint).await;
            let done = does(&plan);
            if done != *expected {
                let which = plan.changes.iter().map(|it| format!("{:?} {}", it.action, it.address));
                let which = which.collect::<Vec<_>>().join(", ");
                wrong.push(format!("{what}: expected {expected}, is {done}: {which}"));
            }
            // A known output does not become unknown, and a consequence has its cause in the plan.
            for change in &plan.changes {
                let cause = change.follows.as_ref();
                let is_there = |cause: &Address| plan.changes.iter().any(|it| it.address == *cause);
                assert!(cause.is_none_or(is_there), "{what}: {}", change.address);
            }
            table += &row(what, &plan);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let page = format!(
            "{GENERATED}# Everyday changes\n\nChanges of the [recommended platform](../config/base.toml) in \
             `dev`, and what a plan does for each. Causes are the changes with a reason of their own; the others \
             follow them. Traffic says what those notice who use the platform while the apply runs.\n\n\
             | change | plan | causes | traffic notices | undo |\n|---|---|--:|---|---|\n{table}"
        );
        expect_file("docs/everyday-changes.md", &page);
    });
}

/// At the pace of AWS, an apply, a change and a destroy take between half and twice of what was said.
#[test]
fn estimates_are_within_a_factor_of_two() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let grown = Set("[services.payment]\nmemory = 1024\n[network]\nzones = 3");
        for (edit, purpose) in
            [(None, Purpose::Apply), (Some(grown), Purpose::Apply), (None, Purpose::Destroy)]
        {
            let folder = edited(edit.as_ref());
            let (provider, blueprint) =
                configured(&sandboxed(&sandbox), &folder.path().join("config"), "dev").await;
            let plan = plan_now(&provider, &blueprint, purpose).await;
            let estimate = Estimate::of(&plan, &provider.kinds(), &Learned::new(), 1);
            let report = carry_out(&provider, &plan).await;
            assert!(report.is_complete(), "{:#?}", report.failed);
            let (said, took) = (estimate.total(), report.elapsed);
            let path = estimate.path.iter().map(|step| {
                let step = estimate.graph.steps[*step];
                format!("{:?} {}", step.verb, plan.changes[step.change].address)
            });
            let path: Vec<String> = path.collect();
            let mut slow = report.took.clone();
            slow.sort_by_key(|(_, _, took)| std::cmp::Reverse(*took));
            slow.truncate(8);
            assert!(
                took <= said * 2 && said <= took * 2,
                "said {said:?}, took {took:?}: {path:?}, {slow:?}"
            );
        }
    });
}
