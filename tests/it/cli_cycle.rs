//! The lives of whole environments from the shipped config. Every command is a process of its own, and
//! only the sandbox keeps state between them.

use std::fs::{self, File};

use serde_json::{Value, json};

use crate::cli_support::{Folder, ended};

#[test]
fn dev_goes_through_its_whole_cycle() {
    let folder = Folder::shipped();
    let made = folder.expect(0, "apply --env dev --sandbox --auto-approve");
    assert!(made.err.contains("Apply complete:"), "{}", made.err);
    assert!(made.out.contains("PaymentQueueUrl"), "{}", made.out);
    let clean = folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
    assert!(clean.out.contains("No changes:"), "{}", clean.out);

    let outputs = folder.expect(0, "outputs --env dev --sandbox --json");
    let outputs: Value = serde_json::from_str(&outputs.out).expect("a JSON line");
    let outputs = outputs["outputs"].as_object().expect("outputs");
    assert!(outputs.values().all(Value::is_string), "all are known: {outputs:#?}");
    assert!(outputs["VpcId"].as_str().is_some_and(|id| id.starts_with("vpc-")));

    folder.edit("config/base.toml", "visibility_timeout = 360", "visibility_timeout = 420");
    let refunds = "[parameters]\n\"/payment/refunds-${env}\" = \"none\"";
    folder.edit("config/base.toml", "[parameters]", refunds);
    let changes = folder.expect(2, "plan --env dev --sandbox --detailed-exitcode");
    assert!(changes.out.contains("visibility_timeout: 360 -> 420"), "{}", changes.out);
    assert!(changes.out.contains("1 to create, 1 to change, 0 to replace"), "{}", changes.out);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
    let status = folder.expect(0, "status --env dev --sandbox");
    assert!(status.out.contains("126 resources: 126 ok."), "{}", status.out);

    folder.edit("config/base.toml", "visibility_timeout = 420", "visibility_timeout = 480");
    folder.expect(0, "plan --env dev --sandbox --out saved.plan");
    folder.expect(0, "apply --sandbox --auto-approve saved.plan");
    let stale = folder.expect(4, "apply --sandbox --auto-approve saved.plan");
    assert!(stale.err.contains("sqs.queue/payments\n"), "{}", stale.err);
    assert!(stale.err.contains("in the file: update "), "{}", stale.err);
    let elsewhere = folder.expect(1, "apply --env staging --sandbox saved.plan");
    assert!(elsewhere.err.contains("the plan is for dev, not for staging"), "{}", elsewhere.err);

    let destroyed = folder.expect(0, "destroy --env dev --sandbox --auto-approve");
    assert!(destroyed.err.contains("nothing of payment dev"), "{}", destroyed.err);
    assert_eq!(folder.counts(), json!({}));
}

#[test]
fn a_retired_version_is_refused_before_any_change() {
    let folder = Folder::shipped();
    folder.edit("config/base.toml", "engine_version = \"15.17\"", "engine_version = \"15.8\"");
    for command in ["plan --env dev --sandbox", "apply --env dev --sandbox --auto-approve"] {
        let refused = folder.expect(1, command);
        for said in [
            "AWS does not offer Aurora PostgreSQL 15.8",
            "rds.cluster/customer 15.8 (config/base.toml:",
            "15.18, 15.19, 16.8",
        ] {
            assert!(refused.err.contains(said), "{}", refused.err);
        }
    }
    assert_eq!(folder.counts(), json!({}));
}

#[test]
fn types_missing_in_a_zone_are_refused_before_any_change() {
    let folder = Folder::empty();
    folder.write(
        "config/dev.toml",
        "project = \"shop\"\nregion = \"us-east-1\"\n\n[network]\ncidr = \"10.0.0.0/16\"\nzones = 1\n\
         zone_names = [\"us-east-1e\"]\nnat = { kind = \"instance\" }\n",
    );
    for command in ["plan --env dev --sandbox", "apply --env dev --sandbox --auto-approve"] {
        let refused = folder.expect(1, command);
        for said in [
            "AWS does not offer t4g.nano in these zones",
            "ec2.instance/nat-1 t4g.nano in us-east-1e (config/dev.toml:",
            "t4g.nano is available in us-east-1a, us-east-1b, us-east-1c",
            "set other zones in `zone_names`",
        ] {
            assert!(refused.err.contains(said), "{}", refused.err);
        }
    }
    assert_eq!(folder.counts(), json!({}));
    folder.edit("config/dev.toml", "us-east-1e", "us-east-1d");
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    folder.expect(0, "destroy --env dev --sandbox --auto-approve");
}

