//! What others own and an environment uses: a VPC, subnets, a key, a role, a bucket and a zone that payctl
//! did not create. Through the real binary, with policies that allow nothing else.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::cli_support::{Folder, Ran, ended};
use crate::support::{block_on, by_hand};

const HEAD: &str = "project = \"shop\"\nregion = \"us-east-1\"\ndisposable = true\n";

/// An environment that uses everything that others can have.
const GUEST: &str = r#"
[network]
vpc = { tags = { Name = "shared" } }
private_subnets = { tags = { Tier = "private" } }

[keys.main]
existing = { alias = "shared" }

[roles.app]
existing = { name = "runtime" }
instance_profile = true

[buckets.logs]
existing = { name = "company-logs" }

[buckets.data]
access_log_to = "logs"

[security_groups.app]
description = "Functions"
ingress = [{ port = 443, from = "vpc" }]
egress = [{ port = 443, to = "0.0.0.0/0" }]

[functions.check]
source = "../functions/check"
runtime = "python3.13"
handler = "index.handler"
role = "app"
subnets = "private"
security_groups = ["app"]

[queues.jobs]
key = "main"

[outputs]
Vpc = "${network.vpc_id}"
Subnets = "${network.private_subnets}"
Range = "${network.cidr}"
Key = "${keys.main.arn}"
Alias = "${keys.main.alias}"
Role = "${roles.app.arn}"
Bucket = "${buckets.logs.name}"
"#;

/// What others made, by hand.
struct Others {
    vpc: String,
    subnets: Vec<String>,
}

fn tagged(kind: ResourceType, pairs: &[(&str, &str)]) -> TagSpecification {
    let tags = pairs.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build());
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags.collect())).build()
}

/// Makes a VPC with a private subnet in each of these zones.
async fn make_network(hand: &aws_config::SdkConfig, zones: &[&str]) -> Others {
    let ec2 = aws_sdk_ec2::Client::new(hand);
    let call = ec2.create_vpc().cidr_block("10.7.0.0/16");
    let call = call.tag_specifications(tagged(ResourceType::Vpc, &[("Name", "shared")]));
    let vpc = call.send().await.expect("a VPC").vpc.expect("a VPC").vpc_id.expect("an id");
    let mut subnets = Vec::new();
    for (at, zone) in zones.iter().enumerate() {
        let call = ec2.create_subnet().vpc_id(&vpc).cidr_block(format!("10.7.{at}.0/24"));
        let tags = tagged(ResourceType::Subnet, &[("Tier", "private")]);
        let call = call.availability_zone(*zone).tag_specifications(tags);
        let subnet = call.send().await.expect("a subnet").subnet.expect("a subnet");
        subnets.push(subnet.subnet_id.expect("an id"));
    }
    Others { vpc, subnets }
}

async fn make_the_rest(hand: &aws_config::SdkConfig) {
    let kms = aws_sdk_kms::Client::new(hand);
    let key = kms.create_key().send().await.expect("a key").key_metadata.expect("a key").key_id;
    let alias = kms.create_alias().alias_name("alias/shared").target_key_id(key);
    alias.send().await.expect("an alias");
    let iam = aws_sdk_iam::Client::new(hand);
    let principal = json!({ "Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"] });
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal,
    }] });
    let call = iam.create_role().role_name("runtime").path("/team/");
    call.assume_role_policy_document(trust.to_string()).send().await.expect("a role");
    let policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole";
    let call = iam.attach_role_policy().role_name("runtime").policy_arn(policy);
    call.send().await.expect("attached");
    let s3 = aws_sdk_s3::Client::new(hand);
    s3.create_bucket().bucket("company-logs").send().await.expect("a bucket");
}

fn folder() -> Folder {
    let folder = Folder::empty();
    folder.write("functions/check/index.py", "def handler(event, context):\n    return {}\n");
    folder.write("config/dev.toml", &format!("{HEAD}{GUEST}"));
    folder
}

