//! Certificates, domain names and their records: rules, blueprints, life on the sandbox, which has the
//! public zone `example.com`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType,
};
use payctl::aws::provider::AwsProvider;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_engine::planner;
use payctl_engine::survey::survey;
use payctl_sandbox::{Fault, Faults, Sandbox};
use serde_json::{Value, json};

use crate::cli_support::Folder;
use crate::elb::{NETWORK, blueprint_of, check, spec_of};
use crate::support::{
    applied_under, block_on, by_hand, carry_out, configured, count, expect_settled, plan_now, run,
    sample_provider, sandboxed, set, some, through,
};

const HEAD: &str = "project = \"payment\"\nregion = \"us-east-1\"\n";

/// A certificate, an API and a load balancer with names in the zone.
const NAMED: &str = r#"
zone = "example.com"

[certificates.main]
domain = "shop.example.com"
names = ["*.shop.example.com"]

[apis.orders]
routes = { "GET /orders" = { url = "https://backend.example.org/orders", authorization = "none" } }
log = { level = "off", access = false }
domain = { name = "api.shop.example.com", certificate = "main", base_path = "v1" }

[load_balancers.front]
security_groups = ["lb"]
domain = { name = "pay.shop.example.com" }
listeners = [
  { port = 80, redirect = {} },
  { port = 443, certificate = "main", respond = { status = 404 } },
]
"#;

fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder, text);
    folder
}

/// The top-level keys of a text must come before the network.
fn write(folder: &tempfile::TempDir, text: &str) {
    for env in ["dev", "prod"] {
        let text = format!("{HEAD}{text}\n{NETWORK}");
        fs::write(folder.path().join(format!("{env}.toml")), text).expect("a file");
    }
}

async fn environment(sandbox: &Sandbox, text: &str, env: &str) -> (AwsProvider, Blueprint) {
    configured(&sandboxed(sandbox), folder(text).path(), env).await
}

async fn applied(sandbox: &Sandbox, text: &str, env: &str) -> (AwsProvider, Blueprint) {
    let (provider, blueprint) = environment(sandbox, text, env).await;
    run(&provider, &blueprint, Purpose::Apply).await;
    expect_settled(&provider, &blueprint, "an apply").await;
    (provider, blueprint)
}

/// A plan that may refuse something.
async fn any_plan(provider: &AwsProvider, blueprint: &Blueprint, purpose: Purpose) -> Plan {
    let found = survey(provider, &blueprint.resources).await.expect("a survey");
    planner::plan(provider, blueprint, &found, purpose, &[]).expect("a plan")
}

fn refusals(plan: &Plan) -> Vec<String> {
    plan.refused.iter().map(|one| format!("{}: {}", one.address, one.reason)).collect()
}

/// Route 53 as somebody else uses it, with the zone of the sandbox.
struct Dns {
    client: aws_sdk_route53::Client,
    zone: String,
}

impl Dns {
    async fn of(sandbox: &Sandbox) -> Self {
        let client = aws_sdk_route53::Client::new(&by_hand(sandbox));
        let zones = client.list_hosted_zones().send().await.expect("zones").hosted_zones;
        let zone = zones.iter().find(|zone| zone.name == "example.com.").expect("the zone");
        Self { zone: zone.id.clone(), client }
    }

