//! Changes of a config whose environment exists: objects that move from one resource to another,
//! environments that grow, and changes that repair. On the embedded sandbox.

use std::collections::BTreeMap;
use std::time::Duration;

use payctl::aws::provider::AwsProvider;
use payctl_engine::event::StepError;
use payctl_engine::plan::{Action, Change, Plan, Purpose};
use payctl_engine::provider::{Provider as _, Target};
use payctl_sandbox::Sandbox;
use serde_json::json;
use tokio::time::Instant;

use crate::elb::{NETWORK, blueprint_of, spec_of};
use crate::support::{
    block_on, by_hand, carry_out, expect_settled, plan_now, provider_for, run, sample_provider,
    sandboxed, some,
};

/// An environment that exists, for one config after the other.
struct Standing {
    sandbox: Sandbox,
    provider: AwsProvider,
}

impl Standing {
    async fn on(sandbox: Sandbox, text: &str) -> Self {
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let standing = Self { sandbox, provider };
        standing.becomes(text).await;
        standing
    }

    /// Applies a config, and expects an empty plan after it.
    async fn becomes(&self, text: &str) -> Plan {
        let blueprint = blueprint_of(text);
        let plan = run(&self.provider, &blueprint, Purpose::Apply).await;
        expect_settled(&self.provider, &blueprint, "the change").await;
        plan
    }

    /// Expects that every instance of a fleet comes from the version of the template that its group
    /// names.
    async fn runs_what_it_says(&self, fleet: &str) {
        let client = aws_sdk_autoscaling::Client::new(&by_hand(&self.sandbox));
        let groups = client.describe_auto_scaling_groups().send().await.expect("a list");
        let is_meant = |name: &str| name.contains(fleet);
        let mut groups = groups.auto_scaling_groups().iter();
        let group = groups
            .find(|group| group.auto_scaling_group_name().is_some_and(is_meant))
            .expect("the group");
        let version = group.launch_template().and_then(|template| template.version());
        let live = group.instances().iter().filter(|instance| {
            instance.lifecycle_state().is_none_or(|state| state.as_str() != "Terminating")
        });
        let versions = live.map(|instance| instance.launch_template()?.version());
        let versions: Vec<_> = versions.collect();
        assert!(!versions.is_empty(), "{group:?}");
        assert!(versions.iter().all(|one| *one == version), "{version:?}: {versions:?}");
    }

    async fn goes(&self, text: &str) {
        run(&self.provider, &blueprint_of(text), Purpose::Destroy).await;
        assert_eq!(self.sandbox.counts().expect("a sandbox"), BTreeMap::new());
    }
}

/// The changes of a plan, in the order of the addresses.
fn actions(plan: &Plan) -> Vec<String> {
    let changes = plan.changes.iter();
    let mut actions: Vec<String> =
        changes.map(|change| format!("{:?} {}", change.action, change.address)).collect();
    actions.sort();
    actions
}

/// A network of three tiers.
fn tiers(zones: &str) -> String {
    NETWORK.replace("zones = 2", &format!("{zones}\nisolated_subnets = true"))
}

#[test]
fn adding_or_removing_a_zone_moves_no_subnet() {
    block_on(async {
        let two = tiers("zones = 2");
        let three = tiers("zones = 3\nplanned_zones = 2");
        let standing = Standing::on(Sandbox::in_memory(), &two).await;
        let grown = standing.becomes(&three).await;
        assert_eq!((grown.count(Action::Create), grown.count(Action::Update)), (3, 3));
        assert_eq!(grown.changes.len(), 6, "the tables take the subnets in: {:?}", actions(&grown));
        let cidr = |subnet: &str| spec_of(&blueprint_of(&three), subnet)["cidr"].clone();
        assert_eq!(cidr("ec2.subnet/isolated-2"), "10.0.5.0/24");
        assert_eq!(cidr("ec2.subnet/public-3"), "10.0.6.0/24");
        assert_eq!(cidr("ec2.subnet/isolated-3"), "10.0.8.0/24");
        let shrunk = standing.becomes(&two).await;
        assert_eq!((shrunk.count(Action::Delete), shrunk.count(Action::Update)), (3, 3));
        assert_eq!(shrunk.changes.len(), 6);
        standing.goes(&two).await;
    });
}

