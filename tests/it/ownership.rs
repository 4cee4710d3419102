//! Whose an object is, what is protected, and what may be lost: through the real binary, on a sandbox
//! in which others have put tags where they do not belong.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use payctl_engine::model::address::Address;
use payctl_engine::model::live::Tags;
use payctl_engine::model::scope::{Scope, TAG_DISPOSABLE, TAG_PROTECT};
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::cli_support::{Folder, Ran};
use crate::support::{block_on, by_hand};

/// One item of each section whose objects others may own as well.
const THINGS: &str = r#"
[secrets.api]

[tables.orders]
partition_key = "id:S"

[buckets.files]

[queues.jobs]

[topics.news]

[log_groups.app]

[keys.main]

[clusters.main]

[roles.app]
services = ["lambda.amazonaws.com"]

[functions.check]
source = "../functions/check"
runtime = "python3.13"
handler = "index.handler"
role = "app"
"#;

fn config(project: &str, more: &str, things: &str) -> String {
    format!("project = \"{project}\"\nregion = \"us-east-1\"\n{more}\n{things}")
}

/// A folder with the shop's config, and the config of somebody else in `bank`.
fn folder_with(env: &str, more: &str, things: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("functions/check/index.py", "def handler(event, context):\n    return {}\n");
    folder.write(&format!("config/{env}.toml"), &config("shop", more, things));
    folder.write("bank/live.toml", &config("bank", "", THINGS));
    folder
}

/// What a client needs to change the folder's sandbox by hand.
fn hand_in(folder: &Folder) -> SdkConfig {
    by_hand(&Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox"))
}

/// The tags that make something the shop's.
fn owned(env: &str, address: &str) -> Tags {
    let scope = Scope {
        project: "shop".into(),
        env: env.into(),
        account: "000000000000".into(),
        region: "us-east-1".into(),
        partition: "aws".into(),
    };
    let address: Address = address.parse().expect("an address");
    scope.ownership(&address)
}

/// Builds the tags of one service, which may be incomplete, from pairs.
macro_rules! pairs {
    ($tags:expr, $tag:path) => {
        $tags
            .iter()
            .map(|(key, value)| <$tag>::builder().key(key).value(value).build())
            .collect::<Vec<_>>()
    };
}

/// The same for a service whose tags have to be complete.
macro_rules! complete {
    ($tags:expr, $tag:path) => {
        $tags
            .iter()
            .map(|(key, value)| <$tag>::builder().key(key).value(value).build().expect("a tag"))
            .collect::<Vec<_>>()
    };
}

/// Writes the shop's tags on everything that the bank has; each claims an address of its own kind.
async fn spoof(hand: &SdkConfig) {
    let of = |address: &str| owned("dev", address);
    let arn =
        |service: &str, rest: &str| format!("arn:aws:{service}:us-east-1:000000000000:{rest}");

    let secrets = aws_sdk_secretsmanager::Client::new(hand);
    let listed = secrets.list_secrets().send().await.expect("secrets").secret_list.expect("some");
    let mut names = listed.iter().filter_map(|one| one.name());
    secrets
        .tag_resource()
        .secret_id(names.find(|name| name.contains("live")).expect("the bank's"))
        .set_tags(Some(pairs!(of("secretsmanager.secret/api"), aws_sdk_secretsmanager::types::Tag)))
        .send()
        .await
        .expect("tagged");

    aws_sdk_dynamodb::Client::new(hand)
        .tag_resource()
        .resource_arn(arn("dynamodb", "table/live-bank-table-orders"))
        .set_tags(Some(complete!(of("dynamodb.table/orders"), aws_sdk_dynamodb::types::Tag)))
        .send()
        .await
        .expect("tagged");

    let tags = complete!(of("s3.bucket/surplus"), aws_sdk_s3::types::Tag);
    let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(tags)).build();
    aws_sdk_s3::Client::new(hand)
        .put_bucket_tagging()
        .bucket("live-bank-bucket-files-000000000000-us-east-1")
        .tagging(tagging.expect("tags"))
        .send()
        .await
        .expect("tagged");

    aws_sdk_sqs::Client::new(hand)
        .tag_queue()
        .queue_url(url(hand, "live-bank-queue-jobs").await)
        .set_tags(Some(of("sqs.queue/jobs").into_iter().collect()))
        .send()
        .await
        .expect("tagged");

    aws_sdk_sns::Client::new(hand)
        .tag_resource()
        .resource_arn(arn("sns", "live-bank-topic-news"))
        .set_tags(Some(complete!(of("sns.topic/news"), aws_sdk_sns::types::Tag)))
        .send()
        .await
        .expect("tagged");

    aws_sdk_cloudwatchlogs::Client::new(hand)
        .tag_resource()
        .resource_arn(arn("logs", "log-group:live-bank-log-group-app"))
        .set_tags(Some(of("logs.log_group/app").into_iter().collect()))
        .send()
        .await
        .expect("tagged");

    let kms = aws_sdk_kms::Client::new(hand);
    let key = kms.describe_key().key_id("alias/live-bank-key-main").send().await.expect("a key");
    let owner = of("kms.key/main");
    let tags = owner.iter().map(|(key, value)| {
        let tag = aws_sdk_kms::types::Tag::builder().tag_key(key).tag_value(value);
        tag.build().expect("a tag")
    });
    kms.tag_resource()
        .key_id(key.key_metadata.expect("the key").key_id)
        .set_tags(Some(tags.collect()))
        .send()
        .await
        .expect("tagged");

    aws_sdk_ecs::Client::new(hand)
        .tag_resource()
        .resource_arn(arn("ecs", "cluster/live-bank-cluster-main"))
        .set_tags(Some(pairs!(of("ecs.cluster/main"), aws_sdk_ecs::types::Tag)))
        .send()
        .await
        .expect("tagged");

    aws_sdk_iam::Client::new(hand)
        .tag_role()
        .role_name("live-bank-role-app-us-east-1")
        .set_tags(Some(complete!(of("iam.role/app"), aws_sdk_iam::types::Tag)))
        .send()
        .await
        .expect("tagged");

    aws_sdk_lambda::Client::new(hand)
        .tag_resource()
        .resource(arn("lambda", "function:live-bank-lambda-check"))
        .set_tags(Some(of("lambda.function/check").into_iter().collect()))
        .send()
        .await
        .expect("tagged");

    // The parameters of a database. Their name does not hold the name of the shop's environment either.
    let tags = pairs!(of("rds.cluster_parameter_group/ledger"), aws_sdk_rds::types::Tag);
    aws_sdk_rds::Client::new(hand)
        .create_db_cluster_parameter_group()
        .db_cluster_parameter_group_name("ledger")
        .description("Of the bank")
        .db_parameter_group_family("aurora-postgresql15")
        .set_tags(Some(tags))
        .send()
        .await
        .expect("a group");

    // A role whose name holds the environment's, under another path.
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "ec2.amazonaws.com" },
            "Action": "sts:AssumeRole",
        }],
    });
    aws_sdk_iam::Client::new(hand)
        .create_role()
        .role_name("dev-admin")
        .path("/ops/")
        .assume_role_policy_document(trust.to_string())
        .set_tags(Some(complete!(of("iam.role/admin"), aws_sdk_iam::types::Tag)))
        .send()
        .await
        .expect("a role");
}