    /// All records but those of the zone itself, with their targets or values.
    async fn records(&self) -> BTreeMap<String, String> {
        let call = self.client.list_resource_record_sets().hosted_zone_id(&self.zone);
        let sets = call.send().await.expect("records").resource_record_sets;
        let own = sets.into_iter().filter(|set| ![RrType::Ns, RrType::Soa].contains(&set.r#type));
        own.map(|set| {
            let values = set.resource_records().iter().map(|one| one.value.clone());
            let alias = set.alias_target().map(|alias| alias.dns_name.clone());
            let name = format!("{} {}", set.name.trim_end_matches('.'), set.r#type.as_str());
            (name, alias.unwrap_or_else(|| values.collect::<Vec<_>>().join(" ")))
        })
        .collect()
    }

    async fn put(&self, action: ChangeAction, name: &str, kind: RrType, value: &str) {
        let record = ResourceRecord::builder().value(value).build().expect("a value");
        let set = ResourceRecordSet::builder().name(name).r#type(kind).ttl(300);
        let set = set.resource_records(record).build().expect("a record set");
        let change = Change::builder().action(action).resource_record_set(set).build();
        let batch = ChangeBatch::builder().changes(change.expect("a change")).build();
        let call = self.client.change_resource_record_sets().hosted_zone_id(&self.zone);
        call.change_batch(batch.expect("a batch")).send().await.expect("it is changed");
    }
}

#[test]
fn names_and_certificates_that_aws_would_refuse_are_refused() {
    let of = |text: &str| format!("[certificates.a]\n{text}\n");
    check(&of("domain = \"Example.com\""), "a name of a certificate looks like example.com");
    check(&of("domain = \"a.*.example.com\""), "a name of a certificate looks like example.com");
    let long = format!("domain = \"{}.example.com\"", "x".repeat(60));
    check(&of(&long), "too long: 72 characters, at most 64");
    let twice = "domain = \"a.org\"\nnames = [\"a.org\"]";
    check(&of(twice), "`a.org` is the first name already");
    let far = "domain = \"a.org\"\nnames = [\"*.b.org\"]\nzone = \"a.org\"";
    check(&of(far), "`b.org` is not in the zone a.org");

    let api = |domain: &str| {
        format!(
            "[apis.a]\nroutes = {{ \"GET /\" = {{ url = \"https://a.org\" }} }}\n{domain}\n\
             [certificates.main]\ndomain = \"a.org\"\nnames = [\"*.a.org\"]\n"
        )
    };
    let named = |name: &str, certificate: &str| {
        api(&format!("domain = {{ name = \"{name}\", certificate = \"{certificate}\" }}"))
    };
    check(&named("b.c.a.org", "main"), "the certificate `main` does not stand for `b.c.a.org`");
    check(&named("b.a.org", "mian"), "[certificates] has no `mian`");
    let edge = "endpoint = \"edge\"\ndomain = { name = \"b.a.org\", certificate = \"main\" }";
    check(&api(edge), "only a regional API can have a domain name");
    let elsewhere = "arn:aws:acm:eu-west-1:1:certificate/x";
    check(&named("b.a.org", elsewhere), "this certificate is in eu-west-1");
    let path = "domain = { name = \"b.a.org\", certificate = \"main\", base_path = \"a/b\" }";
    check(&api(path), "a base path is 1 to 128 letters");
    let same = named("b.a.org", "main").replace("[apis.a]", "[apis.b]");
    let same =
        format!("{}{}", named("b.a.org", "main"), same.split("[certificates").next().unwrap());
    check(&same, "two resources of kind apigateway.domain_name have the name `b.a.org`");

    let balancer = |domain: &str| {
        format!(
            "[load_balancers.a]\nsecurity_groups = [\"lb\"]\ndomain = {{ name = \"{domain}\" }}\n\
             listeners = [{{ port = 443, certificate = \"main\", respond = {{ status = 404 }} }}]\n\
             [certificates.main]\ndomain = \"a.org\"\n"
        )
    };
    check(&balancer("b.org"), "the certificate `main` does not stand for `b.org`");
    check("[apis.a]\ndescription = \"${zone}\"", "`${zone}` is not allowed here");
    check("with_zone = 1", "with_zone");
}

#[test]
fn differences_with_a_zone_apply_only_if_there_is_one() {
    let text = |zone: &str| {
        format!(
            "{zone}\n[with_zone.tables.b]\npartition_key = \"id:S\"\n\
             [with_zone.tables.a]\npartition_key = \"key:N\"\n[tables.a]\npartition_key = \"id:S\"\n\
             [with_zone.tags]\nDomain = \"x.${{zone}}\"\n{NETWORK}"
        )
    };
    let without = blueprint_of(&text(""));
    assert_eq!(spec_of(&without, "dynamodb.table/a")["partition_key"]["name"], "id");
    assert!(!without.resources.contains_key(&Address::new("dynamodb.table", "b")));
    let with = blueprint_of(&text("zone = \"example.com\""));
    assert_eq!(spec_of(&with, "dynamodb.table/a")["partition_key"]["name"], "key");
    let table = &with.resources[&Address::new("dynamodb.table", "b")];
    assert_eq!(table.tags["Domain"], "x.example.com");
}

#[test]
fn an_api_calls_a_load_balancer_by_its_domain_over_tls() {
    let text = |port: &str| {
        format!(
            "{NETWORK}[vpc_links.main]\nsecurity_groups = [\"lb\"]\n\
             [apis.a.routes.\"GET /x\"]\nload_balancer = \"front\"\nvpc_link = \"main\"\n{port}\n\
             [load_balancers.front]\nsecurity_groups = [\"lb\"]\n\
             domain = {{ name = \"pay.example.com\", zone = \"example.com\" }}\n\
             [[load_balancers.front.listeners]]\nport = 80\nrespond = {{ status = 404 }}\n\
             [[load_balancers.front.listeners]]\nport = 443\nrespond = {{ status = 404 }}\n\
             certificate = \"arn:aws:acm:us-east-1:000000000000:certificate/x\"\n"
        )
    };
    let uri = |text: &str| {
        let api = spec_of(&blueprint_of(text), "apigateway.rest_api/a");
        api["routes"]["GET /x"]["integration"]["uri"].clone()
    };
    assert_eq!(uri(&text("port = 443")), "https://pay.example.com/x");
    assert!(uri(&text("")).to_string().contains("elb.load_balancer/front"));
}

#[test]
fn the_platform_serves_tls_as_soon_as_a_zone_is_named() {
    block_on(async {
        let folder = Folder::shipped();
        folder.edit("config/base.toml", "# zone = \"example.com\"", "zone = \"example.com\"");
        for env in ["dev", "staging", "prod", "pr-12"] {
            let sandbox = Sandbox::in_memory();
            let connection = sandboxed(&sandbox);
            let (provider, mut blueprint) =
                configured(&connection, &folder.path("config"), env).await;
            run(&provider, &blueprint, Purpose::Apply).await;
            expect_settled(&provider, &blueprint, env).await;
            let records = Dns::of(&sandbox).await.records().await;
            let api = &records[&format!("api.{env}.example.com A")];
            assert!(api.starts_with("d-") && api.contains(".execute-api."), "{records:#?}");
            let balancer = &records[&format!("service.{env}.example.com A")];
            assert!(balancer.contains(".elb."), "{records:#?}");
            let listener = spec_of(&blueprint, "elb.listener/main-443");
            assert_eq!((&listener["protocol"], &listener["port"]), (&"HTTPS".into(), &443.into()));
            assert!(!blueprint.resources.contains_key(&Address::new("elb.listener", "main-80")));
            let api = spec_of(&blueprint, "apigateway.rest_api/payments");
            let uri = &api["routes"]["ANY /service/{proxy+}"]["integration"]["uri"];
            assert_eq!(uri, &format!("https://service.{env}.example.com/{{proxy}}"));
            for group in ["blue", "green"] {
                let group = spec_of(&blueprint, &format!("elb.target_group/{group}"));
                let served = (&group["protocol"], &group["port"]);
                assert_eq!(served, (&"HTTPS".into(), &443.into()));
            }
            // As without a zone: whoever appends a path brings the slash.
            let url = blueprint.outputs["ApiUrl"].to_string();
            assert!(url.starts_with("https://") && !url.ends_with('/'), "{url}");
            let told = spec_of(&blueprint, &format!("ssm.parameter//payment/api-url-{env}"));
            assert_eq!(told["value"], json!(blueprint.outputs["ApiUrl"]));
            if env == "prod" {
                continue;
            }
            blueprint.protect = false;
            run(&provider, &blueprint, Purpose::Destroy).await;
            let left = Dns::of(&sandbox).await.records().await;
            assert!(left.keys().all(|name| name.starts_with('_') && name.ends_with("CNAME")));
            assert_eq!(left.len(), 1, "the record that proves the domain stays: {left:#?}");
        }
    });
}

#[test]
fn a_running_platform_gets_tls_with_its_zone() {
    block_on(async {
        let folder = Folder::shipped();
        let sandbox = Sandbox::in_memory();
        let connection = sandboxed(&sandbox);
        let (provider, plain) = configured(&connection, &folder.path("config"), "dev").await;
        run(&provider, &plain, Purpose::Apply).await;
        folder.edit("config/base.toml", "# zone = \"example.com\"", "zone = \"example.com\"");
        let (provider, named) = configured(&connection, &folder.path("config"), "dev").await;
        run(&provider, &named, Purpose::Apply).await;
        expect_settled(&provider, &named, "dev with a zone").await;
        folder.edit("config/base.toml", "zone = \"example.com\"", "# zone = \"example.com\"");
        let (provider, plain) = configured(&connection, &folder.path("config"), "dev").await;
        run(&provider, &plain, Purpose::Apply).await;
        expect_settled(&provider, &plain, "dev without its zone").await;
    });
}

#[test]
fn names_come_and_go_with_their_targets() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let dns = Dns::of(&sandbox).await;
        let (provider, blueprint) = applied(&sandbox, NAMED, "dev").await;
        let records = dns.records().await;
        let names: Vec<&str> = records.keys().map(String::as_str).collect();
        let proof = names.iter().filter(|name| name.ends_with(".shop.example.com CNAME")).count();
        assert_eq!(proof, 1, "a wildcard has the record of its domain: {names:?}");
        for name in ["api.shop", "pay.shop"] {
            let marker = &records[&format!("{name}._payctl.example.com TXT")];
            for entry in ["payctl:project=payment", "payctl:env=dev", "payctl:region=us-east-1"] {
                assert!(marker.contains(&format!("\"{entry}\"")), "{marker}");
            }
        }
        assert_eq!(names.len(), 5, "{names:?}");

        // Another name for the API: the old one goes, with its marker and its domain name.
        let moved = NAMED.replace("api.shop.", "orders.shop.");
        let (_, other) = applied(&sandbox, &moved, "dev").await;
        let names: Vec<String> = dns.records().await.into_keys().collect();
        assert!(!names.iter().any(|name| name.starts_with("api.")), "{names:?}");
        assert!(names.contains(&"orders.shop.example.com A".to_owned()), "{names:?}");

        // A balancer that AWS has to make again moves the record.
        let before = dns.records().await["pay.shop.example.com A"].clone();
        let inside = moved.replace(
            "[load_balancers.front]\n",
            "[load_balancers.front]\nscheme = \"internet-facing\"\n",
        );
        let (_, inside) = environment(&sandbox, &inside, "dev").await;
        let plan = run(&provider, &inside, Purpose::Apply).await;
        let record =
            plan.changes.iter().find(|one| one.address.to_string() == "route53.record/lb-front");
        assert_eq!(record.map(|one| one.action), Some(Action::Update));
        assert_ne!(dns.records().await["pay.shop.example.com A"], before);
        expect_settled(&provider, &inside, "another balancer").await;

        drop((blueprint, other));
        run(&provider, &inside, Purpose::Destroy).await;
        assert_eq!(
            sandbox.counts().expect("counts"),
            BTreeMap::from([("route53.records".to_owned(), 1)])
        );
    });
}

