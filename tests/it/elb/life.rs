//! Rules of listeners, functions behind load balancers and further certificates live on the sandbox.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{
    Action as AwsAction, ActionTypeEnum, FixedResponseActionConfig, RuleCondition,
};
use payctl::blueprint::{Facts, build};
use payctl::config::load;
use payctl_engine::model::address::Address;
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_sandbox::{Fault, Faults, Sandbox};
use serde_json::{Value, json};

use super::{environment, spec_of};
use crate::support::{
    applied_under, block_on, carry_out, configured, expect_settled, plan_now, run, sandboxed,
};

/// A load balancer in front of two functions and of addresses.
const RULED: &str = r#"
[load_balancers.front]
security_groups = ["lb"]
[[load_balancers.front.listeners]]
port = 80
respond = { status = 404 }
[load_balancers.front.listeners.rules.validate]
priority = 10
when = { path = "/validate", method = ["POST", "PUT"] }
forward = "validate"
[load_balancers.front.listeners.rules.beta]
priority = 20
when = { header = { X-Version = "2*" }, query = { beta = ["1", "yes"] } }
forward = { validate = 1, api = 99 }
sticky_seconds = 60
[load_balancers.front.listeners.rules.inner]
priority = 30
when = { host = "*.example.com", source_ip = ["10.0.0.0/8", "2001:db8::/32"] }
redirect = { host = "inner.example.com" }
[target_groups.validate]
function = "f"
multi_value_headers = true
[target_groups.api]
"#;

fn actions_of(plan: &Plan) -> BTreeMap<String, Action> {
    plan.changes.iter().map(|one| (one.address.to_string(), one.action)).collect()
}

/// The client of an account that also changes things by hand.
fn client(sandbox: &Sandbox) -> aws_sdk_elasticloadbalancingv2::Client {
    let config = aws_sdk_elasticloadbalancingv2::Config::builder()
        .behavior_version(aws_sdk_elasticloadbalancingv2::config::BehaviorVersion::latest())
        .region(aws_sdk_elasticloadbalancingv2::config::Region::new("us-east-1"))
        .credentials_provider(aws_credential_types::Credentials::from_keys("S", "s", None))
        .http_client(sandbox.transport());
    aws_sdk_elasticloadbalancingv2::Client::from_conf(config.build())
}