async fn url(hand: &SdkConfig, name: &str) -> String {
    let asked = aws_sdk_sqs::Client::new(hand).get_queue_url().queue_name(name).send().await;
    asked.expect("a queue").queue_url.expect("its URL")
}

/// Parts of the ids that payctl must name.
const FOREIGN: &[&str] = &[
    "secret:live-bank-secret-api",
    "table/live-bank-table-orders",
    "live-bank-bucket-files",
    "live-bank-queue-jobs",
    "live-bank-topic-news",
    "live-bank-log-group-app",
    "kms.key/main",
    "cluster/live-bank-cluster-main",
    "live-bank-role-app",
    "live-bank-lambda-check",
    "ledger",
    "dev-admin",
];

fn names_all(text: &str) {
    assert!(text.contains("only the tags say that this environment owns it"), "{text}");
    for name in FOREIGN {
        assert!(text.contains(name), "{name} is not named in\n{text}");
    }
}

fn line(ran: &Ran, kind: &str) -> Value {
    let lines = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut lines = lines.filter(|line| line["type"] == kind);
    lines.next().unwrap_or_else(|| panic!("no {kind} line in {}", ran.out))
}

/// Every object of the sandbox with its contents, by its place in the state. The table of leases is the
/// account's, and each run writes to it.
fn everything(folder: &Folder) -> BTreeMap<String, Value> {
    let world = folder.world();
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut all = BTreeMap::new();
    for (service, sorts) in members(&world) {
        for (sort, objects) in members(&sorts) {
            let named = members(&objects).into_iter();
            let named = named.filter(|(name, _)| !name.ends_with("|payctl-leases"));
            all.extend(named.map(|(name, object)| (format!("{service}.{sort} {name}"), object)));
        }
    }
    all
}