#[test]
fn an_error_after_the_changes_does_not_claim_that_nothing_was_changed() {
    let folder = Folder::empty();
    let config = "project = \"shop\"\nregion = \"us-east-1\"\n\n[queues.jobs]\n\n[outputs]\n\
                  Jobs = \"${queues.jobs.url}\"\n";
    folder.write("config/dev.toml", config);
    let mut apply = folder.payctl("apply --env dev --sandbox --auto-approve");
    let full = File::options().write(true).open("/dev/full").expect("a device that is full");
    let failed = ended(apply.stdout(full));
    failed.expect(3, "apply > /dev/full");
    assert!(failed.err.contains("cannot write the output"), "{}", failed.err);
    assert_eq!(folder.counts()["sqs.queues"], 1);
}

#[test]
fn a_saved_targeted_destroy_deletes_only_its_target() {
    let folder = Folder::empty();
    let config = "project = \"shop\"\nregion = \"us-east-1\"\n\n[queues.jobs]\n\n[queues.mail]\n";
    folder.write("config/dev.toml", config);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    let queue = "--destroy --target sqs.queue/jobs --out saved.plan";
    folder.expect(0, &format!("plan --env dev --sandbox {queue}"));
    let line = "apply --sandbox --auto-approve --allow-data-loss saved.plan";
    let destroyed = folder.expect(0, line);
    assert!(destroyed.err.contains("none of the targets remains"), "{}", destroyed.err);
    assert_eq!(folder.counts()["sqs.queues"], 1);
}

/// A plan file as it was written, and how to edit it.
fn edited(folder: &Folder, edit: impl Fn(&mut Value)) {
    let text = fs::read_to_string(folder.path("saved.plan")).expect("the plan was saved");
    let mut plan: Value = serde_json::from_str(&text).expect("JSON");
    edit(&mut plan);
    folder.write("edited.plan", &plan.to_string());
}

#[test]
fn an_edited_plan_does_nothing() {
    let folder = Folder::empty();
    let config = |env: &str, delay: u32| {
        let head = "project = \"shop\"\nregion = \"us-east-1\"\n\n";
        let key = "partition_key = \"id:S\"";
        let body =
            format!("[queues.jobs]\ndelay = {delay}\n\n[queues.mail]\n\n[tables.ledger]\n{key}\n");
        folder.write(&format!("config/{env}.toml"), &format!("{head}{body}"));
    };
    for env in ["dev", "prod"] {
        config(env, 0);
        folder.expect(0, &format!("apply --env {env} --sandbox --auto-approve"));
    }
    let before = folder.counts();
    config("dev", 30);
    folder.expect(0, "plan --env prod --sandbox --destroy --out saved.plan");
    let text = fs::read_to_string(folder.path("saved.plan")).expect("the plan was saved");
    let others: Value = serde_json::from_str(&text).expect("JSON");
    let others = others["changes"].as_array().expect("changes").clone();
    let of = |address: &str| -> Value {
        others.iter().find(|change| change["address"] == address).expect("it is there").clone()
    };
    folder.expect(0, "plan --env dev --sandbox --out saved.plan");
    let refuse = |said: &str, edit: &dyn Fn(&mut Value)| {
        edited(&folder, edit);
        let line = "apply --sandbox --auto-approve --allow-data-loss edited.plan";
        let refused = folder.expect(4, line);
        assert!(refused.err.contains(said), "{said}: {}", refused.err);
    };
    refuse("dynamodb.table/ledger\n", &|plan| {
        plan["changes"].as_array_mut().expect("changes").push(of("dynamodb.table/ledger"));
    });
    refuse("sqs.queue/jobs.id\n", &|plan| {
        plan["changes"][0]["live"]["id"] = of("sqs.queue/jobs")["live"]["id"].clone();
    });
    refuse("sqs.queue/jobs\n", &|plan| plan["changes"][0]["address"] = "sqs.queue/mail".into());
    refuse("sqs.queue/jobs.wanted.spec.delay\n", &|plan| {
        plan["changes"][0]["want"]["spec"]["delay"] = 900.into();
    });
    refuse("sqs.queue/jobs.fields.delay.to\n", &|plan| {
        plan["changes"][0]["fields"][0]["after"] = 900.into();
    });
    refuse("now:         update", &|plan| plan["changes"] = json!([]));
    refuse("sqs.queue/jobs.action\n", &|plan| plan["changes"][0]["action"] = "delete".into());
    refuse("now:         delete", &|plan| plan["purpose"] = "destroy".into());
    assert_eq!(folder.counts(), before);
    // The unedited plan is carried out.
    folder.expect(0, "apply --sandbox --auto-approve saved.plan");
    folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
}