fn hand_in(folder: &Folder) -> aws_config::SdkConfig {
    by_hand(&Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox"))
}

/// Runs payctl with nothing but the policy of the task.
fn with_its_policy(folder: &Folder, task: &str, code: i32, line: &str) -> Ran {
    let policy = folder.policy_without(task, "dev", "nothing:AtAll");
    let mut command = folder.payctl(&format!("{line} --env dev --sandbox"));
    let ran = ended(command.env("PAYCTL_SANDBOX_POLICY", policy));
    ran.expect(code, line);
    ran
}

/// What others own, as the sandbox keeps it.
fn of_others(folder: &Folder, network: &Others) -> Vec<Value> {
    let world = folder.world();
    let ec2 = &world["ec2"]["regions"]["us-east-1"];
    let tagged = network.subnets.iter().chain([&network.vpc]).map(|id| &ec2["tags"][id]);
    let roles = &world["iam"]["roles"];
    let fixed = [&ec2["vpcs"], &ec2["subnets"], &world["kms"]["keys"], &world["kms"]["aliases"]];
    let named = [&roles["runtime"], &world["s3"]["buckets"]["company-logs"]];
    let all: Vec<Value> = tagged.chain(fixed).chain(named).cloned().collect();
    assert!(all.iter().all(|one| !one.is_null()), "{all:#?}");
    all
}

#[test]
fn an_environment_lives_in_what_others_own_and_leaves_it_as_it_was() {
    let folder = folder();
    folder.expect(0, "validate --env dev");
    let missing = folder.expect(1, "apply --env dev --sandbox --auto-approve");
    for words in [
        "there is no ec2.vpc with the tag Name = shared here",
        "there is no kms.key with the name shared here",
        "there is no iam.role with the name runtime here",
        "there is no s3.bucket with the name company-logs here",
        "config/dev.toml:6:",
    ] {
        assert!(missing.err.contains(words), "{words}: {}", missing.err);
    }
    assert_eq!(folder.counts(), json!({}), "nothing was written");

    let others = block_on(async {
        let hand = hand_in(&folder);
        make_the_rest(&hand).await;
        make_network(&hand, &["us-east-1a", "us-east-1b"]).await
    });
    let (before, counts) = (of_others(&folder, &others), folder.counts());
    let plan = with_its_policy(&folder, "plan", 0, "plan");
    let Others { vpc, subnets } = &others;
    for line in [
        format!("  uses ec2.vpc {vpc} of somebody else (never changed)\n"),
        format!("  uses ec2.subnet {} of somebody else (never changed)\n", subnets.join(", ")),
        "  uses iam.role runtime of somebody else (never changed)\n".to_owned(),
        "  uses s3.bucket company-logs of somebody else (never changed)\n".to_owned(),
    ] {
        assert!(plan.out.contains(&line), "{line}{}", plan.out);
    }
    assert!(!plan.out.contains("payctl:borrows"), "{}", plan.out);
    with_its_policy(&folder, "apply", 0, "apply --auto-approve");
    with_its_policy(&folder, "plan", 0, "plan --detailed-exitcode");

    let ran = folder.expect(0, "outputs --env dev --sandbox --json");
    let seen = serde_json::from_str::<Value>(&ran.out).expect("a JSON line")["outputs"].clone();
    assert_eq!((&seen["Vpc"], &seen["Subnets"]), (&json!(vpc), &json!(subnets.join(","))));
    assert_eq!((&seen["Range"], &seen["Bucket"]), (&json!("10.7.0.0/16"), &json!("company-logs")));
    assert_eq!(seen["Role"], "arn:aws:iam::000000000000:role/team/runtime");
    assert_eq!(seen["Alias"], "alias/shared");
    assert!(seen["Key"].as_str().is_some_and(|arn| arn.contains(":key/")), "{seen}");
    let world = folder.world().to_string();
    assert!(world.contains(&format!("\"{}\"", subnets[1])), "the function is in the subnets");

    with_its_policy(&folder, "destroy", 0, "destroy --auto-approve");
    assert_eq!(folder.counts(), counts, "what others own is still there");
    assert_eq!(of_others(&folder, &others), before, "and as it was");
}

#[test]
fn what_is_not_clear_is_an_error_before_anything_is_written() {
    let folder = folder();
    let (first, second) = block_on(async {
        let hand = hand_in(&folder);
        make_the_rest(&hand).await;
        let first = make_network(&hand, &["us-east-1a"]).await;
        (first, make_network(&hand, &["us-east-1b"]).await)
    });
    let counts = folder.counts();
    let refused = |words: &str| {
        let ran = folder.expect(1, "apply --env dev --sandbox --auto-approve");
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
        assert_eq!(folder.counts(), counts);
    };
    refused("2 of ec2.vpc have the tag Name = shared here: vpc-");

    let by_id = format!("vpc = {{ id = \"{}\" }}", first.vpc);
    folder.edit("config/dev.toml", "vpc = { tags = { Name = \"shared\" } }", &by_id);
    let ids = format!("{{ ids = [\"{}\", \"{}\"] }}", first.subnets[0], second.subnets[0]);
    folder.edit("config/dev.toml", "{ tags = { Tier = \"private\" } }", &ids);
    let (vpc, lost) = (&first.vpc, &second.subnets[0]);
    refused(&format!("{vpc} has no subnet with the id {lost}; in other VPCs: {lost}"));
    folder.edit("config/dev.toml", &ids, "{ tags = { Tier = \"public\" } }");
    refused(&format!("{vpc} has no subnet with the tag Tier = public"));

    folder.edit(
        "config/dev.toml",
        "{ tags = { Tier = \"public\" } }",
        "{ tags = { Tier = \"private\" } }",
    );
    folder.edit(
        "config/dev.toml",
        "[queues.jobs]",
        "[load_balancers.api]\nscheme = \"internal\"\nsecurity_groups = [\"app\"]\n\n[queues.jobs]",
    );
    refused("the private subnets of the network are all in us-east-1a");

    // A key that is not enabled cannot be used.
    folder.edit(
        "config/dev.toml",
        "[load_balancers.api]\nscheme = \"internal\"\nsecurity_groups = [\"app\"]\n",
        "",
    );
    block_on(async {
        let kms = aws_sdk_kms::Client::new(&hand_in(&folder));
        let key = kms.describe_key().key_id("alias/shared").send().await.expect("a key");
        let id = key.key_metadata.expect("a key").key_id;
        kms.disable_key().key_id(id).send().await.expect("disabled");
    });
    refused("cannot be used: Disabled");
}

#[test]
fn aws_must_not_be_led_to_change_the_policy_of_a_bucket_of_others() {
    let folder = folder();
    let requests = "\n[buckets.requests]\nexisting = { name = \"aws-waf-logs-company\" }\n\n\
                    [firewalls.main]\nlog = { to = { bucket = \"requests\" } }\n";
    folder.write("config/dev.toml", &format!("{HEAD}{requests}"));
    let s3 = aws_sdk_s3::Client::new(&hand_in(&folder));
    block_on(async {
        s3.create_bucket().bucket("aws-waf-logs-company").send().await.expect("a bucket");
    });
    let refused = folder.expect(1, "apply --env dev --sandbox --auto-approve");
    assert!(refused.err.contains("AWS would change its policy"), "{}", refused.err);
    assert!(refused.err.contains("config/dev.toml:9:"), "{}", refused.err);
    let arn = "arn:aws:s3:::aws-waf-logs-company";
    let allow = |sid: &str, action: &str, on: String| {
        json!({
            "Sid": sid, "Effect": "Allow", "Action": action, "Resource": on,
            "Principal": { "Service": "delivery.logs.amazonaws.com" },
        })
    };
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        allow("AWSLogDeliveryWrite", "s3:PutObject", format!("{arn}/*")),
        allow("AWSLogDeliveryAclCheck", "s3:GetBucketAcl", arn.to_owned()),
    ] });
    block_on(async {
        let call = s3.put_bucket_policy().bucket("aws-waf-logs-company");
        call.policy(policy.to_string()).send().await.expect("a policy");
    });
    with_its_policy(&folder, "apply", 0, "apply --auto-approve");
    folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
    with_its_policy(&folder, "destroy", 0, "destroy --auto-approve");
}