/// Expects that every earlier object is still there, with the same contents.
fn assert_unharmed(folder: &Folder, before: &BTreeMap<String, Value>) {
    let after = everything(folder);
    for (name, object) in before {
        assert_eq!(after.get(name), Some(object), "{name} is not what it was");
    }
}

#[test]
fn disputed_objects_are_named_and_left_alone() {
    let folder = folder_with("dev", "", THINGS);
    folder.expect(0, "apply --env live --config-dir bank --sandbox --auto-approve");
    block_on(spoof(&hand_in(&folder)));
    let (others, counts) = (everything(&folder), folder.counts());
    // payctl creates the shop's objects beside them, because their names are free.
    let made = folder.expect(0, "apply --env dev --sandbox --auto-approve");
    names_all(&made.err);
    let plan = folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
    assert!(plan.out.contains("No changes:"), "{}", plan.out);
    names_all(&plan.out);
    let plan = folder.expect(0, "plan --env dev --sandbox --json");
    let left = line(&plan, "plan")["left_alone"].clone();
    assert_eq!(left.as_array().map(Vec::len), Some(FOREIGN.len()), "{left:#}");
    let secret = left
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["address"] == "secretsmanager.secret/api");
    let reason = secret.expect("the secret")["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("does not contain dev"), "{reason}");
    let status = folder.expect(0, "status --env dev --sandbox");
    assert!(status.out.contains(&format!("{} left", FOREIGN.len())), "{}", status.out);

    let gone = folder.expect(0, "destroy --env dev --sandbox --auto-approve --allow-data-loss");
    assert!(gone.err.contains("nothing of shop dev"), "{}", gone.err);
    names_all(&gone.err);
    assert_unharmed(&folder, &others);
    assert_eq!(folder.counts(), counts);
    // The same after the shop's objects are deleted.
    let gone =
        folder.expect(0, "destroy --env dev --sandbox --auto-approve --allow-data-loss --json");
    let left = line(&gone, "verified")["left_alone"].clone();
    assert_eq!(left.as_array().map(Vec::len), Some(FOREIGN.len()), "{left:#}");
    assert_unharmed(&folder, &others);
    assert_eq!(folder.counts(), counts);
}

#[test]
fn a_role_name_under_another_path_counts_as_taken() {
    let folder = folder_with("dev", "", "[roles.app]\nservices = [\"lambda.amazonaws.com\"]\n");
    block_on(async {
        let trust = json!({ "Version": "2012-10-17", "Statement": [] });
        aws_sdk_iam::Client::new(&hand_in(&folder))
            .create_role()
            .role_name("dev-shop-role-app-us-east-1")
            .path("/ops/")
            .assume_role_policy_document(trust.to_string())
            .set_tags(Some(complete!(owned("dev", "iam.role/app"), aws_sdk_iam::types::Tag)))
            .send()
            .await
            .expect("a role");
    });
    let refused = folder.expect(1, "apply --env dev --sandbox --auto-approve");
    assert!(refused.err.contains("its path /ops/ is not /payctl/shop/dev/"), "{}", refused.err);
    folder.expect(0, "destroy --env dev --sandbox --auto-approve --allow-data-loss");
    assert_eq!(folder.counts()["iam.roles"], 1);
}

#[test]
fn an_older_name_of_this_environment_is_ours() {
    let folder = folder_with("dev", "", "[queues.jobs]\n");
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    folder.edit("config/dev.toml", "[queues.jobs]", "[queues.jobs]\nname = \"jobs-of-dev\"");
    let plan = folder.expect(2, "plan --env dev --sandbox --detailed-exitcode");
    assert!(plan.out.contains("1 to replace"), "{}", plan.out);
    folder.expect(0, "apply --env dev --sandbox --auto-approve --allow-data-loss");
    folder.expect(0, "destroy --env dev --sandbox --auto-approve --allow-data-loss");
    assert_eq!(folder.counts(), json!({}));
}

const TABLE: &str = "[queues.jobs]\n\n[tables.orders]\npartition_key = \"id:S\"\n";
const PROTECT: &str = "protect = true\n";

/// The live tags of the shop's table.
fn tags_of_table(folder: &Folder, env: &str) -> BTreeMap<String, String> {
    block_on(async {
        let table = format!("table/{env}-shop-table-orders");
        let ask = aws_sdk_dynamodb::Client::new(&hand_in(folder))
            .list_tags_of_resource()
            .resource_arn(format!("arn:aws:dynamodb:us-east-1:000000000000:{table}"));
        let tags = ask.send().await.expect("tags").tags.unwrap_or_default();
        tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
    })
}

const DESTROY: &str = "destroy --env prod --sandbox --auto-approve --allow-data-loss";