#[test]
fn a_saved_destroy_respects_protection() {
    let folder = Folder::empty();
    let config = "project = \"shop\"\nregion = \"us-east-1\"\n\n[queues.jobs]\n";
    folder.write("config/dev.toml", config);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    folder.expect(0, "plan --env dev --sandbox --destroy --out saved.plan");
    folder.write("config/dev.toml", &format!("protect = true\n{config}"));
    let refused = folder.expect(1, "apply --sandbox --auto-approve --allow-data-loss saved.plan");
    assert!(refused.err.contains("dev is protected"), "{}", refused.err);
    assert_eq!(folder.counts()["sqs.queues"], 1);
}

#[test]
fn the_next_command_does_not_see_a_deleted_table() {
    let folder = Folder::empty();
    let config = "project = \"shop\"\nregion = \"us-east-1\"\n\n[tables.ledger]\n\
                  partition_key = \"id:S\"\n";
    folder.write("config/dev.toml", config);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    folder.expect(0, "destroy --env dev --sandbox --auto-approve --allow-data-loss");
    folder.expect(0, "plan --env dev --sandbox --destroy --detailed-exitcode");
    assert_eq!(folder.counts(), json!({}));
}

#[test]
fn double_verbose_names_each_call() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", "project = \"shop\"\nregion = \"us-east-1\"\n");
    let said = folder.expect(0, "plan --env dev --sandbox -vv").err;
    assert!(said.contains("service=\"STS\" operation=\"GetCallerIdentity\""), "{said}");
    let said = folder.expect(0, "plan --env dev --sandbox -v").err;
    assert!(!said.contains("operation="), "{said}");
}

/// Created, an empty plan, destroyed, an empty sandbox.
fn lives(env: &str, flags: &str) {
    let folder = Folder::shipped();
    folder.expect(0, &format!("apply --env {env} --sandbox --auto-approve"));
    folder.expect(0, &format!("plan --env {env} --sandbox --detailed-exitcode"));
    folder.expect(0, &format!("destroy --env {env} --sandbox --auto-approve {flags}"));
    assert_eq!(folder.counts(), json!({}));
}

#[test]
fn a_pull_request_environment_goes_through_its_cycle() {
    lives("pr-123", "");
}

#[test]
fn a_name_of_forty_characters_goes_through_its_cycle() {
    let env = format!("pr-{}", "1234567890".repeat(4).get(..37).expect("forty digits"));
    assert_eq!(env.len(), 40);
    lives(&env, "");
}

#[test]
fn staging_goes_through_its_cycle() {
    lives("staging", "--allow-data-loss");
}

#[test]
fn two_environments_do_not_see_each_other() {
    let folder = Folder::shipped();
    folder.expect(0, "apply --env pr-1 --sandbox --auto-approve");
    let one = folder.counts();
    folder.expect(0, "apply --env pr-12 --sandbox --auto-approve");
    folder.expect(0, "plan --env pr-1 --sandbox --detailed-exitcode");
    folder.expect(0, "destroy --env pr-12 --sandbox --auto-approve");
    assert_eq!(folder.counts(), one);
    folder.expect(0, "plan --env pr-1 --sandbox --detailed-exitcode");
}

#[test]
fn prod_is_protected() {
    let folder = Folder::shipped();
    folder.expect(0, "apply --env prod --sandbox --auto-approve");
    folder.expect(0, "plan --env prod --sandbox --detailed-exitcode");
    let made = folder.counts();
    let refused = folder.expect(1, "destroy --env prod --sandbox --auto-approve");
    assert!(refused.err.contains("prod is protected and cannot be"), "{}", refused.err);
    assert_eq!(folder.counts(), made);
}

#[test]
fn confirmation_fails_without_a_terminal() {
    let folder = Folder::shipped();
    let refused = folder.expect(1, "apply --env dev --sandbox");
    assert!(refused.err.contains("with --auto-approve"), "{}", refused.err);
    assert_eq!(folder.counts(), json!({}));
}