#[test]
fn records_of_others_are_never_changed_and_never_deleted() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let dns = Dns::of(&sandbox).await;
        dns.put(ChangeAction::Create, "api.shop.example.com", RrType::A, "192.0.2.1").await;
        dns.put(ChangeAction::Create, "pay.shop.example.com", RrType::Cname, "a.example.org").await;
        let theirs = dns.records().await;
        let (provider, blueprint) = environment(&sandbox, NAMED, "dev").await;
        let plan = any_plan(&provider, &blueprint, Purpose::Apply).await;
        let said = refusals(&plan);
        assert_eq!(said.len(), 2, "{said:?}");
        for (line, address) in
            said.iter().zip(["route53.record/api-orders", "route53.record/lb-front"])
        {
            assert!(
                line.starts_with(address) && line.contains("payctl did not write it"),
                "{line}"
            );
        }
        assert_eq!(dns.records().await, theirs);

        // One that appears after the plan stops its step.
        dns.put(ChangeAction::Delete, "api.shop.example.com", RrType::A, "192.0.2.1").await;
        dns.put(ChangeAction::Delete, "pay.shop.example.com", RrType::Cname, "a.example.org").await;
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        dns.put(ChangeAction::Create, "api.shop.example.com", RrType::A, "192.0.2.1").await;
        let report = carry_out(&provider, &plan).await;
        let failed: Vec<String> = report.failed.iter().map(|(one, ..)| one.to_string()).collect();
        assert_eq!(failed, ["route53.record/api-orders"]);
        assert_eq!(dns.records().await["api.shop.example.com A"], "192.0.2.1");

        // payctl's own record, once somebody has changed it, is somebody's.
        dns.put(ChangeAction::Upsert, "pay.shop.example.com", RrType::A, "192.0.2.7").await;
        let plan = any_plan(&provider, &blueprint, Purpose::Apply).await;
        let said = refusals(&plan);
        assert!(
            said.iter().any(|one| one.contains("changed it after payctl wrote it")),
            "{said:?}"
        );
        let plan = any_plan(&provider, &blueprint, Purpose::Destroy).await;
        assert!(carry_out(&provider, &plan).await.is_complete());
        let left = dns.records().await;
        assert_eq!(left["pay.shop.example.com A"], "192.0.2.7");
        assert_eq!(left["api.shop.example.com A"], "192.0.2.1");
    });
}