#[test]
fn another_config_cannot_bypass_live_protection() {
    let folder = folder_with("prod", PROTECT, TABLE);
    folder.expect(0, "apply --env prod --sandbox --auto-approve");
    assert_eq!(tags_of_table(&folder, "prod").get(TAG_PROTECT).map(String::as_str), Some("true"));
    let made = folder.counts();
    let here = folder.expect(1, DESTROY);
    assert!(here.err.contains("prod is protected and cannot be destroyed"), "{}", here.err);

    // The same environment from a folder whose config does not mention protection.
    folder.write("other/prod.toml", &config("shop", "", TABLE));
    for line in [
        format!("{DESTROY} --config-dir other"),
        format!("{DESTROY} --config-dir other --target sqs.queue/jobs"),
        "plan --destroy --env prod --sandbox --config-dir other --out saved.plan".to_owned(),
    ] {
        let refused = folder.expect(1, &line);
        let said = format!("{}{}", refused.out, refused.err);
        for word in ["dynamodb.table/orders", "it has the tag payctl:protect", "and apply"] {
            assert!(said.contains(word), "{line}: no `{word}` in\n{said}");
        }
        assert_eq!(folder.counts(), made, "{line}");
    }
    assert!(!folder.path("saved.plan").exists());
    // A config that no longer asks for them.
    folder.write("other/prod.toml", &config("shop", "", ""));
    let refused = folder.expect(
        1,
        "apply --env prod --sandbox --config-dir other --auto-approve --allow-data-loss",
    );
    assert!(refused.err.contains("add it to the config again"), "{}", refused.err);
    assert_eq!(folder.counts(), made);
    // Another environment is not affected.
    folder.write("config/prod2.toml", &config("shop", "", TABLE));
    folder.expect(0, &DESTROY.replace("prod", "prod2"));
    assert_eq!(folder.counts(), made);
}

#[test]
fn a_saved_plan_cannot_bypass_later_protection() {
    let folder = folder_with("prod", "", TABLE);
    folder.write("other/prod.toml", &config("shop", "", TABLE));
    folder.expect(0, "apply --env prod --sandbox --auto-approve");
    folder.expect(0, "plan --destroy --env prod --sandbox --out saved.plan");
    folder.write("config/prod.toml", &config("shop", PROTECT, TABLE));
    let plan = folder.expect(2, "plan --env prod --sandbox --detailed-exitcode");
    assert!(plan.out.contains("tags.payctl:protect"), "{}", plan.out);
    assert!(plan.out.contains("0 to create, 2 to change"), "{}", plan.out);
    folder.expect(0, "apply --env prod --sandbox --auto-approve");
    let made = folder.counts();
    for (dir, said) in [
        ("config", "prod is protected and cannot be destroyed"),
        ("other", "it is protected: it has the tag payctl:protect"),
    ] {
        let line = format!(
            "apply --sandbox --config-dir {dir} --auto-approve --allow-data-loss saved.plan"
        );
        let refused = folder.expect(1, &line);
        assert!(refused.err.contains(said), "{dir}: no `{said}` in\n{}", refused.err);
        assert_eq!(folder.counts(), made);
    }
}

#[test]
fn removing_protection_is_a_step_of_its_own() {
    let folder = folder_with("prod", PROTECT, TABLE);
    folder.expect(0, "apply --env prod --sandbox --auto-approve");
    folder.write("config/prod.toml", &config("shop", "", TABLE));
    folder.edit("config/prod.toml", "[queues.jobs]", "[queues.jobs]\nvisibility_timeout = 77");
    let plan = folder.expect(2, "plan --env prod --sandbox --detailed-exitcode");
    for said in [
        "this apply only removes the protection; the next one changes visibility_timeout",
        "0 to create, 2 to change, 0 to replace, 0 to delete",
        "tags.payctl:protect",
    ] {
        assert!(plan.out.contains(said), "no `{said}` in\n{}", plan.out);
    }
    assert!(!plan.out.contains("-> 77") && !plan.out.contains("deletion_protection:"));
    // Not yet: the tag is still there.
    let refused = folder.expect(1, DESTROY);
    assert!(refused.err.contains("it has the tag payctl:protect"), "{}", refused.err);
    folder.expect(0, "apply --env prod --sandbox --auto-approve");
    assert_eq!(tags_of_table(&folder, "prod").get(TAG_PROTECT), None);
    let plan = folder.expect(2, "plan --env prod --sandbox --detailed-exitcode");
    assert!(plan.out.contains("30 -> 77"), "{}", plan.out);
    assert!(plan.out.contains("deletion_protection: true -> false"), "{}", plan.out);
    folder.expect(0, "apply --env prod --sandbox --auto-approve");
    folder.expect(0, DESTROY);
    assert_eq!(folder.counts(), json!({}));
}

