//! The life of a network: payctl repairs what others break, replaces in the right order, and does not
//! wait after a final refusal. On the embedded sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange};
use payctl::aws::provider::AwsProvider;
use payctl::blueprint::Facts;
use payctl_engine::apply::Report;
use payctl_engine::event::{StepError, Verb};
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::live::Tags;
use payctl_engine::model::scope::Scope;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::model::zone::Zone;
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::elb::{NETWORK, built, spec_of};
use crate::support::{
    block_on, carry_out, expect_settled, plan_now, run, sample_provider, sandboxed,
};

const ANYWHERE: &str = "0.0.0.0/0";
const IMAGE: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64";

/// A sandbox with payctl, and a client for what others do by hand.
struct Ground {
    sandbox: Sandbox,
    provider: AwsProvider,
    by_hand: aws_sdk_ec2::Client,
    blueprint: Blueprint,
}

impl Ground {
    async fn new() -> Self {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("sandbox", "sandbox", None, None, "test"))
            .http_client(sandbox.transport())
            .build();
        let scope = provider.aws().scope.clone();
        let blueprint = network(&scope);
        let by_hand = aws_sdk_ec2::Client::from_conf(config);
        Self { sandbox, provider, by_hand, blueprint }
    }

    fn put(&mut self, kind: &str, name: &str, spec: Value) {
        put(&mut self.blueprint, kind, name, spec, &[]);
    }

    /// Changes one field of a resource in the config.
    fn set(&mut self, at: &str, field: &str, value: Value) {
        let desired = self.blueprint.resources.get_mut(&address(at)).expect("it is there");
        desired.spec[field] = value;
    }

    async fn plan(&self) -> Plan {
        plan_now(&self.provider, &self.blueprint, Purpose::Apply).await
    }

    /// Plans, applies, and expects an empty plan after it.
    async fn apply(&self) -> (Plan, Report) {
        let plan = self.plan().await;
        let report = carry_out(&self.provider, &plan).await;
        assert!(report.is_complete(), "failed: {:#?}", report.failed);
        expect_settled(&self.provider, &self.blueprint, "apply").await;
        (plan, report)
    }

    async fn destroy(&self) {
        run(&self.provider, &self.blueprint, Purpose::Destroy).await;
        assert_eq!(self.sandbox.counts().expect("a sandbox"), BTreeMap::new());
    }

    /// The id of the one live object of an address.
    async fn id(&self, at: &str) -> String {
        let plan = plan_now(&self.provider, &self.blueprint, Purpose::Destroy).await;
        let own: Vec<_> =
            plan.changes.iter().filter(|change| change.address == address(at)).collect();
        assert_eq!(own.len(), 1, "one object for {at}");
        own[0].live.as_ref().expect("what is deleted is live").id.clone()
    }
}

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn reference(to: &str, output: Output) -> Value {
    json!(Text::reference(address(to), output))
}

fn id(to: &str) -> Value {
    reference(to, Output::Id)
}

fn put(blueprint: &mut Blueprint, kind: &str, name: &str, spec: Value, after: &[&str]) {
    let address = Address::new(kind, name);
    let physical = spec.get("name").and_then(Value::as_str).unwrap_or(name).to_owned();
    let desired = Desired {
        address: address.clone(),
        name: physical,
        component: "network".into(),
        origin: "config/sample.toml:1".into(),
        spec,
        tags: blueprint.scope.ownership(&address),
        tags_once: Tags::new(),
        after: after.iter().map(|text| text.parse().expect("an address")).collect(),
    };
    blueprint.resources.insert(address, desired);
}

/// A VPC with a public and a private subnet and a way out.
fn network(scope: &Scope) -> Blueprint {
    let mut blueprint = Blueprint {
        scope: scope.clone(),
        protect: false,
        disposable: false,
        resources: BTreeMap::new(),
        outputs: BTreeMap::new(),
    };
    let vpc = json!({
        "cidr": "10.0.0.0/16", "dns_support": true, "dns_hostnames": true,
        "default_group_closed": true,
    });
    put(&mut blueprint, "ec2.vpc", "main", vpc, &[]);
    for (name, cidr, public) in [("public", "10.0.0.0/24", true), ("private", "10.0.1.0/24", false)]
    {
        let subnet = json!({
            "vpc": id("ec2.vpc/main"), "cidr": cidr, "zone": "us-east-1a",
            "public_addresses": public,
        });
        put(&mut blueprint, "ec2.subnet", name, subnet, &[]);
    }
    let gateway = json!({ "vpc": id("ec2.vpc/main"), "attached": true });
    put(&mut blueprint, "ec2.internet_gateway", "main", gateway, &[]);
    let out = json!({ ANYWHERE: { "internet_gateway": id("ec2.internet_gateway/main") } });
    table(&mut blueprint, "public", out);
    blueprint
}