#[test]
fn a_name_belongs_to_one_environment() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let (dev, wanted) = applied(&sandbox, NAMED, "dev").await;
        let mine = Dns::of(&sandbox).await.records().await;
        let (prod, blueprint) = environment(&sandbox, NAMED, "prod").await;
        let plan = any_plan(&prod, &blueprint, Purpose::Apply).await;
        let said = refusals(&plan);
        let owner = "environment dev in us-east-1";
        let refused = said.iter().filter(|line| line.contains(owner)).count();
        assert_eq!(refused, 3, "two records and a domain name: {said:#?}");
        run(&prod, &blueprint, Purpose::Destroy).await;
        assert_eq!(Dns::of(&sandbox).await.records().await, mine);
        expect_settled(&dev, &wanted, "another environment").await;
    });
}

#[test]
fn a_record_that_is_gone_comes_back() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let (provider, blueprint) = applied(&sandbox, NAMED, "dev").await;
        let dns = Dns::of(&sandbox).await;
        let before = dns.records().await;
        let call = dns.client.list_resource_record_sets().hosted_zone_id(&dns.zone);
        let sets = call.send().await.expect("records").resource_record_sets;
        let gone = |set: &ResourceRecordSet| [RrType::A, RrType::Cname].contains(&set.r#type);
        for set in sets.into_iter().filter(gone) {
            let change = Change::builder().action(ChangeAction::Delete).resource_record_set(set);
            let batch = ChangeBatch::builder().changes(change.build().expect("a change")).build();
            let call = dns.client.change_resource_record_sets().hosted_zone_id(&dns.zone);
            call.change_batch(batch.expect("a batch")).send().await.expect("it is deleted");
        }
        let plan = run(&provider, &blueprint, Purpose::Apply).await;
        let changed: Vec<String> =
            plan.changes.iter().map(|one| format!("{:?} {}", one.action, one.address)).collect();
        assert_eq!(
            changed,
            [
                "Update acm.certificate/main",
                "Update route53.record/api-orders",
                "Update route53.record/lb-front"
            ]
        );
        assert_eq!(dns.records().await, before);
        expect_settled(&provider, &blueprint, "records came back").await;
    });
}

