//! How an API lives: deployments, authorizers, routes, links and logs.

use std::collections::{BTreeMap, BTreeSet};

use payctl::aws::provider::AwsProvider;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_engine::provider::Provider as _;
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};

use super::{Folder, PAYMENTS, address};
use crate::support::{block_on, by_hand, expect_settled, provider_for, run, sandboxed};

/// An environment with one API, on a sandbox.
struct Scene {
    provider: AwsProvider,
    blueprint: Blueprint,
    sandbox: Sandbox,
}

impl Scene {
    async fn new(text: &str) -> Self {
        let sandbox = Sandbox::in_memory();
        let provider = provider_for(&sandboxed(&sandbox), "dev").await;
        Self { provider, blueprint: Folder::with(text).blueprint(), sandbox }
    }

    async fn apply(&self) -> Plan {
        let plan = run(&self.provider, &self.blueprint, Purpose::Apply).await;
        expect_settled(&self.provider, &self.blueprint, "apply").await;
        plan
    }

    fn set(&mut self, kind: &str, pointer: &str, value: Value) {
        let spec = &mut self.blueprint.resources.get_mut(&address(kind)).expect("it").spec;
        *spec.pointer_mut(pointer).expect("the field is there") = value;
    }

    async fn output(&self, kind: &str, output: Output) -> String {
        let found = self.provider.survey(kind, &BTreeMap::new(), None).await.expect("a survey");
        found[0].live.outputs[&output].clone()
    }
}

fn kinds(plan: &Plan) -> BTreeSet<(&str, Action)> {
    plan.changes.iter().map(|change| (change.address.kind.as_str(), change.action)).collect()
}

#[test]
fn an_api_is_redeployed_exactly_when_it_changed() {
    block_on(async {
        let mut scene = Scene::new(PAYMENTS).await;
        scene.apply().await;
        let api = aws_sdk_apigateway::Client::new(&by_hand(&scene.sandbox));
        let id = scene.output("apigateway.rest_api", Output::Id).await;
        let url = scene.output("apigateway.stage", Output::Url).await;
        assert_eq!(url, format!("https://{id}.execute-api.us-east-1.amazonaws.com/prod"));
        let deployed = || async {
            let found = api.get_deployments().rest_api_id(&id).send().await.expect("a list");
            assert_eq!(found.items().len(), 1, "old deployments go");
            found.items()[0].id.clone()
        };
        let first = deployed().await;

        // A change outside the deployment does not need another deployment.
        scene.set("apigateway.rest_api", "/description", json!("Payments"));
        let plan = scene.apply().await;
        assert_eq!(kinds(&plan), BTreeSet::from([("apigateway.rest_api", Action::Update)]));
        assert_eq!(deployed().await, first);

        scene.set(
            "apigateway.rest_api",
            "/routes/POST ~1process/integration/timeout_ms",
            json!(5000),
        );
        let plan = scene.apply().await;
        let both = [("apigateway.rest_api", Action::Update), ("apigateway.stage", Action::Update)];
        assert_eq!(kinds(&plan), BTreeSet::from(both));
        let second = deployed().await;
        assert_ne!(second, first);

        // A change by hand is undone, and the deployment by hand is replaced.
        let listed = api.get_resources().rest_api_id(&id).send().await.expect("a list");
        let root = listed.items().iter().find(|one| one.path() == Some("/"));
        let root = root.and_then(|one| one.id.clone()).expect("a root");
        let put = api.put_method().rest_api_id(&id).resource_id(&root).http_method("GET");
        put.authorization_type("NONE").send().await.expect("a method");
        let put = api.put_integration().rest_api_id(&id).resource_id(&root).http_method("GET");
        let mock = aws_sdk_apigateway::types::IntegrationType::Mock;
        put.r#type(mock).send().await.expect("an integration");
        let theirs = api.create_deployment().rest_api_id(&id).send().await.expect("a deployment");
        let patch = aws_sdk_apigateway::types::PatchOperation::builder()
            .op(aws_sdk_apigateway::types::Op::Replace)
            .path("/deploymentId")
            .value(theirs.id.expect("an id"))
            .build();
        let update = api.update_stage().rest_api_id(&id).stage_name("prod");
        update.patch_operations(patch).send().await.expect("moved");
        let plan = scene.apply().await;
        assert_eq!(kinds(&plan), BTreeSet::from(both));

        run(&scene.provider, &scene.blueprint, Purpose::Destroy).await;
        assert_eq!(scene.sandbox.counts().expect("a sandbox"), BTreeMap::new());
    });
}

/// The routes of [`PAYMENTS`] behind an authorizer.
fn guarded(authorizer: &str) -> String {
    let text = PAYMENTS.replace("authorization = \"none\"", "authorization = \"callers\"");
    format!("{text}[apis.payments.authorizers.callers]\n{authorizer}\n")
}

