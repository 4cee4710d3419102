//! The output of the real binary. `INSTA_UPDATE=always cargo test` writes the snapshots again. Read
//! them before you commit them.

use crate::cli_support::{Folder, Ran, ended};

const SHOP: &str = r#"# A shop.
project = "shop"
region = "eu-west-1"

[tags]
Team = "checkout"

[queues.jobs]
visibility_timeout = 90

[tables.orders]
partition_key = "id:S"

[outputs]
JobsUrl = { value = "${queues.jobs.url}", description = "Where jobs are sent" }
OrdersTable = "${tables.orders.name}"
"#;

pub fn shop() -> Folder {
    let folder = Folder::empty();
    folder.write("config/dev.toml", SHOP);
    folder
}

fn check(name: &str, ran: &Ran) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r"\d+ API calls", "[n] API calls");
    settings.add_filter(r"in \d+\.\d s", "in [time]");
    settings.add_filter(r"\[ *\d+/(\d+)\]", "[_/$1]");
    settings.add_filter(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "[when]");
    settings.add_filter(r"backup/\d{14}-[0-9a-f]{8}", "backup/[id]");
    settings.bind(|| {
        let Ran { code, out, err } = ran;
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let err = with_ends_in_order(err);
        let text = format!("exit code {code}\n--- stdout\n{out}--- stderr\n{err}");
        insta::assert_snapshot!(name, text);
    });
}

/// Steps of the same moment end in any order: their lines are sorted.
fn with_ends_in_order(text: &str) -> String {
    let said =
        |line: &str| line.strip_prefix('[')?.split_once("] ").map(|(_, said)| said.to_owned());
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    for ends in lines.chunk_by_mut(|one, other| said(one).is_some() && said(other).is_some()) {
        ends.sort_by_key(|line| said(line));
    }
    lines.concat()
}

#[test]
fn plans_and_results() {
    let folder = shop();
    check("plan_new", &folder.run("plan --env dev --sandbox"));
    check("plan_new_verbose", &folder.run("plan --env dev --sandbox -v"));
    let made = folder.run("apply --env dev --sandbox --auto-approve --parallelism 1");
    check("apply", &made);
    check("plan_nothing", &folder.run("plan --env dev --sandbox --detailed-exitcode"));
    check("outputs", &folder.run("outputs --env dev --sandbox"));
    check("outputs_env_file", &folder.run("outputs --env dev --sandbox --env-file"));
    check("outputs_shell", &folder.run("outputs --env dev --sandbox --shell"));
    check("outputs_json", &folder.run("outputs --env dev --sandbox --json"));
    check("status", &folder.run("status --env dev --sandbox"));
    folder.edit("config/dev.toml", "visibility_timeout = 90", "visibility_timeout = 120");
    folder.edit("config/dev.toml", "\"id:S\"", "\"order_id:S\"");
    check("plan_refused", &folder.run("plan --env dev --sandbox"));
    folder.edit("config/dev.toml", "\"order_id:S\"", "\"id:S\"");
    check("plan_changes", &folder.run("plan --env dev --sandbox --detailed-exitcode"));
    folder.edit("config/dev.toml", "OrdersTable = \"${tables.orders.name}\"\n", "");
    folder.edit("config/dev.toml", "[tables.orders]\npartition_key = \"id:S\"\n", "");
    check("apply_would_lose", &folder.run("apply --env dev --sandbox --auto-approve"));
    check("destroy_would_lose", &folder.run("destroy --env dev --sandbox --auto-approve"));
    let destroy = "destroy --env dev --sandbox --auto-approve --allow-data-loss --parallelism 1";
    check("destroy", &folder.run(destroy));
    check("destroy_nothing", &folder.run("destroy --env dev --sandbox --auto-approve"));
}

#[test]
fn protected_environments() {
    let folder = shop();
    folder.edit("config/dev.toml", "region =", "protect = true\nregion =");
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    check("destroy_protected", &folder.run("destroy --env dev --sandbox --auto-approve"));
    folder.edit("config/dev.toml", "protect = true\n", "");
    folder.edit("config/dev.toml", "visibility_timeout = 90", "visibility_timeout = 120");
    let destroy = "destroy --env dev --sandbox --auto-approve --allow-data-loss";
    check("destroy_protected_live", &folder.run(destroy));
    check("plan_unprotects", &folder.run("plan --env dev --sandbox"));
}

#[test]
fn mistakes_in_the_config() {
    let folder = shop();
    folder.write(
        "config/dev.toml",
        "projekt = \"shop\"\nregion = \"eu-west-1\"\n\n[queues.jobs]\nvisibility_timeout = 90000\n\
         retention = \"long\"\n\n[tables.orders]\npartition_key = \"id:X\"\n\n[outputs]\n\
         Url = \"${queues.job.url}\"\n",
    );
    check("validate_mistakes", &folder.run("validate"));
    check("plan_mistakes", &folder.run("plan --env dev --sandbox"));
}

#[test]
fn mistakes_on_the_command_line() {
    let folder = shop();
    check("no_env", &folder.run("plan --sandbox"));
    check("unknown_env", &folder.run("plan --env prod --sandbox"));
    check("no_config_dir", &folder.run("plan --env dev --config-dir nowhere --sandbox"));
    check("unknown_target", &folder.run("plan --env dev --sandbox --target sqs.queue/job"));
    check("unknown_command", &folder.run("aply --env dev"));
    check("no_plan_file", &folder.run("apply --sandbox none.plan"));
    check("unknown_kind", &folder.run("explain sqs.ques"));
    let mut unreachable = folder.payctl("plan --env dev --endpoint-url http://127.0.0.1:9");
    unreachable.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    check("unreachable", &ended(&mut unreachable));
}

#[test]
fn help_and_explanations() {
    let folder = shop();
    check("help", &folder.run("--help"));
    for command in [
        "plan", "apply", "destroy", "validate", "outputs", "status", "check", "diagram", "graph",
        "explain", "sandbox",
    ] {
        let ran = folder.run(&format!("{command} --help"));
        ran.expect(0, command);
        // The global options are the same everywhere.
        let own = ran.out.split("Global options:").next().unwrap_or_default().to_owned();
        check(&format!("help_{command}"), &Ran { out: own, ..ran });
    }
    check("explain", &folder.run("explain"));
    check("explain_kind", &folder.run("explain sqs.queue"));
    check("env_list", &folder.run("env list --configured"));
    check("validate", &folder.run("validate"));
    check("graph_dot", &folder.run("graph --env dev"));
    check("graph_mermaid", &folder.run("graph --env dev --format mermaid"));
}