#[test]
fn data_is_deleted_only_with_a_flag_or_when_disposable() {
    let folder = folder_with("dev", "", TABLE);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    let made = folder.counts();
    let destroy = "destroy --env dev --sandbox --auto-approve";
    let refused = folder.expect(1, destroy);
    for said in ["this plan loses data in dev for good", "add --allow-data-loss", "disposable"] {
        assert!(refused.err.contains(said), "no `{said}` in\n{}", refused.err);
    }
    // The config has changed since the objects were created.
    folder.write("config/dev.toml", &config("shop", "disposable = true\n", TABLE));
    folder.expect(1, destroy);
    assert_eq!(folder.counts(), made);
    let plan = folder.expect(2, "plan --env dev --sandbox --detailed-exitcode");
    assert!(plan.out.contains("tags.payctl:disposable"), "{}", plan.out);
    assert!(plan.out.contains("0 to create, 2 to change"), "{}", plan.out);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    let tags = tags_of_table(&folder, "dev");
    assert_eq!(tags.get(TAG_DISPOSABLE).map(String::as_str), Some("true"));
    // An apply deletes what the config no longer contains. For that the live tag alone is not enough.
    let less = TABLE.replace("[queues.jobs]", "");
    let apply = "apply --env dev --sandbox --auto-approve";
    folder.write("config/dev.toml", &config("shop", "", &less));
    folder.expect(1, apply);
    folder.write("config/dev.toml", &config("shop", "disposable = true\n", &less));
    folder.expect(0, apply);
    // A destroy reads the live tags, whatever its config says.
    folder.write("config/dev.toml", &config("shop", "", &less));
    let gone = folder.expect(0, destroy);
    assert!(gone.err.contains("nothing of shop dev"), "{}", gone.err);
}

#[test]
fn one_unmarked_object_blocks_the_whole_destroy() {
    let folder = folder_with("dev", "disposable = true\n", TABLE);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    block_on(async {
        let hand = hand_in(&folder);
        aws_sdk_sqs::Client::new(&hand)
            .untag_queue()
            .queue_url(url(&hand, "dev-shop-queue-jobs").await)
            .tag_keys(TAG_DISPOSABLE)
            .send()
            .await
            .expect("untagged");
    });
    let refused = folder.expect(1, "destroy --env dev --sandbox --auto-approve");
    let (_, error) = refused.err.split_once("error:").expect("an error");
    assert!(error.contains("sqs.queue/jobs"), "{error}");
    assert!(!error.contains("dynamodb.table/orders"), "{error}");
    folder.expect(0, "destroy --env dev --sandbox --auto-approve --allow-data-loss");
}

#[test]
fn an_environment_is_protected_or_disposable() {
    let folder = folder_with("dev", "protect = true\ndisposable = true\n", TABLE);
    let refused = folder.expect(1, "validate");
    let said = format!("{}{}", refused.out, refused.err);
    assert!(said.contains("config/dev.toml:4:"), "{said}");
    assert!(said.contains("`protect` and `disposable` cannot be used together"), "{said}");
}

#[test]
fn a_protected_load_balancer_keeps_its_protection() {
    let network = "\n[network]\ncidr = \"10.0.0.0/16\"\nzones = 2\nprivate_subnets = true\n";
    let balancer = "\n[load_balancers.main]\ntype = \"network\"\nscheme = \"internal\"\nsubnets = \"private\"\n";
    let things = format!("{TABLE}{network}{balancer}");
    let folder = folder_with("prod", PROTECT, &things);
    folder.expect(0, "apply --env prod --sandbox --auto-approve");
    let made = folder.counts();
    folder.write("config/prod.toml", &config("shop", PROTECT, &format!("{TABLE}{network}")));
    let refused = folder.expect(1, "apply --env prod --sandbox --auto-approve");
    for said in ["elb.load_balancer/main", "deletion_protection = false"] {
        assert!(refused.err.contains(said), "no `{said}` in\n{}", refused.err);
    }
    assert_eq!(folder.counts(), made);
    let open = format!("{things}deletion_protection = false\n");
    folder.write("config/prod.toml", &config("shop", PROTECT, &open));
    folder.expect(0, "apply --env prod --sandbox --auto-approve");
    folder.write("config/prod.toml", &config("shop", PROTECT, &format!("{TABLE}{network}")));
    folder.expect(0, "apply --env prod --sandbox --auto-approve");
}