#[test]
fn a_plan_warns_of_subnets_without_a_way_out() {
    let folder = folder();
    let things = "[network]\nvpc = { tags = { Name = \"shared\" } }\n\
                  public_subnets = { tags = { Tier = \"private\" } }\n\n\
                  [security_groups.api]\ndescription = \"API\"\n\
                  ingress = [{ port = 80, from = \"0.0.0.0/0\" }]\n\n\
                  [load_balancers.api]\nscheme = \"internet-facing\"\nsecurity_groups = [\"api\"]\n\
                  listeners = [{ port = 80, respond = { status = 404 } }]\n";
    folder.write("config/dev.toml", &format!("{HEAD}{things}"));
    let ec2 = aws_sdk_ec2::Client::new(&hand_in(&folder));
    let others = block_on(make_network(&hand_in(&folder), &["us-east-1a", "us-east-1b"]));
    let plan = folder.expect(0, "plan --env dev --sandbox");
    assert!(plan.out.contains("of another owner: no route to an internet gateway"), "{}", plan.out);
    block_on(async {
        let made = ec2.create_internet_gateway().send().await.expect("a gateway");
        let gateway = made.internet_gateway.expect("a gateway").internet_gateway_id.expect("an id");
        let call = ec2.attach_internet_gateway().internet_gateway_id(&gateway);
        call.vpc_id(&others.vpc).send().await.expect("attached");
        let mine = Filter::builder().name("vpc-id").values(&others.vpc).build();
        let tables = ec2.describe_route_tables().filters(mine).send().await.expect("tables");
        let table = tables.route_tables.expect("tables").remove(0).route_table_id.expect("an id");
        let call = ec2.create_route().route_table_id(table).destination_cidr_block("0.0.0.0/0");
        call.gateway_id(gateway).send().await.expect("a route");
    });
    let plan = folder.expect(0, "plan --env dev --sandbox");
    assert!(!plan.out.contains("another owner"), "{}", plan.out);
}