#[test]
fn a_function_is_allowed_then_registered_then_used() {
    let folder = environment(RULED);
    let facts = Facts { account: "000000000000".into(), ..Facts::placeholder("us-east-1") };
    let loaded = load(folder.path(), "dev", &|_| None).expect("a config");
    let blueprint = build(&loaded, &facts).unwrap_or_else(|found| panic!("{found:#?}"));
    let group = spec_of(&blueprint, "elb.target_group/validate");
    assert_eq!(group["target_type"], "lambda");
    for field in ["vpc", "protocol", "port", "health", "stickiness"] {
        assert_eq!(group[field], Value::Null, "{field}");
    }
    assert_eq!(group["multi_value_headers"], true);
    let callers = &spec_of(&blueprint, "lambda.permissions/f")["callers"];
    let caller = &callers["target-group-validate"];
    assert_eq!(caller["principal"], "elasticloadbalancing.amazonaws.com");
    assert!(caller["source"].to_string().contains("elb.target_group/validate"), "{caller}");
    let after = |address: &str| {
        let address: Address = address.parse().expect("an address");
        let all = blueprint.resources[&address].after.iter();
        all.map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(after("elb.target/validate"), ["lambda.permissions/f"]);
    assert_eq!(after("elb.listener_rule/front-80-validate"), ["elb.target/validate"]);
    assert_eq!(after("elb.listener_rule/front-80-inner"), [""; 0]);
    let rule = spec_of(&blueprint, "elb.listener_rule/front-80-beta");
    let conditions = json!([
        { "header": { "name": "X-Version", "values": ["2*"] } },
        { "query": [{ "key": "beta", "value": "1" }, { "key": "beta", "value": "yes" }] },
    ]);
    assert_eq!((&rule["priority"], &rule["conditions"]), (&json!(20), &conditions));
    assert_eq!(rule["action"]["forward"]["sticky_seconds"], 60);
}

#[test]
fn rules_and_functions_live_on_the_sandbox() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let connection = sandboxed(&sandbox);
        let applied = async |text: &str, when: &str| {
            let folder = environment(text);
            let configured = Box::pin(configured(&connection, folder.path(), "dev"));
            let (provider, blueprint) = configured.await;
            let plan = run(&provider, &blueprint, Purpose::Apply).await;
            expect_settled(&provider, &blueprint, when).await;
            actions_of(&plan)
        };
        applied(RULED, "creation").await;
        let rule = |name: &str| format!("elb.listener_rule/front-80-{name}");

        // Two rules swap their priorities, and a third one moves into the place of a deleted one.
        let swapped = RULED
            .replace("priority = 10", "priority = 11")
            .replace("priority = 20", "priority = 10")
            .replace("priority = 11", "priority = 20");
        let changed = applied(&swapped, "swapping priorities").await;
        let updates = [(rule("beta"), Action::Update), (rule("validate"), Action::Update)];
        assert_eq!(changed, BTreeMap::from(updates));
        let renamed = swapped.replace("rules.inner", "rules.outer");
        let changed = applied(&renamed, "renaming a rule").await;
        let moves = [(rule("inner"), Action::Delete), (rule("outer"), Action::Create)];
        assert_eq!(changed, BTreeMap::from(moves));

        // Weights, conditions and checks change in place.
        let changed = renamed
            .replace("api = 99", "api = 50")
            .replace("path = \"/validate\"", "path = [\"/validate\", \"/check\"]")
            .replace("multi_value_headers = true", "health = { path = \"/health\" }");
        let actions = applied(&changed, "changes in place").await;
        assert!(actions.values().all(|action| *action == Action::Update), "{actions:?}");
        assert_eq!(actions.len(), 3, "{actions:?}");

        // Another function means another group beside the old one.
        let other = changed.replace("function = \"f\"", "function = \"g\"");
        let actions = applied(&other, "another function").await;
        assert_eq!(actions["elb.target_group/validate"], Action::Replace, "{actions:?}");
        assert_eq!(actions["elb.target/validate"], Action::Replace, "{actions:?}");

        // So does an alias of it.
        let called = other.replace("function = \"g\"", "function = \"g:live\"");
        let called = format!("{called}[functions.g.aliases.live]\n");
        let actions = applied(&called, "an alias").await;
        assert_eq!(actions["elb.target/validate"], Action::Replace, "{actions:?}");

        // Somebody takes the function out of its group.
        let elb = client(&sandbox);
        let groups = elb.describe_target_groups().send().await.expect("groups");
        let group = groups.target_groups().iter().find(|one| one.vpc_id().is_none());
        let group = group.and_then(|one| one.target_group_arn()).expect("the group of g");
        let health = elb.describe_target_health().target_group_arn(group).send().await;
        let health = health.expect("targets");
        let target = health.target_health_descriptions()[0].target().expect("g").clone();
        let id = target.id().unwrap_or_default();
        assert!(id.ends_with(":function:dev-payment-lambda-g:live"), "{target:?}");
        let gone = elb.deregister_targets().target_group_arn(group).targets(target);
        gone.send().await.expect("it is registered");
        let actions = applied(&called, "a registration taken away").await;
        let again = [("elb.target/validate".to_owned(), Action::Create)];
        assert_eq!(actions, BTreeMap::from(again));

        let folder = environment(&called);
        let (provider, blueprint) = configured(&connection, folder.path(), "dev").await;
        run(&provider, &blueprint, Purpose::Destroy).await;
        let left = plan_now(&provider, &blueprint, Purpose::Destroy).await;
        assert!(left.is_empty(), "left after destroy: {:?}", left.changes);
        assert_eq!(sandbox.counts().expect("a sandbox"), BTreeMap::new());
    });
}