/// A certificate whose records somebody sets.
const BARE: &str = "[certificates.main]\ndomain = \"shop.example.com\"\n\
    [load_balancers.front]\nsecurity_groups = [\"lb\"]\n\
    listeners = [{ port = 443, certificate = \"main\", respond = { status = 404 } }]\n";

#[test]
fn a_certificate_without_a_zone_shows_the_records_to_set_and_waits() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let dns = Dns::of(&sandbox).await;
        let (provider, blueprint) = environment(&sandbox, BARE, "dev").await;
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let before = tokio::time::Instant::now();
        let report = carry_out(&provider, &plan).await;
        let waited = before.elapsed();
        assert!((2000..3000).contains(&waited.as_secs()), "45 minutes at most: {waited:?}");
        let (address, _, error) = &report.failed[0];
        assert_eq!(address.to_string(), "acm.certificate/main");
        let said = error.to_string();
        assert!(said.contains("ACM waits for the records _"), "{said}");
        assert_eq!(dns.records().await, BTreeMap::new(), "payctl writes nothing");

        // The next run goes on to wait, and ends once the record is there.
        let again = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let because = again.changes.iter().find_map(|one| one.because.clone()).expect("a reason");
        let record = because.split("ACM waits for the records ").nth(1).expect("the record");
        let words: Vec<&str> = record.split([' ', ')']).collect();
        assert_eq!(words[1], "CNAME");
        dns.put(ChangeAction::Create, words[0], RrType::Cname, words[2]).await;
        assert!(carry_out(&provider, &again).await.is_complete());
        expect_settled(&provider, &blueprint, "the record was set").await;
        // The zone that the config does not name is left alone.
        run(&provider, &blueprint, Purpose::Destroy).await;
        assert_eq!(dns.records().await.len(), 1);
    });
}