#[test]
fn address_ranges_can_be_reserved_for_later_zones() {
    let cidr = |zones: &str, subnet: &str| {
        spec_of(&blueprint_of(&tiers(zones)), &format!("ec2.subnet/{subnet}"))["cidr"].clone()
    };
    for zones in ["zones = 1\nplanned_zones = 4", "zones = 4"] {
        assert_eq!(cidr(zones, "public-1"), "10.0.0.0/24");
        assert_eq!(cidr(zones, "private-1"), "10.0.4.0/24");
        assert_eq!(cidr(zones, "isolated-1"), "10.0.8.0/24");
    }
}

#[test]
fn a_load_balancer_is_protected_while_it_moves_to_another_firewall() {
    block_on(async {
        let text = |first: &str, second: &str| {
            format!(
                "{NETWORK}[load_balancers.main]\nsecurity_groups = [\"lb\"]\n\
                 [firewalls.a]\nrate_limit = 100\nprotects = [{first}]\n\
                 [firewalls.b]\nrate_limit = 200\nprotects = [{second}]\n"
            )
        };
        let main = "\"load_balancers.main\"";
        let standing = Standing::on(Sandbox::in_memory(), &text(main, "")).await;
        let moved = standing.becomes(&text("", main)).await;
        assert_eq!(actions(&moved), ["Update waf.association/lb-main"]);
        let paths: Vec<&str> = moved.changes[0].fields.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["acl"]);
        let free = standing.becomes(&text("", "")).await;
        assert_eq!(free.count(Action::Delete), 1);
        standing.goes(&text("", "")).await;
    });
}

#[test]
fn a_firewall_protects_a_load_balancer_and_an_api_of_one_name() {
    let text = format!(
        "{NETWORK}[load_balancers.main]\nsecurity_groups = [\"lb\"]\n\
         [apis.main.routes.\"GET /\"]\nurl = \"https://example.com/\"\n\
         [firewalls.main]\nrate_limit = 100\n\
         protects = [\"load_balancers.main\", \"apis.main\"]\n"
    );
    let blueprint = blueprint_of(&text);
    for (name, resource) in
        [("lb-main", "elb.load_balancer/main"), ("api-main", "apigateway.stage/main")]
    {
        let spec = spec_of(&blueprint, &format!("waf.association/{name}"));
        assert!(spec["resource"].to_string().contains(resource), "{spec}");
    }
}

#[test]
fn a_target_group_moves_from_one_load_balancer_to_another() {
    block_on(async {
        let text = |a: &str, b: &str| {
            let balancer = |name: &str, action: &str| {
                format!(
                    "[load_balancers.{name}]\nsecurity_groups = [\"lb\"]\n\
                     listeners = [{{ port = 80, {action} }}]\n"
                )
            };
            format!("{NETWORK}[target_groups.blue]\n{}{}", balancer("a", a), balancer("b", b))
        };
        let (to_blue, answer) = ("forward = \"blue\"", "respond = { status = 404 }");
        let standing = Standing::on(Sandbox::in_memory(), &text(answer, to_blue)).await;
        let moved = standing.becomes(&text(to_blue, answer)).await;
        assert_eq!(actions(&moved), ["Update elb.listener/a-80", "Update elb.listener/b-80"]);
        standing.goes(&text(to_blue, answer)).await;
    });
}

/// A fleet with more keys.
fn fleet(more: &str) -> String {
    format!(
        "{NETWORK}[fleets.workers]\nsecurity_groups = [\"workers\"]\nmin = 1\nmax = 2\n\
         scaling = {{ cpu = 70 }}\n{more}\n"
    )
}