#[test]
fn faults_at_rules_and_registrations_leave_one_of_each() {
    block_on(async {
        let folder = environment(RULED);
        let sandbox = Sandbox::in_memory();
        let faults = Faults::new(sandbox.transport());
        assert!(applied_under(&sandbox, Some(&faults), folder.path()).await.is_complete());
        let clean = sandbox.counts().expect("counts");
        let made = ["elasticloadbalancing.CreateRule", "elasticloadbalancing.RegisterTargets"];
        let calls = faults.calls();
        let at: Vec<usize> = (0..calls.len()).filter(|at| made.contains(&&*calls[*at])).collect();
        assert_eq!(at.len(), 4, "{calls:#?}");
        for (at, fault) in at.iter().flat_map(|at| Fault::ALL.iter().map(move |it| (*at, *it))) {
            let sandbox = Sandbox::in_memory();
            let faults = Faults::new(sandbox.transport()).at(at + 1, fault);
            tokio::select! {
                // Only death may leave anything undone.
                report = applied_under(&sandbox, Some(&faults), folder.path()) => {
                    assert!(report.is_complete(), "{fault:?}: {:#?}", report.failed);
                }
                () = faults.stopped() => {
                    let report = applied_under(&sandbox, None, folder.path()).await;
                    assert!(report.is_complete(), "after {fault:?}: {:#?}", report.failed);
                }
            }
            assert_eq!(sandbox.counts().expect("counts"), clean, "{} {fault:?}", calls[at]);
        }
    });
}

#[test]
fn rules_of_others_stay_and_keep_their_priorities() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let connection = sandboxed(&sandbox);
        let folder = environment(RULED);
        let (provider, blueprint) = configured(&connection, folder.path(), "dev").await;
        run(&provider, &blueprint, Purpose::Apply).await;
        let elb = client(&sandbox);
        let balancers = elb.describe_load_balancers().send().await.expect("load balancers");
        let balancer = balancers.load_balancers()[0].load_balancer_arn().expect("an ARN");
        let listeners = elb.describe_listeners().load_balancer_arn(balancer).send().await;
        let listeners = listeners.expect("listeners");
        let listener = listeners.listeners()[0].listener_arn().expect("an ARN");
        let condition = RuleCondition::builder().field("path-pattern").values("/other").build();
        let answer = FixedResponseActionConfig::builder().status_code("200").build();
        let action = AwsAction::builder().r#type(ActionTypeEnum::FixedResponse);
        let action = action.fixed_response_config(answer).build();
        let call = elb.create_rule().listener_arn(listener).priority(40);
        call.conditions(condition).actions(action).send().await.expect("a rule");
        expect_settled(&provider, &blueprint, "a rule of others").await;

        // payctl's rule cannot have that priority. It says so, and its rule stays beside it.
        let folder = environment(&RULED.replace("priority = 30", "priority = 40"));
        let (provider, blueprint) = configured(&connection, folder.path(), "dev").await;
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let report = carry_out(&provider, &plan).await;
        let (address, _, error) = &report.failed[0];
        assert_eq!(address.to_string(), "elb.listener_rule/front-80-inner");
        assert!(format!("{error:?}").contains("PriorityInUse"), "{error:?}");
        let rules = elb.describe_rules().listener_arn(listener).send().await.expect("rules");
        let places: Vec<_> = rules.rules().iter().filter_map(|one| one.priority()).collect();
        assert_eq!(places, ["10", "20", "40", "41", "default"]);
    });
}

#[test]
fn further_certificates_are_left_alone_unless_the_config_names_them() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let connection = sandboxed(&sandbox);
        let arn = |id: &str| format!("\"arn:aws:acm:us-east-1:000000000000:certificate/{id}\"");
        let text = |others: &str| {
            format!(
                "[load_balancers.front]\nsecurity_groups = [\"lb\"]\nlisteners = [{{ port = 443, \
                 certificate = {}, {others} respond = {{ status = 404 }} }}]\n",
                arn("a")
            )
        };
        let applied = async |others: &str| {
            let folder = environment(&text(others));
            let configured = Box::pin(configured(&connection, folder.path(), "dev"));
            let (provider, blueprint) = configured.await;
            let plan = run(&provider, &blueprint, Purpose::Apply).await;
            expect_settled(&provider, &blueprint, others).await;
            actions_of(&plan)
        };
        applied(&format!("other_certificates = [{}, {}],", arn("b"), arn("c"))).await;
        let listener = "elb.listener/front-443".to_owned();
        let update = BTreeMap::from([(listener, Action::Update)]);
        assert_eq!(applied(&format!("other_certificates = [{}],", arn("b"))).await, update);
        assert_eq!(applied("").await, BTreeMap::new());
        assert_eq!(applied("other_certificates = [],").await, update);
    });
}
