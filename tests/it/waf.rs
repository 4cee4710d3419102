//! Web ACLs and what they protect.

use aws_sdk_wafv2::types::{
    OverrideAction, Rule, RuleGroupReferenceStatement, Scope, Statement, VisibilityConfig,
};
use payctl_engine::model::address::Address;
use payctl_engine::plan::{Action, Purpose};
use payctl_sandbox::Sandbox;
use serde_json::json;

use crate::support::{
    block_on, by_hand, carry_out, expect_settled, plan_now, run, sample_provider, sandboxed, some,
};

#[test]
fn only_rules_of_shield_stay_in_a_web_acl() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["waf.web_acl"]);
        run(&provider, &blueprint, Purpose::Apply).await;

        let waf = aws_sdk_wafv2::Client::new(&by_hand(&sandbox));
        let listed = waf.list_web_acls().scope(Scope::Regional).send().await.expect("a list");
        let id = listed.web_acls()[0].id().expect("an id").to_owned();
        let get = || waf.get_web_acl().name("sample-firewall").id(&id).scope(Scope::Regional);
        let got = get().send().await.expect("the ACL");
        let acl = got.web_acl().expect("the ACL").clone();
        let put = |name: &str, priority| {
            let metric = VisibilityConfig::builder()
                .metric_name(name)
                .cloud_watch_metrics_enabled(true)
                .sampled_requests_enabled(true);
            let group = RuleGroupReferenceStatement::builder()
                .arn("arn:aws:wafv2:us-east-1:153427709519:regional/rulegroup/shield/1")
                .build()
                .expect("a reference");
            let none = aws_sdk_wafv2::types::NoneAction::builder().build();
            Rule::builder()
                .name(name)
                .priority(priority)
                .statement(Statement::builder().rule_group_reference_statement(group).build())
                .override_action(OverrideAction::builder().none(none).build())
                .visibility_config(metric.build().expect("a metric"))
                .build()
                .expect("a rule")
        };
        let shield = "ShieldMitigationRuleGroup_000000000000_1";
        let mut rules = acl.rules().to_vec();
        rules.extend([put(shield, 10_000_000), put("Mine", 9)]);
        waf.update_web_acl()
            .name("sample-firewall")
            .id(&id)
            .scope(Scope::Regional)
            .set_lock_token(got.lock_token().map(str::to_owned))
            .set_default_action(acl.default_action().cloned())
            .set_visibility_config(acl.visibility_config().cloned())
            .set_description(acl.description().map(str::to_owned))
            .set_rules(Some(rules))
            .send()
            .await
            .expect("a change");

        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let paths: Vec<&str> = plan.changes[0].fields.iter().map(|field| &*field.path).collect();
        assert_eq!(paths, ["rules.Mine"]);
        let address = Address::new("waf.web_acl", "sample");
        let wanted = blueprint.resources.get_mut(&address).expect("the sample");
        wanted.spec["default_action"] = json!("block");
        run(&provider, &blueprint, Purpose::Apply).await;
        let got = get().send().await.expect("the ACL");
        let names: Vec<&str> =
            got.web_acl().expect("the ACL").rules().iter().map(|rule| rule.name()).collect();
        assert!(names.contains(&shield) && !names.contains(&"Mine"), "{names:?}");
        expect_settled(&provider, &blueprint, "the change").await;
    });
}

#[test]
fn a_web_acl_with_slow_propagation_is_created_and_deleted() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let blueprint = some(&provider, &["waf.web_acl", "waf.association"]);
        let made = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(made.count(Action::Create), blueprint.resources.len());
        expect_settled(&provider, &blueprint, "creation").await;
        run(&provider, &blueprint, Purpose::Destroy).await;
        assert!(sandbox.counts().expect("a sandbox").is_empty());
    });
}

#[test]
fn an_unwanted_association_is_removed_from_its_resource() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["waf.web_acl", "waf.association"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        blueprint.resources.retain(|address, _| address.kind != "waf.association");
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        assert_eq!(plan.count(Action::Delete), 1);
        expect_settled(&provider, &blueprint, "the change").await;
    });
}

#[test]
fn a_web_acl_associated_by_others_since_the_plan_stays() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let mut blueprint = some(&provider, &["waf.web_acl", "waf.association"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        blueprint.resources.retain(|address, _| address.kind != "waf.association");
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;

        let waf = aws_sdk_wafv2::Client::new(&by_hand(&sandbox));
        let seen = VisibilityConfig::builder()
            .metric_name("m")
            .sampled_requests_enabled(true)
            .cloud_watch_metrics_enabled(true)
            .build()
            .expect("complete");
        let allow = aws_sdk_wafv2::types::DefaultAction::builder()
            .allow(aws_sdk_wafv2::types::AllowAction::builder().build())
            .build();
        let call = waf.create_web_acl().name("theirs").scope(Scope::Regional);
        let made = call.default_action(allow).visibility_config(seen).send().await;
        let theirs = made.expect("an ACL").summary.and_then(|it| it.arn).expect("an ARN");
        let live = plan.changes[0].live.as_ref().expect("what is deleted is live");
        let balancer = live.spec["resource"].as_str().expect("an ARN");
        let call = waf.associate_web_acl().web_acl_arn(&theirs).resource_arn(balancer);
        call.send().await.expect("an association");

        let report = carry_out(&provider, &plan).await;
        assert!(report.is_complete(), "{:#?}", report.failed);
        let got = waf.get_web_acl_for_resource().resource_arn(balancer).send().await;
        assert_eq!(got.expect("an answer").web_acl.expect("an ACL").arn, theirs);
    });
}