#[test]
fn one_of_two_zones_of_one_name_is_chosen_by_its_id() {
    let folder = Folder::empty();
    let things = |more: &str| {
        let api = "[certificates.api]\ndomain = \"api.example.org\"\n";
        format!("{HEAD}zone = \"example.org\"\n{more}\n{api}")
    };
    folder.write("config/dev.toml", &things(""));
    let route53 = aws_sdk_route53::Client::new(&hand_in(&folder));
    let make = async |reference: &str| {
        let call = route53.create_hosted_zone().name("example.org").caller_reference(reference);
        let zone = call.send().await.expect("a zone").hosted_zone.expect("a zone").id;
        zone.trim_start_matches("/hostedzone/").to_owned()
    };
    let (first, second) = block_on(async { (make("a").await, make("b").await) });
    let refused = folder.expect(1, "apply --env dev --sandbox --auto-approve");
    assert!(refused.err.contains("has 2 public hosted zones example.org"), "{}", refused.err);
    assert!(refused.err.contains("config/dev.toml:6"), "{}", refused.err);
    folder.write(
        "config/dev.toml",
        &things(&format!("zone_ids = {{ \"example.org\" = \"{second}\" }}")),
    );
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
    let records = async |zone: &str| {
        let found = route53.list_resource_record_sets().hosted_zone_id(zone).send().await;
        let sets = found.expect("records").resource_record_sets.into_iter();
        sets.filter(|set| set.name.contains("api.example.org")).count()
    };
    assert_eq!(block_on(async { (records(&first).await, records(&second).await) }), (0, 1));
}