#[test]
fn authorizers_are_created_changed_and_deleted_with_their_methods() {
    block_on(async {
        let mut scene = Scene::new(PAYMENTS).await;
        scene.apply().await;
        let signed = PAYMENTS.replace("authorization = \"none\"", "authorization = \"iam\"");
        let steps = [
            guarded("user_pools = \"us-east-1_a\""),
            guarded("user_pools = [\"us-east-1_b\", \"us-east-1_c\"]"),
            signed,
            PAYMENTS.to_owned(),
        ];
        for step in steps {
            scene.blueprint = Folder::with(&step).blueprint();
            // The change is in force at once: the stage moves with the API.
            let plan = scene.apply().await;
            let mut changed = kinds(&plan);
            changed.retain(|(kind, _)| kind.starts_with("apigateway."));
            let both = ["apigateway.rest_api", "apigateway.stage"];
            assert_eq!(changed, both.map(|kind| (kind, Action::Update)).into());
        }
        run(&scene.provider, &scene.blueprint, Purpose::Destroy).await;
        assert_eq!(scene.sandbox.counts().expect("a sandbox"), BTreeMap::new());
    });
}

#[test]
fn routes_are_created_and_deleted_with_their_paths() {
    block_on(async {
        let mut scene = Scene::new(PAYMENTS).await;
        scene.apply().await;
        let deeper = PAYMENTS
            .replace("POST /process", "POST /{id}/process/{rest+}")
            .replace("https://example.com/process", "https://example.com/{rest}/{id}");
        let with = format!(
            "{deeper}\n[apis.payments.cors]\norigins = [\"https://a.example\", \"https://b.example\"]\n"
        );
        scene.blueprint = Folder::with(&with).blueprint();
        scene.apply().await;
        scene.blueprint = Folder::with(PAYMENTS).blueprint();
        scene.apply().await;
        // The variable has another name: payctl deletes the old path first.
        let other = PAYMENTS.replace("POST /process", "POST /{payment}/process");
        scene.blueprint = Folder::with(&with).blueprint();
        scene.apply().await;
        scene.blueprint = Folder::with(&other).blueprint();
        scene.apply().await;
    });
}

#[test]
fn the_account_role_is_shared_and_stays_after_destroy() {
    block_on(async {
        let scene = Scene::new(PAYMENTS).await;
        let made = scene.apply().await;
        let account = ("apigateway.account", Action::Create);
        assert!(kinds(&made).contains(&account));
        run(&scene.provider, &scene.blueprint, Purpose::Destroy).await;
        let again = scene.apply().await;
        assert!(!kinds(&again).contains(&account));
    });
}

#[test]
fn a_link_is_deleted_after_the_deployment_that_uses_it() {
    block_on(async {
        let link = "[network]\ncidr = \"10.0.0.0/16\"\nnat = { kind = \"none\" }\n\
                    [security_groups.link]\ndescription = \"link\"\n\
                    [vpc_links.main]\nsecurity_groups = [\"link\"]\n";
        let mut scene = Scene::new(&format!("{PAYMENTS}{link}")).await;
        scene.sandbox = Sandbox::in_memory_strict();
        scene.provider = provider_for(&sandboxed(&scene.sandbox), "dev").await;
        let id = Text::reference(Address::new("apigateway.vpc_link", "main"), Output::Id);
        let balancer = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/x/1";
        scene.set(
            "apigateway.rest_api",
            "/routes/POST ~1process/integration/link",
            json!({ "id": id, "target": balancer }),
        );
        scene.apply().await;
        scene.set("apigateway.rest_api", "/routes/POST ~1process/integration/link", Value::Null);
        scene.blueprint.resources.remove(&Address::new("apigateway.vpc_link", "main"));
        let plan = scene.apply().await;
        assert!(kinds(&plan).contains(&("apigateway.vpc_link", Action::Delete)));
        run(&scene.provider, &scene.blueprint, Purpose::Destroy).await;
        assert_eq!(scene.sandbox.counts().expect("a sandbox"), BTreeMap::new());
    });
}

#[test]
fn deleting_a_stage_deletes_only_its_own_log() {
    block_on(async {
        let scene = Scene::new(PAYMENTS).await;
        scene.apply().await;
        let id = scene.output("apigateway.rest_api", Output::Id).await;
        let stage = address("apigateway.stage");
        // A foreign stage of the same API, whose name has the same beginning.
        let logs = aws_sdk_cloudwatchlogs::Client::new(&by_hand(&scene.sandbox));
        let other = format!("API-Gateway-Execution-Logs_{id}/prod2");
        logs.create_log_group().log_group_name(&other).send().await.expect("a group");
        let groups = || async {
            let call = logs.describe_log_groups().log_group_name_prefix("API-Gateway-Execution");
            let found = call.send().await.expect("a list").log_groups.unwrap_or_default();
            found.into_iter().filter_map(|group| group.log_group_name).collect::<Vec<_>>()
        };
        assert_eq!(groups().await.len(), 2);
        let mut without = scene.blueprint.clone();
        without.resources.remove(&stage);
        run(&scene.provider, &without, Purpose::Apply).await;
        assert_eq!(groups().await, [other]);
        // With the API, payctl deletes all its logs.
        run(&scene.provider, &without, Purpose::Destroy).await;
        assert!(groups().await.is_empty());
    });
}