fn table(blueprint: &mut Blueprint, name: &str, routes: Value) {
    let subnet = id(&format!("ec2.subnet/{name}"));
    let spec = json!({ "vpc": id("ec2.vpc/main"), "routes": routes, "subnets": [subnet] });
    put(blueprint, "ec2.route_table", name, spec, &[]);
}

const BEFORE_NAT: &[&str] = &["ec2.internet_gateway/main", "ec2.route_table/public"];

/// Adds a NAT instance and the private route to it.
fn with_instance(blueprint: &mut Blueprint) {
    group(blueprint, "nat", "NAT", json!({ "cidr": "10.0.0.0/16" }));
    let instance = json!({
        "image_parameter": IMAGE, "instance_type": "t4g.nano",
        "subnet": id("ec2.subnet/public"), "groups": [id("ec2.security_group/nat")],
        "user_data": "#!/bin/bash\n", "source_dest_check": false, "encrypted": true,
    });
    put(blueprint, "ec2.instance", "nat", instance, BEFORE_NAT);
    let interface = reference("ec2.instance/nat", Output::InterfaceId);
    table(blueprint, "private", json!({ ANYWHERE: { "interface": interface } }));
}

/// Adds a NAT gateway and the private route to it.
fn with_gateway(blueprint: &mut Blueprint) {
    put(blueprint, "ec2.elastic_ip", "nat", json!({}), &["ec2.internet_gateway/main"]);
    let nat = json!({ "subnet": id("ec2.subnet/public"), "address": id("ec2.elastic_ip/nat") });
    put(blueprint, "ec2.nat_gateway", "nat", nat, BEFORE_NAT);
    let nat = id("ec2.nat_gateway/nat");
    table(blueprint, "private", json!({ ANYWHERE: { "nat_gateway": nat } }));
}

/// Adds a security group that lets one peer in on any port.
fn group(blueprint: &mut Blueprint, name: &str, description: &str, peer: Value) {
    let spec = json!({
        "name": format!("sample-{name}"), "description": description, "vpc": id("ec2.vpc/main"),
    });
    put(blueprint, "ec2.security_group", name, spec, &[]);
    let rules = json!({
        "group": id(&format!("ec2.security_group/{name}")),
        "rules": [{
            "direction": "ingress", "protocol": "-1", "from_port": null, "to_port": null,
            "peer": peer, "description": null,
        }],
    });
    put(blueprint, "ec2.security_group_rules", name, rules, &[]);
}

/// What a plan does, by address.
fn actions(plan: &Plan) -> BTreeMap<String, Action> {
    plan.changes.iter().map(|change| (change.address.to_string(), change.action)).collect()
}

fn expected(pairs: &[(&str, Action)]) -> BTreeMap<String, Action> {
    pairs.iter().map(|(address, action)| ((*address).to_owned(), *action)).collect()
}