#[test]
fn another_image_repairs_a_fleet_with_a_missing_image() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        let small = "instance_type = \"t4g.micro\"";
        let wrong =
            blueprint_of(&fleet(&format!("{small}\nimage_parameter = \"/none/such/arm64\"")));
        let plan = plan_now(&provider, &wrong, Purpose::Apply).await;
        let report = carry_out(&provider, &plan).await;
        let failed: Vec<_> = report.failed.iter().map(|(_, _, error)| error).collect();
        let [StepError::NotReady { status, .. }] = failed[..] else { panic!("{failed:?}") };
        assert!(status.contains("0 of 1 instances in service: "), "{status}");
        // It has everything else that it should have.
        expect_settled(&provider, &wrong, "a failed launch").await;

        let right = blueprint_of(&fleet(small));
        let plan = run(&provider, &right, Purpose::Apply).await;
        let expected = ["Update autoscaling.group/workers", "Update ec2.launch_template/workers"];
        assert_eq!(actions(&plan), expected);
        expect_settled(&provider, &right, "the repair").await;
        run(&provider, &right, Purpose::Destroy).await;
        assert_eq!(sandbox.counts().expect("a sandbox"), BTreeMap::new());
    });
}

#[test]
fn a_new_change_of_a_fleet_replaces_a_running_refresh() {
    block_on(async {
        let text = |size: &str| fleet(&format!("instance_type = \"t4g.{size}\"\nrefresh = true"));
        let standing = Standing::on(Sandbox::in_memory_strict(), &text("micro")).await;
        for size in ["small", "medium"] {
            let began = Instant::now();
            let plan = standing.becomes(&text(size)).await;
            assert_eq!((plan.changes.len(), plan.count(Action::Update)), (2, 2));
            assert!(began.elapsed() < Duration::from_secs(300), "{size}: {:?}", began.elapsed());
            standing.runs_what_it_says("workers").await;
        }
        standing.goes(&text("medium")).await;
    });
}

#[test]
fn a_fleet_launches_with_a_key_of_its_own() {
    block_on(async {
        let text = fleet("instance_type = \"t4g.micro\"\nvolume = { key = \"main\" }\n[keys.main]");
        let policy = spec_of(&blueprint_of(&text), "kms.key/main")["policy"].to_string();
        assert!(policy.contains("\"kms:CreateGrant\""), "{policy}");
        let via = json!({
            "kms:calleraccount": ["000000000000"],
            "kms:viaservice": ["ec2.us-east-1.amazonaws.com"],
        });
        assert!(policy.contains(&via.to_string()), "{policy}");
        Standing::on(Sandbox::in_memory(), &text).await;
    });
}

#[test]
fn apply_waits_for_deletions_of_objects_without_tags() {
    for (kind, is_listed) in
        [("dynamodb.table", true), ("lambda.event_source", true), ("elb.load_balancer", false)]
    {
        block_on(async {
            let sandbox = Sandbox::in_memory_strict();
            let provider = sample_provider(&sandboxed(&sandbox)).await;
            let blueprint = some(&provider, &[kind]);
            run(&provider, &blueprint, Purpose::Apply).await;
            let plan = plan_now(&provider, &blueprint, Purpose::Destroy).await;
            let is_meant = |change: &&Change| change.address.kind == kind;
            let change = plan.changes.iter().find(is_meant).expect("it is to be deleted");
            let live = change.live.clone().expect("it is there");
            let target = Target {
                address: change.address.clone(),
                name: change.name.clone(),
                id: Some(live.id.clone()),
                tags: live.tags.clone(),
            };
            provider.delete(&target, &live).await.expect("its deletion begins");
            if is_listed {
                let now = plan_now(&provider, &blueprint, Purpose::Destroy).await;
                let change = now.changes.iter().find(is_meant);
                let because = change.and_then(|change| change.because.as_deref());
                assert_eq!(because, Some("AWS is deleting it already"), "{kind}");
            }
            let report = carry_out(&provider, &plan).await;
            assert!(report.is_complete(), "{kind}: {:#?}", report.failed);
        });
    }
}