#[test]
fn after_72_hours_another_certificate_waits_for_the_same_record() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let dns = Dns::of(&sandbox).await;
        let (provider, blueprint) = environment(&sandbox, BARE, "dev").await;
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let failed = carry_out(&provider, &plan).await.failed[0].2.to_string();
        let record = failed.split("ACM waits for the records ").nth(1).expect("the record");
        let words: Vec<&str> = record.split([' ', ')', ',']).collect();

        tokio::time::advance(Duration::from_secs(73 * 3600)).await;
        dns.put(ChangeAction::Create, words[0], RrType::Cname, words[2]).await;
        let plan = plan_now(&provider, &blueprint, Purpose::Apply).await;
        let address = Address::new("acm.certificate", "main");
        let change = plan.changes.iter().find(|change| change.address == address);
        let change = change.expect("another certificate");
        assert_eq!(change.action, Action::Replace);
        let because = change.because.as_deref().unwrap_or_default();
        assert!(because.contains("VALIDATION_TIMED_OUT"), "{because}");
        assert!(carry_out(&provider, &plan).await.is_complete());
        expect_settled(&provider, &blueprint, "another certificate").await;
        assert_eq!(sandbox.counts().expect("counts")["acm.certificates"], 1);
    });
}

#[test]
fn certificates_of_a_domain_share_the_record_that_proves_it() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let dns = Dns::of(&sandbox).await;
        let text = "zone = \"example.com\"\n[certificates.main]\ndomain = \"shop.example.com\"\n";
        let (dev, of_dev) = applied(&sandbox, text, "dev").await;
        let proof = dns.records().await;
        assert_eq!(proof.len(), 1);
        let (prod, of_prod) = applied(&sandbox, text, "prod").await;
        assert_eq!(dns.records().await, proof);
        run(&dev, &of_dev, Purpose::Destroy).await;
        assert_eq!(dns.records().await, proof, "prod needs it to renew its certificate");
        expect_settled(&prod, &of_prod, "a destroy of dev").await;
    });
}

#[test]
fn an_apply_waits_until_all_name_servers_have_a_record() {
    block_on(async {
        let sandbox = Sandbox::in_memory_strict();
        let faults = Faults::new(sandbox.transport());
        let provider = sample_provider(&through(faults.transport())).await;
        let mut blueprint = some(&provider, &["route53.record"]);
        run(&provider, &blueprint, Purpose::Apply).await;
        let asked = count(&faults, "route53.GetChange");
        assert!(asked > 1, "the change takes half a minute: {asked}");
        // Another target, and nothing to wait for in the next run.
        let target = json!("other.example.net");
        set(&mut blueprint, "route53.record", "target", target);
        run(&provider, &blueprint, Purpose::Apply).await;
        assert!(count(&faults, "route53.GetChange") > asked + 1);
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        expect_settled(&provider, &blueprint, "another target").await;
    });
}