/// When a step was done, from 0.
fn when(report: &Report, at: &str, verb: Verb) -> usize {
    let step = (address(at), verb);
    report.done.iter().position(|done| *done == step).expect("the step was done")
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// The facts of an account in us-east-1 whose third zone is the old one.
fn virginia(zones: &[(&str, &str)]) -> Facts {
    let zone = |(letter, id): &(&str, &str)| Zone {
        name: format!("us-east-1{letter}"),
        id: format!("use1-{id}"),
    };
    Facts {
        account: "123456789012".into(),
        zones: zones.iter().map(zone).collect(),
        ..Facts::placeholder("us-east-1")
    }
}

#[test]
fn a_zone_that_lacks_a_wanted_feature_is_skipped() {
    let wide = NETWORK.replace("zones = 2", "zones = 3");
    let link = "[vpc_links.main]\nsecurity_groups = [\"lb\"]\n";
    let nat = wide.replace("kind = \"none\"", "kind = \"instance\"");
    let named = wide.replace(
        "zones = 3",
        "zones = 3\nzone_names = [\"us-east-1a\", \"us-east-1b\", \"us-east-1c\"]",
    );
    let facts = virginia(&[("a", "az1"), ("b", "az2"), ("c", "az3"), ("d", "az4")]);
    for (text, zone) in [
        (wide.clone(), "us-east-1c"),
        (format!("{wide}{link}"), "us-east-1d"),
        (nat, "us-east-1d"),
        // A config that names the zone gets it.
        (format!("{named}{link}"), "us-east-1c"),
    ] {
        let blueprint = built(&text, &facts).expect("a blueprint");
        assert_eq!(spec_of(&blueprint, "ec2.subnet/private-3")["zone"], zone, "{text}");
    }
    let few = virginia(&[("a", "az1"), ("b", "az2"), ("c", "az3")]);
    let wrong = built(&format!("{wide}{link}"), &few).unwrap_err();
    for said in [
        "us-east-1 has 3 zones for this account; us-east-1c (use1-az3) does not support VPC links",
        "| zones = 3",
        "use at most 2, or name the zones in `zone_names`",
    ] {
        assert!(wrong.contains(said), "{wrong}");
    }
}

#[test]
fn a_detached_internet_gateway_is_attached_again() {
    block_on(async {
        let ground = Ground::new().await;
        ground.apply().await;
        let (vpc, gateway) =
            (ground.id("ec2.vpc/main").await, ground.id("ec2.internet_gateway/main").await);
        let call = ground.by_hand.detach_internet_gateway().internet_gateway_id(&gateway);
        call.vpc_id(vpc).send().await.unwrap();
        let (plan, _) = ground.apply().await;
        // The route to it had become a black hole.
        let both = [
            ("ec2.internet_gateway/main", Action::Update),
            ("ec2.route_table/public", Action::Update),
        ];
        assert_eq!(actions(&plan), expected(&both));
        assert_eq!(ground.id("ec2.internet_gateway/main").await, gateway);
        ground.destroy().await;
    });
}

#[test]
fn a_terminated_nat_instance_is_made_again_and_its_black_hole_repaired() {
    block_on(async {
        let mut ground = Ground::new().await;
        with_instance(&mut ground.blueprint);
        ground.apply().await;
        let instance = ground.id("ec2.instance/nat").await;
        let call = ground.by_hand.terminate_instances().instance_ids(instance);
        call.send().await.unwrap();
        ground.by_hand.describe_instances().send().await.unwrap();
        let (plan, _) = ground.apply().await;
        let both =
            [("ec2.instance/nat", Action::Create), ("ec2.route_table/private", Action::Update)];
        assert_eq!(actions(&plan), expected(&both));
        ground.destroy().await;
    });
}

#[test]
fn a_stopped_nat_instance_is_replaced() {
    block_on(async {
        let mut ground = Ground::new().await;
        with_instance(&mut ground.blueprint);
        ground.apply().await;
        let instance = ground.id("ec2.instance/nat").await;
        ground.by_hand.stop_instances().instance_ids(&instance).send().await.unwrap();
        ground.by_hand.describe_instances().send().await.unwrap();
        let (plan, report) = ground.apply().await;
        let both =
            [("ec2.instance/nat", Action::Replace), ("ec2.route_table/private", Action::Update)];
        assert_eq!(actions(&plan), expected(&both));
        let at = |verb| when(&report, "ec2.instance/nat", verb);
        assert!(at(Verb::Delete) < at(Verb::Create), "{:?}", report.done);
        assert_ne!(ground.id("ec2.instance/nat").await, instance);
        ground.destroy().await;
    });
}

#[test]
fn new_user_data_replaces_the_instance_after_moving_the_route() {
    block_on(async {
        let mut ground = Ground::new().await;
        with_instance(&mut ground.blueprint);
        ground.apply().await;
        ground.set("ec2.instance/nat", "user_data", json!("#!/bin/bash\ntrue\n"));
        let (plan, report) = ground.apply().await;
        let both =
            [("ec2.instance/nat", Action::Replace), ("ec2.route_table/private", Action::Update)];
        assert_eq!(actions(&plan), expected(&both));
        let made = when(&report, "ec2.instance/nat", Verb::Create);
        let moved = when(&report, "ec2.route_table/private", Verb::Update);
        let died = when(&report, "ec2.instance/nat", Verb::Delete);
        assert!(made < moved && moved < died, "{:?}", report.done);
        ground.destroy().await;
    });
}

#[test]
fn a_rule_added_by_hand_is_removed() {
    block_on(async {
        let mut ground = Ground::new().await;
        group(&mut ground.blueprint, "app", "App", json!({ "cidr": "10.0.0.0/16" }));
        ground.apply().await;
        let group = ground.id("ec2.security_group/app").await;
        let open = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(22)
            .to_port(22)
            .ip_ranges(IpRange::builder().cidr_ip(ANYWHERE).build())
            .build();
        let call = ground.by_hand.authorize_security_group_ingress().group_id(&group);
        call.ip_permissions(open).send().await.unwrap();
        let (plan, _) = ground.apply().await;
        let one = [("ec2.security_group_rules/app", Action::Update)];
        assert_eq!(actions(&plan), expected(&one));
        let call = ground.by_hand.describe_security_group_rules();
        let left = call.filters(filter("group-id", &group)).send().await.unwrap();
        assert_eq!(left.security_group_rules().len(), 1);
        ground.destroy().await;
    });
}

#[test]
fn groups_that_refer_to_each_other_are_made_replaced_and_destroyed() {
    block_on(async {
        let mut ground = Ground::new().await;
        group(&mut ground.blueprint, "a", "A", json!({ "group": id("ec2.security_group/b") }));
        group(&mut ground.blueprint, "b", "B", json!({ "group": id("ec2.security_group/a") }));
        ground.apply().await;
        // The old group can go only after the rule of the other one that names it, and that rule
        // can come back only after the new group.
        ground.set("ec2.security_group/a", "description", json!("Another"));
        let (plan, report) = ground.apply().await;
        let three = [
            ("ec2.security_group/a", Action::Replace),
            ("ec2.security_group_rules/a", Action::Replace),
            ("ec2.security_group_rules/b", Action::Replace),
        ];
        assert_eq!(actions(&plan), expected(&three));
        assert!(report.elapsed < Duration::from_secs(60), "{:?}", report.elapsed);
        ground.destroy().await;
    });
}

#[test]
fn an_instance_is_replaced_for_a_new_security_group() {
    block_on(async {
        let mut ground = Ground::new().await;
        with_instance(&mut ground.blueprint);
        ground.apply().await;
        ground.set("ec2.security_group/nat", "description", json!("Another"));
        let (plan, report) = ground.apply().await;
        let four = [
            ("ec2.instance/nat", Action::Replace),
            ("ec2.route_table/private", Action::Update),
            ("ec2.security_group/nat", Action::Replace),
            ("ec2.security_group_rules/nat", Action::Replace),
        ];
        assert_eq!(actions(&plan), expected(&four));
        assert!(report.elapsed < Duration::from_secs(60), "{:?}", report.elapsed);
        ground.destroy().await;
    });
}

#[test]
fn a_new_nat_gateway_keeps_its_address_and_its_route_table() {
    block_on(async {
        let mut ground = Ground::new().await;
        with_gateway(&mut ground.blueprint);
        ground.apply().await;
        // In another zone the subnet and everything in it are replaced.
        ground.set("ec2.subnet/public", "zone", json!("us-east-1b"));
        let (plan, report) = ground.apply().await;
        let four = [
            ("ec2.nat_gateway/nat", Action::Replace),
            ("ec2.route_table/private", Action::Update),
            ("ec2.route_table/public", Action::Update),
            ("ec2.subnet/public", Action::Replace),
        ];
        assert_eq!(actions(&plan), expected(&four));
        assert!(report.elapsed < Duration::from_secs(60), "{:?}", report.elapsed);
        ground.destroy().await;
    });
}

#[test]
fn a_new_address_range_replaces_the_network_without_stalling() {
    block_on(async {
        for nat in [with_instance, with_gateway] {
            let mut ground = Ground::new().await;
            nat(&mut ground.blueprint);
            ground.apply().await;
            ground.set("ec2.vpc/main", "cidr", json!("10.1.0.0/16"));
            ground.set("ec2.subnet/public", "cidr", json!("10.1.0.0/24"));
            ground.set("ec2.subnet/private", "cidr", json!("10.1.1.0/24"));
            let (_, report) = ground.apply().await;
            assert!(report.elapsed < Duration::from_secs(120), "{:?}", report.elapsed);
            ground.destroy().await;
        }
    });
}

#[test]
fn a_failed_nat_gateway_is_explained_and_replaced() {
    block_on(async {
        let mut ground = Ground::new().await;
        with_gateway(&mut ground.blueprint);
        // No step waits for the internet gateway, which does not exist.
        let whole = ground.blueprint.clone();
        for desired in ground.blueprint.resources.values_mut() {
            desired.after = BTreeSet::new();
        }
        let out = [address("ec2.internet_gateway/main"), address("ec2.route_table/public")];
        ground.blueprint.resources.retain(|address, _| !out.contains(address));
        let plan = ground.plan().await;
        let report = carry_out(&ground.provider, &plan).await;
        let (failed, _, error) = &report.failed[0];
        assert_eq!(*failed, address("ec2.nat_gateway/nat"));
        let StepError::FailedLater(reason) = error else { panic!("{error:?}") };
        assert!(reason.contains("has no Internet gateway attached"), "{reason}");

        ground.blueprint = whole;
        let (plan, _) = ground.apply().await;
        assert_eq!(actions(&plan)["ec2.nat_gateway/nat"], Action::Replace);
        ground.destroy().await;
    });
}

#[test]
fn routes_wait_until_a_nat_instance_passes_its_checks() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = network(&provider.aws().scope);
        with_instance(&mut blueprint);
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let report = carry_out(&provider, &plan).await;
        assert!(report.is_complete(), "failed: {:#?}", report.failed);
        assert!(report.elapsed > Duration::from_secs(80), "{:?}", report.elapsed);
        let made = when(&report, "ec2.instance/nat", Verb::Create);
        assert!(made < when(&report, "ec2.route_table/private", Verb::Create));
        expect_settled(&provider, &blueprint, "creation").await;
    });
}