#[test]
fn a_renewal_plans_nothing() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let (provider, blueprint) = applied(&sandbox, NAMED, "dev").await;
        let acm = aws_sdk_acm::Client::new(&by_hand(&sandbox));
        let listed = acm.list_certificates();
        let listed = listed.send().await.expect("certificates").certificate_summary_list;
        let arn = listed.unwrap_or_default()[0].certificate_arn.clone().expect("an ARN");
        let renewal = async || {
            let send = acm.describe_certificate().certificate_arn(&arn).send();
            send.await.expect("it is there").certificate.expect("it").renewal_summary
        };
        assert!(renewal().await.is_none());
        tokio::time::advance(Duration::from_secs(340 * 86_400)).await;
        assert!(renewal().await.is_some(), "AWS renews it");
        expect_settled(&provider, &blueprint, "AWS renews the certificate").await;
    });
}

#[test]
fn another_name_makes_a_certificate_before_the_old_one_goes() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let (provider, _) = applied(&sandbox, NAMED, "dev").await;
        let more = NAMED.replace(
            "names = [\"*.shop.example.com\"]",
            "names = [\"*.shop.example.com\", \"shop2.example.com\"]",
        );
        let faults = Faults::new(sandbox.transport());
        let folder = folder(&more);
        let connection = through(faults.transport());
        let (watched, blueprint) = configured(&connection, folder.path(), "dev").await;
        let plan = run(&watched, &blueprint, Purpose::Apply).await;
        // The old one goes last.
        let calls = faults.calls();
        let at = |call: &str| calls.iter().position(|made| made == call).expect(call);
        let gone = at("acm.DeleteCertificate");
        for user in ["elasticloadbalancing.ModifyListener", "apigateway.UpdateDomainName"] {
            assert!(at("acm.RequestCertificate") < at(user) && at(user) < gone, "{calls:#?}");
        }
        let action = |address: &str| {
            let found = plan.changes.iter().find(|one| one.address.to_string() == address);
            found.map(|one| one.action)
        };
        assert_eq!(action("elb.listener/front-443"), Some(Action::Update));
        assert_eq!(action("apigateway.domain_name/orders"), Some(Action::Update));
        expect_settled(&provider, &blueprint, "another name").await;
        assert_eq!(sandbox.counts().expect("counts")["acm.certificates"], 1);
    });
}

#[test]
fn missing_and_hidden_zones_are_named_before_an_apply() {
    let folder = Folder::empty();
    let text = |zone: &str| {
        format!("{HEAD}[certificates.main]\ndomain = \"a.{zone}\"\nzone = \"{zone}\"\n")
    };
    folder.write("config/dev.toml", &text("example.org"));
    let ran = folder.run("apply --env dev --sandbox --auto-approve");
    assert_ne!(ran.code, Some(0));
    assert!(ran.err.contains("no public hosted zone example.org"), "{}", ran.err);
    assert_eq!(folder.counts(), Value::Object(serde_json::Map::new()));
    folder.write("config/dev.toml", &text("example.com"));
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    folder.expect(0, "destroy --env dev --sandbox --auto-approve");
}

#[test]
fn faults_at_certificates_and_records_leave_one_of_each() {
    block_on(async {
        let folder = folder(NAMED);
        let sandbox = Sandbox::in_memory();
        let faults = Faults::new(sandbox.transport());
        assert!(applied_under(&sandbox, Some(&faults), folder.path()).await.is_complete());
        let clean = sandbox.counts().expect("counts");
        let made = [
            "acm.RequestCertificate",
            "apigateway.CreateBasePathMapping",
            "apigateway.CreateDomainName",
            "route53.ChangeResourceRecordSets",
        ];
        let calls = faults.calls();
        let at: Vec<usize> = (0..calls.len()).filter(|at| made.contains(&&*calls[*at])).collect();
        assert_eq!(at.len(), 6, "{calls:#?}");
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