#[test]
fn a_name_taken_by_others_fails_before_the_deadline() {
    block_on(async {
        let mut ground = Ground::new().await;
        ground.apply().await;
        let vpc = ground.id("ec2.vpc/main").await;
        let call = ground.by_hand.create_security_group().group_name("sample-app");
        call.description("Theirs").vpc_id(vpc).send().await.unwrap();
        group(&mut ground.blueprint, "app", "App", json!({ "cidr": ANYWHERE }));
        let plan = ground.plan().await;
        let report = carry_out(&ground.provider, &plan).await;
        let (_, _, error) = &report.failed[0];
        let StepError::Refused(error) = error else { panic!("{error:?}") };
        assert_eq!(error.code, "InvalidGroup.Duplicate");
        assert!(report.elapsed < Duration::from_secs(240), "{:?}", report.elapsed);
    });
}

#[test]
fn an_invalid_policy_fails_at_once() {
    block_on(async {
        let mut ground = Ground::new().await;
        ground.blueprint.resources.clear();
        // The statement has no `Resource`.
        let policy = json!({ "Effect": "Allow", "Action": "s3:GetObject" });
        let role = json!({
            "name": "sample-role", "path": "/payctl/payment/sample/us-east-1/", "description": "",
            "trust": { "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "Service": "ec2.amazonaws.com" },
            }] },
            "inline": { "p": { "Version": "2012-10-17", "Statement": [policy] } },
            "managed": [], "max_session": 3600, "boundary": null,
        });
        ground.put("iam.role", "sample", role);
        let plan = ground.plan().await;
        let report = carry_out(&ground.provider, &plan).await;
        let error = report.failed.first().map(|(_, _, error)| error);
        let Some(StepError::Refused(error)) = error else { panic!("{error:?}") };
        assert_eq!(error.code, "MalformedPolicyDocument");
        assert!(report.elapsed < Duration::from_secs(10), "{:?}", report.elapsed);
        ground.destroy().await;
    });
}
